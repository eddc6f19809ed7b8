"""Models whose answer is known: small hospitals, their theory, and where in the counts each quantity is read.

Time is scaled so that a day holds many stays: durations are in hours unless days are said, so a load of 18 is 18
arrivals an hour with stays of one hour. Every model with a steady state begins empty and leaves out a warm-up: 8 days,
at least 4 relaxation times, or a year and more where stays are lognormal days. Arrivals see what time averages show
(PASTA), so the probability of a full ward is that of a wait.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import exp, log
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.distributions import Lognormal, MeanSd
from kaizar_pipeline.config.fields import HOURS_PER_DAY, WEEKDAYS
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.plan import make_plan
from kaizar_pipeline.simulation.waits import JOURNEY, percentile
from kaizar_pipeline.verification.published_models import published
from kaizar_pipeline.verification.queueing import (
    admission_stop_chain,
    boarding_chain,
    erlang_a_leaving,
    erlang_b,
    erlang_c,
    erlang_c_quantile,
    erlang_c_tail,
    limited_queue_lost,
    mean,
    outlier_chain,
    poisson_tail,
    pollaczek_khinchine,
    priority_waits,
    saturated_line,
    still_in_bed,
    weekly_census,
)
from kaizar_pipeline.verification.small_hospitals import (
    MONDAY,
    PATIENT,
    Measure,
    average,
    census_at,
    census_mean,
    daily,
    make_hospital,
    make_stay,
    make_stop,
    make_ward,
    more_than,
    over_patients,
    per_hour,
    share_of,
    steady,
)
from kaizar_pipeline.verification.verify import Case, Quantity


def cases() -> list[Case]:
    """All models whose answer is known."""
    sizes = ((5, 4), (10, 8), (20, 18), (50, 45))
    fewest_for_1_percent = ((18, 10), (30, 20), (53, 40))
    return [
        *(_loss(beds, load) for beds, load in sizes),
        *(_loss(beds, load, replications=10) for beds, load in fewest_for_1_percent),
        _loss(10, 8, sd=1.16),
        *(_queue(beds, load) for beds, load in sizes),
        _quoted_waits(),
        _limited_queue(),
        _one_bed("always the same", sd=0),
        _one_bed("lognormal", sd=1.16),
        _time_in_hospital(),
        _priorities(),
        _three_priorities(),
        _impatient(),
        _unlimited(),
        _weekly_wave(),
        _warm_start(),
        _boarding(),
        *(_saturated_line(wards) for wards in (2, 3)),
        _admission_stop(),
        _outliers(),
        *published(),
        _boarding_by_hand(),
        _priority_by_hand(),
        _closed_bed_by_hand(),
    ]


# Queues


def _loss(beds: int, load: float, sd: float | None = None, replications: int = 5) -> Case:
    stays = "exponential" if sd is None else "lognormal"
    blocked = erlang_b(beds, load)
    hospital = make_hospital([make_ward(beds, make_stay(1, sd))], policies={"admission_stop": [make_stop(1.0)]})
    return Case(
        f"Erlang B, {beds} beds, load {load}, {stays} stays",
        "Erlang 1917 (the loss depends on the mean stay only)",
        steady(hospital, load),
        (
            Quantity("share lost", blocked, share_of("turned_away")),
            Quantity("mean census", load * (1 - blocked), census_mean()),
        ),
        replications,
    )


def _queue(beds: int, load: float) -> Case:
    waits = erlang_c(beds, load)
    return Case(
        f"Erlang C, {beds} beds, load {load}",
        "Erlang 1917",
        steady(make_hospital([make_ward(beds, make_stay(1))]), load),
        (
            Quantity("share that waits", waits, more_than(beds - 1)),
            Quantity("mean wait", waits / (beds - load), average("wait_mean_hours")),
        ),
        replications=10,
    )


def _quoted_waits(beds: int = 20, load: int = 16, stay: int = 10) -> Case:
    return Case(
        f"Waits for {beds} beds, load {load}, stays of {stay} hours",
        "Erlang 1917",
        steady(make_hospital([make_ward(beds, make_stay(stay))]), load / stay),
        (
            Quantity("mean wait", stay * erlang_c(beds, load) / (beds - load), average("wait_mean_hours")),
            Quantity("share over 4 hours", erlang_c_tail(beds, load, 4 / stay), average("wait_share_over_4h")),
            Quantity("95th percentile", stay * erlang_c_quantile(beds, load, 0.95), average("wait_p95_hours")),
        ),
        replications=20,
    )


def _limited_queue(beds: int = 10, places: int = 4, load: int = 9) -> Case:
    lost = limited_queue_lost(beds, places, load)
    return Case(
        f"{beds} beds, {places} places to wait, load {load}",
        "Erlang 1917, with a limit on the queue (M/M/10/14)",
        steady(make_hospital([make_ward(beds, make_stay(1)) | {"queue_limit": places}]), load),
        (
            Quantity("share lost", lost, share_of("turned_away")),
            Quantity("mean census", load * (1 - lost), census_mean()),
        ),
    )


def _time_in_hospital(load: float = 0.7) -> Case:
    rest = 1 - load
    return Case(
        f"One bed, load {load}, time from arrival to leaving",
        "exponential of rate 1 - load (M/M/1)",
        steady(make_hospital([make_ward(1, make_stay(1))]), load),
        (
            Quantity("mean", 1 / rest, over_patients(JOURNEY.hospital_hours)),
            Quantity("share over 4 hours", exp(-4 * rest), over_patients(JOURNEY.hospital_over_4h)),
            Quantity(
                "95th percentile", log(20) / rest, lambda counts: float(percentile(counts.journey_waits[1, -1], 0.95))
            ),
        ),
        replications=20,
    )


def _one_bed(stays: str, sd: float, load: float = 0.7) -> Case:
    hospital = make_hospital([make_ward(1, make_stay(1, sd))])
    wait = Quantity("mean wait", pollaczek_khinchine(load, 1, sd), average("wait_mean_hours"))
    return Case(
        f"One bed, load {load}, stays {stays}",
        "Pollaczek 1930, Khinchine 1932",
        steady(hospital, load),
        (wait,),
        replications=10,
    )


def _priorities() -> Case:
    types = [{"id": "urgent", "priority": 2}, {"id": "other", "priority": 1}]
    high, low = priority_waits(3, [1, 1.4], 1)
    return Case(
        "Priorities, 3 beds, load 2.4",
        "Cobham 1954",
        steady(make_hospital([make_ward(3, make_stay(1))], types), 1.0, 1.4),
        (
            Quantity("mean wait, urgent", high, average("wait_mean_hours", patient_type=0)),
            Quantity("mean wait, others", low, average("wait_mean_hours", patient_type=1)),
        ),
        replications=10,
    )


def _three_priorities() -> Case:
    rates = [0.6, 1.0, 0.8]
    types = [{"id": name, "priority": 3 - rank} for rank, name in enumerate(("urgent", "soon", "later"))]
    waits = zip(types, priority_waits(3, rates, 1), strict=True)
    return Case(
        "Three priorities, 3 beds, load 2.4",
        "Cobham 1954",
        steady(make_hospital([make_ward(3, make_stay(1))], types), *rates),
        tuple(
            Quantity(f"mean wait, {kind['id']}", wait, average("wait_mean_hours", patient_type=rank))
            for rank, (kind, wait) in enumerate(waits)
        ),
        replications=10,
    )


def _impatient() -> Case:
    hospital = make_hospital([make_ward(10, make_stay(8))], [PATIENT | {"patience": make_stay(2)}])
    left = Quantity("share that leaves", erlang_a_leaving(10, 1.2, 1 / 8, 1 / 2), share_of("left"))
    return Case("Erlang A, 10 beds, load 9.6, patience 2", "Palm 1957", steady(hospital, 1.2), (left,))


# Beds without limit

WEEK = (14, 13, 12, 12, 11, 7, 6)
"""Arrivals per day, Monday to Sunday."""

LONG_STAY = Lognormal(type="lognormal", unit="days", params=MeanSd(mean=7.4, sd=8.61))

_PALM = "Palm 1943 (the census is Poisson, its mean the arrivals weighted by who would still be there)"


def _survival(days: np.ndarray) -> np.ndarray:
    return LONG_STAY.frozen.sf(HOURS_PER_DAY * days)


def _long_stays() -> HospitalConfig:
    return make_hospital([make_ward(None, LONG_STAY.model_dump())])


def _unlimited() -> Case:
    # 24 and 28 beds as planners ask; 27 and 30 because the 95 % quantile is 28 and the 99 % quantile 31
    tails = (Quantity(f"P(more than {n} beds)", poisson_tail(n, 20), more_than(n)) for n in (24, 27, 28, 30))
    hospital = make_hospital([make_ward(None, make_stay(1, sd=1.16))])
    census = Quantity("mean census", 20, census_mean())
    return Case("Unlimited beds, load 20, lognormal stays", _PALM, steady(hospital, 20), (census, *tails), 15)


def _weekly_wave(weeks: int = 104, warmup_weeks: int = 52) -> Case:
    census = zip(WEEKDAYS, weekly_census(WEEK, _survival), strict=True)
    return Case(
        "Unlimited beds, arrivals that vary over the week, lognormal stays",
        _PALM,
        daily(_long_stays(), [WEEK * weeks], 7 * warmup_weeks),
        tuple(
            Quantity(f"midnight census, {name}", expected, census_at(slice(HOURS_PER_DAY * day, None, 7 * 24)))
            for day, (name, expected) in enumerate(census)
        ),
    )


def _warm_start() -> Case:
    elapsed = (0, 0.5, 1, 1, 2, 3, 5, 8, 13, 30)
    census = _in_beds("ward", ["patient"] * len(elapsed), [HOURS_PER_DAY * days for days in elapsed])
    return Case(
        "Ten patients in bed at the start, nobody comes",
        "conditional survival, S(elapsed + t) / S(elapsed) for each",
        lambda: make_plan(_long_stays(), {"patient": np.zeros((1, 15))}, Horizon(MONDAY, 15), key=0, census=census),
        tuple(
            Quantity(
                f"in bed after {days} days",
                still_in_bed(elapsed, days, _survival),
                census_at(slice(HOURS_PER_DAY * days, HOURS_PER_DAY * days + 1)),
            )
            for days in (1, 2, 3, 7, 14)
        ),
        replications=500,
    )


def _in_beds(ward: str, types: Sequence[str], elapsed: Sequence[float]) -> pd.DataFrame:
    """Patients in the beds of a ward for `elapsed` hours, as starting_census would have them."""
    admit = [MONDAY - pd.Timedelta(hours=hours) for hours in elapsed]
    return pd.DataFrame(
        {
            "patient_id": [f"patient {number}" for number in range(len(types))],
            "stream_id": types,
            "patient_type": types,
            "request": admit,
            "ward_id": ward,
            "planned_ward_id": ward,
            "admit": admit,
            "ready": pd.NaT,
            "waits_for": None,
            "waits_since": pd.NaT,
            "first_ward": False,
        }
    )


# Policies


def _boarding() -> Case:
    chain = boarding_chain(ed_beds=4, ward_beds=5, rate=1, ed_los=2, admitted=0.6, ward_los=5)
    wards = [make_ward(4, make_stay(2), "ed"), make_ward(5, make_stay(5))]
    routing = [{"from_ward": "ed", "options": [{"to_ward": "ward", "probability": 0.6}]}]
    stop = make_stop(1.0) | {"ward": "ed"}
    return Case(
        "Emergency department of 4 beds whose patients board for a ward of 5",
        "exact Markov chain",
        steady(make_hospital(wards, routing=routing, policies={"admission_stop": [stop]}), 1.0),
        (
            Quantity("share lost", mean(chain, lambda state: state[0] + state[1] == 4), share_of("turned_away")),
            Quantity("mean census, ED", mean(chain, lambda state: state[0] + state[1]), census_mean()),
            Quantity("mean boarders", mean(chain, lambda state: state[1]), per_hour("boarding_hours")),
            Quantity("mean census, ward", mean(chain, lambda state: state[2]), census_mean(1)),
        ),
    )


def _saturated_line(wards: int) -> Case:
    """Far more patients come than can be treated, so that somebody always waits for the first ward."""
    names = [f"ward_{n}" for n in range(wards)]
    routing = [
        {"from_ward": here, "options": [{"to_ward": there, "probability": 1}]} for here, there in pairwise(names)
    ]
    line = [make_ward(1, make_stay(1), name) for name in names]
    line[0]["queue_limit"] = 60
    return Case(
        f"A line of {wards} wards of one bed, always somebody waiting",
        "Hunt 1956",
        steady(make_hospital(line, routing=routing), 3.0),
        (Quantity("patients per hour", saturated_line(wards), per_hour("throughput", wards - 1)),),
        replications=10,
    )


def _admission_stop() -> Case:
    chain = admission_stop_chain(20, emergency_rate=1, elective_rate=1.2, los=8, stopped_from=18)
    stops = [make_stop(1.0, "emergency"), make_stop(18 / 20, "elective")]
    hospital = make_hospital(
        [make_ward(20, make_stay(8))], [{"id": "emergency"}, {"id": "elective"}], policies={"admission_stop": stops}
    )
    stopped = mean(chain, lambda state: state[0] >= 18)
    return Case(
        "Ward of 20 beds that keeps the last 2 for emergencies",
        "exact Markov chain",
        steady(hospital, 1.0, 1.2),
        (
            Quantity("share diverted, emergency", chain[20,], share_of("turned_away", patient_type=0)),
            Quantity("share diverted, elective", stopped, share_of("turned_away", patient_type=1)),
            Quantity("mean census", mean(chain, lambda state: state[0]), census_mean()),
        ),
    )


def _outliers() -> Case:
    chain = outlier_chain(beds=18, outlier_beds=6, load=20)
    hospital = make_hospital(
        [make_ward(18, make_stay(1)), make_ward(6, make_stay(1), "elsewhere")],
        [PATIENT | {"patience": make_stay(0, sd=0)}],  # who finds no bed at all does not wait
        policies={"overflow": [{"ward": "ward", "threshold": 1.0, "redirect_to": ["elsewhere"]}]},
    )
    outlied = mean(chain, lambda state: state[0] == 18 and state[1] < 6)
    return Case(
        "Ward of 18 beds with 6 outlier beds elsewhere, load 20",
        "exact Markov chain",
        steady(hospital, 20),
        (
            Quantity("share outlied", outlied, share_of("outliers")),
            Quantity("share turned away", chain[18, 6], share_of("left")),
        ),
    )


# Nothing random, worked out by hand


def _by_hand(
    model: str,
    wards: Sequence[dict[str, Any]],
    arrivals: dict[str, float],
    quantities: Sequence[Quantity],
    **parts: Any,
) -> Case:
    """Patients, each of a type of its own, who ask for the first of `wards` at these hours and then for the next."""
    # they come out of a stay without chance in a place without limit, which began before the start
    outside = make_ward(None, make_stay(HOURS_PER_DAY, sd=0), "outside")
    names = [outside["id"], *(ward["id"] for ward in wards)]
    routing = [
        {"from_ward": here, "options": [{"to_ward": there, "probability": 1}]} for here, there in pairwise(names)
    ]
    types = [{"id": name, "priority": int(name.startswith("high"))} for name in arrivals]
    hospital = make_hospital([outside, *wards], types, routing=routing)
    census = _in_beds("outside", list(arrivals), [HOURS_PER_DAY - hour for hour in arrivals.values()])
    rates = {name: np.zeros((1, 1)) for name in arrivals}
    return Case(
        model,
        "worked out by hand",
        lambda: make_plan(hospital, rates, Horizon(MONDAY, 1), key=0, census=census),
        tuple(quantities),
        replications=0,
    )


def _start(request: float, ward: int, patient: int) -> Measure:
    """When a patient who asked for a bed at `request` got it."""
    return lambda counts: request + average("wait_mean_hours", ward, patient)(counts)


def _end(request: float, ward: int, patient: int) -> Measure:
    """When that patient left it."""
    return lambda counts: _start(request, ward, patient)(counts) + average("alos_hours", ward, patient)(counts)


def _boarding_by_hand() -> Case:
    def quantities() -> Iterator[Quantity]:
        in_ed, boarded, in_ward = (1, 2, 5, 8), (0, 2, 2, 2), (2, 5, 8, 11)
        for patient in range(4):
            name = f"patient {patient + 1}"
            yield Quantity(f"{name} in the ED from", in_ed[patient], _start(patient + 1, 1, patient))
            yield Quantity(f"{name} boarded", boarded[patient], average("boarding_hours", 1, patient))
            yield Quantity(f"{name} in the ward from", in_ward[patient], _start(in_ed[patient] + 1, 2, patient))
        yield Quantity("last exit", 14, _end(9, 2, 3))

    wards = [make_ward(1, make_stay(1, sd=0), "ed"), make_ward(1, make_stay(3, sd=0))]
    arrivals = {f"patient_{n}": float(n) for n in (1, 2, 3, 4)}
    return _by_hand("An ED of one bed before a ward of one bed", wards, arrivals, list(quantities()))


def _priority_by_hand() -> Case:
    arrivals = {"low_1": 1, "low_2": 1.5, "low_3": 2, "high_1": 2.5, "high_2": 4.5}
    starts = (1, 7, 9, 3, 5)
    quantities = [
        Quantity(f"{name.replace('_', ' ')} in bed from", start, _start(asked, 1, patient))
        for patient, ((name, asked), start) in enumerate(zip(arrivals.items(), starts, strict=True))
    ]
    return _by_hand("One bed, two urgent patients", [make_ward(1, make_stay(2, sd=0))], arrivals, quantities)


def _closed_bed_by_hand() -> Case:
    closed = {"from": "2026-01-05T04:12", "to": "2026-01-05T06:06", "capacity": 0}
    ward = make_ward(1, make_stay(0.4, sd=0)) | {"capacity_changes": [closed]}
    arrivals = {f"patient_{n}": float(n) for n in range(1, 8)}
    exits = (1.4, 2.4, 3.4, 4.4, 6.5, 6.9, 7.4)
    quantities = [Quantity(f"patient {n + 1} leaves", end, _end(n + 1, 1, n)) for n, end in enumerate(exits)]
    return _by_hand("One bed, closed from 4.2 to 6.1", [ward], arrivals, quantities)
