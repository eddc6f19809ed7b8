"""How full the wards will be: the Monte Carlo of the twin."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from kaizar_pipeline.orchestration import checks
from kaizar_pipeline.orchestration.stage import SIMULATES, Stage, readable_faults, table_spec
from kaizar_pipeline.patients.starting_census import starting_census
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.occupancy import simulate_occupancy
from kaizar_pipeline.simulation.starting_point import StartingPoint
from kaizar_pipeline.tables import HOSPITAL_TOTAL

_TABLES = (
    "occupancy_distributions", "midnight_census", "week_profile", "daily_peaks", "ward_performance",
    "simulation_precision", "boarding_causes",
)  # fmt: skip


@dg.multi_asset(
    specs=[
        table_spec(name, "simulation", "patients", "ward_stays", "length_of_stay", "arrival_rates", kinds=["python"])
        for name in _TABLES
    ],
    check_specs=checks.specs(*_TABLES),
    required_resource_keys=SIMULATES,
)
def simulation(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """The distributions of occupancy, daily peaks, and what patients meet in each ward."""
    with readable_faults():
        stage = Stage(context)
        patients, ward_stays, lengths, rates = stage.load("patients", "ward_stays", "length_of_stay", "arrival_rates")
        start = StartingPoint(stage.as_wanted, rates, lengths, starting_census(patients, ward_stays))
        occupancy = simulate_occupancy(Experiment(start, stage.workers), _Log(context))
        as_of = rates["as_of"].iloc[0]
        distributions, peaks = occupancy.occupancy_distributions, occupancy.daily_peaks
        yield stage.save(
            "occupancy_distributions", distributions, as_of, _headline(distributions, as_of),
            [checks.probabilities(distributions)],
        )  # fmt: skip
        midnights = occupancy.midnight_census
        yield stage.save("midnight_census", midnights, as_of, {}, [checks.probabilities_add_up(midnights)])
        yield stage.save("week_profile", occupancy.week_profile, as_of, {})
        replications = int(distributions["replications"].iloc[0])
        yield stage.save("daily_peaks", peaks, as_of, {}, [checks.sums_to_one(peaks, replications)])
        yield stage.save(
            "ward_performance", occupancy.ward_performance, as_of, {}, [checks.trustworthy(occupancy.warnings)]
        )
        precision = occupancy.simulation_precision
        yield stage.save("simulation_precision", precision, as_of, _precision(precision))
        yield stage.save("boarding_causes", occupancy.boarding_causes, as_of, {})


def _precision(precision: pd.DataFrame) -> dict[str, float | str]:
    """How precisely each quantity is known where it is known worst."""
    known = precision[precision["half_width"].notna()]
    return {
        f"half-width of {row.quantity}, at most": float(row.half_width)  # pyright: ignore[reportArgumentType]
        for row in known.itertuples()
    }


class _Log:
    """Tells the run's log of each further tenth that is done."""

    def __init__(self, context: dg.AssetExecutionContext):
        self._context = context
        self._tenths = 0

    def __call__(self, done: int, of: int) -> None:
        if 10 * done // of > self._tenths:
            self._tenths = 10 * done // of
            self._context.log.info(f"simulated {done} of {of} replications")


def _headline(distributions: pd.DataFrame, as_of: pd.Timestamp) -> dict[str, float | str]:
    """The highest probability of a full ward in the next week, and where it is; tonight's census is known."""
    week = distributions["at"].between(as_of, as_of + pd.Timedelta(days=7), inclusive="neither")
    wards = distributions[week & (distributions["ward_id"] != HOSPITAL_TOTAL) & distributions["prob_full"].notna()]
    if wards.empty:
        return {}
    worst = wards.sort_values("prob_full", kind="stable").iloc[-1]
    return {
        "highest probability full, 7 days": float(worst["prob_full"]),
        "fullest ward, 7 days": str(worst["ward_id"]),
        "at": f"{worst['at']:%Y-%m-%d %H:%M}",
    }
