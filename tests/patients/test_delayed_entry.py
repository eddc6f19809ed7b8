"""Stays that are seen in parts: the estimates are those of the parts that can be seen, and unbiased."""

import numpy as np
import pytest

from kaizar_pipeline.patients.los_fit import fit_stays
from kaizar_pipeline.patients.survival import Stays, kaplan_meier

pytestmark = pytest.mark.unit


def stays(rows: list[tuple[float, float, bool]]) -> Stays:
    """Rows of (entry, length so far, ended)."""
    entry, hours, ended = np.array(rows, dtype="float64").T
    return Stays(
        hours,
        hours.copy(),
        np.where(ended > 0, hours, np.inf),
        np.ones(len(rows)),
        np.zeros(len(rows), dtype="int64"),
        None,
        entry,
    )


def test_kaplan_meier_by_hand():
    """At 3 h the first and the second are at risk, the third enters at 4; at 5 h the second and the third."""
    found = kaplan_meier(stays([(0, 3, True), (0, 5, True), (0, 0, False), (4, 6, True)]))
    assert found.hours.tolist() == [3, 5, 6]
    assert found.at_risk.tolist() == [2, 2, 1]
    assert found.survival.tolist() == [0.5, 0.25, 0.0]


def test_entry_at_an_end_is_after_it():
    found = kaplan_meier(stays([(0, 3, True), (0, 5, True), (0, 0, False), (3, 6, True)]))
    assert found.at_risk.tolist() == [2, 2, 1]


def test_a_stay_in_parts_counts_once():
    seen = stays([(0, 2, False), (4, 6, True), (0, 1, False), (3, 8, False), (0, 7, True)])
    assert (seen.n, seen.n_open) == (2, 1)
    without = Stays(seen.hours, seen.low, seen.high, seen.weight, seen.block)
    both = seen.followed_by(without)
    assert both.entry is not None
    assert both.entry.tolist() == [0, 4, 0, 3, 0, 0, 0, 0, 0, 0]
    assert without.followed_by(without).entry is None


@pytest.mark.parametrize("family", ["lognormal", "gamma"])
def test_lengths_are_recovered_from_what_can_be_seen(family: str):
    """Each stay meets dark times in which its end cannot be seen; ends in them are not counted."""
    rng = np.random.default_rng(1)
    lengths = rng.lognormal(4, 0.7, 3000) if family == "lognormal" else rng.gamma(2.0, 35.0, 3000)
    true_mean = {"lognormal": np.exp(4 + 0.7**2 / 2), "gamma": 70.0}[family]
    rows: list[tuple[float, float, bool]] = []
    for length in lengths:
        at, phase = 0.0, rng.uniform(0, 30)
        for dark in phase + 30 * np.arange(40):  # 12 hours of every 30
            if at < length:
                rows.append((at, min(dark, length), length <= dark))
            at = dark + 12
    seen = stays(rows)
    assert seen.n < 0.75 * len(lengths)
    fit = fit_stays(seen)
    assert fit.mean_hours == pytest.approx(true_mean, rel=0.04)
    naive = fit_stays(Stays(seen.hours, seen.low, seen.high, seen.weight, seen.block))
    assert naive.mean_hours > 1.1 * true_mean
    assert kaplan_meier(seen).mean() == pytest.approx(true_mean, rel=0.04)
