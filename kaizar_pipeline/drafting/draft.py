"""A hospital's file drafted from its records: every choice that the records decide, with the evidence for it.

The extract is opened without any knowledge, and then read by the reader of runs with what was found: the draft sees the
patients, stays and rejects that a run will see.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kaizar_pipeline.config.files import CONFIG_FOLDER, load_hospital_config
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.drafting import column_words as words
from kaizar_pipeline.drafting.column_roles import ColumnRoles, find_roles
from kaizar_pipeline.drafting.opened_extract import OpenedExtract, open_extract
from kaizar_pipeline.drafting.reading import how_to_read
from kaizar_pipeline.drafting.wards_and_streams import (
    ELECTIVE,
    EMERGENCY,
    DraftedStream,
    DraftedWard,
    Named,
    draft_beds,
    name_ids,
    planned,
    type_of,
)
from kaizar_pipeline.history.loading import History, load_history
from kaizar_pipeline.patients.observed_census import hours_are_known

ONE_SERVICE, ONE_WARD = "patients", "ward"
"""The ids of the stream, and of the ward, where no column tells services apart."""


@dataclass(frozen=True)
class Place:
    """What records do not tell: given by a person, never taken from the machine."""

    timezone: str
    country: str
    subdivision: str | None = None

    def keys(self, name: str) -> dict[str, str]:
        """The part `hospital` of the config."""
        keys = {"name": name, "timezone": self.timezone, "country": self.country}
        return keys | ({"subdivision": self.subdivision} if self.subdivision else {})


@dataclass(frozen=True)
class Draft:
    """What was drafted, with the evidence, and what a person has to confirm."""

    hospital: dict[str, str]
    patients: dict[str, Any]
    """`patients` of the config."""
    why: dict[str, str]
    """Evidence by key of `patients`, those of its columns as columns.KEY."""
    wards: list[DraftedWard]
    streams: list[DraftedStream]
    history: History
    confirm: list[str]
    """What to look at first, in order."""
    unread: list[str]
    """Columns of the extract that no run will read."""
    question: str | None
    """What the records leave open and a person has to decide before the file can be right; None: nothing."""

    def values(self) -> dict[str, Any]:
        """The config as plain values."""
        return {
            "hospital": self.hospital,
            "patients": self.patients,
            "wards": [_ward(ward) for ward in self.wards],
            "patient_types": [{"id": type_} for type_ in sorted({stream.patient_type for stream in self.streams})],
            "arrival_streams": [_stream(stream) for stream in self.streams],
            **_rules(self.patients),
        }


def draft_hospital(
    extract: Path, stays: Path | None = None, *, name: str, place: Place, home: Path, date_format: str | None = None
) -> Draft:
    """Draft the file `name`.yml from the `extract` of visits, and from that of ward `stays` where there is one.

    `home` is the folder of the project. Nothing is written. Raises DataError when an extract cannot be read, or does
    not hold visits.
    """
    opened = open_extract(extract, home)
    roles = find_roles(opened, words.SERVICE, date_format)
    services = _names(opened, roles)
    moves = None
    if stays is not None:
        of_stays = open_extract(stays, home)
        found = find_roles(of_stays, words.WARD, date_format)
        moves = of_stays, found, _names(of_stays, found)
    patients, why = how_to_read(opened, roles, services, moves)
    wards = _wards(opened, roles, services) if moves is None else moves[2]
    hospital = place.keys(name)
    targets = {named.id: named.id if wards is services else wards[0].id for named in services}
    history = _history(_values(hospital, patients, wards, targets), name, home)
    times_known = hours_are_known(history.patients)
    drafted_wards = [_draft_ward(named, history, times_known) for named in wards]
    streams = [_draft_stream(named, history, times_known) for named in services]
    return Draft(
        hospital,
        patients,
        why,
        drafted_wards,
        [stream for stream in streams if stream is not None],
        history,
        _to_confirm(roles, drafted_wards, history),
        roles.unread,
        roles.dates.question,
    )


def _names(extract: OpenedExtract, roles: ColumnRoles) -> list[Named]:
    if roles.service is None:
        return [Named(ONE_SERVICE, (), extract.total_rows)]
    return name_ids(extract.rows[roles.service], extract.every)


def _wards(extract: OpenedExtract, roles: ColumnRoles, services: list[Named]) -> list[Named]:
    """One ward for each service; one for all where the column tells kinds of patient apart only."""
    return [Named(ONE_WARD, (), extract.total_rows)] if roles.one_ward else services


def _values(
    hospital: Mapping[str, str], patients: Mapping[str, Any], wards: list[Named], targets: Mapping[str, str]
) -> dict[str, Any]:
    """A config without beds and rules, by which the extract can be read."""
    ward = {"capacity": None, "los_model": {"type": "from_data"}}
    stream = {"patient_type": EMERGENCY, "model": {"type": "ml_poisson"}}
    return {
        "hospital": hospital,
        "patients": {**patients, "max_age_days": None, "max_reject_share": 1.0, "pseudonym_key": "draft"},
        "wards": [{"id": named.id, **ward} for named in wards],
        "patient_types": [{"id": EMERGENCY}],
        "arrival_streams": [{"id": id_, "target_ward": target, **stream} for id_, target in targets.items()],
        **_rules(patients),
    }


def _rules(patients: Mapping[str, Any]) -> dict[str, Any]:
    """What follows from the extract for the rest of the config."""
    routing = {"routing": "from_data"} if "stays" in patients else {}
    start = {"simulation": {"start": "empty"}} if patients.get("missing_departure") == "unknown" else {}
    return routing | start


def _history(values: dict[str, Any], name: str, home: Path) -> History:
    """What a run would read with these values."""
    return load_history(_config(values, name), home)


def _config(values: dict[str, Any], name: str) -> HospitalConfig:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CONFIG_FOLDER / f"{name}.yml"
        path.parent.mkdir()
        path.write_text(yaml.safe_dump(values, allow_unicode=True, sort_keys=False), encoding="utf-8")
        return load_hospital_config(path)


def _draft_ward(named: Named, history: History, times_known: bool) -> DraftedWard:
    stays = history.ward_stays[history.ward_stays["ward_id"] == named.id]
    hours = (stays["depart"] - stays["admit"]).dt.total_seconds().dropna() / 3600
    type_, why_type = type_of(named, hours)
    beds, weekday_beds, why_beds = draft_beds(
        history.patients, history.ward_stays, named.id, history.as_of, times_known
    )
    return DraftedWard(named, type_, why_type, beds, weekday_beds, why_beds)


def _draft_stream(named: Named, history: History, times_known: bool) -> DraftedStream | None:
    mine = history.patients[history.patients["stream_id"] == named.id]
    if mine.empty:
        return None
    is_planned, why = planned(mine["arrival"], times_known)
    first = history.ward_stays[history.ward_stays["patient_id"].isin(mine["patient_id"])].sort_values("admit")
    wards = first.drop_duplicates("patient_id")["ward_id"].value_counts()
    ward = str(wards.index[0])
    if len(wards) > 1:
        why += f"; {wards.iloc[0] / wards.sum():.0%} begin in {ward}"
    return DraftedStream(named, ward, ELECTIVE if is_planned else EMERGENCY, f"{len(mine):,} patients; {why}")


def _to_confirm(roles: ColumnRoles, wards: list[DraftedWard], history: History) -> list[str]:
    found = [roles.dates.question] if roles.dates.question else []
    found += [f"beds of {ward.named.id}: {ward.beds} is a guess ({ward.why_beds})" for ward in wards]
    if len(history.patient_rejects):
        found.append(f"{len(history.patient_rejects):,} rows would be set aside")
    return [*found, *history.warnings]


def _ward(ward: DraftedWard) -> dict[str, Any]:
    keys: dict[str, Any] = {"id": ward.named.id, "type": ward.type, "capacity": ward.beds}
    if ward.weekday_beds:
        keys["weekday_capacity"] = ward.weekday_beds
    return keys | {"los_model": {"type": "from_data"}}


def _stream(stream: DraftedStream) -> dict[str, Any]:
    return {
        "id": stream.named.id,
        "target_ward": stream.ward,
        "patient_type": stream.patient_type,
        "model": {"type": "ml_poisson"},
    }
