"""The rules between the parts of a hospital: references, routes, probabilities, sources of patients.

Each rule is a function that yields its errors with their places; `rule_errors` reports those of all rules at once.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zlib import crc32

from kaizar_pipeline.config.distributions import FromData
from kaizar_pipeline.config.fields import (
    HOURS_PER_DAY,
    HOURS_PER_WEEK,
    WEEKDAYS,
    Loc,
    Model,
    RuleError,
    window_errors,
)
from kaizar_pipeline.config.levels import level_errors
from kaizar_pipeline.config.patient_sources import Extract, SyntheticPatients
from kaizar_pipeline.config.places import place_errors
from kaizar_pipeline.config.reachability import unreachable
from kaizar_pipeline.errors import listed, quoted, unknown
from kaizar_pipeline.tables import ALL, ANY, HOME, HOSPITAL_TOTAL

if TYPE_CHECKING:
    from kaizar_pipeline.config.hospital import ArrivalStream, HospitalConfig, Ward
    from kaizar_pipeline.config.routing import Route, RouteOption

_Errors = Iterator[RuleError]

_REFERENCES = {
    **dict.fromkeys(("target_ward", "from_ward", "to_ward", "next_ward", "redirect_to"), "ward"),
    **dict.fromkeys(("patient_type", "stop_types"), "patient type"),
}
"""Keys whose values are ids, with the kind of part that they name."""


def hospital_errors(config: "HospitalConfig") -> _Errors:
    """Every broken rule of a hospital's own file, with its place."""
    return _each((*_RULES, unreachable), config)


def rule_errors(config: "HospitalConfig") -> _Errors:
    """Every broken rule without which a hospital cannot be simulated, with its place."""
    return _each(_RULES, config)


def _each(rules: Iterable[Callable[..., _Errors]], *parts: object) -> _Errors:
    for rule in rules:
        yield from rule(*parts)


def _known_place(config: "HospitalConfig") -> _Errors:
    return ((("hospital", *loc), what) for loc, what in place_errors(config.hospital))


def _ids_once(config: "HospitalConfig") -> _Errors:
    for field in ("wards", "patient_types", "arrival_streams"):
        ids = [item.id for item in getattr(config, field)]
        for index, name in enumerate(ids):
            if name in ids[:index]:
                yield (field, index, "id"), f"{name!r} is already the id of {field}[{ids.index(name)}]"
            if name in (HOSPITAL_TOTAL, ALL, ANY, HOME):
                yield (field, index, "id"), f"{name!r} is reserved"


def _groups(config: "HospitalConfig") -> _Errors:
    """Rows of tables have one name each, and a group has wards, each once: no group, and not itself."""
    for name, wards in config.groups.items():
        if name in config.ward_ids:
            yield ("groups", name), f"{name!r} is already the id of a ward"
        for index, ward in enumerate(wards):
            if ward in config.groups and ward not in config.ward_ids:
                yield ("groups", name, index), f"{ward!r} is a group, allowed are wards; list its wards"
            elif ward not in config.ward_ids:
                yield ("groups", name, index), unknown(ward, sorted(config.ward_ids), "ward")
            elif ward in wards[:index]:
                yield ("groups", name, index), f"{ward!r} appears twice"


def _known_references(config: "HospitalConfig") -> _Errors:
    known = {"ward": set(config.ward_ids), "patient type": set(config.patient_type_ids)}
    for loc, kind, value in _references(config, ()):
        allowed = known[kind] | ({HOME} if loc[-1] == "next_ward" else set())
        if value not in allowed:
            yield loc, unknown(value, sorted(allowed), kind)


def _references(found: Any, loc: Loc) -> Iterator[tuple[Loc, str, str]]:
    """Every reference in a part of the config as (place, kind, id)."""
    if isinstance(found, tuple):
        for index, item in enumerate(found):
            yield from _references(item, (*loc, index))
    elif isinstance(found, Model):
        for name in type(found).model_fields:
            value, place = getattr(found, name), (*loc, name)
            kind = _REFERENCES.get(name)
            if kind is None or value is None:
                yield from _references(value, place)
            elif isinstance(value, tuple):
                yield from (((*place, i), kind, item) for i, item in enumerate(value))
            else:
                yield place, kind, value


def _stream_profiles(config: "HospitalConfig") -> _Errors:
    for index, stream in enumerate(config.arrival_streams):
        what = _wrong_profile(stream.configured_profile) or _arrivals_without_hours(stream)
        if what:
            yield ("arrival_streams", index, "hourly_profile"), what


def _wrong_profile(profile: Sequence[float]) -> str | None:
    if len(profile) not in (HOURS_PER_DAY, HOURS_PER_WEEK):
        return f"{len(profile)} numbers, allowed: 24 (hours of a day) or 168 (hours of a week)"
    return None if any(profile) else "all zero; at least one hour needs a weight above zero"


def _arrivals_without_hours(stream: "ArrivalStream") -> str | None:
    """Weekdays of a profile that are all zero, on which the stream's own model has arrivals."""
    model, profile = stream.model, stream.configured_profile
    if model.type == "ml_poisson" or len(profile) == HOURS_PER_DAY or model.mean_per_day == 0:
        return None
    days = range(len(WEEKDAYS)) if model.type == "constant" else sorted(model.weekdays)
    closed = [WEEKDAYS[day] for day in days if not any(profile[HOURS_PER_DAY * day :][:HOURS_PER_DAY])]
    return f"the hours of {', '.join(closed)} are all zero, and model has arrivals then" if closed else None


def _stream_seasons(config: "HospitalConfig") -> _Errors:
    for index, stream in enumerate(config.arrival_streams):
        if stream.is_forecast and stream.scale_factor_by_month:
            what = "not for ml_poisson: the season is learned; use it on schedule or constant streams"
            yield ("arrival_streams", index, "scale_factor_by_month"), what


def _stream_numbers(config: "HospitalConfig") -> _Errors:
    """Streams draw from random numbers addressed by the crc32 of their id."""
    seen: dict[int, str] = {}
    for index, stream in enumerate(config.arrival_streams):
        other = seen.setdefault(crc32(stream.id.encode()), stream.id)
        if other != stream.id:
            what = f"{stream.id!r} shares its random numbers with {other!r} (equal crc32); rename one of them"
            yield ("arrival_streams", index, "id"), what


def _ward_beds(config: "HospitalConfig") -> _Errors:
    for index, ward in enumerate(config.wards):
        if ward.capacity is None and (ward.capacity_changes or ward.weekday_capacity):
            what = "null means unlimited, and then beds cannot change; give the usual number of beds"
            yield ("wards", index, "capacity"), what
        if ward.capacity is None and (ward.opened or ward.closed):
            what = "null means unlimited, and such a ward cannot open or close; give its beds"
            yield ("wards", index, "capacity"), what
        if ward.capacity is None and ward.queue_limit is not None:
            yield ("wards", index, "queue_limit"), "nobody waits for a ward of unlimited beds; leave it out"


def _ward_cases(config: "HospitalConfig") -> _Errors:
    for index, ward in enumerate(config.wards):
        groups = [(case.patient_type, case.next_ward) for case in ward.los_by]
        for case_index, group in enumerate(groups):
            if groups.count(group) > 1:
                yield ("wards", index, "los_by", case_index), "the same patient_type and next_ward appear twice"


def _ward_changes(config: "HospitalConfig") -> _Errors:
    for index, ward in enumerate(config.wards):
        errors = [
            ((i, *loc), what)
            for i, change in enumerate(ward.capacity_changes)
            for loc, what in window_errors(change.start, change.end)
        ]
        for place, what in errors or _overlaps(ward):
            yield ("wards", index, "capacity_changes", *place), what


def _overlaps(ward: "Ward") -> _Errors:
    changes = sorted(enumerate(ward.capacity_changes), key=lambda item: item[1].start)
    for (_, first), (index, second) in pairwise(changes):
        if first.end is None or first.end > second.start:
            yield (index, "from"), "overlaps another change of this ward"


def _open_spans(config: "HospitalConfig") -> _Errors:
    for field in ("wards", "arrival_streams"):
        for index, part in enumerate(getattr(config, field)):
            if part.opened is not None and part.closed is not None and part.opened >= part.closed:
                yield (field, index, "opened"), f"found {part.opened}, which is not before `closed`, {part.closed}"


def _streams_of_closed_wards(config: "HospitalConfig") -> _Errors:
    """Patients would wait for ever; those of a ward with an overflow rule are redirected."""
    overflowing = {rule.ward for rule in config.policies.overflow}
    closing = {ward.id: ward.closed for ward in config.wards if ward.closed and ward.id not in overflowing}
    for index, stream in enumerate(config.arrival_streams):
        day = closing.get(stream.target_ward)
        if day is not None and (stream.closed is None or stream.closed > day):
            what = f"ward {stream.target_ward!r} closes on {day}, its stream later or never; give it `closed: {day}`"
            yield ("arrival_streams", index, "closed"), what


def _routes(config: "HospitalConfig") -> _Errors:
    return _wrong_routes(config.routes, ("routing",))


def _wrong_routes(routes: Sequence["Route"], place: Loc) -> _Errors:
    rows = Counter((route.from_ward, route.patient_type) for route in routes)
    for index, route in enumerate(routes):
        total = sum(option.probability for option in route.options)
        if total > 1 + 1e-9:
            yield (*place, index, "options"), f"probabilities add up to {total:g}, allowed: 1 or less"
        if rows[route.from_ward, route.patient_type] > 1:
            yield (*place, index), f"more than one row for ward {route.from_ward!r} and this patient type"
        for target, times in Counter(option.to_ward for option in route.options).items():
            if times > 1:
                yield (*place, index, "options"), f"ward {target!r} appears {times} times"


def _routes_home(config: "HospitalConfig") -> _Errors:
    return _endless_routes(config, ("routing",))


def _endless_routes(config: "HospitalConfig", place: Loc) -> _Errors:
    for patient_type in config.patient_type_ids:
        trapped = _wards_without_exit(config, patient_type)
        if trapped:
            yield place, f"patients of type {patient_type!r} never go home from {listed(trapped)}: a loop without exit"


def _wards_without_exit(config: "HospitalConfig", patient_type: str) -> list[str]:
    onward = {ward: _next_places(config.route_options(ward, patient_type)) for ward in config.ward_ids}
    leading_home = {HOME}
    while more := {ward for ward, places in onward.items() if ward not in leading_home and places & leading_home}:
        leading_home |= more
    return [ward for ward in config.ward_ids if ward not in leading_home]


def _next_places(options: Iterable["RouteOption"]) -> set[str]:
    """Where patients go with these options, HOME included where the probabilities leave something of 1."""
    home = {HOME} if sum(option.probability for option in options) < 1 - 1e-9 else set[str]()
    return home | {option.to_ward for option in options if option.probability > 0}


def _policy_wards(config: "HospitalConfig") -> _Errors:
    wards = {ward.id: ward for ward in config.wards}
    for field in ("priorities", "overflow", "admission_stop"):
        for index, rule in enumerate(getattr(config.policies, field)):
            loc = ("policies", field, index, "ward")
            if rule.ward not in wards:
                yield loc, unknown(rule.ward, sorted(wards), "ward")
            elif field != "priorities" and wards[rule.ward].capacity is None:
                yield loc, f"ward {rule.ward!r} has unlimited beds and is never full"


def _overflows(config: "HospitalConfig") -> _Errors:
    wards = [rule.ward for rule in config.policies.overflow]
    for index, rule in enumerate(config.policies.overflow):
        if rule.ward in wards[:index]:
            yield ("policies", "overflow", index, "ward"), f"ward {rule.ward!r} already has an overflow rule"
        if rule.ward in rule.redirect_to:
            yield ("policies", "overflow", index, "redirect_to"), f"ward {rule.ward!r} cannot overflow into itself"


def _priorities(config: "HospitalConfig") -> _Errors:
    pairs = [(rule.ward, rule.patient_type) for rule in config.policies.priorities]
    for index, pair in enumerate(pairs):
        if pair in pairs[:index]:
            yield ("policies", "priorities", index), "the same ward and patient type appear twice"


def _patients(config: "HospitalConfig") -> _Errors:
    """The rules of the kind of source that the patients come from."""
    patients = config.patients
    if isinstance(patients, SyntheticPatients):
        return _each((_truth_of_forecasts, _truth_streams, _truth_stays, _truth_routes), config, patients)
    return _each((_services, _departures, _stays, _whole_stays, _learned_routes), config, patients)


def _warmup(config: "HospitalConfig") -> _Errors:
    if config.simulation.start == "census" and config.simulation.warmup_days is not None:
        yield ("simulation", "warmup_days"), "goes with start: empty only; start: census needs no warm-up"


def _truth_of_forecasts(config: "HospitalConfig", patients: SyntheticPatients) -> _Errors:
    for stream in config.forecast_streams:
        truth = patients.truth.streams.get(stream.id)
        if truth is None or truth.mean_per_day is None:
            what = f"stream {stream.id!r} is forecast: its synthetic history needs streams.{stream.id}.mean_per_day"
            yield ("patients", "truth", "streams"), what


def _truth_streams(config: "HospitalConfig", patients: SyntheticPatients) -> _Errors:
    streams = {stream.id: stream for stream in config.arrival_streams}
    for name, truth in patients.truth.streams.items():
        loc = ("patients", "truth", "streams", name)
        what = _wrong_profile(truth.hourly_profile) if truth.hourly_profile else None
        if what:
            yield (*loc, "hourly_profile"), what
        if name not in streams:
            yield loc, unknown(name, sorted(streams), "stream")
        elif not streams[name].is_forecast:
            yield loc, "only forecast streams have a truth; others follow their model"


def _truth_stays(config: "HospitalConfig", patients: SyntheticPatients) -> _Errors:
    for part in ("los", "discharge_clocks", "transfer_clocks", "day_factors"):
        for name in getattr(patients.truth, part):
            if name not in config.ward_ids:
                yield ("patients", "truth", part, name), unknown(name, sorted(config.ward_ids), "ward")
    for index, ward in _from_data(config):
        if stays_of(ward) is not None:
            yield ("wards", index, "los_model", "stays_of"), "goes with an extract only; give patients.truth.los"
        elif ward.id not in patients.truth.los:
            what = f"from_data on a synthetic hospital needs patients.truth.los.{ward.id} to make the data from"
            yield ("wards", index, "los_model"), what


def _truth_routes(config: "HospitalConfig", patients: SyntheticPatients) -> _Errors:
    place, true = ("patients", "truth", "routing"), patients.truth.routing
    if true is not None:
        yield from _wrong_routes(true, place)
        yield from _endless_routes(config.model_copy(update={"routing": true}), place)
    elif config.learns_routes:
        yield ("routing",), "from_data on a synthetic hospital needs patients.truth.routing to make the data from"


def _learned_routes(config: "HospitalConfig", patients: Extract) -> _Errors:
    if config.learns_routes and patients.stays is None:
        what = "from_data needs an extract of ward stays (patients.stays): nothing else says where patients go next"
        yield ("routing",), what


def _from_data(config: "HospitalConfig") -> Iterator[tuple[int, "Ward"]]:
    """The wards whose length of stay is fitted to the data, with their positions."""
    return ((index, ward) for index, ward in enumerate(config.wards) if isinstance(ward.los_model, FromData))


def stays_of(ward: "Ward") -> str | None:
    """The stream whose whole stays make the ward's lengths of stay, None for stays of its own."""
    return ward.los_model.stays_of if isinstance(ward.los_model, FromData) else None


def _other_services(config: "HospitalConfig", patients: Extract) -> _Errors:
    streams = sorted(stream.id for stream in config.arrival_streams)
    if patients.other is not None and patients.other not in streams:
        yield ("patients", "other"), unknown(patients.other, streams, "stream")
    if patients.other is not None and (patients.columns.service is None or "*" in patients.ignore):
        yield ("patients", "other"), "does nothing without columns.service, and beside ignore: ['*']"


def _services(config: "HospitalConfig", patients: Extract) -> _Errors:
    streams = sorted(stream.id for stream in config.arrival_streams)
    for service, name in patients.streams.items():
        if name not in streams:
            yield ("patients", "streams", service), unknown(name, streams, "stream")
    for index, service in enumerate(patients.ignore):
        if service in patients.streams:
            yield ("patients", "ignore", index), f"service {quoted(service)} feeds a stream in patients.streams"
    if patients.columns.service is not None:
        if not patients.streams:
            yield ("patients", "streams"), "is empty: map each service of the extract to a stream"
        return
    if len(streams) != 1:
        yield ("patients", "columns"), f"without a service column there can be one stream only, found {len(streams)}"
    if patients.ignore:
        yield ("patients", "ignore"), "names services, but columns.service names no column"
    if patients.streams:
        yield ("patients", "streams"), "maps services, but columns.service names no column"


def _departures(config: "HospitalConfig", patients: Extract) -> _Errors:
    if patients.missing_departure == "unknown" and config.simulation.start == "census":
        what = "census cannot be known from an extract with missing_departure: unknown; use start: empty"
        yield ("simulation", "start"), what
    if sum(patients.discharge_profile) <= 0:
        yield ("patients", "discharge_profile"), "all zero; at least one hour needs a weight above zero"


def _stays(config: "HospitalConfig", patients: Extract) -> _Errors:
    if patients.stays is None:
        return
    given = [key for key in ("path", "query") if getattr(patients.stays, key) is not None]
    expected = patients.location_key
    if expected not in given:
        yield ("patients", "stays"), f"source: {patients.source} needs {expected}"
    if set(given) - {expected}:
        yield ("patients", "stays"), f"source: {patients.source} takes {expected} only"
    for name in patients.stays.wards.values():
        if name not in config.ward_ids:
            yield ("patients", "stays", "wards"), unknown(name, sorted(config.ward_ids), "ward")


def _whole_stays(config: "HospitalConfig", patients: Extract) -> _Errors:
    streams = sorted(stream.id for stream in config.arrival_streams)
    onward = set[str]() if config.learns_routes else config.wards_with_routes  # learned ones need ward stays anyway
    for index, ward in _from_data(config):
        source = stays_of(ward)
        if source is not None and patients.stays is not None:
            what = "goes with an extract without ward stays; leave it out, and the ward's own stays are taken"
            yield ("wards", index, "los_model", "stays_of"), what
        elif source is not None and source not in streams:
            yield ("wards", index, "los_model", "stays_of"), unknown(source, streams, "stream")
        elif source is None and patients.stays is None and ward.id in onward:
            what = (
                "from_data with routes onward needs an extract of ward stays (patients.stays): without one a stay is "
                "the whole time in hospital, and the time in the next ward would be counted twice"
            )
            yield ("wards", index, "los_model"), what


_RULES: tuple[Callable[["HospitalConfig"], _Errors], ...] = (
    _known_place, _ids_once, _groups, _known_references, _stream_profiles, _stream_seasons, _stream_numbers, _ward_beds,
    _ward_cases, _ward_changes, _open_spans, _streams_of_closed_wards, _routes, _routes_home, _policy_wards, _overflows,
    _priorities, _patients, _warmup, level_errors,
)  # fmt: skip
