"""A hospital compiled for simulation: everything that is not random, as small arrays with indices instead of names.

`make_plan` turns config and tables into a `Plan`; `draw` (sampling.py) adds the random numbers; an engine does the
rest. Time is hours since the warm-up begins. Semantics: docs/explanation/simulation.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import weekdays_with_arrivals, weekly_profile
from kaizar_pipeline.config.distributions import Distribution, FromData
from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.hospital import ArrivalStream, HospitalConfig, Ward
from kaizar_pipeline.config.levels import Level
from kaizar_pipeline.errors import DataError, SimulationError
from kaizar_pipeline.simulation.census import Census, plan_census
from kaizar_pipeline.simulation.clocks import Clocks, plan_clocks
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.stats.clock_factors import clock_factors
from kaizar_pipeline.stats.durations import GRID, fitted_table, quantile_table
from kaizar_pipeline.stats.philox import stream_number
from kaizar_pipeline.tables import ALL, ANY, HOME, HOSPITAL_TOTAL

MAX_REPLICATIONS = 10_000
"""The most replications whose results are kept one by one, in memory."""

UNLIMITED = 2**31 - 1
"""Number of beds that means no limit."""

NO_TABLE = -1
"""Index that means no quantile table: no delay, endless patience."""

RANDOM_SOURCES = ("arrivals_level", "arrivals_noise", "routing", "length_of_stay", "day_factor", "starting_census")
"""Sources of randomness, in causal order: the rate path; arrivals on it, and their patience; routes through the wards;
lengths of stay and discharge delays, with the replication's own factor on them; good and bad days for leaving; the rest
of the stays of the starting census, and their further routes."""

UNIT_EXPONENTIAL = 0
"""Index of the quantile table of gaps between the arrivals of a Poisson process of rate 1."""


@dataclass(frozen=True)
class StreamPlan:
    """One stream of arrivals."""

    number: int
    """crc32 of the id, part of the addresses of its random numbers."""
    patient_type: int
    ward: int
    daily_rates: np.ndarray
    """f8[paths, days]: arrivals per date; of the first date of the run those after its beginning."""
    hour_weights: np.ndarray
    """f8[days, 24]: share of these in each hour of the date."""
    rounded: bool
    """Arrivals per day: True, the rate rounded up or down at random; False, a Poisson number."""
    is_planned: bool
    """Whether the arrivals follow a schedule."""
    factor: np.ndarray
    """f8[days]: by date, a scenario's factor on the rates. The baseline's patients are thinned where it is below 1;
    others are added where it is above."""


@dataclass(frozen=True)
class AdmissionStopPlan:
    """A ward that is watched, and the patient types diverted while it is nearly full."""

    ward: int
    threshold: float
    patient_types: frozenset[int]


@dataclass(frozen=True)
class Plan:
    """All that both engines and the sampler know of a hospital. W wards, G groups of them and T patient types, in the
    order of the config. A ward axis A has the wards, the groups and the whole hospital."""

    key: int
    horizon: Horizon
    ward_ids: tuple[str, ...]
    group_ids: tuple[str, ...]
    """Groups of wards, G in number."""
    is_member: np.ndarray
    """bool[G + 1, W]: the wards of each group, and of the whole hospital: all."""
    patient_type_ids: tuple[str, ...]
    stream_ids: tuple[str, ...]
    snapshots: tuple[int, ...]
    """Hours of the day that the hospital looks ahead from."""
    beds: np.ndarray
    """i8[W]: beds staffed at time 0."""
    capacity_changes: tuple[tuple[float, int, int], ...]
    """(hour, ward, beds), in order of time."""
    holds_bed: np.ndarray
    """bool[W]: boarders keep their bed (hold) or wait outside any (release)."""
    queue_limit: np.ndarray
    """i8[W]: patients waiting for the ward from whose number on arrivals that find no bed are turned away, UNLIMITED
    for never."""
    overflow_threshold: np.ndarray
    """f8[W]: fraction of the staffed beds from which on requests are redirected, inf for never."""
    overflow_wards: tuple[tuple[int, ...], ...]
    """By ward: where to, in order."""
    admission_stops: tuple[AdmissionStopPlan, ...]
    queue_rank: np.ndarray
    """i4[W, T]: place in the queue, 0 most urgent."""
    streams: tuple[StreamPlan, ...]
    next_wards: np.ndarray
    """i4[W]: the wards in order of their ids, which is that of route_cdf: the order of the file changes nothing."""
    route_cdf: np.ndarray
    """f8[T, W, W]: by type and ward, cumulative probability of the next ward; the rest goes home."""
    route_weight: np.ndarray
    """f8[T, W]: patients that learned probabilities count as, so that they have an error; 0 for given ones."""
    los_table: np.ndarray
    """i4[T, W, W + 1]: quantile table by type, ward and next ward (W: home)."""
    delay_table: np.ndarray
    """i4[W]: quantile table of the discharge delay."""
    patience_table: np.ndarray
    """i4[T]: quantile table of the patience."""
    quantile_hours: np.ndarray
    """f8[tables, len(GRID)]: the quantile tables."""
    los_scale_sd: np.ndarray
    """f8[tables]: standard deviation of the logarithm of each replication's own factor on lengths of stay."""
    los_scale_stream: np.ndarray
    """u4[tables]: address of the random number of that factor: crc32 of the ward's id."""
    clocks: Clocks
    census: Census
    ladders: tuple[tuple[Level, ...], ...]
    """By row of a ward axis: its levels, from the lowest on."""
    redraw_offsets: tuple[int, ...] = (0,) * len(RANDOM_SOURCES)
    """Added to the replication's number for each of RANDOM_SOURCES: other than 0, those numbers are redrawn."""

    @property
    def start(self) -> pd.Timestamp:
        """Hour 0: where the warm-up begins."""
        return self.horizon.first

    @property
    def ward_axis(self) -> tuple[str, ...]:
        """The names on a ward axis A: the wards, then the groups, then the whole hospital."""
        return (*self.ward_ids, *self.group_ids, HOSPITAL_TOTAL)

    @property
    def hours(self) -> int:
        """Hours of the run, warm-up included."""
        return self.warmup_hours + self.statistics_hours

    @property
    def warmup_hours(self) -> int:
        """Hours before the first that counts."""
        return self.horizon.warmup_days * HOURS_PER_DAY

    @property
    def statistics_start(self) -> pd.Timestamp:
        """The first instant that counts: as_of."""
        return self.horizon.start

    @property
    def statistics_hours(self) -> int:
        """Hours that count."""
        return self.horizon.hours

    @property
    def first_hour(self) -> int:
        """The hour of the day at hour 0: dates of the run begin so much before multiples of 24 hours."""
        return self.start.hour

    @property
    def dates_of_run(self) -> int:
        """Dates from hour 0 on, the warm-up's included."""
        return self.horizon.warmup_days + self.horizon.days

    @cached_property
    def staffed(self) -> np.ndarray:
        """i8[W, statistics hours]: beds staffed at each hour that counts."""
        at = self.warmup_hours + np.arange(self.statistics_hours)
        staffed = np.repeat(self.beds[:, None], len(at), axis=1)
        for hour, ward, beds in self.capacity_changes:
            staffed[ward, at >= hour] = beds
        return staffed

    @property
    def independent_replications(self) -> int:
        """Replications that share no rate path; beyond them the paths are used again."""
        return min((len(s.daily_rates) for s in self.streams if len(s.daily_rates) > 1), default=MAX_REPLICATIONS)

    def scaled(self, arrivals: Mapping[str, np.ndarray], stays: Mapping[tuple[str, str], float]) -> "Plan":
        """The same hospital with a scenario's factors: `arrivals` f8[days that count] by stream, and `stays` on the
        lengths of stay by ward and patient type."""
        day_index, tables = self.horizon.day_index, len(self.quantile_hours)
        streams = tuple(
            replace(plan, factor=np.asarray(arrivals[stream], dtype=np.float64)[day_index])
            if stream in arrivals
            else plan
            for stream, plan in zip(self.stream_ids, self.streams, strict=True)
        )
        los_table, scaled = self.los_table.copy(), dict[tuple[int, float], int]()
        for (ward, patient_type), factor in stays.items():
            place = self.patient_type_ids.index(patient_type), self.ward_ids.index(ward)
            los_table[place] = [
                scaled.setdefault((table, factor), tables + len(scaled)) for table in los_table[place].tolist()
            ]
        source = [*range(tables), *(table for table, _ in scaled)]
        factors = np.array([1.0] * tables + [factor for _, factor in scaled])
        return replace(
            self,
            streams=streams,
            los_table=los_table,
            quantile_hours=factors[:, None] * self.quantile_hours[source],
            los_scale_sd=self.los_scale_sd[source],
            los_scale_stream=self.los_scale_stream[source],
        )

    def demand(self) -> "Plan":
        """The same hospital with unlimited beds and no overflow, admission stop or queue limit, for the same
        trajectories."""
        return replace(
            self,
            beds=np.full_like(self.beds, UNLIMITED),
            capacity_changes=(),
            queue_limit=np.full_like(self.queue_limit, UNLIMITED),
            overflow_threshold=np.full(len(self.ward_ids), np.inf),
            overflow_wards=((),) * len(self.ward_ids),
            admission_stops=(),
        )


class Learned(NamedTuple):
    """The tables of what is learned from the records beside the arrival rates, each by its name; None: nothing."""

    length_of_stay: pd.DataFrame | None = None
    """Needed for wards whose los_model is from_data."""
    discharge_clocks: pd.DataFrame | None = None
    day_factors: pd.DataFrame | None = None
    routes: pd.DataFrame | None = None
    """Needed where routing is from_data."""


def make_plan(
    config: HospitalConfig,
    rates: Mapping[str, np.ndarray],
    horizon: Horizon,
    *,
    key: int,
    learned: Learned | None = None,
    census: pd.DataFrame | None = None,
) -> Plan:
    """Compile `config` for the days of `horizon`; `Plan.scaled` adds the factors of a scenario.

    `rates` holds f8[paths, days] by stream id, per whole day. `census` are the patients in the hospital at the start
    (census.py), none by default. Raises DataError for a stream without rates, and for patients of the census whom the
    config does not know.
    """
    learned = learned or Learned()
    wards, types = config.ward_ids, config.patient_type_ids
    hours = horizon.warmup_days * HOURS_PER_DAY + horizon.hours
    clocks = plan_clocks(config, horizon.first, hours, learned.discharge_clocks, learned.day_factors)
    tables = _Tables()
    los_table = _los_tables(config, tables, learned.length_of_stay, clocks)
    delay_table = np.array([tables.add(ward.discharge_delay) for ward in config.wards], dtype=np.int32)
    patience_table = np.array([tables.add(kind.patience) for kind in config.patient_types], dtype=np.int32)
    next_wards = np.argsort(np.array(wards), kind="stable").astype(np.int32)
    route_cdf, route_weight = _routes(config, next_wards, learned.routes)
    beds, changes = _capacity(config, horizon)
    overflow_threshold, overflow_wards = _overflow(config)
    return Plan(
        key=key,
        horizon=horizon,
        ward_ids=tuple(wards),
        group_ids=tuple(config.groups),
        is_member=np.array([np.isin(wards, members) for members in config.totals.values()]),
        patient_type_ids=tuple(types),
        stream_ids=tuple(stream.id for stream in config.arrival_streams),
        snapshots=config.simulation.snapshot_hours,
        beds=beds,
        capacity_changes=changes,
        holds_bed=np.array([ward.boarding == "hold" for ward in config.wards]),
        queue_limit=np.array(
            [UNLIMITED if ward.queue_limit is None else ward.queue_limit for ward in config.wards], dtype=np.int64
        ),
        overflow_threshold=overflow_threshold,
        overflow_wards=overflow_wards,
        admission_stops=tuple(
            AdmissionStopPlan(wards.index(rule.ward), rule.threshold, frozenset(map(types.index, rule.stop_types)))
            for rule in config.policies.admission_stop
        ),
        queue_rank=_queue_rank(config),
        streams=tuple(_stream(config, stream, rates, horizon) for stream in config.arrival_streams),
        next_wards=next_wards,
        route_cdf=route_cdf,
        route_weight=route_weight,
        los_table=los_table,
        delay_table=delay_table,
        patience_table=patience_table,
        quantile_hours=np.array(tables.hours),
        los_scale_sd=np.array(tables.scale_sd),
        los_scale_stream=np.array(tables.scale_stream, dtype=np.uint32),
        clocks=clocks,
        census=plan_census(census, horizon.start, wards, types, patience_table, clocks),
        ladders=config.ladders,
    )


def _stream(
    config: HospitalConfig, stream: ArrivalStream, rates: Mapping[str, np.ndarray], horizon: Horizon
) -> StreamPlan:
    if stream.id not in rates:
        raise DataError(f"stream {stream.id!r} has no rates; make arrival_rates again with this config")
    day_index = horizon.day_index
    has_arrivals = weekdays_with_arrivals(stream)[(horizon.start.weekday() + day_index) % 7]
    daily_rates = np.where(has_arrivals, np.asarray(rates[stream.id], dtype=np.float64)[:, day_index], 0.0)
    weights = hour_weights(stream, horizon.start, horizon.days)[day_index]
    if begun := horizon.first.hour:
        left = weights[0, begun:].sum()
        weights[0, :begun] = 0.0
        weights[0] /= left or 1.0
        daily_rates[:, 0] *= left
    return StreamPlan(
        number=stream_number(stream.id),
        patient_type=config.patient_type_ids.index(stream.patient_type),
        ward=config.ward_ids.index(stream.target_ward),
        daily_rates=daily_rates,
        hour_weights=weights,
        rounded=stream.is_fixed,
        is_planned=stream.is_planned,
        factor=np.ones(len(day_index)),
    )


class _Tables:
    """Collects quantile tables and hands out their indices."""

    def __init__(self) -> None:
        self.hours = [-np.log1p(-GRID)]
        self.scale_sd, self.scale_stream = [0.0], [0]

    def add(self, duration: Distribution | None) -> int:
        return NO_TABLE if duration is None else self.add_hours(quantile_table(duration))

    def add_hours(self, hours: np.ndarray, scale_sd: float = 0.0, scale_stream: int = 0) -> int:
        self.hours.append(hours)
        self.scale_sd.append(scale_sd)
        self.scale_stream.append(scale_stream)
        return len(self.hours) - 1


def _los_tables(
    config: HospitalConfig, tables: _Tables, length_of_stay: pd.DataFrame | None, clocks: Clocks
) -> np.ndarray:
    types, next_wards = config.patient_type_ids, [*config.ward_ids, HOME]
    index = np.empty((len(types), len(config.wards), len(next_wards)), dtype=np.int32)
    for w, ward in enumerate(config.wards):
        if isinstance(ward.los_model, FromData):
            fitted = _fitted_tables(ward, tables, length_of_stay)
            index[:, w, :] = [[_closest(fitted, ward, kind, to) for to in next_wards] for kind in types]
        else:
            index[:, w, :] = _configured_tables(config, tables, clocks, w, ward.los_model)
        for case in sorted(ward.los_by, key=lambda case: case.specificity):
            t = slice(None) if case.patient_type is None else types.index(case.patient_type)
            n = slice(None) if case.next_ward is None else next_wards.index(case.next_ward)
            index[t, w, n] = _configured_tables(config, tables, clocks, w, case.los_model)[n]
    return index


def _configured_tables(
    config: HospitalConfig, tables: _Tables, clocks: Clocks, ward: int, duration: Distribution
) -> np.ndarray:
    """i4[W + 1]: the table of a configured length of stay in a ward by next ward, on the clocks of the ways out."""
    onward, home = clock_factors(config, config.wards[ward], clocks.weeks_of(ward), duration)
    found = np.full(len(config.wards) + 1, tables.add_hours(onward * quantile_table(duration)), dtype=np.int32)
    if home != onward:
        found[-1] = tables.add_hours(home * quantile_table(duration))
    return found


def _fitted_tables(ward: Ward, tables: _Tables, length_of_stay: pd.DataFrame | None) -> dict[tuple[str, str], int]:
    """The tables of the rows of a from_data ward that are in use, by patient type and next ward."""
    if length_of_stay is None:
        return {}
    rows = length_of_stay[
        (length_of_stay["ward_id"] == ward.id) & (length_of_stay["origin"] == "fitted") & length_of_stay["in_use"]
    ]
    return {
        (row["patient_type"], row["next_ward_id"]): tables.add_hours(
            fitted_table(row["distribution"], row["shape"], row["scale_hours"], row["quantile_hours"]),
            scale_sd=row["scale_sd"],
            scale_stream=stream_number(ward.id),
        )
        for row in rows.to_dict("records")
    }


def _closest(fitted: Mapping[tuple[str, str], int], ward: Ward, patient_type: str, next_ward: str) -> int:
    """The table of patient type and next ward, else that of the type, else that of all types."""
    of_type = fitted.get((patient_type, ANY), fitted.get((ALL, ANY)))
    if of_type is None:
        raise SimulationError(
            f"ward {ward.id}: los_model is from_data, but length_of_stay has no row in use for patients of type "
            f"{patient_type}; give a configured los_model"
        )
    return fitted.get((patient_type, next_ward), of_type)


def _routes(
    config: HospitalConfig, next_wards: np.ndarray, learned: pd.DataFrame | None
) -> tuple[np.ndarray, np.ndarray]:
    """`Plan.route_cdf` and `Plan.route_weight`: of rows that are given, else of learned ones."""
    wards, types = config.ward_ids, config.patient_type_ids
    probability, weight = np.zeros((len(types), len(wards), len(wards))), np.zeros((len(types), len(wards)))
    if config.learns_routes:
        _enter_learned(config, learned, probability, weight)
    for t, patient_type in enumerate(types):
        for w, ward in enumerate(wards):
            options = config.given_options(ward, patient_type)
            if options is not None:
                probability[t, w], weight[t, w] = 0.0, 0.0
                probability[t, w, [wards.index(option.to_ward) for option in options]] = [
                    option.probability for option in options
                ]
    return without_rounding(np.cumsum(np.ascontiguousarray(probability[:, :, next_wards]), axis=2)), weight


def _enter_learned(
    config: HospitalConfig, learned: pd.DataFrame | None, probability: np.ndarray, weight: np.ndarray
) -> None:
    """Write the probabilities of the table `routes` and what they count as into f8[T, W, W] and f8[T, W]."""
    rows = None if learned is None else learned[learned["in_use"] & (learned["origin"] == "from_data")]
    if rows is None or rows.empty:
        raise SimulationError(
            "routing is from_data, but routes has no rows in use; make that table with this config (routes_taken), or "
            "give rows"
        )
    kind, ward, to = (
        pd.Index(names).get_indexer(pd.Index(rows[column]))
        for names, column in (
            (config.patient_type_ids, "patient_type"), (config.ward_ids, "ward_id"), (config.ward_ids, "next_ward_id"),
        )
    )  # fmt: skip
    known, onward = (kind >= 0) & (ward >= 0), to >= 0
    weight[kind[known], ward[known]] = rows["weight"].to_numpy()[known]
    chosen = known & onward
    probability[kind[chosen], ward[chosen], to[chosen]] = rows["probability"].to_numpy()[chosen]


def without_rounding(route_cdf: np.ndarray) -> np.ndarray:
    """The same, 1 where rounding alone leaves a rest to it: nobody goes home then."""
    return np.where(route_cdf >= 1 - 1e-9, 1.0, route_cdf)


def _overflow(config: HospitalConfig) -> tuple[np.ndarray, tuple[tuple[int, ...], ...]]:
    """By ward, the threshold and the wards to redirect to."""
    rules = {rule.ward: rule for rule in config.policies.overflow}
    wards = config.ward_ids
    threshold = np.array([rules[ward].threshold if ward in rules else np.inf for ward in wards])
    return threshold, tuple(tuple(map(wards.index, rules[ward].redirect_to)) if ward in rules else () for ward in wards)


def _queue_rank(config: HospitalConfig) -> np.ndarray:
    priority = np.array([[kind.priority for kind in config.patient_types]] * len(config.wards))
    for rule in config.policies.priorities:
        priority[config.ward_ids.index(rule.ward), config.patient_type_ids.index(rule.patient_type)] = rule.priority
    return np.unique(-priority, return_inverse=True)[1].reshape(priority.shape).astype(np.int32)


def hour_weights(stream: ArrivalStream, start: pd.Timestamp, days: int) -> np.ndarray:
    """Share of each day's arrivals in each of its hours, f8[days, 24], for `days` days from `start`."""
    week = weekly_profile(stream)
    week = week / week.sum(axis=1, keepdims=True)
    return week[(start.weekday() + np.arange(days)) % 7]


def _capacity(config: HospitalConfig, horizon: Horizon) -> tuple[np.ndarray, tuple[tuple[float, int, int], ...]]:
    """Beds when the warm-up begins, and every later change as (hour, ward, beds)."""
    start, end = horizon.first, horizon.start + pd.Timedelta(hours=horizon.hours)
    midnights = set(pd.date_range(start.ceil("D"), end, inclusive="left"))
    beds = np.empty(len(config.wards), dtype=np.int64)
    changes = []
    for w, ward in enumerate(config.wards):
        dated = {pd.Timestamp(instant) for instant in ward.dated_instants}
        instants = {t for t in dated if start < t < end} | (midnights if ward.weekday_capacity else set())
        beds[w] = last = _beds_at(ward, start)
        for instant in sorted(instants):
            now = _beds_at(ward, instant)
            if now != last:
                changes.append(((instant - start) / pd.Timedelta(hours=1), w, now))
            last = now
    return beds, tuple(sorted(changes))


def _beds_at(ward: Ward, at: pd.Timestamp) -> int:
    beds = ward.beds_at(at)
    return UNLIMITED if beds is None else beds
