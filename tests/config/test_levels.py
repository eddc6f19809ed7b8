"""Levels in the hospital's own words: to which rows they belong, where they begin, and every way to get them wrong."""

from typing import Any

import pytest
from hand_made import make_config
from pydantic import ValidationError

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.levels import Level

pytestmark = pytest.mark.unit

WARDS = {"a": {"capacity": 40, "weekday_capacity": {"Sat": 30}}, "b": 10, "c": None}


def with_levels(*levels: dict[str, Any]) -> HospitalConfig:
    return make_config(WARDS, groups={"both": ["a", "b"], "all": ["a", "c"]}, levels=list(levels))


def at(name: str, **keys: Any) -> dict[str, Any]:
    return {"name": name, **keys}


def test_a_level_holds_for_every_ward_unless_it_says_so():
    config = with_levels(
        at("amber", share=0.8),
        at("OPEL 1", beds=45, hospital=True),
        at("red", share=1.0, wards=["b"], hospital=False),
        at("busy", share=0.9, groups=["both"]),
        at("OPEL 2", beds=50, hospital=True),
    )
    ladders = {
        row: [level.name for level in ladder] for row, ladder in zip(config.ward_axis, config.ladders, strict=True)
    }
    # c has no limit, of which there is a share
    assert ladders == {
        "a": ["amber"], "b": ["amber", "red"], "c": [], "both": ["busy"], "all": [], "_hospital": ["OPEL 1", "OPEL 2"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("level", "staffed", "patients"),
    [
        (at("x", share=0.92), 50, 46),
        (at("x", share=0.92), 12, 12),  # 11.04 patients are 12
        (at("x", share=1.0), 12, 12),
        (at("x", share=0.5), 0, 1),  # a closed ward reaches nothing while it is empty
        (at("x", share=0.0), 12, 0),  # always
        (at("x", beds=7), 12, 7),
    ],
)
def test_where_a_level_begins(level: dict[str, Any], staffed: int, patients: int):
    assert Level.model_validate(level).patients(staffed) == patients


@pytest.mark.parametrize(
    ("levels", "place", "what"),
    [
        ([at("x")], "levels.0", "needs share or beds, and one of them only"),
        ([at("x", share=0.5, beds=3)], "levels.0", "needs share or beds, and one of them only"),
        ([at("x", beds=3, wards=["a"], hospital=True)], "levels.0", "one of them only; repeat the level"),
        ([at("x", beds=3, wards=["b", "icu"])], "levels.0.wards.1", "unknown ward 'icu', allowed: a, b, c"),
        ([at("x", beds=3, wards=["b", "b"])], "levels.0.wards.1", "'b' appears twice"),
        ([at("x", beds=3, groups=["bot"])], "levels.0.groups.0", "did you mean 'both'?"),
        ([at("x", share=0.5, wards=["c"])], "levels.0.share", "ward 'c' has unlimited beds"),
        ([at("x", share=0.5, groups=["all"])], "levels.0.share", "ward 'c' has unlimited beds"),
        ([at("x", share=0.5, hospital=True)], "levels.0.share", "ward 'c' has unlimited beds"),
        ([at("x", share=0.5), at("x", share=0.6)], "levels.1.name", "'x' is already a level of a (levels[0])"),
        ([at("x", share=0.5), at("y", share=0.5)], "levels.1", "above 'x' in a: a share of 0.5 after 0.5"),
        ([at("x", beds=9), at("y", beds=8)], "levels.1", "above 'x' in a: 8 beds after 9; list the lowest first"),
        (
            [at("x", beds=30, wards=["a"]), at("y", share=0.9, wards=["a"])],  # above on weekdays alone
            "levels.1", "above 'x' in a: with 30 beds staffed at 27 patients after 30",
        ),
        (
            [at("x", share=0.9, groups=["both"]), at("y", beds=44, groups=["both"])],
            "levels.1", "above 'x' in both: with 50 beds staffed at 44 patients after 45",
        ),
        ([at("_full", beds=3)], "levels.0.name", "found '_full', allowed: a name without _ in front"),
        ([at("OPEL 1 ", beds=3)], "levels.0.name", "found 'OPEL 1 ', allowed: a name without _ in front, or blanks"),
    ],
)  # fmt: skip
def test_wrong_levels_are_named_with_their_place(levels: list[dict[str, Any]], place: str, what: str):
    with pytest.raises(ValidationError) as error:
        with_levels(*levels)
    found = {".".join(map(str, one["loc"])): one["msg"] for one in error.value.errors()}
    assert place in found
    assert what in found[place]


def test_shares_rise_even_where_they_are_the_same_number_of_patients():
    assert len(with_levels(at("x", share=0.91), at("y", share=0.95)).ladders[1]) == 2


@pytest.mark.parametrize("huddle", ["8:00", "08:30", "24:00"])
def test_a_huddle_is_at_a_full_hour(huddle: str):
    with pytest.raises(ValidationError, match="allowed: a full hour of the day from 00:00 to 23:00, such as 08:00"):
        make_config(WARDS, simulation={"huddle": huddle})
    assert make_config(WARDS, simulation={"huddle": "17:00"}).simulation.huddle == "17:00"
