"""Daily arrivals: requests per stream and complete day, in SQL on an in-memory DuckDB.

A day on which nothing came in any stream is an outage of the records, and not a day without patients, when the hospital
usually is busy on that weekday: the last eight earlier same weekdays with any request had five or more on average.
"""

import duckdb
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import SyntheticPatients
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.tables import DAILY_ARRIVALS

_SQL = """
WITH days AS (
    SELECT unnest(generate_series($first::DATE, $last::DATE, INTERVAL 1 DAY))::DATE AS date
), counts AS (
    SELECT
        stream_id,
        arrival::DATE AS date,
        count(*) AS arrivals,
        count(*) FILTER (outcome = 'admitted') AS admitted,
        count(*) FILTER (outcome IN ('diverted', 'left')) AS turned_away
    FROM patients
    GROUP BY ALL
), totals AS (
    SELECT date, coalesce(sum(arrivals), 0) AS total FROM days LEFT JOIN counts USING (date) GROUP BY date
), last_same_weekdays AS (
    SELECT empty.date, earlier.total
    FROM totals AS empty
    JOIN totals AS earlier
        ON earlier.date < empty.date AND isodow(earlier.date) = isodow(empty.date) AND earlier.total > 0
    WHERE empty.total = 0
    QUALIFY row_number() OVER (PARTITION BY empty.date ORDER BY earlier.date DESC) <= $same_weekdays
), outages AS (
    SELECT date FROM last_same_weekdays GROUP BY date HAVING avg(total) >= $busy
)
SELECT
    stream_id,
    date,
    coalesce(arrivals, 0) AS arrivals,
    CASE WHEN $outcome_known THEN coalesce(admitted, 0) END AS admitted,
    CASE WHEN $outcome_known THEN coalesce(turned_away, 0) END AS turned_away,
    date NOT IN (FROM outages) AS observed,
    $outcome_known AS demand_observed
FROM (SELECT unnest($streams) AS stream_id)
CROSS JOIN days
LEFT JOIN counts USING (stream_id, date)
"""

OUTAGE_SAME_WEEKDAYS = 8
OUTAGE_BUSY = 5


def arrivals_per_day(patients: pd.DataFrame, config: HospitalConfig) -> pd.DataFrame:
    """The table daily_arrivals: every stream of `config` on every complete day, zeros included.

    Days run from the first of the data (a synthetic history's start) to the one before `as_of`. Without an outcome in
    the source, nobody knows who was turned away: admitted and turned_away are null and demand_observed is false.
    Raises DataError when there is no patient at all.
    """
    if patients.empty:
        raise DataError(f"hospital {config.id}: not one patient before as_of; choose a later as_of")
    source = config.patients
    synthetic = isinstance(source, SyntheticPatients)
    as_of: pd.Timestamp = patients["as_of"].iloc[0]
    parameters = {
        "first": source.history_start if synthetic else patients["arrival"].min().date(),
        "last": (as_of - pd.Timedelta(days=1)).date(),
        "streams": [stream.id for stream in config.arrival_streams],
        "outcome_known": synthetic or source.columns.outcome is not None,
        "same_weekdays": OUTAGE_SAME_WEEKDAYS,
        "busy": OUTAGE_BUSY,
    }
    with duckdb.connect(":memory:") as connection:
        connection.register("patients", patients[["stream_id", "arrival", "outcome"]])
        daily = connection.execute(_SQL, parameters).df()
    return DAILY_ARRIVALS.frame(daily, hospital_id=config.id, as_of=as_of)
