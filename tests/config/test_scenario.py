"""A scenario's file becomes a checked scenario, or errors with place, what was found and what is allowed."""

from pathlib import Path

import pytest

from kaizar_pipeline.config.files import (
    check_scenario,
    load_hospital_config,
    load_scenario,
    load_scenarios,
    misnamed_files,
    scenario_files,
)
from kaizar_pipeline.config.hospital import Policies
from kaizar_pipeline.config.scenario import POLICY_SUBJECTS, PolicyOverrides
from kaizar_pipeline.config.scenario_rules import merged
from kaizar_pipeline.errors import ConfigError

pytestmark = pytest.mark.unit

HOSPITAL = """\
hospital: {name: Test, timezone: Europe/Amsterdam, country: NL}
patients:
  source: synthetic
  history_start: 2026-01-01
  truth: {streams: {emergency: {mean_per_day: 6}}}
wards:
  - {id: ed, capacity: 4, los_model: {type: fixed, params: {value: 5}}}
  - {id: ward, capacity: 9, weekday_capacity: {Sun: 7}, los_model: {type: fixed, params: {value: 50}}}
  - {id: hotel, capacity: null, los_model: {type: fixed, params: {value: 50}}}
patient_types: [{id: acute}, {id: planned}]
arrival_streams:
  - {id: emergency, target_ward: ed, patient_type: acute, model: {type: ml_poisson}}
  - {id: surgery, target_ward: ward, patient_type: planned, model: {type: constant, mean_per_day: 1}}
routing:
  - {from_ward: ed, options: [{to_ward: ward, probability: 0.5}]}
policies:
  overflow: [{ward: ward, redirect_to: [hotel]}]
"""

HEAD = "description: What if\nhospitals: [x]\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "hospital_configs" / "scenarios").mkdir(parents=True)
    (tmp_path / "workspace.yaml").touch()
    (tmp_path / "hospital_configs" / "x.yml").write_text(HOSPITAL)
    monkeypatch.delenv("KAIZAR_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(home: Path, content: str, name: str = "s.yml") -> Path:
    path = home / "hospital_configs" / "scenarios" / name
    path.write_text(content)
    return path


def errors(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        check_scenario(path)
    return [error.removeprefix("hospital_configs/scenarios/s.yml:") for error in raised.value.errors]


def test_a_scenario_of_every_part(home: Path):
    path = write(
        home,
        HEAD
        + """\
wards: [{id: ward, boarding: release, discharge_delay: null}]
add_wards: [{id: new, capacity: 3, los_model: {type: fixed, params: {value: 50}}}]
arrival_streams: [{id: surgery, model: {type: schedule, pattern: Mon, mean_per_day: 4}}]
routing: [{from_ward: ed, patient_type: acute, options: [{to_ward: new, probability: 0.25}]}]
policies: {overflow: [{ward: ward, threshold: 0.9, redirect_to: [new, hotel]}]}
arrival_scale: [{factor: 1.5, streams: [emergency], from: 2026-12-01, to: 2026-12-08}]
los_scale: [{factor: 0.9, wards: [ward], patient_types: [acute]}]
capacity_overrides: [{ward: ed, change: -1, from: 2026-12-01T08:00}, {ward: ward, capacity: 5, to: 2026-12-01}]
""",
    )
    assert check_scenario(path) == ["x"]
    scenario = load_scenario(path)
    assert scenario.id == "s"
    assert scenario.los_scale[0].wards == ("ward",)
    assert scenario.capacity_overrides[0].start is not None
    assert scenario.capacity_overrides[0].start.isoformat() == "2026-12-01T08:00:00"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (HEAD + "wards: [{id: wrd}]", "3: wards[0].id: unknown ward 'wrd', did you mean 'ward'? (x)"),
        (
            HEAD + "arrival_streams: [{id: surgry}]",
            "3: arrival_streams[0].id: unknown stream 'surgry', did you mean 'surgery'? (x)",
        ),
        (
            HEAD + "arrival_scale: [{factor: 2, streams: [emergancy]}]",
            "3: arrival_scale[0].streams[0]: unknown stream 'emergancy', did you mean 'emergency'? (x)",
        ),
        (
            HEAD + "arrival_scale: [{factor: 2, wards: [hotel]}]",
            "3: arrival_scale[0].wards[0]: no stream of arrivals asks for ward 'hotel' (x)",
        ),
        (
            HEAD + "los_scale: [{factor: 2, patient_types: [accute]}]",
            "3: los_scale[0].patient_types[0]: unknown patient type 'accute', did you mean 'acute'? (x)",
        ),
        (
            HEAD + "capacity_overrides: [{ward: icu, capacity: 3}]",
            "3: capacity_overrides[0].ward: unknown ward 'icu', allowed: ed, ward, hotel (x)",
        ),
        (
            HEAD + "routing: [{from_ward: ed, options: [{to_ward: wart, probability: 1}]}]",
            "3: routing[0].options[0].to_ward: unknown ward 'wart', did you mean 'ward'? (x)",
        ),
        (
            HEAD + "policies: {admission_stop: [{ward: ed, threshold: 1, stop_types: [planed]}]}",
            "3: policies.admission_stop[0].stop_types[0]: unknown patient type 'planed', did you mean 'planned'? (x)",
        ),
        (
            "description: What if\nhospitals: [y]\narrival_scale: [{factor: 2}]",
            "2: hospitals[0]: unknown hospital 'y', allowed: x",
        ),
        (
            "description: What if\nwards: [{id: ward}]",
            "1: hospitals: is required, since wards name parts of a hospital: list the hospitals meant",
        ),
        ("hospitals: [x]", "1: missing key 'description' (What the scenario is, for people)"),
        (
            HEAD,
            "1: changes nothing, allowed: one or more of wards, add_wards, arrival_streams, routing, policies, "
            "arrival_scale, los_scale, capacity_overrides",
        ),
        (HEAD + "policies: {overflow: []}", "1: changes nothing, allowed: one or more of wards"),
        (
            HEAD + "simulation: {seed: 3}",
            "3: unknown key 'simulation': a scenario changes wards, streams, routing, policies and lengths of stay, "
            "never simulation",
        ),
        (HEAD + "ward: []", "3: ward: unknown key 'ward', did you mean 'wards'?"),
        (HEAD + "capacity_overrides: [{ward: ed}]", "3: capacity_overrides[0]: give either capacity (beds) or change"),
        (
            HEAD + "capacity_overrides: [{ward: ed, change: -5}]",
            "3: capacity_overrides[0].change: ward 'ed' has as few as 4 beds, so 5 fewer is not possible (x)",
        ),
        (
            HEAD + "capacity_overrides: [{ward: ward, change: -8}]",
            "3: capacity_overrides[0].change: ward 'ward' has as few as 7 beds, so 8 fewer is not possible (x)",
        ),
        (
            HEAD + "capacity_overrides: [{ward: hotel, capacity: 8}]",
            "3: capacity_overrides[0]: ward 'hotel' has unlimited beds; give it beds in wards, by `capacity` (x)",
        ),
        (
            HEAD + "capacity_overrides: [{ward: ed, capacity: 3, from: 2026-12-02, to: 2026-12-02}]",
            "3: capacity_overrides[0].to: is not after `from`",
        ),
        (
            HEAD + "capacity_overrides: [{ward: ed, capacity: 3, from: 2026-12-02T00:00Z}]",
            "3: capacity_overrides[0].from: has a time zone; give local time without one",
        ),
        (
            HEAD + "los_scale: [{factor: 0.9, from: 2026-12-02}]",
            "3: los_scale[0]: a length of stay is drawn on arrival",
        ),
        (HEAD + "los_scale: [{factor: 0}]", "3: los_scale[0].factor: found 0, allowed: more than 0"),
        (HEAD + "los_scale: [{factor: 1, wards: ed}]", "3: los_scale[0].wards: found 'ed', allowed: a list"),
        (
            HEAD + "arrival_scale: [{factor: 1.1, streams: [surgery], wards: [ed]}]",
            "3: arrival_scale[0]: names streams and wards; name one of them, or neither for all streams",
        ),
        (
            HEAD + "arrival_streams: [{id: surgery, model: {type: ml_poisson}}]",
            "3: arrival_streams[0].model.type: unknown 'ml_poisson', allowed: constant, schedule",
        ),
        (
            HEAD + "arrival_streams: [{id: emergency, scale_factor_by_month: {12: 2}}]",
            "3: arrival_streams[0].scale_factor_by_month: not for ml_poisson",
        ),
        (
            HEAD + "add_wards: [{id: ward, capacity: 1, los_model: {type: fixed, params: {value: 1}}}]",
            "3: add_wards[0].id: 'ward' is already the id of wards[1] (x)",
        ),
        (
            HEAD + "add_wards: [{id: new, capacity: 1, los_model: {type: from_data}}]",
            "3: add_wards[0].los_model: from_data, but a new ward has no data; give a distribution (x)",
        ),
        (
            HEAD + "wards: [{id: ward, capacity: null}]",
            "3: wards[0].capacity: null means unlimited, and then beds cannot change",
        ),
        (
            HEAD + "routing: [{from_ward: ward, options: [{to_ward: ward, probability: 1}]}]",
            "3: routing: makes an impossible hospital: routing: patients of type 'acute' never go home from ward",
        ),
        (
            HEAD + "wards:\n  - {id: ed, capacity: 3}\n  - {id: ed, boarding: release}",
            "5: wards[1]: repeats the subject of wards[0]; give it once",
        ),
        ("- a list", "1: the file is not a mapping (key: value), required keys: description"),
    ],
)
def test_an_error_is_named_with_its_line(home: Path, content: str, expected: str):
    found = errors(write(home, content))
    assert any(error.startswith(expected) for error in found), found


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "arrival_scale:\n  - {factor: 1.1}\n  - {factor: 1.2, streams: [surgery], from: 2026-12-01}",
            "5: arrival_scale[1]: arrival_scale[0] holds for the same stream (surgery) at the same time",
        ),
        (
            "arrival_scale: [{factor: 2, wards: [ward], to: 2026-12-02}, {factor: 1, from: 2026-12-01}]",
            "3: arrival_scale[1]: arrival_scale[0] holds for the same stream (surgery) at the same time",
        ),
        (
            "los_scale: [{factor: 2, wards: [ed]}, {factor: 3, patient_types: [acute]}]",
            "3: los_scale[1]: los_scale[0] holds for the same ward and patient type (ed, acute) at the same time",
        ),
        (
            "capacity_overrides: [{ward: ed, capacity: 3}, {ward: ed, change: 2, from: 2026-12-02}]",
            "3: capacity_overrides[1]: capacity_overrides[0] holds for the same ward (ed) at the same time",
        ),
        (
            "wards: [{id: ed, capacity: 3}]\ncapacity_overrides: [{ward: ed, change: 1}]",
            "4: capacity_overrides[0]: wards[0] sets the beds of 'ed' already; give it once (x)",
        ),
        (
            "wards: [{id: ed, los_model: {type: fixed, params: {value: 3}}}]\nlos_scale: [{factor: 2}]",
            "4: los_scale[0]: wards[0] sets lengths of stay in 'ed' already; give it once (x)",
        ),
        (
            "arrival_streams: [{id: surgery, model: {type: constant, mean_per_day: 2}}]\narrival_scale: [{factor: 2}]",
            "4: arrival_scale[0]: arrival_streams[0] sets the arrivals of 'surgery' already; give it once (x)",
        ),
    ],
)
def test_two_rules_about_one_thing_at_one_time_contradict(home: Path, content: str, expected: str):
    found = errors(write(home, HEAD + content))
    assert len(found) == 1
    assert found[0].startswith(expected), found


def test_rules_that_follow_one_another_do_not_contradict(home: Path):
    rules = "[{ward: ed, capacity: 3, to: 2026-12-01}, {ward: ed, change: 2, from: 2026-12-01}]"
    assert check_scenario(write(home, HEAD + f"capacity_overrides: {rules}")) == ["x"]


def test_all_errors_are_reported(home: Path):
    content = (
        HEAD
        + "wards: [{id: wrd}]\nlos_scale: [{factor: 2, wards: [icu]}]\ncapacity_overrides: [{ward: ed, change: -9}]"
    )
    assert [error.split(":")[:2] for error in errors(write(home, content))] == [
        ["3", " wards[0].id"], ["4", " los_scale[0].wards[0]"], ["5", " capacity_overrides[0].change"],
    ]  # fmt: skip


def test_a_nameless_scenario_is_about_every_hospital(home: Path):
    (home / "hospital_configs" / "y.yml").write_text(HOSPITAL)
    assert check_scenario(write(home, "description: Ten percent more\narrival_scale: [{factor: 1.1}]")) == ["x", "y"]


def test_the_scenarios_of_a_hospital(home: Path):
    (home / "hospital_configs" / "y.yml").write_text(HOSPITAL)
    hospital = load_hospital_config(home / "hospital_configs" / "x.yml")
    assert load_scenarios(home, hospital) == []
    with pytest.raises(ConfigError, match=r"^no scenario in .*scenarios: add a file NAME\.yml there$"):
        load_scenarios(home, hospital, ["winter"])
    write(home, "description: All\nlos_scale: [{factor: 1.1}]", "all.yml")
    write(home, HEAD + "wards: [{id: ed, capacity: 3}]", "mine.yml")
    write(home, "description: Not x\nhospitals: [y]\nnonsense: 3", "theirs.yml")
    assert [scenario.id for scenario in load_scenarios(home, hospital)] == ["all", "mine"]
    assert [scenario.id for scenario in load_scenarios(home, hospital, ["mine"])] == ["mine"]
    with pytest.raises(ConfigError, match=r"^unknown scenario 'min', did you mean 'mine'\?$"):
        load_scenarios(home, hospital, ["min"])
    with pytest.raises(ConfigError, match=r"^scenario theirs is about y, not x$"):
        load_scenarios(home, hospital, ["theirs"])
    write(home, HEAD + "wards: [{id: wrd}]", "mine.yml")
    with pytest.raises(ConfigError, match=r"mine\.yml:3: wards\[0\]\.id: unknown ward 'wrd'"):
        load_scenarios(home, hospital)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("No Id.yml", "the file's name is the scenario's id"),
        ("baseline.yml", "'baseline' is the unchanged hospital; rename the file"),
    ],
)
def test_names_that_no_scenario_can_have(home: Path, name: str, expected: str):
    path = write(home, HEAD, name)
    assert any(expected in error for error in errors(path))
    assert misnamed_files(home, "scenarios") == ([path] if name == "No Id.yml" else [])
    assert "No Id" not in scenario_files(home)


RULES = {
    "priorities": {"ward": "ward", "patient_type": "planned", "priority": 7},
    "overflow": {"ward": "ward", "threshold": 0.5, "redirect_to": ["hotel"]},
    "admission_stop": {"ward": "ward", "threshold": 0.5, "stop_types": ["planned"]},
}


@pytest.mark.parametrize("name", PolicyOverrides.model_fields)
class TestEveryPolicy:
    """Each kind of rule takes effect, replaces the hospital's rule about the same, and is refused when given twice."""

    def test_takes_effect(self, home: Path, name: str):
        hospital = load_hospital_config(home / "hospital_configs" / "x.yml")
        scenario = load_scenario(write(home, f"{HEAD}policies: {{{name}: [{RULES[name]}]}}"), hospital)
        (rule,) = getattr(scenario.policies, name)
        once, _ = merged(hospital, scenario)
        assert rule in getattr(once.policies, name)
        twice, _ = merged(once, scenario)
        assert getattr(twice.policies, name) == getattr(once.policies, name)

    def test_is_given_once(self, home: Path, name: str):
        path = write(home, f"{HEAD}policies: {{{name}: [{RULES[name]}, {RULES[name]}]}}")
        assert errors(path) == [f"3: policies.{name}[1]: repeats the subject of {name}[0]; give it once"]


def test_policies_of_a_scenario_are_those_of_a_hospital():
    assert PolicyOverrides.model_fields.keys() == Policies.model_fields.keys() == POLICY_SUBJECTS.keys()


def test_a_ward_may_have_several_stops_for_other_types(home: Path):
    stops = [RULES["admission_stop"], {**RULES["admission_stop"], "threshold": 0.9, "stop_types": ["acute"]}]
    assert check_scenario(write(home, f"{HEAD}policies: {{admission_stop: {stops}}}")) == ["x"]


def test_a_rule_for_patients_who_are_never_there_is_refused_and_the_hospitals_own_may_idle(home: Path):
    priority = {"ward": "ed", "patient_type": "planned", "priority": 7}
    (error,) = errors(write(home, f"{HEAD}policies: {{priorities: [{priority}]}}"))
    assert error.startswith("3: policies.priorities[0].patient_type: patients of type 'planned' are never in ward 'ed'")
    path = home / "hospital_configs" / "x.yml"
    own = "policies:\n  priorities: [{ward: ward, patient_type: acute, priority: 1}]\n"
    path.write_text(HOSPITAL.replace("policies:\n", own))
    assert check_scenario(write(home, HEAD + "routing: [{from_ward: ed, patient_type: acute, options: []}]")) == ["x"]


def test_scales_of_other_months_do_not_meet(home: Path):
    winter, summer = "{factor: 1.2, months: [12, 1, 2]}", "{factor: 0.8, months: [7, 8]}"
    assert check_scenario(write(home, f"{HEAD}arrival_scale: [{winter}, {summer}]")) == ["x"]
    (error,) = errors(write(home, f"{HEAD}arrival_scale: [{winter}, {summer.replace('7', '1')}]"))
    assert error.startswith("3: arrival_scale[1]: arrival_scale[0] holds for the same stream")
    (error,) = errors(write(home, f"{HEAD}arrival_scale: [{{factor: 2, months: [13]}}]"))
    assert error == "3: arrival_scale[0].months[0]: found 13, allowed: 12 or less"


def test_a_scenario_may_have_a_name_with_capitals(home: Path):
    assert load_scenario(write(home, HEAD + "arrival_scale: [{factor: 2}]", "Fewer_bedsC.yml")).id == "Fewer_bedsC"
    assert list(scenario_files(home)) == ["Fewer_bedsC"]
    with pytest.raises(ConfigError, match="'baseline' is the unchanged hospital"):
        load_scenario(write(home, HEAD + "arrival_scale: [{factor: 2}]", "Baseline.yml"))
