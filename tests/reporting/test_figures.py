"""What a ward's figures draw: the tables' numbers, labels that never touch, and no number without its source."""

import re
from collections.abc import Iterator
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from figure_reading import bare_digits, tree
from figure_tables import AS_OF, a_risk, a_ward, a_week, cells, quantile, some_flows
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kaizar_pipeline.reporting import figures
from kaizar_pipeline.reporting.figures.day_axis import DayAxis
from kaizar_pipeline.reporting.figures.drawing import area, kept, line, spread, steps, text_width, whole_ticks
from kaizar_pipeline.reporting.numbers import Cells
from kaizar_pipeline.tables import TABLES

pytestmark = pytest.mark.unit

NARROWEST = {"fan": 194, "flows": 194, "week": 104, "risk": 104}
"""Pixels of the narrowest plot of each figure."""

AWKWARD = "Ward <3> & \"Süd\" 'ب'"


def texts(root: ElementTree.Element) -> Iterator[tuple[str, ElementTree.Element]]:
    for element in root.iter("text"):
        yield "".join(element.itertext()), element


def boxes_of(figure: figures.Figure | None, width: float) -> list[tuple[str, float, float, float, float]]:
    """Each text with the left, right, top and bottom of its box on a plot of this width."""
    found = []
    for words, element in texts(tree(figure)):
        long = text_width(words)
        at = float(element.get("x", "0%")[:-1]) * width / 100 + float(element.get("dx", 0))
        begin = at - {"middle": long / 2, "end": long}.get(element.get("text-anchor", ""), 0)
        y = float(element.get("y", 0))
        found.append((words, begin, begin + long, y - 10, y + 2))
    return found


def touching(figure: figures.Figure | None, width: float) -> list[tuple[str, str]]:
    return [
        (a[0], b[0])
        for a, b in combinations(boxes_of(figure, width), 2)
        if min(a[2], b[2]) - max(a[1], b[1]) > 0 and min(a[4], b[4]) - max(a[3], b[3]) > 0
    ]


def path(root: ElementTree.Element, css: str) -> str:
    return "".join(element.get("d", "") for element in root.iter("path") if element.get("class") == css)


def dashes(root: ElementTree.Element, *css: str) -> list[float]:
    """Heights of the level lines of these classes, from the left."""
    found = re.findall(r"M(-?[\d.]+) (-?[\d.]+)H", "".join(path(root, one) for one in css))
    return [float(y) for _, y in sorted(found, key=lambda pair: float(pair[0]))]


def ruler(root: ElementTree.Element) -> tuple[np.ndarray, np.ndarray]:
    """Values and heights of the ticks left of the plot."""
    ticks = [(w, t) for w, t in texts(root) if t.get("class") == "tick" and t.get("dx") == "-6"]
    values = np.array([float(words.removesuffix("\u00a0%").removesuffix(" %")) for words, _ in ticks])
    return values, np.array([float(element.get("y", 0)) - 4 for _, element in ticks])


def inverted(root: ElementTree.Element, heights: list[float]) -> tuple[np.ndarray, float]:
    """The values at these heights by the ticks, and the error of a rounded pixel in them."""
    values, at = ruler(root)
    assert len(values) > 1
    slope = (values[0] - values[-1]) / (at[0] - at[-1])
    return values[0] + (np.array(heights) - at[0]) * slope, abs(slope) * 0.3 + 1e-9


wards = st.builds(
    lambda seed, level, spread, days, back, beds: (
        np.random.default_rng(seed).binomial(level, spread, (days, 9)).tolist(),
        np.random.default_rng(seed + 1).binomial(level, spread, back).tolist(),
        beds,
    ),
    st.integers(0, 10**6),
    st.sampled_from([1, 3, 12, 60, 500, 4000]),
    st.sampled_from([0.02, 0.5, 0.97, 1.0]),
    st.integers(1, 14),
    st.integers(0, 14),
    st.sampled_from([None, 0, 1, 12, 61, 500]),
)


class TestLabels:
    @given(st.lists(st.floats(-50, 200), max_size=8), st.floats(1, 20))
    def test_labels_are_spread_as_far_as_needed_and_no_farther(self, wanted: list[float], gap: float):
        wanted = sorted(wanted)
        places = spread(wanted, gap, 0, 300)
        assert all(b - a >= gap - 1e-9 for a, b in pairwise(places))
        assert all(-1e-9 <= place <= 300 + 1e-9 for place in places)
        if all(place >= 0 for place in wanted) and all(b - a >= gap for a, b in pairwise(wanted)):
            assert places == pytest.approx(wanted)

    def test_two_labels_at_one_place_stand_evenly_around_it(self):
        assert spread([50, 50], 14, 0, 100) == [43, 57]

    def test_what_does_not_fit_reaches_beyond_the_end(self):
        assert spread([0, 0, 0], 14, 0, 20) == [0, 14, 28]

    @given(st.lists(st.tuples(st.floats(0, 100), st.floats(1, 30)), min_size=1, max_size=8))
    def test_labels_along_a_line_that_are_kept_do_not_touch(self, given_spans: list[tuple[float, float]]):
        spans = [(begin, begin + long) for begin, long in given_spans]
        free = kept(spans, 6)
        there = [span for span, fits in zip(spans, free, strict=True) if fits]
        assert free[0]
        assert all(b[0] - a[1] >= 6 or a[0] - b[1] >= 6 for a, b in combinations(there, 2))
        for span, fits in zip(spans, free, strict=True):
            assert fits or any(span[1] + 6 > left and span[0] - 6 < right for left, right in there)

    @given(st.floats(-5, 5000, allow_subnormal=False), st.floats(0.1, 5000), st.integers(2, 6))
    def test_ticks_are_few_whole_and_even(self, low: float, size: float, most: int):
        ticks = whole_ticks(low, low + size, most)
        assert len(ticks) <= most
        assert all(low <= tick <= low + size for tick in ticks)
        assert len(set(np.diff(ticks))) <= 1
        assert len(ticks) >= 2 or size < 5 or most < 4


class TestPaths:
    def test_a_line_is_interrupted_where_nothing_is_known(self):
        assert line([0, 10, 20, 30], [1, 2.5, np.nan, 3]) == "M0 1l10 1.5M30 3"

    def test_rounded_steps_of_a_line_do_not_add_up_to_an_error(self):
        moves = re.findall(r"l(\d+)", line(np.arange(169) * 1000 / 168, np.zeros(169)))
        assert sum(map(int, moves)) == 1000

    def test_a_staircase_turns_only_where_its_height_changes(self):
        assert steps([0, 10, 20, 30], [5, 5, 7]) == "M0 5H20V7H30"
        assert steps([0, 10, 20, 30], [np.nan, 5, np.nan]) == "M10 5H20"

    def test_an_area_has_a_part_for_each_run(self):
        assert area([0, 1, 2, 3], [9, np.nan, 8], [1, 2, 2]) == "M0 1H1V9H0zM2 2H3V8H2z"


class TestDays:
    @given(st.integers(0, 23), st.integers(1, 14))
    def test_columns_lie_in_their_days_and_that_of_today_begins_now(self, hour: int, days: int):
        today = AS_OF.normalize()
        axis = DayAxis(today - pd.Timedelta(days=2), days + 2, today + pd.Timedelta(hours=hour))
        for date in axis.dates():
            left, right = axis.column(date)
            assert axis.x(date) < left < right < axis.x(date + pd.Timedelta(days=1))
            if date == today and hour < 17:
                assert left > axis.x(axis.now)


class TestFan:
    @settings(max_examples=12)
    @given(wards)
    def test_bars_stand_at_the_numbers_of_the_tables_and_labels_do_not_touch(
        self, ward: tuple[list[list[int]], list[int], int | None]
    ):
        peaks, past, beds = ward
        figure = figures.fan(cells(a_ward(peaks, past, beds)), "icu", AWKWARD)
        root = tree(figure)
        assert touching(figure, NARROWEST["fan"]) == []
        assert touching(figure, 500) == []
        assert bare_digits(root) == []
        assume(len(ruler(root)[0]) > 1)
        drawn, error = inverted(root, dashes(root, "f-bar", "f-full"))
        assert drawn == pytest.approx([*past, *(quantile(values, 0.5) for values in peaks)], abs=error)

    def test_bands_are_the_quantiles_of_the_peaks(self):
        peaks = [list(range(1, 41))]
        root = tree(figures.fan(cells(a_ward(peaks, [20] * 14, 50)), "icu", "ICU"))
        for css, (low, high) in {"f-narrow": (10, 30), "f-interval": (4, 36), "f-wide": (1, 39)}.items():
            [edges] = re.findall(r"M\d+ ([\d.]+)H\d+V([\d.]+)", path(root, css))
            drawn, error = inverted(root, [float(edge) for edge in edges])
            assert drawn == pytest.approx([high + 0.5, low - 0.5], abs=error)

    def test_full_days_and_days_likely_full_are_thick(self):
        tables = a_ward([[9] * 9, [9] * 9], [8, 9], 9, chance=0.8)
        root = tree(figures.fan(cells(tables), "icu", "ICU"))
        assert (len(dashes(root, "f-full")), len(dashes(root, "f-bar"))) == (3, 1)

    def test_the_caption_names_the_day_that_is_most_likely_full(self):
        tables = a_ward([[3] * 9, [5] * 9], [4], 6)
        tables["ward_days"]["prob_full_day"] = [0.1, 0.3]
        figure = figures.fan(cells(tables), "icu", "ICU")
        assert figure is not None
        assert str(figure.finding) == "full most likely on Sun 29\u00a0Nov: 30\u00a0%"
        assert "data-of='ward_days.prob_full_day/icu/2026-11-29'" in figure.finding.__html__()

    def test_a_ward_without_a_number_of_beds_has_no_line(self):
        figure = figures.fan(cells(a_ward([[3] * 9], [4], None)), "icu", "ICU")
        assert figure is not None
        assert (path(tree(figure), "f-staffed"), str(figure.finding)) == (
            "",
            "no number of staffed beds is set; most in bed on Sat 28\u00a0Nov: 3 to 3",
        )

    def test_fewer_beds_at_weekends_are_said_so(self):
        tables = a_ward([[3] * 9] * 9, [], 44)
        weekend = tables["ward_days"]["date"].dt.day_of_week >= 5
        for column in ("staffed_fewest", "staffed_most"):
            tables["ward_days"][column] = np.where(weekend, 40, 44)
        words = [words for words, _ in texts(tree(figures.fan(cells(tables), "icu", "ICU")))]
        assert "44 staffed, 40 at weekends" in words

    def test_hidden_days_are_not_drawn(self):
        tables, day = a_ward([[3] * 9, [5] * 9, [6] * 9], [4], 9), AS_OF.normalize() + pd.Timedelta(days=1)
        hidden = frozenset(
            [("ward_days", f"peak_p{q}", ("baseline", "icu", day)) for q in (10, 50, 90)]
            + [("ward_history_days", "peak", ("icu", AS_OF.normalize() - pd.Timedelta(days=1)))]
        )
        root = tree(figures.fan(cells(tables, hidden), "icu", "ICU"))
        assert len(dashes(root, "f-bar", "f-full")) == 2
        assert path(root, "f-wide").count("z") == 2


class TestWeek:
    @settings(max_examples=8)
    @given(
        st.integers(0, 10**6),
        st.sampled_from([0.4, 3.0, 40.0, 900.0]),
        st.sampled_from([None, 1, 8, 45, 1200]),
    )
    def test_labels_do_not_touch_and_no_number_lacks_its_source(self, seed: int, level: float, staffed: int | None):
        mean = level * np.random.default_rng(seed).uniform(0.5, 1, 168)
        figure = figures.week(cells(a_week("icu", mean, staffed=staffed)), "icu", AWKWARD)
        assert touching(figure, NARROWEST["week"]) == []
        assert bare_digits(tree(figure)) == []

    def test_the_fullest_and_the_emptiest_hour_are_named(self):
        mean = np.full(168, 20.0)
        mean[17], mean[167] = 31, 9
        figure = figures.week(cells(a_week("icu", mean, staffed=40)), "icu", "ICU")
        assert figure is not None
        assert str(figure.finding) == "fullest Mon 17:00, 31 in bed; emptiest Sun 23:00, 9"

    def test_a_week_that_hardly_changes_is_said_so(self):
        figure = figures.week(cells(a_week("icu", np.linspace(20, 23, 168), staffed=40)), "icu", "ICU")
        assert figure is not None
        assert str(figure.finding) == "hardly changes over the week: 20 to 23 in bed"
        assert list(tree(figure).iter("circle")) == []

    def test_staffed_beds_are_those_of_the_weeks_of_the_profile(self):
        tables = a_week("icu", np.full(168, 9.0), staffed=10)
        tables["occupancy_distributions"]["staffed_beds"] = np.repeat([10, 14, 14], 168)
        words = [words for words, _ in texts(tree(figures.week(cells(tables), "icu", "ICU")))]
        assert "14 staffed" in words


class TestRisk:
    @settings(max_examples=12)
    @given(
        st.lists(st.floats(0, 1), min_size=2, max_size=80),
        st.none() | st.integers(0, 90),
        st.none() | st.integers(0, 79),
    )
    def test_labels_do_not_touch_and_no_number_lacks_its_source(
        self, steps_up: list[float], staffed: int | None, enough: int | None
    ):
        covered = (np.cumsum(steps_up) / max(np.sum(steps_up), 1e-9)).clip(0, 1).tolist()
        figure = figures.risk(cells(a_risk("icu", covered, staffed, enough)), "icu", AWKWARD)
        assert touching(figure, NARROWEST["risk"]) == []
        assert bare_digits(tree(figure)) == []

    def test_marks_lie_on_the_curve(self):
        tables = a_risk("icu", [0, 0.2, 0.55, 0.8, 0.92, 1], 2, 4)
        figure = figures.risk(cells(tables), "icu", "ICU")
        assert figure is not None
        heights = [float(mark.get("cy", 0)) for mark in tree(figure).iter("circle")]
        drawn, error = inverted(tree(figure), heights)
        assert drawn == pytest.approx([45, 8], abs=error)
        assert str(figure.finding) == (
            "2 staffed cover demand on 55\u00a0% of days; 4 (4 to 5) beds are short on at most 10\u00a0%"
        )

    def test_an_interval_without_an_upper_end_is_open(self):
        tables = a_risk("icu", [0, 0.2, 0.55, 0.8, 0.92, 1], 2, 4)
        tables["bed_requirements"]["enough_high"] = None
        figure = figures.risk(cells(tables), "icu", "ICU")
        assert figure is not None
        assert str(figure.finding).endswith("4 (4 or more) beds are short on at most 10\u00a0%")


class TestFlows:
    def test_a_day_of_which_a_part_is_not_known_has_no_bar_that_looks_like_the_whole(self):
        tables = some_flows("icu", [(3, 2, 1, 2), (3, 2, 1, 2), (3, 2, 1, 2)], days_back=1)
        whole = figures.flows(cells(tables), "icu", "ICU")
        first = (tables["observed_flows"]["flow"] == "arrivals", "count")
        tables["observed_flows"].loc[first] = None
        part = figures.flows(cells(tables), "icu", "ICU")
        assert whole is not None
        assert part is not None
        bars = [str(figure.svg).split("f-interval' d='")[1].split("'")[0].count("z") for figure in (whole, part)]
        assert bars == [3, 2]

    @settings(max_examples=12)
    @given(
        st.lists(st.tuples(*[st.integers(0, 40)] * 4), min_size=1, max_size=28),
        st.integers(0, 14),
        st.sampled_from([1, 30]),
    )
    def test_labels_do_not_touch_and_no_number_lacks_its_source(
        self, moves: list[tuple[int, int, int, int]], back: int, factor: int
    ):
        assume(back < len(moves) <= back + 14)
        many = [tuple(factor * count for count in day) for day in moves]
        figure = figures.flows(cells(some_flows("icu", many, back)), "icu", AWKWARD)
        assert touching(figure, NARROWEST["flows"]) == []
        assert bare_digits(tree(figure)) == []

    def test_bars_and_net_are_those_of_the_tables(self):
        moves = [(5, 2, 1, 3), (8, 0, 0, 4), (2, 2, 3, 3)]
        root = tree(figures.flows(cells(some_flows("icu", moves, 1)), "icu", "ICU"))
        values, at = ruler(root)
        zero = at[list(values).index(0)]
        slope = values[at.argmin()] / (zero - at.min())
        net = [(zero - y) * slope for y in dashes(root, "f-bar")]
        assert net == pytest.approx([3, 4, -2], abs=0.05)
        outer = re.findall(r"M\d+ ([\d.]+)H\d+V([\d.]+)", path(root, "f-interval"))
        tops = sorted({round((zero - float(y)) * slope, 1) for pair in outer for y in pair})
        assert tops == pytest.approx([-6, -4, -3, 2, 4, 5, 7], abs=0.05)

    def test_the_whole_days_of_the_greatest_change_are_named(self):
        moves = [(90, 0, 0, 1), (8, 0, 0, 4), (2, 2, 3, 3)]
        figure = figures.flows(cells(some_flows("icu", moves, 0)), "icu", "ICU")
        assert figure is not None
        assert str(figure.finding) == (
            "fills most on Sun 29\u00a0Nov (net +4.0), empties most on Mon 30\u00a0Nov (−2.0)"
        )


class TestAll:
    def test_without_tables_there_is_no_figure(self):
        nothing = Cells({}, TABLES)
        for figure in (figures.fan, figures.week, figures.risk, figures.flows):
            assert figure(nothing, "icu", "ICU") is None

    def test_names_are_escaped_and_no_element_has_an_id(self):
        tables = a_ward([[3] * 9], [4], 5) | a_week("icu", np.full(168, 3.0)) | a_risk("icu", [0.5, 1], 1, 1)
        of = cells(tables | some_flows("icu", [(1, 1, 1, 1)], 0))
        for draw in (figures.fan, figures.week, figures.risk, figures.flows):
            root = tree(draw(of, "icu", AWKWARD))
            [image] = [element for element in root.iter("svg") if element.get("role") == "img"]
            assert image.get("aria-label", "").startswith(AWKWARD)
            assert all("id" not in element.attrib for element in root.iter())

    def test_every_class_is_in_the_style_sheet(self):
        css = figures.style()
        assert all(name in css for name in (".f-fan", ".f-week", ".f-risk", ".f-flows", ".f-full", ".f-staffed"))
