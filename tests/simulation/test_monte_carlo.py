"""The tables of a simulation: laws that hold for any hospital, and the same bytes from any number of workers."""

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.patients.starting_census import starting_census
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo
from kaizar_pipeline.simulation.occupancy import Occupancy, simulate_occupancy
from kaizar_pipeline.simulation.plan import make_plan
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
from kaizar_pipeline.tables import HOSPITAL_TOTAL

pytestmark = pytest.mark.integration

AS_OF = pd.Timestamp("2026-01-05")


@pytest.fixture
def hospital(config):
    los = {"type": "lognormal", "params": {"mean": 20, "sd": 25}}
    wards = {"ed": {"capacity": 3, "los_model": {"type": "exponential", "params": {"mean": 3}}}, "a": 6, "b": 2}
    wards = {
        name: ward if isinstance(ward, dict) else {"capacity": ward, "los_model": los} for name, ward in wards.items()
    }
    types = [{"id": "low", "patience": {"type": "exponential", "params": {"mean": 5}}}, {"id": "high", "priority": 1}]
    streams = [
        {"id": name, "target_ward": "ed", "patient_type": kind, "model": {"type": "constant", "mean_per_day": 9}}
        for name, kind in (("s", "low"), ("t", "high"))
    ]
    routing = [
        {"from_ward": "ed", "options": [{"to_ward": "a", "probability": 0.4}, {"to_ward": "b", "probability": 0.1}]},
        {"from_ward": "a", "options": [{"to_ward": "b", "probability": 0.1}]},
        {"from_ward": "b", "options": [{"to_ward": "a", "probability": 0.3}]},
    ]
    policies = {
        "overflow": [{"ward": "a", "threshold": 1.0, "redirect_to": ["b"]}],
        "admission_stop": [{"ward": "ed", "threshold": 1.0, "stop_types": ["high"]}],
    }
    simulation = {"start": "empty", "replications": 25, "horizon_days": 5, "seed": 1}
    return config(
        wards, patient_types=types, arrival_streams=streams, routing=routing, policies=policies, simulation=simulation
    )


@pytest.fixture
def rates():
    dates = pd.date_range(AS_OF, periods=5)
    rows = [("tiny", AS_OF, stream, date, 0, 9.0, 9.0, "constant") for stream in "st" for date in dates]
    return pd.DataFrame(
        rows, columns=["hospital_id", "as_of", "stream_id", "date", "path", "rate", "mean_rate", "model_type"]
    )


def simulated(config, rates, workers=None, progress=None) -> Occupancy:
    return simulate_occupancy(Experiment(StartingPoint(config, StartingTables(rates)), workers), progress)


def test_any_number_of_workers_gives_the_same_tables(hospital, rates):
    one, two = (simulated(hospital, rates, workers=workers) for workers in (1, 2))
    for name, table in one.tables.items():
        pd.testing.assert_frame_equal(table, two.tables[name], check_exact=True)


def test_the_reference_engine_gives_the_same_tables(hospital, rates):
    reference = hospital.model_copy(update={"simulation": hospital.simulation.model_copy(update={"engine": "simpy"})})
    fast, slow = (simulated(config, rates) for config in (hospital, reference))
    for name, table in fast.tables.items():
        pd.testing.assert_frame_equal(table, slow.tables[name], check_exact=True)


def test_every_request_has_one_outcome(hospital):
    plan = make_plan(hospital, {s: np.full((1, 5), 9.0) for s in "st"}, Horizon(AS_OF, 5), key=1)
    monte_carlo = MonteCarlo(plan, workers=1)
    monte_carlo.extend(20)
    run, counts = monte_carlo.kept(20), monte_carlo.actual
    assert (run.kpi("admitted") <= run.kpi("requests")).all()
    assert (run.kpi("admitted") + run.kpi("turned_away") + run.kpi("left") <= run.kpi("requests")).all()
    for run_kind in (counts, monte_carlo.demand):
        for ward in range(4):
            assert (run_kind.census.of(ward).sum(axis=1) == 20).all()
            assert (run_kind.peaks.of(ward).sum(axis=1) == 20).all()
    # peaks are the highest hourly census, and no ward has more patients than beds when nobody is seated beyond them
    assert counts.peaks.of(0)[:, 4:].sum() == 0
    # bed-days are the integral of the census: hourly censuses come close
    whole = counts.census.of(3)
    by_hour = (whole @ np.arange(whole.shape[1])).sum() / 20 / 24
    assert run.kpi("bed_days").mean() == pytest.approx(by_hour, rel=0.05)


def test_the_tables_agree_with_each_other(hospital, rates):
    occupancy = simulated(hospital, rates, workers=1)
    hours = occupancy.occupancy_distributions
    assert len(hours) == 4 * 5 * 24
    assert hours["at"].min() == AS_OF
    ed = hours[hours["ward_id"] == "ed"]
    assert (ed["staffed_beds"] == 3).all()
    assert (ed["p99"] <= 3).all()
    quantiles = hours[[f"p{q:02d}" for q in (5, 10, 25, 50, 75, 90, 95, 99)]]
    assert (quantiles.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    whole = hours[hours["ward_id"] == HOSPITAL_TOTAL].set_index("at")["mean"]
    assert whole.to_numpy() == pytest.approx(
        hours[hours["ward_id"] != HOSPITAL_TOTAL].groupby("at")["mean"].sum().to_numpy()
    )
    peaks = occupancy.daily_peaks.groupby(["run_kind", "ward_id", "date"])["replications"].sum()
    assert (peaks == 25).all()
    assert len(peaks) == 2 * 4 * 5


def test_progress_is_reported(hospital, rates):
    told = []
    simulated(hospital, rates, progress=lambda done, of: told.append((done, of)))
    assert told == [(20, 25), (25, 25)]


def replications(hospital, wanted):
    """The hospital with another number of replications, or a precision to reach."""
    simulation = hospital.simulation.model_dump() | {"replications": wanted}
    return hospital.model_copy(update={"simulation": type(hospital.simulation).model_validate(simulation)})


def test_a_precision_stops_at_a_planned_look_with_the_tables_of_a_run_of_that_length(hospital, rates):
    loose, tight, impossible = (
        simulated(replications(hospital, {"at_most": 220, "precision": {"mean_census": half_width}}), rates)
        for half_width in (9.0, 0.36, 0.001)
    )
    for occupancy, stopped_at, reached in ((loose, 100, True), (tight, 200, True), (impossible, 220, False)):
        plain = simulated(replications(hospital, stopped_at), rates)
        precision = occupancy.simulation_precision.set_index("quantity")
        assert (precision["replications"] == stopped_at).all()
        assert (precision["looks"] == 3).all()  # after 100, 200 and 220
        assert precision["reached"].dropna().to_dict() == {"mean_census": reached}
        assert precision["half_width"].gt(0).all()
        for name, table in plain.tables.items():
            if name != "simulation_precision":
                pd.testing.assert_frame_equal(table, occupancy.tables[name], check_exact=True)


@pytest.mark.parametrize(("warmup_days", "named"), [(0, False), (1, True), (21, False)])
def test_an_empty_start_warns_of_a_short_warmup(config, warmup_days, named):
    los = {"type": "exponential", "unit": "days", "params": {"mean": 3}}
    simulation = {"start": "empty", "warmup_days": warmup_days, "replications": 60}
    hospital = config({"a": {"capacity": None, "los_model": los}}, simulation=simulation)
    dates = pd.date_range(AS_OF, periods=21)
    rates = pd.DataFrame({"stream_id": "s", "date": dates, "path": 0, "rate": 10.0, "as_of": AS_OF})
    warnings = simulated(hospital, rates).warnings
    assert len(warnings) == named
    assert all(warning.startswith("ward a: the warm-up of 1 days is too short") for warning in warnings)


def test_the_census_is_read_from_the_tables():
    at = pd.Timestamp
    patients = pd.DataFrame(
        [
            ("in_care", at("2026-01-01"), None, "admitted", True),
            ("boards", at("2026-01-02"), None, "admitted", True),
            ("waits", at("2026-01-03"), None, "waiting", True),
            ("gone", at("2026-01-01"), at("2026-01-02"), "admitted", True),
            ("lost_track_of", at("2026-01-01"), None, "admitted", False),
            ("diverted", at("2026-01-01"), None, "diverted", True),
        ],
        columns=["patient_id", "arrival", "departure", "outcome", "departure_known"],
    ).assign(
        hospital_id="tiny", as_of=AS_OF, stream_id="s", patient_type="low",
        departure=lambda f: pd.to_datetime(f["departure"]),
    )  # fmt: skip
    stays = pd.DataFrame(
        [
            ("in_care", 0, "a", "a", "2026-01-01", "2026-01-01", None, None),
            ("boards", 0, "ed", "ed", "2026-01-02", "2026-01-02", "2026-01-03", None),
            ("boards", 1, None, "a", "2026-01-03", None, None, None),
            ("waits", 0, None, "ed", "2026-01-03", None, None, None),
            ("gone", 0, "a", "a", "2026-01-01", "2026-01-01", "2026-01-02", "2026-01-02"),
            ("lost_track_of", 0, "a", "a", "2026-01-01", "2026-01-01", None, None),
        ],
        columns=["patient_id", "stay_no", "ward_id", "planned_ward_id", "request", "admit", "ready", "depart"],
    )
    for column in ("request", "admit", "ready", "depart"):
        stays[column] = pd.to_datetime(stays[column])
    census = starting_census(patients, stays).set_index("patient_id")
    assert census.index.tolist() == ["boards", "in_care", "waits"]
    assert census["ward_id"].fillna("").tolist() == ["ed", "a", ""]
    assert census["waits_for"].fillna("").tolist() == ["a", "", "ed"]
    assert census["first_ward"].tolist() == [False, False, True]


@pytest.mark.parametrize("engine", ["compiled", "simpy"])
def test_boarding_hours_add_up_by_cause(hospital, rates, engine):
    simulation = hospital.simulation.model_copy(update={"engine": engine})
    occupancy = simulated(hospital.model_copy(update={"simulation": simulation}), rates)
    causes, performance = occupancy.boarding_causes, occupancy.ward_performance
    together = performance[performance["patient_type"] == "_all"].set_index("ward_id")
    held, caused = (causes.groupby(name)["boarding_hours"].sum() for name in ("ward_id", "cause_ward_id"))
    assert held.to_dict() == pytest.approx(together["boarding_hours"].drop(HOSPITAL_TOTAL).to_dict())
    assert caused.to_dict() == pytest.approx({w: together["boarding_caused_hours"][w] for w in caused.index})
    assert causes.groupby("ward_id")["share"].sum().to_numpy() == pytest.approx(1)
    assert set(zip(causes["ward_id"], causes["cause_ward_id"], strict=True)) == {
        ("ed", "a"), ("ed", "b"), ("a", "b"), ("b", "a"),
    }  # fmt: skip
