"""Arrival rates of days ahead if the past goes on: the mean of each weekday, with no season, trend or holiday.

This is a scan of one season, not a forecast: `forecast_rates` has those. It needs four weeks of history for any number
of days ahead.
"""

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import configured_rates, open_days
from kaizar_pipeline.config.hospital import ArrivalStream, HospitalConfig
from kaizar_pipeline.config.snapshot import dates_ahead
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.forecasting.rates import MAX_PATHS, day_factors, rates_frame
from kaizar_pipeline.stats.philox import Purpose, hospital_key, stream_number, uniforms
from kaizar_pipeline.tables import ARRIVAL_RATES

MOST_DAYS = 364
"""Days before as_of that are averaged: a year, so that every season and weekday counts once."""

FEWEST_DAYS = 28
"""Observed days that are needed at least."""

_FACTOR = 1
"""Stage of the random numbers of the days' factors."""
_LEAST = 1e-6
"""Variance of these factors below which there are none."""


def weekday_rates(arrivals: pd.DataFrame, config: HospitalConfig) -> pd.DataFrame:
    """The arrival_rates of `simulation.horizon_days` days from as_of on, for simulations "as in the past year".

    A forecast stream has the mean of each weekday over the last 364 days of `arrivals` (daily_arrivals), and a gamma
    factor for each path and day, of the variance by which days differ from their weekday's mean beyond Poisson. Other
    streams have their configured rates. Raises DataError for a stream with fewer than 28 observed days, and for an
    as_of within a day.
    """
    as_of = arrivals["as_of"].iloc[0]
    if as_of != as_of.normalize():
        raise DataError(f"weekday_rates: as_of {as_of:%Y-%m-%d %H:%M}, allowed: a midnight")
    dates = dates_ahead(as_of, config.simulation.horizon_days)
    blocks = []
    for stream in config.arrival_streams:
        if stream.is_forecast:
            paths = _paths(stream, arrivals[arrivals["stream_id"] == stream.id], dates, config)
            frame = rates_frame(stream, dates, paths.mean(axis=0), paths).assign(model_type="weekday_mean")
        else:
            mean = configured_rates(stream, config.hospital, dates)
            frame = rates_frame(stream, dates, mean, mean[None, :])
        blocks.append(frame)
    return ARRIVAL_RATES.frame(pd.concat(blocks), hospital_id=config.id, as_of=as_of)


def _paths(stream: ArrivalStream, days: pd.DataFrame, dates: pd.DatetimeIndex, config: HospitalConfig) -> np.ndarray:
    """f8[path, day]"""
    known = days[days["observed"]].sort_values("date").tail(MOST_DAYS)
    if len(known) < FEWEST_DAYS:
        raise DataError(f"stream {stream.id}: {len(known)} observed days of history, at least {FEWEST_DAYS} are needed")
    counts, weekday = known["arrivals"].to_numpy(float), known["date"].dt.day_of_week.to_numpy()
    means = np.array([counts[weekday == day].mean() for day in range(7)])
    rates = means[dates.day_of_week] * open_days(stream, dates)
    inv_k = excess_variance(counts, means[weekday])
    path = np.arange(min(config.simulation.max_replications, MAX_PATHS))[:, None]
    if inv_k < _LEAST:
        return np.repeat(rates[None, :], len(path), axis=0)
    key, day = hospital_key(config.id, config.simulation.seed), dates.to_numpy().astype("datetime64[D]").astype("int64")
    chance, _ = uniforms(key, path, stream_number(stream.id), day, Purpose.RATE_PATH, _FACTOR)
    return rates * day_factors(inv_k, chance)


def excess_variance(counts: np.ndarray, means: np.ndarray) -> float:
    """The variance of the days' factors, by moments: what counts vary around their weekday's mean beyond Poisson,
    relative to the mean; 0 where they vary less."""
    freedom = len(counts) - 7  # seven means are estimated
    variance = ((counts - means) ** 2).sum() / freedom * len(counts)
    return max(0.0, float((variance - means.sum()) / (means**2).sum()))
