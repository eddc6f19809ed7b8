"""A synthetic history only grows: that up to tomorrow is that up to today plus a day."""

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.history.synthetic import simulate_history, true_rates
from kaizar_pipeline.patients.arrival_profile import hours_of_arrival
from kaizar_pipeline.patients.routes import routes_taken

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def hospital() -> HospitalConfig:
    los = {"type": "lognormal", "unit": "days", "params": {"mean": 2, "sd": 2}}
    truth = {
        "mean_per_day": 8,
        "weekday": {"Sat": 0.5, "Sun": 0.5},
        "yearly_amplitude": 0.1,
        "holiday_factor": 0.5,
        "drift_sd": 0.2,
        "overdispersion": 0.05,
    }
    leaving = {
        "discharge_clocks": {"a": {"hours": [0.1] * 8 + [1] * 16, "weekday": {"Sun": 0.5}}},
        "transfer_clocks": {"ed": {"weekday": {"Sat": 0.3}}},
        "day_factors": {"a": {"sd": 0.3, "autocorrelation": 0.5}},
    }
    patients = {"source": "synthetic", "history_start": "2025-01-01", "truth": {"streams": {"s": truth}, **leaving}}
    return HospitalConfig.model_validate(
        {
            "id": "synthetic",
            "hospital": {"name": "Synthetic", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": patients,
            "wards": [
                {"id": "ed", "capacity": 4, "los_model": {"type": "exponential", "params": {"mean": 3}}},
                {"id": "a", "capacity": 8, "los_model": los},
            ],
            "patient_types": [{"id": "p", "patience": {"type": "exponential", "params": {"mean": 4}}}],
            "arrival_streams": [{"id": "s", "target_ward": "ed", "patient_type": "p", "model": {"type": "ml_poisson"}}],
            "routing": [{"from_ward": "ed", "options": [{"to_ward": "a", "probability": 0.5}]}],
        }
    )


def cut(patients: pd.DataFrame, stays: pd.DataFrame, as_of: pd.Timestamp) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The part that was known at `as_of`."""
    patients = patients[patients["arrival"] < as_of].assign(as_of=as_of)
    patients["departure"] = patients["departure"].where(patients["departure"] < as_of)
    stays = stays[stays["request"] < as_of].assign(as_of=as_of)
    for column in ("admit", "ready", "depart"):
        stays[column] = stays[column].where(stays[column] < as_of)
    return patients.reset_index(drop=True), stays.reset_index(drop=True)


def test_history_up_to_today_equals_history_up_to_tomorrow_cut_at_today(hospital):
    for day in ("2025-02-14", "2025-06-01", "2025-06-01 08:00"):
        today = pd.Timestamp(day)
        tomorrow = today.normalize() + pd.Timedelta(days=1)
        patients, stays = simulate_history(hospital, today)
        cut_patients, cut_stays = cut(*simulate_history(hospital, tomorrow), today)
        columns = ["patient_id", "stream_id", "patient_type", "arrival", "departure"]
        pd.testing.assert_frame_equal(patients[columns], cut_patients[columns])
        columns = ["patient_id", "stay_no", "planned_ward_id", "request", "admit", "ready", "depart"]
        pd.testing.assert_frame_equal(stays[columns], cut_stays[columns])


def test_no_time_is_at_or_after_as_of(hospital):
    for as_of in (pd.Timestamp("2025-03-01"), pd.Timestamp("2025-03-01 17:00")):
        patients, stays = simulate_history(hospital, as_of)
        times = [
            *(patients[c] for c in ("arrival", "departure")),
            *(stays[c] for c in ("request", "admit", "ready", "depart")),
        ]
        assert all(column.max() < as_of for column in times)


def test_every_patient_is_present_departed_or_turned_away(hospital):
    patients, stays = simulate_history(hospital, pd.Timestamp("2025-06-01"))
    departed = patients["departure"].notna()
    present = patients["outcome"].isin(["admitted", "waiting"]) & ~departed
    turned_away = patients["outcome"].isin(["diverted", "left"])
    assert len(patients) == departed.sum() + present.sum() + turned_away.sum()
    last = stays.groupby("patient_id").last()
    assert set(last.index[last["next_ward_id"] == "_home"]) == set(patients.loc[departed, "patient_id"])


def test_the_simulation_seed_leaves_the_past_as_it_is(hospital):
    other = hospital.model_copy(update={"simulation": hospital.simulation.model_copy(update={"seed": 7})})
    as_of = pd.Timestamp("2025-02-01")
    pd.testing.assert_frame_equal(simulate_history(hospital, as_of)[0], simulate_history(other, as_of)[0])


def test_rates_follow_the_truth(hospital):
    dates = pd.date_range("2025-01-01", "2025-12-31")
    rates = pd.Series(true_rates(hospital, hospital.arrival_streams[0], dates), dates)
    by_weekday = rates.groupby(dates.day_of_week).mean()
    assert by_weekday[5:].mean() / by_weekday[:5].mean() == pytest.approx(0.5, abs=0.06)
    assert rates["2025-12-25"] < rates["2025-12-18"]


def test_true_routes_are_learned_back(hospital):
    data = hospital.model_dump(mode="json")
    data["routing"] = "from_data"
    data["patients"]["truth"]["routing"] = [{"from_ward": "ed", "options": [{"to_ward": "a", "probability": 0.2}]}]
    learning = HospitalConfig.model_validate(data)
    rows = routes_taken(*simulate_history(learning, pd.Timestamp("2026-01-01")), learning)
    shares = rows[rows["ward_id"] == "ed"].set_index("next_ward_id")
    error = np.sqrt(0.2 * 0.8 / shares["weight"]["a"])
    assert shares["probability"]["a"] == pytest.approx(0.2, abs=3 * error)
    assert error < 0.02
    assert rows.loc[rows["ward_id"] == "a", "next_ward_id"].tolist() == ["_home"]


def test_true_hours_of_arrival_are_learned_back(hospital):
    """The history follows the truth; the table that is learned from it has its hours, to within 15 %."""
    night = [4.0] * 6 + [0.5] * 18
    data = hospital.model_dump(mode="json")
    data["arrival_streams"][0]["hourly_profile"] = "from_data"
    data["patients"]["truth"]["streams"]["s"]["hourly_profile"] = night
    patients, _ = simulate_history(HospitalConfig.model_validate(data), pd.Timestamp("2026-01-01"))
    rows = hours_of_arrival(patients, HospitalConfig.model_validate(data))
    assert rows.groupby("source")["in_use"].all().to_dict() == {"from_data": True}
    by_hour = rows.groupby("hour")["weight"].mean()
    assert by_hour[:6].mean() == pytest.approx(4 / (33 / 24), rel=0.05)
    assert by_hour[6:].mean() == pytest.approx(0.5 / (33 / 24), rel=0.15)


def test_as_of_before_the_start_is_refused(hospital):
    with pytest.raises(DataError, match=r"not after patients\.history_start 2025-01-01"):
        simulate_history(hospital, pd.Timestamp("2025-01-01"))


def test_a_stream_that_opens_and_closes_has_patients_in_between_only(hospital):
    file = hospital.model_dump(by_alias=True)
    file["arrival_streams"][0].update(opened="2025-02-01", closed="2025-03-01")
    patients, _ = simulate_history(HospitalConfig.model_validate(file), pd.Timestamp("2025-04-01"))
    days = patients["arrival"].dt.normalize().drop_duplicates().tolist()
    assert days == [*pd.date_range("2025-02-01", "2025-02-28")]
