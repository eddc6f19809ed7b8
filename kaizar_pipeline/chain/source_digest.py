"""A version of each step that is computed from its source, so that nobody has to raise one by hand."""

import inspect
import re
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import FunctionType

from kaizar_pipeline.chain.step import Step

_PACKAGE = "kaizar_pipeline"
_IMPORT = re.compile(rf"^\s*from ({_PACKAGE}[\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)


def code_version(step: Step) -> str:
    """Changes with the source of the step, of what it calls in this package, and of all modules that these import."""
    names = sorted(set().union(*(_closure(module) for module in _modules_used(step.function))))
    columns = [(column.name, column.type, column.key) for table in step.makes for column in table.columns]
    parts = [inspect.getsource(step.function), repr(columns), *(_source(name) for name in names)]
    return sha256("\0".join(parts).encode()).hexdigest()[:12]


def _modules_used(function: object) -> Iterator[str]:
    """The modules of the package that the function's own source names; other functions of its module are followed."""
    assert isinstance(function, FunctionType)
    followed, waiting = {function}, [function]
    while waiting:
        current = waiting.pop()
        for name in current.__code__.co_names:
            used = current.__globals__.get(name)
            module = getattr(used, "__module__", None) or getattr(used, "__name__", "")
            if isinstance(used, FunctionType) and module == function.__module__:
                if used not in followed:
                    followed.add(used)
                    waiting.append(used)
            elif module.startswith(_PACKAGE):
                yield module


@cache
def _closure(module: str) -> frozenset[str]:
    """The module and all modules of the package that it imports, directly or not."""
    found, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting += _imports(name)
    return frozenset(found)


@cache
def _imports(module: str) -> tuple[str, ...]:
    """The modules of the package that a module's source names in its imports."""
    named = [(name, item) for name, items in _IMPORT.findall(_source(module)) for item in re.findall(r"\w+", items)]
    return tuple(dict.fromkeys(f"{name}.{item}" if _path(f"{name}.{item}") else name for name, item in named))


@cache
def _source(module: str) -> str:
    path = _path(module)
    return path.read_text(encoding="utf-8") if path else ""


@cache
def _path(module: str) -> Path | None:
    """The file of a module of the package; None when it is no module."""
    base = Path(__file__).parents[2].joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
