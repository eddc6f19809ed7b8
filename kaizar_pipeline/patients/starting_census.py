"""The patients in the hospital at `as_of`: who holds which bed, and who waits for one."""

import pandas as pd

CENSUS_COLUMNS = (
    "patient_id", "stream_id", "patient_type", "request", "ward_id", "planned_ward_id", "admit", "ready",
    "waits_for", "waits_since", "first_ward",
)  # fmt: skip


def starting_census(patients: pd.DataFrame, ward_stays: pd.DataFrame) -> pd.DataFrame:
    """The patients in the house at `as_of`, one row each in order of their request, from tables cut at `as_of`.

    Columns: patient_id, stream_id, patient_type, request (to the hospital); ward_id, planned_ward_id, admit and ready
    (end of care) of the bed held, null when none; waits_for (ward) and waits_since of a request not yet met, null when
    none; first_ward: whether the patient still waits for a first bed.
    """
    present = patients[
        patients["outcome"].isin(["admitted", "waiting"]) & patients["departure"].isna() & patients["departure_known"]
    ]
    open_stays = ward_stays[ward_stays["depart"].isna() & ward_stays["patient_id"].isin(present["patient_id"])]
    seated = open_stays[open_stays["admit"].notna()].set_index("patient_id")
    waiting = open_stays[open_stays["admit"].isna() & open_stays["request"].notna()].set_index("patient_id")
    census = present[["patient_id", "stream_id", "patient_type", "arrival"]].rename(columns={"arrival": "request"})
    census = census.join(seated[["ward_id", "planned_ward_id", "admit", "ready"]], on="patient_id")
    census = census.join(
        waiting[["planned_ward_id", "request", "stay_no"]].set_axis(["waits_for", "waits_since", "stay_no"], axis=1),
        on="patient_id",
    )
    census = census[census["ward_id"].notna() | census["waits_for"].notna()]
    census["first_ward"] = census.pop("stay_no") == 0
    return census.sort_values(["request", "patient_id"], ignore_index=True)[list(CENSUS_COLUMNS)]
