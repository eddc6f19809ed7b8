"""Figures of one row per name: the name, its numbers, and under both a strip or a plot that stretches."""

from collections.abc import Iterable

from markupsafe import Markup, escape

from kaizar_pipeline.reporting.figures.drawing import Drawing, short

MIDDLE, STRIP = 8.0, 16
"""The line of a strip and its height, in pixels."""


def row(name: object, values: object, drawn: Markup) -> Markup:
    """One row of a figure."""
    return Markup("<li><span class='f-name'>{}</span><span class='f-values'>{}</span>{}</li>").format(
        name, values, drawn
    )


def words_row(words: object, css: str = "f-words") -> Markup:
    """A row of words alone."""
    return Markup("<li class='{}'>{}</li>").format(css, words)


def axis_row(drawn: Markup) -> Markup:
    """A row that is nothing but an axis."""
    return Markup("<li class='f-axis-row' aria-hidden='true'>{}</li>").format(drawn)


def row_figure(css: str, rows: Iterable[Markup], says: object) -> Markup:
    """The figure of these rows."""
    return Markup("<ul class='fig f-rows {}' aria-label='{}'>{}</ul>").format(css, str(says), Markup("").join(rows))


def strip(*marks: Markup, height: float = STRIP) -> Markup:
    """Marks along a line; the numbers beside it say the same."""
    return Markup("<svg aria-hidden='true' width='100%' height='{}'>{}</svg>").format(
        short(height), Markup("").join(marks)
    )


def bar(css: str, left: float, right: float, y: float = MIDDLE) -> Markup:
    """A level line, from and to a place (0 to 1)."""
    return Markup("<line class='{}' x1='{}%' x2='{}%' y1='{y}' y2='{y}'/>").format(
        css, short(100 * left), short(100 * right), y=short(y)
    )


def upright(css: str, place: float, half: float = 7) -> Markup:
    """A short upright line across the strip."""
    return Markup("<line class='{}' x1='{x}%' x2='{x}%' y1='{}' y2='{}'/>").format(
        css, short(MIDDLE - half), short(MIDDLE + half), x=short(100 * place)
    )


def dot(css: str, place: float) -> Markup:
    """A round mark."""
    return Markup("<circle class='{}' cx='{}%' cy='{}' r='4'/>").format(css, short(100 * place), short(MIDDLE))


def cross(css: str, place: float) -> Markup:
    """A mark like a cross."""
    return Markup("<svg x='{}%' y='{}' overflow='visible'><path class='{}' d='M-3.5-3.5l7 7m0-7l-7 7'/></svg>").format(
        short(100 * place), short(MIDDLE), css
    )


def tick_text(place: float, words: str, anchor: str = "middle") -> Markup:
    """A number of the axis."""
    return Markup("<text class='tick' text-anchor='{}' x='{}%' y='11'>{}</text>").format(
        anchor, short(100 * place), escape(words)
    )


def plain(drawing: Drawing) -> Markup:
    """A drawing inside a row, whose numbers say the same."""
    return drawing.inner(Markup("aria-hidden='true'"))
