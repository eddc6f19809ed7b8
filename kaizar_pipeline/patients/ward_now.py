"""The patients in each ward at as_of: beds, who waits, outliers, and long stays."""

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.tables import LONG_STAY_NIGHTS, WARD_NOW


def wards_now(starting_census: pd.DataFrame, config: HospitalConfig, as_of: pd.Timestamp) -> pd.DataFrame:
    """The table ward_now: figures of each ward, and their sums over each group and the hospital.

    A long stay is counted in nights since the patient's arrival in the hospital, whatever the ward: the date of as_of
    less that of the arrival, as the English daily situation report counts stays of 7, 14 and 21 days or more.
    """
    nights = (as_of.normalize() - starting_census["request"].dt.normalize()).dt.days
    in_bed, waits = starting_census["ward_id"], starting_census["waits_for"]
    beds = {ward.id: ward.beds_at(as_of.to_pydatetime()) for ward in config.wards}
    rows = []
    for name, wards in config.ward_axis.items():
        here = in_bed.isin(wards)
        staffed = [n for ward in wards if (n := beds[ward]) is not None]
        outliers = int((here & (starting_census["planned_ward_id"] != in_bed)).sum())
        rows.append(
            {
                "ward_id": name,
                "staffed_beds": sum(staffed) if len(staffed) == len(wards) else None,
                "in_beds": here.sum(),
                "waiting": waits.isin(wards).sum(),
                "boarding": (here & waits.notna()).sum(),
                "outliers": outliers if config.patients.knows_planned_wards else None,
                **{f"los_{least}_plus": (here & (nights >= least)).sum() for least in LONG_STAY_NIGHTS},
            }
        )
    return WARD_NOW.frame(pd.DataFrame(rows), hospital_id=config.id, as_of=as_of)
