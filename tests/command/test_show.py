"""What the terminal shows of a report: numbers of the tables, as wide as fits, and errors that name the remedy."""

import re
import shutil
import webbrowser
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from markupsafe import escape
from rich.console import Console
from tiny_report import AS_OF, HOSPITAL, hiding, tiny_report
from traced import problems
from typer.testing import CliRunner, Result

from kaizar_pipeline import read_tables
from kaizar_pipeline.chain.steps import all_tables
from kaizar_pipeline.command import show
from kaizar_pipeline.command.app import app
from kaizar_pipeline.config.files import config_hash
from kaizar_pipeline.errors import ConfigError, DataError
from kaizar_pipeline.orchestration.storage import Lineage, Warehouse
from kaizar_pipeline.reporting.bed_meeting_text import columns, sentences, worst_wards
from kaizar_pipeline.reporting.numbers import CONSTANTS
from kaizar_pipeline.reporting.suppression import suppressed
from kaizar_pipeline.tables import HOSPITAL_TOTAL, TABLES

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the stored tables of the tiny hospital, and another hospital without any."""
    home = tmp_path_factory.mktemp("project")
    (home / "hospital_configs").mkdir()
    (home / "workspace.yaml").touch()
    for name in ("tiny", "other"):
        (home / "hospital_configs" / f"{name}.yml").write_text(HOSPITAL, encoding="utf-8")
    config, tables = tiny_report()
    warehouse = Warehouse(home / "data")
    warehouse.catalog.parent.mkdir()
    for name in all_tables():
        warehouse.write(name, "tiny", tables[name], Lineage("0123abcd", AS_OF, config_hash(config), {}))
    return home


@pytest.fixture
def home(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, which is the current folder."""
    shutil.copytree(project, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def kaizar(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


@pytest.mark.parametrize("below", [0, 5])
def test_every_number_in_the_terminal_is_that_of_its_table(below: int):
    config, tables = tiny_report()
    cells = suppressed(tables, hiding(config, below))
    found, rows = columns(cells, config)
    said = [*sentences(cells, config), *worst_wards(cells, config)]
    said += [column.head for column in found] + [column.of(row) for column in found for row in rows]
    html = "".join(f"<p>{escape(one)}</p>" for one in said)
    assert html.count("data-of") > 60
    assert problems(html, tables, TABLES, CONSTANTS) == []


def test_show_prints_the_bed_meeting_and_the_verdict(home: Path):
    result = kaizar("show", "tiny")
    assert result.exit_code == 0, result.output
    title, _, *lines = result.stdout.splitlines()
    assert title == '=HYPERLINK("x") <b>Zoë & Söhne</b> بيت, as of Mon 2\u00a0Mar 0:00'
    table, said = lines[: lines.index("")], lines[lines.index("") + 1 :]
    _, tables = tiny_report()
    now = tables["ward_now"].set_index("ward_id")
    for ward, name in {"ed": "ed", "ward": '@Müller "Süd" <&>', HOSPITAL_TOTAL: "Whole hospital"}.items():
        row = next(line for line in table if line.startswith(name))
        numbers = re.findall(r"−?\d+", row.removeprefix(name))
        assert [int(n.replace("−", "-")) for n in numbers[:4]] == [
            now["staffed_beds"][ward],
            now["in_beds"][ward],
            now["staffed_beds"][ward] - now["in_beds"][ward],
            now["waiting"][ward],
        ]
    assert said[0].endswith(".")
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("width", [24, 40, 80, 120, 250])
def test_no_line_is_wider_than_the_terminal(home: Path, width: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        show, "_console", lambda: Console(highlight=False, markup=False, width=width, force_terminal=True)
    )
    result = kaizar("show", "tiny")
    assert result.exit_code == 0, result.output
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    assert max(map(len, plain.splitlines())) <= width
    assert "In" in plain
    assert ("Hinges" in plain) == (width == 250)


def test_small_numbers_are_hidden_in_the_terminal_as_on_the_page(home: Path):
    file = home / "hospital_configs" / "tiny.yml"
    file.write_text(HOSPITAL + "report: {suppress_below: 5}\n", encoding="utf-8")
    shown, report = kaizar("show", "tiny"), kaizar("report", "tiny")
    assert (shown.exit_code, report.exit_code) == (0, 0), report.output
    assert "* is a small number of patients, or one that would reveal it, which is not shown." in shown.stdout
    page = Path(report.stdout.strip()).read_text(encoding="utf-8")
    _, tables = tiny_report()
    for ward, name in {"ed": "ed", "ward": "@Müller"}.items():
        row = next(line for line in shown.stdout.splitlines() if re.match(rf"{name}.* \d", line))
        hidden = re.search(r" \* ", row) is not None
        assert (re.search(rf"bed_meeting\.in_beds/{ward}/next_24_hours'?\"?>\*<", page) is not None) == hidden
        if 0 < tables["ward_now"].set_index("ward_id")["in_beds"][ward] < 5:
            assert hidden


def test_report_writes_page_spreadsheet_and_overview_without_running(home: Path, monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))
    result = kaizar("report", "tiny", "--open")
    assert result.exit_code == 0, result.output
    page = home / "data" / "reports" / "tiny" / "latest.html"
    assert result.stdout == f"{page}\n"
    assert opened == [page.as_uri()]
    assert {"2026-03-02T00.html", "2026-03-02T00.xlsx", "csv"} <= {path.name for path in page.parent.iterdir()}
    overview = (home / "data" / "reports" / "index.html").read_text(encoding="utf-8")
    assert 'href="tiny/latest.html"' in overview or "href=tiny/latest.html" in overview
    assert "has no stored tables yet; make them first: kaizar run" in overview
    monkeypatch.setattr(webbrowser, "open", lambda url: False)
    assert f"open {page.as_uri()}" in kaizar("report", "tiny", "--open").stderr


@pytest.mark.parametrize("command", ["show", "report"])
def test_what_is_missing_is_one_sentence_with_the_remedy(home: Path, command: str):
    unknown = kaizar(command, "tinny")
    assert (unknown.exit_code, unknown.stderr) == (1, "unknown hospital 'tinny', did you mean 'tiny'?\n")
    nothing = kaizar(command, "other")
    assert nothing.exit_code == 1
    assert nothing.stderr == "other has no stored tables yet; make them first: kaizar run other\n"

    _, tables = tiny_report()
    later = AS_OF + pd.Timedelta(days=1)
    config_digest = config_hash(tiny_report()[0])
    Warehouse(home / "data").write(
        "bed_meeting", "tiny", tables["bed_meeting"].assign(as_of=later), Lineage("1", later, config_digest, {})
    )
    mixed = kaizar(command, "tiny")
    assert mixed.exit_code == 1
    assert "is as of 2026-03-02" in mixed.stderr
    assert mixed.stderr.endswith("; to make all tables anew: kaizar run tiny\n")
    assert mixed.stderr.count("\n") == 1

    with duckdb.connect(home / "data" / "warehouse" / "bed_meeting" / "hospital_id=tiny" / "data.duckdb") as file:
        file.execute("UPDATE _lineage SET schema_version = 1")
    outdated = kaizar(command, "tiny")
    assert outdated.exit_code == 1
    assert "it holds version 1 of the table" in outdated.stderr
    assert outdated.stderr.endswith("; to make all tables anew: kaizar run tiny\n")
    assert not (home / "data" / "reports").exists()


def test_a_run_ends_with_the_worst_wards_and_where_the_report_is(home: Path, capsys: pytest.CaptureFixture[str]):
    show.say_of_run(home, "tiny")
    lines = capsys.readouterr().out.splitlines()
    _, tables = tiny_report()
    worst = tables["ward_outlook"].query("kind == 'ward' and rank == 1")["ward_id"].iloc[0]
    assert lines[1].startswith(f"  {'ed' if worst == 'ed' else '@Müller'}")
    assert lines[-1] == (
        "  report as of Mon 2\u00a0Mar 0:00: data/reports/tiny/latest.html; all tables: data/kaizar.duckdb"
    )


def test_a_notebook_reads_the_stored_tables_or_is_told_what_to_run(home: Path):
    tables = read_tables(home, "tiny")
    assert {"ward_days", "bed_meeting", "daily_peaks"} <= set(tables)
    pd.testing.assert_frame_equal(tables["bed_meeting"], tiny_report()[1]["bed_meeting"])
    assert list(read_tables(home, "tiny", ["patients"])) == ["patients"]
    with pytest.raises(DataError, match=r"^other has no stored tables yet; make them first: kaizar run other$"):
        read_tables(home, "other")
    with pytest.raises(ConfigError, match="unknown hospital 'tinny', did you mean 'tiny'"):
        read_tables(home, "tinny")
