"""Count last: from the stays of one replication to hourly census, daily peaks, and what patients met in each ward.

Index W of a ward axis is the whole house, index T of a type axis all patients together. Everything that is added up
over replications is a whole number, so the order of adding changes nothing; KPIs are kept per replication.
"""

from math import ceil
from typing import NamedTuple

import numpy as np

from kaizar_pipeline.simulation.kernel.compiling import compiled, index, step
from kaizar_pipeline.simulation.trajectories import DIVERTED, LEFT, NOWHERE
from kaizar_pipeline.tables.kpis import KPIS

HOURS_PER_WEEK = 168

WAITING, BOARDING, OUTLIERS = range(3)
"""Rows of `Counted.others`."""

QUEUED = 6
"""Row of `Tallies.others` behind the sums and the sums of squares of each of those."""

CENSUS_IN_WEEK, FULL_IN_WEEK = range(2)
"""Rows of `Counted.week`; `Tallies.week` holds their sums, then their squares."""

(
    REQUESTS, ADMITTED, TURNED_AWAY, LEFT_UNSEEN, OUTLIED, WAIT_MEAN, WAIT_P50, WAIT_P95, WAIT_MAX, STILL_WAITING,
    BOARDED, BOARDING_CAUSED, THROUGHPUT, ALOS, BED_DAYS, OCCUPANCY, HOURS_FULL, DAYS_FULL, DAYS_ABOVE_95,
) = range(len(KPIS))  # fmt: skip

DIGIT_BITS, DIGITS = 11, 6
"""Waits are sorted by so many bits at a time, so often: an even number of times covers all 64."""

WAITED, WAITED_SOME = len(KPIS), len(KPIS) + 1
"""Two more sums than there are KPIs: patients whose wait counts, and those whose wait was above zero."""


class Window(NamedTuple):
    """What counts, and against which beds."""

    hours: int
    """Hours of the whole run, warm-up included."""
    warmup: int
    hour_of_week: int
    """Of the first hour that counts."""
    staffed: np.ndarray
    """i4[W + 1, H]: beds staffed at each hour that counts."""
    bed_hours: np.ndarray
    """i8[W + 1]: their sum; -1 where beds are ever unlimited."""


class Counted(NamedTuple):
    """One replication, counted."""

    census: np.ndarray
    """i4[W + 1, hours + 1]: patients in beds at each hour, warm-up included."""
    highest: np.ndarray
    """i8[W + 1]: highest census in any hour that counts."""
    others: np.ndarray
    """i4[3, W + 1, hours + 1]: waiting for, boarding in, outliers in the ward."""
    is_any: np.ndarray
    """bool[3, W + 1]: whether there ever are any; if not, all those numbers are zero."""
    week: np.ndarray
    """i8[2, W + 1, 168]: census summed over the weeks, and hours full."""
    sums: np.ndarray
    """f8[W + 1, T + 1, WAITED_SOME + 1]: numerators of the KPIs."""
    wait: np.ndarray
    """f8[stays]: waits above zero"""
    wait_ward: np.ndarray
    """u4[stays]"""
    wait_type: np.ndarray
    """u4[stays]"""
    wait_bits: np.ndarray
    """u8[stays]: the waits' own memory, read as whole numbers."""
    wait_order: np.ndarray
    """u4[2, stays]: places of those waits while they are sorted."""
    digit_place: np.ndarray
    """u4[2**DIGIT_BITS + 1]: room to sort them."""
    wait_rank: np.ndarray
    """i8[3, W + 1, T + 1]: rank of the median and of the 95th percentile among waits above zero, and ranks passed."""


class Tallies(NamedTuple):
    """Many replications, added up. Beds of ward w lie at start[w] .. start[w + 1], as many as were ever needed; the
    hours of each number of beds lie side by side, since the census seldom moves from one hour to the next."""

    start: np.ndarray
    """i8[W + 2]"""
    census: np.ndarray
    """u4[start[-1] * H]: replications by ward, beds used and hour."""
    peaks: np.ndarray
    """u4[start[-1] * D]: replications by ward, highest hourly census and day."""
    others: np.ndarray
    """i8[7, W + 1, H]: waiting, boarding, outliers summed, then their squares, then replications with a queue."""
    week: np.ndarray
    """i8[4, W + 1, 168]: census and hours full by hour of the week, then the squares of both."""


class Records(NamedTuple):
    """What is known of each of n replications by itself."""

    kpis: np.ndarray
    """f8[n, W + 1, T + 1, KPIS]"""
    boarded: np.ndarray
    """f8[n, W, W]: hours that beds of the first ward were held by patients waiting for the second."""
    peaks: np.ndarray
    """i4[n, W + 1, D]: highest hourly census of each day that counts."""
    demand_peaks: np.ndarray
    """i4[n, W + 1, D]: the same of the demand run; zero without one."""


@step
def count_census(window, stays, counted):
    """The hourly census of every ward and of the house, and the highest; nothing else, for the demand run."""
    counted.census[:] = 0
    for s in range(len(stays.admit)):
        if stays.used_ward[s] != NOWHERE:
            _mark(counted.census[index(stays.used_ward[s])], stays.admit[s], stays.depart[s], window.hours)
    _add_up_census(window, counted)


@compiled
def _add_up_census(window, counted):
    """From steps to patients at each hour, the whole house, and the highest."""
    census, hours = counted.census, window.hours
    wards = len(census) - 1
    for w in range(wards):
        now = 0
        for h in range(hours):
            now += census[w, h]
            census[w, h] = now
            census[wards, h] += now
    for w in range(wards + 1):
        highest = 0
        for now in census[w][window.warmup : hours]:
            highest = max(highest, now)
        counted.highest[w] = highest


@compiled
def _mark(steps, start, end, hours):
    """Let the intervals that hold each hour be one more from `start` up to, and not including, `end`."""
    first = index(ceil(min(max(start, 0.0), float(hours))))
    last = index(ceil(min(max(end, 0.0), float(hours))))
    steps[first] += 1  # nothing in all, where they are the same
    steps[last] -= 1


@step
def count_stays(window, drawn, stays, counted, kpis, boarded):
    """The hourly census and the highest; who waits, boards and lies out where at each hour; the KPIs f8[W + 1, T + 1,
    KPIS]; and the hours boarded f8[W, W] by ward and next ward."""
    _forget_others(counted)
    counted.census[:] = 0
    counted.sums[:] = 0.0
    boarded[:] = 0.0
    waits = 0
    for p in range(len(drawn.patient_type)):
        for stay in range(drawn.offset[p], drawn.offset[p + 1]):
            s, has_next = index(stay), stay + 1 < drawn.offset[p + 1]
            if stays.request[s] == np.inf:
                break
            waits = _count_request(window, drawn, stays, counted, p, s, waits)
            if stays.used_ward[s] != NOWHERE:
                _count_bed(window, drawn, stays, counted, boarded, p, s, has_next)
    _add_up_census(window, counted)
    _add_up_others(window, counted)
    _count_weeks(window, counted)
    _sum_totals(counted.sums)
    _wait_quantiles(counted, waits, kpis)
    _finish_kpis(window, counted, kpis)


@compiled
def _forget_others(counted):
    """Take back the last replication's."""
    for kind in range(3):
        for w in range(counted.others.shape[1]):
            if counted.is_any[kind, w]:
                counted.others[kind, w] = 0
                counted.is_any[kind, w] = False


@compiled
def _mark_other(window, counted, kind, ward, start, end):
    counted.is_any[kind, ward] = True
    _mark(counted.others[kind, ward], start, end, window.hours)


@compiled
def _count_request(window, drawn, stays, counted, p, s, waits):
    """Count the request of a stay and the wait that followed; how many waits above zero there are now."""
    ward, patient_type = index(drawn.planned_ward[s]), index(drawn.patient_type[p])
    request, admit = stays.request[s], stays.admit[s]
    until = min(admit, stays.depart[s])
    if until > request:
        _mark_other(window, counted, WAITING, ward, request, until)
    if request < window.warmup:
        return waits
    sums = counted.sums[ward, patient_type]
    if admit < np.inf:
        if stays.used_ward[s] != ward:
            sums[OUTLIED] += 1
    elif stays.status[p] == DIVERTED:
        sums[TURNED_AWAY] += 1
        return waits
    elif stays.status[p] == LEFT:
        sums[LEFT_UNSEEN] += 1
    else:
        sums[STILL_WAITING] += 1
    sums[WAITED] += 1
    if until > request:
        wait = min(until, float(window.hours)) - request
        sums[WAITED_SOME] += 1
        sums[WAIT_MEAN] += wait
        sums[WAIT_MAX] = max(sums[WAIT_MAX], wait)
        place = index(waits)
        counted.wait[place] = wait
        counted.wait_ward[place] = ward
        counted.wait_type[place] = patient_type
        waits += 1
    return waits


@compiled
def _count_bed(window, drawn, stays, counted, boarded, p, s, has_next):
    """Count the bed that a stay was in, and for what."""
    ward, patient_type = index(stays.used_ward[s]), index(drawn.patient_type[p])
    admit, ready, depart = stays.admit[s], stays.ready[s], stays.depart[s]
    _mark(counted.census[ward], admit, depart, window.hours)
    if ward != drawn.planned_ward[s]:
        _mark_other(window, counted, OUTLIERS, ward, admit, depart)
    sums = counted.sums[ward, patient_type]
    if has_next and ready < depart:
        _mark_other(window, counted, BOARDING, ward, ready, depart)
        hours, next_ward = _overlap(window, ready, depart), index(drawn.planned_ward[s + 1])
        sums[BOARDED] += hours
        counted.sums[next_ward, patient_type, BOARDING_CAUSED] += hours
        boarded[ward, next_ward] += hours
    sums[BED_DAYS] += _overlap(window, admit, depart) / 24
    if window.warmup <= depart < window.hours:
        sums[THROUGHPUT] += 1
        sums[ALOS] += depart - admit


@compiled
def _overlap(window, start, end):
    """Hours of an interval that count."""
    return max(min(end, float(window.hours)) - max(start, float(window.warmup)), 0.0)


@compiled
def _add_up_others(window, counted):
    """From steps to patients at each hour, and the whole house."""
    others = counted.others
    wards = others.shape[1] - 1
    for kind in range(3):
        for w in range(wards):
            if counted.is_any[kind, w]:
                counted.is_any[kind, wards] = True
                now = 0
                for h in range(window.hours):
                    now += others[kind, w, h]
                    others[kind, w, h] = now
                    others[kind, wards, h] += now


@compiled
def _count_weeks(window, counted):
    counted.week[:] = 0
    hours = window.hours - window.warmup
    for w in range(len(counted.census)):
        for first in range(-window.hour_of_week, hours, HOURS_PER_WEEK):  # weeks, the first of which may have begun
            begin, end = max(first, 0), min(first + HOURS_PER_WEEK, hours)
            census = counted.census[w][window.warmup + begin : window.warmup + end]
            staffed = window.staffed[w][begin:end]
            in_week = counted.week[CENSUS_IN_WEEK, w][begin - first : end - first]
            full_in_week = counted.week[FULL_IN_WEEK, w][begin - first : end - first]
            for i in range(len(census)):
                in_week[i] += census[i]
                full_in_week[i] += census[i] >= staffed[i]


@compiled
def _sum_totals(sums):
    """All types together, then the whole house; waits have a maximum."""
    wards, types, size = sums.shape
    for w in range(wards - 1):
        for t in range(types - 1):
            for k in range(size):
                _join(sums[w, types - 1], sums[w, t], k)
        for t in range(types):
            for k in range(size):
                _join(sums[wards - 1, t], sums[w, t], k)


@compiled
def _join(total, part, k):
    total[k] = max(total[k], part[k]) if k == WAIT_MAX else total[k] + part[k]


@compiled
def _wait_quantiles(counted, waits, kpis):
    """Inverted-CDF median and 95th percentile of the waits of each ward and type: the ranks that fall among the waits
    above zero are met as these go by in order."""
    wards, types = counted.sums.shape[0] - 1, counted.sums.shape[1] - 1
    ranks = counted.wait_rank
    for w in range(wards + 1):
        for t in range(types + 1):
            n = counted.sums[w, t, WAITED]
            zeros = np.int64(n) - np.int64(counted.sums[w, t, WAITED_SOME])
            ranks[0, w, t] = np.int64(max(ceil(0.5 * n - 1e-9), 1)) - zeros
            ranks[1, w, t] = np.int64(max(ceil(0.95 * n - 1e-9), 1)) - zeros
            kpis[w, t, WAIT_P50] = 0.0 if n > 0 else np.nan
            kpis[w, t, WAIT_P95] = 0.0 if n > 0 else np.nan
    ranks[2] = 0
    _sort_waits(counted, waits)
    for i in counted.wait_order[0, :waits]:
        for w in (counted.wait_ward[i], index(wards)):
            for t in (counted.wait_type[i], index(types)):
                ranks[2, w, t] += 1
                if ranks[2, w, t] == ranks[0, w, t]:
                    kpis[w, t, WAIT_P50] = counted.wait[i]
                if ranks[2, w, t] == ranks[1, w, t]:
                    kpis[w, t, WAIT_P95] = counted.wait[i]


@compiled
def _sort_waits(counted, waits):
    """Put the places of the waits in `wait_order[0]`, the shortest first: doubles above zero are in the order of the
    whole numbers that their bits spell. However alike they are, it takes the same time."""
    place = counted.digit_place
    for i in range(waits):
        counted.wait_order[0, i] = i
    for digit in range(DIGITS):
        order, ordered = counted.wait_order[digit % 2, :waits], counted.wait_order[(digit + 1) % 2]
        place[:] = 0
        for i in range(waits):
            place[_digit(counted, i, digit) + 1] += 1
        for value in range(len(place) - 1):
            place[value + 1] += place[value]
        for i in order:
            value = _digit(counted, i, digit)
            ordered[place[value]] = i
            place[value] += 1


@compiled
def _digit(counted, i, digit):
    return index(counted.wait_bits[i] >> np.uint64(DIGIT_BITS * digit)) & index((1 << DIGIT_BITS) - 1)


@compiled
def _finish_kpis(window, counted, kpis):
    """From sums to KPIs; NaN where there was nothing to measure."""
    wards, types = counted.sums.shape[0], counted.sums.shape[1]
    for w in range(wards):
        for t in range(types):
            sums, row = counted.sums[w, t], kpis[w, t]
            for k in (TURNED_AWAY, LEFT_UNSEEN, OUTLIED, BOARDED, BOARDING_CAUSED, THROUGHPUT, BED_DAYS):
                row[k] = sums[k]
            row[REQUESTS] = sums[WAITED] + sums[TURNED_AWAY]
            row[ADMITTED] = sums[WAITED] - sums[LEFT_UNSEEN] - sums[STILL_WAITING]
            some = sums[WAITED] > 0
            row[WAIT_MEAN] = sums[WAIT_MEAN] / sums[WAITED] if some else np.nan
            row[STILL_WAITING] = sums[STILL_WAITING] / sums[WAITED] if some else np.nan
            row[WAIT_MAX] = sums[WAIT_MAX] if some else np.nan
            row[ALOS] = sums[ALOS] / sums[THROUGHPUT] if sums[THROUGHPUT] > 0 else np.nan
            for k in (OCCUPANCY, HOURS_FULL, DAYS_FULL, DAYS_ABOVE_95):
                row[k] = np.nan
        census = counted.census[w][window.warmup : window.hours]
        _occupancy_kpis(census, window.staffed[w], window.bed_hours[w], kpis[w, types - 1])


@compiled
def _occupancy_kpis(census, staffed, bed_hours, row):
    """The KPIs that compare use with staffed beds, hour by hour; NaN for unlimited wards."""
    if bed_hours < 0:
        return
    hours_full, days_full, days_above = 0, 0, 0
    for h in range(len(staffed)):
        hours_full += census[h] >= staffed[h]
    for first in range(0, len(staffed), 24):
        is_full, is_above, h = False, False, first
        while h < first + 24 and not (is_full and is_above):
            is_full |= census[h] >= staffed[h]
            is_above |= census[h] > 0.95 * staffed[h]
            h += 1
        days_full += is_full
        days_above += is_above
    row[OCCUPANCY] = row[BED_DAYS] * 24 / bed_hours if bed_hours > 0 else np.nan
    row[HOURS_FULL] = hours_full / len(staffed)
    row[DAYS_FULL] = days_full
    row[DAYS_ABOVE_95] = days_above


@compiled
def fits(counted, tallies):
    """Whether the tallies have room for the highest census of every ward."""
    enough = True
    for w in range(len(counted.highest)):
        enough &= counted.highest[w] < tallies.start[w + 1] - tallies.start[w]
    return enough


@compiled
def add_census(window, counted, tallies, peaks):
    """Add a replication to the histograms of hourly census and daily peaks, and note its `peaks` i4[W + 1, D]."""
    hours = window.hours - window.warmup
    days = hours // 24
    for w in range(len(counted.census)):
        census = counted.census[w][window.warmup : window.hours]
        by_hour = tallies.census[tallies.start[w] * hours : tallies.start[w + 1] * hours]
        by_day = tallies.peaks[tallies.start[w] * days : tallies.start[w + 1] * days]
        for day in range(days):
            peak = 0
            for h in range(24 * day, 24 * day + 24):
                by_hour[np.uint64(census[h] * hours + h)] += 1
                peak = max(peak, census[h])
            by_day[np.uint64(peak * days + day)] += 1
            peaks[w, day] = peak


@compiled
def add_others(window, counted, tallies):
    """Add a replication to the sums of who waits, boards and lies out, and to the profile of the week."""
    for w in range(len(counted.census)):
        for kind in range(3):
            if counted.is_any[kind, w]:
                others = counted.others[kind, w][window.warmup : window.hours]
                _add_squares(others, tallies.others[kind, w], tallies.others[3 + kind, w])
        if counted.is_any[WAITING, w]:
            waiting, queued = counted.others[WAITING, w][window.warmup : window.hours], tallies.others[QUEUED, w]
            for h in range(len(waiting)):
                queued[h] += waiting[h] > 0
        for kind in range(2):
            _add_squares(counted.week[kind, w], tallies.week[kind, w], tallies.week[2 + kind, w])


@compiled
def _add_squares(values, sums, squares):
    """Add values to their sums, and their squares to the sums of those."""
    for i in range(len(values)):
        value = np.int64(values[i])
        sums[i] += value
        squares[i] += value * value
