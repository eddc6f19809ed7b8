"""What a table is: its columns with types, units and keys, and the one function that makes a frame conform to them.

To change the columns of a table:

1. Change them in the file of its owner (`patient_tables.py`, `forecast_tables.py`, ...) and raise its `version`.
2. Run `kaizar schema --write` (docs/reference/tables.md) and `python tests/test_schema.py` (columns per version).

Stored files of that table are then refused by `Warehouse.read` and left out of the catalog until the table is
materialized again, which the message says; all other tables stay readable. Tables that grow from run to run
(`Warehouse.previous`) keep their rows: a new column must be nullable there and is null in rows of earlier runs. They
cannot lose or rename a column.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from kaizar_pipeline.errors import DataError

_LARGEST = 2**31 - 1
_MICROSECONDS_PER_DAY = 86_400_000_000

Type = Literal["VARCHAR", "DOUBLE", "INTEGER", "BOOLEAN", "TIMESTAMP", "DATE", "JSON", "DOUBLE[]"]


@dataclass(frozen=True)
class Column:
    """One column: what it means, its DuckDB type, its unit, and whether it is part of the key or may be null."""

    name: str
    type: Type
    description: str
    unit: str = ""
    key: bool = False
    nullable: bool = False

    def typed(self, values: pd.Series) -> pd.Series:
        """`values` in this column's type, exactly. Raises ValueError or TypeError for values that do not fit."""
        if self._fits(values):
            return values
        values = values.reset_index(drop=True)
        empty = values.isna()
        if not self.nullable and empty.any():
            raise ValueError(f"{int(empty.sum())} empty value(s) where none may be")
        return _CONVERSIONS[self.type](values, empty, self.nullable)

    def _fits(self, values: pd.Series) -> bool:
        """Whether `values` are surely exact as they are: most are, and to look is a tenth of the work."""
        if self.type not in _DTYPES or values.dtype != _DTYPES[self.type]:
            return False
        numbers = values.to_numpy()
        if self.type == "INTEGER":
            return not self.nullable and bool(((numbers >= -_LARGEST) & (numbers <= _LARGEST)).all())
        if self.type == "DOUBLE" and np.isinf(numbers).any():
            return False
        if self.type == "DATE" and (numbers.astype("int64") % _MICROSECONDS_PER_DAY).any():
            return False
        return self.nullable or not pd.isna(values.array).any()


@dataclass(frozen=True)
class Table:
    """One table: what a row is, and its columns in order.

    `version` is raised with every change of the columns. It begins at 4, the last version that all tables had in
    common, so that files of that version stay readable.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    version: int = 4

    @property
    def column_names(self) -> list[str]:
        """All columns, in order."""
        return [column.name for column in self.columns]

    @property
    def key(self) -> list[str]:
        """The columns that identify a row."""
        return [column.name for column in self.columns if column.key]

    def ddl(self) -> str:
        """The CREATE TABLE statement."""
        lines = [f'"{c.name}" {c.type}{"" if c.nullable else " NOT NULL"}' for c in self.columns]
        return f'CREATE TABLE "{self.name}" (\n    ' + ",\n    ".join(lines) + "\n)"

    def frame(self, frame: pd.DataFrame, **constants: Any) -> pd.DataFrame:
        """A conforming library frame (without `run_id`) from `frame`, with `constants` filled in as whole columns."""
        return self.conform(frame.assign(**constants), ("run_id",))

    def empty(self) -> pd.DataFrame:
        """A conforming library frame without rows."""
        return self.frame(pd.DataFrame(columns=[name for name in self.column_names if name != "run_id"]))

    def upgraded(self, stored: pd.DataFrame) -> pd.DataFrame:
        """Rows written under an earlier version, with the nullable columns that they lack added as null."""
        return stored.assign(**{c.name: None for c in self.columns if c.nullable and c.name not in stored})

    def conform(self, frame: pd.DataFrame, without: tuple[str, ...] = ()) -> pd.DataFrame:
        """`frame` with this table's columns, order and types, sorted by key; `without` names columns that are left out.

        Raises DataError, naming the column and an example, for missing or unknown columns, values that do not fit the
        type exactly, nulls where none may be, and rows that share a key.
        """
        columns = [column for column in self.columns if column.name not in without]
        names = [column.name for column in columns]
        self._check_names(frame, names)
        typed = pd.DataFrame({column.name: self._typed(column, frame[column.name]).array for column in columns})
        key = [column.name for column in columns if column.key]
        if not key:
            return typed
        ranks = np.array([_ranks(typed[name]) for name in key])
        order = np.lexsort(ranks[::-1])
        if (np.diff(ranks[:, order]) == 0).all(axis=0).any():
            repeated = typed.duplicated(key)
            example = typed.loc[repeated, key].iloc[0].to_dict()
            raise DataError(f"table {self.name}: {int(repeated.sum())} row(s) repeat a key, for example {example}")
        return typed.take(order).reset_index(drop=True)

    def _check_names(self, frame: pd.DataFrame, names: list[str]) -> None:
        wrong = {
            "missing": [name for name in names if name not in frame.columns],
            "unknown": [str(name) for name in frame.columns if name not in names],
        }
        parts = [f"{kind} column(s) {', '.join(found)}" for kind, found in wrong.items() if found]
        if parts:
            raise DataError(f"table {self.name}: {'; '.join(parts)}; its columns are {', '.join(names)}")

    def _typed(self, column: Column, values: pd.Series) -> pd.Series:
        try:
            return column.typed(values)
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(f"table {self.name}, column {column.name} ({column.type}): {error}") from error


def _ranks(values: pd.Series) -> np.ndarray:
    """i8: whole numbers in the order of values of a key."""
    if values.dtype.kind in "iMb":
        return values.to_numpy().astype("int64")
    before, after = values.iloc[:-1].array, values.iloc[1:].array
    if (before <= after).all():  # much faster than to sort texts
        return np.concatenate([[0], np.cumsum(np.asarray(before < after, dtype=bool))])[: len(values)]
    return pd.factorize(values, sort=True)[0]


def _refuse(values: pd.Series, wrong: pd.Series, what: str) -> None:
    if wrong.any():
        raise ValueError(f"{what}, for example {values[wrong].iloc[0]!r}")


def _text(values: pd.Series, empty: pd.Series, nullable: bool) -> pd.Series:
    if isinstance(values.dtype, pd.StringDtype):
        return values.astype("str")
    texts = values.astype("object")
    _refuse(values, ~empty & ~texts.map(lambda value: isinstance(value, str)), "holds a value that is not text")
    return texts.where(~empty, None).astype("str")


def _boolean(values: pd.Series, empty: pd.Series, nullable: bool) -> pd.Series:
    if values.dtype == bool:
        return values.astype("boolean") if nullable else values
    wrong = ~empty & ~values.astype("object").isin([True, False])
    _refuse(values, wrong, "holds a value that is neither true nor false")
    return values.astype("boolean" if nullable else "bool")


def _integer(values: pd.Series, empty: pd.Series, nullable: bool) -> pd.Series:
    dtype = "Int64" if nullable else "int64"
    if values.dtype.kind in "iu" and values.between(-_LARGEST, _LARGEST).all():
        return values.astype(dtype)
    numbers = pd.to_numeric(values).astype("Float64")
    wrong = (~empty & ((numbers % 1 != 0) | (numbers.abs() > _LARGEST))).fillna(False).astype(bool)
    _refuse(values, wrong, "holds a value that is not a 32-bit whole number")
    return numbers.fillna(0.0).astype(dtype).mask(empty)  # what lies under an empty value is converted too


def _double(values: pd.Series, empty: pd.Series, nullable: bool) -> pd.Series:
    numbers = pd.to_numeric(values).astype("float64")
    _refuse(values, pd.Series(np.isinf(numbers.to_numpy())), "holds an infinite value")
    return numbers


def _doubles(values: pd.Series, empty: pd.Series, nullable: bool) -> pd.Series:
    cells = zip(values, empty, strict=True)
    return pd.Series([None if null else np.asarray(cell, dtype="float64") for cell, null in cells], dtype="object")


def _timestamp(values: pd.Series, empty: pd.Series, nullable: bool) -> pd.Series:
    times = pd.to_datetime(values)
    if times.dt.tz is not None:
        raise ValueError(f"has the time zone {times.dt.tz}; times are hospital-local, without a time zone")
    return times.astype("datetime64[us]")


def _date(values: pd.Series, empty: pd.Series, nullable: bool) -> pd.Series:
    times = _timestamp(values, empty, nullable)
    _refuse(values, ~empty & (times != times.dt.normalize()), "holds a time of day where a date is due")
    return times


_CONVERSIONS: dict[Type, Callable[[pd.Series, pd.Series, bool], pd.Series]] = {
    "VARCHAR": _text,
    "JSON": _text,
    "BOOLEAN": _boolean,
    "INTEGER": _integer,
    "DOUBLE": _double,
    "DOUBLE[]": _doubles,
    "TIMESTAMP": _timestamp,
    "DATE": _date,
}
"""For each type, what makes exact values of it from values, where they are empty, and whether they may be."""

_DTYPES: dict[Type, Any] = {
    "VARCHAR": pd.Series(dtype="str").dtype,
    "JSON": pd.Series(dtype="str").dtype,
    "INTEGER": np.dtype("int64"),
    "DOUBLE": np.dtype("float64"),
    "TIMESTAMP": np.dtype("datetime64[us]"),
    "DATE": np.dtype("datetime64[us]"),
}
"""The dtype of the values of a type; of whole numbers of those that may not be null."""
