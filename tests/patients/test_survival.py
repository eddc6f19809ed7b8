"""Kaplan-Meier and cumulative incidence on a few stays counted by hand, and their laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaizar_pipeline.patients.survival import MINUTE, Stays, destination_shares, kaplan_meier, known_within

pytestmark = pytest.mark.unit


def stays(completed: list[float], still_open: list[float] | None = None) -> Stays:
    hours = np.array([*completed, *(still_open or [])])
    is_open = np.arange(len(hours)) >= len(completed)
    return Stays(hours, hours, np.where(is_open, np.inf, hours), np.ones(len(hours)), np.zeros(len(hours), dtype=int))


def test_an_open_stay_counts_until_it_is_censored():
    found = kaplan_meier(stays([1.0, 3.0, 3.0], [2.0]))
    assert found.hours.tolist() == [1, 3]
    assert found.survival.tolist() == [0.75, 0]
    assert found.mean() == 1 + 0.75 * 2


def test_what_the_longest_completed_stay_leaves_is_open():
    assert kaplan_meier(stays([1.0], [5.0, 5.0, 5.0])).survival.tolist() == [0.75]


def test_an_end_comes_before_a_censoring_at_the_same_time():
    assert kaplan_meier(stays([2.0], [2.0])).survival.tolist() == [0.5]


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30))
def test_without_open_stays_it_is_the_share_of_longer_ones(hours):
    found = kaplan_meier(stays([float(h) for h in hours]))
    longer = [(np.array(hours) > h).mean() for h in found.hours]
    np.testing.assert_allclose(found.survival, longer, atol=1e-12)
    assert found.mean() == pytest.approx(np.mean(hours))


@given(st.lists(st.integers(1, 20), min_size=1, max_size=20), st.lists(st.integers(1, 20), max_size=10))
def test_a_stay_of_weight_two_is_two_stays(completed, still_open):
    single = stays([float(h) for h in completed], [float(h) for h in still_open])
    double = single.take(np.ones(len(single.hours), dtype=bool), 2.0)
    np.testing.assert_allclose(kaplan_meier(double).survival, kaplan_meier(single).survival)
    assert (double.n, double.n_open) == (2 * len(completed), 2 * len(still_open))


def test_stays_under_a_minute_lie_between_nothing_and_a_minute():
    low, high = known_within(np.array([0.0, 1.0]))
    assert (low.tolist(), high.tolist()) == ([0, 1], [MINUTE, 1])


def test_an_open_stay_has_the_destinations_of_longer_stays():
    of = stays([1.0, 1.0, 4.0, 9.0], [0.5, 2.0, 10.0])
    shares = destination_shares(of, np.array([0, 0, 0, 1, -1, -1, -1]), 2)
    assert shares[:4].tolist() == [[1, 0], [1, 0], [1, 0], [0, 1]]
    # at 1 h two of six end, all for 0; at 4 h one of three, for 0; at 9 h one of two, for 1
    first, second, third = 2 / 6, 4 / 6 * 1 / 3, 4 / 6 * 2 / 3 * 1 / 2
    for_one = [third / (first + second + third), third / (second + third), third / (first + second + third)]
    np.testing.assert_allclose(shares[4:, 1], for_one)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(-1, 2)), min_size=1, max_size=20),
    st.lists(st.integers(0, 9), max_size=8),
)
def test_shares_of_open_stays_add_up_to_one(completed, still_open):
    completed.append((3, 0))
    of = stays([float(hours) for hours, _ in completed], [float(hours) for hours in still_open])
    destination = np.array([number for _, number in completed] + [-1] * len(still_open))
    total = destination_shares(of, destination, 3).sum(axis=1)
    np.testing.assert_allclose(total, np.where(of.complete & (destination < 0), 0.0, 1.0))
