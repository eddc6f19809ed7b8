"""Which column is what: by its name in six languages, and by what it holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pandas as pd

from kaizar_pipeline.drafting import column_words as words
from kaizar_pipeline.drafting.date_formats import DateFormat, StampCells, find_format, times_known
from kaizar_pipeline.drafting.opened_extract import OpenedExtract
from kaizar_pipeline.drafting.service_column import NO_COLUMN, find_service, is_decimal
from kaizar_pipeline.errors import ConfigError, DataError, listed, unknown
from kaizar_pipeline.patients.joined_rows import LONGEST_GAP_HOURS

LOOKED_AT = 20_000
"""Rows that are looked at to find what columns are."""
ROLES = ("id", "arrival", "departure", "service")
"""What a person may name columns for."""

_STAMP_SHARE = 0.8
_LONGEST_STAY_DAYS = 400
_CLOSE = 0.5
"""Two pairs of stamps whose scores differ by less are not told apart."""
_TOUCHING = 0.05
"""Share of rows that touch an earlier one of their id from which on rows are ward stays."""


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
    moves: bool
    """Whether rows of one id touch: they are ward stays, and not visits."""
    dates: DateFormat
    evidence: dict[str, str]
    """One line for each role."""
    unread: list[str]
    """Columns that the config will not name, so that no run reads them."""
    questions: dict[str, str]
    """What a person has to decide, by role, or date_format."""
    remarks: list[str]
    """What a person should look at."""

    @property
    def used(self) -> list[str]:
        """The columns that a run reads."""
        names = (self.id, self.arrival, self.departure, self.service, self.ready)
        return list(dict.fromkeys(name for name in names if name is not None))


def find_roles(
    extract: OpenedExtract,
    kind: str = words.WARD,
    given: Mapping[str, str] | None = None,
    date_format: str | None = None,
) -> ColumnRoles:
    """The roles of the columns of `extract`; `kind` of column (WARD, SERVICE) tells its rows apart best, and `given`
    names some of `ROLES`.

    Raises DataError when there are not two columns of stamps of which one follows the other, or no id, and ConfigError
    for a column that is not there.
    """
    given = dict(given or {})
    _check_given(extract, given)
    rows = extract.rows.iloc[:LOOKED_AT]
    stamps = {str(name): StampCells(rows[name]) for name in rows}
    stamps = {name: cells for name, cells in stamps.items() if cells.share >= _STAMP_SHARE or name in given.values()}
    pair = _begin_and_end(extract, stamps, given)
    first = DateFormat(date_format, "given by --date-format") if date_format is not None else pair.dates
    begins, ends = stamps[pair.begin].times(first), stamps[pair.end].times(first)
    rest = [str(name) for name in rows if name not in stamps]
    touching = {name: _touching(rows[name], begins, ends) for name in rest}
    id_ = given.get("id") or _id(extract, rows, rest, touching)
    moves = touching.get(id_, 0.0) >= _TOUCHING
    service = find_service(rows, [name for name in rest if name != id_], kind, ends - begins, given.get("service"))
    whole = stamps[pair.begin], stamps[pair.end]
    if len(extract.rows) > len(rows):
        whole = StampCells(extract.rows[pair.begin]), StampCells(extract.rows[pair.end])
    dates = first if date_format is not None else find_format(*whole, extract.rows[id_])
    ready = next((name for name in stamps if _is_ready(name, pair)), None)
    used = {id_, pair.begin, pair.end, service.name, ready}
    questions = {"date_format": dates.question, "arrival": pair.question, "service": service.question}
    return ColumnRoles(
        id_, pair.begin, pair.end, service.name, service.one_ward, ready, moves, dates,
        {"arrival": pair.evidence, "departure": pair.evidence, "service": service.evidence,
         "id": _evidence_of_id(rows[id_], touching.get(id_, 0.0), moves)},
        [str(name) for name in rows.columns if name not in used],
        {key: one for key, one in questions.items() if one},
        service.remarks,
    )  # fmt: skip


def _is_ready(name: str, pair: "_Pair") -> bool:
    return name not in (pair.begin, pair.end) and words.fits(name, words.READY) > 0


def _check_given(extract: OpenedExtract, given: Mapping[str, str]) -> None:
    names = [str(name) for name in extract.rows.columns]
    for role, name in given.items():
        if role not in ROLES:
            raise ConfigError(f"--column {role}={name}: {unknown(role, ROLES)}")
        if name not in names and (role, name) != ("service", NO_COLUMN):
            raise ConfigError(f"{extract.location}: --column {role}: {unknown(name, names)}")


@dataclass(frozen=True)
class _Pair:
    """Two columns of stamps that begin and end a stay."""

    begin: str
    end: str
    dates: DateFormat
    evidence: str
    score: float
    named: bool
    """Whether one of them is named like what it is."""
    question: str | None = None


def _begin_and_end(extract: OpenedExtract, stamps: dict[str, StampCells], given: Mapping[str, str]) -> _Pair:
    """The two columns of stamps that begin and end a stay, with a question where others do so as well."""
    if len(stamps) < 2:
        found = listed(str(name) for name in extract.rows.columns)
        raise DataError(
            f"{extract.location}: an arrival and a departure are needed; {len(stamps)} of its columns "
            f"{'holds' if len(stamps) == 1 else 'hold'} dates. Found: {found}"
        )
    asked = given.get("arrival"), given.get("departure")
    wanted = [
        (begin, end) for begin, end in permutations(stamps, 2) if asked[0] in (None, begin) and asked[1] in (None, end)
    ]
    pairs = [pair for pair in (_pair(stamps, begin, end) for begin, end in wanted) if pair is not None]
    pairs.sort(key=lambda pair: -pair.score)
    if not pairs:
        raise DataError(
            f"{extract.location}: no two of its columns of dates ({listed(stamps)}) begin and end a stay: none follows "
            "another within 400 days; name them with --column arrival=NAME and --column departure=NAME"
        )
    best = pairs[0]
    near = next((pair for pair in pairs[1:] if best.score - pair.score < _CLOSE and not best.named), None)
    if near is None:
        return best
    question = (
        f"do {best.begin!r} and {best.end!r} begin and end a stay, or {near.begin!r} and {near.end!r}? Give --column "
        "arrival=NAME and --column departure=NAME"
    )
    return _Pair(**{**vars(best), "question": question})


def _pair(stamps: dict[str, StampCells], begin: str, end: str) -> _Pair | None:
    dates = find_format(stamps[begin], stamps[end])
    begins, ends = stamps[begin].times(dates), stamps[end].times(dates)
    days = (ends - begins).dt.total_seconds() / 86400
    known = days.dropna()
    if known.empty or (known >= 0).mean() < 0.9 or not 0 <= known.median() <= _LONGEST_STAY_DAYS:
        return None
    fits = words.fits(begin, words.ARRIVAL) + words.fits(end, words.DEPARTURE)
    score = fits + 2 * begins.notna().mean() + (known > 0).mean() - min(1.0, known.median() / 60)
    score += 0.5 * (times_known(begins) + times_known(ends))
    shown = f"{(known >= 0).sum():,} of {len(known):,} rows end after they begin, half within {known.median():.1f} days"
    return _Pair(begin, end, dates, shown, score, fits > 0)


def _touching(ids: pd.Series, begins: pd.Series, ends: pd.Series) -> float:
    """The share of rows that begin where an earlier row of the same id ends."""
    if ids.nunique() > (1 - _TOUCHING) * len(ids):
        return 0.0
    rows = pd.DataFrame({"id": ids, "begin": begins, "end": ends}).sort_values(["id", "begin", "end"])
    gap = (rows["begin"] - rows.groupby("id")["end"].shift()).abs()
    if (rows.loc[ids != "", "id"].value_counts().head(1) > 0.05 * len(rows)).any():
        return 0.0
    return float((gap <= pd.Timedelta(hours=LONGEST_GAP_HOURS)).mean()) if times_known(begins) else 0.0


def _id(extract: OpenedExtract, rows: pd.DataFrame, names: list[str], touching: Mapping[str, float]) -> str:
    """The column with the id of the visit, else of the person."""
    scores = {}
    for name in names:
        cells = rows[name]
        filled, different = (cells != "").mean(), cells.nunique() / len(cells)
        named = max(1.5 * words.fits(name, words.VISIT), words.fits(name, words.PERSON))
        if filled < 0.95 or (different < 0.2 and named < 2) or is_free_text(cells) or is_decimal(cells):
            continue
        moves = 5 * (touching[name] >= _TOUCHING)  # an id of rows does not show that they are moves of one visit
        scores[name] = named + 2 * different + _is_increasing(cells) + moves
    if not scores:
        raise DataError(
            f"{extract.location}: no column tells rows or patients apart; export an id. Found: {listed(names)}"
        )
    return max(scores, key=lambda name: scores[name])


def _evidence_of_id(cells: pd.Series, touching: float, moves: bool) -> str:
    repeated = len(cells) - cells.nunique()
    evidence = f"{cells.nunique():,} different in {len(cells):,} rows"
    if moves:
        return f"{evidence}; {100 * touching:.0f} % of the rows begin where another of the id ends: they are ward stays"
    return evidence + (f"; {repeated:,} rows repeat one: a person comes again" if repeated else "")


def _is_increasing(cells: pd.Series) -> float:
    """The share of rows whose number is above that of the row before."""
    numbers = pd.to_numeric(cells.str.extract(r"(\d+)$")[0], errors="coerce").dropna().to_numpy()
    return float((np.diff(numbers) > 0).mean()) if len(numbers) > 1 else 0.0


def is_free_text(cells: pd.Series) -> bool:
    """Names and remarks: several words, mostly without digits."""
    return bool((cells.str.contains(" ") & ~cells.str.contains(r"\d")).mean() > 0.3)
