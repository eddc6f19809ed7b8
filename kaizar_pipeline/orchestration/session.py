"""One run of one hospital over the stored tables: what it loads, makes and stores. Knows no Dagster.

Tables are read once per run, and steps share the run's experiment, so that nothing is read or simulated twice.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from kaizar_pipeline.chain.checks import checks_of
from kaizar_pipeline.chain.overrides import Overrides
from kaizar_pipeline.chain.step import KEPT, PREVIOUS, Check, Found, Frames, Made, Run, Step
from kaizar_pipeline.config.files import config_hash, hospital_file, load_scenarios, load_with_warnings
from kaizar_pipeline.config.snapshot import as_of_at, shown
from kaizar_pipeline.errors import DataError, KaizarError
from kaizar_pipeline.orchestration.input_files import file_versions
from kaizar_pipeline.orchestration.report_run import SHOWN, MadeBy, Report, make_report
from kaizar_pipeline.orchestration.storage import Lineage, Warehouse
from kaizar_pipeline.tables import CHECK_RESULTS

MADE = "made"
"""The check that a table could be made at all, of which only failures are kept."""


class Checked(NamedTuple):
    """What a check of a table found."""

    table: str
    name: str
    blocking: bool
    found: Found


@dataclass(frozen=True)
class Outcome:
    """What a step made in a run, and what its checks found, before any of it is stored."""

    step: Step
    made: Made
    checked: Sequence[Checked]

    @property
    def error(self) -> str:
        """Why nothing may be stored; empty when all blocking checks passed."""
        failed = [one for one in self.checked if one.blocking and not one.found.passed]
        return "; ".join(f"check {one.name} of {one.table} failed ({one.found})" for one in failed)


class Session:
    """The run `run_id` of a hospital, with its stored tables in `warehouse`; `log` gets progress and warnings."""

    def __init__(
        self,
        hospital_id: str,
        overrides: Overrides,
        run_id: str,
        *,
        home: Path,
        warehouse: Warehouse,
        log: logging.Logger,
    ):
        self.home, self.hospital_id, self.run_id = home, hospital_id, run_id
        self._overrides, self.warehouse, self.log = overrides, warehouse, log
        self.file_versions = file_versions(home, hospital_id)
        """The version of each file that the hospital is made from, taken before any of them is read."""
        self._loaded: dict[str, tuple[Lineage, pd.DataFrame]] = {}
        self._own: dict[str, tuple[Lineage, pd.DataFrame]] = {}
        """Tables that this run made and the report shows."""
        self._began = time.monotonic()
        self.errors: list[str] = []
        """What went wrong in this run so far."""
        self._results: dict[str, tuple[pd.Timestamp, list[Checked]]] = {}
        """By table: its as_of, and what its checks found, not stored yet."""

    @cached_property
    def run(self) -> Run:
        """The run; the hospital's file is read here, so that a bad one stops its own hospital only."""
        config, warnings = load_with_warnings(hospital_file(self.home, self.hospital_id))
        for warning in warnings:
            self.log.info(warning)
        return Run(
            config, self.home, self._overrides,
            scenarios=cache(lambda: load_scenarios(self.home, config)), inform=self.log.info, warn=self.log.warning,
        )  # fmt: skip

    def _check_as_of(self, name: str, as_of: pd.Timestamp) -> None:
        """Raise DataError where a stored table is as of another instant than this run is asked to look ahead from."""
        config, asked = self.run.config, self._overrides
        if asked.as_of is not None:
            wanted = as_of_at("as_of", asked.as_of, config.simulation.snapshot, config.hospital.timezone)
        elif asked.snapshot is not None:
            wanted = as_of.normalize() + pd.Timedelta(hours=int(asked.snapshot[:2]))
        else:
            return
        if as_of != wanted:
            raise DataError(
                f"{name} of {self.hospital_id} is as of {shown(as_of)}, this run asks for {shown(wanted)}: select what "
                "it is made from too, from patients on"
            )

    def carry_out(self, step: Step, chosen: Collection[str]) -> Outcome:
        """Load what the step needs, make its tables, and run the checks of the `chosen` ones."""
        tables = self._load(step.needs)
        made = step(self.run, tables, {name: self._previous(name) for name in step.continues})
        checked = list(self._check(step, made, {**tables, **made.tables}, chosen))
        for one in checked:
            if one.found.nothing_to_check:
                self.log.info(f"{one.table}: check {one.name} had nothing to look at")
        outcome = Outcome(step, made, checked)
        self._results |= {name: (self._as_of(outcome), [c for c in checked if c.table == name]) for name in chosen}
        if outcome.error:
            self.errors.append(outcome.error)
            self.keep_results()
        return outcome

    @contextmanager
    def keeping_errors(self, step: Step) -> Iterator[None]:
        """Keep it among the results of checks when the step ends with an error, which goes on."""
        try:
            yield
        except Exception as error:
            self.errors.append(str(error))
            failed = Found(False, {"error": str(error)})
            with suppress(KaizarError):  # of a hospital without a table there is no report that could show it
                as_of = max(self.warehouse.lineage(name, self.hospital_id).as_of for name in self._around(step))
                self._results |= {name: (as_of, [Checked(name, MADE, True, failed)]) for name in step.table_names}
                self.keep_results()
            raise

    def _around(self, step: Step) -> list[str]:
        """Stored tables of which one says what the run is about: those that the step needs, or makes."""
        around = (*step.needs, *step.table_names)
        found = [name for name in around if self.warehouse.path(name, self.hospital_id).exists()]
        if not found:
            raise DataError(f"{self.hospital_id} has no table yet")
        return found

    def _as_of(self, outcome: Outcome) -> pd.Timestamp:
        needs = outcome.step.needs
        return self._loaded[needs[0]][0].as_of if needs else outcome.made.facts["as_of"]

    def keep_results(self) -> None:
        """Store what checks found so far in this run, in place of earlier results of the same tables.

        Not after each step, since 30 writes would cost seconds: at an error, and at the end.
        """
        if not self._results:
            return
        name, (as_of, _) = CHECK_RESULTS.name, list(self._results.values())[-1]
        before = self.warehouse.previous(name, self.hospital_id)
        rows = [
            {
                "table_name": one.table,
                "check_name": one.name,
                "blocking": one.blocking,
                "passed": one.found.passed,
                "message": str(one.found) or None,
                "checked_as_of": checked_as_of,
            }
            for checked_as_of, checked in self._results.values()
            for one in checked
            if not one.found.nothing_to_check
        ]
        kept = CHECK_RESULTS.empty() if before is None else before[~before["table_name"].isin(list(self._results))]
        found = pd.concat([kept, pd.DataFrame(rows)], ignore_index=True) if rows else kept
        frame = CHECK_RESULTS.frame(found, hospital_id=self.hospital_id, as_of=as_of)
        lineage = Lineage(self.run_id, as_of, config_hash(self.run.file_config), {})
        self.warehouse.write(name, self.hospital_id, frame, lineage)
        self._results.clear()

    def _previous(self, parameter: str) -> pd.DataFrame | None:
        """The stored table that `parameter` of a step asks for. One that only saves work need not be readable."""
        if parameter.startswith(PREVIOUS):
            return self.warehouse.previous(parameter.removeprefix(PREVIOUS), self.hospital_id)
        with suppress(DataError):
            return self.warehouse.previous(parameter.removeprefix(KEPT), self.hospital_id)
        return None

    def _check(
        self, step: Step, made: Made, tables: Mapping[str, pd.DataFrame], chosen: Collection[str]
    ) -> Iterator[Checked]:
        for table in step.makes:
            if table.name not in chosen:
                continue
            try:
                rows = len(table.conform(made.tables[table.name], ("run_id",)))
                yield Checked(table.name, "schema", True, Found(True, {"rows": rows}))
            except DataError as error:
                yield Checked(table.name, "schema", True, Found(False, {"error": str(error)}))
            for check in checks_of(table.name):
                yield Checked(table.name, check.name, check.blocking, self._result(check, tables, made))

    def _result(self, check: Check, tables: Mapping[str, pd.DataFrame], made: Made) -> Found:
        """What the check found; one that raises has failed, and is named."""
        try:
            return check(self.run, tables, made.facts)
        except DataError as error:
            return Found(False, {"error": str(error)})

    def store(self, outcome: Outcome, table: str) -> pd.DataFrame:
        """Replace the stored table by that of the outcome, and return it.

        Its lineage names the run of each table that it was made from, the version of each file that the step reads, and
        what the run overrides if that changes the table.
        """
        if outcome.error:
            raise DataError(outcome.error)
        step, frame = outcome.step, outcome.made.tables[table]
        inputs = {name: self._loaded[name][0].run_id for name in step.needs}
        inputs |= {name: self.file_versions[name] for name in step.reads}
        scenarios = self.run.scenarios() if "scenario_files" in step.reads else ()
        lineage = Lineage(
            self.run_id,
            self._as_of(outcome),
            config_hash(self.run.file_config, scenarios),
            inputs,
            self._overrides.simulation if step.overridable else {},
        )
        self.warehouse.write(table, self.hospital_id, frame, lineage)
        if table in SHOWN:
            self._own[table] = lineage, frame
        return frame

    def beside(self, outcome: Outcome) -> Frames:
        """The tables of an outcome, and all stored ones of the same as_of, which are read when they are asked for."""
        return _Beside(outcome.made.tables, self._as_of(outcome), self.stored)

    def report(self) -> Report:
        """Write the report from the stored tables."""
        self.keep_results()
        run = MadeBy(self.run_id, self._began, self.stored)
        return make_report(self.home, self.warehouse, self.hospital_id, run)

    def stored(self, name: str) -> tuple[Lineage, pd.DataFrame]:
        """A stored table as it is now, from memory where this run made it. Raises DataError where there is none, or it
        cannot be read."""
        if name not in self._own:
            lineage = self.warehouse.lineage(name, self.hospital_id)
            if name not in self._loaded or self._loaded[name][0].run_id != lineage.run_id:
                return lineage, self.warehouse.read(name, self.hospital_id)
            return self._loaded[name]
        return self._own[name]

    def _load(self, names: Sequence[str]) -> dict[str, pd.DataFrame]:
        """The stored tables, which must all be of one as_of; another config than the file's is warned about."""
        digest = config_hash(self.run.file_config)
        for name, lineage in self.warehouse.lineages(names, self.hospital_id).items():
            if name in self._loaded and self._loaded[name][0].run_id == lineage.run_id:
                continue
            self._check_as_of(name, lineage.as_of)
            if lineage.config_hash != digest and "scenario_files" not in lineage.inputs:
                self.log.warning(f"{name} of {self.hospital_id} was made with another config; materialize it again")
            self._loaded[name] = lineage, self.warehouse.read(name, self.hospital_id)
        return {name: self._loaded[name][1] for name in names}

    def outdated(self, tables: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        """Each table, and in words what it was made from and has changed since, back to the files."""
        lineage = cache(self._lineage)
        for table in tables:
            yield table, list(dict.fromkeys(self._outdated(table, set(), lineage)))

    def _lineage(self, table: str) -> Lineage:
        return self.warehouse.lineage(table, self.hospital_id)

    def _outdated(self, table: str, seen: set[str], lineage: Callable[[str], Lineage]) -> Iterator[str]:
        seen.add(table)
        for name, made_from in lineage(table).inputs.items():
            if name in self.file_versions:
                if self.file_versions[name] != made_from:
                    yield f"{name} changed since {table} was made"
                continue
            if lineage(name).run_id != made_from:
                yield f"{name} was made again since {table} was made"
            if name not in seen:
                yield from self._outdated(name, seen, lineage)


class _Beside(Mapping[str, pd.DataFrame]):
    """Tables in memory, and stored ones of the same as_of; a name that has neither is not in it."""

    def __init__(self, made: Frames, as_of: pd.Timestamp, stored: Callable[[str], tuple[Lineage, pd.DataFrame]]):
        self._made, self._as_of, self._stored = made, as_of, stored

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name in self._made:
            return self._made[name]
        try:
            lineage, frame = self._stored(name)
        except DataError:
            raise KeyError(name) from None
        if lineage.as_of != self._as_of:
            raise KeyError(name)
        return frame

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)
