"""Which columns hold stamps, and in which format; an order of day and month that the rows leave open is decided by how
densely the days are filled, or asked."""

from dataclasses import dataclass
from itertools import product

import duckdb
import numpy as np
import pandas as pd

from kaizar_pipeline.patients.stamp_formats import DAY_FIRST, MONTH_FIRST, StampFormat

MOST_LOOKED_AT = 3_000
"""Different cells of a column that are looked at to find its format."""

DENSER = 3.0
"""How many times more densely one order of day and month must fill the days than the other to be taken."""

_ENOUGH = 0.9
"""Share of stamps that the reader's own formats must read for no other to be tried."""

_DAYS = (
    *(f"%d{mark}%m{mark}%y" for mark in "/-."),
    *(f"%m{mark}%d{mark}%y" for mark in "/-."),
    *(f"%d{mark}%m{mark}%Y" for mark in "/-."),
    *(f"%m{mark}%d{mark}%Y" for mark in "/-."),
    *("%Y/%m/%d", "%Y.%m.%d", "%d-%b-%Y", "%d %b %Y", "%d-%b-%y", "%d %b %y", "%b %d %Y", "%d %B %Y", "%B %d %Y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_FORMATS = tuple(day + time for day, time in product(_DAYS, _TIMES))


@dataclass(frozen=True)
class DateFormat:
    """How the stamps of an extract are read."""

    format: str | None
    """As patients.date_format; None: the reader finds it itself."""
    evidence: str
    question: str | None = None
    """What a person has to decide, with both readings; None where the rows tell."""


def stamp_share(cells: pd.Series) -> float:
    """The share of the non-empty `cells` that some format reads."""
    found = _some(cells)
    if found.empty or not found.str.contains(r"\d").any() or not (found.str.len() >= 6).mean() > 0.5:
        return 0.0
    return max(_best_counts(found).values()) / len(found)


def find_format(begins: pd.Series, ends: pd.Series) -> DateFormat:
    """The format of two columns of stamps, in which an end follows its begin."""
    found = _some(pd.concat([begins, ends]))
    counts = _best_counts(found)
    most = max(counts.values())
    best = [name for name, count in counts.items() if count == most]
    default = [name for name in best if name in (DAY_FIRST, MONTH_FIRST)]
    if len(default) == 2 and not _is_numeric(found):
        return DateFormat(None, f"{most:,} of {len(found):,} different stamps are ISO 8601")
    if len(default) == 1:
        return DateFormat(None, f"{default[0]}: {most:,} of {len(found):,} different stamps can be read so")
    explicit = [name for name in best if name not in (DAY_FIRST, MONTH_FIRST)]
    if len(explicit) == 1:
        return DateFormat(explicit[0], f"{explicit[0]} reads {most:,} of {len(found):,} different stamps")
    return _denser(explicit, begins)


def parsed(cells: pd.Series, format_: DateFormat) -> pd.Series:
    """The cells as times; NaT where they cannot be read."""
    stamps = StampFormat("UTC", format_.format, _order(cells))
    unique = pd.DataFrame({"text": cells.unique()})
    times = _select(unique, stamps.local(stamps.wall("text"), stamps.utc("text"))).iloc[:, 0]
    return cells.map(dict(zip(unique["text"], times, strict=True))).astype("datetime64[us]")


def _order(cells: pd.Series) -> str:
    counts = _counts(_some(cells), _OWN)
    return MONTH_FIRST if counts[MONTH_FIRST] > counts[DAY_FIRST] else DAY_FIRST


_OWN = {order: StampFormat("UTC", None, order) for order in (DAY_FIRST, MONTH_FIRST)}
"""What the reader reads without a configured format."""


def _best_counts(found: pd.Series) -> dict[str, int]:
    """How many of the texts each format reads; those that the config has to name count where the reader's own fail, or
    leave the order of day and month open."""
    counts = _counts(found, _OWN)
    clear = not _is_numeric(found) or counts[DAY_FIRST] != counts[MONTH_FIRST]
    if clear and max(counts.values()) >= _ENOUGH * len(found):
        return counts
    return counts | _counts(found, {name: StampFormat("UTC", name) for name in _FORMATS})


def _counts(found: pd.Series, candidates: dict[str, StampFormat]) -> dict[str, int]:
    """How many of the texts each candidate reads as a day of the years 1950 to 2100."""
    read = ", ".join(
        f"count(*) FILTER (year(coalesce({stamps.wall('text')}, {stamps.utc('text')})) BETWEEN 1950 AND 2100)"
        for stamps in candidates.values()
    )
    counts = _select(pd.DataFrame({"text": found}), read).iloc[0]
    return dict(zip(candidates, (int(count) for count in counts), strict=True))


def _select(texts: pd.DataFrame, expressions: str) -> pd.DataFrame:
    """SQL expressions on the column `text`, rows in order."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
        connection.register("texts", texts)
        return connection.execute(f"SELECT {expressions} FROM texts").df()


def _some(cells: pd.Series) -> pd.Series:
    found = cells[cells != ""].drop_duplicates()
    step = max(1, len(found) // MOST_LOOKED_AT)
    return found.iloc[::step].head(MOST_LOOKED_AT).reset_index(drop=True)


def _is_numeric(found: pd.Series) -> bool:
    return bool(found.str.match(r"^\d{1,2}[/.-]\d{1,2}[/.-]\d{4}").mean() > 0.5)


def _denser(formats: list[str], begins: pd.Series) -> DateFormat:
    """One of the `formats` that read all stamps: the one under which arrivals fill the days between first and last."""
    density = {}
    for name in formats:
        days = parsed(begins, DateFormat(name, "")).dropna().dt.normalize()
        density[name] = days.nunique() / (1 + (days.max() - days.min()).days) if len(days) else 0.0
    order = sorted(formats, key=lambda name: -density[name])
    first, second = order[0], order[1] if len(order) > 1 else order[0]
    evidence = f"arrivals on {density[first]:.0%} of the days between first and last as {first}"
    if first == second:
        return DateFormat(first, evidence)
    evidence += f", on {density[second]:.0%} as {second}"
    if density[first] >= DENSER * density[second]:
        return DateFormat(first, evidence)
    example = next(cell for cell in begins if cell)
    readings = [parsed(pd.Series([example]), DateFormat(name, "")).iloc[0] for name in (first, second)]
    shown = " or ".join(
        f"{time:%Y-%m-%d} ({name})" for time, name in zip(readings, (first, second), strict=True) if time is not pd.NaT
    )
    return DateFormat(first, evidence, f"is the first arrival on {shown}? Give --date-format")


def hours_known(times: pd.Series) -> bool:
    """Whether the stamps have times of day."""
    known = times.dropna()
    return bool(len(known) and (np.asarray(known.dt.normalize() != known)).mean() > 0.5)
