"""Waits and journeys of all replications together: counted again from the stays, and as theory has them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hand_made import MONDAY, Patient, make_config, make_small_plan, trajectories_of
from hypothesis import given
from random_hospitals import Hospital, examples, hospitals

from kaizar_pipeline.simulation import compiled_engine, simpy_engine
from kaizar_pipeline.simulation.counting import Ratios, journey_groups
from kaizar_pipeline.simulation.flow_windows import FLOW
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.kernel import block as kernel
from kaizar_pipeline.simulation.kernel.count import Records, Tallies
from kaizar_pipeline.simulation.kernel.inputs import rules_of, sources_of
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo, block_group_ends
from kaizar_pipeline.simulation.plan import Plan, make_plan
from kaizar_pipeline.simulation.summary import patient_journeys, ward_performance
from kaizar_pipeline.simulation.trajectories import DISCHARGED, DIVERTED, IN_SYSTEM, LEFT, NOWHERE, Stays, Trajectories
from kaizar_pipeline.simulation.waits import BINS, ENDS, JOURNEY, LONGEST, percentile
from kaizar_pipeline.simulation.workers import flow_window_of, window_of
from kaizar_pipeline.tables import ALL, HOSPITAL_TOTAL
from kaizar_pipeline.tables.kpis import KPI_INDEX

pytestmark = pytest.mark.integration

CONSTANTS = {"hospital_id": "tiny", "as_of": MONDAY, "scenario": "baseline"}


@dataclass(frozen=True)
class Counted:
    """One replication, counted by the kernel."""

    tallies: Tallies
    records: Records

    def kpi(self, name: str) -> np.ndarray:
        """f8[W + 1, T + 1]"""
        return self.records.kpis[0, :, :, KPI_INDEX[name]]


def count(plan: Plan, drawn: Trajectories, stays: Stays) -> Counted:
    window, patients, wards = window_of(plan), len(drawn.arrival), len(plan.ward_ids)
    flows = flow_window_of(plan)
    model = kernel.Model(sources_of(plan), rules_of(plan), rules_of(plan.demand()), window, flows, False)
    buffers = kernel.make_buffers(model, patients, len(drawn.los))
    actual, demand = (kernel.make_tallies(np.full(wards + 1, patients + 1), window) for _ in range(2))
    totals = kernel.Totals(actual, demand, kernel.make_flow_tallies(np.full((wards + 1) * len(FLOW), 1), flows))
    records = kernel.make_records(window, 1)
    assert kernel.tally_one(model, kernel.Simulated(drawn, stays, stays), buffers, totals, records, 0) == 0
    return Counted(totals.actual, records)


def bin_of(hours: np.ndarray) -> np.ndarray:
    """The bin of each wait, by the ends of the bins; a difference of two times may be off in its last bit."""
    return np.searchsorted(ENDS, hours - 1e-10)


@dataclass(frozen=True)
class Patients:
    """What happened to the patients who arrived, worked out from their stays one by one."""

    plan: Plan
    drawn: Trajectories
    stays: Stays

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        for p in range(self.drawn.n_census, len(self.drawn.arrival)):
            first, last = self.drawn.offset[p], self.drawn.offset[p + 1] - 1
            if np.isfinite(self.stays.request[first]):
                yield p, first, last

    def waits(self, first: int, last: int) -> list[float]:
        """Of each request that was made."""
        until = np.minimum(np.minimum(self.stays.admit, self.stays.depart), self.plan.hours)[first : last + 1]
        asked = self.stays.request[first : last + 1]
        return (until - asked)[np.isfinite(asked)].tolist()

    def journey(self, p: int, first: int, last: int) -> tuple[float, float]:
        """Hours until the first bed, and until leaving."""
        left = self.stays.depart[first] if self.stays.status[p] == LEFT else self.stays.depart[last]
        end = min(left, self.plan.hours) - self.stays.request[first]
        return min(self.stays.admit[first] - self.stays.request[first], end), end


@given(hospital=hospitals())
@examples(60)
def test_every_patient_who_arrives_counts_once(hospital: Hospital) -> None:
    plan, drawn = hospital.plan, hospital.trajectories
    stays = compiled_engine.simulate(plan, drawn)
    counted = count(plan, drawn, stays)
    patients = Patients(plan, drawn, stays)
    stayed = [(p, first, last) for p, first, last in patients if stays.status[p] != DIVERTED]
    total = [sum(patients.waits(first, last)) for _, first, last in stayed]
    hospital_waits = counted.tallies.waits.reshape(-1, len(plan.patient_type_ids), BINS)[-1].sum(axis=0)
    assert hospital_waits.tolist() == np.bincount(bin_of(np.array(total)), minlength=BINS).tolist()
    found = {name: counted.kpi(name)[-1, -1] for name in KPI_INDEX}
    assert found["requests"] == len(list(patients))
    assert found["requests"] - found["turned_away"] == len(stayed)
    assert found["wait_mean_hours"] == pytest.approx(sum(total))
    assert found["wait_share_over_4h"] == np.sum(np.array(total) > 4)
    first_beds = [stays.admit[first] < np.inf for _, first, _ in stayed]
    assert found["admitted"] == sum(first_beds)
    outliers = [
        any(stays.used_ward[s] not in (NOWHERE, drawn.planned_ward[s]) for s in range(first, last + 1))
        for _, first, last in stayed
    ]
    assert found["outliers"] == sum(outliers)
    assert found["throughput"] == np.sum(stays.status == DISCHARGED)
    # nobody is lost: a bed, gone without one, or waiting for the first one; and who waits for any bed waits at the end
    waiting = [np.isinf(stays.depart[first]) and np.isinf(stays.admit[first]) for _, first, _ in stayed]
    assert len(stayed) == found["admitted"] + found["left"] + sum(waiting)
    assert sum(waiting) <= found["still_waiting_share"] <= found["requests"]


@given(hospital=hospitals())
@examples(60)
def test_journeys_are_those_of_the_stays(hospital: Hospital) -> None:
    plan, drawn = hospital.plan, hospital.trajectories
    stays = compiled_engine.simulate(plan, drawn)
    counted = count(plan, drawn, stays)
    patients = Patients(plan, drawn, stays)
    times = [patients.journey(*patient) for patient in patients if stays.status[patient[0]] != DIVERTED]
    bins, sums = counted.tallies.journeys.reshape(2, BINS), counted.records.journeys[0, 0]
    assert sums[JOURNEY.patients] == len(times)
    for of_patients, hours, over_4h, over_12h, times_of in zip(
        bins,
        (JOURNEY.bed_hours, JOURNEY.hospital_hours),
        (JOURNEY.bed_over_4h, JOURNEY.hospital_over_4h),
        (JOURNEY.bed_over_12h, JOURNEY.hospital_over_12h),
        np.array(times).reshape(-1, 2).T,
        strict=True,
    ):
        assert of_patients.tolist() == np.bincount(bin_of(times_of), minlength=BINS).tolist()
        assert sums[hours] == pytest.approx(times_of.sum())
        assert (sums[over_4h], sums[over_12h]) == (np.sum(times_of > 4), np.sum(times_of > 12))
    assert np.all(np.cumsum(bins[0]) >= np.cumsum(bins[1]))  # nobody leaves before the first bed
    assert sums[JOURNEY.present] == sum(stays.status[p] == IN_SYSTEM for p, _, _ in patients)


@given(hospital=hospitals())
@examples(40)
def test_both_engines_give_the_same_counts(hospital: Hospital) -> None:
    one, other = (
        count(hospital.plan, hospital.trajectories, engine.simulate(hospital.plan, hospital.trajectories))
        for engine in (compiled_engine, simpy_engine)
    )
    for ours, theirs in ((one.tallies, other.tallies), (one.records, other.records)):
        assert all(a.tobytes() == b.tobytes() for a, b in zip(ours, theirs, strict=True))


def test_bins_are_6_minutes_and_then_1_percent():
    plan = make_small_plan(make_config({"a": 1}), days=100)
    lengths = [0.1, 0.05, 5.95, 42.0, 60.0, 700.0, 1000.0]
    patients = [Patient(0.0, [("a", hours)]) for hours in lengths]
    drawn = trajectories_of(plan, patients)
    found = count(plan, drawn, simpy_engine.simulate(plan, drawn)).tallies.journeys.reshape(2, BINS)
    starts = np.cumsum([0, *lengths[:-1]])
    for bins, hours in zip(found, (starts, starts + lengths), strict=True):
        assert np.repeat(np.arange(BINS), bins).tolist() == bin_of(hours).tolist()
    assert ENDS[:4].tolist() == [0, 0.1, 0.2, 0.3]
    assert ENDS[480] == 48
    assert (ENDS[481:] / ENDS[480:-1]) == pytest.approx(1.01)
    assert ENDS[-2] < LONGEST <= ENDS[-1]


def test_a_percentile_is_the_wait_that_so_many_do_not_exceed():
    counts = np.zeros(BINS, dtype=int)
    assert np.isnan(percentile(counts, 0.5))
    counts[0] = 6
    assert percentile(counts, 0.5) == 0
    counts[20] = 4  # four waits between 1.9 and 2.0 hours
    assert percentile(counts, 0.5) == 0
    assert percentile(counts, 0.8) == pytest.approx(1.95)
    assert percentile(counts, 1.0) == pytest.approx(2.0)


# Waits that can be quoted


def queue(
    beds: int, per_day: float, days: float, horizon: int, warmup: int = 0, cuts: Iterable[int] = ()
) -> MonteCarlo:
    stays = {"type": "exponential", "unit": "days", "params": {"mean": days}}
    config = make_config({"a": {"capacity": beds, "los_model": stays}})
    plan = make_plan(config, {"s": np.full((1, horizon), per_day)}, Horizon(MONDAY, horizon, warmup), key=1)
    return MonteCarlo(plan, workers=1, with_demand=False, cuts=cuts)


def test_percentiles_are_those_of_all_patients_not_of_replications():
    monte_carlo = queue(20, per_day=9, days=2, horizon=28, warmup=56, cuts=range(400))
    monte_carlo.extend(400)
    value, error = (figure[0, -1] for figure in monte_carlo.actual.figures("wait_p95_hours"))
    of_replications = []
    for part in monte_carlo.kept(400).waits.parts:
        counts = np.zeros((2, 2, BINS), dtype=np.int64)
        counts.reshape(-1)[part.cell] = part.waits
        of_replications.append(percentile(counts[0].sum(axis=0), 0.95))
    assert len(of_replications) == 400
    assert np.mean(of_replications) < value - 5 * error
    # 57.6 hours in a queue without end; waits that last beyond the horizon are cut off
    assert value == pytest.approx(53.0, abs=4 * error)


@pytest.fixture(scope="module")
def short() -> MonteCarlo:
    monte_carlo = queue(3, per_day=12, days=0.2, horizon=4)
    monte_carlo.extend(50)
    return monte_carlo


@pytest.mark.parametrize("kpi", ["wait_mean_hours", "wait_share_over_4h", "wait_p95_hours"])
def test_standard_errors_are_those_of_repeated_runs(kpi: str):
    values, errors = [], []
    for seed in range(60):
        plan = replace(queue(3, per_day=12, days=0.2, horizon=3).plan, key=seed)
        monte_carlo = MonteCarlo(plan, workers=1, with_demand=False)
        monte_carlo.extend(200)
        value, error = (figure[0, -1] for figure in monte_carlo.actual.figures(kpi))
        values.append(value)
        errors.append(error)
    # the spread of 60 values is known to 9 %
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(values, ddof=1), rel=0.3)


def test_a_run_has_the_figures_of_the_counts(short: MonteCarlo):
    run, counts = short.kept(50), short.actual
    for kpi in ("wait_mean_hours", "wait_share_over_4h", "still_waiting_share", "wait_p50_hours", "wait_p95_hours"):
        value, error = (figure[0, -1] for figure in counts.figures(kpi))
        values = run.kpi(kpi, 0)
        assert values.mean() == pytest.approx(value)
        assert values.std(ddof=1) / np.sqrt(len(values)) == pytest.approx(error)


def test_replications_that_share_a_block_share_a_group():
    assert block_group_ends(50) == [20, 40, 50]
    assert block_group_ends(20) == [20]
    assert block_group_ends(1000) == [*range(60, 1000, 60), 1000]


def test_figures_of_a_single_group_have_no_error():
    monte_carlo = queue(1, per_day=20, days=0.05, horizon=2)
    monte_carlo.extend(5)
    value, error = (figure[0, -1] for figure in monte_carlo.actual.figures("wait_p95_hours"))
    assert value > 0
    assert np.isnan(error)
    assert monte_carlo.kept(5).kpi("wait_p95_hours", 0).tolist() == [value]


def test_ratios_are_over_all_that_was_counted():
    # waits of 6 hours in all for 3 patients, and of 2 for 1; a replication without patients takes nothing away
    ratios = Ratios.of(np.array([[6.0, 3.0], [2.0, 1.0], [0.0, 0.0]]))
    assert ratios.ratio.tolist() == [2.0]
    assert ratios.standard_error.tolist() == [0.0]
    one, other = Ratios.of(np.array([[6.0, 3.0], [1.0, 1.0]])), Ratios.of(np.array([[0.0, 2.0]]))
    joined = one.join(other)
    whole = Ratios.of(np.array([[6.0, 3.0], [1.0, 1.0], [0.0, 2.0]]))
    assert joined.ratio == pytest.approx(whole.ratio)
    assert joined.ratio[0] == pytest.approx(7 / 6)
    assert joined.standard_error == pytest.approx(whole.standard_error)
    off = np.array([6, 1, 0]) - 7 / 6 * np.array([3, 1, 2])
    assert whole.standard_error[0] == pytest.approx(off.std(ddof=1) / np.sqrt(3) / 2)


def test_journeys_by_stream_and_type():
    streams = [
        {"id": name, "target_ward": "a", "patient_type": kind, "model": {"type": "constant", "mean_per_day": 1}}
        for name, kind in (("s", "low"), ("t", "high"), ("u", "low"))
    ]
    plan = make_plan(
        make_config({"a": 2}, arrival_streams=streams),
        {"s": np.full((1, 5), 10.0), "t": np.full((1, 5), 5.0), "u": np.full((1, 5), 2.0)},
        Horizon(MONDAY, 5),
        key=1,
    )
    assert [group[:2] for group in journey_groups(plan)] == [
        ("low", "s"), ("high", "t"), ("low", "u"), ("low", ALL), ("high", ALL), (ALL, ALL),
    ]  # fmt: skip
    monte_carlo = MonteCarlo(plan, workers=1)
    monte_carlo.extend(40)
    counts = monte_carlo.actual
    table = patient_journeys(plan, counts, **CONSTANTS).set_index(["patient_type", "stream_id"])
    n = table["patients"]
    assert n["low", ALL] == pytest.approx(n["low", "s"] + n["low", "u"])
    assert n[ALL, ALL] == pytest.approx(n["low", ALL] + n["high", ALL])
    mean = table["hospital_mean_hours"]
    weighted = mean["low", "s"] * n["low", "s"] + mean["low", "u"] * n["low", "u"]
    assert mean["low", ALL] == pytest.approx(weighted / n["low", ALL])
    # one ward: the wait of a patient in the hospital is the time to the first bed
    performance = ward_performance(plan, counts, **CONSTANTS)
    hospital = performance[performance["ward_id"] == HOSPITAL_TOTAL].set_index("patient_type")
    for kind in ("low", "high", ALL):
        for one, other in (
            ("wait_mean_hours", "first_bed_mean_hours"), ("wait_mean_hours_se", "first_bed_mean_hours_se"),
            ("wait_p95_hours", "first_bed_p95_hours"), ("wait_share_over_4h", "first_bed_share_over_4h"),
        ):  # fmt: skip
            assert hospital[one][kind] == pytest.approx(table[other][kind, ALL])
