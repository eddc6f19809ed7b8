"""The highest number in bed of each day: observed, then the bands that hold half and more of the simulations."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kaizar_pipeline.config.scenario import BASELINE
from kaizar_pipeline.planning.chances import LIKELY, chance_in_words
from kaizar_pipeline.reporting.figures.day_axis import DAYS_AHEAD, DAYS_BACK, DayAxis
from kaizar_pipeline.reporting.figures.drawing import (
    LINE,
    Drawing,
    Figure,
    Scale,
    boxes,
    dashes,
    line,
    shown_values,
    spread,
    steps,
    whole_ticks,
)
from kaizar_pipeline.reporting.figures.staffed import staffed_days
from kaizar_pipeline.reporting.numbers import Cells, Day, Sentence, constant, percent

HEIGHT, BELOW = 132, 34

BANDS = {"f-wide": (0.025, 0.975), "f-interval": (0.1, 0.9), "f-narrow": (0.25, 0.75)}
"""The quantiles of each band, the widest first."""

FEWEST_BEDS = 4
"""Beds from the lowest to the highest, at least."""

_DAY = pd.Timedelta(days=1)


@dataclass(frozen=True)
class Days:
    """Of the days ahead and the days before them: rows of the tables, and what is drawn of them."""

    ahead: pd.DataFrame
    median: np.ndarray
    bands: dict[str, tuple[np.ndarray, np.ndarray]]
    midnight: np.ndarray
    past: pd.DataFrame
    peak: np.ndarray
    past_midnight: np.ndarray
    in_beds: float
    """Patients in bed now; not a number where that is not known or hidden."""

    def __iter__(self) -> Iterator[np.ndarray]:
        """All numbers of beds that are drawn."""
        edges = [edge for band in self.bands.values() for edge in band]
        yield from (self.median, *edges, self.midnight, self.peak, self.past_midnight)
        yield self.ahead["staffed_most"].to_numpy("f8", na_value=np.nan)
        yield np.array([self.in_beds])


def fan(cells: Cells, ward: str, label: str) -> Figure | None:
    """The days around the instant of the tables; None for a ward of which no day ahead is known."""
    days = _days(cells, ward)
    if days is None:
        return None
    now = pd.Timestamp(days.ahead["as_of"].iloc[0])
    axis = DayAxis.around(now, days.past["date"], days.ahead["date"])
    drawing = Drawing(HEIGHT, BELOW)
    beds = _beds(days, drawing)
    axis.draw_weekends(drawing)
    _draw_ahead(drawing, axis, beds, days)
    _draw_midnights(drawing, axis, beds, days)
    _draw_past(drawing, axis, beds, days)
    _draw_staffed(drawing, axis, beds, days, cells, ward)
    for tick in whole_ticks(beds.back(drawing.bottom), beds.back(drawing.top)):
        drawing.tick(beds(tick), str(tick))
    drawing.text(0, 10, "beds", "f-unit", "end", -6)
    _draw_band_names(drawing, beds, days)
    axis.draw_below(drawing, "forecast")
    finding = _finding(cells, ward, days.ahead)
    says = f"{label}: highest number in bed of each day, observed and forecast; {finding}"
    return Figure(drawing.svg("f-fan", says), finding)


def _days(cells: Cells, ward: str) -> Days | None:
    ahead = cells.rows("ward_days", ward_id=ward, scenario=BASELINE).head(DAYS_AHEAD)
    median = shown_values(cells, "ward_days", "peak_p50", ahead)
    if np.isnan(median).all():
        return None
    past = cells.rows("ward_history_days", ward_id=ward).tail(DAYS_BACK)
    past = past[past["date"] >= ahead["date"].iloc[0] - DAYS_BACK * _DAY]
    in_beds = cells.value("ward_now", "in_beds", ward)
    return Days(
        ahead,
        median,
        _bands(cells, ward, ahead, median),
        shown_values(cells, "ward_days", "midnight_p50", ahead),
        past,
        shown_values(cells, "ward_history_days", "peak", past),
        shown_values(cells, "ward_history_days", "midnight_census", past),
        np.nan if in_beds is None else float(in_beds),
    )


def _bands(
    cells: Cells, ward: str, ahead: pd.DataFrame, median: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Lower and upper edges by day; the 80 % band as ward_days has it, the others of daily_peaks."""
    peaks = cells.rows("daily_peaks", ward_id=ward, run_kind="actual", scenario=BASELINE)
    of_day = (
        np.searchsorted(peaks["date"], ahead["date"], "left"),
        np.searchsorted(peaks["date"], ahead["date"], "right"),
    )
    beds, replications = peaks["peak_beds"].to_numpy("f8"), peaks["replications"].to_numpy("f8")
    bands = {}
    for css, quantiles in BANDS.items():
        edges = np.full((2, len(ahead)), np.nan)
        for day, (begin, end) in enumerate(zip(*of_day, strict=True)):
            if begin < end and not np.isnan(median[day]):
                edges[:, day] = _quantiles(beds[begin:end], replications[begin:end], quantiles)
        bands[css] = (edges[0], edges[1])
    low, high = (shown_values(cells, "ward_days", f"peak_p{q}", ahead) for q in (10, 90))
    return bands | {"f-interval": (low, high)}


def _quantiles(beds: np.ndarray, replications: np.ndarray, probabilities: tuple[float, float]) -> np.ndarray:
    """The fewest beds that are not exceeded with these probabilities, as in ward_days."""
    below = replications.cumsum()
    return beds[np.searchsorted(below, np.array(probabilities) * below[-1] - 1e-9)]


def _beds(days: Days, drawing: Drawing) -> Scale:
    """A bed is a cell from half below to half above its number, so that a full ward touches the line."""
    values = np.concatenate(list(days))
    low, high = np.nanmin(values) - 0.5, np.nanmax(values) + 0.5
    high = max(high, low + FEWEST_BEDS)
    edge = 0.05 * (high - low)
    return Scale(low - edge, high + edge, drawing.bottom, drawing.top)


def _draw_ahead(drawing: Drawing, axis: DayAxis, beds: Scale, days: Days) -> None:
    columns = [axis.column(date) for date in days.ahead["date"]]
    for css, (lower, upper) in days.bands.items():
        known = [(c, low, high) for c, low, high in zip(columns, lower, upper, strict=True) if low == low]
        drawing.path(css, boxes((*c, beds(high + 0.5), beds(low - 0.5)) for c, low, high in known))
    likely = [_is_likely(row) for row in days.ahead[["prob_full_day", "prob_full_day_se"]].itertuples(index=False)]
    _draw_bars(drawing, beds, columns, days.median, np.array(likely))


def _is_likely(chance: tuple[float, float]) -> bool:
    return not pd.isna(chance[0]) and chance_in_words(*chance) in LIKELY


def _draw_past(drawing: Drawing, axis: DayAxis, beds: Scale, days: Days) -> None:
    columns = [axis.column(date) for date in days.past["date"]]
    full = days.past["hours_full"].fillna(0).to_numpy("f8") > 0
    _draw_bars(drawing, beds, columns, days.peak, full)


def _draw_bars(
    drawing: Drawing, beds: Scale, columns: list[tuple[float, float]], values: np.ndarray, full: np.ndarray
) -> None:
    for css, chosen in (("f-bar", ~full), ("f-full", full)):
        parts = [(*c, beds(v)) for c, v, this in zip(columns, values, chosen, strict=True) if this and v == v]
        drawing.path(css, dashes(parts))


def _draw_midnights(drawing: Drawing, axis: DayAxis, beds: Scale, days: Days) -> None:
    """Observed midnights, the patients in bed now, and the midnights ahead."""
    now = [] if np.isnan(days.in_beds) else [(axis.now, days.in_beds)]
    ahead = [
        (date, value)
        for date, value in zip(days.ahead["date"], days.midnight, strict=True)
        if not (date <= axis.now and (now or value != value))
    ]
    before = list(zip(days.past["date"], days.past_midnight, strict=True))
    points = [*before, *now, *ahead]
    drawing.path("f-midnight", line((axis.x(at) for at, _ in points), (beds(value) for _, value in points)))
    for at, value in now:
        drawing.dot("f-in-bed", axis.x(at), beds(value), 3)


def _draw_staffed(drawing: Drawing, axis: DayAxis, beds: Scale, days: Days, cells: Cells, ward: str) -> None:
    words = staffed_days(cells, ward, days.ahead)
    if words is None:
        return
    dates = [*days.past["date"], *days.ahead["date"]]
    edges = [axis.x(date) for date in dates] + [axis.x(dates[-1] + _DAY)]
    past = days.past["staffed_beds"].to_numpy("f8", na_value=np.nan)
    fewest, most = (days.ahead[f"staffed_{which}"].to_numpy("f8", na_value=np.nan) for which in ("fewest", "most"))
    more = np.where(most > fewest, most, np.nan)
    for css, staffed in (("f-staffed-most", [*(np.nan * past), *more]), ("f-staffed", [*past, *fewest])):
        drawing.path(css, steps(edges, [beds(value + 0.5) for value in staffed]))
    drawing.text(0, 10, words, "f-staffed-words")


def _draw_band_names(drawing: Drawing, beds: Scale, days: Days) -> None:
    """Each band's name beside its lower edge on the last day."""
    last = max(i for i, value in enumerate(days.median) if value == value)
    names = [("f-narrow", constant("narrow_interval")), ("f-interval", constant("interval"))]
    names.append(("f-wide", constant("wide_interval")))
    wanted = [beds(days.median[last])]
    shown: list[tuple[object, str]] = [("median", "f-ink")]
    for css, name in names:
        lower = days.bands[css][0][last]
        if lower == lower:
            wanted.append(max(beds(lower), wanted[-1]))
            shown.append((name, ""))
    places = spread(wanted, LINE, drawing.top + 4, drawing.bottom - 2)
    for (words, css), place in zip(shown, places, strict=True):
        drawing.text(1000, place + 4, words, css, aside=6)


def _finding(cells: Cells, ward: str, ahead: pd.DataFrame) -> Sentence:
    full_now = cells.value("ward_outlook", "full_now", ward)
    chances, dates = shown_values(cells, "ward_days", "prob_full_day", ahead), ahead["date"].tolist()
    if np.isnan(chances).all():
        return _without_beds(cells, ward, ahead)
    if full_now:
        chances[0] = np.nan
    if np.isnan(chances).all():
        return Sentence("full now")
    worst = dates[np.nanargmax(chances)]
    prefix = "full now; then " if full_now else "full "
    if not np.nanmax(chances):
        return Sentence(prefix + "on none of these days in any simulation")
    chance = cells.number("ward_days", "prob_full_day", ward, worst, shown=percent)
    return Sentence(prefix + "most likely on {day}: {chance}", day=Day(worst), chance=chance)


def _without_beds(cells: Cells, ward: str, ahead: pd.DataFrame) -> Sentence:
    """The day with most patients, where nothing can be said of being full."""
    upper = shown_values(cells, "ward_days", "peak_p90", ahead)
    if np.isnan(upper).all():
        return Sentence("no number of staffed beds is set")
    most = ahead["date"].tolist()[np.nanargmax(upper)]
    low, high = (cells.number("ward_days", f"peak_p{q}", ward, most) for q in (10, 90))
    return Sentence(
        "no number of staffed beds is set; most in bed on {day}: {low} to {high}",
        day=Day(most),
        low=low,
        high=high,
    )
