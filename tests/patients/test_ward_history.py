"""What happened: censuses, flows and long stays counted by hand, and the laws that bind them."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.patients.observed_census import hours_are_known, observed_midnights
from kaizar_pipeline.patients.starting_census import starting_census
from kaizar_pipeline.patients.ward_history import Happened, what_happened
from kaizar_pipeline.patients.ward_now import wards_now
from kaizar_pipeline.tables import ALL, ALL_HOURS, HOSPITAL_TOTAL
from tests.support.hand_made import make_config
from tests.support.past_visits import Visit, records

pytestmark = pytest.mark.unit

AS_OF = "2026-03-04"  # a Wednesday


def hospital(patients: dict[str, Any] | None = None, **wards: Any) -> HospitalConfig:
    """Wards a (2 beds), b (unlimited) and c (1 bed), of which a and b are north and b and c are south; emergencies come
    to a, planned patients to b."""
    streams = [
        {"id": "s", "target_ward": "a", "patient_type": "low", "model": {"type": "constant", "mean_per_day": 1}},
        {
            "id": "planned",
            "target_ward": "b",
            "patient_type": "low",
            "model": {"type": "schedule", "pattern": "Mon", "mean_per_day": 1},
        },
    ]
    groups = {"north": ["a", "b"], "south": ["b", "c"]}
    parts = {"patients": patients} if patients else {}
    return make_config({"a": 2, "b": None, "c": 1} | wards, arrival_streams=streams, groups=groups, **parts)


def happened(visits: list[Visit], as_of: str = AS_OF, config: HospitalConfig | None = None) -> Happened:
    return what_happened(*records(visits, as_of), config or hospital())


EARLY = Visit([("a", "2026-02-28 22:00", "2026-02-28 23:00")])
"""So that 1 March is the first whole day."""


def flows(found: Happened, ward: str, date: str) -> dict[str, int]:
    """The flows of a ward on a day, but for those of 0."""
    rows = found.observed_flows
    rows = rows[(rows["ward_id"] == ward) & (rows["date"] == date) & (rows["count"] != 0)]
    return {
        flow if urgency == ALL else f"{flow}, {urgency}": int(count)
        for flow, urgency, count in zip(rows["flow"], rows["urgency"], rows["count"], strict=True)
    }


def days(found: Happened, ward: str, column: str) -> list[Any]:
    rows = found.ward_history_days
    return rows.loc[rows["ward_id"] == ward, column].tolist()


def quantity(found: Happened, ward: str, name: str, weekday: int, hour: int, window: int = 28) -> pd.Series:
    rows = found.ward_history
    place = (rows["ward_id"] == ward) & (rows["quantity"] == name) & (rows["window_days"] == window)
    return rows[place & (rows["weekday"] == weekday) & (rows["hour"] == hour)].iloc[0]


def test_flows_are_counted_where_and_when_they_happen():
    moves = Visit([("a", "2026-03-01 10:00", "2026-03-02 08:00"), ("b", "2026-03-02 08:00", "2026-03-03 09:00")])
    planned = Visit([("b", "2026-03-02 07:00", None)], stream="planned")
    diverted = Visit(outcome="diverted", arrival="2026-03-02 12:00")
    left = Visit(outcome="left", arrival="2026-03-02 12:00")
    found = happened([EARLY, moves, planned, diverted, left])
    assert found.observed_flows["date"].dt.day.unique().tolist() == [1, 2, 3]
    assert flows(found, "a", "2026-03-01") == {"arrivals": 1, "arrivals, emergency": 1, "net": 1}
    assert flows(found, "a", "2026-03-02") == {"net": -1, "transfers_out": 1, "turned_away": 2}
    planned_arrival = {"arrivals": 1, "arrivals, planned": 1}
    assert flows(found, "b", "2026-03-02") == {**planned_arrival, "net": 2, "transfers_in": 1}
    assert flows(found, "b", "2026-03-03") == {"discharges": 1, "net": -1}
    assert flows(found, "c", "2026-03-02") == {}
    # a move inside is no flow of a group or the hospital; one across its border is
    assert flows(found, "north", "2026-03-02") == {**planned_arrival, "net": 1, "turned_away": 2}
    assert flows(found, "south", "2026-03-02") == {**planned_arrival, "net": 2, "transfers_in": 1}
    assert flows(found, HOSPITAL_TOTAL, "2026-03-02") == {**planned_arrival, "net": 1, "turned_away": 2}


def test_a_pause_between_two_beds_is_a_flow_only_where_it_lasts_over_midnight():
    short = Visit([("a", "2026-03-01 10:00", "2026-03-02 08:00"), ("b", "2026-03-02 09:30", None)])
    long = Visit([("a", "2026-03-01 10:00", "2026-03-02 23:00"), ("b", "2026-03-03 01:00", None)])
    released = Visit([("a", "2026-03-01 10:00", "2026-03-02 23:00")], waits_for="c")
    found = happened([EARLY, short, long, released])
    assert flows(found, "a", "2026-03-02") == {"net": -3, "transfers_out": 3}
    assert flows(found, HOSPITAL_TOTAL, "2026-03-02") == {"net": -2, "transfers_out": 2}
    assert flows(found, HOSPITAL_TOTAL, "2026-03-03") == {"net": 1, "transfers_in": 1}
    assert days(found, HOSPITAL_TOTAL, "midnight_census") == [0, 3, 1]


def test_who_left_without_being_seen_was_turned_away_when_the_wait_ended():
    diverted = Visit(outcome="diverted", arrival="2026-03-01 12:00")
    waited = Visit(outcome="left", arrival="2026-03-01 23:00", waits_for="a", waits_until="2026-03-02 01:00")
    unrecorded = Visit(outcome="left", arrival="2026-03-03 12:00")
    found = happened([EARLY, diverted, waited, unrecorded])
    assert [flows(found, "a", f"2026-03-0{day}") for day in (1, 2, 3)] == [{"turned_away": 1}] * 3


def test_who_was_turned_away_is_null_where_nobody_wrote_it_down():
    columns = {"patient_id": "id", "arrival": "came", "departure": "went", "service": "unit"}
    streams = {"acute": "s", "plan": "planned"}
    config = hospital(patients={"source": "csv", "path": "x.csv", "columns": columns, "streams": streams})
    rows = happened([EARLY, Visit([("a", "2026-03-01 10:00", None)])], config=config).observed_flows
    assert rows.loc[rows["flow"] == "turned_away", "count"].isna().all()
    assert rows.loc[rows["flow"] != "turned_away", "count"].notna().all()


def test_the_hour_of_arrival_counts_by_the_time_that_is_left_of_it():
    visits = [EARLY, Visit([("a", "2026-03-02 06:15", "2026-03-02 09:36")])]  # hillmaker's own example
    found = happened(visits)
    occupied = [quantity(found, "a", "beds_occupied", 0, hour)["mean"] for hour in range(5, 11)]
    assert occupied == pytest.approx([0, 0.75, 1, 1, 0.6, 0])
    assert [quantity(found, "a", "census", 0, hour)["mean"] for hour in range(5, 11)] == [0, 0, 1, 1, 1, 0]
    assert [quantity(found, "a", "arrivals", 0, hour)["mean"] for hour in (5, 6, 7)] == [0, 1, 0]
    assert [quantity(found, "a", "departures", 0, hour)["mean"] for hour in (8, 9, 10)] == [0, 1, 0]
    assert quantity(found, "a", "occupancy", 0, 6)["mean"] == 0.375
    whole = quantity(found, "a", "beds_occupied", ALL_HOURS, ALL_HOURS)
    assert (whole["n"], whole["mean"] * whole["n"]) == (72, pytest.approx(3.35))


def test_a_window_has_its_last_days_only():
    monday, before = pd.Timestamp("2026-03-02"), pd.Timestamp("2026-01-05")
    visits = [
        Visit([("a", day + pd.Timedelta(hours=5, minutes=30), day + pd.Timedelta(hours=20))])
        for day in (before, monday)
    ]
    found = happened(visits)
    last, year = (quantity(found, "a", "census", 0, 6, window) for window in (28, 365))
    assert (last["n"], last["mean"], last["maximum"]) == (4, 0.25, 1)
    assert (year["n"], year["mean"]) == (8, 0.125)  # 5 January was not whole: its first patient came at 5:30
    assert year["sd"] == pytest.approx((1 / 8) ** 0.5)
    assert (year["p50"], year["p95"]) == (0, pytest.approx(0.65))


def test_days_are_set_against_the_beds_staffed_on_them():
    ward = {
        "capacity": 2,
        "weekday_capacity": {"Sun": 0},
        "capacity_changes": [{"from": "2026-03-03 12:00", "capacity": 1}],
    }
    visits = [EARLY, Visit([("a", "2026-03-02 06:00", None)]), Visit([("c", "2026-03-02 06:30", "2026-03-03 12:30")])]
    found = happened(visits, config=hospital(a=ward))
    assert days(found, "a", "midnight_census") == [0, 0, 1]
    assert days(found, "a", "peak") == [0, 1, 1]
    assert days(found, "a", "mean_census") == pytest.approx([0, 0.75, 1])
    assert days(found, "a", "staffed_beds") == [0, 2, 1.5]
    assert days(found, "a", "occupancy") == pytest.approx([float("nan"), 0.375, 2 / 3], nan_ok=True)
    assert days(found, "a", "hours_full") == [0, 0, 12]  # on Sunday it is closed and empty
    assert days(found, "c", "hours_full") == [0, 17, 13]
    for column in ("staffed_beds", "occupancy", "hours_full"):  # b is unlimited, and with it what it is part of
        assert all(pd.isna(value) for ward in ("b", "north", HOSPITAL_TOTAL) for value in days(found, ward, column))


def test_a_day_that_is_not_over_is_left_out():
    found = happened([EARLY, Visit([("a", "2026-03-03 06:00", None)])], as_of="2026-03-04 08:00")
    assert found.ward_history_days["date"].max() == pd.Timestamp("2026-03-03")
    assert found.ward_history["as_of"].iloc[0] == pd.Timestamp("2026-03-04 08:00")
    assert (found.ward_history["weekday"] != 2).all()


def test_of_stamps_without_a_time_of_day_midnights_alone_are_told():
    patients, stays = records([EARLY, Visit([("a", "2026-03-01 10:00", None)])], AS_OF)
    found = what_happened(patients.assign(resolution="day"), stays, hospital())
    assert found.ward_history["quantity"].unique().tolist() == ["census"]
    assert set(found.ward_history["hour"]) == {ALL_HOURS, 0}
    assert quantity(found, "a", "census", ALL_HOURS, ALL_HOURS)[["n", "mean"]].tolist() == [3, pytest.approx(2 / 3)]
    assert days(found, "a", "midnight_census") == [0, 1, 1]
    assert found.ward_history_days[["peak", "mean_census", "hours_full"]].isna().all(axis=None)


@pytest.mark.parametrize(("by_day", "known"), [(1, True), (2, False)])
def test_a_few_stamps_without_a_time_of_day_do_not_hide_the_hours(by_day: int, known: bool):
    """One of twenty patients is 5 %, two are 10 %."""
    patients = pd.DataFrame({"resolution": ["day"] * by_day + ["second"] * (20 - by_day)})
    assert hours_are_known(patients) is known


def test_nobody_was_ever_admitted():
    for visits in ([Visit(outcome="diverted", arrival="2026-03-01 10:00")], [Visit([("a", "2026-03-03 10:00", None)])]):
        assert all(table.empty for table in happened(visits))


def test_the_wards_at_as_of():
    visits = [
        Visit([("a", "2026-02-10 23:00", None)]),  # 22 nights
        Visit([("a", "2026-02-18 12:00", "2026-03-01 12:00"), ("b", "2026-03-01 12:00", None)], waits_for=None),  # 14
        Visit([("b", "2026-02-26 00:00", None)], planned="a"),  # 6, and an outlier
        Visit([("a", "2026-02-25 23:59", None)]),  # 7
        Visit([("c", "2026-03-03 10:00", "2026-03-03 20:00")]),
        Visit(outcome="waiting", arrival="2026-03-03 23:00", waits_for="a"),
        Visit([("c", "2026-03-03 10:00", None)], departure_known=False),
    ]
    patients, stays = records(visits, AS_OF)
    census = starting_census(patients, stays)
    now = wards_now(census, hospital(), pd.Timestamp(AS_OF)).set_index("ward_id")
    long = ["los_7_plus", "los_14_plus", "los_21_plus"]
    counted = ["in_beds", "waiting", "boarding", "outliers", *long]
    assert list(now.loc["a", counted]) == [2, 1, 0, 0, 2, 1, 1]
    assert list(now.loc["b", counted]) == [2, 0, 0, 1, 1, 1, 0]
    assert list(now.loc["c", counted]) == [0, 0, 0, 0, 0, 0, 0]
    assert list(now.loc["north", counted]) == list(now.loc[HOSPITAL_TOTAL, counted]) == [4, 1, 0, 1, 3, 2, 1]
    assert now["staffed_beds"].isna().tolist() == [True, False, True, False, True, True]
    empty = wards_now(census.iloc[:0], hospital(), pd.Timestamp(AS_OF))
    assert (empty["in_beds"] == 0).all()


@st.composite
def visit(draw: st.DrawFn) -> Visit:
    """Up to four stays, often at the instant of midnight, with or without pauses between them."""
    steps = st.sampled_from([0, 1, 359, 360, 720, 1440, 2000])
    moment = pd.Timestamp("2026-02-27") + pd.Timedelta(minutes=draw(st.integers(0, 40)) * 180)
    stays = []
    for _ in range(draw(st.integers(1, 4))):
        end = moment + pd.Timedelta(minutes=1 + draw(steps))
        stays.append((draw(st.sampled_from("abc")), moment, end))
        moment = end + pd.Timedelta(minutes=draw(steps) if draw(st.booleans()) else 0)
    return Visit(
        stays,
        stream=draw(st.sampled_from(["s", "planned"])),
        departure_known=draw(st.sampled_from([True, True, True, False])),
        waits_for=draw(st.sampled_from([None, None, "c"])),
    )


@given(st.lists(visit(), min_size=10, max_size=40))
@settings(max_examples=4)
def test_flows_and_hours_add_up_to_the_patient(visits: list[Visit]):
    config, (patients, stays) = hospital(), records([EARLY, *visits], AS_OF)
    found = what_happened(patients, stays, config)
    seen = observed_midnights(patients, stays, config.ward_axis).pivot(index="date", columns="ward_id", values="actual")
    rows = found.observed_flows.assign(what=lambda rows: rows["flow"] + rows["urgency"].replace(ALL, ""))
    flow = rows.pivot(index="date", columns=["what", "ward_id"], values="count").astype("int64")
    midnights = found.ward_history_days.pivot(index="date", columns="ward_id", values="midnight_census")
    assert midnights.to_numpy().tolist() == seen.iloc[:-1].to_numpy().tolist()
    assert flow["net"].to_numpy().tolist() == seen.diff().iloc[1:].to_numpy().tolist()
    gains = flow["arrivals"] + flow["transfers_in"] - flow["transfers_out"] - flow["discharges"]
    assert flow["net"].equals(gains)
    assert flow["arrivals"].equals(flow["arrivalsemergency"] + flow["arrivalsplanned"])
    known = stays[stays["patient_id"].isin(patients.loc[patients["departure_known"], "patient_id"])]
    first = found.ward_history_days["date"].min()
    until = known["depart"].fillna(pd.Timestamp(AS_OF)).clip(lower=first)
    lasted = (until - known["admit"].clip(lower=first)).dt.total_seconds() / 3600
    for name, wards in config.ward_axis.items():
        row = quantity(found, name, "beds_occupied", ALL_HOURS, ALL_HOURS, 365)
        in_bed = lasted[known["ward_id"].isin(wards)].sum()
        assert row["mean"] * row["n"] == pytest.approx(in_bed, abs=1e-9)


def test_transfers_in_equal_transfers_out_over_the_wards_where_moves_take_no_time():
    moves = [("a", 10, 12), ("b", 12, 24), ("c", 24, 40), ("a", 40, 47)]
    day = pd.Timestamp("2026-03-01")
    stays = [(ward, day + pd.Timedelta(hours=start), day + pd.Timedelta(hours=end)) for ward, start, end in moves]
    rows = happened([EARLY, Visit(stays)]).observed_flows
    wards = rows[rows["ward_id"].isin(["a", "b", "c"])].groupby(["date", "flow"])["count"].sum().unstack()
    # the move at midnight is one of the day that ends
    assert wards["transfers_in"].tolist() == wards["transfers_out"].tolist() == [2, 1, 0]
    assert not {"transfers_in", "transfers_out"} & set(
        rows.loc[(rows["ward_id"] == HOSPITAL_TOTAL) & rows["count"].gt(0), "flow"]
    )
