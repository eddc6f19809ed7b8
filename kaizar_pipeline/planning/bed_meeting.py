"""What a bed meeting asks, gathered from the tables of a run: bed_meeting, and the outlook of the next seven dates."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.planning.chances import EVEN, LIKELY, chance_in_words
from kaizar_pipeline.planning.drivers import MONTE_CARLO
from kaizar_pipeline.planning.headline_changes import DAYS
from kaizar_pipeline.tables import ALL, BED_MEETING, WARD_OUTLOOK

NEXT_SNAPSHOT, NEXT_DAY = "until_next_snapshot", "next_24_hours"
"""Windows of ward_flows that a bed meeting looks at."""

_CHANCES = ("likely_days", "about_even_days", "worst_date", "worst_prob", "easiest_date", "easiest_prob")
_IN, _OUT = ("arrivals", "transfers_in"), ("transfers_out", "discharges")


def bed_meeting(
    config: HospitalConfig,
    ward_now: pd.DataFrame,
    ward_flows: pd.DataFrame,
    ward_days: pd.DataFrame,
    occupancy_distributions: pd.DataFrame,
) -> pd.DataFrame:
    """The table of that name."""
    flows = ward_flows[ward_flows["window"].isin([NEXT_SNAPSHOT, NEXT_DAY]) & (ward_flows["urgency"] == ALL)]
    means = flows.pivot(index=["ward_id", "window", "ends"], columns="flow", values="mean")
    net = flows[flows["flow"] == "net"].set_index(["ward_id", "window"])
    found = means.reset_index(level="ends")[["ends"]].copy()
    found["expected_in"] = means[list(_IN)].sum(axis=1).to_numpy()
    found["expected_out"] = means[list(_OUT)].sum(axis=1).to_numpy()
    found["expected_net"] = means["net"].to_numpy()
    found = found.join(net[["p10", "p90"]].add_prefix("net_")).reset_index()
    census = occupancy_distributions[["ward_id", "at", "staffed_beds", "p10", "p50", "p90"]]
    census = census.rename(columns={"at": "ends", "staffed_beds": "staffed_at_end"})
    found = found.merge(census, how="left", on=["ward_id", "ends"], validate="many_to_one")
    for free, used in (("free_p10", "p90"), ("free_p50", "p50"), ("free_p90", "p10")):
        found[free] = found["staffed_at_end"] - found[used]
    today = ward_days[ward_days["date"] == ward_days["date"].min()]
    now = ward_now[["hospital_id", "as_of", "ward_id", "staffed_beds", "in_beds", "waiting"]]
    found = found.merge(today[["ward_id", "kind", "beds_70", "beds_90"]], on="ward_id").merge(now, on="ward_id")
    found["free_now"] = found["staffed_beds"] - found["in_beds"]
    at = ward_days["as_of"].iloc[0]
    found["level_now"] = [
        _level(config, ward, beds, patients, at)
        for ward, beds, patients in zip(found["ward_id"], found["staffed_beds"], found["in_beds"], strict=True)
    ]
    return BED_MEETING.frame(found.drop(columns=["p10", "p50", "p90"]))


def _level(config: HospitalConfig, ward: str, staffed: float, patients: int, at: pd.Timestamp) -> str | None:
    """The highest level that so many patients reach; one by share of unlimited beds is never reached."""
    reached = [
        level.name
        for level in config.levels
        if ward in level.rows(config)
        and (level.share is None or pd.notna(staffed))
        and patients >= level.patients(0 if pd.isna(staffed) else int(staffed))
    ]
    return reached[-1] if reached else None


def ward_outlook(
    config: HospitalConfig,
    ward_days: pd.DataFrame,
    ward_weeks: pd.DataFrame,
    bed_requirements: pd.DataFrame,
    occupancy_drivers: pd.DataFrame,
) -> pd.DataFrame:
    """The table of that name."""
    first = ward_days["date"].min()
    week = ward_days[ward_days["date"] < first + pd.Timedelta(days=DAYS)]
    found = pd.DataFrame([_outlook(rows) for _, rows in week.groupby("ward_id", sort=False)])
    weeks = ward_weeks.loc[ward_weeks["week"] == 1, ["ward_id", "full_days", "share_of_hours_full"]]
    enough = bed_requirements.drop_duplicates("ward_id")[["ward_id", "risk_target", "enough_beds", "staffed_beds"]]
    found = found.merge(weeks, on="ward_id").merge(enough, on="ward_id")
    found = found.merge(_main_driver(occupancy_drivers, week["date"].unique()), how="left", on="ward_id")
    found["hours_full_per_day"] = HOURS_PER_DAY * found["share_of_hours_full"]
    found["beds_short"] = (found["enough_beds"] - found["staffed_beds"]).clip(lower=0)
    position = {ward: index for index, ward in enumerate(config.ward_axis)}
    found = found.sort_values("ward_id", key=lambda ids: ids.map(position)).reset_index(drop=True)
    found["rank"] = _rank(found)
    found = _with_members(found, config, ward_days).drop(columns=["share_of_hours_full", "staffed_beds"])
    return WARD_OUTLOOK.frame(found.assign(hospital_id=config.id, as_of=ward_days["as_of"].iloc[0]))


def _outlook(rows: pd.DataFrame) -> dict[str, object]:
    """What the rows of ward_days of one ward tell together."""
    first = rows.iloc[0]
    found = {
        "ward_id": first["ward_id"],
        "kind": first["kind"],
        "state": "unknown",
        "full_now": first["full_now"],
        "first_date": first["date"],
        "days": len(rows),
        "hours_first_date": first["hours"],
        "staffed_fewest": rows["staffed_fewest"].min(),
        "staffed_most": rows["staffed_most"].max(),
        **dict.fromkeys(_CHANCES),
    }
    limited = rows[rows["prob_full_day"].notna()]
    if len(limited) < len(rows):
        return found
    words = _chances(rows)
    ahead = rows.iloc[1:] if pd.notna(first["full_now"]) and first["full_now"] and len(rows) > 1 else rows
    worst, easiest = ahead.iloc[ahead["prob_full_day"].argmax()], rows.iloc[rows["prob_full_day"].argmin()]
    likely, even = words.isin(LIKELY).sum(), (words == EVEN).sum()
    return found | {
        "state": "likely" if likely else "about_even" if even else "unlikely",
        "likely_days": likely,
        "about_even_days": even,
        "worst_date": worst["date"],
        "worst_prob": worst["prob_full_day"],
        "easiest_date": easiest["date"],
        "easiest_prob": easiest["prob_full_day"],
    }


def _chances(rows: pd.DataFrame) -> pd.Series:
    """The chance of being full at some hour of each day, in words."""
    chances = zip(rows["prob_full_day"], rows["prob_full_day_se"], strict=True)
    return pd.Series([chance_in_words(chance, error) for chance, error in chances], index=rows.index, dtype=object)


def _rank(found: pd.DataFrame) -> pd.Series:
    """1 for the worst of each kind; wards with unlimited beds come last, others equal in the order of the file."""
    order = found.sort_values(["likely_days", "full_days"], ascending=False, kind="stable", na_position="last")
    return order.groupby("kind").cumcount() + 1


def _main_driver(drivers: pd.DataFrame, dates: Sequence[pd.Timestamp] | np.ndarray) -> pd.DataFrame:
    """ward_id, driver, driver_share: the largest part of the variance over the dates, without what is noise alone."""
    parts = drivers[drivers["date"].isin(dates) & (drivers["driver"] != MONTE_CARLO)]
    sums = parts.assign(variance=parts["variance"].clip(lower=0)).groupby(["ward_id", "driver"], sort=False)["variance"]
    variance = sums.sum().reset_index()
    variance["driver_share"] = variance["variance"] / variance.groupby("ward_id")["variance"].transform("sum")
    largest = variance.sort_values("variance", ascending=False, kind="stable").drop_duplicates("ward_id")
    return largest.loc[largest["variance"] > 0, ["ward_id", "driver", "driver_share"]]


def _with_members(found: pd.DataFrame, config: HospitalConfig, ward_days: pd.DataFrame) -> pd.DataFrame:
    """`found` with how many wards of each row are full now, and are likely to be on the first whole date."""
    whole = ward_days[(ward_days["hours"] == ward_days["hours"].max()) & ward_days["ward_id"].isin(config.ward_ids)]
    next_date = whole[(whole["date"] == whole["date"].min()) & whole["prob_full_day"].notna()].set_index("ward_id")
    words, now = _chances(next_date), next_date["full_now"]
    counted = {"members": words.notna(), "members_full_now": now.fillna(False).astype(bool)}
    counted |= {"members_likely": words.isin(LIKELY), "members_about_even": words == EVEN}
    for name, holds in counted.items():
        members = [holds.reindex(list(config.ward_axis[ward]), fill_value=False).sum() for ward in found["ward_id"]]
        found[name] = members
    return found
