"""The hospital that is written from a small folder of the form: its file, its calendar, its scenarios, and its twin."""

from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline import ConfigError, DataError, HospitalBeds, KaizarError, load_history, load_scenario, run_chain
from kaizar_pipeline.config.calendar import read_events
from kaizar_pipeline.config.files import load_scenarios

pytestmark = pytest.mark.integration

PATIENTS = """\
patient_id,name,age,arrival_date,departure_date,service,satisfaction
P1,Ada Alder,70,2025-01-01,2025-01-03,emergency,80
P2,Bo Birch,30,2025-01-07,2025-01-07,emergency,75
P3,Cleo Cedar,55,2025-01-08,2025-01-30,ICU,60
P4,Dario Elder,61,2025-01-19,2025-01-21,emergency,71
P5,Elif Fir,62,2025-01-20,2025-01-20,Day Care,71
P6,Finn Gorse,63,2025-01-20,2025-01-22,icu,71
"""
WEEKLY = """\
week,month,service,available_beds,patients_request,patients_admitted,patients_refused,patient_satisfaction,staff_morale,event
1,1,emergency,4,10,8,2,80,70,flu
2,1,emergency,5,2,2,0,80,70,none
3,1,emergency,5,2,2,0,80,70,strike
4,1,emergency,6,2,2,0,80,70,none
2,1,ICU,2,1,1,0,70,60,donation
3,1,ICU,3,1,1,0,70,60,donation
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "input"
    path.mkdir()
    (path / "patients.csv").write_text(PATIENTS)
    (path / "services_weekly.csv").write_text(WEEKLY)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def files(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_services_become_wards_with_dated_beds(folder: Path, home: Path):
    config = HospitalBeds.read(folder).write_project(home, "mine")
    assert (config.id, config.ward_ids) == ("mine", ["emergency", "icu", "day_care"])
    assert config.patients.model_dump()["path"] == (folder / "patients.csv").as_posix()
    beds = {
        ward.id: [ward.beds_at(pd.Timestamp(day)) for day in ("2025-01-07", "2025-01-08", "2025-01-15", "2025-06-01")]
        for ward in config.wards
    }
    # weeks begin on 1, 8 and 15 January; before the first week of the ICU and after the last its beds stay
    assert beds == {"emergency": [4, 5, 5, 6], "icu": [2, 2, 3, 3], "day_care": [None] * 4}
    assert [ward.queue_limit for ward in config.wards] == [0, 0, None]
    assert "{from: 2025-01-08, to: 2025-01-22, capacity: 5}" in (home / "hospital_configs/mine.yml").read_text()


def test_patients_who_depart_after_the_last_day_are_still_in_the_hospital(folder: Path, home: Path):
    config = HospitalBeds.read(folder).write_project(home)
    history = load_history(config, home)
    assert history.as_of == pd.Timestamp("2025-01-21")
    assert len(history.patients) == 6
    there = history.patients[history.patients["departure"].isna()]
    assert sorted(there["stream_id"]) == ["emergency", "icu", "icu"]  # whose departures are of the next days
    assert there["departure_known"].all()
    assert history.patients["departure"].max() < history.as_of


def test_the_calendar_has_what_is_known_ahead(folder: Path, home: Path):
    config = HospitalBeds.read(folder).write_project(home)
    events = read_events(config.hospital, home)
    # no flu, which nobody knows ahead; in the third week one service has a strike and the other a donation
    assert events.index.min() == pd.Timestamp("2025-01-08")
    assert events.tolist() == ["donation"] * 7 + ["donation; strike"] * 7
    assert events.index.max() == pd.Timestamp("2025-01-21")


def test_strange_names_of_events_and_services_can_be_read_again(folder: Path, home: Path):
    weekly = WEEKLY.replace("strike", '"power; cut, ""main"""')
    (folder / "services_weekly.csv").write_text(weekly.replace("emergency", "true"))
    (folder / "patients.csv").write_text(PATIENTS.replace("emergency", "true").replace("Day Care", "12: {a}"))
    config = HospitalBeds.read(folder).write_project(home)
    assert read_events(config.hospital, home).iloc[-1] == 'donation; power, cut, "main"'
    assert config.ward_ids == ["icu", "12_a", "true"]
    assert config.patients.model_dump()["streams"] == {"ICU": "icu", "icu": "icu", "12: {a}": "12_a", "true": "true"}


def test_scenarios_have_the_patients_whom_the_file_lacks(folder: Path, home: Path):
    config = HospitalBeds.read(folder).write_project(home)
    admitted, requests = load_scenarios(home, config)
    assert (admitted.id, requests.id) == ("kaggle_all_admitted", "kaggle_all_requests")
    assert admitted.hospitals == requests.hospitals == ("kaggle",)
    # emergency: 3 in the file, in its three weeks 12 admitted, 14 requests; ICU: both of its patients are there
    assert {rule.streams: rule.factor for rule in admitted.arrival_scale} == {("emergency",): 4.0}
    assert {rule.streams: rule.factor for rule in requests.arrival_scale} == {("emergency",): 4.6667}


def test_without_weeks_beds_are_unlimited_and_an_earlier_call_leaves_nothing_behind(folder: Path, home: Path):
    HospitalBeds.read(folder).write_project(home)
    assert len(files(home)) == 4
    (folder / "services_weekly.csv").unlink()
    config = HospitalBeds.read(folder).write_project(home)
    assert files(home).keys() == {"hospital_configs/kaggle.yml"}
    assert config.hospital.events is None
    assert [ward.capacity for ward in config.wards] == [None] * 3


def test_a_path_below_the_project_is_relative_to_it(folder: Path):
    config = HospitalBeds.read(folder).write_project(folder.parent)
    assert config.patients.model_dump()["path"] == "input/patients.csv"


def test_no_file_of_somebody_else_is_overwritten(folder: Path, home: Path):
    data = HospitalBeds.read(folder)
    data.write_project(home)
    (home / "hospital_configs" / "scenarios" / "north_all_requests.yml").write_text("description: Mine\n")
    before = files(home)
    with pytest.raises(ConfigError, match=r"north_all_requests\.yml exists and was not written from the hospital-beds"):
        data.write_project(home, "north")
    with pytest.raises(ConfigError, match=r"^name 'Kaggle set': allowed: up to 47 lower-case letters"):
        data.write_project(home, "Kaggle set")
    assert files(home) == before
    assert data.write_project(home).id == "kaggle"
    assert files(home) == before


def test_a_file_that_cannot_be_written_changes_nothing(folder: Path, home: Path):
    data = HospitalBeds.read(folder)
    data.write_project(home)
    (folder / "services_weekly.csv").write_text(WEEKLY.replace("4,1,emergency,6", "4,1,emergency,7"))
    (home / "hospital_configs" / "scenarios" / ".kaggle_all_requests.yml.tmp").mkdir()
    before = files(home)
    with pytest.raises(DataError, match=r"\.tmp: cannot be written \(.*\); choose another folder"):
        HospitalBeds.read(folder).write_project(home)
    assert files(home) == before


def test_the_twin_turns_away_who_finds_no_bed(folder: Path, home: Path):
    """A ward of two beds and 14 requests a day: nobody waits, and the scenario with more patients refuses more."""
    days = pd.date_range("2025-01-01", "2025-04-01")  # 13 weeks
    rows = [f"P{n}_{day:%m%d},X,50,{day:%Y-%m-%d},{day + pd.Timedelta(days=1):%Y-%m-%d},emergency,70"
            for day in days for n in range(14)]  # fmt: skip
    header = PATIENTS.split("\n", 1)[0]
    (folder / "patients.csv").write_text("\n".join([header, *rows, ""]))
    weeks = [f"{week},1,emergency,2,196,98,98,80,70,none" for week in range(1, 14)]
    (folder / "services_weekly.csv").write_text("\n".join([WEEKLY.split("\n", 1)[0], *weeks, ""]))
    data = HospitalBeds.read(folder)
    config = data.write_project(home)
    scenarios = [load_scenario(home / "hospital_configs" / "scenarios" / "kaggle_all_requests.yml", config)]
    assert scenarios[0].arrival_scale[0].factor == 2.0
    wanted = ["scenario_comparison", "ward_performance"]
    tables = run_chain(config, home=home, scenarios=scenarios, tables=wanted, replications=20, workers=1)
    performance, comparison = tables["ward_performance"], tables["scenario_comparison"]
    assert performance.loc[performance["ward_id"] == "emergency", "wait_mean_hours"].max() == 0
    turned = comparison[(comparison["ward_id"] == "emergency") & (comparison["kpi"] == "turned_away")]
    assert turned["baseline"].item() > 10 * 28
    assert turned["difference"].item() == pytest.approx(14 * 28, rel=0.1)


def test_a_home_that_is_a_file_is_an_error(folder: Path, tmp_path: Path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(KaizarError, match="cannot be written"):
        HospitalBeds.read(folder).write_project(tmp_path / "file")
