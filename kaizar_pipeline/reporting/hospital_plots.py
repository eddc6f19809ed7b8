"""Pictures of a hospital as a whole, for notebooks and Dagster: its days, what would help, and how good forecasts were.

As those of `plots`, each draws on `ax`, or on a figure of its own, and returns the axes.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kaizar_pipeline.errors import KaizarError
from kaizar_pipeline.planning.bed_meeting import NEXT_DAY
from kaizar_pipeline.planning.census_backtest import TWIN
from kaizar_pipeline.planning.census_scores import ALL_WEEKS
from kaizar_pipeline.planning.full_days import BINS, FULL, miss_error
from kaizar_pipeline.reporting.canvas import (
    ACCENT,
    BANDS,
    INK,
    SECOND,
    TINTS,
    Tables,
    above,
    as_floats,
    name_axes,
    named_rows,
    percent_axis,
    shaded,
    start,
    table_rows,
    tall,
    titled,
    write,
)
from kaizar_pipeline.tables import HOSPITAL_TOTAL
from kaizar_pipeline.tables.kpis import KPIS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STRIP_DAYS = 14
"""Days ahead in a strip."""
MOST_ROWS = 20
"""Wards, groups and hospital in one picture: so that it stays small."""

_KINDS = {HOSPITAL_TOTAL: "hospital"}
_GREYS = ((0.4, BANDS[50], INK), (0.2, BANDS[80], INK), (0.05, BANDS[95], INK))
_NAMES_LEFT = 1.75
"""Inches for names of rows."""


_METHODS = {
    "model": ("model", "o", INK),
    "seasonal_naive": ("as last week", "x", SECOND),
    "weekday_mean": ("mean of the weekday", "s", BANDS[50]),
    "calendar_glm": ("calendar alone", "+", SECOND),
}
"""Ways to forecast arrivals: name, mark and colour."""


def plot_strip(tables: Tables, ax: "Axes | None" = None, days: int = STRIP_DAYS) -> "Axes":
    """The chance of being full at some hour of each day, in percent, by ward, group and hospital. Table: ward_days."""
    found = table_rows(tables, "ward_days")
    chances = _by_day(found, "ward_id", "prob_full_day", days).loc[_in_order(tables, found)]
    title = f"Chance of being full at some hour of the day, %, from {_day(found['date'].min())}"
    ax = start(ax, title, tall(len(chances)), _NAMES_LEFT)
    shaded(ax, chances, TINTS)
    if (left_out := found["ward_id"].nunique() - len(chances)) > 0:
        above(ax, f"those full on most days; {left_out} are not shown")
    return ax


def plot_levels(tables: Tables, ward: str, ax: "Axes | None" = None, days: int = STRIP_DAYS) -> "Axes":
    """The chance of reaching each of the hospital's own levels at some hour of each day, in percent. Table:
    level_risk."""
    found = table_rows(tables, "level_risk", ward_id=ward)
    order = found.drop_duplicates("level").sort_values("level_order", ascending=False)["level"]
    chances = _by_day(found, "level", "prob_reached", days).loc[list(order)]
    title = f"{titled(ward)}: chance of reaching each level, %, from {_day(found['date'].min())}"
    ax = start(ax, title, tall(len(chances)), _NAMES_LEFT)
    shaded(ax, chances, TINTS)
    return ax


def plot_meeting(tables: Tables, ax: "Axes | None" = None, window: str = NEXT_DAY) -> "Axes":
    """The beds of each ward, group and hospital in percent of the staffed ones: in bed now, and at the end of the
    `window` with the 80 % interval; red from the staffed beds on. Table: bed_meeting."""
    found = table_rows(tables, "bed_meeting", window=window)
    limited = found[found["staffed_at_end"].notna() & (found["staffed_at_end"] > 0)].set_index("ward_id")
    rows = limited.loc[_in_order(tables, limited.reset_index())]
    if rows.empty:
        raise KaizarError("no ward has limited beds: there is nothing to compare with")
    ends = found["ends"].iloc[0]
    ax = start(ax, f"Beds in use now and on {_day(ends)} at {ends.hour}:00", tall(len(rows)), _NAMES_LEFT)
    staffed, y = as_floats(rows["staffed_at_end"]), np.arange(len(rows))
    low, middle, high = (1 - as_floats(rows[f"free_{q}"]) / staffed for q in ("p90", "p50", "p10"))
    ax.hlines(y, low, high, color=BANDS[80], linewidth=9)
    ax.vlines(middle, y - 0.3, y + 0.3, color=INK, linewidth=2)
    ax.plot(as_floats(rows["in_beds"]) / as_floats(rows["staffed_beds"]), y, "o", color=SECOND, markersize=5)
    ax.axvline(1, color=ACCENT, linewidth=1.5)
    named_rows(ax, rows.index)
    known = np.concatenate([low, high, [0.5, 1.02]])
    percent_axis(ax, across=True)
    ax.set_xlim(max(np.nanmin(known) - 0.03, -0.02), np.nanmax(known) + 0.03)
    name_axes(ax, "of the staffed beds; dot: now, line: then, with its 80 % interval, red: all staffed", "")
    return ax


def plot_drivers(tables: Tables, ax: "Axes | None" = None) -> "Axes":
    """Why the census is uncertain: the part of each driver in the variance of the days' highest census, in percent.
    Table: occupancy_drivers."""
    found = table_rows(tables, "occupancy_drivers")
    parts = found.assign(variance=found["variance"].clip(lower=0))
    sums = parts.pivot_table(index="ward_id", columns="driver", values="variance", aggfunc="sum", sort=False)
    shares = sums.div(sums.sum(axis=1), axis=0).loc[_in_order(tables, found)]
    ax = start(ax, "What the uncertainty of the highest census comes from, %", tall(len(shares)), _NAMES_LEFT)
    names = [str(name).replace("_", "\n", 1).replace("_", " ") for name in shares.columns]
    shaded(ax, shares.set_axis(names, axis=1), _GREYS)
    return ax


def plot_scenarios(tables: Tables, kpi: str, ward: str = HOSPITAL_TOTAL, ax: "Axes | None" = None) -> "Axes":
    """What each scenario changes of a KPI: the paired difference with its 95 % interval; filled where chance alone does
    not explain it. Table: scenario_comparison."""
    rows = table_rows(tables, "scenario_comparison", ward_id=ward, kpi=kpi).reset_index(drop=True)
    percentage = rows["unit"].iloc[0] == "share"
    scale = 100 if percentage else 1
    unit = "percentage points" if percentage else rows["unit"].iloc[0]
    baseline = f"{scale * rows['baseline'].iloc[0]:,.3g}" if pd.notna(rows["baseline"].iloc[0]) else "not known"
    what = next((one.description for one in KPIS if one.name == kpi), kpi.replace("_", " ")).split(".")[0].split(";")[0]
    what = what.split(" (")[0].removeprefix("Of these, ")
    ax = start(ax, f"{titled(ward)}: {what[0].lower()}{what[1:]}", tall(len(rows) + 1), _NAMES_LEFT)
    above(ax, f"as it is: {baseline}{' %' if percentage else f' {unit}'}")
    y = np.arange(len(rows))
    middle, low, high = (scale * as_floats(rows[name]) for name in ("difference", "low", "high"))
    clear = (low > 0) | (high < 0)
    ax.axvline(0, color=SECOND, linewidth=1)
    ax.hlines(y, low, high, color=INK, linewidth=1.5)
    ax.scatter(middle, y, s=36, c=np.where(clear, INK, "white").tolist(), edgecolors=INK, zorder=3)
    named_rows(ax, rows["scenario"])
    name_axes(ax, f"difference to the hospital as it is, {unit}, with its 95 % interval", "")
    return ax


def plot_allocations(tables: Tables, ax: "Axes | None" = None) -> "Axes":
    """The best places for extra beds: the harm that each allocation prevents, with two standard errors. Table:
    bed_allocations."""
    found = table_rows(tables, "bed_allocations")
    placed = found[found["beds_added"] > 0].assign(
        where=lambda rows: rows["beds_added"].astype(str) + " in " + rows["ward_id"]
    )
    places = placed.groupby("rank")["where"].agg(", ".join).head(10)
    rows = found.drop_duplicates("rank").set_index("rank").loc[places.index]
    title = f"Where {found['extra_beds'].iloc[0]} extra beds help most"
    ax = start(ax, title, tall(len(rows) + 1), 2.4)
    y, prevented, error = np.arange(len(rows)), as_floats(rows["prevented"]), 2 * as_floats(rows["prevented_se"])
    ax.hlines(y, prevented - error, prevented + error, color=INK, linewidth=1.5)
    ax.plot(prevented, y, "o", color=INK, markersize=6)
    above(ax, f"as it is: {rows['baseline_harm'].iloc[0]:,.0f} hours")
    named_rows(ax, places)
    ax.set_xlim(left=min(0, float(np.nanmin(prevented - error))))
    name_axes(ax, "hours of harm prevented, with two standard errors", "")
    return ax


def plot_coverage(tables: Tables, ax: "Axes | None" = None) -> "Axes":
    """How often 80 % intervals of the census held in the back-test, by ward and hour of the day, and in grey where
    calibrated intervals lie 99 times in 100. Table: occupancy_scores."""
    rows = table_rows(tables, "occupancy_scores", method=TWIN, lead_week=ALL_WEEKS)
    wards = _in_order(tables, rows)
    rows = rows[rows["ward_id"].isin(wards)]
    y = rows["ward_id"].map({ward: place for place, ward in enumerate(wards)}).to_numpy(float)
    hours = sorted(rows["hour"].unique())
    shift = rows["hour"].map({hour: place for place, hour in enumerate(hours)}).to_numpy(float)
    y = y + 0.7 * ((shift + 0.5) / len(hours) - 0.5)
    ax = start(ax, "How often 80 % intervals of the census held", tall(2 * len(wards)), _NAMES_LEFT)
    low, high, held = (as_floats(rows[name]) for name in ("coverage80_low", "coverage80_high", "coverage80"))
    ax.hlines(y, low, high, color=BANDS[80], linewidth=3)
    inside = (held >= low) & (held <= high)
    ax.scatter(held, y, s=20, c=np.where(inside, INK, "white").tolist(), edgecolors=INK, zorder=3)
    ax.axvline(0.8, color=SECOND, linewidth=1)
    above(ax, f"all leads together; from the top {', '.join(f'{hour}:00' for hour in hours)}")
    named_rows(ax, wards)
    percent_axis(ax, across=True)
    ax.set_xlim(min(0.4, float(np.nanmin(held)) - 0.05), 1.02)
    name_axes(ax, "of the forecasts; hollow: outside what chance explains (grey)", "")
    return ax


def plot_reliability(tables: Tables, ax: "Axes | None" = None, level: str = FULL) -> "Axes":
    """How often wards were full (or at a level) by the forecast chance of it, with two standard errors,
    days of one origin sharing theirs; the number of days beside each dot. Tables: full_backtest, ward_days."""
    days = table_rows(tables, "full_backtest", level=level)
    kinds = table_rows(tables, "ward_days").drop_duplicates("ward_id").set_index("ward_id")["kind"]
    days = days[days["ward_id"].map(kinds) == "ward"]
    place = np.minimum((days["probability"] * BINS).astype(int), BINS - 1)
    found = days.assign(bin=place, happened=days["happened"].astype(float))
    bins = found.groupby("bin").agg(said=("probability", "mean"), happened=("happened", "mean"), n=("bin", "size"))
    half = np.array([2 * miss_error(part) for _, part in found.groupby("bin")])
    ax = start(ax, f"Chances of {'being full' if level == FULL else level}: forecast and observed", (4.6, 4.2))
    ax.plot([0, 1], [0, 1], color=SECOND, linewidth=1)
    x, y = as_floats(bins["said"]), as_floats(bins["happened"])
    ax.vlines(x, np.clip(y - half, 0, 1), np.clip(y + half, 0, 1), color=BANDS[50], linewidth=3)
    ax.plot(x, y, "o", color=INK, markersize=5, clip_on=False, zorder=3)
    for said, happened, n in zip(x, y, bins["n"], strict=True):
        write(ax, said + 0.02, happened - 0.03, f"{n}", fontsize=8, va="top")
    percent_axis(ax)
    percent_axis(ax, across=True)
    name_axes(ax, "forecast chance", "share of days on which it happened")
    return ax


def plot_history(tables: Tables, headline: str = "prob_full_day", ax: "Axes | None" = None) -> "Axes":
    """The headline of each ward in the runs of the last weeks. Table: headline_changes."""
    rows = table_rows(tables, "headline_changes", headline=headline)
    wards = [ward for ward in _in_order(tables, rows) if ward != HOSPITAL_TOTAL]
    latest = rows[rows["run_number"] == rows["run_number"].max()].set_index("ward_id")["after"]
    worst = sorted(wards, key=lambda ward: -float(latest.get(ward, 0)))[:6]
    chance = headline == "prob_full_day"
    what = "Chance of being full at some hour of a day" if chance else "95th percentile of the census"
    ax = start(ax, f"{what}, mean of 7 days, run by run")
    runs = rows.drop_duplicates("run_number").sort_values("run_number").tail(STRIP_DAYS)
    place = {number: x for x, number in enumerate(runs["run_number"])}
    ends = []
    for ward in worst:
        own = rows[(rows["ward_id"] == ward) & rows["run_number"].isin(place)].sort_values("run_number")
        x, y = own["run_number"].map(place).to_numpy(float), as_floats(own["after"])
        ax.plot(x, y, "o-", color=INK, linewidth=1.2, markersize=4)
        ends.append((float(y[-1]), ward))
    ax.set_xlim(-0.3, len(place) - 0.3)
    step = 1 + len(place) // 7
    ax.set_xticks(range(0, len(place), step), [f"{at.day} {at:%b} {at.hour}:00" for at in runs["origin"]][::step])
    if chance:
        percent_axis(ax)
        ax.set_ylim(0, max(0.1, *(end for end, _ in ends)) * 1.15)
    first, last = ax.get_ylim()
    lowest = -np.inf
    for end, ward in sorted(ends):  # names apart from each other
        lowest = max(end, lowest + (last - first) / 16)
        write(ax, len(place) - 0.9, lowest, ward, ha="left")
    name_axes(ax, "as of", "" if chance else "patients")
    return ax


def plot_skill(tables: Tables, ax: "Axes | None" = None) -> "Axes":
    """The average miss of each way to forecast a day's arrivals in the back-test, by stream. Table: forecast_scores."""
    rows = table_rows(tables, "forecast_scores", span="day", horizon_week=0)
    streams = list(rows["stream_id"].unique())[:MOST_ROWS]
    ax = start(ax, "Average miss of a day's arrivals (CRPS), by method", tall(len(streams) + 2), _NAMES_LEFT)
    for method, (name, marker, colour) in _METHODS.items():
        own = rows[rows["method"] == method]
        y = [streams.index(stream) for stream in own["stream_id"] if stream in streams]
        ax.plot(as_floats(own["crps"])[: len(y)], y, marker, color=colour, label=name, linestyle="")
    named_rows(ax, streams)
    ax.set_xlim(left=0)
    ax.legend(frameon=False, fontsize=9, labelcolor=SECOND, ncols=4, loc="lower left", bbox_to_anchor=(0, 1),
              borderpad=0, borderaxespad=0.2, handletextpad=0, columnspacing=1)  # fmt: skip
    name_axes(ax, "patients; the smaller the better", "")
    return ax


def _in_order(tables: Tables, rows: pd.DataFrame) -> list[str]:
    """The wards of some rows, then the groups, then the whole hospital; of many the wards full on most days."""
    days = tables["ward_days"] if "ward_days" in tables else pd.DataFrame(columns=["ward_id", "kind", "prob_full_day"])
    kinds = days.drop_duplicates("ward_id").set_index("ward_id")["kind"]
    place = {"ward": 0, "group": 1, "hospital": 2}
    found = sorted(rows["ward_id"].unique(), key=lambda ward: place[kinds.get(ward, _KINDS.get(ward, "ward"))])
    if len(found) <= MOST_ROWS:
        return found
    full = days.groupby("ward_id")["prob_full_day"].sum()
    wards = [ward for ward in found if kinds.get(ward, _KINDS.get(ward, "ward")) == "ward"]
    worst = sorted(wards, key=lambda ward: -float(full.get(ward, 0.0)))[: MOST_ROWS - 1]
    return [ward for ward in found if ward in worst or ward == HOSPITAL_TOTAL]


def _by_day(rows: pd.DataFrame, row: str, chance: str, days: int) -> pd.DataFrame:
    """Chances by `row` and date, of the first days."""
    rows = rows[rows["date"] < rows["date"].min() + pd.Timedelta(days=days)]
    found = rows.pivot(index=row, columns="date", values=chance).astype("Float64")
    return found.set_axis([f"{date:%a}\n{date.day}" for date in pd.DatetimeIndex(found.columns)], axis=1)


def _day(date: pd.Timestamp) -> str:
    return f"{date:%a} {date.day} {date:%b}"
