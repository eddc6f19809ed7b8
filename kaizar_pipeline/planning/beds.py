"""How many beds are enough: for a risk, ward by ward; what a few beds more or fewer do; and where more help most.

Three tables, all from the futures of the simulation itself, so that every comparison is between the same patients
(common random numbers). Replications are the independent units everywhere, as many as there are rate paths at most; the
days of one are not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb
from typing import Any, Literal

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.planning.paired import paired
from kaizar_pipeline.simulation.counting import staffed_with_total
from kaizar_pipeline.simulation.load import check_load
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo, plan_ahead
from kaizar_pipeline.simulation.plan import MAX_REPLICATIONS, UNLIMITED, Plan
from kaizar_pipeline.simulation.precision import CONFIDENCE
from kaizar_pipeline.tables import BED_ALLOCATIONS, BED_REQUIREMENTS, BEDS_EFFECTS, HOSPITAL_TOTAL
from kaizar_pipeline.tables.kpis import KPI_INDEX, KPIS

RiskEvent = Literal["day", "horizon_peak"]

SWEEP = (-2, -1, 1, 2, 4)
"""Beds by which each ward is changed in turn."""

SWEEP_REPLICATIONS = 400
"""Futures behind each change of beds at most: differences between the same patients need fewer than levels."""

EFFECTS = {kpi.name: kpi.unit for kpi in KPIS if kpi.in_beds_effects}
"""What beds are for, with units: KPIs of ward_performance."""

HARM = {"waiting_hours": 1.0, "turned_away": 24.0, "left": 24.0}
"""What extra beds are to prevent, as hours of waiting: every hour that anybody waits for a bed, boarding included, and
a day for every patient turned away or gone unseen. The weights are a choice, not a finding: give your own."""

EXTRA_BEDS = 2
"""Extra beds to place, unless asked otherwise."""

MOST_ALLOCATIONS = 200
"""Ways to place extra beds that are tried at most; with more of them only the wards where one bed helps most."""


@dataclass(frozen=True)
class Coverage:
    """For consecutive numbers of beds, the share of events (days, or whole horizons) whose peak they cover."""

    beds: np.ndarray
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    """Bounds of the share's 95 % confidence interval."""
    target: float

    @property
    def enough(self) -> int | None:
        """The fewest beds that cover the target; None where no number can, which is for certainty."""
        return self._fewest(self.share)

    @property
    def enough_low(self) -> int | None:
        """Lower end of the 95 % confidence interval of that number."""
        fewest = self._fewest(self.high)
        # the first number covers nothing, and neither do fewer: if it may be enough, so may they
        return 0 if fewest == self.beds[0] else fewest

    @property
    def enough_high(self) -> int | None:
        """Upper end; None where there are too few replications to tell."""
        return self._fewest(self.low)

    def _fewest(self, share: np.ndarray) -> int | None:
        reached = share >= self.target - 1e-9
        return int(self.beds[reached.argmax()]) if self.target < 1 and reached.any() else None


def coverage(peaks: np.ndarray, risk: float, beds: np.ndarray) -> Coverage:
    """How well `beds` cover the `peaks` i4[R, events] of R replications, held against the target 1 - `risk`.

    The interval of a share is Wilson's (1927) with Student's t and an effective number of events: as many independent
    ones as would give the spread seen between replications (Korn and Graubard 1998), and never fewer than R. For one
    event a replication that is Wilson's interval itself. Inverting these intervals gives the one of the number of beds:
    fewer than its lower end do not reach the target even at their upper bounds, its upper end does at the lower bound.
    """
    from scipy.special import stdtrit

    replications = len(peaks)
    covered = np.array([(peaks <= n).mean(axis=1) for n in beds])
    share = covered.mean(axis=1)
    variance = covered.var(axis=1, ddof=1) / replications
    spread = share * (1 - share)
    n = np.maximum(np.divide(spread, variance, out=np.zeros_like(spread), where=variance > 0), replications)
    z2 = stdtrit(replications - 1, (1 + CONFIDENCE) / 2) ** 2
    middle, half = (share + z2 / (2 * n)) / (1 + z2 / n), np.sqrt(z2 * (spread / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return Coverage(beds, share, np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0), 1 - risk)


def bed_requirements(
    config: HospitalConfig,
    arrival_rates: pd.DataFrame,
    length_of_stay: pd.DataFrame | None,
    census: pd.DataFrame | None,
    *,
    workers: int | None = None,
) -> pd.DataFrame:
    """The fewest beds that cover demand with the probability 1 - simulation.risk_target, and the share that each number
    covers, per ward and for the house; arguments as of `simulate_occupancy`.

    n beds cover a day when the demand run's highest hourly census of that day is n or less, a horizon when that of all
    its days is.
    """
    plan, risk = plan_ahead(config, arrival_rates, length_of_stay, census), config.simulation.risk_target
    monte_carlo = MonteCarlo(plan, engine=config.simulation.engine, workers=workers, keep_replications=True)
    monte_carlo.extend(kept_replications(config, plan))
    peaks, staffed = monte_carlo.demand.replication_peaks, staffed_with_total(plan).min(axis=1)
    assert peaks is not None
    frames = []
    for w, ward_id in enumerate((*plan.ward_ids, HOSPITAL_TOTAL)):
        limited = staffed[w] < UNLIMITED
        shown = [staffed[w]] if limited else []
        beds = np.arange(min(peaks[:, w].min() - 1, *shown, peaks.max()), max(peaks[:, w].max(), *shown, 0) + 1)
        beds = beds[beds >= 0]
        for event, values in (("day", peaks[:, w]), ("horizon_peak", peaks[:, w].max(axis=1, keepdims=True))):
            covered = coverage(values, risk, beds)
            columns: dict[str, Any] = {
                "ward_id": ward_id,
                "risk_event": event,
                "beds": covered.beds,
                "staffed_beds": staffed[w] if limited else None,
                "risk_target": risk,
                "covered_share": covered.share,
                "covered_low": covered.low,
                "covered_high": covered.high,
                "enough": False if covered.enough is None else covered.beds >= covered.enough,
                "enough_beds": covered.enough,
                "enough_low": covered.enough_low,
                "enough_high": covered.enough_high,
            }
            frames.append(pd.DataFrame(columns).astype(dict.fromkeys(_MAY_BE_NULL, "Int64")))
    constants = {"hospital_id": config.id, "as_of": plan.statistics_start}
    return BED_REQUIREMENTS.frame(pd.concat(frames, ignore_index=True), **constants)


_MAY_BE_NULL = ("staffed_beds", "enough_beds", "enough_low", "enough_high")


def requirement_in_words(requirements: pd.DataFrame, ward_id: str, risk_event: RiskEvent) -> str:
    """'42 beds (41 to 44) cover demand on 9 days in 10'."""
    rows = requirements[(requirements["ward_id"] == ward_id) & (requirements["risk_event"] == risk_event)]
    enough, low, high = (rows[name].iloc[0] for name in ("enough_beds", "enough_low", "enough_high"))
    if pd.isna(enough):
        return f"no number of beds covers demand with certainty; the highest seen was {rows['beds'].max()}"
    often = Fraction(1 - float(rows["risk_target"].iloc[0])).limit_denominator(1_000_000)
    what = "on {} days in {}" if risk_event == "day" else "throughout {} such horizons in {}"
    interval = f"{low} to {high}" if pd.notna(high) else f"{low} or more: too few replications to say how many"
    return f"{enough} beds ({interval}) cover demand {what.format(often.numerator, often.denominator)}"


def beds_effects(
    config: HospitalConfig,
    arrival_rates: pd.DataFrame,
    length_of_stay: pd.DataFrame | None,
    census: pd.DataFrame | None,
    *,
    sweep: Sequence[int] = SWEEP,
    workers: int | None = None,
) -> pd.DataFrame:
    """What a few beds more or fewer in one ward, the others as they are, do to waits, boarding, diversion and outliers
    there and in the whole house; arguments as of `simulate_occupancy`, and the changes to try."""
    plan = plan_ahead(config, arrival_rates, length_of_stay, census)
    baseline = _kpis(config, plan, workers)
    rows = []
    for w in _limited(plan):
        fewest = int(plan.staffed[w].min())
        for change in sweep:
            if fewest + change < 0:
                continue
            changed = with_more_beds(plan, {w: change})
            kpis, overloaded = _kpis(config, changed, workers), bool(check_load(changed, allow=True))
            for place, affected in ((w, plan.ward_ids[w]), (-1, HOSPITAL_TOTAL)):
                for kpi, unit in EFFECTS.items():
                    before, after = (values[:, place, -1, KPI_INDEX[kpi]] for values in (baseline, kpis))
                    names = {"ward_id": plan.ward_ids[w], "beds_added": change, "affected_ward_id": affected}
                    figures = {"kpi": kpi, "unit": unit, **paired(before, after)}
                    rows.append({**names, **figures, "overloaded": overloaded})
    frame = pd.DataFrame(rows, columns=BEDS_EFFECTS.column_names[3:])
    return BEDS_EFFECTS.frame(frame, hospital_id=config.id, as_of=plan.statistics_start)


def bed_allocations(
    config: HospitalConfig,
    arrival_rates: pd.DataFrame,
    length_of_stay: pd.DataFrame | None,
    census: pd.DataFrame | None,
    *,
    extra_beds: int = EXTRA_BEDS,
    wards: Sequence[str] | None = None,
    harm: Mapping[str, float] = HARM,
    workers: int | None = None,
) -> pd.DataFrame:
    """Every way to place `extra_beds` in `wards` (default: all with limited beds), the one that prevents most harm
    first; other arguments as of `simulate_occupancy`.

    `harm` weighs KPIs of the whole house, and waiting_hours, the hours that all patients wait for beds. All ways are
    simulated, with the same patients. Where no `wards` are named and there are more ways than MOST_ALLOCATIONS, the
    wards where one bed helps most are chosen first. Raises SimulationError when the named ones have too many ways, a
    ward is not one that could have more beds, or there is nothing to place or to prevent.
    """
    if extra_beds < 1:
        raise SimulationError(f"extra_beds {extra_beds}: allowed are 1 and more")
    if not harm:
        raise SimulationError(f"harm is empty: name what beds are to prevent, such as {', '.join(HARM)}")
    plan = plan_ahead(config, arrival_rates, length_of_stay, census)
    places = _places(plan, wards)

    def harm_with(added: Mapping[int, int]) -> np.ndarray:
        return _harm(_kpis(config, with_more_beds(plan, added), workers), harm)

    if _ways(len(places), extra_beds) > MOST_ALLOCATIONS:
        if wards is not None:
            raise SimulationError(
                f"{extra_beds} extra beds can be placed in {len(places)} wards in {_ways(len(places), extra_beds):,} "
                f"ways, at most {MOST_ALLOCATIONS} are tried; ask for fewer beds or name fewer wards"
            )
        enough = max(n for n in range(1, len(places)) if _ways(n, extra_beds) <= MOST_ALLOCATIONS)
        helped = sorted(places, key=lambda place: float(harm_with({place: 1}).mean()))
        places = sorted(helped[:enough])
    baseline = harm_with({})
    tried = [(added, harm_with(added)) for added in _placements(places, extra_beds)]
    tried.sort(key=lambda way: way[1].mean())
    rows = []
    for rank, (added, harmed) in enumerate(tried, start=1):
        to_baseline, to_best = paired(baseline, harmed), paired(tried[0][1], harmed)
        figures = (
            to_baseline["baseline"], to_baseline["value"], -to_baseline["difference"], to_baseline["difference_se"],
            to_best["difference"], to_best["difference_se"],
        )  # fmt: skip
        rows += [(extra_beds, rank, plan.ward_ids[place], added.get(place, 0), *figures) for place in places]
    frame = pd.DataFrame(rows, columns=BED_ALLOCATIONS.column_names[3:])
    return BED_ALLOCATIONS.frame(frame, hospital_id=config.id, as_of=plan.statistics_start)


def allocation_in_words(allocations: pd.DataFrame) -> str:
    """'of 2 extra beds, 1 in medical, 1 in icu'; empty when there is no ward to place them in."""
    best = allocations[(allocations["rank"] == 1) & (allocations["beds_added"] > 0)]
    if best.empty:
        return ""
    placed = ", ".join(f"{row.beds_added} in {row.ward_id}" for row in best.itertuples())
    return f"of {best['extra_beds'].iloc[0]} extra beds, {placed}"


def with_more_beds(plan: Plan, added: Mapping[int, int]) -> Plan:
    """The plan with so many more beds in some wards at all times (fewer below 0), for the same patients."""
    beds = plan.beds.copy()
    for ward, more in added.items():
        beds[ward] += more
    changes = tuple((hour, ward, now + added.get(ward, 0)) for hour, ward, now in plan.capacity_changes)
    return replace(plan, beds=beds, capacity_changes=changes)


def _limited(plan: Plan) -> list[int]:
    return np.flatnonzero((plan.staffed < UNLIMITED).all(axis=1)).tolist()


def _places(plan: Plan, wards: Sequence[str] | None) -> list[int]:
    limited = _limited(plan)
    if wards is None:
        return limited
    allowed = [plan.ward_ids[place] for place in limited]
    wrong = [ward for ward in wards if ward not in allowed]
    if wrong:
        raise SimulationError(
            f"no beds can be added to ward {wrong[0]!r}, allowed are those with limited beds: {', '.join(allowed)}"
        )
    return [place for place in limited if plan.ward_ids[place] in wards]


def _ways(wards: int, extra_beds: int) -> int:
    """To place so many beds in so many wards."""
    return comb(extra_beds + wards - 1, extra_beds) if wards else 0


def kept_replications(config: HospitalConfig, plan: Plan) -> int:
    """Futures to simulate where each one is kept by itself: as the hospital says, if they are independent."""
    return min(config.simulation.max_replications, plan.independent_replications, MAX_REPLICATIONS)


def _placements(places: Sequence[int], extra_beds: int) -> Iterator[dict[int, int]]:
    for chosen in combinations_with_replacement(places, extra_beds) if places else ():
        yield {place: chosen.count(place) for place in set(chosen)}


def _kpis(config: HospitalConfig, plan: Plan, workers: int | None) -> np.ndarray:
    """f8[R, W + 1, T + 1, KPIS] of each replication."""
    engine = config.simulation.engine
    monte_carlo = MonteCarlo(plan, engine=engine, workers=workers, keep_replications=True, with_demand=False)
    monte_carlo.extend(min(kept_replications(config, plan), SWEEP_REPLICATIONS))
    kpis = monte_carlo.actual.kpis
    assert kpis is not None
    return kpis


def _harm(kpis: np.ndarray, weights: Mapping[str, float]) -> np.ndarray:
    """f8[R]: what was to be prevented in each replication."""

    def house(kpi: str) -> np.ndarray:
        return np.nan_to_num(kpis[:, -1, -1, KPI_INDEX[kpi]])

    known = {"waiting_hours": lambda: house("wait_mean_hours") * (house("requests") - house("turned_away"))}
    wrong = [name for name in weights if name not in known and name not in KPI_INDEX]
    if wrong:
        raise SimulationError(f"harm: unknown {wrong[0]!r}, allowed: waiting_hours, {', '.join(KPI_INDEX)}")
    parts = [weight * known.get(name, lambda name=name: house(name))() for name, weight in weights.items()]
    return np.sum(parts, axis=0)
