"""The log of forecasts: what was said on every morning, kept, and scored when the midnights have come.

A back-test asks what today's code would have said; the log holds what was said.
"""

import numpy as np
import pandas as pd

from kaizar_pipeline.planning.census_backtest import as_matrix
from kaizar_pipeline.planning.census_scores import (
    census_scores,
    distribution_columns,
    lead_days,
    scores_by_week,
)
from kaizar_pipeline.tables import FORECAST_LOG, FORECAST_LOG_SCORES

MORNINGS = 30
"""Days that the scores of the log look back."""


def extend_log(log: pd.DataFrame | None, midnights: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    """The forecast_log with the forecast of `midnights` (midnight_census) added, and scored against `seen`.

    `log` is the one so far, None for none. Rows of the same origin are replaced, those of other mornings stay. `seen`
    (`observed_midnights`) are the midnights known by now: rows that they do not reach keep the scores they have.
    """
    as_of = midnights["as_of"].iloc[0]
    ahead = midnights[midnights["date"] > as_of]  # none when the horizon is a single day
    parts = [] if log is None else [log[log["origin"] != as_of]]
    parts += [] if ahead.empty else [_entries(ahead, as_of)]
    if not any(len(part) for part in parts):
        return FORECAST_LOG.empty()
    rows = pd.concat(parts, ignore_index=True).assign(as_of=as_of)
    actual = rows[["ward_id", "date"]].merge(seen, how="left")["actual"]
    come = actual.notna()
    scored = _scored(rows[come].assign(actual=actual[come])) if come.any() else rows[come]
    return FORECAST_LOG.frame(pd.concat([rows[~come], scored]))


def score_log(log: pd.DataFrame, as_of: pd.Timestamp, mornings: int = MORNINGS) -> pd.DataFrame:
    """The table forecast_log_scores: how good the forecasts of the last `mornings` before `as_of`
    were, where their midnights have come."""
    recent = log["origin"].between(as_of - pd.Timedelta(days=mornings), as_of, inclusive="left")
    rows = log[recent & log["pit"].notna()]
    if rows.empty:
        return FORECAST_LOG_SCORES.empty()
    scores = scores_by_week(rows.astype({"actual": "float64"}), by=["ward_id"])
    return FORECAST_LOG_SCORES.frame(scores, hospital_id=log["hospital_id"].iloc[0], as_of=as_of)


def _entries(midnights: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The midnights ahead of one run as rows of the log, not scored yet."""
    wide = as_matrix(midnights)
    rows = wide.index.to_frame(index=False).assign(hospital_id=midnights["hospital_id"].iloc[0], origin=as_of)
    probability = wide.to_numpy()
    possible = probability > 0
    lowest = possible.argmax(axis=1)
    highest = probability.shape[1] - possible[:, ::-1].argmax(axis=1)
    shares = [row[low:high] for row, low, high in zip(probability, lowest, highest, strict=True)]
    return rows.assign(
        lead=lead_days(rows),
        **distribution_columns(probability),
        lowest=lowest,
        probability=pd.Series(shares, dtype="object"),
        actual=pd.array([pd.NA] * len(rows), dtype="Int64"),
        crps=np.nan,
        pit=np.nan,
    )


def _scored(rows: pd.DataFrame) -> pd.DataFrame:
    width = max(low + len(shares) for low, shares in zip(rows["lowest"], rows["probability"], strict=True))
    probability = np.zeros((len(rows), width))
    for row, low, shares in zip(probability, rows["lowest"], rows["probability"], strict=True):
        row[low : low + len(shares)] = shares
    return rows.assign(**census_scores(rows["hospital_id"].iloc[0], rows, probability))
