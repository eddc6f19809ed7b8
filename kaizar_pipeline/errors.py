"""Every error that Kaizar raises on purpose, and the words for a name that is not known.

    KaizarError
    ├── ConfigError        a hospital or scenario file with errors, each with file and line
    ├── DataError          an extract or a stored table that cannot be used
    └── SimulationError    a hospital that cannot be simulated

A message says where, what was found and what is allowed or what to do; it is meant for people who do not read
tracebacks.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class KaizarError(Exception):
    """Base of all errors raised on purpose: catch this one to catch them all."""


class ConfigError(KaizarError):
    """One or more errors in configuration; `errors` holds one line for each, `warnings` one for each translation that
    was made before they were found."""

    def __init__(self, errors: list[str] | str, warnings: Iterable[str] = ()):
        self.errors = [errors] if isinstance(errors, str) else list(errors)
        self.warnings = list(warnings)
        super().__init__("\n".join(self.errors))


class DataError(KaizarError):
    """An extract, a frame or a stored table that breaks its contract."""


class SimulationError(KaizarError):
    """A hospital whose simulation cannot be carried out as asked."""


MAX_SHOWN = 60
"""Characters of a value that a message shows."""
MAX_LISTED = 12
"""Names that a message lists."""


def quoted(name: str) -> str:
    """A name in quotes, cut where it is long."""
    return repr(name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}...")


def listed(names: Iterable[str]) -> str:
    """Names separated by commas, the first few of many and how many more there are."""
    shown = [name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}..." for name in names]
    more = len(shown) - MAX_LISTED
    return ", ".join(shown if more <= 1 else [*shown[:MAX_LISTED], f"and {more:,} more"])


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that is spelled most like `name`, upper and lower case alike; None when none is near."""
    by_spelling: dict[str, str] = {}
    for other in names:
        by_spelling.setdefault(other.lower(), other)
    # names of the project's own kind are short; the search takes the square of the length
    near = get_close_matches(name[: 2 * MAX_SHOWN].lower(), by_spelling, 1)
    return by_spelling[near[0]] if near else None


def unknown(name: str, allowed: Iterable[str], kind: str = "", *, list_allowed: bool = True) -> str:
    """'unknown ward 'IUC', did you mean 'ICU'?', or the allowed names if none is near."""
    names = list(allowed)
    near = nearest(name, names)
    hint = f", did you mean {near!r}?" if near else f", allowed: {listed(names) or 'none'}" if list_allowed else ""
    return f"unknown {kind + ' ' if kind else ''}{quoted(name)}{hint}"
