"""From counts to tables: every figure and every standard error, worked out again from the replications one by one."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hand_made import MONDAY, make_config

from kaizar_pipeline.simulation.counting import Counts, Flows, Histograms, Moments, Ratios, Sums
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo, Run
from kaizar_pipeline.simulation.plan import Plan, make_plan
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.simulation.simpy_engine import simulate
from kaizar_pipeline.simulation.summary import (
    daily_peaks,
    midnight_census,
    occupancy_distributions,
    ward_performance,
    week_profile,
)
from kaizar_pipeline.simulation.waits import BINS, JOURNEY, Waits
from kaizar_pipeline.tables import ALL, CENSUS_PERCENTAGES, HOSPITAL_TOTAL
from kaizar_pipeline.tables.kpis import KPI_INDEX, KPIS, OVER_WAITS

pytestmark = pytest.mark.integration

REPLICATIONS, DAYS, HIGH = 45, 8, 0.6  # three blocks, and a Monday that comes twice
GROUPS = {"acute": ["ed", "b"], "beds": ["a", "b"]}
AXIS = {"ed": [0], "a": [1], "b": [2], "acute": [0, 2], "beds": [1, 2], HOSPITAL_TOTAL: [0, 1, 2]}
CONSTANTS: dict[str, Any] = {"hospital_id": "tiny", "as_of": MONDAY, "scenario": "baseline"}


# A week by hand


def sums(values: np.ndarray) -> Sums:
    """Of i8[R, ...]."""
    return Sums(values.sum(axis=0), (values**2).sum(axis=0), len(values))


def counts_of(census: np.ndarray) -> Counts:
    """The counts of i8[R, H], a ward that is the whole hospital and in which nobody waits."""
    replications, hours = census.shape
    beds = np.arange(census.max() + 1)
    histogram = (census[:, :, None] == beds).sum(axis=0).astype(np.uint32)
    peaks = (census.reshape(replications, -1, 24).max(axis=2)[:, :, None] == beds).sum(axis=0).astype(np.uint32)
    nobody = np.zeros((replications, 2, hours), dtype=np.int64)
    start = np.array([0, len(beds), 2 * len(beds)])
    slots = np.zeros((2, replications, 168), dtype=np.int64)
    for hour in range(hours):
        slots[0, :, hour % 168] += census[:, hour]
        slots[1, :, hour % 168] += census[:, hour] >= 2
    return Counts(
        replications=replications,
        census=Histograms(start, np.concatenate([histogram.T.ravel()] * 2)),
        peaks=Histograms(start, np.concatenate([peaks.T.ravel()] * 2)),
        waiting=sums(nobody),
        boarding=sums(nobody),
        outliers=sums(nobody),
        queued=nobody.sum(axis=0),
        week_census=sums(slots[0][:, None].repeat(2, axis=1)),
        week_full=sums(slots[1][:, None].repeat(2, axis=1)),
        kpi=Moments.of(np.zeros((replications, 2, 3, len(KPI_INDEX)))),
        boarded=Moments.of(np.zeros((replications, 1, 1))),
        over_waits=Ratios.of(np.zeros((replications, 2, 3, len(OVER_WAITS) + 1))),
        waits=Waits(np.zeros((2, 2, BINS), dtype=np.int64), replications, [], []),
        journeys=Ratios.of(np.zeros((replications, 3, len(JOURNEY)))),
        journey_waits=np.zeros((2, 3, BINS), dtype=np.int64),
        flows=Flows(Histograms(start, start), sums(nobody), nobody.sum(axis=0), Moments.of(np.zeros((1, 2)))),
    )


@pytest.fixture
def four_weeks() -> tuple[Plan, Counts]:
    """A ward of two beds over eight days from a Monday, four replications: empty but for the Mondays at midnight, with
    0, 1, 1, 2 patients on the first and 2, 2, 3, 1 on the second."""
    census = np.zeros((4, DAYS * 24), dtype=np.int64)
    census[:, 0], census[:, 168] = (0, 1, 1, 2), (2, 2, 3, 1)
    plan = make_plan(make_config({"a": 2}), {"s": np.ones((1, DAYS))}, Horizon(MONDAY, DAYS), key=1)
    return plan, counts_of(census)


def test_the_midnight_census_is_the_share_of_replications(four_weeks: tuple[Plan, Counts]):
    table = midnight_census(*four_weeks, **CONSTANTS)
    ward = table[table["ward_id"] == "a"]
    first = ward[ward["date"] == MONDAY]
    assert first["beds"].tolist() == [0, 1, 2]
    assert first["probability"].tolist() == [0.25, 0.5, 0.25]
    assert first["probability_se"].tolist() == pytest.approx([np.sqrt(0.1875 / 4), 0.25, np.sqrt(0.1875 / 4)])
    second = ward[ward["date"] == MONDAY + pd.Timedelta(days=7)]
    assert dict(zip(second["beds"], second["probability"], strict=True)) == {1: 0.25, 2: 0.5, 3: 0.25}
    between = ward[~ward["date"].isin([MONDAY, MONDAY + pd.Timedelta(days=7)])]
    assert between["probability"].tolist() == [1.0] * 6


def test_the_profile_of_the_week_takes_equal_hours_together(four_weeks: tuple[Plan, Counts]):
    table = week_profile(*four_weeks, **CONSTANTS)
    ward = table[(table["ward_id"] == "a") & (table["hour"] == 0)].sort_values("weekday")
    monday: dict[Any, Any] = ward.iloc[0].to_dict()
    # means of the two Mondays by replication: 1, 1.5, 2, 1.5; hours full 1, 1, 1, 1 of two
    assert monday["weeks"] == 2
    assert monday["mean"] == 1.5
    assert monday["mean_se"] == pytest.approx(np.std([1, 1.5, 2, 1.5], ddof=1) / 2)
    assert monday["prob_full"] == 0.5
    assert monday["prob_full_se"] == 0
    # 0 1 1 1 2 2 2 3: the quarter is the second value, the half the fourth, 90 % the eighth
    assert [monday[name] for name in ("p25", "p50", "p75", "p90")] == [1, 1, 2, 3]
    # 4 replications: the half is known to a quarter, and the quarter and three quarters are 1 and 2
    assert monday["p50_se"] == 0.5
    assert ward["weeks"].tolist() == [2, 1, 1, 1, 1, 1, 1]


# A hospital, one replication at a time


@pytest.fixture(scope="module")
def hospital() -> Plan:
    hours = {"type": "exponential", "params": {"mean": 20}}
    wards = {
        "ed": {"capacity": 3, "los_model": {"type": "exponential", "params": {"mean": 4}}},
        "a": {"capacity": 4, "los_model": hours},
        "b": {"capacity": 2, "los_model": hours},
    }
    options = [{"to_ward": "a", "probability": 0.4}, {"to_ward": "b", "probability": 0.2}]
    config = make_config(
        wards,
        routing=[{"from_ward": "ed", "options": options}],
        policies={"overflow": [{"ward": "b", "redirect_to": ["a"]}]},
        groups=GROUPS,
    )
    return make_plan(config, {"s": np.full((1, DAYS), 10.0)}, Horizon(MONDAY, DAYS), key=5)


@pytest.fixture(scope="module")
def monte_carlo(hospital: Plan) -> MonteCarlo:
    monte_carlo = MonteCarlo(hospital, workers=1)
    monte_carlo.extend(REPLICATIONS)
    return monte_carlo


@pytest.fixture(scope="module")
def counts(monte_carlo: MonteCarlo) -> Counts:
    return monte_carlo.actual


@pytest.fixture(scope="module")
def run(monte_carlo: MonteCarlo) -> Run:
    return monte_carlo.kept(REPLICATIONS)


@pytest.fixture(scope="module")
def seen(hospital: Plan) -> dict[str, np.ndarray]:
    """i8[R, A, H] by replication: those in bed, waiting for, boarding in and lying as outliers in each row of AXIS."""
    hours = np.arange(hospital.hours)
    seen = {
        name: np.zeros((REPLICATIONS, len(AXIS), len(hours)), dtype=int)
        for name in ("bed", "waits", "boards", "outlies")
    }
    for r in range(REPLICATIONS):
        drawn = draw(hospital, r)
        stays = simulate(hospital, drawn)
        last = np.zeros(len(drawn.los), dtype=bool)
        last[drawn.offset[1:] - 1] = True
        for s in np.flatnonzero(np.isfinite(stays.request)):
            planned, used = drawn.planned_ward[s], stays.used_ward[s]
            of_planned, of_used = ([ward in wards for wards in AXIS.values()] for ward in (planned, used))
            in_bed = (stays.admit[s] <= hours) & (hours < stays.depart[s])
            waits = (stays.request[s] <= hours) & (hours < stays.admit[s])
            seen["waits"][r, of_planned] += waits
            seen["bed"][r, of_used] += in_bed
            seen["boards"][r, of_used] += in_bed & (hours >= stays.ready[s]) & ~last[s]
            seen["outlies"][r, of_used] += in_bed & (used != planned)
    return seen


def mean_and_error(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of f8[R, ...]."""
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


@pytest.fixture(scope="module")
def hours(hospital: Plan, counts: Counts) -> pd.DataFrame:
    return occupancy_distributions(hospital, counts, HIGH, **CONSTANTS)


@pytest.mark.parametrize(
    ("ward", "beds"), [("ed", 3), ("a", 4), ("b", 2), ("acute", 5), ("beds", 6), (HOSPITAL_TOTAL, 9)]
)
def test_occupancy_by_the_hour(hours: pd.DataFrame, seen: dict[str, np.ndarray], ward: str, beds: int):
    place = list(AXIS).index(ward)
    table = hours[hours["ward_id"] == ward].sort_values("at")
    census = seen["bed"][:, place]
    for name, values in (
        ("mean", census),
        ("mean_waiting", seen["waits"][:, place]),
        ("mean_boarding", seen["boards"][:, place]),
        ("mean_outliers", seen["outlies"][:, place]),
    ):
        mean, error = mean_and_error(values)
        np.testing.assert_allclose(table[name], mean, atol=1e-12)
        np.testing.assert_allclose(table[f"{name}_se"], error, atol=1e-7)
    np.testing.assert_allclose(table["sd"], census.std(axis=0, ddof=1), atol=1e-7)
    for name, event in (
        ("prob_full", census >= beds),
        ("prob_above", census > HIGH * beds),
        ("prob_queue", seen["waits"][:, place] > 0),
    ):
        share = event.mean(axis=0)
        np.testing.assert_allclose(table[name], share)
        np.testing.assert_allclose(table[f"{name}_se"], np.sqrt(share * (1 - share) / REPLICATIONS))
    for q in CENSUS_PERCENTAGES:
        error = np.sqrt(q / 100 * (1 - q / 100) / REPLICATIONS)
        low, middle, high = (
            np.quantile(census, min(max(q / 100 + side * error, 0), 1), axis=0, method="inverted_cdf")
            for side in (-1, 0, 1)
        )
        assert table[f"p{q:02d}"].tolist() == middle.tolist()
        assert table[f"p{q:02d}_se"].tolist() == ((high - low) / 2).tolist()
    assert (seen["waits"].sum(), seen["boards"].sum(), seen["outlies"].sum()) > (0, 0, 0)


def test_the_profile_of_a_week_and_the_peaks_of_its_days(hospital: Plan, counts: Counts, seen: dict[str, np.ndarray]):
    profile = week_profile(hospital, counts, **CONSTANTS)
    peaks = daily_peaks(hospital, {"actual": counts}, **CONSTANTS)
    for place, ward in enumerate(AXIS):
        census, rows = seen["bed"][:, place], profile[profile["ward_id"] == ward].sort_values(["weekday", "hour"])
        monday = census.reshape(REPLICATIONS, DAYS, 24)[:, [0, 7]]
        assert rows["p95"].iloc[:24].tolist() == [
            np.quantile(monday[:, :, hour], 0.95, method="inverted_cdf") for hour in range(24)
        ]
        error = np.sqrt(0.95 * 0.05 / REPLICATIONS)
        low, high = (
            np.quantile(monday, share, axis=(0, 1), method="inverted_cdf") for share in (0.95 - error, 0.95 + error)
        )
        assert rows["p95_se"].iloc[:24].tolist() == ((high - low) / 2).tolist()
        mean, error = mean_and_error(np.concatenate([monday.mean(axis=1), census[:, 24:168]], axis=1))
        np.testing.assert_allclose(rows["mean"], mean)
        np.testing.assert_allclose(rows["mean_se"], error, atol=1e-7)
        highest = census.reshape(REPLICATIONS, DAYS, 24).max(axis=2)
        for row in peaks[peaks["ward_id"] == ward].itertuples():
            day = (pd.Timestamp(str(row.date)) - MONDAY).days
            assert row.replications == (highest[:, day] == row.peak_beds).sum()


def test_kpis_and_their_standard_errors(hospital: Plan, counts: Counts, run: Run):
    table = ward_performance(hospital, counts, **CONSTANTS)
    together = table[table["patient_type"] == ALL].set_index("ward_id")
    for place, ward in enumerate(AXIS):
        for name in (kpi.name for kpi in KPIS):
            values = run.kpi(name, place)
            mean, error = mean_and_error(values[np.isfinite(values)])
            assert together[name].to_dict()[ward] == pytest.approx(mean, abs=1e-12)
            assert together[f"{name}_se"].to_dict()[ward] == pytest.approx(error, abs=1e-12)


def test_requests_and_stays_of_a_group_are_those_of_its_wards(run: Run, counts: Counts):
    for group in GROUPS:
        place, wards = list(AXIS).index(group), AXIS[group]
        for name in ("requests", "admitted", "outliers", "throughput", "boarding_hours", "bed_days", "wait_mean_hours"):
            sums = run.kpis[:, :, KPI_INDEX[name]]
            np.testing.assert_allclose(sums[:, place], sums[:, wards].sum(axis=1), atol=1e-9)
        longest = run.kpis[:, :, KPI_INDEX["wait_max_hours"]]
        np.testing.assert_array_equal(longest[:, place], longest[:, wards].max(axis=1))
        np.testing.assert_array_equal(counts.waits.counts[place], counts.waits.counts[wards].sum(axis=0))
        assert counts.waits.counts[place, :, 1:].any()


def test_boarding_has_a_cause(run: Run):
    boarded, caused = (run.kpis[:, :, KPI_INDEX[name]] for name in ("boarding_hours", "boarding_caused_hours"))
    # all of it in the emergency department, for want of beds in the wards
    assert boarded[:, 0].sum() > 0
    assert (boarded[:, 1:3] == 0).all()
    assert (caused[:, 0] == 0).all()
    np.testing.assert_allclose(caused[:, 1] + caused[:, 2], boarded[:, 0])
    np.testing.assert_allclose(caused[:, -1], boarded[:, -1])
