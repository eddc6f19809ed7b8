"""What scenarios change: paired differences to the hospital as it is, those that help on a scale of their own."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from markupsafe import Markup

from kaizar_pipeline.reporting.figures.drawing import Figure, Scale, shown_values
from kaizar_pipeline.reporting.figures.rows import (
    axis_row,
    bar,
    dot,
    row,
    row_figure,
    strip,
    tick_text,
    upright,
    words_row,
)
from kaizar_pipeline.reporting.numbers import NO_BREAK, Cells, Sentence, count, hundredths, signed, tenths
from kaizar_pipeline.reporting.words import Name
from kaizar_pipeline.tables import HOSPITAL_TOTAL

LESS_IS_BETTER = (
    "turned_away",
    "left",
    "outliers",
    "wait_mean_hours",
    "wait_p95_hours",
    "wait_share_over_4h",
    "boarding_hours",
    "boarding_caused_hours",
    "hours_full_share",
    "days_any_hour_full",
)
"""KPIs of which less is better; of others more or less is neither."""

GROUPS = ("less", "more", "unclear")
WORDS = {"less": "less", "more": "more", "unclear": "no clear change"}
JUDGED = {"less": "better", "more": "worse"}

EDGE = 0.05
"""Share of the width left free at each end of a strip."""


def forest(cells: Cells, kpi: str, labels: Mapping[str, str]) -> Figure | None:
    """The scenarios of which `kpi` of the hospital is compared, by the names of `labels`; None where there are none."""
    rows = cells.rows("scenario_comparison", ward_id=HOSPITAL_TOTAL, kpi=kpi)
    of = {column: shown_values(cells, "scenario_comparison", column, rows) for column in ("difference", "low", "high")}
    known = ~np.isnan(of["difference"])
    if not known.any():
        return None
    rows = rows.assign(**of)[known]
    rows = rows.assign(group=_groups(rows), size=rows["difference"].abs()).sort_values("size", ascending=False)
    size, whole = _formats(rows)
    changed, drawn = signed(size), []
    words = WORDS | (JUDGED if kpi in LESS_IS_BETTER else {})
    for group in GROUPS:
        part = rows[rows["group"] == group]
        if len(part):
            drawn += [words_row(words[group], "f-group"), *_rows(cells, kpi, labels, part, changed)]
    baseline = cells.number(
        "scenario_comparison", "baseline", rows["scenario"].iloc[0], HOSPITAL_TOTAL, kpi, shown=whole
    )
    unit = "" if rows["unit"].iloc[0] == "share" else f" {rows['unit'].iloc[0]}"
    drawn.append(words_row(Sentence("as it is: {baseline}{unit}", baseline=baseline, unit=unit)))
    finding = _finding(cells, kpi, labels, rows, changed)
    says = f"differences that scenarios make; {finding}"
    return Figure(row_figure("f-forest", drawn, says), finding)


def _groups(rows: pd.DataFrame) -> np.ndarray:
    return np.select([rows["high"] < 0, rows["low"] > 0], GROUPS[:2], GROUPS[2])


def _formats(rows: pd.DataFrame) -> tuple[Callable[[float], str], Callable[[float], str]]:
    """How sizes of differences and how baselines are shown: shares in points and in percent."""
    if rows["unit"].iloc[0] == "share":
        return lambda value: tenths(100 * value), lambda value: f"{tenths(100 * value)}{NO_BREAK}%"
    largest = rows["size"].max()
    shown = hundredths if largest < 1 else tenths if largest < 100 else count
    return shown, shown


def _rows(
    cells: Cells, kpi: str, labels: Mapping[str, str], part: pd.DataFrame, changed: Callable[[float], str]
) -> list[Markup]:
    """The rows of one group, on one scale from 0 to its farthest end."""
    edges = [0.0, *part["difference"], *part["low"].dropna(), *part["high"].dropna()]
    low, high = min(edges), max(edges)
    place = Scale(low, high if high > low else low + 1, EDGE, 1 - EDGE)
    is_share = part["unit"].iloc[0] == "share"
    points, lines = " points" if is_share else "", []
    columns = (part[name].tolist() for name in ("scenario", "group", "overloaded", "difference", "low", "high"))
    for scenario, group, overloaded, difference, lower, upper in zip(*columns, strict=True):
        numbers = {
            column: cells.number("scenario_comparison", column, scenario, HOSPITAL_TOTAL, kpi, shown=changed)
            for column in ("difference", "low", "high")
        }
        note = ", beds do not suffice" if overloaded else ""
        words = Markup("<b>{difference}</b>{points} ({low} to {high}){note}")
        css = "f-worse" if group == "more" and kpi in LESS_IS_BETTER else f"f-{group}"
        marks = [bar("f-ground", 0, 1), upright("f-zero", place(0))]
        if not np.isnan([lower, upper]).any():
            marks.append(bar("f-range", place(lower), place(upper)))
        marks.append(dot(css, place(difference)))
        values = words.format(**numbers, points=points, note=note)
        lines.append(row(Name(labels.get(scenario, scenario)), values, strip(*marks)))
    return [*lines, axis_row(_axis(place, 100 if is_share else 1))]


def _axis(place: Scale, factor: float) -> Markup:
    """0, and a round number near the farther end; differences are shown times `factor`."""
    far = factor * max(place.low, place.high, key=abs)
    size = 10 ** np.floor(np.log10(abs(far)))
    end = np.sign(far) * max(step * size for step in (1, 2, 5) if step * size <= abs(far))
    ticks = [tick_text(place(0), "0")]
    if abs(place(end / factor) - place(0)) > 0.3:
        ticks.append(tick_text(place(end / factor), signed("{:g}".format)(end)))
    return strip(*ticks, height=14)


def _finding(
    cells: Cells, kpi: str, labels: Mapping[str, str], rows: pd.DataFrame, changed: Callable[[float], str]
) -> Sentence:
    parts, fields = [], {}
    judged = kpi in LESS_IS_BETTER
    for group, words in zip(GROUPS, ("helps most", "does most harm") if judged else ("lowers", "raises"), strict=False):
        part = rows[rows["group"] == group]
        if len(part):
            scenario = part["scenario"].iloc[0]
            parts.append(f"{{{group}}} {words}{'' if judged else ' it most'} ({{{group}_by}})")
            fields[group] = Name(labels.get(scenario, scenario))
            fields[f"{group}_by"] = cells.number(
                "scenario_comparison", "difference", scenario, HOSPITAL_TOTAL, kpi, shown=changed
            )
    return Sentence(", ".join(parts) or "no scenario makes a clear difference", **fields)
