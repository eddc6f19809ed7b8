"""What the page says of wards with given chances of being full, word by word."""

import pandas as pd
import pytest
from told_wards import SUNDAY, Told, told_cells

from kaizar_pipeline.reporting.numbers import Cells
from kaizar_pipeline.reporting.sentences import Outlook, days_in_ten, headline, hospital_sentence, ranked
from kaizar_pipeline.reporting.words import letters, listed, on_days
from kaizar_pipeline.tables import TABLES

pytestmark = pytest.mark.unit

WEEK = list(pd.date_range(SUNDAY, periods=7))
FINE, EVEN, LIKELY = 0.05, 0.4, 0.8


def said(told: Told, hour: int = 0) -> str:
    cells, config = told_cells({"icu": told}, told, hour)
    return str(Outlook(cells, config, "icu").sentence()).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ([0], "today"),
        ([1], "on Monday"),
        ([0, 1], "today and Monday"),
        ([1, 3, 5], "on Monday, Wednesday and Friday"),
        ([0, 1, 2, 3], "today to Wednesday"),
        ([1, 3, 4, 5], "on Monday and Wednesday to Friday"),
        ([0, 1, 2, 4, 5, 6], "every day but Wednesday"),
        (range(7), "every day"),
    ],
)
def test_days_are_listed_as_people_do(days: list[int], words: str):
    assert on_days([WEEK[day] for day in days], WEEK) == words


def test_a_single_day_is_not_every_day():
    assert on_days(WEEK[:1], WEEK[:1]) == "today"


def test_a_ward_that_will_likely_be_full():
    told = Told((FINE, LIKELY, EVEN, EVEN, FINE, FINE, FINE), staffed=10, in_beds=8, enough=13)
    assert said(told) == (
        "8 of 10 staffed beds are taken, 2 free. Likely to be full at some hour on Monday; about even on Tuesday and "
        "Wednesday. Worst: Monday (80 %); easiest: today (5 %). 13 beds cover demand on 9 days in 10, 3 more."
    )


def test_a_ward_that_is_full_now_and_most_days():
    told = Told((1.0, LIKELY, LIKELY, EVEN, LIKELY, LIKELY, LIKELY), 13, 13, 17, waiting=2, hours_full=0.25)
    assert said(told) == (
        "All 13 staffed beds are taken; 2 waiting for a bed. Likely to be full at some hour every day but Wednesday; "
        "about even on Wednesday. Worst after today: Monday (80 %); easiest: Wednesday (40 %). It is full for "
        "about 6.0 hours a day. 17 beds cover demand on 9 days in 10, 4 more."
    )


def test_a_ward_with_more_patients_than_beds_and_fewer_beds_at_a_weekend():
    told = Told((1.0, EVEN, FINE, FINE, FINE, FINE, FINE), 10, 11, 12, fewest={6: 8})
    assert said(told) == (
        "11 patients are in 10 staffed beds. Likely to be full at some hour today; about even on Monday. Worst after "
        "today: Monday (40 %); easiest: Tuesday (5 %). Only 8 beds are staffed on Saturday. 12 beds cover demand on 9 "
        "days in 10, 4 more than the fewest staffed."
    )


def test_a_ward_that_is_fine():
    told = Told((0.0, 0.002, FINE, FINE, FINE, FINE, FINE), 10, 0, 7)
    assert said(told, hour=8) == (
        "0 of 10 staffed beds are taken, 10 free. Full at some hour is unlikely on every day. Worst: Tuesday (5 %); "
        "easiest: today (0 %). The staffed beds cover demand on 9 days in 10."
    )


def test_a_ward_without_limit_is_not_said_to_be_fine():
    told = Told((0.0,) * 7, staffed=None, in_beds=9, enough=None)
    assert said(told) == "9 in bed. No number of staffed beds is set, so nothing can be said of being full."


def test_a_hospital_with_limited_beds_in_some_wards_is_not_said_to_have_none():
    wards = {"a": Told((FINE,)), "open": Told((0.0,), staffed=None, enough=None)}
    cells, config = told_cells(wards, Told((0.0,), staffed=None, in_beds=14, enough=None))
    words = "14 in bed. Some wards have no number of staffed beds, so nothing can be said of being full."
    assert str(hospital_sentence(cells, config)) == words


def test_without_a_table_no_sentence_says_what_it_would_tell():
    cells, config = told_cells({"a": Told((FINE, LIKELY, FINE)), "b": Told((FINE,) * 3)}, Told((FINE,) * 3))
    frames = {name: frame for name, frame in cells.frames.items() if name == "ward_outlook"}
    alone = Cells(frames, TABLES)
    assert str(headline(alone, config)) == "a will likely be full at some hour on Monday"
    assert str(Outlook(alone, config, "a").sentence()).replace("\u00a0", " ") == (
        "How many are in bed now is not known. Worst: Monday (80 %); easiest: today (5 %). The staffed beds cover "
        "demand on 9 days in 10."
    )


def test_a_chance_that_its_error_does_not_tell_from_a_half_is_about_even():
    cells, config = told_cells({"icu": Told((0.51,) * 7)}, Told((0.51,) * 7))
    assert Outlook(cells, config, "icu").state == "about_even"


@pytest.mark.parametrize(
    ("wards", "hour", "words"),
    [
        (
            {"a": (EVEN, LIKELY), "b": (FINE, LIKELY), "c": (FINE, FINE)},
            8,
            "Two of three wards will likely be full at some hour on Monday",
        ),
        ({"a": (FINE, EVEN, LIKELY), "b": (FINE, FINE, FINE)}, 8, "a will likely be full at some hour on Tuesday"),
        (
            {"a": (FINE, EVEN), "b": (FINE, FINE)},
            0,
            "No ward is likely to be full on any one of the next 2 days; a comes nearest, on Monday",
        ),
        ({"a": (FINE, FINE), "b": (FINE, FINE)}, 0, "No ward is likely to be full on any one of the next 2 days"),
        ({"a": (LIKELY,)}, 0, "a will likely be full at some hour today"),
    ],
)
def test_the_headline_says_the_next_thing_that_matters(wards: dict[str, tuple[float, ...]], hour: int, words: str):
    told = {ward: Told(chances) for ward, chances in wards.items()}
    cells, config = told_cells(told, Told((FINE,) * max(map(len, wards.values()))), hour)
    assert str(headline(cells, config)) == words


@pytest.mark.parametrize(
    ("hour", "words"),
    [
        (0, "One of two wards is full now"),
        (8, "One of two wards is full now, one will likely be at some hour on Monday"),
    ],
)
def test_a_ward_that_is_full_now_comes_first(hour: int, words: str):
    wards = {"a": Told((1.0, FINE), in_beds=10), "b": Told((FINE, LIKELY))}
    cells, config = told_cells(wards, Told((FINE, FINE)), hour)
    assert str(headline(cells, config)) == words


def test_no_headline_is_about_beds_that_have_no_limit():
    unlimited = Told((0.0, 0.0), staffed=None, enough=None)
    cells, config = told_cells({"a": unlimited}, unlimited)
    assert str(headline(cells, config)) == "No number of staffed beds is set, so nothing can be said of being full"


def test_the_hospital_is_told_apart_from_its_wards():
    cells, config = told_cells({"a": Told((FINE, LIKELY)), "b": Told((FINE, FINE))}, Told((0.0, 0.004), 20, 10, 18))
    assert str(hospital_sentence(cells, config)).replace("\u00a0", " ") == (
        "10 of 20 staffed beds are taken, 10 free. That all are taken at once is very unlikely: at most <1 %, on "
        "Monday. Beds run short ward by ward, not in the hospital as a whole. The staffed beds cover demand on 9 days "
        "in 10."
    )


def test_wards_come_worst_first_and_those_without_limit_last():
    wards = {
        "open": Told((0.0,), None, enough=None),
        "fine": Told((FINE,)),
        "bad": Told((LIKELY,)),
        "even": Told((EVEN,)),
    }
    cells, _ = told_cells(wards, Told((0.0,), None, enough=None))
    assert ranked(cells) == ["bad", "even", "fine", "open"]


@pytest.mark.parametrize(
    ("risk", "words"),
    [(0.1, "9 days in 10"), (0.2, "8 days in 10"), (0.05, "95\u00a0% of days"), (0.0, "10 days in 10")],
)
def test_a_risk_is_told_as_what_is_covered(risk: float, words: str):
    assert days_in_ten(risk) == words


@pytest.mark.parametrize(
    ("levels", "signs"),
    [
        (["green", "amber", "red"], ["G", "A", "R"]),
        (["last bed", "low beds"], ["LB", "lo"]),
        (["OPEL 1", "OPEL 2"], ["O1", "O2"]),
        (["black", "blue"], ["bla", "blu"]),
        (["Amber", "alert"], ["Am", "al"]),
        (["Stage 1a", "Stage 1b", "a very long name"], ["L1", "L2", "L3"]),
        ([], []),
    ],
)
def test_each_level_has_a_sign_of_its_own(levels: list[str], signs: list[str]):
    found = list(letters(levels).values())
    assert len(set(found)) == len(levels)
    if levels != ["last bed", "low beds"]:
        assert found == signs


def test_lists_end_with_and():
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
