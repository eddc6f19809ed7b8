"""The census back-tested: which mornings, what is compared with what, and what is said when it cannot be done."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline import HospitalConfig, load_history, load_hospital_config
from kaizar_pipeline.chain.steps import prepare_backtest
from kaizar_pipeline.forecasting.origins import past_origins
from kaizar_pipeline.patients.observed_census import observed_midnights
from kaizar_pipeline.planning.census_backtest import (
    MIN_HISTORY_DAYS,
    PERSISTENCE,
    TWIN,
    WEEKDAY,
    OccupancyBacktest,
    backtest_occupancy,
)
from kaizar_pipeline.tables import OCCUPANCY_BACKTEST, OCCUPANCY_SCORES

AS_OF = pd.Timestamp("2026-09-01")


def day(offset: int) -> pd.Timestamp:
    return AS_OF - pd.Timedelta(days=offset)


@pytest.mark.unit
@pytest.mark.parametrize(
    ("days_known", "dates", "back"),
    [
        (1000, 3, [86, 57, 28]),  # horizon and a day apart: forecasts share no day
        (180 + 28 + 20, 3, [48, 38, 28]),  # closer where the history is short
        (180 + 28 + 10, 12, [36, 28]),  # at least 8 days apart, rather fewer
        (180 + 28 + 14 * 11, 12, [28 + 15 * n for n in range(10, -1, -1)]),  # never whole weeks apart
        (180 + 28, 12, [28]),
        (180 + 27, 12, []),
        (1000, 0, []),
    ],
)
def test_the_mornings_to_look_ahead_from(days_known: int, dates: int, back: list[int]):
    found = past_origins(day(days_known), AS_OF, horizon=28, learn_days=MIN_HISTORY_DAYS, at_most=dates)
    assert [(AS_OF - date).days for date in found] == back


@pytest.fixture
def tiny(make_home: Callable[..., Path]) -> HospitalConfig:
    return load_hospital_config(make_home("tiny") / "hospital_configs" / "tiny.yml")


def backtest(config: HospitalConfig, home: Path | None = None, **options) -> OccupancyBacktest:
    history = load_history(config, home, AS_OF)
    return backtest_occupancy(config, history, prepare_backtest, home, replications=20, **options)


@pytest.mark.integration
def test_forecasts_baselines_and_what_came(tiny: HospitalConfig):
    found = backtest(tiny, dates=2, workers=1)
    rows = found.occupancy_backtest
    assert not found.notes
    origins = sorted(rows["origin"].unique())
    assert origins == [day(15), day(7)]
    assert set(rows["method"]) == {TWIN, PERSISTENCE, WEEKDAY}
    assert len(rows) == 3 * 2 * 3 * 7  # methods, mornings, two wards and the house, days ahead
    assert sorted(rows["lead"].unique()) == [1, 2, 3, 4, 5, 6, 7]
    assert rows["capacity_known"].all()

    history = load_history(tiny, None, AS_OF)
    seen = observed_midnights(history.patients, history.ward_stays, tiny.ward_ids).set_index(["ward_id", "date"])[
        "actual"
    ]
    for _, row in rows[rows["ward_id"] == "ward"].iterrows():
        assert row["actual"] == seen["ward", row["date"]]
        if row["method"] == PERSISTENCE:
            assert row["p025"] == row["p975"] == row["mean"] == seen["ward", row["origin"]]
            assert row["crps"] == abs(row["mean"] - row["actual"])
        if row["method"] == WEEKDAY:
            same = [seen["ward", date] for date in pd.date_range("2026-01-02", row["origin"])
                    if date.day_of_week == row["date"].day_of_week]  # fmt: skip
            assert row["mean"] == pytest.approx(sum(same) / len(same))

    scores = found.occupancy_scores
    assert len(scores) == 3 * 3
    assert set(scores["lead_week"]) == {1}
    assert set(scores["independent_dates"]) == {2}
    OCCUPANCY_BACKTEST.conform(rows, ("run_id",))
    OCCUPANCY_SCORES.conform(scores, ("run_id",))


@pytest.mark.integration
def test_any_number_of_processes_gives_the_same(tiny: HospitalConfig):
    dates = [day(15), day(7)]
    one, two = (backtest(tiny, dates=dates, workers=workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one.occupancy_backtest, two.occupancy_backtest, check_exact=True)
    pd.testing.assert_frame_equal(one.occupancy_scores, two.occupancy_scores, check_exact=True)


@pytest.mark.integration
def test_too_little_history_is_said_and_fails_nothing(tiny: HospitalConfig):
    history = load_history(tiny, None, "2026-03-01")
    found = backtest_occupancy(tiny, history, prepare_backtest)
    assert found.occupancy_backtest.empty
    assert found.occupancy_scores.empty
    assert found.notes == (
        "tiny: no back-test of the census: fewer than 187 days of history: 180 to learn from and 7 to look ahead",
    )


def extract(home: Path, days: int) -> HospitalConfig:
    """A ward of two beds, which its extract shows with three patients: each day one comes, and stays three days."""
    arrivals = pd.date_range(AS_OF - pd.Timedelta(days=days), periods=days)
    rows = [f"{i},{day:%Y-%m-%d},{day + pd.Timedelta(days=3):%Y-%m-%d}" for i, day in enumerate(arrivals)]
    (home / "extract.csv").write_text("\n".join(["id,came,went", *rows]), encoding="utf-8")
    return HospitalConfig.model_validate(
        {
            "id": "clockwork",
            "hospital": {"name": "Clockwork", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {
                "source": "csv",
                "path": "extract.csv",
                "columns": {"patient_id": "id", "arrival": "came", "departure": "went"},
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
def test_an_extract_of_days_is_given_the_beds_that_were_seen_in_use(tmp_path: Path):
    found = backtest(extract(tmp_path, 260), tmp_path, dates=[day(10), day(400)], workers=1)
    (note,) = found.notes
    assert note.startswith("clockwork: 2025-07-28 is left out of the back-test: extract.csv: nothing before as_of")
    rows = found.occupancy_backtest
    assert not rows["capacity_known"].any()
    assert set(rows["actual"]) == {3}
    twin = rows[(rows["method"] == TWIN) & (rows["ward_id"] == "w")]
    # two beds, and one on Sundays, would leave the third patient outside; three are never all that come and stay
    assert twin["p50"].between(2, 3).all()
    assert (twin["p90"] == 3).mean() > 0.5
    assert (rows.loc[rows["method"] == PERSISTENCE, "crps"] == 0).all()


@pytest.mark.integration
def test_a_census_that_nobody_knows_is_not_back_tested(tmp_path: Path):
    config = extract(tmp_path, 260)
    patients = config.patients.model_copy(update={"missing_departure": "unknown"})
    config = config.model_copy(
        update={"patients": patients, "simulation": config.simulation.model_copy(update={"start": "empty"})}
    )
    found = backtest(config, tmp_path)
    assert found.occupancy_backtest.empty
    assert "departures are not always written down" in found.notes[0]


@pytest.mark.integration
def test_dates_that_cannot_be_looked_ahead_from_are_left_out_with_the_reason(tiny: HospitalConfig):
    start = pd.Timestamp(str(tiny.patients.history_start))  # pyright: ignore[reportAttributeAccessIssue]
    found = backtest(tiny, dates=[AS_OF, start + pd.Timedelta(days=3)], workers=1)
    assert found.occupancy_backtest.empty
    assert [note.split(": ", 2)[2] for note in found.notes] == [
        "none of the midnights ahead has come", "fewer than 7 midnights were known",
    ]  # fmt: skip
    assert backtest(tiny, dates=0).notes == ("tiny: no back-test of the census: none was asked for",)
