"""Fixtures for stories with exact answers."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hand_made import MONDAY, Patient, Played, make_config, make_small_plan, trajectories_of

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.simulation.simpy_engine import simulate


@pytest.fixture
def play() -> Callable[..., Played]:
    """Simulate given patients in a small hospital for one day (or `days`) from a Monday, or from an hour of it on."""

    def run(wards: dict[str, Any], patients: list[Patient], days: int = 1, begun: int = 0, **parts: Any) -> Played:
        plan = make_small_plan(make_config(wards, **parts), days, begun)
        trajectories = trajectories_of(plan, patients)
        return Played(plan, trajectories, simulate(plan, trajectories))

    return run


@pytest.fixture
def patient() -> type[Patient]:
    return Patient


@pytest.fixture
def config() -> Callable[..., HospitalConfig]:
    return make_config


@pytest.fixture
def monday() -> pd.Timestamp:
    return MONDAY
