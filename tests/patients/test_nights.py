"""Stays known by date: their likelihood against integrals, and fits that find the lengths behind the dates."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from kaizar_pipeline.patients.los_fit import FittedFamily, fit_stays
from kaizar_pipeline.patients.nights import at_least, estimate, merged
from kaizar_pipeline.patients.survival import Dates, Stays, known_within

pytestmark = pytest.mark.unit

FLAT = np.full(24, 1 / 24)
MORNING = np.array([0.0] * 7 + [0.3, 0.5, 0.2] + [0.0] * 14)
_BY_HOUR = np.array([3, 2, 2, 2, 2, 2, 3, 4, 6, 8, 9, 9, 9, 9, 9, 9, 9, 9, 9, 8, 7, 6, 5, 4])
ED = _BY_HOUR / _BY_HOUR.sum()
FAMILIES = (FittedFamily("lognormal", 0.9, 20.0), FittedFamily("gamma", 0.7, 30.0), FittedFamily("weibull", 2.0, 9.0))


def by_nights(nights: list[int], still_open: list[int] | None = None, profile: np.ndarray = FLAT) -> Stays:
    """Completed stays of so many nights and open ones after so many midnights, with lengths drawn evenly."""
    number = np.array([*nights, *(still_open or [])])
    is_open = np.arange(len(number)) >= len(nights)
    spread = np.random.default_rng(5).random(len(number))
    hours = np.where(number == 0, 1 + 10 * spread, number * 24 - 12 + 24 * spread)
    dates = Dates(number, np.zeros(len(number), dtype=int), profile[None])
    high = np.where(is_open, np.inf, hours)
    return Stays(hours, hours, high, np.ones(len(hours)), np.zeros(len(hours), dtype=int), dates)


def seen_by_date(lengths: np.ndarray, profile: np.ndarray, seed: int, days: int) -> Stays:
    """Stays of `lengths` hours, begun by `profile` on any of `days`, as their dates show them after the last."""
    rng = np.random.default_rng(seed)
    day = rng.integers(0, days, len(lengths))
    begin = rng.choice(24, len(lengths), p=profile) + rng.random(len(lengths))
    left = np.floor((begin + lengths) / 24).astype(int)
    is_open = day + left >= days
    number = np.where(is_open, days - day, left)
    stays = by_nights(number[~is_open].tolist(), number[is_open].tolist(), profile)
    block = np.concatenate([(days - 1 - day[~is_open]) // 28, (days - 1 - day[is_open]) // 28])
    return Stays(stays.hours, stays.low, stays.high, stays.weight, block, stays.dates)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
class TestProbability:
    """Of so many nights, for each family."""

    @pytest.mark.parametrize("hours", [0.0, 0.5, 24.0, 300.0])
    def test_excess_is_the_integral_of_the_survival_function(self, family, hours):
        integral = integrate.quad(family.frozen.sf, hours, np.inf, limit=200)[0]
        assert family.excess(np.array([hours]))[0] == pytest.approx(integral, rel=1e-6)

    @pytest.mark.parametrize("profile", [FLAT, MORNING, ED], ids=["flat", "morning", "ed"])
    @pytest.mark.parametrize("nights", [1, 2, 7])
    def test_is_the_mean_over_the_hours_of_arrival(self, family, profile, nights):
        in_hour = [integrate.quad(lambda a: family.frozen.sf(24 * nights - a), h, h + 1)[0] for h in range(24)]
        found = at_least(np.array([nights]), profile[None], family.excess)
        assert found[0, 0] == pytest.approx(profile @ in_hour, rel=1e-6, abs=1e-12)

    def test_with_a_flat_profile_mean_nights_are_the_mean_in_days(self, family):
        found = at_least(np.arange(1, 2000), FLAT[None], family.excess)
        assert found.sum() == pytest.approx(family.mean / 24, rel=1e-6)


Lengths = Callable[[np.random.Generator, int], np.ndarray]


def mixture(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.where(rng.random(n) < 0.6, rng.gamma(9, 6 / 9, n), rng.gamma(4, 42, n))


TRUTHS: dict[str, tuple[Lengths, float]] = {
    "exponential 8 h": (lambda rng, n: rng.exponential(8, n), 8),
    "lognormal 5 days": (lambda rng, n: stats.lognorm(0.8326, scale=120 / 2**0.5).rvs(n, random_state=rng), 120),
    "fixed 10 h": (lambda rng, n: np.full(n, 10.0), 10),
    "fixed 3 days": (lambda rng, n: np.full(n, 72.0), 72),
    "gamma 60 h": (lambda rng, n: rng.gamma(3, 20, n), 60),
    "day cases and weeks": (mixture, 0.6 * 6 + 0.4 * 168),
}


@pytest.mark.parametrize(("n", "profile"), [(400, ED), (4000, FLAT)], ids=["few, ed", "many, flat"])
@pytest.mark.parametrize("name", TRUTHS)
def test_dates_show_the_mean_length_within_sampling_error(name, profile, n):
    lengths, mean = TRUTHS[name]
    hours = lengths(np.random.default_rng(n), n)
    found = fit_stays(seen_by_date(hours, profile, n + 1, days=200))
    # a night more or less is what dates leave open of each stay
    error = np.sqrt((hours.var() + 12.0**2) / n)
    assert abs(found.mean_hours - mean) < 4 * error + 0.02 * mean


def test_open_stays_are_not_lost():
    lengths = np.random.default_rng(1).gamma(2, 120, 4000)
    stays = seen_by_date(lengths, ED, 2, days=20)
    assert stays.n_open > 0.35 * 4000
    assert stays.hours[stays.complete].mean() < 0.7 * 240
    assert fit_stays(stays).mean_hours == pytest.approx(240, rel=0.05)


def test_a_bad_fit_has_lengths_with_the_nights_of_the_stays():
    hours = mixture(np.random.default_rng(3), 6000)
    stays = seen_by_date(hours, ED, 4, days=2000)
    found = fit_stays(stays)
    assert found.distribution == "empirical"
    assert stays.dates is not None
    begin = np.random.default_rng(6).choice(24, 200_000, p=ED) + np.random.default_rng(7).random(200_000)
    nights = np.floor((begin + found.quantiles(np.random.default_rng(8).random(200_000))) / 24)
    for number in range(12):
        seen = (stays.dates.nights == number)[stays.complete].mean()
        assert (nights == number).mean() == pytest.approx(seen, abs=0.015), number


@pytest.mark.parametrize("n", [1, 5, 60, 500])
def test_day_cases_last_as_drawn_where_a_flat_profile_cannot_be_true(n):
    stays = by_nights([0] * n)
    assert fit_stays(stays).mean_hours == pytest.approx(stays.hours.mean(), rel=0.05)


def test_day_cases_that_come_in_the_morning_do_not_stay_overnight():
    found = fit_stays(by_nights([0] * 500, profile=MORNING))
    assert 2 < found.mean_hours < 12
    assert found.quantiles(np.array([0.99]))[0] < 17  # from 7:00, when the first come, to midnight


def test_short_stays_by_a_flat_profile_stay_short():
    hours = np.random.default_rng(1).exponential(2.0, 5000)
    assert fit_stays(seen_by_date(hours, FLAT, 2, days=1000)).mean_hours == pytest.approx(2, rel=0.15)


def test_equal_stays_may_be_counted_together():
    stays = seen_by_date(np.random.default_rng(1).gamma(2, 30, 500), ED, 2, days=100)
    together = merged(stays)
    assert len(together.hours) < 120
    assert (together.n, together.n_open) == (stays.n, stays.n_open)
    survival = FAMILIES[0].survival
    np.testing.assert_allclose(estimate(together, survival).survival, estimate(stays, survival).survival)


NIGHTS = st.lists(st.sampled_from([0, 1, 2, 30, 400]), min_size=1, max_size=8)


@settings(deadline=None, max_examples=15)
@example([0, 1, 2, 30, 4000], [50], 1)
@example([4000], [], 60)
@given(NIGHTS, st.lists(st.sampled_from([1, 2, 50]), max_size=3), st.sampled_from([1, 60]))
@pytest.mark.filterwarnings("error")
def test_any_dates_have_a_fit(nights, still_open, times):
    stays = by_nights(nights * times, still_open)
    found = fit_stays(stays)
    for fit in (found, fit_stays(by_nights([0, 3]), found)):
        assert 0 < fit.mean_hours < 1e7
        assert 0 <= fit.scale_sd < 10


HOURS = st.one_of(st.just(0.0), st.just(24.0), st.floats(23.99, 24.01), st.sampled_from([1e-5, 720.0, 1e6]))


@settings(deadline=None, max_examples=20)
@given(HOURS, st.integers(1, 500), st.lists(HOURS, max_size=2), st.lists(HOURS, max_size=2))
@pytest.mark.filterwarnings("error")
def test_stays_that_are_nearly_all_equal_have_a_fit(usual, n, others, still_open):
    hours = np.array([usual] * n + others + still_open)
    is_open = np.arange(len(hours)) >= n + len(others)
    low, high = known_within(hours)
    stays = Stays(
        hours,
        np.where(is_open, hours, low),
        np.where(is_open, np.inf, high),
        np.ones(len(hours)),
        np.zeros(len(hours), dtype=int),
    )
    found = fit_stays(stays)
    for fit in (found, fit_stays(stays, found)):
        assert np.isfinite([fit.mean_hours, fit.p90_hours, fit.scale_sd]).all()
        assert fit.mean_hours >= 0
