"""Pictures of the hospital-beds form by week: nurses present against beds, and requests admitted and refused.

As those of `plots`, each draws on `ax`, or on a figure of its own, and returns the axes.
"""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kaizar_pipeline.errors import KaizarError, unknown
from kaizar_pipeline.reporting.canvas import BANDS, INK, as_floats, bars, name_axes, staffed_line, start, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from kaizar_pipeline.hospital_beds.hospital_beds import HospitalBeds


def plot_nurses(data: "HospitalBeds", service: str, ax: "Axes | None" = None) -> "Axes":
    """Nurses present in each week (bars), those on the roll (dashes), and the available beds (line); weeks with an
    event are marked. Raises KaizarError where the form has no staff_schedule.csv or no nurses of the service."""
    weeks = _weeks(
        data.nurses, service, "nurses present are not known: this needs rows of nurses in staff_schedule.csv"
    )
    ax = start(ax, f"{service}: nurses present and available beds, week by week")
    at = weeks["week"].to_numpy(dtype=float)
    bars(ax, at, np.zeros(len(weeks)), as_floats(weeks["nurses_present"]), BANDS[50])
    ax.hlines(weeks["nurses_on_roll"], at - 0.43, at + 0.43, color=INK, linewidth=1.4)
    staffed_line(ax, np.append(at, at[-1] + 1) - 0.5, weeks["available_beds"])
    events = _week_axis(ax, data, service, weeks)
    _from_zero(ax, weeks[["nurses_present", "nurses_on_roll", "available_beds"]])
    name_axes(ax, f"bars: nurses present; dashes: on the roll; line: beds{events}", "nurses, beds")
    return ax


def plot_refused(data: "HospitalBeds", service: str, ax: "Axes | None" = None) -> "Axes":
    """Patients admitted (light) and refused (dark, on top) in each week, together the requests; weeks with an event are
    marked. Raises KaizarError where the form has no services_weekly.csv or not this service."""
    weeks = _weeks(data.weekly, service, "refused patients are not known: there is no services_weekly.csv")
    ax = start(ax, f"{service}: requests admitted and refused, week by week")
    at, admitted = weeks["week"].to_numpy(dtype=float), as_floats(weeks["admitted"])
    together = admitted + as_floats(weeks["refused"])
    bars(ax, at, np.zeros(len(weeks)), admitted, BANDS[50])
    bars(ax, at, admitted, together, INK)
    events = _week_axis(ax, data, service, weeks)
    _from_zero(ax, pd.DataFrame({"together": together}))
    share = 1 - admitted.sum() / max(together.sum(), 1)
    name_axes(ax, f"light: admitted; dark: refused, {100 * share:.0f} % in all{events}", "patients per week")
    return ax


def _weeks(rows: pd.DataFrame | None, service: str, none_known: str) -> pd.DataFrame:
    """The weeks of a service in order."""
    if rows is None or rows.empty:
        raise KaizarError(none_known)
    found = rows[rows["service"] == service]
    if found.empty:
        raise KaizarError(unknown(service, sorted(rows["service"].unique()), "service"))
    return found.sort_values("week")


def _week_axis(ax: "Axes", data: "HospitalBeds", service: str, weeks: pd.DataFrame) -> str:
    """The x axis in weeks, months named; marks the weeks with an event by letters, and returns what they mean."""
    first, last = weeks["week"].min(), weeks["week"].max()
    months = pd.date_range(pd.Timestamp(data.year, 1, 1), periods=12, freq="MS")
    positions = (months.day_of_year - 1) / 7 + 0.5
    shown = (positions >= first - 0.5) & (positions <= last + 0.5)
    ax.set_xticks(positions[shown], [f"{month:%b}" for month in months[shown]])
    for label in ax.get_xticklabels():
        label.set_horizontalalignment("left")
    ax.set_xlim(first - 0.5, last + 0.5)
    if data.weekly is None:
        return ""
    events = data.weekly[(data.weekly["service"] == service) & (data.weekly["event"] != "none")]
    letters = _letters(events["event"])
    for week, event in zip(events["week"], events["event"], strict=True):
        ax.axvspan(week - 0.5, week + 0.5, color=BANDS[95], linewidth=0, zorder=0)
        write(ax, week, 0.97, letters[event], transform=ax.get_xaxis_transform(), ha="center", va="top", clip_on=True)
    return "".join(f"; {mark}: {event}" for event, mark in letters.items())


def _letters(events: pd.Series) -> dict[str, str]:
    """Event -> its first letters, as many as tell it from the others."""
    names = sorted(events.unique())
    longest = max(map(len, names), default=1)
    size = next((n for n in range(1, longest) if len({name[:n] for name in names}) == len(names)), longest)
    return {name: name[:size].upper() for name in names}


def _from_zero(ax: "Axes", values: pd.DataFrame) -> None:
    """The y axis from zero, with space for the letters above the highest value; whole numbers at its ticks."""
    from matplotlib.ticker import MaxNLocator

    highest = np.nanmax(np.concatenate([[1.0], *(as_floats(values[name]) for name in values)]))
    ax.set_ylim(0, 1.15 * highest)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, min_n_ticks=1))
