"""The arrivals model: a few shallow trees that correct the base rate, only where they improve on it out of sample.

LightGBM with a Poisson objective, direct (the horizon is a feature), on the base rate as offset. Kept as LightGBM's
text, so that a stored model can be read without this package.
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kaizar_pipeline.forecasting.calendar_effects import FLAGS, MIN_ARRIVALS, fit_calendar
from kaizar_pipeline.forecasting.features import LEVEL_RATIOS, MIN_DAYS_FOR_PATHS
from kaizar_pipeline.forecasting.uncertainty import (
    Evidence,
    fit_error_covariance,
    level_evidence,
    pooled_drift,
    stream_correlation,
)
from kaizar_pipeline.tables import ARRIVAL_MODEL

if TYPE_CHECKING:
    import lightgbm as lgb

FEATURES = (
    "h",
    "weekday",
    "day_of_year",
    *FLAGS,
    *LEVEL_RATIOS,
    "weekday_ratio",
)
"""Columns of feature_table that the trees use."""

MAX_TREES = 300
PATIENCE = 30
VALIDATION_SHARE = 0.2
VALIDATION_DAYS = 56
"""Trees are added while they help on the last 20 % of the time, at least 56 days, and for 30 trees beyond."""

MAX_BIN = 63
"""Levels a feature is cut into: a quarter of LightGBM's 255, faster, and enough for a few hundred days."""

METHODS = ("trees", "base_rate", "level")
"""Trees on the base rate; calendar shape times level; the level alone, where too little is known for a calendar."""


def train_lgbm_poisson(features: pd.DataFrame, workers: int | None = None) -> pd.DataFrame:
    """The arrival_model of every stream in a feature_table: a pure function of that table.

    `workers` are threads, by default one per core; their number does not change the result.
    """
    streams = [(str(stream_id), rows) for stream_id, rows in features.groupby("stream_id")]
    if not streams:
        return ARRIVAL_MODEL.empty()
    with ThreadPoolExecutor(workers) as pool:
        fits = list(pool.map(lambda stream: _fit_stream(*stream), streams))
    evidence = [fit.evidence for fit in fits]
    drift = pooled_drift(evidence)
    covariances = [fit_error_covariance(stream, drift) for stream in evidence]
    correlation = stream_correlation(evidence, covariances)
    models = [
        {**fit.columns, **covariance.columns(), "stream_correlation": correlation}
        for fit, covariance in zip(fits, covariances, strict=True)
    ]
    return ARRIVAL_MODEL.frame(pd.DataFrame(models))


def predict_rates(model: pd.Series, features: pd.DataFrame) -> np.ndarray:
    """Mean arrivals per day for each row of `features`, by one row of arrival_model."""
    if model["trees"] == 0:
        return np.exp(features["log_base_rate"].to_numpy())
    import lightgbm as lgb

    return _rates(lgb.Booster(model_str=model["model_text"]), features)


@dataclass(frozen=True)
class _Trees:
    """The result of boosting: no booster when the base rate is better, no deviances when it was not tried."""

    booster: "lgb.Booster | None" = None
    deviance_model: float | None = None
    deviance_base: float | None = None


@dataclass(frozen=True)
class _StreamFit:
    """A stream's model, and the evidence about its errors."""

    columns: dict[str, object]
    evidence: Evidence


def _fit_stream(stream_id: str, rows: pd.DataFrame) -> _StreamFit:
    fit_until = rows["fit_until"].max()
    training = rows[(rows["use"] == "train") & (rows["fit_until"] == fit_until)]
    days = training.drop_duplicates("target_date").set_index("target_date").sort_index()
    trees = _boost(training)
    calendar = fit_calendar(days)
    columns = {
        "hospital_id": rows["hospital_id"].iloc[0],
        "as_of": rows["as_of"].iloc[0],
        "stream_id": stream_id,
        "method": "trees" if trees.booster else "base_rate" if calendar.coefficients else "level",
        "trees": trees.booster.num_trees() if trees.booster else 0,
        "model_text": trees.booster.model_to_string() if trees.booster else None,
        "train_from": days.index[0] if len(days) else fit_until,
        "train_to": days.index[-1] if len(days) else fit_until,
        "n_days": _observed_days(training),
        "overdispersion": calendar.overdispersion,
        "deviance_model": trees.deviance_model,
        "deviance_base": trees.deviance_base,
        "calendar": json.dumps(calendar.coefficients),
        "importance": json.dumps(_importance(trees.booster)),
        "versions": _versions(),
    }
    rate = float(np.exp(rows.loc[_is_whole_day_ahead(rows), "log_base_rate"]).mean())
    evidence = level_evidence(*_inner_paths(rows), calendar.overdispersion, _observed_days(training), rate)
    return _StreamFit(columns, evidence)


@cache
def _versions() -> str:
    """Versions of the libraries that a model depends on, as JSON; looking them up parses files."""
    return json.dumps({name: version(name) for name in ("lightgbm", "numpy", "scipy", "holidays")})


def _observed_days(training: pd.DataFrame) -> int:
    """Observed days of history: the first is no row's target."""
    return training["target_date"].nunique() + 1


def _is_whole_day_ahead(rows: pd.DataFrame) -> pd.Series:
    return (rows["use"] == "forecast") & (rows["target_date"] >= rows["as_of"])


def _inner_paths(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Arrivals and rates [path, day ahead] of the inner backtest, by a model trained on the days before it."""
    paths = rows[rows["use"] == "path"].sort_values(["origin", "h"])
    shape = (paths["origin"].nunique(), int(_is_whole_day_ahead(rows).sum()))
    if paths.empty:
        return np.empty(shape), np.empty(shape)
    inner = _boost(rows[(rows["use"] == "train") & (rows["fit_until"] == paths["fit_until"].iloc[0])])
    counts = paths["arrivals"].to_numpy(dtype="float64", na_value=np.nan)
    return counts.reshape(shape), _rates(inner.booster, paths).reshape(shape)


def _boost(training: pd.DataFrame) -> _Trees:
    """Trees on top of the base rate, as many as help on the last part of the time; none if they do not beat it."""
    if _observed_days(training) < MIN_DAYS_FOR_PATHS:
        return _Trees()
    import lightgbm as lgb

    first, last = training["target_date"].min(), training["target_date"].max()
    validation_days = max(VALIDATION_DAYS, round(VALIDATION_SHARE * (last - first).days))
    late = training["target_date"] > last - pd.Timedelta(days=validation_days)
    early, validation = training[~late], training[late]
    if early.drop_duplicates("target_date")["arrivals"].sum() < MIN_ARRIVALS:
        return _Trees()
    data = _dataset(early)
    stopping = [lgb.early_stopping(PATIENCE, verbose=False)]
    tried = lgb.train(_parameters(early), data, MAX_TREES, valid_sets=[_dataset(validation, data)], callbacks=stopping)
    model, base = (_deviances(validation, _rates(booster, validation)) for booster in (tried, None))
    booster = None
    if _is_gain(base - model, (last - validation["target_date"]).dt.days.to_numpy() // 7):
        booster = lgb.train(_parameters(training), _dataset(training), tried.best_iteration)
    return _Trees(booster, float(model.mean()), float(base.mean()))


def _is_gain(gains: np.ndarray, weeks: np.ndarray) -> bool:
    """Whether gains add up to more than their standard error, rows of one week counting as one observation."""
    by_week = np.bincount(weeks, gains)
    return bool(by_week.sum() > np.sqrt((by_week**2).sum()))


def _parameters(rows: pd.DataFrame) -> dict[str, object]:
    return {
        "objective": "poisson",  # arrivals are counts
        "metric": "poisson",  # trees stop by the deviance that they are compared with the base rate by
        "learning_rate": 0.05,  # small steps, so that early stopping chooses the number of trees finely
        "num_leaves": 6,  # shallow: the base rate already has the calendar and the level
        "min_data_in_leaf": max(60, round(0.02 * len(rows))),  # 2 % of the history: a single unusual week makes no leaf
        "lambda_l2": 20.0,  # shrinks the leaves of streams with few arrivals
        "feature_fraction": 0.7,  # trees that differ overfit less to the strongest feature
        "bagging_fraction": 0.7,  # the same for rows: 13 horizons share each target day
        "bagging_freq": 1,  # rows are drawn again for every tree
        "max_bin": MAX_BIN,
        "poisson_max_delta_step": 0.3,  # smaller than LightGBM's 0.7: a leaf may not run off where counts are near zero
        "num_threads": 1,  # streams and origins are what is run in parallel
        "deterministic": True,  # the same table gives the same model
        "force_row_wise": True,  # else LightGBM times both layouts, and sums in the order of the faster one
        "seed": 1,  # any number, fixed: of the samples of rows and features
        "verbosity": -1,  # no text on the terminal
    }


def _dataset(rows: pd.DataFrame, reference: "lgb.Dataset | None" = None) -> "lgb.Dataset":
    import lightgbm as lgb

    return lgb.Dataset(
        _matrix(rows),
        label=rows["arrivals"].to_numpy(dtype="float64"),
        init_score=rows["log_base_rate"].to_numpy(),
        reference=reference,
        feature_name=list(FEATURES),
        categorical_feature=["weekday"],
        params={"verbosity": -1, "max_bin": MAX_BIN},
    )


def _matrix(rows: pd.DataFrame) -> np.ndarray:
    return rows[list(FEATURES)].to_numpy(dtype="float64")


def _rates(booster: "lgb.Booster | None", rows: pd.DataFrame) -> np.ndarray:
    log_rate = rows["log_base_rate"].to_numpy()
    if booster is not None:
        # LightGBM's predict leaves out the offset it was trained with
        log_rate = log_rate + np.asarray(booster.predict(_matrix(rows), raw_score=True, num_threads=1))
    return np.exp(log_rate)


def _deviances(rows: pd.DataFrame, rates: np.ndarray) -> np.ndarray:
    """Poisson deviance of each row's arrivals from `rates`."""
    counts = rows["arrivals"].to_numpy(dtype="float64")
    ratio = np.where(counts > 0, counts, 1.0) / np.where(counts > 0, rates, 1.0)
    return 2 * (counts * np.log(ratio) - (counts - rates))


def _importance(booster: "lgb.Booster | None") -> dict[str, float]:
    """Gain by feature, of those used."""
    if booster is None:
        return {}
    gains = zip(FEATURES, booster.feature_importance("gain").tolist(), strict=True)
    return {name: gain for name, gain in gains if gain > 0}
