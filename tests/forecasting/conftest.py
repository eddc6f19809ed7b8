"""A hospital whose streams are all forecast, and its daily arrivals."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.tables import DAILY_ARRIVALS


@pytest.fixture
def make_hospital() -> Callable[..., HospitalConfig]:
    """Makes a hospital with forecast streams of the given names."""

    def make(*streams: str, horizon: int = 28, events: str | None = None) -> HospitalConfig:
        stream = {"target_ward": "ed", "patient_type": "adult", "model": {"type": "ml_poisson"}}
        return HospitalConfig.model_validate(
            {
                "id": "x",
                "hospital": {"name": "X", "timezone": "Europe/Amsterdam", "country": "NL", "events": events},
                "patients": {
                    "source": "synthetic",
                    "history_start": "2021-01-01",
                    "truth": {"streams": {name: {"mean_per_day": 5} for name in streams}},
                },
                "wards": [{"id": "ed", "capacity": 9, "los_model": {"type": "exponential", "params": {"mean": 5}}}],
                "patient_types": [{"id": "adult"}],
                "arrival_streams": [{"id": name, **stream} for name in streams],
                "simulation": {"horizon_days": horizon, "replications": 100},
            }
        )

    return make


@pytest.fixture
def daily() -> Callable[..., pd.DataFrame]:
    """Makes daily_arrivals from the counts of each stream, the last one on the day before `as_of`."""

    def make(as_of: str = "2023-12-22", **counts: Any) -> pd.DataFrame:
        end = pd.Timestamp(as_of)
        streams = [
            pd.DataFrame({"stream_id": name, "date": pd.date_range(end=end, periods=len(c) + 1)[:-1], "arrivals": c})
            for name, c in counts.items()
        ]
        known = {"admitted": None, "turned_away": None, "observed": True, "demand_observed": True}
        rows = pd.concat(streams).assign(**known)
        return DAILY_ARRIVALS.frame(rows, hospital_id="x", as_of=end)

    return make


@pytest.fixture
def poisson() -> Callable[..., np.ndarray]:
    """Makes Poisson counts of the given number and mean."""
    return lambda days, mean=8.0, seed=1: np.random.default_rng(seed).poisson(mean, days)
