"""Simulate: who gets which bed when. The compiled equivalent of `simpy_engine`, rule by rule, equal to it bit for bit.

Two lists are sorted beforehand (changes of beds, arrivals). Ends of stays and of patience lie unsorted in `later`, in
buckets of some minutes each, and are put in order, into `soon`, only when the clock reaches their bucket. A timed event
and all that it causes is over before the next one begins: beds granted meanwhile wait in the order of their granting
(`granted`), as SimPy's own events would.
"""

from math import ceil
from typing import NamedTuple

import numpy as np

from kaizar_pipeline.simulation.clocks import NO_CLOCK
from kaizar_pipeline.simulation.kernel.arrays import Flags, Floats, Indices, Integers, SmallIntegers
from kaizar_pipeline.simulation.kernel.compiling import compiled, index, signed, step
from kaizar_pipeline.simulation.kernel.inputs import Rules
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
from kaizar_pipeline.stats.operational_time import leave_at as _leave_at

leave_at = compiled(_leave_at)

_NEVER = np.iinfo(np.int64).max
"""No census reaches that."""

_UNSEEN = -2
"""A ward not yet reached in the search for a cycle."""

SOON, GRANTED, OPEN = range(3)
"""Places of `EventScratch.now`."""


class EventScratch(NamedTuple):
    """State of the hospital during the run; P patients, W wards, R priorities."""

    soon_time: Floats
    """f8[2 P]: times of the events in the buckets up to the open one, the next one last."""
    soon: Indices
    """u4[2 P]: those events: p is the end of a stay of patient p, P + p that of the patience."""
    later: SmallIntegers
    """i4[buckets + 1]: an event of each bucket, or NOWHERE."""
    next_later: SmallIntegers
    """i4[2 P]: the next event in the same bucket."""
    due: Floats
    """f8[2 P]: time of each event that waits in a bucket."""
    now: Integers
    """i8[3]: events in `soon` (SOON), patients in `granted` (GRANTED), the bucket the clock has reached (OPEN)."""
    granted: Indices
    """u4[P]: patients with a bed granted, in order."""
    stay: Indices
    """u4[P]: the stay each patient is in or waits for."""
    held: SmallIntegers
    """i4[P]: ward of the bed held, or NOWHERE."""
    ward: Indices
    """u4[P]: ward waited for or granted."""
    waits: Flags
    """bool[P]: whether the patient is in a queue; undefined before the first queue."""
    behind: SmallIntegers
    """i4[P]: next in the same queue of one priority."""
    ahead: SmallIntegers
    """i4[P]"""
    first: SmallIntegers
    """i4[W, R]: heads of the queues."""
    last: SmallIntegers
    """i4[W, R]"""
    queue: Integers
    """i8[W]: patients waiting."""
    census: Integers
    """i8[W]"""
    beds: Integers
    """i8[W]"""
    overflow_at: Integers
    """i8[W]: the census from which on requests are redirected."""
    stop_at: Integers
    """i8[stops]: the census from which on patients are diverted."""
    waiting_in: SmallIntegers
    """i4[W, W]: patients who hold a bed in the first ward and wait for the second."""
    blocked: Integers
    """i8[W]: boarders of each ward."""
    came_from: Integers
    """i8[W]"""
    to_visit: Integers
    """i8[W]"""


class Event(NamedTuple):
    """What happened, and what it causes before the next timed event."""

    time: float
    freed: int
    """The ward in which a bed was freed, or NOWHERE."""
    asking: int
    """The patient who asks for a bed, or NOWHERE."""


@compiled
def _event(time: float, freed: int, asking: int) -> Event:
    return Event(time, signed(freed), signed(asking))


@step
def simulate(rules: Rules, drawn: Trajectories, stays: Stays, state: EventScratch) -> None:
    """Run one replication from 0 up to, and not including, the end of the horizon, into `stays`."""
    _reset(rules, drawn, stays, state)
    begun, change, arrival = 0, 0, drawn.n_census
    while True:
        if begun < drawn.n_census:
            event = _begin(rules, drawn, stays, state, index(begun))
            begun += 1
        else:
            now, kind = _next_event(rules, drawn, state, change, arrival)
            if kind == CAPACITY:
                event = _change_beds(rules, state, change, now)
                change += 1
            elif kind == END_OF_STAY:
                event = _end_stay(rules, drawn, stays, state, _pop(state), now)
            elif kind == PATIENCE:
                event = _give_up(drawn, stays, state, index(_pop(state) - len(state.stay)), now)
            elif kind == ARRIVAL:
                event = _arrive(rules, drawn, stays, state, index(arrival), now)
                arrival += 1
            else:
                return
        _settle(rules, drawn, stays, state, event, begun == drawn.n_census)


@compiled
def _settle(
    rules: Rules, drawn: Trajectories, stays: Stays, state: EventScratch, event: Event, all_have_begun: bool
) -> None:
    """All that an event causes: a bed is freed, a bed is asked for, beds are taken. No bed granted to a queue is taken
    before all of the census have begun."""
    now, freed, asking = event
    taken = 0
    while True:
        if freed != NOWHERE:
            _serve(state, index(freed))
        if asking != NOWHERE:
            p, asking = index(asking), NOWHERE
            admitted = p if _request(rules, drawn, stays, state, p, now) else NOWHERE
        elif taken < state.now[GRANTED] and all_have_begun:
            admitted = state.granted[index(taken)]
            taken += 1
        else:
            break
        freed = _admit(rules, drawn, stays, state, index(admitted), now) if admitted != NOWHERE else NOWHERE
    if all_have_begun:
        state.now[GRANTED] = 0


@compiled
def _next_event(rules: Rules, drawn: Trajectories, state: EventScratch, change: int, arrival: int) -> tuple[float, int]:
    """Time and kind of the next timed event; the end of the horizon and -1 when there is none before it."""
    now, kind = rules.hours, -1
    if arrival < len(drawn.arrival) and drawn.arrival[arrival] < now:
        now, kind = drawn.arrival[arrival], ARRIVAL
    _open_buckets(rules, state, now)
    last = index(state.now[SOON] - 1)
    if state.now[SOON] > 0 and state.soon_time[last] <= now:
        now, kind = state.soon_time[last], END_OF_STAY if state.soon[last] < len(state.stay) else PATIENCE
    if change < len(rules.change_hour):
        hour = rules.change_hour[change]
        if hour < now or (hour == now and kind >= 0):
            now, kind = hour, CAPACITY
    return now, kind


@compiled
def _reset(rules: Rules, drawn: Trajectories, stays: Stays, state: EventScratch) -> None:
    """An empty log, empty queues, and the patients of the census seated, whatever the capacity."""
    stays.request[:] = np.inf
    stays.admit[:] = np.inf
    stays.ready[:] = np.inf
    stays.depart[:] = np.inf
    stays.used_ward[:] = NOWHERE
    stays.status[:] = NOT_ARRIVED
    state.later[:] = NOWHERE
    state.now[:] = 0
    state.first[:] = NOWHERE
    state.last[:] = NOWHERE
    state.queue[:] = 0
    state.census[:] = 0
    state.waiting_in[:] = 0
    state.blocked[:] = 0
    for w in range(len(rules.beds)):
        _staff(rules, state, w, rules.beds[w])
    for p in range(drawn.n_census):
        ward, stay = drawn.seat[p], drawn.offset[p]
        stays.status[p] = IN_SYSTEM
        if ward != NOWHERE:
            state.census[ward] += 1
            stays.used_ward[stay] = ward
            stays.request[stay] = drawn.admitted[p]
            stays.admit[stay] = drawn.admitted[p]


# Patients


@compiled
def _begin(rules: Rules, drawn: Trajectories, stays: Stays, state: EventScratch, p: int) -> Event:
    """Let a patient of the census go on: with the rest of the stay, or with the request that still waits."""
    stay = index(drawn.offset[p])
    state.stay[p] = stay
    state.held[p] = NOWHERE
    event = _event(0.0, NOWHERE, p)
    if drawn.seat[p] != NOWHERE:
        if drawn.los[stay] > 0 or (stay + 1 == drawn.offset[p + 1] and drawn.delay[stay] > 0):
            _care(rules, drawn, stays, state, p, 0.0)
            return _event(0.0, NOWHERE, NOWHERE)
        event = _end_stay(rules, drawn, stays, state, p, 0.0)
    if event.asking != NOWHERE:
        stays.request[state.stay[p]] = drawn.requested[p]
    return event


@compiled
def _arrive(rules: Rules, drawn: Trajectories, stays: Stays, state: EventScratch, p: int, now: float) -> Event:
    """Ask for a first bed, unless an admission stop diverts the patient."""
    stay = index(drawn.offset[p])
    state.stay[p] = stay
    state.held[p] = NOWHERE
    stays.request[stay] = now
    for stop in range(len(rules.stop_ward)):
        if (
            rules.stop_types[stop, index(drawn.patient_type[p])]
            and state.census[rules.stop_ward[stop]] >= state.stop_at[stop]
        ):
            stays.status[p] = DIVERTED
            stays.depart[stay] = now
            return _event(now, NOWHERE, NOWHERE)
    stays.status[p] = IN_SYSTEM
    return _event(now, NOWHERE, p)


@compiled
def _care(rules: Rules, drawn: Trajectories, stays: Stays, state: EventScratch, p: int, now: float) -> None:
    """Let the stay begin to run, and end with its care or, before going home, with the discharge delay after that."""
    stay = index(state.stay[p])
    end = _after(drawn, stay, now, drawn.los[stay])
    if stay + 1 == drawn.offset[p + 1] and drawn.delay[stay] > 0 and end < rules.hours:
        stays.ready[stay] = end
        end = _after(drawn, stay, end, drawn.delay[stay])
    _push(rules, state, end, p)


@compiled
def _after(drawn: Trajectories, stay: int, now: float, length: float) -> float:
    """When `length` hours of the stay's clock are over."""
    if drawn.clock[stay] == NO_CLOCK:
        return now + length
    return leave_at(drawn.operational[index(drawn.clock[stay])], now, length)


@compiled
def _end_stay(rules: Rules, drawn: Trajectories, stays: Stays, state: EventScratch, p: int, now: float) -> Event:
    """Go home, or ask for the next bed, holding this one or not."""
    stay = state.stay[p]
    ward = index(stays.used_ward[stay])
    stays.ready[stay] = min(stays.ready[stay], now)  # earlier if there was a discharge delay
    if stay + 1 == drawn.offset[p + 1]:
        stays.status[p] = DISCHARGED
        return _event(now, _leave_bed(stays, state, stay, ward, now), NOWHERE)
    state.stay[p] = stay + 1
    stays.request[state.stay[p]] = now
    if rules.holds_bed[ward]:
        state.held[p] = ward
        return _event(now, NOWHERE, p)
    return _event(now, _leave_bed(stays, state, stay, ward, now), p)


@compiled
def _leave_bed(stays: Stays, state: EventScratch, stay: int, ward: int, now: float) -> int:
    stays.depart[stay] = now
    state.census[ward] -= 1
    return ward


@compiled
def _give_up(drawn: Trajectories, stays: Stays, state: EventScratch, p: int, now: float) -> Event:
    """Leave without being seen, unless a bed was granted in time."""
    stay = state.stay[p]
    if state.waits[p] and stay == drawn.offset[p]:
        _unlink(state, p, state.ward[p], index(drawn.priority[stay]))
        stays.status[p] = LEFT
        stays.depart[stay] = now
    return _event(now, NOWHERE, NOWHERE)


# Beds


@compiled
def _request(rules: Rules, drawn: Trajectories, stays: Stays, state: EventScratch, p: int, now: float) -> bool:
    """Ask for a bed for the patient's stay; whether there is one at once, else the patient queues, or is turned away
    where an arrival from outside finds too many waiting."""
    stay, held = state.stay[p], state.held[p]
    ward = index(drawn.planned_ward[stay])
    if ward == held:  # the bed is kept, without queueing
        state.ward[p] = ward
        return True
    if stays.request[stay] >= 0:  # not before the start
        ward = _overflow(rules, state, ward)
    state.ward[p] = ward
    if _has_free_bed(state, ward):
        _move(state, p, ward)
        return True
    if state.queue[ward] >= rules.queue_limit[ward] and p >= drawn.n_census and stay == drawn.offset[p]:
        stays.status[p] = DIVERTED
        stays.depart[stay] = now
        return False
    _join_queue(drawn, state, p, ward)
    if held != NOWHERE:
        state.blocked[held] += 1
        state.waiting_in[held, ward] += 1
        if state.waiting_in[held, ward] == 1 and state.blocked[ward] > 0:
            _exchange(drawn, state, held, ward)
    if stay == drawn.offset[p] and drawn.patience[p] < np.inf:
        _push(rules, state, now + drawn.patience[p], len(state.stay) + p)
    return False


@compiled
def _admit(rules: Rules, drawn: Trajectories, stays: Stays, state: EventScratch, p: int, now: float) -> int:
    """Begin the stay in the ward granted; the ward of the bed held so far is free to serve its queue."""
    stay, held = state.stay[p], state.held[p]
    stays.used_ward[stay] = state.ward[p]
    stays.admit[stay] = now
    if held != NOWHERE:
        stays.depart[index(stay - 1)] = now
        state.held[p] = NOWHERE
    _care(rules, drawn, stays, state, p, now)
    return held


@compiled
def _overflow(rules: Rules, state: EventScratch, ward: int) -> int:
    """The ward that takes a request for `ward`: if it is at its threshold, the first of its list with a free bed."""
    if state.census[ward] >= state.overflow_at[ward]:
        for place in range(rules.first_overflow[ward], rules.first_overflow[ward + 1]):
            other = rules.overflow_ward[index(place)]
            if _has_free_bed(state, other):
                return other
    return ward


@compiled
def _has_free_bed(state: EventScratch, ward: int) -> bool:
    """A freed bed looks free until the queue is served, so free also asks for no queue."""
    return state.census[ward] < state.beds[ward] and state.queue[ward] == 0


@compiled
def _change_beds(rules: Rules, state: EventScratch, change: int, now: float) -> Event:
    ward = rules.change_ward[change]
    _staff(rules, state, ward, rules.change_beds[change])
    return _event(now, ward, NOWHERE)


@compiled
def _staff(rules: Rules, state: EventScratch, ward: int, beds: int) -> None:
    """Staff so many beds from now on, of which thresholds are whole beds."""
    state.beds[ward] = beds
    state.overflow_at[ward] = _whole_beds(rules.overflow_threshold[ward], beds)
    for stop in range(len(rules.stop_ward)):
        if rules.stop_ward[stop] == ward:
            state.stop_at[stop] = _whole_beds(rules.stop_threshold[stop], beds)


@compiled
def _whole_beds(threshold: float, beds: int) -> int:
    return signed(ceil(threshold * beds - 1e-9)) if threshold < np.inf else _NEVER


@compiled
def _serve(state: EventScratch, ward: int) -> None:
    """Give free beds to those who wait, in their order."""
    while state.queue[ward] > 0 and state.census[ward] < state.beds[ward]:
        rank = index(0)
        while state.first[ward, rank] == NOWHERE:
            rank = index(rank + 1)
        _grant(state, index(state.first[ward, rank]), ward, rank)


@compiled
def _grant(state: EventScratch, p: int, ward: int, rank: int) -> None:
    _unlink(state, p, ward, rank)
    _move(state, p, ward)
    state.granted[index(state.now[GRANTED])] = p
    state.now[GRANTED] += 1


@compiled
def _move(state: EventScratch, p: int, ward: int) -> None:
    """Take a bed in `ward` and leave the one held; its ward's queue is served when the patient has gone."""
    state.census[ward] += 1
    if state.held[p] != NOWHERE:
        state.census[index(state.held[p])] -= 1


# Queues


@compiled
def _join_queue(drawn: Trajectories, state: EventScratch, p: int, ward: int) -> None:
    """Go to the end of the queue of the patient's priority."""
    rank = index(drawn.priority[state.stay[p]])
    end = state.last[ward, rank]
    state.ahead[p] = end
    state.behind[p] = NOWHERE
    if end == NOWHERE:
        state.first[ward, rank] = p
    else:
        state.behind[index(end)] = p
    state.last[ward, rank] = p
    state.queue[ward] += 1
    state.waits[p] = True


@compiled
def _unlink(state: EventScratch, p: int, ward: int, rank: int) -> None:
    ahead, behind = state.ahead[p], state.behind[p]
    if ahead == NOWHERE:
        state.first[ward, rank] = behind
    else:
        state.behind[index(ahead)] = behind
    if behind == NOWHERE:
        state.last[ward, rank] = ahead
    else:
        state.ahead[index(behind)] = ahead
    state.queue[ward] -= 1
    state.waits[p] = False
    if state.held[p] != NOWHERE:
        held = index(state.held[p])
        state.waiting_in[held, ward] -= 1
        state.blocked[held] -= 1


# Exchange


@compiled
def _exchange(drawn: Trajectories, state: EventScratch, held: int, ward: int) -> None:
    """If waiting in `held` for `ward` closes a cycle of full wards, the first waiter of each of its edges moves on at
    once."""
    length = _shortest_cycle(state, held, ward)
    # the first waiters are found before any of them moves
    for place in range(length):
        state.came_from[place] = _first_waiter(state, state.to_visit[place], state.to_visit[(place + 1) % length])
    for place in range(length):
        p = index(state.came_from[place])
        _grant(state, p, state.ward[p], index(drawn.priority[state.stay[p]]))


@compiled
def _first_waiter(state: EventScratch, held: int, ward: int) -> int:
    """The first in the queue of `ward` who holds a bed in `held`."""
    for rank in range(state.first.shape[1]):
        p = state.first[ward, rank]
        while p != NOWHERE:
            if state.held[p] == held:
                return signed(p)
            p = state.behind[p]
    return NOWHERE


@compiled
def _shortest_cycle(state: EventScratch, held: int, ward: int) -> int:
    """The wards of the shortest cycle through the edge from `held` to `ward` into `to_visit`, beginning with `held`;
    its length, 0 if there is none. Ties: config order."""
    came_from, to_visit = state.came_from, state.to_visit
    came_from[:] = _UNSEEN
    came_from[ward] = NOWHERE
    to_visit[0] = ward
    visited, found = 0, 1
    while visited < found and came_from[held] == _UNSEEN:
        here = to_visit[visited]
        visited += 1
        if state.blocked[here] > 0:
            for there in range(len(came_from)):
                if came_from[there] == _UNSEEN and state.waiting_in[here, there] > 0:
                    came_from[there] = here
                    to_visit[found] = there
                    found += 1
    if came_from[held] == _UNSEEN:
        return 0
    length, here = 0, held
    while here != NOWHERE:
        to_visit[length] = here
        length += 1
        here = came_from[here]
    # from `held` back to `ward`: turn all but the first round
    for place in range(1, (length + 1) // 2):
        to_visit[place], to_visit[length - place] = to_visit[length - place], to_visit[place]
    return length


# Ends of stays and of patience


@compiled
def _bucket(rules: Rules, state: EventScratch, time: float) -> int:
    """The bucket of a time before the end of the horizon; a later time never lies in an earlier bucket."""
    return index(time * ((len(state.later) - 1) / rules.hours))


@compiled
def _push(rules: Rules, state: EventScratch, time: float, event: int) -> None:
    """Add a timed event, if it is before the end of the horizon."""
    if time < rules.hours:
        bucket = _bucket(rules, state, time)
        if bucket <= state.now[OPEN]:
            _push_soon(state, time, event)
        else:
            state.due[index(event)] = time
            state.next_later[index(event)] = state.later[bucket]
            state.later[bucket] = event


@compiled
def _open_buckets(rules: Rules, state: EventScratch, time: float) -> None:
    """Open buckets until there is an event in `soon`, or all up to and with that of `time` are open."""
    upto = len(state.later) - 1 if time >= rules.hours else _bucket(rules, state, time)
    while state.now[SOON] == 0 and state.now[OPEN] < upto:
        state.now[OPEN] += 1
        event = state.later[index(state.now[OPEN])]
        while event != NOWHERE:
            _push_soon(state, state.due[index(event)], event)
            event = state.next_later[index(event)]


@compiled
def _push_soon(state: EventScratch, time: float, event: int) -> None:
    """Add an event to those of the open bucket, which are few."""
    place = state.now[SOON]
    state.now[SOON] += 1
    while place > 0 and _is_before(state, index(place - 1), time, event):
        state.soon_time[index(place)] = state.soon_time[index(place - 1)]
        state.soon[index(place)] = state.soon[index(place - 1)]
        place -= 1
    state.soon_time[index(place)] = time
    state.soon[index(place)] = event


@compiled
def _is_before(state: EventScratch, place: int, time: float, event: int) -> bool:
    """Whether the event in that place of `soon` comes before another."""
    return state.soon_time[place] < time or (state.soon_time[place] == time and state.soon[place] < event)


@compiled
def _pop(state: EventScratch) -> int:
    """Take the next event."""
    state.now[SOON] -= 1
    return state.soon[index(state.now[SOON])]
