"""Where the back-test shows that the forecast of the census is biased: in which wards, at which hours."""

import numpy as np
import pandas as pd

from kaizar_pipeline.planning.census_scores import ALL_WEEKS

ERRORS = 3
"""Standard errors from which on a mean error is not taken for chance: as improbable as that of a normal variable, so
that few independent dates need more of them."""
RELEVANT_SHARE = 0.05
"""Share of the mean census from which on a bias matters."""
RELEVANT_BEDS = 0.5
"""And at least so many patients."""


def relevant(mean_census: float) -> float:
    """Patients from which on a bias matters in a ward with that mean census."""
    return max(RELEVANT_SHARE * mean_census, RELEVANT_BEDS)


def beyond_chance(mean: float, error: float, dates: int) -> bool:
    """Whether a mean over so many independent `dates` differs from 0, given its standard error (NaN: not known)."""
    if dates < 2 or not np.isfinite(error):
        return False
    from scipy.stats import norm, t

    return abs(mean) > error * float(t.isf(norm.sf(ERRORS), dates - 1))


def clear_biases(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of occupancy_scores, over all weeks ahead together, whose bias, or bias beside that of all hours, is
    beyond chance and matters; `clear` names the columns that are (bias, hour_bias)."""
    rows = scores[scores["lead_week"] == ALL_WEEKS]
    clear = [[name for name in ("bias", "hour_bias") if _clear(row, name)] for _, row in rows.iterrows()]
    rows = rows.assign(clear=pd.Series(clear, index=rows.index, dtype="object"))
    return rows[rows["clear"].str.len() > 0]


def _clear(row: pd.Series, name: str) -> bool:
    matters = abs(row[name]) > relevant(row["mean_actual"])
    return matters and beyond_chance(row[name], row[f"{name}_se"], row["independent_dates"])


def biases_in_words(biases: pd.DataFrame) -> dict[str, str]:
    """By ward, at which hours its forecasts are too high or too low, from `clear_biases`."""
    wards = biases.groupby("ward_id", sort=False)
    return {str(ward): ", ".join(_in_words(row) for _, row in rows.iterrows()) for ward, rows in wards}


def _in_words(row: pd.Series) -> str:
    name = row["clear"][0]
    side = "high" if row[name] > 0 else "low"
    than = f"too {side}" if name == "bias" else f"{side}er than at all hours together"
    return (
        f"{abs(row[name]):.1f} {than} at {row['hour']}:00 (standard error {row[f'{name}_se']:.1f}, mean census "
        f"{row['mean_actual']:.1f})"
    )
