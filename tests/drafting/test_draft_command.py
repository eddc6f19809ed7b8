"""`kaizar draft`: what it writes, what it refuses, and what it never shows."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner, Result

from kaizar_pipeline.command.app import app
from kaizar_pipeline.config.files import load_hospital_config, load_scenario
from kaizar_pipeline.drafting import opened_extract
from tests.support.drafted_cases import by_name
from tests.support.drafted_extracts import NAMES, Habit

pytestmark = pytest.mark.integration

PLACE = ("--timezone", "Europe/Amsterdam", "--country", "NL")
ROWS = "id,arrival,departure,ward\n1,2024-01-01 08:00,2024-01-02 08:00,A\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as `kaizar init` makes it, and the current folder."""
    monkeypatch.delenv("KAIZAR_HOME", raising=False)
    assert CliRunner().invoke(app, ["init", str(tmp_path / "project")]).exit_code == 0
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def draft(*words: str) -> Result:
    return CliRunner().invoke(app, ["draft", *words])


def files(home: Path) -> set[str]:
    return {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}


def test_a_file_a_page_and_what_to_confirm(home: Path):
    by_name("walls").write(home)
    before = files(home)
    result = draft("patients.csv", *PLACE)
    assert result.exit_code == 0, result.output
    scenario = "hospital_configs/scenarios/mine_fewer_beds.yml"
    written = {"hospital_configs/mine.yml", scenario, "data/drafts/mine.yml", "data/drafts/mine.html"}
    assert files(home) - before == written
    assert (
        load_scenario(home / scenario, load_hospital_config(home / "hospital_configs/mine.yml")).id == "mine_fewer_beds"
    )
    assert "beds of full: 20 is a guess" in result.output
    page = (home / "data/drafts/mine.html").read_text(encoding="utf-8")
    assert page.count("<img") == 3 + 3  # weekdays, hours, stays; a census for each ward
    assert "src=http" not in page
    assert 'src="http' not in page
    assert CliRunner().invoke(app, ["check", "hospital_configs/mine.yml"]).exit_code == 0


BAD = {
    "empty": (b"", "is empty"),
    "blank": (b"\n\n  \n", "is empty"),
    "header_only": (b"id,arrival,departure\n", "not a single row"),
    "one_column": (b"arrival\n2024-01-01\n", "has one column"),
    "no_dates": (b"id,ward\n1,A\n2,B\n", "0 of its columns hold dates"),
    "one_date": (b"id,arrival\n1,2024-01-01\n2,2024-01-02\n", "1 of its columns holds dates"),
    "no_header": (b"7,2024-01-01,2024-01-03,Jan Jansen\n8,2024-01-02,2024-01-04,Piet\n", "no names of columns"),
    "twice": (b"id,arrival,arrival\n1,2024-01-01,2024-01-02\n", "appears more than once"),
    "no_stays": (b"id,a,b\n1,2024-01-01,1950-01-02\n2,2024-01-02,1960-01-01\n", "begin and end a stay"),
    "no_id": (b"arrival,departure\n2024-01-01 10:00,2024-01-02 09:00\n", "no column tells rows or patients apart"),
    "binary": (bytes(range(256)) * 20, "is not text"),
    "truncated_gzip": (gzip.compress(ROWS.encode() * 900)[:60], "not a whole gzip file"),
    "truncated_parquet": (b"PAR1" + b"x" * 40, "not a whole Parquet file"),
    "open_quotation": (ROWS.encode() + b'2,"2024-01-01 08:00,,A\n', "quotation mark"),
}


@pytest.mark.parametrize("name", ["book.xlsx", "patients.csv", "book"])
def test_a_workbook_is_to_be_saved_as_csv(home: Path, name: str):
    pd.DataFrame({"id": [1], "arrival": ["2024-01-01"]}).to_excel(home / name, index=False, engine="openpyxl")
    result = draft(name, *PLACE)
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert f"{name}: is an Excel workbook or a zip archive; save the sheet as CSV" in result.output

    (home / name).write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + b"EncryptedPackage".ljust(512, b"\0"))
    result = draft(name, *PLACE)  # an older one, and one with a password: both are kept in this container
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert f"{name}: is an Excel workbook (.xls, or one with a password); save the sheet as CSV" in result.output


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_holds_no_visits_is_refused_in_one_sentence(home: Path, name: str):
    content, words = BAD[name]
    (home / "patients.csv").write_bytes(content)
    before = files(home)
    result = draft("patients.csv", *PLACE)
    assert result.exit_code == 1
    assert words in result.output
    assert result.output.strip().count("\n") == 0
    assert "Jansen" not in result.output
    assert files(home) == before


def test_a_folder_and_a_file_that_is_not_there_are_refused(home: Path):
    for path in ("data", "nowhere.csv"):
        (home / "data").mkdir(exist_ok=True)
        result = draft(path, *PLACE)
        assert (result.exit_code, result.output.count("\n")) == (1, 1)
        assert f"{path}: cannot be read" in result.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "--timezone is missing"),
        (("--timezone", "Europe/Amsterdam"), "--country is missing"),
        (("--timezone", "Europe/Amsterdm", "--country", "NL"), "Europe/Amsterdam"),
        ((*PLACE, "--name", "My Hospital"), "name"),
        ((*PLACE, "--column", "ward"), "--column service=ward"),
    ],
)
def test_an_option_that_is_missing_or_wrong_writes_nothing(home: Path, options: tuple[str, ...], words: str):
    by_name("three_weeks").write(home)
    before = files(home)
    result = draft("patients.csv", *options)
    assert result.exit_code == 1
    assert words in result.output
    assert "/tmp" not in result.output
    assert files(home) == before


def test_a_ward_in_which_nobody_was_has_no_beds(home: Path):
    rows = by_name("three_weeks").table
    gone = rows.assign(departure=rows["arrival"])
    Habit(NAMES).write(gone, home / "patients.csv")
    result = draft("patients.csv", *PLACE)
    assert result.exit_code == 0, result.output
    values = yaml.safe_load((home / "hospital_configs/mine.yml").read_text(encoding="utf-8"))
    assert [ward["capacity"] for ward in values["wards"]] == [None] * 3
    assert "nobody was here" in result.output


def test_names_of_persons_are_never_shown(home: Path):
    rows = by_name("persons").table
    persons = [f"Anna{no} Vermeulen{no}" for no in range(len(rows))]
    rows = rows.assign(unit=persons, surname=persons, departure=rows["departure"].astype("str").replace("NaT", ""))
    rows.loc[rows.index[:4], "departure"] = "Jan Vermeulen"  # a shifted column
    rows.loc[rows.index[10:13], "service"] = persons[10:13]
    rows[["visit", "surname", "arrival", "departure", "service", "unit"]].to_csv(home / "patients.csv", index=False)
    result = draft("patients.csv", *PLACE)
    assert result.exit_code == 0, result.output
    for shown in (result.output, *(path.read_text() for path in (home / "data").rglob("mine.*"))):
        assert "Vermeulen" not in shown
    assert "Vermeulen" not in (home / "hospital_configs/mine.yml").read_text()

    only_names = rows.assign(ward=persons)[["visit", "arrival", "departure", "ward"]]
    only_names.to_csv(home / "patients.csv", index=False)
    result = draft("patients.csv", *PLACE, "--name", "names", "--column", "service=ward")
    assert result.exit_code == 0, result.output
    assert "Vermeulen" not in (home / "hospital_configs/names.yml").read_text()


def test_a_file_is_overwritten_when_asked_only(home: Path):
    by_name("three_weeks").write(home)
    assert draft("patients.csv", *PLACE).exit_code == 0
    path = home / "hospital_configs/mine.yml"
    edited = path.read_text().replace("capacity: ", "capacity: 1", 1)
    path.write_text(edited)
    refused = draft("patients.csv", *PLACE)
    assert (refused.exit_code, path.read_text()) == (1, edited)
    assert "--diff" in refused.output
    assert "--force" in refused.output
    shown = draft("patients.csv", *PLACE, "--diff")
    assert (shown.exit_code, path.read_text()) == (0, edited)
    assert "kept" in shown.output
    assert draft("patients.csv", *PLACE, "--update").exit_code == 0
    assert "edited by hand, kept" in path.read_text()
    assert draft("patients.csv", *PLACE, "--force").exit_code == 0
    assert "edited by hand, kept" not in path.read_text()


@pytest.mark.parametrize("name", ["semicolons", "moves_as_rows", "two_files", "persons"])
def test_of_a_long_file_a_sample_of_the_patients_is_looked_at(home: Path, name: str, monkeypatch: pytest.MonkeyPatch):
    extract = by_name(name)
    paths = [str(path) for path in extract.write(home) if path is not None]
    assert draft(*paths, *PLACE, "--name", "whole").exit_code == 0
    monkeypatch.setattr(opened_extract, "MOST_ROWS", len(extract.table) // 3)
    result = draft(*paths, *PLACE)
    assert result.exit_code == 0, result.output
    assert "a sample of one in" in result.output
    assert "/tmp" not in result.output
    whole, sampled = (yaml.safe_load((home / f"hospital_configs/{one}.yml").read_text()) for one in ("whole", "mine"))
    assert sampled["patients"]["path"] == "patients.csv"
    for key in ("patients", "arrival_streams", "patient_types"):
        assert sampled[key] == whole[key]
    beds = pd.DataFrame({one["id"]: one["capacity"] for one in file["wards"]} for file in (whole, sampled)).T
    assert ((beds[1] / beds[0]).between(0.7, 2)).all()
