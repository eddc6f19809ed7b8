"""Each check passes on a table as it should be and fails on one fault in it."""

from collections.abc import Callable
from dataclasses import replace

import dagster as dg
import pandas as pd
import pytest

from kaizar_pipeline.history.loading import History
from kaizar_pipeline.orchestration import checks
from kaizar_pipeline.tables import TABLES

pytestmark = pytest.mark.unit

AS_OF = pd.Timestamp("2026-03-04")
QUANTILES = ("p05", "p10", "p25", "p50", "p75", "p90", "p95", "p99")
Change = Callable[[pd.DataFrame], pd.DataFrame]


def history() -> History:
    """Five requests: one departed, one in the house, one diverted, one left, one departed nobody knows when."""
    patients = pd.DataFrame(
        {
            "patient_id": ["gone", "here", "diverted", "left", "lost"],
            "outcome": ["admitted", "admitted", "diverted", "left", "admitted"],
            "departure": [AS_OF - pd.Timedelta(hours=3), pd.NaT, pd.NaT, pd.NaT, pd.NaT],
            "departure_known": [True, True, True, True, False],
        }
    )
    ward_stays = pd.DataFrame(
        {
            "patient_id": ["gone", "here", "here", "left", "lost"],
            "depart": [AS_OF - pd.Timedelta(hours=h) for h in (3, 2)] + [pd.NaT, AS_OF - pd.Timedelta(hours=5), pd.NaT],
        }
    )
    return History(AS_OF, patients, pd.DataFrame(), ward_stays, days_behind=4)


def arrivals() -> pd.DataFrame:
    days = pd.date_range("2026-03-01", "2026-03-03")
    rows = [(stream, day, 2) for stream in ("emergency", "elective") for day in days]
    return pd.DataFrame(rows, columns=["stream_id", "date", "arrivals"]).assign(as_of=AS_OF)


def occupancy() -> pd.DataFrame:
    quantiles = {name: [beds, 4] for name, beds in zip(QUANTILES, range(8), strict=True)}
    return pd.DataFrame(quantiles | {"prob_full": [0.25, None], "prob_queue": [0.0, 1.0]})


def peaks() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "run_kind": ["actual", "actual", "demand"],
            "ward_id": "icu",
            "date": AS_OF,
            "peak_beds": [3, 4, 6],
            "replications": [4, 6, 10],
        }
    )


class TestFlowConservation:
    """Requests = departed + in the house + turned away + departure not known."""

    def test_all_accounted_for(self):
        result = checks.flow_conservation(history())
        assert result.passed
        assert {name: value.value for name, value in result.metadata.items()} == {
            "requests": 5,
            "departed": 1,
            "in the house": 1,
            "turned away": 2,
            "departure not known": 1,
        }

    def test_a_patient_without_an_open_stay_has_vanished(self):
        whole = history()
        vanished = replace(whole, ward_stays=whole.ward_stays[whole.ward_stays["patient_id"] != "here"])
        assert not checks.flow_conservation(vanished).passed

    def test_a_departed_patient_with_an_open_stay_is_counted_twice(self):
        whole = history()
        twice = replace(whole, ward_stays=whole.ward_stays.assign(depart=pd.Series([pd.NaT] * 5)))
        assert not checks.flow_conservation(twice).passed


@pytest.mark.parametrize(("limit", "passed"), [(None, True), (4, True), (3, False)])
def test_a_stale_extract_is_warned_about(limit: int | None, passed: bool):
    result = checks.up_to_date(history(), limit)
    assert (result.passed, result.severity) == (passed, dg.AssetCheckSeverity.WARN)


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        (lambda days: days, True),
        (lambda days: days.drop(index=1), False),
        (lambda days: days[days["date"] < "2026-03-03"], False),
    ],
)
def test_every_stream_has_every_day(change: Change, passed: bool):
    assert checks.complete_days(change(arrivals())).passed is passed


def test_every_request_is_counted():
    requests = pd.DataFrame({"patient_id": range(12)})
    assert checks.every_request_counted(arrivals(), requests).passed
    assert not checks.every_request_counted(arrivals(), requests.iloc[1:]).passed


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        (lambda hours: hours, True),
        (lambda hours: hours.assign(prob_full=[1.25, None]), False),
        (lambda hours: hours.assign(prob_queue=[-0.1, 0]), False),
        (lambda hours: hours.assign(p90=[3, 4]), False),
    ],
)
def test_probabilities_and_quantiles_are_possible(change: Change, passed: bool):
    assert checks.probabilities(change(occupancy())).passed is passed


def test_the_peaks_of_a_day_are_those_of_all_replications():
    assert checks.sums_to_one(peaks(), replications=10).passed
    assert not checks.sums_to_one(peaks().iloc[1:], replications=10).passed


def test_a_moved_level_is_warned_about_with_its_numbers():
    rows = [("ed", 900, 700.4, 640, 770, True), ("icu", 10, 11.0, 4, 20, False)]
    drift = pd.DataFrame(rows, columns=["stream_id", "actual", "expected", "low", "high", "moved"])
    result = checks.level_steady(drift)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.metadata["streams moved"].value == 1
    assert result.metadata["ed"].value == "900 came, 700 were expected (640 to 770)"
    assert checks.level_steady(drift.iloc[1:]).passed
    assert checks.level_steady(drift.iloc[:0]).passed


def scores(**change: float) -> pd.DataFrame:
    """The scoreboard of one stream, for the model and a rival that fails every check."""
    good = {"skill": 0.2, "coverage80": 0.8, "coverage80_low": 0.6, "coverage80_high": 0.9, "n_effective": 40.0}
    bad = {"skill": -9.0, "coverage80": 0.1, "coverage80_low": 0.6, "coverage80_high": 0.9, "n_effective": 40.0}
    rows = [
        {"stream_id": "acute", "method": method, "span": span, "horizon_week": week, **values}
        for method, values in (("model", good | change), ("seasonal_naive", bad))
        for span in ("day", "week")
        for week in (0, 1)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("skill", "passed"), [(0.2, True), (0.0, True), (-0.05, False), (float("nan"), True)])
def test_a_forecast_worse_than_the_last_week_is_warned_about(skill: float, passed: bool):
    result = checks.skilful(scores(skill=skill))
    assert (result.passed, result.severity) == (passed, dg.AssetCheckSeverity.WARN)
    if not passed:
        assert result.metadata["acute"].value == "CRPS 5.0% above seasonal naive"


@pytest.mark.parametrize(("coverage", "passed"), [(0.8, True), (0.6, True), (0.55, False), (0.95, False)])
def test_intervals_that_do_not_hold_what_they_promise_are_warned_about(coverage: float, passed: bool):
    result = checks.calibrated(scores(coverage80=coverage))
    assert (result.passed, result.severity) == (passed, dg.AssetCheckSeverity.WARN)
    assert result.metadata["intervals"].value == 2
    assert ("acute, day" in result.metadata) != passed


def test_a_hospital_without_a_back_test_is_not_warned_about():
    none = scores().iloc[:0]
    assert checks.skilful(none).passed
    assert checks.calibrated(none).passed


@pytest.mark.parametrize(("observed", "passed"), [(50.0, True), (70.0, False), (39.0, False)])
def test_lengths_of_stay_unlike_those_configured_are_warned_about(observed: float, passed: bool):
    lengths = pd.DataFrame(
        {
            "ward_id": "icu",
            "patient_type": "_all",
            "next_ward_id": "_any",
            "origin": ["configured", "fitted"],
            "mean_hours": [49.0, observed],
            "n": [0, 400],
            "scale_sd": [0.0, 0.05],
        }
    )
    result = checks.as_configured(lengths)
    assert (result.passed, result.severity) == (passed, dg.AssetCheckSeverity.WARN)
    assert ("icu" in str(result.metadata["differences"].value)) != passed


def comparison() -> pd.DataFrame:
    """A ward that changes, and one that the scenario adds."""
    return pd.DataFrame(
        {
            "scenario": "more",
            "ward_id": ["icu", "new"],
            "baseline": [4.0, None],
            "value": [6.0, 1.0],
            "difference": [2.0, None],
            "low": [1.5, None],
            "high": [2.5, None],
            "overloaded": False,
        }
    )


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        (lambda rows: rows, True),
        (lambda rows: rows.assign(low=float("nan"), high=float("nan")), True),
        (lambda rows: rows.assign(value=[6.1, 1.0]), False),
        (lambda rows: rows.assign(low=[2.1, None]), False),
    ],
)
def test_differences_are_those_of_the_figures(change: Change, passed: bool):
    assert checks.differences_add_up(change(comparison())).passed is passed


def headlines() -> pd.DataFrame:
    """A change that is split, and one that is not."""
    parts = {"program": 0.0, "seed": [0.125, None], "config": 0.0, "data": [0.125, None], "model": 0.0}
    levels = {"headline": ["prob_full", "p95_census"], "after": [0.5, 8.0], "change": [0.25, None]}
    return pd.DataFrame({"ward_id": "icu", **levels, **parts, "note": [None, "first run"]})


def test_parts_of_a_change_add_up():
    assert checks.parts_add_up(headlines()).passed
    assert not checks.parts_add_up(headlines().assign(model=0.01)).passed


def test_a_headline_that_is_not_the_published_one_is_warned_about():
    # the eighth day does not count
    at = [AS_OF, AS_OF + pd.Timedelta(days=6), AS_OF + pd.Timedelta(days=7)]
    published = pd.DataFrame(
        {"ward_id": "icu", "as_of": AS_OF, "at": at, "prob_full": [0.25, 0.75, 0.0], "p95": [7, 9, 1]}
    )
    assert checks.as_published(headlines(), published).passed
    result = checks.as_published(headlines(), published.assign(p95=[7, 8, 9]))
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.metadata["p95_census of icu"].value == "+0.5"


def test_an_overloaded_ward_is_warned_about():
    assert checks.beds_can_cope(comparison()).passed
    result = checks.beds_can_cope(comparison().assign(overloaded=[True, False]))
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert result.metadata["overloaded wards"].value == "- more: icu"


@pytest.mark.parametrize(("inside", "passed"), [(0.8, True), (0.5, True), (0.45, False), (1.0, True)])
def test_a_coverage_that_chance_does_not_explain_is_warned_about(inside: float, passed: bool):
    # 12 independent dates at 80 %: from 6 of them inside on, chance explains it
    scores = pd.DataFrame(
        {
            "ward_id": ["icu", "ed"],
            "lead_week": [1, 1],
            "coverage80": [inside, 0.8],
            "coverage80_low": 0.5,
            "coverage80_high": 1.0,
            "independent_dates": 12,
        }
    )
    for check in (checks.census_covered, checks.mornings_covered):
        result = check(scores)
        assert (result.passed, result.severity) == (passed, dg.AssetCheckSeverity.WARN)
        assert ("icu, week 1" in result.metadata) is not passed
    assert checks.census_covered(scores.iloc[:0]).passed


def test_every_check_says_what_it_looks_for():
    found = {spec.name: spec.description for spec in checks.specs(*TABLES)}
    assert set(found) == {"schema", *(name for names in checks.CHECKS.values() for name in names)}
    assert all(description and len(description) > 20 for description in found.values())
