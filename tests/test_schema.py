"""The JSON Schemas of hospitals and scenarios are complete and the committed ones are current."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kaizar_pipeline.config.files import hospital_schema, scenario_schema

pytestmark = pytest.mark.unit

PROJECT = Path(__file__).parents[1]
SCHEMAS = {"hospital": hospital_schema, "scenario": scenario_schema}


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


@pytest.mark.parametrize(("kind", "at_least"), [("hospital", 80), ("scenario", 60)])
def test_every_property_is_described(kind: str, at_least: int):
    found = list(properties(SCHEMAS[kind]()))
    assert len(found) > at_least
    assert [path for path, rule in found if not rule.get("description")] == []


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_optional_property_says_its_default(kind: str):
    for name, definition in SCHEMAS[kind]()["$defs"].items():
        for key, rule in definition.get("properties", {}).items():
            if "default" in rule and not isinstance(rule["default"], dict | list):
                text = rule["description"].lower()
                assert "default" in text or "required" in text, f"{name}.{key}: {text}"


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_committed_schema_is_current(kind: str):
    committed = (PROJECT / "hospital_configs" / f"{kind}.schema.json").read_text(encoding="utf-8")
    assert json.loads(committed) == SCHEMAS[kind](), "run `kaizar schema --write`"


@pytest.mark.parametrize(
    ("pattern", "schema"), [("*.yml", "hospital.schema.json"), ("scenarios/*.yml", "../scenario.schema.json")]
)
def test_the_shipped_files_name_their_schema_on_line_one(pattern: str, schema: str):
    found = sorted((PROJECT / "hospital_configs").glob(pattern))
    assert len(found) > 2
    for path in found:
        assert path.read_text(encoding="utf-8").startswith(f"# yaml-language-server: $schema={schema}\n")
