"""The drift check passes while the level is steady and warns when it has moved."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.forecasting.drift import level_drift

pytestmark = pytest.mark.unit

Hospital = Callable[..., HospitalConfig]
Daily = Callable[..., pd.DataFrame]
Counts = Callable[..., np.ndarray]


def test_the_stream_that_moved_is_told_from_the_one_that_stood(
    make_hospital: Hospital, daily: Daily, poisson: Counts
) -> None:
    moved, steady = poisson(150, 30.0), poisson(150, 30.0, seed=2)
    moved[-28:] = poisson(28, 45.0)
    drift = level_drift(daily(er=moved, icu=steady), make_hospital("er", "icu")).set_index("stream_id")
    assert drift["moved"].to_dict() == {"er": True, "icu": False}
    assert drift["actual"].to_dict() == {"er": moved[-28:].sum(), "icu": steady[-28:].sum()}
    assert drift.loc["er", "high"] < moved[-28:].sum()
    assert drift["expected"].to_numpy() == pytest.approx(28 * 30, rel=0.06)
    assert (drift["low"] < drift["expected"]).all()


def test_days_not_observed_count_on_neither_side(make_hospital: Hospital, daily: Daily, poisson: Counts) -> None:
    counts = poisson(150, 30.0)
    arrivals = daily(er=counts)
    arrivals.loc[arrivals.index[-14:], ["observed", "arrivals"]] = [False, 0]
    row = level_drift(arrivals, make_hospital("er")).iloc[0]
    assert row["actual"] == counts[-28:-14].sum()
    assert row["expected"] == pytest.approx(14 * 30, rel=0.06)
    assert not row["moved"]


def test_four_weeks_of_history_have_nothing_to_be_compared_with(make_hospital: Hospital, daily: Daily) -> None:
    assert level_drift(daily(er=[3] * 28), make_hospital("er")).empty
    assert len(level_drift(daily(er=[3] * 29), make_hospital("er"))) == 1


def test_a_stream_of_which_nothing_was_known_four_weeks_ago_has_no_row(
    make_hospital: Hospital, daily: Daily, poisson: Counts
) -> None:
    arrivals = daily(er=poisson(150, 30.0), new=[0] * 130 + [20] * 20)
    arrivals["observed"] = (arrivals["stream_id"] == "er") | (arrivals["arrivals"] > 0)
    assert level_drift(arrivals, make_hospital("er", "new"))["stream_id"].tolist() == ["er"]


def test_a_stream_closed_before_the_last_four_weeks_has_not_moved(
    make_hospital: Hospital, daily: Daily, poisson: Counts
) -> None:
    file = make_hospital("er").model_dump(by_alias=True)
    file["arrival_streams"][0]["closed"] = "2023-11-01"
    arrivals = daily(er=poisson(150, 30.0))
    late = arrivals["date"] >= "2023-11-01"
    arrivals.loc[late, ["observed", "arrivals"]] = [False, 0]
    row = level_drift(arrivals, HospitalConfig.model_validate(file)).iloc[0]
    assert (row["actual"], row["expected"], row["moved"]) == (0, 0, False)
