"""The distribution of one group of stays: its family and parameters, how well it fits, how far its scale can be off.

FAMILIES (classes of config/distributions.py) are fitted by maximum likelihood to all stays, open ones as censored; the
best by AIC is taken, or the Kaplan-Meier quantiles where even the best fits badly. A group with few stays is shrunk
towards a wider one. docs/explanation/length_of_stay.md explains it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import exp, log, sqrt
from typing import Any

import numpy as np

from kaizar_pipeline.config.distributions import FAMILIES, N_QUANTILES, Family
from kaizar_pipeline.patients import nights
from kaizar_pipeline.patients.survival import MINUTE, KaplanMeier, Stays, kaplan_meier
from kaizar_pipeline.stats.durations import GRID, fitted_table

PSEUDO_STAYS = 10.0
"""Weight, in stays, of the wider group in the fit of a narrower one."""

BORROWED = (np.arange(50) + 0.5) / 50
"""Probabilities of the quantiles that represent the wider group."""

PROBABILITIES = np.linspace(0, 1, N_QUANTILES)
"""Probabilities of `quantile_hours`."""

EMPIRICAL_STAYS = 50
"""Completed stays from which on quantiles may replace a family that fits badly."""

ALWAYS_GOOD = 0.02
"""A fit closer than this, in probability and in its mean, is good, however many stays show the difference."""

BLOCK_STAYS = 20
"""Completed stays that a 28-day block needs for an estimate of its scale."""

BLOCK_OPEN_SHARE = 0.2
"""Blocks with more open stays depend on the fitted tail more than on their own stays."""

MIN_BLOCKS = 6
"""Blocks needed to estimate how they differ."""

DRAWN_STAYS = 1.0
"""Weight, in stays, of the drawn lengths of stays known by date, which decide where dates alone do not."""

_LOG_SCALES = (-20.0, 20.0)  # of hours: nothing is shorter or longer, and no logarithm or power fails
_GROUPING = 0.01  # lengths within 1 % count as one in the likelihood: a fit's time then hardly depends on their number
_STEP = 0.01  # of the log scale, for second derivatives
_NO_CURVATURE = 1e-6  # per stay: below it a block's stays do not tell their scale
_NEAR = 1e-4  # of log shape and log scale, for a gradient


@dataclass(frozen=True)
class FittedFamily:
    """A family of FAMILIES with its parameters."""

    name: str
    shape: float
    scale: float
    """Hours."""

    @property
    def family(self) -> type[Family]:
        """What is computed from the parameters."""
        return FAMILIES[self.name]

    @property
    def frozen(self) -> Any:
        """The distribution of scipy.stats, for what is needed once."""
        return self.family.scipy(self.shape, self.scale)

    def moved(self, log_shape: float, log_scale: float) -> "FittedFamily":
        """The same with its parameters times the exponentials of these."""
        return FittedFamily(self.name, self.shape * exp(log_shape), self.scale * exp(log_scale))

    @property
    def mean(self) -> float:
        """Hours."""
        return self.scale * self.family.unit_mean(self.shape)

    def log_density(self, hours: np.ndarray) -> np.ndarray:
        """Logarithm of the density at `hours` above 0."""
        log_hours = np.log(hours)
        return self.family.log_density(log_hours - log(self.scale), self.shape) - log_hours

    def survival(self, hours: np.ndarray) -> np.ndarray:
        """Share longer than `hours`, from 0 to inf."""
        return self.family.survival(hours, self.shape, self.scale)

    def excess(self, hours: np.ndarray) -> np.ndarray:
        """Mean of what goes beyond `hours`, from 0."""
        return self.family.excess(hours, self.shape, self.scale)

    def log_survival(self, hours: np.ndarray) -> np.ndarray:
        """Logarithm of `survival`."""
        return np.log(np.maximum(self.survival(hours), 1e-300))

    def log_between(self, bounds: np.ndarray) -> np.ndarray:
        """Log probability of a length between two, f8[n, 2]."""
        survival = self.survival(bounds)
        return np.log(np.maximum(survival[:, 0] - survival[:, 1], 1e-300))


@dataclass(frozen=True)
class Fit:
    """A distribution of lengths of stay, in hours."""

    distribution: str
    shape: float | None
    scale_hours: float | None
    quantile_hours: np.ndarray | None
    """f8[N_QUANTILES], for empirical only."""
    mean_hours: float
    p90_hours: float
    ks: float | None
    """Largest distance between the best family and Kaplan-Meier; None where there is too little to fit one."""
    fit_variance: float
    """Variance of the log mean that comes from the number of stays."""
    drift_variance: float
    """Variance of the log scale between 28-day blocks."""

    @property
    def scale_sd(self) -> float:
        """Standard deviation of the log scale."""
        return sqrt(self.fit_variance + self.drift_variance)

    def quantiles(self, probability: np.ndarray) -> np.ndarray:
        """Hours at each `probability`."""
        table = fitted_table(self.distribution, self.shape, self.scale_hours, self.quantile_hours)
        return np.interp(probability, GRID, table)


def fit_stays(own: Stays, wider: Fit | None = None) -> Fit:
    """The distribution of `own`, of which at least one must be complete, shrunk towards `wider`.

    `wider` counts as PSEUDO_STAYS further stays, and its drift is taken where there are too few blocks.
    """
    own = nights.same_day_as_drawn(own)
    drawn = own.hours[own.by_date & own.complete]
    own = nights.merged(own)
    stays = own if wider is None else own.joined(wider.quantiles(BORROWED), PSEUDO_STAYS)
    best, family_variance = _best_family(stays, drawn)
    by_length = nights.estimate(stays, best.survival)
    if len(by_length.hours) < 2:  # no spread to fit; the scale is as uncertain as that of an exponential
        return replace(_empirical(by_length, best), fit_variance=1 / own.n)
    fit, empirical = _of_family(best), _empirical(by_length, best)
    if own.weight[own.by_date & own.complete].sum() > own.n / 2:
        ks, off, error = nights.distance(own, best.excess)
    else:
        ks = _distance(kaplan_meier(own), best)
        off, error = fit.mean_hours / empirical.mean_hours - 1, sqrt(_mean_variance(empirical, own.n))
    if own.n >= EMPIRICAL_STAYS and not _is_good(ks, off, error, own.n):
        fit = empirical
    drift = drift_variance(own, best)
    return replace(
        fit,
        ks=ks,
        fit_variance=_mean_variance(fit, own.n)
        if fit.quantile_hours is not None
        else family_variance + _fit_variance(own if own.by_date.any() else stays, best),
        drift_variance=(wider.drift_variance if wider else 0.0) if drift is None else drift,
    )


def _of_family(best: FittedFamily) -> Fit:
    return Fit(best.name, best.shape, best.scale, None, best.mean, float(best.frozen.ppf(0.9)), None, 0.0, 0.0)


def _is_good(ks: float, off: float, error: float, n: int) -> bool:
    """Whether a fit is close to the stays (Kolmogorov's 1 % point) and its mean, `off` by that share, to theirs (two
    standard errors)."""
    return abs(off) <= max(ALWAYS_GOOD, 2 * error) and ks <= max(ALWAYS_GOOD, 1.63 / sqrt(n))


def _mean_variance(empirical: Fit, n: int) -> float:
    """Variance of the log mean of `n` stays."""
    assert empirical.quantile_hours is not None
    return float(empirical.quantile_hours.var() / (n * empirical.mean_hours**2))


def _fit_variance(stays: Stays, best: FittedFamily) -> float:
    """Variance of the log mean, from the scores of both parameters (delta method).

    Their logarithms count as known to a standard deviation of 1 beforehand, so that it is always finite.
    """

    def difference(by_shape: float, by_scale: float, of: Callable[[FittedFamily], Any]) -> Any:
        above, below = best.moved(by_shape, by_scale), best.moved(-by_shape, -by_scale)
        return (of(above) - of(below)) / (2 * _NEAR)

    def likelihood(fitted: FittedFamily) -> np.ndarray:
        return _log_likelihood(stays, fitted, np.zeros(len(stays.hours)))

    steps = ((_NEAR, 0.0), (0.0, _NEAR))
    scores = np.array([difference(*step, likelihood) for step in steps])
    slope = np.array([difference(*step, lambda fitted: log(fitted.mean)) for step in steps])
    direction = np.linalg.solve(np.eye(2) + scores * stays.weight @ scores.T, slope)
    variance = float(slope @ direction)
    return _variance_along(stays, best, direction / sqrt(variance)) if stays.by_date.any() else variance


def _variance_along(stays: Stays, best: FittedFamily, direction: np.ndarray) -> float:
    """Variance of the log mean by quadrature of the likelihood, over four standard deviations along `direction`.

    `direction` is that in which the delta method lets the mean vary most, a standard deviation of (log shape, log
    scale). Where dates leave a range of lengths equally likely, no score inside it shows where it ends; this does. Of
    the two sides of `best` the narrower one counts: as lengths vary by a symmetric factor, the wider one would make
    them such as the dates exclude.
    """
    steps = np.linspace(-4, 4, 81)
    low, high = best.family.shape_bounds
    moved = [best.moved(*(step * direction)) for step in steps]
    moved = [replace(fitted, shape=min(max(fitted.shape, low), high)) for fitted in moved]
    at_best = np.zeros(len(stays.hours))
    likelihood = np.array([stays.weight @ _log_likelihood(stays, fitted, at_best) for fitted in moved])
    likelihood -= steps**2 * (direction @ direction) / 2
    off = np.array([log(fitted.mean / best.mean) for fitted in moved])
    sides = []
    for side in (steps >= 0, steps <= 0):
        weight = np.exp(likelihood[side] - likelihood[side].max())
        sides.append(weight @ off[side] ** 2 / weight.sum())
    return float(min(sides) + np.diff(off).max() ** 2 / 12)


def _best_family(stays: Stays, drawn: np.ndarray) -> tuple[FittedFamily, float]:
    """The family of the least AIC (all have two parameters: that of the most likelihood), and a variance.

    `drawn` are lengths of stays known by date, with drawn hours of the day; together they count as DRAWN_STAYS.
    Where stays are known by date, families that are as likely may have other means: the variance of their log means,
    weighted by likelihood, around that of the best. It is 0 where all stays have times.
    """
    from scipy import optimize

    if len(drawn):
        stays = stays.joined(np.quantile(drawn, BORROWED), DRAWN_STAYS)
    loss, moments, total = _negative_log_likelihood(stays), _log_moments(stays), stays.weight.sum()
    found: list[tuple[float, FittedFamily]] = []
    for name, family in FAMILIES.items():
        bounds = np.array([np.log(family.shape_bounds), _LOG_SCALES])
        first = np.clip(family.start(*moments), *bounds.T)
        result = optimize.minimize(loss, first, args=(name,), jac=True, method="L-BFGS-B", bounds=bounds)
        shape, scale = (float(value) for value in np.exp(result.x))
        found.append((float(result.fun), FittedFamily(name, shape, scale)))
    least, best = min(found, key=lambda each: each[0])
    if not len(drawn):
        return best, 0.0
    likelihood = np.exp([(least - value) * total for value, _ in found])
    off = np.array([log(fitted.mean / best.mean) for _, fitted in found])
    return best, float(likelihood @ off**2 / likelihood.sum())


def _negative_log_likelihood(stays: Stays) -> Callable[[np.ndarray, str], tuple[float, np.ndarray]]:
    """The loss per stay by (log shape, log scale) and name of a family, with its gradient."""
    total, dated, late = stays.weight.sum(), stays.take(stays.by_date), stays.late
    stays = stays.take(~stays.by_date)
    exact = stays.low == stays.high
    steps, place = np.unique(np.round(np.log(stays.low[exact]) / _GROUPING), return_inverse=True)
    hours, weight = np.exp(steps * _GROUPING), np.bincount(place, stays.weight[exact], len(steps))
    between, place = np.unique(np.column_stack([stays.low, stays.high])[~exact], axis=0, return_inverse=True)
    between_weight = np.bincount(place.ravel(), stays.weight[~exact], len(between))
    steps, place = np.unique(np.round(np.log(late.entries) / _GROUPING), return_inverse=True)
    entry, entry_weight = np.exp(steps * _GROUPING), np.bincount(place, late.weight, len(steps))

    def value(log_shape: float, log_scale: float, name: str) -> float:
        fitted = FittedFamily(name, exp(log_shape), exp(log_scale))
        likelihood = weight @ fitted.log_density(hours) + between_weight @ fitted.log_between(between)
        if len(entry):
            likelihood -= entry_weight @ fitted.log_survival(entry)
        if len(dated.hours):
            likelihood += dated.weight @ nights.log_probability(dated, fitted.excess)
        return float(-likelihood / total)

    def loss(parameters: np.ndarray, name: str) -> tuple[float, np.ndarray]:
        shape, scale = (float(parameter) for parameter in parameters)
        by_shape = value(shape + _NEAR, scale, name) - value(shape - _NEAR, scale, name)
        by_scale = value(shape, scale + _NEAR, name) - value(shape, scale - _NEAR, name)
        return value(shape, scale, name), np.array([by_shape, by_scale]) / (2 * _NEAR)

    return loss


def _log_moments(stays: Stays) -> tuple[float, float]:
    """Mean and standard deviation of the logarithms of lengths."""
    stays = stays if stays.entry is None else stays.take(stays.complete)  # parts of stays are no lengths
    lengths = np.log(np.maximum(stays.hours, MINUTE))
    centre = float(np.average(lengths, weights=stays.weight))
    return centre, max(sqrt(np.average((lengths - centre) ** 2, weights=stays.weight)), 0.01)


def _distance(observed: KaplanMeier, fitted: FittedFamily) -> float:
    """Kolmogorov-Smirnov distance, over the lengths at which stays ended."""
    expected = fitted.survival(observed.hours)
    return float(max(np.abs(expected - observed.survival).max(), np.abs(expected - observed.before).max()))


def _empirical(observed: KaplanMeier, tail: FittedFamily) -> Fit:
    """The Kaplan-Meier quantiles; stays longer than the longest completed one have the tail of the best family.

    The last quantile is set so that the mean is kept.
    """
    last, open_share = observed.hours[-1], observed.survival[-1]
    place = np.searchsorted(1 - observed.survival, PROBABILITIES - 1e-12)
    quantile_hours = observed.hours[np.minimum(place, len(observed.hours) - 1)]
    mean = observed.mean()
    beyond = float(tail.survival(last))
    if open_share > 0 and beyond > 0:
        mean += open_share * float(np.trapezoid(tail.frozen.isf(beyond * (1 - GRID)) - last, GRID))
        in_tail = (1 - open_share < PROBABILITIES) & (PROBABILITIES < 1)
        quantile_hours[in_tail] = tail.frozen.isf(beyond * (1 - PROBABILITIES[in_tail]) / open_share)
    pieces = len(PROBABILITIES) - 1
    rest = pieces * mean - (quantile_hours[:-1].sum() - quantile_hours[0] / 2)
    quantile_hours[-1] = max(2 * rest, quantile_hours[-2])
    mean = float(np.trapezoid(quantile_hours, PROBABILITIES))
    p90 = float(np.interp(0.9, PROBABILITIES, quantile_hours))
    return Fit("empirical", None, None, quantile_hours, mean, p90, None, 0.0, 0.0)


def drift_variance(stays: Stays, fitted: FittedFamily) -> float | None:
    """Variance of the log scale between 28-day blocks beyond sampling variance; None with too few blocks that show it.

    Each block's scale is that of the most likelihood with the shape of `fitted`; the variance between them is the
    method of moments of DerSimonian and Laird (1986).
    """
    complete = np.bincount(stays.block[stays.complete], stays.weight[stays.complete], stays.block.max() + 1)
    count = np.bincount(stays.block, stays.weight * (stays.entries == 0), len(complete))
    usable = (complete >= BLOCK_STAYS) & (count - complete <= BLOCK_OPEN_SHARE * count)
    if usable.sum() < MIN_BLOCKS:
        return None
    stays = stays.take(usable[stays.block])
    log_scale = np.zeros(len(count))
    for _ in range(4):  # Newton: the log likelihood is nearly a parabola
        slope, curvature = _block_derivatives(stays, fitted, log_scale)[:2]
        tells = curvature > _NO_CURVATURE * count
        log_scale[tells] += np.clip(slope[tells] / curvature[tells], -1, 1)
    _, curvature, score_variance = _block_derivatives(stays, fitted, log_scale)
    usable &= curvature > _NO_CURVATURE * count
    if usable.sum() < MIN_BLOCKS or score_variance == 0:
        return None
    precision = (curvature**2 / (score_variance * np.maximum(count, 1)))[usable]
    deviation = log_scale[usable] - np.average(log_scale[usable], weights=precision)
    excess = precision @ deviation**2 - (usable.sum() - 1)
    return max(0.0, float(excess / (precision.sum() - (precision**2).sum() / precision.sum())))


def _block_derivatives(
    stays: Stays, fitted: FittedFamily, log_scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """By block, the first derivative of the log likelihood by the log scale and minus the second; a stay's mean score
    squared."""
    score, information = _scale_derivatives(stays, fitted, log_scale[stays.block])
    slope, curvature = (np.bincount(stays.block, stays.weight * of, len(log_scale)) for of in (score, information))
    return slope, curvature, float(stays.weight @ score**2 / stays.weight.sum())


def _scale_derivatives(stays: Stays, fitted: FittedFamily, log_scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First derivative of each stay's log likelihood by the log scale, and minus the second, at `log_scale` [n]."""
    below, here, above = (_log_likelihood(stays, fitted, log_scale + step) for step in (-_STEP, 0.0, _STEP))
    return (above - below) / (2 * _STEP), (2 * here - above - below) / _STEP**2


def _log_likelihood(stays: Stays, fitted: FittedFamily, log_scale: np.ndarray) -> np.ndarray:
    """Log likelihood of each stay, [n], when the scale is that of `fitted` times exp(log_scale)."""
    bounds = np.column_stack([stays.low, stays.high]) * np.exp(-log_scale)[:, None]
    by_date = stays.by_date
    exact = (stays.low == stays.high) & ~by_date
    between = ~exact & ~by_date
    result = np.empty(len(bounds))
    result[exact] = fitted.log_density(bounds[exact, 0]) - log_scale[exact]
    result[between] = fitted.log_between(bounds[between])
    for scale in np.unique(log_scale[by_date]):
        of_scale = by_date & (log_scale == scale)
        result[of_scale] = nights.log_probability(stays.take(of_scale), fitted.moved(0.0, scale).excess)
    if stays.entry is not None:
        late = stays.entry > 0
        result[late] -= fitted.log_survival((stays.entry * np.exp(-log_scale))[late])
    return result
