"""Extracts of hospitals whose truth is known, written in the habits of many systems."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FIRST = pd.Timestamp("2024-01-01")
_DAY = pd.Timedelta(days=1)
_HOURS = {False: (2, 2, 1, 1, 1, 1, 2, 3, 5, 7, 8, 8, 8, 8, 7, 7, 7, 7, 6, 6, 5, 4, 3, 3), True: (0,) * 7 + (4, 5, 1)}
"""Arrivals by hour: of unplanned and of planned patients."""
EMERGENCY, ELECTIVE = "emergency", "elective"


@dataclass(frozen=True)
class Service:
    """A service of a hospital: how many come a day, how long half of them stay, and its beds."""

    name: str
    per_day: float
    stay_days: float
    id: str = ""
    """Of its stream and ward in the config."""
    type: str = "WARD"
    planned: bool = False
    beds: int | None = None
    """Whoever finds none free is not in the records."""
    weekend_beds: int | None = None
    opened: int = 0
    """First day."""
    closed: int | None = None
    """First day no longer open."""
    next: Mapping[str, float] = field(default_factory=dict)
    """Wards that patients move to, with probabilities."""

    @property
    def patient_type(self) -> str:
        return ELECTIVE if self.planned else EMERGENCY


USUAL = (
    Service("Surgery", 6, 2.5, "surgery"),
    Service("Medicine", 8, 4.0, "medicine"),
    Service("Maternity", 3, 2.0, "maternity"),
)


def visits(services: Sequence[Service], days: int = 200, seed: int = 1, first: pd.Timestamp = FIRST) -> pd.DataFrame:
    """A row for each visit, by arrival to the minute: visit, person, service, arrival, departure (NaT: later)."""
    rng = np.random.default_rng(seed)
    found = pd.concat([_of_service(rng, service, days, first) for service in services], ignore_index=True)
    found = found.sort_values("arrival", ignore_index=True)
    found["visit"] = np.arange(10_001, 10_001 + len(found)).astype(str)
    persons = rng.permutation(len(found) * 2)[: max(1, int(0.8 * len(found)))]
    found["person"] = [f"P{number:06d}" for number in rng.choice(persons, len(found))]
    return _ended(found, first + days * _DAY)


def _of_service(rng: np.random.Generator, service: Service, days: int, first: pd.Timestamp) -> pd.DataFrame:
    last = days if service.closed is None else service.closed
    dates = pd.date_range(first + service.opened * _DAY, periods=last - service.opened)
    dates = dates[dates.day_of_week < 5] if service.planned else dates
    weights = np.zeros(24)
    weights[: len(_HOURS[service.planned])] = _HOURS[service.planned]
    counts = rng.poisson(service.per_day * (7 / 5 if service.planned else 1), len(dates))
    hours = rng.choice(24, counts.sum(), p=weights / weights.sum())
    arrival = pd.Series(dates.repeat(counts)) + pd.to_timedelta(hours * 60 + rng.integers(0, 60, len(hours)), unit="m")
    minutes = np.ceil(1440 * service.stay_days * np.exp(0.7 * rng.standard_normal(len(arrival))))
    departure = arrival + pd.to_timedelta(minutes, unit="m")
    rows = pd.DataFrame({"service": service.name, "arrival": arrival, "departure": departure}).sort_values("arrival")
    return rows if service.beds is None else rows[_found_a_bed(rows, service)]


def _found_a_bed(rows: pd.DataFrame, service: Service) -> np.ndarray:
    """Who finds one of the beds of the day free."""
    ends: list[pd.Timestamp] = []
    beds = {False: service.beds or 0, True: service.weekend_beds or service.beds or 0}
    admitted = []
    for arrival, departure in zip(rows["arrival"], rows["departure"], strict=True):
        while ends and ends[0] <= arrival:
            heapq.heappop(ends)
        weekend = arrival.day_of_week >= 5
        admitted.append(len(ends) < beds[weekend])
        if admitted[-1]:
            heapq.heappush(ends, departure)
    return np.array(admitted)


def _ended(rows: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    """What is known at `end`."""
    rows = rows[rows["arrival"] < end]
    return rows.assign(departure=rows["departure"].where(rows["departure"] < end)).reset_index(drop=True)


def with_moves(
    rows: pd.DataFrame, services: Sequence[Service], days: int, seed: int = 2
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`visits` whose patients move, and a row for each stay in a ward: visit, person, ward, admit, depart."""
    rng = np.random.default_rng(seed)
    by_name = {service.name: service for service in services}
    found = []
    columns = (rows[name] for name in ("visit", "person", "service", "arrival"))
    for visit, person, service, admit in zip(*columns, strict=True):
        ward = by_name[service]
        for _ in range(5):
            stay = pd.Timedelta(minutes=int(1 + 1440 * ward.stay_days * np.exp(0.7 * rng.standard_normal())))
            found.append((visit, person, ward.name, admit, admit + stay))
            admit = admit + stay
            name = rng.choice([*ward.next, ""], p=[*ward.next.values(), 1 - sum(ward.next.values())])
            if not name:
                break
            ward = by_name[name]
    stays = pd.DataFrame(found, columns=["visit", "person", "ward", "admit", "depart"])
    departures = stays.groupby("visit")["depart"].max()
    end = FIRST + days * _DAY
    stays = stays[stays["admit"] < end].sort_values("admit", kind="stable", ignore_index=True)
    stays["depart"] = stays["depart"].where(stays["depart"] < end)
    return _ended(rows.assign(departure=rows["visit"].map(departures)), end), stays


@dataclass(frozen=True)
class Habit:
    """How a system writes a table."""

    columns: Mapping[str, str]
    """Column of the table to that of the file, in its order; others are not exported."""
    stamp: str | Callable[[pd.Timestamp], str] = "%Y-%m-%d %H:%M"
    separator: str = ","
    encoding: str = "utf-8"
    none: str = ""
    """What is written where there is no departure yet."""

    def write(self, table: pd.DataFrame, path: Path) -> None:
        """Write `table` to `path`."""
        cells = table[list(self.columns)].copy()
        for name in cells.select_dtypes("datetime"):
            stamp = self.stamp
            written = cells[name].map(stamp, na_action="ignore") if callable(stamp) else cells[name].dt.strftime(stamp)
            cells[name] = written.where(cells[name].notna(), self.none)
        cells.rename(columns=dict(self.columns)).to_csv(
            path, index=False, sep=self.separator, encoding=self.encoding, na_rep=""
        )


NAMES = {"visit": "visit_id", "arrival": "arrival", "departure": "departure", "service": "service"}
STAY_NAMES = {"visit": "visit_id", "ward": "ward", "admit": "in", "depart": "out"}


@dataclass(frozen=True)
class Extract:
    """An extract with its truth."""

    name: str
    what: str
    """Its habits, in words."""
    services: Sequence[Service]
    table: pd.DataFrame
    """The visits that are true."""
    habit: Habit
    written: pd.DataFrame | None = None
    """What is written of them, where that is another table."""
    stays: pd.DataFrame | None = None
    stays_habit: Habit = Habit(STAY_NAMES)
    reads: Mapping[str, str] = field(
        default_factory=lambda: {"patient_id": "visit", **{name: name for name in NAMES if name != "visit"}}
    )
    """Key of patients.columns to column of the written table."""
    patients: Mapping[str, Any] = field(default_factory=dict)
    """What else `patients` has to say."""
    beds: Mapping[str, int] = field(default_factory=dict)
    """Beds by ward, where the records show them."""
    weekend_beds: Mapping[str, int] = field(default_factory=dict)
    wards: Mapping[str, str] | None = None
    """Wards with types, where they are not those of the services."""
    streams: Mapping[str, tuple[str, str]] | None = None
    """Streams with ward and patient type, likewise."""
    days_only: bool = False

    def write(self, home: Path) -> tuple[Path, Path | None]:
        """Write its files into `home`."""
        path = home / "patients.csv"
        self.habit.write(self.table if self.written is None else self.written, path)
        if self.stays is None:
            return path, None
        self.stays_habit.write(self.stays, home / "stays.csv")
        return path, home / "stays.csv"

    @property
    def true_columns(self) -> dict[str, str]:
        return {key: self.habit.columns[name] for key, name in self.reads.items()}

    @property
    def true_wards(self) -> dict[str, str]:
        return dict(self.wards) if self.wards is not None else {one.id: one.type for one in self.services}

    @property
    def true_streams(self) -> dict[str, tuple[str, str]]:
        if self.streams is not None:
            return dict(self.streams)
        return {one.id: (one.id, one.patient_type) for one in self.services}
