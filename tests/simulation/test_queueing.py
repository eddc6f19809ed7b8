"""Closed forms against published values."""

import pytest

from kaizar_pipeline.simulation.queueing import (
    erlang_a_leaving,
    erlang_b,
    erlang_c,
    fewest_beds,
    poisson_tail,
    pollaczek_khinchine,
    priority_waits,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("beds", "load", "lost", "waits"),
    [
        (5, 4, 0.199067, 0.554113),
        (10, 8, 0.121661, 0.409180),
        (20, 18, 0.109213, 0.550769),
        (50, 45, 0.054104, 0.363864),
    ],
)
def test_erlang_b_and_c(beds, load, lost, waits):
    assert erlang_b(beds, load) == pytest.approx(lost, abs=1e-6)
    assert erlang_c(beds, load) == pytest.approx(waits, abs=1e-6)


def test_erlang_c_of_a_hospital_that_cannot_cope():
    assert erlang_c(4, 5) == 1


@pytest.mark.parametrize(("load", "beds"), [(10, (15, 17, 18, 21)), (20, (26, 28, 30, 35)), (40, (46, 50, 53, 60))])
def test_fewest_beds(load, beds):
    assert tuple(fewest_beds(load, lost) for lost in (0.05, 0.02, 0.01, 0.001)) == beds


def test_unlimited_beds():
    assert poisson_tail(24, 20) == pytest.approx(0.156773, abs=1e-6)
    assert poisson_tail(28, 20) == pytest.approx(0.034334, abs=1e-6)


def test_priority_waits():
    assert priority_waits(3, [1, 1.4], 1) == pytest.approx([0.323596, 1.617978], abs=1e-6)


def test_one_bed_with_any_length_of_stay():
    # M/M/1 is the special case sd = mean: load 0.5, wait 1 service time
    assert pollaczek_khinchine(0.5, 1, 1) == pytest.approx(1.0)
    assert pollaczek_khinchine(0.5, 1, 0) == pytest.approx(0.5)


def test_patients_who_run_out_of_patience():
    assert erlang_a_leaving(10, 1.2, 1 / 8, 1 / 2) == pytest.approx(0.147889, abs=1e-6)
