"""Draw first: the patients of one replication, with every random number they will need, before any queueing.

Numbers are addressed (random.py), so the loops may run in any order and stop anywhere. Where a buffer is too small,
the answer is a status and the caller comes again with a larger one.
"""

import numpy as np

from kaizar_pipeline.simulation.kernel.arrivals import begin_merge, draw_arrivals, next_arrival
from kaizar_pipeline.simulation.kernel.compiling import compiled, step
from kaizar_pipeline.simulation.kernel.random import last_not_above, quantile, rest, share_until, uniforms
from kaizar_pipeline.simulation.philox import Purpose
from kaizar_pipeline.simulation.plan import CHANCES

MAX_STAYS = 1000
"""Stays of one patient beyond which the routing is taken for a loop."""

OK, FEW_PATIENTS, FEW_STAYS, FEW_BEDS, ENDLESS_ROUTE = range(5)
"""How it went; FEW_: the buffer of patients, stays or beds is too small."""

ROUTING, STAY, STARTING = (CHANCES.index(name) for name in ("routing", "length_of_stay", "starting_census"))

_CENSUS, _ROUTE = np.uint64(Purpose.CENSUS), np.uint64(Purpose.ROUTE)
_PATIENCE_STAGE = np.uint64(0xFFFE)
"""Stage of the patience of those who wait already, behind every stay's."""
_DELAY_STAGE = np.uint64(0xFFFF)
"""Stage of the discharge delay, behind every stay's."""


@step
def draw(sources, path, scale, buffers, scratch, left):
    """Draw replication `path` into `buffers`; status, patients and stays.

    `scale` f8[tables] multiplies the lengths of stay of each table; `scratch` is for arrivals, `left` f8[W + 1] too is
    room to work in.
    """
    n_census, n_arrivals = len(sources.census.seat), draw_arrivals(sources, path, scratch)
    patients = n_census + n_arrivals
    if n_arrivals < 0 or patients > len(buffers.arrival):
        return FEW_PATIENTS, 0, 0
    _enter_census(sources, np.uint64(path + sources.fresh[STARTING]), buffers)
    _enter_arrivals(sources, n_census, patients, buffers, scratch)
    s = 0
    buffers.offset[0] = 0
    for p in range(patients):
        status, s = _draw_stays(sources, p, s, path, scale, buffers, left)
        if status != OK:
            return status, 0, 0
        buffers.offset[p + 1] = s
    return OK, patients, s


@compiled
def _enter_census(sources, replication, buffers):
    census = sources.census
    for p in range(len(census.seat)):
        buffers.arrival[p] = 0.0
        buffers.patient_type[p] = census.patient_type[p]
        buffers.stream[p] = -1
        buffers.number[p] = census.number[p]
        buffers.patience[p] = np.inf
        if census.patience_elapsed[p] < np.inf:
            chance, _ = uniforms(sources.key, replication, census.stream[p], census.number[p], _CENSUS, _PATIENCE_STAGE)
            table = sources.patience_table[census.patient_type[p]]
            buffers.patience[p] = rest(sources.tables, table, chance, census.patience_elapsed[p], 1.0)


@compiled
def _enter_arrivals(sources, first, patients, buffers, scratch):
    streams = sources.streams
    size = begin_merge(streams, scratch)
    for p in range(first, patients):
        place, stream, size = next_arrival(streams, scratch, size)
        patient_type = streams.patient_type[stream]
        buffers.arrival[p] = scratch.time[place]
        buffers.patient_type[p] = patient_type
        buffers.stream[p] = stream
        buffers.number[p] = scratch.number[place]
        table = sources.patience_table[patient_type]
        buffers.patience[p] = np.inf if table < 0 else quantile(sources.tables, table, scratch.patience[place])


@compiled
def _draw_stays(sources, p, s, path, scale, buffers, left):
    """The way of patient `p` through the wards until home, from stay `s` on; status and the stay after the last."""
    census, key, home = sources.census, sources.key, len(sources.next_wards) - 1
    of_census = buffers.stream[p] < 0
    ways, durations = np.uint64(path + sources.fresh[ROUTING]), np.uint64(path + sources.fresh[STAY])
    if of_census:
        ways = durations = np.uint64(path + sources.fresh[STARTING])
        stream, ward, purpose = census.stream[p], census.ward[p], _CENSUS
    else:
        stream, ward, purpose = (
            sources.streams.number[buffers.stream[p]],
            sources.streams.ward[buffers.stream[p]],
            _ROUTE,
        )
    number, patient_type = np.uint64(buffers.number[p]), buffers.patient_type[p]
    for stage in range(MAX_STAYS):
        if s == len(buffers.los):
            return FEW_STAYS, s
        to_route, to_stay = uniforms(key, ways, stream, number, purpose, np.uint64(stage))
        if durations != ways:
            _, to_stay = uniforms(key, durations, stream, number, purpose, np.uint64(stage))
        if stage == 0 and of_census and census.seat[p] >= 0:
            next_ward, los = _stay_in_progress(sources, p, to_route, to_stay, scale, left)
        else:
            next_ward = _next_ward(sources, patient_type, ward, to_route)
            table = sources.los_table[patient_type, ward, next_ward]
            los = scale[table] * quantile(sources.tables, table, to_stay)
        buffers.planned_ward[s] = ward
        buffers.priority[s] = sources.queue_rank[ward, patient_type]
        buffers.los[s] = los
        buffers.delay[s] = 0.0
        s += 1
        if next_ward == home:
            if sources.delay_table[ward] >= 0:
                chance, _ = uniforms(key, durations, stream, number, purpose, _DELAY_STAGE)
                elapsed = census.delay_elapsed[p] if of_census else 0.0
                buffers.delay[s - 1] = _delay(sources, ward, chance, elapsed)
            return OK, s
        ward = next_ward
    return ENDLESS_ROUTE, s


@compiled
def _delay(sources, ward, chance, elapsed):
    table = sources.delay_table[ward]
    if elapsed > 0:
        return rest(sources.tables, table, chance, elapsed, 1.0)
    return quantile(sources.tables, table, chance)


@compiled
def _next_ward(sources, patient_type, ward, chance):
    cdf = sources.route_cdf[patient_type, ward]
    last = len(cdf) - 1
    if chance >= cdf[last]:  # home, most often
        return sources.next_wards[last + 1]
    if chance < cdf[0]:
        return sources.next_wards[0]
    return sources.next_wards[last_not_above(cdf, 0, last, chance) + 1]


@compiled
def _stay_in_progress(sources, p, to_route, to_stay, scale, left):
    """Next ward and rest of the stay of a seated patient, given the time already spent; each way on counts by the share
    of its stays that last longer."""
    census = sources.census
    if not census.in_care[p]:
        return census.next_known[p], 0.0
    wards = len(sources.next_wards) - 1
    cdf = sources.route_cdf[census.patient_type[p], census.ward[p]]
    by_next_ward = sources.los_table[census.patient_type[p], census.ward[p]]
    share, total, before = 0.0, 0.0, 0.0
    for place in range(wards + 1):
        table = by_next_ward[sources.next_wards[place]]
        if place == 0 or table != by_next_ward[sources.next_wards[place - 1]]:
            share = 1.0 - share_until(sources.tables, table, census.elapsed[p] / scale[table])
        upto = cdf[place] if place < wards else 1.0
        left[place] = (upto - before) * share
        total += left[place]
        before = upto
    if total <= 0:  # longer here than any stay: the time spent tells nothing
        next_ward = _next_ward(sources, census.patient_type[p], census.ward[p], to_route)
    else:
        place, upto = 0, left[0]
        while place < wards and to_route * total >= upto:
            place += 1
            upto += left[place]
        while left[place] == 0:  # rounding must not send anybody a way that nobody goes
            place -= 1
        next_ward = sources.next_wards[place]
    table = by_next_ward[next_ward]
    return next_ward, rest(sources.tables, table, to_stay, census.elapsed[p], scale[table])
