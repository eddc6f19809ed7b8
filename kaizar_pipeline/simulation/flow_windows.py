"""Flows: what is counted of the patients who take beds and give them up, and in which windows of time.

The kernel counts (kernel/flows.py), `ward_flows` makes the table.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.simulation.plan import Plan


class _Flow(NamedTuple):
    """What is counted, by place."""

    emergency: int
    """Patients from outside who take their first bed: of streams that follow no schedule."""
    planned: int
    """The same of streams that follow one."""
    transfers_in: int
    """Patients who take another bed."""
    transfers_out: int
    """Patients who give a bed up for another one, or to wait for it outside any."""
    discharges: int
    """Patients who give their last bed up."""
    turned_away: int
    """Patients who are diverted or leave without being seen."""
    waiting_admitted: int
    """Of those who take a bed, those who waited for it at the first instant that counts."""
    arrivals: int
    """Emergency and planned."""
    net: int
    """Arrivals and transfers in, less transfers out and discharges."""


FLOW = _Flow(*range(len(_Flow._fields)))
"""Place of each flow."""

REQUESTS, WAITING = FLOW.arrivals, FLOW.net
"""What is counted by segment in the places of the sums: who asks for a bed, and who waits for one as it begins."""


@dataclass(frozen=True)
class FlowWindows:
    """Windows of the hours that count. An event at the instant at which a window ends is in it, one at which it begins
    is not, unless nothing comes before."""

    names: tuple[str, ...]
    """day, until_next_snapshot or next_24_hours."""
    begins: np.ndarray
    """i8: hours since the first that counts."""
    ends: np.ndarray
    """i8"""


def flow_windows(start: pd.Timestamp, hours: int, snapshots: Collection[int]) -> FlowWindows:
    """The windows of so many hours from `start`: each date, until the next of the hours of the day at which there are
    `snapshots`, and a day of 24 hours. None goes on after the last hour."""
    midnights = np.arange(HOURS_PER_DAY - start.hour, hours, HOURS_PER_DAY)
    next_snapshot = min((hour - start.hour - 1) % HOURS_PER_DAY + 1 for hour in snapshots)
    ahead = np.minimum([next_snapshot, HOURS_PER_DAY], hours)
    return FlowWindows(
        names=("day",) * (len(midnights) + 1) + ("until_next_snapshot", "next_24_hours"),
        begins=np.concatenate([[0], midnights, [0, 0]]).astype(np.int64),
        ends=np.concatenate([midnights, [hours], ahead]).astype(np.int64),
    )


def windows_of(plan: Plan) -> FlowWindows:
    """The windows of a plan."""
    return flow_windows(plan.statistics_start, plan.statistics_hours, plan.snapshots)
