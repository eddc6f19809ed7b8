"""The covariance of forecast errors is found again where it is known, and held to a prior where it is not."""

import numpy as np
import pytest

from kaizar_pipeline.forecasting.uncertainty import (
    MAX_INV_K,
    MAX_VARIANCE,
    PRIOR_CORRELATION,
    PRIOR_DRIFT,
    ErrorCovariance,
    Evidence,
    fit_error_covariance,
    level_evidence,
    pooled_drift,
    stream_correlation,
)

pytestmark = pytest.mark.unit


def evidence(counts: np.ndarray, rate: float, level_variance: float = 1e-4, inv_k: float = 0.0) -> Evidence:
    return Evidence(counts.astype(float), np.full(counts.shape, rate), level_variance, inv_k)


def no_paths(level_variance: float, inv_k: float = 0.02, horizon: int = 28) -> Evidence:
    return Evidence(np.empty((0, horizon)), np.empty((0, horizon)), level_variance, inv_k)


def test_matrix_by_hand() -> None:
    covariance = ErrorCovariance(a=0.1, b=0.3, c=0.2, rho=0.5, inv_k=0.0, n_paths=9, prior_used=False)
    first, second = (0.3 * (1 - 0.98**h) / (1 - 0.98**28) for h in (1, 2))
    np.testing.assert_allclose(covariance.matrix(2), [[0.3 + first, 0.2 + first], [0.2 + first, 0.3 + second]])


def test_the_level_error_is_b_after_28_days_and_bounded_after_half_a_year() -> None:
    drifting = ErrorCovariance(a=0.0, b=0.01, c=0.0, rho=0.6, inv_k=0.0, n_paths=9, prior_used=False)
    variance = np.diag(drifting.matrix(180))
    assert variance[27] == pytest.approx(0.01)
    assert np.all(np.diff(variance) > 0)
    assert variance[-1] < 0.01 / (1 - 0.98**28)


def test_days_that_were_not_observed_at_the_end_move_the_horizon_on() -> None:
    covariance = ErrorCovariance(a=0.1, b=0.3, c=0.2, rho=0.5, inv_k=0.0, n_paths=9, prior_used=False)
    np.testing.assert_allclose(covariance.matrix(5, behind=3), covariance.matrix(8)[3:, 3:])


def test_level_and_daily_noise_are_told_apart() -> None:
    random = np.random.default_rng(1)
    paths, horizon, mean = 4000, 14, 50.0
    level = np.exp(random.normal(-0.02, 0.2, (paths, 1)))
    counts = random.poisson(mean * level * random.gamma(20, 1 / 20, (paths, horizon)))
    fitted = fit_error_covariance(evidence(counts, mean), PRIOR_DRIFT)
    assert np.diag(fitted.matrix(horizon)).mean() == pytest.approx(np.expm1(0.04), rel=0.15)
    assert fitted.inv_k == pytest.approx(0.05, rel=0.15)
    assert not fitted.prior_used


def test_poisson_counts_need_no_error() -> None:
    counts = np.random.default_rng(2).poisson(30.0, (4000, 14))
    fitted = fit_error_covariance(evidence(counts, 30.0), PRIOR_DRIFT)
    assert np.diag(fitted.matrix(14)).max() < 1e-3
    assert fitted.inv_k < 1e-3


def test_without_paths_the_prior_is_all_there_is() -> None:
    fitted = fit_error_covariance(no_paths(0.004, inv_k=0.03), 0.01)
    assert (fitted.a, fitted.b, fitted.c, fitted.inv_k, fitted.prior_used) == (0.004, 0.01, 0.0, 0.03, True)


def test_the_level_of_few_arrivals_or_days_is_less_certain() -> None:
    none = np.empty((0, 28))
    many, few, short = (
        level_evidence(none, none, overdispersion=1.5, n_days=days, rate=rate).level_variance
        for days, rate in ((400, 30.0), (400, 3.0), (10, 30.0))
    )
    assert many == pytest.approx(1.5 / (50 * 30))
    assert few == pytest.approx(10 * many)
    assert short == pytest.approx(5 * many)


def test_single_days_vary_as_around_the_calendar_the_more_so_the_longer_the_history() -> None:
    none = np.empty((0, 28))
    in_sample = [level_evidence(none, none, 1.5, days, 5.0).inv_k for days in (1, 28, 100_000)]
    assert in_sample[1] == pytest.approx((0.1 + 0.02) / 2)
    assert in_sample[2] == pytest.approx(0.1, rel=0.01)
    assert in_sample == sorted(in_sample)


def test_days_of_many_arrivals_are_assumed_to_vary_by_a_fifth_beyond_poisson_once_there_is_a_calendar() -> None:
    none = np.empty((0, 28))
    short, known = (level_evidence(none, none, 1.0, n_days=days, rate=100.0).inv_k for days in (56, 84))
    assert short == pytest.approx(0.02 / 3)
    assert known == pytest.approx(0.002 / 4)


def test_a_covariance_from_eight_paths_is_steady() -> None:
    random = np.random.default_rng(8)

    def total() -> float:
        level = np.exp(random.normal(0, 0.06, (8, 1)))
        stream = evidence(random.poisson(100 * level, (8, 28)), 100.0, level_variance=0.0018)
        return float(fit_error_covariance(stream, 0.003).matrix(28).mean())

    # of the paths alone the standard deviation is 0.5 and more
    assert np.std([np.log(total()) for _ in range(60)]) < 0.2


def test_one_streams_drift_speaks_for_the_others() -> None:
    random = np.random.default_rng(4)
    moving = 200 * np.exp(random.normal(0, 0.15, (28, 1)) * np.linspace(0, 1, 28))
    told = evidence(random.poisson(moving, (28, 28)), 200.0)
    assert pooled_drift([no_paths(0.001)]) == PRIOR_DRIFT
    assert pooled_drift([no_paths(0.001), told]) > 2 * PRIOR_DRIFT


def test_a_stream_of_few_arrivals_tells_little_of_drift() -> None:
    random = np.random.default_rng(5)
    counts = random.poisson(0.2 * np.exp(random.normal(0, 1, (28, 1))), (28, 28))
    assert pooled_drift([evidence(counts, 0.2, level_variance=0.1)]) < 2 * PRIOR_DRIFT


def test_a_shared_level_is_found_as_correlation_and_independent_streams_have_little() -> None:
    random = np.random.default_rng(6)
    shared, own = random.normal(0, 0.2, (1, 2000, 1)), random.normal(0, 0.2, (3, 2000, 1))

    def correlation(levels: np.ndarray) -> float:
        streams = [evidence(random.poisson(50 * np.exp(level), (2000, 28)), 50.0) for level in levels]
        return stream_correlation(streams, [fit_error_covariance(stream, PRIOR_DRIFT) for stream in streams])

    assert correlation(own) < 0.05
    assert correlation(np.sqrt(0.5) * (shared + own)) == pytest.approx(0.5, abs=0.07)


def test_streams_without_common_paths_have_the_assumed_correlation() -> None:
    streams = [no_paths(0.01), evidence(np.full((9, 28), 5), 5.0)]
    covariances = [fit_error_covariance(stream, PRIOR_DRIFT) for stream in streams]
    assert stream_correlation(streams, covariances) == pytest.approx(PRIOR_CORRELATION)
    assert stream_correlation([], []) == pytest.approx(PRIOR_CORRELATION)


def test_days_not_observed_are_left_out() -> None:
    counts = np.random.default_rng(3).poisson(30.0, (40, 14)).astype(float)
    rates = np.full(counts.shape, 30.0)
    counts[:, 5] = np.nan
    other = rates.copy()
    other[:, 5] = 1e6
    first, second = (fit_error_covariance(Evidence(counts, r, 0.001, 0.0), PRIOR_DRIFT) for r in (rates, other))
    assert first == second


def test_an_absurd_day_stays_within_bounds() -> None:
    counts = np.zeros((20, 7))
    counts[10] = 1e6
    fitted = fit_error_covariance(evidence(counts, 0.1), PRIOR_DRIFT)
    assert np.diag(fitted.matrix(7)).max() <= MAX_VARIANCE + 1e-9
    assert fitted.inv_k <= MAX_INV_K
