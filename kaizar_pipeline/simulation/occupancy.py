"""How full the wards will be: the tables of a simulation."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from kaizar_pipeline.config.scenario import BASELINE
from kaizar_pipeline.config.simulation_settings import Replications
from kaizar_pipeline.simulation.counting import CensusCounts, Counts, mean_and_sd, replications_with
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.load import check_load
from kaizar_pipeline.simulation.monte_carlo import Progress
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan
from kaizar_pipeline.simulation.precision import (
    Achieved,
    is_reached,
    looks,
    mean_half_width,
    share_half_width,
    simulation_precision,
    widest,
)
from kaizar_pipeline.simulation.summary import (
    boarding_causes,
    daily_peaks,
    level_risk,
    midnight_census,
    occupancy_distributions,
    patient_journeys,
    ward_days,
    ward_flows,
    ward_performance,
    ward_weeks,
    week_profile,
)
from kaizar_pipeline.simulation.thresholds import full_from
from kaizar_pipeline.simulation.warmup import ShortWarmup, diagnose

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Occupancy:
    """The tables of a simulation, and what the user should know before trusting them."""

    occupancy_distributions: pd.DataFrame
    midnight_census: pd.DataFrame
    ward_days: pd.DataFrame
    ward_weeks: pd.DataFrame
    level_risk: pd.DataFrame
    week_profile: pd.DataFrame
    daily_peaks: pd.DataFrame
    ward_flows: pd.DataFrame
    ward_performance: pd.DataFrame
    simulation_precision: pd.DataFrame
    boarding_causes: pd.DataFrame
    patient_journeys: pd.DataFrame
    warnings: tuple[str, ...]
    """Wards asked for more beds than they have, a warm-up that is too short."""

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "warnings"}


def simulate_occupancy(experiment: Experiment, progress: Progress | None = None) -> Occupancy:
    """Simulate the hospital as it is; `progress` is called with the replications.

    Raises SimulationError where more beds are asked for than there are, unless the config allows it.
    """
    start = experiment.start
    plan, simulation = start.plan, start.config.simulation
    overloaded = check_load(plan, allow=simulation.overload == "allow")
    actual, demand, precision = _until_precise(experiment, progress)
    # a warm-up of 0 days says that the run begins empty on purpose
    warmup = _short_warmups(plan, actual) if simulation.warmup > 0 else []
    warnings = tuple(str(warning) for warning in (*overloaded, *warmup))
    for warning in warnings:
        _LOG.warning("%s: %s", start.config.id, warning)
    constants = {"hospital_id": start.config.id, "as_of": start.as_of, "scenario": BASELINE}
    return Occupancy(
        occupancy_distributions=occupancy_distributions(plan, actual, simulation.high_occupancy, **constants),
        midnight_census=midnight_census(plan, actual, **constants),
        ward_days=ward_days(plan, actual, demand, simulation.risk_target, **constants),
        ward_weeks=ward_weeks(plan, actual, **constants),
        level_risk=level_risk(plan, actual, simulation.huddle_hour, **constants),
        week_profile=week_profile(plan, actual, **constants),
        daily_peaks=daily_peaks(plan, {"actual": actual, "demand": demand}, **constants),
        ward_flows=ward_flows(plan, actual, [ward.capacity for ward in start.config.wards], **constants),
        ward_performance=ward_performance(plan, actual, **constants),
        simulation_precision=simulation_precision(precision, **constants),
        boarding_causes=boarding_causes(plan, actual, **constants),
        patient_journeys=patient_journeys(plan, actual, **constants),
        warnings=warnings,
    )


def _short_warmups(plan: Plan, counts: Counts) -> list[ShortWarmup]:
    census = np.array([mean_and_sd(counts.census.of(w))[0] for w in range(len(plan.ward_ids))])
    return diagnose(census, plan.warmup_hours, plan.ward_ids, replications=counts.replications)


def _until_precise(experiment: Experiment, progress: Progress | None) -> tuple[Counts, CensusCounts, list[Achieved]]:
    """Run the replications that the config asks for, or until its precision is reached if it names one; the counts,
    of the demand run too, and the precision."""
    plan, simulation = experiment.start.plan, experiment.start.config.simulation
    asked, at_most = simulation.replications, simulation.max_replications
    targets = asked.precision.targets if isinstance(asked, Replications) else {}
    schedule = looks(at_most) if targets else [at_most]

    def report(done: int, _: int) -> None:
        if progress:
            progress(done, at_most)

    def look(replications: int) -> tuple[Counts, CensusCounts, list[Achieved]]:
        actual, demand = experiment.count_with_demand(plan, replications, report)
        return actual, demand, achieved_precision(plan, actual, len(schedule), targets)

    found = look(schedule[0])
    for replications in schedule[1:]:
        if is_reached(found[-1]):
            break
        found = look(replications)
    return found


def achieved_precision(plan: Plan, counts: Counts, planned_looks: int, targets: Mapping[str, float]) -> list[Achieved]:
    """How precisely the mean census, the probability of a full hour and the mean wait are known, each where it is
    known worst."""
    n = counts.replications
    histograms = [counts.census.of(w) for w in range(len(plan.ward_ids))]
    census_error = np.array([mean_and_sd(histogram)[1] for histogram in histograms]) / np.sqrt(n)
    full = np.array([replications_with(h, full_from(beds)) for h, beds in zip(histograms, plan.staffed, strict=True)])
    half_widths = {
        "mean_census": mean_half_width(census_error, n, planned_looks),
        "prob_full_hour": share_half_width(np.where(plan.staffed < UNLIMITED, full, np.nan), n, planned_looks),
        "wait_mean_hours": mean_half_width(
            counts.figures("wait_mean_hours")[1][: len(histograms), -1], n, planned_looks
        ),
    }
    return [
        widest(name, widths, plan.ward_ids, replications=n, planned_looks=planned_looks, target=targets.get(name))
        for name, widths in half_widths.items()
    ]
