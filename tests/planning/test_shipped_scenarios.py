"""The scenarios that ship do to hospital_1 what their comments say is to be expected."""

from pathlib import Path
from typing import Any

import pytest

from kaizar_pipeline.chain.in_memory import run_chain
from kaizar_pipeline.config.files import load_hospital_config, load_scenarios

pytestmark = pytest.mark.integration

EXPECTED = {
    "winter_peak": {
        ("ed", "hours_full_share"): 1, ("icu", "hours_full_share"): 1, ("medical", "hours_full_share"): 1,
        ("surgical", "hours_full_share"): 1, ("_hospital", "wait_mean_hours"): 1, ("surgical", "turned_away"): 1,
    },
    "bed_closure": {
        ("surgical", "turned_away"): 1, ("surgical", "boarding_caused_hours"): 1, ("surgical", "hours_full_share"): 1,
        ("ed", "boarding_hours"): 1, ("surgical", "p95_census"): -1,
    },
    "discharge_sooner": {
        ("medical", "hours_full_share"): -1, ("medical", "outliers"): -1, ("medical", "boarding_caused_hours"): -1,
        ("ed", "boarding_hours"): -1, ("medical", "p95_census"): -1,
    },
    "escalation_beds": {
        ("surgical", "bed_days"): -1, ("surgical", "turned_away"): -1, ("medical", "boarding_caused_hours"): -1,
        ("ed", "boarding_hours"): -1,
    },
}  # fmt: skip
"""Sign of the change that chance does not explain, by scenario, ward and KPI."""


@pytest.fixture(scope="module")
def comparison() -> Any:
    home = Path(__file__).parents[2]
    config = load_hospital_config(home / "hospital_configs" / "hospital_1.yml")
    config = config.model_copy(update={"simulation": config.simulation.model_copy(update={"replications": 80})})
    scenarios = load_scenarios(home, config)
    # an early morning of the made-up history, which is quicker to make
    tables = run_chain(config, home=home, as_of="2024-06-01", scenarios=scenarios, tables=["scenario_comparison"])
    return tables["scenario_comparison"].set_index(["scenario", "ward_id", "kpi"])


def test_every_shipped_scenario_has_its_expectations(comparison: Any):
    assert set(comparison.index.get_level_values("scenario")) == set(EXPECTED)
    assert not comparison["overloaded"].any()


@pytest.mark.parametrize("scenario", EXPECTED)
def test_a_shipped_scenario_does_what_it_says(comparison: Any, scenario: str):
    found = {key: comparison.loc[(scenario, *key)] for key in EXPECTED[scenario]}
    signs = {key: int(row["low"] > 0) - int(row["high"] < 0) for key, row in found.items()}
    assert signs == EXPECTED[scenario]
