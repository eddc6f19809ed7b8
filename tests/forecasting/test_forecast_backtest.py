"""The back-test forecasts from known days only, scores against the observed ones, and ranks the methods."""

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.forecasting import forecast_backtest
from kaizar_pipeline.forecasting.baselines import BASELINES, CALENDAR_GLM, SEASONAL_NAIVE
from kaizar_pipeline.forecasting.forecast_backtest import MODEL, backtest_forecast, backtest_origins, score_forecasts
from kaizar_pipeline.forecasting.origins import past_origins
from kaizar_pipeline.tables import DAILY_ARRIVALS, FORECAST_BACKTEST, FORECAST_PERCENTAGES, FORECAST_SCORES

pytestmark = pytest.mark.unit

AS_OF = pd.Timestamp("2024-06-03")
FORECAST = ["mean", *(f"p{q}" for q in FORECAST_PERCENTAGES)]


def hospital(*streams: str, horizon: int = 14) -> HospitalConfig:
    forecast = {"target_ward": "ed", "patient_type": "adult", "model": {"type": "ml_poisson"}}
    planned = {"type": "constant", "mean_per_day": 2}
    return HospitalConfig.model_validate(
        {
            "id": "x",
            "hospital": {"name": "X", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {
                "source": "synthetic",
                "history_start": "2023-01-01",
                "truth": {"streams": {name: {"mean_per_day": 5} for name in streams}},
            },
            "wards": [{"id": "ed", "capacity": 9, "los_model": {"type": "exponential", "params": {"mean": 5}}}],
            "patient_types": [{"id": "adult"}],
            "arrival_streams": [
                *({"id": name, **forecast} for name in streams),
                {"id": "planned", "target_ward": "ed", "patient_type": "adult", "model": planned},
            ],
            "simulation": {"horizon_days": horizon},
        }
    )


def daily(**streams: np.ndarray) -> pd.DataFrame:
    frames = []
    for name, counts in streams.items():
        dates = pd.date_range(end=AS_OF - pd.Timedelta(days=1), periods=len(counts))
        frames.append(pd.DataFrame({"stream_id": name, "date": dates, "arrivals": counts}))
    rows = pd.concat(frames).assign(admitted=None, turned_away=None, observed=True, demand_observed=True)
    return DAILY_ARRIVALS.frame(rows, hospital_id="x", as_of=AS_OF)


def poisson(days: int, mean: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).poisson(mean, days)


def test_an_origin_is_the_last_known_day_before_a_midnight_of_the_grid():
    first = AS_OF - pd.Timedelta(days=104)
    midnights = past_origins(first, AS_OF, horizon=14, learn_days=70, at_most=12)
    assert len(midnights) in (2, 3)  # 70 days known before them and 14 after them: 21 midnights to choose from
    assert backtest_origins(first, AS_OF, 14, 12) == [midnight - pd.Timedelta(days=1) for midnight in midnights]


def test_every_method_is_scored_on_the_observed_days():
    arrivals = daily(walk_in=poisson(200, 20), planned=np.full(200, 2))
    backtest = backtest_forecast(arrivals, hospital("walk_in"), origins=3, workers=1)
    pd.testing.assert_frame_equal(backtest, FORECAST_BACKTEST.conform(backtest, ("run_id",)))
    assert set(backtest["method"]) == {MODEL, *BASELINES}
    assert set(backtest["stream_id"]) == {"walk_in"}
    assert len(backtest) == 3 * 14 * 4
    observed = arrivals[arrivals["stream_id"] == "walk_in"].set_index("date")["arrivals"]
    assert (backtest["actual"].to_numpy() == observed[backtest["target_date"]].to_numpy()).all()
    assert ((backtest["target_date"] - backtest["origin"]).dt.days == backtest["h"]).all()
    assert set(backtest.loc[backtest["sum7_actual"].notna(), "h"]) == {7, 14}
    week = backtest[(backtest["method"] == MODEL) & (backtest["h"] <= 7)].groupby("origin")
    assert (week["actual"].sum().to_numpy() == week["sum7_actual"].last().to_numpy()).all()
    assert (backtest[FORECAST[1:]].diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)


def test_a_forecast_sees_nothing_after_its_origin():
    counts = poisson(200, 20)
    config = hospital("walk_in")
    before = backtest_forecast(daily(walk_in=counts), config, origins=2, workers=1)
    changed = counts.copy()
    last = before["origin"].max()
    changed[-(AS_OF - last).days + 1 :] += 40
    after = backtest_forecast(daily(walk_in=changed), config, origins=2, workers=1)
    pd.testing.assert_frame_equal(before[FORECAST], after[FORECAST])
    rows = before["origin"] == last
    assert (after.loc[rows, "crps"] > before.loc[rows, "crps"]).all()


def test_the_number_of_workers_does_not_change_the_result():
    arrivals = daily(walk_in=poisson(150, 20), ambulance=poisson(150, 4, seed=2))
    config = hospital("walk_in", "ambulance")
    one, two = (backtest_forecast(arrivals, config, origins=3, workers=workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_the_horizon_is_at_most_four_weeks():
    backtest = backtest_forecast(daily(walk_in=poisson(120, 20)), hospital("walk_in", horizon=3), origins=1, workers=1)
    assert backtest["h"].max() == 3
    assert backtest["sum7_pit"].isna().all()
    assert set(score_forecasts(backtest)["span"]) == {"day"}


def test_days_not_observed_are_not_scored():
    arrivals = daily(walk_in=poisson(150, 20))
    [origin] = backtest_origins(arrivals["date"].min(), AS_OF, 14, 1)
    lost = arrivals["date"] == origin + pd.Timedelta(days=12)
    arrivals.loc[lost, ["arrivals", "observed"]] = [0, False]
    backtest = backtest_forecast(arrivals, hospital("walk_in"), origins=1, workers=1)
    model = backtest[backtest["method"] == MODEL].set_index("h")
    assert set(range(1, 15)) - set(model.index) == {12}
    assert model["sum7_actual"].notna().to_dict()[7]
    assert not model["sum7_actual"].notna().to_dict()[14]


@pytest.mark.parametrize("streams", [("walk_in",), ()])
def test_without_history_or_streams_the_tables_are_empty(streams: tuple[str, ...]):
    arrivals = daily(**dict.fromkeys((*streams, "planned"), poisson(80, 20)))
    backtest = backtest_forecast(arrivals, hospital(*streams))
    assert backtest.empty
    scores = score_forecasts(backtest)
    assert scores.empty
    assert list(scores.columns) == [name for name in FORECAST_SCORES.column_names if name != "run_id"]


def test_a_steady_rate_is_worth_what_theory_says():
    # the last week carries a day's own noise: its errors have twice the variance, so CRPS is larger by the root of 2
    backtest = backtest_forecast(daily(walk_in=poisson(400, 50)), hospital("walk_in"), workers=1, origins=8)
    board = score_forecasts(backtest).query("span == 'day' and horizon_week == 0").set_index("method")
    assert board.loc[CALENDAR_GLM, "skill"] == pytest.approx(1 - 1 / np.sqrt(2), abs=0.05)
    assert board.loc[MODEL, "skill"] == pytest.approx(1 - 1 / np.sqrt(2), abs=0.05)
    model = board.loc[[MODEL]]
    assert model["coverage80"].between(model["coverage80_low"], model["coverage80_high"]).all()


def handmade() -> pd.DataFrame:
    """Two origins, two days ahead, two methods, with round numbers."""
    origins = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-02-01", "2024-02-01"])
    rows = pd.DataFrame({"origin": origins, "h": [1, 2, 1, 2], "actual": [10, 10, 20, 20]})
    rows["target_date"] = rows["origin"] + pd.to_timedelta(rows["h"], unit="D")
    quantiles = {f"p{q}": 10.0 for q in FORECAST_PERCENTAGES}
    model = rows.assign(method=MODEL, mean=[11, 9, 10, 10], crps=[1, 1, 4, 4], pit=[0.05, 0.3, 0.95, 0.5], **quantiles)
    naive = rows.assign(method=SEASONAL_NAIVE, mean=10, crps=[2, 2, 1, 3], pit=0.5, **quantiles)
    frame = pd.concat([model, naive]).assign(stream_id="walk_in", scale=5.0)
    empty = dict.fromkeys(("sum7_actual", "sum7_mean", "sum7_crps", "sum7_pit", "inputs_hash"), None)
    return FORECAST_BACKTEST.frame(frame.assign(**empty), hospital_id="x", as_of=AS_OF)


def test_the_scoreboard_by_hand():
    scores = score_forecasts(handmade())
    assert set(scores["span"]) == {"day"}
    assert set(scores["horizon_week"]) == {0, 1}
    board = scores[scores["horizon_week"] == 0].set_index("method").to_dict("index")
    model, naive = board[MODEL], board[SEASONAL_NAIVE]
    assert (model["n"], model["crps"], naive["crps"]) == (4, 2.5, 2.0)
    assert (model["skill"], naive["skill"]) == (-0.25, 0)
    assert (model["rank"], naive["rank"]) == (2, 1)
    assert model["loses_to"] == "seasonal_naive by 20.0%"
    assert pd.isna(naive["loses_to"])
    assert model["bias"] == -5  # means of 10 on average, against 15
    assert model["mase"] == 1  # errors of the median 0, 0, 10, 10 over a scale of 5
    assert model["pinball"] == pytest.approx(2.5)  # 10 short twice: 10 p, which is 5 on average over the levels
    assert [model[f"coverage{level}"] for level in (50, 80, 95)] == [0.5, 0.5, 1.0]


def test_naive_forecasts_without_error_leave_skill_open():
    perfect = handmade()
    perfect.loc[perfect["method"] == SEASONAL_NAIVE, "crps"] = 0.0
    assert score_forecasts(perfect)["skill"].isna().all()


class TestKeptRows:
    """Rows of an earlier table are used again where their inputs are the same, and only there."""

    COUNTS = poisson(240, 20)
    CONFIG = hospital("walk_in")

    @pytest.fixture
    def computed(self, monkeypatch: pytest.MonkeyPatch) -> list[pd.Timestamp]:
        """The days from which a model is trained."""
        found = []
        original = forecast_backtest.make_feature_table

        def recorded(arrivals: pd.DataFrame, *others):
            found.append(arrivals["as_of"].iloc[0])
            return original(arrivals, *others)

        monkeypatch.setattr(forecast_backtest, "make_feature_table", recorded)
        return found

    @pytest.mark.parametrize("days_later", [1, 16])
    def test_a_later_run_computes_new_origins_only_and_changes_no_row(
        self, days_later: int, computed: list[pd.Timestamp]
    ):
        longer = daily(walk_in=self.COUNTS)
        as_of = AS_OF - pd.Timedelta(days=days_later)
        shorter = longer[longer["date"] < as_of].assign(as_of=as_of)
        kept = backtest_forecast(shorter, self.CONFIG, origins=3, workers=1)
        anew = backtest_forecast(longer, self.CONFIG, origins=3, workers=1)
        computed.clear()
        found = backtest_forecast(longer, self.CONFIG, origins=3, kept=kept, workers=1)
        pd.testing.assert_frame_equal(found, anew, check_exact=True)
        assert len(computed) == days_later // 16

    def test_a_corrected_day_recomputes_the_origins_that_know_or_score_it(self, computed: list[pd.Timestamp]):
        kept = backtest_forecast(daily(walk_in=self.COUNTS), self.CONFIG, origins=3, workers=1)
        last = kept["origin"].max()
        corrected = daily(walk_in=self.COUNTS)
        corrected.loc[corrected["date"] == last, "arrivals"] += 1
        computed.clear()
        backtest_forecast(corrected, self.CONFIG, origins=3, kept=kept, workers=1)
        # the day before the last origin lies in the horizon of none of the earlier ones: 16 days apart, 14 ahead
        assert computed == [last + pd.Timedelta(days=1)]

    def test_another_seed_keeps_nothing(self, computed: list[pd.Timestamp]):
        kept = backtest_forecast(daily(walk_in=self.COUNTS), self.CONFIG, origins=2, workers=1)
        simulation = self.CONFIG.simulation.model_copy(update={"seed": 7})
        computed.clear()
        backtest_forecast(
            daily(walk_in=self.COUNTS),
            self.CONFIG.model_copy(update={"simulation": simulation}),
            origins=2,
            kept=kept,
            workers=1,
        )
        assert len(computed) == 2


def test_a_stream_is_not_forecast_from_before_its_first_day():
    arrivals = daily(walk_in=poisson(300, 20), new=poisson(300, 20, seed=2))
    opened = AS_OF - pd.Timedelta(days=60)
    arrivals.loc[(arrivals["stream_id"] == "new") & (arrivals["date"] < opened), "observed"] = False
    rows = backtest_forecast(arrivals, hospital("walk_in", "new"), origins=12, workers=1)
    by_stream = rows.groupby("stream_id")["origin"].min()
    assert by_stream["walk_in"] < opened <= by_stream["new"]


def test_a_hospital_without_an_observed_day_has_no_back_test():
    arrivals = daily(walk_in=poisson(300, 20)).assign(observed=False)
    assert backtest_forecast(arrivals, hospital("walk_in"), origins=2, workers=1).empty
