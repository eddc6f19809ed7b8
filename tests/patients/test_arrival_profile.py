"""Hours of arrival: what is learned from the stamps of an extract, what not, and what contradicts the config."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from small_extracts import Read, make_hospital

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.patients.arrival_profile import (
    WEEKS,
    difference,
    hours_of_arrival,
    known_arrivals,
    profile_differences,
    shrunk_profile,
)

pytestmark = pytest.mark.unit

MONDAY = pd.Timestamp("2024-01-01")
AS_OF = MONDAY + pd.Timedelta(weeks=104)
DAYTIME = [0.0] * 8 + [1.0] * 10 + [0.0] * 6
NIGHT = [1.0] * 8 + [0.0] * 16


def hospital(profile: Any = None, model: Any = None) -> HospitalConfig:
    """The small hospital, whose emergency stream has that `hourly_profile`."""
    data = make_hospital().model_dump(mode="json")
    data["arrival_streams"][0] |= {"hourly_profile": profile, "model": model or {"type": "ml_poisson"}}
    return HospitalConfig.model_validate(data)


def patients(arrival: Any, resolution: Any = "second") -> pd.DataFrame:
    frame = pd.DataFrame({"arrival": pd.Series(arrival, dtype="datetime64[us]")})
    return frame.assign(stream_id="emergency", resolution=resolution, as_of=AS_OF)


def drawn(week: np.ndarray, n: int, seed: int = 1) -> pd.Series:
    """`n` arrivals of the last year by the shares `week` f8[7, 24] of the hours, in whole minutes."""
    random = np.random.default_rng(seed)
    hour = random.choice(168, n, p=(week / week.sum()).ravel())
    minutes = hour * 60 + random.integers(0, 60, n) + random.integers(52, WEEKS, n) * 7 * 24 * 60
    return MONDAY + pd.Series(pd.to_timedelta(minutes, unit="min"))


def of(table: pd.DataFrame, source: str, column: str = "weight", stream: str = "emergency") -> np.ndarray:
    rows = table[(table["stream_id"] == stream) & (table["source"] == source)]
    return rows[column].to_numpy().reshape(7, 24)


def in_use(table: pd.DataFrame, stream: str = "emergency") -> list[str]:
    return table.loc[(table["stream_id"] == stream) & table["in_use"], "source"].unique().tolist()


class TestWhatIsKnown:
    def test_arrivals_are_counted_by_weekday_and_hour(self):
        times = pd.Series(pd.to_datetime(["2024-01-01 09:59:59", "2024-01-01 09:00:00", "2024-01-07 23:30:00"]))
        known = known_arrivals(times, pd.Series(True, times.index))
        assert known is not None
        assert {(d, h): known[d, h] for d, h in zip(*known.nonzero(), strict=True)} == {(0, 9): 2, (6, 23): 1}

    def test_days_without_a_time_do_not_count(self):
        times = pd.Series(pd.to_datetime(["2024-01-01 09:00", "2024-01-02 04:00"]))
        known = known_arrivals(times, pd.Series([True, False]))
        assert known is not None
        assert known.sum() == known[0, 9] == 1

    @pytest.mark.parametrize("step", ["h", "30min"])
    def test_round_stamps_are_times(self, step: str):
        times = pd.Series(pd.date_range(MONDAY, periods=48 * 7 * 4, freq="30min")).dt.floor(step)
        known = known_arrivals(times, pd.Series(True, times.index))
        assert known is not None
        assert (known == 8).all()

    def test_a_midnight_that_stands_for_no_time_is_left_out(self):
        """Stamps to the hour, one each; 70 more on midnight. As many are left as at 23:00 and 1:00."""
        hours = pd.Series(pd.date_range(MONDAY, periods=168 * 2, freq="h"))
        midnights = pd.Series(np.repeat(pd.date_range(MONDAY, periods=7), 10))
        times = pd.concat([hours, midnights], ignore_index=True)
        known = known_arrivals(times, pd.Series(True, times.index))
        assert known is not None
        assert known[:, 1:] == pytest.approx(2)
        assert known.sum(axis=0)[0] == pytest.approx(14)

    def test_a_few_at_midnight_are_patients(self):
        times = pd.Series([MONDAY] * 5 + [MONDAY + pd.Timedelta(hours=12)] * 5)
        known = known_arrivals(times, pd.Series(True, times.index))
        assert known is not None
        assert known[0, 0] == known[0, 12] == 5

    def test_a_stream_almost_all_of_midnights_has_days_only(self):
        times = pd.Series([MONDAY] * 95 + [MONDAY + pd.Timedelta(hours=12)] * 5)
        assert known_arrivals(times, pd.Series(True, times.index)) is None
        assert known_arrivals(times[:0], pd.Series(True, times[:0].index)) is None


counts = arrays(np.float64, (7, 24), elements=st.integers(0, 3000).map(float))


class TestShrinkage:
    @given(counts)
    def test_weights_have_mean_one_on_each_weekday_and_none_is_zero(self, arrivals: np.ndarray):
        profile = shrunk_profile(arrivals)
        assert profile.mean(axis=1) == pytest.approx(np.ones(7))
        assert (profile > 0).all()
        assert np.isfinite(profile).all()

    @given(counts, st.permutations(range(7)))
    def test_weekdays_are_treated_alike(self, arrivals: np.ndarray, order: list[int]):
        assert shrunk_profile(arrivals[order]) == pytest.approx(shrunk_profile(arrivals)[order])

    def test_nobody_is_flat(self):
        assert (shrunk_profile(np.zeros((7, 24))) == 1).all()

    @pytest.mark.parametrize("n", [1, 2, 3])
    def test_a_few_patients_are_no_profile(self, n: int):
        """All at one hour: they count against an arrival an hour at least, on their weekday and for all."""
        arrivals = np.zeros((7, 24))
        arrivals[2, 9] = n
        everyday = (n + 1) / (n + 24)
        profile = shrunk_profile(arrivals)
        assert profile[2, 9] <= 24 * (n + 24 * everyday) / (n + 24) * (1 + 1e-9)
        assert profile[0, 9] <= 24 * everyday * (1 + 1e-9)

    def test_a_weekday_without_arrivals_has_the_hours_of_the_others(self):
        arrivals = np.tile(1000 * np.array(DAYTIME), (7, 1))
        arrivals[6] = 0
        profile = shrunk_profile(arrivals)
        assert profile[6] == pytest.approx(24 * np.array(DAYTIME) / 10, abs=0.01)

    def test_a_known_profile_is_recovered(self):
        """20,000 arrivals of a week whose weekends begin three hours later: in 20 histories the total variation is .03
        on working days and .045 on weekend days in the mean, .06 at most, of .38 between the two."""
        weekday = np.exp(2 * np.cos(2 * np.pi * (np.arange(24) - 11) / 24))
        week = np.array([weekday] * 5 + [np.roll(weekday, 3) * 0.6] * 2)
        shares = week / week.sum(axis=1, keepdims=True)
        assert np.abs(shares[0] - shares[6]).sum() / 2 > 0.37
        random = np.random.default_rng(5)
        learned = [shrunk_profile(random.poisson(20_000 * week / week.sum()) * 1.0) / 24 for _ in range(20)]
        off = np.abs(np.array(learned) - shares).sum(axis=2) / 2
        assert off[:, :5].mean() < 0.03
        assert off[:, 5:].mean() < 0.045
        assert off.max() < 0.06

    @pytest.mark.parametrize(("n", "within"), [(30, 0.08), (300, 0.03), (10_000, 0.01)])
    def test_noise_makes_no_profile(self, n: int, within: float):
        """Arrivals at all hours alike: the mean total variation of what is learned, in 50 histories."""
        random = np.random.default_rng(6)
        off = [np.abs(shrunk_profile(random.poisson(n / 168, (7, 24)) * 1.0) - 1).mean() / 2 for _ in range(50)]
        assert np.mean(off) < within


class TestTheTable:
    def test_an_extract_with_times_is_learned_from_unless_told(self):
        table = hours_of_arrival(patients(drawn(np.tile(DAYTIME, (7, 1)), 5000)), hospital())
        assert (in_use(table), in_use(table, "elective")) == (["from_data"], ["flat"])
        assert of(table, "from_data")[:, 8:18] == pytest.approx(2.4, abs=0.3)
        assert of(table, "from_data", "arrivals").sum() == 5000
        assert (of(table, "flat", stream="elective") == 1).all()

    @pytest.mark.parametrize(
        ("profile", "source"), [("flat", "flat"), (DAYTIME, "configured"), ([2] * 24, "configured")]
    )
    def test_what_is_configured_is_in_use_beside_what_is_observed(self, profile: Any, source: str):
        known = patients(drawn(np.tile(DAYTIME, (7, 1)), 5000))
        table = hours_of_arrival(known, hospital(profile))
        assert in_use(table) == [source]
        assert of(table, source).mean() == pytest.approx(1)
        assert not of(table, "from_data", "in_use").any()
        assert set(hours_of_arrival(known, hospital(profile), fit_all=False)["source"]) == {source, "flat"}

    def test_a_weekday_of_zeros_has_weights_of_zero(self):
        table = hours_of_arrival(patients([]).pipe(_with_one), hospital(DAYTIME * 6 + [0.0] * 24))
        assert of(table, "configured").mean(axis=1).tolist() == pytest.approx([1] * 6 + [0])

    def test_days_are_flat(self):
        table = hours_of_arrival(patients(drawn(np.tile(DAYTIME, (7, 1)), 500), "day"), hospital())
        assert in_use(table) == ["flat"]

    def test_a_departure_known_by_date_leaves_the_arrival_its_time(self, read: Read):
        text = (
            "id,came,went,unit\n1,2024-03-04 09:10,2024-03-06,acute\n2,2024-03-05 10:20,2024-03-07,acute\n"
            "3,2024-03-09 08:00,,acute\n"
        )
        found = read(text).patients
        assert set(found["resolution"]) == {"departure_day"}
        assert of(hours_of_arrival(found, make_hospital()), "from_data", "arrivals").sum() == 2

    def test_old_arrivals_are_forgotten(self):
        old = pd.Series([AS_OF - pd.Timedelta(weeks=WEEKS, hours=15)] * 100)
        new = pd.Series([AS_OF - pd.Timedelta(weeks=WEEKS, hours=-9)] * 100)
        assert in_use(hours_of_arrival(patients(old), hospital())) == ["flat"]
        assert of(hours_of_arrival(patients(pd.concat([old, new])), hospital()), "from_data", "arrivals").sum() == 100


def _with_one(none: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([none, patients([AS_OF - pd.Timedelta(hours=10)])])


class TestTheComparison:
    @pytest.mark.parametrize("n", [60, 1000, 20_000])
    def test_the_right_profile_is_not_warned_about(self, n: int):
        flat, week = np.ones((7, 24)), np.array([DAYTIME] * 7)
        for seed in range(20):
            for profile, truth in (("flat", flat), (DAYTIME, week), (DAYTIME * 7, week)):
                table = hours_of_arrival(patients(drawn(truth, n, seed)), hospital(profile))
                assert profile_differences(table) == []

    def test_another_one_is_named_with_its_worst_hour(self):
        week = np.tile([0.0] * 9 + [1.0] * 10 + [0.0] * 5, (7, 1))
        (found,) = profile_differences(hours_of_arrival(patients(drawn(week, 5000)), hospital(NIGHT)))
        assert found.startswith("stream emergency: 100% of 5,000 arrivals come at other hours of the day than ")
        assert ": configured 12.5% of a day's arrivals, observed 0.0%" in found

    def test_weekdays_that_differ_are_seen_where_the_day_as_a_whole_is_right(self):
        week = np.array([DAYTIME] * 3 + [NIGHT] * 3 + [[1.0] * 24])
        swapped = np.array([NIGHT] * 3 + [DAYTIME] * 3 + [[1.0] * 24])
        week, swapped = (part / part.sum(axis=1, keepdims=True) for part in (week, swapped))
        (found,) = profile_differences(
            hours_of_arrival(patients(drawn(week, 5000)), hospital(swapped.ravel().tolist()))
        )
        assert "come at other hours of the week than configured" in found

    def test_arrivals_on_a_weekday_without_any_are_named(self):
        week = np.array([DAYTIME] * 7)
        table = hours_of_arrival(patients(drawn(week, 7000)), hospital(DAYTIME * 6 + [0.0] * 24))
        (found,) = profile_differences(table)
        assert found.startswith("stream emergency: no arrivals configured on some weekdays, observed on Sun (")

    def test_chance_is_the_mean_absolute_deviation_of_poisson_numbers(self):
        expected = np.array([0.3, 4.0, 90.5, 0.0])
        drawn = np.random.default_rng(7).poisson(expected, (200_000, 4))
        measured = np.abs(drawn - expected).mean(axis=0).sum() / (2 * expected.sum())
        assert difference(expected, expected).by_chance == pytest.approx(measured, rel=0.01)
