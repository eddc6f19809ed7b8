"""The calendar of a hospital: public holidays, events, and the daily rates of schedule and constant streams."""

import csv
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import holidays
import numpy as np
import pandas as pd

from kaizar_pipeline.config.fields import HOURS_PER_DAY, is_open
from kaizar_pipeline.config.hospital import ArrivalStream, Constant, HospitalInfo, Schedule
from kaizar_pipeline.errors import ConfigError, listed, quoted

EVENT_COLUMNS = ("date", "name")
EVENT_SEPARATOR = "; "
"""Between the names of events that fall on one day."""


def public_holidays(hospital: HospitalInfo, dates: pd.DatetimeIndex) -> np.ndarray:
    """bool per date: whether it is a public holiday where the hospital is."""
    if len(dates) == 0:
        return np.zeros(0, dtype=bool)
    years = range(dates.min().year, dates.max().year + 1)
    known = holidays.country_holidays(hospital.country, subdiv=hospital.subdivision, years=years)
    return np.isin(dates.to_numpy().astype("datetime64[D]"), np.array(sorted(known), dtype="datetime64[D]"))


def read_events(hospital: HospitalInfo, home: Path) -> pd.Series:
    """Names of the events on a day, by date, from the CSV file `hospital.events`; empty when the config names none.

    The file, its path relative to `home`, has a header with the columns `date` (2026-07-18) and `name` and a row for
    each day of each event, past days and days ahead. Raises ConfigError with one line per error.
    """
    names: dict[date, set[str]] = {}
    if hospital.events is not None:
        errors = []
        for line, row in _csv_rows(home / hospital.events, hospital.events):
            error = _event_error(row, names)
            if error:
                errors.append(f"{hospital.events}:{line}: {error}")
            else:
                names.setdefault(date.fromisoformat(row["date"].strip()), set()).add(row["name"].strip())
        if errors:
            raise ConfigError(errors)
    days = pd.DatetimeIndex(sorted(names)).as_unit("us")
    return pd.Series([EVENT_SEPARATOR.join(sorted(names[day])) for day in sorted(names)], days, dtype="str")


def _csv_rows(path: Path, shown: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and cells of each row; cells that are missing are empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(f"{shown}: the file of events cannot be read: {reason}; its path is {path}") from error
    reader = csv.DictReader(text.splitlines(), restval="")
    missing = [name for name in EVENT_COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        found = listed(reader.fieldnames or ()) or "nothing"
        raise ConfigError(f"{shown}:1: missing column(s) {', '.join(missing)}, found {found}, required: date, name")
    for row in reader:
        yield reader.line_num, row


def _event_error(row: dict[str, str], known: dict[date, set[str]]) -> str | None:
    """What is wrong with a row, given the names by day of the rows before it."""
    name = row["name"].strip()
    try:
        day = date.fromisoformat(row["date"].strip())
    except ValueError:
        return f"date: found {quoted(row['date'])}, allowed: a day such as 2026-07-18"
    if not name or EVENT_SEPARATOR.strip() in name:
        return f"name: found {quoted(row['name'])}, allowed: any text without {EVENT_SEPARATOR.strip()!r}"
    if name in known.get(day, ()):
        return f"{quoted(name)} already appears on {day}"
    return None


def weekly_profile(stream: ArrivalStream) -> np.ndarray:
    """f8[7, 24]: the configured weights of the hours of the week, Monday first; flat on a weekday without arrivals."""
    week = np.resize(np.array(stream.configured_profile), (7, HOURS_PER_DAY))
    return np.where(week.sum(axis=1, keepdims=True) > 0, week, 1.0)


def weekdays_with_arrivals(stream: ArrivalStream) -> np.ndarray:
    """bool[7], Monday first: whether the configured weights of the weekday leave any arrival."""
    return np.resize(np.array(stream.configured_profile), (7, HOURS_PER_DAY)).sum(axis=1) > 0


def configured_rates(stream: ArrivalStream, hospital: HospitalInfo, dates: pd.DatetimeIndex) -> np.ndarray:
    """f8 per date: mean arrivals per day of a schedule or constant stream, with its month factors; 0 when closed."""
    model = stream.model
    match model:
        case Schedule():
            listed = dates.day_of_week.isin(model.weekdays)
            if not model.on_holidays:
                listed &= ~public_holidays(hospital, dates)
            rates = np.where(listed, model.mean_per_day, 0.0)
        case Constant():
            rates = np.full(len(dates), model.mean_per_day)
        case _:
            raise TypeError(f"stream {stream.id} is forecast: the config does not give its rates")
    rates = rates * open_days(stream, dates)
    return rates * dates.month.map(lambda month: stream.scale_factor_by_month.get(month, 1.0)).to_numpy(dtype=float)


def open_days(stream: ArrivalStream, dates: pd.DatetimeIndex) -> np.ndarray:
    """bool per date: whether the stream is open, by the config."""
    return np.array([is_open(day.date(), stream.opened, stream.closed) for day in dates], dtype=bool)
