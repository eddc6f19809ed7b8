"""Pictures of one ward, group or hospital, for notebooks and Dagster: one function each, on tables of `run_chain`.

Each draws on `ax`, or on a figure of its own, and returns the axes. Beds and patients are whole numbers, red is for
full beds only, and a table that is missing is named in a KaizarError.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kaizar_pipeline.reporting.canvas import (
    ACCENT,
    BANDS,
    INK,
    SECOND,
    Tables,
    above,
    as_floats,
    bars,
    day_axis,
    name_axes,
    percent_axis,
    staffed_line,
    start,
    table_rows,
    titled,
    whole_beds,
    whole_beds_across,
    write,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OBSERVED_DAYS = 14
"""Days of the past beside days ahead."""
PAST_DAYS = 56
"""Days of the past alone."""

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_IN_AND_OUT = "← out    patients    in →"
_DAY = pd.Timedelta(days=1)
_ORIGINS = {
    "from_data": "learned",
    "pooled": "learned from all wards",
    "configured": "configured",
    "flat": "none known",
}
"""Where weights come from, in words."""


def plot_fan(tables: Tables, ward: str, ax: "Axes | None" = None) -> "Axes":
    """The highest number in bed of each day: observed, and forecast with its median and 50, 80 and 95 % intervals; dots
    are midnights. Tables: daily_peaks, ward_days, ward_history_days."""
    days = table_rows(tables, "ward_days", ward_id=ward)
    peaks = table_rows(tables, "daily_peaks", ward_id=ward, run_kind="actual")
    past = _past(tables, "ward_history_days", ward, days["as_of"].iloc[0])
    ax = start(ax, f"{titled(ward)}: highest number in bed, day by day")
    at = day_axis(ax, pd.concat([past["date"], days["date"]]), days["as_of"].iloc[0])
    quantiles = _quantiles(peaks, (0.025, 0.975, 0.1, 0.9, 0.25, 0.75, 0.5))
    x = at(quantiles.index) + 0.5
    for column, colour in zip((0, 2, 4), BANDS.values(), strict=True):
        bars(ax, x, quantiles[column].to_numpy() - 0.5, quantiles[column + 1].to_numpy() + 0.5, colour)
    observed, seen = as_floats(past["peak"]), at(past["date"]) + 0.5
    ax.hlines(quantiles[6], x - 0.43, x + 0.43, color=INK, linewidth=2)
    ax.hlines(observed, seen - 0.43, seen + 0.43, color=INK, linewidth=2)
    midnights = np.concatenate([as_floats(past["midnight_census"]), as_floats(days["midnight_p50"])])
    ax.plot(np.concatenate([at(past["date"]), at(days["date"])]), midnights, ":", color=SECOND, linewidth=1.4, zorder=3)
    staffed_line(ax, np.append(at(days["date"]), at(days["date"].iloc[-1]) + 1), days["staffed_fewest"])
    everything = [observed, midnights, quantiles[0], quantiles[1], as_floats(days["staffed_fewest"])]
    whole_beds(ax, *_range(everything))
    name_axes(ax, "observed, then forecast: median, 50, 80 and 95 % intervals; dots: at midnight", "patients in bed")
    return ax


def plot_percentiles(tables: Tables, ward: str, ax: "Axes | None" = None, days: int = 7) -> "Axes":
    """The census of each hour of the next days: median, 50, 80 and 95 % intervals. Table: occupancy_distributions."""
    hours = table_rows(tables, "occupancy_distributions", ward_id=ward).sort_values("at")
    hours = hours[hours["at"] <= hours["as_of"] + days * _DAY]
    ax = start(ax, f"{titled(ward)}: patients in bed, hour by hour")
    at = day_axis(ax, hours["at"] - (hours["at"].iloc[0] - hours["at"].iloc[0].normalize()), hours["as_of"].iloc[0])
    x = at(hours["at"])
    for names, colour in zip((("p025", "p975"), ("p10", "p90"), ("p25", "p75")), BANDS.values(), strict=True):
        low, high = (as_floats(hours[name]) for name in names)
        ax.fill_between(x, low - 0.5, high + 0.5, step="post", color=colour, linewidth=0)
    ax.step(x, as_floats(hours["p50"]), where="post", color=INK, linewidth=1.5)
    staffed_line(ax, np.append(x, x[-1] + 1 / 24), hours["staffed_beds"])
    whole_beds(ax, *_range([hours["p025"], hours["p975"], hours["staffed_beds"]]))
    name_axes(ax, "median, 50, 80 and 95 % intervals", "patients in bed")
    return ax


def plot_week(tables: Tables, ward: str, ax: "Axes | None" = None) -> "Axes":
    """The usual week by weekday and hour: mean and 80 % interval, the hour of as_of marked. Table: week_profile."""
    hours = table_rows(tables, "week_profile", ward_id=ward).sort_values(["weekday", "hour"])
    as_of = hours["as_of"].iloc[0]
    ax = start(ax, f"{titled(ward)}: the usual week")
    x = (hours["weekday"] * 24 + hours["hour"]).to_numpy()
    low, high = as_floats(hours["p10"]), as_floats(hours["p90"])
    ax.fill_between(x, low - 0.5, high + 0.5, step="post", color=BANDS[80], linewidth=0)
    ax.step(x, as_floats(hours["mean"]), where="post", color=INK, linewidth=1.6)
    now = as_of.day_of_week * 24 + as_of.hour
    ax.axvline(now, color=SECOND, linewidth=1)
    above(ax, "now", now, before=now > 140)
    ax.set_xticks(np.arange(7) * 24 + 12, _WEEKDAYS)
    ax.set_xlim(0, 168)
    ax.vlines(
        np.arange(24, 168, 24), 0, 1, transform=ax.get_xaxis_transform(), color=BANDS[95], linewidth=0.8, zorder=0
    )
    whole_beds(ax, *_range([low, high]))
    name_axes(ax, "mean and 80 % interval by hour", "patients in bed")
    return ax


def plot_risk(tables: Tables, ward: str, ax: "Axes | None" = None, event: str = "day") -> "Axes":
    """How often demand exceeds so many beds, the target, and the beds that reach it with the interval of that number;
    `event` as in the table: bed_requirements."""
    beds = table_rows(tables, "bed_requirements", ward_id=ward, risk_event=event).sort_values("beds")
    first, x = beds.iloc[0], beds["beds"].to_numpy()
    target = first["risk_target"]
    ax = start(ax, f"{titled(ward)}: how often demand exceeds so many beds")
    low, high = 1 - as_floats(beds["covered_high"]), 1 - as_floats(beds["covered_low"])
    ax.fill_between(x, low, high, step="post", color=BANDS[80], linewidth=0)
    ax.step(x, 1 - as_floats(beds["covered_share"]), where="post", color=INK, linewidth=1.6)
    ax.set_xlim(x.min(), x.max() + 1)
    ax.axhline(target, color=SECOND, linewidth=1, linestyle="--")
    write(ax, float(x.max()), target + 0.04, f"target {100 * target:.0f} %", ha="right")
    if pd.notna(first["enough_low"]) and pd.notna(first["enough_high"]):
        ax.hlines(target, int(first["enough_low"]), int(first["enough_high"]), color=INK, linewidth=4)
    _mark_beds(ax, first["staffed_beds"], first["enough_beds"])
    percent_axis(ax)
    whole_beds_across(ax)
    name_axes(ax, "beds", f"{'days' if event == 'day' else 'whole horizons'} not covered")
    return ax


def plot_highest(tables: Tables, ward: str, ax: "Axes | None" = None) -> "Axes":
    """The highest demand of the whole horizon: how likely each number of beds is, with the beds staffed and those that
    are enough; red is what exceeds the staffed ones. Table: bed_requirements."""
    beds = table_rows(tables, "bed_requirements", ward_id=ward, risk_event="horizon_peak").sort_values("beds")
    first, x = beds.iloc[0], beds["beds"].to_numpy()
    chance = np.diff(as_floats(beds["covered_share"]), prepend=0.0)
    shown = chance > 0
    ax = start(ax, f"{titled(ward)}: the highest demand of the horizon")
    exceeds = np.full(len(x), False) if pd.isna(first["staffed_beds"]) else x > int(first["staffed_beds"])
    bars(ax, x[shown], np.zeros(shown.sum()), chance[shown], np.where(exceeds, ACCENT, BANDS[50])[shown].tolist())
    everything = as_floats([x[shown].min(), x[shown].max(), first["staffed_beds"], first["enough_beds"]])
    ax.set_xlim(np.nanmin(everything) - 1, np.nanmax(everything) + 1)
    _mark_beds(ax, first["staffed_beds"], first["enough_beds"], shift=0.5)
    percent_axis(ax)
    ax.set_ylim(0, 1.08 * chance.max())
    whole_beds_across(ax)
    name_axes(ax, "beds needed at the busiest hour", "chance")
    return ax


def plot_flows(tables: Tables, ward: str, ax: "Axes | None" = None) -> "Axes":
    """Patients in (up) and out (down) by day, observed and expected, and net with its 80 % interval. Tables:
    ward_flows, observed_flows."""
    ahead = table_rows(tables, "ward_flows", ward_id=ward, window="day", urgency="_all")
    as_of = ahead["as_of"].iloc[0]
    past = _past(tables, "observed_flows", ward, as_of)
    past = past[past["urgency"] == "_all"].rename(columns={"count": "mean"})
    flows = pd.concat([past[["date", "flow", "mean"]], ahead[["date", "flow", "mean"]]])
    by_day = flows.pivot(index="date", columns="flow", values="mean").astype("Float64").astype(float)
    ax = start(ax, f"{titled(ward)}: patients in and out, day by day")
    at = day_axis(ax, flows["date"], as_of)
    x = at(by_day.index) + 0.5
    shade = np.where(by_day.index < as_of.normalize(), BANDS[50], BANDS[80]).tolist()
    net = ahead[ahead["flow"] == "net"]
    low, high = as_floats(net["p10"]), as_floats(net["p90"])
    ax.vlines(at(net["date"]) + 0.5, low, high, color=INK, linewidth=1)
    _in_and_out(ax, x, by_day, shade, most=max(-low.min(), high.max()))
    name_axes(ax, "observed (dark), expected (light); dots: net, with its 80 % interval", _IN_AND_OUT)
    return ax


def _in_and_out(ax: "Axes", x: np.ndarray, by_day: pd.DataFrame, colours: str | list[str], most: float = 1.0) -> None:
    """A bar for each day, from those who left up to those who came, and a dot for the difference; `most` is shown."""
    ups, downs = by_day["arrivals"] + by_day["transfers_in"], by_day["discharges"] + by_day["transfers_out"]
    bars(ax, x, -as_floats(downs), as_floats(ups), colours)
    ax.axhline(0, color=SECOND, linewidth=0.8)
    ax.plot(x, by_day["net"], "o", markersize=3.5, color=INK)
    _, top = _range([ups, downs, np.array([most, 1.0])])
    whole_beds(ax, -top, top)
    ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")


def plot_arrivals(tables: Tables, stream: str, ax: "Axes | None" = None) -> "Axes":
    """Arrivals of a stream by day: observed, and expected with the 80 % interval of the expectation. Tables:
    daily_arrivals, arrival_rates."""
    rates = table_rows(tables, "arrival_rates", stream_id=stream)
    known = table_rows(tables, "daily_arrivals", stream_id=stream)
    observed = known[known["observed"]].sort_values("date").tail(2 * OBSERVED_DAYS)
    days = rates.groupby("date")["rate"].quantile(np.array([0.1, 0.9])).unstack()
    mean = rates.groupby("date")["mean_rate"].first()
    ax = start(ax, f"{stream}: arrivals per day")
    at = day_axis(ax, pd.concat([observed["date"], rates["date"]]), rates["as_of"].iloc[0])
    x = at(mean.index) + 0.5
    bars(ax, x, as_floats(days[0.1]), as_floats(days[0.9]), BANDS[80])
    ax.hlines(mean, x - 0.43, x + 0.43, color=INK, linewidth=1.6)
    ax.plot(at(observed["date"]) + 0.5, observed["arrivals"], "o", markersize=3.5, color=INK)
    whole_beds(ax, 0, _range([observed["arrivals"], days[0.9]])[1])
    name_axes(ax, "dots: observed; line: expected, with the 80 % interval of what is expected", "patients per day")
    return ax


def plot_past(tables: Tables, ward: str, ax: "Axes | None" = None) -> "Axes":
    """The last weeks: the highest number in bed of each day, at midnight (dots), and the staffed beds. Table:
    ward_history_days."""
    days = table_rows(tables, "ward_history_days", ward_id=ward).sort_values("date").tail(PAST_DAYS)
    ax = start(ax, f"{titled(ward)}: patients in bed, the last {len(days)} days")
    at = day_axis(ax, days["date"], days["as_of"].iloc[0])
    x, peaks, midnights = at(days["date"]), as_floats(days["peak"]), as_floats(days["midnight_census"])
    ax.hlines(peaks, x + 0.07, x + 0.93, color=INK, linewidth=2)
    ax.plot(x, midnights, ":", color=SECOND, linewidth=1.4)
    staffed_line(ax, np.append(x, x[-1] + 1), days["staffed_beds"].round())
    whole_beds(ax, *_range([peaks, midnights, days["staffed_beds"]]))
    name_axes(ax, "highest number of the day; dots: at midnight", "patients in bed")
    return ax


def plot_past_flows(tables: Tables, ward: str, ax: "Axes | None" = None) -> "Axes":
    """Patients in (up) and out (down) by day of the last weeks, and net (dots). Table: observed_flows."""
    flows = table_rows(tables, "observed_flows", ward_id=ward, urgency="_all")
    flows = flows[flows["date"] > flows["date"].max() - PAST_DAYS * _DAY]
    by_day = flows.pivot(index="date", columns="flow", values="count").astype("Float64").astype(float)
    ax = start(ax, f"{titled(ward)}: patients in and out, the last {len(by_day)} days")
    at = day_axis(ax, flows["date"], flows["as_of"].iloc[0])
    _in_and_out(ax, at(by_day.index) + 0.5, by_day, BANDS[50])
    name_axes(ax, "dots: net", _IN_AND_OUT)
    return ax


def plot_daily(tables: Tables, stream: str, ax: "Axes | None" = None) -> "Axes":
    """Arrivals of a stream by day of the last weeks, and their mean over seven days. Table: daily_arrivals."""
    days = table_rows(tables, "daily_arrivals", stream_id=stream).sort_values("date").tail(PAST_DAYS + 6)
    known = as_floats(days["arrivals"].where(days["observed"]))
    mean = pd.Series(known).rolling(7, min_periods=4).mean().to_numpy()
    shown = slice(6, None) if len(days) > PAST_DAYS else slice(None)
    ax = start(ax, f"{stream}: arrivals per day")
    at = day_axis(ax, days["date"].iloc[shown], days["as_of"].iloc[0])
    x = at(days["date"].iloc[shown]) + 0.5
    ax.plot(x, mean[shown], color=BANDS[50], linewidth=2)
    ax.plot(x, known[shown], "o", markersize=3.5, color=INK)
    whole_beds(ax, 0, _range([known])[1])
    name_axes(ax, "dots: days; line: mean of the last seven days", "patients per day")
    return ax


def plot_clock(tables: Tables, ward: str, ax: "Axes | None" = None) -> "Axes":
    """How the chance of going home varies over the hours of a Tuesday, a Saturday and a Sunday. Table:
    discharge_clocks."""
    clock = table_rows(tables, "discharge_clocks", ward_id=ward, way="home")
    ax = start(ax, f"{titled(ward)}: chance of going home by hour ({_ORIGINS[clock['origin'].iloc[0]]})")
    _weights(ax, clock)
    name_axes(ax, "hour of the day", "times that of a mean hour of the week")
    return ax


def plot_hours(tables: Tables, stream: str, ax: "Axes | None" = None) -> "Axes":
    """The hours at which patients of a stream arrive on a Tuesday, a Saturday and a Sunday. Table: arrival_profile."""
    profile = table_rows(tables, "arrival_profile", stream_id=stream, in_use=True)
    ax = start(ax, f"{stream}: hours of arrival ({_ORIGINS[profile['source'].iloc[0]]})")
    _weights(ax, profile)
    name_axes(ax, "hour of the day", "times a mean hour of the day")
    return ax


def _weights(ax: "Axes", weights: pd.DataFrame) -> None:
    """Weights by hour: a line for each of three days, or one where all days are alike."""
    days = weights.pivot(index="hour", columns="weekday", values="weight").sort_index()
    shown = [(1, INK, "Tuesday"), (5, SECOND, "Saturday"), (6, BANDS[50], "Sunday")]
    if days.eq(days[1], axis=0).all(axis=None):
        shown = [(1, INK, "every day")]
    for weekday, colour, name in shown:
        values = np.append(days[weekday], days[weekday].iloc[-1])
        ax.step(np.arange(len(values)), values, where="post", color=colour, linewidth=1.8, label=name)
    ax.set_xlim(0, 24)
    ax.set_xticks(range(0, 25, 3))
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize=9, labelcolor=SECOND, loc="upper left")


def _mark_beds(ax: "Axes", staffed: float, enough: float, shift: float = 0.0) -> None:
    """Lines at the beds staffed and at those that are enough, where known; the remarks point away from each other."""
    marks = [(staffed, "staffed", ACCENT), (enough, "enough", INK)]
    known = sorted((int(beds), text, colour) for beds, text, colour in marks if pd.notna(beds))
    for place, (beds, text, colour) in enumerate(known):
        ax.axvline(beds + shift, color=colour, linewidth=1.5)
        first, last = ax.get_xlim()
        room = beds + shift - first > (last - first) / 8
        above(ax, f"{beds} {text}", beds + shift, colour, before=place == 0 and len(known) > 1 and room)


def _past(tables: Tables, name: str, ward: str, as_of: pd.Timestamp) -> pd.DataFrame:
    """The last days of a table of what happened; none where nothing has happened yet."""
    found = tables[name] if name in tables and tables[name].empty else table_rows(tables, name, ward_id=ward)
    return found[found["date"] >= as_of.normalize() - OBSERVED_DAYS * _DAY].sort_values("date")


def _quantiles(peaks: pd.DataFrame, probabilities: Iterable[float]) -> pd.DataFrame:
    """By date, for each probability the smallest peak that is not exceeded with it."""
    counts = peaks.pivot(index="date", columns="peak_beds", values="replications").fillna(0)
    reached = counts.to_numpy(float).cumsum(axis=1) / counts.sum(axis=1).to_numpy(float)[:, None]
    beds = counts.columns.to_numpy()
    found = {n: beds[np.argmax(reached >= p - 1e-9, axis=1)] for n, p in enumerate(probabilities)}
    return pd.DataFrame(found, index=counts.index)


def _range(values: Iterable[object]) -> tuple[float, float]:
    """The smallest and the largest of them all, 0 and 1 where none is known."""
    everything = np.concatenate([as_floats(one) for one in values])
    known = everything[~np.isnan(everything)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
