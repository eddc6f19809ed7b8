"""How many replications are enough: half-widths of confidence intervals, looked at on a schedule stated beforehand.

Looking repeatedly makes ordinary 95 % intervals too optimistic. So the 5 % that may go wrong are split over all K
planned looks (Bonferroni): each interval is one of 1 - 0.05 / K. What that guarantees is in
docs/explanation/simulation.md.

Means use Student's t; a mean that was the same in every replication has width 0. Probabilities use Wilson's interval
(1927): after n replications without any event its half-width is z^2 / (n + z^2), not 0.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.tables import SIMULATION_PRECISION

CONFIDENCE = 0.95
"""Probability that the intervals of one quantity at one ward and hour hold at all looks."""

FIRST_LOOK = 100
"""Replications before the first look: enough for the central limit theorem to mean something."""


def looks(at_most: int) -> list[int]:
    """The numbers of replications after which to look: 100, 200, 400, ... and at last `at_most`."""
    doubled = (FIRST_LOOK * 2**k for k in count())
    return [*takewhile(lambda replications: replications < at_most, doubled), at_most]


def mean_half_width(se: np.ndarray, n: np.ndarray | int, planned_looks: int = 1) -> np.ndarray:
    """Half-widths of means over `n` replications with standard errors `se`, of the same shape.

    NaN where nothing was measured (n = 0), infinite where once only.
    """
    from scipy.special import stdtrit

    n = np.broadcast_to(n, np.shape(se))
    t = stdtrit(np.maximum(n - 1, 1), _probability(planned_looks))
    return np.where(n == 0, np.nan, np.where(n == 1, np.inf, t * se))


def share_half_width(events: np.ndarray, n: int, planned_looks: int = 1) -> np.ndarray:
    """Half-widths of the shares `events / n`: the larger distance from the share to a bound of its Wilson interval.

    So share +- half-width contains the Wilson interval, which is not centred on the share. NaN events give NaN.
    """
    from scipy.special import ndtri

    z2 = ndtri(_probability(planned_looks)) ** 2
    share = np.asarray(events) / n
    off_centre = z2 * np.abs(0.5 - share) / (n + z2)
    return off_centre + np.sqrt(z2 * (n * share * (1 - share) + z2 / 4)) / (n + z2)


def _probability(planned_looks: int) -> float:
    """Probability of the upper bound of each two-sided interval."""
    return 1 - (1 - CONFIDENCE) / planned_looks / 2


@dataclass(frozen=True)
class Achieved:
    """How precisely a quantity is known where it is known worst."""

    quantity: str
    target: float | None
    """Half-width asked for, if any."""
    half_width: float
    """The widest over wards and hours; NaN where there was nothing to measure."""
    ward: str | None
    """Where it is."""
    replications: int
    looks: int
    """Looks planned, over which the confidence is split."""

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without a target. What cannot be measured has nothing left to reach."""
        return None if self.target is None else not self.half_width > self.target


def widest(
    quantity: str,
    half_widths: np.ndarray,
    ward_ids: Sequence[str],
    *,
    replications: int,
    planned_looks: int = 1,
    target: float | None = None,
) -> Achieved:
    """The widest of the `half_widths` f8[W, ...] of a quantity, NaN left aside, and the ward it is at."""
    by_ward = np.where(np.isnan(half_widths), -np.inf, half_widths).reshape(len(ward_ids), -1).max(axis=1)
    place = int(by_ward.argmax())
    measured = by_ward[place] >= 0
    return Achieved(
        quantity=quantity,
        target=target,
        half_width=float(by_ward[place]) if measured else np.nan,
        ward=ward_ids[place] if measured else None,
        replications=replications,
        looks=planned_looks,
    )


def is_reached(achieved: Iterable[Achieved]) -> bool:
    """Whether every target is reached, so that the run may stop."""
    return all(one.reached is not False for one in achieved)


def simulation_precision(achieved: Iterable[Achieved], **constants: Any) -> pd.DataFrame:
    """The table of that name; `constants` are whole columns (hospital_id, as_of, scenario)."""
    rows = [
        {
            "quantity": one.quantity,
            "ward_id": one.ward,
            "target": one.target,
            "half_width": one.half_width if np.isfinite(one.half_width) else None,
            "replications": one.replications,
            "looks": one.looks,
            "reached": one.reached,
        }
        for one in achieved
    ]
    return SIMULATION_PRECISION.frame(pd.DataFrame(rows), **constants)
