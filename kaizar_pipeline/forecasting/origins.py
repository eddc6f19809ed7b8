"""Past origins of back-tests and the work of each of them in parallel."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import TypeVar

import pandas as pd

MIN_STEP_DAYS = 8
"""Days between origins at least, and no whole weeks: else a day ahead would always be the same weekday."""

_WEEK = 7
_Result = TypeVar("_Result")


def past_origins(
    first: pd.Timestamp, as_of: pd.Timestamp, *, horizon: int, learn_days: int, at_most: int
) -> list[pd.Timestamp]:
    """Up to `at_most` midnights to look `horizon` days ahead from, the earliest first, in a history from the day
    `first` to `as_of`, where the last one's horizon ends.

    They lie as far apart as the horizon and a day, so that no day is forecast twice, and closer where the history is
    short; none without `learn_days` before the first.
    """
    last = as_of - pd.Timedelta(days=horizon)
    room = (last - first).days - learn_days
    if room < 0:
        return []
    step = max(min(room // max(at_most - 1, 1), horizon + 1), MIN_STEP_DAYS)
    step += step % _WEEK == 0
    return [last - pd.Timedelta(days=step * back) for back in reversed(range(min(at_most, room // step + 1)))]


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
