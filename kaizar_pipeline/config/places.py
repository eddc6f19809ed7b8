"""Where a hospital is: its time zone, and its country, whose public holidays shape arrivals."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from kaizar_pipeline.config.fields import RuleError
from kaizar_pipeline.errors import quoted, unknown

if TYPE_CHECKING:
    from kaizar_pipeline.config.hospital import HospitalInfo

YEARS = range(2025, 2027)
"""Years by which the holidays of a country's parts are compared."""

_timezones = cache(available_timezones)  # which scans the disk


def place_errors(hospital: "HospitalInfo") -> Iterator[RuleError]:
    """What is wrong with the place; places of errors are within the part."""
    import holidays

    timezone, country, subdivision = hospital.timezone, hospital.country, hospital.subdivision
    if timezone not in _timezones():
        yield ("timezone",), unknown(timezone, sorted(_timezones()), list_allowed=False)
    supported = holidays.list_supported_countries()
    if country not in supported:
        near = unknown(country, sorted(supported), "country", list_allowed=False)
        yield ("country",), f"{near}: no public holidays are known of it; allowed: a two-letter code such as NL"
    elif subdivision and not supported[country]:
        found = f"found {quoted(subdivision)}"
        yield ("subdivision",), f"{found}, but no parts of {country} with holidays of their own are known"
    elif subdivision and subdivision not in supported[country]:
        yield ("subdivision",), unknown(subdivision, sorted(supported[country]))


def subdivision_note(hospital: "HospitalInfo") -> str | None:
    """A request for the subdivision where it is not given, and most of the country's have holidays of their own."""
    if hospital.subdivision:
        return None
    own = _own_holidays(hospital.country)
    differ = [name for name, days in own.items() if days]
    if 2 * len(differ) <= len(own):
        return None
    shown = ", ".join(differ[:3])
    return (
        f"hospital.country: in {len(differ)} of the {len(own)} parts of {hospital.country} there are public holidays "
        f"that the country as a whole does not have; give hospital.subdivision, such as {shown}"
    )


@cache
def _own_holidays(country: str) -> dict[str, int]:
    """How many holidays each part of a country has in `YEARS` that the country as a whole does not have."""
    import holidays

    national = set(holidays.country_holidays(country, years=YEARS))
    return {
        part: len(set(holidays.country_holidays(country, subdiv=part, years=YEARS)) - national)
        for part in sorted(holidays.list_supported_countries()[country])
    }
