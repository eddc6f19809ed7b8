"""The code location as it loads for a project with one tiny hospital, `one`, and a warehouse of a few tables."""

import importlib
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from stored_tables import only

from kaizar_pipeline.orchestration.storage import Warehouse

FEW = ("patients", "ward_stays", "patient_rejects", "daily_arrivals", "forecast_log", "headline_changes")
"""The tables that most tests know: a catalog of all takes seconds."""


@pytest.fixture
def home(make_home: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project, which KAIZAR_HOME names."""
    folder = make_home("one")
    monkeypatch.setenv("KAIZAR_HOME", str(folder))
    monkeypatch.setenv("KAIZAR_AS_OF", "2026-04-01")
    return folder


@pytest.fixture
def defs(home: Path, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    return load_definitions(monkeypatch)


def load_definitions(patch: pytest.MonkeyPatch) -> dg.Definitions:
    """`definitions.defs`, loaded anew: the partitions are the files that stand in the project at that moment."""
    for name in [*sys.modules]:
        if name == "kaizar_pipeline.definitions" or name.startswith("kaizar_pipeline.orchestration."):
            patch.delitem(sys.modules, name)
    return importlib.import_module("kaizar_pipeline.definitions").defs


def materialize(
    defs: dg.Definitions, *assets: str, overrides: dict[str, Any] | None = None, raise_on_error: bool = True
) -> dg.ExecuteInProcessResult:
    """Make all tables of the hospital, or some, in this process."""
    job = defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        partition_key="one",
        asset_selection=[dg.AssetKey(asset) for asset in assets] or None,
        run_config={"resources": {"overrides": {"config": overrides or {}}}},
        raise_on_error=raise_on_error,
    )


def template(folder: Path, tables: Iterable[str]) -> Path:
    """The data folder of a project without a table; copying it is quicker than making it."""
    with pytest.MonkeyPatch.context() as patch:
        only(patch, tables)
        Warehouse(folder).rebuild_catalog()
    return folder


@pytest.fixture(scope="module")
def template_of_few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("few"), FEW)


@pytest.fixture
def warehouse(tmp_path: Path, template_of_few: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """A warehouse of the tables FEW without a catalog."""
    only(monkeypatch, FEW)
    warehouse = Warehouse(shutil.copytree(template_of_few, tmp_path / "data"))
    warehouse.catalog.unlink()
    return warehouse
