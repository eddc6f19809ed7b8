"""Which stream a service of an extract feeds, and the services that are none of the hospital's business, in SQL."""

import duckdb

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import Extract

RARE_SERVICE = 20
"""Rows below which a service that the config does not name is not shown by its name."""


def stream_of_service(config: HospitalConfig, source: Extract) -> str:
    """SQL: the stream of the column `service`, null where it is not known."""
    if source.columns.service is None:
        return literal(config.arrival_streams[0].id)
    cases = "".join(f" WHEN {literal(name)} THEN {literal(stream)}" for name, stream in source.streams.items())
    other = "NULL" if source.other is None else literal(source.other)
    return f"CASE service{cases} ELSE {other} END" if cases else f"{other}::VARCHAR"


def is_ignored(source: Extract) -> str:
    """SQL: whether the config leaves out the column `service`."""
    named = ", ".join(map(literal, source.ignore)) or "''"
    return f"coalesce(service IN ({named}) OR ({'*' in source.ignore} AND service NOT IN ({_listed(source)})), false)"


def count_ignored(connection: duckdb.DuckDBPyConnection, source: Extract) -> dict[str, int]:
    """The number of rows of the table `cells` that the config leaves out, by service; and the table `ignored`, with the
    ids of patients who have no other row.

    Rare services that the config does not name are counted together: a cell may hold something else by mistake.
    """
    connection.execute(f"""
        CREATE TABLE ignored AS
        SELECT patient_id FROM cells GROUP BY patient_id HAVING bool_and({is_ignored(source)})
    """)
    counts = connection.execute(
        f"SELECT service, count(*) FROM cells WHERE {is_ignored(source)} GROUP BY ALL ORDER BY count(*) DESC, service"
    ).fetchall()
    shown = {service: rows for service, rows in counts if rows >= RARE_SERVICE or service in source.ignore}
    rare = sum(rows for _, rows in counts) - sum(shown.values())
    return shown | ({"rare services": rare} if rare else {})


def count_others(connection: duckdb.DuckDBPyConnection, source: Extract) -> tuple[int, int | None]:
    """How many rows of the table `cells` have a service that `streams` does not list, and the first of them."""
    listed = f"service IS NULL OR service NOT IN ({_listed(source)})"
    query = f"SELECT count(*), min(row) FROM cells WHERE ({listed}) AND NOT {is_ignored(source)}"
    return connection.execute(query).fetchall()[0]


def literal(text: str) -> str:
    """`text` in SQL."""
    return "'" + text.replace("'", "''") + "'"


def _listed(source: Extract) -> str:
    return ", ".join(map(literal, source.streams)) or "''"
