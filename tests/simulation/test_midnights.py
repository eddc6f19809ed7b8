"""The census at midnight and at other hours, counted from ward stays by hand."""

import pandas as pd
import pytest

from kaizar_pipeline.patients.observed_census import observed_census, observed_midnights

pytestmark = pytest.mark.unit

AXIS = {"ed": ["ed"], "icu": ["icu"], "empty": ["empty"], "acute": ["ed", "icu"], "_hospital": ["ed", "icu", "empty"]}

STAYS = [
    # patient, ward, admit, depart
    ("moves", "ed", "2026-03-01 10:00", "2026-03-02 00:00"),  # gone at the instant of midnight
    ("moves", "icu", "2026-03-02 00:00", "2026-03-04 12:00"),  # there from that instant on
    ("short", "ed", "2026-03-02 08:00", "2026-03-02 20:00"),  # sees no midnight
    ("open", "ed", "2026-03-03 23:59", None),
    ("waits", None, None, None),
    ("lost", "icu", "2026-03-01 09:00", None),  # nobody knows when this one left
]


def records() -> tuple[pd.DataFrame, pd.DataFrame]:
    ward_stays = pd.DataFrame(STAYS, columns=["patient_id", "ward_id", "admit", "depart"])
    for column in ("admit", "depart"):
        ward_stays[column] = pd.to_datetime(ward_stays[column]).astype("datetime64[us]")
    patients = pd.DataFrame({"patient_id": ["moves", "short", "open", "waits", "lost"]})
    patients = patients.assign(departure_known=patients["patient_id"] != "lost", as_of=pd.Timestamp("2026-03-05"))
    return patients, ward_stays


def test_who_is_in_bed_at_midnight():
    census = observed_midnights(*records(), AXIS).pivot(index="date", columns="ward_id", values="actual")
    assert [f"{date:%d}" for date in census.index] == ["02", "03", "04", "05"]
    assert census["ed"].tolist() == [0, 0, 1, 1]
    assert census["icu"].tolist() == [1, 1, 1, 0]
    assert census["empty"].tolist() == [0, 0, 0, 0]
    assert census["acute"].tolist() == [1, 1, 2, 1]
    assert census["_hospital"].tolist() == [1, 1, 2, 1]


def test_who_is_in_bed_at_hours_of_the_day():
    census = observed_census(*records(), AXIS, [0, 12]).pivot(
        index=["date", "hour"], columns="ward_id", values="actual"
    )
    # nothing is known at noon of as_of
    assert [f"{date:%d} {hour}" for date, hour in census.index] == [
        "02 0", "02 12", "03 0", "03 12", "04 0", "04 12", "05 0",
    ]  # fmt: skip
    assert census["ed"].tolist() == [0, 1, 0, 0, 1, 1, 1]
    assert census["icu"].tolist() == [1, 1, 1, 1, 1, 0, 0]  # gone at the instant of noon
    assert census["_hospital"].tolist() == [1, 2, 1, 1, 2, 1, 1]


def test_a_hospital_that_nobody_was_ever_admitted_to():
    patients = pd.DataFrame({"patient_id": ["w"], "departure_known": True, "as_of": pd.Timestamp("2026-03-05")})
    stays = pd.DataFrame({"patient_id": ["w"], "ward_id": [None], "admit": [pd.NaT], "depart": [pd.NaT]})
    assert observed_midnights(patients, stays, AXIS).empty
