"""The page of a drafted hospital: what to confirm first, and the pictures by which to do so."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.snapshot import shown
from kaizar_pipeline.drafting.hospital_draft import Draft
from kaizar_pipeline.drafting.wards_and_streams import DraftedWard
from kaizar_pipeline.errors import quoted
from kaizar_pipeline.reporting.canvas import (
    ACCENT,
    BANDS,
    INK,
    RULE,
    TINTS,
    above,
    name_axes,
    named_rows,
    png,
    shaded,
    start,
    tall,
    whole_beds,
    write,
)
from kaizar_pipeline.reporting.page import templates

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_WARDS, MOST_STREAMS = 16, 20
"""Wards with a picture of their census, and streams with a row; the others are counted."""
EXAMPLES = 5
"""Lines of the file that are named for each reason why rows are set aside."""
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS_TOGETHER = 2
_CENSUS = (5.2, 2.5)
"""Inches of the picture of a ward's census."""
_TICKS = {1 / 6: "10 min", 1: "1 h", 6: "6 h", 24: "1 day", 72: "3 days", 240: "10 days", 720: "30 days"}


@dataclass(frozen=True)
class Shown:
    """A picture with what it shows in words."""

    title: str
    words: str
    source: str
    """The picture itself, as the address of an image."""


@dataclass(frozen=True)
class SetAside:
    """Rows that are set aside for one reason."""

    reason: str
    rows: int
    lines: str
    """The lines of some."""
    example: str


def draft_page(draft: Draft, name: str) -> str:
    """The page of the draft of `name`.yml: one file, with its pictures inside."""
    history = draft.history
    return templates().get_template("draft.html.j2").render(
        title=f"{name}: draft",
        foot=f"{name}, draft",
        name=name,
        draft=draft,
        as_of=shown(history.as_of),
        patients=len(history.patients),
        columns=_columns(draft),
        overview=[*_arrivals(draft), _stays(draft)],
        wards=[_census(ward) for ward in _largest(draft.wards)],
        more_wards=max(0, len(draft.wards) - MOST_WARDS),
        rejects=set_aside(history.patient_rejects),
    )  # fmt: skip


def set_aside(rejects: pd.DataFrame) -> list[SetAside]:
    """Rejects by reason, the most frequent first, with the lines of the file of some."""
    found = []
    for reason, rows in rejects.groupby("reason"):
        first = rows.iloc[0]
        value = "empty" if pd.isna(first["value"]) else quoted(str(first["value"]))
        lines = ", ".join(str(line) for line in rows["row"].head(EXAMPLES))
        found.append(SetAside(str(reason), len(rows), lines, f"{first['field']} = {value}"))
    return sorted(found, key=lambda one: -one.rows)


def _columns(draft: Draft) -> list[tuple[str, str, str]]:
    """Key, column and evidence of the columns that a run reads."""
    columns = {f"columns.{key}": name for key, name in draft.patients["columns"].items()}
    stays = draft.patients.get("stays", {}).get("columns", {})
    columns |= {f"stays.columns.{key}": name for key, name in stays.items()}
    return [(key, name, draft.why.get(key, "")) for key, name in columns.items()]


def _largest(wards: Sequence[DraftedWard]) -> list[DraftedWard]:
    known = [ward for ward in wards if len(ward.beds.hours)]
    return sorted(known, key=lambda ward: -int(ward.beds.census.max()))[:MOST_WARDS]


def _picture(title: str, words: str, ax: "Axes") -> Shown:
    return Shown(title, words, f"data:image/png;base64,{b64encode(png(ax)).decode()}")


def _arrivals(draft: Draft) -> list[Shown]:
    """When patients of each stream arrive: by weekday and by hour."""
    patients = draft.history.patients
    streams = [stream.named.id for stream in draft.streams][:MOST_STREAMS]
    mine = patients[patients["stream_id"].isin(streams)]
    by_weekday = _shares(mine["stream_id"], mine["arrival"].dt.day_of_week, range(7), streams)
    by_weekday.columns = list(_WEEKDAYS)
    found = [_shares_picture("Arrivals by weekday", "Percent of a stream's arrivals; even is 14 %.", by_weekday)]
    if not (mine["resolution"] == "second").any():
        return found
    timed = mine[mine["resolution"] == "second"]
    hours = range(0, 24, _HOURS_TOGETHER)
    groups = timed["arrival"].dt.hour // _HOURS_TOGETHER * _HOURS_TOGETHER
    by_hour = _shares(timed["stream_id"], groups, hours, streams)
    by_hour.columns = [f"{hour}:00" for hour in hours]
    words = f"Percent of a stream's arrivals in {_HOURS_TOGETHER} hours from this time on; even is 8 %."
    return [*found, _shares_picture("Arrivals by hour", words, by_hour)]


def _shares(streams: pd.Series, groups: pd.Series, columns: Sequence[int], names: list[str]) -> pd.DataFrame:
    counts = pd.crosstab(streams, groups).reindex(index=names, columns=list(columns), fill_value=0)
    return counts.div(counts.sum(axis=1).where(lambda total: total > 0, 1), axis=0)


def _shares_picture(title: str, words: str, shares: pd.DataFrame) -> Shown:
    high = 1 / shares.shape[1]
    faces = [(factor * high, face, ink) for factor, (_, face, ink) in zip((4, 2, 1.3, 0.7), _greys(), strict=True)]
    ax = start(None, "", tall(len(shares)), left=_left(shares.index))
    shaded(ax, shares, faces)
    return _picture(title, words, ax)


def _greys() -> tuple[tuple[float, str, str], ...]:
    """Darker ones first: shares are no chances, so that they are not red."""
    colours = (INK, "white"), (BANDS[50], INK), (BANDS[80], INK), (BANDS[95], INK)
    return tuple((tint[0], *colour) for tint, colour in zip(TINTS, colours, strict=True))


def _left(names: Sequence[Any] | pd.Index) -> float:
    """Inches for the names of rows."""
    return 0.25 + 0.075 * max((len(str(name)) for name in names), default=1)


def _stays(draft: Draft) -> Shown:
    """Lengths of stay by ward."""
    wards = draft.wards[:MOST_STREAMS]
    names = [ward.named.id for ward in wards]
    ax = start(None, "", tall(len(wards)), left=_left(names))
    ax.set_xscale("log")
    for row, ward in enumerate(wards):
        hours = ward.hours[ward.hours > 0]
        if hours.empty:
            write(ax, 1, row, "no stay has ended")
            continue
        p10, p50, p90 = (float(hours.quantile(share)) for share in (0.1, 0.5, 0.9))
        ax.plot([p10, p90], [row, row], color=BANDS[50], linewidth=6, solid_capstyle="butt")
        ax.plot([p50], [row], "o", color=INK, markersize=6)
    ax.set_xticks(list(_TICKS), list(_TICKS.values()))
    ax.minorticks_off()
    ax.grid(axis="x", color=RULE, linewidth=0.5)
    named_rows(ax, names)
    return _picture("Lengths of stay by ward", "Dot: half are shorter. Bar: 8 of 10 stays.", ax)


def _census(ward: DraftedWard) -> Shown:
    """The census of a ward with the beds that are proposed."""
    beds = ward.beds
    days = (beds.hours - beds.hours[0]).total_seconds().to_numpy() / 86400
    ax = start(None, "", _CENSUS)
    ax.step(days, beds.census, where="post", color=INK, linewidth=0.8)
    ticks = pd.date_range(beds.hours[0].normalize(), beds.hours[-1], freq="MS" if days[-1] > 60 else "W-MON")
    ax.set_xticks(
        [(tick - beds.hours[0]).total_seconds() / 86400 for tick in ticks], [f"{t.day} {t:%b}" for t in ticks]
    )
    ax.set_xlim(0, max(1.0, float(days[-1])))
    top = float(np.max(beds.census))
    if beds.beds is not None:
        ax.axhline(beds.beds + 0.5, color=ACCENT, linewidth=1.5)
        above(ax, f"{beds.beds} beds proposed", color=ACCENT)
        top = max(top, beds.beds)
    for weekday_beds in sorted(set(beds.by_weekday.values())):
        ax.axhline(weekday_beds + 0.5, color=ACCENT, linewidth=1, linestyle=(0, (2, 3)))
    whole_beds(ax, 0, top)
    name_axes(ax, "", "patients")
    weekdays = ", ".join(f"{day} {number}" for day, number in beds.by_weekday.items())
    return _picture(ward.named.id, beds.why + (f". Other beds: {weekdays}" if weekdays else ""), ax)
