"""The factors with which configured lengths of stay keep their mean in plain hours on the clocks of a ward.

The simulation draws with them, and the table length_of_stay shows them.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from kaizar_pipeline.config.calendar import weekly_profile
from kaizar_pipeline.config.discharges import Clock
from kaizar_pipeline.config.distributions import Distribution
from kaizar_pipeline.config.hospital import HospitalConfig, Ward
from kaizar_pipeline.stats.operational_time import FLAT, WAYS, kept_mean

_MIDPOINTS = (np.arange(100) + 0.5) / 100


def weeks_of_ward(ward: Ward, learned: Mapping[tuple[str, str], np.ndarray]) -> list[np.ndarray | None]:
    """The clock of each of WAYS out of a ward, f8[7, 24], None without: the config's, else that of `learned`, by ward
    and way (`operational_time.weeks_of`)."""
    return [
        setting.week if isinstance(setting, Clock) else None if setting == "none" else learned.get((ward.id, way))
        for way, setting in zip(WAYS, (ward.transfer_clock, ward.discharge_clock), strict=True)
    ]


def clock_factors(
    config: HospitalConfig, ward: Ward, weeks: Sequence[np.ndarray | None], duration: Distribution
) -> list[float]:
    """The factor on a configured length of stay for each of WAYS out of a ward, whose clocks are `weeks`; 1 without.

    The mean is kept over the hours of the week in which the streams of `config` that begin in the ward arrive.
    """
    entry = _entry_hours(config, ward)
    lengths, mean = duration.quantiles(_MIDPOINTS), duration.mean_hours
    return [1.0 if week is None or np.ptp(week) == 0 else kept_mean(week, entry, lengths, mean) for week in weeks]


def _entry_hours(config: HospitalConfig, ward: Ward) -> np.ndarray:
    """f8[7, 24]: weights of the hours of the week in which patients take a bed in a ward: the profiles of its streams;
    flat in a ward that has none."""
    streams = [stream for stream in config.arrival_streams if stream.target_ward == ward.id]
    weeks = [week / week.sum(axis=1, keepdims=True) for week in map(weekly_profile, streams)]
    return np.mean(weeks, axis=0) if weeks else FLAT
