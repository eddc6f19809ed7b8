"""docs/how_to/hospital.md is correct: its file reads its extract. docs/reference/keys.md has every key."""

import re
from pathlib import Path

import pytest

from kaizar_pipeline import load_history, load_hospital_config
from kaizar_pipeline.config.files import hospital_schema

pytestmark = pytest.mark.integration


def test_the_example_reads_its_extract(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KAIZAR_PSEUDONYM_KEY", "an example")
    page = (repository / "docs" / "how_to" / "hospital.md").read_text(encoding="utf-8")
    patients, stays = re.findall(r"```csv\n(.*?)```", page, re.DOTALL)
    (config,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "hospital_configs").mkdir()
    (tmp_path / "hospital_configs" / "example.yml").write_text(config, encoding="utf-8")
    (tmp_path / "patients.csv").write_text(patients, encoding="utf-8")
    (tmp_path / "stays.csv").write_text(stays, encoding="utf-8")
    history = load_history(load_hospital_config(tmp_path / "hospital_configs" / "example.yml"), tmp_path)
    assert f"{history.as_of:%Y-%m-%d}" == "2026-02-05"
    assert len(history.patients) == 3
    assert history.patient_rejects.empty
    assert history.ward_stays["ward_id"].tolist().count("surgery") == 3
    assert history.ward_stays["depart"].isna().sum() == 1


def test_every_key_has_its_row(repository: Path):
    page = (repository / "docs" / "reference" / "keys.md").read_text(encoding="utf-8")
    for name, part in hospital_schema()["$defs"].items():
        section = page.split(f"## {name}\n")[1].split("\n## ")[0]
        assert [key for key in part["properties"] if not re.search(rf"^\| \**{key}\** \|", section, re.MULTILINE)] == []
    links = set(re.findall(r"\]\(#([a-z]+)\)", page))
    assert links == {name.lower() for name in hospital_schema()["$defs"]}
