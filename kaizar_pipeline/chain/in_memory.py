"""The whole chain in memory: what the asset graph does, without Dagster and without files."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

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
    home: str | Path | None = None,
    scenarios: Sequence[Scenario] = (),
    tables: Collection[str] | None = None,
    **overrides: Any,
) -> dict[str, pd.DataFrame]:
    """Every table of the hospital by name, or `tables` and those they are made from, as docs/reference/tables.md
    describes them (without `run_id`).

    `home` is the folder that paths of extracts are relative to, `scenarios` those to compare with the hospital as it
    is; `overrides` are the fields of `Overrides`, such as as_of, seed and workers. Tables that grow from run to run
    begin anew. Raises ConfigError for an override that is not allowed.
    """
    run = Run(config, Path(home) if home else find_home(), Overrides.of(**overrides), scenarios=lambda: scenarios)
    return make_tables(run, tables)


def simulate_hospital(config: HospitalConfig, seed: int | None = None, **options: Any) -> pd.DataFrame:
    """The table `occupancy_distributions` of the whole chain; `seed` replaces that of the config, `options` are those
    of `run_chain`."""
    name = OCCUPANCY_DISTRIBUTIONS.name
    return run_chain(config, seed=seed, tables=[name], **options)[name]
