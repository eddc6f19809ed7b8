"""The code location as it loads for a project with one tiny hospital, `one`."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

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
    """`definitions.defs`, loaded anew: the partitions are the files that stand in the project at that moment."""
    for name in [*sys.modules]:
        if name == "kaizar_pipeline.definitions" or name.startswith("kaizar_pipeline.orchestration."):
            monkeypatch.delitem(sys.modules, name)
    return importlib.import_module("kaizar_pipeline.definitions").defs
