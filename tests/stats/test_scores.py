"""Scores worked out by hand, and what theory says of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaizar_pipeline.stats.scores import (
    binomial_band,
    covered,
    crps_of_draws,
    crps_of_probabilities,
    effective_number,
    pinball,
    pit_of_draws,
    pit_of_probabilities,
    seasonal_scale,
)

pytestmark = pytest.mark.unit

counts = st.integers(0, 500)
samples = st.lists(counts, min_size=1, max_size=40).map(np.array)


class TestCrps:
    """E|X - y| - E|X - X'|/2."""

    def test_two_draws_on_either_side(self):
        # E|X - 1| = 1; of the four pairs two are 2 apart, so E|X - X'| = 1
        assert crps_of_draws(np.array([0, 2]), np.array(1)) == 0.5

    def test_one_draw_is_an_absolute_error(self):
        assert crps_of_draws(np.array([[4, 9]]), np.array([7, 9])).tolist() == [3, 0]

    def test_each_column_is_a_forecast_of_its_own(self):
        assert crps_of_draws(np.array([[0, 3], [2, 3]]), np.array([1, 5])).tolist() == [0.5, 2]

    @given(samples, counts)
    def test_it_is_the_squared_distance_between_distribution_functions(self, draws: np.ndarray, actual: int):
        grid = np.arange(501)
        distance = (draws[:, None] <= grid).mean(axis=0) - (actual <= grid)
        assert crps_of_draws(draws, np.array(actual)) == pytest.approx((distance**2).sum(), abs=1e-9)

    @given(samples, counts)
    def test_it_is_twice_the_mean_pinball_loss_of_all_quantiles(self, draws: np.ndarray, actual: int):
        probabilities = (np.arange(len(draws)) + 0.5) / len(draws)
        losses = [pinball(q, np.array(actual), p) for q, p in zip(np.sort(draws), probabilities, strict=True)]
        assert crps_of_draws(draws, np.array(actual)) == pytest.approx(2 * np.mean(losses), abs=1e-9)


HALF_AND_HALF = np.array([[0.0, 0.5, 0.0, 0.5]])  # one patient or three


class TestCrpsOfProbabilities:
    """The same score from exact distributions."""

    @pytest.mark.parametrize(("actual", "expected"), [(0, 1.5), (1, 0.5), (2, 0.5), (3, 0.5), (4, 1.5), (9, 6.5)])
    def test_it_is_mean_distance_less_half_the_spread(self, actual: int, expected: float):
        # E|X - y| less E|X - X'|/2, which is 0.5 for one or three with equal probability
        assert crps_of_probabilities(HALF_AND_HALF, np.array([actual])) == pytest.approx([expected])

    def test_a_certain_forecast_scores_its_absolute_error(self):
        assert crps_of_probabilities(np.eye(6)[[2, 2, 2]], np.array([2, 0, 9])).tolist() == [0, 2, 7]

    @given(samples, counts)
    def test_it_equals_that_of_the_draws(self, draws: np.ndarray, actual: int):
        probability = np.bincount(draws)[None] / len(draws)
        expected = crps_of_draws(draws, np.array(actual))
        assert crps_of_probabilities(probability, np.array([actual]))[0] == pytest.approx(expected, abs=1e-9)


class TestPitOfProbabilities:
    """The same transform from exact distributions."""

    def test_by_hand(self):
        probability = np.repeat(HALF_AND_HALF, 6, axis=0)
        actual = np.array([0, 1, 1, 2, 3, 8])
        uniform = np.array([0.3, 0.0, 0.5, 0.5, 0.2, 0.9])
        pit = pit_of_probabilities(probability, actual, uniform)
        assert pit.tolist() == pytest.approx([0, 0, 0.25, 0.5, 0.6, 1])

    @given(samples, counts, st.floats(0, 1, exclude_max=True))
    def test_it_equals_that_of_the_draws(self, draws: np.ndarray, actual: int, uniform: float):
        probability = np.bincount(draws)[None] / len(draws)
        expected = pit_of_draws(draws, np.array(actual), np.array(uniform))
        found = pit_of_probabilities(probability, np.array([actual]), np.array([uniform]))
        assert found[0] == pytest.approx(expected, abs=1e-9)

    def test_values_drawn_from_the_forecast_itself_have_a_uniform_pit(self):
        random = np.random.default_rng(1)
        probability = random.dirichlet(np.ones(8))
        actual = random.choice(8, size=40_000, p=probability)
        pit = pit_of_probabilities(np.tile(probability, (len(actual), 1)), actual, random.random(len(actual)))
        assert np.histogram(pit, bins=10, range=(0, 1))[0] == pytest.approx(4_000, rel=0.07)
        assert covered(pit, 0.8).mean() == pytest.approx(0.8, abs=0.01)


def test_a_high_quantile_is_punished_for_falling_short():
    losses = pinball(np.array([10, 10, 10]), np.array([14, 8, 10]), 0.9)
    assert losses == pytest.approx([3.6, 0.2, 0])


def test_the_scale_is_the_mean_change_from_week_to_week():
    assert seasonal_scale(np.arange(21.0)) == 7
    assert seasonal_scale(np.array([0, 0, 0, 0, 0, 0, 0, 1, np.nan, 0, 0, 0, 0, 3.0])) == pytest.approx(4 / 6)


def test_there_is_no_scale_where_nothing_ever_changes():
    assert np.isnan(seasonal_scale(np.full(30, 5.0)))
    assert np.isnan(seasonal_scale(np.arange(7.0)))


class TestPit:
    """P(X < y) + u P(X = y)."""

    def test_by_hand(self):
        assert pit_of_draws(np.array([1, 2, 2, 5]), np.array(2), np.array(0.5)) == 0.5
        assert pit_of_draws(np.array([1, 2, 2, 5]), np.array(9), np.array(0.5)) == 1

    def test_a_calibrated_forecast_of_small_counts_is_covered_as_promised(self):
        from scipy.stats import poisson

        draws = poisson.ppf((np.arange(20_000) + 0.5) / 20_000, 2)
        # every count as often as it comes, with evenly spread random numbers
        actual, uniform = np.repeat(draws[::100], 50), np.tile((np.arange(50) + 0.5) / 50, 200)
        below = np.searchsorted(draws, actual, "left") / len(draws)
        at = np.searchsorted(draws, actual, "right") / len(draws) - below
        pit = below + uniform * at
        assert pit[:3] == pytest.approx(pit_of_draws(draws[:, None], actual[:3], uniform[:3]))
        for level in (0.5, 0.8, 0.95):
            assert covered(pit, level).mean() == pytest.approx(level, abs=0.01)
        # what randomising is for: the closed interval holds far more
        low, high = poisson.ppf([0.1, 0.9], 2)
        assert ((actual >= low) & (actual <= high)).mean() == pytest.approx(0.95, abs=0.01)

    @given(samples, counts, st.floats(0, 1, exclude_max=True))
    def test_it_is_a_probability(self, draws: np.ndarray, actual: int, uniform: float):
        assert 0 <= pit_of_draws(draws, np.array(actual), np.array(uniform)) <= 1


class TestEffectiveNumber:
    """How many independent trials a clustered share is worth."""

    def test_days_that_share_their_fate_are_one_trial(self):
        hits = np.repeat(np.arange(10) % 2 == 0, 28)
        assert effective_number(hits, np.repeat(np.arange(10), 28)) == 10

    def test_clusters_all_alike_take_nothing_away(self):
        hits = np.tile([True, True, True, False], 10)
        assert effective_number(hits, np.repeat(np.arange(10), 4)) == 40

    def test_one_trial_per_cluster_is_independent(self):
        assert effective_number(np.array([True, False, True]), np.arange(3)) == 3

    def test_independent_days_are_worth_about_their_number(self):
        random = np.random.default_rng(1)
        found = [effective_number(random.random(336) < 0.8, np.repeat(np.arange(12), 28)) for _ in range(200)]
        assert np.median(found) == pytest.approx(336, rel=0.15)

    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=1, max_size=60))
    def test_it_lies_between_the_clusters_and_the_days(self, days: list[tuple[bool, int]]):
        hits, cluster = (np.array(column) for column in zip(*days, strict=True))
        assert len(set(cluster.tolist())) <= effective_number(hits, cluster) <= len(hits)


def test_the_band_holds_99_of_100_calibrated_forecasts():
    # of 10 trials at .8, three or fewer hits come 9 times in 10,000, four or fewer 64 times
    assert binomial_band(0.8, 10.9) == (0.4, 1.0)
    low, high = binomial_band(0.8, 300)
    assert low < 0.8 < high
    assert high - low == pytest.approx(2 * 2.576 * np.sqrt(0.16 / 300), rel=0.05)
