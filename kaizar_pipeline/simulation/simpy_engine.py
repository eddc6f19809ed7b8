"""The reference engine: who gets which bed when, as SimPy processes, written to be read.

Nothing here is random: `simulate` turns trajectories into stays. It is the specification; every other engine must
return the same arrays bit for bit. Timed events at one instant happen in the order CAPACITY < END_OF_STAY < PATIENCE <
ARRIVAL, then by patient; whatever one of them causes (release, grant, onward request) is over before the next one
begins.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from heapq import heappush
from math import ceil, inf
from typing import Any

import numpy as np
import simpy
from simpy.events import NORMAL, Event, EventPriority

from kaizar_pipeline.simulation.clocks import NO_CLOCK
from kaizar_pipeline.simulation.plan import Plan
from kaizar_pipeline.simulation.trajectories import (
    ARRIVAL,
    CAPACITY,
    DISCHARGED,
    DIVERTED,
    END_OF_STAY,
    IN_SYSTEM,
    LEFT,
    NOT_ARRIVED,
    NOWHERE,
    PATIENCE,
    Stays,
    Trajectories,
)
from kaizar_pipeline.stats.operational_time import leave_at


def simulate(plan: Plan, trajectories: Trajectories) -> Stays:
    """Run one replication from 0 up to, and not including, `plan.hours`."""
    return Hospital(plan, trajectories).run()


class TimedEnvironment(simpy.Environment):
    """SimPy's environment with events at an absolute time, and an explicit order among those at one time."""

    def __init__(self, patients: int):
        super().__init__()
        self._patients = max(patients, 1)

    def at(self, time: float, kind: int, index: int) -> Event:
        """An event at `time`; SimPy's own immediate events (priorities 0 and 1) are all over before it happens."""
        event = Event(self)
        event._ok, event._value = True, None
        priority = EventPriority(NORMAL + 1 + kind * self._patients + index)
        heappush(self._queue, (time, priority, next(self._eid), event))
        return event


@dataclass(order=True)
class Waiter:
    """A patient in a queue; more urgent ones come first, then those who asked first."""

    priority: int
    turn: int
    patient: int = field(compare=False)
    held: int = field(compare=False)
    """Ward of the bed held meanwhile, or NOWHERE."""
    granted: Event = field(compare=False)
    """Succeeds with the ward of the bed, or with NOWHERE when patience ends."""


class Ward:
    """Beds and the queue for them. A freed bed looks free until the queue is served, so free also asks for no queue."""

    def __init__(self, index: int, beds: int):
        self.index = index
        self.beds = beds
        self.census = 0
        self.queue: list[Waiter] = []

    @property
    def has_free_bed(self) -> bool:
        """Whether a request is granted at once."""
        return self.census < self.beds and not self.queue

    def is_at(self, threshold: float) -> bool:
        """Whether the census has reached `threshold` of the beds staffed now, as whole beds."""
        return threshold < inf and self.census >= ceil(threshold * self.beds - 1e-9)


class Hospital:
    """The hospital during one replication. Tests observe it by overriding its methods, one for each rule."""

    def __init__(self, plan: Plan, trajectories: Trajectories):
        self.plan = plan
        self.trajectories = trajectories
        self.wards = [Ward(index, int(beds)) for index, beds in enumerate(plan.beds)]
        self.waiting_in: dict[tuple[int, int], int] = {}
        """Patients who hold a bed in the first ward and wait for the second: the edges in which a cycle can close."""
        self.turn = 0
        stays, patients = len(trajectories.los), len(trajectories.arrival)
        self.env = TimedEnvironment(patients)
        self.request, self.admit, self.ready, self.depart = (np.full(stays, inf) for _ in range(4))
        self.used_ward = np.full(stays, NOWHERE, dtype=np.int32)
        self.status = np.full(patients, NOT_ARRIVED, dtype=np.int8)
        # plain lists: reading single elements of an array is several times slower
        self.los, self.delay = trajectories.los.tolist(), trajectories.delay.tolist()
        self.clock, self.operational = trajectories.clock.tolist(), trajectories.operational
        self.offset, self.planned_ward = trajectories.offset.tolist(), trajectories.planned_ward.tolist()

    def run(self) -> Stays:
        """Run to the end of the horizon."""
        self.seat_census()
        for hour, ward, beds in self.plan.capacity_changes:
            self.call_at(hour, CAPACITY, 0, lambda ward=ward, beds=beds: self.staff(self.wards[ward], beds))
        self.env.process(self.arrivals())
        self.env.run(until=self.plan.hours)
        return Stays(self.request, self.admit, self.ready, self.depart, self.used_ward, self.status)

    # Patients

    def seat_census(self) -> None:
        """Seat the census, whatever the capacity; then all go on, in order of their original request."""
        census = self.trajectories
        for patient in range(census.n_census):
            self.status[patient] = IN_SYSTEM
            if census.seat[patient] != NOWHERE:
                stay = self.offset[patient]
                self.wards[census.seat[patient]].census += 1
                self.used_ward[stay] = census.seat[patient]
                self.request[stay] = self.admit[stay] = census.admitted[patient]
        for patient in range(census.n_census):
            self.env.process(self.patient_of_census(patient))

    def arrivals(self) -> Generator[Event, Any, None]:
        """Let the patients arrive who are not diverted."""
        arrival = self.trajectories.arrival.tolist()
        for patient in range(self.trajectories.n_census, len(arrival)):
            yield self.env.at(arrival[patient], ARRIVAL, patient)
            if self.is_stopped(patient) or self.is_one_too_many(patient):
                self.status[patient] = DIVERTED
                self.request[self.offset[patient]] = self.depart[self.offset[patient]] = self.env.now
            else:
                self.status[patient] = IN_SYSTEM
                self.env.process(self.route(patient, self.offset[patient], NOWHERE))

    def patient_of_census(self, patient: int) -> Generator[Event, Any, None]:
        """The rest of the stay in progress, or the request that still waits, and the stays after it."""
        seat, stay = int(self.trajectories.seat[patient]), self.offset[patient]
        pending_since = float(self.trajectories.requested[patient])
        if seat == NOWHERE:
            yield from self.route(patient, stay, NOWHERE, pending_since)
            return
        if self.los[stay] > 0:
            yield self.env.at(self.after(stay, 0.0, self.los[stay]), END_OF_STAY, patient)
        held = yield from self.after_care(patient, stay, seat)
        since = pending_since if self.los[stay] == 0 else None
        yield from self.route(patient, stay + 1, held, since)

    def route(
        self, patient: int, first: int, held: int, pending_since: float | None = None
    ) -> Generator[Event, Any, None]:
        """The patient's stays from `first` on, holding a bed in `held`; the first was asked for at `pending_since` or
        now."""
        for stay in range(first, self.offset[patient + 1]):
            self.request[stay] = self.env.now if pending_since is None else pending_since
            asked_before = pending_since is not None and pending_since < 0
            pending_since = None
            ward = yield from self.bed(patient, stay, held, asked_before)
            if ward == NOWHERE:
                self.status[patient] = LEFT
                self.depart[stay] = self.env.now
                return
            self.used_ward[stay] = ward
            self.admit[stay] = self.env.now
            if held != NOWHERE:
                self.depart[stay - 1] = self.env.now
                self.serve(self.wards[held])
            yield self.env.at(self.after(stay, self.env.now, self.los[stay]), END_OF_STAY, patient)
            held = yield from self.after_care(patient, stay, ward)
        self.status[patient] = DISCHARGED

    def after_care(self, patient: int, stay: int, ward: int) -> Generator[Event, Any, int]:
        """End care in `ward`: go home after the discharge delay, release the bed, or hold it. Returns the ward of the
        bed still held."""
        self.ready[stay] = self.env.now
        is_last = stay + 1 == self.offset[patient + 1]
        if is_last and self.delay[stay] > 0:
            yield self.env.at(self.after(stay, self.env.now, self.delay[stay]), END_OF_STAY, patient)
        if is_last or not self.plan.holds_bed[ward]:
            self.depart[stay] = self.env.now
            self.wards[ward].census -= 1
            self.serve(self.wards[ward])
            return NOWHERE
        return ward

    def after(self, stay: int, now: float, length: float) -> float:
        """When `length` hours of the stay's clock are over."""
        clock = self.clock[stay]
        return now + length if clock == NO_CLOCK else leave_at(self.operational[clock], now, length)

    # Beds

    def bed(self, patient: int, stay: int, held: int, asked_before: bool) -> Generator[Event, Any, int]:
        """Ask for a bed for `stay` and wait for it. Returns its ward, or NOWHERE when patience ended first."""
        planned = self.planned_ward[stay]
        if planned == held:
            return planned  # the bed is kept, without queueing
        ward = self.wards[planned] if asked_before else self.overflow(self.wards[planned])
        waiter = Waiter(int(self.trajectories.priority[stay]), self.turn, patient, held, self.env.event())
        self.turn += 1
        if ward.has_free_bed:
            self.move(waiter, ward)
            return ward.index
        insort(ward.queue, waiter)
        if held != NOWHERE:
            edge = (held, ward.index)
            self.waiting_in[edge] = self.waiting_in.get(edge, 0) + 1
            if self.waiting_in[edge] == 1:
                self.exchange(edge)
        is_first = stay == self.offset[patient]
        if is_first and self.trajectories.patience[patient] < inf:
            ends = self.env.now + float(self.trajectories.patience[patient])
            self.call_at(ends, PATIENCE, patient, lambda: self.give_up(ward, waiter))
        return (yield waiter.granted)

    def overflow(self, ward: Ward) -> Ward:
        """The ward that takes a request for `ward`: if it is at its threshold, the first of its list with a free
        bed."""
        if ward.is_at(self.plan.overflow_threshold[ward.index]):
            for other in self.plan.overflow_wards[ward.index]:
                if self.wards[other].has_free_bed:
                    return self.wards[other]
        return ward

    def is_stopped(self, patient: int) -> bool:
        """Whether an admission stop diverts the patient."""
        patient_type = int(self.trajectories.patient_type[patient])
        return any(
            patient_type in stop.patient_types and self.wards[stop.ward].is_at(stop.threshold)
            for stop in self.plan.admission_stops
        )

    def is_one_too_many(self, patient: int) -> bool:
        """Whether the patient, who comes from outside, finds no bed and as many waiting as may."""
        ward = self.overflow(self.wards[self.planned_ward[self.offset[patient]]])
        return not ward.has_free_bed and len(ward.queue) >= self.plan.queue_limit[ward.index]

    def serve(self, ward: Ward) -> None:
        """Give free beds to those who wait, in their order."""
        while ward.queue and ward.census < ward.beds:
            self.grant(ward.queue[0], ward)

    def grant(self, waiter: Waiter, ward: Ward) -> None:
        """Give the waiter a bed in `ward`."""
        ward.queue.remove(waiter)
        if waiter.held != NOWHERE:
            self.waiting_in[waiter.held, ward.index] -= 1
        self.move(waiter, ward)
        waiter.granted.succeed(ward.index)

    def move(self, waiter: Waiter, ward: Ward) -> None:
        """Take a bed in `ward` and leave the one held; its ward's queue is served when the patient has gone."""
        ward.census += 1
        if waiter.held != NOWHERE:
            self.wards[waiter.held].census -= 1

    def exchange(self, edge: tuple[int, int]) -> None:
        """If waiting along `edge` closes a cycle of full wards, the first waiter of each of its edges moves on at
        once."""
        cycle = self.shortest_cycle(edge)
        first_waiters = [
            next(waiter for waiter in self.wards[to].queue if waiter.held == held)
            for held, to in zip(cycle, cycle[1:] + cycle[:1], strict=True)
        ]
        for waiter, to in zip(first_waiters, cycle[1:] + cycle[:1], strict=True):
            self.grant(waiter, self.wards[to])

    def shortest_cycle(self, edge: tuple[int, int]) -> list[int]:
        """The wards of the shortest cycle through `edge`, beginning with the ward left; empty if none. Ties: config
        order."""
        start, goal = edge[1], edge[0]
        came_from = {start: NOWHERE}
        to_visit = deque([start])
        while to_visit and goal not in came_from:
            here = to_visit.popleft()
            for there in range(len(self.wards)):
                if there not in came_from and self.waiting_in.get((here, there), 0) > 0:
                    came_from[there] = here
                    to_visit.append(there)
        path = []
        ward = goal if goal in came_from else NOWHERE
        while ward != NOWHERE:
            path.append(ward)
            ward = came_from[ward]
        return path[:1] + path[:0:-1]

    def give_up(self, ward: Ward, waiter: Waiter) -> None:
        """Leave without being seen, unless a bed was granted in time."""
        if not waiter.granted.triggered:
            ward.queue.remove(waiter)
            waiter.granted.succeed(NOWHERE)

    def staff(self, ward: Ward, beds: int) -> None:
        """Staff so many beds from now on."""
        ward.beds = beds
        self.serve(ward)

    def call_at(self, time: float, kind: int, index: int, action: Callable[[], None]) -> None:
        """Call `action` as a timed event."""
        event = self.env.at(time, kind, index)
        assert event.callbacks is not None
        event.callbacks.append(lambda _: action())
