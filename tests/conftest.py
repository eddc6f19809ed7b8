"""Projects small enough to run whole in a few seconds, and the folder of real data."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("kaizar", deadline=None)  # timings gate no test
settings.load_profile("kaizar")

for variable in ("DAGSTER_HOME", "KAIZAR_HOME"):  # of whoever starts the tests, such as `make test`
    os.environ.pop(variable, None)

REPOSITORY = Path(__file__).parents[1]

TINY_HOSPITAL = """\
hospital: {name: Tiny, timezone: Europe/Amsterdam, country: NL}
patients:
  source: synthetic
  history_start: 2026-01-01
  truth: {streams: {acute: {mean_per_day: 6, overdispersion: 0.02}}}
wards:
  - {id: ed, type: ED, capacity: 4, los_model: {type: exponential, params: {mean: 4}}}
  - {id: ward, capacity: 7, los_model: {type: lognormal, unit: days, params: {mean: 2, sd: 2}}}
patient_types: [{id: patient}]
arrival_streams:
  - {id: acute, target_ward: ed, patient_type: patient, model: {type: ml_poisson}}
  - {id: planned, target_ward: ward, patient_type: patient, model: {type: schedule, pattern: Mon, mean_per_day: 1.5}}
routing: [{from_ward: ed, options: [{to_ward: ward, probability: 0.4}]}]
simulation: {horizon_days: 7, replications: 10}
"""


def make_project(folder: Path, *hospitals: str) -> Path:
    """Makes a project with tiny hospitals of the given names."""
    (folder / "hospital_configs").mkdir(parents=True, exist_ok=True)
    for name in ("workspace.yaml", "dagster.yaml"):
        (folder / name).write_text((REPOSITORY / name).read_text())
    for hospital in hospitals:
        (folder / "hospital_configs" / f"{hospital}.yml").write_text(TINY_HOSPITAL)
    return folder


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """Commands set variables of their process, such as DAGSTER_HOME: the next test does not see them."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def make_home(tmp_path: Path) -> Callable[..., Path]:
    """Makes a project with tiny hospitals of the given names in the test's folder."""
    return lambda *hospitals: make_project(tmp_path, *hospitals)


@pytest.fixture
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def cases(real_data: Path) -> Path:
    """The folder of hospitals with peculiar extracts; tests that need it are skipped where it is absent."""
    folder = real_data.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"no cases: {folder} does not exist")
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("KAIZAR_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist; set KAIZAR_TEST_DATA")
    return folder
