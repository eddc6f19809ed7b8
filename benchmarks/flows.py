"""Tomorrow's arrivals and discharges of a ward: whether their 80 % intervals hold, as a part of `occupancy.py`.

A hundred daily origins of the clocked ward, each forecast from the extract of its midnight. A count of patients in the
24 hours from there on is inside its interval by the randomised probability integral transform.
"""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.made_up import CLOCKED_AS_OF, clocked_ward, one_ward, write_extract
from kaizar_pipeline import load_history
from kaizar_pipeline.chain.steps import prepare_backtest
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.flow_windows import FLOW
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
from kaizar_pipeline.stats.scores import covered, pit_of_probabilities

ORIGINS = 100
_HISTORY_FROM = "2025-10-01"
_OBSERVED = {"arrivals": "arrival", "discharges": "departure"}
"""The column of the stays by flow."""


def flows(replications: int, workers: int) -> dict[str, float]:
    """The share of the origins at which each flow is inside its 80 % interval."""
    with ProcessPoolExecutor(workers) as pool:
        pits = np.array(list(pool.map(partial(_pits, replications), range(ORIGINS), chunksize=5)))
    inside = covered(pits, 0.8).mean(axis=0)
    return {f"{flow}_cover80": float(share) for flow, share in zip(_OBSERVED, inside, strict=True)}


def _pits(replications: int, days_back: int) -> list[float]:
    """Of each flow in the 24 hours from an origin on."""
    as_of, stays = CLOCKED_AS_OF - pd.Timedelta(days=days_back), clocked_ward(1, _HISTORY_FROM)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "patients.csv"
        write_extract(stays, as_of, path)
        simulation = {"horizon_days": 1, "replications": replications}
        config = one_ward(path, simulation=simulation, patients={"max_age_days": None})
        start = StartingPoint(config, StartingTables.of(prepare_backtest(load_history(config, Path()), config)))
    counts, _ = Experiment(start, workers=1).count_with_demand(start.plan, replications)
    uniform, found = np.random.default_rng(days_back).random(len(_OBSERVED)), []
    for (flow, column), chance in zip(_OBSERVED.items(), uniform, strict=True):
        tomorrow = stays[column].between(as_of, as_of + pd.Timedelta(days=1), inclusive="right").sum()
        share = counts.flows.of(0, getattr(FLOW, flow))[0][-1:] / replications
        found.append(float(pit_of_probabilities(share, np.array([tomorrow]), np.array([chance]))[0]))
    return found
