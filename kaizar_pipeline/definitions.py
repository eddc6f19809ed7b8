"""Dagster's entry point: the graph, its job, its schedule and its sensor."""

import warnings

import dagster as dg

from kaizar_pipeline.chain.steps import STEPS

# checks per partition are a preview in Dagster 1.13, selecting all assets a beta: this is not of interest to users
for _category in (dg.PreviewWarning, dg.BetaWarning):
    warnings.filterwarnings("ignore", category=_category)

from kaizar_pipeline.orchestration.assets import (  # noqa: E402  after the filter of warnings
    OverridesResource,
    make_assets,
    make_inputs_check,
    observe_files,
    rebuild_catalog,
    session,
)
from kaizar_pipeline.orchestration.automation import changed_files, every_night, occupancy_forecast  # noqa: E402
from kaizar_pipeline.orchestration.reports import planner_report  # noqa: E402

rebuild_catalog()

defs = dg.Definitions(
    assets=[observe_files, *(make_assets(step, position) for position, step in enumerate(STEPS)), planner_report],
    asset_checks=[make_inputs_check(STEPS)],
    jobs=[occupancy_forecast],
    schedules=[every_night],
    sensors=[changed_files],
    resources={"session": session, "overrides": OverridesResource.configure_at_launch()},
    # the chain is linear: a process per step would cost 20 to 30 s for nothing; hospitals run side by side
    executor=dg.in_process_executor,
)
