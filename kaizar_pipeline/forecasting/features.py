"""The feature table: what was known at each origin, and the base rate that follows for each day ahead.

The base rate is calendar shape times level. The calendar is fitted on days up to `fit_until`, the level at an origin is
computed from the days up to it; so every forecast row, inner or real, uses only what was known on that day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import open_days, read_events
from kaizar_pipeline.config.files import find_home
from kaizar_pipeline.config.hospital import HospitalConfig, MlPoisson
from kaizar_pipeline.config.snapshot import dates_ahead, shown
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.forecasting.calendar_effects import day_features, fit_calendar
from kaizar_pipeline.tables import DAILY_ARRIVALS, FEATURE_TABLE

TRAINING_HORIZONS = np.array([1, 2, 3, 5, 7, 9, 12, 14, 17, 20, 22, 25, 28])
"""Days ahead that training rows are made for."""
FURTHER_HORIZONS = np.array([42, 63, 91, 126, 180])
"""More of them for forecasts beyond 28 days, up to the first that reaches the horizon."""
LONG_HORIZON = 28
MIN_DAYS_FOR_LONG_HORIZON = 500
"""Observed days below which nothing is forecast further ahead than 28 days."""
MIN_DAYS_FOR_PATHS = 180
"""Observed days below which the history is too short for an inner backtest, and for trees."""
PATH_WINDOW = (224, 0.3)
LONG_PATH_WINDOW = (420, 0.5)
"""The inner backtest lies in the last days of the history, so many of them or that share of it, whichever is less."""
PATH_STEP = 7
"""Days between the origins of the inner backtest."""

SPIKE = 10
SPIKE_DAYS = 56
SPIKE_MIN_DAYS = 28
"""A day with more than 10 times the mean of the 56 days before it plus one, 28 of them observed, is an error of the
records: it is excluded like a day that was not observed."""

HALF_LIVES = (3, 10, 30, 120)
"""Half-lives of the levels, in days: from the last week to the last year."""
_BASE = (10, 30)
"""The base rate's level is the geometric mean of the levels with these half-lives."""
LEVEL_RATIOS = {f"level_{half}_{_BASE[0]}": half for half in HALF_LIVES if half != _BASE[0]}
"""Columns of feature_table: log ratio of the level with the half-life of the value to that of the first of these."""
PSEUDO_DAYS = 3.0
"""Weight, in days, of the prior in each level: the next slower level, for the slowest the mean of all days so far."""
_WEEKDAY_HALF_LIFE = 28


def make_feature_table(arrivals: pd.DataFrame, config: HospitalConfig, home: Path | None = None) -> pd.DataFrame:
    """The feature_table of every forecast stream, from daily_arrivals; `home` is where the path of events starts.

    Days that were not observed, and spikes, are left out of the calendar, the levels and the training rows. A history
    too short for an inner backtest has no rows with use `path`; one of a single day or none has forecast rows only.
    Raises DataError for impossible arrivals (negative, from as_of on, repeated days, a stream without any day) and for
    a history too short for the horizon.
    """
    arrivals = _checked(arrivals, config)
    as_of, horizon = arrivals["as_of"].iloc[0], config.simulation.horizon_days
    ahead = dates_ahead(as_of, horizon)
    dates = pd.date_range(arrivals["date"].min(), ahead[-1], unit="us")
    days = day_features(dates, config.hospital, hospital_events(config, home))
    blocks = []
    for stream in config.forecast_streams:
        known = days.assign(arrivals=usable_counts(arrivals, stream.id).reindex(dates))
        if open_days(stream, ahead).any():
            _check_length(known, stream.id, horizon)
        prior_mean = stream.model.mean_per_day if isinstance(stream.model, MlPoisson) else None
        blocks += [rows.assign(stream_id=stream.id) for rows in _stream_rows(known, len(ahead), horizon, prior_mean)]
    rows = pd.concat(blocks) if blocks else FEATURE_TABLE.empty()
    return FEATURE_TABLE.frame(rows, hospital_id=config.id, as_of=as_of)


def hospital_events(config: HospitalConfig, home: Path | None = None) -> pd.Series | None:
    """The hospital's events by date (`read_events`), None when the config names no file; `home` as above."""
    return read_events(config.hospital, home or find_home()) if config.hospital.events else None


def with_known_streams(config: HospitalConfig, arrivals: pd.DataFrame) -> HospitalConfig:
    """`config` without the forecast streams that have no observed day in `arrivals`, for forecasts of the past."""
    known = set(arrivals.loc[arrivals["observed"], "stream_id"])
    streams = tuple(s for s in config.arrival_streams if s.id in known or not s.is_forecast)
    return config.model_copy(update={"arrival_streams": streams})


def usable_counts(arrivals: pd.DataFrame, stream_id: str) -> pd.Series:
    """Arrivals of a stream by day, as the forecast uses them: NaN on days not observed and on spikes."""
    rows = arrivals[arrivals["stream_id"] == stream_id].set_index("date").sort_index()
    counts = rows["arrivals"].astype("float64").where(rows["observed"]).asfreq("D")
    usual = counts.rolling(SPIKE_DAYS, min_periods=SPIKE_MIN_DAYS).mean().shift()
    return counts.where(~(counts > SPIKE * (usual + 1)))


def _checked(arrivals: pd.DataFrame, config: HospitalConfig) -> pd.DataFrame:
    arrivals = DAILY_ARRIVALS.conform(arrivals, ("run_id",))
    if arrivals.empty:
        raise DataError(f"hospital {config.id}: no day of arrivals to forecast from")
    refused = {
        "a negative number of arrivals": arrivals["arrivals"] < 0,
        "a day at or after as_of": arrivals["date"] >= arrivals["as_of"].dt.normalize(),
    }
    for what, wrong in refused.items():
        if wrong.any():
            row = arrivals[wrong].iloc[0]
            raise DataError(
                f"daily_arrivals of {config.id}: {what} in {int(wrong.sum())} row(s), for example {row['arrivals']} on "
                f"{row['date']:%Y-%m-%d} in stream {row['stream_id']!r} (as_of {shown(row['as_of'])})"
            )
    missing = {stream.id for stream in config.forecast_streams} - set(arrivals["stream_id"])
    if missing:
        raise DataError(f"daily_arrivals of {config.id}: no day of stream(s) {', '.join(sorted(missing))}")
    return arrivals


def _check_length(days: pd.DataFrame, stream_id: str, horizon: int) -> None:
    observed = int(days["arrivals"].notna().sum())
    if horizon > LONG_HORIZON and observed < MIN_DAYS_FOR_LONG_HORIZON:
        raise DataError(
            f"stream {stream_id}: {observed} days of history, too few to forecast {horizon} days ahead; more than "
            f"{LONG_HORIZON} days need {MIN_DAYS_FOR_LONG_HORIZON}. Lower simulation.horizon_days to {LONG_HORIZON}"
        )


def _stream_rows(days: pd.DataFrame, days_ahead: int, horizon: int, prior_mean: float | None) -> Iterator[pd.DataFrame]:
    """Rows of one stream: the fit on all of its history, and the fit of the inner backtest on the part before it.

    The last `days_ahead` of the days are forecast; what is learned is for a `horizon` of whole days, whatever the hour
    of as_of. `prior_mean`: arrivals per day that the config expects before there is any history, None for none.
    """
    today = len(days) - days_ahead - 1
    ahead = np.arange(1, horizon + 1)
    trained = _training_horizons(horizon)
    observed = np.flatnonzero(days["arrivals"].notna())
    first = observed[0] if len(observed) else today
    base = _BaseRate.fit(days, today, prior_mean)
    yield base.training_rows(first, trained)
    yield base.rows("forecast", np.array([today]), np.arange(1, days_ahead + 1))
    if len(observed) < MIN_DAYS_FOR_PATHS:
        return
    window, share = PATH_WINDOW if horizon <= LONG_HORIZON else LONG_PATH_WINDOW
    inner_end = today - min(window, int(share * len(observed)))
    inner = _BaseRate.fit(days, inner_end, prior_mean)
    yield inner.training_rows(first, trained)
    yield inner.rows("path", np.arange(today - horizon, inner_end - 1, -PATH_STEP), ahead)


def _training_horizons(horizon: int) -> np.ndarray:
    if horizon <= LONG_HORIZON:
        return TRAINING_HORIZONS
    return np.append(TRAINING_HORIZONS, FURTHER_HORIZONS[: np.searchsorted(FURTHER_HORIZONS, horizon) + 1])


@dataclass(frozen=True)
class _BaseRate:
    """Calendar shape and levels of one stream over its days; positions index the days from the first."""

    days: pd.DataFrame
    fit_until: int
    log_shape: np.ndarray
    log_levels: dict[int, np.ndarray]
    weekday_ratio: np.ndarray

    @classmethod
    def fit(cls, days: pd.DataFrame, fit_until: int, prior_mean: float | None) -> "_BaseRate":
        """The base rate, its calendar fitted up to `fit_until` without the first day, which only starts the level."""
        known = days.iloc[: fit_until + 1]
        log_shape = fit_calendar(known[known["arrivals"].notna()].iloc[1:]).log_shape(days)
        counts = days["arrivals"].to_numpy()
        shape = np.where(np.isnan(counts), 0.0, np.exp(log_shape))
        counts = np.nan_to_num(counts)
        levels = _levels(counts, shape, prior_mean)
        base = np.sqrt(levels[_BASE[0]] * levels[_BASE[1]])
        ratio = _weekday_ratio(counts, shape * base, days["weekday"].to_numpy(), base)
        return cls(days, fit_until, log_shape, {half: np.log(level) for half, level in levels.items()}, ratio)

    def training_rows(self, first: int, horizons: np.ndarray) -> pd.DataFrame:
        """Every origin from `first` on times `horizons`, where the target was observed by `fit_until`."""
        rows = self.rows("train", np.arange(first, self.fit_until), horizons)
        return rows[rows["arrivals"].notna() & (rows["target_date"] <= rows["fit_until"])]

    def rows(self, use: str, origins: np.ndarray, horizons: np.ndarray) -> pd.DataFrame:
        """One row for each origin and day ahead."""
        origin, h = (grid.ravel() for grid in np.meshgrid(origins, horizons, indexing="ij"))
        inside = origin + h < len(self.days)
        origin, h = origin[inside], h[inside]
        target = origin + h
        dates = self.days.index
        level = {half: log_level[origin] for half, log_level in self.log_levels.items()}
        rows = self.days.iloc[target].reset_index(drop=True)
        return rows.assign(
            fit_until=dates[self.fit_until],
            use=use,
            origin=dates[origin],
            h=h,
            target_date=dates[target],
            log_base_rate=self.log_shape[target] + (level[_BASE[0]] + level[_BASE[1]]) / 2,
            **{name: level[half] - level[_BASE[0]] for name, half in LEVEL_RATIOS.items()},
            weekday_ratio=self.weekday_ratio[origin, rows["weekday"].to_numpy()],
        )


def _levels(counts: np.ndarray, shape: np.ndarray, prior_mean: float | None) -> dict[int, np.ndarray]:
    """Arrivals per day of shape 1 as known on each day, by half-life in days; never zero.

    `prior_mean` arrivals per day count as one day of history before the first.
    """
    exposure = np.maximum(np.cumsum(shape), 1.0)
    # Jeffreys' prior of a Poisson rate is half an arrival: no level falls below what a history of zeros would leave
    floor = 0.5 / exposure
    prior = np.cumsum(counts) / exposure + floor
    if prior_mean is not None:
        prior = (np.cumsum(counts) + prior_mean) / (np.cumsum(shape) + 1)
        floor = np.minimum(floor, prior)
    levels = {}
    for half_life in sorted(HALF_LIVES, reverse=True):
        arrived, expected = (_decayed_sum(values, half_life) for values in (counts, shape))
        prior = np.maximum((arrived + PSEUDO_DAYS * prior) / (expected + PSEUDO_DAYS), floor)
        levels[half_life] = prior
    return levels


def _weekday_ratio(counts: np.ndarray, expected: np.ndarray, weekday: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Recent arrivals over expected ones [day, weekday], with `PSEUDO_DAYS` of a ratio of 1."""
    own = weekday[:, None] == np.arange(7)
    arrived, base = (_decayed_sum(values[:, None] * own, _WEEKDAY_HALF_LIFE) for values in (counts, expected))
    prior = PSEUDO_DAYS * level[:, None]
    return (arrived + prior) / (base + prior)


def _decayed_sum(values: np.ndarray, half_life: float) -> np.ndarray:
    """Sum over the days so far, a day's weight halving every `half_life` days."""
    summed = pd.DataFrame(values).ewm(halflife=half_life).sum().to_numpy()
    return summed.reshape(values.shape)
