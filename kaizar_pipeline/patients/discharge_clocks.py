"""The clocks of discharges and transfers, and the factors of good and bad days: as configured or learned.

Each ward and way out (home, onward) has a clock. What is learned is estimated by clock_fit.py and day_factors.py from
the stays of care_stays.py. Wards with few departures borrow the clock that those of the hospital have in common.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from kaizar_pipeline.config.discharges import Clock, DayFactor
from kaizar_pipeline.config.distributions import FromData
from kaizar_pipeline.config.hospital import HospitalConfig, Ward
from kaizar_pipeline.config.rules import stays_of
from kaizar_pipeline.patients.care_stays import Intervals, WardCare, known_holidays, ward_cares
from kaizar_pipeline.patients.clock_fit import (
    ClockFit,
    Exposure,
    fit_clock,
    fit_hazards,
    held_out_gains,
    is_gain,
    log_likelihoods,
)
from kaizar_pipeline.patients.day_factors import Days, LearnedFactor, day_factors_of, days_of
from kaizar_pipeline.stats.operational_time import FLAT, HOMEWARD, ONWARD, WAYS
from kaizar_pipeline.tables import DAY_FACTORS, DISCHARGE_CLOCKS

OWN_DEPARTURES = 300
"""Departures from which on a ward has a clock of its own, or none; with fewer it may borrow one."""
OWN_DAYS = 56
"""Days from the first admission to as_of that a clock of its own needs: each weekday eight times."""

MAX_STAYS = 20_000
"""Stays that are learned from, the latest ones."""
MAX_HOURS = 3_000_000.0
"""Hours of all stays that are learned from."""

SAME_MINUTE_SHARE = 0.5
"""Share of departures at one minute of the day from which on that minute means that the hour is not known."""
ROUNDED_SHARE = 0.5
"""Share of stamps on the full or half hour from which on these are taken to be rounded."""
MIN_STAMPS = 20
"""Stamps needed to tell."""

MIN_NIGHTS = 2.0
"""Mean nights of stays known by date from which on they have a clock. On it they are fitted with drawn hours of the
day, which are an error of some hours in each; shorter ones are fitted by their nights, without a clock (nights.py)."""

_EVEN_ADMITS, _EVEN_ENDS = 0.6180339887498949, 0.4142135623730951
"""Multiples of these numbers are spread evenly modulo 1, and those of both independently."""
_SHORTEST = 1 / 60
_US_PER_HOUR = 3_600_000_000


class LearnedClock(NamedTuple):
    """A clock and where it comes from."""

    week: np.ndarray
    """f8[7, 24], mean 1."""
    origin: str
    """configured, from_data, pooled or flat."""
    n: int = 0
    gain: float | None = None


@dataclass(frozen=True)
class Discharges:
    """What is known of when patients leave."""

    discharge_clocks: pd.DataFrame
    day_factors: pd.DataFrame
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Case:
    """A ward and way whose clock is to be learned."""

    key: tuple[str, str]
    exposure: Exposure
    days_only: bool
    days: float
    """From the first admission to as_of."""


def discharges(patients: pd.DataFrame, ward_stays: pd.DataFrame, config: HospitalConfig) -> Discharges:
    """The tables discharge_clocks and day_factors of `config`, from the tables patients and ward_stays."""
    cares = ward_cares(patients, ward_stays, config)
    holidays = known_holidays(config, ward_stays[ward_stays["admit"].notna()].assign(as_of=patients["as_of"].iloc[0]))
    start = min((care.admit.min() for care in cares.values() if len(care.admit)), default=np.datetime64(0, "us"))
    exposures = {
        (ward.id, way): exposure
        for ward in config.wards
        if _asks(ward)
        for way, exposure in exposures_of(cares[ward.id], start).items()
    }
    hourless = {ward.id for ward in config.wards if _asks(ward) and hour_unknown(cares[ward.id])}
    clocks, cases = _given(config), []
    for key, exposure in exposures.items():
        if key in clocks:
            continue
        if _short_by_date(cares[key[0]]):
            clocks[key] = LearnedClock(FLAT, "flat", round(exposure.departures))
        else:
            days = float(exposure.hours - exposure.admit.min(initial=np.inf)) / 24
            cases.append(_Case(key, exposure, key[0] in hourless, days))
    clocks |= _learned(cases, holidays)
    for ward in config.wards:
        if stays_of(ward) is not None and clocks[ward.id, HOMEWARD].origin in ("from_data", "pooled"):
            clocks[ward.id, ONWARD] = clocks[ward.id, HOMEWARD]  # one row of length_of_stay holds for both
    constants = {"hospital_id": config.id, "as_of": patients["as_of"].iloc[0]}
    factors = _factors(config, exposures, clocks, holidays)
    return Discharges(
        DISCHARGE_CLOCKS.frame(_clock_rows(config, clocks), **constants),
        DAY_FACTORS.frame(_factor_rows(config, factors), **constants),
        tuple(_warnings(config, cares, hourless)),
    )


def _setting(ward: Ward, way: str) -> Clock | str:
    given = ward.discharge_clock if way == HOMEWARD else ward.transfer_clock
    return given or ("from_data" if isinstance(ward.los_model, FromData) else "none")


def _factor_setting(ward: Ward) -> DayFactor | str:
    return ward.day_factor or ("from_data" if isinstance(ward.los_model, FromData) else "none")


def _asks(ward: Ward) -> bool:
    """Whether anything of the ward is to be learned."""
    return "from_data" in (*(_setting(ward, way) for way in WAYS), _factor_setting(ward))


def _given(config: HospitalConfig) -> dict[tuple[str, str], LearnedClock]:
    """The clocks that the config gives, or refuses."""
    found = {}
    for ward in config.wards:
        for way in WAYS:
            setting = _setting(ward, way)
            if isinstance(setting, Clock):
                found[ward.id, way] = LearnedClock(setting.week, "configured")
            elif setting == "none":
                found[ward.id, way] = LearnedClock(FLAT, "flat")
    return found


def _learned(cases: Sequence[_Case], holidays: np.ndarray) -> dict[tuple[str, str], LearnedClock]:
    """The clock of every case: its own, the one of all wards, or none."""
    found: dict[tuple[str, str], LearnedClock] = {}
    few = [case for case in cases if case.exposure.departures < OWN_DEPARTURES or case.days < OWN_DAYS]
    for case in cases:
        if case not in few:
            found[case.key] = _own(case, holidays)
    for way in WAYS:
        small = [case for case in few if case.key[1] == way]
        large = [case for case in cases if case.key in found and case.key[1] == way]
        found |= _borrowed(small, [case for case in large if found[case.key].origin != "flat"], holidays)
    return found


def _own(case: _Case, holidays: np.ndarray) -> LearnedClock:
    gains = held_out_gains([case.exposure], holidays, days_only=case.days_only)
    n, gain = round(case.exposure.departures), float(gains.mean()) if len(gains) else None
    if not is_gain(gains):
        return LearnedClock(FLAT, "flat", n, gain)
    return LearnedClock(fit_clock([case.exposure], holidays, days_only=case.days_only).week, "from_data", n, gain)


def _borrowed(
    small: Sequence[_Case], with_clock: Sequence[_Case], holidays: np.ndarray
) -> dict[tuple[str, str], LearnedClock]:
    """The clock of `small` wards: that of all of these and of the others `with_clock`, where it improves on none."""
    flat = {case.key: LearnedClock(FLAT, "flat", round(case.exposure.departures)) for case in small}
    pool = [case for case in (*small, *with_clock) if case.exposure.departures > 0]
    exposures = [case.exposure for case in pool]
    if not flat or sum(exposure.departures for exposure in exposures) < OWN_DEPARTURES:
        return flat
    days_only = any(case.days_only for case in pool)
    gains = held_out_gains(exposures, holidays, days_only=days_only)
    if not is_gain(gains):
        return flat
    clock, gain = fit_clock(exposures, holidays, days_only=days_only), float(gains.mean())
    n = round(sum(exposure.departures for exposure in exposures))
    found = {}
    for case, hazard in zip(pool, clock.hazards, strict=True):
        if case.key in flat:
            of_ward = ClockFit(clock.week, (hazard,))
            without = ClockFit(FLAT, fit_hazards([case.exposure], FLAT, holidays))
            on, off = (log_likelihoods([case.exposure], fit, holidays).sum() for fit in (of_ward, without))
            found[case.key] = LearnedClock(clock.week, "pooled", n, gain) if on >= off else flat[case.key]
    return flat | found


def exposures_of(care: WardCare, start: np.datetime64) -> dict[str, Exposure]:
    """When the patients of a ward could have left, by way out, counted from the midnight before `start`."""
    stays = _latest(care)
    if stays_of(care.ward) is not None:
        whole = care.intervals(len(care.places) - 1, stays)
        parts = {HOMEWARD: [(whole, np.ones(len(care.admit)))], ONWARD: []}
    else:
        shares = np.zeros((len(care.admit), len(care.places)))
        shares[stays] = care.shares(stays)
        parts = {HOMEWARD: [], ONWARD: []}
        for place in np.flatnonzero(shares[care.complete].sum(axis=0)):
            way = HOMEWARD if place == len(care.places) - 1 else ONWARD
            of_place = np.flatnonzero(shares[:, place] > 0)
            parts[way].append((care.intervals(int(place), of_place), shares[:, place]))
    stamps = _Stamps.of(care, start.astype("datetime64[D]"))
    return {way: stamps.exposure(pieces) for way, pieces in parts.items()}


def _latest(care: WardCare) -> np.ndarray:
    """The latest stays, as many as are learned from: indices."""
    order = np.argsort(care.admit, kind="stable")[-MAX_STAYS:]
    hours = (care.end - care.admit)[order] / np.timedelta64(1, "h")
    return order[np.cumsum(hours[::-1])[::-1] <= MAX_HOURS]


@dataclass(frozen=True)
class _Stamps:
    """Admissions and ends of a ward's stays in hours since a midnight, rounded stamps spread over their hours."""

    start: np.datetime64
    admit: np.ndarray
    end: np.ndarray
    last: float
    """as_of"""

    @classmethod
    def of(cls, care: WardCare, start: np.datetime64) -> "_Stamps":
        def hours(times: np.ndarray) -> np.ndarray:
            return (times - start.astype("datetime64[us]")).astype("int64") / _US_PER_HOUR

        complete, last = care.complete, float(hours(np.array([care.last]))[0])
        admit = _spread(hours(care.admit), _EVEN_ADMITS)
        end = hours(care.end)
        minute = common_minute(care)
        if minute is None:
            end[complete] = _spread(end[complete], _EVEN_ENDS)
        else:
            at_minute = complete & (_minute(care.end) == minute)
            end[at_minute] = 24 * np.floor(end[at_minute] / 24) + 24 * (_EVEN_ENDS * np.arange(at_minute.sum()) % 1.0)
        end = np.minimum(np.where(complete, np.maximum(end, admit + _SHORTEST), last), last)
        return cls(start, np.minimum(admit, last - _SHORTEST), end, last)

    def exposure(self, parts: Sequence[tuple[Intervals, np.ndarray]]) -> Exposure:
        """The intervals of several groups of stays, each with the weight of all stays."""
        empty = np.zeros(0)
        found = [Exposure(self.start, empty, empty, empty, empty.astype(bool), empty, empty.astype("int64"))]
        found += [self._part(intervals, weight) for intervals, weight in parts]
        columns = zip(*((of.admit, of.begin, of.end, of.left, of.weight, of.stay) for of in found), strict=True)
        return Exposure(self.start, *(np.concatenate(column) for column in columns))

    def _part(self, intervals: Intervals, weight: np.ndarray) -> Exposure:
        since, of = self.start.astype("datetime64[us]"), intervals.stay
        begin, end = ((time - since).astype("int64") / _US_PER_HOUR for time in (intervals.begin, intervals.end))
        changes = np.diff(of) != 0
        first, last = (np.concatenate(bounds)[: len(of)] for bounds in (([True], changes), (changes, [True])))
        last &= intervals.ended | (end >= self.last)
        begin = np.where(first, self.admit[of], np.maximum(begin, self.admit[of]))
        end = np.maximum(np.where(last, self.end[of], end), begin)
        return Exposure(self.start, self.admit[of], begin, end, intervals.ended, weight[of], of)


def hour_unknown(care: WardCare) -> bool:
    """Whether the hours at which patients left the ward are not known."""
    if not len(care.admit):
        return False
    return common_minute(care) is not None or bool(care.by_date.mean() > SAME_MINUTE_SHARE)


def _short_by_date(care: WardCare) -> bool:
    """Whether most stays are known by date, and are too short to tell an hour more from an hour less."""
    dated = care.by_date & care.complete
    if not dated.any() or care.by_date.mean() <= SAME_MINUTE_SHARE:
        return False
    nights = care.end[dated].astype("datetime64[D]") - care.admit[dated].astype("datetime64[D]")
    return float(nights.astype("int64").mean()) < MIN_NIGHTS


def common_minute(care: WardCare) -> int | None:
    """The minute of the day of most departures: their hour is not known. None where there is no such minute."""
    minutes = _minute(care.end[care.complete & ~care.by_date])
    if len(minutes) < MIN_STAMPS:
        return None
    count = np.bincount(minutes, minlength=1440)
    return int(count.argmax()) if count.max() > SAME_MINUTE_SHARE * len(minutes) else None


def _minute(times: np.ndarray) -> np.ndarray:
    return (times - times.astype("datetime64[D]")) // np.timedelta64(1, "m")


def _spread(hours: np.ndarray, step: float) -> np.ndarray:
    """`hours`; where most are full or half hours, with these spread over the time that they were rounded from."""
    if len(hours) < MIN_STAMPS:
        return hours
    for unit in (1.0, 0.5):
        rounded = np.abs(hours / unit - np.rint(hours / unit)) < 1e-9
        if rounded.mean() > ROUNDED_SHARE:
            within = step * np.arange(len(hours)) % 1.0 - 0.5
            return np.maximum(hours + np.where(rounded, within * unit, 0.0), 0.0)
    return hours


def _factors(
    config: HospitalConfig,
    exposures: Mapping[tuple[str, str], Exposure],
    clocks: Mapping[tuple[str, str], LearnedClock],
    holidays: np.ndarray,
) -> dict[str, LearnedFactor]:
    """The day factors by ward that are learned."""
    days: dict[str, Days] = {}
    for ward in config.wards:
        if _factor_setting(ward) == "from_data":
            of = [(exposures[ward.id, way], clocks[ward.id, way].week) for way in WAYS]
            days[ward.id] = days_of([pair for pair in of if pair[0].departures > 0], holidays)
    return day_factors_of(days)


def _clock_rows(config: HospitalConfig, clocks: Mapping[tuple[str, str], LearnedClock]) -> pd.DataFrame:
    weekday, hour = (axis.ravel() for axis in np.indices((7, 24)))
    frames = []
    for ward in config.wards:
        for way in WAYS:
            clock = clocks[ward.id, way]
            rows = {"ward_id": ward.id, "way": way, "weekday": weekday, "hour": hour, "weight": clock.week.ravel()}
            frames.append(pd.DataFrame(rows).assign(origin=clock.origin, n=clock.n, gain=clock.gain))
    return pd.concat(frames, ignore_index=True)


def _factor_rows(config: HospitalConfig, learned: Mapping[str, LearnedFactor]) -> pd.DataFrame:
    rows = []
    for ward in config.wards:
        setting = _factor_setting(ward)
        if isinstance(setting, DayFactor):
            of = LearnedFactor(setting.sd, setting.autocorrelation, setting.shared, "configured")
        else:
            of = learned.get(ward.id, LearnedFactor())
        rows.append({"ward_id": ward.id, **of._asdict()})
    return pd.DataFrame(rows)


def _warnings(config: HospitalConfig, cares: Mapping[str, WardCare], hourless: set[str]) -> list[str]:
    """What was assumed of stamps that cannot tell the hour of a departure, and clocks that hold up short stays."""
    found = []
    for ward in config.wards:
        if ward.type == "ED" and (isinstance(ward.discharge_clock, Clock) or isinstance(ward.transfer_clock, Clock)):
            found.append(
                f"ward {ward.id}: an emergency department with a configured clock; stays of a few hours end when their "
                "patients' arrivals make them, and a clock holds them up; look at its mean in length_of_stay"
            )
        minute = common_minute(cares[ward.id]) if ward.id in hourless else None
        if minute is not None:
            found.append(
                f"ward {ward.id}: most stays end at {minute // 60:02d}:{minute % 60:02d}, so the hour of departures is "
                "not known; its clocks tell weekdays only"
            )
    return found
