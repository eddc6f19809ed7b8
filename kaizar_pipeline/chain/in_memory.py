"""The whole chain in memory: what the asset graph does, without Dagster and without files."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd

from kaizar_pipeline.chain.overrides import Overrides
from kaizar_pipeline.chain.step import Run
from kaizar_pipeline.chain.steps import make_tables
from kaizar_pipeline.config.files import find_home
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.tables import OCCUPANCY_DISTRIBUTIONS


def run_chain(
    config: HospitalConfig,
    *,
    home: Path | None = None,
    overrides: Overrides | None = None,
    scenarios: Sequence[Scenario] = (),
    tables: Collection[str] | None = None,
) -> dict[str, pd.DataFrame]:
    """Every table of the hospital by name, or `tables` and those they are made from, as docs/tables.md describes them
    (without `run_id`).

    `home` is the folder that paths of extracts are relative to, `scenarios` those to compare with the hospital as it
    is. Tables that grow from run to run begin anew.
    """
    return make_tables(Run(config, home or find_home(), overrides or Overrides(), lambda: scenarios), tables)


def simulate_hospital(
    config: HospitalConfig,
    seed: int | None = None,
    *,
    home: Path | None = None,
    as_of: str | None = None,
    workers: int | None = None,
) -> pd.DataFrame:
    """The table `occupancy_distributions` of the whole chain; `seed` replaces that of the config."""
    name = OCCUPANCY_DISTRIBUTIONS.name
    overrides = Overrides(seed=seed, as_of=as_of, workers=workers)
    return run_chain(config, home=home, overrides=overrides, tables=[name])[name]
