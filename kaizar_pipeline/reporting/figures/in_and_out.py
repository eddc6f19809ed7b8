"""Who comes and who goes on each day: bars up and down, and between them how many more come than go."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kaizar_pipeline.config.scenario import BASELINE
from kaizar_pipeline.reporting.figures.day_axis import DAYS_AHEAD, DAYS_BACK, DayAxis
from kaizar_pipeline.reporting.figures.drawing import (
    LINE,
    WIDE,
    Drawing,
    Figure,
    Scale,
    boxes,
    dashes,
    shown_values,
    spread,
    uprights,
    whole_ticks,
)
from kaizar_pipeline.reporting.numbers import Cells, Day, Number, Sentence, count, signed, tenths

HEIGHT, BELOW = 120, 34

PARTS = {
    "arrivals": ("f-narrow", "arrive", 1),
    "transfers_in": ("f-interval", "move in", 1),
    "transfers_out": ("f-interval", "move out", -1),
    "discharges": ("f-narrow", "leave", -1),
}
"""Each flow with its style, its word, and whether it fills or empties beds."""

STACK = (("arrivals", "transfers_in"), ("discharges", "transfers_out"))
"""From the axis outwards, up and down."""

EVEN = 0.05
"""Patients a day more or fewer than which are not shown."""

_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Flows:
    """Patients by day and flow, observed days first; `net` with the range that holds it 8 times in 10 (not numbers on
    observed days)."""

    dates: list[pd.Timestamp]
    parts: dict[str, np.ndarray]
    net: np.ndarray
    low: np.ndarray
    high: np.ndarray


def flows(cells: Cells, ward: str, label: str) -> Figure | None:
    """The days around the instant of the tables; None for a ward of which no day ahead is known."""
    ahead = cells.rows("ward_flows", ward_id=ward, window="day", urgency="_all", scenario=BASELINE)
    if ahead.empty:
        return None
    now = pd.Timestamp(ahead["as_of"].iloc[0])
    past = cells.rows("observed_flows", ward_id=ward, urgency="_all")
    past = past[past["date"] >= now.normalize() - DAYS_BACK * _DAY]
    ahead = ahead[ahead["date"] < now.normalize() + DAYS_AHEAD * _DAY]
    days = _flows(cells, past, ahead)
    axis = DayAxis.around(now, past["date"], ahead["date"])
    drawing = Drawing(HEIGHT, BELOW)
    patients = _patients(days, drawing)
    axis.draw_weekends(drawing)
    columns = [axis.column(date) for date in days.dates]
    tops = _draw_bars(drawing, patients, columns, days)
    _draw_net(drawing, patients, columns, days)
    for tick in whole_ticks(patients.back(drawing.bottom), patients.back(drawing.top)):
        drawing.tick(patients(tick), str(abs(tick)))
    drawing.text(0, 10, "patients per day", "f-unit", aside=-36)
    _draw_words(drawing, patients, days, tops)
    axis.draw_below(drawing, "expected")
    finding = _finding(cells, ward, ahead)
    return Figure(drawing.svg("f-flows", f"{label}: patients who come and go on each day; {finding}"), finding)


def _flows(cells: Cells, past: pd.DataFrame, ahead: pd.DataFrame) -> Flows:
    dates = sorted({*past["date"], *ahead["date"]})
    day = {date: index for index, date in enumerate(dates)}

    def by_day(table: str, column: str, rows: pd.DataFrame) -> dict[str, np.ndarray]:
        found = {flow: np.full(len(dates), np.nan) for flow in (*PARTS, "net")}
        for flow, date, value in zip(rows["flow"], rows["date"], shown_values(cells, table, column, rows), strict=True):
            if flow in found:
                found[flow][day[date]] = value
        return found

    observed, expected = by_day("observed_flows", "count", past), by_day("ward_flows", "mean", ahead)
    both = {flow: np.where(np.isnan(expected[flow]), observed[flow], expected[flow]) for flow in expected}
    net = both.pop("net")
    for side in STACK:  # a part alone would look like the whole
        known = [both[flow] for flow in side if not np.isnan(both[flow]).all()]
        lacking = np.isnan(np.array(known).reshape(-1, len(dates))).any(axis=0)
        both |= {flow: np.where(lacking, np.nan, both[flow]) for flow in side}
    low, high = (by_day("ward_flows", column, ahead)["net"] for column in ("p10", "p90"))
    return Flows(dates, both, net, low, high)


def _patients(days: Flows, drawing: Drawing) -> Scale:
    up, down = (np.nansum([days.parts[flow] for flow in side], axis=0) for side in STACK)
    most = max(np.nanmax([*up, *days.high, *days.net, 1.0]), np.nanmax([*down, *-days.low, *-days.net, 1.0]))
    return Scale(-1.06 * most, 1.06 * most, drawing.bottom, drawing.top)


def _draw_bars(
    drawing: Drawing, patients: Scale, columns: list[tuple[float, float]], days: Flows
) -> dict[str, np.ndarray]:
    """The stacked bars; returned is the middle of each flow's part by day, in patients from the axis."""
    middles = {}
    for side in STACK:
        inner = np.zeros(len(columns))
        for flow in side:
            css, _, sign = PARTS[flow]
            outer = inner + sign * np.nan_to_num(days.parts[flow])
            filled = zip(columns, inner, outer, strict=True)
            drawing.path(css, boxes((*c, patients(max(a, b)), patients(min(a, b))) for c, a, b in filled if a != b))
            middles[flow] = (inner + outer) / 2
            inner = outer
    drawing.path("f-axis", dashes([(0, WIDE, patients(0))]))
    return middles


def _draw_net(drawing: Drawing, patients: Scale, columns: list[tuple[float, float]], days: Flows) -> None:
    middle = [sum(column) / 2 for column in columns]
    ranges = zip(middle, days.low, days.high, strict=True)
    drawing.path("f-bar-thin", uprights((x, patients(high), patients(low)) for x, low, high in ranges if low == low))
    drawing.path("f-bar", dashes((*c, patients(net)) for c, net in zip(columns, days.net, strict=True) if net == net))


def _draw_words(drawing: Drawing, patients: Scale, days: Flows, middles: dict[str, np.ndarray]) -> None:
    """The names of the flows that there are, beside the last day, from above."""
    there = [flow for flow in ("transfers_in", "arrivals") if np.nansum(days.parts[flow])]
    below = [flow for flow in ("discharges", "transfers_out") if np.nansum(days.parts[flow])]
    names = [*there, "net", *below]
    wanted = [patients(days.net[-1] if name == "net" else middles[name][-1]) for name in names]
    wanted = np.maximum.accumulate(np.nan_to_num(wanted, nan=patients(0))).tolist()
    for name, place in zip(names, spread(wanted, LINE, drawing.top + 4, drawing.bottom - 2), strict=True):
        words, css = ("net", "f-ink") if name == "net" else (PARTS[name][1], "")
        drawing.text(WIDE, place + 4, words, css, aside=6)


def _finding(cells: Cells, ward: str, ahead: pd.DataFrame) -> Sentence:
    """The whole days on which beds fill and empty most."""
    net = ahead[(ahead["flow"] == "net") & (ahead["begins"] == ahead["date"])]
    means, dates = shown_values(cells, "ward_flows", "mean", net), net["date"].tolist()
    if np.isnan(means).all():
        return Sentence("the rest of the day alone")
    largest = np.nanmax(np.abs(means))
    most, least = dates[np.nanargmax(means)], dates[np.nanargmin(means)]

    def of(date: pd.Timestamp) -> Number:
        few = largest < 10
        return cells.number(
            "ward_flows", "mean", ward, "day", date, "net", "_all", shown=signed(tenths if few else count)
        )

    if largest < EVEN:
        return Sentence("as many come as go")
    if most == least:
        return Sentence("net {change} on {day}", change=of(most), day=Day(most))
    return Sentence(
        "fills most on {day} (net {change}), empties most on {low_day} ({low_change})",
        day=Day(most),
        change=of(most),
        low_day=Day(least),
        low_change=of(least),
    )
