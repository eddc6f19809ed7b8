"""Streams that open, close or fall silent within the records: what the config says, and what their arrivals show.

A day without arrivals before a stream has opened says nothing about its demand; one after its last may mean that it has
closed, or that the extract lacks it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import open_days
from kaizar_pipeline.config.hospital import ArrivalStream, HospitalConfig

BREAK_DAYS = 7
"""Days without arrivals below which nothing is taken for an opening or a silence."""
BREAK_CHANCE = 1e-4
"""Neither is a time without arrivals that had this chance, or a greater one, if the stream's days with arrivals lay at
random: of a steady stream such a time is some nine of its mean gaps."""


@dataclass(frozen=True)
class Activity:
    """Days without arrivals before the first and after the last day with any, and what lies between these."""

    before: int
    after: int
    between: int
    """Days from the first to the last with arrivals, these included."""
    days: int
    """Of them with arrivals."""
    longest_gap: int
    """The most days without arrivals between two of them."""

    @classmethod
    def of(cls, counts: np.ndarray) -> "Activity | None":
        """That of the arrivals by day; None without any."""
        active = np.flatnonzero(counts > 0)
        if len(active) == 0:
            return None
        longest = int(np.diff(active).max(initial=1)) - 1
        first, last = int(active[0]), int(active[-1])
        return cls(first, len(counts) - 1 - last, last - first + 1, len(active), longest)

    @property
    def mean_gap(self) -> float:
        """Days from one day with arrivals to the next, on average."""
        return self.between / self.days

    @property
    def opened(self) -> bool:
        """Whether the days before the first arrival were too many for a stream that was open."""
        return self._is_break(self.before, self.between + self.after)

    @property
    def silent(self) -> bool:
        """Whether the days since the last arrival are too many for a stream that is still open."""
        return self._is_break(self.after, self.between)

    def _is_break(self, empty: int, rest: int) -> bool:
        chance = (rest / (rest + empty)) ** self.days
        return empty >= BREAK_DAYS and empty > self.longest_gap and chance < BREAK_CHANCE


def within_opening(daily: pd.DataFrame, config: HospitalConfig) -> pd.Series:
    """bool for each row of `daily` (stream_id, date, arrivals of whole days): whether the stream was open.

    By `opened` and `closed` of the config; without `opened` from its first arrival, if it lies long after
    the first day of `daily`.
    """
    was_open = pd.Series(data=True, index=daily.index)
    for stream, rows in _by_stream(daily, config):
        dates = pd.DatetimeIndex(rows["date"])
        was_open[rows.index] = open_days(stream, dates)
        found = Activity.of(rows["arrivals"].to_numpy())
        if stream.opened is None and found is not None and found.opened:
            was_open[rows.index] &= np.arange(len(rows)) >= found.before
    return was_open


def unannounced(daily: pd.DataFrame, config: HospitalConfig) -> dict[str, str]:
    """A sentence for each stream that begins or ends in `daily` (as above) otherwise than the config says."""
    sentences = {stream.id: _sentence(stream, rows) for stream, rows in _by_stream(daily, config)}
    return {stream: sentence for stream, sentence in sentences.items() if sentence}


def _by_stream(daily: pd.DataFrame, config: HospitalConfig) -> list[tuple[ArrivalStream, pd.DataFrame]]:
    groups = dict(list(daily.groupby("stream_id")))
    return [(s, groups[s.id].sort_values("date")) for s in config.arrival_streams if s.id in groups]


def _sentence(stream: ArrivalStream, rows: pd.DataFrame) -> str:
    dates, counts = pd.DatetimeIndex(rows["date"]), rows["arrivals"].to_numpy()
    is_open = open_days(stream, dates)
    outside = int(counts[~is_open].sum())
    if outside:
        return f"{outside} arrivals on days on which the config says that it is closed: correct `opened` or `closed`"
    found = Activity.of(counts[is_open])
    if found is None:
        return ""
    dates = dates[is_open]
    words = []
    if stream.opened is None and found.opened:
        words.append(
            f"first arrival on {dates[found.before]:%Y-%m-%d}, {found.before} days after the records begin: taken as "
            "its opening; set `opened`"
        )
    if is_open[-1] and found.silent:
        words.append(
            f"no arrival since {dates[-1 - found.after]:%Y-%m-%d}, for {found.after} days, after some every "
            f"{found.mean_gap:.1f} days: set `closed` if it has closed, else look for it in the extract"
        )
    return "; ".join(words)
