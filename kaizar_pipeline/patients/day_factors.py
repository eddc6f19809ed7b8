"""Estimates how much the chance of leaving varies from day to day for all patients of a ward at once.

The departures of a day, O, vary around those expected given who was in the beds, E, more than chance explains: with a
factor of mean 1 and variance v on each day their variance is E + v E^2. v, its correlation from one day to the next and
between wards are estimated by moments from the last year, and kept where they make days that they were not learned
from more likely.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log1p, sqrt
from typing import NamedTuple

import numpy as np

from kaizar_pipeline.patients.clock_fit import Exposure, departures_by_day, fit_hazards

YEAR = 365
"""Days that are learned from, the last ones."""
MIN_DAYS = 60
"""Days needed."""
LEAST_GAIN = 0.01
"""Log-likelihood per held-out day that a factor must gain."""
FOLDS = 4
"""Parts of the days, each judged by what the others teach: a quarter alone would miss half of the factors of 0.2."""
MAX_SD = 1.0
"""Largest standard deviation of the logarithm."""
MAX_AUTOCORRELATION = 0.95


class LearnedFactor(NamedTuple):
    """A row of day_factors."""

    sd: float = 0.0
    autocorrelation: float = 0.0
    shared: float = 0.0
    origin: str = "none"
    dispersion: float | None = None
    n_days: int = 0
    gain: float | None = None


@dataclass(frozen=True)
class Days:
    """Departures of a ward by day, f8[n] each."""

    first: np.datetime64
    """datetime64[D]: the first day."""
    observed: np.ndarray
    expected: np.ndarray

    @property
    def excess(self) -> np.ndarray:
        """How many more left than expected."""
        return self.observed - self.expected

    def part(self, days: slice) -> "Days":
        """Some of the days."""
        return Days(self.first + (days.start or 0), self.observed[days], self.expected[days])


def days_of(exposures: Sequence[tuple[Exposure, np.ndarray]], holidays: np.ndarray) -> Days:
    """The departures of a ward's last year by all ways out, each with the weights of its clock, f8[7, 24]."""
    if not exposures:
        return Days(np.datetime64(0, "D"), np.zeros(0), np.zeros(0))
    found = []
    for exposure, week in exposures:
        (hazard,) = fit_hazards([exposure], week, holidays)
        found.append(departures_by_day(exposure, week, hazard, holidays))
    n = min(len(observed) for observed, _ in found)
    observed, expected = (np.sum([pair[of][:n] for pair in found], axis=0) for of in (0, 1))
    start = exposures[0][0].start
    full = np.flatnonzero(expected > 0)
    last = n - 1 if len(full) == 0 else int(full[-1]) + 1
    begin = max(last - YEAR, int(full[0]) if len(full) else 0)
    return Days(start + begin, observed[begin:last], expected[begin:last])


def day_factors_of(days: Mapping[str, Days]) -> dict[str, LearnedFactor]:
    """The factor of each ward; the part that wards have in common is one share for all of them."""
    found = {ward: _own_factor(of) for ward, of in days.items()}
    kept = {ward: days[ward] for ward, factor in found.items() if factor.sd > 0}
    shared = _shared(kept, {ward: found[ward].sd for ward in kept})
    return {ward: factor._replace(shared=shared if ward in kept else 0.0) for ward, factor in found.items()}


def _own_factor(days: Days) -> LearnedFactor:
    n = len(days.observed)
    if n < MIN_DAYS or days.expected.sum() == 0:
        return LearnedFactor(n_days=n)
    gains, variance = _held_out_gains(days), _variance(days)
    gain = float(gains.mean())
    dispersion = 1 + variance * float((days.expected**2).sum() / days.expected.sum())
    if not (gain > LEAST_GAIN and gain > 2 * gains.std() / sqrt(len(gains)) and variance > 0):
        return LearnedFactor(dispersion=dispersion, n_days=n, gain=gain)
    sd = min(sqrt(log1p(variance)), MAX_SD)
    correlation = min(log1p(_covariance(days) or 0.0) / log1p(variance), MAX_AUTOCORRELATION)
    return LearnedFactor(sd, correlation, 0.0, "from_data", dispersion, n, gain)


def _held_out_gains(days: Days) -> np.ndarray:
    """Gain of each day, with the variance that the days of other parts show."""
    part = np.arange(len(days.observed)) * FOLDS // len(days.observed)
    taught = [Days(days.first, days.observed[part != k], days.expected[part != k]) for k in range(FOLDS)]
    judged = [Days(days.first, days.observed[part == k], days.expected[part == k]) for k in range(FOLDS)]
    return np.concatenate([_gains(days, _variance(others)) for days, others in zip(judged, taught, strict=True)])


def _variance(days: Days) -> float:
    """v, shrunk to 0 by how uncertain it is."""
    square = (days.expected**2).sum()
    variance = float((days.excess**2 - days.expected).sum() / max(square, 1e-12))
    error = sqrt((days.expected + 2 * days.expected**2).sum()) / max(square, 1e-12)
    return _shrunk(variance, error)


def _covariance(days: Days) -> float:
    """Of the factors of two days in a row, shrunk to 0."""
    return _product(days.excess[:-1], days.excess[1:], days.expected[:-1], days.expected[1:])


def _product(one: np.ndarray, other: np.ndarray, expected: np.ndarray, of_other: np.ndarray) -> float:
    """Covariance of two factors from the excesses of their days, shrunk to 0."""
    square = float(expected @ of_other)
    if square <= 0:
        return 0.0
    return _shrunk(float(one @ other) / square, sqrt(((one * other) ** 2).sum()) / square)


def _shrunk(value: float, error: float) -> float:
    """`value` times the share of it that is not error (positive part); 0 for a value below 0."""
    return value * max(0.0, 1 - (error / value) ** 2) if value > 0 else 0.0


def _gains(days: Days, variance: float) -> np.ndarray:
    """Log-likelihood of each day with a factor of this variance (negative binomial), less that without (Poisson)."""
    from scipy.special import gammaln, xlogy

    observed, expected = days.observed, np.maximum(days.expected, 1e-9)
    if variance <= 0:
        return np.zeros(len(observed))
    size = 1 / variance
    with_factor = gammaln(observed + size) - gammaln(size) - (observed + size) * np.log1p(expected / size)
    with_factor += xlogy(observed, expected / size)
    return with_factor - (xlogy(observed, expected) - expected)


def _shared(days: Mapping[str, Days], sd: Mapping[str, float]) -> float:
    """The share of variance that all wards have in common: covariances between wards over products of their SDs."""
    common, full = 0.0, 0.0
    for one, other in combinations(days, 2):
        first = max(days[one].first, days[other].first)
        parts = [days[ward].part(slice(int((first - days[ward].first).astype("int64")), None)) for ward in (one, other)]
        n = min(len(part.observed) for part in parts)
        a, b = (part.part(slice(0, n)) for part in parts)
        weight = float(a.expected @ b.expected)
        covariance = _product(a.excess, b.excess, a.expected, b.expected)
        common += weight * log1p(covariance)
        full += weight * sd[one] * sd[other]
    return float(np.clip(common / full, 0, 1)) if full > 0 else 0.0
