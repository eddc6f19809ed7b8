"""Pydantic's errors in words for the person who wrote the document.

Pydantic names its own types and puts the tags of unions into an error's place; here an error has the path that is
written in the file (`wards[1].los_model.type`) and says what was found and what is allowed there.
"""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from kaizar_pipeline.config.fields import LIST_TAG, MAPPING_TAG, NAME_TAG, NUMBER_TAG, Loc
from kaizar_pipeline.errors import MAX_SHOWN, quoted, unknown

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "date_type": "a date such as 2026-07-01",
    "date_parsing": "a date such as 2026-07-01",
    "datetime_type": "a date, or a date and time such as 2026-07-01T08:00",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "less_than": "less than {lt}",
    "less_than_equal": "{le} or less",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "string_pattern_mismatch": "letters, digits, _ . and -, beginning with a letter or digit",
}


def explain(error: ValidationError, document: Any, schema: dict[str, Any]) -> Iterator[tuple[Loc, str]]:
    """Each error as its place in `document` and a sentence that begins with the path; `schema` is its JSON Schema."""
    for details in error.errors(include_url=False):
        if not _is_echo(details):
            loc, what = _explain_one(details, _written(details["loc"], document), document, schema)
            yield loc, f"{path_of(loc)}: {what}" if loc else what


def _is_echo(details: ErrorDetails) -> bool:
    """Whether it only says that a list is empty because its items were refused."""
    return details["type"] == "too_short" and len(details["input"]) >= details.get("ctx", {})["min_length"]


def _explain_one(details: ErrorDetails, loc: Loc, document: Any, schema: dict[str, Any]) -> tuple[Loc, str]:
    kind, found, context = details["type"], details["input"], _plain_numbers(details.get("ctx", {}))
    match kind:
        case "missing":
            return loc[:-1], f"missing key {loc[-1]!r} ({_allowed(loc[:-1], document, schema)[str(loc[-1])]})"
        case "extra_forbidden":
            return loc, unknown(str(loc[-1]), _allowed(loc[:-1], document, schema), "key")
        case "union_tag_not_found":
            tag = context["discriminator"].strip("'")
            return loc, f"missing key {tag!r}, allowed values: {', '.join(_tags(loc, document, schema))}"
        case "union_tag_invalid":
            tag = context["discriminator"].strip("'")
            return (*loc, tag), unknown(_shown(found[tag]).strip("'"), _tags(loc, document, schema))
        case "literal_error":
            names = context["expected"].replace(" or ", ", ").replace("'", "").split(", ")
            return loc, unknown(_shown(found).strip("'"), names)
        case _ if kind in _KINDS:
            return (
                loc,
                f"found {_shown(found)}, allowed: {_KINDS[kind].format(**context)}{_remedy(kind, found, context)}",
            )
        case _:
            return loc, details["msg"].removeprefix("Value error, ")


def _plain_numbers(context: dict[str, Any]) -> dict[str, Any]:
    return {name: int(v) if isinstance(v, float) and v.is_integer() else v for name, v in context.items()}


def _written(loc: Loc, document: Any) -> Loc:
    """`loc` without the parts that pydantic adds: tags of unions, and a mark on keys of mappings."""
    written: list[str | int] = []
    here: Any = document
    for part in loc:
        if part in ("[key]", NAME_TAG, NUMBER_TAG, LIST_TAG, MAPPING_TAG) or _is_tag(part, here):
            continue
        written.append(part)
        try:
            here = here[part]
        except (KeyError, IndexError, TypeError):
            here = None
    return tuple(written)


def _is_tag(part: str | int, here: Any) -> bool:
    return isinstance(here, dict) and part not in here and part in (here.get("type"), here.get("source"))


def path_of(loc: Loc) -> str:
    """The place as it is written: wards[1].los_model.type."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{_cut(part)}" for part in loc).removeprefix(".")


def _cut(key: str) -> str:
    return key if len(key) <= MAX_SHOWN else f"{key[:MAX_SHOWN]}..."


def _shown(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping (key: value)"
        case list():
            return "a list" if value else "an empty list"
        case str():
            return quoted(value)
    return _cut(repr(value))


def _remedy(kind: str, found: Any, context: dict[str, Any]) -> str:
    if kind == "string_type" and isinstance(found, int | float):
        return "; put it in quotes to make it text"
    if kind in ("int_type", "float_type") and _is_number(found):
        return "; leave out the quotes"
    return f" ({context['error']})" if kind == "date_parsing" else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and value.replace(".", "", 1).isdecimal()


def _allowed(loc: Loc, document: Any, schema: dict[str, Any]) -> dict[str, str]:
    """Keys that the mapping at `loc` may have, with what they mean."""
    properties = _schema_at(loc, document, schema)["properties"]
    return {key: rule["description"].removesuffix(".") for key, rule in properties.items()}


def _tags(loc: Loc, document: Any, schema: dict[str, Any]) -> list[str]:
    return list(_schema_at(loc, document, schema)["discriminator"]["mapping"])


def _schema_at(loc: Loc, document: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """The part of `schema` for the part of `document` at `loc`."""
    rule, here = _resolve(schema, document, schema), document
    for part in loc:
        rule = rule["items"] if isinstance(part, int) else _property(rule, part)
        here = here[part]
        rule = _resolve(rule, here, schema)
    return rule


def _property(rule: dict[str, Any], key: str) -> dict[str, Any]:
    """The part of `rule` for a key: named, or of a mapping whose keys are any, or any that fit a pattern."""
    named = rule.get("properties", {}).get(key)
    return named or next(iter(rule.get("patternProperties", {}).values()), None) or rule["additionalProperties"]


def _resolve(rule: dict[str, Any], value: Any, schema: dict[str, Any]) -> dict[str, Any]:
    """`rule` with references followed, a list chosen for a list, a mapping before plain values, and a union narrowed by
    the tag of `value`."""
    while options := rule.get("anyOf") or ([] if "discriminator" in rule else rule.get("oneOf", [])):
        lists = [option for option in options if isinstance(value, list) and option.get("type") == "array"]
        mappings = [option for option in options if "type" not in option]
        rule = (lists or mappings or options)[0]
    if "$ref" in rule:
        rule = schema["$defs"][rule["$ref"].rpartition("/")[2]]
    if "discriminator" in rule and isinstance(value, dict):
        mapping = rule["discriminator"]["mapping"]
        target = mapping.get(str(value.get(rule["discriminator"]["propertyName"])))
        return _resolve({"$ref": target}, value, schema) if target else rule
    return rule
