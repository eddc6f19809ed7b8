"""Baselines on histories whose future is known."""

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalInfo
from kaizar_pipeline.forecasting.baselines import BASELINES, CALENDAR_GLM, calendar_glm, seasonal_naive, weekday_mean
from kaizar_pipeline.forecasting.calendar_effects import day_features

pytestmark = pytest.mark.unit

HORIZON = 14


def known(counts: np.ndarray, start: str = "2024-01-01") -> pd.DataFrame:
    """Days of `counts` and a fortnight ahead."""
    dates = pd.date_range(start, periods=len(counts) + HORIZON, unit="us")
    info = HospitalInfo.model_validate({"name": "X", "timezone": "Europe/Amsterdam", "country": "NL"})
    return day_features(dates, info).assign(arrivals=np.append(counts, np.full(HORIZON, np.nan)))


def random() -> np.random.Generator:
    return np.random.default_rng(1)


def test_a_week_that_repeats_itself_is_certain():
    week = np.array([9, 4, 7, 3, 8, 1, 0])
    for forecast in (seasonal_naive, weekday_mean):
        draws = forecast(known(np.tile(week, 12)), HORIZON, random())
        assert (draws == np.tile(week, 2)).all()


def test_steady_growth_is_an_error_that_repeats_itself():
    # one more every week: last week is short by 1 and 2, the mean of four by 2.5 and 3.5; both know it from their past
    weeks = np.repeat(np.arange(12.0), 7)
    for forecast in (seasonal_naive, weekday_mean):
        draws = forecast(known(weeks), HORIZON, random())
        assert (draws == np.repeat([12, 13], 7)).all()


def test_every_earlier_origin_gives_a_path_of_errors():
    counts = np.random.default_rng(3).poisson(30, 84).astype(float)
    assert seasonal_naive(known(counts), HORIZON, random()).shape == (84 - 6 - HORIZON, HORIZON)
    assert weekday_mean(known(counts), HORIZON, random()).shape == (84 - 27 - HORIZON, HORIZON)


def test_the_naive_forecast_is_the_last_week_and_its_errors():
    counts = np.zeros(70)
    counts[-7:] = [10, 20, 30, 40, 50, 60, 70]
    draws = seasonal_naive(known(counts), HORIZON, random())
    # a path without error repeats the week; the last ones saw the jump come
    assert (draws[0] == np.tile([10, 20, 30, 40, 50, 60, 70], 2)).all()
    assert draws[-1].tolist() != draws[0].tolist()


def test_the_regression_knows_rate_and_spread():
    counts = np.random.default_rng(2).negative_binomial(10, 10 / 40, 1000).astype(float)  # variance over mean 4
    draws = calendar_glm(known(counts), HORIZON, random())
    assert draws.mean() == pytest.approx(30, rel=0.06)
    assert draws.var(axis=0).mean() / draws.mean() == pytest.approx(4, rel=0.15)


@pytest.mark.parametrize("method", BASELINES)
def test_gaps_and_empty_streams_leave_numbers(method: str):
    gaps = np.random.default_rng(4).poisson(5, 100).astype(float)
    gaps[::3] = np.nan
    for counts in (gaps, np.zeros(100), np.append(np.full(70, 5.0), np.full(30, np.nan))):
        draws = BASELINES[method](known(counts), HORIZON, random())
        assert np.isfinite(draws).all()
        assert (draws >= 0).all()
        assert (draws == np.rint(draws)).all()


def test_only_the_regression_needs_random_numbers():
    counts = np.random.default_rng(5).poisson(9, 100).astype(float)
    for method, forecast in BASELINES.items():
        one, other = (forecast(known(counts), HORIZON, np.random.default_rng(seed)) for seed in (1, 2))
        assert np.array_equal(one, other) == (method != CALENDAR_GLM)
