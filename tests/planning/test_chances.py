"""Chances in words, and the sentence about the ward that is most likely to be full."""

from typing import Any

import pandas as pd
import pytest

from kaizar_pipeline.planning.chances import chance_in_words, fullest_in_words

pytestmark = pytest.mark.unit

AS_OF = pd.Timestamp("2026-04-06")


@pytest.mark.parametrize(
    ("probability", "error", "words"),
    [
        (0.0, 0.0, "very unlikely"), (0.2, 0.02, "unlikely"), (0.4, 0.02, "about even"), (0.6, 0.0, "about even"),
        (0.7, 0.02, "likely"), (0.7, 0.1, "about even"), (0.95, 0.01, "very likely"), (1.0, 0.0, "very likely"),
    ],
)  # fmt: skip
def test_a_chance_in_words(probability: float, error: float, words: str):
    assert chance_in_words(probability, error) == words


def days(ward: str, chances: list[float | None], **cells: Any) -> pd.DataFrame:
    rows = pd.DataFrame({"ward_id": ward, "as_of": AS_OF, "prob_full_day": chances, "prob_full_day_se": 0.02})
    constants = {"full_now": False, "staffed_fewest": 10, "staffed_most": 11, "beds_70": 9, "beds_90": 12}
    return rows.assign(date=pd.date_range(AS_OF, periods=len(chances)), **{**constants, **cells})


def test_the_ward_that_is_full_on_most_of_the_next_days_is_named_with_its_worst_day():
    # icu has the worst day of all, and the eighth day does not count
    table = pd.concat(
        [days("icu", [0.9, 0.0, 0.0]), days("ed", [0.2, 0.7, 0.6, *[0.5] * 4, 1.0]), days("unlimited", [None] * 8)]
    )
    assert fullest_in_words(table, ["icu", "ed", "unlimited"]) == (
        "ed: full at some hour of 50% of the next 7 days, most likely on Tue 2026-04-07 (likely: 70%); 9 beds cover "
        "that day's demand with 70 %, 12 with 90 %, staffed are 10 to 11"
    )
    assert fullest_in_words(table, ["unlimited"]) == "no ward with limited beds"


def test_a_ward_that_is_full_now_says_so():
    table = days("icu", [1.0, 0.4], full_now=pd.array([True, True], "boolean"), staffed_most=10)
    assert fullest_in_words(table, ["icu"]).startswith("icu: full now, and full at some hour of 70% of the next 2 days")
    assert fullest_in_words(table, ["icu"]).endswith("staffed are 10")
