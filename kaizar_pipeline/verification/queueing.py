"""Queueing theory, in closed form or by an exact Markov chain: what the simulation must agree with.

Beds are servers, the offered load is arrival rate times mean length of stay (erlangs). A survival function takes an
array of durations and returns the share of stays that last longer.
"""

from collections.abc import Callable, Iterator, Sequence
from math import exp, factorial, log

import numpy as np

Survival = Callable[[np.ndarray], np.ndarray]

State = tuple[int, ...]
Transitions = Callable[[State], Iterator[tuple[State, float]]]
"""The states that can follow a state, each with the rate at which it does."""


def erlang_b(beds: int, load: float) -> float:
    """Probability that an arrival finds all beds taken and is lost (M/G/c/c; Erlang 1917).

    It is also P(N = beds) / P(N <= beds) of a Poisson census N: the probability of delay in Monks et al. 2016.
    """
    blocked = 1.0
    for n in range(1, beds + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(beds: int, load: float) -> float:
    """Probability that an arrival has to wait (M/M/c); 1 where the load reaches the beds."""
    if load >= beds:
        return 1.0
    blocked = erlang_b(beds, load)
    return blocked / (1 - load / beds * (1 - blocked))


def erlang_c_tail(beds: int, load: float, wait: float) -> float:
    """Probability that an arrival waits longer than `wait` (M/M/c), in mean lengths of stay; for a load below the
    beds."""
    return erlang_c(beds, load) * exp(-(beds - load) * wait)


def erlang_c_quantile(beds: int, load: float, share: float) -> float:
    """The wait that this share of arrivals do not exceed, in mean lengths of stay; 0 where more do not wait at all."""
    return max(log(erlang_c(beds, load) / (1 - share)) / (beds - load), 0.0)


def limited_queue_lost(beds: int, places: int, load: float) -> float:
    """Probability that an arrival finds all beds and all `places` to wait taken and is lost (M/M/c/c+places)."""
    blocked = erlang_b(beds, load)
    waiting = [blocked * (load / beds) ** n for n in range(places + 1)]  # against all states without a queue as 1
    return waiting[-1] / (1 + sum(waiting[1:]))


def fewest_beds(load: float, lost: float) -> int:
    """The fewest beds for which no more than the share `lost` (above 0) of arrivals is lost."""
    beds = 0
    while erlang_b(beds, load) > lost:
        beds += 1
    return beds


def poisson_tail(beds: int, load: float) -> float:
    """Probability that more than `beds` are wanted when there is no limit (M/G/infinity: the census is Poisson)."""
    from scipy.stats import poisson

    return float(poisson.sf(beds, load))


def poisson_quantile(probability: float, load: float) -> int:
    """The fewest beds that suffice with at least `probability` (below 1) when there is no limit."""
    from scipy.stats import poisson

    return int(poisson.ppf(probability, load))


def weekly_census(arrivals: Sequence[float], survival: Survival) -> np.ndarray:
    """Mean census without limit at the midnight that begins each day of the week (M(t)/G/infinity; Eick, Massey and
    Whitt 1993).

    `arrivals` are those of each day of a week that repeats for ever, evenly over the day; `survival` takes days.
    """
    node, weight = np.polynomial.legendre.leggauss(32)
    node, weight = (node + 1) / 2, weight / 2
    days_ago = np.arange(7)
    still_here = np.zeros(7)  # of the patients who came between k and k + 1 days ago, any number of weeks before that
    week = 0
    while survival(np.array([7.0 * week]))[0] > 1e-12:
        still_here += survival(7 * week + days_ago[:, None] + node) @ weight
        week += 1
    return np.array([np.take(arrivals, day - 1 - days_ago, mode="wrap") @ still_here for day in range(7)])


def still_in_bed(elapsed: Sequence[float], after: float, survival: Survival) -> float:
    """Expected number of patients, in bed for `elapsed` now, who still are `after` later."""
    now = np.asarray(elapsed, dtype=np.float64)
    return float(np.sum(survival(now + after) / survival(now)))


def priority_waits(beds: int, arrival_rates: Sequence[float], service_rate: float) -> list[float]:
    """Mean waits by class, the most urgent first, without pre-emption and with one exponential service (Cobham
    1954)."""
    total = sum(arrival_rates)
    delay = erlang_c(beds, total / service_rate) / (beds * service_rate)
    waits, busy_before = [], 0.0
    for rate in arrival_rates:
        busy = busy_before + rate / (beds * service_rate)
        waits.append(delay / ((1 - busy_before) * (1 - busy)))
        busy_before = busy
    return waits


def pollaczek_khinchine(arrival_rate: float, mean: float, sd: float) -> float:
    """Mean wait for a single bed with any length of stay (M/G/1)."""
    return arrival_rate * (mean**2 + sd**2) / (2 * (1 - arrival_rate * mean))


def erlang_a_leaving(beds: int, arrival_rate: float, service_rate: float, leaving_rate: float) -> float:
    """Share of arrivals who leave before they get a bed, patience being exponential (M/M/c+M; Palm 1957)."""
    weights = [(arrival_rate / service_rate) ** n / factorial(n) for n in range(beds + 1)]
    waiting = 0.0
    n = 0
    while weights[-1] > 1e-18 * max(weights):
        n += 1
        weights.append(weights[-1] * arrival_rate / (beds * service_rate + n * leaving_rate))
        waiting += n * weights[-1]
    return leaving_rate * waiting / sum(weights) / arrival_rate


def stationary(start: State, transitions: Transitions) -> dict[State, float]:
    """Long-run probability of every state that a Markov chain reaches from `start`: finitely many, all connected."""
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import spsolve

    number = {start: 0}
    to_visit = [start]
    entries = []
    while to_visit:
        state = to_visit.pop()
        for following, rate in transitions(state):
            if following not in number:
                number[following] = len(number)
                to_visit.append(following)
            entries += [(number[following], number[state], rate), (number[state], number[state], -rate)]
    row, column, rate = (np.array(part) for part in zip(*entries, strict=True))
    # flow in equals flow out for all states but one, which follows from the others; state 0 gets weight 1
    balance = coo_array((rate, (row, column))).tocsc()
    others = np.asarray(spsolve(balance[1:, 1:], -balance[1:, [0]].toarray().ravel()))
    weight = np.concatenate([[1.0], others])
    return dict(zip(number, (weight / weight.sum()).tolist(), strict=True))


def mean(probability: dict[State, float], value: Callable[[State], float]) -> float:
    """Long-run mean of a function of the state; of a condition, its probability."""
    return sum(share * value(state) for state, share in probability.items())


def boarding_chain(
    ed_beds: int, ward_beds: int, rate: float, ed_los: float, admitted: float, ward_los: float
) -> dict[State, float]:
    """An emergency department whose patients board until the ward has a bed, and whose arrivals are lost when it is
    full.

    All durations are exponential with the given means; the share `admitted` goes on to the ward. States: (in care in
    the ED, boarding in the ED, in the ward).
    """

    def transitions(state: State) -> Iterator[tuple[State, float]]:
        in_care, boarding, in_ward = state
        if in_care + boarding < ed_beds:
            yield (in_care + 1, boarding, in_ward), rate
        if in_care:
            has_bed = in_ward < ward_beds
            admission = (in_care - 1, boarding + (not has_bed), in_ward + has_bed)
            yield admission, in_care / ed_los * admitted
            yield (in_care - 1, boarding, in_ward), in_care / ed_los * (1 - admitted)
        if in_ward:
            yield (in_care, max(boarding - 1, 0), in_ward - (boarding == 0)), in_ward / ward_los

    return stationary((0, 0, 0), transitions)


def admission_stop_chain(
    beds: int, emergency_rate: float, elective_rate: float, los: float, stopped_from: int
) -> dict[State, float]:
    """A ward that takes electives up to a census of `stopped_from` and emergencies while it has a bed; others are
    lost.

    Stays are exponential with the mean `los`. States: (census,).
    """

    def transitions(state: State) -> Iterator[tuple[State, float]]:
        (census,) = state
        if census < beds:
            yield (census + 1,), emergency_rate + (elective_rate if census < stopped_from else 0)
        if census:
            yield (census - 1,), census / los

    return stationary((0,), transitions)


def outlier_chain(beds: int, outlier_beds: int, load: float) -> dict[State, float]:
    """A ward whose arrivals go to outlier beds elsewhere when it is full, and are lost when these are full too.

    Stays are exponential with mean 1; nobody moves back. States: (in the ward, in outlier beds).
    """

    def transitions(state: State) -> Iterator[tuple[State, float]]:
        own, outliers = state
        if own < beds:
            yield (own + 1, outliers), load
        elif outliers < outlier_beds:
            yield (own, outliers + 1), load
        if own:
            yield (own - 1, outliers), own
        if outliers:
            yield (own, outliers - 1), outliers

    return stationary((0, 0), transitions)


def saturated_line(wards: int) -> float:
    """Patients per mean length of stay through a line of wards of one bed each, of exponential stays, that hold their
    bed until the next ward has one, when there is always somebody waiting for the first (Hunt 1956)."""
    empty, in_care, boarding = range(3)

    def onward(beds: list[int], ward: int) -> State:
        """After the bed of `ward` was left: those who board for it move up, and the first ward is filled again."""
        while ward > 0 and beds[ward - 1] == boarding:
            beds[ward] = in_care
            ward -= 1
            beds[ward] = empty
        if ward == 0:
            beds[0] = in_care
        return tuple(beds)

    def transitions(state: State) -> Iterator[tuple[State, float]]:
        for ward in range(wards):
            if state[ward] != in_care:
                continue
            beds, last = list(state), ward == wards - 1
            if not last and state[ward + 1] != empty:
                beds[ward] = boarding
                yield tuple(beds), 1.0
            else:
                beds[ward] = empty
                if not last:
                    beds[ward + 1] = in_care
                yield onward(beds, ward), 1.0

    chain = stationary((in_care,) + (empty,) * (wards - 1), transitions)
    return mean(chain, lambda state: state[-1] == in_care)
