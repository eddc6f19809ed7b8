"""What scenarios change: the hospital as it is and as each scenario has it, met by the same patients.

Every random number has an address that knows nothing of beds or rules (common random numbers), so replication r of a
scenario sees the patients of replication r of the baseline, less or plus those that the scenario itself takes away or
adds. Differences are taken pair by pair, and what both have in common cancels.

- KPIs: the mean over replications of the difference d_r of a pair, its standard error sd(d) / sqrt(R), and Student's t.
  A pair counts when the KPI was measured in both (no waits, no mean wait).
- p95_census: a percentile over hours and replications together is no mean over replications. So the replications are
  cut into GROUPS groups of consecutive numbers, the percentile is taken within each group, and the same formulas go
  over the groups (batch means). What is compared is therefore the mean over groups of the group's percentile.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import configured_rates
from kaizar_pipeline.config.hospital import HospitalConfig, Simulation
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.config.variant import Variant, apply_scenario
from kaizar_pipeline.errors import ConfigError
from kaizar_pipeline.planning.paired import paired
from kaizar_pipeline.simulation.load import check_load
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo, Progress, rate_paths
from kaizar_pipeline.simulation.plan import MAX_REPLICATIONS, Horizon, Plan, make_plan
from kaizar_pipeline.stats.philox import hospital_key
from kaizar_pipeline.tables import HOSPITAL_TOTAL, SCENARIO_COMPARISON
from kaizar_pipeline.tables.kpis import KPI_INDEX, KPIS

GROUPS = 20
"""Groups of replications for what is no mean over replications; fewer when there are fewer replications."""

COMPARED = {kpi.name: kpi.unit for kpi in KPIS if kpi.in_scenarios} | {"p95_census": "beds"}
"""What is compared, with its unit: KPIs as in ward_performance, over all patient types; and the census not exceeded in
95 % of all hours and replications together."""

AT_MOST = 1000
"""Replications that are enough for paired differences, where the hospital asks for more in search of a precision."""


def compare_scenarios(
    config: HospitalConfig,
    scenarios: Sequence[Scenario],
    arrival_rates: pd.DataFrame,
    length_of_stay: pd.DataFrame | None,
    census: pd.DataFrame | None,
    *,
    replications: int | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The table scenario_comparison: what each of `scenarios` changes, over the days of `arrival_rates`.

    The other tables are as for `simulate_occupancy`. `replications` is by default the hospital's number, and no more
    than there are rate paths; `progress` hears how many versions of the hospital are done. Raises ConfigError for a
    scenario that cannot be applied, and for two of one id. One that asks more of a ward than it has beds is simulated
    all the same, since that is an answer; its rows say so.
    """
    as_of, simulation = pd.Timestamp(arrival_rates["as_of"].iloc[0]), config.simulation
    plan_of = _Planner(config, arrival_rates, length_of_stay, census if simulation.start == "census" else None)
    names = [scenario.id for scenario in scenarios]
    if len(set(names)) < len(names):
        raise ConfigError(f"scenarios {', '.join(names)}: each needs an id of its own")
    plans = {scenario.id: plan_of(scenario) for scenario in scenarios}
    overloaded = {name: {load.wards[0] for load in check_load(plan, allow=True)} for name, plan in plans.items()}
    if not plans:
        return SCENARIO_COMPARISON.empty()
    baseline = plan_of(None)
    n = min(replications or _enough(simulation), baseline.independent_replications, MAX_REPLICATIONS)
    check_load(baseline, allow=simulation.overload == "allow")
    first, *others = _simulate_all([baseline, *plans.values()], n, config, workers, progress)
    frames = []
    for name, run in zip(plans, others, strict=True):
        rows = pd.DataFrame([row for ward in run.wards for row in _rows(ward, first, run)])
        full = overloaded[name] | ({HOSPITAL_TOTAL} if overloaded[name] else set())
        frames.append(rows.assign(scenario=name, overloaded=rows["ward_id"].isin(full)))
    return SCENARIO_COMPARISON.frame(pd.concat(frames, ignore_index=True), hospital_id=config.id, as_of=as_of)


def _enough(simulation: Simulation) -> int:
    asked = simulation.max_replications
    return asked if isinstance(simulation.replications, int) else min(asked, AT_MOST)


class _Planner:
    """Makes the plan of the hospital as it is (None) or as a scenario has it."""

    def __init__(
        self,
        config: HospitalConfig,
        arrival_rates: pd.DataFrame,
        length_of_stay: pd.DataFrame | None,
        census: pd.DataFrame | None,
    ):
        self._config, self._length_of_stay, self._census = config, length_of_stay, census
        self._as_of = pd.Timestamp(arrival_rates["as_of"].iloc[0])
        self._dates = pd.DatetimeIndex(np.sort(arrival_rates["date"].unique()))
        self._rates = rate_paths(arrival_rates)

    def __call__(self, scenario: Scenario | None) -> Plan:
        variant = (
            Variant(self._config, {}, {})
            if scenario is None
            else apply_scenario(self._config, scenario, self._as_of, len(self._dates))
        )
        simulation = self._config.simulation
        return make_plan(
            variant.config,
            self._rates | self._rates_of_its_own(variant.config),
            Horizon(self._as_of, len(self._dates), simulation.warmup),
            key=hospital_key(self._config.id, simulation.seed),
            length_of_stay=self._length_of_stay,
            census=self._census,
        ).scaled(variant.arrival_factors, variant.los_factors)

    def _rates_of_its_own(self, config: HospitalConfig) -> dict[str, np.ndarray]:
        """Rates of the streams of which the scenario says how many come."""
        return {
            stream.id: configured_rates(stream, config.hospital, self._dates)[None]
            for stream, own in zip(config.arrival_streams, self._config.arrival_streams, strict=True)
            if stream != own and not stream.is_forecast
        }


@dataclass(frozen=True)
class _Run:
    """What is compared of one version of the hospital, by replication or by group of replications."""

    wards: tuple[str, ...]
    kpis: np.ndarray
    """f8[R, W + 1, len(KPIS)], over all patient types."""
    p95_census: np.ndarray
    """f8[groups, W + 1]"""

    def values(self, name: str) -> np.ndarray:
        """f8[pairs, W + 1] of what is compared."""
        return self.p95_census if name == "p95_census" else self.kpis[:, :, KPI_INDEX[name]]


def _simulate_all(
    plans: Sequence[Plan], replications: int, config: HospitalConfig, workers: int | None, progress: Progress | None
) -> list[_Run]:
    """Every plan on a thread of its own, as many at a time as there are workers."""
    runs = [
        MonteCarlo(plan, engine=config.simulation.engine, workers=1, keep_replications=True, with_demand=False)
        for plan in plans
    ]
    done: list[_Run] = []
    with ThreadPoolExecutor(workers or cpu_count() or 1) as pool:
        for run in pool.map(_simulate, runs, [replications] * len(runs)):
            done.append(run)
            if progress:
                progress(len(done), len(runs))
    return done


def _simulate(monte_carlo: MonteCarlo, replications: int) -> _Run:
    ends = np.linspace(0, replications, min(GROUPS, replications) + 1).astype(int)[1:]
    wards = (*monte_carlo.plan.ward_ids, HOSPITAL_TOTAL)
    before = [np.zeros(0, dtype=np.int64) for _ in wards]
    percentiles = []
    for end in ends:
        monte_carlo.extend(int(end))
        census = monte_carlo.actual.census
        now = [census.of(w).sum(axis=0, dtype=np.int64) for w in range(len(wards))]
        percentiles.append([_p95(after, earlier) for after, earlier in zip(now, before, strict=True)])
        before = now
    kpis = monte_carlo.actual.kpis
    assert kpis is not None
    return _Run(wards, kpis[:, :, -1, :], np.array(percentiles, dtype=np.float64))


def _p95(after: np.ndarray, before: np.ndarray) -> int:
    """Inverted-CDF 95th percentile of the counts by beds that came between two states of a histogram."""
    cumulative = np.cumsum(after - np.pad(before, (0, len(after) - len(before))))
    return int(np.argmax(cumulative >= np.ceil(0.95 * cumulative[-1] - 1e-9)))


def _rows(ward: str, baseline: _Run, run: _Run) -> Iterator[dict[str, object]]:
    """The rows of one ward, for what could be measured."""
    here = run.wards.index(ward)
    there = baseline.wards.index(ward) if ward in baseline.wards else None
    for name, unit in COMPARED.items():
        value = run.values(name)[:, here]
        row = _alone(value) if there is None else paired(baseline.values(name)[:, there], value)
        if row["pairs"]:
            yield {"ward_id": ward, "kpi": name, "unit": unit, **row}


def _alone(value: np.ndarray) -> dict[str, float]:
    """The mean of what was measured in a ward that the baseline has not."""
    value = value[np.isfinite(value)]
    return {"value": value.mean() if len(value) else np.nan, "pairs": len(value)}
