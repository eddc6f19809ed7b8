"""The next 24 hours of a ward, from midnight and from later hours of the same day, beside a perfect forecast.

A hundred daily origins of the clocked ward. What the twin learns (clocks, lengths of stay, hours of arrival, the model
of arrivals) is learned every ten days; patients, arrivals so far and the level are those of each instant. The perfect
forecast knows the true rates, nights and hours of discharge: the census is then a sum of independent patients, whose
distribution is computed, not simulated.
"""

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from scipy.special import comb
from scipy.stats import poisson

from benchmarks.made_up import (
    CLOCKED_AS_OF,
    census_at,
    clocked_rates,
    clocked_ward,
    one_ward,
    still_there,
    write_extract,
)
from kaizar_pipeline import HospitalConfig
from kaizar_pipeline.chain.step import Run
from kaizar_pipeline.chain.steps import make_tables
from kaizar_pipeline.config.snapshot import dates_ahead
from kaizar_pipeline.history.loading import History, open_history
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
from kaizar_pipeline.stats.scores import covered, crps_of_probabilities, pit_of_probabilities

SNAPSHOTS = (8, 12, 18)
ORIGINS = 100
LEARNED_DAYS = 10
"""Origins for which the twin learns once."""
FIRST_DAYS = [CLOCKED_AS_OF - pd.Timedelta(days=day) for day in range(ORIGINS, 0, -LEARNED_DAYS)]
"""Of those that learn once."""
MEETING = 8
"""Hour of the next bed meeting: intervals are judged until then."""

_LEARNED = ("discharge_clocks", "day_factors", "length_of_stay", "arrival_profile", "routes", "arrival_model")
_OF_DAY = ("daily_arrivals", "feature_table")
"""Tables that are the same at all hours of a day."""
HISTORY_FROM = "2025-06-01"
_HOUR = pd.Timedelta(hours=1)

Scores = dict[str, np.ndarray]
Frames = Mapping[str, pd.DataFrame]


def intraday(replications: int, workers: int) -> dict[str, float]:
    """Coverage until the next meeting, lowest and highest of the snapshots; and per snapshot the CRPS of the next 24
    hours over that of the midnight run for the same hours, of the twin and of a perfect forecast."""
    with ProcessPoolExecutor(workers) as pool:
        parts = list(pool.map(partial(_block, replications), FIRST_DAYS))
    scores = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    coverage = {hour: float(scores[f"covered_{hour}"].mean()) for hour in SNAPSHOTS}
    figures = {"intraday_cover80_min": min(coverage.values()), "intraday_cover80_max": max(coverage.values())}
    figures |= {f"intraday_cover80_{hour}": share for hour, share in coverage.items()}
    for hour in SNAPSHOTS:
        for name, who in (("intraday_crps", "twin"), ("intraday_oracle", "oracle")):
            later, midnight = (scores[f"{who}_{hour}_{run}"].mean() for run in ("later", "midnight"))
            figures[f"{name}_{hour}"] = float(later / midnight)
        figures[f"intraday_over_oracle_{hour}"] = float(
            scores[f"twin_{hour}_later"].mean() / scores[f"oracle_{hour}_later"].mean()
        )
    return figures


def _block(replications: int, first: pd.Timestamp) -> Scores:
    """The scores of the origins from `first` on that share what is learned."""
    stays = clocked_ward(1, HISTORY_FROM)
    rows = [
        _origin(stays, day, {hour: _forecast(start) for hour, start in starts.items()})
        for day, starts in starts_of_days(stays, first, replications, (0, *SNAPSHOTS))
    ]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def starts_of_days(
    stays: pd.DataFrame, first: pd.Timestamp, replications: int, hours: Collection[int]
) -> Iterator[tuple[pd.Timestamp, dict[int, StartingPoint]]]:
    """The days from `first` on that share what is learned, and where the twin starts at each of the `hours` of them."""
    days = [first + pd.Timedelta(days=day) for day in range(LEARNED_DAYS)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "patients.csv"
        write_extract(stays, days[-1] + pd.Timedelta(days=2), path)
        config = one_ward(path, simulation={"horizon_days": 2, "replications": replications})
        with open_history(config) as history_at:
            learned = _tables(config, history_at(first), {}, _LEARNED)
            for day in days:
                yield day, _starts(config, day, {hour: history_at(day + hour * _HOUR) for hour in hours}, learned)


def _tables(config: HospitalConfig, history: History, given: Frames, wanted: Collection[str]) -> Frames:
    """The `wanted` tables of a history, from those that are `given`."""
    run, known = Run(config, Path(), fit_all=False), {"patients": history.patients, "ward_stays": history.ward_stays}
    made = make_tables(run, wanted, {**known, **given})
    return {name: made[name] for name in wanted}


def _starts(
    config: HospitalConfig, day: pd.Timestamp, histories: Mapping[int, History], learned: Frames
) -> dict[int, StartingPoint]:
    """Where the twin starts at each hour of a day, whose last one has the features of all."""
    kept = {name: learned[name] for name in _LEARNED}
    kept["arrival_model"] = kept["arrival_model"].assign(train_to=day - pd.Timedelta(days=1))
    of_day = _tables(config, histories[max(histories)], {}, _OF_DAY)
    found = {}
    for hour, history in histories.items():
        given = {name: rows.assign(as_of=history.as_of) for name, rows in {**kept, **of_day}.items()}
        features, ahead = given["feature_table"], len(dates_ahead(history.as_of, config.simulation.horizon_days))
        given["feature_table"] = features[(features["use"] != "forecast") | (features["h"] <= ahead)]
        found[hour] = StartingPoint(config, StartingTables.of(_tables(config, history, given, StartingTables._fields)))
    return found


def _forecast(start: StartingPoint) -> np.ndarray:
    """f8[hours, patients]: the twin's forecast of the census."""
    counts = Experiment(start, workers=1).count(start.plan, start.config.simulation.max_replications)
    histogram = np.asarray(counts.census.of(0), dtype=np.float64)
    return histogram / histogram.sum(axis=1, keepdims=True)


def _origin(stays: pd.DataFrame, day: pd.Timestamp, forecasts: Mapping[int, np.ndarray]) -> Scores:
    """The scores of one day's forecasts, by name and run, [hours]."""
    midnight, scores = forecasts[0], Scores()
    for hour in SNAPSHOTS:
        as_of = day + hour * _HOUR
        at = pd.date_range(as_of + _HOUR, periods=24, freq="h")
        actual = census_at(stays, at)
        later = forecasts[hour][1:25]
        scores[f"twin_{hour}_later"] = crps_of_probabilities(later, actual)
        scores[f"twin_{hour}_midnight"] = crps_of_probabilities(midnight[hour + 1 : hour + 25], actual)
        scores[f"oracle_{hour}_later"] = crps_of_probabilities(perfect(stays, as_of, at), actual)
        scores[f"oracle_{hour}_midnight"] = crps_of_probabilities(perfect(stays, day, at), actual)
        uniform = np.random.default_rng([day.toordinal(), hour]).random(24)
        hours = (MEETING - hour - 1) % 24 + 1
        scores[f"covered_{hour}"] = covered(pit_of_probabilities(later, actual, uniform), 0.8)[:hours]
    return scores


def perfect(stays: pd.DataFrame, as_of: pd.Timestamp, at: pd.DatetimeIndex) -> np.ndarray:
    """f8[instants, patients]: the distribution of the census of the clocked ward, given who is there at `as_of`."""
    present = stays.loc[(stays["arrival"] < as_of) & (stays["departure"] >= as_of), "arrival"].dt.normalize()
    dates, number = np.unique(present.to_numpy(), return_counts=True)
    begins = pd.date_range(as_of, at[-1], freq="h", inclusive="left")
    found = np.zeros((len(at), len(present) + 80))
    for k, instant in enumerate(at):
        distribution = np.ones(1)
        for date, patients in zip(pd.DatetimeIndex(dates), number.tolist(), strict=True):
            stays_on = still_there(date, instant) / still_there(date, as_of)
            distribution = np.convolve(distribution, _binomial(patients, float(stays_on)))
        came = begins[begins < instant]
        new = sum(clocked_rates(hour) * still_there(hour.normalize(), instant) for hour in came)
        distribution = np.convolve(distribution, poisson.pmf(np.arange(80), new))
        found[k, : len(distribution)] = distribution[: found.shape[1]]
    return found


def _binomial(n: int, share: float) -> np.ndarray:
    k = np.arange(n + 1)
    return comb(n, k) * share**k * (1 - share) ** (n - k)
