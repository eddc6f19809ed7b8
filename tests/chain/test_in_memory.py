"""The whole chain in memory: on a synthetic hospital, and on a real log of an emergency department."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline import HospitalConfig, load_hospital_config, run_chain, simulate_hospital
from kaizar_pipeline.chain.steps import all_tables

pytestmark = pytest.mark.integration


@pytest.fixture
def tiny(make_home: Callable[..., Path]) -> HospitalConfig:
    return load_hospital_config(make_home("tiny") / "hospital_configs" / "tiny.yml")


def test_every_table_is_made_and_any_number_of_workers_gives_the_same(tiny: HospitalConfig):
    config = tiny.model_copy(update={"simulation": tiny.simulation.model_copy(update={"replications": 30})})
    one, two = (run_chain(config, as_of="2026-05-04", workers=workers, backtest_origins=2) for workers in (1, 2))
    assert set(one) == set(all_tables())
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, two[name], check_exact=True)
        pd.testing.assert_frame_equal(table, all_tables()[name].conform(table, without=("run_id",)), check_exact=True)


def test_another_seed_gives_other_replications_of_the_same_history(tiny: HospitalConfig):
    one, other = (simulate_hospital(tiny, seed=seed, as_of="2026-05-04", workers=1) for seed in (1, 2))
    assert not one["mean"].equals(other["mean"])
    tonight = one["at"] == pd.Timestamp("2026-05-04")
    assert one.loc[tonight, "mean"].tolist() == other.loc[tonight, "mean"].tolist()


def test_a_hospital_without_forecast_streams(repository: Path):
    stroke = load_hospital_config(repository / "hospital_configs" / "stroke_2016.yml")
    config = stroke.model_copy(update={"simulation": stroke.simulation.model_copy(update={"replications": 20})})
    tables = run_chain(config, as_of="2026-01-01", workers=1, backtest_origins=1, backtest_replications=20)
    assert {name for name, table in tables.items() if table.empty} == {
        "patient_rejects", "feature_table", "arrival_model", "boarding_causes", "beds_effects", "bed_allocations",
        "scenario_comparison", "forecast_backtest", "forecast_scores", "forecast_log_scores", "level_risk",
        "full_backtest", "full_log", "full_scores",
    }  # fmt: skip
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, all_tables()[name].conform(table, without=("run_id",)), check_exact=True)
    rates = tables["arrival_rates"].set_index(["stream_id", "date"])["rate"]
    assert rates["acute_stroke"].unique() == [pytest.approx(1 / 1.2)]
    assert len(rates) == 7 * 28


def test_a_real_log_with_departures_that_nobody_wrote_down(real_data: Path):
    config = HospitalConfig.model_validate(
        {
            "id": "sepsis",
            "hospital": {"name": "Sepsis cases", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {
                "source": "csv",
                "path": str(real_data / "sepsis_log.csv"),
                "columns": {"patient_id": "case_id", "arrival": "arrival", "departure": "release"},
                "missing_departure": "unknown",
                "max_age_days": None,
                "pseudonym_key": "test",
            },
            "wards": [{"id": "ed", "type": "ED", "capacity": 25, "los_model": {"type": "from_data"}}],
            "patient_types": [{"id": "sepsis"}],
            "arrival_streams": [
                {"id": "sepsis", "target_ward": "ed", "patient_type": "sepsis", "model": {"type": "ml_poisson"}}
            ],
            "simulation": {"start": "empty", "warmup_days": 28, "replications": 30},
        }
    )
    tables = run_chain(config, home=real_data, as_of="2015-01-01", workers=1, tables=["occupancy_distributions"])
    patients = tables["patients"]
    assert 0.2 < (~patients["departure_known"]).mean() < 0.4
    assert len(tables["daily_arrivals"]) == (pd.Timestamp("2015-01-01") - patients["arrival"].min().normalize()).days
    stays = tables["length_of_stay"].query("in_use")
    mean_hours = float(stays["mean_hours"].iloc[0])
    per_day = float(tables["arrival_rates"]["mean_rate"].mean())
    census = float(tables["occupancy_distributions"].query("ward_id == 'ed'")["mean"].mean())
    # Little's law: patients in the house are arrivals per hour times hours of stay (28 days of warm-up miss some)
    assert census == pytest.approx(per_day / 24 * mean_hours, rel=0.25)
