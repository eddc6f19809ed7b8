"""Hospitals whose answers are known, and their experiments."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables

AS_OF = pd.Timestamp("2026-01-05")

FIRST_HOUR = [1.0] + [0.0] * 23
"""All patients arrive in the first hour of the day ..."""

HALF_A_DAY = {"type": "fixed", "params": {"value": 12}}
"""... and leaves on the same day: so a day's highest census is its number of arrivals."""


@pytest.fixture
def hospital() -> Callable[..., HospitalConfig]:
    """A hospital of these wards, with one constant stream to each (`per_day`), and whatever else."""

    def make(
        wards: Sequence[dict[str, Any]], per_day: Sequence[float], profile: list[float] | None = None, **parts: Any
    ):
        streams = [
            {
                "id": f"to_{ward['id']}",
                "target_ward": ward["id"],
                "patient_type": "any",
                "model": {"type": "constant", "mean_per_day": rate},
                **({"hourly_profile": profile} if profile else {}),
            }
            for ward, rate in zip(wards, per_day, strict=True)
        ]
        return HospitalConfig.model_validate(
            {
                "id": "known",
                "hospital": {"name": "Known", "timezone": "Europe/Amsterdam", "country": "NL"},
                "patients": {"source": "synthetic", "history_start": "2025-01-01"},
                "wards": wards,
                "patient_types": [{"id": "any"}],
                "arrival_streams": streams,
                **parts,
            }
        )

    return make


@pytest.fixture
def rates_of() -> Callable[..., pd.DataFrame]:
    """The table arrival_rates of a hospital of constant streams; `paths` replaces the rates of the first stream."""

    def make(config: HospitalConfig, paths: np.ndarray | None = None) -> pd.DataFrame:
        days = config.simulation.horizon_days
        rows = []
        for index, stream in enumerate(config.arrival_streams):
            model = stream.model
            assert model.type == "constant"
            rates = np.full((1, days), model.mean_per_day) if paths is None or index else paths
            rows += [
                ("known", AS_OF, stream.id, AS_OF + pd.Timedelta(days=d), p, rate, rate, "constant")
                for p, path in enumerate(rates.tolist())
                for d, rate in enumerate(path)
            ]
        names = ["hospital_id", "as_of", "stream_id", "date", "path", "rate", "mean_rate", "model_type"]
        return pd.DataFrame(rows, columns=names)

    return make


@pytest.fixture
def experiment_of(rates_of: Callable[..., pd.DataFrame]) -> Callable[..., Experiment]:
    """The experiment of such a hospital."""

    def make(config: HospitalConfig, paths: np.ndarray | None = None, census: pd.DataFrame | None = None):
        return Experiment(StartingPoint(config, StartingTables(rates_of(config, paths), starting_census=census)))

    return make
