"""The predecessor's hospitals: translated to today's keys before they are checked, with a warning for each translation.

A file is the predecessor's when it has no `patients` and uses any of its keys. Nothing in it is dropped silently: a key
without a counterpart is left in its place, and the check refuses it as unknown. Of its data only the names of files and
the days that they cover are looked at (legacy_data.py), so a file whose data are missing loads, and its run fails.
docs/how_to/legacy.md lists the translations.
"""

import re
from itertools import chain, count
from pathlib import Path
from typing import Any

from kaizar_pipeline.config.document import Document
from kaizar_pipeline.config.fields import Loc
from kaizar_pipeline.config.legacy_data import COLUMNS, days_covered, find_extract
from kaizar_pipeline.config.legacy_parts import (
    FROM_RECORDS,
    is_legacy_ward,
    translate_overflow,
    translate_routes,
    with_los,
)
from kaizar_pipeline.config.reachability import reached
from kaizar_pipeline.config.translation import Translation, items, mapping, mappings, text

SHORT_HORIZON = 28
LONG_HISTORY_DAYS = 500
"""Days of history that a forecast beyond 28 days needs."""

_SIMULATION_WORDS = {"n_runs_mc", "random_seed", "sla_alpha", "data_dir", "service_default", "capacity_default"}
_WORDS = {"routes", "seasonal_features", "processtime_factors"}

_SERVICE_OF_KIND = {"ED": "emergency", "SEH": "emergency", "ICU": "ICU"}
"""The service of a ward of a kind, in the predecessor's own extract."""


def translate_hospital(document: Document, hospital_id: str, home: Path) -> Translation:
    """A hospital's document in today's keys; one that is not the predecessor's as it is, without warnings.

    `home` is the folder that paths of data are relative to.
    """
    if not _is_legacy(document.values):
        return Translation(document)
    translation = Translation.of(document)
    _translate_info(translation, hospital_id)
    defaults = _translate_simulation(translation)
    extract = find_extract(translation, defaults.get("data_dir"), home)
    translate_routes(translation)
    translate_overflow(translation)
    _Services(translation, defaults.get("service_default")).translate(extract)
    _translate_wards(translation, defaults)
    _leave_out_idle_rules(translation)
    if extract is not None:
        _shorten_horizon(translation, home / extract)
    if "seasonal_features" in translation.values:
        translation.warn(("seasonal_features",), "seasonal_features left out: the forecast learns the seasons itself")
        del translation.values["seasonal_features"]
    return translation


def _is_legacy(values: Any) -> bool:
    values = mapping(values)
    return "patients" not in values and bool(
        _WORDS & values.keys()
        or _SIMULATION_WORDS & mapping(values.get("simulation")).keys()
        or any(map(is_legacy_ward, mappings(values, "wards")))
    )


def _translate_info(translation: Translation, hospital_id: str) -> None:
    """Name, time zone and country, which the predecessor did not ask for, and the horizon, which it had here too."""
    values = translation.values
    info = values.get("hospital", {})
    if not isinstance(info, dict):
        return
    values["hospital"] = info = dict(info)
    for key, default in (("name", hospital_id), ("timezone", "Europe/Amsterdam"), ("country", "NL")):
        if key not in info:
            info[key] = default
            translation.warn(("hospital",), f"hospital.{key} taken to be {default}; give it if that is wrong")
    simulation = values.get("simulation", {})
    if "simulation_horizon_days" not in info or not isinstance(simulation, dict):
        return
    place = ("hospital", "simulation_horizon_days")
    horizon = info.pop("simulation_horizon_days")
    if simulation.get("horizon_days", horizon) != horizon:
        translation.refuse(place, "hospital.simulation_horizon_days: differs from simulation.horizon_days; give one")
    elif "horizon_days" not in simulation:
        translation.show_at(("simulation", "horizon_days"), place)
    values["simulation"] = {"horizon_days": horizon, **simulation}
    translation.warn(place, "hospital.simulation_horizon_days read as simulation.horizon_days")


def _translate_simulation(translation: Translation) -> dict[str, Any]:
    """Put the section into today's keys, but for what it says of data and wards, which is returned."""
    values = translation.values
    simulation = dict(mapping(values.get("simulation")))

    def renamed(old: str, new: str, also: str = "") -> None:
        if old in simulation and new not in simulation:
            simulation[new] = simulation.pop(old)
            translation.show_at(("simulation", new), ("simulation", old))
            translation.warn(("simulation", old), f"simulation.{old} read as {new}{also}")

    if "sla_alpha" in simulation and "risk_target" not in simulation:
        simulation.setdefault("risk_event", "horizon_peak")
    renamed("n_runs_mc", "replications")
    renamed("random_seed", "seed")
    renamed("sla_alpha", "risk_target", f" with risk_event: {simulation.get('risk_event')}")
    taken: dict[str, Any] = {}
    for key, kind in (("data_dir", str), ("service_default", str), ("capacity_default", int)):
        if type(simulation.get(key)) is kind:
            taken[key] = simulation.pop(key)
            if key != "data_dir":
                what = key.removesuffix("_default")
                translation.warn(("simulation", key), f"simulation.{key} read as {what} of wards that name none")
    if isinstance(values.get("simulation"), dict):
        values["simulation"] = simulation
    return taken


def _shorten_horizon(translation: Translation, extract: Path) -> None:
    simulation = mapping(translation.values.get("simulation"))
    horizon = simulation.get("horizon_days")
    if isinstance(horizon, int) and horizon > SHORT_HORIZON:
        days = days_covered(extract)
        if days is not None and days < LONG_HISTORY_DAYS:
            translation.warn(
                ("simulation", "horizon_days"),
                f"simulation.horizon_days {horizon} cut to {SHORT_HORIZON}: the extract covers {days} days, and more "
                f"than {SHORT_HORIZON} days ahead need {LONG_HISTORY_DAYS}",
            )
            translation.values["simulation"] = simulation | {"horizon_days": SHORT_HORIZON}


def _translate_wards(translation: Translation, defaults: dict[str, Any]) -> None:
    """Put the wards, apart from what concerns services, into today's keys."""
    wards = [
        _ward(ward, ("wards", index), defaults, translation) if isinstance(ward, dict) else ward
        for index, ward in enumerate(items(translation.values, "wards"))
    ]
    if wards:
        translation.values["wards"] = wards


def _ward(ward: dict[str, Any], loc: Loc, defaults: dict[str, Any], translation: Translation) -> dict[str, Any]:
    name = f"wards[{loc[1]}]"
    ward = with_los({key: value for key, value in ward.items() if key != "service"}, loc, translation)
    if ward.get("type") == "SEH":
        ward["type"] = "ED"
        translation.warn((*loc, "type"), f"{name}.type SEH read as ED")
    if "boarding" not in ward:
        ward["boarding"] = "release"
        translation.warn(loc, f"{name}: boarding release, the predecessor's rule; hold is closer to most hospitals")
    if "capacity" not in ward and "capacity_default" in defaults:
        ward["capacity"] = defaults["capacity_default"]
        translation.warn(loc, f"{name}.capacity {ward['capacity']} from simulation.capacity_default")
    return ward


def _leave_out_idle_rules(translation: Translation) -> None:
    """Routes, priorities and admission stops of patients who are never in that ward, which are an error today."""
    values = translation.values
    if values.get("routing") == "from_data":  # who comes where is not known yet
        return
    asked = reached(_starts(values), lambda ward, kind: _onward(values, ward, kind))
    kept_routes = [
        route
        for index, route in enumerate(items(values, "routing"))
        if not _is_idle(route, "from_ward", ("routing", index), asked, translation)
    ]
    if isinstance(values.get("routing"), list):
        values["routing"] = kept_routes
    policies = mapping(values.get("policies"))
    for name in ("priorities", "admission_stop"):
        kept = [
            rule
            for index, rule in enumerate(items(policies, name))
            if not _is_idle(rule, "ward", ("policies", name, index), asked, translation)
        ]
        if isinstance(policies.get(name), list):
            values["policies"] = policies = policies | {name: kept}


def _starts(values: dict[str, Any]) -> list[tuple[str, str]]:
    streams = mappings(values, "arrival_streams")
    pairs = [(text(stream.get("target_ward")), text(stream.get("patient_type"))) for stream in streams]
    return [(ward, kind) for ward, kind in pairs if ward is not None and kind is not None]


def _onward(values: dict[str, Any], ward: str, kind: str) -> list[str]:
    rows = {
        text(route.get("patient_type")): mappings(route, "options")
        for route in mappings(values, "routing")
        if route.get("from_ward") == ward
    }
    options = rows.get(kind, rows.get(None, []))
    return [target for option in options if option.get("probability") != 0 and (target := text(option.get("to_ward")))]


def _is_idle(rule: Any, key: str, loc: Loc, asked: set[tuple[str, str]], translation: Translation) -> bool:
    """Whether a rule is about patients who never come to its ward, which is warned of."""
    ward = text(mapping(rule).get(key))
    kinds = [text(mapping(rule).get("patient_type")), *map(text, items(mapping(rule), "stop_types"))]
    named = [kind for kind in kinds if kind is not None]
    known = {text(kind.get("id")) for kind in mappings(translation.values, "patient_types")}
    if ward is None or not named or not set(named) <= known or any((ward, kind) in asked for kind in named):
        return False
    shown = ".".join(str(part) for part in loc[:-1])
    translation.warn(
        loc, f"{shown}[{loc[-1]}] left out: no stream and no route brings patients of type {named[0]!r} to {ward!r}"
    )
    return True


class _Services:
    """What the services of the extract are for: the streams that they feed, and lengths of stay taken from them."""

    def __init__(self, translation: Translation, default: str | None):
        self._translation = translation
        self._default = default
        self._entered = {
            str(option.get("to_ward"))  # which may be anything as yet, even a list
            for route in mappings(translation.values, "routing")
            for option in mappings(route, "options")
        }
        self._left = {
            str(route.get("from_ward"))
            for route in mappings(translation.values, "routing")
            if mappings(route, "options")
        }

    def translate(self, extract: str | None) -> None:
        """Add the streams that are missing, and put lengths of stay from records into today's keys."""
        translation, values = self._translation, self._translation.values
        if "patient_types" not in values:
            values["patient_types"] = [{"id": "patient"}]
            translation.warn((), "patient_types: one, `patient`")
        services = self._of_entries()
        if "arrival_streams" not in values:
            self._add_streams(services)
        streams = self._by_service(services)
        self._translate_models(services)
        wards = [
            self._with_service_stays(ward, index, streams) if isinstance(ward, dict) else ward
            for index, ward in enumerate(items(values, "wards"))
        ]
        if wards:
            values["wards"] = wards
        if extract is not None:
            self._add_patients(extract, streams)

    def _of_entries(self) -> dict[str, str]:
        """The service of each ward that patients come to from outside, those first that name their service."""
        values = self._translation.values
        targets = {text(stream.get("target_ward")) for stream in mappings(values, "arrival_streams")}
        entries = []
        for ward in mappings(values, "wards"):
            name = text(ward.get("id"))
            is_entry = name in targets if "arrival_streams" in values else name not in self._entered
            if name is not None and is_entry:
                entries.append((name, ward, _own_service(ward)))
        taken = {own for _, _, own in entries if own is not None}
        services: dict[str, str] = {}
        for name, ward, own in entries:
            default = name if self._default is None else self._default
            if default in taken:
                default = _SERVICE_OF_KIND.get(str(ward.get("type")), default)
            services[name] = own or default
            taken.add(services[name])
        return services

    def _add_streams(self, services: dict[str, str]) -> None:
        """One forecast stream for each ward that no route leads to."""
        translation, values = self._translation, self._translation.values
        kinds = [kind.get("id") for kind in mappings(values, "patient_types")]
        kind = kinds[0] if kinds else None
        values["arrival_streams"] = [
            {"id": ward, "target_ward": ward, "patient_type": kind, "model": {"type": "ml_poisson"}}
            for ward in services
        ]
        translation.show_at(("arrival_streams",), ("wards",))
        for ward, service in services.items():
            translation.warn(("wards",), f"arrival_streams: {ward!r}, forecast from service {service!r}")

    def _by_service(self, services: dict[str, str]) -> dict[str, str]:
        """The stream that each service feeds."""
        streams: dict[str, str] = {}
        for stream in mappings(self._translation.values, "arrival_streams"):
            ward = str(stream.get("target_ward"))
            service = services.get(ward, ward)
            if service in streams:
                self._translation.refuse(
                    ("wards",), f"wards: service {service!r} feeds stream {streams[service]!r} already"
                )
            streams[service] = str(stream.get("id"))
        return streams

    def _translate_models(self, services: dict[str, str]) -> None:
        """Streams without what the predecessor's model was told of its data and seasons."""
        translation = self._translation
        streams = items(translation.values, "arrival_streams")
        for index, stream in enumerate(streams):
            model = mapping(mapping(stream).get("model"))
            dropped = [key for key in ("source", "seasonal_features") if key in model]
            if not dropped or model.get("type") != "ml_poisson":
                continue
            ward = str(stream.get("target_ward"))
            rest = {key: value for key, value in model.items() if key not in dropped}
            streams = [*streams[:index], stream | {"model": rest}, *streams[index + 1 :]]
            for key in dropped:
                what = f"forecast from the records of service {services.get(ward, ward)!r}"
                if key == "seasonal_features":
                    what = "the forecast learns the seasons itself"
                name = f"arrival_streams[{index}].model"
                translation.warn(("arrival_streams", index, "model", key), f"{name}.{key} left out: {what}")
        if streams:
            translation.values["arrival_streams"] = streams

    def _with_service_stays(self, ward: dict[str, Any], index: int, streams: dict[str, str]) -> dict[str, Any]:
        """The ward with its length of stay, if that comes from records, as one of its own or of a stream's patients."""
        los = mapping(ward.get("los_model"))
        if los.get("type") not in FROM_RECORDS:
            return ward
        translation, name = self._translation, text(ward.get("id"))
        place, shown = ("wards", index, "los_model"), f"wards[{index}].los_model"
        if los.get("type") == "empirical_histogram":
            translation.warn(place, f"{shown}.type empirical_histogram read as from_data")
        others = {key: value for key, value in mapping(los.get("params")).items() if key != "service"}
        rest = {key: value for key, value in los.items() if key not in ("source", "params")} | {"type": "from_data"}
        ward = {**ward, "los_model": rest | ({"params": others} if others else {})}
        targets = {s.get("id"): s.get("target_ward") for s in mappings(translation.values, "arrival_streams")}
        service = text(mapping(los.get("params")).get("service")) or self._service_of_stays(ward, targets, streams)
        if service is None:
            translation.refuse(
                place,
                f"{shown}: only routes lead to {name!r}, so the extract has no stays of its own to take a histogram "
                "from; name a service, or give a distribution",
            )
            return ward
        if service in streams and targets.get(streams[service]) == name and name not in self._left:
            return ward
        if service not in streams:
            self._add_stays_stream(service, ward, streams)
        twice = "the time in the wards that routes lead to" if name in self._left else "time in other wards"
        translation.warn(
            place,
            f"{shown}: whole stays of service {service!r}, as the predecessor read them: {twice} is counted twice",
        )
        return {**ward, "los_model": ward["los_model"] | {"stays_of": streams[service]}}

    def _service_of_stays(self, ward: dict[str, Any], targets: dict[Any, Any], streams: dict[str, str]) -> str | None:
        """The service of a ward whose length of stay names none: the one that feeds it, its own, or the default."""
        feeding = [service for service, stream in streams.items() if targets.get(stream) == ward.get("id")]
        return next(iter(feeding), None) or _own_service(ward) or self._default

    def _add_stays_stream(self, service: str, ward: dict[str, Any], streams: dict[str, str]) -> None:
        """A stream of nobody, so that the records of a service whose patients come by routes are read."""
        translation, values = self._translation, self._translation.values
        ids = [stream.get("id") for stream in mappings(values, "arrival_streams")]
        name = re.sub(r"[^a-zA-Z0-9_.-]", "_", service)
        name = next(name for name in chain([name], (f"{name}_{i}" for i in count(2))) if name not in ids)
        kinds = [kind.get("id") for kind in mappings(values, "patient_types")]
        stream = {
            "id": name,
            "target_ward": ward.get("id"),
            "patient_type": kinds[0] if kinds else None,
            "model": {"type": "constant", "mean_per_day": 0},
        }
        values["arrival_streams"] = [*items(values, "arrival_streams"), stream]
        translation.show_at(("arrival_streams", len(ids)), ("wards",))
        streams[service] = name
        translation.warn(
            ("wards",), f"arrival_streams: {name!r}, of nobody, for the stays in the records of service {service!r}"
        )

    def _add_patients(self, path: str, streams: dict[str, str]) -> None:
        """The extract that the predecessor read at `path`."""
        translation = self._translation
        translation.values["patients"] = {
            "source": "csv", "path": path, "columns": COLUMNS, "streams": streams, "ignore": ["*"],
        }  # fmt: skip
        place = ("simulation", "data_dir")
        translation.show_at(("patients",), place)
        translation.warn(place, f"patients: read from {path}, columns {', '.join(COLUMNS.values())}")
        translation.warn(place, f"patients: of services {', '.join(streams)}; the rows of others are left out")


def _own_service(ward: dict[str, Any]) -> str | None:
    """The service that a ward names itself, or its length of stay does."""
    return text(ward.get("service")) or text(mapping(mapping(ward.get("los_model")).get("params")).get("service"))
