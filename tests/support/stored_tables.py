"""Small frames of every table, and what tests of the warehouse ask of it."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.orchestration.storage import Lineage, Warehouse
from kaizar_pipeline.tables import TABLES, Column

AS_OF = pd.Timestamp("2026-03-02")
LINEAGE = Lineage("run-1", AS_OF, "0123456789abcdef", {"patients": "run-0"})


def only(patch: pytest.MonkeyPatch, tables: Iterable[str]) -> None:
    """Forget all other tables."""
    for name in TABLES.keys() - set(tables):
        patch.delitem(TABLES, name)


def arrivals(hospital_id: str = "north", first: int = 0, days: int = 3, as_of: pd.Timestamp = AS_OF) -> pd.DataFrame:
    """A small daily_arrivals whose counts are first, first + 1, …"""
    return TABLES["daily_arrivals"].frame(
        pd.DataFrame(
            {
                "stream_id": "emergency",
                "date": pd.date_range(end=as_of - pd.Timedelta(days=1), periods=days),
                "arrivals": range(first, first + days),
                "admitted": pd.array([None] * days, dtype="Int64"),
                "turned_away": pd.array([None] * days, dtype="Int64"),
                "observed": True,
                "demand_observed": False,
            }
        ),
        hospital_id=hospital_id,
        as_of=as_of,
    )


def values_of(column: Column) -> list[object]:
    """Three awkward values of the column's type, the last one null where the column allows it."""
    values: dict[str, list[object]] = {
        "VARCHAR": ["", "Zoë's “ward”; DROP", "2026-01-01"],
        "JSON": ["{}", '{"a": [1, null]}', "[]"],
        "DOUBLE": [0.1, -0.0, 1e-300],
        "INTEGER": [0, -(2**31) + 1, 2**31 - 1],
        "BOOLEAN": [True, False, True],
        "TIMESTAMP": [datetime(1999, 12, 31, 23, 59, 59, 999999), datetime(2026, 3, 1), datetime(2100, 1, 1, 6)],
        "DATE": [datetime(1999, 12, 31), datetime(2024, 2, 29), datetime(2100, 1, 1)],
        "DOUBLE[]": [np.array([0.5, 2.0]), np.array([]), np.array([1.0])],
    }
    return values[column.type][:2] + ([None] if column.nullable else values[column.type][2:])


def rows_of(asset: str, hospital_id: str = "north") -> pd.DataFrame:
    """Three awkward rows of any table."""
    columns = {
        column.name: pd.Series(values_of(column), dtype="object")
        for column in TABLES[asset].columns
        if column.name not in ("hospital_id", "run_id", "as_of")
    }
    return TABLES[asset].frame(pd.DataFrame(columns), hospital_id=hospital_id, as_of=AS_OF)


def files_beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def in_catalog(warehouse: Warehouse, sql: str) -> list[tuple]:
    with duckdb.connect(warehouse.catalog, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def rewritten(path: Path, *statements: str) -> None:
    """Change a stored file by hand."""
    with duckdb.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
