"""The text of a drafted hospital's file: YAML in which each choice carries its evidence as a comment."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from kaizar_pipeline.drafting.hospital_draft import Draft
from kaizar_pipeline.drafting.reading import GUESS

KEPT = "edited by hand, kept"
_WIDTH = 118

Place = tuple[str, ...]
"""Where in a config a value is: keys, and ids of items of lists."""


def item_id(item: Mapping[str, Any]) -> str:
    """What tells an item of a list from the others."""
    return str(next((item[key] for key in ("id", "from_ward", "name", "ward") if key in item), item))


def drafted_file(draft: Draft, values: Mapping[str, Any] | None = None, kept: Mapping[Place, str] | None = None) -> str:
    """The file of a hospital; `values` in place of those of the draft, with the comments `kept` in place of its own."""
    comments = _comments(draft) | dict(kept or {})
    lines = [
        "# yaml-language-server: $schema=hospital.schema.json",
        "#",
        f"# Drafted by `kaizar draft` from {draft.location}. Each comment is the evidence for its line.",
        "# Confirm first:",
        *(f"# - {one}" for one in draft.confirm),
        *([f"# Columns that no run reads: {', '.join(draft.unread)}"] if draft.unread else []),
    ]
    for key, value in (draft.values() if values is None else values).items():
        lines += ["", *_lines(key, value, (key,), comments)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def drafted_scenario(draft: Draft, name: str) -> str | None:
    """The file of a scenario to begin with: a tenth of the beds of the largest ward of `name` closes; None where no
    ward has beds that could."""
    beds = {ward.named.id: ward.beds.beds or 0 for ward in draft.wards if ward.span.closed is None}
    ward = max(beds, key=lambda ward: beds[ward], default=None)
    fewest = min([beds[ward], *_weekday_beds(draft, ward)]) if ward is not None else 0
    if ward is None or fewest < 2:
        return None
    fewer = min(fewest - 1, max(1, round(0.1 * beds[ward])))
    return "\n".join(
        [
            "# yaml-language-server: $schema=../scenario.schema.json",
            "# Drafted by `kaizar draft`, to begin with: change it, or delete it. `kaizar compare` tells its effect.",
            "",
            f"description: {fewer} of {beds[ward]} beds of {ward} closed",
            f"hospitals: [{name}]",
            "",
            "capacity_overrides:",
            f"  - {{ward: {ward}, change: -{fewer}}}",
            "",
        ]
    )


def _weekday_beds(draft: Draft, ward: str) -> list[int]:
    return [beds for one in draft.wards if one.named.id == ward for beds in one.beds.by_weekday.values()]


def _comments(draft: Draft) -> dict[Place, str]:
    """The comment of each place in the values."""
    comments: dict[Place, str] = {("hospital",): "given, not from the records"}
    comments |= {("patients", *key.split(".")): words for key, words in draft.why.items()}
    for ward in draft.wards:
        comments["wards", ward.named.id, "type"] = ward.why_type
        comments["wards", ward.named.id, "capacity"] = f"{ward.beds.why}; {GUESS}"
        comments["wards", ward.named.id, "weekday_capacity"] = f"{ward.beds.why_by_weekday}; {GUESS}"
        comments |= {("wards", ward.named.id, key): f"{why}; {GUESS}" for key, why in ward.span.why.items()}
    for stream in draft.streams:
        comments["arrival_streams", stream.named.id, "patient_type"] = stream.why
        comments |= {
            ("arrival_streams", stream.named.id, key): f"{why}; {GUESS}" for key, why in stream.span.why.items()
        }
    comments["routing",] = "learned from the ward stays"
    comments["simulation", "start"] = "who is in the hospital is not known without departures"
    return comments


def _lines(key: str, value: Any, place: Place, comments: Mapping[Place, str]) -> list[str]:
    """`key: value` as lines; what holds no comment inside stays on one line where it fits."""
    flow = _flow(value)
    inside = any(other[: len(place)] == place and other != place for other in comments)
    head = f"{_flow(key)}:{_comment(comments.get(place))}"
    if isinstance(value, Mapping) and value and (inside or "\n" in flow or len(flow) + len(key) > _WIDTH):
        return [
            head,
            *("  " + line for name, one in value.items() for line in _lines(str(name), one, (*place, name), comments)),
        ]
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        items = (_item(one, (*place, item_id(one)), comments) for one in value)
        return [head, *("  " + line for item in items for line in item)]
    return [f"{_flow(key)}: {flow}{_comment(comments.get(place))}"]


def _item(item: Mapping[str, Any], place: Place, comments: Mapping[Place, str]) -> Iterator[str]:
    lines = [line for name, one in item.items() for line in _lines(str(name), one, (*place, name), comments)]
    yield from (("- " if number == 0 else "  ") + line for number, line in enumerate(lines))


def _flow(value: Any) -> str:
    """A value on one line; a mapping with texts of several lines is not."""
    style = '"' if isinstance(value, str) and "\n" in value else None
    text = yaml.safe_dump(
        value, default_flow_style=True, default_style=style, allow_unicode=True, sort_keys=False, width=10**9
    )
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _comment(words: str | None) -> str:
    return f"  # {' '.join(words.split())}" if words else ""
