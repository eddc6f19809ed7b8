"""How a run has to read an extract: the part `patients` of the config, and the evidence for each of its keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.patient_sources import MISSING
from kaizar_pipeline.drafting.column_roles import ColumnRoles
from kaizar_pipeline.drafting.date_formats import times_known
from kaizar_pipeline.drafting.opened_extract import OpenedExtract
from kaizar_pipeline.drafting.wards_and_streams import Named
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.rejects import OFTEN
from kaizar_pipeline.patients.visits import missing_dates

GUESS = "a guess: confirm"
"""Evidence for what the records do not decide."""

_FREQUENT = 3
"""Departures on the last moment from which on they may mean that there is none yet."""
_MOST_WORDS = 5
"""Of the cells that are not dates, each in as many rows as may be shown (OFTEN)."""
_STRAY = pd.Timedelta(days=60)
"""After 999 of 1,000 arrivals: later ones are mistyped."""
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


@dataclass(frozen=True)
class NamedRows:
    """An extract with the roles of its columns, and its services or wards with their ids."""

    extract: OpenedExtract
    roles: ColumnRoles
    names: list[Named]


def how_to_read(visits: NamedRows, stays: NamedRows | None) -> Reading:
    """What the config has to say of these extracts; the same one twice where its rows are ward stays.

    Raises DataError when two extracts differ in encoding or format of their stamps: one config reads both.
    """
    extract, roles = visits.extract, visits.roles
    keys: dict[str, Any] = {**extract.read_as, **extract.where}
    why: dict[str, str] = {key: _size(extract) for key in extract.where}
    encoding = _encoding([extract, *([stays.extract] if stays else [])])
    if encoding != "utf-8":
        keys["encoding"] = encoding
        why["encoding"] = "the file is not UTF-8"
    columns = {"patient_id": roles.id, "arrival": roles.arrival, "departure": roles.departure}
    if roles.service is not None:
        columns["service"] = roles.service
    keys["columns"] = columns
    why |= {f"columns.{key}": roles.evidence[role] for key, role in _ROLES.items() if role in roles.evidence}
    if roles.moves and stays is not None and stays.extract is extract:
        keys["rows"] = "ward_stays"
        why["rows"] = roles.evidence["id"]
    if roles.service is not None:
        keys["streams"] = {name: named.id for named in visits.names for name in named.names}
        rest = [named for named in visits.names if not named.names]
        if rest:
            keys["other"] = rest[0].id
            why["other"] = f"{rest[0].rows:,} rows of services with less than 1 % of the rows each"
    if roles.dates.format is not None:
        keys["date_format"] = roles.dates.format
        why["date_format"] = roles.dates.evidence
    if stays is not None:
        _check_alike(visits, stays)
        keys["stays"] = _stays(stays)
    _departures(extract, roles, keys, why)
    return keys, why | _guesses(visits.roles, stays, why)


def _guesses(roles: ColumnRoles, stays: NamedRows | None, why: Mapping[str, str]) -> dict[str, str]:
    """The evidence of what a person has to decide."""
    asked = [key for role in roles.questions for key in _ASKED[role]]
    if stays is not None:
        asked += [_OF_STAYS.get(key, key) for role in stays.roles.questions for key in _ASKED[role]]
    return {key: "; ".join(one for one in (why.get(key), GUESS) if one) for key in asked}


_ASKED = {
    "date_format": ["date_format"],
    "arrival": ["columns.arrival", "columns.departure"],
    "service": ["columns.service"],
}
"""Keys of the config that a question by role is about."""
_OF_STAYS = {
    "columns.arrival": "stays.columns.admit",
    "columns.departure": "stays.columns.depart",
    "columns.service": "stays.columns.ward",
}
_ROLES = {"patient_id": "id", "arrival": "arrival", "departure": "departure", "service": "service"}


def _size(extract: OpenedExtract) -> str:
    sampled = f"; a sample of one in {extract.every} was looked at" if extract.every > 1 else ""
    return f"{extract.total_rows:,} rows{sampled}"


def _encoding(extracts: list[OpenedExtract]) -> str:
    """The encoding of all of them: one in ASCII fits each."""
    found = list(dict.fromkeys(one.encoding for one in extracts if not one.is_ascii))
    if len(found) > 1:
        raise DataError(
            f"{extracts[0].location} is {extracts[0].encoding} and {extracts[1].location} {extracts[1].encoding}; "
            "export both in one encoding"
        )
    return found[0] if found else "utf-8"


def _check_alike(visits: NamedRows, stays: NamedRows) -> None:
    roles, found = visits.roles, [" ".join(rows.extract.read_as.values()) for rows in (visits, stays)]
    if found[0] != found[1]:
        raise DataError(
            f"{stays.extract.location}: is read as {found[1]}, the visits as {found[0]}; export both in one format"
        )
    if roles.dates.format != stays.roles.dates.format:
        shown = [one.dates.format or "ISO 8601, or numeric dates of four-digit years" for one in (roles, stays.roles)]
        raise DataError(
            f"{stays.extract.location}: its stamps are written as {shown[1]}, those of the visits as {shown[0]}; "
            "export both in one format"
        )


def _stays(stays: NamedRows) -> dict[str, Any]:
    roles = stays.roles
    columns = {"patient_id": roles.id, "ward": roles.service, "admit": roles.arrival, "depart": roles.departure}
    if roles.ready is not None:
        columns["ready"] = roles.ready
    return {
        **stays.extract.where,
        "columns": columns,
        "wards": {name: named.id for named in stays.names for name in named.names},
    }


def _departures(extract: OpenedExtract, roles: ColumnRoles, keys: dict[str, Any], why: dict[str, str]) -> None:
    """What stands for "not departed yet": words, dates of another age, the last moment of the extract, nothing."""
    departures = extract.rows[roles.departure]
    came, went = (extract.times(name, roles.dates) for name in (roles.arrival, roles.departure))
    known = came.dropna().sort_values()
    last = known[known <= known.iloc[int(0.999 * (len(known) - 1))] + _STRAY].max()
    never = went > last + pd.Timedelta(days=_LATER_DAYS)
    counts = departures[(departures != "") & (went.isna() | never)].value_counts()
    open_cells = [str(text) for text, rows in counts.items() if rows >= OFTEN and len(str(text)) <= 24]
    days_known = set(missing_dates(MISSING).values())
    read = roles.dates.times(pd.Series(open_cells, dtype="str"))
    new = [
        text
        for text, time in zip(open_cells, read, strict=True)
        if text not in MISSING and (time is pd.NaT or time.date() not in days_known)
    ][:_MOST_WORDS]
    if new:
        keys["missing"] = [*MISSING, *new]
        why["missing"] = "; ".join(f"{counts[text]:,} departures are {text!r}" for text in new)
    known = went[went.notna() & ~never]
    if len(known) == 0:
        return
    at_end = int((known == known.max()).sum())
    if at_end >= max(_FREQUENT, _RUNNING_SHARE * len(known)) and known.max() >= last and times_known(known):
        keys["running_until"] = "extract_date"
        why["running_until"] = f"{at_end:,} departures on {known.max():%Y-%m-%d %H:%M}, the last moment of the extract"
    days = (went - came).dt.total_seconds()[~never].dropna() / 86400
    is_open = (departures == "") | departures.isin([*MISSING, *open_cells]) | never
    _ghosts(last - came, is_open, float(days.quantile(0.999)), keys, why)


def likely_running(visits: NamedRows) -> str | None:
    """What to look at where the last departure has no time of day and others have: too few to decide what it means. A
    run sees it only where the visit began before the last day of the extract."""
    roles, cells = visits.roles, visits.extract.rows[visits.roles.departure]
    came, went = (visits.extract.times(name, roles.dates) for name in (roles.arrival, roles.departure))
    if not times_known(went) or went.max() < came.max():
        return None
    by_day = int((~cells[went == went.max()].str.contains(":")).sum())
    if not by_day or not cells.str.contains(":").any():
        return None
    return (
        f"departures without a time on {went.max():%Y-%m-%d}, the last moment of the extract: {by_day:,}; likely "
        "patients who are still in the hospital; if so, set patients.running_until: extract_date"
    )


def _ghosts(ago: pd.Series, is_open: pd.Series, long_stay: float, keys: dict[str, Any], why: dict[str, str]) -> None:
    """Whether patients who have no departure, and came long `ago`, are believed to be here: not after many times the
    `long_stay` (in days) that 1 of 1,000 exceeds."""
    limit = max(60.0, float(np.ceil(_GHOST * long_stay)))
    old = ago > pd.Timedelta(days=limit)
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
            f"stays are shorter than {long_stay:.0f} days"
        )
