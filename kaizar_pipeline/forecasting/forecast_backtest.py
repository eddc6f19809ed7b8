"""The back-test of the forecast: the model and its baselines, run again as of past days and scored.

A forecast sees no day after its origin. All methods are scored on the same days, from draws of counts, by the same
rules.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.forecasting.baselines import BASELINES, SEASONAL_NAIVE
from kaizar_pipeline.forecasting.calendar_effects import day_features
from kaizar_pipeline.forecasting.features import hospital_events, make_feature_table, usable_counts, with_known_streams
from kaizar_pipeline.forecasting.model import train_lgbm_poisson
from kaizar_pipeline.forecasting.origins import parallel_map, past_origins
from kaizar_pipeline.forecasting.rates import MAX_PATHS, forecast_rates
from kaizar_pipeline.forecasting.reuse import KeptRows, inputs_hash
from kaizar_pipeline.stats.philox import hospital_key, stream_number
from kaizar_pipeline.stats.scores import (
    binomial_band,
    covered,
    crps_of_draws,
    effective_number,
    pinball,
    pit_of_draws,
    seasonal_scale,
)
from kaizar_pipeline.tables import FORECAST_BACKTEST, FORECAST_PERCENTAGES, FORECAST_SCORES

MODEL = "model"
"""The method that is this project's own; the others are `BASELINES`."""

ORIGINS = 12
MAX_HORIZON = 28
MIN_KNOWN_DAYS = 70
"""Days of history before the first origin: enough for the baselines to have some past errors."""

_WEEK = 7
_ONE_DAY = pd.Timedelta(days=1)
_PROBABILITIES = np.array([float(f"0.{percentage}") for percentage in FORECAST_PERCENTAGES])


def backtest_forecast(  # noqa: PLR0913  three of them change how the work is done, not its result
    arrivals: pd.DataFrame,
    config: HospitalConfig,
    home: Path | None = None,
    *,
    origins: int = ORIGINS,
    kept: pd.DataFrame | None = None,
    workers: int | None = None,
    train: Callable[[pd.DataFrame], pd.DataFrame] = train_lgbm_poisson,
) -> pd.DataFrame:
    """The table forecast_backtest of every forecast stream, from daily_arrivals; `home` as in `make_feature_table`.

    At most `origins` past days are forecast from (`backtest_origins`), each over the horizon of the config, at most 28
    days; fewer where the history is short. A stream is not forecast from a day before its first. Rows of `kept`, an
    earlier table, are used again where their inputs are the same. Neither these nor the number of `workers` (threads,
    by default one per core) change the result. `train` makes the arrival_model of a feature_table.
    """
    horizon = min(config.simulation.horizon_days, MAX_HORIZON)
    simulation = config.simulation.model_copy(update={"horizon_days": horizon, "replications": MAX_PATHS})
    then = config.model_copy(update={"simulation": simulation})
    as_of = arrivals["as_of"].iloc[0]
    forecast = arrivals["stream_id"].isin([stream.id for stream in config.forecast_streams])
    seen = arrivals.loc[forecast & arrivals["observed"], "date"]
    days = backtest_origins(seen.min(), as_of.normalize(), horizon, origins) if len(seen) else []
    frames = [*parallel_map(_Backtest(arrivals, then, home, KeptRows(kept), train).rows, days, workers)]
    rows = pd.concat(frames) if frames else FORECAST_BACKTEST.empty()
    return FORECAST_BACKTEST.frame(rows, hospital_id=config.id, as_of=as_of)


def backtest_origins(first: pd.Timestamp, as_of: pd.Timestamp, horizon: int, origins: int) -> list[pd.Timestamp]:
    """The last days known to each forecast, in order, for a history from `first` on: those before `past_origins`."""
    midnights = past_origins(first, as_of, horizon=horizon, learn_days=MIN_KNOWN_DAYS, at_most=origins)
    return [midnight - _ONE_DAY for midnight in midnights]


@dataclass(frozen=True)
class _Backtest:
    """The back-test of one hospital; its config has the horizon and the number of rate paths of the back-test."""

    arrivals: pd.DataFrame
    config: HospitalConfig
    home: Path | None
    kept: KeptRows
    train: Callable[[pd.DataFrame], pd.DataFrame]

    def rows(self, origin: pd.Timestamp) -> pd.DataFrame:
        """Forecasts of all streams by all methods from one origin, scored; those kept where the inputs are the same."""
        inputs = self._inputs_hash(origin)
        kept = self.kept.get(origin, inputs)
        return self._computed(origin).assign(inputs_hash=inputs) if kept is None else kept

    def _inputs_hash(self, origin: pd.Timestamp) -> str:
        last = origin + pd.Timedelta(days=self.config.simulation.horizon_days)
        columns = ["stream_id", "date", "arrivals", "observed"]
        return inputs_hash(
            origin,
            self.arrivals.loc[self.arrivals["date"] <= last, columns].reset_index(drop=True),
            hospital_events(self.config, self.home),
            self.config.id,
            self.config.hospital,
            self.config.arrival_streams,
            self.config.simulation.horizon_days,
            self.config.simulation.seed,
        )

    def _computed(self, origin: pd.Timestamp) -> pd.DataFrame:
        arrivals, horizon = self.arrivals, self.config.simulation.horizon_days
        past = arrivals[arrivals["date"] <= origin].assign(as_of=origin + _ONE_DAY)
        config = with_known_streams(self.config, past)
        features = make_feature_table(past, config, self.home)
        rates = forecast_rates(self.train(features), features, past, config)
        dates = pd.date_range(past["date"].min(), origin + pd.Timedelta(days=horizon))
        calendar = day_features(dates, config.hospital)
        frames = []
        for stream in config.forecast_streams:
            counts = usable_counts(arrivals, stream.id)
            actual = counts.reindex(dates[-horizon:]).to_numpy()
            days = calendar.assign(arrivals=counts[counts.index <= origin].reindex(dates))
            paths = rates[rates["stream_id"] == stream.id].pivot(index="path", columns="date", values="rate").to_numpy()
            draws = {MODEL: _random(config, stream.id, origin, MODEL).poisson(paths)}
            for method, forecast in BASELINES.items():
                draws[method] = forecast(days, horizon, _random(config, stream.id, origin, method))
            uniform = _random(config, stream.id, origin, "pit").random((2, horizon))
            scale = seasonal_scale(days["arrivals"].to_numpy()[:-horizon])
            frames += [
                _scored(drawn, actual, uniform).assign(stream_id=stream.id, method=method, scale=scale)
                for method, drawn in draws.items()
            ]
        rows = pd.concat(frames)
        rows = rows.assign(origin=origin, target_date=origin + pd.to_timedelta(rows["h"], unit="D"))
        return rows[rows["actual"].notna()]


def _random(config: HospitalConfig, stream_id: str, origin: pd.Timestamp, purpose: str) -> np.random.Generator:
    """Random numbers that depend on the stream, origin and purpose only, not on what else is back-tested."""
    key = hospital_key(config.id, config.simulation.seed)
    return np.random.default_rng([key, stream_number(stream_id), origin.toordinal(), crc32(purpose.encode())])


def _scored(draws: np.ndarray, actual: np.ndarray, uniform: np.ndarray) -> pd.DataFrame:
    """One row per day ahead: the forecast and its scores; on every seventh also those of the sum of the last seven."""
    quantiles = np.quantile(draws, _PROBABILITIES, axis=0, method="inverted_cdf")
    horizon = len(actual)
    whole = horizon - horizon % _WEEK
    sums = draws[:, :whole].reshape(len(draws), -1, _WEEK).sum(axis=2)
    sum_actual = actual[:whole].reshape(-1, _WEEK).sum(axis=1)
    days = pd.DataFrame(
        {
            "h": np.arange(1, horizon + 1),
            "actual": actual,
            "mean": draws.mean(axis=0),
            **{f"p{q}": quantiles[i] for i, q in enumerate(FORECAST_PERCENTAGES)},
            "crps": crps_of_draws(draws, actual),
            "pit": pit_of_draws(draws, actual, uniform[0]),
        }
    )
    weeks = pd.DataFrame(
        {
            "h": np.arange(_WEEK, whole + 1, _WEEK),
            "sum7_actual": sum_actual,
            "sum7_mean": sums.mean(axis=0),
            "sum7_crps": crps_of_draws(sums, sum_actual),
            "sum7_pit": pit_of_draws(sums, sum_actual, uniform[1, : len(sum_actual)]),
        }
    )
    weeks = weeks[weeks["sum7_actual"].notna()]
    return days.merge(weeks, on="h", how="left")


def score_forecasts(backtest: pd.DataFrame) -> pd.DataFrame:
    """The table forecast_scores from forecast_backtest; empty for an empty one."""
    days, weeks = _days(backtest), _weeks(backtest)
    rows = pd.concat([days, weeks, days.assign(horizon_week=0), weeks.assign(horizon_week=0)])
    keys = ["hospital_id", "as_of", "stream_id", "span", "horizon_week"]
    boards = [_scoreboard(group).merge(group[keys].iloc[:1], how="cross") for _, group in rows.groupby(keys)]
    empty = FORECAST_SCORES.empty()
    return FORECAST_SCORES.frame(pd.concat(boards) if boards else empty)


def _days(backtest: pd.DataFrame) -> pd.DataFrame:
    losses = [
        pinball(backtest[f"p{q}"].to_numpy(), backtest["actual"].to_numpy(), probability)
        for q, probability in zip(FORECAST_PERCENTAGES, _PROBABILITIES, strict=True)
    ]
    error = (backtest["p50"] - backtest["actual"]).abs()
    return backtest.assign(
        span="day",
        horizon_week=(backtest["h"] - 1) // _WEEK + 1,
        error=backtest["mean"] - backtest["actual"],
        pinball=sum(losses) / len(losses),
        mase=error / backtest["scale"],
    )


def _weeks(backtest: pd.DataFrame) -> pd.DataFrame:
    rows = backtest[backtest["sum7_actual"].notna()]
    return rows.assign(
        span="week",
        horizon_week=rows["h"] // _WEEK,
        error=rows["sum7_mean"] - rows["sum7_actual"].astype("float64"),
        crps=rows["sum7_crps"],
        pit=rows["sum7_pit"],
        pinball=np.nan,
        mase=np.nan,
    )


def _scoreboard(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per method for one stream, span and horizon, with its rank."""
    board = pd.DataFrame([{"method": method, **_summary(group)} for method, group in rows.groupby("method")])
    loss = board.set_index("method")["crps"]
    naive = loss.get(SEASONAL_NAIVE, np.nan)
    return board.assign(
        skill=1 - board["crps"] / naive if naive > 0 else np.nan,
        rank=board["crps"].rank(method="min"),
        loses_to=pd.Series([_better(loss, method) for method in board["method"]], dtype="str"),
    )


def _better(loss: pd.Series, method: str) -> str | None:
    """The methods with a smaller CRPS than `method`, and by how much."""
    better = loss[loss < loss[method]].sort_values()
    return ", ".join(f"{name} by {1 - value / loss[method]:.1%}" for name, value in better.items()) or None


def _summary(rows: pd.DataFrame) -> dict[str, float]:
    pit = rows["pit"].to_numpy()
    n_effective = effective_number(covered(pit, 0.8), rows["origin"].to_numpy().astype("int64"))
    low, high = binomial_band(0.8, n_effective)
    return {
        "n": len(rows),
        "n_effective": n_effective,
        "crps": rows["crps"].mean(),
        "pinball": rows["pinball"].mean(),
        "mase": rows["mase"].mean(),
        "bias": rows["error"].mean(),
        **{f"coverage{level}": covered(pit, level / 100).mean() for level in (50, 80, 95)},
        "coverage80_low": low,
        "coverage80_high": high,
    }
