"""A hospital's file drafted from its records: every choice that the records decide, with the evidence for it.

The extract is opened without any knowledge, and then read by the reader of runs with what was found: the draft sees the
patients, stays and rejects that a run will see.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from kaizar_pipeline.config.files import CONFIG_FOLDER, load_hospital_config
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.drafting.census_beds import propose_beds
from kaizar_pipeline.drafting.found_rows import FoundRows, find_rows
from kaizar_pipeline.drafting.reading import NamedRows, how_to_read, likely_running
from kaizar_pipeline.drafting.spans import span_of
from kaizar_pipeline.drafting.wards_and_streams import (
    ELECTIVE,
    EMERGENCY,
    DraftedStream,
    DraftedWard,
    Named,
    Span,
    planned,
    type_of,
)
from kaizar_pipeline.errors import ConfigError, DataError
from kaizar_pipeline.history.loading import History, load_history
from kaizar_pipeline.patients.extracts import SqlQuery
from kaizar_pipeline.patients.observed_census import hours_are_known

_LAST_MOMENT = "last moment of the extract"
"""Words of a warning of the reader that tells of the same."""


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

    location: str
    """The extract, as messages name it."""
    hospital: dict[str, str]
    patients: dict[str, Any]
    """`patients` of the config."""
    why: dict[str, str]
    """Evidence by key of `patients`, those of its columns as columns.KEY."""
    wards: list[DraftedWard]
    streams: list[DraftedStream]
    history: History
    """What a run would read; of a long extract a sample."""
    confirm: list[str]
    """What to look at first, in order."""
    unread: list[str]
    """Columns of the extract that no run will read."""
    questions: list[str]
    """What the records leave open and a person has to decide before the file can be right."""
    every: int = 1
    """Of more than one: the history is a sample of one patient in so many."""

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


def draft_hospital(  # noqa: PLR0913  the names of three files, and what a person knows
    extract: Path | SqlQuery,
    stays: Path | SqlQuery | None = None,
    *,
    name: str,
    place: Place,
    home: Path,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
) -> Draft:
    """Draft the file `name`.yml from the `extract` of visits, and from that of ward `stays` where there is one: files,
    or queries on one database.

    `home` is the folder of the project; `columns` names columns of the extract by role (id, arrival, departure,
    service; service "none": no column) that are then not looked for. Nothing is written. Raises DataError when an
    extract cannot be read, or does not hold visits, and ConfigError for a column that is not there.
    """
    rows = find_rows(extract, stays, home, columns or {}, date_format)
    patients, why = how_to_read(rows.visits, rows.stays)
    hospital = place.keys(name)
    ids = {ward.id for ward in rows.wards}
    targets = {named.id: named.id if named.id in ids else rows.wards[0].id for named in rows.visits.names}
    history = _history(_values(hospital, patients, rows.wards, targets), rows, name, home)
    records = _Records.of(history, rows.visits.extract.every)
    streams = [stream for named in rows.visits.names if (stream := records.stream(named)) is not None]
    wards = [records.ward(named, [one for one in streams if one.ward == named.id]) for named in rows.wards]
    used = {rows.visits.roles.service, *(rows.stays.roles.used if rows.stays else ())}
    return Draft(
        rows.visits.extract.location,
        hospital,
        patients,
        why,
        wards,
        streams,
        history,
        _to_confirm(rows, wards, streams, history),
        [column for column in rows.visits.roles.unread if column not in used],
        rows.questions,
        rows.visits.extract.every,
    )


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


def _history(values: dict[str, Any], rows: FoundRows, name: str, home: Path) -> History:
    """What a run would read with these values; of a long extract the sample."""
    with tempfile.TemporaryDirectory() as folder:
        if rows.visits.extract.every > 1:
            values = {**values, "patients": _sampled(values["patients"], rows, Path(folder))}
        text = yaml.safe_dump(values, allow_unicode=True, sort_keys=False)
        try:
            history = load_history(checked_config(text, name), home)
        except DataError as error:
            raise DataError(str(error).replace(f"{folder}/", "sample of ")) from None
        return replace(history, warnings=tuple(one.replace(f"{folder}/", "sample of ") for one in history.warnings))


def _sampled(patients: dict[str, Any], rows: FoundRows, folder: Path) -> dict[str, Any]:
    """`patients` of the config for the samples of rows, which are written into `folder`."""
    kept = {key: value for key, value in patients.items() if key not in ("encoding", "url_env", "query")}
    found = {**kept, "source": "parquet", "path": str(folder / "patients.parquet")}
    _write_sample(rows.visits, Path(found["path"]))
    if rows.stays is not None:
        of_stays = {key: value for key, value in patients["stays"].items() if key != "query"}
        found["stays"] = {**of_stays, "path": str(folder / "stays.parquet")}
        _write_sample(rows.stays, folder / "stays.parquet")
    return found


def _write_sample(rows: NamedRows, path: Path) -> None:
    rows.extract.rows[rows.roles.used].to_parquet(path, index=False)


def checked_config(text: str, name: str) -> HospitalConfig:
    """The config that the `text` of a hospital's file is. Raises ConfigError, before the file is there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CONFIG_FOLDER / f"{name}.yml"
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
        try:
            return load_hospital_config(path)
        except ConfigError as error:
            raise ConfigError([line.replace(f"{folder}/", "") for line in error.errors]) from None


@dataclass(frozen=True)
class _Records:
    """The patients and stays that a run reads, from which streams and wards are drafted."""

    history: History
    times_known: bool
    first: pd.Timestamp
    """The first arrival."""
    every: int

    @classmethod
    def of(cls, history: History, every: int) -> "_Records":
        patients = history.patients
        return cls(history, hours_are_known(patients), patients["arrival"].min(), every)

    def stream(self, named: Named) -> DraftedStream | None:
        """The stream of a service; None where nobody came."""
        mine = self.history.patients[self.history.patients["stream_id"] == named.id]
        if mine.empty:
            return None
        is_planned, why = planned(mine["arrival"], self.times_known)
        stays = self.history.ward_stays[self.history.ward_stays["patient_id"].isin(mine["patient_id"])]
        wards = stays.sort_values("admit").drop_duplicates("patient_id")["ward_id"].value_counts()
        if wards.empty:
            return None
        if len(wards) > 1:
            why += f"; {100 * (wards.iloc[0] / wards.sum()):.0f} % begin in {wards.index[0]}"
        span = span_of(mine["arrival"], self.first, self.history.as_of)
        rows = self.every * len(mine)
        type_ = ELECTIVE if is_planned else EMERGENCY
        return DraftedStream(named, str(wards.index[0]), type_, f"{rows:,} patients; {why}", span)

    def ward(self, named: Named, streams: Sequence[DraftedStream]) -> DraftedWard:
        """A ward, which the `streams` ask for."""
        stays = self.history.ward_stays[self.history.ward_stays["ward_id"] == named.id]
        hours = (stays["depart"] - stays["admit"]).dt.total_seconds().dropna() / 3600
        type_, why_type = type_of(named, hours)
        span = self._span(stays, streams)
        end = self.history.as_of if span.closed is None else pd.Timestamp(span.closed)
        beds = propose_beds(self.history.patients, stays, named.id, end, times_known=self.times_known, every=self.every)
        return DraftedWard(named, type_, why_type, beds, span, hours)

    def _span(self, stays: pd.DataFrame, streams: Sequence[DraftedStream]) -> Span:
        """When a ward opened, no later than the first stream that asks for it, and closed, when the last patient had
        left."""
        span = span_of(stays["admit"], self.first, self.history.as_of)
        opened, closed = span.opened, span.closed
        if opened is not None and streams:
            starts = [stream.span.opened for stream in streams]
            opened = None if None in starts else min(opened, *(day for day in starts if day is not None))
        if closed is not None and stays["depart"].isna().any():
            closed = None
        if closed is not None:
            closed = max(closed, stays["depart"].max().date() + pd.Timedelta(days=1))
        return Span(opened, closed, span.why)


def _to_confirm(rows: FoundRows, wards: list[DraftedWard], streams: list[DraftedStream], history: History) -> list[str]:
    found = [f"not decided by the records: {one}" for one in rows.questions] + rows.remarks
    if rows.visits.extract.every > 1:
        found.append(
            f"a sample of one in {rows.visits.extract.every} of {rows.visits.extract.total_rows:,} rows was looked at"
        )
    found += [f"{old!r} was renamed {new!r}: both are one service or ward" for old, new in rows.renamed.items()]
    found += [_changed("stream", stream.named.id, stream.span) for stream in streams if stream.span.keys]
    found += [f"beds of {ward.named.id}: {_beds(ward)} is a guess ({ward.beds.why})" for ward in wards]
    if len(history.patient_rejects):
        found.append(f"{len(history.patient_rejects):,} rows would be set aside: look at their reasons")
    running = likely_running(rows.visits)
    if running is not None and not any(_LAST_MOMENT in one for one in history.warnings):
        found.append(running)
    return [*found, *history.warnings]


def _beds(ward: DraftedWard) -> str:
    number = "no limit" if ward.beds.beds is None else str(ward.beds.beds)
    return ", ".join([number, *(f"{day} {beds}" for day, beds in ward.beds.by_weekday.items())])


def _changed(kind: str, id_: str, span: Span) -> str:
    return f"{kind} {id_}: " + "; ".join(f"{key} {day} ({span.why[key]})" for key, day in span.keys.items())


def _ward(ward: DraftedWard) -> dict[str, Any]:
    keys: dict[str, Any] = {"id": ward.named.id, "type": ward.type, "capacity": ward.beds.beds}
    if ward.beds.by_weekday:
        keys["weekday_capacity"] = ward.beds.by_weekday
    return keys | ward.span.keys | {"los_model": {"type": "from_data"}}


def _stream(stream: DraftedStream) -> dict[str, Any]:
    return {
        "id": stream.named.id,
        "target_ward": stream.ward,
        "patient_type": stream.patient_type,
        "model": {"type": "ml_poisson"},
        **stream.span.keys,
    }
