"""Effects of the calendar on arrivals: weekday, holidays, events, the turn of the year and the season.

The calendar is fitted separately from the level of arrivals, because it changes slowly and the level fast. It is a
penalised Poisson regression, whose priors keep an effect near zero until the history shows it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import EVENT_SEPARATOR, public_holidays
from kaizar_pipeline.config.fields import WEEKDAYS
from kaizar_pipeline.config.hospital import HospitalInfo

MIN_DAYS = 56
"""Observed days, beside the first, which only starts the level, below which no calendar is fitted."""
MIN_ARRIVALS = 30
"""Arrivals below which no calendar is fitted."""

FLAGS = ("holiday", "before_holiday", "after_holiday", "year_end")

_WEEKDAY_SD = 0.6
_EVENT_SD = 0.25
_DETAIL_SD = 0.1
_YEARLY_SD = 0.05
_YEARLY_FROM_DAYS = 500
_TREND_SD = 0.3
_KNOT_SD = 0.08
_KNOT_DAYS = 91
_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True)
class CalendarShape:
    """Calendar effects (log scale) by name, and the variance over mean of the arrivals around them (at least 1)."""

    coefficients: dict[str, float]
    overdispersion: float

    def log_shape(self, days: pd.DataFrame) -> np.ndarray:
        """Logarithm of the calendar factor on each of `days` (as from `day_features`); 0 on a day without effects."""
        effects = _effects(days)
        present = {name: value for name, value in self.coefficients.items() if name in effects}
        return sum((value * effects[name] for name, value in present.items()), np.zeros(len(days)))


def day_features(dates: pd.DatetimeIndex, hospital: HospitalInfo, events: pd.Series | None = None) -> pd.DataFrame:
    """Calendar columns of feature_table for each day of the unbroken range `dates`, the index.

    `events` are names by date, as from `read_events`.
    """
    day = pd.Timedelta(days=1)
    around = pd.DatetimeIndex([dates[0] - day, *dates, dates[-1] + day])
    holiday = public_holidays(hospital, around)
    return pd.DataFrame(
        {
            "weekday": dates.day_of_week,
            "day_of_year": dates.day_of_year,
            "holiday": holiday[1:-1],
            "before_holiday": holiday[2:],
            "after_holiday": holiday[:-2],
            "year_end": (dates.month == 12) & (dates.day >= 24),
            "events": pd.Series(index=dates, dtype="str") if events is None else events.reindex(dates),
        },
        index=dates,
    )


def fit_calendar(days: pd.DataFrame) -> CalendarShape:
    """The calendar's effects on `arrivals` of the observed `days` (the columns of `day_features`, indexed by date).

    The likelihood is divided by the fitted overdispersion, so that noisy streams are shrunk more. A piecewise
    linear trend is fitted too and dropped: it keeps growth out of the season, and the level contains it. Too short a
    history (`MIN_DAYS`, `MIN_ARRIVALS`) has no effects at all.
    """
    counts = days["arrivals"].to_numpy(dtype="float64")
    if len(counts) < MIN_DAYS or counts.sum() < MIN_ARRIVALS:
        return CalendarShape(
            {}, _overdispersion(counts, np.full_like(counts, (counts.sum() + 0.5) / max(len(counts), 1)), 1)
        )
    effects = _effects(days)
    priors = _priors(len(counts), [name for name in effects if name.startswith("event_")])
    trend, trend_precision = _trend(days.index)
    design = np.column_stack([*(effects[name] for name in priors), trend])
    precision = np.concatenate([np.array(list(priors.values())) ** -2.0, trend_precision])
    coefficients, overdispersion = _penalised_poisson(design, counts, precision)
    return CalendarShape(dict(zip(priors, coefficients[: len(priors)].tolist(), strict=True)), overdispersion)


def _effects(days: pd.DataFrame) -> dict[str, np.ndarray]:
    """Every possible effect, as a column over `days`."""
    weekday = days["weekday"].to_numpy()
    holiday = days["holiday"].to_numpy(dtype="float64")
    year = 2 * np.pi * days["day_of_year"].to_numpy() / _DAYS_PER_YEAR
    columns = {f"weekday_{name}": (weekday == number).astype("float64") for number, name in enumerate(WEEKDAYS)}
    columns |= {flag: days[flag].to_numpy(dtype="float64") for flag in FLAGS}
    columns |= {f"holiday_{name}": holiday * columns[f"weekday_{name}"] for name in WEEKDAYS}
    columns |= {"yearly_sin": np.sin(year), "yearly_cos": np.cos(year)}
    events = [names.split(EVENT_SEPARATOR) for names in days["events"].fillna("")]
    for name in sorted({name for names in events for name in names if name}):
        columns[f"event_{name}"] = np.array([name in names for names in events], dtype="float64")
    return columns


def _priors(n_days: int, events: list[str]) -> dict[str, float]:
    """Prior standard deviation of each effect that `n_days` of history can show, with those of `events`."""
    return (
        {f"weekday_{name}": _WEEKDAY_SD for name in WEEKDAYS}
        | dict.fromkeys(FLAGS, _DETAIL_SD)
        | {f"holiday_{name}": _DETAIL_SD for name in WEEKDAYS}
        | dict.fromkeys(["holiday", *events], _EVENT_SD)
        | dict.fromkeys(["yearly_sin", "yearly_cos"] if n_days >= _YEARLY_FROM_DAYS else [], _YEARLY_SD)
    )


def _trend(dates: pd.Index) -> tuple[np.ndarray, np.ndarray]:
    """Columns of a level (no prior), a slope per year and changes of slope at the knots, with prior precisions."""
    day = (dates - dates[0]).days.to_numpy(dtype="float64")
    knots = np.arange(_KNOT_DAYS, day[-1], _KNOT_DAYS)
    hinges = np.maximum(day[:, None] - knots, 0) / _KNOT_DAYS
    columns = np.column_stack([np.ones(len(day)), day / _DAYS_PER_YEAR, hinges])
    return columns, np.array([0.0, _TREND_SD**-2, *[_KNOT_SD**-2] * len(knots)])


def _penalised_poisson(design: np.ndarray, counts: np.ndarray, precision: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients and overdispersion of a quasi-Poisson regression with normal priors, by reweighted least squares."""
    level = np.flatnonzero(precision == 0)[0]
    coefficients = np.zeros(design.shape[1])
    coefficients[level] = np.log(counts.mean())
    mean = np.exp(design @ coefficients)
    overdispersion = _overdispersion(counts, mean, 1)
    for _ in range(100):
        information = (design.T * mean) @ design / overdispersion
        score = design.T @ (counts - mean) / overdispersion - precision * coefficients
        posterior = information + np.diag(precision)
        step = np.linalg.solve(posterior, score)
        # a full step may overshoot far from the optimum: no day's rate moves by more than a factor of e at once
        step /= max(1.0, np.abs(design @ step).max())
        coefficients = coefficients + step
        mean = np.exp(design @ coefficients)
        overdispersion = _overdispersion(counts, mean, np.trace(np.linalg.solve(posterior, information)))
        if np.abs(step).max() < 1e-8:
            break
    return coefficients, overdispersion


def _overdispersion(counts: np.ndarray, mean: np.ndarray, parameters: float) -> float:
    """Pearson's chi-square per degree of freedom, at least 1."""
    return max(1.0, float(((counts - mean) ** 2 / mean).sum() / max(len(counts) - parameters, 1.0)))
