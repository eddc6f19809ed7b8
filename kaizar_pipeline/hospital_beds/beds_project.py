"""The files of a hospital of the hospital-beds form: its YAML file, its events, and its scenarios."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from kaizar_pipeline.config.calendar import EVENT_SEPARATOR
from kaizar_pipeline.config.fields import MAX_NAME
from kaizar_pipeline.config.files import CONFIG_FOLDER, SCENARIO_FOLDER, load_hospital_config, load_scenario
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import ConfigError, DataError, quoted
from kaizar_pipeline.hospital_beds.form_files import PATIENTS_FILE, WEEKLY_FILE

if TYPE_CHECKING:
    from kaizar_pipeline.hospital_beds.hospital_beds import HospitalBeds

NOT_KNOWN_AHEAD = ("none", "flu")
"""Events of the form that are not in the hospital's calendar: nobody knows of a flu week before it has come, so a past
origin must not, and days ahead have none only because they are not known. Flu is part of the level of arrivals."""

SAME = 0.005
"""Relative difference up to which a factor on arrivals is 1."""

_MARK = "# Written by HospitalBeds.write_project"
_HEAD = (
    f"{_MARK}, which overwrites it: copy it under another name before you change it.\n"
    "# What it takes from the form, and what it assumes: docs/how_to/kaggle.md.\n"
)
_ICU, _SHORT = "icu", "emergency"
_WORDS = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*( [A-Za-z0-9_./()-]+)*")


@dataclass(frozen=True)
class Project:
    """What `write_project` writes, as texts."""

    data: "HospitalBeds"
    home: Path
    """Absolute."""
    name: str

    @property
    def own(self) -> str:
        """The hospital's file, as all paths below `home`."""
        return f"{CONFIG_FOLDER}/{self.name}.yml"

    @property
    def events(self) -> str:
        """The file of events."""
        return f"data/raw/{self.name}/events.csv"

    def scenario(self, what: str) -> str:
        """The file of a scenario."""
        return f"{CONFIG_FOLDER}/{SCENARIO_FOLDER}/{self.name}_{what}.yml"

    @cached_property
    def texts(self) -> dict[str, str | None]:
        """The text of each file, None for one that is not needed."""
        return {
            self.own: _hospital(self),
            self.events: self._events(),
            self.scenario("all_admitted"): self._scale("admitted", "All admitted patients, not a sample of them"),
            self.scenario("all_requests"): self._scale("requests", "All who ask for a bed, refused patients too"),
        }

    @property
    def has_events(self) -> bool:
        """Whether any week has an event that is known ahead."""
        weekly = self.data.weekly
        return weekly is not None and bool((~weekly["event"].isin(NOT_KNOWN_AHEAD)).any())

    def _events(self) -> str | None:
        """A row for each day of each event."""
        if not self.has_events or self.data.weekly is None:
            return None
        weeks = self.data.weekly[["week_start", "event"]].drop_duplicates().sort_values(["week_start", "event"])
        rows = [
            f"{start + pd.Timedelta(days=day):%Y-%m-%d},{_cell(event)}"
            for start, event in weeks[~weeks["event"].isin(NOT_KNOWN_AHEAD)].itertuples(index=False)
            for day in range(7)
        ]
        return "\n".join(["date,name", *rows, ""])

    def _scale(self, column: str, description: str) -> str | None:
        """A scenario with the factor on each stream by which patients.csv has too few."""
        factors = [
            f"  - {{factor: {row[column] / row['in_file']:.4f}, streams: [{_scalar(str(service))}]}} "
            f"# {row[column]:,} in {WEEKLY_FILE.name}, {row['in_file']:,} in {PATIENTS_FILE.name}"
            for service, row in self.data.admissions.iterrows()
            if row["in_file"] and row[column] / row["in_file"] > 1 + SAME
        ]
        if not factors:
            return None
        lines = [
            "# yaml-language-server: $schema=../scenario.schema.json",
            _HEAD,
            f"description: {description}",
            f"hospitals: [{_scalar(self.name)}]",
            "",
            "arrival_scale:",
            *factors,
        ]
        return "\n".join([*lines, ""])


def write_files(project: Project) -> HospitalConfig:
    """Write the files of a project once they are known to be right, and load the hospital."""
    longest = MAX_NAME - len("_all_admitted")
    if not re.fullmatch(rf"[a-z0-9_-]{{1,{longest}}}", project.name):
        raise ConfigError(f"name {quoted(project.name)}: allowed: up to {longest} lower-case letters, digits, _ and -")
    for name in project.texts:
        _check_own(project.home, name)
    with TemporaryDirectory() as folder:
        _write(Path(folder), project.texts)
        config = load_hospital_config(Path(folder) / project.own)
        for name, text in project.texts.items():
            if SCENARIO_FOLDER in Path(name).parts and text is not None:
                load_scenario(Path(folder) / name, config)
    _write(project.home, project.texts)
    return load_hospital_config(project.home / project.own)


def _check_own(home: Path, name: str) -> None:
    """Raise ConfigError for a YAML file that somebody else wrote."""
    path = home / name
    if path.suffix == ".yml" and path.exists() and _MARK not in path.read_text(encoding="utf-8", errors="replace"):
        raise ConfigError(f"{path} exists and was not written from the hospital-beds form; choose another name")


def _write(home: Path, texts: dict[str, str | None]) -> None:
    """Write all texts, first beside the files of their names: so that one that cannot be written changes none."""
    paths = {home / name: text for name, text in texts.items()}
    temporary = {path: path.with_name(f".{path.name}.tmp") for path, text in paths.items() if text is not None}
    try:
        for path, text in paths.items():
            if text is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary[path].write_text(text, encoding="utf-8", newline="\n")
        for path in paths:
            if path in temporary:
                temporary[path].replace(path)
            else:
                path.unlink(missing_ok=True)  # of an earlier call
    except OSError as error:
        for path in temporary.values():
            with suppress(OSError):  # what hinders writing may hinder this
                path.unlink(missing_ok=True)
        raise DataError(f"{error.filename}: cannot be written ({error.strerror}); choose another folder") from error


def _hospital(project: Project) -> str:
    data = project.data
    ids = {service: _scalar(service) for service in data.services}
    columns = "{patient_id: patient_id, arrival: arrival_date, departure: departure_date, service: service}"
    lines = [
        "# yaml-language-server: $schema=hospital.schema.json",
        _HEAD,
        "hospital:",
        f"  name: {_scalar(f'Hospital beds ({project.name})')}",
        "  # The form does not say where the hospital is: an assumption, which gives the public holidays.",
        "  timezone: Europe/Amsterdam",
        "  country: NL",
        *([f"  events: {_scalar(project.events)} # weeks with an event that is known ahead"] * project.has_events),
        "",
        "patients:",
        "  source: csv",
        f"  path: {_scalar(_path(data.folder / PATIENTS_FILE.name, project.home))}",
        f"  columns: {columns}",
        "  streams:",
        *(f"    {_scalar(name)}: {own}" for service, own in ids.items() for name in _spellings(data, service)),
        f"  complete_through: {data.last_day:%Y-%m-%d} # last arrival; who departs later is still in the hospital",
        "  max_age_days: null # the form is of a past year",
        "  pseudonym_key: public-hospital-beds # for public patients only: delete this line where patients are real",
        "",
        *_wards(data),
        "",
        "patient_types:",
        *(f"  - {{id: {own}, description: {_scalar(_label(data, service))}}}" for service, own in ids.items()),
        "",
        "arrival_streams:",
        *(
            f"  - {{id: {own}, target_ward: {own}, patient_type: {own}, model: {{type: ml_poisson}}}}"
            for own in ids.values()
        ),
        "",
        "simulation:",
        "  horizon_days: 28",
        "  replications: 200",
        "  seed: 42",
        "  start: census",
    ]
    return "\n".join([*lines, ""])


def _wards(data: "HospitalBeds") -> Iterator[str]:
    yield "wards: # one for each service; lengths of stay are learned from its patients"
    for service in data.services:
        yield f"  - id: {_scalar(service)}"
        yield f"    name: {_scalar(_label(data, service))}"
        if service in (_ICU, _SHORT):
            yield f"    type: {'ICU' if service == _ICU else 'SHORT_STAY'}"
        yield from _beds(data, service)
        yield "    los_model: {type: from_data}"


def _beds(data: "HospitalBeds", service: str) -> Iterator[str]:
    """Beds of the last week, and dated changes for the weeks before it."""
    weeks = None if data.weekly is None else data.weekly[data.weekly["service"] == service]
    if weeks is None or weeks.empty:
        yield "    capacity: null # not known"
        return
    last = weeks.iloc[-1]
    yield f"    capacity: {last['available_beds']} # of week {last['week']}, and after it"
    yield "    queue_limit: 0 # who finds no bed is refused"
    changed = weeks[weeks["available_beds"] != weeks["available_beds"].shift()]
    starts = [pd.Timestamp(data.year, 1, 1), *changed["week_start"].iloc[1:]]
    if len(starts) > 1:
        yield "    capacity_changes:"
    for start, end, beds in zip(starts, starts[1:], changed["available_beds"], strict=False):
        yield f"      - {{from: {start:%Y-%m-%d}, to: {end:%Y-%m-%d}, capacity: {beds}}}"


def _spellings(data: "HospitalBeds", service: str) -> list[str]:
    return sorted(data.arrivals.loc[data.arrivals["service"] == service, "name"].unique())


def _label(data: "HospitalBeds", service: str) -> str:
    """The service for people, by its first spelling."""
    name = _spellings(data, service)[0].replace("_", " ")
    return name[:1].upper() + name[1:]


def _path(path: Path, home: Path) -> str:
    """Relative to `home` where it lies below it."""
    path = path.resolve()
    return (path.relative_to(home) if path.is_relative_to(home) else path).as_posix()


def _scalar(text: str) -> str:
    """Text in YAML."""
    is_plain = _WORDS.fullmatch(text) and text.lower() not in ("null", "true", "false")
    return text if is_plain else json.dumps(text, ensure_ascii=False)


def _cell(text: str) -> str:
    """The name of an event in CSV, without what separates such names."""
    plain = text.replace(EVENT_SEPARATOR.strip(), ",")
    return '"' + plain.replace('"', '""') + '"' if set(plain) & set(',"\n') else plain
