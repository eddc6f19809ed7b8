"""How far the simulation is from the answer, for models whose answer is known (models.py), and the page that says so.

A model is run several times over, each run with random numbers of its own, so that the spread of the runs is an honest
standard error of whatever is measured, censuses and waits alike. No two models share random numbers.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import hypot, inf, sqrt

import numpy as np

from kaizar_pipeline.simulation.counting import Counts
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo, Progress
from kaizar_pipeline.simulation.plan import Plan
from kaizar_pipeline.stats.philox import hospital_key

RUNS = 40
"""Independent runs of each model."""

TOLERANCE = 4
"""Standard errors beyond which chance does not explain a difference."""

ROUNDING = 1e-9
"""Hours that sums of decimals may be off where nothing is random."""


@dataclass(frozen=True)
class Quantity:
    """Something of which a model has a known value."""

    name: str
    theory: float
    measure: Callable[[Counts], float]
    """Reads it off one run."""
    theory_error: float = 0.0
    """Standard error of the known value where that is a published simulation's, 0 where it is theory's."""


@dataclass(frozen=True)
class Case:
    """A model whose answer is known."""

    model: str
    source: str
    """Where the answer comes from."""
    plan: Callable[[], Plan]
    quantities: tuple[Quantity, ...]
    replications: int = 5
    """In each run; 0: nothing is random, and a single replication has the answer."""


@dataclass(frozen=True)
class Result:
    """A quantity as theory has it and as it was simulated."""

    model: str
    source: str
    quantity: str
    theory: float
    simulated: float
    standard_error: float
    """Of the mean over the runs; 0 where nothing is random."""
    theory_error: float = 0.0
    """Of the known value."""

    @property
    def z(self) -> float:
        """Distance from theory in standard errors, of both; where nothing is random, 0 or infinite."""
        off, error = self.simulated - self.theory, hypot(self.standard_error, self.theory_error)
        if error > 0:
            return off / error
        return 0.0 if abs(off) < ROUNDING else inf

    @property
    def agrees(self) -> bool:
        """Whether chance explains the difference."""
        return abs(self.z) <= TOLERANCE


def validate(cases: Sequence[Case], *, runs: int = RUNS, progress: Progress | None = None) -> list[Result]:
    """Simulate every model `runs` times (at least 2) and compare; the results in the order of the quantities."""
    results = []
    for done, case in enumerate(cases, start=1):
        results += _compare(case, runs)
        if progress:
            progress(done, len(cases))
    return results


def _compare(case: Case, runs: int) -> Iterator[Result]:
    plan = case.plan()
    keys = [hospital_key(case.model, seed) for seed in range(runs if case.replications else 1)]
    values = np.array([_measure(case, replace(plan, key=key)) for key in keys])
    errors = values.std(axis=0, ddof=1) / sqrt(len(keys)) if len(keys) > 1 else np.zeros(len(case.quantities))
    for known, simulated, error in zip(case.quantities, values.mean(axis=0), errors, strict=True):
        figures = (known.theory, float(simulated), float(error), known.theory_error)
        yield Result(case.model, case.source, known.name, *figures)


def _measure(case: Case, plan: Plan) -> list[float]:
    monte_carlo = MonteCarlo(plan, workers=1, with_demand=False)
    monte_carlo.extend(max(case.replications, 1))
    return [quantity.measure(monte_carlo.actual) for quantity in case.quantities]


def distribution_of_z(results: Sequence[Result]) -> str:
    """How the distances lie, against what chance alone would give; those from other simulations apart, since these
    have errors of their own, which the models of one simulation may share."""
    others = [abs(result.z) for result in results if result.theory_error > 0]
    z = np.array([result.z for result in results if result.standard_error > 0 and result.theory_error == 0])
    exact = [result.z == 0 for result in results if result.standard_error == 0]
    beyond = {limit: int((np.abs(z) > limit).sum()) for limit in (2, 3, TOLERANCE)}
    lines = [
        f"Of {len(z)} simulated quantities {beyond[2]} are more than 2 standard errors from theory (chance alone: "
        f"about {0.0455 * len(z):.1f}),",
        f"{beyond[3]} more than 3, {beyond[TOLERANCE]} more than {TOLERANCE}; "
        f"z has mean {z.mean():.2f} and standard deviation {z.std(ddof=1):.2f}.",
        f"Of {len(exact)} quantities with nothing random {sum(exact)} are exact.",
    ]
    if others:
        worst = f"{max(others):.2f} standard errors (of both)"
        lines.append(f"The {len(others)} that were simulated elsewhere are at most {worst} off.")
    return "\n".join(lines)


_PAGE = """\
# Simulated, and known

Made by `kaizar validate --write`; do not edit. Measured on {measured}.

Small hospitals of which theory knows the answer, as the twin simulates them. The theory is in
`verification/queueing.py`, the hospitals with warm-ups in `verification/models.py` and `published_models.py`. Each is
run {runs} times with fixed seeds; the standard error is that of the mean over the runs, z the distance from theory in
standard errors. Tests fail beyond {tolerance}. A value with ± was not computed but simulated, by those who published
it; after ± is its own standard error, and z counts both.

{distribution}

| model | quantity | theory | simulated | standard error | z |
|---|---|---:|---:|---:|---:|
{rows}

## Where the answers come from

{sources}
"""


def validation_page(results: Sequence[Result], measured: date, runs: int = RUNS) -> str:
    """docs/reference/validation.md, of results that were measured on this date."""
    sources: dict[str, dict[str, None]] = {}
    for result in results:
        sources.setdefault(result.source, {})[result.model] = None
    return _PAGE.format(
        measured=measured.isoformat(),
        runs=runs,
        tolerance=TOLERANCE,
        distribution=distribution_of_z(results),
        rows="\n".join(f"| {' | '.join(row)} |" for row in rows(results)),
        sources="\n".join(f"- {source}: {'; '.join(models)}." for source, models in sources.items()),
    )


def rows(results: Sequence[Result]) -> Iterator[tuple[str, str, str, str, str, str]]:
    """Model (where it changes), quantity, theory, simulated, standard error and z in print."""
    model = ""
    for result in results:
        random = result.standard_error > 0
        figures = (result.theory, result.simulated, result.standard_error)
        theory, simulated, error = (f"{figure:.6f}" if random else f"{figure:.10g}" for figure in figures)
        if result.theory_error > 0:
            theory = f"{theory} ± {result.theory_error:.6f}"
        z = f"{result.z:+.2f}" if random else f"{result.z:g}"
        yield "" if result.model == model else result.model, result.quantity, theory, simulated, error, z
        model = result.model
