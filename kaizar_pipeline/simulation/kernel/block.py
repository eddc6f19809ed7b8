"""A block of replications in one call: draw, simulate with the beds there are and without limits, count, add.

`run_block` does it all; `draw_one`, `simulate_one` and `tally_one` are its parts, for the reference engine, the
synthetic history and the tests.
"""

from typing import NamedTuple

import numpy as np

from kaizar_pipeline.simulation.kernel.arrays import Floats, Integers
from kaizar_pipeline.simulation.kernel.arrivals import BATCH, ArrivalScratch
from kaizar_pipeline.simulation.kernel.compiling import compiled, entry
from kaizar_pipeline.simulation.kernel.count import (
    DIGIT_BITS,
    SUMS,
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
from kaizar_pipeline.simulation.kernel.draw import FEW_BEDS, OK, Replication, StayScratch, draw
from kaizar_pipeline.simulation.kernel.events import EventScratch, simulate
from kaizar_pipeline.simulation.kernel.inputs import Rules, Sources
from kaizar_pipeline.simulation.trajectories import HOURS_PER_WEEK, Stays, Trajectories
from kaizar_pipeline.tables.kpis import KPIS


class Model(NamedTuple):
    """What is simulated: the hospital, with the beds there are and, if `with_demand`, without limits."""

    sources: Sources
    rules: Rules
    demand_rules: Rules
    window: Window
    with_demand: bool


class Block(NamedTuple):
    """The replications of a call: `first` and those that follow, one per row of `scale`."""

    first: int
    scale: Floats
    """f8[replications, tables]: factors on the lengths of stay."""
    stop: Integers
    """i8[1]: other than 0 to end before the next replication."""


class Buffers(NamedTuple):
    """Everything one worker needs to run replications, used again for each."""

    drawn: Trajectories
    stays: Stays
    demand_stays: Stays
    arrivals: ArrivalScratch
    stay_scratch: StayScratch
    events: EventScratch
    counted: Counted
    counted_demand: Counted


class Totals(NamedTuple):
    """The tallies of one worker."""

    actual: Tallies
    demand: Tallies


class Simulated(NamedTuple):
    """One replication."""

    drawn: Trajectories
    stays: Stays
    demand_stays: Stays


@compiled
def _tally(model: Model, run: Simulated, buffers: Buffers, totals: Totals, records: Records, r: int) -> int:
    """Count a replication and add it, to both tallies or to neither, and note it in row `r` of `records`; FEW_BEDS when
    a histogram is too narrow."""
    window, counted, counted_demand = model.window, buffers.counted, buffers.counted_demand
    count_stays(window, run.drawn, run.stays, counted, records.kpis[r], records.boarded[r])
    if not fits(counted, totals.actual):
        return FEW_BEDS
    if model.with_demand:
        count_census(window, run.demand_stays, counted_demand)
        if not fits(counted_demand, totals.demand):
            return FEW_BEDS
        add_census(window, counted_demand, totals.demand, records.demand_peaks[r])
    add_census(window, counted, totals.actual, records.peaks[r])
    add_others(window, counted, totals.actual)
    return OK


@compiled
def _cut(stays: Stays, patients: int, n: int) -> Stays:
    """The first `n` stays of a buffer."""
    return Stays(
        stays.request[:n], stays.admit[:n], stays.ready[:n], stays.depart[:n], stays.used_ward[:n],
        stays.status[:patients],
    )  # fmt: skip


@entry
def run_block(model: Model, block: Block, buffers: Buffers, totals: Totals, records: Records) -> tuple[int, int]:
    """Run the replications of `block`, one per row of `records`, until all are done, it is told to stop, or a buffer is
    too small. Returns the number done, and the status."""
    for r in range(len(records.kpis)):
        if block.stop[0] != 0:
            return r, OK
        whole = buffers.drawn
        status, n, s = draw(
            model.sources, Replication(block.first + r, block.scale[r]), whole, buffers.arrivals, buffers.stay_scratch
        )
        if status != OK:
            return r, status
        drawn = Trajectories(
            whole.n_census, whole.seat, whole.admitted, whole.requested, whole.arrival[:n], whole.patient_type[:n],
            whole.stream[:n], whole.number[:n], whole.patience[:n], whole.offset[: n + 1], whole.planned_ward[:s],
            whole.priority[:s], whole.los[:s], whole.delay[:s],
        )  # fmt: skip
        run = Simulated(drawn, _cut(buffers.stays, n, s), _cut(buffers.demand_stays, n, s))
        simulate(model.rules, drawn, run.stays, buffers.events)
        if model.with_demand:
            simulate(model.demand_rules, drawn, run.demand_stays, buffers.events)
        status = _tally(model, run, buffers, totals, records, r)
        if status != OK:
            return r, status
    return len(records.kpis), OK


@entry
def draw_one(
    sources: Sources, replication: Replication, drawn: Trajectories, arrivals: ArrivalScratch, work: StayScratch
) -> tuple[int, int, int]:
    """Draw a replication into `drawn`; status, patients and stays."""
    return draw(sources, replication, drawn, arrivals, work)


@entry
def simulate_one(rules: Rules, drawn: Trajectories, stays: Stays, events: EventScratch) -> None:
    """Turn trajectories into `stays`."""
    simulate(rules, drawn, stays, events)


@entry
def tally_one(model: Model, run: Simulated, buffers: Buffers, totals: Totals, records: Records, r: int) -> int:
    """Count a replication that some engine has simulated, add it, and note it in row `r` of `records`."""
    return _tally(model, run, buffers, totals, records, r)


def make_drawn(sources: Sources, patients: int, stays: int) -> Trajectories:
    """A buffer for the trajectories of so many patients and stays; what the census fixes is filled in."""
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
    """Working memory for the arrivals of so many patients."""
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
    """Working memory for all of so many stays, which may be those of one batch, and for one stage more."""
    whole, part, word = (np.empty((n, stays + BATCH), dtype=kind) for n, kind in ((4, "u4"), (3, "f8"), (2, "u8")))
    return StayScratch(*whole, *part, *word, left=np.empty(wards + 1))


def make_stays(patients: int, stays: int) -> Stays:
    """A buffer for so many stays."""
    return Stays(
        request=np.empty(stays),
        admit=np.empty(stays),
        ready=np.empty(stays),
        depart=np.empty(stays),
        used_ward=np.empty(stays, dtype=np.int32),
        status=np.empty(patients, dtype=np.int8),
    )


def make_events(rules: Rules, priorities: int, patients: int) -> EventScratch:
    """Working memory for the events of so many patients."""
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


def make_buffers(model: Model, patients: int, stays: int) -> Buffers:
    """Buffers for replications of at most so many patients and stays."""
    sources, rules, window = model.sources, model.rules, model.window
    wards, types = len(rules.beds), len(sources.patience_table)
    return Buffers(
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
        sums=np.zeros((wards + 1, types + 1, SUMS)),
        wait=wait,
        wait_ward=np.empty(stays, dtype=np.uint32),
        wait_type=np.empty(stays, dtype=np.uint32),
        wait_bits=wait.view(np.uint64),
        wait_order=np.empty((2, stays), dtype=np.uint32),
        digit_place=np.empty(2**DIGIT_BITS + 1, dtype=np.uint32),
        wait_rank=np.empty((3, wards + 1, types + 1), dtype=np.int64),
    )


def make_records(wards: int, types: int, window: Window, replications: int) -> Records:
    """Empty records of so many replications."""
    days = (window.hours - window.warmup) // 24
    return Records(
        kpis=np.empty((replications, wards + 1, types + 1, len(KPIS))),
        boarded=np.empty((replications, wards, wards)),
        peaks=np.zeros((replications, wards + 1, days), dtype=np.int32),
        demand_peaks=np.zeros((replications, wards + 1, days), dtype=np.int32),
    )


def make_tallies(widths: Integers, window: Window) -> Tallies:
    """Empty tallies for fewer than `widths` i8[W + 1] patients in each ward and in the hospital."""
    hours, wards = window.hours - window.warmup, len(widths)
    start = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
    return Tallies(
        start=start,
        census=np.zeros(start[-1] * hours, dtype=np.uint32),
        peaks=np.zeros(start[-1] * (hours // 24), dtype=np.uint32),
        others=np.zeros((3, wards, hours), dtype=np.int64),
        other_squares=np.zeros((3, wards, hours), dtype=np.int64),
        queued=np.zeros((wards, hours), dtype=np.int64),
        week=np.zeros((2, wards, HOURS_PER_WEEK), dtype=np.int64),
        week_squares=np.zeros((2, wards, HOURS_PER_WEEK), dtype=np.int64),
    )


def widened(tallies: Tallies, widths: Integers, window: Window) -> Tallies:
    """The same tallies for fewer than `widths` patients; nothing counted is lost."""
    wider = make_tallies(widths, window)
    for old, new in ((tallies.census, wider.census), (tallies.peaks, wider.peaks)):
        times = len(new) // wider.start[-1]
        for first, last, to_first in zip(tallies.start, tallies.start[1:], wider.start[:-1], strict=False):
            new[to_first * times : (to_first + last - first) * times] = old[first * times : last * times]
    return tallies._replace(start=wider.start, census=wider.census, peaks=wider.peaks)
