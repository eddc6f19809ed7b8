"""Past origins of back-tests, on a fixed grid of dates, and the work of each of them in parallel."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import TypeVar

import pandas as pd

EPOCH = pd.Timestamp("2000-01-01")
"""Origins lie a whole number of steps after this day."""
SHORTEST_STEP = 8
"""Days between origins at least. A step is this times a power of two: never whole weeks, so that weekdays rotate, and
the origins of a doubled step are among those of the step before."""

_Result = TypeVar("_Result")


def past_origins(
    first: pd.Timestamp, as_of: pd.Timestamp, *, horizon: int, learn_days: int, at_most: int
) -> list[pd.Timestamp]:
    """The latest `at_most` midnights of the grid, in order, with at least `learn_days` of a history that begins on the
    day `first` before them, and their whole horizon before `as_of`.

    The step is longer than the horizon, so that no day is forecast twice, unless too few origins fit into the history:
    then it is halved, down to `SHORTEST_STEP`. A further day of history adds one origin at most, except on a day on
    which the history becomes long enough for twice the step.
    """
    step = SHORTEST_STEP
    while step <= horizon:
        step *= 2
    earliest, latest = first + pd.Timedelta(days=learn_days), as_of - pd.Timedelta(days=horizon)
    while step > SHORTEST_STEP and len(_grid(earliest, latest, step)) < at_most:
        step //= 2
    origins = _grid(earliest, latest, step)
    return origins[max(len(origins) - at_most, 0) :]


def _grid(earliest: pd.Timestamp, latest: pd.Timestamp, step: int) -> list[pd.Timestamp]:
    """Every midnight of the grid from `earliest` to `latest`."""
    steps = range(-((EPOCH - earliest).days // step), (latest - EPOCH).days // step + 1)
    return [(EPOCH + pd.Timedelta(days=step * n)).as_unit("us") for n in steps]


def parallel_map(
    task: Callable[[pd.Timestamp], _Result], origins: Sequence[pd.Timestamp], workers: int | None = None
) -> Iterator[_Result]:
    """`task(origin)` for each origin, in order, on so many threads (default: one per core).

    Threads, not processes: those take seconds to start, and LightGBM and the compiled simulation hold no Python lock.
    An error or an interrupt drops the tasks that have not begun.
    """
    pool = ThreadPoolExecutor(workers or cpu_count() or 1)
    try:
        yield from pool.map(task, origins)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
