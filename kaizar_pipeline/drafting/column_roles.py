"""Which column is what: by its name in six languages, and by what it holds."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pandas as pd

from kaizar_pipeline.drafting import column_words as words
from kaizar_pipeline.drafting.date_formats import DateFormat, find_format, parsed, stamp_share
from kaizar_pipeline.drafting.opened_extract import OpenedExtract
from kaizar_pipeline.errors import DataError, listed

LOOKED_AT = 20_000
"""Rows that are looked at to find what columns are."""
_STAMP_SHARE = 0.8
_MOST_SERVICES = 80
_LONGEST_STAY_DAYS = 400


@dataclass(frozen=True)
class ColumnRoles:
    """The columns of an extract by their role, and why."""

    id: str
    arrival: str
    departure: str
    service: str | None
    """None: no column tells patients apart."""
    one_ward: bool
    """Whether all rows are of one ward: no column names a service or ward, at most one a kind of patient."""
    ready: str | None
    dates: DateFormat
    evidence: dict[str, str]
    """One line for each role."""
    unread: list[str]
    """Columns that the config will not name, so that no run reads them."""


def find_roles(extract: OpenedExtract, kind: str = words.SERVICE, date_format: str | None = None) -> ColumnRoles:
    """The roles of the columns of `extract`; `kind` is what its rows are about (SERVICE: visits, WARD: ward stays).

    Raises DataError when there are not two columns of stamps of which one follows the other, or no id.
    """
    rows = extract.rows.iloc[:LOOKED_AT] if len(extract.rows) > LOOKED_AT else extract.rows
    stamps = [str(name) for name in rows if stamp_share(rows[name]) >= _STAMP_SHARE]
    if len(stamps) < 2:
        found = listed(str(name) for name in rows.columns)
        raise DataError(
            f"{extract.location}: an arrival and a departure are needed; {len(stamps)} of its columns "
            f"{'holds' if len(stamps) == 1 else 'hold'} dates. Found: {found}"
        )
    arrival, departure, dates, between = _begin_and_end(extract, rows, stamps)
    if date_format is not None:
        dates = DateFormat(date_format, "given by --date-format")
    elif dates.question is None and len(rows) < len(extract.rows):
        dates = find_format(extract.rows[arrival], extract.rows[departure])
    rest = [str(name) for name in rows if name not in stamps]
    id_ = _id(extract, rows, rest)
    service, why_service = _service(rows, [name for name in rest if name != id_], kind)
    ready = next(
        (name for name in stamps if name not in (arrival, departure) and words.fits(name, words.READY) > 0), None
    )
    evidence = {"arrival": between, "departure": between, "id": _evidence_of_id(rows[id_]), "service": why_service}
    used = {id_, arrival, departure, service, ready}
    unread = [str(name) for name in rows.columns if name not in used]
    one_ward = service is None or words.fits(service, words.KIND) > max(
        words.fits(service, role) for role in (words.SERVICE, words.WARD)
    )
    return ColumnRoles(id_, arrival, departure, service, one_ward, ready, dates, evidence, unread)


def _begin_and_end(extract: OpenedExtract, rows: pd.DataFrame, stamps: list[str]) -> tuple[str, str, DateFormat, str]:
    """The two columns of stamps that begin and end a stay: their names, their format and the evidence."""
    best: tuple[float, str, str, DateFormat, str] | None = None
    for begin, end in permutations(stamps, 2):
        dates = find_format(rows[begin], rows[end])
        begins, ends = parsed(rows[begin], dates), parsed(rows[end], dates)
        days = (ends - begins).dt.total_seconds() / 86400
        known = days.dropna()
        if known.empty or (known >= 0).mean() < 0.9 or not 0 <= known.median() <= _LONGEST_STAY_DAYS:
            continue
        filled = begins.notna().mean()
        score = words.fits(begin, words.ARRIVAL) + words.fits(end, words.DEPARTURE) + 2 * filled
        score += (known > 0).mean() - min(1.0, known.median() / 60)
        shown = (
            f"{(known >= 0).sum():,} of {len(known):,} rows end after they begin, half within {known.median():.1f} days"
        )
        if best is None or score > best[0]:
            best = score, begin, end, dates, shown
    if best is None:
        raise DataError(
            f"{extract.location}: no two of its columns of dates ({listed(stamps)}) begin and end a stay: none follows "
            "another within 400 days; name them with --arrival and --departure"
        )
    return best[1:]


def _id(extract: OpenedExtract, rows: pd.DataFrame, names: list[str]) -> str:
    """The column with the id of the visit, else of the person."""
    scores = {}
    for name in names:
        cells = rows[name]
        filled, different = (cells != "").mean(), cells.nunique() / len(cells)
        named = max(1.5 * words.fits(name, words.VISIT), words.fits(name, words.PERSON))
        if filled < 0.95 or (different < 0.2 and named < 2) or _is_free_text(cells) or _is_decimal(cells):
            continue
        scores[name] = named + 2 * different + _is_increasing(cells)
    if not scores:
        raise DataError(
            f"{extract.location}: no column tells rows or patients apart; export an id. Found: {listed(names)}"
        )
    return max(scores, key=lambda name: scores[name])


def _evidence_of_id(cells: pd.Series) -> str:
    repeated = len(cells) - cells.nunique()
    return f"{cells.nunique():,} different in {len(cells):,} rows" + (
        f"; {repeated:,} rows repeat one: a person comes again" if repeated else ""
    )


def _service(rows: pd.DataFrame, names: list[str], kind: str) -> tuple[str | None, str]:
    """The column that tells services (or wards) apart, with the evidence."""
    other = words.WARD if kind == words.SERVICE else words.SERVICE
    scores = {}
    for name in names:
        cells = rows.loc[rows[name] != "", name]
        if cells.empty or not 1 <= cells.nunique() <= min(_MOST_SERVICES, max(2, len(cells) / 10)):
            continue
        if _is_decimal(cells) or len(cells) < len(rows) / 2:
            continue
        named = max(words.fits(name, kind), 0.8 * words.fits(name, other), 0.6 * words.fits(name, words.KIND))
        scores[name] = named + 0.5 * (cells.nunique() > 1) - 0.5 * bool(cells.str.fullmatch(r"\d+").all())
    if not scores:
        return None, "no column with a few repeated values: all rows are one service"
    best = max(scores, key=lambda name: scores[name])
    if scores[best] < 1:
        return None, f"no column is named like a service or ward; {best!r} repeats a few values, look at it"
    return best, f"{rows[best].nunique()} different values in {len(rows):,} rows"


def _is_increasing(cells: pd.Series) -> float:
    """The share of rows whose number is above that of the row before."""
    numbers = pd.to_numeric(cells.str.extract(r"(\d+)$")[0], errors="coerce").dropna().to_numpy()
    return float((np.diff(numbers) > 0).mean()) if len(numbers) > 1 else 0.0


def _is_free_text(cells: pd.Series) -> bool:
    """Names and remarks: several words, mostly without digits."""
    return bool((cells.str.contains(" ") & ~cells.str.contains(r"\d")).mean() > 0.3)


def _is_decimal(cells: pd.Series) -> bool:
    return bool(cells[cells != ""].str.fullmatch(r"-?\d+[.,]\d+").mean() > 0.3)
