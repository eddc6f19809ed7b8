"""From the stays of a replication to counts: hourly census, daily peaks, and what patients met in each ward.

The engines never aggregate; this is where it happens. Counts of integers add up in any order, so the number of workers
changes nothing. Index W of a ward axis is the whole house, index T of a type axis all patients together.
"""

from dataclasses import dataclass

import numpy as np

from kaizar_pipeline.simulation.durations import HOURS_PER_DAY
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan
from kaizar_pipeline.simulation.sampling import Trajectories
from kaizar_pipeline.simulation.simpy_engine import DIVERTED, LEFT, Stays

KPIS = (
    "requests", "admitted", "turned_away", "left", "outliers", "wait_mean_hours", "wait_p50_hours", "wait_p95_hours",
    "wait_max_hours", "still_waiting_share", "boarding_hours", "throughput", "alos_hours", "bed_days", "mean_occupancy",
    "days_any_hour_full", "days_above_95",
)  # fmt: skip
"""Columns of ward_performance, in the order of the KPI axis."""


@dataclass
class Counts:
    """What R replications of one plan add up to, for W wards, T types, H hours and D days that count."""

    census: np.ndarray
    """u4[W + 1, H, beds]: replications in which so many beds were used; the exact distribution."""
    boarding: np.ndarray
    """i8[W + 1, H]: patients boarding in a bed of the ward, summed over replications."""
    waiting: np.ndarray
    """i8[W + 1, H]: patients waiting for the ward, summed."""
    outliers: np.ndarray
    """i8[W + 1, H]: patients in a bed of the ward who were planned for another, summed."""
    queued: np.ndarray
    """i8[W + 1, H]: replications in which somebody waited for the ward."""
    peaks: np.ndarray
    """i4[R, W + 1, D]: highest of each day's 24 hourly censuses."""
    kpis: np.ndarray
    """f8[R, W + 1, T + 1, len(KPIS)], NaN where there was nothing to measure."""

    @property
    def replications(self) -> int:
        """How many replications the counts are of."""
        return len(self.peaks)


def count(plan: Plan, trajectories: Trajectories, stays: Stays) -> Counts:
    """The counts of a single replication."""
    wards = len(plan.ward_ids)
    planned, used = trajectories.planned_ward, stays.used_ward
    in_bed = used >= 0
    asked_until = np.minimum(stays.admit, stays.depart)
    census = _hourly(plan, used[in_bed], stays.admit[in_bed], stays.depart[in_bed])
    waiting = _hourly(plan, planned, stays.request, asked_until)
    boards = in_bed & _has_next(trajectories)
    outlies = in_bed & (used != planned)
    return Counts(
        census=_one_hot(census),
        boarding=_hourly(plan, used[boards], stays.ready[boards], stays.depart[boards]),
        waiting=waiting,
        outliers=_hourly(plan, used[outlies], stays.admit[outlies], stays.depart[outlies]),
        queued=(waiting > 0).astype(np.int64),
        peaks=census.reshape(wards + 1, -1, HOURS_PER_DAY).max(axis=2)[None].astype(np.int32),
        kpis=_kpis(plan, trajectories, stays, census)[None],
    )


def add(counts: list[Counts]) -> Counts:
    """The counts of all replications together, in the order given."""
    beds = max(part.census.shape[2] for part in counts)
    census = np.zeros((*counts[0].census.shape[:2], beds), dtype=np.uint32)
    for part in counts:
        census[:, :, : part.census.shape[2]] += part.census
    return Counts(
        census=census,
        boarding=np.sum([part.boarding for part in counts], axis=0),
        waiting=np.sum([part.waiting for part in counts], axis=0),
        outliers=np.sum([part.outliers for part in counts], axis=0),
        queued=np.sum([part.queued for part in counts], axis=0),
        peaks=np.concatenate([part.peaks for part in counts]),
        kpis=np.concatenate([part.kpis for part in counts]),
    )


def _has_next(trajectories: Trajectories) -> np.ndarray:
    """bool[S]: whether another stay of the same patient follows."""
    has_next = np.ones(len(trajectories.los), dtype=bool)
    has_next[trajectories.offset[1:] - 1] = False
    return has_next


def _hourly(plan: Plan, ward: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """i8[W + 1, H]: how many intervals start <= hour < end hold at each hour that counts, by ward and in total."""
    wards, hours = len(plan.ward_ids), plan.statistics_hours
    steps = np.zeros(wards * (hours + 1), dtype=np.int64)
    for sign, bound in ((1, start), (-1, end)):
        hour = np.ceil(np.clip(bound - plan.warmup_hours, 0, hours)).astype(np.int64)
        steps += sign * np.bincount(ward * (hours + 1) + hour, minlength=len(steps))
    by_ward = np.cumsum(steps.reshape(wards, hours + 1), axis=1)[:, :hours]
    return np.concatenate([by_ward, by_ward.sum(axis=0, keepdims=True)])


def _one_hot(census: np.ndarray) -> np.ndarray:
    histogram = np.zeros((*census.shape, int(census.max()) + 1), dtype=np.uint32)
    np.put_along_axis(histogram, census[:, :, None], 1, axis=2)
    return histogram


class _Groups:
    """Sums and quantiles by ward and type, each item counted in its own group, its ward's, its type's and the whole."""

    def __init__(self, plan: Plan, ward: np.ndarray, patient_type: np.ndarray):
        wards, types = len(plan.ward_ids), len(plan.patient_type_ids)
        self.shape = (wards + 1, types + 1)
        self.group = np.concatenate(
            [
                w * (types + 1) + t
                for w in (ward, np.full_like(ward, wards))
                for t in (patient_type, np.full_like(ward, types))
            ]
        )
        self.size = int(np.prod(self.shape))

    def sum(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.group, weights=np.tile(values, 4), minlength=self.size).reshape(self.shape)

    def quantiles(self, values: np.ndarray, probabilities: tuple[float, ...]) -> list[np.ndarray]:
        """Inverted-CDF quantiles of each group, NaN for an empty one."""
        ordered = np.tile(values, 4)[np.lexsort((np.tile(values, 4), self.group))]
        size = np.bincount(self.group, minlength=self.size)
        first = np.cumsum(size) - size
        padded = np.append(ordered, np.nan)
        return [
            np.where(size > 0, padded[first + np.maximum(np.ceil(p * size - 1e-9), 1).astype(int) - 1], np.nan).reshape(
                self.shape
            )
            for p in probabilities
        ]


def _kpis(plan: Plan, trajectories: Trajectories, stays: Stays, census: np.ndarray) -> np.ndarray:
    begin, end = float(plan.warmup_hours), float(plan.hours)
    patient = np.repeat(np.arange(len(stays.status)), np.diff(trajectories.offset))
    patient_type = trajectories.patient_type[patient]
    status = stays.status[patient]

    asked = (stays.request >= begin) & (stays.request < end)
    requests = _Groups(plan, trajectories.planned_ward[asked], patient_type[asked])
    admitted = np.isfinite(stays.admit[asked])
    diverted = status[asked] == DIVERTED
    left = (status[asked] == LEFT) & ~admitted
    outlier = admitted & (stays.used_ward[asked] != trajectories.planned_ward[asked])

    waited = asked & (status != DIVERTED)
    waits = _Groups(plan, trajectories.planned_ward[waited], patient_type[waited])
    until = np.minimum(np.minimum(stays.admit, stays.depart), end)[waited]
    wait = until - stays.request[waited]
    still_waiting = ~np.isfinite(stays.admit[waited]) & ~np.isfinite(stays.depart[waited])
    wait_count = waits.sum(np.ones(len(wait)))

    in_bed = np.isfinite(stays.admit)
    beds = _Groups(plan, stays.used_ward[in_bed], patient_type[in_bed])
    depart = stays.depart[in_bed]
    bed_hours = _overlap(stays.admit[in_bed], depart, begin, end)
    boarding = np.where(_has_next(trajectories)[in_bed], _overlap(stays.ready[in_bed], depart, begin, end), 0.0)
    departed = (depart >= begin) & (depart < end)
    throughput = beds.sum(departed)
    los = np.where(departed, depart - stays.admit[in_bed], 0.0)
    bed_days = beds.sum(bed_hours) / HOURS_PER_DAY

    with np.errstate(invalid="ignore", divide="ignore"):
        by_kpi = {
            "requests": requests.sum(np.ones(len(admitted))),
            "admitted": requests.sum(admitted),
            "turned_away": requests.sum(diverted),
            "left": requests.sum(left),
            "outliers": requests.sum(outlier),
            "wait_mean_hours": waits.sum(wait) / wait_count,
            **dict(
                zip(
                    ("wait_p50_hours", "wait_p95_hours", "wait_max_hours"),
                    waits.quantiles(wait, (0.5, 0.95, 1.0)),
                    strict=True,
                )
            ),
            "still_waiting_share": waits.sum(still_waiting) / wait_count,
            "boarding_hours": beds.sum(boarding),
            "throughput": throughput,
            "alos_hours": beds.sum(los) / throughput,
            "bed_days": bed_days,
            **_occupancy_kpis(plan, census, bed_days),
        }
    return np.stack([by_kpi[name] for name in KPIS], axis=2)


def _overlap(start: np.ndarray, end: np.ndarray, begin: float, finish: float) -> np.ndarray:
    """Hours of each interval start .. end that lie within begin .. finish."""
    return np.maximum(np.minimum(end, finish) - np.maximum(start, begin), 0.0)


def _occupancy_kpis(plan: Plan, census: np.ndarray, bed_days: np.ndarray) -> dict[str, np.ndarray]:
    """The KPIs that compare use with staffed beds: for all types together only, NaN for unlimited wards."""
    staffed = staffed_with_total(plan)
    limited = staffed[:, 0] < UNLIMITED
    by_day = (len(staffed), -1, HOURS_PER_DAY)
    values = {
        "mean_occupancy": bed_days[:, -1] * HOURS_PER_DAY / staffed.sum(axis=1),
        "days_any_hour_full": (census >= staffed).reshape(by_day).any(axis=2).sum(axis=1),
        "days_above_95": (census > 0.95 * staffed).reshape(by_day).any(axis=2).sum(axis=1),
    }
    kpis = {}
    for name, value in values.items():
        kpis[name] = np.full(bed_days.shape, np.nan)
        kpis[name][:, -1] = np.where(limited, value, np.nan)
    return kpis


def staffed_with_total(plan: Plan) -> np.ndarray:
    """i8[W + 1, H]: beds staffed at each hour by ward and in the whole house, UNLIMITED where any ward is."""
    total = np.where((plan.staffed == UNLIMITED).any(axis=0), UNLIMITED, plan.staffed.sum(axis=0))
    return np.concatenate([plan.staffed, total[None]])
