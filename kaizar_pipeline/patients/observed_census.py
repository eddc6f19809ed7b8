"""The observed census: how many patients were in each ward at past midnights."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kaizar_pipeline.tables import HOSPITAL_TOTAL


def observed_midnights(patients: pd.DataFrame, ward_stays: pd.DataFrame, ward_ids: Sequence[str]) -> pd.DataFrame:
    """How many patients were in each of the wards, and in all of them, at every midnight from the first of `ward_stays`
    to as_of.

    Columns: ward_id, date (the day that the midnight begins), actual. Counted is admit <= midnight < depart. Patients
    whose departure is unknown are left out.
    """
    unknown = patients.loc[~patients["departure_known"], "patient_id"]
    beds = ward_stays[ward_stays["admit"].notna() & ~ward_stays["patient_id"].isin(unknown)]
    as_of = pd.Timestamp(patients["as_of"].iloc[0])
    dates = pd.date_range(beds["admit"].min().ceil("D"), as_of, unit="us") if len(beds) else pd.DatetimeIndex([])
    census = pd.DataFrame(index=pd.Index(dates, name="date"))
    for ward_id in ward_ids:
        stays = beds[beds["ward_id"] == ward_id]
        admits, departs = (np.sort(stays[column].dropna().to_numpy()) for column in ("admit", "depart"))
        census[ward_id] = np.searchsorted(admits, dates, side="right") - np.searchsorted(departs, dates, side="right")
    census[HOSPITAL_TOTAL] = census.sum(axis=1)
    return census.melt(ignore_index=False, var_name="ward_id", value_name="actual").reset_index()
