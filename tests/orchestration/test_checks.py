"""Each check passes on a table as it should be and fails on one fault in it."""

from collections.abc import Callable
from dataclasses import replace

import dagster as dg
import pandas as pd
import pytest

from kaizar_pipeline.orchestration import checks
from kaizar_pipeline.patients.history import History

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
