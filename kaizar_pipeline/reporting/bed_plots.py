"""Pictures of what beds do and how long patients stay, for notebooks; in the manner of `plots`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kaizar_pipeline.config.distributions import FAMILIES
from kaizar_pipeline.reporting.canvas import (
    ACCENT,
    BANDS,
    INK,
    SECOND,
    Tables,
    above,
    as_floats,
    bars,
    name_axes,
    percent_axis,
    shaded,
    start,
    table_rows,
    tall,
    titled,
)
from kaizar_pipeline.stats.durations import GRID, fitted_table
from kaizar_pipeline.tables import ALL, ANY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BINS = 40
"""Bars of a histogram at most."""
_SHOWN = 0.99
"""The longest stays are left out of a histogram, so that it shows the others."""
_DAYS_FROM = 36
"""Mean stays of more hours are shown in days."""
_OCCUPANCY = ((1.0, ACCENT, "white"), (0.95, "#6f8092", "white"), (0.9, BANDS[50], INK), (0.8, BANDS[80], INK),
              (0.0, BANDS[95], INK))  # fmt: skip
_WAITS = {
    "wait_mean_hours": ("mean wait", "o", INK),
    "wait_p95_hours": ("95th percentile", "s", SECOND),
}
_TURNED_AWAY = {"turned_away": ("turned away", "o", INK)}


def plot_stays(tables: Tables, ward: str, ax: "Axes | None" = None) -> "Axes":
    """How long stays took that have ended, with the distribution that the simulation draws from. Tables: ward_stays,
    length_of_stay."""
    stays = table_rows(tables, "ward_stays", ward_id=ward)
    fitted = table_rows(tables, "length_of_stay", ward_id=ward)
    hours = as_floats((stays["ready"] - stays["admit"]).dt.total_seconds() / 3600)
    hours = hours[~np.isnan(hours)]
    ax = start(ax, f"{titled(ward)}: length of stay, {len(hours):,} stays that have ended")
    if not len(hours):
        return ax
    unit, name = (24, "days") if hours.mean() > _DAYS_FROM else (1, "hours")
    # whole days or hours: many records have no finer ones
    width = unit * np.ceil(np.quantile(hours, _SHOWN) / unit / _BINS)
    edges = np.arange(0, np.quantile(hours, _SHOWN) + width, width)
    share = np.histogram(hours, edges)[0] / len(hours)
    middle = (edges[:-1] + edges[1:]) / 2
    bars(ax, middle / width, np.zeros(len(middle)), share, BANDS[50])
    chance = _chances(fitted, edges)
    if chance is not None:
        ax.plot(middle / width, chance, color=INK, linewidth=1.6)
    ax.set_xlim(0, len(middle))
    percent_axis(ax)
    ax.set_ylim(0, 1.1 * max(share.max(), 0.0 if chance is None else chance.max()))
    longest = edges[-1] / unit
    step = max(1, round(longest / 8))
    ticks = np.arange(0, longest, step)
    ax.set_xticks(ticks * unit / width, [f"{tick:g}" for tick in ticks])
    above(ax, f"mean {hours.mean() / unit:.1f} {name}; the longest 1 % are not shown")
    name_axes(
        ax,
        f"{name}{'' if chance is None else '; line: the distribution that the simulation draws from'}",
        "of the stays",
    )
    return ax


def _chances(fitted: pd.DataFrame, edges: np.ndarray) -> np.ndarray | None:
    """The chance of a stay between each two `edges`, in hours, by the row for all patients that is in use, or else the
    one that is fitted; None for a distribution without a density, and where there is no such row."""
    of_all = fitted[(fitted["patient_type"] == ALL) & (fitted["next_ward_id"] == ANY)]
    if of_all.empty:
        return None
    row = of_all.sort_values("in_use").iloc[-1]
    if row["distribution"] not in (*FAMILIES, "empirical"):
        return None
    quantiles = fitted_table(row["distribution"], row["shape"], row["scale_hours"], row["quantile_hours"])
    return np.diff(np.interp(edges, quantiles, GRID))


def plot_waits(tables: Tables, ward: str, ax: "Axes | None" = None) -> "Axes":
    """The mean and the 95th percentile of waits for a bed of a ward by beds more or fewer there, each with the 95 %
    interval of the difference to the beds as they are. Table: beds_effects."""
    ax = start(ax, f"{titled(ward)}: waits for a bed, by beds more or fewer")
    _by_beds(ax, table_rows(tables, "beds_effects", ward_id=ward, affected_ward_id=ward), _WAITS)
    ax.legend(frameon=False, fontsize=9, labelcolor=SECOND, loc="upper right")
    name_axes(ax, "beds more or fewer than now, at all times", "hours")
    return ax


def plot_turned_away(tables: Tables, ward: str, ax: "Axes | None" = None) -> "Axes":
    """Patients of a ward who are turned away in all days ahead by beds more or fewer there, with the 95 % interval of
    the difference to the beds as they are. Table: beds_effects."""
    ax = start(ax, f"{titled(ward)}: patients turned away, by beds more or fewer")
    _by_beds(ax, table_rows(tables, "beds_effects", ward_id=ward, affected_ward_id=ward), _TURNED_AWAY)
    name_axes(ax, "beds more or fewer than now, at all times", "patients in all days ahead")
    return ax


def _by_beds(ax: "Axes", found: pd.DataFrame, kpis: Mapping[str, tuple[str, str, str]]) -> None:
    """A line for each of the KPIs: its value with so many beds more, and as it is at 0."""
    for kpi, (name, marker, colour) in kpis.items():
        rows = found[(found["kpi"] == kpi) & found["difference"].notna()].sort_values("beds_added")
        if rows.empty:
            continue
        x, baseline, value = (as_floats(rows[column]) for column in ("beds_added", "baseline", "value"))
        low, high = (baseline + as_floats(rows[column]) for column in ("low", "high"))
        ax.vlines(x, np.maximum(low, 0), high, color=colour, linewidth=1.5)
        x, value = np.append(x, 0.0), np.append(value, baseline[0])
        order = np.argsort(x)
        ax.plot(x[order], value[order], f"{marker}-", color=colour, linewidth=0.8, markersize=5, label=name)
    ax.axvline(0, color=SECOND, linewidth=1)
    above(ax, "as it is", 0)
    ax.set_ylim(bottom=0)
    ticks = sorted({0, *found["beds_added"]})
    ax.set_xticks(ticks, [f"{tick:+d}" if tick else "0" for tick in ticks])


def plot_beds_percentiles(tables: Tables, ward: str, ax: "Axes | None" = None) -> "Axes":
    """Percentiles of the occupancy over all hours ahead, in percent of the beds, by the number of beds; red where all
    are in use. Table: beds_percentiles, which `beds_percentiles` makes."""
    rows = table_rows(tables, "beds_percentiles", ward_id=ward).sort_values("beds")
    columns = [name for name in rows.columns if name.startswith("p") and name[1:].isdecimal()]
    shares = rows[columns].div(rows["beds"], axis=0).set_axis([f"{name[1:]} %" for name in columns], axis=1)
    shares.index = pd.Index([_named(row) for row in rows.itertuples()])
    ax = start(ax, f"{titled(ward)}: occupancy in % of the beds, by the number of beds", tall(len(shares)), 1.75)
    shaded(ax, shares, _OCCUPANCY)
    name_axes(ax, "of all hours have this occupancy or less", "")
    return ax


def _named(row: object) -> str:
    beds, added, overloaded = (getattr(row, name) for name in ("beds", "beds_added", "overloaded"))
    return f"{beds} beds{' (now)' if added == 0 else ' (queue grows)' if overloaded else ''}"
