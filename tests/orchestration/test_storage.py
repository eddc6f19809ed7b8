"""The warehouse: stored tables come back equal, wrong ones are refused, and a table is never half written."""

import logging
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import duckdb
import pandas as pd
import pytest
from stored_tables import AS_OF, LINEAGE, arrivals, files_beside, in_catalog, only, rewritten, rows_of

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.orchestration.storage import Warehouse
from kaizar_pipeline.tables import TABLES, Column, Table
from kaizar_pipeline.tables.schema import Type

from .conftest import FEW, template


@pytest.fixture(scope="module")
def template_of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("all"), TABLES)


@pytest.fixture
def full_warehouse(tmp_path: Path, template_of_all: Path) -> Warehouse:
    """A warehouse of all tables; its catalog is that of the template, so that a write does not rebuild it."""
    return Warehouse(shutil.copytree(template_of_all, tmp_path / "data"))


def change(monkeypatch: pytest.MonkeyPatch, asset: str, **changes: Any) -> Table:
    """Give a table another version or other columns, as a later version of Kaizar would."""
    table = replace(TABLES[asset], **changes)
    monkeypatch.setitem(TABLES, asset, table)
    return table


@pytest.mark.unit
class TestWritingAndReading:
    """A stored table comes back equal."""

    def test_every_table_comes_back_as_it_was_also_without_rows(self, full_warehouse: Warehouse):
        for asset in TABLES:
            for rows in (rows_of(asset), rows_of(asset).iloc[:0]):
                full_warehouse.write(asset, "north", rows, LINEAGE)
                pd.testing.assert_frame_equal(full_warehouse.read(asset, "north"), rows, obj=asset)

    def test_a_large_table_comes_back_as_it_was(self, warehouse: Warehouse):
        rows = arrivals(days=50_000, as_of=pd.Timestamp("2200-01-01"))
        warehouse.write("daily_arrivals", "north", rows, replace(LINEAGE, as_of=pd.Timestamp("2200-01-01")))
        pd.testing.assert_frame_equal(warehouse.read("daily_arrivals", "north"), rows)

    def test_the_new_table_replaces_the_old_one(self, warehouse: Warehouse):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        warehouse.read("daily_arrivals", "north")
        warehouse.write("daily_arrivals", "north", arrivals(first=7, days=2), LINEAGE)
        assert list(warehouse.read("daily_arrivals", "north").arrivals) == [7, 8]

    def test_columns_go_by_name_whatever_their_order(self, warehouse: Warehouse):
        shuffled = arrivals()[arrivals().columns[::-1]]
        warehouse.write("daily_arrivals", "north", shuffled, LINEAGE)
        pd.testing.assert_frame_equal(warehouse.read("daily_arrivals", "north"), arrivals())

    def test_lineage_is_where_a_table_comes_from(self, warehouse: Warehouse):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        assert warehouse.lineage("daily_arrivals", "north") == LINEAGE
        assert in_catalog(warehouse, "SELECT DISTINCT run_id, as_of FROM daily_arrivals") == [("run-1", AS_OF)]


@pytest.mark.unit
class TestRefusing:
    """A wrong frame or file is an error, and the stored table stays as it was."""

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda f: f.assign(hospital_id="south"), "hospital_id is south where north is due"),
            (lambda f: f.assign(as_of=pd.Timestamp("2026-03-01")), "as_of is 2026-03-01 00:00:00 where 2026-03-02"),
            (lambda f: f.assign(arrivals=[1, 2, 1.7]), r"column arrivals \(INTEGER\): holds a value that is not .*1.7"),
            (lambda f: f.drop(columns="observed"), r"missing column\(s\) observed"),
            (lambda f: f.assign(beds=1), r"unknown column\(s\) beds"),
            (lambda f: pd.concat([f, f]), r"3 row\(s\) repeat a key"),
            (lambda f: f.assign(arrivals=[1, None, 2]), r"column arrivals \(INTEGER\): 1 empty value"),
        ],
    )
    def test_a_frame_that_does_not_fit(
        self, warehouse: Warehouse, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
    ):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        before = warehouse.path("daily_arrivals", "north").read_bytes()
        with pytest.raises(DataError, match=message):
            warehouse.write("daily_arrivals", "north", change(arrivals(first=5)), LINEAGE)
        assert warehouse.path("daily_arrivals", "north").read_bytes() == before

    @pytest.mark.parametrize(
        ("failing", "error", "raised"),
        [
            ("fsync", OSError(28, "No space left on device"), DataError),
            ("replace", OSError(28, "No space left on device"), DataError),
            ("fsync", KeyboardInterrupt(), KeyboardInterrupt),
        ],
    )
    def test_a_failing_write_leaves_the_old_table_and_no_temporary_file(
        self,
        warehouse: Warehouse,
        monkeypatch: pytest.MonkeyPatch,
        failing: str,
        error: BaseException,
        raised: type[BaseException],
    ):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)

        def fail(*args: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(f"os.{failing}", fail)
            with pytest.raises(raised) as caught:
                warehouse.write("daily_arrivals", "north", arrivals(first=5), LINEAGE)
        if raised is DataError:
            assert "data.duckdb: cannot be written ([Errno 28] No space left on device); " in str(caught.value)
        pd.testing.assert_frame_equal(warehouse.read("daily_arrivals", "north"), arrivals())
        assert files_beside(warehouse.path("daily_arrivals", "north")) == ["data.duckdb"]

    def test_a_table_that_was_never_made(self, warehouse: Warehouse):
        with pytest.raises(DataError, match="patients of north has not been made yet; materialize patients for north"):
            warehouse.read("patients", "north")

    @pytest.mark.parametrize("kept", [0, 100, 5_000, 20_000, -1])
    def test_a_truncated_file_is_one_readable_message(self, warehouse: Warehouse, kept: int):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        path = warehouse.path("daily_arrivals", "north")
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(DataError) as refusal:
            warehouse.read("daily_arrivals", "north")
        message = str(refusal.value)
        assert message.startswith(f"{path}: cannot be read (")
        assert message.endswith("; materialize daily_arrivals for north again")
        assert "\n" not in message

    @pytest.mark.parametrize(
        ("statements", "reason"),
        [
            (["DELETE FROM _lineage"], "its _lineage has 0 rows where 1 is due"),
            (["DROP TABLE _lineage"], "_lineage"),
            (["ALTER TABLE _lineage DROP config_hash"], "config_hash"),
            (["UPDATE _lineage SET inputs = '[1]'"], r"its _lineage holds \[1\] where a JSON object is due"),
            (
                ["ALTER TABLE _lineage ALTER inputs TYPE VARCHAR", "UPDATE _lineage SET inputs = '{'"],
                "JSON object is due",
            ),
            (
                ["ALTER TABLE _lineage ALTER as_of TYPE VARCHAR", "UPDATE _lineage SET as_of = 'now'"],
                "as_of now, which",
            ),
            (["DROP TABLE daily_arrivals"], "daily_arrivals"),
            (
                ["ALTER TABLE daily_arrivals DROP run_id", "ALTER TABLE daily_arrivals ADD beds INTEGER"],
                "unknown.* beds",
            ),
            (["ALTER TABLE daily_arrivals DROP admitted"], "missing column.* admitted"),
            (["UPDATE daily_arrivals SET arrivals = 0, date = '2026-03-01'"], "repeat a key"),
            (["UPDATE daily_arrivals SET hospital_id = 'south'"], "hospital_id is south where north is due"),
        ],
    )
    def test_a_file_changed_by_hand(self, warehouse: Warehouse, statements: list[str], reason: str):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        path = warehouse.path("daily_arrivals", "north")
        rewritten(path, *statements)
        expected = rf"^{path}: cannot be read \(.*{reason}.*\); materialize daily_arrivals for north again$"
        with pytest.raises(DataError, match=expected):
            warehouse.read("daily_arrivals", "north")
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        pd.testing.assert_frame_equal(warehouse.read("daily_arrivals", "north"), arrivals())

    def test_a_folder_in_place_of_the_file(self, warehouse: Warehouse, caplog: pytest.LogCaptureFixture):
        warehouse.write("daily_arrivals", "south", arrivals("south"), LINEAGE)
        path = warehouse.path("daily_arrivals", "north")
        path.mkdir(parents=True)
        with pytest.raises(DataError, match=rf"^{path}: cannot be read"):
            warehouse.read("daily_arrivals", "north")
        with pytest.raises(DataError, match=rf"^{path}: cannot be read"):
            warehouse.previous("daily_arrivals", "north")
        with pytest.raises(DataError, match=rf"^{path}: cannot be written .*[Ii]s a directory"):
            warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        warehouse.rebuild_catalog()
        assert f"{path}: cannot be read" in caplog.messages[-1]
        assert in_catalog(warehouse, "SELECT DISTINCT hospital_id FROM daily_arrivals") == [("south",)]

    def test_a_file_of_another_database_starts_no_download(self, warehouse: Warehouse):
        path = warehouse.path("daily_arrivals", "north")
        path.parent.mkdir(parents=True)
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE daily_arrivals (beds)")
        connection.close()
        with pytest.raises(DataError, match=r"cannot be read \((?!.*download).*\); materialize"):
            warehouse.read("daily_arrivals", "north")

    def test_inputs_of_different_days_are_named(self, warehouse: Warehouse):
        yesterday = AS_OF - pd.Timedelta(days=1)
        warehouse.write("patients", "north", rows_of("patients"), LINEAGE)
        warehouse.write("ward_stays", "north", rows_of("ward_stays"), LINEAGE)
        stale = arrivals(as_of=yesterday)
        warehouse.write("daily_arrivals", "north", stale, replace(LINEAGE, as_of=yesterday))
        assert set(warehouse.lineages(["patients", "ward_stays"], "north")) == {"patients", "ward_stays"}
        with pytest.raises(
            DataError, match=r"^north: daily_arrivals is as of 2026-03-01, but .* as of 2026-03-02; mat"
        ):
            warehouse.lineages(["patients", "ward_stays", "daily_arrivals"], "north")

    def test_of_many_tables_of_another_day_an_error_names_the_first(self, warehouse: Warehouse):
        for name in FEW:
            as_of = AS_OF if name == "patients" else AS_OF - pd.Timedelta(days=1)
            warehouse.write(name, "north", TABLES[name].empty(), replace(LINEAGE, as_of=as_of))
        with pytest.raises(
            DataError, match="materialize ward_stays, patient_rejects, daily_arrivals, 2 others for north again"
        ):
            warehouse.lineages(FEW, "north")


@pytest.mark.unit
class TestCatalog:
    """All tables of all hospitals, whatever the state of single files."""

    def test_every_view_works_before_there_is_anything(self, full_warehouse: Warehouse):
        full_warehouse.rebuild_catalog()
        for table in TABLES.values():
            columns = in_catalog(full_warehouse, f'SELECT column_name, column_type FROM (DESCRIBE FROM "{table.name}")')
            assert columns == [(column.name, column.type) for column in table.columns]
            assert in_catalog(full_warehouse, f'FROM "{table.name}"') == []

    def test_hospitals_appear_and_disappear_without_a_rebuild(self, warehouse: Warehouse):
        warehouse.rebuild_catalog()
        before = warehouse.catalog.stat().st_ino
        for hospital_id in ("north", "007", "2026-01-01"):  # the last two must stay text
            warehouse.write("daily_arrivals", hospital_id, arrivals(hospital_id), LINEAGE)
        sql = "SELECT hospital_id, count(*) FROM daily_arrivals GROUP BY ALL ORDER BY ALL"
        assert in_catalog(warehouse, sql) == [("007", 3), ("2026-01-01", 3), ("north", 3)]
        warehouse.path("daily_arrivals", "north").unlink()
        assert in_catalog(warehouse, sql) == [("007", 3), ("2026-01-01", 3)]
        assert warehouse.catalog.stat().st_ino == before

    def test_a_filter_on_one_hospital_opens_its_file_only(self, warehouse: Warehouse):
        warehouse.rebuild_catalog()
        for hospital_id in ("north", "south"):
            warehouse.write("daily_arrivals", hospital_id, arrivals(hospital_id), LINEAGE)
        warehouse.path("daily_arrivals", "south").write_bytes(b"not a database")
        assert in_catalog(warehouse, "SELECT count(*) FROM daily_arrivals WHERE hospital_id = 'north'") == [(3,)]

    def test_a_folder_with_awkward_characters(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        only(monkeypatch, FEW)
        warehouse = Warehouse(tmp_path / "Zoë's [new] data*")
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        assert in_catalog(warehouse, "SELECT count(*) FROM daily_arrivals") == [(3,)]
        pd.testing.assert_frame_equal(warehouse.read("daily_arrivals", "north"), arrivals())

    @pytest.mark.parametrize("hospital_id", ["a-first", "z-last"])
    def test_a_damaged_file_is_named_and_left_out_until_it_is_written_again(
        self, warehouse: Warehouse, caplog: pytest.LogCaptureFixture, hospital_id: str
    ):
        for name in ("north", hospital_id):
            warehouse.write("daily_arrivals", name, arrivals(name), LINEAGE)
        path = warehouse.path("daily_arrivals", hospital_id)
        path.write_bytes(path.read_bytes()[:9_000])
        with caplog.at_level(logging.WARNING):
            warehouse.rebuild_catalog()
        assert [record.getMessage()[: len(str(path))] for record in caplog.records] == [str(path)]
        assert in_catalog(warehouse, "SELECT DISTINCT hospital_id FROM daily_arrivals") == [("north",)]

        warehouse.write("daily_arrivals", hospital_id, arrivals(hospital_id), LINEAGE)
        assert in_catalog(warehouse, "SELECT count(*) FROM daily_arrivals") == [(6,)]

    def test_copies_made_by_hand_change_nothing(self, warehouse: Warehouse):
        for hospital_id in ("north", "south"):
            warehouse.write("daily_arrivals", hospital_id, arrivals(hospital_id), LINEAGE)
        path = warehouse.path("daily_arrivals", "north")
        for name in ("north_backup", "hospital_id=north (copy)", "hospital_id=north.bak"):
            shutil.copytree(path.parent, path.parents[1] / name)
        for name in ("data (copy).duckdb", "data.duckdb.bak", "copy.duckdb"):
            shutil.copy(path, path.with_name(name))
        shutil.copy(path, path.parents[1] / "data.duckdb")
        (path.parents[1] / "notes.txt").write_text("not a table")
        (path.parents[1] / "hospital_id=north (copy)" / "data.duckdb").write_bytes(b"not a database")
        for _ in range(2):
            assert in_catalog(warehouse, "SELECT count(*) FROM daily_arrivals") == [(6,)]
            warehouse.rebuild_catalog()

    def test_a_copied_project_does_not_show_the_tables_of_the_original(self, warehouse: Warehouse, tmp_path: Path):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        copied = Warehouse(shutil.copytree(warehouse.folder, tmp_path / "copied" / "data"))
        for sql in ("FROM daily_arrivals", "SELECT count(*) FROM daily_arrivals WHERE hospital_id = 'none'"):
            with pytest.raises(duckdb.Error, match=r"this project was moved or copied from .*: run `kaizar run`"):
                in_catalog(copied, sql)
        copied.rebuild_catalog()
        copied.write("daily_arrivals", "north", arrivals(first=7), LINEAGE)
        assert in_catalog(copied, "SELECT min(arrivals) FROM daily_arrivals") == [(7,)]
        assert in_catalog(warehouse, "SELECT min(arrivals) FROM daily_arrivals") == [(0,)]

    def test_the_catalog_opens_by_any_path_and_name(
        self, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        linked = tmp_path / "linked"
        linked.symlink_to(warehouse.folder)
        Warehouse(linked).write("daily_arrivals", "north", arrivals(), LINEAGE)
        monkeypatch.chdir(warehouse.folder)
        for path in ("kaizar.duckdb", warehouse.catalog, linked / "kaizar.duckdb", "../data/kaizar.duckdb"):
            with duckdb.connect() as connection:
                connection.execute(f"ATTACH '{path}' AS other (READ_ONLY)")
                assert connection.execute("SELECT count(*) FROM other.daily_arrivals").fetchall() == [(3,)]

    def test_a_reader_who_holds_the_catalog_open_is_not_disturbed(self, warehouse: Warehouse):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        with duckdb.connect(warehouse.catalog) as reader:
            assert reader.execute("SELECT sum(arrivals) FROM daily_arrivals").fetchall() == [(3,)]
            warehouse.write("daily_arrivals", "north", arrivals(first=10), LINEAGE)
            warehouse.rebuild_catalog()
            assert reader.execute("SELECT sum(arrivals) FROM daily_arrivals").fetchall() == [(33,)]


@pytest.mark.unit
class TestVersions:
    """A change of one table's columns concerns its own stored files only."""

    LATER = Column("later", "DOUBLE", "A column of a later version.", nullable=True)

    def test_only_the_changed_table_is_refused_until_it_is_made_again(
        self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        for name in ("north", "south"):
            warehouse.write("daily_arrivals", name, arrivals(name), LINEAGE)
        warehouse.write("patients", "north", rows_of("patients"), LINEAGE)
        old = arrivals()
        table = change(
            monkeypatch, "daily_arrivals", version=5, columns=(*TABLES["daily_arrivals"].columns, self.LATER)
        )

        path = warehouse.path("daily_arrivals", "north")
        reason = "it holds version 4 of the table, this Kaizar reads version 5"
        with pytest.raises(DataError) as caught:
            warehouse.read("daily_arrivals", "north")
        assert str(caught.value) == f"{path}: cannot be read ({reason}); materialize daily_arrivals for north again"
        pd.testing.assert_frame_equal(warehouse.read("patients", "north"), rows_of("patients"))
        warehouse.rebuild_catalog()
        assert [reason in message for message in caplog.messages] == [True, True]
        assert in_catalog(warehouse, "SELECT hospital_id, later FROM daily_arrivals") == []
        assert len(in_catalog(warehouse, "FROM patients")) == 3

        rows = table.conform(old.assign(later=0.5), ("run_id",))
        warehouse.write("daily_arrivals", "north", rows, LINEAGE)
        pd.testing.assert_frame_equal(warehouse.read("daily_arrivals", "north"), rows)
        assert in_catalog(warehouse, "SELECT DISTINCT hospital_id, later FROM daily_arrivals") == [("north", 0.5)]

    @pytest.mark.parametrize("asset", ["forecast_log", "headline_changes"])
    def test_a_table_that_grows_keeps_its_rows_when_a_column_is_added(
        self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, asset: str
    ):
        old = rows_of(asset)
        warehouse.write(asset, "north", old, LINEAGE)
        added = [replace(self.LATER, name=f"later_{type}", type=type) for type in get_args(Type)]
        change(monkeypatch, asset, version=5, columns=(*TABLES[asset].columns, *added))
        previous = warehouse.previous(asset, "north")
        assert previous is not None
        pd.testing.assert_frame_equal(previous[old.columns], old)
        assert previous[[column.name for column in added]].isna().all(axis=None)

        warehouse.write(asset, "north", previous, LINEAGE)
        pd.testing.assert_frame_equal(warehouse.read(asset, "north"), previous)

    @pytest.mark.parametrize(
        ("columns", "reason"),
        [
            (lambda columns: (*columns, Column("later", "DOUBLE", "")), "missing column.* later"),
            (lambda columns: columns[:-1], "unknown column.* value"),
        ],
    )
    def test_rows_of_past_runs_are_not_dropped_silently(
        self, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, columns: Callable[..., Any], reason: str
    ):
        warehouse.write("patient_rejects", "north", rows_of("patient_rejects"), LINEAGE)
        change(monkeypatch, "patient_rejects", version=5, columns=columns(TABLES["patient_rejects"].columns))
        with pytest.raises(DataError, match=rf"{reason}.*cannot be computed again; restore it from a backup"):
            warehouse.previous("patient_rejects", "north")

    def test_a_table_that_was_never_made_has_no_previous_rows(self, warehouse: Warehouse):
        assert warehouse.previous("forecast_log", "north") is None

    def test_a_damaged_table_that_grows_is_not_started_again(self, warehouse: Warehouse):
        warehouse.write("forecast_log", "north", rows_of("forecast_log"), LINEAGE)
        path = warehouse.path("forecast_log", "north")
        path.write_bytes(path.read_bytes()[:3000])
        with pytest.raises(DataError, match=rf"^{path}: cannot be read .*cannot be computed again; restore it"):
            warehouse.previous("forecast_log", "north")
