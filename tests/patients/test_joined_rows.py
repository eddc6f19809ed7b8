"""An extract whose rows are ward stays: rows of one id that touch are one visit."""

from pathlib import Path

import pandas as pd
import pytest

from tests.support.small_extracts import TODAY, Hospital, Read, read_records

pytestmark = pytest.mark.unit

ROWS = """id,unit,came,went
1,plan,2024-06-01 08:00,2024-06-03 10:00
1,acute,2024-06-03 11:00,2024-06-04 09:00
1,acute,2024-06-20 09:00,
2,acute,2024-06-02 10:00,2024-06-02 12:00
2,plan,2024-06-02 12:00,
3,plan,2024-06-05 10:00,2024-06-06 10:00
3,acute,2024-06-05 12:00,2024-06-05 18:00
"""
STAYS = {
    "path": "extract.csv",
    "columns": {"patient_id": "id", "ward": "unit", "admit": "came", "depart": "went"},
    "wards": {"acute": "ed", "plan": "bed"},
}


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(text).as_unit("us")


def test_a_visit_has_the_arrival_of_its_first_row_and_the_departure_of_its_last(read: Read):
    patients = read(ROWS, rows="ward_stays", as_of="2024-06-25").patients.sort_values("arrival")
    assert patients["stream_id"].tolist() == ["elective", "emergency", "elective", "emergency"]
    arrivals = ["2024-06-01 08:00", "2024-06-02 10:00", "2024-06-05 10:00", "2024-06-20 09:00"]
    assert patients["arrival"].tolist() == [at(text) for text in arrivals]
    assert patients["departure"].dropna().tolist() == [at("2024-06-04 09:00"), at("2024-06-06 10:00")]
    assert patients["departure"].isna().tolist() == [False, True, False, True]


def test_the_same_rows_are_the_stays_in_wards(hospital: Hospital, tmp_path: Path):
    (tmp_path / "extract.csv").write_text(ROWS, encoding="utf-8")
    records = read_records(hospital(rows="ward_stays", stays=STAYS), tmp_path, TODAY, at("2024-06-19"))
    found = records.ward_stays.merge(records.patients[["patient_id", "arrival"]]).sort_values(["arrival", "stay_no"])
    assert found[["ward_id", "admit"]].to_numpy().tolist() == [
        ["bed", at("2024-06-01 08:00")],
        ["ed", at("2024-06-03 11:00")],
        ["ed", at("2024-06-02 10:00")],
        ["bed", at("2024-06-02 12:00")],
        ["bed", at("2024-06-05 10:00")],
        ["ed", at("2024-06-05 12:00")],
    ]
    assert records.patient_rejects.empty


def test_rows_without_an_arrival_are_set_aside_one_by_one(read: Read):
    records = read(ROWS + "2,plan,,\n,plan,2024-06-01 08:00,\n", rows="ward_stays", as_of="2024-06-10")
    assert sorted(records.patient_rejects["reason"]) == ["missing arrival", "missing id"]
    assert len(records.patients) == 3
