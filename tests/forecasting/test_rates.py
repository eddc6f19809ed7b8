"""Rates as the simulation gets them: right on average, uncertain as stated, planned days to the letter."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.forecasting.features import make_feature_table
from kaizar_pipeline.forecasting.model import train_lgbm_poisson
from kaizar_pipeline.forecasting.rates import forecast_rates
from kaizar_pipeline.tables import DAILY_ARRIVALS

pytestmark = pytest.mark.unit


def hospital(models: dict[str, dict[str, Any]], horizon: int = 7, replications: int = 100) -> HospitalConfig:
    streams = [
        {"id": name, "target_ward": "ed", "patient_type": "adult", **({"model": model} if "type" in model else model)}
        for name, model in models.items()
    ]
    truth = {name: {"mean_per_day": 5} for name, model in models.items() if FORECAST in (model, model.get("model"))}
    return HospitalConfig.model_validate(
        {
            "id": "x",
            "hospital": {"name": "X", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {"source": "synthetic", "history_start": "2021-01-01", "truth": {"streams": truth}},
            "wards": [{"id": "ed", "capacity": 9, "los_model": {"type": "exponential", "params": {"mean": 5}}}],
            "patient_types": [{"id": "adult"}],
            "arrival_streams": streams,
            "simulation": {"horizon_days": horizon, "replications": replications},
        }
    )


FORECAST = {"type": "ml_poisson"}


def daily(counts: np.ndarray, stream_id: str = "walk_in", as_of: str = "2023-12-22") -> pd.DataFrame:
    end = pd.Timestamp(as_of)
    dates = pd.date_range(end=end - pd.Timedelta(days=1), periods=len(counts))
    rows = pd.DataFrame({"stream_id": stream_id, "date": dates, "arrivals": counts})
    rows = rows.assign(admitted=None, turned_away=None, observed=True, demand_observed=True)
    return DAILY_ARRIVALS.frame(rows, hospital_id="x", as_of=end)


def chain(arrivals: pd.DataFrame, config: HospitalConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    features = make_feature_table(arrivals, config)
    model = train_lgbm_poisson(features)
    return model, forecast_rates(model, features, arrivals, config)


def test_planned_streams_follow_their_pattern_to_the_letter() -> None:
    config = hospital(
        {
            "surgery": {"type": "schedule", "pattern": "Mon,Tue,Fri", "mean_per_day": 4},
            "dialysis": {"type": "schedule", "pattern": "Mon", "mean_per_day": 3, "on_holidays": True},
            "transfers": {"model": {"type": "constant", "mean_per_day": 2}, "scale_factor_by_month": {12: 0.5}},
        },
        horizon=12,
    )
    model, rates = chain(daily(np.array([1])), config)
    assert model.empty
    assert (rates["path"] == 0).all()
    by_stream = rates.sort_values("date").groupby("stream_id")["rate"].agg(list)
    # Friday 22 December 2023 to Tuesday 2 January 2024; Christmas on Monday and Tuesday, New Year on Monday
    assert by_stream["surgery"] == [4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 4]
    assert by_stream["dialysis"] == [0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 3, 0]
    assert by_stream["transfers"] == [1.0] * 10 + [2.0] * 2


def test_paths_have_the_stated_mean_and_variance() -> None:
    counts = np.random.default_rng(6).negative_binomial(10, 10 / 30, 500)
    model, rates = chain(daily(counts), hospital({"walk_in": FORECAST}, 28, 1000))
    row = model.iloc[0]
    paths = rates.pivot(index="path", columns="date", values="rate").to_numpy()
    mean = rates.pivot(index="path", columns="date", values="mean_rate").to_numpy()
    assert paths.shape == (1000, 28)
    factors = paths / mean
    level = row["cov_a"] + row["cov_b"] * (1 - 0.98 ** np.arange(1, 29)) / (1 - 0.98**28) + row["cov_c"]
    expected = (1 + level) * (1 + row["inv_k"]) - 1
    assert row["inv_k"] == pytest.approx(0.1, abs=0.05)
    assert factors.mean() == pytest.approx(1, abs=0.02)
    assert factors.var(axis=0).mean() == pytest.approx(expected.mean(), rel=0.1)


def test_more_paths_streams_or_days_leave_the_others_as_they_are() -> None:
    arrivals = daily(np.random.default_rng(7).poisson(5, 100))
    _, few = chain(arrivals, hospital({"walk_in": FORECAST}, 7, 10))
    both = pd.concat([arrivals, arrivals.assign(stream_id="ambulance")])
    _, many = chain(both, hospital({"ambulance": FORECAST, "walk_in": FORECAST}, 7, 50))
    same = many[(many["stream_id"] == "walk_in") & (many["path"] < 10)].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, same)


def test_levels_of_two_streams_go_together_as_stated() -> None:
    counts = np.random.default_rng(8).poisson(400, (2, 120))
    arrivals = pd.concat([daily(counts[0]), daily(counts[1], "ambulance")])
    config = hospital({"walk_in": FORECAST, "ambulance": FORECAST}, 28, 1000)
    features = make_feature_table(arrivals, config)
    for correlation in (0.0, 0.2, 0.8):
        model = train_lgbm_poisson(features).assign(inv_k=0.0, stream_correlation=correlation)
        rates = forecast_rates(model, features, arrivals, config)
        sums = rates.groupby(["stream_id", "path"])["rate"].sum().unstack("stream_id")
        assert sums["walk_in"].corr(sums["ambulance"]) == pytest.approx(correlation, abs=0.07)


def odd_series(seed: int) -> np.ndarray:
    """Zeros, spikes, bursts, gaps of activity: what records look like on a bad day."""
    random = np.random.default_rng(seed)
    days = int(random.choice([1, 2, 5, 30, 55, 57, 90, 179, 181, 230]))
    counts = random.poisson(random.choice([0.0, 0.02, 0.5, 10.0, 300.0]), days)
    spikes = random.random(days) < random.choice([0, 0.01, 0.2])
    counts[spikes] = random.choice([50, 100_000])
    if random.random() < 0.3:
        counts[days // 2 :] = 0
    return counts


@pytest.mark.parametrize("seed", range(50))
def test_odd_histories_still_give_finite_rates(seed: int) -> None:
    _, rates = chain(daily(odd_series(seed)), hospital({"walk_in": FORECAST}, int(seed % 8 + 1), 20))
    assert np.isfinite(rates["rate"]).all()
    assert (rates["rate"] >= 0).all()
    assert (rates["mean_rate"] > 0).all()


def test_real_emergency_department() -> None:
    default = Path(__file__).parents[3] / "shared" / "data"
    file = Path(os.environ.get("KAIZAR_TEST_DATA", default)) / "monks_ed_ts.csv"
    if not file.exists():
        pytest.skip(f"no real data: {file} is missing, set KAIZAR_TEST_DATA")
    counts = pd.read_csv(file)["arrivals"].to_numpy()
    _, rates = chain(daily(counts[:-28], as_of="2017-12-04"), hospital({"walk_in": FORECAST}, 28, 500))
    paths = rates.pivot(index="path", columns="date", values="rate").to_numpy()
    low, high = np.quantile(paths.sum(axis=1), [0.005, 0.995])
    assert low < counts[-28:].sum() < high


def test_a_closed_stream_has_no_arrivals_from_that_day_on_and_one_not_yet_open_none_before() -> None:
    planned = {"model": {"type": "constant", "mean_per_day": 2}, "closed": "2023-12-24"}
    config = hospital({"walk_in": {"model": FORECAST, "opened": "2023-12-25"}, "transfers": planned})
    _, rates = chain(daily(np.full(100, 20)), config)
    by_stream = rates.sort_values("date").groupby(["stream_id", "date"])["rate"].max().groupby("stream_id").agg(list)
    assert by_stream["transfers"] == [2.0, 2.0] + [0.0] * 5
    assert by_stream["walk_in"][:3] == [0.0, 0.0, 0.0]
    assert min(by_stream["walk_in"][3:]) > 15
