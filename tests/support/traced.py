"""Reads a page back: every digit on it must say which cell of a table it shows, and show it rightly.

Independent of the code that makes pages: it knows the rule alone. A digit belongs to an element with `data-of`
(`table.column/key/key`, `table.rows`, `constant/name`), to a `<time>` that says the instant (`data-date` in a drawing),
to an id, hash or version in `<code>`, to a message that is quoted in `<samp>`, to a name of the hospital's file in
`<bdi>`, or to the tick of an axis (`class="tick"`).
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html.parser import HTMLParser
from typing import Any

import pandas as pd

from kaizar_pipeline.tables import Table

VOID = {"meta", "br", "input", "img", "link", "hr"}
QUOTED = {"code", "samp"}
ATTRIBUTES = ("aria-label", "title", "alt", "data-l")
ENDS_SAME = {"td", "th", "li", "p", "dt", "dd", "tr", "option"}
"""Elements that end where the next of their kind begins."""
WORDS = {
    word: number
    for number, word in enumerate(("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"))
}


@dataclass
class Element:
    tag: str
    attributes: Mapping[str, str]
    text: str = ""


@dataclass
class Page(HTMLParser):
    """What stands on a page, by what vouches for it."""

    numbers: list[tuple[str, str]] = field(default_factory=list)
    """Source and text of each traced number."""
    times: list[tuple[str, str]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)
    """Digits that nothing vouches for."""
    labels: list[str] = field(default_factory=list)
    """Texts of attributes with digits."""
    seen: set[str] = field(default_factory=set)
    """All groups of digits of vouched text."""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.labels += [given[name] for name in ATTRIBUTES if re.search(r"\d", given.get(name, ""))]
        if tag in ENDS_SAME and self._open and self._open[-1].tag == tag:
            self.handle_endtag(tag)
        if tag not in VOID:
            self._open.append(Element(tag, given))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            closed = self._open.pop()
            self._close(closed)
            if closed.tag == tag:
                return

    def _close(self, element: Element) -> None:
        if "data-of" in element.attributes:
            self.numbers.append((element.attributes["data-of"], element.text))
        elif element.tag == "time" or "data-date" in element.attributes:
            stamp = element.attributes.get("datetime") or element.attributes.get("data-date", "")
            self.times.append((stamp, element.text))
        elif element.tag == "bdi":
            self.names.append(element.text)

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1].tag in ("style", "title"):
            return
        for element in self._open:
            element.text += data
        if not re.search(r"\d", data):
            return
        if any(_vouches(element) for element in self._open):
            self.seen.update(re.findall(r"\d+", data))
        else:
            self.bare.append(f"{' '.join(data.split())!r} in <{self._open[-1].tag}>")


def _vouches(element: Element) -> bool:
    ticks = element.tag == "text" and "tick" in element.attributes.get("class", "").split()
    return ticks or element.tag in {*QUOTED, "time", "bdi"} or bool({"data-of", "data-date"} & set(element.attributes))


def read_page(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    return page


def problems(
    html: str,
    frames: Mapping[str, pd.DataFrame],
    tables: Mapping[str, Table],
    constants: Mapping[str, float],
    names: Collection[str] | None = None,
) -> list[str]:
    """All that is wrong with the numbers of a page: bare digits, sources that are no cell, and numbers that differ from
    their cell. `names` are those of the hospital's file, where they are to be checked too."""
    page = read_page(html)
    found = [f"bare: {text}" for text in page.bare]
    cells = _Cells(frames, tables)
    for source, text in page.numbers:
        try:
            value = constants[source.split("/")[1]] if source.startswith("constant/") else cells.value(source)
        except KeyError:
            found.append(f"{source}: there is no such cell, shown is {text!r}")
            continue
        if not shows(text, value, source):
            found.append(f"{source}: shown is {text!r}, the cell is {value!r}")
    found += [f"{stamp}: shown is {text!r}" for stamp, text in page.times if not _shows_time(text, stamp)]
    found += [f"label: {text!r}" for text in page.labels if not set(re.findall(r"\d+", text)) <= page.seen]
    if names is not None:
        found += [f"name: {text!r}" for text in page.names if re.search(r"\d", text) and text not in names]
    return found


class _Cells:
    """Values by source."""

    def __init__(self, frames: Mapping[str, pd.DataFrame], tables: Mapping[str, Table]):
        self._frames, self._tables = frames, tables
        self._rows: dict[str, dict[str, int]] = {}

    def value(self, source: str) -> Any:
        head, _, key = source.partition("/")
        table, _, column = head.partition(".")
        if column == "rows":
            return len(self._frames[table])
        if table not in self._rows:
            self._rows[table] = dict(self._keys(table))
        if column not in self._frames[table]:
            raise KeyError(column)
        value = self._frames[table][column].iloc[self._rows[table][key]]
        return value.item() if hasattr(value, "item") else value

    def _keys(self, table: str) -> Iterator[tuple[str, int]]:
        names = [name for name in self._tables[table].key if name != "hospital_id"]
        for at, row in enumerate(self._frames[table][names].itertuples(index=False)):
            yield "/".join(map(_text, row)), at
            if "scenario" in names and row[names.index("scenario")] == "baseline":
                yield "/".join(_text(value) for name, value in zip(names, row, strict=True) if name != "scenario"), at


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d" if (value.hour, value.minute) == (0, 0) else "%Y-%m-%dT%H:%M")
    return str(value)


def shows(text: str, value: Any, source: str = "") -> bool:
    """Whether a text shows a value, rounded as far as the text goes."""
    if text == "*":
        return True
    if text == "–":
        return bool(pd.isna(value))
    if pd.isna(value):
        return False
    plain = re.sub("[\u2009\u202f\u2060]", "", text).replace("\u00a0", " ").replace("−", "-").strip()
    value = float(value)
    if plain.lower() in WORDS:
        return abs(value - WORDS[plain.lower()]) <= 0.5
    if hour := re.fullmatch(r"(\d+):00", plain):
        return value == int(hour[1])
    if days := re.fullmatch(r"(\d+) days in 10", plain):
        return abs((1 - value) * 10 - int(days[1])) < 1e-6
    if share := re.fullmatch(r"(\S+ %) of days", plain):
        return shows(share[1], 1 - value)
    if edge := re.fullmatch(r"([<>])(\d+)( %)?", plain):
        percent = 100 * value
        return 0 < percent < int(edge[2]) if edge[1] == "<" else int(edge[2]) < percent < 100
    number = re.fullmatch(r"([+-]?)(\d+(?:\.(\d+))?)( %)?", plain)
    return number is not None and _rounds_to(number, value, source)


def _rounds_to(number: re.Match[str], value: float, source: str) -> bool:
    sign, digits, decimals, percent = number.groups()
    shown = float(digits) * (-1 if sign == "-" else 1)
    within = 0.5 * 10 ** -len(decimals or "") * (1 + 1e-9)
    of = source.partition("/")[0].rpartition(".")[2]
    values = [100 * value] if percent else [value]
    if not percent and abs(value) <= 1:
        values.append(100 * value)  # its head has the sign
    if of == "bias":
        values += [-one for one in values]  # the words say too high, or too low
    return any(abs(shown - one) <= within and (shown != 0 or abs(one) <= within) for one in values)


def _shows_time(text: str, stamp: str) -> bool:
    """Whether the digits of a text are those of the instant: its day of the month, year, hour and minute."""
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return False
    known = {str(at.day), str(at.year), f"{at.hour}:{at:%M}"}
    return set(re.findall(r"\d+(?::\d\d)?", text)) <= known
