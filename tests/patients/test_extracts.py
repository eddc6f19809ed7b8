"""Extracts from files and databases: the same rows from every source, and one message for an unreadable extract."""

import gzip
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.errors import DataError
from tests.support.small_extracts import read_records

pytestmark = pytest.mark.unit

ROWS = [
    ("1", "Anna Secret", "2024-06-01 08:00:00", "2024-06-03 09:30:00", "acute"),
    ("2", "Bo Secret", "2024-06-02 22:15:00", None, "plan"),
]
TEXT = "id,name,came,went,unit\n" + "\n".join(",".join(cell or "" for cell in row) for row in ROWS) + "\n"
AS_OF = pd.Timestamp("2024-06-10").as_unit("us")


def read(config, home):
    return read_records(config, home, AS_OF, AS_OF)


def test_a_cell_longer_than_what_the_csv_module_allows(hospital, tmp_path):
    note = '"' + "a line of a note\n" * 10_000 + '"'
    lines = [*TEXT.splitlines(), f"3,{note},2024-06-04 08:00,,acute", "4,Di Secret,never,,acute"]
    (tmp_path / "extract.csv").write_text("\n".join(lines), encoding="utf-8")
    records = read(hospital(), tmp_path)
    assert len(records.patients) == 3
    assert records.patient_rejects[["row", "reason"]].values.tolist() == [[10_005, "unparseable arrival"]]


@pytest.fixture
def from_csv(hospital, tmp_path):
    (tmp_path / "extract.csv").write_text(TEXT, encoding="utf-8")
    return read(hospital(), tmp_path)


def test_a_database_gives_the_same_patients(hospital, tmp_path, monkeypatch, from_csv):
    connection = sqlite3.connect(tmp_path / "his.db")
    connection.execute("CREATE TABLE visits (id INTEGER, name TEXT, came TEXT, went TEXT, unit TEXT)")
    connection.executemany("INSERT INTO visits VALUES (?, ?, ?, ?, ?)", ROWS)
    connection.commit()
    connection.close()
    monkeypatch.setenv("HIS_URL", f"sqlite:///{tmp_path / 'his.db'}")
    config = hospital(source="sql", path=None, url_env="HIS_URL", query="SELECT * FROM visits;")
    pd.testing.assert_frame_equal(read(config, tmp_path).patients, from_csv.patients)
    wrong = hospital(source="sql", path=None, url_env="HIS_URL", query="SELECT name, id FROM visits")
    with pytest.raises(DataError, match="no column 'came'"):
        read(wrong, tmp_path)
    failing = hospital(source="sql", path=None, url_env="HIS_URL", query="SELECT * FROM nowhere")
    with pytest.raises(DataError, match="the database in HIS_URL refuses it: no such table: nowhere"):
        read(failing, tmp_path)


@pytest.mark.parametrize("as_text", [True, False], ids=["text", "typed"])
def test_a_parquet_file_gives_the_same_patients(hospital, tmp_path, from_csv, as_text):
    frame = pd.DataFrame(ROWS, columns=["id", "name", "came", "went", "unit"])
    if not as_text:
        frame = frame.assign(
            id=frame["id"].astype("float"), came=pd.to_datetime(frame["came"]), went=pd.to_datetime(frame["went"])
        )
    frame.to_parquet(tmp_path / "extract.parquet")
    config = hospital(source="parquet", path="extract.parquet")
    pd.testing.assert_frame_equal(read(config, tmp_path).patients, from_csv.patients)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_encodings_and_separators(hospital, tmp_path, from_csv, encoding):
    (tmp_path / "extract.csv").write_text(TEXT.replace("Anna", "Ünna").replace(",", ";"), encoding=encoding)
    config = hospital(encoding="utf-8" if encoding == "utf-8-sig" else encoding, separator=";")
    pd.testing.assert_frame_equal(read(config, tmp_path).patients, from_csv.patients)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_separators_and_gzip_are_detected(hospital, tmp_path, from_csv, separator, packed):
    content = TEXT.replace(",", separator).encode()
    (tmp_path / "extract.csv").write_bytes(gzip.compress(content) if packed else content)
    pd.testing.assert_frame_equal(read(hospital(), tmp_path).patients, from_csv.patients)


def test_a_damaged_parquet_file_is_our_error(hospital, tmp_path):
    """Thrift, snappy and UTF-8: a few bytes of the file are changed, anywhere."""
    frame = pd.DataFrame(ROWS * 200, columns=["id", "name", "came", "went", "unit"]).assign(
        id=lambda rows: rows.index.astype("str")
    )
    frame.to_parquet(tmp_path / "whole.parquet", compression="snappy")
    whole = (tmp_path / "whole.parquet").read_bytes()
    config = hospital(source="parquet", path="extract.parquet")
    random, refused = np.random.default_rng(1), 0
    for _ in range(60):
        damaged = np.frombuffer(whole, dtype="u1").copy()
        damaged[random.integers(4, len(whole) - 4, size=3)] = random.integers(256, size=3)
        (tmp_path / "extract.parquet").write_bytes(damaged.tobytes())
        try:
            read(config, tmp_path)
        except DataError:
            refused += 1
    assert refused > 10


def test_an_extract_without_one_usable_row_says_why(hospital, tmp_path):
    (tmp_path / "extract.csv").write_text(TEXT.replace("acute", "x").replace("plan", "y"))
    with pytest.raises(
        DataError, match=r"not one of the 2 rows before as_of 2024-06-10 can be used:\n  unknown service: 2"
    ):
        read(hospital(), tmp_path)


BAD_FILES = {
    "missing": (None, {}, r"extract\.csv: cannot be read under .*: No such file.*correct `path`"),
    "empty": (b" \n", {}, r"extract\.csv: is empty"),
    "header only": (b"id,name,came,went,unit\n", {}, "not a single row"),
    "wrong column": (
        b"id,name,Came,went,unit\n1,X,2024-06-01,,acute\n",
        {},
        r"no column 'came' \(did you mean 'Came'\?\)",
    ),
    "wrong separator": (
        TEXT.replace(",", ";").encode(),
        {"separator": ","},
        r"Found: id;name;came;went;unit, separated by ','",
    ),
    "repeated column": (b"id,came,came,went,unit\n1,a,b,c,acute\n", {}, "column 'came' appears 2 times"),
    "wrong encoding": (
        TEXT.replace("plan", "plän").encode("cp1252"),
        {},
        r"line 3: is not utf-8.*`encoding: cp1252`",
    ),
    "open quotation": (b'id,came,went,unit\n1,"' + b"x" * 200_000, {}, "quotation mark that never closes"),
    "open quotation in a short file": (
        b'id,came,went,unit\n1,"2024-06-01,,acute\n2,2024-06-01,,acute\n',
        {},
        r"line 2: look for a quotation mark that never closes",
    ),
    "excel": (b"PK\x03\x04" + b"x" * 100, {}, "is an Excel workbook.*save the sheet as CSV"),
    "old excel": (b"\xd0\xcf\x11\xe0" + b"x" * 100, {}, r"is an Excel workbook \(\.xls, or .*\); save the sheet"),
    "parquet as csv": (b"PAR1" + b"x" * 100, {}, "is a Parquet file; set `source: parquet`"),
    "cut gzip": (gzip.compress(TEXT.encode())[:40], {}, "is not a whole gzip file"),
    "not parquet": (TEXT.encode(), {"source": "parquet", "path": "extract.csv"}, "is not a whole Parquet file"),
    "no stamps": (
        b"id,came,went,unit\n1,Secret,,acute\n",
        {},
        r"not one stamp in column 'came' can be read as a date \(line 2: 'xxxxxx'\).*patients\.date_format",
    ),
    "no variable": (
        None,
        {"source": "sql", "path": None, "url_env": "NO_SUCH", "query": "SELECT 1"},
        "variable NO_SUCH .* is not set",
    ),
    "not an address": (
        None,
        {"source": "sql", "path": None, "url_env": "BAD_URL", "query": "SELECT 1"},
        "BAD_URL: is not an SQLAlchemy address",
    ),
}


@pytest.mark.parametrize(("content", "patients", "message"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_an_unreadable_extract_gives_one_readable_message(hospital, tmp_path, monkeypatch, content, patients, message):
    monkeypatch.setenv("BAD_URL", "secret-password")
    if content is not None:
        (tmp_path / "extract.csv").write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(hospital(**patients), tmp_path)
    assert "Secret" not in str(caught.value)
    assert "secret-password" not in str(caught.value)


def test_the_generator_reproduces_the_shipped_extract(tmp_path):
    import runpy
    import shutil

    folder = Path(__file__).parents[2] / "data" / "raw" / "hospital_2"
    shutil.copy(folder / "make_extract.py", tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["make_extract.py"])
        runpy.run_path(str(tmp_path / "make_extract.py"), run_name="__main__")
    assert (tmp_path / "patients.csv").read_bytes() == (folder / "patients.csv").read_bytes()
