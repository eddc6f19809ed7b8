"""Daily arrivals: complete days, zeros, outages, and unknown outcomes."""

import pandas as pd
import pytest

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.daily_arrivals import arrivals_per_day

pytestmark = pytest.mark.unit


def requests(counts: dict[str, int], as_of: str, stream: str = "emergency", outcome: str = "admitted") -> pd.DataFrame:
    """On each day of `counts`, so many patients who arrive at noon."""
    arrivals = [pd.Timestamp(day) + pd.Timedelta(hours=12) for day, n in counts.items() for _ in range(n)]
    frame = pd.DataFrame({"arrival": pd.Series(arrivals, dtype="datetime64[us]")})
    return frame.assign(stream_id=stream, outcome=outcome, as_of=pd.Timestamp(as_of).as_unit("us"))


def test_every_stream_has_every_complete_day(hospital):
    patients = requests({"2024-06-01": 2, "2024-06-04": 1}, "2024-06-06")
    daily = arrivals_per_day(patients, hospital())
    assert daily["date"].nunique() == 5
    assert len(daily) == 10
    emergency = daily[daily["stream_id"] == "emergency"]
    assert emergency["arrivals"].tolist() == [2, 0, 0, 1, 0]
    assert daily.loc[daily["stream_id"] == "elective", "arrivals"].sum() == 0
    assert daily["observed"].all()


def test_without_an_outcome_turned_away_is_null(hospital):
    daily = arrivals_per_day(requests({"2024-06-01": 2}, "2024-06-03"), hospital())
    assert daily["admitted"].isna().all()
    assert daily["turned_away"].isna().all()
    assert not daily["demand_observed"].any()


def test_with_an_outcome_requests_add_up(hospital):
    columns = {"patient_id": "id", "arrival": "came", "departure": "went", "service": "unit", "outcome": "fate"}
    outcomes = ["admitted", "admitted", "diverted", "left", "waiting"]
    patients = pd.concat([requests({"2024-06-01": 1}, "2024-06-03", outcome=outcome) for outcome in outcomes])
    day = arrivals_per_day(patients, hospital(columns=columns)).query("stream_id == 'emergency'").iloc[0]
    assert (day["arrivals"], day["admitted"], day["turned_away"]) == (5, 2, 2)
    assert day["demand_observed"]


def test_an_empty_day_is_an_outage_when_that_weekday_has_five_requests_on_average(hospital):
    mondays = pd.date_range("2024-01-01", periods=12, freq="7D")
    usual = [100, 100, 0, 5, 5, 5, 5, 5, 5, 5, 5]  # the last eight before the twelfth: exactly 5 on average
    counts = {f"{day:%Y-%m-%d}": n for day, n in zip(mondays, usual, strict=False)}
    daily = arrivals_per_day(requests(counts, "2024-03-19"), hospital())
    outages = daily.loc[~daily["observed"], "date"].unique()
    assert list(outages) == [pd.Timestamp("2024-01-15"), pd.Timestamp("2024-03-18")]  # two streams, one outage each
    one_fewer = counts | {f"{mondays[10]:%Y-%m-%d}": 4}
    quiet = arrivals_per_day(requests(one_fewer, "2024-03-19"), hospital())
    assert list(quiet.loc[~quiet["observed"], "date"].unique()) == [pd.Timestamp("2024-01-15")]


def test_a_day_with_a_request_in_any_stream_is_observed(hospital):
    days = {f"{day:%Y-%m-%d}": 9 for day in pd.date_range("2024-01-01", periods=60)}
    busy = requests(days | {"2024-02-20": 0}, "2024-03-01")
    one = requests({"2024-02-20": 1}, "2024-03-01", stream="elective")
    assert arrivals_per_day(pd.concat([busy, one]), hospital())["observed"].all()
    assert (~arrivals_per_day(busy, hospital())["observed"]).sum() == 2


def two_streams(skipped: list[str], mean: int = 12, as_of: str = "2024-03-01") -> pd.DataFrame:
    """A stream that is busy but for the days `skipped`, beside one with a request a day."""
    days = [f"{day:%Y-%m-%d}" for day in pd.date_range("2023-12-01", as_of, inclusive="left")]
    busy = requests({day: 0 if day in skipped else mean for day in days}, as_of)
    return pd.concat([busy, requests(dict.fromkeys(days, 1), as_of, stream="elective")])


def not_observed(patients: pd.DataFrame, config) -> list[str]:
    rows = arrivals_per_day(patients, config)
    return [
        f"{stream} {date:%Y-%m-%d}" for stream, date in rows.loc[~rows["observed"], ["stream_id", "date"]].to_numpy()
    ]


def test_one_stream_may_be_out_while_the_other_is_not(hospital):
    assert not_observed(two_streams(["2024-02-20"]), hospital()) == ["emergency 2024-02-20"]
    assert not_observed(two_streams(["2024-02-20"], mean=9), hospital()) == []  # it may well have been a quiet day
    assert not_observed(two_streams(["2023-12-15"]), hospital()) == []  # two such weekdays known, four are needed


def test_a_stream_that_rests_on_holidays_or_every_other_week_is_not_out(hospital):
    assert not_observed(two_streams(["2023-12-25", "2023-12-29", "2024-01-01"]), hospital()) == []
    alternate = [f"{day:%Y-%m-%d}" for day in pd.date_range("2023-12-05", "2024-02-27", freq="14D")]
    assert not_observed(two_streams(alternate, mean=30), hospital()) == []


def test_from_the_fourth_week_on_the_days_of_a_silent_stream_are_zeros(hospital):
    silent = [f"{day:%Y-%m-%d}" for day in pd.date_range("2024-02-05", "2024-02-29")]
    found = not_observed(two_streams(silent, mean=20), hospital())
    assert found == [f"emergency {day:%Y-%m-%d}" for day in pd.date_range("2024-02-05", "2024-02-25")]


def test_days_before_an_opening_are_not_observed(hospital):
    days = {f"{day:%Y-%m-%d}": 2 for day in pd.date_range("2024-01-01", periods=60)}
    new = requests(dict.fromkeys(list(days)[50:], 3), "2024-03-01", stream="elective")
    rows = arrivals_per_day(pd.concat([requests(days, "2024-03-01"), new]), hospital())
    assert rows[rows["stream_id"] == "elective"].sort_values("date")["observed"].tolist() == [False] * 50 + [True] * 10
    assert rows.loc[rows["stream_id"] == "emergency", "observed"].all()


def test_no_patients_is_an_error(hospital):
    with pytest.raises(DataError, match="no patient before as_of"):
        arrivals_per_day(requests({}, "2024-06-01"), hospital())
