"""Whether the level of arrivals has moved: the last four weeks against the forecast made before them."""

from bisect import bisect_left
from pathlib import Path

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.forecasting.features import make_feature_table, usable_counts, with_known_streams
from kaizar_pipeline.forecasting.model import train_lgbm_poisson
from kaizar_pipeline.forecasting.rates import MAX_PATHS, forecast_rates

DRIFT_DAYS = 28
DRIFT_LEVEL = 0.99
"""Probability of the interval that arrivals of a steady stream stay in."""
_COLUMNS = ("stream_id", "actual", "expected", "low", "high", "moved")


def level_drift(arrivals: pd.DataFrame, config: HospitalConfig, home: Path | None = None) -> pd.DataFrame:
    """One row per forecast stream: observed and expected arrivals of the last 28 days.

    The forecast is fitted on the days before these. Columns: stream_id, actual, expected, low and high
    (the interval that contains the sum with 99 %) and moved (bool: actual lies outside). Days not observed are left
    out of both. Streams without an observed day before the last 28 have no row.
    """
    origin = arrivals["as_of"].iloc[0].normalize() - pd.Timedelta(days=DRIFT_DAYS)
    past = arrivals[arrivals["date"] < origin].assign(as_of=origin)
    simulation = config.simulation.model_copy(update={"horizon_days": DRIFT_DAYS, "replications": MAX_PATHS})
    then = with_known_streams(config, past).model_copy(update={"simulation": simulation})
    if not then.forecast_streams:
        return pd.DataFrame(columns=list(_COLUMNS))
    features = make_feature_table(past, then, home)
    rates = forecast_rates(train_lgbm_poisson(features), features, past, then)
    rows = [_stream_drift(stream.id, arrivals, rates) for stream in then.forecast_streams]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _stream_drift(stream_id: str, arrivals: pd.DataFrame, rates: pd.DataFrame) -> dict[str, object]:
    paths = rates[rates["stream_id"] == stream_id].pivot(index="date", columns="path", values="rate")
    counts = usable_counts(arrivals, stream_id).reindex(paths.index)
    sums = paths[counts.notna()].sum().to_numpy()
    tail = (1 - DRIFT_LEVEL) / 2
    actual, low, high = int(counts.sum()), _quantile(sums, tail), _quantile(sums, 1 - tail)
    moved = not low <= actual <= high
    return dict(zip(_COLUMNS, (stream_id, actual, float(sums.mean()), low, high, moved), strict=True))


def _quantile(rates: np.ndarray, probability: float) -> int:
    """The smallest count not exceeded with `probability`, of a Poisson count whose rate is any of `rates`."""
    from scipy.stats import poisson

    most = int(poisson.ppf(1 - 1e-9, rates.max()))
    return bisect_left(range(most), probability, key=lambda count: float(poisson.cdf(count, rates).mean()))
