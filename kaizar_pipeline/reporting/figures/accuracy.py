"""How good past forecasts were: how often intervals held, by week and hour, and how far forecasts were off."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from markupsafe import Markup

from kaizar_pipeline.planning.census_backtest import TWIN
from kaizar_pipeline.reporting.figures.drawing import (
    LINE,
    WIDE,
    Drawing,
    Figure,
    Scale,
    boxes,
    dashes,
    points,
    shown_values,
)
from kaizar_pipeline.reporting.figures.rows import (
    axis_row,
    bar,
    cross,
    dot,
    plain,
    row,
    row_figure,
    strip,
    tick_text,
    words_row,
)
from kaizar_pipeline.reporting.numbers import CONSTANTS, Cells, Sentence, constant, count, hundredths, percent, tenths
from kaizar_pipeline.reporting.words import Name, names

BASELINES = {"weekday": "weekday mean", "persistence": "no change"}
"""Methods that the forecast is compared with, and their words."""

LOWEST = 0.4
"""Share of intervals that held at which the axis of coverage begins."""

SLOT_HEIGHT = 36.0


def coverage(cells: Cells, labels: Mapping[str, str]) -> Figure | None:
    """How often 80 % intervals held, for the wards of `labels` by week ahead and by hour; None without a back-test."""
    hour = _hour(cells)
    if hour is None:
        return None
    drawn, narrow, wide, slots = [], [], [], _slots(cells, hour)
    for ward, label in labels.items():
        scores = _scores(cells, ward)
        here = scores[(scores["hour"] == hour) & (scores["lead_week"] == 0)]
        if here.empty:
            continue
        share = cells.number("occupancy_scores", "coverage80", TWIN, ward, hour, 0, shown=percent)
        n = cells.number("occupancy_scores", "n", TWIN, ward, hour, 0)
        values = Markup("<b>{}</b> of {}").format(share, n)
        drawn.append(row(Name(label), values, plain(_coverage_plot(scores, slots))))
        [low, held, high] = here[["coverage80_low", "coverage80", "coverage80_high"]].iloc[0]
        narrow += [label] * (held < low)
        wide += [label] * (held > high)
    if not drawn:
        return None
    drawn.append(axis_row(_slot_axis(slots, hour)))
    key = Sentence("Line: {wanted}. Grey: what chance allows.", wanted=constant("interval"))
    finding = _held(narrow, wide)
    return Figure(row_figure("f-coverage", [*drawn, words_row(key)], f"how often intervals held; {finding}"), finding)


def _hour(cells: Cells) -> int | None:
    """The hour of which all weeks are shown: that of the instant of the tables, or the first."""
    scores = cells.rows("occupancy_scores", method=TWIN)
    if scores.empty:
        return None
    hours, now = scores["hour"].unique(), pd.Timestamp(scores["as_of"].iloc[0]).hour
    return int(now if now in hours else hours.min())


def _scores(cells: Cells, ward: str) -> pd.DataFrame:
    scores = cells.rows("occupancy_scores", ward_id=ward, method=TWIN)
    columns = ("coverage80", "coverage80_low", "coverage80_high")
    return scores.assign(**{column: shown_values(cells, "occupancy_scores", column, scores) for column in columns})


def _slots(cells: Cells, hour: int) -> list[tuple[int, int]]:
    """Hour and week ahead of each place along the axis: the weeks of one hour, then the hours of all weeks."""
    scores = cells.rows("occupancy_scores", method=TWIN)
    weeks = sorted(int(week) for week in scores["lead_week"].unique() if week)
    hours = sorted(int(h) for h in scores["hour"].unique())
    return [(hour, week) for week in weeks] + ([(h, 0) for h in hours] if len(hours) > 1 else [])


def _slot_place(slots: list[tuple[int, int]], index: int) -> float:
    """Middle of a slot, with a gap of one between weeks and hours."""
    gap = any(week == 0 for _, week in slots)
    width = WIDE / (len(slots) + gap)
    return width * (index + 0.5 + (slots[index][1] == 0))


def _coverage_plot(scores: pd.DataFrame, slots: list[tuple[int, int]]) -> Drawing:
    drawing = Drawing(SLOT_HEIGHT, 0, top=4)
    share = Scale(LOWEST, 1, drawing.bottom - 3, drawing.top + 1)
    half = 0.4 * WIDE / (len(slots) + 1)
    columns = (scores[name] for name in ("hour", "lead_week", "coverage80", "coverage80_low", "coverage80_high"))
    found = {(hour, week): values for hour, week, *values in zip(*columns, strict=True)}
    bands, inside = [], []
    for index, slot in enumerate(slots):
        held, low, high = found.get(slot, (np.nan, np.nan, np.nan))
        if np.isnan(held):
            continue
        x = _slot_place(slots, index)
        bands.append((x - half, x + half, share(high), share(max(low, LOWEST))))
        if low <= held <= high:
            inside.append((x, share(max(held, LOWEST))))
        else:
            drawing.dot("f-worse", x, share(max(held, LOWEST)), 4.5)
    drawing.path("f-wide", boxes(bands))
    drawing.path("f-target", dashes([(0, WIDE, share(CONSTANTS["interval"]))]))
    drawing.path("f-points f-large", points(inside))
    return drawing


def _slot_axis(slots: list[tuple[int, int]], hour: int) -> Markup:
    """The weeks and hours under the plots, and what they are."""
    drawing = Drawing(0, 2 * LINE + 4, top=0)
    for index, (of_hour, week) in enumerate(slots):
        drawing.text(_slot_place(slots, index), 12, str(week or of_hour), "tick", "middle")
    drawing.text(_slot_place(slots, 0), 12 + LINE, "week ahead", aside=-8)
    first = next((index for index, (_, week) in enumerate(slots) if week == 0), None)
    if first is not None:
        drawing.text(_slot_place(slots, first), 12 + LINE, "hour of the day", aside=-8)
    return plain(drawing)


def _held(narrow: list[str], wide: list[str]) -> Sentence:
    """Which wards have intervals that are too narrow or too wide for chance."""
    parts = []
    if narrow:
        parts.append("too narrow: {narrow}")
    if wide:
        parts.append("wider than needed: {wide}")
    words = "; ".join(parts) or "held as often as they should, as far as so many can tell"
    return Sentence(words, narrow=names(narrow), wide=names(wide))


def errors(cells: Cells, labels: Mapping[str, str], week: int = 1) -> Figure | None:
    """The average miss of the forecasts `week` weeks ahead (0: all weeks) beside those of simple methods, for the wards
    of `labels`; None without a back-test."""
    hour = _hour(cells)
    if hour is None:
        return None
    found: dict[str, dict[str, float]] = {}
    for ward in labels:
        misses = {
            method: cells.value("occupancy_scores", "crps", method, ward, hour, week) for method in (TWIN, *BASELINES)
        }
        if misses[TWIN] is not None:
            found[ward] = {method: float(miss) for method, miss in misses.items() if miss is not None}
    if not found:
        return None
    place = Scale(0, max(miss for misses in found.values() for miss in misses.values()) * 1.02 or 1, 0.01, 0.99)
    drawn, worse = [_marks_row()], []
    for ward, misses in found.items():
        lost = misses[TWIN] > misses.get("weekday", np.inf)
        worse += [labels[ward]] * lost
        drawn.append(row(Name(labels[ward]), _miss_words(cells, (ward, hour, week), lost), _miss_strip(misses, place)))
    drawn.append(axis_row(_miss_axis(place)))
    finding = Sentence(
        "the weekday mean was closer for {worse}" if worse else "closer than the weekday mean everywhere",
        worse=names(worse),
    )
    return Figure(row_figure("f-errors", drawn, f"average miss of past forecasts, in beds; {finding}"), finding)


def _marks_row() -> Markup:
    """What the marks mean, each mark beside its words."""

    def mark(drawn: Markup) -> Markup:
        return Markup("<svg class='f-mark' aria-hidden='true' width='10' height='16'>{}</svg>").format(drawn)

    words = Markup("{} forecast \u2002{} {} \u2002{} {}")
    return words_row(
        words.format(
            mark(dot("f-this", 0.5)),
            mark(dot("f-other", 0.5)),
            BASELINES["weekday"],
            mark(cross("f-cross", 0.5)),
            BASELINES["persistence"],
        )
    )


def _miss_words(cells: Cells, key: tuple[str, int, int], lost: bool) -> Markup:
    this, other = (
        cells.number("occupancy_scores", "crps", method, *key, shown=hundredths) for method in (TWIN, "weekday")
    )
    words = (
        "<b>{}</b> beds, weekday mean {} <b class='f-lost'>closer</b>" if lost else "<b>{}</b> beds, weekday mean {}"
    )
    return Markup(words).format(this, other)


def _miss_strip(misses: dict[str, float], place: Scale) -> Markup:
    marks = [bar("f-ground", 0, 1)]
    if "persistence" in misses:
        marks.append(cross("f-cross", place(misses["persistence"])))
    if "weekday" in misses:
        marks.append(dot("f-other", place(misses["weekday"])))
    return strip(*marks, dot("f-this", place(misses[TWIN])))


def _miss_axis(place: Scale) -> Markup:
    size = 10 ** np.floor(np.log10(place.high))
    end = max(step * size for step in (1, 2, 5) if step * size <= place.high)
    shown = count if end >= 1 else tenths
    return strip(tick_text(place(0), "0", "start"), tick_text(place(end), f"{shown(end)} beds", "end"), height=14)
