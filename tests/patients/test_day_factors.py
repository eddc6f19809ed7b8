"""The factor of good and bad days is recovered where there is one, and none is seen where there is none."""

import numpy as np
import pytest

from kaizar_pipeline.patients.clock_fit import Exposure
from kaizar_pipeline.patients.day_factors import Days, day_factors_of, days_of
from kaizar_pipeline.stats.operational_time import FLAT

pytestmark = pytest.mark.unit

START = np.datetime64("2025-01-06", "D")
NO_HOLIDAYS = np.zeros(0, dtype="datetime64[D]")


def normals(rng: np.random.Generator, days: int, correlation: float) -> np.ndarray:
    """Standard normal numbers, each correlated with the one before."""
    found = rng.standard_normal(days)
    for day in range(1, days):
        found[day] = correlation * found[day - 1] + np.sqrt(1 - correlation**2) * found[day]
    return found


def made(log_factor: np.ndarray, per_day: float = 20, seed: int = 1) -> Days:
    """The days of a ward where stays of four days on average end by a clock with these factors of each day."""
    rng, days = np.random.default_rng(seed), len(log_factor)
    n = rng.poisson(per_day * days)
    admit = np.sort(rng.uniform(0, days * 24, n))
    so_far = np.append(0.0, np.cumsum(np.repeat(np.exp(log_factor), 24)))
    hours = np.arange(len(so_far))
    end = np.interp(np.interp(admit, hours, so_far) + rng.gamma(1.5, 64.0, n), so_far, hours, right=np.inf)
    left, last = end < days * 24, days * 24.0
    end = np.maximum(np.where(left, end, last), admit + 1 / 60)
    return days_of([(Exposure(START, admit, admit, end, left, np.ones(n), np.arange(n)), FLAT)], NO_HOLIDAYS)


def test_no_factor_is_seen_in_pure_chance():
    found = day_factors_of({f"w{seed}": made(np.zeros(400), seed=seed) for seed in range(8)})
    assert [factor.sd for factor in found.values()] == [0.0] * 8
    assert all(factor.origin == "none" and abs((factor.dispersion or 1) - 1) < 0.25 for factor in found.values())


@pytest.mark.parametrize(("sd", "correlation"), [(0.3, 0.0), (0.3, 0.6), (0.5, 0.3)])
def test_a_factor_is_recovered(sd: float, correlation: float):
    rng = np.random.default_rng(2)
    found = [
        day_factors_of({"w": made(sd * normals(rng, 500, correlation) - sd**2 / 2, 30, seed)})["w"] for seed in range(4)
    ]
    assert np.mean([factor.sd for factor in found]) == pytest.approx(sd, abs=0.07)
    assert np.mean([factor.autocorrelation for factor in found]) == pytest.approx(correlation, abs=0.2)
    assert {(factor.origin, factor.n_days) for factor in found} == {("from_data", 365)}
    assert all((factor.gain or 0) > 0.01 for factor in found)


@pytest.mark.parametrize("shared", [0.0, 0.7])
def test_the_part_in_common_is_recovered(shared: float):
    rng, sd = np.random.default_rng(3), 0.4
    common = normals(rng, 500, 0.0)
    own = [np.sqrt(shared) * common + np.sqrt(1 - shared) * normals(rng, 500, 0.0) for _ in range(3)]
    found = day_factors_of({f"w{n}": made(sd * z - sd**2 / 2, 30, n) for n, z in enumerate(own)})
    assert {factor.shared for factor in found.values()} == {found["w0"].shared}
    assert found["w0"].shared == pytest.approx(shared, abs=0.2)


def test_few_days_or_no_departure_have_none():
    wild = np.where(np.arange(50) % 2, 1.0, -1.0)
    assert day_factors_of({"w": made(wild)})["w"].sd == 0
    assert day_factors_of({"w": days_of([], NO_HOLIDAYS)})["w"].sd == 0


def test_a_factor_is_no_larger_than_a_config_may_say():
    found = day_factors_of({"w": made(np.where(np.arange(400) % 3, -3.0, 1.5), 40)})["w"]
    assert 0 < found.sd <= 1
    assert 0 <= found.autocorrelation < 1
