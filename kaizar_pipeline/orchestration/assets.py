"""The chain as Dagster sees it: an asset for each table of each step, its checks, and the files upstream of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256

import dagster as dg
import numpy as np
import pandas as pd

from kaizar_pipeline.chain.checks import checks_of
from kaizar_pipeline.chain.overrides import Overrides
from kaizar_pipeline.chain.source_digest import code_version
from kaizar_pipeline.chain.step import Step
from kaizar_pipeline.chain.steps import stored_tables
from kaizar_pipeline.config.files import hospital_file
from kaizar_pipeline.errors import KaizarError
from kaizar_pipeline.orchestration.input_files import FILE_ASSETS, FileState, file_states
from kaizar_pipeline.orchestration.partitions import HOME, HOSPITALS
from kaizar_pipeline.orchestration.pictures import as_metadata, at_a_glance
from kaizar_pipeline.orchestration.report_run import make_overview
from kaizar_pipeline.orchestration.session import Checked, Session
from kaizar_pipeline.orchestration.storage import Warehouse
from kaizar_pipeline.tables import PLANNER_REPORT, Table

OWNERS = ["team:kaizar"]
MOST_CHANGES = 20
"""Changes of inputs that a line names: planner_report has all tables behind it."""


class OverridesResource(Overrides, dg.ConfigurableResource):
    """What this run overrides of the hospital's settings, for all of its assets alike."""


@dg.resource(
    description="The run of one hospital: its stored tables, and the lock that keeps other runs of it out.",
    required_resource_keys={"overrides"},
)
def session(context: dg.InitResourceContext) -> Iterator[Session]:
    """The session of the run's hospital, which is locked until the run ends or dies."""
    assert context.run is not None, "assets of a hospital are materialized by runs"
    assert context.log is not None
    hospital_id = context.run.tags["dagster/partition"]
    warehouse = Warehouse(HOME / "data", context.log, stored_tables())
    overrides = context.resources.overrides
    with warehouse.lock(hospital_id):
        made = Session(hospital_id, overrides, context.run.run_id, home=HOME, warehouse=warehouse, log=context.log)
        if context.instance is not None:
            for observation in observations(hospital_id):
                context.instance.report_runless_asset_event(observation)
        yield made
        end(made)


def end(session: Session) -> None:
    """Store what checks found, if the report has not. After errors, write the report again from the tables as they are,
    and the page of all hospitals: a run with errors stops before its report, which is to say so."""
    try:
        session.keep_results()
        if session.errors:
            session.report()
    except KaizarError as error:
        session.log.warning(f"{session.hospital_id}: the report could not be written again: {error}")
    if session.errors:
        make_overview(HOME, session.warehouse, HOSPITALS.get_partition_keys())


def observations(hospital_id: str) -> Iterator[dg.AssetObservation]:
    """An observation of each file of the hospital that there is, with its size, time and version."""
    for name, state in file_states(HOME, hospital_id).items():
        if state.paths:
            tags = {"dagster/data_version": state.version}
            yield dg.AssetObservation(name, partition=hospital_id, tags=tags, metadata=_file_metadata(state))


def _file_metadata(state: FileState) -> dict[str, dg.MetadataValue]:
    return {
        "paths": dg.MetadataValue.md("\n".join(f"- {path}" for path in state.paths)),
        "bytes": dg.MetadataValue.int(state.size),
        "modified": dg.MetadataValue.timestamp(state.modified),
    }


@dg.multi_observable_source_asset(
    name="files",
    specs=[
        dg.AssetSpec(name, description=text, group_name="files", owners=OWNERS, partitions_def=HOSPITALS)
        for name, text in FILE_ASSETS.items()
    ],
    can_subset=True,
    partitions_def=HOSPITALS,
)
def observe_files(context: dg.AssetExecutionContext) -> Iterator[dg.ObserveResult]:
    """Look at the files of a hospital: is there another version of one?"""
    chosen = {key.to_user_string() for key in context.op_execution_context.selected_asset_keys}
    with as_failures():
        hospital_file(HOME, context.partition_key)
    for name, state in file_states(HOME, context.partition_key).items():
        if name in chosen:
            yield dg.ObserveResult(name, data_version=dg.DataVersion(state.version), metadata=_file_metadata(state))


def make_assets(step: Step, position: int = 0) -> dg.AssetsDefinition:
    """The assets of a step, at its position in the list of steps.

    The blocking checks of all its chosen tables run before the first of them is stored.
    """

    @dg.multi_asset(
        name=step.name,
        description=step.function.__doc__,
        specs=[_spec(step, table) for table in step.makes],
        check_specs=[spec for table in step.table_names for spec in check_specs(table)],
        can_subset=True,
        required_resource_keys={"session"},
        op_tags={"dagster/priority": str(-position)},  # of steps that could be next, the first in the list comes first
    )
    def assets(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        selected = context.op_execution_context.selected_asset_keys
        chosen = [name for name in step.table_names if dg.AssetKey(name) in selected]
        session: Session = context.resources.session
        with as_failures(), session.keeping_errors(step):
            outcome = session.carry_out(step, chosen)
        expected = context.op_execution_context.selected_asset_check_keys
        for checked in outcome.checked:
            key = dg.AssetCheckKey(dg.AssetKey(checked.table), checked.name)
            if key in expected and not checked.found.nothing_to_check:
                yield _check_result(checked)
        if outcome.error:
            raise dg.Failure(
                f"{session.hospital_id}: {outcome.error}; the stored tables stay as they were. Look for what is wrong "
                "with the hospital's data, or report a bug",
                allow_retries=False,
            )
        for table in chosen:
            with as_failures(), session.keeping_errors(step):
                frame = session.store(outcome, table)
            figures = outcome.made.figures.get(table, {})
            tables, config = session.beside(outcome), session.run.config
            yield dg.MaterializeResult(
                table,
                metadata=at_a_glance(table, tables, config, figures, context.log.warning),
                data_version=dg.DataVersion(content_version(frame)),
            )

    return assets


def table_spec(table: Table, group: str, kind: str, deps: Sequence[str], version: str, **tags: str) -> dg.AssetSpec:
    """The asset of a table that is made from `deps`."""
    return dg.AssetSpec(
        table.name,
        deps=deps,
        description=table.description,
        group_name=group,
        owners=OWNERS,
        kinds={"duckdb", kind},
        tags=tags,
        code_version=version,
        partitions_def=HOSPITALS,
        metadata={"dagster/table_name": f"kaizar.main.{table.name}", "dagster/column_schema": _column_schema(table)},
    )


def _spec(step: Step, table: Table) -> dg.AssetSpec:
    tags = {"kaizar/step": step.name}
    return table_spec(table, step.group, step.kind, [*step.needs, *step.reads], code_version(step), **tags)


def _column_schema(table: Table) -> dg.TableSchema:
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            f"{column.description} [{column.unit}]" if column.unit else column.description,
            dg.TableColumnConstraints(nullable=column.nullable, other=["key"] if column.key else None),
        )
        for column in table.columns
    ]
    return dg.TableSchema(columns, dg.TableConstraints([f"one row per {', '.join(table.key)}"]))


def check_specs(table: str) -> Iterator[dg.AssetCheckSpec]:
    """The checks of a table, that of its schema first."""
    schema = "schema", True, "The table has the columns, types and keys that are declared."
    own = [(check.name, check.blocking, check.description) for check in checks_of(table)]
    for name, blocking, description in (schema, *own):
        yield dg.AssetCheckSpec(name, asset=table, blocking=blocking, description=description, partitions_def=HOSPITALS)


def _check_result(checked: Checked) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=checked.table,
        check_name=checked.name,
        passed=checked.found.passed,
        severity=dg.AssetCheckSeverity.ERROR if checked.blocking else dg.AssetCheckSeverity.WARN,
        description=None if checked.found.passed else str(checked.found),
        metadata=as_metadata(checked.found.figures),
    )


def content_version(frame: pd.DataFrame) -> str:
    """A digest of the rows: what is made from an equal table is not outdated."""
    plain = {name: values.map(_as_bytes) if values.dtype == object else values for name, values in frame.items()}
    return sha256(pd.util.hash_pandas_object(pd.DataFrame(plain), index=False).to_numpy().tobytes()).hexdigest()[:16]


def _as_bytes(cell: np.ndarray | None) -> bytes:
    return b"" if cell is None else cell.tobytes()


@contextmanager
def as_failures() -> Iterator[None]:
    """Turn errors of ours into Dagster failures with their message."""
    try:
        yield
    except KaizarError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None


def make_inputs_check(steps: Sequence[Step]) -> dg.AssetChecksDefinition:
    """The check `inputs_current` of the tables that nothing else is made from; it can be run by itself."""
    needed = {name for step in steps for name in step.needs}
    ends = [name for step in steps for name in step.table_names if name not in needed] + [PLANNER_REPORT.name]
    description = "No table or file that it was made from, directly or not, has changed since."

    @dg.multi_asset_check(
        name="inputs_current",
        specs=[
            dg.AssetCheckSpec("inputs_current", asset=name, description=description, partitions_def=HOSPITALS)
            for name in ends
        ],
        can_subset=True,
        required_resource_keys={"session"},
    )
    def inputs_current(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        session: Session = context.resources.session
        chosen = sorted(key.asset_key.to_user_string() for key in context.selected_asset_check_keys)
        with as_failures():
            found = dict(session.outdated(chosen))
        for table, outdated in found.items():
            yield dg.AssetCheckResult(
                asset_key=table,
                check_name="inputs_current",
                passed=not outdated,
                severity=dg.AssetCheckSeverity.WARN,
                description=_in_one_line(outdated) or None,
                metadata=as_metadata({"changed": "\n".join(f"- {line}" for line in outdated)}) if outdated else {},
            )

    return inputs_current


def _in_one_line(changes: Sequence[str]) -> str:
    """The first of them; the metadata have all."""
    more = [f"and {len(changes) - MOST_CHANGES} more"] if len(changes) > MOST_CHANGES else []
    return "; ".join([*changes[:MOST_CHANGES], *more])


def rebuild_catalog() -> None:
    """Make the catalog of all tables anew, so that SQL sees new hospitals and tables."""
    Warehouse(HOME / "data", tables=stored_tables()).rebuild_catalog()
