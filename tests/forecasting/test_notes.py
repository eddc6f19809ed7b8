"""Every fallback says so in words."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.forecasting.features import make_feature_table
from kaizar_pipeline.forecasting.model import train_lgbm_poisson
from kaizar_pipeline.forecasting.notes import forecast_notes

pytestmark = pytest.mark.unit

Hospital = Callable[..., HospitalConfig]
Daily = Callable[..., pd.DataFrame]
Counts = Callable[..., np.ndarray]


def note(arrivals: pd.DataFrame, config: HospitalConfig, home: Path | None = None) -> str:
    return forecast_notes(train_lgbm_poisson(make_feature_table(arrivals, config, home)), arrivals)["er"]


@pytest.mark.parametrize(
    ("days", "method"),
    [
        (56, "Level alone: a calendar needs 57 days and 30 arrivals (56 days known). Too short to measure its errors"),
        (100, "Calendar and level alone: trees need 180 days, 100 are known. Too short to measure its errors"),
    ],
)
def test_short_histories(make_hospital: Hospital, daily: Daily, poisson: Counts, days: int, method: str) -> None:
    assert note(daily(er=poisson(days)), make_hospital("er", horizon=7)).startswith(method)


def test_trees_and_their_absence(make_hospital: Hospital, daily: Daily, poisson: Counts) -> None:
    config = make_hospital("er", horizon=7)
    switching = poisson(400, np.where(np.arange(400) // 14 % 2, 40.0, 10.0))
    assert note(daily(er=switching), config).startswith("Calendar, level and ")
    noise = note(daily(er=poisson(400)), config)
    assert noise == "Calendar and level alone, from 400 days: trees did not do better"


def test_what_the_records_lack(make_hospital: Hospital, daily: Daily, poisson: Counts) -> None:
    counts = poisson(100)
    counts[70] = 5000
    arrivals = daily(er=counts).assign(demand_observed=False)
    arrivals.loc[80:82, "observed"] = False
    assert note(arrivals, make_hospital("er", horizon=7)).endswith(
        "3 days were not observed. 1 days set aside as implausibly many arrivals. "
        "Patients turned away are not known, and so no part of the forecast"
    )


def test_events_show_their_effect(tmp_path: Path, make_hospital: Hospital, daily: Daily, poisson: Counts) -> None:
    dates = pd.date_range(end="2023-12-21", periods=400)
    summer = (dates.month == 7) | (dates.month == 8)
    rows = "".join(f"{day:%Y-%m-%d},summer holidays\n" for day in dates[summer])
    (tmp_path / "events.csv").write_text("date,name\n" + rows)
    arrivals = daily(er=poisson(400, np.where(summer, 30.0, 60.0)))
    assert note(arrivals, make_hospital("er", events="events.csv"), tmp_path).endswith("Events: summer holidays -50%")


def test_an_opening_is_told(make_hospital: Hospital, daily: Daily, poisson: Counts) -> None:
    arrivals = daily(er=poisson(100))
    arrivals["observed"] = arrivals.index >= 60
    assert note(arrivals, make_hospital("er", horizon=7)).endswith("Known from 2023-11-12 on")
    unknown = note(arrivals.assign(observed=False), make_hospital("er", horizon=7))
    assert unknown.endswith(
        "No day of it is known: it is forecast at its model's mean_per_day, or half an arrival per day"
    )
