"""Who comes when: every stream's arrivals, merged in order of time.

Where the room does not suffice the number of arrivals is -1, and the caller comes again with more.
"""

from typing import NamedTuple

import numpy as np

from kaizar_pipeline.simulation.kernel.compiling import compiled
from kaizar_pipeline.simulation.kernel.random import quantile, uniforms
from kaizar_pipeline.simulation.philox import Purpose
from kaizar_pipeline.simulation.plan import CHANCES, UNIT_EXPONENTIAL

LEVEL, NOISE = CHANCES.index("arrivals_level"), CHANCES.index("arrivals_noise")

EXCESS = np.uint64(2**31)
"""First number of the patients whom a scenario adds to a stream, out of reach of the baseline's."""

_ARRIVAL, _DAY, _SCENARIO = np.uint64(Purpose.ARRIVAL), np.uint64(Purpose.RATE_PATH), np.uint64(Purpose.SCENARIO)
_0, _1 = np.uint64(0), np.uint64(1)


class ArrivalScratch(NamedTuple):
    """Room to work in: each stream's arrivals in two parts, the baseline's and what a scenario adds."""

    time: np.ndarray
    """f8[patients]"""
    number: np.ndarray
    """u8[patients]: patient number within the stream."""
    patience: np.ndarray
    """f8[patients]: the uniform that their patience comes from."""
    place: np.ndarray
    """i8[2 K]: where each part begins, and then how far it has been merged."""
    end: np.ndarray
    """i8[2 K]"""
    heap: np.ndarray
    """i8[2 K]: parts with patients left; the first is that of the next patient."""


@compiled
def draw_arrivals(sources, path, scratch):
    """Every stream's arrivals in replication `path`, part by part; how many, or -1 when there is no room."""
    streams, replication = sources.streams, np.uint64(path + sources.fresh[NOISE])
    days = streams.hour_weights.shape[1]
    n = 0
    for k in range(len(streams.number)):
        first = streams.first_rate[k] + ((path + sources.fresh[LEVEL]) % streams.n_paths[k]) * days
        rates = streams.rates[first : first + days]
        for excess in (False, True):
            part = 2 * k + excess
            scratch.place[part] = n
            if excess and not streams.has_excess[k]:
                pass
            elif streams.rounded[k]:
                n = _rounded(sources, k, rates, excess, replication, scratch, n)
            else:
                n = _poisson(sources, k, rates, excess, replication, scratch, n)
            if n < 0:
                return n
            scratch.end[part] = n
    return n


@compiled
def _rate(streams, k, rates, day, excess):
    """The rate of the baseline, or what a scenario's factor above 1 adds to it."""
    return rates[day] * max(streams.factor[k, day] - 1.0, 0.0) if excess else rates[day]


@compiled
def _poisson(sources, k, rates, excess, replication, scratch, n):
    """A Poisson process by its inverse cumulative rate: unit exponential gaps in operational time."""
    streams, hours = sources.streams, 24 * len(rates)
    number = EXCESS if excess else _0
    hour, low, operational = -1, 0.0, 0.0
    high, step = 0.0, 0.0
    while True:
        gap, patience = uniforms(sources.key, replication, streams.number[k], number, _ARRIVAL, _0)
        operational += quantile(sources.tables, UNIT_EXPONENTIAL, gap)
        while high <= operational:
            hour += 1
            if hour == hours:
                return n
            low = high
            step = _rate(streams, k, rates, hour // 24, excess) * streams.hour_weights[k, hour // 24, hour % 24]
            high = low + step
        if n == len(scratch.time):
            return -1
        n = _keep(
            sources, k, hour + (operational - low) / (high - low), number, patience, excess, replication, scratch, n
        )
        number += _1


@compiled
def _rounded(sources, k, rates, excess, replication, scratch, n):
    """Each day's rate rounded up or down at random, and the hours of the arrivals within it."""
    streams = sources.streams
    number = EXCESS if excess else _0
    for day in range(len(rates)):
        rate = _rate(streams, k, rates, day, excess)
        chance, _ = uniforms(
            sources.key, replication, streams.number[k], np.uint64(streams.first_day + day), _DAY, _1 if excess else _0
        )
        count = np.int64(np.floor(rate))
        if chance < rate - np.floor(rate):
            count += 1
        first = n
        for _ in range(count):
            if n == len(scratch.time):
                return -1
            within, patience = uniforms(sources.key, replication, streams.number[k], number, _ARRIVAL, _0)
            time = 24 * day + _hour_within(streams.hour_weights[k, day], within)
            n = _keep(sources, k, time, number, patience, excess, replication, scratch, n)
            number += _1
        _sort_by_time(scratch, first, n)
    return n


@compiled
def _hour_within(weights, within):
    """Hours since midnight at which the cumulative weights of a day reach `within`."""
    hour, low, high = 0, 0.0, weights[0]
    while within >= high and hour < 23:
        hour += 1
        low = high
        high = 1.0 if hour == 23 else low + weights[hour]
    return hour + (within - low) / (high - low)


@compiled
def _keep(sources, k, time, number, patience, excess, replication, scratch, n):
    """Note an arrival, unless a scenario's factor below 1 thins it out by its own mark."""
    streams = sources.streams
    factor = streams.factor[k, np.int64(time) // 24]
    if factor < 1 and not excess:
        mark, _ = uniforms(sources.key, replication, streams.number[k], number, _SCENARIO, _0)
        if mark >= factor:
            return n
    scratch.time[n] = time
    scratch.number[n] = number
    scratch.patience[n] = patience
    return n + 1


@compiled
def _sort_by_time(scratch, first, last):
    """Insertion sort of a day's arrivals, stable."""
    for i in range(first + 1, last):
        time, number, patience = scratch.time[i], scratch.number[i], scratch.patience[i]
        j = i
        while j > first and scratch.time[j - 1] > time:
            scratch.time[j] = scratch.time[j - 1]
            scratch.number[j] = scratch.number[j - 1]
            scratch.patience[j] = scratch.patience[j - 1]
            j -= 1
        scratch.time[j], scratch.number[j], scratch.patience[j] = time, number, patience


@compiled
def begin_merge(streams, scratch):
    """Make a heap of the parts that have patients; how many."""
    size = 0
    for part in range(len(scratch.place)):
        if scratch.place[part] < scratch.end[part]:
            scratch.heap[size] = part
            size += 1
    for root in range(size // 2 - 1, -1, -1):
        _sift(streams, scratch, size, root)
    return size


@compiled
def next_arrival(streams, scratch, size):
    """Take the next patient, in order of time, then stream and number: the place in `scratch`, the stream, and the
    parts left."""
    part = scratch.heap[0]
    place = scratch.place[part]
    scratch.place[part] += 1
    if scratch.place[part] == scratch.end[part]:
        size -= 1
        scratch.heap[0] = scratch.heap[size]
    _sift(streams, scratch, size, 0)
    return place, part // 2, size


@compiled
def _sift(streams, scratch, size, root):
    """Let the part at `root` sink to its place in the heap."""
    heap = scratch.heap
    moving = heap[root]
    while 2 * root + 1 < size:
        child = 2 * root + 1
        if child + 1 < size and _is_before(streams, scratch, heap[child + 1], heap[child]):
            child += 1
        if not _is_before(streams, scratch, heap[child], moving):
            break
        heap[root] = heap[child]
        root = child
    heap[root] = moving


@compiled
def _is_before(streams, scratch, one, other):
    """Whether the next patient of part `one` comes before that of part `other`."""
    time, other_time = scratch.time[scratch.place[one]], scratch.time[scratch.place[other]]
    if time != other_time:
        return time < other_time
    rank, other_rank = streams.rank[one // 2], streams.rank[other // 2]
    return rank < other_rank or (rank == other_rank and one < other)
