"""The spreadsheet of a report, and each of its sheets as CSV.

Equal tables give equal bytes. No cell is a formula: text is written as text whatever it begins with, and in CSV, where
programs guess, text that begins like a formula has a single quote in front.
"""

import csv
from collections.abc import Mapping
from io import BytesIO, StringIO
from itertools import pairwise
from typing import Any

import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.planning.chances import BANDS
from kaizar_pipeline.reporting.numbers import SUPPRESSED
from kaizar_pipeline.reporting.sheets import DICTIONARY, SHEETS, fields_of

FORMATS = {
    "text": "@",
    "count": "0",
    "free": "0",
    "tenths": "0.0",
    "free_tenths": "0.0",
    "hundredths": "0.00",
    "signed": "+0.0;-0.0;0.0",
    "percent": "0%",
    "chance": "0%",
    "date": "ddd d mmm yyyy",
    "time": "ddd d mmm hh:mm",
}
"""Number formats of Excel by how a column is shown."""

_ALMOST_NEVER, _ALMOST_SURELY = '"<1%"', '">99%"'
"""Formats of chances that are neither 0 nor 1, and would be shown as such."""

_TINTS = ("#FFFFFF", "#F7E1DE", "#EBB8B1", "#BD4039", "#861411")
"""Fills of the chances in words, from very unlikely to very likely."""
_RED, _DARK = "#A3201D", "#14181D"
_WIDEST, _LONGEST = 42, 80
_FORMULA = ("=", "+", "-", "@")


def workbook(tables: Mapping[str, pd.DataFrame], config: HospitalConfig, as_of: pd.Timestamp) -> bytes:
    """The spreadsheet of `sheets` as an XLSX file."""
    file = BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "default_date_format": FORMATS["time"]}) as book:
        # the time of making is that of the data: equal tables are equal files
        book.set_properties({"title": config.hospital.name, "created": as_of.to_pydatetime()})
        styles = _Styles(book)
        shown = {sheet.name: {one.title: one.shown for one in fields_of(sheet, config)} for sheet in SHEETS}
        for name, frame in tables.items():
            sheet = book.add_worksheet(name)
            _fill(sheet, frame, shown.get(name, {}), styles)
            _lay_out(sheet, frame, name, f"{config.hospital.name}, {as_of:%Y-%m-%d %H:%M}")
    return file.getvalue()


def as_csv(frame: pd.DataFrame) -> bytes:
    """A sheet as CSV (RFC 4180), in UTF-8 with a byte order mark, by which Excel reads umlauts."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_safe(head) for head in frame.columns)
    writer.writerows([_plain(value) for value in row] for row in frame.itertuples(index=False, name=None))
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8")


def _safe(text: str) -> str:
    """Text that no program takes for a formula."""
    return f"'{text}" if text.lstrip().startswith(_FORMULA) or text[:1] in ("\t", "\r", "\n") else text


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%dT%H:%M}"
    return _safe(value) if isinstance(value, str) else "" if value is None else value


class _Styles:
    """The formats of a workbook, each made once."""

    def __init__(self, book: xlsxwriter.Workbook):
        self._book, self._made = book, {}
        self.head = book.add_format({"bold": True, "text_wrap": True, "valign": "bottom", "bottom": 1})
        self.wrapped = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"})
        self.hidden = book.add_format({"num_format": "@", "align": "right"})
        self.short = book.add_format({"font_color": _RED, "bold": True})
        light = ("#FFFFFF", _DARK)
        self.chances = [
            book.add_format({"bg_color": tint, "font_color": light[position < 3]})
            for position, tint in enumerate(_TINTS)
        ]

    def of(self, shown: str, value: Any = None) -> Format:
        """The format of a value that is shown so."""
        pattern = FORMATS[shown]
        if pattern == "0%" and isinstance(value, float):
            pattern = _ALMOST_NEVER if 0 < value < 0.005 else _ALMOST_SURELY if 0.995 < value < 1 else pattern
        if pattern not in self._made:
            self._made[pattern] = self._book.add_format({"num_format": pattern})
        return self._made[pattern]


def _fill(sheet: Worksheet, frame: pd.DataFrame, shown: Mapping[str, str], styles: _Styles) -> None:
    """Heads, values and conditional formats."""
    for column, head in enumerate(frame.columns):
        how = shown.get(head, "text")
        sheet.write_string(0, column, head, styles.head)
        for row, value in enumerate(frame[head], start=1):
            _write(sheet, row, column, value, how, styles)
        below = (1, column, len(frame), column)
        if how == "chance":
            _tint(sheet, below, styles)
        elif how.startswith("free"):
            rule = {"type": "cell", "criteria": "<", "value": 0, "format": styles.short}
            sheet.conditional_format(*below, rule)


def _write(sheet: Worksheet, row: int, column: int, value: Any, how: str, styles: _Styles) -> None:
    if value is None:
        return
    if isinstance(value, pd.Timestamp):
        sheet.write_datetime(row, column, value.to_pydatetime(), styles.of(how))
    elif isinstance(value, str):
        style = styles.hidden if value == SUPPRESSED else styles.wrapped if len(value) > _WIDEST else styles.of("text")
        sheet.write_string(row, column, value, style)
    else:
        sheet.write_number(row, column, value, styles.of(how, value))


def _tint(sheet: Worksheet, below: tuple[int, int, int, int], styles: _Styles) -> None:
    """Fill chances by their words, the darker the likelier; text and hidden numbers are left alone."""
    ends = [*(end for end, _ in BANDS), 1.0001]
    for style, (low, high) in zip(styles.chances[1:], pairwise(ends), strict=True):
        rule = {"type": "cell", "criteria": "between", "minimum": low, "maximum": high, "format": style}
        sheet.conditional_format(*below, rule | {"stop_if_true": True})


def _lay_out(sheet: Worksheet, frame: pd.DataFrame, name: str, about: str) -> None:
    """Widths, frozen heads, filters, and how it prints."""
    for column, head in enumerate(frame.columns):
        longest = max((len(str(value)) for value in frame[head] if isinstance(value, str)), default=0)
        dated = any(isinstance(value, pd.Timestamp) for value in frame[head])
        word = max(len(part) for part in head.split())
        sheet.set_column(column, column, max(min(longest + 2, _WIDEST), word + 3, 17 if dated else 8))
    if name == DICTIONARY:
        sheet.set_column(frame.shape[1] - 1, frame.shape[1] - 1, _LONGEST)
    sheet.freeze_panes(1, 2)
    sheet.autofilter(0, 0, len(frame), frame.shape[1] - 1)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.4, right=0.4, top=0.7, bottom=0.6)
    sheet.repeat_rows(0)
    sheet.print_area(0, 0, len(frame), frame.shape[1] - 1)
    printed = about.replace("&", "&&")[:200]
    sheet.set_header(f"&L{printed}&R{name}")
    sheet.set_footer("&R&P / &N")
