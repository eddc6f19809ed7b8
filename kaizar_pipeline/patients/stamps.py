"""Reads stamps as naive hospital-local times, and gives days without a time of day a plausible one.

A stamp that carries an offset is converted to local wall time. Where the arrival carries one too, the later stamps of
that patient keep the offset of the arrival: lengths of stay are exact, and wall times an hour off after a clock change.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

SECONDS_PER_DAY = 24 * 3600

_ISO = r"\d{4}-\d{2}-\d{2}|\d{8}"
_OFFSET = r"[T ].*(?:Z|[+-]\d{2}(?::?\d{2})?)$"


@dataclass(frozen=True)
class Stamps:
    """Times of one column, row by row."""

    local: pd.Series
    """Naive local wall time; NaT where there was none or it could not be read."""
    utc: pd.Series
    """Naive universal time; NaT where the stamp carries no offset."""

    def at_offset_of(self, first: "Stamps") -> pd.Series:
        """Local times at the offset that `first` had, so that the time between is exact; wall times where not known."""
        exact = first.local + (self.utc - first.utc)
        return exact.fillna(self.local)


def read_stamps(texts: pd.Series, date_format: str | None, timezone: str) -> Stamps:
    """Read `texts` as ISO 8601, or as `date_format` says; `timezone` is the hospital's."""
    texts = texts.astype("str")
    if date_format is None:
        texts = texts.where(texts.str.match(_ISO))
        with_offset = texts.str.contains(_OFFSET, na=False)
    else:
        with_offset = pd.Series("%z" in date_format, index=texts.index)
    how = date_format or "ISO8601"
    universal = pd.to_datetime(texts.where(with_offset), format=how, errors="coerce", utc=True).dt.as_unit("us")
    local = pd.to_datetime(texts.mask(with_offset), format=how, errors="coerce").astype("datetime64[us]")
    wall = universal.dt.tz_convert(timezone).dt.tz_localize(None)
    return Stamps(local.fillna(wall), universal.dt.tz_localize(None))


def days_only(texts: pd.Series, times: pd.Series) -> pd.Series:
    """Which stamps resolve a day only: those without a time of day, and all of a column where none is off midnight."""
    midnight = times == times.dt.normalize()
    if midnight[times.notna()].all():
        return times.notna()
    return times.notna() & midnight & ~texts.astype("str").str.contains(":", na=False)


def time_within_day(
    days: pd.Series,
    week: np.ndarray,
    uniform: np.ndarray,
    after: pd.Series | None = None,
    before: pd.Series | None = None,
) -> pd.Series:
    """A time on each of `days`, in whole seconds, by the hourly weights of its weekday.

    `week` is f8[7, 24] (Monday first), `uniform` in [0, 1) picks the quantile. On the same day, the time is not before
    `after` and not after `before` (times, or NaT); where the weights between the two are zero, it is uniform.
    """
    low = _second_of_day(days, after, 0)
    high = _second_of_day(days, before, SECONDS_PER_DAY - 1)
    seconds = np.zeros(len(days))
    weekday = days.dt.day_of_week.to_numpy()
    hours = np.arange(25) * 3600.0
    for day in range(7):
        rows = weekday == day
        cumulative = np.concatenate([[0.0], np.cumsum(week[day] / week[day].sum())])
        first, last = np.interp(low[rows], hours, cumulative), np.interp(high[rows], hours, cumulative)
        drawn = np.interp(first + uniform[rows] * (last - first), cumulative, hours)
        uniformly = low[rows] + uniform[rows] * (high[rows] - low[rows])
        seconds[rows] = np.where(last > first, drawn, uniformly)
    return days.dt.normalize() + pd.to_timedelta(np.clip(np.floor(seconds), low, high), unit="s").astype(
        "timedelta64[us]"
    )


def _second_of_day(days: pd.Series, bound: pd.Series | None, default: int) -> np.ndarray:
    """Second of the day of `bound` where it lies on the same day, else `default`."""
    if bound is None:
        return np.full(len(days), float(default))
    second = (bound - bound.dt.normalize()).dt.total_seconds()
    return second.where(bound.dt.normalize() == days.dt.normalize(), default).to_numpy(dtype="float64")
