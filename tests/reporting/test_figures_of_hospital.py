"""What the figures of a whole hospital show: scenarios, and how good past forecasts were."""

import re
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from figure_reading import bare_digits, tree
from figure_tables import AS_OF, cells
from hypothesis import given, settings
from hypothesis import strategies as st

from kaizar_pipeline.reporting import figures
from kaizar_pipeline.reporting.numbers import Cells
from kaizar_pipeline.tables import TABLES

pytestmark = pytest.mark.unit

AWKWARD = "Ward <3> & \"Süd\" 'ب'"


def rows(root: ElementTree.Element) -> dict[str, ElementTree.Element]:
    """The rows by their names."""
    return {name.text or "": row for row in root.iter("li") for name in row.iter("bdi")}


def points(root: ElementTree.Element, css: str) -> list[float]:
    """Heights of the dots of these classes."""
    path = "".join(element.get("d", "") for element in root.iter("path") if element.get("class") == css)
    return [float(y) for y in re.findall(r"M\d+ ([\d.]+)h0", path)]


def values(row: ElementTree.Element) -> str:
    [found] = [element for element in row if element.get("class") == "f-values"]
    return "".join(found.itertext())


def compared(differences: dict[str, tuple[float, float, float]], kpi: str = "left", **more: Any) -> Cells:
    """Scenarios with a difference and its interval."""
    frame = pd.DataFrame(
        [
            {"scenario": name, "difference": difference, "low": low, "high": high}
            for name, (difference, low, high) in differences.items()
        ]
    ).assign(ward_id="_hospital", kpi=kpi, unit="patients", baseline=30.0, **more)
    return cells({"scenario_comparison": frame})


def scored(coverage: dict[str, dict[int, float]], crps: dict[str, tuple[float, float, float]]) -> Cells:
    """Scores at 8:00 by ward: coverage by week, and the miss of the forecast, the weekday mean and of no change."""
    methods = ("twin", "weekday", "persistence")
    frame = pd.DataFrame(
        [
            {"ward_id": ward, "method": method, "lead_week": week, "crps": miss, "coverage80": held}
            for ward, weeks in coverage.items()
            for method, miss in zip(methods, crps[ward], strict=True)
            for week, held in weeks.items()
        ]
    )
    return cells({"occupancy_scores": frame.assign(hour=8, n=84, coverage80_low=0.6, coverage80_high=0.95)})


class TestForest:
    def test_those_that_help_stand_first_and_on_a_scale_of_their_own(self):
        of = compared({"closed": (25.0, 24, 26), "more_beds": (-0.5, -0.7, -0.3), "sooner": (-0.2, -0.4, -0.1)})
        root = tree(figures.forest(of, "left", {"closed": "Beds closed", "more_beds": AWKWARD}))
        assert list(rows(root)) == [AWKWARD, "sooner", "Beds closed"]
        groups = [li.text for li in root.iter("li") if li.get("class") == "f-group"]
        assert groups == ["better", "worse"]
        [dot] = list(rows(root)["sooner"].iter("circle"))
        assert float(dot.get("cx", "")[:-1]) == pytest.approx(100 * (0.95 - 0.9 * 0.2 / 0.7), abs=0.1)
        assert values(rows(root)["sooner"]) == "−0.2 (−0.4 to −0.1)"

    def test_a_difference_that_may_be_none_is_said_so(self):
        figure = figures.forest(compared({"a": (0.5, -0.2, 1.2)}), "left", {})
        assert figure is not None
        assert str(figure.finding) == "no scenario makes a clear difference"

    def test_the_caption_names_the_scenarios(self):
        figure = figures.forest(compared({"a": (-5, -6, -4), "b": (9, 8, 10)}), "left", {"a": "More beds"})
        assert figure is not None
        assert str(figure.finding) == "More beds helps most (−5.0), b does most harm (+9.0)"
        assert "<bdi>More beds</bdi>" in figure.finding.__html__()

    def test_more_patients_are_neither_better_nor_worse(self):
        root = tree(figures.forest(compared({"a": (5, 4, 6)}, "requests"), "requests", {}))
        assert [li.text for li in root.iter("li") if li.get("class") == "f-group"] == ["more"]
        assert [dot.get("class") for dot in root.iter("circle")] == ["f-more"]

    def test_shares_are_shown_in_points(self):
        of = compared({"a": (-0.012, -0.02, -0.004)}, "hours_full_share", overloaded=True)
        of.frames["scenario_comparison"]["unit"] = "share"
        root = tree(figures.forest(of, "hours_full_share", {}))
        assert values(rows(root)["a"]) == "−1.2 points (−2.0 to −0.4), beds do not suffice"

    @settings(max_examples=25)
    @given(st.lists(st.tuples(st.floats(-900, 900), st.floats(0, 500)), min_size=1, max_size=5))
    def test_marks_stay_inside_and_no_number_lacks_its_source(self, found: list[tuple[float, float]]):
        of = compared({f"s{i}": (middle, middle - half, middle + half) for i, (middle, half) in enumerate(found)})
        root = tree(figures.forest(of, "left", {}))
        assert bare_digits(root) == []
        places = [
            float(value[:-1]) for element in root.iter() for name in ("x", "x1", "x2", "cx")
            if (value := element.get(name))
        ]  # fmt: skip
        assert all(0 <= place <= 100 for place in places)


class TestAccuracy:
    def test_intervals_that_held_too_seldom_are_named_and_marked(self):
        of = scored({"a": {0: 0.5, 1: 0.5, 2: 0.8}, "b": {0: 0.8, 1: 0.8}}, {"a": (1, 2, 3), "b": (1, 2, 3)})
        figure = figures.coverage(of, {"a": "Ward 3", "b": "B"})
        assert figure is not None
        assert str(figure.finding) == "too narrow: Ward 3"
        marks = {name: [dot.get("class") for dot in row.iter("circle")] for name, row in rows(tree(figure)).items()}
        assert marks == {"Ward 3": ["f-worse"], "B": []}
        assert len(points(tree(figure), "f-points f-large")) == 2
        assert values(rows(tree(figure))["Ward 3"]) == "50\u00a0% of 84"
        assert bare_digits(tree(figure)) == []

    def test_where_the_weekday_mean_was_closer_is_said_so(self):
        of = scored({"a": {1: 0.8}, "b": {1: 0.8}}, {"a": (2.5, 2.25, 4), "b": (1, 2, 3)})
        figure = figures.errors(of, {"a": AWKWARD, "b": "B"})
        root = tree(figure)
        assert figure is not None
        assert str(figure.finding) == f"the weekday mean was closer for {AWKWARD}"
        assert values(rows(root)[AWKWARD]) == "2.50 beds, weekday mean 2.25 closer"
        assert values(rows(root)["B"]) == "1.00 beds, weekday mean 2.00"
        assert bare_digits(root) == []

    def test_marks_stand_at_the_misses(self):
        of = scored({"a": {1: 0.8}, "b": {1: 0.8}}, {"a": (1, 2, 4), "b": (0.5, 2, 3)})
        root = tree(figures.errors(of, {"a": "A", "b": "B"}))
        this = [float(row.findall("svg/circle")[-1].get("cx", "")[:-1]) for row in rows(root).values()]
        assert this[0] - 1 == pytest.approx(2 * (this[1] - 1), abs=0.2)

    def test_wards_that_were_not_scored_are_left_out(self):
        of = scored({"a": {0: 0.8, 1: 0.8}}, {"a": (1, 2, 3)})
        for draw in (figures.coverage, figures.errors):
            assert list(rows(tree(draw(of, {"a": "A", "new": "New"})))) == ["A"]


def said(chances: list[float], happened: list[bool], origins: int = 12) -> Cells:
    """Chances of being full of a ward, spread over days far apart."""
    at = [AS_OF - pd.Timedelta(days=30 * (1 + i % origins)) for i in range(len(chances))]
    frame = pd.DataFrame({"ward_id": "icu", "level": "_full", "probability": chances, "happened": happened})
    frame["origin"], frame["date"] = at, [o.normalize() + pd.Timedelta(days=1 + i) for i, o in enumerate(at)]
    outlook = pd.DataFrame({"ward_id": ["icu"], "kind": ["ward"], "rank": [1]})
    return cells({"full_backtest": frame, "ward_outlook": outlook})


class TestReliability:
    def test_dots_stand_at_the_chance_and_the_share_that_came_true(self):
        root = tree(figures.reliability(said([0.25] * 40 + [0.75] * 40, ([True] + [False] * 3) * 10 + [True] * 40)))
        dots = [(float(dot.get("cx", "")[:-1]), float(dot.get("cy", ""))) for dot in root.iter("circle")]
        assert [x for x, _ in dots] == [25, 75]
        assert [y for _, y in dots] == pytest.approx([20 + 150 * 0.75, 20])
        assert bare_digits(root) == []

    def test_bins_with_few_days_are_not_shown(self):
        assert list(tree(figures.reliability(said([0.25] * 9, [True] * 9))).iter("circle")) == []

    def test_chances_that_are_too_low_are_said_so(self):
        random = np.random.default_rng(1)
        figure = figures.reliability(said([0.2] * 120, (random.random(120) < 0.6).tolist()))
        assert figure is not None
        assert str(figure.finding) == "wards were full more often than forecast"


class TestArrivals:
    def test_the_last_forecast_is_drawn_beside_what_was_observed(self):
        origin = pd.Timestamp("2026-10-22")
        days = pd.DataFrame({"stream_id": "walk_in", "method": "model", "origin": origin, "h": np.arange(1, 29)})
        days["target_date"] = origin + pd.to_timedelta(days["h"], unit="D")
        days["actual"], days["mean"], days["p10"], days["p90"] = days["h"], 10.0, 6.0, 14.0
        scores = pd.DataFrame({"stream_id": "walk_in", "method": ["model", "calendar_glm"], "rank": [2, 1]})
        scores = scores.assign(span="day", horizon_week=0, coverage80=0.8)
        older = days.assign(origin=origin - pd.Timedelta(days=28), actual=999)
        of = cells({"forecast_backtest": pd.concat([older, days]), "forecast_scores": scores})
        figure = figures.arrivals(of, {"walk_in": "Walk-in", "closed": "Closed"})
        assert figure is not None
        assert str(figure.finding) == "the calendar alone was closer for Walk-in"
        [row] = rows(tree(figure)).values()
        heights = points(row, "f-points")
        assert len(heights) == 28
        assert np.allclose(np.diff(heights), np.diff(heights)[0], atol=0.11)
        assert bare_digits(tree(figure)) == []


def test_without_tables_there_is_no_figure():
    nothing = Cells({}, TABLES)
    for figure in (figures.coverage, figures.errors, figures.arrivals):
        assert figure(nothing, {"icu": "ICU"}) is None
    assert figures.reliability(nothing) is None
    assert figures.forest(nothing, "left", {}) is None
