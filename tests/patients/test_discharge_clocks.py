"""Clocks of wards and ways out from the tables of patients and stays, and the lengths of stay that belong to them."""

import heapq
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.patients.care_stays import NextBeds
from kaizar_pipeline.patients.discharge_clocks import Discharges, discharges
from kaizar_pipeline.patients.length_of_stay import lengths_of_stay
from kaizar_pipeline.stats.operational_time import OperationalTime

pytestmark = pytest.mark.unit

START = pd.Timestamp("2024-01-01")  # a Monday
NO_HOLIDAYS = np.zeros(0, dtype="datetime64[D]")
AFTERNOON = [0.05] * 8 + [0.4, 1, 2, 2.5, 2.5, 3, 3, 2.5, 2, 1, 0.5, 0.3, 0.2, 0.05, 0.05, 0.05]
CLOCK = {"hours": AFTERNOON, "weekday": {"Sat": 0.6, "Sun": 0.5}}
WEEK = np.outer([1.0] * 5 + [0.6, 0.5], np.array(AFTERNOON) / np.mean(AFTERNOON))
WEEK = WEEK / WEEK.mean()
WEEKDAYS = np.outer([1.2] * 5 + [0.6, 0.4], np.ones(24))
WEEKDAYS = WEEKDAYS / WEEKDAYS.mean()
FROM_DATA = {"type": "from_data"}
EXPONENTIAL = {"type": "exponential", "params": {"mean": 60.0}}


def hospital(
    wards: Mapping[str, dict[str, Any]], routing: Sequence[dict[str, Any]] = (), **extract: Any
) -> HospitalConfig:
    """Wards by name, each with a stream and a patient type of its own; days without public holidays: country XX."""
    columns = {"patient_id": "id", "arrival": "came", "departure": "went", "service": "unit"}
    moves = {"path": "moves.csv", "columns": {"patient_id": "id", "ward": "where", "admit": "in", "depart": "out"}}
    return HospitalConfig.model_validate(
        {
            "id": "small",
            "hospital": {"name": "Small", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {
                "source": "csv", "path": "extract.csv", "columns": columns, "streams": {ward: ward for ward in wards},
                "stays": moves, "pseudonym_key": "test", **extract,
            },
            "wards": [{"id": ward, "los_model": FROM_DATA, "capacity": None, **keys} for ward, keys in wards.items()],
            "patient_types": [{"id": ward} for ward in wards],
            "arrival_streams": [
                {"id": ward, "target_ward": ward, "patient_type": ward, "model": {"type": "ml_poisson"}}
                for ward in wards
            ],
            "routing": routing,
        }
    )  # fmt: skip


Stay = tuple[Any, ...]


def tables(as_of: pd.Timestamp, *groups: Stay, resolution: str = "second") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Patients and their one stay each, by group: ward, admissions and ends in hours from START, next ward, type."""
    parts = []
    for number, (ward, admit, end, next_ward, kind) in enumerate(groups):
        times = {
            name: START + pd.to_timedelta(np.floor(at * 3600), unit="s")
            for name, at in (("admit", admit), ("end", end))
        }
        frame = pd.DataFrame(times).astype("datetime64[us]").assign(ward=ward, next_ward=next_ward, kind=kind)
        parts.append(frame.assign(patient_id=[f"{number}-{row}" for row in range(len(frame))]))
    stays = pd.concat(parts, ignore_index=True)
    stays = stays[stays["admit"] < as_of].sort_values("admit", ignore_index=True)
    end = stays["end"].where(stays["end"] < as_of)
    patients = pd.DataFrame(
        {
            "patient_id": stays["patient_id"], "stream_id": stays["kind"], "patient_type": stays["kind"],
            "departure_known": True, "resolution": resolution, "as_of": as_of.as_unit("us"),
        }
    )  # fmt: skip
    ward_stays = pd.DataFrame(
        {
            "patient_id": stays["patient_id"], "ward_id": stays["ward"], "planned_ward_id": stays["ward"],
            "admit": stays["admit"], "ready": end, "depart": end,
            "next_ward_id": stays["next_ward"].where(end.notna()), "whole_stay": resolution == "day",
        }
    )  # fmt: skip
    return patients, ward_stays


def leaving(admit: np.ndarray, length: np.ndarray, week: np.ndarray | None, days: int) -> np.ndarray:
    """Ends of stays of so many operational hours."""
    if week is None:
        return admit + length
    weights = OperationalTime(week, NO_HOLIDAYS).weights(START.to_datetime64(), (days + 400) * 24)
    so_far, hours = np.append(0.0, np.cumsum(weights)), np.arange(len(weights) + 1)
    return np.interp(np.interp(admit, hours, so_far) + length, so_far, hours)


def ward(
    name: str, per_day: float, days: int = 365, week: np.ndarray | None = None, seed: int = 1, mean: float = 60.0
) -> Stay:
    rng = np.random.default_rng(seed)
    n = rng.poisson(per_day * days)
    admit = np.sort(rng.uniform(0, days * 24, n))
    return name, admit, leaving(admit, rng.gamma(1.5, mean / 1.5, n), week, days), "_home", name


def after(days: int) -> pd.Timestamp:
    return START + pd.Timedelta(days=days)


def clock(found: Discharges, ward: str, way: str = "home") -> tuple[str, np.ndarray]:
    rows = found.discharge_clocks.query("ward_id == @ward and way == @way")
    assert len(rows) == 168
    (origin,) = rows["origin"].unique()
    week = rows.sort_values(["weekday", "hour"])["weight"].to_numpy().reshape(7, 24)
    assert week.mean() == pytest.approx(1)
    return origin, week


@cache
def learned() -> tuple[pd.DataFrame, pd.DataFrame, HospitalConfig, Discharges]:
    config = hospital({"a": {}})
    patients, stays = tables(after(365), ward("a", 14, week=WEEK))
    return patients, stays, config, discharges(patients, stays, config)


def test_a_clock_is_learned_and_its_way_onward_is_flat():
    origin, week = clock(learned()[3], "a")
    assert origin == "from_data"
    assert np.sqrt(np.mean((week - WEEK) ** 2)) < 0.15
    origin, week = clock(learned()[3], "a", "onward")
    assert (origin, np.ptp(week)) == ("flat", 0)


def test_lengths_are_fitted_on_the_clock_and_told_in_plain_hours():
    patients, stays, config, found = learned()
    row = lengths_of_stay(patients, stays, config, found.discharge_clocks).iloc[-1]
    plain = ((stays["ready"] - stays["admit"]).dt.total_seconds() / 3600).dropna()
    assert row["operational_mean_hours"] == pytest.approx(60, rel=0.03)  # the true mean on the clock
    assert row["distribution"] == "gamma"
    assert row["ks"] < 0.03
    assert row["mean_hours"] == pytest.approx(plain.mean(), rel=0.03)
    assert row["p90_hours"] == pytest.approx(plain.quantile(0.9), rel=0.04)
    assert pd.isna(lengths_of_stay(patients, stays, config)["operational_mean_hours"]).all()


def test_a_configured_clock_stands_as_configured():
    config = hospital({"a": {"discharge_clock": CLOCK, "transfer_clock": "none"}, "b": {"los_model": EXPONENTIAL}})
    found = discharges(*tables(after(365), ward("a", 5), ward("b", 5, week=WEEK)), config)
    assert clock(found, "a")[0] == "configured"
    np.testing.assert_allclose(clock(found, "a")[1], WEEK)
    assert clock(found, "a", "onward")[0] == "flat"
    assert clock(found, "b")[0] == "flat"  # its length of stay is configured
    asked = hospital({"a": {}, "b": {"los_model": EXPONENTIAL, "discharge_clock": "from_data"}})
    assert clock(discharges(*tables(after(365), ward("a", 5), ward("b", 5, week=WEEK)), asked), "b")[0] == "from_data"


def test_a_small_ward_borrows_the_clock_that_all_have():
    config = hospital({"a": {}, "few": {}, "none": {}})
    found = discharges(*tables(after(365), ward("a", 10, week=WEEK), ward("few", 0.15, week=WEEK, seed=2)), config)
    origin, week = clock(found, "few")
    assert origin == "pooled"
    assert np.sqrt(np.mean((week - WEEK) ** 2)) < 0.2
    assert clock(found, "none")[0] == "flat"


def test_small_wards_share_one_that_begins_on_other_days():
    """Forty wards of some 75 stays each, each a day later than the one before."""
    config = hospital({f"w{n}": {} for n in range(40)})
    wards = []
    for n in range(40):
        name, admit, end, *rest = ward(f"w{n}", 0.2, week=WEEK, seed=n)
        late = admit > 24 * n
        wards.append((name, admit[late], end[late], *rest))
    found = discharges(*tables(after(365), *wards), config)
    origins = found.discharge_clocks.query("way == 'home'").drop_duplicates("ward_id")["origin"]
    assert (origins == "pooled").mean() > 0.9
    week = clock(found, "w0")[1]
    assert np.sqrt(np.mean((week - WEEK) ** 2)) < 0.25


def test_a_small_ward_without_a_clock_does_not_borrow_one():
    config = hospital({"a": {}, "few": {}})
    found = discharges(*tables(after(365), ward("a", 10, week=WEEK), ward("few", 0.7, seed=2)), config)
    assert clock(found, "few")[0] == "flat"


@pytest.mark.parametrize("per_day", [0.01, 0.05, 1.0])
def test_too_little_is_no_clock(per_day: float):
    patients, stays = tables(after(100), ward("a", per_day, 100, WEEK, mean=20))
    found = discharges(patients, stays, hospital({"a": {}}))
    assert clock(found, "a")[0] == "flat"
    assert found.day_factors["sd"].tolist() == [0]


def test_a_ward_of_three_weeks_has_no_clock_of_its_own():
    """A clear one counts as that of the hospital."""
    for week, expected in ((None, "flat"), (WEEK, "pooled")):
        found = discharges(*tables(after(21), ward("a", 60, 21, week, mean=20)), hospital({"a": {}}))
        assert clock(found, "a")[0] == expected


def rounded(stay: Stay, unit: float) -> Stay:
    name, admit, end, *rest = stay
    return (name, np.rint(admit / unit) * unit, np.rint(end / unit) * unit, *rest)


@pytest.mark.parametrize("unit", [1.0, 0.5])
@pytest.mark.parametrize("mean", [4.0, 60.0])
def test_rounded_stamps_are_no_clock(unit: float, mean: float):
    found = discharges(*tables(after(365), rounded(ward("a", 14, mean=mean), unit)), hospital({"a": {}}))
    assert clock(found, "a")[0] == "flat"


def test_a_clock_is_found_in_rounded_stamps():
    origin, week = clock(
        discharges(*tables(after(365), rounded(ward("a", 14, week=WEEK), 1.0)), hospital({"a": {}})), "a"
    )
    assert origin == "from_data"
    assert np.sqrt(np.mean((week - WEEK) ** 2)) < 0.3


@pytest.mark.parametrize("hour", [0.0, 23 + 59 / 60])
@pytest.mark.parametrize("week", [None, WEEKDAYS])
def test_one_minute_of_the_day_is_no_hour(hour: float, week: np.ndarray | None):
    name, admit, end, *rest = ward("a", 14, week=week)
    stamped = np.floor(end / 24) * 24 + hour
    end = np.where(stamped > admit, stamped, end)
    found = discharges(*tables(after(365), (name, admit, end, *rest)), hospital({"a": {}}))
    origin, learned = clock(found, "a")
    assert origin == ("flat" if week is None else "from_data")
    assert np.ptp(learned, axis=1).max() == 0
    assert any(f"end at {int(hour):02d}:" in warning and "weekdays only" in warning for warning in found.warnings)
    if week is not None:
        np.testing.assert_allclose(learned[:, 0], WEEKDAYS[:, 0], atol=0.2)


def test_stamps_of_days_tell_weekdays_of_stays_of_some_nights():
    patients, stays = tables(after(365), ward("a", 14, week=WEEKDAYS, mean=120.0), resolution="day")
    config = hospital({"a": {}}, stays=None)
    found = discharges(patients, stays, config)
    origin, week = clock(found, "a")
    assert origin == "from_data"
    np.testing.assert_allclose(week[:, 0], WEEKDAYS[:, 0], atol=0.2)
    row = lengths_of_stay(patients, stays, config, found.discharge_clocks).iloc[-1]
    assert row["operational_mean_hours"] == pytest.approx(120, rel=0.03)


def test_stamps_of_days_of_short_stays_have_no_clock():
    patients, stays = tables(after(365), ward("a", 14, week=WEEKDAYS, mean=20.0), resolution="day")
    assert clock(discharges(patients, stays, hospital({"a": {}}, stays=None)), "a")[0] == "flat"


@cache
def before_a_full_ward() -> tuple[pd.DataFrame, pd.DataFrame, HospitalConfig]:
    """Intensive care of 72 h on average, without a clock, before a ward that is full four hours in ten, with one."""
    rng, days, beds = np.random.default_rng(3), 900, 44
    n = 2000
    arrival = np.sort(rng.uniform(0, days * 24, n))
    care = arrival + rng.lognormal(np.log(72) - 0.25, np.sqrt(0.5), n)
    direct = rng.uniform(0, days * 24, int(5.6 * days))
    requests = sorted([*((at, row) for row, at in enumerate(care)), *((at, -1) for at in direct)])
    weights = OperationalTime(WEEK, NO_HOLIDAYS).weights(START.to_datetime64(), (days + 400) * 24)
    so_far, hours = np.append(0.0, np.cumsum(weights)), np.arange(len(weights) + 1)
    busy: list[float] = []
    given, ends, moved = [], [], np.full(n, np.inf)
    for at, row in requests:
        free = at if len(busy) < beds else max(at, busy[0])
        while busy and busy[0] <= free:
            heapq.heappop(busy)
        end = float(np.interp(np.interp(free, hours, so_far) + rng.gamma(1.5, 80.0), so_far, hours))
        heapq.heappush(busy, end)
        given.append(free)
        ends.append(end)
        if row >= 0:
            moved[row] = free
    icu = ("icu", arrival, moved, "ward", "icu")
    patients, stays = tables(after(days), icu, ("ward", np.array(given), np.array(ends), "_home", "ward"))
    config = hospital(
        {"icu": {}, "ward": {"capacity": beds}},
        [{"from_ward": "icu", "options": [{"to_ward": "ward", "probability": 1}]}],
    )
    return patients, stays, config


class TestWaiting:
    """The wait for a full ward is no part of care."""

    def test_the_true_length_is_recovered_without_a_clock(self):
        patients, stays, config = before_a_full_ward()
        of_icu = stays[stays["ward_id"] == "icu"].dropna()
        assert ((of_icu["ready"] - of_icu["admit"]).dt.total_seconds().mean() / 3600) > 74.5
        found = discharges(patients, stays, config)
        assert clock(found, "icu", "onward")[0] == "flat"
        assert clock(found, "ward")[0] == "from_data"
        lengths = lengths_of_stay(patients, stays, config, found.discharge_clocks)
        icu = lengths[(lengths["ward_id"] == "icu") & lengths["in_use"]]
        assert icu["mean_hours"].to_numpy() == pytest.approx(72, rel=0.03)
        assert icu["n"].iloc[0] < 0.8 * len(of_icu)  # those who left while the ward was full count in part

    def test_a_ward_that_gives_up_its_beds_has_no_waiting_in_it(self):
        patients, stays, config = before_a_full_ward()
        wards = tuple(ward.model_copy(update={"boarding": "release"}) for ward in config.wards)
        lengths = lengths_of_stay(patients, stays, config.model_copy(update={"wards": wards}))
        assert lengths.query("ward_id == 'icu'")["n"].iloc[0] == stays.query("ward_id == 'icu'")["ready"].notna().sum()

    def test_beds_that_are_never_free_tell_nothing(self):
        patients, stays, config = before_a_full_ward()
        wards = tuple(ward.model_copy(update={"capacity": 1}) for ward in config.wards)
        lengths = lengths_of_stay(patients, stays, config.model_copy(update={"wards": wards}))
        assert lengths.query("ward_id == 'icu'")["mean_hours"].iloc[0] > 74.5

    def test_a_closed_ward_has_no_free_bed(self):
        opened, closed = START + pd.Timedelta(days=1), START + pd.Timedelta(days=10)
        config = hospital({"a": {}, "b": {"capacity": 2}})
        closing = config.wards[1].model_copy(update={"opened": opened.date(), "closed": closed.date()})
        config = config.model_copy(update={"wards": (config.wards[0], closing)})
        stays = ("b", np.array([0.0, 30.0]), np.array([20.0, 40.0]), "_home", "b")
        free = NextBeds(config, *tables(after(20), stays)).free("b")
        assert free is not None
        assert list(zip(free.starts[1:], free.ends[1:], strict=True)) == [(opened, closed)]


@cache
def two_ways() -> tuple[pd.DataFrame, Discharges]:
    """A ward with discharges by a clock, after 90 h on it, and transfers without one, after 30 h."""
    rng = np.random.default_rng(8)
    admit = np.sort(rng.uniform(0, 365 * 24, 2500))
    onward = ("a", admit, admit + rng.gamma(2.0, 15.0, 2500), "b", "a")
    patients, stays = tables(after(365), ward("a", 10, week=WEEK, mean=90.0), onward, ward("b", 1, seed=2))
    config = hospital({"a": {}, "b": {}}, [{"from_ward": "a", "options": [{"to_ward": "b", "probability": 0.4}]}])
    found = discharges(patients, stays, config)
    return lengths_of_stay(patients, stays, config, found.discharge_clocks), found


class TestTwoWays:
    """Discharges keep a clock, transfers none: each stay is fitted on the clock of its own way."""

    def test_clocks_by_way(self):
        assert clock(two_ways()[1], "a")[0] == "from_data"
        assert clock(two_ways()[1], "a", "onward")[0] == "flat"

    def test_lengths_by_way(self):
        rows = two_ways()[0].query("ward_id == 'a' and patient_type == 'a'").set_index("next_ward_id")
        assert rows.loc["_home", "operational_mean_hours"] == pytest.approx(90, rel=0.03)
        assert rows.loc["b", "mean_hours"] == pytest.approx(30, rel=0.03)
        assert rows["operational_mean_hours"].isna()["b"]
        assert rows.loc[["_home", "b"], "in_use"].all()
        assert not rows.loc["_any", "in_use"]
        assert rows["operational_mean_hours"].isna()["_any"]
        assert rows.loc["_any", "n"] == rows.loc[["_home", "b"], "n"].sum()

    def test_types_without_stays_have_those_of_the_ward(self):
        rows = two_ways()[0].query("ward_id == 'a'").set_index(["patient_type", "next_ward_id"])
        assert rows.loc[("b", "_home"), "mean_hours"] == pytest.approx(rows.loc[("a", "_home"), "mean_hours"], rel=0.01)
        assert rows.loc[("b", "b"), "in_use"]


def test_nothing_after_as_of_changes_a_clock():
    config = hospital({"a": {}})
    name, admit, end, *rest = ward("a", 10, week=WEEK)
    as_of = after(300)
    known = discharges(*tables(as_of, (name, admit, end, *rest)), config)
    later = np.where(end >= 300 * 24, end + 500, end)
    other = discharges(*tables(as_of, (name, admit, later, *rest)), config)
    pd.testing.assert_frame_equal(known.discharge_clocks, other.discharge_clocks)
    pd.testing.assert_frame_equal(known.day_factors, other.day_factors)


def test_a_configured_clock_in_an_emergency_department_is_warned_of():
    given = {"type": "ED", "discharge_clock": {"weekday": {"Sun": 0.5}}}
    found = discharges(*tables(after(365), ward("a", 14)), hospital({"a": given, "b": {}}))
    assert [warning[:7] for warning in found.warnings] == ["ward a:"]
    assert "emergency department with a configured clock" in found.warnings[0]
