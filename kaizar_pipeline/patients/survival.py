"""Lengths of stay of which some are still open: what is known of each, and the Kaplan-Meier estimate.

Source: Klein and Moeschberger, Survival Analysis, 2nd ed. 2003: section 4.2 (Kaplan-Meier), 4.7 (cumulative incidence).
"""

from dataclasses import dataclass, replace

import numpy as np

MINUTE = 1 / 60
"""Stays under a minute are known to lie between nothing and a minute: continuous distributions have no density at 0."""


@dataclass(frozen=True)
class Dates:
    """What is known of stays by date."""

    nights: np.ndarray
    """i8[n]: midnights between arrival and end, for an open stay up to as_of; -1 where the times are known."""
    profile: np.ndarray
    """i8[n]: which of `profiles` the arrival follows."""
    profiles: np.ndarray
    """f8[p, 24]: shares of arrivals by hour of the day."""


@dataclass(frozen=True)
class Stays:
    """Lengths of stay as far as they are known, f8[n] each, in hours."""

    hours: np.ndarray
    """The length, for an open stay so far; where only days are known, with drawn hours of the day."""
    low: np.ndarray
    """The length is at least this."""
    high: np.ndarray
    """The length is at most this: `low` where it is known exactly, inf for an open stay."""
    weight: np.ndarray
    """How many stays each one counts for."""
    block: np.ndarray
    """i8[n]: number of the 28-day block of the admission, counted back from as_of."""
    dates: Dates | None = None
    """What is known of stays by date; None where all have times."""
    entry: np.ndarray | None = None
    """f8[n]: the length from which on an end could be seen, given that the stay lasted so long (left truncation); None:
    0 for all. A stay seen in several parts has a row for each, the first from 0."""

    @property
    def by_date(self) -> np.ndarray:
        """bool[n]: of the stay only the dates are known."""
        return np.zeros(len(self.hours), dtype=bool) if self.dates is None else self.dates.nights >= 0

    @property
    def complete(self) -> np.ndarray:
        """bool[n]: the stay has ended."""
        return np.isfinite(self.high)

    @property
    def n(self) -> int:
        """Completed stays."""
        return round(self.weight[self.complete].sum())

    @property
    def n_open(self) -> int:
        """Open stays, and those whose end could not be seen."""
        first = slice(None) if self.entry is None else self.entry == 0
        return round(self.weight[first].sum() - self.weight[self.complete].sum())

    @property
    def late(self) -> "Stays":
        """The rows with an entry above 0."""
        return self.take(np.zeros(len(self.hours), dtype=bool) if self.entry is None else self.entry > 0)

    def take(self, chosen: np.ndarray, weight: np.ndarray | float = 1.0) -> "Stays":
        """The `chosen` (mask or indices), their weights times `weight`."""
        dates = self.dates
        return Stays(
            self.hours[chosen],
            self.low[chosen],
            self.high[chosen],
            (self.weight * weight)[chosen],
            self.block[chosen],
            dates and replace(dates, nights=dates.nights[chosen], profile=dates.profile[chosen]),
            None if self.entry is None else self.entry[chosen],
        )

    def joined(self, hours: np.ndarray, total_weight: float) -> "Stays":
        """These, and completed stays of `hours` that together weigh `total_weight`; they belong to no block (-1)."""
        weight = np.full(len(hours), total_weight / len(hours))
        return self.followed_by(Stays(hours, *known_within(hours), weight, np.full(len(hours), -1)))

    def followed_by(self, more: "Stays") -> "Stays":
        """These and `more`, whose dates refer to the same profiles."""
        first, second = self.dates, more.dates
        either = first or second

        def joint(name: str, absent: int) -> np.ndarray:
            parts = ((first, len(self.hours)), (second, len(more.hours)))
            return np.concatenate([np.full(n, absent) if of is None else getattr(of, name) for of, n in parts])

        return Stays(
            np.append(self.hours, more.hours),
            np.append(self.low, more.low),
            np.append(self.high, more.high),
            np.append(self.weight, more.weight),
            np.append(self.block, more.block),
            either and Dates(joint("nights", -1), joint("profile", 0), either.profiles),
            None if self.entry is None and more.entry is None else np.append(self.entries, more.entries),
        )

    @property
    def entries(self) -> np.ndarray:
        """f8[n]: `entry`, 0 where there is none."""
        return np.zeros(len(self.hours)) if self.entry is None else self.entry

    def with_drawn_lengths(self, chosen: np.ndarray) -> "Stays":
        """The same, the `chosen` completed stays (mask) with `hours` as their exact lengths instead of dates."""
        low, high = known_within(self.hours)
        return replace(
            self,
            low=np.where(chosen, low, self.low),
            high=np.where(chosen, high, self.high),
            dates=self.dates and replace(self.dates, nights=np.where(chosen, -1, self.dates.nights)),
        )


def known_within(hours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest length of completed stays whose stamps have a time."""
    short = hours < MINUTE
    return np.where(short, 0.0, hours), np.where(short, MINUTE, hours)


@dataclass(frozen=True)
class KaplanMeier:
    """Share of stays longer than each length at which a stay ended."""

    hours: np.ndarray
    """f8[k]: lengths at which stays ended, rising."""
    survival: np.ndarray
    """f8[k]: share of stays longer than each; what the last leaves are open stays."""
    at_risk: np.ndarray
    """f8[k]: stays at least so long whose end could be seen then."""

    @property
    def before(self) -> np.ndarray:
        """f8[k]: share of stays at least as long as each."""
        return np.concatenate([[1.0], self.survival[:-1]])

    def mean(self) -> float:
        """Mean of the lengths, each counted up to the longest completed one."""
        return float(self.before @ np.diff(self.hours, prepend=0.0))


def kaplan_meier(stays: Stays) -> KaplanMeier:
    """The estimate from `stays`, of which at least one must be complete."""
    complete = stays.complete
    hours, place = np.unique(stays.hours[complete], return_inverse=True)
    ended = np.bincount(place, stays.weight[complete], len(hours))
    order = np.argsort(stays.hours, kind="stable")
    still = np.append(np.cumsum(stays.weight[order][::-1])[::-1], 0.0)
    at_risk = still[np.searchsorted(stays.hours[order], hours, side="left")]
    if stays.entry is not None:
        at_risk -= _weight_from(stays.entry, stays.weight, hours)
    at_risk = np.maximum(at_risk, ended)
    left = np.clip(1 - ended / at_risk, 0, 1)
    left[-1] = left[-1] if (stays.hours[~complete] >= hours[-1]).any() else 0.0  # but for rounding
    return KaplanMeier(hours, np.cumprod(left), at_risk)


def _weight_from(values: np.ndarray, weight: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """The weight of `values` at or above each of `bounds`."""
    order = np.argsort(values, kind="stable")
    rest = np.append(np.cumsum(weight[order][::-1])[::-1], 0.0)
    return rest[np.searchsorted(values[order], bounds, side="left")]


def destination_shares(stays: Stays, destination: np.ndarray, n_destinations: int) -> np.ndarray:
    """Probability of each destination of each stay, f8[n, destinations].

    `destination` [n] is its number, -1 where it is not known. Of an open stay it is what the cumulative incidence of
    each destination has left after the time so far; beyond the last completed stay, its share of all. A completed stay
    without a known destination belongs to none.
    """
    known = stays.complete & (destination >= 0)
    followed = stays.take(known | ~stays.complete)
    estimate = kaplan_meier(followed)
    place = np.searchsorted(estimate.hours, stays.hours[known])
    rise = stays.weight[known] * (estimate.before / estimate.at_risk)[place]
    incidence = np.zeros((len(estimate.hours), n_destinations))
    np.add.at(incidence, (place, destination[known]), rise)
    ahead = np.vstack([np.cumsum(incidence[::-1], axis=0)[::-1], np.zeros(n_destinations)])
    shares = np.zeros((len(stays.hours), n_destinations))
    shares[known, destination[known]] = 1.0
    after = ahead[np.searchsorted(estimate.hours, stays.hours[~stays.complete], side="right")]
    after = np.where(after.sum(axis=1, keepdims=True) > 0, after, ahead[0])
    shares[~stays.complete] = after / after.sum(axis=1, keepdims=True)
    return shares
