"""The stays of one replication as a table with names and local times, for people to read."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kaizar_pipeline.simulation.plan import Plan
from kaizar_pipeline.simulation.trajectories import DISCHARGED, DIVERTED, IN_SYSTEM, LEFT, Stays, Trajectories
from kaizar_pipeline.tables import HOME

STATUS = {IN_SYSTEM: "in hospital", DISCHARGED: "discharged", DIVERTED: "diverted", LEFT: "left"}
"""What became of a patient, in words."""


def stays_table(plan: Plan, trajectories: Trajectories, stays: Stays, replication: int = 0) -> pd.DataFrame:
    """A row for each stay that was asked for, by patient and in order: `replication`, `as_of`, `patient` (their place
    among all of the replication, those in the hospital at the start first), `stream_id` (null for these),
    `patient_type`, `status`, `stay_no`, `planned_ward_id`, `ward_id` (null without a bed), `request`, `admit`, `ready`
    (end of care) and `depart` in whole seconds, and `next_ward_id` (null where it is not known yet)."""
    per_patient = np.diff(trajectories.offset)
    patient = np.repeat(np.arange(len(per_patient)), per_patient)
    is_last = np.append(patient[1:] != patient[:-1], True)[: len(patient)]
    goes_on = ~is_last & np.isfinite(np.append(stays.request[1:], np.inf))[: len(patient)]
    next_ward = np.where(goes_on, np.roll(trajectories.planned_ward, -1), -1)
    next_ward[is_last & np.isfinite(stays.ready)] = len(plan.ward_ids)
    frame = pd.DataFrame(
        {
            "replication": replication,
            "as_of": plan.statistics_start,
            "patient": patient,
            "stream_id": named(plan.stream_ids, trajectories.stream[patient]),
            "patient_type": named(plan.patient_type_ids, trajectories.patient_type[patient]),
            "status": pd.Series(stays.status[patient]).map(STATUS),
            "stay_no": np.arange(len(patient)) - trajectories.offset[patient],
            "planned_ward_id": named(plan.ward_ids, trajectories.planned_ward),
            "ward_id": named(plan.ward_ids, stays.used_ward),
            "request": local_times(plan, stays.request),
            "admit": local_times(plan, stays.admit),
            "ready": local_times(plan, stays.ready),
            "depart": local_times(plan, stays.depart),
            "next_ward_id": named([*plan.ward_ids, HOME], next_ward),
        }
    )
    return frame[np.isfinite(stays.request)]


def named(names: Sequence[str], index: np.ndarray) -> pd.Series:
    """The name at each index, null at -1."""
    return pd.Series(pd.array(names, dtype="str").take(index, allow_fill=True))


def local_times(plan: Plan, hours: np.ndarray) -> pd.Series:
    """Hours since the plan's start as local times in whole seconds, NaT for never."""
    seconds = pd.Series(np.where(np.isfinite(hours), np.floor(hours * 3600), np.nan))
    return plan.start + pd.to_timedelta(seconds, unit="s")
