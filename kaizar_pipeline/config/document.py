"""A YAML file as plain values plus the line of every part, so that any later error can say where it is.

Scalars are read by YAML 1.2's rules, as editors do: `NO` is Norway and not false, `on` is text, `010` is ten, `12:30`
is not a number of minutes, and dates stay text until the model that wants a date reads them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kaizar_pipeline.config.fields import Loc
from kaizar_pipeline.errors import MAX_SHOWN, ConfigError, quoted

_TAGS = {
    "null": (re.compile(r"~|null|Null|NULL|"), ["~", "n", "N", ""], lambda text: None),
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), list("tTfF"), lambda text: text.lower() == "true"),
    "int": (re.compile(r"[-+]?[0-9]{1,300}"), list("-+0123456789"), int),
    "float": (
        re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
        list("-+.0123456789"),
        lambda text: float(re.sub(r"\.(?=[inIN])", "", text)),
    ),
    "str": (None, [], str),
}


MAX_BYTES = 1_000_000
"""Bytes of a file."""

MAX_VALUES = 200_000
"""Keys and values of a file, aliases written out: a few aliases of aliases can stand for more than memory holds."""

_SLOW_BYTES = 200_000
"""Above this many bytes a file with errors is not read again for the sake of better words."""


_LONG_WORD = re.compile(rf"(\S{{{MAX_SHOWN}}})\S+")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2."""

    yaml_implicit_resolvers = {}  # noqa: RUF012  PyYAML's own way to have resolvers per class


_FastLoader: Any = type(
    "_FastLoader", (getattr(yaml, "CSafeLoader", yaml.SafeLoader),), {"yaml_implicit_resolvers": {}}
)
"""The same by libyaml where PyYAML has it: fifteen times faster, with poorer messages."""


for _name, (_pattern, _first, _) in _TAGS.items():
    if _pattern is not None:
        for _kind in (_Loader, _FastLoader):
            _kind.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern.pattern})$"), _first)


@dataclass
class Document:
    """A file's values (mappings with text keys, lists, scalars), the line of each part, and errors of its form."""

    values: Any = None
    lines: dict[Loc, int] = field(default_factory=dict)
    errors: list[tuple[int, str]] = field(default_factory=list)
    size: int = 0
    """Keys and values."""

    def line(self, loc: Loc) -> int:
        """Line of the part at `loc`, or of the nearest part around it."""
        return next((self.lines[loc[:end]] for end in range(len(loc), 0, -1) if loc[:end] in self.lines), 1)


class _TooLarge(Exception):  # noqa: N818  caught in this module
    def __init__(self, line: int):
        self.line = line


def read_document(path: Path, shown: str) -> Document:
    """Read a YAML file; `shown` names it in messages.

    Repeated keys and tags are left to the caller as `errors`; a file that is not text, not YAML or too large is a
    ConfigError.
    """
    try:
        root = _root(_text(path, shown))
        document = Document()
        if root is not None:
            document.values = _value(root, (), document, ())
        return document
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{shown}:{_not_yaml(error)}") from None
    except yaml.reader.ReaderError as error:
        line = path.read_text("utf-8-sig").count("\n", 0, error.position) + 1
        raise ConfigError(f"{shown}:{line}: not valid YAML: character #x{error.character:04x} is not allowed") from None
    except _TooLarge as error:
        raise ConfigError(
            f"{shown}:{error.line}: more than {MAX_VALUES:,} keys and values, aliases written out"
        ) from None
    except RecursionError:
        raise ConfigError(f"{shown}:1: lists or mappings are nested too deeply") from None


def _root(text: str) -> yaml.Node | None:
    """The node around all others, None for an empty file."""
    try:
        return _FastLoader(text).get_single_node()
    except yaml.YAMLError:
        if len(text) > _SLOW_BYTES:
            raise
        return _Loader(text).get_single_node()


def _text(path: Path, shown: str) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{shown}: has {len(data):,} bytes, allowed: {MAX_BYTES:,}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{shown}:{line}: not UTF-8 (byte 0x{data[error.start]:02x}); save the file as UTF-8"
        ) from None


def _not_yaml(error: yaml.MarkedYAMLError) -> str:
    mark, begin = error.problem_mark or error.context_mark, error.context_mark
    line = mark.line + 1 if mark else 1
    context = f"{error.context}, " if error.context else ""
    if begin and begin.line + 1 < line:
        context = f"{error.context} that begins on line {begin.line + 1}, "
    what = _LONG_WORD.sub(r"\1...", f"{context}{error.problem}")
    return f"{line}: not valid YAML: {what}{_hint(what)}"


def _hint(problem: str) -> str:
    if "'\\t'" in problem:
        return "; indent with spaces, not tabs"
    if "mapping values are not allowed" in problem:
        return "; check the indentation, and put text that holds ': ' in quotes"
    return ""


def _value(node: yaml.Node, loc: Loc, document: Document, around: tuple[yaml.Node, ...]) -> Any:
    """Plain value of `node`, which is at `loc` inside the nodes `around`; adds lines and errors to `document`."""
    line = node.start_mark.line + 1
    document.lines.setdefault(loc, line)
    document.size += 1
    if document.size > MAX_VALUES:
        raise _TooLarge(line)
    if node in around:
        document.errors.append((line, "an alias contains itself"))
        return None
    inside = (*around, node)
    if isinstance(node, yaml.MappingNode):
        entries = list(_entries(node, loc, document))
        return {key: _value(value, (*loc, key), document, inside) for key, value in entries}
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*loc, index), document, inside) for index, item in enumerate(node.value)]
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    pattern, _, construct = _TAGS.get(kind, (None, [], None))
    if construct is None or (pattern and not pattern.fullmatch(node.value)):
        document.errors.append((line, f"tag {quoted(node.tag)} is not allowed here"))
        return None
    if not _is_plain(node.value):
        document.errors.append((line, "text with a character that cannot be stored, such as \\0"))
        return None
    return construct(node.value)


def _is_plain(text: str) -> bool:
    """Whether it has neither the character 0, which ends text elsewhere, nor half of a character."""
    return "\0" not in text and not re.search("[\ud800-\udfff]", text)


def _entries(node: yaml.MappingNode, loc: Loc, document: Document) -> Iterator[tuple[str, yaml.Node]]:
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.errors.append((line, "a key must be plain text"))
            continue
        key = key_node.value
        if not _is_plain(key):
            document.errors.append((line, "a key with a character that cannot be stored, such as \\0"))
            continue
        first = document.lines.get((*loc, key))
        if first is not None:
            document.errors.append((line, f"key {quoted(key)} appears twice, first on line {first}"))
        else:
            document.lines[*loc, key] = line
        yield key, value_node
