"""Patients from a hospital's own records: an extract becomes `patients`, `ward_stays` and a table of rejects.

What a row means is decided here, once: which rows are visible at `as_of`, which are set aside, who is still in the
hospital, and what time a stamp without a time of day stands for. Reading, hashing and judging stay in DuckDB.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import duckdb
import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import weekly_profile
from kaizar_pipeline.config.files import find_home
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import Extract
from kaizar_pipeline.config.snapshot import latest_at, shown
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.extracts import ExtractReader
from kaizar_pipeline.patients.moves import MoveRows, whole_stays
from kaizar_pipeline.patients.observed_census import MOST_BY_DAY
from kaizar_pipeline.patients.stamps import time_within_day
from kaizar_pipeline.patients.visits import VisitRows, end_of
from kaizar_pipeline.stats.philox import HISTORY_REPLICATION, Purpose, hospital_key, stream_number, uniforms
from kaizar_pipeline.tables import PATIENT_REJECTS, PATIENTS, WARD_STAYS

SILENT_DAYS = 7
"""Days without an arrival after which an extract has ended."""

_DUCKDB: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
_HISTORY_SEED = 0
"""Seed of the times of day that are drawn: another simulation.seed leaves the past as it is."""


@dataclass(frozen=True)
class Records:
    """What a source of patients knows at `as_of`, as tables."""

    as_of: pd.Timestamp
    """Local date and full hour; nothing at or after it is in the tables."""
    patients: pd.DataFrame
    patient_rejects: pd.DataFrame
    ward_stays: pd.DataFrame
    latest_as_of: pd.Timestamp | None = None
    """The last as_of for which the source has data (NaT or None: any)."""
    warnings: tuple[str, ...] = ()
    """What was assumed of the source, and what in it cannot be right."""
    rows: int = 0
    """Rows of the extract of patients: patients, rejects and those at or after as_of; 0 for a source without rows."""
    left_out: int = 0
    """Rows at or after as_of."""
    ignored: Mapping[str, int] = field(default_factory=dict)
    """Rows that `patients.ignore` leaves out, by service; not among `rows`."""


@contextmanager
def open_records(
    config: HospitalConfig, home: Path | None, now: pd.Timestamp
) -> Iterator[Callable[[pd.Timestamp | None], Records]]:
    """The function that says what the extract (and the one of ward stays) of `config` knows at an as_of, with paths
    relative to `home` (default: `find_home`). It can be called from several threads; the first call reads the extract.

    Without an as_of it is the last instant at the hour `simulation.snapshot` up to the midnight after
    `complete_through`, or up to the latest arrival on a date not after that of `now`, and not after `now`; rows dated
    after today are then rejects. Rows at or after a given as_of are not visible. At another hour than midnight, times
    of day are needed: who came and who left before it would be a guess.
    Resolution is decided per row (a stamp without a time of day) and per column (not one visible stamp off midnight).
    The function raises DataError for an extract that cannot be read, has too many rejects, or begins at or after as_of.
    """
    source = config.patients
    assert isinstance(source, Extract)
    connection = duckdb.connect(":memory:", config=_DUCKDB)
    connection.execute("SET TimeZone = 'UTC'; ATTACH ':memory:' AS extract (COMPRESS true); USE extract")
    extract = _OpenExtract(ExtractReader(config, source, home or find_home(), connection), now)
    try:
        yield extract.at
    finally:
        extract.close()


class _OpenExtract:
    """An extract that is read once, at the first as_of asked for."""

    def __init__(self, reader: ExtractReader, now: pd.Timestamp):
        self._reader = reader
        self._now, self._today = now, now.normalize()
        self._visits: VisitRows | None = None
        self._moves: MoveRows | None = None
        self._lock = Lock()

    def at(self, as_of: pd.Timestamp | None) -> Records:
        """What is known at `as_of`."""
        with self._lock:
            return self._at(as_of)

    def close(self) -> None:
        """Free the memory; a thread that is at it, though nobody waits for it, may end first."""
        with self._lock:
            self._reader.connection.close()

    def _at(self, as_of: pd.Timestamp | None) -> Records:
        reader, config, source = self._reader, self._reader.config, self._reader.source
        if self._visits is None:
            self._visits = VisitRows(reader, source, self._today)
        rows = self._visits
        by_default: tuple[str, ...] = ()
        if as_of is None:
            until = min(rows.complete_until(self._today), self._now)
            as_of = latest_at(config.simulation.snapshot, until, config.hospital.timezone)
            visits, by_default = rows.at(as_of, self._today), self._just_missed(as_of, until)
        else:
            visits = rows.at(as_of, None)
        if as_of.hour:
            _check_times(config, visits.rows, as_of)
        known = _known_at(as_of, _with_times_of_day(config, source, visits.rows))
        patients = _with_outcomes(source, known, as_of)
        rejects, warnings = visits.rejects, (*by_default, *visits.warnings)
        if source.stays is None:
            stays = whole_stays(config, patients)
        else:
            if self._moves is None:
                self._moves = MoveRows(reader, source.stays, rows.format)
            moves = self._moves.at(as_of, patients)
            patients, stays = moves.patients, moves.stays
            rejects = pd.concat([rejects, moves.rejects], ignore_index=True)
            warnings += moves.warnings
        common = {"hospital_id": config.id, "as_of": as_of}
        last = patients["arrival"].dt.normalize().max()
        return Records(
            as_of=as_of,
            patients=PATIENTS.frame(patients.drop(columns=["utc", "person", "departs_later"]), **common),
            patient_rejects=PATIENT_REJECTS.frame(rejects, **common),
            ward_stays=WARD_STAYS.frame(stays, **common),
            latest_as_of=end_of(source) or last + pd.Timedelta(days=1 + SILENT_DAYS),
            warnings=warnings,
            rows=rows.count,
            left_out=visits.left_out,
            ignored=rows.ignored,
        )

    def _just_missed(self, as_of: pd.Timestamp, until: pd.Timestamp) -> tuple[str, ...]:
        """A warning where nobody arrived between the latest snapshot and the making of the extract, perhaps: the run
        then looks ahead from the snapshot before."""
        config = self._reader.config
        latest = latest_at(config.simulation.snapshot, self._now, config.hospital.timezone)
        if latest.hour == 0 or end_of(self._reader.source) or not as_of < latest < until + pd.Timedelta(days=1):
            return ()
        return (
            f"the last arrival is of {until:%Y-%m-%d %H:%M}, so the run looks ahead from {shown(as_of)}; if the "
            f"extract was made at {shown(latest)} or later, give as_of {latest:%Y-%m-%dT%H:%M}",
        )


def _with_times_of_day(config: HospitalConfig, source: Extract, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as patients: stamps of a day only get a time of day, which depends on the patient and nothing else."""
    arrival, departure = rows["arrival"].copy(), rows["departure"].copy()
    draws = _draws(config, rows[rows["arrival_day"] | rows["departure_day"]])
    for stream_id, days in arrival[rows["arrival_day"]].groupby(rows["stream"]):
        week = weekly_profile(config.stream(str(stream_id)))
        before = departure.mask(rows["departure_day"])[days.index]
        arrival[days.index] = time_within_day(days, week, draws.loc[days.index, 0].to_numpy(), before=before)
    days = departure[rows["departure_day"] & departure.notna()]
    week = np.resize(np.array(source.discharge_profile, dtype="float64"), (7, 24))
    uniform = draws.loc[days.index, 1].to_numpy()
    departure[days.index] = time_within_day(days, week, uniform, after=arrival[days.index])
    departure_by_day = rows["departure_day"] & rows["departure"].notna()
    return pd.DataFrame(
        {
            "patient_id": rows["id"],
            "person": rows["person"],
            "stream_id": rows["stream"],
            "patient_type": rows["stream"].map({stream.id: stream.patient_type for stream in config.arrival_streams}),
            "arrival": arrival,
            "departure": departure,
            "departure_known": ~rows["unknown"],
            "outcome": rows["outcome"],
            "resolution": np.select([rows["arrival_day"], departure_by_day], ["day", "departure_day"], "second"),
            "utc": rows["utc"],
            "departs_later": rows["departs_later"],
        }
    )


def _check_times(config: HospitalConfig, rows: pd.DataFrame, as_of: pd.Timestamp) -> None:
    departed = rows["departure"].notna()
    for event, by_day in (("arrivals", rows["arrival_day"]), ("departures", rows.loc[departed, "departure_day"])):
        if len(by_day) and by_day.mean() > MOST_BY_DAY:
            raise DataError(
                f"hospital {config.id}: {by_day.mean():.0%} of the {event} have no time of day, so that nobody can say "
                f"who was in the hospital at {as_of:%H:%M}; set simulation.snapshot to 00:00 (or an as_of without a "
                "time), or export the times"
            )


def _known_at(as_of: pd.Timestamp, patients: pd.DataFrame) -> pd.DataFrame:
    """The patients without what happens at or after as_of where its time of day was drawn."""
    later = patients["departure"] >= as_of
    known = patients.assign(
        departure=patients["departure"].mask(later), departs_later=patients["departs_later"] | later
    )
    return known[patients["arrival"] < as_of]


def _draws(config: HospitalConfig, rows: pd.DataFrame) -> pd.DataFrame:
    """Two numbers in [0, 1) for each of `rows`, from the id of the visit."""
    number = np.array([int(digits[:8], 16) for digits in rows["id"]], dtype="uint64")
    stream = rows["stream"].map(stream_number).to_numpy(dtype="uint64")
    key = hospital_key(config.id, _HISTORY_SEED)
    draws = {s: uniforms(key, HISTORY_REPLICATION, stream, number, Purpose.HISTORY, s)[0] for s in (0, 1)}
    return pd.DataFrame(draws, index=rows.index)


def _with_outcomes(source: Extract, patients: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Outcomes as of `as_of`, and whether a missing departure means that the patient is still in the hospital."""
    departed = patients["departure"].notna()
    outcome = patients["outcome"].mask((patients["outcome"] == "waiting") & departed, "left")
    outcome = outcome.mask((outcome == "left") & patients["departs_later"], "waiting")
    may_be_present = outcome.isin(["admitted", "waiting"]) & ~departed
    unknown = may_be_present & ((not source.knows_departures) | ~patients["departure_known"])
    if source.max_open_days is not None:
        unknown |= may_be_present & (as_of - patients["arrival"] > pd.Timedelta(days=source.max_open_days))
    return patients.assign(outcome=outcome, departure_known=~unknown)
