"""Quantile tables keep the mean, the spread and the far tail of their distributions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from kaizar_pipeline.config.hospital import Duration, Exponential, Gamma, Lognormal, Mean, MeanSd, ShapeScale, Weibull
from kaizar_pipeline.simulation.durations import (
    GRID,
    Parametric,
    QuantileTables,
    distribution,
    empirical_table,
    fitted_table,
    quantile_table,
)

pytestmark = pytest.mark.unit


def duration(kind, unit="hours", **params):
    return TypeAdapter(Duration).validate_python({"type": kind, "unit": unit, "params": params})


PARAMETRIC: list[Parametric] = [
    Lognormal(type="lognormal", params=MeanSd(mean=7.4, sd=8.61)),
    Gamma(type="gamma", params=MeanSd(mean=5, sd=10)),
    Weibull(type="weibull", params=ShapeScale(shape=0.7, scale=3)),
    Exponential(type="exponential", unit="days", params=Mean(mean=5)),
]


@pytest.mark.parametrize("kind", PARAMETRIC, ids=lambda kind: kind.type)
def test_drawing_from_a_table_has_the_mean_of_the_distribution(kind):
    table = quantile_table(kind)
    mean = ((table[1:] + table[:-1]) / 2 * np.diff(GRID)).sum()
    assert mean == pytest.approx(distribution(kind).mean(), rel=2e-5)


@pytest.mark.parametrize("kind", PARAMETRIC, ids=lambda kind: kind.type)
@given(share=st.floats(1e-6, 1 - 1e-12))
def test_quantiles_are_close_everywhere(kind, share):
    tables = QuantileTables(quantile_table(kind)[None])
    quantile = tables.quantile(np.array([0]), np.array([share]))[0]
    assert quantile == pytest.approx(distribution(kind).ppf(share), rel=2e-2)
    assert tables.probability(0, quantile) == pytest.approx(share, abs=1e-12)


def test_mean_and_sd_are_those_of_the_duration_not_of_its_logarithm():
    assert distribution(PARAMETRIC[0]).mean() == pytest.approx(7.4)
    assert distribution(PARAMETRIC[0]).std() == pytest.approx(8.61)
    assert distribution(PARAMETRIC[3]).mean() == pytest.approx(120)


def test_the_far_tail_is_not_clipped():
    assert quantile_table(PARAMETRIC[3])[-1] == pytest.approx(120 * 53 * np.log(2), rel=1e-9)


def test_fixed_and_empirical_durations():
    fixed = QuantileTables(quantile_table(duration("fixed", "days", value=2))[None])
    assert fixed.quantile(np.array([0, 0]), np.array([0.0, 0.999])).tolist() == [48.0, 48.0]
    assert (fixed.probability(0, 47.9), fixed.probability(0, 48.0)) == (0.0, 1.0)
    seen = QuantileTables(quantile_table(duration("empirical", values=[5, 1, 3]))[None])
    assert seen.quantile(np.zeros(3, int), np.array([0.0, 0.5, 0.75])).tolist() == [1.0, 3.0, 4.0]
    assert empirical_table(np.array([1.0, 3.0, 5.0]))[GRID == 0.75].tolist() == [4.0]


@pytest.mark.parametrize("kind", PARAMETRIC[:3], ids=lambda kind: kind.type)
def test_a_fitted_family_has_the_whole_tail_of_the_configured_one(kind):
    frozen = distribution(kind)
    table = fitted_table(kind.type, frozen.args[0], frozen.kwds["scale"], None)
    np.testing.assert_allclose(table, quantile_table(kind))


def test_fitted_quantiles_are_taken_as_they_are():
    quantiles = np.array([1.0, 3.0, 5.0])
    np.testing.assert_array_equal(fitted_table("empirical", None, None, quantiles), empirical_table(quantiles))
