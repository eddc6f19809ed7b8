"""What must hold of each table before others use it: pure functions on tables, reported as Dagster asset checks."""

from collections.abc import Sequence

import dagster as dg
import pandas as pd

from kaizar_pipeline.patients.history import History
from kaizar_pipeline.tables import CENSUS_PERCENTAGES, TABLES

_QUANTILES = [f"p{percentage:02d}" for percentage in CENSUS_PERCENTAGES]

CHECKS = {
    "patients": {"flow_conservation": True, "up_to_date": False},
    "daily_arrivals": {"complete_days": True, "every_request_counted": True},
    "occupancy_distributions": {"probabilities": True},
    "midnight_census": {"probabilities_add_up": True},
    "daily_peaks": {"sums_to_one": True},
    "ward_performance": {"trustworthy": False},
    "occupancy_scores": {"census_covered": False},
    "forecast_log_scores": {"mornings_covered": False},
}
"""Checks by table, beside `schema`; True: a failure stops what comes after."""


def specs(*tables: str) -> list[dg.AssetCheckSpec]:
    """The checks of `tables`, as Dagster wants them declared."""
    return [
        dg.AssetCheckSpec(name, asset=table, blocking=blocking)
        for table in tables
        for name, blocking in {"schema": True, **CHECKS.get(table, {})}.items()
    ]


def flow_conservation(history: History) -> dg.AssetCheckResult:
    """Every request left, was turned away, or is in the house: patients and their open ward stays must agree."""
    patients, stays = history.patients, history.ward_stays
    turned_away = patients["outcome"].isin(["diverted", "left"])
    departed = patients["departure"].notna() & ~turned_away
    lost_track_of = ~patients["departure_known"] & ~turned_away & ~departed
    open_stays = stays[stays["depart"].isna() & ~stays["patient_id"].isin(patients.loc[lost_track_of, "patient_id"])]
    in_house = open_stays["patient_id"].nunique()
    parts = {
        "departed": int(departed.sum()),
        "in the house": in_house,
        "turned away": int(turned_away.sum()),
        "departure not known": int(lost_track_of.sum()),
    }
    return _result(
        "patients", "flow_conservation", sum(parts.values()) == len(patients), requests=len(patients), **parts
    )


def up_to_date(history: History, max_age_days: int | None) -> dg.AssetCheckResult:
    """Whether the extract reaches to within `max_age_days` of today; no limit for None."""
    return dg.AssetCheckResult(
        asset_key="patients",
        check_name="up_to_date",
        passed=max_age_days is None or history.days_behind <= max_age_days,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"days behind": history.days_behind},
    )


def complete_days(arrivals: pd.DataFrame) -> dg.AssetCheckResult:
    """Every stream has a row for every day from the first to the last complete one."""
    first, last = arrivals["date"].min(), arrivals["as_of"].iloc[0] - pd.Timedelta(days=1)
    expected = len(pd.date_range(first, last)) * arrivals["stream_id"].nunique()
    return _result(
        "daily_arrivals", "complete_days", len(arrivals) == expected and arrivals["date"].max() == last,
        rows=len(arrivals), expected=expected,
    )  # fmt: skip


def every_request_counted(arrivals: pd.DataFrame, patients: pd.DataFrame) -> dg.AssetCheckResult:
    """Arrivals over all days are all requests."""
    counted = int(arrivals["arrivals"].sum())
    passed = counted == len(patients)
    return _result("daily_arrivals", "every_request_counted", passed, counted=counted, requests=len(patients))


def probabilities(occupancy: pd.DataFrame) -> dg.AssetCheckResult:
    """Probabilities lie in 0 to 1, and quantiles do not fall."""
    outside = sum(int((~occupancy[name].dropna().between(0, 1)).sum()) for name in ("prob_full", "prob_queue"))
    falling = int((occupancy[_QUANTILES].diff(axis=1).iloc[:, 1:] < 0).to_numpy().sum())
    return _result("occupancy_distributions", "probabilities", outside + falling == 0, outside=outside, falling=falling)


def probabilities_add_up(midnights: pd.DataFrame) -> dg.AssetCheckResult:
    """The numbers of patients of each ward and midnight have a probability of 1 together."""
    sums = midnights.groupby(["ward_id", "date"])["probability"].sum()
    wrong = int(((sums - 1).abs() > 1e-9).sum())
    return _result("midnight_census", "probabilities_add_up", wrong == 0, distributions=len(sums), wrong=wrong)


def trustworthy(warnings: Sequence[str]) -> dg.AssetCheckResult:
    """Whether the simulation has nothing to warn of: an overload that was allowed, a warm-up that is too short."""
    return dg.AssetCheckResult(
        asset_key="ward_performance",
        check_name="trustworthy",
        passed=not warnings,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"warnings": dg.MetadataValue.md("\n".join(f"- {warning}" for warning in warnings) or "none")},
    )


def sums_to_one(peaks: pd.DataFrame, replications: int) -> dg.AssetCheckResult:
    """The peaks of each ward and day are those of all replications."""
    sums = peaks.groupby(["run_kind", "ward_id", "date"])["replications"].sum()
    wrong = int((sums != replications).sum())
    return _result("daily_peaks", "sums_to_one", wrong == 0, distributions=len(sums), wrong=wrong)


def census_covered(scores: pd.DataFrame) -> dg.AssetCheckResult:
    """The 80 % intervals of the back-test hold between the ends of the binomial 99 % band, by ward and week ahead."""
    return _covered("occupancy_scores", "census_covered", scores)


def mornings_covered(scores: pd.DataFrame) -> dg.AssetCheckResult:
    """The same of what was said on the last mornings."""
    return _covered("forecast_log_scores", "mornings_covered", scores)


def _covered(table: str, name: str, scores: pd.DataFrame) -> dg.AssetCheckResult:
    outside = scores[~scores["coverage80"].between(scores["coverage80_low"], scores["coverage80_high"])]
    found = {
        f"{row['ward_id']}, week {row['lead_week']}": f"{row['coverage80']:.0%} inside, to be expected is "
        f"{row['coverage80_low']:.0%} to {row['coverage80_high']:.0%} ({row['independent_dates']} independent dates)"
        for _, row in outside.iterrows()
    }
    return dg.AssetCheckResult(
        asset_key=table,
        check_name=name,
        passed=outside.empty,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"intervals": len(scores), **found},
    )


def _result(table: str, name: str, passed: bool, **found: int) -> dg.AssetCheckResult:
    assert table in TABLES
    metadata = {key.replace("_", " "): int(value) for key, value in found.items()}
    return dg.AssetCheckResult(asset_key=table, check_name=name, passed=bool(passed), metadata=metadata)
