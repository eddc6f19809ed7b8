"""Waits of all replications together: how they are counted, their percentiles, and how precisely these are known.

A wait is counted in a bin: 0 for none, then bins of 6 minutes up to 2 days, and beyond them bins that are 1 % wide.
So the memory does not depend on how many waits there are, and percentiles are known to 6 minutes or 1 %.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np

FINE_BINS_PER_HOUR, FINE_HOURS = 10, 48
"""How many bins an hour has up to so many hours."""

WIDENING = 1.01
"""The end of a bin beyond, over its beginning."""

LONGEST = 4_800
"""Hours, longer than the longest horizon; longer waits are counted as these."""


def _ends() -> np.ndarray:
    ends = [0.0, *(n / FINE_BINS_PER_HOUR for n in range(1, FINE_BINS_PER_HOUR * FINE_HOURS + 1))]
    while ends[-1] < LONGEST:
        ends.append(ends[-1] * WIDENING)
    return np.array(ends)


ENDS = _ends()
"""f8[BINS]: the longest wait in each bin, in hours; the first holds waits of 0."""

BINS = len(ENDS)

FIRST_OF_HOUR = np.searchsorted(ENDS, np.arange(LONGEST + 1)).astype(np.uint32)
"""u4[LONGEST + 1]: the bin of each whole number of hours."""

OVER_HOURS = (4.0, 12.0)
"""Waits longer than this many hours are counted by themselves."""


class _Journey(NamedTuple):
    """What is summed over the patients of a stream in a replication, by place."""

    present: int
    """Those still in the hospital at the end of the horizon."""
    bed_hours: int
    """Until a first bed."""
    bed_over_4h: int
    bed_over_12h: int
    hospital_hours: int
    """Until leaving the hospital."""
    hospital_over_4h: int
    hospital_over_12h: int
    patients: int
    """Arrived in the hours that count and not diverted; the last, since the others are divided by them."""


JOURNEY = _Journey(*range(len(_Journey._fields)))
"""Place of each sum."""


class Part(NamedTuple):
    """The waits of consecutive replications: only the bins that have any."""

    end: int
    """Number of the last replication + 1."""
    cell: np.ndarray
    """u4: places in i8[A, T, BINS] as one row."""
    waits: np.ndarray
    """How many there are in each, in as few bytes as they take."""

    @classmethod
    def of(cls, end: int, counts: np.ndarray) -> Self:
        """The part whose waits are `counts`."""
        cell = np.flatnonzero(counts)
        waits = counts.ravel()[cell]
        return cls(end, cell.astype(np.uint32), waits.astype(np.min_scalar_type(waits.max(initial=0))))

    @property
    def nbytes(self) -> int:
        """Its memory."""
        return self.cell.nbytes + self.waits.nbytes


@dataclass(frozen=True)
class Waits:
    """How many waited how long, by ward (the hospital: patients, with all their waits) and patient type (T: all)."""

    counts: np.ndarray
    """i8[A, T, BINS]"""
    replications: int
    """Those in `counts`."""
    parts: Sequence[Part]
    """The first of these replications, or all."""
    groups: Sequence[int]
    """Where the groups of replications end that standard errors come from; the last one with the last part."""

    @classmethod
    def of_parts(cls, parts: Sequence[Part], shape: tuple[int, int, int], groups: Sequence[int]) -> Self:
        """The waits of the replications of `parts`, of the `shape` of counts."""
        return cls(_added(parts, shape), parts[-1].end, parts, groups)

    def percentile(self, share: float) -> np.ndarray:
        """f8[A, T + 1]: the wait that this share of patients do not exceed; NaN where nobody asked."""
        return percentile(_with_all(self.counts), share)

    def standard_error(self, share: float) -> np.ndarray:
        """f8[A, T + 1]: that of the percentile; NaN for a single group."""
        values = self._by_group(share, _with_all)
        if len(values) == 1:
            return np.full(values.shape[1:], np.nan)
        counted = self.replications / self.parts[-1].end
        return values.std(axis=0, ddof=1) / np.sqrt(len(values) * counted)

    def by_group(self, share: float) -> np.ndarray:
        """f8[groups, A]: values, one for each group, whose mean is the percentile over all patient types, and whose
        spread gives its standard error."""
        return self._by_group(share, lambda counts: counts.sum(axis=1))

    def _by_group(self, share: float, view: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """The jackknife that leaves out one group at a time: a percentile of one group alone is biased, since it is one
        of few replications. Groups may differ in size."""
        whole, n = view(_added(self.parts, self.counts.shape)), self.parts[-1].end
        value, apart = percentile(whole, share), []
        if len(self.groups) == 1:
            return value[None]
        for first, last in pairwise([0, *self.groups]):
            group = _added([part for part in self.parts if first < part.end <= last], self.counts.shape)
            apart.append((1 - (last - first) / n) * (value - percentile(whole - view(group), share)))
        differences = np.array(apart)
        return value + len(differences) * (differences - differences.mean(axis=0))


def percentile(counts: np.ndarray, share: float) -> np.ndarray:
    """The wait that this share do not exceed, from counts [..., BINS], evenly spread within a bin; NaN where there are
    none."""
    upto = np.cumsum(counts, axis=-1)
    wanted = share * upto[..., -1:]
    place = (upto >= wanted).argmax(axis=-1)[..., None]
    inside = np.take_along_axis(counts, place, axis=-1)
    before = np.take_along_axis(upto, place, axis=-1) - inside
    low, high = ENDS[np.maximum(place - 1, 0)], ENDS[place]
    with np.errstate(invalid="ignore"):
        return (low + (high - low) * ((wanted - before) / inside))[..., 0]


def _with_all(counts: np.ndarray) -> np.ndarray:
    """[A, T + 1, BINS]: all patient types together after the others."""
    return np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)


def _added(parts: Sequence[Part], shape: tuple[int, ...]) -> np.ndarray:
    """The counts of some parts together."""
    total = np.zeros(shape, dtype=np.int64)
    for part in parts:
        total.reshape(-1)[part.cell] += part.waits
    return total
