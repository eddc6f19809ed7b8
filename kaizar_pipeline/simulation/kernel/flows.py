"""Count flows: the patients who take a bed and who give one up, from the stays of one replication, window by window.

Hours that count are cut into segments, and a window is some consecutive ones: [A, S] by segment, [A, V] by window. What
happens at the instant between two segments is in the first of them, as it is in the census of that instant. So in each
row of the ward axis, census at the end = census at the begin + net. Of a group and of the hospital a move inside it is
no flow, and a request for one asks for no bed.
"""

from math import ceil
from typing import NamedTuple

import numpy as np

from kaizar_pipeline.simulation.flow_windows import FLOW, REQUESTS, WAITING
from kaizar_pipeline.simulation.kernel.arrays import Flags, Floats, Indices, Integers, SmallIntegers
from kaizar_pipeline.simulation.kernel.compiling import compiled, index, signed, step
from kaizar_pipeline.simulation.kernel.count import Window
from kaizar_pipeline.simulation.trajectories import NOWHERE, Stays, Trajectories

_COUNTED = FLOW.arrivals
"""Flows that are counted; the others are their sums."""


class FlowWindow(NamedTuple):
    """Which events count together."""

    segment: Indices
    """u4[H + 1]: segment of the hour that ends at each full hour; at the first, that of the hour that begins."""
    begin: Integers
    """i8[S]: the hour that counts at which each segment begins."""
    first: Integers
    """i8[V]: first segment of each window."""
    last: Integers
    """i8[V]: the segment after its last."""
    of_stream: Integers
    """i8[K]: the flow of the stream's patients into their first bed."""
    of_census: Integers
    """i8[n_census]: the same of the patients of the census, transfers_in of those who had a bed before."""


class FlowCounts(NamedTuple):
    """One replication, counted."""

    by_segment: SmallIntegers
    """i4[A, FLOW, S]: flows, with REQUESTS and WAITING in the places of the sums."""
    before: Integers
    """i8[A]: census just before the first instant that counts."""
    census: Integers
    """i8[S + 1]: working memory, the census of one row as each segment begins, and at the end."""
    values: Indices
    """u4[A, FLOW, V]: flows; net in the order 0, -1, 1, -2, 2, ..."""
    highest: Integers
    """i8[A * FLOW]: the highest of each in any window."""
    free: Integers
    """i8[A, V]: staffed beds less the census as each window begins."""
    is_short: Flags
    """bool[A, V]: whether more patients ask for a bed than are free or given up."""
    waited: Floats
    """f8[A, 2]: hours to a bed of those who wait at the first instant that counts, and how many they are."""


class FlowTallies(NamedTuple):
    """Many replications, added up. Values of the flow f of row w lie at start[w * FLOW + f] .., as many as there were,
    each over all windows."""

    start: Integers
    """i8[A * FLOW + 1]"""
    counts: Indices
    """u4[start[-1] * V]: replications by row, flow, value and window."""
    free: Integers
    """i8[A, V]: summed."""
    free_squares: Integers
    """i8[A, V]: their squares, summed."""
    short: Integers
    """i8[A, V]: replications."""


@step
def count_flows(
    window: Window, flows: FlowWindow, drawn: Trajectories, stays: Stays, counts: FlowCounts, to_bed: Floats
) -> None:
    """The flows of each window; and into `to_bed` f8[A] the mean hours to a bed of those who wait at the first instant
    that counts, NaN where nobody does."""
    counts.by_segment[:] = 0
    counts.before[:] = 0
    counts.waited[:] = 0.0
    for p in range(len(drawn.patient_type)):
        takes = flows.of_census[index(p)] if p < drawn.n_census else flows.of_stream[index(drawn.stream[p])]
        held, until = NOWHERE, -1.0
        for stay in range(drawn.offset[p], drawn.offset[p + 1]):
            s = index(stay)
            if stays.request[s] == np.inf:
                break
            used, depart = stays.used_ward[s], stays.depart[s]
            moves_from = held if until == stays.admit[s] else NOWHERE
            _count_request(window, flows, drawn.planned_ward[s], moves_from, counts, stays, s)
            if used != NOWHERE:
                _count_admission(window, flows, takes, moves_from, counts, stays, s)
                if window.warmup <= depart < window.hours:
                    goes_on = stay + 1 < drawn.offset[p + 1]
                    flow = FLOW.transfers_out if goes_on else FLOW.discharges
                    is_move = goes_on and depart == stays.admit[index(s + goes_on)]  # counted with the next stay
                    counts.by_segment[index(used), flow, index(_segment(window, flows, depart))] += not is_move
            held, until, takes = used, depart, FLOW.transfers_in
    _add_up_totals(window, counts)
    for row in range(len(counts.before)):
        _sum_windows(window, flows, counts, row)
        to_bed[row] = counts.waited[row, 0] / counts.waited[row, 1] if counts.waited[row, 1] > 0 else np.nan


@compiled
def _segment(window: Window, flows: FlowWindow, time: float) -> int:
    """The segment of an event: -1 before the first, S after the last."""
    if time < window.warmup:
        return -1
    if time >= window.hours:
        return len(flows.begin)
    return signed(flows.segment[index(ceil(time) - window.warmup)])


@compiled
def _count_request(  # noqa: PLR0913  inlined
    window: Window, flows: FlowWindow, ward: int, held: int, counts: FlowCounts, stays: Stays, s: int
) -> None:
    """Count who asks for a bed, waits for one as segments begin, and goes without."""
    until = min(stays.admit[s], stays.depart[s])
    asked, end = _segment(window, flows, stays.request[s]), _segment(window, flows, until)
    segments = len(flows.begin)
    if asked >= 0:
        _count_move(window, counts, REQUESTS, ward, held, asked)
    if asked != end:
        for at in range(asked + 1, min(end + 1, segments)):
            _count_move(window, counts, WAITING, ward, held, at)
        if asked < 0:
            _count_wait(window, counts, ward, held, min(until, float(window.hours)) - window.warmup)
            if stays.used_ward[s] != NOWHERE and end < segments:
                _count_move(window, counts, FLOW.waiting_admitted, ward, held, end)
    if stays.used_ward[s] == NOWHERE and 0 <= end < segments:
        counts.by_segment[index(ward), FLOW.turned_away, index(end)] += 1


@compiled
def _count_move(window: Window, counts: FlowCounts, flow: int, ward: int, other: int, at: int) -> None:
    """Count a patient of a ward in a segment, who has the bed of another ward at the same time, or NOWHERE: not in
    groups that hold both, to which all of their wards are added later."""
    if ward == other:
        return
    counts.by_segment[index(ward), flow, index(at)] += 1
    if other != NOWHERE:
        wards = window.is_member.shape[1]
        for g in range(len(window.is_member)):
            if window.is_member[g, index(ward)] and window.is_member[g, index(other)]:
                counts.by_segment[index(wards + g), flow, index(at)] -= 1


@compiled
def _count_wait(window: Window, counts: FlowCounts, ward: int, held: int, hours: float) -> None:
    """Count the time to a bed of a patient who waits for the ward, and for the groups in which no bed is held."""
    wards = window.is_member.shape[1]
    for row in range(len(counts.waited)):
        is_of = row == ward if row < wards else window.is_member[index(row - wards), index(ward)]
        has_bed = row == held if row < wards else held != NOWHERE and window.is_member[index(row - wards), index(held)]
        if is_of and not has_bed:
            counts.waited[row, 0] += hours
            counts.waited[row, 1] += 1


@compiled
def _count_admission(  # noqa: PLR0913  inlined
    window: Window, flows: FlowWindow, takes: int, moves_from: int, counts: FlowCounts, stays: Stays, s: int
) -> None:
    """Count who takes a bed, as the flow `takes`, or as a move from the bed of another ward."""
    used = stays.used_ward[s]
    at = _segment(window, flows, stays.admit[s])
    if at < 0:
        counts.before[index(used)] += stays.depart[s] >= window.warmup
    elif at < len(flows.begin):
        if moves_from == NOWHERE:
            counts.by_segment[index(used), takes, index(at)] += 1
        else:
            _count_move(window, counts, FLOW.transfers_in, used, moves_from, at)
            _count_move(window, counts, FLOW.transfers_out, moves_from, used, at)


@compiled
def _add_up_totals(window: Window, counts: FlowCounts) -> None:
    """Add the wards to their groups and to the hospital."""
    wards = window.is_member.shape[1]
    for w in range(wards):
        for g in range(len(window.is_member)):
            if window.is_member[g, w]:
                counts.before[wards + g] += counts.before[w]
                for flow in range(len(FLOW)):
                    part, total = counts.by_segment[w, flow], counts.by_segment[wards + g, flow]
                    for at in range(len(part)):
                        total[at] += part[at]


@compiled
def _sum_windows(window: Window, flows: FlowWindow, counts: FlowCounts, row: int) -> None:
    """From the segments of a row to its windows."""
    of, values, census = counts.by_segment[row], counts.values[row], counts.census
    for flow in range(_COUNTED):
        counts.highest[row * len(FLOW) + flow] = _sum_flow(flows, of[flow], values[flow])
    census[0] = counts.before[row]
    for at in range(len(flows.begin)):
        taken = of[FLOW.emergency, at] + of[FLOW.planned, at] + of[FLOW.transfers_in, at]
        census[index(at + 1)] = census[at] + taken - of[FLOW.transfers_out, at] - of[FLOW.discharges, at]
    most, most_net = 0, 0
    for v in range(len(flows.first)):
        first, last = index(flows.first[v]), index(flows.last[v])
        values[FLOW.arrivals, v] = values[FLOW.emergency, v] + values[FLOW.planned, v]
        most = max(most, signed(values[FLOW.arrivals, v]))
        net = census[last] - census[first]
        values[FLOW.net, v] = 2 * net if net >= 0 else -2 * net - 1
        most_net = max(most_net, signed(values[FLOW.net, v]))
        counts.free[row, v] = window.staffed[row, index(flows.begin[first])] - census[first]
        asking = of[WAITING, first]
        for at in range(first, last):
            asking += of[REQUESTS, index(at)]
        given_up = signed(values[FLOW.transfers_out, v]) + signed(values[FLOW.discharges, v])
        counts.is_short[row, v] = asking > counts.free[row, v] + given_up
    counts.highest[row * len(FLOW) + FLOW.arrivals] = most
    counts.highest[row * len(FLOW) + FLOW.net] = most_net


@compiled
def _sum_flow(flows: FlowWindow, of: SmallIntegers, values: Indices) -> int:
    """From the segments of a flow to its windows; the highest."""
    highest = 0
    for v in range(len(values)):
        total = 0
        for at in range(flows.first[v], flows.last[v]):
            total += of[index(at)]
        values[v] = total
        highest = max(highest, total)
    return highest


@compiled
def add_flows(counts: FlowCounts, tallies: FlowTallies) -> None:
    """Add a replication."""
    windows = counts.free.shape[1]
    for row in range(len(counts.free)):
        for flow in range(len(FLOW)):
            begin, values = tallies.start[row * len(FLOW) + flow] * windows, counts.values[row, flow]
            for v in range(windows):
                tallies.counts[index(begin + values[v] * windows + v)] += 1
        for v in range(windows):
            free = counts.free[row, v]
            tallies.free[row, v] += free
            tallies.free_squares[row, v] += free * free
            tallies.short[row, v] += counts.is_short[row, v]
