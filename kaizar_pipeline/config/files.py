"""Where a project's hospitals lie, and how a YAML file becomes a checked hospital, or faults by file and line."""

import json
import os
import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kaizar_pipeline.config.document import Document, read_document
from kaizar_pipeline.config.faults import explain, unknown
from kaizar_pipeline.config.hospital import HospitalConfig, HospitalFile
from kaizar_pipeline.config.legacy import translate_hospital
from kaizar_pipeline.errors import ConfigError

CONFIG_FOLDER = "hospital_configs"
_WORKSPACE = "workspace.yaml"
_HOSPITAL_ID = re.compile(r"[a-z0-9_-]+")
_BAD_NAME = (
    "the file's name is the hospital's id: allowed are lower-case letters, digits, _ and -, then .yml; rename the file"
)


def find_home(start: Path | None = None) -> Path:
    """The project's folder: `KAIZAR_HOME`, else the first with workspace.yaml from `start` (the current one) upwards.

    Raises ConfigError, with the remedy, when there is none.
    """
    chosen = os.environ.get("KAIZAR_HOME")
    if chosen:
        home = Path(chosen).expanduser().resolve()
        if not home.is_dir():
            raise ConfigError(f"KAIZAR_HOME is {chosen!r}, which is no folder")
        return home
    first = (start or Path.cwd()).resolve()
    for folder in (first, *first.parents):
        if (folder / _WORKSPACE).is_file():
            return folder
    raise ConfigError(
        f"no project here: neither {first} nor a folder above it holds {_WORKSPACE}; go to one that does, "
        "set KAIZAR_HOME, or make a project with `kaizar init FOLDER`"
    )


def shipped(name: str) -> Path:
    """A file of the project that ships: in a wheel below _project, in a checkout the repository's own."""
    package = Path(__file__).parents[1]
    return (package / "_project" if (package / "_project").is_dir() else package.parent) / name


def hospital_files(home: Path) -> dict[str, Path]:
    """Hospital id -> file, sorted by id; nothing is parsed, and files whose name is no id are left out."""
    return {path.stem: path for path in sorted((home / CONFIG_FOLDER).glob("*.yml")) if _is_well_named(path)}


def misnamed_files(home: Path) -> list[Path]:
    """YAML files among the hospitals whose name is no id, so that no hospital comes of them."""
    files = sorted((home / CONFIG_FOLDER).glob("*.[yY]*[mM][lL]"))
    return [path for path in files if not _is_well_named(path)]


def hospital_file(home: Path, hospital_id: str) -> Path:
    """The file of a hospital; ConfigError naming the nearest one when there is none."""
    files = hospital_files(home)
    if not files:
        raise ConfigError(f"no hospital in {home / CONFIG_FOLDER}: add a file ID.yml there")
    if hospital_id not in files:
        raise ConfigError(unknown(hospital_id, files, "hospital"))
    return files[hospital_id]


def load_hospital_config(path: str | Path) -> HospitalConfig:
    """Read and check a hospital's YAML file; the file's stem is the hospital's id.

    A file of the predecessor's is translated first (legacy.py). Raises ConfigError with one line per fault, in the
    order of the file:
    `hospital_configs/x.yml:11: wards[1].los_model.type: unknown 'weibul', did you mean 'weibull'?`.
    Rules that span several parts are checked once the parts themselves are right.
    """
    return load_with_notices(path)[0]


def load_with_notices(path: str | Path) -> tuple[HospitalConfig, list[str]]:
    """The same, with a notice `hospital_configs/x.yml:11: ...` for everything that was translated."""
    path = Path(path)
    shown = _shown(path)
    translation = translate_hospital(read_document(path, shown), path.stem)
    document, notices = translation.document, sorted(translation.notices, key=lambda notice: notice[0])
    faults = list(document.faults)
    if not _is_well_named(path):
        faults.append((1, _BAD_NAME))
    config = _validate(path.stem if _is_well_named(path) else "unnamed", document, faults)
    if config is None or faults:
        raise ConfigError([f"{shown}:{line}: {what}" for line, what in sorted(faults, key=lambda fault: fault[0])])
    return config, [f"{shown}:{line}: {what}" for line, what in notices]


def _validate(hospital_id: str, document: Document, faults: list[tuple[int, str]]) -> HospitalConfig | None:
    """The checked hospital, or None with `faults` extended."""
    values = document.values
    if not isinstance(values, dict):
        found = "is empty" if values is None else "is no mapping (key: value)"
        faults.append((1, f"the file {found}; needed are the keys {', '.join(HospitalFile.model_fields)}"))
        return None
    if "id" in values:
        faults.append((document.line(("id",)), "unknown key 'id': a hospital's id is the name of its file"))
    try:
        # strict: text is no number and a number no text; as JSON, because there lists and ISO dates are strict enough
        return HospitalConfig.model_validate_json(json.dumps({**values, "id": hospital_id}), strict=True)
    except ValidationError as error:
        faults.extend((document.line(loc), what) for loc, what in explain(error, values, hospital_schema()))
        return None


def config_hash(config: HospitalConfig) -> str:
    """16 hex digits that change when anything in the config does, comments and order of keys aside."""
    canonical = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()[:16]


@cache
def hospital_schema() -> dict[str, Any]:
    """JSON Schema of a hospital's file, for editors and for documentation."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **HospitalFile.model_json_schema()}


def _is_well_named(path: Path) -> bool:
    return path.suffix == ".yml" and bool(_HOSPITAL_ID.fullmatch(path.stem))


def _shown(path: Path) -> str:
    """`path` as people write it: relative to the project or the current folder where it lies below one of them."""
    full, here = path.resolve(), Path.cwd()
    try:
        bases = [find_home(), here]
    except ConfigError:
        bases = [here]
    return next((str(full.relative_to(base)) for base in bases if full.is_relative_to(base)), str(path))
