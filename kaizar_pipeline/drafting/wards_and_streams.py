"""Services and wards of an extract become streams, wards and beds: each with the evidence for it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kaizar_pipeline.drafting.column_words import slug
from kaizar_pipeline.patients.observed_census import census_by_hour

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
    "ED": r"\b(ed|er|a_?e|a_and_e|emergency|emergencies|seh|spoed\w*|eerste_hulp|notaufnahme|zna|urgences?|sau"
    r"|urgencias?|pronto_socorro)\b",
    "ICU": r"\b(icu|itu|ic|its|intensiv\w*|intensive\w*|usc|rea|reanimation|uci|uti|cti|hdu|ccu|critical\w*)\b",
    "SHORT_STAY": r"\b(ssu|short_?stay|cdu|amu|mau|eau|aoa|dagbehandeling|tagesklinik|ambulatoire"
    r"|day_?(case|unit|surgery)|observation)\b",
}
"""Names of wards by type, as they stand after `slug`, in six languages."""
_ED_HOURS = 12.0
_SHORT_HOURS = 30.0

WALL_SHARE = 0.05
"""Share of hours at the highest census from which on it looks like the number of beds."""
RECENT_DAYS = 182
"""Days before as_of whose census proposes the beds."""
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


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
    beds: int | None
    weekday_beds: dict[str, int] = field(default_factory=dict)
    why_beds: str = ""


@dataclass(frozen=True)
class DraftedStream:
    """A stream of arrivals with its ward and patient type."""

    named: Named
    ward: str
    patient_type: str
    why: str


def name_ids(cells: pd.Series, every: int = 1) -> list[Named]:
    """The different names in `cells`, the frequent ones with an id each, the rare ones together as `other`; fewer than
    `FEWEST` rows of these are left out, so that a run sets them aside."""
    counts = cells[cells != ""].value_counts()
    rare = (counts < FEWEST) | (counts < RARE_SHARE * counts.sum())
    frequent = list(counts.index[~rare]) or list(counts.index[:1])
    taken: dict[str, list[str]] = {}
    for name in frequent:
        taken.setdefault(_free_id(str(name), taken), []).append(str(name))
    found = [Named(id_, tuple(names), int(counts[names].sum()) * every) for id_, names in taken.items()]
    rest = int(counts.sum() - counts[frequent].sum())
    if rest >= FEWEST:
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


def type_of(named: Named, hours: pd.Series) -> tuple[str, str]:
    """The type of a ward, by its name and its lengths of stay in hours, and why."""
    plain = " ".join(slug(name) for name in named.names) + " " + named.id
    plain = f"{plain} {plain.replace('_', ' ')}"
    median = float(hours.median()) if len(hours) else float("nan")
    stay = f"half of the stays are shorter than {_duration(median)}" if median == median else "no stay has ended"
    for type_, pattern in _NAMES.items():
        if re.search(pattern, plain) and not (type_ == "ED" and median > 2 * 24):
            return type_, f"its name; {stay}"
    if median < _SHORT_HOURS:
        return "SHORT_STAY", stay
    return "WARD", stay


def _duration(hours: float) -> str:
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def planned(arrivals: pd.Series, times_known: bool) -> tuple[bool, str]:
    """Whether patients with these arrivals come as planned: on working days, in the daytime. And the evidence."""
    working = float((arrivals.dt.day_of_week < 5).mean())
    shown = f"{working:.0%} arrive from Monday to Friday"
    daytime = 1.0
    if times_known:
        daytime = float(arrivals.dt.hour.between(*_DAYTIME).mean())
        shown += f", {daytime:.0%} between {_DAYTIME[0]}:00 and {_DAYTIME[1] + 1}:00"
    return working >= _WORKING_DAYS and daytime >= _DAYTIME_SHARE, shown


def draft_beds(
    patients: pd.DataFrame, stays: pd.DataFrame, ward: str, as_of: pd.Timestamp, times_known: bool
) -> tuple[int | None, dict[str, int], str]:
    """Beds of a ward by its census of the last half year, those of weekdays that differ, and the evidence."""
    first = max(stays["admit"].min().ceil("h"), as_of - pd.Timedelta(days=RECENT_DAYS))
    hours = pd.date_range(first, as_of, freq="h" if times_known else "D", inclusive="left")
    if len(hours) == 0:
        return None, {}, "no census: records begin at as_of"
    census = census_by_hour(patients, stays, {ward: [ward]}, hours)[0]
    top, p99 = int(census.max()), int(np.quantile(census, 0.99))
    unit = "hours" if times_known else "midnights"
    days = (hours[-1] - hours[0]).days + 1
    evidence = f"census of the last {days} days: highest {top}, 99 % of {unit} at most {p99}"
    if top == 0:
        return None, {}, f"{evidence}: nobody was here, beds are not known"
    at_top = _share_at_top(census)
    if at_top < WALL_SHARE:
        return top, {}, evidence
    evidence += f"; {at_top:.0%} of {unit} at {top} exactly: looks like its beds"
    weekday = hours.day_of_week.to_numpy()
    by_weekday = {name: census[weekday == day] for day, name in enumerate(_WEEKDAYS)}
    different = {
        name: int(of_day.max())
        for name, of_day in by_weekday.items()
        if len(of_day) and of_day.max() < top and _share_at_top(of_day) >= 2 * WALL_SHARE
    }
    return top, different, evidence


def _share_at_top(census: np.ndarray) -> float:
    return float((census == census.max()).mean())
