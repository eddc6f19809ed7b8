"""Ward stays from an extract of moves: order, visible rows, and rejects."""

import pandas as pd
import pytest

from kaizar_pipeline.errors import DataError

pytestmark = pytest.mark.unit

PATIENTS = (
    "id,came,went,unit\n"
    "1,2024-06-01 08:00,2024-06-05 10:00,acute\n"
    "2,2024-06-01 09:00,,acute\n"
    "3,2024-06-09 23:00,,acute\n"
)
MOVES = [
    "1,A&E,2024-06-01 08:30,2024-06-01 12:00",
    "1,Bay,2024-06-01 13:00,2024-06-05 10:00",
    "2,A&E,2024-06-01 09:00,2024-06-01 11:00",
    "2,Bay,2024-06-01 11:00,",
    "3,A&E,2024-06-10 02:00,",  # not yet visible
]
STAYS = {
    "path": "moves.csv",
    "columns": {"patient_id": "id", "ward": "where", "admit": "in", "depart": "out"},
    "wards": {"A&E": "ed", "Bay": "bed"},
}


@pytest.fixture
def read_moves(read, tmp_path):
    def read_moves(moves: list[str], **patients):
        (tmp_path / "moves.csv").write_text("\n".join(["id,where,in,out", *moves]), encoding="utf-8")
        return read(PATIENTS, as_of="2024-06-10", stays=STAYS, **patients)

    return read_moves


def test_moves_are_ordered_and_the_next_bed_is_requested_when_the_last_is_left(read_moves):
    records = read_moves(MOVES)
    arrivals = records.patients.set_index("patient_id")["arrival"]
    stays = records.ward_stays.assign(order=records.ward_stays["patient_id"].map(arrivals))
    stays = stays.sort_values(["order", "stay_no"], ignore_index=True)
    assert stays["ward_id"].fillna("?").tolist() == ["ed", "bed", "ed", "bed", "?"]
    assert stays["stay_no"].tolist() == [0, 1, 0, 1, 0]
    assert stays["next_ward_id"].fillna("?").tolist() == ["bed", "_home", "bed", "?", "?"]
    assert stays["request"].dt.strftime("%d %H:%M").tolist() == [
        "01 08:00", "01 12:00", "01 09:00", "01 11:00", "09 23:00",
    ]  # fmt: skip
    assert not stays["whole_stay"].any()
    assert stays["planned_ward_id"].iloc[-1] == "ed"
    assert records.patients.set_index("arrival").loc["2024-06-09 23:00", "outcome"] == "waiting"


@pytest.mark.parametrize(
    ("move", "reason"),
    [
        ("2,Attic,2024-06-02 09:00,2024-06-02 10:00", "unknown ward"),
        ("9,Bay,2024-06-02 09:00,2024-06-02 10:00", "unknown patient"),
        ("1,Bay,soon,", "unparseable admission"),
        ("1,Bay,2024-06-02 09:00,later", "unparseable departure"),
        ("1,Bay,2024-06-04 09:00,2024-06-04 08:00", "departure before admission"),
        ("1,Bay,2024-06-01 07:00,2024-06-01 07:30", "admission before arrival"),
        ("1,Bay,2024-06-06 09:00,2024-06-06 10:00", "admission after departure"),
        ("1,Bay,2024-06-02,2024-06-02 10:00", "admission without a time of day"),
        (",Bay,2024-06-02 09:00,2024-06-02 10:00", "missing id"),
        ("1,Bay,2024-06-02 09:00", "wrong number of fields"),
    ],
)
def test_impossible_moves_are_rejected(read_moves, move, reason):
    records = read_moves([*MOVES, move])
    assert records.patient_rejects[["extract", "row", "reason"]].to_numpy().tolist() == [["stays", 7, reason]]
    pd.testing.assert_frame_equal(records.ward_stays, read_moves(MOVES).ward_stays)


class TestEndsOfCare:
    """`columns.ready` says when care in a ward ended; what follows is waiting."""

    def read(self, read, tmp_path, ready: list[str], ward: dict | None = None):
        rows = [f"{move},{cell}" for move, cell in zip(MOVES, [*ready, *[""] * 5], strict=False)]
        (tmp_path / "moves.csv").write_text("\n".join(["id,where,in,out,done", *rows]), encoding="utf-8")
        stays = STAYS | {"columns": {**STAYS["columns"], "ready": "done"}}
        return read(PATIENTS, as_of="2024-06-10", stays=stays, ward=ward)

    def told(self, records, arrival: str = "2024-06-01 08:00") -> list[list[str]]:
        id_ = records.patients.set_index("arrival").loc[arrival, "patient_id"]
        stays = records.ward_stays[records.ward_stays["patient_id"] == id_].sort_values("stay_no")
        return (
            stays[["request", "ready", "depart"]].apply(lambda times: times.dt.strftime("%d %H:%M")).to_numpy().tolist()
        )

    def test_care_ends_before_the_wait_for_the_next_ward(self, read, tmp_path):
        records = self.read(read, tmp_path, ["2024-06-01 10:30"])
        assert self.told(records) == [["01 08:00", "01 10:30", "01 12:00"], ["01 10:30", "05 10:00", "05 10:00"]]
        assert not records.warnings

    @pytest.mark.parametrize("cell", ["soon", "2024-06-01", "2024-06-01 08:00", "2024-06-01 12:30"])
    def test_an_end_that_cannot_be_right_is_that_of_the_stay(self, read, tmp_path, cell):
        records = self.read(read, tmp_path, [cell])
        assert self.told(records)[0] == ["01 08:00", "01 12:00", "01 12:00"]
        assert any("ends of care cannot be read" in warning for warning in records.warnings)

    def test_who_goes_home_is_in_care_until_then(self, read, tmp_path):
        records = self.read(read, tmp_path, ["", "2024-06-05 08:00"])
        assert self.told(records)[1] == ["01 12:00", "05 10:00", "05 10:00"]

    def test_unless_the_ward_has_a_discharge_delay(self, read, tmp_path):
        delay = {"discharge_delay": {"type": "exponential", "params": {"mean": 2}}}
        stays = [*MOVES[:1], "1,A&E,2024-06-01 13:00,2024-06-05 10:00", *MOVES[2:]]
        rows = [f"{move},{cell}" for move, cell in zip(stays, ["", "2024-06-05 08:00", "", "", ""], strict=True)]
        (tmp_path / "moves.csv").write_text("\n".join(["id,where,in,out,done", *rows]), encoding="utf-8")
        extract = STAYS | {"columns": {**STAYS["columns"], "ready": "done"}}
        records = read(PATIENTS, as_of="2024-06-10", stays=extract, ward=delay)
        assert self.told(records)[-1][1:] == ["05 08:00", "05 10:00"]

    def test_the_care_of_an_open_stay_goes_on(self, read, tmp_path):
        records = self.read(read, tmp_path, ["", "", "", "2024-06-09 08:00"])
        assert records.ward_stays["ready"].isna().sum() == 2  # with the request that has no bed yet


def stays_of(records, arrival: str) -> list[tuple[str | None, ...]]:
    """Ward, admission and departure of the stays of the patient who arrived then."""
    id_ = records.patients.set_index("arrival").loc[arrival, "patient_id"]
    stays = records.ward_stays[records.ward_stays["patient_id"] == id_].sort_values("stay_no")
    told = stays[["admit", "depart"]].apply(lambda times: times.dt.strftime("%d %H:%M"))
    return [tuple(None if pd.isna(cell) else cell for cell in row) for row in stays[["ward_id"]].join(told).to_numpy()]


FIRST = "2024-06-01 08:00"
SAID = {
    "rows of one ward that touch are one stay": (
        ["1,Bay,2024-06-01 08:30,2024-06-02 12:00", "1,Bay,2024-06-02 12:00,2024-06-05 10:00"],
        [("bed", "01 08:30", "05 10:00")],
        None,
    ),
    "an earlier row without an end ends with the next one": (
        ["1,A&E,2024-06-01 08:30,", "1,Bay,2024-06-02 12:00,2024-06-05 10:00"],
        [("ed", "01 08:30", "02 12:00"), ("bed", "02 12:00", "05 10:00")],
        "ward stays have no end; they end with the next one: 1, for example line 2",
    ),
    "the last row of a departed patient ends with the stay in the hospital": (
        ["1,A&E,2024-06-01 08:30,"],
        [("ed", "01 08:30", "05 10:00")],
        "last ward stays of departed patients have no end; they end with the stay in the hospital: 1, for",
    ),
    "a row that outlives the stay in the hospital is cut": (
        ["1,A&E,2024-06-01 08:30,2024-06-07 09:00"],
        [("ed", "01 08:30", "05 10:00")],
        "ward stays outlive the stay in the hospital; they end with it: 1, for example line 2",
    ),
    "an overlap keeps the move": (
        ["1,A&E,2024-06-01 08:30,2024-06-03 09:00", "1,Bay,2024-06-02 12:00,2024-06-05 10:00"],
        [("ed", "01 08:30", "02 12:00"), ("bed", "02 12:00", "05 10:00")],
        "ward stays overlap the next one; they end with the move to it: 1, for example line 2",
    ),
    "a departure of a day ends with the next admission or the stay in the hospital": (
        ["1,A&E,2024-06-01 08:30,2024-06-02", "1,Bay,2024-06-02 12:00,2024-06-05"],
        [("ed", "01 08:30", "02 12:00"), ("bed", "02 12:00", "05 10:00")],
        None,
    ),
    "a move of no length comes before the stay that begins with it": (
        ["1,Bay,2024-06-01 08:30,2024-06-05 10:00", "1,A&E,2024-06-01 08:30,2024-06-01 08:30"],
        [("ed", "01 08:30", "01 08:30"), ("bed", "01 08:30", "05 10:00")],
        None,
    ),
}


@pytest.mark.parametrize(("moves", "stays", "warning"), SAID.values(), ids=SAID.keys())
@pytest.mark.parametrize("in_order", [True, False], ids=["in order", "backwards"])
def test_ward_rows_agree_with_each_other_and_with_the_hospital_stay(read_moves, moves, stays, warning, in_order):
    records = read_moves(moves if in_order else moves[::-1])
    assert stays_of(records, FIRST) == stays
    told = [text.removeprefix("moves.csv: ").split(", for")[0] for text in records.warnings]
    assert told == ([warning.split(", for")[0]] if warning else [])


def test_nothing_need_be_called_missing(read_moves):
    pd.testing.assert_frame_equal(read_moves(MOVES, missing=[]).ward_stays, read_moves(MOVES).ward_stays)


def test_a_patient_between_two_wards_at_as_of_is_still_in_the_last(read_moves):
    records = read_moves(["2,A&E,2024-06-01 09:00,2024-06-09 23:50", "2,Bay,2024-06-10 00:10,"])
    assert stays_of(records, "2024-06-01 09:00") == [("ed", "01 09:00", None)]
    assert "taken to be in it still: 1, for example line 2" in records.warnings[0]


def test_a_patient_who_left_the_last_ward_long_ago_is_not_in_the_hospital(read_moves):
    records = read_moves(["2,A&E,2024-06-01 09:00,2024-06-04 23:50"])
    assert not records.patients.set_index("arrival").loc["2024-06-01 09:00", "departure_known"]


def test_rows_belong_to_the_visit_of_the_person_that_they_fall_into(read, tmp_path):
    patients = "id,came,went,unit\n1,2024-06-01 08:00,2024-06-02 10:00,acute\n1,2024-06-04 08:00,,acute\n"
    moves = ["1,Bay,2024-06-04 09:00,", "1,A&E,2024-06-01 08:30,2024-06-02 10:00"]
    (tmp_path / "moves.csv").write_text("\n".join(["id,where,in,out", *moves]), encoding="utf-8")
    records = read(patients, as_of="2024-06-10", stays=STAYS)
    assert stays_of(records, "2024-06-01 08:00") == [("ed", "01 08:30", "02 10:00")]
    assert stays_of(records, "2024-06-04 08:00") == [("bed", "04 09:00", None)]


def test_moves_at_or_after_as_of_change_nothing(read_moves):
    records = read_moves([*MOVES[:4], "3,Attic,2024-06-11 02:00,never"])
    pd.testing.assert_frame_equal(records.ward_stays, read_moves(MOVES).ward_stays)
    assert records.patient_rejects.empty


def test_moves_with_days_only_are_refused(read_moves):
    with pytest.raises(DataError, match=r"moves\.csv: stamps in 'in' have no time of day"):
        read_moves(["1,A&E,2024-06-01,2024-06-05"])


def test_too_many_rejects_among_moves_stop_the_run(read_moves):
    with pytest.raises(DataError, match=r"moves\.csv: 1 of 2 rows"):
        read_moves([MOVES[0], "1,Attic,2024-06-02 09:00,"], max_reject_share=0.1)
