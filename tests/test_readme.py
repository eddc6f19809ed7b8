"""The documentation is correct: its code runs, the files it names exist, its generated pages are current."""

import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

import kaizar_pipeline
from kaizar_pipeline.config.files import load_hospital_config
from kaizar_pipeline.orchestration.storage import Warehouse
from kaizar_pipeline.verification.models import cases

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parents[1] / "docs"


PAGES = (
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{path.relative_to(DOCS).as_posix()}" for path in DOCS.rglob("*.md")),
)


def python_files(repository: Path) -> list[Path]:
    return [
        path
        for folder in ("kaizar_pipeline", "tests", "benchmarks", "data", "docs", "notebooks")
        for path in (repository / folder).rglob("*.py")
    ]


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL)


@pytest.mark.parametrize("number", [0, 1])
def test_python_code_of_the_readme_and_of_the_library_runs(
    repository: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    monkeypatch.chdir(repository)
    monkeypatch.setenv("KAIZAR_HOME", str(repository))
    names: dict[str, object] = {}
    code = blocks(repository / "docs" / "how_to" / "library.md", "python")
    assert len(code) == 2
    assert blocks(repository / "README.md", "python") == code[:1]
    exec(compile(code[number], "library.md", "exec"), names)
    assert "occupancy" in names


def test_the_query_runs(repository: Path, tmp_path: Path):
    warehouse = Warehouse(tmp_path)
    warehouse.rebuild_catalog()
    with duckdb.connect(str(warehouse.catalog), read_only=True) as connection:
        (query,) = blocks(repository / "docs" / "how_to" / "query.md", "sql")
        assert connection.sql(query).columns[:2] == ["hospital_id", "ward_id"]


HOSPITAL = """\
hospital: {name: Small, timezone: Europe/Amsterdam, country: NL}
patients: {source: synthetic, history_start: 2026-01-01}
wards:
  - {id: ed, type: ED, capacity: 6, los_model: {type: exponential, params: {mean: 4}}}
  - {id: icu, type: ICU, capacity: 4, los_model: {type: exponential, params: {mean: 50}}}
  - {id: medical, capacity: 20, los_model: {type: exponential, params: {mean: 70}}}
  - {id: surgical, capacity: 10, los_model: {type: exponential, params: {mean: 60}}}
patient_types: [{id: emergency}, {id: elective}]
arrival_streams:
  - {id: acute, target_ward: ed, patient_type: emergency, model: {type: constant, mean_per_day: 10}}
  - {id: elective, target_ward: surgical, patient_type: elective, model: {type: constant, mean_per_day: 2}}
routing: [{from_ward: ed, options: [{to_ward: medical, probability: 0.4}, {to_ward: icu, probability: 0.05}]}]
"""


def merged(whole: Any, part: Any) -> Any:
    """`whole` with the values of `part`; items of lists are matched by id."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return whole | {key: merged(whole.get(key), value) for key, value in part.items()}
    if isinstance(whole, list) and isinstance(part, list) and all("id" in item for item in whole + part):
        found = {item["id"]: item for item in part}
        assert found.keys() <= {item["id"] for item in whole}
        return [merged(item, found.get(item["id"], {})) for item in whole]
    return part


def test_every_rule_is_declared_as_in_the_page_of_the_simulation(repository: Path, tmp_path: Path):
    snippets = blocks(repository / "docs" / "explanation" / "simulation.md", "yaml")
    assert len(snippets) == 15
    base = tmp_path / "hospital_configs" / "small.yml"
    base.parent.mkdir()
    base.write_text(HOSPITAL)
    for number, snippet in enumerate(snippets):
        file = base.with_name(f"small_{number}.yml")
        file.write_text(yaml.safe_dump(merged(yaml.safe_load(HOSPITAL), yaml.safe_load(snippet))))
        assert load_hospital_config(file) != load_hospital_config(base), snippet


@pytest.mark.parametrize("page", PAGES)
def test_python_files_that_are_named_exist(repository: Path, page: str):
    names = re.findall(r"`(?:python )?([\w/]+\.py)\b", (repository / page).read_text(encoding="utf-8"))
    known = [f"/{path.relative_to(repository).as_posix()}" for path in python_files(repository)]
    assert [name for name in names if not any(path.endswith(f"/{name}") for path in known)] == []


def test_public_names_are_sorted_and_exist():
    names = kaizar_pipeline.__all__
    assert names == sorted(names)
    assert all(hasattr(kaizar_pipeline, name) for name in names)


def test_the_validation_page_has_every_model(repository: Path):
    page = (repository / "docs" / "reference" / "validation.md").read_text()
    for case in cases():
        assert f"| {case.model} |" in page, "run: kaizar validate --write"
        assert f"\n- {case.source}: " in page
        for quantity in case.quantities:
            assert f"| {quantity.name} | {quantity.theory:.6f} " in page or case.replications == 0
