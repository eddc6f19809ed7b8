"""A plan as the plain arrays that the kernel reads, in two parts: what drawing needs, and what simulating needs.

W wards, T patient types, K streams, in the plan's own order; ragged lists are concatenated, with the place where each
begins.
"""

from collections.abc import Callable, Sequence, Sized
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kaizar_pipeline.simulation.census import Census
from kaizar_pipeline.simulation.kernel.arrays import Flags, Floats, Indices, Integers, SmallIntegers, Word, Words
from kaizar_pipeline.simulation.plan import Plan, StreamPlan
from kaizar_pipeline.stats.durations import GRID, GUIDE

_EPOCH = np.datetime64("1970-01-01", "D")


class Tables(NamedTuple):
    """Quantile tables on their common grid."""

    grid: Floats
    guide: NDArray[np.uint16]
    """u2[GUIDE_CELLS, 2]: first and last knot to look at for a probability in each cell."""
    lines: Floats
    """f8[tables, knots, 2]: hours at each knot, and hours per unit of probability from there to the next."""


class Streams(NamedTuple):
    """Who arrives when."""

    number: Words
    """u8[K]: part of the addresses of random numbers."""
    by_number: Indices
    """u4[K]: the streams in order of their numbers, which is that of simultaneous arrivals."""
    patient_type: Indices
    ward: Indices
    rounded: Flags
    """bool[K]: each day's rate rounded up or down at random, instead of a Poisson number."""
    n_paths: Integers
    first_rate: Integers
    """i8[K]: where the stream's rates [path, day] begin in `rates`."""
    rates: Floats
    factor: Floats
    """f8[K, days]: a scenario's factor on the rates."""
    has_excess: Flags
    """bool[K]: whether the factor is ever above 1."""
    hour_weights: Floats
    """f8[K, days, 24]"""
    first_day: int
    """Days since 1970, the address of a day's own numbers."""
    first_hour: int
    """Of that day: where the run begins."""


class Sources(NamedTuple):
    """What drawing needs."""

    key: Word
    redraw_offsets: Integers
    """i8[RANDOM_SOURCES]: added to the replication's number."""
    tables: Tables
    streams: Streams
    census: Census
    next_wards: Indices
    """u4[W + 1]: wards in order of their ids, which is that of a replication's routes; then home."""
    los_table: Indices
    delay_table: Integers
    patience_table: Integers
    queue_rank: SmallIntegers
    clock_of: Integers
    """i8[W, 2]: clock by ward and way out, NO_CLOCK for none."""
    clock_ward: Indices
    """u4[C]: the ward of each clock."""
    clock_weights: Floats
    """f8[C, hours]"""


class Rules(NamedTuple):
    """What simulating needs."""

    hours: float
    """End of the horizon."""
    beds: Integers
    change_hour: Floats
    change_ward: Indices
    change_beds: Integers
    holds_bed: Flags
    overflow_threshold: Floats
    first_overflow: Integers
    """i8[W + 1]: a ward's overflow wards are overflow_ward[first_overflow[w] : first_overflow[w + 1]]."""
    overflow_ward: Indices
    stop_ward: Indices
    stop_threshold: Floats
    stop_types: Flags
    """bool[stops, T]"""
    queue_limit: Integers


def sources_of(plan: Plan) -> Sources:
    """What drawing needs of `plan`."""
    number = np.array([stream.number for stream in plan.streams], dtype=np.uint64)
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
            first_hour=plan.first_hour,
        ),
        census=plan.census,
        next_wards=np.append(plan.next_wards, len(plan.ward_ids)).astype(np.uint32),
        los_table=plan.los_table.astype(np.uint32),
        delay_table=plan.delay_table.astype(np.int64),
        patience_table=plan.patience_table.astype(np.int64),
        queue_rank=plan.queue_rank.astype(np.int32),
        clock_of=plan.clocks.of,
        clock_ward=plan.clocks.ward,
        clock_weights=np.ascontiguousarray(plan.clocks.weights),
    )


def tables_of(quantile_hours: Floats) -> Tables:
    """Quantile tables f8[tables, len(GRID)]. The knots are powers of two apart, so a slope loses no bit."""
    slopes = np.diff(quantile_hours, append=quantile_hours[:, -1:]) / np.diff(GRID, append=2.0)
    return Tables(GRID, GUIDE, np.stack([quantile_hours, slopes], axis=2))


def rules_of(plan: Plan) -> Rules:
    """What simulating needs of `plan`."""
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
        queue_limit=plan.queue_limit.astype(np.int64),
    )


def _of_streams(plan: Plan, value: Callable[[StreamPlan], Any], dtype: type) -> NDArray[Any]:
    return np.array([value(stream) for stream in plan.streams], dtype=dtype)


def _starts(parts: Sequence[Sized]) -> Integers:
    """i8[parts + 1]: where each of the parts begins when they are concatenated."""
    return np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
