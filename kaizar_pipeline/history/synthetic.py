"""A synthetic history: the hospital itself, simulated under `patients.truth` from a fixed start up to as_of.

Draws are addressed by the day since that start and the engine looks at nothing later, so the history up to tomorrow is
that up to today plus a day. The forecast and the twin never read the truth.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import configured_rates, open_days, public_holidays
from kaizar_pipeline.config.fields import WEEKDAYS
from kaizar_pipeline.config.hospital import ArrivalStream, HospitalConfig, HospitalInfo
from kaizar_pipeline.config.patient_sources import StreamTruth, SyntheticPatients
from kaizar_pipeline.config.snapshot import latest_at, shown
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.records import Records
from kaizar_pipeline.simulation.compiled_engine import simulate
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.load import check_load
from kaizar_pipeline.simulation.plan import Plan, make_plan
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.simulation.stays_table import STATUS, local_times, named, stays_table
from kaizar_pipeline.simulation.trajectories import DISCHARGED, DIVERTED, LEFT, NOT_ARRIVED, Stays, Trajectories
from kaizar_pipeline.stats.philox import HISTORY_REPLICATION, Purpose, hospital_key, stream_number, uniforms
from kaizar_pipeline.tables import PATIENT_REJECTS, PATIENTS, WARD_STAYS

DAYS_PER_YEAR = 365.25

LEVEL_STAGE, DAY_STAGE = 0, 1
"""Stages of Purpose.HISTORY: the steps of the random-walk drift of the level, and the factor of each day."""


@contextmanager
def open_synthetic(
    config: HospitalConfig, home: Path | None, now: pd.Timestamp
) -> Iterator[Callable[[pd.Timestamp | None], Records]]:
    """The function that makes the history of a synthetic hospital up to an as_of, by default the last instant up to
    `now` at the hour of its snapshot; it reads nothing from `home`."""

    def at(as_of: pd.Timestamp | None) -> Records:
        until = as_of or latest_at(config.simulation.snapshot, now, config.hospital.timezone)
        patients, ward_stays = simulate_history(config, until)
        return Records(until, patients, PATIENT_REJECTS.empty(), ward_stays)

    yield at


def simulate_history(config: HospitalConfig, as_of: pd.Timestamp) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables `patients` and `ward_stays` of a synthetic hospital up to `as_of`, a local full hour.

    Raises SimulationError when the load of a ward exceeds its beds, unless overload is allowed.
    """
    patients = _source(config)
    start = pd.Timestamp(patients.history_start)
    if as_of <= start:
        raise DataError(
            f"hospital {config.id}: as_of {shown(as_of)} is not after patients.history_start {start.date()}"
        )
    dates = pd.date_range(start, as_of, inclusive="left")
    key = hospital_key(config.id, patients.truth.seed)
    rates = {stream.id: true_rates(config, stream, dates)[None] for stream in config.arrival_streams}
    plan = make_plan(under_truth(config), rates, Horizon(start, len(dates)), key=key)
    check_load(plan, allow=config.simulation.overload == "allow")
    trajectories = draw(plan, HISTORY_REPLICATION)
    stays = simulate(plan, trajectories, until=int((as_of - start) / pd.Timedelta(hours=1)))
    patient_ids = _patient_ids(plan, trajectories)
    constants = {"hospital_id": config.id, "as_of": as_of}
    return (
        PATIENTS.frame(_patients(plan, trajectories, stays, patient_ids), **constants),
        WARD_STAYS.frame(_ward_stays(plan, trajectories, stays, patient_ids), **constants),
    )


def true_rates(config: HospitalConfig, stream: ArrivalStream, dates: pd.DatetimeIndex) -> np.ndarray:
    """f8 per date from history_start on: the rate that a synthetic stream's arrivals are drawn from, 0 when closed."""
    patients = _source(config)
    if not stream.is_forecast:
        return configured_rates(stream, config.hospital, dates)
    truth = patients.truth.streams[stream.id]
    assert truth.mean_per_day is not None
    key = hospital_key(config.id, patients.truth.seed)
    rates = truth.mean_per_day * _calendar_factor(truth, config.hospital, dates)
    return rates * _random_factor(truth, key, stream, dates) * open_days(stream, dates)


def _source(config: HospitalConfig) -> SyntheticPatients:
    assert isinstance(config.patients, SyntheticPatients)
    return config.patients


def _calendar_factor(truth: StreamTruth, hospital: HospitalInfo, dates: pd.DatetimeIndex) -> np.ndarray:
    weekday = np.array([truth.weekday.get(day, 1.0) for day in WEEKDAYS])
    year = 2 * np.pi * (dates.day_of_year.to_numpy() - truth.yearly_peak_day) / DAYS_PER_YEAR
    return (
        (weekday / weekday.mean())[dates.day_of_week]
        * (1 + truth.yearly_amplitude * np.cos(year))
        * np.where(public_holidays(hospital, dates), truth.holiday_factor, 1.0)
    )


def _random_factor(truth: StreamTruth, key: int, stream: ArrivalStream, dates: pd.DatetimeIndex) -> np.ndarray:
    """A random walk of the level times a factor of each day; draws are addressed by the day since history_start."""
    from scipy.special import gammaincinv, ndtri

    day = np.arange(len(dates))
    growth = np.log1p(truth.trend_per_year) * day / DAYS_PER_YEAR
    step, _ = uniforms(key, HISTORY_REPLICATION, stream_number(stream.id), day, Purpose.HISTORY, LEVEL_STAGE)
    level = np.exp(growth + np.cumsum(ndtri(np.maximum(step, 2.0**-54))) * truth.drift_sd / np.sqrt(DAYS_PER_YEAR))
    if truth.overdispersion == 0:
        return level
    chance, _ = uniforms(key, HISTORY_REPLICATION, stream_number(stream.id), day, Purpose.HISTORY, DAY_STAGE)
    return level * gammaincinv(1 / truth.overdispersion, chance) * truth.overdispersion


def under_truth(config: HospitalConfig) -> HospitalConfig:
    """The config of a synthetic hospital with the true hours of arrival, lengths of stay, clocks, day factors and
    routes."""
    truth = _source(config).truth
    parts = (
        ("los_model", truth.los),
        ("discharge_clock", truth.discharge_clocks),
        ("transfer_clock", truth.transfer_clocks),
        ("day_factor", truth.day_factors),
    )
    wards = []
    for ward in config.wards:
        update = {key: of_ward[ward.id] for key, of_ward in parts if ward.id in of_ward}
        wards.append(ward.model_copy(update=update | ({"los_by": ()} if "los_model" in update else {})))
    streams = tuple(
        stream.model_copy(update={"hourly_profile": truth.streams[stream.id].hourly_profile})
        if stream.id in truth.streams and truth.streams[stream.id].hourly_profile
        else stream
        for stream in config.arrival_streams
    )
    routes = {} if truth.routing is None else {"routing": truth.routing}
    return config.model_copy(update={"wards": tuple(wards), "arrival_streams": streams, **routes})


def _patient_ids(plan: Plan, trajectories: Trajectories) -> pd.Series:
    numbers = zip(trajectories.stream.tolist(), trajectories.number.tolist(), strict=True)
    return pd.Series([f"{plan.stream_ids[stream]}-{number:07d}" for stream, number in numbers], dtype="str")


def _patients(plan: Plan, trajectories: Trajectories, stays: Stays, patient_ids: pd.Series) -> pd.DataFrame:
    first, last = trajectories.offset[:-1], trajectories.offset[1:] - 1
    outcome = np.where(np.isfinite(stays.admit[first]), "admitted", "waiting")
    outcome = np.select([stays.status == DIVERTED, stays.status == LEFT], ["diverted", "left"], outcome)
    departure = np.where(stays.status == DISCHARGED, stays.depart[last], np.inf)
    frame = pd.DataFrame(
        {
            "patient_id": patient_ids,
            "stream_id": named(plan.stream_ids, trajectories.stream),
            "patient_type": named(plan.patient_type_ids, trajectories.patient_type),
            "arrival": local_times(plan, trajectories.arrival),
            "departure": local_times(plan, departure),
            "departure_known": True,
            "outcome": outcome,
            "resolution": "second",
        }
    )
    return frame[stays.status != NOT_ARRIVED]


def _ward_stays(plan: Plan, trajectories: Trajectories, stays: Stays, patient_ids: pd.Series) -> pd.DataFrame:
    frame = stays_table(plan, trajectories, stays)
    frame = frame[frame["status"] != STATUS[DIVERTED]]
    columns = ["stay_no", "planned_ward_id", "ward_id", "request", "admit", "ready", "depart", "next_ward_id"]
    return frame[columns].assign(patient_id=patient_ids.take(frame["patient"].to_numpy()).array, whole_stay=False)
