"""Reads an extract from a file or a database as plain text, and of it only the columns that the config maps.

Everything is text first, so that no reader guesses types: what a cell means is decided in one place, for every source.
Names of patients and whatever else the extract holds are dropped cell by cell and reach no frame and no message.
"""

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kaizar_pipeline.config.patient_sources import CsvPatients, Extract, ParquetPatients, SqlPatients
from kaizar_pipeline.errors import DataError, nearest

if TYPE_CHECKING:
    from sqlalchemy import Engine

EMPTY = frozenset({"", "NULL", "null"})
"""Cells that say nothing."""


@dataclass(frozen=True)
class TextRows:
    """An extract as text."""

    place: str
    """How messages call it: the path as the config writes it, or the query."""
    cells: pd.DataFrame
    """The mapped columns, None for empty cells; the index numbers the rows, the first below the header is 1."""
    ragged: dict[int, int] = field(default_factory=dict)
    """Number of fields of rows that do not fit the header; no cell of theirs can be trusted, none is in `cells`."""


def read_text(source: Extract, location: str, columns: Iterable[str], home: Path) -> TextRows:
    """Read `columns` at `location`, a path (relative to `home`) or a query.

    Raises DataError for anything that keeps it from being read, and when there is no row.
    """
    wanted = list(dict.fromkeys(columns))
    match source:
        case CsvPatients():
            rows = _read_csv(source, location, wanted, home)
        case ParquetPatients():
            rows = _read_parquet(location, wanted, home)
        case SqlPatients():
            rows = _read_sql(source, location, wanted)
    if rows.cells.empty and not rows.ragged:
        raise DataError(
            f"{rows.place}: has columns, but not a single row; export it again, or correct the path or query"
        )
    return rows


def _read_csv(source: CsvPatients, location: str, wanted: list[str], home: Path) -> TextRows:
    reader = csv.reader(io.StringIO(_decode(_read_bytes(home, location), location, source.encoding), newline=""),
                        delimiter=source.separator)  # fmt: skip
    cells: dict[int, list[str | None]] = {}
    ragged: dict[int, int] = {}
    try:
        header = next(reader)
        positions = _positions(location, header, wanted, f", separated by {source.separator!r}")
        for number, record in enumerate(reader, start=1):
            if len(record) == len(header):
                cells[number] = [_text(record[position]) for position in positions]
            elif record:
                ragged[number] = len(record)
    except csv.Error as error:
        raise DataError(
            f"{location}, line {reader.line_num}: {error}; look for a quotation mark that never closes"
        ) from error
    return TextRows(location, _frame(cells, wanted), ragged)


def _read_bytes(home: Path, location: str) -> bytes:
    try:
        content = (home / location).read_bytes()
    except FileNotFoundError as error:
        raise DataError(
            f"{location}: no such file under {home}; put the extract there or correct `path` in the hospital's config"
        ) from error
    except OSError as error:
        raise DataError(f"{location}: cannot be read: {error.strerror}") from error
    if not content.strip():
        raise DataError(f"{location}: is empty; export it again")
    return content


def _decode(content: bytes, location: str, encoding: str) -> str:
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{location}, line {line}, byte {error.start}: is not {encoding}; name the file's encoding in the "
            "config, such as `encoding: cp1252` (Windows) or `encoding: utf-16`"
        ) from error
    except LookupError as error:
        raise DataError(
            f"{location}: unknown encoding {encoding!r}; allowed are Python's, such as utf-8 or cp1252"
        ) from error


def _read_parquet(location: str, wanted: list[str], home: Path) -> TextRows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(_read_bytes(home, location)))
        _positions(location, file.schema_arrow.names, wanted)
        table = file.read(columns=wanted)
    except pa.ArrowException as error:
        raise DataError(f"{location}: is not a whole Parquet file; export it again, or set `source: csv`") from error
    return TextRows(location, _numbered(zip(*(table[name].to_pylist() for name in wanted), strict=True), wanted))


def _read_sql(source: SqlPatients, query: str, wanted: list[str]) -> TextRows:
    import sqlalchemy as sa
    from sqlalchemy.exc import SQLAlchemyError

    place = f"query {' '.join(query.split())[:60]!r}"
    inner = sa.text(query.strip().rstrip(";"))
    nothing = sa.select(sa.text("*")).select_from(inner.columns().subquery("extract")).where(sa.false())
    mapped = inner.columns(*(sa.column(name) for name in wanted)).subquery("extract")
    engine = _engine(source.url_env)
    try:
        with engine.connect() as connection:
            _positions(place, list(connection.execute(nothing).keys()), wanted)
            records = connection.execute(sa.select(*(mapped.c[name] for name in wanted))).all()
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        raise DataError(f"{place}: the database in {source.url_env} refuses it: {reason}") from error
    finally:
        engine.dispose()
    return TextRows(place, _numbered(records, wanted))


def _engine(variable: str) -> "Engine":
    """A connection to the database whose address stands in the environment; the address itself is in no message."""
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError

    url = os.environ.get(variable)
    if not url:
        raise DataError(
            f"environment variable {variable} (patients.url_env) is not set; it holds the database's address, such as "
            "postgresql://user:password@host/database"
        )
    try:
        return sa.create_engine(url)
    except ArgumentError as error:
        raise DataError(
            f"environment variable {variable}: is no SQLAlchemy address such as postgresql://host/database"
        ) from error
    except ImportError as error:
        raise DataError(
            f"environment variable {variable}: its database needs a driver that is missing: {error}"
        ) from error


def _positions(place: str, found: list[str], wanted: list[str], how: str = "") -> list[int]:
    """Where each wanted column stands among those found."""
    faults = []
    for name in wanted:
        if found.count(name) > 1:
            faults.append(f"column {name!r} stands {found.count(name)} times")
        elif name not in found:
            near = nearest(name, found)
            faults.append(f"no column {name!r}" + (f" (did you mean {near!r}?)" if near else ""))
    if faults:
        shown = ", ".join(name[:40] for name in found[:40])
        raise DataError(
            f"{place}: {'; '.join(faults)}. Found: {shown}{how}. Correct patients.columns or export it again"
        )
    return [found.index(name) for name in wanted]


def _numbered(records: Iterable[Any], wanted: list[str]) -> pd.DataFrame:
    return _frame({number: [_text(v) for v in record] for number, record in enumerate(records, start=1)}, wanted)


def _frame(cells: dict[int, list[str | None]], wanted: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        list(cells.values()), index=pd.Index(list(cells), dtype="int64"), columns=wanted, dtype="object"
    )


def _text(value: Any) -> str | None:
    """A cell as text; numbers that are whole lose the decimals that missing neighbours gave them."""
    if value is None:
        return None
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    return None if text in EMPTY else text
