"""Whether chances of being full agree with how often it happened, and forecast arrivals with those observed."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from markupsafe import Markup

from kaizar_pipeline.forecasting.forecast_backtest import MODEL
from kaizar_pipeline.planning.full_days import BINS, FULL, miss_error
from kaizar_pipeline.reporting.figures.day_axis import DayAxis
from kaizar_pipeline.reporting.figures.drawing import (
    LINE,
    WIDE,
    Drawing,
    Figure,
    Scale,
    area,
    line,
    points,
    shown_values,
    whole_ticks,
)
from kaizar_pipeline.reporting.figures.rows import plain, row, row_figure, words_row
from kaizar_pipeline.reporting.numbers import Cells, Sentence, constant, percent
from kaizar_pipeline.reporting.words import METHODS, Name, names

HEIGHT, BELOW = 150, 34

FEWEST_DAYS = 10
"""Days in a bin from which on it is shown."""

TOLD = 1.96
"""Standard errors that tell a share from the chances."""

PLOT = 56
"""Pixels of the plot of one stream."""


def reliability(cells: Cells) -> Figure | None:
    """How often wards were full on days on which the chance was so high; None without a back-test."""
    days = cells.rows("full_backtest", level=FULL)
    wards = cells.rows("ward_outlook", kind="ward")["ward_id"]
    days = days[days["ward_id"].isin(wards)]
    days = days.assign(happened=shown_values(cells, "full_backtest", "happened", days))
    days = days.assign(probability=shown_values(cells, "full_backtest", "probability", days)).dropna(
        subset=["happened", "probability"]
    )
    if days.empty:
        return None
    drawing = Drawing(HEIGHT, BELOW)
    said, came = Scale(0, 1, 0, WIDE), Scale(0, 1, drawing.bottom, drawing.top)
    drawing.path("f-target", f"M0 {drawing.bottom:.0f}L{WIDE:.0f} {drawing.top:.0f}")
    drawing.path("f-axis", f"M0 {drawing.top:.0f}V{drawing.bottom:.0f}H{WIDE:.0f}")
    for _, part in days.groupby((days["probability"] * BINS).clip(upper=BINS - 1).astype(int)):
        if len(part) >= FEWEST_DAYS:
            _draw_bin(drawing, said, came, part)
    for tick in (0.0, 0.5, 1.0):
        drawing.tick(came(tick), percent(tick))
        anchor = {0.0: "", 0.5: "middle", 1.0: "end"}[tick]
        drawing.text(said(tick), drawing.bottom + 15, percent(tick), "tick", anchor)
    drawing.text(0, 10, "share of days full", aside=-36)
    drawing.text(WIDE, drawing.bottom + 30, "chance forecast", "", "end")
    finding = _came_true(days)
    return Figure(drawing.svg("f-reliability", f"how often wards were full by the chance forecast; {finding}"), finding)


def _draw_bin(drawing: Drawing, said: Scale, came: Scale, part: pd.DataFrame) -> None:
    """A dot at the mean chance and the share of days full, with the interval of that share."""
    share, error = part["happened"].mean(), miss_error(part)
    x, y = said(part["probability"].mean()), came(share)
    if error == error:
        low, high = max(share - TOLD * error, 0), min(share + TOLD * error, 1)
        drawing.upright("f-interval-line", x, came(high), came(low))
    drawing.dot("f-this", x, y)


def _came_true(days: pd.DataFrame) -> Sentence:
    miss, error = (days["happened"] - days["probability"]).mean(), miss_error(days)
    if not error or abs(miss) <= TOLD * error or error != error:
        return Sentence("wards were full about as often as forecast")
    return Sentence(f"wards were full {'more' if miss > 0 else 'less'} often than forecast")


def arrivals(cells: Cells, labels: Mapping[str, str]) -> Figure | None:
    """The last forecast of the back-test beside the arrivals observed, for the streams of `labels`; None without."""
    drawn, lost = [], {}
    for stream, label in labels.items():
        days = cells.rows("forecast_backtest", stream_id=stream, method=MODEL)
        days = days[days["origin"] == days["origin"].max()].sort_values("target_date")
        if days.empty:
            continue
        key = (stream, MODEL, "day", 0)
        held = cells.number("forecast_scores", "coverage80", *key, shown=percent)
        values = Markup("<b>{}</b> in the {} range").format(held, constant("interval"))
        drawn.append(row(Name(label), values, plain(_arrivals_plot(cells, days))))
        scores = cells.rows("forecast_scores", stream_id=stream, span="day", horizon_week=0, rank=1)
        best = scores["method"].iloc[0] if len(scores) else MODEL
        if best != MODEL:
            lost.setdefault(best, []).append(label)
    if not drawn:
        return None
    drawn.insert(0, words_row("arrivals per day: dots as observed, line and band as forecast"))
    finding = _closest(lost)
    says = f"arrivals per day, forecast and observed; {finding}"
    return Figure(row_figure("f-arrivals", drawn, says), finding)


def _arrivals_plot(cells: Cells, days: pd.DataFrame) -> Drawing:
    values = {
        column: shown_values(cells, "forecast_backtest", column, days) for column in ("p10", "p90", "mean", "actual")
    }
    axis = DayAxis(days["target_date"].iloc[0], len(days), days["origin"].iloc[0])
    drawing = Drawing(PLOT, 18, top=7)
    everything = np.concatenate(list(values.values()))
    low, high = np.nanmin(everything), np.nanmax(everything)
    patients = Scale(min(low, high - 3) - 0.6, high + 0.6, drawing.bottom, drawing.top)
    axis.draw_weekends(drawing)
    edges = [axis.x(date) for date in axis.dates()] + [axis.x(days["target_date"].iloc[-1] + pd.Timedelta(days=1))]
    low, high = ([patients(value) for value in values[column]] for column in ("p10", "p90"))
    drawing.path("f-interval", area(edges, low, high))
    middle = [(left + right) / 2 for left, right in pairwise(edges)]
    drawing.path("f-mean", line(middle, (patients(value) for value in values["mean"])))
    seen = zip(middle, values["actual"], strict=True)
    drawing.path("f-points", points((x, patients(value)) for x, value in seen if value == value))
    for tick in whole_ticks(patients.back(drawing.bottom - LINE / 2), patients.back(drawing.top), 3):
        drawing.tick(patients(tick), str(tick))
    axis.draw_mondays(drawing)
    return drawing


def _closest(lost: dict[str, list[str]]) -> Sentence:
    """Which method was closest, where that is not the forecast."""
    if not lost:
        return Sentence("closer than the simple methods")
    parts = [f"{METHODS[method]} was closer for {{{method}}}" for method in lost]
    return Sentence("; ".join(parts), **{method: names(streams) for method, streams in lost.items()})
