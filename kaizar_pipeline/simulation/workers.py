"""Blocks of replications on one worker: the kernel, or the reference engine between the kernel's drawing and counting.

A worker keeps its buffers and its tallies from block to block, and enlarges both when a replication needs it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.simulation_settings import Engine
from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.simulation.counting import staffed_with_totals
from kaizar_pipeline.simulation.flow_windows import FLOW, windows_of
from kaizar_pipeline.simulation.kernel import block as kernel
from kaizar_pipeline.simulation.kernel.compiling import announced
from kaizar_pipeline.simulation.kernel.count import Records, Tallies, Window
from kaizar_pipeline.simulation.kernel.draw import ENDLESS_ROUTE, FEW_BEDS, FEW_PATIENTS, FEW_STAYS, OK
from kaizar_pipeline.simulation.kernel.flows import FlowTallies, FlowWindow
from kaizar_pipeline.simulation.kernel.inputs import rules_of, sources_of
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan
from kaizar_pipeline.simulation.sampling import buffer_sizes, day_speeds, draw, endless_route, los_scales, route_shares
from kaizar_pipeline.simulation.simpy_engine import simulate
from kaizar_pipeline.simulation.thresholds import lowest_of_dates, profile_hours, thresholds
from kaizar_pipeline.simulation.waits import ENDS, FIRST_OF_HOUR

HEADROOM = 1.25
"""Histograms are made so much wider than was needed."""


def window_of(plan: Plan) -> Window:
    """What counts of a plan's simulations, and against which beds."""
    staffed = staffed_with_totals(plan)
    limits = thresholds(staffed, plan.ladders).astype(np.int32)
    return Window(
        plan.hours,
        plan.warmup_hours,
        int(plan.statistics_start.day_of_week) * HOURS_PER_DAY + plan.statistics_start.hour,
        staffed.astype(np.int32),
        np.where((staffed == UNLIMITED).any(axis=1), -1, staffed.sum(axis=1)),
        limits,
        lowest_of_dates(limits, plan.statistics_start.hour),
        profile_hours(plan),
        ENDS,
        FIRST_OF_HOUR,
        len(plan.patient_type_ids),
        len(plan.streams),
        plan.is_member,
    )


def flow_window_of(plan: Plan) -> FlowWindow:
    """Which flows of a plan's simulations count together."""
    windows = windows_of(plan)
    begin = np.unique(np.concatenate([windows.begins, windows.ends]))[:-1]  # the last is the end of the horizon
    of_stream = np.array([FLOW.planned if stream.is_planned else FLOW.emergency for stream in plan.streams])
    flow_of = {stream.number: flow for stream, flow in zip(plan.streams, of_stream.tolist(), strict=True)}
    of_census = [flow_of.get(int(stream), FLOW.emergency) for stream in plan.census.stream]
    return FlowWindow(
        np.maximum(np.searchsorted(begin, np.arange(plan.statistics_hours + 1)) - 1, 0).astype(np.uint32),
        begin,
        np.searchsorted(begin, windows.begins),
        np.searchsorted(begin, windows.ends),
        of_stream.astype(np.int64),
        np.where(plan.census.first_ward, of_census, FLOW.transfers_in).astype(np.int64),
    )


class Worker:
    """Runs blocks of replications of a plan, and of its demand run, one block at a time; flows are counted with a
    demand run."""

    def __init__(self, plan: Plan, engine: Engine = "compiled", with_demand: bool = True):
        self.plan, self.engine = plan, engine
        self._demand_plan = plan.demand()
        self.window = window_of(plan)
        rules = rules_of(plan), rules_of(self._demand_plan)
        self._model = kernel.Model(sources_of(plan), *rules, self.window, flow_window_of(plan), with_demand)
        self._patients, self._stays = buffer_sizes(plan)
        self._make_buffers()
        widths = np.full(len(plan.ward_axis), 8)
        self.actual, self.demand = (kernel.make_tallies(widths, self.window) for _ in range(2))
        self.flows = kernel.make_flow_tallies(np.full(len(widths) * len(FLOW), 4), self._model.flows)

    def prepare(self) -> None:
        """Compile what the engine needs, if that has not been done yet, before there are threads."""
        if self.engine == "compiled":
            with announced():
                self._run_compiled(self._block(0, 0, np.zeros(1, dtype=np.int64)), self._records(0))

    def run(self, first: int, replications: int, stop: np.ndarray) -> Records:
        """Add so many replications from `first` on to the tallies, and return the records of each; fewer when `stop` is
        set meanwhile."""
        records, block = self._records(replications), self._block(first, replications, stop)
        done = 0
        while done < replications and not stop[0]:
            step = self._run_compiled if self.engine == "compiled" else self._run_reference
            rest = block._replace(
                first=first + done, scale=block.scale[done:], speed=block.speed[done:], routes=_from(block.routes, done)
            )
            now, status = step(rest, _rows(records, slice(done, None)))
            done += now
            if status != OK:
                self._enlarge(status)
        return _rows(records, slice(done))

    def census_hours(self) -> list[np.ndarray]:
        """By ward and number of patients, the hours with so many in all replications so far, i8."""
        hours = self.plan.statistics_hours
        by_number = self.actual.census.reshape(-1, hours).sum(axis=1, dtype=np.int64)
        return np.split(by_number, self.actual.start[1:-1])

    def waits(self) -> np.ndarray:
        """i8[A * T * BINS]: the waits of all replications so far."""
        return self.actual.waits.copy()

    @property
    def _totals(self) -> kernel.Totals:
        return kernel.Totals(self.actual, self.demand, self.flows)

    def _records(self, replications: int) -> Records:
        return kernel.make_records(self.window, replications)

    def _block(self, first: int, replications: int, stop: np.ndarray) -> kernel.Block:
        scale, speed, shares = (of(self.plan, first, replications) for of in (los_scales, day_speeds, route_shares))
        return kernel.Block(first, scale, speed, shares, stop)

    def _run_compiled(self, block: kernel.Block, records: Records) -> tuple[int, int]:
        return cast(tuple[int, int], kernel.run_block(self._model, block, self._buffers, self._totals, records))

    def _run_reference(self, block: kernel.Block, records: Records) -> tuple[int, int]:
        for r in range(len(records.kpis)):
            if block.stop[0]:
                return r, OK
            drawn = draw(self.plan, block.first + r)
            if len(drawn.arrival) > self._patients:
                return r, FEW_PATIENTS
            if len(drawn.los) > self._stays:
                return r, FEW_STAYS
            stays = simulate(self.plan, drawn)
            demand_stays = simulate(self._demand_plan, drawn) if self._model.with_demand else stays
            run = kernel.Simulated(drawn, stays, demand_stays)
            with announced():
                status = kernel.tally_one(self._model, run, self._buffers, self._totals, records, r)
            if status != OK:
                return r, status
        return len(records.kpis), OK

    def _enlarge(self, status: int) -> None:
        """Enlarge what was too small."""
        if status == ENDLESS_ROUTE:
            raise endless_route(self.plan)
        if status == FEW_BEDS:
            self.actual = self._wider(self.actual, self._buffers.counted.highest)
            self.demand = self._wider(self.demand, self._buffers.counted_demand.highest)
            self._widen_flows()
            return
        if status == FEW_PATIENTS:
            self._patients *= 2
        self._stays *= 2
        self._make_buffers()

    def _make_buffers(self) -> None:
        try:
            self._buffers = kernel.make_buffers(self._model, self._patients, self._stays)
        except MemoryError:
            raise SimulationError(
                f"no memory for {self._patients:,} patients in one replication; simulate fewer days or fewer streams"
            ) from None

    def _wider(self, tallies: Tallies, highest: np.ndarray) -> Tallies:
        widths, needed = _widths_for(tallies.start, highest)
        with _memory_for_counts(self.window):
            return kernel.widened(tallies, needed, self.window) if (needed > widths).any() else tallies

    def _widen_flows(self) -> None:
        widths, needed = _widths_for(self.flows.start, self._buffers.counted_flows.highest)
        with _memory_for_counts(self.window):
            if (needed > widths).any():
                self.flows = kernel.widened_flows(self.flows, needed, self._model.flows)


def _widths_for(start: np.ndarray, highest: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The widths of histograms, and those that the highest values need."""
    widths = np.diff(start)
    return widths, np.where(highest >= widths, (highest * HEADROOM).astype(np.int64) + 8, widths)


def _from(routes: np.ndarray, replication: int) -> np.ndarray:
    """The routes of the replications from one on; those of all where they are the same."""
    return routes[replication:] if len(routes) > 1 else routes


def _rows(records: Records, rows: slice) -> Records:
    return Records._make(part[rows] for part in records)


@contextmanager
def _memory_for_counts(window: Window) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise SimulationError(
            f"no memory for the counts of {window.is_member.shape[1]} wards over {window.hours // HOURS_PER_DAY} days; "
            "simulate fewer days"
        ) from None


def merged(tallies: list[Tallies], window: Window) -> Tallies:
    """The tallies of several workers, added up."""
    widths = np.max([np.diff(part.start) for part in tallies], axis=0)
    with _memory_for_counts(window):
        total = kernel.make_tallies(widths, window)
        for part in tallies:
            _add_to(total, kernel.widened(part, widths, window))
    return total


def merged_flows(tallies: list[FlowTallies], window: Window, flows: FlowWindow) -> FlowTallies:
    """The same of flows."""
    widths = np.max([np.diff(part.start) for part in tallies], axis=0)
    with _memory_for_counts(window):
        total = kernel.make_flow_tallies(widths, flows)
        for part in tallies:
            _add_to(total, kernel.widened_flows(part, widths, flows))
    return total


def _add_to(total: Tallies | FlowTallies, more: Tallies | FlowTallies) -> None:
    """Add tallies of the same widths, all but where they begin."""
    for sums, part in zip(total[1:], more[1:], strict=True):
        sums += part
