"""What changed since the last run: a house whose headline can be worked out by hand, and one factor at a time."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kaizar_pipeline import (
    Experiment,
    HospitalConfig,
    StartingPoint,
    StartingTables,
    load_history,
    load_hospital_config,
    simulate_occupancy,
)
from kaizar_pipeline.chain.step import Run
from kaizar_pipeline.chain.steps import make_tables
from kaizar_pipeline.patients.starting_census import starting_census
from kaizar_pipeline.planning.headline_changes import (
    FACTORS,
    PARTS,
    HeadlineChanges,
    Inputs,
    changes_in_words,
    compare_headlines,
    inputs_of_headline,
)
from kaizar_pipeline.tables import (
    ARRIVAL_MODEL,
    ARRIVAL_PROFILE,
    DAY_FACTORS,
    DISCHARGE_CLOCKS,
    FEATURE_TABLE,
    LENGTH_OF_STAY,
    PATIENTS,
    ROUTES,
    WARD_STAYS,
    Table,
)

from .conftest import AS_OF, FIRST_HOUR, HALF_A_DAY

DAY = 1 / 7
"""A day's part of a week's days, and of its hours."""


def inputs(config: HospitalConfig, in_bed: int = 0, stay: float = 35.5, as_of: pd.Timestamp = AS_OF) -> Inputs:
    """A run of wards without forecast streams: so many patients in the first ward for 12 hours by now, whose stays were
    found to last `stay` hours."""
    ward = config.ward_ids[0]
    constants = {"hospital_id": config.id, "as_of": as_of}
    ids = pd.DataFrame({"patient_id": [f"p{n}" for n in range(in_bed)]}, dtype="str")
    came, never = as_of - pd.Timedelta(hours=12), pd.Series(pd.NaT, ids.index)
    patients = ids.assign(
        stream_id=f"to_{ward}", patient_type="any", arrival=came, departure=never, departure_known=True,
        outcome="admitted", resolution="second",
    )  # fmt: skip
    stays = ids.assign(
        stay_no=0, ward_id=ward, planned_ward_id=ward, request=came, admit=came, ready=never, depart=never,
        next_ward_id=None, whole_stay=False,
    )  # fmt: skip
    lengths = pd.DataFrame(
        {
            "ward_id": ward, "patient_type": "_all", "next_ward_id": "_any", "origin": "fitted", "in_use": True,
            "distribution": "empirical", "shape": np.nan, "scale_hours": np.nan, "quantile_hours": [[stay] * 3],
            "n": 10, "n_censored": 0, "mean_hours": stay, "p90_hours": stay, "operational_mean_hours": np.nan,
            "clock_factor_onward": np.nan, "clock_factor_home": np.nan, "ks": np.nan, "scale_sd": 0.0,
        }
    )  # fmt: skip
    unused = (ARRIVAL_PROFILE, DISCHARGE_CLOCKS, DAY_FACTORS, ROUTES, FEATURE_TABLE, ARRIVAL_MODEL)
    tables = {
        "patients": PATIENTS.frame(patients, **constants).assign(as_of=as_of)
        if in_bed
        else one_gone(as_of, ward, config.id),
        "ward_stays": WARD_STAYS.frame(stays, **constants),
        "length_of_stay": LENGTH_OF_STAY.frame(lengths, **constants),
        **{table.name: empty(table) for table in unused},
    }
    return inputs_of_headline(config, tables)


def one_gone(as_of: pd.Timestamp, ward: str, hospital_id: str) -> pd.DataFrame:
    """A history with nobody in the house."""
    patient = {"patient_id": "gone", "stream_id": f"to_{ward}", "patient_type": "any", "departure_known": True}
    times = {"arrival": as_of - pd.Timedelta(days=9), "departure": as_of - pd.Timedelta(days=8)}
    row = pd.DataFrame([patient | times | {"outcome": "admitted", "resolution": "second"}])
    return PATIENTS.frame(row, hospital_id=hospital_id, as_of=as_of)


def empty(table: Table) -> pd.DataFrame:
    return table.frame(pd.DataFrame(columns=table.column_names).drop(columns="run_id"))


def run_after_run(*runs: Inputs, replications: int = 4) -> HeadlineChanges:
    found = HeadlineChanges(None, None)  # pyright: ignore[reportArgumentType]
    for run in runs:
        found = compare_headlines(found.headline_changes, found.headline_inputs, run, replications)
    return found


def of(found: HeadlineChanges, ward: str = "w", headline: str = "prob_full_day") -> pd.Series:
    rows = found.latest
    return rows[(rows["ward_id"] == ward) & (rows["headline"] == headline)].iloc[0]


def moved(found: HeadlineChanges) -> set[str]:
    """The parts that are not 0 in some ward; all changes must be split."""
    assert found.latest["note"].isna().all()
    return {part for part in PARTS if (found.latest[part] != 0).any()}


def check_sums(found: HeadlineChanges) -> None:
    rows = found.latest
    assert (rows["before"] + rows[list(PARTS)].sum(axis=1)).tolist() == pytest.approx(rows["after"].tolist(), abs=1e-12)
    assert (rows["after"] - rows["before"]).tolist() == pytest.approx(rows["change"].tolist(), abs=1e-12)


@pytest.fixture
def house(hospital: Callable[..., HospitalConfig]) -> Callable[..., HospitalConfig]:
    """A ward of so many beds to which nobody comes; lengths of stay are found in the data."""

    def make(beds: int | None = 2, ward: str = "w", **simulation: Any) -> HospitalConfig:
        truth = {"los": {ward: HALF_A_DAY}}
        patients = {"source": "synthetic", "history_start": "2025-01-01", "truth": truth}
        wards = [{"id": ward, "capacity": beds, "los_model": {"type": "from_data"}}]
        return hospital(wards, [0], patients=patients, simulation=simulation)

    return make


@pytest.mark.unit
def test_a_first_run_has_a_headline_and_nothing_to_compare_it_with(house):
    found = run_after_run(inputs(house(), in_bed=2))
    row = of(found)
    # both beds are taken for 23.5 hours more, which is at the 24 full hours of the first of 7 days
    assert row["after"] == pytest.approx(DAY)
    assert of(found, headline="p95_census")["after"] == pytest.approx(2 * DAY)
    assert (row["run_number"], row["note"], row["after_se"]) == (1, "first run", 0)
    assert row[["since", "before", "change", *PARTS]].isna().all()
    words = changes_in_words(found.latest, ["w"])
    assert words == "w: full at some hour of 14% of the next 7 days; not split: first run"


@pytest.mark.unit
def test_config_data_and_model_each_have_their_part(house):
    tomorrow = AS_OF + pd.Timedelta(days=1)
    # a bed opens: nothing is full; three are in bed the next morning: full for a day; stays prove longer: for two
    found = run_after_run(inputs(house(2), in_bed=2), inputs(house(3), in_bed=3, stay=59.5, as_of=tomorrow))
    row = of(found)
    assert (row["before"], row["after"], row["change"]) == pytest.approx((DAY, 2 * DAY, DAY))
    assert row[list(PARTS)].tolist() == pytest.approx([0, 0, -DAY, DAY, DAY])
    assert row[["change_se", *(f"{factor}_se" for factor in FACTORS)]].tolist() == [0] * 5
    assert (row["origin"], row["since"]) == (tomorrow, AS_OF)
    census = of(found, headline="p95_census")
    assert census[list(PARTS)].tolist() == pytest.approx([0, 0, 0, DAY, 3 * DAY])
    check_sums(found)
    assert changes_in_words(found.latest, ["w"]) == (
        "w: full at some hour of 29% of the next 7 days, +14.3 points since the last run (as of 2026-01-05), of which "
        "program 0, seed 0, config -14.3, data +14.3, model +14.3"
    )


@pytest.mark.unit
def test_the_same_inputs_again_tell_the_same_story(house):
    runs = [inputs(house(2), in_bed=2), inputs(house(3), in_bed=2)]
    once, again = run_after_run(*runs), run_after_run(*runs, runs[1], runs[1])
    for name in ("headline_changes", "headline_inputs"):
        pd.testing.assert_frame_equal(getattr(once, name), getattr(again, name), check_exact=True)
    # and back again: that is another run
    back = run_after_run(*runs, runs[0])
    assert back.headline_changes["run_number"].unique().tolist() == [1, 2, 3]
    assert set(back.headline_inputs["run_number"]) == {2, 3}
    assert of(back)["config"] == pytest.approx(DAY)


@pytest.mark.unit
def test_inputs_that_do_not_matter_change_nothing(house):
    tomorrow = AS_OF + pd.Timedelta(days=1)
    found = run_after_run(inputs(house(), in_bed=2), inputs(house(seed=5), in_bed=2, as_of=tomorrow))
    assert moved(found) == set()
    assert (found.latest["change"] == 0).all()


@pytest.mark.unit
def test_a_run_that_cannot_be_compared_says_why(house):
    last = inputs(house(), in_bed=2)

    def note(now: Inputs) -> str:
        rows = run_after_run(last, now).latest
        assert rows[list(PARTS)].isna().all(axis=None)
        assert rows["note"].nunique() == 1
        return rows["note"].iloc[0]

    assert note(inputs(house(ward="v"))) == "other wards, streams than in the last run"
    assert note(inputs(house(horizon_days=3))) == "other days ahead than in the last run"
    # what the whole house said last time can be told all the same
    found = run_after_run(last, inputs(house(ward="v")))
    assert (of(found, "_hospital")["before"], of(found, "_hospital")["change"]) == pytest.approx((DAY, -DAY))
    assert pd.isna(of(found, "v")["before"])

    found = run_after_run(inputs(house(None), in_bed=2), last)
    assert of(found)["note"] == "no limit of beds in the last run"
    assert pd.isna(of(found, headline="p95_census")["note"])
    # with unlimited beds no ward is full, and there is nothing to say
    found = run_after_run(last, inputs(house(None), in_bed=2))
    assert set(found.latest["headline"]) == {"p95_census"}
    assert changes_in_words(found.latest, ["w"]) == "no ward with limited beds"


@pytest.mark.unit
def test_inputs_that_another_version_kept_are_not_guessed_at(house):
    now = inputs(house(3), in_bed=2)
    settings = json.loads(now["config"])
    now_kept = dict(now) | {"replications": "4"}
    older = now_kept | {"config": json.dumps(settings | {"no_longer_known": 1})}
    kept = run_after_run(now).headline_inputs
    changes = run_after_run(now).headline_changes
    kept["content"] = kept["input"].map(older)
    found = compare_headlines(changes, kept, now, 4)
    assert set(found.latest["note"]) == {"another version of the program kept the inputs of the last run"}
    lengths = json.loads(now["length_of_stay"])
    kept["content"] = kept["input"].map(now_kept | {"length_of_stay": json.dumps(lengths | {"later": [1]})})
    (note,) = set(compare_headlines(changes, kept, now, 4).latest["note"])
    assert note.startswith("inputs of both runs do not go together: table length_of_stay: unknown column(s) later")


@pytest.mark.unit
def test_a_run_that_died_before_it_said_anything_is_replayed(house):
    runs = [inputs(house(beds), in_bed=2) for beds in (3, 2)]
    died = run_after_run(runs[0])
    found = compare_headlines(None, died.headline_inputs, runs[1], 4)
    assert (of(found)["run_number"], of(found)["before"], of(found)["config"]) == (2, 0, pytest.approx(DAY))


@pytest.mark.integration
def test_a_seed_changes_as_much_as_its_error_says(hospital):
    # Poisson(20) patients come in a day's first hour, for half a day each: 24 of them fill the ward that day
    ward = {"id": "w", "capacity": 24, "los_model": HALF_A_DAY}
    chance = 0.2125  # P(Poisson(20) >= 24)
    runs = [
        inputs(hospital([ward], [20], FIRST_HOUR, simulation={"seed": seed, "replications": 400})) for seed in (1, 2)
    ]
    found = run_after_run(*runs, replications=400)
    row, error = of(found), np.sqrt(chance * (1 - chance) / (7 * 400))
    assert row["after"] == pytest.approx(chance, abs=4 * error)
    # twenty groups know the error to a sixth
    assert row["after_se"] == pytest.approx(error, rel=0.6)
    assert row["seed_se"] == pytest.approx(error * np.sqrt(2), rel=0.6)
    assert 0 < abs(row["seed"]) < 4 * row["seed_se"]
    assert moved(found) == {"seed"}
    # the same with fewer replications gives another figure, which is no news from the hospital
    fewer = compare_headlines(found.headline_changes, found.headline_inputs, runs[1], 100)
    assert fewer.headline_changes["run_number"].max() == 3
    assert moved(fewer) == {"config"}
    assert of(fewer)["config_se"] > 0
    check_sums(fewer)


@pytest.fixture(scope="module")
def mornings(tmp_path_factory: pytest.TempPathFactory) -> tuple[HospitalConfig, Sequence[dict[str, pd.DataFrame]]]:
    """The tiny hospital and the tables of two mornings that its simulation starts from."""
    from ..conftest import TINY_HOSPITAL

    folder = tmp_path_factory.mktemp("project") / "hospital_configs"
    folder.mkdir()
    (folder / "tiny.yml").write_text(TINY_HOSPITAL.replace("replications: 10", "replications: 60"))
    config = load_hospital_config(folder / "tiny.yml")
    return config, [tables_of(config, as_of) for as_of in ("2026-05-04", "2026-05-05")]


def tables_of(config: HospitalConfig, as_of: str) -> dict[str, pd.DataFrame]:
    history = load_history(config, Path(), as_of)
    past = {"patients": history.patients, "ward_stays": history.ward_stays}
    return make_tables(Run(config, Path()), StartingTables._fields, past)


def forecast_inputs(config: HospitalConfig, tables: dict[str, pd.DataFrame]) -> Inputs:
    return inputs_of_headline(config, tables)


@pytest.mark.integration
def test_each_factor_alone_moves_its_own_column(mornings):
    config, (before, after) = mornings

    def changed(config_now: HospitalConfig, now: dict[str, pd.DataFrame]) -> set[str]:
        found = run_after_run(forecast_inputs(config, before), forecast_inputs(config_now, now), replications=60)
        check_sums(found)
        return moved(found)

    simulation = config.simulation.model_copy(update={"seed": 7})
    more_beds = [ward.model_copy(update={"capacity": ward.capacity + 1}) for ward in config.wards]
    learned = ("arrival_model", "arrival_profile", "discharge_clocks", "day_factors", "length_of_stay", "routes")
    retrained = before["arrival_model"].assign(inv_k=0.2)
    assert changed(config.model_copy(update={"simulation": simulation}), before) == {"seed"}
    assert changed(config.model_copy(update={"wards": tuple(more_beds)}), before) == {"config"}
    assert changed(config, after | {name: before[name] for name in learned}) == {"data"}
    assert changed(config, before | {"arrival_model": retrained}) == {"model"}
    assert changed(config, after) == {"data", "model"}
    assert changed(config, before | {"arrival_model": before["arrival_model"].assign(versions="{}")}) == set()


@pytest.mark.integration
def test_the_headlines_are_the_published_means(mornings):
    config, (_, tables) = mornings
    census = starting_census(tables["patients"], tables["ward_stays"])
    given = {name: tables[name] for name in StartingTables._fields}
    start = StartingPoint(config, StartingTables(**given)._replace(starting_census=census))
    occupancy = simulate_occupancy(Experiment(start))
    full = occupancy.ward_days.groupby("ward_id")["prob_full_day"].mean()
    p95 = occupancy.occupancy_distributions.groupby("ward_id")["p95"].mean()
    found = run_after_run(forecast_inputs(config, tables), replications=60)
    for ward in ("ed", "ward", "_hospital"):
        assert of(found, ward)["after"] == pytest.approx(full[ward], abs=1e-12)
        assert of(found, ward, "p95_census")["after"] == pytest.approx(p95[ward], abs=1e-12)
