"""A second draft beside the first and the file that a person made of it: what newer records change, what is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kaizar_pipeline.drafting.drafted_file import KEPT, Place, item_id

_ABSENT = object()


class _Versions(NamedTuple):
    """A value in the last draft, in the new one and in the file."""

    before: Any
    now: Any
    file: Any

    def at(self, key: Any) -> "_Versions":
        """That of a key of mappings."""
        return _Versions(*(one.get(key, _ABSENT) if isinstance(one, Mapping) else _ABSENT for one in self))

    def by_id(self) -> "_Versions":
        """Lists of mappings as mappings by the ids of their items."""
        return _Versions(*({item_id(item): item for item in one} if _is_listed(one) else {} for one in self))

    @property
    def edited(self) -> bool:
        """Whether a person changed it: then it is kept."""
        return self.file is not self.before and self.file != self.before


@dataclass(frozen=True)
class Change:
    """A value that the new draft proposes otherwise than the last one, or that a person has edited since."""

    place: Place
    drafted_before: Any
    drafted_now: Any
    in_file: Any
    edited: bool
    """Whether the file has another value than the last draft: it is kept."""

    def __str__(self) -> str:
        before, now, mine = (
            "nothing" if one is _ABSENT else str(one) for one in (self.drafted_before, self.drafted_now, self.in_file)
        )
        place = ".".join(self.place)
        if self.edited:
            return f"{place}: the file has {mine}, kept; drafted before: {before}, now: {now}"
        return f"{place}: {before} becomes {now}"


@dataclass
class Redraft:
    """The values of a new draft with the edits of a person."""

    values: dict[str, Any]
    changes: list[Change] = field(default_factory=list)
    kept: dict[Place, str] = field(default_factory=dict)
    """A comment for each value that is kept."""

    @classmethod
    def of(cls, before: Mapping[str, Any], now: Mapping[str, Any], file: Mapping[str, Any]) -> "Redraft":
        """From the values of the last draft, the new one and the file; items of lists are matched by their ids."""
        redraft = cls({})
        redraft.values = redraft._merged(_Versions(before, now, file), ())
        return redraft

    def _merged(self, versions: _Versions, place: Place) -> Any:
        if isinstance(versions.now, Mapping) and isinstance(versions.file, Mapping):
            return self._by_key(versions, place)
        if _is_listed(versions.now) and _is_listed(versions.file):
            return list(self._by_key(versions.by_id(), place).values())
        if versions.edited or versions.now != versions.file:
            self.changes.append(Change(place, *versions, versions.edited))
        if versions.edited and versions.file is not _ABSENT:
            self.kept[place] = KEPT
        return versions.file if versions.edited else versions.now

    def _by_key(self, versions: _Versions, place: Place) -> dict[str, Any]:
        keys = dict.fromkeys([*versions.now, *versions.file])
        merged = {key: self._merged(versions.at(key), (*place, str(key))) for key in keys}
        return {key: value for key, value in merged.items() if value is not _ABSENT}


def _is_listed(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)
