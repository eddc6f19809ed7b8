"""Operational time: hours in which the chance of leaving is the same, whatever the hour of the week.

A clock gives each hour of the week a weight, mean 1; public holidays count as Sundays. Operational time L(t) is the
integral of the weights from a fixed Monday on. A patient who takes a bed at t with a length of stay of S operational
hours leaves at L^-1(L(t) + S). It generalises the two time scales of Shi, Chou, Dai, Ding and Sim (Management Science
62, 2016).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from kaizar_pipeline.config.fields import HOURS_PER_DAY, HOURS_PER_WEEK, WEEKDAYS

MONDAY = np.datetime64("1970-01-05", "D")
"""Operational time counts from its midnight: a fixed day, so that lengths of stay do not change when data are added."""

SUNDAY = 6

FLAT = np.ones((len(WEEKDAYS), HOURS_PER_DAY))
"""The weights of no clock."""

ONWARD, HOMEWARD = "onward", "home"
WAYS = (ONWARD, HOMEWARD)
"""Ways out of a ward, to another ward and by discharge: the column `way` of discharge_clocks."""

_HOUR = np.timedelta64(1, "h") / np.timedelta64(1, "us")
_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "us")


@dataclass(frozen=True, eq=False)
class OperationalTime:
    """The clock of one ward and way out, on real dates."""

    week: np.ndarray
    """f8[7, 24], Monday first: weights, mean 1."""
    holidays: np.ndarray
    """datetime64[D], ascending: days that count as Sundays."""

    def hours(self, at: np.ndarray) -> np.ndarray:
        """L at datetimes `at` [n]: operational hours since MONDAY."""
        moment = (at.astype("datetime64[us]") - MONDAY.astype("datetime64[us]")).astype("int64")
        day, rest = np.divmod(moment, int(_DAY))
        hour, part = np.divmod(rest, int(_HOUR))
        weekday = self.weekdays(MONDAY + day)
        return self._until(day) + self._within[weekday, hour] + self.week[weekday, hour] * (part / _HOUR)

    def weights(self, start: np.datetime64, hours: int) -> np.ndarray:
        """f8[hours]: the weight of each hour from `start` on, a full hour."""
        at = start.astype("datetime64[h]") + np.arange(hours)
        day = at.astype("datetime64[D]")
        return self.week[self.weekdays(day), (at - day).astype("int64")]

    def weekdays(self, days: np.ndarray) -> np.ndarray:
        """i8[n]: the weekday that each of `days` counts as, Monday 0."""
        own = (days.astype("datetime64[D]") - MONDAY).astype("int64") % 7
        return np.where(np.isin(days, self.holidays), SUNDAY, own)

    def _until(self, day: np.ndarray) -> np.ndarray:
        """Operational hours from MONDAY to the midnight that begins each `day` (days since MONDAY)."""
        weeks, weekday = np.divmod(day, 7)
        before = np.searchsorted(self.holidays, MONDAY + day)
        since = np.searchsorted(self.holidays, MONDAY)
        lost = self._lost[before] - self._lost[since]
        return weeks * self._sums.sum() + np.concatenate([[0.0], np.cumsum(self._sums)])[weekday] - lost

    @cached_property
    def _sums(self) -> np.ndarray:
        """f8[7]: operational hours of each day of the week."""
        return self.week.sum(axis=1)

    @cached_property
    def _within(self) -> np.ndarray:
        """f8[7, 24]: operational hours from midnight to the beginning of each hour."""
        return np.cumsum(self.week, axis=1) - self.week

    @cached_property
    def _lost(self) -> np.ndarray:
        """f8[holidays + 1]: operational hours that the first so many holidays have less than ordinary days."""
        own = (self.holidays - MONDAY).astype("int64") % 7
        return np.concatenate([[0.0], np.cumsum(self._sums[own] - self._sums[SUNDAY])])


def weeks_of(discharge_clocks: pd.DataFrame | None) -> dict[tuple[str, str], np.ndarray]:
    """The weights f8[7, 24] by ward and way of the rows of the table discharge_clocks that are not flat."""
    if discharge_clocks is None:
        return {}
    rows = discharge_clocks[discharge_clocks["origin"] != "flat"].sort_values(["weekday", "hour"])
    return {
        (str(ward), str(way)): of["weight"].to_numpy(dtype=np.float64).reshape(FLAT.shape)
        for (ward, way), of in rows.groupby(["ward_id", "way"])
    }


def leave_at(cumulative: np.ndarray, now: float, length: float) -> float:
    """When a stay ends that begins at `now` and lasts `length` operational hours; inf beyond the last hour.

    `cumulative` f8[hours + 1] is operational time at each hour from 0 on; `now` lies before the last hour. The engines
    share this function, so that their results are equal to the bit. Rounding never makes the end earlier than `now`.
    """
    if length == 0.0:
        return now
    low, high = int(now), len(cumulative) - 1
    goal = cumulative[low] + (now - low) * (cumulative[low + 1] - cumulative[low]) + length
    if goal > cumulative[high]:
        return np.inf
    while high - low > 1:
        middle = (low + high) // 2
        if cumulative[middle] < goal:
            low = middle
        else:
            high = middle
    step = cumulative[high] - cumulative[low]
    if step <= 0.0:
        return now
    return max(now, low + (goal - cumulative[low]) / step)


def plain_hours(week: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """f8[168, n]: plain hours of stays of `lengths` [n] operational hours that begin in the middle of each hour of the
    week, from Monday 0:00 on; weeks without holidays."""
    speed = week.ravel()
    begin = np.concatenate([[0.0], np.cumsum(np.tile(speed, 2))])
    weeks, rest = np.divmod(lengths, speed.sum())
    goal = (begin[:HOURS_PER_WEEK] + speed / 2)[:, None] + rest
    place = np.clip(np.searchsorted(begin, goal) - 1, 0, len(begin) - 2)
    step = begin[place + 1] - begin[place]
    end = place + np.divide(goal - begin[place], step, out=np.ones_like(goal), where=step > 0)
    start = np.arange(HOURS_PER_WEEK)[:, None] + 0.5
    return np.where(rest > 0, np.maximum(end - start, 0.0), 0.0) + weeks * HOURS_PER_WEEK


def mean_excess(week: np.ndarray, entry: np.ndarray, lengths: np.ndarray) -> float:
    """Mean of plain minus operational hours of stays, of equally likely `lengths` [n] in operational hours, that begin
    in the hours of the week with weights `entry` f8[7, 24]."""
    return float(entry.ravel() @ plain_hours(week, lengths).mean(axis=1) / entry.sum() - lengths.mean())


def kept_mean(week: np.ndarray, entry: np.ndarray, lengths: np.ndarray, mean: float) -> float:
    """The factor on lengths of stay with which their mean in plain hours is `mean`, that of `lengths` without a clock.

    It is 0 where waiting for the next hour with discharges alone takes longer.

    `lengths` are equally likely quantiles, whose tail `mean` covers too.
    """
    from scipy.optimize import brentq

    def too_long(factor: float) -> float:
        return (factor - 1) * mean + mean_excess(week, entry, factor * lengths)

    # at the highest weight of the week no stay is shorter in plain hours than it was; double it, for rounding
    return float(brentq(too_long, 0.0, 2 * week.max(), xtol=1e-7)) if mean > 0 else 1.0  # pyright: ignore[reportArgumentType]
