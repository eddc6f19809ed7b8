"""Writes that are killed or interrupted, and runs that wait for each other."""

import json
import logging
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from stored_tables import LINEAGE, arrivals, files_beside, in_catalog, only, rows_of

from kaizar_pipeline.orchestration.storage import Warehouse

TWO = ("patients", "daily_arrivals")
"""The tables that the killed process knows."""


def contents(folder: Path) -> frozenset[tuple[str, bytes]]:
    """Names and bytes of all files; the process that left a temporary file is not told apart from others."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return frozenset((re.sub(r"\d+(?=\.tmp)", "", f"{path.relative_to(folder)}"), path.read_bytes()) for path in files)


@pytest.fixture(scope="module")
def doomed_writer() -> Iterator[subprocess.Popen[str]]:
    """A process that writes a table in a child, which is killed or interrupted on the way."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("doomed_writer.py")), *TWO],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()


@pytest.mark.integration
class TestKilling:
    """A process that is killed or interrupted leaves every table old or new, whole."""

    OLD, NEW, NEXT = arrivals(), arrivals(first=100, days=200), arrivals(first=50)

    @pytest.fixture
    def end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, doomed_writer: subprocess.Popen[str]
    ) -> Callable[..., tuple[Warehouse, str, bool]]:
        """Has a warehouse written to by a process that is ended; returns how it ended and whether the table is new."""
        only(monkeypatch, TWO)
        monkeypatch.setattr("os.fsync", lambda handle: None)  # of this process, which nobody kills
        task = tmp_path / "task.pickle"
        task.write_bytes(pickle.dumps(("daily_arrivals", "north", self.NEW, replace(LINEAGE, run_id="run-2"))))
        before = Warehouse(tmp_path / "before")
        before.write("patients", "north", rows_of("patients"), LINEAGE)
        before.write("daily_arrivals", "north", self.OLD, LINEAGE)
        before.catalog.unlink()  # so that the write rebuilds it
        folder = tmp_path / "data"

        def run(signal_name: str, call: int | None = None, seconds: float | None = None):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(before.folder, folder)
            assert doomed_writer.stdin
            assert doomed_writer.stdout
            request = [str(folder), str(task), signal_name, call, seconds]
            print(json.dumps(request), file=doomed_writer.stdin, flush=True)
            ending = doomed_writer.stdout.readline().strip()
            found = Warehouse(folder)
            is_new = found.lineage("daily_arrivals", "north").run_id == "run-2"
            return found, ending, is_new

        return run

    def check(self, found: Warehouse, is_new: bool) -> None:
        """The table is whole, the other one untouched, and the next write works and cleans up."""
        pd.testing.assert_frame_equal(found.read("daily_arrivals", "north"), self.NEW if is_new else self.OLD)
        pd.testing.assert_frame_equal(found.read("patients", "north"), rows_of("patients"))
        found.write("daily_arrivals", "north", self.NEXT, LINEAGE)
        pd.testing.assert_frame_equal(found.read("daily_arrivals", "north"), self.NEXT)
        assert in_catalog(found, "SELECT sum(arrivals) FROM daily_arrivals") == [(153,)]
        assert files_beside(found.path("daily_arrivals", "north")) == ["data.duckdb"]
        assert files_beside(found.catalog) == ["kaizar.duckdb", "warehouse"]

    @pytest.mark.parametrize("signal_name", ["SIGKILL", "SIGINT"])
    def test_before_every_file_system_call(
        self,
        end: Callable[..., tuple[Warehouse, str, bool]],
        record_testsuite_property: Callable[[str, object], None],
        signal_name: str,
    ):
        states, checked = [], set()
        for call in range(1000):
            found, ending, is_new = end(signal_name, call=call)
            if signal_name == "SIGINT":
                assert files_beside(found.path("daily_arrivals", "north")) == ["data.duckdb"]
                assert not [*found.folder.glob("*.tmp*")]
                with found.lock("north"):
                    pass
            if (left := contents(found.folder)) not in checked:  # the same bytes need no second check
                checked.add(left)
                self.check(found, is_new)
            if ending == "finished":
                break
            assert ending == {"SIGKILL": "killed", "SIGINT": "interrupted"}[signal_name]
            states.append(is_new)
        record_testsuite_property("ends", len(states))
        assert states == sorted(states)  # old up to one call, new from then on
        assert states.count(False) > 5
        assert states.count(True) > 5

    def test_at_any_time(
        self, end: Callable[..., tuple[Warehouse, str, bool]], record_testsuite_property: Callable[[str, object], None]
    ):
        record_testsuite_property("ends", 12)
        begun = time.monotonic()
        end("SIGKILL")
        duration = time.monotonic() - begun
        for part in range(12):
            found, _, is_new = end("SIGKILL", seconds=duration * part / 10)
            self.check(found, is_new)


@pytest.mark.integration
class TestLock:
    """One run per hospital; a second one waits; the end of a process frees the lock."""

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

    def test_waiting_is_logged(self, tmp_path: Path, holder: subprocess.Popen[str], caplog: pytest.LogCaptureFixture):
        def die(record: logging.LogRecord) -> bool:
            holder.kill()
            return True

        log = logging.getLogger("test_waiting_is_logged")
        log.addFilter(die)
        with caplog.at_level(logging.INFO), Warehouse(tmp_path, log).lock("north"):
            assert caplog.messages == ["another run of north is under way; waiting for it to end"]
