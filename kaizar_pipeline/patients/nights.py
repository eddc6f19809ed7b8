"""Stays known by date: how probable a number of nights is, and the lengths that the numbers of nights of many show.

A patient who arrives at the hour a of a day and stays L hours is seen with D = floor((a + L) / 24) nights. Of a only
its distribution is known, the hourly profile of the arrivals; so L is known through

    P(D >= k) = mean over a of P(L >= 24 k - a),    P(D = k) = P(D >= k) - P(D >= k + 1).

With a flat profile, L = x has floor(x / 24) nights or one more, the latter with probability (x mod 24) / 24: the
weights of the lengths around 24 k form a triangle, and the mean number of nights is the mean length in days. No hour of
departure is needed, and a drawn one would add an error: the hours at which patients leave follow from those at which
they come and from their lengths.

The lengths that many stays show are the self-consistent estimate for incomplete observations (Turnbull, Journal of the
Royal Statistical Society B 38, 1976; an EM algorithm), begun at the best family and stopped early, since dates do not
show how lengths lie within a day (Silverman, Jones, Wilson and Nychka, the same journal, B 52, 1990).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.patients.survival import KaplanMeier, Stays, kaplan_meier

ROUNDS = 200
"""Rounds of the self-consistent estimate."""

SHORTEST = 0.75
"""Hours, in cells of one hour. Where the dates of same-day stays would make them shorter than this on average, these
patients do not follow the hourly profile: they came early enough to leave on the same day."""

_SMALL = 1e-300
_FLOOR = 1e-3  # share of the start of the estimate that is spread evenly, so that no length is excluded


def at_least(nights: np.ndarray, profiles: np.ndarray, excess: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Probability of at least so many nights, f8[len(nights), p], for each profile f8[p, 24] of arrivals.

    `excess` gives the mean of the hours beyond each length of at least 0; its differences are the integrals of the
    survival function over the hours of arrival.
    """
    ends = HOURS_PER_DAY * nights[:, None] - np.arange(HOURS_PER_DAY + 1)
    beyond = excess(np.maximum(ends, 0.0)) - np.minimum(ends, 0.0)
    return np.clip(np.diff(beyond, axis=1), 0, 1) @ profiles.T


def log_probability(stays: Stays, excess: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Log likelihood [n] of stays that are all known by date."""
    dates = stays.dates
    assert dates is not None
    number, place = np.unique(np.concatenate([dates.nights, dates.nights + 1]), return_inverse=True)
    reached = at_least(number, dates.profiles, excess)
    here, next_night = (reached[rows, dates.profile] for rows in np.split(place, 2))
    return np.log(np.maximum(here - np.where(stays.complete, next_night, 0.0), _SMALL))


def merged(stays: Stays) -> Stays:
    """The same with equal stays known by date as one that weighs as much, at the mean of their drawn lengths."""
    if stays.dates is None:
        return stays
    by_date, dates = stays.by_date, stays.dates
    timed, dated = stays.take(~by_date), stays.take(by_date)
    keys = np.column_stack([dates.nights, dates.profile, stays.block, stays.complete])[by_date]
    _, first, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    weight = np.bincount(place.ravel(), dated.weight, len(first))
    hours = np.bincount(place.ravel(), dated.weight * dated.hours, len(first)) / np.maximum(weight, _SMALL)
    rows = dated.take(first)
    return timed.followed_by(replace(rows, hours=hours, weight=weight))


@dataclass(frozen=True)
class _Cells:
    """Stays counted by what is known of them, over cells of an hour: rows of days, and a last row for all beyond."""

    exact: np.ndarray
    """f8[q, 24]: weight of the stays of each length."""
    longer: np.ndarray
    """f8[q, 24]: weight of the open stays that are longer than each cell's beginning, and no more is known."""
    ended: np.ndarray
    """f8[q, p]: weight of the ended stays by nights and profile."""
    still: np.ndarray
    """f8[q, p]: weight of the open stays by nights so far and profile."""
    early: np.ndarray
    """f8[p, 24]: probability that a length of some days and r to r + 1 hours ends before one more midnight."""

    def nights(self, share: np.ndarray) -> np.ndarray:
        """Probability of each number of nights, f8[q, p], where lengths have the `share` f8[q, 24]."""
        of = share @ self.early.T
        of[1:] += share[:-1] @ (1 - self.early).T
        of[-1] += share[-1] @ (1 - self.early).T
        return of

    def improved(self, share: np.ndarray) -> np.ndarray:
        """One round: every stay is spread over the lengths that it may have, in proportion to `share`."""
        of = self.nights(share)
        reached = np.cumsum(of[::-1], axis=0)[::-1]
        per_night = self.ended / np.maximum(of, _SMALL) + np.cumsum(self.still / np.maximum(reached, _SMALL), axis=0)
        following = np.vstack([per_night[1:], per_night[-1:]])
        rest = np.cumsum(share.ravel()[::-1])[::-1]
        per_cell = np.cumsum(self.longer.ravel() / np.maximum(rest, _SMALL)).reshape(share.shape)
        better = self.exact + share * (per_night @ self.early + following @ (1 - self.early) + per_cell)
        return better / better.sum()


def _cells(stays: Stays) -> _Cells:
    dates, by_date, complete = stays.dates, stays.by_date, stays.complete
    assert dates is not None
    days = np.where(by_date, dates.nights, (stays.hours // HOURS_PER_DAY).astype("int64"))
    rows = int(days[complete].max()) + 2
    row = np.minimum(days, rows - 1)
    hour = np.where(days < rows, (stays.hours % HOURS_PER_DAY).astype("int64"), 0)

    def count(chosen: np.ndarray, column: np.ndarray, columns: int) -> np.ndarray:
        place = (row * columns + column)[chosen]
        return np.bincount(place, stays.weight[chosen], rows * columns).reshape(rows, columns)

    n_profiles = len(dates.profiles)
    by_then = np.cumsum(dates.profiles, axis=1)
    return _Cells(
        exact=count(~by_date & complete, hour, HOURS_PER_DAY),
        longer=count(~by_date & ~complete, hour, HOURS_PER_DAY),
        ended=count(by_date & complete, dates.profile, n_profiles),
        still=count(by_date & ~complete, dates.profile, n_profiles),
        early=(by_then - dates.profiles / 2)[:, ::-1],
    )


def estimate(stays: Stays, survival: Callable[[np.ndarray], np.ndarray]) -> KaplanMeier:
    """Share longer than each length; of stays that all have times, the Kaplan-Meier estimate.

    Stays known by date are spread over the hours, from a start with `survival` (share longer than hours).
    """
    if not stays.by_date.any():
        return kaplan_meier(stays)
    share = _shares(_cells(stays), survival)
    ended = share[:-1].ravel()
    keep = ended > 1e-9  # 1e-9 of a stay is none
    left = 1 - np.cumsum(ended)[keep]
    left = np.clip(left, 0, 1) if share[-1].sum() > 1e-9 else np.append(np.clip(left[:-1], 0, 1), 0.0)
    hours = np.flatnonzero(keep) + 0.5
    return KaplanMeier(hours, left, np.append(1.0, left[:-1]) * stays.weight.sum())


def _shares(cells: _Cells, survival: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    size = cells.exact.shape
    bounds = survival(np.arange(cells.exact.size + 1, dtype="float64"))
    bounds[-1] = 0.0  # the last row holds all beyond
    share = (1 - _FLOOR) * -np.diff(bounds).reshape(size) + _FLOOR / cells.exact.size
    for _ in range(ROUNDS):
        share = cells.improved(share)
    return share


def same_day_as_drawn(stays: Stays) -> Stays:
    """The same, same-day stays with their drawn lengths where their dates contradict the hourly profile (SHORTEST).

    Day cases come early in order to leave on the same day. If they came by a profile of the whole day, some would
    stay past midnight; where none does, the likelihood would make their stays last no time at all.
    """
    dates = stays.dates
    if dates is None:
        return stays
    same_day = stays.complete & (dates.nights == 0)
    if not same_day.any():
        return stays
    cells = _cells(stays)
    early = _shares(cells, _exponential(stays))[0] * (cells.ended[0] @ cells.early / cells.ended[0].sum())
    if early @ (np.arange(HOURS_PER_DAY) + 0.5) / early.sum() >= SHORTEST:
        return stays
    return stays.with_drawn_lengths(same_day)


def _exponential(stays: Stays) -> Callable[[np.ndarray], np.ndarray]:
    """Survival by the mean of the drawn lengths: a start that excludes nothing."""
    mean = stays.weight @ stays.hours / stays.weight.sum()
    return lambda hours: np.exp(-hours / max(mean, 1.0))


def distance(stays: Stays, excess: Callable[[np.ndarray], np.ndarray]) -> tuple[float, float, float]:
    """How far a distribution is from stays known by date, of which one at least has ended, in numbers of nights.

    The Kolmogorov-Smirnov distance; the share by which its mean is off theirs, nights beyond their longest completed
    stay left out; and the standard error of their mean, as a share of it.
    """
    dated = stays.take(stays.by_date)
    dates = dated.dates
    assert dates is not None
    number = np.where(dated.complete, dates.nights, dates.nights - 0.5)  # open at k midnights: k nights or more
    observed = kaplan_meier(Stays(number, dated.low, dated.high, dated.weight, dated.block))
    night = np.arange(observed.hours[-1] + 1)
    longer = np.append(1.0, observed.survival)[np.searchsorted(observed.hours, night, side="right")]
    share = np.bincount(dates.profile, dated.weight, len(dates.profiles)) / dated.weight.sum()
    expected = at_least(night + 1, dates.profiles, excess) @ share
    mean, square = longer[:-1].sum(), (2 * night[:-1] + 1) @ longer[:-1]
    off, error = 0.0, 0.0
    if mean > 0:
        off = expected[:-1].sum() / mean - 1
        error = np.sqrt(max(square - mean**2, 0.0) / dated.weight.sum()) / mean
    return float(np.abs(expected - longer).max()), float(off), float(error)
