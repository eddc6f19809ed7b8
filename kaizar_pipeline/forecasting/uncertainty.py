"""How wrong the rates are, and how the error of one day goes with that of another.

Beds are filled by the sum of arrivals over a length of stay, so what matters most is the error that persists. It is
measured on forecasts that the inner model made for days it had not seen, never on residuals of a fit.
"""

from dataclasses import dataclass, replace

import numpy as np

MIN_PATHS = 8
"""Inner paths from which the whole covariance is fitted."""
FADINGS = (0.6, 0.85, 0.95)
"""Candidates for rho."""
PRIOR_LEVEL_VARIANCE = 0.01
PRIOR_INV_K = 0.02
"""Used while there are too few paths: a level known to within 10 %, and days that vary by 14 % beyond Poisson. Assumed,
not fitted: modest values for the streams of one hospital."""
LEVEL_DAYS = 30
"""Days of arrivals that the level rests on, roughly (half-lives of 10 and 30 days)."""

MAX_VARIANCE = 1.0
MAX_INV_K = 4.0
"""Bounds, so that one absurd day in the records cannot make the rates meaningless."""

_DAYS_OF_B = 28


@dataclass(frozen=True)
class ErrorCovariance:
    """Covariance a + b min(h1, h2)/28 + c rho^|h1 - h2| of the relative rate error, and 1/k of a day's gamma factor."""

    a: float
    b: float
    c: float
    rho: float
    inv_k: float
    n_paths: int
    prior_used: bool

    def matrix(self, horizon: int) -> np.ndarray:
        """The covariance of the days 1 to `horizon` ahead."""
        h = np.arange(1, horizon + 1)
        fading = self.rho ** np.abs(h[:, None] - h)
        return self.a + self.b * np.minimum(h[:, None], h) / _DAYS_OF_B + self.c * fading

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


def fit_error_covariance(counts: np.ndarray, rates: np.ndarray, level_arrivals: float) -> ErrorCovariance:
    """The covariance behind forecasts `rates` of `counts`, both [path, day ahead]; counts are NaN where not observed.

    `level_arrivals` is how many arrivals the level rests on, which bounds how well it can be known. With fewer than
    `MIN_PATHS` paths only a and 1/k are estimated, and shrunk to the prior as if that were `MIN_PATHS` paths more.
    """
    n_paths, horizon = counts.shape
    weights = np.where(np.isnan(counts), 0.0, rates)
    errors = np.nan_to_num(counts - rates)
    products, scale = errors.T @ errors, weights.T @ weights
    pairs = np.triu(scale > 0, 1)
    if n_paths >= MIN_PATHS and pairs.any():
        a, b, c, rho = _fit_components(products, scale, pairs)
        shrinkage = 1.0
    else:
        shrinkage = n_paths / (n_paths + MIN_PATHS)
        prior = PRIOR_LEVEL_VARIANCE + 1 / (level_arrivals + 0.5)
        measured = max(0.0, products[pairs].sum() / scale[pairs].sum()) if pairs.any() else prior
        a, b, c, rho = shrinkage * measured + (1 - shrinkage) * prior, 0.0, 0.0, FADINGS[0]
    bound = min(1.0, MAX_VARIANCE / max(a + b * horizon / _DAYS_OF_B + c, MAX_VARIANCE))
    level = ErrorCovariance(a * bound, b * bound, c * bound, rho, 0.0, n_paths, shrinkage < 1)
    measured = _independent_overdispersion(products, scale, weights.sum(), level.matrix(horizon)) if n_paths else 0.0
    return replace(level, inv_k=min(shrinkage * measured + (1 - shrinkage) * PRIOR_INV_K, MAX_INV_K))


def _fit_components(products: np.ndarray, scale: np.ndarray, pairs: np.ndarray) -> tuple[float, float, float, float]:
    """a, b, c and rho that fit the covariance of different days best: Poisson noise is no part of it."""
    from scipy.optimize import nnls

    first, second = (index + 1.0 for index in np.nonzero(pairs))
    measured = products[pairs] / scale[pairs]
    fits = []
    for rho in FADINGS:
        design = np.column_stack([np.ones(len(first)), np.minimum(first, second) / _DAYS_OF_B, rho ** (second - first)])
        parts, misfit = nnls(design, measured)
        fits.append((misfit, rho, parts))
    _, rho, parts = min(fits, key=lambda fit: fit[:2])
    return float(parts[0]), float(parts[1]), float(parts[2]), rho


def _independent_overdispersion(products: np.ndarray, scale: np.ndarray, total: float, level: np.ndarray) -> float:
    """1/k from the squared errors of single days, less their Poisson noise `total` and the variance of the level.

    With rate mu L G, E[(y - mu)^2] = mu + mu^2 (C + 1/k + C/k) for the level error's variance C.
    """
    squares, weight = np.diag(products), np.diag(scale)
    if weight.sum() == 0:
        return 0.0
    variance = float((weight * np.diag(level)).sum() / weight.sum())
    excess = float((squares.sum() - total) / weight.sum())
    return max(0.0, (excess - variance) / (1 + variance))
