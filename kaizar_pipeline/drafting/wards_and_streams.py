"""Services and wards of an extract become streams and wards: each with the evidence for it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import pandas as pd

from kaizar_pipeline.drafting.census_beds import Beds
from kaizar_pipeline.drafting.column_words import slug
from kaizar_pipeline.patients.rejects import OFTEN

RARE_SHARE = 0.01
"""Services with a smaller share of the rows go together into the stream `other`."""
FEWEST = 20
"""So do those with fewer patients than this."""
OTHER = "other"

ELECTIVE, EMERGENCY, PATIENT = "elective", "emergency", "patient"
_WORKING_DAYS = 0.97
_DAYTIME = (6, 19)
_DAYTIME_SHARE = 0.9

_NAMES = {
    "ED": r"\b(9203|emer|ed|er|a_?e|a_and_e|emergency|emergencies|seh|spoed\w*|eerste_hulp|notaufnahme|zna|urgences?"
    r"|sau|urgencias?|pronto_socorro)\b",
    "ICU": r"\b(32037|icu|itu|ic|its|intensiv\w*|intensive\w*|usc|rea|reanimation|uci|uti|cti|hdu|ccu|critical\w*)\b",
    "SHORT_STAY": r"\b(ssu|short_?stay|cdu|amu|mau|eau|aoa|dagbehandeling|tagesklinik|ambulatoire"
    r"|day_?(case|unit|surgery)|observation)\b",
}
"""Names of wards by type, as they stand after `slug`, in six languages, and the codes of OMOP and FHIR."""
_ED_HOURS = 12.0
_SHORT_HOURS = 30.0


@dataclass(frozen=True)
class Named:
    """Names of the source (services or wards) that share an id."""

    id: str
    names: tuple[str, ...]
    """Empty for the rare ones together: a rare name may be that of a person."""
    rows: int


@dataclass(frozen=True)
class DraftedWard:
    """A ward with its type and beds."""

    named: Named
    type: str
    why_type: str
    beds: Beds
    span: "Span"
    hours: pd.Series
    """Lengths of its stays that have ended."""


@dataclass(frozen=True)
class DraftedStream:
    """A stream of arrivals with its ward and patient type."""

    named: Named
    ward: str
    patient_type: str
    why: str
    span: "Span"


@dataclass(frozen=True)
class Span:
    """When a stream or ward opened and closed within the records."""

    opened: date | None = None
    closed: date | None = None
    """The first day no longer open."""
    why: dict[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> dict[str, date]:
        """For the config."""
        return {key: day for key, day in (("opened", self.opened), ("closed", self.closed)) if day is not None}


def name_ids(cells: pd.Series, every: int = 1, renamed: Mapping[str, str] | None = None) -> list[Named]:
    """The different names in `cells`, the frequent ones with an id each, the rare ones together as `other`; fewer than
    `FEWEST` rows of these are left out, so that a run sets them aside. `renamed` has new names by old ones: they share
    an id."""
    counts = cells[cells != ""].value_counts()
    rare = (counts < FEWEST) | (counts < RARE_SHARE * counts.sum())
    frequent = list(counts.index[~rare]) or list(counts.index[counts >= OFTEN][:1])
    newer = {old: new for old, new in (renamed or {}).items() if old in frequent and new in frequent}
    taken: dict[str, list[str]] = {}
    ids: dict[str, str] = {}
    for name in sorted(frequent, key=lambda name: name in newer):
        ids[name] = ids[newer[name]] if name in newer else _free_id(str(name), taken)
        taken.setdefault(ids[name], []).append(str(name))
    found = [Named(id_, tuple(names), int(counts[names].sum()) * every) for id_, names in taken.items()]
    rest = int(counts.sum() - counts[frequent].sum())
    if rest >= FEWEST or not found:
        found.append(Named(OTHER if OTHER not in taken else "other_services", (), rest * every))
    return found


def _free_id(name: str, taken: Mapping[str, Sequence[str]]) -> str:
    """An id for `name`; names that differ in case or spaces only share one."""
    base = slug(name)
    base = base if base and base[0].isalpha() else f"ward_{base}".rstrip("_")
    for number in range(1, len(taken) + 2):
        candidate = base if number == 1 else f"{base}_{number}"
        if candidate not in taken or taken[candidate][0].casefold().split() == name.casefold().split():
            return candidate
    raise AssertionError("one of n + 1 ids is free")


def names_places(names: Iterable[str]) -> bool:
    """Whether some of the values of a column are names of an emergency department or an intensive care unit."""
    return any(_type_by_name([name]) in ("ED", "ICU") for name in names)


def _type_by_name(names: Iterable[str]) -> str | None:
    plain = " ".join(slug(name) for name in names)
    plain = f"{plain} {plain.replace('_', ' ')}"
    return next((type_ for type_, pattern in _NAMES.items() if re.search(pattern, plain)), None)


def type_of(named: Named, hours: pd.Series) -> tuple[str, str]:
    """The type of a ward, by its name and its lengths of stay in hours, and why."""
    median = float(hours.median()) if len(hours) else float("nan")
    stay = f"half of the stays are shorter than {_duration(median)}" if median == median else "no stay has ended"
    type_ = _type_by_name(named.names)
    if type_ is not None and not (type_ == "ED" and median > 2 * 24):
        return type_, f"its name; {stay}"
    if median < _SHORT_HOURS:
        return "SHORT_STAY", stay
    return "WARD", stay


def _duration(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def planned(arrivals: pd.Series, times_known: bool) -> tuple[bool, str]:
    """Whether patients with these arrivals come as planned: on working days, in the daytime. And the evidence."""
    working = float((arrivals.dt.day_of_week < 5).mean())
    shown = f"{100 * working:.0f} % arrive from Monday to Friday"
    daytime = 1.0
    if times_known:
        daytime = float(arrivals.dt.hour.between(*_DAYTIME).mean())
        shown += f", {100 * daytime:.0f} % between {_DAYTIME[0]}:00 and {_DAYTIME[1] + 1}:00"
    return working >= _WORKING_DAYS and daytime >= _DAYTIME_SHARE, shown
