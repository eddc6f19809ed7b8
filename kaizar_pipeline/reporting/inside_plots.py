"""Pictures of the twin itself, for notebooks: one replication, patient by patient, and how far it is from theory.

As those of `plots`, each draws on `ax`, or on a figure of its own, and returns the axes. The table `replication_stays`
is that of `stays_table`, of one replication or of several, one below the other.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kaizar_pipeline.errors import KaizarError
from kaizar_pipeline.reporting.canvas import (
    BANDS,
    INK,
    SECOND,
    Tables,
    above,
    as_floats,
    name_axes,
    named_rows,
    staffed_line,
    start,
    table_rows,
    tall,
    write,
)
from kaizar_pipeline.reporting.plots import plot_percentiles
from kaizar_pipeline.tables import HOME

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STAYS = "replication_stays"
_MINUTE, _HOUR, _DAY = (pd.Timedelta(n, "s") for n in (60, 3600, 86400))
_HOURS_BETWEEN = (1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672)
"""Hours between the ticks of an axis of time."""
_MOST_TICKS = 8
_WAITING, _CARE, _AFTER, _OUTLIER = SECOND, BANDS[50], INK, BANDS[80]
_NAMES = {
    _WAITING: "waiting",
    _CARE: "in care",
    _AFTER: "in bed after care",
    _OUTLIER: "outlier in care",
}
_TALLEST = 6.9
"""Inches of a picture of a day."""
_COLUMN = 0.25
"""Standard errors of a column of dots."""
_CHANCE_BEYOND_2 = 0.0455


def plot_patient_way(tables: Tables, patient: int, ax: "Axes | None" = None, replication: int = 0) -> "Axes":
    """One patient's way through the wards, a row for each stay: the wait for the bed, the care, and the time in the bed
    after it (boarding, or the delay of a discharge). Table: replication_stays."""
    everyone = table_rows(tables, _STAYS, replication=replication)
    stays = table_rows(tables, _STAYS, replication=replication, patient=patient).sort_values("stay_no")
    rows = stays.to_dict("records")
    title = f"Patient {patient}, {rows[0]['patient_type']}: the way through the wards"
    ax = start(ax, title, tall(2 * len(rows) + 1), 1.4)
    last = _latest(everyone)
    first, end = rows[0]["request"], stays["depart"].fillna(last).max()
    margin = max(0.02 * (end - first), _HOUR)
    at = _time_axis(ax, first - margin, end + margin)
    for y, stay in enumerate(rows):
        parts = _parts(stay, last)
        for colour, since, until in parts:
            high = 0.12 if colour == _WAITING else 0.26
            ax.broken_barh([(at(since), at(until) - at(since))], (y - 0.1 - high / 2, high), color=colour, linewidth=0)
        begins, ends = at(stay["request"]), at(parts[-1][2])
        late = begins > 0.5 * at(end)
        write(ax, ends if late else begins, y + 0.25, _in_words(stay), ha="right" if late else "left")
    named_rows(ax, stays["ward_id"].fillna("no bed"))
    _legend(ax, (_WAITING, _CARE, _AFTER))
    above(ax, f"at the end: {rows[0]['status']}")
    return ax


def plot_ward_day(tables: Tables, ward: str, date: object, ax: "Axes | None" = None, replication: int = 0) -> "Axes":
    """A day of a ward: who is in which bed, who only waits there to leave, and above the beds who waits for one, or is
    diverted. The twin's beds have no numbers: whoever comes gets the lowest that is free. Tables: replication_stays,
    occupancy_distributions."""
    stays = table_rows(tables, _STAYS, replication=replication)
    begin = pd.Timestamp(str(date)).normalize()
    staffed = _staffed(table_rows(tables, "occupancy_distributions", ward_id=ward), begin)
    inside = _on_day(stays[stays["ward_id"] == ward], "admit", begin)
    asked = stays[(stays["planned_ward_id"] == ward) & (stays["ward_id"].isna() | (stays["ward_id"] == ward))]
    waiting = _on_day(asked.assign(depart=asked["admit"].fillna(asked["depart"])), "request", begin)
    most = max([0, *staffed.dropna(), *(bed + 1 for bed in inside["place"])])
    rows = most + 1 + max([0, *(place + 1 for place in waiting["place"])])
    title = f"{ward} on {begin:%a} {begin.day} {begin:%b}: who is in which bed"
    ax = start(ax, title, (7.2, min(_TALLEST, 1.5 + 0.17 * rows)))
    at = _time_axis(ax, begin, begin + _DAY)
    for stay in inside.to_dict("records"):
        for colour, since, until in _parts(stay, stay["until"])[1:]:
            own = _OUTLIER if colour == _CARE and stay["planned_ward_id"] != ward else colour
            left, right = (at(min(max(moment, stay["since"]), stay["until"])) for moment in (since, until))
            ax.broken_barh(
                [(left, right - left)], (stay["place"] + 0.6, 0.8), color=own, edgecolor="white", linewidth=0.7
            )
    for place, since, until in zip(waiting["place"], waiting["since"], waiting["until"], strict=True):
        ax.broken_barh([(at(since), at(until) - at(since))], (most + 1.7 + place, 0.6), color=_WAITING, linewidth=0)
    diverted = asked.loc[(asked["status"] == "diverted") & (asked["request"].dt.normalize() == begin), "request"]
    ax.plot(at(diverted), np.full(len(diverted), most + 2), "x", color=_WAITING, markersize=5)
    staffed_line(ax, np.append(at(staffed.index), at(begin + _DAY)), staffed)
    ticks = [bed for bed in range(1, most + 1) if bed == 1 or bed % (10 if most > 30 else 5) == 0]
    ax.set_yticks([*ticks, most + 2], [*map(str, ticks), "waiting"])
    ax.set_ylim(0.3, rows + 1.5)
    _legend(ax, (_WAITING, _CARE, _AFTER, _OUTLIER), "diverted" if len(diverted) else "")
    return ax


def plot_one_of_many(tables: Tables, ward: str, ax: "Axes | None" = None, days: int = 7) -> "Axes":
    """The census of a ward in single replications, hour by hour, over the distribution of all of them. Tables:
    replication_stays, occupancy_distributions."""
    stays = table_rows(tables, _STAYS)
    hours = table_rows(tables, "occupancy_distributions", ward_id=ward).sort_values("at")
    hours = hours[hours["at"] <= hours["as_of"] + days * _DAY]
    ax = plot_percentiles(tables, ward, ax, days)
    x = (hours["at"] - hours["as_of"].iloc[0].normalize()) / _DAY
    shown = f"thin lines: {stays['replication'].nunique()} replications; grey and thick line: all"
    name_axes(ax, shown, "patients in bed")
    lines = _census(stays, ward, pd.DatetimeIndex(hours["at"]))
    for census in lines.to_numpy().T:
        ax.step(x, census, where="post", color=INK, linewidth=0.7, alpha=0.6)
    return ax


def plot_theory(tables: Tables, ax: "Axes | None" = None) -> "Axes":
    """How far simulations are from theory: a dot for each quantity at its distance in standard errors, in columns, and
    the height that chance alone would give them (grey). Table: validation, as `as_table` makes it."""
    found = table_rows(tables, "validation")
    z = as_floats(found.loc[(found["standard_error"] > 0) & (found["theory_error"] == 0), "z"])
    exact = found.loc[found["standard_error"] == 0, "z"] == 0
    reach = max(4.0, float(np.abs(z).max(initial=0)) + _COLUMN)
    ax = start(ax, "Distance from theory, in standard errors")
    column = np.floor(z / _COLUMN)
    place = pd.Series(column).groupby(column).cumcount().to_numpy()
    grid = np.linspace(-reach, reach, 201)
    chance = len(z) * _COLUMN * np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    ax.fill_between(grid, chance, color=BANDS[95], linewidth=0)
    ax.plot((column + 0.5) * _COLUMN, place + 0.5, "o", color=INK, markersize=5)
    for limit in (-2, 2):
        ax.axvline(limit, color=SECOND, linewidth=1, linestyle="--")
    ax.set_xlim(-reach, reach)
    ax.set_ylim(0, 1.1 * max(chance.max(), *(place + 1)))
    ax.set_yticks([])
    beyond, chance_beyond = int((np.abs(z) > 2).sum()), _CHANCE_BEYOND_2 * len(z)
    remark = f"{beyond} of {len(z)} are beyond 2, by chance about {chance_beyond:.1f}"
    above(ax, f"{remark}; where nothing is random, {exact.sum()} of {len(exact)} are exact")
    name_axes(
        ax, "simulated less theory, in standard errors of the simulation; grey: what chance alone gives", "quantities"
    )
    return ax


def _parts(stay: dict[Any, Any], last: pd.Timestamp) -> list[tuple[str, pd.Timestamp, pd.Timestamp]]:
    """The wait, the care and the time after it of a stay: colour, begin and end, open ones until `last`."""
    ends = [stay[name] if pd.notna(stay[name]) else last for name in ("admit", "ready", "depart")]
    if pd.isna(stay["ward_id"]):  # no bed was ever free: only the wait
        ends = [ends[2]] * 3
    begins = [stay["request"], *ends]
    return list(zip((_WAITING, _CARE, _AFTER), begins, ends, strict=False))


def _in_words(stay: dict[Any, Any]) -> str:
    """The parts of a stay with their lengths, and where it leads."""
    names = (("request", "admit", "waits"), ("admit", "ready", "in care"), ("ready", "depart", "then still in the bed"))
    lengths = [(name, stay[end] - stay[begin]) for begin, end, name in names]
    words = [f"{name} {_length(length / _HOUR)}" for name, length in lengths if length > _MINUTE]
    if pd.notna(stay["ward_id"]) and stay["ward_id"] != stay["planned_ward_id"]:
        words.insert(0, f"planned for {stay['planned_ward_id']}")
    if pd.notna(stay["depart"]):
        words += ["goes home"] * (stay["next_ward_id"] == HOME) + [stay["status"]] * pd.isna(stay["ward_id"])
    return ", ".join(words)


def _length(hours: float) -> str:
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} h" if hours >= 1 else f"{60 * hours:.0f} min"


def _latest(stays: pd.DataFrame) -> pd.Timestamp:
    """The last instant that some stays know of."""
    return stays[["request", "admit", "ready", "depart"]].max().max()


def _staffed(hours: pd.DataFrame, begin: pd.Timestamp) -> pd.Series:
    """The staffed beds by hour of a day, null where they are unlimited, from its first hour or as_of on. Raises
    KaizarError for a day that is not simulated."""
    of_day = hours[hours["at"].dt.normalize() == begin].sort_values("at")
    if of_day.empty:
        first, last = hours["at"].min(), hours["at"].max()
        raise KaizarError(f"{begin:%Y-%m-%d} is not simulated; allowed: {first:%Y-%m-%d} to {last:%Y-%m-%d}")
    return of_day.set_index("at")["staffed_beds"]


def _on_day(stays: pd.DataFrame, came: str, begin: pd.Timestamp) -> pd.DataFrame:
    """The stays that are there on a day, from `came` to `depart`, in order: `since` and `until` cut to the day, and the
    lowest `place` that is free, from 0 on."""
    end = begin + _DAY
    there = stays[(stays[came] < end) & ~(stays["depart"] <= begin) & (stays[came] != stays["depart"])].sort_values(
        came
    )
    since = there[came].where(there[came] > begin, begin)
    until = there["depart"].where(there["depart"] < end, end)
    free_from: list[pd.Timestamp] = []
    places = []
    for first, last in zip(since, until, strict=True):
        place = next((place for place, free in enumerate(free_from) if free <= first), len(free_from))
        free_from[place : place + 1] = [last]
        places.append(place)
    return there.assign(since=since, until=until, place=np.array(places, dtype=int))


def _census(stays: pd.DataFrame, ward: str, at: pd.DatetimeIndex) -> pd.DataFrame:
    """The patients in the beds of a ward at each instant (rows) in each replication (columns)."""
    found = {}
    for replication, rows in stays[stays["ward_id"] == ward].groupby("replication"):
        came, left = (np.sort(rows[name].dropna().to_numpy()) for name in ("admit", "depart"))
        found[replication] = np.searchsorted(came, at, side="right") - np.searchsorted(left, at, side="right")
    return pd.DataFrame(found, index=at)


def _time_axis(ax: "Axes", first: pd.Timestamp, last: pd.Timestamp) -> Callable[[Any], Any]:
    """The x axis from one instant to another, with days or hours named; returns the position of an instant, or of
    many."""

    def at(instant: Any) -> Any:
        return np.asarray((instant - first) / _HOUR)

    step = next((n for n in _HOURS_BETWEEN if (last - first) / _HOUR / n <= _MOST_TICKS), _HOURS_BETWEEN[-1])
    ticks = pd.date_range(first.normalize(), last, freq=f"{step}h")
    ticks = ticks[ticks >= first]
    dated = last - first > _DAY
    named = [f"{tick:%a} {tick.day} {tick:%b}" if dated and not tick.hour else f"{tick.hour}:00" for tick in ticks]
    ax.set_xticks(at(ticks), named)
    ax.set_xlim(0, float(at(last)))
    return at


def _legend(ax: "Axes", colours: Sequence[str], cross: str = "") -> None:
    """The names of colours, and of a cross, above the axes."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Patch | Line2D] = [Patch(color=colour, label=_NAMES[colour]) for colour in colours]
    if cross:
        handles.append(Line2D([], [], color=_WAITING, marker="x", linestyle="", markersize=5, label=cross))
    ax.legend(handles=handles, frameon=False, fontsize=9, labelcolor=SECOND, ncols=len(handles), loc="lower left",
              bbox_to_anchor=(0, 1), borderpad=0, borderaxespad=0.2, handlelength=1, handletextpad=0.4,
              columnspacing=1.2)  # fmt: skip
