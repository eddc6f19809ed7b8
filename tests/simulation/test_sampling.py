"""What is drawn before any queueing: laws of arrivals, routes and durations."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.simulation.plan import Plan, make_plan
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.simulation.trajectories import Trajectories

pytestmark = pytest.mark.unit

MONDAY = pd.Timestamp("2026-01-05")


def plan_of(config, days=7, rates=None, **parts) -> Plan:
    wards = parts.pop("wards", {"a": None, "b": None})
    return make_plan(config(wards, **parts), {"s": np.full((1, days), 20.0)} | (rates or {}), MONDAY, days, key=9)


def same(one: Trajectories, other: Trajectories) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Trajectories._fields)


def test_a_replication_is_a_pure_function_of_its_number(config):
    plan = plan_of(config)
    assert same(draw(plan, 3), draw(plan, 3))
    assert not np.array_equal(draw(plan, 3).arrival, draw(plan, 4).arrival)


def test_replications_take_rate_paths_in_turn(config):
    rates = {"s": np.array([[5.0] * 7, [50.0] * 7])}
    counts = [len(draw(plan_of(config, rates=rates), r).arrival) for r in range(4)]
    assert counts[0] < 100 < counts[1]
    assert counts[2] < 100 < counts[3]


def test_a_longer_horizon_keeps_the_patients_of_a_shorter_one(config):
    short, long = draw(plan_of(config, days=7), 1), draw(plan_of(config, days=14), 1)
    n = len(short.arrival)
    assert np.array_equal(long.arrival[:n], short.arrival)
    assert np.array_equal(long.los[: short.offset[n]], short.los)


def test_beds_and_policies_change_no_patient(config):
    stop = {"admission_stop": [{"ward": "a", "threshold": 0.5, "stop_types": ["low"]}]}
    tight = plan_of(config, wards={"a": 1, "b": 1}, policies=stop)
    assert same(draw(plan_of(config), 0), draw(tight, 0))


def test_the_order_of_the_file_changes_no_patient(config):
    routing = [{"from_ward": "a", "options": [{"to_ward": w, "probability": 0.3} for w in "bc"]}]
    streams = [
        {"id": name, "target_ward": "a", "patient_type": "low", "model": {"type": "constant", "mean_per_day": 1}}
        for name in "st"
    ]
    rates = {"t": np.full((1, 7), 10.0)}
    plans = [
        plan_of(
            config,
            rates=rates,
            wards=dict.fromkeys(wards),
            routing=routing,
            arrival_streams=list(order),
        )
        for wards, order in (("abc", streams), ("cba", reversed(streams)))
    ]
    one, other = (draw(plan, 0) for plan in plans)
    assert np.array_equal(one.arrival, other.arrival)
    assert np.array_equal(one.los, other.los)
    names = [[plan.ward_ids[w] for w in drawn.planned_ward] for plan, drawn in zip(plans, (one, other), strict=True)]
    assert names[0] == names[1]


def test_fixed_schedules_round_the_mean_up_or_down(config):
    stream = {
        "id": "s",
        "target_ward": "a",
        "patient_type": "low",
        "hourly_profile": [0] * 8 + [1] * 2 + [0] * 14,
        "model": {"type": "schedule", "pattern": "Mon,Tue", "mean_per_day": 2.5},
    }
    rates = {"s": np.array([[2.5, 2.5, 0, 0, 0, 0, 0]])}
    plan = plan_of(config, rates=rates, arrival_streams=[stream])
    per_day = Counter()
    for replication in range(400):
        arrival = draw(plan, replication).arrival
        assert ((arrival % 24 >= 8) & (arrival % 24 < 10)).all()
        per_day.update(np.bincount((arrival // 24).astype(int), minlength=7)[:2].tolist())
        assert (arrival < 48).all()
    assert set(per_day) == {2, 3}
    assert abs(per_day[3] - 400) < 4 * np.sqrt(800 / 4)


def test_arrivals_follow_the_hours_of_the_week(config):
    profile = [1.0] * 24 * 6 + [0.0] * 12 + [1.0] * 12
    stream = {
        "id": "s",
        "target_ward": "a",
        "patient_type": "low",
        "hourly_profile": profile,
        "model": {"type": "constant", "mean_per_day": 1},
    }
    arrival = np.concatenate([draw(plan_of(config, arrival_streams=[stream]), r).arrival for r in range(200)])
    by_hour = np.bincount(arrival.astype(int), minlength=168) / 200
    assert (by_hour[144:156] == 0).all()
    assert by_hour[:144] == pytest.approx(20 / 24, abs=5 * np.sqrt(20 / 24 / 200))
    assert by_hour[156:] == pytest.approx(20 / 12, abs=5 * np.sqrt(20 / 12 / 200))


def test_routes_follow_their_probabilities_and_the_stay_depends_on_them(config):
    wards = {
        "a": {
            "capacity": None,
            "los_model": {"type": "fixed", "params": {"value": 1}},
            "los_by": [
                {"next_ward": "b", "los_model": {"type": "fixed", "params": {"value": 2}}},
                {"patient_type": "high", "los_model": {"type": "fixed", "unit": "days", "params": {"value": 3}}},
            ],
        },
        "b": None,
    }
    routing = [{"from_ward": "a", "patient_type": "low", "options": [{"to_ward": "b", "probability": 0.25}]}]
    drawn = [draw(plan_of(config, wards=wards, routing=routing, rates={"s": np.full((1, 7), 200.0)}), 0)]
    first = drawn[0].offset[:-1]
    goes_on = np.diff(drawn[0].offset) == 2
    assert set(drawn[0].los[first][goes_on]) == {2.0}
    assert set(drawn[0].los[first][~goes_on]) == {1.0}
    assert abs(goes_on.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / len(first))


def test_a_route_that_hardly_ever_ends_is_an_error_that_names_the_wards(config):
    routing = [
        {"from_ward": "a", "options": [{"to_ward": "b", "probability": 0.9999}]},
        {"from_ward": "b", "options": [{"to_ward": "a", "probability": 0.9999}]},
    ]
    with pytest.raises(SimulationError, match="more than 1000 stays in wards a, b"):
        draw(plan_of(config, routing=routing), 0)


def test_a_day_without_anybody(config):
    assert len(draw(plan_of(config, rates={"s": np.zeros((1, 7))}), 0).arrival) == 0
