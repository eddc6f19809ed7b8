"""How the kernel is compiled: once per machine and version of its sources, with a message when that takes a while."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import config
from numba.core.event import Listener, install_listener

Function = TypeVar("Function", bound=Callable[..., Any])

_LOG = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent
_PACKAGE = _FOLDER.parents[1]
_CONSTANTS_FROM = (
    "config/fields.py", "stats/durations.py", "stats/operational_time.py", "stats/philox.py", "tables/kpis.py",
    "simulation/census.py", "simulation/clocks.py", "simulation/flow_windows.py", "simulation/plan.py",
    "simulation/trajectories.py", "simulation/waits.py",
)  # fmt: skip
"""Modules outside the kernel whose constants and types are compiled into it."""

index = cast(Callable[[Any], int], np.uint32)
"""Makes a number an index. A signed one costs a comparison and an addition each time it is used, because numba
lets it count from the end: a seventh of a replication in all."""

signed = cast(Callable[[Any], int], np.int64)
"""Makes an index a number of the type of -1."""


def compiled(function: Function) -> Function:
    """A part of the kernel, compiled into whatever calls it; Python itself cannot call it."""
    return _njit(function, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def step(function: Function) -> Function:
    """A long part that is called once or twice per replication: compiled once and called, which costs no time then and
    saves much of it in compiling."""
    return _njit(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def entry(function: Function) -> Function:
    """A function of the kernel that Python calls; its machine code is kept on disk where a folder can be written."""
    folder = _cache_folder()
    if folder is None:
        return _njit(function)
    chosen = getattr(config, "CACHE_DIR", "")
    setattr(config, "CACHE_DIR", str(folder))  # noqa: B010  numba makes its settings as it starts
    try:
        return _njit(function, cache=True)
    finally:
        setattr(config, "CACHE_DIR", chosen)  # noqa: B010


def _njit(function: Function, **options: bool) -> Function:
    # without numba's runtime (nrt) the kernel cannot make arrays, and need not count references to those it is handed:
    # that took 60 times longer than its work, since dozens of them go through every call
    options |= {"nogil": True, "_nrt": False}
    return cast(Function, cast(Any, numba).njit(error_model="numpy", **options)(function))


@contextmanager
def announced() -> Iterator[None]:
    """Say so when what is done inside has to compile first, which takes about a minute."""
    with install_listener("numba:compile", _Announcer()):
        yield


class _Announcer(Listener):
    def on_start(self, event: Any) -> None:
        _announce()

    def on_end(self, event: Any) -> None:
        """Nothing more to say."""


@cache
def _announce() -> None:
    """Once, however many entries there are to compile."""
    _LOG.warning("compiling the simulation engine for this machine, once: about a minute")


def _cache_folder() -> Path | None:
    """A folder of its own for these very sources, since numba looks for changes in the file of the entry only."""
    files = [*sorted(_FOLDER.glob("*.py")), *(_PACKAGE / name for name in _CONSTANTS_FROM)]
    sources = b"".join(path.read_bytes() for path in files)
    name = sha256(sources).hexdigest()[:12] + ("-checked" if getattr(config, "BOUNDSCHECK", None) else "")
    chosen = getattr(config, "CACHE_DIR", "")
    homes = [Path(chosen)] if chosen else [_FOLDER / "__pycache__", _user_folder()]
    return next((home / name for home in homes if home is not None and _is_writable(home)), None)


def _user_folder() -> Path | None:
    try:
        return Path.home() / ".cache" / "kaizar-pipeline"
    except RuntimeError:  # no home folder at all
        return None


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
