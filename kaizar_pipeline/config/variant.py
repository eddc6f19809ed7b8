"""A hospital as a scenario has it: the hospital's config with the scenario's parts in place, and its factors.

`variant_faults` says everything that keeps a scenario from being applied to a hospital; `apply_scenario` applies it.
What it says about other days than those ahead is no fault, but `idle_rules` tells.
"""

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import (
    WEEKDAYS,
    CapacityChange,
    Fault,
    FromData,
    HospitalConfig,
    Loc,
    Model,
    Ward,
    cross_faults,
)
from kaizar_pipeline.config.messages import path_of, unknown
from kaizar_pipeline.config.scenario import ArrivalScale, CapacityOverride, LosScale, Scenario
from kaizar_pipeline.errors import ConfigError

_Rule = ArrivalScale | LosScale | CapacityOverride

_BEDS = ("capacity", "capacity_changes", "weekday_capacity")
_STAYS = ("los_model", "los_by")
_ARRIVALS = ("model", "scale_factor_by_month")
_MAY_BE_NULL = ("capacity", "discharge_delay")
"""Keys of a part in which null says something: unlimited, none. Elsewhere it is the default: as it is."""


@dataclass(frozen=True)
class Variant:
    """A hospital as a scenario has it, for one run."""

    config: HospitalConfig
    """The hospital with the scenario's parts; beds are right from the warm-up to the end of the run."""
    arrival_factors: Mapping[str, np.ndarray]
    """f8[days] by stream: the factor on the rate of each day ahead; streams without one keep theirs."""
    los_factors: Mapping[tuple[str, str], float]
    """Factor on lengths of stay by ward and patient type; others keep theirs."""


def apply_scenario(hospital: HospitalConfig, scenario: Scenario, start: pd.Timestamp, days: int) -> Variant:
    """The hospital as `scenario` has it, for `days` days from the local midnight `start`.

    Raises ConfigError with every fault when the scenario is not about this hospital, names what the hospital has not,
    contradicts itself, or makes a hospital that cannot be.
    """
    if not scenario.is_about(hospital.id):
        raise ConfigError(f"scenario {scenario.id} is about {', '.join(scenario.hospitals)}, not {hospital.id}")
    faults = list(variant_faults(hospital, scenario))
    if faults:
        raise ConfigError([f"scenario {scenario.id}: {path_of(loc)}: {what}" for loc, what in faults])
    config, _ = _with_parts(hospital, scenario)
    first, end = start - pd.Timedelta(days=hospital.simulation.warmup), start + pd.Timedelta(days=days)
    wards = tuple(
        _with_beds(ward, [rule for rule in scenario.capacity_overrides if rule.ward == ward.id], first, end)
        for ward in config.wards
    )
    return Variant(
        config=config.model_copy(update={"wards": wards}),
        arrival_factors=_arrival_factors(hospital, scenario, pd.date_range(start, periods=days)),
        los_factors={pair: rule.factor for rule in scenario.los_scale for pair in _slowed(hospital, rule)},
    )


def variant_faults(hospital: HospitalConfig, scenario: Scenario) -> Iterator[Fault]:
    """Everything that keeps `scenario` from being applied to `hospital`, with its place in the scenario's file."""
    yield from _unmatched(hospital, scenario)
    yield from _overlaps("arrival_scale", scenario.arrival_scale, lambda rule: _scaled(hospital, rule), "stream")
    yield from _overlaps("los_scale", scenario.los_scale, lambda rule: _slowed(hospital, rule), "ward and patient type")
    yield from _overlaps("capacity_overrides", scenario.capacity_overrides, lambda rule: [rule.ward], "ward")
    yield from _set_already(hospital, scenario)
    yield from _impossible_beds(hospital, scenario)
    for index, ward in enumerate(scenario.add_wards):
        if isinstance(ward.los_model, FromData):
            yield ("add_wards", index, "los_model"), "from_data, but a new ward has no data; give a distribution"
    yield from _faults_of_the_result(hospital, scenario)


def _faults_of_the_result(hospital: HospitalConfig, scenario: Scenario) -> Iterator[Fault]:
    """What makes the hospital with the scenario's parts impossible, where the scenario says it or else as a whole."""
    config, places = _with_parts(hospital, scenario)
    for loc, what in cross_faults(config):
        if loc[0] == "patients":  # what has happened stays as it is, whatever would be different from now on
            continue
        place = next((places[loc[:end]] + loc[end:] for end in range(len(loc), 0, -1) if loc[:end] in places), None)
        if place is None:
            place = loc[:1] if loc[0] in scenario.model_fields_set else ()
            what = f"makes an impossible hospital: {path_of(loc)}: {what}"
        yield place, what


def idle_rules(scenario: Scenario, start: pd.Timestamp, days: int) -> list[str]:
    """In words: the dated rules of `scenario` that hold at no time of the `days` days from `start` on."""
    first, end = start.to_pydatetime(), (start + pd.Timedelta(days=days)).to_pydatetime()
    found = []
    for field, rules in (
        ("arrival_scale", scenario.arrival_scale),
        ("capacity_overrides", scenario.capacity_overrides),
    ):
        for index, rule in enumerate(rules):
            since, until = _window(rule)
            if until <= first or since >= end:
                ahead = f"{first:%Y-%m-%d} to {end - timedelta(days=1):%Y-%m-%d}"
                found.append(f"scenario {scenario.id}: {field}[{index}] holds on none of the days ahead, {ahead}")
    return found


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


def _unmatched(hospital: HospitalConfig, scenario: Scenario) -> Iterator[Fault]:
    """References to parts of the hospital that it does not have."""
    known = {
        "ward": hospital.ward_ids,
        "stream": [stream.id for stream in hospital.arrival_streams],
        "patient type": hospital.patient_type_ids,
    }
    for field, key, kind in _NAMES:
        for index, part in enumerate(getattr(scenario, field)):
            value = getattr(part, key)
            names = {(): value} if isinstance(value, str) else {(i,): name for i, name in enumerate(value)}
            for place, name in names.items():
                if name not in known[kind]:
                    yield (field, index, key, *place), unknown(name, known[kind], kind)
    for index, scale in enumerate(scenario.arrival_scale):
        for i, name in enumerate(scale.wards):
            if name in hospital.ward_ids and name not in [stream.target_ward for stream in hospital.arrival_streams]:
                yield ("arrival_scale", index, "wards", i), f"no stream of arrivals asks for ward {name!r}"


def _set_already(hospital: HospitalConfig, scenario: Scenario) -> Iterator[Fault]:
    """Factors and other beds for what the same scenario sets anew."""

    def slowed(rule: LosScale) -> set[str]:
        return {ward for ward, _ in _slowed(hospital, rule)}

    fields: tuple[tuple[str, str, tuple[str, ...], Callable[[Any], Collection[str]], str], ...] = (
        ("capacity_overrides", "wards", _BEDS, lambda rule: [rule.ward], "the beds of"),
        ("los_scale", "wards", _STAYS, slowed, "lengths of stay in"),
        ("arrival_scale", "arrival_streams", _ARRIVALS, lambda rule: _scaled(hospital, rule), "how many come to"),
    )
    for field, parts, keys, things, what in fields:
        for index, rule in enumerate(getattr(scenario, field)):
            for i, part in enumerate(getattr(scenario, parts)):
                if part.id in things(rule) and part.model_fields_set.intersection(keys):
                    yield (field, index), f"{parts}[{i}] sets {what} {part.id!r} already; say it once"


def _overlaps(field: str, rules: Sequence[Any], things: Callable[[Any], Collection[Any]], kind: str) -> Iterator[Fault]:
    """Two rules of a list about one thing at one time."""
    for (i, first), (j, second) in combinations(enumerate(rules), 2):
        both = sorted(set(things(first)) & set(things(second)))
        if both and _meet(first, second):
            name = both[0] if isinstance(both[0], str) else ", ".join(both[0])
            yield (field, j), f"{field}[{i}] holds for the same {kind} ({name}) at the same time; say it once"


def _meet(first: _Rule, second: _Rule) -> bool:
    """Whether there is a moment at which both hold."""
    (start, end), (other_start, other_end) = _window(first), _window(second)
    return start < other_end and other_start < end


def _window(rule: _Rule) -> tuple[datetime, datetime]:
    if isinstance(rule, LosScale):
        return datetime.min, datetime.max
    start = datetime.min if rule.start is None else _naive(rule.start)
    end = datetime.max if rule.end is None else _naive(rule.end)
    return start, end


def _naive(at: date) -> datetime:
    return at.replace(tzinfo=None) if isinstance(at, datetime) else datetime(at.year, at.month, at.day)


def _impossible_beds(hospital: HospitalConfig, scenario: Scenario) -> Iterator[Fault]:
    wards = {ward.id: ward for ward in hospital.wards}
    for index, rule in enumerate(scenario.capacity_overrides):
        ward = wards.get(rule.ward)
        if ward is None:
            continue
        if ward.capacity is None:
            yield (
                ("capacity_overrides", index),
                f"ward {ward.id!r} has unlimited beds; give it beds in wards, by `capacity`",
            )
            continue
        fewest = _fewest_beds(ward, rule)
        if rule.change is not None and fewest + rule.change < 0:
            yield (
                ("capacity_overrides", index, "change"),
                f"ward {ward.id!r} has as few as {fewest} beds, so {-rule.change} fewer cannot be",
            )


def _fewest_beds(ward: Ward, rule: CapacityOverride) -> int:
    """The fewest beds that a ward with limited beds has at any time in the rule's window, whose days may be any."""
    first, end = rule.start or datetime.min, rule.end or datetime.max
    dated = [change for change in ward.capacity_changes if change.start < end and (change.end or datetime.max) > first]
    days = min(((end - timedelta.resolution).date() - first.date()).days + 1, 7)
    by_weekday = (
        ward.weekday_capacity.get(WEEKDAYS[(first + timedelta(days=day)).weekday()], ward.capacity)
        for day in range(days)
    )
    return min(beds for beds in (*by_weekday, *(change.capacity for change in dated)) if beds is not None)


def _scaled(hospital: HospitalConfig, rule: ArrivalScale) -> list[str]:
    """The streams that a factor on arrivals holds for."""
    return [
        stream.id
        for stream in hospital.arrival_streams
        if (stream.id in rule.streams or not rule.streams) and (stream.target_ward in rule.wards or not rule.wards)
    ]


def _slowed(hospital: HospitalConfig, rule: LosScale) -> list[tuple[str, str]]:
    """The wards and patient types that a factor on lengths of stay holds for."""
    wards, types = rule.wards or hospital.ward_ids, rule.patient_types or hospital.patient_type_ids
    return [(ward, patient_type) for ward in wards for patient_type in types]


def _arrival_factors(hospital: HospitalConfig, scenario: Scenario, dates: pd.DatetimeIndex) -> dict[str, np.ndarray]:
    factors: dict[str, np.ndarray] = {}
    for rule in scenario.arrival_scale:
        start, end = _window(rule)
        holds = np.array([start <= day < end for day in dates])
        for stream in _scaled(hospital, rule):
            factors[stream] = np.where(holds, rule.factor, factors.get(stream, np.ones(len(dates))))
    return factors


def _with_parts(hospital: HospitalConfig, scenario: Scenario) -> tuple[HospitalConfig, dict[Loc, Loc]]:
    """The hospital with the scenario's parts in place, not checked; and where each of these stands in the scenario."""
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
        "routing": joined(
            ("routing",), hospital.routing, scenario.routing, lambda route: (route.from_ward, route.patient_type)
        ),
        "policies": policies.model_copy(
            update={
                "priorities": joined(
                    ("policies", "priorities"), policies.priorities, ours.priorities,
                    lambda rule: (rule.ward, rule.patient_type),
                ),
                "overflow": joined(
                    ("policies", "overflow"), policies.overflow, ours.overflow, lambda rule: rule.ward
                ),
                "admission_stop": joined(
                    ("policies", "admission_stop"), policies.admission_stop, ours.admission_stop, lambda rule: rule.ward
                ),
            }
        ),
    }  # fmt: skip
    return hospital.model_copy(update=update), places


def _overridden(part: Model, change: Model) -> Model:
    named = {name: getattr(change, name) for name in change.model_fields_set - {"id"}}
    return part.model_copy(update={n: value for n, value in named.items() if value is not None or n in _MAY_BE_NULL})


def _with_beds(ward: Ward, rules: Sequence[CapacityOverride], start: pd.Timestamp, end: pd.Timestamp) -> Ward:
    """The ward with the beds of `rules` between the two instants, as dated changes."""
    if not rules:
        return ward
    bounds = [
        bound for rule in (*rules, *ward.capacity_changes) for bound in (rule.start, rule.end) if bound is not None
    ]
    inside = {pd.Timestamp(bound) for bound in bounds if start < bound < end}
    midnights = pd.date_range(start, end, inclusive="left") if ward.weekday_capacity else []
    instants = [*sorted({start, *inside, *midnights}), end]
    changes = [
        {"from": first.to_pydatetime(), "to": last.to_pydatetime(), "capacity": _beds(ward, rules, first)}
        for first, last in pairwise(instants)
    ]
    return ward.model_copy(update={"capacity_changes": tuple(map(CapacityChange.model_validate, changes))})


def _beds(ward: Ward, rules: Sequence[CapacityOverride], at: pd.Timestamp) -> int:
    own = ward.beds_at(at)
    assert own is not None
    for rule in rules:
        start, end = _window(rule)
        if start <= at < end:
            return own + rule.change if rule.change is not None else rule.capacity or 0
    return own
