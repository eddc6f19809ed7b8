"""What runs by itself: the job over all tables of a hospital, the night on which it runs, and the look at its files."""

import json
import os
from collections.abc import Iterator

import dagster as dg

from kaizar_pipeline.chain.overrides import Overrides
from kaizar_pipeline.config.files import CONFIG_FOLDER
from kaizar_pipeline.config.snapshot import full_hours
from kaizar_pipeline.orchestration.assets import observations
from kaizar_pipeline.orchestration.input_files import file_states
from kaizar_pipeline.orchestration.partitions import HOME, HOSPITALS
from kaizar_pipeline.orchestration.run import HOSPITAL_TAG

occupancy_forecast = dg.define_asset_job(
    "occupancy_forecast",
    selection=dg.AssetSelection.all(),
    description="From the patients of one hospital to the occupancy of its wards.",
    # the launchpad begins with all settings; of the defaults it would leave out those that are null, such as as_of
    config={"resources": {"overrides": {"config": Overrides().model_dump()}}},
)


SNAPSHOTS = full_hours("KAIZAR_SCHEDULE_SNAPSHOTS", os.environ.get("KAIZAR_SCHEDULE_SNAPSHOTS", ""))
"""Full hours of the day to look ahead from, by the clock of the schedule; none: each hospital's own."""


@dg.schedule(
    job=occupancy_forecast,
    cron_schedule=[line.strip() for line in os.environ.get("KAIZAR_SCHEDULE_CRON", "0 5 * * *").split(";")],
    execution_timezone=os.environ.get("KAIZAR_SCHEDULE_TIMEZONE", "UTC"),
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def every_night(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run per hospital and time of the schedule, from the latest snapshot by then; its key and tags name it."""
    snapshot = latest_snapshot(f"{context.scheduled_execution_time:%H:%M}")
    overrides = {} if snapshot is None else {"resources": {"overrides": {"config": {"snapshot": snapshot}}}}
    tags = {} if snapshot is None else {"kaizar/snapshot": snapshot}
    hospitals = HOSPITALS.get_partition_keys()
    time = f"{context.scheduled_execution_time:%Y-%m-%dT%H:%M}"
    for hospital_id in hospitals:
        named = {HOSPITAL_TAG: hospital_id, **tags}
        yield dg.RunRequest(
            run_key=f"{time}|{hospital_id}", partition_key=hospital_id, run_config=overrides, tags=named
        )
    if not hospitals:
        yield dg.SkipReason(f"no hospital in {HOME / CONFIG_FOLDER}: add a file ID.yml there, then reload")


def latest_snapshot(time: str) -> str | None:
    """The last of the snapshots that is not after the `time` of the day, such as 08:10; before the first, the last one
    of the day before; None where the schedule has none."""
    return max((hour for hour in SNAPSHOTS if hour <= time), default=max(SNAPSHOTS, default=None))


@dg.sensor(default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=60)
def changed_files(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Observe the files of hospitals, scenarios and extracts whose size or time has changed."""
    before = json.loads(context.cursor or "{}")
    now = {
        hospital_id: {name: [state.size, state.modified] for name, state in file_states(HOME, hospital_id).items()}
        for hospital_id in HOSPITALS.get_partition_keys()
    }
    events = [
        observation
        for hospital_id, states in now.items()
        if states != before.get(hospital_id)
        for observation in observations(hospital_id)
        if states[observation.asset_key.to_user_string()]
        != before.get(hospital_id, {}).get(observation.asset_key.to_user_string())
    ]
    return dg.SensorResult(asset_events=events, cursor=json.dumps(now))
