"""A run that begins at 8:00: the hours left of its first day, then whole days, by date."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hand_made import MONDAY, make_config

from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo
from kaizar_pipeline.simulation.plan import Plan, make_plan
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.simulation.summary import census_at_hours, daily_peaks, midnight_census, week_profile
from kaizar_pipeline.tables.kpis import KPI_INDEX

pytestmark = pytest.mark.integration

EIGHT = MONDAY + pd.Timedelta(hours=8)
CONSTANTS = {"hospital_id": "tiny", "as_of": EIGHT, "scenario": "baseline"}


def plan_at_eight(days: int = 3, per_day: float = 10.0, warmup: int = 0, **parts: Any) -> Plan:
    config = make_config(parts.pop("wards", {"a": 4}), **parts)
    return make_plan(config, {"s": np.full((1, days), per_day)}, Horizon(EIGHT, days, warmup), key=1)


def test_beds_change_at_the_next_midnight(play, patient):
    ward = {"capacity": 1, "weekday_capacity": {"Tue": 2}}
    census = patient(0, [("ward", 30)], seat="ward", census=True)
    played = play({"ward": ward}, [census, patient(1, [("ward", 2)]), patient(5, [("ward", 2)])], days=2, begun=8)
    # the bed of Tuesday opens 16 hours from 8:00, and the two who wait have it one after the other
    assert played.admit == [[-1], [16], [18]]
    assert played.plan.hours == 16 + 24
    assert played.plan.staffed.tolist() == [[1] * 16 + [2] * 24]


def test_dated_beds_of_earlier_hours_are_over(play, patient):
    closing = {"from": "2026-01-05T06:00", "to": "2026-01-05T10:00", "capacity": 0}
    played = play({"ward": {"capacity": 1, "capacity_changes": [closing]}}, [patient(1, [("ward", 1)])], begun=8)
    assert played.admit == [[2]]


def test_arrivals_fall_into_the_hours_left():
    by_hour = [0.0] * 6 + [1.0, 1.0, 1.0, 1.0] + [0.0] * 14  # 6:00 to 10:00
    stream = {"id": "s", "target_ward": "a", "patient_type": "low", "hourly_profile": by_hour}
    poisson = plan_at_eight(arrival_streams=[stream | {"model": {"type": "constant", "mean_per_day": 1}}])
    fixed = {"type": "schedule", "pattern": "Mon,Tue,Wed,Thu,Fri,Sat,Sun", "mean_per_day": 1, "variability": "fixed"}
    rounded = plan_at_eight(arrival_streams=[stream | {"model": fixed}])
    for plan in (poisson, rounded):
        times = [draw(plan, replication).arrival for replication in range(300)]
        first = np.concatenate([time[time < 16] for time in times])
        second = np.concatenate([time[(time >= 16) & (time < 40)] for time in times])
        assert first.min() >= 0
        assert first.max() < 2
        assert second.min() >= 22
        assert second.max() < 26
        assert len(first) / 300 == pytest.approx(5, abs=0.4)
        assert len(second) / 300 == pytest.approx(10, abs=0.6)
    assert {sum(draw(rounded, r).arrival < 16) for r in range(20)} == {5}


def test_the_hours_before_eight_belong_to_the_warm_up():
    plan = plan_at_eight(days=3, warmup=7)
    assert (plan.start, plan.statistics_start) == (EIGHT - pd.Timedelta(days=7), EIGHT)
    assert (plan.warmup_hours, plan.statistics_hours, plan.dates_of_run) == (7 * 24, 64, 10)
    arrivals = np.concatenate([draw(plan, replication).arrival for replication in range(100)])
    per_hour = np.histogram(arrivals, bins=[0, 16, 7 * 24 - 8, 7 * 24, plan.hours])[0] / 100
    np.testing.assert_allclose(per_hour / [16, 144, 8, 64], 10 / 24, rtol=0.1)


@pytest.fixture(scope="module")
def run() -> MonteCarlo:
    """Clocks, good and bad days, beds by weekday, two days and the rest of a first one after a warm-up."""
    clock = {"hours": [0.1] * 8 + [1] * 12 + [0.1] * 4}
    ward = {
        "id": "a", "capacity": 6, "weekday_capacity": {"Tue": 5}, "discharge_clock": clock,
        "day_factor": {"sd": 0.4, "autocorrelation": 0.3}, "los_model": {"type": "exponential", "params": {"mean": 11}},
    }  # fmt: skip
    found = MonteCarlo(plan_at_eight(wards={"a": ward}, warmup=2), workers=1)
    found.extend(40)
    return found


def test_both_engines_give_the_same_counts(run: MonteCarlo):
    reference = MonteCarlo(run.plan, engine="simpy")
    reference.extend(40)
    for one, other in zip(run.actual.census.counts, reference.actual.census.counts, strict=True):
        assert one == other
    np.testing.assert_array_equal(run.kept(40).kpis, reference.kept(40).kpis)
    np.testing.assert_array_equal(run.kept(40).peaks, reference.kept(40).peaks)


def test_tables_are_labelled_by_date_and_the_first_says_that_it_has_begun(run: MonteCarlo):
    plan, counts = run.plan, run.actual
    census = counts.census.of(0)
    assert len(census) == 64
    peaks = daily_peaks(plan, {"actual": counts}, **CONSTANTS)
    hours = peaks.drop_duplicates("date").set_index("date")["hours"]
    assert hours.to_dict() == {MONDAY: 16, MONDAY + pd.Timedelta(days=1): 24, MONDAY + pd.Timedelta(days=2): 24}
    kept = run.kept(40)
    for date, place in zip(hours.index, range(3), strict=True):
        of_ward = peaks[(peaks["ward_id"] == "a") & (peaks["date"] == date)]
        expected = np.bincount(kept.peaks[:, 0, place])
        assert of_ward["replications"].tolist() == expected[expected > 0].tolist()

    midnights = midnight_census(plan, counts, **CONSTANTS)
    assert midnights["date"].min() == MONDAY + pd.Timedelta(days=1)
    tuesday = midnights[(midnights["ward_id"] == "a") & (midnights["date"] == midnights["date"].min())]
    assert (tuesday["probability"] * 40).round().tolist() == census[16][census[16] > 0].tolist()

    at = census_at_hours(plan, counts, [0, 8])
    assert at.loc["a"].index.tolist() == [
        (MONDAY, 8), *((MONDAY + pd.Timedelta(days=day), hour) for day in (1, 2) for hour in (0, 8)),
    ]  # fmt: skip
    np.testing.assert_array_equal(at.loc["a"].to_numpy()[:, : census.shape[1]], census[[0, 16, 24, 40, 48]] / 40)

    week = week_profile(plan, counts, **CONSTANTS)
    monday = week[(week["ward_id"] == "a") & (week["weekday"] == 0)]
    assert monday["hour"].tolist() == list(range(8, 24))


def test_days_full_are_counted_by_date(run: MonteCarlo):
    staffed = np.array([6] * 16 + [5] * 24 + [6] * 24)
    assert run.plan.staffed.tolist() == [staffed.tolist()]
    kept = run.kept(40)
    days = np.array([6, 5, 6])
    np.testing.assert_array_equal(
        kept.kpis[:, 0, KPI_INDEX["days_any_hour_full"]], (kept.peaks[:, 0] >= days).sum(axis=1)
    )
