"""Tables of a report made by hand: what is not given is null, 0, or the hospital's."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.scenario import BASELINE
from kaizar_pipeline.reporting.numbers import Cells
from kaizar_pipeline.tables import TABLES

AS_OF = pd.Timestamp("2026-11-28 08:00")
FILLED = {"VARCHAR": "", "DOUBLE": 0.0, "INTEGER": 0, "BOOLEAN": False, "DATE": AS_OF.normalize()}
HIDDEN = frozenset[tuple[str, str, tuple[Any, ...]]]


def made(name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as a frame of the table `name`."""
    given = rows.assign(hospital_id="h", run_id="r", as_of=AS_OF)
    if "scenario" not in given:
        given["scenario"] = BASELINE
    for column in TABLES[name].columns:
        if column.name not in given:
            given[column.name] = None if column.nullable else FILLED.get(column.type, AS_OF)
    return TABLES[name].conform(given[TABLES[name].column_names])


def cells(frames: Mapping[str, pd.DataFrame], hidden: HIDDEN = frozenset()) -> Cells:
    """Cells of these rows by table."""
    return Cells({name: made(name, rows) for name, rows in frames.items()}, TABLES, hidden)


def peaks_of(values: Mapping[pd.Timestamp, list[int]], ward: str) -> pd.DataFrame:
    """daily_peaks of these peaks of each day, one of each replication."""
    rows = []
    for date, peaks in values.items():
        beds, times = np.unique(peaks, return_counts=True)
        rows.append(
            pd.DataFrame(
                {"ward_id": ward, "date": date, "run_kind": "actual", "peak_beds": beds, "replications": times}
            )
        )
    return pd.concat(rows)


def quantile(values: list[int], probability: float) -> int:
    """The fewest of the values that are not exceeded with this probability."""
    return sorted(values)[int(np.ceil(probability * len(values) - 1e-9)) - 1]


def a_ward(
    peaks: list[list[int]], past: list[int], beds: int | None, ward: str = "icu", chance: float = 0.2
) -> dict[str, pd.DataFrame]:
    """The tables of a ward's fan: the peaks of each day ahead by replication, those of the days before, its beds."""
    today = AS_OF.normalize()
    ahead = {today + pd.Timedelta(days=day): values for day, values in enumerate(peaks)}
    frame = pd.DataFrame({"ward_id": ward, "date": list(ahead), "kind": "ward", "staffed_fewest": beds})
    frame["staffed_most"], frame["prob_full_day"] = beds, None if beds is None else chance
    for q in (10, 50, 90):
        frame[f"peak_p{q}"] = [quantile(values, q / 100) for values in peaks]
    frame["midnight_p50"] = [None, *frame["peak_p50"][1:]]
    frame["prob_full_day_se"] = None if beds is None else 0.01
    before = pd.DataFrame({"ward_id": ward, "peak": past, "midnight_census": past, "staffed_beds": beds})
    before["date"] = [today - pd.Timedelta(days=len(past) - day) for day in range(len(past))]
    before["hours_full"] = None if beds is None else (before["peak"] >= beds).astype(int)
    tables = {"ward_days": frame, "daily_peaks": peaks_of(ahead, ward)}
    tables["ward_now"] = pd.DataFrame({"ward_id": [ward], "in_beds": [past[-1] if past else peaks[0][0]]})
    return tables | ({"ward_history_days": before} if past else {})


def a_week(ward: str, mean: np.ndarray, spread: int = 1, staffed: int | None = None) -> dict[str, pd.DataFrame]:
    """The profile of a ward by its means over 168 hours, and the hours of three weeks with these beds."""
    profile = pd.DataFrame({"ward_id": ward, "weekday": np.arange(168) // 24, "hour": np.arange(168) % 24})
    profile["mean"], profile["p10"] = mean, np.maximum(np.floor(mean) - spread, 0).astype(int)
    profile["p90"], profile["weeks"] = np.ceil(mean).astype(int) + spread, 2
    hours = pd.DataFrame({"at": pd.date_range(AS_OF, periods=504, freq="h"), "ward_id": ward, "staffed_beds": staffed})
    return {"week_profile": profile, "occupancy_distributions": hours}


def a_risk(ward: str, covered: list[float], staffed: int | None, enough: int | None) -> dict[str, pd.DataFrame]:
    """The curve of a ward: the share of days that 0, 1, 2 ... beds cover."""
    rows = pd.DataFrame(
        {"ward_id": ward, "risk_event": "day", "beds": np.arange(len(covered)), "covered_share": covered}
    )
    rows["staffed_beds"], rows["enough_beds"], rows["risk_target"] = staffed, enough, 0.1
    rows["enough_low"], rows["enough_high"] = enough, None if enough is None else enough + 1
    return {"bed_requirements": rows}


def some_flows(ward: str, moves: Sequence[Sequence[int]], days_back: int) -> dict[str, pd.DataFrame]:
    """Arrivals, transfers in, transfers out and discharges of each day, the first `days_back` of them observed."""
    names = ("arrivals", "transfers_in", "transfers_out", "discharges", "net")
    first = AS_OF.normalize() - pd.Timedelta(days=days_back)
    rows = [
        {"ward_id": ward, "date": first + pd.Timedelta(days=day), "flow": flow, "urgency": "_all", "mean": value}
        for day, counts in enumerate(moves)
        for flow, value in zip(names, (*counts, counts[0] + counts[1] - counts[2] - counts[3]), strict=True)
    ]
    every = pd.DataFrame(rows)
    past, ahead = every[every["date"] < AS_OF.normalize()], every[every["date"] >= AS_OF.normalize()]
    ahead = ahead.assign(
        window="day",
        begins=ahead["date"].where(ahead["date"] > AS_OF, AS_OF),
        ends=ahead["date"],
        p10=ahead["mean"] - 1,
    )
    past = past.rename(columns={"mean": "count"})
    return {"ward_flows": ahead.assign(p90=ahead["mean"] + 1)} | ({"observed_flows": past} if days_back else {})
