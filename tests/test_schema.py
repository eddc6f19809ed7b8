"""The JSON Schema of hospital files is complete and the committed one is current."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kaizar_pipeline.config.files import hospital_schema

pytestmark = pytest.mark.unit

PROJECT = Path(__file__).parents[1]


def properties(rule: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of every object in a schema, with where it stands."""
    if isinstance(rule, dict):
        for name, item in rule.get("properties", {}).items():
            yield f"{path}.{name}", item
        for name, item in rule.items():
            yield from properties(item, f"{path}/{name}")
    elif isinstance(rule, list):
        for index, item in enumerate(rule):
            yield from properties(item, f"{path}/{index}")


def test_every_property_is_described():
    found = list(properties(hospital_schema()))
    assert len(found) > 80
    assert [path for path, rule in found if not rule.get("description")] == []


def test_every_optional_property_says_its_default():
    for name, definition in hospital_schema()["$defs"].items():
        for key, rule in definition.get("properties", {}).items():
            if "default" in rule and not isinstance(rule["default"], dict | list):
                text = rule["description"].lower()
                assert "default" in text or "required" in text, f"{name}.{key}: {text}"


def test_the_committed_schema_is_current():
    committed = (PROJECT / "hospital_configs" / "hospital.schema.json").read_text(encoding="utf-8")
    assert json.loads(committed) == hospital_schema(), "run `kaizar schema --write`"


def test_the_shipped_hospitals_name_the_schema_on_line_one():
    for path in sorted((PROJECT / "hospital_configs").glob("*.yml")):
        assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=hospital.schema.json\n")
