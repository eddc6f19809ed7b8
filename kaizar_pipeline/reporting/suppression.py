"""Small numbers of patients are not shown: those from 1 to below `report.suppress_below`, and what reveals them.

What a table shows of real patients is data here: SHOWS for numbers that add up to others, TOGETHER for numbers behind
something learned, WITHHELD for tables that are left out as a whole. Everything else is simulated, or counts beds, days
or forecasts. One number may be shown in several tables: the census at as_of is in ward_now, in bed_meeting and as the
distribution at the instant of as_of. It is hidden in all of them, or in none.

Further numbers are hidden until no hidden one can be computed by the sums that hold (`reporting/disclosure.py`): wards
add up to groups and to the hospital; arrivals, transfers and discharges to the net flow; the census of a midnight and
the net flow to that of the next one; streams to their wards. A sum that does not hold in the tables is not used.

Which further numbers are hidden depends on all tables of DECIDING: whoever shows a part of a report reads them too, so
that page, spreadsheet and terminal hide the same. Not covered are reports of other days, which may hide others, and
what forecasts tell of the present: an hour ahead the census is close to what it is now, and where a day's chance of
being full is 100 % the ward may be full already.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.reporting.disclosure import protected
from kaizar_pipeline.reporting.numbers import Cells
from kaizar_pipeline.tables import ALL, HOSPITAL_TOTAL, LONG_STAY_NIGHTS, TABLES

DAYS = 14
"""Days of the past that a report with hidden numbers shows."""

PRIVATE = ("starting_census", "headline_inputs")
"""Tables with a row per patient that no report reads."""

COUNTED = ("patients", "patient_rejects")
"""Tables with a row per patient of which a report says how many there are, and of when the newest is."""

WITHHELD = ("feature_table", "ward_history", "occupancy_backtest")
"""Tables that a report with hidden numbers does not have: observations in many rows, of which scores tell enough."""

Rows = Callable[[pd.DataFrame, HospitalConfig], pd.Series]
"""Which rows of a table."""


@dataclass(frozen=True)
class Shows:
    """Where a table shows, or reveals, numbers of a quantity: of which place, and of which day or instant."""

    table: str
    quantity: str
    columns: tuple[str, ...]
    """What is hidden with the number; the first one is the number itself, if `value`."""
    at: str = "as_of"
    place: str = "ward_id"
    by: tuple[str, ...] = ()
    """Columns that tell several numbers of one place and time apart."""
    only: Rows | None = None
    value: bool = True
    members: bool = False
    """Whether it reveals the numbers of all wards of the place, not that of the place."""


def _reveals(table: str, columns: str, **how: Any) -> Shows:
    return Shows(table, how.pop("quantity", "census"), tuple(columns.split()), value=False, **how)


def _of_as_of(column: str) -> Rows:
    return lambda rows, _: rows[column] == rows["as_of"]


def _at_huddle(rows: pd.DataFrame, config: HospitalConfig) -> pd.Series:
    return rows["date"] + pd.Timedelta(hours=config.simulation.huddle_hour) == rows["as_of"]


def _begun(flow: str) -> Rows:
    return lambda rows, _: (rows["flow"] == flow) & (rows["begins"] == rows["as_of"])


def _at_origin(rows: pd.DataFrame, _: HospitalConfig) -> pd.Series:
    return rows["date"] == rows["origin"]


def _recent(rows: pd.DataFrame, _: HospitalConfig) -> pd.Series:
    return rows["date"] >= rows["as_of"].dt.normalize() - pd.Timedelta(days=DAYS)


_LONG_STAYS = tuple(f"los_{nights}_plus" for nights in LONG_STAY_NIGHTS)
_PATIENTS_NOW = ("waiting", "boarding", "outliers", *_LONG_STAYS)
_CENSUS = " ".join(f"p{q} p{q}_se" for q in ("025", "05", "10", "25", "50", "75", "90", "95", "975", "99"))
_FLOW = "mean mean_se " + " ".join(f"p{q} p{q}_se" for q in (10, 25, 50, 75, 90))
_ACTUAL = ("actual", "crps", "pit")

SHOWS = (
    Shows("ward_now", "census", ("in_beds",)),
    *(Shows("ward_now", name, (name,)) for name in _PATIENTS_NOW),
    Shows("bed_meeting", "census", ("in_beds", "free_now", "level_now")),
    Shows("bed_meeting", "waiting", ("waiting",)),
    Shows("ward_history_days", "census", ("midnight_census",), at="date"),
    Shows("ward_history_days", "peak", ("peak", "hours_full"), at="date"),
    Shows("ward_history_days", "mean_census", ("mean_census", "occupancy", "hours_full"), at="date"),
    Shows("observed_flows", "flow", ("count",), at="date", by=("flow", "urgency")),
    *(
        Shows("daily_arrivals", f"stream_{name}", (name,), at="date", place="stream_id")
        for name in ("arrivals", "admitted", "turned_away")
    ),
    Shows("forecast_backtest", "stream_arrivals", _ACTUAL, at="target_date", place="stream_id"),
    Shows("forecast_log", "census", _ACTUAL, at="date"),
    Shows(
        "occupancy_scores", "mean_actual", ("mean_actual", "bias", "mae", "mape"), by=("method", "hour", "lead_week")
    ),
    Shows("forecast_log_scores", "log_mean_actual", ("mean_actual", "bias", "mae", "mape"), by=("lead_week",)),
    # what is known of the instant of as_of
    _reveals("occupancy_distributions", f"mean sd {_CENSUS} prob_full_hour prob_above", only=_of_as_of("at")),
    *(
        _reveals("occupancy_distributions", f"mean_{name}", quantity=name, only=_of_as_of("at"))
        for name in ("waiting", "boarding", "outliers")
    ),
    _reveals("occupancy_distributions", "prob_queue", quantity="waiting", only=_of_as_of("at")),
    _reveals("midnight_census", "beds probability", only=_of_as_of("date")),
    _reveals("ward_days", "midnight_mean midnight_p10 midnight_p50 midnight_p90", only=_of_as_of("date")),
    _reveals("ward_days", "full_now"),
    _reveals("ward_outlook", "full_now"),
    _reveals("ward_outlook", "members_full_now", members=True),
    # free beds at the end and the net flow until then tell who is there now
    _reveals("bed_meeting", "expected_out expected_net net_p10 net_p90"),
    _reveals("ward_flows", "free_beds", only=_begun("net")),
    *(_reveals("ward_flows", _FLOW, only=_begun(flow)) for flow in ("transfers_out", "discharges", "net")),
    _reveals("ward_flows", "mean p10 p25 p50 p75 p90", quantity="waiting", only=_begun("waiting_admitted")),
    _reveals("level_risk", "prob_huddle", only=_at_huddle),
    _reveals("forecast_log", "mean p025 p10 p25 p50 p75 p90 p975 lowest probability", at="date", only=_at_origin),
    _reveals("full_backtest", "happened", quantity="peak", at="date"),
    _reveals("full_log", "happened", quantity="peak", at="date"),
)
"""Every column that shows or reveals an observed number of patients that adds up to others."""

DECIDING = tuple(dict.fromkeys(show.table for show in SHOWS if show.value))
"""The tables whose numbers decide which are hidden."""

TOGETHER = {
    "length_of_stay": (("n", "n_censored"), (), ("ward_id",)),
    "routes": (("n",), ("per_day", "weight"), ("ward_id", "patient_type")),
    "discharge_clocks": (("n",), (), ("ward_id",)),
    "arrival_profile": (("arrivals",), (), ("stream_id",)),
    "forecast_backtest": (("sum7_actual",), ("sum7_crps", "sum7_pit", "scale"), ("stream_id",)),
}
"""Numbers of patients behind what was learned, columns that are hidden with them, and by which columns their rows are
shown together or not at all."""

RECENT = ("ward_history_days", "observed_flows", "daily_arrivals")
"""Tables of whose past a report with hidden numbers shows the last DAYS days."""

ROWS = ("midnight_census",)
"""Tables whose keys tell the number: its rows are left out."""

ADDITIVE = ("census", "mean_census", "mean_actual", "log_mean_actual", *_PATIENTS_NOW)
ADDITIVE_FLOWS = ("arrivals", "discharges", "turned_away", "net")
"""Quantities and flows whose wards add up to groups and hospital; a transfer may stay inside a group."""

Key = tuple[Any, ...]
"""A number: its quantity, what tells it apart, its place, and its day or instant."""

Sum = dict[Key, int]
"""The factors of numbers that add up to 0."""


def suppressed(frames: Mapping[str, pd.DataFrame], config: HospitalConfig) -> Cells:
    """The tables of a report, without the small numbers that the hospital's file says not to show."""
    shown = {name: frame for name, frame in frames.items() if name not in PRIVATE}
    limit = config.report.suppress_below
    if not limit:
        return Cells(shown, TABLES)
    shown = {name: frame for name, frame in shown.items() if name not in WITHHELD}
    for name in RECENT:
        if name in shown:
            shown[name] = shown[name][_recent(shown[name], config)].reset_index(drop=True)
    if "forecast_backtest" in shown:  # other methods repeat what was observed
        shown["forecast_backtest"] = shown["forecast_backtest"].query("method == 'model'").reset_index(drop=True)
    places = {show: _cells(shown[show.table], show, config) for show in SHOWS if show.table in shown}
    values = _values(shown, places)
    small = {key for key, value in values.items() if 0 < value < limit and not _is_net(key)}
    sums = [one for one in _sums(values, config) if _holds(one, values)]
    hidden = protected(values, sums, small, _chains(values))
    masks = defaultdict(set)
    for show, cells in places.items():
        positions = [position for position, keys in cells if not hidden.isdisjoint(keys)]
        for column in show.columns:
            masks[show.table, column].update(positions)
    for table, column, positions in _together(shown, limit):
        masks[table, column].update(positions)
    few = {(name, "rows", ()) for name in COUNTED if name in shown and 0 < len(shown[name]) < limit}
    return _masked(shown, {cell: sorted(positions) for cell, positions in masks.items() if positions}, few)


def _cells(rows: pd.DataFrame, show: Shows, config: HospitalConfig) -> list[tuple[int, tuple[Key, ...]]]:
    """The position of each row, and the keys of the numbers that it shows."""
    positions = np.flatnonzero(show.only(rows, config)) if show.only else np.arange(len(rows))
    chosen = rows.iloc[positions]
    by = [chosen[column].tolist() for column in show.by]
    keys = zip(*by, chosen[show.place].tolist(), chosen[show.at].tolist(), strict=True)
    found = ((show.quantity, *key) for key in keys)
    if not show.members:
        return [(position, (key,)) for position, key in zip(positions.tolist(), found, strict=True)]
    wards = config.ward_axis
    return [
        (position, tuple((quantity, ward, at) for ward in wards[place]))
        for position, (quantity, place, at) in zip(positions.tolist(), found, strict=True)
    ]


def _values(
    frames: Mapping[str, pd.DataFrame], places: Mapping[Shows, list[tuple[int, tuple[Key, ...]]]]
) -> dict[Key, float]:
    """All numbers that tables show."""
    values: dict[Key, float] = {}
    for show, cells in places.items():
        if show.value:
            column = frames[show.table][show.columns[0]].astype("Float64").to_numpy("float64", na_value=np.nan)
            values |= {key: float(column[position]) for position, (key,) in cells if not np.isnan(column[position])}
    return values


def _is_net(key: Key) -> bool:
    return key[:2] == ("flow", "net")


def _is_additive(key: Key) -> bool:
    return key[1] in ADDITIVE_FLOWS if key[0] == "flow" else key[0] in ADDITIVE


def _holds(one: Sum, values: Mapping[Key, float]) -> bool:
    """Whether all numbers of a sum are known, and add up."""
    if not one.keys() <= values.keys():
        return False
    return abs(sum(factor * values[key] for key, factor in one.items())) < 1e-6  # means are rounded


def _sums(values: Mapping[Key, float], config: HospitalConfig) -> Iterator[Sum]:
    """The sums that hold between numbers."""
    totals = config.totals
    for key in values:
        *what, place, at = key
        if place in totals and _is_additive(key):
            yield _total(key, [(*what, ward, at) for ward in totals[place]])
        if _is_net(key):
            yield from _of_net(place, at)
        if key[0] == "stream_arrivals":
            yield {key: 1, ("stream_admitted", place, at): -1, ("stream_turned_away", place, at): -1}
    for at in {key[-1] for key in values if key[0] == "stream_arrivals"}:
        yield from _of_streams(at, config)


def _total(total: Key, parts: Sequence[Key]) -> Sum:
    return {total: 1, **dict.fromkeys(parts, -1)}


def _of_net(place: str, date: pd.Timestamp) -> Iterator[Sum]:
    """Of the flows of a day, and of the midnights before and after it."""

    def flow(name: str, urgency: str = ALL) -> Key:
        return ("flow", name, urgency, place, date)

    signs = {"arrivals": 1, "transfers_in": 1, "transfers_out": -1, "discharges": -1, "net": -1}
    yield {flow(name): sign for name, sign in signs.items()}
    yield {flow("arrivals"): 1, flow("arrivals", "emergency"): -1, flow("arrivals", "planned"): -1}
    yield {("census", place, date): 1, flow("net"): 1, ("census", place, date + pd.Timedelta(days=1)): -1}


def _of_streams(date: pd.Timestamp, config: HospitalConfig) -> Iterator[Sum]:
    """Of the streams of each ward and the hospital; they hold on days on which nobody waits into the next one."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for stream in config.arrival_streams:
        for place in (stream.target_ward, HOSPITAL_TOTAL):
            for urgency in (ALL, "planned" if stream.is_planned else "emergency"):
                groups[place, urgency].append(stream.id)
    for (place, urgency), streams in groups.items():
        for name in ("stream_arrivals", "stream_admitted"):
            yield _total(("flow", "arrivals", urgency, place, date), [(name, stream, date) for stream in streams])
        parts = [("stream_turned_away", stream, date) for stream in streams]
        yield _total(("flow", "turned_away", urgency, place, date), parts)


def _chains(values: Mapping[Key, float]) -> Sequence[Sequence[Key]]:
    """Patients in beds at as_of, and of these the long stays."""
    return [
        [key, *((name, *key[1:]) for name in _LONG_STAYS)]
        for key in values
        if key[0] == "census" and (_LONG_STAYS[0], *key[1:]) in values
    ]


def _together(frames: Mapping[str, pd.DataFrame], limit: int) -> Iterator[tuple[str, str, list[int]]]:
    """Cells of TOGETHER that are hidden."""
    for table, (counts, others, by) in TOGETHER.items():
        if table not in frames:
            continue
        rows = frames[table].reset_index(drop=True)
        small = pd.concat([rows[column].between(0, limit, inclusive="neither") for column in counts], axis=1)
        hidden = small.fillna(False).any(axis=1).groupby([rows[column] for column in by]).transform("any")
        for column in (*counts, *others):
            yield table, column, np.flatnonzero(hidden).tolist()


def _masked(
    frames: dict[str, pd.DataFrame], masks: Mapping[tuple[str, str], list[int]], hidden: set[tuple[str, str, Key]]
) -> Cells:
    """The tables without these cells, which are null there, as figures read them too; `hidden` are others."""
    masked = dict(frames)
    for (table, column), positions in masks.items():
        if table in ROWS:
            masked[table] = frames[table].drop(index=frames[table].index[positions]).reset_index(drop=True)
            continue
        rows = frames[table]
        keys = zip(*(rows[name].iloc[positions].tolist() for name in TABLES[table].key[1:]), strict=True)
        hidden |= {(table, column, key) for key in keys}
        masked[table] = masked[table].assign(**{column: _without(rows[column], positions)})
    return Cells(masked, TABLES, frozenset(hidden))


def _without(values: pd.Series, positions: list[int]) -> pd.Series:
    """The values with null at these positions."""
    wider = {"i": pd.Int64Dtype(), "b": pd.BooleanDtype()}.get(values.dtype.kind)
    values = values.copy() if wider is None or pd.api.types.is_extension_array_dtype(values) else values.astype(wider)
    values.iloc[positions] = None
    return values
