"""Reads CSV files as text: their encoding, compression, separator, header, and the line on which a record begins."""

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from kaizar_pipeline.errors import DataError

SEPARATORS = (",", ";", "\t", "|")
"""Tried, in this order, where the config names none."""

_BLOCK_BYTES = 4 << 20
_LONGEST_CELL = 2**31 - 1
_OTHER_FORMATS = {
    b"PK\x03\x04": "is an Excel workbook or a zip archive; save the sheet as CSV, or unpack the archive",
    b"\xd0\xcf\x11\xe0": "is an Excel workbook (.xls, or one with a password); save the sheet as CSV",
    b"PAR1": "is a Parquet file; set `source: parquet`",
    b"SQLite format 3": "is an SQLite database; set `source: sql`, with `url_env` and `query` (kaizar draft: --sql)",
    b"BZh": "is compressed by bzip2; unpack it, or compress it by gzip",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd; unpack it, or compress it by gzip",
}
_GZIP = b"\x1f\x8b"


def file_under(home: Path, location: str) -> Path:
    """The path of the file `location` below `home`. Raises DataError when it cannot be read or is empty."""
    path = home / location
    try:
        with path.open("rb") as file:
            begin = file.read(4096)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{location}: cannot be read under {home}: {reason}; put the extract there or correct `path`"
        ) from error
    if not begin.strip():
        raise DataError(f"{location}: is empty; export it again")
    return path


@dataclass
class CsvFile:
    """A CSV file. `separator` None: the one of `SEPARATORS` under which the header has the wanted columns."""

    path: Path
    location: str
    """The path as messages show it."""
    encoding: str
    separator: str | None
    ragged: dict[int, int] = field(default_factory=dict)
    """Number of fields of each record that does not fit the header; filled while `batches` are read."""
    _records: int = 0
    _unclosed: int | None = None
    _compressed: bool = field(init=False)

    def __post_init__(self) -> None:
        with self.path.open("rb") as file:
            begin = file.read(16)
        for magic, remedy in _OTHER_FORMATS.items():
            if begin.startswith(magic):
                raise DataError(f"{self.location}: {remedy}")
        self._compressed = begin.startswith(_GZIP)

    def header(self, wanted: list[str]) -> list[str]:
        """The names of the columns; settles the separator."""
        candidates = SEPARATORS if self.separator is None else (self.separator,)
        headers = {separator: self._first_record(separator) for separator in candidates}
        best = max(candidates, key=lambda separator: sum(name in headers[separator] for name in wanted))
        if not any(name in headers[best] for name in wanted):
            best = max(candidates, key=lambda separator: len(headers[separator]))
        self.separator = best
        return headers[best]

    def batches(self, header: list[str], wanted: list[str]) -> Iterator[tuple[np.ndarray, list[pa.Array]]]:
        """Numbers of records (the first below the header is 1) and their cells in the columns `wanted`, as text."""
        positions = [f"c{header.index(name)}" for name in wanted]
        try:
            # one thread: else the numbers of ragged records are not known
            reader = pc.open_csv(
                self._bytes(),
                pc.ReadOptions(
                    use_threads=False,
                    block_size=_BLOCK_BYTES,
                    column_names=[f"c{n}" for n in range(len(header))],
                    skip_rows_after_names=1,
                    encoding=self.encoding,
                ),
                pc.ParseOptions(
                    delimiter=self.separator, newlines_in_values=True, invalid_row_handler=self._ragged_record
                ),
                pc.ConvertOptions(
                    include_columns=positions,
                    column_types=dict.fromkeys(positions, pa.string()),
                    strings_can_be_null=False,
                ),
            )  # fmt: skip
            for batch in reader:
                self._check_quotation()
                yield self._numbers(batch.num_rows), batch.columns
            self._check_quotation()
        except (pa.ArrowException, OSError, EOFError, UnicodeError) as error:
            self._explain(error)

    def lines(self, records: np.ndarray) -> np.ndarray:
        """The line of the file on which each of `records` begins; the header begins on line 1.

        Raises DataError when the file is not what it was when they were read.
        """
        try:
            return records + 1 if self._one_line_each else self._lines_of_text(records)
        except (OSError, EOFError, LookupError, StopIteration, UnicodeError) as error:
            raise DataError(f"{self.location}: changed while it was read; run again") from error
        except csv.Error as error:
            self._explain(error)

    def _lines_of_text(self, records: np.ndarray) -> np.ndarray:
        wanted, found = set(records.tolist()), {}
        limit = csv.field_size_limit(_LONGEST_CELL)  # a cell of free text may be longer than csv's own limit
        try:
            reader = csv.reader(self._text(), delimiter=self.separator or ",")
            next(reader)
            number, begins = 0, reader.line_num + 1
            for record in reader:
                number += bool(record)
                if record and number in wanted:
                    found[number] = begins
                begins = reader.line_num + 1
        finally:
            csv.field_size_limit(limit)
        return np.array([found[number] for number in records.tolist()], dtype="int64")

    def _numbers(self, count: int) -> np.ndarray:
        """Numbers of the next `count` records that fit the header."""
        first = self._records + 1
        numbers = np.arange(first, first + count + len(self.ragged))
        numbers = numbers[~np.isin(numbers, list(self.ragged))][:count]
        self._records = int(numbers[-1]) if count else self._records
        return numbers

    def _ragged_record(self, row: pc.InvalidRow) -> str:
        number = row.number - 1
        opened = row.text.startswith('"') or f'{self.separator}"' in row.text  # else the mark is part of a cell
        if opened and row.text.count('"') % 2 and self._unclosed is None:
            self._unclosed = number  # an error that is raised here would not be heard
        self.ragged[number] = row.actual_columns
        return "skip"

    def _check_quotation(self) -> None:
        """Raise DataError when a record ends inside a quotation: what follows it is not read as rows."""
        if self._unclosed is not None:
            line = self.lines(np.array([self._unclosed]))[0]
            raise DataError(f"{self.location}, line {line}: look for a quotation mark that never closes")

    def _bytes(self) -> pa.NativeFile:
        return pa.input_stream(str(self.path), compression="gzip" if self._compressed else None)

    def _text(self) -> io.TextIOWrapper:
        encoding = "utf-8-sig" if codecs.lookup(self.encoding).name == "utf-8" else self.encoding
        return io.TextIOWrapper(self._bytes(), encoding, newline="")

    def _first_record(self, separator: str) -> list[str]:
        try:
            return next(csv.reader(self._text(), delimiter=separator))
        except (csv.Error, StopIteration, UnicodeError, OSError, EOFError) as error:
            self._explain(error)

    @cached_property
    def _one_line_each(self) -> bool:
        """Whether every record is one line; to be asked when all have been read."""
        if codecs.lookup(self.encoding).name != "utf-8":
            return False
        lines, last = 0, b"\n"
        with self._bytes() as stream:
            while block := stream.read(_BLOCK_BYTES):
                lines, last = lines + block.count(b"\n"), block[-1:]
        records = max(self._records, *self.ragged) if self.ragged else self._records
        return lines + (last != b"\n") == records + 1

    def _explain(self, error: Exception) -> NoReturn:
        """Raise the DataError that says on which line the file cannot be read."""
        decoder = codecs.getincrementaldecoder(self.encoding)()
        line = 1
        try:
            with self._bytes() as stream:
                while block := stream.read(_BLOCK_BYTES):
                    line += decoder.decode(block).count("\n")
                decoder.decode(b"", final=True)
        except UnicodeDecodeError as undecodable:
            line += undecodable.object[: undecodable.start].count(b"\n")
            raise DataError(
                f"{self.location}, line {line}: is not {self.encoding}; name the file's encoding in the config, such "
                "as `encoding: cp1252` (Windows) or `encoding: utf-16`"
            ) from error
        except (OSError, EOFError) as broken:
            raise DataError(f"{self.location}: is not a whole gzip file; export it again") from broken
        reader = csv.reader(self._text(), delimiter=self.separator or ",")
        try:
            for _ in reader:
                pass
        except csv.Error as malformed:
            raise DataError(
                f"{self.location}, line {reader.line_num}: {malformed}; look for a quotation mark that never closes"
            ) from malformed
        # not the words of `error`: they quote the row
        raise DataError(f"{self.location}: cannot be read as CSV; export it again") from None
