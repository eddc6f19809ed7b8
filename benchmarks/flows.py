"""Tomorrow's arrivals and discharges of a ward: whether their 80 % intervals hold, as a part of `occupancy.py`.

The hundred origins of `intraday.py`, at midnight. A count of patients in the 24 hours from there on is inside its
interval by the randomised probability integral transform.
"""

from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.intraday import FIRST_DAYS, HISTORY_FROM, starts_of_days
from benchmarks.made_up import clocked_ward
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.flow_windows import FLOW
from kaizar_pipeline.simulation.starting_point import StartingPoint
from kaizar_pipeline.stats.scores import covered, pit_of_probabilities

_OBSERVED = {"arrivals": "arrival", "discharges": "departure"}
"""The column of the stays by flow."""


def flows(replications: int, workers: int) -> dict[str, float]:
    """The share of the origins at which each flow is inside its 80 % interval."""
    with ProcessPoolExecutor(workers) as pool:
        pits = np.concatenate(list(pool.map(partial(_pits, replications), FIRST_DAYS)))
    inside = covered(pits, 0.8).mean(axis=0)
    return {f"{flow}_cover80": float(share) for flow, share in zip(_OBSERVED, inside, strict=True)}


def _pits(replications: int, first: pd.Timestamp) -> np.ndarray:
    """f8[days, flows]: of the origins from `first` on that share what is learned."""
    stays = clocked_ward(1, HISTORY_FROM)
    days = starts_of_days(stays, first, replications, [0])
    return np.array([_of_day(stays, day, starts[0]) for day, starts in days])


def _of_day(stays: pd.DataFrame, day: pd.Timestamp, start: StartingPoint) -> list[float]:
    counts, _ = Experiment(start, workers=1).count_with_demand(start.plan, start.config.simulation.max_replications)
    uniform, found = np.random.default_rng(day.toordinal()).random(len(_OBSERVED)), []
    for (flow, column), chance in zip(_OBSERVED.items(), uniform, strict=True):
        tomorrow = stays[column].between(day, day + pd.Timedelta(days=1), inclusive="right").sum()
        share = counts.flows.of(0, getattr(FLOW, flow))[0][-1:] / counts.replications
        found.append(float(pit_of_probabilities(share, np.array([tomorrow]), np.array([chance]))[0]))
    return found
