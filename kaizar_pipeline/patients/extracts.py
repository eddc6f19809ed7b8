"""Reads an extract from a file or a database as plain text, and of it only the columns that the config maps.

Everything is text first, so that no reader guesses types: what a cell means is decided in one place, for every source.
Names of patients and whatever else the extract holds are dropped cell by cell and reach no frame and no message.
A further format is a config model, a reader in `READERS` and nothing else.
"""

import csv
import io
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import (
    CsvPatients,
    Extract,
    ParquetPatients,
    PatientSource,
    SqlPatients,
    StaysExtract,
)
from kaizar_pipeline.errors import DataError, nearest
from kaizar_pipeline.patients.pseudonyms import pseudonym_key, pseudonyms
from kaizar_pipeline.patients.stamps import Stamps, read_stamps

if TYPE_CHECKING:
    from sqlalchemy import Engine

EMPTY = frozenset({"", "NULL", "null"})
"""Cells that count as empty."""


@dataclass(frozen=True)
class TextRows:
    """An extract as text."""

    place: str
    """Its name in messages: the path as the config writes it, or the query."""
    cells: pd.DataFrame
    """The mapped columns, None for empty cells; the index numbers the rows, the first below the header is 1."""
    ragged: dict[int, int] = field(default_factory=dict)
    """Number of fields of rows that do not fit the header; no cell of theirs can be trusted, none is in `cells`."""


class ExtractReader:
    """Reads the extracts of one hospital, with paths relative to `home`: rows as text, then stamps and ids."""

    def __init__(self, config: HospitalConfig, source: Extract, home: Path):
        self.config = config
        self.source = source
        self.ignored_ids: frozenset[str] = frozenset()
        """Patients that the extract of patients leaves out: their rows in that of ward stays are left out too."""
        self._home = home

    def rows(self, part: Extract | StaysExtract) -> TextRows:
        """The mapped columns of an extract; raises DataError when it cannot be read or has no row."""
        location = getattr(part, self.source.location_key)
        wanted = list(dict.fromkeys(name for _, name in part.columns if name))
        rows = READERS[type(self.source)](self.source, location, wanted, self._home)
        if rows.cells.empty and not rows.ragged:
            raise DataError(
                f"{rows.place}: has columns, but not a single row; export it again, or correct the path or query"
            )
        if isinstance(part, StaysExtract) and self.ignored_ids:
            known = ~rows.cells[part.columns.patient_id].isin(self.ignored_ids)
            return replace(rows, cells=rows.cells[known])
        return rows

    def stamps(self, texts: pd.Series) -> Stamps:
        """The times that `texts` hold."""
        return read_stamps(texts, self.source.date_format, self.config.hospital.timezone)

    def pseudonyms(self, ids: pd.Series) -> pd.Series:
        """The keyed hashes of `ids`, null for null."""
        return pseudonyms(ids, self._key)

    @cached_property
    def _key(self) -> bytes:
        return pseudonym_key(self.source.pseudonym_key, self._home)


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
    except OSError as error:
        raise DataError(
            f"{location}: cannot be read under {home}: {error.strerror}; put the extract there or correct `path`"
        ) from error
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


def _read_parquet(source: ParquetPatients, location: str, wanted: list[str], home: Path) -> TextRows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(_read_bytes(home, location)))
        _positions(location, file.schema_arrow.names, wanted)
        table = file.read(columns=wanted)
    except pa.ArrowException as error:
        raise DataError(f"{location}: is not a whole Parquet file; export it again, or set `source: csv`") from error
    return TextRows(location, _numbered(zip(*(table[name].to_pylist() for name in wanted), strict=True), wanted))


def _read_sql(source: SqlPatients, query: str, wanted: list[str], home: Path) -> TextRows:
    import sqlalchemy as sa
    from sqlalchemy.exc import SQLAlchemyError

    place = f"query {' '.join(query.split())[:60]!r}"
    inner = sa.text(query.strip().rstrip(";"))
    no_rows = sa.select(sa.text("*")).select_from(inner.columns().subquery("extract")).where(sa.false())
    mapped = inner.columns(*(sa.column(name) for name in wanted)).subquery("extract")
    engine = _engine(source.url_env)
    try:
        with engine.connect() as connection:
            _positions(place, list(connection.execute(no_rows).keys()), wanted)
            records = connection.execute(sa.select(*(mapped.c[name] for name in wanted))).all()
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        raise DataError(f"{place}: the database in {source.url_env} refuses it: {reason}") from error
    finally:
        engine.dispose()
    return TextRows(place, _numbered(records, wanted))


READERS: dict[type[PatientSource], Callable[[Any, str, list[str], Path], TextRows]] = {
    CsvPatients: _read_csv,
    ParquetPatients: _read_parquet,
    SqlPatients: _read_sql,
}
"""How each kind of extract is read: from its config, the location, the columns and the folder that paths start from."""


def _engine(variable: str) -> "Engine":
    """A connection to the database whose address is in the environment; no message shows the address itself."""
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
            f"environment variable {variable}: is not an SQLAlchemy address such as postgresql://host/database"
        ) from error
    except ImportError as error:
        raise DataError(
            f"environment variable {variable}: its database needs a driver that is missing: {error}"
        ) from error


def _positions(place: str, found: list[str], wanted: list[str], separated: str = "") -> list[int]:
    """Position in `found` of each wanted column."""
    errors = [_column_error(name, found) for name in wanted if found.count(name) != 1]
    if errors:
        shown = ", ".join(name[:40] for name in found[:40])
        raise DataError(
            f"{place}: {'; '.join(errors)}. Found: {shown}{separated}. Correct patients.columns or export it again"
        )
    return [found.index(name) for name in wanted]


def _column_error(name: str, found: list[str]) -> str:
    if name in found:
        return f"column {name!r} appears {found.count(name)} times"
    near = nearest(name, found)
    return f"no column {name!r}" + (f" (did you mean {near!r}?)" if near else "")


def _numbered(records: Iterable[Any], wanted: list[str]) -> pd.DataFrame:
    return _frame({number: [_text(cell) for cell in record] for number, record in enumerate(records, start=1)}, wanted)


def _frame(rows: dict[int, list[str | None]], wanted: list[str]) -> pd.DataFrame:
    return pd.DataFrame(list(rows.values()), pd.Index(list(rows), dtype="int64"), wanted, dtype="object")


def _text(value: Any) -> str | None:
    """A cell as text; whole numbers lose the decimals that a column with empty cells gave them."""
    if value is None:
        return None
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    return None if text in EMPTY else text
