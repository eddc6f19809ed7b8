"""Notes in words: how each stream is forecast, and what a reader of the forecast should know."""

import json

import numpy as np
import pandas as pd

from kaizar_pipeline.forecasting.calendar_effects import MIN_ARRIVALS, MIN_DAYS
from kaizar_pipeline.forecasting.features import MIN_DAYS_FOR_PATHS, usable_counts


def forecast_notes(model: pd.DataFrame, arrivals: pd.DataFrame) -> dict[str, str]:
    """A few sentences for each stream of an arrival_model fitted on daily_arrivals."""
    return {
        str(row["stream_id"]): ". ".join(
            sentence
            for sentence in (
                _method(row),
                _uncertainty(row),
                _effects(row),
                *_arrivals(arrivals[arrivals["stream_id"] == row["stream_id"]], str(row["stream_id"])),
            )
            if sentence
        )
        for _, row in model.iterrows()
    }


def _method(row: pd.Series) -> str:
    if row["method"] == "trees":
        return f"Calendar, level and {row['trees']} trees, from {row['n_days']} days"
    if row["method"] == "level":
        needed = f"{MIN_DAYS + 1} days and {MIN_ARRIVALS} arrivals"
        return f"Level alone: a calendar needs {needed} ({row['n_days']} days known)"
    if row["n_days"] < MIN_DAYS_FOR_PATHS:
        return f"Calendar and level alone: trees need {MIN_DAYS_FOR_PATHS} days, {row['n_days']} are known"
    return f"Calendar and level alone, from {row['n_days']} days: trees did not do better"


def _uncertainty(row: pd.Series) -> str:
    if not row["prior_used"]:
        return ""
    return "Too short to measure its errors: they are taken from the hospital's other streams, or assumed"


def _effects(row: pd.Series) -> str:
    effects = {
        name.removeprefix("event_"): np.expm1(value)
        for name, value in json.loads(row["calendar"]).items()
        if name.startswith("event_")
    }
    return "Events: " + ", ".join(f"{name} {effect:+.0%}" for name, effect in effects.items()) if effects else ""


def _arrivals(rows: pd.DataFrame, stream_id: str) -> list[str]:
    observed = int(rows["observed"].sum())
    if not observed:
        return ["No day of it is known: it is forecast at its model's mean_per_day, or half an arrival per day"]
    first = rows.loc[rows["observed"], "date"].min()
    unobserved = int((~rows.loc[rows["date"] > first, "observed"]).sum())
    spikes = observed - int(usable_counts(rows, stream_id).notna().sum())
    return [
        "" if first == rows["date"].min() else f"Known from {first:%Y-%m-%d} on",
        "" if not unobserved else f"{unobserved} days were not observed",
        "" if not spikes else f"{spikes} days set aside as implausibly many arrivals",
        "" if rows["demand_observed"].all() else "Patients turned away are not known, and so no part of the forecast",
    ]
