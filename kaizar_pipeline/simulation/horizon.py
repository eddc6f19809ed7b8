"""The hours and dates of a plan."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from kaizar_pipeline.config.fields import HOURS_PER_DAY


class Horizon(NamedTuple):
    """The time of a plan: `days` dates that count from `start` on, a full hour of the first of them, after
    `warmup_days` days of 24 hours that repeat the first week."""

    start: pd.Timestamp
    days: int
    warmup_days: int = 0

    @property
    def first(self) -> pd.Timestamp:
        """Where the warm-up begins."""
        return self.start - pd.Timedelta(days=self.warmup_days)

    @property
    def hours(self) -> int:
        """Hours that count: to the midnight that ends the last date."""
        return self.days * HOURS_PER_DAY - self.start.hour

    @property
    def dates(self) -> pd.DatetimeIndex:
        """Those that count."""
        return pd.date_range(self.start.normalize(), periods=self.days, unit="us")

    @property
    def hours_by_date(self) -> np.ndarray:
        """i8[days]: hours of each date that count."""
        return np.where(np.arange(self.days) == 0, HOURS_PER_DAY - self.start.hour, HOURS_PER_DAY)

    @property
    def day_index(self) -> np.ndarray:
        """i8[warm-up and days]: for each date of the run, the date that counts whose rates it has."""
        warmup = np.arange(-self.warmup_days, 0) % min(7, self.days)
        if self.start.hour and self.days > 7:
            warmup[warmup == 0] = 7  # the rates of a day that has begun are those of its rest
        return np.concatenate([warmup, np.arange(self.days)])
