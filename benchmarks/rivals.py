"""AutoETS, AutoARIMA, Theta and Prophet on the series and origins of benchmarks/forecast.py, as it calls them.

    rivals.py SERIES.csv QUANTILES.csv

Runs in an environment of its own (rivals-requirements.txt) and knows nothing of the project. SERIES.csv has one row
per series, origin and day known (series, origin, date, arrivals); QUANTILES.csv one per series, method, origin and day
ahead, with 50 evenly spaced quantiles of the forecast (0.01, 0.03, ..., 0.99). Progress goes to stderr.
"""

import logging
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed

import numpy as np
import pandas as pd

HORIZON = 28
SEASON = 7
PROBABILITIES = (np.arange(50) + 0.5) / 50
METHODS = ("AutoETS", "AutoARIMA", "AutoTheta", "Prophet")


def statistical(method: str, known: pd.DataFrame) -> np.ndarray:
    """Quantiles [h, probability] by a method of statsforecast."""
    from statsforecast import models  # pyright: ignore[reportMissingImports]

    model = getattr(models, method)(season_length=SEASON)
    # the interval of level L runs from quantile (1 - L)/2 to (1 + L)/2
    levels = [round(100 * (2 * p - 1)) for p in PROBABILITIES if p > 0.5]
    counts = known["arrivals"].to_numpy(dtype="float64")
    forecast = model.forecast(y=counts, h=HORIZON, level=levels)
    lows = [forecast[f"lo-{level}"] for level in reversed(levels)]
    highs = [forecast[f"hi-{level}"] for level in levels]
    return np.column_stack(lows + highs)


def prophet(known: pd.DataFrame) -> np.ndarray:
    """Quantiles [h, probability] by Prophet, with the public holidays that our model knows too."""
    from prophet import Prophet  # pyright: ignore[reportMissingImports]

    model = Prophet(uncertainty_samples=500)
    model.add_country_holidays("NL")
    model.fit(known.rename(columns={"date": "ds", "arrivals": "y"})[["ds", "y"]], seed=1)
    np.random.seed(1)
    ahead = model.make_future_dataframe(HORIZON, include_history=False)
    draws = model.predictive_samples(ahead)["yhat"]
    return np.quantile(draws, PROBABILITIES, axis=1).T


def forecast(series: str, origin: pd.Timestamp, known: pd.DataFrame) -> pd.DataFrame:
    """Rows of QUANTILES.csv for one series and origin."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    frames = []
    for method in METHODS:
        quantiles = prophet(known) if method == "Prophet" else statistical(method, known)
        frame = pd.DataFrame(np.maximum(quantiles, 0), columns=[f"q{p:.2f}" for p in PROBABILITIES])
        frame.insert(0, "h", np.arange(1, HORIZON + 1))
        frames.append(frame.assign(method=method))
    return pd.concat(frames).assign(series=series, origin=origin)


def main(source: str, target: str) -> None:
    """Forecast everything in `source`, on all cores."""
    rows = pd.read_csv(source, parse_dates=["origin", "date"])
    groups = (known for _, known in rows.groupby(["series", "origin"]))
    jobs = [(known["series"].iloc[0], known["origin"].iloc[0], known) for known in groups]
    done = []
    with ProcessPoolExecutor() as pool:
        for future in as_completed([pool.submit(forecast, *job) for job in jobs]):
            done.append(future.result())
            sys.stderr.write(f"\rrivals: {len(done)} of {len(jobs)} origins{'':40}")
            sys.stderr.flush()
    pd.concat(done).sort_values(["series", "method", "origin", "h"]).to_csv(target, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
