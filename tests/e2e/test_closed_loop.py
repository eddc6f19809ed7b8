"""The closed loop: a hospital with a known truth -> its history as an extract -> everything learned -> the truth again.

Several wards with too few beds, patients who board, clocks, routes, good and bad days, and a service that has just
opened: wards by themselves with unlimited beds would not show wrong physics.
"""

import numpy as np
import pandas as pd
import pytest

from benchmarks.round_trip import AS_OF, BY_DAY, learned_from, mean_census, tables_of, truth
from kaizar_pipeline import HospitalConfig, StartingTables
from kaizar_pipeline.config.discharges import Clock
from kaizar_pipeline.history.synthetic import under_truth

pytestmark = pytest.mark.e2e

Learned = tuple[HospitalConfig, StartingTables]

CLOCK = {"hours": list(BY_DAY), "weekday": {"Sat": 0.6, "Sun": 0.6}}
TO_WARD, TO_ICU, ICU_HOURS, WARD_DAYS, ED_HOURS = 0.3, 0.1, 60.0, 4.0, 5.0


@pytest.fixture(scope="module")
def hospital() -> HospitalConfig:
    ward_los = {"type": "lognormal", "unit": "days", "params": {"mean": WARD_DAYS, "sd": 3}}
    return truth(
        [
            {"id": "ed", "type": "ED", "capacity": 12, "los": {"type": "gamma", "params": {"mean": ED_HOURS, "sd": 3}}},
            {"id": "icu", "capacity": 10, "los": {"type": "exponential", "params": {"mean": ICU_HOURS}}},
            {"id": "ward", "capacity": 66, "los": ward_los, "discharge_clock": CLOCK,
             "day_factor": {"sd": 0.3, "autocorrelation": 0.5}},
            {"id": "clinic", "capacity": None, "los": {"type": "exponential", "params": {"mean": 8}}},
        ],
        [
            {"id": "walk_in", "target_ward": "ed", "mean_per_day": 30, "forecast": True},
            {"id": "planned", "target_ward": "ward", "mean_per_day": 4, "patient_type": "planned"},
            {"id": "new", "target_ward": "clinic", "mean_per_day": 12, "forecast": True, "patient_type": "new",
             "opened": AS_OF - pd.Timedelta(days=40)},
        ],
        routing=[
            {"from_ward": "ed", "patient_type": "patient",
             "options": [{"to_ward": "ward", "probability": TO_WARD}, {"to_ward": "icu", "probability": TO_ICU}]},
            {"from_ward": "icu", "options": [{"to_ward": "ward", "probability": 1.0}]},
        ],
        simulation={"overload": "allow", "horizon_days": 28},
    )  # fmt: skip


@pytest.fixture(scope="module")
def learned(hospital: HospitalConfig, tmp_path_factory: pytest.TempPathFactory) -> Learned:
    folder = tmp_path_factory.mktemp("extract")
    config = learned_from(hospital, AS_OF, folder, routing="from_data")
    return config, tables_of(config, AS_OF, folder)


def table(learned: Learned, name: str) -> pd.DataFrame:
    found = getattr(learned[1], name)
    assert isinstance(found, pd.DataFrame)
    return found


def week(rows: pd.DataFrame, ward: str, way: str) -> np.ndarray:
    chosen = rows[(rows["ward_id"] == ward) & (rows["way"] == way)].sort_values(["weekday", "hour"])
    return chosen["weight"].to_numpy().reshape(7, 24)


def test_clocks_are_found_where_they_are_and_nowhere_else(learned: Learned):
    clocks = table(learned, "discharge_clocks")
    origins = clocks.groupby(["ward_id", "way"])["origin"].first()
    assert origins["ward", "home"] == "from_data"
    others = origins.drop(("ward", "home"))
    assert set(others) == {"flat"}
    true = Clock(**CLOCK).week
    error = np.abs(week(clocks, "ward", "home") - true)
    assert error.mean() < 0.12  # 60 departures in each hour of working days: a relative error of an eighth
    assert week(clocks, "ward", "home").sum(axis=1) == pytest.approx(true.sum(axis=1), rel=0.1)


def test_care_is_told_from_waiting(learned: Learned):
    rows = table(learned, "length_of_stay")
    used = rows[rows["in_use"] & (rows["patient_type"] != "planned")]
    weighted = used.assign(total=used["mean_hours"] * used["n"]).groupby("ward_id")[["total", "n"]].sum()
    mean = weighted["total"] / weighted["n"]
    assert mean["icu"] == pytest.approx(ICU_HOURS, rel=0.06)  # 2,500 stays, of which a fifth cannot be seen to end
    assert mean["ed"] == pytest.approx(ED_HOURS, rel=0.04)
    assert mean["ward"] == pytest.approx(24 * WARD_DAYS, rel=0.04)
    assert mean["clinic"] == pytest.approx(8, rel=0.12)  # 480 stays


def test_routes_are_found(learned: Learned):
    rows = table(learned, "routes")
    shares = rows[rows["in_use"]].set_index(["ward_id", "patient_type", "next_ward_id"])["probability"]
    assert shares["ed", "patient", "icu"] == pytest.approx(TO_ICU, abs=0.008)  # 25,000 patients: 4 standard errors
    assert shares["ed", "patient", "ward"] == pytest.approx(TO_WARD, abs=0.012)
    assert shares["icu", "patient", "ward"] == pytest.approx(1, abs=0.01)
    assert shares["ward", "planned", "_home"] == pytest.approx(1, abs=0.01)


def test_good_and_bad_days_are_found(learned: Learned):
    factors = table(learned, "day_factors").set_index("ward_id")
    assert factors.loc["ward", "sd"] == pytest.approx(0.3, abs=0.08)
    assert factors.loc["ward", "autocorrelation"] == pytest.approx(0.5, abs=0.3)
    assert (factors.loc[["ed", "icu", "clinic"], "sd"] == 0).all()


def test_a_service_that_has_just_opened_is_forecast_at_its_rate(learned: Learned):
    rates = table(learned, "arrival_rates")
    mean = rates[rates["path"] == 0].groupby("stream_id")["mean_rate"].mean()
    assert mean["new"] == pytest.approx(12, rel=0.15)
    assert mean["walk_in"] == pytest.approx(30, rel=0.08)


def test_the_census_is_that_of_the_true_hospital(hospital: HospitalConfig, learned: Learned):
    config, tables = learned
    nothing = StartingTables(tables.arrival_rates, starting_census=tables.starting_census)
    found, true = mean_census(config, tables, 60), mean_census(under_truth(hospital), nothing, 60)
    for ward in config.ward_ids:
        assert found[ward][14 * 24 :].mean() == pytest.approx(true[ward][14 * 24 :].mean(), rel=0.06), ward
    by_hour = found["ward"].reshape(-1, 24)[14:].mean(axis=0), true["ward"].reshape(-1, 24)[14:].mean(axis=0)
    assert np.ptp(by_hour[0] - by_hour[1]) < 0.03 * by_hour[1].mean()
