"""Where a project's hospitals and scenarios lie, and how a YAML file becomes a checked one, or faults by file and
line."""

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from kaizar_pipeline.config.document import Document, read_document
from kaizar_pipeline.config.hospital import Fault, HospitalConfig, HospitalFile, Model
from kaizar_pipeline.config.legacy import Translation, translate_hospital, translate_scenario
from kaizar_pipeline.config.messages import explain, path_of, unknown
from kaizar_pipeline.config.scenario import BASELINE, PARTS, Scenario, ScenarioFile
from kaizar_pipeline.config.variant import variant_faults
from kaizar_pipeline.errors import ConfigError

CONFIG_FOLDER = "hospital_configs"
SCENARIO_FOLDER = "scenarios"
"""Below the folder of the hospitals."""
_WORKSPACE = "workspace.yaml"
_HOSPITAL_ID = re.compile(r"[a-z0-9_-]+")
_BAD_NAME = (
    "the file's name is the {kind}'s id: allowed are lower-case letters, digits, _ and -, then .yml; rename the file"
)

_OWN = "a scenario changes wards, streams, routing, policies and lengths of stay, never {}"
_NOT_IN_FILE = {
    "hospital": {"id": "a hospital's id is the name of its file"},
    "scenario": {
        "id": "a scenario's id is the name of its file",
        **{key: _OWN.format(key) for key in ("hospital", "patients", "patient_types", "simulation")},
    },
}
"""Keys that somebody might look for in a file of each kind, and why they are not there."""

_Checked = TypeVar("_Checked", HospitalConfig, Scenario)


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


def scenario_files(home: Path) -> dict[str, Path]:
    """Scenario id -> file, sorted by id; nothing is parsed, and files whose name is no id are left out."""
    files = sorted((home / CONFIG_FOLDER / SCENARIO_FOLDER).glob("*.yml"))
    return {path.stem: path for path in files if _is_well_named(path)}


def misnamed_files(home: Path, folder: str = "") -> list[Path]:
    """YAML files among the hospitals, or in `folder` below them, whose name is no id, so that nothing comes of them."""
    files = sorted((home / CONFIG_FOLDER / folder).glob("*.[yY]*[mM][lL]"))
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
    translation = translate_hospital(read_document(path, _shown(path)), path.stem)
    return _check(HospitalConfig, HospitalFile, "hospital", path, translation.document), _notices(path, translation)


def load_scenario(path: str | Path, hospital: HospitalConfig | None = None) -> Scenario:
    """Read and check a scenario's YAML file; the file's stem is the scenario's id.

    With a `hospital` it is also checked whether the scenario can be applied to it. The predecessor's words are
    translated first. Raises ConfigError with one line per fault, as `load_hospital_config` does. The hospitals that it
    lists lie in the folder above its own.
    """
    path = Path(path)
    document = translate_scenario(read_document(path, _shown(path))).document
    scenario = _check(Scenario, ScenarioFile, "scenario", path, document)
    known = [file.stem for file in sorted(path.parent.parent.glob("*.yml"))]
    faults: list[Fault] = [
        (("hospitals", index), unknown(name, known, "hospital"))
        for index, name in enumerate(scenario.hospitals)
        if name not in known
    ]
    if not scenario.changes_something:
        faults.append(((), f"changes nothing: give one of {', '.join(PARTS)}"))
    if hospital is not None and scenario.is_about(hospital.id):
        faults += [(loc, f"{what} ({hospital.id})") for loc, what in variant_faults(hospital, scenario)]
    _refuse(path, [(document.line(loc), f"{path_of(loc)}: {what}" if loc else what) for loc, what in faults])
    return scenario


def load_scenarios(home: Path, hospital: HospitalConfig, names: Sequence[str] = ()) -> list[Scenario]:
    """The scenarios called `names`, by default all that are about `hospital`, checked against it.

    Raises ConfigError for names that there are not, scenarios about other hospitals, and every fault in those wanted;
    files about other hospitals are not looked into any further.
    """
    files = scenario_files(home)
    missing = [name for name in names if name not in files]
    if missing:
        nothing = f"no scenario in {home / CONFIG_FOLDER / SCENARIO_FOLDER}: add a file NAME.yml there"
        raise ConfigError([unknown(name, files, "scenario") if files else nothing for name in missing])
    scenarios: list[Scenario] = []
    faults: list[str] = []
    for name in names or files:
        about = _hospitals_named(files[name])
        if hospital.id not in (about or [hospital.id]):
            if names:
                faults.append(f"scenario {name} is about {', '.join(map(str, about))}, not {hospital.id}")
            continue
        try:
            scenarios.append(load_scenario(files[name], hospital))
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    return scenarios


def check_scenario(path: str | Path) -> list[str]:
    """The hospitals beside which the scenario's file lies and that it can be applied to, faulty ones left aside.

    Raises ConfigError with every fault, of the file itself and with each hospital that it is about.
    """
    hospitals: list[HospitalConfig | None] = [None]
    for file in sorted(Path(path).parent.parent.glob("*.yml")):
        with suppress(ConfigError):
            hospitals.append(load_hospital_config(file))
    faults: list[str] = []
    about: list[str] = []
    for hospital in hospitals:
        try:
            scenario = load_scenario(path, hospital)
            about += [hospital.id] if hospital and scenario.is_about(hospital.id) else []
        except ConfigError as error:
            faults += [fault for fault in error.faults if fault not in faults]
    if faults:
        raise ConfigError(faults)
    return about


def scenario_notices(path: str | Path) -> list[str]:
    """A notice for everything that is translated in a scenario's file."""
    path = Path(path)
    return _notices(path, translate_scenario(read_document(path, _shown(path))))


def _notices(path: Path, translation: Translation) -> list[str]:
    return [
        f"{_shown(path)}:{line}: {what}" for line, what in sorted(translation.notices, key=lambda notice: notice[0])
    ]


def _hospitals_named(path: Path) -> list[object]:
    """The hospitals that a scenario's file lists, whatever else is wrong with it."""
    values = read_document(path, _shown(path)).values
    named = values.get("hospitals") if isinstance(values, dict) else None
    return named if isinstance(named, list) else []


def _check(model: type[_Checked], shape: type[Model], kind: str, path: Path, document: Document) -> _Checked:
    """The hospital or scenario that a file's document describes; `shape` is what it may say."""
    values, faults = document.values, list(document.faults)
    name = path.stem if _is_well_named(path) else "unnamed"
    if name != path.stem:
        faults.append((1, _BAD_NAME.format(kind=kind)))
    if kind == "scenario" and name == BASELINE:
        faults.append((1, f"{BASELINE!r} is the hospital as it stands; rename the file"))
    checked = None
    if isinstance(values, dict):
        refused = {key: what for key, what in _NOT_IN_FILE[kind].items() if key in values}
        faults += [(document.line((key,)), f"unknown key {key!r}: {what}") for key, what in refused.items()]
        allowed = {key: value for key, value in values.items() if key not in refused}
        try:
            # strict: text is no number, a number no text; as JSON, because there lists and ISO dates are strict enough
            checked = model.model_validate_json(json.dumps({**allowed, "id": name}), strict=True)
        except ValidationError as error:
            faults += [(document.line(loc), what) for loc, what in explain(error, values, _schema(shape))]
    else:
        found = "is empty" if values is None else "is no mapping (key: value)"
        faults.append((1, f"the file {found}; needed are the keys {', '.join(shape.model_fields)}"))
    _refuse(path, faults)
    assert checked is not None
    return checked


def _refuse(path: Path, faults: Sequence[tuple[int, str]]) -> None:
    """Raise the faults, if any, in the order of the file."""
    if faults:
        raise ConfigError(
            [f"{_shown(path)}:{line}: {what}" for line, what in sorted(faults, key=lambda fault: fault[0])]
        )


def config_hash(config: HospitalConfig, scenarios: Sequence[Scenario] = ()) -> str:
    """16 hex digits that change when anything in the config or `scenarios` does, comments and order of keys aside."""
    parts = [part.model_dump(mode="json") for part in (config, *scenarios)]
    canonical = json.dumps(parts if scenarios else parts[0], sort_keys=True, separators=(",", ":"))
    return sha256(canonical.encode()).hexdigest()[:16]


def hospital_schema() -> dict[str, Any]:
    """JSON Schema of a hospital's file, for editors and for documentation."""
    return _schema(HospitalFile)


def scenario_schema() -> dict[str, Any]:
    """JSON Schema of a scenario's file, for editors and for documentation."""
    return _schema(ScenarioFile)


@cache
def _schema(shape: type[Model]) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **shape.model_json_schema()}


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
