"""A tiny hospital with all of its tables, made once per process, for tests of what a report shows."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from kaizar_pipeline import HospitalConfig, load_hospital_config, run_chain

AS_OF = pd.Timestamp("2026-03-02")

HOSPITAL = """\
hospital: {name: '=HYPERLINK("x") <b>Zoë & Söhne</b> بيت', timezone: Europe/Amsterdam, country: NL}
patients:
  source: synthetic
  history_start: 2026-01-01
  truth: {streams: {acute: {mean_per_day: 6, overdispersion: 0.02}}}
wards:
  - {id: ed, type: ED, capacity: 4, los_model: {type: exponential, params: {mean: 4}}}
  - id: ward
    name: '@Müller "Süd" <&>'
    capacity: 7
    los_model: {type: lognormal, unit: days, params: {mean: 2, sd: 2}}
groups: {both: [ed, ward]}
levels: [{name: busy, share: 0.8}]
patient_types: [{id: patient}]
arrival_streams:
  - {id: acute, target_ward: ed, patient_type: patient, model: {type: ml_poisson}}
  - {id: planned, target_ward: ward, patient_type: patient, model: {type: schedule, pattern: Mon, mean_per_day: 1.5}}
routing: [{from_ward: ed, options: [{to_ward: ward, probability: 0.4}]}]
simulation: {horizon_days: 7, replications: 10}
"""


@cache
def tiny_report() -> tuple[HospitalConfig, Mapping[str, pd.DataFrame]]:
    """The hospital and its tables; nobody changes them."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "hospital_configs" / "tiny.yml"
        file.parent.mkdir()
        file.write_text(HOSPITAL, encoding="utf-8")
        config = load_hospital_config(file)
        return config, run_chain(config, home=Path(folder), as_of=f"{AS_OF:%Y-%m-%d}")


def hiding(config: HospitalConfig, below: int) -> HospitalConfig:
    """The hospital with small numbers hidden."""
    return config.model_copy(update={"report": config.report.model_copy(update={"suppress_below": below})})
