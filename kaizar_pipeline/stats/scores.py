"""Scores of predictive distributions of counts against what was observed.

A distribution is given as draws [draw, ...], or as probabilities of 0, 1, 2, ... [forecast, count].
Source: Gneiting and Raftery 2007, "Strictly proper scoring rules", for CRPS and pinball loss; Czado, Gneiting and Held
2009, "Predictive model assessment for count data", for the randomised PIT; Hyndman and Koehler 2006 for MASE.
"""

from functools import cache

import numpy as np


def crps_of_draws(draws: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of the empirical distribution of `draws` [draw, ...] at `actual` [...].

    E|X - y| - E|X - X'|/2, in the unit of the counts; |x - y| for a forecast that is certain.
    """
    n = len(draws)
    rank = np.arange(1 - n, n, 2).reshape(-1, *[1] * (draws.ndim - 1))
    spread = (rank * np.sort(draws, axis=0)).sum(axis=0) / n**2
    return np.abs(draws - actual).mean(axis=0) - spread


def crps_of_probabilities(probability: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """The same score f8[forecast] of distributions f8[forecast, count] at `actual` i8[forecast]: the sum of the squared
    differences between the two distribution functions."""
    wide = _widened(probability, actual)
    cumulative = np.minimum(np.cumsum(wide, axis=1), 1.0)
    return ((cumulative - (np.arange(wide.shape[1]) >= actual[:, None])) ** 2).sum(axis=1)


def pit_of_draws(draws: np.ndarray, actual: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Randomised probability integral transform: P(X < y) + u P(X = y), uniform when the forecast is calibrated.

    `draws` [draw, ...], `actual` and `uniform` (independent numbers in [0, 1)) [...].
    """
    below, at = (draws < actual).mean(axis=0), (draws == actual).mean(axis=0)
    return below + uniform * at


def pit_of_probabilities(probability: np.ndarray, actual: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """The same transform f8[forecast] of distributions f8[forecast, count] at `actual` i8[forecast]."""
    wide = _widened(probability, actual)
    below = np.where(np.arange(wide.shape[1]) < actual[:, None], wide, 0.0).sum(axis=1)
    return np.minimum(below + uniform * wide[np.arange(len(actual)), actual], 1.0)


def pinball(quantile: np.ndarray, actual: np.ndarray, probability: float) -> np.ndarray:
    """Loss of a forecast `quantile` of `probability`: least on average for the true quantile."""
    short = actual - quantile
    return np.maximum(probability * short, (probability - 1) * short)


def seasonal_scale(counts: np.ndarray, season: int = 7) -> float:
    """Mean absolute change of `counts` from one season to the next, by which MASE divides; NaN where nothing changes.

    NaN in `counts` marks days that were not observed.
    """
    changes = np.abs(counts[season:] - counts[:-season])
    changes = changes[~np.isnan(changes)]
    return float(changes.mean()) if changes.any() else np.nan


def covered(pit: np.ndarray, level: float) -> np.ndarray:
    """bool: whether the central interval of probability `level` contains the observed value, by its randomised PIT.

    A closed interval of whole numbers contains more: at a Poisson mean of 2 the one of 80 % contains 95 %.
    """
    return np.abs(pit - 0.5) <= level / 2


def effective_number(hits: np.ndarray, cluster: np.ndarray) -> float:
    """The number of independent trials with the same information as `hits` (bool), correlated within a `cluster` (id).

    The binomial variance of a mean over the variance estimated from sums over clusters, times the number of hits; at
    least the number of clusters. Days forecast from one origin share its error, so 28 of them are not 28 trials.
    """
    share, n = hits.mean(), len(hits)
    clusters, position = np.unique(cluster, return_inverse=True)
    if len(clusters) == n or share in (0, 1):
        return float(n)
    sums = np.bincount(position, hits - share)
    variance = (sums**2).sum() * len(clusters) / max(len(clusters) - 1, 1)
    return float(np.clip(n**2 * share * (1 - share) / max(variance, 1e-300), len(clusters), n))


def clustered_error(values: np.ndarray, cluster: np.ndarray, independent: int) -> float:
    """The standard error of the mean of `values`, correlated within a `cluster` (id), where so many of the clusters are
    `independent`; NaN for fewer than two."""
    if independent < 2:
        return float("nan")
    clusters, position = np.unique(cluster, return_inverse=True)
    sums = np.bincount(position, values - values.mean())
    share = len(clusters) ** 2 / ((len(clusters) - 1) * independent)
    return float(np.sqrt((sums**2).sum() * share)) / len(values)


@cache
def binomial_band(probability: float, n: float, confidence: float = 0.99) -> tuple[float, float]:
    """The interval that contains the share of hits in `n` trials (rounded down, at least one) with `confidence`."""
    from scipy.stats import binom

    trials = max(int(n), 1)
    low, high = binom.interval(confidence, trials, probability)
    return float(low) / trials, float(high) / trials


def _widened(probability: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """`probability` with enough columns for the largest `actual`."""
    missing = int(actual.max(initial=0)) + 1 - probability.shape[1]
    return np.pad(probability, ((0, 0), (0, max(missing, 0))))
