"""What runs by itself: the job over all tables of a hospital, and the night on which it runs for each."""

import os
from collections.abc import Iterator

import dagster as dg

from kaizar_pipeline.orchestration.partitions import HOSPITALS

occupancy_forecast = dg.define_asset_job(
    "occupancy_forecast",
    selection=dg.AssetSelection.all(),
    description="From the patients of one hospital to the occupancy of its wards.",
)


@dg.schedule(
    job=occupancy_forecast,
    cron_schedule=os.environ.get("KAIZAR_SCHEDULE_CRON", "0 5 * * *"),
    execution_timezone=os.environ.get("KAIZAR_SCHEDULE_TIMEZONE", "UTC"),
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def every_night(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One run per hospital and date."""
    for hospital_id in HOSPITALS.get_partition_keys():
        date = f"{context.scheduled_execution_time:%Y-%m-%d}"
        yield dg.RunRequest(run_key=f"{date}|{hospital_id}", partition_key=hospital_id)
