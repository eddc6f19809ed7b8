"""Beds against risk from the past alone: what a number of beds would have covered, with no forecast and no simulation.

The census is replayed as if beds had never been short: everybody is in the ward asked for from the moment of asking,
for as long as care took there. So waiting and boarding are taken out. Patients who were turned away or left have no
stay and are not in it.
"""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.history.loading import load_history
from kaizar_pipeline.planning.beds import MOST_RISK, coverage
from kaizar_pipeline.tables import HOME, HOSPITAL_TOTAL

MOST_WEEKS = 52
"""Weeks before as_of that are looked at: a year, so that every season counts once."""

FEWEST_WEEKS = 4
"""Weeks that are needed at least."""

RUN_IN = 0.99
"""The replay is only complete once this share of stays has had time to begin: the first days are left out."""

_HOUR = pd.Timedelta(hours=1)


def quickscan(
    config: HospitalConfig,
    *,
    risk: float | None = None,
    home: Path | None = None,
    as_of: date | str | None = None,
) -> pd.DataFrame:
    """The share of past days that each number of beds would have covered, per ward and for the whole hospital, and the
    fewest beds for a `risk` (default: simulation.risk_target) that a day is not covered; other arguments as of
    `load_history`."""
    history = load_history(config, home, as_of)
    risk = config.simulation.risk_target if risk is None else risk
    return scan_stays(history.patients, history.ward_stays, config.ward_ids, history.as_of, risk)


def scan_stays(
    patients: pd.DataFrame, ward_stays: pd.DataFrame, ward_ids: list[str], as_of: pd.Timestamp, risk: float
) -> pd.DataFrame:
    """The same from the tables `patients` and `ward_stays`, cut at `as_of`.

    Columns: ward_id, beds, covered_share with its 95 % confidence interval covered_low and covered_high, enough, and
    the fewest beds enough_beds with their interval enough_low and enough_high (as in bed_requirements; weeks are the
    independent units). Raises DataError when there are fewer than four whole weeks to look at, or the risk is out of
    range.
    """
    if not 0 <= risk <= MOST_RISK:
        raise DataError(f"quickscan: risk {risk:g}, allowed: 0 to {MOST_RISK}")
    demand = _demand(patients, ward_stays, as_of)
    weeks = _weeks(demand, as_of)
    peaks = {ward: _peaks(demand[demand["ward_id"] == ward], as_of, weeks) for ward in ward_ids}
    peaks[HOSPITAL_TOTAL] = _peaks(demand, as_of, weeks)
    frames = []
    for ward, of_ward in peaks.items():
        found = coverage(of_ward, risk, np.arange(max(of_ward.min() - 1, 0), of_ward.max() + 1)).table()
        found.insert(0, "ward_id", ward)
        frames.append(found)
    return pd.concat(frames, ignore_index=True)


def _demand(patients: pd.DataFrame, ward_stays: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """When a bed was needed in which ward: ward_id, start, end."""
    known = patients.loc[patients["departure_known"] & patients["outcome"].isin(["admitted", "waiting"]), "patient_id"]
    stays = ward_stays[ward_stays["patient_id"].isin(known)]
    start = stays["request"].fillna(stays["admit"])
    goes_home = stays["next_ward_id"].fillna(HOME) == HOME
    care_ends = stays["depart"].where(goes_home, stays["ready"])
    # who is still in care would be so without the wait too, which is short beside a stay
    end = (start + (care_ends - stays["admit"].fillna(start))).where(care_ends.notna(), as_of)
    demand = pd.DataFrame({"ward_id": stays["planned_ward_id"], "start": start, "end": end})
    return demand[demand["start"].notna()]


def _weeks(demand: pd.DataFrame, as_of: pd.Timestamp) -> int:
    """Whole weeks before `as_of` of a complete replay."""
    if demand.empty:
        raise DataError("quickscan: there are no stays to look at")
    hours = (demand["end"] - demand["start"]).dt.total_seconds() / 3600
    run_in = float(hours.quantile(RUN_IN))
    weeks = int(((as_of - demand["start"].min()) / _HOUR - run_in) / 168)
    if weeks < FEWEST_WEEKS:
        raise DataError(
            f"quickscan: the stays since {demand['start'].min():%Y-%m-%d} leave {max(weeks, 0)} whole weeks to look at "
            f"behind a run-in of {run_in / 24:.1f} days, at least {FEWEST_WEEKS} are needed"
        )
    return min(weeks, MOST_WEEKS)


def _peaks(demand: pd.DataFrame, as_of: pd.Timestamp, weeks: int) -> np.ndarray:
    """i8[weeks, 7]: the highest of each day's 24 hourly censuses (in bed at the hour: start <= hour < end)."""
    hours = weeks * 7 * 24
    first = as_of - hours * _HOUR
    steps = np.zeros(hours + 1, dtype=np.int64)
    for bound, step in (("start", 1), ("end", -1)):
        hour = np.ceil(((demand[bound] - first) / _HOUR).to_numpy()).clip(0, hours).astype(np.int64)
        np.add.at(steps, hour, step)
    return np.cumsum(steps[:-1]).reshape(weeks, 7, 24).max(axis=2)
