"""Where tables live: one small DuckDB file per asset and hospital, replaced whole, and a catalog of views over all.

    data/warehouse/<asset>/hospital_id=<hospital>/data.duckdb    the table, and `_lineage`: where it comes from
    data/warehouse/<asset>/hospital_id=/data.duckdb              the same without rows: fixes the columns of the view
    data/kaizar.duckdb                                           views only, for people and BI tools

A file is written under a temporary name, checkpointed, synced and renamed, so that a reader, also after a kill, finds
the old table or the new one, whole. Other files and folders in the warehouse are ignored. Nothing here knows Dagster.
"""

import errno
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
from typing import Any

import duckdb
import pandas as pd

from kaizar_pipeline.config.snapshot import shown
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.tables import TABLES, Table

READABLE_SINCE = "v1.2.0"
"""Storage version of every file: DuckDB 1.4 opens them, the catalog needs 1.5; neither opens 2.0's default format."""
SMALL_BLOCKS, LARGE_BLOCKS = 16_384, 262_144
"""Block sizes in bytes: with small ones a file starts at some 60 KB instead of half a megabyte."""
LARGE_TABLE = 40_000
"""Rows from which on a table gets large blocks."""
OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
"""Settings that keep DuckDB from looking for an extension when it finds a file of another format."""

_LINEAGE_DDL = """CREATE TABLE _lineage (
    run_id VARCHAR NOT NULL, as_of TIMESTAMP NOT NULL, config_hash VARCHAR NOT NULL, inputs JSON NOT NULL,
    settings JSON NOT NULL, code_version VARCHAR NOT NULL, schema_version INTEGER NOT NULL)"""

_FOLDER = "hospital_id=[a-z0-9_-]+"
"""Pattern of the folders that hold a hospital; others are copies made by hand."""

_NAMED = 4
"""Names in an error at most."""

_SPACE = "there is too little space: free some on the disk of {folder}, or move the project to a larger one"
_OTHER = "move away what stands in its place"
_RIGHTS = "let this user write to {folder}, and to its files"
_REMEDIES = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EFBIG: "a limit of the size of files is too low: raise that of the user (ulimit -f) or of {folder}",
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: _RIGHTS,
    errno.EISDIR: _OTHER,
    errno.ENOTDIR: _OTHER,
    errno.EEXIST: _OTHER,
    errno.ENAMETOOLONG: "move the project to a folder with a shorter path",
}
"""What to do when the operating system refuses to write. DuckDB hands on its words, without the number."""

Fill = Callable[[duckdb.DuckDBPyConnection], object]
"""Puts the contents into a new file."""


@dataclass(frozen=True)
class Lineage:
    """Where a stored table comes from; the file holds the table's version beside it.

    `config_hash` is that of the hospital's config, with its scenarios where they matter; `inputs` maps each asset it
    was made from to the run that wrote it; `settings` holds the overrides of the run.
    """

    run_id: str
    as_of: pd.Timestamp
    config_hash: str
    inputs: Mapping[str, str]
    settings: Mapping[str, int | str] = field(default_factory=dict)
    code_version: str = version("kaizar-pipeline")


class Warehouse:
    """The stored tables under `folder`, the project's data folder.

    `log` gets a warning for each file that the catalog leaves out, and a message while a lock is waited for.
    """

    def __init__(self, folder: Path, log: logging.Logger | None = None, tables: Mapping[str, Table] = TABLES):
        self.folder = folder.absolute()
        self.catalog = self.folder / "kaizar.duckdb"
        self._log = log or logging.getLogger(__name__)
        self._tables = tables

    def path(self, asset: str, hospital_id: str) -> Path:
        """The file that holds the hospital's table."""
        return self.folder / "warehouse" / asset / f"hospital_id={hospital_id}" / "data.duckdb"

    def write(self, asset: str, hospital_id: str, frame: pd.DataFrame, lineage: Lineage) -> None:
        """Replace the hospital's table by `frame`, to which `lineage` adds the `run_id`.

        The caller holds the hospital's lock. Raises DataError, with the stored table unchanged, for a frame that breaks
        the table's schema, belongs to another hospital or was made for another `as_of`, and when it cannot be written,
        as on a full disk.
        """
        table, path = self._tables[asset], self.path(asset, hospital_id)
        rows = _of_one_run(table, table.conform(frame.assign(run_id=lineage.run_id)), hospital_id, lineage.as_of)
        is_in_catalog = self.catalog.exists() and not (path.exists() and self._problem(table, path))
        _replace(path, _table_with_lineage(table, rows, lineage), len(rows))
        if not is_in_catalog:
            self.rebuild_catalog()

    def read(self, asset: str, hospital_id: str) -> pd.DataFrame:
        """The hospital's table as the library made it: declared columns and types, in key order, without `run_id`.

        Raises DataError when there is none, or when its file is damaged or of another version of the table.
        """
        lineage, path = self.lineage(asset, hospital_id), self.path(asset, hospital_id)
        with _explained(path, _again(asset, hospital_id)):
            return _of_one_run(self._tables[asset], self._rows(self._tables[asset], path), hospital_id, lineage.as_of)

    def previous(self, asset: str, hospital_id: str) -> pd.DataFrame | None:
        """The hospital's table as `read` gives it, None when there is none yet: for tables that grow from run to run.

        Of a file of another version the rows are kept, with null in nullable columns that it lacks. Raises DataError
        for a file that cannot be read, since its rows of past runs cannot be computed again.
        """
        path = self.path(asset, hospital_id)
        if not path.exists():
            return None
        remedy = "its rows of past runs cannot be computed again; restore it from a backup, or move it away"
        with _explained(path, remedy):
            return self._rows(self._tables[asset], path, upgrade=True)

    def lineage(self, asset: str, hospital_id: str) -> Lineage:
        """Where the hospital's table comes from. Raises DataError as `read` does."""
        path = self.path(asset, hospital_id)
        if not path.exists():
            raise DataError(f"{asset} of {hospital_id} has not been made yet; materialize {asset} for {hospital_id}")
        with _explained(path, _again(asset, hospital_id)):
            return self._lineage(self._tables[asset], path)

    def lineages(self, assets: Iterable[str], hospital_id: str) -> dict[str, Lineage]:
        """The lineage of each of `assets`, which are about to be used together.

        Raises DataError, naming those that are behind, when they were not all made for the same `as_of`.
        """
        found = {asset: self.lineage(asset, hospital_id) for asset in assets}
        as_ofs = {asset: lineage.as_of for asset, lineage in found.items()}
        stale = {asset: as_of for asset, as_of in as_ofs.items() if as_of != max(as_ofs.values())}
        if stale:
            newest = max(as_ofs.values())
            behind = _some([f"{asset} is as of {shown(as_of)}" for asset, as_of in stale.items()])
            others = _some([asset for asset in found if asset not in stale])
            raise DataError(
                f"{hospital_id}: {behind}, but {others} as of {shown(newest)}; "
                f"materialize {_some(list(stale))} for {hospital_id} again"
            )
        return found

    @contextmanager
    def lock(self, hospital_id: str) -> Iterator[None]:
        """Keep other runs of the hospital out; the operating system frees the lock when its holder dies."""
        with self._locked(hospital_id, f"another run of {hospital_id} is under way; waiting for it to end"):
            yield

    def rebuild_catalog(self) -> None:
        """Replace the catalog; the log names each file that cannot be read and is left out.

        Every block of every file is read, since DuckDB finds a damaged one only when it reads it, and then does not
        name the file. Raises DataError when the catalog cannot be written.
        """
        with self._locked("catalog.lock", "another process rebuilds the catalog; waiting for it to end"):
            views = [self._view(table) for table in self._tables.values()]
            _replace(self.catalog, lambda connection: connection.execute(";\n".join(views)))

    @cached_property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(config=OFFLINE)

    @contextmanager
    def _locked(self, name: str, waiting: str) -> Iterator[None]:
        path = self.folder / "warehouse" / ".locks" / name
        with _written(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = path.open("a")
        with handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._log.info(waiting)
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _select(self, columns: str, inner_table: str, paths: Iterable[Path]) -> pd.DataFrame:
        files = ", ".join(_pattern(path) for path in paths)
        return self._connection.execute(
            f"SELECT {columns} FROM read_duckdb([{files}], table_name = '{inner_table}', hive_partitioning = false)"
        ).df()

    def _rows(self, table: Table, path: Path, upgrade: bool = False) -> pd.DataFrame:
        stored = self._select("*", table.name, [path]).drop(columns="run_id", errors="ignore")
        return table.conform(table.upgraded(stored) if upgrade else stored, ("run_id",))

    def _lineage(self, table: Table, path: Path) -> Lineage:
        columns = "run_id, as_of, config_hash, inputs, settings, code_version, schema_version"
        found = self._select(columns, "_lineage", [path])
        if len(found) != 1:
            raise DataError(f"its _lineage has {len(found)} rows where 1 is due")
        run_id, as_of, config_hash, inputs, settings, code_version, schema_version = found.iloc[0]
        if schema_version != table.version:
            raise DataError(
                f"it holds version {schema_version} of the table, this Kaizar reads version {table.version}"
            )
        if not isinstance(as_of, pd.Timestamp):
            raise DataError(f"its _lineage has the as_of {as_of}, which is no time")
        return Lineage(run_id, as_of, config_hash, _as_mapping(inputs), _as_mapping(settings), code_version)

    def _problem(self, table: Table, path: Path) -> str:
        """Why the file cannot be read, or not together with the other files of its view; empty if it can."""
        try:
            self._lineage(table, path)
            self._read_whole(table, [path])
        except (duckdb.Error, DataError) as error:
            return _first_line(error)
        return ""

    def _read_whole(self, table: Table, paths: Iterable[Path]) -> None:
        """Read every block of the rows, as the view does: the file without rows comes first and fixes the columns."""
        self._select("bit_xor(hash(COLUMNS(*)))", table.name, [self.path(table.name, ""), *paths])

    def _problems(self, table: Table, paths: list[Path]) -> dict[Path, str]:
        """The files that cannot be read, each with the reason. Each is read alone only if one query of all fails.

        The file without rows, which the others are read with, is made anew if it is one of those.
        """
        placeholder = self.path(table.name, "")
        try:
            versions = self._select("*", "_lineage", [placeholder, *paths])["schema_version"]
            self._read_whole(table, paths)
            if list(versions) == [table.version] * (1 + len(paths)):
                return {}
        except duckdb.Error:
            pass
        if self._problem(table, placeholder):
            lineage = Lineage(run_id="", as_of=pd.Timestamp(0), config_hash="", inputs={})
            nothing = pd.DataFrame(columns=table.column_names)
            _replace(placeholder, _table_with_lineage(table, nothing, lineage))
        found = {path: self._problem(table, path) for path in paths}
        return {path: problem for path, problem in found.items() if problem}

    def _view(self, table: Table) -> str:
        """The CREATE VIEW statement over the table's files of all hospitals, those of hospitals to come included.

        The file without rows comes first because DuckDB takes columns and types from the first one. A filter on the
        partition keeps DuckDB from opening files that cannot be read, and ignores copies of a hospital's folder. Paths
        are absolute, so the view refuses to show the tables of the project that its own was copied from.
        """
        placeholder = self.path(table.name, "")
        hospitals = placeholder.parents[1]
        files = [path for path in hospitals.glob("*/data.duckdb") if re.fullmatch(_FOLDER, path.parent.name)]
        problems = self._problems(table, sorted(files))
        left_out = {path: path.parent.name.removeprefix("hospital_id=") for path in problems}
        for path, hospital_id in left_out.items():
            reason = _unreadable(path, problems[path], _again(table.name, hospital_id))
            self._log.warning(f"{reason}. Left out of the catalog until then")
        readable = "".join(f" AND hospital_id <> {_quoted(hospital_id)}" for hospital_id in left_out.values())
        places = ", ".join(_quoted(place) for place in {self.catalog, self.catalog.resolve()})
        moved = (
            f"this project was moved or copied from {self.folder.parent}: run `kaizar run` for one of its hospitals, "
            "which rebuilds this catalog"
        )
        return (
            f'CREATE VIEW "{table.name}" AS FROM read_duckdb([{_pattern(placeholder)}, '
            f"{_pattern(hospitals, 'hospital_id=*/data.duckdb')}], table_name = '{table.name}', "
            "hive_partitioning = true, hive_types = {'hospital_id': VARCHAR}) "
            f"WHERE regexp_full_match('hospital_id=' || hospital_id, '{_FOLDER}'){readable} "
            f"AND CASE WHEN EXISTS (FROM duckdb_databases() WHERE path IN ({places})) "
            f"THEN true ELSE error({_quoted(moved)}) END"
        )


def _of_one_run(table: Table, rows: pd.DataFrame, hospital_id: str, as_of: pd.Timestamp) -> pd.DataFrame:
    """`rows` if all of them are about this hospital and this `as_of`."""
    for column, expected in (("hospital_id", hospital_id), ("as_of", as_of)):
        others = rows.loc[rows[column] != expected, column].unique()
        if len(others):
            raise DataError(f"table {table.name} of {hospital_id}: {column} is {others[0]} where {expected} is due")
    return rows


def _replace(path: Path, fill: Fill, rows: int = 0) -> None:
    """Replace the DuckDB file at `path` by one that `fill` makes, wholly or not at all."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    block_size = SMALL_BLOCKS if rows < LARGE_TABLE else LARGE_BLOCKS
    settings = OFFLINE | {"storage_compatibility_version": READABLE_SINCE, "default_block_size": block_size}
    try:
        with _written(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove(path.parent.glob(f"{path.name}.[0-9]*.tmp*"))  # of killed runs
            with duckdb.connect(temporary, config=settings) as connection:
                connection.execute("BEGIN")
                fill(connection)
                connection.execute("COMMIT")
                connection.execute("CHECKPOINT")
            _sync(temporary)
            path.with_name(f"{path.name}.wal").unlink(missing_ok=True)  # of a client that died inside the old file
            temporary.replace(path)
            _sync(path.parent)
    finally:
        _remove(path.parent.glob(f"{temporary.name}*"))


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Turn an error of a file that is being written into a DataError that names it and says what to do."""
    try:
        yield
    except (OSError, duckdb.Error) as error:
        words = _first_line(error)
        remedies = (remedy for number, remedy in _REMEDIES.items() if os.strerror(number) in words)
        remedy = next(remedies, "check the free space of the disk and the permissions of {folder}")
        raise DataError(
            f"{path}: cannot be written ({words}); nothing was changed; {remedy.format(folder=path.parent)}"
        ) from error


def _table_with_lineage(table: Table, rows: pd.DataFrame, lineage: Lineage) -> Fill:
    def fill(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(table.ddl())
        connection.register("rows", rows)
        connection.execute(f'INSERT INTO "{table.name}" BY NAME SELECT * FROM rows')
        connection.execute(_LINEAGE_DDL)
        as_json = {name: json.dumps(dict(getattr(lineage, name))) for name in ("inputs", "settings")}
        row = asdict(lineage) | as_json | {"as_of": lineage.as_of.to_pydatetime(), "schema_version": table.version}
        connection.execute(f"INSERT INTO _lineage VALUES ({', '.join(f'${name}' for name in row)})", row)

    return fill


def _as_mapping(text: object) -> dict[str, Any]:
    """The JSON object in a cell of `_lineage`."""
    try:
        found = json.loads(str(text))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DataError(f"its _lineage holds {text} where a JSON object is due")
    return found


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have the operating system put a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _quoted(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _pattern(path: Path, below: str = "") -> str:
    """SQL text that matches `path` (and the pattern `below` it), whatever characters the path has."""
    literal = re.sub(r"([\[*?])", r"[\1]", str(path))
    return _quoted(f"{literal}/{below}" if below else literal)


@contextmanager
def _explained(path: Path, remedy: str) -> Iterator[None]:
    """Turn an error of a stored file into a DataError that names the file and says what to do."""
    try:
        yield
    except (duckdb.Error, DataError) as error:
        raise DataError(_unreadable(path, _first_line(error), remedy)) from error


def _some(names: list[str]) -> str:
    """The first of many names, and how many others there are."""
    return ", ".join(names if len(names) <= _NAMED else [*names[: _NAMED - 1], f"{len(names) - _NAMED + 1} others"])


def _unreadable(path: Path, reason: str, remedy: str) -> str:
    return f"{path}: cannot be read ({reason}); {remedy}"


def _again(asset: str, hospital_id: str) -> str:
    return f"materialize {asset} for {hospital_id} again"


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
