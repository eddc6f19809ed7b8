"""What scenarios change: nothing when they say nothing, and with the same patients otherwise."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hand_made import make_config

from kaizar_pipeline.config.calendar import configured_rates
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.errors import ConfigError, SimulationError
from kaizar_pipeline.planning.comparison import compare_scenarios
from kaizar_pipeline.planning.paired import paired
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.monte_carlo import GROUPS, MonteCarlo
from kaizar_pipeline.simulation.occupancy import simulate_occupancy
from kaizar_pipeline.simulation.plan import make_plan
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
from kaizar_pipeline.tables import SCENARIO_COMPARISON

pytestmark = pytest.mark.integration

MONDAY = pd.Timestamp("2026-01-05")
DAYS = 7
REPLICATIONS = 40


def hours(mean: float) -> dict[str, Any]:
    return {"type": "exponential", "params": {"mean": mean}}


def hospital(beds: int | None = 6, **simulation: Any) -> HospitalConfig:
    """Some 24 patients a day stay 4 hours in the emergency department; 30 % go on to the ward for half a day."""
    stream = {"id": "s", "target_ward": "ed", "patient_type": "low", "model": {"type": "constant", "mean_per_day": 24}}
    return make_config(
        {
            "ed": {"id": "ed", "capacity": beds, "los_model": hours(4)},
            "ward": {"id": "ward", "capacity": 5, "los_model": hours(12)},
        },
        arrival_streams=[stream],
        routing=[{"from_ward": "ed", "options": [{"to_ward": "ward", "probability": 0.3}]}],
        simulation={
            "start": "empty",
            "warmup_days": 2,
            "horizon_days": DAYS,
            "replications": REPLICATIONS,
            **simulation,
        },
    )


def rates(config: HospitalConfig) -> pd.DataFrame:
    dates = pd.date_range(MONDAY, periods=DAYS)
    frames = [
        pd.DataFrame({"stream_id": stream.id, "date": dates, "rate": configured_rates(stream, config.hospital, dates)})
        for stream in config.arrival_streams
    ]
    return pd.concat(frames).assign(path=0, as_of=MONDAY)


def scenario(name: str = "s", **parts: Any) -> Scenario:
    return Scenario.model_validate({"id": name, "description": "What if", "hospitals": ["tiny"], **parts})


def experiment_of(config: HospitalConfig, workers: int | None = None) -> Experiment:
    return Experiment(StartingPoint(config, StartingTables(rates(config))), workers)


def compare(config: HospitalConfig, *scenarios: Scenario, workers: int | None = None, **options: Any) -> pd.DataFrame:
    return compare_scenarios(experiment_of(config, workers), scenarios, **options)


def rows(comparison: pd.DataFrame, name: str = "s") -> Any:
    """One scenario's rows by ward and KPI."""
    return comparison[comparison["scenario"] == name].set_index(["ward_id", "kpi"])


def test_a_scenario_that_changes_nothing_changes_nothing_exactly():
    same_by_other_words = scenario(
        arrival_scale=[{"factor": 1}],
        los_scale=[{"factor": 1}],
        capacity_overrides=[{"ward": "ed", "change": 0}, {"ward": "ward", "capacity": 5}],
    )
    comparison = compare(hospital(), scenario("nothing"), same_by_other_words)
    assert set(comparison["scenario"]) == {"nothing", "s"}
    assert (comparison[["difference", "difference_se", "low", "high"]] == 0).to_numpy().all()
    assert comparison["baseline"].equals(comparison["value"])
    assert not comparison["overloaded"].any()


def test_the_table_is_as_declared_and_any_number_of_workers_gives_the_same():
    more = scenario(arrival_scale=[{"factor": 1.2}])
    one, two = (compare(hospital(), more, workers=workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    pd.testing.assert_frame_equal(one, SCENARIO_COMPARISON.conform(one, ("run_id",)), check_exact=True)
    assert set(one["ward_id"]) == {"ed", "ward", "_hospital"}
    assert one[one["kpi"] == "hours_full_share"]["pairs"].tolist() == [REPLICATIONS] * 3
    assert one[one["kpi"] == "p95_census"]["pairs"].tolist() == [GROUPS] * 3


def test_the_baseline_is_the_hospital_as_it_is_simulated():
    config = hospital()
    performance = simulate_occupancy(experiment_of(config)).ward_performance
    performance = performance[performance["patient_type"] == "_all"].set_index("ward_id")
    compared = rows(compare(config, scenario()))["baseline"].unstack("kpi")
    for kpi in ("requests", "boarding_hours", "hours_full_share", "mean_occupancy"):
        pd.testing.assert_series_equal(compared[kpi], performance[kpi].rename(kpi), check_names=False)


def test_no_scenario_gives_an_empty_table_and_simulates_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(MonteCarlo, "submit")
    assert compare(hospital()).empty


def test_fewer_beds_make_patients_wait_and_the_same_patients_come():
    found = rows(compare(hospital(), scenario(capacity_overrides=[{"ward": "ed", "change": -1}])))
    assert found.loc[("ed", "requests"), "difference"] == 0
    assert found.loc[("ed", "wait_mean_hours"), "low"] > 0
    assert found.loc[("ed", "hours_full_share"), "low"] > 0
    assert found.loc[("ed", "p95_census"), "value"] == 5


def test_a_ward_that_is_closed_and_empty_is_not_full():
    config = hospital().model_copy(update={"arrival_streams": tuple(
        stream.model_copy(update={"model": stream.model.model_copy(update={"mean_per_day": 0})})
        for stream in hospital().arrival_streams
    )})  # fmt: skip
    window = {"from": "2026-01-06T06:00", "to": "2026-01-07"}
    found = rows(
        compare(config, scenario(capacity_overrides=[{"ward": "ward", "capacity": 0, **window}]), replications=3)
    )
    share = found.xs("hours_full_share", level="kpi")
    assert share["value"].to_dict() == {"_hospital": 0, "ed": 0, "ward": 0}
    assert found.loc[("ward", "days_any_hour_full"), "difference"] == 0


def test_dated_arrivals_change_their_days_only():
    found = rows(compare(hospital(), scenario(arrival_scale=[{"factor": 0, "from": "2026-01-08", "to": "2026-01-10"}])))
    half_of_a_week = found.loc[("ed", "requests")]
    assert half_of_a_week["value"] == pytest.approx(24 * 5, abs=4 * np.sqrt(24 * 5 / REPLICATIONS))
    assert half_of_a_week["difference"] == pytest.approx(-24 * 2, abs=4 * np.sqrt(24 * 2 / REPLICATIONS))


@pytest.mark.parametrize("factor", [0.7, 1.3])
def test_a_factor_on_arrivals_keeps_the_patients_of_the_baseline(factor: float):
    config = hospital()
    plans = [
        make_plan(config, {"s": np.full((1, DAYS), 24.0)}, Horizon(MONDAY, DAYS), key=1).scaled(factors, {})
        for factors in ({}, {"s": np.full(DAYS, factor)})
    ]

    def patients(plan: Any) -> set[tuple[float, ...]]:
        drawn = draw(plan, 0)
        ways = np.split(drawn.los, drawn.offset[1:-1])
        return {(int(n), at, *los) for n, at, los in zip(drawn.number, drawn.arrival, ways, strict=True)}

    baseline, changed = map(patients, plans)
    assert changed != baseline
    assert changed < baseline if factor < 1 else changed > baseline


def test_a_factor_on_lengths_of_stay_multiplies_each():
    config = hospital()
    one, other = (
        draw(make_plan(config, {"s": np.full((1, DAYS), 24.0)}, Horizon(MONDAY, DAYS), key=1).scaled({}, factors), 0)
        for factors in ({}, {("ward", "low"): 1.5})
    )
    np.testing.assert_array_equal(one.planned_ward, other.planned_ward)
    np.testing.assert_allclose(other.los, np.where(one.planned_ward == 1, 1.5, 1.0) * one.los)
    assert (other.los == one.los)[one.planned_ward == 0].all()


def test_a_scenario_can_set_the_number_of_arrivals():
    model = {"type": "schedule", "pattern": "Mon", "mean_per_day": 10}
    found = rows(compare(hospital(), scenario(arrival_streams=[{"id": "s", "model": model}])))
    assert found.loc[("ed", "requests"), "value"] == 10


def test_a_ward_that_the_scenario_adds_has_no_baseline():
    new = {"id": "new", "capacity": 3, "los_model": hours(12)}
    to_new = {"ward": "ward", "redirect_to": ["new"]}
    found = rows(compare(hospital(), scenario(add_wards=[new], policies={"overflow": [to_new]})))
    there = found.loc["new"]
    assert there[["baseline", "difference", "difference_se", "low", "high"]].isna().all(axis=None)
    assert there.loc["bed_days", "value"] > 0
    assert found.loc[("ward", "outliers"), "low"] > 0
    assert found.loc[("ed", "boarding_hours"), "high"] < 0


def test_kpis_that_were_not_measured_have_no_row():
    found = rows(compare(hospital(beds=None), scenario()))
    assert ("ed", "mean_occupancy") not in found.index
    assert ("ed", "p95_census") in found.index
    assert ("ward", "mean_occupancy") in found.index


def test_an_overloaded_scenario_is_an_answer_and_an_overloaded_hospital_is_not():
    comparison = compare(hospital(), scenario(capacity_overrides=[{"ward": "ed", "capacity": 3}]), replications=4)
    assert set(comparison.loc[comparison["overloaded"], "ward_id"]) == {"ed", "_hospital"}
    busy = compare(hospital(), scenario(arrival_scale=[{"factor": 2}]), replications=4)
    assert busy["overloaded"].any()
    with pytest.raises(SimulationError, match="ward ed: offered load"):
        compare(hospital(beds=3), scenario())


@pytest.mark.parametrize("replications", [7, REPLICATIONS])
def test_the_percentile_of_the_census_is_that_of_each_group(replications: int):
    experiment = experiment_of(hospital())
    plan = experiment.start.plan
    found = experiment.run(plan, replications, grouped=True).p95_census()
    groups = np.array_split(np.arange(replications), min(GROUPS, replications))
    assert len(found) == len(groups)
    for of_group, group in zip(found, groups, strict=True):
        # the histogram of a group alone: that of the replications up to its end, less that up to its beginning
        upto = [MonteCarlo(plan, workers=1, with_demand=False) for _ in range(2)]
        for monte_carlo, end in zip(upto, (group[0], group[-1] + 1), strict=True):
            monte_carlo.extend(int(end))
        for ward, p95 in enumerate(of_group):
            after = upto[1].actual.census.of(ward).sum(axis=0).astype(int)
            if group[0]:
                before = upto[0].actual.census.of(ward).sum(axis=0).astype(int)
                after[: len(before)] -= before[: len(after)]
            assert p95 == np.quantile(np.repeat(np.arange(len(after)), after), 0.95, method="inverted_cdf")


def test_pairs_have_the_mean_and_error_of_their_differences():
    found = paired(np.array([1.0, 2.0, np.nan, 4.0]), np.array([2.0, 5.0, 7.0, np.nan]))
    assert found["pairs"] == 2
    assert (found["baseline"], found["value"], found["difference"]) == (1.5, 3.5, 2.0)
    assert found["difference_se"] == pytest.approx(1.0)
    assert found["high"] - 2.0 == pytest.approx(12.7062, abs=1e-4)  # Student's t with one degree of freedom
    assert "difference_se" not in paired(np.array([1.0]), np.array([3.0]))


def test_pairs_vary_less_than_strangers():
    """The variance of a paired difference is less than half that of differences between independent runs."""
    fewer = scenario(capacity_overrides=[{"ward": "ed", "change": -1}])
    found = [rows(compare(hospital(seed=seed), fewer)).loc["ed"] for seed in range(8)]
    for kpi in ("boarding_hours", "bed_days", "wait_mean_hours"):
        paired = np.mean([run.loc[kpi, "difference_se"] ** 2 for run in found])
        baseline, value = (np.array([run.loc[kpi, column] for run in found]) for column in ("baseline", "value"))
        assert paired < (baseline.var(ddof=1) + value.var(ddof=1)) / 2


def test_two_scenarios_of_one_id_are_refused():
    with pytest.raises(ConfigError, match="scenarios s, s: each needs an id of its own"):
        compare(hospital(), scenario(), scenario())
