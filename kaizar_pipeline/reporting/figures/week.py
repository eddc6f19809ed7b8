"""The usual week: the mean number in bed at each hour of the week, and the range that holds it 8 times in 10."""

import numpy as np
import pandas as pd
from markupsafe import Markup

from kaizar_pipeline.config.scenario import BASELINE
from kaizar_pipeline.reporting.figures.drawing import (
    WIDE,
    Drawing,
    Figure,
    Scale,
    area,
    boxes,
    line,
    shown_values,
    steps,
    uprights,
    whole_ticks,
)
from kaizar_pipeline.reporting.figures.staffed import staffed_words
from kaizar_pipeline.reporting.numbers import Cells, Sentence

HEIGHT, BELOW = 96, 34

HOURS = 168
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

SWING_BEDS, SWING_SHARE = 2.0, 0.1
"""A week hardly changes where its hours differ by less than so many beds, and by less than this share of the most."""


def week(cells: Cells, ward: str, label: str) -> Figure | None:
    """The profile of a ward; None where there is none."""
    profile = cells.rows("week_profile", ward_id=ward, scenario=BASELINE).sort_values(["weekday", "hour"])
    mean = shown_values(cells, "week_profile", "mean", profile)
    if len(profile) != HOURS or np.isnan(mean).all():
        return None
    low, high = (shown_values(cells, "week_profile", f"p{q}", profile) for q in (10, 90))
    staffed, words = _staffed(cells, ward)
    drawing = Drawing(HEIGHT, BELOW)
    beds = _beds(np.concatenate([mean, low - 0.5, high + 0.5, staffed + 0.5]), drawing)
    edges = np.linspace(0, WIDE, HOURS + 1)

    def beds_of(values: np.ndarray) -> list[float]:
        return [beds(value) for value in values]

    drawing.path("f-weekend", boxes([(edges[5 * 24], WIDE, drawing.top, drawing.bottom)]))
    drawing.path("f-interval", area(edges.tolist(), beds_of(low - 0.5), beds_of(high + 0.5)))
    drawing.path("f-mean", line((edges[:-1] + edges[1:]) / 2, beds_of(mean)))
    drawing.path("f-staffed", steps(edges.tolist(), beds_of(staffed + 0.5)))
    if words:
        drawing.text(0, 10, words, "f-staffed-words")
    drawing.text(0, 10, "beds", "f-unit", "end", -6)
    for tick in whole_ticks(beds.back(drawing.bottom), beds.back(drawing.top), 4):
        drawing.tick(beds(tick), str(tick))
    for day, name in enumerate(DAYS):
        css = "f-weekend-letter" if day >= 5 else ""
        drawing.text(WIDE * (day + 0.5) / 7, drawing.bottom + 15, name[0], css, "middle")
    _draw_now(drawing, pd.Timestamp(profile["as_of"].iloc[0]))
    most, least, hardly = int(np.nanargmax(mean)), int(np.nanargmin(mean)), _hardly_changes(mean, staffed)
    for hour in [] if hardly else [most, least]:
        drawing.dot("f-in-bed", WIDE * (hour + 0.5) / HOURS, beds(mean[hour]), 3.5)
    finding = _finding(cells, ward, most, least, hardly)
    return Figure(drawing.svg("f-week", f"{label}: patients in bed by hour of the week; {finding}"), finding)


def _beds(values: np.ndarray, drawing: Drawing) -> Scale:
    low, high = np.nanmin(values), np.nanmax(values)
    high = max(high, low + 3)
    edge = 0.04 * (high - low)
    return Scale(low - edge, high + edge, drawing.bottom, drawing.top)


def _staffed(cells: Cells, ward: str) -> tuple[np.ndarray, Markup | None]:
    """The beds staffed at each hour of the week in the weeks of the profile, and the words for them; not numbers where
    they are unlimited, or less than a week is known."""
    hours = cells.rows("occupancy_distributions", ward_id=ward, scenario=BASELINE)
    whole = len(hours) // HOURS
    beds = hours["staffed_beds"].to_numpy("f8", na_value=np.nan)[: whole * HOURS].reshape(whole, HOURS)
    if not whole or np.isnan(beds).any():
        return np.full(HOURS, np.nan), None
    weeks = [tuple(week) for week in beds[1:] if whole > 1] or [tuple(beds[0])]
    chosen = weeks.index(max(weeks, key=weeks.count)) + (whole > 1)
    of_week = hours.iloc[chosen * HOURS : (chosen + 1) * HOURS]
    slot = (of_week["at"].dt.day_of_week * 24 + of_week["at"].dt.hour).to_numpy()
    fewest, most = (
        cells.number("occupancy_distributions", "staffed_beds", ward, of_week["at"].iloc[int(place)])
        for place in (beds[chosen].argmin(), beds[chosen].argmax())
    )
    return beds[chosen][np.argsort(slot)], staffed_words(fewest, most)


def _draw_now(drawing: Drawing, now: pd.Timestamp) -> None:
    place = WIDE * (now.day_of_week * 24 + now.hour + now.minute / 60) / HOURS
    drawing.path("f-now", uprights([(place, drawing.top, drawing.bottom)]))
    drawing.text(place, drawing.bottom + 30, "now", "f-ink", "middle")


def _hardly_changes(mean: np.ndarray, staffed: np.ndarray) -> bool:
    most = np.nanmax(mean if np.isnan(staffed).all() else staffed)
    return np.nanmax(mean) - np.nanmin(mean) < max(SWING_BEDS, SWING_SHARE * most)


def _finding(cells: Cells, ward: str, most: int, least: int, hardly: bool) -> Sentence:
    """Fullest and emptiest hour of the week, 0 to 167."""

    def of(hour: int) -> dict[str, object]:
        key = (ward, hour // 24, hour % 24)
        return {
            "day": DAYS[hour // 24],
            "hour": cells.number("week_profile", "hour", *key, shown="{:.0f}:00".format),
            "beds": cells.number("week_profile", "mean", *key),
        }

    top, bottom = of(most), of(least)
    if hardly:
        same = str(top["beds"]) == str(bottom["beds"])
        words = (
            "hardly changes over the week: {beds} in bed"
            if same
            else "hardly changes over the week: {low} to {beds} in bed"
        )
        return Sentence(words, low=bottom["beds"], **top)
    return Sentence(
        "fullest {day} {hour}, {beds} in bed; emptiest {low_day} {low_hour}, {low_beds}",
        **top,
        **{f"low_{name}": value for name, value in bottom.items()},
    )
