"""Lengths of stay: what is configured in hours, what completed stays were, and which of them the simulation uses."""

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.length_of_stay import lengths_of_stay

pytestmark = pytest.mark.unit

FROM_DATA = {"type": "from_data"}

SIGMA, MEDIAN = np.sqrt(np.log(2)), 24 / np.sqrt(2)  # of a lognormal with mean and sd of a day
LOGNORMAL_P90 = MEDIAN * np.exp(SIGMA * 1.2815515655446004)


def history(hours: list[float | None], ward: str = "ed", patient_type: str = "acute", whole: bool = True):
    """Patients and their one stay each, of so many hours; None is still open."""
    ids = [f"{patient_type}{n}" for n in range(len(hours))]
    admit = pd.Series(pd.Timestamp("2024-05-01"), index=range(len(hours)), dtype="datetime64[us]")
    patients = pd.DataFrame(
        {
            "patient_id": ids,
            "patient_type": patient_type,
            "departure_known": True,
            "as_of": pd.Timestamp("2024-06-01").as_unit("us"),
        }
    )
    end = admit + pd.to_timedelta(pd.Series(hours, dtype="float64"), unit="h")
    stays = pd.DataFrame(
        {"patient_id": ids, "planned_ward_id": ward, "admit": admit, "ready": end, "whole_stay": whole}
    )
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


def test_fitted_rows_hold_the_quantiles_of_completed_stays(hospital):
    hours = list(np.arange(1.0, 22.0))
    table = lengths_of_stay(*history([*hours, None, None]), hospital(los_model=FROM_DATA))
    fitted = row(table, "ed", "fitted", "acute")
    np.testing.assert_allclose(fitted["quantile_hours"], np.linspace(1, 21, 501))
    assert (fitted["n"], fitted["n_censored"], fitted["mean_hours"], fitted["in_use"]) == (21, 2, 11, True)
    assert fitted["p90_hours"] == pytest.approx(19)
    assert row(table, "ed", "fitted")["in_use"]  # for planned patients, who have no row of their own


def test_types_with_few_stays_share_a_row(hospital):
    table = lengths_of_stay(*history([2.0] * 19), hospital(los_model=FROM_DATA))
    assert table.query("origin == 'fitted'")["patient_type"].tolist() == ["_all"]


def test_fits_of_configured_wards_are_for_comparison_only(hospital):
    assert not row(lengths_of_stay(*history([2.0] * 30), hospital()), "ed", "fitted")["in_use"]


def test_ends_that_nobody_wrote_down_are_censored(hospital):
    patients, stays = history([1.0, 2.0, None])
    table = lengths_of_stay(patients.assign(departure_known=[True, True, False]), stays, hospital(los_model=FROM_DATA))
    assert row(table, "ed", "fitted")[["n", "n_censored"]].tolist() == [2, 1]


def test_whole_stays_tell_nothing_of_a_ward_with_a_way_on(hospital):
    routing = ({"from_ward": "ed", "options": ({"to_ward": "bed", "probability": 0.5},)},)
    assert lengths_of_stay(*history([2.0] * 30), hospital(routing=routing)).query("origin == 'fitted'").empty
    ward_moves = history([2.0] * 30, whole=False)
    assert len(lengths_of_stay(*ward_moves, hospital(routing=routing)).query("origin == 'fitted'")) == 2


def test_from_data_without_a_completed_stay_is_an_error(hospital):
    with pytest.raises(
        DataError, match=r"ward ed: los_model is from_data, but not one completed stay of 2 .* lognormal"
    ):
        lengths_of_stay(*history([None, None]), hospital(los_model=FROM_DATA))
