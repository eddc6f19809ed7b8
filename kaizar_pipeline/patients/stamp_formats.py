"""What a text says as a time: SQL expressions that read stamps, and how the order of day and month is decided.

Without a configured format, ISO 8601 and its compact form are read, and numeric dates such as 03/06/2024 in the one
order that all rows of the extract allow. A stamp that carries an offset becomes local wall time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb

from kaizar_pipeline.errors import DataError, quoted
from kaizar_pipeline.patients.extract_warnings import ExtractWarnings

_TIME = r"\d{1,2}:\d{2}(:\d{2}([.,]\d{1,9})?)?"
_ISO = rf"\d{{4}}-\d{{2}}-\d{{2}}([T ]{_TIME})?"
_WITH_OFFSET = rf"\d{{4}}-\d{{2}}-\d{{2}}[T ]{_TIME}(Z|[+-]\d{{2}}(:?\d{{2}})?)"
_COMPACT = r"\d{8}([T ]?\d{4}(\d{2})?)?"
_COMPACT_FORMATS = [f"%Y%m%d{time}" for time in ("", "%H%M", "%H%M%S", "T%H%M", "T%H%M%S", " %H%M", " %H%M%S")]
_NUMERIC = r"^(\d{1,2})([/.-])(\d{1,2})[/.-](\d{4})"
_MIDNIGHT_AS_24 = r"([T ])24:00(:00)?$"

_MISTYPED_SHARE = 0.01
"""Stamps of the other order of day and month, as a share, up to which they are mistyped and are set aside."""

DAY_FIRST, MONTH_FIRST = "day/month/year", "month/day/year"
"""Orders of the numbers of a date."""


@dataclass(frozen=True)
class StampFormat:
    """How the stamps of one extract are read."""

    timezone: str
    """The hospital's, in which stamps with an offset are told."""
    configured: str | None = None
    """The format that the config names, as of strptime."""
    order: str = DAY_FIRST
    """Order of numeric dates."""

    def utc(self, text: str) -> str:
        """SQL: universal time of the SQL expression `text`, null where it has no offset or cannot be read."""
        if self.configured is None:
            return (
                f"CASE WHEN regexp_full_match({text}, '{_WITH_OFFSET}') "
                f"THEN try_cast({_decimal_point(text)} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' END"
            )
        if "%z" in self.configured:
            return f"({self._parsed(text)}) AT TIME ZONE 'UTC'"
        return "NULL::TIMESTAMP"

    def wall(self, text: str) -> str:
        """SQL: the local time of `text` without an offset, null where it has one or cannot be read."""
        if self.configured is not None:
            return "NULL::TIMESTAMP" if "%z" in self.configured else self._parsed(text)
        order = r"\4-\3-\1" if self.order == DAY_FIRST else r"\4-\1-\3"
        numeric = f"regexp_replace({text}, '{_NUMERIC}', '{order}')"
        return (
            f"CASE WHEN regexp_full_match({text}, '{_ISO}') THEN try_cast({_decimal_point(text)} AS TIMESTAMP) "
            f"WHEN regexp_full_match({text}, '{_COMPACT}') THEN try_strptime({text}, {_COMPACT_FORMATS}) "
            f"WHEN regexp_full_match({text}, '{_NUMERIC}([T ]{_TIME})?') "
            f"THEN try_cast({_decimal_point(numeric)} AS TIMESTAMP) END"
        )

    def local(self, wall: str, utc: str) -> str:
        """SQL: local time, from `wall` or else from universal time."""
        return f"coalesce({wall}, {utc} AT TIME ZONE 'UTC' AT TIME ZONE '{self.timezone}')"

    def _parsed(self, text: str) -> str:
        """SQL: `text` by the configured format; 24:00 is the midnight that ends the day."""
        configured = "'" + (self.configured or "").replace("'", "''") + "'"
        earlier = rf"regexp_replace({text}, '{_MIDNIGHT_AS_24}', '\100:00\2')"
        return (
            f"CASE WHEN regexp_matches({text}, '{_MIDNIGHT_AS_24}') "
            f"THEN try_strptime({earlier}, {configured}) + INTERVAL 1 DAY ELSE try_strptime({text}, {configured}) END"
        )


def has_time(text: str) -> str:
    """SQL: whether the stamp `text` has a time of day, be it midnight."""
    return rf"regexp_matches({text}, ':|^\d{{8}}[T ]?\d{{4}}')"


def no_real_year(text: str) -> str:
    """SQL: whether `text` is a numeric date of a year that stands for no time, in any order, such as 31/12/9999."""
    return f"coalesce(try_cast(regexp_extract({text}, '{_NUMERIC}', 4) AS INT) NOT BETWEEN 1901 AND 2199, false)"


def settle_format(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    keys: Sequence[str],
    format_: StampFormat,
    warnings: ExtractWarnings,
) -> StampFormat:
    """The format of the stamps in the columns `keys` (begin and end) of `table`, with the order of numeric dates that
    all rows allow.

    Raises DataError when both orders are common, or no row tells them apart, naming both readings; and for a configured
    format where the other order of day and month fits the rows better.
    """
    if format_.configured is not None:
        _check_configured(connection, table, keys, format_, warnings)
        return format_
    found = [
        f"SELECT row, {key} AS text, regexp_extract({key}, '{_NUMERIC}', 1)::INT AS first, "
        f"regexp_extract({key}, '{_NUMERIC}', 3)::INT AS second FROM {table} WHERE regexp_matches({key}, '{_NUMERIC}') "
        f"AND NOT {no_real_year(key)}"
        for key in keys
    ]
    numeric, day_first, month_first, example = connection.execute(
        "SELECT count(*), count(*) FILTER (first > 12), count(*) FILTER (second > 12 AND second < 32), "
        f"arg_min(text, row) FILTER (first < 13 AND second < 13) FROM ({' UNION ALL '.join(found)})"
    ).fetchall()[0]
    if not numeric:
        return format_
    remedy = "name the format in patients.date_format, such as %d/%m/%Y %H:%M or %m/%d/%Y %H:%M"
    if min(day_first, month_first) > _MISTYPED_SHARE * max(day_first, month_first):
        raise DataError(
            f"{warnings.place}: {day_first:,} stamps read only as {DAY_FIRST} and {month_first:,} only as "
            f"{MONTH_FIRST}; correct them, or {remedy}"
        )
    if not day_first and not month_first:
        first, second = (
            connection.execute(
                f"SELECT ({replace(format_, order=order).wall('text')})::DATE FROM (SELECT ? AS text)", [example]
            ).fetchall()[0][0]
            for order in (DAY_FIRST, MONTH_FIRST)
        )
        raise DataError(
            f"{warnings.place}: the order of day and month is ambiguous: no stamp has a number above 12 there, so that "
            f"the first is {first} as {DAY_FIRST}, and {second} as {MONTH_FIRST}; {remedy}"
        )
    return replace(format_, order=DAY_FIRST if day_first > month_first else MONTH_FIRST)


def _check_configured(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    keys: Sequence[str],
    format_: StampFormat,
    warnings: ExtractWarnings,
) -> None:
    """Raise DataError when the configured format with day and month exchanged reads more stamps, or as many with fewer
    ends before the begin; a warning where no stamp tells the two apart."""
    configured = format_.configured or ""
    swapped = configured.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m")
    if swapped == configured or "%z" in configured:
        return
    read, backward = zip(
        *(_readings(connection, table, keys, replace(format_, configured=one)) for one in (configured, swapped)),
        strict=True,
    )
    if read[1] > read[0] or (read[1] == read[0] and backward[1] < backward[0]):
        raise DataError(
            f"{warnings.place}: date_format {quoted(configured)} reads {read[0]:,} stamps, {backward[0]:,} of them "
            f"before the one that they should follow; {quoted(swapped)} reads {read[1]:,}, {backward[1]:,} of them so: "
            "correct date_format"
        )
    if read[1] == read[0]:
        warnings.add(f"stamps read as {configured} could be {swapped} as well: no day is above 12", read[0])


def _readings(
    connection: duckdb.DuckDBPyConnection, table: str, keys: Sequence[str], format_: StampFormat
) -> tuple[int, int]:
    """How many stamps `format_` reads, and of how many rows the end lies before the begin."""
    begin, end = (format_.wall(key) for key in keys)
    return connection.execute(
        f"SELECT count(begin_) + count(end_), count(*) FILTER (end_ < begin_) FROM "
        f"(SELECT {begin} AS begin_, {end} AS end_ FROM {table})"
    ).fetchall()[0]


def _decimal_point(text: str) -> str:
    return f"replace({text}, ',', '.')"
