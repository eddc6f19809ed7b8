"""The code location: what it offers, and that it loads whatever lies in the project."""

import subprocess
import sys
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from kaizar_pipeline.chain.steps import all_tables
from kaizar_pipeline.orchestration.input_files import FILE_ASSETS

pytestmark = pytest.mark.integration

CHAIN = ["patients", "daily_arrivals", "feature_table", "arrival_model", "arrival_rates", "occupancy_distributions"]


def load(expression: str) -> str:
    """Load the code location in a process of its own and evaluate an expression on its module `d`."""
    code = f"import sys, kaizar_pipeline.definitions as d; sys.stdout.write(str({expression}))"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_every_table_is_an_asset_that_says_what_it_is(defs: dg.Definitions):
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    assert set(specs) == set(all_tables()) | set(FILE_ASSETS)
    for name, table in all_tables().items():
        spec = specs[name]
        assert spec.description == table.description
        assert spec.owners
        assert spec.code_version
        assert "duckdb" in spec.kinds
        assert [column.name for column in spec.metadata["dagster/column_schema"].columns] == table.column_names
        assert spec.group_name not in (None, "default")
        assert spec.partitions_def is not None
        assert spec.partitions_def.get_partition_keys() == ["one"]


def test_the_chain_is_the_one_that_people_know(defs: dg.Definitions):
    graph = defs.resolve_asset_graph()
    for upstream, downstream in pairwise(CHAIN):
        assert dg.AssetKey(upstream) in graph.get(dg.AssetKey(downstream)).parent_keys


def test_every_table_has_a_blocking_check_of_its_schema(defs: dg.Definitions):
    graph = defs.resolve_asset_graph()
    schema = {key for key in graph.asset_check_keys if key.name == "schema" and graph.get_check_spec(key).blocking}
    assert {key.asset_key.to_user_string() for key in schema} == set(all_tables())


def test_the_night_runs_every_hospital_once(defs: dg.Definitions):
    schedule = defs.resolve_schedule_def("every_night")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    night = datetime(2026, 4, 1, 5)
    with dg.build_schedule_context(scheduled_execution_time=night, repository_def=defs.get_repository_def()) as context:
        requests = schedule.evaluate_tick(context).run_requests or []
    assert [(request.run_key, request.partition_key) for request in requests] == [("2026-04-01|one", "one")]


@pytest.mark.usefixtures("home")
def test_loading_brings_in_nothing_heavy():
    assert load("{'scipy', 'lightgbm', 'numba', 'matplotlib'} & {*sys.modules}") == "set()"


def test_files_that_cannot_be_parsed_stop_nobody_else(home: Path):
    (home / "hospital_configs" / "broken.yml").write_text("wards: [", encoding="utf-8")
    (home / "hospital_configs" / "No Id.yml").write_text("", encoding="utf-8")
    assert (
        load("d.defs.resolve_implicit_global_asset_job_def().partitions_def.get_partition_keys()")
        == "['broken', 'one']"
    )


def test_loading_builds_the_catalog(home: Path):
    load("d.defs")
    with duckdb.connect(home / "data" / "kaizar.duckdb", read_only=True) as catalog:
        assert {
            name for (name,) in catalog.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        } == set(all_tables())


def test_outside_a_project_there_is_one_readable_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KAIZAR_HOME", str(tmp_path / "nowhere"))
    code = "import kaizar_pipeline.definitions"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 1
    assert finished.stderr == f"KAIZAR_HOME is {str(tmp_path / 'nowhere')!r}, which is not a folder\n"
