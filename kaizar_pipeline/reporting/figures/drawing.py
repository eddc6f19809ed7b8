"""Figures as SVG that stretches with its column, without a script and with text of one size at every width.

Across, a place is a number from 0 to WIDE: shapes are drawn in an inner SVG that is stretched, text and dots stand in
the outer one at a percentage of its width. Down, a place is in pixels. Labels live in margins or are moved and dropped
so that they do not touch at the narrowest width.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import pandas as pd
from markupsafe import Markup

from kaizar_pipeline.reporting.numbers import Cells, Number, Sentence

WIDE = 1000.0
"""Width of every drawing in its own units."""

TEXT = 12.0
"""Size of text in pixels, at every width."""

LINE = 14.0
"""Height of a line of text in pixels: labels one above the other stand so far apart."""

TOP = 20.0
"""Margin above the plot in pixels: a line for the unit and the staffed beds."""

NARROW, LIGHT, BROAD = "iljtfI.,:;|!'()[] \u2009\u00a0\u2060", "0123456789abcdeghknopqsuvxyzrJ-−–+", "mwMW%@"


@dataclass(frozen=True)
class Figure:
    """A drawing, and what it shows in a sentence, for its caption."""

    svg: Markup
    finding: Sentence


@dataclass(frozen=True)
class Scale:
    """From values to places: `low` stands at `start`, `high` at `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def back(self, place: float) -> float:
        """The value at a place."""
        return self.low + (place - self.start) / (self.end - self.start) * (self.high - self.low)


def style() -> str:
    """The style sheet of all figures."""
    return files("kaizar_pipeline.reporting.figures").joinpath("figures.css").read_text(encoding="utf-8")


def whole_ticks(low: float, high: float, most: int = 5) -> list[int]:
    """Whole numbers from low to high, multiples of 1, 2 or 5 times a power of 10, at most `most` of them."""
    for exponent in range(12):
        for digit in (1, 2, 5):
            step = digit * 10**exponent
            first, last = int(np.ceil(low / step)), int(np.floor(high / step))
            if last - first < most:
                return [step * k for k in range(first, last + 1)]
    return []


def text_width(text: str) -> float:
    """Pixels that a text is wide, at least: by classes of letters of the usual sans-serif types."""
    return TEXT * sum(
        0.34 if c in NARROW else 0.57 if c in LIGHT else 0.97 if c in BROAD else 0.73 if c < "\u0250" else 1.1
        for c in text
    )


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places in the order of `wanted`, at least `gap` apart and within low to high, as near to `wanted` as can be.

    Where they do not fit they reach beyond `high`.
    """
    blocks: list[tuple[float, int]] = []
    for index, place in enumerate(wanted):
        blocks.append((place - index * gap, 1))
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (left, many), (right, more) = blocks[-2], blocks[-1]
            blocks[-2:] = [((left * many + right * more) / (many + more), many + more)]
    most = max(high - gap * (len(wanted) - 1), low)
    level = [min(max(mean, low), most) for mean, many in blocks for _ in range(many)]
    return [base + index * gap for index, base in enumerate(level)]


def kept(spans: Sequence[tuple[float, float]], gap: float = 6.0) -> list[bool]:
    """Which labels along a line are kept, from where each begins to where it ends, the most important first: those
    that are `gap` away from all kept before."""
    there: list[tuple[float, float]] = []
    result: list[bool] = []
    for begin, end in spans:
        free = all(end + gap <= left or begin - gap >= right for left, right in there)
        there += [(begin, end)] * free
        result.append(free)
    return result


def shown_values(cells: Cells, table: str, column: str, rows: pd.DataFrame) -> np.ndarray:
    """f8: a column of some rows of a table; not a number where it is null or hidden."""
    values = rows[column].to_numpy("f8", na_value=np.nan).copy()
    if cells.hidden:
        for position, key in enumerate(rows[cells.key(table)].itertuples(index=False, name=None)):
            if (table, column, key) in cells.hidden:
                values[position] = np.nan
    return values


def short(value: float) -> str:
    """A place in as few characters as tell a tenth."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def boxes(parts: Iterable[tuple[float, float, float, float]]) -> str:
    """The path of filled boxes: left, right, top, bottom."""
    return "".join(
        f"M{left:.0f} {short(top)}H{right:.0f}V{short(bottom)}H{left:.0f}z" for left, right, top, bottom in parts
    )


def dashes(parts: Iterable[tuple[float, float, float]]) -> str:
    """The path of level lines: left, right, height."""
    return "".join(f"M{left:.0f} {short(height)}H{right:.0f}" for left, right, height in parts)


def uprights(parts: Iterable[tuple[float, float, float]]) -> str:
    """The path of upright lines: place, top, bottom."""
    return "".join(f"M{place:.0f} {short(top)}V{short(bottom)}" for place, top, bottom in parts)


def points(parts: Iterable[tuple[float, float]]) -> str:
    """The path of points: place, height; lines of no length, which round ends make dots."""
    return "".join(f"M{place:.0f} {short(height)}h0" for place, height in parts)


def line(xs: Iterable[float], ys: Iterable[float]) -> str:
    """The path through points; interrupted where one is not a number."""
    path: list[str] = []
    last: tuple[int, int] | None = None
    for x, y in zip(xs, ys, strict=True):
        if np.isnan(y):
            last = None
            continue
        here = round(x), round(10 * y)
        if last is None:
            path.append(f"M{here[0]} {short(y)}")
        else:
            down = short((here[1] - last[1]) / 10)
            path.append(f"l{here[0] - last[0]}{'' if down[0] == '-' else ' '}{down}")
        last = here
    return "".join(path)


def area(edges: Sequence[float], low: Sequence[float], high: Sequence[float]) -> str:
    """The path of the area between two staircases, with steps from edges[i] to edges[i + 1]; left out where one of the
    two is not a number."""
    known = np.flatnonzero(~np.isnan(low) & ~np.isnan(high))
    path = []
    for run in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        if len(run):
            sides = [*edges[run[0] : run[-1] + 1], edges[run[-1] + 1]]
            back = steps(sides[::-1], list(low)[run[0] : run[-1] + 1][::-1])
            path.append(f"{steps(sides, list(high)[run[0] : run[-1] + 1])}V{back.split(' ', 1)[1]}z")
    return "".join(path)


def steps(edges: Sequence[float], heights: Sequence[float]) -> str:
    """The path of a staircase: heights[i] from edges[i] to edges[i + 1]; interrupted where one is not a number."""
    path, last = [], np.nan
    for left, height in zip(edges[:-1], heights, strict=True):
        if not np.isnan(height):
            if np.isnan(last):
                path.append(f"M{left:.0f} {short(height)}")
            elif short(height) != short(last):
                path.append(f"H{left:.0f}V{short(height)}")
        elif not np.isnan(last):
            path.append(f"H{left:.0f}")
        last = height
    return "".join(path) + ("" if np.isnan(last) else f"H{edges[-1]:.0f}")


class Drawing:
    """A plot of `height` pixels with `below` pixels under it, and TOP above."""

    def __init__(self, height: float, below: float, top: float = TOP):
        self.top, self.bottom, self._below = top, top + height, below
        self._shapes: list[Markup] = []
        self._marks: list[Markup] = []

    def path(self, css: str, path: str) -> None:
        """A stretched shape; nothing where the path is empty."""
        if path:
            self._shapes.append(Markup("<path class='{}' d='{}'/>").format(css, path))

    def dot(self, css: str, x: float, y: float, radius: float = 4) -> None:
        """A round mark."""
        self._marks.append(
            Markup("<circle class='{}' cx='{}%' cy='{}' r='{}'/>").format(css, short(x / 10), short(y), short(radius))
        )

    def upright(self, css: str, x: float, top: float, bottom: float) -> None:
        """An upright line that does not stretch."""
        self._marks.append(
            Markup("<line class='{}' x1='{x}%' x2='{x}%' y1='{}' y2='{}'/>").format(
                css, short(top), short(bottom), x=short(x / 10)
            )
        )

    def tail(self, x: float, depth: float) -> None:
        """A thin line from the plot down to a label."""
        self.upright("f-tail", x, self.bottom, self.bottom + depth)

    def text(self, x: float, y: float, words: object, css: str = "", anchor: str = "", aside: float = 0) -> None:
        """Words with their baseline at y, `aside` pixels right of x; `anchor` is middle, end, or '' for the start."""
        content = words.svg if isinstance(words, Number) else words
        self._marks.append(
            Markup("<text x='{}%' y='{}'{}{}{}>{}</text>").format(
                short(x / 10),
                short(y),
                Markup(" dx='{}'").format(short(aside)) if aside else "",
                Markup(" class='{}'").format(css) if css else "",
                Markup(" text-anchor='{}'").format(anchor) if anchor else "",
                content,
            )
        )

    def tick(self, y: float, words: str) -> None:
        """A number of the axis left of the plot, at the height y."""
        self.text(0, y + 4, words, "tick", "end", -6)

    def inner(self, attributes: Markup) -> Markup:
        """The SVG with these attributes."""
        return Markup(
            "<svg {} width='100%' height='{}'><svg width='100%' height='{}' viewBox='0 0 {:.0f} {}' "
            "preserveAspectRatio='none'>{}</svg>{}</svg>"
        ).format(
            attributes,
            short(self.bottom + self._below),
            short(self.bottom),
            WIDE,
            short(self.bottom),
            Markup("").join(self._shapes),
            Markup("").join(self._marks),
        )

    def svg(self, css: str, says: object) -> Markup:
        """The drawing as an image of which a screen reader says `says`."""
        attributes = Markup("role='img' aria-label='{}'").format(str(says))
        return Markup("<div class='fig {}'>{}</div>").format(css, self.inner(attributes))
