"""The four CSV files of the public hospital-beds form: their columns, and their rows as text or whole numbers.

Names of persons are never read, and no message shows a cell of a file that has them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pandas as pd

from kaizar_pipeline.config.fields import MAX_NAME
from kaizar_pipeline.errors import DataError, listed, nearest, quoted
from kaizar_pipeline.patients.csv_files import CsvFile, file_under


@dataclass(frozen=True)
class FormFile:
    """A file of the form."""

    name: str
    columns: tuple[str, ...]
    """Those that are read."""
    has_persons: bool


PATIENTS_FILE = FormFile("patients.csv", ("patient_id", "arrival_date", "departure_date", "service"), True)
WEEKLY_FILE = FormFile(
    "services_weekly.csv",
    ("week", "service", "available_beds", "patients_request", "patients_admitted", "patients_refused", "event"),
    False,
)
STAFF_FILE = FormFile("staff.csv", ("staff_id", "role", "service"), True)
SCHEDULE_FILE = FormFile("staff_schedule.csv", ("week", "staff_id", "role", "service", "present"), True)
FORM_FILES = (PATIENTS_FILE, WEEKLY_FILE, STAFF_FILE, SCHEDULE_FILE)


def read_rows(folder: Path, form: FormFile) -> pd.DataFrame:
    """The cells of the columns of a file as text without spaces around it, by line of the file.

    Raises DataError where the file cannot be read, lacks a column, has a ragged row or no row at all.
    """
    path = file_under(folder, form.name)
    _check_encoding(path, form)
    file = CsvFile(path, form.name, "utf-8", None)
    header = file.header(list(form.columns))
    _check_header(header, form)
    batches = list(file.batches(header, list(form.columns)))
    if file.ragged:
        record, fields = next(iter(file.ragged.items()))
        line = file.lines(np.array([record]))[0]
        raise DataError(f"{form.name}, line {line}: has {fields} cells, but the header has {len(header)} columns")
    numbers = np.concatenate([np.zeros(0, dtype="int64"), *(numbers for numbers, _ in batches)])
    if not len(numbers):
        raise DataError(f"{form.name}: has columns, but not a single row; export it again")
    cells = {
        name: [cell for _, columns in batches for cell in columns[index].to_pylist()]
        for index, name in enumerate(form.columns)
    }
    rows = pd.DataFrame(cells, index=file.lines(numbers), dtype="str")
    return rows.apply(lambda column: column.str.strip())


def _check_encoding(path: Path, form: FormFile) -> None:
    try:
        path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{form.name}: is not text in UTF-8; save it again as CSV UTF-8") from error
    except OSError as error:
        raise DataError(f"{form.name}: cannot be read: {error.strerror}") from error


def _check_header(header: Sequence[str], form: FormFile) -> None:
    missing = [name for name in form.columns if header.count(name) != 1]
    if missing:
        near = nearest(missing[0], [name for name in header if name not in form.columns])
        hint = f" (did you mean {quoted(near)}?)" if near else ""
        raise DataError(
            f"{form.name}: needs the column {quoted(missing[0])} once{hint}; required: {', '.join(form.columns)}; "
            f"found: {listed(header)}"
        )


def whole_numbers(rows: pd.DataFrame, form: FormFile, column: str, low: int, high: int) -> pd.Series:
    """The cells of a column as whole numbers from `low` to `high`. Raises DataError with the line of another cell."""
    numbers = pd.to_numeric(rows[column], errors="coerce").astype("float64")
    wrong = ~(numbers.between(low, high) & (numbers == np.floor(numbers)))
    _refuse(rows, form, column, wrong, f"a whole number from {low} to {high:,}")
    return numbers.astype("int64")


def service_ids(rows: pd.DataFrame, form: FormFile) -> pd.Series:
    """The ids of the services of all rows. Raises DataError with the line of an empty one."""
    _refuse(rows, form, "service", rows["service"] == "", "the name of a service")
    return rows["service"].map(service_id)


def _refuse(rows: pd.DataFrame, form: FormFile, column: str, wrong: pd.Series, allowed: str) -> None:
    """Raise DataError for the first cell that is wrong."""
    if wrong.any():
        line, cell = wrong.idxmax(), rows.loc[wrong, column].iloc[0]
        found = "" if form.has_persons else f"found {quoted(cell)}, "
        raise DataError(f"{form.name}, line {line}: {column}: {found}allowed: {allowed}")


def service_id(service: str) -> str:
    """The id of a service, which is that of its ward and stream: in lower case, without accents, `_` for all that is
    neither a letter nor a digit, and the code of each letter that is not Latin. Services of one id are one service."""
    plain = "".join(char for char in normalize("NFKD", service.lower()) if not "\u0300" <= char <= "\u036f")
    coded = "".join(char if char.isascii() or not char.isalnum() else f"_u{ord(char):x}_" for char in plain)
    return re.sub(r"[^a-z0-9]+", "_", coded).strip("_")[:MAX_NAME].strip("_") or "service"
