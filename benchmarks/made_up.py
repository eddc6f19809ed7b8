"""Synthetic hospitals with a known truth, written as the extracts that a hospital would have."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import nbinom, norm

from kaizar_pipeline import HospitalConfig

CLOCKED_AS_OF = pd.Timestamp("2026-10-01")
"""Midnight up to which the extract of the clocked ward is known."""

_HOURS = np.array(
    [2, 1.6, 1.3, 1.1, 1, 1.1, 1.6, 2.8, 4.6, 6.2, 6.9, 6.8, 6.4, 6.2, 6.1, 6, 5.9, 5.8, 5.6, 5.2, 4.7, 4.1, 3.3, 2.6]
)
_WEEKDAY = np.array([1.1, 1.05, 1.02, 1.02, 1.02, 0.9, 0.89])
_NIGHTS = (1.2, 1.2 / (1.2 + 3.4))
"""Negative binomial nights beyond the first."""
_WAITS = 0.45
"""Share of the discharges on a weekend that wait until Monday."""
_DISCHARGE, _DISCHARGES = (14.5, 2.5), (8.5, 21)
"""Mean and standard deviation of the hour of discharge, and its bounds."""
_DAY, _HOUR = pd.Timedelta(days=1), pd.Timedelta(hours=1)


def clocked_ward(seed: int, first: str = "2024-06-01", last: str = "2026-11-30") -> pd.DataFrame:
    """Stays (arrival, departure) in a ward whose discharges keep a clock.

    Twenty admissions a day with a weekday and an hourly pattern; 1 + negative binomial nights; discharge around 14:30;
    45 % of the discharges that fall on a weekend wait until Monday.
    """
    rng = np.random.default_rng(seed)
    days = pd.date_range(first, last)
    day = np.repeat(np.arange(len(days)), rng.poisson(20 * _WEEKDAY[days.day_of_week]))
    n = len(day)
    arrival = days[day] + (rng.choice(24, n, p=_HOURS / _HOURS.sum()) + rng.random(n)) * _HOUR
    out = days[day] + (1 + rng.negative_binomial(*_NIGHTS, n)) * _DAY
    waits = (out.day_of_week >= 5) & (rng.random(n) < _WAITS)
    out += np.where(waits, 7 - out.day_of_week, 0) * _DAY
    departure = out + np.clip(rng.normal(*_DISCHARGE, n), *_DISCHARGES) * _HOUR
    return pd.DataFrame({"arrival": arrival.floor("s"), "departure": departure.floor("s")})


def clocked_rates(hour: pd.Timestamp) -> float:
    """Expected admissions to the clocked ward in the hour that begins then."""
    return float(20 * _WEEKDAY[hour.day_of_week] * _HOURS[hour.hour] / _HOURS.sum())


@cache
def still_there(date: pd.Timestamp, at: pd.Timestamp) -> float:
    """The probability that a patient of the clocked ward who was admitted on `date` is in bed at `at`, after it."""
    days = (at.normalize() - date).days
    out = _days_until_discharge(date.day_of_week)
    hour = at.hour + at.minute / 60
    later_today = 0.0 if hour >= _DISCHARGES[1] else 1.0 if hour < _DISCHARGES[0] else norm.sf(hour, *_DISCHARGE)
    return float(1 - out[: days + 1].sum() + out[days] * later_today)


@cache
def _days_until_discharge(weekday: int) -> np.ndarray:
    """f8[days]: probability of each number of days from an admission on `weekday` to the day of discharge."""
    nights = np.arange(400)
    share = np.where(nights > 0, nbinom.pmf(nights - 1, *_NIGHTS), 0.0)
    until_monday = 7 - (weekday + nights) % 7
    waits = np.where(until_monday <= 2, _WAITS * share, 0.0)
    return np.bincount(nights, share - waits) + np.bincount(nights + until_monday, waits)[: len(nights)]


def clocked_week(years: int = 20) -> np.ndarray:
    """f8[168]: the true mean census of the clocked ward by hour of the week, from a long simulation."""
    stays = clocked_ward(10_000, "1990-01-01", f"{1990 + years}-12-31")
    hours = pd.date_range("1990-04-02", f"{1990 + years}-10-01", freq="h", inclusive="left")
    return by_hour_of_week(hours, census_at(stays, hours))


def census_at(stays: pd.DataFrame, hours: pd.DatetimeIndex) -> np.ndarray:
    """i8 per hour: patients who came up to it and left after it; NaT is never."""
    came, went = (np.sort(stays[name].to_numpy("datetime64[us]")) for name in ("arrival", "departure"))
    at = hours.to_numpy("datetime64[us]")
    gone = np.searchsorted(went[~np.isnat(went)], at, side="right")
    return np.searchsorted(came, at, side="right") - gone


def by_hour_of_week(hours: pd.DatetimeIndex, values: np.ndarray) -> np.ndarray:
    """f8[168]: the mean of the values in each hour of the week, from Monday 0:00."""
    place = hours.day_of_week * 24 + hours.hour
    return np.bincount(place, values, 168) / np.bincount(place, minlength=168)


def write_extract(stays: pd.DataFrame, as_of: pd.Timestamp, path: Path) -> None:
    """What an extract of `as_of` says of `stays`: later arrivals are not in it, later departures are empty."""
    known = stays[stays["arrival"] < as_of]
    known = known.assign(departure=known["departure"].where(known["departure"] < as_of))
    known.insert(0, "id", np.arange(len(known)))
    known.to_csv(path, index=False)


def one_ward(path: Path, **parts: Any) -> HospitalConfig:
    """A hospital of one ward without a limit, all of it learned from the extract at `path`."""
    columns = {"patient_id": "id", "arrival": "arrival", "departure": "departure"}
    source = {"source": "csv", "path": str(path), "columns": columns, "pseudonym_key": "benchmark"}
    return hospital(
        source | parts.pop("patients", {}),
        [{"id": "ward", "capacity": None, "los_model": {"type": "from_data"}} | parts.pop("ward", {})],
        [{"id": "patients", "target_ward": "ward"}],
        **parts,
    )


def hospital(
    patients: Mapping[str, Any], wards: list[dict[str, Any]], streams: list[dict[str, Any]], **parts: Any
) -> HospitalConfig:
    """A hospital of these parts: forecast streams of one patient type, in a country with few holidays."""
    base = {"patient_type": "patient", "model": {"type": "ml_poisson"}}
    return HospitalConfig.model_validate(
        {
            "id": "benchmark",
            "hospital": {"name": "Benchmark", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": dict(patients),
            "wards": wards,
            "patient_types": [{"id": "patient"}],
            "arrival_streams": [base | stream for stream in streams],
        }
        | parts
    )
