"""Mean lengths of stay that are fitted when an extract has days only, against the same extract with times.

    python -m benchmarks.dates

Prints the table of docs/explanation/length_of_stay.md: 1,000 stays of each kind, begun on 400 days, read and fitted as
any extract.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from kaizar_pipeline import HospitalConfig
from kaizar_pipeline.history.loading import load_history
from kaizar_pipeline.patients.length_of_stay import lengths_of_stay

STAYS = 1000
_FIRST = pd.Timestamp("2024-01-01")
_DAYS = 400


PROFILES = {"flat": np.full(24, 1.0), "6:00 to 15:00": np.where((np.arange(24) >= 6) & (np.arange(24) < 15), 1.0, 0.0)}

Lengths = Callable[[np.random.Generator], np.ndarray]


def _weeks(rng: np.random.Generator) -> np.ndarray:
    return rng.lognormal(np.log(168) - 0.5 * 0.8**2, 0.8, STAYS)


KINDS: list[tuple[str, str, float, Lengths]] = [
    ("exponential, 8 h", "flat", 8, lambda rng: rng.exponential(8, STAYS)),
    ("exponential, 8 h", "6:00 to 15:00", 8, lambda rng: rng.exponential(8, STAYS)),
    ("lognormal, 5 days", "flat", 120, lambda rng: rng.lognormal(np.log(120) - 0.5 * 0.8**2, 0.8, STAYS)),
    ("always 3 days", "flat", 72, lambda rng: np.full(STAYS, 72.0)),
    ("gamma, 60 h", "flat", 60, lambda rng: rng.gamma(3, 20, STAYS)),
    (
        "60 % day cases of 6 h, else lognormal, 7 days",
        "flat",
        0.6 * 6 + 0.4 * 168,
        lambda rng: np.where(rng.random(STAYS) < 0.6, rng.gamma(9, 6 / 9, STAYS), _weeks(rng)),
    ),
    ("always 10 h, hardly ever past midnight", "6:00 to 15:00", 10, lambda rng: np.full(STAYS, 10.0)),
]
"""What the stays are, the profile of their begins, their mean, and how they are drawn."""


def main() -> None:
    """Print the table."""
    print("| stays | profile | true mean | by date | with times |\n|---|---|---|---|---|")
    for seed, (kind, profile, mean, lengths) in enumerate(KINDS):
        rng = np.random.default_rng(seed)
        weights = PROFILES[profile]
        hours = rng.integers(0, _DAYS, STAYS) * 24 + rng.choice(24, STAYS, p=weights / weights.sum())
        begin = _FIRST + pd.to_timedelta(hours + rng.random(STAYS), unit="h")
        visits = pd.DataFrame({"came": begin, "went": begin + pd.to_timedelta(lengths(rng), unit="h")})
        by_date, with_times = (_fitted(visits, weights, form) for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S"))
        print(f"| {kind} | {profile} | {mean:.1f} | {by_date:.1f} | {with_times:.1f} |")


def _fitted(visits: pd.DataFrame, profile: np.ndarray, form: str) -> float:
    """Mean hours of the length of stay that the twin draws from, of these visits with stamps of this form."""
    with tempfile.TemporaryDirectory() as folder:
        table = visits.apply(lambda stamps: stamps.dt.strftime(form))
        table.rename_axis("id").to_csv(Path(folder) / "extract.csv")
        config = _hospital(profile.tolist())
        history = load_history(config, Path(folder))
    fits = lengths_of_stay(history.patients, history.ward_stays, config)
    return float(fits.loc[fits["in_use"], "mean_hours"].iloc[0])


def _hospital(profile: list[float]) -> HospitalConfig:
    return HospitalConfig.model_validate(
        {
            "id": "dates",
            "hospital": {"name": "Dates", "timezone": "UTC", "country": "NL"},
            "patients": {
                "source": "csv",
                "path": "extract.csv",
                "columns": {"patient_id": "id", "arrival": "came", "departure": "went"},
                "pseudonym_key": "benchmark",
                "max_age_days": 10_000,
            },
            "wards": [{"id": "ward", "capacity": None, "los_model": {"type": "from_data"}}],
            "patient_types": [{"id": "adult"}],
            "arrival_streams": [
                {
                    "id": "stream",
                    "target_ward": "ward",
                    "patient_type": "adult",
                    "hourly_profile": profile,
                    "model": {"type": "ml_poisson"},
                }
            ],
        }
    )


if __name__ == "__main__":
    main()
