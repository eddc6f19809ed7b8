"""Tables of census forecasts and their scores.

A distribution is a row of probabilities of 0, 1, 2, ... patients.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.stats.philox import HISTORY_REPLICATION, Purpose, hospital_key, stream_number, uniforms
from kaizar_pipeline.stats.scores import (
    binomial_band,
    clustered_error,
    covered,
    crps_of_probabilities,
    pit_of_probabilities,
)
from kaizar_pipeline.tables import FORECAST_PERCENTAGES

COVERAGES = (50, 80, 95)
"""Percentages of the central intervals that are scored."""
DAYS_PER_WEEK = 7
ALL_WEEKS = 0
"""`lead_week` of scores over all weeks ahead together."""

_PROBABILITIES = np.array([float(f"0.{percentage}") for percentage in FORECAST_PERCENTAGES])
_ROUNDING = 1e-9
_PIT_SEED = 0
_MOST_LEADS = 1000
"""Above any lead, so that each hour, and hour of the origin, has random numbers of its own; those of midnight have the
lead alone as address."""


def distribution_columns(probability: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and inverted-CDF quantiles of distributions f8[row, patients]."""
    cumulative = np.cumsum(probability, axis=1)
    quantiles = {
        f"p{name}": (cumulative >= wanted - _ROUNDING).argmax(axis=1)
        for name, wanted in zip(FORECAST_PERCENTAGES, _PROBABILITIES, strict=True)
    }
    return {"mean": probability @ np.arange(probability.shape[1]), **quantiles}


def census_scores(hospital_id: str, rows: pd.DataFrame, probability: np.ndarray) -> dict[str, np.ndarray]:
    """CRPS and randomised PIT of distributions f8[row, patients], for rows with ward_id, origin, date, actual, and hour
    where that is not always 0."""
    actual = rows["actual"].to_numpy(dtype=np.int64)
    return {
        "crps": crps_of_probabilities(probability, actual),
        "pit": pit_of_probabilities(probability, actual, pit_uniforms(hospital_id, rows)),
    }


def pit_uniforms(hospital_id: str, rows: pd.DataFrame) -> np.ndarray:
    """The number in [0, 1) that randomises each row's PIT, addressed by its ward_id, origin, date and hour."""
    ward = rows["ward_id"].map(stream_number).to_numpy(dtype=np.uint64)
    day = rows["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    stage = lead_days(rows).to_numpy() + _MOST_LEADS * (
        _hours(rows) + HOURS_PER_DAY * rows["origin"].dt.hour.to_numpy()
    )
    return uniforms(hospital_key(hospital_id, _PIT_SEED), HISTORY_REPLICATION, ward, day, Purpose.PIT, stage)[0]


def lead_days(rows: pd.DataFrame) -> pd.Series:
    """Days from the date of the origin of each forecast to its own."""
    return (rows["date"] - rows["origin"].dt.normalize()).dt.days


def _hours(rows: pd.DataFrame) -> np.ndarray:
    return rows["hour"].to_numpy(dtype=np.int64) if "hour" in rows else np.zeros(len(rows), dtype=np.int64)


def scores_by_week(rows: pd.DataFrame, by: Sequence[str], overall: bool = False) -> pd.DataFrame:
    """Coverage, CRPS, absolute error and bias of scored forecasts by the columns `by` and the week ahead, with
    `overall` also over ALL_WEEKS.

    `rows` have origin, lead, actual, mean, crps and pit, and hour where that is not always 0. The band around
    coverage80 counts one trial for each of the `independent_dates`: forecasts for one week, and of overlapping days,
    have correlated errors. With the column hour in `by` there is also the bias of each hour beside that of all hours.
    """
    hours_ahead = HOURS_PER_DAY * rows["lead"] + _hours(rows)
    weekly = rows[[*by, "origin", "lead", "actual", "mean", "crps", "pit"]].assign(
        lead_week=(hours_ahead - 1) // (HOURS_PER_DAY * DAYS_PER_WEEK) + 1
    )
    if overall:
        weekly = pd.concat([weekly, weekly.assign(lead_week=ALL_WEEKS)], ignore_index=True)
    if "hour" in by:
        error = weekly["mean"] - weekly["actual"]
        of_all_hours = [name for name in [*by, "lead_week", "origin"] if name != "hour"]
        weekly = weekly.assign(beside=error - error.groupby([weekly[name] for name in of_all_hours]).transform("mean"))
    found = []
    names, furthest = [*by, "lead_week"], int(rows["lead"].max())
    for values, group in weekly.groupby(names):
        days_ahead = int(group["lead_week"].max()) * DAYS_PER_WEEK or furthest
        dates = independent_dates(group["origin"], days_ahead)
        found.append({**dict(zip(names, values, strict=True)), **_scores(group, dates)})
    return pd.DataFrame(found)


def _scores(group: pd.DataFrame, dates: int) -> dict[str, float]:
    """The scores of forecasts that are as good as so many independent `dates`."""
    low, high = binomial_band(0.8, dates)
    pit, actual = group["pit"].to_numpy(), group["actual"].to_numpy(dtype=np.float64)
    error = group["mean"].to_numpy() - actual
    some = actual > 0
    origins = group["origin"].to_numpy()
    beside = group["beside"].to_numpy() if "beside" in group else None
    hour = (
        {} if beside is None else {"hour_bias": beside.mean(), "hour_bias_se": clustered_error(beside, origins, dates)}
    )
    return {
        "n": len(group),
        "origins": group["origin"].nunique(),
        "independent_dates": dates,
        **{f"coverage{level}": covered(pit, level / 100).mean() for level in COVERAGES},
        "coverage80_low": low,
        "coverage80_high": high,
        "mean_pit": pit.mean(),
        "crps": group["crps"].mean(),
        "mae": np.abs(error).mean(),
        "mape": (np.abs(error[some]) / actual[some]).mean() if some.any() else np.nan,
        "mean_actual": actual.mean(),
        "bias": error.mean(),
        "bias_se": clustered_error(error, origins, dates),
        **hour,
    }


def independent_dates(origins: pd.Series, days_ahead: int) -> int:
    """The number of `origins` that lie at least `days_ahead` from one another, so that their forecasts share no day."""
    count, free_from = 0, pd.Timestamp.min
    for origin in sorted(origins.unique()):
        if origin >= free_from:
            count, free_from = count + 1, origin + pd.Timedelta(days=days_ahead)
    return count
