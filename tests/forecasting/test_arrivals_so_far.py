"""What the arrivals so far say of the rest of the day."""

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.forecasting.arrivals_so_far import SoFar, arrivals_so_far, given_so_far
from kaizar_pipeline.forecasting.features import make_feature_table
from kaizar_pipeline.forecasting.model import train_lgbm_poisson
from kaizar_pipeline.forecasting.rates import forecast_rates

pytestmark = pytest.mark.unit

EIGHT = pd.Timestamp("2023-12-22 08:00")


def patients(*arrivals: str) -> pd.DataFrame:
    return pd.DataFrame({"stream_id": "s", "arrival": pd.to_datetime(list(arrivals)), "as_of": EIGHT})


def hospital(make_hospital, **stream: object) -> HospitalConfig:
    config = make_hospital("s", "t", horizon=7)
    own, other = config.arrival_streams
    return config.model_copy(update={"arrival_streams": (own.model_copy(update=stream), other)})


def test_arrivals_of_the_day_are_counted_and_what_was_due_by_then(make_hospital):
    found = arrivals_so_far(
        patients("2023-12-21 23:59", "2023-12-22 00:00", "2023-12-22 07:59"),
        hospital(make_hospital, hourly_profile=(1.0,) * 12 + (3.0,) * 12),
    )
    assert {name: day.arrivals for name, day in found.items()} == {"s": 2, "t": 0}
    assert {name: day.share for name, day in found.items()} == pytest.approx({"s": 8 / 48, "t": 8 / 24})
    assert arrivals_so_far(patients("2023-12-21 23:59").assign(as_of=EIGHT.normalize()), make_hospital("s")) == {}


@pytest.mark.parametrize(("arrived", "expected"), [(20, 30 / 20), (0, 10 / 20), (10, 1.0)])
def test_the_factor_of_the_day_is_gamma_given_what_arrived(arrived, expected):
    # 1/k = .1 and ten expected by now: shape 10 + n, rate 20
    chance = (np.arange(200_000) + 0.5) / 200_000
    factor = given_so_far(SoFar(arrived, 0.25), np.full(len(chance), 40.0), 0.1, chance)
    assert factor.mean() == pytest.approx(expected, rel=1e-3)
    assert factor.var() == pytest.approx((10 + arrived) / 20**2, rel=1e-2)


def test_a_day_with_a_fixed_number_has_the_rest_of_it():
    assert SoFar(4, 0.5).of_fixed(6.0) == 2 / 0.5
    assert SoFar(7, 0.5).of_fixed(6.0) == 0
    assert SoFar(2, 1.0).of_fixed(6.0) == 0  # no hour is left


def test_nobody_where_many_were_due_is_not_taken_for_a_quiet_day():
    assert not SoFar(0, 0.5).is_known(30)
    assert SoFar(0, 0.5).is_known(20)
    assert SoFar(1, 0.5).is_known(3000)


def test_rates_ahead_begin_with_the_rest_of_the_day_and_leave_later_days_as_they_are(make_hospital, daily, poisson):
    config = make_hospital("s", horizon=7)
    counts = poisson(60)
    midnight = daily(s=counts)
    eight = midnight.assign(as_of=EIGHT)
    rates = {}
    for name, arrivals, so_far in (
        ("midnight", midnight, None), ("quiet", eight, SoFar(0, 1 / 3)), ("busy", eight, SoFar(9, 1 / 3)),
    ):  # fmt: skip
        features = make_feature_table(arrivals, config)
        model = train_lgbm_poisson(features)
        rates[name] = forecast_rates(model, features, arrivals, config, so_far and {"s": so_far})
    assert rates["midnight"]["date"].nunique() == 7
    first, last = (rates["busy"]["date"].agg(end) for end in ("min", "max"))
    assert (first, last) == (EIGHT.normalize(), pd.Timestamp("2023-12-29"))
    mean = {name: of.groupby("date")["rate"].mean() for name, of in rates.items()}
    assert mean["quiet"].iloc[0] < mean["midnight"].iloc[0] < mean["busy"].iloc[0]
    pd.testing.assert_series_equal(mean["quiet"].iloc[1:], mean["busy"].iloc[1:])
    np.testing.assert_allclose(mean["busy"].iloc[1:7], mean["midnight"].iloc[1:], rtol=1e-2)
    for name in ("quiet", "busy"):
        assert rates[name]["mean_rate"].iloc[0] == pytest.approx(mean[name].iloc[0], rel=0.05)
