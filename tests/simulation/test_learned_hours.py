"""A stream that learns its hours of arrival draws from the rows in use of arrival_profile."""

import numpy as np
import pandas as pd
import pytest
from small_extracts import make_hospital

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.errors import SimulationError
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.plan import hour_weights, make_plan
from kaizar_pipeline.simulation.sampling import draw
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
from kaizar_pipeline.tables import ARRIVAL_PROFILE

pytestmark = pytest.mark.unit

MONDAY = pd.Timestamp("2026-11-02")
NINE = [0.0] * 9 + [24.0] + [0.0] * 14


def profile(**weights: list[float]) -> pd.DataFrame:
    """Rows in use with these weights on every weekday, after rows that are not."""
    rows = [
        {"stream_id": stream, "source": source, "weekday": day, "hour": hour, "in_use": used, "weight": weight}
        for stream, values in weights.items()
        for used, source, of_day in ((False, "configured", [1.0] * 24), (True, "from_data", values))
        for day in range(7)
        for hour, weight in enumerate(of_day)
    ]
    return ARRIVAL_PROFILE.frame(pd.DataFrame(rows).assign(arrivals=1.0), hospital_id="small", as_of=MONDAY)


def start(config: HospitalConfig, arrival_profile: pd.DataFrame | None) -> StartingPoint:
    dates = pd.date_range(MONDAY, periods=7)
    rates = pd.concat(
        [
            pd.DataFrame({"stream_id": stream.id, "path": 0, "date": dates, "rate": 20.0, "as_of": MONDAY})
            for stream in config.arrival_streams
        ]
    )
    return StartingPoint(config, StartingTables(rates, arrival_profile=arrival_profile))


def test_learned_hours_are_those_of_the_patients():
    plan = start(make_hospital(), profile(emergency=NINE, elective=[1.0] * 24)).plan
    drawn = draw(plan, 0)
    emergency = drawn.stream == plan.stream_ids.index("emergency")
    assert (np.floor(drawn.arrival[emergency] % 24) == 9).all()
    assert len(np.unique(np.floor(drawn.arrival[~emergency] % 24))) > 12


def test_without_the_table_a_stream_that_learns_is_refused():
    with pytest.raises(SimulationError, match="stream emergency: hourly_profile is from_data, but arrival_profile has"):
        _ = start(make_hospital(), None).plan
    with pytest.raises(SimulationError, match="stream elective: hourly_profile is from_data"):
        _ = start(make_hospital(), profile(emergency=NINE)).plan


def test_a_scenario_may_set_the_hours_that_the_hospital_learns():
    scenario = Scenario.model_validate(
        {
            "id": "early", "description": "All come at once.", "hospitals": ["small"],
            "arrival_streams": [{"id": "emergency", "hourly_profile": [1.0] + [0.0] * 23}],
        }
    )  # fmt: skip
    plan = start(make_hospital(), profile(emergency=NINE, elective=NINE)).under(scenario)
    hours = {stream: plan.streams[i].hour_weights[0].argmax() for i, stream in enumerate(plan.stream_ids)}
    assert hours == {"emergency": 0, "elective": 9}


@pytest.mark.parametrize("variability", ["fixed", "poisson"])
def test_a_weekday_of_zeros_has_no_arrivals(variability: str):
    """Its rate is zero, whatever was forecast or a scenario adds, with a warm-up too."""
    data = make_hospital().model_dump(mode="json")
    model = {"type": "schedule", "pattern": "Mon,Tue", "mean_per_day": 20, "variability": variability}
    for stream in data["arrival_streams"]:
        stream["hourly_profile"] = NINE * 2 + [0.0] * 24 * 5
    data["arrival_streams"][0]["model"] = model
    config = HospitalConfig.model_validate(data)
    rates = {stream.id: np.full((1, 7), 20.0) for stream in config.arrival_streams}
    plan = make_plan(config, rates, Horizon(MONDAY, 7, warmup_days=7), key=1)
    plan = plan.scaled({"emergency": np.full(7, 1.5)}, {})
    arrival = draw(plan, 0).arrival
    assert set(np.floor(arrival / 24).astype(int)) == {0, 1, 7, 8}
    assert (np.floor(arrival % 24) == 9).all()
    assert np.isfinite(hour_weights(config.arrival_streams[0], MONDAY, 7)).all()
