"""Draw first: every random number of one replication, before any queueing.

`draw(plan, replication)` returns the patients' arrivals, routes through the wards and durations. It does not depend on
beds, so two scenarios of a hospital see the same patients, and both engines see the same trajectories.
"""

import numpy as np
import pandas as pd

from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.simulation.load import onward_of, routes
from kaizar_pipeline.simulation.plan import RANDOM_SOURCES, Plan, without_rounding
from kaizar_pipeline.simulation.trajectories import Trajectories
from kaizar_pipeline.stats.absorption import VISITS_AT_MOST, visits_until_home
from kaizar_pipeline.stats.philox import Purpose, stream_number, uniforms
from kaizar_pipeline.tables import HOME, HOSPITAL_TOTAL

MAX_PATIENTS = 10_000_000
"""Patients of one replication, beyond any hospital: a rate that brings more is taken for a typing error."""


def draw(plan: Plan, replication: int) -> Trajectories:
    """The trajectories of one replication, a pure function of the plan (which holds the key) and the number."""
    from kaizar_pipeline.simulation.kernel.block import draw_one, make_arrivals, make_drawn, make_stay_scratch
    from kaizar_pipeline.simulation.kernel.compiling import announced
    from kaizar_pipeline.simulation.kernel.draw import ENDLESS_ROUTE, OK, Replication
    from kaizar_pipeline.simulation.kernel.inputs import sources_of

    sources = sources_of(plan)
    own = Replication(
        replication, *(numbers(plan, replication, 1)[0] for numbers in (los_scales, day_speeds, route_shares))
    )
    patients, stays = buffer_sizes(plan)
    while True:
        drawn, arrivals = make_drawn(sources, patients, stays), make_arrivals(sources, patients)
        work = make_stay_scratch(len(plan.ward_ids), stays)
        with announced():
            status, n_patients, n_stays = draw_one(sources, own, drawn, arrivals, work)
        if status == OK:
            return drawn.cut(n_patients, n_stays)
        if status == ENDLESS_ROUTE:
            raise endless_route(plan)
        patients, stays = 2 * patients, 2 * stays


def los_scales(plan: Plan, first: int, replications: int) -> np.ndarray:
    """f8[replications, tables]: each replication's own factor on the lengths of stay of a quantile table, mean 1.

    Lognormal, one normal number per replication and ward; made here because exp differs in its last bit between
    machines' compilers.
    """
    if not plan.los_scale_sd.any():
        return np.ones((replications, len(plan.los_scale_sd)))
    from scipy.special import ndtri

    first += plan.redraw_offsets[RANDOM_SOURCES.index("length_of_stay")]
    numbers = np.arange(first, first + replications)[:, None]
    chance, _ = uniforms(plan.key, numbers, plan.los_scale_stream, 0, Purpose.LOS_SCALE)
    normal = ndtri(np.maximum(chance, 2.0**-54))
    return np.exp(plan.los_scale_sd * normal - plan.los_scale_sd**2 / 2)


def day_speeds(plan: Plan, first: int, replications: int) -> np.ndarray:
    """f8[replications, W, days]: each replication's own factor on the weights of a ward's clocks by date, mean 1.

    Lognormal, with a logarithm that depends on the day before (AR(1), stationary from the first day on), and on a
    number that all wards have in common. Draws are addressed by date.
    """
    clocks, days = plan.clocks, plan.dates_of_run
    if not clocks.day_sd.any():
        return np.ones((replications, len(plan.ward_ids), days))
    from scipy.special import ndtri

    first += plan.redraw_offsets[RANDOM_SOURCES.index("day_factor")]
    number = np.arange(first, first + replications)[:, None, None]
    date = (plan.start - pd.Timestamp(0)).days + np.arange(days)
    streams = np.array([stream_number(HOSPITAL_TOTAL), *map(stream_number, plan.ward_ids)])[:, None]
    chance, _ = uniforms(plan.key, number, streams, date, Purpose.DAY_FACTOR)
    normal = ndtri(np.maximum(chance, 2.0**-54))
    shared = clocks.day_shared[:, None]
    news = np.sqrt(shared) * normal[:, :1] + np.sqrt(1 - shared) * normal[:, 1:]
    log, keeps = np.empty_like(news), clocks.day_autocorrelation
    for day in range(days):
        log[:, :, day] = (
            news[:, :, 0] if day == 0 else keeps * log[:, :, day - 1] + np.sqrt(1 - keeps**2) * news[:, :, day]
        )
    sd = clocks.day_sd[:, None]
    return np.exp(sd * log - sd**2 / 2)


def route_shares(plan: Plan, first: int, replications: int) -> np.ndarray:
    """f8[replications, T, W, W]: each replication's own cumulative probabilities of the next ward, as `route_cdf`; one
    for all of them where no routes are learned.

    Dirichlet, as gamma numbers over their sum, each addressed by ward, patient type and next ward. Home has a tenth of
    its mean at least, and a type whose patients would be in a ward more than VISITS_AT_MOST times has its means.
    """
    if not plan.route_weight.any():
        return plan.route_cdf[None]
    from scipy.special import gammaincinv

    wards = len(plan.ward_ids)
    first += plan.redraw_offsets[RANDOM_SOURCES.index("routing")]
    kind, ward = np.nonzero(plan.route_weight)
    mean = np.diff(plan.route_cdf[kind, ward], axis=1, prepend=0.0, append=1.0)
    expected = plan.route_weight[kind, ward][:, None] * mean
    group, place = np.nonzero(mean)
    groups = zip(kind, ward, strict=True)
    of_group = np.array([stream_number(f"{plan.ward_ids[w]} {plan.patient_type_ids[t]}") for t, w in groups])
    to = np.array([stream_number(name) for name in (*(plan.ward_ids[w] for w in plan.next_wards), HOME)])
    numbers = np.arange(first, first + replications)[:, None]
    chance, _ = uniforms(plan.key, numbers, of_group[group], to[place], Purpose.ROUTE_SHARE)
    drawn = np.zeros((replications, len(kind), wards + 1))
    drawn[:, group, place] = gammaincinv(expected[group, place], np.maximum(chance, 2.0**-54))
    drawn[:, :, -1] = np.maximum(drawn[:, :, -1], expected[:, -1] / 10)
    upto = np.cumsum(drawn, axis=2)
    shares = np.repeat(plan.route_cdf[None], replications, axis=0)
    shares[:, kind, ward] = without_rounding(upto[:, :, :-1] / upto[:, :, -1:])
    endless = visits_until_home(onward_of(shares, plan.next_wards)).max(axis=2) > VISITS_AT_MOST
    return np.where(endless[:, :, None, None], plan.route_cdf, shares)


def buffer_sizes(plan: Plan) -> tuple[int, int]:
    """Patients and stays that a replication will hardly exceed; where one does, the buffers are enlarged. Raises
    SimulationError beyond MAX_PATIENTS."""
    by_stream = [s.daily_rates.sum(axis=1).max() * max(s.factor.max(), 1.0) for s in plan.streams]
    arrivals = float(np.sum(by_stream))
    if not arrivals <= MAX_PATIENTS:
        raise SimulationError(
            f"stream {plan.stream_ids[int(np.argmax(by_stream))]}: {max(by_stream):.3g} patients in "
            f"{plan.dates_of_run} days, allowed: {MAX_PATIENTS:,} in all streams; look at its mean per day"
        )
    patients = len(plan.census.seat) + int(arrivals + 6 * np.sqrt(arrivals)) + 16
    return patients, 2 * patients


def endless_route(plan: Plan) -> SimulationError:
    """The error for a patient whose route through the wards does not end."""
    from kaizar_pipeline.simulation.kernel.draw import MAX_STAYS

    onward, _ = routes(plan)
    visits = visits_until_home(onward).max(axis=0)
    loops = [ward for ward, often in zip(plan.ward_ids, visits, strict=True) if often > visits.max() / 2]
    return SimulationError(
        f"a patient had more than {MAX_STAYS} stays in wards {', '.join(loops)}: routes hardly ever lead home"
    )
