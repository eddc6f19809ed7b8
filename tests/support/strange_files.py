"""Hospital and scenario files that nobody would write: made from the JSON Schema, and by damage to right ones.

Each is made from a seed, so that a file that breaks something can be made again.
"""

from copy import deepcopy
from random import Random
from typing import Any

import yaml

EXTREMES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    0.5,
    -0.0,
    1e-300,
    1e300,
    1e308,
    float("inf"),
    float("-inf"),
    float("nan"),
    2**31,
    2**63,
    2**64,
    -(10**40),
    10**299,
    "",
    " ",
    "0",
    "08",
    "1.0",
    "*",
    "_hospital",
    "_all",
    "Mon",
    "Mon,Mon",
    "Mon,,Tue",
    "NL",
    "DE",
    "XX",
    "Europe/Amsterdam",
    "../../etc/passwd",
    "1900-01-01",
    "2999-01-01",
    "9999-12-31",
    "0001-01-01",
    "2026-02-30",
    "2026-07-01T08:00+02:00",
    "\u0000",
    "\ud800",
    "\u202e",
    "\ufeff",
    "ﬁ",
    "é" * 70,
    "x" * 5000,
    "{0}",
    "{message}",
    "%",
    "%s",
    "[number]",
    "[mapping]",
    "[key]",
    [],
    {},
    [[]],
    [{}],
    {"": {}},
    {"type": "fixed"},
    {"type": ["fixed"]},
    {"type": {}},
    {"from": 1, "to": 2},
    list(range(200)),
    {str(n): n for n in range(50)},
)

TEXTS = (
    "&a ",
    "*a",
    "- ",
    ": ",
    "? ",
    "!!python/object:os.system ",
    "!!binary ",
    "|",
    ">",
    "'",
    '"',
    "\t",
    "\x00",
    "\x7f",
    "{",
    "}",
    "[",
    "]",
    ",",
    "#",
    "%YAML 1.2",
    "---\n",
    "...\n",
    "<<: *a",
    "\u2028",
    "\r",
    "😀",
    "\ud7ff",
    "=",
)


def file_of_schema(schema: dict[str, Any], seed: int) -> str:
    """A file with the keys of `schema`, most of its values as that allows."""
    maker = _Maker(schema, Random(seed))
    return _text(maker.value(schema, 0))


def damaged(text: str, seed: int) -> str:
    """A file with one to six things wrong: parts dropped, doubled, renamed, of other kinds; or characters."""
    random = Random(seed)
    if random.random() < 0.3:
        for _ in range(random.randint(1, 6)):
            text = _damaged_text(text, random)
        return text
    values = yaml.safe_load(text)
    for _ in range(random.randint(1, 6)):
        _damage(values, random)
    shown = _text(values)
    return _damaged_text(shown, random) if random.random() < 0.1 else shown


def _text(values: Any) -> str:
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=1000)


class _Maker:
    def __init__(self, schema: dict[str, Any], random: Random):
        self.definitions = schema["$defs"]
        self.random = random
        self.ids = ["ed", "ward", "icu", "acute", "planned"]

    def value(self, rule: dict[str, Any], depth: int) -> Any:
        if depth > 0 and self.random.random() < 0.02:
            return deepcopy(self.random.choice(EXTREMES))
        if "$ref" in rule:
            return self.value(self.definitions[rule["$ref"].rpartition("/")[2]], depth)
        if options := rule.get("anyOf") or rule.get("oneOf"):
            return self.value(self.random.choice(options), depth)
        if "const" in rule:
            return rule["const"]
        if "enum" in rule:
            return self.random.choice(rule["enum"])
        return getattr(self, f"_{rule.get('type', 'string')}")(rule, depth)

    def _object(self, rule: dict[str, Any], depth: int) -> dict[str, Any]:
        required = rule.get("required", ())
        made = {
            key: self.value(part, depth + 1)
            for key, part in rule.get("properties", {}).items()
            if (self.random.random() < 0.99 if key in required else self.random.random() < 0.3)
        }
        if not rule.get("properties"):
            parts = [*rule.get("patternProperties", {}).values()] or [rule.get("additionalProperties") or {}]
            keys = [*self.ids, "Mon", "Sat", "1", "12", "01"]
            for _ in range(self.random.randrange(4)):
                made[self.random.choice(keys)] = self.value(parts[0], depth + 1)
        return made

    def _array(self, rule: dict[str, Any], depth: int) -> list[Any]:
        most = min(rule.get("maxItems", 3), 24)
        fewest = min(rule.get("minItems", 0), 24)
        number = self.random.randint(fewest, max(fewest, most)) if self.random.random() < 0.95 else 0
        return [self.value(rule.get("items", {}), depth + 1) for _ in range(number)]

    def _string(self, rule: dict[str, Any], depth: int) -> str:
        if rule.get("format", "").startswith("date"):
            return f"20{self.random.randint(20, 40)}-{self.random.randint(1, 12):02}-{self.random.randint(1, 28):02}"
        return self.random.choice([*self.ids, *self.ids, "NL", "Europe/Amsterdam", "Mon,Tue", "utf-8", "_home"])

    def _integer(self, rule: dict[str, Any], depth: int) -> int:
        low, high = int(rule.get("minimum", -3)), int(rule.get("maximum", 50))
        return self.random.choice([low, high, self.random.randint(low, max(low, min(high, low + 100)))])

    def _number(self, rule: dict[str, Any], depth: int) -> float:
        low, high = rule.get("minimum", rule.get("exclusiveMinimum", 0)), rule.get("maximum", 20)
        return self.random.choice([low, high, round(self.random.uniform(low, high), 3)])

    def _boolean(self, rule: dict[str, Any], depth: int) -> bool:
        return self.random.random() < 0.5

    def _null(self, rule: dict[str, Any], depth: int) -> None:
        return None


def _places(found: Any) -> list[tuple[Any, Any]]:
    """Every part below `found` as what holds it, and its key or position there."""
    keys = list(found) if isinstance(found, dict) else list(range(len(found))) if isinstance(found, list) else []
    return [(found, key) for key in keys] + [place for key in keys for place in _places(found[key])]


def _damage(values: Any, random: Random) -> None:
    places = _places(values)
    if not places:
        return
    (holder, key), (other, from_key) = random.choice(places), random.choice(places)
    match random.randrange(6):
        case 0:
            del holder[key]
        case 1:
            holder[key] = deepcopy(random.choice(EXTREMES))
        case 2:
            holder[key] = yaml.safe_load(_text(other[from_key]))
        case 3 if isinstance(holder, list):
            holder.append(holder[key])  # which is written as an alias
        case 3:
            holder[f"{key}x"] = holder[key]
        case 4 if isinstance(holder, dict):
            holder[random.choice([f"{key}s", str(key).upper(), "", "id", "type", "x" * 3000])] = holder.pop(key)
        case _:
            holder[key] = [holder[key]] if random.random() < 0.5 else {"value": holder[key]}


def _damaged_text(text: str, random: Random) -> str:
    lines = text.split("\n")
    at = random.randrange(len(lines))
    place = random.randrange(len(text) + 1)
    match random.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[at])
        case 2:
            lines[at] = " " * random.randrange(4) + lines[at]
        case 3:
            return text[:place] + random.choice(TEXTS) * random.choice((1, 1, 1, 300)) + text[place:]
        case _:
            return text[:place] + text[place + random.randrange(1, 40) :]
    return "\n".join(lines)
