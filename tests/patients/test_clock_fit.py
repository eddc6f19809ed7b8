"""A clock is recovered where there is one, and none is seen where there is none."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.patients.clock_fit import (
    Exposure,
    departures_by_day,
    fit_clock,
    fit_hazards,
    held_out_gains,
    is_gain,
)
from kaizar_pipeline.stats.operational_time import OperationalTime

pytestmark = pytest.mark.unit

START = np.datetime64("2025-01-06", "D")  # a Monday
NO_HOLIDAYS = np.zeros(0, dtype="datetime64[D]")
EMERGENCY = np.array(
    [2, 1.6, 1.3, 1.1, 1, 1.1, 1.6, 2.8, 4.6, 6.2, 6.9, 6.8, 6.4, 6.2, 6.1, 6, 5.9, 5.8, 5.6, 5.2, 4.7, 4.1, 3.3, 2.6]
)
AFTERNOON = np.array([0.05] * 8 + [0.4, 1, 2, 2.5, 2.5, 3, 3, 2.5, 2, 1, 0.5, 0.3, 0.2, 0.05, 0.05, 0.05])
TRUE_WEEK = np.outer([1.1] * 5 + [0.6, 0.5], AFTERNOON)
TRUE_WEEK = TRUE_WEEK / TRUE_WEEK.mean()
Lengths = Callable[[np.random.Generator, int], np.ndarray]


def made(
    n: int, lengths: Lengths, week: np.ndarray | None = None, *, days: int = 365, seed: int = 1, round_to: float = 0
) -> Exposure:
    """Stays with arrivals of an emergency department, mapped through a clock by root finding on a fine grid."""
    rng = np.random.default_rng(seed)
    admit = np.sort(rng.integers(0, days, n) * 24 + rng.choice(24, n, p=EMERGENCY / EMERGENCY.sum()) + rng.random(n))
    length = lengths(rng, n)
    end = admit + length
    if week is not None:
        speed = np.tile(week.ravel(), days // 7 + 60)
        so_far = np.append(0.0, np.cumsum(speed))
        hours = np.arange(len(so_far))
        end = np.interp(np.interp(admit, hours, so_far) + length, so_far, hours)
    if round_to:
        admit, end = (np.rint(at / round_to) * round_to for at in (admit, end))
    last = days * 24.0
    left = end < last
    end = np.maximum(np.minimum(end, last), admit + 1 / 60)
    keep = admit < last
    whole = (admit, admit, end, left, np.ones(n), np.arange(n))
    return Exposure(START, *(column[keep] for column in whole))


def short(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.lognormal(1.2, 0.6, n)


def long(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.gamma(1.5, 60.0, n)


def test_a_clock_is_recovered():
    exposure = made(6000, long, TRUE_WEEK)
    found = fit_clock([exposure], NO_HOLIDAYS).week
    assert found.mean() == pytest.approx(1)
    assert np.sqrt(np.mean((found - TRUE_WEEK) ** 2)) < 0.12
    np.testing.assert_allclose(found.mean(axis=1), TRUE_WEEK.mean(axis=1), atol=0.08)
    assert is_gain(held_out_gains([exposure], NO_HOLIDAYS))


@pytest.mark.parametrize("lengths", [short, long])
def test_a_ward_without_a_clock_shows_none_although_arrivals_have_a_pattern(lengths: Lengths):
    assert not is_gain(held_out_gains([made(6000, lengths)], NO_HOLIDAYS))


def test_plain_departures_over_exposure_would_see_one():
    exposure = made(6000, short)
    hour = exposure.end[exposure.left].astype("int64") % 24
    departures = np.bincount(hour, minlength=24)
    assert departures[13] > 2 * departures[5]  # they follow the arrivals


@pytest.mark.parametrize("n", [30, 100, 300])
def test_noise_is_no_clock(n: int):
    kept = [is_gain(held_out_gains([made(n, long, days=180, seed=seed)], NO_HOLIDAYS)) for seed in range(20)]
    assert sum(kept) <= 1


def test_a_public_holiday_is_a_sunday():
    closed = np.outer([1.3, 1.3, 1.3, 1.3, 1.3, 0.4, 0.1], np.ones(24))
    closed = closed / closed.mean()
    days = START + np.arange(2, 365, 14)  # every second Wednesday
    time = OperationalTime(closed, days)
    hours = np.append(0.0, np.cumsum(time.weights(START, 24 * 420)))
    rng = np.random.default_rng(4)
    admit = np.sort(rng.uniform(0, 360 * 24, 10_000))
    end = np.interp(np.interp(admit, np.arange(len(hours)), hours) + long(rng, 10_000), hours, np.arange(len(hours)))
    exposure = Exposure(START, admit, admit, end, np.ones(10_000, dtype=bool), np.ones(10_000), np.arange(10_000))
    found = fit_clock([exposure], days, days_only=True).week[:, 0]
    blind = fit_clock([exposure], NO_HOLIDAYS, days_only=True).week[:, 0]
    np.testing.assert_allclose(found, closed[:, 0], atol=0.12)
    assert blind[2] < 0.7 * blind[1]


def test_days_only_has_no_hours():
    week = fit_clock([made(2000, long, TRUE_WEEK)], NO_HOLIDAYS, days_only=True).week
    assert np.ptp(week, axis=1).max() == 0
    assert week[6, 0] < 0.8 < week[0, 0]


def test_delayed_entry_changes_no_estimate():
    """The same stays, cut into parts of which some are not seen."""
    rng = np.random.default_rng(5)
    whole = made(6000, lambda rng, n: rng.exponential(60.0, n), TRUE_WEEK)
    blind = np.flatnonzero(rng.random(365) < 0.4) * 24.0  # days on which nobody can be seen to leave
    parts: list[tuple[float, ...]] = []
    for stay, (admit, end, left) in enumerate(zip(whole.admit, whole.end, whole.left, strict=True)):
        at = admit
        for dark in (*blind[(blind + 24 > admit) & (blind < end)], np.inf):
            if at < min(dark, end):
                parts.append((admit, at, min(dark, end), left and end <= dark, 1.0, stay))
            at = max(at, dark + 24)
    columns = np.array(parts).T
    admit, begin, end, left, weight, stay = columns
    seen = Exposure(START, admit, begin, end, left.astype(bool), weight, stay.astype("int64"))
    assert seen.departures < 0.7 * whole.departures
    found, full = (fit_clock([of], NO_HOLIDAYS) for of in (seen, whole))
    assert np.sqrt(np.mean((found.week - TRUE_WEEK) ** 2)) < 0.16
    hours = np.array([20.0, 60.0, 120.0])
    rates = [of.hazards[0].cumulative(hours) for of in (found, full)]
    np.testing.assert_allclose(rates[0], hours / 60, rtol=0.06)
    np.testing.assert_allclose(rates[1], hours / 60, rtol=0.06)


def test_expected_departures_are_as_many_as_those_observed():
    exposure = made(4000, long, TRUE_WEEK)
    clock = fit_clock([exposure], NO_HOLIDAYS)
    observed, expected = departures_by_day(exposure, clock.week, clock.hazards[0], NO_HOLIDAYS)
    assert observed.sum() == exposure.departures
    assert expected.sum() == pytest.approx(observed.sum(), rel=1e-6)
    flat = np.ones((7, 24))
    without = departures_by_day(exposure, flat, fit_hazards([exposure], flat, NO_HOLIDAYS)[0], NO_HOLIDAYS)[1]
    sundays = np.arange(len(observed)) % 7 == 6
    assert without[sundays].sum() > 1.3 * expected[sundays].sum()


def test_what_is_not_known_at_the_cut_is_not_learned_from():
    """Whatever later stays do, the clock that they are judged by is the same."""
    exposure = made(3000, long, TRUE_WEEK)
    cut = np.quantile(exposure.admit, 0.75)
    known = exposure.take(exposure.admit < cut).until(cut)
    assert known.end.max() <= cut
    assert not known.left[known.end == cut].any()


@cache
def history() -> pd.DataFrame:
    """The ward that clocks were designed on: discharges in the afternoon, half of the weekend's on Monday."""
    rng = np.random.default_rng(7)
    rows = []
    for day in pd.date_range("2025-01-06", periods=500):
        n = rng.poisson(20)
        nights = 1 + rng.negative_binomial(1.2, 1.2 / 4.6, size=n)
        out = day + pd.to_timedelta(nights, unit="D")
        held = (out.day_of_week >= 5) & (rng.random(n) < 0.45)
        out += pd.to_timedelta(np.where(held, 7 - out.day_of_week, 0), unit="D")
        admit = day + pd.to_timedelta(rng.choice(24, n, p=EMERGENCY / EMERGENCY.sum()) + rng.random(n), unit="h")
        end = out + pd.to_timedelta(np.clip(rng.normal(14.5, 2.5, n), 8.5, 21), unit="h")
        rows.append(pd.DataFrame({"admit": admit, "end": end}))
    return pd.concat(rows, ignore_index=True)


def exposure_of(stays: pd.DataFrame, as_of: pd.Timestamp) -> Exposure:
    stays = stays.sort_values("admit", ignore_index=True)
    start = stays["admit"].min().normalize()
    admit, end = ((stays[name] - start).dt.total_seconds().to_numpy() / 3600 for name in ("admit", "end"))
    last = (as_of - start).total_seconds() / 3600
    left = end < last
    n = len(stays)
    return Exposure(
        start.to_datetime64().astype("datetime64[D]"),
        *(admit, admit, np.maximum(np.where(left, end, last), admit + 1 / 60), left, np.ones(n), np.arange(n)),
    )


def test_discharges_in_the_afternoon_gain_what_was_measured():
    stays = history()
    gains = held_out_gains([exposure_of(stays, pd.Timestamp("2026-05-18"))], NO_HOLIDAYS)
    assert 0.65 < gains.mean() < 0.95


def test_releases_of_a_real_log_keep_a_clock(sepsis_log: pd.DataFrame):
    stays = sepsis_log.dropna().set_axis(["admit", "end"], axis=1)
    gains = held_out_gains([exposure_of(stays, stays["end"].max().ceil("D"))], NO_HOLIDAYS)
    assert gains.mean() > 0.5
    assert is_gain(gains)


@pytest.fixture
def sepsis_log(real_data: Path) -> pd.DataFrame:
    log = real_data / "sepsis_log.csv"
    if not log.exists():
        pytest.skip(f"{log} does not exist")
    return pd.read_csv(log, usecols=["arrival", "release"]).astype("datetime64[us]")
