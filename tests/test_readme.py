"""What the documents say works: their code is run, their generated parts are current."""

import re
from pathlib import Path

import duckdb
import pytest

import kaizar_pipeline
from kaizar_pipeline.orchestration.storage import Warehouse
from kaizar_pipeline.simulation.truth import cases
from kaizar_pipeline.tables import data_dictionary

pytestmark = pytest.mark.integration


def blocks(repository: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (repository / "README.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("number", [0, 1])
def test_the_readme_in_python(repository: Path, monkeypatch: pytest.MonkeyPatch, number: int):
    monkeypatch.chdir(repository)
    monkeypatch.setenv("KAIZAR_HOME", str(repository))
    names: dict[str, object] = {}
    code = blocks(repository, "python")
    assert len(code) == 2
    exec(compile(code[number], "README.md", "exec"), names)
    assert "occupancy" in names


def test_the_readme_in_sql(repository: Path, tmp_path: Path):
    warehouse = Warehouse(tmp_path)
    warehouse.rebuild_catalog()
    with duckdb.connect(str(warehouse.catalog), read_only=True) as connection:
        (query,) = blocks(repository, "sql")
        assert connection.sql(query).columns[:2] == ["hospital_id", "ward_id"]


def test_the_data_dictionary_is_current(repository: Path):
    assert (repository / "docs" / "tables.md").read_text() == data_dictionary(), "run: kaizar schema --write"


def test_the_public_names_are_sorted_and_there():
    names = kaizar_pipeline.__all__
    assert names == sorted(names)
    assert all(hasattr(kaizar_pipeline, name) for name in names)


def test_the_validation_page_is_of_the_models_there_are(repository: Path):
    page = (repository / "docs" / "validation.md").read_text()
    for case in cases():
        assert f"| {case.model} |" in page, "run: kaizar validate --write"
        assert f"\n- {case.source}: " in page
        for quantity in case.quantities:
            assert f"| {quantity.name} | {quantity.theory:.6f} |" in page or case.replications == 0
