"""The patients in the hospital at `as_of`: who holds which bed, and who waits for one."""

import pandas as pd

from kaizar_pipeline.tables import STARTING_CENSUS


def starting_census(patients: pd.DataFrame, ward_stays: pd.DataFrame) -> pd.DataFrame:
    """The table starting_census, from the tables patients and ward_stays cut at `as_of`."""
    present = patients[
        patients["outcome"].isin(["admitted", "waiting"]) & patients["departure"].isna() & patients["departure_known"]
    ]
    open_stays = ward_stays[ward_stays["depart"].isna() & ward_stays["patient_id"].isin(present["patient_id"])]
    seated = open_stays[open_stays["admit"].notna()].set_index("patient_id")
    waiting = open_stays[open_stays["admit"].isna() & open_stays["request"].notna()].set_index("patient_id")
    census = present[["hospital_id", "as_of", "patient_id", "stream_id", "patient_type", "arrival"]]
    census = census.rename(columns={"arrival": "request"})
    census = census.join(seated[["ward_id", "planned_ward_id", "admit", "ready"]], on="patient_id")
    census = census.join(
        waiting[["planned_ward_id", "request", "stay_no"]].set_axis(["waits_for", "waits_since", "stay_no"], axis=1),
        on="patient_id",
    )
    census = census[census["ward_id"].notna() | census["waits_for"].notna()]
    return STARTING_CENSUS.frame(census.assign(first_ward=census["stay_no"] == 0).drop(columns="stay_no"))
