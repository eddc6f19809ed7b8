"""Numbers on display, each with the cell of a table that it comes from, so that a reader, or a test, can look it up.

A `Number` is its text where text is wanted (`str`, terminal, Markdown) and an element with the attribute `data-of` in
HTML. `Cells` makes them from the tables of a report. What is not known is a dash, and never another number.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.scenario import BASELINE
from kaizar_pipeline.planning.beds import HARM
from kaizar_pipeline.planning.chances import BANDS
from kaizar_pipeline.planning.forecast_log import SCORED_DAYS
from kaizar_pipeline.tables import SCENARIO, Table

NOT_KNOWN, SUPPRESSED = "–", "*"
"""What stands for a number that is not known, and for one that is not shown because it is small."""

THIN, NO_BREAK, JOINER = "\u2009", "\u00a0", "\u2060"

CONSTANTS = {
    "interval": 0.8,
    "wide_interval": 0.95,
    "narrow_interval": 0.5,
    "hours_ahead": HOURS_PER_DAY,
    "harm_hours": HARM["turned_away"],
    "beds_few": 0.7,
    "beds_most": 0.9,
    **{f"{words.replace(' ', '_')}_below": below for below, words in BANDS},
    "log_days": SCORED_DAYS,
}
"""Numbers of the method, which are in no table, by name."""


@dataclass(frozen=True)
class Number:
    """A number as it is shown, and where it comes from: `table.column/key/key`, or `constant/name`.

    The keys are those of the table in order, without hospital_id; a scenario is left out where it is the baseline.
    """

    text: str
    source: str

    def __str__(self) -> str:
        return self.text

    def __html__(self) -> Markup:
        if self.text == NOT_KNOWN:
            return Markup("<span title='not known'>–</span>")
        return Markup("<data data-of='{}'>{}</data>").format(self.source, self.text)

    @property
    def svg(self) -> Markup:
        """The same inside an SVG text."""
        return Markup("<tspan data-of='{}'>{}</tspan>").format(self.source, self.text)


@dataclass(frozen=True)
class Day:
    """A date as people say it, with the ISO date in HTML; `year` adds the year."""

    date: date | pd.Timestamp
    year: bool = False

    def __str__(self) -> str:
        text = f"{self.date:%a} {self.date.day}{NO_BREAK}{self.date:%b}"
        return f"{text} {self.date.year}" if self.year else text

    def __html__(self) -> Markup:
        return Markup("<time datetime='{}'>{}</time>").format(f"{self.date:%Y-%m-%d}", str(self))


@dataclass(frozen=True)
class Hour:
    """An instant as people say it, such as Sat 28 Nov 8:00, with the ISO instant in HTML; `day` False: 8:00 alone."""

    at: datetime | pd.Timestamp
    day: bool = True

    def __str__(self) -> str:
        hour = f"{self.at.hour}:{self.at:%M}"
        return f"{Day(self.at)} {hour}" if self.day else hour

    def __html__(self) -> Markup:
        return Markup("<time datetime='{}'>{}</time>").format(f"{self.at:%Y-%m-%dT%H:%M}", str(self))


class Sentence:
    """A template with the numbers, days and names that go into it; in HTML all is escaped but what has HTML of its own.

    `Sentence("{free} free", free=number)` is '1 free' as text and has the number's element in HTML.
    """

    def __init__(self, template: str, **fields: Any):
        self._template, self._fields = template, fields

    def __str__(self) -> str:
        return self._template.format(**{name: str(value) for name, value in self._fields.items()})

    def __html__(self) -> Markup:
        return escape(self._template).format(**self._fields)

    def __bool__(self) -> bool:
        return bool(self._template)


def joined(sentences: list["Sentence"], between: str = " ") -> Sentence:
    """Sentences one after the other, without those that are empty."""
    there = [one for one in sentences if one]
    return Sentence(
        between.join(f"{{part{i}}}" for i in range(len(there))), **{f"part{i}": s for i, s in enumerate(there)}
    )


def count(value: float) -> str:
    """A whole number, with thin spaces between thousands and a true minus sign."""
    return f"{round(value):,}".replace(",", THIN).replace("-", "−")


def tenths(value: float) -> str:
    """One decimal."""
    return f"{value:,.1f}".replace(",", THIN).replace("-", "−")


def hundredths(value: float) -> str:
    """Two decimals."""
    return f"{value:,.2f}".replace(",", THIN).replace("-", "−")


def signed(shown: Callable[[float], str]) -> Callable[[float], str]:
    """The same with a sign, but for what rounds to 0."""

    def text(value: float) -> str:
        plain = shown(abs(value))
        return plain if not plain.strip("0.") else ("+" if value > 0 else "−") + plain

    return text


def percent(value: float) -> str:
    """A share in whole percent; what is neither 0 nor 1 is never shown as such."""
    whole = round(100 * value)
    if whole == 0 < value:
        return f"<1{NO_BREAK}%"
    if value < 1 <= whole / 100:
        return f">99{NO_BREAK}%"
    return f"{whole}{NO_BREAK}%"


def percent_sign_aside(value: float) -> str:
    """The same without the sign, for columns whose head has it."""
    return percent(value).removesuffix(f"{NO_BREAK}%")


def constant(name: str, shown: Callable[[float], str] = percent) -> Number:
    """A number of the method by its name in CONSTANTS."""
    return Number(shown(CONSTANTS[name]), f"constant/{name}")


class Cells:
    """The tables of a report, read cell by cell; a table that was not made is one without rows.

    `hidden` are the cells that are not shown because they are, or would reveal, small numbers of patients.
    """

    def __init__(
        self,
        frames: Mapping[str, pd.DataFrame],
        tables: Mapping[str, Table],
        hidden: frozenset[tuple[str, str, tuple[Hashable, ...]]] = frozenset(),
    ):
        self.frames, self._tables, self.hidden = frames, tables, hidden
        self._index = cache(self._indexed)
        self._frame = cache(lambda table: self.frames[table] if table in self.frames else tables[table].empty())
        self._of_ward = cache(lambda table: self._frame(table).groupby("ward_id", sort=False).indices)
        self._column = cache(lambda table, column: self.frames[table][column].astype(object).tolist())

    def __contains__(self, table: str) -> bool:
        return table in self.frames and not self.frames[table].empty

    def key(self, table: str) -> list[str]:
        """The key columns of a table, without hospital_id."""
        return self._tables[table].key[1:]

    def rows(self, table: str, **where: Any) -> pd.DataFrame:
        """Its rows with these values, in order."""
        frame = self._frame(table)
        if "ward_id" in where:
            positions = self._of_ward(table).get(where.pop("ward_id"))
            frame = frame.iloc[[] if positions is None else positions]
        for column, value in where.items():
            frame = frame[frame[column] == value]
        return frame

    def _indexed(self, table: str) -> dict[tuple[Hashable, ...], int]:
        if table not in self.frames:
            return {}
        keys = self.key(table)
        if not keys:
            return {(): 0}
        columns = [self.frames[table][column].tolist() for column in keys]
        return {key: position for position, key in enumerate(zip(*columns, strict=True))}

    def _full(self, table: str, key: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
        names = self.key(table)
        if len(key) == len(names) - 1 and SCENARIO.name in names:
            at = names.index(SCENARIO.name)
            return (*key[:at], BASELINE, *key[at:])
        return key

    def value(self, table: str, column: str, *key: Hashable) -> Any:
        """The value of a cell, None where it is null, or there is no such row; a hidden one is None too."""
        full = self._full(table, key)
        position = self._index(table).get(full)
        if position is None or (table, column, full) in self.hidden:
            return None
        found = self._column(table, column)[position]
        return None if pd.isna(found) else found

    def number(self, table: str, column: str, *key: Hashable, shown: Callable[[float], str] = count) -> Number:
        """The number of a cell as `shown`."""
        source = "/".join([f"{table}.{column}", *map(_key_text, key)])
        if (table, column, self._full(table, key)) in self.hidden:
            return Number(SUPPRESSED, source)
        value = self.value(table, column, *key)
        return Number(NOT_KNOWN if value is None else shown(value), source)

    def size(self, table: str) -> Number:
        """How many rows a table has: `table.rows`."""
        source = f"{table}.rows"
        if (table, "rows", ()) in self.hidden:
            return Number(SUPPRESSED, source)
        return Number(count(len(self.frames[table])) if table in self.frames else NOT_KNOWN, source)


def _key_text(value: Hashable) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d}" if value == pd.Timestamp(value).normalize() else f"{value:%Y-%m-%dT%H:%M}"
    return str(value)
