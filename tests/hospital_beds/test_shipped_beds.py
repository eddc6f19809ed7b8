"""The hospital `kaggle` that ships is what its generator and `write_project` write, and is what its page says."""

from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline import DataError, HospitalBeds, make_hospital_beds

pytestmark = pytest.mark.integration

FILES = ("patients.csv", "services_weekly.csv", "staff.csv", "staff_schedule.csv")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_hospital_beds(tmp_path_factory.mktemp("project") / "data" / "raw" / "kaggle")


def test_the_folder_that_ships_is_the_generated_one(repository: Path, made: Path):
    for name in FILES:
        assert (made / name).read_bytes() == (repository / "data" / "raw" / "kaggle" / name).read_bytes(), name
    shipped = list((repository / "data" / "raw" / "kaggle").iterdir())
    assert {path.name for path in shipped} == {*FILES, "events.csv"}
    assert sum(path.stat().st_size for path in shipped) < 700_000


def test_the_hospital_that_ships_is_the_one_written_from_that_folder(repository: Path, made: Path):
    home = made.parents[2]
    config = HospitalBeds.read(made).write_project(home)
    assert config.id == "kaggle"
    written = [path.relative_to(home) for path in home.rglob("*") if path.is_file() and path.name not in FILES]
    assert sorted(map(str, written)) == [
        "data/raw/kaggle/events.csv",
        "hospital_configs/kaggle.yml",
        "hospital_configs/scenarios/kaggle_all_requests.yml",
    ]
    for path in written:
        assert (home / path).read_bytes() == (repository / path).read_bytes(), path


def test_another_seed_is_another_hospital_and_no_file_is_overwritten(made: Path, tmp_path: Path):
    make_hospital_beds(tmp_path, seed=2)
    assert (tmp_path / "patients.csv").read_bytes() != (made / "patients.csv").read_bytes()
    before = {name: (tmp_path / name).read_bytes() for name in FILES}
    with pytest.raises(DataError, match=r"patients\.csv exists and is another file; choose an empty folder"):
        make_hospital_beds(tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in FILES} == before


def test_who_finds_a_bed_is_admitted_and_everybody_else_refused(made: Path):
    data = HospitalBeds.read(made)
    weekly, patients = data.weekly, pd.read_csv(made / "patients.csv", parse_dates=["arrival_date", "departure_date"])
    assert weekly is not None
    assert data.notes == [
        "430 of 5,148 requests (8%) were refused and are not in patients.csv: arrivals ahead are those who would be "
        "admitted; the scenario all_requests has all"
    ]
    assert (weekly["requests"] == weekly["admitted"] + weekly["refused"]).all()
    assert data.admissions["in_file"].equals(data.admissions["admitted"].rename("in_file"))
    assert (data.admissions["requests"] > data.admissions["admitted"]).all()
    # never more patients at midnight than beds, but for patients who were in them when a strike closed some
    for service, rows in patients.groupby("service"):
        beds = weekly[weekly["service"] == str(service).lower()].set_index("week")["available_beds"]
        for week in range(1, 53):
            if beds[week] < beds.get(week - 1, 0):
                continue
            for day in pd.date_range("2025-01-01", periods=7) + pd.Timedelta(days=7 * (week - 1)):
                there = (rows["arrival_date"] <= day) & (rows["departure_date"] > day)
                assert there.sum() <= beds[week], (service, day)


def test_flu_and_strikes_are_seen_in_the_weeks(made: Path):
    data = HospitalBeds.read(made)
    assert data.weekly is not None
    assert data.nurses is not None
    weekly = data.weekly.merge(data.nurses.drop(columns="available_beds"))

    def ratio(service: str, event: str, column: str) -> float:
        """The mean of a column in weeks of an event, relative to weeks of none."""
        rows = weekly[weekly["service"] == service]
        return float(rows.loc[rows["event"] == event, column].mean() / rows.loc[rows["event"] == "none", column].mean())

    for service in data.services:
        assert ratio(service, "strike", "available_beds") < 0.9
        assert ratio(service, "strike", "nurses_present") < 0.8
    assert ratio("emergency", "flu", "requests") > 1.15
    assert ratio("general_medicine", "flu", "requests") > 1.15
    assert (weekly["nurses_present"] <= weekly["nurses_on_roll"]).all()
