"""The calendar finds effects that are there, and no others."""

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.calendar import public_holidays
from kaizar_pipeline.config.hospital import HospitalInfo
from kaizar_pipeline.forecasting.calendar_effects import CalendarShape, day_features, fit_calendar

pytestmark = pytest.mark.unit

HOSPITAL = HospitalInfo(name="X", timezone="Europe/Amsterdam", country="NL")


def history(days: int, mean: float, weekday: list[float]) -> pd.DataFrame:
    features = day_features(pd.date_range("2021-01-01", periods=days), HOSPITAL)
    rates = mean * np.array(weekday)[features["weekday"]]
    return features.assign(arrivals=np.random.default_rng(5).poisson(rates))


def test_christmas_in_the_netherlands() -> None:
    days = day_features(pd.date_range("2023-12-23", "2023-12-28"), HOSPITAL)
    assert days["holiday"].tolist() == [False, False, True, True, False, False]
    assert days["before_holiday"].tolist() == [False, True, True, False, False, False]
    assert days["after_holiday"].tolist() == [False, False, False, True, True, False]
    assert days["year_end"].tolist() == [False, True, True, True, True, True]
    assert days["weekday"].tolist() == [5, 6, 0, 1, 2, 3]


def test_the_day_before_the_first_of_january_is_before_a_holiday() -> None:
    days = day_features(pd.DatetimeIndex(["2023-12-31"]), HOSPITAL)
    assert days["before_holiday"].tolist() == [True]


def test_holidays_depend_on_the_subdivision() -> None:
    epiphany = pd.DatetimeIndex(["2024-01-06"])
    germany = HOSPITAL.model_copy(update={"country": "DE"})
    assert not public_holidays(germany, epiphany)[0]
    assert public_holidays(germany.model_copy(update={"subdivision": "BY"}), epiphany)[0]


def test_weekday_factors_are_recovered() -> None:
    factors = [1.3, 1.1, 1.0, 1.0, 1.0, 0.8, 0.8]
    calendar = fit_calendar(history(1096, 30, factors))
    found = np.exp(
        [calendar.coefficients[f"weekday_{day}"] for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")]
    )
    expected = np.array(factors) / np.exp(np.mean(np.log(factors)))
    assert found / np.exp(np.mean(np.log(found))) == pytest.approx(expected, rel=0.05)
    assert calendar.overdispersion == pytest.approx(1.0, abs=0.15)


def test_overdispersion_is_recovered() -> None:
    days = history(1096, 1, [1.0] * 7)
    counts = np.random.default_rng(2).negative_binomial(10, 1 / 3, len(days))
    assert fit_calendar(days.assign(arrivals=counts)).overdispersion == pytest.approx(3.0, rel=0.15)


@pytest.mark.parametrize(("days", "mean"), [(55, 10.0), (300, 0.0), (0, 1.0)])
def test_too_short_a_history_has_no_effects(days: int, mean: float) -> None:
    calendar = fit_calendar(history(300, mean, [1.0] * 7).iloc[:days])
    assert calendar.coefficients == {}
    assert calendar.overdispersion >= 1


def test_growth_is_no_season() -> None:
    days = history(1096, 1, [1.0] * 7)
    rates = 20 * np.exp(np.linspace(0, 0.8, len(days)))
    calendar = fit_calendar(days.assign(arrivals=np.random.default_rng(3).poisson(rates)))
    assert calendar.log_shape(days).std() < 0.06


def test_an_event_has_an_effect_of_its_own_and_none_on_other_days() -> None:
    days = history(730, 40, [1.0] * 7)
    fair = pd.Series("fair", days.index[::73])
    days = day_features(pd.DatetimeIndex(days.index), HOSPITAL, fair).assign(arrivals=days["arrivals"])
    days.loc[fair.index, "arrivals"] *= 2
    calendar = fit_calendar(days)
    assert np.exp(calendar.coefficients["event_fair"]) == pytest.approx(2, rel=0.12)
    without = days.assign(events=None)
    difference = calendar.log_shape(days) - calendar.log_shape(without)
    np.testing.assert_allclose(difference, days["events"].notna() * calendar.coefficients["event_fair"], atol=1e-12)


def test_an_event_that_never_happened_yet_has_no_effect() -> None:
    known = history(200, 40, [1.0] * 7)
    ahead = day_features(
        pd.date_range("2021-08-01", periods=3), HOSPITAL, pd.Series(["fair"], [pd.Timestamp("2021-08-02")])
    )
    assert np.ptp(fit_calendar(known).log_shape(ahead.assign(weekday=0))) == 0


def test_two_events_on_one_day_multiply() -> None:
    days = day_features(
        pd.date_range("2021-01-01", periods=2), HOSPITAL, pd.Series(["fair; strike"], [pd.Timestamp("2021-01-02")])
    )
    shape = CalendarShape({"event_fair": 0.2, "event_strike": -0.5}, 1.0).log_shape(days)
    np.testing.assert_allclose(shape, [0, -0.3])
