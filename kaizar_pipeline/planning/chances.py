"""Chances in words, and the ward that is most likely to be full in the next days.

The bands are those of the Intergovernmental Panel on Climate Change (Mastrandrea et al. 2010), "about even" in place of
"about as likely as not": a chance whose error does not tell it from 1/2 is about even too.
"""

from collections.abc import Collection

import pandas as pd

from kaizar_pipeline.planning.headline_changes import DAYS

BANDS = ((0.1, "very unlikely"), (1 / 3, "unlikely"), (2 / 3, "about even"), (0.9, "likely"))
"""The chances below which these words hold; those from the last on are very likely."""

LIKELY = ("likely", "very likely")
"""The words of chances that are more than even."""
EVEN = "about even"


def chance_in_words(probability: float, error: float = 0.0) -> str:
    """'likely', for a probability with its standard error."""
    if abs(probability - 0.5) <= 2 * error:
        return EVEN
    return next((words for below, words in BANDS if probability < below), "very likely")


def fullest(ward_days: pd.DataFrame, ward_ids: Collection[str]) -> pd.DataFrame:
    """The rows of ward_days about the next whole dates of the ward that is full on most of them, the most likely date
    first; none where no ward has limited beds."""
    ahead = ward_days["date"] - ward_days["as_of"].dt.ceil("D")
    week = ward_days[ahead.between(pd.Timedelta(0), pd.Timedelta(days=DAYS), inclusive="left")]
    wards = week[week["ward_id"].isin(list(ward_ids)) & week["prob_full_day"].notna()]
    if wards.empty:
        return wards
    ward = wards.groupby("ward_id", sort=False)["prob_full_day"].mean().idxmax()
    return wards[wards["ward_id"] == ward].sort_values("prob_full_day", ascending=False, kind="stable")


def fullest_in_words(ward_days: pd.DataFrame, ward_ids: Collection[str]) -> str:
    """'icu: full at some hour of 34 % of the next 7 days, most likely on Tue 2026-04-07 (likely: 71 %); 12 beds cover
    that day's demand with 70 %, 14 with 90 %, staffed are 11', for the ward that is full on most days."""
    days = fullest(ward_days, ward_ids)
    if days.empty:
        return "no ward with limited beds"
    worst = days.iloc[0]
    now = "full now, and " if pd.notna(worst["full_now"]) and worst["full_now"] else ""
    chance = chance_in_words(worst["prob_full_day"], worst["prob_full_day_se"])
    few, most = worst["staffed_fewest"], worst["staffed_most"]
    mean = days["prob_full_day"].mean()
    return (
        f"{worst['ward_id']}: {now}full at some hour of {mean:.0%} of the next {len(days)} days, "
        f"most likely on {worst['date']:%a %Y-%m-%d} ({chance}: {worst['prob_full_day']:.0%}); {worst['beds_70']} beds "
        f"cover that day's demand with 70 %, {worst['beds_90']} with 90 %, staffed are "
        f"{few if few == most else f'{few} to {most}'}"
    )
