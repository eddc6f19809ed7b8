"""bed_meeting and ward_outlook: what they gather, from tables written by hand."""

from typing import Any

import pandas as pd
import pytest
from hand_made import make_config

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.levels import Level
from kaizar_pipeline.planning.bed_meeting import bed_meeting, ward_outlook

pytestmark = pytest.mark.unit

AS_OF = pd.Timestamp("2026-04-06 08:00")
ENDS = {"until_next_snapshot": pd.Timestamp("2026-04-07"), "next_24_hours": pd.Timestamp("2026-04-07 08:00")}
BASE: dict[str, Any] = {"hospital_id": "north", "as_of": AS_OF}


@pytest.fixture(scope="module")
def config() -> HospitalConfig:
    made = make_config({"icu": 10, "beds": 20, "open": None})
    levels = (Level(name="green", share=0.0, wards=("icu",)), Level(name="red", share=0.8, wards=("icu",)))
    return made.model_copy(update={"levels": levels, "groups": {"small": ("icu", "beds")}})


def wards(**values: Any) -> pd.DataFrame:
    """A row for each ward, its group and the hospital; `values` have a value each, or one for all."""
    names = ["icu", "beds", "open", "small", "_hospital"]
    return pd.DataFrame({"ward_id": names, **BASE, **values}).convert_dtypes()


@pytest.fixture(scope="module")
def meeting(config: HospitalConfig) -> dict[tuple[str, str], dict[str, Any]]:
    flows = {
        "arrivals": 3.0,
        "transfers_in": 1.5,
        "transfers_out": 0.5,
        "discharges": 2.0,
        "net": 2.0,
        "turned_away": 9.0,
    }
    flow_rows = pd.concat(
        wards(window=window, ends=end, flow=flow, urgency="_all", mean=mean, p10=-1, p90=6)
        for window, end in ENDS.items()
        for flow, mean in flows.items()
    )
    planned = wards(window="next_24_hours", ends=AS_OF, flow="arrivals", urgency="planned", mean=100.0, p10=0, p90=0)
    days = pd.concat(
        wards(date=date, kind=["ward"] * 3 + ["group", "hospital"], beds_70=beds, beds_90=beds + 2)
        for date, beds in ((AS_OF.normalize(), 11), (ENDS["until_next_snapshot"], 99))
    )
    census = pd.concat(
        wards(at=at, staffed_beds=[10, 18, None, 28, None], p10=7, p50=9, p90=11) for at in (AS_OF, *ENDS.values())
    )
    now = wards(staffed_beds=[10, 20, None, 30, None], in_beds=[8, 19, 4, 27, 31], waiting=[1, 0, 0, 1, 1])
    table = bed_meeting(config, now, pd.concat([flow_rows, planned]), days, census)
    return {(row["ward_id"], row["window"]): row for row in rows_of(table)}


def test_what_comes_and_goes_adds_up_and_other_rows_are_not_counted(meeting: dict[tuple[str, str], dict[str, Any]]):
    assert len(meeting) == 10
    row = meeting["icu", "next_24_hours"]
    assert (row["expected_in"], row["expected_out"], row["expected_net"]) == (4.5, 2.5, 2.0)
    assert (row["net_p10"], row["net_p90"], row["ends"]) == (-1, 6, ENDS["next_24_hours"])


def test_free_beds_are_those_staffed_at_the_end_less_the_census_then(meeting: dict[tuple[str, str], dict[str, Any]]):
    row = meeting["beds", "until_next_snapshot"]
    assert (row["staffed_beds"], row["in_beds"], row["free_now"]) == (20, 19, 1)
    assert (row["staffed_at_end"], row["free_p10"], row["free_p50"], row["free_p90"]) == (18, 7, 9, 11)
    assert (row["beds_70"], row["beds_90"]) == (11, 13)  # of the date of as_of
    unlimited = meeting["open", "next_24_hours"]
    assert {unlimited[name] for name in ("staffed_beds", "free_now", "free_p10", "free_p50", "free_p90")} == {None}


def test_the_level_now_is_the_highest_that_the_patients_in_bed_reach(meeting: dict[tuple[str, str], dict[str, Any]]):
    assert {ward: row["level_now"] for (ward, _), row in meeting.items()} == {
        "icu": "red", "beds": None, "open": None, "small": None, "_hospital": None,
    }  # fmt: skip


def rows_of(table: pd.DataFrame) -> list[dict[Any, Any]]:
    """The rows, with None for null."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def outlook(config: HospitalConfig, chances: dict[str, list[float | None]], **cells: Any) -> dict[str, dict[Any, Any]]:
    """The outlook of wards with these chances of being full on the days from that of as_of on."""
    first = {"kind": "ward", "hours": 24, "staffed_fewest": 9, "staffed_most": 10, "full_now": False} | cells
    days = pd.concat(
        pd.DataFrame({"ward_id": ward, **BASE, **first, "prob_full_day": some, "prob_full_day_se": 0.01}).assign(
            date=pd.date_range(AS_OF.normalize(), periods=len(some), unit="us"),
            prob_full_day=lambda t: t["prob_full_day"].astype(float),
        )
        for ward, some in chances.items()
    )
    days.loc[days["date"] == AS_OF.normalize(), "hours"] = 16
    weeks = pd.DataFrame({"ward_id": list(chances), "week": 1, "share_of_hours_full": 0.25})
    weeks["full_days"] = [sum(chance or 0 for chance in some[:7]) for some in chances.values()]
    enough = pd.DataFrame({"ward_id": list(chances), "risk_target": 0.1, "enough_beds": 12, "staffed_beds": 9})
    variances = {"routing": 3.0, "length_of_stay": 5.0, "day_factor": -9.0, "monte_carlo": 50.0}
    drivers = pd.DataFrame(
        [
            {"ward_id": ward, "date": date, "driver": driver, "variance": variance if date < AS_OF else 0.0}
            for ward in chances for date in days["date"].unique() for driver, variance in variances.items()
        ]
    )  # fmt: skip
    return {row["ward_id"]: row for row in rows_of(ward_outlook(config, days, weeks, enough, drivers))}


def test_days_are_counted_by_what_they_are_in_words_and_named(config: HospitalConfig):
    icu = outlook(config, {"icu": [0.2, 0.5, 0.7, 0.95, 0.68, 0.4, 0.05, 1.0]})["icu"]
    assert (icu["days"], icu["likely_days"], icu["about_even_days"], icu["state"]) == (7, 3, 2, "likely")
    assert (icu["worst_date"], icu["worst_prob"]) == (pd.Timestamp("2026-04-09"), 0.95)  # the eighth day does not count
    assert (icu["easiest_date"], icu["easiest_prob"]) == (pd.Timestamp("2026-04-12"), 0.05)
    assert (icu["enough_beds"], icu["beds_short"], icu["hours_full_per_day"]) == (12, 3, 6.0)


def test_where_a_ward_is_full_now_the_worst_day_is_one_of_those_after(config: HospitalConfig):
    assert outlook(config, {"icu": [1.0, 0.5]}, full_now=True)["icu"]["worst_prob"] == 0.5
    assert outlook(config, {"icu": [1.0]}, full_now=True)["icu"]["worst_prob"] == 1.0  # there is none


def test_the_worst_ward_has_most_likely_days_and_then_most_full_ones(config: HospitalConfig):
    found = outlook(config, {"icu": [0.9, 0.0, 0.0], "beds": [0.9, 0.3, 0.3], "open": [None, None, None]})
    assert {ward: row["rank"] for ward, row in found.items()} == {"icu": 2, "beds": 1, "open": 3}
    assert {ward: row["state"] for ward, row in found.items()} == {"icu": "likely", "beds": "likely", "open": "unknown"}
    assert {found["open"][name] for name in ("likely_days", "worst_date", "easiest_prob")} == {None}


def test_a_hospital_of_unlimited_beds_has_an_outlook_without_chances(config: HospitalConfig):
    found = outlook(config, {"open": [None, None]}, staffed_fewest=None, staffed_most=None, full_now=None)
    assert found["open"]["state"] == "unknown"
    nulls = ("likely_days", "about_even_days", "worst_date", "worst_prob", "staffed_fewest")
    assert {found["open"][name] for name in nulls} == {None}


def test_the_main_driver_is_the_largest_part_that_is_not_noise(config: HospitalConfig):
    icu = outlook(config, {"icu": [0.9, 0.0]})["icu"]
    assert (icu["driver"], icu["driver_share"]) == ("length_of_stay", 5 / 8)


def test_a_group_counts_its_wards_on_the_next_whole_day(config: HospitalConfig):
    rows = {"icu": [1.0, 0.8], "beds": [1.0, 0.5], "open": [None, None], "small": [1.0, 0.1], "_hospital": [None, None]}
    found = outlook(config, rows, full_now=True)
    names = ("members", "members_full_now", "members_likely", "members_about_even")
    counted = {ward: [row[name] for name in names] for ward, row in found.items()}
    assert counted["small"] == [2, 2, 1, 1]
    assert counted["_hospital"] == [2, 2, 1, 1]
    assert counted["open"] == [0, 0, 0, 0]  # unlimited: neither full nor likely to be
