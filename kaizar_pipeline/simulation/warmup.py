"""Whether the warm-up is long enough: MSER-5 on the mean census, and a warning for the user where it is not.

A run that begins empty fills up; what counts should begin when it has. The rule is MSER-5 (White 1997, An effective
truncation heuristic for bias reduction in simulation output, Simulation 69): average the series in batches of 5, and
cut off as many as make the standard error of what is left smallest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kaizar_pipeline.config.fields import HOURS_PER_DAY, HOURS_PER_WEEK

BATCH = 5
"""Observations that are averaged first: the 5 in MSER-5."""

MATERIAL = 0.05
"""Share of the later census that may be missing on the first day that counts."""

NOISE = 3.0
"""Standard errors by which the census must fall short, so that chance gives no warning."""


def mser5(series: np.ndarray) -> int:
    """How many observations of f8[n] to cut off at the start: a multiple of 5, at most half of them."""
    batches = len(series) // BATCH
    means = np.asarray(series, dtype=np.float64)[: batches * BATCH].reshape(batches, BATCH).mean(axis=1)
    left = np.arange(batches, 0, -1)
    sums, squares = (np.cumsum(values[::-1])[::-1] for values in (means, means**2))
    spread = np.maximum(squares - sums**2 / left, 0.0) / left**2
    return BATCH * int(spread[: batches // 2 + 1].argmin()) if batches else 0


@dataclass(frozen=True)
class ShortWarmup:
    """A ward that is still filling up when the warm-up ends."""

    ward: str
    warmup_hours: int
    needed_hours: int
    """Warm-up that MSER-5 asks for."""
    at_least: bool
    """Whether the ward may need more: it filled up for as long as the rule could see."""
    shortfall: float
    """Share of the census missing on the first day that counts, against the same hours later."""

    def __str__(self) -> str:
        days, needed = self.warmup_hours // HOURS_PER_DAY, -(-self.needed_hours // HOURS_PER_DAY)
        return (
            f"ward {self.ward}: the warm-up of {days} days is too short: on the first day that counts "
            f"the census is {self.shortfall:.0%} below that of the same hours later; needed are "
            f"{'more than' if self.at_least else 'about'} {needed} days (simulation.warmup_days), or start: census"
        )


def diagnose(
    census_by_hour: np.ndarray, warmup_hours: int, ward_ids: Sequence[str], *, replications: int
) -> list[ShortWarmup]:
    """The wards whose warm-up is too short, by the mean census over `replications` of the hours that count, f8[W, H].

    From the earlier half of the hours that count, the mean of the same hours of the week over the later half (in whole
    weeks) is taken away. A ward is named if MSER-5 would cut off some of what is left, and the census of the first day
    falls short of the later one by a material share and by more than chance explains (the variance of a census is at
    most about its mean, as it is without a limit of beds). MSER-5 sees a quarter of the hours that count, so where a
    ward fills up for longer the answer is "more than". Its limits are in docs/explanation/simulation.md.
    """
    later_weeks = census_by_hour.shape[1] // HOURS_PER_WEEK // 2
    if later_weeks == 0:
        return []
    earlier = census_by_hour.shape[1] - later_weeks * HOURS_PER_WEEK
    same_hour = earlier + (np.arange(earlier) - earlier) % HOURS_PER_WEEK
    found = []
    for ward, census in zip(ward_ids, census_by_hour, strict=True):
        later = np.mean([census[same_hour + week * HOURS_PER_WEEK] for week in range(later_weeks)], axis=0)
        expected, first = later[:HOURS_PER_DAY].mean(), census[:HOURS_PER_DAY].mean()
        chance = NOISE * np.sqrt(expected * (1 + 1 / later_weeks) / replications)
        cut = mser5(census[:earlier] - later)
        if cut > 0 and expected - first > max(MATERIAL * expected, chance):
            found.append(
                ShortWarmup(
                    ward=ward,
                    warmup_hours=warmup_hours,
                    needed_hours=warmup_hours + cut,
                    at_least=cut == earlier // BATCH // 2 * BATCH,  # all that the rule may cut off
                    shortfall=float((expected - first) / expected),
                )
            )
    return found
