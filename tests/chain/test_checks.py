"""Each check passes on a correct table and fails on one error in it."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hand_made import make_config
from small_extracts import make_hospital

from kaizar_pipeline.chain import checks
from kaizar_pipeline.chain.step import NOTHING, Check, Found, Run
from kaizar_pipeline.chain.steps import all_tables
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.planning.census_causes import UNKNOWN

pytestmark = pytest.mark.unit

AS_OF = pd.Timestamp("2026-03-04")
RUN = Run(make_config({"icu": 8, "ed": 4}), Path())
QUANTILES = ("p025", "p05", "p10", "p25", "p50", "p75", "p90", "p95", "p975", "p99")
Change = Callable[[pd.DataFrame], pd.DataFrame]


def history() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Five requests: one departed, one in the hospital, one diverted, one left, one departed at an unknown time."""
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
    return patients, ward_stays


def arrivals() -> pd.DataFrame:
    days = pd.date_range("2026-03-01", "2026-03-03")
    rows = [(stream, day, 2) for stream in ("emergency", "elective") for day in days]
    return pd.DataFrame(rows, columns=["stream_id", "date", "arrivals"]).assign(as_of=AS_OF)


def occupancy() -> pd.DataFrame:
    quantiles = {name: [beds, 4] for name, beds in zip(QUANTILES, range(10), strict=True)}
    return pd.DataFrame(quantiles | {"prob_full_hour": [0.25, None], "prob_queue": [0.0, 1.0]})


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
    """Requests = departed + in the hospital + turned away + departure not known."""

    def test_all_accounted_for(self):
        result = checks.flow_conservation(*history())
        assert result.passed
        assert result.figures == {
            "requests": 5,
            "departed": 1,
            "in the hospital": 1,
            "turned away": 2,
            "departure not known": 1,
        }

    def test_a_patient_without_an_open_stay_has_vanished(self):
        patients, stays = history()
        assert not checks.flow_conservation(patients, stays[stays["patient_id"] != "here"]).passed

    def test_a_departed_patient_with_an_open_stay_is_counted_twice(self):
        patients, stays = history()
        assert not checks.flow_conservation(patients, stays.assign(depart=pd.Series([pd.NaT] * 5))).passed

    def test_faults_do_not_cancel(self):
        patients, stays = history()
        crossed = stays.assign(depart=pd.Series([pd.NaT, AS_OF, AS_OF, *stays["depart"].iloc[3:]]))
        result = checks.flow_conservation(patients, crossed)
        assert not result.passed
        assert (result.figures["wrong"], result.figures["for example patient"]) == (2, "gone")


@pytest.mark.parametrize(("limit", "passed"), [(4, True), (3, False)])
def test_a_stale_extract_is_warned_about(limit: int, passed: bool):
    assert checks.up_to_date(Run(make_hospital(max_age_days=limit), Path()), days_behind=4).passed is passed


def test_an_extract_without_a_limit_of_age_is_not_checked_for_it():
    hospital = make_hospital()
    unlimited = hospital.model_copy(update={"patients": hospital.patients.model_copy(update={"max_age_days": None})})
    assert checks.up_to_date(Run(unlimited, Path()), days_behind=4).nothing_to_check


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
    requests = pd.DataFrame({"patient_id": range(13), "arrival": AS_OF - pd.Timedelta(hours=1), "as_of": AS_OF})
    requests.loc[0, "arrival"] = AS_OF  # today: no complete day
    assert checks.every_request_counted(arrivals(), requests).passed
    assert not checks.every_request_counted(arrivals(), requests.iloc[2:]).passed


@pytest.mark.parametrize(
    ("change", "passed"),
    [
        (lambda hours: hours, True),
        (lambda hours: hours.assign(prob_full_hour=[1.25, None]), False),
        (lambda hours: hours.assign(prob_queue=[-0.1, 0]), False),
        (lambda hours: hours.assign(p90=[3, 4]), False),
    ],
)
def test_probabilities_and_quantiles_are_possible(change: Change, passed: bool):
    assert checks.possible_probabilities(change(occupancy())).passed is passed


def test_the_peaks_of_a_day_are_those_of_all_replications():
    simulated = pd.DataFrame({"replications": [10]})
    assert checks.every_replication_has_a_peak(peaks(), simulated).passed
    assert not checks.every_replication_has_a_peak(peaks().iloc[1:], simulated).passed


def test_a_moved_level_is_warned_about_with_its_numbers():
    rows = [("ed", 900, 700.4, 640, 770, True), ("icu", 10, 11.0, 4, 20, False)]
    drift = pd.DataFrame(rows, columns=["stream_id", "actual", "expected", "low", "high", "moved"])
    new = pd.DataFrame({"stream_id": "walk_in", "date": pd.date_range("2026-03-01", periods=2), "arrivals": [3, 4]})
    result = checks.level_found(drift, new)
    assert result.passed is False
    assert result.figures["streams moved"] == 1
    assert result.figures["ed"] == "900 observed, 700 expected (640 to 770)"
    assert checks.level_found(drift.iloc[1:], new.iloc[:0]).passed
    assert checks.level_found(drift.iloc[:0], new).passed


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
    assert result.passed is passed
    if not passed:
        assert result.figures["acute"] == "CRPS 5.0% above seasonal naive"


@pytest.mark.parametrize(("coverage", "passed"), [(0.8, True), (0.6, True), (0.55, False), (0.95, False)])
def test_intervals_that_do_not_hold_what_they_promise_are_warned_about(coverage: float, passed: bool):
    result = checks.calibrated(scores(coverage80=coverage))
    assert result.passed is passed
    assert result.figures["intervals"] == 2
    assert ("acute, day" in result.figures) != passed


def test_a_hospital_without_a_back_test_is_not_warned_about():
    none = scores().iloc[:0]
    assert checks.skilful(none).nothing_to_check
    assert checks.calibrated(none).nothing_to_check


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
    assert result.passed is passed
    assert ("icu" in str(result.figures.get("differences"))) != passed


@pytest.mark.parametrize(("hour", "passed"), [(9, True), (15, False)])
def test_hours_of_arrival_unlike_those_configured_are_warned_about(hour: int, passed: bool):
    at = pd.DataFrame({"weekday": range(7)}).merge(pd.DataFrame({"hour": range(24)}), how="cross")
    configured, observed = (at.assign(stream_id="ed", weight=24.0 * (at["hour"] == h)) for h in (9, hour))
    rows = [
        configured.assign(source="configured", in_use=True, arrivals=float("nan")),
        observed.assign(source="from_data", in_use=False, arrivals=40.0 * (at["hour"] == hour)),
    ]
    result = checks.hours_as_configured(pd.concat(rows, ignore_index=True))
    assert result.passed is passed
    assert ("ed: 100% of 280 arrivals" in str(result.figures.get("differences"))) != passed
    assert checks.hours_as_configured(rows[0]).nothing_to_check


@pytest.mark.parametrize(("probability", "passed"), [(0.3, True), (0.5, False)])
def test_configured_routes_are_compared_with_those_taken(probability: float, passed: bool):
    columns = ["ward_id", "patient_type", "next_ward_id", "n", "per_day", "probability"]
    taken = pd.DataFrame([("ed", "p", "bed", 60, 6.0, 0.3), ("ed", "p", "_home", 140, 14.0, 0.7)], columns=columns)
    given = taken.assign(n=0, per_day=None, probability=[probability, 1 - probability])
    rows = [given.assign(origin="configured", in_use=True), taken.assign(origin="from_data", in_use=False)]
    result = checks.routes_as_configured(pd.concat(rows, ignore_index=True))
    assert result.passed is passed
    assert (
        "next ward bed: configured 50.0%, observed 30.0% of 200" in str(result.figures.get("differences"))
    ) != passed
    assert checks.routes_as_configured(rows[0]).nothing_to_check


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
    levels = {"headline": ["prob_full_day", "p95_census"], "after": [0.5, 8.0], "change": [0.25, None]}
    return pd.DataFrame({"ward_id": "icu", "run_number": 1, **levels, **parts, "note": [None, "first run"]})


def test_parts_of_a_change_add_up():
    assert checks.parts_add_up(headlines()).passed
    assert not checks.parts_add_up(headlines().assign(model=0.01)).passed


def test_a_headline_that_is_not_the_published_one_is_warned_about():
    # the eighth day does not count
    at = [AS_OF, AS_OF + pd.Timedelta(days=6), AS_OF + pd.Timedelta(days=7)]
    published = pd.DataFrame(
        {"ward_id": "icu", "as_of": AS_OF, "at": at, "date": at, "prob_full_day": [0.25, 0.75, 0.0], "p95": [7, 9, 1]}
    )
    assert checks.as_published(headlines(), published, published).passed
    result = checks.as_published(headlines(), published.assign(p95=[7, 8, 9]), published)
    assert result.passed is False
    assert result.figures["p95_census of icu"] == "+0.5"


def test_an_overloaded_ward_is_warned_about():
    assert checks.beds_can_cope(RUN, comparison()).passed
    result = checks.beds_can_cope(RUN, comparison().assign(overloaded=[True, False]))
    assert result.passed is False
    assert result.figures["overloaded wards"] == "- more: icu"


@pytest.mark.parametrize(("inside", "passed"), [(0.8, True), (0.5, True), (0.45, False), (1.0, True)])
def test_a_coverage_that_chance_does_not_explain_is_warned_about(inside: float, passed: bool):
    # 12 independent dates at 80 %: from 6 of them inside on, chance explains it
    scores = pd.DataFrame(
        {
            "method": "twin",
            "ward_id": ["icu", "ed"],
            "lead_week": [1, 1],
            "coverage80": [inside, 0.8],
            "coverage80_low": 0.5,
            "coverage80_high": 1.0,
            "independent_dates": 12,
        }
    )
    result = checks.issued_forecasts_covered(scores)
    assert result.passed is passed
    assert ("icu, week 1" in result.figures) is not passed


def back_test_scores(**of_icu: float | None) -> pd.DataFrame:
    """Scores of a back-test in which all is well, but for `of_icu` at 6:00."""
    rows = [(ward, hour, week) for ward in ("icu", "ed", "_hospital") for hour in (0, 6) for week in (0, 1, 2)]
    scores = pd.DataFrame(rows, columns=["ward_id", "hour", "lead_week"]).assign(
        method="twin", coverage80=0.8, coverage80_low=0.5, coverage80_high=0.98, independent_dates=12,
        bias=0.0, bias_se=0.2, hour_bias=0.0, hour_bias_se=0.1, mean_actual=20.0,
    )  # fmt: skip
    for column, value in of_icu.items():
        scores.loc[(scores["ward_id"] == "icu") & (scores["hour"] == 6), column] = value
    return scores


@pytest.mark.parametrize(
    ("change", "causes", "why"),
    [
        ({"coverage80": 0.4, "bias": -2.0}, {"icu": ["clock: a", "routes: b"], "ed": []}, "clock: a; routes: b"),
        ({"coverage80": 0.4, "bias": -2.0}, {"icu": []}, UNKNOWN),
        ({"coverage80": 0.4}, {"icu": []}, "no bias is clear; the intervals are too narrow"),
        ({"coverage80": 1.0}, {"icu": []}, "no bias is clear; the intervals are too wide"),
    ],
)
def test_a_census_that_is_not_covered_has_a_likely_cause(change: dict, causes: dict, why: str):
    assert checks.census_covered(RUN, back_test_scores(), causes).passed
    result = checks.census_covered(RUN, back_test_scores(**change), causes)
    assert result.passed is False
    low = f"{change['coverage80']:.0%} inside, expected 50% to 98% (12 independent dates)"
    assert result.figures == {"intervals": 6, "icu, 6:00, week 1": low, "likely cause, icu": why}
    assert checks.census_covered(RUN, back_test_scores().iloc[:0], {}).nothing_to_check


def test_an_uncovered_hospital_names_the_wards_with_a_cause():
    scores = back_test_scores()
    scores.loc[scores["ward_id"] == "_hospital", "coverage80"] = 0.4
    result = checks.census_covered(RUN, scores, {"icu": ["clock: a"], "ed": []})
    assert result.figures["likely cause, _hospital"] == "see icu"


def test_a_biased_hour_is_warned_about():
    assert checks.census_unbiased(RUN, back_test_scores(bias=-0.6), {}).passed  # three errors, but hardly a patient
    assert checks.census_unbiased(RUN, back_test_scores(bias=-2.0, bias_se=1.0), {}).passed  # chance
    assert checks.census_unbiased(RUN, back_test_scores(bias=-2.0, bias_se=None), {}).passed  # one date
    result = checks.census_unbiased(RUN, back_test_scores(bias=-2.0), {"icu": ["clock: a"]})
    assert result.passed is False
    assert result.figures == {
        "icu": "2.0 too low at 6:00 (standard error 0.2, mean census 20.0); likely cause: clock: a"
    }
    weekends = checks.census_unbiased(RUN, back_test_scores(), {"icu": ["clock: a"], "ed": []})
    assert weekends.figures == {"icu": "likely cause: clock: a"}
    beside = checks.census_unbiased(RUN, back_test_scores(bias=2.0, bias_se=1.5, hour_bias=2.0), {})
    assert beside.figures == {
        "icu": "2.0 higher than at all hours together at 6:00 (standard error 0.1, mean census 20.0); likely cause: "
        + UNKNOWN
    }
    assert checks.census_unbiased(RUN, back_test_scores().iloc[:0], {}).nothing_to_check


def test_every_check_is_about_a_table_and_says_what_it_looks_for():
    for check in checks.CHECKS:
        assert check.table in all_tables()
        assert len(check.description) > 20


def test_a_check_that_raises_is_named():
    def broken(patients: pd.DataFrame) -> Found:
        """Always raises."""
        raise ZeroDivisionError("by zero")

    check = Check(broken, "patients", blocking=True)
    with pytest.raises(DataError, match="check broken of patients raised ZeroDivisionError: by zero"):
        check(Run(make_hospital(), Path()), {"patients": history()[0]}, {})


def test_chances_that_are_not_reliable_are_warned_about():
    scores = pd.DataFrame(
        {
            "source": "backtest", "ward_id": ["icu", "icu", "ed"], "level": "_full",
            "days_ahead": ["1-3", "all", "all"],
            "happened": 0.5, "mean_probability": 0.25, "independent_dates": 12,
            "reliability_p": [0.02, 0.3, None],
        }
    )  # fmt: skip
    assert checks.chances_reliable(scores).passed
    assert checks.chances_reliable(scores.assign(reliability_p=None)) == NOTHING
    result = checks.chances_reliable(scores.assign(reliability_p=[0.004, 0.3, float("nan")]))
    assert result.passed is False
    assert result.figures == {
        "tested": 2,
        "icu, _full, days 1-3, backtest": "50% of days, 25% expected (12 independent dates)",
    }
