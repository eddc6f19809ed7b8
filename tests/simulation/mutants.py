"""Broken rules, each of which the random hospitals must tell from the reference: proof that their silence means much.

    python tests/simulation/mutants.py [part of a name ...]

A mutant is a change in the text of the engine. Each is run on one random hospital after the other until its stays
differ. Prints a table; the exit status is 1 when a mutant survives. A mutant whose text no longer stands in the engine
is an error, so the list stays current.
"""

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType

from random_hospitals import Hospital, differences, hospital_of_seed

from kaizar_pipeline.simulation import simpy_engine
from kaizar_pipeline.simulation.plan import Plan
from kaizar_pipeline.simulation.sampling import Trajectories
from kaizar_pipeline.simulation.simpy_engine import Stays

CASES = 600
"""Hospitals a mutant is run on at most."""

HANGS_AFTER = 5
"""Seconds after which a mutant is taken to run for ever."""

ENGINE = Path(simpy_engine.__file__)


@dataclass(frozen=True)
class Mutant:
    """A rule broken: `text` of the engine, which stands there once, replaced by `by`."""

    name: str
    text: str
    by: str


KINDS = "CAPACITY, END_OF_STAY, PATIENCE, ARRIVAL = range(4)"

MUTANTS = (
    Mutant("beds change after stays end", KINDS, "END_OF_STAY, CAPACITY, PATIENCE, ARRIVAL = range(4)"),
    Mutant("beds change last of all", KINDS, "END_OF_STAY, PATIENCE, ARRIVAL, CAPACITY = range(4)"),
    Mutant("patience ends before stays do", KINDS, "CAPACITY, PATIENCE, END_OF_STAY, ARRIVAL = range(4)"),
    Mutant("patients arrive before stays end", KINDS, "CAPACITY, ARRIVAL, END_OF_STAY, PATIENCE = range(4)"),
)
"""Not among them, for nothing would show: ARRIVAL before PATIENCE, as neither an arrival nor one who gives up frees a
bed; and an exchange looked for at every wait, as only a first wait along an edge can close a ring."""


def engine_of(mutant: Mutant) -> Callable[[Plan, Trajectories], Stays]:
    """The engine with one rule broken."""
    source = ENGINE.read_text()
    if source.count(mutant.text) != 1:
        raise ValueError(
            f"{mutant.name}: stands {source.count(mutant.text)} times in {ENGINE}, not once: {mutant.text}"
        )
    module = ModuleType("mutant")
    sys.modules["mutant"] = module
    exec(compile(source.replace(mutant.text, mutant.by), f"<{mutant.name}>", "exec"), module.__dict__)
    return module.simulate


@cache
def case(seed: int) -> tuple[Hospital, Stays]:
    """A hospital and the reference's answer."""
    hospital = hospital_of_seed(seed)
    return hospital, simpy_engine.simulate(hospital.plan, hospital.trajectories)


def detected(mutant: Mutant, cases: int = CASES) -> tuple[int, str] | None:
    """After how many cases the mutant shows, and how; None if it survives all."""
    simulate = engine_of(mutant)
    for seed in range(cases):
        hospital, expected = case(seed)
        try:
            with time_limit(HANGS_AFTER):
                differs = differences(simulate(hospital.plan, hospital.trajectories), expected)
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
