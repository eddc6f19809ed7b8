"""Hours of arrival as configured and as observed in the history: 168 weights per stream.

The weights of a weekday are shrunk towards those of all weekdays, and these towards flat; how much, the data decide
(docs/explanation/simulation.md). Arrivals of which no time of day is known do not count.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import weekdays_with_arrivals, weekly_profile
from kaizar_pipeline.config.fields import HOURS_PER_DAY, HOURS_PER_WEEK, WEEKDAYS
from kaizar_pipeline.config.hospital import ArrivalStream, HospitalConfig
from kaizar_pipeline.tables import ARRIVAL_PROFILE

WEEKS = 104
"""Weeks before the day of as_of whose arrivals count, so that a change of hours is forgotten."""

SPURIOUS = 3
"""Arrivals at midnight sharp, over those at 23:00 or 1:00 sharp, from which on midnight means that no time is known."""
SPURIOUS_ARRIVALS = 5
"""And so many more."""
KNOWN_SHARE = 0.1
"""Share of arrivals with a known time of day below which a stream is taken to have days only."""

WEIGHTS = 2.0 ** np.arange(20) * HOURS_PER_DAY
"""Pseudo-arrivals that flat, or all weekdays together, may count as: one an hour and more, so that the hours of a few
patients are no profile."""

DIFFERENCE = 0.1
"""Share of the arrivals that may come at other hours than configured, beyond chance, without a warning."""
DIFFERENCE_ARRIVALS = 50
"""Arrivals needed to compare a configured profile with."""
CLOSED_SHARE = 0.25
"""Arrivals on a weekday, over those on a mean one, that contradict a profile that has none then."""


def hours_of_arrival(patients: pd.DataFrame, config: HospitalConfig, *, fit_all: bool = True) -> pd.DataFrame:
    """The table arrival_profile of `config`: configured weights, and those learned from the arrivals of `patients`.

    `in_use` marks what the simulation draws from: learned weights of streams with `hourly_profile: from_data` (flat
    where no time of day is known), configured ones of others. Without `fit_all` there are rows in use only.
    """
    as_of = patients["as_of"].iloc[0]
    columns = ["stream_id", "arrival", "resolution"]
    today = as_of.normalize()  # its hours so far would count more than the others
    recent = patients.loc[
        patients["arrival"].between(today - pd.Timedelta(weeks=WEEKS), today, inclusive="left"), columns
    ]
    of_stream = dict(list(recent.groupby("stream_id")))
    frames = [
        rows
        for stream in config.arrival_streams
        for rows in _rows(stream, of_stream.get(stream.id, recent.iloc[:0]), config.learns_hours(stream), fit_all)
    ]
    return ARRIVAL_PROFILE.frame(pd.concat(frames), hospital_id=config.id, as_of=as_of)


def _rows(stream: ArrivalStream, patients: pd.DataFrame, learns: bool, fit_all: bool) -> Iterator[pd.DataFrame]:
    known = known_arrivals(patients["arrival"], patients["resolution"] != "day") if learns or fit_all else None
    if known is not None:
        yield _frame(stream.id, "from_data", learns, shrunk_profile(known), known)
    if known is None or not learns:
        week = weekly_profile(stream)
        mean_one = week / week.mean(axis=1, keepdims=True) * weekdays_with_arrivals(stream)[:, None]
        source = "configured" if isinstance(stream.hourly_profile, tuple) else "flat"
        yield _frame(stream.id, source, True, mean_one, None)


def _frame(stream_id: str, source: str, in_use: bool, weight: np.ndarray, arrivals: np.ndarray | None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "stream_id": stream_id,
            "source": source,
            "weekday": np.repeat(np.arange(7), HOURS_PER_DAY),
            "hour": np.tile(np.arange(HOURS_PER_DAY), 7),
            "in_use": in_use,
            "weight": weight.ravel(),
            "arrivals": np.nan if arrivals is None else arrivals.ravel(),
        }
    )


def known_arrivals(arrival: pd.Series, timed: pd.Series) -> np.ndarray | None:
    """f8[7, 24]: arrivals by weekday and hour, of those with a known time of day; None where hardly one has one.

    `timed` says which stamps have a time of day. Where far more of them lie on midnight sharp than on the full hours
    beside it, midnight means that no time is known, and as many are left as these hours have.
    """
    times = arrival[timed]
    cell = (times.dt.day_of_week * HOURS_PER_DAY + times.dt.hour).to_numpy()
    known = np.bincount(cell, minlength=HOURS_PER_WEEK).reshape(7, HOURS_PER_DAY).astype(np.float64)
    sharp = np.bincount(cell[(times == times.dt.floor("h")).to_numpy()], minlength=HOURS_PER_WEEK).reshape(7, -1)
    midnight, *others = sharp.sum(axis=0)[[0, 1, -1]].tolist()
    if midnight > SPURIOUS * max(others) + SPURIOUS_ARRIVALS:
        known[:, 0] -= sharp[:, 0] * (1 - np.mean(others) / midnight)
    return known if known.sum() > KNOWN_SHARE * len(arrival) else None


def shrunk_profile(arrivals: np.ndarray) -> np.ndarray:
    """f8[7, 24]: weights by weekday and hour, mean 1 over each weekday, from `arrivals` f8[7, 24].

    The shares of the hours on a weekday are Dirichlet around those of all weekdays, these around flat. What the centre
    counts as, in arrivals, is the one of WEIGHTS under which the arrivals are most probable.
    """
    whole = arrivals.sum(axis=0)
    shares = _shrunk(whole[None], np.full(HOURS_PER_DAY, 1 / HOURS_PER_DAY))
    return HOURS_PER_DAY * _shrunk(arrivals, shares[0])


def _shrunk(arrivals: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """f8[rows, 24]: the shares of `arrivals` f8[rows, 24], shrunk towards `centre` f8[24]."""
    from scipy.special import gammaln

    def log_probability(weight: float) -> float:
        prior = weight * centre
        hours = (gammaln(prior + arrivals) - gammaln(prior)).sum()
        return float(hours - (gammaln(weight + arrivals.sum(axis=1)) - gammaln(weight)).sum())

    weight = max(WEIGHTS.tolist(), key=log_probability)
    return (arrivals + weight * centre) / (arrivals.sum(axis=1, keepdims=True) + weight)


def profile_differences(profiles: pd.DataFrame) -> list[str]:
    """Where the observed hours of arrival clearly differ from those configured, from the table arrival_profile.

    The measure is the share of the arrivals that come at other hours than configured (total variation), by hour of the
    day and by hour of the week, less what chance explains.
    """
    found = []
    for stream, rows in profiles.groupby("stream_id", sort=False):
        observed = rows[rows["source"] == "from_data"]
        configured = rows[rows["in_use"] & (rows["source"] != "from_data")]
        if len(configured) and observed["arrivals"].sum() >= DIFFERENCE_ARRIVALS:
            arrivals, weight = (part.to_numpy().reshape(7, -1) for part in (observed["arrivals"], configured["weight"]))
            found += [f"stream {stream}: {what}" for what in _differences(arrivals, weight / HOURS_PER_DAY)]
    return found


class Difference(NamedTuple):
    """How far arrivals are from a profile, as shares of all arrivals."""

    moved: float
    """Those at other hours than configured."""
    by_chance: float
    """As many are expected where the profile is right."""

    @property
    def beyond_chance(self) -> float:
        """The difference that chance does not explain."""
        return self.moved - self.by_chance


def difference(arrivals: np.ndarray, expected: np.ndarray) -> Difference:
    """The difference of `arrivals` from the numbers `expected`, of the same shape and sum, as Poisson numbers."""
    from scipy.stats import poisson

    whole = np.floor(expected)
    deviation = 2 * (whole + 1) * poisson.pmf(whole + 1, expected)  # the mean absolute deviation
    total = 2 * arrivals.sum()
    return Difference(float(np.abs(arrivals - expected).sum() / total), float(deviation.sum() / total))


def _differences(arrivals: np.ndarray, shares: np.ndarray) -> Iterator[str]:
    """What is wrong with the configured `shares` of each weekday f8[7, 24], all 0 on one without arrivals."""
    of_day, closed = arrivals.sum(axis=1), ~shares.any(axis=1)
    busy = closed & (of_day >= CLOSED_SHARE * of_day.mean())
    if busy.any():
        days = ", ".join(f"{WEEKDAYS[day]} ({of_day[day]:,.0f})" for day in np.flatnonzero(busy))
        yield f"no arrivals configured on some weekdays, observed on {days}"
    arrivals, expected = arrivals[~closed], (of_day[:, None] * shares)[~closed]
    if arrivals.sum() < DIFFERENCE_ARRIVALS:
        return
    places: Sequence[tuple[Callable[[np.ndarray], np.ndarray], str]] = [
        (lambda hours: hours.sum(axis=0), "hours of the day"), (lambda hours: hours, "hours of the week"),
    ]  # fmt: skip
    for seen, what in places:
        measured = difference(seen(arrivals), seen(expected))
        if measured.beyond_chance > DIFFERENCE:
            by_hour, planned = arrivals.sum(axis=0) / arrivals.sum(), expected.sum(axis=0) / arrivals.sum()
            hour = int(np.abs(by_hour - planned).argmax())
            yield (
                f"{measured.moved:.0%} of {arrivals.sum():,.0f} arrivals come at other {what} than configured "
                f"({measured.by_chance:.0%} by chance), most clearly at {hour}:00: configured {planned[hour]:.1%} of a "
                f"day's arrivals, observed {by_hour[hour]:.1%}"
            )
            return
