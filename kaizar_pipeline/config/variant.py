"""A hospital as a scenario has it: the hospital's config with the scenario's parts in place, and its factors.

A scenario's rule that holds at no time of the days ahead is not an error, but `idle_rules` reports it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from pydantic import ValidationError

from kaizar_pipeline.config.fields import is_open
from kaizar_pipeline.config.hospital import CapacityChange, HospitalConfig, HospitalFile, Ward
from kaizar_pipeline.config.messages import explain, path_of
from kaizar_pipeline.config.scenario import CapacityOverride, Scenario
from kaizar_pipeline.config.scenario_rules import merged, scenario_errors
from kaizar_pipeline.errors import ConfigError


@dataclass(frozen=True)
class Variant:
    """A hospital as a scenario has it, for one run."""

    config: HospitalConfig
    """The hospital with the scenario's parts; beds are right from the warm-up to the end of the run."""
    arrival_factors: Mapping[str, np.ndarray]
    """f8[days] by stream: the factor on the rate of each date ahead; streams without one keep theirs."""
    los_factors: Mapping[tuple[str, str], float]
    """Factor on lengths of stay by ward and patient type; others keep theirs."""


def with_simulation(config: HospitalConfig, **settings: object) -> HospitalConfig:
    """The hospital with other settings of the section `simulation` of its file, such as horizon_days=90. Raises
    ConfigError for one that is not allowed."""
    document = {**dict(config), "simulation": {**dict(config.simulation), **settings}}
    try:
        return HospitalConfig.model_validate(document)
    except ValidationError as error:
        raise ConfigError([what for _, what in explain(error, document, HospitalFile.model_json_schema())]) from None


def apply_scenario(hospital: HospitalConfig, scenario: Scenario, start: pd.Timestamp, days: int) -> Variant:
    """The hospital as `scenario` has it, for `days` dates from `start` on, a full hour of the first.

    Raises ConfigError with every error when the scenario is not about this hospital, names parts that it does not have,
    contradicts itself, or breaks a rule of a hospital.
    """
    if not scenario.is_about(hospital.id):
        raise ConfigError(f"scenario {scenario.id} is about {', '.join(scenario.hospitals)}, not {hospital.id}")
    errors = [f"scenario {scenario.id}: {path_of(loc)}: {what}" for loc, what in scenario_errors(hospital, scenario)]
    if errors:
        raise ConfigError(errors)
    config, _ = merged(hospital, scenario)
    first = start - pd.Timedelta(days=hospital.simulation.warmup)
    end = start.normalize() + pd.Timedelta(days=days)
    wards = tuple(
        _with_beds(ward, [rule for rule in scenario.capacity_overrides if rule.ward == ward.id], first, end)
        for ward in config.wards
    )
    return Variant(
        config=config.model_copy(update={"wards": wards}),
        arrival_factors=_arrival_factors(hospital, scenario, pd.date_range(start.normalize(), periods=days)),
        los_factors={pair: rule.factor for rule in scenario.los_scale for pair in rule.applies_to(hospital)},
    )


def idle_rules(scenario: Scenario, start: pd.Timestamp, days: int) -> list[str]:
    """A message for each of the dated rules of `scenario` that hold at no time of the `days` dates from `start` on."""
    ahead = [max(day, start).to_pydatetime() for day in pd.date_range(start.normalize(), periods=days)]
    span = f"{ahead[0]:%Y-%m-%d} to {ahead[-1]:%Y-%m-%d}"
    found = []
    for field, rules in (
        ("arrival_scale", scenario.arrival_scale),
        ("capacity_overrides", scenario.capacity_overrides),
    ):
        for index, rule in enumerate(rules):
            since, until = rule.window
            held = (day < until and since.date() <= day.date() and day.month in rule.months_held for day in ahead)
            if not any(held):
                found.append(f"scenario {scenario.id}: {field}[{index}] holds on none of the days ahead, {span}")
    return found


def _arrival_factors(hospital: HospitalConfig, scenario: Scenario, dates: pd.DatetimeIndex) -> dict[str, np.ndarray]:
    factors: dict[str, np.ndarray] = {}
    for rule in scenario.arrival_scale:
        start, end = rule.window
        holds = np.array([start <= day < end and day.month in rule.months_held for day in dates])
        for stream in rule.applies_to(hospital):
            factors[stream] = np.where(holds, rule.factor, factors.get(stream, np.ones(len(dates))))
    return factors


def _with_beds(ward: Ward, rules: Sequence[CapacityOverride], start: pd.Timestamp, end: pd.Timestamp) -> Ward:
    """The ward with the beds of `rules` between the two instants, as dated changes."""
    if not rules:
        return ward
    bounds = [bound for rule in rules for bound in (rule.start, rule.end) if bound is not None]
    bounds += ward.dated_instants
    inside = {pd.Timestamp(bound) for bound in bounds if start < bound < end}
    midnights = pd.date_range(start.ceil("D"), end, inclusive="left") if ward.weekday_capacity else []
    instants = [*sorted({start, *inside, *midnights}), end]
    changes = [
        {"from": first.to_pydatetime(), "to": last.to_pydatetime(), "capacity": _beds(ward, rules, first)}
        for first, last in pairwise(instants)
    ]
    update = {"capacity_changes": tuple(map(CapacityChange.model_validate, changes)), "opened": None, "closed": None}
    return ward.model_copy(update=update)


def _beds(ward: Ward, rules: Sequence[CapacityOverride], at: pd.Timestamp) -> int:
    """Beds at an instant under `rules`; a number set opens a closed ward, more or fewer beds leave it closed."""
    own = ward.beds_at(at)
    assert own is not None
    for rule in rules:
        start, end = rule.window
        if start <= at < end:
            if rule.change is None:
                return rule.capacity or 0
            return own + rule.change if is_open(at.date(), ward.opened, ward.closed) else own
    return own
