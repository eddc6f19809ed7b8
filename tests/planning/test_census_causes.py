"""The likely cause of a biased census: hospitals in which exactly one thing is wrong with what the twin was given.

The actual census is that of simulated records with unlimited beds; what a twin without the cause forecasts is the mean
census of other such records, in which the cause is absent.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.patients.observed_census import instants, observed_census
from kaizar_pipeline.planning.census_causes import Given, in_words, likely_causes

pytestmark = pytest.mark.unit

START = pd.Timestamp("2025-01-06")
DAYS = 420
AS_OF = START + pd.Timedelta(days=DAYS)
ORIGINS = pd.date_range(AS_OF - pd.Timedelta(days=29 * 8), periods=8, freq="29D")
HOURS = (0, 6, 12, 18)
AXIS = {"ed": ["ed"], "icu": ["icu"], "_hospital": ["ed", "icu"]}
BY_DAY = tuple(float(8 <= hour < 18) for hour in range(24))


@dataclass(frozen=True)
class World:
    """Records of the wards ed and icu: patients ask for a bed in ed, and a share of them goes on to icu."""

    by_day: bool = False
    """Patients arrive between 8:00 and 18:00 only."""
    clock: float | None = None
    """Patients leave around this hour of a day."""
    weekends: bool = True
    """False: of those who would leave at a weekend, most leave on Monday."""
    short: bool = False
    """Stays of some hours instead of days."""
    to_icu: float = 0.0
    opened: int | None = None
    """Day on which a second stream to ed begins, None for never."""
    closed: int | None = None
    """Day on which that stream ends, which then began with the records."""

    def records(self, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        rng = np.random.default_rng(seed)
        days, streams = [rng.poisson(10, DAYS)], ["first"]
        if self.opened is not None or self.closed is not None:
            open_then = np.arange(DAYS) >= (self.opened or 0)
            days.append(rng.poisson(10, DAYS) * (open_then & (np.arange(DAYS) < (self.closed or DAYS))))
            streams.append("second")
        day = np.concatenate([np.repeat(np.arange(DAYS), of) for of in days])
        stream = np.repeat(streams, [of.sum() for of in days])
        hour = rng.uniform(8, 18, len(day)) if self.by_day else rng.uniform(0, 24, len(day))
        ed = day * 24 + hour
        left = self.leave(ed, rng)
        on = rng.random(len(day)) < self.to_icu
        icu_left = left + rng.exponential(72, len(day))
        patients = pd.DataFrame({"patient_id": np.arange(len(day)).astype(str), "stream_id": stream})
        patients = patients.assign(
            patient_type="p", arrival=times(ed), departure=times(np.where(on, icu_left, left)), as_of=AS_OF,
            departure_known=True, resolution="second",
        )  # fmt: skip
        first = patients[["patient_id"]].assign(
            ward_id="ed", admit=times(ed), depart=times(left), next_ward_id=np.where(on, "icu", "_home")
        )
        second = patients.loc[on, ["patient_id"]].assign(
            ward_id="icu", admit=times(left[on]), depart=times(icu_left[on]), next_ward_id="_home"
        )
        stays = pd.concat([first, second], ignore_index=True)
        return patients, stays.assign(depart=stays["depart"].where(stays["depart"] < AS_OF))

    def leave(self, admit: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Hours since START at which beds in ed are left."""
        if self.short:
            return admit + rng.exponential(5, len(admit))
        left = admit + rng.exponential(84, len(admit))
        if self.clock is not None:
            left = (left // 24 + 1) * 24 + self.clock + rng.normal(0, 2, len(admit))
        if not self.weekends:
            weekday = left // 24 % 7
            held = (weekday >= 5) & (rng.random(len(admit)) < 0.6)
            left = np.where(held, left + (7 - weekday) * 24, left)
        return left


def times(hours: np.ndarray) -> np.ndarray:
    return START.to_datetime64().astype("datetime64[us]") + np.round(hours * 60).astype("timedelta64[m]")


@dataclass(frozen=True)
class Forecasts:
    """What the twin was given, and what it made of it."""

    truth: World
    believed: World
    hourly_profile: tuple[float, ...] = (1.0,) * 24
    routes: float = 0.0
    clock: bool = False
    seeds: tuple[int, int] = (1, 2)
    hours: tuple[int, ...] = HOURS
    origins: int = len(ORIGINS)

    def causes(self) -> dict[str, list[str]]:
        patients, ward_stays = self.truth.records(self.seeds[0])
        rows = self.rows(patients, ward_stays)
        week = np.ones(168) if not self.clock else np.tile([1.5, 0.5], 84)
        clocks = pd.DataFrame({"ward_id": "ed", "weight": week})
        hours = pd.MultiIndex.from_product(
            [["first", "second"], range(7), range(24)], names=["stream_id", "weekday", "hour"]
        )
        weight = np.tile(self.hourly_profile, 14) / np.mean(self.hourly_profile)
        profile = pd.DataFrame({"weight": weight, "in_use": True}, index=hours).reset_index()
        return likely_causes(Given(self.config(), patients, ward_stays, profile, clocks, self.routing()), rows)

    def rows(self, patients: pd.DataFrame, ward_stays: pd.DataFrame) -> pd.DataFrame:
        """Rows of occupancy_backtest; the mean is that of the same hour of the week in what is believed."""
        actual = observed_census(patients, ward_stays, AXIS, self.hours)
        dreamt = [observed_census(*self.believed.records(self.seeds[1] + n), AXIS, self.hours) for n in range(2)]
        settled = pd.concat(dreamt)
        settled = settled[settled["date"] > START + pd.Timedelta(days=30)]
        slot = ["ward_id", settled["date"].dt.day_of_week.rename("weekday"), "hour"]
        mean = settled.groupby(slot)["actual"].mean().rename("mean").reset_index()
        frames = []
        for origin in ORIGINS[: self.origins]:
            last = origin + pd.Timedelta(days=28)
            ahead = actual[(instants(actual) > origin) & (instants(actual) <= last)]
            frames.append(ahead.assign(origin=origin, lead=(ahead["date"] - origin).dt.days))
        rows = pd.concat(frames, ignore_index=True)
        return rows.assign(weekday=rows["date"].dt.day_of_week).merge(mean, how="left")

    def routing(self) -> pd.DataFrame:
        to = {"icu": self.routes, "_home": 1 - self.routes}
        rows = pd.DataFrame({"next_ward_id": list(to), "probability": list(to.values())})
        return rows.assign(ward_id="ed", patient_type="p", in_use=True)

    def config(self) -> HospitalConfig:
        los = {"type": "exponential", "unit": "days", "params": {"mean": 2.0}}
        stream: dict[str, Any] = {
            "hourly_profile": self.hourly_profile,
            "target_ward": "ed",
            "patient_type": "p",
            "model": {"type": "ml_poisson"},
        }
        return HospitalConfig.model_validate(
            {
                "id": "small",
                "hospital": {"name": "Small", "timezone": "Europe/Amsterdam", "country": "NL"},
                "patients": {
                    "source": "csv", "path": "x.csv", "pseudonym_key": "test",
                    "columns": {"patient_id": "id", "arrival": "a", "departure": "d", "service": "s"},
                    "streams": {"1": "first", "2": "second"},
                },
                "wards": [{"id": ward, "capacity": None, "los_model": los} for ward in ("ed", "icu")],
                "patient_types": [{"id": "p"}, {"id": "other"}],
                "arrival_streams": [
                    {"id": "first", **stream},
                    {"id": "second", **stream},
                    {**stream, "id": "icu_own", "target_ward": "icu", "patient_type": "other"},
                ],
            }
        )  # fmt: skip


def kinds(causes: list[str]) -> list[str]:
    return [cause.split(":")[0] for cause in causes]


@pytest.mark.parametrize("short", [True, False])
def test_patients_who_arrive_by_day_beside_a_flat_profile(short: bool):
    truth = World(by_day=True, short=short)
    causes = Forecasts(truth, replace(truth, by_day=False)).causes()
    assert kinds(causes["ed"]) == ["hours of arrival"]
    assert (
        "58% of the patients of stream first and second arrive at other hours than in the profile in use"
        in causes["ed"][0]
    )


def test_a_profile_that_is_right_is_not_the_cause():
    truth = World(by_day=True, clock=14.5)
    causes = Forecasts(truth, replace(truth, clock=None), hourly_profile=BY_DAY).causes()
    assert kinds(causes["ed"]) == ["clock"]
    assert "of the beds are left between 12:00 and 18:00" in causes["ed"][0]


def test_patients_who_leave_in_the_afternoon_beside_no_clock():
    causes = Forecasts(World(clock=14.5), World()).causes()
    assert kinds(causes["ed"]) == ["clock"]


def test_patients_who_stay_over_the_weekend_beside_no_clock():
    causes = Forecasts(World(weekends=False), World()).causes()
    assert kinds(causes["ed"]) == ["clock"]
    assert "fewer patients a day leave at weekends than on working days" in causes["ed"][0]


def test_a_ward_with_a_clock_has_another_cause():
    assert Forecasts(World(clock=14.5, weekends=False), World(), clock=True).causes()["ed"] == []


def test_hours_of_arrival_and_a_clock_together():
    truth = World(by_day=True, clock=10.5)
    assert kinds(Forecasts(truth, World()).causes()["ed"]) == ["hours of arrival", "clock"]


@pytest.mark.parametrize("routes", [0.0, 0.1])
def test_a_route_that_is_missing_or_too_small(routes: float):
    causes = Forecasts(World(to_icu=0.3), World(to_icu=routes), routes=routes).causes()
    assert causes["ed"] == []
    assert causes["icu"] == [f"routes: 3.1 patients a day come from ed, and routing leads {routes * 10:.1f} here"]


def test_a_service_that_opened():
    day = DAYS - 70
    [cause] = Forecasts(World(opened=day), World()).causes()["ed"]
    opened = START + pd.Timedelta(days=day)
    assert cause.startswith(f"a service that opened: second brings 9.8 patients a day since {opened:%Y-%m-%d}")


def test_a_service_that_closed():
    [cause] = Forecasts(World(closed=DAYS - 40), World(opened=0)).causes()["ed"]
    assert cause.startswith("a service that closed: second brought ")


@pytest.mark.parametrize("seed", range(5))
def test_a_twin_that_is_right_has_no_cause(seed: int):
    truth = World(by_day=True, clock=14.5, weekends=False, to_icu=0.3)
    found = Forecasts(truth, truth, hourly_profile=BY_DAY, routes=0.3, seeds=(seed, seed + 50)).causes()
    assert found == {"ed": [], "icu": []}


def test_midnights_alone_show_all_but_the_hours():
    world, right = World(by_day=True, clock=14.5, weekends=False, to_icu=0.3), World(by_day=True, clock=14.5)
    found = Forecasts(world, right, hours=(0,)).causes()
    assert kinds(found["ed"]) == ["clock"]
    assert "at weekends" in found["ed"][0]
    assert kinds(found["icu"]) == ["routes"]


def test_one_origin_shows_no_cause_that_needs_several():
    assert Forecasts(World(by_day=True, to_icu=0.3), World(), origins=1).causes() == {"ed": [], "icu": []}


def test_nothing_was_forecast():
    given = Forecasts(World(), World())
    patients, ward_stays = World().records(1)
    nothing = given.rows(patients, ward_stays).iloc[:0]
    clocks, profile = pd.DataFrame(columns=["ward_id", "weight"]), pd.DataFrame(columns=["stream_id", "in_use"])
    assert likely_causes(Given(given.config(), patients, ward_stays, profile, clocks, given.routing()), nothing) == {}


def test_the_causes_of_the_hospital_are_those_of_its_wards():
    causes = {"ed": ["clock: a", "routes: b"], "icu": ["clock: c"], "bed": []}
    totals = {"_hospital": ["ed", "icu", "bed"], "beds": ["icu", "bed"]}
    assert in_words(causes, "ed", totals) == "clock: a; routes: b"
    assert in_words(causes, "_hospital", totals) == "see ed, icu"
    assert in_words(causes, "beds", totals) == "see icu"
    assert in_words(causes, "bed", totals) is None
    assert in_words({"bed": []}, "_hospital", totals) is None
