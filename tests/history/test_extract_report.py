"""What `kaizar check` says of an extract."""

from pathlib import Path

import pytest

from kaizar_pipeline.history.extract_report import extract_report
from tests.support.small_extracts import make_hospital

pytestmark = pytest.mark.unit

TEXT = (
    "id,name,came,went,unit\n"
    "1,X,2024-06-01 08:00,2024-06-03 09:30,acute\n"
    "2,X,2024-06-02 22:15,NA,acute\n"
    "3,X,2024-06-02 23:15,,dental\n"
    "4,X,2024-06-04 07:00,,plan\n"
)


LAST = "99,X,2024-06-04 07:00,,acute"
"""A patient after as_of, which is the midnight before."""


def test_it_tells_rows_span_census_rejects_and_assumptions(tmp_path: Path):
    (tmp_path / "extract.csv").write_text(TEXT)
    lines = extract_report(make_hospital(), tmp_path)
    assert lines[0] == "4 rows, 2 of them patients (emergency 2, elective 0), arrived 2024-06-01 to 2024-06-02"
    assert lines[1].startswith("as_of 2024-06-04, ")
    assert lines[1].endswith(" days before today; in the hospital then: ed 1, bed 0, waiting 0")
    assert lines[2:] == [
        "1 rows are set aside:",
        "  unknown service: 1, for example line 4, unit = 'xxxxxx'; 'xxxxxx' 1",
        "Remedy: map the service to a stream in patients.streams, or all others in patients.other; correct the rows, "
        "or raise max_reject_share",
        "extract.csv: departures mean that there is none yet (patients.missing): 1, for example line 3",
        "extract.csv: rows lie at or after as_of 2024-06-04 and are left out: 1, for example line 5",
    ]


def test_it_tells_how_many_stamps_have_no_time_and_what_follows(tmp_path: Path):
    file = tmp_path / "extract.csv"
    timed = [f"{n},X,2024-05-{n:02} 08:00,2024-05-{n:02} 09:30,acute" for n in range(1, 25)]
    file.write_text("\n".join(["id,name,came,went,unit", *timed, "25,X,2024-05-25,2024-05-26 09:30,acute", LAST]))
    assert "1 of 25 patients have a stamp without a time of day: their hours are drawn" in extract_report(
        make_hospital(), tmp_path
    )
    file.write_text("\n".join(["id,name,came,went,unit", *timed]).replace(" 08:00", ""))
    (line,) = [line for line in extract_report(make_hospital(), tmp_path) if "without a time of day" in line]
    assert line.endswith("of the past the midnights alone are known, and chances of full days cannot be tested")


def test_a_synthetic_hospital_has_none(repository: Path):
    from kaizar_pipeline.config.files import load_hospital_config

    assert extract_report(load_hospital_config(repository / "hospital_configs" / "hospital_1.yml")) == []
