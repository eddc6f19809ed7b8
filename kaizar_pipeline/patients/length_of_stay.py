"""Lengths of stay as configured and as the history shows them, side by side.

A stay is the time of care in the ward that was asked for: from the bed given to the end of care, without boarding.
Fitted rows hold the empirical quantiles of *completed* stays. That is biased: stays still open at `as_of` are dropped,
and the longer a stay, the more likely it is open. So fitted lengths are too short, the more so the shorter the history,
and the faster arrivals grow. `n_censored` counts the stays left out.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import Empirical, Fixed, FromData, HospitalConfig, Ward
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.simulation.durations import AnyDuration, distribution, hours_per_unit
from kaizar_pipeline.tables import ALL, ANY, LENGTH_OF_STAY

MIN_STAYS = 20
"""Completed stays that a patient type needs for a row of its own."""

PROBABILITIES = np.linspace(0, 1, 501)
"""Probabilities of `quantile_hours`."""

Row = dict[str, Any]


def lengths_of_stay(patients: pd.DataFrame, ward_stays: pd.DataFrame, config: HospitalConfig) -> pd.DataFrame:
    """The table length_of_stay of `config`: what is configured, and what the stays of `patients` were.

    `in_use` marks the rows that the simulation draws from. Raises DataError for a ward with `los_model: from_data` that
    has no completed stay.
    """
    stays = _stays(patients, ward_stays, config)
    rows: list[Row] = []
    for ward in config.wards:
        rows += _configured(ward)
        rows += _fitted(ward, stays[stays["planned_ward_id"] == ward.id], config)
    as_of = patients["as_of"].iloc[0]
    return LENGTH_OF_STAY.frame(pd.DataFrame(rows), hospital_id=config.id, as_of=as_of)


def _stays(patients: pd.DataFrame, ward_stays: pd.DataFrame, config: HospitalConfig) -> pd.DataFrame:
    """Stays that began, with patient type and hours of care (NaN while open, and where nobody wrote down the end).

    Whole stays of wards with a way on are left out: they hold the time in the next wards too.
    """
    onward = {route.from_ward for route in config.routing if any(option.probability > 0 for option in route.options)}
    began = ward_stays[ward_stays["admit"].notna()]
    began = began[~(began["whole_stay"] & began["planned_ward_id"].isin(onward))]
    stays = began.merge(patients[["patient_id", "patient_type", "departure_known"]], on="patient_id")
    hours = (stays["ready"] - stays["admit"]).dt.total_seconds() / 3600
    return stays.assign(hours=hours.where(stays["departure_known"]))


def _configured(ward: Ward) -> Iterator[Row]:
    if not isinstance(ward.los_model, FromData):
        yield _configured_row(ward, ALL, ANY, ward.los_model)
    for case in ward.los_by:
        yield _configured_row(ward, case.patient_type or ALL, case.next_ward or ANY, case.los_model)


def _configured_row(ward: Ward, patient_type: str, next_ward: str, duration: AnyDuration) -> Row:
    return {
        "ward_id": ward.id,
        "patient_type": patient_type,
        "next_ward_id": next_ward,
        "origin": "configured",
        "in_use": True,
        "n": 0,
        "n_censored": 0,
        **_parameters(duration),
    }


def _parameters(duration: AnyDuration) -> Row:
    """Distribution, its parameters, mean and 90th percentile of a configured duration, in hours."""
    shape = None
    match duration:
        case Fixed(params=params):
            scale = mean = p90 = params.value * hours_per_unit(duration)
        case Empirical(params=params):
            return {"distribution": "empirical", **_empirical(np.array(params.values) * hours_per_unit(duration))}
        case _:
            frozen = distribution(duration)
            shape = frozen.args[0] if frozen.args else None
            scale, mean, p90 = frozen.kwds["scale"], frozen.mean(), frozen.ppf(0.9)
    return {
        "distribution": duration.type,
        "shape": shape,
        "scale_hours": scale,
        "quantile_hours": None,
        "mean_hours": mean,
        "p90_hours": p90,
    }


def _empirical(hours: np.ndarray) -> Row:
    return {
        "shape": None,
        "scale_hours": None,
        "quantile_hours": np.quantile(hours, PROBABILITIES),
        "mean_hours": hours.mean(),
        "p90_hours": np.quantile(hours, 0.9),
    }


def _fitted(ward: Ward, stays: pd.DataFrame, config: HospitalConfig) -> Iterator[Row]:
    """A row for all patients of a ward, and one for every type with enough completed stays."""
    from_data = isinstance(ward.los_model, FromData)
    if stays["hours"].notna().sum() == 0:
        if from_data:
            raise DataError(
                f"hospital {config.id}, ward {ward.id}: los_model is from_data, but not one completed stay of "
                f"{len(stays):,} is known before as_of; give the ward a distribution such as lognormal, or more history"
            )
        return
    completed = stays.groupby("patient_type")["hours"].count()
    own = [name for name in config.patient_type_ids if completed.get(name, 0) >= MIN_STAYS]
    yield _fitted_row(ward, ALL, stays, from_data and len(own) < len(config.patient_types))
    for patient_type in own:
        yield _fitted_row(ward, patient_type, stays[stays["patient_type"] == patient_type], from_data)


def _fitted_row(ward: Ward, patient_type: str, stays: pd.DataFrame, in_use: bool) -> Row:
    hours = stays["hours"].dropna().to_numpy()
    return {
        "ward_id": ward.id,
        "patient_type": patient_type,
        "next_ward_id": ANY,
        "origin": "fitted",
        "in_use": in_use,
        "distribution": "empirical",
        "n": len(hours),
        "n_censored": len(stays) - len(hours),
        **_empirical(hours),
    }
