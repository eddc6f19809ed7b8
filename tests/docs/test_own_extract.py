"""docs/tutorials/own_extract.md is correct: its file reads its extract, its error is the one shown, and it runs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from own_extract import own_extract
from typer.testing import CliRunner

from kaizar_pipeline import load_hospital_config, run_chain
from kaizar_pipeline.command.app import app

pytestmark = pytest.mark.integration


@pytest.fixture
def project(repository: Path, make_home: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    home = own_extract(make_home(), repository)
    monkeypatch.chdir(home)
    return home


def test_the_first_rows_are_those_of_the_extract(project: Path, repository: Path):
    page = (repository / "docs" / "tutorials" / "own_extract.md").read_text(encoding="utf-8")
    shown = page.split("```csv\n")[1].split("```")[0]
    assert (project / "data" / "raw" / "patients.csv").read_text(encoding="utf-8").startswith(shown)


def test_the_check_is_satisfied_and_sums_up_the_extract(project: Path):
    said = CliRunner().invoke(app, ["check", "hospital_configs/mine.yml"])
    assert said.exit_code == 0
    assert said.output.startswith("mine.yml: ok, 4 wards, 4 streams\n")
    assert "18,301 rows, 18,296 of them patients" in said.output


def test_the_mistake_of_the_picture_is_reported_with_its_line(project: Path, repository: Path):
    file = project / "hospital_configs" / "mine.yml"
    file.write_text(file.read_text(encoding="utf-8").replace("target_ward: emergency", "target_ward: emergancy"))
    said = CliRunner().invoke(app, ["check", "hospital_configs/mine.yml"])
    assert said.exit_code == 1
    picture = (repository / "docs" / "pictures" / "check_error.svg").read_text(encoding="utf-8").replace("&#160;", " ")
    where, what = said.output.split(": ", 1)
    assert where in picture
    assert what.split(",")[0] in picture.replace("&#x27;", "'")


def test_the_hospital_runs(project: Path):
    config = load_hospital_config(project / "hospital_configs" / "mine.yml")
    tables = run_chain(config, home=project, tables=["bed_meeting"], replications=20, workers=1)
    wards = {"emergency", "general_medicine", "surgery", "icu"}
    assert set(tables["bed_meeting"]["ward_id"]) == wards | {"_hospital"}


def test_the_file_is_the_draft_with_what_a_person_knows(project: Path):
    file = project / "hospital_configs" / "mine.yml"
    confirmed = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.unlink()
    said = CliRunner().invoke(
        app, ["draft", "data/raw/patients.csv", "--timezone", "Europe/Amsterdam", "--country", "NL"]
    )
    assert said.exit_code == 0, said.output
    drafted = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert confirmed["hospital"].pop("name") != drafted["hospital"].pop("name")
    for key in ("complete_through", "max_age_days"):
        del confirmed["patients"][key]
    for ward in confirmed["wards"]:
        del ward["name"]
    for ward in confirmed["wards"] + drafted["wards"]:
        del ward["capacity"]
    assert (confirmed["wards"][0].pop("type"), drafted["wards"][0].pop("type")) == ("SHORT_STAY", "ED")
    del confirmed["patient_types"][0]["priority"]
    assert confirmed == drafted
