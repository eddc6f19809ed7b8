"""Small hospitals and patients with given times: what stories and random hospitals are both built of."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.simulation.clocks import DISCHARGE, TRANSFER
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.plan import Plan, make_plan
from kaizar_pipeline.simulation.trajectories import Stays, Trajectories

MONDAY = pd.Timestamp("2026-01-05")
TYPES = ["low", "high"]


@dataclass(frozen=True)
class Patient:
    """A patient: arrival, then (ward, hours) for each stay. `seat` and `requested` are for those of the census."""

    arrival: float
    stays: list[tuple[str, float]]
    kind: str = "low"
    patience: float = inf
    delay: float = 0.0
    seat: str | None = None
    requested: float = 0.0
    census: bool = False


@dataclass(frozen=True)
class Played:
    """What happened to the patients: lists by patient of lists by stay, times in hours."""

    plan: Plan
    trajectories: Trajectories
    stays: Stays

    def by_patient(self, values: np.ndarray) -> list[list[Any]]:
        return [part.tolist() for part in np.split(values, self.trajectories.offset[1:-1])]

    @property
    def admit(self) -> list[list[float]]:
        return [[round(time, 9) for time in times] for times in self.by_patient(self.stays.admit)]

    @property
    def depart(self) -> list[list[float]]:
        return [[round(time, 9) for time in times] for times in self.by_patient(self.stays.depart)]

    @property
    def used(self) -> list[list[str | None]]:
        names = [*self.plan.ward_ids, None]
        return [[names[ward] for ward in wards] for wards in self.by_patient(self.stays.used_ward)]

    @property
    def status(self) -> list[int]:
        return self.stays.status.tolist()


def make_config(wards: Mapping[str, int | dict[str, Any] | None], **parts: Any) -> HospitalConfig:
    """A hospital of these wards (beds, or a whole ward), two patient types, and one constant stream to the first
    ward. Patients are placed by hand, so a rule may be about any type in any ward."""
    ward_list: list[dict[str, Any]] = [
        {"id": name, "los_model": {"type": "exponential", "params": {"mean": 1}}}
        | (ward if isinstance(ward, dict) else {"capacity": ward})
        for name, ward in wards.items()
    ]
    types = parts.get("patient_types") or [{"id": name, "priority": rank} for rank, name in enumerate(TYPES)]
    streams = parts.pop("arrival_streams", None) or [_stream("s", ward_list[0]["id"], "low")]
    everywhere = [_stream(f"{kind['id']}.{ward['id']}", ward["id"], kind["id"]) for kind in types for ward in ward_list]
    config = HospitalConfig.model_validate(
        {
            "id": "tiny",
            "hospital": {"name": "Tiny", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {"source": "synthetic", "history_start": "2025-01-01"},
            "wards": ward_list,
            "patient_types": types,
            "arrival_streams": [*streams, *everywhere],
        }
        | parts
    )
    return config.model_copy(update={"arrival_streams": config.arrival_streams[: len(streams)]})


def _stream(name: str, ward: str, kind: str) -> dict[str, Any]:
    return {
        "id": name,
        "target_ward": ward,
        "patient_type": kind,
        "model": {"type": "constant", "mean_per_day": 1},
    }


def make_small_plan(config: HospitalConfig, days: int, begun: int = 0) -> Plan:
    """The plan of a hospital of `make_config` for `days` dates from a Monday, of which so many hours are over."""
    start = MONDAY + pd.Timedelta(hours=begun)
    return make_plan(config, {"s": np.ones((1, days))}, Horizon(start, days), key=1)


def trajectories_of(plan: Plan, patients: list[Patient]) -> Trajectories:
    """The trajectories of these patients; those of the census come first and in the order given."""
    wards = {name: index for index, name in enumerate(plan.ward_ids)} | {None: -1}
    census = [patient for patient in patients if patient.census]
    stays = [stay for patient in patients for stay in patient.stays]
    kinds = np.array([plan.patient_type_ids.index(patient.kind) for patient in patients], dtype=np.int32)
    lengths = [len(patient.stays) for patient in patients]
    offset = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    planned = np.array([wards[ward] for ward, _ in stays], dtype=np.int32)
    delay = np.zeros(len(stays))
    delay[offset[1:] - 1] = [patient.delay for patient in patients]
    way = np.full(len(stays), TRANSFER)
    way[offset[1:] - 1] = DISCHARGE
    return Trajectories(
        n_census=len(census),
        seat=np.array([wards[patient.seat] for patient in census], dtype=np.int32),
        admitted=np.array([inf if patient.seat is None else -1.0 for patient in census]),
        requested=np.array([patient.requested for patient in census]),
        arrival=np.array([patient.arrival for patient in patients], dtype=np.float64),
        patient_type=kinds,
        stream=np.zeros(len(patients), dtype=np.int32),
        number=np.arange(len(patients), dtype=np.uint32),
        patience=np.array([patient.patience for patient in patients]),
        offset=offset,
        planned_ward=planned,
        priority=plan.queue_rank[planned, np.repeat(kinds, lengths)],
        los=np.array([hours for _, hours in stays], dtype=np.float64),
        delay=delay,
        clock=plan.clocks.of[planned, way].astype(np.int32),
        operational=np.cumsum(np.pad(plan.clocks.weights, ((0, 0), (1, 0))), axis=1),
    )
