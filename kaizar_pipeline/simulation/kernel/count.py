"""Count: from the stays of one replication to hourly census, daily peaks and KPIs.

A ward axis A has the wards, the groups of wards and last the whole hospital; index T of a type axis is all patients
together. Requests and stays are counted by ward, and those of a group are its wards'; over the whole hospital a patient
counts once, with all of the patient's waits. Everything that is added up over
replications is an integer, so the order of adding changes nothing; KPIs are kept per replication.
"""

from collections import namedtuple
from math import ceil
from typing import NamedTuple

import numpy as np

from kaizar_pipeline.config.fields import HOURS_PER_WEEK
from kaizar_pipeline.simulation.kernel.arrays import Flags, Floats, Indices, Integers, SmallIntegers
from kaizar_pipeline.simulation.kernel.compiling import compiled, index, step
from kaizar_pipeline.simulation.kernel.days import add_days, count_days
from kaizar_pipeline.simulation.trajectories import (
    BOARDING,
    CENSUS,
    DISCHARGED,
    DIVERTED,
    FULL,
    FULL_LEVEL,
    IN_SYSTEM,
    LEFT,
    NOWHERE,
    OUTLIERS,
    WAITING,
    Stays,
    Trajectories,
)
from kaizar_pipeline.simulation.waits import BINS, FINE_BINS_PER_HOUR, FINE_HOURS, JOURNEY, LONGEST, OVER_HOURS
from kaizar_pipeline.tables.kpis import KPI_INDEX

KPI = namedtuple("KPI", KPI_INDEX)(**KPI_INDEX)
"""Position of each KPI by name, constant to the compiler."""

WAITED, WAITED_SOME, SUMS = len(KPI), len(KPI) + 1, len(KPI) + 2
"""Two more sums than there are KPIs: patients whose wait counts, and those whose wait was above zero."""

OF_BEDS = (KPI.boarding_hours, KPI.boarding_caused_hours, KPI.bed_days)
"""KPIs of the hospital that are the sums of its wards'; in the others a patient counts once."""


class Window(NamedTuple):
    """What counts, and against which beds."""

    hours: int
    """Hours of the whole run, warm-up included."""
    warmup: int
    hour_of_week: int
    """Of the first hour that counts; its date may have begun before."""
    staffed: SmallIntegers
    """i4[A, H]: beds staffed at each hour that counts."""
    bed_hours: Integers
    """i8[A]: their sum; -1 where beds are ever unlimited."""
    thresholds: SmallIntegers
    """i4[A, K, H]: patients from whom on a row is full, then at each of its levels; UNLIMITED for none."""
    least: SmallIntegers
    """i4[A, K, D]: the lowest of each date."""
    in_profile: Flags
    """bool[A, H]: the hours of the weeks that the profile of the week shows."""
    bin_ends: Floats
    """f8[BINS]: of waits."""
    first_bin: Indices
    """u4[LONGEST + 1]: by whole hours."""
    types: int
    streams: int
    is_member: Flags
    """bool[G + 1, W]: the wards of each group, and of the whole hospital: all."""


class Counted(NamedTuple):
    """One replication, counted."""

    census: SmallIntegers
    """i4[A, hours + 1]: patients in beds at each hour, warm-up included."""
    highest: Integers
    """i8[A]: highest census in any hour that counts."""
    others: SmallIntegers
    """i4[3, A, hours + 1]: WAITING, BOARDING, OUTLIERS."""
    is_any: Flags
    """bool[3, A]: whether there ever are any; if not, all those counts are zero."""
    week: Integers
    """i8[2, A, 168]: CENSUS and FULL, summed over the weeks of the profile."""
    full_hours: Integers
    """i8[A, D]: hours full of each date."""
    reached: Flags
    """bool[A, K, D]: whether it is full, then at each level, at some hour of each date."""
    sums: Floats
    """f8[A, T + 1, SUMS]: numerators of the KPIs."""
    wait_cell: Indices
    """u4[stays + patients]: where in `Tallies.waits` each wait above zero counts."""
    journey_cell: Indices
    """u4[2 patients]: likewise in `Tallies.journeys`."""
    cells: Integers
    """i8[2]: the numbers of both."""


class Tallies(NamedTuple):
    """Many replications, added up. Beds of ward w lie at start[w] .. start[w + 1], as many as were ever needed; the
    hours of each number of beds lie side by side, since the census seldom changes from one hour to the next."""

    start: Integers
    """i8[A + 1]"""
    census: Indices
    """u4[start[-1] * H]: replications by ward, beds used and hour."""
    peaks: Indices
    """u4[start[-1] * D]: replications by ward, highest hourly census and day."""
    others: Integers
    """i8[3, A, H]: WAITING, BOARDING, OUTLIERS, summed."""
    other_squares: Integers
    """i8[3, A, H]: their squares, summed."""
    queued: Integers
    """i8[A, H]: replications in which somebody waits."""
    week: Integers
    """i8[2, A, 168]: CENSUS and FULL by hour of the week from Monday 0:00, each replication's weeks added up."""
    week_squares: Integers
    """i8[2, A, 168]: the squares of those sums, summed."""
    reached: Indices
    """u4[A, K, D]: replications that are full, or at each level, at some hour of each date."""
    reached_spans: Indices
    """u4[A, K, S]: the same at some hour of each span."""
    level_days: Integers
    """i8[A, 2, K, S]: days full, and days of which each level is the highest, summed, and their squares."""
    full_hours: Integers
    """i8[A, 2, D + S]: hours full of each date, then of each span, summed, and their squares."""
    waits: Integers
    """i8[A * T * BINS]: waits by ward (of the hospital: patients, with all their waits), patient type and bin."""
    journeys: Integers
    """i8[2 * K * BINS]: patients who arrived by stream and bin, of the time to a first bed, then of that to leaving."""


class Records(NamedTuple):
    """What is known of each of n replications by itself."""

    kpis: Floats
    """f8[n, A, T + 1, KPIS]"""
    journeys: Floats
    """f8[n, K, JOURNEY]: sums over the patients who arrived, by stream."""
    boarded: Floats
    """f8[n, W, W]: hours that beds of the first ward were held by patients waiting for the second."""
    peaks: SmallIntegers
    """i4[n, A, D]: highest hourly census of each date that counts, in its hours that count."""
    demand_peaks: SmallIntegers
    """i4[n, A, D]: the same of the demand run; zero without one."""
    to_bed: Floats
    """f8[n, A]: mean hours to a bed of those who wait at the first instant that counts, NaN where nobody does; zero
    without a demand run."""


@step
def count_census(window: Window, stays: Stays, counted: Counted) -> None:
    """The hourly census of every ward and of the hospital, and the highest; nothing else, for the demand run."""
    counted.census[:] = 0
    for s in range(len(stays.admit)):
        if stays.used_ward[s] != NOWHERE:
            _mark(counted.census[index(stays.used_ward[s])], stays.admit[s], stays.depart[s], window.hours)
    _add_up_census(window, counted)


@compiled
def _add_up_census(window: Window, counted: Counted) -> None:
    """From steps to patients at each hour, those of the groups and of the whole hospital, and the highest."""
    census, hours = counted.census, window.hours
    wards = window.is_member.shape[1]
    for w in range(wards):
        _add_up(census[w], hours)
        for g in range(len(window.is_member)):
            if window.is_member[g, w]:
                _add(census[w], census[wards + g], hours)
    for w in range(len(census)):
        highest = 0
        for now in census[w][window.warmup : hours]:
            highest = max(highest, now)
        counted.highest[w] = highest


@compiled
def _add_up(steps: SmallIntegers, hours: int) -> None:
    """From steps to patients at each hour."""
    now = 0
    for h in range(hours):
        now += steps[h]
        steps[h] = now


@compiled
def _add(part: SmallIntegers, total: SmallIntegers, hours: int) -> None:
    for h in range(hours):
        total[h] += part[h]


@compiled
def _mark(steps: SmallIntegers, start: float, end: float, hours: int) -> None:
    """Let the intervals that hold each hour be one more from `start` up to, and not including, `end`."""
    first = index(ceil(min(max(start, 0.0), float(hours))))
    last = index(ceil(min(max(end, 0.0), float(hours))))
    steps[first] += 1  # nothing in all, where they are the same
    steps[last] -= 1


@step
def count_stays(window: Window, drawn: Trajectories, stays: Stays, counted: Counted, records: Records, r: int) -> None:
    """The hourly census and the highest; the other groups at each hour; the cells of waits and journeys; and into row
    `r` of `records` the KPIs, the journeys, and the hours boarded by ward and next ward."""
    _reset_others(counted)
    counted.census[:] = 0
    counted.sums[:] = 0.0
    counted.cells[:] = 0
    boarded, journeys = records.boarded[r], records.journeys[r]
    boarded[:] = 0.0
    journeys[:] = 0.0
    for p in range(len(drawn.patient_type)):
        waited = 0.0
        for stay in range(drawn.offset[p], drawn.offset[p + 1]):
            s = index(stay)
            if stays.request[s] == np.inf:
                break
            wait = _count_request(window, drawn, stays, counted, p, s)
            if wait > 0:
                _keep_wait(window, drawn, counted, index(drawn.planned_ward[s]), p, wait)
                waited += wait
            ward = stays.used_ward[s]
            if ward != NOWHERE:
                _count_bed(window, drawn, stays, counted, p, s)
                if stay + 1 < drawn.offset[p + 1] and stays.ready[s] < stays.depart[s]:
                    boarded[index(ward), index(drawn.planned_ward[s + 1])] += _count_boarding(
                        window, drawn, stays, counted, p, s
                    )
        _count_exit(window, drawn, stays, counted, p)
        if _has_arrived(window, drawn, stays, p):
            _count_patient(window, drawn, stays, counted, p, waited)
            _count_journey(window, drawn, stays, counted, journeys, p)
    _add_up_census(window, counted)
    _add_up_others(window, counted)
    for w in range(len(counted.census)):
        count_days(
            counted.census[w][window.warmup : window.hours], window.thresholds[w], window.least[w],
            window.hour_of_week % 24, counted.full_hours[w], counted.reached[w],
        )  # fmt: skip
    _count_weeks(window, counted)
    _sum_totals(window, counted.sums)
    _finish_kpis(window, counted, records.kpis[r])


@compiled
def _reset_others(counted: Counted) -> None:
    """Zero where the last replication left anything else."""
    for kind in range(3):
        for w in range(counted.others.shape[1]):
            if counted.is_any[kind, w]:
                counted.others[kind, w] = 0
                counted.is_any[kind, w] = False


@compiled
def _mark_other(window: Window, counted: Counted, kind: int, ward: int, start: float, end: float) -> None:
    counted.is_any[kind, ward] = True
    _mark(counted.others[kind, ward], start, end, window.hours)


@compiled
def _count_request(window: Window, drawn: Trajectories, stays: Stays, counted: Counted, p: int, s: int) -> float:
    """Count the request of a stay; the hours waited, where the wait counts."""
    ward, patient_type = index(drawn.planned_ward[s]), index(drawn.patient_type[p])
    request, admit = stays.request[s], stays.admit[s]
    until = min(admit, stays.depart[s])
    if until > request:
        _mark_other(window, counted, WAITING, ward, request, until)
    if request < window.warmup:
        return 0.0
    sums = counted.sums[ward, patient_type]
    if admit < np.inf:
        sums[KPI.admitted] += 1
        if stays.used_ward[s] != ward:
            sums[KPI.outliers] += 1
    elif stays.status[p] == DIVERTED:
        sums[KPI.turned_away] += 1
        return 0.0
    elif stays.status[p] == LEFT:
        sums[KPI.left] += 1
    else:
        sums[KPI.still_waiting_share] += 1
    wait = min(until, float(window.hours)) - request
    _add_wait(sums, wait)
    return wait


@compiled
def _add_wait(sums: Floats, wait: float) -> None:
    sums[WAITED] += 1
    if wait > 0:
        sums[WAITED_SOME] += 1
        sums[KPI.wait_mean_hours] += wait
        sums[KPI.wait_share_over_4h] += wait > OVER_HOURS[0]
        sums[KPI.wait_max_hours] = max(sums[KPI.wait_max_hours], wait)


@compiled
def _bin(window: Window, hours: float) -> int:
    """The bin of a wait."""
    if hours <= FINE_HOURS:
        return index(max(ceil(hours * FINE_BINS_PER_HOUR - 1e-9), 0))  # 1.1 hours are 11.000000000000002 bins
    place = index(window.first_bin[index(min(hours, LONGEST))])
    while place < BINS - 1 and window.bin_ends[place] < hours:
        place = index(place + 1)
    return place


@compiled
def _keep_wait(window: Window, drawn: Trajectories, counted: Counted, ward: int, p: int, wait: float) -> None:
    """Note where a wait above zero counts."""
    row = ward * window.types + drawn.patient_type[p]
    counted.wait_cell[index(counted.cells[0])] = row * BINS + _bin(window, wait)
    counted.cells[0] += 1


@compiled
def _has_arrived(window: Window, drawn: Trajectories, stays: Stays, p: int) -> bool:
    """Whether the patient came from outside, in the hours that count."""
    request = stays.request[index(drawn.offset[p])]
    return p >= drawn.n_census and window.warmup <= request < np.inf


@compiled
def _count_exit(window: Window, drawn: Trajectories, stays: Stays, counted: Counted, p: int) -> None:
    """Count a patient who goes home in the hours that count, and the hours since the first bed."""
    first, last = index(drawn.offset[p]), index(drawn.offset[p + 1] - 1)
    if stays.status[p] == DISCHARGED and stays.depart[last] >= window.warmup:
        sums = counted.sums[index(len(counted.sums) - 1), index(drawn.patient_type[p])]
        sums[KPI.throughput] += 1
        sums[KPI.alos_hours] += stays.depart[last] - stays.admit[first]


@compiled
def _count_patient(window: Window, drawn: Trajectories, stays: Stays, counted: Counted, p: int, waited: float) -> None:
    """Count a patient who arrived once for the whole hospital, with the hours `waited` in all."""
    hospital = index(len(counted.sums) - 1)
    sums = counted.sums[hospital, index(drawn.patient_type[p])]
    if stays.status[p] == DIVERTED:
        sums[KPI.turned_away] += 1
        return
    if stays.admit[index(drawn.offset[p])] < np.inf:
        sums[KPI.admitted] += 1
    if stays.status[p] == LEFT:
        sums[KPI.left] += 1
    for stay in range(drawn.offset[p], drawn.offset[p + 1]):
        used = stays.used_ward[index(stay)]
        if used != NOWHERE and used != drawn.planned_ward[index(stay)]:
            sums[KPI.outliers] += 1
            break
    if stays.status[p] == IN_SYSTEM:
        for stay in range(drawn.offset[p], drawn.offset[p + 1]):
            s = index(stay)
            if stays.request[s] < np.inf and stays.admit[s] == np.inf:
                sums[KPI.still_waiting_share] += 1
    _add_wait(sums, waited)
    if waited > 0:
        _keep_wait(window, drawn, counted, hospital, p, waited)


@compiled
def _count_journey(
    window: Window, drawn: Trajectories, stays: Stays, counted: Counted, journeys: Floats, p: int
) -> None:
    """Count a patient who arrived and was not diverted by stream: the hours until the first bed, and until leaving;
    those so far at the end of the horizon, and those until leaving without being seen."""
    if stays.status[p] == DIVERTED:
        return
    stream, first, last = drawn.stream[p], index(drawn.offset[p]), index(drawn.offset[p + 1] - 1)
    arrival, horizon = stays.request[first], float(window.hours)
    sums = journeys[index(stream)]
    sums[JOURNEY.patients] += 1
    end = stays.depart[first] if stays.status[p] == LEFT else stays.depart[last]
    sums[JOURNEY.present] += end == np.inf
    to_bed = min(min(stays.admit[first], end), horizon) - arrival
    to_exit = min(end, horizon) - arrival
    if to_bed > 0:
        sums[JOURNEY.bed_hours] += to_bed
        sums[JOURNEY.bed_over_4h] += to_bed > OVER_HOURS[0]
        sums[JOURNEY.bed_over_12h] += to_bed > OVER_HOURS[1]
    sums[JOURNEY.hospital_hours] += to_exit
    sums[JOURNEY.hospital_over_4h] += to_exit > OVER_HOURS[0]
    sums[JOURNEY.hospital_over_12h] += to_exit > OVER_HOURS[1]
    place = index(counted.cells[1])
    counted.journey_cell[place] = stream * BINS + _bin(window, to_bed)
    counted.journey_cell[index(place + 1)] = (window.streams + stream) * BINS + _bin(window, to_exit)
    counted.cells[1] += 2


@compiled
def _count_bed(window: Window, drawn: Trajectories, stays: Stays, counted: Counted, p: int, s: int) -> None:
    """Count the bed that a stay was in."""
    ward, admit, depart = index(stays.used_ward[s]), stays.admit[s], stays.depart[s]
    _mark(counted.census[ward], admit, depart, window.hours)
    if ward != drawn.planned_ward[s]:
        _mark_other(window, counted, OUTLIERS, ward, admit, depart)
    sums = counted.sums[ward, index(drawn.patient_type[p])]
    sums[KPI.bed_days] += _overlap(window, admit, depart) / 24
    if window.warmup <= depart < window.hours:
        sums[KPI.throughput] += 1
        sums[KPI.alos_hours] += depart - admit


@compiled
def _count_boarding(window: Window, drawn: Trajectories, stays: Stays, counted: Counted, p: int, s: int) -> float:
    """Count the wait for the next bed in the one held; its hours."""
    ward, next_ward = index(stays.used_ward[s]), index(drawn.planned_ward[s + 1])
    patient_type, ready, depart = index(drawn.patient_type[p]), stays.ready[s], stays.depart[s]
    _mark_other(window, counted, BOARDING, ward, ready, depart)
    hours = _overlap(window, ready, depart)
    counted.sums[ward, patient_type, KPI.boarding_hours] += hours
    counted.sums[next_ward, patient_type, KPI.boarding_caused_hours] += hours
    return hours


@compiled
def _overlap(window: Window, start: float, end: float) -> float:
    """Hours of an interval that count."""
    return max(min(end, float(window.hours)) - max(start, float(window.warmup)), 0.0)


@compiled
def _add_up_others(window: Window, counted: Counted) -> None:
    """From steps to patients at each hour, and those of the groups and of the whole hospital."""
    others = counted.others
    wards = window.is_member.shape[1]
    for kind in range(3):
        for w in range(wards):
            if counted.is_any[kind, w]:
                _add_up(others[kind, w], window.hours)
                for g in range(len(window.is_member)):
                    if window.is_member[g, w]:
                        counted.is_any[kind, wards + g] = True
                        _add(others[kind, w], others[kind, wards + g], window.hours)


@compiled
def _count_weeks(window: Window, counted: Counted) -> None:
    counted.week[:] = 0
    hours = window.hours - window.warmup
    for w in range(len(counted.census)):
        for first in range(-window.hour_of_week, hours, HOURS_PER_WEEK):  # weeks, the first of which may have begun
            begin, end = max(first, 0), min(first + HOURS_PER_WEEK, hours)
            census = counted.census[w][window.warmup + begin : window.warmup + end]
            full_from, shown = window.thresholds[w, FULL_LEVEL][begin:end], window.in_profile[w][begin:end]
            in_week = counted.week[CENSUS, w][begin - first : end - first]
            full_in_week = counted.week[FULL, w][begin - first : end - first]
            for i in range(len(census)):
                in_week[i] += shown[i] * census[i]
                full_in_week[i] += shown[i] & (census[i] >= full_from[i])


@compiled
def _sum_totals(window: Window, sums: Floats) -> None:
    """All types together, the wards of each group together, and over the whole hospital what is counted by bed."""
    rows, types = sums.shape[0], sums.shape[1]
    wards = window.is_member.shape[1]
    for w in range(rows):
        for t in range(types - 1):
            _join(sums[w, t], sums[w, types - 1])
    for w in range(wards):
        for t in range(types):
            for k in OF_BEDS:
                sums[rows - 1, t, k] += sums[w, t, k]
            for g in range(len(window.is_member) - 1):
                if window.is_member[g, w]:
                    _join(sums[w, t], sums[wards + g, t])


@compiled
def _join(part: Floats, together: Floats) -> None:
    """Add sums to others; waits have a maximum."""
    for k in range(len(part)):
        together[k] = max(together[k], part[k]) if k == KPI.wait_max_hours else together[k] + part[k]


@compiled
def _finish_kpis(window: Window, counted: Counted, kpis: Floats) -> None:
    """From sums to KPIs, each the sum itself by default; NaN where there was nothing to measure. Means over waits stay
    sums, to be divided when all replications are together."""
    wards, types = counted.sums.shape[0], counted.sums.shape[1]
    for w in range(wards):
        for t in range(types):
            sums, row = counted.sums[w, t], kpis[w, t]
            for k in range(len(row)):
                row[k] = sums[k]
            row[KPI.requests] = sums[WAITED] + sums[KPI.turned_away]
            row[KPI.wait_max_hours] = sums[KPI.wait_max_hours] if sums[WAITED] > 0 else np.nan
            row[KPI.alos_hours] = sums[KPI.alos_hours] / sums[KPI.throughput] if sums[KPI.throughput] > 0 else np.nan
            row[KPI.mean_occupancy] = row[KPI.hours_full_share] = np.nan
            row[KPI.days_any_hour_full] = row[KPI.days_above_95] = np.nan
        _occupancy_kpis(window, counted, w, kpis[w, types - 1])


@compiled
def _occupancy_kpis(window: Window, counted: Counted, ward: int, row: Floats) -> None:
    """The KPIs that compare use with staffed beds, hour by hour; NaN for unlimited wards."""
    staffed, bed_hours = window.staffed[ward], window.bed_hours[ward]
    if bed_hours < 0:
        return
    census = counted.census[ward][window.warmup : window.hours]
    days_above = 0
    for first in range(-(window.hour_of_week % 24), len(staffed), 24):  # dates, the first of which may have begun
        is_above, h = False, max(first, 0)
        while h < first + 24 and not is_above:
            is_above = census[h] > 0.95 * staffed[h]
            h += 1
        days_above += is_above
    row[KPI.mean_occupancy] = row[KPI.bed_days] * 24 / bed_hours if bed_hours > 0 else np.nan
    row[KPI.hours_full_share] = counted.full_hours[ward].sum() / len(staffed)
    row[KPI.days_any_hour_full] = counted.reached[ward, FULL_LEVEL].sum()
    row[KPI.days_above_95] = days_above


@compiled
def fits(highest: Integers, start: Integers) -> bool:
    """Whether histograms that begin at `start` are wide enough for the highest value of each."""
    enough = True
    for place in range(len(highest)):
        enough &= highest[place] < start[place + 1] - start[place]
    return enough


@compiled
def add_census(window: Window, counted: Counted, tallies: Tallies, peaks: SmallIntegers) -> None:
    """Add a replication to the histograms of hourly census and daily peaks, and note its `peaks` i4[A, D]."""
    hours = window.hours - window.warmup
    days, begun = len(peaks[0]), window.hour_of_week % 24
    for w in range(len(counted.census)):
        census = counted.census[w][window.warmup : window.hours]
        by_hour = tallies.census[tallies.start[w] * hours : tallies.start[w + 1] * hours]
        by_day = tallies.peaks[tallies.start[w] * days : tallies.start[w + 1] * days]
        for day in range(days):
            peak = 0
            for h in range(max(24 * day - begun, 0), 24 * day + 24 - begun):
                by_hour[np.uint64(census[h] * hours + h)] += 1
                peak = max(peak, census[h])
            by_day[np.uint64(peak * days + day)] += 1
            peaks[w, day] = peak


@compiled
def add_others(window: Window, counted: Counted, tallies: Tallies) -> None:
    """Add a replication to the sums of the other groups, the profile of the week, the days at levels, the waits and the
    journeys."""
    for w in range(len(counted.census)):
        for kind in range(3):
            if counted.is_any[kind, w]:
                others = counted.others[kind, w][window.warmup : window.hours]
                _add_squares(others, tallies.others[kind, w], tallies.other_squares[kind, w])
        if counted.is_any[WAITING, w]:
            waiting, queued = counted.others[WAITING, w][window.warmup : window.hours], tallies.queued[w]
            for h in range(len(waiting)):
                queued[h] += waiting[h] > 0
        for kind in range(2):
            _add_squares(counted.week[kind, w], tallies.week[kind, w], tallies.week_squares[kind, w])
        add_days(
            counted.reached[w], counted.full_hours[w], tallies.reached[w], tallies.reached_spans[w],
            tallies.level_days[w], tallies.full_hours[w],
        )  # fmt: skip
    for cell in counted.journey_cell[: counted.cells[1]]:
        tallies.journeys[cell] += 1
    _add_waits(window, counted, tallies)


@compiled
def _add_waits(window: Window, counted: Counted, tallies: Tallies) -> None:
    """Add the waits of a replication, those of wards to their groups too."""
    wards, size = window.is_member.shape[1], window.types * BINS
    for row in range(len(counted.census) * window.types):
        sums = counted.sums[row // window.types, row % window.types]
        tallies.waits[row * BINS] += np.int64(sums[WAITED] - sums[WAITED_SOME])
    for cell in counted.wait_cell[: counted.cells[0]]:
        tallies.waits[cell] += 1
        ward = index(cell // size)
        for g in range(len(window.is_member) - 1):
            if ward < wards and window.is_member[g, ward]:
                tallies.waits[index(cell + (wards + g - ward) * size)] += 1


@compiled
def _add_squares(values: SmallIntegers | Integers, sums: Integers, squares: Integers) -> None:
    """Add values to their sums, and their squares to the sums of those."""
    for i in range(len(values)):
        value = np.int64(values[i])
        sums[i] += value
        squares[i] += value * value
