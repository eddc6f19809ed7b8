"""The stays of groups of a ward's patients as lengths, in operational hours where the ward has a clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import weekly_profile
from kaizar_pipeline.config.fields import HOURS_PER_DAY, WEEKDAYS
from kaizar_pipeline.config.rules import stays_of
from kaizar_pipeline.patients.care_stays import WardCare
from kaizar_pipeline.patients.los_fit import Fit
from kaizar_pipeline.patients.survival import Dates, Stays, known_within
from kaizar_pipeline.stats.operational_time import (
    FLAT,
    HOMEWARD,
    ONWARD,
    OperationalTime,
    mean_excess,
    plain_hours,
)

BLOCK_DAYS = 28
"""Days of admission that make one block in the estimate of drift."""

_US_PER_HOUR = 3_600_000_000
_MIDPOINTS = (np.arange(200) + 0.5) / 200


@dataclass(frozen=True)
class Group:
    """Some stays of a ward, and the clock that their lengths are measured on."""

    stays: Stays
    week: np.ndarray | None
    """f8[7, 24]; None: plain hours."""
    entry: np.ndarray
    """f8[7, 24]: how many of them begin in each hour of the week."""

    def in_plain_hours(self, fit: Fit) -> dict[str, Any]:
        """The columns of length_of_stay that tell people about a fit of these stays."""
        if self.week is None:
            return {"operational_mean_hours": None}
        lengths = fit.quantiles(_MIDPOINTS)
        return {
            "mean_hours": fit.mean_hours + mean_excess(self.week, self.entry, lengths),
            "p90_hours": _p90(plain_hours(self.week, lengths), self.entry.ravel()),
            "operational_mean_hours": fit.mean_hours,
        }


def _p90(hours: np.ndarray, weight: np.ndarray) -> float:
    """The 90th percentile of `hours` f8[168, n], rows weighted by `weight`."""
    order = np.argsort(hours, axis=None)
    so_far = np.cumsum(np.repeat(weight, hours.shape[1])[order])
    return float(hours.ravel()[order][np.searchsorted(so_far, 0.9 * so_far[-1])])


class _Part(NamedTuple):
    """Stays that go on to one place."""

    place: int
    stays: np.ndarray
    """Indices."""
    weight: np.ndarray
    """How much each counts."""


class WardLengths:
    """The lengths of a ward's stays, by patient type and next place."""

    def __init__(self, care: WardCare, weeks: Mapping[tuple[str, str], np.ndarray], holidays: np.ndarray) -> None:
        self.care = care
        self._onward, self._homeward = (weeks.get((care.ward.id, way)) for way in (ONWARD, HOMEWARD))
        self._holidays = holidays
        self._home = len(care.places) - 1
        names = care.stays["patient_type"]
        self._of_type = {name: (names == name).to_numpy() for name in care.config.patient_type_ids}

    @cached_property
    def ways(self) -> list[list[int]]:
        """The places by which patients leave, those onward and home apart: those seen and those of the config."""
        places = set(self.seen())
        for name in self.care.config.patient_type_ids:
            options = self.care.config.route_options(self.care.ward.id, name)
            places |= {self.care.places.index(option.to_ward) for option in options if option.probability > 0}
            if sum(option.probability for option in options) < 1 - 1e-9:
                places.add(self._home)
        ways = [[place for place in sorted(places) if (place == self._home) is home] for home in (False, True)]
        return [way for way in ways if way]

    @cached_property
    def by_way(self) -> bool:
        """Whether patients leave by two ways with different clocks, so that their stays are not measured alike."""
        onward, homeward = (FLAT if week is None else week for week in (self._onward, self._homeward))
        return len(self.ways) > 1 and not np.array_equal(onward, homeward)

    def seen(self, patient_type: str | None = None) -> list[int]:
        """The places that completed stays went on to."""
        of = self.care.place[self._chosen(patient_type)]
        return [int(place) for place in np.unique(of) if place >= 0]

    def name(self, place: int) -> str:
        """Its id."""
        return self.care.places[place]

    def completed(self, patient_type: str) -> int:
        """Completed stays of a patient type."""
        return int((self.care.complete & self._of_type[patient_type]).sum())

    def of_all(self, patient_type: str | None = None) -> Group:
        """All stays, or those of a patient type: in plain hours where the ways out have different clocks.

        Whole stays end by discharge, so they have its clock.
        """
        chosen = self._chosen(patient_type)
        week = None if self.by_way else self._week(self.ways[0][0])
        if stays_of(self.care.ward) is not None:
            week = self._homeward
        if not self._waits:
            return self._group([self._whole(np.flatnonzero(chosen))], week)
        unknown = self._whole(np.flatnonzero(chosen & (self._shares.sum(axis=1) == 0)))
        return self._group([*self._parts(range(len(self.care.places)), chosen), unknown], week)

    def of_places(self, places: Sequence[int], patient_type: str | None = None) -> Group:
        """The stays that go on to one of `places`, all onward or all home; open ones count in shares."""
        return self._group(self._parts(places, self._chosen(patient_type)), self._week(places[0]))

    def of_way(self, places: Sequence[int]) -> Group:
        """The same for a way out; where no stay is known to have ended by it, all stays, on its clock."""
        group = self.of_places(places)
        return group if group.stays.n else self._group([self._whole(np.arange(len(self.care.admit)))], group.week)

    def _chosen(self, patient_type: str | None) -> np.ndarray:
        return np.ones(len(self.care.admit), dtype=bool) if patient_type is None else self._of_type[patient_type]

    def _week(self, place: int) -> np.ndarray | None:
        return self._homeward if place == self._home else self._onward

    @cached_property
    def _shares(self) -> np.ndarray:
        """f8[n, places]: probability of each place, from the stays of the patient's type."""
        care = self.care
        shares = care.shares(np.arange(len(care.admit)))
        for of_type in self._of_type.values():
            if (care.place[of_type] >= 0).any():
                shares[of_type] = care.shares(np.flatnonzero(of_type))
        return shares

    @cached_property
    def _waits(self) -> bool:
        """Whether some ends could not be seen."""
        beds, places = self.care.next_beds, [place for place in self.seen() if place != self._home]
        return beds is not None and any(beds.free(self.name(place)) is not None for place in places)

    def _parts(self, places: Sequence[int], chosen: np.ndarray) -> list[_Part]:
        """The stays that may go on to each place, in shares."""
        stays = [np.flatnonzero(chosen & (self._shares[:, place] > 0)) for place in places]
        return [_Part(place, of, self._shares[of, place]) for place, of in zip(places, stays, strict=True)]

    def _whole(self, stays: np.ndarray) -> _Part:
        """Stays that count fully, seen to their ends."""
        return _Part(self._home, stays, np.ones(len(stays)))

    def _group(self, parts: Sequence[_Part], week: np.ndarray | None) -> Group:
        time = OperationalTime(FLAT if week is None else week, self._holidays)
        stays = self._stays(parts[0], week, time)
        for part in parts[1:]:
            stays = stays.followed_by(self._stays(part, week, time))
        admit = np.concatenate([self.care.admit[part.stays] for part in parts])
        weight = np.concatenate([part.weight for part in parts])
        day = admit.astype("datetime64[D]")
        hour = time.weekdays(day) * HOURS_PER_DAY + (admit - day).astype("int64") // _US_PER_HOUR
        return Group(stays, week, np.bincount(hour, weight, FLAT.size).reshape(FLAT.shape))

    def _stays(self, part: _Part, week: np.ndarray | None, time: OperationalTime) -> Stays:
        """What is known of each length; of stamps of days the number of nights."""
        care = self.care
        seen = care.intervals(part.place, part.stays)
        of, admit = seen.stay, care.admit[seen.stay]
        if week is None:
            hours, entry = ((at - admit).astype("int64") / _US_PER_HOUR for at in (seen.end, seen.begin))
        else:
            end = np.where(seen.ended & care.by_date[of], self._ends_by_date[of], seen.end)
            hours, entry = (np.maximum(time.hours(at) - time.hours(admit), 0.0) for at in (end, seen.begin))
        low, high = known_within(hours)
        low, high = np.where(seen.ended, low, hours), np.where(seen.ended, high, np.inf)
        weight = np.zeros(len(care.admit))
        weight[part.stays] = part.weight
        block = (care.last - admit).astype("int64") // (BLOCK_DAYS * HOURS_PER_DAY * _US_PER_HOUR)
        dates = self._dates(of) if week is None else None
        return Stays(hours, low, high, weight[of], block, dates, entry if entry.any() else None)

    @cached_property
    def _ends_by_date(self) -> np.ndarray:
        """datetime64[us][n]: ends with an hour at which another patient came.

        With any other hours the twin, whose patients come at hours that do not depend on their lengths of stay, would
        have another mean number of nights.
        """
        admit = self.care.admit
        within = admit - admit.astype("datetime64[D]").astype("datetime64[us]")
        end = self.care.end.astype("datetime64[D]").astype("datetime64[us]") + np.roll(within, 1)
        return np.maximum(end, admit)

    def _dates(self, stays: np.ndarray) -> Dates | None:
        by_date = self.care.by_date[stays]
        if not by_date.any():
            return None
        days = [at[stays].astype("datetime64[D]") for at in (self.care.admit, self.care.end)]
        nights = (days[1] - days[0]).astype("int64")
        profiles, profile = self._profiles
        return Dates(np.where(by_date, nights, -1), profile[stays], profiles)

    @cached_property
    def _profiles(self) -> tuple[np.ndarray, np.ndarray]:
        """The different days of the hourly profiles of the arrival streams, f8[p, 24], and which one each stay has."""
        streams = self.care.config.arrival_streams
        weeks = np.concatenate([weekly_profile(stream) for stream in streams])
        shares, of_day = np.unique(weeks / weeks.sum(axis=1, keepdims=True), axis=0, return_inverse=True)
        stays = self.care.stays
        stream = pd.Index([stream.id for stream in streams]).get_indexer(pd.Index(stays["stream_id"]))
        return shares, of_day.ravel()[stream * len(WEEKDAYS) + stays["admit"].dt.day_of_week.to_numpy()]
