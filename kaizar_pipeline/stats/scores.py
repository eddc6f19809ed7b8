"""How good a forecast was, once the day has come: scores of predictive distributions given as draws.

Source: Gneiting and Raftery 2007, "Strictly proper scoring rules", for CRPS and pinball loss; Czado, Gneiting and Held
2009, "Predictive model assessment for count data", for the randomised PIT; Hyndman and Koehler 2006 for MASE.
"""

import numpy as np


def crps(draws: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of the empirical distribution of `draws` [draw, ...] at `actual` [...].

    E|X - y| - E|X - X'|/2, in the unit of the counts; 0 for a forecast that is certain and right, |x - y| for one that
    is certain.
    """
    n = len(draws)
    rank = np.arange(1 - n, n, 2).reshape(-1, *[1] * (draws.ndim - 1))
    spread = (rank * np.sort(draws, axis=0)).sum(axis=0) / n**2
    return np.abs(draws - actual).mean(axis=0) - spread


def pinball(quantile: np.ndarray, actual: np.ndarray, probability: float) -> np.ndarray:
    """Loss of a forecast `quantile` of `probability`: least on average for the true quantile."""
    short = actual - quantile
    return np.maximum(probability * short, (probability - 1) * short)


def seasonal_scale(counts: np.ndarray, season: int = 7) -> float:
    """Mean absolute change of `counts` from one season to the next, by which MASE divides; NaN where that is none.

    NaN in `counts` are days not observed.
    """
    changes = np.abs(counts[season:] - counts[:-season])
    changes = changes[~np.isnan(changes)]
    return float(changes.mean()) if changes.any() else np.nan


def randomised_pit(draws: np.ndarray, actual: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Probability integral transform of counts: P(X < y) + u P(X = y), uniform when the forecast is calibrated.

    `draws` [draw, ...], `actual` and `uniform` (independent numbers in [0, 1)) [...].
    """
    below, at = (draws < actual).mean(axis=0), (draws == actual).mean(axis=0)
    return below + uniform * at


def covered(pit: np.ndarray, level: float) -> np.ndarray:
    """bool: whether the central interval of probability `level` held what came, by its (randomised) PIT.

    A closed interval of whole numbers would hold more: at a Poisson mean of 2 the one of 80 % holds 95 %.
    """
    return np.abs(pit - 0.5) <= level / 2


def effective_number(hits: np.ndarray, cluster: np.ndarray) -> float:
    """How many independent trials tell as much as `hits` (bool), which go together within a `cluster` (int, its id).

    The binomial variance of a mean over the variance that sums over clusters show; between the number of clusters and
    that of hits. Days forecast from one origin share its error, so 28 of them are not 28 trials.
    """
    share, n = hits.mean(), len(hits)
    clusters, position = np.unique(cluster, return_inverse=True)
    if len(clusters) == n or share in (0, 1):
        return float(n)
    sums = np.bincount(position, hits - share)
    variance = (sums**2).sum() * len(clusters) / max(len(clusters) - 1, 1)
    return float(np.clip(n**2 * share * (1 - share) / max(variance, 1e-300), len(clusters), n))


def binomial_band(probability: float, n: float, confidence: float = 0.99) -> tuple[float, float]:
    """The interval that holds a share of hits out of `n` trials (rounded down, at least one) with `confidence`."""
    from scipy.stats import binom

    trials = max(int(n), 1)
    low, high = binom.interval(confidence, trials, probability)
    return float(low) / trials, float(high) / trials
