"""Who takes a bed and who gives one up: stories by hand, laws in random hospitals, a simulation counted again."""

from collections.abc import Callable
from dataclasses import replace
from math import nan
from typing import Any

import numpy as np
import pandas as pd
import pytest
from counted_flows import CountedFlows, Flows, counted, rows_of
from hand_made import MONDAY, Played, make_config
from hypothesis import given
from random_hospitals import Hospital, examples, hospitals

from kaizar_pipeline.simulation import compiled_engine, simpy_engine
from kaizar_pipeline.simulation.flow_windows import FLOW, flow_windows, windows_of
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan, make_plan
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.simulation.summary import ward_flows
from kaizar_pipeline.simulation.trajectories import Stays, Trajectories
from kaizar_pipeline.simulation.workers import flow_window_of
from kaizar_pipeline.tables import ALL, FLOW_PERCENTAGES, HOSPITAL_TOTAL

pytestmark = pytest.mark.integration


# Windows


def test_the_windows_from_the_morning_on():
    windows = flow_windows(pd.Timestamp("2026-01-05 08:00"), 40, snapshots=[8, 12, 16])
    assert windows.names == ("day", "day", "until_next_snapshot", "next_24_hours")
    assert windows.begins.tolist() == [0, 16, 0, 0]
    assert windows.ends.tolist() == [16, 40, 4, 24]


def test_a_run_of_another_snapshot_of_the_day_looks_to_the_next_one():
    simulation = {"snapshot": "12:00", "snapshots": ["08:00", "12:00", "16:00"]}  # as a run at noon overrides it
    config = make_config({"a": 4}, simulation=simulation)
    plan = make_plan(config, {"s": np.ones((1, 2))}, Horizon(MONDAY + pd.Timedelta(hours=12), 2), key=1)
    assert windows_of(plan).ends.tolist() == [12, 36, 4, 24]


def test_the_next_snapshot_of_a_hospital_with_one_is_a_day_later():
    windows = flow_windows(MONDAY, 48, snapshots=[0])
    assert windows.begins.tolist() == [0, 24, 0, 0]
    assert windows.ends.tolist() == [24, 48, 24, 24]


# Stories


Story = Callable[..., dict[str, list[dict[str, int]]]]


def of(played: Played) -> CountedFlows:
    return counted(played.plan, played.trajectories, played.stays)


def by_day(played: Played, days: int) -> dict[str, list[dict[str, int]]]:
    """By row of the ward axis and day, the flows other than 0."""
    flows = of(played).flows
    return {
        ward: [
            {name: int(values[row, day]) for name, values in flows.items() if values[row, day]} for day in range(days)
        ]
        for row, ward in enumerate(played.plan.ward_axis)
    }


def test_boarders_move_from_bed_to_bed(play, patient):
    played = play({"ed": 1, "ward": 1}, [patient(t, [("ed", 1), ("ward", 3)]) for t in (1, 2, 3, 4)])
    assert by_day(played, 1) == {
        "ed": [{"emergency": 4, "arrivals": 4, "transfers_out": 4}],
        "ward": [{"transfers_in": 4, "discharges": 4}],
        HOSPITAL_TOTAL: [{"emergency": 4, "arrivals": 4, "discharges": 4}],
    }


def test_what_happens_at_midnight_is_of_the_day_that_ends_and_at_as_of_of_the_first(play, patient):
    patients = [patient(0, [("a", 24)]), patient(24, [("a", 1)]), patient(24.5, [("a", 30)])]
    assert by_day(play({"a": 3}, patients, days=2), 2)["a"] == [
        {"emergency": 2, "arrivals": 2, "discharges": 1, "net": 1},
        {"emergency": 1, "arrivals": 1, "discharges": 1},
    ]


def test_a_bed_released_to_wait_outside_is_a_transfer_out_and_the_next_bed_one_in(play, patient):
    wards = {"ed": {"capacity": 1, "boarding": "release"}, "ward": 1}
    played = play(wards, [patient(1, [("ward", 30)]), patient(2, [("ed", 4), ("ward", 1)])], days=2)
    out, into = {"transfers_out": 1}, {"transfers_in": 1, "discharges": 2, "net": -1}
    arrives = {"emergency": 1, "arrivals": 1}
    assert by_day(played, 2) == {
        "ed": [arrives | out, {}],
        "ward": [arrives | {"net": 1}, into],
        HOSPITAL_TOTAL: [{"emergency": 2, "arrivals": 2, "net": 1} | out, into],
    }


def test_a_move_inside_a_group_is_no_flow_of_it(play, patient):
    groups = {"both": ["a", "b"], "last": ["b", "c"]}
    played = play({"a": 1, "b": 1, "c": 1}, [patient(1, [("a", 2), ("b", 3), ("c", 4)])], groups=groups)
    found = by_day(played, 1)
    assert found["both"] == [{"emergency": 1, "arrivals": 1, "transfers_out": 1}]
    assert found["last"] == [{"transfers_in": 1, "discharges": 1}]
    assert found[HOSPITAL_TOTAL] == [{"emergency": 1, "arrivals": 1, "discharges": 1}]


def test_outliers_flow_through_the_bed_used_and_those_turned_away_by_the_ward_asked_for(play, patient):
    overflow = [{"ward": "a", "threshold": 1.0, "redirect_to": ["b"]}]
    patients = [patient(t, [("a", 10)]) for t in (0, 1, 2)] + [patient(3, [("b", 1)], patience=5)]
    wards = {"a": {"capacity": 1, "queue_limit": 0}, "b": 1}
    found = by_day(play(wards, patients, policies={"overflow": overflow}), 1)
    through = {"emergency": 1, "arrivals": 1, "discharges": 1, "turned_away": 1}
    assert found == {
        "a": [through],  # the third is diverted
        "b": [through],  # the fourth leaves at 8
        HOSPITAL_TOTAL: [dict.fromkeys(through, 2)],
    }


def test_a_schedule_makes_arrivals_planned(play, patient):
    schedule = {"type": "schedule", "pattern": "Mon", "mean_per_day": 1}
    streams = [{"id": "s", "target_ward": "a", "patient_type": "low", "model": schedule}]
    assert by_day(play({"a": 1}, [patient(9, [("a", 1)])], arrival_streams=streams), 1)["a"] == [
        {"planned": 1, "arrivals": 1, "discharges": 1}
    ]


def test_those_who_wait_at_the_start_for_the_bed_that_they_get(play, patient):
    # a is full until 5; one boards in ed for it, one waits outside; the second of them gets its bed at 9
    patients = [
        patient(0, [("ed", 0), ("a", 4)], seat="ed", requested=-2, census=True),
        patient(0, [("a", 3)], requested=-1, census=True),
        patient(0, [("a", 5)], seat="a", census=True),
    ]
    played = play({"ed": 1, "a": 1}, patients)
    assert by_day(played, 1) == {
        "ed": [{"transfers_out": 1, "net": -1}],
        "a": [{"emergency": 1, "arrivals": 1, "transfers_in": 1, "discharges": 3, "waiting_admitted": 2, "net": -1}],
        HOSPITAL_TOTAL: [{"emergency": 1, "arrivals": 1, "discharges": 3, "waiting_admitted": 1, "net": -2}],
    }
    assert of(played).hours_to_bed.tolist() == pytest.approx([nan, 7, 9], nan_ok=True)


def test_more_ask_than_beds_are_free_or_given_up(play, patient):
    # one of two beds is free; one is given up on the first day, and none on the second
    stays = [patient(0, [("a", 2)], seat="a", census=True), *(patient(t, [("a", 40)]) for t in (3, 4))]
    enough, short = of(play({"a": 2}, stays, days=2)), of(play({"a": 2}, [*stays, patient(20, [("a", 1)])], days=2))
    assert enough.free[0].tolist() == [1, 0, 1, 1]
    assert enough.is_short[0].tolist() == [False, False, False, False]
    assert short.is_short[0].tolist() == [True, False, True, True]  # the second day gives two up, and one waits


# Laws


def with_groups(plan: Plan) -> Plan:
    """With two groups that overlap."""
    wards = np.arange(len(plan.ward_ids))
    return replace(plan, group_ids=("even", "first"), is_member=np.array([wards % 2 == 0, wards < 2, wards >= 0]))


def flows_add_up(plan: Plan, found: CountedFlows, rows: list[Flows]) -> None:
    flows, windows = found.flows, windows_of(plan)
    into, out = flows["arrivals"] + flows["transfers_in"], flows["transfers_out"] + flows["discharges"]
    assert np.array_equal(flows["net"], into - out)
    assert np.array_equal(flows["arrivals"], flows["emergency"] + flows["planned"])
    census = np.array([row.census(windows.ends) - row.census(windows.begins) for row in rows])
    assert np.array_equal(flows["net"], census)
    days = np.array(windows.names) == "day"
    whole = [row.census(np.array([plan.statistics_hours]))[0] - row.census(np.array([0]))[0] for row in rows]
    assert np.array_equal(flows["net"][:, days].sum(axis=1), whole)


def patients_who_pass_through_groups_are_those_of_their_wards(plan: Plan, found: CountedFlows) -> None:
    wards = len(plan.ward_ids)
    for name in ("arrivals", "discharges", "turned_away"):
        assert np.array_equal(found.flows[name][wards:], plan.is_member.astype(int) @ found.flows[name][:wards])


def transfers_out_come_in_or_wait_outside(plan: Plan, found: CountedFlows, stays: Stays, drawn: Trajectories) -> None:
    wards, windows = len(plan.ward_ids), windows_of(plan)
    follows = np.setdiff1d(np.arange(1, len(stays.admit)), drawn.offset)
    follows = follows[np.isfinite(stays.request[follows])]
    left, back = stays.depart[follows - 1], stays.admit[follows]
    outside = [
        np.count_nonzero(left <= hour) - np.count_nonzero(back <= hour) if hour else 0  # just before the start
        for hour in range(plan.hours + 1)
    ]
    more = np.array(outside)[windows.ends] - np.array(outside)[windows.begins]
    for rows in (slice(wards), slice(-1, None)):  # over all wards, and of the hospital
        into, out = (found.flows[name][rows].sum(axis=0) for name in ("transfers_in", "transfers_out"))
        assert np.array_equal(out - into, more)
    if plan.holds_bed.all():
        assert not more.any()
        assert not found.flows["transfers_in"][-1].any()


def flows_are_as_defined(found: CountedFlows, rows: list[Flows]) -> None:
    for place, row in enumerate(rows):
        for name in ("arrivals", "transfers_in", "transfers_out", "discharges", "turned_away"):
            assert found.flows[name][place].tolist() == row.of(name).tolist(), name


def free_beds_and_who_asks(plan: Plan, found: CountedFlows, rows: list[Flows]) -> None:
    begins = windows_of(plan).begins
    for place, row in enumerate(rows):
        beds = plan.staffed[list(row.wards)][:, begins]
        if (beds < UNLIMITED).all():
            free = beds.sum(axis=0) - row.census(begins)
            assert np.array_equal(found.free[place], free)
            given_up = row.of("transfers_out") + row.of("discharges")
            assert np.array_equal(found.is_short[place], row.asking > free + given_up)
        np.testing.assert_allclose(found.hours_to_bed[place], row.hours_to_bed)


@pytest.mark.parametrize(("engine", "number"), [(compiled_engine, 30), (simpy_engine, 15)])
def test_the_laws_of_flows(engine: Any, number: int) -> None:
    @given(hospital=hospitals())
    @examples(number)
    def holds(hospital: Hospital) -> None:
        plan, drawn = with_groups(hospital.plan), hospital.trajectories
        stays = engine.simulate(plan, drawn)
        found, rows = counted(plan, drawn, stays), rows_of(plan, drawn, stays)
        flows_add_up(plan, found, rows)
        patients_who_pass_through_groups_are_those_of_their_wards(plan, found)
        transfers_out_come_in_or_wait_outside(plan, found, stays, drawn)
        flows_are_as_defined(found, rows)
        free_beds_and_who_asks(plan, found, rows)

    holds()


# A simulation, counted again one replication at a time


REPLICATIONS, DAYS = 45, 3


@pytest.fixture(scope="module")
def hospital() -> Plan:
    hours = {"type": "exponential", "params": {"mean": 20}}
    closing = [{"from": "2026-01-06", "to": "2026-01-07", "capacity": 1}]
    wards = {
        "ed": {"capacity": 3, "boarding": "release", "los_model": {"type": "exponential", "params": {"mean": 4}}},
        "a": {"capacity": 4, "los_model": hours, "capacity_changes": closing},
        "b": {"capacity": 2, "los_model": hours, "queue_limit": 0},
        "open": {"capacity": None, "los_model": hours},
    }
    options = [{"to_ward": "a", "probability": 0.4}, {"to_ward": "b", "probability": 0.2}]
    config = make_config(
        wards,
        routing=[{"from_ward": "ed", "options": options}, {"from_ward": "a", "options": options[1:]}],
        policies={"overflow": [{"ward": "b", "redirect_to": ["a"]}]},
        groups={"acute": ["ed", "b"], "beds": ["a", "b"]},
    )
    return make_plan(config, {"s": np.full((1, DAYS), 10.0)}, Horizon(MONDAY, DAYS, warmup_days=2), key=5)


@pytest.fixture(scope="module")
def table(hospital: Plan) -> pd.DataFrame:
    monte_carlo = MonteCarlo(hospital, workers=2)
    monte_carlo.extend(REPLICATIONS)
    constants: dict[str, Any] = {"hospital_id": "tiny", "as_of": MONDAY, "scenario": "baseline"}
    return ward_flows(hospital, monte_carlo.actual, [3, 4, 2, None], **constants)


@pytest.fixture(scope="module")
def replications(hospital: Plan) -> list[list[Flows]]:
    """By row of the ward axis, each replication."""
    drawn = [draw(hospital, r) for r in range(REPLICATIONS)]
    found = [rows_of(hospital, of_one, simpy_engine.simulate(hospital, of_one)) for of_one in drawn]
    return [list(of_row) for of_row in zip(*found, strict=True)]


def rows_of_flow(table: pd.DataFrame, ward: str, flow: str) -> pd.DataFrame:
    """In the order of the windows."""
    rows = table[(table["ward_id"] == ward) & (table["flow"] == flow) & (table["urgency"] == ALL)]
    return pd.concat([rows[rows["window"] == window] for window in ("day", "until_next_snapshot", "next_24_hours")])


def test_the_table_is_that_of_the_replications(hospital: Plan, table: pd.DataFrame, replications: list[list[Flows]]):
    for ward, of_row in zip(hospital.ward_axis, replications, strict=True):
        values = {name: np.array([row.of(name) for row in of_row]) for name in FLOW._fields}
        values["net"] = values["arrivals"] + values["transfers_in"] - values["transfers_out"] - values["discharges"]
        for name in ("arrivals", "transfers_in", "transfers_out", "discharges", "turned_away", "net"):
            rows, of_flow = rows_of_flow(table, ward, name), values[name]
            np.testing.assert_allclose(rows["mean"], of_flow.mean(axis=0), atol=1e-12)
            error = of_flow.std(axis=0, ddof=1) / np.sqrt(REPLICATIONS)
            np.testing.assert_allclose(rows["mean_se"], error, atol=1e-7)
            for q in FLOW_PERCENTAGES:
                share = np.quantile(of_flow, float(f"0.{q}"), axis=0, method="inverted_cdf")
                assert rows[f"p{q}"].tolist() == share.tolist()


def test_free_beds_and_the_chance_that_they_are_not_enough(
    hospital: Plan, table: pd.DataFrame, replications: list[list[Flows]]
):
    begins = windows_of(hospital).begins
    for ward, of_row in zip(hospital.ward_axis, replications, strict=True):
        rows, beds = rows_of_flow(table, ward, "net"), hospital.staffed[list(of_row[0].wards)][:, begins]
        if ward in ("open", HOSPITAL_TOTAL):
            assert rows[["free_beds", "closed_beds", "prob_net_above_free"]].isna().all(axis=None)
            continue
        free = beds.sum(axis=0) - np.array([row.census(begins) for row in of_row])
        given_up = np.array([row.of("transfers_out") + row.of("discharges") for row in of_row])
        short = np.array([row.asking for row in of_row]) > free + given_up
        np.testing.assert_allclose(rows["free_beds"], free.mean(axis=0))
        np.testing.assert_allclose(rows["prob_net_above_free"], short.mean(axis=0))
        assert rows["closed_beds"].tolist() == ([0, 3, 0, 0, 0] if ward in ("a", "beds") else [0] * 5)
    assert table["prob_net_above_free"].between(0.1, 0.9).any()


def test_those_who_wait_at_as_of(hospital: Plan, table: pd.DataFrame, replications: list[list[Flows]]):
    for ward, of_row in zip(hospital.ward_axis, replications, strict=True):
        rows = rows_of_flow(table, ward, "waiting_admitted")
        ends = windows_of(hospital).ends[[-1]] + hospital.warmup_hours
        admitted = [sum(admit <= ends[0] for _, admit in row.waiting_at_first) for row in of_row]
        assert rows["mean"].iloc[-1] == pytest.approx(np.mean(admitted))
        hours = np.array([row.hours_to_bed for row in of_row])
        if np.isfinite(hours).any():
            assert rows["hours_to_bed"].tolist() == pytest.approx([np.nanmean(hours)] * len(rows))
    assert table["hours_to_bed"].notna().any()


def test_those_who_wait_for_a_first_bed_and_between_two_come_as_what_they_are():
    since = MONDAY - pd.Timedelta(hours=1)
    one = {"stream_id": "s", "patient_type": "low", "waits_for": "a", "waits_since": since, "request": since}
    nothing = dict.fromkeys(("ward_id", "planned_ward_id", "admit", "ready"))
    rows = [one | nothing | {"patient_id": name, "first_ward": name == "new"} for name in ("new", "between")]
    config, rates = make_config({"a": 2}), {"s": np.zeros((1, 1))}
    plan = make_plan(config, rates, Horizon(MONDAY, 1), key=1, census=pd.DataFrame(rows))
    assert flow_window_of(plan).of_census.tolist() == [FLOW.transfers_in, FLOW.emergency]  # in the order of their names
    # an array of another kind would have the kernel compiled once more
    assert all(part.flags.writeable and part.flags.c_contiguous for part in plan.census)
