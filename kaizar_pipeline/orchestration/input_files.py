"""The files that a hospital's tables are made from: what they are, and which version of them there is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import file_digest, sha256
from pathlib import Path

from kaizar_pipeline.config.files import (
    CONFIG_FOLDER,
    load_hospital_config,
    scenario_files,
    scenario_is_about,
)
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import SqlPatients, SyntheticPatients
from kaizar_pipeline.errors import KaizarError

FILE_ASSETS = {
    "hospital_file": "The hospital's YAML file.",
    "scenario_files": "The YAML files of the scenarios that are about the hospital.",
    "extract": "The files that the hospital's file names: the extract of patients, that of ward stays, and events.",
}


@dataclass(frozen=True)
class FileState:
    """One or more files that belong together, as they are now; those that do not exist are left out."""

    paths: tuple[Path, ...]
    size: int
    """Bytes of all of them."""
    modified: float
    """Seconds since 1970 of the last change of any."""

    @classmethod
    def of(cls, paths: Sequence[Path]) -> "FileState":
        """The state of `paths`, whose contents are not read."""
        there = [(path, path.stat()) for path in paths if path.is_file()]
        modified = max((stat.st_mtime for _, stat in there), default=0.0)
        return cls(tuple(path for path, _ in there), sum(stat.st_size for _, stat in there), modified)

    @property
    def version(self) -> str:
        """12 hex digits that change with the contents."""
        return sha256("".join(map(_version, self.paths)).encode()).hexdigest()[:12]


def _version(path: Path) -> str:
    """The digest of a file. One that cannot be read has none, and the step that reads it says so."""
    try:
        stat = path.stat()
        return _digest(path, stat.st_size, stat.st_mtime_ns)
    except OSError:
        return "unreadable"


@lru_cache(maxsize=1024)
def _digest(path: Path, size: int, modified_ns: int) -> str:
    """The digest of a file, read again only when its size or time changes."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def file_states(home: Path, hospital_id: str) -> dict[str, FileState]:
    """The files of a hospital by asset. One whose file has errors, or is gone, has no extract that could be known.

    Raises nothing, since the files are looked at before a run has a step that could fail.
    """
    own = home / CONFIG_FOLDER / f"{hospital_id}.yml"
    try:
        read = [home / path for path in _paths_named(load_hospital_config(own))]
    except KaizarError:
        read = []
    scenarios = [path for path in scenario_files(home).values() if _may_be_about(path, hospital_id)]
    paths = {"hospital_file": [own], "scenario_files": scenarios, "extract": read}
    return {name: FileState.of(paths[name]) for name in FILE_ASSETS}


def file_versions(home: Path, hospital_id: str) -> Mapping[str, str]:
    """The version of each file asset of a hospital."""
    return {name: state.version for name, state in file_states(home, hospital_id).items()}


def _may_be_about(scenario: Path, hospital_id: str) -> bool:
    try:
        return scenario_is_about(scenario, hospital_id)
    except KaizarError:
        return True


def _paths_named(config: HospitalConfig) -> list[str]:
    """The paths in the hospital's file, relative to the project's folder."""
    source = config.patients
    paths = [config.hospital.events]
    if not isinstance(source, SyntheticPatients | SqlPatients):
        paths += [source.path, source.stays and source.stays.path]
    return [str(path) for path in paths if path]
