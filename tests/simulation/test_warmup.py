"""Whether a warm-up suffices: the rule with exact answers, and wards that fill up as M/G/infinity does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaizar_pipeline.simulation.warmup import diagnose, mser5

pytestmark = pytest.mark.unit

WEEK = np.repeat([1.15, 1.1, 1.0, 1.0, 1.0, 0.9, 0.85], 24)
DAY = 1 + 0.6 * np.sin(2 * np.pi * (np.arange(24) - 8) / 24)


def test_a_different_start_is_cut_off():
    assert mser5(np.repeat([0.0, 1.0], [10, 40])) == 10
    assert mser5(np.repeat([7.0, 1.0], [13, 87])) == 15
    # batches 0, 3, 4, 4, 4, 4 have (sum of squares about the mean) / (how many left)^2 of
    # 12.83 / 36, 0.8 / 25, 0 / 16: two go
    assert mser5(np.repeat([0.0, 3, 4, 4, 4, 4], 5)) == 10
    # batches 0, 4, 4, 4: one goes, though two are the most that may
    assert mser5(np.repeat([0.0, 4, 4, 4], 5)) == 5


def test_a_steady_or_very_short_series_is_left_whole():
    assert mser5(np.full(100, 3.0)) == 0
    assert mser5(np.resize([0.0, 1, 2, 3, 4], 100)) == 0
    assert mser5(np.array([1.0, 2, 3])) == 0


@given(values=st.lists(st.integers(0, 1000), max_size=200))
def test_laws_of_the_rule(values: list[int]):
    series = np.array(values, dtype=float)
    cut = mser5(series)
    assert cut % 5 == 0
    assert 0 <= cut <= len(series) / 2
    assert mser5(4 * series) == cut
    assert mser5(series[: len(series) // 5 * 5]) == cut


def filling_up(los_days: float, level: float, days: int, replications: int, seed: int) -> np.ndarray:
    """f8[1, hours]: mean census of a ward without limit that begins empty, exponential stays, arrivals with daily and
    weekly cycles at a level that is uncertain by 5 %."""
    rng = np.random.default_rng(seed)
    hours = 24 * days
    rate = level / (24 * los_days) * np.resize(WEEK, hours) * np.resize(DAY, hours)
    factor = np.exp(rng.normal(0, 0.05, replications))
    census, mean = np.zeros(replications, dtype=int), np.empty(hours)
    for hour in range(hours):
        mean[hour] = census.mean()
        census = rng.binomial(census, np.exp(-1 / (24 * los_days))) + rng.poisson(rate[hour] * factor)
    return mean[None]


@pytest.mark.parametrize("los_days", [0.1, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("level", [3, 60])
def test_a_sufficient_warmup_gives_no_warning(los_days: float, level: float):
    for seed in range(5):
        census = filling_up(los_days, level, 35, 200, seed)
        assert diagnose(census[:, 168:], 168, ["ward"], replications=200) == []


@pytest.mark.parametrize(("los_days", "level"), [(5.0, 60), (7.0, 10), (21.0, 60), (90.0, 60)])
def test_a_warmup_far_too_short_gives_a_warning(los_days: float, level: float):
    for seed in range(3):
        (found,) = diagnose(filling_up(los_days, level, 35, 200, seed)[:, 168:], 168, ["ward"], replications=200)
        assert found.ward == "ward"
        assert found.needed_hours >= 9 * 24
        # what is still missing after 7 days, against what is missing three weeks later, and noise
        missing = 1 - (1 - np.exp(-7.5 / los_days)) / (1 - np.exp(-25 / los_days))
        assert found.shortfall == pytest.approx(missing, abs=0.12)


def test_without_warmup_the_need_follows_the_length_of_stay():
    needed = [
        diagnose(filling_up(los_days, 60, 28, 400, 1), 0, ["ward"], replications=400)[0].needed_hours
        for los_days in (0.2, 1.0, 3.0)
    ]
    # three mean stays leave 5 % missing
    assert needed[0] in range(10, 30)
    assert needed[1] in range(60, 150)
    assert needed[2] > 150


def test_the_text_of_the_warning():
    hours = np.arange(35 * 24)
    wards = np.stack([10 * (1 - np.exp(-hours / 200)), np.full(35 * 24, 8.0)])
    # missing on day 8: 0.4317 x 0.944; on days 22 and 29: 0.0804 and 0.0347 x 0.944; 1 - 0.5924 / 0.9456 = 37 %
    (found,) = diagnose(wards[:, 168:], 168, ["icu", "ed"], replications=400)
    assert str(found) == (
        "ward icu: the warm-up of 7 days is too short: on the first day that counts the census is 37% below that of "
        "the same hours later; needed are more than 14 days (simulation.warmup_days), or start: census"
    )


def test_an_empty_ward_and_a_horizon_too_short_to_tell():
    assert diagnose(np.zeros((1, 28 * 24)), 168, ["ward"], replications=100) == []
    assert diagnose(np.arange(7 * 24.0)[None], 168, ["ward"], replications=100) == []
