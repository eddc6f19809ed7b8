"""How fast the twin is, as ratios: `python -m benchmarks.engines`; docs/reference/benchmarks.md has the results.

CPU times of what is compared are taken in turn, so that other load on the machine slows all of it equally; a ratio is
the median over the turns. Compiling is not in the figures: everything runs once before it is timed.
"""

import argparse
import ctypes
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter, thread_time

import numpy as np
import pandas as pd
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks.figures import AIMS, keep
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.simulation import simpy_engine
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.kernel import block
from kaizar_pipeline.simulation.kernel.compiling import entry
from kaizar_pipeline.simulation.kernel.count import Window
from kaizar_pipeline.simulation.kernel.draw import Replication
from kaizar_pipeline.simulation.kernel.flows import FlowCounts, FlowTallies, FlowWindow, add_flows, count_flows
from kaizar_pipeline.simulation.kernel.inputs import rules_of, sources_of
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo
from kaizar_pipeline.simulation.plan import Plan, make_plan
from kaizar_pipeline.simulation.sampling import buffer_sizes, day_speeds, draw, los_scales, route_shares
from kaizar_pipeline.simulation.trajectories import Stays, Trajectories
from kaizar_pipeline.simulation.workers import Worker, flow_window_of
from kaizar_pipeline.tables.kpis import KPI_INDEX

FOLDER = Path(__file__).parent
START = pd.Timestamp("2026-01-01")
DAYS, SHORT_DAYS = 180, 28
"""Days of the benchmark hospital, and of its runs of a thousand replications and more."""

PROGRESS = Console(stderr=True, highlight=False)


@dataclass(frozen=True)
class Row:
    """A line of the table. Rows without `key` are components of others."""

    what: str
    measured: float
    key: str = ""


class Skipped(Exception):  # noqa: N818  not an error: the rest goes on
    """What a measurement needs is not installed."""


# The hospital


@cache
def hospital() -> HospitalConfig:
    """The benchmark hospital, checked like any other."""
    return HospitalConfig.model_validate(yaml.safe_load((FOLDER / "hospital.yml").read_text()) | {"id": "benchmark"})


@cache
def plan_of(days: int) -> Plan:
    """The benchmark hospital over so many days, after its warm-up."""
    config = hospital()
    rates = {
        s.id: np.full((1, days), s.model.mean_per_day) for s in config.arrival_streams if s.model.type != "ml_poisson"
    }
    return make_plan(config, rates, Horizon(START, days, config.simulation.warmup), key=7)


def occupancy() -> dict[str, float]:
    """Mean occupancy of each ward and of the hospital, in beds used over beds staffed."""
    monte_carlo = MonteCarlo(plan_of(DAYS), workers=1, with_demand=False)
    monte_carlo.extend(20)
    kpi = monte_carlo.actual.kpi
    means = kpi.measured_mean[:, -1, KPI_INDEX["mean_occupancy"]]
    return dict(zip([*plan_of(DAYS).ward_ids, "the hospital"], means.tolist(), strict=True))


class Replications:
    """A few replications of a plan, drawn, with buffers to simulate them."""

    def __init__(self, plan: Plan, number: int):
        self.plan, self.rules = plan, rules_of(plan)
        self.drawn = [draw(plan, r) for r in range(number)]
        self.stays = [block.make_stays(len(drawn.arrival), len(drawn.los)) for drawn in self.drawn]
        most = max(len(drawn.arrival) for drawn in self.drawn)
        self.events = block.make_events(self.rules, int(plan.queue_rank.max()) + 1, most)

    def simulate(self) -> None:
        """Run the compiled engine on each."""
        for drawn, stays in zip(self.drawn, self.stays, strict=True):
            block.simulate_one(self.rules, drawn, stays, self.events)


# Timing


def ms_in_turn(turns: int, **calls: Callable[[], object]) -> dict[str, np.ndarray]:
    """CPU milliseconds of each call at each of so many turns; one more turn before does not count."""
    times = np.empty((turns + 1, len(calls)))
    for turn in range(turns + 1):
        for column, call in enumerate(calls.values()):
            begin = thread_time()
            call()
            times[turn, column] = 1e3 * (thread_time() - begin)
    return dict(zip(calls, times[1:].T, strict=True))


def median_ratio(one: np.ndarray, other: np.ndarray) -> float:
    """Median over the turns of the ratio of their times."""
    return float(np.median(one / other))


# Against other engines


def simpy_over_compiled() -> list[Row]:
    """The reference engine against the compiled one on the same trajectories."""
    many = Replications(plan_of(DAYS), 1)
    times = ms_in_turn(
        5,
        simpy=lambda: simpy_engine.simulate(many.plan, many.drawn[0]),
        compiled=lambda: [many.simulate() for _ in range(20)],
    )
    simpy, compiled = times["simpy"], times["compiled"] / 20
    return [
        Row("SimPy over compiled, same trajectories", median_ratio(simpy, compiled), "simpy_over_compiled"),
        Row("  SimPy, ms per replication", float(np.median(simpy))),
        Row("  compiled, ms per replication", float(np.median(compiled))),
    ]


def ciw_over_compiled() -> list[Row]:
    """Ciw on the nearest network it can describe against the compiled engine. Ciw draws as it goes, which is a
    twentieth of its time; the second ratio has our draws in it as well."""
    try:
        import ciw  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise Skipped("needs Ciw: pip install -r benchmarks/requirements.txt") from None

    from benchmarks.ciw_network import network

    plan, config = plan_of(DAYS), hospital()
    many, sources = Replications(plan, 5), sources_of(plan)
    own = [Replication(r, *(of(plan, r, 1)[0] for of in (los_scales, day_speeds, route_shares))) for r in range(5)]
    patients, stays = buffer_sizes(plan)
    drawn, arrivals = block.make_drawn(sources, patients, stays), block.make_arrivals(sources, patients)
    work = block.make_stay_scratch(len(plan.ward_ids), stays)

    def simulate_with_ciw() -> None:
        ciw.seed(1)
        ciw.Simulation(network(config)).simulate_until_max_time(plan.hours)

    def draw_and_simulate() -> None:
        for r in range(5):
            block.draw_one(sources, own[r], drawn, arrivals, work)
        many.simulate()

    times = ms_in_turn(5, ciw=simulate_with_ciw, compiled=many.simulate, drawn=draw_and_simulate)
    ratio, with_draws = (median_ratio(times["ciw"], times[name] / 5) for name in ("compiled", "drawn"))
    return [
        Row("Ciw 3 over compiled, nearest network", ratio, "ciw_over_compiled"),
        Row("Ciw 3 over draw and simulate", with_draws, "ciw_over_draw_and_simulate"),
        Row("  Ciw, ms per replication", float(np.median(times["ciw"]))),
        Row("  draw and simulate, ms per replication", float(np.median(times["drawn"])) / 5),
    ]


def with_clocks_over_without() -> list[Row]:
    """Whole replications (draw, simulate, count) of the hospital whose two large wards have clocks and day factors."""
    clock = {"hours": [0.05] * 7 + [0.5, 1, 1.5, 2, 2, 2, 2.2, 2.2, 2, 1.5, 1, 0.7, 0.4, 0.2, 0.1, 0.05, 0.05]}
    leaving = {"discharge_clock": clock, "transfer_clock": clock, "day_factor": {"sd": 0.2, "autocorrelation": 0.4}}
    file = hospital().model_dump(mode="json", by_alias=True, exclude_unset=True)
    for ward in file["wards"]:
        ward |= leaving if ward["id"] in ("medical", "surgical") else {}
    timed, counted = HospitalConfig.model_validate(file), 40
    plain, warmup = plan_of(DAYS), plan_of(DAYS).horizon.warmup_days
    rates = {name: of.daily_rates[:, warmup:] for name, of in zip(plain.stream_ids, plain.streams, strict=True)}
    plans = plain, make_plan(timed, rates, plain.horizon, key=7)
    workers = [Worker(plan, with_demand=False) for plan in plans]
    stop = np.zeros(1, dtype=np.int64)
    without, with_clocks = (partial(worker.run, 0, counted, stop) for worker in workers)
    times = ms_in_turn(9, without=without, with_clocks=with_clocks)
    return [
        Row("with clocks and day factors over without", median_ratio(times["with_clocks"], times["without"]),
            "with_clocks_over_without"),
        Row("  without, ms per replication", float(np.median(times["without"])) / counted, "engine_ms"),
        Row("  with, ms per replication", float(np.median(times["with_clocks"])) / counted, "engine_clock_ms"),
    ]  # fmt: skip


def compiled_over_c() -> list[Row]:
    """The compiled engine against the same algorithm in C, after both have given the same bytes."""
    many = Replications(plan_of(DAYS), 10)
    theirs = [Stays._make(np.empty_like(values) for values in stays) for stays in many.stays]
    with tempfile.TemporaryDirectory() as folder:
        simulate = _c_engine(Path(folder))
        calls = [_c_call(many, drawn, stays) for drawn, stays in zip(many.drawn, theirs, strict=True)]

        def simulate_in_c() -> None:
            for arguments in calls:
                simulate(*arguments)

        simulate_in_c()
        many.simulate()
        for ours, other in zip(many.stays, theirs, strict=True):
            assert all(a.tobytes() == b.tobytes() for a, b in zip(ours, other, strict=True)), "C gives other stays"
        times = ms_in_turn(15, c=simulate_in_c, compiled=many.simulate)
    return [
        Row("compiled over C", median_ratio(times["compiled"], times["c"]), "compiled_over_c"),
        Row("  C, ms per replication", float(np.median(times["c"])) / 10),
    ]


_SIZES = ("wards", "ranks", "changes", "stops", "types", "census", "patients", "stays", "buckets", "capacity")


class _Sizes(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in _SIZES),
        ("hours", ctypes.c_double),
    ]


def _c_engine(folder: Path) -> Callable[..., object]:
    compiler, library = shutil.which("gcc"), folder / "engine.so"
    if compiler is None:
        raise Skipped("needs gcc")
    options = ["-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, "-o", str(library), str(FOLDER / "engine.c"), "-lm"], check=True)
    return ctypes.CDLL(str(library)).simulate


def _c_call(many: Replications, drawn: Trajectories, stays: Stays) -> tuple[object, ...]:
    rules = many.rules
    wards, ranks = many.events.first.shape
    sizes = _Sizes(
        wards, ranks, len(rules.change_hour), len(rules.stop_ward), rules.stop_types.shape[1], drawn.n_census,
        len(drawn.arrival), len(drawn.los), len(many.events.later) - 1, len(many.events.stay), rules.hours,
    )  # fmt: skip
    return ctypes.byref(sizes), *(_pointers(part) for part in (rules, drawn, stays, many.events))


def _pointers(arrays: tuple[object, ...]) -> ctypes.Array[ctypes.c_void_p]:
    """The arrays of a named tuple as a C struct of pointers in the same order."""
    addresses = [part.ctypes.data for part in arrays if isinstance(part, np.ndarray)]
    return (ctypes.c_void_p * len(addresses))(*addresses)


# The whole of a replication


def fused_over_simulate() -> list[Row]:
    """Draw, simulate and count in one call, over simulating alone."""
    plan, n = plan_of(DAYS), 10
    many, stop = Replications(plan, n), np.zeros(1, dtype=np.int64)
    plain, with_demand = Worker(plan, with_demand=False), Worker(plan)
    for worker in (plain, with_demand):
        worker.prepare()
    times = ms_in_turn(
        15,
        simulate=many.simulate,
        fused=lambda: plain.run(0, n, stop),
        with_demand=lambda: with_demand.run(0, n, stop),
    )
    fused, demand = (median_ratio(times[name], times["simulate"]) for name in ("fused", "with_demand"))
    return [
        Row("draw + simulate + count, over simulate", fused, "fused_over_simulate"),
        Row("  the demand run simulated and counted too, over simulate", demand),
        Row("  draw + simulate + count, ms per replication", float(np.median(times["fused"])) / n),
        Row("  the demand run too, ms per replication", float(np.median(times["with_demand"])) / n),
    ]


@entry
def _count_flows(
    window: Window, flows: FlowWindow, run: tuple[Trajectories, Stays], counts: FlowCounts, to_bed: np.ndarray,
    tallies: FlowTallies,
) -> None:  # fmt: skip
    """What the kernel does for flows in one replication."""
    count_flows(window, flows, *run, counts, to_bed)
    add_flows(counts, tallies)


def with_flows_over_without() -> list[Row]:
    """A replication with its demand run, which counts flows, over the same less the time that counting them takes."""
    plan, n = plan_of(DAYS), 10
    worker, stop = Worker(plan), np.zeros(1, dtype=np.int64)
    worker.run(0, n, stop)  # so that the tallies are wide enough
    many, flows = Replications(plan, n), flow_window_of(plan)
    many.simulate()
    counts, to_bed = block.make_flow_counts(len(plan.ward_axis), flows), np.zeros(len(plan.ward_axis))

    def count_all() -> None:
        for run in zip(many.drawn, many.stays, strict=True):
            _count_flows(worker.window, flows, run, counts, to_bed, worker.flows)

    times = ms_in_turn(15, whole=lambda: worker.run(0, n, stop), flows=count_all)
    ratio = median_ratio(times["whole"], times["whole"] - times["flows"])
    return [
        Row("with flows over without, demand run included", ratio, "with_flows_over_without"),
        Row("  flows, ms per replication", float(np.median(times["flows"])) / n),
    ]


def speedup_2_threads() -> list[Row]:
    """A thousand replications on one thread over the same on two; the best of three runs each."""
    cores = os.cpu_count() or 1
    if cores < 2:
        raise Skipped("needs two cores")
    one, two = np.min([[_seconds(workers) for workers in (1, 2)] for _ in range(3)], axis=0)
    return [
        Row(f"one thread over two, 1,000 replications of {SHORT_DAYS} days", one / two, "speedup_2_threads"),
        Row("  one thread, seconds", one),
        Row("  two threads, seconds", two),
    ]


def _seconds(workers: int) -> float:
    monte_carlo = MonteCarlo(plan_of(SHORT_DAYS), workers=workers)
    begin = perf_counter()
    monte_carlo.extend(1000)
    return perf_counter() - begin


def memory_growth() -> list[Row]:
    """Highest resident memory of a process with ten thousand replications, over that of one with a thousand."""
    few, many = (_in_a_process(peak_megabytes, replications) for replications in (1_000, 10_000))
    return [
        Row("memory, 10,000 over 1,000 replications", many / few, "memory_growth"),
        Row("  1,000 replications, MB", few),
        Row("  10,000 replications, MB", many),
    ]


def _in_a_process(function: Callable[[int], float], argument: int) -> float:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, argument).result()


def peak_megabytes(replications: int) -> float:
    """Highest resident memory of this process after so many replications."""
    monte_carlo = MonteCarlo(plan_of(SHORT_DAYS), workers=2)
    monte_carlo.extend(replications)
    assert monte_carlo.actual.replications == monte_carlo.demand.replications == replications
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would return the parent's peak where that is higher
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def hospital_1_seconds() -> list[Row]:
    """A thousand replications of the shipped hospital_1 on two threads, tables included; patients and rates are made
    before."""
    from kaizar_pipeline.config.files import load_hospital_config, shipped
    from kaizar_pipeline.forecasting.features import make_feature_table
    from kaizar_pipeline.forecasting.model import train_lgbm_poisson
    from kaizar_pipeline.forecasting.rates import forecast_rates
    from kaizar_pipeline.history.loading import load_history
    from kaizar_pipeline.patients.daily_arrivals import arrivals_per_day
    from kaizar_pipeline.patients.starting_census import starting_census
    from kaizar_pipeline.simulation.experiment import Experiment
    from kaizar_pipeline.simulation.occupancy import simulate_occupancy
    from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables

    config = load_hospital_config(shipped("hospital_configs/hospital_1.yml"))
    config = config.model_copy(update={"simulation": config.simulation.model_copy(update={"replications": 1000})})
    history = load_history(config, None, None)
    arrivals = arrivals_per_day(history.patients, config)
    features = make_feature_table(arrivals, config)
    rates = forecast_rates(train_lgbm_poisson(features), features, arrivals, config)
    census = starting_census(history.patients, history.ward_stays)

    def seconds() -> tuple[float, float]:
        """Until the last replication, and for the tables after it."""
        done: list[float] = []
        begin = perf_counter()
        experiment = Experiment(StartingPoint(config, StartingTables(rates, starting_census=census)), workers=2)
        simulate_occupancy(experiment, lambda *_: done.append(perf_counter()))
        return done[-1] - begin, perf_counter() - done[-1]

    seconds()
    replications, tables = min((seconds() for _ in range(3)), key=sum)
    days = config.simulation.horizon_days
    return [
        Row(f"hospital_1, 1,000 replications of {days} days, s", replications + tables, "hospital_1_seconds"),
        Row("  replications, seconds", replications),
        Row("  tables, seconds", tables),
    ]


MEASURES: dict[str, Callable[[], list[Row]]] = {
    measure.__name__: measure
    for measure in (
        simpy_over_compiled,
        with_clocks_over_without,
        ciw_over_compiled,
        compiled_over_c,
        fused_over_simulate,
        with_flows_over_without,
        speedup_2_threads,
        memory_growth,
        hospital_1_seconds,
    )
}


def main() -> None:
    """Measure, and print a table or one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="print one flat object: key -> value, null if left out")
    parser.add_argument("--write", action="store_true", help="store the figures for docs/evidence.md")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=MEASURES,
        default=list(MEASURES),
        metavar="KEY",
        help=f"measure these only: {', '.join(MEASURES)}",
    )
    arguments = parser.parse_args()
    beds = ", ".join(f"{name} {share:.0%}" for name, share in occupancy().items())
    PROGRESS.print(f"benchmark hospital over {DAYS} days: {beds} of the staffed beds used")
    rows: list[Row] = []
    for key in arguments.only:
        PROGRESS.print(f"measuring {key} ...")
        try:
            found = MEASURES[key]()
        except Skipped as reason:
            PROGRESS.print(f"{key} left out: {reason}")
            continue
        rows += found
        if arguments.write:
            keep(keyed(found), f"python -m benchmarks.engines --only {key} --write")
    if arguments.json:
        values = dict.fromkeys(MEASURES) | keyed(rows)
        sys.stdout.write(json.dumps(values, indent=2) + "\n")
    else:
        Console().print(_table(rows, beds))


def keyed(rows: list[Row]) -> dict[str, float]:
    """The figures by key."""
    return {row.key: row.measured for row in rows if row.key}


def _table(rows: list[Row], beds: str) -> Table:
    table = Table(
        "key", "what", "measured", "wanted",
        caption=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; "
        f"beds used: {beds}",
    )  # fmt: skip
    for row in rows:
        table.add_row(row.key, row.what, f"{row.measured:.4g}", AIMS.get(row.key, ""))
    return table


if __name__ == "__main__":
    main()
