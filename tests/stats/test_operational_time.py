"""Operational time: exact on days that can be added up by hand, its own inverse, and never backwards."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaizar_pipeline.config.discharges import Clock
from kaizar_pipeline.stats.operational_time import OperationalTime, kept_mean, leave_at, mean_excess, plain_hours

OFFICE = Clock(hours=(0,) * 8 + (1,) * 8 + (0,) * 8)
"""Patients leave from 8:00 to 16:00 only, at three times the mean."""

FLAT = np.ones((7, 24))
NO_HOLIDAYS = np.array([], dtype="datetime64[D]")
THIRDS = (np.arange(99) + 0.5) / 99


def at(text: str) -> np.ndarray:
    return np.array([text], dtype="datetime64[us]")


def test_operational_hours_are_added_up_over_days_and_holidays():
    weekends = Clock(weekday={"Sat": 0.5, "Sun": 0.5})  # 6 x 24 of 168 operational hours: 28 on working days
    time = OperationalTime(weekends.week, np.array(["2026-04-27"], dtype="datetime64[D]"))  # a Monday

    def between(first: str, last: str) -> float:
        return float((time.hours(at(last)) - time.hours(at(first)))[0])

    assert between("2026-04-21", "2026-04-22") == pytest.approx(28)
    assert between("2026-04-25", "2026-04-26") == pytest.approx(14)
    assert between("2026-04-27", "2026-04-28") == pytest.approx(14)
    assert between("2026-04-20T06:00", "2026-04-27T06:00") == pytest.approx(168 - 7 + 3.5)
    assert time.weights(np.datetime64("2026-04-26T23"), 3).tolist() == pytest.approx([7 / 12] * 3)


def test_a_flat_clock_is_time_itself():
    time = OperationalTime(FLAT, NO_HOLIDAYS)
    moments = np.array(["1969-12-31T23:30", "1970-01-05", "2026-11-28T07:15"], dtype="datetime64[us]")
    assert time.hours(moments).tolist() == [-4 * 24 - 0.5, 0.0, (moments[2] - moments[1]) / np.timedelta64(1, "h")]


def test_stays_end_while_the_ward_is_open():
    operational = np.concatenate([[0.0], np.cumsum(np.tile(OFFICE.week[0], 3))])
    assert leave_at(operational, 20.0, 12.0) == 24 + 12  # from the evening: half the next day's 24 hours
    assert leave_at(operational, 12.0, 6.0) == 14
    assert leave_at(operational, 12.0, 12.0) == 16
    assert leave_at(operational, 20.0, 0.0) == 20
    assert leave_at(operational, 20.0, 1e-300) == 20
    assert leave_at(operational, 0.0, 72.0) == 48 + 16
    assert leave_at(operational, 0.0, 72.1) == np.inf


weeks = st.lists(st.sampled_from((0.0, 0.01, 0.5, 1.0, 4.0)), min_size=168, max_size=168).filter(any)


@given(weeks, st.floats(0, 167.999), st.floats(0, 150))
def test_leaving_undoes_the_map_and_is_never_before_now(week: list[float], now: float, length: float):
    speed = np.array(week) * 168 / sum(week)
    operational = np.concatenate([[0.0], np.cumsum(np.tile(speed, 3))])
    end = leave_at(operational, now, length)
    assert end >= now
    if end < np.inf and length > 0:
        hours = np.arange(len(operational))
        passed = np.interp(end, hours, operational) - np.interp(now, hours, operational)
        assert passed == pytest.approx(length, abs=1e-9)


@given(weeks, st.floats(0.1, 400))
def test_arrays_and_single_stays_agree(week: list[float], length: float):
    speed = np.array(week) * 168 / sum(week)
    operational = np.concatenate([[0.0], np.cumsum(np.tile(speed, 5))])
    found = plain_hours(speed.reshape(7, 24), np.array([length]))[:, 0]
    alone = [leave_at(operational, hour + 0.5, length) - hour - 0.5 for hour in range(168)]
    passed = [np.interp(h + 0.5 + f, np.arange(len(operational)), operational) for h, f in enumerate(found)]
    expected = [np.interp(h + 0.5 + f, np.arange(len(operational)), operational) for h, f in enumerate(alone)]
    assert passed == pytest.approx(expected, abs=1e-6)  # where the clock stands still, either end of it will do


def test_short_stays_become_longer_on_a_clock_and_long_ones_keep_their_mean():
    # arrivals at all hours, discharges by day: a stay of 2 operational hours that begins at night ends in the morning
    clock = Clock(hours=(0.05,) * 8 + (1, 3, 6, 8, 9, 10, 10, 9, 8, 6, 4, 2, 1, 1, 0.1, 0.1))
    short, long = np.array([2.0]), np.array([240.0])
    assert mean_excess(clock.week, FLAT, short) > 3
    assert abs(mean_excess(clock.week, FLAT, long)) < 0.01 * 240
    assert mean_excess(FLAT, FLAT, short) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("mean", [2.0, 8.0, 24.0, 100.0])
def test_the_factor_keeps_the_mean_in_plain_hours(mean: float):
    by_day = Clock(hours=(0.1,) * 8 + (1,) * 16).week
    lengths = -np.log1p(-THIRDS) * mean
    entry = np.tile(np.arange(24.0), (7, 1))
    factor = kept_mean(by_day, entry, lengths, lengths.mean())
    kept = entry.ravel() @ plain_hours(by_day, factor * lengths).mean(axis=1) / entry.sum()
    assert kept == pytest.approx(lengths.mean(), rel=0.01)


def test_stays_that_begin_when_most_leave_become_longer():
    clock = Clock(hours=(0.2,) * 8 + (1,) * 8 + (0.2,) * 8)  # 15/7 of the mean by day
    mornings = np.tile([0.0] * 9 + [1.0] * 3 + [0.0] * 12, (7, 1))
    assert kept_mean(clock.week, mornings, np.full(10, 1.0), 1.0) == pytest.approx(15 / 7)


def test_where_nobody_leaves_at_night_short_stays_last_until_morning():
    lengths = np.full(10, 1.0)
    factor = kept_mean(OFFICE.week, FLAT, lengths, 1.0)
    assert factor == pytest.approx(0, abs=1e-6)
    assert 1 + mean_excess(OFFICE.week, FLAT, lengths) > 5


def test_a_clock_in_a_file_has_mean_one_over_the_week():
    clock = Clock(hours=tuple(range(24)), weekend_hours=(1,) * 24, weekday={"Sat": 0.6, "Sun": 0.6})
    assert clock.week.mean() == pytest.approx(1)
    assert clock.week[5].sum() / clock.week[0].sum() == pytest.approx(0.6)
    assert np.ptp(clock.week[6]) == pytest.approx(0)


@pytest.mark.parametrize(
    ("clock", "message"),
    [
        ({"hours": (0,) * 24}, "all hours of a day are zero"),
        ({"weekend_hours": (1,) * 23}, "23 numbers, allowed: 24"),
        ({"weekday": dict.fromkeys(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), 0)}, "nobody would ever leave"),
    ],
)
def test_clocks_that_nobody_leaves_by_are_refused(clock: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Clock(**clock)
