"""Lengths of stay as configured and as observed in the history.

A stay is the time of care in the requested ward: from the bed given to the end of care, without boarding.
Stays open at `as_of` are censored; those that ended at an unknown time are left out. In a ward with a clock, what the
simulation draws from is fitted in operational hours. How rows are fitted: los_fit.py and
docs/explanation/length_of_stay.md.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from math import log
from typing import Any

import pandas as pd

from kaizar_pipeline.config.distributions import Distribution, FromData
from kaizar_pipeline.config.hospital import HospitalConfig, Ward
from kaizar_pipeline.config.learned_hours import with_learned_hours
from kaizar_pipeline.config.rules import stays_of
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.care_stays import WardCare, known_holidays, ward_cares
from kaizar_pipeline.patients.los_fit import Fit, fit_stays
from kaizar_pipeline.patients.ward_lengths import Group, WardLengths
from kaizar_pipeline.stats.clock_factors import clock_factors, weeks_of_ward
from kaizar_pipeline.stats.operational_time import weeks_of
from kaizar_pipeline.tables import ALL, ANY, HOME, LENGTH_OF_STAY

MIN_STAYS = 5
"""Completed stays that a patient type, or a next ward of one, needs for a fit of its own."""

DIFFERENCE = 0.2
"""Share by which configured and observed mean may differ without a warning."""

DIFFERENCE_STAYS = 20
"""Completed stays needed to compare a configured mean with."""

Row = dict[str, Any]


def lengths_of_stay(
    patients: pd.DataFrame,
    ward_stays: pd.DataFrame,
    config: HospitalConfig,
    clocks: pd.DataFrame | None = None,
    arrival_profile: pd.DataFrame | None = None,
    *,
    fit_all: bool = True,
) -> pd.DataFrame:
    """The table length_of_stay of `config`: configured distributions, and fits of the stays of `patients`.

    `clocks` is the table discharge_clocks; None: stays are fitted in plain hours. `arrival_profile` is the table of
    hours in which the factors of configured rows keep the mean; None: streams that learn their hours arrive at all.
    `in_use` marks what the simulation draws from: configured distributions, and the fitted rows of wards with
    `los_model: from_data`. Without `fit_all` only these wards are fitted, which is all a simulation needs. Raises
    DataError for such a ward that has no completed stay.
    """
    cares, weeks = ward_cares(patients, ward_stays, config), weeks_of(clocks)
    as_of = patients["as_of"].iloc[0]
    holidays = known_holidays(config, ward_stays[ward_stays["admit"].notna()].assign(as_of=as_of))
    arriving = config if arrival_profile is None else with_learned_hours(config, arrival_profile)
    rows: list[Row] = []
    for ward in config.wards:
        rows += _configured(ward, partial(clock_factors, arriving, ward, weeks_of_ward(ward, weeks)))
        if fit_all or isinstance(ward.los_model, FromData):
            rows += _fitted(WardLengths(cares[ward.id], weeks, holidays))
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


def _configured(ward: Ward, factors: Callable[[Distribution], list[float]]) -> Iterator[Row]:
    cases = [(case.patient_type or ALL, case.next_ward or ANY, case.los_model) for case in ward.los_by]
    if not isinstance(ward.los_model, FromData):
        cases.insert(0, (ALL, ANY, ward.los_model))
    for patient_type, next_ward, model in cases:
        row = {"ward_id": ward.id, "patient_type": patient_type, "next_ward_id": next_ward, "origin": "configured"}
        unmeasured = {"n": 0, "n_censored": 0, "ks": None, "scale_sd": 0.0, "operational_mean_hours": None}
        yield row | _described(model.type, model) | {"in_use": True} | unmeasured | _by_way(next_ward, *factors(model))


def _by_way(next_ward: str, onward: float | None, home: float | None) -> Row:
    """The columns of the factors, null for a way out that the row is not about."""
    return {
        "clock_factor_onward": None if next_ward == HOME else onward,
        "clock_factor_home": home if next_ward in (HOME, ANY) else None,
    }


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


def _fitted(lengths: WardLengths) -> Iterator[Row]:
    """The fitted rows of a ward, in the order from wide to narrow."""
    care = lengths.care
    from_data = isinstance(care.ward.los_model, FromData)
    if not care.complete.any():
        if from_data:
            raise _none_completed(care)
        return
    everybody = lengths.of_all()
    if stays_of(care.ward) is not None:  # patients who may be of other types than the ward's own
        yield _fitted_row(care.ward, (ALL, ANY), everybody, fit_stays(everybody.stays), from_data)
    elif lengths.by_way:
        yield from _fitted_by_way(lengths, everybody, from_data)
    else:
        yield from _fitted_together(lengths, everybody, from_data)


def _fitted_together(lengths: WardLengths, everybody: Group, from_data: bool) -> Iterator[Row]:
    """A row for all patients of a ward; one for every type, and for every next ward of a type, with enough stays."""
    ward, types = lengths.care.ward, lengths.care.config.patient_type_ids
    whole = fit_stays(everybody.stays)
    own = [name for name in types if lengths.completed(name) >= MIN_STAYS]
    yield _fitted_row(ward, (ALL, ANY), everybody, whole, from_data and len(own) < len(types))
    for name in own:
        of_type = lengths.of_all(name)
        fit = fit_stays(of_type.stays, whole) if of_type.stays.n else whole
        yield _fitted_row(ward, (name, ANY), of_type if of_type.stays.n else everybody, fit, from_data)
        places = lengths.seen(name)
        for place in places if len(places) > 1 else ():
            onward = lengths.of_places([place], name)
            if onward.stays.n >= MIN_STAYS:
                yield _fitted_row(ward, (name, lengths.name(place)), onward, fit_stays(onward.stays, fit), from_data)


def _fitted_by_way(lengths: WardLengths, everybody: Group, from_data: bool) -> Iterator[Row]:
    """Rows in plain hours for people, and one in operational hours for every type and every next ward.

    Where two ways out have different clocks, each stay is fitted, and simulated, on the clock of its own way. A group
    with too few stays has the fit of the wider one.
    """
    ward, types = lengths.care.ward, lengths.care.config.patient_type_ids
    whole = fit_stays(everybody.stays)
    yield _fitted_row(ward, (ALL, ANY), everybody, whole, from_data)
    for name in types:
        if lengths.completed(name) >= MIN_STAYS:
            of_type = lengths.of_all(name)
            yield _fitted_row(ward, (name, ANY), of_type, fit_stays(of_type.stays, whole), False)
    for way in lengths.ways:
        of_way = lengths.of_way(way)
        way_fit = fit_stays(of_way.stays)
        for name in types:
            group, fit = _narrower(lengths.of_places(way, name), (of_way, way_fit))
            for place in way:
                own, own_fit = (group, fit)
                if len(way) > 1:
                    own, own_fit = _narrower(lengths.of_places([place], name), (group, fit))
                yield _fitted_row(ward, (name, lengths.name(place)), own, own_fit, from_data)


def _narrower(own: Group, wider: tuple[Group, Fit]) -> tuple[Group, Fit]:
    """A group with its fit, or the wider one where it has too few stays."""
    return (own, fit_stays(own.stays, wider[1])) if own.stays.n >= MIN_STAYS else wider


def _none_completed(care: WardCare) -> DataError:
    return DataError(
        f"hospital {care.config.id}, ward {care.ward.id}: los_model is from_data, but none of its "
        f"{len(care.admit):,} stays is completed before as_of; give the ward a distribution such as lognormal, or more "
        "history"
    )


def _fitted_row(ward: Ward, group: tuple[str, str], of: Group, fit: Fit, in_use: bool) -> Row:
    row = {"ward_id": ward.id, "patient_type": group[0], "next_ward_id": group[1], "origin": "fitted", "in_use": in_use}
    measured = {"n": of.stays.n, "n_censored": of.stays.n_open, "ks": fit.ks, "scale_sd": fit.scale_sd}
    return row | _described(fit.distribution, fit) | measured | of.in_plain_hours(fit) | _by_way(ANY, None, None)
