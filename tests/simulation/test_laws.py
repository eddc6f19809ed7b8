"""Laws that hold in every hospital, for any patients: on the compiled engine, and so on the reference, which returns
the same bits (test_engines_equal.py)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
from hypothesis import given
from random_hospitals import Hospital, examples, hospitals

from kaizar_pipeline.simulation.clocks import NO_CLOCK
from kaizar_pipeline.simulation.compiled_engine import simulate
from kaizar_pipeline.simulation.plan import Plan
from kaizar_pipeline.simulation.trajectories import (
    DISCHARGED,
    DIVERTED,
    LEFT,
    NOT_ARRIVED,
    NOWHERE,
    Stays,
    Trajectories,
)

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Run:
    """One hospital simulated, and its state at the end of every instant at which anything happened."""

    plan: Plan
    trajectories: Trajectories
    stays: Stays

    @cached_property
    def patient(self) -> np.ndarray:
        """Of each stay."""
        return np.repeat(np.arange(len(self.stays.status)), np.diff(self.trajectories.offset))

    @cached_property
    def follows(self) -> np.ndarray:
        """Stays that follow another one of the same patient."""
        return np.flatnonzero(np.diff(self.patient, prepend=-1) == 0)

    @cached_property
    def instants(self) -> np.ndarray:
        stays = self.stays
        times = np.concatenate([stays.request, stays.admit, stays.ready, stays.depart, [0.0], self._changes[:, 0]])
        return np.unique(times[(times >= 0) & np.isfinite(times)])

    @cached_property
    def _changes(self) -> np.ndarray:
        return np.array(self.plan.capacity_changes, dtype=np.float64).reshape(-1, 3)

    @cached_property
    def beds(self) -> np.ndarray:
        """i8[W, instants]"""
        beds = np.repeat(self.plan.beds[:, None], len(self.instants), axis=1)
        for hour, ward, count in self.plan.capacity_changes:
            beds[ward, self.instants >= hour] = count
        return beds

    @cached_property
    def census(self) -> np.ndarray:
        """i8[W, instants]: patients in beds."""
        return self._present(self.stays.used_ward, self.stays.admit, self.stays.depart)

    @cached_property
    def waiting(self) -> np.ndarray:
        """i8[W, instants]: patients who wait for a bed."""
        until = np.minimum(self.stays.admit, self.stays.depart)
        return self._present(self.trajectories.planned_ward, self.stays.request, until)

    def _present(self, ward: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Intervals start <= instant < end by ward."""
        return np.array(
            [
                np.searchsorted(np.sort(start[ward == w]), self.instants, "right")
                - np.searchsorted(np.sort(end[ward == w]), self.instants, "right")
                for w in range(len(self.plan.ward_ids))
            ]
        )


def the_times_of_a_stay_are_in_order(run: Run) -> None:
    stays = run.stays
    in_bed = stays.used_ward != NOWHERE
    assert np.array_equal(in_bed, np.isfinite(stays.admit))
    assert np.all(stays.admit[in_bed] >= np.minimum(stays.request[in_bed], 0))
    assert np.all(stays.ready >= stays.admit)
    assert np.all(stays.depart[in_bed] >= stays.ready[in_bed])
    assert np.all(stays.request[in_bed] <= stays.admit[in_bed])
    for times in (stays.request, stays.admit, stays.ready, stays.depart):
        assert np.all((times < run.plan.hours) | np.isinf(times))


def care_lasts_as_drawn(run: Run) -> None:
    stays, trajectories = run.stays, run.trajectories
    cared = np.flatnonzero(np.isfinite(stays.ready))
    begins = np.where(stays.admit < 0, 0.0, stays.admit)
    discharged = trajectories.offset[1:][stays.status == DISCHARGED] - 1
    times_last(run, cared, begins, stays.ready, trajectories.los)
    times_last(run, discharged, stays.ready, stays.depart, trajectories.delay)


def times_last(run: Run, chosen: np.ndarray, begin: np.ndarray, end: np.ndarray, hours: np.ndarray) -> None:
    """From `begin` to `end` so many hours pass on the clock of each stay, on no clock to the bit."""
    clock = run.trajectories.clock[chosen]
    plain = chosen[clock == NO_CLOCK]
    assert np.array_equal(end[plain], begin[plain] + hours[plain])
    instants = np.arange(run.plan.hours + 1)
    for stay in chosen[clock != NO_CLOCK]:
        operational = run.trajectories.operational[run.trajectories.clock[stay]]
        passed = np.diff(np.interp([begin[stay], end[stay]], instants, operational))[0]
        assert abs(passed - hours[stay]) < 1e-9
        assert end[stay] == begin[stay] or hours[stay] > 0


def patients_go_from_bed_to_bed(run: Run) -> None:
    stays = run.stays
    later = run.follows[stays.used_ward[run.follows - 1] != NOWHERE]
    before = later - 1
    asked_after_the_start = stays.request[later] >= 0
    assert np.array_equal(stays.request[later][asked_after_the_start], stays.ready[before][asked_after_the_start])
    holds = run.plan.holds_bed[stays.used_ward[before]]
    assert np.array_equal(stays.depart[before][holds], stays.admit[later][holds])
    assert np.array_equal(stays.depart[before][~holds], stays.ready[before][~holds])


def the_status_agrees_with_the_times(run: Run) -> None:
    stays, offset = run.stays, run.trajectories.offset
    first, last = offset[:-1], offset[1:] - 1
    gone = (stays.status == DIVERTED) | (stays.status == LEFT)
    assert np.array_equal(np.isinf(stays.request[first]) & np.isinf(stays.admit[first]), stays.status == NOT_ARRIVED)
    assert np.array_equal(np.isfinite(stays.depart[last]) & np.isfinite(stays.admit[last]), stays.status == DISCHARGED)
    assert np.array_equal(np.isfinite(stays.depart[first]) & np.isinf(stays.admit[first]), gone)
    untouched = np.isin(run.patient, np.flatnonzero(gone)) & ~np.isin(np.arange(len(stays.admit)), first)
    assert np.all(np.isinf(stays.request[untouched]))


def patients_are_conserved(run: Run) -> None:
    arrived = np.sum(run.stays.status != NOT_ARRIVED)
    gone = np.sum(np.isin(run.stays.status, (DISCHARGED, DIVERTED, LEFT)))
    boarders = len(_boarders(run, run.instants[-1]))
    assert run.census[:, -1].sum() + run.waiting[:, -1].sum() - boarders == arrived - gone


def _boarders(run: Run, instant: float) -> list[tuple[int, int]]:
    """(ward held, ward waited for) of each patient who holds a bed and waits for another at the end of `instant`."""
    stays, later = run.stays, run.follows
    waits = (stays.request[later] <= instant) & (stays.admit[later] > instant)
    holds = (stays.admit[later - 1] <= instant) & (stays.depart[later - 1] > instant)
    boards = later[waits & holds]
    return list(zip(stays.used_ward[boards - 1].tolist(), run.trajectories.planned_ward[boards].tolist(), strict=True))


def nobody_is_added_to_a_full_ward(run: Run) -> None:
    seat = run.trajectories.seat
    seated = np.array([np.sum(seat == ward) for ward in range(len(run.plan.ward_ids))])
    before = np.concatenate([seated[:, None], run.census[:, :-1]], axis=1)
    assert np.all(run.census <= np.maximum(run.beds, before))


def nobody_waits_while_a_bed_is_free(run: Run) -> None:
    assert np.all((run.waiting == 0) | (run.census >= run.beds))


def no_cycle_of_boarders_remains(run: Run) -> None:
    for instant in run.instants:
        edges = set(_boarders(run, instant))
        while edges:  # a ward that nobody waits to enter, or whose boarders wait for nothing, is in no cycle
            in_cycle = {held for held, _ in edges} & {to for _, to in edges}
            inner = {(held, to) for held, to in edges if held in in_cycle and to in in_cycle}
            assert inner != edges
            edges = inner


def queues_are_in_order(run: Run) -> None:
    """A patient who asked earlier and is no less urgent is admitted first, except where beds were exchanged."""
    stays, rank = run.stays, run.trajectories.priority
    left = run.stays.status[run.patient] == LEFT
    held = np.zeros(len(rank), dtype=bool)
    held[run.follows] = run.plan.holds_bed[stays.used_ward[run.follows - 1]]
    queued = (stays.request >= 0) & np.isfinite(stays.request) & ~left & (stays.status[run.patient] != DIVERTED)
    queued &= (stays.used_ward == run.trajectories.planned_ward) | (stays.used_ward == NOWHERE)
    for ward in range(len(run.plan.ward_ids)):
        here = np.flatnonzero(queued & (run.trajectories.planned_ward == ward))
        request, admit = stays.request[here], stays.admit[here]
        comes_first = (request[:, None] < request) & (rank[here][:, None] <= rank[here]) & ~held[here]
        assert np.all((admit[:, None] <= admit)[comes_first])


def outliers_are_where_overflow_redirected_them(run: Run) -> None:
    stays, planned = run.stays, run.trajectories.planned_ward
    outlying = (stays.used_ward != planned) & (stays.used_ward != NOWHERE) & (stays.admit >= 0)
    for stay in np.flatnonzero(outlying):
        assert stays.used_ward[stay] in run.plan.overflow_wards[planned[stay]]
        assert stays.admit[stay] == stays.request[stay]


def patients_leave_exactly_when_patience_ends(run: Run) -> None:
    stays, patience = run.stays, run.trajectories.patience
    first = run.trajectories.offset[:-1]
    left = stays.status == LEFT
    since = np.maximum(stays.request[first], 0.0)
    assert np.array_equal(stays.depart[first][left], (since + patience)[left])
    unseated = np.append(run.trajectories.seat, np.full(len(left) - run.trajectories.n_census, NOWHERE)) == NOWHERE
    admitted = unseated & np.isfinite(stays.admit[first])
    assert np.all(stays.admit[first][admitted] <= (since + patience)[admitted])


LAWS = (
    the_times_of_a_stay_are_in_order,
    care_lasts_as_drawn,
    patients_go_from_bed_to_bed,
    the_status_agrees_with_the_times,
    patients_are_conserved,
    nobody_is_added_to_a_full_ward,
    nobody_waits_while_a_bed_is_free,
    no_cycle_of_boarders_remains,
    queues_are_in_order,
    outliers_are_where_overflow_redirected_them,
    patients_leave_exactly_when_patience_ends,
)


@given(hospital=hospitals())
@examples(100)
def test_the_laws_of_a_hospital(hospital: Hospital) -> None:
    run = Run(hospital.plan, hospital.trajectories, simulate(hospital.plan, hospital.trajectories))
    for law in LAWS:
        law(run)


@given(hospital=hospitals())
@examples(75)
def test_with_unlimited_beds_nobody_waits_or_is_turned_away(hospital: Hospital) -> None:
    stays = simulate(hospital.plan.demand(), hospital.trajectories)
    asked = np.isfinite(stays.request) & (stays.request >= 0)
    assert np.array_equal(stays.admit[asked], stays.request[asked])
    assert not np.isin(stays.status, (DIVERTED, LEFT)).any()
