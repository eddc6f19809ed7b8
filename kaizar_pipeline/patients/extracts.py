"""Reads an extract from a file or a database as plain text, and of it only the columns that the config maps.

Everything is text first, so that no reader guesses types: what a cell means is decided in one place, for every source.
Rows stream into a table of DuckDB, a batch at a time. Names of patients and whatever else the extract holds are dropped
cell by cell and reach no table and no message.
A further format is a config model, a reader in `READERS` and nothing else.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import (
    CsvPatients,
    Extract,
    ParquetPatients,
    PatientSource,
    SqlPatients,
    StaysExtract,
)
from kaizar_pipeline.errors import DataError, nearest, quoted
from kaizar_pipeline.patients.csv_files import CsvFile, file_under
from kaizar_pipeline.patients.pseudonyms import pseudonym_key

if TYPE_CHECKING:
    from sqlalchemy import URL, ColumnElement, Connection, Engine, Select, TextClause

EMPTY = ("", "NULL", "null")
"""Cells that count as empty in every column."""

_BATCH_ROWS = 100_000

Batches = Iterator[tuple[np.ndarray, Sequence[pa.Array]]]
"""Numbers of rows, and their cells in the wanted columns as arrays of text."""


@dataclass(frozen=True)
class TextRows:
    """An extract as text."""

    place: str
    """Its name in messages: the path as the config writes it, or the query."""
    batches: Batches
    ragged: dict[int, int] = field(default_factory=dict)
    """Number of fields of rows that do not fit the header; no cell of theirs can be trusted, none is in `batches`. It
    is filled while these are read."""
    lines: Callable[[np.ndarray], np.ndarray] = lambda rows: rows
    """The line of the file of each row number; the numbers themselves where the source has no lines."""


class ExtractReader:
    """Reads the extracts of one hospital into tables of `connection`, with paths relative to `home`."""

    def __init__(self, config: HospitalConfig, source: Extract, home: Path, connection: duckdb.DuckDBPyConnection):
        self.config = config
        self.source = source
        self.connection = connection
        self._home = home

    def load(self, part: Extract | StaysExtract, table: str) -> TextRows:
        """Fill `table` with the mapped columns of an extract, as text, null where empty: row, then a column for each
        key of `columns` (null where none is mapped).

        Raises DataError when the extract cannot be read or has no row.
        """
        location = getattr(part, self.source.location_key)
        names = dict(part.mapped_columns())
        wanted = list(dict.fromkeys(names.values()))
        rows = READERS[type(self.source)](self.source, location, wanted, self._home)
        cells = {key: f"nullif(trim({_quoted(name)}), '')" for key, name in names.items()}
        empty = ", ".join(f"'{text}'" for text in EMPTY if text)
        columns = [
            f"CASE WHEN {cells[key]} NOT IN ({empty}) THEN {cells[key]} END AS {key}" if key in cells
            else f"NULL::VARCHAR AS {key}" for key in part.column_keys
        ]  # fmt: skip
        self._fill(rows, wanted, f"CREATE OR REPLACE TABLE {table} AS SELECT row, {', '.join(columns)} FROM batches")
        if not rows.ragged and not self.count(table):
            raise DataError(
                f"{rows.place}: has columns, but not a single row; export it again, or correct the path or query"
            )
        return rows

    def count(self, table: str) -> int:
        """The number of rows of `table`."""
        return self.connection.table(table).count("*").fetchall()[0][0]

    def _fill(self, rows: TextRows, wanted: list[str], statement: str) -> None:
        """Carry out `statement` on the batches of `rows`, as the table `batches`."""
        schema = pa.schema([("row", pa.int64()), *((name, pa.string()) for name in wanted)])
        failures: list[DataError] = []

        def batches() -> Iterator[pa.RecordBatch]:
            try:
                for numbers, columns in rows.batches:
                    yield pa.record_batch([pa.array(numbers), *columns], schema)
            except DataError as error:
                failures.append(error)  # DuckDB would raise another one
                raise

        try:
            self.connection.register("batches", pa.RecordBatchReader.from_batches(schema, batches()))
            self.connection.execute(statement)
        except (duckdb.Error, pa.ArrowException) as error:
            if failures:
                raise failures[0] from None
            raise DataError(f"{rows.place}: cannot be read ({type(error).__name__}); export it again") from error
        finally:
            self.connection.unregister("batches")

    @cached_property
    def key(self) -> bytes:
        """The key of the hashed ids."""
        return pseudonym_key(self.source.pseudonym_key, self._home)


def _read_csv(source: CsvPatients, location: str, wanted: list[str], home: Path) -> TextRows:
    file = CsvFile(file_under(home, location), location, source.encoding, source.separator)
    header = file.header(wanted)
    _check_columns(location, header, wanted, f", separated by {file.separator!r}")
    return TextRows(location, file.batches(header, wanted), file.ragged, file.lines)


def _read_parquet(source: ParquetPatients, location: str, wanted: list[str], home: Path) -> TextRows:
    import pyarrow.parquet as pq

    path = file_under(home, location)
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{location}: is not a whole Parquet file; export it again, or set `source: csv`") from error
    _check_columns(location, file.schema_arrow.names, wanted)

    def batches() -> Batches:
        first = 1
        try:
            for batch in file.iter_batches(_BATCH_ROWS, columns=wanted):
                yield np.arange(first, first + batch.num_rows), [as_texts(batch[name]) for name in wanted]
                first += batch.num_rows
        except (pa.ArrowException, OSError, UnicodeError) as error:
            raise DataError(
                f"{location}: row {first} and after cannot be read ({_first_line(error)}); export it again"
            ) from error

    return TextRows(location, batches())


def as_texts(cells: pa.Array) -> pa.Array:
    """Typed cells as text; whole numbers lose the decimals that a column with empty cells gave them."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if pa.types.is_floating(cells.type):
        with suppress(pa.ArrowInvalid):  # decimals stay
            cells = cells.cast(pa.int64())
    text = cells.cast(pa.string())
    text.validate(full=True)
    return text


def _read_sql(source: SqlPatients, query: str, wanted: list[str], home: Path) -> TextRows:
    rows = SqlQuery(query, source.url_env)
    _check_columns(rows.place, rows.header(), wanted)
    return TextRows(rows.place, rows.batches(wanted))


READERS: dict[type[PatientSource], Callable[[Any, str, list[str], Path], TextRows]] = {
    CsvPatients: _read_csv,
    ParquetPatients: _read_parquet,
    SqlPatients: _read_sql,
}
"""How each kind of extract is read: from its config, the location, the columns and the folder that paths start from."""


@dataclass(frozen=True)
class SqlQuery:
    """A SELECT whose rows are an extract. Whatever reads it raises DataError when the database refuses it; no message
    shows the address of the database."""

    query: str
    url_env: str
    """Environment variable with the SQLAlchemy address of the database."""

    @property
    def place(self) -> str:
        """Its name in messages."""
        return f"query {' '.join(self.query.split())[:60]!r}"

    def header(self) -> list[str]:
        """The names of its columns."""
        import sqlalchemy as sa

        with self._connected() as connection:
            return list(connection.execute(self._select(sa.text("*")).where(sa.false())).keys())

    def count(self) -> int:
        """How many rows it has."""
        import sqlalchemy as sa

        with self._connected() as connection:
            return connection.execute(self._select(sa.func.count())).scalar_one()

    def batches(self, wanted: list[str]) -> Batches:
        """Its rows in the columns `wanted`."""
        import sqlalchemy as sa

        first = 1
        with self._connected() as connection:
            found = connection.execute(self._select(*(sa.column(name) for name in wanted)))
            for records in found.partitions(_BATCH_ROWS):
                cells = zip(*records, strict=True)
                numbers = np.arange(first, first + len(records))
                yield numbers, [pa.array(map(_text, column), pa.string()) for column in cells]
                first += len(records)

    def _select(self, *columns: "ColumnElement[Any] | TextClause") -> "Select[Any]":
        import sqlalchemy as sa

        inner = sa.text(self.query.strip().rstrip(";") + "\n")  # it may end in a comment
        return sa.select(*columns).select_from(inner.columns().subquery("extract"))

    @contextmanager
    def _connected(self) -> Iterator["Connection"]:
        """A connection that streams rows."""
        from sqlalchemy.exc import SQLAlchemyError

        engine = _engine(self.url_env)
        try:
            with engine.connect().execution_options(stream_results=True) as connection:
                yield connection
        except SQLAlchemyError as error:
            reason = _first_line(getattr(error, "orig", None) or type(error).__name__)
            if getattr(error, "statement", None) is None:  # not connected: drivers name the host and the user
                reason = _without_address(reason, engine.url)
            raise DataError(f"{self.place}: the database in {self.url_env} refuses it: {reason}") from error
        finally:
            engine.dispose()


def _without_address(reason: str, url: "URL") -> str:
    """A message of a driver without the parts of the address."""
    parts = {str(part) for part in (url.host, url.username, url.password, url.database) if part}
    for part in sorted(parts, key=len, reverse=True):
        reason = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", "...", reason)
    return reason


def _engine(variable: str) -> "Engine":
    """A connection to the database whose address is in the environment; no message shows the address itself."""
    import sqlalchemy as sa
    from sqlalchemy.exc import ArgumentError

    if not re.fullmatch(r"[A-Za-z_]\w*", variable):
        raise DataError(
            "url_env: give the name of an environment variable that holds the database's address, such as KAIZAR_DB, "
            "and not the address"
        )
    url = os.environ.get(variable)
    if not url:
        raise DataError(
            f"environment variable {variable} (patients.url_env) is not set; it holds the database's address, such as "
            "postgresql://user:password@host/database"
        )
    try:
        return sa.create_engine(url)
    except (ArgumentError, ValueError) as error:
        raise DataError(
            f"environment variable {variable}: is not an SQLAlchemy address such as postgresql://host/database"
        ) from error
    except ImportError as error:
        raise DataError(
            f"environment variable {variable}: its database needs a driver that is missing: {error}"
        ) from error


def _check_columns(place: str, found: Sequence[str], wanted: Iterable[str], separated: str = "") -> None:
    """Raise DataError unless each of `wanted` is in `found` once."""
    errors = [_column_error(name, found) for name in wanted if found.count(name) != 1]
    if errors:
        shown = ", ".join(name[:40] for name in found[:40])
        raise DataError(
            f"{place}: {'; '.join(errors)}. Found: {shown}{separated}. Correct patients.columns or export it again"
        )


def _column_error(name: str, found: Sequence[str]) -> str:
    if name in found:
        return f"column {quoted(name)} appears {found.count(name)} times"
    near = nearest(name, found)
    return f"no column {quoted(name)}" + (f" (did you mean {quoted(near)}?)" if near else "")


def _text(value: Any) -> str | None:
    """A cell of a database as text."""
    if value is None:
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _quoted(name: str) -> str:
    """A column name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def _first_line(error: object) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
