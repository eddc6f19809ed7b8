"""Which columns hold stamps, and in which format; an order of day and month that the rows leave open is decided by how
densely the days are filled and by ids that rise with time, or asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import product

import duckdb
import numpy as np
import pandas as pd

from kaizar_pipeline.patients.stamp_formats import DAY_FIRST, MONTH_FIRST, StampFormat

MOST_LOOKED_AT = 3_000
"""Different cells of a column that are looked at to find its format."""
_FIRST_LOOKED_AT = 50
"""Of them to find out which formats are worth trying at all."""

DENSER = 3.0
"""How many times more densely one order of day and month must fill the days than the other to be taken."""
RISING = 0.95
"""Rank correlation of ids with time from which on they rise with it; the other order must stay below the next one."""
_NOT_RISING = 0.8

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
_OWN = {order: StampFormat("UTC", None, order) for order in (DAY_FIRST, MONTH_FIRST)}
"""What the reader reads without a configured format."""
_FORMATS = tuple(day + time for day, time in product(_DAYS, _TIMES))
"""What the config has to name."""


@dataclass(frozen=True)
class DateFormat:
    """How the stamps of an extract are read."""

    format: str | None
    """As patients.date_format; None: the reader finds it itself."""
    evidence: str
    question: str | None = None
    """What a person has to decide, with both readings; None where the rows tell."""
    order: str = DAY_FIRST
    """Order of numeric dates where the reader finds the format itself."""

    def times(self, cells: pd.Series) -> pd.Series:
        """The cells as times; NaT where they cannot be read."""
        stamps = StampFormat("UTC", self.format, self.order)
        unique = pd.DataFrame({"text": cells.unique()})
        times = _select(unique, stamps.local(stamps.wall("text"), stamps.utc("text"))).iloc[:, 0]
        return cells.map(dict(zip(unique["text"], times, strict=True))).astype("datetime64[us]")


class StampCells:
    """A column, as far as it holds stamps."""

    def __init__(self, cells: pd.Series):
        self.cells = cells
        self._found = _some(cells)
        self._times: dict[tuple[str | None, str], pd.Series] = {}

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """How many of its different texts each format reads that reads any of the first."""
        found = self._found
        if found.empty or not found.str.contains(r"\d").any() or not (found.str.len() >= 6).mean() > 0.5:
            return {}
        some = found.iloc[:: max(1, len(found) // _FIRST_LOOKED_AT)]
        formats = [name for name in _FORMATS if any(_may_be(text, name) for text in some)]
        return _counts(found, _OWN | {name: StampFormat("UTC", name) for name in formats})

    @property
    def share(self) -> float:
        """The share of its texts that some format reads."""
        return max(self.counts.values(), default=0) / max(1, len(self._found))

    @property
    def texts(self) -> int:
        """Its different texts that were looked at."""
        return len(self._found)

    @cached_property
    def is_numeric(self) -> bool:
        """Whether its texts are numeric dates."""
        return bool(self._found.str.match(r"^\d{1,2}[/.-]\d{1,2}[/.-]\d{4}").mean() > 0.5)

    def times(self, dates: DateFormat) -> pd.Series:
        """Its times in a format."""
        key = dates.format, dates.order
        if key not in self._times:
            self._times[key] = dates.times(self.cells)
        return self._times[key]


def find_format(begins: StampCells, ends: StampCells, ids: pd.Series | None = None) -> DateFormat:
    """The format of two columns of stamps, in which an end follows its begin; `ids` may rise with time."""
    names = dict.fromkeys([*begins.counts, *ends.counts])
    counts = {name: begins.counts.get(name, 0) + ends.counts.get(name, 0) for name in names}
    texts = begins.texts + ends.texts
    is_numeric = begins.is_numeric or ends.is_numeric
    own = {order: counts.get(order, 0) for order in _OWN}
    clear = not is_numeric or own[DAY_FIRST] != own[MONTH_FIRST]
    if clear and max(own.values()) >= _ENOUGH * texts:
        counts = own
    most = max(counts.values())
    best = [name for name, count in counts.items() if count == most]
    default = [name for name in best if name in _OWN]
    shown = f"{most:,} of {texts:,} different stamps"
    if len(default) == 2 and not is_numeric:
        return DateFormat(None, f"{shown} are ISO 8601")
    if len(default) == 1:
        return DateFormat(None, f"{default[0]}: {shown} can be read so", order=default[0])
    explicit = [name for name in best if name not in _OWN]
    if len(explicit) == 1:
        return DateFormat(explicit[0], f"{explicit[0]} reads {shown}")
    return _decided(explicit, begins, ends, ids)


def _decided(formats: list[str], begins: StampCells, ends: StampCells, ids: pd.Series | None) -> DateFormat:
    """One of the `formats` that read all stamps: the one under which stays end after they begin, arrivals fill the days
    between first and last, or ids rise with time; else a question."""
    backward = {name: _backward(begins, ends, name) for name in formats}
    least = min(backward.values())
    formats = [name for name in formats if backward[name] <= least + 0.01]
    density = {name: _density(_times(begins, name)) for name in formats}
    order = sorted(formats, key=lambda name: -density[name])
    first, second = order[0], order[1] if len(order) > 1 else order[0]
    if first == second:
        return DateFormat(first, f"{first}: as another format more than 1 % of the stays end before they begin")
    evidence = f"arrivals on {100 * density[first]:.0f} % of the days between first and last as {first}"
    evidence += f", on {100 * density[second]:.0f} % as {second}"
    if density[first] >= DENSER * density[second]:
        return DateFormat(first, evidence)
    rising = sorted(((_rises(ids, _times(begins, name)), name) for name in (first, second)), reverse=True)
    if rising[0][0] >= RISING and rising[1][0] < _NOT_RISING:
        return DateFormat(rising[0][1], f"ids rise with the time of arrival as {rising[0][1]}")
    return DateFormat(first, evidence, _question(begins, first, second))


def _question(begins: StampCells, first: str, second: str) -> str:
    """Which of two formats is right, by the first arrival that they read differently."""
    readings = [_times(begins, name) for name in (first, second)]
    differs = (readings[0] != readings[1]).to_numpy().nonzero()[0]
    times = [reading.iloc[differs[0]] for reading in readings]
    shown = " or ".join(f"{time:%Y-%m-%d} ({name})" for time, name in zip(times, (first, second), strict=True))
    return f"the order of day and month: is the first arrival on {shown}? Give --date-format"


def _times(cells: StampCells, name: str) -> pd.Series:
    return cells.times(DateFormat(name, ""))


def _backward(begins: StampCells, ends: StampCells, name: str) -> float:
    """The share of stays that end before they begin."""
    begin, end = _times(begins, name), _times(ends, name)
    both = begin.notna() & end.notna()
    return float((end < begin)[both].mean()) if both.any() else 0.0


def _density(times: pd.Series) -> float:
    """The share of the days from the first to the last time with any."""
    days = times.dropna().dt.normalize()
    return days.nunique() / (1 + (days.max() - days.min()).days) if len(days) else 0.0


def _rises(ids: pd.Series | None, times: pd.Series) -> float:
    """Rank correlation of the numbers in which ids end with the times."""
    if ids is None:
        return 0.0
    numbers = pd.to_numeric(ids.str.extract(r"(\d+)$")[0], errors="coerce")
    both = numbers.notna() & times.notna()
    if both.sum() < 3 or numbers[both].nunique() < 3:
        return 0.0
    ranks = numbers[both].rank(), times[both].rank()
    return float(np.corrcoef(*ranks)[0, 1]) if ranks[1].nunique() > 1 else 0.0


def _may_be(text: str, format_: str) -> bool:
    if format_[2] not in text or text.count(":") != format_.count(":"):  # strptime is slow
        return False
    try:
        datetime.strptime(text, format_)
    except ValueError:
        return False
    return True


def _counts(found: pd.Series, candidates: Mapping[str, StampFormat]) -> dict[str, int]:
    """How many of the texts each candidate reads as a day of the years 1950 to 2100."""
    read = ", ".join(
        f"count(*) FILTER (year(coalesce({stamps.wall('text')}, {stamps.utc('text')})) BETWEEN 1950 AND 2100)"
        for stamps in candidates.values()
    )
    counts = _select(pd.DataFrame({"text": found.to_numpy()}), read).iloc[0]
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


def times_known(times: pd.Series) -> bool:
    """Whether most of the stamps have a time of day."""
    known = times.dropna()
    return bool(len(known) and (np.asarray(known.dt.normalize() != known)).mean() > 0.5)
