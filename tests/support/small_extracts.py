"""Small hospitals around an extract in a temporary folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.patients.records import Records, open_records

TODAY = pd.Timestamp("2024-06-30")

Hospital = Callable[..., HospitalConfig]
Read = Callable[..., Records]


def make_hospital(
    *, los_model: dict | None = None, ward: dict | None = None, routing: Any = (), **patients: Any
) -> HospitalConfig:
    """A hospital with two wards (ed, bed), two streams and the extract extract.csv; `patients` overrides its keys."""
    los = los_model or {"type": "exponential", "unit": "days", "params": {"mean": 2.0}}
    source = {
        "source": "csv",
        "path": "extract.csv",
        "columns": {"patient_id": "id", "arrival": "came", "departure": "went", "service": "unit"},
        "streams": {"acute": "emergency", "plan": "elective"},
        "max_reject_share": 1.0,
        "pseudonym_key": "test",
    } | patients
    return HospitalConfig.model_validate(
        {
            "id": "small",
            "hospital": {"name": "Small", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {key: value for key, value in source.items() if value is not None},
            "wards": (
                {"id": "ed", "capacity": 10, "los_model": los} | (ward or {}),
                {"id": "bed", "capacity": 20, "los_model": {"type": "fixed", "unit": "days", "params": {"value": 3.0}}},
            ),
            "patient_types": ({"id": "acute"}, {"id": "planned"}),
            "arrival_streams": (
                {"id": "emergency", "target_ward": "ed", "patient_type": "acute", "model": {"type": "ml_poisson"}},
                {"id": "elective", "target_ward": "bed", "patient_type": "planned", "model": {"type": "ml_poisson"}},
            ),
            "routing": routing,
            "simulation": {"start": "empty" if source.get("missing_departure") == "unknown" else "census"},
        }
    )


def read_records(config: HospitalConfig, home: Path, today: pd.Timestamp, as_of: pd.Timestamp | None = None) -> Records:
    """What the extract of `config` knows at one as_of."""
    with open_records(config, home, today) as records_at:
        return records_at(as_of)


@pytest.fixture
def hospital() -> Hospital:
    return make_hospital


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write `text` as the extract of `make_hospital(**patients)` and read it; dates are `as_of` and `today`."""

    def read(text: str, *, as_of: str | None = None, today: pd.Timestamp = TODAY, **patients: Any) -> Records:
        (tmp_path / "extract.csv").write_text(text, encoding="utf-8")
        asked = None if as_of is None else pd.Timestamp(as_of).as_unit("us")
        return read_records(make_hospital(**patients), tmp_path, today, asked)

    return read
