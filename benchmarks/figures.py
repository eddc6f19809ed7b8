"""The figures that were measured, with their dates and commands: docs/reference/figures.json.

Benchmarks write theirs with `--write`; docs/evidence.md is made of them (`evidence.py`).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

HOME = Path(__file__).parents[1]
STORE = HOME / "docs" / "reference" / "figures.json"

AIMS = {
    "simpy_over_compiled": "at least 120",
    "ciw_over_compiled": "at least 450",
    "compiled_over_c": "at most 1.2",
    "fused_over_simulate": "at most 2.2",
    "with_clocks_over_without": "at most 1.2",
    "with_flows_over_without": "at most 1.05",
    "speedup_2_threads": "at least 1.8",
    "memory_growth": "at most 1.1",
    "hospital_1_seconds": "at most 2",
    "rows_1e7_seconds": "at most 25",
    "rows_1e7_gb": "at most 3",
    "hospital_1_seconds_page": "at most 3",
    "hospital_1_kilobytes_page": "at most 150",
    "theory_largest": "at most 4",
    "published_largest": "at most 4",
    "clock_rmse": "at most 1.5",
    "clock_cover80_min": "0.75 to 0.87",
    "clock_cover80_max": "0.75 to 0.87",
    "intraday_cover80_min": "0.75 to 0.87",
    "intraday_cover80_max": "0.75 to 0.87",
    "intraday_crps_8": "at most 0.97",
    "intraday_crps_12": "at most 0.88",
    "intraday_crps_18": "at most 0.62",
    "discharges_cover80": "0.75 to 0.87",
    "arrivals_cover80": "0.75 to 0.87",
    "icu_census_ratio": "0.97 to 1.03",
    "icu_clocks_right": "at least 1",
    "routes_icu_mean_ratio": "0.93 to 1.07",
    "new_service_rate": "17 to 23",
    "brier_skill_1_3": "at least 0.15",
    "brier_skill_4_7": "at least 0.05",
    "brier_reliability_p_1_3": "at least 0.01",
    "brier_reliability_p_4_7": "at least 0.01",
    "ssu_crps_over_weekday": "at most 1.0",
    "ssu_days_above_enough": "0.05 to 0.15",
    "ssu_weekdays_above_enough": "0.05 to 0.15",
    "sepsis_loglik_gain": "at least 0.5",
    "census_coverage80": "0.75 to 0.87",
    "drafted_hospital_2_crps": "at most 1.03",
    "drafted_hospital_2_crps_worst": "at most 1.03",
    "drafted_ssu_crps": "at most 1.03",
}
"""What was wanted of figures."""


@dataclass(frozen=True)
class Measured:
    """A figure as it was measured: one value, or those of several runs."""

    values: tuple[float, ...]
    date: str
    command: str

    def __format__(self, spec: str) -> str:
        """The value; from the lowest to the highest where they differ in print."""
        ends = dict.fromkeys(format(value, spec) for value in (min(self.values), max(self.values)))
        return " to ".join(ends)


def load(path: Path = STORE) -> dict[str, Measured]:
    """All figures by name."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {key: Measured(tuple(row["values"]), row["date"], row["command"]) for key, row in stored.items()}


def keep(figures: Mapping[str, float | None], command: str, path: Path = STORE) -> None:
    """Store figures measured today by `command` in place of their former values; those that are None were left out."""
    stored = load(path) if path.exists() else {}
    today = date.today().isoformat()
    new = {key: Measured((round(value, 4),), today, command) for key, value in figures.items() if value is not None}
    rows = (
        f"{json.dumps(key)}: {json.dumps({'values': row.values, 'date': row.date, 'command': row.command})}"
        for key, row in sorted((stored | new).items())
    )
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


def met(value: float, aim: str) -> bool:
    """Whether a value is as wanted; an `aim` is "at most 2", "at least 2" or "1 to 2".

    Raises:
        ValueError: an aim of another form.
    """
    found = re.fullmatch(r"(?:(?P<low>[\d.]+) to|at least|at most) (?P<limit>[\d.]+)", aim)
    if found is None:
        raise ValueError(f"found {aim!r}, allowed: at most 2, at least 2, 1 to 2")
    limit = float(found["limit"])
    if aim.startswith("at least"):
        return value >= limit
    return float(found["low"] or "-inf") <= value <= limit
