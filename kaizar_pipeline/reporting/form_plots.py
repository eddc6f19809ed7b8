"""Pictures of the weekly files of the hospital-beds form (`HospitalBeds`); in the manner of `plots`."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kaizar_pipeline.reporting.canvas import (
    ACCENT,
    BANDS,
    INK,
    WEEKEND,
    Tables,
    above,
    as_floats,
    bars,
    name_axes,
    start,
    table_rows,
    titled,
    whole_beds,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NO_EVENT = "none"


def plot_service_weeks(tables: Tables, service: str, ax: "Axes | None" = None) -> "Axes":
    """Patients of a service who were admitted (light) and refused (dark) in each week, weeks with an event striped.
    Table: weekly, of `HospitalBeds`."""
    weeks = table_rows(tables, "weekly", service=service).sort_values("week")
    ax = start(ax, f"{titled(service)}: patients who asked for a bed, by week")
    x, admitted, refused = (as_floats(weeks[name]) for name in ("week", "admitted", "refused"))
    _events(ax, weeks)
    bars(ax, x, np.zeros(len(x)), admitted, BANDS[50])
    bars(ax, x, admitted, admitted + refused, INK)
    whole_beds(ax, 0, float(np.nanmax(admitted + refused)))
    ax.set_ylim(bottom=0)
    ax.set_xlim(x.min() - 1, x.max() + 1)
    name_axes(ax, "week; light: admitted, dark: refused", "patients per week")
    return ax


def plot_nurses(tables: Tables, service: str, ax: "Axes | None" = None) -> "Axes":
    """Nurses of a service who were present in each week, beside its beds. Table: nurses, of `HospitalBeds`."""
    weeks = table_rows(tables, "nurses", service=service).sort_values("week")
    ax = start(ax, f"{titled(service)}: nurses present and beds, by week")
    x, present, beds = (as_floats(weeks[name]) for name in ("week", "nurses_present", "available_beds"))
    ax.plot(x, present, "o-", color=INK, linewidth=1, markersize=3.5)
    if not np.isnan(beds).all():
        ax.step(x, beds, where="mid", color=ACCENT, linewidth=1.5)
        above(ax, f"{np.nanmin(beds):.0f} to {np.nanmax(beds):.0f} beds", color=ACCENT)
    whole_beds(ax, 0, float(np.nanmax(np.concatenate([present, beds]))))
    ax.set_xlim(x.min() - 1, x.max() + 1)
    name_axes(ax, "week; dots: nurses present, red: beds", "nurses, beds")
    return ax


def _events(ax: "Axes", weeks: pd.DataFrame) -> None:
    """A stripe for each week with an event, named where a run of weeks with it begins."""
    before = None
    for week, event in zip(as_floats(weeks["week"]), weeks["event"], strict=True):
        if event != _NO_EVENT:
            ax.axvspan(week - 0.5, week + 0.5, color=WEEKEND, linewidth=0, zorder=0)
            if event != before:
                above(ax, str(event), week - 0.5)
        before = event
