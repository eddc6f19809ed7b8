"""Tables of census forecasts with answers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.planning.census_scores import (
    distribution_columns,
    independent_dates,
    pit_uniforms,
    scores_by_week,
)

pytestmark = pytest.mark.unit

HALF_AND_HALF = np.array([[0.0, 0.5, 0.0, 0.5]])  # one patient or three


def days(*offsets: int) -> pd.Series:
    return pd.Series(pd.Timestamp("2026-01-01") + pd.to_timedelta(offsets, unit="D"))


def test_quantiles_are_possible_numbers_of_patients():
    columns = {name: float(values[0]) for name, values in distribution_columns(HALF_AND_HALF).items()}
    assert columns == {"mean": 2, "p025": 1, "p10": 1, "p25": 1, "p50": 1, "p75": 3, "p90": 3, "p975": 3}


def test_quantiles_allow_for_rounding():
    tenths = np.full((1, 10), 0.1)
    assert {name: int(v[0]) for name, v in distribution_columns(tenths).items() if name != "mean"} == {
        "p025": 0, "p10": 0, "p25": 2, "p50": 4, "p75": 7, "p90": 8, "p975": 9,
    }  # fmt: skip


def test_the_random_number_of_a_row_depends_on_its_address_only():
    rows = pd.DataFrame({"ward_id": ["a", "b", "a"], "origin": days(0, 0, 0), "date": days(1, 1, 2)})
    alone = np.concatenate([pit_uniforms("h", rows.iloc[[i]]) for i in range(3)])
    assert pit_uniforms("h", rows).tolist() == alone.tolist()
    assert len(set(alone)) == 3
    assert not np.isin(pit_uniforms("other", rows), alone).any()
    at_midnight, at_six = (pit_uniforms("h", rows.assign(hour=hour)) for hour in (0, 6))
    assert at_midnight.tolist() == alone.tolist()
    assert not np.isin(at_six, alone).any()


@pytest.mark.parametrize(
    ("offsets", "days_ahead", "expected"),
    [((0, 7, 14, 21), 7, 4), ((0, 7, 14, 21), 14, 2), ((0, 8, 16), 28, 1), (range(30), 28, 2), ((5, 5, 0), 1, 2)],
)
def test_origins_whose_forecasts_share_days_are_not_independent_trials(offsets, days_ahead: int, expected: int):
    assert independent_dates(days(*offsets), days_ahead) == expected


def test_scores_by_ward_and_week():
    rows = pd.DataFrame(
        {
            "ward_id": ["a", "a", "a", "b"],
            "origin": days(0, 0, 29, 0),
            "lead": [1, 7, 7, 8],
            "actual": [5, 5, 5, 2],
            "mean": [5.0, 6.0, 8.5, 1.0],
            "crps": [0.5, 1.0, 1.5, 4.0],
            "pit": [0.5, 0.2, 0.01, 0.96],
        }
    )
    a, b = (scores_by_week(rows, by=["ward_id"]).iloc[i].to_dict() for i in range(2))
    assert (a["ward_id"], a["lead_week"], a["n"], a["origins"], a["independent_dates"]) == ("a", 1, 3, 2, 2)
    assert (a["coverage50"], a["coverage80"], a["coverage95"]) == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert (a["mean_pit"], a["crps"], a["bias"]) == pytest.approx((0.71 / 3, 1.0, 1.5))
    assert (a["mae"], a["mape"], a["mean_actual"]) == pytest.approx((1.5, 0.3, 5.0))
    assert (b["ward_id"], b["lead_week"], b["coverage80"], b["coverage95"], b["bias"]) == ("b", 2, 0, 1, -1)
    # of two trials at 0.8, none is inside with a probability of 4 %, so no share lies outside the band
    assert (a["coverage80_low"], a["coverage80_high"]) == (0, 1)


def test_the_week_ahead_ends_with_its_last_midnight():
    rows = pd.DataFrame({"origin": days(0, 0, 0, 0), "lead": [0, 7, 7, 14], "hour": [6, 0, 6, 0]})
    rows = rows.assign(ward_id="a", actual=[0, 4, 4, 4], mean=[1.0, 4.0, 6.0, 4.0], crps=1.0, pit=0.5)
    scores = scores_by_week(rows, by=["ward_id"], overall=True).set_index("lead_week")
    assert scores["n"].to_dict() == {0: 4, 1: 2, 2: 2}
    assert scores["mae"].to_dict() == {0: 0.75, 1: 0.5, 2: 1.0}
    assert scores["mape"].to_dict() == {0: 0.5 / 3, 1: 0.0, 2: 0.25}  # of an empty ward there is no share


def test_the_errors_of_one_origin_are_one_trial():
    rows = pd.DataFrame({"origin": days(0, 0, 10, 10, 20, 20), "lead": [1, 7] * 3, "ward_id": "a", "crps": 1.0})
    rows = rows.assign(actual=0, mean=[1.0, 1.0, 2.0, 2.0, 3.0, 3.0], pit=0.5)
    score = scores_by_week(rows, by=["ward_id"]).iloc[0].to_dict()
    assert score["bias"] == 2
    assert score["bias_se"] == pytest.approx(1 / np.sqrt(3))
    overlapping = scores_by_week(rows.assign(origin=days(0, 0, 1, 1, 20, 20)), by=["ward_id"]).iloc[0].to_dict()
    assert overlapping["bias_se"] == pytest.approx(1 / np.sqrt(2))  # two of the three share days
    assert np.isnan(scores_by_week(rows[:2], by=["ward_id"]).iloc[0]["bias_se"])


def test_an_hour_errs_beside_all_hours():
    # origins err by 1 and 5 at all hours, and 2 more at noon
    rows = pd.DataFrame({"origin": days(0, 0, 10, 10), "hour": [0, 12] * 2, "mean": [0.0, 2.0, 4.0, 6.0]})
    rows = rows.assign(ward_id="a", actual=0, lead=1, crps=1.0, pit=0.5)
    noon = scores_by_week(rows, by=["ward_id", "hour"]).iloc[1].to_dict()
    assert (noon["hour"], noon["bias"], noon["hour_bias"], noon["hour_bias_se"]) == (12, 4.0, 1.0, 0.0)
    assert noon["bias_se"] == pytest.approx(2.0)
