"""docs/how_to/scenarios.md is correct: its code runs, its scenarios are valid, its table of parts is complete."""

import re
from pathlib import Path
from typing import Any

import pytest

from kaizar_pipeline.config.files import check_scenario
from kaizar_pipeline.config.scenario import ScenarioFile
from kaizar_pipeline.simulation.monte_carlo import GROUPS

pytestmark = pytest.mark.integration


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs" / "how_to" / "scenarios.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


def test_its_scenarios_are_valid(page: str, repository: Path, tmp_path: Path):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "hospital_1.yml").write_bytes((repository / "hospital_configs" / "hospital_1.yml").read_bytes())
    examples = blocks(page, "yaml")
    assert len(examples) == 3
    for number, example in enumerate(examples):
        path = tmp_path / "scenarios" / f"example_{number}.yml"
        path.write_text(example, encoding="utf-8")
        assert check_scenario(path) == ["hospital_1"]


def test_its_code_runs(page: str, repository: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(repository)
    monkeypatch.setenv("KAIZAR_HOME", str(repository))
    names: dict[str, Any] = {}
    (code,) = blocks(page, "python")
    exec(compile(code, "docs/how_to/scenarios.md", "exec"), names)
    by_scenario = names["icu"].set_index("scenario")
    assert by_scenario.loc["two_more", "high"] < 0


def test_its_table_has_every_part_and_its_text_the_number_of_groups(page: str):
    rows = " ".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", rows)) == set(ScenarioFile.model_fields) - {"description", "hospitals"}
    assert f"cut into {GROUPS} groups" in page
