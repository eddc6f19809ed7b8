"""The factors that length_of_stay shows are those the simulation draws with, and they keep the mean in plain hours."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_extracts import make_hospital

from kaizar_pipeline.chain.step import Run
from kaizar_pipeline.chain.steps import make_tables
from kaizar_pipeline.config.discharges import Clock
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
from kaizar_pipeline.stats.durations import quantile_table
from kaizar_pipeline.stats.operational_time import leave_at

pytestmark = pytest.mark.integration

AS_OF = pd.Timestamp("2026-06-01")
BY_DAY = {"hours": [0.3] * 8 + [1] * 12 + [0.3] * 4, "weekday": {"Sat": 0.6, "Sun": 0.6}}
MORNING = {"hours": [0.5] * 6 + [1] * 6 + [0.5] * 12}
STEP = 1 / 30


def fixed(hours: float) -> dict:
    return {"type": "fixed", "params": {"value": hours}}


WARD = {
    "discharge_clock": BY_DAY,
    "transfer_clock": MORNING,
    "los_by": [
        {"next_ward": "bed", "los_model": fixed(5.0)},
        {"patient_type": "planned", "next_ward": "_home", "los_model": fixed(8.0)},
    ],
}
CONFIG = make_hospital(
    los_model=fixed(2.0), ward=WARD, routing=[{"from_ward": "ed", "options": [{"to_ward": "bed", "probability": 0.5}]}]
)


def evening_patients() -> dict[str, pd.DataFrame]:
    """Ten patients a day who come to the ED from 18:00 to 23:00 and stay for two hours."""
    came = pd.Series(AS_OF - pd.to_timedelta(24.0 * np.arange(1, 601) / 10, unit="h")).dt.floor("D")
    came += pd.to_timedelta(18 + 0.5 * (np.arange(600) % 10), unit="h")
    ids = pd.DataFrame({"patient_id": [f"p{n}" for n in range(600)], "hospital_id": "small", "as_of": AS_OF})
    end = came + pd.Timedelta(hours=2)
    patients = ids.assign(
        stream_id="emergency", patient_type="acute", arrival=came, departure=end, departure_known=True,
        outcome="admitted", resolution="second",
    )  # fmt: skip
    stays = ids.assign(
        stay_no=0, ward_id="ed", planned_ward_id="ed", request=came, admit=came, ready=end, depart=end,
        next_ward_id="_home", whole_stay=False,
    )  # fmt: skip
    return {"patients": patients, "ward_stays": stays}


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    run = Run(CONFIG, Path(tmp_path_factory.getbasetemp()))
    return make_tables(
        run, ["length_of_stay", "arrival_profile", "discharge_clocks", "day_factors"], evening_patients()
    )


Factors = dict[tuple[str, str, str], tuple[float, float]]


@pytest.fixture(scope="module")
def factors(tables: dict[str, pd.DataFrame]) -> Factors:
    """Onward and home, of configured rows by ward, patient type and next ward."""
    rows = tables["length_of_stay"].query("origin == 'configured'")
    return {
        (ward, kind, to): (onward, home)
        for ward, kind, to, onward, home in zip(
            rows["ward_id"], rows["patient_type"], rows["next_ward_id"],
            rows["clock_factor_onward"], rows["clock_factor_home"], strict=True,
        )
    }  # fmt: skip


def test_they_are_those_of_the_plan(tables: dict[str, pd.DataFrame], factors: Factors):
    dates = pd.date_range(AS_OF, periods=7)
    rates = pd.concat(
        [
            pd.DataFrame({"stream_id": stream.id, "path": 0, "date": dates, "rate": 20.0, "as_of": AS_OF})
            for stream in CONFIG.arrival_streams
        ]
    )
    given = {name: tables[name] for name in ("length_of_stay", "arrival_profile", "discharge_clocks", "day_factors")}
    plan = StartingPoint(CONFIG, StartingTables(rates, **given)).plan
    ed, bed = CONFIG.wards
    to_bed, planned_home = ed.los_by
    onward, _ = factors["ed", "_all", "bed"]
    expected = {
        ("ed", "acute", "bed"): (to_bed.los_model, onward),
        ("ed", "planned", "bed"): (to_bed.los_model, onward),
        ("ed", "acute", "_home"): (ed.los_model, factors["ed", "_all", "_any"][1]),
        ("ed", "planned", "_home"): (planned_home.los_model, factors["ed", "planned", "_home"][1]),
        ("bed", "acute", "_home"): (bed.los_model, factors["bed", "_all", "_any"][1]),
    }
    for (ward, kind, to), (model, factor) in expected.items():
        place = plan.patient_type_ids.index(kind), plan.ward_ids.index(ward), [*plan.ward_ids, "_home"].index(to)
        assert np.array_equal(plan.quantile_hours[plan.los_table[place]], factor * quantile_table(model))
    assert 0.05 < factors["ed", "_all", "_any"][1] < 0.8


def test_they_keep_the_mean_in_plain_hours(tables: dict[str, pd.DataFrame], factors: Factors):
    """Half-hourly arrivals of the evening, as learned from them, spread within their hours."""
    used = tables["arrival_profile"].query("stream_id == 'emergency' and in_use").sort_values(["weekday", "hour"])
    entry = used["weight"].to_numpy()
    assert entry[18:23].sum() > 0.9 * entry[:24].sum()
    (_, home), (onward, _) = factors["ed", "_all", "_any"], factors["ed", "_all", "bed"]
    for factor, clock, hours in ((home, BY_DAY, 2.0), (onward, MORNING, 5.0)):
        operational = np.concatenate([[0.0], np.cumsum(np.tile(Clock.model_validate(clock).week.ravel(), 3))])
        mean = 0.0
        for hour, part in product(range(168), np.arange(STEP / 2, 1, STEP)):
            stay = leave_at(operational, hour + part, factor * hours) - hour - part
            mean += stay * entry[hour] / entry.sum() * STEP
        assert mean == pytest.approx(hours, rel=0.01)


def test_no_clock_is_a_factor_of_one_and_fitted_rows_have_none(tables: dict[str, pd.DataFrame], factors: Factors):
    assert factors["bed", "_all", "_any"] == (1.0, 1.0)
    assert np.isnan(factors["ed", "_all", "bed"]).tolist() == [False, True]
    assert np.isnan(factors["ed", "planned", "_home"]).tolist() == [True, False]
    fitted = tables["length_of_stay"].query("origin == 'fitted'")
    assert len(fitted)
    assert fitted[["clock_factor_onward", "clock_factor_home"]].isna().all(axis=None)
