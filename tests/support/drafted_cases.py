"""The extracts that drafting is tried on: one or more for each habit of systems that export records."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd

from tests.support.drafted_extracts import FIRST, NAMES, USUAL, Extract, Habit, Service, visits, with_moves

_DAY = pd.Timedelta(days=1)
_LANGUAGES = {
    "German": (
        {"visit": "Fallnummer", "arrival": "Aufnahmedatum", "departure": "Entlassungsdatum",
         "service": "Fachabteilung"},
        ("Chirurgie", "Innere Medizin", "Frauenklinik Süd"), "%d.%m.%Y %H:%M",
    ),
    "Dutch": (
        {"visit": "Opnamenummer", "arrival": "Opnamedatum", "departure": "Ontslagdatum", "service": "Specialisme"},
        ("Chirurgie", "Interne geneeskunde", "Verloskunde"), "%d-%m-%Y %H:%M",
    ),
    "French": (
        {"visit": "Numéro de séjour", "arrival": "Date d'entrée", "departure": "Date de sortie", "service": "Unité"},
        ("Chirurgie", "Médecine interne", "Maternité"), "%d/%m/%Y %H:%M",
    ),
    "Spanish": (
        {"visit": "Episodio", "arrival": "Fecha de ingreso", "departure": "Fecha de alta", "service": "Servicio"},
        ("Cirugía", "Medicina interna", "Obstetricia"), "%d/%m/%Y %H:%M",
    ),
    "Portuguese": (
        {"visit": "Atendimento", "arrival": "Data de admissão", "departure": "Data de saída",
         "service": "Especialidade"},
        ("Cirurgia", "Clínica médica", "Obstetrícia"), "%d/%m/%Y %H:%M",
    ),
}  # fmt: skip
_IDS = {
    "Chirurgie": "chirurgie", "Innere Medizin": "innere_medizin", "Frauenklinik Süd": "frauenklinik_sud",
    "Interne geneeskunde": "interne_geneeskunde", "Verloskunde": "verloskunde", "Médecine interne": "medecine_interne",
    "Maternité": "maternite", "Cirugía": "cirugia", "Medicina interna": "medicina_interna",
    "Obstetricia": "obstetricia", "Cirurgia": "cirurgia", "Clínica médica": "clinica_medica",
    "Obstetrícia": "obstetricia",
}  # fmt: skip
_WITH_MOVES = (
    Service("Emergency", 20, 0.2, "emergency", "ED", next={"Medicine": 0.3, "ICU": 0.05}),
    Service("ICU", 1, 2.0, "icu", "ICU", next={"Medicine": 0.6}),
    Service("Medicine", 3, 3.0, "medicine"),
)


def extracts() -> Iterator[Extract]:
    """All of them."""
    yield from _formats()
    yield from _files()
    yield from _languages()
    yield from _columns()
    yield from _departures()
    yield from _hospitals()


def by_name(name: str) -> Extract:
    """One of them."""
    return _by_name()[name]


@cache
def _by_name() -> dict[str, Extract]:
    return {extract.name: extract for extract in extracts()}


def _formats() -> Iterator[Extract]:
    table = visits(USUAL)
    yield Extract("semicolons", "semicolons", USUAL, table, Habit(NAMES, separator=";"))
    yield Extract("tabs_utf16", "tabs, UTF-16", USUAL, table, Habit(NAMES, separator="\t", encoding="utf-16"))
    yield Extract("day_month", "DD/MM", USUAL, table, Habit(NAMES, "%d/%m/%Y %H:%M"))
    yield Extract("month_day", "MM/DD with AM and PM", USUAL, table, Habit(NAMES, "%m/%d/%Y %I:%M %p"))
    short = tuple(replace(one, stay_days=one.stay_days / 8, per_day=9 * one.per_day) for one in USUAL)
    types = tuple(replace(one, type="SHORT_STAY") for one in short)
    low = visits(types, 12)
    yield Extract("day_month_low", "DD/MM, no number above 12", types, low, Habit(NAMES, "%d/%m/%Y %H:%M"))
    yield Extract("month_day_low", "MM/DD, no number above 12", types, low, Habit(NAMES, "%m/%d/%Y %H:%M"))
    yield Extract("days_only", "days only", USUAL, table, Habit(NAMES, "%Y-%m-%d"), days_only=True)
    yield Extract("days_only_dutch", "days only, DD-MM", USUAL, table, Habit(NAMES, "%d-%m-%Y"), days_only=True)
    yield Extract(
        "excel", "CSV saved by Excel: d-m-yyyy h:mm, semicolons, cp1252", USUAL, table,
        Habit(NAMES, lambda at: f"{at.day}-{at.month}-{at.year} {at.hour}:{at.minute:02}", ";", "cp1252"),
    )  # fmt: skip
    yield Extract("compact", "202401310815", USUAL, table, Habit(NAMES, "%Y%m%d%H%M"))
    yield Extract(
        "month_names", "31-JAN-2024 08:15", USUAL, table, Habit(NAMES, lambda at: f"{at:%d-%b-%Y %H:%M}".upper())
    )


def _files() -> Iterator[Extract]:
    table, stays = with_moves(visits(_WITH_MOVES, 120), _WITH_MOVES, 120)
    streams = {one.id: (one.id, "emergency") for one in _WITH_MOVES}
    yield Extract("two_files", "visits, and ward stays with moves", _WITH_MOVES, table, Habit(NAMES), stays=stays)
    yield Extract(
        "two_files_by_person", "the same, linked by the person", _WITH_MOVES, table,
        Habit({"visit": "visit_id", "person": "patient_id", **{k: v for k, v in NAMES.items() if k != "visit"}}),
        stays=stays, stays_habit=Habit({"person": "patient_id", "ward": "ward", "admit": "in", "depart": "out"}),
        reads={"patient_id": "person", "arrival": "arrival", "departure": "departure", "service": "service"},
    )  # fmt: skip
    yield Extract(
        "moves_as_rows", "one file, a row for each ward stay", _WITH_MOVES, table,
        Habit({"visit": "encounter_id", "ward": "unit", "admit": "start", "depart": "end"}), written=stays,
        reads={"patient_id": "visit", "arrival": "admit", "departure": "depart", "service": "ward"},
        patients={"rows": "ward_stays"}, streams=streams,
    )  # fmt: skip
    yield _omop()
    yield _fhir()


def _omop() -> Extract:
    kinds = (Service("9201", 7, 3.0, "ward_9201"), Service("9203", 15, 0.25, "ward_9203", "ED"))
    table = visits(kinds, 120)
    extracted = table["arrival"].max().ceil("h")
    written = table.assign(
        departure=table["departure"].fillna(extracted), day=table["arrival"].dt.strftime("%Y-%m-%d"),
        end_day=table["departure"].fillna(extracted).dt.strftime("%Y-%m-%d"), type="32817", source="EHR", site="",
        person=table["person"].str[1:],
    )  # fmt: skip
    names = {
        "visit": "visit_occurrence_id", "person": "person_id", "service": "visit_concept_id",
        "day": "visit_start_date", "arrival": "visit_start_datetime", "end_day": "visit_end_date",
        "departure": "visit_end_datetime", "type": "visit_type_concept_id", "site": "care_site_id",
        "source": "visit_source_value",
    }  # fmt: skip
    return Extract(
        "omop", "OMOP visit_occurrence", kinds, table, Habit(names, "%Y-%m-%d %H:%M:%S"), written=written,
        patients={"running_until": "extract_date"},
    )  # fmt: skip


def _fhir() -> Extract:
    table = visits(USUAL, 80)  # before the clocks change
    written = table.assign(
        status=np.where(table["departure"].isna(), "in-progress", "finished"), kind="IMP",
        person="Patient/" + table["person"],
        departure=table["departure"].dt.tz_localize("Europe/Amsterdam", ambiguous=True, nonexistent="shift_forward"),
        arrival=table["arrival"].dt.tz_localize("Europe/Amsterdam", ambiguous=True, nonexistent="shift_forward"),
    )  # fmt: skip
    for name in ("arrival", "departure"):
        written[name] = written[name].map(pd.Timestamp.isoformat, na_action="ignore")
    names = {
        "visit": "id", "status": "status", "kind": "class.code", "person": "subject.reference",
        "arrival": "period.start", "departure": "period.end", "service": "serviceType.text",
    }  # fmt: skip
    return Extract("fhir", "FHIR Encounter, stamps with offsets", USUAL, table, Habit(names), written=written)


def _languages() -> Iterator[Extract]:
    for language, (columns, services, stamp) in _LANGUAGES.items():
        named = tuple(replace(one, name=name, id=_IDS[name]) for one, name in zip(USUAL, services, strict=True))
        encoding = "cp1252" if language in ("German", "French") else "utf-8"
        what = f"{language} names of columns" + (f", {encoding}" if encoding != "utf-8" else "")
        yield Extract(language.lower(), what, named, visits(named), Habit(columns, stamp, ";", encoding))


def _columns() -> Iterator[Extract]:
    table = visits(USUAL)
    rng = np.random.default_rng(7)
    born = (pd.Timestamp("1940-01-01") + pd.to_timedelta(rng.integers(0, 25_000, len(table)), unit="D")).strftime(
        "%Y-%m-%d"
    )
    modified = table["arrival"] + pd.to_timedelta(rng.integers(1, 90, len(table)), unit="D")
    beside = table.assign(
        born=born, modified=modified, booked=table["arrival"] - 20 * _DAY, sex=rng.choice(["M", "F"], len(table))
    )
    yield Extract(
        "beside", "birth date, sex, booked-at and modified-at beside", USUAL, table,
        Habit({"born": "date_of_birth", "sex": "sex", "modified": "modified_at", "booked": "booked_at", **NAMES}),
        written=beside,
    )  # fmt: skip
    yield Extract(
        "person_and_visit", "ids of the person and of the visit", USUAL, table,
        Habit({"person": "patient_id", **NAMES}),
    )  # fmt: skip
    persons = {"person": "patient_id", "arrival": "arrival", "departure": "departure", "service": "service"}
    yield Extract(
        "persons", "ids of persons, who come again", USUAL, table, Habit(persons),
        reads={"patient_id": "person", "arrival": "arrival", "departure": "departure", "service": "service"},
    )  # fmt: skip
    greek = {"visit": "κωδικός", "sex": "φύλο", "arrival": "ημερομηνία", "departure": "εξιτήριο", "service": "τμήμα"}
    various = tuple(
        replace(one, stay_days=one.stay_days * scale) for one, scale in zip(USUAL, (0.7, 2, 1), strict=True)
    )
    found = visits(various)
    yield Extract(
        "greek", "names of columns in an alphabet that is not known", various, found, Habit(greek),
        written=found.assign(sex=rng.choice(["M", "F"], len(found))),
    )  # fmt: skip
    coded = {"visit": "c1", "departure": "c2", "sex": "c3", "service": "c4", "arrival": "c5"}
    yield Extract(
        "no_names", "columns c1 to c5", various, found, Habit(coded),
        written=found.assign(sex=rng.choice(["M", "F"], len(found))),
    )  # fmt: skip
    ward = {
        "visit": "visit_id",
        "specialty": "specialty",
        "service": "ward",
        "arrival": "arrival",
        "departure": "departure",
    }
    specialty = rng.choice(["cardiology", "surgery", "urology"], len(table))
    yield Extract(
        "ward_and_specialty", "a column of wards beside one of specialties", USUAL, table, Habit(ward),
        written=table.assign(specialty=specialty),
    )  # fmt: skip


def _departures() -> Iterator[Extract]:
    table = visits(USUAL, 120)
    yield Extract(
        "open_words", "a word where there is no departure", USUAL, table, Habit(NAMES, none="lopend"),
        patients={"missing": "lopend"},
    )  # fmt: skip
    yield Extract("open_9999", "9999 where there is no departure", USUAL, table, Habit(NAMES, none="9999-12-31 00:00"))
    yield Extract(
        "open_2099", "2099 where there is no departure", USUAL, table, Habit(NAMES, none="2099-12-31 00:00"),
        patients={"missing": "2099-12-31 00:00"},
    )  # fmt: skip
    last = f"{table['arrival'].max().ceil('h'):%Y-%m-%d %H:%M}"
    yield Extract(
        "open_last_moment", "open visits end on the last moment", USUAL, table, Habit(NAMES, none=last),
        patients={"running_until": "extract_date"},
    )  # fmt: skip
    long = visits(USUAL, 400)
    ghosts = long.assign(
        departure=long["departure"].mask((long.index % 150 == 0) & (long["arrival"] < FIRST + 150 * _DAY))
    )
    yield Extract(
        "ghosts", "some old visits were never ended", USUAL, ghosts, Habit(NAMES), patients={"max_open_days": None},
    )  # fmt: skip
    lost = table.assign(departure=table["departure"].mask(table.index % 7 == 0))
    yield Extract(
        "not_recorded", "one departure in seven not recorded", USUAL, lost, Habit(NAMES),
        patients={"missing_departure": "unknown"},
    )  # fmt: skip


def _hospitals() -> Iterator[Extract]:
    yield Extract("three_weeks", "three weeks of data", USUAL, visits(USUAL, 21), Habit(NAMES))
    forty = tuple(
        Service(f"Service {no:02}", 2.5 if no < 12 else 0.08, 1 + no % 5 + 0.5, f"service_{no:02}") for no in range(40)
    )
    big, table = forty[:12], visits(forty, 200)
    yield Extract(
        "forty_services", "forty services, twelve of them common", forty, table, Habit(NAMES),
        patients={"other": "other"}, wards={**{one.id: "WARD" for one in big}, "other": "WARD"},
        streams={**{one.id: (one.id, "emergency") for one in big}, "other": ("other", "emergency")},
    )  # fmt: skip
    planned = (*USUAL, Service("Day surgery", 8, 0.25, "day_surgery", "SHORT_STAY", planned=True),
               Service("Orthopaedics", 4, 3.0, "orthopaedics", planned=True))  # fmt: skip
    yield Extract("planned", "planned streams", planned, visits(planned), Habit(NAMES))
    named = (
        Service("Emergency Department", 25, 0.2, "emergency_department", "ED"), Service("ITU", 2, 3.0, "itu", "ICU"),
        Service("Acute Medical Unit", 9, 1.1, "acute_medical_unit", "SHORT_STAY"), Service("Ward 7", 5, 5.0, "ward_7"),
    )  # fmt: skip
    yield Extract("ed_and_icu", "ED, ICU and AMU by name", named, visits(named, 120), Habit(NAMES))
    walls = (
        Service("Full", 8, 2.5, "full", beds=20), Service("Free", 6, 2.5, "free"),
        Service("Weekly", 12, 0.9, "weekly", "SHORT_STAY", beds=14, weekend_beds=8),
    )  # fmt: skip
    yield Extract(
        "walls", "wards that are often full, one with other beds at the weekend", walls, visits(walls, 300),
        Habit(NAMES), beds={"full": 20, "weekly": 14}, weekend_beds={"weekly": 8},
    )  # fmt: skip
    changing = (
        *USUAL, Service("Stroke", 3, 3.0, "stroke", opened=120), Service("Burns", 3, 3.0, "burns", closed=90),
        Service("Neuro", 4, 2.0, "neuro", closed=150), Service("Neurology", 4, 2.0, "neurology", opened=150),
    )  # fmt: skip
    ids = [one.id for one in changing if one.id != "neuro"]
    yield Extract(
        "changing", "services that opened, closed and were renamed", changing, visits(changing, 250), Habit(NAMES),
        wards=dict.fromkeys(ids, "WARD"), streams={id_: (id_, "emergency") for id_ in ids},
    )  # fmt: skip
