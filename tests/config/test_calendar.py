"""The file of events: read whole, or refused line by line."""

from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline.config.calendar import read_events
from kaizar_pipeline.config.hospital import HospitalInfo
from kaizar_pipeline.errors import ConfigError

pytestmark = pytest.mark.unit

HOSPITAL = HospitalInfo(name="X", timezone="Europe/Amsterdam", country="NL", events="data/events.csv")


def errors(home: Path, text: bytes) -> list[str]:
    (home / "data").mkdir()
    (home / "data" / "events.csv").write_bytes(text)
    with pytest.raises(ConfigError) as error:
        read_events(HOSPITAL, home)
    return error.value.errors


def test_events_of_a_day_are_joined_in_order(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    text = "\ufeffname,date,remark\nschool,2026-07-18,\nfair , 2026-07-18,big\nschool,2026-07-19,\n"
    (tmp_path / "data" / "events.csv").write_text(text, encoding="utf-8")
    assert read_events(HOSPITAL, tmp_path).to_dict() == {
        pd.Timestamp("2026-07-18"): "fair; school",
        pd.Timestamp("2026-07-19"): "school",
    }


def test_no_file_no_events(tmp_path: Path) -> None:
    assert read_events(HOSPITAL.model_copy(update={"events": None}), tmp_path).empty


def test_every_error_has_its_line(tmp_path: Path) -> None:
    assert errors(
        tmp_path, b"date,name\n18-07-2026,fair\n2026-07-18\n2026-07-18,a;b\n2026-07-18,ok\n2026-07-18,ok\n"
    ) == [
        "data/events.csv:2: date: found '18-07-2026', allowed: a day such as 2026-07-18",
        "data/events.csv:3: name: found '', allowed: any text without ';'",
        "data/events.csv:4: name: found 'a;b', allowed: any text without ';'",
        "data/events.csv:6: 'ok' already appears on 2026-07-18",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", ":1: missing column(s) date, name, found nothing, required: date, name"),
        (b"day,name\n", ":1: missing column(s) date, found day, name, required: date, name"),
        (b"date,name\n2026-07-18,f\xeate\n", ": the file of events cannot be read: it is not UTF-8; its path is "),
    ],
)
def test_a_file_that_is_not_a_list_of_events(tmp_path: Path, text: bytes, error: str) -> None:
    (found,) = errors(tmp_path, text)
    assert found.startswith("data/events.csv" + error)


def test_a_missing_file_is_named_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"No such file or directory; its path is .*events\.csv"):
        read_events(HOSPITAL, tmp_path)
