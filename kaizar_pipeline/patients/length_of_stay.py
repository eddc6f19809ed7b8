"""Lengths of stay as configured and as observed in the history.

A stay is the time of care in the requested ward: from the bed given to the end of care, without boarding.
Stays open at `as_of` are censored; those that ended at an unknown time are left out. How rows are fitted: los_fit.py
and docs/length_of_stay.md.
"""

from collections.abc import Iterable, Iterator
from math import log
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import weekly_profile
from kaizar_pipeline.config.distributions import Distribution, FromData
from kaizar_pipeline.config.hospital import HospitalConfig, Ward
from kaizar_pipeline.config.rules import stays_of
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.los_fit import Fit, fit_stays
from kaizar_pipeline.patients.survival import Dates, Stays, destination_shares, known_within
from kaizar_pipeline.tables import ALL, ANY, HOME, LENGTH_OF_STAY

MIN_STAYS = 5
"""Completed stays that a patient type, or a next ward of one, needs for a row of its own."""

BLOCK_DAYS = 28
"""Days of admission that make one block in the estimate of drift."""

DIFFERENCE = 0.2
"""Share by which configured and observed mean may differ without a warning."""

DIFFERENCE_STAYS = 20
"""Completed stays needed to compare a configured mean with."""

Row = dict[str, Any]


def lengths_of_stay(
    patients: pd.DataFrame, ward_stays: pd.DataFrame, config: HospitalConfig, *, fit_all: bool = True
) -> pd.DataFrame:
    """The table length_of_stay of `config`: configured distributions, and fits of the stays of `patients`.

    `in_use` marks what the simulation draws from: configured distributions, and the fitted rows of wards with
    `los_model: from_data`. Without `fit_all` only these wards are fitted, which is all a simulation needs. Raises
    DataError for such a ward that has no completed stay.
    """
    began = _began(patients, ward_stays)
    rows: list[Row] = []
    for ward in config.wards:
        rows += _configured(ward)
        if (stream := stays_of(ward)) is not None:
            rows += _fitted_of_stream(ward, began[began["whole_stay"] & (began["stream_id"] == stream)], config)
        elif fit_all or isinstance(ward.los_model, FromData):
            rows += _fitted(ward, _of_ward(began, ward, config), config)
    as_of = patients["as_of"].iloc[0]
    return LENGTH_OF_STAY.frame(pd.DataFrame(rows), hospital_id=config.id, as_of=as_of)


def enough_stays(lengths: pd.DataFrame) -> pd.Series:
    """The rows with enough completed stays to be compared with those configured."""
    return (lengths["origin"] == "fitted") & (lengths["n"] >= DIFFERENCE_STAYS) & (lengths["mean_hours"] > 0)


def differences(lengths: pd.DataFrame) -> list[str]:
    """Where the configured mean is off the observed one by more than 20 % and by more than chance and drift explain.

    A fitted row is compared with the configured row that holds for all its patients; of several fitted rows under one
    configured row the widest are taken. At least 20 completed stays are needed, and a difference of two `scale_sd`.
    """
    found = []
    enough = enough_stays(lengths)
    for ward_id, rows in lengths.groupby("ward_id", sort=False):
        configured = _by_group(rows[rows["origin"] == "configured"])
        compared: dict[tuple[str, str], int] = {}
        for group, row in sorted(_by_group(rows[enough[rows.index]]).items(), key=lambda item: -_width(item[0])):
            key = _holds_for_all(configured, group)
            if key is None or compared.setdefault(key, _width(group)) != _width(group):
                continue
            mean, observed = configured[key]["mean_hours"], row["mean_hours"]
            beyond_chance = mean == 0 or abs(log(mean / observed)) > 2 * row["scale_sd"]
            if abs(mean / observed - 1) > DIFFERENCE and beyond_chance:
                found.append(
                    f"ward {ward_id}, patient type {group[0]}, next ward {group[1]}: configured mean {mean:.1f} h, "
                    f"observed {observed:.1f} h in {row['n']:,} completed stays"
                )
    return found


def _by_group(rows: pd.DataFrame) -> dict[tuple[str, str], Row]:
    groups = zip(rows["patient_type"], rows["next_ward_id"], strict=True)
    return {group: dict(row) for group, (_, row) in zip(groups, rows.iterrows(), strict=True)}


def _width(group: tuple[str, str]) -> int:
    """How many stays a row of that patient type and next ward covers: the opposite of `LosCase.specificity`."""
    return 2 * (group[0] == ALL) + (group[1] == ANY)


def _holds_for_all(configured: Iterable[tuple[str, str]], group: tuple[str, str]) -> tuple[str, str] | None:
    """The configured row that the simulation takes for all of `group`; None where it takes several, or none."""

    def meets(key: tuple[str, str]) -> bool:
        return (key[0] == group[0] or ALL in (key[0], group[0])) and (key[1] == group[1] or ANY in (key[1], group[1]))

    rows = [key for key in configured if meets(key)]
    of_some = any(group[0] == ALL != key[0] or group[1] == ANY != key[1] for key in rows)
    return None if of_some or not rows else min(rows, key=_width)


def _began(patients: pd.DataFrame, ward_stays: pd.DataFrame) -> pd.DataFrame:
    """Admitted stays of whose length something is known, with stream, patient type and time resolution.

    Stays without an end of patients whose departure is unknown are left out.
    """
    began = ward_stays[ward_stays["admit"].notna()]
    columns = ["patient_id", "stream_id", "patient_type", "departure_known", "resolution"]
    stays = began.merge(patients[columns], on="patient_id").assign(as_of=patients["as_of"].iloc[0])
    return stays[stays["ready"].notna() | stays["departure_known"]]


def _of_ward(began: pd.DataFrame, ward: Ward, config: HospitalConfig) -> pd.DataFrame:
    """The stays of a ward, without whole stays where routes lead onward: they include the time in the next wards."""
    own = began["planned_ward_id"] == ward.id
    return began[own & ~began["whole_stay"]] if ward.id in config.wards_with_routes else began[own]


def _known(stays: pd.DataFrame, config: HospitalConfig) -> Stays:
    """What is known of each length, from the columns of `_began`: of stamps of days the number of nights."""
    complete = stays["ready"].notna().to_numpy()
    end = stays["ready"].fillna(stays["as_of"])
    hours = ((end - stays["admit"]).dt.total_seconds() / 3600).to_numpy()
    low, high = known_within(hours)
    low, high = np.where(complete, low, hours), np.where(complete, high, np.inf)
    block = ((stays["as_of"] - stays["admit"]).dt.days // BLOCK_DAYS).to_numpy()
    by_date = (stays["whole_stay"] & (stays["resolution"] != "second")).to_numpy()
    dates = None
    if by_date.any():
        number = (end.dt.normalize() - stays["admit"].dt.normalize()).dt.days.to_numpy()
        profiles, profile = _profiles(stays, config)
        dates = Dates(np.where(by_date, number, -1), profile, profiles)
    return Stays(hours, low, high, np.ones(len(stays)), block, dates)


def _profiles(stays: pd.DataFrame, config: HospitalConfig) -> tuple[np.ndarray, np.ndarray]:
    """The different days of the hourly profiles of the arrival streams, f8[p, 24], and which one each stay has [n]."""
    weeks = np.concatenate([weekly_profile(stream) for stream in config.arrival_streams])
    shares, of_day = np.unique(weeks / weeks.sum(axis=1, keepdims=True), axis=0, return_inverse=True)
    stream = pd.Index([stream.id for stream in config.arrival_streams]).get_indexer(pd.Index(stays["stream_id"]))
    return shares, of_day.ravel()[stream * 7 + stays["admit"].dt.day_of_week.to_numpy()]


def _configured(ward: Ward) -> Iterator[Row]:
    cases = [(case.patient_type or ALL, case.next_ward or ANY, case.los_model) for case in ward.los_by]
    if not isinstance(ward.los_model, FromData):
        cases.insert(0, (ALL, ANY, ward.los_model))
    for patient_type, next_ward, model in cases:
        row = {"ward_id": ward.id, "patient_type": patient_type, "next_ward_id": next_ward, "origin": "configured"}
        yield (
            row | _described(model.type, model) | {"in_use": True, "n": 0, "n_censored": 0, "ks": None, "scale_sd": 0.0}
        )


def _described(name: str, model: Distribution | Fit) -> Row:
    """The columns of a configured or fitted distribution."""
    return {
        "distribution": name,
        "shape": model.shape,
        "scale_hours": model.scale_hours,
        "quantile_hours": model.quantile_hours,
        "mean_hours": model.mean_hours,
        "p90_hours": model.p90_hours,
    }


def _fitted(ward: Ward, began: pd.DataFrame, config: HospitalConfig) -> Iterator[Row]:
    """A row for all patients of a ward; one for every type, and for every next ward of a type, with enough stays."""
    from_data = isinstance(ward.los_model, FromData)
    stays = _known(began, config)
    if not stays.n:
        if from_data:
            raise _none_completed(ward, began, config)
        return
    whole = fit_stays(stays)
    of_type = {name: (began["patient_type"] == name).to_numpy() for name in config.patient_type_ids}
    own = [name for name, chosen in of_type.items() if stays.take(chosen).n >= MIN_STAYS]
    yield _fitted_row(ward, (ALL, ANY), stays, whole, from_data and len(own) < len(of_type))
    for name in own:
        of_this = stays.take(of_type[name])
        fit = fit_stays(of_this, whole)
        yield _fitted_row(ward, (name, ANY), of_this, fit, from_data)
        for next_ward, onward in _by_next_ward(of_this, began.loc[of_type[name], "next_ward_id"], config):
            yield _fitted_row(ward, (name, next_ward), onward, fit_stays(onward, fit), from_data)


def _fitted_of_stream(ward: Ward, began: pd.DataFrame, config: HospitalConfig) -> Iterator[Row]:
    """The row of a ward that takes the stays of a stream's patients, who may be of other types than its own."""
    stays = _known(began, config)
    if not stays.n:
        raise _none_completed(ward, began, config)
    yield _fitted_row(ward, (ALL, ANY), stays, fit_stays(stays), True)


def _none_completed(ward: Ward, began: pd.DataFrame, config: HospitalConfig) -> DataError:
    return DataError(
        f"hospital {config.id}, ward {ward.id}: los_model is from_data, but none of its {len(began):,} stays "
        f"is completed before as_of; give the ward a distribution such as lognormal, or more history"
    )


def _by_next_ward(stays: Stays, next_ward: pd.Series, config: HospitalConfig) -> Iterator[tuple[str, Stays]]:
    """The stays before each next ward with enough of them, where there are several; open stays count in shares."""
    places = [*config.ward_ids, HOME]
    number = pd.Index(places).get_indexer(pd.Index(next_ward))
    seen = np.unique(number[stays.complete & (number >= 0)])
    if len(seen) < 2:
        return
    shares = destination_shares(stays, number, len(places))
    for place in seen:
        onward = stays.take(shares[:, place] > 0, shares[:, place])
        if onward.n >= MIN_STAYS:
            yield places[place], onward


def _fitted_row(ward: Ward, group: tuple[str, str], stays: Stays, fit: Fit, in_use: bool) -> Row:
    row = {"ward_id": ward.id, "patient_type": group[0], "next_ward_id": group[1], "origin": "fitted", "in_use": in_use}
    measured = {"n": stays.n, "n_censored": stays.n_open, "ks": fit.ks, "scale_sd": fit.scale_sd}
    return row | _described(fit.distribution, fit) | measured
