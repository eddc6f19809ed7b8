"""What many replications add up to: exact distributions of the census, and the moments of everything else.

The kernel counts (kernel/count.py); here its tallies get names, and KPIs their mean and standard error. Whole numbers
add up in any order, and KPIs are joined in the order of the replications, so the number of workers changes nothing.
Index W of a ward axis is the whole house, index T of a type axis all patients together.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from kaizar_pipeline.simulation.plan import UNLIMITED, Plan


@dataclass(frozen=True)
class Histograms:
    """For each ward and the house, how many replications had so many patients at each of several times."""

    start: np.ndarray
    """i8[W + 2]: ward w has room for start[w + 1] - start[w] different numbers."""
    counts: np.ndarray
    """u4[start[-1] * times]: ward by ward, number by number."""

    def of(self, ward: int) -> np.ndarray:
        """u4[times, beds] of a ward, W for the house."""
        times = len(self.counts) // int(self.start[-1])
        first, last = int(self.start[ward]), int(self.start[ward + 1])
        return self.counts[first * times : last * times].reshape(last - first, times).T


@dataclass(frozen=True)
class Moments:
    """Number, mean and sum of squared deviations of values that come block by block; NaN counts as not measured."""

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


def standard_error(total: np.ndarray, total_of_squares: np.ndarray, replications: int) -> np.ndarray:
    """Standard error of the mean over replications, from sums of whole numbers and of their squares."""
    spread = total_of_squares.astype(np.float64) - total.astype(np.float64) ** 2 / replications
    return np.sqrt(np.maximum(spread, 0.0) / (replications * max(replications - 1, 1)))


def mean_and_sd(histogram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation at each time, from counts [times, beds]."""
    n, beds = int(histogram[0].sum()), np.arange(histogram.shape[1])
    mean = histogram @ beds / n
    return mean, np.sqrt(np.maximum(histogram @ beds**2 / n - mean**2, 0) * n / (n - 1))


def replications_with(histogram: np.ndarray, beds: np.ndarray) -> np.ndarray:
    """Replications with so many patients or more at each time, from counts [times, beds]."""
    return (histogram * (np.arange(histogram.shape[1]) >= beds[:, None])).sum(axis=1)


def replications_above(histogram: np.ndarray, beds: np.ndarray, share: float) -> np.ndarray:
    """Replications with more patients than that share of the beds at each time, from counts [times, beds]."""
    return (histogram * (np.arange(histogram.shape[1]) > share * beds[:, None] + 1e-9)).sum(axis=1)


@dataclass(frozen=True)
class Counts:
    """What R replications of one plan add up to, for W wards, T types, H hours and D days that count."""

    replications: int
    census: Histograms
    """By hour: the exact distribution of the beds used."""
    peaks: Histograms
    """By day: the highest of its 24 hourly censuses."""
    others: np.ndarray
    """i8[3, W + 1, H]: WAITING, BOARDING and OUTLIERS, summed over replications."""
    other_squares: np.ndarray
    """i8[3, W + 1, H]: their squares, summed."""
    queued: np.ndarray
    """i8[W + 1, H]: replications in which somebody waited."""
    week: np.ndarray
    """i8[2, W + 1, 168]: CENSUS and FULL by hour of the week from Monday 0:00, summed over replications."""
    week_squares: np.ndarray
    """i8[2, W + 1, 168]: their squares, summed."""
    kpi: Moments | None
    """Moments of [W + 1, T + 1, len(KPIS)]; none for a demand run."""
    kpis: np.ndarray | None = None
    """f8[R, W + 1, T + 1, len(KPIS)] by replication, if they were to be kept."""
    boarded: Moments | None = None
    """Moments of [W, W]: hours that beds of the first ward were held by patients waiting for the second; none for a
    demand run."""
    replication_peaks: np.ndarray | None = None
    """i4[R, W + 1, D] by replication: highest hourly census of each day, if it was to be kept."""


def staffed_with_total(plan: Plan) -> np.ndarray:
    """i8[W + 1, H]: beds staffed at each hour by ward and in the whole house, UNLIMITED where any ward is."""
    total = np.where((plan.staffed == UNLIMITED).any(axis=0), UNLIMITED, plan.staffed.sum(axis=0))
    return np.concatenate([plan.staffed, total[None]])
