"""Patients from a hospital's own records: an extract becomes `patients`, `ward_stays` and a table of rejects.

What a row means is decided here, once: which rows are visible at `as_of`, which cannot be, who is still in the house,
and what time a stamp without a time of day stands for.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import Extract, SqlPatients, SyntheticPatients
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.extracts import TextRows, read_text
from kaizar_pipeline.patients.moves import read_moves, whole_stays
from kaizar_pipeline.patients.pseudonyms import pseudonym_key, pseudonyms
from kaizar_pipeline.patients.rejects import Sieve, without_letters
from kaizar_pipeline.patients.stamps import Stamps, days_only, read_stamps, time_within_day
from kaizar_pipeline.stats.philox import HISTORY_REPLICATION, Purpose, hospital_key, stream_number, uniforms
from kaizar_pipeline.tables import PATIENT_REJECTS, PATIENTS, WARD_STAYS

OUTCOMES = ("admitted", "waiting", "diverted", "left")

_HISTORY_SEED = 0
"""Seed of the times that are filled in: another simulation.seed leaves the past as it is."""


@dataclass(frozen=True)
class Records:
    """A hospital's records up to `as_of`, as tables."""

    as_of: pd.Timestamp
    patients: pd.DataFrame
    patient_rejects: pd.DataFrame
    ward_stays: pd.DataFrame


def read_records(config: HospitalConfig, home: Path, today: pd.Timestamp, as_of: pd.Timestamp | None = None) -> Records:
    """Read the extract (and the one of ward stays) of `config`, with paths relative to `home`.

    Without `as_of` it is the midnight after `complete_through`, or the one that begins the latest arrival date not
    after `today`; rows dated after today are then rejects. Rows at or after a given `as_of` are not visible.
    Resolution is decided per row (a stamp without a time of day) and per column (not one visible stamp off midnight).
    Raises DataError for an extract that cannot be read, has too many rejects, or begins at or after `as_of`.
    """
    source = config.patients
    assert not isinstance(source, SyntheticPatients), "a synthetic hospital has no records"
    location = source.query if isinstance(source, SqlPatients) else source.path
    text = read_text(source, location, [name for _, name in source.columns if name], home)
    key = pseudonym_key(source.pseudonym_key, home)
    arrivals = read_stamps(text.cells[source.columns.arrival], source.date_format, config.hospital.timezone)
    if as_of is None:
        as_of = _first_incomplete_day(text, arrivals.local, source, today)
        future = (arrivals.local >= as_of) & (arrivals.local.dt.normalize() > today)
    else:
        future = pd.Series(False, index=text.cells.index)
    _check_span(text.place, arrivals.local, as_of)

    visible = ~(arrivals.local >= as_of) | future
    rows = _parse(config, source, text.cells, arrivals, key, as_of)[visible]
    sieve = _sieve(source, text, rows, future[visible])
    aside = sieve.rejects(source.max_reject_share)
    patients = _with_times_of_day(config, source, sieve.rows)
    patients = _in_the_house(source, patients, as_of)

    common = {"hospital_id": config.id, "as_of": as_of}
    if source.stays is None:
        stays = whole_stays(config, patients)
    else:
        patients, stays, more = read_moves(config, source, source.stays, patients, home, key, as_of)
        aside = pd.concat([aside, more], ignore_index=True)
    names = [column for column in PATIENTS.column_names if column in patients.columns]
    return Records(
        as_of=as_of,
        patients=PATIENTS.frame(patients[names], **common),
        patient_rejects=PATIENT_REJECTS.frame(aside, **common),
        ward_stays=WARD_STAYS.frame(stays, **common),
    )


def _first_incomplete_day(text: TextRows, arrivals: pd.Series, source: Extract, today: pd.Timestamp) -> pd.Timestamp:
    if source.complete_through is not None:
        return pd.Timestamp(source.complete_through).as_unit("us") + pd.Timedelta(days=1)
    days = arrivals.dropna().dt.normalize()
    until_today = days[days <= today]
    if until_today.empty:
        example = without_letters(text.cells[source.columns.arrival].astype("str")).dropna().head(1).tolist()
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


def _parse(
    config: HospitalConfig, source: Extract, cells: pd.DataFrame, arrivals: Stamps, key: bytes, as_of: pd.Timestamp
) -> pd.DataFrame:
    """What every row says, next to its cells: null where a cell says nothing or nothing that is known."""
    columns = source.columns
    departures = read_stamps(cells[columns.departure], source.date_format, config.hospital.timezone)
    departure = departures.at_offset_of(arrivals)
    if columns.service is None:
        stream = pd.Series(config.arrival_streams[0].id, index=cells.index)
    else:
        stream = cells[columns.service].map(source.streams)
    outcome = "admitted" if columns.outcome is None else cells[columns.outcome].str.lower()
    return cells.assign(
        _id=pseudonyms(cells[columns.patient_id], key),
        _stream=stream,
        _outcome=outcome,
        _arrival=arrivals.local,
        _utc=arrivals.utc,
        _departure_read=departure,
        _departure=departure.where(departure < as_of),
        _arrival_text=cells[columns.arrival],
        _departure_text=cells[columns.departure],
    )


def _sieve(source: Extract, text: TextRows, rows: pd.DataFrame, future: pd.Series) -> Sieve:
    """Set aside what cannot be, the most basic fault of a row first."""
    columns = source.columns
    sieve = Sieve("patients", text.place, rows)
    sieve.add_ragged(text.ragged, columns.patient_id)
    known = without_letters(rows["_arrival_text"].astype("str"))
    sieve.set_aside(rows["_id"].isna(), "missing id", columns.patient_id, rows["_id"])
    sieve.set_aside(sieve.rows["_arrival_text"].isna(), "missing arrival", columns.arrival, known)
    sieve.set_aside(sieve.rows["_arrival"].isna(), "unparseable arrival", columns.arrival, known)
    sieve.set_aside(future[sieve.rows.index], "arrival lies in the future", columns.arrival, known)
    left = without_letters(rows["_departure_text"].astype("str"))
    unread = sieve.rows["_departure_text"].notna() & sieve.rows["_departure_read"].isna()
    sieve.set_aside(unread, "unparseable departure", columns.departure, left)
    sieve.set_aside(_departs_first(sieve.rows), "departure before arrival", columns.departure, left)
    if columns.service is not None:
        sieve.set_aside(sieve.rows["_stream"].isna(), "unknown service", columns.service, rows[columns.service])
    if columns.outcome is not None:
        unknown = ~sieve.rows["_outcome"].isin(OUTCOMES)
        sieve.set_aside(unknown, "unknown outcome", columns.outcome, rows[columns.outcome])
    sieve.set_aside(sieve.rows.duplicated("_id"), "duplicate id", columns.patient_id, rows["_id"])
    return sieve


def _departs_first(rows: pd.DataFrame) -> pd.Series:
    """Departure before arrival, by the day where one of them is known to the day only."""
    arrival, departure = rows["_arrival"], rows["_departure"]
    by_day = days_only(rows["_arrival_text"], arrival) | days_only(rows["_departure_text"], departure)
    return (departure < arrival) & ~(by_day & (departure.dt.normalize() == arrival.dt.normalize()))


def _with_times_of_day(config: HospitalConfig, source: Extract, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as patients: stamps of a day only get a time of day, which depends on the patient and nothing else."""
    number = np.array([int(digits[:8], 16) for digits in rows["_id"]], dtype="uint64")
    stream = rows["_stream"].map(stream_number).to_numpy(dtype="uint64")

    def uniform(stage: int) -> np.ndarray:
        key = hospital_key(config.id, _HISTORY_SEED)
        return uniforms(key, HISTORY_REPLICATION, stream, number, Purpose.HISTORY, stage)[0]

    arrival, departure = rows["_arrival"], rows["_departure"]
    arrival_day = days_only(rows["_arrival_text"], arrival)
    departure_day = days_only(rows["_departure_text"], departure)
    drawn = pd.Series(pd.NaT, index=rows.index, dtype="datetime64[us]")
    no_later = departure.mask(departure_day)
    first_draw = uniform(0)
    for stream_id, of_stream in arrival[arrival_day].groupby(rows["_stream"]):
        week = np.resize(np.array(config.stream(str(stream_id)).hourly_profile), (7, 24))
        picked = first_draw[rows.index.get_indexer(of_stream.index)]
        drawn[of_stream.index] = time_within_day(of_stream, week, picked, before=no_later[of_stream.index])
    arrival = drawn.fillna(arrival)
    week = np.resize(np.array(source.discharge_profile, dtype="float64"), (7, 24))
    days = departure[departure_day]
    picked = uniform(1)[departure_day.to_numpy()]
    departure = time_within_day(days, week, picked, after=arrival[days.index]).reindex(rows.index).fillna(departure)
    return pd.DataFrame(
        {
            "patient_id": rows["_id"],
            "stream_id": rows["_stream"],
            "patient_type": rows["_stream"].map({stream.id: stream.patient_type for stream in config.arrival_streams}),
            "arrival": arrival,
            "departure": departure,
            "outcome": rows["_outcome"],
            "resolution": np.where(arrival_day | departure_day, "day", "second"),
            "utc": rows["_utc"],
            "left_later": rows["_departure_read"].notna() & rows["_departure"].isna(),
        }
    )


def _in_the_house(source: Extract, patients: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Outcomes as they stood at `as_of`, and whether a missing departure means that the patient is still there."""
    gone = patients["departure"].notna()
    outcome = patients["outcome"].mask((patients["outcome"] == "waiting") & gone, "left")
    outcome = outcome.mask((outcome == "left") & patients.pop("left_later"), "waiting")
    may_be_there = outcome.isin(["admitted", "waiting"]) & ~gone
    unknown = may_be_there & (source.missing_departure == "unknown")
    if source.max_open_days is not None:
        unknown |= may_be_there & (as_of - patients["arrival"] > pd.Timedelta(days=source.max_open_days))
    return patients.assign(outcome=outcome, departure_known=~unknown)
