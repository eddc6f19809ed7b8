"""The observed census: how many patients were in each ward at past midnights and hours."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd

MOST_BY_DAY = 0.05
"""Share of patients with a stamp without a time of day up to which the hours of all stays count as known."""


def observed_midnights(
    patients: pd.DataFrame, ward_stays: pd.DataFrame, ward_axis: Mapping[str, Collection[str]]
) -> pd.DataFrame:
    """The `observed_census` at 0:00, without the column hour: the midnight census, by the day that it begins."""
    return observed_census(patients, ward_stays, ward_axis).drop(columns="hour")


def observed_census(
    patients: pd.DataFrame,
    ward_stays: pd.DataFrame,
    ward_axis: Mapping[str, Collection[str]],
    hours: Sequence[int] = (0,),
) -> pd.DataFrame:
    """How many patients were in the wards of each row of `ward_axis` (`HospitalConfig.ward_axis`) at these `hours` of
    every day, from the first midnight of `ward_stays` to as_of.

    Columns: ward_id, date, hour (0 to 23), actual. Counted is admit <= instant < depart. Patients whose departure is
    unknown are left out.
    """
    beds = _in_beds(patients, ward_stays)
    as_of = pd.Timestamp(patients["as_of"].iloc[0])
    dates = pd.date_range(beds["admit"].min().ceil("D"), as_of, unit="us") if len(beds) else pd.DatetimeIndex([])
    census = pd.DataFrame({"date": np.repeat(dates, len(hours)), "hour": np.tile(hours, len(dates))})
    at = instants(census)
    census, at = census[at <= as_of], at[at <= as_of].to_numpy()
    seen = zip(ward_axis, _census_at(beds, ward_axis, at), strict=True)
    return pd.concat([census.assign(ward_id=name, actual=actual) for name, actual in seen], ignore_index=True)


def census_by_hour(
    patients: pd.DataFrame,
    ward_stays: pd.DataFrame,
    ward_axis: Mapping[str, Collection[str]],
    hours: pd.DatetimeIndex,
) -> np.ndarray:
    """i8[A, hours]: the same at these `hours`."""
    beds = _in_beds(patients, ward_stays)
    return np.array(_census_at(beds, ward_axis, hours.to_numpy()))


def _in_beds(patients: pd.DataFrame, ward_stays: pd.DataFrame) -> pd.DataFrame:
    """The stays in beds of patients whose departure is known."""
    unknown = patients.loc[~patients["departure_known"], "patient_id"]
    return ward_stays[ward_stays["admit"].notna() & ~ward_stays["patient_id"].isin(unknown)]


def _census_at(beds: pd.DataFrame, ward_axis: Mapping[str, Collection[str]], at: np.ndarray) -> list[np.ndarray]:
    """By row of the axis, the sums over its wards at these instants."""
    by_ward = {}
    for ward in {ward for wards in ward_axis.values() for ward in wards}:
        stays = beds[beds["ward_id"] == ward]
        admits, departs = (np.sort(stays[column].dropna().to_numpy()) for column in ("admit", "depart"))
        by_ward[ward] = np.searchsorted(admits, at, side="right") - np.searchsorted(departs, at, side="right")
    return [np.sum([by_ward[ward] for ward in wards], axis=0) for wards in ward_axis.values()]


def instants(rows: pd.DataFrame) -> pd.Series:
    """The instant of each row: its hour of its date."""
    return rows["date"] + pd.to_timedelta(rows["hour"], unit="h")


def hours_are_known(patients: pd.DataFrame) -> bool:
    """Whether nearly all stamps have a time of day; where more than `MOST_BY_DAY` are days, too many hours of stays
    were drawn for anything but the midnights to be known."""
    return bool((patients["resolution"] != "second").mean() <= MOST_BY_DAY)
