"""Files of any content: they are read, or refused in words, within seconds.

`KAIZAR_FUZZ` is the number of files of each kind (`make fuzz`: 10,000), `KAIZAR_FUZZ_SEED` the first seed.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile

import pytest
from strange_files import damaged, file_of_schema

from kaizar_pipeline.config.files import (
    config_hash,
    hospital_schema,
    load_hospital_config,
    load_scenario,
    load_with_warnings,
    scenario_schema,
)
from kaizar_pipeline.errors import ConfigError

pytestmark = pytest.mark.integration

FILES = int(os.environ.get("KAIZAR_FUZZ", "200"))
FIRST = int(os.environ.get("KAIZAR_FUZZ_SEED", "0"))

SECONDS = 5
LONGEST = 1_500
"""Characters of a message."""

REPOSITORY = Path(__file__).parents[2]
LEGACY = REPOSITORY / "tests" / "config" / "legacy"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "hospital_configs"
    (folder / "scenarios").mkdir(parents=True)
    (tmp_path / "workspace.yaml").touch()
    monkeypatch.setenv("KAIZAR_HOME", str(tmp_path))
    copyfile(REPOSITORY / "hospital_configs" / "hospital_1.yml", folder / "hospital_1.yml")
    return tmp_path


@contextmanager
def within_seconds() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"not done within {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def count(record_testsuite_property: Callable[[str, object], None]) -> None:
    record_testsuite_property("files", FILES)


def read_all(path: Path, read: Callable[[Path], object], make: Callable[[int], str]) -> int:
    """How many of the files that `make` makes are read without an error; the others are refused in words."""
    right = 0
    for seed in range(FIRST, FIRST + FILES):
        path.write_bytes(make(seed).encode("utf-8", "surrogatepass"))
        errors = refusal(path, read, seed)
        right += errors is None
        assert errors is None or 0 < max(map(len, errors)) <= LONGEST, f"seed {seed}: {errors}"
    return right


def refusal(path: Path, read: Callable[[Path], object], seed: int) -> list[str] | None:
    """The errors for which a file is refused, if it is."""
    try:
        with within_seconds():
            read(path)
    except ConfigError as error:
        return error.errors
    except Exception as error:
        raise AssertionError(f"seed {seed}, file {path}: {error!r}") from error
    return None


def read_hospital(path: Path) -> None:
    config, _ = load_with_warnings(path)
    assert len(config_hash(config)) == 16


SHIPPED = sorted(file for file in (REPOSITORY / "hospital_configs").glob("*.yml"))
OLD = [LEGACY / "north.yml", LEGACY / "south.yml"]
SCENARIOS = sorted((REPOSITORY / "hospital_configs" / "scenarios").glob("*.yml"))
OLD_SCENARIOS = [LEGACY / "slower_care.yml", LEGACY / "straight_home.yml"]


def test_hospitals_of_the_schema(home: Path):
    read_all(home / "hospital_configs" / "x.yml", read_hospital, lambda seed: file_of_schema(hospital_schema(), seed))


def test_damaged_hospitals(home: Path):
    texts = [file.read_text(encoding="utf-8") for file in (*SHIPPED, *OLD)]
    path = home / "hospital_configs" / "x.yml"
    right = read_all(path, read_hospital, lambda seed: damaged(texts[seed % len(texts)], seed))
    assert 0 < right < FILES  # the damage is neither nothing nor all


def test_scenarios_of_the_schema(home: Path):
    hospital = load_hospital_config(home / "hospital_configs" / "hospital_1.yml")
    path = home / "hospital_configs" / "scenarios" / "x.yml"
    read_all(path, lambda file: load_scenario(file, hospital), lambda seed: file_of_schema(scenario_schema(), seed))


def test_damaged_scenarios(home: Path):
    hospital = load_hospital_config(home / "hospital_configs" / "hospital_1.yml")
    texts = [file.read_text(encoding="utf-8") for file in (*SCENARIOS, *OLD_SCENARIOS)]
    path = home / "hospital_configs" / "scenarios" / "x.yml"
    right = read_all(
        path, lambda file: load_scenario(file, hospital), lambda seed: damaged(texts[seed % len(texts)], seed)
    )
    assert 0 < right < FILES
