"""Draw first: every random number of one replication, before any queueing.

`draw(plan, replication)` returns the patients' arrivals, ways through the wards and durations. It knows nothing of
beds, so two scenarios of a hospital see the same patients, and both engines see the same trajectories.
"""

from dataclasses import dataclass

import numpy as np

from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.simulation.durations import HOURS_PER_DAY
from kaizar_pipeline.simulation.philox import Purpose, uniforms
from kaizar_pipeline.simulation.plan import UNIT_EXPONENTIAL, Plan, StreamPlan

MAX_STAYS = 1000
"""Stays of one patient beyond which the routing is taken for a loop."""

PATIENCE_STAGE = 1
"""Stage of Purpose.ARRIVAL that patience is drawn at; 0 is the arrival itself."""
CENSUS_PATIENCE_STAGE = 0xFFFE
"""Stage of Purpose.CENSUS that the patience of those who wait already is drawn at, behind every stay's."""
DELAY_STAGE = 0xFFFF
"""Stage of the discharge delay, behind every stay's."""

_EPOCH = np.datetime64("1970-01-01", "D")


@dataclass(frozen=True)
class Trajectories:
    """The patients of one replication: P patients with S stays in all. Time is hours since the plan's start; never is
    +inf."""

    n_census: int
    """Patients in the house at the start; they come first, in order of their original request."""
    seat: np.ndarray
    """i4[n_census]: ward of the bed held, -1 for none."""
    admitted: np.ndarray
    """f8[n_census]: admission to that bed (<= 0), +inf for none."""
    requested: np.ndarray
    """f8[n_census]: the request that still waits (< 0); 0 for those in care."""
    arrival: np.ndarray
    """f8[P], ascending; 0 for the census."""
    patient_type: np.ndarray
    """i4[P]"""
    stream: np.ndarray
    """i4[P]: index in plan.streams, -1 for the census."""
    number: np.ndarray
    """u4[P]: patient number within the stream."""
    patience: np.ndarray
    """f8[P]: hours until a patient who waits for a first bed leaves."""
    offset: np.ndarray
    """i8[P + 1]: the stays of patient p are offset[p] .. offset[p + 1] - 1."""
    planned_ward: np.ndarray
    """i4[S]"""
    priority: np.ndarray
    """i4[S]: place in the queue, 0 most urgent."""
    los: np.ndarray
    """f8[S]: hours from admission to the end of care; 0 at the start for those whose care had ended."""
    delay: np.ndarray
    """f8[S]: hours of discharge delay after that, on last stays."""


def draw(plan: Plan, replication: int) -> Trajectories:
    """The trajectories of one replication, a pure function of the plan (which holds the key) and the number."""
    arrivals = [_arrivals(plan, stream, replication) for stream in plan.streams]
    time = np.concatenate([times for times, _ in arrivals])
    number = np.concatenate([numbers for _, numbers in arrivals])
    stream = np.repeat(np.arange(len(plan.streams)), [len(times) for times, _ in arrivals])
    address = np.array([stream.number for stream in plan.streams], dtype=np.uint32)
    order = np.lexsort((number, address[stream], time))
    time, number, stream = time[order], number[order], stream[order]

    census = plan.census
    n = len(census)
    stream_type = np.array([stream.patient_type for stream in plan.streams], dtype=np.int32)
    stream_ward = np.array([stream.ward for stream in plan.streams], dtype=np.int32)
    patients = _Patients(
        stream=np.concatenate([census.stream, address[stream]]),
        number=np.concatenate([census.number, number]),
        purpose=np.repeat([Purpose.CENSUS, Purpose.ROUTE], [n, len(time)]),
        patient_type=np.concatenate([census.patient_type, stream_type[stream]]),
    )
    first_ward = np.concatenate([census.ward, stream_ward[stream]])
    offset, planned_ward, los = _stays(plan, patients, first_ward, replication)
    return Trajectories(
        n_census=n,
        seat=census.seat,
        admitted=census.admitted,
        requested=census.requested,
        arrival=np.concatenate([np.zeros(n), time]),
        patient_type=patients.patient_type,
        stream=np.concatenate([np.full(n, -1), stream]).astype(np.int32),
        number=patients.number,
        patience=_patience(plan, patients, replication),
        offset=offset,
        planned_ward=planned_ward,
        priority=plan.queue_rank[planned_ward, np.repeat(patients.patient_type, np.diff(offset))],
        los=los,
        delay=_delays(plan, patients, replication, offset, planned_ward),
    )


@dataclass(frozen=True)
class _Patients:
    """Address and type of every patient, the census first."""

    stream: np.ndarray
    number: np.ndarray
    purpose: np.ndarray
    patient_type: np.ndarray

    def uniforms(self, plan: Plan, replication: int, who: np.ndarray, stage: int) -> tuple[np.ndarray, np.ndarray]:
        return uniforms(plan.key, replication, self.stream[who], self.number[who], self.purpose[who], stage)


def _arrivals(plan: Plan, stream: StreamPlan, replication: int) -> tuple[np.ndarray, np.ndarray]:
    """Times and patient numbers of one stream."""
    rates = stream.daily_rates[replication % len(stream.daily_rates)]
    if stream.rounded:
        return _rounded_arrivals(plan, stream, rates, replication)
    cumulative = np.concatenate([[0.0], np.cumsum((rates[:, None] * stream.hour_weights).ravel())])
    total = cumulative[-1]
    count = int(total + 6 * np.sqrt(total) + 10)
    while True:
        numbers = np.arange(count, dtype=np.uint32)
        gap, _ = uniforms(plan.key, replication, stream.number, numbers, Purpose.ARRIVAL)
        operational = np.cumsum(plan.durations.quantile(np.full(count, UNIT_EXPONENTIAL), gap))
        if operational[-1] >= total:
            break
        count *= 2
    inside = operational < total
    return _invert(cumulative, operational[inside]), numbers[inside]


def _rounded_arrivals(
    plan: Plan, stream: StreamPlan, rates: np.ndarray, replication: int
) -> tuple[np.ndarray, np.ndarray]:
    first_day = int((plan.start.to_datetime64().astype("datetime64[D]") - _EPOCH).astype(int))
    days = first_day + np.arange(len(rates))
    chance, _ = uniforms(plan.key, replication, stream.number, days, Purpose.RATE_PATH)
    counts = (np.floor(rates) + (chance < rates - np.floor(rates))).astype(np.int64)
    numbers = np.arange(counts.sum(), dtype=np.uint32)
    within, _ = uniforms(plan.key, replication, stream.number, numbers, Purpose.ARRIVAL)
    day = np.repeat(np.arange(len(rates)), counts)
    cumulative = np.cumsum(stream.hour_weights, axis=1)
    cumulative[:, -1] = 1.0
    hour = (within[:, None] >= cumulative[day]).sum(axis=1)
    low = np.where(hour > 0, cumulative[day, hour - 1], 0.0)
    return HOURS_PER_DAY * day + hour + (within - low) / (cumulative[day, hour] - low), numbers


def _invert(cumulative: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The hours at which the piecewise linear `cumulative` (a knot each hour) reaches `value`."""
    hour = np.searchsorted(cumulative, value, side="right") - 1
    return hour + (value - cumulative[hour]) / (cumulative[hour + 1] - cumulative[hour])


def _stays(
    plan: Plan, patients: _Patients, ward: np.ndarray, replication: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every patient's way through the wards until home: offset, planned ward and length of each stay."""
    who = np.arange(len(ward))
    stages: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    while len(who):
        if len(stages) == MAX_STAYS:
            names = sorted({plan.ward_ids[w] for _, wards, _ in stages[-50:] for w in wards})
            raise SimulationError(
                f"a patient had more than {MAX_STAYS} stays in wards {', '.join(names)}: routes hardly ever lead home"
            )
        to_route, to_stay = patients.uniforms(plan, replication, who, len(stages))
        patient_type = patients.patient_type[who]
        next_ward = _next_ward(plan, plan.route_cdf[patient_type, ward], to_route)
        los = plan.durations.quantile(plan.los_table[patient_type, ward, next_ward], to_stay)
        if not stages:
            _continue_stays(plan, to_route, to_stay, next_ward, los)
        stages.append((who, ward, los))
        onward = next_ward != plan.home
        who, ward = who[onward], next_ward[onward]
    if not stages:
        return np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0)
    patient = np.concatenate([who for who, _, _ in stages])
    order = np.argsort(patient, kind="stable")  # stages come in order, so a patient's stays do too
    offset = np.concatenate([[0], np.cumsum(np.bincount(patient, minlength=len(stages[0][0])))])
    planned_ward = np.concatenate([ward for _, ward, _ in stages])[order].astype(np.int32)
    return offset, planned_ward, np.concatenate([los for _, _, los in stages])[order]


def _next_ward(plan: Plan, cdf: np.ndarray, probability: np.ndarray) -> np.ndarray:
    place = (probability[:, None] >= cdf).sum(axis=1)
    return np.append(plan.next_wards, plan.home)[place]


def _continue_stays(
    plan: Plan, to_route: np.ndarray, to_stay: np.ndarray, next_ward: np.ndarray, los: np.ndarray
) -> None:
    """Put right in place the first stays of the census: what is left of stays in progress, nothing of those that
    ended."""
    census = plan.census
    seated = np.flatnonzero(census.seat >= 0)
    los[seated] = 0.0
    ended = seated[~census.in_care[seated]]
    next_ward[ended] = census.next_known[ended]
    going_on = seated[census.in_care[seated]]
    next_ward[going_on] = _next_ward(plan, census.next_cdf[going_on], to_route[going_on])
    table = plan.los_table[census.patient_type[going_on], census.ward[going_on], next_ward[going_on]]
    spent = census.spent_share[going_on, next_ward[going_on]]
    los[going_on] = _rest(plan, table, to_stay[going_on], spent, census.elapsed[going_on])


def _rest(
    plan: Plan, table: np.ndarray, probability: np.ndarray, spent_share: np.ndarray, elapsed: np.ndarray
) -> np.ndarray:
    """What is left of a duration of which `elapsed` hours have gone: Q(F(e) + u (1 - F(e))) - e, nothing where F(e) is
    1."""
    whole = plan.durations.quantile(table, spent_share + probability * (1 - spent_share))
    return np.where(spent_share < 1, np.maximum(whole - elapsed, 0.0), 0.0)


def _patience(plan: Plan, patients: _Patients, replication: int) -> np.ndarray:
    patience = np.full(len(patients.patient_type), np.inf)
    table = plan.patience_table[patients.patient_type]
    census = plan.census
    n = len(census)
    purpose = np.where(patients.purpose == Purpose.ROUTE, Purpose.ARRIVAL, patients.purpose)
    stage = np.where(purpose == Purpose.ARRIVAL, PATIENCE_STAGE, CENSUS_PATIENCE_STAGE)
    who = np.flatnonzero(table >= 0)
    who = who[(who >= n) | np.isfinite(np.append(census.patience_elapsed, np.zeros(len(table) - n))[who])]
    u, _ = uniforms(plan.key, replication, patients.stream[who], patients.number[who], purpose[who], stage[who])
    patience[who] = plan.durations.quantile(table[who], u)
    waiting = who[who < n]
    patience[waiting] = _rest(
        plan, table[waiting], u[: len(waiting)], census.patience_spent_share[waiting], census.patience_elapsed[waiting]
    )
    return patience


def _delays(
    plan: Plan, patients: _Patients, replication: int, offset: np.ndarray, planned_ward: np.ndarray
) -> np.ndarray:
    delay = np.zeros(len(planned_ward))
    last = offset[1:] - 1
    table = plan.delay_table[planned_ward[last]]
    who = np.flatnonzero(table >= 0)
    if len(who) == 0:
        return delay
    u, _ = patients.uniforms(plan, replication, who, DELAY_STAGE)
    delay[last[who]] = plan.durations.quantile(table[who], u)
    census = plan.census
    delayed = np.flatnonzero(census.delay_elapsed > 0)
    delayed = delayed[plan.delay_table[census.ward[delayed]] >= 0]
    place = np.searchsorted(who, delayed)
    delay[last[delayed]] = _rest(
        plan, table[delayed], u[place], census.delay_spent_share[delayed], census.delay_elapsed[delayed]
    )
    return delay
