"""The predecessor's files: translated to today's keys before they are checked, with a warning for each translation.

A file is the predecessor's when it has no `patients` and uses any of its keys. Nothing in it is dropped silently: a key
without a counterpart is left in its place, and the check refuses it as unknown. No data are read here, so a file
whose data are missing loads, and its run fails. docs/legacy.md lists the translations.
"""

from dataclasses import dataclass, field, replace
from math import exp, expm1, sqrt
from typing import Any

from kaizar_pipeline.config.document import Document
from kaizar_pipeline.config.fields import Loc

EXIT = "EXIT"
"""Where a route leads out of the hospital."""

PATIENTS_FILE = "patients.csv"
"""The extract in `data_dir`, unless an empirical_histogram names another `source`."""

COLUMNS = {"patient_id": "patient_id", "arrival": "arrival_date", "departure": "departure_date", "service": "service"}
"""The predecessor's columns, by what they are."""

_SIMULATION_WORDS = {"n_runs_mc", "random_seed", "sla_alpha", "data_dir", "service_default", "capacity_default"}
_WORDS = {"routes", "seasonal_features", "processtime_factors"}


@dataclass
class Translation:
    """A document in today's keys, and what was done to it."""

    document: Document
    warnings: list[tuple[int, str]] = field(default_factory=list)
    """Line and text of each translation."""

    @property
    def values(self) -> dict[str, Any]:
        """What the file says."""
        return self.document.values

    def warn(self, loc: Loc, text: str) -> None:
        """Warn of a translation of the part at `loc`."""
        self.warnings.append((self.document.line(loc), text))

    def refuse(self, loc: Loc, text: str) -> None:
        """Add an error at the part at `loc`."""
        self.document.errors.append((self.document.line(loc), text))

    def show_at(self, new: Loc, old: Loc) -> None:
        """Let errors at `new` be shown on the line of `old`."""
        self.document.lines[new] = self.document.line(old)


def translate_hospital(document: Document, hospital_id: str) -> Translation:
    """A hospital's document in today's keys; one that is not the predecessor's as it is, without warnings."""
    if not _is_legacy(document.values):
        return Translation(document)
    translation = Translation(_copy(document))
    _translate_info(translation, hospital_id)
    defaults = _translate_simulation(translation)
    extract = _extract(translation, defaults.get("data_dir"))
    _translate_routes(translation)
    entries = _translate_wards(translation, defaults)
    _add_streams(translation, entries)
    _add_patients(translation, entries, extract)
    if "seasonal_features" in translation.values:
        translation.warn(("seasonal_features",), "seasonal_features left out: the forecast learns the seasons itself")
        del translation.values["seasonal_features"]
    return translation


def translate_scenario(document: Document) -> Translation:
    """A scenario's document in today's keys: processtime_factors as los_scale, routes as routing, lengths of stay."""
    if not _is_legacy(document.values):
        return Translation(document)
    translation = Translation(_copy(document))
    _translate_routes(translation)
    if isinstance(wards := translation.values.get("wards"), list):
        translation.values["wards"] = [
            _with_los(ward, ("wards", index), translation) if isinstance(ward, dict) else ward
            for index, ward in enumerate(wards)
        ]
    _translate_factors(translation)
    return translation


def _is_legacy(values: Any) -> bool:
    values = _mapping(values)
    return "patients" not in values and bool(
        _WORDS & values.keys()
        or _SIMULATION_WORDS & _mapping(values.get("simulation")).keys()
        or any(map(_is_legacy_ward, _list(values, "wards")))
    )


def _is_legacy_ward(ward: Any) -> bool:
    ward = _mapping(ward)
    los = _mapping(ward.get("los_model"))
    return bool(
        "service" in ward
        or ward.get("type") == "SEH"
        or los.get("type") == "empirical_histogram"
        or {"mu", "sigma"} <= _mapping(los.get("params")).keys()
    )


def _copy(document: Document) -> Document:
    return replace(document, values=dict(document.values), lines=dict(document.lines), errors=list(document.errors))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(values: dict[str, Any], key: str) -> list[Any]:
    value = values.get(key)
    return value if isinstance(value, list) else []


def _translate_factors(translation: Translation) -> None:
    values = translation.values
    factors = values.get("processtime_factors")
    if not isinstance(factors, dict):
        return
    del values["processtime_factors"]
    before = _list(values, "los_scale")
    values["los_scale"] = before + [{"wards": [ward], "factor": factor} for ward, factor in factors.items()]
    for index, ward in enumerate(factors, start=len(before)):
        translation.show_at(("los_scale", index), ("processtime_factors", ward))
        translation.warn(("processtime_factors", ward), f"processtime_factors.{ward} read as los_scale")


def _translate_info(translation: Translation, hospital_id: str) -> None:
    """Name, time zone and country, which the predecessor did not ask for."""
    info = translation.values.get("hospital", {})
    if not isinstance(info, dict):
        return
    translation.values["hospital"] = info = dict(info)
    for key, default in (("name", hospital_id), ("timezone", "Europe/Amsterdam"), ("country", "NL")):
        if key not in info:
            info[key] = default
            translation.warn(("hospital",), f"hospital.{key} taken to be {default}; give it if that is wrong")


def _translate_simulation(translation: Translation) -> dict[str, Any]:
    """Put the section into today's keys, but for what it says of data and wards, which is returned."""
    values = translation.values
    simulation = dict(_mapping(values.get("simulation")))

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


def _extract(translation: Translation, data_dir: str | None) -> str | None:
    """Path of the extract: in data_dir, and named by the wards whose length of stay is an empirical_histogram."""
    first: str | None = None
    for index, ward in enumerate(_list(translation.values, "wards")):
        los = _mapping(_mapping(ward).get("los_model"))
        source = los.get("source")
        if los.get("type") == "empirical_histogram" and isinstance(source, str):
            if first not in (None, source):
                translation.refuse(
                    ("wards", index, "los_model"),
                    f"wards[{index}].los_model.source: one extract is read, and a ward above names {first!r}",
                )
            first = first or source
    return first if data_dir is None else f"{data_dir.rstrip('/')}/{first or PATIENTS_FILE}"


def _translate_routes(translation: Translation) -> None:
    values = translation.values
    if "routes" not in values or "routing" in values:
        return
    routes = values.pop("routes")
    translation.show_at(("routing",), ("routes",))
    translation.warn(("routes",), f"routes read as routing; what went to {EXIT} is what the probabilities leave of 1")
    if isinstance(routes, list):
        routes = [_route(route, index, translation) for index, route in enumerate(routes)]
    values["routing"] = routes


def _route(route: Any, index: int, translation: Translation) -> Any:
    if not isinstance(route, dict) or not isinstance(route.get("to"), list):
        return route
    old, new = ("routes", index), ("routing", index)
    _check_exit(route["to"], index, translation)
    translated = {key: value for key, value in route.items() if key != "to"}
    translated = _renamed(translated, {"from": "from_ward"}, old, new, translation)
    names = {"id": "to_ward", "p": "probability"}
    onward = [(place, option) for place, option in enumerate(route["to"]) if not _is_exit(option)]
    translated["options"] = [
        _renamed(option, names, (*old, "to", place), (*new, "options", index), translation)
        for index, (place, option) in enumerate(onward)
    ]
    translation.show_at(new, old)
    return translated


def _is_exit(option: Any) -> bool:
    return _mapping(option).get("id") == EXIT and set(option) <= {"id", "p"}


def _check_exit(options: list[Any], index: int, translation: Translation) -> None:
    """Probabilities with EXIT must add up to 1, since what they leave goes home too."""
    total = sum(p for option in options if isinstance(p := _mapping(option).get("p"), int | float))
    if any(_mapping(option).get("id") == EXIT for option in options) and abs(total - 1) > 1e-6:
        translation.refuse(
            ("routes", index, "to"), f"routes[{index}].to: probabilities with {EXIT} add up to {total:g}, not to 1"
        )


def _renamed(part: Any, names: dict[str, str], old: Loc, new: Loc, translation: Translation) -> Any:
    """A part with other names for some of its keys."""
    if not isinstance(part, dict):
        return part
    for key in part:
        translation.show_at((*new, str(names.get(key, key))), (*old, key))
    return {names.get(key, key): value for key, value in part.items()}


def _translate_wards(translation: Translation, defaults: dict[str, Any]) -> dict[str, str]:
    """Put the wards into today's keys; the service of each ward that no route leads to, by its id."""
    values = translation.values
    entered = {
        str(option.get("to_ward"))  # which may be anything as yet, even a list
        for route in _list(values, "routing")
        for option in map(_mapping, _list(_mapping(route), "options"))
    }
    entries: dict[str, str] = {}
    wards = []
    for index, ward in enumerate(_list(values, "wards")):
        if isinstance(ward, dict):
            name, service = ward.get("id"), _service(ward, index, defaults, translation)
            if str(name) in entered:
                _refuse_histogram(ward, index, translation)
            elif isinstance(name, str) and isinstance(service, str):
                entries[name] = service
            ward = _ward(ward, ("wards", index), defaults, translation)
        wards.append(ward)
    if isinstance(values.get("wards"), list):
        values["wards"] = wards
    return entries


def _service(ward: dict[str, Any], index: int, defaults: dict[str, Any], translation: Translation) -> Any:
    """The service that feeds the ward's stream."""
    of_stays = _mapping(_mapping(ward.get("los_model")).get("params")).get("service")
    service = ward.get("service", of_stays) or defaults.get("service_default") or ward.get("id")
    if of_stays is not None and of_stays != service:
        translation.refuse(
            ("wards", index, "los_model"),
            f"wards[{index}].los_model.params.service: the stays of {of_stays!r} cannot make the lengths of stay of "
            f"a ward of {service!r}; give a distribution",
        )
    return service


def _refuse_histogram(ward: dict[str, Any], index: int, translation: Translation) -> None:
    if _mapping(ward.get("los_model")).get("type") == "empirical_histogram":
        translation.refuse(
            ("wards", index, "los_model"),
            f"wards[{index}].los_model: only routes lead to {ward.get('id')!r}, so the extract has no stays of its "
            "own to take a histogram from; give a distribution",
        )


def _ward(ward: dict[str, Any], loc: Loc, defaults: dict[str, Any], translation: Translation) -> dict[str, Any]:
    name = f"wards[{loc[1]}]"
    ward = _with_los({key: value for key, value in ward.items() if key != "service"}, loc, translation)
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


def _with_los(ward: dict[str, Any], loc: Loc, translation: Translation) -> dict[str, Any]:
    """The ward with its length of stay in today's keys; the predecessor's are in days."""
    los, place, name = ward.get("los_model"), (*loc, "los_model"), f"wards[{loc[1]}].los_model"
    if not isinstance(los, dict):
        return dict(ward)
    if los.get("type") == "empirical_histogram":
        translation.warn(place, f"{name}.type empirical_histogram read as from_data")
        more = {key: value for key, value in _mapping(los.get("params")).items() if key != "service"}
        los = {key: value for key, value in los.items() if key not in ("source", "params")} | {"type": "from_data"}
        return {**ward, "los_model": los | ({"params": more} if more else {})}
    if moments := _moments(los):
        translation.warn(place, f"{name}.params {', '.join(los['params'])} read as mean and sd")
        for key in moments:
            translation.show_at((*place, "params", key), (*place, "params"))
        los = {**los, "params": moments}
    if "unit" not in los and los.get("type") != "from_data":
        translation.warn(place, f"{name}: in days")
        los = {**los, "unit": "days"}
    return {**ward, "los_model": los}


def _moments(los: dict[str, Any]) -> dict[str, float] | None:
    """Mean and standard deviation of a lognormal given by those of its logarithm, and of a gamma by shape and scale."""
    match los:
        case {"type": "lognormal", "params": {"mu": mu, "sigma": sigma, **others}}:
            if not others and _are_numbers(mu, sigma) and abs(mu) <= 50 and 0 < sigma < 10:
                mean = exp(mu + sigma**2 / 2)
                return {"mean": mean, "sd": mean * sqrt(expm1(sigma**2))}
        case {"type": "gamma", "params": {"shape": shape, "scale": scale, **others}}:
            if not others and _are_numbers(shape, scale) and shape > 0:
                return {"mean": shape * scale, "sd": sqrt(shape) * scale}
    return None


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _add_streams(translation: Translation, entries: dict[str, str]) -> None:
    """One forecast stream for each ward that no route leads to, and one type of patients."""
    values = translation.values
    if "patient_types" not in values:
        values["patient_types"] = [{"id": "patient"}]
        translation.warn((), "patient_types: one, `patient`")
    if "arrival_streams" in values:
        return
    kinds = [_mapping(kind).get("id") for kind in _list(values, "patient_types")]
    values["arrival_streams"] = [
        {"id": ward, "target_ward": ward, "patient_type": kinds[0] if kinds else None, "model": {"type": "ml_poisson"}}
        for ward in entries
    ]
    translation.show_at(("arrival_streams",), ("wards",))
    for ward, service in entries.items():
        translation.warn(("wards",), f"arrival_streams: {ward!r}, forecast from service {service!r}")


def _add_patients(translation: Translation, entries: dict[str, str], path: str | None) -> None:
    """The extract that the predecessor read at `path`, if the file says where it is."""
    if path is None:
        return
    streams: dict[str, str] = {}
    for stream in map(_mapping, _list(translation.values, "arrival_streams")):
        ward = str(stream.get("target_ward"))
        service = entries.get(ward, ward)
        if service in streams:
            translation.refuse(("wards",), f"wards: service {service!r} feeds stream {streams[service]!r} already")
        streams[service] = str(stream.get("id"))
    translation.values["patients"] = {"source": "csv", "path": path, "columns": COLUMNS, "streams": streams}
    translation.show_at(("patients",), ("simulation", "data_dir"))
    translation.warn(("simulation", "data_dir"), f"patients: read from {path}, columns {', '.join(COLUMNS.values())}")
