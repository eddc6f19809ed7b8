"""What many replications add up to: exact distributions of the census, and the moments of everything else.

The kernel counts (kernel/count.py); here its tallies get names, and KPIs their mean and standard error. Integers add up
in any order, and KPIs are joined in the order of the replications, so the number of workers changes no bit.
A ward axis A has the wards, the groups and last the whole hospital; index T of a type axis is all patients together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

import numpy as np

from kaizar_pipeline.simulation.flow_windows import FLOW
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan
from kaizar_pipeline.simulation.waits import Waits
from kaizar_pipeline.tables import ALL
from kaizar_pipeline.tables.kpis import KPI_INDEX, OVER_WAITS, WAIT_PERCENTILES


@dataclass(frozen=True)
class Histograms:
    """For each ward, group and the hospital, how many replications had so many patients at each of several times."""

    start: np.ndarray
    """i8[A + 1]: ward w has start[w + 1] - start[w] different numbers of patients."""
    counts: np.ndarray
    """u4[start[-1] * times]: ward by ward, number by number."""

    def of(self, ward: int) -> np.ndarray:
        """u4[times, patients] of a ward, -1 for the hospital."""
        times = len(self.counts) // int(self.start[-1])
        ward %= len(self.start) - 1
        first, last = int(self.start[ward]), int(self.start[ward + 1])
        return self.counts[first * times : last * times].reshape(last - first, times).T


@dataclass(frozen=True)
class Sums:
    """Integers summed over replications, and their squares."""

    total: np.ndarray
    squares: np.ndarray
    replications: int

    def of(self, ward: int) -> "Sums":
        """The sums of one ward, -1 for the hospital."""
        return Sums(self.total[ward], self.squares[ward], self.replications)

    def __getitem__(self, places: slice) -> "Sums":
        """Those at some places of the last axis."""
        return Sums(self.total[..., places], self.squares[..., places], self.replications)

    @property
    def mean(self) -> np.ndarray:
        """The mean over replications."""
        return self.total / self.replications

    @property
    def standard_error(self) -> np.ndarray:
        """Its standard error."""
        n = self.replications
        spread = self.squares.astype(np.float64) - self.total.astype(np.float64) ** 2 / n
        return np.sqrt(np.maximum(spread, 0.0) / (n * max(n - 1, 1)))


@dataclass(frozen=True)
class Moments:
    """Number, mean and sum of squared deviations of values; NaN counts as not measured."""

    n: np.ndarray
    mean: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """The moments over the first axis of `values`."""
        measured = np.isfinite(values)
        n = measured.sum(axis=0)
        mean = np.where(measured, values, 0.0).sum(axis=0) / np.maximum(n, 1)
        return cls(n, mean, (np.where(measured, values - mean, 0.0) ** 2).sum(axis=0))

    def join(self, other: "Moments") -> "Moments":
        """The moments of both (Chan, Golub and LeVeque 1983)."""
        n = self.n + other.n
        gap = other.mean - self.mean
        weight = other.n / np.maximum(n, 1)
        return Moments(n, self.mean + gap * weight, self.squares + other.squares + gap**2 * self.n * weight)

    @property
    def measured_mean(self) -> np.ndarray:
        """The mean, NaN where nothing was measured."""
        return np.where(self.n > 0, self.mean, np.nan)

    @property
    def standard_error(self) -> np.ndarray:
        """Standard error of the mean, NaN for fewer than two values."""
        some = self.n > 1
        return np.where(some, np.sqrt(self.squares / np.where(some, self.n * (self.n - 1.0), 1.0)), np.nan)


@dataclass(frozen=True)
class Ratios:
    """Sums of R replications, and a count that they are divided by: means over all that was counted, not over
    replications. q sums, then the count, on the last axis."""

    n: int
    mean: np.ndarray
    """f8[..., q + 1]: over replications."""
    squares: np.ndarray
    """f8[..., q + 1]: sums of squared deviations."""
    products: np.ndarray
    """f8[..., q]: sums of the products of the deviations of sum and count."""

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Of f8[R, ..., q + 1]."""
        mean = values.mean(axis=0)
        off = values - mean
        return cls(len(values), mean, (off**2).sum(axis=0), (off[..., :-1] * off[..., -1:]).sum(axis=0))

    def join(self, other: Self) -> Self:
        """Those of both."""
        n, gap = self.n + other.n, other.mean - self.mean
        weight = self.n * other.n / n
        return type(self)(
            n,
            self.mean + gap * (other.n / n),
            self.squares + other.squares + weight * gap**2,
            self.products + other.products + weight * gap[..., :-1] * gap[..., -1:],
        )

    @property
    def ratio(self) -> np.ndarray:
        """f8[..., q]: the sums over the count; NaN where nothing was counted."""
        count = self.mean[..., -1:]
        return np.where(count > 0, self.mean[..., :-1] / np.where(count > 0, count, 1.0), np.nan)

    @property
    def standard_error(self) -> np.ndarray:
        """f8[..., q]: by linear approximation (delta method): the spread of sum - ratio x count over replications. NaN
        for a single one."""
        if self.n == 1:
            return np.full(self.products.shape, np.nan)
        ratio = self.ratio
        spread = self.squares[..., :-1] - 2 * ratio * self.products + ratio**2 * self.squares[..., -1:]
        return np.sqrt(np.maximum(spread, 0.0) / (self.n * (self.n - 1))) / self.mean[..., -1:]

    @property
    def count(self) -> tuple[np.ndarray, np.ndarray]:
        """f8[...]: the count's mean over replications, and its standard error."""
        mean, squares, n = self.mean[..., -1], self.squares[..., -1], self.n
        return mean, np.sqrt(squares / (n * (n - 1))) if n > 1 else np.full(mean.shape, np.nan)


class _Joined(Protocol):
    def join(self, other: Self, /) -> Self: ...


_Kind = TypeVar("_Kind", bound=_Joined)


class BlockMoments(Generic[_Kind]):
    """Moments (or ratios) of values that arrive in order, joined block by block: how they arrive changes no bit."""

    def __init__(self, block: int, of: Callable[[np.ndarray], _Kind]):
        self._block, self._of = block, of
        self._whole: list[_Kind] = []  # one at most: all complete blocks
        self._open: list[np.ndarray] = []

    def add(self, values: np.ndarray) -> None:
        """Add values [n, ...] that lie in one block."""
        self._open.append(values)
        if sum(map(len, self._open)) == self._block:
            self._whole, self._open = [self.moments()], []

    def moments(self) -> _Kind:
        """Of all values so far."""
        parts = [*self._whole, *([self._of(np.concatenate(self._open))] if self._open else [])]
        return reduce(lambda one, other: one.join(other), parts)


def mean_and_sd(histogram: np.ndarray, lowest: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation at each time, from counts [times, patients], the first of which is of `lowest`; equal
    to the bit however wide the counts are, since sums are of integers."""
    n, beds = int(histogram[0].sum()), lowest + np.arange(histogram.shape[1])
    mean = histogram @ beds / n
    return mean, np.sqrt(np.maximum(histogram @ beds**2 / n - mean**2, 0) * n / (n - 1))


def replications_with(histogram: np.ndarray, beds: np.ndarray) -> np.ndarray:
    """Replications with so many patients or more at each time, from counts [times, patients]."""
    return (histogram * (np.arange(histogram.shape[1]) >= beds[:, None])).sum(axis=1)


def replications_above(histogram: np.ndarray, beds: np.ndarray, share: float) -> np.ndarray:
    """Replications with more patients than that share of the beds at each time, from counts [times, patients]."""
    return (histogram * (np.arange(histogram.shape[1]) > share * beds[:, None] + 1e-9)).sum(axis=1)


@dataclass(frozen=True)
class CensusCounts:
    """How many patients were in beds in R replications of one plan, over H hours and D days that count."""

    replications: int
    census: Histograms
    """By hour."""
    peaks: Histograms
    """By date: the highest of its hourly censuses that lie ahead."""


@dataclass(frozen=True)
class Flows:
    """Who takes beds and gives them up in V windows, by ward, group and in the hospital; zeros without a demand run."""

    by_value: Histograms
    """By row of the ward axis and FLOW together."""
    free: Sums
    """[A, V]: staffed beds less the census as each window begins."""
    short: np.ndarray
    """i8[A, V]: replications in which more patients ask for a bed than are free or given up."""
    to_bed: Moments
    """Of [A]: mean hours to a bed of the patients who wait at the first instant that counts."""

    def of(self, row: int, flow: int) -> tuple[np.ndarray, int]:
        """Replications u4[V, values] by the value of a flow, and the lowest value, which is not 0 for net."""
        counts = self.by_value.of(row * len(FLOW) + flow)
        if flow != FLOW.net:
            return counts, 0
        negative = counts[:, 1::2][:, ::-1]  # 0, -1, 1, -2, 2, ... as the kernel has them
        return np.concatenate([negative, counts[:, ::2]], axis=1), -negative.shape[1]


@dataclass(frozen=True)
class Counts(CensusCounts):
    """All that R replications of one plan add up to, for W wards and T patient types."""

    waiting: Sums
    """[A, H]: patients waiting for the ward."""
    boarding: Sums
    """[A, H]: patients in the ward whose next bed is not free."""
    outliers: Sums
    """[A, H]: patients in the ward who asked for another one."""
    queued: np.ndarray
    """i8[A, H]: replications in which somebody waited."""
    week_census: Sums
    """[A, 168]: census by hour of the week from Monday 0:00, each replication's weeks of the profile added up."""
    week_full: Sums
    """[A, 168]: likewise, the weeks in which the ward was full."""
    reached: np.ndarray
    """u4[A, K, D]: replications that are full, then at each level, at some hour of each date."""
    reached_spans: np.ndarray
    """u4[A, K, S]: the same at some hour of each week of seven dates, and of the whole horizon."""
    level_days: Sums
    """[A, K, S]: days full, and days of which each level is the highest."""
    full_hours: Sums
    """[A, D + S]: hours full of each date, then of each span."""
    kpi: Moments
    """Of [A, T + 1, len(KPI_INDEX)]; `figures` is what it comes to."""
    boarded: Moments
    """Of [W, W]: hours that beds of the first ward were held by patients waiting for the second."""
    over_waits: Ratios
    """Of [A, T + 1, len(OVER_WAITS)]."""
    waits: Waits
    journeys: Ratios
    """Of [groups, JOURNEY]: by group of patients, as journey_groups has them."""
    journey_waits: np.ndarray
    """i8[2, groups, BINS]: patients by the time to a first bed, and by the time in the hospital."""
    flows: Flows

    def figures(self, kpi: str) -> tuple[np.ndarray, np.ndarray]:
        """f8[A, T + 1]: a KPI, NaN where there was nothing to measure, and its standard error."""
        if kpi in WAIT_PERCENTILES:
            share = WAIT_PERCENTILES[kpi]
            return self.waits.percentile(share), self.waits.standard_error(share)
        if kpi in OVER_WAITS:
            place = OVER_WAITS.index(kpi)
            return self.over_waits.ratio[..., place], self.over_waits.standard_error[..., place]
        place = KPI_INDEX[kpi]
        return self.kpi.measured_mean[..., place], self.kpi.standard_error[..., place]


class JourneyGroup(NamedTuple):
    """Patients whose journeys through the hospital are summed up together."""

    patient_type: str
    stream_id: str
    streams: list[int]


def journey_groups(plan: Plan) -> list[JourneyGroup]:
    """Those of each stream, of each patient type that has any, and all."""
    kinds = [stream.patient_type for stream in plan.streams]
    types = plan.patient_type_ids
    streams = [JourneyGroup(types[kinds[k]], stream, [k]) for k, stream in enumerate(plan.stream_ids)]
    together = [
        JourneyGroup(types[t], ALL, [k for k, kind in enumerate(kinds) if kind == t]) for t in sorted(set(kinds))
    ]
    return [*streams, *together, JourneyGroup(ALL, ALL, list(range(len(kinds))))]


def staffed_with_totals(plan: Plan) -> np.ndarray:
    """i8[A, H]: beds staffed at each hour by ward, group and in the whole hospital, UNLIMITED where any ward is."""
    return with_totals(plan.staffed, plan.is_member)


def with_totals(staffed: np.ndarray, is_member: np.ndarray) -> np.ndarray:
    """i8[A, H] from the beds of wards i8[W, H] and the members of groups bool[G + 1, W], likewise."""
    of_members = [staffed[members] for members in is_member]
    totals = [np.where((beds == UNLIMITED).any(axis=0), UNLIMITED, beds.sum(axis=0)) for beds in of_members]
    return np.concatenate([staffed, totals])
