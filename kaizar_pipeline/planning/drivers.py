"""Why the census is uncertain: its variance split over the sources of randomness, by redrawing part of them.

Law of total variance, in the order of `RANDOM_SOURCES`, which is the order of cause: what a driver adds is the variance
of the census once it and all drivers before it are known, less that without it. Known means held: a second simulation
has the replication's own numbers for those drivers and another replication's for the rest, and the covariance of the
two is the variance that the held drivers explain (Sobol 1993; the pick-freeze estimator). The parts add up by
construction; what drivers do only together counts with the later one. A part that is estimated below zero is noise, as
is one within two of its standard errors: shares and widths are those of the parts above zero.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from kaizar_pipeline.config.scenario import BASELINE
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.plan import RANDOM_SOURCES, Plan
from kaizar_pipeline.tables import OCCUPANCY_DRIVERS

MONTE_CARLO = "monte_carlo"
"""The driver of finitely many replications."""
DRIVERS = (*RANDOM_SOURCES, MONTE_CARLO)
"""The sources of randomness, and last the error of the mean over finitely many replications."""

REDRAW_OFFSET = 1_000_003
"""Distance to the replication whose numbers are used instead: beyond all others, and prime, so that the rate path is
another one too."""


def occupancy_drivers(experiment: Experiment) -> pd.DataFrame:
    """The variance of each day's highest census per ward and driver, and each driver's part of the width of the 90 %
    interval."""
    start = experiment.start
    plan, replications = start.plan, start.paired_replications
    plans = [plan, *(_redrawn(plan, known) for known in range(1, len(RANDOM_SOURCES)))]
    own, *held = [run.peaks.astype(np.float64) for run in experiment.run_all(plans, replications)]
    variance, error = explained_variance(own, held)
    variance = np.concatenate([variance, variance.sum(axis=0, keepdims=True) / replications])
    error = np.concatenate([error, np.zeros_like(error[:1])])
    total = variance.sum(axis=0)
    above = np.maximum(variance, 0.0)
    share = np.divide(above, above.sum(axis=0), out=np.full_like(variance, np.nan), where=total > 0)
    low, high = np.quantile(own, (0.05, 0.95), axis=0, method="inverted_cdf")
    index = pd.MultiIndex.from_product(
        [DRIVERS, plan.ward_axis, plan.horizon.dates],
        names=["driver", "ward_id", "date"],
    )
    columns = {"variance": variance, "variance_se": error, "share": share, "width": share * (high - low)}
    columns["hours"] = np.broadcast_to(plan.horizon.hours_by_date, variance.shape)
    columns["is_noise"] = (variance < 0) | (variance < 2 * error)
    frame = pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index=index).reset_index()
    return OCCUPANCY_DRIVERS.frame(frame, hospital_id=start.config.id, as_of=start.as_of, scenario=BASELINE)


def explained_variance(own: np.ndarray, held: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What each of K drivers adds to the variance of `own` [R, ...], and the standard error, f8[K, ...].

    `held[k]` has the first k + 1 drivers in common with `own`; with all of them it is `own` itself.
    """
    replications = len(own)
    deviation = own - own.mean(axis=0)
    products = [deviation * (other - other.mean(axis=0)) for other in (*held, own)]
    added = np.diff(np.stack(products), axis=0, prepend=0.0)
    error = added.std(axis=1, ddof=1) / np.sqrt(replications)
    return added.sum(axis=1) / (replications - 1), error


def _redrawn(plan: Plan, known: int) -> Plan:
    """The plan with the first `known` drivers as they are and the others redrawn, but for those it does not have: so
    that equal plans are simulated once."""
    idle = () if plan.clocks.day_sd.any() else ("day_factor",)
    redrawn = [k >= known and name not in idle for k, name in enumerate(RANDOM_SOURCES)]
    return replace(plan, redraw_offsets=tuple(REDRAW_OFFSET * redraw for redraw in redrawn))
