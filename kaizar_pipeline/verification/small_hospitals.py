"""What models of known answers are made of: small hospitals, their plans, and what is read off a run.

Durations are in hours unless days are said.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.simulation.counting import Counts
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.plan import Plan, make_plan

MONDAY = pd.Timestamp("2026-01-05")

Measure = Callable[[Counts], float]


# What is read off a run


def _histogram(counts: Counts, ward: int = 0) -> np.ndarray:
    """u4[H, beds]: replications in which so many beds of the ward were used at each hour."""
    return counts.census.of(ward)


def average(name: str, ward: int = 0, patient_type: int = -1) -> Measure:
    """A KPI; the last patient type, -1, is all together."""
    return lambda counts: float(counts.figures(name)[0][ward, patient_type])


def over_patients(place: int) -> Measure:
    """A mean over all patients who arrived."""
    return lambda counts: float(counts.journeys.ratio[-1, place])


def share_of(part: str, patient_type: int = -1) -> Measure:
    """Of the requests for ward 0, the share with the outcome `part`."""
    return lambda counts: average(part, 0, patient_type)(counts) / average("requests", 0, patient_type)(counts)


def per_hour(name: str, ward: int = 0, factor: float = 1.0) -> Measure:
    """A KPI of a ward per hour that counts, times a factor."""
    return lambda counts: factor * average(name, ward)(counts) / len(_histogram(counts, ward))


def census_mean(ward: int = 0) -> Measure:
    """Over all time, not only at whole hours."""
    return per_hour("bed_days", ward, HOURS_PER_DAY)


def census_at(hours: slice) -> Measure:
    """Of ward 0."""

    def measure(counts: Counts) -> float:
        histogram = _histogram(counts)[hours].sum(axis=0, dtype=np.int64)
        return float(histogram @ np.arange(len(histogram)) / histogram.sum())

    return measure


def more_than(beds: int) -> Measure:
    """P(N > beds) of the census of ward 0."""

    def measure(counts: Counts) -> float:
        histogram = _histogram(counts).sum(axis=0, dtype=np.int64)
        return float(histogram[beds + 1 :].sum() / histogram.sum())

    return measure


def delay_with(beds: int) -> Measure:
    """P(N = beds) / P(N <= beds) of the census of ward 0."""

    def measure(counts: Counts) -> float:
        histogram = _histogram(counts).sum(axis=0, dtype=np.int64)
        return float(histogram[beds] / histogram[: beds + 1].sum())

    return measure


# Small hospitals

PATIENT = {"id": "patient"}


def make_ward(beds: int | None, los: dict[str, Any], name: str = "ward") -> dict[str, Any]:
    """A ward with so many beds, None for unlimited, and this length of stay."""
    return {"id": name, "capacity": beds, "los_model": los}


def make_stay(mean: float, sd: float | None = None) -> dict[str, Any]:
    """Hours: exponential, but lognormal with an `sd`, and always the same where that is 0."""
    if sd is None:
        return {"type": "exponential", "params": {"mean": mean}}
    if sd == 0:
        return {"type": "fixed", "params": {"value": mean}}
    return {"type": "lognormal", "params": {"mean": mean, "sd": sd}}


def make_stop(threshold: float, patient_type: str = "patient") -> dict[str, Any]:
    """An admission stop of one patient type, watching the ward that is called ward."""
    return {"ward": "ward", "threshold": threshold, "stop_types": [patient_type]}


def make_hospital(
    wards: Sequence[dict[str, Any]], types: Sequence[dict[str, Any]] = (PATIENT,), **parts: Any
) -> HospitalConfig:
    """A hospital with one stream for each patient type, named like it, to its first ward."""
    streams = [
        {"id": kind["id"], "target_ward": wards[0]["id"], "patient_type": kind["id"]}
        | {"model": {"type": "constant", "mean_per_day": 0}}  # the plan gets the rates
        for kind in types
    ]
    return HospitalConfig.model_validate(
        {
            "id": "truth",
            "hospital": {"name": "Truth", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {"source": "synthetic", "history_start": "2025-01-01"},
            "wards": list(wards),
            "patient_types": list(types),
            "arrival_streams": streams,
        }
        | parts
    )


def steady(config: HospitalConfig, *hourly: float) -> Callable[[], Plan]:
    """The plan for these hourly rates, one for each stream: 12,000 arrivals and at least 15 days, after 8 of
    warm-up."""
    days = max(15, round(500 / sum(hourly)))
    return daily(config, [[HOURS_PER_DAY * rate] * days for rate in hourly], warmup_days=8)


def daily(config: HospitalConfig, rates: Sequence[Sequence[float]], warmup_days: int) -> Callable[[], Plan]:
    """The plan for these daily rates of each stream."""
    by_stream = {stream.id: np.array([path]) for stream, path in zip(config.arrival_streams, rates, strict=True)}
    return lambda: make_plan(config, by_stream, Horizon(MONDAY, len(rates[0]), warmup_days), key=0)
