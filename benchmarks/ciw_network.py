"""The benchmark hospital as far as Ciw can describe it.

The same rates, routes, beds (those of weekdays too), lengths of stay, priorities of patient types, patience,
admission stop and boarding: a ward without a waiting room blocks patients in the ward before (Ciw's Type I blocking).
Not described: the hourly profile, overflow, exchange, dated changes of beds, and lengths of stay by next ward; the mean
discharge delay is in the length of stay.
"""

from math import inf, log, sqrt
from typing import Any

import ciw  # pyright: ignore[reportMissingImports]

from kaizar_pipeline.config.distributions import Exponential, Gamma, Lognormal
from kaizar_pipeline.config.fields import WEEKDAYS
from kaizar_pipeline.config.hospital import Constant, HospitalConfig, Ward


def network(config: HospitalConfig) -> Any:
    """A ciw.Network with a node per ward and a class per patient type; time in hours."""
    wards, types = config.wards, config.patient_type_ids
    streams = {
        (stream.patient_type, stream.target_ward): stream.model
        for stream in config.arrival_streams
        if isinstance(stream.model, Constant)
    }
    first_wards = {stream.target_ward for stream in config.arrival_streams}
    most_urgent = max(kind.priority for kind in config.patient_types)
    return ciw.create_network(
        arrival_distributions={
            kind: [
                ciw.dists.Exponential(streams[kind, ward.id].mean_per_day / 24) if (kind, ward.id) in streams else None
                for ward in wards
            ]
            for kind in types
        },
        service_distributions={kind: [_length_of_stay(ward) for ward in wards] for kind in types},
        number_of_servers=[_beds(ward) for ward in wards],
        queue_capacities=[inf if ward.id in first_wards else 0 for ward in wards],
        routing={kind: [_row(config, ward, kind) for ward in wards] for kind in types},
        priority_classes={kind.id: most_urgent - kind.priority for kind in config.patient_types},
        reneging_time_distributions={
            kind.id: [_patience(kind.patience) if ward.id == config.wards[0].id else None for ward in wards]
            for kind in config.patient_types
        },
        baulking_functions={kind: [_stop(config, ward, kind) for ward in wards] for kind in types},
    )


def _length_of_stay(ward: Ward) -> Any:
    model = ward.los_model
    assert isinstance(model, Lognormal | Gamma)
    mean, sd = (model.hours_per_unit * value for value in (model.params.mean, model.params.sd))
    if isinstance(ward.discharge_delay, Exponential):
        mean += ward.discharge_delay.params.mean
    if isinstance(model, Gamma):
        return ciw.dists.Gamma(shape=(mean / sd) ** 2, scale=sd**2 / mean)
    variance = log(1 + (sd / mean) ** 2)
    return ciw.dists.Lognormal(log(mean) - variance / 2, sqrt(variance))


def _patience(model: Any) -> Any:
    return None if model is None else ciw.dists.Weibull(model.params.scale, model.params.shape)


def _row(config: HospitalConfig, ward: Ward, kind: str) -> list[float]:
    onward = {option.to_ward: option.probability for option in config.route_options(ward.id, kind)}
    return [onward.get(other.id, 0.0) for other in config.wards]


def _beds(ward: Ward) -> Any:
    assert ward.capacity is not None
    if not ward.weekday_capacity:
        return ward.capacity
    beds = [ward.weekday_capacity.get(day, ward.capacity) for day in WEEKDAYS]
    return ciw.Schedule(numbers_of_servers=beds, shift_end_dates=[24 * (day + 1) for day in range(7)])


def _stop(config: HospitalConfig, ward: Ward, kind: str) -> Any:
    for stop in config.policies.admission_stop:
        if stop.ward == ward.id and kind in stop.stop_types:
            full = stop.threshold * (ward.capacity or inf)
            return lambda here, **_: float(here >= full)
    return None
