"""The archive of issued forecasts of the census, scored once the midnights are observed.

A back-test runs today's code on past data; the archive has the forecasts that were issued.
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
from kaizar_pipeline.stats.scores import covered
from kaizar_pipeline.tables import FORECAST_LOG, FORECAST_LOG_SCORES

SCORED_DAYS = 30
"""Origins that are scored: those of the last 30 days."""
SCORED_FORECASTS = 30
"""Forecasts that the sentence on a ward's record is about."""


def extend_log(log: pd.DataFrame | None, midnights: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    """The forecast_log with the forecast of `midnights` (midnight_census) added, and scored against `seen`.

    `log` is the archive so far, None for none. Rows of the same origin are replaced, those of other origins stay.
    `seen` (`observed_midnights`) are the midnights known by now: rows of later midnights keep the scores they have.
    """
    as_of = midnights["as_of"].iloc[0]
    ahead = midnights[midnights["date"] > as_of]  # none when the horizon is a single day
    parts = [] if log is None else [log[log["origin"] != as_of]]
    parts += [] if ahead.empty else [_entries(ahead, as_of)]
    if not any(len(part) for part in parts):
        return FORECAST_LOG.empty()
    rows = pd.concat(parts, ignore_index=True).assign(as_of=as_of)
    actual = rows[["ward_id", "date"]].merge(seen, how="left")["actual"]
    observed = actual.notna()
    scored = _scored(rows[observed].assign(actual=actual[observed])) if observed.any() else rows[observed]
    return FORECAST_LOG.frame(pd.concat([rows[~observed], scored]))


def score_log(log: pd.DataFrame, as_of: pd.Timestamp, days: int = SCORED_DAYS) -> pd.DataFrame:
    """The table forecast_log_scores of the origins in the last `days` before `as_of`, at its hour of the day, over
    their observed midnights."""
    recent = log["origin"].between(as_of - pd.Timedelta(days=days), as_of, inclusive="left")
    rows = log[recent & (log["origin"].dt.hour == as_of.hour) & log["pit"].notna()]
    if rows.empty:
        return FORECAST_LOG_SCORES.empty()
    scores = scores_by_week(rows.astype({"actual": "float64"}), by=["ward_id"])
    return FORECAST_LOG_SCORES.frame(scores, hospital_id=log["hospital_id"].iloc[0], as_of=as_of)


def record_in_words(log: pd.DataFrame, forecasts: int = SCORED_FORECASTS) -> dict[str, str]:
    """One sentence per ward on how its last `forecasts` scored forecasts from the hour of as_of did, each by the first
    midnight ahead.

    An interval holds where the randomised PIT is inside it, as for coverage80: of calibrated ones 80 % do, however few
    beds the ward has.
    """
    at_this_hour = log["origin"].dt.hour == log["as_of"].dt.hour
    scored = log[at_this_hour & log["pit"].notna()].sort_values(["origin", "date"])
    words = {}
    for ward, rows in scored.drop_duplicates(["ward_id", "origin"]).groupby("ward_id"):
        held = covered(rows["pit"].tail(forecasts).to_numpy(), 0.8)
        words[str(ward)] = (
            f"the 80 % intervals of the last {len(held)} forecasts, each of the next midnight's census, held "
            f"{held.sum()} times ({0.8 * len(held):.0f} expected)"
        )
    return words


def _entries(midnights: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The midnights ahead of one run as rows of the archive, not scored yet."""
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
