"""Estimates the clock of one way out of a ward: how the chance of leaving varies over the hours of the week.

The hazard of leaving is h0(S) times the weight of the hour, S the operational hours so far. h0 is piecewise constant,
the weights are departures over those expected under h0 summed over every hour that each patient was in the bed. Plain
departures over exposure would not do: short stays follow their arrivals, and every emergency department would seem to
have a clock. A clock counts only where it improves the likelihood of stays that it was not learned from.
docs/explanation/length_of_stay.md explains it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from kaizar_pipeline.config.discharges import SATURDAY
from kaizar_pipeline.stats.operational_time import FLAT, OperationalTime

BINS = 60
"""Pieces of h0, of equally many departures."""
BIN_DEPARTURES = 20
"""Departures per piece, at least."""

NARROWEST, NARROWEST_SHARE = 0.25, 0.01
"""Least width of a piece: operational hours, and as a share of the length at its end."""

ROUNDS = 5
"""Rounds of h0 and weights, from flat weights on."""

HOUR_PRIOR, WEEKEND_PRIOR, DAY_PRIOR = 1.0, 3.0, 25.0
"""Departures as expected that are added: to each hour of the day; to each hour of working days and of weekends, which
are shrunk to that of all days; to each weekday."""

FLOOR = 0.01
"""Least weight of an hour."""

LEAST_GAIN = 0.01
"""Log-likelihood per held-out stay that a clock must gain."""
HELD_OUT_SHARE = 0.25
"""Share of the stays, the last ones, that a clock is judged by."""
LEAST_JUDGED = 20
"""Departures needed among them."""

_HOURS_OF_WEEK = np.arange(168.0).reshape(7, 24)
_SHORTEST = 1 / 60  # hours; a stay of no length has no exposure
_BEYOND = 1e9  # hours: no stay is longer
_TINY = 1e-12


@dataclass(frozen=True)
class Exposure:
    """When patients of one ward could have left by one way, in intervals: f8[n], hours since a fixed midnight.

    Exposures that are used together have one midnight. A stay may have several intervals, between which it went on but
    could not be seen to end.
    """

    start: np.datetime64
    """datetime64[D]: the midnight."""
    admit: np.ndarray
    """When the bed was given."""
    begin: np.ndarray
    end: np.ndarray
    left: np.ndarray
    """bool[n]: the patient left at `end`."""
    weight: np.ndarray
    """How many stays each one counts for."""
    stay: np.ndarray
    """i8[n]: number of the stay, from 0."""

    @property
    def departures(self) -> float:
        """How many left."""
        return float(self.weight[self.left].sum())

    @property
    def hours(self) -> int:
        """Hours from `start` to the last end."""
        return int(np.ceil(self.end.max(initial=0.0))) + 1

    def take(self, chosen: np.ndarray) -> "Exposure":
        """The `chosen` intervals (mask)."""
        names = ("admit", "begin", "end", "left", "weight", "stay")
        return replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def until(self, time: float) -> "Exposure":
        """What was known at `time`."""
        known = self.take(self.begin < time)
        return replace(known, end=np.minimum(known.end, time), left=known.left & (known.end < time))


@dataclass(frozen=True)
class Hazard:
    """A piecewise constant hazard over operational hours."""

    edges: np.ndarray
    """f8[bins + 1], the first 0, the last beyond all stays."""
    rate: np.ndarray
    """f8[bins]: departures per operational hour."""

    def cumulative(self, hours: np.ndarray) -> np.ndarray:
        """Its integral from 0 to `hours`."""
        return np.interp(hours, self.edges, np.append(0.0, np.cumsum(self.rate * np.diff(self.edges))))

    def at(self, hours: np.ndarray) -> np.ndarray:
        """Its value at `hours`, the end of a piece belonging to it."""
        return self.rate[np.clip(np.searchsorted(self.edges, hours, side="left") - 1, 0, len(self.rate) - 1)]


@dataclass(frozen=True)
class ClockFit:
    """A clock with the hazard of each ward that it was learned from."""

    week: np.ndarray
    """f8[7, 24]: weights, mean 1."""
    hazards: tuple[Hazard, ...]


class _Axis:
    """Calendar hours from the start of exposures on, and operational time on them."""

    def __init__(self, start: np.datetime64, hours: int, holidays: np.ndarray) -> None:
        self.hour_of_week = OperationalTime(_HOURS_OF_WEEK, holidays).weights(start, hours).astype("int64")

    def set_clock(self, week: np.ndarray) -> None:
        self.weight = week.ravel()[self.hour_of_week]
        self.before = np.append(0.0, np.cumsum(self.weight))

    def operational(self, at: np.ndarray) -> np.ndarray:
        """Operational hours from the start to `at`."""
        hour = at.astype("int64")
        return self.before[hour] + (at - hour) * self.weight[np.minimum(hour, len(self.weight) - 1)]

    def last_hour(self, at: np.ndarray) -> np.ndarray:
        """The hour that has passed, or nearly, at `at`: a stamp on the hour belongs to the one before."""
        return np.maximum(np.ceil(at).astype("int64") - 1, 0)


class _Pieces:
    """Exposure cut at every full hour: the bounds of the pieces, of one interval after the other."""

    def __init__(self, exposure: Exposure, axis: _Axis) -> None:
        exposed = exposure.take(exposure.end > exposure.begin)
        first = exposed.begin.astype("int64")
        self.count = axis.last_hour(exposed.end) - first + 2
        ends = np.cumsum(self.count)
        self.first, self.last = ends - self.count, ends - 1
        self.bound = np.arange(self.count.sum()) + np.repeat(first - self.first, self.count)
        self.cell = axis.hour_of_week[np.minimum(self.bound, len(axis.hour_of_week) - 1)]
        self.exposed, self.axis = exposed, axis

    def expected(self, hazard: Hazard) -> np.ndarray:
        """Departures expected from each bound to the next one, under the axis' clock; 0 at the last of an interval."""
        axis, exposed = self.axis, self.exposed
        operational = axis.before[self.bound]
        operational[self.first], operational[self.last] = axis.operational(exposed.begin), axis.operational(exposed.end)
        operational -= np.repeat(axis.operational(exposed.admit), self.count)
        expected = np.diff(hazard.cumulative(operational), append=0.0)
        expected[self.last] = 0.0
        return expected if (exposed.weight == 1).all() else expected * np.repeat(exposed.weight, self.count)


def fit_clock(exposures: Sequence[Exposure], holidays: np.ndarray, *, days_only: bool = False) -> ClockFit:
    """The clock that several wards share, or that of one; each has its own hazard.

    `holidays` (datetime64[D]) count as Sundays. With `days_only` the hours of a day have equal weights. At least one
    departure is needed.
    """
    axis, pieces = _cut(exposures, holidays)
    left = np.zeros(168)
    for exposure in exposures:
        cell = axis.hour_of_week[axis.last_hour(exposure.end[exposure.left])]
        left += np.bincount(cell, exposure.weight[exposure.left], 168)
    week = FLAT
    for _ in range(ROUNDS):
        axis.set_clock(week)
        hazards = [_hazard(exposure, axis) for exposure in exposures]
        expected = np.zeros(168)
        for cut, hazard in zip(pieces, hazards, strict=True):
            expected += np.bincount(cut.cell, cut.expected(hazard), 168)
        week = _weights(left.reshape(7, 24), expected.reshape(7, 24) / week, week.mean(axis=1), days_only)
    return ClockFit(week, fit_hazards(exposures, week, holidays))


def fit_hazards(exposures: Sequence[Exposure], week: np.ndarray, holidays: np.ndarray) -> tuple[Hazard, ...]:
    """The hazard of each ward under a known clock."""
    axis = _Axis(exposures[0].start, max(exposure.hours for exposure in exposures), holidays)
    axis.set_clock(week)
    return tuple(_hazard(exposure, axis) for exposure in exposures)


def departures_by_day(
    exposure: Exposure, week: np.ndarray, hazard: Hazard, holidays: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How many left on each day from the start on, and how many were expected, given who was in the beds."""
    axis, (pieces,) = _cut([exposure], holidays)
    axis.set_clock(week)
    days = len(axis.weight) // 24 + 1
    day = pieces.bound // 24
    of_left = axis.last_hour(exposure.end[exposure.left]) // 24
    return (
        np.bincount(of_left, exposure.weight[exposure.left], days),
        np.bincount(day, pieces.expected(hazard), days),
    )


def held_out_gains(exposures: Sequence[Exposure], holidays: np.ndarray, *, days_only: bool = False) -> np.ndarray:
    """Log-likelihood of each of the last quarter of stays under the clock of the others, less that under a flat one.

    What is learned is learned from what was known when the first of them began. Empty where too few departures are
    known.
    """
    admits = np.concatenate([exposure.admit[exposure.begin == exposure.admit] for exposure in exposures])
    cut = float(np.quantile(admits, 1 - HELD_OUT_SHARE))
    later = [exposure.take(exposure.admit >= cut) for exposure in exposures]
    known = [exposure.take(exposure.admit < cut).until(cut) for exposure in exposures]
    usable = [of.departures > 0 for of in known]
    later, known = ([of for of, use in zip(parts, usable, strict=True) if use] for parts in (later, known))
    if min((sum(of.departures for of in parts) for parts in (later, known)), default=0) < LEAST_JUDGED:
        return np.zeros(0)
    clock = fit_clock(known, holidays, days_only=days_only)
    flat = ClockFit(FLAT, fit_hazards(known, FLAT, holidays))
    return log_likelihoods(later, clock, holidays) - log_likelihoods(later, flat, holidays)


def is_gain(gains: np.ndarray) -> bool:
    """Whether these differences, one per stay, are more than chance and enough to matter."""
    if len(gains) < LEAST_JUDGED:
        return False
    mean, error = gains.mean(), gains.std() / sqrt(len(gains))
    return bool(mean > LEAST_GAIN and mean > 2 * error)


def log_likelihoods(exposures: Sequence[Exposure], fit: ClockFit, holidays: np.ndarray) -> np.ndarray:
    """Log-likelihood of each stay, the wards' one after the other."""
    axis = _Axis(exposures[0].start, max(exposure.hours for exposure in exposures), holidays)
    axis.set_clock(fit.week)
    found = []
    for exposure, hazard in zip(exposures, fit.hazards, strict=True):
        from_, to = _operational(exposure, axis)
        value = hazard.cumulative(from_) - hazard.cumulative(to)
        weight = axis.weight[axis.last_hour(exposure.end)]
        value += np.where(exposure.left, np.log(np.maximum(hazard.at(to) * weight, _TINY)), 0.0)
        _, stay = np.unique(exposure.stay, return_inverse=True)
        found.append(np.bincount(stay, exposure.weight * value))
    return np.concatenate(found)


def _cut(exposures: Sequence[Exposure], holidays: np.ndarray) -> tuple[_Axis, list[_Pieces]]:
    axis = _Axis(exposures[0].start, max(exposure.hours for exposure in exposures), holidays)
    axis.set_clock(FLAT)
    return axis, [_Pieces(exposure, axis) for exposure in exposures]


def _operational(exposure: Exposure, axis: _Axis) -> tuple[np.ndarray, np.ndarray]:
    """Operational hours since the admission at both ends of each interval."""
    admit = axis.operational(exposure.admit)
    return axis.operational(exposure.begin) - admit, axis.operational(exposure.end) - admit


def _hazard(exposure: Exposure, axis: _Axis) -> Hazard:
    from_, to = _operational(exposure, axis)
    left, weight = to[exposure.left], exposure.weight
    bins = int(np.clip(len(left) // BIN_DEPARTURES, 1, BINS))
    inner = np.quantile(left, np.arange(1, bins) / bins) if bins > 1 else np.zeros(0)
    edges = np.array([*_apart(inner), _BEYOND])
    exposed = np.diff(_below(to, weight, edges) - _below(from_, weight, edges))
    place = np.clip(np.searchsorted(edges, left, side="left") - 1, 0, len(edges) - 2)
    departed = np.bincount(place, weight[exposure.left], len(edges) - 1)
    return Hazard(edges, departed / np.maximum(exposed, _SHORTEST))


def _apart(inner: np.ndarray) -> list[float]:
    """0 and those of the rising `inner` edges that are far enough from the one before.

    Many stays of one length, such as none, must not make a piece of their own that a clock then splits.
    """
    edges = [0.0]
    for edge in inner.tolist():
        if edge - edges[-1] >= max(NARROWEST, NARROWEST_SHARE * edge):
            edges.append(edge)
    return edges


def _below(hours: np.ndarray, weight: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Sum over `hours` of what each has up to every edge."""
    order = np.argsort(hours)
    hours, weight = hours[order], weight[order]
    so_far = np.append(0.0, np.cumsum(weight * hours))
    count = np.append(0.0, np.cumsum(weight))
    place = np.searchsorted(hours, edges)
    return so_far[place] + edges * (count[-1] - count[place])


def _weights(left: np.ndarray, expected: np.ndarray, days: np.ndarray, days_only: bool) -> np.ndarray:
    """Weights f8[7, 24] as hour of day (working days and weekends apart) times weekday, shrunk to 1.

    `expected` are the departures at a weight of 1, `days` the factors of the weekdays so far.
    """
    hours = np.ones((7, 24))
    for _ in range(2):
        if not days_only:
            hours = _hour_factors(left, expected * days[:, None])
        days = (left.sum(axis=1) + DAY_PRIOR) / ((expected * hours).sum(axis=1) + DAY_PRIOR)
    week = hours * days[:, None]
    week = np.maximum(week / week.mean(), FLOOR)
    return week / week.mean()


def _hour_factors(left: np.ndarray, expected: np.ndarray) -> np.ndarray:
    every = (left.sum(axis=0) + HOUR_PRIOR) / (expected.sum(axis=0) + HOUR_PRIOR)
    factors = np.empty((7, 24))
    for days in (slice(0, SATURDAY), slice(SATURDAY, 7)):
        factors[days] = (left[days].sum(axis=0) + WEEKEND_PRIOR * every) / (expected[days].sum(axis=0) + WEEKEND_PRIOR)
    return factors
