"""The distributions that a length of stay, a delay or patience may have, one class each.

A class holds what a file says of its distribution and everything that is computed from it: quantiles, the columns of
`length_of_stay`, and for a `Family` what fitting it to stays takes. To add one, write its class and name it in
`AnyDistribution`. scipy is imported where it is used, since reading a file does not need it.
"""
# ruff: noqa: D102  methods are documented on the base class that declares them

from abc import abstractmethod
from functools import lru_cache
from math import exp, gamma, log, pi, sqrt
from typing import Annotated, Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import Field

from kaizar_pipeline.config.fields import HOURS_PER_DAY, Id, Model, NonNegative, Positive

N_QUANTILES = 501
"""Quantiles of a row of `length_of_stay`, at evenly spaced probabilities from 0 to 1."""

_LARGE = 600.0  # exp of it is as good as infinite, and no overflow
_SMALL = 1e-300  # instead of 0 below a logarithm


class MeanSd(Model):
    """A duration by its mean and standard deviation."""

    mean: Positive
    """Mean, in the model's `unit`."""
    sd: Positive
    """Standard deviation, in the model's `unit`."""


class ShapeScale(Model):
    """A Weibull distribution by shape and scale."""

    shape: Positive
    """Shape k, without unit."""
    scale: Positive
    """Scale, in the model's `unit`."""


class Mean(Model):
    """A duration by its mean."""

    mean: Positive
    """Mean, in the model's `unit`."""


class Value(Model):
    """A duration that is always the same."""

    value: NonNegative
    """The duration, in the model's `unit`."""


class Values(Model):
    """Observed durations; quantiles between them are interpolated."""

    values: Annotated[tuple[NonNegative, ...], Field(min_length=1, max_length=100_000)]
    """The durations, in the model's `unit`, in any order."""


class Distribution(Model):
    """Base of all distributions; what it computes is in hours."""

    unit: Literal["hours", "days"] = "hours"
    """Unit of all parameters: hours (default) or days."""

    @property
    def hours_per_unit(self) -> int:
        """24 for parameters in days, 1 for hours."""
        return HOURS_PER_DAY if self.unit == "days" else 1

    @abstractmethod
    def quantiles(self, probability: np.ndarray | float) -> np.ndarray:
        """Hours at each probability, with the shape of `probability`."""

    @property
    def shape(self) -> float | None:
        """The shape parameter, if there is one."""
        return None

    @property
    def scale_hours(self) -> float | None:
        """The scale parameter, if there is one."""
        return None

    @property
    def quantile_hours(self) -> np.ndarray | None:
        """f8[N_QUANTILES] of a distribution that has no parameters but its quantiles."""
        return None

    @property
    @abstractmethod
    def mean_hours(self) -> float:
        """Mean."""

    @property
    def p90_hours(self) -> float:
        """90th percentile."""
        return float(self.quantiles(0.9))


class _Parametric(Distribution):
    """A distribution of scipy.stats."""

    @property
    @abstractmethod
    def frozen(self) -> Any:
        """The frozen scipy.stats distribution of hours, its shape (if any) by position and its scale by name."""

    def quantiles(self, probability: np.ndarray | float) -> np.ndarray:
        return self.frozen.ppf(probability)

    @property
    def shape(self) -> float | None:
        args = self.frozen.args
        return args[0] if args else None

    @property
    def scale_hours(self) -> float:
        return self.frozen.kwds["scale"]

    @property
    def mean_hours(self) -> float:
        return self.frozen.mean()


@lru_cache(maxsize=256)
def _frozen(name: str, *shape: float, scale: float) -> Any:
    """A frozen distribution of scipy.stats, which takes milliseconds to make."""
    from scipy import stats

    return getattr(stats, name)(*shape, scale=scale)


class Family(_Parametric):
    """A distribution with a shape and a scale that can be fitted to stays.

    `log_density` and `survival` are those of scipy.stats without its checks of arguments, which take most of its time.
    """

    shape_bounds: ClassVar[tuple[float, float]]
    """Shapes that a fit may take: beyond these, a few extreme stays would make a mean of years."""
    scipy_name: ClassVar[str]
    """Name in scipy.stats."""

    @classmethod
    def scipy(cls, shape: float, scale: float) -> Any:
        """The frozen scipy.stats distribution."""
        return _frozen(cls.scipy_name, shape, scale=scale)

    @staticmethod
    @abstractmethod
    def unit_mean(shape: float) -> float:
        """Mean at a scale of 1."""

    @staticmethod
    @abstractmethod
    def log_density(log_x: np.ndarray, shape: float) -> np.ndarray:
        """Logarithm of x times the density at x, for a scale of 1, by the logarithm of x."""

    @staticmethod
    @abstractmethod
    def survival(x: np.ndarray, shape: float, scale: float) -> np.ndarray:
        """Share longer than x, from 0 to inf."""

    @staticmethod
    @abstractmethod
    def excess(x: "np.ndarray", shape: float, scale: float) -> "np.ndarray":
        """Mean of what goes beyond x >= 0, stays up to x counting as 0: the integral of `survival` from x to inf."""

    @staticmethod
    @abstractmethod
    def start(centre: float, spread: float) -> tuple[float, float]:
        """Log shape and log scale of a distribution whose logarithm has that mean and standard deviation."""


class Lognormal(Family):
    """Lognormal with the given mean and standard deviation (of the duration, not of its logarithm)."""

    type: Literal["lognormal"]
    """Kind of distribution."""
    params: MeanSd
    """Mean and standard deviation."""
    shape_bounds: ClassVar = (0.01, 2.5)
    scipy_name: ClassVar = "lognorm"

    @property
    def frozen(self) -> Any:
        variance = log(1 + (self.params.sd / self.params.mean) ** 2)
        return self.scipy(sqrt(variance), self.hours_per_unit * self.params.mean / np.exp(variance / 2))

    @staticmethod
    def unit_mean(shape: float) -> float:
        return exp(shape**2 / 2)

    @staticmethod
    def log_density(log_x: np.ndarray, shape: float) -> np.ndarray:
        return -0.5 * (log_x / shape) ** 2 - log(shape * sqrt(2 * pi))

    @staticmethod
    def survival(x: np.ndarray, shape: float, scale: float) -> np.ndarray:
        from scipy import special

        return special.ndtr(-(np.log(np.maximum(x, _SMALL)) - log(scale)) / shape)

    @staticmethod
    def excess(x: "np.ndarray", shape: float, scale: float) -> "np.ndarray":
        import numpy as np
        from scipy import special

        z = (np.log(np.maximum(x, _SMALL)) - log(scale)) / shape
        return scale * exp(shape**2 / 2) * special.ndtr(shape - z) - x * special.ndtr(-z)

    @staticmethod
    def start(centre: float, spread: float) -> tuple[float, float]:
        return log(spread), centre


class Gamma(Family):
    """Gamma with the given mean and standard deviation."""

    type: Literal["gamma"]
    """Kind of distribution."""
    params: MeanSd
    """Mean and standard deviation."""
    shape_bounds: ClassVar = (0.15, 1e4)
    scipy_name: ClassVar = "gamma"

    @property
    def frozen(self) -> Any:
        shape = (self.params.mean / self.params.sd) ** 2
        return self.scipy(shape, self.hours_per_unit * self.params.mean / shape)

    @staticmethod
    def unit_mean(shape: float) -> float:
        return shape

    @staticmethod
    def log_density(log_x: np.ndarray, shape: float) -> np.ndarray:
        from scipy import special

        return shape * log_x - np.exp(log_x) - special.gammaln(shape)

    @staticmethod
    def survival(x: np.ndarray, shape: float, scale: float) -> np.ndarray:
        from scipy import special

        return special.gammaincc(shape, x / scale)

    @staticmethod
    def excess(x: "np.ndarray", shape: float, scale: float) -> "np.ndarray":
        from scipy import special

        return shape * scale * special.gammaincc(shape + 1, x / scale) - x * special.gammaincc(shape, x / scale)

    @staticmethod
    def start(centre: float, spread: float) -> tuple[float, float]:
        return -2 * log(spread), centre + 2 * log(spread)


class Weibull(Family):
    """Weibull with shape and scale."""

    type: Literal["weibull"]
    """Kind of distribution."""
    params: ShapeScale
    """Shape and scale."""
    shape_bounds: ClassVar = (0.3, 100.0)
    scipy_name: ClassVar = "weibull_min"

    @property
    def frozen(self) -> Any:
        return self.scipy(self.params.shape, self.hours_per_unit * self.params.scale)

    @staticmethod
    def unit_mean(shape: float) -> float:
        return gamma(1 + 1 / shape)

    @staticmethod
    def log_density(log_x: np.ndarray, shape: float) -> np.ndarray:
        return shape * log_x - np.exp(np.minimum(shape * log_x, _LARGE)) + log(shape)

    @staticmethod
    def survival(x: np.ndarray, shape: float, scale: float) -> np.ndarray:
        log_x = np.log(np.maximum(x, _SMALL)) - log(scale)
        return np.exp(-np.exp(np.minimum(shape * log_x, _LARGE)))

    @staticmethod
    def excess(x: "np.ndarray", shape: float, scale: float) -> "np.ndarray":
        import numpy as np
        from scipy import special

        log_x = np.log(np.maximum(x, _SMALL)) - log(scale)
        hazard = np.exp(np.minimum(shape * log_x, _LARGE))
        return scale * gamma(1 + 1 / shape) * special.gammaincc(1 + 1 / shape, hazard) - x * np.exp(-hazard)

    @staticmethod
    def start(centre: float, spread: float) -> tuple[float, float]:
        return log(1.28 / spread), centre + 0.45 * spread


class Exponential(_Parametric):
    """Exponential with the given mean."""

    type: Literal["exponential"]
    """Kind of distribution."""
    params: Mean
    """Mean."""

    @property
    def frozen(self) -> Any:
        return _frozen("expon", scale=self.hours_per_unit * self.params.mean)


class Fixed(Distribution):
    """Always the same duration."""

    type: Literal["fixed"]
    """Kind of distribution."""
    params: Value
    """The duration."""

    def quantiles(self, probability: np.ndarray | float) -> np.ndarray:
        return np.full(np.shape(probability), self.mean_hours)

    @property
    def scale_hours(self) -> float:
        return self.mean_hours

    @property
    def mean_hours(self) -> float:
        return self.params.value * self.hours_per_unit


class Empirical(Distribution):
    """The quantiles of a list of durations."""

    type: Literal["empirical"]
    """Kind of distribution."""
    params: Values
    """The durations."""

    @property
    def _hours(self) -> np.ndarray:
        return np.array(self.params.values) * self.hours_per_unit

    def quantiles(self, probability: np.ndarray | float) -> np.ndarray:
        return np.quantile(self._hours, probability)

    @property
    def quantile_hours(self) -> np.ndarray:
        return self.quantiles(np.linspace(0, 1, N_QUANTILES))

    @property
    def mean_hours(self) -> float:
        return self._hours.mean()


class FromData(Model):
    """Fitted to the ward's stays, per patient type where there are enough."""

    type: Literal["from_data"]
    """Kind of distribution."""
    stays_of: Id | None = None
    """Stream whose patients' whole stays in the hospital, time in other wards included, are taken instead of the ward's
    own, from an extract without ward stays. Default: none."""


AnyDistribution = Lognormal | Gamma | Weibull | Exponential | Fixed | Empirical
Duration = Annotated[AnyDistribution, Field(discriminator="type")]
LosModel = Annotated[AnyDistribution | FromData, Field(discriminator="type")]

FAMILIES: dict[str, type[Family]] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind
    for kind in get_args(AnyDistribution)
    if issubclass(kind, Family)
}
"""The families that are fitted, by their `type`."""
