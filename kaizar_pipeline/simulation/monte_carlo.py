"""Many replications, on any number of workers, to distributions of occupancy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from os import cpu_count
from typing import cast

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.simulation.counting import Counts, add, count
from kaizar_pipeline.simulation.philox import hospital_key
from kaizar_pipeline.simulation.plan import Plan, make_plan
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.simulation.simpy_engine import simulate
from kaizar_pipeline.simulation.summary import daily_peaks, occupancy_distributions, ward_performance

BASELINE = "baseline"
"""The scenario that is the config as it stands."""

BLOCK = 10
"""Replications a worker does in one go: long enough to be worth sending, short enough to show progress."""

Progress = Callable[[int, int], None]
"""Called with the replications done and all there are."""


@dataclass(frozen=True)
class Occupancy:
    """The three tables of a simulation."""

    occupancy_distributions: pd.DataFrame
    daily_peaks: pd.DataFrame
    ward_performance: pd.DataFrame


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
    (`census_at_as_of`), used with `start: census`. `workers` are processes, by default one per core; their number does
    not change the result.
    """
    as_of = pd.Timestamp(arrival_rates["as_of"].iloc[0])
    from_census = config.simulation.start == "census"
    plan = make_plan(
        config,
        rate_paths(arrival_rates),
        as_of,
        days=arrival_rates["date"].nunique(),
        key=hospital_key(config.id, config.simulation.seed),
        warmup_days=config.simulation.warmup,
        length_of_stay=length_of_stay,
        census=census if from_census else None,
    )
    actual, demand = run(plan, config.simulation.replications, workers=workers, progress=progress)
    constants = {"hospital_id": config.id, "as_of": as_of, "scenario": BASELINE}
    return Occupancy(
        occupancy_distributions=occupancy_distributions(plan, actual, **constants),
        daily_peaks=daily_peaks(plan, {"actual": actual, "demand": demand}, **constants),
        ward_performance=ward_performance(plan, actual, **constants),
    )


def rate_paths(arrival_rates: pd.DataFrame) -> dict[str, np.ndarray]:
    """f8[paths, days] by stream id."""
    return {
        str(stream): rows.pivot(index="path", columns="date", values="rate").sort_index(axis=1).to_numpy()
        for stream, rows in arrival_rates.groupby("stream_id")
    }


def run(
    plan: Plan, replications: int, *, workers: int | None = None, progress: Progress | None = None
) -> tuple[Counts, Counts]:
    """The counts of the actual run and of the demand run, for the same trajectories."""
    done = 0
    actual: list[Counts] = []
    demand: list[Counts] = []
    for part_of_actual, part_of_demand in _blocks(plan, replications, workers or cpu_count() or 1):
        actual = [add([*actual, part_of_actual])]
        demand = [add([*demand, part_of_demand])]
        done += part_of_actual.replications
        if progress:
            progress(done, replications)
    return actual[0], demand[0]


def _blocks(plan: Plan, replications: int, workers: int) -> Iterator[tuple[Counts, Counts]]:
    """The counts of each block, in order."""
    blocks = [range(first, min(first + BLOCK, replications)) for first in range(0, replications, BLOCK)]
    if workers == 1 or len(blocks) == 1:
        yield from (_run_block(plan, block) for block in blocks)
        return
    from joblib import Parallel, delayed

    # arrays travel in the message (max_nbytes): a killed run leaves no memory maps behind
    parallel = Parallel(n_jobs=min(workers, len(blocks)), return_as="generator", max_nbytes=None)
    results = parallel(delayed(_run_block)(plan, block) for block in blocks)
    yield from cast(Iterator[tuple[Counts, Counts]], results)


def _run_block(plan: Plan, block: range) -> tuple[Counts, Counts]:
    without_limits = plan.demand()
    pairs = []
    for replication in block:
        trajectories = draw(plan, replication)
        pairs.append(tuple(count(kind, trajectories, simulate(kind, trajectories)) for kind in (plan, without_limits)))
    actual, demand = (reduce(lambda total, part: add([total, part]), counts) for counts in zip(*pairs, strict=True))
    return actual, demand
