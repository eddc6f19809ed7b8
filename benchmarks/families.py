"""Series of daily arrivals with one difficulty each, synthetic from a seed, and a real one where available."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import public_holidays
from kaizar_pipeline.config.hospital import HospitalInfo

HOSPITAL = HospitalInfo.model_validate({"name": "Benchmark", "timezone": "Europe/Amsterdam", "country": "NL"})
END = pd.Timestamp("2025-10-01")
REAL = "monks_ed_ts.csv"

Random = np.random.Generator


def synthetic_series(per_family: int, seed: int) -> dict[tuple[str, int], pd.Series]:
    """Counts by day for each (family, number of the series); a series does not depend on how many there are."""
    return {
        (family, number): make(np.random.default_rng([seed, position, number]))
        for position, (family, make) in enumerate(FAMILIES.items())
        for number in range(per_family)
    }


def real_series() -> pd.Series | None:
    """Daily arrivals of an emergency department in 2017 (TomMonks/forecast-tools, MIT); None where the file is not.

    Looked for in the folder that KAIZAR_TEST_DATA names, else in ../shared/data beside the repository.
    """
    folder = Path(os.environ.get("KAIZAR_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (folder / REAL).exists():
        return None
    rows = pd.read_csv(folder / REAL)
    return pd.Series(rows["arrivals"].to_numpy(), index=pd.to_datetime(rows["date"], format="%d/%m/%y"))


def _series(  # noqa: PLR0913  the parameters of a family of series
    random: Random,
    days: int,
    mean: float,
    *,
    weekday: float = 0.12,
    yearly: float = 0.0,
    holiday: float = 1.0,
    shift: float = 1.0,
    drift: float = 0.0,
    overdispersion: float = 0.0,
) -> pd.Series:
    """Poisson counts: `weekday` is the standard deviation of the seven log factors, `yearly` a relative amplitude,
    `holiday` the factor on a public holiday, `shift` that of the last 200 days or so, `drift` the standard deviation of
    the log level after a year, `overdispersion` the variance of a day's own gamma factor."""
    dates = pd.date_range(end=END - pd.Timedelta(days=1), periods=days)
    log_rate = np.log(mean) + random.normal(0, weekday, 7)[dates.day_of_week]
    log_rate += np.log1p(yearly * np.cos(2 * np.pi * (dates.day_of_year - random.integers(366)) / 365.25))
    log_rate += np.log(holiday) * public_holidays(HOSPITAL, dates)
    log_rate += np.log(shift) * (np.arange(days) >= days - random.integers(150, 250))
    log_rate += np.cumsum(random.normal(0, drift / np.sqrt(365.25), days))
    rates = np.exp(log_rate)
    if overdispersion:
        rates *= random.gamma(1 / overdispersion, overdispersion, days)
    return pd.Series(random.poisson(rates), index=dates)


FAMILIES: dict[str, Callable[[Random], pd.Series]] = {
    "weekday": lambda random: _series(random, 730, random.uniform(20, 60), weekday=0.25),
    "yearly": lambda random: _series(random, 1095, random.uniform(30, 80), yearly=0.15),
    "holidays": lambda random: _series(random, 1095, random.uniform(30, 80), holiday=random.uniform(0.5, 0.8)),
    "level shift": lambda random: _series(random, 730, random.uniform(30, 80), shift=random.choice([0.75, 1.3])),
    "overdispersed": lambda random: _series(random, 730, random.uniform(20, 60), drift=0.08, overdispersion=0.08),
    "2-10 a day": lambda random: _series(random, 730, random.uniform(2, 10), drift=0.1),
    "100-300 a day": lambda random: _series(
        random, 730, random.uniform(100, 300), weekday=0.06, yearly=0.05, drift=0.06, overdispersion=0.003
    ),
    "short history": lambda random: _series(random, int(random.integers(150, 240)), random.uniform(10, 60), drift=0.06),
}
