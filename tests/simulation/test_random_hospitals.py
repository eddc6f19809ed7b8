"""The random hospitals reach every rule, and often: the basis of the comparison of the engines."""

from collections import Counter
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest
from random_hospitals import Hospital as RandomHospital
from random_hospitals import hospital_of_seed
from simpy.events import Event

from kaizar_pipeline.simulation.plan import UNLIMITED
from kaizar_pipeline.simulation.simpy_engine import Hospital, Waiter, Ward
from kaizar_pipeline.simulation.trajectories import DIVERTED, LEFT, NOT_ARRIVED, NOWHERE, Stays

pytestmark = pytest.mark.integration

HOSPITALS = 400

MANY = 5
"""Hospitals out of 400 in which each thing has to happen."""


class _Observed(Hospital):
    """The reference engine, counting which rules it applies."""

    def __init__(self, hospital: RandomHospital):
        self.met: Counter[str] = Counter()
        super().__init__(hospital.plan, hospital.trajectories)

    def seat_census(self) -> None:
        super().seat_census()
        self.met["census above the beds"] += any(ward.census > ward.beds for ward in self.wards)

    def route(
        self, patient: int, first: int, held: int, pending_since: float | None = None
    ) -> Generator[Event, Any, None]:
        asked_before = pending_since is not None and pending_since < 0
        self.met["census waits without a bed"] += asked_before and held == NOWHERE
        self.met["census boards"] += asked_before and held != NOWHERE
        self.met["care of the census had just ended"] += pending_since == 0 and held != NOWHERE
        return super().route(patient, first, held, pending_since)

    def after_care(self, patient: int, stay: int, ward: int) -> Generator[Event, Any, int]:
        is_last = stay + 1 == self.offset[patient + 1]
        delayed = is_last and self.delay[stay] > 0
        self.met["discharge delayed"] += delayed
        self.met["discharge delayed in the census"] += delayed and stay < self.offset[self.trajectories.n_census]
        self.met["bed released to wait outside"] += not is_last and not self.plan.holds_bed[ward]
        return super().after_care(patient, stay, ward)

    def bed(self, patient: int, stay: int, held: int, asked_before: bool) -> Generator[Event, Any, int]:
        planned = self.wards[self.planned_ward[stay]]
        first = stay == self.offset[patient]
        self.met["same ward again, bed kept"] += planned.index == held
        self.met["same ward again, from the end of the queue"] += (
            not first and held == NOWHERE and self.used_ward[stay - 1] == planned.index
        )
        self.met["an outlier goes on from another ward's bed"] += (
            held != NOWHERE and self.planned_ward[stay - 1] != held and planned.index != held
        )
        return super().bed(patient, stay, held, asked_before)

    def overflow(self, ward: Ward) -> Ward:
        threshold = self.plan.overflow_threshold[ward.index]
        at_threshold, listed = ward.is_at(threshold), self.plan.overflow_wards[ward.index]
        taken = super().overflow(ward)
        self.met["overflow"] += taken is not ward
        self.met["overflow not to the first listed"] += taken is not ward and taken.index != listed[0]
        self.met["overflow below the capacity"] += taken is not ward and ward.has_free_bed
        self.met["overflow at a threshold rounded up"] += at_threshold and ward.census < threshold * ward.beds
        self.met["overflow finds all full"] += at_threshold and taken is ward and not ward.has_free_bed
        self.met["overflow passes a free bed with a queue"] += at_threshold and any(
            self.wards[other].queue and self.wards[other].census < self.wards[other].beds for other in listed
        )
        return taken

    def is_stopped(self, patient: int) -> bool:
        stopped = super().is_stopped(patient)
        target = self.planned_ward[self.offset[patient]]
        self.met["diverted for another ward"] += stopped and all(
            stop.ward != target for stop in self.plan.admission_stops
        )
        return stopped

    def is_one_too_many(self, patient: int) -> bool:
        refused = super().is_one_too_many(patient)
        ward = self.wards[self.planned_ward[self.offset[patient]]]
        limit = self.plan.queue_limit[ward.index]
        self.met["turned away by the queue limit"] += refused
        self.met["turned away, boarders wait beyond the limit"] += int(refused and len(ward.queue) > limit)
        last = not ward.has_free_bed and not refused and len(ward.queue) + 1 == limit
        self.met["the last place in a queue"] += int(last)
        self.met["the queue is full, overflow is not"] += int(
            limit <= len(ward.queue) and not refused and bool(ward.queue)
        )
        return refused

    def grant(self, waiter: Waiter, ward: Ward) -> None:
        last_asked = max(other.turn for other in ward.queue)
        self.met["a more urgent patient passes"] += waiter is ward.queue[0] and any(
            other.turn < waiter.turn for other in ward.queue
        )
        self.met["first come first served"] += waiter is ward.queue[0] and any(
            other.priority == waiter.priority and other.turn > waiter.turn for other in ward.queue
        )
        self.met["an exchange passes others"] += waiter is not ward.queue[0] and waiter.turn == last_asked
        super().grant(waiter, ward)

    def shortest_cycle(self, edge: tuple[int, int]) -> list[int]:
        cycle = super().shortest_cycle(edge)
        if cycle:
            self.met[f"exchange of {min(len(cycle), 4)}"] += 1  # 4 stands for any more
            self.met["exchange in a ward above its beds"] += any(
                self.wards[ward].census > self.wards[ward].beds for ward in cycle
            )
            self.met["exchange with another waiter on an edge"] += any(
                self.waiting_in[pair] > 1 for pair in zip(cycle, cycle[1:] + cycle[:1], strict=True)
            )
        return cycle

    def staff(self, ward: Ward, beds: int) -> None:
        self.met["beds closed under patients"] += ward.census > beds
        waiting = len(ward.queue)
        super().staff(ward, beds)
        self.met["several admitted as beds open"] += waiting - len(ward.queue) > 1

    def give_up(self, ward: Ward, waiter: Waiter) -> None:
        self.met["admitted before patience ended"] += waiter.granted.triggered
        super().give_up(ward, waiter)


def _met_in_stays(hospital: RandomHospital, stays: Stays) -> Counter[str]:
    plan, trajectories = hospital.plan, hospital.trajectories
    met: Counter[str] = Counter()
    in_bed = np.isfinite(stays.admit)
    arrived = np.arange(len(stays.status)) >= trajectories.n_census
    left = stays.status == LEFT
    met["diverted"] += int(np.sum(stays.status == DIVERTED))
    met["left without being seen"] += int(np.sum(left & arrived))
    met["left at once"] += int(np.sum(left & (trajectories.patience == 0)))
    met["left from the census"] += int(np.sum(left & ~arrived))
    met["not arrived"] += int(np.sum(stays.status == NOT_ARRIVED))
    later = in_bed.copy()
    later[trajectories.offset[:-1]] = False
    patience = np.repeat(trajectories.patience, np.diff(trajectories.offset))
    met["waits longer for a later ward than for the first"] += int(
        np.sum(stays.admit[later] - stays.request[later] > patience[later])
    )
    met["stay of no length"] += int(np.sum(in_bed & (trajectories.los == 0)))
    met["would end with the horizon"] += int(np.sum(stays.admit + trajectories.los == plan.hours))
    met["waits for no beds at all"] += int(
        np.sum((plan.beds[trajectories.planned_ward] == 0) & ~in_bed & np.isfinite(stays.request))
    )
    met["unlimited beds"] += int(np.sum(plan.beds[stays.used_ward[in_bed]] == UNLIMITED))
    met["release ward left by a transfer"] += int(
        np.sum(in_bed[:-1] & in_bed[1:] & (stays.depart[:-1] < stays.admit[1:]))
    )
    return met


@pytest.fixture(scope="module")
def hospitals_in_which() -> Counter[str]:
    """In how many of the hospitals each thing happened."""
    hospitals: Counter[str] = Counter()
    for seed in range(HOSPITALS):
        hospital = hospital_of_seed(seed)
        observed = _Observed(hospital)
        stays = observed.run()
        met = dict(observed.met) | _met_in_stays(hospital, stays)
        hospitals.update({thing: int(times > 0) for thing, times in met.items()})
    return hospitals


def test_every_rule_is_met_in_many_hospitals(hospitals_in_which):
    rare = {thing: times for thing, times in hospitals_in_which.items() if times < MANY}
    assert rare == {}
    assert len(hospitals_in_which) >= 40
