"""Many replications, on any number of workers, to distributions of occupancy."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from os import cpu_count
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig, Replications, Simulation
from kaizar_pipeline.config.scenario import BASELINE
from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.simulation.counting import Counts, Histograms, Moments, mean_and_sd, replications_with
from kaizar_pipeline.simulation.load import check_load
from kaizar_pipeline.simulation.plan import UNLIMITED, Horizon, Plan, make_plan
from kaizar_pipeline.simulation.precision import (
    Achieved,
    is_reached,
    looks,
    mean_half_width,
    share_half_width,
    simulation_precision,
    widest,
)
from kaizar_pipeline.simulation.summary import (
    boarding_causes,
    daily_peaks,
    midnight_census,
    occupancy_distributions,
    ward_performance,
    week_profile,
)
from kaizar_pipeline.simulation.warmup import ShortWarmup, diagnose
from kaizar_pipeline.stats.philox import hospital_key
from kaizar_pipeline.tables.kpis import KPI_INDEX

if TYPE_CHECKING:
    from kaizar_pipeline.simulation.kernel.count import Records, Tallies
    from kaizar_pipeline.simulation.workers import Engine

_LOG = logging.getLogger(__name__)

BLOCK = 20
"""Replications a worker does in one go, whatever the number of workers: long enough to be worth handing out, short
enough to show progress. KPIs are joined block by block, so their last bits depend on it."""

Progress = Callable[[int, int], None]
"""Called with the replications done and all there are."""


@dataclass(frozen=True)
class Occupancy:
    """The tables of a simulation, and what the user should know before trusting them."""

    occupancy_distributions: pd.DataFrame
    midnight_census: pd.DataFrame
    week_profile: pd.DataFrame
    daily_peaks: pd.DataFrame
    ward_performance: pd.DataFrame
    simulation_precision: pd.DataFrame
    boarding_causes: pd.DataFrame
    warnings: tuple[str, ...]
    """In words: wards asked for more beds than they have, a warm-up that is too short."""

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "warnings"}


def simulate_occupancy(
    config: HospitalConfig,
    arrival_rates: pd.DataFrame,
    length_of_stay: pd.DataFrame | None,
    census: pd.DataFrame | None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Occupancy:
    """Simulate `config` over the days of `arrival_rates`, from their `as_of` on.

    `length_of_stay` is needed for wards whose los_model is from_data. `census` are the patients in the house
    (`starting_census`), used with `start: census`. `workers` are threads, by default one per core; their number does
    not change the result. Raises SimulationError where more beds are asked for than there are, unless the config
    allows it.
    """
    simulation = config.simulation
    plan = plan_ahead(config, arrival_rates, length_of_stay, census)
    as_of = plan.statistics_start
    overloaded = check_load(plan, allow=simulation.overload == "allow")
    monte_carlo = MonteCarlo(plan, engine=simulation.engine, workers=workers)
    precision = _extend_as_asked(monte_carlo, simulation, progress)
    actual, demand = monte_carlo.actual, monte_carlo.demand
    warmup = _short_warmups(plan, actual) if simulation.start == "empty" else []
    warnings = tuple(str(warning) for warning in (*overloaded, *warmup))
    for warning in warnings:
        _LOG.warning("%s: %s", config.id, warning)
    constants = {"hospital_id": config.id, "as_of": as_of, "scenario": BASELINE}
    return Occupancy(
        occupancy_distributions=occupancy_distributions(plan, actual, simulation.high_occupancy, **constants),
        midnight_census=midnight_census(plan, actual, **constants),
        week_profile=week_profile(plan, actual, **constants),
        daily_peaks=daily_peaks(plan, {"actual": actual, "demand": demand}, **constants),
        ward_performance=ward_performance(plan, actual, **constants),
        simulation_precision=simulation_precision(precision, **constants),
        boarding_causes=boarding_causes(plan, actual, **constants),
        warnings=warnings,
    )


def plan_ahead(
    config: HospitalConfig,
    arrival_rates: pd.DataFrame,
    length_of_stay: pd.DataFrame | None,
    census: pd.DataFrame | None,
) -> Plan:
    """The plan for the days of `arrival_rates`, from their `as_of` on; arguments as of `simulate_occupancy`."""
    simulation = config.simulation
    return make_plan(
        config,
        rate_paths(arrival_rates),
        Horizon(pd.Timestamp(arrival_rates["as_of"].iloc[0]), arrival_rates["date"].nunique(), simulation.warmup),
        key=hospital_key(config.id, simulation.seed),
        length_of_stay=length_of_stay,
        census=census if simulation.start == "census" else None,
    )


def _short_warmups(plan: Plan, counts: Counts) -> list[ShortWarmup]:
    census = np.array([mean_and_sd(counts.census.of(w))[0] for w in range(len(plan.ward_ids))])
    return diagnose(census, plan.warmup_hours, plan.ward_ids, replications=counts.replications)


def _extend_as_asked(monte_carlo: "MonteCarlo", simulation: Simulation, progress: Progress | None) -> list[Achieved]:
    """Run the replications that `simulation` asks for, until its precision is reached if it names one; what was
    achieved."""
    wanted = simulation.replications
    at_most = simulation.max_replications
    targets = wanted.precision.targets if isinstance(wanted, Replications) else {}
    schedule = looks(at_most) if targets else [at_most]
    achieved: list[Achieved] = []
    for look in schedule:
        monte_carlo.extend(look, progress and (lambda done, _: progress(done, at_most)))
        achieved = achieved_precision(monte_carlo.plan, monte_carlo.actual, len(schedule), targets)
        if is_reached(achieved):
            break
    return achieved


def achieved_precision(plan: Plan, counts: Counts, planned_looks: int, targets: Mapping[str, float]) -> list[Achieved]:
    """How precisely the mean census, the probability of a full ward and the mean wait are known, each where it is
    known worst."""
    assert counts.kpi is not None
    n = counts.replications
    histograms = [counts.census.of(w) for w in range(len(plan.ward_ids))]
    census_error = np.array([mean_and_sd(histogram)[1] for histogram in histograms]) / np.sqrt(n)
    full = np.array([replications_with(h, staffed) for h, staffed in zip(histograms, plan.staffed, strict=True)])
    wait = KPI_INDEX["wait_mean_hours"]
    half_widths = {
        "mean_census": mean_half_width(census_error, n, planned_looks),
        "prob_full": share_half_width(np.where(plan.staffed < UNLIMITED, full, np.nan), n, planned_looks),
        "wait_mean_hours": mean_half_width(
            counts.kpi.standard_error[:-1, -1, wait], counts.kpi.n[:-1, -1, wait], planned_looks
        ),
    }
    return [
        widest(name, widths, plan.ward_ids, replications=n, planned_looks=planned_looks, target=targets.get(name))
        for name, widths in half_widths.items()
    ]


def rate_paths(arrival_rates: pd.DataFrame) -> dict[str, np.ndarray]:
    """f8[paths, days] by stream id."""
    return {
        str(stream): rows.pivot(index="path", columns="date", values="rate").sort_index(axis=1).to_numpy()
        for stream, rows in arrival_rates.groupby("stream_id")
    }


def run(
    plan: Plan,
    replications: int,
    *,
    engine: "Engine" = "compiled",
    workers: int | None = None,
    progress: Progress | None = None,
    keep_replications: bool = False,
) -> tuple[Counts, Counts]:
    """The counts of the actual run and of the demand run, for the same trajectories; see `MonteCarlo`."""
    monte_carlo = MonteCarlo(plan, engine=engine, workers=workers, keep_replications=keep_replications)
    monte_carlo.extend(replications, progress)
    return monte_carlo.actual, monte_carlo.demand


class MonteCarlo:
    """Replications 0, 1, 2, ... of a plan, as many as are asked for, on `workers` threads (default: one per core).

    `engine` is "compiled" or "simpy", which is some hundred times slower and gives the same result. With
    `keep_replications` the KPIs and daily peaks of each replication are kept; without `with_demand` there is no demand
    run, which saves a third of the time. Ctrl-C ends it after the replications under way.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        engine: "Engine" = "compiled",
        workers: int | None = None,
        keep_replications: bool = False,
        with_demand: bool = True,
    ):
        from kaizar_pipeline.simulation.workers import Worker

        self.plan = plan
        n = 1 if engine == "simpy" else workers or cpu_count() or 1
        self._workers = [Worker(plan, engine, with_demand) for _ in range(n)]
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._workers[0].prepare()
        self._stop = np.zeros(1, dtype=np.int64)
        self._kept: list[Records] | None = [] if keep_replications else None
        self._kpis: Moments | None = None
        self._boarded: Moments | None = None
        self.replications = 0

    def extend(self, replications: int, progress: Progress | None = None) -> None:
        """Go on until there are so many replications. Raises SimulationError once it was interrupted or has failed."""
        if self._stop[0]:
            raise SimulationError("the simulation was interrupted, so that its counts are not whole; start another")
        blocks = [(first, min(BLOCK, replications - first)) for first in range(self.replications, replications, BLOCK)]
        with ThreadPoolExecutor(len(self._workers)) as pool:
            try:
                for records in pool.map(self._run, *zip(*blocks, strict=True)) if blocks else ():
                    self._join(records)
                    if progress:
                        progress(self.replications, replications)
            except BaseException:
                self._stop[0] = 1
                raise

    def _run(self, first: int, replications: int) -> "Records":
        worker = self._idle.get()
        try:
            return worker.run(first, replications, self._stop)
        finally:
            self._idle.put(worker)

    def _join(self, records: "Records") -> None:
        self.replications += len(records.kpis)
        kpis, boarded = Moments.of(records.kpis), Moments.of(records.boarded)
        self._kpis = kpis if self._kpis is None else self._kpis.join(kpis)
        self._boarded = boarded if self._boarded is None else self._boarded.join(boarded)
        if self._kept is not None:
            self._kept.append(records._replace(boarded=np.empty(0)))  # large, and looked at in the mean only

    def _of_each(self, name: str) -> np.ndarray | None:
        return np.concatenate([getattr(records, name) for records in self._kept]) if self._kept else None

    @property
    def actual(self) -> Counts:
        """With the beds and rules there are."""
        counts = self._counts([worker.actual for worker in self._workers])
        return replace(
            counts,
            kpi=self._kpis,
            kpis=self._of_each("kpis"),
            boarded=self._boarded,
            replication_peaks=self._of_each("peaks"),
        )

    @property
    def demand(self) -> Counts:
        """The same patients with unlimited beds, no overflow and no admission stop."""
        counts = self._counts([worker.demand for worker in self._workers])
        return replace(counts, replication_peaks=self._of_each("demand_peaks"))

    def _counts(self, tallies: "list[Tallies]") -> Counts:
        from kaizar_pipeline.simulation.workers import merged

        total = merged(tallies, self._workers[0].window)
        return Counts(
            replications=self.replications,
            census=Histograms(total.start, total.census),
            peaks=Histograms(total.start, total.peaks),
            others=total.others,
            other_squares=total.other_squares,
            queued=total.queued,
            week=total.week,
            week_squares=total.week_squares,
            kpi=None,
        )
