"""How many patients make a ward full or bring it to a level, hour by hour, and the weeks of a plan that are alike."""

from collections.abc import Sequence

import numpy as np

from kaizar_pipeline.config.fields import HOURS_PER_WEEK
from kaizar_pipeline.config.levels import Level
from kaizar_pipeline.simulation.counting import staffed_with_totals
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan


def full_from(staffed: np.ndarray) -> np.ndarray:
    """Patients from whom on a row is full: all staffed beds, and of a closed ward the first patient."""
    return np.maximum(staffed, 1)


def thresholds(staffed: np.ndarray, ladders: Sequence[Sequence[Level]]) -> np.ndarray:
    """i8[A, K, H]: patients from whom on each row is full, and then at each level of its ladder, for the `staffed` beds
    i8[A, H]; UNLIMITED where there is no such number, and where a ladder has fewer levels than others. A level never
    begins below the one before it."""
    found = np.full((len(staffed), 1 + max(map(len, ladders), default=0), staffed.shape[1]), UNLIMITED, dtype=np.int64)
    found[:, 0] = full_from(staffed)
    for row, ladder in enumerate(ladders):
        for k, level in enumerate(ladder, start=1):
            numbers, place = np.unique(staffed[row], return_inverse=True)
            begins = [_patients(level, int(beds)) for beds in numbers]
            found[row, k] = np.array(begins)[place]
            if k > 1:
                found[row, k] = np.maximum(found[row, k], found[row, k - 1])
    return found


def _patients(level: Level, staffed: int) -> int:
    return UNLIMITED if level.share is not None and staffed == UNLIMITED else level.patients(staffed)


def plan_thresholds(plan: Plan) -> np.ndarray:
    """The `thresholds` of a plan, at each hour that counts."""
    return thresholds(staffed_with_totals(plan), plan.ladders)


def lowest_of_dates(values: np.ndarray, begun: int) -> np.ndarray:
    """[..., D] from [..., H]: the lowest of each date, of the first of which `begun` hours lie before."""
    starts = np.maximum(np.arange(0, begun + values.shape[-1], 24) - begun, 0)
    return np.minimum.reduceat(values, starts, axis=-1)


def highest_of_dates(values: np.ndarray, begun: int) -> np.ndarray:
    """The highest, likewise."""
    return -lowest_of_dates(-values, begun)


def profile_weeks(plan: Plan) -> np.ndarray:
    """bool[A, weeks]: the weeks that the profile of the week shows: of the whole ones from as_of on, without the first,
    those with the most frequent calendar of staffed beds, of equally frequent ones the earlier. None where there is no
    such week."""
    staffed = staffed_with_totals(plan)
    whole = staffed.shape[1] // HOURS_PER_WEEK
    chosen = np.zeros((len(staffed), -(-staffed.shape[1] // HOURS_PER_WEEK)), dtype=bool)
    begins = range(HOURS_PER_WEEK, whole * HOURS_PER_WEEK, HOURS_PER_WEEK)
    for row, beds in enumerate(staffed):
        calendars = [beds[first : first + HOURS_PER_WEEK].tobytes() for first in begins]
        if calendars:
            typical = max(calendars, key=calendars.count)  # the first of equally frequent ones
            chosen[row, 1:whole] = [calendar == typical for calendar in calendars]
    return chosen


def profile_hours(plan: Plan) -> np.ndarray:
    """bool[A, H]: the hours of `profile_weeks`; all where there is no such week."""
    weeks = profile_weeks(plan)
    hours = np.repeat(weeks, HOURS_PER_WEEK, axis=1)[:, : plan.statistics_hours]
    return hours | ~weeks.any(axis=1, keepdims=True)
