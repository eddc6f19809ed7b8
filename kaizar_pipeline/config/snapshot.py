"""The instant that a run looks ahead from: `as_of`, a local date and full hour, and the days ahead of it."""

import re
from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import pandas as pd
from pydantic import AfterValidator

from kaizar_pipeline.errors import ConfigError, quoted

MIDNIGHT = "00:00"

_FULL_HOUR = re.compile(r"(?:[01]\d|2[0-3]):00")
_ONE_DAY = pd.Timedelta(days=1)


def _full_hour(text: str) -> str:
    if not _FULL_HOUR.fullmatch(text):
        raise ValueError(f"found {quoted(text)}, allowed: a full hour of the day from 00:00 to 23:00, such as 08:00")
    return text


FullHour = Annotated[str, AfterValidator(_full_hour)]
"""A full hour of the day, such as 08:00."""


def full_hours(where: str, text: str) -> list[str]:
    """The full hours that a text lists, separated by commas. Raises ConfigError, in the name of `where`, for others."""
    try:
        return [_full_hour(part.strip()) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def parsed_as_of(where: str, value: date | str) -> date | pd.Timestamp:
    """A date, which leaves the hour to the snapshot, or a date and full hour, from these or their ISO text.

    Raises ConfigError, in the name of `where` the value comes from, for anything else.
    """
    if type(value) is date:
        return value
    text = value if isinstance(value, str) else value.isoformat()
    try:
        if len(text) <= len("2026-11-01"):
            return date.fromisoformat(text)
        stamp = pd.Timestamp(datetime.fromisoformat(text)).as_unit("us")
    except ValueError:
        raise ConfigError(
            f"{where}: {quoted(text)} is neither a date nor a date and full hour; give one such as 2026-11-01 or "
            "2026-11-01T08:00"
        ) from None
    if stamp.tzinfo is not None:
        raise ConfigError(f"{where}: {text} has a time zone; give local time without one")
    if stamp != stamp.floor("h"):
        raise ConfigError(
            f"{where}: {text} is not a full hour, and the twin counts by the hour; give "
            f"{stamp.floor('h'):%Y-%m-%dT%H:%M}"
        )
    return stamp


def as_of_at(where: str, value: date | str, snapshot: str, timezone: str) -> pd.Timestamp:
    """The instant that `value` means, as `parsed_as_of` reads it: a date at the hour `snapshot`.

    Stored times are local and have no zone. So an hour that the clocks skip is refused with a ConfigError, and of one
    that they show twice the first is meant: of both, nothing was seen.
    """
    parsed = parsed_as_of(where, value)
    as_of = parsed if isinstance(parsed, pd.Timestamp) else _at(pd.Timestamp(parsed), snapshot)
    if not _exists(as_of, timezone):
        raise ConfigError(
            f"{where}: {as_of:%Y-%m-%d %H:%M} does not exist in {timezone}, where the clocks go forward in that hour; "
            f"give {as_of + pd.Timedelta(hours=1):%Y-%m-%dT%H:%M}"
        )
    return as_of


def latest_at(snapshot: str, until: pd.Timestamp, timezone: str) -> pd.Timestamp:
    """The last instant at the hour `snapshot` that is not after `until`; a day on which the clocks skip it has none."""
    at = _at(until.normalize(), snapshot)
    while at > until or not _exists(at, timezone):
        at -= _ONE_DAY
    return at


def dates_ahead(as_of: pd.Timestamp, horizon_days: int) -> pd.DatetimeIndex:
    """The dates ahead of `as_of`: so many whole days, and before them the one that has begun, unless it is midnight."""
    return pd.date_range(as_of.normalize(), periods=horizon_days + (as_of.hour > 0), unit="us")


def shown(as_of: pd.Timestamp) -> str:
    """The instant in messages: the date alone for midnight."""
    return f"{as_of:%Y-%m-%d %H:%M}" if as_of.hour else f"{as_of:%Y-%m-%d}"


def _at(midnight: pd.Timestamp, snapshot: str) -> pd.Timestamp:
    return (midnight + pd.Timedelta(hours=int(snapshot[:2]))).as_unit("us")


def _exists(at: pd.Timestamp, timezone: str) -> bool:
    """Midnight always does: it is where days meet, whatever the clocks show."""
    zone, wall = ZoneInfo(timezone), at.to_pydatetime()
    return at.hour == 0 or wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall
