"""Hours of arrival that the history decides, put into the config of a hospital."""

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import SimulationError


def with_learned_hours(config: HospitalConfig, arrival_profile: pd.DataFrame | None) -> HospitalConfig:
    """`config` with the weights of the table arrival_profile in streams that learn their hours of arrival.

    Raises SimulationError for such a stream without a row in use.
    """
    learning = [stream.id for stream in config.arrival_streams if config.learns_hours(stream)]
    if not learning:
        return config
    weights: dict[str, tuple[float, ...]] = {}
    if arrival_profile is not None:
        used = arrival_profile[arrival_profile["in_use"]].sort_values(["weekday", "hour"])
        weights = {str(stream): tuple(rows.tolist()) for stream, rows in used.groupby("stream_id")["weight"]}
    missing = [stream for stream in learning if stream not in weights]
    if missing:
        raise SimulationError(
            f"stream {missing[0]}: hourly_profile is from_data, but arrival_profile has no rows in use for it; make "
            "that table with this config (hours_of_arrival), or give the stream an hourly_profile"
        )
    streams = tuple(
        stream.model_copy(update={"hourly_profile": weights[stream.id]}) if stream.id in learning else stream
        for stream in config.arrival_streams
    )
    return config.model_copy(update={"arrival_streams": streams})
