"""A document of the predecessor's on its way to today's keys, with a warning for each thing that was translated."""

from dataclasses import dataclass, field, replace
from typing import Any

from kaizar_pipeline.config.document import Document
from kaizar_pipeline.config.fields import Loc


@dataclass
class Translation:
    """A document in today's keys, and what was done to it."""

    document: Document
    warnings: list[tuple[int, str]] = field(default_factory=list)
    """Line and text of each translation."""

    @classmethod
    def of(cls, document: Document) -> "Translation":
        """A translation that leaves `document` itself as it is."""
        return cls(
            replace(document, values=dict(document.values), lines=dict(document.lines), errors=list(document.errors))
        )

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

    def renamed(self, part: Any, names: dict[str, str], old: Loc, new: Loc) -> Any:
        """A part, which moves from `old` to `new`, with other names for some of its keys."""
        if not isinstance(part, dict):
            return part
        for key in part:
            self.show_at((*new, str(names.get(key, key))), (*old, key))
        return {names.get(key, key): value for key, value in part.items()}


def mapping(value: Any) -> dict[str, Any]:
    """`value` if it is a mapping, else an empty one: what is wrong with it is found by the check."""
    return value if isinstance(value, dict) else {}


def items(values: dict[str, Any], key: str) -> list[Any]:
    """The list under `key`, empty where there is something else."""
    value = values.get(key)
    return value if isinstance(value, list) else []


def mappings(values: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The list under `key`, with an empty mapping in the place of anything that is none."""
    return [mapping(item) for item in items(values, key)]


def text(value: Any) -> str | None:
    """`value` if it is text."""
    return value if isinstance(value, str) else None
