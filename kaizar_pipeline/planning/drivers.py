"""Why the census is uncertain: its variance split over what chance decides, by drawing part of it again.

Law of total variance, in the order of `RANDOM_SOURCES`, the order in which things come about: what a driver adds is the
variance of the census once it and all drivers before it are known, less that without it. Known means held: a second
simulation has the replication's own numbers for those drivers and another replication's for the rest, and the
covariance of the two is the variance that the held drivers explain (Sobol 1993; the pick-freeze estimator). The parts
add up by construction; what drivers do only together counts with the later one.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.scenario import BASELINE
from kaizar_pipeline.planning.beds import kept_replications
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo, plan_ahead
from kaizar_pipeline.simulation.plan import RANDOM_SOURCES, Plan
from kaizar_pipeline.tables import HOSPITAL_TOTAL, OCCUPANCY_DRIVERS

DRIVERS = (*RANDOM_SOURCES, "monte_carlo")
"""What chance decides, and last the error of the mean over finitely many replications."""

REDRAW_OFFSET = 1_000_003
"""Distance to the replication whose numbers are drawn instead: beyond all others, and prime, so that the rate path is
another one too."""


def occupancy_drivers(
    config: HospitalConfig,
    arrival_rates: pd.DataFrame,
    length_of_stay: pd.DataFrame | None,
    census: pd.DataFrame | None,
    *,
    workers: int | None = None,
) -> pd.DataFrame:
    """The variance of each day's highest census per ward and driver, and each driver's part of the width of the 90 %
    interval; arguments as of `simulate_occupancy`."""
    plan = plan_ahead(config, arrival_rates, length_of_stay, census)
    replications = kept_replications(config, plan)
    own, *held = [
        _peaks(_redrawn(plan, known), config, replications, workers)
        for known in (len(RANDOM_SOURCES), *range(1, len(RANDOM_SOURCES)))
    ]
    variance, error = explained_variance(own, held)
    variance = np.concatenate([variance, variance.sum(axis=0, keepdims=True) / replications])
    error = np.concatenate([error, np.zeros_like(error[:1])])
    total = variance.sum(axis=0)
    share = np.divide(variance, total, out=np.full_like(variance, np.nan), where=total > 0)
    low, high = np.quantile(own, (0.05, 0.95), axis=0, method="inverted_cdf")
    index = pd.MultiIndex.from_product(
        [DRIVERS, (*plan.ward_ids, HOSPITAL_TOTAL), pd.date_range(plan.statistics_start, periods=own.shape[2])],
        names=["driver", "ward_id", "date"],
    )
    columns = {"variance": variance, "variance_se": error, "share": share, "width": share * (high - low)}
    frame = pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index=index).reset_index()
    return OCCUPANCY_DRIVERS.frame(frame, hospital_id=config.id, as_of=plan.statistics_start, scenario=BASELINE)


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
    """The plan with the first `known` drivers as they are and the others drawn anew."""
    return replace(plan, redraw_offsets=tuple(0 if k < known else REDRAW_OFFSET for k in range(len(RANDOM_SOURCES))))


def _peaks(plan: Plan, config: HospitalConfig, replications: int, workers: int | None) -> np.ndarray:
    """f8[R, W + 1, D]: highest census of each day."""
    engine = config.simulation.engine
    monte_carlo = MonteCarlo(plan, engine=engine, workers=workers, keep_replications=True, with_demand=False)
    monte_carlo.extend(replications)
    peaks = monte_carlo.actual.replication_peaks
    assert peaks is not None
    return peaks.astype(np.float64)
