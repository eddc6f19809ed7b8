"""Why the back-test of the census is biased in a ward: what the records say beside what the twin was given.

Each cause has a rule. From the records follows the error that the cause would make; the cause is likely where that
error explains a good part of the one that was made:

- hours of arrival: the error by hour of the day is that of patients who arrive at other hours than in the profile in
  use;
- clock: the error by hour of the day is that of departures spread over the day, or forecasts of weekends are too low by
  the patients who do not leave then, and the twin has no clock there;
- routes: the mean error is that of the patients a day who come from another ward, though the routes do not lead there;
- a service that opened or closed: forecasts from before, or shortly after, err by the patients whom its stream brings.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from kaizar_pipeline.config.discharges import SATURDAY
from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.hospital import ArrivalStream, HospitalConfig
from kaizar_pipeline.patients.observed_census import instants, observed_census
from kaizar_pipeline.planning.census_bias import beyond_chance, relevant
from kaizar_pipeline.planning.census_scores import independent_dates

EXPLAINED = 0.3
"""Share of the squared error by hour of the day that a cause explains at least."""
BETTER = 0.1
"""Share more that two causes together explain at least, to be named both."""
PART = 1 / 3
"""Part of a mean error that a cause makes at least."""
LEARNED_DAYS = 28
"""Days from which on a forecast is taken to know that a stream began or ended."""
SILENT_DAYS = 14
"""Days without an arrival, and `SILENT_ARRIVALS` missing in them, from which on a stream is taken to have ended."""
SILENT_ARRIVALS = 20

UNKNOWN = "not found: no hours of arrival, clock, route, or service that opened or closed explains it"
"""Of a bias without a likely cause."""

_DAY = pd.Timedelta(days=1)


class Given(NamedTuple):
    """What the causes are looked for in."""

    config: HospitalConfig
    patients: pd.DataFrame
    ward_stays: pd.DataFrame
    arrival_profile: pd.DataFrame
    discharge_clocks: pd.DataFrame
    routes: pd.DataFrame


def likely_causes(given: Given, forecasts: pd.DataFrame) -> dict[str, list[str]]:
    """By ward, the likely causes of the errors of `forecasts`, rows of occupancy_backtest of one method; an empty list
    where none is found."""
    unknown = given.patients.loc[~given.patients["departure_known"], "patient_id"]
    stays = given.ward_stays[given.ward_stays["admit"].notna() & ~given.ward_stays["patient_id"].isin(unknown)]
    known, since = given._replace(ward_stays=stays), forecasts["origin"].min()
    found: dict[str, list[str]] = {}
    for ward in given.config.ward_ids:
        rows = forecasts[forecasts["ward_id"] == ward]
        if len(rows):
            case = _Case(Errors.of(rows), Records(known, ward, since))
            found[ward] = [*case.by_hour(), *case.weekends(), *case.routes(), *case.services()]
    return found


def in_words(causes: Mapping[str, Sequence[str]], ward_id: str, totals: Mapping[str, Collection[str]]) -> str | None:
    """The `likely_causes` of a ward, of one of the `totals` those of its wards that have some; None where none is
    found."""
    if ward_id in totals:
        wards = [ward for ward, found in causes.items() if found and ward in totals[ward_id]]
        return f"see {', '.join(wards)}" if wards else None
    return "; ".join(causes.get(ward_id, ())) or None


@dataclass(frozen=True)
class Errors:
    """The errors of the forecasts of one ward, forecast - actual, in patients."""

    rows: pd.DataFrame
    """With origin, at, hour, error and actual."""
    dates: int
    """Independent ones among the origins."""

    @classmethod
    def of(cls, forecasts: pd.DataFrame) -> Self:
        """The errors of rows of occupancy_backtest."""
        rows = forecasts.assign(at=instants(forecasts), error=forecasts["mean"] - forecasts["actual"])
        return cls(rows, independent_dates(rows["origin"], int(rows["lead"].max())))

    @cached_property
    def matters(self) -> float:
        """Patients from which on an error matters."""
        return relevant(float(self.rows["actual"].mean()))

    @cached_property
    def by_hour(self) -> pd.DataFrame:
        """By origin (index) and hour (columns): the mean error less that of the origin's hours."""
        hours = self.rows.pivot_table(index="origin", columns="hour", values="error")
        return hours.sub(hours.mean(axis=1), axis=0)

    @cached_property
    def at_weekends(self) -> pd.Series:
        """By origin: the mean error from Saturday 18:00 to Monday 6:00 less that of the rest of the week."""
        weekend = _weekend(self.rows["at"]).to_numpy()
        mean = self.rows.pivot_table(index="origin", columns=weekend, values="error")
        mean = mean.reindex(columns=[True, False])
        return mean[True] - mean[False]

    def clear(self, by_origin: pd.Series) -> bool:
        """Whether the mean of errors by origin is beyond chance, and matters."""
        mean = float(by_origin.mean())
        error = float(by_origin.std()) / np.sqrt(max(self.dates, 1))
        return abs(mean) > self.matters and beyond_chance(mean, error, self.dates)

    @property
    def level(self) -> float | None:
        """The mean error; None where it is chance or does not matter."""
        by_origin = self.rows.groupby("origin")["error"].mean()
        return float(by_origin.mean()) if self.clear(by_origin) else None


def _weekend(at: pd.Series) -> pd.Series:
    """Whether an instant lies between Saturday 18:00 and Monday 6:00, when patients who do not leave at weekends are
    still there."""
    hours = at.dt.day_of_week * HOURS_PER_DAY + at.dt.hour
    return (hours >= SATURDAY * HOURS_PER_DAY + 18) | (hours <= 6)


@dataclass(frozen=True)
class Records:
    """What the records say of one ward since the first forecast."""

    given: Given
    """Its ward_stays are those in a bed of patients whose departure is known."""
    ward: str
    since: pd.Timestamp

    @cached_property
    def as_of(self) -> pd.Timestamp:
        """The end of the records."""
        return pd.Timestamp(self.given.patients["as_of"].iloc[0])

    @cached_property
    def days(self) -> float:
        """Days since the first forecast."""
        return max((self.as_of - self.since) / _DAY, 1.0)

    @cached_property
    def _in_ward(self) -> pd.DataFrame:
        return self.given.ward_stays[self.given.ward_stays["ward_id"] == self.ward]

    @cached_property
    def stays(self) -> pd.DataFrame:
        """Those in the ward that began since then, with their hours, so far where they are open."""
        stays = self._in_ward[self._in_ward["admit"] >= self.since]
        so_far = stays["depart"].fillna(self.as_of) - stays["admit"]
        return stays.assign(hours=so_far.dt.total_seconds() / 3600)

    @cached_property
    def departures(self) -> pd.Series:
        """Instants at which the ward's beds were left since then."""
        return self._in_ward.loc[self._in_ward["depart"] >= self.since, "depart"]

    @cached_property
    def mean_days(self) -> float:
        """Mean length of the stays, in days."""
        return float(self.stays["hours"].mean()) / HOURS_PER_DAY if len(self.stays) else 0.0

    @property
    def has_clock(self) -> bool:
        """Whether the twin has a clock of discharges or transfers in the ward."""
        clocks = self.given.discharge_clocks
        return bool((clocks.loc[clocks["ward_id"] == self.ward, "weight"] != 1).any())

    @cached_property
    def presence(self) -> np.ndarray:
        """f8[24]: how many patients of one admission a day are still there k to k + 1 hours after its hour, the days
        before included, if stays of a day and more ended at any hour of the day alike."""
        hours = self.stays["hours"].to_numpy()[:, None]
        since = np.arange(HOURS_PER_DAY) + 0.5
        long = np.maximum((hours - since) / HOURS_PER_DAY + 0.5, 0.0)
        return np.where(hours < HOURS_PER_DAY, hours > since, long).mean(axis=0)

    def census(self, admissions: np.ndarray, hours: np.ndarray) -> np.ndarray:
        """f8: the census at `hours` of so many `admissions` in each hour of every day, less its mean over `hours`."""
        since = (hours[:, None] - np.arange(HOURS_PER_DAY) - 1) % HOURS_PER_DAY
        census = self.presence[since] @ admissions
        return census - census.mean()

    def observed(self, hours: np.ndarray) -> np.ndarray:
        """f8: the mean census observed at `hours`, less its mean over them."""
        seen = observed_census(self.given.patients, self._in_ward, {self.ward: [self.ward]}, hours.tolist())
        seen = seen[seen["date"] >= self.since]
        census = seen.groupby("hour")["actual"].mean().loc[hours].to_numpy()
        return census - census.mean()

    @cached_property
    def streams(self) -> list[ArrivalStream]:
        """The streams that ask for a first bed in the ward."""
        return [stream for stream in self.given.config.arrival_streams if stream.target_ward == self.ward]

    @property
    def profiles(self) -> dict[str, np.ndarray]:
        """f8[7, 24] by stream: the weights that the twin draws hours of arrival from, mean 1 over a weekday."""
        in_use = self.given.arrival_profile[self.given.arrival_profile["in_use"]].sort_values(["weekday", "hour"])
        return {
            str(stream): rows["weight"].to_numpy().reshape(7, HOURS_PER_DAY)
            for stream, rows in in_use.groupby("stream_id")
        }

    def arrivals(self, stream: ArrivalStream) -> pd.Series:
        """All arrivals of a stream, in order."""
        patients = self.given.patients
        return patients.loc[patients["stream_id"] == stream.id, "arrival"].sort_values()


@dataclass(frozen=True)
class _Case:
    """The errors in one ward beside its records."""

    errors: Errors
    records: Records

    def by_hour(self) -> Iterator[str]:
        """Hours of arrival and clock, where the error varies over the hours of the day."""
        by_hour = self.errors.by_hour
        clear = by_hour.shape[1] > 1 and any(self.errors.clear(by_hour[hour]) for hour in by_hour)
        if not clear or self.records.stays.empty:
            return
        explained = self._explained(by_hour.mean())
        best = max(("profile", "clock"), key=lambda cause: explained[cause])
        both = explained["both"] > explained[best] + BETTER
        share = explained["both" if both else best]
        found = {"profile", "clock"} if both else {best}
        explains = f"{'both together explain' if both else 'that explains'} {share:.0%} of the error by hour"
        if share >= EXPLAINED and "profile" in found:
            yield f"hours of arrival: {self._moved()} ({explains})"
        if share >= EXPLAINED and "clock" in found:
            hour, part = _busiest(self.records.departures)
            yield (
                f"clock: {part:.0%} of the beds are left between {hour}:00 and {hour + 6}:00, and the twin has no "
                f"clock there ({explains})"
            )

    def _explained(self, error: pd.Series) -> dict[str, float]:
        """The share of the squared `error` by hour (index) that hours of arrival, the clock, and both explain."""
        records, hours, made = self.records, error.index.to_numpy(), error.to_numpy()
        arrived, planned = self._hours_of_arrival()
        by_profile = records.census((planned - arrived) / records.days, hours)
        admitted = np.bincount(records.stays["admit"].dt.hour, minlength=HOURS_PER_DAY) / records.days
        by_clock = 0.0 * made if records.has_clock else records.census(admitted, hours) - records.observed(hours)
        causes = {"profile": by_profile, "clock": by_clock, "both": by_profile + by_clock}
        return {cause: 1 - float(((made - of) ** 2).sum() / (made**2).sum()) for cause, of in causes.items()}

    def _moved(self) -> str:
        """How many patients arrive at other hours than planned, in words."""
        arrived, planned = self._hours_of_arrival()
        moved = np.abs(planned - arrived).sum() / 2 / max(arrived.sum(), 1)
        streams = " and ".join(stream.id for stream in self.records.streams)
        return f"{moved:.0%} of the patients of stream {streams} arrive at other hours than in the profile in use"

    def _hours_of_arrival(self) -> tuple[np.ndarray, np.ndarray]:
        """f8[24] each: arrivals by hour since the first forecast, of the ward's streams, and what their profiles make
        of the same arrivals."""
        arrived, planned = np.zeros(HOURS_PER_DAY), np.zeros(HOURS_PER_DAY)
        profiles = self.records.profiles
        for stream in self.records.streams:
            arrivals = self.records.arrivals(stream)
            arrivals = arrivals[arrivals >= self.records.since]
            of_day = np.bincount(arrivals.dt.day_of_week, minlength=7)
            arrived += np.bincount(arrivals.dt.hour, minlength=HOURS_PER_DAY)
            planned += of_day @ profiles[stream.id] / HOURS_PER_DAY
        return arrived, planned

    def weekends(self) -> Iterator[str]:
        """The clock's days of the week, where the forecasts of weekends err."""
        if self.records.has_clock or not self.errors.clear(self.errors.at_weekends):
            return
        error = float(self.errors.at_weekends.mean())
        of_day = np.bincount(self.records.departures.dt.day_of_week, minlength=7) / (self.records.days / 7)
        working, weekend = of_day[:SATURDAY].mean(), of_day[SATURDAY:].mean()
        stay_longer = of_day.mean() - weekend  # patients who are still there after each day of a weekend
        if _makes(-stay_longer, error):
            what = "fewer" if weekend < working else "more"
            yield (
                f"clock: {abs(weekend - working):.1f} {what} patients a day leave at weekends than on working days "
                f"({weekend:.1f}, {working:.1f}), and the twin has no clock there"
            )

    def routes(self) -> Iterator[str]:
        """Other wards from which more or fewer patients come than given routes lead here, where the level errs; learned
        routes follow the patients."""
        level = self.errors.level
        if level is None or self.records.given.config.learns_routes:
            return
        for source, (came, led) in self._transfers().items():
            if _makes((led - came) * self.records.mean_days, level):
                yield f"routes: {came:.1f} patients a day come from {source}, and routing leads {led:.1f} here"

    def _transfers(self) -> dict[str, tuple[float, float]]:
        """By other ward: patients a day who came from there, and how many of those who left it the routes lead here."""
        records, routes = self.records, self.records.given.routes
        here = routes[routes["in_use"] & (routes["next_ward_id"] == records.ward)]
        share = here.set_index(["ward_id", "patient_type"])["probability"].to_dict()
        types = records.given.patients.set_index("patient_id")["patient_type"]
        stays = records.given.ward_stays
        left = stays[(stays["depart"] >= records.since) & stays["next_ward_id"].notna()]
        left = left.assign(patient_type=left["patient_id"].map(types))
        found = {}
        for source, rows in left[left["ward_id"] != records.ward].groupby("ward_id"):
            of_type = rows["patient_type"].value_counts()
            led = sum(share.get((source, patient_type), 0.0) * n for patient_type, n in of_type.items())
            came = int((rows["next_ward_id"] == records.ward).sum())
            found[str(source)] = (came / records.days, led / records.days)
        return found

    def services(self) -> Iterator[str]:
        """Streams that began or ended, where forecasts that could not know it err by their patients."""
        for stream in self.records.streams:
            arrivals = self.records.arrivals(stream)
            if stream.is_forecast and len(arrivals):
                yield from self._opened(stream, arrivals)
                yield from self._closed(stream, arrivals)

    def _opened(self, stream: ArrivalStream, arrivals: pd.Series) -> Iterator[str]:
        first, begun = arrivals.iloc[0], self.records.given.patients["arrival"].min()
        if first - begun < LEARNED_DAYS * _DAY or first < self.records.since - LEARNED_DAYS * _DAY:
            return
        a_day = len(arrivals) / max((self.records.as_of - first) / _DAY, 1.0)
        error = self._error_around(first, -a_day * self.records.mean_days)
        if error is not None:
            yield (
                f"a service that opened: {stream.id} brings {a_day:.1f} patients a day since {first:%Y-%m-%d}, and "
                f"forecasts made before or in the {LEARNED_DAYS} days after are {-error:.1f} too low"
            )

    def _closed(self, stream: ArrivalStream, arrivals: pd.Series) -> Iterator[str]:
        last = arrivals.iloc[-1]
        before = arrivals[arrivals > last - 8 * 7 * _DAY]
        a_day = len(before) / max((last - before.iloc[0]) / _DAY, 1.0)
        silent = (self.records.as_of - last) / _DAY
        if silent < SILENT_DAYS or silent * a_day < SILENT_ARRIVALS:
            return
        error = self._error_around(last, a_day * self.records.mean_days)
        if error is not None:
            yield (
                f"a service that closed: {stream.id} brought {a_day:.1f} patients a day until {last:%Y-%m-%d}, and "
                f"forecasts made before or in the {LEARNED_DAYS} days after are {error:.1f} too high"
            )

    def _error_around(self, change: pd.Timestamp, expected: float) -> float | None:
        """The mean error after a `change` of the forecasts that could not know it; None where it is not the `expected`
        one, or other forecasts err as much."""
        rows = self.errors.rows
        unaware = (rows["origin"] < change + LEARNED_DAYS * _DAY) & (rows["at"] > change)
        if abs(expected) < self.errors.matters or not unaware.any():
            return None
        error, others = rows.loc[unaware, "error"].mean(), rows.loc[~unaware, "error"].mean()
        return float(error) if _makes(expected, error) and not abs(others) > abs(error) / 2 else None


def _makes(expected: float, error: float) -> bool:
    """Whether a cause that makes an `expected` error makes a part of `error`, on the same side."""
    return expected * error > 0 and abs(expected) >= PART * abs(error) and abs(error) >= PART * abs(expected)


def _busiest(departures: pd.Series) -> tuple[int, float]:
    """The first of the six hours in which most beds are left, and the share left in them."""
    by_hour = np.bincount(departures.dt.hour, minlength=HOURS_PER_DAY)
    within = np.convolve(by_hour, np.ones(6), mode="valid")
    return int(within.argmax()), float(within.max() / max(by_hour.sum(), 1))
