"""Which instant a text means, and what is said of one that means none."""

from datetime import date

import pandas as pd
import pytest

from kaizar_pipeline.config.simulation_settings import Simulation
from kaizar_pipeline.config.snapshot import as_of_at, dates_ahead, full_hours, latest_at
from kaizar_pipeline.errors import ConfigError

pytestmark = pytest.mark.unit

HERE = "Europe/Amsterdam"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (date(2026, 11, 28), "2026-11-28 08:00"),
        ("2026-11-28", "2026-11-28 08:00"),
        ("2026-11-28T00:00", "2026-11-28 00:00"),  # a time that is given comes before the snapshot
        ("2026-11-28T12:00", "2026-11-28 12:00"),
        ("2026-11-28 12:00", "2026-11-28 12:00"),
        (pd.Timestamp("2026-11-28 18:00"), "2026-11-28 18:00"),
        ("2026-10-25T02:00", "2026-10-25 02:00"),  # the clocks show it twice: the first of both
        ("2026-03-29T03:00", "2026-03-29 03:00"),
    ],
)
def test_a_date_is_meant_at_the_hour_of_the_snapshot(value, expected):
    assert as_of_at("as_of", value, "08:00", HERE) == pd.Timestamp(expected)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("tomorrow", "'tomorrow' is neither a date nor a date and full hour; give one such as 2026-11-01"),
        ("2026-13-01", "neither a date"),
        ("2026-11-01T25:00", "neither a date"),
        ("2026-11-01T08:30", "is not a full hour, and the twin counts by the hour; give 2026-11-01T08:00"),
        ("2026-11-01T08:00:00.5", "is not a full hour"),
        ("2026-11-01T08:00+01:00", "has a time zone; give local time without one"),
        ("2026-03-29T02:00", "does not exist in Europe/Amsterdam, where the clocks go forward .* 2026-03-29T03:00"),
    ],
)
def test_what_is_no_such_instant_is_refused(value, words):
    with pytest.raises(ConfigError, match=rf"^--as-of: .*{words}"):
        as_of_at("--as-of", value, "08:00", HERE)


def test_a_date_whose_snapshot_the_clocks_skip_is_refused_and_by_default_left_out():
    with pytest.raises(ConfigError, match="does not exist"):
        as_of_at("as_of", "2026-03-29", "02:00", HERE)
    assert latest_at("02:00", pd.Timestamp("2026-03-29 09:00"), HERE) == pd.Timestamp("2026-03-28 02:00")


def test_the_latest_snapshot_is_never_later():
    eight = pd.Timestamp("2026-11-28 08:00")
    assert latest_at("08:00", eight, HERE) == eight
    assert latest_at("08:00", eight - pd.Timedelta(seconds=1), HERE) == eight - pd.Timedelta(days=1)


@pytest.mark.parametrize(("as_of", "first", "days"), [("2026-11-28", 28, 7), ("2026-11-28 08:00", 28, 8)])
def test_a_day_that_has_begun_comes_before_the_whole_days(as_of, first, days):
    ahead = dates_ahead(pd.Timestamp(as_of), 7)
    assert (ahead[0], len(ahead)) == (pd.Timestamp(f"2026-11-{first}"), days)


@pytest.mark.parametrize("hour", ["8:00", "08:30", "24:00", "08", "8 am"])
def test_a_snapshot_is_a_full_hour(hour):
    with pytest.raises(ValueError, match="allowed: a full hour of the day from 00:00 to 23:00, such as 08:00"):
        Simulation(snapshot=hour)
    with pytest.raises(ConfigError, match=r"^KAIZAR_SCHEDULE_SNAPSHOTS: .*allowed: a full hour"):
        full_hours("KAIZAR_SCHEDULE_SNAPSHOTS", f"00:00, {hour}")
