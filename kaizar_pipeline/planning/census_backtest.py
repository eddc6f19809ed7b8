"""What the twin would have said on past mornings, and how full the wards then were.

The whole chain (arrivals, lengths of stay, forecast, census, simulation) is run again as of each date from what was
known on it, and the distribution of every midnight's census is held against the one that came. Two baselines are scored
by the same rules: the census of that morning stays, and the censuses of the same weekday in the year before.

What is assumed: today's config held on the past dates too. A synthetic hospital was simulated with it. An extract does
not say how many beds were staffed (`capacity_known` is false): the config's are taken, or more where more patients than
that had been seen in the ward by then. A replay is not a run of that day: an extract may have been corrected since, and
is read as it is now.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig, SyntheticPatients, Ward
from kaizar_pipeline.config.scenario import BASELINE
from kaizar_pipeline.errors import KaizarError
from kaizar_pipeline.forecasting.origins import parallel_map, past_origins
from kaizar_pipeline.history.loading import History, load_history
from kaizar_pipeline.patients.observed_census import observed_midnights
from kaizar_pipeline.patients.starting_census import starting_census
from kaizar_pipeline.planning.census_scores import (
    census_scores,
    distribution_columns,
    lead_days,
    scores_by_week,
)
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo, Progress, plan_ahead
from kaizar_pipeline.simulation.summary import midnight_census
from kaizar_pipeline.tables import HOSPITAL_TOTAL, OCCUPANCY_BACKTEST, OCCUPANCY_SCORES

TWIN, PERSISTENCE, WEEKDAY = "twin", "persistence", "weekday"
"""Methods: the whole chain; the census of the morning stays; the same weekday in the year before."""

DATES = 12
MAX_LEAD = 28
REPLICATIONS = 200
MIN_HISTORY_DAYS = 180
"""Days of history that the first date needs: from here on the forecast of arrivals knows its own errors."""
Prepare = Callable[[History, HospitalConfig, Path | None], Mapping[str, pd.DataFrame]]
"""Makes arrival_rates and length_of_stay from a history; a function of a module, so that processes can be sent it."""

WEEKDAY_WEEKS = 52
"""Weeks that the weekday baseline looks back."""


@dataclass(frozen=True)
class OccupancyBacktest:
    """The back-test of a hospital's census."""

    occupancy_backtest: pd.DataFrame
    occupancy_scores: pd.DataFrame
    notes: tuple[str, ...]
    """In words: why there is none, or dates that were left out."""


def backtest_occupancy(
    config: HospitalConfig,
    history: History,
    prepare: Prepare,
    home: Path | None = None,
    *,
    dates: int | Sequence[pd.Timestamp] = DATES,
    replications: int = REPLICATIONS,
    workers: int | None = None,
    progress: Progress | None = None,
) -> OccupancyBacktest:
    """The tables occupancy_backtest and occupancy_scores of a hospital, for which `history` says what came.

    `dates` are local midnights to look ahead from, or how many to choose (`past_origins`). `home` is the folder that
    paths of extracts are relative to; `workers` are processes, by default one per core, and do not change the result.
    A hospital that cannot be back-tested has empty tables, and the notes say why; so they do for dates left out.
    """
    horizon = min(config.simulation.horizon_days, MAX_LEAD)
    # a morning on which the twin would have refused to look ahead still counts
    update = {"horizon_days": horizon, "replications": replications, "overload": "allow"}
    then = config.model_copy(update={"simulation": config.simulation.model_copy(update=update)})
    seen = observed_midnights(history.patients, history.ward_stays, config.ward_ids)
    reason = _why_not(config)
    asked = dates
    if reason is None and isinstance(dates, int):
        first = seen["date"].min() if len(seen) else history.as_of
        dates = past_origins(first, history.as_of, horizon=horizon, learn_days=MIN_HISTORY_DAYS, at_most=dates)
        if not dates and not asked:
            reason = "none was asked for"
        elif not dates:
            days = MIN_HISTORY_DAYS + horizon
            reason = f"fewer than {days} days of history: {MIN_HISTORY_DAYS} to learn from and {horizon} to look ahead"
    if reason is not None or isinstance(dates, int):
        return _result(config, history, [], [f"{config.id}: no back-test of the census: {reason}"])
    frames, notes = [], []
    outcomes = parallel_map(_backtest_from, dates, then, prepare, home, seen, workers=workers)
    for done, (date, outcome) in enumerate(zip(dates, outcomes, strict=True), start=1):
        if isinstance(outcome, str):
            notes.append(f"{config.id}: {date:%Y-%m-%d} is left out of the back-test: {outcome}")
        else:
            frames.append(outcome)
        if progress:
            progress(done, len(dates))
    return _result(config, history, frames, notes)


def _why_not(config: HospitalConfig) -> str | None:
    source = config.patients
    if not isinstance(source, SyntheticPatients) and source.missing_departure == "unknown":
        return "departures are not always written down (missing_departure: unknown), so nobody knows the census"
    return None


def _backtest_from(
    date: pd.Timestamp, config: HospitalConfig, prepare: Prepare, home: Path | None, seen: pd.DataFrame
) -> pd.DataFrame | str:
    """Forecasts by all methods as of one date, scored against the midnights seen since."""
    try:
        history = load_history(config, home, date)
        ahead = predicted_midnights(_with_beds_seen(config, history), history, prepare, home)
    except KaizarError as error:
        return str(error)
    rows = ahead.index.to_frame(index=False).assign(origin=date).merge(seen, how="left")
    come = rows["actual"].notna().to_numpy()
    rows, ahead = rows[come], ahead[come]
    known = seen[seen["date"] <= date].pivot(index="date", columns="ward_id", values="actual")
    if rows.empty:
        return "none of the midnights ahead has come"
    if len(known) < 7:
        return "fewer than 7 midnights were known"
    methods = {
        TWIN: ahead.to_numpy(),
        PERSISTENCE: _shares([known[ward].to_numpy()[-1:] for ward in rows["ward_id"]]),
        WEEKDAY: _shares([_same_weekday(known[w], d) for w, d in zip(rows["ward_id"], rows["date"], strict=True)]),
    }
    return pd.concat([_scored(rows, p, config.id).assign(method=method) for method, p in methods.items()])


def predicted_midnights(
    config: HospitalConfig, history: History, prepare: Prepare, home: Path | None = None
) -> pd.DataFrame:
    """The probability of 0, 1, 2, ... patients (columns) at each midnight of the horizon, its last included, by ward_id
    and date (index): the whole chain after the history."""
    tables = prepare(history, config, home)
    census = starting_census(history.patients, history.ward_stays)
    rates = _with_the_day_after(tables["arrival_rates"])
    plan = plan_ahead(config, rates, tables["length_of_stay"], census)
    monte_carlo = MonteCarlo(plan, engine=config.simulation.engine, workers=1, with_demand=False)
    monte_carlo.extend(config.simulation.max_replications)
    constants = {"hospital_id": config.id, "as_of": history.as_of, "scenario": BASELINE}
    distributions = as_matrix(midnight_census(plan, monte_carlo.actual, **constants))
    return distributions[distributions.index.get_level_values("date") > history.as_of]


def as_matrix(midnights: pd.DataFrame) -> pd.DataFrame:
    """The probabilities of midnight_census as one row per ward_id and date, a column for each number of patients."""
    wide = midnights.pivot(index=["ward_id", "date"], columns="beds", values="probability")
    return wide.reindex(columns=range(int(midnights["beds"].max()) + 1)).fillna(0.0)


def _with_beds_seen(config: HospitalConfig, history: History) -> HospitalConfig:
    """The config with more beds in the wards of an extract that held more patients than it says they have beds."""
    if isinstance(config.patients, SyntheticPatients):
        return config
    seen = dict(list(observed_midnights(history.patients, history.ward_stays, config.ward_ids).groupby("ward_id")))
    return config.model_copy(update={"wards": tuple(_with_beds(ward, seen.get(ward.id)) for ward in config.wards)})


def _with_beds(ward: Ward, seen: pd.DataFrame | None) -> Ward:
    """The ward with as many more beds on every day as it was short of at any midnight `seen`."""
    if ward.capacity is None or seen is None:
        return ward
    midnights = zip(seen["date"].tolist(), seen["actual"].tolist(), strict=True)
    more = max((int(actual) - (ward.beds_at(at) or 0) for at, actual in midnights), default=0)
    if more <= 0:
        return ward
    update = {
        "capacity": ward.capacity + more,
        "capacity_changes": tuple(
            change.model_copy(update={"capacity": change.capacity + more}) for change in ward.capacity_changes
        ),
        "weekday_capacity": {day: capacity + more for day, capacity in ward.weekday_capacity.items()},
    }
    return ward.model_copy(update=update)


def _with_the_day_after(rates: pd.DataFrame) -> pd.DataFrame:
    """`rates` with one day more, of which only its first instant is looked at: the midnight that ends the horizon."""
    last = rates[rates["date"] == rates["date"].max()]
    return pd.concat([rates, last.assign(date=last["date"] + pd.Timedelta(days=1))], ignore_index=True)


def _same_weekday(census: pd.Series, date: pd.Timestamp) -> np.ndarray:
    """What `census` was on the weekday of `date`, over the last year of it."""
    return census[census.index.day_of_week == date.day_of_week].to_numpy()[-WEEKDAY_WEEKS:]  # pyright: ignore[reportAttributeAccessIssue]


def _shares(censuses: list[np.ndarray]) -> np.ndarray:
    """The distribution of each array of censuses, f8[arrays, patients]."""
    width = max((int(census.max()) for census in censuses), default=0) + 1
    return np.array([np.bincount(census, minlength=width) / len(census) for census in censuses]).reshape(-1, width)


def _scored(rows: pd.DataFrame, probability: np.ndarray, hospital_id: str) -> pd.DataFrame:
    scores = census_scores(hospital_id, rows, probability)
    return rows.assign(lead=lead_days(rows), **distribution_columns(probability), **scores)


def _result(
    config: HospitalConfig, history: History, frames: list[pd.DataFrame], notes: list[str]
) -> OccupancyBacktest:
    constants = {"hospital_id": config.id, "as_of": history.as_of}
    if not frames:
        return OccupancyBacktest(OCCUPANCY_BACKTEST.empty(), OCCUPANCY_SCORES.empty(), tuple(notes))
    rows = pd.concat(frames, ignore_index=True)
    rows["capacity_known"] = rows["ward_id"].map(_capacity_known(config))
    scores = scores_by_week(rows, by=["method", "ward_id"])
    return OccupancyBacktest(
        OCCUPANCY_BACKTEST.frame(rows, **constants), OCCUPANCY_SCORES.frame(scores, **constants), tuple(notes)
    )


def _capacity_known(config: HospitalConfig) -> dict[str, bool]:
    """Whether the past capacity of each ward and the house is known: made up with the config, or without a limit."""
    made_up = isinstance(config.patients, SyntheticPatients)
    known = {ward.id: made_up or ward.capacity is None for ward in config.wards}
    return {**known, HOSPITAL_TOTAL: all(known.values())}
