"""Baselines: forecasts without a model, each with a distribution of its own.

A forecast by repetition has its own past errors: every earlier origin gives one path of errors, so that persistence
from day to day is included. The calendar regression has negative binomial counts around its rates.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from kaizar_pipeline.forecasting.calendar_effects import fit_calendar

SEASONAL_NAIVE = "seasonal_naive"
WEEKDAY_MEAN = "weekday_mean"
CALENDAR_GLM = "calendar_glm"

SEASON = 7
WEEKS = 4
"""Weeks that the weekday mean goes back."""
LEVEL_DAYS = 364
"""Days over which the calendar regression takes its level to be constant."""
GLM_DRAWS = 1000

Baseline = Callable[[pd.DataFrame, int, np.random.Generator], np.ndarray]
"""Draws of the counts [draw, day ahead] from the days known and ahead, the horizon and random numbers."""


def seasonal_naive(days: pd.DataFrame, horizon: int, random: np.random.Generator) -> np.ndarray:
    """The same weekday of the last week."""
    del random
    return _repeated(days, horizon, weeks=1)


def weekday_mean(days: pd.DataFrame, horizon: int, random: np.random.Generator) -> np.ndarray:
    """The mean of the last four same weekdays."""
    del random
    return _repeated(days, horizon, weeks=WEEKS)


def calendar_glm(days: pd.DataFrame, horizon: int, random: np.random.Generator) -> np.ndarray:
    """The calendar's regression at the level of the last year."""
    known = days.iloc[:-horizon]
    known = known[known["arrivals"].notna()]
    calendar = fit_calendar(known)
    recent = known.iloc[-LEVEL_DAYS:]
    level = (recent["arrivals"].sum() + 0.5) / np.exp(calendar.log_shape(recent)).sum()
    rates = np.exp(calendar.log_shape(days.iloc[-horizon:])) * level
    excess = calendar.overdispersion - 1
    if excess > 1e-6:
        rates = random.gamma(rates / excess, excess, size=(GLM_DRAWS, horizon))
    return random.poisson(rates, size=(GLM_DRAWS, horizon))


BASELINES: dict[str, Baseline] = {
    SEASONAL_NAIVE: seasonal_naive,
    WEEKDAY_MEAN: weekday_mean,
    CALENDAR_GLM: calendar_glm,
}
"""By the name that tables use."""


def _repeated(days: pd.DataFrame, horizon: int, weeks: int) -> np.ndarray:
    """Means of the last `weeks` same weekdays, with the errors of the same forecast from each earlier origin."""
    counts = days["arrivals"].to_numpy(dtype="float64")[:-horizon]
    ahead = np.arange(1, horizon + 1)
    last_week = (ahead - 1) % SEASON - SEASON + 1
    lags = last_week[:, None] - SEASON * np.arange(weeks)
    origins = np.arange(SEASON * weeks - 1, len(counts))
    forecasts = _mean(counts[origins[:, None, None] + lags], axis=2)
    targets = origins[:-horizon, None] + ahead
    errors = counts[targets] - forecasts[:-horizon]
    whole = errors[~np.isnan(errors).any(axis=1)]
    errors = whole if len(whole) else np.nan_to_num(errors)
    point = np.where(np.isnan(forecasts[-1]), _mean(counts, axis=0), forecasts[-1])
    return np.rint(np.maximum(point + errors, 0))


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Mean over days observed; NaN where none was."""
    n = (~np.isnan(values)).sum(axis=axis)
    return np.where(n > 0, np.nansum(values, axis=axis) / np.maximum(n, 1), np.nan)
