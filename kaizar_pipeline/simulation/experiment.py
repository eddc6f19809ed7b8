"""Simulations of one hospital and its variants, which remember what was simulated."""

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from kaizar_pipeline.simulation.counting import CensusCounts, Counts
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo, Progress, Run, extend_all, group_ends, threads
from kaizar_pipeline.simulation.plan import Plan
from kaizar_pipeline.simulation.starting_point import StartingPoint

if TYPE_CHECKING:
    from kaizar_pipeline.config.simulation_settings import Engine

MEMORY = 256 * 2**20
"""Bytes of results that are remembered beside those of the hospital as it is: the latest used."""


class Experiment:
    """Runs plans of one starting point, on `workers` threads (default: one per core).

    Results are remembered by the plan's content, so functions that are given the same experiment simulate nothing
    twice. Neither the number of workers nor what was simulated before changes a result.
    """

    def __init__(self, start: StartingPoint, workers: int | None = None):
        self.start = start
        self._engine: Engine = start.config.simulation.engine
        self._threads = threads(self._engine, workers)
        self._known: dict[bytes, MonteCarlo] = {}

    def run(self, plan: Plan, replications: int, *, grouped: bool = False) -> Run:
        """What is kept of each of so many replications of a plan; `grouped`: with the census by group."""
        [run] = self.run_all([plan], replications, grouped=grouped)
        return run

    def run_all(self, plans: Iterable[Plan], replications: int, *, grouped: bool = False) -> Iterator[Run]:
        """The same of many plans, which are taken one after the other and simulated side by side."""
        ends = frozenset(group_ends(replications) if grouped else ())
        asked = ((self._prepared(plan, ends), replications) for plan in plans)
        for monte_carlo in extend_all(asked, self._threads):
            self._remember(monte_carlo)
            yield monte_carlo.kept(replications)

    def count(self, plan: Plan, replications: int) -> Counts:
        """What so many replications of a plan add up to."""
        return self._extended(self._prepared(plan, at_most=replications), replications).actual

    def count_with_demand(
        self, plan: Plan, replications: int, progress: Progress | None = None
    ) -> tuple[Counts, CensusCounts]:
        """The same, and of its demand run; `progress` is called with the replications."""
        prepared = self._prepared(plan, with_demand=True, at_most=replications)
        monte_carlo = self._extended(prepared, replications, progress)
        return monte_carlo.actual, monte_carlo.demand

    def demand_peaks(self, plan: Plan, replications: int) -> np.ndarray:
        """i4[R, A, D]: highest hourly census of each day in the demand run, by replication."""
        return self._extended(self._prepared(plan, with_demand=True), replications).demand_peaks(replications)

    def _extended(self, monte_carlo: MonteCarlo, replications: int, progress: Progress | None = None) -> MonteCarlo:
        [monte_carlo] = extend_all([(monte_carlo, replications)], self._threads, progress)
        self._remember(monte_carlo)
        return monte_carlo

    def _prepared(
        self, plan: Plan, ends: frozenset[int] = frozenset(), with_demand: bool = False, at_most: int | None = None
    ) -> MonteCarlo:
        """What is known of a plan if it has a demand run, groups that end there and few enough replications, where
        that is asked; else nothing yet."""
        key = fingerprint(plan)
        with_demand |= key == self._own  # whichever step comes first, the baseline is simulated once
        known = self._known.pop(key, None)
        if (
            known is None
            or known.interrupted
            or not known.has_groups(ends)
            or (with_demand and not known.with_demand)
            or (at_most is not None and known.replications > at_most)
        ):
            known = MonteCarlo(plan, engine=self._engine, with_demand=with_demand, cuts=self._cuts | ends)
        self._known[key] = known
        return known

    def _remember(self, monte_carlo: MonteCarlo) -> None:
        """Keep the results without the buffers, and drop those longest not used where there are too many."""
        monte_carlo.retire()
        others = [(key, known.nbytes) for key, known in self._known.items() if key != self._own]
        excess = sum(size for _, size in others) - MEMORY
        for key, size in others:
            if excess <= 0:
                break
            excess -= size
            del self._known[key]

    @cached_property
    def _own(self) -> bytes:
        return fingerprint(self.start.plan)

    @cached_property
    def _cuts(self) -> frozenset[int]:
        """Where groups of replications end in a comparison of scenarios."""
        return frozenset(group_ends(self.start.compared_replications))


def fingerprint(plan: Plan) -> bytes:
    """A hash of a plan's content: equal for plans that simulate the same."""
    digest = blake2b(digest_size=16)
    _update(digest, plan)
    return digest.digest()


def _update(digest: Any, value: Any) -> None:
    if is_dataclass(value):
        value = tuple(getattr(value, field.name) for field in fields(value))
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype.str}{value.shape}".encode() + value.tobytes())
    elif isinstance(value, tuple):
        digest.update(f"{len(value)}:".encode())
        for part in value:
            _update(digest, part)
    else:
        digest.update(repr(sorted(value) if isinstance(value, frozenset) else value).encode() + b";")
