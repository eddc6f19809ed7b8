"""Who comes when: every stream's arrivals, in order of time.

Where the room does not suffice the number of arrivals is -1, and the caller comes again with more.
"""

from typing import NamedTuple

import numpy as np

from kaizar_pipeline.simulation.kernel.compiling import compiled, index, step
from kaizar_pipeline.simulation.kernel.random import quantile, uniforms
from kaizar_pipeline.simulation.plan import RANDOM_SOURCES, UNIT_EXPONENTIAL
from kaizar_pipeline.stats.philox import Purpose

LEVEL, NOISE = RANDOM_SOURCES.index("arrivals_level"), RANDOM_SOURCES.index("arrivals_noise")

EXCESS = np.uint64(2**31)
"""First number of the patients whom a scenario adds to a stream, out of reach of the baseline's."""

_ARRIVAL, _DAY, _SCENARIO = np.uint64(Purpose.ARRIVAL), np.uint64(Purpose.RATE_PATH), np.uint64(Purpose.SCENARIO)
_0, _1 = np.uint64(0), np.uint64(1)

BATCH = 256
"""Patients who are drawn at once, one step after the other: the compiler makes vectors of a loop that draws nothing but
random numbers, and the processor looks many quantiles up at once."""


class ArrivalScratch(NamedTuple):
    """Room to work in: the arrivals as they are drawn, stream by stream."""

    time: np.ndarray
    """f8[patients]"""
    stream: np.ndarray
    """u4[patients]"""
    number: np.ndarray
    """u4[patients]: patient number within the stream."""
    patience: np.ndarray
    """f8[patients]: the uniform that their patience comes from."""
    order: np.ndarray
    """u4[patients]: places of the arrivals, the earliest first."""
    before: np.ndarray
    """u4[patients + 2]: arrivals before each of as many even parts of the horizon as there are arrivals."""
    upto: np.ndarray
    """f8[hours + 1]: operational time until the beginning of each hour, the cumulative rate of a stream."""
    batch: np.ndarray
    """f8[BATCH]: uniforms, then the operational time of the arrivals of a batch."""
    hour: np.ndarray
    """u4[BATCH]: the hour in which that is."""
    batch_patience: np.ndarray
    """f8[BATCH]"""


@step
def draw_arrivals(sources, path, scratch, arrival):
    """Every stream's arrivals in replication `path`, the baseline's before what a scenario adds, and their times in
    order into `arrival`; how many, or -1 when there is no room."""
    streams, replication = sources.streams, np.uint64(path + sources.redraw_offsets[NOISE])
    days = streams.hour_weights.shape[1]
    n = 0
    for k in streams.by_number:
        first = streams.first_rate[k] + ((path + sources.redraw_offsets[LEVEL]) % streams.n_paths[k]) * days
        rates = streams.rates[first : first + days]
        for excess in (False, True):
            if excess and not streams.has_excess[k]:
                pass
            elif streams.rounded[k]:
                n = _rounded(sources, k, rates, excess, replication, scratch, n)
            else:
                n = _poisson(sources, k, rates, excess, replication, scratch, n)
            if n < 0:
                return n
    if n > len(arrival):
        return -1
    _sort_by_time(scratch, n, 24.0 * days, arrival)
    return n


@compiled
def _rate(streams, k, rates, day, excess):
    """The rate of the baseline, or what a scenario's factor above 1 adds to it."""
    return rates[day] * max(streams.factor[k, day] - 1.0, 0.0) if excess else rates[day]


@compiled
def _poisson(sources, k, rates, excess, replication, scratch, n):
    """A Poisson process by its inverse cumulative rate: unit exponential gaps in operational time."""
    upto, hours = scratch.upto, 24 * len(rates)
    _add_up_rates(sources.streams, k, rates, excess, upto)
    number = EXCESS if excess else _0
    hour, operational = 0, 0.0
    while hour < hours:
        operational = _draw_batch(sources, k, number, replication, operational, scratch)
        arrivals, hour = _find_hours(scratch, hour, hours)
        if n + arrivals > len(scratch.time):
            return -1
        for i in range(arrivals):
            begun = scratch.hour[i]
            time = begun + (scratch.batch[i] - upto[begun]) / (upto[begun + 1] - upto[begun])
            patience = scratch.batch_patience[i]
            n = _keep(sources, k, begun // 24, time, number, patience, excess, replication, scratch, n)
            number += _1
    return n


@compiled
def _add_up_rates(streams, k, rates, excess, upto):
    for day in range(len(rates)):
        rate = _rate(streams, k, rates, day, excess)
        for hour in range(24):
            upto[24 * day + hour + 1] = upto[24 * day + hour] + rate * streams.hour_weights[k, day, hour]


@compiled
def _draw_batch(sources, k, number, replication, operational, scratch):
    """The operational times of the next patients of a stream, `number` the first of them, after the time given, and
    what their patience comes from; the last of the times."""
    batch, patience, stream = scratch.batch, scratch.batch_patience, sources.streams.number[k]
    for i in range(BATCH):
        batch[i], patience[i] = uniforms(sources.key, replication, stream, number + np.uint64(i), _ARRIVAL, _0)
    for i in range(BATCH):
        batch[i] = quantile(sources.tables, UNIT_EXPONENTIAL, batch[i])
    for i in range(BATCH):
        operational += batch[i]
        batch[i] = operational
    return operational


@compiled
def _find_hours(scratch, hour, hours):
    """The hours of a batch, the first not before `hour`: how many come before the end, and the hour reached."""
    i = index(0)
    while i < BATCH and hour < hours:
        until = scratch.upto[index(hour + 1)]
        while i < BATCH and scratch.batch[i] < until:
            scratch.hour[i] = hour
            i = index(i + 1)
        hour += i < BATCH
    return i, hour


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
        for _ in range(count):
            if n == len(scratch.time):
                return -1
            within, patience = uniforms(sources.key, replication, streams.number[k], number, _ARRIVAL, _0)
            time = 24 * day + _hour_within(streams.hour_weights[k, day], within)
            n = _keep(sources, k, day, time, number, patience, excess, replication, scratch, n)
            number += _1
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
def _keep(sources, k, day, time, number, patience, excess, replication, scratch, n):
    """Note an arrival, unless a scenario's factor below 1 thins it out by its own mark."""
    streams = sources.streams
    factor = streams.factor[k, day]
    if factor < 1 and not excess:
        mark, _ = uniforms(sources.key, replication, streams.number[k], number, _SCENARIO, _0)
        if mark >= factor:
            return n
    place = index(n)
    scratch.time[place] = time
    scratch.stream[place] = k
    scratch.number[place] = number
    scratch.patience[place] = patience
    return n + 1


@compiled
def _sort_by_time(scratch, n, hours, arrival):
    """Put the `n` arrivals' places in order of time, and the times into `arrival`; the simultaneous stay in the order
    of drawing."""
    time, order, before = scratch.time, scratch.order, scratch.before
    per_hour = n / hours
    before[: n + 2] = 0
    for i in range(n):
        before[index(time[i] * per_hour) + 1] += 1
    for part in range(n):
        before[part + 1] += before[part]
    for i in range(n):
        part = index(time[i] * per_hour)
        place = before[part]
        before[part] = place + 1
        order[place], arrival[place] = i, time[i]
    for place in range(1, n):  # within the parts
        hole, i, now = place, order[place], arrival[place]
        while hole > 0 and arrival[index(hole - 1)] > now:
            order[index(hole)], arrival[index(hole)] = order[index(hole - 1)], arrival[index(hole - 1)]
            hole -= 1
        order[index(hole)], arrival[index(hole)] = i, now
