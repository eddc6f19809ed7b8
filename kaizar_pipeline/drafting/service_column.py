"""Which column tells services or wards apart: by its name, else by how much it tells of the length of stay."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kaizar_pipeline.drafting import column_words as words
from kaizar_pipeline.drafting.wards_and_streams import names_places
from kaizar_pipeline.errors import listed

NO_COLUMN = "none"
"""Given for `service`: no column tells patients apart."""
_MOST_VALUES = 80
_EXPLAINS = 0.03
"""Share of the variance of the logarithm of the stay that a column without a telling name must explain to be taken."""
_TIMES_MORE = 3.0
"""How many times more than any other; else it is asked."""
_ONE_VALUE = 1.5
"""How well the name of a column with a single value must fit for that to be the service or ward of all rows."""


@dataclass(frozen=True)
class ServiceColumn:
    """The column that tells services (or wards) apart."""

    name: str | None
    """None: no column does."""
    evidence: str
    one_ward: bool
    """Whether all rows are of one ward: it tells kinds of patient apart only, or there is none."""
    question: str | None = None
    remarks: list[str] = field(default_factory=list)


def find_service(rows: pd.DataFrame, names: list[str], kind: str, stay: pd.Series, given: str | None) -> ServiceColumn:
    """That among the columns `names` of `rows`, whose lengths are `stay`; best is one of `kind` (WARD, SERVICE)."""
    if given is not None:
        return ServiceColumn(None if given == NO_COLUMN else given, "given by --column", given == NO_COLUMN)
    candidates = {name: cells for name in names if (cells := _few_values(rows[name], len(rows))) is not None}
    several = {name: cells.nunique() > 1 for name, cells in candidates.items()}
    named = {name: _named(name, kind) + 0.5 * several[name] for name in candidates if _named(name, kind) > 0}
    named = {name: score for name, score in named.items() if several[name] or score >= _ONE_VALUE}
    if named:
        return _by_name(rows, named, candidates)
    various = {name: cells for name, cells in candidates.items() if several[name] and not words.is_personal(name)}
    return _by_content(various, stay)


def _by_name(rows: pd.DataFrame, named: dict[str, float], candidates: dict[str, pd.Series]) -> ServiceColumn:
    best = max(named, key=lambda name: named[name])
    others = [repr(name) for name in named if name != best and candidates[name].nunique() > 1]
    remark = f"columns.service: {best!r} was taken; {listed(others)} may tell patients apart as well"
    places = max(words.fits(best, role) for role in (words.SERVICE, words.WARD))
    kinds_only = words.fits(best, words.KIND) > places and not names_places(candidates[best].unique())
    evidence = f"{rows[best].nunique()} different values in {len(rows):,} rows"
    return ServiceColumn(best, evidence, kinds_only, remarks=[remark] if others else [])


def _by_content(candidates: dict[str, pd.Series], stay: pd.Series) -> ServiceColumn:
    explained = {name: _explained(cells, stay) for name, cells in candidates.items()}
    order = sorted(explained, key=lambda name: -explained[name])
    if not order or explained[order[0]] < _EXPLAINS:
        return ServiceColumn(None, "no column with a few values that tell stays apart: all are one service", True)
    best, second = order[0], explained[order[1]] if len(order) > 1 else 0.0
    values = candidates[best].nunique()
    evidence = (
        f"its name tells nothing; its {values} values explain {100 * explained[best]:.0f} % of how long patients stay"
    )
    question = None
    if explained[best] < _TIMES_MORE * second:
        question = (
            f"is {best!r} or {order[1]!r} the service or ward? Give --column service=NAME, or service={NO_COLUMN}"
        )
    return ServiceColumn(best, evidence, False, question, [f"columns.service: {best!r} by content only, {evidence}"])


def _named(name: str, kind: str) -> float:
    """How well the name of a column fits services, wards or kinds of patient; 0: not at all."""
    other = words.WARD if kind == words.SERVICE else words.SERVICE
    return max(words.fits(name, kind), 0.8 * words.fits(name, other), 0.6 * words.fits(name, words.KIND), 0)


def _few_values(cells: pd.Series, rows: int) -> pd.Series | None:
    """The filled cells of a column with a few repeated values; None where it is none."""
    cells = cells[cells != ""]
    if cells.empty or not 1 <= cells.nunique() <= min(_MOST_VALUES, max(2, len(cells) / 10)):
        return None
    return None if is_decimal(cells) or len(cells) < rows / 2 else cells


def _explained(cells: pd.Series, stay: pd.Series) -> float:
    """The share of the variance of the logarithm of the stay that lies between the values of a column."""
    hours = stay.dt.total_seconds() / 3600
    logs = pd.Series(np.log(hours[hours > 0])).reindex(cells.index).dropna()
    if len(logs) < 2 or not logs.var():
        return 0.0
    means = logs.groupby(cells[logs.index]).transform("mean")
    return float(means.var() / logs.var())


def is_decimal(cells: pd.Series) -> bool:
    """Whether a column holds numbers with decimals: a measurement."""
    return bool(cells[cells != ""].str.fullmatch(r"-?\d+[.,]\d+").mean() > 0.3)
