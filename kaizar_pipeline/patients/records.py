"""Patients from a hospital's own records: an extract becomes `patients`, `ward_stays` and a table of rejects.

What a row means is decided here, once: which rows are visible at `as_of`, which are rejected, who is still in the
hospital, and what time a stamp without a time of day stands for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from kaizar_pipeline.config.files import find_home
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import Extract
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.extracts import ExtractReader, TextRows
from kaizar_pipeline.patients.moves import read_moves, whole_stays
from kaizar_pipeline.patients.rejects import RowFilter, masked
from kaizar_pipeline.patients.stamps import Stamps, days_only, time_within_day
from kaizar_pipeline.stats.philox import HISTORY_REPLICATION, Purpose, hospital_key, stream_number, uniforms
from kaizar_pipeline.tables import PATIENT_REJECTS, PATIENTS, WARD_STAYS

OUTCOMES = ("admitted", "waiting", "diverted", "left")

SILENT_DAYS = 7
"""Days without an arrival after which an extract has ended, unless the config says through which day it is complete."""

RARE_SERVICE = 20
"""Rows below which a service that the config does not name is not shown by its name."""

_HISTORY_SEED = 0
"""Seed of the times of day that are drawn: another simulation.seed leaves the past as it is."""


@dataclass(frozen=True)
class Records:
    """What a source of patients knows at `as_of`, as tables."""

    as_of: pd.Timestamp
    """Local midnight; nothing at or after it is in the tables."""
    patients: pd.DataFrame
    patient_rejects: pd.DataFrame
    ward_stays: pd.DataFrame
    latest_as_of: pd.Timestamp | None = None
    """The last as_of for which the source has data (NaT or None: any)."""
    ignored: Mapping[str, int] = field(default_factory=dict)
    """Rows before as_of that `patients.ignore` leaves out, by service."""


def read_records(
    config: HospitalConfig, home: Path | None, today: pd.Timestamp, as_of: pd.Timestamp | None = None
) -> Records:
    """Read the extract (and the one of ward stays) of `config`, with paths relative to `home` (default: `find_home`).

    Without `as_of` it is the midnight after `complete_through`, or the one that begins the latest arrival date not
    after `today`; rows dated after today are then rejects. Rows at or after a given `as_of` are not visible.
    Resolution is decided per row (a stamp without a time of day) and per column (not one visible stamp off midnight).
    Raises DataError for an extract that cannot be read, has too many rejects, or begins at or after `as_of`.
    """
    source = config.patients
    assert isinstance(source, Extract)
    reader = ExtractReader(config, source, home or find_home())
    text = reader.rows(source)
    arrivals = reader.stamps(text.cells[source.columns.arrival])
    future = pd.Series(False, index=text.cells.index)
    if as_of is None:
        as_of = _first_incomplete_day(text, arrivals.local, source, today)
        future = (arrivals.local >= as_of) & (arrivals.local.dt.normalize() > today)
    _check_span(text.place, arrivals.local, as_of)

    ignored = _ignored(source, text.cells)
    reader.ignored_ids = frozenset(text.cells.loc[ignored, source.columns.patient_id].dropna())
    visible = (~(arrivals.local >= as_of) | future) & ~ignored
    rows = _parse(reader, text.cells, arrivals, as_of).assign(future=future)[visible]
    passed = _filter(source, text, rows)
    rejects = passed.rejects(source.max_reject_share)
    patients = _with_outcomes(source, _with_times_of_day(config, source, passed.rows), as_of)
    if source.stays is None:
        stays = whole_stays(config, patients)
    else:
        patients, stays, rejected_stays = read_moves(reader, source.stays, patients, as_of)
        rejects = pd.concat([rejects, rejected_stays], ignore_index=True)
    common = {"hospital_id": config.id, "as_of": as_of}
    return Records(
        as_of=as_of,
        patients=PATIENTS.frame(patients.drop(columns="utc"), **common),
        patient_rejects=PATIENT_REJECTS.frame(rejects, **common),
        ward_stays=WARD_STAYS.frame(stays, **common),
        ignored=_counted(text.cells[ignored & ~(arrivals.local >= as_of)], source),
        latest_as_of=_end(source) or patients["arrival"].dt.normalize().max() + pd.Timedelta(days=1 + SILENT_DAYS),
    )


def _ignored(source: Extract, cells: pd.DataFrame) -> pd.Series:
    """bool per row: whether its service is one that the config leaves out."""
    service = source.columns.service
    if service is None or not source.ignore:
        return pd.Series(False, index=cells.index)
    rest = "*" in source.ignore
    return cells[service].isin(source.ignore) | (rest & cells[service].notna() & ~cells[service].isin(source.streams))


def _counted(cells: pd.DataFrame, source: Extract) -> dict[str, int]:
    """Rows by service, most first; services that the config does not name and that are rare are counted together, since
    a cell that holds something else by mistake is not to be shown."""
    if cells.empty or source.columns.service is None:
        return {}
    counts = cells[source.columns.service].value_counts()
    shown = counts.index.isin(source.ignore) | (counts >= RARE_SERVICE)
    rare = {"rare services": int(counts[~shown].sum())}
    return {str(service): int(n) for service, n in counts[shown].items()} | {k: n for k, n in rare.items() if n}


def _end(source: Extract) -> pd.Timestamp | None:
    """The midnight after the last day that the config says is complete."""
    last = source.complete_through
    return None if last is None else pd.Timestamp(last).as_unit("us") + pd.Timedelta(days=1)


def _first_incomplete_day(text: TextRows, arrivals: pd.Series, source: Extract, today: pd.Timestamp) -> pd.Timestamp:
    end = _end(source)
    if end is not None:
        return end
    days = arrivals.dropna().dt.normalize()
    until_today = days[days <= today]
    if until_today.empty:
        example = masked(text.cells[source.columns.arrival]).dropna().head(1).tolist()
        raise DataError(
            f"{text.place}: not one stamp in column {source.columns.arrival!r} is a date up to today"
            f"{f' (row 1: {example[0]!r})' if example else ''}; name their format in patients.date_format"
        )
    return until_today.max()


def _check_span(place: str, arrivals: pd.Series, as_of: pd.Timestamp) -> None:
    first, last = arrivals.min(), arrivals.max()
    if not (arrivals < as_of).any():
        span = "no arrival can be read" if pd.isna(first) else f"arrivals run from {first:%Y-%m-%d} to {last:%Y-%m-%d}"
        raise DataError(f"{place}: nothing before as_of {as_of:%Y-%m-%d}: {span}; choose a later as_of within the data")


def _parse(reader: ExtractReader, cells: pd.DataFrame, arrivals: Stamps, as_of: pd.Timestamp) -> pd.DataFrame:
    """The meaning of every row: null where a cell is empty or cannot be read."""
    source, columns = reader.source, reader.source.columns
    departure = reader.stamps(cells[columns.departure]).at_offset_of(arrivals)
    if columns.service is None:
        stream = pd.Series(reader.config.arrival_streams[0].id, index=cells.index)
    else:
        stream = cells[columns.service].map(source.streams)
    return pd.DataFrame(
        {
            "id": reader.pseudonyms(cells[columns.patient_id]),
            "stream": stream,
            "outcome": "admitted" if columns.outcome is None else cells[columns.outcome].str.lower(),
            "arrival": arrivals.local,
            "utc": arrivals.utc,
            "departure_read": departure,
            "departure": departure.where(departure < as_of),
            "arrival_text": cells[columns.arrival],
            "departure_text": cells[columns.departure],
        }
    )


def _filter(source: Extract, text: TextRows, rows: pd.DataFrame) -> RowFilter:
    """Reject impossible rows, the most basic error of a row first."""
    columns = source.columns
    shown = {name: text.cells[name] for name in (columns.service, columns.outcome) if name}
    shown |= {name: masked(text.cells[name]) for name in (columns.arrival, columns.departure)}
    passed = RowFilter("patients", text.place, rows, {**shown, columns.patient_id: rows["id"]})
    passed.reject_ragged(text.ragged, columns.patient_id)
    passed.reject(passed.rows["id"].isna(), "missing id", columns.patient_id)
    passed.reject(passed.rows["arrival_text"].isna(), "missing arrival", columns.arrival)
    passed.reject(passed.rows["arrival"].isna(), "unparseable arrival", columns.arrival)
    passed.reject(passed.rows["future"], "arrival lies in the future", columns.arrival)
    unread = passed.rows["departure_text"].notna() & passed.rows["departure_read"].isna()
    passed.reject(unread, "unparseable departure", columns.departure)
    passed.reject(_departs_first(passed.rows), "departure before arrival", columns.departure)
    if columns.service is not None:
        passed.reject(passed.rows["stream"].isna(), "unknown service", columns.service)
    if columns.outcome is not None:
        passed.reject(~passed.rows["outcome"].isin(OUTCOMES), "unknown outcome", columns.outcome)
    passed.reject(passed.rows.duplicated("id"), "duplicate id", columns.patient_id)
    return passed


def _departs_first(rows: pd.DataFrame) -> pd.Series:
    """Departure before arrival, by the day where one of them is known to the day only."""
    arrival, departure = rows["arrival"], rows["departure"]
    by_day = days_only(rows["arrival_text"], arrival) | days_only(rows["departure_text"], departure)
    return (departure < arrival) & ~(by_day & (departure.dt.normalize() == arrival.dt.normalize()))


def _with_times_of_day(config: HospitalConfig, source: Extract, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as patients: stamps of a day only get a time of day, which depends on the patient and nothing else."""
    number = np.array([int(digits[:8], 16) for digits in rows["id"]], dtype="uint64")
    stream = rows["stream"].map(stream_number).to_numpy(dtype="uint64")
    key = hospital_key(config.id, _HISTORY_SEED)
    draws = [
        pd.Series(uniforms(key, HISTORY_REPLICATION, stream, number, Purpose.HISTORY, stage)[0], index=rows.index)
        for stage in (0, 1)
    ]
    arrival, departure = rows["arrival"].copy(), rows["departure"].copy()
    arrival_day = days_only(rows["arrival_text"], arrival)
    departure_day = days_only(rows["departure_text"], departure)
    for stream_id, days in arrival[arrival_day].groupby(rows["stream"]):
        week = np.resize(np.array(config.stream(str(stream_id)).hourly_profile), (7, 24))
        before = departure.mask(departure_day)[days.index]
        arrival[days.index] = time_within_day(days, week, draws[0][days.index].to_numpy(), before=before)
    days = departure[departure_day]
    week = np.resize(np.array(source.discharge_profile, dtype="float64"), (7, 24))
    departure[days.index] = time_within_day(days, week, draws[1][days.index].to_numpy(), after=arrival[days.index])
    return pd.DataFrame(
        {
            "patient_id": rows["id"],
            "stream_id": rows["stream"],
            "patient_type": rows["stream"].map({stream.id: stream.patient_type for stream in config.arrival_streams}),
            "arrival": arrival,
            "departure": departure,
            "outcome": rows["outcome"],
            "resolution": np.where(arrival_day | departure_day, "day", "second"),
            "utc": rows["utc"],
            "departs_later": rows["departure_read"].notna() & rows["departure"].isna(),
        }
    )


def _with_outcomes(source: Extract, patients: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Outcomes as of `as_of`, and whether a missing departure means that the patient is still in the hospital."""
    departed = patients["departure"].notna()
    outcome = patients["outcome"].mask((patients["outcome"] == "waiting") & departed, "left")
    outcome = outcome.mask((outcome == "left") & patients.pop("departs_later"), "waiting")
    may_be_present = outcome.isin(["admitted", "waiting"]) & ~departed
    unknown = may_be_present & (not source.knows_departures)
    if source.max_open_days is not None:
        unknown |= may_be_present & (as_of - patients["arrival"] > pd.Timedelta(days=source.max_open_days))
    return patients.assign(outcome=outcome, departure_known=~unknown)
