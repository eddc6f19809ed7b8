"""Kaplan-Meier against scipy and statsmodels, and where open stays go against statsmodels' cumulative incidence."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import CensoredData, ecdf

from kaizar_pipeline.patients.survival import Stays, destination_shares, kaplan_meier

pytestmark = pytest.mark.unit

ROUNDING = 1e-12
"""A survival is a product of at most 1,000 factors, each right to some 2e-16."""


def stays(hours: np.ndarray, is_open: np.ndarray, weight: np.ndarray | float = 1.0) -> Stays:
    n = len(hours)
    block = np.zeros(n, dtype=int)
    return Stays(hours, hours, np.where(is_open, np.inf, hours), np.broadcast_to(weight, n).astype(float), block)


@st.composite
def few_stays(draw: st.DrawFn, weights: st.SearchStrategy[float]) -> Stays:
    """Stays of whole hours, so that many end or are lost sight of together; one of them is complete."""
    rows = draw(st.lists(st.tuples(st.integers(0, 12), st.booleans(), weights), max_size=30))
    rows.append((draw(st.integers(0, 12)), False, draw(weights)))
    hours, is_open, weight = (np.array(column) for column in zip(*rows, strict=True))
    return stays(hours.astype(float), is_open, weight)


def many_stays(seed: int, n: int = 1000) -> Stays:
    """Lognormal stays, a third of them censored, each with a weight of its own."""
    random = np.random.default_rng(seed)
    length, seen = random.lognormal(3, 1, n), random.lognormal(3.6, 1, n)
    return stays(np.minimum(length, seen), seen < length, random.uniform(0.1, 5, n))


def by_scipy(of: Stays) -> Any:
    return ecdf(CensoredData(uncensored=of.hours[of.complete], right=of.hours[~of.complete])).sf


def assert_equals_scipy(of: Stays) -> None:
    found, expected = kaplan_meier(of), by_scipy(of)
    np.testing.assert_allclose(found.survival, expected.evaluate(found.hours), rtol=0, atol=ROUNDING)
    steps = np.concatenate([[0.0], found.hours])  # the area under the curve up to the last completed stay
    area = expected.evaluate(steps[:-1]) @ np.diff(steps)
    assert found.mean() == pytest.approx(area, rel=ROUNDING)


def assert_equals_statsmodels(of: Stays, survfunc: Any) -> None:
    found = kaplan_meier(of)
    expected = survfunc.SurvfuncRight(of.hours, of.complete.astype(int), freq_weights=of.weight)
    np.testing.assert_array_equal(found.hours, expected.surv_times)
    np.testing.assert_allclose(found.survival, expected.surv_prob, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(found.at_risk, expected.n_risk, rtol=ROUNDING)


@given(few_stays(st.just(1.0)))
def test_ties_as_scipy_has_them(of: Stays):
    assert_equals_scipy(of)


@pytest.mark.parametrize("seed", range(3))
def test_many_stays_as_scipy_has_them(seed: int):
    of = many_stays(seed)
    assert_equals_scipy(stays(of.hours, ~of.complete))


@given(few_stays(st.sampled_from([1.0, 2.0, 3.0])))
def test_whole_weights_as_statsmodels_has_them(survfunc: Any, of: Stays):
    assert_equals_statsmodels(of, survfunc)


@given(few_stays(st.floats(0.1, 10)))
def test_fractional_weights_as_statsmodels_has_them(survfunc: Any, of: Stays):
    assert_equals_statsmodels(of, survfunc)


@pytest.mark.parametrize("seed", range(3))
def test_many_stays_as_statsmodels_has_them(survfunc: Any, seed: int):
    assert_equals_statsmodels(many_stays(seed), survfunc)


@given(few_stays(st.floats(0.1, 10)), st.data())
def test_open_stays_go_where_the_cumulative_incidence_is_left(survfunc: Any, of: Stays, data: st.DataObject):
    n, n_destinations = len(of.hours), 3
    destination = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=n, max_size=n)))
    destination[-1] = max(destination[-1], 0)  # the last is complete
    found = destination_shares(of, destination, n_destinations)[~of.complete]

    followed = ~of.complete | (destination >= 0)
    kept = of.take(followed)
    status = np.where(kept.complete, destination[followed] + 1, 0)
    incidence = survfunc.CumIncidenceRight(kept.hours, status, freq_weights=kept.weight)
    upto = np.zeros((len(incidence.times), n_destinations))
    upto[:, : len(incidence.cinc)] = np.column_stack(incidence.cinc)
    now = np.searchsorted(incidence.times, of.hours[~of.complete])  # the stay itself is one of the times
    known = kept.hours[kept.complete].max()
    # past the last completed stay nothing is left, and the shares are those of all
    left = np.where((of.hours[~of.complete] < known)[:, None], upto[-1] - upto[now], upto[-1])
    # what is left is at least 0.1 / 300, by the weights: a difference right to 1e-14 has shares right to 1e-10
    np.testing.assert_allclose(found, left / left.sum(axis=1, keepdims=True), rtol=0, atol=1e-9)
