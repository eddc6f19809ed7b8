"""The calendar's penalised Poisson regression against glum, from the same design and the same priors."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaizar_pipeline.config.hospital import HospitalInfo
from kaizar_pipeline.forecasting import calendar_effects as calendar

pytestmark = pytest.mark.unit

HOSPITAL = HospitalInfo(name="X", timezone="Europe/Amsterdam", country="NL")

COEFFICIENTS = 1e-7
"""Ours stop at a step below 1e-8, and close to the solution each step is a small part of the one before."""


def history(n_days: int, mean: float, spread: float, growth: float, seed: int) -> pd.DataFrame:
    """Arrivals with weekdays, holidays, an event every 73 days, growth per year and a variance of m + spread m^2."""
    random = np.random.default_rng(seed)
    dates = pd.date_range("2021-01-01", periods=n_days)
    days = calendar.day_features(dates, HOSPITAL, pd.Series("fair", dates[::73]))
    rate = mean * np.exp(random.normal(0, 0.3, 7)[days["weekday"]] + growth * np.arange(n_days) / 365)
    rate = rate * np.where(days["holiday"], 0.6, 1.0)
    return days.assign(arrivals=random.poisson(rate * random.gamma(1 / spread, spread, n_days)))


def fitted_by(glum: Any, design: np.ndarray, counts: np.ndarray, precision: np.ndarray, phi: float) -> np.ndarray:
    """The coefficients where `phi` is the overdispersion. glum divides the likelihood by the number of days, not by
    phi, so that each precision is phi over that number of its own."""
    model = glum.GeneralizedLinearRegressor(
        family="poisson",
        alpha=1.0,
        l1_ratio=0,
        P2=precision * phi / len(counts),
        fit_intercept=False,  # the level is a column of the design
        gradient_tol=1e-12 * counts.mean(),
        max_iter=200,
    )
    return model.fit(design, counts).coef_


def assert_equals_glum(days: pd.DataFrame, glum: Any) -> None:
    found = calendar.fit_calendar(days)
    counts = days["arrivals"].to_numpy(dtype="float64")
    effects = calendar._effects(days)
    priors = calendar._priors(len(days), [name for name in effects if name.startswith("event_")])
    trend, trend_precision = calendar._trend(days.index)
    design = np.column_stack([*(effects[name] for name in priors), trend])
    precision = np.append(np.array(list(priors.values())) ** -2.0, trend_precision)

    expected = fitted_by(glum, design, counts, precision, found.overdispersion)
    assert list(found.coefficients) == list(priors)
    np.testing.assert_allclose(
        list(found.coefficients.values()), expected[: len(priors)], rtol=COEFFICIENTS, atol=COEFFICIENTS
    )
    # the overdispersion is the one that glum's fit shows: only where both hold is it a solution
    mean = np.exp(design @ expected)
    information = (design.T * mean) @ design / found.overdispersion
    parameters = np.trace(np.linalg.solve(information + np.diag(precision), information))
    pearson = ((counts - mean) ** 2 / mean).sum() / (len(counts) - parameters)
    assert found.overdispersion == pytest.approx(max(1.0, pearson), rel=1e-6)


@pytest.mark.parametrize(
    ("n_days", "mean", "spread", "growth"),
    [
        (56, 2, 0.01, 0),  # the shortest history with a calendar
        (365, 5, 0.1, 0.3),
        (1096, 30, 0.02, 0),
        (1096, 200, 0.1, 0.8),  # more than a hundred times the variance of Poisson
        (1500, 0.3, 1, -0.5),  # mostly days without arrivals
        (100, 1000, 0.5, 3),
        (3000, 50, 0.05, 0.1),
    ],
)
def test_the_fit_is_glums(glum: Any, n_days: int, mean: float, spread: float, growth: float):
    assert_equals_glum(history(n_days, mean, spread, growth, seed=n_days), glum)


@settings(max_examples=10)
@given(st.integers(56, 800), st.floats(1, 100), st.floats(0.01, 1), st.floats(-1, 1), st.integers(0, 2**32 - 1))
def test_any_fit_is_glums(glum: Any, n_days: int, mean: float, spread: float, growth: float, seed: int):
    assert_equals_glum(history(n_days, mean, spread, growth, seed), glum)
