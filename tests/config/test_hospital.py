"""Rules that span several parts of a hospital: a broken one is an error at its place."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.places import subdivision_note
from kaizar_pipeline.config.simulation_settings import Replications

pytestmark = pytest.mark.unit

Change = Callable[[dict[str, Any]], None]


def hospital() -> dict[str, Any]:
    """A small synthetic hospital that is right."""
    return {
        "id": "test",
        "hospital": {"name": "Test", "timezone": "Europe/Amsterdam", "country": "NL"},
        "patients": {
            "source": "synthetic",
            "history_start": "2026-01-01",
            "truth": {"streams": {"emergency": {"mean_per_day": 6}}},
        },
        "wards": [
            {"id": "ed", "capacity": 4, "los_model": {"type": "fixed", "params": {"value": 5}}},
            {"id": "ward", "capacity": 9, "los_model": {"type": "exponential", "params": {"mean": 50}}},
            {"id": "home_care", "capacity": None, "los_model": {"type": "exponential", "params": {"mean": 50}}},
        ],
        "patient_types": [{"id": "acute"}, {"id": "planned"}],
        "arrival_streams": [
            {"id": "emergency", "target_ward": "ed", "patient_type": "acute", "model": {"type": "ml_poisson"}},
            {
                "id": "elective",
                "target_ward": "ward",
                "patient_type": "planned",
                "model": {"type": "schedule", "pattern": "Mon, Thu", "mean_per_day": 2},
            },
        ],
        "routing": [{"from_ward": "ed", "patient_type": "acute", "options": [{"to_ward": "ward", "probability": 0.5}]}],
        "policies": {},
        "simulation": {},
    }


def extract(**more: Any) -> dict[str, Any]:
    columns = {"patient_id": "id", "arrival": "in", "departure": "out", "service": "service"}
    return {
        "source": "csv",
        "path": "data/raw/x.csv",
        "columns": columns,
        "streams": {"A": "emergency", "B": "elective"},
        **more,
    }


SURGERY = hospital()["arrival_streams"][1]


def put(*path_and_value: Any) -> Change:
    *path, last, value = path_and_value

    def change(data: dict[str, Any]) -> None:
        here: Any = data
        for part in path:
            here = here[part]
        here[last] = value

    return change


def append(*path_and_value: Any) -> Change:
    *path, value = path_and_value

    def change(data: dict[str, Any]) -> None:
        here: Any = data
        for part in path:
            here = here[part]
        here.append(value)

    return change


def errors(*changes: Change) -> list[tuple[str, str]]:
    """Place and message of every error after the changes."""
    data = hospital()
    for change in changes:
        change(data)
    try:
        HospitalConfig.model_validate(data)
    except ValidationError as error:
        return [(".".join(map(str, details["loc"])), details["msg"]) for details in error.errors()]
    return []


def test_what_is_left_out_has_its_default():
    config = HospitalConfig.model_validate(hospital())
    ward, stream = config.wards[0], config.arrival_streams[0]
    assert (ward.label, ward.type, ward.boarding, ward.discharge_delay) == ("ed", "WARD", "hold", None)
    assert (stream.hourly_profile, stream.configured_profile) == (None, (1.0,) * 24)
    assert not config.learns_hours(stream)
    simulation = config.simulation
    assert (simulation.horizon_days, simulation.replications, simulation.seed) == (28, 200, 42)
    assert (simulation.start, simulation.warmup) == ("census", 0)
    assert (simulation.engine, simulation.overload, simulation.high_occupancy) == ("compiled", "refuse", 0.92)
    assert [stream.id for stream in config.forecast_streams] == ["emergency"]


@pytest.mark.parametrize(
    ("profile", "synthetic", "extract_"),
    [(None, False, True), ("flat", False, False), ("from_data", True, True), ([1] * 24, False, False)],
)
def test_hours_are_learned_where_told_and_from_an_extract(profile: Any, synthetic: bool, extract_: bool):
    found = []
    for patients in (hospital()["patients"], extract()):
        data: dict[str, Any] = hospital() | {"patients": patients}
        data["arrival_streams"][0]["hourly_profile"] = profile
        config = HospitalConfig.model_validate(data)
        assert HospitalConfig.model_validate(config.model_dump(mode="json")) == config
        found.append(config.learns_hours(config.arrival_streams[0]))
    assert found == [synthetic, extract_]


def test_a_weekday_without_arrivals_is_no_error_where_nothing_contradicts_it():
    data = hospital()
    for stream in data["arrival_streams"]:  # forecast; and planned on Mondays and Thursdays
        stream["hourly_profile"] = [1] * 24 * 6 + [0] * 24
    assert len(HospitalConfig.model_validate(data).arrival_streams[1].configured_profile) == 168


def test_a_config_is_frozen():
    config = HospitalConfig.model_validate(hospital())
    with pytest.raises(ValidationError, match="frozen"):
        config.simulation.seed = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_starting_empty_warms_up_for_a_week_unless_told():
    data = hospital()
    data["simulation"] = {"start": "empty"}
    assert HospitalConfig.model_validate(data).simulation.warmup == 7
    data["simulation"] = {"start": "empty", "warmup_days": 3}
    assert HospitalConfig.model_validate(data).simulation.warmup == 3


def test_replications_are_a_number_or_a_precision_to_reach():
    data = hospital()
    data["simulation"] = {"replications": 50}
    assert HospitalConfig.model_validate(data).simulation.max_replications == 50
    data["simulation"] = {"replications": {"at_most": 3000, "precision": {"prob_full_hour": 0.02, "mean_census": 0.5}}}
    simulation = HospitalConfig.model_validate(data).simulation
    assert simulation.max_replications == 3000
    assert isinstance(simulation.replications, Replications)
    assert simulation.replications.precision.targets == {"mean_census": 0.5, "prob_full_hour": 0.02}
    assert HospitalConfig.model_validate_json(HospitalConfig.model_validate(data).model_dump_json(by_alias=True)) == (
        HospitalConfig.model_validate(data)
    )


def test_a_type_without_its_own_route_takes_the_one_for_every_type():
    data = hospital()
    data["routing"].append({"from_ward": "ed", "options": [{"to_ward": "home_care", "probability": 0.1}]})
    config = HospitalConfig.model_validate(data)
    assert [option.to_ward for option in config.route_options("ed", "acute")] == ["ward"]
    assert [option.to_ward for option in config.route_options("ed", "planned")] == ["home_care"]
    assert config.route_options("ward", "acute") == ()


WEEK = {"type": "fixed", "params": {"value": 168}}
STOP = {"ward": "ed", "threshold": 0.9, "stop_types": ["acute"]}
SPILL = {"ward": "ed", "redirect_to": ["ward"]}
JULY = {"from": "2026-07-01", "to": "2026-08-01", "capacity": 3}


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (put("hospital", "timezone", "Europe/Amsterdm"), "hospital.timezone", "did you mean 'Europe/Amsterdam'?"),
        (put("hospital", "country", "XX"), "hospital.country", "unknown country 'XX'"),
        (put("hospital", "subdivision", "ZZ"), "hospital.subdivision", "unknown 'ZZ'"),
        (put("wards", 1, "id", "ed"), "wards.1.id", "'ed' is already the id of wards[0]"),
        (put("patient_types", 1, "id", "acute"), "patient_types.1.id", "already the id of patient_types[0]"),
        (put("arrival_streams", 1, "id", "emergency"), "arrival_streams.1.id", "already the id of arrival_streams[0]"),
        (put("groups", {"ed": ["ward"]}), "groups.ed", "'ed' is already the id of a ward"),
        (put("groups", {"acute": []}), "groups.acute", "at least 1 item"),
        (put("groups", {"acute": ["er"]}), "groups.acute.0", "unknown ward 'er'"),
        (put("groups", {"acute": ["ed", "ed"]}), "groups.acute.1", "'ed' appears twice"),
        (put("groups", {"acute": ["ed", "acute"]}), "groups.acute.1", "'acute' is a group, allowed are wards"),
        (put("groups", {"acute": ["ed"], "all": ["acute"]}), "groups.all.0", "'acute' is a group, allowed are wards"),
        (put("groups", {"_hospital": ["ed"]}), "groups._hospital.[key]", "should match pattern"),
        (put("arrival_streams", 0, "target_ward", "er"), "arrival_streams.0.target_ward", "unknown ward 'er'"),
        (put("arrival_streams", 0, "patient_type", "x"), "arrival_streams.0.patient_type", "unknown patient type 'x'"),
        (put("routing", 0, "from_ward", "er"), "routing.0.from_ward", "unknown ward 'er'"),
        (put("routing", 0, "options", 0, "to_ward", "er"), "routing.0.options.0.to_ward", "unknown ward 'er'"),
        (
            put("wards", 0, "los_by", [{"next_ward": "icu", "los_model": WEEK}]),
            "wards.0.los_by.0.next_ward",
            "unknown ward 'icu'",
        ),
        (
            put("wards", 0, "los_by", [{"los_model": WEEK}, {"los_model": WEEK}]),
            "wards.0.los_by.0",
            "the same patient_type and next_ward appear twice",
        ),
        (put("arrival_streams", 0, "hourly_profile", [1] * 23), "arrival_streams.0.hourly_profile", "23 numbers"),
        (
            put("arrival_streams", 0, "hourly_profile", [0] * 168),
            "arrival_streams.0.hourly_profile",
            "at least one hour needs a weight above zero",
        ),
        (
            put("arrival_streams", 1, "hourly_profile", [1] * 72 + [0] * 24 + [1] * 72),
            "arrival_streams.1.hourly_profile",
            "the hours of Thu are all zero, and model has arrivals then",
        ),
        (
            put("patients", "truth", "streams", "emergency", "hourly_profile", [1] * 25),
            "patients.truth.streams.emergency.hourly_profile",
            "25 numbers, allowed: 24",
        ),
        (
            put("arrival_streams", 0, "scale_factor_by_month", {1: 1.2}),
            "arrival_streams.0.scale_factor_by_month",
            "the season is learned",
        ),
        (
            put("arrival_streams", 1, "model", {"type": "schedule", "pattern": "Mon,Foo", "mean_per_day": 1}),
            "arrival_streams.1.model.schedule",
            "unknown weekday 'Foo'",
        ),
        (put("wards", 2, "weekday_capacity", {"Sat": 2}), "wards.2.capacity", "null means unlimited"),
        (
            put("wards", 0, "capacity_changes", [{**JULY, "to": "2026-06-01"}]),
            "wards.0.capacity_changes.0.to",
            "is not after `from`",
        ),
        (
            put("wards", 0, "capacity_changes", [JULY, {"from": "2026-07-15", "capacity": 2}]),
            "wards.0.capacity_changes.1.from",
            "overlaps another change",
        ),
        (
            put("wards", 0, "capacity_changes", [{**JULY, "from": "2026-07-01T00:00+02:00"}]),
            "wards.0.capacity_changes.0.from",
            "has a time zone",
        ),
        (
            put("wards", 0, {"opened": "2026-03-01", "closed": "2026-02-01", **hospital()["wards"][0]}),
            "wards.0.opened",
            "found 2026-03-01, which is not before `closed`, 2026-02-01",
        ),
        (
            put("arrival_streams", 1, {"opened": "2026-03-01", "closed": "2026-03-01", **SURGERY}),
            "arrival_streams.1.opened",
            "found 2026-03-01, which is not before `closed`, 2026-03-01",
        ),
        (put("wards", 2, "closed", "2026-03-01"), "wards.2.capacity", "such a ward cannot open or close"),
        (put("wards", 0, "closed", "2026-03-01"), "arrival_streams.0.closed", "give it `closed: 2026-03-01`"),
        (
            append("routing", 0, "options", {"to_ward": "home_care", "probability": 0.6}),
            "routing.0.options",
            "probabilities add up to 1.1, allowed: 1 or less",
        ),
        (
            append("routing", 0, "options", {"to_ward": "ward", "probability": 0.1}),
            "routing.0.options",
            "ward 'ward' appears 2 times",
        ),
        (
            append("routing", {"from_ward": "ed", "patient_type": "acute", "options": []}),
            "routing.0",
            "more than one row for ward 'ed'",
        ),
        (
            put(
                "routing",
                [
                    {"from_ward": "ed", "options": [{"to_ward": "ward", "probability": 1}]},
                    {"from_ward": "ward", "options": [{"to_ward": "ed", "probability": 1}]},
                ],
            ),
            "routing",
            "a loop without exit",
        ),
        (
            put("routing", "from_data"),
            "routing",
            "from_data on a synthetic hospital needs patients.truth.routing to make the data from",
        ),
        (put("routing", "from_dat"), "routing.[name]", "'from_data'"),
        (
            put(
                "patients", "truth", "routing", [{"from_ward": "ed", "options": [{"to_ward": "ed", "probability": 1}]}]
            ),
            "patients.truth.routing",
            "a loop without exit",
        ),
        (
            put(
                "patients", "truth", "routing", [{"from_ward": "ed", "options": [{"to_ward": "er", "probability": 1}]}]
            ),
            "patients.truth.routing.0.options.0.to_ward",
            "unknown ward 'er'",
        ),
        (put("policies", "admission_stop", [{**STOP, "ward": "icu"}]), "policies.admission_stop.0.ward", "'icu'"),
        (
            put("policies", "admission_stop", [{**STOP, "ward": "home_care"}]),
            "policies.admission_stop.0.ward",
            "unlimited beds and is never full",
        ),
        (
            put("policies", "admission_stop", [{**STOP, "stop_types": ["x"]}]),
            "policies.admission_stop.0.stop_types.0",
            "unknown patient type 'x'",
        ),
        (
            put("policies", "admission_stop", [{**STOP, "threshold": 1.1}]),
            "policies.admission_stop.0.threshold",
            "less than or equal to 1",
        ),
        (
            put("policies", "overflow", [{**SPILL, "threshold": 1.1}]),
            "policies.overflow.0.threshold",
            "less than or equal to 1",
        ),
        (put("policies", "overflow", [SPILL, SPILL]), "policies.overflow.1.ward", "already has an overflow rule"),
        (
            put("policies", "overflow", [{"ward": "ed", "redirect_to": ["ed"]}]),
            "policies.overflow.0.redirect_to",
            "cannot overflow into itself",
        ),
        (
            put("policies", "priorities", [{"ward": "ed", "patient_type": "acute", "priority": 1}] * 2),
            "policies.priorities.1",
            "the same ward and patient type appear twice",
        ),
        (
            put("arrival_streams", 1, "model", {"type": "schedule", "pattern": "Mon, Thu,Mon", "mean_per_day": 1}),
            "arrival_streams.1.model.schedule",
            "Mon appears twice in pattern",
        ),
        (
            append("routing", {"from_ward": "home_care", "patient_type": "acute", "options": []}),
            "routing.1.patient_type",
            "patients of type 'acute' are never in ward 'home_care': no stream and no route leads them there",
        ),
        (
            put("policies", "priorities", [{"ward": "ed", "patient_type": "planned", "priority": 1}]),
            "policies.priorities.0.patient_type",
            "patients of type 'planned' are never in ward 'ed'",
        ),
        (
            put("policies", "admission_stop", [{**STOP, "stop_types": ["acute", "planned"]}]),
            "policies.admission_stop.0.stop_types.1",
            "patients of type 'planned' are never in ward 'ed'",
        ),
        (
            put("patients", extract(ignore=["A"])),
            "patients.ignore.0",
            "service 'A' feeds a stream in patients.streams",
        ),
        (
            put("wards", 1, "los_model", {"type": "from_data", "stays_of": "emergency"}),
            "wards.1.los_model.stays_of",
            "goes with an extract only",
        ),
        (put("simulation", {"warmup_days": 3}), "simulation.warmup_days", "start: census needs no warm-up"),
        (
            put("wards", 2, "queue_limit", 3),
            "wards.2.queue_limit",
            "nobody waits for a ward of unlimited beds",
        ),
        (put("simulation", {"engine": "ciw"}), "simulation.engine", "'compiled' or 'simpy'"),
        (put("simulation", {"overload": "ignore"}), "simulation.overload", "'refuse' or 'allow'"),
        (put("simulation", {"high_occupancy": 92}), "simulation.high_occupancy", "less than or equal to 1"),
        (put("simulation", {"replications": 1}), "simulation.replications.[number]", "greater than or equal to 2"),
        (
            put("simulation", {"replications": {"at_most": 500, "precision": {}}}),
            "simulation.replications.[mapping].precision",
            "names no quantity, allowed: one or more of mean_census, prob_full_hour, wait_mean_hours",
        ),
        (put("patients", "truth", {}), "patients.truth.streams", "needs streams.emergency.mean_per_day"),
        (
            put("patients", "truth", "streams", "elective", {"trend_per_year": 0.1}),
            "patients.truth.streams.elective",
            "only forecast streams have a truth",
        ),
        (
            put("patients", "truth", "streams", "emergncy", {"mean_per_day": 1}),
            "patients.truth.streams.emergncy",
            "unknown stream 'emergncy', did you mean 'emergency'?",
        ),
        (put("patients", "truth", "los", {"icu": WEEK}), "patients.truth.los.icu", "unknown ward 'icu'"),
        (
            put("wards", 1, "los_model", {"type": "from_data"}),
            "wards.1.los_model",
            "needs patients.truth.los.ward to make the data from",
        ),
        (put("patients", extract(streams={"A": "x"})), "patients.streams.A", "unknown stream 'x'"),
        (put("patients", extract(streams={})), "patients.streams", "map each service of the extract to a stream"),
        (
            put("patients", extract(columns={"patient_id": "id", "arrival": "in", "departure": "out"})),
            "patients.columns",
            "without a service column there can be one stream only, found 2",
        ),
        (
            put("patients", extract(missing_departure="unknown")),
            "simulation.start",
            "census cannot be known from an extract with missing_departure: unknown",
        ),
        (put("patients", extract(discharge_profile=[0] * 24)), "patients.discharge_profile", "all zero"),
        (
            put(
                "patients",
                extract(
                    stays={
                        "query": "SELECT 1",
                        "columns": {"patient_id": "id", "ward": "w", "admit": "a", "depart": "d"},
                    }
                ),
            ),
            "patients.stays",
            "source: csv needs path",
        ),
    ],
)
def test_a_broken_rule_is_named_at_its_place(change: Change, place: str, message: str):
    found = errors(change)
    assert any(where == place and message in what for where, what in found), found


def test_a_ward_fitted_from_whole_stays_may_not_lead_onward():
    found = errors(put("patients", extract()), put("wards", 0, "los_model", {"type": "from_data"}))
    assert [where for where, _ in found] == ["wards.0.los_model"]
    assert "would be counted twice" in found[0][1]


def test_learned_routes_need_moves_between_wards_and_may_lead_anywhere():
    changes = put("routing", "from_data"), put("wards", 0, "los_model", {"type": "from_data"})
    assert errors(put("patients", extract()), *changes) == [
        (
            "routing",
            "from_data needs an extract of ward stays (patients.stays): nothing else says where patients go next",
        )
    ]
    stays = {"path": "stays.csv", "columns": {"patient_id": "id", "ward": "w", "admit": "a", "depart": "d"}}
    anywhere = put("policies", "priorities", [{"ward": "home_care", "patient_type": "acute", "priority": 1}])
    assert not errors(put("patients", extract(stays=stays)), anywhere, put("simulation", {"start": "empty"}), *changes)


def test_rules_for_patients_who_come_by_routes_or_as_outliers_are_right():
    onward = [{"to_ward": "home_care", "probability": 0.2}]
    spill = {"ward": "ward", "redirect_to": ["ed"]}
    assert not errors(
        append("routing", {"from_ward": "ward", "patient_type": "acute", "options": onward}),
        put("policies", "priorities", [{"ward": "home_care", "patient_type": "acute", "priority": 1}]),
        # planned patients ask for the ward only, and lie in the emergency department when it is full
        put("policies", "overflow", [spill]),
        put("policies", "admission_stop", [{**STOP, "stop_types": ["planned"]}]),
    )


def test_a_route_that_nobody_takes_leads_nobody_onward():
    onward = [{"to_ward": "home_care", "probability": 0.0}]
    found = errors(
        append("routing", {"from_ward": "ward", "options": onward}),
        put("policies", "priorities", [{"ward": "home_care", "patient_type": "acute", "priority": 1}]),
    )
    assert [where for where, _ in found] == ["policies.priorities.0.patient_type"]


def test_a_type_that_no_stream_brings_is_named():
    (found,) = errors(
        append("patient_types", {"id": "transfer"}),
        append("routing", {"from_ward": "ward", "patient_type": "transfer", "options": []}),
    )
    assert found == ("routing.1.patient_type", "no stream brings patients of type 'transfer'")


def test_those_in_the_hospital_by_its_records_may_be_in_any_ward():
    stays = {"path": "stays.csv", "columns": {"patient_id": "id", "ward": "w", "admit": "a", "depart": "d"}}
    changes = (
        put("policies", "priorities", [{"ward": "home_care", "patient_type": "acute", "priority": 1}]),
        put("patients", extract(stays=stays)),
    )
    assert not errors(*changes)
    assert [where for where, _ in errors(*changes, put("simulation", {"start": "empty"}))] == [
        "policies.priorities.0.patient_type"
    ]


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        (put("patients", extract(encoding="latin-one")), "patients.csv.encoding", "unknown encoding 'latin-one'"),
        (put("patients", extract(encoding="\0")), "patients.csv.encoding", "unknown encoding"),
        (put("patients", extract(encoding="base64")), "patients.csv.encoding", "unknown encoding 'base64'"),
        (
            put("patients", extract(complete_through="2999-01-01")),
            "patients.csv.complete_through",
            "found 2999-01-01, allowed: a date from 1900 to 2200",
        ),
        (put("patients", "history_start", "0026-01-01"), "patients.synthetic.history_start", "from 1900 to 2200"),
        (put("wards", 0, "capacity_changes", [{**JULY, "to": "9999-12-31"}]), "wards.0.capacity_changes.0.to", "2200"),
        (put("id", "x" * 61), "id", "at most 60 characters"),
    ],
)
def test_a_value_that_nothing_downstream_could_use(change: Change, place: str, message: str):
    found = errors(change)
    assert any(where == place and message in what for where, what in found), found


@pytest.mark.parametrize(
    ("country", "subdivision", "named"),
    [("NL", None, None), ("DE", None, "give hospital.subdivision, such as Augsburg, BB, BE"), ("DE", "BE", None),
     ("US", None, "parts of US"), ("ES", None, "parts of ES"), ("CH", None, "parts of CH"), ("AU", None, "parts of AU"),
     ("AT", None, None), ("FI", None, None)],
)  # fmt: skip
def test_a_country_whose_parts_have_holidays_of_their_own_is_asked_for_the_part(country, subdivision, named):
    data = hospital()
    data["hospital"] |= {"country": country, "subdivision": subdivision}
    note = subdivision_note(HospitalConfig.model_validate(data).hospital)
    assert note is None if named is None else named in (note or "")


def test_a_country_without_known_holidays_and_parts_where_there_are_none():
    (found,) = errors(put("hospital", "country", "XX"))
    assert "no public holidays are known of it" in found[1]
    (found,) = errors(put("hospital", "country", "nl"))
    assert "did you mean 'NL'?" in found[1]
    (found,) = errors(put("hospital", {"name": "T", "timezone": "Europe/Paris", "country": "LU", "subdivision": "X"}))
    assert found == ("hospital.subdivision", "found 'X', but no parts of LU with holidays of their own are known")


def test_stays_of_a_stream_are_for_extracts_without_ward_stays():
    of_stream = put("wards", 0, "los_model", {"type": "from_data", "stays_of": "emergency"})
    assert not errors(put("patients", extract()), of_stream)
    unknown = put("wards", 0, "los_model", {"type": "from_data", "stays_of": "emergncy"})
    assert errors(put("patients", extract()), unknown) == [
        ("wards.0.los_model.stays_of", "unknown stream 'emergncy', did you mean 'emergency'?")
    ]
    stays = {"path": "stays.csv", "columns": {"patient_id": "id", "ward": "w", "admit": "a", "depart": "d"}}
    (found,) = errors(put("patients", extract(stays=stays)), of_stream)
    assert found[0] == "wards.0.los_model.stays_of"


def test_all_broken_rules_are_reported_at_once():
    found = errors(
        put("arrival_streams", 0, "target_ward", "er"),
        put("policies", "overflow", [SPILL, SPILL]),
        put("simulation", {"warmup_days": 3}),
    )
    assert [where for where, _ in found] == [
        "arrival_streams.0.target_ward",
        "policies.overflow.1.ward",
        "simulation.warmup_days",
    ]
