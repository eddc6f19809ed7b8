"""Draw first: the patients of one replication, with every random number they will need, before any queueing.

Numbers are addressed (random.py), so the loops may run in any order and stop anywhere. Where a buffer is too small the
answer is a status, and the caller tries again with a larger one.
"""

from typing import NamedTuple

import numpy as np

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.simulation.clocks import DISCHARGE, TRANSFER
from kaizar_pipeline.simulation.kernel.arrays import Floats, Indices, Word, Words
from kaizar_pipeline.simulation.kernel.arrivals import BATCH, ArrivalScratch, draw_arrivals
from kaizar_pipeline.simulation.kernel.compiling import compiled, index, step
from kaizar_pipeline.simulation.kernel.inputs import Sources
from kaizar_pipeline.simulation.kernel.random import last_not_above, quantile, rest, share_until, uniforms
from kaizar_pipeline.simulation.plan import RANDOM_SOURCES
from kaizar_pipeline.simulation.trajectories import Trajectories
from kaizar_pipeline.stats.philox import Purpose

MAX_STAYS = 1000
"""Stays of one patient beyond which the routing is taken for a loop."""

OK, FEW_PATIENTS, FEW_STAYS, FEW_BEDS, ENDLESS_ROUTE = range(5)
"""Status; FEW_: the buffer of patients, stays or beds is too small."""

ROUTING, STAY, STARTING = (RANDOM_SOURCES.index(name) for name in ("routing", "length_of_stay", "starting_census"))

_CENSUS, _ROUTE, _0 = np.uint64(Purpose.CENSUS), np.uint64(Purpose.ROUTE), np.uint64(0)
_PATIENCE_STAGE = np.uint64(0xFFFE)
"""Stage of the patience of those who wait already, behind every stay's."""
_DELAY_STAGE = np.uint64(0xFFFF)
"""Stage of the discharge delay, behind every stay's."""


class StayScratch(NamedTuple):
    """Working memory: the stays of a batch of patients, the first stays of all before the second ones and so on."""

    patient: Indices
    """u4[stays]"""
    ward: Indices
    """u4[stays]"""
    next_ward: Indices
    """u4[stays]"""
    place: Indices
    """u4[stays]: where each stay lies among all, patient by patient."""
    to_route: Floats
    """f8[stays]: uniforms"""
    to_stay: Floats
    """f8[stays]"""
    unused: Floats
    """f8[stays]"""
    stream: Words
    """u8[stays]: part of the address of those."""
    number: Words
    """u8[stays]"""
    left: Floats
    """f8[W + 1]: share of the stays in progress that last longer, by next ward."""


class Replication(NamedTuple):
    """Which replication is drawn."""

    number: int
    scale: Floats
    """f8[tables]: its own factor on the lengths of stay of each table."""
    speed: Floats
    """f8[W, days]: its own factor on the weights of each ward's clocks."""
    routes: Floats
    """f8[T, W, W]: by type and ward, cumulative probability of the next ward; the rest goes home."""


class Batch(NamedTuple):
    """Patients `first` .. `last` - 1: all of the census, or all arrivals."""

    first: int
    last: int
    of_census: bool


@step
def draw(
    sources: Sources, replication: Replication, buffers: Trajectories, arrivals: ArrivalScratch, work: StayScratch
) -> tuple[int, int, int]:
    """Draw a replication into `buffers`; status, patients and stays."""
    n_census = len(sources.census.seat)
    n_arrivals = draw_arrivals(sources, replication.number, arrivals, buffers.arrival[n_census:])
    patients = n_census + n_arrivals
    if n_arrivals < 0:
        return FEW_PATIENTS, 0, 0
    _enter_census(sources, np.uint64(replication.number + sources.redraw_offsets[STARTING]), buffers)
    _enter_arrivals(sources, n_census, patients, buffers, arrivals)
    _set_clocks(sources, replication.speed, buffers.operational)
    first, s = 0, 0
    buffers.offset[0] = 0
    while first < patients:
        last = min(first + BATCH, n_census if first < n_census else patients)
        status, s = _draw_stays(sources, replication, Batch(first, last, first < n_census), s, buffers, work)
        if status != OK:
            return status, 0, 0
        first = last
    return OK, patients, s


@compiled
def _set_clocks(sources: Sources, speed: Floats, operational: Floats) -> None:
    """Add up the operational time of each clock, hour by hour."""
    first_hour = sources.streams.first_hour
    for c in range(len(sources.clock_ward)):
        ward, total = sources.clock_ward[c], 0.0
        for hour in range(sources.clock_weights.shape[1]):
            operational[c, index(hour)] = total
            total += sources.clock_weights[c, index(hour)] * speed[ward, index((hour + first_hour) // HOURS_PER_DAY)]
        operational[c, index(sources.clock_weights.shape[1])] = total


@compiled
def _enter_census(sources: Sources, replication: Word, buffers: Trajectories) -> None:
    census = sources.census
    for p in range(len(census.seat)):
        buffers.arrival[p] = 0.0
        buffers.patient_type[p] = census.patient_type[p]
        buffers.stream[p] = -1
        buffers.number[p] = census.number[p]
        buffers.patience[p] = np.inf
        if census.patience_elapsed[p] < np.inf:
            chance, _ = uniforms(sources.key, replication, census.stream[p], census.number[p], _CENSUS, _PATIENCE_STAGE)
            table = index(sources.patience_table[census.patient_type[p]])
            buffers.patience[p] = rest(sources.tables, table, chance, census.patience_elapsed[p], 1.0)


@compiled
def _enter_arrivals(
    sources: Sources, first: int, patients: int, buffers: Trajectories, scratch: ArrivalScratch
) -> None:
    for arrival in range(patients - first):
        place, p = index(scratch.order[arrival]), index(first + arrival)
        stream = scratch.stream[place]
        patient_type = sources.streams.patient_type[stream]
        buffers.patient_type[p] = patient_type
        buffers.stream[p] = stream
        buffers.number[p] = scratch.number[place]
        table = sources.patience_table[patient_type]
        patience = quantile(sources.tables, index(max(table, 0)), scratch.patience[place])
        buffers.patience[p] = np.inf if table < 0 else patience  # looking up all costs less than a branch


@compiled
def _draw_stays(
    sources: Sources, replication: Replication, batch: Batch, s: int, buffers: Trajectories, work: StayScratch
) -> tuple[int, int]:
    """The routes of a batch through the wards until home, from stay `s` on; status and the stay after the last."""
    home = len(sources.next_wards) - 1
    begin, end = 0, batch.last - batch.first
    for i in range(end):
        p = batch.first + i
        work.patient[i] = p
        work.ward[i] = sources.census.ward[p] if batch.of_census else sources.streams.ward[index(buffers.stream[p])]
    for stage in range(MAX_STAYS):
        if s + end > len(buffers.los):
            return FEW_STAYS, s
        _draw_stage(sources, replication, batch.of_census, stage, buffers, _part(work, begin, end))
        onward = end
        for place in range(begin, end):
            i, to = index(place), index(onward)
            work.patient[to] = work.patient[i]
            work.ward[to] = work.next_ward[i]
            onward += work.next_ward[i] != home
        if onward == end:
            work = _part(work, 0, end)
            after = _lay_out(sources, replication, batch, s, buffers, work)
            if batch.of_census:
                _shorten_stays_in_progress(sources, replication, batch, buffers, work)
            _draw_delays(sources, replication, batch.of_census, buffers, work)
            return OK, after
        begin, end = end, onward
    return ENDLESS_ROUTE, s


@compiled
def _part(work: StayScratch, begin: int, end: int) -> StayScratch:
    """The stays `begin` .. `end` - 1 of a batch."""
    return StayScratch(
        work.patient[begin:end], work.ward[begin:end], work.next_ward[begin:end], work.place[begin:end],
        work.to_route[begin:end], work.to_stay[begin:end], work.unused[begin:end], work.stream[begin:end],
        work.number[begin:end], work.left,
    )  # fmt: skip


@compiled
def _draw_stage(
    sources: Sources, replication: Replication, of_census: bool, stage: int, buffers: Trajectories, work: StayScratch
) -> None:
    """Next ward of the stays in `work`, each the one after `stage` others, and the uniform of its length."""
    number = replication.number
    routes, durations = number + sources.redraw_offsets[ROUTING], number + sources.redraw_offsets[STAY]
    if of_census:
        routes = durations = number + sources.redraw_offsets[STARTING]
    for i in range(len(work.patient)):
        _address(sources, of_census, i, work.patient[i], buffers, work)
    _draw_uniforms(sources.key, routes, of_census, stage, work, (work.to_route, work.to_stay))
    if durations != routes:
        _draw_uniforms(sources.key, durations, of_census, stage, work, (work.unused, work.to_stay))
    for i in range(len(work.patient)):
        patient_type = index(buffers.patient_type[work.patient[i]])
        work.next_ward[i] = _next_ward(sources, replication.routes, patient_type, work.ward[i], work.to_route[i])
    if of_census and stage == 0:
        for i in range(len(work.patient)):
            if sources.census.seat[work.patient[i]] >= 0:
                work.next_ward[i] = _next_of_stay_in_progress(
                    sources, replication, work.patient[i], work.to_route[i], work.left
                )


@compiled
def _lay_out(
    sources: Sources, replication: Replication, batch: Batch, s: int, buffers: Trajectories, work: StayScratch
) -> int:
    """Write the stays in `work` behind stay `s`, patient by patient; the stay after the last."""
    offset = buffers.offset
    offset[batch.first + 1 : batch.last + 1] = 0
    for i in range(len(work.patient)):
        offset[work.patient[i] + 1] += 1
    for p in range(batch.first, batch.last):
        after = index(p + 1)
        s, offset[after] = s + offset[after], s
    for i in range(len(work.patient)):
        p, ward = work.patient[i], work.ward[i]
        patient_type = index(buffers.patient_type[p])
        table = sources.los_table[patient_type, ward, work.next_ward[i]]
        place = index(offset[p + 1])
        offset[p + 1] = place + 1
        work.place[i] = place
        buffers.planned_ward[place] = ward
        buffers.priority[place] = sources.queue_rank[ward, patient_type]
        buffers.los[place] = replication.scale[table] * quantile(sources.tables, table, work.to_stay[i])
        buffers.delay[place] = 0.0
        buffers.clock[place] = sources.clock_of[ward, _way(sources, work.next_ward[i])]
    return s


@compiled
def _way(sources: Sources, next_ward: int) -> int:
    return index(DISCHARGE if next_ward == len(sources.next_wards) - 1 else TRANSFER)


@compiled
def _shorten_stays_in_progress(
    sources: Sources, replication: Replication, batch: Batch, buffers: Trajectories, work: StayScratch
) -> None:
    """Replace the stays in progress by their rest, given the time already spent."""
    census = sources.census
    for p in range(batch.first, batch.last):
        if census.seat[p] >= 0:
            i = p - batch.first
            table = index(sources.los_table[census.patient_type[p], census.ward[p], work.next_ward[i]])
            elapsed = census.elapsed[p, _way(sources, work.next_ward[i])]
            left = rest(sources.tables, table, work.to_stay[i], elapsed, replication.scale[table])
            buffers.los[work.place[i]] = left if census.in_care[p] else 0.0


@compiled
def _draw_delays(
    sources: Sources, replication: Replication, of_census: bool, buffers: Trajectories, work: StayScratch
) -> None:
    """Discharge delays of those stays in `work` after which patients go home."""
    home, n = len(sources.next_wards) - 1, 0
    delayed = work.next_ward  # no longer needed once it has been read
    for i in range(len(work.patient)):
        is_delayed = (work.next_ward[i] == home) & (sources.delay_table[work.ward[i]] >= 0)
        delayed[index(n)] = i
        n += is_delayed
    for j in range(n):
        _address(sources, of_census, j, index(work.patient[delayed[j]]), buffers, work)
    number = replication.number + sources.redraw_offsets[STARTING if of_census else STAY]
    to_delay = _part(work, 0, n)
    _draw_uniforms(sources.key, number, of_census, _DELAY_STAGE, to_delay, (to_delay.to_stay, to_delay.unused))
    for j in range(n):
        i = index(delayed[j])
        elapsed = sources.census.delay_elapsed[index(work.patient[i])] if of_census else 0.0
        buffers.delay[work.place[i]] = _delay(sources, work.ward[i], work.to_stay[j], elapsed)


@compiled
def _address(sources: Sources, of_census: bool, i: int, p: int, buffers: Trajectories, work: StayScratch) -> None:
    """Note the address of patient `p`'s random numbers in place `i` of `work`."""
    work.stream[i] = sources.census.stream[p] if of_census else sources.streams.number[index(buffers.stream[p])]
    work.number[i] = buffers.number[p]


@compiled
def _draw_uniforms(
    key: Word, replication: int, of_census: bool, stage: int | Word, work: StayScratch, into: tuple[Floats, Floats]
) -> None:
    """Two uniforms at each address in `work`, into two arrays."""
    replication_word, purpose, stage_word = np.uint64(replication), _CENSUS if of_census else _ROUTE, np.uint64(stage)
    stream, number = work.stream, work.number
    one, other = into
    for i in range(len(stream)):
        one[i], other[i] = uniforms(key, replication_word, stream[i], number[i], purpose, stage_word)


@compiled
def _delay(sources: Sources, ward: int, chance: float, elapsed: float) -> float:
    table = index(sources.delay_table[ward])
    if elapsed > 0:
        return rest(sources.tables, table, chance, elapsed, 1.0)
    return quantile(sources.tables, table, chance)


@compiled
def _next_ward(sources: Sources, routes: Floats, patient_type: int, ward: int, chance: float) -> int:
    cdf = routes[patient_type, ward]
    last = index(len(cdf) - 1)
    if chance >= cdf[last]:  # home, most often
        return sources.next_wards[last + 1]
    if chance < cdf[0]:
        return sources.next_wards[0]
    return sources.next_wards[index(last_not_above(cdf, 0, len(cdf) - 1, chance) + 1)]


@compiled
def _next_of_stay_in_progress(sources: Sources, replication: Replication, p: int, chance: float, left: Floats) -> int:
    """Next ward of a seated patient, given the time already spent here: the probability of each is weighted by the
    share of its stays that last longer."""
    census = sources.census
    if not census.in_care[p]:
        return census.next_known[p]
    wards = len(sources.next_wards) - 1
    cdf = replication.routes[census.patient_type[p], census.ward[p]]
    by_next_ward = sources.los_table[census.patient_type[p], census.ward[p]]
    share, total, before = 0.0, 0.0, 0.0
    for place in range(wards + 1):
        table = index(by_next_ward[sources.next_wards[place]])
        if place == 0 or place == wards or table != by_next_ward[sources.next_wards[place - 1]]:
            elapsed = census.elapsed[p, index(DISCHARGE if place == wards else TRANSFER)]
            share = 1.0 - share_until(sources.tables, table, elapsed / replication.scale[table])
        upto = cdf[place] if place < wards else 1.0
        left[place] = (upto - before) * share
        total += left[place]
        before = upto
    if total <= 0:  # longer here than any stay: no information in the time spent
        return _next_ward(sources, replication.routes, census.patient_type[p], census.ward[p], chance)
    place, upto = 0, left[0]
    while place < wards and chance * total >= upto:
        place += 1
        upto += left[place]
    while left[place] == 0:  # rounding must not choose what has no probability
        place -= 1
    return sources.next_wards[place]
