"""Extracts that once misled the twin: each kind at three sizes, in three dialects, and as it was first seen.

Every hospital has one stay of 96 hours a day that began at 8:00, and one patient in the house at as_of.
"""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kaizar_pipeline.config.files import load_hospital_config
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.history.loading import History, load_history
from kaizar_pipeline.patients.length_of_stay import lengths_of_stay
from kaizar_pipeline.patients.starting_census import starting_census

pytestmark = pytest.mark.unit

END = pd.Timestamp("2026-10-01")
LAST = "L"
"""Id of the patient in the house."""
DIALECTS = {
    "iso": (",", "%Y-%m-%d", "%H:%M", ("id", "came", "went", "svc")),
    "german": (";", "%d.%m.%Y", "%H:%M:%S", ("Fallnr", "Aufnahme", "Entlassung", "Abteilung")),
    "american": ("\t", "%m/%d/%Y", "%H:%M", ("VISIT_ID", "ADMIT_DTTM", "DISCH_DTTM", "UNIT")),
}

Row = tuple[str, pd.Timestamp, pd.Timestamp | str | None]
Move = tuple[str, str, pd.Timestamp, pd.Timestamp | str | None]


class Extract:
    """One case: patients and moves, to be written in a dialect; texts are written as they are, days as dates."""

    def __init__(self, size: int, moves: bool = False):
        came = [END - pd.Timedelta(days=11 + n, hours=-8) for n in range(size)]
        stay = pd.Timedelta(hours=96)
        self.patients: list[Row] = [(f"P{n}", at, at + stay) for n, at in enumerate(came)]
        self.patients.append((LAST, END - pd.Timedelta(hours=40), None))
        self.moves: list[Move] | None = [(id_, "med", a, d) for id_, a, d in self.patients] if moves else None
        self.keys: dict = {}

    def write(self, folder: Path, dialect: str) -> HospitalConfig:
        separator, day, time, names = DIALECTS[dialect]

        def text(cell: pd.Timestamp | str | None) -> str:
            if isinstance(cell, pd.Timestamp):
                return cell.strftime(f"{day} {time}")
            return pd.Timestamp(cell).strftime(day) if cell and cell[:2] == "20" else cell or ""

        rows = [names, *((id_, text(came), text(went), "med") for id_, came, went in self.patients)]
        (folder / "patients.csv").write_text("\n".join(separator.join(row) for row in rows), encoding="utf-8")
        columns = dict(zip(("patient_id", "arrival", "departure", "service"), names, strict=True))
        keys = dict(self.keys)
        if self.moves is not None:
            rows = [("nr", "ward", "in", "out"), *((i, ward, text(a), text(d)) for i, ward, a, d in self.moves)]
            (folder / "stays.csv").write_text("\n".join(separator.join(row) for row in rows), encoding="utf-8")
            stays = {"patient_id": "nr", "ward": "ward", "admit": "in", "depart": "out"}
            keys["stays"] = {"path": "stays.csv", "columns": stays, "wards": {"med": "med", "bay": "med"}}
        return HospitalConfig.model_validate(
            {
                "id": "h",
                "hospital": {"name": "H", "timezone": "Europe/London", "country": "GB"},
                "patients": {
                    "source": "csv", "path": "patients.csv", "columns": columns, "streams": {"med": "med"},
                    "complete_through": "2026-09-30", "max_age_days": None, "pseudonym_key": "k", **keys,
                },
                "wards": [{"id": "med", "capacity": 200, "los_model": {"type": "from_data"}}],
                "patient_types": [{"id": "med"}],
                "arrival_streams": [
                    {"id": "med", "target_ward": "med", "patient_type": "med", "model": {"type": "ml_poisson"}}
                ],
            }
        )  # fmt: skip


def last_departure(cell: str) -> Callable[[int], Extract]:
    def case(size: int) -> Extract:
        extract = Extract(size)
        extract.patients[-1] = (*extract.patients[-1][:2], cell)
        return extract

    return case


def person_ids(size: int) -> Extract:
    extract = Extract(size)
    extract.patients[-1] = ("P3", *extract.patients[-1][1:])
    return extract


def running_visit_ends_at_extract(size: int) -> Extract:
    extract = last_departure("2026-09-30")(size)
    extract.keys = {"running_until": "extract_date"}
    return extract


def same_ward_rows(size: int) -> Extract:
    extract = Extract(size, moves=True)
    half = pd.Timedelta(hours=48)
    extract.moves = [
        move
        for id_, came, went in extract.patients
        for move in (((id_, "med", came, came + half), (id_, "bay", came + half, went)) if went is not None
                     else ((id_, "med", came, None),))
    ]  # fmt: skip
    return extract


def move(number: int, *, depart: pd.Timestamp | str | None) -> Callable[[Extract], None]:
    def change(extract: Extract) -> None:
        assert extract.moves is not None
        extract.moves[number] = (*extract.moves[number][:3], depart)

    return change


def with_moves(*changes: Callable[[Extract], None]) -> Callable[[int], Extract]:
    def case(size: int) -> Extract:
        extract = Extract(size, moves=True)
        for change in changes:
            change(extract)
        return extract

    return case


def departures_as_days(extract: Extract) -> None:
    assert extract.moves is not None
    extract.moves = [
        (id_, ward, admit, f"{depart:%Y-%m-%d}" if isinstance(depart, pd.Timestamp) else depart)
        for id_, ward, admit, depart in extract.moves
    ]


def backwards(extract: Extract) -> None:
    assert extract.moves is not None
    extract.moves = extract.moves[::-1]


LATE = END - pd.Timedelta(minutes=10)
CASES: dict[str, Callable[[int], Extract]] = {
    "departure NA": last_departure("NA"),
    "departure 1900": last_departure("1900-01-01"),
    "departure 9999": last_departure("31/12/9999"),
    "person ids": person_ids,
    "a running visit ends at the extract": running_visit_ends_at_extract,
    "same ward rows": same_ward_rows,
    "ward departures as days": with_moves(departures_as_days),
    "a ward end is missing": with_moves(move(5, depart=None)),
    "between wards at midnight": with_moves(move(-1, depart=LATE)),
    "ward faults that cancel": with_moves(move(5, depart=None), move(-1, depart=LATE)),
    "ward faults that cancel, backwards": with_moves(move(5, depart=None), move(-1, depart=LATE), backwards),
}


def check(config: HospitalConfig, history: History) -> None:
    """One patient is in the house, in the ward, and stays last 96 hours."""
    present = starting_census(history.patients, history.ward_stays)
    assert present["ward_id"].tolist() == ["med"]
    assert history.patient_rejects.empty
    fitted = lengths_of_stay(history.patients, history.ward_stays, config)
    assert fitted.loc[fitted["origin"] == "fitted", "mean_hours"].tolist() == pytest.approx([96.0, 96.0], abs=0.01)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize(
    ("size", "dialect"), [(30, "german"), (100, "iso"), (400, "american")], ids=["small", "medium", "large"]
)
def test_one_patient_is_in_the_house_and_stays_last_four_days(case, size, dialect, tmp_path):
    config = case(size).write(tmp_path, dialect)
    check(config, load_history(config, tmp_path))


def test_a_running_visit_without_the_key_is_named(tmp_path):
    config = last_departure("2026-09-30")(100).write(tmp_path, "iso")
    (warning,) = load_history(config, tmp_path).warnings
    assert warning.startswith("patients.csv: departures lie on the last moment of the extract: likely patients who are")
    assert warning.endswith("1, for example line 102")


SEEN = ["departure_na", "departure_1900", "person_ids", "same_ward_rows", "ward_departures_as_days",
        "ward_end_missing", "between_wards_at_midnight", "ward_faults_cancel"]  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
def test_as_first_seen(cases, name):
    config = load_hospital_config(cases / name / "hospital_configs" / "h.yml")
    check(config, load_history(config, cases / name))


def test_day_cases_as_first_seen_last_some_hours(cases):
    folder = cases / "day_cases_by_date"
    config = load_hospital_config(folder / "hospital_configs" / "h.yml")
    history = load_history(config, folder)
    fitted = lengths_of_stay(history.patients, history.ward_stays, config)
    assert fitted.loc[fitted["origin"] == "fitted", "mean_hours"].between(4, 10).all()
