"""How a run has to read an extract: the part `patients` of the config, and the evidence for each of its keys."""

from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.patient_sources import MISSING
from kaizar_pipeline.drafting.column_roles import ColumnRoles
from kaizar_pipeline.drafting.date_formats import parsed
from kaizar_pipeline.drafting.opened_extract import OpenedExtract
from kaizar_pipeline.drafting.wards_and_streams import Named

_FREQUENT = 3
"""Rows from which on a cell that is not a date is taken to mean that there is no departure yet."""
_MOST_WORDS = 5
_LATER_DAYS = 3 * 365
"""A departure so long after the last arrival stands for none."""
_RUNNING_SHARE = 0.002
"""Share of departures on the very last moment from which on they look like patients who are still there."""
_GHOST = 4.0
"""Times the stay that 999 of 1,000 do not exceed, after which a patient without a departure is not believed."""

_NOT_RECORDED = 0.02
"""Share of old visits without a departure from which on departures are not recorded reliably."""

Reading = tuple[dict[str, Any], dict[str, str]]
"""`patients` of the config, and evidence by key."""


def how_to_read(
    extract: OpenedExtract,
    roles: ColumnRoles,
    services: list[Named],
    stays: tuple[OpenedExtract, ColumnRoles, list[Named]] | None,
) -> Reading:
    """What the config has to say of these extracts; `services` have been given their streams."""
    keys: dict[str, Any] = {"source": extract.format, "path": extract.location}
    why: dict[str, str] = {"path": _size(extract)}
    if extract.encoding != "utf-8":
        keys["encoding"] = extract.encoding
        why["encoding"] = "the file is not UTF-8"
    columns = {"patient_id": roles.id, "arrival": roles.arrival, "departure": roles.departure}
    if roles.service is not None:
        columns["service"] = roles.service
    keys["columns"] = columns
    why |= {f"columns.{key}": roles.evidence[role] for key, role in _ROLES.items() if role in roles.evidence}
    if roles.service is not None:
        keys["streams"] = {name: named.id for named in services for name in named.names}
        rest = [named for named in services if not named.names]
        if rest:
            keys["other"] = rest[0].id
            why["other"] = f"{rest[0].rows:,} rows of services with less than 1 % of the rows each"
    if roles.dates.format is not None:
        keys["date_format"] = roles.dates.format
        why["date_format"] = roles.dates.evidence
    if stays is not None:
        keys["stays"] = _stays(*stays)
    _departures(extract.rows[roles.arrival], extract.rows[roles.departure], roles, keys, why)
    return keys, why


_ROLES = {"patient_id": "id", "arrival": "arrival", "departure": "departure", "service": "service"}


def _size(extract: OpenedExtract) -> str:
    sampled = f"; every {extract.every}th was looked at" if extract.every > 1 else ""
    return f"{extract.total_rows:,} rows{sampled}"


def _stays(extract: OpenedExtract, roles: ColumnRoles, wards: list[Named]) -> dict[str, Any]:
    columns = {"patient_id": roles.id, "ward": roles.service, "admit": roles.arrival, "depart": roles.departure}
    if roles.ready is not None:
        columns["ready"] = roles.ready
    return {
        "path": extract.location,
        "columns": columns,
        "wards": {name: named.id for named in wards for name in named.names},
    }


def _departures(
    arrivals: pd.Series, departures: pd.Series, roles: ColumnRoles, keys: dict[str, Any], why: dict[str, str]
) -> None:
    """What stands for "not departed yet": words, dates of another age, the last moment of the extract, nothing."""
    came, went = parsed(arrivals, roles.dates), parsed(departures, roles.dates)
    last = came.max()
    never = went > last + pd.Timedelta(days=_LATER_DAYS)
    counts = departures[(departures != "") & (went.isna() | never)].value_counts()
    open_words = [str(text) for text, rows in counts.items() if rows >= _FREQUENT and len(str(text)) <= 24]
    new = [text for text in open_words[:_MOST_WORDS] if text not in MISSING]
    if new:
        keys["missing"] = [*MISSING, *new]
        why["missing"] = "; ".join(f"{counts[text]:,} departures are {text!r}" for text in new)
    known = went[went.notna() & ~never]
    if len(known) == 0:
        return
    at_end = int((known == known.max()).sum())
    if at_end >= max(_FREQUENT, _RUNNING_SHARE * len(known)) and known.max() >= last and _has_times(known):
        keys["running_until"] = "extract_date"
        why["running_until"] = f"{at_end:,} departures on {known.max():%Y-%m-%d %H:%M}, the last moment of the extract"
    days = (went - came).dt.total_seconds()[~never] / 86400
    limit = max(60.0, float(np.ceil(_GHOST * days.dropna().quantile(0.999))))
    is_open = (departures == "") | departures.isin([*MISSING, *open_words]) | never
    old = last - came > pd.Timedelta(days=limit)
    ghosts = int((is_open & old).sum())
    if ghosts > _NOT_RECORDED * old.sum():
        keys["missing_departure"] = "unknown"
        why["missing_departure"] = (
            f"{ghosts:,} of {old.sum():,} patients who arrived more than {limit:.0f} days before the last have none: "
            "it is often not recorded"
        )
    elif ghosts:
        keys["max_open_days"] = int(limit)
        why["max_open_days"] = (
            f"{ghosts:,} patients without a departure arrived more than {limit:.0f} days before the last; 999 of 1,000 "
            f"stays are shorter than {days.dropna().quantile(0.999):.0f} days"
        )


def _has_times(times: pd.Series) -> bool:
    return bool((times != times.dt.normalize()).mean() > 0.5)
