"""A ward whose lengths of stay come from data draws from the closest row of length_of_stay."""

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.plan import Learned, make_plan
from kaizar_pipeline.stats.philox import stream_number

pytestmark = pytest.mark.unit

MONDAY = pd.Timestamp("2026-01-05")
FROM_DATA = {"capacity": 5, "los_model": {"type": "from_data"}}


def rows(*groups: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ward_id": "a",
            "patient_type": [patient_type for patient_type, _ in groups],
            "next_ward_id": [next_ward for _, next_ward in groups],
            "origin": "fitted",
            "in_use": True,
            "distribution": "gamma",
            "shape": 2.0,
            "scale_hours": np.arange(len(groups)) + 1.0,
            "quantile_hours": None,
            "scale_sd": 0.1,
        }
    )


@pytest.fixture
def tables(config):
    """Index of the quantile table by (type, next ward) in ward a; wards a and b, types low and high, last is home."""

    def of(*groups: tuple[str, str]) -> np.ndarray:
        truth = {"los": {"a": {"type": "exponential", "params": {"mean": 1.0}}}}
        patients = {"source": "synthetic", "history_start": "2025-01-01", "truth": truth}
        hospital = config({"a": FROM_DATA, "b": 5}, patients=patients)
        plan = make_plan(hospital, {"s": np.ones((1, 1))}, Horizon(MONDAY, 1), key=1, learned=Learned(rows(*groups)))
        return plan.los_table[:, 0, :]

    return of


def test_next_ward_then_type_then_ward(tables):
    by_type = tables(("_all", "_any"), ("low", "_any"), ("low", "_home"))
    ward, low, low_home = 1, 2, 3  # tables are numbered as the rows, after the unit exponential
    assert by_type.tolist() == [[low, low, low_home], [ward, ward, ward]]


def test_a_type_without_a_row_is_an_error(tables):
    with pytest.raises(SimulationError, match="no row in use for patients of type high"):
        tables(("low", "_any"), ("high", "_home"))


def test_the_uncertainty_of_the_scale_is_that_of_the_rows(config):
    truth = {"los": {"a": {"type": "exponential", "params": {"mean": 1.0}}}}
    patients = {"source": "synthetic", "history_start": "2025-01-01", "truth": truth}
    hospital = config({"a": FROM_DATA, "b": 5}, patients=patients)
    plan = make_plan(
        hospital, {"s": np.ones((1, 1))}, Horizon(MONDAY, 1), key=1, learned=Learned(rows(("_all", "_any")))
    )
    fitted, configured = plan.los_table[0, 0, 0], plan.los_table[0, 1, 0]
    assert plan.los_scale_sd[[fitted, configured]].tolist() == [0.1, 0.0]
    assert plan.los_scale_stream[fitted] == stream_number("a")
