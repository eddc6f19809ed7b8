"""Extracts become patients, ward stays and rejects: exact examples, and the laws of what is visible at as_of."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.records import Records
from tests.support.small_extracts import read_records

pytestmark = pytest.mark.unit

HEADER = "id,name,came,went,unit\n"
TIMES = HEADER + (
    "1,Anna Secret,2024-06-01 08:00:00,2024-06-03 09:30:00,acute\n"
    "2,Bob Secret,2024-06-02 22:15:00,,acute\n"
    "3,Cy Secret,2024-06-04 07:00:00,2024-06-20 10:00:00,plan\n"
)


def by_arrival(records: Records) -> pd.DataFrame:
    return records.patients.sort_values("arrival", ignore_index=True)


def test_patients_are_cut_at_as_of(read):
    patients = by_arrival(read(TIMES, as_of="2024-06-10"))
    assert patients["arrival"].tolist() == [
        pd.Timestamp("2024-06-01 08:00"), pd.Timestamp("2024-06-02 22:15"), pd.Timestamp("2024-06-04 07:00"),
    ]  # fmt: skip
    assert patients["departure"].isna().tolist() == [False, True, True]  # the third leaves after as_of
    assert patients["departure_known"].all()
    assert patients["stream_id"].tolist() == ["emergency", "emergency", "elective"]
    assert patients["patient_type"].tolist() == ["acute", "acute", "planned"]
    assert set(patients["resolution"]) == {"second"}
    assert patients["patient_id"].str.fullmatch("[0-9a-f]{16}").all()


def test_one_whole_stay_each_without_an_extract_of_moves(read):
    stays = read(TIMES, as_of="2024-06-10").ward_stays.sort_values("admit", ignore_index=True)
    assert stays["ward_id"].tolist() == ["ed", "ed", "bed"]
    assert stays["whole_stay"].all()
    assert (stays["request"] == stays["admit"]).all()
    assert stays["next_ward_id"].fillna("?").tolist() == ["_home", "?", "?"]


def test_without_as_of_the_latest_arrival_day_is_partial(read):
    records = read(TIMES)
    assert records.as_of == pd.Timestamp("2024-06-04")
    assert len(records.patients) == 2


def test_complete_through_decides_as_of(read):
    assert read(TIMES, complete_through="2024-06-04").as_of == pd.Timestamp("2024-06-05")


def test_arrivals_after_today_are_rejected_unless_as_of_is_given(read):
    text = TIMES + "4,Di Secret,2031-01-01 00:00:00,,acute\n"
    records = read(text)
    assert records.as_of == pd.Timestamp("2024-06-04")
    assert records.patient_rejects["reason"].tolist() == ["arrival lies in the future"]
    assert read(text, as_of="2024-06-10").patient_rejects.empty


REJECTED = [
    (",X,2024-06-01,2024-06-02,acute", "missing id", "id", None),
    ("NA,X,2024-06-01,2024-06-02,acute", "missing id", "id", None),
    ("7,X,,2024-06-02,acute", "missing arrival", "came", None),
    ("7,X,2024-02-30,2024-06-02,acute", "unparseable arrival", "came", "2024-02-30"),
    ("7,X,Jan Secret,2024-06-02,acute", "unparseable arrival", "came", "xxx xxxxxx"),
    ("7,X,BSN 123456782,2024-06-02,acute", "unparseable arrival", "came", "xxx 999999999"),
    ("7,X,2024-06-02,2024-06-03,dental", "unknown service", "unit", "xxxxxx"),
    ("7,X,2024-06-02,2024-06-03,Ann Example 12", "unknown service", "unit", "xxx xxxxxxx 99"),
    ("7,X,2024-06-02,2024-06-03,Acute", "unknown service", "unit", "Acute"),
    ("7,X,2024-06-02,2024-06-03,", "unknown service", "unit", None),
    ("7,Secret, Anna,2024-06-02,2024-06-03,acute", "wrong number of fields", "id", "6 fields"),
]


@pytest.mark.parametrize(("line", "reason", "field", "value"), REJECTED)
def test_impossible_rows_are_rejected(read, line, reason, field, value):
    records = read(HEADER + "1,X,2024-06-01,2024-06-02,acute\n" + line + "\n", as_of="2024-06-10")
    assert len(records.patients) == 1
    reject = records.patient_rejects.iloc[0]
    assert (reject["extract"], reject["row"], reject["reason"], reject["field"]) == ("patients", 3, reason, field)
    assert (None if pd.isna(reject["value"]) else reject["value"]) == value


def test_a_name_that_many_rows_have_is_stored_as_it_is(read):
    rows = "".join(f"{n},X,2024-06-01,,dental\n" for n in range(5))
    assert set(read(HEADER + "a,X,2024-06-01,,acute\n" + rows, as_of="2024-06-10").patient_rejects["value"]) == {
        "dental"
    }


def test_lines_are_those_of_the_file(read):
    text = 'id,name,came,went,unit\n1,"two\nlines",2024-06-01,,acute\n\n2,X,soon,,acute\n3,X\n4,X,,,acute'
    assert read(text, as_of="2024-06-10").patient_rejects["row"].tolist() == [5, 6, 7]


MISSING = ["", "NA", "None", "NaN", "nan", "NaT", r"\N", "-", "NULL", "1900-01-01", "1900-01-01 00:00:00", "0001-01-01",
           "9999-12-31", "31/12/9999", "1970-01-01", "2199-01-01"]  # fmt: skip


@pytest.mark.parametrize("departure", MISSING)
def test_what_means_no_departure_yet_leaves_the_patient_in_the_hospital(read, departure):
    records = read(TIMES + f"9,X,2024-06-05 10:00,{departure},acute\n", as_of="2024-06-10")
    patient = by_arrival(records).iloc[-1]
    assert (patient["arrival"], patient["departure_known"]) == (pd.Timestamp("2024-06-05 10:00"), True)
    assert pd.isna(patient["departure"])
    assert records.patient_rejects.empty


def test_a_missing_departure_is_counted_where_it_is_not_empty(read):
    warning = read(TIMES + "9,X,2024-06-05 10:00,NA,acute\n8,X,2024-06-05 11:00,,acute\n", as_of="2024-06-10").warnings
    assert warning == ("extract.csv: departures mean that there is none yet (patients.missing): 1, for example line 5",)


@pytest.mark.parametrize("missing", [["(blank)"], ["(blank)", "01/01/1753"], ["(blank)", "1753-01-01"]])
def test_the_config_says_what_is_missing(read, missing):
    records = read(TIMES + "9,X,2024-06-05 10:00,(blank),acute\n", as_of="2024-06-10", missing=missing)
    assert by_arrival(records)["departure"].isna().tolist() == [False, True, True, True]
    assert by_arrival(records)["departure_known"].all()
    with_none = read(TIMES, as_of="2024-06-10", missing=[])
    pd.testing.assert_frame_equal(with_none.patients, read(TIMES, as_of="2024-06-10").patients)


@pytest.mark.parametrize("departure", ["soon", "2024-02-30", "2024-06-04"])
def test_a_departure_that_cannot_be_right_does_not_lose_the_arrival(read, departure):
    records = read(TIMES + f"9,X,2024-06-05 10:00,{departure},acute\n", as_of="2024-06-10")
    patient = by_arrival(records).iloc[-1]
    assert patient["arrival"] == pd.Timestamp("2024-06-05 10:00")
    assert not patient["departure_known"]
    assert pd.isna(patient["departure"])
    assert "departed at an unknown time (line 5" in records.warnings[0]


def test_departures_that_cannot_be_right_count_towards_max_reject_share(read):
    with pytest.raises(DataError, match=r"departure cannot be right: 1, for example line 5, went = 'xxxx'"):
        read(TIMES + "9,X,2024-06-05 10:00,soon,acute\n", as_of="2024-06-10", max_reject_share=0.2)


def test_a_column_says_who_is_still_in_the_hospital(read):
    text = "id,came,went,unit,status\n" + (
        "1,2024-06-01 08:00,2024-06-03 08:00,acute,gone\n"
        "2,2024-06-01 09:00,2024-06-04 08:00,acute,here\n"  # only expected
        "3,2024-06-01 10:00,,acute,gone\n"
    )
    records = read(text, as_of="2024-06-10", still_patient={"column": "status", "values": ["here"]})
    patients = by_arrival(records)
    assert patients["departure"].isna().tolist() == [False, True, True]
    assert patients["departure_known"].tolist() == [True, True, False]
    assert len(records.warnings) == 2


RUNNING = TIMES + "9,X,2024-06-05 10:00,2024-06-20 10:00:00,acute\n"


def test_a_departure_on_the_last_moment_of_the_extract_may_mean_still_here(read):
    there = by_arrival(read(RUNNING, as_of="2024-06-21", running_until="extract_date"))
    assert there["departure"].isna().tolist() == [False, True, True, True]
    records = read(RUNNING, as_of="2024-06-21")
    assert by_arrival(records)["departure"].isna().tolist() == [False, True, False, False]
    assert [warning for warning in records.warnings if "running_until: extract_date" in warning and ": 2," in warning]


def test_a_mistyped_year_does_not_tell_how_far_the_extract_reaches(read):
    text = RUNNING + "8,X,2031-06-05 10:00,2031-06-06 10:00,acute\n"
    there = by_arrival(read(text, as_of="2024-06-21", running_until="extract_date"))
    assert there["departure"].isna().tolist() == [False, True, True, True]
    with pytest.raises(DataError, match=r"lies beyond the data: the last arrival is of 2024-05-28"):
        read(MANY + "8,X,2031-06-05 10:00,,acute\n", complete_through="2024-06-25")


def test_a_person_who_was_diverted_and_comes_again_is_no_visit_without_an_end(read):
    text = "id,came,went,unit,fate\n1,2024-06-01 08:00,,acute,diverted\n1,2024-06-02 08:00,,acute,admitted\n"
    columns = {"patient_id": "id", "arrival": "came", "departure": "went", "service": "unit", "outcome": "fate"}
    records = read(text, as_of="2024-06-05", columns=columns)
    assert records.warnings == ()
    assert records.patients["departure_known"].all()


def test_a_quotation_mark_within_a_cell_of_a_ragged_row_is_a_reject_of_that_row(read):
    text = TIMES + '4,Jo 5" X,2024-06-02 08:00:00\n5,X,2024-06-02 09:00:00,,acute\n'
    records = read(text, as_of="2024-06-10")
    assert records.patient_rejects[["row", "reason"]].to_numpy().tolist() == [[5, "wrong number of fields"]]
    assert len(records.patients) == 4


def test_of_two_rows_of_one_visit_the_one_with_a_departure_stays(read):
    records = read(HEADER + "77,X,2024-06-01,,acute\n77,X,2024-06-01,2024-06-03,acute\n", as_of="2024-06-10")
    assert records.patients["departure"].dt.normalize().tolist() == [pd.Timestamp("2024-06-03")]
    assert records.patient_rejects[["row", "reason", "value"]].to_numpy().tolist() == [[2, "duplicate", "as in line 3"]]


def test_a_person_may_come_again(read):
    text = HEADER + "7,X,2024-06-01 08:00,2024-06-02 08:00,acute\n7,X,2024-06-05 08:00,,acute\n"
    records = read(text, as_of="2024-06-10")
    assert records.patients["patient_id"].is_unique
    assert by_arrival(records)["departure"].isna().tolist() == [False, True]
    assert records.warnings == ()


def test_a_visit_without_departure_before_another_one_ended_at_an_unknown_time(read):
    text = HEADER + "7,X,2024-06-01 08:00,,acute\n7,X,2024-06-05 08:00,,acute\n"
    records = read(text, as_of="2024-06-10")
    assert by_arrival(records)["departure_known"].tolist() == [False, True]
    assert "followed by another visit of the same id" in records.warnings[0]


MANY = HEADER + "".join(f"{n},X,2024-05-{1 + n % 28:02} 08:00,2024-05-{1 + n % 28:02} 20:00,acute\n" for n in range(60))


@pytest.mark.parametrize("arrival", ["1900-01-01", "2007-05-03 10:00"])
def test_an_arrival_long_before_all_others_is_set_aside(read, arrival):
    records = read(MANY + f"99,X,{arrival},2024-05-04,acute\n", as_of="2024-06-10")
    assert records.patient_rejects[["row", "reason"]].to_numpy().tolist() == [[62, "arrival long before all others"]]
    assert records.patients["arrival"].min() == pd.Timestamp("2024-05-01 08:00")


def test_rows_left_out_after_as_of_are_told(read):
    warnings = read(MANY, as_of="2024-05-20").warnings
    assert warnings == ("extract.csv: rows lie at or after as_of 2024-05-20 and are left out: 18, for example line 21",)


def test_complete_through_beyond_the_data_is_refused_with_the_last_date(read):
    for day in ("2024-06-20", "2199-01-01"):
        with pytest.raises(
            DataError, match=rf"complete_through {day} lies beyond the data: the last arrival is of 2024-05-28"
        ):
            read(MANY, complete_through=day)
    assert read(MANY, complete_through="2024-05-31").as_of == pd.Timestamp("2024-06-01")


def test_swapped_columns_are_recognised(read):
    columns = {"patient_id": "id", "arrival": "went", "departure": "came", "service": "unit"}
    with pytest.raises(
        DataError, match=r"columns\.arrival \('went'\) and columns\.departure \('came'\) seem to be swapped"
    ):
        read(MANY, as_of="2024-06-10", columns=columns)


def test_other_maps_every_service_that_is_not_listed(read):
    records = read(HEADER + "1,X,2024-06-01,,dental\n2,X,2024-06-01,,acute\n", as_of="2024-06-10", other="elective")
    assert sorted(records.patients["stream_id"]) == ["elective", "emergency"]
    assert any("that patients.streams does not list; they count as elective" in warning for warning in records.warnings)


def test_too_many_rejects_stop_the_run_with_reasons_counts_and_remedy(read):
    text = HEADER + "1,X,2024-06-01,,acute\n2,X,2024-06-02,,dental\n3,X,2024-06-02,,dental\n4,X,soon,,acute\n"
    with pytest.raises(DataError) as caught:
        read(text, as_of="2024-06-10", max_reject_share=0.5)
    assert str(caught.value).splitlines() == [
        "extract.csv: 3 of 4 rows (75.0%) cannot be used, more than max_reject_share allows (50.0%):",
        "  unknown service: 2, for example line 3, unit = 'xxxxxx'; 'xxxxxx' 2",
        "  unparseable arrival: 1, for example line 5, came = 'xxxx'",
        "Remedy: map the service to a stream in patients.streams, or all others in patients.other; "
        "name the format in patients.date_format; correct the rows, or raise max_reject_share",
    ]


def test_max_reject_share_is_of_the_whole_extract_at_past_origins_too(read):
    text = MANY + "98,X,2024-05-01,,dental\n"
    assert len(read(text, as_of="2024-05-02", max_reject_share=0.02).patient_rejects) == 1  # of 4 visible rows


def test_outcomes_are_those_known_at_as_of(read):
    text = "id,came,went,unit,fate\n" + "\n".join(
        [
            "1,2024-06-01 08:00,2024-06-02 08:00,acute,Admitted",
            "2,2024-06-01 09:00,,acute,waiting",
            "3,2024-06-01 10:00,,acute,diverted",
            "4,2024-06-01 11:00,2024-06-01 15:00,acute,left",
            "5,2024-06-01 12:00,2024-06-09 15:00,acute,left",  # waits at as_of
            "6,2024-06-01 13:00,2024-06-01 14:00,acute,waiting",  # departed without a bed
            "7,2024-06-01 14:00,,acute,vanished",
        ]
    )
    columns = {"patient_id": "id", "arrival": "came", "departure": "went", "service": "unit", "outcome": "fate"}
    records = read(text, as_of="2024-06-05", columns=columns)
    outcomes = by_arrival(records)["outcome"].tolist()
    assert outcomes == ["admitted", "waiting", "diverted", "left", "waiting", "left"]
    assert records.patient_rejects["reason"].tolist() == ["unknown outcome"]
    assert records.ward_stays["ward_id"].notna().sum() == 1
    assert len(records.ward_stays) == 3


def test_a_missing_departure_may_be_unknown(read):
    assert by_arrival(read(TIMES, as_of="2024-06-10", missing_departure="unknown"))["departure_known"].tolist() == [
        True, False, False,
    ]  # fmt: skip


def test_a_patient_open_for_longer_than_max_open_days_departed_at_an_unknown_time(read):
    assert by_arrival(read(TIMES, as_of="2024-06-10", max_open_days=7.0))["departure_known"].tolist() == [
        True, False, True,
    ]  # fmt: skip


def test_offsets_become_local_wall_time_and_stays_keep_their_length(read):
    text = HEADER + "1,X,2024-03-31T00:30:00Z,2024-03-31T01:30:00Z,acute\n2,X,2024-06-01T10:00:00+0000,,acute\n"
    patients = by_arrival(read(text, as_of="2024-06-10"))
    assert patients["arrival"].tolist() == [pd.Timestamp("2024-03-31 01:30"), pd.Timestamp("2024-06-01 12:00")]
    assert patients["departure"].iloc[0] == pd.Timestamp("2024-03-31 02:30")  # one hour, across a clock change


def test_a_date_format_reads_other_stamps(read):
    text = HEADER + "1,X,03/06/2024 08:15,04/06/2024 10:00,acute\n"
    patients = read(text, as_of="2024-06-10", date_format="%d/%m/%Y %H:%M").patients
    assert patients["arrival"].tolist() == [pd.Timestamp("2024-06-03 08:15")]


def test_resolution_is_decided_by_row_and_by_column(read):
    rows = read(HEADER + "1,X,2024-06-01,,acute\n2,X,2024-06-02 10:30,,acute\n", as_of="2024-06-10")
    assert by_arrival(rows)["resolution"].tolist() == ["day", "second"]
    column = read(HEADER + "1,X,2024-06-01 00:00,,acute\n2,X,2024-06-02 00:00,,acute\n", as_of="2024-06-10")
    assert set(column.patients["resolution"]) == {"day"}


def test_no_data_before_as_of_names_their_span(read):
    with pytest.raises(DataError, match=r"nothing before as_of 2024-01-01: arrivals run from 2024-06-01 to 2024-06-04"):
        read(TIMES, as_of="2024-01-01")


days = st.dates(pd.Timestamp("2024-05-01").date(), pd.Timestamp("2024-06-20").date())
cells = st.tuples(
    st.sampled_from(["", "1", "2", "3", "4", "5", "6", "7"]),
    st.one_of(days.map(str), st.sampled_from(["", "soon", "2024-05-03 10:20", "2031-01-01"])),
    st.one_of(days.map(str), st.sampled_from(["", "never", "2024-05-03 10:25", "9999-12-31"])),
    st.sampled_from(["acute", "plan", "dental", ""]),
)
tables = st.lists(cells, min_size=1, max_size=25)
Rows = list[tuple[str, str, str, str]]
ANCHOR = ("anchor", "2024-05-01", "2024-05-02", "acute")
AS_OF = "2024-06-01"


def as_text(rows: Rows) -> str:
    return HEADER + "".join(f"{i},Secret Name,{came},{went},{unit}\n" for i, came, went, unit in [ANCHOR, *rows])


def invisible(row: tuple[str, str, str, str]) -> bool:
    return "2024-06-01" <= row[1] <= "2031-12-31"  # "soon" and "" sort outside


def every_row_is_a_patient_a_reject_or_not_yet_visible(records: Records, rows: Rows) -> None:
    hidden = sum(invisible(row) for row in rows)
    assert len(records.patients) + len(records.patient_rejects) + hidden == len(rows) + 1


def names_reach_no_frame(records: Records, rows: Rows) -> None:
    for frame in (records.patients, records.patient_rejects, records.ward_stays):
        assert "Secret" not in frame.to_csv()


def imputed_times_stay_on_their_day_and_in_order(records: Records, rows: Rows) -> None:
    patients = records.patients
    assert (patients["arrival"].dt.normalize() < pd.Timestamp(AS_OF)).all()
    departed = patients[patients["departure"].notna()]
    assert (departed["departure"] >= departed["arrival"]).all()
    written = {(came[:10], went[:10]) for _, came, went, _ in [ANCHOR, *rows]}
    assert {
        (f"{a:%Y-%m-%d}", f"{d:%Y-%m-%d}") for a, d in zip(departed["arrival"], departed["departure"], strict=True)
    } <= written
    assert (patients["arrival"] == patients["arrival"].dt.floor("s")).all()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=tables, poison=st.sampled_from(["1999-01-01", "never", ""]))
def test_laws_of_an_extract_and_rows_at_or_after_as_of_change_nothing(read, rows: Rows, poison: str):
    before = read(as_text(rows), as_of=AS_OF)
    every_row_is_a_patient_a_reject_or_not_yet_visible(before, rows)
    names_reach_no_frame(before, rows)
    imputed_times_stay_on_their_day_and_in_order(before, rows)
    other = [(i, came, poison, "dental") if invisible((i, came, went, unit))
             else (i, came, "" if went >= "2024-06-01" and went[0] in "29" else went, unit)
             for i, came, went, unit in rows]  # fmt: skip
    after = read(as_text(other), as_of=AS_OF)
    pd.testing.assert_frame_equal(after.patients, before.patients)
    pd.testing.assert_frame_equal(after.ward_stays, before.ward_stays)
    pd.testing.assert_frame_equal(after.patient_rejects, before.patient_rejects)
    removed = read(as_text([row for row in rows if not invisible(row)]), as_of=AS_OF)
    pd.testing.assert_frame_equal(removed.patients, before.patients)
    assert removed.patient_rejects["reason"].tolist() == before.patient_rejects["reason"].tolist()


def test_hours_follow_the_profiles_and_do_not_depend_on_other_rows(read):
    rows = [(str(n), "2024-05-06", "2024-05-08", "acute") for n in range(2000)]
    patients = read(as_text(rows), as_of=AS_OF, discharge_profile=(0,) * 10 + (1, 3) + (0,) * 12).patients
    hours = patients["departure"].dt.hour.value_counts(normalize=True)
    assert set(hours.index) == {10, 11}
    assert hours[11] == pytest.approx(0.75, abs=0.05)
    assert patients["arrival"].dt.hour.value_counts(normalize=True).max() < 0.07  # a flat day
    alone = read(as_text(rows[5:6]), as_of=AS_OF, discharge_profile=(0,) * 10 + (1, 3) + (0,) * 12).patients
    merged = alone.merge(patients, on="patient_id")
    assert (merged["arrival_x"] == merged["arrival_y"]).all()
    assert (merged["departure_x"] == merged["departure_y"]).all()


def test_a_departure_of_a_known_minute_bounds_an_arrival_of_a_day(read):
    rows = "".join(f"{n},X,2024-05-06,2024-05-06 09:30,acute\n" for n in range(50))
    patients = read(HEADER + rows, as_of=AS_OF).patients
    assert (patients["arrival"] <= pd.Timestamp("2024-05-06 09:30")).all()
    assert len(patients) == 50


def test_the_shipped_sample_is_read_as_its_config_says():
    from kaizar_pipeline.config.files import load_hospital_config

    root = Path(__file__).parents[2]
    config = load_hospital_config(root / "hospital_configs" / "hospital_2.yml")
    records = read_records(config, root, pd.Timestamp("2026-11-24"))
    assert records.as_of == pd.Timestamp("2026-11-01")
    assert records.patient_rejects["reason"].value_counts().to_dict() == {
        "unparseable arrival": 2,
        "duplicate": 1,
        "unknown service": 2,
    }
    assert len(records.patients) == 18_296
    present = records.patients["departure"].isna().sum()
    assert 60 < present < 110  # about 101 beds


class TestServicesThatAreLeftOut:
    TEXT = (
        TIMES
        + "4,D,2024-06-02 08:00:00,2024-06-03 09:30:00,spa\n" * 1
        + "".join(f"{n},E,2024-06-02 08:00:00,2024-06-03 09:30:00,clinic\n" for n in range(10, 40))
    )

    def test_named_ones_are_neither_patients_nor_rejects(self, read):
        records = read(self.TEXT, ignore=["clinic"], max_reject_share=0.3, as_of="2024-06-10")
        assert len(records.patients) == 3
        assert records.patient_rejects["value"].tolist() == ["xxx"]
        assert records.ignored == {"clinic": 30}

    def test_a_star_means_all_others_and_rare_ones_are_not_shown(self, read):
        records = read(self.TEXT, ignore=["*"], max_reject_share=0.0, as_of="2024-06-10")
        assert len(records.patients) == 3
        assert records.patient_rejects.empty
        assert records.ignored == {"clinic": 30, "rare services": 1}

    def test_their_ward_stays_are_left_out_too(self, read, tmp_path: Path):
        (tmp_path / "stays.csv").write_text(
            "id,ward,in,out\n10,ed,2024-06-02 08:00,2024-06-03 09:30\n1,ed,2024-06-01 08:00,2024-06-03 09:30\n"
        )
        columns = {"patient_id": "id", "ward": "ward", "admit": "in", "depart": "out"}
        stays = {"path": "stays.csv", "columns": columns}
        records = read(self.TEXT, ignore=["*"], max_reject_share=0.0, as_of="2024-06-10", stays=stays)
        assert records.patient_rejects.empty
        assert len(records.ward_stays[~records.ward_stays["admit"].isna()]) == 1
