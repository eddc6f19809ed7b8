"""From counts to tables: every figure and every standard error, worked out again from the replications one by one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hand_made import MONDAY, make_config

from kaizar_pipeline.config.levels import Level
from kaizar_pipeline.simulation.counting import Counts, Flows, Histograms, Moments, Ratios, Sums
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo, Run
from kaizar_pipeline.simulation.plan import Plan, make_plan
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.simulation.simpy_engine import simulate
from kaizar_pipeline.simulation.summary import (
    daily_peaks,
    level_risk,
    midnight_census,
    occupancy_distributions,
    ward_days,
    ward_performance,
    ward_weeks,
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
        reached=np.zeros((2, 1, hours // 24), dtype=np.uint32),
        reached_spans=np.zeros((2, 1, 3), dtype=np.uint32),
        level_days=sums(np.zeros((replications, 2, 1, 3), dtype=np.int64)),
        full_hours=sums(np.zeros((replications, 2, hours // 24 + 3), dtype=np.int64)),
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
    assert not monday["is_typical"]  # there is no whole week after the first
    assert monday["mean"] == 1.5
    assert monday["mean_se"] == pytest.approx(np.std([1, 1.5, 2, 1.5], ddof=1) / 2)
    assert monday["prob_full_hour"] == 0.5
    assert monday["prob_full_hour_se"] == 0
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
        ("prob_full_hour", census >= beds),
        ("prob_above", census > HIGH * beds),
        ("prob_queue", seen["waits"][:, place] > 0),
    ):
        share = event.mean(axis=0)
        np.testing.assert_allclose(table[name], share)
        np.testing.assert_allclose(table[f"{name}_se"], np.sqrt(share * (1 - share) / REPLICATIONS))
    for q in CENSUS_PERCENTAGES:
        share = float(f"0.{q}")
        error = np.sqrt(share * (1 - share) / REPLICATIONS)
        low, middle, high = (
            np.quantile(census, min(max(share + side * error, 0), 1), axis=0, method="inverted_cdf")
            for side in (-1, 0, 1)
        )
        assert table[f"p{q}"].tolist() == middle.tolist()
        assert table[f"p{q}_se"].tolist() == ((high - low) / 2).tolist()
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


# Days full and at levels


LEVELS = [
    {"name": "amber", "share": 0.5},
    {"name": "red", "share": 0.9},
    {"name": "busy", "beds": 3, "groups": ["beds"]},
    {"name": "packed", "beds": 5, "groups": ["beds"]},
]


@pytest.fixture(scope="module")
def with_levels(hospital: Plan) -> tuple[Plan, Counts]:
    """The same hospital, with a bed less in a from Tuesday noon on."""
    levels = tuple(Level.model_validate(level) for level in LEVELS)
    ladders = (levels[:2],) * 3 + ((), levels[2:], ())
    plan = replace(hospital, ladders=ladders, capacity_changes=((36.0, 1, 3),))
    monte_carlo = MonteCarlo(plan, workers=1)
    monte_carlo.extend(REPLICATIONS)
    return plan, monte_carlo.actual


@pytest.fixture(scope="module")
def beds_by_hour() -> np.ndarray:
    """i8[A, H] of that hospital."""
    beds = np.repeat([[3], [4], [2]], DAYS * 24, axis=1)
    beds[1, 36:] = 3
    return np.array([beds[wards].sum(axis=0) for wards in AXIS.values()])


def census_of(plan: Plan) -> np.ndarray:
    """i8[R, A, H], from the reference engine."""
    hours, census = np.arange(plan.hours), np.zeros((REPLICATIONS, len(AXIS), plan.hours), dtype=int)
    for r in range(REPLICATIONS):
        stays = simulate(plan, draw(plan, r))
        for s in np.flatnonzero(np.isfinite(stays.admit)):
            rows = [stays.used_ward[s] in wards for wards in AXIS.values()]
            census[r, rows] += (stays.admit[s] <= hours) & (hours < stays.depart[s])
    return census


def test_days_and_weeks_full_at_some_hour(with_levels: tuple[Plan, Counts], beds_by_hour: np.ndarray):
    plan, counts = with_levels
    full = census_of(plan) >= beds_by_hour
    by_day = full.reshape(REPLICATIONS, len(AXIS), DAYS, 24)
    days = ward_days(plan, counts, counts, 0.1, **CONSTANTS)
    weeks = ward_weeks(plan, counts, **CONSTANTS)
    for place, ward in enumerate(AXIS):
        of_day, of_week = days[days["ward_id"] == ward], weeks[weeks["ward_id"] == ward]
        share = by_day[:, place].any(axis=2).mean(axis=0)
        np.testing.assert_allclose(of_day["prob_full_day"], share)
        np.testing.assert_allclose(of_day["prob_full_day_se"], np.sqrt(share * (1 - share) / REPLICATIONS))
        mean, error = mean_and_error(by_day[:, place].mean(axis=2))
        np.testing.assert_allclose(of_day["share_of_hours_full"], mean)
        np.testing.assert_allclose(of_day["share_of_hours_full_se"], error, atol=1e-9)
        parts = [slice(0, 7), slice(7, 8)]
        np.testing.assert_allclose(
            of_week["prob_full_week"], [by_day[:, place, part].any(axis=(1, 2)).mean() for part in parts]
        )
        for name, values in (
            ("share_of_hours_full", [by_day[:, place, part].mean(axis=(1, 2)) for part in parts]),
            ("full_days", [by_day[:, place, part].any(axis=2).sum(axis=1) for part in parts]),
        ):
            mean, error = mean_and_error(np.array(values).T)
            np.testing.assert_allclose(of_week[name], mean)
            np.testing.assert_allclose(of_week[f"{name}_se"], error, atol=1e-9)
        assert of_week["days"].tolist() == [7, 1]
    tuesday = days[(days["ward_id"] == "a") & (days["date"] == MONDAY + pd.Timedelta(days=1))].iloc[0]
    assert (tuesday["staffed_fewest"], tuesday["staffed_most"]) == (3, 4)
    assert not days["full_now"].any()  # all begin empty


def test_the_chance_of_each_level(with_levels: tuple[Plan, Counts], beds_by_hour: np.ndarray):
    plan, counts = with_levels
    census = census_of(plan)
    table = level_risk(plan, counts, huddle=8, **CONSTANTS)
    assert set(table["ward_id"]) == {"ed", "a", "b", "beds"}
    for _, rows in table.groupby(["ward_id", "level_order"]):
        ward, order = rows["ward_id"].iloc[0], int(rows["level_order"].iloc[0])
        place = list(AXIS).index(ward)
        begins = {
            "amber": np.ceil(0.5 * beds_by_hour[place]), "red": np.ceil(0.9 * beds_by_hour[place]),
            "busy": np.full(plan.hours, 3), "packed": np.full(plan.hours, 5),
        }  # fmt: skip
        names = ["busy", "packed"] if ward == "beds" else ["amber", "red"]
        at = [(census[:, place] >= begins[name]).reshape(REPLICATIONS, DAYS, 24) for name in names]
        own, higher = at[order - 1], at[1] if order == 1 else np.zeros_like(at[0])
        assert rows["level"].unique().tolist() == [names[order - 1]]
        reached, highest = own.any(axis=2), own.any(axis=2) & ~higher.any(axis=2)
        np.testing.assert_allclose(rows["prob_reached"], reached.mean(axis=0))
        np.testing.assert_allclose(rows["prob_highest"], highest.mean(axis=0))
        np.testing.assert_allclose(rows["prob_huddle"], own[:, :, 8].mean(axis=0))
        mean, error = mean_and_error(highest.sum(axis=1))
        np.testing.assert_allclose(rows["expected_days"], mean)
        np.testing.assert_allclose(rows["expected_days_se"], error, atol=1e-9)
        likely = np.flatnonzero(reached.mean(axis=0) > 0.5)
        first = MONDAY + pd.Timedelta(days=int(likely[0])) if len(likely) else pd.NaT
        assert rows["first_likely_date"].isna().all() if pd.isna(first) else (rows["first_likely_date"] == first).all()


def test_the_profile_of_a_week_shows_like_weeks_after_the_first():
    change = {"from": "2026-01-26", "to": "2026-02-02", "capacity": 5}  # the fourth of five weeks
    config = make_config({"a": {"capacity": 2, "capacity_changes": [change]}, "b": 9})
    plan = make_plan(config, {"s": np.full((1, 36), 1.0)}, Horizon(MONDAY, 36), key=1)
    monte_carlo = MonteCarlo(plan, workers=1)
    monte_carlo.extend(20)
    table = week_profile(plan, monte_carlo.actual, **CONSTANTS).set_index("ward_id")
    assert table["weeks"].groupby("ward_id").unique().map(list).to_dict() == {"a": [3], "b": [4], HOSPITAL_TOTAL: [3]}
    assert table["is_typical"].all()
    hourly = occupancy_distributions(plan, monte_carlo.actual, HIGH, **CONSTANTS)
    mean = hourly[hourly["ward_id"] == "a"].sort_values("at")["mean"].to_numpy()[: 5 * 168].reshape(5, 168)
    np.testing.assert_allclose(table[table.index == "a"]["mean"], mean[[1, 2, 4]].mean(axis=0))
