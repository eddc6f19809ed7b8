"""Services that open, close or are renamed within the records."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline.drafting.hospital_draft import draft_hospital
from kaizar_pipeline.drafting.spans import renames
from tests.support.drafted_cases import by_name
from tests.support.drafted_extracts import FIRST
from tests.support.drafted_table import NETHERLANDS

pytestmark = pytest.mark.integration


def test_what_opened_and_closed_has_its_dates_and_a_new_name_the_old_one(tmp_path: Path):
    extract = by_name("changing")
    path, _ = extract.write(tmp_path)
    draft = draft_hospital(path, name="mine", place=NETHERLANDS, home=tmp_path)
    spans = {stream.named.id: stream.span.keys for stream in draft.streams if stream.span.keys}
    assert spans.keys() == {"stroke", "burns"}
    assert timedelta(0) <= spans["stroke"]["opened"] - (FIRST + pd.Timedelta(days=120)).date() <= timedelta(days=3)
    assert timedelta(0) <= (FIRST + pd.Timedelta(days=90)).date() - spans["burns"]["closed"] <= timedelta(days=3)
    burns = next(ward for ward in draft.wards if ward.named.id == "burns")
    last = extract.table.loc[extract.table["service"] == "Burns", "departure"].max()
    assert burns.span.closed == (last + pd.Timedelta(days=1)).date()
    assert (burns.beds.beds or 0) > 5  # by the census before it closed
    assert draft.patients["streams"]["Neuro"] == draft.patients["streams"]["Neurology"] == "neurology"
    assert any("'Neuro' was renamed 'Neurology'" in one for one in draft.confirm)
    assert any(one.startswith("stream burns: closed") for one in draft.confirm)


def days(first: str, last: str, hours: float) -> pd.DataFrame:
    begin = pd.date_range(first, last, freq="4h").to_series()
    return pd.DataFrame({"begin": begin, "end": begin + pd.Timedelta(hours=hours)})


@pytest.mark.parametrize(
    ("new", "hours", "expected"),
    [
        ("2024-04-01", 48, {"old": "new"}),
        ("2024-04-01", 12, {}),  # much shorter stays: another service
        ("2024-06-01", 48, {}),  # two months later
    ],
)
def test_a_name_follows_another_on_a_day_with_as_many_patients_who_stay_as_long(
    new: str, hours: float, expected: dict[str, str]
):
    parts = {"old": days("2024-01-01", "2024-03-31", 48), "new": days(new, "2024-08-31", hours)}
    parts["other"] = days("2024-01-01", "2024-08-31", 48)
    rows = pd.concat(part.assign(name=name) for name, part in parts.items()).reset_index(drop=True)
    assert renames(rows["name"], rows["begin"], rows["end"]) == expected
