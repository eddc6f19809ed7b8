"""How many beds are enough: for a risk, ward by ward; what a few beds more or fewer do; and where more help most.

Three tables, all from replications of the same patients (common random numbers). Replications are the independent units
everywhere, as many as there are rate paths at most; the days of one are not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, combinations_with_replacement
from math import comb

import numpy as np
import pandas as pd

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.errors import DataError, SimulationError, unknown
from kaizar_pipeline.planning.paired import paired
from kaizar_pipeline.simulation.counting import staffed_with_totals
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.load import check_load
from kaizar_pipeline.simulation.monte_carlo import Run
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan
from kaizar_pipeline.simulation.precision import CONFIDENCE
from kaizar_pipeline.stats.quantiles import inverted_cdf
from kaizar_pipeline.tables import BED_ALLOCATIONS, BED_REQUIREMENTS, BEDS_EFFECTS, HOSPITAL_TOTAL
from kaizar_pipeline.tables.kpis import KPI_INDEX, KPIS

SWEEP = (-2, -1, 1, 2, 4)
"""Beds by which each ward is changed in turn."""

PERCENTILES = (10, 25, 50, 75, 90, 95, 99)
"""Percentiles of the census, by numbers of beds."""

STEPS, STEP = range(-2, 9), 0.05
"""Those numbers: steps of so much of the staffed beds, and of one bed at least."""

SHARES = (0.9, 0.95, 1.0)
"""Shares of the staffed beds that the highest demand may exceed."""

SWEEP_REPLICATIONS = 400
"""Replications of each change of beds at most: differences between the same patients need fewer than levels."""

EFFECTS = {kpi.name: kpi.unit for kpi in KPIS if kpi.in_beds_effects}
"""What beds are for, with units: KPIs of ward_performance."""

WAITING_HOURS = "waiting_hours"
"""Beside the KPIs: the hours that all patients wait for beds."""

HARM = {WAITING_HOURS: 1.0, "turned_away": 24.0, "left": 24.0}
"""What extra beds are to prevent, as hours of waiting: every hour that anybody waits for a bed, boarding included, and
a day for every patient turned away or gone unseen. The weights are a choice, not a finding: give your own."""

EXTRA_BEDS = 2
"""Extra beds to place, unless asked otherwise."""

MOST_ALLOCATIONS = 200
"""Allocations that are tried at most; where there are more, only those to the wards where one bed helps most."""


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
        # the first number covers nothing, like all below it: if it may be enough, so may they
        return 0 if fewest == self.beds[0] else fewest

    @property
    def enough_high(self) -> int | None:
        """Upper end; None where there are too few replications."""
        return self._fewest(self.low)

    def table(self) -> pd.DataFrame:
        """A row per number of beds: beds, covered_share, covered_low, covered_high, enough; and in every row
        enough_beds, enough_low and enough_high."""
        numbers = {"enough_beds": self.enough, "enough_low": self.enough_low, "enough_high": self.enough_high}
        columns = {
            "beds": self.beds,
            "covered_share": self.share,
            "covered_low": self.low,
            "covered_high": self.high,
            "enough": False if self.enough is None else self.beds >= self.enough,
        }
        return pd.DataFrame(columns | numbers).astype(dict.fromkeys(numbers, "Int64"))

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


MOST_RISK = 0.5
"""As of simulation.risk_target."""


def bed_requirements(
    experiment: Experiment, scenario: Scenario | None = None, *, risk: float | None = None
) -> pd.DataFrame:
    """The fewest beds that cover demand with the probability 1 - `risk` (default: simulation.risk_target), and the
    share that each number covers, per ward and for the whole hospital, as it is or under a `scenario`.

    n beds cover a day when the demand run's highest hourly census of that day is n or less, a horizon when that of all
    its days is. A day that has begun is no event of its own.
    """
    start = experiment.start
    plan = start.under(scenario) if scenario else start.plan
    risk = start.config.simulation.risk_target if risk is None else risk
    if not 0 <= risk <= MOST_RISK:
        raise DataError(f"bed_requirements: risk {risk:g}, allowed: 0 to {MOST_RISK}")
    peaks = experiment.demand_peaks(plan, start.paired_replications)
    staffed, whole = staffed_with_totals(plan).min(axis=1), plan.horizon.hours_by_date == HOURS_PER_DAY
    frames = []
    for w, ward_id in enumerate(plan.ward_axis):
        shown = staffed[w : w + 1][staffed[w : w + 1] < UNLIMITED].tolist()
        beds = np.arange(min(peaks[:, w].min() - 1, *shown, peaks.max()), max(peaks[:, w].max(), *shown, 0) + 1)
        for event, values in (("day", peaks[:, w, whole]), ("horizon_peak", peaks[:, w].max(axis=1, keepdims=True))):
            columns = {"risk_event": event, "staffed_beds": shown[0] if shown else None, "risk_target": risk}
            frame = coverage(values, risk, beds[beds >= 0]).table().assign(ward_id=ward_id, **columns)
            frames.append(frame.astype({"staffed_beds": "Int64"}))
    constants = {"hospital_id": start.config.id, "as_of": start.as_of}
    return BED_REQUIREMENTS.frame(pd.concat(frames, ignore_index=True), **constants)


def requirement_in_words(requirements: pd.DataFrame, ward_id: str, risk_event: str) -> str:
    """'42 beds (41 to 44) cover demand on 9 days in 10', or throughout horizons with the `risk_event` horizon_peak."""
    rows = requirements[(requirements["ward_id"] == ward_id) & (requirements["risk_event"] == risk_event)]
    enough, low, high = (rows[name].iloc[0] for name in ("enough_beds", "enough_low", "enough_high"))
    if pd.isna(enough):
        return f"no number of beds covers demand with certainty; the highest seen was {rows['beds'].max()}"
    often = Fraction(1 - float(rows["risk_target"].iloc[0])).limit_denominator(1_000_000)
    what = "on {} days in {}" if risk_event == "day" else "throughout {} such horizons in {}"
    interval = f"{low} to {high}" if pd.notna(high) else f"{low} or more: too few replications to say how many"
    return f"{enough} beds ({interval}) cover demand {what.format(often.numerator, often.denominator)}"


def chances_above(
    requirements: pd.DataFrame, ward_id: str, beds: int | None = None, shares: Sequence[float] = SHARES
) -> pd.DataFrame:
    """How likely the highest demand of the horizon is above these shares of so many `beds` of a ward (default: those
    staffed), from the table bed_requirements: share, beds (the most that are not above), chance, and its 95 % interval
    low and high.

    Raises SimulationError for a ward that is not in the table, and where no beds are given and none are staffed.
    """
    rows = requirements[(requirements["ward_id"] == ward_id) & (requirements["risk_event"] == "horizon_peak")]
    if rows.empty:
        raise SimulationError(unknown(ward_id, requirements["ward_id"].unique(), "ward"))
    if beds is None and rows["staffed_beds"].isna().any():
        raise SimulationError(f"ward {ward_id} has unlimited beds: give a number of beds")
    rows = rows.sort_values("beds").set_index("beds")
    of = int(rows["staffed_beds"].iloc[0]) if beds is None else beds
    most = np.floor(np.array(shares) * of + 1e-9).astype(int)
    # fewer beds than any in the table cover nothing, as its first row does; its last row covers all
    found = rows.loc[np.clip(most, rows.index[0], rows.index[-1])].reset_index(drop=True)
    chances = {"chance": 1 - found["covered_share"], "low": 1 - found["covered_high"], "high": 1 - found["covered_low"]}
    return pd.DataFrame({"share": shares, "beds": most, **chances})


def beds_percentiles(experiment: Experiment, ward: str, sweep: Sequence[int] | None = None) -> pd.DataFrame:
    """The census of a ward with other numbers of beds, the other wards as they are, over all hours of the days ahead
    and all replications: beds_added, beds (the most that are staffed at any hour), the percentiles p10 to p99 of the
    census, and whether demand exceeds the beds.

    `sweep` are the beds added, by default from 10 % fewer to 40 % more. Raises SimulationError for a ward that does not
    have limited beds.
    """
    start = experiment.start
    [place] = _places(start.plan, [ward])
    w = start.plan.ward_ids.index(place)
    if sweep is None:
        step = max(1, round(STEP * int(start.plan.staffed[w].max())))
        sweep = [step * steps for steps in STEPS]
    added = [change for change in sweep if start.plan.staffed[w].min() + change >= 1]
    plans = [start.with_beds({ward: change}) for change in added]
    n = min(start.paired_replications, SWEEP_REPLICATIONS)
    rows = []
    for change, run in zip(added, experiment.run_all(plans, n, grouped=True), strict=True):
        hours = np.cumsum(run.hours_with(w))
        census = {f"p{percent}": int(inverted_cdf(hours, percent / 100)) for percent in PERCENTILES}
        overloaded = ward in {load.wards[0] for load in check_load(run.plan, allow=True)}
        beds = int(run.plan.staffed[w].max())
        rows.append({"ward_id": ward, "beds_added": change, "beds": beds, **census, "overloaded": overloaded})
    return pd.DataFrame(rows)


def beds_effects(
    experiment: Experiment, sweep: Sequence[int] = SWEEP, wards: Sequence[str] | None = None
) -> pd.DataFrame:
    """What a few beds more or fewer in one ward, the others as they are, do to waits, boarding, diversion and outliers
    there and in the whole hospital, for each of `wards` (default: all with limited beds). Raises SimulationError for a
    ward that does not have limited beds."""
    start = experiment.start
    fewest = start.plan.staffed.min(axis=1)
    places = [start.plan.ward_ids.index(ward) for ward in _places(start.plan, wards)]
    changes = [(w, change) for w in places for change in sweep if fewest[w] + change >= 0]
    plans = (start.with_beds({start.plan.ward_ids[w]: change}) for w, change in changes)
    runs = _run(experiment, chain([start.plan], plans))
    baseline = next(runs)
    rows = []
    for (w, change), run in zip(changes, runs, strict=True):
        ward, overloaded = start.plan.ward_ids[w], bool(check_load(run.plan, allow=True))
        for place, affected in ((w, ward), (-1, HOSPITAL_TOTAL)):
            for kpi, unit in EFFECTS.items():
                names = {"ward_id": ward, "beds_added": change, "affected_ward_id": affected, "kpi": kpi, "unit": unit}
                figures = paired(baseline.kpi(kpi, place), run.kpi(kpi, place))
                rows.append({**names, **figures, "overloaded": overloaded})
    frame = pd.DataFrame(rows, columns=BEDS_EFFECTS.column_names[3:])
    return BEDS_EFFECTS.frame(frame, hospital_id=start.config.id, as_of=start.as_of)


def _run(experiment: Experiment, plans: Iterable[Plan]) -> Iterator[Run]:
    return experiment.run_all(plans, min(experiment.start.paired_replications, SWEEP_REPLICATIONS))


def bed_allocations(
    experiment: Experiment,
    *,
    extra_beds: int = EXTRA_BEDS,
    wards: Sequence[str] | None = None,
    harm: Mapping[str, float] = HARM,
) -> pd.DataFrame:
    """All allocations of `extra_beds` to `wards` (default: all with limited beds), the one that prevents most harm
    first.

    `harm` weighs KPIs of the whole hospital, and waiting_hours, the hours that all patients wait for beds. All
    allocations are simulated, with the same patients. Where no `wards` are named and there are more than
    MOST_ALLOCATIONS, the wards where one bed helps most are chosen first. Raises SimulationError when the named ones
    have too many ways, a ward is not one that could have more beds, or there is nothing to place or to prevent.
    """
    start = experiment.start
    _check(extra_beds, harm)
    places = _places(start.plan, wards)

    def harm_with(placements: Iterable[Mapping[str, int]]) -> list[np.ndarray]:
        return [_harm(run, harm) for run in _run(experiment, map(start.with_beds, placements))]

    if _ways(len(places), extra_beds) > MOST_ALLOCATIONS:
        if wards is not None:
            raise SimulationError(
                f"{extra_beds} extra beds can be placed in {len(places)} wards in {_ways(len(places), extra_beds):,} "
                f"ways, at most {MOST_ALLOCATIONS} are tried; ask for fewer beds or name fewer wards"
            )
        places = _most_helped(places, extra_beds, harm_with({ward: 1} for ward in places))
    placements = list(_placements(places, extra_beds))
    baseline, *harmed = harm_with([{}, *placements])
    tried = sorted(zip(placements, harmed, strict=True), key=lambda way: way[1].mean())
    rows = []
    for rank, (added, harmed) in enumerate(tried, start=1):
        to_baseline, to_best = paired(baseline, harmed), paired(tried[0][1], harmed)
        figures = (
            to_baseline["baseline"], to_baseline["value"], -to_baseline["difference"], to_baseline["difference_se"],
            to_best["difference"], to_best["difference_se"],
        )  # fmt: skip
        rows += [(extra_beds, rank, ward, added.get(ward, 0), *figures) for ward in places]
    frame = pd.DataFrame(rows, columns=BED_ALLOCATIONS.column_names[3:])
    return BED_ALLOCATIONS.frame(frame, hospital_id=start.config.id, as_of=start.as_of)


def allocation_in_words(allocations: pd.DataFrame) -> str:
    """'of 2 extra beds, 1 in medical, 1 in icu'; empty when there is no ward to place them in."""
    best = allocations[(allocations["rank"] == 1) & (allocations["beds_added"] > 0)]
    if best.empty:
        return ""
    placed = ", ".join(f"{row.beds_added} in {row.ward_id}" for row in best.itertuples())
    return f"of {best['extra_beds'].iloc[0]} extra beds, {placed}"


def _limited(plan: Plan) -> list[int]:
    return np.flatnonzero((plan.staffed < UNLIMITED).all(axis=1)).tolist()


def _places(plan: Plan, wards: Sequence[str] | None) -> list[str]:
    """The wards to place beds in, in the order of the config."""
    allowed = [plan.ward_ids[w] for w in _limited(plan)]
    wrong = [ward for ward in wards or () if ward not in allowed]
    if wrong:
        raise SimulationError(
            f"no beds can be added to ward {wrong[0]!r}, allowed are those with limited beds: {', '.join(allowed)}"
        )
    return allowed if wards is None else [ward for ward in allowed if ward in wards]


def _ways(wards: int, extra_beds: int) -> int:
    """To place so many beds in so many wards."""
    return comb(extra_beds + wards - 1, extra_beds) if wards else 0


def _most_helped(places: list[str], extra_beds: int, harm_with_one: Sequence[np.ndarray]) -> list[str]:
    """As many of `places` as there may be allocations, those where one bed leaves least harm."""
    enough = max(n for n in range(1, len(places)) if _ways(n, extra_beds) <= MOST_ALLOCATIONS)
    best = np.argsort([harm.mean() for harm in harm_with_one], kind="stable")[:enough]
    return [places[i] for i in sorted(best)]


def _placements(places: Sequence[str], extra_beds: int) -> Iterator[dict[str, int]]:
    for chosen in combinations_with_replacement(places, extra_beds) if places else ():
        yield {place: chosen.count(place) for place in chosen}


def _check(extra_beds: int, harm: Mapping[str, float]) -> None:
    if extra_beds < 1:
        raise SimulationError(f"extra_beds {extra_beds}: allowed are 1 and more")
    if not harm:
        raise SimulationError(f"harm is empty: name what beds are to prevent, such as {', '.join(HARM)}")
    wrong = [name for name in harm if name != WAITING_HOURS and name not in KPI_INDEX]
    if wrong:
        raise SimulationError(f"harm: unknown {wrong[0]!r}, allowed: {WAITING_HOURS}, {', '.join(KPI_INDEX)}")


def _harm(run: Run, weights: Mapping[str, float]) -> np.ndarray:
    """f8[R]: what was to be prevented in each replication."""

    def total(name: str) -> np.ndarray:
        if name == WAITING_HOURS:
            return run.waiting_hours()
        return np.nan_to_num(run.kpi(name))

    return np.sum([weight * total(name) for name, weight in weights.items()], axis=0)
