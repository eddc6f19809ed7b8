"""The predecessor's spelling of parts that hospitals and scenarios share: routes, lengths of stay, overflow."""

from math import exp, expm1, sqrt
from typing import Any

from kaizar_pipeline.config.fields import Loc
from kaizar_pipeline.config.translation import Translation, items, mapping

EXIT = "EXIT"
"""Where a route leads out of the hospital."""

FROM_RECORDS = ("empirical_histogram", "from_data")
"""Kinds of length of stay that are taken from the records of a service."""


def is_legacy_ward(ward: dict[str, Any]) -> bool:
    """Whether a ward is in the predecessor's spelling."""
    los = mapping(ward.get("los_model"))
    params = mapping(los.get("params"))
    return bool(
        "service" in ward
        or ward.get("type") == "SEH"
        or los.get("type") == "empirical_histogram"
        or (los.get("type") == "from_data" and {"params", "source"} & los.keys())
        or {"mu", "sigma"} <= params.keys()
    )


def translate_routes(translation: Translation) -> None:
    """Put `routes` into the form of `routing`."""
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
    translated = translation.renamed(translated, {"from": "from_ward"}, old, new)
    names = {"id": "to_ward", "p": "probability"}
    onward = [(place, option) for place, option in enumerate(route["to"]) if not _is_exit(option)]
    translated["options"] = [
        translation.renamed(option, names, (*old, "to", place), (*new, "options", index))
        for index, (place, option) in enumerate(onward)
    ]
    translation.show_at(new, old)
    return translated


def _is_exit(option: Any) -> bool:
    return mapping(option).get("id") == EXIT and set(option) <= {"id", "p"}


def _check_exit(options: list[Any], index: int, translation: Translation) -> None:
    """Probabilities with EXIT must add up to 1, since what they leave goes home too."""
    total = sum(p for option in options if isinstance(p := mapping(option).get("p"), int | float))
    if any(mapping(option).get("id") == EXIT for option in options) and not abs(total - 1) <= 1e-6:
        translation.refuse(
            ("routes", index, "to"), f"routes[{index}].to: probabilities with {EXIT} add up to {total:g}, not to 1"
        )


def translate_overflow(translation: Translation) -> None:
    """Put the one ward that an overflow may lead to into a list."""
    policies = mapping(translation.values.get("policies"))
    rules = items(policies, "overflow")
    for index, rule in enumerate(rules):
        if isinstance(target := mapping(rule).get("redirect_to"), str):
            rules = [*rules[:index], rule | {"redirect_to": [target]}, *rules[index + 1 :]]
            place = ("policies", "overflow", index, "redirect_to")
            translation.warn(place, f"policies.overflow[{index}].redirect_to read as a list of one ward")
    if rules:
        translation.values["policies"] = policies | {"overflow": rules}


def with_los(ward: dict[str, Any], loc: Loc, translation: Translation) -> dict[str, Any]:
    """The ward with a given length of stay in today's keys; the predecessor's are in days."""
    los, place, name = ward.get("los_model"), (*loc, "los_model"), f"wards[{loc[1]}].los_model"
    if not isinstance(los, dict) or los.get("type") in FROM_RECORDS:
        return dict(ward)
    if moments := _moments(los):
        translation.warn(place, f"{name}.params {', '.join(los['params'])} read as mean and sd")
        for key in moments:
            translation.show_at((*place, "params", key), (*place, "params"))
        los = {**los, "params": moments}
    if "unit" not in los:
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
            if not others and _are_numbers(shape, scale) and 0 < shape < 1e9 and abs(scale) < 1e9:
                return {"mean": shape * scale, "sd": sqrt(shape) * scale}
    return None


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
