"""The archive of issued forecasts keeps them, and scores them once observed."""

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.planning.forecast_log import extend_log, record_in_words, score_log
from kaizar_pipeline.tables import FORECAST_LOG, MIDNIGHT_CENSUS

pytestmark = pytest.mark.unit


def day(number: int) -> pd.Timestamp:
    return pd.Timestamp(f"2026-03-{number:02d}")


def midnights(as_of: int, distribution: dict[int, float], days: int = 3) -> pd.DataFrame:
    """midnight_census of a run on a day of March: five at as_of, then the same distribution at every midnight."""
    tonight = pd.DataFrame({"date": [day(as_of)], "beds": 5, "probability": 1.0})
    ahead = [
        pd.DataFrame({"date": day(as_of + h), "beds": list(distribution), "probability": list(distribution.values())})
        for h in range(1, days)
    ]
    constants = {"hospital_id": "h", "as_of": day(as_of), "scenario": "baseline", "ward_id": "w", "probability_se": 0.0}
    return MIDNIGHT_CENSUS.frame(pd.concat([tonight, *ahead], ignore_index=True), **constants)


def seen(*actual: int) -> pd.DataFrame:
    """The midnights from 1 March on."""
    dates = [day(number) for number in range(1, len(actual) + 1)]
    return pd.DataFrame({"ward_id": "w", "date": pd.Series(dates, dtype="datetime64[us]"), "actual": list(actual)})


def test_a_first_run_archives_the_midnights_ahead_without_scores():
    log = extend_log(None, midnights(1, {3: 0.25, 5: 0.75}), seen(5))
    assert log[["origin", "date", "lead"]].to_numpy().tolist() == [[day(1), day(2), 1], [day(1), day(3), 2]]
    assert log[["p10", "p25", "p50", "p90"]].iloc[0].tolist() == [3, 3, 5, 5]
    assert (log.loc[0, "mean"], log.loc[0, "lowest"]) == (4.5, 3)
    assert log["probability"].iloc[0].tolist() == [0.25, 0, 0.75]
    assert log[["actual", "crps", "pit"]].isna().all(axis=None)
    assert score_log(log, day(1)).empty


def test_the_next_run_scores_observed_midnights_and_keeps_the_rest():
    log = extend_log(None, midnights(1, {3: 0.25, 5: 0.75}), seen(5))
    log = extend_log(log, midnights(2, {4: 1.0}), seen(5, 5))
    assert log[["origin", "lead"]].to_numpy().tolist() == [[day(1), 1], [day(1), 2], [day(2), 1], [day(2), 2]]
    assert (log["as_of"] == day(2)).all()
    scored = log.iloc[0]
    # E|X - 5| is 0.5, E|X - X'|/2 is 2 x 2 x 3/16 / 2
    assert (scored["actual"], scored["crps"]) == (5, pytest.approx(0.125))
    assert 0.25 <= scored["pit"] < 1
    assert log.loc[1:, "pit"].isna().all()


def test_a_rerun_replaces_its_own_origin_only():
    first = extend_log(None, midnights(1, {3: 1.0}), seen(5))
    second = extend_log(first, midnights(2, {4: 1.0}), seen(5, 5))
    again = extend_log(second, midnights(2, {6: 1.0}), seen(5, 5))
    assert again.loc[again["origin"] == day(2), "p50"].tolist() == [6, 6]
    ours, theirs = (log[log["origin"] == day(1)] for log in (again, second))
    pd.testing.assert_frame_equal(ours, theirs)
    pd.testing.assert_frame_equal(extend_log(again, midnights(2, {6: 1.0}), seen(5, 5)), again)


def test_a_replay_of_an_earlier_origin_leaves_later_ones_and_their_scores():
    log = extend_log(None, midnights(1, {3: 1.0}), seen(5))
    log = extend_log(log, midnights(4, {4: 1.0}), seen(5, 5, 5, 5))
    replayed = extend_log(log, midnights(2, {7: 1.0}), seen(5, 5))
    assert replayed["origin"].dt.day.tolist() == [1, 1, 2, 2, 4, 4]
    old, new = (frame[frame["origin"] == day(1)][["actual", "crps", "pit"]] for frame in (log, replayed))
    assert old.to_numpy().tolist() == new.to_numpy().tolist() == old.dropna().to_numpy().tolist()


def test_the_scores_of_the_last_origins():
    log = None
    for origin in range(1, 21):
        log = extend_log(log, midnights(origin, {4: 0.5, 6: 0.5}), seen(*[4] * origin))
    assert log is not None
    scores = score_log(log, day(20), days=10)
    row = scores.iloc[0]
    # origins 10 to 19, each with two midnights ahead, the last of which is not observed from the 19th
    assert (row["n"], row["origins"], row["independent_dates"]) == (19, 10, 2)
    assert (row["crps"], row["bias"]) == (pytest.approx(0.5), 1)
    pit = log.loc[log["origin"].dt.day.between(10, 19), "pit"].dropna()
    assert row["coverage80"] == (np.abs(pit - 0.5) <= 0.4).mean()
    FORECAST_LOG.conform(log, ("run_id",))


def test_a_horizon_of_one_day_has_no_midnight_ahead():
    assert extend_log(None, midnights(1, {3: 1.0}, days=1), seen(5)).empty
    log = extend_log(None, midnights(1, {3: 1.0}), seen(5))
    again = extend_log(log, midnights(2, {3: 1.0}, days=1), seen(5, 5))
    assert again["origin"].tolist() == [day(1), day(1)]
    assert again["actual"].tolist() == [5, pd.NA]


def test_two_snapshots_of_a_day_stand_side_by_side_and_are_scored_apart():
    log = extend_log(None, midnights(1, {3: 1.0}), seen(5))
    eight = day(1) + pd.Timedelta(hours=8)
    ahead = midnights(1, {5: 1.0})
    log = extend_log(log, ahead[ahead["date"] > day(1)].assign(as_of=eight), seen(5))
    assert log[["origin", "lead", "p50"]].to_numpy().tolist() == [
        [day(1), 1, 3], [day(1), 2, 3], [eight, 1, 5], [eight, 2, 5],
    ]  # fmt: skip
    log = extend_log(log, midnights(2, {4: 1.0}), seen(5, 5))
    assert score_log(log, day(2))["mae"].tolist() == [2.0]  # from midnight, where 8:00 was right
    assert score_log(log, day(2) + pd.Timedelta(hours=8))["mae"].tolist() == [0.0]
    assert "the last 1 forecasts" in record_in_words(log)["w"]


def test_the_record_of_each_ward_in_words():
    assert record_in_words(extend_log(None, midnights(1, {4: 1.0}), seen(5))) == {}
    log = None
    for origin in range(1, 12):  # the forecasts of the 5th and the 10th are wrong, the last one is not scored yet
        ahead = {8: 0.3, 9: 0.4, 10: 0.3} if origin % 5 == 0 else {3: 0.3, 4: 0.4, 5: 0.3}
        log = extend_log(log, midnights(origin, ahead, days=2), seen(*[4] * origin))
    assert log is not None
    words = "the 80 % intervals of the last 10 forecasts, each of the next midnight's census, held 8 times (8 expected)"
    assert record_in_words(log) == {"w": words}
    assert record_in_words(log, forecasts=5)["w"].endswith(
        "the last 5 forecasts, each of the next midnight's census, held 4 times (4 expected)"
    )
