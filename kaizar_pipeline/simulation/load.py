"""Whether the beds suffice at all: the offered load of every ward against its staffed beds.

Requests of later wards follow from those of the streams by the traffic equations of the routing. Only the load that
must fit is compared with the beds. Left out are patients of a type that an admission stop lists, and those who lose
patience or whose first ward has a queue limit: at their first ward, and at later wards as long as they hold a limited
bed while they wait, since a boarder keeps others from the first ward, and these leave or are turned away. Once they
wait outside any bed (`boarding: release`) they count, as far as the wards before have the beds to treat them. An
overload that policies hide from the check is simulated like any other hospital.
"""

from dataclasses import dataclass

import numpy as np

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.simulation.clocks import NO_CLOCK, TRANSFER
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan
from kaizar_pipeline.stats.durations import GRID
from kaizar_pipeline.stats.operational_time import FLAT, mean_excess

TOLERANCE = 1e-9
"""Relative rounding error of loads."""


@dataclass(frozen=True)
class WardLoad:
    """The load of a ward, together with the wards it may overflow into, and the beds for it. All in beds (erlangs)."""

    wards: tuple[str, ...]
    """The ward, then those it may overflow into."""
    offered: float
    """Of all patients, if beds were unlimited."""
    must_fit: float
    """Of these, of those who cannot be turned away."""
    beds: float
    """Mean staffed beds over the hours that count, inf for unlimited."""
    diverges: bool
    """Whether the ward's queue grows without bound."""

    def __str__(self) -> str:
        ward, *others = self.wards
        with_others = f" with {', '.join(others)}" if others else ""
        share = f" ({self.must_fit / self.beds:.0%})" if self.beds else ""
        aside = ", patients who can be turned away left aside" if self.offered > self.must_fit + TOLERANCE else ""
        return (
            f"ward {ward}{with_others}: offered load {self.must_fit:.1f} beds against {self.beds:.1f} staffed"
            f"{share}{aside}"
        )


def check_load(plan: Plan, *, allow: bool = False) -> list[WardLoad]:
    """The overloaded wards, in the order of the config.

    Raises SimulationError naming all of them, unless `allow` (simulation.overload: allow).
    """
    diverging = [load for load in ward_loads(plan) if load.diverges]
    if diverging and not allow:
        raise SimulationError(
            f"{'; '.join(map(str, diverging))}: more is asked for than there are beds, so the queue would grow for as "
            "long as the simulation lasts; staff more beds, let policies turn patients away, or set "
            "simulation.overload: allow"
        )
    return diverging


def ward_loads(plan: Plan) -> list[WardLoad]:
    """The load of every ward, in the order of the config."""
    onward, home = routes(plan)
    bed_hours = _bed_hours(plan, onward, home)
    requests = _requests(plan)
    beds = np.where((plan.staffed == UNLIMITED).any(axis=1), np.inf, plan.staffed.mean(axis=1))
    stopped = np.isin(np.arange(len(requests)), [kind for stop in plan.admission_stops for kind in stop.patient_types])
    goes = (plan.patience_table >= 0)[:, None] | (plan.queue_limit < UNLIMITED)
    firm, loose = (np.where(part & ~stopped[:, None], requests, 0.0) for part in (~goes, goes))
    offered, must_fit, may_go = (
        (_visits(entries, onward) * bed_hours).sum(axis=0) for entries in (requests, firm, loose)
    )
    reached = _share_reached(beds - must_fit, may_go)
    holds = plan.holds_bed & np.isfinite(beds)
    must_fit += (_visits_once_released(loose, onward, holds, reached) * bed_hours).sum(axis=0)
    spare = np.maximum(beds - must_fit, 0.0)
    loads = []
    for ward, redirect_to in enumerate(plan.overflow_wards):
        pool = [ward, *redirect_to]
        capacity = beds[ward] + spare[list(redirect_to)].sum()
        loads.append(
            WardLoad(
                wards=tuple(plan.ward_ids[w] for w in pool),
                offered=float(offered[pool].sum()),
                must_fit=float(must_fit[pool].sum()),
                beds=float(beds[pool].sum()),
                diverges=bool(must_fit[ward] > 0 and must_fit[ward] >= capacity * (1 - TOLERANCE)),
            )
        )
    return loads


def routes(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of each next ward, f8[T, W, W], and of home, f8[T, W]."""
    return onward_of(plan.route_cdf, plan.next_wards), 1 - plan.route_cdf[:, :, -1]


def onward_of(route_cdf: np.ndarray, next_wards: np.ndarray) -> np.ndarray:
    """f8[..., W]: probabilities of each next ward, from cumulative ones in the order of `next_wards`."""
    onward = np.empty_like(route_cdf)
    onward[..., next_wards] = np.diff(route_cdf, axis=-1, prepend=0.0)
    return onward


def _bed_hours(plan: Plan, onward: np.ndarray, home: np.ndarray) -> np.ndarray:
    """f8[T, W]: mean hours of a stay, the discharge delay of those who go home included."""
    means = np.trapezoid(plan.quantile_hours, GRID, axis=1) / GRID[-1]
    los = means[plan.los_table]
    for ward, way in np.argwhere(plan.clocks.of != NO_CLOCK):
        week, places = plan.clocks.weeks[plan.clocks.of[ward, way]], slice(-1) if way == TRANSFER else slice(-1, None)
        tables = plan.los_table[:, ward, places]
        excess = {table: mean_excess(week, FLAT, _quantiles(plan, table)) for table in np.unique(tables).tolist()}
        los[:, ward, places] += np.vectorize(excess.__getitem__, otypes=[float])(tables)
    delay = np.where(plan.delay_table >= 0, means[plan.delay_table], 0.0)
    return (onward * los[:, :, :-1]).sum(axis=2) + home * (los[:, :, -1] + delay)


def _quantiles(plan: Plan, table: int) -> np.ndarray:
    """f8[100]: equally likely lengths of a table, operational hours."""
    return np.interp((np.arange(100) + 0.5) / 100, GRID, plan.quantile_hours[table])


def _requests(plan: Plan) -> np.ndarray:
    """f8[T, W]: requests per hour for a first bed, over the whole days that count."""
    requests = np.zeros((len(plan.patient_type_ids), len(plan.ward_ids)))
    first = plan.horizon.warmup_days + (plan.first_hour > 0)
    for stream in plan.streams:
        counted = (stream.daily_rates * stream.factor)[:, first:]
        requests[stream.patient_type, stream.ward] += counted.mean() / HOURS_PER_DAY
    return requests


def _visits(entries: np.ndarray, onward: np.ndarray) -> np.ndarray:
    """f8[T, W]: requests per hour, `entries` and all that follow from them: v = entries + onward' v."""
    wards = entries.shape[1]
    return np.linalg.solve(np.eye(wards) - onward.transpose(0, 2, 1), entries[:, :, None])[:, :, 0]


def _share_reached(free: np.ndarray, load: np.ndarray) -> np.ndarray:
    """f8[W]: the share of those who need not wait, with an offered load of `load`, for whom beds are `free`."""
    return np.clip(np.divide(free, load, out=np.ones_like(free), where=load > 0), 0.0, 1.0)


def _visits_once_released(
    requests: np.ndarray, onward: np.ndarray, holds: np.ndarray, reached: np.ndarray
) -> np.ndarray:
    """f8[T, W]: of `requests` for a first bed, requests per hour of patients who have left a ward that does not hold
    its bed (`holds` bool[W])."""
    served = onward * reached[:, None]
    before = _visits(requests, served * holds[:, None])
    return _visits(((before * ~holds)[:, :, None] * served).sum(axis=1), onward)
