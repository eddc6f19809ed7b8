"""A hospital's history up to `as_of`, whatever its source; the only module of the project that looks at the clock.

A new source of patients is three things: a config model (a `PatientSource`), a function that opens it (a `Source`), and
its line in `SOURCES`. A new kind of extract needs a reader of text only (`patients.extracts.READERS`).
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import PatientSource, SyntheticPatients
from kaizar_pipeline.config.snapshot import as_of_at, shown
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.history.synthetic import open_synthetic
from kaizar_pipeline.patients.extracts import READERS
from kaizar_pipeline.patients.records import Records, open_records

AS_OF_VARIABLE = "KAIZAR_AS_OF"
"""Names the environment variable that holds the default of `as_of`; `load_history` alone reads it."""

_log = logging.getLogger(__name__)

Source = Callable[
    [HospitalConfig, Path | None, pd.Timestamp], AbstractContextManager[Callable[[pd.Timestamp | None], Records]]
]
"""Opens a hospital's patients and ward stays, from its config, the folder that paths are relative to, and the local
time now. The function says what is known at an as_of (None: the latest instant up to now, at the hour of the config's
snapshot, to which the data are complete)."""

SOURCES: Mapping[type[PatientSource], Source] = {
    SyntheticPatients: open_synthetic,
    **dict.fromkeys(READERS, open_records),
}
"""The source for each type of the config's `patients`."""


@dataclass(frozen=True)
class History(Records):
    """All that is known of a hospital at `as_of`, as tables."""

    days_behind: int = field(kw_only=True)
    """Days from as_of to today in the hospital's time zone; negative for an as_of in the future."""


def load_history(config: HospitalConfig, home: Path | None = None, as_of: date | str | None = None) -> History:
    """The history of `config` up to `as_of`, with paths relative to `home` (default: see `find_home`).

    `as_of` is a date, which means the hour `simulation.snapshot` of it, or a date and full hour, or the ISO text of
    either, by default that in KAIZAR_AS_OF; without one, the latest such hour up to now for a synthetic hospital, and
    for an extract the latest that its arrivals reach (at midnight: the first day that is not complete in it). An
    extract further behind than `max_age_days` is warned of.
    Raises ConfigError when as_of is none of these or an hour that the clocks skip, and DataError when there are no data
    before it, or the extract ends before it, has no times of day for it or cannot be used.
    """
    with open_history(config, home) as history_at:
        return history_at(as_of)


@contextmanager
def open_history(config: HospitalConfig, home: Path | None = None) -> Iterator[Callable[[date | str | None], History]]:
    """`load_history` for several as_of: an extract is read once, and stays in memory inside the context. The function
    can be called from several threads."""
    now = pd.Timestamp.now(config.hospital.timezone).tz_localize(None).as_unit("us")
    with SOURCES[type(config.patients)](config, home, now) as records_at:

        def at(as_of: date | str | None) -> History:
            requested = _requested(config, as_of)
            records = records_at(requested)
            history = History(**vars(records), days_behind=(now.normalize() - records.as_of.normalize()).days)
            _check_age(config, history, requested)
            return history

        yield at


def _check_age(config: HospitalConfig, history: History, requested: pd.Timestamp | None) -> None:
    max_age = config.patients.max_age_days
    if requested is not None:
        _check_end(config, history)
    elif max_age is not None and history.days_behind > max_age:
        _log.warning(
            "hospital %s: the extract ends %d days ago (as_of %s), more than max_age_days (%d): the forecast is stale",
            config.id, history.days_behind, shown(history.as_of), max_age,
        )  # fmt: skip


def load_patients(config: HospitalConfig, home: Path | None = None, as_of: date | str | None = None) -> pd.DataFrame:
    """The `patients` of `load_history`."""
    return load_history(config, home, as_of).patients


def _requested(config: HospitalConfig, as_of: date | str | None) -> pd.Timestamp | None:
    where, value = "as_of", as_of
    if value is None:
        where, value = AS_OF_VARIABLE, os.environ.get(AS_OF_VARIABLE) or None
    if value is None:
        return None
    return as_of_at(where, value, config.simulation.snapshot, config.hospital.timezone)


def _check_end(config: HospitalConfig, history: History) -> None:
    """Days without arrivals may be empty; a week of them, or days after `complete_through`, are not in the extract."""
    if history.latest_as_of is not None and history.as_of > history.latest_as_of:
        raise DataError(
            f"hospital {config.id}: as_of {shown(history.as_of)} lies beyond the data: the last arrival is of "
            f"{history.patients['arrival'].max():%Y-%m-%d}; choose an as_of up to {shown(history.latest_as_of)}, or "
            "provide a newer extract"
        )
