"""Run a hospital's assets through Dagster's API, in this process, and report it as plain events.

There is no child process that could outlive its parent. Dagster works on a second thread, so that the first one is free
to receive signals: a caller that stops listening is to end its process, which ends the run. Every table is written
wholly or not at all, and the operating system frees the lock of the hospital.
"""

import fcntl
import logging
import os
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any
from uuid import uuid4

import dagster as dg
from dagster import DagsterEventType as Type
from dagster._core.instance import InstanceRef
from sqlalchemy.exc import DBAPIError

from kaizar_pipeline.errors import ConfigError, DataError

HOSPITAL_TAG = "kaizar/hospital"
"""The tag of runs that names their hospital, on pages that show no partition."""

_NO_CAPTURE = {
    "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
}
"""Dagster would send what this process prints through a file and processes that read it."""

_BARE_NAME = re.compile(r"""(?<![\w:"*])(?!(?:and|or|not)\b)[a-z]\w*\b(?![\w:"*(])""")
"""A table's name without `key:`. Dagster reads it by an older grammar, in which NAME+ is one step and `or` unknown."""


class Kind(Enum):
    """What an event is about."""

    STEP = auto()
    """A step starts."""
    INFO = auto()
    """A line of the log."""
    WARNING = auto()
    """A warning of the log or of a check."""
    CHECK = auto()
    """A failed check that stops the run."""
    FAILURE = auto()
    """A failure with a message that says what to do."""
    BUG = auto()
    """A failure that nobody foresaw."""
    DONE = auto()
    """The run has ended well; it is the last event."""


@dataclass(frozen=True)
class Event:
    """Something that happens in a run."""

    kind: Kind
    message: str


def _storage_error(error: object) -> DataError:
    home = Path(os.environ["DAGSTER_HOME"])
    return DataError(
        f"Dagster's storage in {home} cannot be used ({str(error).splitlines()[0]}); make it writable, with free space "
        f"on its disk, or move {home / '.dagster'} away to start a new history of runs (the tables in data/ stay)"
    )


@contextmanager
def open_instance() -> Iterator[dg.DagsterInstance]:
    """Dagster's storage as DAGSTER_HOME says.

    One process at a time opens it: several that create it at once fail in Dagster's migrations. Raises DataError when
    it cannot be opened.
    """
    home = Path(os.environ["DAGSTER_HOME"])
    try:
        (home / ".dagster").mkdir(parents=True, exist_ok=True)
        with (home / ".dagster" / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            instance = dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=_NO_CAPTURE))
    except Exception as error:
        raise _storage_error(error) from error
    with instance:
        yield instance


def run(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    hospital: str,
    select: str | None = None,
    run_config: Mapping[str, Any] | None = None,
) -> Generator[Event]:
    """Materialize all assets of the hospital, or those that `select` names, and report each event as it happens.

    The run ends as DONE, or with a FAILURE or BUG. If the caller closes the iterator earlier, Dagster's storage records
    the run as canceled. Raises ConfigError for a selection that Dagster does not understand or that is empty, and
    DataError when Dagster's storage fails on the way.
    """
    # a check that had nothing to look at is in the log already, by a line of ours
    logging.getLogger("dagster._core.execution.plan.active").setLevel(logging.ERROR)
    job = definitions.resolve_implicit_global_asset_job_def()
    assets = _selected(definitions, select)
    run_id = str(uuid4())
    events: SimpleQueue[Event | BaseException | None] = SimpleQueue()
    instance.add_event_listener(run_id, lambda entry: events.put(event) if (event := _event(entry)) else None)

    def execute() -> None:
        try:
            job.execute_in_process(
                run_config, instance, hospital, raise_on_error=False, asset_selection=assets, run_id=run_id,
                tags={HOSPITAL_TAG: hospital},
            )  # fmt: skip
            events.put(None)
        except BaseException as error:  # of Dagster, before or after the run itself
            events.put(error)

    Thread(target=execute, name=f"run of {hospital}", daemon=True).start()
    ended = False
    try:
        while event := events.get():
            if isinstance(event, BaseException):
                ended = True
                if isinstance(event, DBAPIError):
                    raise _storage_error(event) from event
                raise event
            yield event
        ended = True
    finally:
        started = None if ended else instance.get_run_by_id(run_id)
        if started and not started.is_finished:
            instance.report_run_canceled(started, f"The process that ran {hospital} was told to end.")


def overrides_config(overrides: Mapping[str, str | int], verbose: bool) -> dict[str, Any]:
    """Run config with the settings of one run; Dagster's own lines reach the screen only if `verbose`."""
    return {
        "resources": {"overrides": {"config": dict(overrides)}},
        "loggers": {"console": {"config": {"log_level": "DEBUG" if verbose else "CRITICAL"}}},
    }


def _selected(definitions: dg.Definitions, select: str | None) -> list[dg.AssetKey]:
    """The assets of a selection, by default all tables; the files before them are observed by the session."""
    graph = definitions.resolve_asset_graph()
    tables = graph.materializable_asset_keys
    if select is None:
        return sorted(tables)
    try:
        selection = dg.AssetSelection.from_string(_BARE_NAME.sub(r"key:\g<0>", select))
        found = tables & selection.resolve(graph)
    except (dg.DagsterError, NotImplementedError):
        found = set()
    if not found:
        raise ConfigError(
            f"--select: {select!r} selects no table; allowed: NAME, NAME+ (and all that depends on it), +NAME (and all "
            f"that it depends on), NAME or NAME; names: {', '.join(sorted(key.path[-1] for key in tables))}"
        )
    return sorted(found)


def _event(entry: dg.EventLogEntry) -> Event | None:
    """What a listener is told of an entry of Dagster's event log; None for most of them."""
    event = entry.dagster_event
    if event is None:  # a line of the log; errors are Dagster's own, about steps that a failure keeps from running
        kinds = {logging.INFO: Kind.INFO, logging.WARNING: Kind.WARNING}
        if entry.user_message.startswith("op '"):  # Dagster's line on a check with nothing to look at; ours says it
            return None
        return Event(kinds[entry.level], entry.user_message) if entry.level in kinds else None
    match event.event_type:
        case Type.STEP_START:
            return Event(Kind.STEP, str(event.step_key))
        case Type.ASSET_CHECK_EVALUATION:
            return _check(event.asset_check_evaluation_data)
        case Type.STEP_FAILURE:
            return _step_failure(event.step_failure_data)
        case Type.RUN_FAILURE if not event.job_failure_data.first_step_failure_event:
            error = event.job_failure_data.error
            return Event(Kind.BUG, _first_cause(error) if error else str(event.message))
        case Type.RUN_SUCCESS:
            return Event(Kind.DONE, "done")
        case _:
            return None


def _check(check: dg.AssetCheckEvaluation) -> Event | None:
    if check.passed:
        return None
    warns = check.severity == dg.AssetCheckSeverity.WARN
    found = check.description or ", ".join(f"{name} {value.value}" for name, value in check.metadata.items())
    message = f"{check.asset_key.to_user_string()}: check {check.check_name} {'warns' if warns else 'failed'}: {found}"
    return Event(Kind.WARNING if warns else Kind.CHECK, " ".join(message.split()))


def _step_failure(failure: Any) -> Event:
    if known := failure.user_failure_data:
        return Event(Kind.FAILURE, known.description)
    cause = _first_cause(failure.error)
    if cause.startswith("sqlite3."):  # nothing else in a step uses SQLite
        return Event(Kind.FAILURE, str(_storage_error(cause)))
    return Event(Kind.BUG, cause)


def _first_cause(error: Any) -> str:
    while error.cause:
        error = error.cause
    return str(error.message).strip()
