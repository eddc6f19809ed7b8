"""Many replications of plans, on any number of threads: counts of all of them, and what is kept of each."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from os import cpu_count
from typing import TYPE_CHECKING

import numpy as np

from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.simulation.counting import (
    BlockMoments,
    CensusCounts,
    Counts,
    Flows,
    Histograms,
    Moments,
    Ratios,
    Sums,
    journey_groups,
)
from kaizar_pipeline.simulation.plan import MAX_REPLICATIONS, Plan
from kaizar_pipeline.simulation.trajectories import BOARDING, CENSUS, FULL, OUTLIERS, WAITING
from kaizar_pipeline.simulation.waits import BINS, Part, Waits
from kaizar_pipeline.stats.quantiles import inverted_cdf
from kaizar_pipeline.tables.kpis import KPI_INDEX, OVER_WAITS, WAIT_PERCENTILES

if TYPE_CHECKING:
    from kaizar_pipeline.config.simulation_settings import Engine
    from kaizar_pipeline.simulation.kernel.block import Totals
    from kaizar_pipeline.simulation.kernel.count import Records, Tallies
    from kaizar_pipeline.simulation.kernel.flows import FlowTallies
    from kaizar_pipeline.simulation.workers import Worker

    Block = list[tuple[Records, list[np.ndarray], Part]]

BLOCK = 20
"""Replications that a worker simulates in one call, whatever the number of workers: enough to be worth a task, few
enough to show progress. KPIs are joined block by block, so their last bits depend on it."""

GROUPS = 20
"""Groups of replications for statistics that are not means over replications; fewer when there are fewer."""

Progress = Callable[[int, int], None]
"""Called with the number done and the number in all."""


def group_ends(replications: int, groups: int = GROUPS) -> list[int]:
    """Where each group of consecutive replications ends."""
    return np.linspace(0, replications, min(groups, replications) + 1).astype(int)[1:].tolist()


def block_group_ends(replications: int) -> list[int]:
    """The same for groups of whole blocks, which may be fewer, and the last one smaller."""
    size = BLOCK * -(-replications // (BLOCK * GROUPS))
    return [*range(size, replications, size), replications]


@dataclass(frozen=True)
class Run:
    """What is kept of each of R replications of a plan."""

    plan: Plan
    kpis: np.ndarray
    """f8[R, A, len(KPIS)], over all patient types."""
    peaks: np.ndarray
    """i4[R, A, D]: highest hourly census of each day."""
    census_hours: list[tuple[int, list[np.ndarray]]]
    """By number of the last replication + 1: of these replications, by ward and number of patients, the hours with so
    many, i8."""
    waits: Waits

    def kpi(self, name: str, ward: int = -1) -> np.ndarray:
        """A KPI of a ward, by default of the whole hospital: values whose mean is the KPI, and whose spread gives its
        standard error, NaN where there was nothing to measure.

        Of a mean over replications these are its values, f8[R]. Of a mean over waits they are what its linear
        approximation makes of each replication, f8[R], and of a percentile what the jackknife makes of each group of
        replications, f8[groups].
        """
        if name in WAIT_PERCENTILES:
            return self._percentiles(name)[:, ward]
        values = self.kpis[:, ward, KPI_INDEX[name]]
        if name not in OVER_WAITS:
            return values
        waits = self._of_replications("requests", ward) - self._of_replications("turned_away", ward)
        if not waits.any():
            return np.full(len(values), np.nan)
        ratio = values.sum() / waits.sum()
        return ratio + (values - ratio * waits) / waits.mean()

    def waiting_hours(self) -> np.ndarray:
        """f8[R]: the hours that all patients wait for beds in all wards."""
        return self.kpis[:, :-1, KPI_INDEX["wait_mean_hours"]].sum(axis=1)

    def _of_replications(self, name: str, ward: int) -> np.ndarray:
        return self.kpis[:, ward, KPI_INDEX[name]]

    def _percentiles(self, name: str) -> np.ndarray:
        """f8[groups, A]"""
        if name not in self._known:
            self._known[name] = self.waits.by_group(WAIT_PERCENTILES[name])
        return self._known[name]

    @cached_property
    def _known(self) -> dict[str, np.ndarray]:
        return {}

    def hours_with(self, ward: int) -> np.ndarray:
        """i8[patients]: the hours of all replications with so many patients in a ward; of a run with groups."""
        return _added(*(hours[ward] for _, hours in self.census_hours))

    def p95_census(self) -> np.ndarray:
        """f8[groups, A]: the census not exceeded in 95 % of the hours and replications of each group; of a run with
        groups."""
        found = []
        for first, last in pairwise([0, *group_ends(len(self.kpis))]):
            parts = [hours for end, hours in self.census_hours if first < end <= last]
            found.append([inverted_cdf(np.cumsum(_added(*ward)), 0.95) for ward in zip(*parts, strict=True)])
        return np.array(found, dtype=np.float64)


def _added(*counts: np.ndarray) -> np.ndarray:
    """The sum of counts of different lengths."""
    total = np.zeros(max(map(len, counts)), dtype=np.int64)
    for part in counts:
        total[: len(part)] += part
    return total


class MonteCarlo:
    """Replications 0, 1, 2, ... of a plan, as many as are asked for, on `workers` threads (default: one per core).

    `engine` is "compiled" or "simpy", which is some hundred times slower and gives the same result. Without
    `with_demand` there is no demand run, and flows are not counted, which saves a third of the time. Ctrl-C ends it
    after the replications under way. Groups of replications can end at `cuts`, and at multiples of BLOCK.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        engine: "Engine" = "compiled",
        workers: int | None = None,
        with_demand: bool = True,
        cuts: Iterable[int] = (),
    ):
        self.plan, self.with_demand, self.cuts = plan, with_demand, frozenset(cuts)
        self.replications = self._begun = 0
        self.interrupted = False
        self._engine: Engine = engine
        self._threads = threads(engine, workers)
        self._workers: list[Worker] = []
        self._idle: deque[Worker] = deque()
        self._retired: list[Totals] = []
        self._kpi, self._boarded, self._to_bed = (BlockMoments(BLOCK, Moments.of) for _ in range(3))
        self._over_waits, self._journeys = (BlockMoments(BLOCK, Ratios.of) for _ in range(2))
        self._waits: list[Part] = []
        self._kept: dict[str, list[np.ndarray]] = {"kpis": [], "peaks": [], "demand_peaks": []}
        self._census_hours: list[tuple[int, list[np.ndarray]]] = []

    def extend(self, replications: int, progress: Progress | None = None) -> None:
        """Continue until there are so many replications. Raises SimulationError once it was interrupted or failed."""
        for _ in extend_all([(self, replications)], self._threads, progress):
            pass

    def has_groups(self, ends: Iterable[int]) -> bool:
        """Whether groups of replications can end there."""
        return all(end % BLOCK == 0 or end in self.cuts for end in ends)

    @property
    def actual(self) -> Counts:
        """With the beds and rules of the plan."""
        total, n = self._total("actual"), self.replications
        waiting, boarding, outliers = (
            Sums(total.others[kind], total.other_squares[kind], n) for kind in (WAITING, BOARDING, OUTLIERS)
        )
        week_census, week_full = (Sums(total.week[kind], total.week_squares[kind], n) for kind in (CENSUS, FULL))
        census, peaks = Histograms(total.start, total.census), Histograms(total.start, total.peaks)
        level_days, full_hours = (Sums(of[:, 0], of[:, 1], n) for of in (total.level_days, total.full_hours))
        waits = Waits(total.waits.reshape(self._shape), n, self._waits, block_group_ends(self._waits[-1].end))
        journeys = self._by_journey(total.journeys.reshape(2, len(self.plan.streams), BINS), axis=1)
        return Counts(
            n, census, peaks, waiting, boarding, outliers, total.queued, week_census, week_full, total.reached,
            total.reached_spans, level_days, full_hours, self._kpi.moments(), self._boarded.moments(),
            self._over_waits.moments(), waits, self._journeys.moments(), journeys, self._flows,
        )  # fmt: skip

    @property
    def _flows(self) -> Flows:
        total, n = self._total_flows(), self.replications
        free = Sums(total.free, total.free_squares, n)
        return Flows(Histograms(total.start, total.counts), free, total.short, self._to_bed.moments())

    def _by_journey(self, by_stream: np.ndarray, axis: int) -> np.ndarray:
        """From streams on an axis to the groups of patients whose journeys are compared."""
        groups = journey_groups(self.plan)
        return np.stack([by_stream.take(group.streams, axis).sum(axis=axis) for group in groups], axis=axis)

    @property
    def _shape(self) -> tuple[int, int, int]:
        """Of the counts of waits."""
        return len(self.plan.ward_axis), len(self.plan.patient_type_ids), BINS

    @property
    def demand(self) -> CensusCounts:
        """The same patients with unlimited beds and no overflow, admission stop or queue limit."""
        total = self._total("demand")
        return CensusCounts(
            self.replications, Histograms(total.start, total.census), Histograms(total.start, total.peaks)
        )

    def kept(self, replications: int) -> Run:
        """What is kept of the first replications, at most MAX_REPLICATIONS."""
        kpis, peaks = (self._of_each(name)[:replications] for name in ("kpis", "peaks"))
        hours = [(end, hours) for end, hours in self._census_hours if end <= replications]
        parts = [part for part in self._waits if part.end <= replications]
        waits = Waits.of_parts(parts, self._shape, block_group_ends(parts[-1].end))
        return Run(self.plan, kpis, peaks, hours, waits)

    def demand_peaks(self, replications: int) -> np.ndarray:
        """i4[R, A, D]: highest hourly census of each day in the demand run, likewise."""
        return self._of_each("demand_peaks")[:replications]

    @property
    def nbytes(self) -> int:
        """Memory of the results."""
        tallies = sum(part.nbytes for totals in self._retired for one in totals for part in one)
        parts = [*self._waits, *(part for parts in self._kept.values() for part in parts)]
        return tallies + sum(part.nbytes for part in parts)

    def retire(self) -> None:
        """Give back the buffers of the workers."""
        if self._workers:
            from kaizar_pipeline.simulation.kernel.block import Totals

            self._retired = [Totals(self._total("actual"), self._total("demand"), self._total_flows())]
            self._workers, self._idle = [], deque()

    def submit(self, pool: ThreadPoolExecutor, replications: int, stop: np.ndarray) -> "list[Future[Block]]":
        """Hand the blocks that are missing to `pool`; for `extend_all`."""
        if self.interrupted:
            raise SimulationError("the simulation was interrupted, so that its counts are incomplete; start another")
        if self._begun >= replications:
            return []
        if not self._workers:
            self._idle.append(self._new_worker())
            self._idle[0].prepare()
        first, self._begun = self._begun, replications
        bounds = [first, *range(first // BLOCK * BLOCK + BLOCK, replications, BLOCK), replications]
        return [pool.submit(self._simulate, begin, end, stop) for begin, end in pairwise(bounds)]

    def _new_worker(self) -> "Worker":
        from kaizar_pipeline.simulation.workers import Worker

        self._workers.append(Worker(self.plan, self._engine, self.with_demand))
        return self._workers[-1]

    def _simulate(self, first: int, last: int, stop: np.ndarray) -> "Block":
        """A block, in as many parts as it is cut into: the records of each, the hours by ward and census, and the
        waits."""
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = self._new_worker()
        parts, before, waits_before = [], worker.census_hours(), worker.waits()
        for begin, end in pairwise([first, *sorted(cut for cut in self.cuts if first < cut < last), last]):
            records, after, waits = worker.run(begin, end - begin, stop), worker.census_hours(), worker.waits()
            hours = [_added(now, -then) for now, then in zip(after, before, strict=True)]
            parts.append((records, hours, Part.of(end, waits - waits_before)))
            before, waits_before = after, waits
        self._idle.append(worker)
        return parts

    def join(self, block: "Future[Block]") -> None:
        """Add a block that `submit` has begun, in their order."""
        for records, hours, waits in block.result():
            self.replications += len(records.kpis)
            self._kpi.add(records.kpis)
            self._boarded.add(records.boarded)
            self._to_bed.add(records.to_bed)
            self._over_waits.add(_with_number_of_waits(records.kpis))
            self._journeys.add(self._by_journey(records.journeys, axis=1))
            if self.replications <= MAX_REPLICATIONS:
                self._census_hours.append((self.replications, hours))
                self._waits.append(waits)
                self._kept["kpis"].append(records.kpis[:, :, -1].copy())
                self._kept["peaks"].append(records.peaks)
                if self.with_demand:
                    self._kept["demand_peaks"].append(records.demand_peaks)

    def _of_each(self, name: str) -> np.ndarray:
        self._kept[name] = [np.concatenate(self._kept[name])]
        return self._kept[name][0]

    def _total(self, kind: str) -> "Tallies":
        from kaizar_pipeline.simulation.workers import merged, window_of

        parts: list[Tallies] = [getattr(part, kind) for part in (*self._retired, *self._workers)]
        return merged(parts, window_of(self.plan))

    def _total_flows(self) -> "FlowTallies":
        from kaizar_pipeline.simulation.workers import flow_window_of, merged_flows, window_of

        parts = [part.flows for part in (*self._retired, *self._workers)]
        return merged_flows(parts, window_of(self.plan), flow_window_of(self.plan))


def _with_number_of_waits(kpis: np.ndarray) -> np.ndarray:
    """f8[n, A, T + 1, OVER_WAITS + 1]: of each replication, the sums over waits, and how many these are."""
    columns = [kpis[..., KPI_INDEX[name]] for name in OVER_WAITS]
    return np.stack([*columns, kpis[..., KPI_INDEX["requests"]] - kpis[..., KPI_INDEX["turned_away"]]], axis=-1)


def threads(engine: "Engine", workers: int | None) -> int:
    """Threads that are of use: the reference engine is Python, which runs on one."""
    return 1 if engine == "simpy" else workers or cpu_count() or 1


def extend_all(
    asked: Iterable[tuple[MonteCarlo, int]], threads: int, progress: Progress | None = None
) -> Iterator[MonteCarlo]:
    """Extend each to so many replications, over one pool of threads, and yield it when it is done, in their order.

    A few are under way at a time, and the next ones are taken from `asked` only then. `progress` is called with
    the replications of the one at hand.
    """
    asked, stop = iter(asked), np.zeros(1, dtype=np.int64)
    under_way: deque[tuple[MonteCarlo, int, list[Future[Block]]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            while True:
                for run, replications in islice(asked, threads + 1 - len(under_way)):
                    under_way.append((run, replications, run.submit(pool, replications, stop)))
                if not under_way:
                    return
                run, replications, blocks = under_way[0]
                for block in blocks:
                    run.join(block)
                    if progress:
                        progress(run.replications, replications)
                under_way.popleft()
                yield run
        except BaseException:
            stop[0] = 1
            pool.shutdown(wait=False, cancel_futures=True)
            for run, *_ in under_way:
                run.interrupted = True
            raise
