"""The chance of a full day, scored on hospitals whose wards are full on a tenth to six tenths of the days, as a part of
`occupancy.py`."""

from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from kaizar_pipeline import load_history, load_hospital_config
from kaizar_pipeline.chain.steps import prepare_backtest
from kaizar_pipeline.config.patient_sources import SyntheticPatients
from kaizar_pipeline.planning.census_backtest import BacktestOptions, backtest_occupancy
from kaizar_pipeline.planning.full_days import FULL, reliability_p
from kaizar_pipeline.stats.scores import clustered_error

HOME = Path(__file__).parents[1]
AS_OF = "2026-03-01"
HISTORY_START = date(2024, 6, 1)
DAYS_AHEAD = 7
LEADS = {"1_3": (1, 3), "4_7": (4, 7)}
FULL_ON = (0.1, 0.6)
"""Share of days on which wards that are scored are full."""


def full_days(histories: int, origins: int, replications: int, workers: int) -> dict[str, float]:
    """Brier skill of the day's chance of being full over the weekday's frequency of 52 weeks, by days ahead."""
    seeds = range(1, histories + 1)
    with ProcessPoolExecutor(workers) as pool:
        rows = pd.concat(list(pool.map(partial(_backtest, origins, replications), seeds)), ignore_index=True)
    share = rows.groupby(["seed", "ward_id"])["happened"].transform("mean")
    rows = rows[share.between(*FULL_ON)]
    figures = {"brier_wards": float(rows.groupby(["seed", "ward_id"]).ngroups), "brier_full": rows["happened"].mean()}
    for name, (first, last) in LEADS.items():
        figures |= _skill(rows[rows["day_ahead"].between(first, last)], name)
    return figures


def _backtest(origins: int, replications: int, seed: int) -> pd.DataFrame:
    """The full_backtest of one history of hospital_1, of its wards."""
    hospital_1 = load_hospital_config(HOME / "hospital_configs" / "hospital_1.yml")
    patients = hospital_1.patients
    assert isinstance(patients, SyntheticPatients)
    truth = patients.truth.model_copy(update={"seed": seed})
    patients = patients.model_copy(update={"history_start": HISTORY_START, "truth": truth})
    simulation = hospital_1.simulation.model_copy(update={"horizon_days": DAYS_AHEAD})
    config = hospital_1.model_copy(update={"patients": patients, "simulation": simulation, "levels": (), "groups": {}})
    options = BacktestOptions(origins=origins, replications=replications, workers=1)
    found = backtest_occupancy(config, load_history(config, HOME, AS_OF), prepare_backtest, HOME, options)
    rows = found.full_backtest
    return rows[(rows["level"] == FULL) & rows["ward_id"].isin(config.ward_ids)].assign(seed=seed)


def _skill(rows: pd.DataFrame, name: str) -> dict[str, float]:
    """Over all wards and histories together; the origins of each history are the units of the error."""
    happened = rows["happened"].to_numpy(dtype=np.float64)
    chance = rows["probability"].to_numpy()
    brier, reference = (chance - happened) ** 2, (rows["reference"].to_numpy() - happened) ** 2
    origins = rows.groupby(["seed", "origin"]).ngroup().to_numpy()
    units, ratio = len(np.unique(origins)), brier.mean() / reference.mean()
    error = clustered_error(brier - ratio * reference, origins, units) / reference.mean()
    return {
        f"brier_skill_{name}": 1 - ratio,
        f"brier_skill_{name}_error": error,
        f"brier_reliability_p_{name}": reliability_p(chance, happened, origins, units),
    }
