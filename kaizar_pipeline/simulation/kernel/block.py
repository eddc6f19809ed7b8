"""A block of replications in one call: draw, simulate with the beds there are and without limits, count, add.

`run_block` does it all; `draw_one`, `simulate_one` and `tally_one` are its parts, for the reference engine, the
synthetic history and the tests.
"""

from typing import Any, NamedTuple, TypeVar, get_args, get_type_hints

import numpy as np

from kaizar_pipeline.config.fields import HOURS_PER_DAY, HOURS_PER_WEEK
from kaizar_pipeline.simulation.flow_windows import FLOW
from kaizar_pipeline.simulation.kernel.arrays import Floats, Indices, Integers
from kaizar_pipeline.simulation.kernel.arrivals import BATCH, ArrivalScratch
from kaizar_pipeline.simulation.kernel.compiling import compiled, entry
from kaizar_pipeline.simulation.kernel.count import (
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
from kaizar_pipeline.simulation.kernel.flows import (
    FlowCounts,
    FlowTallies,
    FlowWindow,
    add_flows,
    count_flows,
)
from kaizar_pipeline.simulation.kernel.inputs import Rules, Sources
from kaizar_pipeline.simulation.trajectories import DAYS_PER_SPAN, Stays, Trajectories
from kaizar_pipeline.simulation.waits import BINS, JOURNEY
from kaizar_pipeline.tables.kpis import KPI_INDEX

Arrays = TypeVar("Arrays", bound=tuple[Any, ...])


class Model(NamedTuple):
    """What is simulated: the hospital, with the beds there are and, if `with_demand`, without limits. Flows are counted
    then too."""

    sources: Sources
    rules: Rules
    demand_rules: Rules
    window: Window
    flows: FlowWindow
    with_demand: bool


class Block(NamedTuple):
    """The replications of a call: `first` and those that follow, one per row of `scale`."""

    first: int
    scale: Floats
    """f8[replications, tables]: factors on the lengths of stay."""
    speed: Floats
    """f8[replications, W, days]: factors on the weights of clocks."""
    routes: Floats
    """f8[replications or 1, T, W, W]: cumulative probabilities of the next ward; 1 where all have the same."""
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
    counted_flows: FlowCounts


class Totals(NamedTuple):
    """The tallies of one worker."""

    actual: Tallies
    demand: Tallies
    flows: FlowTallies


class Simulated(NamedTuple):
    """One replication."""

    drawn: Trajectories
    stays: Stays
    demand_stays: Stays


@compiled
def _tally(model: Model, run: Simulated, buffers: Buffers, totals: Totals, records: Records, r: int) -> int:
    """Count a replication and add it, to all tallies or to none, and note it in row `r` of `records`; FEW_BEDS when a
    histogram is too narrow."""
    window, counted, counted_demand = model.window, buffers.counted, buffers.counted_demand
    counted_flows = buffers.counted_flows
    count_stays(window, run.drawn, run.stays, counted, records, r)
    if not fits(counted.highest, totals.actual.start):
        return FEW_BEDS
    if model.with_demand:
        count_census(window, run.demand_stays, counted_demand)
        count_flows(window, model.flows, run.drawn, run.stays, counted_flows, records.to_bed[r])
        enough = fits(counted_demand.highest, totals.demand.start)
        if not (enough and fits(counted_flows.highest, totals.flows.start)):
            return FEW_BEDS
        add_census(window, counted_demand, totals.demand, records.demand_peaks[r])
        add_flows(counted_flows, totals.flows)
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
        replication = Replication(
            block.first + r, block.scale[r], block.speed[r], block.routes[min(r, len(block.routes) - 1)]
        )
        status, n, s = draw(model.sources, replication, whole, buffers.arrivals, buffers.stay_scratch)
        if status != OK:
            return r, status
        drawn = Trajectories(
            whole.n_census, whole.seat, whole.admitted, whole.requested, whole.arrival[:n], whole.patient_type[:n],
            whole.stream[:n], whole.number[:n], whole.patience[:n], whole.offset[: n + 1], whole.planned_ward[:s],
            whole.priority[:s], whole.los[:s], whole.delay[:s], whole.clock[:s], whole.operational,
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
        len(census.seat), census.seat, census.admitted, census.requested,
        **_zeros(
            Trajectories, arrival=patients, patient_type=patients, stream=patients, number=patients, patience=patients,
            offset=patients + 1, planned_ward=stays, priority=stays, los=stays, delay=stays, clock=stays,
            operational=(len(sources.clock_ward), sources.clock_weights.shape[1] + 1),
        ),
    )  # fmt: skip


def _zeros(kind: type, **shapes: int | tuple[int, ...]) -> dict[str, Any]:
    """Arrays of zeros of these shapes by name, each of the type that its field of `kind` has."""
    types = get_type_hints(kind)
    return {name: np.zeros(shape, get_args(get_args(types[name])[1])[0]) for name, shape in shapes.items()}


def _make(kind: type[Arrays], **shapes: int | tuple[int, ...]) -> Arrays:
    """A record of such arrays."""
    return kind(**_zeros(kind, **shapes))


def make_arrivals(sources: Sources, patients: int) -> ArrivalScratch:
    """Working memory for the arrivals of so many patients."""
    return _make(
        ArrivalScratch, time=patients, stream=patients, number=patients, patience=patients, order=patients,
        before=patients + 2, upto=24 * sources.streams.hour_weights.shape[1] + 1, batch=BATCH, hour=BATCH,
        batch_patience=BATCH,
    )  # fmt: skip


def make_stay_scratch(wards: int, stays: int) -> StayScratch:
    """Working memory for all of so many stays, which may be those of one batch, and for one stage more."""
    whole, part, word = (np.empty((n, stays + BATCH), dtype=kind) for n, kind in ((4, "u4"), (3, "f8"), (2, "u8")))
    return StayScratch(*whole, *part, *word, left=np.empty(wards + 1))


def make_stays(patients: int, stays: int) -> Stays:
    """A buffer for so many stays."""
    return _make(Stays, request=stays, admit=stays, ready=stays, depart=stays, used_ward=stays, status=patients)


def make_events(rules: Rules, priorities: int, patients: int) -> EventScratch:
    """Working memory for the events of so many patients."""
    wards, timed = len(rules.beds), 2 * patients
    return _make(
        EventScratch, soon_time=timed, soon=timed, later=patients + 1, next_later=timed, due=timed, now=3,
        granted=patients, stay=patients, held=patients, ward=patients, waits=patients, behind=patients, ahead=patients,
        first=(wards, priorities), last=(wards, priorities), queue=wards, census=wards, beds=wards, overflow_at=wards,
        stop_at=len(rules.stop_ward), waiting_in=(wards, wards), blocked=wards, came_from=wards, to_visit=wards,
    )  # fmt: skip


def make_buffers(model: Model, patients: int, stays: int) -> Buffers:
    """Buffers for replications of at most so many patients and stays."""
    sources, rules, window = model.sources, model.rules, model.window
    wards = len(rules.beds)
    return Buffers(
        drawn=make_drawn(sources, patients, stays),
        stays=make_stays(patients, stays),
        demand_stays=make_stays(patients, stays),
        arrivals=make_arrivals(sources, patients),
        stay_scratch=make_stay_scratch(wards, stays),
        events=make_events(rules, int(sources.queue_rank.max()) + 1, patients),
        counted=_make_counted(window, patients, stays),
        counted_demand=_make_counted(window, 0, 0),
        counted_flows=make_flow_counts(len(window.staffed), model.flows),
    )


def make_flow_counts(rows: int, flows: FlowWindow) -> FlowCounts:
    """A buffer for the flows of so many rows of the ward axis."""
    segments, windows, kinds = len(flows.begin), len(flows.first), len(FLOW)
    return _make(
        FlowCounts, by_segment=(rows, kinds, segments), before=rows, census=segments + 1, values=(rows, kinds, windows),
        highest=rows * kinds, free=(rows, windows), is_short=(rows, windows), waited=(rows, 2),
    )  # fmt: skip


def _make_counted(window: Window, patients: int, stays: int) -> Counted:
    hours, rows = window.hours + 1, len(window.staffed)
    return _make(
        Counted, census=(rows, hours), highest=rows, others=(3, rows, hours), is_any=(3, rows),
        week=(2, rows, HOURS_PER_WEEK), full_hours=window.least.shape[::2], reached=window.least.shape,
        sums=(rows, window.types + 1, SUMS), wait_cell=stays + patients,
        journey_cell=2 * patients, cells=2,
    )  # fmt: skip


def _dates(window: Window) -> int:
    """Dates that count: the last one ends with the horizon."""
    return -(-(window.hours - window.warmup) // HOURS_PER_DAY)


def make_records(window: Window, replications: int) -> Records:
    """Empty records of so many replications."""
    rows, wards = len(window.staffed), window.is_member.shape[1]
    peaks = replications, rows, _dates(window)
    return _make(
        Records, kpis=(replications, rows, window.types + 1, len(KPI_INDEX)),
        journeys=(replications, window.streams, len(JOURNEY)), boarded=(replications, wards, wards), peaks=peaks,
        demand_peaks=peaks, to_bed=(replications, rows),
    )  # fmt: skip


def make_tallies(widths: Integers, window: Window) -> Tallies:
    """Empty tallies for fewer than `widths` i8[A] patients in each row of the ward axis."""
    hours, wards = window.hours - window.warmup, len(widths)
    start = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
    others, week, beds = (3, wards, hours), (2, wards, HOURS_PER_WEEK), int(start[-1])
    _, levels, days = window.least.shape
    spans = -(-days // DAYS_PER_SPAN) + 1
    return _make(
        Tallies, start=len(start), census=beds * hours, peaks=beds * _dates(window), others=others,
        other_squares=others, queued=(wards, hours), week=week, week_squares=week,
        reached=(wards, levels, days), reached_spans=(wards, levels, spans), level_days=(wards, 2, levels, spans),
        full_hours=(wards, 2, days + spans),
        waits=wards * window.types * BINS, journeys=2 * window.streams * BINS,
    )._replace(start=start)  # fmt: skip


def widened(tallies: Tallies, widths: Integers, window: Window) -> Tallies:
    """The same tallies for fewer than `widths` patients; nothing counted is lost."""
    wider = make_tallies(widths, window)
    for old, new in ((tallies.census, wider.census), (tallies.peaks, wider.peaks)):
        _copy(tallies.start, old, wider.start, new)
    return tallies._replace(start=wider.start, census=wider.census, peaks=wider.peaks)


def _copy(start: Integers, old: Indices, wider: Integers, new: Indices) -> None:
    """Copy histograms that begin at `start` to wider ones that begin at `wider`."""
    times = len(new) // wider[-1]
    for first, last, to_first in zip(start, start[1:], wider[:-1], strict=False):
        new[to_first * times : (to_first + last - first) * times] = old[first * times : last * times]


def make_flow_tallies(widths: Integers, flows: FlowWindow) -> FlowTallies:
    """Empty tallies for fewer than `widths` i8[A * FLOW] of each flow."""
    rows, windows = len(widths) // len(FLOW), len(flows.first)
    start = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
    each = (rows, windows)
    return _make(
        FlowTallies, start=len(start), counts=int(start[-1]) * windows, free=each, free_squares=each, short=each
    )._replace(start=start)


def widened_flows(tallies: FlowTallies, widths: Integers, flows: FlowWindow) -> FlowTallies:
    """The same tallies for fewer than `widths`; nothing counted is lost."""
    wider = make_flow_tallies(widths, flows)
    _copy(tallies.start, tallies.counts, wider.start, wider.counts)
    return tallies._replace(start=wider.start, counts=wider.counts)
