"""What could be done: scenarios against the hospital as it is."""

import dagster as dg
import pandas as pd

from kaizar_pipeline.config.files import load_scenarios
from kaizar_pipeline.config.variant import idle_rules
from kaizar_pipeline.orchestration import checks
from kaizar_pipeline.orchestration.stage import SIMULATES, Stage, readable_faults, table_spec
from kaizar_pipeline.patients.starting_census import starting_census
from kaizar_pipeline.planning.comparison import compare_scenarios
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.starting_point import StartingPoint
from kaizar_pipeline.tables import HOSPITAL_TOTAL

_HEADLINE = ("p95_census", "hours_full_share", "wait_mean_hours")
_FROM = ("patients", "ward_stays", "length_of_stay", "arrival_rates")


@dg.multi_asset(
    specs=[table_spec("scenario_comparison", "planning", *_FROM, kinds=["python"])],
    check_specs=checks.specs("scenario_comparison"),
    required_resource_keys=SIMULATES,
)
def scenario_comparison(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """What every scenario that is about the hospital changes."""
    with readable_faults():
        stage = Stage(context)
        scenarios = load_scenarios(stage.home, stage.config)
        if not scenarios:
            context.log.info("no scenario is about %s: the comparison is empty", stage.config.id)
        patients, ward_stays, lengths, rates = stage.load(*_FROM)
        as_of = rates["as_of"].iloc[0]
        for scenario in scenarios:
            for idle in idle_rules(scenario, as_of, rates["date"].nunique()):
                context.log.warning(idle)
        start = StartingPoint(stage.as_wanted, rates, lengths, starting_census(patients, ward_stays))
        comparison = compare_scenarios(Experiment(start, stage.workers), scenarios)
        results = [checks.differences_add_up(comparison), checks.beds_can_cope(comparison)]
        metadata = {"scenarios": len(scenarios), **_headline(comparison)}
        return stage.save("scenario_comparison", comparison, as_of, metadata, results, scenarios)


def _headline(comparison: pd.DataFrame) -> dict[str, float | str]:
    """What each scenario changes in the whole house."""
    house = comparison[(comparison["ward_id"] == HOSPITAL_TOTAL) & comparison["kpi"].isin(_HEADLINE)]
    columns = zip(house["scenario"], house["kpi"], house["difference"], strict=True)
    return {f"{scenario}: change of {kpi}": float(difference) for scenario, kpi, difference in columns}
