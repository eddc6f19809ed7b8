"""When to stop: the looks, the half-widths, and that stopping early still covers the truth."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from kaizar_pipeline.simulation.precision import (
    Achieved,
    is_reached,
    looks,
    mean_half_width,
    share_half_width,
    simulation_precision,
    widest,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("at_most", "schedule"),
    [(2, [2]), (100, [100]), (150, [100, 150]), (400, [100, 200, 400]), (1000, [100, 200, 400, 800, 1000])],
)
def test_looks_double_up_to_the_maximum(at_most: int, schedule: list[int]):
    assert looks(at_most) == schedule


@given(at_most=st.integers(2, 100_000))
def test_looks_are_few_ascending_and_end_at_the_maximum(at_most: int):
    schedule = looks(at_most)
    assert schedule[-1] == at_most
    assert len(schedule) <= 11
    assert all(before < after <= 2 * before for before, after in pairwise(schedule))


def test_known_half_widths():
    # t of 99 degrees of freedom at 0.975 is 1.98422; of 9 at 1 - 0.05 / 5 / 2 = 0.995 it is 3.24984
    assert mean_half_width(np.array([0.5]), 100)[0] == pytest.approx(0.5 * 1.98422, abs=1e-5)
    assert mean_half_width(np.array([2.0]), 10, planned_looks=5)[0] == pytest.approx(2 * 3.24984, abs=1e-4)
    # Wilson (0.4038, 0.5962) for 50 of 100; 0 of 100 reach up to 3.8415 / 103.8415; 10 of 100: (0.0552, 0.1744)
    assert share_half_width(np.array([50, 0, 10]), 100) == pytest.approx([0.0962, 0.036994, 0.0744], abs=5e-5)


def test_means_measured_once_or_never():
    assert mean_half_width(np.array([np.nan, np.nan, 0.0]), np.array([0, 1, 5])).tolist() == pytest.approx(
        [np.nan, np.inf, 0.0], nan_ok=True
    )


@given(n=st.integers(2, 5000), data=st.data())
def test_laws_of_the_half_width_of_a_share(n: int, data: st.DataObject):
    events = data.draw(st.integers(0, n))
    planned = data.draw(st.integers(1, 11))

    def width(events: int, n: int, planned: int) -> float:
        return float(share_half_width(np.array([events]), n, planned)[0])

    here = width(events, n, planned)
    assert 0 < here < 1
    assert here == pytest.approx(width(n - events, n, planned))
    assert here < width(events, n, planned + 1)
    assert width(4 * events, 4 * n, planned) < here


@pytest.mark.parametrize("n", [100, 800])
def test_every_share_is_covered(n: int):
    width = share_half_width(np.arange(n + 1), n)
    for truth in np.concatenate([np.geomspace(1e-5, 0.5, 60), 1 - np.geomspace(1e-5, 0.5, 60)]):
        covers = np.abs(np.arange(n + 1) / n - truth) <= width
        assert binom.pmf(np.arange(n + 1), n, truth)[covers].sum() > 0.94, truth


def paths_of_sums(draws: np.ndarray, schedule: list[int]) -> np.ndarray:
    return np.cumsum(draws, axis=1)[:, np.array(schedule) - 1]


@pytest.mark.parametrize("target", [0.1, 0.15, 0.22])
def test_stopping_early_keeps_the_coverage_of_a_mean(target: float):
    schedule = looks(800)
    draws = np.random.default_rng(5).normal(size=(2000, 800))
    n = np.array(schedule)
    mean = paths_of_sums(draws, schedule) / n
    se = np.sqrt((paths_of_sums(draws**2, schedule) / n - mean**2) / (n - 1))
    width = mean_half_width(se, n, len(schedule))
    stop = np.where((width <= target).any(axis=1), (width <= target).argmax(axis=1), len(schedule) - 1)
    trial = np.arange(len(draws))
    assert (np.abs(mean) <= width)[trial, stop].mean() >= 0.95
    # the guarantee is stronger: all looks together; intervals that ignore the other looks do not have it
    assert (np.abs(mean) <= width).all(axis=1).mean() >= 0.95
    assert (np.abs(mean) <= mean_half_width(se, n)).all(axis=1).mean() < 0.92


@pytest.mark.parametrize("truth", [0.001, 0.02, 0.1, 0.5, 0.97])
@pytest.mark.parametrize("target", [0.02, 0.06])
def test_stopping_early_keeps_the_coverage_of_a_probability(truth: float, target: float):
    schedule = looks(1600)
    steps = np.diff([0, *schedule])
    events = np.cumsum(np.random.default_rng(6).binomial(steps, truth, size=(4000, len(steps))), axis=1)
    width = np.stack([share_half_width(events[:, k], n, len(schedule)) for k, n in enumerate(schedule)], axis=1)
    covers = np.abs(events / np.array(schedule) - truth) <= width
    stop = np.where((width <= target).any(axis=1), (width <= target).argmax(axis=1), len(schedule) - 1)
    assert covers[np.arange(len(events)), stop].mean() >= 0.95
    assert covers.all(axis=1).mean() >= 0.95


def test_the_widest_interval_and_where_it_is():
    half_widths = np.array([[0.1, 0.2], [np.nan, 0.4], [np.nan, np.nan]])
    found = widest("prob_full_hour", half_widths, ["ed", "icu", "ward"], replications=200, planned_looks=3, target=0.3)
    assert found == Achieved("prob_full_hour", 0.3, 0.4, "icu", 200, 3)
    assert found.reached is False
    assert not is_reached([found])


def test_without_target_or_measurement_the_run_may_stop():
    free = widest("mean_census", np.array([[5.0]]), ["ed"], replications=100)
    unlimited = widest("prob_full_hour", np.array([[np.nan]]), ["ed"], replications=100, target=0.01)
    assert (free.reached, unlimited.reached, unlimited.ward) == (None, True, None)
    assert is_reached([free, unlimited])
    once = widest("wait_mean_hours", np.array([np.inf]), ["ed"], replications=100, target=1.0)
    assert not is_reached([once])


def test_the_table():
    rows = [
        Achieved("prob_full_hour", 0.3, 0.4, "icu", 200, 3),
        Achieved("mean_census", None, np.nan, None, 200, 3),
        Achieved("wait_mean_hours", 1.0, np.inf, "ed", 200, 3),
    ]
    table = simulation_precision(rows, hospital_id="x", as_of=pd.Timestamp("2026-01-05"), scenario="baseline")
    assert table["quantity"].tolist() == ["mean_census", "prob_full_hour", "wait_mean_hours"]
    assert table["half_width"].isna().tolist() == [True, False, True]
    assert table["reached"].isna().tolist() == [True, False, False]
    assert table["reached"].dropna().tolist() == [False, False]
