"""Where tables live: one small DuckDB file per asset and hospital, replaced whole, and a catalog of views over all.

    data/warehouse/<asset>/hospital_id=<hospital>/data.duckdb    the table, and `_lineage`: where it comes from
    data/warehouse/<asset>/hospital_id=/empty.duckdb             the same without rows: fixes the columns of the view
    data/kaizar.duckdb                                           views only: the one door for people and BI tools

A file is written under a temporary name, checkpointed, synced and renamed, so that a reader, and whoever comes after a
kill, meets the old table or the new one and nothing between. Nothing here knows Dagster; `stage.py` does.
"""

import fcntl
import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import duckdb
import pandas as pd

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.tables import SCHEMA_VERSION, TABLES, Table

READABLE_SINCE = "v1.2.0"
"""Storage version of every file: DuckDB 1.4 opens them, the catalog needs 1.5; neither opens 2.0's default format."""
SMALL_BLOCKS, LARGE_BLOCKS = 16_384, 262_144
"""Block sizes in bytes: with small ones a file starts at some 60 KB instead of half a megabyte."""
LARGE_TABLE = 40_000
"""Rows from which on a table gets large blocks."""

_LINEAGE_DDL = """CREATE TABLE _lineage (
    run_id VARCHAR NOT NULL, as_of TIMESTAMP NOT NULL, config_hash VARCHAR NOT NULL, inputs JSON NOT NULL,
    settings JSON NOT NULL, code_version VARCHAR NOT NULL, schema_version INTEGER NOT NULL)"""


@dataclass(frozen=True)
class Lineage:
    """Where a stored table comes from.

    `config_hash` is that of the hospital's config, with its scenarios where they matter; `inputs` maps each asset it
    was made from to the run that wrote it; `settings` holds what the run wanted otherwise than the config.
    """

    run_id: str
    as_of: pd.Timestamp
    config_hash: str
    inputs: Mapping[str, str]
    settings: Mapping[str, int | str] = field(default_factory=dict)
    code_version: str = version("kaizar-pipeline")
    schema_version: int = SCHEMA_VERSION


class Warehouse:
    """The stored tables under `folder`, the project's data folder.

    `log` hears of files that cannot be served and of waiting for a lock. `on_step` hears the name of each point that a
    write passes, so that a test can kill the process there.
    """

    def __init__(
        self, folder: Path, log: logging.Logger | None = None, on_step: Callable[[str], None] = lambda step: None
    ):
        self.folder = folder.absolute()
        self.catalog = self.folder / "kaizar.duckdb"
        self._log = log or logging.getLogger(__name__)
        self._on_step = on_step

    def path(self, asset: str, hospital_id: str) -> Path:
        """The file that holds the hospital's table."""
        return self._files(asset) / f"hospital_id={hospital_id}" / "data.duckdb"

    def write(self, asset: str, hospital_id: str, frame: pd.DataFrame, lineage: Lineage) -> None:
        """Replace the hospital's table by `frame`, to which `lineage` adds the `run_id`.

        The caller holds the hospital's lock. Raises DataError, with the stored table untouched, for a frame that breaks
        the table's schema, belongs to another hospital or was made for another `as_of`.
        """
        for step in self._write(asset, hospital_id, frame, lineage):
            self._on_step(step)

    def read(self, asset: str, hospital_id: str) -> pd.DataFrame:
        """The hospital's table as the library made it: declared columns and types, in key order, without `run_id`.

        Raises DataError when there is none, or when its file is damaged or of another schema version.
        """
        self.lineage(asset, hospital_id)
        return TABLES[asset].conform(self._stored(asset, hospital_id, asset).drop(columns="run_id"), ("run_id",))

    def previous(self, asset: str, hospital_id: str) -> pd.DataFrame | None:
        """The hospital's table as `read` gives it, None when there is none yet: for tables that grow from run to run.

        Another schema version is no obstacle as long as the table's own columns are the same. Raises DataError for a
        file that cannot be read, since what it holds cannot be made again.
        """
        path = self.path(asset, hospital_id)
        if not path.exists():
            return None
        try:
            stored = self._select(asset, _glob(path))
            return TABLES[asset].conform(stored.drop(columns="run_id"), ("run_id",))
        except (duckdb.Error, DataError) as error:
            raise DataError(
                f"{path}: cannot be read ({str(error).splitlines()[0]}), and what it keeps of past runs cannot be made "
                "again; bring the file back from a backup, or move it away to begin anew"
            ) from error

    def lineage(self, asset: str, hospital_id: str) -> Lineage:
        """Where the hospital's table comes from. Raises DataError as `read` does."""
        row = self._stored(asset, hospital_id, "_lineage").iloc[0]
        if row.schema_version != SCHEMA_VERSION:
            raise DataError(_unreadable(self.path(asset, hospital_id), _other_schema(row.schema_version), asset))
        inputs, settings = json.loads(row.inputs), json.loads(row.settings)
        return Lineage(row.run_id, row.as_of, row.config_hash, inputs, settings, row.code_version)

    def lineages(self, assets: Iterable[str], hospital_id: str) -> dict[str, Lineage]:
        """The lineage of each of `assets`, which are about to be used together.

        Raises DataError, naming those left behind, when they were not all made for the same `as_of`.
        """
        found = {asset: self.lineage(asset, hospital_id) for asset in assets}
        newest = max((lineage.as_of for lineage in found.values()), default=None)
        stale = {asset: lineage.as_of for asset, lineage in found.items() if lineage.as_of != newest}
        if stale:
            behind = ", ".join(f"{asset} is as of {as_of:%Y-%m-%d}" for asset, as_of in stale.items())
            raise DataError(
                f"{hospital_id}: {behind}, but {', '.join(found.keys() - stale.keys())} as of {newest:%Y-%m-%d}; "
                f"materialize {', '.join(stale)} for {hospital_id} again"
            )
        return found

    @contextmanager
    def lock(self, hospital_id: str) -> Iterator[None]:
        """Keep other runs of the hospital out; the operating system frees the lock when its holder dies."""
        with self._locked(hospital_id, f"another run of {hospital_id} is under way; waiting for it to end"):
            yield

    def rebuild_catalog(self) -> None:
        """Make the catalog anew; the log names each file that cannot be served and is left out."""
        for step in self._rebuild_catalog():
            self._on_step(step)

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect()

    def _files(self, asset: str) -> Path:
        return self.folder / "warehouse" / asset

    def _placeholder(self, asset: str) -> Path:
        return self.path(asset, "").with_name("empty.duckdb")

    @contextmanager
    def _locked(self, name: str, waiting: str) -> Iterator[None]:
        path = self.folder / "warehouse" / ".locks" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._log.info(waiting)
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _stored(self, asset: str, hospital_id: str, inner_table: str) -> pd.DataFrame:
        path = self.path(asset, hospital_id)
        if not path.exists():
            raise DataError(f"{asset} of {hospital_id} has not been made yet; materialize {asset} for {hospital_id}")
        try:
            return self._select(inner_table, _glob(path))
        except duckdb.Error as error:
            raise DataError(_unreadable(path, _damaged(error), asset)) from error

    def _select(self, inner_table: str, files: str) -> pd.DataFrame:
        return self._connection.execute(
            f"FROM read_duckdb({files}, table_name = '{inner_table}', hive_partitioning = false)"
        ).df()

    def _write(self, asset: str, hospital_id: str, frame: pd.DataFrame, lineage: Lineage) -> Iterator[str]:
        """Write as `write` says, yielding the name of each point on the way."""
        table, path = TABLES[asset], self.path(asset, hospital_id)
        yield "started"
        rows = _checked(table, hospital_id, frame, lineage)
        yield "frame checked"
        path.parent.mkdir(parents=True, exist_ok=True)
        yield "folder made"
        is_in_catalog = self.catalog.exists() and not (path.exists() and self._fault(path))
        yield "catalog looked at"
        yield from _replace(path, _table_with_lineage(table, rows, lineage), len(rows))
        if not is_in_catalog:
            yield from (f"catalog: {step}" for step in self._rebuild_catalog())
        yield "finished"

    def _rebuild_catalog(self) -> Iterator[str]:
        with self._locked("catalog.lock", "another process rebuilds the catalog; waiting for it to end"):
            yield "locked"
            for table in TABLES.values():
                self._ensure_placeholder(table)
            yield "placeholders made"
            views = [self._view(table.name) for table in TABLES.values()]
            yield "views planned"
            yield from _replace(self.catalog, _statements(views))

    def _ensure_placeholder(self, table: Table) -> None:
        path = self._placeholder(table.name)
        if path.exists() and not self._fault(path):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        nothing = pd.DataFrame(columns=table.column_names)
        lineage = Lineage(run_id="", as_of=pd.Timestamp(0), config_hash="", inputs={})
        for _ in _replace(path, _table_with_lineage(table, nothing, lineage)):
            pass

    def _view(self, asset: str) -> str:
        """The CREATE VIEW statement over the asset's files of all hospitals, those of hospitals to come included.

        The placeholder comes first because DuckDB takes columns and types from the first file. A filter on the
        partition keeps DuckDB from opening files that cannot be served.
        """
        files = f"{_glob(self._placeholder(asset))}, {_glob(self._files(asset), '*/*.duckdb')}"
        left_out = ", ".join(_quoted(hospital_id) for hospital_id in self._left_out(asset))
        return (
            f"CREATE VIEW \"{asset}\" AS FROM read_duckdb([{files}], table_name = '{asset}', "
            "hive_partitioning = true, hive_types = {'hospital_id': VARCHAR})"
            + (f" WHERE hospital_id NOT IN ({left_out})" if left_out else "")
        )

    def _left_out(self, asset: str) -> list[str]:
        """Hospitals whose file of this asset cannot be served, each said to the log."""
        if not self._fault(self._files(asset), "*/*.duckdb"):
            return []
        faults = {path: self._fault(path) for path in sorted(self._files(asset).glob("hospital_id=*/data.duckdb"))}
        bad = {path: fault for path, fault in faults.items() if fault}
        for path, fault in bad.items():
            self._log.warning(f"{_unreadable(path, fault, asset)}. Left out of the catalog until then")
        return [_hospital_of(path) for path in bad]

    def _fault(self, path: Path, pattern: str = "") -> str:
        """Why the file, or one of those that match `pattern` below the path, cannot be served; empty if they can."""
        try:
            versions = self._select("_lineage", _glob(path, pattern)).schema_version
        except duckdb.Error as error:
            return _damaged(error)
        others = versions[versions != SCHEMA_VERSION]
        return _other_schema(others.iloc[0]) if len(others) else ""


def _checked(table: Table, hospital_id: str, frame: pd.DataFrame, lineage: Lineage) -> pd.DataFrame:
    """`frame` with its `run_id`, conforming to `table`, all of it about this hospital and this `as_of`."""
    rows = table.conform(frame.assign(run_id=lineage.run_id))
    for column, expected in (("hospital_id", hospital_id), ("as_of", lineage.as_of)):
        others = rows.loc[rows[column] != expected, column].unique()
        if len(others):
            raise DataError(f"table {table.name} of {hospital_id}: {column} is {others[0]} where {expected} is due")
    return rows


def _replace(path: Path, fill: Callable[[duckdb.DuckDBPyConnection], Iterator[str]], rows: int = 0) -> Iterator[str]:
    """Replace the DuckDB file at `path` by one that `fill` makes, wholly or not at all; yield the points passed."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    block_size = SMALL_BLOCKS if rows < LARGE_TABLE else LARGE_BLOCKS
    settings = {"storage_compatibility_version": READABLE_SINCE, "default_block_size": block_size}
    for leftover in path.parent.glob(f"{path.name}.[0-9]*"):  # of killed runs
        leftover.unlink()
    yield "leftovers removed"
    try:
        with duckdb.connect(temporary, config=settings) as connection:
            yield "file begun"
            connection.execute("BEGIN")
            yield "transaction begun"
            yield from fill(connection)
            connection.execute("COMMIT")
            yield "committed"
            connection.execute("CHECKPOINT")
            yield "checkpointed"
        yield "file closed"
        _sync(temporary)
        yield "file synced"
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)  # of a client that died inside the old file
        temporary.replace(path)
        yield "replaced"
        _sync(path.parent)
        yield "folder synced"
    finally:
        temporary.unlink(missing_ok=True)


def _table_with_lineage(
    table: Table, rows: pd.DataFrame, lineage: Lineage
) -> Callable[[duckdb.DuckDBPyConnection], Iterator[str]]:
    def fill(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
        connection.execute(table.ddl())
        yield "table created"
        connection.register("rows", rows)
        connection.execute(f'INSERT INTO "{table.name}" BY NAME SELECT * FROM rows')
        yield "rows inserted"
        connection.execute(_LINEAGE_DDL)
        as_json = {name: json.dumps(dict(getattr(lineage, name))) for name in ("inputs", "settings")}
        row = asdict(lineage) | as_json | {"as_of": lineage.as_of.to_pydatetime()}
        connection.execute(f"INSERT INTO _lineage VALUES ({', '.join(f'${name}' for name in row)})", row)
        yield "lineage inserted"

    return fill


def _statements(statements: Iterable[str]) -> Callable[[duckdb.DuckDBPyConnection], Iterator[str]]:
    def fill(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
        for statement in statements:
            connection.execute(statement)
        yield "statements executed"

    return fill


def _sync(path: Path) -> None:
    """Have the operating system put a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _glob(path: Path, pattern: str = "") -> str:
    """SQL text that matches `path` (and `pattern` below it), whatever characters the path has."""
    literal = re.sub(r"([\[*?])", r"[\1]", str(path))
    return _quoted(f"{literal}/{pattern}" if pattern else literal)


def _damaged(error: duckdb.Error) -> str:
    return f"cannot be read ({str(error).splitlines()[0]})"


def _other_schema(found: int) -> str:
    return f"has schema version {found}, this version of Kaizar reads {SCHEMA_VERSION}"


def _unreadable(path: Path, fault: str, asset: str) -> str:
    return f"{path}: {fault}; materialize {asset} for {_hospital_of(path)} again"


def _hospital_of(path: Path) -> str:
    return path.parent.name.removeprefix("hospital_id=")
