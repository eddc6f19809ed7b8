"""How many beds for which risk: the share of days on which demand exceeds a number of beds, were beds without limit."""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from kaizar_pipeline.reporting.figures.drawing import (
    LINE,
    WIDE,
    Drawing,
    Figure,
    Scale,
    dashes,
    kept,
    shown_values,
    steps,
    text_width,
    uprights,
    whole_ticks,
)
from kaizar_pipeline.reporting.numbers import Cells, Number, Sentence, percent

HEIGHT, BELOW = 110, 50

NARROWEST = 104.0
"""Pixels of the narrowest plot: four to a row on a printed sheet."""

EDGE = 0.004
"""The curve is shown from where all but this share of days exceeds the beds, to where this share does."""

FEWEST_BEDS = 4

LEFT, RIGHT = 42.0, 8.0
"""Pixels beside the plot."""


@dataclass(frozen=True)
class Marks:
    """What is marked on the curve of a ward: beds staffed and beds enough for the target, each None where unknown."""

    cells: Cells
    key: tuple[Hashable, ...]
    """Of a row of bed_requirements; these columns are the same in all rows of a ward."""

    def value(self, column: str) -> float | None:
        """The value of a column."""
        value = self.cells.value("bed_requirements", column, *self.key)
        return None if value is None else float(value)

    def number(self, column: str) -> Number:
        """The same as a number; of the target in percent."""
        if column == "risk_target":
            return self.cells.number("bed_requirements", column, *self.key, shown=percent)
        return self.cells.number("bed_requirements", column, *self.key)

    def beds(self) -> list[float]:
        """All numbers of beds that are marked."""
        values = map(self.value, ("staffed_beds", "enough_beds", "enough_low", "enough_high"))
        return [value for value in values if value is not None]


def risk(cells: Cells, ward: str, label: str) -> Figure | None:
    """The curve with the staffed beds and those that are enough for the target; None where there is none."""
    rows = cells.rows("bed_requirements", ward_id=ward, risk_event="day").sort_values("beds")
    exceeded = 1 - shown_values(cells, "bed_requirements", "covered_share", rows)
    if np.isnan(exceeded).all():
        return None
    marks = Marks(cells, (ward, "day", rows["beds"].iloc[0]))
    drawing = Drawing(HEIGHT, BELOW)
    at = rows["beds"].to_numpy("f8")
    beds = _beds(at, exceeded, marks.beds())
    share = Scale(0, 1, drawing.bottom - 1, drawing.top + 2)
    drawing.text(0, 10, "share of days short of beds", aside=-36)
    _draw_curve(drawing, beds, share, at, exceeded)
    _draw_target(drawing, share, marks)
    _draw_interval(drawing, beds, share, marks)
    names = [
        _Name(*name, marks.number(name[1]), beds(value))
        for name in NAMES
        if (value := marks.value(name[1])) is not None
    ]
    for name in names:
        height = share(float(exceeded[np.abs(at - beds.back(name.place)).argmin()]))
        drawing.path(f"{name.css}-drop", uprights([(name.place, height, drawing.bottom)]))
        drawing.dot(f"{name.css}-dot", name.place, height)
    _draw_names(drawing, names)
    _draw_bed_ticks(drawing, beds, marks)
    finding = _finding(marks)
    says = f"{label}: share of days on which demand exceeds a number of beds; {finding}"
    return Figure(drawing.svg("f-risk", says), finding)


NAMES = (("f-staffed", "staffed_beds", "staffed"), ("f-enough", "enough_beds", "enough"))
"""Style, column and word of what is marked."""


@dataclass(frozen=True)
class _Name:
    css: str
    column: str
    word: str
    number: Number
    place: float

    @property
    def pixels(self) -> float:
        """Where it stands on the narrowest plot."""
        return self.place * NARROWEST / WIDE

    @property
    def width(self) -> float:
        return text_width(f"{self.number} {self.word}")


def _beds(beds: np.ndarray, exceeded: np.ndarray, marked: list[float]) -> Scale:
    inside = beds[(exceeded > EDGE) & (exceeded < 1 - EDGE)]
    shown = [*inside, *marked] or [*beds]
    low, high = max(min(*shown, beds.max()) - 1, 0), max(shown) + 1
    return Scale(low, max(high, low + FEWEST_BEDS), 0, WIDE)


def _draw_curve(drawing: Drawing, beds: Scale, share: Scale, at: np.ndarray, exceeded: np.ndarray) -> None:
    """Each number of beds is a step from half below to half above it."""
    shown = (at >= beds.low) & (at <= beds.high)
    places = [beds(value - 0.5) for value in at[shown]] + [beds(at[shown][-1] + 0.5)]
    drawing.path("f-axis", dashes([(0, WIDE, drawing.bottom)]))
    drawing.path("f-mean", steps(np.clip(places, 0, WIDE).tolist(), [share(value) for value in exceeded[shown]]))


def _draw_target(drawing: Drawing, share: Scale, marks: Marks) -> None:
    """The dashed line of the target, and ticks where they do not touch its number."""
    target = marks.value("risk_target")
    heights = [] if target is None else [share(target)]
    for height in heights:
        drawing.path("f-target", dashes([(0, WIDE, height)]))
        drawing.text(0, height + 4, marks.number("risk_target"), "f-ink", "end", -6)
    ticks = [share(tick) for tick in (1, 0.5, 0)]
    free = kept([(height - LINE / 2, height + LINE / 2) for height in [*heights, *ticks]], 0)
    for height, words, fits in zip(ticks, ("100 %", "50 %", "0 %"), free[len(heights) :], strict=True):
        if fits:
            drawing.tick(height, words)


def _draw_interval(drawing: Drawing, beds: Scale, share: Scale, marks: Marks) -> None:
    enough, target, low, high = map(marks.value, ("enough_beds", "risk_target", "enough_low", "enough_high"))
    if enough is not None and target is not None:
        left, right = enough if low is None else low, beds.high if high is None else high
        drawing.path("f-range", dashes([(beds(left), beds(right), share(target))]))


def _draw_names(drawing: Drawing, names: list[_Name]) -> None:
    """Each mark's name in a line of its own under the axis, with a thin line down to it; the upper name stands beside
    the line of the lower one."""
    if len(names) == 2 and not _fits_beside(*names) and _fits_beside(*names[::-1]):
        names = names[::-1]
    for depth, name, other in zip((31, 46), names, (*names[1:], None), strict=False):
        drawing.tail(name.place, depth - 11)
        text = Markup("{} {}").format(name.number.svg, name.word)
        anchor = _anchor(name) if other is None else _beside(name, other)
        drawing.text(name.place, drawing.bottom + depth, text, f"{name.css}-words", anchor)


def _anchor(name: _Name) -> str:
    """How a name stands so that it stays within the narrowest plot."""
    if name.pixels < name.width / 2:
        return ""
    return "end" if name.pixels > NARROWEST - name.width / 2 else "middle"


def _beside(name: _Name, other: _Name) -> str:
    """How a name stands beside the line of another: on the side away from it."""
    return "end" if name.place <= other.place else ""


def _fits_beside(name: _Name, other: _Name) -> bool:
    if _beside(name, other):
        return name.pixels + LEFT >= name.width
    return NARROWEST - name.pixels + RIGHT >= name.width


def _draw_bed_ticks(drawing: Drawing, beds: Scale, marks: Marks) -> None:
    """Ticks of beds under the axis, away from the lines of the marks."""
    pixels = NARROWEST / WIDE
    avoid = [beds(value) for value in map(marks.value, ("staffed_beds", "enough_beds")) if value is not None]
    for tick in whole_ticks(beds.low, beds.high, 4):
        half = text_width(str(tick)) / 2
        if all(abs(beds(tick) - place) * pixels > half + 3 for place in avoid):
            drawing.text(beds(tick), drawing.bottom + 15, str(tick), "tick", "middle")


def _finding(marks: Marks) -> Sentence:
    """What the staffed beds cover, and what is enough."""
    staffed, enough = marks.value("staffed_beds"), marks.value("enough_beds")
    low, high = marks.number("enough_low"), marks.number("enough_high")
    ward, event, _ = marks.key
    interval = " ({low} or more)" if marks.value("enough_high") is None else " ({low} to {high})"
    if str(low) == str(high):
        interval = ""
    parts = []
    if staffed is not None:
        parts.append("{staffed} staffed cover demand on {covered} of days")
    if enough is not None:
        parts.append(f"{{enough}}{interval} beds are short on at most {{target}}")
    return Sentence(
        "; ".join(parts) or "no number of beds reaches the target",
        staffed=marks.number("staffed_beds"),
        covered=marks.cells.number("bed_requirements", "covered_share", ward, event, int(staffed or 0), shown=percent),
        enough=marks.number("enough_beds"),
        low=low,
        high=high,
        target=marks.number("risk_target"),
    )
