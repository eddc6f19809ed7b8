"""The predecessor's hospitals and scenarios as its published files write them: they check, run and compare."""

import os
import re
from pathlib import Path
from shutil import copytree

import pandas as pd
import pytest
from typer.testing import CliRunner

from kaizar_pipeline import ConfigError, compare_scenarios, run_chain
from kaizar_pipeline.command.app import app
from kaizar_pipeline.config.files import load_hospital_config, load_scenarios, load_with_warnings
from kaizar_pipeline.config.legacy import LONG_HISTORY_DAYS, SHORT_HORIZON
from kaizar_pipeline.forecasting.features import LONG_HORIZON, MIN_DAYS_FOR_LONG_HORIZON
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables

HARBOUR = """\
simulation: {data_dir: data, horizon_days: 150, n_runs_mc: 50, sla_alpha: 0.1, random_seed: 7, service_default: surgery}
hospital: {name: Harbour, simulation_horizon_days: 150}
wards:
  - {id: SEH, type: ED, capacity: 12, los_model: {type: lognormal, params: {mu: -1.5, sigma: 0.6}}}
  - {id: WARD_C, type: WARD, capacity: 30, los_model: {type: from_data, params: {service: surgery}}}
  - {id: WARD_D, type: WARD, capacity: 40, los_model: {type: empirical_histogram, source: los_medicine.csv}}
  - {id: IC, type: ICU, capacity: 9, los_model: {type: from_data, params: {service: ICU}}}
patient_types: [{id: ACUTE, priority: 90}, {id: PLANNED, priority: 40}, {id: POSTOP, priority: 70}]
arrival_streams:
  - id: acute
    target_ward: SEH
    patient_type: ACUTE
    model: {type: ml_poisson, source: ed_arrivals.csv, seasonal_features: [dow, month]}
  - {id: planned, target_ward: WARD_C, patient_type: PLANNED, model: {type: schedule, pattern: Mon, mean_per_day: 2}}
routing:
  - from_ward: SEH
    patient_type: ACUTE
    options: [{to_ward: WARD_D, probability: 0.5}, {to_ward: IC, probability: 0.1}]
  - {from_ward: IC, patient_type: POSTOP, options: [{to_ward: WARD_C, probability: 0.8}]}
policies:
  overflow: [{ward: WARD_C, threshold: 0.9, redirect_to: WARD_D}]
  admission_stop: [{ward: WARD_C, threshold: 0.97, stop_types: [PLANNED]}]
"""

WINTER = """\
name: Winter
description: A quarter more
overrides:
  arrival_streams:
    - id: acute
      model: {scale_factor_by_month: {"12": 1.25, "1": 1.25, "2": 1.1}}
"""

FEWER = """\
name: Fewer beds
overrides: {wards: [{id: WARD_C, capacity: 8}]}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hospital_configs"
    (folder / "scenarios").mkdir(parents=True)
    (tmp_path / "workspace.yaml").touch()
    (folder / "harbour.yml").write_text(HARBOUR)
    (folder / "scenarios" / "winter.yml").write_text(WINTER)
    (folder / "scenarios" / "fewer_beds_wardC.yml").write_text(FEWER)
    monkeypatch.delenv("KAIZAR_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    write_extract(tmp_path / "data" / "raw" / "patients.csv")
    return tmp_path


def write_extract(path: Path, days: int = 120) -> None:
    """One patient a day of each of four services, who stays 1 to 4 days."""
    first = pd.Timestamp("2025-09-01")
    services = ("surgery", "emergency", "general_medicine", "ICU")
    rows = [
        {
            "patient_id": f"{service}{day}",
            "name": "never read",
            "arrival_date": f"{first + pd.Timedelta(days=day):%Y-%m-%d}",
            "departure_date": f"{first + pd.Timedelta(days=day + 1 + day % 4):%Y-%m-%d}",
            "service": service,
        }
        for day in range(days)
        for service in services
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)


def shown(home: Path) -> list[str]:
    _, warnings = load_with_warnings(home / "hospital_configs" / "harbour.yml")
    return [warning.removeprefix("hospital_configs/harbour.yml:") for warning in warnings]


@pytest.mark.unit
class TestHarbour:
    def test_everything_in_it_takes_effect(self, home: Path):
        config = load_hospital_config(home / "hospital_configs" / "harbour.yml")
        assert config.simulation.horizon_days == 28
        assert config.patients.model_dump()["path"] == "data/raw/patients.csv"
        assert config.patients.model_dump()["streams"] == {"emergency": "acute", "surgery": "planned", "ICU": "ICU"}
        los = {ward.id: ward.los_model.model_dump(exclude_none=True) for ward in config.wards}
        assert los["WARD_C"] == {"type": "from_data"}
        assert los["WARD_D"] == {"type": "from_data", "stays_of": "planned"}
        assert los["IC"] == {"type": "from_data", "stays_of": "ICU"}
        assert config.stream("ICU").model.model_dump() == {"type": "constant", "mean_per_day": 0}
        assert [route.from_ward for route in config.routes] == ["SEH"]
        assert config.policies.overflow[0].redirect_to == ("WARD_D",)

    def test_everything_that_it_does_is_told(self, home: Path):
        for expected in (
            "1: patients: read from data/raw/patients.csv",
            "1: patients: of services emergency, surgery, ICU; the rows of others are left out",
            "1: simulation.horizon_days 150 cut to 28: the extract covers 120 days, and more than 28 days ahead",
            "2: hospital.simulation_horizon_days read as simulation.horizon_days",
            "6: wards[2].los_model.source los_medicine.csv is not there: the records in data/raw/patients.csv are read",
            "6: wards[2].los_model: whole stays of service 'surgery', as the predecessor read them: time in other "
            "wards is counted twice",
            "13: arrival_streams[0].model.source ed_arrivals.csv is not there",
            "13: arrival_streams[0].model.source left out: forecast from the records of service 'emergency'",
            "13: arrival_streams[0].model.seasonal_features left out",
            "19: routing[1] left out: no stream and no route brings patients of type 'POSTOP' to 'IC'",
            "21: policies.overflow[0].redirect_to read as a list of one ward",
        ):
            assert any(line.startswith(expected) for line in shown(home)), (expected, shown(home))

    def test_patients_beside_their_folder_and_a_long_history(self, home: Path):
        write_extract(home / "data" / "patients.csv", days=500)
        config = load_hospital_config(home / "hospital_configs" / "harbour.yml")
        assert config.simulation.horizon_days == 150
        assert config.patients.model_dump()["path"] == "data/patients.csv"

    def test_a_refused_file_shows_what_was_translated(self, home: Path):
        path = home / "hospital_configs" / "harbour.yml"
        path.write_text(HARBOUR.replace("capacity: 12", "capacity: -12"))
        with pytest.raises(ConfigError) as raised:
            load_hospital_config(path)
        assert raised.value.errors == [
            "hospital_configs/harbour.yml:4: wards[0].capacity: found -12, allowed: 0 or more"
        ]
        assert any("redirect_to read as a list" in notice for notice in raised.value.warnings)
        result = CliRunner().invoke(app, ["check"])
        assert result.exit_code == 1
        assert "  hospital_configs/harbour.yml:21: policies.overflow[0].redirect_to read as" in result.stderr

    def test_our_own_spelling_refuses_the_route_of_nobody(self, home: Path, repository: Path):
        text = (repository / "hospital_configs" / "hospital_1.yml").read_text()
        for part, more in (
            ("routing", "from_ward: icu, patient_type: nobody, options: []"),
            ("patient_types", "id: nobody"),
        ):
            text = re.sub(rf"(^{part}:.*$)", rf"\1\n  - {{{more}}}", text, flags=re.MULTILINE)
        path = home / "hospital_configs" / "ours.yml"
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"routing\[0\].patient_type: no stream brings patients of type 'nobody'"):
            load_hospital_config(path)

    def test_two_horizons_are_one_too_many(self, home: Path):
        path = home / "hospital_configs" / "harbour.yml"
        path.write_text(HARBOUR.replace("simulation_horizon_days: 150", "simulation_horizon_days: 100"))
        with pytest.raises(ConfigError, match=r"2: hospital\.simulation_horizon_days: differs from"):
            load_hospital_config(path)

    def test_its_scenarios(self, home: Path):
        config = load_hospital_config(home / "hospital_configs" / "harbour.yml")
        fewer, winter = load_scenarios(home, config)
        assert (fewer.id, fewer.description, fewer.hospitals) == ("fewer_beds_wardC", "Fewer beds", ("harbour",))
        assert winter.description == "Winter: A quarter more"
        assert [(scale.streams, scale.months, scale.factor) for scale in winter.arrival_scale] == [
            (("acute",), (12, 1), 1.25), (("acute",), (2,), 1.1),
        ]  # fmt: skip
        assert winter.arrival_streams == ()

    def test_a_scenario_is_about_the_hospitals_that_have_its_parts(self, home: Path, repository: Path):
        (home / "hospital_configs" / "other.yml").write_bytes(
            (repository / "hospital_configs" / "hospital_1.yml").read_bytes()
        )
        result = CliRunner().invoke(app, ["check"])
        assert result.exit_code == 0, result.stderr
        assert "scenarios/winter.yml: ok, applies to harbour\n" in result.stdout
        assert "winter.yml:1: hospitals: harbour, which have the wards and streams that are named" in result.stdout
        other = load_hospital_config(home / "hospital_configs" / "other.yml")
        assert load_scenarios(home, other) == []

    def test_the_limits_are_those_of_the_forecast(self):
        assert (SHORT_HORIZON, LONG_HISTORY_DAYS) == (LONG_HORIZON, MIN_DAYS_FOR_LONG_HORIZON)


def run_and_compare(home: Path, hospital: str) -> dict[str, pd.DataFrame]:
    config = load_hospital_config(home / "hospital_configs" / f"{hospital}.yml")
    scenarios = load_scenarios(home, config)
    wanted = ["bed_requirements", "starting_census"]
    tables = run_chain(config, home=home, replications=4, workers=1, tables=wanted)
    start = StartingPoint(config, StartingTables.of(tables))
    compared = compare_scenarios(Experiment(start, 1), scenarios, replications=4)
    assert set(compared["scenario"]) == {scenario.id for scenario in scenarios}
    return tables


@pytest.mark.integration
def test_harbour_runs_and_compares(home: Path):
    tables = run_and_compare(home, "harbour")
    assert tables["patient_rejects"].empty  # services that feed no stream are no errors
    assert len(tables["patients"]) == 3 * 119
    lengths = tables["length_of_stay"]
    means = lengths[lengths["in_use"]].groupby("ward_id")["mean_hours"].first()
    assert means[["WARD_C", "WARD_D", "IC"]].tolist() == pytest.approx([60] * 3, rel=0.15)


@pytest.mark.integration
@pytest.mark.parametrize("hospital", ["city", "town"])
def test_the_published_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path, hospital: str):
    cases = Path(os.environ.get("KAIZAR_TEST_CASES", repository.parent / "shared" / "cases")) / "predecessor"
    if not cases.is_dir():
        pytest.skip(f"no published files: {cases} does not exist; set KAIZAR_TEST_CASES")
    monkeypatch.delenv("KAIZAR_HOME", raising=False)
    home = copytree(cases, tmp_path / "home")
    (home / "workspace.yaml").touch()
    monkeypatch.chdir(home)
    result = CliRunner().invoke(app, ["check"])
    assert result.exit_code == 0, result.stderr
    tables = run_and_compare(home, hospital)
    assert tables["patient_rejects"].empty
    assert (tables["patients"]["as_of"] == pd.Timestamp("2025-12-31")).all()
