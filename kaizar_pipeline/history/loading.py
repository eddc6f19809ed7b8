"""A hospital's history up to `as_of`, whatever it comes from; the only place of the project that looks at the clock."""

import logging
import os
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pandas as pd

from kaizar_pipeline.config.files import find_home
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import Extract, SyntheticPatients
from kaizar_pipeline.errors import ConfigError, DataError
from kaizar_pipeline.history.synthetic import simulate_history
from kaizar_pipeline.patients.records import Records, read_records
from kaizar_pipeline.tables import PATIENT_REJECTS

AS_OF_VARIABLE = "KAIZAR_AS_OF"

SILENT_DAYS = 7
"""Days without an arrival after which an extract has ended, unless the config says through which day it is complete."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class History:
    """All that is known of a hospital at `as_of`, as tables."""

    as_of: pd.Timestamp
    """Local midnight; nothing at or after it is in the tables."""
    patients: pd.DataFrame
    patient_rejects: pd.DataFrame
    ward_stays: pd.DataFrame
    days_behind: int
    """Days from as_of to today in the hospital's time zone; negative for an as_of that lies ahead."""


def load_history(config: HospitalConfig, home: Path | None = None, as_of: date | str | None = None) -> History:
    """The history of `config` up to `as_of`, with paths relative to `home` (default: see `find_home`).

    `as_of` is a date or its ISO text, else KAIZAR_AS_OF; else today for a synthetic hospital, and for an extract the
    first day that is not complete in it. An extract further behind than `max_age_days` is warned about.
    Raises ConfigError when as_of is no date, and DataError when nothing lies before it, or the extract ends before it
    or cannot be used.
    """
    asked = _asked_for(as_of)
    today = pd.Timestamp.now(config.hospital.timezone).tz_localize(None).normalize().as_unit("us")
    source = config.patients
    if isinstance(source, SyntheticPatients):
        end = asked or today
        patients, ward_stays = simulate_history(config, end)
        return History(end, patients, PATIENT_REJECTS.empty(), ward_stays, (today - end).days)
    records = read_records(config, home or find_home(), today, asked)
    behind = (today - records.as_of).days
    if asked is None:
        _warn_when_stale(config, source, records.as_of, behind)
    else:
        _refuse_beyond_the_data(config, source, records)
    return History(records.as_of, records.patients, records.patient_rejects, records.ward_stays, behind)


def load_patients(config: HospitalConfig, home: Path | None = None, as_of: date | str | None = None) -> pd.DataFrame:
    """The `patients` of `load_history`."""
    return load_history(config, home, as_of).patients


def _asked_for(as_of: date | str | None) -> pd.Timestamp | None:
    """The as_of that somebody asked for, by argument or environment; None when nobody did."""
    where, value = ("as_of", as_of) if as_of is not None else (AS_OF_VARIABLE, os.environ.get(AS_OF_VARIABLE) or None)
    if value is None:
        return None
    try:
        stamp = pd.Timestamp(datetime.fromisoformat(value) if isinstance(value, str) else value).as_unit("us")
    except ValueError as error:
        raise ConfigError(f"{where}: {value!r} is no date; give one such as 2026-11-01") from error
    if stamp.tzinfo is not None or stamp != stamp.normalize():
        raise ConfigError(
            f"{where}: {value} is no local midnight; give a date without a time, such as {stamp:%Y-%m-%d}"
        )
    return stamp


def _refuse_beyond_the_data(config: HospitalConfig, source: Extract, records: Records) -> None:
    """Days without arrivals may be empty; a week of them, or days after `complete_through`, are not in the extract."""
    last = records.patients["arrival"].max()
    if source.complete_through is not None:
        end = pd.Timestamp(source.complete_through) + pd.Timedelta(days=1)
    else:
        end = last.normalize() + pd.Timedelta(days=1 + SILENT_DAYS)
    if records.as_of > end:
        raise DataError(
            f"hospital {config.id}: as_of {records.as_of:%Y-%m-%d} lies beyond the data: the last arrival is of "
            f"{last:%Y-%m-%d}; choose an as_of up to {end:%Y-%m-%d}, or bring a newer extract"
        )


def _warn_when_stale(config: HospitalConfig, source: Extract, as_of: pd.Timestamp, behind: int) -> None:
    if source.max_age_days is not None and behind > source.max_age_days:
        _log.warning(
            "hospital %s: the extract ends %d days ago (as_of %s), more than max_age_days (%d): the forecast is stale",
            config.id, behind, f"{as_of:%Y-%m-%d}", source.max_age_days,
        )  # fmt: skip
