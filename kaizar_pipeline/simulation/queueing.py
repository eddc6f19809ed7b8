"""Closed forms of queueing theory: what the simulation must agree with where theory has an answer.

Beds are servers, the offered load is arrival rate times mean length of stay (erlangs).
"""

from math import exp, factorial


def erlang_b(beds: int, load: float) -> float:
    """Probability that an arrival finds all beds taken and is lost (M/G/c/c; Erlang 1917)."""
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


def fewest_beds(load: float, lost: float) -> int:
    """The fewest beds for which no more than the share `lost` (above 0) of arrivals is lost."""
    beds = 0
    while erlang_b(beds, load) > lost:
        beds += 1
    return beds


def poisson_tail(beds: int, load: float) -> float:
    """Probability that more than `beds` are wanted when there is no limit (M/G/infinity: the census is Poisson)."""
    term = total = exp(-load)
    for n in range(1, beds + 1):
        term *= load / n
        total += term
    return 1 - total


def priority_waits(beds: int, arrival_rates: list[float], service_rate: float) -> list[float]:
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
