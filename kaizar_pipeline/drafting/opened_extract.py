"""An extract of which nothing is known yet: its encoding, separator, header, and a sample of its rows as text."""

import codecs
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.csv_files import CsvFile, file_under

MOST_ROWS = 1_000_000
"""Rows that are looked at; of a longer file every k-th row is."""

_BLOCK_BYTES = 4 << 20
_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8"}
_FALLBACK_ENCODING = "cp1252"
_PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class OpenedExtract:
    """A CSV or Parquet file and a sample of its rows."""

    path: Path
    location: str
    """The path as the config will name it."""
    format: str
    """csv or parquet."""
    encoding: str
    separator: str | None
    rows: pd.DataFrame
    """Cells as text, empty where missing; the columns are those of the header."""
    total_rows: int
    every: int = 1
    """Only each `every`-th row is in `rows`."""


def open_extract(path: Path, home: Path) -> OpenedExtract:
    """Open the file `path`. Raises DataError when it cannot be read as a table with at least two columns and a row."""
    path = path.resolve()
    location = path.relative_to(home).as_posix() if path.is_relative_to(home) else path.as_posix()
    file_under(path.parent, path.name)
    with path.open("rb") as file:
        begin = file.read(4096)
    if begin.startswith(_PARQUET):
        return _open_parquet(path, location)
    encoding = _encoding(path, begin)
    file = CsvFile(path, location, encoding, None)
    if b"\0" in begin and encoding != "utf-16" and not begin.startswith(_GZIP):
        raise DataError(f"{location}: is not text; give a CSV or Parquet file")
    header = file.header([])
    _check_header(location, header)
    every = max(1, round(_records(path, begin) / MOST_ROWS))
    parts, seen = [], 0
    for numbers, columns in file.batches(header, header):
        batch = pa.table(dict(zip(header, columns, strict=True))).to_pandas()
        parts.append(batch[(numbers - 1) % every == 0])
        seen += len(batch)
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=header)
    _check_rows(location, rows)
    return OpenedExtract(path, location, "csv", encoding, file.separator, _trimmed(rows), seen, every)


def _open_parquet(path: Path, location: str) -> OpenedExtract:
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{location}: is not a whole Parquet file; export it again") from error
    _check_header(location, table.column_names)
    every = max(1, round(table.num_rows / MOST_ROWS))
    rows = table.to_pandas().iloc[::every].astype("string").fillna("").reset_index(drop=True)
    _check_rows(location, rows)
    return OpenedExtract(path, location, "parquet", "utf-8", None, _trimmed(rows), table.num_rows, every)


def _trimmed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.fillna("").apply(lambda column: column.astype(str).str.strip())


def _encoding(path: Path, begin: bytes) -> str:
    """UTF-16 or UTF-8 where the file is that, else Windows' western encoding."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if begin.startswith(mark):
            return encoding
    if begin.startswith(_GZIP):
        return "utf-8"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _FALLBACK_ENCODING
    return "utf-8"


def _records(path: Path, begin: bytes) -> float:
    """About how many rows the file has, from the length of its first lines."""
    lines = begin.count(b"\n")
    return path.stat().st_size / (len(begin) / lines) if lines else 1


def _check_header(location: str, header: list[str]) -> None:
    if len(header) < 2:
        raise DataError(
            f"{location}: has one column; at least an arrival and a departure are needed, separated by , ; tab or |"
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{location}: the column {twice[0][:40]!r} appears more than once; name the columns apart")


def _check_rows(location: str, rows: pd.DataFrame) -> None:
    if rows.empty:
        raise DataError(f"{location}: has columns, but not a single row; export it again")
