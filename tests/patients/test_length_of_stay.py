"""Lengths of stay: configured ones in hours, fits of the history, and which the simulation uses."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.length_of_stay import differences, lengths_of_stay

pytestmark = pytest.mark.unit

FROM_DATA = {"type": "from_data"}

SIGMA, MEDIAN = np.sqrt(np.log(2)), 24 / np.sqrt(2)  # of a lognormal with mean and sd of a day
LOGNORMAL_P90 = MEDIAN * np.exp(SIGMA * 1.2815515655446004)


def history(hours: Sequence[float | None], ward: str = "ed", patient_type: str = "acute", whole: bool = True):
    """Patients and their one stay each, of so many hours; None is still open."""
    ids = [f"{patient_type}{n}" for n in range(len(hours))]
    admit = pd.Series(pd.Timestamp("2024-05-01"), index=range(len(hours)), dtype="datetime64[us]")
    patients = pd.DataFrame(
        {
            "patient_id": ids,
            "stream_id": "emergency",
            "patient_type": patient_type,
            "departure_known": True,
            "resolution": "second",
            "as_of": pd.Timestamp("2024-06-01").as_unit("us"),
        }
    )
    end = admit + pd.to_timedelta(pd.Series(list(hours), dtype="float64"), unit="h")
    stays = pd.DataFrame(
        {"patient_id": ids, "ward_id": ward, "planned_ward_id": ward, "admit": admit, "ready": end, "whole_stay": whole}
    ).assign(depart=end, next_ward_id=pd.Series("_home", index=admit.index).where(end.notna()))
    return patients, stays


def row(table: pd.DataFrame, ward: str, origin: str, patient_type: str = "_all") -> pd.Series:
    rows = table[(table["ward_id"] == ward) & (table["origin"] == origin) & (table["patient_type"] == patient_type)]
    return rows.iloc[0]


@pytest.mark.parametrize(
    ("model", "shape", "scale", "mean", "p90"),
    [
        ({"type": "exponential", "unit": "days", "params": {"mean": 2.0}}, None, 48, 48, 48 * np.log(10)),
        ({"type": "fixed", "params": {"value": 5.0}}, None, 5, 5, 5),
        ({"type": "weibull", "params": {"shape": 1.0, "scale": 3.0}}, 1, 3, 3, 3 * np.log(10)),
        ({"type": "gamma", "params": {"mean": 6.0, "sd": 6.0}}, 1, 6, 6, 6 * np.log(10)),
        ({"type": "lognormal", "unit": "days", "params": {"mean": 1.0, "sd": 1.0}}, SIGMA, MEDIAN, 24, LOGNORMAL_P90),
    ],
)
def test_configured_rows_are_in_hours(hospital, model, shape, scale, mean, p90):
    patients, stays = history([1.0])
    configured = row(lengths_of_stay(patients, stays, hospital(los_model=model)), "ed", "configured")
    assert (
        (configured["shape"] is None or np.isnan(configured["shape"]))
        if shape is None
        else configured["shape"] == pytest.approx(shape)
    )
    assert configured["scale_hours"] == pytest.approx(scale)
    assert configured["mean_hours"] == pytest.approx(mean)
    assert configured["p90_hours"] == pytest.approx(p90)
    assert configured["in_use"]
    assert (configured["n"], configured["next_ward_id"]) == (0, "_any")


def test_a_configured_list_of_durations_has_quantiles(hospital):
    patients, stays = history([1.0])
    model = {"type": "empirical", "unit": "days", "params": {"values": (1.0, 3.0)}}
    configured = row(lengths_of_stay(patients, stays, hospital(los_model=model)), "ed", "configured")
    np.testing.assert_allclose(configured["quantile_hours"], np.linspace(24, 72, 501))


def test_exceptions_have_rows_of_their_own(hospital):
    case = {"patient_type": "planned", "next_ward": "_home", "los_model": {"type": "fixed", "params": {"value": 7.0}}}
    table = lengths_of_stay(*history([1.0]), hospital(ward={"los_by": (case,)}))
    exception = row(table, "ed", "configured", "planned")
    assert (exception["next_ward_id"], exception["mean_hours"], exception["in_use"]) == ("_home", 7, True)


def test_stays_that_are_all_equal_have_that_length(hospital):
    table = lengths_of_stay(*history([7.0] * 25), hospital(los_model=FROM_DATA))
    fitted = row(table, "ed", "fitted")
    np.testing.assert_allclose(fitted["quantile_hours"], np.full(501, 7.0))
    assert (fitted["distribution"], fitted["mean_hours"], fitted["p90_hours"]) == ("empirical", 7, 7)
    assert np.isnan(fitted["ks"])
    assert fitted["scale_sd"] == pytest.approx(1 / 5)


def test_one_stay_has_a_fit_with_a_large_error(hospital):
    fitted = row(lengths_of_stay(*history([7.0]), hospital(los_model=FROM_DATA)), "ed", "fitted")
    assert fitted[["n", "mean_hours", "scale_sd"]].tolist() == [1, 7, 1]


def test_stays_of_length_zero_have_a_mean_of_zero(hospital):
    fitted = row(lengths_of_stay(*history([0.0] * 30), hospital(los_model=FROM_DATA)), "ed", "fitted")
    assert (fitted["mean_hours"], fitted["p90_hours"]) == (0, 0)


def test_stays_of_length_zero_among_others(hospital):
    hours = [0.0] * 30 + list(np.linspace(1, 10, 70))
    fitted = row(lengths_of_stay(*history(hours), hospital(los_model=FROM_DATA)), "ed", "fitted")
    assert fitted["distribution"] == "empirical"
    assert fitted["mean_hours"] == pytest.approx(np.mean(hours), rel=0.01)


def test_stays_of_years_are_fitted(hospital):
    hours = np.random.default_rng(5).gamma(4.0, 5000.0, 400)  # two and a quarter years on average
    patients, stays = history(list(hours))
    early = stays["admit"] - pd.Timedelta(days=4000)
    stays = stays.assign(admit=early, ready=early + pd.to_timedelta(hours, unit="h"))
    fitted = row(lengths_of_stay(patients, stays, hospital(los_model=FROM_DATA)), "ed", "fitted")
    assert fitted["distribution"] == "gamma"
    assert fitted["mean_hours"] == pytest.approx(hours.mean(), rel=0.01)


def test_open_stays_make_lengths_longer(hospital):
    hours = list(np.arange(1.0, 22.0))
    without = row(lengths_of_stay(*history(hours), hospital(los_model=FROM_DATA)), "ed", "fitted")
    table = lengths_of_stay(*history([*hours, None, None]), hospital(los_model=FROM_DATA))  # open for 31 days so far
    with_open = row(table, "ed", "fitted")
    assert with_open[["n", "n_censored"]].tolist() == [21, 2]
    assert with_open["mean_hours"] > without["mean_hours"] + 2 / 23 * (31 * 24 - 11) * 0.5


def test_types_with_few_stays_share_a_row(hospital):
    table = lengths_of_stay(*history([2.0] * 4), hospital(los_model=FROM_DATA))
    assert table.query("origin == 'fitted'")["patient_type"].tolist() == ["_all"]
    assert len(lengths_of_stay(*history([2.0] * 5), hospital(los_model=FROM_DATA)).query("origin == 'fitted'")) == 2


def test_a_small_type_lies_between_itself_and_the_ward(hospital):
    rng = np.random.default_rng(1)
    many, few = (
        history(rng.lognormal(3, 0.3, 2000).tolist()),
        history(rng.lognormal(4, 0.3, 10).tolist(), patient_type="planned"),
    )
    patients, stays = (pd.concat(pair, ignore_index=True) for pair in zip(many, few, strict=True))
    table = lengths_of_stay(patients, stays, hospital(los_model=FROM_DATA))
    ward, own, large = (row(table, "ed", "fitted", name)["mean_hours"] for name in ("_all", "planned", "acute"))
    alone, large_alone = ((of["ready"] - of["admit"]).dt.total_seconds().mean() / 3600 for of in (few[1], many[1]))
    assert own == pytest.approx((10 * alone + 10 * ward) / 20, rel=0.1)  # 10 of its own, 10 borrowed
    assert large == pytest.approx(large_alone, rel=0.01)


def test_next_wards_have_rows_where_patients_go_to_several(hospital):
    rng = np.random.default_rng(2)
    hours = np.concatenate([rng.gamma(2.0, 5.0, 500), rng.gamma(2.0, 20.0, 500)])
    patients, stays = history(list(hours), whole=False)
    stays = stays.assign(next_ward_id=["bed"] * 500 + ["_home"] * 500)
    routing = ({"from_ward": "ed", "options": ({"to_ward": "bed", "probability": 0.5},)},)
    config = hospital(los_model={"type": "gamma", "params": {"mean": 20.0, "sd": 9.0}}, routing=routing)
    fitted = lengths_of_stay(patients, stays, config).query("patient_type == 'acute'").set_index("next_ward_id")
    assert set(fitted.index) == {"_any", "bed", "_home"}
    assert fitted.loc["bed", "mean_hours"] == pytest.approx(hours[:500].mean(), rel=0.05)
    assert fitted.loc["_home", "mean_hours"] == pytest.approx(hours[500:].mean(), rel=0.05)
    assert fitted.loc["_any", "mean_hours"] == pytest.approx(hours.mean(), rel=0.05)


def test_stamps_of_days_give_a_length_within_a_day(hospital):
    rng = np.random.default_rng(3)
    admit = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.uniform(0, 100 * 24, 3000), unit="h")
    length = pd.to_timedelta(rng.gamma(3.0, 20.0, 3000), unit="h")
    patients, stays = history([1.0] * 3000)
    shuffled = pd.to_timedelta(rng.uniform(0, 24, 3000), unit="h")  # random hours of the day
    stays = stays.assign(
        admit=admit,
        ready=((admit + length).normalize() + shuffled).where(length > pd.Timedelta(days=1), admit + length),
    )
    fitted = row(
        lengths_of_stay(patients.assign(resolution="day"), stays, hospital(los_model=FROM_DATA)), "ed", "fitted"
    )
    assert fitted["distribution"] in ("gamma", "weibull", "lognormal")
    assert fitted["mean_hours"] == pytest.approx(60, rel=0.05)


def test_fits_of_configured_wards_are_for_comparison_only(hospital):
    assert not row(lengths_of_stay(*history([2.0] * 30), hospital()), "ed", "fitted")["in_use"]


def test_stays_with_an_unknown_end_are_left_out(hospital):
    patients, stays = history([1.0, 2.0, None])
    table = lengths_of_stay(patients.assign(departure_known=[True, True, False]), stays, hospital(los_model=FROM_DATA))
    assert row(table, "ed", "fitted")[["n", "n_censored"]].tolist() == [2, 0]


def test_a_stay_with_an_end_counts_although_the_departure_is_unknown(hospital):
    patients, stays = history([1.0, 2.0], whole=False)
    table = lengths_of_stay(patients.assign(departure_known=[True, False]), stays, hospital(los_model=FROM_DATA))
    assert row(table, "ed", "fitted")["n"] == 2


def test_whole_stays_are_left_out_for_a_ward_with_routes_onward(hospital):
    routing = ({"from_ward": "ed", "options": ({"to_ward": "bed", "probability": 0.5},)},)
    assert lengths_of_stay(*history([2.0] * 30), hospital(routing=routing)).query("origin == 'fitted'").empty
    ward_moves = history([2.0] * 30, whole=False)
    assert len(lengths_of_stay(*ward_moves, hospital(routing=routing)).query("origin == 'fitted'")) == 2


def test_whole_stays_of_a_stream_make_the_lengths_of_any_ward_that_asks_for_them(hospital):
    routing = [{"from_ward": "ed", "options": [{"to_ward": "bed", "probability": 0.5}]}]
    of_stream = {"type": "from_data", "stays_of": "emergency"}
    config = hospital(ward={"los_model": of_stream}, routing=routing)
    table = lengths_of_stay(*history([30.0] * 6), config)
    (used,) = [dict(found) for _, found in table[(table["ward_id"] == "ed")].iterrows()]
    assert (used["patient_type"], used["next_ward_id"], used["n"], used["in_use"]) == ("_all", "_any", 6, True)
    assert used["mean_hours"] == pytest.approx(30, rel=0.01)
    with pytest.raises(DataError, match="ward ed: los_model is from_data, but none of its 0 stays"):
        lengths_of_stay(*history([30.0] * 6, whole=False), config)


def test_from_data_without_a_completed_stay_is_an_error(hospital):
    with pytest.raises(
        DataError, match=r"ward ed: los_model is from_data, but none of its 2 stays is completed .* lognormal"
    ):
        lengths_of_stay(*history([None, None]), hospital(los_model=FROM_DATA))


def test_a_ward_with_open_stays_only_has_no_fitted_row(hospital):
    assert lengths_of_stay(*history([None, None]), hospital()).query("origin == 'fitted'").empty


class TestDifferences:
    """Configured means are compared with observed ones where there are enough stays."""

    def lengths(self, hospital, mean: float, n: int, los_by: tuple = ()) -> pd.DataFrame:
        model = {"type": "exponential", "params": {"mean": mean}}
        hours = list(np.random.default_rng(4).exponential(10.0, n))
        return lengths_of_stay(*history(hours), hospital(los_model=model, ward={"los_by": los_by}))

    def test_a_mean_that_is_far_off_is_reported_once(self, hospital):
        (line,) = differences(self.lengths(hospital, 20.0, 1000))
        assert line.startswith("ward ed, patient type _all, next ward _any: configured mean 20.0 h, observed ")
        assert line.endswith(" h in 1,000 completed stays")

    def test_a_small_difference_is_not_reported(self, hospital):
        assert differences(self.lengths(hospital, 11.5, 1000)) == []

    @pytest.mark.parametrize(("mean", "n"), [(13.0, 25), (20.0, 19)])
    def test_few_stays_are_not_compared(self, hospital, mean, n):
        assert differences(self.lengths(hospital, mean, n)) == []

    def test_an_exception_is_compared_with_its_own_patients_only(self, hospital):
        case = {"patient_type": "acute", "los_model": {"type": "fixed", "params": {"value": 10.0}}}
        assert differences(self.lengths(hospital, 50.0, 1000, (case,))) == []
        wrong = case | {"los_model": {"type": "fixed", "params": {"value": 30.0}}}
        (line,) = differences(self.lengths(hospital, 10.0, 1000, (wrong,)))
        assert line.startswith("ward ed, patient type acute, next ward _any: configured mean 30.0 h")

    def test_a_mean_of_zero_is_far_off(self, hospital):
        case = {"patient_type": "acute", "los_model": {"type": "fixed", "params": {"value": 0.0}}}
        assert len(differences(self.lengths(hospital, 10.0, 100, (case,)))) == 1

    def test_wards_from_data_are_not_compared(self, hospital):
        assert differences(lengths_of_stay(*history([2.0] * 30), hospital(los_model=FROM_DATA))) == []


def test_only_rows_in_use_need_to_be_fitted(hospital):
    given = history([2.0] * 30)
    configured, learned = hospital(), hospital(los_model=FROM_DATA)
    assert set(lengths_of_stay(*given, configured, fit_all=False)["origin"]) == {"configured"}
    pd.testing.assert_frame_equal(
        lengths_of_stay(*given, learned, fit_all=False), lengths_of_stay(*given, learned), check_exact=True
    )
