"""A hospital that learns its routes draws them anew in each replication, around the rows of the table routes."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hand_made import MONDAY, make_config
from small_extracts import make_hospital

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.load import onward_of
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo
from kaizar_pipeline.simulation.plan import RANDOM_SOURCES, Learned, Plan, make_plan
from kaizar_pipeline.simulation.sampling import draw, route_shares
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
from kaizar_pipeline.stats.absorption import VISITS_AT_MOST, visits_until_home
from kaizar_pipeline.tables import ROUTES

pytestmark = pytest.mark.integration

Shares = Mapping[tuple[str, str], Mapping[str, float]]
"""By ward and patient type, stays by next ward."""

TRUE_ROUTING = [{"from_ward": "ed", "options": [{"to_ward": "icu", "probability": 0.1}]}]
SYNTHETIC = {"source": "synthetic", "history_start": "2025-01-01", "truth": {"routing": TRUE_ROUTING}}

STAYS: Shares = {
    ("ed", "low"): {"icu": 6, "ward": 30, "_home": 64},
    ("icu", "low"): {"ed": 2, "ward": 7, "_home": 1},
    ("ward", "low"): {"_home": 50},
}


def table(stays: Shares = STAYS) -> pd.DataFrame:
    rows = [
        {"ward_id": ward, "patient_type": kind, "next_ward_id": to, "origin": "from_data", "in_use": True,
         "probability": n / sum(onward.values()), "n": int(n), "per_day": 1.0, "weight": float(sum(onward.values()))}
        for (ward, kind), onward in stays.items()
        for to, n in onward.items()
    ]  # fmt: skip
    unused = [{**row, "origin": "configured", "in_use": False, "probability": 0.5} for row in rows]
    return ROUTES.frame(pd.DataFrame([*unused, *rows]), hospital_id="tiny", as_of=MONDAY)


def learning(*wards: str, **parts: object) -> HospitalConfig:
    given = {"patients": SYNTHETIC, "routing": "from_data"} | parts
    return make_config(dict.fromkeys(wards or ("ed", "icu", "ward")), **given)


def plan_of(config: HospitalConfig, routes: pd.DataFrame | None, per_day: float = 20) -> Plan:
    rates = {"s": np.full((1, 7), per_day)}
    return make_plan(config, rates, Horizon(MONDAY, 7), key=3, learned=Learned(routes=routes))


def shares_of(plan: Plan, replications: int, kind: str = "low") -> dict[tuple[str, str], np.ndarray]:
    """f8[replications] by ward and next ward."""
    onward = onward_of(route_shares(plan, 0, replications), plan.next_wards)[:, plan.patient_type_ids.index(kind)]
    names = plan.ward_ids
    return {(one, other): onward[:, w, v] for w, one in enumerate(names) for v, other in enumerate(names)}


def test_each_replication_has_its_own_shares_around_the_learned_ones():
    found = shares_of(plan_of(learning(), table()), 4000)
    for (ward, kind), stays in STAYS.items():
        n = sum(stays.values())
        for to, count in stays.items():
            if to != "_home":
                mean = count / n
                sd = np.sqrt(mean * (1 - mean) / (n + 1))
                assert found[ward, to].mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(4000)), kind
                assert found[ward, to].std() == pytest.approx(sd, rel=0.06)
    assert (found["ward", "ed"] == 0).all()
    correlation = np.corrcoef(found["ed", "icu"], found["icu", "ward"])[0, 1]
    assert abs(correlation) < 4 / np.sqrt(4000)


def test_shares_depend_on_the_replication_alone():
    plan = plan_of(learning(), table())
    shares = route_shares(plan, 0, 40)
    assert np.array_equal(route_shares(plan, 17, 5), shares[17:22])
    other = shares_of(plan_of(learning("ward", "ed", "icu"), table()), 40)
    for pair, own in shares_of(plan, 40).items():
        assert np.array_equal(own, other[pair])
    offsets = tuple(5 * (name == "routing") for name in RANDOM_SOURCES)
    assert np.array_equal(route_shares(replace(plan, redraw_offsets=offsets), 0, 20), shares[5:25])


def test_given_routes_have_no_error():
    plan = plan_of(make_config(dict.fromkeys(["ed", "icu", "ward"]), routing=TRUE_ROUTING), table())
    assert np.array_equal(route_shares(plan, 4, 30), plan.route_cdf[None])
    assert not plan.route_weight.any()


def test_patients_go_by_the_shares_of_their_replication():
    plan = plan_of(learning(), table(), per_day=2000)
    for replication in (0, 1):
        drawn = draw(plan, replication)
        first = drawn.offset[:-1]
        goes_on = np.diff(drawn.offset) > 1
        to_icu = goes_on & (drawn.planned_ward[np.minimum(first + 1, len(drawn.los) - 1)] == plan.ward_ids.index("icu"))
        share = shares_of(plan, replication + 1)["ed", "icu"][replication]
        assert to_icu.mean() == pytest.approx(share, abs=4 * np.sqrt(share / len(first)))


def test_both_engines_draw_the_same_routes():
    config = make_config(
        {"ed": 6, "icu": 3, "ward": 9}, patients=SYNTHETIC, routing="from_data", simulation={"overload": "allow"}
    )
    plan = plan_of(config, table(), per_day=8)
    compiled, reference = (MonteCarlo(plan, engine=engine, workers=2) for engine in ("compiled", "simpy"))
    for run in (compiled, reference):
        run.extend(23)
    assert np.array_equal(compiled.kept(23).kpis, reference.kept(23).kpis, equal_nan=True)
    assert np.array_equal(compiled.kept(23).peaks, reference.kept(23).peaks)
    alone = MonteCarlo(plan, workers=1)
    alone.extend(7)
    assert np.array_equal(alone.kept(7).peaks, compiled.kept(23).peaks[:7])


def test_no_replication_sends_patients_round_and_round():
    # nine of ten come back, by ten stays: a draw without an exit is likely, and has the means instead
    plan = plan_of(
        learning(), table({("ed", "low"): {"ed": 1, "icu": 8, "_home": 1}, ("icu", "low"): {"ed": 9, "_home": 1}})
    )
    onward = onward_of(route_shares(plan, 0, 3000), plan.next_wards)
    assert (visits_until_home(onward) <= VISITS_AT_MOST).all()
    low = plan.patient_type_ids.index("low")
    own = (onward[:, low] != onward_of(plan.route_cdf, plan.next_wards)[low]).any(axis=(1, 2))
    assert 0.5 < own.mean() < 1


def test_without_the_table_a_hospital_that_learns_is_refused():
    for routes in (None, table().iloc[:0]):
        with pytest.raises(SimulationError, match="routing is from_data, but routes has no rows in use"):
            plan_of(learning(), routes)


def test_a_scenario_gives_rows_in_place_of_learned_ones():
    moves = {"path": "moves.csv", "columns": {"patient_id": "id", "ward": "ward", "admit": "in", "depart": "out"}}
    hospital = make_hospital(routing="from_data", stays=moves)
    streams = [stream.model_copy(update={"hourly_profile": "flat"}) for stream in hospital.arrival_streams]
    hospital = hospital.model_copy(update={"arrival_streams": tuple(streams)})
    dates = pd.date_range(MONDAY, periods=7)
    rates = pd.concat(
        pd.DataFrame({"stream_id": stream.id, "path": 0, "date": dates, "rate": 20.0, "as_of": MONDAY})
        for stream in streams
    )
    both = {"bed": 30.0, "_home": 70.0}
    routes = table(
        {("ed", kind): both for kind in ("acute", "planned")} | {("bed", "acute"): {"ed": 10.0, "_home": 90.0}}
    )
    start = StartingPoint(hospital, StartingTables(rates, routes=routes))
    scenario = Scenario.model_validate(
        {"id": "x", "description": "x", "hospitals": ["small"],
         "routing": [{"from_ward": "ed", "options": [{"to_ward": "bed", "probability": 0.5}]}]}
    )  # fmt: skip
    own, other = start.plan, start.under(scenario)
    assert own.route_cdf[:, 0, -1].tolist() == [0.3, 0.3]
    assert other.route_cdf[:, 0, -1].tolist() == [0.5, 0.5]
    assert own.route_weight.tolist() == [[100, 100], [100, 0]]
    assert other.route_weight.tolist() == [[0, 100], [0, 0]]
    shares = route_shares(own, 0, 9), route_shares(other, 0, 9)
    assert np.array_equal(shares[0][:, 0, 1], shares[1][:, 0, 1])
