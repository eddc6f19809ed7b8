"""Arrival rates for the simulation: many plausible paths for a forecast stream, one for a planned stream.

A path is the mean rate times an error that persists over days (the level may be wrong) and an independent gamma factor
for each day, so that Poisson arrivals on a path are negative binomial around it.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import configured_rates, open_days
from kaizar_pipeline.config.hospital import ArrivalStream, HospitalConfig
from kaizar_pipeline.config.snapshot import dates_ahead
from kaizar_pipeline.forecasting.arrivals_so_far import SoFar, given_so_far
from kaizar_pipeline.forecasting.model import predict_rates
from kaizar_pipeline.forecasting.uncertainty import ErrorCovariance
from kaizar_pipeline.stats.philox import Purpose, hospital_key, stream_number, uniforms
from kaizar_pipeline.tables import ARRIVAL_RATES, HOSPITAL_TOTAL

MAX_PATHS = 1000
"""Rate paths stored at most; further replications use them again."""

_NORMAL, _GAMMA, _SHARED_NORMAL = 0, 1, 2
_SMALLEST = 2.0**-54
_NO_FACTOR = 1e-6
"""1/k below which days have no factor of their own."""


def forecast_rates(
    model: pd.DataFrame,
    features: pd.DataFrame,
    arrivals: pd.DataFrame,
    config: HospitalConfig,
    so_far: Mapping[str, SoFar] | None = None,
) -> pd.DataFrame:
    """The arrival_rates of every stream for the days from as_of on: `simulation.horizon_days` of them, and before them
    the one that has begun, unless as_of is midnight.

    `model` and `features` are arrival_model and feature_table of the forecast streams; as_of is
    that of `arrivals` (daily_arrivals). `so_far` (`arrivals_so_far`) decides the rates of the rest of a day that has
    begun. Schedule and constant streams need no history and have path 0 only. Rates are zero before a stream has opened
    and from the day on which it has closed.
    """
    as_of, so_far = arrivals["as_of"].iloc[0], so_far or {}
    dates = dates_ahead(as_of, config.simulation.horizon_days)
    models = {row["stream_id"]: row for _, row in model.iterrows()}
    ahead = features[features["use"] == "forecast"].sort_values("h")
    blocks = []
    for stream in config.arrival_streams:
        if stream.is_forecast:
            row = models[stream.id]
            mean = predict_rates(row, ahead[ahead["stream_id"] == stream.id]) * open_days(stream, dates)
            paths = _paths(row, stream.id, pd.Series(mean, dates), config, so_far.get(stream.id))
            mean = _given(row, mean, so_far.get(stream.id))
        else:
            mean = configured_rates(stream, config.hospital, dates)
            if stream.id in so_far and stream.is_fixed:
                mean[0] = so_far[stream.id].of_fixed(mean[0])
            paths = mean[None, :]
        blocks.append(rates_frame(stream, dates, mean, paths))
    return ARRIVAL_RATES.frame(pd.concat(blocks), hospital_id=config.id, as_of=as_of)


def _given(model: pd.Series, mean: np.ndarray, so_far: SoFar | None) -> np.ndarray:
    """The `mean` f8[day] of the rates given what arrived so far on the first day."""
    if so_far is None or not so_far.is_known(mean[0]):
        return mean
    k = 1 / max(model["inv_k"], _NO_FACTOR)
    return np.concatenate([mean[:1] * (k + so_far.arrivals) / (k + mean[:1] * so_far.share), mean[1:]])


def _paths(
    model: pd.Series, stream_id: str, mean: pd.Series, config: HospitalConfig, so_far: SoFar | None
) -> np.ndarray:
    """Rates [path, day]: the `mean` by date times the lognormal error of the level and a gamma factor per day, both of
    mean 1.

    Part of the level's error is common to all streams. A factor's random numbers are addressed by path, stream and
    date, so they do not change with the number of paths or streams; a longer horizon leaves the first days as they are.
    Days between the last one observed and the first one ahead make the level less certain.
    """
    from scipy.special import ndtri

    dates = pd.DatetimeIndex(mean.index)
    key = hospital_key(config.id, config.simulation.seed)
    path = np.arange(min(config.simulation.max_replications, MAX_PATHS))[:, None]
    day = dates.to_numpy().astype("datetime64[D]").astype("int64")

    def uniform(stream: str, stage: int) -> np.ndarray:
        drawn, _ = uniforms(key, path, stream_number(stream), day, Purpose.RATE_PATH, stage)
        return np.maximum(drawn, _SMALLEST)

    behind = (dates[0] - model["train_to"]).days - 1
    log_covariance = np.log1p(_covariance(model).matrix(len(dates), behind))
    cholesky = np.linalg.cholesky(log_covariance + 1e-10 * np.eye(len(dates)))
    common = model["stream_correlation"]
    shared, own = ndtri(uniform(HOSPITAL_TOTAL, _SHARED_NORMAL)), ndtri(uniform(stream_id, _NORMAL))
    normals = np.sqrt(common) * shared + np.sqrt(1 - common) * own
    level = np.exp(normals @ cholesky.T - np.diag(log_covariance) / 2)
    if model["inv_k"] < _NO_FACTOR:
        return mean.to_numpy() * level
    chance = uniform(stream_id, _GAMMA)
    factors = level * day_factors(model["inv_k"], chance)
    if so_far is not None and so_far.is_known(mean.iloc[0]):
        given = given_so_far(so_far, mean.iloc[0] * level[:, 0], model["inv_k"], chance[:, 0])
        factors[:, 0] = level[:, 0] * given
    return mean.to_numpy() * factors


def day_factors(inv_k: float, chance: np.ndarray) -> np.ndarray:
    """The quantile of each `chance` of a gamma factor of mean 1 and variance `inv_k`."""
    from scipy.special import gammaincinv

    return gammaincinv(1 / inv_k, chance) * inv_k


def _covariance(model: pd.Series) -> ErrorCovariance:
    return ErrorCovariance(
        a=model["cov_a"],
        b=model["cov_b"],
        c=model["cov_c"],
        rho=model["rho"],
        inv_k=model["inv_k"],
        n_paths=model["n_paths_fit"],
        prior_used=model["prior_used"],
    )


def rates_frame(stream: ArrivalStream, dates: pd.DatetimeIndex, mean: np.ndarray, paths: np.ndarray) -> pd.DataFrame:
    """Rows of arrival_rates from the `mean` f8[day] and the `paths` f8[path, day] of a stream."""
    n_paths, n_days = paths.shape
    return pd.DataFrame(
        {
            "stream_id": stream.id,
            "date": np.tile(dates, n_paths),
            "path": np.repeat(np.arange(n_paths), n_days),
            "rate": paths.ravel(),
            "mean_rate": np.tile(mean, n_paths),
            "model_type": stream.model.type,
        }
    )
