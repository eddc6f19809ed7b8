"""The schemas of hospitals, scenarios and tables are complete and current, and a changed table has a new version.

`python tests/test_schema.py` freezes the columns of the tables whose version was raised.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.files import hospital_schema, scenario_schema
from kaizar_pipeline.tables import TABLES, Column, Table

pytestmark = pytest.mark.unit

PROJECT = Path(__file__).parents[1]
FROZEN = Path(__file__).with_name("table_versions.json")
"""Version and fingerprint of each table."""
SCHEMAS = {"hospital": hospital_schema, "scenario": scenario_schema}


def properties(rule: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of every object in a schema, with its path."""
    if isinstance(rule, dict):
        for name, item in rule.get("properties", {}).items():
            yield f"{path}.{name}", item
        for name, item in rule.items():
            yield from properties(item, f"{path}/{name}")
    elif isinstance(rule, list):
        for index, item in enumerate(rule):
            yield from properties(item, f"{path}/{index}")


@pytest.mark.parametrize(("kind", "at_least"), [("hospital", 80), ("scenario", 60)])
def test_every_property_is_described(kind: str, at_least: int):
    found = list(properties(SCHEMAS[kind]()))
    assert len(found) > at_least
    assert [path for path, rule in found if not rule.get("description")] == []


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_optional_property_says_its_default(kind: str):
    for name, definition in SCHEMAS[kind]()["$defs"].items():
        for key, rule in definition.get("properties", {}).items():
            if "default" in rule and not isinstance(rule["default"], dict | list):
                text = rule["description"].lower()
                assert "default" in text or "required" in text, f"{name}.{key}: {text}"


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_committed_schema_is_current(kind: str):
    committed = (PROJECT / "hospital_configs" / f"{kind}.schema.json").read_text(encoding="utf-8")
    assert json.loads(committed) == SCHEMAS[kind](), "run `kaizar schema --write`"


@pytest.mark.parametrize(
    ("pattern", "schema"), [("*.yml", "hospital.schema.json"), ("scenarios/*.yml", "../scenario.schema.json")]
)
def test_the_shipped_files_name_their_schema_on_line_one(pattern: str, schema: str):
    found = sorted((PROJECT / "hospital_configs").glob(pattern))
    assert len(found) > 2
    for path in found:
        assert path.read_text(encoding="utf-8").startswith(f"# yaml-language-server: $schema={schema}\n")


def fingerprint(table: Table) -> list[Any]:
    """The version of a table, and a hash of names, types, nullability and key of its columns."""
    return [table.version, hashlib.sha256(f"{table.ddl()} {table.key}".encode()).hexdigest()[:12]]


def not_raised(frozen: dict[str, list[Any]], tables: dict[str, Table]) -> list[str]:
    """The tables whose columns are not those frozen under their version."""
    found = {name: fingerprint(table) for name, table in tables.items()}
    return [name for name in found.keys() & frozen if found[name] != frozen[name] and found[name][0] <= frozen[name][0]]


def test_a_table_whose_columns_change_has_a_new_version():
    frozen = json.loads(FROZEN.read_text())
    assert not_raised(frozen, TABLES) == [], "raise the `version` of these tables: stored files have other columns"
    current = {name: fingerprint(table) for name, table in TABLES.items()}
    assert frozen == current, "run `python tests/test_schema.py`, and `kaizar schema --write`"


@pytest.mark.parametrize(
    ("changed", "is_noticed"),
    [
        (Column("beds", "INTEGER", "Beds.", "beds", key=True), False),
        (Column("beds", "INTEGER", "Another text.", "another unit", key=True), False),
        (Column("bed", "INTEGER", "Beds.", "beds", key=True), True),
        (Column("beds", "DOUBLE", "Beds.", "beds", key=True), True),
        (Column("beds", "INTEGER", "Beds.", "beds"), True),
        (Column("beds", "INTEGER", "Beds.", "beds", key=True, nullable=True), True),
    ],
)
def test_which_changes_need_a_new_version(changed: Column, is_noticed: bool):
    frozen = {"t": fingerprint(Table("t", "", (Column("beds", "INTEGER", "Beds.", "beds", key=True),)))}
    assert not_raised(frozen, {"t": Table("t", "", (changed,))}) == (["t"] if is_noticed else [])
    assert not_raised(frozen, {"t": Table("t", "", (changed,), version=5)}) == []


def test_every_column_is_described():
    for table in TABLES.values():
        assert table.description.endswith("."), table.name
        for column in table.columns:
            assert column.description.endswith("."), f"{table.name}.{column.name}"


def freeze() -> None:
    """Write the current versions, unless a table changed without a new one."""
    if FROZEN.exists() and (names := not_raised(json.loads(FROZEN.read_text()), TABLES)):
        raise SystemExit(f"raise the version of {', '.join(names)} first: their columns changed")
    lines = [f'  "{name}": {json.dumps(fingerprint(table))}' for name, table in TABLES.items()]
    FROZEN.write_text("{\n" + ",\n".join(lines) + "\n}\n")


@pytest.mark.parametrize("type_", ["float64", "Float64"])
def test_an_empty_number_is_no_number_on_the_way(type_: Literal["float64", "Float64"]):
    # pandas hides the warning of such a conversion, but not in threads
    column = Column("actual", "INTEGER", "Patients.", nullable=True)
    values = pd.Series([3.0, np.nan, np.nan]).astype(type_)
    with np.errstate(invalid="raise"):
        found = column.typed(values)
    assert found.dtype == "Int64"
    assert found.isna().tolist() == [False, True, True]
    assert found[0] == 3


@pytest.mark.parametrize(
    ("type_", "right", "wrong", "what"),
    [
        ("INTEGER", -(2**31) + 1, -(2**63), "32-bit"),
        ("DOUBLE", 1.5, np.inf, "infinite"),
        ("DOUBLE", 1.5, np.nan, "empty"),
        ("VARCHAR", "a", None, "empty"),
        ("TIMESTAMP", pd.Timestamp("2026-03-29 01:00"), pd.NaT, "empty"),
        ("DATE", pd.Timestamp("2026-03-29"), pd.Timestamp("2026-03-29 01:00"), "time of day"),
    ],
)
def test_values_of_the_right_dtype_are_judged_all_the_same(type_: Any, right: Any, wrong: Any, what: str):
    column, dtype = Column("c", type_, "A column."), pd.Series([right]).dtype
    fits = column.typed(pd.Series([right], dtype=dtype))
    assert [fits.dtype, fits[0]] == [dtype, right]
    with pytest.raises(ValueError, match=what):
        column.typed(pd.Series([right, wrong], dtype=dtype))


if __name__ == "__main__":
    freeze()
