"""Where Dagster comes in: the graph, its job and its schedule."""

import dagster as dg

from kaizar_pipeline.orchestration.assets import (
    capacity,
    changes,
    forecast,
    history,
    occupancy_validation,
    planning,
    simulation,
    validation,
)
from kaizar_pipeline.orchestration.automation import every_night, occupancy_forecast
from kaizar_pipeline.orchestration.partitions import HOME
from kaizar_pipeline.orchestration.settings import Settings
from kaizar_pipeline.orchestration.stage import warehouse
from kaizar_pipeline.orchestration.storage import Warehouse

Warehouse(HOME / "data").rebuild_catalog()

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [history, forecast, validation, simulation, occupancy_validation, capacity, planning, changes]
    ),
    jobs=[occupancy_forecast],
    schedules=[every_night],
    resources={"warehouse": warehouse, "settings": Settings.configure_at_launch()},
    # the chain is linear: a process per step would cost 20 to 30 s for nothing; hospitals run side by side
    executor=dg.in_process_executor,
)
