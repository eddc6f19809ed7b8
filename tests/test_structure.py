"""The shape of the code: names of modules, circles of imports, sizes of files."""

from collections import Counter
from pathlib import Path

import grimp
import pytest

pytestmark = pytest.mark.unit

MOST_LINES = 500
KERNEL = "kaizar_pipeline/simulation/kernel"


def circles(edges: dict[str, set[str]]) -> list[str]:
    """The modules that lie on a circle of imports: what is left when modules without open imports are taken away."""
    left = {module: set(imported) for module, imported in edges.items()}
    while free := [module for module, imported in left.items() if not imported & left.keys()]:
        for module in free:
            del left[module]
    return sorted(left)


@pytest.mark.parametrize("package", ["kaizar_pipeline", "benchmarks"])
def test_no_module_imports_itself_through_others(package: str):
    graph = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
    edges = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert circles(edges) == []


def test_a_circle_would_be_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["a", "b", "c", "d"]


def test_no_two_modules_have_one_name(repository: Path):
    names = Counter(
        path.stem for path in (repository / "kaizar_pipeline").rglob("*.py") if not path.name.startswith("__")
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_files_can_be_held_in_the_head(repository: Path):
    long = {
        path.relative_to(repository).as_posix()
        for path in (repository / "kaizar_pipeline").rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > MOST_LINES
    }
    assert {name for name in long if not name.startswith(KERNEL)} == set()
