"""Small numbers of patients are hidden in all tables, and cannot be computed from what is shown."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_report import AS_OF, hiding, tiny_report

from kaizar_pipeline.chain.steps import stored_tables
from kaizar_pipeline.reporting.numbers import SUPPRESSED, Cells
from kaizar_pipeline.reporting.suppression import COUNTED, PRIVATE, SHOWS, TOGETHER, WITHHELD, suppressed
from kaizar_pipeline.tables import HOSPITAL_TOTAL, TABLES

pytestmark = pytest.mark.unit

LIMITS = (2, 5, 11)


def hidden_cells(below: int) -> Cells:
    config, tables = tiny_report()
    return suppressed(tables, hiding(config, below))


def test_nothing_is_hidden_where_the_hospital_does_not_ask_for_it():
    config, tables = tiny_report()
    cells = suppressed(tables, config)
    assert not cells.hidden
    assert cells.frames.keys() == tables.keys() - set(PRIVATE)


def test_what_is_declared_exists():
    declared = {show.table: {*show.columns, show.place, show.at, *show.by} for show in SHOWS}
    declared |= {table: {*counts, *others, *by} for table, (counts, others, by) in TOGETHER.items()}
    assert [table for table, names in declared.items() if not names <= set(TABLES[table].column_names)] == []
    assert {*PRIVATE, *WITHHELD} <= TABLES.keys()


SIMULATED = {
    *("occupancy_distributions", "midnight_census", "ward_days", "ward_weeks", "level_risk", "week_profile"),
    *("daily_peaks", "ward_flows", "ward_performance", "simulation_precision", "boarding_causes", "patient_journeys"),
    *("bed_requirements", "beds_effects", "bed_allocations", "occupancy_drivers", "scenario_comparison"),
    *("ward_outlook", "headline_changes", "arrival_rates"),
}
"""Tables whose numbers of patients are simulated, but at the instant of as_of."""

FORECAST = {
    "bed_meeting": {"expected_in", "staffed_at_end", "free_p10", "free_p50", "free_p90", "beds_70", "beds_90"},
    "forecast_backtest": {"mean", "p025", "p10", "p25", "p50", "p75", "p90", "p975", "sum7_mean"},
    "forecast_scores": {"crps", "pinball", "bias"},
    "occupancy_scores": {"crps", "bias_se", "hour_bias", "hour_bias_se"},
    "forecast_log_scores": {"crps", "bias_se"},
}
"""Columns of other tables that are forecasts, or scores over many of them."""


def test_every_column_of_patients_is_decided_on():
    declared = {show.table: set[str]() for show in SHOWS} | {table: set[str]() for table in TOGETHER}
    for show in SHOWS:
        declared[show.table] |= set(show.columns)
    for table, (counts, others, _) in TOGETHER.items():
        declared[table] |= {*counts, *others}
    open_ = {
        f"{table.name}.{column.name}"
        for table in stored_tables().values()
        if table.name not in SIMULATED | {*PRIVATE, *COUNTED, *WITHHELD}
        for column in table.columns
        if column.unit in ("patients", "stays", "beds", "patients or share") and column.name != "staffed_beds"
        if column.name not in declared.get(table.name, set()) | FORECAST.get(table.name, set())
    }
    assert open_ == set(), "say in reporting/suppression.py how they are hidden"


@pytest.mark.parametrize("below", LIMITS)
def test_no_small_number_is_shown(below: int):
    cells = hidden_cells(below)
    numbers = {show.table: show.columns[0] for show in SHOWS if show.value}
    for table, column in numbers.items():
        for value in cells.frames[table][column].dropna() if table in cells.frames else ():
            assert not 0 < value < below or table == "observed_flows"
    flows = cells.frames["observed_flows"]
    assert not flows.loc[flows["flow"] != "net", "count"].between(0, below, inclusive="neither").any()


@pytest.mark.parametrize("below", LIMITS)
def test_a_number_is_hidden_wherever_it_is_shown(below: int):
    _, tables = tiny_report()
    cells = hidden_cells(below)
    now = tables["ward_now"].set_index("ward_id")["in_beds"]
    assert (now > 0).any()
    for ward, census in now.items():
        shown = {
            cells.number("ward_now", "in_beds", ward).text,
            cells.number("bed_meeting", "in_beds", ward, "next_24_hours").text,
            cells.number("occupancy_distributions", "p50", ward, AS_OF).text,
            cells.number("ward_days", "midnight_p50", ward, AS_OF).text,
            str(census) if len(cells.rows("midnight_census", ward_id=ward, date=AS_OF)) else SUPPRESSED,
        }
        assert shown in ({SUPPRESSED}, {str(census)})
        if 0 < census < below:
            assert shown == {SUPPRESSED}
        hidden = shown == {SUPPRESSED}
        assert (cells.value("bed_meeting", "free_now", ward, "next_24_hours") is None) == hidden
        assert (cells.value("ward_outlook", "full_now", ward) is None) == hidden


def test_free_beds_and_the_net_flow_until_then_do_not_tell_who_is_there():
    cells = hidden_cells(5)
    meeting, flows = cells.frames["bed_meeting"], cells.frames["ward_flows"]
    hidden = meeting["in_beds"].isna()
    assert 0 < hidden.sum() < len(meeting)
    told = meeting["staffed_at_end"] - meeting["free_p10"] - meeting["net_p90"]
    assert told.isna().equals(hidden)
    assert (told == meeting["in_beds"])[~hidden].all()
    places = set(meeting.loc[hidden, "ward_id"])
    begun = flows[(flows["begins"] == AS_OF) & flows["flow"].isin(["net", "discharges", "transfers_out"])]
    assert set(begun.loc[begun["p90"].isna(), "ward_id"]) == places
    assert flows.loc[flows["begins"] > AS_OF, "p90"].notna().all()


@pytest.mark.parametrize("below", LIMITS)
def test_hidden_cells_are_null_in_the_tables_that_figures_read(below: int):
    cells = hidden_cells(below)
    assert cells.hidden
    for table, rows in cells.frames.items():
        keys = list(zip(*(rows[name].tolist() for name in cells.key(table)), strict=True))
        for column in {column for name, column, _ in cells.hidden if name == table}:
            hidden = [(table, column, key) in cells.hidden for key in keys]
            assert rows.loc[hidden, column].isna().all()


def known_sums(tables: dict[str, pd.DataFrame]) -> Iterator[dict[Any, int]]:
    """What a reader knows of the tables' numbers, from their descriptions."""
    flows = tables["observed_flows"].set_index(["ward_id", "date", "flow", "urgency"])["count"]
    for ward, date in {key[:2] for key in flows.index}:
        net = ward, date, "net"
        yield (
            {net: -1}
            | {(ward, date, flow): 1 for flow in ("arrivals", "transfers_in")}
            | {(ward, date, flow): -1 for flow in ("transfers_out", "discharges")}
        )
        yield {(ward, date, "arrivals"): 1, (ward, date, "emergency"): -1, (ward, date, "planned"): -1}
        yield {(ward, date, "census"): 1, net: 1, (ward, date + pd.Timedelta(days=1), "census"): -1}
        if ward in ("both", HOSPITAL_TOTAL):
            for what in ("arrivals", "emergency", "planned", "discharges", "turned_away", "net", "census"):
                yield {(ward, date, what): 1} | {(one, date, what): -1 for one in ("ed", "ward")}
    for ward in ("both", HOSPITAL_TOTAL):
        for what in ("census", "waiting", "boarding", "outliers", "los_7_plus", "los_14_plus", "los_21_plus"):
            yield {(ward, AS_OF, what): 1} | {(one, AS_OF, what): -1 for one in ("ed", "ward")}


@pytest.mark.parametrize("below", LIMITS)
def test_no_hidden_number_can_be_computed(below: int):
    _, tables = tiny_report()
    hidden: set[Any] = set()
    names = {"in_beds": "census", "midnight_census": "census"}
    for table, column, key in hidden_cells(below).hidden:
        if table == "observed_flows":
            ward, date, flow, urgency = key
            hidden.add((ward, date, flow if urgency == "_all" else urgency))
        elif table == "ward_history_days" and column == "midnight_census":
            hidden.add((*key, "census"))
        elif table == "ward_now":
            hidden.add((key[0], AS_OF, names.get(column, column)))
    assert hidden
    numbers = {number: position for position, number in enumerate(sorted(hidden, key=str))}
    recent = AS_OF - pd.Timedelta(days=8)  # all of them together would take a second
    sums = [one for one in known_sums(dict(tables)) if all(number[1] >= recent for number in one)]
    matrix = np.array([[one.get(number, 0) for number in numbers] for one in sums], dtype=float)
    _, sizes, space = np.linalg.svd(matrix)
    reach = (space[: (sizes > 1e-9).sum()] ** 2).sum(axis=0)  # of each unit vector, the part that sums reach
    assert [number for number, position in numbers.items() if reach[position] > 1 - 1e-6] == []
