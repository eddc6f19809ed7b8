"""A version of each step that is computed from its source, so that nobody has to raise one by hand."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import CodeType, FunctionType

from kaizar_pipeline.chain.step import Step

_PACKAGE = "kaizar_pipeline"
_IMPORT = re.compile(rf"^\s*from ({_PACKAGE}[\w.]*) import (\([^)]*\)|.*)$", re.MULTILINE)


def code_version(step: Step) -> str:
    """Changes with the source of the step, of what it calls in this package, and of all modules that these import."""
    columns = [(column.name, column.type, column.key) for table in step.makes for column in table.columns]
    return version_of([step.function, *step.reruns], [repr(columns)])


def version_of(called: Sequence[Callable[..., object]], texts: Sequence[str] = ()) -> str:
    """The same for functions, and for other texts that they depend on."""
    functions = [used for function in called for used in _own_functions(function)]
    modules = set().union(*(_closure(module) for function in functions for module in _modules_used(function)))
    parts = [*map(inspect.getsource, functions), *texts, *(_source(name) for name in sorted(modules))]
    return sha256("\0".join(parts).encode()).hexdigest()[:12]


def _own_functions(function: Callable[..., object]) -> list[FunctionType]:
    """The function and those of its own module that it calls, directly or not."""
    found, waiting = [], [function]
    while waiting:
        current = waiting.pop()
        if not isinstance(current, FunctionType) or current in found or current.__module__ != function.__module__:
            continue
        found.append(current)
        waiting += [used for used in _globals_used(current) if isinstance(used, FunctionType)]
    return found


def _globals_used(function: FunctionType) -> Iterator[object]:
    """What the code of the function, lambdas and comprehensions included, names among the globals of its module."""
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        yield from (function.__globals__[name] for name in code.co_names if name in function.__globals__)


def _modules_used(function: FunctionType) -> Iterator[str]:
    """The modules below the chain that the function names; what all steps share is no part of one step's version."""
    for used in _globals_used(function):
        module = getattr(used, "__module__", None) or getattr(used, "__name__", "")
        if module.startswith(_PACKAGE) and not module.startswith(f"{_PACKAGE}.chain"):
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
    """The file of a module of the package; None when it is not a module."""
    base = Path(__file__).parents[2].joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
