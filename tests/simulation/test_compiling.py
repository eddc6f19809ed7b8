"""When and where the kernel is compiled: it is announced once, kept on disk, and works where nothing can be written."""

import ast
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

import kaizar_pipeline

pytestmark = pytest.mark.integration

PACKAGE = Path(kaizar_pipeline.__file__).parent
KERNEL = Path("simulation", "kernel")
ANNOUNCEMENT = "compiling the simulation engine for this machine, once: about a minute\n"

COMPILED_TWICE = """
import logging
logging.basicConfig(format="%(message)s")
from kaizar_pipeline.simulation.kernel.compiling import announced, entry

@entry
def twice(x):
    return 2 * x

for _ in range(2):
    with announced():
        assert twice(21) == 42
"""

EVERY_VERSION = """
import sys
from pathlib import Path
from kaizar_pipeline.simulation.kernel.compiling import entry

def twice(x):
    return 2 * x

folder, *sources = map(Path, sys.argv[1:])
for source in sources:
    with source.open("a") as file:
        file.write("\\n# another version\\n")
    assert entry(twice)(21) == 42
    print(len({index.parents[1] for index in folder.rglob("*.nbi")}), source)
"""

FIRST_DRAW = """
import logging
logging.basicConfig(format="%(message)s")
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.verification.models import cases
print(len(draw(cases()[-1].plan(), 0).arrival))
"""


@dataclass(frozen=True)
class Installation:
    """A copy of the package, importable in parts, with its own home folder."""

    folder: Path

    @property
    def package(self) -> Path:
        return self.folder / "kaizar_pipeline"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def run(self, code: str, *arguments: Path, **environment: Path) -> subprocess.CompletedProcess[str]:
        script = self.folder / "script.py"
        script.write_text(code)
        usual = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
        own = {"HOME": self.home, "PYTHONPATH": self.folder} | environment
        return subprocess.run(
            [sys.executable, script, *arguments],
            env=usual | {name: str(path) for name, path in own.items()},
            capture_output=True,
            text=True,
            check=True,
        )

    def caches(self, **environment: Path) -> set[Path]:
        """Folders of machine code once a function of the kernel has been compiled."""
        self.run(COMPILED_TWICE, **environment)
        return {index.parents[1] for index in self.folder.rglob("*.nbi")}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    copytree(PACKAGE, tmp_path / "kaizar_pipeline", ignore=ignore_patterns("__pycache__"))
    (tmp_path / "kaizar_pipeline" / "__init__.py").write_text("")
    copytree(PACKAGE.parent / "hospital_configs", tmp_path / "hospital_configs")
    return Installation(tmp_path)


def imported_by_the_kernel() -> list[str]:
    """Modules outside the kernel that it takes constants and types from."""
    trees = [ast.parse(path.read_text()) for path in (PACKAGE / KERNEL).glob("*.py")]
    names = {node.module for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    paths = {f"{name.replace('.', '/')}.py" for name in names if name and name.startswith("kaizar_pipeline.")}
    return sorted(path for path in paths if "/kernel/" not in path)


def test_compiling_is_announced_once_and_every_version_of_the_sources_has_its_own_cache(installation: Installation):
    first_use, second_use = (installation.run(COMPILED_TWICE).stderr for _ in range(2))
    assert (first_use, second_use) == (ANNOUNCEMENT, "")
    (first,) = installation.folder.rglob("*.nbi")
    assert first.parents[2] == installation.package / KERNEL / "__pycache__"
    sources = [installation.package / KERNEL / "events.py"]
    sources += [installation.folder / source for source in imported_by_the_kernel()]
    assert len(sources) > 5
    found = installation.run(EVERY_VERSION, installation.folder, *sources).stdout.splitlines()
    assert found == [f"{versions} {source}" for versions, source in enumerate(sources, start=2)]


def test_an_installation_that_cannot_be_written_uses_the_home_folder(installation: Installation):
    (installation.package / KERNEL / "__pycache__").touch()
    (folder,) = installation.caches()
    assert folder.parent == installation.home / ".cache" / "kaizar-pipeline"


def test_without_a_home_either_the_kernel_is_compiled_in_memory(installation: Installation):
    (installation.package / KERNEL / "__pycache__").touch()
    installation.home.touch()  # nothing can be made below a file, not even by root
    assert installation.caches() == set()


def test_the_cache_is_where_it_is_asked_to_be(installation: Installation, tmp_path: Path):
    (folder,) = installation.caches(NUMBA_CACHE_DIR=tmp_path / "cache")
    assert folder.parent == tmp_path / "cache"


@pytest.mark.e2e
def test_the_first_use_is_announced_and_the_next_is_ready(installation: Installation):
    done = [installation.run(FIRST_DRAW) for _ in range(2)]
    assert [run.stdout for run in done] == ["7\n", "7\n"]
    assert [run.stderr for run in done] == [ANNOUNCEMENT, ""]
