"""What bad input comes to: refused with its place, set aside, or forecast with what is left; never a NaN."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.forecasting.features import make_feature_table
from kaizar_pipeline.forecasting.model import train_lgbm_poisson
from kaizar_pipeline.forecasting.rates import forecast_rates

pytestmark = pytest.mark.unit

Hospital = Callable[..., HospitalConfig]
Daily = Callable[..., pd.DataFrame]
Counts = Callable[..., np.ndarray]


def forecast(arrivals: pd.DataFrame, config: HospitalConfig) -> tuple[pd.Series, pd.DataFrame]:
    """The only stream's model, and its rates as [path, day]."""
    features = make_feature_table(arrivals, config)
    model = train_lgbm_poisson(features)
    rates = forecast_rates(model, features, arrivals, config)
    paths = rates.pivot(index="path", columns="date", values="rate")
    assert np.isfinite(paths.to_numpy()).all()
    assert (paths.to_numpy() >= 0).all()
    return model.iloc[0], paths


def test_a_single_day_is_a_level_and_an_uncertain_one(make_hospital: Hospital, daily: Daily) -> None:
    model, paths = forecast(daily(er=[7]), make_hospital("er", horizon=7))
    assert (model["method"], model["prior_used"]) == ("level", True)
    assert paths.to_numpy().mean() == pytest.approx(7.5, rel=0.15)
    assert paths.to_numpy().std() / paths.to_numpy().mean() > 0.3


def test_all_zeros_is_a_level_near_zero(make_hospital: Hospital, daily: Daily) -> None:
    model, paths = forecast(daily(er=[0] * 300), make_hospital("er", horizon=7))
    assert model["method"] == "level"
    assert 0 < paths.to_numpy().mean() < 0.01


def test_two_years_of_one_arrival_a_week(make_hospital: Hospital, daily: Daily) -> None:
    mondays = np.tile([1, 0, 0, 0, 0, 0, 0], 104)
    model, paths = forecast(daily(as_of="2023-01-02", er=mondays), make_hospital("er", horizon=28))
    assert model["method"] != "level"
    assert paths.to_numpy().mean() == pytest.approx(1 / 7, rel=0.3)
    assert paths.mean().groupby(pd.DatetimeIndex(paths.columns).day_of_week).mean().idxmax() == 0


def test_a_spike_of_fifty_times_the_mean_is_set_aside(make_hospital: Hospital, daily: Daily, poisson: Counts) -> None:
    counts = poisson(200, 10.0)
    spiked = counts.copy()
    spiked[-1] = 500
    unseen = daily(er=spiked)
    unseen.loc[unseen.index[-1], "observed"] = False
    config = make_hospital("er", horizon=7)
    pd.testing.assert_frame_equal(make_feature_table(daily(er=spiked), config), make_feature_table(unseen, config))


def test_a_busy_week_is_no_spike(make_hospital: Hospital, daily: Daily, poisson: Counts) -> None:
    counts = poisson(200, 10.0)
    counts[-7:] *= 6
    _, paths = forecast(daily(er=counts), make_hospital("er", horizon=7))
    assert paths.to_numpy().mean() > 15


def test_a_gap_is_days_not_observed(make_hospital: Hospital, daily: Daily, poisson: Counts) -> None:
    whole = daily(er=poisson(120))
    hole = whole.drop(index=range(50, 60))
    unseen = whole.assign(observed=~whole.index.isin(range(50, 60)))
    config = make_hospital("er", horizon=7)
    pd.testing.assert_frame_equal(make_feature_table(hole, config), make_feature_table(unseen, config))


def test_a_history_that_ended_long_ago_makes_the_level_uncertain(
    make_hospital: Hospital, daily: Daily, poisson: Counts
) -> None:
    config = make_hospital("er", horizon=7)
    arrivals = daily(er=poisson(120, 100.0))
    _, now = forecast(arrivals, config)
    _, later = forecast(arrivals.assign(as_of=pd.Timestamp("2024-04-22")), config)
    assert later.columns[0] == pd.Timestamp("2024-04-22")
    assert later.to_numpy().mean() == pytest.approx(now.to_numpy().mean(), rel=0.1)
    assert later.sum(axis=1).std() > 1.2 * now.sum(axis=1).std()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("arrivals", -1, r"a negative number of arrivals in 1 row\(s\), for example -1 on 2023-12-01 in stream 'er'"),
        ("arrivals", 2.5, "column arrivals .*not a 32-bit whole number, for example"),
        ("date", pd.Timestamp("2023-12-22"), r"a day at or after as_of .* \(as_of 2023-12-22\)"),
        ("date", pd.Timestamp("2023-12-02"), r"1 row\(s\) repeat a key"),
    ],
)
def test_what_no_day_can_be_is_refused(
    make_hospital: Hospital, daily: Daily, column: str, value: float | pd.Timestamp, message: str
) -> None:
    arrivals = daily(er=[5] * 21).astype({"arrivals": "float64"})
    arrivals.loc[0, column] = value
    with pytest.raises(DataError, match=message):
        make_feature_table(arrivals, make_hospital("er", horizon=7))


def test_no_day_at_all_is_refused(make_hospital: Hospital, daily: Daily) -> None:
    with pytest.raises(DataError, match="no day of arrivals"):
        make_feature_table(daily(er=[1]).iloc[:0], make_hospital("er"))


def test_a_stream_without_days_is_refused(make_hospital: Hospital, daily: Daily) -> None:
    with pytest.raises(DataError, match=r"no day of stream\(s\) icu"):
        make_feature_table(daily(er=[5] * 21), make_hospital("er", "icu"))


def test_a_short_history_is_not_forecast_far(make_hospital: Hospital, daily: Daily, poisson: Counts) -> None:
    with pytest.raises(DataError, match="stream er: 499 days of history, too few to forecast 29 days ahead"):
        make_feature_table(daily(er=poisson(499)), make_hospital("er", horizon=29))
    assert not make_feature_table(daily(er=poisson(500)), make_hospital("er", horizon=29)).empty


def expecting(config: HospitalConfig, mean_per_day: float | None, **dates: str) -> HospitalConfig:
    """The hospital, its only stream expected to have so many arrivals."""
    file = config.model_dump(by_alias=True)
    file["arrival_streams"][0].update(dates, model={"type": "ml_poisson", "mean_per_day": mean_per_day})
    return HospitalConfig.model_validate(file)


@pytest.mark.parametrize("mean_per_day", [20.0, 0.2])
def test_a_stream_that_opens_tomorrow_has_the_mean_that_is_expected_of_it(
    make_hospital: Hospital, daily: Daily, mean_per_day: float
) -> None:
    config = expecting(make_hospital("er", horizon=7), mean_per_day, opened="2023-12-23")
    model, paths = forecast(daily(er=[0] * 60).assign(observed=False), config)
    assert (model["method"], model["prior_used"]) == ("level", True)
    assert (paths.iloc[:, 0] == 0).all()  # as_of is the day before
    ahead = paths.iloc[:, 1:].to_numpy()
    assert ahead.mean() == pytest.approx(mean_per_day, rel=0.25)
    # as uncertain as one day of such a history, or by a factor of about e
    assert ahead.std() / ahead.mean() > min(0.2, 1 / np.sqrt(mean_per_day))


def test_without_an_expectation_it_has_half_an_arrival_a_day(make_hospital: Hospital, daily: Daily) -> None:
    _, paths = forecast(daily(er=[0] * 60).assign(observed=False), make_hospital("er", horizon=7))
    assert paths.to_numpy().mean() == pytest.approx(0.5, rel=0.25)


def test_an_expectation_gives_way_to_what_is_observed(make_hospital: Hospital, daily: Daily, poisson: Counts) -> None:
    config = make_hospital("er", horizon=7)
    arrivals = daily(er=poisson(40, 20.0))
    _, own = forecast(arrivals, config)
    _, expected = forecast(arrivals, expecting(config, 60.0))
    assert expected.to_numpy().mean() / own.to_numpy().mean() == pytest.approx(1.0, abs=0.1)
    assert expected.to_numpy().mean() > own.to_numpy().mean()


def test_a_stream_opened_three_weeks_ago_is_forecast_at_its_own_level(
    make_hospital: Hospital, daily: Daily, poisson: Counts
) -> None:
    arrivals = daily(old=poisson(500, 60.0), new=[0] * 480 + poisson(20, 20.0, seed=2).tolist())
    is_new = arrivals["stream_id"] == "new"
    arrivals.loc[is_new, "observed"] = arrivals.loc[is_new, "date"] >= pd.Timestamp("2023-12-02")
    config = make_hospital("old", "new", horizon=28)
    features = make_feature_table(arrivals, config)
    rates = forecast_rates(train_lgbm_poisson(features), features, arrivals, config)
    paths = rates[rates["stream_id"] == "new"].pivot(index="path", columns="date", values="rate").sum(axis=1)
    assert 28 * 17 < paths.mean() < 28 * 23
    assert 0.04 < paths.std() / paths.mean() < 0.12  # 20 days of 20 are known to 5 %, and levels drift


def test_a_closed_stream_needs_no_long_history(make_hospital: Hospital, daily: Daily, poisson: Counts) -> None:
    file = make_hospital("er", horizon=29).model_dump(by_alias=True)
    file["arrival_streams"][0]["closed"] = "2023-12-01"
    _, paths = forecast(daily(er=poisson(100)), HospitalConfig.model_validate(file))
    assert (paths == 0).all(axis=None)
