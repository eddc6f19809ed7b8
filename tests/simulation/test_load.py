"""Offered loads with exact answers, which of them must fit, and when a hospital is refused."""

from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.load import WardLoad, check_load, ward_loads
from kaizar_pipeline.simulation.plan import Learned, make_plan
from kaizar_pipeline.simulation.sampling import draw

pytestmark = pytest.mark.unit

MONDAY = pd.Timestamp("2026-01-05")
DAYS = 14


def fixed(hours: float) -> dict[str, Any]:
    return {"type": "fixed", "params": {"value": hours}}


def ward(beds: int | None, hours: float, **more: Any) -> dict[str, Any]:
    return {"capacity": beds, "los_model": fixed(hours), **more}


def streams(**wards: str) -> list[dict[str, Any]]:
    """Streams by id: the ward and the patient type, such as "ed low"."""
    return [
        {"id": name, "target_ward": to.split()[0], "patient_type": to.split()[1], "model": {"type": "ml_poisson"}}
        for name, to in wards.items()
    ]


def route(from_ward: str, **options: float) -> dict[str, Any]:
    return {"from_ward": from_ward, "options": [{"to_ward": to, "probability": p} for to, p in options.items()]}


def loads_of(config: HospitalConfig, rates: dict[str, Any], warmup_days: int = 0, **more: Any) -> dict[str, WardLoad]:
    plan = make_plan(config, _paths(rates), Horizon(MONDAY, DAYS, warmup_days), key=1, **more)
    return {load.wards[0]: load for load in ward_loads(plan)}


def _paths(rates: dict[str, Any]) -> dict[str, np.ndarray]:
    return {stream: np.broadcast_to(np.asarray(rate, dtype=float), (1, DAYS)) for stream, rate in rates.items()}


@pytest.fixture
def hospital(config):
    """Makes a hospital with one forecast stream `s` (low, to the first ward) by default."""

    def make(
        wards: dict[str, Any],
        arrivals: list[dict[str, Any]] | None = None,
        los: dict[str, Any] | None = None,
        **parts: Any,
    ) -> HospitalConfig:
        arrivals = arrivals or streams(s=f"{next(iter(wards))} low")
        truth = {"streams": {stream["id"]: {"mean_per_day": 1} for stream in arrivals}, "los": los or {}}
        patients = {"source": "synthetic", "history_start": "2025-01-01", "truth": truth}
        return config(wards, arrival_streams=arrivals, patients=patients, **parts)

    return make


def test_requests_times_hours_in_bed(hospital):
    # 6 a day x 8 hours = 2 beds; half of them 48 hours in the ward = 6 beds
    config = hospital({"ed": ward(4, 8), "a": ward(9, 48)}, routing=[route("ed", a=0.5)])
    loads = loads_of(config, {"s": 6})
    assert [load.must_fit for load in loads.values()] == pytest.approx([2, 6])
    assert [load.offered for load in loads.values()] == pytest.approx([2, 6])
    assert [load.beds for load in loads.values()] == [4, 9]
    assert str(loads["a"]) == "ward a: offered load 6.0 beds against 9.0 staffed (67%)"


def test_routes_with_a_cycle(hospital):
    # of 12 a day to a, 0.5 go to b and 0.5 of those back: a is visited 12 / (1 - 0.25) = 16 times, b 8 times
    config = hospital({"a": ward(99, 24), "b": ward(99, 12)}, routing=[route("a", b=0.5), route("b", a=0.5)])
    loads = loads_of(config, {"s": 12})
    assert [loads[name].must_fit for name in "ab"] == pytest.approx([16, 4])


def test_stays_by_type_and_next_ward_and_delay_of_those_who_go_home(hospital):
    cases = [
        {"next_ward": "_home", "los_model": fixed(10)},
        {"patient_type": "high", "los_model": fixed(40)},
        {"patient_type": "high", "next_ward": "b", "los_model": fixed(50)},
    ]
    wards = {"a": ward(99, 20, los_by=cases, discharge_delay=fixed(2)), "b": ward(99, 24)}
    config = hospital(wards, streams(s="a low", t="a high"), routing=[route("a", b=0.25)])
    loads = loads_of(config, {"s": 24, "t": 48})
    # one low an hour: 0.25 x 20 + 0.75 x (10 + 2) = 14; two high: 2 x (0.25 x 50 + 0.75 x (40 + 2)) = 88
    assert loads["a"].must_fit == pytest.approx(14 + 88)
    assert loads["b"].must_fit == pytest.approx(3 * 0.25 * 24)


@pytest.mark.parametrize(
    ("los", "mean"),
    [
        ({"type": "lognormal", "unit": "days", "params": {"mean": 5, "sd": 8}}, 120),
        ({"type": "gamma", "params": {"mean": 30, "sd": 20}}, 30),
        ({"type": "weibull", "params": {"shape": 1, "scale": 7}}, 7),
        ({"type": "exponential", "params": {"mean": 9}}, 9),
        ({"type": "empirical", "params": {"values": [4, 0, 8]}}, 4),
    ],
)
def test_the_mean_of_any_distribution(hospital, los, mean):
    config = hospital({"a": {"capacity": 999, "los_model": los}})
    assert loads_of(config, {"s": 24})["a"].must_fit == pytest.approx(mean, rel=1e-3)


def test_lengths_of_stay_from_data(hospital):
    wards = {"a": {"capacity": 99, "los_model": {"type": "from_data"}}}
    config = hospital(wards, streams(s="a low", t="a high"), los={"a": fixed(1)})
    quantiles = {"_all": [0, 10, 20], "high": [0, 0, 80]}  # linear between: means 10 and 20
    lengths = pd.DataFrame(
        [("a", kind, "_any", "fitted", True, "empirical", hours) for kind, hours in quantiles.items()],
        columns=["ward_id", "patient_type", "next_ward_id", "origin", "in_use", "distribution", "quantile_hours"],
    ).assign(shape=None, scale_hours=None, scale_sd=0.0)
    assert loads_of(config, {"s": 24, "t": 24}, learned=Learned(lengths))["a"].must_fit == pytest.approx(30)


def test_mean_rates_and_mean_beds_of_the_days_that_count(hospital):
    change = {"from": "2026-01-12", "capacity": 4}
    wards = {"a": ward(10, 24, weekday_capacity={"Sat": 3}, capacity_changes=[change])}
    load = loads_of(hospital(wards), {"s": [1, 2, 3, 4, 5, 6, 7] * 2}, warmup_days=3)["a"]
    assert load.must_fit == pytest.approx(4)
    assert load.beds == pytest.approx((6 * 10 + 3 + 7 * 4) / 14)


def test_a_load_that_reaches_the_beds_is_refused_with_the_ward(hospital):
    config = hospital({"ed": ward(4, 8), "a": ward(9, 48), "b": ward(0, 1)}, routing=[route("ed", a=0.5, b=0.1)])
    plan = make_plan(config, _paths({"s": 10}), Horizon(MONDAY, DAYS), key=1)
    with pytest.raises(SimulationError) as raised:
        check_load(plan)
    assert str(raised.value) == (
        "ward a: offered load 10.0 beds against 9.0 staffed (111%); ward b: offered load 0.0 beds against 0.0 staffed: "
        "more is asked for than there are beds, so the queue would grow for as long as the simulation lasts; staff "
        "more beds, let policies turn patients away, or set simulation.overload: allow"
    )
    assert [load.wards for load in check_load(plan, allow=True)] == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("beds", "rate", "diverges"),
    [(2, 48, True), (2, 47.9, False), (2, 48.1, True), (0, 0, False), (0, 0.1, True), (None, 1e6, False)],
)
def test_where_the_limit_is(hospital, beds, rate, diverges):
    assert loads_of(hospital({"a": ward(beds, 1)}), {"s": rate})["a"].diverges is diverges


def test_types_of_an_admission_stop_need_not_fit(hospital):
    stop = {"admission_stop": [{"ward": "a", "threshold": 0.9, "stop_types": ["high"]}]}
    config = hospital({"a": ward(3, 24)}, streams(s="a low", t="a high"), policies=stop)
    load = loads_of(config, {"s": 2, "t": 5})["a"]
    assert (load.offered, load.must_fit) == pytest.approx((7, 2))
    assert not load.diverges
    assert loads_of(config, {"s": 3, "t": 0})["a"].diverges
    assert str(load) == (
        "ward a: offered load 2.0 beds against 3.0 staffed (67%), patients who can be turned away left aside"
    )


def impatient(hospital, policies: dict[str, Any] | None = None, **ed: Any) -> HospitalConfig:
    types = [{"id": "low", "patience": fixed(1)}, {"id": "high"}]
    wards = {"ed": {**ward(1, 24), **ed}, "a": ward(1, 48)}
    return hospital(
        wards,
        streams(s="ed low", t="ed high"),
        patient_types=types,
        routing=[route("ed", a=0.5)],
        policies=policies or {},
    )


def test_impatient_patients_need_not_fit(hospital):
    loads = loads_of(impatient(hospital), {"s": 9, "t": 0.5})
    assert [load.offered for load in loads.values()] == pytest.approx([9.5, 9.5])
    assert [load.must_fit for load in loads.values()] == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(
    ("ed", "must_fit"),
    [
        # the only bed serves 1 a day: 0.5 high and so 0.5 low, half of all go on for 2 days
        ({"boarding": "release"}, 1.0),
        # everybody gets there
        ({"boarding": "release", "capacity": 50}, 9.5),
        ({"capacity": None}, 9.5),
    ],
)
def test_impatient_patients_count_once_they_take_no_bed_from_others(hospital, ed, must_fit):
    loads = loads_of(impatient(hospital, **ed), {"s": 9, "t": 0.5})
    assert [load.must_fit for load in loads.values()] == pytest.approx([0.5, must_fit])
    assert (loads["ed"].diverges, loads["a"].diverges) == (False, True)


def test_impatient_patients_of_an_admission_stop_never_count(hospital):
    stop = {"admission_stop": [{"ward": "a", "threshold": 1.0, "stop_types": ["low"]}]}
    loads = loads_of(impatient(hospital, stop, boarding="release", capacity=50), {"s": 9, "t": 0.5})
    assert [load.must_fit for load in loads.values()] == pytest.approx([0.5, 0.5])


def test_a_ward_with_a_queue_limit_turns_away_what_does_not_fit(hospital):
    # 9 a day for one bed of a day; half of the 1 a day treated go on for 2 days
    for boarding, onward in (("hold", 0.0), ("release", 1.0)):
        wards = {"a": {**ward(1, 24), "queue_limit": 3, "boarding": boarding}, "b": ward(1, 48)}
        config = hospital(wards, streams(s="a low"), routing=[route("a", b=0.5)])
        loads = loads_of(config, {"s": 9})
        assert [load.must_fit for load in loads.values()] == pytest.approx([0, onward])
        assert not loads["a"].diverges
    # those who come to it from elsewhere wait all the same
    wards = {"a": ward(9, 24), "b": {**ward(1, 48), "queue_limit": 3}}
    config = hospital(wards, streams(s="a low", t="b low"), routing=[route("a", b=0.5)])
    assert loads_of(config, {"s": 2, "t": 7})["b"].must_fit == pytest.approx(2)


def test_a_ward_with_overflow_has_the_beds_that_others_leave_free(hospital):
    overflow = {"overflow": [{"ward": "a", "redirect_to": ["b", "c"]}]}
    config = hospital(
        {"a": ward(2, 24), "b": ward(3, 24), "c": ward(1, 24)},
        streams(s="a low", t="b low", u="c low"),
        policies=overflow,
    )
    load = loads_of(config, {"s": 3, "t": 1, "u": 0.5})["a"]
    assert (load.wards, load.must_fit, load.beds, load.diverges) == (("a", "b", "c"), 4.5, 6.0, False)
    assert loads_of(config, {"s": 4.5, "t": 1, "u": 0.5})["a"].diverges
    # c is overloaded by itself: that takes no beds from a
    loads = loads_of(config, {"s": 3, "t": 1, "u": 9})
    assert [loads[name].diverges for name in "abc"] == [False, False, True]
    assert str(loads["a"]) == "ward a with b, c: offered load 13.0 beds against 6.0 staffed (217%)"


def test_five_hundred_wards(hospital):
    # each ward sends half of its patients to the next: 24 a day x 1 hour, then half as many from ward to ward
    names = [f"w{n}" for n in range(500)]
    routing = [route(a, **{b: 0.5}) for a, b in pairwise(names)]
    loads = loads_of(hospital({name: ward(1, 1) for name in names}, routing=routing), {"s": 24})
    assert [load.must_fit for load in loads.values()][:4] == pytest.approx([1, 0.5, 0.25, 0.125])
    assert [name for name, load in loads.items() if load.diverges] == ["w0"]


def test_drawn_patients_have_the_offered_load(hospital):
    long = {"type": "lognormal", "params": {"mean": 30, "sd": 30}}
    wards = {
        "ed": {"capacity": 9, "los_model": {"type": "gamma", "params": {"mean": 5, "sd": 3}}},
        "b": {
            "capacity": 9,
            "los_model": long,
            "los_by": [{"patient_type": "low", "next_ward": "a", "los_model": fixed(50)}],
            "discharge_delay": {"type": "exponential", "params": {"mean": 6}},
        },
        "a": {"capacity": 9, "los_model": long},
    }
    routing = [route("ed", b=0.4, a=0.3), route("b", a=0.5), route("a", b=0.2, ed=0.1)]
    config = hospital(wards, streams(s="ed low", t="a high"), routing=routing)
    plan = make_plan(config, _paths({"s": 20, "t": 5}), Horizon(MONDAY, DAYS), key=1)
    drawn = []
    for replication in range(150):
        trajectories = draw(plan, replication)
        hours = trajectories.los + trajectories.delay
        drawn.append(np.bincount(trajectories.planned_ward, weights=hours, minlength=3) / plan.hours)
    error = np.std(drawn, axis=0, ddof=1) / np.sqrt(len(drawn))
    offered = np.array([load.offered for load in ward_loads(plan)])
    assert (error < 0.03 * offered).all()
    assert (np.abs(np.mean(drawn, axis=0) - offered) < 4 * error).all()


@pytest.mark.parametrize(("day", "days_open"), [(8, 3), (1, 0)])
def test_a_ward_that_closes_with_its_stream_is_no_overload(hospital, day: int, days_open: int):
    config = hospital({"a": ward(9, 24), "b": ward(2, 24)}, streams(s="a low", t="b low"))
    a, b = config.wards
    config = config.model_copy(update={"wards": (a, b.model_copy(update={"closed": date(2026, 1, day)}))})
    load = loads_of(config, {"s": 4, "t": [1] * days_open + [0] * (DAYS - days_open)})["b"]
    assert (load.must_fit, load.beds) == pytest.approx((days_open / DAYS, 2 * days_open / DAYS))
    assert not load.diverges


def test_a_closed_ward_is_one_with_no_beds_from_then_on(hospital):
    rule = {"from": "2026-01-08", "capacity": 0}
    policy = {"overflow": [{"ward": "a", "redirect_to": ["b"]}]}
    plans = [
        make_plan(
            hospital({"a": ward(9, 24, **more), "b": ward(9, 24)}, policies=policy),
            _paths({"s": 4}),
            Horizon(MONDAY, DAYS),
            key=1,
        )
        for more in ({"closed": "2026-01-08"}, {"capacity_changes": [rule]})
    ]
    assert plans[0].capacity_changes == plans[1].capacity_changes == ((72.0, 0, 0),)
    assert plans[0].beds.tolist() == plans[1].beds.tolist()
