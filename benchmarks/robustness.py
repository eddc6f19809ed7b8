"""How much bad input, how many interruptions and how many random hospitals the project survives:

    python -m benchmarks.robustness [--only PART ...] [--number N] [--write]

Parts: `engines` simulates random hospitals by both engines, and breaks rules of the compiled one (mutants) to see
whether the hospitals detect it; `files` reads strange files (tests/fuzz); `interruptions` ends writers
(test_interruptions.py); `bad_input` runs the tests of files with errors. A part that fails stores nothing.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from benchmarks.figures import HOME, keep

SUPPORT = HOME / "tests" / "support"
FUZZ = ("tests/fuzz",)
INTERRUPTIONS = ("tests/orchestration/test_interruptions.py",)
BAD_INPUT = (
    "tests/config/test_files.py",
    "tests/config/test_hospital.py",
    "tests/config/test_scenario.py",
    "tests/forecasting/test_bad_input.py",
    "tests/orchestration/test_damaged_files.py",
    "tests/patients/test_extracts.py",
    "tests/patients/test_misleading_extracts.py",
)
FIRST_SEED = 40_000_000
"""Of random hospitals, far from those of the tests."""


def passed(tests: tuple[str, ...], **environment: str) -> dict[str, float]:
    """Run tests: the number that passed as `tests`, and the sums of the numbers that they record.

    Raises:
        RuntimeError: a test fails; with the end of the output.
    """
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", *tests, f"--junitxml={report}"]
        done = subprocess.run(
            command, check=False, cwd=HOME, env=os.environ | environment, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"{done.stdout[-3000:]}{done.stderr[-1000:]}")
        suite = ElementTree.parse(report).getroot()
    sums = {"tests": float(sum(case.find("skipped") is None for case in suite.iter("testcase")))}
    for number in suite.iter("property"):
        name, value = number.attrib["name"], float(number.attrib["value"])
        sums[name] = sums.get(name, 0) + value
    return sums


def engines(number: int) -> dict[str, float]:
    """In how many random hospitals both engines give the same bits, with limited and with unlimited beds; and how many
    mutants the hospitals of the tests detect."""
    sys.path.insert(0, str(SUPPORT))
    from random_hospitals import differences, hospital_of_seed

    from kaizar_pipeline.simulation import compiled_engine, simpy_engine

    equal = 0
    for hospital in map(hospital_of_seed, range(FIRST_SEED, FIRST_SEED + number)):
        plans = hospital.plan, hospital.plan.demand()
        compiled, simpy = (
            [engine.simulate(plan, hospital.trajectories) for plan in plans]
            for engine in (compiled_engine, simpy_engine)
        )
        equal += not any(map(differences, compiled, simpy))
    done = subprocess.run([sys.executable, SUPPORT / "mutants.py"], capture_output=True, text=True, check=False)
    detected, _, mutants, *_ = done.stdout.splitlines()[-1].split()
    return {
        "hospitals_compared": number,
        "hospitals_equal": equal,
        "mutants": float(mutants),
        "mutants_detected": float(detected),
    }


MEASURES: dict[str, Callable[[int], dict[str, float]]] = {
    "engines": engines,
    "files": lambda number: {"files_survived": passed(FUZZ, KAIZAR_FUZZ=str(number))["files"]},
    "interruptions": lambda _: {"ends_survived": passed(INTERRUPTIONS)["ends"]},
    "bad_input": lambda _: {"tests_of_bad_input": passed(BAD_INPUT)["tests"]},
}


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=list(MEASURES), help="parts (default: all)")
    parser.add_argument(
        "--number", type=int, default=1000, help="random hospitals, and strange files of each kind (default: 1000)"
    )
    parser.add_argument("--write", action="store_true", help="store the figures for docs/evidence.md")
    options = parser.parse_args()
    for part in options.only:
        begun = time.monotonic()
        figures = MEASURES[part](options.number)
        print("\n".join(f"{name:24} {value:8.0f}" for name, value in figures.items()))
        print(f"{part}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
        if options.write:
            number = f" --number {options.number}" if part in ("engines", "files") else ""
            keep(figures, f"python -m benchmarks.robustness --only {part}{number} --write")


if __name__ == "__main__":
    main()
