"""When patients leave wards: the clocks of discharges and transfers, and the factors of good and bad days."""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from kaizar_pipeline.config.fields import (
    HOURS_PER_DAY,
    MAPPING_TAG,
    NAME_TAG,
    WEEKDAYS,
    Model,
    NonNegative,
    Share,
    Weekday,
)

SATURDAY = 5
"""First day of the weekend; public holidays count as Sundays."""


class Clock(Model):
    """How the chance of leaving varies over the week: relative weights of the hours; public holidays are Sundays."""

    hours: Annotated[tuple[NonNegative, ...], Field(min_length=HOURS_PER_DAY, max_length=HOURS_PER_DAY)] = (1.0,) * 24
    """Weights of a day's 24 hours. Default: flat."""
    weekend_hours: Annotated[tuple[NonNegative, ...], Field(max_length=HOURS_PER_DAY)] = ()
    """The same for Saturdays and Sundays, scaled to the same mean. Default: as `hours`."""
    weekday: dict[Weekday, NonNegative] = Field(default_factory=dict)
    """Factors by weekday. Default: 1."""

    @property
    def week(self) -> np.ndarray:
        """f8[7, 24], Monday first: the weight of each hour, mean 1."""
        working, weekend = np.array(self.hours), np.array(self.weekend_hours or self.hours)
        days = np.array([self.weekday.get(day, 1.0) for day in WEEKDAYS])
        is_weekend = np.arange(len(WEEKDAYS)) >= SATURDAY
        week = days[:, None] * np.where(is_weekend[:, None], weekend / weekend.mean(), working / working.mean())
        return week / week.mean()

    @model_validator(mode="after")
    def _can_be_left(self) -> Self:
        if self.weekend_hours and len(self.weekend_hours) != HOURS_PER_DAY:
            raise ValueError(f"weekend_hours: {len(self.weekend_hours)} numbers, allowed: {HOURS_PER_DAY}")
        if not sum(self.hours) or (self.weekend_hours and not sum(self.weekend_hours)):
            raise ValueError("all hours of a day are zero; for days without discharges use `weekday`")
        if not sum(self.weekday.get(day, 1.0) for day in WEEKDAYS):
            raise ValueError("every weekday is zero, so that nobody would ever leave")
        return self


class DayFactor(Model):
    """How the chance of leaving varies from day to day for all patients of a ward: log-normal factors of mean 1."""

    sd: Annotated[float, Field(gt=0, le=1)]
    """Standard deviation of the logarithm."""
    autocorrelation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Correlation of one day's logarithm with the next day's. Default: 0."""
    shared: Share = 0.0
    """Share of the variance that is common to all wards. Default: 0."""


def _form(value: object) -> str:
    return MAPPING_TAG if isinstance(value, dict | Model) else NAME_TAG


_LearnedOrNone = Literal["from_data", "none"]
ClockSetting = Annotated[
    Annotated[_LearnedOrNone, Tag(NAME_TAG)] | Annotated[Clock, Tag(MAPPING_TAG)], Discriminator(_form)
]
GivenClock = Annotated[
    Annotated[Literal["none"], Tag(NAME_TAG)] | Annotated[Clock, Tag(MAPPING_TAG)], Discriminator(_form)
]
DayFactorSetting = Annotated[
    Annotated[_LearnedOrNone, Tag(NAME_TAG)] | Annotated[DayFactor, Tag(MAPPING_TAG)], Discriminator(_form)
]
