"""Streams that open, close and fall silent: by the config, or by what their arrivals show."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_extracts import make_hospital

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.patients.openings import unannounced, within_opening

pytestmark = pytest.mark.unit

FIRST = pd.Timestamp("2024-01-01")


def hospital(**elective: str) -> HospitalConfig:
    """One whose stream `elective` has the given dates."""
    file = make_hospital().model_dump(by_alias=True)
    file["arrival_streams"][1].update(elective)
    return HospitalConfig.model_validate(file)


def daily(elective: list[int], emergency: int = 5) -> pd.DataFrame:
    """The days of two streams, from FIRST on."""
    dates = pd.date_range(FIRST, periods=len(elective))
    streams = {"emergency": [emergency] * len(elective), "elective": elective}
    return pd.concat(
        [pd.DataFrame({"stream_id": name, "date": dates, "arrivals": counts}) for name, counts in streams.items()],
        ignore_index=True,
    )


def open_days(counts: list[int], config: HospitalConfig) -> int:
    """Days on which `elective` was open."""
    rows = daily(counts)
    return int(within_opening(rows, config)[rows["stream_id"] == "elective"].sum())


def test_a_first_arrival_long_after_the_others_is_an_opening_and_told():
    counts = [0] * 480 + [20] * 20
    assert open_days(counts, hospital()) == 20
    assert unannounced(daily(counts), hospital()) == {
        "elective": "first arrival on 2025-04-25, 480 days after the records begin: taken as its opening; set `opened`"
    }


def test_with_its_date_nothing_is_told_and_zeros_from_then_on_count():
    counts = [0] * 480 + [20] * 20
    config = hospital(opened="2025-04-20")
    assert open_days(counts, config) == 25
    assert unannounced(daily(counts), config) == {}


@pytest.mark.parametrize(
    "counts",
    [
        [0] * 499 + [1],  # one arrival is no opening
        [0] * 500,
        [0] * 6 + [3] * 494,  # less than a week
        [0, 0, 0, 0, 0, 0, 1] * 70,  # once a week
        ([0] * 30 + [1]) * 16,  # once a month
        [0] * 20 + [4] * 100 + [0] * 21 + [4] * 100,  # it has rested that long since
    ],
)
def test_rare_or_resting_streams_are_open_all_the_time(counts: list[int]):
    assert open_days(counts, hospital()) == len(counts)
    assert unannounced(daily(counts), hospital()) == {}


def test_a_stream_that_fell_silent_is_told_by_name_until_it_is_closed():
    counts = [0, 2] * 100 + [0] * 40
    assert unannounced(daily(counts), hospital()) == {
        "elective": "no arrival since 2024-07-18, for 40 days, after some every 2.0 days: set `closed` if it has "
        "closed, else look for it in the extract"
    }
    assert unannounced(daily(counts), hospital(closed="2024-07-19")) == {}
    assert open_days(counts, hospital(closed="2024-07-19")) == 200


def test_a_rest_as_long_as_one_before_is_no_silence():
    assert unannounced(daily([3] * 100 + [0] * 40 + [3] * 100 + [0] * 40), hospital()) == {}


def test_arrivals_of_a_closed_stream_are_told_with_their_number():
    found = unannounced(daily([2] * 10), hospital(opened="2024-01-03", closed="2024-01-10"))
    assert found["elective"].startswith("6 arrivals on days on which the config says that it is closed")


@given(st.lists(st.integers(0, 9), min_size=1, max_size=200))
def test_no_arrival_is_ever_outside_an_inferred_opening(counts: list[int]):
    rows = daily(counts)
    assert rows.loc[~within_opening(rows, hospital()), "arrivals"].sum() == 0


def test_random_days_are_hardly_ever_taken_for_an_opening_or_a_silence():
    random, config = np.random.default_rng(1), hospital()
    histories = [(random.random(300) < 1 / gap).astype(int).tolist() for gap in (1.5, 4, 15, 60) for _ in range(60)]
    assert sum(bool(unannounced(daily(counts), config)) for counts in histories) == 0
