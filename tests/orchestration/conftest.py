"""The code location as it loads for a project with one tiny hospital, `one`."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest


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
