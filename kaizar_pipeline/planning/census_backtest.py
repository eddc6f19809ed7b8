"""The back-test of the census: the whole chain run again as of past origins, and scored against the observed census.

At each origin the chain (arrivals, lengths of stay, forecast, census, simulation) runs on what was known then, and the
distribution of the census at 0:00, 6:00, 12:00 and 18:00 of every day is scored against the observed one. Four
baselines are scored by the same rules: the census of the origin stays; the last census known at that hour, as
yesterday; the censuses at that hour of the same weekday in the six weeks before, and in the year before.

Assumption: today's config was in force on the past days too. A synthetic hospital was simulated with it. An extract
does not contain the number of staffed beds (`capacity_known` is false): the config's are taken, or more where the ward
had held more patients by then. A back-test is not the run of that day: an extract may have been corrected since, and is
read as it is now.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig, Ward
from kaizar_pipeline.config.snapshot import dates_ahead, shown
from kaizar_pipeline.errors import KaizarError
from kaizar_pipeline.forecasting.features import hospital_events
from kaizar_pipeline.forecasting.origins import parallel_map, past_origins
from kaizar_pipeline.forecasting.reuse import KeptRows, inputs_hash
from kaizar_pipeline.history.loading import History, open_history
from kaizar_pipeline.patients.observed_census import hours_are_known, instants, observed_census
from kaizar_pipeline.planning.census_scores import (
    census_scores,
    distribution_columns,
    lead_days,
    scores_by_week,
)
from kaizar_pipeline.planning.full_days import simulated_days, with_outcomes, with_reference
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.monte_carlo import Progress
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
from kaizar_pipeline.simulation.summary import census_at_hours
from kaizar_pipeline.tables import FULL_BACKTEST, OCCUPANCY_BACKTEST, OCCUPANCY_SCORES, Table

TWIN, PERSISTENCE, YESTERDAY, SIX_WEEKS, WEEKDAY = "twin", "persistence", "yesterday", "six_weeks", "weekday"
"""Methods: the whole chain; the census of the origin stays; the last census known at that hour; those of the same
weekday and hour in the six weeks before; and in the year before."""
BASELINES = (PERSISTENCE, YESTERDAY, SIX_WEEKS, WEEKDAY)

HOURS = (0, 6, 12, 18)
"""Hours of the day at which the census is scored."""

ORIGINS = 12
REPLICATIONS = 200
MAX_LEAD = 28
MIN_HISTORY_DAYS = 180
"""Days of history before the first origin: from here on the forecast of arrivals measures its own errors."""
MIN_DAYS = 7
"""Known days below which the baselines have no forecast."""
WEEKS_BACK = {SIX_WEEKS: 6, WEEKDAY: 52}
"""Weeks that the baselines of one weekday look back."""

Prepare = Callable[[History, HospitalConfig, Path | None], Mapping[str, pd.DataFrame]]
"""Makes the tables of `StartingTables` from a history."""


@dataclass(frozen=True)
class BacktestOptions:
    """How a back-test of the census is run. The number of workers does not change its result."""

    origins: int | Sequence[pd.Timestamp] = ORIGINS
    """Instants to look ahead from, or how many to choose at most (`past_origins`) at the hour of as_of."""
    replications: int = REPLICATIONS
    workers: int | None = None
    """Threads; None: one per core."""
    progress: Progress | None = None


class KeptBacktest(NamedTuple):
    """Tables of an earlier back-test, None for none."""

    census: pd.DataFrame | None = None
    """occupancy_backtest"""
    days: pd.DataFrame | None = None
    """full_backtest"""


NOTHING_KEPT = KeptBacktest()


@dataclass(frozen=True)
class OccupancyBacktest:
    """The back-test of a hospital's census."""

    occupancy_backtest: pd.DataFrame
    """With rows of origins at other hours of the day, as their own last run left them."""
    occupancy_scores: pd.DataFrame
    full_backtest: pd.DataFrame
    notes: tuple[str, ...]
    """Why there is none, or why origins were left out."""
    scored: pd.DataFrame
    """The rows of occupancy_backtest that are scored: from origins at the hour of as_of."""


def backtest_occupancy(
    config: HospitalConfig,
    history: History,
    prepare: Prepare,
    home: Path | None = None,
    options: BacktestOptions = BacktestOptions(),
    kept: KeptBacktest = NOTHING_KEPT,
) -> OccupancyBacktest:
    """The tables occupancy_backtest, occupancy_scores and full_backtest of a hospital whose observed census is in
    `history`.

    `home` is the folder that paths of extracts are relative to. Rows of `kept`, an earlier back-test, are used again
    where their inputs are the same, which does not change the result. A hospital that cannot be back-tested has empty
    tables and a note that says why; an origin that cannot be forecast from is left out with a note.
    """
    horizon = min(config.simulation.horizon_days, MAX_LEAD)
    # an origin at which the twin would have refused to simulate still counts
    update = {"horizon_days": horizon, "replications": options.replications, "overload": "allow"}
    then = config.model_copy(update={"simulation": config.simulation.model_copy(update=update)})
    seen = _seen(history, config)
    origins, reason = _origins(config, history.as_of, horizon, seen, options.origins)
    notes = [f"{config.id}: no back-test of the census: {reason}"] if reason else []
    frames = []
    with open_history(then, home) as history_at:
        rows, days = map(KeptRows, kept)
        task = _Backtest(then, prepare, home, seen, history, rows, days, history_at)
        for origin, outcome in zip(origins, parallel_map(task.outcome, origins, options.workers), strict=True):
            if isinstance(outcome, str):
                notes.append(f"{config.id}: {shown(origin)} is left out of the back-test: {outcome}")
            else:
                frames.append(outcome)
            if options.progress:
                options.progress(len(frames) + len(notes), len(origins))
    return _result(config, history, frames, notes, kept)


def _origins(
    config: HospitalConfig,
    as_of: pd.Timestamp,
    horizon: int,
    seen: pd.DataFrame,
    wanted: int | Sequence[pd.Timestamp],
) -> tuple[Sequence[pd.Timestamp], str | None]:
    """The origins to look ahead from, and why there are none."""
    if not config.patients.knows_departures:
        return [], "departures are not always recorded (missing_departure: unknown), so the census is not known"
    if not isinstance(wanted, int):
        return wanted, None
    if wanted == 0:
        return [], "0 origins were requested"
    today, begun = as_of.normalize(), as_of - as_of.normalize()
    first, days = seen["date"].min() if len(seen) else today, len(dates_ahead(as_of, horizon))
    origins = past_origins(first, today, horizon=days, learn_days=MIN_HISTORY_DAYS, at_most=wanted)
    if origins:
        return [origin + begun for origin in origins], None
    return [], f"no origin of the grid has {MIN_HISTORY_DAYS} days of history before it and {days} days after it"


class _Forecasts(NamedTuple):
    """The rows of one origin."""

    census: pd.DataFrame
    """Of occupancy_backtest."""
    days: pd.DataFrame
    """Of full_backtest."""


@dataclass(frozen=True)
class _Backtest:
    """The back-test of one hospital; its config has the horizon and the replications of the back-test."""

    config: HospitalConfig
    prepare: Prepare
    home: Path | None
    seen: pd.DataFrame
    """All that was observed (`observed_census`)."""
    history: History
    """All that is known now."""
    kept: KeptRows
    kept_days: KeptRows
    history_at: Callable[[pd.Timestamp], History]

    def outcome(self, origin: pd.Timestamp) -> _Forecasts | str:
        """Forecasts by all methods from one origin, scored against the observed census, or why there are none."""
        try:
            # a synthetic history follows from the config and the origin, so it is made only where rows are computed
            synthetic = self.config.patients.knows_beds
            history = None if synthetic else self.history_at(origin)
            inputs = self._inputs_hash(origin, history)
            kept = self.kept.get(origin, inputs)
            if kept is not None:
                days = self.kept_days.get(origin, inputs)
                return _Forecasts(kept, FULL_BACKTEST.empty() if days is None else days)
            found = self._computed(origin, history or self.history_at(origin))
        except KaizarError as error:
            return str(error)
        return found if isinstance(found, str) else _Forecasts(*(rows.assign(inputs_hash=inputs) for rows in found))

    def _inputs_hash(self, origin: pd.Timestamp, history: History | None) -> str:
        last = _end(origin, self.config)
        seen = self.seen[instants(self.seen) <= last].reset_index(drop=True)
        tables = (history.patients, history.ward_stays) if history else ()
        return inputs_hash(origin, self.config, hospital_events(self.config, self.home), seen, *tables)

    def _computed(self, origin: pd.Timestamp, history: History) -> _Forecasts | str:
        config, hours = _with_beds_seen(self.config, history), self.seen["hour"].unique()
        ahead, days = predicted_census(config, history, hours, self.prepare, self.home)
        rows = ahead.index.to_frame(index=False).assign(origin=origin).merge(self.seen, how="left")
        observed = rows["actual"].notna().to_numpy()
        rows, ahead = rows[observed], ahead[observed]
        if rows.empty:
            return "none of the censuses ahead has been observed"
        known = _Known.of(self.seen[instants(self.seen) <= origin])
        if known.days < MIN_DAYS:
            return f"fewer than {MIN_DAYS} days were known"
        methods = {TWIN: ahead.to_numpy(), **{method: known.forecast(method, rows) for method in BASELINES}}
        scored = pd.concat([_scored(rows, p, config.id).assign(method=method) for method, p in methods.items()])
        return _Forecasts(scored, self._scored_days(days, origin, config))

    def _scored_days(self, days: pd.DataFrame, origin: pd.Timestamp, config: HospitalConfig) -> pd.DataFrame:
        """The chances of full days with what happened, where the hours of stays are known."""
        stays = self.history.patients, self.history.ward_stays
        if not hours_are_known(self.history.patients):
            return FULL_BACKTEST.empty()
        ahead = with_reference(days, origin, config, *stays)
        rows = with_outcomes(ahead, config, *stays, self.history.as_of)
        return rows[rows["happened"].notna()]


@dataclass(frozen=True)
class _Known:
    """The census known at an origin, of which the baselines make their forecasts."""

    census: pd.DataFrame
    """By date and hour (index, in order), a column for each ward."""

    @classmethod
    def of(cls, seen: pd.DataFrame) -> Self:
        return cls(seen.pivot(index=["date", "hour"], columns="ward_id", values="actual"))

    @property
    def days(self) -> int:
        """Days of which the census is known at every hour."""
        return int(self.census.groupby("hour").size().min()) if len(self.census) else 0

    def forecast(self, method: str, rows: pd.DataFrame) -> np.ndarray:
        """The distribution f8[row, patients] of a baseline for `rows` with ward_id, date and hour."""
        hours, weekdays = rows["hour"].to_numpy(), rows["date"].dt.day_of_week.to_numpy()
        wards = self.census.columns.get_indexer(pd.Index(rows["ward_id"]))
        censuses = [np.empty(0, dtype=np.int64)] * len(rows)
        for hour, weekday in sorted({*zip(hours.tolist(), weekdays.tolist(), strict=True)}):
            used = self._used(method, hour, weekday)
            for i in np.flatnonzero((hours == hour) & (weekdays == weekday)):
                censuses[i] = used[:, wards[i]]
        return _shares(censuses)

    def _used(self, method: str, hour: int, weekday: int) -> np.ndarray:
        """i8[n, wards]: the censuses that a baseline takes as equally likely at an hour of a weekday."""
        if method == PERSISTENCE:
            return self._values[-1:]
        if method == YESTERDAY:
            return self._values[self._hours == hour][-1:]
        return self._values[(self._hours == hour) & (self._weekdays == weekday)][-WEEKS_BACK[method] :]

    @cached_property
    def _values(self) -> np.ndarray:
        return self.census.to_numpy()

    @cached_property
    def _hours(self) -> np.ndarray:
        return self.census.index.get_level_values("hour").to_numpy()

    @cached_property
    def _weekdays(self) -> np.ndarray:
        return pd.DatetimeIndex(self.census.index.get_level_values("date")).day_of_week.to_numpy()


def predicted_census(
    config: HospitalConfig, history: History, hours: Collection[int], prepare: Prepare, home: Path | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The whole chain after the history: the probability of 0, 1, 2, ... patients (columns) at these `hours` after
    as_of, the midnight that ends the horizon included, by ward_id, date and hour (index); and `simulated_days`."""
    tables = prepare(history, config, home)
    given = StartingTables.of(tables)
    rates = _with_the_day_after(given.arrival_rates)
    start = StartingPoint(config, given._replace(arrival_rates=rates))
    counts = Experiment(start, workers=1).count(start.plan, config.simulation.max_replications)
    census = census_at_hours(start.plan, counts, hours)
    at = instants(census.index.to_frame())
    days, end = simulated_days(start.plan, counts), rates["date"].max()
    return census[(at > history.as_of) & (at <= end)], days[days["date"] < end]


def as_matrix(midnights: pd.DataFrame) -> pd.DataFrame:
    """The probabilities of midnight_census as one row per ward_id and date, a column for each number of patients."""
    wide = midnights.pivot(index=["ward_id", "date"], columns="beds", values="probability")
    return wide.reindex(columns=range(int(midnights["beds"].max()) + 1)).fillna(0.0)


def _end(origin: pd.Timestamp, config: HospitalConfig) -> pd.Timestamp:
    """The midnight that ends the horizon."""
    return dates_ahead(origin, config.simulation.horizon_days)[-1] + pd.Timedelta(days=1)


def _seen(history: History, config: HospitalConfig) -> pd.DataFrame:
    """The `observed_census` at HOURS and at that of as_of, or at midnight alone where stamps are days, whose hours were
    drawn."""
    hours = sorted({*(HOURS if hours_are_known(history.patients) else HOURS[:1]), history.as_of.hour})
    return observed_census(history.patients, history.ward_stays, config.ward_axis, hours)


def _with_beds_seen(config: HospitalConfig, history: History) -> HospitalConfig:
    """The config with more beds in the wards of an extract that held more patients than it says they have beds."""
    if config.patients.knows_beds:
        return config
    seen = dict(list(_seen(history, config).groupby("ward_id")))
    return config.model_copy(update={"wards": tuple(_with_beds(ward, seen.get(ward.id)) for ward in config.wards)})


def _with_beds(ward: Ward, seen: pd.DataFrame | None) -> Ward:
    """The ward with as many more beds on every day as it was short of at any hour `seen`."""
    if ward.capacity is None or seen is None:
        return ward
    censuses = zip(instants(seen).tolist(), seen["actual"].tolist(), strict=True)
    more = max((int(actual) - (ward.beds_at(at) or 0) for at, actual in censuses), default=0)
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
    """`rates` with one day more, of which only the first instant is used: the midnight that ends the horizon."""
    last = rates[rates["date"] == rates["date"].max()]
    return pd.concat([rates, last.assign(date=last["date"] + pd.Timedelta(days=1))], ignore_index=True)


def _shares(censuses: list[np.ndarray]) -> np.ndarray:
    """The distribution of each array of censuses, f8[arrays, patients]."""
    width = max((int(census.max()) for census in censuses), default=0) + 1
    return np.array([np.bincount(census, minlength=width) / len(census) for census in censuses]).reshape(-1, width)


def _scored(rows: pd.DataFrame, probability: np.ndarray, hospital_id: str) -> pd.DataFrame:
    scores = census_scores(hospital_id, rows, probability)
    return rows.assign(lead=lead_days(rows), **distribution_columns(probability), **scores)


def _result(
    config: HospitalConfig,
    history: History,
    frames: list[_Forecasts],
    notes: list[str],
    kept: KeptBacktest,
) -> OccupancyBacktest:
    constants = {"hospital_id": config.id, "as_of": history.as_of}
    others, kept_days = _of_other_snapshots(kept.census, history.as_of), kept.days
    days_of_others = [] if kept_days is None else [kept_days[kept_days["origin"].isin(others["origin"])]]
    rows, days = ([of[part] for of in frames] for part in range(2))
    known = _capacity_known(config)
    scored, all_days = (
        _joined(table, [part.assign(capacity_known=part["ward_id"].map(known)) for part in parts] + more, constants)
        for table, parts, more in ((OCCUPANCY_BACKTEST, rows, []), (FULL_BACKTEST, days, days_of_others))
    )
    scores = OCCUPANCY_SCORES.empty()
    if frames:
        by_week = scores_by_week(scored, by=["method", "ward_id", "hour"], overall=True)
        scores = OCCUPANCY_SCORES.frame(by_week, **constants)
    all_rows = _joined(OCCUPANCY_BACKTEST, [scored, others], constants)
    return OccupancyBacktest(all_rows, scores, all_days, tuple(notes), scored)


def _joined(table: Table, parts: Sequence[pd.DataFrame], constants: Mapping[str, object]) -> pd.DataFrame:
    """A table of the rows of all parts."""
    some = [part for part in parts if len(part)]
    return table.frame(pd.concat(some, ignore_index=True), **constants) if some else table.empty()


def _of_other_snapshots(kept: pd.DataFrame | None, as_of: pd.Timestamp) -> pd.DataFrame:
    """The rows of an earlier occupancy_backtest from origins at other hours of the day, so that the runs of a day do
    not compute each other's anew; without origins of which a census was not known yet at as_of."""
    if kept is None or kept.empty:
        return OCCUPANCY_BACKTEST.empty()
    others = kept[kept["origin"].dt.hour != as_of.hour]
    last = instants(others).groupby(others["origin"]).transform("max")
    return others[last <= as_of]


def _capacity_known(config: HospitalConfig) -> dict[str, bool]:
    """Whether the past capacity of each ward, group and the hospital is known: synthetic, or without a limit."""
    known = {ward.id: config.patients.knows_beds or ward.capacity is None for ward in config.wards}
    return {name: all(known[ward] for ward in wards) for name, wards in config.ward_axis.items()}
