"""Chances of full days against what happened: outcomes, the Brier score and its parts, and the test of reliability."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaizar_pipeline import HospitalConfig
from kaizar_pipeline.planning.full_days import (
    FULL,
    decomposition,
    extend_full_log,
    observed_days,
    reliability_p,
    score_days,
    unreliable,
    with_outcomes,
    with_reference,
)

AS_OF = pd.Timestamp("2026-03-30")
DAY = pd.Timedelta(days=1)


@pytest.fixture
def config(hospital) -> HospitalConfig:
    """A ward of two beds, of one at weekends, and a closed one."""
    los = {"type": "exponential", "params": {"mean": 9}}
    wards = [
        {"id": "w", "capacity": 2, "weekday_capacity": {"Sat": 1, "Sun": 1}, "los_model": los},
        {"id": "shut", "capacity": 0, "los_model": los},
    ]
    return hospital(wards, [1, 0], levels=[{"name": "amber", "beds": 1, "wards": ["w"]}])


def stays(*times: tuple[str, str | None], ward: str = "w") -> tuple[pd.DataFrame, pd.DataFrame]:
    """patients and ward_stays of visits of one ward."""
    rows = pd.DataFrame(times, columns=["admit", "depart"]).astype("datetime64[us]")
    rows = rows.assign(patient_id=[f"p{n}" for n in range(len(rows))], ward_id=ward)
    return rows[["patient_id"]].assign(departure_known=True, as_of=AS_OF), rows


def test_what_happened_on_a_day_is_counted_at_its_full_hours(config: HospitalConfig):
    # Friday: two until 9:30; Saturday, of one bed: one; Sunday: one who leaves before the first full hour
    found = observed_days(
        config,
        *stays(
            ("2026-03-27 08:30", "2026-03-27 09:30"), ("2026-03-27 08:45", "2026-03-28 05:00"),
            ("2026-03-29 10:10", "2026-03-29 10:50"),
        ),
        pd.Timestamp("2026-03-26"), AS_OF,
    )  # fmt: skip
    happened = {
        (str(rows["ward_id"].iloc[0]), str(rows["level"].iloc[0])): rows.sort_values("date")["happened"].tolist()
        for _, rows in found.groupby(["ward_id", "level"])
    }
    assert happened["w", FULL] == [False, True, True, False]
    assert happened["w", "amber"] == [False, True, True, False]
    assert happened["shut", FULL] == [False] * 4  # closed and empty
    assert {ward for ward, _ in happened} == {"_hospital", "shut", "w"}


def forecast(origin: pd.Timestamp, days: int = 3, chance: float = 0.25) -> pd.DataFrame:
    dates = pd.date_range(origin.normalize(), periods=days, unit="us")
    return pd.DataFrame({"ward_id": "w", "date": dates, "level": FULL, "probability": chance})


def test_a_chance_is_compared_with_the_same_weekday_of_the_year_before(config: HospitalConfig):
    # full on two of four known Mondays, and on a Tuesday of four
    known = stays(
        ("2026-03-02", "2026-03-04"), ("2026-03-02", "2026-03-02 12:00"), ("2026-03-09", "2026-03-10 12:00"),
        ("2026-03-09", "2026-03-10 12:00"),
    )  # fmt: skip
    rows = with_reference(forecast(AS_OF), AS_OF, config, *known)
    assert rows["reference"].tolist() == [0.5, 0.25, 0]
    assert rows["day_ahead"].tolist() == [1, 2, 3]
    # of a day that has begun nothing is scored
    at_eight = with_reference(forecast(AS_OF), AS_OF + pd.Timedelta(hours=8), config, *known)
    assert at_eight["day_ahead"].tolist() == [1, 2]
    assert with_reference(forecast(AS_OF), pd.Timestamp("2026-03-02"), config, *known).empty


def test_a_chance_has_no_reference_where_nobody_was_ever_admitted(config: HospitalConfig):
    patients, ward_stays = stays(("2026-03-16", "2026-03-17"))
    assert with_reference(forecast(AS_OF), AS_OF, config, patients, ward_stays.iloc[:0]).empty


def test_the_archive_learns_what_happened_and_keeps_other_origins(config: HospitalConfig):
    known = stays(("2026-03-16", "2026-03-17"), ("2026-03-30 01:00", None), ("2026-03-30 02:00", "2026-03-30 07:00"))
    first = extend_full_log(None, forecast(AS_OF), AS_OF, config, known)
    assert first["happened"].isna().all()
    later = AS_OF + DAY
    second = extend_full_log(first, forecast(later), later, config, known)
    of_first = second[second["origin"] == AS_OF]
    assert of_first["happened"].tolist()[0] is True
    assert of_first["happened"].isna().tolist() == [False, True, True]
    assert second["origin"].value_counts().tolist() == [3, 3]
    again = extend_full_log(second, forecast(later), later, config, known)
    pd.testing.assert_frame_equal(again, second)


def test_a_hospital_without_limits_and_levels_has_nothing_to_score(hospital):
    unlimited = hospital([{"id": "w", "capacity": None, "los_model": {"type": "fixed", "params": {"value": 9}}}], [1])
    known = stays(("2026-03-16", "2026-03-17"))
    nothing = observed_days(unlimited, *known, AS_OF - DAY, AS_OF)
    assert nothing.empty
    rows = with_reference(nothing.rename(columns={"happened": "probability"}), AS_OF - DAY, unlimited, *known)
    assert with_outcomes(rows, unlimited, *known, AS_OF).empty
    log = extend_full_log(None, nothing.rename(columns={"happened": "probability"}), AS_OF, unlimited, known)
    assert score_days({"archive": log}, hospital_id="one", as_of=AS_OF).empty


def test_an_outcome_that_is_known_stays(config: HospitalConfig):
    rows = forecast(AS_OF - DAY).assign(happened=pd.array([True, None, None], "boolean"))
    found = with_outcomes(rows, config, *stays(("2026-03-01", "2026-03-02")), AS_OF)
    assert found["happened"].isna().tolist() == [False, True, True]
    assert found["happened"].iloc[0]


CHANCES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


@given(CHANCES)
def test_the_parts_of_the_brier_score_add_up(pairs: list[tuple[float, bool]]):
    chance, happened = np.array(pairs, dtype=np.float64).T
    parts = decomposition(chance, happened)
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within_bins"]
    assert total == pytest.approx(((chance - happened) ** 2).mean(), abs=1e-12)


def scored(chance: np.ndarray, happened: np.ndarray) -> pd.DataFrame:
    """Of so many origins, four days apart, of as many days each; the reference is a half."""
    origins, days = chance.shape
    rows = pd.DataFrame({"probability": chance.ravel(), "happened": happened.ravel().astype(bool)})
    origin = AS_OF + 4 * DAY * np.repeat(np.arange(origins), days)
    day_ahead = np.tile(np.arange(days) + 1, origins)
    rows = rows.assign(ward_id="w", level=FULL, origin=origin, day_ahead=day_ahead, reference=0.5)
    return score_days({"backtest": rows}, hospital_id="one", as_of=AS_OF)


def test_scores_by_hand():
    table = scored(np.array([[0.0, 0.5, 1.0, 0.2]]), np.array([[0, 1, 1, 1]])).set_index("days_ahead")
    assert table["n"].to_dict() == {"1-3": 3, "4-7": 1, "all": 4}
    assert table["brier"].to_dict() == pytest.approx({"1-3": 0.25 / 3, "4-7": 0.64, "all": 0.89 / 4})
    assert table["brier_reference"].eq(0.25).all()
    assert table["skill"].to_dict() == pytest.approx({"1-3": 2 / 3, "4-7": -1.56, "all": 0.11})
    assert table["brier_se"].isna().all()
    assert table["reliability_p"].isna().all()


def test_calibrated_chances_fail_in_one_case_in_a_hundred():
    rng = np.random.default_rng(5)
    days = np.repeat(np.arange(12), 7)

    def failures(shift: float, runs: int) -> int:
        found = 0
        for _ in range(runs):
            # days of one origin go together
            level = rng.normal(0, 0.5, 12)[days] + rng.normal(0, 0.7, len(days))
            chance = 1 / (1 + np.exp(-level))
            happened = rng.random(len(days)) < np.clip(chance + shift, 0, 1)
            found += reliability_p(chance, happened.astype(float), days, 12) < 0.01
        return found

    assert failures(0.0, 1000) <= 22  # binomial 99.9 % of 1 % is 21
    assert failures(0.3, 50) >= 45


def test_overlapping_origins_and_few_events_are_not_tested():
    chance, happened = np.full(40, 0.5), np.zeros(40)
    origins = np.repeat(np.arange(20), 2)
    assert reliability_p(chance, happened, origins, 20) < 0.01
    assert np.isnan(reliability_p(chance, happened, origins, 9))
    assert np.isnan(reliability_p(chance / 100, happened, origins, 20))


def test_a_ward_fails_where_any_of_its_leads_does():
    scores = pd.DataFrame(
        {
            "source": "backtest",
            "ward_id": ["a", "a", "a", "b"],
            "level": FULL,
            "reliability_p": [0.004, 0.9, None, 0.004],
        }
    )
    assert unreliable(scores)["ward_id"].tolist() == ["a", "b"]
    assert unreliable(scores.assign(reliability_p=[0.006, 0.9, 0.9, 0.2])).empty
