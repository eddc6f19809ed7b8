"""A hospital compiled for simulation: everything that is not random, as small arrays with indices instead of names.

`make_plan` turns config and tables into a `Plan`; `draw` (sampling.py) adds the random numbers; an engine does the
rest. Time is hours since the start of the plan, which is `as_of` less the warm-up. Semantics: docs/simulation.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from kaizar_pipeline.config.distributions import Distribution, FromData
from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.hospital import ArrivalStream, HospitalConfig, Schedule, Ward
from kaizar_pipeline.errors import DataError, SimulationError
from kaizar_pipeline.simulation.census import CensusPlan, plan_census
from kaizar_pipeline.stats.durations import (
    GRID,
    fitted_table,
    quantile_table,
)
from kaizar_pipeline.stats.philox import stream_number
from kaizar_pipeline.tables import ALL, ANY, HOME

MAX_REPLICATIONS = 10_000
"""Futures at most where each one is kept by itself, in memory."""

UNLIMITED = 2**31 - 1
"""Number of beds that stands for no limit."""

NO_TABLE = -1
"""Index of a quantile table that stands for none: no delay, endless patience."""

RANDOM_SOURCES = ("arrivals_level", "arrivals_noise", "routing", "length_of_stay", "starting_census")
"""What chance decides, in the order in which it comes about: the rate path; who comes when on it, and with how much
patience; their ways through the wards; their lengths of stay and discharge delays, with the replication's own scale of
both; the rest of the stays of those in the house at the start, and their ways on."""

UNIT_EXPONENTIAL = 0
"""Index of the quantile table of gaps between the arrivals of a Poisson process of rate 1."""


@dataclass(frozen=True)
class StreamPlan:
    """One stream of arrivals: its address, its patients and its rates."""

    number: int
    """crc32 of the id: its place in the addresses of random numbers."""
    patient_type: int
    ward: int
    daily_rates: np.ndarray
    """f8[paths, days]: arrivals per day."""
    hour_weights: np.ndarray
    """f8[days, 24]: share of a day's arrivals in each hour."""
    rounded: bool
    """True: each day brings its rate rounded up or down at random; False: a Poisson number."""
    factor: np.ndarray
    """f8[days]: a scenario's factor on the rates. The baseline's patients stay: thinned where it is below 1, joined by
    others where it is above."""


@dataclass(frozen=True)
class AdmissionStopPlan:
    """A ward that is watched, and the patient types diverted while it is nearly full."""

    ward: int
    threshold: float
    patient_types: frozenset[int]


@dataclass(frozen=True)
class Plan:
    """All that both engines and the sampler know of a hospital. W wards and T patient types, in the order of the
    config."""

    key: int
    start: pd.Timestamp
    hours: int
    warmup_hours: int
    ward_ids: tuple[str, ...]
    patient_type_ids: tuple[str, ...]
    stream_ids: tuple[str, ...]
    beds: np.ndarray
    """i8[W]: beds staffed at time 0."""
    capacity_changes: tuple[tuple[float, int, int], ...]
    """(hour, ward, beds), in order of time."""
    holds_bed: np.ndarray
    """bool[W]: boarders keep their bed (hold) or wait outside any (release)."""
    overflow_threshold: np.ndarray
    """f8[W]: fraction of the staffed beds from which on requests are redirected, inf for never."""
    overflow_wards: tuple[tuple[int, ...], ...]
    """Where to, for each ward, in order."""
    admission_stops: tuple[AdmissionStopPlan, ...]
    queue_rank: np.ndarray
    """i4[W, T]: place in the queue, 0 most urgent."""
    streams: tuple[StreamPlan, ...]
    next_wards: np.ndarray
    """i4[W]: the wards in order of their ids, which is the order of route_cdf; so the order of the file does not
    matter."""
    route_cdf: np.ndarray
    """f8[T, W, W]: by type and ward, cumulative probability of the next ward; what is left goes home."""
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
    """u4[tables]: whose number the factor comes from: crc32 of the ward's id."""
    census: CensusPlan
    redraw_offsets: tuple[int, ...] = (0,) * len(RANDOM_SOURCES)
    """Added to the replication's number for each of RANDOM_SOURCES: 0 the replication's own numbers, else another's."""

    @property
    def home(self) -> int:
        """Index that stands for home among next wards."""
        return len(self.ward_ids)

    @property
    def statistics_start(self) -> pd.Timestamp:
        """The first instant that counts: as_of."""
        return self.start + pd.Timedelta(hours=self.warmup_hours)

    @property
    def statistics_hours(self) -> int:
        """Hours that count."""
        return self.hours - self.warmup_hours

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
        """Replications that share nothing by chance: beyond them rate paths come again."""
        return min((len(s.daily_rates) for s in self.streams if len(s.daily_rates) > 1), default=MAX_REPLICATIONS)

    def demand(self) -> "Plan":
        """The same hospital with unlimited beds and no overflow or admission stop, for the same trajectories."""
        return replace(
            self,
            beds=np.full_like(self.beds, UNLIMITED),
            capacity_changes=(),
            overflow_threshold=np.full(len(self.ward_ids), np.inf),
            overflow_wards=((),) * len(self.ward_ids),
            admission_stops=(),
        )


def make_plan(
    config: HospitalConfig,
    rates: Mapping[str, np.ndarray],
    start: pd.Timestamp,
    days: int,
    *,
    key: int,
    warmup_days: int = 0,
    length_of_stay: pd.DataFrame | None = None,
    census: pd.DataFrame | None = None,
    arrival_factors: Mapping[str, np.ndarray] | None = None,
    los_factors: Mapping[tuple[str, str], float] | None = None,
) -> Plan:
    """Compile `config` for `days` days from the local midnight `start`, after `warmup_days` that repeat the first week.

    `rates` holds f8[paths, days] by stream id. `length_of_stay` is needed for wards whose los_model is from_data.
    `census` are the patients in the house at `start` (census.py), none by default. `arrival_factors` holds a scenario's
    f8[days] by stream id, 1 where it says nothing; `los_factors` its factors on lengths of stay by ward and patient
    type. Raises DataError for a stream without rates, and for patients of the census whom the config does not know.
    """
    wards, types = config.ward_ids, config.patient_type_ids
    without = [stream.id for stream in config.arrival_streams if stream.id not in rates]
    if without:
        raise DataError(f"stream {without[0]!r} has no rates; make arrival_rates again with this config")
    tables = _TableBuilder()
    los_table = _los_tables(config, tables, length_of_stay)
    _scale(los_table, config, tables, los_factors or {})
    delay_table = np.array([tables.add(ward.discharge_delay) for ward in config.wards], dtype=np.int32)
    patience_table = np.array([tables.add(kind.patience) for kind in config.patient_types], dtype=np.int32)
    next_wards = np.argsort(np.array(wards), kind="stable").astype(np.int32)

    factors = arrival_factors or {}
    day_index = np.concatenate([np.arange(-warmup_days, 0) % min(7, days), np.arange(days)])
    first = start - pd.Timedelta(days=warmup_days)
    beds, changes = _capacity(config, first, warmup_days + days)
    overflow = {rule.ward: rule for rule in config.policies.overflow}
    return Plan(
        key=key,
        start=first,
        hours=(warmup_days + days) * HOURS_PER_DAY,
        warmup_hours=warmup_days * HOURS_PER_DAY,
        ward_ids=tuple(wards),
        patient_type_ids=tuple(types),
        stream_ids=tuple(stream.id for stream in config.arrival_streams),
        beds=beds,
        capacity_changes=changes,
        holds_bed=np.array([ward.boarding == "hold" for ward in config.wards]),
        overflow_threshold=np.array([overflow[w].threshold if w in overflow else np.inf for w in wards]),
        overflow_wards=tuple(
            tuple(wards.index(to) for to in overflow[w].redirect_to) if w in overflow else () for w in wards
        ),
        admission_stops=tuple(
            AdmissionStopPlan(wards.index(rule.ward), rule.threshold, frozenset(map(types.index, rule.stop_types)))
            for rule in config.policies.admission_stop
        ),
        queue_rank=_queue_rank(config),
        streams=tuple(
            StreamPlan(
                number=stream_number(stream.id),
                patient_type=types.index(stream.patient_type),
                ward=wards.index(stream.target_ward),
                daily_rates=np.asarray(rates[stream.id], dtype=np.float64)[:, day_index],
                hour_weights=hour_weights(stream, start, days)[day_index],
                rounded=isinstance(stream.model, Schedule) and stream.model.variability == "fixed",
                factor=np.asarray(factors.get(stream.id, np.ones(days)), dtype=np.float64)[day_index],
            )
            for stream in config.arrival_streams
        ),
        next_wards=next_wards,
        route_cdf=_route_cdf(config, next_wards),
        los_table=los_table,
        delay_table=delay_table,
        patience_table=patience_table,
        quantile_hours=tables.build(),
        los_scale_sd=np.array(tables.scale_sd),
        los_scale_stream=np.array(tables.scale_stream, dtype=np.uint32),
        census=plan_census(census, start, wards, types, patience_table),
    )


class _TableBuilder:
    """Collects quantile tables and hands out their indices."""

    def __init__(self) -> None:
        self._rows = [-np.log1p(-GRID)]
        self.scale_sd, self.scale_stream = [0.0], [0]

    def add(self, duration: Distribution | None) -> int:
        return NO_TABLE if duration is None else self.add_row(quantile_table(duration))

    def add_row(self, hours: np.ndarray, scale_sd: float = 0.0, scale_stream: int = 0) -> int:
        self._rows.append(hours)
        self.scale_sd.append(scale_sd)
        self.scale_stream.append(scale_stream)
        return len(self._rows) - 1

    def add_scaled(self, table: int, factor: float) -> int:
        return self.add_row(factor * self._rows[table], self.scale_sd[table], self.scale_stream[table])

    def build(self) -> np.ndarray:
        return np.array(self._rows)


def _los_tables(config: HospitalConfig, tables: _TableBuilder, length_of_stay: pd.DataFrame | None) -> np.ndarray:
    wards, types = config.ward_ids, config.patient_type_ids
    index = np.empty((len(types), len(wards), len(wards) + 1), dtype=np.int32)
    for w, ward in enumerate(config.wards):
        if isinstance(ward.los_model, FromData):
            _fill_from_data(index[:, w, :], ward, types, [*wards, HOME], tables, length_of_stay)
        else:
            index[:, w, :] = tables.add(ward.los_model)
        for case in sorted(ward.los_by, key=lambda case: case.specificity):
            t = slice(None) if case.patient_type is None else types.index(case.patient_type)
            n = slice(None) if case.next_ward is None else [*wards, HOME].index(case.next_ward)
            index[t, w, n] = tables.add(case.los_model)
    return index


def _scale(
    index: np.ndarray, config: HospitalConfig, tables: _TableBuilder, factors: Mapping[tuple[str, str], float]
) -> None:
    """Point `index` [T, W, W + 1] to scaled tables where there is a factor."""
    scaled: dict[tuple[int, float], int] = {}
    for (ward, patient_type), factor in factors.items():
        row = index[config.patient_type_ids.index(patient_type), config.ward_ids.index(ward)]
        for place, table in enumerate(row.tolist()):
            if (table, factor) not in scaled:
                scaled[table, factor] = tables.add_scaled(table, factor)
            row[place] = scaled[table, factor]


def _fill_from_data(
    index: np.ndarray,
    ward: Ward,
    types: list[str],
    next_wards: list[str],
    tables: _TableBuilder,
    length_of_stay: pd.DataFrame | None,
) -> None:
    """Quantile tables of a from_data ward into `index` [T, W + 1]: the row of patient type and next ward, else that of
    the type, else that of all types."""
    found = {}
    if length_of_stay is not None:
        rows = length_of_stay[
            (length_of_stay["ward_id"] == ward.id) & (length_of_stay["origin"] == "fitted") & length_of_stay["in_use"]
        ]
        found = {
            (row["patient_type"], row["next_ward_id"]): tables.add_row(
                fitted_table(row["distribution"], row["shape"], row["scale_hours"], row["quantile_hours"]),
                scale_sd=row["scale_sd"],
                scale_stream=stream_number(ward.id),
            )
            for row in rows.to_dict("records")
        }
    for t, patient_type in enumerate(types):
        table = found.get((patient_type, ANY), found.get((ALL, ANY)))
        if table is None:
            raise SimulationError(
                f"ward {ward.id}: los_model is from_data, but length_of_stay has no row in use for patients of type "
                f"{patient_type}; give a configured los_model"
            )
        index[t] = [found.get((patient_type, next_ward), table) for next_ward in next_wards]


def _route_cdf(config: HospitalConfig, next_wards: np.ndarray) -> np.ndarray:
    wards, types = config.ward_ids, config.patient_type_ids
    probability = np.zeros((len(types), len(wards), len(wards)))
    for t, patient_type in enumerate(types):
        for w, ward in enumerate(wards):
            for option in config.route_options(ward, patient_type):
                probability[t, w, wards.index(option.to_ward)] = option.probability
    cdf = np.cumsum(probability[:, :, next_wards], axis=2)
    return np.where(
        cdf >= 1 - 1e-9, 1.0, cdf
    )  # probabilities that add up to 1 but for rounding leave nobody to go home


def _queue_rank(config: HospitalConfig) -> np.ndarray:
    priority = np.array([[kind.priority for kind in config.patient_types]] * len(config.wards))
    for rule in config.policies.priorities:
        priority[config.ward_ids.index(rule.ward), config.patient_type_ids.index(rule.patient_type)] = rule.priority
    return np.unique(-priority, return_inverse=True)[1].reshape(priority.shape).astype(np.int32)


def hour_weights(stream: ArrivalStream, start: pd.Timestamp, days: int) -> np.ndarray:
    """Share of each day's arrivals in each of its hours, f8[days, 24], for `days` days from `start`."""
    week = np.array(stream.hourly_profile).reshape(-1, HOURS_PER_DAY)
    week = week / week.sum(axis=1, keepdims=True)
    return week[(start.weekday() + np.arange(days)) % 7 % len(week)]


def _capacity(
    config: HospitalConfig, start: pd.Timestamp, days: int
) -> tuple[np.ndarray, tuple[tuple[float, int, int], ...]]:
    """Beds at `start`, and every later change as (hour, ward, beds)."""
    end = start + pd.Timedelta(days=days)
    midnights = set(pd.date_range(start, end, inclusive="left"))
    beds = np.empty(len(config.wards), dtype=np.int64)
    changes = []
    for w, ward in enumerate(config.wards):
        dated = {
            pd.Timestamp(t) for change in ward.capacity_changes for t in (change.start, change.end) if t is not None
        }
        instants = sorted(
            {start} | {t for t in dated if start < t < end} | (midnights if ward.weekday_capacity else set())
        )
        beds[w] = last = _beds_at(ward, start)
        for instant in instants[1:]:
            now = _beds_at(ward, instant)
            if now != last:
                changes.append(((instant - start) / pd.Timedelta(hours=1), w, now))
            last = now
    return beds, tuple(sorted(changes))


def _beds_at(ward: Ward, at: pd.Timestamp) -> int:
    beds = ward.beds_at(at)
    return UNLIMITED if beds is None else beds
