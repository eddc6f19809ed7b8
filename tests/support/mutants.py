"""Broken rules, each of which the random hospitals must tell from the reference: proof that their silence means much.

    python tests/support/mutants.py [part of a name ...]

A mutant is a change in the text of the kernel's event loop, run as ordinary Python on one random hospital after the
other until its stays differ. Prints a table; the exit status is 1 when a mutant survives. A mutant whose text no longer
stands in the kernel is an error, so the list stays current.
"""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType

os.environ["NUMBA_DISABLE_JIT"] = "1"  # before numba is imported

from random_hospitals import Hospital, differences, hospital_of_seed

from kaizar_pipeline.simulation import compiled_engine, simpy_engine
from kaizar_pipeline.simulation.kernel import block, events
from kaizar_pipeline.simulation.trajectories import Stays

CASES = 400
"""Hospitals a mutant is run on at most."""

HANGS_AFTER = 5
"""Seconds after which a mutant is taken to run for ever."""

SOURCE = Path(events.__file__).read_text()


@dataclass(frozen=True)
class Mutant:
    """A rule broken: `text` of the event loop, which stands there once, replaced by `by`."""

    name: str
    text: str
    by: str


SEATS = """            state.census[ward] += 1
            stays.used_ward[stay] = ward
"""
MOST_URGENT = """        rank = index(0)
        while state.first[ward, rank] == NOWHERE:
            rank = index(rank + 1)
"""
NEXT_EVENT = "state.now[SOON] > 0 and state.soon_time[last] <= now"
CHANGE_FIRST = "hour < now or (hour == now and kind >= 0)"
EARLIER = "state.soon_time[place] < time or (state.soon_time[place] == time and state.soon[place] < event)"
FIRST_CYCLE = "for there in range(len(came_from)):"
EXCHANGES = "if state.waiting_in[held, ward] == 1 and state.blocked[ward] > 0:"
FIRST_WAITER = """            if state.held[p] == held:
                return p
            p = state.behind[p]
    return NOWHERE
"""
LAST_WAITER = """            if state.held[p] == held:
                found = p
            p = state.behind[p]
    return found
"""
OVERFLOW = "for place in range(rules.first_overflow[ward], rules.first_overflow[ward + 1]):"
SERVES_ALL = "while state.queue[ward] > 0 and state.census[ward] < state.beds[ward]:"
THRESHOLD = "ceil(threshold * beds - 1e-9)"
STAFF = "_staff(rules, state, freed, rules.change_beds[change])"
STOPPED_TYPE = "rules.stop_types[stop, index(drawn.patient_type[p])]"
RELEASES = "    if rules.holds_bed[ward]:\n        state.held[p] = ward"
TAKES_BEDS = """            elif taken < state.now[GRANTED] and begun == drawn.n_census:
                admitted = state.granted[index(taken)]
                taken += 1
            else:
                break
            freed = _admit(rules, drawn, stays, state, index(admitted), now) if admitted != NOWHERE else NOWHERE
        if begun == drawn.n_census:
            state.now[GRANTED] = 0
"""
GIVES_UP = "if state.waits[p] and stay == drawn.offset[p]:"

MUTANTS = (
    # order of simultaneous events
    Mutant("beds change after stays end", CHANGE_FIRST, "hour < now or (hour == now and kind == ARRIVAL)"),
    Mutant("beds change after all else", CHANGE_FIRST, "hour < now"),
    Mutant("patients arrive before stays end", NEXT_EVENT, NEXT_EVENT.replace("<=", "<")),
    Mutant(
        "patience ends before stays do",
        "state.soon[place] < event",
        "(state.soon[place] + len(state.stay)) % len(state.soon) < (event + len(state.stay)) % len(state.soon)",
    ),
    Mutant("stays that end together end in no order", EARLIER, "state.soon_time[place] < time"),
    Mutant(
        "stays that end together end last patient first", EARLIER, EARLIER.replace("[place] < event", "[place] > event")
    ),
    Mutant("the horizon is part of the run", "if time < rules.hours:", "if time <= rules.hours:"),
    Mutant("events go to buckets that are open", "if bucket <= state.now[OPEN]:", "if bucket < state.now[OPEN]:"),
    Mutant("arrivals come before their bucket opens", "state.now[OPEN] < upto", "state.now[OPEN] < upto - 1"),
    # queues and priorities
    Mutant(
        "less urgent first",
        MOST_URGENT,
        MOST_URGENT.replace("(0)", "(state.first.shape[1] - 1)").replace("+ 1)", "- 1)"),
    ),
    Mutant(
        "last come first served",
        "_grant(state, index(state.first[ward, rank]), ward, rank)",
        "_grant(state, index(state.last[ward, rank]), ward, rank)",
    ),
    Mutant(
        "priority of the first ward everywhere",
        "rank = index(drawn.priority[state.stay[p]])",
        "rank = index(drawn.priority[drawn.offset[p]])",
    ),
    Mutant("one patient served at a time", SERVES_ALL, SERVES_ALL.replace("while", "if")),
    Mutant(
        "more beds admit nobody",
        STAFF,
        f"{STAFF}\n            freed = NOWHERE",
    ),
    Mutant(
        "beds that close keep their patients' successors",
        STAFF,
        STAFF.replace("rules.change_beds[change]", "max(rules.change_beds[change], state.census[freed])"),
    ),
    Mutant(
        "a free bed is taken past the queue",
        "state.census[ward] < state.beds[ward] and state.queue[ward] == 0",
        "state.census[ward] < state.beds[ward]",
    ),
    Mutant(
        "the bed left serves nobody",
        "    _care(rules, drawn, stays, state, p, now)\n    return held",
        "    _care(rules, drawn, stays, state, p, now)\n    return NOWHERE",
    ),
    Mutant(
        "beds granted last are taken first",
        "admitted = state.granted[index(taken)]",
        "admitted = state.granted[index(state.now[GRANTED] - 1 - taken)]",
    ),
    # boarding
    Mutant("released beds are held", RELEASES, RELEASES.replace("rules.holds_bed[ward]", "True")),
    Mutant("held beds are released", RELEASES, RELEASES.replace("rules.holds_bed[ward]", "False")),
    Mutant(
        "the next ward's rule of boarding holds",
        RELEASES,
        RELEASES.replace("[ward]", "[drawn.planned_ward[stay + 1]]", 1),
    ),
    Mutant(
        "an outlier boards by the planned ward's rule",
        RELEASES,
        RELEASES.replace("[ward]", "[drawn.planned_ward[stay]]", 1),
    ),
    Mutant(
        "an outlier frees a bed of the planned ward",
        "    ward = index(stays.used_ward[stay])\n    stays.ready",
        "    ward = index(drawn.planned_ward[stay])\n    stays.ready",
    ),
    Mutant("a stay in the same ward queues again", "if ward == held:  # the bed", "if False:  # the bed"),
    # exchange
    Mutant("no exchange", EXCHANGES, "if False:"),
    Mutant("exchange of two only", EXCHANGES, EXCHANGES[:-1] + " and state.waiting_in[ward, held] > 0:"),
    Mutant(
        "exchange of any length, not the shortest",
        "here = to_visit[visited]\n        visited += 1",
        "found -= 1\n        here = to_visit[found]",
    ),
    Mutant(
        "rings of equal length in reverse order of the config",
        FIRST_CYCLE,
        "for there in range(len(came_from) - 1, -1, -1):",
    ),
    Mutant("the last waiter of an edge is exchanged", FIRST_WAITER, LAST_WAITER),
    # overflow
    Mutant("no overflow", "if state.census[ward] >= state.overflow_at[ward]:", "if False:"),
    Mutant(
        "overflow to the last listed",
        OVERFLOW,
        "for place in range(rules.first_overflow[ward + 1] - 1, rules.first_overflow[ward] - 1, -1):",
    ),
    Mutant(
        "overflow to the first listed only",
        "rules.first_overflow[ward + 1]):",
        "min(rules.first_overflow[ward] + 1, rules.first_overflow[ward + 1])):",
    ),
    Mutant(
        "overflow only from a full ward",
        "_whole_beds(rules.overflow_threshold[ward], beds)",
        "_whole_beds(max(1.0, rules.overflow_threshold[ward]), beds)",
    ),
    Mutant("overflow of requests made before the start", "    if asked >= 0:\n", "    if True:\n"),
    Mutant(
        "outliers count in the planned ward",
        "stays.used_ward[stay] = state.ward[p]",
        "stays.used_ward[stay] = drawn.planned_ward[stay]",
    ),
    # thresholds
    Mutant("thresholds reached one patient later", THRESHOLD, f"{THRESHOLD} + 1"),
    Mutant("thresholds rounded down", THRESHOLD, "int(threshold * beds + 1e-9)"),
    Mutant("thresholds without tolerance", THRESHOLD, THRESHOLD.replace(" - 1e-9", "")),
    Mutant(
        "thresholds of the beds at the start",
        STAFF,
        "state.beds[freed] = rules.change_beds[change]",
    ),
    # admission stops
    Mutant("no admission stop", "stays.status[p] = DIVERTED\n", "stays.status[p] = IN_SYSTEM\n            return p\n"),
    Mutant(
        "only the first admission stop counts",
        "for stop in range(len(rules.stop_ward)):\n        if (\n",
        "for stop in range(min(1, len(rules.stop_ward))):\n        if (\n",
    ),
    Mutant("admission stops for every type", STOPPED_TYPE, "True"),
    Mutant(
        "admission stops look at the ward asked for",
        "state.census[rules.stop_ward[stop]] >= state.stop_at[stop]",
        "state.census[drawn.planned_ward[stay]] >= state.stop_at[stop]",
    ),
    Mutant(
        "admission stops for headed patients only",
        STOPPED_TYPE,
        f"rules.stop_ward[stop] == drawn.planned_ward[stay] and {STOPPED_TYPE}",
    ),
    # patience
    Mutant("patience never ends", GIVES_UP, "if False:"),
    Mutant("patience of 0 is endless", "and drawn.patience[p] < np.inf:", "and 0 < drawn.patience[p] < np.inf:"),
    Mutant("patience ends in later wards too", GIVES_UP, "if state.waits[p]:"),
    Mutant(
        "patience counts from time 0",
        "_push(rules, state, now + drawn.patience[p], len(state.stay) + p)",
        "_push(rules, state, max(now, drawn.patience[p]), len(state.stay) + p)",
    ),
    # durations
    Mutant("no discharge delay", "        end += drawn.delay[stay]", "        end += 0"),
    Mutant(
        "care ends after the discharge delay",
        "stays.ready[stay] = min(stays.ready[stay], now)",
        "stays.ready[stay] = now",
    ),
    Mutant(
        "care lasts from the request",
        "end = now + drawn.los[stay]",
        "end = max(now, stays.request[stay] + drawn.los[stay])",
    ),
    # census at the start
    Mutant(
        "the census is seated within the beds",
        SEATS,
        SEATS.replace("+= 1", "= min(state.census[ward] + 1, state.beds[ward])"),
    ),
    Mutant(
        "the census goes on in reverse order",
        "_begin(rules, drawn, stays, state, begun)",
        "_begin(rules, drawn, stays, state, drawn.n_census - 1 - begun)",
    ),
    Mutant(
        "the census asks at the start",
        "return _end_stay(rules, drawn, stays, state, p, 0.0, drawn.requested[p])",
        "return _end_stay(rules, drawn, stays, state, p, 0.0, 0.0)",
    ),
    Mutant(
        "beds are taken before all of the census has asked",
        TAKES_BEDS,
        TAKES_BEDS.replace("begun == drawn.n_census", "True"),
    ),
)
"""Not among them, because nothing would show: patients who arrive before patience ends at the same instant (neither
frees a bed), an exchange tried at every wait (a ring can close only at the first along an edge), and the order in which
the patients of a ring move (all do, and its wards stay full)."""


def break_rule(mutant: Mutant) -> None:
    """Put the event loop with one rule broken in the place of the sound one."""
    if SOURCE.count(mutant.text) != 1:
        raise ValueError(
            f"{mutant.name}: stands {SOURCE.count(mutant.text)} times in events.py, not once: {mutant.text}"
        )
    module = ModuleType("mutant")
    exec(compile(SOURCE.replace(mutant.text, mutant.by), f"<{mutant.name}>", "exec"), module.__dict__)
    block.simulate = module.simulate


@cache
def case(seed: int) -> tuple[Hospital, Stays]:
    """A hospital and the reference's answer."""
    hospital = hospital_of_seed(seed)
    return hospital, simpy_engine.simulate(hospital.plan, hospital.trajectories)


def detected(mutant: Mutant, cases: int = CASES) -> tuple[int, str] | None:
    """After how many cases the mutant shows, and how; None if it survives all."""
    break_rule(mutant)
    for seed in range(cases):
        hospital, expected = case(seed)
        try:
            with time_limit(HANGS_AFTER):
                differs = differences(compiled_engine.simulate(hospital.plan, hospital.trajectories), expected)
        except Exception as error:
            return seed + 1, f"{type(error).__name__}: {error}"
        if differs:
            return seed + 1, ", ".join(differs)
    return None


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raises TimeoutError inside when the time is over."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"still running after {seconds} seconds")

    signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def main(names: Sequence[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not names or any(name in mutant.name for name in names)]
    survivors = 0
    for mutant in chosen:
        found = detected(mutant)
        survivors += found is None
        after, how = found or (CASES, "SURVIVES")
        sys.stdout.write(f"{mutant.name:60} {after:4}  {how[:80]}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - survivors} of {len(chosen)} mutants detected\n")
    return int(survivors > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
