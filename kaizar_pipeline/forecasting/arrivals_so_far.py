"""Arrivals so far on the day of as_of, which say something of its rest.

A day of a forecast stream has a factor of its own, gamma with mean 1 and variance 1/k. After n arrivals where E were
expected by now, it is gamma with shape k + n and rate k + E: the rest of a day that began busy is expected to be
busier. The level of the days after is left as it is (docs/explanation/forecasting.md).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import weekly_profile
from kaizar_pipeline.config.hospital import HospitalConfig

MOST_MISSED = 14.0
"""Expected arrivals from which on none at all means that they are not recorded yet: by chance, e^-14."""


class SoFar(NamedTuple):
    """A stream on the day of as_of."""

    arrivals: int
    """Before as_of."""
    share: float
    """Part of a day's arrivals that is due by then."""

    def is_known(self, rate: float) -> bool:
        """Whether these can be all arrivals, at a mean of `rate` per day."""
        return self.arrivals > 0 or rate * self.share < MOST_MISSED

    def of_fixed(self, rate: float) -> float:
        """The rate, per whole day, of the rest of a day on which exactly `rate` patients come."""
        return max(rate - self.arrivals, 0.0) / (1 - self.share) if self.share < 1 else 0.0


def arrivals_so_far(patients: pd.DataFrame, config: HospitalConfig) -> dict[str, SoFar]:
    """By stream id; nothing at midnight. The streams of `config` have their hours of arrival, learned ones too
    (`with_learned_hours`)."""
    as_of = pd.Timestamp(patients["as_of"].iloc[0])
    if as_of.hour == 0:
        return {}
    today = patients.loc[patients["arrival"] >= as_of.normalize(), "stream_id"].value_counts()
    found = {}
    for stream in config.arrival_streams:
        weights = weekly_profile(stream)[as_of.day_of_week]
        found[stream.id] = SoFar(int(today.get(stream.id, 0)), float(weights[: as_of.hour].sum() / weights.sum()))
    return found


def given_so_far(so_far: SoFar, rates: np.ndarray, inv_k: float, chance: np.ndarray) -> np.ndarray:
    """The day's own factor f8[paths] where `rates` f8[paths] are those without it, at the probabilities `chance`."""
    from scipy.special import gammaincinv

    return gammaincinv(1 / inv_k + so_far.arrivals, chance) / (1 / inv_k + rates * so_far.share)
