"""The parts that the chain is described with: a step, what it is given, what it makes, and the check of a table.

Everything is plain data and plain functions. `in_memory.py` folds the steps of `steps.py` in memory, orchestration
makes Dagster assets of them.
"""

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pandas as pd
from threadpoolctl import threadpool_limits

from kaizar_pipeline.chain.overrides import Overrides
from kaizar_pipeline.config.files import find_home
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.forecasting.reuse import inputs_hash
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
from kaizar_pipeline.tables import Table

Frames = Mapping[str, pd.DataFrame]
Figures = Mapping[str, float | int | str]
"""Figures and sentences by name, in the order in which people should read them."""

_LOG = logging.getLogger(__name__)

START = "start"
"""The parameter that takes all tables that simulations start from, as `StartingTables`."""

PREVIOUS, KEPT = "previous_", "kept_"
"""Begin the names of parameters that take a table of the step's own as the last run left it, None at the first run:
one that cannot be made again, or one whose rows only save work."""


@dataclass(frozen=True)
class Run:
    """What one run is about, for one hospital; every step is given it."""

    file_config: HospitalConfig
    """The hospital as its file says."""
    home: Path = field(default_factory=find_home)
    """The folder that paths of extracts are relative to."""
    overrides: Overrides = field(default_factory=Overrides)
    scenarios: Callable[[], Sequence[Scenario]] = tuple
    """Those to compare with the hospital as it is; called by the step that needs them."""
    fit_all: bool = True
    """False: of the lengths of stay only those are fitted that the twin draws from."""
    inform: Callable[[str], None] = _LOG.info
    """Is told the progress of long work."""
    warn: Callable[[str], None] = _LOG.warning
    """Is told what a reader of the results should know."""
    models: dict[str, pd.DataFrame] = field(default_factory=dict)
    """Arrival models by the digest of what they were trained on: the back-tests train on the same past days."""
    _experiments: list[tuple[StartingTables, Experiment]] = field(default_factory=list, init=False)

    @cached_property
    def config(self) -> HospitalConfig:
        """The hospital with the settings of this run."""
        return self.overrides.applied_to(self.file_config)

    def trained(self, train: Callable[[pd.DataFrame], pd.DataFrame], features: pd.DataFrame) -> pd.DataFrame:
        """The arrival_model that `train` makes of a feature_table, made once in a run."""
        digest = inputs_hash(features)
        if digest not in self.models:
            self.models[digest] = train(features)
        return self.models[digest]

    def experiment(self, tables: StartingTables) -> Experiment:
        """The simulations from these tables: one experiment for all steps of the run, so that none is repeated."""
        for known, experiment in self._experiments:
            if all(one is other for one, other in zip(known, tables, strict=True)):
                return experiment
        experiment = Experiment(StartingPoint(self.config, tables), self.overrides.workers)
        self._experiments[:] = [(tables, experiment)]
        return experiment

    def report(self, what: str) -> Callable[[int, int], None]:
        """Informs of each further tenth that is done of `what`."""
        reported = 0

        def progress(done: int, of: int) -> None:
            nonlocal reported
            if 10 * done // of > reported:
                reported = 10 * done // of
                self.inform(f"{done} of {of} {what} done")

        return progress


class Made(NamedTuple):
    """What a step made."""

    tables: Frames
    figures: Mapping[str, Figures] = MappingProxyType({})
    """By table: what to show of it at a glance."""
    facts: Mapping[str, Any] = MappingProxyType({})
    """What checks need to know beside the tables."""


@dataclass(frozen=True)
class Step:
    """One step of the chain: the tables that it needs and makes, and the function between them.

    The parameters of `function` are the needs: `run`, then names of tables, or `start` for all those that simulations
    start from; `previous_TABLE` and `kept_TABLE` are tables of the step's own as the last run left them.
    """

    function: Callable[..., Made]
    makes: tuple[Table, ...]
    group: str
    kind: str = "python"
    """What it is made with, as Dagster shows it."""
    reads: tuple[str, ...] = ()
    """Files that it reads: hospital_file, scenario_files, extract."""
    reruns: tuple[Callable[..., Made], ...] = ()
    """Functions of other steps that it carries out again, which its code version covers too."""
    overridable: bool = False
    """Whether the overridden seed, replications or engine change its tables."""

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    @cached_property
    def _parameters(self) -> list[str]:
        return list(inspect.signature(self.function).parameters)[1:]

    @property
    def needs(self) -> list[str]:
        """The tables of earlier steps that it needs."""
        return [*self._single, *(name for name in self._starting if name not in self._single)]

    @property
    def _single(self) -> list[str]:
        return [name for name in self._parameters if name != START and name not in self.continues]

    @property
    def _starting(self) -> tuple[str, ...]:
        return StartingTables._fields if START in self._parameters else ()

    @property
    def continues(self) -> list[str]:
        """The parameters that take its own tables as the last run left them."""
        return [name for name in self._parameters if name.startswith((PREVIOUS, KEPT))]

    @property
    def table_names(self) -> list[str]:
        """The tables that it makes."""
        return [table.name for table in self.makes]

    def __call__(self, run: Run, tables: Frames, previous: Mapping[str, pd.DataFrame | None] | None = None) -> Made:
        """Carry it out. Raises DataError when it makes other tables than it declares."""
        own = {name: (previous or {}).get(name) for name in self.continues}
        # the last bits of sums depend on the number of BLAS threads, which on small matrices only wait for each other
        with threadpool_limits(1, user_api="blas"):
            made = self.function(run, **self._given(tables), **own)
        if set(made.tables) != set(self.table_names):
            raise DataError(f"step {self.name} made {', '.join(made.tables)}, declared: {', '.join(self.table_names)}")
        return made

    def _given(self, tables: Frames) -> dict[str, Any]:
        """The function's arguments but `run` and its own tables."""
        given: dict[str, Any] = {name: tables[name] for name in self._single}
        if self._starting:
            given[START] = StartingTables.of(tables)
        return given


class Found(NamedTuple):
    """What a check found."""

    passed: bool
    figures: Figures = MappingProxyType({})
    nothing_to_check: bool = False
    """The check had nothing to look at: it is no evidence."""

    def __str__(self) -> str:
        """The figures in one line."""
        return ", ".join(f"{name} {' '.join(str(value).split())}" for name, value in self.figures.items())


NOTHING = Found(True, nothing_to_check=True)


@dataclass(frozen=True)
class Check:
    """What must hold of a table. The parameters of `function` are tables that its step needs or makes, `run`, or names
    of `Made.facts`."""

    function: Callable[..., Found]
    table: str
    blocking: bool
    """True: a failure keeps the step's tables from being stored; False: it is a warning."""

    @property
    def name(self) -> str:
        """The function's name."""
        return self.function.__name__

    @property
    def description(self) -> str:
        """What it looks for: the function's docstring."""
        return inspect.cleandoc(self.function.__doc__ or "")

    def __call__(self, run: Run, tables: Frames, facts: Mapping[str, Any]) -> Found:
        """Look at the tables. Raises DataError, naming the check, when it raises anything."""
        known = {"run": run, **facts, **tables}
        try:
            return self.function(**{name: known[name] for name in inspect.signature(self.function).parameters})
        except Exception as error:
            raise DataError(
                f"check {self.name} of {self.table} raised {type(error).__name__}: {error}; report a bug"
            ) from error
