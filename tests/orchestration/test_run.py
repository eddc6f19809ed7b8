"""The events of a run, told of a small asset graph that is not ours."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag

import dagster as dg
import pytest

from kaizar_pipeline.errors import ConfigError, DataError
from kaizar_pipeline.orchestration.run import Event, Kind, open_instance, run

pytestmark = pytest.mark.integration

PARTITIONS = dg.StaticPartitionsDefinition(["one"])
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dg.asset(partitions_def=PARTITIONS, check_specs=[dg.AssetCheckSpec("recent", asset="first")])
def first(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    context.log.info("reading")
    context.log.debug("not shown")
    stale = dg.AssetCheckResult(
        passed=False, check_name="recent", severity=dg.AssetCheckSeverity.WARN, metadata={"days behind": 9}
    )
    return dg.MaterializeResult(check_results=[stale])


@dg.asset(partitions_def=PARTITIONS, deps=[first])
def refused() -> None:
    raise dg.Failure("row 3 has no arrival", allow_retries=False)


@dg.asset(partitions_def=PARTITIONS, deps=[first])
def broken() -> None:
    raise ValueError("a bug")


@dg.asset(partitions_def=PARTITIONS, deps=[refused])
def last() -> None:
    """Is never made."""


DEFINITIONS = dg.Definitions([first, refused, broken, last])
FIRST = [
    Event(Kind.STEP, "first"),
    Event(Kind.INFO, "reading"),
    Event(Kind.WARNING, "first: check recent warns: days behind 9"),
]


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\nnux: {enabled: false}\n")
    with open_instance() as found:
        yield found


def events(instance: dg.DagsterInstance, select: str | None = None) -> list[Event]:
    return list(run(DEFINITIONS, instance, "one", select, QUIET))


def test_a_run_that_succeeds_ends_as_done(instance: dg.DagsterInstance):
    assert events(instance, "first") == [*FIRST, Event(Kind.DONE, "done")]
    (stored,) = instance.get_runs()
    assert stored.status is dg.DagsterRunStatus.SUCCESS
    assert stored.tags["dagster/partition"] == "one"


def test_a_selection_reaches_all_that_depends_on_a_table(instance: dg.DagsterInstance):
    assert [event.message for event in events(instance, "+last")] == [event.message for event in FIRST] + [
        "refused",
        "row 3 has no arrival",
    ]


def test_a_failure_is_its_message_and_a_bug_its_exception(instance: dg.DagsterInstance):
    assert events(instance, "first or refused+") == [
        *FIRST,
        Event(Kind.STEP, "refused"),
        Event(Kind.FAILURE, "row 3 has no arrival"),
    ]
    assert events(instance, "broken") == [Event(Kind.STEP, "broken"), Event(Kind.BUG, "ValueError: a bug")]


@pytest.mark.parametrize("select", ["nothing", "first or"])
def test_a_selection_of_nothing_is_refused_with_the_names(instance: dg.DagsterInstance, select: str):
    with pytest.raises(ConfigError, match=f"--select: '{select}' selects no table; .*broken, first, last, refused"):
        events(instance, select)


def test_a_run_nobody_listens_to_any_more_is_recorded_as_canceled(instance: dg.DagsterInstance):
    go_on = Flag()

    @dg.asset(partitions_def=PARTITIONS)
    def slow() -> None:
        go_on.wait(60)

    told = run(dg.Definitions([slow]), instance, "one", run_config=QUIET)
    assert next(told) == Event(Kind.STEP, "slow")
    told.close()
    (stored,) = instance.get_runs()
    assert stored.status is dg.DagsterRunStatus.CANCELED
    go_on.set()


@pytest.mark.parametrize("damaged", ["runs.db", "runs/index.db"])
def test_damaged_storage_ends_in_one_message(tmp_path: Path, instance: dg.DagsterInstance, damaged: str):
    """The first page is whole, so that it can be opened."""
    assert events(instance, "first")[-1] == Event(Kind.DONE, "done")
    file = tmp_path / "history" / damaged
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with pytest.raises(
        DataError, match=r"Dagster's storage in .* cannot be used .*malformed\); make it writable, .* or mov"
    ):
        events(instance, "first")


def test_processes_that_create_the_storage_at_once_all_get_it(tmp_path: Path):
    code = """
import os, sys
from kaizar_pipeline.orchestration.run import open_instance
go_on, wait = os.pipe()
children = []
for _ in range(4):
    if not (child := os.fork()):
        os.close(wait)
        os.read(go_on, 1)
        with open_instance() as instance:
            assert instance.get_runs() == []
        os._exit(0)
    children.append(child)
os.close(wait)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""
    environment = os.environ | {"DAGSTER_HOME": str(tmp_path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=200, check=False).returncode == 0


def test_storage_that_cannot_be_opened_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / ".dagster").write_text("a file in place of the folder")
    with (
        pytest.raises(DataError, match=r"Dagster's storage in .* cannot be used .*; make it writable, .* or move"),
        open_instance(),
    ):
        pass
