"""The covariance of forecast errors is found again where it is known."""

import numpy as np
import pytest

from kaizar_pipeline.forecasting.uncertainty import MAX_INV_K, MAX_VARIANCE, ErrorCovariance, fit_error_covariance

pytestmark = pytest.mark.unit


def test_matrix_by_hand() -> None:
    covariance = ErrorCovariance(a=0.1, b=0.28, c=0.2, rho=0.5, inv_k=0.0, n_paths=9, prior_used=False)
    np.testing.assert_allclose(covariance.matrix(2), [[0.31, 0.21], [0.21, 0.32]])


def test_level_and_daily_noise_are_told_apart() -> None:
    random = np.random.default_rng(1)
    paths, horizon, mean = 4000, 14, 50.0
    level = np.exp(random.normal(-0.02, 0.2, (paths, 1)))
    counts = random.poisson(mean * level * random.gamma(20, 1 / 20, (paths, horizon)))
    fitted = fit_error_covariance(counts.astype(float), np.full(counts.shape, mean), 1000)
    assert np.diag(fitted.matrix(horizon)).mean() == pytest.approx(np.expm1(0.04), rel=0.15)
    assert fitted.inv_k == pytest.approx(0.05, rel=0.15)
    assert not fitted.prior_used


def test_poisson_counts_need_no_error() -> None:
    counts = np.random.default_rng(2).poisson(30.0, (4000, 14)).astype(float)
    fitted = fit_error_covariance(counts, np.full(counts.shape, 30.0), 1000)
    assert np.diag(fitted.matrix(14)).max() < 1e-3
    assert fitted.inv_k < 1e-3


def test_few_paths_lean_on_the_prior_and_fewer_arrivals_mean_a_less_certain_level() -> None:
    none = np.empty((0, 7))
    many, few = (fit_error_covariance(none, none, arrivals) for arrivals in (1000.0, 10.0))
    assert many.prior_used
    assert 0.01 <= many.a < few.a
    assert many.b == many.c == 0


def test_days_not_observed_are_left_out() -> None:
    counts = np.random.default_rng(3).poisson(30.0, (40, 14)).astype(float)
    rates = np.full(counts.shape, 30.0)
    counts[:, 5] = np.nan
    other = rates.copy()
    other[:, 5] = 1e6
    assert fit_error_covariance(counts, rates, 100) == fit_error_covariance(counts, other, 100)


def test_an_absurd_day_stays_within_bounds() -> None:
    counts = np.zeros((20, 7))
    counts[10] = 1e6
    fitted = fit_error_covariance(counts, np.full(counts.shape, 0.1), 3)
    assert fitted.a + fitted.b * 7 / 28 + fitted.c <= MAX_VARIANCE + 1e-9
    assert fitted.inv_k <= MAX_INV_K
