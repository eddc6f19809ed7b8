"""The spreadsheet, read back: its numbers are those of the tables, nothing is a formula, and it prints."""

import csv
import re
from datetime import datetime
from functools import cache
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import pandas as pd
import pytest
import yaml
from openpyxl.worksheet.worksheet import Worksheet
from tiny_report import AS_OF, hiding, tiny_report

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.report_settings import ReportSettings
from kaizar_pipeline.reporting.numbers import SUPPRESSED, Cells
from kaizar_pipeline.reporting.sheets import DICTIONARY, SHEETS, fields_of, sheets
from kaizar_pipeline.reporting.suppression import suppressed
from kaizar_pipeline.reporting.workbook import as_csv, workbook
from kaizar_pipeline.tables import TABLES

pytestmark = pytest.mark.unit


@cache
def cells_of(below: int = 0) -> Cells:
    config, tables = tiny_report()
    return suppressed(tables, hiding(config, below))


def book_of(cells: Cells, config: HospitalConfig) -> bytes:
    return workbook(sheets(cells, config), config, AS_OF)


@cache
def made(below: int = 0) -> bytes:
    return book_of(cells_of(below), tiny_report()[0])


@cache
def read_back(below: int = 0) -> dict[str, Worksheet]:
    book = openpyxl.load_workbook(BytesIO(made(below)))
    return {sheet.title: sheet for sheet in book.worksheets}


def frame_of(sheet: Worksheet) -> pd.DataFrame:
    head, *rows = sheet.iter_rows(values_only=True)
    return pd.DataFrame(rows, columns=[str(name) for name in head], dtype=object)


@pytest.mark.parametrize("below", [0, 5])
def test_every_number_is_that_of_its_table(below: int):
    config, tables = tiny_report()
    cells, found = cells_of(below), {name: frame_of(sheet) for name, sheet in read_back(below).items()}
    described = found[DICTIONARY].set_index(["Sheet", "Column"])[["Table", "Column of the table"]].T.to_dict("list")
    numbers = 0
    for sheet in SHEETS:
        rows = found.get(sheet.name, pd.DataFrame())
        named = {one.column: one.title for one in fields_of(sheet, config) if one.table == sheet.rows}
        known_as = {one.column: {text: key for key, text in one.words.items()} for one in fields_of(sheet, config)}
        for one in fields_of(sheet, config) if len(rows) else ():
            assert described[(sheet.name, one.title)] == [one.table, one.column]
            table = tables[one.table].set_index(TABLES[one.table].key[1:], drop=False)[one.column]
            given: dict[str, Any] = {"scenario": "baseline", "window": "until_next_snapshot", "flow": "net"}
            given |= {"urgency": "_all", **one.where}
            of_row = {
                name: rows[named[name]].replace(known_as[name])
                for name in cells.key(one.table)
                if name in named.keys() - one.where.keys()
            }
            for position, shown in enumerate(rows[one.title]):
                key = tuple(of_row[name][position] if name in of_row else given[name] for name in cells.key(one.table))
                expected = table.get(key if len(key) > 1 else next(iter(key)))
                if shown == SUPPRESSED:
                    assert (one.table, one.column, key) in cells.hidden
                elif expected is None or pd.isna(expected):
                    assert shown is None
                elif one.words:
                    assert shown == one.words[expected]
                else:
                    assert shown == (pytest.approx(expected) if isinstance(expected, float) else expected)
                    numbers += not isinstance(shown, str)
    assert numbers > 1000


@pytest.mark.parametrize("below", [0, 5])
def test_no_cell_is_a_formula(below: int):
    for sheet in read_back(below).values():
        assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    with ZipFile(BytesIO(made(below))) as parts:
        assert not [name for name in parts.namelist() if "vba" in name.lower()]
        assert b"<f>" not in b"".join(parts.read(name) for name in parts.namelist() if "worksheets/" in name)


def test_names_are_text_whatever_they_begin_with():
    config, _ = tiny_report()
    name = '@Müller "Süd" <&>'
    found = read_back()
    assert frame_of(found["wards"])["Name"].tolist() == ["ed", name]
    header = found["wards"].oddHeader
    assert header is not None
    assert f"{header.left.text}".startswith(config.hospital.name.replace("&", "&&")[:12])
    frame = pd.DataFrame(
        {"Ward": ["007", "=1+1", "  +x", "\t@y", "-z", 'a "b", c', "بيت", "ok"], "n": [-1, 2, 3, 4, 5, 6, 7, None]},
        dtype=object,
    )
    text = as_csv(frame).decode("utf-8-sig")
    assert as_csv(frame).startswith(b"\xef\xbb\xbf")
    assert text.count("\r\n") == len(frame) + 1 == text.count("\n")
    rows = list(csv.reader(StringIO(text, newline="")))
    assert [row[0] for row in rows[1:]] == ["007", "'=1+1", "'  +x", "'\t@y", "'-z", 'a "b", c', "بيت", "ok"]
    assert [row[1] for row in rows[1:]] == ["-1", "2", "3", "4", "5", "6", "7", ""]


def test_an_id_with_leading_zeros_stays_text():
    config, tables = tiny_report()
    renamed = tables["bed_meeting"].replace({"ward_id": {"ed": "007"}})
    wards = tuple(w.model_copy(update={"id": "007"}) if w.id == "ed" else w for w in config.wards)
    config = config.model_copy(update={"wards": wards, "groups": {}})
    book = book_of(Cells({"bed_meeting": renamed}, TABLES), config)
    cell = openpyxl.load_workbook(BytesIO(book))["wards"]["A2"]
    assert (cell.value, cell.data_type, cell.number_format) == ("007", "s", "@")


def test_every_sheet_prints_on_a4_with_its_heads_and_can_be_filtered():
    for sheet in read_back().values():
        assert sheet.freeze_panes == "C2"
        assert sheet.auto_filter.ref == sheet.dimensions
        assert sheet.print_title_rows == "$1:$1"
        assert sheet.dimensions == str(sheet.print_area).partition("!")[2].replace("$", "")
        assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 9)
        assert sheet.page_setup.fitToHeight == 0


def test_formats_say_what_a_number_is():
    sheet = read_back()["days"]
    heads = {cell.value: position for position, cell in enumerate(sheet[1], start=1)}
    column = heads["Chance full at some hour (share)"]
    formats = {sheet.cell(row, column).number_format for row in range(2, sheet.max_row + 1)}
    assert {"0%"} <= formats <= {"0%", '"<1%"', '">99%"'}
    assert isinstance(sheet.cell(2, heads["Date"]).value, datetime)
    assert {rule.type for rules in sheet.conditional_formatting for rule in rules.rules} == {"cellIs"}
    free = [rules for rules in read_back()["wards"].conditional_formatting if rules.rules[0].operator == "lessThan"]
    assert len(free) == 7


def test_equal_tables_give_equal_bytes():
    config, _ = tiny_report()
    assert made() == book_of(cells_of(), config)
    assert openpyxl.load_workbook(BytesIO(made())).properties.created == AS_OF.to_pydatetime()


def test_a_sheet_without_rows_is_left_out():
    config, tables = tiny_report()
    found = sheets(Cells({name: tables[name] for name in ("bed_meeting", "ward_days")}, TABLES), config)
    assert list(found) == ["hospital", "groups", "wards", "days", DICTIONARY]
    assert "scenarios" not in read_back()


def test_the_page_of_the_documentation_is_right(repository: Path):
    page = (repository / "docs" / "how_to" / "report.md").read_text(encoding="utf-8")
    config, tables = tiny_report()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {"config": config, "tables": tables}
    exec(compile(code, "docs/how_to/report.md", "exec"), names)
    assert isinstance(names["days"], pd.DataFrame)
    (keys,) = re.findall(r"```yaml\nreport: (.*?)\n```", page)
    assert ReportSettings.model_validate(yaml.safe_load(keys)).suppress_below == 5
    named = re.findall(r"^\| ([a-z][a-z, ]+) \|", page, re.MULTILINE)[1:]
    assert ", ".join(named).split(", ") == [*(sheet.name for sheet in SHEETS), DICTIONARY]
