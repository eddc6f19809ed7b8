"""Files that are damaged, or cannot be written: each is named with a remedy, and other hospitals go on."""

import resource
from dataclasses import replace
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from stored_tables import LINEAGE, arrivals, files_beside, in_catalog, rewritten, rows_of

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.orchestration.storage import Warehouse


@pytest.mark.unit
class TestWriting:
    """What the operating system refuses leaves every table as it was."""

    @pytest.mark.parametrize("limit", [0, 20_000, 61_000, 100_000])
    def test_a_limit_that_is_reached_is_named_with_the_folder_and_leaves_no_temporary_file(
        self, warehouse: Warehouse, limit: int
    ):
        """A full disk differs by the words of the operating system only, and needs a disk of its own."""
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        path = warehouse.path("daily_arrivals", "north")
        before = path.read_bytes()
        rows = arrivals(days=30_000, as_of=pd.Timestamp("2200-01-01"))
        former = resource.getrlimit(resource.RLIMIT_FSIZE)  # Python ignores the signal that comes with it
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, former[1]))
        try:
            with pytest.raises(DataError) as caught:
                warehouse.write("daily_arrivals", "north", rows, replace(LINEAGE, as_of=pd.Timestamp("2200-01-01")))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, former)
        assert str(caught.value).startswith(f"{path}: cannot be written (")
        assert str(caught.value).endswith(
            "File too large); nothing was changed; a limit of the size of files is too low: raise that of the user "
            f"(ulimit -f) or of {path.parent}"
        )
        assert path.read_bytes() == before
        assert files_beside(path) == ["data.duckdb"]

    def test_a_data_folder_that_cannot_be_written_names_the_remedy(self, tmp_path: Path):
        (tmp_path / "data").write_text("a file in place of the folder")
        warehouse = Warehouse(tmp_path / "data")
        for act in (
            warehouse.rebuild_catalog,
            lambda: warehouse.write("patients", "north", rows_of("patients"), LINEAGE),
        ):
            with pytest.raises(
                DataError, match=r"data/warehouse/.*: cannot be written .*; move away what stands in its"
            ):
                act()


@pytest.mark.unit
class TestCatalog:
    """A file that cannot be read is left out."""

    @pytest.mark.parametrize("part", [0.4, 0.75])
    def test_one_flipped_bit_is_named_and_left_out_until_the_table_is_written_again(
        self, warehouse: Warehouse, caplog: pytest.LogCaptureFixture, part: float
    ):
        """Until the catalog is rebuilt, as each run does first, only queries of all hospitals fail."""
        as_of = pd.Timestamp("2200-01-01")
        lineage = replace(LINEAGE, as_of=as_of)
        for name in ("north", "south", "west"):
            warehouse.write("daily_arrivals", name, arrivals(name, days=20_000, as_of=as_of), lineage)
        path = warehouse.path("daily_arrivals", "south")
        damaged = bytearray(path.read_bytes())
        damaged[int(len(damaged) * part)] ^= 1
        path.write_bytes(damaged)
        rows = (
            "SELECT hospital_id, sum(hash(daily_arrivals)) > 0, count(*) FROM daily_arrivals{} GROUP BY ALL ORDER BY 1"
        )
        others = [("north", True, 20_000), ("west", True, 20_000)]
        assert in_catalog(warehouse, rows.format(" WHERE hospital_id <> 'south'")) == others
        with pytest.raises(duckdb.Error, match="Corrupt database file"):
            in_catalog(warehouse, rows.format(""))

        warehouse.rebuild_catalog()
        (message,) = caplog.messages
        assert message.startswith(f"{path}: cannot be read (Corrupt database file")
        assert message.endswith("); materialize daily_arrivals for south again. Left out of the catalog until then")
        assert in_catalog(warehouse, rows.format("")) == others

        warehouse.write("daily_arrivals", "south", arrivals("south"), LINEAGE)
        assert in_catalog(warehouse, rows.format("")) == [others[0], ("south", True, 3), others[1]]

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ("DROP admitted", "admitted"),
            ("ALTER observed TYPE VARCHAR USING 'maybe'", "maybe"),
        ],
    )
    def test_a_file_with_other_columns_does_not_stop_the_other_hospitals(
        self, warehouse: Warehouse, caplog: pytest.LogCaptureFixture, change: str, reason: str
    ):
        for name in ("north", "south"):
            warehouse.write("daily_arrivals", name, arrivals(name), LINEAGE)
        path = warehouse.path("daily_arrivals", "south")
        rewritten(path, f"ALTER TABLE daily_arrivals {change}")
        warehouse.rebuild_catalog()
        (message,) = caplog.messages
        assert message.startswith(f"{path}: cannot be read (")
        assert reason in message
        assert "materialize daily_arrivals for south again" in message
        assert in_catalog(warehouse, "SELECT DISTINCT hospital_id FROM daily_arrivals") == [("north",)]

    def test_a_damaged_file_without_rows_is_made_anew(self, warehouse: Warehouse, caplog: pytest.LogCaptureFixture):
        warehouse.write("daily_arrivals", "north", arrivals(), LINEAGE)
        path = warehouse.path("daily_arrivals", "")
        for content in (b"not a database", path.read_bytes()[:30_000]):
            path.write_bytes(content)
            warehouse.rebuild_catalog()
            assert in_catalog(warehouse, "SELECT count(*) FROM daily_arrivals") == [(3,)]
        assert caplog.messages == []
