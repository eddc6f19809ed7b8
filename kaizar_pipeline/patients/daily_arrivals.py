"""Daily arrivals: requests per stream and complete day, in SQL on an in-memory DuckDB.

A day without a request in any stream is an outage of the records, and not a day without patients, when the hospital is
usually busy on that weekday: the last eight earlier same weekdays with any request had five or more on average. So is
a stream's day without a request while others have some, under stricter rules, for a stream may rest: it is no public
holiday nor within 24 to 31 December, and of the last eight such same weekdays of the stream, four at least, no more
than two were empty, and the mean is ten or more.
"""

import duckdb
import pandas as pd

from kaizar_pipeline.config.calendar import public_holidays
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.snapshot import shown
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.openings import within_opening
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
), daily AS (
    SELECT stream_id, date, coalesce(arrivals, 0) AS arrivals
    FROM (SELECT unnest($streams) AS stream_id) CROSS JOIN days LEFT JOIN counts USING (stream_id, date)
), begun AS (
    SELECT stream_id, min(date) AS first FROM counts GROUP BY stream_id
), usual_days AS (
    SELECT daily.* FROM daily JOIN begun USING (stream_id) WHERE date >= first AND date NOT IN (SELECT unnest($rests))
), own_same_weekdays AS (
    SELECT empty.stream_id, empty.date, earlier.arrivals
    FROM usual_days AS empty
    JOIN usual_days AS earlier
        ON earlier.stream_id = empty.stream_id AND isodow(earlier.date) = isodow(empty.date)
        AND earlier.date < empty.date AND earlier.date >= empty.date - $reach
    WHERE empty.arrivals = 0
    QUALIFY row_number() OVER (PARTITION BY empty.stream_id, empty.date ORDER BY earlier.date DESC) <= $same_weekdays
), own_outages AS (
    SELECT stream_id, date FROM own_same_weekdays GROUP BY ALL
    HAVING count(*) >= $own_at_least AND avg(arrivals) >= $own_busy
        AND count(*) FILTER (arrivals = 0) <= $own_empty
)
SELECT
    stream_id,
    date,
    daily.arrivals,
    CASE WHEN $outcome_known THEN coalesce(admitted, 0) END AS admitted,
    CASE WHEN $outcome_known THEN coalesce(turned_away, 0) END AS turned_away,
    date NOT IN (FROM outages) AND (stream_id, date) NOT IN (FROM own_outages) AS observed,
    $outcome_known AS demand_observed
FROM daily
LEFT JOIN counts USING (stream_id, date)
"""

OUTAGE_SAME_WEEKDAYS = 8
OUTAGE_BUSY = 5
_OWN = {"own_at_least": 4, "own_busy": 10, "own_empty": 2, "reach": 7 * (OUTAGE_SAME_WEEKDAYS + 2)}
"""The same for one stream: same weekdays at least, their mean, empty ones at most, and how many days back they lie."""


def arrivals_per_day(patients: pd.DataFrame, config: HospitalConfig) -> pd.DataFrame:
    """The table daily_arrivals: every stream of `config` on every complete day, zeros included.

    Days run from the first of the data (the start of a synthetic history) to the last one that is over at `as_of`.
    Where the source does not know who was turned away, admitted and turned_away are null and demand_observed is false.
    Outages, and days on which a stream was not open (`within_opening`), are not observed.
    Raises DataError when there is no patient.
    """
    if patients.empty:
        raise DataError(f"hospital {config.id}: no patient before as_of; choose a later as_of")
    as_of: pd.Timestamp = patients["as_of"].iloc[0]
    first = config.patients.history_start or patients["arrival"].min().date()
    dates = pd.date_range(first, as_of.normalize() - pd.Timedelta(days=1))
    if dates.empty:
        raise DataError(f"hospital {config.id}: no complete day before as_of {shown(as_of)}; choose a later as_of")
    rests = public_holidays(config.hospital, dates) | ((dates.month == 12) & (dates.day >= 24))
    parameters = {
        "first": first,
        "last": dates[-1].date(),
        "rests": [day.date() for day in dates[rests]],
        "streams": [stream.id for stream in config.arrival_streams],
        "outcome_known": config.patients.knows_outcomes,
        "same_weekdays": OUTAGE_SAME_WEEKDAYS,
        "busy": OUTAGE_BUSY,
        **_OWN,
    }
    with duckdb.connect(":memory:") as connection:
        connection.register("patients", patients[["stream_id", "arrival", "outcome"]])
        daily = connection.execute(_SQL, parameters).df()
    daily["observed"] &= within_opening(daily, config)
    return DAILY_ARRIVALS.frame(daily, hospital_id=config.id, as_of=as_of)
