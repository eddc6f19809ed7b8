"""What the sheets of a spreadsheet hold: for each a list of columns, each the column of a table.

A sheet has the rows of one table; a column takes its values from that table or from another, by the keys that both
have. Nothing is computed here: the sheet `dictionary` names the table and column behind each column.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.scenario import BASELINE
from kaizar_pipeline.planning.bed_meeting import NEXT_DAY, NEXT_SNAPSHOT
from kaizar_pipeline.reporting.numbers import SUPPRESSED, Cells
from kaizar_pipeline.reporting.words import DRIVERS, METHODS, labels
from kaizar_pipeline.tables import ALL, SCENARIO, TABLES

DICTIONARY = "dictionary"

_DAY = {"window": NEXT_DAY}
_WINDOWS = {"day": "day", NEXT_SNAPSHOT: "until next snapshot", NEXT_DAY: "next 24 hours"}


@dataclass(frozen=True)
class Field:
    """A column of a sheet: its head, the column of a table as `table.column`, and how it is shown."""

    head: str
    source: str
    shown: str = "count"
    """Name of a format in `reporting/workbook.py`."""
    where: Mapping[str, Hashable] = field(default_factory=dict)
    """Keys of the table that the rows of the sheet do not have."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What is written for a text of the table."""

    @property
    def table(self) -> str:
        """The table that the source names."""
        return self.source.partition(".")[0]

    @property
    def column(self) -> str:
        """The column that the source names."""
        return self.source.partition(".")[2]

    @property
    def unit(self) -> str:
        """The unit in the head; none where the rows have their own."""
        unit = next(column.unit for column in TABLES[self.table].columns if column.name == self.column)
        return ("share" if self.shown in ("percent", "chance") else "") if unit in ("", "see unit") else unit

    @property
    def title(self) -> str:
        """The head with its unit."""
        return f"{self.head} ({self.unit})" if self.unit else self.head


@dataclass(frozen=True)
class Sheet:
    """A sheet: its name, the table whose rows it has, and its columns after the place's name."""

    name: str
    rows: str
    fields: tuple[Field, ...]
    only: Callable[[pd.DataFrame], pd.Series] | None = None


def _window(words: str, window: Mapping[str, Hashable]) -> tuple[Field, ...]:
    return (
        Field(f"In, {words}", "bed_meeting.expected_in", "tenths", window),
        Field(f"Out, {words}", "bed_meeting.expected_out", "tenths", window),
        Field(f"Net, {words}", "bed_meeting.expected_net", "signed", window),
        Field(f"Free, {words}, low (p10)", "bed_meeting.free_p10", "free", window),
        Field(f"Free, {words}, median", "bed_meeting.free_p50", "free", window),
        Field(f"Free, {words}, high (p90)", "bed_meeting.free_p90", "free", window),
    )


_PLACE = Field("Ward", "bed_meeting.ward_id", "text")

_MEETING = (
    _PLACE,
    Field("Staffed", "bed_meeting.staffed_beds"),
    Field("In bed", "bed_meeting.in_beds"),
    Field("Free now", "bed_meeting.free_now", "free"),
    Field("Waiting", "bed_meeting.waiting"),
    Field("Level now", "bed_meeting.level_now", "text"),
    Field("Next snapshot", "bed_meeting.ends", "time"),
    *_window("until next snapshot", {}),
    *_window("24 hours", _DAY),
    Field("Beds for 70 % today", "bed_meeting.beds_70"),
    Field("Beds for 90 % today", "bed_meeting.beds_90"),
    Field("Days likely full in the next 7", "ward_outlook.likely_days"),
    Field("Worst day", "ward_outlook.worst_date", "date"),
    Field("Chance full that day", "ward_outlook.worst_prob", "chance"),
    Field("Beds enough for the target", "ward_outlook.enough_beds"),
    Field("Beds short", "ward_outlook.beds_short"),
    Field("Depends most on", "ward_outlook.driver", "text", words=DRIVERS),
    Field("In hospital 7 nights or more", "ward_now.los_7_plus"),
    Field("14 nights or more", "ward_now.los_14_plus"),
    Field("21 nights or more", "ward_now.los_21_plus"),
)


def _kind(kind: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda rows: (rows["kind"] == kind) & (rows["window"] == NEXT_SNAPSHOT)


def _flow(head: str, flow: str, column: str = "mean", shown: str = "tenths", urgency: str = ALL) -> Field:
    return Field(head, f"ward_flows.{column}", shown, {"flow": flow, "urgency": urgency})


_FLOWS = (
    Field("Ward", "ward_flows.ward_id", "text"),
    Field("Window", "ward_flows.window", "text", words=_WINDOWS),
    Field("Date", "ward_flows.date", "date"),
    Field("Begins", "ward_flows.begins", "time"),
    Field("Ends", "ward_flows.ends", "time"),
    _flow("Arrivals", "arrivals"),
    _flow("of these emergencies", "arrivals", urgency="emergency"),
    _flow("of these planned", "arrivals", urgency="planned"),
    _flow("Transfers in", "transfers_in"),
    _flow("Transfers out", "transfers_out"),
    _flow("Discharges", "discharges"),
    _flow("Net", "net", shown="signed"),
    _flow("Net, low (p10)", "net", "p10"),
    _flow("Net, high (p90)", "net", "p90"),
    _flow("Turned away", "turned_away"),
    _flow("Free as it begins", "net", "free_beds", "free_tenths"),
    _flow("Chance that more ask for a bed than get free", "net", "prob_net_above_free", "chance"),
)

_DAYS = (
    Field("Ward", "ward_days.ward_id", "text"),
    Field("Date", "ward_days.date", "date"),
    Field("Hours ahead", "ward_days.hours"),
    Field("Fewest staffed", "ward_days.staffed_fewest"),
    Field("Most staffed", "ward_days.staffed_most"),
    Field("Chance full at some hour", "ward_days.prob_full_day", "chance"),
    Field("Share of hours full", "ward_days.share_of_hours_full", "percent"),
    Field("In bed at midnight, low (p10)", "ward_days.midnight_p10"),
    Field("at midnight, median", "ward_days.midnight_p50"),
    Field("at midnight, high (p90)", "ward_days.midnight_p90"),
    Field("Most in bed, low (p10)", "ward_days.peak_p10"),
    Field("most, median", "ward_days.peak_p50"),
    Field("most, high (p90)", "ward_days.peak_p90"),
    Field("Beds for 70 %", "ward_days.beds_70"),
    Field("Beds for 90 %", "ward_days.beds_90"),
    Field("Beds for the target", "ward_days.beds_target"),
)

_RISK = (
    Field("Ward", "bed_requirements.ward_id", "text"),
    Field("Risk of", "bed_requirements.risk_event", "text"),
    Field("Beds", "bed_requirements.beds"),
    Field("Demand covered", "bed_requirements.covered_share", "percent"),
    Field("at least", "bed_requirements.covered_low", "percent"),
    Field("at most", "bed_requirements.covered_high", "percent"),
    Field("Fewest staffed", "bed_requirements.staffed_beds"),
    Field("Risk accepted", "bed_requirements.risk_target", "percent"),
    Field("Beds enough", "bed_requirements.enough_beds"),
    Field("enough, at least", "bed_requirements.enough_low"),
    Field("enough, at most", "bed_requirements.enough_high"),
)

_SCENARIOS = (
    Field("Ward", "scenario_comparison.ward_id", "text"),
    Field("Scenario", "scenario_comparison.scenario", "text"),
    Field("Figure", "scenario_comparison.kpi", "text"),
    Field("Unit", "scenario_comparison.unit", "text"),
    Field("As it is", "scenario_comparison.baseline", "hundredths"),
    Field("With the scenario", "scenario_comparison.value", "hundredths"),
    Field("Difference", "scenario_comparison.difference", "hundredths"),
    Field("Difference at least", "scenario_comparison.low", "hundredths"),
    Field("Difference at most", "scenario_comparison.high", "hundredths"),
    Field("Pairs of simulations", "scenario_comparison.pairs"),
)

_ACCURACY = (
    Field("Ward", "occupancy_scores.ward_id", "text"),
    Field("Method", "occupancy_scores.method", "text", words=METHODS | {"twin": "the forecast"}),
    Field("Hour", "occupancy_scores.hour"),
    Field("Week ahead", "occupancy_scores.lead_week"),
    Field("Forecasts", "occupancy_scores.n"),
    Field("Inside the 50 % interval", "occupancy_scores.coverage50", "percent"),
    Field("Inside the 80 % interval", "occupancy_scores.coverage80", "percent"),
    Field("calibrated: at least", "occupancy_scores.coverage80_low", "percent"),
    Field("calibrated: at most", "occupancy_scores.coverage80_high", "percent"),
    Field("Inside the 95 % interval", "occupancy_scores.coverage95", "percent"),
    Field("Average miss (CRPS)", "occupancy_scores.crps", "hundredths"),
    Field("Forecast too high by", "occupancy_scores.bias", "hundredths"),
    Field("In bed on average", "occupancy_scores.mean_actual", "tenths"),
)

SHEETS = (
    Sheet("hospital", "bed_meeting", _MEETING, _kind("hospital")),
    Sheet("groups", "bed_meeting", _MEETING, _kind("group")),
    Sheet("wards", "bed_meeting", _MEETING, _kind("ward")),
    Sheet("flows", "ward_flows", _FLOWS, lambda rows: (rows["flow"] == "net") & (rows["scenario"] == BASELINE)),
    Sheet("days", "ward_days", _DAYS, lambda rows: rows["scenario"] == BASELINE),
    Sheet("beds for a risk", "bed_requirements", _RISK),
    Sheet("scenarios", "scenario_comparison", _SCENARIOS),
    Sheet("accuracy", "occupancy_scores", _ACCURACY),
)
"""The sheets in order; one without rows is left out."""


def fields_of(sheet: Sheet, config: HospitalConfig) -> tuple[Field, ...]:
    """The columns of a sheet; that of days has the chance of each level of the hospital."""
    if sheet.name != "days":
        return sheet.fields
    names = dict.fromkeys(level.name for level in config.levels)
    levels = (Field(f"Chance of {name}", "level_risk.prob_reached", "chance", {"level": name}) for name in names)
    return (*sheet.fields, *levels)


def sheets(cells: Cells, config: HospitalConfig) -> dict[str, pd.DataFrame]:
    """The sheets by name, with their heads as columns; a hidden number is SUPPRESSED, what is not known None."""
    found = {}
    for sheet in SHEETS:
        rows = _rows(cells, sheet, config)
        if not rows.empty:
            columns = {one.title: _column(cells, rows, one) for one in fields_of(sheet, config)}
            frame = pd.DataFrame(columns, dtype=object)
            frame.insert(1, "Name", rows["ward_id"].replace(labels(config)).astype(object))  # scenarios may add others
            found[sheet.name] = frame
    return {**found, DICTIONARY: _dictionary(found.keys(), config)}


def _rows(cells: Cells, sheet: Sheet, config: HospitalConfig) -> pd.DataFrame:
    """The rows of the sheet's table, wards in the order of the hospital's file."""
    rows = cells.rows(sheet.rows)
    rows = rows[sheet.only(rows)] if sheet.only else rows
    order = {place: position for position, place in enumerate(config.ward_axis)}
    return rows.sort_values("ward_id", key=lambda ids: ids.map(order), kind="stable").reset_index(drop=True)


def _column(cells: Cells, rows: pd.DataFrame, one: Field) -> list[Any]:
    """The value of each row, found by the keys of the field's table."""
    keys = cells.key(one.table)
    fixed = dict(one.where)
    if SCENARIO.name in keys and SCENARIO.name not in rows:
        fixed[SCENARIO.name] = BASELINE
    found = cells.rows(one.table, **fixed)
    free = [name for name in keys if name not in fixed]
    values = dict(zip(_keys(found, free), found[one.column].tolist(), strict=True))
    places = [free.index(name) if name in free else None for name in keys]

    def value(key: tuple[Hashable, ...]) -> Any:
        here = values.get(key)
        if not pd.isna(here):
            return one.words.get(here, here)
        full = tuple(fixed[name] if at is None else key[at] for name, at in zip(keys, places, strict=True))
        return SUPPRESSED if (one.table, one.column, full) in cells.hidden else None

    return [value(key) for key in _keys(rows, free)]


def _keys(rows: pd.DataFrame, names: list[str]) -> list[tuple[Hashable, ...]]:
    return list(zip(*(rows[name].tolist() for name in names), strict=True))


def _dictionary(names: Any, config: HospitalConfig) -> pd.DataFrame:
    """Where each column of each sheet comes from, and what it means."""
    rows = []
    for sheet in SHEETS:
        if sheet.name not in names:
            continue
        for one in fields_of(sheet, config):
            described = next(column for column in TABLES[one.table].columns if column.name == one.column)
            where = ", ".join(f"{name} {value}" for name, value in one.where.items())
            rows.append((sheet.name, one.title, one.table, one.column, where, described.unit, described.description))
    heads = ["Sheet", "Column", "Table", "Column of the table", "Where", "Unit", "Meaning"]
    return pd.DataFrame(rows, columns=heads, dtype=object)
