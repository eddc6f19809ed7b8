"""Mutated extracts: every row is a patient, a reject or after as_of, and whatever is wrong ends in our own error."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline.errors import DataError
from tests.support.small_extracts import TODAY, make_hospital, read_records

pytestmark = pytest.mark.unit

RUNS = int(os.environ.get("KAIZAR_FUZZ", "120"))
"""Extracts that are tried; `make fuzz` tries 10,000."""

LONGEST = 1_500
"""Characters of a line of a message."""

AS_OF = pd.Timestamp("2024-06-10").as_unit("us")
STAYS = {
    "path": "moves.csv",
    "columns": {"patient_id": "id", "ward": "where", "admit": "in", "depart": "out"},
    "wards": {"A&E": "ed", "Bay": "bed"},
}
CELLS = [
    *("", " ", "NA", "-", "0", "-1", "1e300", "nan", "1", "7", "acute", "plan", "A&E", "Bay", "x" * 3000),
    *("2024-06-05", "2024-06-05 10:00", "2024-06-05T10:00Z", "05/06/2024", "13/06/2024 10:00", "20240605"),
    *("2024-06-05 24:00", "9999-12-31", "0001-01-01", "31/12/9999", "2024-02-30", "99999-01-01", "-4713-11-24"),
    *("infinity", "epoch", "'; DROP TABLE cells; --", "é\u0301\U0001f600", "\x00", "\ufeff", '"', '"a\nb"', "a,b"),
]


def good_patients(chance: random.Random) -> list[list[str]]:
    rows = []
    for n in range(chance.randrange(1, 40)):
        came = pd.Timestamp("2024-05-01") + pd.Timedelta(minutes=chance.randrange(60_000))
        went = came + pd.Timedelta(minutes=chance.randrange(8_000))
        rows.append(
            [str(n), "Secret", f"{came:%Y-%m-%d %H:%M}", f"{went:%Y-%m-%d %H:%M}", chance.choice(["acute", "plan"])]
        )
    return rows


def moves_of(rows: list[list[str]], chance: random.Random) -> list[list[str]]:
    return [[row[0], chance.choice(["A&E", "Bay"]), row[2], row[3]] for row in rows if chance.random() < 0.9]


def mutated(rows: list[list[str]], chance: random.Random) -> list[list[str]]:
    """The rows with cells, rows or their order changed."""
    rows = [list(row) for row in rows]
    for _ in range(chance.randrange(6)):
        row = chance.randrange(len(rows)) if rows else None
        match chance.randrange(6):
            case 0 | 1 if row is not None:
                rows[row][chance.randrange(len(rows[row]))] = chance.choice(CELLS)
            case 2 if row is not None:
                rows.insert(chance.randrange(len(rows)), list(rows[row]))
            case 3:
                chance.shuffle(rows)
            case 4 if row is not None:
                column, cell = chance.randrange(4), chance.choice(CELLS)
                rows = [[*line[:column], cell, *line[column + 1 :]] for line in rows]
            case 5 if row is not None:
                rows[row] = rows[row][: chance.randrange(1, 7)] + ["extra"] * chance.randrange(2)
    return rows


def as_csv(header: str, rows: list[list[str]], chance: random.Random) -> bytes:
    content = "\n".join([header, *(",".join(row) for row in rows)]).encode("utf-8", "surrogatepass")
    if chance.random() < 0.3:  # damaged bytes
        damaged = bytearray(content)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        content = bytes(damaged)
    return content[: chance.randrange(len(content))] if chance.random() < 0.05 else content


KEYS = [
    {},
    {"running_until": "extract_date"},
    {"other": "elective"},
    {"missing_departure": "unknown"},
    {"max_open_days": 5.0},
    {"complete_through": "2024-06-09"},
    {"date_format": "%d/%m/%Y"},
    {"still_patient": {"column": "unit", "values": ["plan"]}},
    {"missing": []},
    {"max_reject_share": 0.1},
]


@pytest.mark.parametrize("block", range(10))
def test_every_row_is_a_patient_a_reject_or_after_as_of(
    tmp_path: Path, record_testsuite_property: Callable[[str, object], None], block: int
):
    read, told = 0, []
    seeds = range(block * RUNS // 10, (block + 1) * RUNS // 10)
    record_testsuite_property("files", len(seeds))
    for seed in seeds:
        chance = random.Random(seed)
        good = good_patients(chance)
        rows = mutated(good, chance)
        (tmp_path / "extract.csv").write_bytes(as_csv("id,name,came,went,unit", rows, chance))
        keys = dict(chance.choice(KEYS))
        if chance.random() < 0.5:
            keys["stays"] = STAYS
            moves = mutated(moves_of(good, chance), chance)
            (tmp_path / "moves.csv").write_bytes(as_csv("id,where,in,out", moves, chance))
        as_of = AS_OF if chance.random() < 0.7 else None
        try:
            records = read_records(make_hospital(**keys), tmp_path, TODAY, as_of)
        except DataError as error:
            told.append(str(error))
            continue
        read += 1
        of_patients = records.patient_rejects["extract"] == "patients"
        assert records.rows == len(records.patients) + int(of_patients.sum()) + records.left_out, seed
        present = records.patients["departure"].isna() & records.patients["departure_known"]
        staying = present & records.patients["outcome"].isin(["admitted", "waiting"])
        still_open = records.ward_stays.loc[records.ward_stays["depart"].isna(), "patient_id"]
        known = records.patients.loc[records.patients["departure_known"], "patient_id"]
        assert set(still_open) & set(known) == set(records.patients.loc[staying, "patient_id"]), seed
        for frame in (records.patients, records.patient_rejects, records.ward_stays):
            assert "Secret" not in frame.to_csv(), seed
    assert read > 0
    assert "Secret" not in "".join(told)
    assert max(map(len, "\n".join(told).split("\n"))) <= LONGEST
