"""What keeps a scenario from being applied to a hospital, and the hospital with the scenario's parts in place.

`scenario_errors` reports everything that is wrong, `merged` makes the hospital; how it changes over time is in
`variant.py`.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from kaizar_pipeline.config.distributions import FromData
from kaizar_pipeline.config.fields import WEEKDAYS, Loc, Model, RuleError
from kaizar_pipeline.config.hospital import HospitalConfig, Ward
from kaizar_pipeline.config.messages import path_of
from kaizar_pipeline.config.reachability import unreachable
from kaizar_pipeline.config.rules import rule_errors
from kaizar_pipeline.config.scenario import POLICY_SUBJECTS, ArrivalScale, CapacityOverride, LosScale, Scenario
from kaizar_pipeline.errors import unknown

_MAY_BE_NULL = ("capacity", "discharge_delay", "queue_limit")
"""Keys in which null has a meaning: unlimited, none. Elsewhere it is the default: unchanged."""


_NAMES = (
    ("wards", "id", "ward"),
    ("arrival_streams", "id", "stream"),
    ("arrival_scale", "streams", "stream"),
    ("arrival_scale", "wards", "ward"),
    ("los_scale", "wards", "ward"),
    ("los_scale", "patient_types", "patient type"),
    ("capacity_overrides", "ward", "ward"),
)
"""Where a scenario names parts of the hospital: list, key, and kind of part. Other names are checked in the result."""

_REPLACED = (
    ("capacity_overrides", "wards", ("capacity", "capacity_changes", "weekday_capacity"), "the beds of"),
    ("los_scale", "wards", ("los_model", "los_by"), "lengths of stay in"),
    ("arrival_scale", "arrival_streams", ("model", "scale_factor_by_month"), "the arrivals of"),
)
"""Rules that may not hold for what the same scenario replaces: list of rules, list of parts, keys, words."""


def scenario_errors(hospital: HospitalConfig, scenario: Scenario) -> Iterator[RuleError]:
    """Everything that keeps `scenario` from being applied to `hospital`, with its place in the scenario's file."""
    yield from _unknown_names(hospital, scenario)
    yield from _wards_without_arrivals(hospital, scenario)
    yield from _overlaps(hospital, "arrival_scale", scenario.arrival_scale, "stream")
    yield from _overlaps(hospital, "los_scale", scenario.los_scale, "ward and patient type")
    yield from _overlaps(hospital, "capacity_overrides", scenario.capacity_overrides, "ward")
    yield from _set_already(hospital, scenario)
    yield from _impossible_beds(hospital, scenario)
    for index, ward in enumerate(scenario.add_wards):
        if isinstance(ward.los_model, FromData):
            yield ("add_wards", index, "los_model"), "from_data, but a new ward has no data; give a distribution"
    yield from _result_errors(hospital, scenario)


def _result_errors(hospital: HospitalConfig, scenario: Scenario) -> Iterator[RuleError]:
    """Broken rules of the hospital with the scenario's parts, at the scenario's part or else at its list."""
    config, places = merged(hospital, scenario)

    def in_scenario(loc: Loc) -> Loc | None:
        return next((places[loc[:end]] + loc[end:] for end in range(len(loc), 0, -1) if loc[:end] in places), None)

    for loc, what in unreachable(config):
        place = in_scenario(loc)
        if place is not None:  # the hospital's own rules may idle under a scenario
            yield place, what
    for loc, what in rule_errors(config):
        if loc[0] == "patients":  # the history does not change
            continue
        place = in_scenario(loc)
        if place is None:
            place = loc[:1] if loc[0] in scenario.model_fields_set else ()
            what = f"makes an impossible hospital: {path_of(loc)}: {what}"
        yield place, what


def _unknown_names(hospital: HospitalConfig, scenario: Scenario) -> Iterator[RuleError]:
    """References to parts of the hospital that it does not have."""
    known = {
        "ward": hospital.ward_ids,
        "stream": [stream.id for stream in hospital.arrival_streams],
        "patient type": hospital.patient_type_ids,
    }
    for field, key, kind in _NAMES:
        for index, part in enumerate(getattr(scenario, field)):
            for place, name in _named(getattr(part, key)):
                if name not in known[kind]:
                    yield (field, index, key, *place), unknown(name, known[kind], kind)


def _named(value: str | tuple[str, ...]) -> list[tuple[Loc, str]]:
    return [((), value)] if isinstance(value, str) else [((i,), name) for i, name in enumerate(value)]


def _wards_without_arrivals(hospital: HospitalConfig, scenario: Scenario) -> Iterator[RuleError]:
    without = set(hospital.ward_ids) - {stream.target_ward for stream in hospital.arrival_streams}
    for index, scale in enumerate(scenario.arrival_scale):
        for i, name in enumerate(scale.wards):
            if name in without:
                yield ("arrival_scale", index, "wards", i), f"no stream of arrivals asks for ward {name!r}"


def _set_already(hospital: HospitalConfig, scenario: Scenario) -> Iterator[RuleError]:
    """Factors and other beds for what the same scenario sets anew."""
    for field, parts, keys, what in _REPLACED:
        changed = {
            i: part.id for i, part in enumerate(getattr(scenario, parts)) if part.model_fields_set.intersection(keys)
        }
        for index, rule in enumerate(getattr(scenario, field)):
            ids = {each if isinstance(each, str) else each[0] for each in rule.applies_to(hospital)}
            for i, name in changed.items():
                if name in ids:
                    yield (field, index), f"{parts}[{i}] sets {what} {name!r} already; give it once"


_Rule = ArrivalScale | LosScale | CapacityOverride


def _overlaps(hospital: HospitalConfig, field: str, rules: Sequence[_Rule], kind: str) -> Iterator[RuleError]:
    """Two rules of a list about one thing at one time."""
    for (i, first), (j, second) in combinations(enumerate(rules), 2):
        both = sorted({*first.applies_to(hospital)} & {*second.applies_to(hospital)})
        at_once = first.window[0] < second.window[1] and second.window[0] < first.window[1]
        if both and at_once and first.months_held & second.months_held:
            name = both[0] if isinstance(both[0], str) else ", ".join(both[0])
            yield (field, j), f"{field}[{i}] holds for the same {kind} ({name}) at the same time; give it once"


def _impossible_beds(hospital: HospitalConfig, scenario: Scenario) -> Iterator[RuleError]:
    wards = {ward.id: ward for ward in hospital.wards}
    for index, rule in enumerate(scenario.capacity_overrides):
        ward = wards.get(rule.ward)
        if ward is None:
            continue
        if ward.capacity is None:
            what = f"ward {ward.id!r} has unlimited beds; give it beds in wards, by `capacity`"
            yield ("capacity_overrides", index), what
            continue
        fewest = _fewest_beds(ward, rule)
        if rule.change is not None and fewest + rule.change < 0:
            what = f"ward {ward.id!r} has as few as {fewest} beds, so {-rule.change} fewer is not possible"
            yield ("capacity_overrides", index, "change"), what


def _fewest_beds(ward: Ward, rule: CapacityOverride) -> int:
    """The fewest beds that a ward with limited beds has at any time in the rule's window, whose days may be any."""
    first, end = rule.window
    days = min(((end - timedelta.resolution).date() - first.date()).days + 1, 7)
    dates = [first + timedelta(days=day) for day in range(days)]
    usual = [ward.weekday_capacity.get(WEEKDAYS[date.weekday()], ward.capacity) for date in dates]
    dated = [change for change in ward.capacity_changes if change.start < end and (change.end or datetime.max) > first]
    return min(beds for beds in (*usual, *(change.capacity for change in dated)) if beds is not None)


def merged(hospital: HospitalConfig, scenario: Scenario) -> tuple[HospitalConfig, dict[Loc, Loc]]:
    """The hospital with the scenario's parts in place, not checked; and the place of each part in the scenario."""
    places: dict[Loc, Loc] = {}

    def joined(
        place: Loc, own: Sequence[Any], changes: Sequence[Any], key: Callable[[Any], Hashable]
    ) -> tuple[Any, ...]:
        """`own` without what `changes` replace by key, then `changes`."""
        kept = [part for part in own if key(part) not in {key(change) for change in changes}]
        places.update({(*place, len(kept) + index): (*place, index) for index in range(len(changes))})
        return (*kept, *changes)

    def overridden(place: str, own: Sequence[Any], changes: Sequence[Any]) -> tuple[Any, ...]:
        """`own` in its order, each with what the change of the same id names."""
        index_of = {change.id: index for index, change in enumerate(changes)}
        places.update({(place, i): (place, index_of[part.id]) for i, part in enumerate(own) if part.id in index_of})
        return tuple(_overridden(part, changes[index_of[part.id]]) if part.id in index_of else part for part in own)

    wards = overridden("wards", hospital.wards, scenario.wards)
    places.update({("wards", len(wards) + index): ("add_wards", index) for index in range(len(scenario.add_wards))})
    policies, ours = hospital.policies, scenario.policies
    update = {
        "wards": (*wards, *scenario.add_wards),
        "arrival_streams": overridden("arrival_streams", hospital.arrival_streams, scenario.arrival_streams),
        # what routes are learned is not known yet: given rows take their place later
        "given_routes" if hospital.learns_routes else "routing": joined(
            ("routing",), hospital.routes, scenario.routing, lambda route: (route.from_ward, route.patient_type)
        ),
        "policies": policies.model_copy(
            update={
                name: joined(("policies", name), getattr(policies, name), getattr(ours, name), subject)
                for name, subject in POLICY_SUBJECTS.items()
            }
        ),
    }  # fmt: skip
    return hospital.model_copy(update=update), places


def _overridden(part: Model, change: Model) -> Model:
    named = {name: getattr(change, name) for name in change.model_fields_set - {"id"}}
    return part.model_copy(update={n: value for n, value in named.items() if value is not None or n in _MAY_BE_NULL})
