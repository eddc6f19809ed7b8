"""What common random numbers are worth: the variance of scenario differences, paired and between independent runs.

    python benchmarks/scenarios.py            a table on stdout
    python benchmarks/scenarios.py --json     one flat object

The shipped scenarios of hospital_1 are compared with many seeds. The paired variance is that of the difference over
seeds; the independent one is that of the scenario's figure plus that of the baseline's over seeds, which is the
variance of their difference were they simulated with different seeds. A ratio of two such variances is known to some
20 %.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from kaizar_pipeline import (
    Experiment,
    HospitalConfig,
    StartingPoint,
    StartingTables,
    arrivals_per_day,
    compare_scenarios,
    discharges,
    forecast_rates,
    lengths_of_stay,
    load_history,
    load_hospital_config,
    make_feature_table,
    starting_census,
    train_lgbm_poisson,
)
from kaizar_pipeline.config.files import load_scenarios
from kaizar_pipeline.tables import HOSPITAL_TOTAL

PROJECT = Path(__file__).parents[1]
AS_OF = "2026-11-25"
SEEDS, REPLICATIONS = 100, 20
SHOWN = (
    "p95_census", "hours_full_share", "mean_occupancy", "wait_mean_hours", "boarding_hours", "turned_away", "left",
    "outliers",
)  # fmt: skip


def comparisons(seeds: int, replications: int) -> pd.DataFrame:
    """scenario_comparison for each of so many seeds, with the column `seed`."""
    config = load_hospital_config(PROJECT / "hospital_configs" / "hospital_1.yml")
    history = load_history(config, PROJECT, AS_OF)
    arrivals = arrivals_per_day(history.patients, config)
    features = make_feature_table(arrivals, config)
    rates = forecast_rates(train_lgbm_poisson(features), features, arrivals, config)
    leaving = discharges(history.patients, history.ward_stays, config)
    stays = lengths_of_stay(history.patients, history.ward_stays, config, leaving.discharge_clocks)
    census = starting_census(history.patients, history.ward_stays)
    tables = StartingTables(
        rates, stays, census, discharge_clocks=leaving.discharge_clocks, day_factors=leaving.day_factors
    )
    scenarios = load_scenarios(PROJECT, config)
    frames = []
    for seed in range(seeds):
        experiment = Experiment(StartingPoint(_with_seed(config, seed), tables))
        frames.append(compare_scenarios(experiment, scenarios, replications=replications).assign(seed=seed))
    found = pd.concat(frames, ignore_index=True)
    return found[found["kpi"].isin(SHOWN)]


def _with_seed(config: HospitalConfig, seed: int) -> HospitalConfig:
    return config.model_copy(update={"simulation": config.simulation.model_copy(update={"seed": seed})})


def ratios(found: pd.DataFrame) -> pd.DataFrame:
    """Independent over paired variance, by KPI and ward (rows) and scenario; NaN where nothing ever differs."""
    groups = found.groupby(["kpi", "ward_id", "scenario"])
    independent = groups["value"].var() + groups["baseline"].var()
    paired = groups["difference"].var()
    return (independent / paired.where(paired > 0)).unstack("scenario")


def flat(found: pd.DataFrame) -> dict[str, float]:
    """The ratios by name, and the least and the median of those of the whole house."""
    house = found.xs(HOSPITAL_TOTAL, level="ward_id").to_numpy(dtype=float)
    summary = {"variance_ratio.house.least": np.nanmin(house), "variance_ratio.house.median": np.nanmedian(house)}
    names = [f"{ward}.{kpi}" for kpi, ward in found.index.to_list()]
    single = {
        f"variance_ratio.{scenario}.{name}": ratio
        for scenario in found
        for name, ratio in zip(names, found[scenario].to_numpy(dtype=float), strict=True)
        if np.isfinite(ratio)
    }
    return {name: round(float(ratio), 2) for name, ratio in (summary | single).items()}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one flat object instead of a table")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--replications", type=int, default=REPLICATIONS)
    asked = parser.parse_args()
    found = ratios(comparisons(asked.seeds, asked.replications))
    house = found.xs(HOSPITAL_TOTAL, level="ward_id").loc[list(SHOWN)]
    if asked.json:
        print(json.dumps(flat(found), indent=2))
        return
    table = Table("", *found.columns, title="How many times smaller the variance of a paired difference is")
    for kpi, row in house.iterrows():
        table.add_row(f"{kpi}, whole house", *(f"{ratio:.1f}" for ratio in row))
    for ward, row in found.loc["hours_full_share"].drop(HOSPITAL_TOTAL).dropna(how="all").iterrows():
        table.add_row(f"hours_full_share, {ward}", *(f"{ratio:.1f}" for ratio in row))
    Console().print(table)


if __name__ == "__main__":
    main()
