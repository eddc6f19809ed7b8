"""A plan as the plain arrays that the kernel reads, in three parts: what drawing, contending and counting need.

W wards, T patient types, K streams, N patients of the census, in the plan's own order; ragged lists are laid end to
end, with the place where each begins.
"""

from collections.abc import Callable, Sequence, Sized
from typing import Any, NamedTuple

import numpy as np

from kaizar_pipeline.simulation.plan import Plan, StreamPlan
from kaizar_pipeline.stats.durations import GRID, GUIDE

_EPOCH = np.datetime64("1970-01-01", "D")


class Tables(NamedTuple):
    """Quantile tables on their common grid."""

    grid: np.ndarray
    guide: np.ndarray
    """u2[GUIDE_CELLS, 2]: first and last knot to look at for a probability in each cell."""
    lines: np.ndarray
    """f8[tables, knots, 2]: hours at each knot, and hours per unit of probability from there to the next."""


class Streams(NamedTuple):
    """Who comes when."""

    number: np.ndarray
    """u8[K]: place in the addresses of random numbers."""
    by_number: np.ndarray
    """i8[K]: the streams in order of their numbers, which is that of simultaneous arrivals."""
    patient_type: np.ndarray
    ward: np.ndarray
    rounded: np.ndarray
    """bool[K]: each day's rate rounded up or down at random, instead of a Poisson number."""
    n_paths: np.ndarray
    first_rate: np.ndarray
    """i8[K]: where the stream's rates [path, day] begin in `rates`."""
    rates: np.ndarray
    factor: np.ndarray
    """f8[K, days]: a scenario's factor on the rates."""
    has_excess: np.ndarray
    """bool[K]: whether the factor is ever above 1."""
    hour_weights: np.ndarray
    """f8[K, days, 24]"""
    first_day: int
    """Days since 1970, the address of a day's own numbers."""


class Census(NamedTuple):
    """Who is there at the start; meanings as in CensusPlan."""

    stream: np.ndarray
    number: np.ndarray
    patient_type: np.ndarray
    ward: np.ndarray
    seat: np.ndarray
    admitted: np.ndarray
    requested: np.ndarray
    in_care: np.ndarray
    elapsed: np.ndarray
    next_known: np.ndarray
    delay_elapsed: np.ndarray
    patience_elapsed: np.ndarray


class Sources(NamedTuple):
    """What drawing needs."""

    key: np.uint64
    redraw_offsets: np.ndarray
    """i8[RANDOM_SOURCES]: added to the replication's number."""
    tables: Tables
    streams: Streams
    census: Census
    next_wards: np.ndarray
    """i8[W + 1]: wards in order of their ids, which is the order of route_cdf; then home."""
    route_cdf: np.ndarray
    los_table: np.ndarray
    delay_table: np.ndarray
    patience_table: np.ndarray
    queue_rank: np.ndarray


class Rules(NamedTuple):
    """What contending for beds needs."""

    hours: float
    """End of the horizon."""
    beds: np.ndarray
    change_hour: np.ndarray
    change_ward: np.ndarray
    change_beds: np.ndarray
    holds_bed: np.ndarray
    overflow_threshold: np.ndarray
    first_overflow: np.ndarray
    """i8[W + 1]: a ward's overflow wards are overflow_ward[first_overflow[w] : first_overflow[w + 1]]."""
    overflow_ward: np.ndarray
    stop_ward: np.ndarray
    stop_threshold: np.ndarray
    stop_types: np.ndarray
    """bool[stops, T]"""


def sources_of(plan: Plan) -> Sources:
    """What drawing needs of `plan`."""
    census, number = plan.census, np.array([stream.number for stream in plan.streams], dtype=np.uint64)
    rates = [np.ascontiguousarray(stream.daily_rates, dtype=np.float64).ravel() for stream in plan.streams]
    return Sources(
        key=np.uint64(plan.key),
        redraw_offsets=np.array(plan.redraw_offsets, dtype=np.int64),
        tables=tables_of(plan.quantile_hours),
        streams=Streams(
            number=number,
            by_number=np.argsort(number).astype(np.uint32),
            patient_type=_of_streams(plan, lambda stream: stream.patient_type, np.uint32),
            ward=_of_streams(plan, lambda stream: stream.ward, np.uint32),
            rounded=_of_streams(plan, lambda stream: stream.rounded, np.bool_),
            n_paths=_of_streams(plan, lambda stream: len(stream.daily_rates), np.int64),
            first_rate=_starts(rates)[:-1],
            rates=np.concatenate(rates),
            factor=np.array([stream.factor for stream in plan.streams], dtype=np.float64),
            has_excess=_of_streams(plan, lambda stream: stream.factor.max() > 1, np.bool_),
            hour_weights=np.array([stream.hour_weights for stream in plan.streams], dtype=np.float64),
            first_day=int((plan.start.to_datetime64().astype("datetime64[D]") - _EPOCH).astype(int)),
        ),
        census=Census(
            stream=census.stream.astype(np.uint64),
            number=census.number.astype(np.uint64),
            patient_type=census.patient_type.astype(np.int64),
            ward=census.ward.astype(np.int64),
            seat=census.seat.astype(np.int32),
            admitted=census.admitted.astype(np.float64),
            requested=census.requested.astype(np.float64),
            in_care=census.in_care.astype(np.bool_),
            elapsed=census.elapsed.astype(np.float64),
            next_known=census.next_known.astype(np.int64),
            delay_elapsed=census.delay_elapsed.astype(np.float64),
            patience_elapsed=census.patience_elapsed.astype(np.float64),
        ),
        next_wards=np.append(plan.next_wards, plan.home).astype(np.uint32),
        route_cdf=np.ascontiguousarray(plan.route_cdf),
        los_table=plan.los_table.astype(np.uint32),
        delay_table=plan.delay_table.astype(np.int64),
        patience_table=plan.patience_table.astype(np.int64),
        queue_rank=plan.queue_rank.astype(np.int32),
    )


def tables_of(quantile_hours: np.ndarray) -> Tables:
    """Quantile tables f8[tables, len(GRID)]. The knots are powers of two apart, so a slope loses no bit."""
    slopes = np.diff(quantile_hours, append=quantile_hours[:, -1:]) / np.diff(GRID, append=2.0)
    return Tables(GRID, GUIDE, np.stack([quantile_hours, slopes], axis=2))


def rules_of(plan: Plan) -> Rules:
    """What contending for beds needs of `plan`."""
    changes = np.array(plan.capacity_changes, dtype=np.float64).reshape(-1, 3)
    stops = plan.admission_stops
    stop_types = np.zeros((len(stops), len(plan.patient_type_ids)), dtype=np.bool_)
    for row, stop in zip(stop_types, stops, strict=True):
        row[list(stop.patient_types)] = True
    return Rules(
        hours=float(plan.hours),
        beds=plan.beds.astype(np.int64),
        change_hour=np.ascontiguousarray(changes[:, 0]),
        change_ward=changes[:, 1].astype(np.uint32),
        change_beds=changes[:, 2].astype(np.int64),
        holds_bed=plan.holds_bed.astype(np.bool_),
        overflow_threshold=plan.overflow_threshold.astype(np.float64),
        first_overflow=_starts(plan.overflow_wards),
        overflow_ward=np.array([ward for wards in plan.overflow_wards for ward in wards], dtype=np.uint32),
        stop_ward=np.array([stop.ward for stop in stops], dtype=np.uint32),
        stop_threshold=np.array([stop.threshold for stop in stops], dtype=np.float64),
        stop_types=stop_types,
    )


def _of_streams(plan: Plan, value: Callable[[StreamPlan], Any], dtype: type) -> np.ndarray:
    return np.array([value(stream) for stream in plan.streams], dtype=dtype)


def _starts(parts: Sequence[Sized]) -> np.ndarray:
    """i8[parts + 1]: where each of the parts begins when they are laid end to end."""
    return np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
