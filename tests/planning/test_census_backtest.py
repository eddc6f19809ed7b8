"""The back-test of the census: what is compared with what, what is kept, and the notes when it is not possible."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kaizar_pipeline import HospitalConfig, load_history, load_hospital_config
from kaizar_pipeline.chain.steps import prepare_backtest
from kaizar_pipeline.patients.observed_census import observed_census
from kaizar_pipeline.planning import census_backtest
from kaizar_pipeline.planning.census_backtest import (
    BASELINES,
    HOURS,
    PERSISTENCE,
    SIX_WEEKS,
    TWIN,
    WEEKDAY,
    YESTERDAY,
    BacktestOptions,
    KeptBacktest,
    OccupancyBacktest,
    backtest_occupancy,
)
from kaizar_pipeline.planning.full_days import FULL
from kaizar_pipeline.tables import OCCUPANCY_BACKTEST, OCCUPANCY_SCORES

AS_OF = pd.Timestamp("2026-09-01")


def day(offset: int) -> pd.Timestamp:
    return AS_OF - pd.Timedelta(days=offset)


@pytest.fixture
def tiny(make_home: Callable[..., Path]) -> HospitalConfig:
    return load_hospital_config(make_home("tiny") / "hospital_configs" / "tiny.yml")


def backtest(
    config: HospitalConfig,
    home: Path | None = None,
    as_of: pd.Timestamp = AS_OF,
    kept: pd.DataFrame | KeptBacktest | None = None,
    **options: Any,
) -> OccupancyBacktest:
    history = load_history(config, home, as_of)
    chosen: dict[str, Any] = {"replications": 20, "workers": 1} | options
    known = kept if isinstance(kept, KeptBacktest) else KeptBacktest(kept)
    return backtest_occupancy(config, history, prepare_backtest, home, BacktestOptions(**chosen), known)


@pytest.mark.integration
def test_forecasts_and_baselines_are_scored_against_the_observed_census(tiny: HospitalConfig):
    found = backtest(tiny, origins=2)
    rows = found.occupancy_backtest
    assert not found.notes
    origins = sorted(rows["origin"].unique())
    assert origins == [day(20), day(12)]
    assert set(rows["method"]) == {TWIN, *BASELINES}
    assert len(rows) == 5 * 2 * 3 * 4 * 7  # methods, origins, two wards and the hospital, hours, days ahead
    leads = {hour: sorted(of["lead"].unique()) for hour, of in rows.groupby("hour")}
    assert leads[0] == [1, 2, 3, 4, 5, 6, 7]  # the midnight that ends the horizon is the last instant
    assert leads[6] == leads[12] == leads[18] == [0, 1, 2, 3, 4, 5, 6]
    assert rows["capacity_known"].all()

    history = load_history(tiny, None, AS_OF)
    seen = observed_census(history.patients, history.ward_stays, tiny.ward_axis, HOURS)
    seen = seen.set_index(["ward_id", "date", "hour"])["actual"]
    for _, row in rows[(rows["ward_id"] == "ward") & (rows["method"] != TWIN)].iterrows():
        known = seen["ward"][seen["ward"].index.get_level_values("date") < row["origin"]]
        known = pd.concat([known, seen["ward"].loc[[(row["origin"], 0)]]])
        dates, hours = (known.index.get_level_values(level) for level in ("date", "hour"))
        same_weekday = known[(hours == row["hour"]) & (dates.day_of_week == row["date"].day_of_week)]
        used = {
            PERSISTENCE: known.iloc[-1:],
            YESTERDAY: known[hours == row["hour"]].iloc[-1:],
            SIX_WEEKS: same_weekday.iloc[-6:],
            WEEKDAY: same_weekday,
        }[row["method"]]
        assert row["actual"] == seen["ward", row["date"], row["hour"]]
        assert row["mean"] == pytest.approx(used.mean())
        if len(used) == 1:
            assert row["p025"] == row["p975"] == used.iloc[0]
            assert row["crps"] == abs(used.iloc[0] - row["actual"])

    scores = found.occupancy_scores
    assert len(scores) == 5 * 3 * 4 * 2  # a week ahead, and all weeks together
    assert set(scores["lead_week"]) == {0, 1}
    assert set(scores["independent_dates"]) == {2}
    OCCUPANCY_BACKTEST.conform(rows, ("run_id",))
    OCCUPANCY_SCORES.conform(scores, ("run_id",))


@pytest.mark.integration
def test_the_number_of_workers_does_not_change_the_result(tiny: HospitalConfig):
    origins = [day(15), day(7)]
    one, two = (backtest(tiny, origins=origins, workers=workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one.occupancy_backtest, two.occupancy_backtest, check_exact=True)
    pd.testing.assert_frame_equal(one.occupancy_scores, two.occupancy_scores, check_exact=True)


@pytest.mark.integration
def test_too_short_a_history_has_empty_tables_and_a_note(tiny: HospitalConfig):
    history = load_history(tiny, None, "2026-03-01")
    found = backtest_occupancy(tiny, history, prepare_backtest)
    assert found.occupancy_backtest.empty
    assert found.occupancy_scores.empty
    assert found.notes == (
        "tiny: no back-test of the census: no origin of the grid has 180 days of history before it and 7 days after it",
    )


def extract(home: Path, days: int) -> HospitalConfig:
    """A ward of two beds whose extract has three patients at every midnight: one arrives a day and stays three days."""
    arrivals = pd.date_range(AS_OF - pd.Timedelta(days=days), periods=days)
    rows = [f"{i},{day:%Y-%m-%d},{day + pd.Timedelta(days=3):%Y-%m-%d}" for i, day in enumerate(arrivals)]
    (home / "extract.csv").write_text("\n".join(["id,arrival,departure", *rows]), encoding="utf-8")
    return HospitalConfig.model_validate(
        {
            "id": "clockwork",
            "hospital": {"name": "Clockwork", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {
                "source": "csv",
                "path": "extract.csv",
                "columns": {"patient_id": "id", "arrival": "arrival", "departure": "departure"},
                "max_age_days": None,
                "pseudonym_key": "test",
            },
            "wards": [{"id": "w", "capacity": 2, "weekday_capacity": {"Sun": 1}, "los_model": {"type": "from_data"}}],
            "patient_types": [{"id": "p"}],
            "arrival_streams": [
                {
                    "id": "s",
                    "target_ward": "w",
                    "patient_type": "p",
                    "model": {"type": "schedule", "pattern": "Mon,Tue,Wed,Thu,Fri,Sat,Sun", "mean_per_day": 1,
                              "variability": "fixed", "on_holidays": True},
                }
            ],
            "simulation": {"horizon_days": 7},
        }
    )  # fmt: skip


@pytest.mark.integration
def test_wards_of_an_extract_have_at_least_the_beds_that_were_in_use(tmp_path: Path):
    found = backtest(extract(tmp_path, 260), tmp_path, origins=[day(10), day(400)])
    (note,) = found.notes
    assert note.startswith("clockwork: 2025-07-28 is left out of the back-test: extract.csv: nothing before as_of")
    rows = found.occupancy_backtest
    assert not rows["capacity_known"].any()
    assert set(rows["hour"]) == {0}  # stamps are days: nobody knows who was there at noon
    assert set(rows["actual"]) == {3}
    twin = rows[(rows["method"] == TWIN) & (rows["ward_id"] == "w")]
    # with two beds, and one on Sundays, the third patient would have no bed
    assert twin["p50"].between(2, 3).all()
    assert (twin["p90"] == 3).mean() > 0.5
    assert (rows.loc[rows["method"] == PERSISTENCE, "crps"] == 0).all()


@pytest.mark.integration
def test_an_unknown_census_is_not_back_tested(tmp_path: Path):
    config = extract(tmp_path, 260)
    patients = config.patients.model_copy(update={"missing_departure": "unknown"})
    config = config.model_copy(
        update={"patients": patients, "simulation": config.simulation.model_copy(update={"start": "empty"})}
    )
    found = backtest(config, tmp_path)
    assert found.occupancy_backtest.empty
    assert "departures are not always recorded" in found.notes[0]


@pytest.mark.integration
def test_origins_without_a_forecast_are_left_out_with_a_note(tiny: HospitalConfig):
    start = pd.Timestamp(str(tiny.patients.history_start))  # pyright: ignore[reportAttributeAccessIssue]
    found = backtest(tiny, origins=[AS_OF, start + pd.Timedelta(days=3)])
    assert found.occupancy_backtest.empty
    assert [note.split(": ", 2)[2] for note in found.notes] == [
        "none of the censuses ahead has been observed", "fewer than 7 days were known",
    ]  # fmt: skip
    assert backtest(tiny, origins=0).notes == ("tiny: no back-test of the census: 0 origins were requested",)


def computed_origins(monkeypatch: pytest.MonkeyPatch) -> list[pd.Timestamp]:
    """The origins that the chain is run for from here on."""
    found = []
    original = census_backtest.predicted_census

    def recorded(config, history, *others):
        found.append(history.as_of)
        return original(config, history, *others)

    monkeypatch.setattr(census_backtest, "predicted_census", recorded)
    return found


@pytest.mark.integration
def test_a_later_run_computes_new_origins_only_and_changes_no_row(
    tiny: HospitalConfig, monkeypatch: pytest.MonkeyPatch
):
    computed = computed_origins(monkeypatch)
    first = backtest(tiny, origins=2)
    kept = KeptBacktest(first.occupancy_backtest, first.full_backtest)
    for days_later, new in ((1, 0), (8, 1)):
        later = AS_OF + pd.Timedelta(days=days_later)
        anew = backtest(tiny, origins=2, as_of=later)
        computed.clear()
        found = backtest(tiny, origins=2, as_of=later, kept=kept)
        pd.testing.assert_frame_equal(found.occupancy_backtest, anew.occupancy_backtest, check_exact=True)
        pd.testing.assert_frame_equal(found.occupancy_scores, anew.occupancy_scores, check_exact=True)
        pd.testing.assert_frame_equal(found.full_backtest, anew.full_backtest, check_exact=True)
        assert len(computed) == new


@pytest.mark.integration
def test_chances_of_full_days_stand_beside_what_happened(tiny: HospitalConfig):
    rows = backtest(tiny, origins=2).full_backtest
    assert len(rows) == 2 * 3 * 7  # origins, two wards and the hospital, days ahead
    assert set(rows["level"]) == {FULL}
    assert sorted(rows["day_ahead"].unique()) == [1, 2, 3, 4, 5, 6, 7]
    history = load_history(tiny, None, AS_OF)
    seen = observed_census(history.patients, history.ward_stays, tiny.ward_axis, range(24))
    full = seen["actual"] >= seen["ward_id"].map({"ed": 4, "ward": 7, "_hospital": 11})
    happened = full.groupby([seen["ward_id"], seen["date"]]).any()
    assert rows["happened"].tolist() == happened.loc[list(zip(rows["ward_id"], rows["date"], strict=True))].tolist()
    dates = pd.DatetimeIndex(happened.index.get_level_values("date"))
    for row in rows.to_dict("records"):
        before = happened[(dates < row["origin"]) & (dates.day_of_week == row["date"].day_of_week)]
        assert row["reference"] == pytest.approx(before.loc[row["ward_id"]].iloc[-52:].mean())


@pytest.mark.integration
def test_other_settings_keep_nothing(tiny: HospitalConfig, monkeypatch: pytest.MonkeyPatch):
    kept = backtest(tiny, origins=1).occupancy_backtest
    computed = computed_origins(monkeypatch)
    backtest(tiny, origins=1, kept=kept)
    assert not computed
    backtest(tiny, origins=1, kept=kept, replications=21)
    simulation = tiny.simulation.model_copy(update={"seed": 9})
    backtest(tiny.model_copy(update={"simulation": simulation}), origins=1, kept=kept)
    backtest(tiny, origins=1, kept=kept.assign(inputs_hash=None))
    assert len(computed) == 3


@pytest.mark.integration
def test_a_corrected_extract_keeps_the_origins_before_the_correction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = extract(tmp_path, 260)
    kept = backtest(config, tmp_path, origins=[day(30), day(10)]).occupancy_backtest
    source = tmp_path / "extract.csv"
    rows = source.read_text(encoding="utf-8").splitlines()
    source.write_text("\n".join([*rows[:-8], *rows[-7:]]), encoding="utf-8")
    computed = computed_origins(monkeypatch)
    found = backtest(config, tmp_path, origins=[day(30), day(10)], kept=kept).occupancy_backtest
    assert computed == [day(10)]
    assert found.loc[found["origin"] == day(10), "actual"].min() == 2


@pytest.mark.integration
def test_origins_at_eight_stand_beside_those_of_midnight(tiny: HospitalConfig):
    eight = AS_OF + pd.Timedelta(hours=8)
    midnight = backtest(tiny, origins=2)
    found = backtest(tiny, as_of=eight, origins=2, kept=midnight.occupancy_backtest)
    origins = sorted(found.scored["origin"].unique())
    assert origins == [day(28) + pd.Timedelta(hours=8), day(12) + pd.Timedelta(hours=8)]
    leads = {hour: sorted(of["lead"].unique()) for hour, of in found.scored.groupby("hour")}
    assert leads[0] == [1, 2, 3, 4, 5, 6, 7, 8]  # the midnight that ends the horizon is the last instant
    assert leads[8][0] == 1  # the census of the origin itself is known
    assert leads[12][0] == leads[18][0] == 0  # later on its day
    persistence = found.scored[found.scored["method"] == PERSISTENCE]
    history = load_history(tiny, None, eight)
    seen = observed_census(history.patients, history.ward_stays, tiny.ward_axis, [8])
    seen = seen.set_index(["ward_id", "date"])["actual"]
    for origin, rows in persistence[persistence["ward_id"] == "ward"].groupby("origin"):
        assert (rows["p50"] == seen["ward", pd.Timestamp(str(origin)).normalize()]).all()
    together = found.occupancy_backtest
    old = together[together["origin"].dt.hour == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(old.drop(columns="as_of"), midnight.occupancy_backtest.drop(columns="as_of"))
    assert (together["as_of"] == eight).all()
    assert set(found.occupancy_scores["hour"]) == {0, 6, 8, 12, 18}

    # the next run at midnight computes its own rows anew only where something changed, and leaves those of 8:00
    again = backtest(tiny, as_of=AS_OF + pd.Timedelta(days=1), origins=2, kept=together)
    kept = again.occupancy_backtest
    assert set(kept.loc[kept["origin"].dt.hour == 8, "origin"]) == set(origins)
    # a run of the past does not show what was scored after it
    past = backtest(tiny, as_of=day(10), origins=1, kept=together)
    assert day(12) + pd.Timedelta(hours=8) not in past.occupancy_backtest["origin"].tolist()
