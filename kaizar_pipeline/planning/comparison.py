"""What scenarios change: the hospital as it is and under each scenario, same patients (docs/how_to/scenarios.md).

Differences are taken pair by pair of replications. A percentile over hours and replications together is not a mean
over replications, so that of the census is taken within GROUPS groups of consecutive ones (batch means).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.errors import ConfigError
from kaizar_pipeline.planning.paired import paired
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.load import check_load
from kaizar_pipeline.simulation.monte_carlo import Progress, Run
from kaizar_pipeline.tables import SCENARIO_COMPARISON
from kaizar_pipeline.tables.kpis import KPIS

COMPARED = {kpi.name: kpi.unit for kpi in KPIS if kpi.in_scenarios} | {"p95_census": "beds"}
"""What is compared, with its unit: KPIs as in ward_performance, over all patient types; and the census not exceeded in
95 % of all hours and replications together."""


def compare_scenarios(
    experiment: Experiment,
    scenarios: Sequence[Scenario],
    *,
    replications: int | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The table scenario_comparison: what each of `scenarios` changes.

    `replications` is by default the hospital's number, and no more than there are rate paths; `progress` is told how
    many plans are done. Raises ConfigError for a scenario that cannot be applied, and for two with one id. One that
    asks more of a ward than it has beds is simulated all the same, since that is an answer; its rows say so.
    """
    start, names = experiment.start, [scenario.id for scenario in scenarios]
    if len(set(names)) < len(names):
        raise ConfigError(f"scenarios {', '.join(names)}: each needs an id of its own")
    if not scenarios:
        return SCENARIO_COMPARISON.empty()
    plans = [start.under(scenario) for scenario in scenarios]
    check_load(start.plan, allow=start.config.simulation.overload == "allow")
    n = min(replications or start.compared_replications, start.independent_replications)
    runs: list[Run] = []
    for run in experiment.run_all([start.plan, *plans], n, grouped=True):
        runs.append(run)
        if progress:
            progress(len(runs), 1 + len(plans))
    baseline = _values(runs[0])
    frames = [_rows(run, baseline).assign(scenario=name) for name, run in zip(names, runs[1:], strict=True)]
    return SCENARIO_COMPARISON.frame(
        pd.concat(frames, ignore_index=True), hospital_id=start.config.id, as_of=start.as_of
    )


def _values(run: Run) -> dict[tuple[str, str], np.ndarray]:
    """What is compared, by ward and name: f8[R], or f8[groups]."""
    p95 = run.p95_census()
    return {
        (ward, name): p95[:, w] if name == "p95_census" else run.kpi(name, w)
        for w, ward in enumerate(run.plan.ward_axis)
        for name in COMPARED
    }


def _rows(run: Run, baseline: Mapping[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """A row per ward and KPI that could be measured."""
    wards = np.isin(np.array(run.plan.ward_ids), [load.wards[0] for load in check_load(run.plan, allow=True)])
    overloaded = dict(zip(run.plan.ward_axis, [*wards, *np.any(run.plan.is_member & wards, axis=1)], strict=True))
    rows = []
    for (ward, name), value in _values(run).items():
        row = paired(baseline[ward, name], value) if (ward, name) in baseline else _alone(value)
        if row["pairs"]:
            names = {"ward_id": ward, "kpi": name, "unit": COMPARED[name], "overloaded": overloaded[ward]}
            rows.append({**names, **row})
    return pd.DataFrame(rows)


def _alone(value: np.ndarray) -> dict[str, float]:
    """The mean of what was measured in a ward that the baseline does not have."""
    value = value[np.isfinite(value)]
    return {"value": value.mean() if len(value) else np.nan, "pairs": len(value)}
