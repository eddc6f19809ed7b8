"""A hospital drafted from queries on a database: as from the file, and without the address of the database."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner, Result

from kaizar_pipeline.command.app import app
from kaizar_pipeline.config.files import load_hospital_config
from kaizar_pipeline.drafting import opened_extract
from kaizar_pipeline.history.loading import load_history
from tests.support.drafted_cases import by_name

pytestmark = pytest.mark.integration

PLACE = ("--timezone", "Europe/Amsterdam", "--country", "NL")
VISITS, STAYS = "SELECT * FROM visits", "SELECT *\nFROM stays -- all of them\n"
DATABASE = ("--url-env", "HIS_URL")


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files patients.csv and stays.csv, and a database with the same rows."""
    folder = tmp_path_factory.mktemp("secret")
    with closing(sqlite3.connect(folder / "his.db")) as connection:
        for table, path in zip(("visits", "stays"), by_name("two_files").write(folder), strict=True):
            pd.read_csv(path or "").to_sql(table, connection, index=False)
        connection.commit()
    return folder


@pytest.fixture
def home(secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and the current folder."""
    (tmp_path / "hospital_configs").mkdir()
    monkeypatch.setenv("KAIZAR_HOME", str(tmp_path))
    monkeypatch.setenv("HIS_URL", f"sqlite:///{secret / 'his.db'}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draft(*words: str) -> Result:
    return CliRunner().invoke(app, ["draft", *words])


def drafted(home: Path, name: str) -> dict:
    return yaml.safe_load((home / "hospital_configs" / f"{name}.yml").read_text(encoding="utf-8"))


def test_queries_give_what_the_files_give(home: Path, secret: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("patients.csv", "stays.csv"):
        (home / name).write_bytes((secret / name).read_bytes())
    assert draft("patients.csv", "stays.csv", *PLACE, "--name", "files").exit_code == 0
    result = draft("--sql", VISITS, "--stays-sql", STAYS, *DATABASE, *PLACE)
    assert result.exit_code == 0, result.output
    files, queries = drafted(home, "files"), drafted(home, "mine")
    where = {key: queries["patients"].pop(key) for key in ("source", "url_env", "query")}
    assert where == {"source": "sql", "url_env": "HIS_URL", "query": VISITS}
    assert queries["patients"]["stays"].pop("query") == STAYS
    assert (files["patients"].pop("source"), files["patients"].pop("path")) == ("csv", "patients.csv")
    assert files["patients"]["stays"].pop("path") == "stays.csv"
    assert files["hospital"].pop("name") == "files"
    assert queries["hospital"].pop("name") == "mine"
    assert queries == files
    monkeypatch.setenv("KAIZAR_PSEUDONYM_KEY", "test")
    histories = [
        load_history(load_hospital_config(home / f"hospital_configs/{name}.yml"), home) for name in ("files", "mine")
    ]
    of_files, of_queries = (history.patients[["arrival", "departure", "stream_id"]] for history in histories)
    pd.testing.assert_frame_equal(of_files, of_queries)
    for shown in (
        result.output,
        *(path.read_text(encoding="utf-8") for path in home.rglob("*mine*") if path.is_file()),
    ):
        assert "secret" not in shown
        assert "sqlite" not in shown


def test_of_a_long_query_a_sample_of_the_patients_is_looked_at(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(opened_extract, "MOST_ROWS", 1_000)
    result = draft("--sql", VISITS, "--stays-sql", STAYS, *DATABASE, *PLACE)
    assert result.exit_code == 0, result.output
    assert "a sample of one in" in result.output
    assert drafted(home, "mine")["patients"]["query"] == VISITS


SQL = ("--sql", VISITS)
BAD = {
    "neither": ((), "EXTRACT or --sql is missing"),
    "both": (("patients.csv", *SQL, *DATABASE), "EXTRACT and --sql: give one of them"),
    "stays_only": (("patients.csv", "--stays-sql", STAYS), "EXTRACT and --sql: give one of them"),
    "no_visits": (("--stays-sql", STAYS, *DATABASE), "EXTRACT or --sql is missing"),
    "no_variable": (SQL, "--url-env is missing"),
    "unset": ((*SQL, "--url-env", "NO_SUCH_URL"), "environment variable NO_SUCH_URL (patients.url_env) is not set"),
    "address": ((*SQL, "--url-env", "sqlite:///secret.db"), "name of an environment variable"),
    "not_an_address": ((*SQL, "--url-env", "BAD_URL"), "BAD_URL: is not an SQLAlchemy address"),
    "bad_port": ((*SQL, "--url-env", "BAD_PORT"), "BAD_PORT: is not an SQLAlchemy address"),
    "no_database": ((*SQL, "--url-env", "GONE_URL"), "the database in GONE_URL refuses it: unable to open"),
    "no_table": (("--sql", "SELECT * FROM nowhere", *DATABASE), "refuses it: no such table: nowhere"),
    "no_stays_table": ((*SQL, "--stays-sql", "SELECT * FROM nowhere", *DATABASE), "no such table: nowhere"),
    "one_column": (("--sql", "SELECT arrival FROM visits", *DATABASE), "has one column"),
    "no_row": (("--sql", f"{VISITS} WHERE 1 = 0", *DATABASE), "not a single row"),
    "no_select": (("--sql", "DELETE FROM visits", *DATABASE), "the database in HIS_URL refuses it"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_ends_in_a_sentence_without_the_address(
    home: Path, secret: Path, name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("BAD_URL", "secret-password")
    monkeypatch.setenv("BAD_PORT", "postgresql://user:secret@host:port/his")
    monkeypatch.setenv("GONE_URL", f"sqlite:///{secret}/gone/his.db")
    words, message = BAD[name]
    before = set(home.rglob("*"))
    result = draft(*words, *PLACE)
    assert result.exit_code == 1
    assert message in result.output
    assert result.output.strip().count("\n") == 0
    assert "secret" not in result.output
    assert set(home.rglob("*")) == before
    with closing(sqlite3.connect(secret / "his.db")) as connection:
        assert connection.execute("SELECT count(*) FROM visits").fetchone()[0] > 0
