"""What records leave open is asked, with what was found; what a person says is taken."""

from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline.drafting.drafted_file import drafted_file
from kaizar_pipeline.drafting.hospital_draft import Draft, Place, draft_hospital
from kaizar_pipeline.errors import ConfigError, DataError
from tests.support.drafted_cases import by_name
from tests.support.drafted_extracts import NAMES, USUAL, Habit, visits

pytestmark = pytest.mark.integration


def drafted(path: Path, **options: object) -> Draft:
    return draft_hospital(path, name="mine", place=Place("Europe/Amsterdam", "NL"), home=path.parent, **options)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def ambiguous(tmp_path: Path) -> Path:
    """Arrivals on days that are as plausible with day and month exchanged, in no order of the ids."""
    rows = visits(USUAL, 366)
    both = rows["arrival"].dt.day.le(12) & rows["departure"].dt.day.le(12)
    rows = rows[both & rows["departure"].notna()].sample(frac=1, random_state=3)
    rows["visit"] = [str(number) for number in range(len(rows))]
    Habit(NAMES, "%d/%m/%Y").write(rows, tmp_path / "patients.csv")
    return tmp_path / "patients.csv"


def _guesses(draft: Draft) -> list[str]:
    """The keys of `patients` in the file that are marked, as they are with --yes."""
    lines = drafted_file(draft).partition("\npatients:")[2].partition("\nwards:")[0].splitlines()
    return [line.partition(":")[0].strip() for line in lines if line.endswith("a guess: confirm")]


def test_two_pairs_of_dates_that_may_be_the_stay_are_asked(tmp_path: Path):
    rows = visits(USUAL, 40)
    rows = rows[rows["departure"].notna()]
    rows = rows.assign(begun=rows["arrival"] + pd.Timedelta("1h"), ended=rows["departure"] + pd.Timedelta("1h"))
    names = {"visit": "c1", "arrival": "c2", "departure": "c3", "begun": "c4", "ended": "c5"}
    Habit(names).write(rows, tmp_path / "patients.csv")
    draft = drafted(tmp_path / "patients.csv")
    assert ["--column arrival=NAME" in one for one in draft.questions] == [True]
    assert _guesses(draft) == ["arrival", "departure"]


def test_an_order_of_day_and_month_that_both_fit_is_asked(ambiguous: Path):
    question = " ".join(drafted(ambiguous).questions)
    assert "%d/%m/%Y" in question
    assert "%m/%d/%Y" in question
    assert "--date-format" in question
    assert _guesses(drafted(ambiguous)) == ["date_format"]
    assert drafted(ambiguous, date_format="%d/%m/%Y").questions == []


def test_ids_that_rise_with_time_decide_the_order(tmp_path: Path):
    days = pd.date_range("2024-01-01", "2024-12-31").to_series()
    days = days[days.dt.day <= 12]  # as many days and months
    rows = pd.DataFrame({"arrival": days.repeat(10).to_numpy(), "service": "Ward"})
    rows = rows.assign(departure=rows["arrival"] + pd.Timedelta(hours=8), visit=[str(n) for n in range(len(rows))])
    Habit(NAMES, "%d/%m/%Y %H:%M").write(rows, tmp_path / "patients.csv")
    draft = drafted(tmp_path / "patients.csv")
    assert draft.questions == []
    assert draft.patients["date_format"] == "%d/%m/%Y %H:%M"
    assert "ids rise" in draft.why["date_format"]


def test_columns_that_tell_stays_apart_alike_are_asked(tmp_path: Path):
    extract = by_name("no_names")
    table = extract.table.assign(
        sex=extract.table["service"].map({"Medicine": "x1", "Surgery": "x2", "Maternity": "x3"})
    )
    extract.habit.write(table, tmp_path / "patients.csv")
    path = tmp_path / "patients.csv"
    assert ["'c3'" in one and "'c4'" in one and "service=NAME" in one for one in drafted(path).questions] == [True]
    assert _guesses(drafted(path)) == ["service"]
    draft = drafted(path, columns={"service": "c4"})
    assert _guesses(draft) == []
    assert (draft.questions, draft.patients["columns"]["service"]) == ([], "c4")
    assert drafted(path, columns={"service": "none"}).patients["columns"].keys() == {
        "patient_id",
        "arrival",
        "departure",
    }


def test_a_last_departure_without_a_time_is_to_be_confirmed(tmp_path: Path):
    days = pd.Series(pd.date_range("2026-06-13 08:00", periods=100))
    rows = pd.DataFrame({"visit": days.index, "arrival": days, "departure": days + pd.Timedelta(days=4)}).astype("str")
    rows.loc[100] = ["100", "2026-09-29 08:00:00", "2026-09-30"]  # on the last day: no run reads it
    rows.to_csv(tmp_path / "patients.csv", index=False)
    draft = drafted(tmp_path / "patients.csv")
    assert "running_until" not in draft.patients
    assert ["running_until: extract_date" in one for one in draft.confirm if "last moment" in one] == [True]
    rows.loc[100, "departure"] = "2026-09-30 00:00:00"
    rows.to_csv(tmp_path / "patients.csv", index=False)
    assert not any("last moment" in one for one in drafted(tmp_path / "patients.csv").confirm)


def test_a_column_that_is_not_there_is_an_error(tmp_path: Path):
    by_name("semicolons").write(tmp_path)
    with pytest.raises(ConfigError, match="unknown 'serv', did you mean 'service'"):
        drafted(tmp_path / "patients.csv", columns={"service": "serv"})
    with pytest.raises(ConfigError, match="--column bed=x: unknown 'bed'"):
        drafted(tmp_path / "patients.csv", columns={"bed": "x"})


def test_two_files_without_an_id_in_common_are_refused(tmp_path: Path):
    extract = by_name("two_files")
    path, stays = extract.write(tmp_path)
    found = pd.read_csv(path).assign(visit_id=lambda rows: "other" + rows["visit_id"].astype(str))
    found.to_csv(path, index=False)
    with pytest.raises(DataError, match="no column has the ids of"):
        drafted(path, stays=stays)
