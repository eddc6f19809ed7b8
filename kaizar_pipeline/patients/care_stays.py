"""Which stays tell how long care in a ward takes and when it ends, and in which hours their ends could be seen.

Waiting for the next ward is no care. Where records do not have the end of care, a patient is seen to go on to another
ward only while that ward had a free bed: patients who leave while it is full may have waited, so they count up to the
beginning of that time, and those who stay on beyond it count again from its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import public_holidays
from kaizar_pipeline.config.hospital import HospitalConfig, Ward
from kaizar_pipeline.config.rules import stays_of
from kaizar_pipeline.patients.survival import Stays, destination_shares, known_within
from kaizar_pipeline.tables import HOME

MIN_SEEN = 20
"""Patients who went on while the next ward had a free bed below which all count, with the time that they waited."""


@dataclass(frozen=True)
class FreeTimes:
    """When a ward had a free bed: datetime64[us] each, ascending; a time begins when the one before has ended."""

    starts: np.ndarray
    ends: np.ndarray


@dataclass(frozen=True)
class Intervals:
    """Parts of stays in which their end could be seen; the first of a stay begins with it, if only for an instant."""

    stay: np.ndarray
    """i8[n]: index of the stay."""
    begin: np.ndarray
    """datetime64[us][n]"""
    end: np.ndarray
    """datetime64[us][n]"""
    ended: np.ndarray
    """bool[n]: the stay ended at `end`."""


class NextBeds:
    """When the wards that patients go on to had a free bed, from the stays in them and the beds of the config."""

    def __init__(self, config: HospitalConfig, patients: pd.DataFrame, ward_stays: pd.DataFrame) -> None:
        self._wards = {ward.id: ward for ward in config.wards}
        self._patients, self._ward_stays = patients, ward_stays
        self.as_of = pd.Timestamp(patients["as_of"].iloc[0])
        self._found: dict[str, FreeTimes | None] = {}

    @cached_property
    def _beds(self) -> pd.DataFrame:
        """Stays in beds, but for those that ended at an unknown time."""
        stays = self._ward_stays
        unknown = self._patients.loc[~self._patients["departure_known"], "patient_id"]
        return stays[stays["admit"].notna() & ~(stays["depart"].isna() & stays["patient_id"].isin(unknown))]

    def free(self, ward_id: str) -> FreeTimes | None:
        """When `ward_id` had a free bed; None for always."""
        if ward_id not in self._found:
            self._found[ward_id] = self._times(self._wards[ward_id])
        return self._found[ward_id]

    def _times(self, ward: Ward) -> FreeTimes | None:
        stays = self._beds[self._beds["ward_id"] == ward.id]
        if ward.capacity is None or stays.empty:
            return None
        came, went = (np.sort(stays[name].dropna().to_numpy("datetime64[us]")) for name in ("admit", "depart"))
        last = self.as_of.to_datetime64().astype("datetime64[us]")
        changes, beds = staffed_beds(ward, came[0], last)
        staffed = np.array(beds)
        times = np.unique(np.concatenate([came, went, changes]))
        census = np.searchsorted(came, times, side="right") - np.searchsorted(went, times, side="right")
        is_free = census < staffed[np.searchsorted(changes, times, side="right") - 1]
        if is_free.all():
            return None
        turns = np.flatnonzero(np.diff(np.concatenate([[True], is_free, [False]])))
        bounds = np.concatenate([[np.datetime64("0001-01-01", "us")], np.append(times, last)[turns]])
        return FreeTimes(bounds[0::2], np.maximum(bounds[1::2], bounds[0::2]))


def staffed_beds(ward: Ward, first: np.datetime64, as_of: np.datetime64) -> tuple[np.ndarray, list[int | None]]:
    """The instants from the day of `first` on at which the number of staffed beds may change, and the beds from then
    on, None for unlimited."""
    days = pd.date_range(pd.Timestamp(first).normalize(), pd.Timestamp(as_of), freq="D")
    dated = (pd.Timestamp(instant) for instant in ward.dated_instants)
    instants = sorted({days[0], *(time for time in dated if time > days[0]), *(days if ward.weekday_capacity else ())})
    beds = [ward.beds_at(instant.to_pydatetime()) for instant in instants]
    return np.array(instants, dtype="datetime64[us]"), beds


def beds_by_hour(ward: Ward, hours: pd.DatetimeIndex) -> np.ndarray:
    """f8: the beds staffed as each of these `hours` begins, in order; NaN for unlimited."""
    since, beds = staffed_beds(ward, hours[0].to_datetime64(), hours[-1].to_datetime64())
    return np.array(beds, dtype="float64")[np.searchsorted(since, hours.to_numpy(), side="right") - 1]


def began(patients: pd.DataFrame, ward_stays: pd.DataFrame) -> pd.DataFrame:
    """Admitted stays of whose length something is known, with stream, patient type and time resolution.

    Stays without an end of patients whose departure is unknown are left out.
    """
    admitted = ward_stays[ward_stays["admit"].notna()]
    columns = ["patient_id", "stream_id", "patient_type", "departure_known", "resolution"]
    stays = admitted.merge(patients[columns], on="patient_id").assign(as_of=patients["as_of"].iloc[0])
    return stays[stays["ready"].notna() | stays["departure_known"]]


@dataclass(frozen=True)
class WardCare:
    """The stays that tell of one ward's care."""

    ward: Ward
    config: HospitalConfig
    stays: pd.DataFrame
    """Rows of `began`."""
    as_of: pd.Timestamp
    next_beds: NextBeds | None
    """Where waiting for the next ward is part of the stays; None where they are care alone."""

    @classmethod
    def of(cls, ward: Ward, stays: pd.DataFrame, config: HospitalConfig, next_beds: NextBeds) -> "WardCare":
        """Of the rows of `began` those of a ward: whole stays of its stream where it asks for them; else its own,
        without whole stays where routes lead onward: they include the time in the next wards."""
        stream = stays_of(ward)
        if stream is not None:
            chosen = stays["whole_stay"] & (stays["stream_id"] == stream)
        else:
            chosen = stays["planned_ward_id"] == ward.id
            chosen &= ~(stays["whole_stay"] & (ward.id in config.wards_with_routes))
        waits = ward.boarding == "hold" and not config.patients.knows_care_ends
        return cls(ward, config, stays[chosen].reset_index(drop=True), next_beds.as_of, next_beds if waits else None)

    @cached_property
    def admit(self) -> np.ndarray:
        """datetime64[us][n]"""
        return self.stays["admit"].to_numpy("datetime64[us]")

    @cached_property
    def last(self) -> np.datetime64:
        """as_of, datetime64[us]."""
        return self.as_of.to_datetime64().astype("datetime64[us]")

    @cached_property
    def complete(self) -> np.ndarray:
        """bool[n]: care has ended."""
        return self.stays["ready"].notna().to_numpy()

    @cached_property
    def end(self) -> np.ndarray:
        """datetime64[us][n]: the end of care, or as_of."""
        return self.stays["ready"].fillna(self.stays["as_of"]).to_numpy("datetime64[us]")

    @cached_property
    def by_date(self) -> np.ndarray:
        """bool[n]: only the dates are known."""
        return (self.stays["whole_stay"] & (self.stays["resolution"] != "second")).to_numpy()

    @cached_property
    def places(self) -> list[str]:
        """Where patients may go next: the wards, and home last."""
        return [*self.config.ward_ids, HOME]

    @cached_property
    def place(self) -> np.ndarray:
        """i8[n]: which of `places` the patient went to; -1 where it is not known."""
        found = pd.Index(self.places).get_indexer(pd.Index(self.stays["next_ward_id"]))
        return np.where(self.complete, found, -1)

    def shares(self, chosen: np.ndarray) -> np.ndarray:
        """Probability of each of `places` for the `chosen` stays, f8[chosen, places]; all 0 where none is known."""
        hours = (self.end - self.admit)[chosen] / np.timedelta64(1, "h")
        low, high = known_within(hours)
        low, high = np.where(self.complete[chosen], low, hours), np.where(self.complete[chosen], high, np.inf)
        stays = Stays(hours, low, high, np.ones(len(hours)), np.zeros(len(hours), dtype="int64"))
        if not (self.place[chosen] >= 0).any():
            return np.zeros((len(hours), len(self.places)))
        return destination_shares(stays, self.place[chosen], len(self.places))

    def intervals(self, place: int, stays: np.ndarray) -> Intervals:
        """The intervals in which the end of `stays` (indices) that go on to `place` could be seen."""
        whole = Intervals(stays, self.admit[stays], self.end[stays], self.complete[stays])
        to_home = place == len(self.places) - 1
        free = None if to_home or self.next_beds is None else self.next_beds.free(self.places[place])
        if free is None:
            return whole
        seen = _while_free(whole, free)
        return seen if seen.ended.sum() >= MIN_SEEN else whole


def _while_free(whole: Intervals, free: FreeTimes) -> Intervals:
    """The parts of `whole` stays in which the next ward had a free bed."""
    first = np.searchsorted(free.ends, whole.begin, side="right")
    count = np.maximum(np.searchsorted(free.starts, whole.end, side="left") - first, 0)
    row = np.repeat(np.arange(len(whole.stay)), count)
    number = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    time = first[row] + number
    begin, end = np.maximum(free.starts[time], whole.begin[row]), np.minimum(free.ends[time], whole.end[row])
    ended = whole.ended[row] & (end == whole.end[row])
    at_once = np.zeros(len(whole.stay), dtype=bool)
    at_once[row[begin == whole.begin[row]]] = True
    late = np.flatnonzero(~at_once)  # the next ward was full when they came
    row = np.concatenate([row, late])
    begin, end = (np.concatenate([times, whole.begin[late]]) for times in (begin, end))
    ended = np.concatenate([ended, np.zeros(len(late), dtype=bool)])
    order = np.lexsort((begin, row))
    return Intervals(whole.stay[row[order]], begin[order], end[order], ended[order])


def known_holidays(config: HospitalConfig, stays: pd.DataFrame) -> np.ndarray:
    """datetime64[D]: the public holidays between the first of `stays` and as_of."""
    if stays.empty:
        return np.zeros(0, dtype="datetime64[D]")
    dates = pd.date_range(stays["admit"].min().normalize(), stays["as_of"].iloc[0], freq="D")
    return dates.to_numpy("datetime64[D]")[public_holidays(config.hospital, dates)]


def ward_cares(patients: pd.DataFrame, ward_stays: pd.DataFrame, config: HospitalConfig) -> Mapping[str, WardCare]:
    """The stays that tell of each ward's care."""
    stays, next_beds = began(patients, ward_stays), NextBeds(config, patients, ward_stays)
    return {ward.id: WardCare.of(ward, stays, config, next_beds) for ward in config.wards}
