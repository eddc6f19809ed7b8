"""Why the census is uncertain, where the answer is known: mixed Poisson arrivals, routes, and stays that only end."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline import occupancy_drivers
from kaizar_pipeline.planning.drivers import DRIVERS, explained_variance
from kaizar_pipeline.simulation.occupancy import simulate_occupancy
from kaizar_pipeline.simulation.plan import RANDOM_SOURCES
from kaizar_pipeline.simulation.sampling import draw

from .conftest import AS_OF, FIRST_HOUR, HALF_A_DAY

pytestmark = pytest.mark.integration

SIMULATION = {"horizon_days": 2, "start": "empty", "warmup_days": 0, "replications": 2000}


def of(table: pd.DataFrame, ward: str = "w") -> pd.DataFrame:
    """Variance, error, share and width by driver on the first day."""
    return table[(table["ward_id"] == ward) & (table["date"] == AS_OF)].set_index("driver")


def agrees(found: pd.DataFrame, driver: str, truth: float) -> bool:
    variance, error = (found[name].to_dict()[driver] for name in ("variance", "variance_se"))
    return abs(variance - truth) <= 4 * error


def test_mixed_poisson_arrivals_split_into_level_and_noise(hospital, experiment_of):
    ward = {"id": "w", "capacity": None, "los_model": HALF_A_DAY}
    config = hospital([ward], [20], FIRST_HOUR, simulation=SIMULATION)
    paths = np.repeat(np.random.default_rng(1).gamma(25, 20 / 25, (1000, 1)), 2, axis=1)
    found = of(occupancy_drivers(experiment_of(config, paths)))
    assert agrees(found, "arrivals_level", paths[:, 0].var())
    assert agrees(found, "arrivals_noise", paths[:, 0].mean())
    assert (found.loc[["routing", "length_of_stay", "starting_census"], "variance"].abs() < 1e-9).all()


def test_routes_and_stays_have_their_part(hospital, experiment_of):
    # ten come for certain; a third moves on after half a day, so the second ward's highest census is binomial
    wards = [
        {"id": "w", "capacity": None, "los_model": {"type": "fixed", "params": {"value": 2}}},
        {"id": "v", "capacity": None, "los_model": {"type": "fixed", "params": {"value": 12}}},
    ]
    config = hospital(
        wards, [9, 0], FIRST_HOUR, simulation=SIMULATION,
        routing=[{"from_ward": "w", "options": [{"to_ward": "v", "probability": 1 / 3}]}],
    )  # fmt: skip
    found = of(occupancy_drivers(experiment_of(config)), "v")
    # thinned Poisson(9): variance 3, of which Var(E[X | N]) = 9 / 9 = 1 is known from the arrivals
    assert agrees(found, "arrivals_noise", 1.0)
    assert agrees(found, "routing", 2.0)
    assert found.loc["length_of_stay", "variance"] == pytest.approx(0, abs=1e-9)


def test_the_error_of_learned_routes_belongs_to_routing(hospital, experiment_of):
    wards = [
        {"id": "w", "capacity": None, "los_model": {"type": "fixed", "params": {"value": 2}}},
        {"id": "v", "capacity": None, "los_model": {"type": "fixed", "params": {"value": 12}}},
    ]
    routing = [{"from_ward": "w", "options": [{"to_ward": "v", "probability": 1 / 3}]}]
    config = hospital(wards, [9, 0], FIRST_HOUR, simulation=SIMULATION, routing=routing)
    experiment = experiment_of(config)
    plan = experiment.start.plan
    experiment.start.__dict__["plan"] = replace(plan, route_weight=np.array([[11.0, 0.0]]))
    found = of(occupancy_drivers(experiment), "v")
    # beta-binomial of N, Poisson(9): E[N p (1 - p) (11 + N) / 12], p = 1/3, E[N^2] = 90
    assert agrees(found, "arrivals_noise", 1.0)
    assert agrees(found, "routing", 2 / 9 * (11 * 9 + 90) / 12)


def test_the_parts_add_up(hospital, experiment_of):
    ward = {"id": "w", "capacity": 6, "los_model": {"type": "exponential", "params": {"mean": 30}}}
    config = hospital([ward], [4], simulation={**SIMULATION, "replications": 200})
    experiment = experiment_of(config)
    table = occupancy_drivers(experiment)
    peaks = simulate_occupancy(experiment).daily_peaks
    for (name, date), rows in table.groupby(["ward_id", "date"]):
        assert set(rows["driver"]) == set(DRIVERS)
        same = (peaks["run_kind"] == "actual") & (peaks["ward_id"] == name) & (peaks["date"] == date)
        values = np.repeat(peaks.loc[same, "peak_beds"], peaks.loc[same, "replications"])
        assert rows["variance"].sum() == pytest.approx(values.var(ddof=1) * (1 + 1 / 200))
        assert rows["share"].sum() == pytest.approx(1)
        assert (rows["share"] >= 0).all()
        assert rows.loc[rows["variance"] < 0, ["share", "width"]].eq(0).all(axis=None)
        assert rows["is_noise"].tolist() == (rows["variance"] < 2 * rows["variance_se"]).tolist()
        low, high = np.quantile(values, (0.05, 0.95), method="inverted_cdf")
        assert rows["width"].sum() == pytest.approx(high - low)


def test_a_hospital_without_arrivals_depends_on_its_starting_census(hospital, experiment_of):
    ward = {"id": "w", "capacity": 20, "los_model": {"type": "exponential", "params": {"mean": 24}}}
    config = hospital([ward], [0], simulation={"horizon_days": 2, "replications": 1500})
    n, admitted = 12, AS_OF - pd.Timedelta(hours=30)
    census = pd.DataFrame(
        {
            "patient_id": [f"p{i}" for i in range(n)], "stream_id": "to_w", "patient_type": "any", "request": admitted,
            "ward_id": "w", "planned_ward_id": "w", "admit": admitted, "ready": pd.NaT, "waits_for": None,
            "waits_since": pd.NaT, "first_ward": False,
        }
    )  # fmt: skip
    table = occupancy_drivers(experiment_of(config, census=census))
    second = table[(table["ward_id"] == "w") & (table["date"] == AS_OF + pd.Timedelta(days=1))].set_index("driver")
    # a day later each of the twelve is still there with probability 1/e, and the day's highest census is its first
    assert agrees(second, "starting_census", n * np.exp(-1) * (1 - np.exp(-1)))
    assert agrees(second, "arrivals_level", 0)
    assert (second.loc[["arrivals_noise", "routing", "length_of_stay"], "variance"] == 0).all()


def test_nothing_uncertain_has_no_shares(hospital, experiment_of):
    ward = {"id": "w", "capacity": 2, "los_model": HALF_A_DAY}
    config = hospital([ward], [0], simulation={**SIMULATION, "replications": 10})
    table = occupancy_drivers(experiment_of(config))
    assert (table["variance"] == 0).all()
    assert table["share"].isna().all()


def test_redrawing_one_source_leaves_the_others(hospital, experiment_of):
    ward = {"id": "w", "capacity": 2, "los_model": {"type": "exponential", "params": {"mean": 3}}}
    config = hospital([ward], [30], simulation=SIMULATION)
    plan = experiment_of(config).start.plan

    def redrawn(source: str):
        return draw(replace(plan, redraw_offsets=tuple(5 * (name == source) for name in RANDOM_SOURCES)), 0)

    own, other = draw(plan, 0), draw(plan, 5)
    assert (redrawn("routing").los == own.los).all()
    stays = redrawn("length_of_stay")
    assert (stays.arrival == own.arrival).all()
    both = min(len(stays.los), len(other.los))
    assert (stays.los[:both] == other.los[:both]).all()
    arrivals = redrawn("arrivals_noise")
    assert (arrivals.arrival == other.arrival).all()
    both = min(len(arrivals.los), len(own.los))
    assert (arrivals.los[:both] == own.los[:both]).all()


@pytest.mark.unit
def test_explained_variance_by_hand():
    own = np.array([1.0, 2.0, 3.0, 6.0])
    variance, _ = explained_variance(own, [np.array([3.0, 3.0, 3.0, 3.0]), np.array([1.0, 2.0, 3.0, 2.0])])
    # covariances with own: 0, then ((-2)(-1) + 0 + 0 + (3)(0)) / 3, then own's variance 14 / 3
    assert variance.tolist() == pytest.approx([0, 2 / 3, 4])
