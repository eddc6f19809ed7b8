"""Where a project's hospitals and scenarios are, and how a YAML file becomes a checked one, or errors with lines."""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from kaizar_pipeline.config.document import Document, read_document
from kaizar_pipeline.config.fields import MAX_NAME, Loc, Model, RuleError
from kaizar_pipeline.config.hospital import HospitalConfig, HospitalFile
from kaizar_pipeline.config.legacy import translate_hospital
from kaizar_pipeline.config.legacy_scenario import Parts, named_parts, translate_scenario
from kaizar_pipeline.config.messages import explain, path_of
from kaizar_pipeline.config.places import subdivision_note
from kaizar_pipeline.config.scenario import BASELINE, PARTS, Scenario, ScenarioFile
from kaizar_pipeline.config.scenario_rules import scenario_errors
from kaizar_pipeline.config.translation import Translation
from kaizar_pipeline.errors import ConfigError, quoted, unknown

CONFIG_FOLDER = "hospital_configs"
SCENARIO_FOLDER = "scenarios"
"""Below the folder of the hospitals."""
_WORKSPACE = "workspace.yaml"
_ID = {
    "hospital": re.compile(rf"[a-z0-9_-]{{1,{MAX_NAME}}}"),
    "scenario": re.compile(rf"[a-zA-Z0-9_-]{{1,{MAX_NAME}}}"),
}
_BAD_NAME = "the file's name is the {kind}'s id, allowed: up to {longest} {letters}, digits, _ and -, then .yml"

_OWN = "a scenario changes wards, streams, routing, policies and lengths of stay, never {}"
_NOT_IN_FILE = {
    "hospital": {
        "id": "a hospital's id is the name of its file",
        "given_routes": "rows in place of learned routes belong in a scenario's routing",
    },
    "scenario": {
        "id": "a scenario's id is the name of its file",
        **{key: _OWN.format(key) for key in ("hospital", "patients", "patient_types", "simulation")},
    },
}
"""Keys that a user might expect in a file of each kind, and why they are not allowed."""

_Checked = TypeVar("_Checked", HospitalConfig, Scenario)
_Item = TypeVar("_Item")
_Loaded = TypeVar("_Loaded")


def find_home(start: Path | None = None) -> Path:
    """The project's folder: `KAIZAR_HOME`, else the first with workspace.yaml from `start` (the current one) upwards.

    Raises ConfigError, with the remedy, when there is none.
    """
    chosen = os.environ.get("KAIZAR_HOME")
    if chosen:
        home = Path(chosen).expanduser().resolve()
        if not home.is_dir():
            raise ConfigError(f"KAIZAR_HOME is {chosen!r}, which is not a folder")
        return home
    first = (start or Path.cwd()).resolve()
    for folder in (first, *first.parents):
        if (folder / _WORKSPACE).is_file():
            return folder
    raise ConfigError(
        f"no project here: neither {first} nor a folder above it contains {_WORKSPACE}; go to one that does, "
        "set KAIZAR_HOME, or make a project with `kaizar init FOLDER`"
    )


def shipped(name: str) -> Path:
    """A file of the project that ships: in a wheel below _project, in a checkout the repository's own."""
    package = Path(__file__).parents[1]
    return (package / "_project" if (package / "_project").is_dir() else package.parent) / name


def hospital_files(home: Path) -> dict[str, Path]:
    """Hospital id -> file, sorted by id; nothing is parsed, and files whose name is not an id are left out."""
    return _well_named(home / CONFIG_FOLDER, "hospital")


def scenario_files(home: Path) -> dict[str, Path]:
    """Scenario id -> file, sorted by id; nothing is parsed, and files whose name is not an id are left out."""
    return _well_named(home / CONFIG_FOLDER / SCENARIO_FOLDER, "scenario")


def _well_named(folder: Path, kind: str) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("*.yml")) if _is_well_named(path, kind)}


def misnamed_files(home: Path, folder: str = "") -> list[Path]:
    """YAML files among the hospitals, or in `folder` below them, whose name is not an id; they are not loaded."""
    files = sorted((home / CONFIG_FOLDER / folder).glob("*.[yY]*[mM][lL]"))
    return [path for path in files if not _is_well_named(path, "scenario" if folder else "hospital")]


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

    A file of the predecessor's is translated first (legacy.py). Raises ConfigError with one line per error, in the
    order of the file:
    `hospital_configs/x.yml:11: wards[1].los_model.type: unknown 'weibul', did you mean 'weibull'?`.
    Rules that span several parts are checked once the parts themselves are right.
    """
    return load_with_warnings(path)[0]


def load_with_warnings(path: str | Path) -> tuple[HospitalConfig, list[str]]:
    """The same, with a warning `hospital_configs/x.yml:11: ...` for everything that was translated."""
    path = Path(path)
    translation = _hospital_document(path)
    config = _check(HospitalConfig, HospitalFile, "hospital", path, translation)
    if (note := subdivision_note(config.hospital)) is not None:
        translation.warn(("hospital", "country"), note)
    return config, _warnings(path, translation)


def _hospital_document(path: Path) -> Translation:
    """A hospital's document in today's keys; its data are in the folder that holds hospital_configs/."""
    return translate_hospital(read_document(path, _shown(path)), path.stem, path.resolve().parent.parent)


def _scenario_document(path: Path) -> Translation:
    """A scenario's document in today's keys; the hospitals that it may be about are in the folder above its own."""

    def hospitals() -> dict[str, Parts]:
        found: dict[str, Parts] = {}
        for file in sorted(path.parent.parent.glob("*.yml")):
            with suppress(ConfigError):
                found[file.stem] = named_parts(_hospital_document(file).document.values)
        return found

    return translate_scenario(read_document(path, _shown(path)), hospitals)


def load_scenario(path: str | Path, hospital: HospitalConfig | None = None) -> Scenario:
    """Read and check a scenario's YAML file; the file's stem is the scenario's id.

    With a `hospital` it is also checked whether the scenario can be applied to it. The predecessor's words are
    translated first. Raises ConfigError with one line per error, as `load_hospital_config` does. The hospitals that it
    lists are in the folder above its own.
    """
    path = Path(path)
    translation = _scenario_document(path)
    scenario = _check(Scenario, ScenarioFile, "scenario", path, translation)
    line = translation.document.line
    errors = [
        (line(loc), f"{path_of(loc)}: {what}" if loc else what) for loc, what in _use_errors(scenario, path, hospital)
    ]
    if errors:
        raise _refusal(path, errors, translation)
    return scenario


def _use_errors(scenario: Scenario, path: Path, hospital: HospitalConfig | None) -> Iterator[RuleError]:
    """What keeps a scenario from being used: the hospitals that it lists, no change, and what `hospital` lacks."""
    known = [file.stem for file in sorted(path.parent.parent.glob("*.yml"))]
    for index, name in enumerate(scenario.hospitals):
        if name not in known:
            yield ("hospitals", index), unknown(name, known, "hospital")
    if not scenario.changes_something:
        yield (), f"changes nothing, allowed: one or more of {', '.join(PARTS)}"
    if hospital is not None and scenario.is_about(hospital.id):
        yield from ((loc, f"{what} ({hospital.id})") for loc, what in scenario_errors(hospital, scenario))


def load_scenarios(home: Path, hospital: HospitalConfig, names: Sequence[str] = ()) -> list[Scenario]:
    """The scenarios called `names`, by default all that are about `hospital`, checked against it.

    Raises ConfigError for unknown names, scenarios about other hospitals, and every error in those asked for; by
    default, files about other hospitals are skipped.
    """
    files = scenario_files(home)
    if names and not files:
        raise ConfigError(f"no scenario in {home / CONFIG_FOLDER / SCENARIO_FOLDER}: add a file NAME.yml there")
    errors = [unknown(name, files, "scenario") for name in names if name not in files]
    if errors:
        raise ConfigError(errors)
    wanted = names or [name for name, file in files.items() if scenario_is_about(file, hospital.id)]
    return _each(lambda name: _load_about(files[name], hospital), wanted)


def _each(load: Callable[[_Item], _Loaded], items: Iterable[_Item]) -> list[_Loaded]:
    """Every item loaded; the errors of all items are raised together, each once."""
    loaded: list[_Loaded] = []
    errors: dict[str, None] = {}
    warnings: dict[str, None] = {}
    for item in items:
        try:
            loaded.append(load(item))
        except ConfigError as error:
            errors |= dict.fromkeys(error.errors)
            warnings |= dict.fromkeys(error.warnings)
    if errors:
        raise ConfigError(list(errors), list(warnings))
    return loaded


def _load_about(path: Path, hospital: HospitalConfig) -> Scenario:
    """The scenario of a file that must be about `hospital`; a file about others is not read any further."""
    if not scenario_is_about(path, hospital.id):
        about = ", ".join(map(str, _listed_hospitals(path)))
        raise ConfigError(f"scenario {path.stem} is about {about}, not {hospital.id}")
    return load_scenario(path, hospital)


def scenario_is_about(path: Path, hospital_id: str) -> bool:
    """Whether a scenario's file lists the hospital, or none and so is about all, even if it has other errors."""
    return hospital_id in (_listed_hospitals(path) or [hospital_id])


def _listed_hospitals(path: Path) -> list[object]:
    values = _scenario_document(path).document.values
    named = values.get("hospitals") if isinstance(values, dict) else None
    return named if isinstance(named, list) else []


def check_scenario(path: str | Path) -> list[str]:
    """The hospitals above the scenario's folder that it can be applied to; those with errors are left out.

    Raises ConfigError with every error, of the file itself and with each hospital that it is about.
    """
    hospitals: list[HospitalConfig | None] = [None]
    for file in sorted(Path(path).parent.parent.glob("*.yml")):
        with suppress(ConfigError):
            hospitals.append(load_hospital_config(file))
    scenario, *_ = _each(lambda hospital: load_scenario(path, hospital), hospitals)
    return [hospital.id for hospital in hospitals if hospital is not None and scenario.is_about(hospital.id)]


def scenario_warnings(path: str | Path) -> list[str]:
    """A warning for everything that is translated in a scenario's file."""
    path = Path(path)
    return _warnings(path, _scenario_document(path))


def _warnings(path: Path, translation: Translation) -> list[str]:
    return [f"{_shown(path)}:{line}: {what}" for line, what in sorted(translation.warnings, key=lambda w: w[0])]


def _check(model: type[_Checked], shape: type[Model], kind: str, path: Path, translation: Translation) -> _Checked:
    """The hospital or scenario that a file's document describes; `shape` is what it may say."""
    document = translation.document
    errors = [*document.errors, *_file_errors(kind, shape, path, document)]
    if not isinstance(document.values, dict):
        raise _refusal(path, errors, translation)
    allowed = {key: value for key, value in document.values.items() if key not in _NOT_IN_FILE[kind]}
    name = path.stem if _is_well_named(path, kind) else "unnamed"
    try:
        # strict: text is not read as a number, nor a number as text; from JSON, where that allows lists and ISO dates
        checked = model.model_validate_json(json.dumps({**allowed, "id": name}), strict=True)
    except ValidationError as error:
        found = [(document.line(loc), what) for loc, what in explain(error, document.values, _schema(shape))]
        raise _refusal(path, [*errors, *found], translation) from None
    if errors:
        raise _refusal(path, errors, translation)
    return checked


def _file_errors(kind: str, shape: type[Model], path: Path, document: Document) -> Iterator[tuple[int, str]]:
    """What is wrong with the file's name and with its keys as a whole."""
    if not _is_well_named(path, kind):
        letters = "lower-case letters" if kind == "hospital" else "letters"
        yield 1, _BAD_NAME.format(kind=kind, letters=letters, longest=MAX_NAME)
    if kind == "scenario" and path.stem.lower() == BASELINE:
        yield 1, f"{BASELINE!r} is the unchanged hospital; rename the file"
    if not isinstance(document.values, dict):
        found = "is empty" if document.values is None else "is not a mapping (key: value)"
        required = [name for name, key in shape.model_fields.items() if key.is_required()]
        yield 1, f"the file {found}, required keys: {', '.join(required)}"
    else:
        yield from _same_months(document.values, (), document)
        for key in document.values.keys() & _NOT_IN_FILE[kind].keys():
            yield document.line((key,)), f"unknown key {key!r}: {_NOT_IN_FILE[kind][key]}"


def _same_months(found: Any, loc: Loc, document: Document) -> Iterator[tuple[int, str]]:
    """Keys of `scale_factor_by_month` that differ as text and are one month, of which the last would win."""
    parts = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    months: dict[float, str] = {}
    for key, value in parts:
        if loc[-1:] == ("scale_factor_by_month",) and isinstance(key, str):
            with suppress(ValueError):
                first = months.setdefault(float(key), key)
                if first != key:
                    what = f"{path_of(loc)}: keys {quoted(first)} and {quoted(key)} are one month; give it once"
                    yield document.line((*loc, key)), what
        yield from _same_months(value, (*loc, key), document)


def _refusal(path: Path, errors: Sequence[tuple[int, str]], translation: Translation) -> ConfigError:
    """The errors of a file by line, in its order, with what was translated before they were found."""
    lines = [f"{_shown(path)}:{line}: {what}" for line, what in sorted(errors, key=lambda e: e[0])]
    return ConfigError(lines, _warnings(path, translation))


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


def _is_well_named(path: Path, kind: str) -> bool:
    return path.suffix == ".yml" and bool(_ID[kind].fullmatch(path.stem))


def _shown(path: Path) -> str:
    """`path` as people write it: relative to the project or the current folder where it lies below one of them."""
    full, here = path.resolve(), Path.cwd()
    try:
        bases = [find_home(), here]
    except ConfigError:
        bases = [here]
    return next((str(full.relative_to(base)) for base in bases if full.is_relative_to(base)), str(path))
