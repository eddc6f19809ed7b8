"""An extract of which nothing is known yet: its encoding, header, and a sample of its rows as text."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from kaizar_pipeline.drafting.date_formats import DateFormat
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.csv_files import CsvFile, file_under
from kaizar_pipeline.patients.extracts import SqlQuery, as_texts

MOST_ROWS = 1_000_000
"""Rows that are looked at; of a longer file every k-th row is."""

_BLOCK_BYTES = 4 << 20
_BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8"}
_FALLBACK_ENCODING = "cp1252"
_PARQUET = b"PAR1"
_GZIP = b"\x1f\x8b"
_PACKED_ROW_BYTES = 12
"""Length of a row of a packed file, about."""


@dataclass(frozen=True)
class OpenedExtract:
    """A CSV or Parquet file, or a query, and a sample of its rows."""

    source: Path | SqlQuery
    home: Path
    """The folder of the project."""
    location: str
    """Its name in messages."""
    read_as: dict[str, str]
    """`source` of the config, and `url_env` where that is a database."""
    where: dict[str, str]
    """`path` or `query` of the config."""
    encoding: str
    rows: pd.DataFrame
    """Cells as text, empty where missing; the columns are those of the header."""
    total_rows: int
    every: int = 1
    """Of more than one: `rows` is a sample of one in so many."""
    is_ascii: bool = False
    """Whether any encoding reads it."""
    _times: dict[tuple[str, str | None, str], pd.Series] = field(default_factory=dict, repr=False, compare=False)

    def times(self, name: str, dates: DateFormat) -> pd.Series:
        """A column as times; read once for each format."""
        key = name, dates.format, dates.order
        if key not in self._times:
            self._times[key] = dates.times(self.rows[name])
        return self._times[key]


def open_extract(source: Path | SqlQuery, home: Path, by_id: tuple[str, int] | None = None) -> OpenedExtract:
    """Open a file or query; `home` is the folder of the project. Of a long one a sample of the rows, or with `by_id` (a
    column, and how many patients there are for each in the sample) all rows of some patients.

    Raises DataError when it cannot be read as a table with at least two columns and a row.
    """
    opened = _query(source) if isinstance(source, SqlQuery) else _file(source.resolve(), home)
    location = opened.location
    _check_header(location, opened.header)
    every = by_id[1] if by_id else max(1, round(opened.rows / MOST_ROWS))
    parts, seen = [], 0
    for batch in opened.batches:
        parts.append(_some_of(batch, seen, every, by_id))
        seen += len(batch)
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=opened.header)
    if rows.empty:
        raise DataError(f"{location}: has columns, but not a single row; export it again, or correct the query")
    return OpenedExtract(
        source, home, location, opened.read_as, opened.where, opened.encoding, _trimmed(rows), seen, every,
        opened.is_ascii,
    )  # fmt: skip


def _some_of(batch: pd.DataFrame, seen: int, every: int, by_id: tuple[str, int] | None) -> pd.DataFrame:
    """The rows of a batch that are in the sample; `seen` rows came before it."""
    if every == 1:
        return batch
    if by_id is None:
        return batch.iloc[-seen % every :: every]
    return batch[pd.util.hash_array(batch[by_id[0]].to_numpy(dtype="object")) % every == 0]


@dataclass(frozen=True)
class _Unread:
    """An extract whose rows have not been read yet."""

    location: str
    read_as: dict[str, str]
    where: dict[str, str]
    encoding: str
    header: list[str]
    rows: float
    """About how many there are."""
    batches: Iterator[pd.DataFrame]
    is_ascii: bool


def _query(query: SqlQuery) -> _Unread:
    header = query.header()
    batches = (pa.table(dict(zip(header, columns, strict=True))).to_pandas() for _, columns in query.batches(header))
    read_as, where = {"source": "sql", "url_env": query.url_env}, {"query": query.query}
    return _Unread(query.place, read_as, where, "utf-8", header, query.count(), batches, is_ascii=True)


def _file(path: Path, home: Path) -> _Unread:
    location = path.relative_to(home).as_posix() if path.is_relative_to(home) else path.as_posix()
    file_under(path.parent, path.name)
    with path.open("rb") as file:
        begin = file.read(4096)
    return _parquet_file(path, location) if begin.startswith(_PARQUET) else _csv_file(path, location, begin)


def _csv_file(path: Path, location: str, begin: bytes) -> _Unread:
    encoding, is_ascii = _encoding(path, begin)
    file = CsvFile(path, location, encoding, None)
    if b"\0" in begin and encoding != "utf-16" and not begin.startswith(_GZIP):
        raise DataError(f"{location}: is not text; give a CSV or Parquet file")
    header = file.header([])
    batches = (
        pa.table(dict(zip(header, columns, strict=True))).to_pandas() for _, columns in file.batches(header, header)
    )
    where = {"path": location}
    return _Unread(location, {"source": "csv"}, where, encoding, header, _records(path, begin), batches, is_ascii)


def _parquet_file(path: Path, location: str) -> _Unread:
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{location}: is not a whole Parquet file; export it again") from error
    batches = (
        pa.table({name: as_texts(batch[name]) for name in batch.schema.names}).to_pandas()
        for batch in file.iter_batches()
    )
    read_as, where, header = {"source": "parquet"}, {"path": location}, file.schema_arrow.names
    return _Unread(location, read_as, where, "utf-8", header, file.metadata.num_rows, batches, is_ascii=True)


def _trimmed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.fillna("").apply(lambda column: column.astype(str).str.strip())


def _encoding(path: Path, begin: bytes) -> tuple[str, bool]:
    """UTF-16 or UTF-8 where the file is that, else Windows' western encoding; and whether it is ASCII only."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if begin.startswith(mark):
            return encoding, False
    if begin.startswith(_GZIP):
        return "utf-8", False
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_ascii = True
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                is_ascii &= decoder.decode(block).isascii()
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _FALLBACK_ENCODING, False
    return "utf-8", is_ascii


def _records(path: Path, begin: bytes) -> float:
    """About how many rows the file has, from the length of its first lines; packed ones are a tenth as long."""
    if begin.startswith(_GZIP):
        return path.stat().st_size / _PACKED_ROW_BYTES
    lines = begin.count(b"\n")
    return path.stat().st_size / (len(begin) / lines) if lines else 1


def _check_header(location: str, header: list[str]) -> None:
    if len(header) < 2:
        raise DataError(
            f"{location}: has one column; at least an arrival and a departure are needed, in a CSV file separated by "
            ", ; tab or |"
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{location}: the column {twice[0][:40]!r} appears more than once; name the columns apart")
    if any(re.fullmatch(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?", name.strip()) for name in header):
        raise DataError(f"{location}: its first line holds a date, and no names of columns; export it with a header")
