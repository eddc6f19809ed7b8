"""A hospital's history up to `as_of`, whatever its source; the only module of the project that looks at the clock.

A new source of patients is three things: a config model (a `PatientSource`), a function that opens it (a `Source`), and
its line in `SOURCES`. A new kind of extract needs a reader of text only (`patients.extracts.READERS`).
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import PatientSource, SyntheticPatients
from kaizar_pipeline.errors import ConfigError, DataError
from kaizar_pipeline.history.synthetic import open_synthetic
from kaizar_pipeline.patients.extracts import READERS
from kaizar_pipeline.patients.records import Records, open_records

AS_OF_VARIABLE = "KAIZAR_AS_OF"
"""Names the environment variable that holds the default of `as_of`; `load_history` alone reads it."""

_log = logging.getLogger(__name__)

Source = Callable[
    [HospitalConfig, Path | None, pd.Timestamp], AbstractContextManager[Callable[[pd.Timestamp | None], Records]]
]
"""Opens a hospital's patients and ward stays, from its config, the folder that paths are relative to, and today. The
function says what is known at an as_of (None: the latest midnight up to today to which the data are complete)."""

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

    `as_of` is a date or its ISO text, by default that in KAIZAR_AS_OF; without one, today for a synthetic hospital, and
    for an extract the first day that is not complete in it. An extract further behind than `max_age_days` is warned of.
    Raises ConfigError when as_of is not a date, and DataError when there are no data before it, or the extract ends
    before it or cannot be used.
    """
    with open_history(config, home) as history_at:
        return history_at(as_of)


@contextmanager
def open_history(config: HospitalConfig, home: Path | None = None) -> Iterator[Callable[[date | str | None], History]]:
    """`load_history` for several as_of: an extract is read once, and stays in memory inside the context. The function
    can be called from several threads."""
    today = pd.Timestamp.now(config.hospital.timezone).tz_localize(None).normalize().as_unit("us")
    with SOURCES[type(config.patients)](config, home, today) as records_at:

        def at(as_of: date | str | None) -> History:
            requested = _midnight("as_of", as_of) or _midnight(AS_OF_VARIABLE, os.environ.get(AS_OF_VARIABLE) or None)
            records = records_at(requested)
            history = History(**vars(records), days_behind=(today - records.as_of).days)
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
            config.id, history.days_behind, f"{history.as_of:%Y-%m-%d}", max_age,
        )  # fmt: skip


def load_patients(config: HospitalConfig, home: Path | None = None, as_of: date | str | None = None) -> pd.DataFrame:
    """The `patients` of `load_history`."""
    return load_history(config, home, as_of).patients


def _midnight(where: str, value: date | str | None) -> pd.Timestamp | None:
    if value is None:
        return None
    try:
        stamp = pd.Timestamp(datetime.fromisoformat(value) if isinstance(value, str) else value).as_unit("us")
    except ValueError as error:
        raise ConfigError(f"{where}: {value!r} is not a date; give one such as 2026-11-01") from error
    if stamp.tzinfo is not None or stamp != stamp.normalize():
        raise ConfigError(
            f"{where}: {value} is not a local midnight; give a date without a time, such as {stamp:%Y-%m-%d}"
        )
    return stamp


def _check_end(config: HospitalConfig, history: History) -> None:
    """Days without arrivals may be empty; a week of them, or days after `complete_through`, are not in the extract."""
    if history.latest_as_of is not None and history.as_of > history.latest_as_of:
        raise DataError(
            f"hospital {config.id}: as_of {history.as_of:%Y-%m-%d} lies beyond the data: the last arrival is of "
            f"{history.patients['arrival'].max():%Y-%m-%d}; choose an as_of up to {history.latest_as_of:%Y-%m-%d}, or "
            "provide a newer extract"
        )
