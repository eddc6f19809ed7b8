"""Beds for a risk against Poisson and Erlang, and what they say where there is no answer."""

from collections.abc import Callable
from itertools import combinations_with_replacement

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from kaizar_pipeline import (
    Scenario,
    SimulationError,
    bed_allocations,
    bed_requirements,
    beds_effects,
    beds_percentiles,
    chances_above,
)
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.planning.beds import allocation_in_words, coverage, requirement_in_words
from kaizar_pipeline.verification.queueing import erlang_b, fewest_beds, poisson_quantile

from .conftest import FIRST_HOUR, HALF_A_DAY

EXPONENTIAL = {"type": "exponential", "params": {"mean": 24}}


@pytest.fixture
def day_clinic(hospital: Callable[..., HospitalConfig]) -> Callable[..., HospitalConfig]:
    """A ward in which each day's highest census is that day's Poisson number of arrivals, and one with nobody."""

    def make(per_day: float, **simulation: object) -> HospitalConfig:
        wards = [{"id": "clinic", "capacity": 25, "los_model": HALF_A_DAY}]
        options = {"horizon_days": 7, "start": "empty", "warmup_days": 0, "replications": 600, **simulation}
        return hospital(wards, [per_day], FIRST_HOUR, simulation=options)

    return make


class TestCoverage:
    pytestmark = pytest.mark.unit

    def test_by_hand(self):
        peaks = np.array([[1, 2], [2, 2], [3, 1], [2, 4]])
        covered = coverage(peaks, 0.25, np.arange(5))
        assert covered.share.tolist() == [0, 0.25, 0.75, 0.875, 1]
        assert covered.enough == 2
        assert covered.enough_low == 2
        assert covered.enough_high is None  # four replications cannot show how many are surely enough
        assert (covered.low <= covered.share).all()
        assert (covered.share <= covered.high).all()

    def test_copies_of_a_day_count_as_one(self):
        peaks = np.random.default_rng(1).poisson(10, (200, 1))
        beds = np.arange(25)
        one, copies = coverage(peaks, 0.1, beds), coverage(np.repeat(peaks, 28, axis=1), 0.1, beds)
        assert copies.low == pytest.approx(one.low)
        assert copies.high == pytest.approx(one.high)

    def test_independent_days_count_each(self):
        generator, beds = np.random.default_rng(1), np.arange(25)
        one = coverage(generator.poisson(10, (200, 1)), 0.1, beds)
        many = coverage(generator.poisson(10, (200, 28)), 0.1, beds)
        assert (many.high - many.low)[14] < (one.high - one.low)[14] / 3

    @pytest.mark.parametrize("days", [1, 7])
    def test_the_interval_holds_the_truth_as_often_as_it_says(self, days: int):
        generator, truth = np.random.default_rng(5), poisson_quantile(0.9, 10)
        held = 0
        for _ in range(400):
            level = generator.gamma(100, 0.1, (60, 1)) if days == 1 else np.full((60, 1), 10.0)
            peaks = generator.poisson(level if days > 1 else 10, (60, days))
            found = coverage(peaks, 0.1, np.arange(40))
            held += (found.enough_low or 0) <= truth <= (found.enough_high or np.inf)
        assert held >= 0.93 * 400  # 95 % promised; the number is discrete, so mostly more

    def test_certainty_is_out_of_reach(self):
        covered = coverage(np.array([[1], [2]]), 0.0, np.arange(4))
        assert (covered.enough, covered.enough_low, covered.enough_high) == (None, None, None)


@pytest.mark.integration
class TestBedRequirements:
    def test_the_fewest_beds_are_the_poisson_quantile(self, day_clinic, experiment_of):
        config = day_clinic(12, risk_target=0.05)
        table = bed_requirements(experiment_of(config))
        for event, truth in (
            ("day", poisson_quantile(0.95, 12)),
            ("horizon_peak", poisson_quantile(0.95 ** (1 / 7), 12)),
        ):
            for ward in ("clinic", "_hospital"):
                rows = table[(table["ward_id"] == ward) & (table["risk_event"] == event)]
                assert rows["enough_low"].iloc[0] <= truth <= rows["enough_high"].iloc[0]
                share = poisson.cdf(rows["beds"], 12) ** (1 if event == "day" else 7)
                # four standard errors of independent days, or of replications
                n = 600 * (7 if event == "day" else 1)
                assert (np.abs(rows["covered_share"] - share) <= 4 * np.sqrt(share * (1 - share) / n) + 1 / n).all()
                assert rows["enough"].tolist() == (rows["beds"] >= rows["enough_beds"]).tolist()

    def test_under_a_scenario_and_for_another_risk(self, day_clinic, experiment_of):
        experiment = experiment_of(day_clinic(12))
        half = Scenario.model_validate({"id": "half", "description": "Half", "arrival_scale": [{"factor": 0.5}]})
        rows = bed_requirements(experiment, half, risk=0.05).query("ward_id == 'clinic' and risk_event == 'day'")
        assert rows["risk_target"].unique().tolist() == [0.05]
        assert rows["enough_low"].iloc[0] <= poisson_quantile(0.95, 6) <= rows["enough_high"].iloc[0]

    def test_a_risk_in_percent_is_refused(self, day_clinic, experiment_of):
        with pytest.raises(DataError, match=r"bed_requirements: risk 5, allowed: 0 to 0\.5"):
            bed_requirements(experiment_of(day_clinic(12)), risk=5)

    def test_the_highest_demand_is_above_shares_of_the_beds(self, day_clinic, experiment_of):
        table = bed_requirements(experiment_of(day_clinic(12)))
        for beds, found in ((25, chances_above(table, "clinic")), (20, chances_above(table, "clinic", 20))):
            assert found["share"].tolist() == [0.9, 0.95, 1.0]
            assert found["beds"].tolist() == [int(0.9 * beds), int(0.95 * beds), beds]
            truth = 1 - poisson.cdf(found["beds"], 12) ** 7
            assert (np.abs(found["chance"] - truth) <= 4 * np.sqrt(truth * (1 - truth) / 600) + 1 / 600).all()
            assert found["low"].le(found["chance"]).all()
            assert found["high"].ge(found["chance"]).all()
        assert chances_above(table, "clinic", 1)["chance"].tolist() == [1, 1, 1]
        assert chances_above(table, "clinic", 1000)["chance"].tolist() == [0, 0, 0]

    def test_of_an_unknown_ward_there_is_no_chance(self, day_clinic, experiment_of):
        table = bed_requirements(experiment_of(day_clinic(12, replications=20)))
        with pytest.raises(SimulationError, match="unknown ward 'clinc', did you mean 'clinic'"):
            chances_above(table, "clinc")
        unlimited = table.assign(staffed_beds=pd.array([None] * len(table), dtype="Int64"))
        with pytest.raises(SimulationError, match="ward clinic has unlimited beds: give a number of beds"):
            chances_above(unlimited, "clinic")

    def test_in_words(self, day_clinic, experiment_of):
        config = day_clinic(12)
        table = bed_requirements(experiment_of(config))
        words = requirement_in_words(table, "clinic", "day")
        assert words.startswith(f"{poisson_quantile(0.9, 12)} beds (")
        assert words.endswith(") cover demand on 9 days in 10")
        assert requirement_in_words(table, "clinic", "horizon_peak").endswith("throughout 9 such horizons in 10")

    def test_a_risk_of_0_is_reached_by_no_number(self, day_clinic, experiment_of):
        config = day_clinic(12, risk_target=0, replications=20)
        table = bed_requirements(experiment_of(config))
        assert table[["enough_beds", "enough_low", "enough_high"]].isna().all(axis=None)
        assert not table["enough"].any()
        assert requirement_in_words(table, "clinic", "day").startswith("no number of beds covers demand with certainty")

    def test_too_few_replications_say_so(self, day_clinic, experiment_of):
        config = day_clinic(12, risk_target=0.01, replications=20)
        table = bed_requirements(experiment_of(config))
        assert table["enough_beds"].notna().all()
        assert table.loc[table["risk_event"] == "horizon_peak", "enough_high"].isna().all()
        assert "too few replications" in requirement_in_words(table, "clinic", "horizon_peak")

    def test_a_ward_without_patients_needs_no_beds(self, day_clinic, experiment_of):
        config = day_clinic(0, replications=100)
        table = bed_requirements(experiment_of(config))
        assert (table["enough_beds"] == 0).all()


def loss_ward(name: str, beds: int, load: float) -> tuple[dict[str, object], float, dict[str, object]]:
    """A ward that turns away whom it cannot take at once (M/M/c/c), its arrivals per day, and its admission stop."""
    ward = {"id": name, "capacity": beds, "los_model": EXPONENTIAL}
    return ward, load, {"ward": name, "threshold": 1.0, "stop_types": ["any"]}


@pytest.mark.integration
class TestErlang:
    @pytest.fixture
    def loss(self, hospital):
        ward, per_day, stop = loss_ward("w", 11, 10)
        simulation = {"horizon_days": 28, "start": "empty", "warmup_days": 14, "replications": 400}
        return hospital([ward], [per_day], policies={"admission_stop": [stop]}, simulation=simulation)

    def test_the_sweep_turns_away_what_erlang_says(self, loss, experiment_of):
        table = beds_effects(experiment_of(loss), sweep=(-2, 1, fewest_beds(10, 0.05) - 11))
        turned_away = table[(table["kpi"] == "turned_away") & (table["affected_ward_id"] == "w")]
        assert turned_away["beds_added"].tolist() == [-2, 1, 4]
        for row in turned_away.to_dict("records"):
            truth = 280 * (erlang_b(11 + row["beds_added"], 10) - erlang_b(11, 10))
            assert abs(row["difference"] - truth) <= 4 * row["difference_se"]
            assert row["value"] - row["baseline"] == pytest.approx(row["difference"])
            assert row["low"] < row["difference"] < row["high"]
        assert turned_away["value"].iloc[-1] / 280 == pytest.approx(erlang_b(15, 10), abs=0.005)

    def test_common_patients_make_differences_tight(self, loss, experiment_of):
        table = beds_effects(experiment_of(loss), sweep=(1,))
        row = table[(table["kpi"] == "turned_away") & (table["affected_ward_id"] == "w")].iloc[0]
        other = loss.model_copy(update={"simulation": loss.simulation.model_copy(update={"seed": 7})})
        far = beds_effects(experiment_of(other), sweep=(1,)).query("kpi == 'turned_away'").iloc[0]
        # two standard errors of independent means would add to some .5; the paired one is far below
        assert row["difference_se"] < 0.25
        assert abs(row["difference"] - far["difference"]) < 4 * np.hypot(row["difference_se"], far["difference_se"])

    def test_two_extra_beds_go_where_erlang_sends_them(self, hospital, experiment_of):
        parts = [loss_ward("big", 10, 11), loss_ward("small", 3, 2.2), loss_ward("idle", 9, 2)]
        wards, per_day, stops = zip(*parts, strict=True)
        simulation = {"horizon_days": 28, "start": "empty", "warmup_days": 7, "replications": 200}
        config = hospital(wards, per_day, policies={"admission_stop": stops}, simulation=simulation)
        # one patient type for all, so that any full ward stops everybody: give each ward a type of its own
        config = HospitalConfig.model_validate(
            config.model_dump(by_alias=True)
            | {
                "patient_types": [{"id": ward["id"]} for ward in wards],
                "arrival_streams": [
                    {
                        "id": f"to_{ward['id']}",
                        "target_ward": ward["id"],
                        "patient_type": ward["id"],
                        "model": {"type": "constant", "mean_per_day": load},
                    }
                    for ward, load in zip(wards, per_day, strict=True)
                ],
                "policies": {"admission_stop": [stop | {"stop_types": [stop["ward"]]} for stop in stops]},
            }
        )
        table = bed_allocations(experiment_of(config), extra_beds=2, harm={"turned_away": 1})

        def lost(chosen: tuple[int, ...]) -> float:
            return sum(
                load * erlang_b(int(str(ward["capacity"])) + chosen.count(index), load)
                for index, (ward, load, _) in enumerate(parts)
            )

        best = min(combinations_with_replacement(range(3), 2), key=lost)
        first = table[table["rank"] == 1].set_index("ward_id")["beds_added"]
        assert first.to_dict() == {ward["id"]: best.count(index) for index, ward in enumerate(wards)}
        assert table["rank"].max() == 6
        assert (table.groupby("rank")["beds_added"].sum() == 2).all()
        assert (table["behind_best"] >= 0).all()
        prevented = 28 * (lost(()) - lost(best))
        row = table[table["rank"] == 1].iloc[0]
        assert abs(row["prevented"] - prevented) <= 4 * row["prevented_se"]
        assert allocation_in_words(table) == "of 2 extra beds, " + ", ".join(
            f"{beds} in {ward}" for ward, beds in sorted(first.items()) if beds
        )

    def test_unknown_names_are_refused(self, loss, experiment_of):
        experiment = experiment_of(loss)
        with pytest.raises(SimulationError, match=r"no beds can be added to ward 'nowhere', allowed .*: w"):
            bed_allocations(experiment, wards=["nowhere"])
        with pytest.raises(SimulationError, match="unknown 'pain', allowed: waiting_hours, requests"):
            bed_allocations(experiment, harm={"pain": 1})


@pytest.mark.integration
def test_too_many_ways_are_refused(hospital, experiment_of):
    wards = [{"id": name, "capacity": 4, "los_model": EXPONENTIAL} for name in "abcdef"]
    config = hospital(wards, [1] * 6, simulation={"horizon_days": 2, "start": "empty", "replications": 2})
    with pytest.raises(SimulationError, match="in 252 ways, at most 200 are tried; ask for fewer beds or name fewer"):
        bed_allocations(experiment_of(config), extra_beds=5, wards="abcdef")
    with pytest.raises(SimulationError, match="extra_beds 0: allowed are 1 and more"):
        bed_allocations(experiment_of(config), extra_beds=0)
    with pytest.raises(SimulationError, match="harm is empty: name what beds are to prevent, such as waiting_hours"):
        bed_allocations(experiment_of(config), harm={})


def test_of_many_wards_only_those_where_a_bed_helps_are_tried(hospital, experiment_of):
    # one bed each; nobody comes to the first two wards, which a bed more cannot help
    wards = [{"id": name, "capacity": 1, "los_model": EXPONENTIAL} for name in "abcdef"]
    config = hospital(wards, [0, 0, 5, 5, 5, 5], simulation={"overload": "allow", "horizon_days": 2, "start": "empty"})
    tried = bed_allocations(experiment_of(config), extra_beds=5)
    assert set(tried["ward_id"]) >= set("cdef")
    assert tried["rank"].max() == 126  # five beds in five wards


@pytest.mark.integration
def test_unlimited_wards_have_requirements_but_nothing_to_add(hospital, experiment_of):
    ward = {"id": "w", "capacity": None, "los_model": EXPONENTIAL}
    config = hospital([ward], [3], simulation={"horizon_days": 3, "start": "empty", "replications": 50})
    experiment = experiment_of(config)
    requirements = bed_requirements(experiment)
    assert requirements["staffed_beds"].isna().all()
    assert requirements["enough_beds"].notna().all()
    assert beds_effects(experiment).empty
    allocations = bed_allocations(experiment)
    assert allocations.empty
    assert allocation_in_words(allocations) == ""
    assert isinstance(allocations, pd.DataFrame)


@pytest.mark.integration
class TestBedsPercentiles:
    def test_the_census_of_an_erlang_loss_ward(self, hospital, experiment_of):
        """Without a queue the census is a Poisson number, cut at the beds."""
        wards = [{"id": "loss", "capacity": 5, "los_model": EXPONENTIAL, "queue_limit": 0}]
        options = {"horizon_days": 60, "start": "empty", "warmup_days": 30, "replications": 200}
        found = beds_percentiles(experiment_of(hospital(wards, [4], simulation=options)), "loss", sweep=(-1, 0, 3))
        assert found["beds_added"].tolist() == [-1, 0, 3]
        assert found["beds"].tolist() == [4, 5, 8]
        for place, beds in enumerate((4, 5, 8)):
            cut = poisson.cdf(np.arange(beds + 1), 4) / poisson.cdf(beds, 4)
            for percent in (10, 50, 90, 99):
                assert abs(found[f"p{percent}"].iloc[place] - np.argmax(cut >= percent / 100)) <= 1
        assert not found["overloaded"].any()

    def test_effects_of_named_wards_are_those_of_all(self, hospital, experiment_of):
        wards = [{"id": name, "capacity": 3, "los_model": EXPONENTIAL, "queue_limit": 0} for name in ("a", "b")]
        experiment = experiment_of(hospital(wards, [2, 2], simulation={"horizon_days": 7, "replications": 20}))
        every, one = beds_effects(experiment, sweep=(1,)), beds_effects(experiment, sweep=(1,), wards=["b"])
        pd.testing.assert_frame_equal(one, every[every["ward_id"] == "b"].reset_index(drop=True))

    def test_by_default_steps_of_a_twentieth_and_no_ward_without_beds(self, day_clinic, experiment_of):
        experiment = experiment_of(day_clinic(12, replications=20))
        assert beds_percentiles(experiment, "clinic")["beds"].tolist() == [23, 24, 25, *range(26, 34)]
        with pytest.raises(SimulationError, match="no beds can be added to ward 'clinc', allowed"):
            beds_percentiles(experiment, "clinc")
