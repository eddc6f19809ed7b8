"""What happened in each ward: its census by hour of the week and by day, and who came and went, in SQL on an in-memory
DuckDB.

All is counted from the stays in beds, as `observed_census` does: admit <= instant < depart, without patients whose
departure is unknown. A place is a ward, a group of wards or the hospital; its census is the sum over its wards at each
instant, and quantiles are those of that sum. Flows are counted one by one. A move between two wards of a place is no
flow of it, nor is the pause between them, unless it lasts over midnight. A flow at the instant of midnight is one of
the day that ends, for the midnight census has it already:

    census of a midnight + net flow of the day = census of the next midnight.
"""

from typing import NamedTuple

import duckdb
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.patients.care_stays import beds_by_hour
from kaizar_pipeline.patients.observed_census import hours_are_known
from kaizar_pipeline.tables import (
    ALL,
    ALL_HOURS,
    CENSUS_PERCENTAGES,
    OBSERVED_FLOWS,
    WARD_HISTORY,
    WARD_HISTORY_DAYS,
)

WINDOWS = (28, 365)
"""The complete days before as_of that are looked at: the last four weeks and the last year."""

_DAY_OF = "CREATE TEMP MACRO day_of(instant) AS CAST(instant - INTERVAL 1 MICROSECOND AS DATE)"

_STAYS = """
CREATE TEMP TABLE stays AS
WITH numbered AS (
    SELECT *, max(stay_no) OVER (PARTITION BY patient_id) AS last_no FROM ward_stays
)
SELECT
    ward_id, admit, depart, urgency, stay_no < last_no AS goes_on,
    lag(ward_id) OVER visit AS from_ward, lag(depart) OVER visit AS from_depart,
    lead(ward_id) OVER visit AS to_ward, lead(admit) OVER visit AS to_admit
FROM numbered JOIN patients USING (patient_id) JOIN streams USING (stream_id)
WHERE admit IS NOT NULL
WINDOW visit AS (PARTITION BY patient_id ORDER BY stay_no)
QUALIFY depart IS NULL OR depart >= $first
"""

_MOVES = """
CREATE TEMP TABLE moves AS
SELECT
    here.place, admit AS moment, CASE WHEN from_ward IS NULL THEN 'arrivals' ELSE 'transfers_in' END AS flow, urgency,
    1 AS step
FROM stays JOIN members AS here USING (ward_id)
LEFT JOIN members AS other
    ON other.place = here.place AND other.ward_id = from_ward AND day_of(from_depart) = day_of(admit)
WHERE other.place IS NULL
UNION ALL
SELECT here.place, depart, CASE WHEN goes_on THEN 'transfers_out' ELSE 'discharges' END, urgency, -1
FROM stays JOIN members AS here USING (ward_id)
LEFT JOIN members AS other
    ON other.place = here.place AND other.ward_id = to_ward AND day_of(to_admit) = day_of(depart)
WHERE other.place IS NULL AND depart IS NOT NULL
UNION ALL
SELECT place, coalesce(waited_until, departure, arrival), 'turned_away', urgency, 0
FROM patients JOIN streams USING (stream_id) JOIN members ON ward_id = target_ward
LEFT JOIN (SELECT patient_id, depart AS waited_until FROM ward_stays WHERE admit IS NULL) USING (patient_id)
WHERE outcome IN ('diverted', 'left')
"""

_HOURS = """
CREATE TEMP TABLE hours AS
WITH steps AS (
    SELECT place, admit AS moment, 1 AS step FROM stays JOIN members USING (ward_id)
    UNION ALL
    SELECT place, depart, -1 FROM stays JOIN members USING (ward_id) WHERE depart IS NOT NULL
), timed AS (
    SELECT place, step, date_trunc('hour', greatest(moment, $first)) AS hour, epoch_us(moment - hour) AS since
    FROM steps WHERE moment < $end
), changes AS (
    SELECT
        place, hour, sum(step) AS net, sum(step) FILTER (since <= 0) AS sharp,
        sum(step * (3600000000 - greatest(since, 0))) AS lasting
    FROM timed GROUP BY place, hour
), flows AS (
    SELECT
        place, date_trunc('hour', moment) AS hour, count(*) FILTER (step = 1) AS arrivals,
        count(*) FILTER (step = -1) AS departures
    FROM moves GROUP BY ALL
), known AS (
    SELECT
        place, hour, staffed, coalesce(sharp, 0) AS sharp, coalesce(lasting, 0) / 3600000000 AS lasting,
        coalesce(sum(net) OVER (
            PARTITION BY place ORDER BY hour ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ), 0) AS before
    FROM staffed_hours LEFT JOIN changes USING (place, hour)
)
SELECT
    place, hour, (before + sharp)::DOUBLE AS census, (before + lasting)::DOUBLE AS beds_occupied,
    staffed::DOUBLE AS staffed, coalesce(arrivals, 0)::DOUBLE AS arrivals,
    coalesce(departures, 0)::DOUBLE AS departures
FROM known LEFT JOIN flows USING (place, hour)
ORDER BY place, hour
"""

_BY_HOUR_OF_WEEK = f"""
WITH figures AS (
    SELECT place, hour, census, beds_occupied, beds_occupied / nullif(staffed, 0) AS occupancy, arrivals, departures
    FROM hours
), known AS (
    UNPIVOT figures ON census, beds_occupied, occupancy, arrivals, departures INTO NAME quantity VALUE value
), looked_at AS (
    SELECT
        place, window_days, quantity, value, isodow(known.hour) - 1 AS weekday, date_part('hour', known.hour) AS hour
    FROM known JOIN (SELECT unnest($windows) AS window_days) ON known.hour >= $end - to_days(window_days::INTEGER)
    WHERE $timed OR (quantity = 'census' AND known.hour = date_trunc('day', known.hour))
), summarized AS (
    SELECT
        place AS ward_id, window_days, quantity, coalesce(weekday, {ALL_HOURS}) AS weekday,
        coalesce(hour, {ALL_HOURS}) AS hour, count(*) AS n, avg(value) AS mean, stddev_samp(value) AS sd,
        skewness(value) AS skewness, kurtosis(value) AS kurtosis, min(value) AS minimum, max(value) AS maximum,
        quantile_cont(value, [{", ".join(f"0.{q}" for q in CENSUS_PERCENTAGES)}]) AS q
    FROM looked_at
    GROUP BY GROUPING SETS ((place, window_days, quantity, weekday, hour), (place, window_days, quantity))
)
SELECT * EXCLUDE (q), {", ".join(f"q[{i}] AS p{q}" for i, q in enumerate(CENSUS_PERCENTAGES, start=1))}
FROM summarized
"""

_BY_DAY = """
SELECT
    place AS ward_id, hour::DATE AS date, arg_min(census, hour) AS midnight_census,
    CASE WHEN $timed THEN max(census) END AS peak, CASE WHEN $timed THEN avg(beds_occupied) END AS mean_census,
    avg(staffed) AS staffed_beds, CASE WHEN $timed THEN sum(beds_occupied) / nullif(sum(staffed), 0) END AS occupancy,
    CASE WHEN $timed AND count(staffed) > 0 THEN count(*) FILTER (census >= greatest(staffed, 1)) END AS hours_full
FROM hours
GROUP BY place, hour::DATE
"""

_FLOWS = f"""
WITH kinds(flow, urgency) AS (
    VALUES ('arrivals', '{ALL}'), ('arrivals', 'emergency'), ('arrivals', 'planned'), ('transfers_in', '{ALL}'),
        ('transfers_out', '{ALL}'), ('discharges', '{ALL}'), ('turned_away', '{ALL}'), ('net', '{ALL}')
), counted AS (
    SELECT place, day_of(moment) AS date, flow, urgency, count(*) AS n FROM moves GROUP BY ALL
    UNION ALL
    SELECT place, day_of(moment), 'net', '{ALL}', sum(step) FROM moves GROUP BY ALL
)
SELECT
    days.place AS ward_id, days.date, kinds.flow, kinds.urgency,
    CASE WHEN $outcome_known OR kinds.flow <> 'turned_away' THEN coalesce(sum(n), 0) END AS count
FROM (SELECT DISTINCT place, hour::DATE AS date FROM hours) AS days CROSS JOIN kinds
LEFT JOIN counted
    ON counted.place = days.place AND counted.date = days.date AND counted.flow = kinds.flow
    AND kinds.urgency IN ('{ALL}', counted.urgency)
GROUP BY days.place, days.date, kinds.flow, kinds.urgency
"""


class Happened(NamedTuple):
    """What happened in the wards of one hospital, as tables."""

    ward_history: pd.DataFrame
    ward_history_days: pd.DataFrame
    observed_flows: pd.DataFrame


def what_happened(patients: pd.DataFrame, ward_stays: pd.DataFrame, config: HospitalConfig) -> Happened:
    """The tables ward_history, ward_history_days and observed_flows of the last 365 complete days before as_of.

    Days begin with the first whole one of the stays. Staffed beds are those of the config's calendar. Where stamps
    are days, hours are drawn: then nothing is said of the hours between the midnights.
    """
    as_of = pd.Timestamp(patients["as_of"].iloc[0])
    end = as_of.normalize()
    unknown = patients.loc[~patients["departure_known"], "patient_id"]
    stays = ward_stays[~ward_stays["patient_id"].isin(unknown)]
    first = max(stays["admit"].min().ceil("D"), end - pd.Timedelta(days=max(WINDOWS)))
    constants = {"hospital_id": config.id, "as_of": as_of}
    if not first < end:  # also where nobody was ever admitted
        return Happened(WARD_HISTORY.empty(), WARD_HISTORY_DAYS.empty(), OBSERVED_FLOWS.empty())
    timed = hours_are_known(patients)
    # one thread: the order in which figures are added up is then always the same
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        columns = ["patient_id", "stream_id", "arrival", "departure", "outcome"]
        connection.register("patients", patients[columns])
        connection.register("ward_stays", stays[["patient_id", "stay_no", "ward_id", "admit", "depart"]])
        connection.register("members", _members(config))
        connection.register("streams", _streams(config))
        connection.register("staffed_hours", _staffed_hours(config, first, end))
        connection.execute(_DAY_OF)
        connection.execute(_STAYS, {"first": first})
        connection.execute(_MOVES)
        connection.execute(_HOURS, {"first": first, "end": end})
        windows = {"windows": list(WINDOWS), "end": end, "timed": timed}
        by_hour = connection.execute(_BY_HOUR_OF_WEEK, windows).df()
        by_day = connection.execute(_BY_DAY, {"timed": timed}).df()
        flows = connection.execute(_FLOWS, {"outcome_known": config.patients.knows_outcomes}).df()
    return Happened(
        WARD_HISTORY.frame(by_hour, **constants),
        WARD_HISTORY_DAYS.frame(by_day, **constants),
        OBSERVED_FLOWS.frame(flows, **constants),
    )


def _members(config: HospitalConfig) -> pd.DataFrame:
    """The wards of each place."""
    pairs = [(place, ward) for place, wards in config.ward_axis.items() for ward in wards]
    return pd.DataFrame(pairs, columns=["place", "ward_id"])


def _streams(config: HospitalConfig) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (stream.id, stream.target_ward, "planned" if stream.is_planned else "emergency")
            for stream in config.arrival_streams
        ],
        columns=["stream_id", "target_ward", "urgency"],
    )


def _staffed_hours(config: HospitalConfig, first: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    """The beds staffed in each place as each hour begins, null for unlimited: place, hour, staffed."""
    hours = pd.date_range(first, end, freq="h", inclusive="left", unit="us")
    beds = {ward.id: beds_by_hour(ward, hours) for ward in config.wards}
    rows = [
        pd.DataFrame({"place": place, "hour": hours, "staffed": sum(beds[ward] for ward in wards)})
        for place, wards in config.ward_axis.items()
    ]
    return pd.concat(rows, ignore_index=True)
