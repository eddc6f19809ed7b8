"""CRPS and pinball loss against scoringrules; the randomised PIT against the distribution function of a histogram."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom, nbinom, poisson, rv_histogram

from kaizar_pipeline.stats import scores

pytestmark = pytest.mark.unit

ROUNDING = 1e-9
"""In patients. Both add up at most 500^2 terms below 500 and divide by as many: errors of some 500 x 500 x 1e-16."""

draws_and_actual = st.tuples(st.lists(st.integers(0, 500), min_size=1, max_size=40), st.integers(0, 600))


def counted(draws: list[int]) -> np.ndarray:
    """The probabilities f8[1, patients] of 0, 1, 2, ... as often as they were drawn."""
    return np.bincount(draws)[None] / len(draws)


@pytest.mark.parametrize("estimator", ["nrg", "int", "qd"])  # three formulas for the one score
@given(draws_and_actual)
def test_crps_of_draws(scoringrules: Any, estimator: str, case: tuple[list[int], int]):
    draws, actual = np.array(case[0]), case[1]
    expected = scoringrules.crps_ensemble(actual, draws, estimator=estimator, backend="numpy")
    assert scores.crps_of_draws(draws, np.array(actual)) == pytest.approx(expected, abs=ROUNDING)


def test_crps_of_many_forecasts_at_once(scoringrules: Any):
    random = np.random.default_rng(1)
    mean = random.gamma(2, 10, (60, 4))
    draws, actual = random.poisson(mean, (200, *mean.shape)), random.poisson(mean)
    expected = scoringrules.crps_ensemble(actual, draws, m_axis=0, estimator="nrg", backend="numpy")
    np.testing.assert_allclose(scores.crps_of_draws(draws, actual), expected, rtol=0, atol=ROUNDING)


@given(draws_and_actual)
def test_crps_of_probabilities_that_were_counted(scoringrules: Any, case: tuple[list[int], int]):
    draws, actual = case
    expected = scoringrules.crps_ensemble(actual, np.array(draws), estimator="nrg", backend="numpy")
    assert scores.crps_of_probabilities(counted(draws), np.array([actual])) == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("n_patients", [1, 2, 30, 500])
def test_crps_of_any_probabilities(scoringrules: Any, n_patients: int):
    random = np.random.default_rng(n_patients)
    probability = random.dirichlet(np.full(n_patients, 0.3), size=50)
    actual = random.integers(0, n_patients + 20, 50)  # also more patients than the forecast has any chance for
    patients = np.broadcast_to(np.arange(float(n_patients)), probability.shape)
    expected = scoringrules.crps_ensemble(actual, patients, ens_w=probability, estimator="nrg", backend="numpy")
    np.testing.assert_allclose(scores.crps_of_probabilities(probability, actual), expected, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("actual", [0, 1, 7, 40, 150])
@pytest.mark.parametrize(
    ("name", "distribution", "parameters"),
    [
        ("crps_poisson", poisson, (0.2,)),
        ("crps_poisson", poisson, (35.0,)),
        ("crps_binomial", binom, (30, 0.7)),
        ("crps_negbinom", nbinom, (2.5, 0.1)),
        ("crps_hypergeometric", hypergeom, (20, 30, 15)),
    ],
)
def test_crps_of_distributions_in_closed_form(
    scoringrules: Any, name: str, distribution: Any, parameters: tuple[float, ...], actual: int
):
    expected = getattr(scoringrules, name)(actual, *parameters, backend="numpy")
    if distribution is hypergeom:  # scipy counts all and the good, scoringrules the good and the bad
        good, bad, taken = parameters
        parameters = (good + bad, good, taken)
    probability = distribution.pmf(np.arange(600), *parameters)[None]  # what lies beyond weighs less than 1e-20
    # closed forms take special functions, right to 1e-12 of numbers up to 150
    assert scores.crps_of_probabilities(probability, np.array([actual])) == pytest.approx(
        expected, rel=1e-9, abs=ROUNDING
    )


@given(st.floats(0, 500), st.integers(0, 500), st.floats(0.01, 0.99))
def test_pinball_loss(scoringrules: Any, quantile: float, actual: int, probability: float):
    expected = scoringrules.quantile_score(actual, quantile, probability, backend="numpy")
    found = scores.pinball(np.array(quantile), np.array(actual), probability)
    assert found == pytest.approx(expected, abs=ROUNDING)


@given(draws_and_actual, st.floats(0, 1, exclude_max=True))
def test_randomised_pit(case: tuple[list[int], int], uniform: float):
    draws, actual = case
    # a histogram with a bar from each number to the next spreads it evenly, which is what the randomisation does
    heights = np.bincount(draws)
    spread = rv_histogram((heights, np.arange(len(heights) + 1.0)), density=False)
    expected = spread.cdf(actual + uniform)
    # a number plus a uniform below 1 is right to 1e-13 where the number is up to 600
    found = scores.pit_of_draws(np.array(draws), np.array(actual), np.array(uniform))
    assert found == pytest.approx(expected, abs=1e-12)
    found = scores.pit_of_probabilities(counted(draws), np.array([actual]), np.array([uniform]))
    assert found == pytest.approx(expected, abs=1e-12)
