"""The clocks by which patients leave wards, on the hours of a plan (stats/operational_time.py).

A ward has two clocks, one for each way out. Beside them a day factor speeds both up or down for a whole day: it is a
random number of the replication, which `sampling.day_speeds` draws.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import public_holidays
from kaizar_pipeline.config.discharges import DayFactor
from kaizar_pipeline.config.hospital import HospitalConfig, Ward
from kaizar_pipeline.stats.clock_factors import weeks_of_ward
from kaizar_pipeline.stats.operational_time import FLAT, WAYS, OperationalTime, weeks_of

TRANSFER, DISCHARGE = range(2)
"""Ways out of a ward, in the order of WAYS: to another ward, and home."""

NO_CLOCK = -1
"""Index that means that operational time is time itself."""


@dataclass(frozen=True, eq=False)
class Clocks:
    """The clocks of W wards; C different ones."""

    of: np.ndarray
    """i8[W, 2]: clock by ward and way out, NO_CLOCK for none."""
    ward: np.ndarray
    """u4[C]: the ward of each, whose day factor it has."""
    weeks: np.ndarray
    """f8[C, 7, 24]: weights of the hours of the week, mean 1."""
    weights: np.ndarray
    """f8[C, hours]: the same on the hours of the plan."""
    day_sd: np.ndarray
    """f8[W]: standard deviation of the logarithm of a day's factor."""
    day_autocorrelation: np.ndarray
    """f8[W]"""
    day_shared: np.ndarray
    """f8[W]: share of the variance that is common to all wards."""
    holidays: np.ndarray
    """datetime64[D]: those from three years before the plan on, which count as Sundays."""

    def weeks_of(self, ward: int) -> list[np.ndarray | None]:
        """By way out of a ward: f8[7, 24], None without a clock."""
        return [None if clock == NO_CLOCK else self.weeks[clock] for clock in self.of[ward]]

    def elapsed(self, ward: np.ndarray, since: pd.Series, until: pd.Timestamp) -> np.ndarray:
        """f8[n, 2]: by way out, the operational hours from `since` [n] to `until` in `ward` [n]; 0 for NaT."""
        begin = since.to_numpy("datetime64[us]")
        plain = np.nan_to_num((until.to_datetime64() - begin) / np.timedelta64(1, "h"))
        elapsed = np.repeat(plain[:, None], len(WAYS), axis=1)
        for way in range(len(WAYS)):
            clock = np.where(ward >= 0, self.of[ward, way], NO_CLOCK)
            for c in np.unique(clock[(clock != NO_CLOCK) & ~np.isnat(begin)]):
                chosen = (clock == c) & ~np.isnat(begin)
                time = self._times[c]
                end = time.hours(np.array([until.to_datetime64()]))
                elapsed[chosen, way] = np.maximum(end - time.hours(begin[chosen]), 0.0)
        return elapsed

    @cached_property
    def _times(self) -> list[OperationalTime]:
        return [OperationalTime(week, self.holidays) for week in self.weeks]


def plan_clocks(
    config: HospitalConfig,
    start: pd.Timestamp,
    hours: int,
    learned: pd.DataFrame | None = None,
    day_factors: pd.DataFrame | None = None,
) -> Clocks:
    """The clocks of `config` for so many hours from `start`, a local full hour.

    `learned` and `day_factors` are the tables discharge_clocks and day_factors, of use where the config gives no
    clock or factor of its own.
    """
    factors = [_day_factor(ward, day_factors) for ward in config.wards]
    of = np.full((len(config.wards), len(WAYS)), NO_CLOCK, dtype=np.int64)
    weeks, owner = list[np.ndarray](), list[int]()
    weekly = weeks_of(learned)
    for w, ward in enumerate(config.wards):
        for way, week in enumerate(weeks_of_ward(ward, weekly)):
            if week is not None or factors[w] is not None:
                of[w, way] = len(weeks)
                weeks.append(FLAT if week is None else week)
                owner.append(w)
    days = pd.date_range(start - pd.DateOffset(years=3), start + pd.Timedelta(hours=hours), freq="D")
    holidays = days[public_holidays(config.hospital, days)].to_numpy("datetime64[D]") if weeks else days[:0].to_numpy()
    times = [OperationalTime(week, holidays.astype("datetime64[D]")) for week in weeks]
    return Clocks(
        of=of,
        ward=np.array(owner, dtype=np.uint32),
        weeks=np.array(weeks).reshape(-1, *FLAT.shape),
        weights=np.array([time.weights(start.to_datetime64(), hours) for time in times]).reshape(-1, hours),
        day_sd=_each(factors, "sd"),
        day_autocorrelation=_each(factors, "autocorrelation"),
        day_shared=_each(factors, "shared"),
        holidays=holidays.astype("datetime64[D]"),
    )


def _each(factors: Sequence[DayFactor | None], name: str) -> np.ndarray:
    return np.array([0.0 if factor is None else getattr(factor, name) for factor in factors])


def _day_factor(ward: Ward, learned: pd.DataFrame | None) -> DayFactor | None:
    if isinstance(ward.day_factor, DayFactor):
        return ward.day_factor
    if ward.day_factor == "none" or learned is None:
        return None
    rows = learned[(learned["ward_id"] == ward.id) & (learned["sd"] > 0)]
    if rows.empty:
        return None
    return DayFactor(**{name: float(rows[name].iloc[0]) for name in DayFactor.model_fields})
