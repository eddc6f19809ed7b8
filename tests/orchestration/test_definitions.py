"""The code location: what it offers, and that it loads whatever lies in the project."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from kaizar_pipeline.chain.overrides import Overrides
from kaizar_pipeline.chain.steps import all_tables, stored_tables
from kaizar_pipeline.orchestration.input_files import FILE_ASSETS

from ..conftest import make_project
from .conftest import load_definitions

pytestmark = pytest.mark.integration

CHAIN = ["patients", "daily_arrivals", "feature_table", "arrival_model", "arrival_rates", "occupancy_distributions"]


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.Definitions]:
    """The definitions of one project, which no test here changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAIZAR_HOME", str(make_project(tmp_path_factory.mktemp("project"), "one")))
        patch.setenv("KAIZAR_AS_OF", "2026-04-01")
        yield load_definitions(patch)


def test_every_table_is_an_asset_that_says_what_it_is(defs: dg.Definitions):
    specs = {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}
    tables = stored_tables()
    del tables["check_results"]  # a run's own notes
    assert set(specs) == set(tables) | set(FILE_ASSETS)
    for name, table in tables.items():
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
    assert {key.asset_key.to_user_string() for key in schema} == {*all_tables(), "planner_report"}


def test_the_night_runs_every_hospital_once(defs: dg.Definitions):
    schedule = defs.resolve_schedule_def("every_night")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    night = datetime(2026, 4, 1, 5)
    with dg.build_schedule_context(scheduled_execution_time=night, repository_def=defs.get_repository_def()) as context:
        requests = schedule.evaluate_tick(context).run_requests or []
    assert [(request.run_key, request.partition_key) for request in requests] == [("2026-04-01T05:00|one", "one")]
    assert [request.tags["kaizar/hospital"] for request in requests] == ["one"]
    settings = requests[0].run_config["resources"]["overrides"]["config"]
    assert settings == Overrides().model_dump(), "the job's own, which the launchpad shows for a partition"


def test_a_night_without_hospitals_says_why_nothing_runs(home: Path, monkeypatch: pytest.MonkeyPatch):
    (home / "hospital_configs" / "one.yml").unlink()
    defs = load_definitions(monkeypatch)
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime(2026, 4, 1, 5), repository_def=defs.get_repository_def()
    )
    with context:
        tick = defs.resolve_schedule_def("every_night").evaluate_tick(context)
    assert tick.skip_message == f"no hospital in {home / 'hospital_configs'}: add a file ID.yml there, then reload"


def test_the_launchpad_offers_every_setting_with_its_meaning_and_default(defs: dg.Definitions):
    """Dagster's launchpad begins with the defaults of the schema of the run's config."""
    schema: Any = defs.resolve_job_def("occupancy_forecast").run_config_schema.config_type
    overrides = schema.fields["resources"].config_type.fields["overrides"].config_type.fields["config"]
    settings = Overrides.model_fields
    assert set(overrides.default_value) == set(settings)
    assert {"as_of": None, "extra_beds": 2}.items() <= overrides.default_value.items()
    fields = overrides.config_type.fields
    assert {name: fields[name].description for name in settings} == {
        name: setting.description for name, setting in settings.items()
    }
    assert dg.validate_run_config(
        defs.resolve_job_def("occupancy_forecast"), {"resources": schema.fields["resources"].default_value}
    )


def test_the_report_is_made_from_all_that_it_shows_and_is_part_of_the_night(defs: dg.Definitions):
    graph = defs.resolve_asset_graph()
    report = graph.get(dg.AssetKey("planner_report"))
    assert {"ward_outlook", "bed_meeting", "forecast_scores", "hospital_file"} <= {
        key.to_user_string() for key in report.parent_keys
    }
    job = defs.resolve_job_def("occupancy_forecast")
    assert dg.AssetKey("planner_report") in job.asset_layer.executable_asset_keys
    assert report.code_version
    checks = {key.name for key in graph.asset_check_keys if key.asset_key == report.key}
    assert checks == {"schema", "inputs_current"}


def test_a_schedule_of_several_snapshots_takes_the_latest_by_then(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KAIZAR_SCHEDULE_CRON", "0 5 * * *; 10 8,12 * * *")
    monkeypatch.setenv("KAIZAR_SCHEDULE_SNAPSHOTS", "00:00, 08:00, 12:00")
    defs = load_definitions(monkeypatch)
    schedule = defs.resolve_schedule_def("every_night")
    assert schedule.cron_schedule == ["0 5 * * *", "10 8,12 * * *"]
    found = []
    for time in (datetime(2026, 4, 1, 5), datetime(2026, 4, 1, 8, 10)):
        with dg.build_schedule_context(
            scheduled_execution_time=time, repository_def=defs.get_repository_def()
        ) as context:
            found += schedule.evaluate_tick(context).run_requests or []
    assert [request.run_key for request in found] == ["2026-04-01T05:00|one", "2026-04-01T08:10|one"]
    overrides = [request.run_config["resources"]["overrides"]["config"] for request in found]
    assert overrides == [{"snapshot": "00:00"}, {"snapshot": "08:00"}]


def test_loading_is_light_stopped_by_no_file_and_builds_the_catalog(home: Path):
    (home / "hospital_configs" / "broken.yml").write_text("wards: [", encoding="utf-8")
    (home / "hospital_configs" / "No Id.yml").write_text("", encoding="utf-8")
    code = """
import json, sys, kaizar_pipeline.definitions as d
heavy = {"scipy", "lightgbm", "numba", "matplotlib"} & {*sys.modules}
hospitals = d.defs.resolve_implicit_global_asset_job_def().partitions_def.get_partition_keys()
print(json.dumps([sorted(heavy), hospitals]))
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert json.loads(done.stdout) == [[], ["broken", "one"]]
    with duckdb.connect(home / "data" / "kaizar.duckdb", read_only=True) as catalog:
        assert {
            name for (name,) in catalog.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        } == set(stored_tables())


def test_outside_a_project_there_is_one_readable_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KAIZAR_HOME", str(tmp_path / "nowhere"))
    code = "import kaizar_pipeline.definitions"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert finished.returncode == 1
    assert finished.stderr == f"KAIZAR_HOME is {str(tmp_path / 'nowhere')!r}, which is not a folder\n"
