"""What is drawn before any queueing: laws of arrivals, routes and durations."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.plan import Plan, make_plan
from kaizar_pipeline.simulation.sampling import draw, los_scales
from kaizar_pipeline.simulation.trajectories import Trajectories
from kaizar_pipeline.stats.durations import GRID
from kaizar_pipeline.stats.philox import Purpose, stream_number, uniforms

pytestmark = pytest.mark.unit

MONDAY = pd.Timestamp("2026-01-05")


def plan_of(config, days=7, rates=None, **parts) -> Plan:
    wards = parts.pop("wards", {"a": None, "b": None})
    return make_plan(
        config(wards, **parts), {"s": np.full((1, days), 20.0)} | (rates or {}), Horizon(MONDAY, days), key=9
    )


def same(one: Trajectories, other: Trajectories) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Trajectories._fields)


def test_a_replication_is_a_pure_function_of_its_number(config):
    plan = plan_of(config)
    assert same(draw(plan, 3), draw(plan, 3))
    assert not np.array_equal(draw(plan, 3).arrival, draw(plan, 4).arrival)


def test_replications_cycle_through_rate_paths(config):
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
        {"from_ward": "ed", "options": [{"to_ward": "b", "probability": 0.9}]},
        {"from_ward": "a", "options": [{"to_ward": "b", "probability": 0.9999}]},
        {"from_ward": "b", "options": [{"to_ward": "a", "probability": 0.9999}]},
    ]
    with pytest.raises(SimulationError, match="more than 1000 stays in wards a, b: "):
        draw(plan_of(config, wards=dict.fromkeys(["ed", "a", "b"]), routing=routing), 0)


def test_no_arrivals(config):
    assert len(draw(plan_of(config, rates={"s": np.zeros((1, 7))}), 0).arrival) == 0


# Scenarios: factors on the arrivals of a stream

EXCESS = 2**31
"""First number of the patients whom a scenario adds."""

PLANNED = {
    "id": "s",
    "target_ward": "a",
    "patient_type": "low",
    "model": {"type": "schedule", "pattern": "Mon,Tue,Wed,Thu,Fri,Sat,Sun", "mean_per_day": 20.3},
}
"""Rounded up or down each day."""

STREAMS = pytest.mark.parametrize("streams", [{}, {"arrival_streams": [PLANNED]}], ids=["poisson", "rounded"])


def with_factors(config, factors, streams) -> Plan:
    """A week of about 20 patients a day who may go on to b, with a scenario's factor for each day."""
    hospital = config(
        {"a": None, "b": None},
        routing=[{"from_ward": "a", "options": [{"to_ward": "b", "probability": 0.5}]}],
        patient_types=[{"id": "low", "patience": {"type": "exponential", "params": {"mean": 5}}}],
        **streams,
    )
    plan = make_plan(hospital, {"s": np.full((1, 7), 20.3)}, Horizon(MONDAY, 7), key=9)
    return plan.scaled({"s": np.asarray(factors, float)}, {})


def patients_of(drawn: Trajectories) -> dict[tuple[int, int], tuple[Any, ...]]:
    """The trajectory of each patient by stream and number."""
    parts = [np.split(values, drawn.offset[1:-1]) for values in (drawn.planned_ward, drawn.los, drawn.delay)]
    return {
        (int(stream), int(number)): (arrival, patience, *(part[p].tolist() for part in parts))
        for p, (stream, number, arrival, patience) in enumerate(
            zip(drawn.stream, drawn.number, drawn.arrival.tolist(), drawn.patience.tolist(), strict=True)
        )
    }


@STREAMS
def test_a_factor_of_one_changes_no_bit(config, streams):
    without = plan_of(config, rates={"s": np.full((1, 7), 20.3)}, **streams)
    assert same(draw(without.scaled({"s": np.ones(7)}, {("a", "low"): 1.0}), 2), draw(without, 2))


@STREAMS
def test_fewer_arrivals_are_a_part_of_the_baselines(config, streams):
    baseline, fewer = (with_factors(config, [factor] * 7, streams) for factor in (1.0, 0.3))
    kept = of = 0
    for replication in range(20):
        before, after = patients_of(draw(baseline, replication)), patients_of(draw(fewer, replication))
        assert after.items() <= before.items()
        kept, of = kept + len(after), of + len(before)
    assert abs(kept - 0.3 * of) < 4 * np.sqrt(0.3 * 0.7 * of)


@STREAMS
def test_lower_factors_keep_a_part_of_what_higher_ones_keep(config, streams):
    low, high = (patients_of(draw(with_factors(config, [factor] * 7, streams), 0)) for factor in (0.3, 0.6))
    assert low.items() < high.items()


@STREAMS
def test_more_arrivals_are_added_to_the_baselines(config, streams):
    baseline, more = (with_factors(config, [factor] * 7, streams) for factor in (1.0, 1.5))
    added = 0
    for replication in range(20):
        before, after = patients_of(draw(baseline, replication)), patients_of(draw(more, replication))
        assert before.items() <= after.items()
        added_numbers = [number for _, number in after.keys() - before.keys()]
        assert sorted(added_numbers) == list(range(EXCESS, EXCESS + len(added_numbers)))
        added += len(added_numbers)
    expected = 0.5 * 20.3 * 7 * 20  # at most that is their variance too
    assert abs(added - expected) < 4 * np.sqrt(expected)


def test_added_patients_of_a_fixed_schedule_are_rounded_day_by_day(config):
    plan = with_factors(config, [1.5] * 7, {"arrival_streams": [PLANNED]})
    drawn = draw(plan, 0)
    added = drawn.number >= EXCESS
    by_day = np.bincount((drawn.arrival[added] // 24).astype(int), minlength=7)
    assert set(by_day.tolist()) <= {10, 11}  # 10.15 a day
    assert (np.diff(drawn.arrival) >= 0).all()


@STREAMS
def test_factors_apply_to_their_day(config, streams):
    factors = [1, 0, 2, 1, 0.5, 1, 3]
    before = patients_of(draw(with_factors(config, [1] * 7, streams), 4))
    after = patients_of(draw(with_factors(config, factors, streams), 4))
    days: dict[int, tuple[dict[Any, Any], dict[Any, Any]]] = {day: ({}, {}) for day in range(7)}
    for side, patients in enumerate((before, after)):
        for key, patient in patients.items():
            days[int(patient[0] // 24)][side][key] = patient
    for day, factor in enumerate(factors):
        was, now = days[day]
        assert len(was) > 0
        if factor == 1:
            assert now == was
        elif factor < 1:
            assert now.items() <= was.items()
            assert (factor > 0) == (len(now) > 0)
        else:
            assert was.items() < now.items()


# Uncertain lengths of stay: each replication has its own factor


def with_uncertain_stays(config, sd: float, census: pd.DataFrame | None = None) -> Plan:
    """Wards a (two tables: low and high) and b, whose lengths of stay have a factor by ward."""
    hours = {"type": "lognormal", "params": {"mean": 30, "sd": 20}}
    by_type = [{"patient_type": "high", "los_model": {"type": "exponential", "params": {"mean": 9}}}]
    wards = {
        "a": {"capacity": None, "los_model": hours, "los_by": by_type},
        "b": {"capacity": None, "los_model": hours},
    }
    streams = [
        {"id": kind, "target_ward": ward, "patient_type": kind, "model": {"type": "constant", "mean_per_day": 1}}
        for kind, ward in (("low", "a"), ("high", "a"))
    ]
    routing = [{"from_ward": "a", "options": [{"to_ward": "b", "probability": 0.5}]}]
    rates = {kind: np.full((1, 7), 20.0) for kind in ("low", "high")}
    plan = make_plan(
        config(wards, arrival_streams=streams, routing=routing), rates, Horizon(MONDAY, 7), key=9, census=census
    )
    spread, stream = np.zeros(len(plan.quantile_hours)), np.zeros(len(plan.quantile_hours), dtype=np.uint32)
    for place, ward in enumerate("ab"):
        tables = np.unique(plan.los_table[:, place])
        spread[tables], stream[tables] = sd, stream_number(ward)
    return replace(plan, los_scale_sd=spread, los_scale_stream=stream)


def test_a_replications_factor_on_stays_has_mean_one_and_is_shared_by_a_ward(config):
    plan = with_uncertain_stays(config, 0.3)
    scales = los_scales(plan, 0, 4000)
    (low, high), b = plan.los_table[:, 0, 0], plan.los_table[0, 1, 0]
    assert low != high
    assert np.array_equal(scales[:, low], scales[:, high])
    assert np.array_equal(los_scales(plan, 17, 5), scales[17:22])
    variance = np.exp(0.3**2) - 1
    for table in (low, b):
        assert scales[:, table].mean() == pytest.approx(1, abs=4 * np.sqrt(variance / 4000))
        assert np.log(scales[:, table]).std() == pytest.approx(0.3, abs=4 * 0.3 / np.sqrt(8000))
    assert abs(np.corrcoef(scales[:, low], scales[:, b])[0, 1]) < 4 / np.sqrt(4000)
    assert (scales[:, 0] == 1).all()  # the gaps between arrivals are no stays


def test_without_uncertainty_the_factor_is_exactly_one(config):
    assert (los_scales(with_uncertain_stays(config, 0.0), 3, 50) == 1).all()


def test_a_replications_factor_stretches_the_same_stays(config):
    certain, uncertain = with_uncertain_stays(config, 0.0), with_uncertain_stays(config, 0.3)
    for replication in range(3):
        one, other = draw(certain, replication), draw(uncertain, replication)
        factors = los_scales(uncertain, replication, 1)[0][uncertain.los_table[:, :, 0]]
        kinds = np.repeat(one.patient_type, np.diff(one.offset))
        assert np.array_equal(one.arrival, other.arrival)
        assert np.array_equal(one.planned_ward, other.planned_ward)
        assert np.array_equal(other.los, factors[kinds, one.planned_ward] * one.los)


@pytest.mark.parametrize("sd", [0.0, 0.4])
def test_the_rest_of_a_stay_given_the_time_spent_and_the_factor(config, sd: float):
    elapsed = np.array([1e6, 300.0, 60.0, 20.0, 3.0, 0.5])  # the starting census is in order of requests
    census = pd.DataFrame(
        {
            "patient_id": [f"p{n}" for n in range(len(elapsed))],
            "stream_id": "low",
            "patient_type": "low",
            "request": MONDAY - pd.to_timedelta(elapsed, unit="h"),
            "ward_id": "b",
            "planned_ward_id": "b",
            "admit": MONDAY - pd.to_timedelta(elapsed, unit="h"),
            "ready": pd.NaT,
            "waits_for": None,
            "waits_since": pd.NaT,
            "first_ward": False,
        }
    )
    plan = with_uncertain_stays(config, sd, census)
    table = plan.los_table[0, 1, -1]
    knots = plan.quantile_hours[table]
    for replication in range(3):
        k = los_scales(plan, replication, 1)[0][table]
        _, u = uniforms(plan.key, replication, plan.census.stream, plan.census.number, Purpose.CENSUS, 0)
        spent = np.interp(elapsed / k, knots, GRID)
        rest = k * np.interp(spent + u * (1 - spent), GRID, knots) - elapsed
        rest[0] = 0  # longer in the hospital than any stay
        drawn = draw(plan, replication)
        assert drawn.los[drawn.offset[:6]] == pytest.approx(rest, rel=1e-9)
