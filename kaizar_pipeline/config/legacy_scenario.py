"""The predecessor's scenarios: translated to today's keys before they are checked, each translation with a warning."""

from collections.abc import Callable, Mapping
from typing import Any

from kaizar_pipeline.config.document import Document
from kaizar_pipeline.config.legacy_parts import is_legacy_ward, translate_overflow, translate_routes, with_los
from kaizar_pipeline.config.translation import Translation, items, mapping, mappings, text

_WORDS = {"name", "overrides", "routes", "processtime_factors"}

Parts = tuple[set[str], set[str]]
"""Ids of wards and of streams."""


def translate_scenario(document: Document, hospitals: Callable[[], Mapping[str, Parts]]) -> Translation:
    """A scenario's document in today's keys; one that is not the predecessor's as it is, without warnings.

    `hospitals` gives the wards and streams of each hospital, and is asked where the file names parts but no hospital.
    """
    values = mapping(document.values)
    if not (_WORDS & values.keys() or any(map(is_legacy_ward, mappings(values, "wards")))):
        return Translation(document)
    translation = Translation.of(document)
    _unwrap_overrides(translation)
    _translate_name(translation)
    translate_routes(translation)
    translate_overflow(translation)
    if isinstance(wards := translation.values.get("wards"), list):
        translation.values["wards"] = [
            with_los(ward, ("wards", index), translation) if isinstance(ward, dict) else ward
            for index, ward in enumerate(wards)
        ]
    _translate_factors(translation)
    _translate_months(translation)
    _add_hospitals(translation, hospitals)
    return translation


def _unwrap_overrides(translation: Translation) -> None:
    """Put what is below `overrides` beside it."""
    values, overrides = translation.values, translation.values.get("overrides")
    if not isinstance(overrides, dict) or overrides.keys() & values.keys():
        return
    del values["overrides"]
    values |= overrides
    lines = translation.document.lines
    lines |= {loc[1:]: line for loc, line in lines.items() if loc[:1] == ("overrides",) and len(loc) > 1}
    translation.warn(("overrides",), f"overrides read as {', '.join(overrides)}")


def _translate_name(translation: Translation) -> None:
    values = translation.values
    name, description = values.get("name"), values.get("description")
    if isinstance(name, str) and isinstance(description, str | None):
        del values["name"]
        values["description"] = name if description is None else f"{name}: {description}"
        translation.warn(("name",), "name read as the beginning of the description")


def _translate_factors(translation: Translation) -> None:
    values = translation.values
    factors = values.get("processtime_factors")
    if not isinstance(factors, dict):
        return
    del values["processtime_factors"]
    before = items(values, "los_scale")
    values["los_scale"] = before + [{"wards": [ward], "factor": factor} for ward, factor in factors.items()]
    for index, ward in enumerate(factors, start=len(before)):
        translation.show_at(("los_scale", index), ("processtime_factors", ward))
        translation.warn(("processtime_factors", ward), f"processtime_factors.{ward} read as los_scale")


def _translate_months(translation: Translation) -> None:
    """Factors by month below a stream's model, which today are a scale of arrivals in some months."""
    values = translation.values
    streams: list[Any] = []
    scales = list(items(values, "arrival_scale"))
    for index, stream in enumerate(items(values, "arrival_streams")):
        model = mapping(mapping(stream).get("model"))
        factors = model.get("scale_factor_by_month")
        if not isinstance(factors, dict) or not all(str(month).isdecimal() and len(month) < 3 for month in factors):
            streams.append(stream)
            continue
        place = ("arrival_streams", index, "model", "scale_factor_by_month")
        translation.warn(place, f"arrival_streams[{index}].model.scale_factor_by_month read as arrival_scale")
        for factor in dict.fromkeys(value for value in factors.values() if isinstance(value, int | float)):
            months = [int(month) for month, value in factors.items() if value == factor]
            translation.show_at(("arrival_scale", len(scales)), place)
            scales.append({"streams": [stream.get("id")], "months": months, "factor": factor})
        rest = {key: value for key, value in model.items() if key != "scale_factor_by_month"}
        stream = {key: value for key, value in stream.items() if key != "model"} | ({"model": rest} if rest else {})
        if stream.keys() - {"id"}:
            streams.append(stream)
    if scales:
        values["arrival_scale"] = scales
    if isinstance(values.get("arrival_streams"), list):
        values["arrival_streams"] = streams


def _add_hospitals(translation: Translation, hospitals: Callable[[], Mapping[str, Parts]]) -> None:
    """The hospitals that have all the wards and streams that the scenario names, where it does not list any."""
    values = translation.values
    wards, streams = _named(values)
    if "hospitals" in values or not wards | streams:
        return
    meant = [
        name for name, (has_wards, has_streams) in hospitals().items() if wards <= has_wards and streams <= has_streams
    ]
    if meant:
        values["hospitals"] = meant
        translation.warn((), f"hospitals: {', '.join(meant)}, which have the wards and streams that are named")


def _named(values: dict[str, Any]) -> Parts:
    """The wards and streams that a scenario's document names."""
    wards = [ward.get("id") for ward in mappings(values, "wards")]
    wards += [rule.get("ward") for rule in mappings(values, "capacity_overrides")]
    wards += [name for scale in mappings(values, "los_scale") for name in items(scale, "wards")]
    wards += [route.get("from_ward") for route in mappings(values, "routing")]
    wards += [rule.get("ward") for name in ("overflow", "priorities", "admission_stop")
              for rule in mappings(mapping(values.get("policies")), name)]  # fmt: skip
    streams = [stream.get("id") for stream in mappings(values, "arrival_streams")]
    streams += [name for scale in mappings(values, "arrival_scale") for name in items(scale, "streams")]
    added = {text(ward.get("id")) for ward in mappings(values, "add_wards")}
    return {name for name in map(text, wards) if name} - added, {name for name in map(text, streams) if name}


def named_parts(values: Any) -> Parts:
    """The ids of the wards and streams of a hospital's document."""
    ids = [
        {name for part in mappings(mapping(values), key) if (name := text(part.get("id")))}
        for key in ("wards", "arrival_streams")
    ]
    return ids[0], ids[1]
