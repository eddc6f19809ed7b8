"""Contend later: who gets which bed when. The compiled twin of `simpy_engine`, rule by rule, equal to it bit for bit.

Two lists are sorted beforehand (changes of beds, arrivals). Ends of stays and of patience lie unsorted in `later`, in
buckets of some minutes each, and are put in order, into `soon`, only when the clock comes to their bucket. A timed
event and all that it sets off is over before the next one begins: beds that are granted meanwhile wait in the order of
their granting (`granted`), as SimPy's own events would.
"""

from math import ceil
from typing import NamedTuple

import numpy as np

from kaizar_pipeline.simulation.kernel.compiling import compiled, index, step
from kaizar_pipeline.simulation.trajectories import (
    DISCHARGED,
    DIVERTED,
    IN_SYSTEM,
    LEFT,
    NOT_ARRIVED,
    NOWHERE,
)

CAPACITY, END_OF_STAY, PATIENCE, ARRIVAL = range(4)
"""Kinds of timed events, in the order in which they happen at one instant."""

_NEVER = np.iinfo(np.int64).max
"""No census comes to that."""

SOON, GRANTED, OPEN = range(3)
"""Places of `EventScratch.now`."""


class EventScratch(NamedTuple):
    """State of the hospital while the events go by; P patients, W wards, R priorities."""

    soon_time: np.ndarray
    """f8[2 P]: times of the events in the buckets up to the open one, the next one last."""
    soon: np.ndarray
    """u4[2 P]: those events: p is the end of a stay of patient p, P + p that of the patience."""
    later: np.ndarray
    """i4[buckets + 1]: an event of each bucket, or NOWHERE."""
    next_later: np.ndarray
    """i4[2 P]: the next event in the same bucket."""
    due: np.ndarray
    """f8[2 P]: time of each event that waits in a bucket."""
    now: np.ndarray
    """i8[3]: events in `soon` (SOON), patients in `granted` (GRANTED), the bucket the clock has come to (OPEN)."""
    granted: np.ndarray
    """u4[P]: patients with a bed granted, in order."""
    stay: np.ndarray
    """u4[P]: the stay each patient is in or waits for."""
    held: np.ndarray
    """i4[P]: ward of the bed held, or NOWHERE."""
    ward: np.ndarray
    """u4[P]: ward waited for or granted."""
    waits: np.ndarray
    """bool[P]: whether the patient is in a queue; of no meaning before the first queue."""
    behind: np.ndarray
    """i4[P]: next in the same queue of one priority."""
    ahead: np.ndarray
    """i4[P]"""
    first: np.ndarray
    """i4[W, R]: heads of the queues."""
    last: np.ndarray
    """i4[W, R]"""
    queue: np.ndarray
    """i8[W]: patients waiting."""
    census: np.ndarray
    """i8[W]"""
    beds: np.ndarray
    """i8[W]"""
    overflow_at: np.ndarray
    """i8[W]: the census from which requests go elsewhere."""
    stop_at: np.ndarray
    """i8[stops]: the census from which patients are diverted."""
    waiting_in: np.ndarray
    """i4[W, W]: patients who hold a bed in the first ward and wait for the second."""
    blocked: np.ndarray
    """i8[W]: boarders of each ward."""
    came_from: np.ndarray
    """i8[W]"""
    to_visit: np.ndarray
    """i8[W]"""


@step
def simulate(rules, drawn, stays, state):
    """Run one replication from 0 up to, and not including, the end of the horizon, into `stays`."""
    _reset(rules, drawn, stays, state)
    begun, change, arrival = 0, 0, drawn.n_census
    while True:
        freed, asking, asked = NOWHERE, NOWHERE, 0.0
        now, kind = 0.0, NOWHERE
        if begun == drawn.n_census:  # before that, all is at the start
            now, kind = _next_event(rules, drawn, state, change, arrival)
        if begun < drawn.n_census:
            freed, asking, asked = _begin(rules, drawn, stays, state, begun)
            begun += 1
        elif kind == CAPACITY:
            freed = rules.change_ward[change]
            _staff(rules, state, freed, rules.change_beds[change])
            change += 1
        elif kind == END_OF_STAY:
            freed, asking, asked = _end_stay(rules, drawn, stays, state, _pop(state), now, now)
        elif kind == PATIENCE:
            _give_up(drawn, stays, state, index(_pop(state) - len(state.stay)), now)
        elif kind == ARRIVAL:
            asking, asked = _arrive(rules, drawn, stays, state, index(arrival), now), now
            arrival += 1
        else:
            return
        # all that this sets off, before anything else happens: a bed is freed, a bed is asked for, a bed is taken
        taken = 0
        while True:
            if freed != NOWHERE:
                _serve(state, index(freed))
            if asking != NOWHERE:
                p, asking = index(asking), NOWHERE
                admitted = p if _request(rules, drawn, stays, state, p, now, asked) else NOWHERE
            elif taken < state.now[GRANTED] and begun == drawn.n_census:
                admitted = state.granted[index(taken)]
                taken += 1
            else:
                break
            freed = _admit(rules, drawn, stays, state, index(admitted), now) if admitted != NOWHERE else NOWHERE
        if begun == drawn.n_census:
            state.now[GRANTED] = 0


@compiled
def _next_event(rules, drawn, state, change, arrival):
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
def _reset(rules, drawn, stays, state):
    """An empty log, empty queues, and the patients of the house seated, whatever the capacity."""
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


# Patients: what each event frees and who asks for a bed, as (ward, patient, since when)


@compiled
def _begin(rules, drawn, stays, state, p):
    """Let a patient of the house go on: with what is left of the stay, or with the request that still waits."""
    stay = index(drawn.offset[p])
    state.stay[p] = stay
    state.held[p] = NOWHERE
    if drawn.seat[p] == NOWHERE:
        return NOWHERE, p, drawn.requested[p]
    if drawn.los[stay] > 0 or (stay + 1 == drawn.offset[p + 1] and drawn.delay[stay] > 0):
        _care(rules, drawn, stays, state, p, 0.0)
        return NOWHERE, NOWHERE, 0.0
    return _end_stay(rules, drawn, stays, state, p, 0.0, drawn.requested[p])


@compiled
def _arrive(rules, drawn, stays, state, p, now):
    """The patient, if no admission stop diverts them."""
    stay = index(drawn.offset[p])
    state.stay[p] = stay
    state.held[p] = NOWHERE
    for stop in range(len(rules.stop_ward)):
        if (
            rules.stop_types[stop, index(drawn.patient_type[p])]
            and state.census[rules.stop_ward[stop]] >= state.stop_at[stop]
        ):
            stays.status[p] = DIVERTED
            stays.request[stay] = now
            stays.depart[stay] = now
            return NOWHERE
    stays.status[p] = IN_SYSTEM
    return p


@compiled
def _care(rules, drawn, stays, state, p, now):
    """Let the stay begin to run, and end with its care or, before going home, with the discharge delay after that."""
    stay = state.stay[p]
    end = now + drawn.los[stay]
    if stay + 1 == drawn.offset[p + 1] and drawn.delay[stay] > 0:
        if end < rules.hours:
            stays.ready[stay] = end
        end += drawn.delay[stay]
    _push(rules, state, end, p)


@compiled
def _end_stay(rules, drawn, stays, state, p, now, asked):
    """Go home, or ask for the next bed (since `asked`), holding this one or not."""
    stay = state.stay[p]
    ward = index(stays.used_ward[stay])
    stays.ready[stay] = min(stays.ready[stay], now)  # earlier if there was a discharge delay
    if stay + 1 == drawn.offset[p + 1]:
        stays.status[p] = DISCHARGED
        return _leave_bed(stays, state, stay, ward, now), NOWHERE, 0.0
    state.stay[p] = stay + 1
    if rules.holds_bed[ward]:
        state.held[p] = ward
        return NOWHERE, p, asked
    return _leave_bed(stays, state, stay, ward, now), p, asked


@compiled
def _leave_bed(stays, state, stay, ward, now):
    stays.depart[stay] = now
    state.census[ward] -= 1
    return ward


@compiled
def _give_up(drawn, stays, state, p, now):
    """Leave without being seen, unless a bed came in time."""
    stay = state.stay[p]
    if state.waits[p] and stay == drawn.offset[p]:
        _unlink(state, p, state.ward[p], index(drawn.priority[stay]))
        stays.status[p] = LEFT
        stays.depart[stay] = now


# Beds


@compiled
def _request(rules, drawn, stays, state, p, now, asked):
    """Ask for a bed for the patient's stay (since `asked`); whether there is one at once, else the patient queues."""
    stay, held = state.stay[p], state.held[p]
    stays.request[stay] = asked
    ward = index(drawn.planned_ward[stay])
    if ward == held:  # the bed is kept, without queueing
        state.ward[p] = ward
        return True
    if asked >= 0:
        ward = _overflow(rules, state, ward)
    state.ward[p] = ward
    if _has_free_bed(state, ward):
        _move(state, p, ward)
        return True
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
def _admit(rules, drawn, stays, state, p, now):
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
def _overflow(rules, state, ward):
    """The ward that takes a request for `ward`: another one if it is at its threshold and one of its list has room."""
    if state.census[ward] >= state.overflow_at[ward]:
        for place in range(rules.first_overflow[ward], rules.first_overflow[ward + 1]):
            other = rules.overflow_ward[index(place)]
            if _has_free_bed(state, other):
                return other
    return ward


@compiled
def _has_free_bed(state, ward):
    """A freed bed looks free until the queue is served, so free also asks for no queue."""
    return state.census[ward] < state.beds[ward] and state.queue[ward] == 0


@compiled
def _staff(rules, state, ward, beds):
    """Staff so many beds from now on, of which thresholds are whole beds."""
    state.beds[ward] = beds
    state.overflow_at[ward] = _whole_beds(rules.overflow_threshold[ward], beds)
    for stop in range(len(rules.stop_ward)):
        if rules.stop_ward[stop] == ward:
            state.stop_at[stop] = _whole_beds(rules.stop_threshold[stop], beds)


@compiled
def _whole_beds(threshold, beds):
    return np.int64(ceil(threshold * beds - 1e-9)) if threshold < np.inf else _NEVER


@compiled
def _serve(state, ward):
    """Give free beds to those who wait, the first first."""
    while state.queue[ward] > 0 and state.census[ward] < state.beds[ward]:
        rank = index(0)
        while state.first[ward, rank] == NOWHERE:
            rank = index(rank + 1)
        _grant(state, index(state.first[ward, rank]), ward, rank)


@compiled
def _grant(state, p, ward, rank):
    _unlink(state, p, ward, rank)
    _move(state, p, ward)
    state.granted[index(state.now[GRANTED])] = p
    state.now[GRANTED] += 1


@compiled
def _move(state, p, ward):
    """Take a bed in `ward` and leave the one held; its ward's queue is served when the patient has gone."""
    state.census[ward] += 1
    if state.held[p] != NOWHERE:
        state.census[index(state.held[p])] -= 1


# Queues


@compiled
def _join_queue(drawn, state, p, ward):
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
def _unlink(state, p, ward, rank):
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
def _exchange(drawn, state, held, ward):
    """If waiting in `held` for `ward` closes a cycle of full wards, the first waiter of each of its edges moves on at
    once."""
    length = _shortest_cycle(state, held, ward)
    # the first waiters are found before any of them moves
    for place in range(length):
        state.came_from[place] = _first_waiter(state, state.to_visit[place], state.to_visit[(place + 1) % length])
    for place in range(length):
        p = state.came_from[place]
        _grant(state, index(p), state.ward[p], index(drawn.priority[state.stay[p]]))


@compiled
def _first_waiter(state, held, ward):
    """The first in the queue of `ward` who holds a bed in `held`."""
    for rank in range(state.first.shape[1]):
        p = state.first[ward, rank]
        while p != NOWHERE:
            if state.held[p] == held:
                return p
            p = state.behind[p]
    return NOWHERE


@compiled
def _shortest_cycle(state, held, ward):
    """The wards of the shortest cycle through the edge from `held` to `ward` into `to_visit`, beginning with `held`;
    its length, 0 if there is none. Ties: config order."""
    came_from, to_visit = state.came_from, state.to_visit
    came_from[:] = -2
    came_from[ward] = NOWHERE
    to_visit[0] = ward
    visited, found = 0, 1
    while visited < found and came_from[held] == -2:
        here = to_visit[visited]
        visited += 1
        if state.blocked[here] > 0:
            for there in range(len(came_from)):
                if came_from[there] == -2 and state.waiting_in[here, there] > 0:
                    came_from[there] = here
                    to_visit[found] = there
                    found += 1
    if came_from[held] == -2:
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
def _bucket(rules, state, time):
    """The bucket of a time before the end of the horizon; a later time never lies in an earlier bucket."""
    return index(time * ((len(state.later) - 1) / rules.hours))


@compiled
def _push(rules, state, time, event):
    """Add a timed event, if there is time for it."""
    if time < rules.hours:
        bucket = _bucket(rules, state, time)
        if bucket <= state.now[OPEN]:
            _push_soon(state, time, event)
        else:
            state.due[index(event)] = time
            state.next_later[index(event)] = state.later[bucket]
            state.later[bucket] = event


@compiled
def _open_buckets(rules, state, time):
    """Open buckets until there is an event in `soon`, or all up to and with that of `time` are open."""
    upto = len(state.later) - 1 if time >= rules.hours else _bucket(rules, state, time)
    while state.now[SOON] == 0 and state.now[OPEN] < upto:
        state.now[OPEN] += 1
        event = state.later[index(state.now[OPEN])]
        while event != NOWHERE:
            _push_soon(state, state.due[index(event)], event)
            event = state.next_later[index(event)]


@compiled
def _push_soon(state, time, event):
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
def _is_before(state, place, time, event):
    """Whether the event in that place of `soon` comes before another."""
    return state.soon_time[place] < time or (state.soon_time[place] == time and state.soon[place] < event)


@compiled
def _pop(state):
    """Take the next event."""
    state.now[SOON] -= 1
    return state.soon[index(state.now[SOON])]
