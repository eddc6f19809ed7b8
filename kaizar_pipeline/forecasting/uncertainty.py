"""The error of the rates: its variance, and its correlation between days and between streams.

Beds are filled by the sum of arrivals over a length of stay, so what matters most is the error that persists. It is
measured on forecasts of the inner model for days after its history, never on residuals of a fit. A few months contain
little information about an error that lasts for weeks; so each stream's estimate is shrunk to that of the hospital's
other streams, and theirs to an assumption, by how uncertain they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from kaizar_pipeline.forecasting.calendar_effects import MIN_DAYS
from kaizar_pipeline.forecasting.features import PATH_STEP

FADINGS = (0.6, 0.85, 0.95)
"""Candidates for rho."""
GROWTH = 0.98
"""The level's error grows with 1 - .98^h: nearly straight over 28 days, and bounded over half a year."""
GROWTH_DAYS = 28
MIN_PATHS = 8
"""Inner paths below which a and 1/k are estimated only."""

PRIOR_DRIFT = 0.002
"""Variance of the relative error after 28 days beyond what the level's sampling explains: the level moves by 4.5 %."""
PRIOR_INV_K = 0.02
PRIOR_EXCESS = 0.2
PRIOR_INV_K_DAYS = 28
"""1/k, and the days of history that this assumption is worth: single days vary by 14 % beyond Poisson, but their
variance exceeds their mean by a fifth at most, once a calendar explains the weekdays."""
PRIOR_PATHS = 8.0
"""Independent paths that a prior is worth. A history has 2 to 8 of them, and a variance from so few jumps from origin
to origin: with 2 instead of 8 it changed by 43 % in 28 days instead of 25 %, and forecasts were no better for it."""
PRIOR_CORRELATION = 0.2
CORRELATION_PATHS = 24.0
"""Correlation between streams, and the independent paths that this assumption is worth. Errors of real streams over 28
days correlate 0 to .4; n paths give a correlation of levels with an error of about 1 over the root of n/3."""
MAX_CORRELATION = 0.9
LEVEL_DAYS = 50
"""Days that the level rests on: one over the sum of squared weights of half-lives 10 and 30 together."""

MAX_VARIANCE = 1.0
MAX_INV_K = 4.0
"""Bounds, so that one absurd day in the records cannot make the rates meaningless."""


@dataclass(frozen=True)
class ErrorCovariance:
    """Covariance a + b g(min(h1, h2)) + c rho^|h1 - h2| of the relative rate error, and 1/k of a day's gamma factor.

    The growth g(h) = (1 - .98^h) / (1 - .98^28) is 1 after 28 days.
    """

    a: float
    b: float
    c: float
    rho: float
    inv_k: float
    n_paths: int
    prior_used: bool

    def matrix(self, horizon: int, behind: int = 0) -> np.ndarray:
        """The covariance of the days 1 to `horizon` ahead, the last day known lying `behind` days before them."""
        h = np.arange(1, horizon + 1) + behind
        fading = self.rho ** np.abs(h[:, None] - h)
        return self.a + self.b * _growth(np.minimum(h[:, None], h)) + self.c * fading

    def columns(self) -> dict[str, float | int | bool]:
        """The columns of arrival_model."""
        return {
            "cov_a": self.a,
            "cov_b": self.b,
            "cov_c": self.c,
            "rho": self.rho,
            "inv_k": self.inv_k,
            "n_paths_fit": self.n_paths,
            "prior_used": self.prior_used,
        }


@dataclass(frozen=True)
class Evidence:
    """What a stream's history shows about its errors.

    counts, rates: observed and forecast arrivals of the inner paths, both [path, day ahead]; NaN: not observed.
    level_variance: relative variance of the level as an estimate of a constant true rate.
    inv_k: overdispersion of single days around the calendar fit, relative to the mean.
    """

    counts: np.ndarray
    rates: np.ndarray
    level_variance: float
    inv_k: float

    @property
    def independent_paths(self) -> float:
        """The number of paths without overlap that would contain as much information."""
        n_paths, horizon = self.counts.shape
        return 0.0 if n_paths == 0 else 1 + (n_paths - 1) * min(1.0, PATH_STEP / horizon)

    @property
    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums over paths of the products of errors and of rates, [day ahead, day ahead]."""
        weights = np.where(np.isnan(self.counts), 0.0, self.rates)
        errors = np.nan_to_num(self.counts - self.rates)
        return errors.T @ errors, weights.T @ weights


def level_evidence(counts: np.ndarray, rates: np.ndarray, overdispersion: float, n_days: int, rate: float) -> Evidence:
    """Evidence from inner paths, and from the `overdispersion` around the calendar of `n_days` with mean `rate`."""
    in_sample = (overdispersion - 1) / rate
    assumed = min(PRIOR_INV_K, PRIOR_EXCESS / rate) if n_days > MIN_DAYS else PRIOR_INV_K
    inv_k = (n_days * in_sample + PRIOR_INV_K_DAYS * assumed) / (n_days + PRIOR_INV_K_DAYS)
    return Evidence(counts, rates, overdispersion / (rate * min(n_days, LEVEL_DAYS)), inv_k)


def pooled_drift(streams: Sequence[Evidence]) -> float:
    """The variance by which levels move in 28 days, over all streams and the assumed `PRIOR_DRIFT`.

    A stream is weighted by its information: none without inner paths, little with few arrivals.
    """
    total, weight = PRIOR_DRIFT, 1.0
    for stream in streams:
        products, scale = stream.moments
        pairs = np.triu(scale > 0, 1)
        if not pairs.any():
            continue
        growth = _growth(1.0 + np.nonzero(pairs)[0])
        measured = products[pairs].sum() / scale[pairs].sum() - stream.level_variance
        noise = stream.level_variance * LEVEL_DAYS / len(scale)
        weight_of_stream = stream.independent_paths / PRIOR_PATHS * (PRIOR_DRIFT / (PRIOR_DRIFT + noise)) ** 2
        total += weight_of_stream * min(max(0.0, measured / growth.mean()), MAX_VARIANCE)
        weight += weight_of_stream
    return total / weight


def fit_error_covariance(stream: Evidence, drift: float) -> ErrorCovariance:
    """The covariance of a stream's errors: estimated on its inner paths, shrunk to its level's sampling and `drift`.

    From fewer than `MIN_PATHS` paths the constant part is estimated only.
    """
    n_paths, horizon = stream.counts.shape
    products, scale = stream.moments
    pairs = np.triu(scale > 0, 1)
    own = stream.independent_paths / (stream.independent_paths + PRIOR_PATHS) if pairs.any() else 0.0
    prior = np.array([stream.level_variance, drift, 0.0])
    rho = FADINGS[0]
    measured = np.zeros(3)
    if own and n_paths >= MIN_PATHS:
        measured, rho = _fit_components(products, scale, pairs)
    elif own:
        measured[0] = max(0.0, products[pairs].sum() / scale[pairs].sum())
    a, b, c = own * measured + (1 - own) * prior
    bound = min(1.0, MAX_VARIANCE / max(a + b * _growth(horizon) + c, MAX_VARIANCE))
    level = ErrorCovariance(a * bound, b * bound, c * bound, rho, 0.0, n_paths, n_paths < MIN_PATHS)
    daily = _independent_overdispersion(products, scale, stream, level.matrix(horizon)) if own else 0.0
    inv_k = min(own * daily + (1 - own) * stream.inv_k, MAX_INV_K)
    return ErrorCovariance(level.a, level.b, level.c, rho, inv_k, n_paths, level.prior_used)


def stream_correlation(streams: Sequence[Evidence], covariances: Sequence[ErrorCovariance]) -> float:
    """One correlation between the rate errors of any two streams, from sums over their common inner paths.

    Noise of single days is independent between streams and excluded. Shrunk to `PRIOR_CORRELATION`.
    """
    together, apart, paths = 0.0, 0.0, 0.0
    for (one, its), (other, others) in combinations(zip(streams, covariances, strict=True), 2):
        n_paths, horizon = min(one.counts.shape, other.counts.shape)
        if n_paths == 0:
            continue
        # paths of all streams end on the same day, so the last ones have the same origins
        errors = _relative_sums(one)[-n_paths:] * _relative_sums(other)[-n_paths:]
        n = min(one.independent_paths, other.independent_paths)
        together += n * float(errors.mean())
        apart += n * float(np.sqrt(its.matrix(horizon).mean() * others.matrix(horizon).mean()))
        paths += n
    measured = together / apart if apart > 0 else 0.0
    shrunk = (paths * measured + CORRELATION_PATHS * PRIOR_CORRELATION) / (paths + CORRELATION_PATHS)
    return float(np.clip(shrunk, 0.0, MAX_CORRELATION))


def _relative_sums(stream: Evidence) -> np.ndarray:
    """Error of each path's sum over the days observed, relative to the sum of rates."""
    rates = np.where(np.isnan(stream.counts), 0.0, stream.rates).sum(axis=1)
    return np.nan_to_num(stream.counts - stream.rates).sum(axis=1) / np.maximum(rates, 1e-300)


def _growth(h: np.ndarray | float) -> np.ndarray:
    return (1 - GROWTH ** np.asarray(h)) / (1 - GROWTH**GROWTH_DAYS)


def _fit_components(products: np.ndarray, scale: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, float]:
    """(a, b, c) and rho that fit the covariance of different days best: Poisson noise is no part of it."""
    from scipy.optimize import nnls

    first, second = (index + 1.0 for index in np.nonzero(pairs))
    measured = products[pairs] / scale[pairs]
    fits = []
    for rho in FADINGS:
        design = np.column_stack([np.ones(len(first)), _growth(first), rho ** (second - first)])
        parts, misfit = nnls(design, measured)
        fits.append((misfit, rho, parts))
    _, rho, parts = min(fits, key=lambda fit: fit[:2])
    return parts, rho


def _independent_overdispersion(products: np.ndarray, scale: np.ndarray, stream: Evidence, level: np.ndarray) -> float:
    """1/k from the squared errors of single days, less their Poisson noise and the variance of the level.

    With rate mu L G, E[(y - mu)^2] = mu + mu^2 (C + 1/k + C/k) for the level error's variance C.
    """
    squares, weight = np.diag(products), np.diag(scale)
    poisson = stream.rates[~np.isnan(stream.counts)].sum()
    variance = float((weight * np.diag(level)).sum() / weight.sum())
    excess = float((squares.sum() - poisson) / weight.sum())
    return max(0.0, (excess - variance) / (1 + variance))
