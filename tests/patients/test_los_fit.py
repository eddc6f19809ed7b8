"""Fits find the distribution of the stays although some are open; and fits of real stays seen before their end."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kaizar_pipeline.patients.los_fit import BORROWED, FittedFamily, drift_variance, fit_stays
from kaizar_pipeline.patients.survival import Stays, known_within

pytestmark = pytest.mark.unit

FAMILIES = {
    "lognormal": stats.lognorm(0.8, scale=30.0),
    "gamma": stats.gamma(2.5, scale=12.0),
    "weibull": stats.weibull_min(0.7, scale=30.0),
}


def seen_after(hours: np.ndarray, age: np.ndarray) -> Stays:
    """Stays of `hours` as known `age` hours after admission."""
    is_open = hours > age
    low, high = known_within(hours)
    return Stays(
        np.where(is_open, age, hours),
        np.where(is_open, age, low),
        np.where(is_open, np.inf, high),
        np.ones(len(hours)),
        (age // (28 * 24)).astype(int),
    )


def everything(hours: np.ndarray) -> Stays:
    return seen_after(hours, np.full(len(hours), hours.max()))


def in_hours(times: pd.Series) -> np.ndarray:
    return (times.dt.total_seconds() / 3600).to_numpy()


@pytest.mark.parametrize("name", FAMILIES)
class TestFamilies:
    """Each of lognormal, gamma and weibull."""

    def test_equals_scipy(self, name):
        fitted, hours = FittedFamily(name, 0.8, 30.0), np.array([1e-3, 1.0, 30.0, 400.0])
        np.testing.assert_allclose(fitted.log_density(hours), fitted.frozen.logpdf(hours))
        np.testing.assert_allclose(fitted.survival(hours), fitted.frozen.sf(hours))
        assert fitted.survival(np.array([0.0, np.inf])).tolist() == [1, 0]

    def test_is_found_although_half_the_stays_are_open(self, name):
        rng = np.random.default_rng(1)
        hours = FAMILIES[name].rvs(20_000, random_state=rng)
        found = fit_stays(seen_after(hours, rng.uniform(0, 2 * np.median(hours), len(hours))))
        shape, scale = FAMILIES[name].args[0], FAMILIES[name].kwds["scale"]
        assert found.distribution == name
        assert (found.shape, found.scale_hours) == (pytest.approx(shape, rel=0.06), pytest.approx(scale, rel=0.06))
        assert found.mean_hours == pytest.approx(FAMILIES[name].mean(), rel=0.04)
        assert found.p90_hours == pytest.approx(FAMILIES[name].ppf(0.9), rel=0.05)
        assert found.ks is not None
        assert found.ks < 0.02

    def test_other_units_are_the_same_distribution(self, name):
        hours = FAMILIES[name].rvs(500, random_state=2) + 1  # above the minute, so that none is rounded
        fits = [fit_stays(everything(hours * factor)) for factor in (1.0, 10.0)]
        assert fits[1].mean_hours == pytest.approx(10 * fits[0].mean_hours, rel=1e-3)
        assert fits[1].scale_sd == pytest.approx(fits[0].scale_sd, rel=1e-2)


class TestBadFits:
    """Stays with two peaks, which no family fits."""

    hours = np.concatenate([stats.norm(5, 0.5).rvs(300, random_state=1), stats.norm(50, 3).rvs(300, random_state=2)])

    def test_have_the_quantiles_of_the_stays(self):
        found = fit_stays(everything(self.hours))
        assert found.distribution == "empirical"
        assert found.mean_hours == pytest.approx(self.hours.mean(), rel=1e-9)
        assert found.p90_hours == pytest.approx(np.quantile(self.hours, 0.9), rel=0.01)
        assert found.quantile_hours is not None
        assert np.trapezoid(found.quantile_hours, np.linspace(0, 1, 501)) == pytest.approx(found.mean_hours)

    def test_have_the_tail_of_the_best_family_where_all_longer_stays_are_open(self):
        found = fit_stays(seen_after(self.hours, np.full(600, 50.0)))
        assert found.quantile_hours is not None
        beyond = found.quantile_hours[found.quantile_hours > 50]
        assert len(beyond) == pytest.approx(501 / 4, abs=8)
        assert (np.diff(found.quantile_hours) >= 0).all()
        assert found.mean_hours > np.minimum(self.hours, 50).mean()

    def test_are_smoothed_over_while_stays_are_few(self):
        assert fit_stays(everything(self.hours[::20])).distribution != "empirical"


def test_whole_days_alone_have_a_finite_fit():
    hour_of_day = np.random.default_rng(1).uniform(0, 24, 200)
    same_day = Stays(hour_of_day, np.zeros(200), np.full(200, 24.0), np.ones(200), np.zeros(200, dtype=int))
    found = fit_stays(same_day)
    assert 0 < found.mean_hours < 24
    assert np.isfinite(found.scale_sd)


@pytest.mark.parametrize("hours", [[1.0, 1.0, 1e5], [0.0, 3.0], [5.0, 5.0, 5.0001], [0.0, 0.0, 30000.0]])
def test_a_few_extreme_stays_have_a_bounded_mean(hours):
    found = fit_stays(everything(np.array(hours)))
    assert 0 < found.mean_hours < 30 * max(hours)
    assert 0 <= found.scale_sd < 10


class TestShrinking:
    """The wider group counts as ten further stays."""

    wider = fit_stays(everything(FAMILIES["gamma"].rvs(5000, random_state=1)))

    def test_shrinks_a_small_group_more_than_a_large_one(self):
        apart = [
            fit_stays(everything(100 + FAMILIES["gamma"].rvs(n, random_state=3)), self.wider).mean_hours
            for n in (5, 50, 5000)
        ]
        assert 30 < apart[0] < apart[1] < apart[2] == pytest.approx(130, rel=0.02)

    def test_leaves_the_wider_group_as_it_is(self):
        quantiles = self.wider.quantiles(BORROWED)
        assert quantiles.mean() == pytest.approx(self.wider.mean_hours, rel=0.01)
        assert fit_stays(everything(quantiles), self.wider).mean_hours == pytest.approx(quantiles.mean(), rel=0.02)

    def test_takes_the_wider_drift_where_there_are_too_few_blocks(self):
        few = fit_stays(everything(np.arange(1.0, 30.0)), self.wider)
        assert few.drift_variance == self.wider.drift_variance


class TestDrift:
    """Variance between 28-day blocks: of 26 blocks with 800 stays each, the last ones with open stays."""

    def drift(self, sd: float, seed: int, name: str = "lognormal") -> float:
        rng = np.random.default_rng(seed)
        age = rng.uniform(0, 26 * 28 * 24, 26 * 800)
        factor = np.exp(sd * rng.standard_normal(26))[(age // (28 * 24)).astype(int)]
        found = fit_stays(seen_after(FAMILIES[name].rvs(len(age), random_state=rng) * factor, age))
        return found.drift_variance

    @pytest.mark.parametrize("name", FAMILIES)
    def test_is_found(self, name):
        root_mean = np.sqrt(np.mean([self.drift(0.1, seed, name) for seed in range(6)]))
        assert root_mean == pytest.approx(0.1, rel=0.2)

    def test_is_almost_zero_where_there_is_none(self):
        assert np.sqrt(np.mean([self.drift(0.0, seed) for seed in range(6)])) < 0.015

    def test_leaves_out_the_last_block_when_half_of_it_is_open(self):
        rng = np.random.default_rng(7)
        age = rng.uniform(0, 26 * 28 * 24, 26 * 200)
        hours = FAMILIES["weibull"].rvs(len(age), random_state=rng) * 20  # 32 days on average
        wrong_tail = FittedFamily("lognormal", 1.5, 300.0)
        found, without_last = (
            drift_variance(of, wrong_tail)
            for of in (seen_after(hours, age), seen_after(hours[age > 28 * 24], age[age > 28 * 24]))
        )
        assert found == without_last

    def test_is_not_estimated_from_five_blocks(self):
        age = np.repeat(np.arange(5) * 28 * 24.0 + 600, 100)
        assert drift_variance(seen_after(np.ones(500), age), FittedFamily("gamma", 1.0, 1.0)) is None


def test_the_variance_of_the_log_mean_is_right():
    rng = np.random.default_rng(3)
    true = FAMILIES["gamma"].mean()
    fits = [
        fit_stays(seen_after(FAMILIES["gamma"].rvs(200, random_state=rng), rng.uniform(0, 500, 200))) for _ in range(60)
    ]
    z = np.array([np.log(fit.mean_hours / true) / np.sqrt(fit.fit_variance) for fit in fits])
    assert 0.75 < np.sqrt((z**2).mean()) < 1.35


@pytest.mark.integration
def test_a_short_stay_unit_seen_at_noon(real_data: Path):
    """Every day's patients of a real unit, each as known at noon: half of the stays are open."""
    log = real_data / "ssu_2024.csv.gz"
    if not log.exists():
        pytest.skip("no ssu_2024.csv.gz")
    unit = pd.read_csv(log, parse_dates=["InRoomTS", "OutRoomTS"])
    noon = unit["InRoomTS"].dt.normalize() + pd.Timedelta(hours=12)
    age, hours = (in_hours(until - unit["InRoomTS"]) for until in (noon, unit["OutRoomTS"]))
    age, hours = age[age > 0], hours[age > 0]
    completed = hours[hours <= age]
    assert completed.mean() < 0.62 * hours.mean()
    assert fit_stays(seen_after(hours, age)).mean_hours == pytest.approx(hours.mean(), rel=0.04)


@pytest.mark.integration
def test_sepsis_patients_of_90_days_at_many_cut_offs(real_data: Path):
    log = real_data / "sepsis_log.csv"
    if not log.exists():
        pytest.skip("no sepsis_log.csv")
    cases = pd.read_csv(log, parse_dates=["arrival", "release"]).dropna(subset="release")
    hours = in_hours(cases["release"] - cases["arrival"])
    fitted_off, completed_off = [], []
    for as_of in pd.date_range("2014-03-01", "2015-03-01", freq="28D"):
        age = in_hours(as_of - cases["arrival"])
        recent = (age > 0) & (age < 90 * 24)
        seen, whole = seen_after(hours[recent], age[recent]), hours[recent]
        completed_off.append(whole[whole <= age[recent]].mean() / whole.mean() - 1)
        fitted_off.append(fit_stays(seen).mean_hours / whole.mean() - 1)
    assert np.mean(completed_off) < -0.07
    assert abs(np.mean(fitted_off)) < 0.03
