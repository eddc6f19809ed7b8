"""Rates "as in the past year": the mean of each weekday, and days that vary as they did."""

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline import DataError, weekday_rates
from kaizar_pipeline.forecasting.past_rates import excess_variance

pytestmark = pytest.mark.unit


def test_each_day_ahead_has_the_mean_of_its_weekday(make_hospital, daily):
    # 22 December 2023 is a Friday; Monday has 1 arrival, Sunday 7, in each of ten weeks
    dates = pd.date_range(end="2023-12-21", periods=70)
    rates = weekday_rates(daily(a=dates.day_of_week.to_numpy() + 1), make_hospital("a", horizon=180))
    assert rates["date"].nunique() == 180
    assert (rates["rate"] == rates["date"].dt.day_of_week + 1).all()
    assert set(rates["model_type"]) == {"weekday_mean"}
    assert rates["path"].nunique() == 100


def test_only_the_last_year_counts(make_hospital, daily):
    rates = weekday_rates(daily(a=np.repeat([50, 3], [200, 364])), make_hospital("a"))
    assert rates["rate"].unique().tolist() == [3.0]


def test_days_vary_around_their_weekday_as_in_the_past(make_hospital, daily):
    generator = np.random.default_rng(3)
    counts = generator.poisson(20 * generator.gamma(4, 1 / 4, 364))  # factors of variance 1/4
    rates = weekday_rates(daily(a=counts), make_hospital("a", horizon=100))["rate"]
    assert rates.mean() == pytest.approx(counts.mean(), rel=0.02)
    assert (rates.std() / rates.mean()) ** 2 == pytest.approx(0.25, rel=0.25)


def test_the_excess_over_poisson_is_found_and_never_below_0():
    generator = np.random.default_rng(4)
    means = np.full(20_000, 10.0)
    assert excess_variance(generator.poisson(means), means) == pytest.approx(0, abs=0.01)
    assert excess_variance(generator.poisson(means * generator.gamma(10, 0.1, len(means))), means) == pytest.approx(
        0.1, rel=0.1
    )
    assert excess_variance(means, means) == 0


def test_a_history_of_less_than_four_weeks_is_refused(make_hospital, daily):
    with pytest.raises(DataError, match="stream a: 27 observed days of history, at least 28 are needed"):
        weekday_rates(daily(a=[3] * 27), make_hospital("a"))


def test_an_origin_within_a_day_is_refused(make_hospital, daily):
    arrivals = daily(a=[3] * 40).assign(as_of=pd.Timestamp("2023-12-22 08:00"))
    with pytest.raises(DataError, match="as_of 2023-12-22 08:00, allowed: a midnight"):
        weekday_rates(arrivals, make_hospital("a"))
