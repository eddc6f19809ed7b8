"""The feature table must know only what a forecaster would have known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.forecasting.features import FURTHER_HORIZONS, TRAINING_HORIZONS, make_feature_table
from kaizar_pipeline.tables import DAILY_ARRIVALS

pytestmark = pytest.mark.unit


def hospital(horizon: int = 28) -> HospitalConfig:
    return HospitalConfig.model_validate(
        {
            "id": "x",
            "hospital": {"name": "X", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {
                "source": "synthetic",
                "history_start": "2021-01-01",
                "truth": {"streams": {"walk_in": {"mean_per_day": 5}}},
            },
            "wards": [{"id": "ed", "capacity": 9, "los_model": {"type": "exponential", "params": {"mean": 5}}}],
            "patient_types": [{"id": "adult"}],
            "arrival_streams": [
                {"id": "walk_in", "target_ward": "ed", "patient_type": "adult", "model": {"type": "ml_poisson"}}
            ],
            "simulation": {"horizon_days": horizon},
        }
    )


def daily(counts: np.ndarray, observed: np.ndarray | bool = True) -> pd.DataFrame:
    dates = pd.date_range("2021-01-01", periods=len(counts))
    rows = pd.DataFrame({"date": dates, "arrivals": counts, "observed": observed})
    return DAILY_ARRIVALS.frame(
        rows.assign(admitted=None, turned_away=None, demand_observed=True, stream_id="walk_in"),
        hospital_id="x",
        as_of=dates[-1] + pd.Timedelta(days=1),
    )


def poisson(days: int, mean: float = 8.0) -> np.ndarray:
    return np.random.default_rng(1).poisson(mean, days)


KNOWN_AT_ORIGIN = ["level_3_10", "level_30_10", "level_120_10", "weekday_ratio", "log_base_rate"]


def test_inner_rows_do_not_change_when_later_days_change() -> None:
    counts = poisson(400)
    before = make_feature_table(daily(counts), hospital())
    inner = before[before["fit_until"] < before["fit_until"].max()]
    changed = counts.copy()
    changed[(inner["fit_until"].iloc[0] - pd.Timestamp("2021-01-01")).days + 1 :] += 50
    after = make_feature_table(daily(changed), hospital())
    after = after[after["fit_until"] < after["fit_until"].max()]
    training = (inner["use"] == "train").to_numpy()
    pd.testing.assert_frame_equal(inner[training], after[training])
    assert len(inner) == len(after)


def test_path_rows_know_nothing_beyond_their_origin() -> None:
    counts = poisson(400)
    before = make_feature_table(daily(counts), hospital())
    paths = before[before["use"] == "path"]
    origin = sorted(paths["origin"].unique())[5]
    changed = counts.copy()
    changed[(origin - pd.Timestamp("2021-01-01")).days + 1 :] *= 3
    after = make_feature_table(daily(changed), hospital())
    known = (before["use"] == "path") & (before["origin"] <= origin)
    pd.testing.assert_frame_equal(before.loc[known, KNOWN_AT_ORIGIN], after.loc[known, KNOWN_AT_ORIGIN])
    later = (before["use"] == "path") & (before["origin"] > origin)
    assert not np.allclose(before.loc[later, "log_base_rate"], after.loc[later, "log_base_rate"])


def test_training_levels_know_nothing_beyond_their_origin() -> None:
    counts = np.full(50, 4)
    changed = counts.copy()
    changed[30:] = 9
    before, after = (make_feature_table(daily(series), hospital(7)) for series in (counts, changed))
    known = (before["origin"] < pd.Timestamp("2021-01-31")) & (before["use"] == "train")
    pd.testing.assert_frame_equal(before.loc[known, KNOWN_AT_ORIGIN], after.loc[known, KNOWN_AT_ORIGIN])


def test_levels_of_a_constant_series_agree_and_give_its_rate() -> None:
    table = make_feature_table(daily(np.full(420, 6)), hospital())
    forecast = table[table["use"] == "forecast"]
    np.testing.assert_allclose(np.exp(forecast["log_base_rate"].to_numpy()), 6, rtol=0.02)
    assert forecast[["level_3_10", "level_30_10", "level_120_10"]].abs().max().max() < 0.01
    assert forecast["weekday_ratio"].between(0.98, 1.02).all()


def test_rows_are_every_origin_by_the_training_horizons_and_whole_inner_paths() -> None:
    table = make_feature_table(daily(poisson(400)), hospital())
    today = pd.Timestamp("2021-01-01") + pd.Timedelta(days=399)
    assert (table["target_date"] == table["origin"] + pd.to_timedelta(table["h"], unit="D")).all()
    training = table[(table["use"] == "train") & (table["fit_until"] == today)]
    assert len(training) == sum(400 - h for h in TRAINING_HORIZONS)
    paths = table[table["use"] == "path"]
    assert (paths.groupby("origin")["h"].agg(list).map(lambda h: h == list(range(1, 29)))).all()
    assert paths["target_date"].max() == today
    assert (paths["fit_until"] == today - pd.Timedelta(days=120)).all()
    assert paths["origin"].min() >= today - pd.Timedelta(days=120)
    forecast = table[table["use"] == "forecast"]
    assert (forecast["origin"] == today).all()
    assert forecast["arrivals"].isna().all()


def test_an_outage_is_not_a_day_without_arrivals() -> None:
    counts, observed = poisson(300), np.ones(300, dtype=bool)
    observed[250:260] = False
    zeros = np.where(observed, counts, 0)
    table = make_feature_table(daily(zeros, observed), hospital())
    again = make_feature_table(daily(np.where(observed, counts, 99), observed), hospital())
    pd.testing.assert_frame_equal(table, again)
    outage = pd.date_range("2021-01-01", periods=300)[250:260]
    assert not table.loc[table["use"] == "train", "target_date"].isin(outage).any()


@pytest.mark.parametrize(("counts", "rate"), [(np.zeros(60, int), 1 / 120), (np.array([7]), 7.5), (np.array([0]), 0.5)])
def test_the_emptiest_histories_have_a_small_positive_rate(counts: np.ndarray, rate: float) -> None:
    table = make_feature_table(daily(counts), hospital(7))
    forecast = table[table["use"] == "forecast"]
    assert np.exp(forecast["log_base_rate"].to_numpy()) == pytest.approx(rate, rel=0.5)


def test_a_long_horizon_is_trained_further_ahead_and_has_longer_paths() -> None:
    table = make_feature_table(daily(poisson(700)), hospital(100))
    assert set(table.loc[table["use"] == "train", "h"]) == {*TRAINING_HORIZONS, *FURTHER_HORIZONS[:4]}
    paths = table[table["use"] == "path"]
    assert paths["h"].max() == 100
    assert paths["fit_until"].iloc[0] == table["fit_until"].max() - pd.Timedelta(days=350)


def test_events_of_the_target_day_stand_in_their_rows(tmp_path: Path) -> None:
    (tmp_path / "fairs.csv").write_text("date,name\n2021-03-02,fair\n2021-03-02,strike\n2021-02-20,fair\n")
    config = hospital(7)
    config = config.model_copy(update={"hospital": config.hospital.model_copy(update={"events": "fairs.csv"})})
    table = make_feature_table(daily(poisson(58)), config, tmp_path)
    named = table.drop_duplicates("target_date").dropna(subset="events").set_index("target_date")["events"]
    expected = {pd.Timestamp("2021-02-20"): "fair", pd.Timestamp("2021-03-02"): "fair; strike"}
    assert named.to_dict() == expected
