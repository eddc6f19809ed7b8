"""The stays of a replication with names and times: the boarding story of docs/explanation/simulation.md, by hand."""

from collections.abc import Callable

import pandas as pd
import pytest
from hand_made import MONDAY, Patient, Played

from kaizar_pipeline.simulation.stays_table import stays_table

pytestmark = pytest.mark.unit


def clock(times: pd.Series) -> list[float | None]:
    """Hours since Monday's midnight."""
    return [None if pd.isna(time) else (time - MONDAY) / pd.Timedelta(hours=1) for time in times]


def test_four_patients_who_board_for_one_bed(play: Callable[..., Played]):
    way = [("ed", 1.0), ("ward", 3.0)]
    played = play({"ed": 1, "ward": 1}, [Patient(hour, way) for hour in (1, 2, 3, 4)])
    found = stays_table(played.plan, played.trajectories, played.stays, replication=7)
    assert set(found["replication"]) == {7}
    assert set(found["as_of"]) == {MONDAY}
    assert list(found["patient"]) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert list(found["ward_id"]) == ["ed", "ward"] * 4
    assert list(found["next_ward_id"]) == ["ward", "_home"] * 4
    in_ed, in_ward = (found[found["ward_id"] == ward] for ward in ("ed", "ward"))
    assert clock(in_ed["admit"]) == [1, 2, 5, 8]
    assert clock(in_ed["depart"] - pd.to_timedelta([0, 2, 2, 2], unit="h")) == clock(in_ed["ready"])
    assert clock(in_ward["admit"]) == [2, 5, 8, 11]
    assert set(found["status"]) == {"discharged"}


def test_who_has_no_bed_and_who_is_not_done(play: Callable[..., Played]):
    patients = [
        Patient(0, [("a", 30.0), ("b", 1.0)]),
        Patient(1, [("a", 1.0)], patience=2.0),
        Patient(2, [("a", 1.0)]),
        Patient(3, [("b", 1.0)], kind="high"),
    ]
    stop = {"ward": "a", "threshold": 1.0, "stop_types": ["high"]}
    played = play({"a": 1, "b": 1}, patients, policies={"admission_stop": [stop]})
    found = stays_table(played.plan, played.trajectories, played.stays)
    assert list(found["status"]) == ["in hospital", "left", "in hospital", "diverted"]
    assert list(found["planned_ward_id"]) == ["a", "a", "a", "b"]
    assert found["ward_id"].isna().tolist() == [False, True, True, True]
    assert clock(found["admit"]) == [0, None, None, None]
    assert clock(found["depart"]) == [None, 3, None, 3]
    assert found["next_ward_id"].isna().all()
