"""The same extract with times and with dates only: the twin needs as many beds at midnight."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline import lengths_of_stay, load_history, load_hospital_config, run_chain
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.patients.observed_census import observed_midnights

DAYS, PER_DAY = 300, 12
AS_OF = pd.Timestamp("2024-01-01") + pd.Timedelta(days=DAYS)
PROFILES = {"short": [1] * 8 + [4] * 8 + [2] * 8, "long": [1] * 24, "day": [0] * 7 + [3, 4, 2] + [0] * 14}


def lengths(rng: np.random.Generator, stream: str, n: int) -> np.ndarray:
    """Hours: exponential around 8, a mixture of half a day and a week, day surgery of 5 hours."""
    if stream == "short":
        return rng.exponential(8, n)
    if stream == "day":
        return rng.gamma(25, 0.2, n)
    return np.where(rng.random(n) < 0.5, rng.gamma(4, 3, n), rng.gamma(4, 42, n))


def extract(date_format: str) -> str:
    rng = np.random.default_rng(11)
    rows = ["id,came,went,unit"]
    for stream, profile in PROFILES.items():
        n = DAYS * PER_DAY
        hour = rng.choice(24, n, p=np.array(profile) / sum(profile)) + rng.random(n)
        came = pd.Timestamp("2024-01-01") + pd.to_timedelta(
            rng.integers(0, DAYS, n) * 86400 + np.floor(hour * 3600), unit="s"
        )
        went = came + pd.to_timedelta(np.floor(lengths(rng, stream, n) * 3600), unit="s")
        for number, (start, end) in enumerate(zip(came, went, strict=True)):
            left = end.strftime(date_format) if end < AS_OF else ""
            rows.append(f"{stream}{number},{start.strftime(date_format)},{left},{stream}")
    return "\n".join(rows)


@pytest.fixture
def config() -> HospitalConfig:
    return HospitalConfig.model_validate(
        {
            "id": "dated",
            "hospital": {"name": "Dated", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {
                "source": "csv",
                "path": "extract.csv",
                "columns": {"patient_id": "id", "arrival": "came", "departure": "went", "service": "unit"},
                "streams": {stream: stream for stream in PROFILES},
                "complete_through": (AS_OF - pd.Timedelta(days=1)).date(),
                "max_age_days": None,
                "pseudonym_key": "test",
            },
            "wards": tuple({"id": ward, "capacity": 200, "los_model": {"type": "from_data"}} for ward in PROFILES),
            "patient_types": tuple({"id": kind} for kind in PROFILES),
            "arrival_streams": tuple(
                {
                    "id": stream,
                    "target_ward": stream,
                    "patient_type": stream,
                    "model": {"type": "constant", "mean_per_day": PER_DAY},
                    "hourly_profile": profile,
                }
                for stream, profile in PROFILES.items()
            ),
            "simulation": {"replications": 200},
        }
    )


def midnight_beds(config: HospitalConfig, home: Path, date_format: str) -> pd.DataFrame:
    """Mean census at the midnights of the last two weeks of four: by the twin, and its standard error."""
    (home / "extract.csv").write_text(extract(date_format), encoding="utf-8")
    tables = run_chain(config, home=home, tables=["occupancy_distributions"], seed=3)
    occupancy = tables["occupancy_distributions"]
    late = occupancy[(occupancy["at"].dt.hour == 0) & (occupancy["at"] > AS_OF + pd.Timedelta(days=14))]
    return late.groupby("ward_id").agg(mean=("mean", "mean"), mean_se=("mean_se", "mean"))


@pytest.mark.integration
def test_dates_need_as_many_beds_at_midnight_as_times(config, tmp_path):
    by_time = midnight_beds(config, tmp_path, "%Y-%m-%d %H:%M:%S")
    by_date = midnight_beds(config, tmp_path, "%Y-%m-%d")
    history = load_history(config, tmp_path)
    beds = observed_midnights(history.patients, history.ward_stays, config.ward_axis)
    observed = beds[beds["date"] > beds["date"].min() + pd.Timedelta(days=40)].groupby("ward_id")["actual"].mean()
    for ward in ("short", "long"):
        assert by_date.loc[ward, "mean"] == pytest.approx(by_time.loc[ward, "mean"], rel=0.04), ward
        assert by_date.loc[ward, "mean"] == pytest.approx(observed[ward], rel=0.04), ward
    for means in (by_date, by_time):
        assert means["mean"]["day"] < 0.1
    assert observed["day"] == 0


@pytest.mark.integration
def test_day_cases_by_date_last_some_hours(cases):
    """499 day cases and a month's stay, arrivals by a flat profile, which the dates of the day cases contradict."""
    home = cases / "day_cases_by_date"
    config = load_hospital_config(home / "hospital_configs" / "h.yml")
    history = load_history(config, home)
    fitted = lengths_of_stay(history.patients, history.ward_stays, config).iloc[0]
    drawn = history.ward_stays["ready"] - history.ward_stays["admit"]
    assert fitted["mean_hours"] == pytest.approx(drawn.dt.total_seconds().mean() / 3600, rel=0.05)
    assert 4 < fitted["mean_hours"] < 8
