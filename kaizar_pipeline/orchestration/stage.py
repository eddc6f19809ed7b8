"""What all assets share: the hospital at hand, its stored tables, and errors that people can read."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import dagster as dg
import pandas as pd

from kaizar_pipeline.config.files import config_hash, hospital_file, load_with_notices
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.errors import DataError, KaizarError
from kaizar_pipeline.orchestration.partitions import HOME, HOSPITALS
from kaizar_pipeline.orchestration.settings import Settings
from kaizar_pipeline.orchestration.storage import Lineage, Warehouse
from kaizar_pipeline.tables import TABLES

FAULTS_VARIABLE = "KAIZAR_FAULTS"
"""Names a file to which the message of a failed asset is added, for `kaizar run` to show."""

OWNERS = ["team:kaizar"]

SIMULATES = {"warehouse", "settings"}
"""The resources of an asset that simulates, or that a seed makes another."""


@dg.resource(description="The stored tables, with the lock that keeps other runs of the hospital out.")
def warehouse(context: dg.InitResourceContext) -> Iterator[Warehouse]:
    """The warehouse of the project, locked for the run's hospital until the run ends or dies."""
    store = Warehouse(HOME / "data", context.log)
    hospital_id = context.run.tags.get("dagster/partition") if context.run else None
    if hospital_id is None:
        yield store
    else:
        with store.lock(hospital_id):
            yield store


def table_spec(name: str, group: str, *inputs: str, kinds: Sequence[str] = ()) -> dg.AssetSpec:
    """The asset that is the table `name`, made from the tables `inputs`."""
    return dg.AssetSpec(
        name,
        deps=list(inputs),
        description=TABLES[name].description,
        group_name=group,
        owners=OWNERS,
        kinds={"duckdb", *kinds},
        partitions_def=HOSPITALS,
    )


class Stage:
    """One step of the chain for one hospital."""

    def __init__(self, context: dg.AssetExecutionContext):
        self._context = context
        self._warehouse: Warehouse = context.resources.warehouse
        self._inputs: dict[str, str] = {}
        self._wanted: dict[str, int | str] = {}

    @property
    def home(self) -> Path:
        """The folder that paths of extracts are relative to."""
        return HOME

    @property
    def config(self) -> HospitalConfig:
        """The hospital's config; it is read here, so that a bad file stops its own hospital only."""
        return self._loaded[0]

    @property
    def as_wanted(self) -> HospitalConfig:
        """The same with what this run wants otherwise; for assets that require `SIMULATES`."""
        self._wanted = self._settings.wanted
        return self._settings.applied_to(self.config)

    @property
    def workers(self) -> int | None:
        """How many this run wants, None for one per core; for assets that require `SIMULATES`."""
        return self._settings.workers

    @property
    def _settings(self) -> Settings:
        return self._context.resources.settings

    @property
    def notices(self) -> list[str]:
        """What was translated in a file of the predecessor's."""
        return self._loaded[1]

    @cached_property
    def _loaded(self) -> tuple[HospitalConfig, list[str]]:
        return load_with_notices(hospital_file(HOME, self._context.partition_key))

    def load(self, *assets: str) -> list[pd.DataFrame]:
        """The hospital's stored tables, which must all be of one as_of; another config than today's is warned about."""
        lineages = self._warehouse.lineages(assets, self.config.id)
        for asset, lineage in lineages.items():
            self._inputs[asset] = lineage.run_id
            if lineage.config_hash != config_hash(self.config):
                self._context.log.warning(
                    f"{asset} of {self.config.id} was made with another config; materialize it again"
                )
        return [self._warehouse.read(asset, self.config.id) for asset in assets]

    def previous(self, asset: str) -> pd.DataFrame | None:
        """The table that `asset` is about to replace, None at the first time."""
        return self._warehouse.previous(asset, self.config.id)

    def reusable(self, asset: str) -> pd.DataFrame | None:
        """The same of a table that can be made again: one that cannot be read is none."""
        try:
            return self.previous(asset)
        except DataError:
            return None

    def save(
        self,
        asset: str,
        frame: pd.DataFrame,
        as_of: pd.Timestamp,
        metadata: Mapping[str, float | str],
        checks: Sequence[dg.AssetCheckResult] = (),
        scenarios: Sequence[Scenario] = (),
    ) -> dg.MaterializeResult:
        """Store a table and report it, with its number of rows and the check that it reads back as declared.

        Its lineage holds the hash of the hospital's config, and of the `scenarios` that it was made with, and what the
        run wanted otherwise if the asset heeds that.
        Raises DataError when one of `checks` failed that is more than a warning: the stored table then stays as it was.
        """
        for check in checks:
            found = ", ".join(f"{name} {value.value}" for name, value in check.metadata.items())
            if not check.passed and check.severity == dg.AssetCheckSeverity.ERROR:
                raise DataError(
                    f"{asset} of {self.config.id}: check {check.check_name} failed ({found}); the stored table stays "
                    "as it was. Look for what is wrong with the hospital's data, or report a bug"
                )
            if not check.passed:
                self._context.log.warning(f"{asset}: check {check.check_name} warns: {' '.join(found.split())}")
        digest = config_hash(self.config, scenarios)
        lineage = Lineage(self._context.run.run_id, as_of, digest, dict(self._inputs), dict(self._wanted))
        self._warehouse.write(asset, self.config.id, frame, lineage)
        stored = self._warehouse.read(asset, self.config.id)
        schema = dg.AssetCheckResult(
            asset_key=asset,
            check_name="schema",
            passed=len(stored) == len(frame),
            metadata={"rows stored": len(stored), "rows made": len(frame)},
        )
        return dg.MaterializeResult(
            asset_key=asset,
            metadata={"dagster/row_count": len(frame), "as_of": f"{as_of:%Y-%m-%d}", **metadata},
            check_results=[schema, *checks],
        )


@contextmanager
def readable_faults() -> Iterator[None]:
    """Turn errors of ours into Dagster failures that consist of the message; KAIZAR_VERBOSE=1 keeps the traceback."""
    try:
        yield
    except KaizarError as error:
        path = os.environ.get(FAULTS_VARIABLE)
        if path:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(f"{error}\n")
        if os.environ.get("KAIZAR_VERBOSE") == "1":
            raise
        raise dg.Failure(description=str(error), allow_retries=False) from None
