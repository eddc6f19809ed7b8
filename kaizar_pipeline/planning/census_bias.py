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
    """The rows of occupancy_scores, over all weeks ahead together, whose bias is beyond chance and matters."""
    rows = scores[scores["lead_week"] == ALL_WEEKS]
    clear = [
        abs(bias) > relevant(census) and beyond_chance(bias, error, dates)
        for bias, error, dates, census in zip(
            rows["bias"], rows["bias_se"], rows["independent_dates"], rows["mean_actual"], strict=True
        )
    ]
    return rows[np.array(clear, dtype=bool)]


def biases_in_words(biases: pd.DataFrame) -> dict[str, str]:
    """By ward, at which hours its forecasts are too high or too low, from `clear_biases`."""
    words = {}
    for ward, rows in biases.groupby("ward_id", sort=False):
        hours = [
            f"{abs(row['bias']):.1f} too {'high' if row['bias'] > 0 else 'low'} at {row['hour']}:00 "
            f"(standard error {row['bias_se']:.1f}, mean census {row['mean_actual']:.1f})"
            for _, row in rows.iterrows()
        ]
        words[str(ward)] = ", ".join(hours)
    return words
