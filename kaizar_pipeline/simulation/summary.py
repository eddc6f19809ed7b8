"""From counts to tables: every figure beside its Monte Carlo standard error."""

from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.simulation.counting import (
    Counts,
    mean_and_sd,
    replications_above,
    replications_with,
    staffed_with_total,
    standard_error,
)
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan
from kaizar_pipeline.simulation.trajectories import HOURS_PER_WEEK
from kaizar_pipeline.stats.durations import HOURS_PER_DAY
from kaizar_pipeline.tables import (
    ALL,
    BOARDING_CAUSES,
    CENSUS_PERCENTAGES,
    DAILY_PEAKS,
    HOSPITAL_TOTAL,
    MIDNIGHT_CENSUS,
    OCCUPANCY_DISTRIBUTIONS,
    WARD_PERFORMANCE,
    WEEK_PROFILE,
)
from kaizar_pipeline.tables.kpis import KPI_INDEX


def occupancy_distributions(plan: Plan, counts: Counts, high_occupancy: float, **constants: Any) -> pd.DataFrame:
    """The distribution of the census per ward and hour; prob_above is for a census above the share `high_occupancy` of
    the staffed beds. `constants` are whole columns (hospital_id, as_of, scenario)."""
    staffed, n = staffed_with_total(plan), counts.replications
    at = plan.statistics_start + pd.to_timedelta(np.arange(plan.statistics_hours), unit="h")
    frames = []
    for w, ward_id in enumerate(_wards(plan)):
        histogram, limited = counts.census.of(w), staffed[w] < UNLIMITED
        full = replications_with(histogram, staffed[w])
        above = replications_above(histogram, staffed[w], high_occupancy)
        columns: dict[str, Any] = {
            "staffed_beds": pd.Series(staffed[w]).where(limited).astype("Int64"),
            **_census_columns(histogram),
            **_share("prob_full", np.where(limited, full, np.nan), n),
            **_share("prob_above", np.where(limited, above, np.nan), n),
            **_share("prob_queue", counts.queued[w], n),
        }
        for kind, name in enumerate(("mean_waiting", "mean_boarding", "mean_outliers")):
            columns[name] = counts.others[kind, w] / n
            columns[f"{name}_se"] = standard_error(counts.others[kind, w], counts.other_squares[kind, w], n)
        frames.append(pd.DataFrame({"ward_id": ward_id, "at": at, **columns}))
    return OCCUPANCY_DISTRIBUTIONS.frame(pd.concat(frames, ignore_index=True), replications=n, **constants)


def _wards(plan: Plan) -> list[str]:
    return [*plan.ward_ids, HOSPITAL_TOTAL]


def _census_columns(histogram: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, standard deviation and quantiles of the census, from u4[times, beds], each with its standard error."""
    n = int(histogram[0].sum())
    mean, sd = mean_and_sd(histogram)
    return {"mean": mean, "mean_se": sd / np.sqrt(n), "sd": sd, **_quantile_columns(histogram, n)}


def _quantile_columns(histogram: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """Quantiles of the census, from u4[times, beds], with the standard errors that `n` independent numbers give."""
    columns: dict[str, np.ndarray] = {}
    cumulative = np.cumsum(histogram, axis=1)
    for q in CENSUS_PERCENTAGES:
        columns[f"p{q:02d}"] = quantile(cumulative, q / 100)
        # half the distance between the quantiles one standard error of a share away (Woodruff 1952)
        error = np.sqrt(q / 100 * (1 - q / 100) / n)
        low, high = (quantile(cumulative, np.clip(q / 100 + side * error, 0, 1)) for side in (-1, 1))
        columns[f"p{q:02d}_se"] = (high - low) / 2
    return columns


def quantile(cumulative: np.ndarray, probability: float) -> np.ndarray:
    """Inverted-CDF quantile of each row of cumulative counts."""
    return (cumulative >= np.maximum(np.ceil(probability * cumulative[:, -1:] - 1e-9), 1)).argmax(axis=1)


def _share(name: str, events: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """The share of replications with an event, and its standard error."""
    share = events / n
    return {name: share, f"{name}_se": np.sqrt(share * (1 - share) / n)}


def midnight_census(plan: Plan, counts: Counts, **constants: Any) -> pd.DataFrame:
    """The probability of each number of patients at the midnight that begins each day."""
    frames = []
    for w, ward_id in enumerate(_wards(plan)):
        histogram = counts.census.of(w)[::HOURS_PER_DAY]
        day, beds = np.nonzero(histogram)
        frames.append(
            pd.DataFrame(
                {
                    "ward_id": ward_id,
                    "date": plan.statistics_start + pd.to_timedelta(day, unit="D"),
                    "beds": beds,
                    **_share("probability", histogram[day, beds], counts.replications),
                }
            )
        )
    return MIDNIGHT_CENSUS.frame(pd.concat(frames, ignore_index=True), **constants)


def week_profile(plan: Plan, counts: Counts, **constants: Any) -> pd.DataFrame:
    """The census by weekday and hour, over the weeks of the horizon together."""
    staffed, n = staffed_with_total(plan), counts.replications
    slot = (int(plan.statistics_start.day_of_week) * HOURS_PER_DAY + np.arange(plan.statistics_hours)) % HOURS_PER_WEEK
    slots, weeks = np.unique(slot, return_counts=True)
    frames = []
    for w, ward_id in enumerate(_wards(plan)):
        histogram = counts.census.of(w)
        together = np.stack([histogram[slot == s].sum(axis=0) for s in slots])
        columns: dict[str, Any] = {}
        for row, name in enumerate(("mean", "prob_full")):
            total, squares = counts.week[row, w, slots], counts.week_squares[row, w, slots]
            columns[name] = total / n / weeks
            columns[f"{name}_se"] = standard_error(total, squares, n) / weeks
        if (staffed[w] == UNLIMITED).any():
            columns["prob_full"] = columns["prob_full_se"] = np.full(len(slots), np.nan)
        quantiles = _quantile_columns(together, n)  # as if the weeks of a replication told the same, which is the worst
        frames.append(
            pd.DataFrame(
                {"ward_id": ward_id, "weekday": slots // 24, "hour": slots % 24, "weeks": weeks, **columns, **quantiles}
            )
        )
    return WEEK_PROFILE.frame(pd.concat(frames, ignore_index=True), **constants)


def daily_peaks(plan: Plan, counts_by_kind: dict[str, Counts], **constants: Any) -> pd.DataFrame:
    """How many replications had each day's highest census at so many beds, by kind of run."""
    frames = []
    for kind, counts in counts_by_kind.items():
        for w, ward_id in enumerate(_wards(plan)):
            histogram = counts.peaks.of(w)
            day, peak = np.nonzero(histogram)
            date = plan.statistics_start + pd.to_timedelta(day, unit="D")
            columns = {"date": date, "peak_beds": peak, "replications": histogram[day, peak]}
            frames.append(pd.DataFrame({"run_kind": kind, "ward_id": ward_id, **columns}))
    return DAILY_PEAKS.frame(pd.concat(frames, ignore_index=True), **constants)


def boarding_causes(plan: Plan, counts: Counts, **constants: Any) -> pd.DataFrame:
    """Boarding hours by the ward held and the ward waited for, pairs that never came up left out."""
    assert counts.boarded is not None
    hours, error, wards = counts.boarded.mean, counts.boarded.standard_error, np.array(plan.ward_ids)
    held, cause = np.nonzero(hours)
    frame = pd.DataFrame(
        {
            "ward_id": wards[held],
            "cause_ward_id": wards[cause],
            "boarding_hours": hours[held, cause],
            "boarding_hours_se": error[held, cause],
            "share": (hours[held, cause] / hours.sum(axis=1)[held]),
        }
    )
    return BOARDING_CAUSES.frame(frame, **constants)


def ward_performance(plan: Plan, counts: Counts, **constants: Any) -> pd.DataFrame:
    """Means over replications of every KPI, each with its standard error, per ward and patient type."""
    assert counts.kpi is not None
    mean, error = counts.kpi.measured_mean, counts.kpi.standard_error
    wards, types = _wards(plan), [*plan.patient_type_ids, ALL]
    frame = pd.DataFrame({"ward_id": np.repeat(wards, len(types)), "patient_type": np.tile(types, len(wards))})
    for name, k in KPI_INDEX.items():
        frame[name], frame[f"{name}_se"] = mean[:, :, k].ravel(), error[:, :, k].ravel()
    return WARD_PERFORMANCE.frame(frame, **constants)
