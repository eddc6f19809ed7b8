"""Groups of wards in the tables: wherever the whole hospital has rows, so have they."""

from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline import load_hospital_config, run_chain
from kaizar_pipeline.tables import HOSPITAL_TOTAL

from ..conftest import make_project

pytestmark = pytest.mark.integration

COUNTED_BY_STAY = {"ward_performance", "scenario_comparison"}
"""Over the whole hospital a patient counts once, in a group each of the patient's stays."""

OF_THE_NAME = ("pit", "mean_pit", "coverage50", "coverage80", "coverage95", "kind", "rank")
"""Columns whose random numbers depend on the name, and what the name is; ranks
    are by kind."""


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """All tables that show the wards ed and ward, and two groups of them."""
    folder: Path = make_project(tmp_path_factory.mktemp("project"), "tiny") / "hospital_configs"
    tiny = load_hospital_config(folder / "tiny.yml")
    config = tiny.model_copy(update={"groups": {"both": ("ed", "ward"), "one": ("ward",)}})
    made = run_chain(config, as_of="2026-08-10", workers=1, backtest_origins=2, backtest_replications=10)
    return {name: table for name, table in made.items() if HOSPITAL_TOTAL in set(table.get("ward_id", ()))}


def rows_of(table: pd.DataFrame, ward: str) -> pd.DataFrame:
    """The rows of one name on the ward axis, in an order that does not depend on it."""
    rows = table[table["ward_id"] == ward].drop(columns=["ward_id", *(name for name in OF_THE_NAME if name in table)])
    keys = [str(column) for column in rows if not pd.api.types.is_float_dtype(rows[column]) and column != "probability"]
    return rows.sort_values(keys, kind="stable", ignore_index=True)


def test_a_group_of_all_wards_is_the_hospital(tables: dict[str, pd.DataFrame]):
    compared = tables.keys() - COUNTED_BY_STAY
    assert {"occupancy_distributions", "bed_requirements", "occupancy_backtest", "headline_changes"} <= compared
    for name in compared:
        both, hospital = (rows_of(tables[name], ward) for ward in ("both", HOSPITAL_TOTAL))
        pd.testing.assert_frame_equal(both, hospital, obj=name)


def test_a_group_of_one_ward_is_that_ward(tables: dict[str, pd.DataFrame]):
    for name in tables:
        one, ward = (rows_of(tables[name], ward) for ward in ("one", "ward"))
        pd.testing.assert_frame_equal(one, ward, obj=name)
