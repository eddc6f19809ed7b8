"""A block of replications in one call: draw, simulate with the beds there are and without limits, count, add.

`run_block` is the fast way; `draw_one`, `simulate_one` and `tally_one` are its parts, for the reference engine, the
synthetic history and the tests.
"""

from typing import NamedTuple

import numpy as np

from kaizar_pipeline.simulation.kernel.arrivals import BATCH, ArrivalScratch
from kaizar_pipeline.simulation.kernel.compiling import compiled, entry
from kaizar_pipeline.simulation.kernel.count import (
    DIGIT_BITS,
    HOURS_PER_WEEK,
    QUEUED,
    WAITED_SOME,
    Counted,
    Records,
    Tallies,
    Window,
    add_census,
    add_others,
    count_census,
    count_stays,
    fits,
)
from kaizar_pipeline.simulation.kernel.draw import FEW_BEDS, OK, StayScratch, draw
from kaizar_pipeline.simulation.kernel.events import EventScratch, simulate
from kaizar_pipeline.simulation.kernel.inputs import Rules, Sources
from kaizar_pipeline.simulation.trajectories import Stays, Trajectories
from kaizar_pipeline.tables.kpis import KPIS


class Room(NamedTuple):
    """Everything one worker needs to run replications, used again for each."""

    drawn: Trajectories
    stays: Stays
    demand_stays: Stays
    arrivals: ArrivalScratch
    stay_scratch: StayScratch
    events: EventScratch
    counted: Counted
    counted_demand: Counted


@compiled
def _tally(window, with_demand, drawn, stays, demand_stays, room, actual, demand, records, r):
    """Count a replication and add it, to both runs or to neither, and note it in row `r` of `records`; FEW_BEDS when a
    histogram is too narrow."""
    count_stays(window, drawn, stays, room.counted, records.kpis[r], records.boarded[r])
    if not fits(room.counted, actual):
        return FEW_BEDS
    if with_demand:
        count_census(window, demand_stays, room.counted_demand)
        if not fits(room.counted_demand, demand):
            return FEW_BEDS
        add_census(window, room.counted_demand, demand, records.demand_peaks[r])
    add_census(window, room.counted, actual, records.peaks[r])
    add_others(window, room.counted, actual)
    return OK


@entry
def run_block(sources, rules, demand_rules, window, with_demand, first, scale, stop, room, actual, demand, records):
    """Run the replications `first` on, one per row of `scale` f8[n, tables] and of `records`, until all are done,
    `stop[0]` is set, or room is short. Returns how many were done, and the status."""
    for r in range(len(records.kpis)):
        if stop[0] != 0:
            return r, OK
        status, n, s = draw(sources, first + r, scale[r], room.drawn, room.arrivals, room.stay_scratch)
        if status != OK:
            return r, status
        drawn = Trajectories(
            room.drawn.n_census, room.drawn.seat, room.drawn.admitted, room.drawn.requested, room.drawn.arrival[:n],
            room.drawn.patient_type[:n], room.drawn.stream[:n], room.drawn.number[:n], room.drawn.patience[:n],
            room.drawn.offset[: n + 1], room.drawn.planned_ward[:s], room.drawn.priority[:s], room.drawn.los[:s],
            room.drawn.delay[:s],
        )  # fmt: skip
        stays = Stays(
            room.stays.request[:s], room.stays.admit[:s], room.stays.ready[:s], room.stays.depart[:s],
            room.stays.used_ward[:s], room.stays.status[:n],
        )  # fmt: skip
        demand_stays = Stays(
            room.demand_stays.request[:s], room.demand_stays.admit[:s], room.demand_stays.ready[:s],
            room.demand_stays.depart[:s], room.demand_stays.used_ward[:s], room.demand_stays.status[:n],
        )  # fmt: skip
        simulate(rules, drawn, stays, room.events)
        if with_demand:
            simulate(demand_rules, drawn, demand_stays, room.events)
        status = _tally(window, with_demand, drawn, stays, demand_stays, room, actual, demand, records, r)
        if status != OK:
            return r, status
    return len(records.kpis), OK


@entry
def draw_one(sources, path, scale, drawn, arrivals, stays):
    """Draw a replication into `drawn`; status, patients and stays."""
    return draw(sources, path, scale, drawn, arrivals, stays)


@entry
def simulate_one(rules, drawn, stays, events):
    """Turn trajectories into `stays`."""
    simulate(rules, drawn, stays, events)


@entry
def tally_one(window, with_demand, drawn, stays, demand_stays, room, actual, demand, records, r):
    """Count a replication that some engine has simulated, add it, and note it in row `r` of `records`."""
    return _tally(window, with_demand, drawn, stays, demand_stays, room, actual, demand, records, r)


def make_drawn(sources: Sources, patients: int, stays: int) -> Trajectories:
    """Room for the trajectories of so many patients and stays; what the census fixes is in place."""
    census = sources.census
    return Trajectories(
        n_census=len(census.seat),
        seat=census.seat,
        admitted=census.admitted,
        requested=census.requested,
        arrival=np.empty(patients),
        patient_type=np.empty(patients, dtype=np.int32),
        stream=np.empty(patients, dtype=np.int32),
        number=np.empty(patients, dtype=np.uint32),
        patience=np.empty(patients),
        offset=np.empty(patients + 1, dtype=np.int64),
        planned_ward=np.empty(stays, dtype=np.int32),
        priority=np.empty(stays, dtype=np.int32),
        los=np.empty(stays),
        delay=np.empty(stays),
    )


def make_arrivals(sources: Sources, patients: int) -> ArrivalScratch:
    """Room for the arrivals of so many patients."""
    return ArrivalScratch(
        time=np.empty(patients),
        stream=np.empty(patients, dtype=np.uint32),
        number=np.empty(patients, dtype=np.uint32),
        patience=np.empty(patients),
        order=np.empty(patients, dtype=np.uint32),
        before=np.empty(patients + 2, dtype=np.uint32),
        upto=np.zeros(24 * sources.streams.hour_weights.shape[1] + 1),
        batch=np.empty(BATCH),
        hour=np.empty(BATCH, dtype=np.uint32),
        batch_patience=np.empty(BATCH),
    )


def make_stay_scratch(wards: int, stays: int) -> StayScratch:
    """Room for the stays of one batch of patients, which may be all there is room for, and for one stage more."""
    whole, part, word = (np.empty((n, stays + BATCH), dtype=kind) for n, kind in ((4, "u4"), (3, "f8"), (2, "u8")))
    return StayScratch(*whole, *part, *word, left=np.empty(wards + 1))


def make_stays(patients: int, stays: int) -> Stays:
    """Room for so many stays."""
    return Stays(
        request=np.empty(stays),
        admit=np.empty(stays),
        ready=np.empty(stays),
        depart=np.empty(stays),
        used_ward=np.empty(stays, dtype=np.int32),
        status=np.empty(patients, dtype=np.int8),
    )


def make_events(rules: Rules, priorities: int, patients: int) -> EventScratch:
    """Room for the events of so many patients."""
    wards, stops = len(rules.beds), len(rules.stop_ward)
    return EventScratch(
        soon_time=np.empty(2 * patients),
        soon=np.empty(2 * patients, dtype=np.uint32),
        later=np.empty(patients + 1, dtype=np.int32),
        next_later=np.empty(2 * patients, dtype=np.int32),
        due=np.empty(2 * patients),
        now=np.empty(3, dtype=np.int64),
        granted=np.empty(patients, dtype=np.uint32),
        stay=np.empty(patients, dtype=np.uint32),
        held=np.empty(patients, dtype=np.int32),
        ward=np.empty(patients, dtype=np.uint32),
        waits=np.empty(patients, dtype=np.bool_),
        behind=np.empty(patients, dtype=np.int32),
        ahead=np.empty(patients, dtype=np.int32),
        first=np.empty((wards, priorities), dtype=np.int32),
        last=np.empty((wards, priorities), dtype=np.int32),
        queue=np.empty(wards, dtype=np.int64),
        census=np.empty(wards, dtype=np.int64),
        beds=np.empty(wards, dtype=np.int64),
        overflow_at=np.empty(wards, dtype=np.int64),
        stop_at=np.empty(stops, dtype=np.int64),
        waiting_in=np.empty((wards, wards), dtype=np.int32),
        blocked=np.empty(wards, dtype=np.int64),
        came_from=np.empty(wards, dtype=np.int64),
        to_visit=np.empty(wards, dtype=np.int64),
    )


def make_room(sources: Sources, rules: Rules, window: Window, patients: int, stays: int) -> Room:
    """Room for replications of at most so many patients and stays."""
    wards, types = len(rules.beds), len(sources.patience_table)
    return Room(
        drawn=make_drawn(sources, patients, stays),
        stays=make_stays(patients, stays),
        demand_stays=make_stays(patients, stays),
        arrivals=make_arrivals(sources, patients),
        stay_scratch=make_stay_scratch(wards, stays),
        events=make_events(rules, int(sources.queue_rank.max()) + 1, patients),
        counted=_make_counted(wards, types, window, stays),
        counted_demand=_make_counted(wards, types, window, 0),
    )


def _make_counted(wards: int, types: int, window: Window, stays: int) -> Counted:
    wait = np.empty(stays)
    return Counted(
        census=np.zeros((wards + 1, window.hours + 1), dtype=np.int32),
        highest=np.zeros(wards + 1, dtype=np.int64),
        others=np.zeros((3, wards + 1, window.hours + 1), dtype=np.int32),
        is_any=np.zeros((3, wards + 1), dtype=np.bool_),
        week=np.zeros((2, wards + 1, HOURS_PER_WEEK), dtype=np.int64),
        sums=np.zeros((wards + 1, types + 1, WAITED_SOME + 1)),
        wait=wait,
        wait_ward=np.empty(stays, dtype=np.uint32),
        wait_type=np.empty(stays, dtype=np.uint32),
        wait_bits=wait.view(np.uint64),
        wait_order=np.empty((2, stays), dtype=np.uint32),
        digit_place=np.empty(2**DIGIT_BITS + 1, dtype=np.uint32),
        wait_rank=np.empty((3, wards + 1, types + 1), dtype=np.int64),
    )


def make_records(wards: int, types: int, window: Window, replications: int) -> Records:
    """Room for what so many replications bring."""
    days = (window.hours - window.warmup) // 24
    return Records(
        kpis=np.empty((replications, wards + 1, types + 1, len(KPIS))),
        boarded=np.empty((replications, wards, wards)),
        peaks=np.zeros((replications, wards + 1, days), dtype=np.int32),
        demand_peaks=np.zeros((replications, wards + 1, days), dtype=np.int32),
    )


def make_tallies(widths: np.ndarray, window: Window) -> Tallies:
    """Empty tallies with room for fewer than `widths` i8[W + 1] patients in each ward and the house."""
    hours, wards = window.hours - window.warmup, len(widths)
    start = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
    return Tallies(
        start=start,
        census=np.zeros(start[-1] * hours, dtype=np.uint32),
        peaks=np.zeros(start[-1] * (hours // 24), dtype=np.uint32),
        others=np.zeros((QUEUED + 1, wards, hours), dtype=np.int64),
        week=np.zeros((4, wards, HOURS_PER_WEEK), dtype=np.int64),
    )


def widened(tallies: Tallies, widths: np.ndarray, window: Window) -> Tallies:
    """The same tallies with room for fewer than `widths` patients; nothing counted is lost."""
    wider = make_tallies(widths, window)
    for old, new in ((tallies.census, wider.census), (tallies.peaks, wider.peaks)):
        for first, last, to_first in zip(tallies.start, tallies.start[1:], wider.start[:-1], strict=False):
            times = len(new) // wider.start[-1]
            new[to_first * times : (to_first + last - first) * times] = old[first * times : last * times]
    return wider._replace(others=tallies.others, week=tallies.week)
