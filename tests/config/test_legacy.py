"""The predecessor's files: they load with a warning for every translation and run, or are refused."""

from collections.abc import Callable
from math import exp
from pathlib import Path
from shutil import copyfile

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from kaizar_pipeline import ConfigError, DataError, run_chain
from kaizar_pipeline.command.app import app
from kaizar_pipeline.config.document import read_document
from kaizar_pipeline.config.files import load_hospital_config, load_with_warnings
from kaizar_pipeline.config.legacy import translate_hospital
from kaizar_pipeline.config.legacy_scenario import translate_scenario
from kaizar_pipeline.config.translation import Translation

FILES = Path(__file__).parent / "legacy"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "hospital_configs").mkdir()
    (tmp_path / "workspace.yaml").touch()
    monkeypatch.delenv("KAIZAR_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    for name in ("north.yml", "south.yml"):
        copyfile(FILES / name, tmp_path / "hospital_configs" / name)
    return tmp_path


@pytest.fixture
def change(home: Path) -> Callable[..., Path]:
    """One of the files with a piece of its text replaced."""

    def make(name: str, old: str, new: str) -> Path:
        path = home / "hospital_configs" / f"{name}.yml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return path

    return make


@pytest.fixture
def extract() -> Callable[[Path, dict[str, float]], None]:
    """Writes an extract as the predecessor read it: days only, so many patients a day per service."""

    def write(path: Path, per_day: dict[str, float]) -> None:
        generator = np.random.default_rng(1)
        days = pd.date_range("2026-01-01", "2026-06-30")
        arrivals = [
            (day, service) for day in days for service, mean in per_day.items() for _ in range(generator.poisson(mean))
        ]
        frame = pd.DataFrame(arrivals, columns=["arrival_date", "service"])
        stay = pd.to_timedelta(generator.poisson(2, len(frame)), unit="D")
        departure = frame["arrival_date"] + stay
        frame["departure_date"] = departure.where(departure <= days[-1])
        frame["patient_id"] = [f"p{n}" for n in range(len(frame))]
        frame["name"] = "never read"
        path.parent.mkdir(parents=True)
        frame.to_csv(path, index=False, date_format="%Y-%m-%d")

    return write


@pytest.mark.unit
class TestNorth:
    def test_everything_in_it_takes_effect(self, home: Path):
        config = load_hospital_config(home / "hospital_configs" / "north.yml")
        assert (config.hospital.name, config.hospital.timezone, config.hospital.country) == (
            "Noord", "Europe/Amsterdam", "NL",
        )  # fmt: skip
        wards = {ward.id: ward for ward in config.wards}
        assert wards["SEH"].type == "ED"
        assert {ward.capacity for ward in config.wards} == {14, 12, 30, 7}
        assert {ward.boarding for ward in config.wards} == {"release"}
        los = {name: ward.los_model.model_dump(exclude_none=True) for name, ward in wards.items()}
        mean = exp(-1.9 + 0.18)
        assert los["SEH"]["params"] == pytest.approx({"mean": mean, "sd": mean * (exp(0.36) - 1) ** 0.5})
        assert los["KLN"]["params"] == pytest.approx({"mean": 4.5, "sd": 3 * 1.5**0.5})
        assert los["IC"]["params"] == {"shape": 1.2, "scale": 2.5}
        assert {los[name]["unit"] for name in ("SEH", "KLN", "IC")} == {"days"}
        assert los["OK"] == {"type": "from_data"}
        routes = {route.from_ward: {o.to_ward: o.probability for o in route.options} for route in config.routes}
        assert routes == {"SEH": {"KLN": 0.3, "IC": 0.05}, "IC": {"KLN": 0.5}}
        simulation = config.simulation
        assert (simulation.replications, simulation.seed, simulation.horizon_days) == (40, 11, 7)
        assert (simulation.risk_target, simulation.risk_event) == (0.05, "horizon_peak")
        assert [(s.id, s.target_ward, s.model.type) for s in config.arrival_streams] == [
            ("SEH", "SEH", "ml_poisson"), ("OK", "OK", "ml_poisson"),
        ]  # fmt: skip
        assert config.patients.model_dump()["path"] == "data/north/patients.csv"
        assert config.patients.model_dump()["streams"] == {"emergency": "SEH", "surgery": "OK"}

    def test_every_translation_is_a_warning_with_its_line(self, home: Path):
        _, warnings = load_with_warnings(home / "hospital_configs" / "north.yml")
        shown = [warning.removeprefix("hospital_configs/north.yml:") for warning in warnings]
        assert shown == sorted(shown, key=lambda warning: int(warning.partition(":")[0]))
        for expected in (
            "2: hospital.country taken to be NL; give it if that is wrong",
            "4: wards[0].type SEH read as ED",
            "4: wards[0].los_model.params mu, sigma read as mean and sd",
            "4: wards[0].los_model: in days",
            "5: wards[1].los_model.type empirical_histogram read as from_data",
            "6: wards[2].capacity 30 from simulation.capacity_default",
            "7: wards[3]: boarding release, the predecessor's rule; hold is closer to most hospitals",
            "8: routes read as routing; what went to EXIT is what the probabilities leave of 1",
            "12: simulation.n_runs_mc read as replications",
            "13: simulation.random_seed read as seed",
            "14: simulation.sla_alpha read as risk_target with risk_event: horizon_peak",
            "16: patients: read from data/north/patients.csv, columns patient_id, arrival_date, departure_date, "
            "service",
            "18: seasonal_features left out: the forecast learns the seasons itself",
        ):
            assert expected in shown

    def test_check_shows_the_warnings(self, home: Path):
        result = CliRunner().invoke(app, ["check"])
        assert result.exit_code == 1  # the extracts are not there
        assert "data/north/patients.csv: cannot be read" in result.stderr
        assert "north.yml: ok, 4 wards, 2 streams\n  hospital_configs/north.yml:1: " in result.stdout
        assert "  hospital_configs/south.yml:" in result.stdout

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            ("p: 0.3}", "p: 1.3}", "9: routes[0].to: probabilities with EXIT add up to 2, not to 1"),
            ("id: KLN, p: 0.3", "id: KLM, p: 0.3", "9: routing[0].options[0].to_ward: unknown ward 'KLM'"),
            ("mu: -1.9", "mu: low", "4: wards[0].los_model.params.mu: unknown key 'mu', allowed: mean, sd"),
            ("sla_alpha: 0.05", "sla_alpha: 0.95", "14: simulation.risk_target: found 0.95, allowed: 0.5 or less"),
            ("n_runs_mc: 40", "n_runs_mc: 1", "12: simulation.replications: found 1, allowed: 2 or more"),
            ("random_seed", "random_state", "13: simulation.random_state: unknown key 'random_state'"),
            ("seasonal_features:", "processtime_factors:", "18: processtime_factors: unknown key"),
            (
                "{type: gamma, params: {shape: 1.5, scale: 3}}",
                "{type: empirical_histogram}",
                "6: wards[2].los_model: only routes lead to 'KLN', so the extract has no stays of its own",
            ),
            ("service: surgery, los", "service: emergency, los", "'emergency' feeds stream 'SEH' already"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_translated_is_refused(self, change, old: str, new: str, expected: str):
        with pytest.raises(ConfigError) as raised:
            load_hospital_config(change("north", old, new))
        assert any(expected in error for error in raised.value.errors), raised.value.errors


@pytest.mark.unit
def test_a_file_that_does_not_say_where_its_patients_are_is_refused(change):
    with pytest.raises(ConfigError, match="missing key 'patients'"):
        load_hospital_config(change("south", "  data_dir: data/south/\n", ""))


@pytest.mark.unit
def test_two_extracts_are_one_too_many(change):
    ward = "{id: theatre, capacity: 16, service: surgery, los_model: {type: exponential, params: {mean: 2.5}}}"
    path = change("south", ward, ward.replace("exponential, params: {mean: 2.5}", "empirical_histogram, source: b.csv"))
    path.write_text(
        path.read_text().replace("empirical_histogram, params", "empirical_histogram, source: a.csv, params")
    )
    with pytest.raises(ConfigError, match=r"4: wards\[1\].los_model.source: one extract is read, .* names 'a.csv'"):
        load_hospital_config(path)


@pytest.mark.unit
@pytest.mark.parametrize(
    "garbage",
    [
        "wards: 3",
        "wards: [3, {los_model: 4}]\nroutes: 5",
        "simulation: 3\nroutes: [{to: [1]}]",
        "wards: [{id: [a], service: x}]\nroutes: [{from: a, to: [{id: [b], p: 1}]}]",
    ],
)
def test_garbage_is_left_for_the_check(home: Path, garbage: str):
    path = home / "hospital_configs" / "x.yml"
    path.write_text(f"seasonal_features: []\n{garbage}\n")
    with pytest.raises(ConfigError):
        load_hospital_config(path)


@pytest.mark.unit
def test_todays_files_stay_as_they_are(repository: Path):
    for path in (repository / "hospital_configs").glob("*.yml"):
        document = read_document(path, path.name)
        translation = translate_hospital(document, path.stem, repository)
        assert translation.document is document
        assert translation.warnings == []


def scenario(name: str) -> Translation:
    return translate_scenario(read_document(FILES / name, name), dict)


@pytest.mark.unit
class TestScenarios:
    def test_processing_times_become_a_scale_of_stays(self):
        translation = scenario("slower_care.yml")
        assert translation.document.values == {
            "description": "Everything takes longer in the emergency department and on the ward.",
            "hospitals": ["north"],
            "los_scale": [{"wards": ["SEH"], "factor": 1.2}, {"wards": ["KLN"], "factor": 1.1}],
        }
        assert translation.warnings == [
            (3, "processtime_factors.SEH read as los_scale"), (3, "processtime_factors.KLN read as los_scale"),
        ]  # fmt: skip
        assert translation.document.line(("los_scale", 1, "factor")) == 3

    def test_routes_and_stays_as_in_a_hospital(self):
        translation = scenario("straight_home.yml")
        values = translation.document.values
        assert values["routing"] == [
            {
                "from_ward": "SEH",
                "options": [{"to_ward": "KLN", "probability": 0.2}, {"to_ward": "IC", "probability": 0.05}],
            }
        ]
        (ward,) = values["wards"]
        assert set(ward) == {"id", "los_model"}
        assert ward["los_model"]["unit"] == "days"
        assert ward["los_model"]["params"]["mean"] == pytest.approx(exp(0.5 + 0.32))
        assert [line for line, _ in translation.warnings] == [3, 6, 6]


@pytest.mark.integration
class TestRuns:
    def test_north_runs_through_the_chain(self, home: Path, extract):
        extract(home / "data" / "north" / "patients.csv", {"emergency": 5, "surgery": 2})
        config = load_hospital_config(home / "hospital_configs" / "north.yml")
        tables = run_chain(
            config, home=home, as_of="2026-06-15", workers=1, tables=["bed_requirements", "occupancy_distributions"]
        )
        hours = tables["occupancy_distributions"]
        assert set(hours["ward_id"]) == {"SEH", "OK", "KLN", "IC", "_hospital"}
        assert (tables["bed_requirements"]["risk_target"] == 0.05).all()
        assert set(tables["daily_arrivals"]["stream_id"]) == {"SEH", "OK"}
        assert hours.loc[hours["ward_id"] == "OK", "mean"].mean() == pytest.approx(2 * 2, rel=0.5)

    def test_south_runs_through_the_chain(self, home: Path, extract):
        extract(home / "data" / "south" / "patients.csv", {"emergency": 3, "surgery": 4})
        config = load_hospital_config(home / "hospital_configs" / "south.yml")
        tables = run_chain(config, home=home, as_of="2026-06-15", workers=1, tables=["ward_performance"])
        assert set(tables["ward_performance"]["ward_id"]) == {"admissions", "theatre", "_hospital"}
        assert tables["patient_rejects"].empty

    def test_missing_data_fail_the_run_not_the_load(self, home: Path):
        config = load_hospital_config(home / "hospital_configs" / "south.yml")
        with pytest.raises(DataError, match=r"data/south/patients\.csv"):
            run_chain(config, home=home)
