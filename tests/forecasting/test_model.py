"""The trees correct the base rate, and only when they can."""

import json

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalInfo
from kaizar_pipeline.forecasting import features as features_module
from kaizar_pipeline.forecasting import model as model_module
from kaizar_pipeline.forecasting.calendar_effects import day_features
from kaizar_pipeline.forecasting.model import FEATURES, predict_rates, train_lgbm_poisson
from kaizar_pipeline.tables import FEATURE_TABLE

pytestmark = pytest.mark.unit


def feature_table(counts: np.ndarray, horizon: int = 28) -> pd.DataFrame:
    as_of = pd.Timestamp("2021-01-01") + pd.Timedelta(days=len(counts))
    dates = pd.date_range("2021-01-01", periods=len(counts) + horizon, unit="us")
    days = day_features(dates, HospitalInfo(name="X", timezone="UTC", country="NL"))
    days["arrivals"] = pd.Series(counts, dates[: len(counts)], dtype="float64")
    rows = pd.concat(features_module._stream_rows(days, horizon, horizon, None))
    return FEATURE_TABLE.frame(rows, stream_id="walk_in", hospital_id="x", as_of=as_of)


def switching(days: int = 500) -> np.ndarray:
    """A level that jumps up and back every fortnight: the levels tell where it goes, so trees can help."""
    rates = np.where(np.arange(days) // 14 % 2 == 0, 10.0, 40.0)
    return np.random.default_rng(1).poisson(rates)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return feature_table(switching())


@pytest.fixture(scope="module")
def model(table: pd.DataFrame) -> pd.Series:
    return train_lgbm_poisson(table).iloc[0]


def test_prediction_is_trees_plus_offset(table: pd.DataFrame, model: pd.Series) -> None:
    import lightgbm as lgb

    assert model["trees"] > 0
    assert model["deviance_model"] < model["deviance_base"]
    rows = table[table["use"] == "forecast"]
    raw = lgb.Booster(model_str=model["model_text"]).predict(rows[list(FEATURES)].to_numpy(float), raw_score=True)
    expected = np.exp(np.asarray(raw) + rows["log_base_rate"].to_numpy())
    np.testing.assert_allclose(predict_rates(model, rows), expected, rtol=1e-12)


def test_without_trees_the_base_rate_is_the_prediction(table: pd.DataFrame, model: pd.Series) -> None:
    bare = model.copy()
    bare["trees"], bare["model_text"] = 0, None
    np.testing.assert_array_equal(predict_rates(bare, table), np.exp(table["log_base_rate"]))


def test_the_same_table_gives_the_same_bytes(table: pd.DataFrame, model: pd.Series) -> None:
    again = train_lgbm_poisson(table.sample(frac=1, random_state=1).sort_index()).iloc[0]
    assert again["model_text"] == model["model_text"]
    assert again.drop("as_of").to_dict() == model.drop("as_of").to_dict()


def test_forecast_rows_have_no_part_in_training(table: pd.DataFrame, model: pd.Series) -> None:
    changed = table.copy()
    changed.loc[changed["use"] == "forecast", "weekday_ratio"] = 9.0
    assert train_lgbm_poisson(changed).iloc[0]["model_text"] == model["model_text"]


def test_pure_noise_gets_no_or_few_trees_and_names_its_calendar() -> None:
    row = train_lgbm_poisson(feature_table(np.random.default_rng(4).poisson(6.0, 400))).iloc[0]
    assert row["trees"] < 40
    assert row["n_days"] == 400
    assert "weekday_Mon" in json.loads(row["calendar"])
    assert not row["prior_used"]


@pytest.mark.parametrize("counts", [np.array([3]), np.zeros(60, int), np.zeros(300, int), np.full(100, 9)])
def test_short_or_empty_histories_have_no_trees_but_a_model(counts: np.ndarray) -> None:
    row = train_lgbm_poisson(feature_table(counts, 7)).iloc[0]
    assert row["trees"] == 0
    assert row["cov_a"] >= 0
    assert row["inv_k"] >= 0
    assert row["prior_used"] == (len(counts) < 180)


def test_a_hospital_without_forecast_streams_has_no_models() -> None:
    empty = feature_table(np.full(20, 3)).iloc[:0]
    assert train_lgbm_poisson(empty).empty


def test_any_number_of_workers_gives_the_same_models(table: pd.DataFrame) -> None:
    both = pd.concat([table, feature_table(np.random.default_rng(2).poisson(9.0, 300)).assign(stream_id="ambulance")])
    one, two = (train_lgbm_poisson(both, workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert one["stream_correlation"].nunique() == 1


@pytest.mark.parametrize(
    ("counts", "method"),
    [
        (np.full(56, 9), "level"),
        (np.tile([1, 0, 0, 0, 0, 0, 0], 29), "level"),
        (np.full(57, 9), "base_rate"),
        (switching(), "trees"),
    ],
)
def test_the_method_is_named(counts: np.ndarray, method: str) -> None:
    assert train_lgbm_poisson(feature_table(counts, 7)).iloc[0]["method"] == method


@pytest.mark.parametrize(
    ("weekly_gains", "gain"), [([1, 1, 1, 1], True), ([4, 0, 0, 0], False), ([3, -1, -1, 0], False), ([0, 0], False)]
)
def test_a_gain_must_exceed_its_standard_error(weekly_gains: list[float], gain: bool) -> None:
    gains = np.repeat(np.array(weekly_gains, dtype=float), 2)
    assert model_module._is_gain(gains, np.repeat(np.arange(len(weekly_gains)), 2)) is gain
