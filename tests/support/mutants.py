"""Broken rules, each of which the random hospitals must detect: evidence that their agreement means something.

    python tests/support/mutants.py [part of a name ...]

A mutant is a change in the syntax tree of one function of the kernel's event loop, run as ordinary Python on one random
hospital after the other until its stays differ. Prints a table; the exit status is 1 when a mutant survives. A mutant
whose code is no longer in its function is an error, so the list stays current.
"""

import ast
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

HANGS_AFTER = 1
"""Seconds of computing after which a mutant is assumed to run for ever; a hospital takes hundredths of one."""


@dataclass(frozen=True)
class Mutant:
    """A rule broken: in `function` of the event loop, the code `sound`, an expression or statements which it has once,
    replaced by `broken`."""

    name: str
    function: str
    sound: str
    broken: str

    def tree(self) -> ast.Module:
        """The event loop with this rule broken."""
        tree = ast.parse(Path(events.__file__).read_text())
        (function,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == self.function)
        replacement = _Replacement(ast.parse(self.sound).body, ast.parse(self.broken).body)
        replacement.visit(function)
        if replacement.times != 1:
            raise ValueError(f"{self.name}: {self.function} has {replacement.times} times, not once: {self.sound}")
        return ast.fix_missing_locations(tree)


class _Replacement(ast.NodeTransformer):
    """Replaces statements, or an expression, wherever they are equal to the given ones."""

    def __init__(self, sound: list[ast.stmt], broken: list[ast.stmt]):
        self.sound, self.broken, self.times = [ast.dump(node) for node in sound], broken, 0
        self.expression: tuple[str, ast.expr] | None = None
        match sound, broken:
            case [ast.Expr(value=expression)], [ast.Expr(value=by)]:
                self.expression = ast.dump(expression), by

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if self.expression and isinstance(node, ast.expr) and ast.dump(node) == self.expression[0]:
            self.times += 1
            return self.expression[1]
        for statements in (getattr(node, name, None) for name in ("body", "orelse")):
            if isinstance(statements, list) and not self.expression:
                self._replace_in(statements)
        return super().generic_visit(node)

    def _replace_in(self, statements: list[ast.stmt]) -> None:
        n = len(self.sound)
        for first in range(len(statements) - n + 1):
            if [ast.dump(node) for node in statements[first : first + n]] == self.sound:
                statements[first : first + n] = self.broken
                self.times += 1
                return


NEXT_CHANGE = "hour < now or (hour == now and kind >= 0)"
EARLIER = "state.soon_time[place] < time or (state.soon_time[place] == time and state.soon[place] < event)"
MOST_URGENT = """
rank = index(0)
while state.first[ward, rank] == NOWHERE:
    rank = index(rank + 1)
"""
SERVES = "_grant(state, index(state.first[ward, rank]), ward, rank)"
EXCHANGES = "state.waiting_in[held, ward] == 1 and state.blocked[ward] > 0"
FIRST_WAITER = """
p = state.first[ward, rank]
while p != NOWHERE:
    if state.held[p] == held:
        return signed(p)
    p = state.behind[p]
"""
REDIRECTS = "range(rules.first_overflow[ward], rules.first_overflow[ward + 1])"
THRESHOLD = "ceil(threshold * beds - 1e-9)"
STAFFS = "_staff(rules, state, ward, rules.change_beds[change])"
STOPPED_TYPE = "rules.stop_types[stop, index(drawn.patient_type[p])]"
STOPPED = f"{STOPPED_TYPE} and state.census[rules.stop_ward[stop]] >= state.stop_at[stop]"
GIVES_UP = "state.waits[p] and stay == drawn.offset[p]"
DELAYED = "_after(drawn, stay, end, drawn.delay[stay])"
FULL_QUEUE = "state.queue[ward] >= rules.queue_limit[ward]"
TURNED_AWAY = f"{FULL_QUEUE} and p >= drawn.n_census and stay == drawn.offset[p]"

MUTANTS = (
    # order of simultaneous events
    Mutant(
        "beds change after stays end", "_next_event", NEXT_CHANGE, "hour < now or (hour == now and kind == ARRIVAL)"
    ),
    Mutant("beds change after all else", "_next_event", NEXT_CHANGE, "hour < now"),
    Mutant(
        "patients arrive before stays end", "_next_event", "state.soon_time[last] <= now", "state.soon_time[last] < now"
    ),
    Mutant(
        "patience ends before stays do",
        "_is_before",
        "state.soon[place] < event",
        "(state.soon[place] + len(state.stay)) % len(state.soon) < (event + len(state.stay)) % len(state.soon)",
    ),
    Mutant("stays that end together end in no order", "_is_before", EARLIER, "state.soon_time[place] < time"),
    Mutant(
        "stays that end together end last patient first",
        "_is_before",
        "state.soon[place] < event",
        "state.soon[place] > event",
    ),
    Mutant("the horizon is part of the run", "_push", "time < rules.hours", "time <= rules.hours"),
    Mutant("events go to buckets that are open", "_push", "bucket <= state.now[OPEN]", "bucket < state.now[OPEN]"),
    Mutant(
        "arrivals come before their bucket opens",
        "_open_buckets",
        "state.now[OPEN] < upto",
        "state.now[OPEN] < upto - 1",
    ),
    # queues and priorities
    Mutant(
        "less urgent first",
        "_serve",
        MOST_URGENT,
        MOST_URGENT.replace("(0)", "(state.first.shape[1] - 1)").replace("+ 1)", "- 1)"),
    ),
    Mutant("last come first served", "_serve", SERVES, SERVES.replace("first", "last")),
    Mutant(
        "priority of the first ward everywhere",
        "_join_queue",
        "drawn.priority[state.stay[p]]",
        "drawn.priority[drawn.offset[p]]",
    ),
    Mutant("one patient served at a time", "_serve", SERVES, f"{SERVES}\nbreak"),
    Mutant("more beds admit nobody", "_change_beds", "_event(now, ward, NOWHERE)", "_event(now, NOWHERE, NOWHERE)"),
    Mutant(
        "beds that close keep their patients' successors",
        "_change_beds",
        "rules.change_beds[change]",
        "max(rules.change_beds[change], state.census[ward])",
    ),
    Mutant("a free bed is taken past the queue", "_has_free_bed", "state.queue[ward] == 0", "True"),
    Mutant("the bed left serves nobody", "_admit", "return held", "return NOWHERE"),
    Mutant(
        "beds granted last are taken first",
        "_settle",
        "state.granted[index(taken)]",
        "state.granted[index(state.now[GRANTED] - 1 - taken)]",
    ),
    # boarding
    Mutant("released beds are held", "_end_stay", "rules.holds_bed[ward]", "True"),
    Mutant("held beds are released", "_end_stay", "rules.holds_bed[ward]", "False"),
    Mutant(
        "the next ward's rule of boarding holds",
        "_end_stay",
        "rules.holds_bed[ward]",
        "rules.holds_bed[drawn.planned_ward[stay + 1]]",
    ),
    Mutant(
        "an outlier boards by the planned ward's rule",
        "_end_stay",
        "rules.holds_bed[ward]",
        "rules.holds_bed[drawn.planned_ward[stay]]",
    ),
    Mutant(
        "an outlier frees a bed of the planned ward", "_end_stay", "stays.used_ward[stay]", "drawn.planned_ward[stay]"
    ),
    Mutant("a stay in the same ward queues again", "_request", "ward == held", "False"),
    # exchange
    Mutant("no exchange", "_request", EXCHANGES, "False"),
    Mutant("exchange of two only", "_request", EXCHANGES, f"{EXCHANGES} and state.waiting_in[ward, held] > 0"),
    Mutant(
        "exchange of any length, not the shortest",
        "_shortest_cycle",
        "here = to_visit[visited]\nvisited += 1",
        "found -= 1\nhere = to_visit[found]",
    ),
    Mutant(
        "cycles of equal length in reverse order of the config",
        "_shortest_cycle",
        "range(len(came_from))",
        "range(len(came_from) - 1, -1, -1)",
    ),
    Mutant(
        "the last waiter of an edge is exchanged",
        "_first_waiter",
        FIRST_WAITER,
        FIRST_WAITER.replace("first", "last").replace("behind", "ahead"),
    ),
    # overflow
    Mutant("no overflow", "_overflow", "state.census[ward] >= state.overflow_at[ward]", "False"),
    Mutant(
        "overflow to the last listed",
        "_overflow",
        REDIRECTS,
        "range(rules.first_overflow[ward + 1] - 1, rules.first_overflow[ward] - 1, -1)",
    ),
    Mutant("overflow to the first listed only", "_overflow", REDIRECTS, f"{REDIRECTS}[:1]"),
    Mutant(
        "overflow only from a full ward",
        "_staff",
        "rules.overflow_threshold[ward]",
        "max(1.0, rules.overflow_threshold[ward])",
    ),
    Mutant("overflow of requests made before the start", "_request", "stays.request[stay] >= 0", "True"),
    Mutant("outliers count in the planned ward", "_admit", "state.ward[p]", "drawn.planned_ward[stay]"),
    # thresholds
    Mutant("thresholds reached one patient later", "_whole_beds", THRESHOLD, f"{THRESHOLD} + 1"),
    Mutant("thresholds rounded down", "_whole_beds", THRESHOLD, "int(threshold * beds + 1e-9)"),
    Mutant("thresholds without tolerance", "_whole_beds", THRESHOLD, "ceil(threshold * beds)"),
    Mutant(
        "thresholds of the beds at the start",
        "_change_beds",
        STAFFS,
        "state.beds[ward] = rules.change_beds[change]",
    ),
    # admission stops
    Mutant("no admission stop", "_arrive", STOPPED, "False"),
    Mutant(
        "only the first admission stop counts",
        "_arrive",
        "range(len(rules.stop_ward))",
        "range(len(rules.stop_ward))[:1]",
    ),
    Mutant("admission stops for every type", "_arrive", STOPPED_TYPE, "True"),
    Mutant(
        "admission stops look at the ward asked for",
        "_arrive",
        "state.census[rules.stop_ward[stop]]",
        "state.census[drawn.planned_ward[stay]]",
    ),
    Mutant(
        "admission stops for patients of the ward only",
        "_arrive",
        STOPPED_TYPE,
        f"rules.stop_ward[stop] == drawn.planned_ward[stay] and {STOPPED_TYPE}",
    ),
    # queue limits
    Mutant("no queue limit", "_request", FULL_QUEUE, "False"),
    Mutant("one more may wait", "_request", FULL_QUEUE, FULL_QUEUE.replace(">=", ">")),
    Mutant("the first ward's queue limit everywhere", "_request", FULL_QUEUE, FULL_QUEUE.replace("t[ward]", "t[0]")),
    Mutant("the census is turned away", "_request", "p >= drawn.n_census", "True"),
    Mutant("transfers are turned away", "_request", TURNED_AWAY, f"{FULL_QUEUE} and p >= drawn.n_census"),
    # patience
    Mutant("patience never ends", "_give_up", GIVES_UP, "False"),
    Mutant("patience of 0 is endless", "_request", "drawn.patience[p] < np.inf", "0 < drawn.patience[p] < np.inf"),
    Mutant("patience ends in later wards too", "_give_up", GIVES_UP, "state.waits[p]"),
    Mutant("patience counts from time 0", "_request", "now + drawn.patience[p]", "max(now, drawn.patience[p])"),
    # durations
    Mutant("no discharge delay", "_care", DELAYED, "end"),
    Mutant("the discharge delay runs without the clock", "_care", DELAYED, "end + drawn.delay[stay]"),
    Mutant("no clock", "_after", "drawn.clock[stay] == NO_CLOCK", "True"),
    Mutant("care ends after the discharge delay", "_end_stay", "min(stays.ready[stay], now)", "now"),
    Mutant(
        "care lasts from the request",
        "_care",
        "_after(drawn, stay, now, drawn.los[stay])",
        "max(now, _after(drawn, stay, max(0.0, stays.request[stay]), drawn.los[stay]))",
    ),
    # census at the start
    Mutant(
        "the census is seated within the beds",
        "_reset",
        "state.census[ward] += 1",
        "state.census[ward] = min(state.census[ward] + 1, state.beds[ward])",
    ),
    Mutant("the census goes on in reverse order", "simulate", "index(begun)", "index(drawn.n_census - 1 - begun)"),
    Mutant("the census asks at the start", "_begin", "drawn.requested[p]", "0.0"),
    Mutant("beds are taken before all of the census has asked", "simulate", "begun == drawn.n_census", "True"),
)
"""Not among them, because nothing would show: patients who arrive before patience ends at the same instant (neither
frees a bed), an exchange tried at every wait (a cycle can close only at the first along an edge), and the order in
which the patients of a cycle move (all do, and its wards stay full)."""


def break_rule(mutant: Mutant) -> None:
    """Put the event loop with one rule broken in the place of the sound one."""
    module = ModuleType("mutant")
    exec(compile(mutant.tree(), f"<{mutant.name}>", "exec"), module.__dict__)
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
    """Raises TimeoutError inside when so many seconds have been computed, however busy the machine is."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"still running after {seconds} s")

    signal.signal(signal.SIGVTALRM, interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


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
