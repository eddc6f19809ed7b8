"""From counts to tables: occupancy_distributions, daily_peaks and ward_performance."""

from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.simulation.counting import KPIS, Counts, staffed_with_total
from kaizar_pipeline.simulation.durations import HOURS_PER_DAY
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan
from kaizar_pipeline.tables import (
    ALL,
    CENSUS_PERCENTAGES,
    DAILY_PEAKS,
    HOSPITAL_TOTAL,
    OCCUPANCY_DISTRIBUTIONS,
    WARD_PERFORMANCE,
)


def occupancy_distributions(plan: Plan, counts: Counts, **constants: Any) -> pd.DataFrame:
    """The distribution of the census per ward and hour; `constants` are whole columns (hospital_id, as_of,
    scenario)."""
    n = counts.replications
    histogram = counts.census.astype(np.float64)
    beds = np.arange(histogram.shape[2])
    mean = histogram @ beds / n
    sd = np.sqrt(np.maximum(histogram @ beds**2 / n - mean**2, 0) * n / (n - 1))
    cumulative = np.cumsum(counts.census, axis=2)
    staffed = staffed_with_total(plan)
    limited = staffed < UNLIMITED
    full = (histogram * (beds >= staffed[:, :, None])).sum(axis=2) / n
    at = plan.statistics_start + pd.to_timedelta(np.arange(plan.statistics_hours), unit="h")
    by_hour = {
        "staffed_beds": pd.array(staffed.ravel(), dtype="Int64"),
        "mean": mean,
        "mean_se": sd / np.sqrt(n),
        "sd": sd,
        **{f"p{q:02d}": (cumulative >= np.ceil(q / 100 * n - 1e-9)).argmax(axis=2) for q in CENSUS_PERCENTAGES},
        "prob_full": np.where(limited, full, np.nan),
        "prob_full_se": np.where(limited, np.sqrt(full * (1 - full) / n), np.nan),
        "prob_queue": counts.queued / n,
        "mean_boarding": counts.boarding / n,
        "mean_waiting": counts.waiting / n,
        "mean_outliers": counts.outliers / n,
    }
    frame = pd.DataFrame(
        {
            "ward_id": np.repeat([*plan.ward_ids, HOSPITAL_TOTAL], len(at)),
            "at": np.tile(at, len(staffed)),
            **{name: values.ravel() for name, values in by_hour.items()},
        }
    )
    frame.loc[~limited.ravel(), "staffed_beds"] = pd.NA
    return OCCUPANCY_DISTRIBUTIONS.frame(frame, replications=n, **constants)


def daily_peaks(plan: Plan, counts_by_kind: dict[str, Counts], **constants: Any) -> pd.DataFrame:
    """How many replications had each day's highest census at so many beds, by kind of run."""
    wards = np.array([*plan.ward_ids, HOSPITAL_TOTAL])
    dates = plan.statistics_start + pd.to_timedelta(np.arange(plan.statistics_hours // HOURS_PER_DAY), unit="D")
    frames = []
    for kind, counts in counts_by_kind.items():
        ward, day = (index.ravel() for index in np.indices(counts.peaks.shape)[1:])
        rows = np.stack([ward, day, counts.peaks.ravel()])
        (ward, day, peak), times = np.unique(rows, axis=1, return_counts=True)
        frames.append(
            pd.DataFrame(
                {"run_kind": kind, "ward_id": wards[ward], "date": dates[day], "peak_beds": peak, "replications": times}
            )
        )
    return DAILY_PEAKS.frame(pd.concat(frames, ignore_index=True), **constants)


def ward_performance(plan: Plan, counts: Counts, **constants: Any) -> pd.DataFrame:
    """Means over replications of every KPI, each with its standard error, per ward and patient type."""
    measured = np.isfinite(counts.kpis)
    n = measured.sum(axis=0)
    values = np.where(measured, counts.kpis, 0.0)
    mean = np.divide(values.sum(axis=0), n, out=np.full(n.shape, np.nan), where=n > 0)
    squares = (np.where(measured, counts.kpis - mean, 0.0) ** 2).sum(axis=0)
    error = np.sqrt(np.divide(squares, n * (n - 1), out=np.full(n.shape, np.nan), where=n > 1))
    wards, types = [*plan.ward_ids, HOSPITAL_TOTAL], [*plan.patient_type_ids, ALL]
    frame = pd.DataFrame({"ward_id": np.repeat(wards, len(types)), "patient_type": np.tile(types, len(wards))})
    for k, name in enumerate(KPIS):
        frame[name], frame[f"{name}_se"] = mean[:, :, k].ravel(), error[:, :, k].ravel()
    return WARD_PERFORMANCE.frame(frame, **constants)
