"""Small folders of the hospital-beds form, written by hand, and what is read from them."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline import DataError, HospitalBeds
from kaizar_pipeline.hospital_beds.form_files import service_id

pytestmark = pytest.mark.unit

PATIENTS = """\
patient_id,name,age,arrival_date,departure_date,service,satisfaction
P1,Ada Alder,70,2025-01-01,2025-01-03,emergency,80
P2,Bo Birch,30,2025-01-07,2025-01-07,emergency,75
P3,Cleo Cedar,55,2025-01-08,2025-01-20,ICU,60
P4,Dario Elder,61,2025-01-09,2025-01-15,emergency,71
"""
WEEKLY = """\
week,month,service,available_beds,patients_request,patients_admitted,patients_refused,patient_satisfaction,staff_morale,event
1,1,emergency,4,10,8,2,80,70,flu
1,1,ICU,2,1,0,1,70,60,flu
2,1,emergency,5,2,2,0,80,70,none
2,1,ICU,2,4,4,0,70,60,strike
"""
STAFF = """\
staff_id,staff_name,role,service
S1,Finn Fir,nurse,emergency
S2,Greta Gorse,Nurse,emergency
S3,Hugo Hazel,doctor,emergency
S4,Ines Ivy,nurse,ICU
"""
SCHEDULE = """\
week,staff_id,staff_name,role,service,present
1,S1,Finn Fir,nurse,emergency,1
1,S2,Greta Gorse,Nurse,emergency,0
1,S3,Hugo Hazel,doctor,emergency,1
2,S1,Finn Fir,nurse,emergency,1
2,S9,Jonas Juniper,nurse,emergency,1
2,S4,Ines Ivy,nurse,ICU,1
"""
FORM = {
    "patients.csv": PATIENTS,
    "services_weekly.csv": WEEKLY,
    "staff.csv": STAFF,
    "staff_schedule.csv": SCHEDULE,
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a folder of the form; a text of None leaves a file out."""

    def _write(**other: str | None) -> Path:
        folder = tmp_path / "form"
        folder.mkdir(exist_ok=True)
        for name, text in (FORM | {f"{stem}.csv": text for stem, text in other.items()}).items():
            (folder / name).unlink(missing_ok=True)
            if text is not None:
                (folder / name).write_text(text, encoding="utf-8")
        return folder

    return _write


def error(folder: Path) -> str:
    with pytest.raises(DataError) as raised:
        HospitalBeds.read(folder)
    return str(raised.value)


def table(text: str, **types: str) -> pd.DataFrame:
    """A table of columns divided by spaces, with a first day of the week."""
    rows = [line.split() for line in text.strip().splitlines()]
    found = pd.DataFrame(rows[1:], columns=pd.Index(rows[0])).replace("?", None)
    found["week_start"] = pd.to_datetime(found["week_start"])
    return found.astype(types)


def test_weeks_and_nurses_are_read_with_their_days(write: Write):
    data = HospitalBeds.read(write())
    numbers = dict.fromkeys(("week", "available_beds", "requests", "admitted", "refused"), "int64")
    assert data.weekly is not None
    expected = """
        service   week week_start available_beds requests admitted refused event
        emergency 1    2025-01-01 4              10       8        2       flu
        emergency 2    2025-01-08 5              2        2        0       none
        icu       1    2025-01-01 2              1        0        1       flu
        icu       2    2025-01-08 2              4        4        0       strike
    """
    pd.testing.assert_frame_equal(data.weekly, table(expected, **numbers), check_dtype=False)
    assert data.nurses is not None
    # S2 is on the roll and absent, S9 is on no roll but in the schedule of week 2, S3 is not a nurse
    expected = """
        service   week week_start nurses_present nurses_on_roll available_beds
        emergency 1    2025-01-01 1              2              4
        emergency 2    2025-01-08 2              3              5
        icu       2    2025-01-08 1              1              2
    """
    numbers = {"week": "int64", "nurses_present": "int64", "nurses_on_roll": "int64", "available_beds": "Int64"}
    pd.testing.assert_frame_equal(data.nurses, table(expected, **numbers), check_dtype=False)
    assert (data.services, data.year, data.last_day) == (["emergency", "icu"], 2025, pd.Timestamp("2025-01-09"))


def test_what_is_a_sample_and_what_was_refused_is_told(write: Write):
    data = HospitalBeds.read(write())
    assert data.admissions.to_dict("index") == {
        "emergency": {"in_file": 3, "admitted": 10, "requests": 12},
        "icu": {"in_file": 1, "admitted": 4, "requests": 5},
    }
    assert data.notes == [
        "in some weeks of services_weekly.csv services have different events; each counts for the whole hospital",
        "patients.csv is a sample of the patients whom services_weekly.csv counts as admitted: emergency 30% "
        "(3 of 10); icu 25% (1 of 4); the scenario all_admitted has all of them",
        "3 of 17 requests (18%) were refused and are not in patients.csv: arrivals ahead are those who would be "
        "admitted; the scenario all_requests has all",
    ]


def test_the_order_of_columns_separator_and_byte_order_mark_do_not_matter(write: Write):
    plain = HospitalBeds.read(write())
    rows = [line.split(",") for line in PATIENTS.splitlines()]
    turned = "\ufeff" + "".join(";".join(reversed(row)) + "\r\n" for row in rows)
    other = HospitalBeds.read(write(patients=turned, services_weekly="\ufeff" + WEEKLY.replace(",", ";")))
    pd.testing.assert_frame_equal(other.arrivals, plain.arrivals)
    assert plain.weekly is not None
    pd.testing.assert_frame_equal(pd.DataFrame(other.weekly), plain.weekly)


def test_names_of_persons_are_in_no_table(write: Write):
    data = HospitalBeds.read(write())
    everything = "".join(
        str(frame.to_csv()) for frame in (data.arrivals, data.weekly, data.nurses) if frame is not None
    )
    assert not any(name in everything for name in ("Ada", "Cedar", "Finn", "Juniper"))


@pytest.mark.parametrize(
    ("left_out", "effect"),
    [
        (["services_weekly"], "beds are unlimited, and refused patients and events are not known"),
        (["staff"], "the nurses on the roll are those of staff_schedule.csv"),
        (["staff_schedule"], "nurses present are not known"),
        (["staff_schedule", "staff"], "nurses present are not known"),
    ],
)
def test_a_folder_without_a_file_reads_on(write: Write, left_out: list[str], effect: str):
    data = HospitalBeds.read(write(**dict.fromkeys(left_out)))
    assert data.notes[0] == f"there is no {left_out[0]}.csv: {effect}"
    assert (data.weekly is None) == ("services_weekly" in left_out)
    assert (data.nurses is None) == ("staff_schedule" in left_out)
    assert len(data.arrivals) == 4


def test_without_the_roll_nurses_are_those_of_the_schedule_and_without_weeks_no_beds_are_known(write: Write):
    data = HospitalBeds.read(write(staff=None, services_weekly=None))
    assert data.nurses is not None
    assert data.nurses["nurses_on_roll"].tolist() == [2, 2, 1]
    assert data.nurses["available_beds"].isna().all()


def test_services_of_one_file_only_and_weeks_without_beds_are_told(write: Write):
    patients = PATIENTS + "P5,X,40,2025-01-22,2025-01-23,Day care,70\n"
    weekly = WEEKLY + "4,1,emergency,6,1,1,0,80,70,none\n4,1,ICU,2,1,1,0,80,70,none\n1,1,surgery,6,1,1,0,80,70,flu\n"
    data = HospitalBeds.read(write(patients=patients, services_weekly=weekly))
    assert data.services == ["emergency", "icu", "day_care"]
    assert data.notes[:3] == [
        "services_weekly.csv has no beds of day_care: beds there are unlimited",
        "patients.csv has no patients of surgery: the hospital has no such ward",
        "services_weekly.csv has no week 3 of emergency, icu: the beds of the week before stay, at first those of the "
        "first week",
    ]


def test_an_event_of_another_name_is_told(write: Write):
    data = HospitalBeds.read(write(services_weekly=WEEKLY.replace("strike", "Festival").replace(",flu", ",")))
    assert data.weekly is not None
    assert data.weekly["event"].tolist() == ["none", "none", "none", "festival"]
    assert data.notes[0] == (
        "services_weekly.csv has events that the form does not name: festival; each counts as an event that is known "
        "ahead, like a strike"
    )


def test_patients_of_other_years_and_more_patients_than_admitted_are_told(write: Write):
    weekly = WEEKLY.replace("emergency,4,10,8,2", "emergency,4,10,1,2")
    early = PATIENTS + "P5,X,40,2024-12-31,2025-01-02,ICU,70\n"
    data = HospitalBeds.read(write(patients=early, services_weekly=weekly))
    assert data.notes[0].startswith(
        "1 of 5 patients arrived in another year than 2025, in which most did: weeks are of"
    )
    assert data.admissions["in_file"].tolist() == [3, 1]
    weekly = WEEKLY.replace("emergency,4,10,8,2", "emergency,4,10,0,2")
    notes = HospitalBeds.read(write(services_weekly=weekly)).notes
    assert "patients.csv has more patients of emergency than services_weekly.csv counts as admitted" in notes
    assert "in 1 of 4 rows of services_weekly.csv requests are not admitted plus refused" in notes


def test_a_row_without_a_day_is_told_and_many_are_an_error(write: Write):
    many = "".join(f"P{n},X,40,2025-01-0{n % 9 + 1},2025-01-20,ICU,70\n" for n in range(100, 200))
    data = HospitalBeds.read(write(patients=PATIENTS.replace("2025-01-07,", "soon,") + many))
    assert (
        "1 of 104 rows of patients.csv have no arrival_date such as 2025-03-01, or no service; the first is line 3"
        in (data.notes)
    )
    assert len(data.arrivals) == 103
    assert error(write(patients=PATIENTS.replace("2025-01-07,", "soon,"))) == (
        "patients.csv: 1 of 4 rows have no arrival_date such as 2025-03-01, or no service; the first is line 3"
    )


def test_the_same_row_twice_counts_once_and_other_numbers_are_an_error(write: Write):
    again = HospitalBeds.read(write(services_weekly=WEEKLY + "1,1,emergency,4,10,8,2,99,99,flu\n"))
    assert again.weekly is not None
    assert len(again.weekly) == 4
    assert error(write(services_weekly=WEEKLY + "1,1,Emergency,6,10,8,2,80,70,flu\n")) == (
        "services_weekly.csv, lines 2 and 6: week 1 of emergency appears twice with different numbers; keep one of them"
    )
    data = HospitalBeds.read(write(staff_schedule=SCHEDULE + "1,S1,Finn Fir,nurse,emergency,1\n"))
    assert data.nurses is not None
    assert data.nurses["nurses_present"].tolist() == [1, 2, 1]


BEDS = "allowed: a whole number from 0 to 10,000"


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("services_weekly", "emergency,4,", "emergency,four,", f", line 2: available_beds: found 'four', {BEDS}"),
        ("services_weekly", "emergency,4,", "emergency,,", f", line 2: available_beds: found '', {BEDS}"),
        ("services_weekly", "emergency,4,", "emergency,4.5,", f", line 2: available_beds: found '4.5', {BEDS}"),
        (
            "services_weekly", "ICU,2,1,0", "ICU,2,-1,0",
            ", line 3: patients_request: found '-1', allowed: a whole number from 0 to 1,000,000",
        ),
        (
            "services_weekly", "\n2,1,ICU", "\n54,1,ICU",
            ", line 5: week: found '54', allowed: a whole number from 1 to 53",
        ),
        ("services_weekly", "2,1,ICU", "2,1, ", ", line 5: service: found '', allowed: the name of a service"),
        (
            "services_weekly", "available_beds", "beds_available",
            ": needs the column 'available_beds' once (did you mean 'beds_available'?); required: week, service, "
            "available_beds, patients_request, patients_admitted, patients_refused, event; found: week, month, "
            "service, beds_available, patients_request, patients_admitted, patients_refused, patient_satisfaction, "
            "staff_morale, event",
        ),
        ("services_weekly", ",strike\n", "\n", ", line 5: has 9 cells, but the header has 10 columns"),
        (
            "staff_schedule", "emergency,0", "emergency,Greta Gorse",
            ", line 3: present: allowed: a whole number from 0 to 1",
        ),
        ("patients", PATIENTS.split("\n", 1)[1], "", ": has columns, but not a single row; export it again"),
        (
            "patients", "service,", "ward,",
            ": needs the column 'service' once; required: patient_id, arrival_date, departure_date, service; found: "
            "patient_id, name, age, arrival_date, departure_date, ward, satisfaction",
        ),
    ],
)  # fmt: skip
def test_bad_cells_are_named_by_line_with_what_is_allowed(write: Write, file: str, old: str, new: str, message: str):
    text = FORM[f"{file}.csv"]
    assert old in text
    assert error(write(**{file: text.replace(old, new, 1)})) == f"{file}.csv{message}"


def test_what_is_no_folder_of_the_form_is_an_error(write: Write, tmp_path: Path):
    names = "patients.csv, services_weekly.csv, staff.csv, staff_schedule.csv"
    folder = write(patients=None)
    required = f"required: a folder of the hospital-beds form, with {names}"
    assert error(folder) == f"{folder}: has no patients.csv; {required}"
    assert error(tmp_path / "nowhere") == f"{tmp_path / 'nowhere'}: is not a folder; {required}"
    assert error(write(patients="")).startswith("patients.csv: is empty")
    (folder / "patients.csv").write_bytes(PATIENTS.replace("ICU", "Réa").encode("cp1252"))
    assert error(folder) == "patients.csv: is not text in UTF-8; save it again as CSV UTF-8"
    (folder / "patients.csv").write_bytes(b"PK\x03\x04" + b" sheet")
    assert error(folder).startswith("patients.csv: is an Excel workbook")


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ("ICU", "icu"),
        ("general_medicine", "general_medicine"),
        ("Ear, Nose & Throat", "ear_nose_throat"),
        ("Réanimation", "reanimation"),
        ("急诊", "u6025_u8bca"),
        ("?", "service"),
        ("x" * 80, "x" * 60),
    ],
)
def test_the_id_of_a_service(service: str, expected: str):
    assert service_id(service) == expected


def test_rates_are_scaled_to_all_admitted_patients_where_the_file_has_a_sample(write: Write):
    rates = pd.DataFrame({"stream_id": ["emergency", "icu", "day_care"], "rate": [3.0, 1.0, 2.0], "mean_rate": 1.0})
    scaled = HospitalBeds.read(write()).all_admitted(rates)
    assert scaled["rate"].tolist() == [10.0, 4.0, 2.0]  # 3 of 10 and 1 of 4 are in the file, day_care is in no week
    assert scaled["mean_rate"].tolist() == [pytest.approx(10 / 3), 4.0, 1.0]
    alone = HospitalBeds.read(write(services_weekly=None)).all_admitted(rates)
    pd.testing.assert_frame_equal(alone, rates)
