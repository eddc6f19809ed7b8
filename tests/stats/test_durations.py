"""Quantile tables keep the mean, the spread and the far tail of their distributions."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from kaizar_pipeline.config.distributions import (
    Duration,
    Exponential,
    Gamma,
    Lognormal,
    Mean,
    MeanSd,
    ShapeScale,
    Weibull,
)
from kaizar_pipeline.simulation.kernel import random as kernel
from kaizar_pipeline.simulation.kernel.inputs import tables_of
from kaizar_pipeline.stats.durations import (
    GRID,
    empirical_table,
    fitted_table,
    quantile_table,
)


@numba.njit
def quantile(tables, table, share):
    return kernel.quantile(tables, table, share)


@numba.njit
def share_until(tables, table, hours):
    return kernel.share_until(tables, table, hours)


@numba.njit
def rest(tables, table, share, elapsed, scale):
    return kernel.rest(tables, table, share, elapsed, scale)


pytestmark = pytest.mark.unit


def duration(kind, unit="hours", **params):
    return TypeAdapter(Duration).validate_python({"type": kind, "unit": unit, "params": params})


PARAMETRIC: list[Lognormal | Gamma | Weibull | Exponential] = [
    Lognormal(type="lognormal", params=MeanSd(mean=7.4, sd=8.61)),
    Gamma(type="gamma", params=MeanSd(mean=5, sd=10)),
    Weibull(type="weibull", params=ShapeScale(shape=0.7, scale=3)),
    Exponential(type="exponential", unit="days", params=Mean(mean=5)),
]


@pytest.mark.parametrize("kind", PARAMETRIC, ids=lambda kind: kind.type)
def test_drawing_from_a_table_has_the_mean_of_the_distribution(kind):
    table = quantile_table(kind)
    mean = ((table[1:] + table[:-1]) / 2 * np.diff(GRID)).sum()
    assert mean == pytest.approx(kind.frozen.mean(), rel=2e-5)


@pytest.mark.parametrize("kind", PARAMETRIC, ids=lambda kind: kind.type)
@given(share=st.floats(1e-6, 1 - 1e-12))
def test_quantiles_are_close_everywhere(kind, share):
    tables = tables_of(quantile_table(kind)[None])
    hours = quantile(tables, 0, share)
    assert hours == pytest.approx(kind.frozen.ppf(share), rel=2e-2)
    assert share_until(tables, 0, hours) == pytest.approx(share, abs=1e-12)


@given(share=st.floats(0, 1, exclude_max=True))
def test_the_guide_finds_the_same_knot_as_a_search_of_the_whole_grid(share):
    knot = min(int(np.searchsorted(GRID, share, side="right")) - 1, len(GRID) - 2)
    knots = tables_of(np.arange(len(GRID), dtype=float)[None])
    assert knot <= quantile(knots, 0, share) <= knot + 1


@given(share=st.floats(0, 1, exclude_max=True), kind=st.sampled_from(PARAMETRIC))
def test_slopes_are_exact(share, kind):
    table = quantile_table(kind)
    knot = min(int(np.searchsorted(GRID, share, side="right")) - 1, len(GRID) - 2)
    low, high = table[knot : knot + 2]
    between = (share - GRID[knot]) / (GRID[knot + 1] - GRID[knot]) * (high - low)
    assert quantile(tables_of(table[None]), 0, share) == low + between


def test_mean_and_sd_are_those_of_the_duration_not_of_its_logarithm():
    assert PARAMETRIC[0].frozen.mean() == pytest.approx(7.4)
    assert PARAMETRIC[0].frozen.std() == pytest.approx(8.61)
    assert PARAMETRIC[3].frozen.mean() == pytest.approx(120)


def test_the_far_tail_is_not_clipped():
    assert quantile_table(PARAMETRIC[3])[-1] == pytest.approx(120 * 53 * np.log(2), rel=1e-9)


def test_fixed_and_empirical_durations():
    fixed = tables_of(quantile_table(duration("fixed", "days", value=2))[None])
    assert [quantile(fixed, 0, share) for share in (0.0, 0.999)] == [48.0, 48.0]
    assert [share_until(fixed, 0, hours) for hours in (47.9, 48.0)] == [0.0, 1.0]
    seen = tables_of(quantile_table(duration("empirical", values=[5, 1, 3]))[None])
    assert [quantile(seen, 0, share) for share in (0.0, 0.5, 0.75)] == [1.0, 3.0, 4.0]
    assert empirical_table(np.array([1.0, 3.0, 5.0]))[GRID == 0.75].tolist() == [4.0]


def test_what_is_left_of_a_stay_scales_with_it():
    tables = tables_of(quantile_table(PARAMETRIC[0])[None])
    assert rest(tables, 0, 0.5, 0.0, 2.0) == pytest.approx(2 * quantile(tables, 0, 0.5))
    # twice as long and twice as far in: twice as much is left
    assert rest(tables, 0, 0.3, 8.0, 2.0) == pytest.approx(2 * rest(tables, 0, 0.3, 4.0, 1.0))
    assert rest(tables, 0, 0.3, 1e9, 1.0) == 0.0


@pytest.mark.parametrize("kind", PARAMETRIC[:3], ids=lambda kind: kind.type)
def test_a_fitted_family_has_the_whole_tail_of_the_configured_one(kind):
    frozen = kind.frozen
    table = fitted_table(kind.type, frozen.args[0], frozen.kwds["scale"], None)
    np.testing.assert_allclose(table, quantile_table(kind))


def test_fitted_quantiles_are_interpolated():
    quantiles = np.array([1.0, 3.0, 5.0])
    np.testing.assert_array_equal(fitted_table("empirical", None, None, quantiles), empirical_table(quantiles))
