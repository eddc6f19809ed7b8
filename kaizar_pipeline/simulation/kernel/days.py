"""Days on which a ward is full or reaches a level at some hour: of one replication, and added up over many.

A level axis K has full first, then the levels of each row of the ward axis from the lowest on. A span axis S has the
weeks of seven dates from as_of on, the last of which may be shorter, and then the whole horizon.
"""

from kaizar_pipeline.simulation.kernel.arrays import Flags, Indices, Integers, SmallIntegers
from kaizar_pipeline.simulation.kernel.compiling import compiled
from kaizar_pipeline.simulation.trajectories import DAYS_PER_SPAN, FULL_LEVEL


@compiled
def count_days(
    census: SmallIntegers,
    thresholds: SmallIntegers,
    least: SmallIntegers,
    begun: int,
    full_hours: Integers,
    reached: Flags,
) -> None:
    """Of one row of the ward axis, from its `census` i4[H] and `thresholds` i4[K, H]: the `full_hours`
    i8[D] of each date, and whether it `reached` bool[K, D] each level at some hour; `begun` hours of the first date lie
    before. A day whose peak is below the `least` i4[K, D] of its thresholds needs no second look."""
    for day in range(len(full_hours)):
        first = max(24 * day - begun, 0)
        in_day = census[first : 24 * day + 24 - begun]
        full_from = thresholds[FULL_LEVEL][first : 24 * day + 24 - begun]
        peak, hours = 0, 0
        for h in range(len(in_day)):
            peak = max(peak, in_day[h])
            hours += in_day[h] >= full_from[h]
        full_hours[day] = hours
        reached[FULL_LEVEL, day] = hours > 0
        for k in range(1, len(thresholds)):
            is_reached = False
            if peak >= least[k, day]:
                level_from = thresholds[k][first : 24 * day + 24 - begun]
                h = 0
                while not is_reached and h < len(in_day):
                    is_reached = in_day[h] >= level_from[h]
                    h += 1
            reached[k, day] = is_reached


@compiled
def add_days(
    reached: Flags, full_hours: Integers, tally: Indices, spans: Indices, days: Integers, hours: Integers
) -> None:
    """Add what `count_days` found in one row of the ward axis to its tallies: `tally` u4[K, D], replications that reach
    each level; `spans` u4[K, S], those that do at some hour of each span; `days` i8[2, K, S], days full, and days of
    which each other level is the highest, with squares; `hours` i8[2, D + S], hours full of each date, then of each
    span, likewise."""
    levels, dates = reached.shape
    last = spans.shape[1] - 1
    for day in range(dates):
        _add_square(hours, day, full_hours[day])
        for k in range(levels):
            tally[k, day] += reached[k, day]
    for span in range(last + 1):
        first = 0 if span == last else DAYS_PER_SPAN * span
        end = dates if span == last else min(first + DAYS_PER_SPAN, dates)
        in_span = 0
        for day in range(first, end):
            in_span += full_hours[day]
        _add_square(hours, dates + span, in_span)
        for k in range(levels):
            is_reached, highest = False, 0
            for day in range(first, end):
                is_reached |= reached[k, day]
                is_higher = k != FULL_LEVEL and k + 1 < levels and reached[k + 1, day]
                highest += reached[k, day] and not is_higher
            spans[k, span] += is_reached
            days[0, k, span] += highest
            days[1, k, span] += highest * highest


@compiled
def _add_square(sums: Integers, place: int, value: int) -> None:
    sums[0, place] += value
    sums[1, place] += value * value
