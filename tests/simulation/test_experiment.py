"""An experiment simulates nothing twice, and its results do not depend on what it has simulated before."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hand_made import MONDAY, make_config

from kaizar_pipeline import Experiment, Scenario, StartingPoint, StartingTables, load_hospital_config, run_chain
from kaizar_pipeline.patients.starting_census import starting_census
from kaizar_pipeline.simulation import experiment as module
from kaizar_pipeline.simulation.experiment import fingerprint
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo, Run
from kaizar_pipeline.simulation.workers import Worker
from kaizar_pipeline.tables import PATIENTS, WARD_STAYS

pytestmark = pytest.mark.integration

DAYS = 3


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, int]]:
    """Plan and replication of all that is simulated, in the order in which that begins."""
    done: list[tuple[bytes, int]] = []
    run = Worker.run

    def noted(worker: Worker, first: int, replications: int, stop: np.ndarray):
        done.extend(product([fingerprint(worker.plan)], range(first, first + replications)))
        return run(worker, first, replications, stop)

    monkeypatch.setattr(Worker, "run", noted)
    return done


@pytest.fixture
def start() -> StartingPoint:
    """Two wards, of which the first sends patients to the second."""
    hours = {"type": "exponential", "params": {"mean": 10}}
    config = make_config(
        {"a": {"capacity": 4, "los_model": hours}, "b": {"capacity": 2, "los_model": hours}},
        routing=[{"from_ward": "a", "options": [{"to_ward": "b", "probability": 0.3}]}],
        simulation={"start": "empty", "warmup_days": 1, "replications": 50},
    )
    dates = pd.date_range(MONDAY, periods=DAYS)
    rates = pd.DataFrame({"stream_id": "s", "date": dates, "path": 0, "rate": 6.0, "as_of": MONDAY})
    return StartingPoint(config, StartingTables(rates))


def assert_equal(one: Run, other: Run) -> None:
    np.testing.assert_array_equal(one.kpis, other.kpis)
    np.testing.assert_array_equal(one.peaks, other.peaks)
    np.testing.assert_array_equal(one.p95_census(), other.p95_census())


def test_the_chain_simulates_no_replication_of_a_plan_twice(
    make_home: Callable[..., Path], simulated: list[tuple[bytes, int]]
):
    config = load_hospital_config(make_home("tiny") / "hospital_configs" / "tiny.yml")
    config = config.model_copy(
        update={"simulation": config.simulation.model_copy(update={"replications": 30, "horizon_days": 9})}
    )
    about = {"description": "What if", "hospitals": ["tiny"]}
    scenarios = [
        Scenario.model_validate({"id": "same", **about}),
        Scenario.model_validate({"id": "bed", **about, "capacity_overrides": [{"ward": "ward", "change": 1}]}),
        Scenario.model_validate({"id": "busy", **about, "arrival_scale": [{"factor": 1.1}]}),
    ]
    run_chain(config, as_of="2026-05-04", scenarios=scenarios, backtest_origins=0)
    assert len(simulated) == len(set(simulated))
    # the hospital as it is, 2 wards with 5 changes of beds, 1 new allocation of two beds, 4 drivers, 1 scenario,
    # and the first 7 days for the headline
    plans = {plan for plan, _ in simulated}
    assert len(plans) == 1 + 2 * 5 + 1 + 4 + 1 + 1
    assert {replication for _, replication in simulated} == set(range(30))


def test_results_do_not_depend_on_what_was_simulated_before(start: StartingPoint, simulated: list[tuple[bytes, int]]):
    plan, experiment = start.plan, Experiment(start, workers=2)
    few, more = experiment.run(plan, 30, grouped=True), experiment.run(plan, 50, grouped=True)
    assert_equal(few, Experiment(start, workers=1).run(plan, 30, grouped=True))
    assert_equal(more, Experiment(start, workers=1).run(plan, 50, grouped=True))
    simulated.clear()
    assert_equal(experiment.run(plan, 30, grouped=True), few)
    assert not simulated


def test_counts_are_of_as_many_replications_as_are_asked_for(start: StartingPoint):
    experiment, alone = Experiment(start), MonteCarlo(start.plan)
    experiment.run(start.plan, 50)
    for replications in (30, 50):
        counts, demand = experiment.count_with_demand(start.plan, replications)
        alone.extend(replications)
        assert counts.replications == demand.replications == replications
        assert counts.kpi.mean.tobytes() == alone.actual.kpi.mean.tobytes()
        for ward in range(3):
            np.testing.assert_array_equal(demand.census.of(ward).sum(axis=1), replications)
    np.testing.assert_array_equal(experiment.demand_peaks(start.plan, 50), alone.demand_peaks(50))


def test_what_was_not_used_for_longest_is_forgotten_but_for_the_hospital_as_it_is(
    start: StartingPoint, simulated: list[tuple[bytes, int]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "MEMORY", 0)
    experiment = Experiment(start)
    plans = [start.plan, start.with_beds({"a": 1})]
    first = [list(experiment.run_all(plans, 20, grouped=True)) for _ in range(2)]
    assert [simulated.count((fingerprint(plan), 0)) for plan in plans] == [1, 2]
    for one, other in zip(*first, strict=True):
        assert_equal(one, other)


def test_plans_are_equal_by_content(start: StartingPoint):
    scenario = Scenario.model_validate(
        {
            "id": "one_more",
            "description": "A bed",
            "hospitals": ["tiny"],
            "capacity_overrides": [{"ward": "b", "change": 1}],
        }
    )
    assert fingerprint(start.under(scenario)) == fingerprint(start.with_beds({"b": 1}))
    others = [start.plan, start.with_beds({"a": 1}), start.with_beds({"b": 1}), start.plan.demand()]
    assert len({fingerprint(plan) for plan in others}) == len(others)


def test_a_hospital_without_patients_has_an_empty_starting_census(start: StartingPoint):
    census = starting_census(PATIENTS.empty(), WARD_STAYS.empty())
    assert census.empty
    config = start.config.model_copy(
        update={"simulation": start.config.simulation.model_copy(update={"start": "census", "warmup_days": 0})}
    )
    plan = StartingPoint(config, start.tables._replace(starting_census=census)).plan
    assert len(plan.census.seat) == 0
