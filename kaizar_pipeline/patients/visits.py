"""The rows of an extract of patients as visits: which are visible at `as_of`, which are set aside, and who left when.

Reading, hashing and judging stay in DuckDB: `cells` holds the text (later that of the rows with errors only), `stamped`
what it says, `visible` the rows that count at one `as_of`, with the reason why one is set aside.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd

from kaizar_pipeline.config.patient_sources import Extract
from kaizar_pipeline.config.snapshot import shown
from kaizar_pipeline.errors import DataError, quoted
from kaizar_pipeline.patients.extract_warnings import ExtractWarnings
from kaizar_pipeline.patients.extracts import ExtractReader
from kaizar_pipeline.patients.joined_rows import join_touching_rows
from kaizar_pipeline.patients.pseudonyms import as_digits, hashed_person, hashed_visit
from kaizar_pipeline.patients.rejects import by_reason, check_share, shown_names, shown_stamps, told_by_line
from kaizar_pipeline.patients.services import count_ignored, count_others, is_ignored, literal, stream_of_service
from kaizar_pipeline.patients.stamp_formats import StampFormat, has_time, no_real_year, settle_format

OUTCOMES = ("admitted", "waiting", "diverted", "left")

LONGEST_SILENCE = 90
"""Days without an arrival before `complete_through` that even a small hospital does not have."""
SILENT_ARRIVALS = 14
"""Arrivals that were due in a silence at the end of an extract, from which on it has ended: none of so many by chance
has a probability below 1e-6."""
STRAY_GAP_DAYS = 365
STRAY_SHARE = 0.01
"""Arrivals before a gap of so many days, and no more than this share of all, are mistyped."""
STRAY_MIN_ROWS = 20
"""Rows below which no arrival is called stray."""
FAR_DAYS = 366
"""A departure so long before the first arrival means that there is none yet."""
_SILENCE_WINDOW = 56
"""Days before the last arrival that tell how many were due."""


@dataclass(frozen=True)
class Visits:
    """The visits at one as_of."""

    rows: pd.DataFrame
    """One row per visit: id, person (hashes), stream, outcome, arrival, utc (of the arrival), departure, and whether
    arrival_day and departure_day are known to the day only, the patient departs_later, the departure is unknown."""
    rejects: pd.DataFrame
    """Columns of patient_rejects."""
    warnings: tuple[str, ...]
    left_out: int
    """Rows at or after as_of."""


class VisitRows:
    """The rows of an extract of patients; `at` says what they mean at an as_of."""

    def __init__(self, reader: ExtractReader, source: Extract, today: pd.Timestamp):
        """Read the extract. Raises DataError when that is not possible.
        Stamps after `today` do not tell how far the extract reaches: they are mistyped, or only expected. `ignored` has
        the number of rows by service that the config leaves out, `count` that of all others.
        """
        self._reader = reader
        self._source = source
        self._tomorrow = today.normalize() + pd.Timedelta(days=1)
        self._text = text = reader.load(source, "cells")
        self._connection = reader.connection
        self.ignored = count_ignored(self._connection, source)
        self.count = reader.count("cells") + len(text.ragged) - sum(self.ignored.values())
        self._of_reading = ExtractWarnings(text.place, text.lines)
        stamps = StampFormat(reader.config.hospital.timezone, source.date_format)
        self.format = settle_format(self._connection, "cells", ("arrival", "departure"), stamps, self._of_reading)
        self._stamp()
        if source.rows == "ward_stays":
            join_touching_rows(self._connection)
        self._others = count_others(self._connection, source)
        self._forget_good_cells()

    def at(self, as_of: pd.Timestamp, today: pd.Timestamp | None) -> Visits:
        """The visits at `as_of`; rows that begin after `today` are rejects (None: they are not visible).

        Raises DataError when there is no arrival before `as_of`, when the extract ends before `complete_through`, and
        when too many rows cannot be used.
        """
        self._warnings = self._of_reading.copy()
        self._check_span(as_of)
        self._judge(as_of, today)
        self._mark_days(as_of)
        rejects = self._rejects()
        left_out = self._tell(as_of)
        rows = self._passed()
        if rows.empty:
            raise DataError(
                f"{self._text.place}: not one of the {self.count - left_out:,} rows before as_of {shown(as_of)} can "
                f"be used:\n{by_reason(rejects)}"
            )
        return Visits(rows, rejects, self._warnings.texts(), left_out)

    def _one(self, query: str, parameters: Sequence[object] = ()) -> tuple:
        """The one row that `query` returns."""
        return self._connection.execute(query, list(parameters)).fetchall()[0]

    def _stamp(self) -> None:
        """Make `stamped`: ids, streams and times of all rows, null where a cell is empty or cannot be read."""
        source, read = self._source, self.format
        dates = missing_dates(source.missing)
        # never an empty list: IN () is an error, and nothing is known of NULL; no cell is ''
        missing = ", ".join(literal(text) for text in source.missing if text not in dates) or "''"
        all_missing = ", ".join(map(literal, source.missing)) or "''"
        days = ", ".join(f"DATE '{day:%Y-%m-%d}'" for day in dates.values()) or "DATE '0001-01-01'"
        still = "false"
        if source.still_patient is not None:
            still = f"coalesce(still_patient IN ({', '.join(map(literal, source.still_patient.values))}), false)"
        given = {key: f"CASE WHEN {key} NOT IN ({missing}) THEN {key} END" for key in ("patient_id", "arrival")}
        none_yet = f"departure IN ({all_missing}) OR {no_real_year('departure')}"
        streams = ", ".join(literal(stream.id) for stream in self._reader.config.arrival_streams)
        self._connection.execute(f"CREATE TYPE stream AS ENUM ({streams}); CREATE TYPE outcome AS ENUM {OUTCOMES}")
        self._connection.execute(f"""
            CREATE TABLE stamped AS
            WITH given AS (
                SELECT
                    row, {given["patient_id"]} AS id, {given["arrival"]} AS arrival_text,
                    CASE WHEN NOT ({none_yet}) THEN departure END AS departure_text,
                    departure IS NOT NULL AS has_departure,
                    ({stream_of_service(self._reader.config, source)})::stream AS stream,
                    CASE WHEN lower(outcome) IN {OUTCOMES} THEN lower(outcome)::outcome END AS outcome,
                    {still} AS still,
                    {is_ignored(source)} AS ignored
                FROM cells
            ), told AS (
                SELECT
                    *, {read.wall("arrival_text")} AS arrival_wall, {read.utc("arrival_text")} AS arrival_utc,
                    {read.wall("departure_text")} AS departure_wall, {read.utc("departure_text")} AS departure_utc
                FROM given
            ), local AS (
                SELECT
                    *, {read.local("arrival_wall", "arrival_utc")} AS arrival,
                    -- at the offset of the arrival, so that the length of stay is exact across a clock change
                    coalesce(arrival + (departure_utc - arrival_utc), {read.local("departure_wall", "departure_utc")})
                        AS departure_stamp
                FROM told
            )
            SELECT
                row, {hashed_person("id", self._reader.key)} AS person, stream, outcome, arrival, arrival_utc,
                arrival_text IS NOT NULL AS has_arrival,
                {has_time("arrival_text")} AS arrival_timed, {has_time("departure_text")} AS departure_timed,
                CASE WHEN departure_stamp::DATE NOT IN ({days}) THEN departure_stamp END AS departure,
                departure_text IS NOT NULL AND departure_stamp IS NULL AS unread, still, ignored,
                has_departure AND (departure_text IS NULL OR coalesce(departure_stamp::DATE IN ({days}), false))
                    AS none_yet
            FROM local
        """)

    def _forget_good_cells(self) -> None:
        """Keep the text of those rows only in which something cannot be read or cannot be right."""
        self._connection.execute(f"""
            CREATE TABLE kept AS SELECT * FROM cells SEMI JOIN (
                SELECT row FROM stamped
                WHERE NOT ignored AND (
                    person IS NULL OR arrival IS NULL OR unread OR stream IS NULL OR departure < arrival
                    OR ({self._source.knows_outcomes} AND outcome IS NULL)
                )
            ) USING (row);
            DROP TABLE cells;
            ALTER TABLE kept RENAME TO cells
        """)  # fmt: skip

    def complete_until(self, today: pd.Timestamp) -> pd.Timestamp:
        """The midnight after the last day that the config calls complete, or the latest arrival on a day up to `today`:
        what arrived before it is in the extract. Raises DataError when there is none."""
        end = end_of(self._source)
        if end is not None:
            return end
        until_today = self._one("SELECT max(arrival) FROM stamped WHERE arrival::DATE <= ?", [today])[0]
        if until_today is None:
            raise self._no_arrival(" up to today")
        return pd.Timestamp(until_today).as_unit("us")

    def _no_arrival(self, bound: str = "") -> DataError:
        column = self._source.columns.arrival
        cells = self._connection.execute("SELECT row, arrival FROM cells WHERE arrival IS NOT NULL LIMIT 1").df()
        cell = (
            ""
            if cells.empty
            else f" (line {self._text.lines(cells['row'].to_numpy())[0]}: {quoted(shown_stamps(cells['arrival'])[0])})"
        )
        return DataError(
            f"{self._text.place}: not one stamp in column {quoted(column)} can be read as a date{bound}{cell}; "
            "name their format in patients.date_format"
        )

    def _check_span(self, as_of: pd.Timestamp) -> None:
        """Arrivals begin before `as_of`, and the extract reaches to `complete_through`."""
        first, last, before, known = self._one(
            "SELECT min(arrival), max(arrival), max(arrival) FILTER (arrival < $1), "
            "coalesce(max(arrival) FILTER (arrival < $2), max(arrival)) FROM stamped",
            [as_of, self._tomorrow],
        )
        if first is None:
            raise self._no_arrival()
        if before is None:
            raise DataError(
                f"{self._text.place}: nothing before as_of {shown(as_of)}: arrivals run from {first:%Y-%m-%d} to "
                f"{last:%Y-%m-%d}; choose a later as_of within the data"
            )
        end = end_of(self._source)
        if end is None:
            return
        last_day = pd.Timestamp(known).normalize()
        silent = (end - last_day).days - 1
        window = last_day - pd.Timedelta(days=_SILENCE_WINDOW - 1)
        (recent,) = self._one("SELECT count(*) FROM stamped WHERE arrival >= ?", [window])
        if silent > LONGEST_SILENCE or silent * recent / _SILENCE_WINDOW > SILENT_ARRIVALS:
            raise DataError(
                f"{self._text.place}: complete_through {end - pd.Timedelta(days=1):%Y-%m-%d} lies beyond the data: the "
                f"last arrival is of {known:%Y-%m-%d}; correct it, or provide a newer extract"
            )

    def _judge(self, as_of: pd.Timestamp, today: pd.Timestamp | None) -> None:
        """Make `judged`: the rows visible at `as_of`, with the reason why one is set aside (null: it is not), the most
        basic error of a row first.

        `today` None: no row lies in the future.
        """
        bulk = self._first_of_bulk(as_of)
        far = bulk - pd.Timedelta(days=FAR_DAYS)
        running = self._running()
        self._connection.execute(f"""
            CREATE OR REPLACE TABLE judged AS
            WITH departures AS (
                SELECT
                    * EXCLUDE (departure, none_yet),
                    CASE
                        WHEN still OR departure < TIMESTAMP '{far}' OR ({running}) THEN NULL ELSE departure
                    END AS departure,
                    none_yet OR coalesce(departure < TIMESTAMP '{far}', false) AS none_yet,
                    NOT still AND coalesce({running}, false) AS running
                FROM stamped
                WHERE NOT ignored AND (arrival IS NULL OR arrival < $as_of OR arrival::DATE > $today)
            ), found AS (
                SELECT
                    *,
                    CASE
                        WHEN person IS NULL THEN 'missing id'
                        WHEN NOT has_arrival THEN 'missing arrival'
                        WHEN arrival IS NULL THEN 'unparseable arrival'
                        WHEN arrival::DATE > $today THEN 'arrival lies in the future'
                        WHEN arrival < TIMESTAMP '{bulk}' THEN 'arrival long before all others'
                        WHEN stream IS NULL THEN 'unknown service'
                        WHEN {self._source.knows_outcomes} AND outcome IS NULL THEN 'unknown outcome'
                    END AS reason
                FROM departures
            ), repeated AS (
                SELECT person, arrival FROM found WHERE reason IS NULL GROUP BY ALL HAVING count(*) > 1
            ), ranked AS (
                -- of the same visit twice, the row with a departure says more; else the first one stays
                SELECT
                    row, first_value(row) OVER visit AS kept
                FROM found JOIN repeated USING (person, arrival)
                WHERE reason IS NULL
                WINDOW visit AS (
                    PARTITION BY person, arrival
                    ORDER BY departure IS NULL OR departure < arrival OR departure >= $as_of, row
                )
            )
            SELECT
                found.* REPLACE (CASE WHEN kept <> row THEN 'duplicate' ELSE reason END AS reason), kept
            FROM found LEFT JOIN ranked USING (row)
        """, {"as_of": as_of, "today": today or pd.Timestamp("9999-12-31")})  # fmt: skip

    def _running(self) -> str:
        """SQL: whether a departure means that the patient was in the hospital on the last moment of the extract."""
        if self._source.running_until is None:
            return "false"
        arrival, departure = self._one(
            "SELECT max(arrival) FILTER (arrival < $1), max(departure) FILTER (departure < $1) FROM stamped",
            [self._tomorrow],
        )
        if departure is None or (arrival is not None and departure.date() < arrival.date()):
            return "false"
        return f"departure = TIMESTAMP '{departure}'"

    def _mark_days(self, as_of: pd.Timestamp) -> None:
        """Mark stamps of `judged` that resolve days only, and departures that cannot be right, which are dropped."""
        self._connection.execute("""
            CREATE OR REPLACE TABLE midnights AS
            SELECT
                bool_and(arrival = date_trunc('day', arrival)) AS arrivals,
                coalesce(bool_and(departure = date_trunc('day', departure)) FILTER (departure < $1), false)
                    AS departures
            FROM judged WHERE reason IS NULL
        """, [as_of])  # fmt: skip
        self._connection.execute("""
            CREATE OR REPLACE TABLE visible AS
            WITH days AS (
                SELECT
                    * EXCLUDE (has_arrival),
                    arrival = date_trunc('day', arrival) AND (midnights.arrivals OR NOT arrival_timed) AS arrival_day,
                    departure = date_trunc('day', departure) AND (midnights.departures OR NOT departure_timed)
                        AS departure_day
                FROM judged, midnights
            ), compared AS (
                SELECT
                    *,
                    departure < arrival AND NOT (
                        (arrival_day OR departure_day) AND departure::DATE = arrival::DATE
                    ) AS backward
                FROM days
            )
            SELECT
                * EXCLUDE (departure, backward),
                coalesce(backward, false) AS backward,
                CASE WHEN NOT coalesce(backward, false) AND departure < $1 THEN departure END AS departure,
                coalesce(departure >= $1, false) AS departs_later
            FROM compared
        """, [as_of])  # fmt: skip
        self._connection.execute("DROP TABLE judged")

    def _first_of_bulk(self, as_of: pd.Timestamp) -> pd.Timestamp:
        """The first day of the arrivals but for a few that lie years before all others."""
        days = self._connection.execute(
            "SELECT arrival::DATE AS day, count(*) AS n FROM stamped WHERE arrival < ? AND NOT ignored "
            "GROUP BY day ORDER BY day",
            [as_of],
        ).df()
        total = int(days["n"].sum())
        gaps = days["day"].diff().dt.days > STRAY_GAP_DAYS
        few = days["n"].cumsum().shift(fill_value=0) <= max(1.0, STRAY_SHARE * total)
        stray = np.flatnonzero(gaps & few) if total >= STRAY_MIN_ROWS else []
        return days["day"].iloc[stray[-1] if len(stray) else 0].as_unit("us")

    def _rejects(self) -> pd.DataFrame:
        """The rows set aside, as columns of patient_rejects. Raises DataError when they, with the rows whose departure
        cannot be right, are too many."""
        columns, source = self._source.columns, self._source
        found = self._connection.execute(f"""
            SELECT
                row, coalesce(reason, 'departure cannot be right') AS reason, kept, {as_digits("person")} AS hashed,
                coalesce(cells.arrival, visible.arrival::VARCHAR) AS arrival, cells.departure, cells.service,
                cells.outcome
            FROM visible LEFT JOIN cells USING (row)
            WHERE reason IS NOT NULL OR unread OR backward
            ORDER BY row
        """).df()  # fmt: skip
        backward, compared = self._one(
            "SELECT count(*) FILTER (backward), count(*) FROM visible "
            "WHERE reason IS NULL AND (backward OR departure IS NOT NULL)"
        )
        if backward > max(STRAY_MIN_ROWS, compared / 2):
            raise DataError(
                f"{self._text.place}: columns.arrival ({quoted(columns.arrival)}) and columns.departure "
                f"({quoted(columns.departure)}) seem to be swapped: in {backward:,} of {compared:,} rows the departure "
                "lies before the arrival"
            )
        shown = {
            "patient_id": found["hashed"].mask(found["reason"] == "duplicate", self._kept_rows(found["kept"])),
            "arrival": shown_stamps(found["arrival"]),
            "departure": shown_stamps(found["departure"]),
            "service": shown_names(found["service"], source.streams),
            "outcome": shown_names(found["outcome"], OUTCOMES),
        }
        names = {key: getattr(columns, key) or key for key in ("arrival", *shown)}
        rejects = told_by_line(self._text, found, _WRONG_COLUMNS, names, shown)
        check_share(self._text.place, rejects, self.count, source.max_reject_share)
        stays = rejects["reason"] == "departure cannot be right"
        self._tell_departures(rejects[stays])
        return rejects[~stays].assign(extract="patients")

    def _kept_rows(self, rows: pd.Series) -> pd.Series:
        """Which row was kept of a visit that is there twice, in words: a hashed id cannot be looked for."""
        known = rows.dropna().astype("int64")
        lines = self._text.lines(known.to_numpy()) if len(known) else []
        return pd.Series([f"as in line {line}" for line in lines], index=known.index, dtype="str").reindex(rows.index)

    def _tell_departures(self, rejects: pd.DataFrame) -> None:
        if len(rejects):
            first = rejects.iloc[0]
            self._warnings.add(
                "departures cannot be read or lie before the arrival; these patients departed at an unknown time "
                f"(line {first['row']}: {quoted(first['value'])})",
                len(rejects),
            )

    def _tell(self, as_of: pd.Timestamp) -> int:
        """Add the warnings about rows that passed, and about those left out; returns the number of these."""
        source, add = self._source, self._warnings.add
        told = {
            "departures mean that there is none yet (patients.missing)": "reason IS NULL AND none_yet AND NOT still",
            "departures lie on the last moment of the extract and count as still in the hospital (running_until)": (
                "reason IS NULL AND running"
            ),
            "patients are still in the hospital by still_patient": "reason IS NULL AND still",
        }
        for words, condition in told.items():
            add(words, *self._one(f"SELECT count(*), min(row) FROM visible WHERE {condition}"))
        left_out, row = self._one(
            "SELECT count(*), min(row) FROM stamped WHERE NOT ignored AND row NOT IN (SELECT row FROM visible)"
        )
        add(f"rows lie at or after as_of {shown(as_of)} and are left out", left_out, row)
        if source.other is not None and source.columns.service is not None:
            words = f"rows have a service that patients.streams does not list; they count as {source.other}"
            add(words, *self._others)
        if source.running_until is None:
            self._tell_likely_running()
        return left_out

    def _tell_likely_running(self) -> None:
        """More departures on the last moment than on any other, or one without a time among stamps with times, are
        likely patients who are still in the hospital (OMOP ends a running visit on the day of the extract)."""
        counts = self._connection.execute("""
            SELECT departure, count(*), min(row), bool_and(departure_day) FROM visible
            WHERE reason IS NULL AND departure IS NOT NULL GROUP BY departure ORDER BY departure DESC
        """)
        last = counts.fetchone()
        if last is None:
            return
        _, count, row, by_day = last
        most, times = self._one(
            "SELECT coalesce(max(n), 0), coalesce(bool_or(timed), false) FROM (SELECT count(*) AS n, "
            "bool_or(NOT departure_day) AS timed FROM visible WHERE reason IS NULL AND departure < ? "
            "GROUP BY departure)",
            [last[0]],
        )
        if times and (count > max(most, 1) or by_day):
            self._warnings.add(
                "departures lie on the last moment of the extract: likely patients who are still in the hospital; if "
                "so, set patients.running_until: extract_date",
                count,
                row,
            )

    def _passed(self) -> pd.DataFrame:
        """The rows that are patients."""
        person = as_digits("person") if self._source.stays else "NULL::VARCHAR"
        found = self._connection.sql(f"""
            WITH passed AS (
                SELECT *, {hashed_visit("person", "arrival")} AS visit FROM visible WHERE reason IS NULL
            ), open AS (
                SELECT row, person, arrival FROM passed
                WHERE departure IS NULL AND NOT unread AND NOT backward
                AND (outcome IS NULL OR outcome NOT IN ('diverted', 'left'))
            ), superseded AS (
                SELECT DISTINCT open.row AS row, true AS superseded FROM open JOIN passed AS later
                ON later.person = open.person AND later.arrival > open.arrival
            )
            SELECT
                row, {person} AS person, {as_digits("visit")} AS id, stream::VARCHAR AS stream,
                coalesce(outcome, 'admitted')::VARCHAR AS outcome, arrival, arrival_utc AS utc, departure, arrival_day,
                coalesce(departure_day, false) AS departure_day, departs_later,
                coalesce(superseded, false) AS superseded,
                unread OR backward OR coalesce(superseded, false) AS unknown, still
            FROM passed LEFT JOIN superseded USING (row) ORDER BY visit
        """).to_arrow_table().to_pandas()  # fmt: skip
        rows = found["superseded"].to_numpy().nonzero()[0]
        self._warnings.add(
            "visits without a departure are followed by another visit of the same id; they ended at an unknown time",
            len(rows),
            int(found["row"].iloc[rows].min()) if len(rows) else None,
        )
        if self._source.still_patient is not None:
            gone = found["departure"].isna() & ~found["still"] & ~found["departs_later"] & ~found["unknown"]
            gone &= found["outcome"].isin(["admitted", "waiting"])
            rows = gone.to_numpy().nonzero()[0]
            self._warnings.add(
                "patients have no departure and are not in the hospital by still_patient; they departed at an unknown "
                "time",
                len(rows),
                int(found["row"].iloc[rows].min()) if len(rows) else None,
            )
            found["unknown"] |= gone
        return found


_WRONG_COLUMNS = {
    "missing id": "patient_id",
    "duplicate": "patient_id",
    "departure cannot be right": "departure",
    "unknown service": "service",
    "unknown outcome": "outcome",
}
"""The wrong column; of other reasons it is the arrival."""


def missing_dates(missing: Sequence[str]) -> dict[str, date]:
    """Those of the cells that mean that there is no time yet which are dates, and the dates."""
    found = {}
    for text in missing:
        for format_ in ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y"):
            with suppress(ValueError):
                found[text] = datetime.strptime(text, format_).date()
    return found


def end_of(source: Extract) -> pd.Timestamp | None:
    """The midnight after the last day that the config says is complete."""
    last = source.complete_through
    return None if last is None else pd.Timestamp(last).as_unit("us") + pd.Timedelta(days=1)
