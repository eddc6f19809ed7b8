"""Operational time: hours in which the chance of leaving is the same, whatever the hour of the week.

A clock gives each hour of the week a weight, mean 1; public holidays count as Sundays. Operational time L(t) is the
integral of the weights from a fixed Monday on. A patient who takes a bed at t with a length of stay of S operational
hours leaves at L^-1(L(t) + S). It generalises the two time scales of Shi, Chou, Dai, Ding and Sim (Management Science
62, 2016).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

MONDAY = np.datetime64("1970-01-05", "D")
"""Operational time counts from its midnight: a fixed day, so that lengths of stay do not change when data are added."""

SUNDAY = 6

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


def leaving(cumulative: np.ndarray, start: np.ndarray, length: np.ndarray) -> np.ndarray:
    """When stays end that begin at `start` and last `length` operational hours; inf beyond the last hour.

    `cumulative` f8[hours + 1] is operational time at each hour from 0 on; `start` and `length` are hours.
    """
    hour = np.minimum(start.astype("int64"), len(cumulative) - 2)
    goal = cumulative[hour] + (start - hour) * (cumulative[hour + 1] - cumulative[hour]) + length
    place = np.searchsorted(cumulative, goal, side="left") - 1
    inside = place < len(cumulative) - 1
    place = np.clip(place, 0, len(cumulative) - 2)
    low, high = cumulative[place], cumulative[place + 1]
    end = place + np.divide(goal - low, high - low, out=np.zeros_like(goal), where=high > low)
    return np.where(length == 0, start, np.where(inside, np.maximum(end, start), np.inf))
