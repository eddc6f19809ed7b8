"""A hospital as a scenario has it: parts matched by id, beds in their windows, factors on the right days."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hand_made import make_config
from hypothesis import given, settings
from hypothesis import strategies as st

from kaizar_pipeline.config.discharges import Clock
from kaizar_pipeline.config.files import load_hospital_config
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import Truth
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.config.variant import Variant, apply_scenario, idle_rules, with_simulation
from kaizar_pipeline.errors import ConfigError

pytestmark = pytest.mark.unit

THURSDAY = pd.Timestamp("2026-12-03")
DAYS = 7


def scenario(**parts: Any) -> Scenario:
    return Scenario.model_validate({"id": "s", "description": "What if", "hospitals": ["tiny"], **parts})


def hospital() -> HospitalConfig:
    exponential = {"type": "exponential", "params": {"mean": 1}}
    return make_config(
        {
            "ed": 4,
            "ward": {
                "id": "ward",
                "capacity": 9,
                "los_model": exponential,
                "discharge_delay": exponential,
                "weekday_capacity": {"Sat": 6, "Sun": 6},
                "capacity_changes": [{"from": "2026-12-07T12:00", "to": "2026-12-09", "capacity": 11}],
            },
        },
        routing=[
            {"from_ward": "ed", "options": [{"to_ward": "ward", "probability": 0.5}]},
            {"from_ward": "ed", "patient_type": "high", "options": [{"to_ward": "ward", "probability": 0.9}]},
        ],
        policies={
            "priorities": [{"ward": "ward", "patient_type": "low", "priority": 4}],
            "overflow": [{"ward": "ed", "redirect_to": ["ward"]}],
            "admission_stop": [{"ward": "ward", "threshold": 1.0, "stop_types": ["low"]}],
        },
    )


def applied(**parts: Any) -> Variant:
    return apply_scenario(hospital(), scenario(**parts), THURSDAY, DAYS)


def beds(variant: Variant, ward: str = "ward") -> list[int | None]:
    """At noon and one minute before midnight of each day."""
    (found,) = [w for w in variant.config.wards if w.id == ward]
    hours = [
        day + pd.Timedelta(hours=hour, minutes=59) for day in pd.date_range(THURSDAY, periods=DAYS) for hour in (11, 23)
    ]
    return [found.beds_at(at.to_pydatetime()) for at in hours]


AS_IT_IS = [9, 9, 9, 9, 6, 6, 6, 6, 9, 11, 11, 11, 9, 9]


def test_nothing_named_leaves_the_hospital_as_it_is():
    variant = applied()
    assert variant.config == hospital()
    assert beds(variant) == AS_IT_IS
    assert (variant.arrival_factors, variant.los_factors) == ({}, {})


def test_beds_are_taken_away_where_the_window_has_them():
    from_monday = {"ward": "ward", "change": -7, "from": "2026-12-07", "to": "2026-12-09"}
    assert beds(applied(capacity_overrides=[from_monday]))[8:12] == [2, 4, 4, 4]
    until_sunday = from_monday | {"from": "2026-12-06T12:00"}
    with pytest.raises(ConfigError, match="ward 'ward' has as few as 6 beds, so 7 fewer is not possible"):
        applied(capacity_overrides=[until_sunday])


def test_fewer_beds_count_from_those_there_would_be():
    assert beds(applied(capacity_overrides=[{"ward": "ward", "change": -2}])) == [n - 2 for n in AS_IT_IS]


def test_beds_in_a_window_and_as_they_are_around_it():
    window = {"from": "2026-12-05T12:00", "to": "2026-12-08"}
    assert beds(applied(capacity_overrides=[{"ward": "ward", "capacity": 3, **window}])) == [
        9, 9, 9, 9, 6, 3, 3, 3, 3, 3, 11, 11, 9, 9,
    ]  # fmt: skip
    assert beds(applied(capacity_overrides=[{"ward": "ward", "change": 1, **window}])) == [
        9, 9, 9, 9, 6, 7, 7, 7, 10, 12, 11, 11, 9, 9,
    ]  # fmt: skip


@settings(max_examples=25)
@given(start=st.integers(-30, 200), hours=st.integers(1, 200), change=st.integers(-6, 6))
def test_a_window_holds_in_its_hours_and_in_no_others(start: int, hours: int, change: int):
    first = THURSDAY + pd.Timedelta(hours=start)
    last = first + pd.Timedelta(hours=hours)
    variant = applied(
        capacity_overrides=[
            {"ward": "ward", "change": change, "from": f"{first.isoformat()}", "to": f"{last.isoformat()}"}
        ]
    )
    own, other = hospital().wards[1], variant.config.wards[1]
    for hour in range(24 * DAYS):
        at = (THURSDAY + pd.Timedelta(hours=hour)).to_pydatetime()
        expected = own.beds_at(at)
        assert expected is not None
        assert other.beds_at(at) == expected + (change if first <= at < last else 0)


def test_beds_of_another_ward_stay():
    variant = applied(capacity_overrides=[{"ward": "ed", "capacity": 0, "to": "2026-12-04"}])
    assert beds(variant) == AS_IT_IS
    assert beds(variant, "ed") == [0, 0] + [4] * 12


def test_parts_are_matched_by_id_and_keep_what_is_not_named():
    ward = {
        "id": "ward",
        "boarding": "release",
        "discharge_delay": None,
        "los_by": [],
        "los_model": None,
        "queue_limit": 4,
    }
    stream = {"id": "s", "target_ward": "ward"}
    variant = applied(wards=[ward], arrival_streams=[stream])
    before, after = hospital().wards[1], variant.config.wards[1]
    assert after == before.model_copy(update={"boarding": "release", "discharge_delay": None, "queue_limit": 4})
    (moved,) = variant.config.arrival_streams
    assert moved == hospital().arrival_streams[0].model_copy(update={"target_ward": "ward"})


def test_rules_replace_those_for_the_same_and_join_the_others():
    variant = applied(
        routing=[
            {"from_ward": "ed", "options": [{"to_ward": "ward", "probability": 0.1}]},
            {"from_ward": "ward", "options": [{"to_ward": "ed", "probability": 0.2}]},
        ],
        policies={
            "priorities": [
                {"ward": "ward", "patient_type": "low", "priority": 7},
                {"ward": "ed", "patient_type": "low", "priority": 8},
            ],
            "overflow": [{"ward": "ward", "redirect_to": ["ed"]}],
            "admission_stop": [{"ward": "ward", "stop_types": []}],
        },
    )
    rows = {(r.from_ward, r.patient_type): r.options[0].probability for r in variant.config.routes}
    assert rows == {("ed", "high"): 0.9, ("ed", None): 0.1, ("ward", None): 0.2}
    policies = variant.config.policies
    assert {(rule.ward, rule.priority) for rule in policies.priorities} == {("ward", 7), ("ed", 8)}
    assert [(rule.ward, rule.redirect_to) for rule in policies.overflow] == [("ed", ("ward",)), ("ward", ("ed",))]
    assert [rule.stop_types for rule in policies.admission_stop] == [()]


def test_rows_stand_beside_learned_routes_until_these_are_known():
    truth = hospital().patients.model_copy(update={"truth": Truth(routing=())})
    learning = hospital().model_copy(update={"routing": "from_data", "patients": truth})
    rows = [{"from_ward": "ed", "options": [{"to_ward": "ward", "probability": 0.1}]}]
    found = apply_scenario(learning, scenario(routing=rows), THURSDAY, DAYS).config
    assert found.learns_routes
    assert [option.probability for option in found.route_options("ed", "high")] == [0.1]
    assert found.given_options("ward", "high") is None


def test_factors_on_arrivals_hold_on_their_days():
    variant = applied(
        arrival_scale=[
            {"factor": 1.5, "streams": ["s"], "to": "2026-12-05"},
            {"factor": 0.5, "wards": ["ed"], "from": "2026-12-06", "to": "2026-12-08"},
        ]
    )
    np.testing.assert_array_equal(variant.arrival_factors["s"], [1.5, 1.5, 1, 0.5, 0.5, 1, 1])


def test_factors_of_some_months_hold_on_their_days_only():
    winter = scenario(arrival_scale=[{"factor": 1.5, "months": [1, 2]}, {"factor": 1.2, "months": [12]}])
    new_year = pd.Timestamp("2026-12-30")
    factors = apply_scenario(hospital(), winter, new_year, 4).arrival_factors["s"]
    assert factors.tolist() == [1.2, 1.2, 1.5, 1.5]
    assert idle_rules(winter, new_year, 4) == []
    assert idle_rules(winter, pd.Timestamp("2027-01-05"), 4) == [
        "scenario s: arrival_scale[1] holds on none of the days ahead, 2027-01-05 to 2027-01-08"
    ]


def test_factors_on_lengths_of_stay_by_ward_and_patient_type():
    assert applied(los_scale=[{"factor": 2, "wards": ["ed"]}]).los_factors == {("ed", "low"): 2, ("ed", "high"): 2}
    assert applied(los_scale=[{"factor": 3, "patient_types": ["low"]}]).los_factors == {
        ("ed", "low"): 3, ("ward", "low"): 3,
    }  # fmt: skip


def test_a_scenario_may_discharge_at_weekends_as_on_working_days():
    slow = {"weekday": {"Sat": 0.5, "Sun": 0.5}}
    (ward,) = [ward for ward in hospital().wards if ward.id == "ward"]
    kept = hospital().model_copy(
        update={"wards": (hospital().wards[0], ward.model_validate(ward.model_dump() | {"discharge_clock": slow}))}
    )
    every_day = {"wards": [{"id": "ward", "discharge_clock": {"hours": [1] * 24}}]}
    for changes, saturday in ((every_day, 1.0), ({}, 0.5 / (6 / 7))):
        found = apply_scenario(kept, scenario(**changes), THURSDAY, DAYS)
        clock = found.config.wards[1].discharge_clock
        assert isinstance(clock, Clock)
        assert clock.week[5].tolist() == pytest.approx([saturday] * 24)
    without = {"wards": [{"id": "ward", "discharge_clock": "none"}]}
    assert apply_scenario(kept, scenario(**without), THURSDAY, DAYS).config.wards[1].discharge_clock == "none"


def test_an_added_ward_stands_behind_the_others():
    new = {"id": "new", "capacity": 2, "los_model": {"type": "fixed", "params": {"value": 1}}}
    variant = applied(add_wards=[new], policies={"overflow": [{"ward": "ward", "redirect_to": ["new"]}]})
    assert variant.config.ward_ids == ["ed", "ward", "new"]


def test_a_scenario_that_cannot_be_applied_is_refused_with_every_error():
    with pytest.raises(ConfigError) as raised:
        applied(wards=[{"id": "wrd"}], capacity_overrides=[{"ward": "ed", "change": -5}])
    assert raised.value.errors == [
        "scenario s: wards[0].id: unknown ward 'wrd', did you mean 'ward'?",
        "scenario s: capacity_overrides[0].change: ward 'ed' has as few as 4 beds, so 5 fewer is not possible",
    ]
    with pytest.raises(ConfigError, match=r"^scenario s is about other, not tiny$"):
        applied(hospitals=["other"])


def test_rules_about_other_days_than_those_ahead_are_reported():
    dated = scenario(
        arrival_scale=[
            {"factor": 1.1, "from": "2026-12-09", "to": "2026-12-20"},  # the last day ahead
            {"factor": 1.2, "from": "2026-12-20"},
        ],
        capacity_overrides=[
            {"ward": "ed", "capacity": 2, "to": "2026-12-03"},  # over when the first day begins
            {"ward": "ward", "change": -1},
        ],
    )
    assert idle_rules(dated, THURSDAY, DAYS) == [
        "scenario s: arrival_scale[1] holds on none of the days ahead, 2026-12-03 to 2026-12-09",
        "scenario s: capacity_overrides[0] holds on none of the days ahead, 2026-12-03 to 2026-12-09",
    ]


def test_a_ward_has_beds_while_it_is_open():
    ward = hospital().wards[0].model_copy(update={"opened": date(2026, 12, 4), "closed": date(2026, 12, 6)})
    hours = pd.date_range("2026-12-03T23:00", "2026-12-06T00:00", freq="h")
    assert [ward.beds_at(at.to_pydatetime()) for at in hours] == [0] + [4] * 48 + [0]


def test_a_scenario_opens_a_closed_ward_by_a_number_of_beds_and_not_by_a_change_of_them():
    ed, ward = hospital().wards
    closing = hospital().model_copy(update={"wards": (ed, ward.model_copy(update={"closed": date(2026, 12, 6)}))})
    whole = {"ward": "ward", "from": "2026-12-05", "to": "2026-12-09"}
    fixed, changed = (
        beds(apply_scenario(closing, scenario(capacity_overrides=[{**whole, **rule}]), THURSDAY, DAYS))
        for rule in ({"capacity": 3}, {"change": -2})
    )
    # noon and midnight of Thursday to Wednesday; six beds on Saturday
    assert fixed == [9, 9, 9, 9, 3, 3, 3, 3, 3, 3, 3, 3, 0, 0]
    assert changed == [9, 9, 9, 9, 4, 4] + [0] * 8


def test_settings_of_the_simulation_are_replaced_and_checked(repository: Path):
    config = load_hospital_config(repository / "hospital_configs" / "hospital_2.yml")
    changed = with_simulation(config, horizon_days=90, overload="allow")
    assert (changed.simulation.horizon_days, changed.simulation.overload) == (90, "allow")
    assert changed.simulation.seed == config.simulation.seed
    assert with_simulation(changed, horizon_days=config.simulation.horizon_days, overload="refuse") == config
    for settings_, message in (
        ({"horizon_days": 181}, "simulation.horizon_days: found 181, allowed: 180 or less"),
        ({"horizon": 90}, "simulation.horizon: unknown key 'horizon', did you mean"),
    ):
        with pytest.raises(ConfigError, match=message):
            with_simulation(config, **settings_)
