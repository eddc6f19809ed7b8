"""Random hospitals in which every rule meets every other: small, crowded, and half of them on a coarse grid of times.

Each is made from a seed, so thousands are quick and every one is rich. Hypothesis chooses the seed and shrinks by
leaving patients and rules out; a counter-example prints as the arguments of the `play` fixture. Patients are made
directly, not drawn by the twin.
"""

import os
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from itertools import pairwise
from math import inf
from random import Random
from typing import Any

from hand_made import MONDAY, Patient, make_config, make_small_plan, trajectories_of
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from kaizar_pipeline.simulation.plan import Plan
from kaizar_pipeline.simulation.trajectories import Stays, Trajectories

KINDS = ("low", "high", "other")

THRESHOLDS = (0.3, 0.5, 0.5 + 1e-12, 0.7, 0.9, 1.0, 1.0, 1.0)
"""Shares of the beds, one of them above a round value by a rounding error, as a sum of fractions may be."""

NO_LENGTH = {"type": "fixed", "params": {"value": 0}}
"""Lengths of stay are given by patient; a distribution in the config would only have to be fitted to the clocks."""

TICKS_PER_HOUR = (1, 2, 10, 9973, 9973, 9973)
"""Times are whole ticks. On the coarse grids events coincide; in tenths of an hour often except for the last bit."""


@dataclass(frozen=True)
class Hospital:
    """A hospital and its patients, as the arguments of `play`."""

    wards: dict[str, dict[str, Any]]
    patients: list[Patient]
    days: int
    parts: dict[str, Any]
    begun: int = 0

    @cached_property
    def plan(self) -> Plan:
        return make_small_plan(make_config(self.wards, **self.parts), self.days, self.begun)

    @cached_property
    def trajectories(self) -> Trajectories:
        return trajectories_of(self.plan, self.patients)


def hospital_of_seed(seed: int) -> Hospital:
    return _Maker(Random(seed)).hospital()


@st.composite
def hospitals(draw: st.DrawFn) -> Hospital:
    """The hospital of some seed less a few patients and rules; the simplest has none."""
    whole = hospital_of_seed(draw(st.integers(0, 2**32 - 1)))
    remains = st.integers(0, 31).map(bool)

    def some(items: list[Any]) -> list[Any]:
        return [item for item in items if draw(remains)]

    def shorter(patient: Patient) -> Patient:
        return patient if patient.census or draw(remains) else replace(patient, stays=patient.stays[:1])

    def simpler(ward: dict[str, Any]) -> dict[str, Any]:
        less = [
            name
            for name in ("capacity_changes", "weekday_capacity", "queue_limit")
            if name in ward and not draw(remains)
        ]
        return {name: value for name, value in ward.items() if name not in less}

    policies = {name: some(rules) for name, rules in whole.parts["policies"].items()}
    return replace(
        whole,
        wards={name: simpler(ward) for name, ward in whole.wards.items()},
        patients=[shorter(patient) for patient in some(whole.patients)],
        parts=whole.parts | {"policies": policies},
    )


MORE = int(os.environ.get("KAIZAR_MORE_EXAMPLES", "1"))


def examples(number: int) -> settings:
    """`number` hospitals, the same on every machine; with KAIZAR_MORE_EXAMPLES=20 twenty times as many, new each
    time."""
    return settings(
        max_examples=MORE * number,
        derandomize=MORE == 1,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def differences(first: Stays, second: Stays) -> list[str]:
    """Names of the arrays that are not the same bit for bit."""
    return [
        name
        for name, one, two in zip(Stays._fields, first, second, strict=True)
        if one.dtype != two.dtype or one.tobytes() != two.tobytes()
    ]


class _Maker:
    def __init__(self, random: Random):
        self.random = random
        self.ticks_per_hour = random.choice(TICKS_PER_HOUR)
        self.is_full_of_boarders = self._chance(1, 3)
        wards = random.choice((3, 4, 5, 6) if self.is_full_of_boarders else (1, 2, 2, 3, 4, 6))
        self.names = [f"w{index}" for index in range(wards)]
        self.days = random.choice((1, 1, 2, 4))
        self.hours = 24 * self.days
        self.arrivals_end = random.choice((1, 8, self.hours, self.hours + 2))
        self.longest_stay = random.choice((1, 3, 3, 8, 30))

    def hospital(self) -> Hospital:
        kinds = [{"id": kind, "priority": self.random.randrange(3)} for kind in KINDS]
        wards = {name: self._ward() for name in self.names}
        limited = [name for name, ward in wards.items() if ward["capacity"] is not None]
        policies = {
            "priorities": self._priorities(),
            "overflow": [self._overflow(name) for name in limited if len(wards) > 1 and self._chance(2, 5)],
            "admission_stop": [self._stop(self.random.choice(limited)) for _ in range(self._stops()) if limited],
        }
        seats = self._seats(wards)
        census = [self._of_census(seats) for _ in range(self._number((0, 20, 40)))]
        arrivals = [self._arrival() for _ in range(self._number((10, 30, 70)))]
        patients = census + sorted(arrivals, key=lambda patient: patient.arrival)
        begun = self.random.choice((0, 0, 8, 17))
        days = self.days + (begun > 0)
        return Hospital(wards, patients, days, {"patient_types": kinds, "policies": policies}, begun)

    # Choices

    def _chance(self, times: int, of: int) -> bool:
        return self.random.randrange(of) < times

    def _number(self, at_most: tuple[int, ...]) -> int:
        return self.random.randrange(self.random.choice(at_most) + 1)

    def _hours(self, upto: int) -> float:
        return self.random.randrange(upto * self.ticks_per_hour + 1) / self.ticks_per_hour

    def _some(self, items: list[str]) -> list[str]:
        """At least one of `items`, in any order."""
        return self.random.sample(items, self.random.randrange(len(items)) + 1)

    # Wards and policies

    def _ward(self) -> dict[str, Any]:
        beds = self.random.choice((1, 2, 2, 3) if self.is_full_of_boarders else (1, 1, 2, 2, 3, 4, 6, 0, None))
        releases = self._chance(1, 10 if self.is_full_of_boarders else 3)
        ward: dict[str, Any] = {
            "capacity": beds,
            "boarding": "release" if releases else "hold",
            "los_model": NO_LENGTH,
        }
        if beds is not None:
            if self._chance(1, 3):
                ward["queue_limit"] = self.random.choice((0, 0, 0, 1, 2))
            if self._chance(1, 3):
                ward["capacity_changes"] = self._changes()
            if self._chance(1, 4):
                ward["weekday_capacity"] = {day: self._few_beds() for day in self._some(["Mon", "Tue", "Wed", "Thu"])}
        if self._chance(1, 3):
            ward["discharge_clock"] = self._clock()
        if self._chance(1, 4):
            ward["transfer_clock"] = self._clock()
        return ward

    def _clock(self) -> dict[str, Any]:
        """Some hours in which nobody leaves, and some days that are slow."""
        hours = [self.random.choice((0, 0, 1, 1, 3)) for _ in range(23)]
        return {"hours": [*hours, 1], "weekday": {day: self.random.choice((0, 0.3, 1)) for day in ("Tue", "Wed")}}

    def _few_beds(self) -> int:
        return self.random.choice((0, 1, 1, 2, 3, 5))

    def _changes(self) -> list[dict[str, Any]]:
        """Up to three consecutive periods, with or without a gap."""
        bounds = sorted({self._hours(min(self.hours, self.arrivals_end + 8)) for _ in range(4)})
        instants = [MONDAY.to_pydatetime() + timedelta(hours=hour) for hour in bounds]
        periods = list(pairwise(instants))
        return [
            {"from": start, "to": end, "capacity": self._few_beds()}
            for start, end in (periods if self._chance(1, 2) else periods[::2])
        ]

    def _priorities(self) -> list[dict[str, Any]]:
        return [
            {"ward": name, "patient_type": kind, "priority": self.random.randrange(4)}
            for name in self.names
            for kind in KINDS
            if self._chance(1, 5)
        ]

    def _overflow(self, name: str) -> dict[str, Any]:
        others = [other for other in self.names if other != name]
        return {"ward": name, "threshold": self.random.choice(THRESHOLDS), "redirect_to": self._some(others)}

    def _stops(self) -> int:
        return self.random.choice((0, 0, 0, 1, 2, 3))

    def _stop(self, name: str) -> dict[str, Any]:
        return {"ward": name, "threshold": self.random.choice(THRESHOLDS), "stop_types": self._some(list(KINDS))}

    # Patients

    def _stays(self) -> list[tuple[str, float]]:
        stays = self.random.choice((1, 1, 2, 2, 3, 4, 6))
        first = self.random.randrange(len(self.names))
        if self.is_full_of_boarders and self._chance(1, 2):  # in a cycle
            wards = [self.names[(first + step) % len(self.names)] for step in range(stays)]
        else:
            wards = [self.names[first]] + [self.random.choice(self.names) for _ in range(stays - 1)]
        return [(ward, 0.0 if self._chance(1, 8) else self._hours(self.longest_stay)) for ward in wards]

    def _delay(self) -> float:
        return self._hours(4) if self._chance(1, 4) else 0.0

    def _patience(self) -> float:
        return self.random.choice((self._hours(6), 0.0)) if self._chance(1, 4) else inf

    def _arrival(self) -> Patient:
        return Patient(
            arrival=self._hours(self.arrivals_end),
            stays=self._stays(),
            kind=self.random.choice(KINDS),
            patience=self._patience(),
            delay=self._delay(),
        )

    def _seats(self, wards: dict[str, dict[str, Any]]) -> list[str]:
        """Beds for the census, as wards in any order: those there are, or three times as many."""
        beds = [
            name for name, ward in wards.items() for _ in range(5 if ward["capacity"] is None else ward["capacity"])
        ]
        seats = self.random.choice((1, 1, 3)) * beds
        self.random.shuffle(seats)
        return seats

    def _of_census(self, seats: list[str]) -> Patient:
        """In care, with care ended (boarding, or just about to go on), or waiting without a bed."""
        form = self.random.choice(("in care", "ended", "boards", "boards", "waits"))
        seat = seats.pop() if seats and form != "waits" else None
        stays = self._stays()
        if seat is not None:
            planned = seat if self._chance(3, 4) else stays[0][0]
            stays[0] = (planned, stays[0][1] if form == "in care" else 0.0)
        pending = seat is None or (form == "boards" and len(stays) > 1)
        return Patient(
            arrival=0.0,
            stays=stays,
            kind=self.random.choice(KINDS),
            patience=self._patience() if seat is None else inf,
            delay=self._delay(),
            seat=seat,
            requested=-1 - self._hours(5) if pending else 0.0,
            census=True,
        )
