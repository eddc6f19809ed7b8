"""What is hidden beside small numbers: exact stories, and the law that no hidden number is determined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kaizar_pipeline.reporting.disclosure import determined, protected

pytestmark = pytest.mark.unit

Sum = dict[str, int]

TOTAL: Sum = {"hospital": 1, "icu": -1, "surgical": -1, "medical": -1}


def test_with_one_small_number_the_smallest_other_is_hidden():
    values = {"hospital": 60, "icu": 3, "surgical": 12, "medical": 45}
    assert determined([TOTAL], {"icu"}) == {"icu"}
    assert protected(values, [TOTAL], {"icu"}) == {"icu", "surgical"}


def test_two_small_numbers_hide_each_other():
    assert protected({"hospital": 50, "icu": 3, "surgical": 2, "medical": 45}, [TOTAL], {"icu", "surgical"}) == {
        "icu",
        "surgical",
    }


def test_a_zero_hides_nothing():
    values = {"hospital": 48, "icu": 3, "surgical": 0, "medical": 45}
    assert protected(values, [TOTAL], {"icu"}) == {"icu", "medical"}


def test_where_sums_together_tell_a_number_one_more_is_hidden():
    sums: list[Sum] = [{"a": 1, "b": 1, "both": -1}, {"a": 1, "b": -1, "difference": -1}]
    values = {"a": 3, "b": 2, "both": 5, "difference": 1}
    assert determined(sums, {"a", "b"}) == {"a", "b"}
    assert protected(values, sums, {"a", "b"}) == {"a", "b", "difference"}


def test_a_number_between_two_equal_ones_is_not_hidden_alone():
    chain = ["7 nights", "14 nights", "21 nights"]
    values = {"7 nights": 6, "14 nights": 6, "21 nights": 6, "other": 3, "total": 9}
    sums: list[Sum] = [{"total": 1, "14 nights": -1, "other": -1}]
    assert protected(values, sums, {"other"}, [chain]) == {"other", "14 nights", "21 nights"}


@st.composite
def hospitals(draw: st.DrawFn) -> tuple[dict[str, int], list[Sum]]:
    """Wards in groups and a hospital, over days that flows connect, with all sums that hold between them."""
    wards, days = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    groups = draw(st.lists(st.sets(st.integers(0, wards - 1), min_size=1), max_size=2))
    rows = (
        {f"w{w}": {w} for w in range(wards)} | {f"g{i}": g for i, g in enumerate(groups)} | {"all": set(range(wards))}
    )
    small = st.integers(0, 9)
    values: dict[str, int] = {}
    sums: list[Sum] = []
    census = [draw(small) for _ in range(wards)]
    for day in range(days + 1):
        of_day = {"census": census}
        if day < days:
            came, left = ([draw(small) for _ in range(wards)] for _ in range(2))
            of_day |= {"came": came, "left": left, "net": [c - g for c, g in zip(came, left, strict=True)]}
            census = [n + step for n, step in zip(census, of_day["net"], strict=True)]
        for name, numbers in of_day.items():
            for row, members in rows.items():
                values[f"{name} {row} {day}"] = sum(numbers[w] for w in members)
                if row[0] != "w":
                    sums.append({f"{name} {row} {day}": 1} | {f"{name} w{w} {day}": -1 for w in members})
        for row in rows if day < days else ():
            net = f"net {row} {day}"
            sums.append({f"came {row} {day}": 1, f"left {row} {day}": -1, net: -1})
            sums.append({f"census {row} {day}": 1, net: 1, f"census {row} {day + 1}": -1})
    return values, sums


def by_rank(sums: list[Sum], hidden: list[str]) -> set[str]:
    """The same as `determined`, by the ranks of matrices."""
    matrix = np.array([[one.get(number, 0) for number in hidden] for one in sums]).reshape(len(sums), len(hidden))
    rank = np.linalg.matrix_rank(matrix) if hidden else 0
    units = np.eye(len(hidden))
    return {
        n for n, unit in zip(hidden, units, strict=True) if np.linalg.matrix_rank(np.vstack([matrix, unit])) == rank
    }


@given(hospitals(), st.integers(2, 8))
def test_no_hidden_number_is_determined_by_those_that_are_shown(found: tuple[dict[str, int], list[Sum]], limit: int):
    values, sums = found
    assert all(sum(factor * values[number] for number, factor in one.items()) == 0 for one in sums)
    small = {number for number, value in values.items() if 0 < abs(value) < limit and "net" not in number}
    hidden = protected(values, sums, small)
    assert small <= hidden
    assert by_rank(sums, sorted(hidden)) == set()
    assert all(values[number] for number in hidden)


@given(hospitals(), st.data())
def test_elimination_finds_what_ranks_find(found: tuple[dict[str, int], list[Sum]], data: st.DataObject):
    values, sums = found
    hidden = sorted(data.draw(st.sets(st.sampled_from(sorted(values)), max_size=20)))
    assert determined(sums, hidden) == by_rank(sums, hidden)
