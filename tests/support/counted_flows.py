"""The flows of one replication, as the kernel counts them, and as their definition has them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import NamedTuple

import numpy as np

from kaizar_pipeline.simulation.flow_windows import FLOW, FlowWindows, windows_of
from kaizar_pipeline.simulation.kernel import block as kernel
from kaizar_pipeline.simulation.kernel.inputs import rules_of, sources_of
from kaizar_pipeline.simulation.plan import Plan
from kaizar_pipeline.simulation.trajectories import DISCHARGED, NOWHERE, Stays, Trajectories
from kaizar_pipeline.simulation.workers import flow_window_of, window_of


class CountedFlows(NamedTuple):
    """Of one replication, by row of the ward axis and window."""

    flows: dict[str, np.ndarray]
    """By name."""
    free: np.ndarray
    is_short: np.ndarray
    hours_to_bed: np.ndarray
    """By row alone."""


def counted(plan: Plan, drawn: Trajectories, stays: Stays) -> CountedFlows:
    """By the kernel; patients of the census who wait without a bed wait for their first one."""
    flows = flow_window_of(plan)._replace(of_census=np.full(drawn.n_census, FLOW.emergency))
    patients, window, rows = len(drawn.arrival), window_of(plan), len(plan.ward_axis)
    model = kernel.Model(sources_of(plan), rules_of(plan), rules_of(plan.demand()), window, flows, True)
    buffers = kernel.make_buffers(model, patients, len(drawn.los))
    actual, demand = (kernel.make_tallies(np.full(rows, patients + 1), window) for _ in range(2))
    widest = np.full(rows * len(FLOW), 2 * patients + 2)
    totals = kernel.Totals(actual, demand, kernel.make_flow_tallies(widest, flows))
    records = kernel.make_records(window, 1)
    assert kernel.tally_one(model, kernel.Simulated(drawn, stays, stays), buffers, totals, records, 0) == 0
    found = buffers.counted_flows
    values = {name: found.values[:, place].astype(int) for name, place in FLOW._asdict().items()}
    net = values["net"]
    values["net"] = np.where(net % 2 == 0, net // 2, -(net // 2) - 1)
    return CountedFlows(values, found.free, found.is_short, records.to_bed[0])


@dataclass(frozen=True)
class Flows:
    """By their definition, of a ward or a group of wards: who comes has held no bed of it until then, who leaves holds
    none from then on."""

    plan: Plan
    drawn: Trajectories
    stays: Stays
    wards: frozenset[int]
    """Of the row."""

    @cached_property
    def windows(self) -> FlowWindows:
        return windows_of(self.plan)

    @cached_property
    def events(self) -> list[tuple[float, str]]:
        """Time and flow."""
        return [event for p in range(len(self.stays.status)) for event in self._of_patient(p)]

    def _of_patient(self, p: int) -> Iterator[tuple[float, str]]:
        stays, used, first = self.stays, self.stays.used_ward, self.drawn.offset[p]
        beds = [s for s in range(first, self.drawn.offset[p + 1]) if used[s] != NOWHERE]
        seated = p < self.drawn.n_census and self.drawn.seat[p] != NOWHERE
        for s in beds:
            here, before, after = (n in beds and used[n] in self.wards for n in (s, s - 1, s + 1))
            if here and not (before and stays.depart[s - 1] == stays.admit[s]):
                yield float(stays.admit[s]), "arrivals" if s == first and not seated else "transfers_in"
            if here and not (after and stays.depart[s] == stays.admit[s + 1]):
                is_home = s == beds[-1] and stays.status[p] == DISCHARGED
                yield float(stays.depart[s]), "discharges" if is_home else "transfers_out"
        if not beds and self.drawn.planned_ward[first] in self.wards:
            yield float(stays.depart[first]), "turned_away"

    @cached_property
    def requests(self) -> list[tuple[float, float, float]]:
        """Of those who have no bed here: when they ask, until when they wait, and when they get it."""
        stays, planned, found = self.stays, self.drawn.planned_ward, []
        for p in range(len(stays.status)):
            for s in range(self.drawn.offset[p], self.drawn.offset[p + 1]):
                first = s == self.drawn.offset[p]
                holds = not first and stays.depart[s - 1] == stays.admit[s] and stays.used_ward[s - 1] in self.wards
                if stays.request[s] < inf and planned[s] in self.wards and not holds:
                    found.append((stays.request[s], min(stays.admit[s], stays.depart[s]), stays.admit[s]))
        return found

    def of(self, flow: str) -> np.ndarray:
        """In each window."""
        return self._in_windows([time for time, name in self.events if name == flow])

    def _in_windows(self, times: list[float]) -> np.ndarray:
        since = np.array(times).reshape(-1, 1) - self.plan.warmup_hours
        after = (since > self.windows.begins) | ((since == 0) & (self.windows.begins == 0))
        return (after & (since <= self.windows.ends) & (since < self.plan.statistics_hours)).sum(axis=0)

    def census(self, hours: np.ndarray) -> np.ndarray:
        """At so many hours that count, those admitted at that instant included; at 0 just before it."""
        at, in_row = hours + self.plan.warmup_hours, np.isin(self.stays.used_ward, list(self.wards))
        admit, depart = self.stays.admit[in_row][:, None], self.stays.depart[in_row][:, None]
        present = np.where(hours == 0, (admit < at) & (at <= depart), (admit <= at) & (at < depart))
        return present.sum(axis=0)

    @property
    def asking(self) -> np.ndarray:
        """In each window."""
        begins = self.windows.begins
        asked, until = (np.array([times[k] for times in self.requests]).reshape(-1, 1) for k in (0, 1))
        at = begins + self.plan.warmup_hours
        waits = np.where(begins == 0, (asked < at) & (at <= until), (asked <= at) & (at < until)).sum(axis=0)
        return waits + self._in_windows([times[0] for times in self.requests])

    @property
    def waiting_at_first(self) -> list[tuple[float, float]]:
        """Until when those wait who do at the first instant that counts, and when they get a bed."""
        at = self.plan.warmup_hours
        return [(until, admit) for asked, until, admit in self.requests if asked < at <= until]

    @property
    def hours_to_bed(self) -> float:
        """Mean, NaN where nobody waits."""
        hours = [min(until, self.plan.hours) - self.plan.warmup_hours for until, _ in self.waiting_at_first]
        return sum(hours) / len(hours) if hours else np.nan


def rows_of(plan: Plan, drawn: Trajectories, stays: Stays) -> list[Flows]:
    """The flows of each row of the ward axis, by definition."""
    sets = [[w] for w in range(len(plan.ward_ids))] + [np.flatnonzero(members).tolist() for members in plan.is_member]
    return [Flows(plan, drawn, stays, frozenset(wards)) for wards in sets]
