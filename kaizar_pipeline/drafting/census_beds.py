"""Beds of a ward, proposed by its census."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kaizar_pipeline.patients.observed_census import census_by_hour

WALL_SHARE = 0.05
"""Share of hours at one census from which on it looks like the number of beds, where few hours lie above."""
_ABOVE = 0.25
"""Hours above it, as a share of those at it, that may be patients on additional beds."""
RECENT_DAYS = 182
"""Days before the end of the records whose census proposes the beds."""
_LAST_BED_SHARE = 0.1
"""Share of the admissions of a weekday that take the last bed from which on it looks like the weekday's beds."""
_FEWEST_ADMISSIONS = 50
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True)
class Beds:
    """Beds that are proposed, and why."""

    beds: int | None
    """None: not known."""
    why: str
    by_weekday: dict[str, int] = field(default_factory=dict)
    """Where they differ from `beds`."""
    why_by_weekday: str = ""
    is_wall: bool = False
    """Whether the ward was often full at this number."""
    hours: pd.DatetimeIndex = field(default_factory=lambda: pd.DatetimeIndex([]))
    census: np.ndarray = field(default_factory=lambda: np.array([], dtype="int64"))
    """The census by which they are proposed, at `hours`."""


def propose_beds(
    patients: pd.DataFrame, stays: pd.DataFrame, ward: str, end: pd.Timestamp, *, times_known: bool, every: int = 1
) -> Beds:
    """Beds of a ward by its census of the half year before `end`: the number that it often had and seldom exceeded,
    else the highest. `every`: the patients are a sample of one in so many."""
    mine = stays[stays["ward_id"] == ward]
    if mine["admit"].isna().all():
        return Beds(None, "nobody was here: beds are not known")
    first = max(mine["admit"].min().ceil("h"), end - pd.Timedelta(days=RECENT_DAYS))
    hours = pd.date_range(first, end, freq="h" if times_known else "D", inclusive="left")
    if len(hours) == 0:
        return Beds(None, "no census: the records begin at their end")
    census = every * census_by_hour(patients, mine, {ward: [ward]}, hours)[0]
    top, p99 = int(census.max()), int(np.ceil(np.quantile(census, 0.99)))
    unit = "hours" if times_known else "midnights"
    days = (hours[-1] - hours[0]).days + 1
    why = f"census of the last {days} days: highest {top}, 99 % of {unit} at most {p99}"
    if top == 0:
        return Beds(None, f"{why}: nobody was here, beds are not known", hours=hours, census=census)
    if every > 1:
        return Beds(top, f"{why}; from a sample of 1 in {every}", hours=hours, census=census)
    wall = _wall(census)
    if wall is not None:
        why += f"; {100 * (census == wall).mean():.0f} % of {unit} at {wall} exactly: looks like its beds"
    beds = top if wall is None else wall
    by_weekday = _by_weekday(mine, first, beds) if times_known else {}
    why_weekday = f"{100 * _LAST_BED_SHARE:.0f} % and more of the admissions on these days take the last of so many"
    return Beds(beds, why, by_weekday, why_weekday, is_wall=wall is not None, hours=hours, census=census)


def _wall(census: np.ndarray) -> int | None:
    """The census at which many hours lie, and few above it."""
    values, hours = np.unique(census, return_counts=True)
    above = len(census) - np.cumsum(hours)
    found = np.flatnonzero((hours >= WALL_SHARE * len(census)) & (above <= _ABOVE * hours) & (values > 0))
    if len(found) == 0:
        return None
    wall = int(found[0])
    below = hours[wall - 1] if wall else 0  # a census that only seldom varies is no wall
    return int(values[wall]) if hours[wall] > below or above[wall] == 0 else None


def _by_weekday(stays: pd.DataFrame, first: pd.Timestamp, beds: int) -> dict[str, int]:
    """Beds of weekdays on which the ward fills at fewer than `beds`: by the census just after each admission, as on the
    first hours of such a day the patients of the day before are still there."""
    admits = np.sort(stays["admit"].dropna().to_numpy())
    departs = np.sort(stays["depart"].dropna().to_numpy())
    after = np.searchsorted(admits, admits, side="right") - np.searchsorted(departs, admits, side="right")
    recent = admits >= np.datetime64(first)
    weekday = pd.DatetimeIndex(admits[recent]).day_of_week.to_numpy()
    found = {}
    for day, name in enumerate(_WEEKDAYS):
        of_day = after[recent][weekday == day]
        if len(of_day) < _FEWEST_ADMISSIONS:
            continue
        most = int(of_day.max())
        if most < beds and (of_day == most).mean() >= _LAST_BED_SHARE:
            found[name] = most
    return found
