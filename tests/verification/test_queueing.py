"""Closed forms and exact chains against published values, to every digit given."""

from math import erf, sqrt

import numpy as np
import pytest

from kaizar_pipeline.config.distributions import Lognormal, MeanSd
from kaizar_pipeline.verification.queueing import (
    admission_stop_chain,
    boarding_chain,
    erlang_a_leaving,
    erlang_b,
    erlang_c,
    erlang_c_quantile,
    erlang_c_tail,
    fewest_beds,
    limited_queue_lost,
    mean,
    outlier_chain,
    poisson_quantile,
    poisson_tail,
    pollaczek_khinchine,
    priority_waits,
    saturated_line,
    stationary,
    still_in_bed,
    weekly_census,
)

pytestmark = pytest.mark.unit

LOS = Lognormal(type="lognormal", params=MeanSd(mean=7.4, sd=8.61)).frozen.sf
"""Survival function of the stays of the weekly wave and of the warm start, in days."""


def digits(value: float | list[float], places: int) -> object:
    """Equal to all the digits printed."""
    return pytest.approx(value, abs=0.5 * 10**-places, rel=0)


@pytest.mark.parametrize(
    ("beds", "load", "lost", "waits"),
    [
        (5, 4, 0.199067, 0.554113),
        (10, 8, 0.121661, 0.409180),
        (20, 18, 0.109213, 0.550769),
        (50, 45, 0.054104, 0.363864),
    ],
)
def test_erlang_b_and_c(beds: int, load: float, lost: float, waits: float):
    assert erlang_b(beds, load) == digits(lost, 6)
    assert erlang_c(beds, load) == digits(waits, 6)


def test_erlang_c_of_a_hospital_that_cannot_cope():
    assert erlang_c(4, 5) == 1


@pytest.mark.parametrize(("load", "beds"), [(10, (15, 17, 18, 21)), (20, (26, 28, 30, 35)), (40, (46, 50, 53, 60))])
def test_fewest_beds(load: float, beds: tuple[int, ...]):
    assert tuple(fewest_beds(load, lost) for lost in (0.05, 0.02, 0.01, 0.001)) == beds


def test_unlimited_beds():
    assert poisson_tail(24, 20) == digits(0.156773, 6)
    assert poisson_tail(28, 20) == digits(0.034334, 6)
    assert (poisson_quantile(0.95, 20), poisson_quantile(0.99, 20)) == (28, 31)


def test_the_weekly_wave_of_unlimited_beds():
    expected = [73.4335, 77.2518, 80.0101, 81.3785, 82.4411, 82.3115, 78.1735]
    assert weekly_census([14, 13, 12, 12, 11, 7, 6], LOS) == digits(expected, 4)


def test_without_a_wave_the_census_is_rate_times_stay():
    assert weekly_census([3] * 7, LOS) == pytest.approx(3 * 7.4)


def test_what_is_left_of_stays_in_progress():
    elapsed = [0, 0.5, 1, 1, 2, 3, 5, 8, 13, 30]
    expected = {1: 8.76076, 2: 7.51696, 3: 6.42824, 7: 3.60789, 14: 1.60131}
    assert {days: still_in_bed(elapsed, days, LOS) for days in expected} == {
        days: digits(value, 5) for days, value in expected.items()
    }


def test_the_survival_function_is_that_of_the_lognormal_by_hand():
    sigma = sqrt(np.log1p((8.61 / 7.4) ** 2))
    mu = np.log(7.4) - sigma**2 / 2
    by_hand = (1 - erf((np.log(5) - mu) / sigma / sqrt(2))) / 2
    assert LOS(5) == pytest.approx(by_hand)


def test_a_queue_of_4_before_10_beds():
    # Erlang B with no place to wait, Erlang C's tail with ever more
    assert limited_queue_lost(10, 4, 9) == digits(0.0725, 4)
    assert limited_queue_lost(10, 0, 8) == pytest.approx(erlang_b(10, 8))
    assert limited_queue_lost(10, 400, 8) < 1e-30


def test_lines_without_room_between():
    assert saturated_line(1) == pytest.approx(1)
    assert saturated_line(2) == pytest.approx(2 / 3)
    assert saturated_line(3) == pytest.approx(22 / 39)


def test_the_tail_of_waits():
    assert erlang_c_tail(20, 18, 0) == pytest.approx(erlang_c(20, 18))
    # load 18 on 20 beds, stays of two days: the exact 95th percentile is 57.6 hours
    assert 48 * erlang_c_quantile(20, 18, 0.95) == digits(57.6, 1)
    assert erlang_c_tail(20, 18, erlang_c_quantile(20, 18, 0.95)) == pytest.approx(0.05)
    assert erlang_c_quantile(20, 10, 0.95) == 0


def test_three_priorities_conserve_work():
    # the waits weighted by arrivals are those of one class (Kleinrock's conservation law)
    rates, waits = [0.6, 1.0, 0.8], priority_waits(3, [0.6, 1.0, 0.8], 1)
    assert waits == sorted(waits)
    assert np.average(waits, weights=rates) == pytest.approx(erlang_c(3, 2.4) / 0.6)


def test_priority_waits():
    assert priority_waits(3, [1, 1.4], 1) == [digits(0.323596, 6), digits(1.617978, 6)]


def test_one_bed_with_any_length_of_stay():
    # M/M/1 is the special case sd = mean: load 0.5, wait 1 service time
    assert pollaczek_khinchine(0.5, 1, 1) == pytest.approx(1.0)
    assert pollaczek_khinchine(0.5, 1, 0) == pytest.approx(0.5)


def test_patients_who_run_out_of_patience():
    assert erlang_a_leaving(10, 1.2, 1 / 8, 1 / 2) == digits(0.147889, 6)


def test_a_chain_by_hand():
    # on for 1 hour, off for 3: on a quarter of the time
    chain = stationary((0,), lambda state: iter([((1 - state[0],), 1 / 3 if state[0] == 0 else 1.0)]))
    assert chain == {(0,): pytest.approx(0.75), (1,): pytest.approx(0.25)}
    assert mean(chain, lambda state: 8 * state[0]) == pytest.approx(2)


def test_the_chain_of_erlangs_loss_system():
    chain = admission_stop_chain(10, 1, 0, 8, stopped_from=10)
    assert chain[10,] == pytest.approx(erlang_b(10, 8))


def test_boarding():
    chain = boarding_chain(ed_beds=4, ward_beds=5, rate=1, ed_los=2, admitted=0.6, ward_los=5)
    assert mean(chain, lambda state: state[0] + state[1] == 4) == digits(0.108876, 6)
    assert mean(chain, lambda state: state[0] + state[1]) == digits(1.880361, 6)
    assert mean(chain, lambda state: state[1]) == digits(0.098113, 6)
    assert mean(chain, lambda state: state[2]) == digits(2.673372, 6)


def test_admission_stop():
    chain = admission_stop_chain(20, 1, 1.2, 8, stopped_from=18)
    assert chain[20,] == digits(0.023975, 6)
    assert mean(chain, lambda state: state[0] >= 18) == digits(0.226263, 6)
    assert mean(chain, lambda state: state[0]) == digits(15.2361, 4)


def test_outliers():
    chain = outlier_chain(18, 6, 20)
    assert mean(chain, lambda state: state[0] == 18 and state[1] < 6) == digits(0.155164, 6)
    assert chain[18, 6] == digits(0.066097, 6)
    # every arrival finds the ward itself full as if the others were lost
    assert mean(chain, lambda state: state[0] == 18) == pytest.approx(erlang_b(18, 20))


def test_the_stroke_unit_of_monks_2016():
    published = {10: 0.14, 11: 0.09, 12: 0.06, 13: 0.04, 14: 0.02}
    exact = {10: 0.1283, 11: 0.0867, 12: 0.0556, 13: 0.0337, 14: 0.0192}
    for beds, delay in exact.items():
        assert erlang_b(beds, 8.1455) == digits(delay, 4)
        at_most = 1 - poisson_tail(beds, 8.1455)
        assert (at_most - (1 - poisson_tail(beds - 1, 8.1455))) / at_most == pytest.approx(erlang_b(beds, 8.1455))
        assert delay == pytest.approx(published[beds], abs=0.012)
