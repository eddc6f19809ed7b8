"""Past mornings to look ahead from, and the work of each of them, side by side."""

from collections.abc import Callable, Iterator, Sequence
from os import cpu_count
from typing import Any, TypeVar, cast

import pandas as pd

MIN_STEP_DAYS = 8
"""Days between mornings at least, and no whole weeks: else a day ahead would always be the same weekday."""

_WEEK = 7
_Outcome = TypeVar("_Outcome")


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
    work: Callable[..., _Outcome], mornings: Sequence[pd.Timestamp], *given: Any, workers: int | None
) -> Iterator[_Outcome]:
    """`work(morning, *given)` for each morning, in order, on so many processes (default: one per core)."""
    n = min(workers or cpu_count() or 1, len(mornings))
    if n <= 1:
        yield from (work(morning, *given) for morning in mornings)
        return
    from joblib import Parallel, delayed

    # arrays travel in the message (max_nbytes): a killed run leaves no memory maps behind
    parallel = Parallel(n_jobs=n, return_as="generator", max_nbytes=None)
    yield from cast(Iterator[_Outcome], parallel(delayed(work)(morning, *given) for morning in mornings))
