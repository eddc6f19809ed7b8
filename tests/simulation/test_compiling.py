"""When and where the kernel is compiled: it is announced, and works where nothing can be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kaizar_pipeline
from kaizar_pipeline.simulation.kernel import compiling

pytestmark = pytest.mark.integration

SOURCES = Path(kaizar_pipeline.__file__).parents[1]

COMPILED_TWICE = """
import logging
logging.basicConfig(format="%(message)s")
from kaizar_pipeline.simulation.kernel.block import run_block
from kaizar_pipeline.simulation.kernel.compiling import announced, entry

@entry
def twice(x):
    return 2 * x

for _ in range(2):
    with announced():
        assert twice(21) == 42
print(type(run_block._cache).__name__, run_block._cache.cache_path)
"""
ANNOUNCEMENT = "compiling the simulation engine for this machine, once: about a minute\n"


def run_elsewhere(tmp_path: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own whose home and cache cannot be written, unless told otherwise."""
    nowhere = tmp_path / "file"
    nowhere.touch()  # nothing can be made below a file, not even by root
    usual = {"HOME": nowhere / "home", "NUMBA_CACHE_DIR": nowhere / "cache", "PYTHONPATH": SOURCES}
    environment = {name: str(path) for name, path in usual.items()} | environment
    script = tmp_path / "script.py"
    script.write_text(code)
    return subprocess.run(
        [sys.executable, script], env=os.environ | environment, capture_output=True, text=True, check=True
    )


def test_without_a_folder_to_write_to_the_kernel_is_compiled_in_memory(tmp_path: Path):
    done = run_elsewhere(tmp_path, COMPILED_TWICE)
    assert done.stdout == "NullCache None\n"
    assert done.stderr == ANNOUNCEMENT  # not again the second time


def test_the_cache_is_where_it_is_asked_to_be(tmp_path: Path):
    done = run_elsewhere(tmp_path, COMPILED_TWICE, NUMBA_CACHE_DIR=str(tmp_path / "cache"))
    kind, folder = done.stdout.split()
    assert kind == "FunctionCache"
    assert Path(folder).is_relative_to(tmp_path / "cache")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel of one file, and a home of its own."""
    folder = tmp_path / "package" / "simulation" / "kernel"
    folder.mkdir(parents=True)
    (folder / "events.py").write_text("one")
    for name in compiling._CONSTANTS_FROM:
        source = tmp_path / "package" / name
        source.parent.mkdir(exist_ok=True)
        source.write_text(f"constants of {name}")
    monkeypatch.setattr(compiling, "_FOLDER", folder)
    monkeypatch.setattr(compiling, "_PACKAGE", tmp_path / "package")
    monkeypatch.setattr(compiling.config, "CACHE_DIR", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


def test_the_cache_is_one_folder_for_each_version_of_the_sources(sources: Path):
    before = compiling._cache_folder()
    assert before is not None
    assert before.parent == sources / "__pycache__"
    assert compiling._cache_folder() == before
    (sources / "events.py").write_text("two")
    after = compiling._cache_folder()
    assert after != before
    (sources.parents[1] / "tables" / "kpis.py").write_text("another order")
    assert compiling._cache_folder() not in (before, after)


def test_an_installation_that_cannot_be_written_uses_the_home_folder(sources: Path, tmp_path: Path):
    (sources / "__pycache__").touch()
    folder = compiling._cache_folder()
    assert folder is not None
    assert folder.parent == tmp_path / "home" / ".cache" / "kaizar-pipeline"


def test_without_a_home_either_there_is_no_cache(sources: Path, tmp_path: Path):
    (sources / "__pycache__").touch()
    (tmp_path / "home").touch()
    assert compiling._cache_folder() is None


FIRST_DRAW = """
import logging
logging.basicConfig(format="%(message)s")
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.verification.models import cases
print(len(draw(cases()[-1].plan(), 0).arrival))
"""


@pytest.mark.e2e
def test_the_first_use_is_announced_and_the_next_is_ready(tmp_path: Path):
    said = [run_elsewhere(tmp_path, FIRST_DRAW, NUMBA_CACHE_DIR=str(tmp_path / "cache")) for _ in range(2)]
    assert [done.stdout for done in said] == ["7\n", "7\n"]
    assert [done.stderr for done in said] == [ANNOUNCEMENT, ""]
