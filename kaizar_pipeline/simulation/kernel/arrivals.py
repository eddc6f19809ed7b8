"""Every stream's arrivals, in order of time. Where a buffer is too small the number of arrivals is -1."""

from typing import NamedTuple

import numpy as np

from kaizar_pipeline.simulation.kernel.arrays import Floats, Indices, Word
from kaizar_pipeline.simulation.kernel.compiling import compiled, index, step
from kaizar_pipeline.simulation.kernel.inputs import Sources, Tables
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
    """Working memory: the arrivals as they are drawn, stream by stream."""

    time: Floats
    """f8[patients]"""
    stream: Indices
    """u4[patients]"""
    number: Indices
    """u4[patients]: patient number within the stream."""
    patience: Floats
    """f8[patients]: the uniform that their patience comes from."""
    order: Indices
    """u4[patients]: places of the arrivals, the earliest first."""
    before: Indices
    """u4[patients + 2]: arrivals before each of as many even parts of the horizon as there are arrivals."""
    upto: Floats
    """f8[hours + 1]: operational time until the beginning of each hour, the cumulative rate of a stream."""
    batch: Floats
    """f8[BATCH]: uniforms, then the operational time of the arrivals of a batch."""
    hour: Indices
    """u4[BATCH]: the hour in which that is."""
    batch_patience: Floats
    """f8[BATCH]"""


class Stream(NamedTuple):
    """A stream in one replication: the baseline's patients, or those whom a scenario adds."""

    place: int
    """Index among the streams."""
    added: bool
    """Whether these are the patients whom a scenario's factor above 1 adds."""
    key: Word
    replication: Word
    address: Word
    """The stream's part of the addresses of random numbers."""
    rates: Floats
    """f8[days]: of the baseline."""
    factor: Floats
    """f8[days]"""
    hour_weights: Floats
    """f8[days, 24]"""
    first_hour: int
    """Hours of the first day before the run begins."""


@step
def draw_arrivals(sources: Sources, path: int, scratch: ArrivalScratch, arrival: Floats) -> int:
    """Every stream's arrivals in replication `path`, the baseline's before what a scenario adds, and their times in
    order into `arrival`; their number, or -1 where the buffers are too small."""
    streams, replication = sources.streams, np.uint64(path + sources.redraw_offsets[NOISE])
    days = streams.hour_weights.shape[1]
    n = 0
    for k in streams.by_number:
        first = streams.first_rate[k] + ((path + sources.redraw_offsets[LEVEL]) % streams.n_paths[k]) * days
        rates = streams.rates[first : first + days]
        for added in (False, True):
            address, factor, hour_weights = np.uint64(streams.number[k]), streams.factor[k], streams.hour_weights[k]
            stream = Stream(
                k, added, sources.key, replication, address, rates, factor, hour_weights, streams.first_hour
            )
            if added and not streams.has_excess[k]:
                pass
            elif streams.rounded[k]:
                n = _rounded(stream, streams.first_day, scratch, n)
            else:
                n = _poisson(sources.tables, stream, scratch, n)
            if n < 0:
                return n
    if n > len(arrival):
        return -1
    _sort_by_time(scratch, n, 24.0 * days - streams.first_hour, arrival)
    return n


@compiled
def _rate(stream: Stream, day: int) -> float:
    """The rate of the baseline, or what a scenario's factor above 1 adds to it."""
    return stream.rates[day] * max(stream.factor[day] - 1.0, 0.0) if stream.added else stream.rates[day]


@compiled
def _poisson(tables: Tables, stream: Stream, scratch: ArrivalScratch, n: int) -> int:
    """A Poisson process by its inverse cumulative rate: unit exponential gaps in operational time."""
    upto, hours = scratch.upto, 24 * len(stream.rates)
    _add_up_rates(stream, upto)
    number = EXCESS if stream.added else _0
    hour, operational = 0, 0.0
    while hour < hours:
        operational = _draw_batch(tables, stream, number, operational, scratch)
        arrivals, hour = _find_hours(scratch, hour, hours)
        if n + arrivals > len(scratch.time):
            return -1
        for i in range(arrivals):
            begun = scratch.hour[i]
            time = begun + (scratch.batch[i] - upto[begun]) / (upto[begun + 1] - upto[begun])
            n = _keep(stream, begun // 24, (time, number, scratch.batch_patience[i]), scratch, n)
            number += _1
    return n


@compiled
def _add_up_rates(stream: Stream, upto: Floats) -> None:
    for day in range(len(stream.rates)):
        rate = _rate(stream, day)
        for hour in range(24):
            upto[24 * day + hour + 1] = upto[24 * day + hour] + rate * stream.hour_weights[day, hour]


@compiled
def _draw_batch(tables: Tables, stream: Stream, number: Word, operational: float, scratch: ArrivalScratch) -> float:
    """The operational times, after the time given, of the next patients of a stream, `number` the first of them, and
    the uniforms of their patience; the last of the times."""
    batch, patience = scratch.batch, scratch.batch_patience
    for i in range(BATCH):
        batch[i], patience[i] = uniforms(
            stream.key, stream.replication, stream.address, number + np.uint64(i), _ARRIVAL, _0
        )
    for i in range(BATCH):
        batch[i] = quantile(tables, UNIT_EXPONENTIAL, batch[i])
    for i in range(BATCH):
        operational += batch[i]
        batch[i] = operational
    return operational


@compiled
def _find_hours(scratch: ArrivalScratch, hour: int, hours: int) -> tuple[int, int]:
    """The hours of a batch, the first not before `hour`: the number of arrivals before the end, and the hour
    reached."""
    i = index(0)
    while i < BATCH and hour < hours:
        until = scratch.upto[index(hour + 1)]
        while i < BATCH and scratch.batch[i] < until:
            scratch.hour[i] = hour
            i = index(i + 1)
        hour += i < BATCH
    return i, hour


@compiled
def _rounded(stream: Stream, first_day: int, scratch: ArrivalScratch, n: int) -> int:
    """Each day's rate rounded up or down at random, and the hours of the arrivals within it."""
    key, replication, address = stream.key, stream.replication, stream.address
    number = EXCESS if stream.added else _0
    for day in range(len(stream.rates)):
        rate = _rate(stream, day)
        chance, _ = uniforms(key, replication, address, np.uint64(first_day + day), _DAY, _1 if stream.added else _0)
        count = np.int64(np.floor(rate))
        if chance < rate - np.floor(rate):
            count += 1
        for _ in range(count):
            if n == len(scratch.time):
                return -1
            within, patience = uniforms(key, replication, address, number, _ARRIVAL, _0)
            time = 24 * day + _hour_within(stream.hour_weights[day], within)
            n = _keep(stream, day, (time, number, patience), scratch, n)
            number += _1
    return n


@compiled
def _hour_within(weights: Floats, within: float) -> float:
    """Hours since midnight at which the cumulative weights of a day reach `within`."""
    hour, low, high = 0, 0.0, weights[0]
    while within >= high and hour < 23:
        hour += 1
        low = high
        high = 1.0 if hour == 23 else low + weights[hour]
    return hour + (within - low) / (high - low)


@compiled
def _keep(stream: Stream, day: int, arrival: tuple[float, Word, float], scratch: ArrivalScratch, n: int) -> int:
    """Note an arrival (hours since the first midnight, number, patience), unless a scenario's factor below 1 thins it
    out by its own mark; the number of arrivals so far."""
    time, number, patience = arrival
    factor = stream.factor[day]
    if factor < 1 and not stream.added:
        mark, _ = uniforms(stream.key, stream.replication, stream.address, number, _SCENARIO, _0)
        if mark >= factor:
            return n
    place = index(n)
    scratch.time[place] = time - stream.first_hour
    scratch.stream[place] = stream.place
    scratch.number[place] = number
    scratch.patience[place] = patience
    return n + 1


@compiled
def _sort_by_time(scratch: ArrivalScratch, n: int, hours: float, arrival: Floats) -> None:
    """Put the `n` arrivals' places in order of time, and the times into `arrival`; simultaneous ones stay in the order
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
