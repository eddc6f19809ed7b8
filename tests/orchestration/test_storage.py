"""Stories of the warehouse: what goes in comes out, what is wrong stays out, and nothing is ever half there."""

import json
import logging
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.orchestration.storage import Lineage, Warehouse
from kaizar_pipeline.tables import SCHEMA_VERSION, TABLES, Column

AS_OF = pd.Timestamp("2026-03-02")
LINEAGE = Lineage("run-1", AS_OF, "0123456789abcdef", {"patients": "run-0"})

POINTS_OF_A_WRITE = (
    "started",
    "frame checked",
    "folder made",
    "catalog looked at",
    "leftovers removed",
    "file begun",
    "transaction begun",
    "table created",
    "rows inserted",
    "lineage inserted",
    "committed",
    "checkpointed",
    "file closed",
    "file synced",
    "replaced",
    "folder synced",
    "catalog: locked",
    "catalog: placeholders made",
    "catalog: views planned",
    "catalog: leftovers removed",
    "catalog: file begun",
    "catalog: transaction begun",
    "catalog: statements executed",
    "catalog: committed",
    "catalog: checkpointed",
    "catalog: file closed",
    "catalog: file synced",
    "catalog: replaced",
    "catalog: folder synced",
    "finished",
)


@pytest.fixture(scope="module")
def placeholders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a project without a table; copying it is quicker than making it."""
    folder = tmp_path_factory.mktemp("data")
    Warehouse(folder).rebuild_catalog()
    (folder / "kaizar.duckdb").unlink()
    return folder


@pytest.fixture
def warehouse(tmp_path: Path, placeholders: Path) -> Warehouse:
    return Warehouse(shutil.copytree(placeholders, tmp_path / "data"))


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


def in_catalog(warehouse: Warehouse, sql: str) -> list[tuple]:
    with duckdb.connect(warehouse.catalog, read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.mark.unit
class TestWritingAndReading:
    """What goes in comes out."""

    @pytest.mark.parametrize("asset", TABLES)
    def test_every_table_comes_back_as_it_was(self, warehouse: Warehouse, asset: str):
        rows = rows_of(asset)
        warehouse.write(asset, "north", rows, LINEAGE)
        pd.testing.assert_frame_equal(warehouse.read(asset, "north"), rows)

    @pytest.mark.parametrize("asset", TABLES)
    def test_a_table_without_rows_comes_back_as_it_was(self, warehouse: Warehouse, asset: str):
        rows = rows_of(asset).iloc[:0]
        warehouse.write(asset, "north", rows, LINEAGE)
        pd.testing.assert_frame_equal(warehouse.read(asset, "north"), rows)

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

    def test_lineage_says_where_a_table_comes_from(self, warehouse: Warehouse):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        assert warehouse.lineage("daily_arrivals", "north") == LINEAGE
        assert in_catalog(warehouse, "SELECT DISTINCT run_id, as_of FROM daily_arrivals") == [("run-1", AS_OF)]


@pytest.mark.unit
class TestRefusing:
    """What is wrong stays out, and what was there stays there."""

    @pytest.mark.parametrize(
        ("change", "complaint"),
        [
            (lambda f: f.assign(hospital_id="south"), "hospital_id is south where north is due"),
            (lambda f: f.assign(as_of=pd.Timestamp("2026-03-01")), "as_of is 2026-03-01 00:00:00 where 2026-03-02"),
            (lambda f: f.assign(arrivals=[1, 2, 1.7]), r"column arrivals \(INTEGER\): holds a value that is no .*1.7"),
            (lambda f: f.drop(columns="observed"), r"missing column\(s\) observed"),
            (lambda f: f.assign(beds=1), r"unknown column\(s\) beds"),
            (lambda f: pd.concat([f, f]), r"3 row\(s\) repeat a key"),
            (lambda f: f.assign(arrivals=[1, None, 2]), "column arrivals: 1 empty value"),
        ],
    )
    def test_a_frame_that_does_not_fit(
        self, warehouse: Warehouse, change: Callable[[pd.DataFrame], pd.DataFrame], complaint: str
    ):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        before = warehouse.path("daily_arrivals", "north").read_bytes()
        with pytest.raises(DataError, match=complaint):
            warehouse.write("daily_arrivals", "north", change(arrivals(first=5)), LINEAGE)
        assert warehouse.path("daily_arrivals", "north").read_bytes() == before

    def test_a_write_that_fails_on_the_way_leaves_the_old_table_and_no_litter(self, tmp_path: Path):
        Warehouse(tmp_path).write("daily_arrivals", "north", arrivals(), LINEAGE)

        def disk_full(step: str) -> None:
            if step == "rows inserted":
                raise OSError("no space left on device")

        with pytest.raises(OSError, match="no space left"):
            Warehouse(tmp_path, on_step=disk_full).write("daily_arrivals", "north", arrivals(first=5), LINEAGE)
        pd.testing.assert_frame_equal(Warehouse(tmp_path).read("daily_arrivals", "north"), arrivals())
        assert [path.name for path in Warehouse(tmp_path).path("daily_arrivals", "north").parent.iterdir()] == [
            "data.duckdb"
        ]

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

    def test_a_file_of_another_schema_version(self, warehouse: Warehouse):
        warehouse.write("daily_arrivals", "north", arrivals(), replace(LINEAGE, schema_version=SCHEMA_VERSION + 1))
        with pytest.raises(DataError, match=f"has schema version {SCHEMA_VERSION + 1}, this version of Kaizar reads"):
            warehouse.read("daily_arrivals", "north")

    def test_inputs_of_different_days_name_the_stale_one(self, warehouse: Warehouse):
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


@pytest.mark.unit
class TestCatalog:
    """One door to all tables of all hospitals, whatever the state of single files."""

    def test_every_view_works_before_there_is_anything(self, warehouse: Warehouse):
        warehouse.rebuild_catalog()
        for table in TABLES.values():
            columns = in_catalog(warehouse, f'SELECT column_name, column_type FROM (DESCRIBE FROM "{table.name}")')
            assert columns == [(column.name, column.type) for column in table.columns]
            assert in_catalog(warehouse, f'FROM "{table.name}"') == []

    def test_hospitals_show_up_and_go_without_a_rebuild(self, warehouse: Warehouse):
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

    def test_a_folder_with_awkward_characters(self, tmp_path: Path):
        warehouse = Warehouse(tmp_path / "Zoë's [new] data*")
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        assert in_catalog(warehouse, "SELECT count(*) FROM daily_arrivals") == [(3,)]
        pd.testing.assert_frame_equal(warehouse.read("daily_arrivals", "north"), arrivals())

    @pytest.mark.parametrize("hospital_id", ["a-first", "z-last"])
    def test_a_damaged_file_is_named_and_left_out_until_it_is_whole_again(
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

    def test_a_file_of_another_schema_version_is_named_and_left_out(
        self, warehouse: Warehouse, caplog: pytest.LogCaptureFixture
    ):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        newer = replace(LINEAGE, schema_version=SCHEMA_VERSION + 1)
        warehouse.write("daily_arrivals", "south", arrivals("south"), newer)
        with caplog.at_level(logging.WARNING):
            warehouse.rebuild_catalog()
        assert [f"has schema version {SCHEMA_VERSION + 1}" in r.getMessage() for r in caplog.records] == [True]
        assert in_catalog(warehouse, "SELECT DISTINCT hospital_id FROM daily_arrivals") == [("north",)]

    def test_a_reader_who_holds_the_catalog_open_is_not_disturbed(self, warehouse: Warehouse):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        with duckdb.connect(warehouse.catalog) as reader:
            assert reader.execute("SELECT sum(arrivals) FROM daily_arrivals").fetchall() == [(3,)]
            warehouse.write("daily_arrivals", "north", arrivals(first=10), LINEAGE)
            warehouse.rebuild_catalog()
            assert reader.execute("SELECT sum(arrivals) FROM daily_arrivals").fetchall() == [(33,)]


@pytest.fixture(scope="module")
def doomed_writer() -> Iterator[subprocess.Popen[str]]:
    """A process that writes a table in a child and kills it at a named point."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("doomed_writer.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()


@pytest.mark.integration
class TestKilling:
    """A process that is killed leaves every table old or new, whole."""

    def test_these_are_the_points_that_a_write_passes(self, tmp_path: Path):
        passed: list[str] = []
        Warehouse(tmp_path, on_step=passed.append).write("daily_arrivals", "north", arrivals(), LINEAGE)
        assert passed == list(POINTS_OF_A_WRITE)
        assert len(passed) >= 20

    @pytest.mark.parametrize("point", POINTS_OF_A_WRITE)
    def test_killed_at(self, tmp_path: Path, warehouse: Warehouse, doomed_writer: subprocess.Popen[str], point: str):
        old, new, next_one = arrivals(), arrivals(first=100, days=200), arrivals(first=50)
        warehouse.write("patients", "north", rows_of("patients"), LINEAGE)
        warehouse.write("daily_arrivals", "north", old, LINEAGE)
        warehouse.catalog.unlink()  # so that the write rebuilds it

        table = tmp_path / "table.pickle"
        table.write_bytes(pickle.dumps(("daily_arrivals", "north", new, replace(LINEAGE, run_id="run-2"))))
        assert doomed_writer.stdin
        assert doomed_writer.stdout
        print(json.dumps([str(warehouse.folder), point, str(table)]), file=doomed_writer.stdin, flush=True)
        assert doomed_writer.stdout.readline().strip() == "SIGKILL"

        is_new = POINTS_OF_A_WRITE.index(point) >= POINTS_OF_A_WRITE.index("replaced")
        found = Warehouse(warehouse.folder)
        pd.testing.assert_frame_equal(found.read("daily_arrivals", "north"), new if is_new else old)
        assert found.lineage("daily_arrivals", "north").run_id == ("run-2" if is_new else "run-1")
        pd.testing.assert_frame_equal(found.read("patients", "north"), rows_of("patients"))

        found.write("daily_arrivals", "north", next_one, LINEAGE)
        pd.testing.assert_frame_equal(found.read("daily_arrivals", "north"), next_one)
        assert in_catalog(found, "SELECT sum(arrivals) FROM daily_arrivals") == [(153,)]
        assert [file.name for file in found.path("daily_arrivals", "north").parent.iterdir()] == ["data.duckdb"]
        assert sorted(file.name for file in found.folder.iterdir()) == ["kaizar.duckdb", "warehouse"]


@pytest.mark.integration
class TestLock:
    """One run per hospital; a second one waits; death frees the lock."""

    HOLDER = """
import sys, time
from pathlib import Path
from kaizar_pipeline.orchestration.storage import Warehouse
with Warehouse(Path(sys.argv[1])).lock("north"):
    sys.stdout.write("held\\n"); sys.stdout.flush()
    time.sleep(60)
"""

    @pytest.fixture
    def holder(self, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [sys.executable, "-c", self.HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
            process.kill()

    def test_a_second_run_waits_until_the_first_one_dies(
        self, tmp_path: Path, holder: subprocess.Popen[str], caplog: pytest.LogCaptureFixture
    ):
        second = subprocess.Popen([sys.executable, "-c", self.HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        with second:
            time.sleep(3)
            assert second.poll() is None
            holder.send_signal(signal.SIGKILL)
            assert second.stdout
            assert second.stdout.readline() == "held\n"
            second.kill()

    def test_another_hospital_does_not_wait(
        self, tmp_path: Path, holder: subprocess.Popen[str], caplog: pytest.LogCaptureFixture
    ):
        with caplog.at_level(logging.INFO), Warehouse(tmp_path).lock("south"):
            assert caplog.messages == []

    def test_waiting_is_said(self, tmp_path: Path, holder: subprocess.Popen[str], caplog: pytest.LogCaptureFixture):
        def die(record: logging.LogRecord) -> bool:
            holder.kill()
            return True

        log = logging.getLogger("test_waiting_is_said")
        log.addFilter(die)
        with caplog.at_level(logging.INFO), Warehouse(tmp_path, log).lock("north"):
            assert caplog.messages == ["another run of north is under way; waiting for it to end"]


def test_what_a_growing_table_held_so_far(tmp_path: Path):
    warehouse = Warehouse(tmp_path)
    assert warehouse.previous("patient_rejects", "h") is None
    rows = pd.DataFrame(
        {"row": [1], "reason": ["missing id"], "field": ["id"], "value": [None], "extract": ["patients"]}
    )
    rejects = TABLES["patient_rejects"]
    names = [name for name in rejects.column_names if name not in ("hospital_id", "run_id", "as_of")]
    frame = rejects.frame(rows.reindex(columns=names), hospital_id="h", as_of=AS_OF)
    warehouse.write("patient_rejects", "h", frame, replace(LINEAGE, schema_version=SCHEMA_VERSION + 1))
    previous = warehouse.previous("patient_rejects", "h")
    assert previous is not None
    pd.testing.assert_frame_equal(previous, frame)  # whatever the schema version, as long as its columns are the same
    path = warehouse.path("patient_rejects", "h")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match="cannot be made again; bring the file back"):
        warehouse.previous("patient_rejects", "h")
