"""Leaving by the clock: exact stories, the patients already there, and good and bad days of known distribution."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hand_made import MONDAY, make_config

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.simulation import compiled_engine
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.load import ward_loads
from kaizar_pipeline.simulation.plan import Learned, Plan, make_plan
from kaizar_pipeline.simulation.sampling import day_speeds, draw

pytestmark = pytest.mark.integration

OFFICE = {"hours": [0] * 8 + [1] * 8 + [0] * 8}
"""Patients leave from 8:00 to 16:00 only, at three times the mean: 24 operational hours a day all the same."""

MOSTLY_BY_DAY = {"hours": [0.1] * 8 + [1] * 12 + [0.1] * 4, "weekday": {"Sat": 0.6, "Sun": 0.6}}

FACTOR = {"sd": 0.3, "autocorrelation": 0.6, "shared": 0.25}


def plan_of(
    config: HospitalConfig,
    days: int = 28,
    per_day: float = 20,
    learned: Learned | None = None,
    census: pd.DataFrame | None = None,
) -> Plan:
    return make_plan(
        config,
        {"s": np.full((1, days), per_day)},
        Horizon(MONDAY, days),
        key=7,
        learned=learned,
        census=census,
    )


def test_patients_leave_while_the_ward_discharges(play, patient):
    ward = {"capacity": 4, "discharge_clock": OFFICE}
    found = play({"a": ward}, [patient(20.0, [("a", 12.0)]), patient(12.0 + 24, [("a", 6.0)])], days=3)
    assert found.depart == [[36.0], [38.0]]


def test_the_delay_runs_on_the_same_clock(play, patient):
    found = play({"a": {"capacity": 4, "discharge_clock": OFFICE}}, [patient(8.0, [("a", 21.0)], delay=6.0)], days=3)
    assert found.stays.ready.tolist() == [15.0]
    assert found.depart == [[24 + 9.0]]


def test_each_way_out_has_its_clock(play, patient):
    ward = {"capacity": 4, "discharge_clock": OFFICE}
    found = play({"a": ward, "b": 4}, [patient(20.0, [("a", 12.0), ("b", 1.0)]), patient(20.0, [("a", 12.0)])], days=3)
    assert found.depart == [[32.0, 33.0], [36.0]]


def test_an_outlier_leaves_by_the_clock_of_the_ward_that_was_asked_for(play, patient):
    overflow = [{"ward": "a", "redirect_to": ["b"]}]
    wards = {"a": {"capacity": 1, "discharge_clock": OFFICE}, "b": 4}
    patients = [patient(1.0, [("a", 60.0)]), patient(20.0, [("a", 12.0)])]
    found = play(wards, patients, days=3, policies={"overflow": overflow})
    assert found.used == [["a"], ["b"]]
    assert found.depart[1] == [36.0]


def census_of(*elapsed: float, ready: float | None = None) -> pd.DataFrame:
    since = MONDAY - pd.to_timedelta(np.array(elapsed), unit="h")
    return pd.DataFrame(
        {
            "patient_id": [f"p{n}" for n in range(len(elapsed))], "stream_id": "s", "patient_type": "low",
            "request": since, "ward_id": "a", "planned_ward_id": "a", "admit": since,
            "ready": pd.NaT if ready is None else MONDAY - pd.Timedelta(hours=ready),
            "waits_for": None, "waits_since": pd.NaT, "first_ward": False,
        }
    )  # fmt: skip


def test_the_time_spent_by_those_already_there_is_operational():
    config = make_config({"a": {"capacity": None, "discharge_clock": OFFICE}, "b": None})
    plan = plan_of(config, census=census_of(4.0, 9.0, 24 * 7, 400.0))
    to_home, onward = plan.census.elapsed[:, 1], plan.census.elapsed[:, 0]  # in order of request
    assert to_home.tolist() == pytest.approx([16 * 24 + 24, 7 * 24, 3.0, 0.0])  # 16:00 is 8 hours ago
    assert onward.tolist() == [400.0, 24 * 7, 9.0, 4.0]
    delayed = plan_of(config, census=census_of(30.0, ready=10.0))
    assert delayed.census.delay_elapsed.tolist() == pytest.approx([6.0])


def test_public_holidays_are_sundays():
    # King's day 2026 is a Monday
    config = make_config({"a": {"capacity": None, "discharge_clock": {"weekday": {"Sun": 0.2}}}})
    rates = {"s": np.ones((1, 14))}
    weights = make_plan(config, rates, Horizon(pd.Timestamp("2026-04-20"), 14), key=1).clocks.weights[0]
    by_day = weights.reshape(14, 24)
    assert np.array_equal(by_day[7], by_day[6])
    assert (by_day[0] == by_day[1]).all()
    assert by_day[6, 0] == pytest.approx(0.2 * by_day[0, 0])


@pytest.mark.parametrize("mean", [4.0, 30.0])
def test_a_configured_length_of_stay_keeps_its_mean(mean: float):
    ward = {"id": "a", "capacity": None, "discharge_clock": MOSTLY_BY_DAY}
    ward["los_model"] = {"type": "exponential", "params": {"mean": mean}}
    plan = plan_of(make_config({"a": ward}), days=140, per_day=200)
    drawn = draw(plan, 0)
    stays = compiled_engine.simulate(plan, drawn)
    whole = drawn.arrival < 7 * 24 * 16
    hours = np.minimum(stays.depart, plan.hours)[whole] - drawn.arrival[whole]
    assert hours.mean() == pytest.approx(mean, abs=4 * hours.std() / np.sqrt(len(hours)))
    [load] = ward_loads(plan)
    assert load.offered == pytest.approx(200 / 24 * mean, rel=0.02)


def test_learned_clocks_are_taken_where_the_file_gives_none():
    week = np.repeat(np.arange(7), 24)
    learned = pd.DataFrame(
        {"ward_id": "a", "way": "home", "weekday": week, "hour": np.tile(np.arange(24), 7), "origin": "from_data",
         "weight": np.where(week < 5, 1.25, 0.375)}
    )  # fmt: skip
    factors = pd.DataFrame({"ward_id": ["a"], **{name: [value] for name, value in FACTOR.items()}})
    given = Learned(discharge_clocks=learned, day_factors=factors)
    own = plan_of(make_config({"a": None, "b": None}), learned=given).clocks
    assert own.weights[own.of[0, 1]][: 7 * 24].tolist() == [1.25] * 120 + [0.375] * 48
    assert own.day_sd.tolist() == [0.3, 0.0]
    assert (own.of[1] == -1).all()
    none = plan_of(
        make_config({"a": {"capacity": None, "discharge_clock": "none", "day_factor": "none"}}), learned=given
    )
    assert (none.clocks.of == -1).all()
    flat = plan_of(make_config({"a": None}), learned=Learned(discharge_clocks=learned.assign(origin="flat")))
    assert (flat.clocks.of == -1).all()


def with_factors() -> Plan:
    ward = {"capacity": None, "day_factor": FACTOR}
    return plan_of(make_config({"a": ward, "b": ward, "c": None}), days=40)


def test_day_factors_have_their_distribution():
    speeds = day_speeds(with_factors(), 0, 4000)
    assert (speeds[:, 2] == 1).all()
    log = np.log(speeds[:, :2])
    error = 4 / np.sqrt(4000)
    for day in (0, 39):
        assert speeds[:, 0, day].mean() == pytest.approx(1, abs=error * 0.31)
        assert log[:, 0, day].std() == pytest.approx(0.3, abs=error * 0.3)
        assert np.corrcoef(log[:, 0, day], log[:, 1, day])[0, 1] == pytest.approx(0.25, abs=error)
    assert np.corrcoef(log[:, 0, 20], log[:, 0, 21])[0, 1] == pytest.approx(0.6, abs=error)


def test_day_factors_depend_on_their_replication_only():
    plan = with_factors()
    speeds = day_speeds(plan, 0, 50)
    assert np.array_equal(day_speeds(plan, 17, 5), speeds[17:22])
    shorter = replace(plan, horizon=Horizon(MONDAY, 10))
    assert np.array_equal(day_speeds(shorter, 0, 50), speeds[:, :, :10])


def test_a_slow_day_holds_patients_back():
    plan = with_factors()
    for replication in range(3):
        speed = day_speeds(plan, replication, 1)[0]
        operational = draw(plan, replication).operational[plan.clocks.of[0, 1]]
        assert np.diff(operational).reshape(40, 24) == pytest.approx(np.repeat(speed[0][:, None], 24, axis=1))


def test_an_immediate_end_stays_immediate(play, patient):
    # the clock stands still at night, but nothing has to be waited for
    found = play({"a": {"capacity": 1, "discharge_clock": OFFICE}}, [patient(2.0, [("a", 0.0)])])
    assert found.depart == [[2.0]]
