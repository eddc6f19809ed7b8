"""Past origins lie on a fixed grid, and the work of each of them ends with the run."""

import signal
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.forecasting.origins import EPOCH, parallel_map, past_origins

pytestmark = pytest.mark.unit

AS_OF = pd.Timestamp("2026-09-01")


def origins(days_known: int, at_most: int = 12, as_of: pd.Timestamp = AS_OF) -> list[pd.Timestamp]:
    first = as_of - pd.Timedelta(days=days_known)
    return past_origins(first, as_of, horizon=28, learn_days=180, at_most=at_most)


class TestGrid:
    """Steps of 8 days times a power of two, counted from a fixed day."""

    @pytest.mark.parametrize(
        ("days_known", "at_most", "n", "step"),
        [
            (1000, 3, 3, 32),  # longer than the horizon: no day is forecast twice
            (1000, 12, 12, 32),
            (180 + 28 + 12 * 16, 12, 12, 16),  # halved where the history is short
            (180 + 28 + 12 * 8, 12, 12, 8),
            (180 + 28 + 24, 12, 4, 8),  # at least 8 days: fewer origins rather than closer ones
            (180 + 27, 12, 0, 8),
            (1000, 0, 0, 32),
        ],
    )
    def test_the_latest_origins_that_fit(self, days_known: int, at_most: int, n: int, step: int):
        found = origins(days_known, at_most)
        assert len(found) - n in ((0,) if step == 32 or n == 0 else (0, -1))
        assert set(np.diff(pd.DatetimeIndex(found)).astype("timedelta64[D]").astype(int)) <= {step}
        assert all((origin - EPOCH).days % step == 0 for origin in found)
        if found:
            assert 28 <= (AS_OF - found[-1]).days < 28 + step
            assert (found[0] - AS_OF).days + days_known >= 180

    def test_weekdays_rotate(self):
        assert {origin.day_of_week for origin in origins(1000)} == set(range(7))

    def test_a_day_later_at_most_one_origin_is_new(self):
        first = AS_OF - pd.Timedelta(days=700)
        runs = [
            past_origins(first, AS_OF + pd.Timedelta(days=day), horizon=28, learn_days=180, at_most=12)
            for day in range(64)
        ]
        new = [len(set(later) - set(earlier)) for earlier, later in pairwise(runs)]
        assert set(new) == {0, 1}
        assert sum(new) == 2


def test_results_come_in_the_order_of_the_origins():
    days = [AS_OF - pd.Timedelta(days=day) for day in range(6)]

    def task(origin: pd.Timestamp) -> pd.Timestamp:
        time.sleep(0.02 if origin == AS_OF else 0)
        return origin

    assert list(parallel_map(task, days, workers=3)) == days


def test_after_an_error_no_further_task_begins():
    begun = []

    def task(origin: pd.Timestamp) -> None:
        begun.append(origin)
        time.sleep(0.02)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        list(parallel_map(task, [AS_OF + pd.Timedelta(days=day) for day in range(50)], workers=1))
    assert len(begun) < 5


RUN = """
import time
import pandas as pd
from kaizar_pipeline.forecasting.origins import parallel_map
def task(origin):
    print("begun", flush=True)
    time.sleep(0.3)
list(parallel_map(task, [pd.Timestamp("2026-01-01")] * 200, workers=2))
"""


@pytest.mark.integration
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "interrupt"])
def test_a_run_that_is_ended_leaves_no_process_behind(how: signal.Signals):
    run = subprocess.Popen(
        [sys.executable, "-c", RUN],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "begun\n"
    ended = time.monotonic()
    run.send_signal(how)
    # a process left behind would keep the pipe open until all tasks are done, for 30 seconds
    run.communicate(timeout=60)
    assert time.monotonic() - ended < 15
