"""Makes patients.csv: two years of requests at a synthetic hospital, as an extract with dates only and nine errors.

Every person in it is synthetic. The same seed gives the same file, byte for byte, with any Python from 3.11 on:

    python data/raw/hospital_2/make_extract.py --seed 2
"""

import argparse
import csv
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from math import cos, exp, log, pi, sqrt
from pathlib import Path
from random import Random

FIRST_DAY, LAST_DAY = date(2024, 11, 1), date(2026, 10, 31)
HEADER = ("patient_id", "name", "age", "arrival_date", "departure_date", "service", "satisfaction")
FIRST_NAMES = [
    "Ada", "Bo", "Cleo", "Dario", "Elif", "Finn", "Greta", "Hugo", "Ines", "Jonas", "Kira",
    "Liam", "Mara", "Nils", "Olga", "Pia", "Rik", "Sana", "Tom", "Uma",
]  # fmt: skip
LAST_NAMES = [
    "Alder", "Birch", "Cedar", "Dogwood", "Elder", "Fir", "Gorse", "Hazel", "Ivy",
    "Juniper", "Larch", "Maple", "Oak", "Pine", "Rowan", "Spruce",
]  # fmt: skip


@dataclass(frozen=True)
class Service:
    """A service: how many patients arrive, when, and how long they stay."""

    name: str
    per_day: float
    weekday: tuple[float, ...]
    """Factors Monday to Sunday."""
    winter: float
    """Relative height of the yearly wave, which peaks in mid January."""
    los_days: float
    los_sd_days: float


SERVICES = (
    Service("emergency", 10.5, (1.12, 1.03, 0.98, 0.97, 1.00, 0.95, 0.95), 0.08, 1.5, 1.2),
    Service("surgery", 6.0, (1.50, 1.45, 1.35, 1.25, 0.95, 0.20, 0.30), 0.03, 4.2, 3.5),
    Service("general_medicine", 6.5, (1.15, 1.10, 1.08, 1.05, 1.02, 0.80, 0.80), 0.15, 6.0, 5.5),
    Service("ICU", 1.8, (1.10, 1.10, 1.05, 1.05, 1.05, 0.85, 0.80), 0.10, 3.6, 4.0),
)
DAILY_CV = 0.15
"""Coefficient of variation of the random factor of each day, on top of Poisson noise."""


def main() -> None:
    """Write patients.csv beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=2, help="seed of every random number (default: 2)")
    rows = with_errors(requests(Random(parser.parse_args().seed)))
    with (Path(__file__).parent / "patients.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows)


def requests(random: Random) -> list[list[str]]:
    """One row per request, in order of arrival."""
    rows = []
    day = FIRST_DAY
    while day <= LAST_DAY:
        factor = random.gammavariate(DAILY_CV**-2, DAILY_CV**2)
        today = [service for service in SERVICES for _ in range(poisson(random, factor * rate(service, day)))]
        random.shuffle(today)
        rows += [request(random, number, day, service) for number, service in enumerate(today, start=len(rows) + 1)]
        day += timedelta(days=1)
    return rows


def rate(service: Service, day: date) -> float:
    """Expected requests on a day."""
    wave = 1 + service.winter * cos(2 * pi * (day.timetuple().tm_yday - 15) / 365.25)
    return service.per_day * service.weekday[day.weekday()] * wave


def poisson(random: Random, mean: float) -> int:
    """A Poisson number: how many exponential gaps fit into `mean`."""
    count, time_used = 0, random.expovariate(1)
    while time_used < mean:
        count, time_used = count + 1, time_used + random.expovariate(1)
    return count


def request(random: Random, number: int, day: date, service: Service) -> list[str]:
    """One row; a departure after the last day is not known yet."""
    variance = log(1 + (service.los_sd_days / service.los_days) ** 2)
    los = service.los_days * exp(-variance / 2 + sqrt(variance) * random.gauss(0, 1))
    arrival = datetime.combine(day, time()) + timedelta(hours=random.triangular(0, 24, 13))
    departure = (arrival + timedelta(days=los)).date()
    return [
        f"P{number:06d}",
        f"{random.choice(FIRST_NAMES)} {random.choice(LAST_NAMES)}",
        str(min(99, int(random.triangular(0, 100, 68)))),
        day.isoformat(),
        departure.isoformat() if departure <= LAST_DAY else "",
        service.name,
        str(min(100, max(0, round(random.gauss(76, 12))))),
    ]


def with_errors(rows: list[list[str]]) -> list[list[str]]:
    """The rows with errors as real extracts have them: each is to be rejected with a reason."""
    rows[1200][4] = "2024-11-30"  # departs before arrival
    rows[5600][4] = rows[5600][3].replace("2025", "2024")  # a mistyped year
    rows[3100][0] = rows[3099][0]  # the same number twice
    rows[9000][0] = rows[8000][0]
    rows[7200][5] = "day_care"  # a service that is not mapped
    rows[11000][5] = ""
    rows[2500][3] = "2025-02-30"  # no such day
    rows[14000][3] = "31-12-26"
    rows[12500][4] = "unknown"
    return rows


if __name__ == "__main__":
    main()
