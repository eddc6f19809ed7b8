"""A synthetic folder of the hospital-beds form: one year of a hospital whose beds are short in winter.

No person in it is real. Requests arrive hour by hour, find a bed or are refused, and leave after their stay; so
services_weekly.csv counts what happened, and patients.csv has everyone who was admitted.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from heapq import heappop, heappush
from math import cos, exp, log, pi, sqrt
from pathlib import Path
from random import Random

from kaizar_pipeline.errors import DataError

YEAR, WEEKS = 2025, 52
_FIRST_DAY = date(YEAR, 1, 1)
_WARM_UP_DAYS = 28
"""Days before the year: their patients hold beds at its begin and are not in the file."""
_HOLIDAYS = ((1, 1), (12, 25), (12, 26))
"""Months and days on which patients arrive as on a Sunday."""
_HOLIDAY_WEEKS = range(29, 34)
"""Weeks in which much of the staff is away."""

_FIRST_NAMES = ("Ada", "Bo", "Cleo", "Dario", "Elif", "Finn", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Liam", "Mara")
_LAST_NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elder", "Fir", "Gorse", "Hazel", "Ivy", "Juniper", "Larch")

_EVENTS = {
    4: "flu",
    5: "flu",
    6: "flu",
    14: "donation",
    21: "strike",
    36: "donation",
    43: "strike",
    49: "flu",
    50: "flu",
}
"""Events of the whole hospital by week."""


@dataclass(frozen=True)
class _Service:
    name: str
    per_day: float
    weekday: tuple[float, ...]
    """Factors Monday to Sunday."""
    winter: float
    """Relative height of the yearly wave, which peaks in mid January."""
    los_days: float
    los_sd_days: float
    beds: int
    extra_beds: dict[range, int]
    """Beds more or fewer in some weeks."""
    event: dict[str, float]
    """Factors on requests."""
    staff: dict[str, int] = field(default_factory=dict)
    """Persons by role."""


_SERVICES = (
    _Service(
        "emergency", 5.3, (1.12, 1.03, 0.98, 0.97, 1.0, 0.95, 0.95), 0.08, 1.5, 1.2, 13,
        {range(1, 10): 2, range(48, 53): 2}, {"flu": 1.3}, {"nurse": 17, "doctor": 7, "nursing_assistant": 4},
    ),
    _Service(
        "surgery", 3.3, (1.5, 1.45, 1.35, 1.25, 0.95, 0.2, 0.3), 0.0, 4.1, 3.3, 19,
        {range(28, 34): -4}, {"strike": 0.6}, {"nurse": 15, "doctor": 6, "nursing_assistant": 4},
    ),
    _Service(
        "general_medicine", 3.7, (1.15, 1.1, 1.08, 1.05, 1.02, 0.8, 0.8), 0.16, 6.1, 5.4, 26,
        {range(1, 11): 4, range(46, 53): 3}, {"flu": 1.35}, {"nurse": 19, "doctor": 5, "nursing_assistant": 6},
    ),
    _Service(
        "ICU", 1.2, (1.1, 1.1, 1.05, 1.05, 1.05, 0.85, 0.8), 0.1, 3.6, 3.8, 7,
        {range(2, 8): 1}, {"flu": 1.15}, {"nurse": 16, "doctor": 4, "nursing_assistant": 2},
    ),
)  # fmt: skip

_PRESENT = {"flu": 0.8, "strike": 0.6}
"""Share of the staff present in weeks of an event; else that of the season."""
_DAILY_CV = 0.15
"""Coefficient of variation of the random factor of each day, on top of Poisson noise."""


def make_hospital_beds(folder: str | Path, seed: int = 1) -> Path:
    """Write a synthetic folder of the form: patients.csv, services_weekly.csv, staff.csv, staff_schedule.csv.

    The same seed gives the same bytes. Raises DataError where the folder has such a file with other contents, which may
    be somebody's own.
    """
    folder = Path(folder)
    contents = {name: _csv_bytes(rows) for name, rows in _files(Random(seed)).items()}
    try:
        for name, content in contents.items():
            if (folder / name).exists() and (folder / name).read_bytes() != content:
                raise DataError(f"{folder / name} exists and is another file; choose an empty folder")
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be written ({error.strerror}); choose another folder") from error
    return folder


def _files(random: Random) -> dict[str, list[tuple]]:
    """The rows of each file, header first."""
    stays, requests = _year(random)
    patients = [_patient(random, number, stay) for number, stay in enumerate(stays, start=1)]
    staff = list(_staff(random))
    schedule = [
        (week, *person, int(random.random() < _presence(week))) for week in range(1, WEEKS + 1) for person in staff
    ]
    person = ("staff_id", "staff_name", "role", "service")
    return {
        "patients.csv": [
            ("patient_id", "name", "age", "arrival_date", "departure_date", "service", "satisfaction"), *patients
        ],
        "services_weekly.csv": [
            (
                "week", "month", "service", "available_beds", "patients_request", "patients_admitted",
                "patients_refused", "patient_satisfaction", "staff_morale", "event",
            ),
            *_weekly(requests, patients, schedule),
        ],
        "staff.csv": [person, *staff],
        "staff_schedule.csv": [("week", *person, "present"), *schedule],
    }  # fmt: skip


def _year(random: Random) -> tuple[list[tuple[date, date, str]], Counter[tuple[int, str]]]:
    """The admitted patients of the year (arrival, departure, service), and all requests by week and service."""
    stays, requests = [], Counter()
    in_bed: dict[str, list[datetime]] = {service.name: [] for service in _SERVICES}  # departures, the next one first
    for number in range(-_WARM_UP_DAYS, 7 * WEEKS):
        day = _FIRST_DAY + timedelta(days=number)
        for arrival, service in _requests(random, day):
            beds = in_bed[service.name]
            while beds and beds[0] <= arrival:
                heappop(beds)
            departure = arrival + timedelta(days=_stay(random, service))
            is_admitted = len(beds) < _beds(service, _week(day))
            if is_admitted:
                heappush(beds, departure)
            if number >= 0:
                requests[_week(day), service.name] += 1
                stays += [(day, departure.date(), service.name)] * is_admitted
    return stays, requests


def _requests(random: Random, day: date) -> list[tuple[datetime, _Service]]:
    """The requests of a day in order of time."""
    factor = random.gammavariate(_DAILY_CV**-2, _DAILY_CV**2)
    found = [
        (datetime.combine(day, time()) + timedelta(hours=random.triangular(0, 24, 13)), service)
        for service in _SERVICES
        for _ in range(_poisson(random, factor * _rate(service, day)))
    ]
    return sorted(found, key=lambda request: request[0])


def _rate(service: _Service, day: date) -> float:
    """Expected requests on a day."""
    holiday = (day.month, day.day) in _HOLIDAYS
    weekday = service.weekday[6 if holiday else day.weekday()]
    wave = 1 + service.winter * cos(2 * pi * (day.timetuple().tm_yday - 15) / 365.25)
    return service.per_day * weekday * wave * service.event.get(_EVENTS.get(_week(day), ""), 1)


def _poisson(random: Random, mean: float) -> int:
    """A Poisson number: how many exponential gaps fit into `mean`."""
    count, used = 0, random.expovariate(1)
    while used < mean:
        count, used = count + 1, used + random.expovariate(1)
    return count


def _stay(random: Random, service: _Service) -> float:
    """A lognormal length of stay in days."""
    variance = log(1 + (service.los_sd_days / service.los_days) ** 2)
    return service.los_days * exp(-variance / 2 + sqrt(variance) * random.gauss(0, 1))


def _week(day: date) -> int:
    """The week of the year; days of the warm-up count with the first."""
    return max(0, (day - _FIRST_DAY).days) // 7 + 1


def _beds(service: _Service, week: int) -> int:
    """Available beds; in a strike a fifth is closed."""
    beds = service.beds + sum(more for weeks, more in service.extra_beds.items() if week in weeks)
    return round(0.8 * beds) if _EVENTS.get(week) == "strike" else beds


def _presence(week: int) -> float:
    """The share of the staff that is expected to be present."""
    return _PRESENT.get(_EVENTS.get(week, ""), 0.8 if week in _HOLIDAY_WEEKS else 0.92)


def _patient(random: Random, number: int, stay: tuple[date, date, str]) -> tuple:
    arrival, departure, service = stay
    age = min(99, int(random.triangular(0, 100, 68)))
    satisfaction = min(100, max(0, round(random.gauss(76, 12))))
    return f"P{number:05d}", _name(random), age, arrival, departure, service, satisfaction


def _staff(random: Random) -> Iterator[tuple[str, str, str, str]]:
    posts = [(role, service.name) for service in _SERVICES for role, n in service.staff.items() for _ in range(n)]
    for number, post in enumerate(posts, start=1):
        yield f"S{number:03d}", _name(random), *post


def _name(random: Random) -> str:
    return f"{random.choice(_FIRST_NAMES)} {random.choice(_LAST_NAMES)}"


def _weekly(requests: Counter[tuple[int, str]], patients: list[tuple], schedule: list[tuple]) -> Iterator[tuple]:
    scores = _by_week((_week(arrival), service, score) for *_, arrival, _, service, score in patients)
    present = _by_week((week, service, here) for week, *_, service, here in schedule)
    for week in range(1, WEEKS + 1):
        start = _FIRST_DAY + timedelta(days=7 * (week - 1))
        event = _EVENTS.get(week, "none")
        good_will = 5 if event == "donation" else 0
        for service in _SERVICES:
            key = (week, service.name)
            admitted = len(scores[key])
            satisfaction = round(sum(scores[key]) / admitted) + good_will
            morale = round(40 + 45 * sum(present[key]) / len(present[key])) + good_will
            asked = requests[key]
            counts = (asked, admitted, asked - admitted)
            yield week, start.month, service.name, _beds(service, week), *counts, satisfaction, morale, event


def _by_week(rows: Iterable[tuple[int, str, int]]) -> dict[tuple[int, str], list[int]]:
    found: dict[tuple[int, str], list[int]] = {}
    for week, service, value in rows:
        found.setdefault((week, service), []).append(value)
    return found


def _csv_bytes(rows: list[tuple]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
