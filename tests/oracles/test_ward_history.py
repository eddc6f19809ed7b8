"""Past hours of the week against hillmaker, on its public example: the short-stay unit of its getting-started page
(https://hillmaker.readthedocs.io, repository misken/hillmaker, docs/getting_started.ipynb), 2 January to 30 September
2024. Its categories of patients are wards here."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.patients.ward_history import what_happened
from kaizar_pipeline.tables import ALL_HOURS, HOSPITAL_TOTAL
from tests.support.hand_made import make_config

pytestmark = pytest.mark.integration

AS_OF = pd.Timestamp("2024-10-01")
CATEGORIES = ["ART", "CAT", "IVT", "MYE", "OTH"]
NAMES = {"minimum": "min", "maximum": "max", "sd": "stdev", "skewness": "skew", "kurtosis": "kurt", "n": "count"}
"""What hillmaker calls our columns, where it has other names."""
MONDAY = 0
COLUMNS = ["n", "mean", "minimum", "maximum", "sd", "skewness", "kurtosis", "p25", "p50", "p75", "p95", "p99"]

PUBLISHED = """
_hospital -1 6552 28.16294 0 121.533333 31.066525 0.976111 -0.409349 3.316667 12.525 50.266667 89.83 105.0575
ART       -1 6552 3.498013 0 22.4 5.156624 1.250915 0.230793 0 0 6.95 14.25 17.565667
CAT       -1 6552 8.048838 0 34.383333 7.812497 0.912114 -0.259791 1.616667 4.983333 13.716667 23.290833 28.274167
IVT       -1 6552 10.076318 0 54.733333 13.459828 1.205648 0.088333 0.033333 2.283333 18.408333 38.2 45.5
MYE       -1 6552 1.971853 0 13.483333 2.902841 1.364864 0.662152 0 0 3.533333 8.216667 10.308167
OTH       -1 6552 4.567918 0 27 5.68716 1.072276 0.039763 0 1.55 8.533333 15.866667 19.8915
_hospital 0 39 1.561966 0 4.666667 1.337969 0.863336 -0.009379 0.533333 1 2 4.353333 4.616
_hospital 6 39 15.443162 0.333333 21.483333 3.931664 -2.423603 7.778248 14.616667 16.083333 17.241667 19.63 21.166667
_hospital 9 39 58.75 1.483333 79.116667 15.509799 -2.538838 7.735264 57.241667 61.283333 66.858333 74.036667 77.311667
_hospital 11 39 87.416239 1.733333 110.083333 22.7248 -2.657434 8.241843 81.45 92.7 101.083333 108.351667 109.659
"""
"""Its occupancy over all hours (-1), and at some hours of Mondays: ward, hour and COLUMNS."""


@pytest.fixture(scope="module")
def visits(real_data: Path) -> pd.DataFrame:
    log = real_data / "ssu_2024.csv.gz"
    if not log.exists():
        pytest.skip("no ssu_2024.csv.gz")
    return pd.read_csv(log, parse_dates=["InRoomTS", "OutRoomTS"])


@pytest.fixture(scope="module")
def history(visits: pd.DataFrame) -> pd.DataFrame:
    """Our ward_history of them."""
    streams = [
        {
            "id": ward,
            "target_ward": ward,
            "patient_type": "low",
            "model": {"type": "constant", "mean_per_day": 1},
        }
        for ward in CATEGORIES
    ]
    config = make_config(dict.fromkeys(CATEGORIES), arrival_streams=streams)
    patient_id = visits["PatID"].astype("str")
    came, went = (visits[name].astype("datetime64[us]") for name in ("InRoomTS", "OutRoomTS"))
    patients = pd.DataFrame(
        {"patient_id": patient_id, "stream_id": visits["PatType"], "arrival": came, "departure": went}
    )
    patients = patients.assign(outcome="admitted", departure_known=True, resolution="second", as_of=AS_OF)
    stays = pd.DataFrame({"patient_id": patient_id, "stay_no": 0, "ward_id": visits["PatType"], "admit": came})
    return what_happened(patients, stays.assign(depart=went.mask(went >= AS_OF)), config).ward_history


def rows(history: pd.DataFrame, ward: str, quantity: str) -> pd.DataFrame:
    """Those of the whole analysed time, by weekday and hour."""
    chosen = (history["ward_id"] == ward) & (history["quantity"] == quantity) & (history["window_days"] == 365)
    return history[chosen].set_index(["weekday", "hour"])


def test_its_published_figures_come_out_to_the_digit(history: pd.DataFrame):
    for line in PUBLISHED.strip().splitlines():
        ward, hour, *published = line.split()
        row = (ALL_HOURS, ALL_HOURS) if int(hour) == ALL_HOURS else (MONDAY, int(hour))
        found = rows(history, ward, "beds_occupied").loc[row, COLUMNS].to_numpy(dtype="float64")
        np.testing.assert_allclose(found, [float(figure) for figure in published], rtol=0, atol=0.5001e-6, err_msg=line)


@pytest.fixture(scope="module")
def hills(hillmaker: Any, visits: pd.DataFrame) -> dict[str, Any]:
    """Its summaries of the same visits by weekday and hour."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas and matplotlib, about its code
        hills = hillmaker.make_hills(
            scenario_name="ssu", data=visits, in_field="InRoomTS", out_field="OutRoomTS",
            start_analysis_dt="2024-01-02", end_analysis_dt="2024-09-30", verbosity=0, make_all_week_plots=False,
            make_all_dow_plots=False, export_all_week_plots=False, export_all_dow_plots=False,
            export_bydatetime_csv=False, export_summaries_csv=False,
        )  # fmt: skip
    return hills["summaries"]["nonstationary"]["dow_binofday"]


@pytest.mark.parametrize("quantity", ["occupancy", "arrivals", "departures"])
def test_every_hour_of_the_week_is_as_hillmaker_has_it(history: pd.DataFrame, hills: dict[str, Any], quantity: str):
    theirs = hills[quantity].set_index(["day_of_week", "bin_of_day"]).sort_index()
    ours = rows(history, HOSPITAL_TOTAL, "beds_occupied" if quantity == "occupancy" else quantity)
    ours = ours.drop(index=(ALL_HOURS, ALL_HOURS)).sort_index()
    assert ours.index.tolist() == theirs.index.tolist()
    for column in COLUMNS:
        expected = theirs[NAMES.get(column, column)].astype("float64")
        np.testing.assert_allclose(ours[column], expected, rtol=1e-7, atol=1e-9, err_msg=column)
