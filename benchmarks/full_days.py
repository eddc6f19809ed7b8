"""The chance of a full day, scored on hospitals whose wards are full on a tenth to six tenths of the days, as a part of
`occupancy.py`."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.made_up import hospital
from kaizar_pipeline import HospitalConfig, load_history
from kaizar_pipeline.chain.steps import prepare_backtest
from kaizar_pipeline.planning.census_backtest import BacktestOptions, backtest_occupancy
from kaizar_pipeline.planning.full_days import FULL, reliability_p
from kaizar_pipeline.stats.scores import clustered_error

HOME = Path(__file__).parents[1]
AS_OF = "2026-03-01"
HISTORY_START = "2024-03-01"
DAYS_AHEAD = 7
LEADS = {"1_3": (1, 3), "4_7": (4, 7)}
FULL_ON = (0.1, 0.6)
"""Share of days on which wards that are scored are full."""

PER_DAY = 45
WARDS = {"a": (2.5, 14), "b": (4.0, 21), "c": (5.0, 26), "d": (6.0, 31), "e": (7.0, 36), "f": (9.0, 46)}
"""Mean length of stay in days, and beds, of wards that each take a tenth of the patients."""


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


def busy_hospital(seed: int) -> HospitalConfig:
    """An emergency department without a limit before six wards that are often full. Busy winters, quiet weekends, and a
    level that drifts."""
    truth = {
        "mean_per_day": PER_DAY, "weekday": {"Mon": 1.12, "Sat": 0.92, "Sun": 0.9}, "yearly_amplitude": 0.08,
        "yearly_peak_day": 20, "drift_sd": 0.03, "overdispersion": 0.01,
    }  # fmt: skip
    stays = {"type": "lognormal", "unit": "days"}
    wards = [
        {"id": name, "capacity": beds, "los_model": stays | {"params": {"mean": days, "sd": 0.9 * days}}}
        for name, (days, beds) in WARDS.items()
    ]
    first = {"id": "ed", "capacity": None, "los_model": {"type": "exponential", "params": {"mean": 4}}}
    onward = [{"to_ward": name, "probability": 0.1} for name in WARDS]
    return hospital(
        {"source": "synthetic", "history_start": HISTORY_START, "truth": {"seed": seed, "streams": {"all": truth}}},
        [first, *wards],
        [{"id": "all", "target_ward": "ed"}],
        routing=[{"from_ward": "ed", "options": onward}],
        simulation={"horizon_days": DAYS_AHEAD, "overload": "allow"},
    )


def _backtest(origins: int, replications: int, seed: int) -> pd.DataFrame:
    """The full_backtest of one history, of the wards."""
    config = busy_hospital(seed)
    options = BacktestOptions(origins=origins, replications=replications, workers=1)
    found = backtest_occupancy(config, load_history(config, HOME, AS_OF), prepare_backtest, HOME, options)
    rows = found.full_backtest
    return rows[(rows["level"] == FULL) & rows["ward_id"].isin(list(WARDS))].assign(seed=seed)


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
