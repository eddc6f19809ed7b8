"""The files of a report: what lies where, replaced as a whole, with links that work from any folder."""

import os
import re
from pathlib import Path

import pytest
from tiny_report import AS_OF, tiny_report

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.reporting import report_files
from kaizar_pipeline.reporting.facts import Facts
from kaizar_pipeline.reporting.page import Entry
from kaizar_pipeline.reporting.report_files import replace_file, write_overview, write_report
from kaizar_pipeline.reporting.suppression import suppressed
from kaizar_pipeline.reporting.words import Name

pytestmark = pytest.mark.unit

FACTS = Facts("tiny", "0123abcd", "89ab", 1, 10)


def written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_report_is_a_page_a_spreadsheet_and_csv(tmp_path: Path):
    config, tables = tiny_report()
    folder = tmp_path / "reports" / "tiny"
    (folder / "csv").mkdir(parents=True)
    (folder / "csv" / "old.csv").write_text("of a sheet that is gone")
    page = write_report(folder, suppressed(tables, config), config, FACTS)
    write_overview(folder.parent, [Entry("tiny", Name("Tiny"), "tiny/latest.html", None, problem="not run")])
    found = written(folder)
    sheets = ["hospital", "groups", "wards", "flows", "days", "beds_for_a_risk", "dictionary"]
    assert found.keys() == {
        *("latest.html", f"{AS_OF:%Y-%m-%d}T00.html", f"{AS_OF:%Y-%m-%d}T00.xlsx"),
        *(f"csv/{name}.csv" for name in sheets),
    }
    assert found["latest.html"] == found["2026-03-02T00.html"] == page.read_bytes()
    links = re.findall(r'href="([^"#]+)"', page.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (folder / link).exists()] == []


def test_a_run_that_is_killed_leaves_the_last_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config, tables = tiny_report()
    page = write_report(tmp_path, suppressed(tables, config), config, FACTS)
    before = page.read_bytes()
    names = []

    def killed(path: Path, content: bytes) -> None:
        names.append(path.name)
        if path.name.endswith(".xlsx"):
            raise KeyboardInterrupt

    monkeypatch.setattr(report_files, "replace_file", killed)
    with pytest.raises(KeyboardInterrupt):
        write_report(tmp_path, suppressed(tables, config), config, FACTS)
    assert "latest.html" not in names
    assert page.read_bytes() == before


def test_what_killed_runs_left_is_removed(tmp_path: Path):
    (tmp_path / "a.html.123.tmp").write_text("half")
    (tmp_path / "b.html.123.tmp").write_text("of another file")
    replace_file(tmp_path / "a.html", b"whole")
    assert written(tmp_path) == {"a.html": b"whole", "b.html.123.tmp": b"of another file"}


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "a.html").mkdir()
    with pytest.raises(DataError, match=r"a\.html: cannot be written \(Is a directory\)"):
        replace_file(tmp_path / "a.html", b"")
    assert os.listdir(tmp_path) == ["a.html"]


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path):
    (tmp_path / "tiny").write_text("no folder")
    with pytest.raises(DataError, match=r"a\.html: cannot be written \(Not a directory\)"):
        replace_file(tmp_path / "tiny" / "wards" / "a.html", b"")
