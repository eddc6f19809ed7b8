"""What theory says exactly, against the simulation: fixed seeds, a stated warm-up, within 4 standard errors.

Time is scaled so that a day holds many stays: lengths of stay are in hours, rates per day are 24 times the hourly rate.
Every replication begins empty and leaves out a warm-up of 2 days (about 48 mean stays) unless a test says otherwise.
"""

from collections.abc import Callable
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.simulation.counting import Counts
from kaizar_pipeline.simulation.kpis import KPIS
from kaizar_pipeline.simulation.monte_carlo import run
from kaizar_pipeline.simulation.plan import Plan, make_plan
from kaizar_pipeline.simulation.queueing import erlang_a_leaving, erlang_b, erlang_c, poisson_tail, priority_waits

pytestmark = pytest.mark.integration

Config = Callable[..., HospitalConfig]


def stay(mean: float, **kind: Any) -> dict[str, Any]:
    return {"type": "exponential", "params": {"mean": mean}} | kind


def stream(name: str, ward: str, kind: str = "low") -> dict[str, Any]:
    model = {"type": "constant", "mean_per_day": 1}
    return {"id": name, "target_ward": ward, "patient_type": kind, "model": model}


def plan_of(config: HospitalConfig, hourly_rates: dict[str, float], days: int, warmup_days: int = 2) -> Plan:
    rates = {name: np.full((1, days), 24.0 * rate) for name, rate in hourly_rates.items()}
    return make_plan(config, rates, pd.Timestamp("2026-01-05"), days, key=20260105, warmup_days=warmup_days)


def simulate(plan: Plan, replications: int = 20) -> tuple[Counts, Counts]:
    return run(plan, replications, workers=1, keep_replications=True)


def kpi(counts: Counts, name: str, ward: int = 0, kind: int = -1) -> np.ndarray:
    """One value per replication."""
    assert counts.kpis is not None
    return counts.kpis[:, ward, kind, KPIS.index(name)]


def assert_mean(values: np.ndarray, truth: float) -> None:
    error = values.std(ddof=1) / sqrt(len(values))
    assert abs(values.mean() - truth) <= 4 * error, (
        f"{values.mean():.6f} is not {truth:.6f}, standard error {error:.6f}"
    )
    assert error < 0.1 * abs(truth), "too few replications for the test to mean anything"


@pytest.mark.parametrize(("beds", "load"), [(5, 4.0), (10, 8.0), (20, 18.0)])
def test_erlang_b(config: Config, beds: int, load: float):
    stops = {"admission_stop": [{"ward": "a", "threshold": 1.0, "stop_types": ["low"]}]}
    plan = plan_of(config({"a": {"capacity": beds, "los_model": stay(1)}}, policies=stops), {"s": load}, 12)
    counts, _ = simulate(plan, 24)
    assert_mean(kpi(counts, "turned_away") / kpi(counts, "requests"), erlang_b(beds, load))


@pytest.mark.parametrize("los", [stay(1), stay(1, type="gamma", params={"mean": 1, "sd": 2})])
def test_the_loss_depends_on_the_mean_stay_only(config: Config, los: dict[str, Any]):
    stops = {"admission_stop": [{"ward": "a", "threshold": 1.0, "stop_types": ["low"]}]}
    plan = plan_of(config({"a": {"capacity": 10, "los_model": los}}, policies=stops), {"s": 8.0}, 12)
    counts, _ = simulate(plan, 24)
    assert_mean(kpi(counts, "turned_away") / kpi(counts, "requests"), erlang_b(10, 8))


@pytest.mark.parametrize(("beds", "load"), [(5, 4.0), (10, 8.0)])
def test_erlang_c(config: Config, beds: int, load: float):
    plan = plan_of(config({"a": {"capacity": beds, "los_model": stay(1)}}), {"s": load}, 40, warmup_days=6)
    counts, _ = simulate(plan, 24)
    assert_mean(kpi(counts, "wait_mean_hours"), erlang_c(beds, load) / (beds - load))
    # arrivals see time averages: the probability that all beds are taken at an hour is that of having to wait
    full = counts.census.of(0)[:, beds:].sum() / counts.census.of(0).sum()
    assert full == pytest.approx(erlang_c(beds, load), abs=0.03)


def test_unlimited_beds_whatever_the_length_of_stay(config: Config):
    los = stay(1, type="lognormal", params={"mean": 1, "sd": 1.16})
    plan = plan_of(config({"a": {"capacity": None, "los_model": los}}), {"s": 20.0}, 10, warmup_days=4)
    counts, demand = simulate(plan, 40)
    assert np.array_equal(counts.census.of(0).sum(axis=1), demand.census.of(0).sum(axis=1))
    census = counts.census.of(0).sum(axis=0) / counts.census.of(0).sum()
    assert census[25:].sum() == pytest.approx(poisson_tail(24, 20), abs=0.012)
    assert census[29:].sum() == pytest.approx(poisson_tail(28, 20), abs=0.006)
    assert_mean(kpi(counts, "bed_days") / 10, 20.0)


def test_the_weekly_wave_of_a_ward_without_limit(config: Config):
    by_weekday = [14, 13, 12, 12, 11, 7, 6]
    expected = [73.4335, 77.2518, 80.0101, 81.3784, 82.4411, 82.3114, 78.1734]
    los = {"type": "lognormal", "unit": "days", "params": {"mean": 7.4, "sd": 8.61}}
    days = 168  # 24 weeks, of which the last 12 count: the tail of stays is weeks long
    rates = {"s": np.array([by_weekday * (days // 7)], dtype=float)}
    plan = make_plan(
        config({"a": {"capacity": None, "los_model": los}}), rates, pd.Timestamp("2026-01-05"), days, key=5
    )
    counts, _ = simulate(plan, 40)
    beds = np.arange(counts.census.of(0).shape[1])
    midnights = (counts.census.of(0) @ beds / counts.replications)[::24]
    by_week = midnights.reshape(-1, 7)[12:]
    # weeks are correlated over about two mean stays, so 12 weeks x 40 replications are worth at least 160 draws
    error = np.sqrt(np.array(expected) / 160)
    assert (np.abs(by_week.mean(axis=0) - expected) < 4 * error).all(), by_week.mean(axis=0)


def test_priorities(config: Config):
    streams = [stream("s", "a", "high"), stream("t", "a", "low")]
    plan = plan_of(
        config({"a": {"capacity": 3, "los_model": stay(1)}}, arrival_streams=streams), {"s": 1.0, "t": 1.4}, 40, 6
    )
    counts, _ = simulate(plan, 24)
    high, low = priority_waits(3, [1, 1.4], 1)
    assert_mean(kpi(counts, "wait_mean_hours", kind=1), high)
    assert_mean(kpi(counts, "wait_mean_hours", kind=0), low)


def test_patients_who_leave_without_being_seen(config: Config):
    types = [{"id": "low", "patience": stay(2)}, {"id": "high"}]
    plan = plan_of(config({"a": {"capacity": 10, "los_model": stay(8)}}, patient_types=types), {"s": 1.2}, 60, 10)
    counts, _ = simulate(plan, 24)
    assert_mean(kpi(counts, "left") / kpi(counts, "requests"), erlang_a_leaving(10, 1.2, 1 / 8, 1 / 2))


def test_an_emergency_department_that_boards_and_is_lost_when_full(config: Config):
    stops = {"admission_stop": [{"ward": "ed", "threshold": 1.0, "stop_types": ["low"]}]}
    wards = {"ed": {"capacity": 4, "los_model": stay(2)}, "ward": {"capacity": 5, "los_model": stay(5)}}
    routing = [{"from_ward": "ed", "options": [{"to_ward": "ward", "probability": 0.6}]}]
    plan = plan_of(config(wards, routing=routing, policies=stops), {"s": 1.0}, 60, 6)
    counts, _ = simulate(plan, 24)
    assert_mean(kpi(counts, "turned_away") / kpi(counts, "requests"), 0.108876)
    assert_mean(kpi(counts, "bed_days") / 60, 1.880361)
    assert_mean(kpi(counts, "boarding_hours") / (60 * 24), 0.098113)
    assert_mean(kpi(counts, "bed_days", ward=1) / 60, 2.673372)


def test_an_admission_stop_keeps_the_last_beds_for_emergencies(config: Config):
    stops = [
        {"ward": "a", "threshold": 18 / 20, "stop_types": ["low"]},
        {"ward": "a", "threshold": 1.0, "stop_types": ["high"]},
    ]
    streams = [stream("emergency", "a", "high"), stream("elective", "a", "low")]
    hospital = config(
        {"a": {"capacity": 20, "los_model": stay(8)}}, arrival_streams=streams, policies={"admission_stop": stops}
    )
    counts, _ = simulate(plan_of(hospital, {"emergency": 1.0, "elective": 1.2}, 60, 6), 24)
    assert_mean(kpi(counts, "turned_away", kind=1) / kpi(counts, "requests", kind=1), 0.023975)
    assert_mean(kpi(counts, "turned_away", kind=0) / kpi(counts, "requests", kind=0), 0.226263)
    assert_mean(kpi(counts, "bed_days") / 60, 15.2361)


def test_overflow_into_outlier_beds(config: Config):
    # turned away only when both wards are full: the overflow ward's own stop never acts on patients of the first
    policies = {"overflow": [{"ward": "a", "threshold": 1.0, "redirect_to": ["b"]}]}
    types = [{"id": "low", "patience": {"type": "fixed", "params": {"value": 0}}}, {"id": "high"}]
    wards = {"a": {"capacity": 18, "los_model": stay(1)}, "b": {"capacity": 6, "los_model": stay(1)}}
    counts, _ = simulate(plan_of(config(wards, policies=policies, patient_types=types), {"s": 20.0}, 10), 24)
    assert_mean(kpi(counts, "outliers") / kpi(counts, "requests"), 0.155164)
    assert_mean(kpi(counts, "left") / kpi(counts, "requests"), 0.066097)


def test_what_is_left_of_stays_in_progress(config: Config):
    start = pd.Timestamp("2026-01-05")
    elapsed = [0, 0.5, 1, 1, 2, 3, 5, 8, 13, 30]
    admit = [start - pd.Timedelta(days=days) for days in elapsed]
    census = pd.DataFrame(
        {
            "patient_id": [f"p{i}" for i in range(10)],
            "stream_id": "s",
            "patient_type": "low",
            "request": admit,
            "ward_id": "a",
            "planned_ward_id": "a",
            "admit": admit,
            "ready": pd.NaT,
            "waits_for": None,
            "waits_since": pd.NaT,
            "first_ward": False,
        }
    )
    los = {"type": "lognormal", "unit": "days", "params": {"mean": 7.4, "sd": 8.61}}
    hospital = config({"a": {"capacity": None, "los_model": los}})
    plan = make_plan(hospital, {"s": np.zeros((1, 15))}, start, 15, key=3, census=census)
    counts, _ = simulate(plan, 1000)
    beds = np.arange(counts.census.of(0).shape[1])
    in_bed = counts.census.of(0)
    for day, expected in {1: 8.76076, 2: 7.51696, 3: 6.42824, 7: 3.60789, 14: 1.60131}.items():
        mean = in_bed[24 * day] @ beds / 1000
        sd = sqrt(in_bed[24 * day] @ beds**2 / 1000 - mean**2)
        assert abs(mean - expected) < 4 * sd / sqrt(1000)
