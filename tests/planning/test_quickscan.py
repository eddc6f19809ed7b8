"""Beds against risk from the past: exact on stays made by hand, Poisson where theory says so."""

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline import DataError, load_hospital_config, quickscan
from kaizar_pipeline.planning.quickscan import scan_stays
from kaizar_pipeline.verification.queueing import poisson_quantile

AS_OF = pd.Timestamp("2026-03-02")


def history_of(stays: list[tuple[str, str, str | None, str | None, str | None, str | None, str | None]]):
    """Patients and ward stays from (patient, planned ward, request, admit, ready, depart, next ward)."""
    names = ["patient_id", "planned_ward_id", "request", "admit", "ready", "depart", "next_ward_id"]
    frame = pd.DataFrame(stays, columns=names)
    for name in ("request", "admit", "ready", "depart"):
        frame[name] = pd.to_datetime(frame[name])
    patients = pd.DataFrame({"patient_id": frame["patient_id"].unique()})
    return patients.assign(departure_known=True, outcome="admitted"), frame


@pytest.fixture
def daily():
    """One patient in `w` every day from 6:00 to 18:00 for ten weeks, and two more on Sundays from 17:00 to 20:00."""
    stays = []
    for day in pd.date_range(AS_OF - pd.Timedelta(weeks=10), AS_OF, inclusive="left"):
        for n, (first, last) in enumerate([(6, 18)] + [(17, 20)] * 2 * (day.day_of_week == 6)):
            start, end = (str(day + pd.Timedelta(hours=hour)) for hour in (first, last))
            stays.append((f"{day:%j}-{n}", "w", start, start, end, end, "_home"))
    return stays


@pytest.mark.unit
def test_by_hand(daily):
    table = scan_stays(*history_of(daily), ["w", "v"], AS_OF, 0.1)
    w, v, house = (table[table["ward_id"] == name] for name in ("w", "v", "_hospital"))
    # six days in seven need one bed, Sundays three (one from 6 to 18, two from 17 to 20)
    assert w["beds"].tolist() == [0, 1, 2, 3]
    assert w["covered_share"].tolist() == pytest.approx([0, 6 / 7, 6 / 7, 1])
    assert w["enough"].tolist() == [False, False, False, True]
    assert [set(rows["enough_beds"]) for rows in (w, house, v)] == [{3}, {3}, {0}]
    assert set(scan_stays(*history_of(daily), ["w"], AS_OF, 0.2)["enough_beds"]) == {1}


@pytest.mark.unit
def test_waiting_and_boarding_are_taken_out(daily):
    late = str(AS_OF - pd.Timedelta(days=2) + pd.Timedelta(hours=1))
    boarded = str(AS_OF - pd.Timedelta(days=1))
    # asked at 1:00 two days ago, got the bed a day later, needed it for an hour, and boarded until midnight
    admit = str(pd.Timestamp(late) + pd.Timedelta(hours=20))
    ready = str(pd.Timestamp(admit) + pd.Timedelta(hours=1))
    more = [
        ("x", "v", late, admit, ready, boarded, "w"),
        ("x", "w", ready, None, None, None, None),
    ]
    table = scan_stays(*history_of([*daily, *more]), ["w", "v"], AS_OF, 0.0)
    v = table[table["ward_id"] == "v"].set_index("beds")["covered_share"]
    assert v.to_dict() == pytest.approx({0: 1 - 1 / 63, 1: 1})  # one day of nine weeks
    assert table["enough_beds"].isna().all()


@pytest.mark.unit
def test_too_little_history_is_refused(daily):
    first = (AS_OF - pd.Timedelta(weeks=3)).isoformat(" ")
    short = [stay for stay in daily if str(stay[2]) >= first]
    with pytest.raises(DataError, match=r"leave 2 whole weeks to look at .*, at least 4 are needed"):
        scan_stays(*history_of(short), ["w"], AS_OF, 0.1)
    patients, stays = history_of(daily)
    with pytest.raises(DataError, match="no stays"):
        scan_stays(patients, stays.iloc[:0], ["w"], AS_OF, 0.1)


@pytest.mark.integration
def test_a_poisson_census_needs_poisson_beds():
    generator, days = np.random.default_rng(3), pd.date_range(AS_OF - pd.Timedelta(weeks=54), AS_OF, inclusive="left")
    # all come in the first hour and stay half a day, so that a day's highest census is its number of arrivals
    stays = []
    for day in days:
        start, end = str(day + pd.Timedelta(hours=1)), str(day + pd.Timedelta(hours=12))
        stays += [(f"{day:%Y%j}-{n}", "w", start, start, end, end, "_home") for n in range(generator.poisson(8))]
    table = scan_stays(*history_of(stays), ["w"], AS_OF, 0.05)
    row = table[table["ward_id"] == "w"].iloc[0]
    assert row["enough_low"] <= poisson_quantile(0.95, 8) <= row["enough_high"]


@pytest.mark.integration
def test_from_a_hospital_file(repository):
    config = load_hospital_config(repository / "hospital_configs" / "hospital_2.yml")
    table = quickscan(config, home=repository, risk=0.05)
    assert set(table["ward_id"]) == {*config.ward_ids, "_hospital"}
    assert (table.groupby("ward_id")["covered_share"].max() == 1).all()
    fewest = table.groupby("ward_id")["enough_beds"].first()
    assert fewest["_hospital"] < fewest.drop("_hospital").sum()  # peaks do not coincide


@pytest.mark.unit
def test_who_is_in_bed_tonight_is_counted_until_then(daily):
    # asked four days ago, waited two, in bed since: needed from the request on, and still
    asked, admit = (str(AS_OF - pd.Timedelta(days=days)) for days in (4, 2))
    table = scan_stays(*history_of([*daily, ("x", "v", asked, admit, None, None, None)]), ["v"], AS_OF, 0.1)
    covered = table[table["ward_id"] == "v"].set_index("beds")["covered_share"]
    assert covered[0] == pytest.approx(1 - 4 / 63)  # four days of nine weeks


@pytest.mark.unit
@pytest.mark.parametrize("risk", [-0.1, 0.6, 1.5])
def test_a_risk_is_a_share_of_days(daily, risk):
    with pytest.raises(DataError, match=r"allowed: 0 to 0\.5"):
        scan_stays(*history_of(daily), ["w"], AS_OF, risk)
