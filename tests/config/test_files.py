"""A hospital's file becomes a checked hospital, or errors with place, what was found and what is allowed."""

from pathlib import Path
from time import perf_counter

import pytest

from kaizar_pipeline.config.files import (
    config_hash,
    find_home,
    hospital_file,
    hospital_files,
    load_hospital_config,
    load_with_warnings,
    misnamed_files,
)
from kaizar_pipeline.errors import ConfigError

pytestmark = pytest.mark.unit

GOOD = """\
hospital: {name: Test, timezone: Europe/Oslo, country: NO}
patients:
  source: synthetic
  history_start: 2026-01-01
  truth: {streams: {emergency: {mean_per_day: 6}}}
wards:
  - id: ed
    capacity: 4
    los_model: {type: fixed, params: {value: 5}}
  - id: ward
    capacity: 9
    los_model: {type: weibull, unit: days, params: {shape: 1.5, scale: 3}}
    capacity_changes: [{from: 2026-07-01, to: 2026-08-01, capacity: 6}]
patient_types: [{id: acute}]
arrival_streams:
  - {id: emergency, target_ward: ed, patient_type: acute, model: {type: ml_poisson}}
routing:
  - {from_ward: ed, options: [{to_ward: ward, probability: 0.5}]}
"""

TOP_KEYS = "hospital, patients, wards, patient_types, arrival_streams"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "hospital_configs").mkdir()
    (tmp_path / "workspace.yaml").touch()
    monkeypatch.delenv("KAIZAR_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(home: Path, content: str | bytes = GOOD, name: str = "x.yml") -> Path:
    path = home / "hospital_configs" / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def errors(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load_hospital_config(path)
    return [error.removeprefix("hospital_configs/x.yml:") for error in raised.value.errors]


def test_a_good_file_loads_with_its_stem_as_id_and_norway_as_its_country(home: Path):
    config = load_hospital_config(write(home))
    assert config.id == "x"
    assert config.hospital.country == "NO"
    assert config.wards[1].capacity_changes[0].start.isoformat() == "2026-07-01T00:00:00"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "weibull,",
            "weibul,",
            "12: wards[1].los_model.type: unknown 'weibul', did you mean 'weibull'?",
        ),
        (
            "type: weibull, ",
            "",
            "12: wards[1].los_model: missing key 'type', allowed values: "
            "empirical, exponential, fixed, from_data, gamma, lognormal, weibull",
        ),
        (
            "    capacity: 9",
            "    capcity: 9",
            [
                "10: wards[1]: missing key 'capacity' (Beds staffed; null: unlimited)",
                "11: wards[1].capcity: unknown key 'capcity', did you mean 'capacity'?",
            ],
        ),
        (
            "shape: 1.5, ",
            "shap: 1.5, ",
            [
                "12: wards[1].los_model.params: missing key 'shape' (Shape k, without unit)",
                "12: wards[1].los_model.params.shap: unknown key 'shap', did you mean 'shape'?",
            ],
        ),
        ("value: 5", "value: -5", "9: wards[0].los_model.params.value: found -5, allowed: 0 or more"),
        ("capacity: 4", "capacity: ten", "8: wards[0].capacity: found 'ten', allowed: a whole number"),
        (
            "capacity: 4",
            "capacity: '4'",
            "8: wards[0].capacity: found '4', allowed: a whole number; leave out the quotes",
        ),
        ("capacity: 4", "capacity: true", "8: wards[0].capacity: found true, allowed: a whole number"),
        ("capacity: 4", "capacity: -4", "8: wards[0].capacity: found -4, allowed: 0 or more"),
        (
            "probability: 0.5",
            "probability: 1.5",
            "18: routing[0].options[0].probability: found 1.5, allowed: 1 or less",
        ),
        (
            "to_ward: ward",
            "to_ward: wrd",
            "18: routing[0].options[0].to_ward: unknown ward 'wrd', did you mean 'ward'?",
        ),
        (
            "patient_type: acute",
            "patient_type: chronic",
            "16: arrival_streams[0].patient_type: unknown patient type 'chronic', allowed: acute",
        ),
        ("id: ward", "id: 7", "10: wards[1].id: found 7, allowed: text; put it in quotes to make it text"),
        (
            "id: ward",
            "id: a ward",
            "10: wards[1].id: found 'a ward', allowed: letters, digits, _ . and -, beginning with a letter or digit",
        ),
        ("[{id: acute}]", "acute", "14: patient_types: found 'acute', allowed: a list"),
        ("[{id: acute}]", "[]", "14: patient_types: found an empty list, allowed: a list of at least 1"),
        ("[{id: acute}]", "[acute]", "14: patient_types[0]: found 'acute', allowed: a mapping (key: value)"),
        (
            "{type: ml_poisson}",
            "ml_poisson",
            "16: arrival_streams[0].model: found 'ml_poisson', allowed: a mapping (key: value)",
        ),
        (
            "history_start: 2026-01-01",
            "history_start: 2026-13-01",
            "4: patients.history_start: found '2026-13-01', allowed: a date such as 2026-07-01 "
            "(month value is outside expected range of 1-12)",
        ),
        (
            "from: 2026-07-01",
            "from: summer",
            "13: wards[1].capacity_changes[0].from: found 'summer', "
            "allowed: a date, or a date and time such as 2026-07-01T08:00",
        ),
        ("    capacity: 4", "    id: emergency", "8: key 'id' appears twice, first on line 7"),
        ("wards:\n", "id: x\nwards:\n", "6: unknown key 'id': a hospital's id is the name of its file"),
        ("name: Test", "name: !!python/object:os.system x", "1: tag 'tag:yaml.org,2002:python/object:os.system'"),
        ("name: Test", "name: &loop [*loop]", "1: an alias contains itself"),
        ("name: Test", 'name: "a\\0b"', "1: text with a character that cannot be stored, such as \\0"),
        ("name: Test", 'name: "\\ud800"', "1: text with a character that cannot be stored"),
        (
            "mean_per_day: 6}",
            "mean_per_day: 6, overdispersoin: 0.02}",
            "5: patients.truth.streams.emergency.overdispersoin: unknown key 'overdispersoin', did you mean "
            "'overdispersion'?",
        ),
        (
            "mean_per_day: 6}}",
            "mean_per_day: 6}}, los: {ward: {type: fixed, param: {value: 3}}}",
            "5: patients.truth.los.ward.param: unknown key 'param', did you mean 'params'?",
        ),
        (
            "patient_type: acute, model: {type: ml_poisson}",
            'patient_type: acute, model: {type: constant, mean_per_day: 2}, scale_factor_by_month: {8: 1.1, "08": 1.2}',
            "16: arrival_streams[0].scale_factor_by_month: keys '8' and '08' are one month; give it once",
        ),
        (
            "patient_type: acute, model: {type: ml_poisson}",
            "patient_type: acute, model: {type: constant, mean_per_day: 2}, scale_factor_by_month: {1: 1.1, 1.0: 1.2}",
            "16: arrival_streams[0].scale_factor_by_month: keys '1' and '1.0' are one month; give it once",
        ),
        (
            "    capacity: 4",
            "\tcapacity: 4",
            "8: not valid YAML: while scanning for the next token, found character '\\t' that cannot start any token; "
            "indent with spaces, not tabs",
        ),
        (
            "  source: synthetic",
            "  source: synthetic: x",
            "3: not valid YAML: mapping values are not allowed here; "
            "check the indentation, and put text that holds ': ' in quotes",
        ),
        (
            "NO}",
            "'NO}",
            "not valid YAML: while scanning a quoted scalar that begins on line 1, found unexpected end of stream",
        ),
    ],
)
def test_an_error_is_named_with_its_line(home: Path, old: str, new: str, expected: str | list[str]):
    assert old in GOOD
    found = errors(write(home, GOOD.replace(old, new, 1)))
    if isinstance(expected, list):
        assert found == expected
    else:
        assert any(expected in error for error in found), found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("source: synthetic", 'source: csv\n  date_format: "{}"'),
        ("source: synthetic", "source: csv\n  encoding: {}"),
        ("timezone: Europe/Oslo", "timezone: {}"),
        ("country: NO", "country: NO, subdivision: {}"),
        ("country: NO", "country: {}"),
        ("type: weibull", "type: {}"),
        ("patient_type: acute", "patient_type: {}"),
        ("acute, model", "*{}, model"),
        ("acute, model", "&{0} a, x: &{0} b, model"),
        ("acute, model", "!<{}> a, model"),
        ("acute, model", "!{}!a a, model"),
        ("capacity: 4", "capacity: {}"),
        ("capacity: 4", "{}: 4"),
    ],
)
def test_a_message_does_not_repeat_a_long_text(home: Path, old: str, new: str):
    assert old in GOOD
    found = errors(write(home, GOOD.replace(old, new.format("x" * 1000), 1)))
    assert any("x" * 30 in error for error in found), found
    assert all("x" * 100 not in error for error in found), found


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", f"1: the file is empty, required keys: {TOP_KEYS}"),
        ("# only a comment\n", f"1: the file is empty, required keys: {TOP_KEYS}"),
        ("- a list\n", f"1: the file is not a mapping (key: value), required keys: {TOP_KEYS}"),
        (GOOD.replace("Test", "Café").encode("latin-1"), "1: not UTF-8 (byte 0xe9); save the file as UTF-8"),
        (GOOD + "name: a\0b", "19: not valid YAML: character #x0000 is not allowed"),
        ("[" * 5000, "1: lists or mappings are nested too deeply"),
    ],
    ids=["empty", "comment", "list", "latin-1", "control character", "deep"],
)
def test_a_file_that_is_not_a_hospital(home: Path, content: str | bytes, expected: str):
    assert errors(write(home, content)) == [expected]


@pytest.mark.parametrize(
    ("replications", "expected"),
    [
        ("1", "19: simulation.replications: found 1, allowed: 2 or more"),
        ("many", "19: simulation.replications: found 'many', allowed: a whole number"),
        ("'200'", "19: simulation.replications: found '200', allowed: a whole number; leave out the quotes"),
        (
            "{at_most: 100}",
            "19: simulation.replications: missing key 'precision' (Stop as soon as all of these are reached; checked "
            "after 100 replications, then each time their number doubles)",
        ),
        (
            "{at_most: 100, precision: {prob_full_hou: 0.1}}",
            "19: simulation.replications.precision.prob_full_hou: unknown key 'prob_full_hou', did you mean "
            "'prob_full_hour'?",
        ),
        (
            "{at_most: 100, precision: {prob_full_hour: 2}}",
            "19: simulation.replications.precision.prob_full_hour: found 2, allowed: less than 1",
        ),
        (
            "{at_most: 100, precision: {}}",
            "19: simulation.replications.precision: names no quantity, allowed: one or more of mean_census, "
            "prob_full_hour, wait_mean_hours",
        ),
    ],
)
def test_an_error_in_either_form_of_replications(home: Path, replications: str, expected: str):
    assert errors(write(home, GOOD + f"simulation: {{replications: {replications}}}\n")) == [expected]


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("from_dat", "arrival_streams[0].hourly_profile: unknown 'from_dat', did you mean 'from_data'?"),
        ("3", "arrival_streams[0].hourly_profile: found 3, allowed: a list"),
        ("[1, x]", "arrival_streams[0].hourly_profile[1]: found 'x', allowed: a number"),
        (
            "[1, 2]",
            "arrival_streams[0].hourly_profile: 2 numbers, allowed: 24 (hours of a day) or 168 (hours of a week)",
        ),
    ],
)
def test_an_error_in_either_form_of_an_hourly_profile(home: Path, profile: str, expected: str):
    (found,) = errors(write(home, GOOD.replace("target_ward: ", f"hourly_profile: {profile}, target_ward: ", 1)))
    assert found.partition(": ")[2] == expected


@pytest.mark.parametrize(
    ("routing", "expected"),
    [
        ("from_dat", "routing: unknown 'from_dat', did you mean 'from_data'?"),
        ("{}", "routing: found a mapping (key: value), allowed: a list"),
        ("[{options: []}]", "routing[0]: missing key 'from_ward' (Ward they leave)"),
        ("[{from_ward: ed, options: [{to_ward: ward}]}]", "routing[0].options[0]: missing key 'probability' "
         "(Share of patients who go there)"),
    ],
)  # fmt: skip
def test_an_error_in_either_form_of_routing(home: Path, routing: str, expected: str):
    good = GOOD[: GOOD.index("routing:")] + f"routing: {routing}\n"
    (found,) = errors(write(home, good))
    assert found.partition(": ")[2] == expected


def test_rows_in_place_of_learned_routes_belong_in_a_scenario(home: Path):
    (found,) = errors(write(home, GOOD + "given_routes: []\n"))
    assert "unknown key 'given_routes': rows in place of learned routes belong in a scenario's routing" in found


def test_all_errors_are_reported_in_the_order_of_the_file(home: Path):
    broken = GOOD.replace("capacity: 9", "capacity: -9").replace("0.5", "2").replace("source: synthetic", "sorce: csv")
    assert errors(write(home, broken)) == [
        "2: patients: missing key 'source', allowed values: csv, parquet, sql, synthetic",
        "11: wards[1].capacity: found -9, allowed: 0 or more",
        "18: routing[0].options[0].probability: found 2, allowed: 1 or less",
    ]


def test_errors_between_parts_are_reported_together(home: Path):
    broken = GOOD.replace("target_ward: ed", "target_ward: er").replace("to_ward: ward", "to_ward: icu")
    assert errors(write(home, broken)) == [
        "16: arrival_streams[0].target_ward: unknown ward 'er', allowed: ed, ward",
        "18: routing[0].options[0].to_ward: unknown ward 'icu', allowed: ed, ward",
    ]


def test_aliases_of_aliases_are_refused_at_once(home: Path):
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 10))
    began = perf_counter()
    (error,) = errors(write(home, "l0: &l0 x\n" + levels))
    assert error.endswith("more than 200,000 keys and values, aliases written out")
    assert perf_counter() - began < 5  # not the minutes and gigabytes of a billion values


def test_half_a_million_values_are_refused_at_once(home: Path):
    values = ", ".join(["1.5"] * 500_000)
    path = write(home, GOOD.replace("{value: 5}", f"{{values: [{values}]}}").replace("type: fixed", "type: empirical"))
    began = perf_counter()
    assert errors(path) == [" has 2,500,637 bytes, allowed: 1,000,000"]
    assert perf_counter() - began < 5


def test_messages_stay_short(home: Path):
    ward = "  - {{id: ward_{:03}, capacity: 3, los_model: {{type: fixed, params: {{value: 1}}}}}}\n"
    many = GOOD.replace("wards:\n", "wards:\n" + "".join(ward.format(number) for number in range(200)))
    (error,) = errors(write(home, many.replace("to_ward: ward", "to_ward: " + "q" * 60)))
    assert error.endswith("ward_009, and 190 more")
    found = errors(write(home, GOOD + "z" * 3000 + ": 1\n"))
    assert max(map(len, found)) < 300


def test_a_name_that_would_be_too_long_for_files_of_its_own(home: Path):
    (error,) = errors(write(home, name="h" * 61 + ".yml"))
    assert "allowed: up to 60 lower-case letters" in error
    assert load_hospital_config(write(home, name="h" * 60 + ".yml")).id == "h" * 60


def test_a_country_is_asked_for_its_part(home: Path):
    _, warnings = load_with_warnings(write(home, GOOD.replace("country: NO", "country: DE")))
    (warning,) = warnings
    assert warning.startswith(
        "hospital_configs/x.yml:1: hospital.country: in 17 of the 17 parts of DE there are public"
    )


@pytest.mark.parametrize("name", ["Ward 7.yml", "Upper.yml", "x.yaml", "a.b.yml"])
def test_a_file_whose_name_is_not_an_id_is_refused_and_left_out(home: Path, name: str):
    path = write(home, name=name)
    with pytest.raises(ConfigError, match=r"^hospital_configs/.*:1: the file's name is the hospital's id, allowed:"):
        load_hospital_config(path)
    assert hospital_files(home) == {}
    assert misnamed_files(home) == [path]


def test_a_missing_file_and_a_missing_hospital(home: Path):
    with pytest.raises(ConfigError, match=r"^hospital_configs/no\.yml: cannot be read: No such file or directory$"):
        load_hospital_config(home / "hospital_configs" / "no.yml")
    with pytest.raises(ConfigError, match=r"^no hospital in .*: add a file ID\.yml there$"):
        hospital_file(home, "no")
    write(home, name="north.yml")
    with pytest.raises(ConfigError, match=r"^unknown hospital 'nort', did you mean 'north'\?$"):
        hospital_file(home, "nort")


def test_hospitals_are_sorted_and_not_parsed(home: Path):
    for name in ("b.yml", "a.yml", "c_2.yml"):
        write(home, ": not yaml", name)
    assert list(hospital_files(home)) == ["a", "b", "c_2"]


def test_the_home_is_found_upwards_or_named(home: Path, monkeypatch: pytest.MonkeyPatch):
    below = home / "notebooks" / "deep"
    below.mkdir(parents=True)
    assert find_home(below) == home
    monkeypatch.setenv("KAIZAR_HOME", str(below))
    assert find_home() == below
    monkeypatch.setenv("KAIZAR_HOME", str(home / "gone"))
    with pytest.raises(ConfigError, match="which is not a folder"):
        find_home()
    monkeypatch.delenv("KAIZAR_HOME")
    (home / "workspace.yaml").unlink()
    with pytest.raises(ConfigError, match="kaizar init FOLDER"):
        find_home()


def test_the_hash_ignores_comments_and_order_and_sees_every_change(home: Path):
    plain = config_hash(load_hospital_config(write(home)))
    top, rest = GOOD.split("\n", 1)
    assert len(plain) == 16
    assert config_hash(load_hospital_config(write(home, f"# note\n{rest}{top}\n"))) == plain
    assert config_hash(load_hospital_config(write(home, GOOD.replace("0.5", "0.51")))) != plain
