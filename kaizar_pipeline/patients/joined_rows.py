"""Visits from an extract whose rows are ward stays: rows of one id that touch are one visit."""

import duckdb

LONGEST_GAP_HOURS = 4
"""Rows of one id that are no further apart are one visit: the patient was on the way to the next ward."""


def join_touching_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Make one row of those rows of `stamped` that are one visit: it has the arrival, stream and number of the first of
    them, and the departure of the last. Rows without an id or arrival stay as they are."""
    connection.execute(f"""
        CREATE TABLE joined AS
        WITH told AS (
            SELECT *, person IS NULL OR arrival IS NULL AS alone FROM stamped
        ), reached AS (
            SELECT
                *, max(coalesce(departure, arrival)) OVER (
                    PARTITION BY person ORDER BY arrival, departure, row
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ) AS until
            FROM told
        ), numbered AS (
            SELECT
                *, CASE WHEN alone THEN row ELSE sum(CASE WHEN arrival > until + INTERVAL {LONGEST_GAP_HOURS} HOUR
                    THEN 1 ELSE 0 END) OVER (PARTITION BY person ORDER BY arrival, departure, row) END AS visit
            FROM reached
        )
        SELECT
            first(COLUMNS(* EXCLUDE (alone, until, visit, departure, departure_timed, unread, still, none_yet))
                ORDER BY arrival, departure, row),
            last(COLUMNS(['departure_timed', 'unread', 'still', 'none_yet']) ORDER BY arrival, departure, row),
            CASE WHEN last(departure ORDER BY arrival, departure, row) IS NOT NULL THEN max(departure) END AS departure
        FROM numbered GROUP BY person, alone, visit;
        DROP TABLE stamped;
        ALTER TABLE joined RENAME TO stamped
    """)
