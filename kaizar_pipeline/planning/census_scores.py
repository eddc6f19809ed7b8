"""Tables of census forecasts and their scores.

A distribution is a row of probabilities of 0, 1, 2, ... patients.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kaizar_pipeline.stats.philox import HISTORY_REPLICATION, Purpose, hospital_key, stream_number, uniforms
from kaizar_pipeline.stats.scores import binomial_band, covered, crps_of_probabilities, pit_of_probabilities
from kaizar_pipeline.tables import FORECAST_PERCENTAGES

COVERAGES = (50, 80, 95)
"""Percentages of the central intervals that are scored."""
DAYS_PER_WEEK = 7

_PROBABILITIES = np.array([float(f"0.{percentage}") for percentage in FORECAST_PERCENTAGES])
_ROUNDING = 1e-9
_PIT_SEED = 0


def distribution_columns(probability: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and inverted-CDF quantiles of distributions f8[row, patients]."""
    cumulative = np.cumsum(probability, axis=1)
    quantiles = {
        f"p{name}": (cumulative >= wanted - _ROUNDING).argmax(axis=1)
        for name, wanted in zip(FORECAST_PERCENTAGES, _PROBABILITIES, strict=True)
    }
    return {"mean": probability @ np.arange(probability.shape[1]), **quantiles}


def census_scores(hospital_id: str, rows: pd.DataFrame, probability: np.ndarray) -> dict[str, np.ndarray]:
    """CRPS and randomised PIT of distributions f8[row, patients], for rows with ward_id, origin, date and actual."""
    actual = rows["actual"].to_numpy(dtype=np.int64)
    return {
        "crps": crps_of_probabilities(probability, actual),
        "pit": pit_of_probabilities(probability, actual, pit_uniforms(hospital_id, rows)),
    }


def pit_uniforms(hospital_id: str, rows: pd.DataFrame) -> np.ndarray:
    """The number in [0, 1) that randomises each row's PIT, addressed by its ward_id, origin and date."""
    ward = rows["ward_id"].map(stream_number).to_numpy(dtype=np.uint64)
    lead = lead_days(rows).to_numpy()
    day = rows["date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    return uniforms(hospital_key(hospital_id, _PIT_SEED), HISTORY_REPLICATION, ward, day, Purpose.PIT, lead)[0]


def lead_days(rows: pd.DataFrame) -> pd.Series:
    """Days from the origin of each forecast to its date."""
    return (rows["date"] - rows["origin"]).dt.days


def scores_by_week(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Coverage, CRPS and bias of scored forecasts by the columns `by` and the week ahead.

    `rows` have origin, lead, actual, mean, crps and pit. The band around coverage80 counts one trial for each of the
    `independent_dates`: forecasts of midnights in one week, and of overlapping days, have correlated errors.
    """
    found = []
    weekly = rows.assign(lead_week=(rows["lead"] - 1) // DAYS_PER_WEEK + 1)
    for _, group in weekly.groupby([*by, "lead_week"]):
        names = group[[*by, "lead_week"]].iloc[0].to_dict()
        dates = independent_dates(group["origin"], int(names["lead_week"]) * DAYS_PER_WEEK)
        low, high = binomial_band(0.8, dates)
        pit = group["pit"].to_numpy()
        found.append(
            {
                **names,
                "n": len(group),
                "origins": group["origin"].nunique(),
                "independent_dates": dates,
                **{f"coverage{level}": covered(pit, level / 100).mean() for level in COVERAGES},
                "coverage80_low": low,
                "coverage80_high": high,
                "mean_pit": pit.mean(),
                "crps": group["crps"].mean(),
                "bias": (group["mean"] - group["actual"]).mean(),
            }
        )
    return pd.DataFrame(found)


def independent_dates(origins: pd.Series, days_ahead: int) -> int:
    """The number of `origins` that lie at least `days_ahead` from one another, so that their forecasts share no day."""
    count, free_from = 0, pd.Timestamp.min
    for origin in sorted(origins.unique()):
        if origin >= free_from:
            count, free_from = count + 1, origin + pd.Timedelta(days=days_ahead)
    return count
