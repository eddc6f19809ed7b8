"""The two records of a replication: the patients as drawn, and what happened to them.

`draw` makes trajectories, an engine turns them into stays, counting reads both. Time is hours since the warm-up begins;
never is +inf. P patients have S stays in all.
"""

from typing import NamedTuple

from kaizar_pipeline.simulation.kernel.arrays import Floats, Indices, Integers, SmallIntegers, Statuses

NOWHERE = -1
"""The ward of those who hold no bed."""

CAPACITY, END_OF_STAY, PATIENCE, ARRIVAL = range(4)
"""Kinds of timed events, in the order in which they happen at one instant."""

NOT_ARRIVED, IN_SYSTEM, DISCHARGED, DIVERTED, LEFT = range(5)
"""Status of a patient at the end."""

WAITING, BOARDING, OUTLIERS = range(3)
"""Groups of patients counted at each hour beside the census of a ward: those who wait for a bed in it, those in it who
wait for the next, and those in it who asked for another."""

CENSUS, FULL = range(2)
"""What is counted by hour of the week: patients in beds, and weeks in which the ward is full."""

FULL_LEVEL = 0
"""Place of full on a level axis, before the levels of the hospital's file."""

DAYS_PER_SPAN = 7
"""Dates of the weeks that are counted from as_of on; the last may have fewer."""


class Trajectories(NamedTuple):
    """The patients of one replication, before any queueing."""

    n_census: int
    """Patients of the starting census; they are the first, in order of their original request."""
    seat: SmallIntegers
    """i4[n_census]: ward of the bed held, -1 for none."""
    admitted: Floats
    """f8[n_census]: admission to that bed (<= 0), +inf for none."""
    requested: Floats
    """f8[n_census]: the request that still waits (< 0); 0 for those in care."""
    arrival: Floats
    """f8[P], ascending; 0 for the census."""
    patient_type: SmallIntegers
    """i4[P]"""
    stream: SmallIntegers
    """i4[P]: index in plan.streams, -1 for the census."""
    number: Indices
    """u4[P]: patient number within the stream."""
    patience: Floats
    """f8[P]: hours until a patient who waits for a first bed leaves."""
    offset: Integers
    """i8[P + 1]: the stays of patient p are offset[p] .. offset[p + 1] - 1."""
    planned_ward: SmallIntegers
    """i4[S]"""
    priority: SmallIntegers
    """i4[S]: place in the queue, 0 most urgent."""
    los: Floats
    """f8[S]: operational hours from admission to the end of care; 0 at the start for those whose care had ended."""
    delay: Floats
    """f8[S]: operational hours of discharge delay after that, on last stays."""
    clock: SmallIntegers
    """i4[S]: the clock on which both run, NO_CLOCK where hours are plain hours."""
    operational: Floats
    """f8[C, hours + 1]: operational time of each clock at each hour."""

    def cut(self, patients: int, stays: int) -> "Trajectories":
        """The first patients and stays of a buffer that is not full."""
        by_patient = {name: getattr(self, name)[:patients] for name in _BY_PATIENT}
        by_stay = {name: getattr(self, name)[:stays] for name in ("planned_ward", "priority", "los", "delay", "clock")}
        return self._replace(offset=self.offset[: patients + 1], **by_patient, **by_stay)


_BY_PATIENT = ("arrival", "patient_type", "stream", "number", "patience")


class Stays(NamedTuple):
    """What happened in the stays of those patients."""

    request: Floats
    """f8[S]"""
    admit: Floats
    """f8[S]"""
    ready: Floats
    """f8[S]: end of care."""
    depart: Floats
    """f8[S]: the bed is left; for patients diverted or left without being seen, when that was."""
    used_ward: SmallIntegers
    """i4[S]: ward of the bed, -1 for none."""
    status: Statuses
    """i1[P]: NOT_ARRIVED, IN_SYSTEM, DISCHARGED, DIVERTED or LEFT."""
