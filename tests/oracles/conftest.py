"""The libraries to compare with. They live in an environment of their own, which `make oracles` makes and runs these
tests in; elsewhere the tests that need one are skipped."""

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest


def library(name: str) -> Any:
    """The module `name`. Only a library that is not installed skips a test: one that fails to load, or a module of it
    that has gone, is an error, or else `make oracles` would pass without comparing anything."""
    package = name.partition(".")[0]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not in this environment: `make oracles` compares with it")
    return import_module(name)


@pytest.fixture(scope="session")
def glum() -> Any:
    return library("glum")


@pytest.fixture(scope="session")
def hillmaker() -> Any:
    return library("hillmaker")


@pytest.fixture(scope="session")
def randomgen() -> Any:
    return library("randomgen")


@pytest.fixture(scope="session")
def scoringrules() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        # where it finds numba it compiles all its scores as it is loaded, for 7 seconds; numpy does for these tests
        patch.setitem(sys.modules, "numba", None)
        return library("scoringrules")


@pytest.fixture(scope="session")
def survfunc() -> Any:
    return library("statsmodels.duration.survfunc")
