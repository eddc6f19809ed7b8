"""Wards with given chances of being full, as the tables that the page's sentences are made from."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.planning.bed_meeting import ward_outlook
from kaizar_pipeline.reporting.numbers import Cells
from kaizar_pipeline.tables import HOSPITAL_TOTAL, TABLES, Table

SUNDAY = pd.Timestamp("2026-03-01")


@dataclass(frozen=True)
class Told:
    """A ward or the hospital: chances by day from today on (null: beds without limit), beds and patients now."""

    chances: tuple[float, ...]
    staffed: int | None = 10
    in_beds: int = 5
    enough: int | None = 10
    waiting: int = 0
    fewest: Mapping[int, int] | None = None
    """Fewer staffed beds, by day from today."""
    hours_full: float = 0.1
    driver: str = "routing"

    @property
    def full_now(self) -> bool | None:
        return None if self.staffed is None else self.in_beds >= self.staffed


def hospital_of(wards: Mapping[str, Told], name: str = "North") -> HospitalConfig:
    stay = {"type": "exponential", "params": {"mean": 24}}
    return HospitalConfig.model_validate(
        {
            "id": "north",
            "hospital": {"name": name, "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {"source": "synthetic", "history_start": "2025-01-01"},
            "wards": [{"id": ward, "capacity": told.staffed, "los_model": stay} for ward, told in wards.items()],
            "patient_types": [{"id": "patient"}],
            "arrival_streams": [
                {
                    "id": "acute",
                    "target_ward": next(iter(wards)),
                    "patient_type": "patient",
                    "model": {"type": "constant", "mean_per_day": 1},
                }
            ],
        }
    )


def told_cells(wards: Mapping[str, Told], hospital: Told, hour: int = 0) -> tuple[Cells, HospitalConfig]:
    """The tables bed_meeting, ward_days and ward_outlook as of a Sunday at this hour."""
    config = hospital_of(wards)
    rows = {**wards, HOSPITAL_TOTAL: hospital}
    as_of = SUNDAY + pd.Timedelta(hours=hour)
    days = pd.concat([_days(ward, told, hour) for ward, told in rows.items()])
    frames = {"ward_days": filled("ward_days", days, as_of)}
    weeks = [
        {
            "ward_id": ward,
            "week": 1,
            "full_days": sum(told.chances) if told.staffed else None,
            "share_of_hours_full": told.hours_full,
        }
        for ward, told in rows.items()
    ]
    required = [
        {
            "ward_id": ward,
            "risk_target": 0.1,
            "enough_beds": told.enough,
            "staffed_beds": told.staffed and min([told.staffed, *(told.fewest or {}).values()]),
        }
        for ward, told in rows.items()
    ]
    drivers = [{"ward_id": ward, "date": SUNDAY, "driver": told.driver, "variance": 1.0} for ward, told in rows.items()]
    outlook = ward_outlook(
        config,
        frames["ward_days"],
        pd.DataFrame(weeks),
        pd.DataFrame(required).astype({"enough_beds": "Int64", "staffed_beds": "Int64"}),
        pd.DataFrame(drivers),
    )
    meeting = pd.DataFrame(
        [
            {
                "ward_id": ward,
                "window": window,
                "kind": "hospital" if ward == HOSPITAL_TOTAL else "ward",
                "ends": SUNDAY + pd.Timedelta(days=1, hours=hour if window == "next_24_hours" else 0),
                "staffed_beds": told.staffed,
                "in_beds": told.in_beds,
                "free_now": None if told.staffed is None else told.staffed - told.in_beds,
                "waiting": told.waiting,
            }
            for ward, told in rows.items()
            for window in ("next_24_hours", "until_next_snapshot")
        ]
    )
    frames["ward_outlook"], frames["bed_meeting"] = outlook, filled("bed_meeting", meeting, as_of)
    return Cells(frames, TABLES), config


def _days(ward: str, told: Told, hour: int) -> pd.DataFrame:
    days = [
        {
            "scenario": "baseline",
            "ward_id": ward,
            "date": SUNDAY + pd.Timedelta(days=day),
            "kind": "hospital" if ward == HOSPITAL_TOTAL else "ward",
            "hours": 24 - hour if day == 0 else 24,
            "staffed_fewest": (told.fewest or {}).get(day, told.staffed),
            "staffed_most": told.staffed,
            "full_now": told.full_now,
            "prob_full_day": chance if told.staffed is not None else None,
            "prob_full_day_se": 0.01 if told.staffed is not None else None,
            "share_of_hours_full": told.hours_full if told.staffed is not None else None,
        }
        for day, chance in enumerate(told.chances)
    ]
    return pd.DataFrame(days)


def filled(table: str, frame: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The frame with the columns that it lacks: null, or 0 where they may not be null."""
    schema: Table = TABLES[table]
    lacking = {column.name: None if column.nullable else 0 for column in schema.columns if column.name not in frame}
    return schema.frame(frame.assign(**{**lacking, "hospital_id": "north", "as_of": as_of}).drop(columns="run_id"))
