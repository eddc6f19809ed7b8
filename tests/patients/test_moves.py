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
        ("1,Bay,2024-06-06 09:00,2024-06-06 08:00", "departure before admission"),
        ("1,Bay,2024-06-01 07:00,2024-06-01 07:30", "admission before arrival"),
        ("1,Bay,2024-06-02 09:00,2024-06-02 10:00", "overlaps the stay before"),
        (",Bay,2024-06-02 09:00,2024-06-02 10:00", "missing id"),
        ("1,Bay,2024-06-02 09:00", "wrong number of fields"),
    ],
)
def test_impossible_moves_are_rejected(read_moves, move, reason):
    records = read_moves([*MOVES, move])
    assert records.patient_rejects[["extract", "row", "reason"]].to_numpy().tolist() == [["stays", 6, reason]]
    pd.testing.assert_frame_equal(records.ward_stays, read_moves(MOVES).ward_stays)


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
