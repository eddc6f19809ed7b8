"""Which patients can ever be in which ward, and the rules for patients who never are."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from kaizar_pipeline.config.fields import Loc, RuleError
from kaizar_pipeline.config.patient_sources import SyntheticPatients

if TYPE_CHECKING:
    from kaizar_pipeline.config.hospital import HospitalConfig

Group = tuple[str, str]
"""A ward and a patient type."""


def reached(starts: Iterable[Group], onward: Callable[[str, str], Iterable[str]]) -> set[Group]:
    """The groups that patients come to who begin in `starts` and go on to the wards `onward(ward, patient_type)`."""
    found: set[Group] = set()
    ahead = list(starts)
    while ahead:
        group = ahead.pop()
        if group not in found:
            found.add(group)
            ahead += [(ward, group[1]) for ward in onward(*group)]
    return found


def unreachable(config: "HospitalConfig") -> Iterator[RuleError]:
    """Routes, priorities and admission stops for patients of a type who are never in that ward, with their places."""
    asked = _asked_for(config)
    ids = {(ward, kind) for ward in config.ward_ids for kind in config.patient_type_ids}
    if not asked <= ids:
        return  # a misspelled id is an error of its own, and leaves wards without their patients
    brought = {stream.patient_type for stream in config.arrival_streams}
    never, absent = ids - asked, ids - asked - _redirected(config, asked)
    for loc, (ward, kind) in _rules_by_group(config):
        if (ward, kind) not in (absent if "stop_types" in loc else never):
            continue
        if kind not in brought:
            yield loc, f"no stream brings patients of type {kind!r}"
        else:
            yield loc, f"patients of type {kind!r} are never in ward {ward!r}: no stream and no route leads them there"


def _rules_by_group(config: "HospitalConfig") -> Iterator[tuple[Loc, Group]]:
    """Rules for patients of one type in one ward, with their places."""
    for index, route in enumerate(config.routes):
        if route.patient_type is not None:
            yield ("routing", index, "patient_type"), (route.from_ward, route.patient_type)
    for index, rule in enumerate(config.policies.priorities):
        yield ("policies", "priorities", index, "patient_type"), (rule.ward, rule.patient_type)
    for index, stop in enumerate(config.policies.admission_stop):
        for i, kind in enumerate(stop.stop_types):
            yield ("policies", "admission_stop", index, "stop_types", i), (stop.ward, kind)


def _asked_for(config: "HospitalConfig") -> set[Group]:
    """The wards in which patients of each type may ask for a bed."""
    starts: set[Group] = {(stream.target_ward, stream.patient_type) for stream in config.arrival_streams}
    patients = config.patients
    from_records = not isinstance(patients, SyntheticPatients) and patients.stays is not None
    if config.learns_routes or (from_records and config.simulation.start == "census"):
        # by their records, patients may go anywhere, or those of the census be anywhere
        starts = {(ward, kind) for ward in config.ward_ids for _, kind in starts}

    def onward(ward: str, kind: str) -> list[str]:
        return [option.to_ward for option in config.route_options(ward, kind) if option.probability > 0]

    return reached(starts, onward)


def _redirected(config: "HospitalConfig", asked: set[Group]) -> set[Group]:
    """The wards that patients of each type may be in although they ask for another."""
    targets = {rule.ward: rule.redirect_to for rule in config.policies.overflow}
    return {(target, kind) for ward, kind in asked for target in targets.get(ward, ())}
