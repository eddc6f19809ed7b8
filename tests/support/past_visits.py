"""Patients with given ward stays, as the history has them at an as_of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Visit:
    """A patient of one stream: the stays in beds as (ward, admit, depart), in order; `depart` None for still in it."""

    stays: Sequence[tuple[str, str | pd.Timestamp, str | pd.Timestamp | None]] = ()
    stream: str = "s"
    outcome: str = "admitted"
    arrival: str | pd.Timestamp | None = None
    """Default: the first admission."""
    waits_for: str | None = None
    """The ward of a last request without a bed."""
    waits_until: str | None = None
    """When that wait ended without a bed; None: not yet."""
    departure_known: bool = True
    planned: str | None = None
    """The ward that was planned for the last stay, where that is another."""


def records(visits: Sequence[Visit], as_of: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables patients and ward_stays, as far as they are read; nothing at or after `as_of` is in them."""
    until = pd.Timestamp(as_of)
    patients: list[dict[str, Any]] = []
    stays: list[dict[str, Any]] = []
    for number, visit in enumerate(visits):
        arrival = pd.Timestamp(visit.arrival or visit.stays[0][1])
        if arrival >= until:
            continue
        seen = [(w, pd.Timestamp(a), pd.Timestamp(d or "NaT")) for w, a, d in visit.stays if pd.Timestamp(a) < until]
        rows = [
            {"ward_id": ward, "planned_ward_id": ward, "request": admit, "admit": admit, "depart": depart}
            for ward, admit, depart in seen
        ]
        if visit.planned:
            rows[-1]["planned_ward_id"] = visit.planned
        if visit.waits_for:
            asked = rows[-1]["depart"] if rows else arrival
            until_then = pd.Timestamp(visit.waits_until or "NaT")
            rows.append({"planned_ward_id": visit.waits_for, "request": asked, "depart": until_then})
        stays += [{"patient_id": f"{number}", "stay_no": n, **row} for n, row in enumerate(rows)]
        patients.append(
            {
                "patient_id": f"{number}",
                "stream_id": visit.stream,
                "patient_type": "low",
                "arrival": arrival,
                "departure": seen[-1][2] if seen and not visit.waits_for else pd.NaT,
                "outcome": visit.outcome,
                "departure_known": visit.departure_known,
            }
        )
    columns = ["patient_id", "stay_no", "ward_id", "planned_ward_id", "request", "admit", "ready", "depart"]
    ward_stays = pd.DataFrame(stays, columns=columns)
    for column in ("request", "admit", "ready", "depart"):
        times = pd.to_datetime(ward_stays[column]).astype("datetime64[us]")
        ward_stays[column] = times.mask(times >= until)
    frame = pd.DataFrame(patients).assign(hospital_id="tiny", as_of=until.as_unit("us"), resolution="second")
    for column in ("arrival", "departure"):
        times = pd.to_datetime(frame[column]).astype("datetime64[us]")
        frame[column] = times.mask(times >= until)
    return frame, ward_stays
