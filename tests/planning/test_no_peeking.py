"""Replays of a past origin: later data may be anything, and no table of the chain changes by a bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline import HospitalConfig, load_hospital_config, run_chain
from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.history import synthetic

pytestmark = pytest.mark.integration

AS_OF = pd.Timestamp("2026-05-04")
MOVES = {"path": "moves.csv", "columns": {"patient_id": "id", "ward": "ward", "admit": "in", "depart": "out"}}


def as_bytes(tables: dict[str, pd.DataFrame]) -> dict[str, str]:
    """Every table as text that shows the last bit of every number."""
    return {
        name: repr([[cell.tolist() if isinstance(cell, np.ndarray) else cell for cell in frame[c]] for c in frame])
        for name, frame in tables.items()
    }


def config(stamps: str, *, moves: bool) -> HospitalConfig:
    source = {
        "source": "csv",
        "path": "extract.csv",
        "columns": {"patient_id": "id", "arrival": "arrival", "departure": "departure", "service": "unit"},
        "streams": {"acute": "acute", "plan": "planned"},
        "max_reject_share": 0.0,
        "max_age_days": None,
        "max_open_days": 40,
        "pseudonym_key": "test",
    }
    return HospitalConfig.model_validate(
        {
            "id": f"replayed_{stamps}",
            "hospital": {"name": "Replayed", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": source | ({"stays": MOVES} if moves else {}),
            "wards": [
                {"id": "ed", "capacity": 9, "los_model": {"type": "from_data"}},
                {"id": "bed", "capacity": 12, "los_model": {"type": "from_data"}},
            ],
            "patient_types": [{"id": "p"}],
            "arrival_streams": [
                {"id": "acute", "target_ward": "ed", "patient_type": "p", "model": {"type": "ml_poisson"}},
                {"id": "planned", "target_ward": "bed", "patient_type": "p", "model": {"type": "ml_poisson"}},
            ],
            "routing": "from_data" if moves else [],
            "simulation": {"horizon_days": 7, "replications": 10},
        }
    )


def extracts() -> tuple[pd.DataFrame, pd.DataFrame]:
    """200 days of patients and of their moves: an hour or more in the first ward, some in a second."""
    random = np.random.default_rng(3)
    n = 1_200
    arrival = pd.Timestamp("2025-11-01") + pd.to_timedelta(np.sort(random.uniform(0, 200 * 24, n)).round(2), unit="h")
    arrival = arrival.floor("s")
    first = pd.to_timedelta(random.exponential(20, n).round() + 1, unit="h")
    second = pd.to_timedelta(random.exponential(30, n).round() + 1, unit="h")
    unit = random.choice(["acute", "plan"], n)
    goes_on = (unit == "acute") & (random.random(n) < 0.3)
    departure = arrival + first + second * goes_on.astype(int)
    patients = pd.DataFrame({"id": np.arange(n), "arrival": arrival, "departure": departure, "unit": unit})
    ward = np.where(unit == "acute", "ed", "bed")
    stays = pd.DataFrame({"id": np.arange(n), "ward": ward, "in": arrival, "out": arrival + first})
    onward = pd.DataFrame({"id": np.arange(n), "ward": "bed", "in": arrival + first, "out": departure})[goes_on]
    return patients, pd.concat([stays, onward]).sort_values(["id", "in"])


def poisoned(frame: pd.DataFrame, begin: str, end: str, as_of: pd.Timestamp) -> pd.DataFrame:
    """The same up to as_of; what comes later is changed, dropped and added to."""
    later = frame[end] >= as_of
    frame = frame.copy()
    # whoever is still there leaves at another time after it, or never
    frame.loc[later, end] = frame.loc[later, end] + pd.Timedelta(days=9)
    frame.loc[later & (frame["id"] % 3 == 0), end] = pd.NaT
    known = frame[frame[begin] < as_of]
    added = frame[frame[begin] >= as_of].sample(frac=0.3, random_state=1)
    crowd = pd.concat([added.assign(id=added["id"] + 10_000 * copy) for copy in range(5)])
    return pd.concat([known, crowd])


def write(home: Path, name: str, frame: pd.DataFrame, stamps: str) -> None:
    form = "%Y-%m-%d %H:%M:%S" if stamps == "seconds" else "%Y-%m-%d"
    frame.to_csv(home / name, index=False, date_format=form)


FEW: dict[str, Any] = {"backtest_origins": 2, "backtest_replications": 10}

FROM_EXTRACT = [
    *("patient_rejects", "daily_arrivals", "length_of_stay", "arrival_profile", "routes", "starting_census"),
    "occupancy_backtest",
]
"""With those that they are made from: all tables for which an extract is read, and what the others are made from."""


@pytest.mark.parametrize(
    ("stamps", "moves", "tables", "hour"),
    [
        ("seconds", False, FROM_EXTRACT, 0), ("days", False, FROM_EXTRACT, 0), ("seconds", True, None, 0),
        ("seconds", True, [*FROM_EXTRACT, "occupancy_distributions"], 8),
    ],
)  # fmt: skip
def test_the_future_of_an_extract(tmp_path: Path, stamps: str, moves: bool, tables: list[str] | None, hour: int):
    as_of = AS_OF + pd.Timedelta(hours=hour)
    hospital = config(stamps, moves=moves)
    patients, stays = extracts()
    results = []
    for change in (lambda frame, *_: frame, poisoned):
        write(tmp_path, "extract.csv", change(patients, "arrival", "departure", as_of), stamps)
        known = stays if change is not poisoned else stays[stays["in"] < as_of].assign(
            out=lambda rows: rows["out"].mask(rows["out"] >= as_of, rows["out"] + pd.Timedelta(days=9))
        )  # fmt: skip
        write(tmp_path, "moves.csv", known, "seconds")
        results.append(as_bytes(run_chain(hospital, home=tmp_path, as_of=as_of, tables=tables, workers=1, **FEW)))
    assert results[0] == results[1]


def test_the_future_of_a_made_up_hospital(make_home: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    """The truth from AS_OF on is another, and the history is made far beyond it."""
    tiny = load_hospital_config(make_home("tiny") / "hospital_configs" / "tiny.yml")
    before = as_bytes(run_chain(tiny, as_of=AS_OF, workers=1, **FEW))
    true_rates, simulate_history = synthetic.true_rates, synthetic.simulate_history

    def other_future(hospital, stream, dates):
        rates = true_rates(hospital, stream, dates)
        return np.where(dates >= AS_OF, 5 * rates, rates)

    monkeypatch.setattr(synthetic, "true_rates", other_future)
    assert as_bytes(run_chain(tiny, as_of=AS_OF, workers=1, **FEW)) == before
    later = AS_OF + pd.Timedelta(days=30)
    with pytest.raises(SimulationError, match="more is asked for than there are beds"):
        simulate_history(tiny, later)
    crowded = tiny.model_copy(update={"simulation": tiny.simulation.model_copy(update={"overload": "allow"})})
    patients, _ = simulate_history(crowded, later)
    assert (patients["arrival"] >= AS_OF).sum() > 3 * 30 * 6
    assert patients.loc[patients["arrival"] < AS_OF, "patient_id"].isin(
        simulate_history(tiny, AS_OF)[0]["patient_id"]
    ).all()  # fmt: skip


def test_as_of_may_come_from_the_environment(make_home: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    tiny = load_hospital_config(make_home("tiny") / "hospital_configs" / "tiny.yml")
    asked = as_bytes(run_chain(tiny, as_of=AS_OF, tables=["starting_census"]))
    monkeypatch.setenv("KAIZAR_AS_OF", f"{AS_OF:%Y-%m-%d}")
    assert as_bytes(run_chain(tiny, tables=["starting_census"])) == asked
