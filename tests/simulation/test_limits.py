"""At the limits the twin gives a clear answer: nothing crashes, hangs or is cut off silently."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hand_made import MONDAY, make_config, make_small_plan

from kaizar_pipeline.config.files import load_hospital_config
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import ConfigError, DataError, SimulationError
from kaizar_pipeline.simulation import sampling, workers
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.kernel.draw import FEW_BEDS, FEW_PATIENTS, FEW_STAYS
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo
from kaizar_pipeline.simulation.occupancy import Occupancy, simulate_occupancy
from kaizar_pipeline.simulation.plan import Plan
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
from kaizar_pipeline.tables import ALL, HOSPITAL_TOTAL

pytestmark = pytest.mark.integration

DAY = {"type": "fixed", "params": {"value": 24}}


def rates_of(config: HospitalConfig, per_day: float, days: int) -> pd.DataFrame:
    """The same rate for every stream."""
    rows = [
        (config.id, MONDAY, stream.id, date, 0, per_day, per_day, "constant")
        for stream in config.arrival_streams
        for date in pd.date_range(MONDAY, periods=days)
    ]
    columns = ["hospital_id", "as_of", "stream_id", "date", "path", "rate", "mean_rate", "model_type"]
    return pd.DataFrame(rows, columns=columns)


def simulated(
    wards: dict[str, Any], per_day: float, days: int = 1, census: pd.DataFrame | None = None, **parts: Any
) -> Occupancy:
    """Two replications of a hospital of `make_config`."""
    config = make_config(wards, **{"simulation": {"replications": 2}} | parts)
    start = StartingPoint(config, StartingTables(rates_of(config, per_day, days), starting_census=census))
    return simulate_occupancy(Experiment(start, workers=1))


def of(table: pd.DataFrame, ward: str) -> pd.DataFrame:
    return table[table["ward_id"] == ward].reset_index(drop=True)


def met(occupancy: Occupancy, ward: str) -> dict[Any, Any]:
    """What all patients together met in a ward."""
    rows = of(occupancy.ward_performance, ward)
    return rows[rows["patient_type"] == ALL].iloc[0].to_dict()


def in_bed(ward: str, *elapsed: float) -> pd.DataFrame:
    """A census: one patient in care for each number of hours."""
    admit = [MONDAY - pd.Timedelta(hours=hours) for hours in elapsed]
    nothing = pd.Series([None] * len(elapsed))
    return pd.DataFrame(
        {
            "patient_id": [f"p{n}" for n in range(len(elapsed))],
            "stream_id": "s",
            "patient_type": "low",
            "request": admit,
            "ward_id": ward,
            "planned_ward_id": ward,
            "admit": admit,
            "ready": pd.to_datetime(nothing),
            "waits_for": nothing,
            "waits_since": pd.to_datetime(nothing),
            "first_ward": False,
        }
    )


# Loads and beds


def test_beds_that_cannot_cope_are_refused(caplog: pytest.LogCaptureFixture):
    wards = {"a": {"capacity": 2, "los_model": DAY}}
    story = "ward a: offered load 3.0 beds against 2.0 staffed (150%)"
    with pytest.raises(SimulationError) as refused:
        simulated(wards, per_day=3)
    assert str(refused.value).startswith(story)

    allowed = simulated(wards, per_day=3, days=30, simulation={"replications": 2, "overload": "allow"})
    assert allowed.warnings == (story,)
    assert f"tiny: {story}" in caplog.messages
    waiting = of(allowed.occupancy_distributions, "a")["mean_waiting"]
    assert waiting.iloc[-1] > waiting.iloc[24 * 10] > 0  # one patient more each day


def test_a_ward_without_beds_has_nobody_in_them():
    refused = "ward a: offered load 0.0 beds against 0.0 staffed"
    with pytest.raises(SimulationError, match=refused):
        simulated({"a": 0}, per_day=1)
    occupancy = simulated({"a": 0}, per_day=20, simulation={"replications": 2, "overload": "allow"})
    hours, patients = of(occupancy.occupancy_distributions, "a"), met(occupancy, "a")
    assert (hours["mean"] == 0).all()
    assert (hours["prob_full_hour"] == 0).all()  # closed and empty
    assert (of(occupancy.ward_days, "a")["prob_full_day"] == 0).all()
    assert patients["hours_full_share"] == 0
    assert (hours["prob_above"] == 0).all()
    assert patients["requests"] > 0
    assert patients["admitted"] == 0
    assert patients["still_waiting_share"] == 1
    assert np.isnan(patients["mean_occupancy"])


def test_a_ward_without_beds_or_patients_is_allowed():
    occupancy = simulated({"a": 0}, per_day=0)
    assert occupancy.warnings == ()
    assert met(occupancy, "a")["requests"] == 0
    assert np.isnan(met(occupancy, "a")["wait_mean_hours"])
    precision = occupancy.simulation_precision
    assert precision.loc[precision["quantity"] == "wait_mean_hours", "half_width"].isna().all()


def test_without_arrivals_the_census_alone_is_simulated_in_a_ward_smaller_than_it():
    occupancy = simulated({"a": {"capacity": 1, "los_model": DAY}}, 0, 1, in_bed("a", 12, 18, 20))
    # they stay for 12, 6 and 4 hours more
    expected = [3] * 4 + [2] * 2 + [1] * 6 + [0] * 12
    hours = of(occupancy.occupancy_distributions, "a")
    assert hours["mean"].tolist() == expected
    assert hours["p99"].tolist() == expected
    assert hours["prob_full_hour"].tolist() == [1] * 12 + [0] * 12
    peaks = of(occupancy.daily_peaks, "a")
    assert peaks[["run_kind", "peak_beds", "replications"]].to_numpy().tolist() == [["actual", 3, 2], ["demand", 3, 2]]


def test_unlimited_wards_are_never_full_and_nobody_waits():
    occupancy = simulated({"a": None, "b": 3}, per_day=40)
    for ward in ("a", HOSPITAL_TOTAL):
        hours = of(occupancy.occupancy_distributions, ward)
        assert hours[["staffed_beds", "prob_full_hour", "prob_above"]].isna().all(axis=None)
        assert hours["prob_queue"].eq(0).all()
    assert of(occupancy.ward_performance, "a")["wait_max_hours"].max() == 0


# Sizes


def test_the_shortest_horizon_is_a_day():
    simulation = {"replications": 2, "start": "empty", "warmup_days": 1}
    occupancy = simulated({"a": 9}, per_day=3, simulation=simulation)
    assert of(occupancy.occupancy_distributions, "a")["at"].tolist() == list(
        pd.date_range(MONDAY, periods=24, freq="h")
    )
    assert len(of(occupancy.week_profile, "a")) == 24
    assert of(occupancy.midnight_census, "a")["date"].unique().tolist() == [MONDAY]


@pytest.mark.parametrize(
    ("days", "found"), [("0", "found 0, allowed: 1 or more"), ("0.5", "found 0.5, allowed: a whole")]
)
def test_a_horizon_below_a_day_is_refused(make_home: Callable[..., Any], days: str, found: str):
    file = make_home("tiny") / "hospital_configs" / "tiny.yml"
    file.write_text(file.read_text().replace("horizon_days: 7", f"horizon_days: {days}"))
    with pytest.raises(ConfigError, match=f"simulation.horizon_days: {found}"):
        load_hospital_config(file)


def test_five_hundred_wards_take_memory_for_the_beds_in_use_only():
    wards = {f"w{n}": 10_000 for n in range(500)}
    routing = [{"from_ward": "w0", "options": [{"to_ward": f"w{n}", "probability": 0.002} for n in range(1, 500)]}]
    monte_carlo = MonteCarlo(make_small_plan(make_config(wards, routing=routing), 2), workers=1)
    monte_carlo.extend(2)
    census = monte_carlo.actual.census
    assert np.diff(census.start).tolist() == [8] * 501
    assert all((census.of(ward).sum(axis=1) == 2).all() for ward in range(501))


def test_stays_of_years_outlast_the_horizon():
    years = {"type": "lognormal", "unit": "days", "params": {"mean": 60, "sd": 600}}
    plan = make_small_plan(make_config({"a": {"capacity": None, "los_model": years}}), 150)
    drawn = [draw(plan, replication) for replication in range(5)]
    assert max(one.los.max() for one in drawn) > 2 * 365 * 24
    monte_carlo = MonteCarlo(plan, workers=1)
    monte_carlo.extend(5)
    # nobody is lost: at the last hour are those who have come and not yet gone
    last = 150 * 24 - 1
    there = sum(int(((one.arrival <= last) & (one.arrival + one.los > last)).sum()) for one in drawn)
    histogram = monte_carlo.actual.census.of(0)[-1]
    assert int(histogram @ np.arange(len(histogram))) == there


def test_more_patients_than_any_hospital_has_are_refused_by_stream():
    with pytest.raises(SimulationError, match=r"stream s: 1e\+09 patients in 1 days, allowed: 10,000,000"):
        simulated({"a": None}, per_day=1e9)


@pytest.mark.parametrize("engine", ["compiled", "simpy"])
def test_results_do_not_depend_on_the_first_size_of_the_buffers(monkeypatch: pytest.MonkeyPatch, engine: str):
    routing = [{"from_ward": "a", "options": [{"to_ward": w, "probability": 0.45} for w in "ab"]}]
    arguments: dict[str, Any] = {
        "per_day": 30,
        "census": in_bed("a", *[1.0] * 20),
        "routing": routing,
        "simulation": {"replications": 2, "engine": engine, "overload": "allow"},
    }
    usual = simulated({"a": 2, "b": 12}, **arguments)

    short: list[int] = []
    enlarge = workers.Worker._enlarge

    def noted(worker: workers.Worker, status: int) -> None:
        short.append(status)
        enlarge(worker, status)

    monkeypatch.setattr(workers.Worker, "_enlarge", noted)
    for module in (workers, sampling):
        monkeypatch.setattr(module, "buffer_sizes", lambda _: (1, 1))
    small = simulated({"a": 2, "b": 12}, **arguments)
    assert {FEW_STAYS, FEW_BEDS} <= set(short)
    assert FEW_PATIENTS in short or engine == "simpy"  # which brings its own
    for name, table in usual.tables.items():
        pd.testing.assert_frame_equal(table, small.tables[name], check_exact=True)


def test_two_replications_have_standard_errors():
    occupancy = simulated({"a": 4}, per_day=60, simulation={"replications": 2, "overload": "allow"})
    hours = occupancy.occupancy_distributions
    assert hours.filter(like="_se").notna().all(axis=None)
    assert met(occupancy, "a")["requests_se"] > 0


# Interruptions


def endless_plan() -> Plan:
    options = {"a": "b", "b": "a"}
    routing = [{"from_ward": w, "options": [{"to_ward": to, "probability": 0.9999}]} for w, to in options.items()]
    return make_small_plan(make_config({"a": None, "b": None}, routing=routing), 28)


def test_an_error_in_a_worker_is_raised_and_leaves_no_thread():
    before = threading.active_count()
    with pytest.raises(SimulationError, match="more than 1000 stays in wards a, b"):
        MonteCarlo(endless_plan(), workers=2).extend(100)
    assert threading.active_count() == before


def test_an_error_in_the_progress_is_raised_and_leaves_no_thread():
    def told(done: int, of: int) -> None:
        raise ValueError(f"{done} of {of}")

    before = threading.active_count()
    monte_carlo = MonteCarlo(make_small_plan(make_config({"a": 2}), 1), workers=2)
    with pytest.raises(ValueError, match="20 of 10000"):
        monte_carlo.extend(10_000, told)
    assert threading.active_count() == before


LONG_RUN = """
import sys
sys.path.insert(0, "tests/support")
import numpy as np
from hand_made import MONDAY, make_config
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.plan import make_plan
engine, days = sys.argv[1], int(sys.argv[2])
plan = make_plan(make_config({"a": 9}), {"s": np.full((1, days), 100.0)}, Horizon(MONDAY, days), key=1)
MonteCarlo(plan, engine=engine, workers=2).extend(100_000, lambda *_: print("under way", flush=True))
"""


@pytest.mark.parametrize(("engine", "days"), [("compiled", "180"), ("simpy", "3")])
def test_ctrl_c_ends_a_long_run(repository: Path, engine: str, days: str):
    command = [sys.executable, "-c", LONG_RUN, engine, days]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "under way\n"
        run.send_signal(signal.SIGINT)
        try:
            _, error = run.communicate(timeout=20)
        finally:
            run.kill()
    assert error.rstrip().endswith("KeyboardInterrupt")
    assert run.returncode == -signal.SIGINT


def test_an_interrupted_simulation_does_not_go_on():
    monte_carlo = MonteCarlo(make_small_plan(make_config({"a": 4}), 2), workers=1)

    def interrupt(_done: int, _of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        monte_carlo.extend(100, interrupt)
    with pytest.raises(SimulationError, match="was interrupted, so that its counts are incomplete; start another"):
        monte_carlo.extend(200)


# Tables of another config


@pytest.mark.parametrize("column", ["ward_id", "planned_ward_id", "patient_type"])
def test_patients_whom_the_config_does_not_know_are_refused(column: str):
    census = in_bed("a", 3.0).assign(**{column: "elsewhere"})
    with pytest.raises(
        DataError, match=f"census: {column} 'elsewhere' is not in the config, allowed: .*again with this"
    ):
        simulated({"a": 4}, per_day=1, census=census)


def test_a_stream_without_rates_is_refused():
    config = make_config({"a": 4})
    rates = rates_of(config, 1, 1).assign(stream_id="t")
    with pytest.raises(DataError, match="stream 's' has no rates; make arrival_rates again with this config"):
        simulate_occupancy(Experiment(StartingPoint(config, StartingTables(rates)), workers=1))
