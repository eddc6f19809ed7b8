"""What must hold of each table before others use it: pure functions on tables, reported as Dagster asset checks."""

import inspect
from collections.abc import Sequence

import dagster as dg
import pandas as pd

from kaizar_pipeline.forecasting.forecast_backtest import MODEL
from kaizar_pipeline.history.loading import History
from kaizar_pipeline.patients.length_of_stay import differences
from kaizar_pipeline.planning.headline_changes import DAYS, HEADLINES, PARTS
from kaizar_pipeline.tables import CENSUS_PERCENTAGES, HOSPITAL_TOTAL, TABLES

_QUANTILES = [f"p{percentage:02d}" for percentage in CENSUS_PERCENTAGES]

CHECKS = {
    "patients": {"flow_conservation": True, "up_to_date": False},
    "daily_arrivals": {"complete_days": True, "every_request_counted": True},
    "arrival_model": {"level_steady": False},
    "forecast_scores": {"skilful": False, "calibrated": False},
    "occupancy_distributions": {"probabilities": True},
    "midnight_census": {"probabilities_add_up": True},
    "daily_peaks": {"sums_to_one": True},
    "ward_performance": {"trustworthy": False},
    "length_of_stay": {"as_configured": False},
    "scenario_comparison": {"differences_add_up": True, "beds_can_cope": False},
    "occupancy_scores": {"census_covered": False},
    "forecast_log_scores": {"mornings_covered": False},
    "headline_changes": {"parts_add_up": True, "as_published": False},
}
"""Checks by table, beside `schema`; True: a failure stops what comes after."""


def specs(*tables: str) -> list[dg.AssetCheckSpec]:
    """The checks of `tables`, as Dagster wants them declared."""
    return [
        dg.AssetCheckSpec(name, asset=table, blocking=blocking, description=_DESCRIPTIONS.get(name) or _docstring(name))
        for table in tables
        for name, blocking in {"schema": True, **CHECKS.get(table, {})}.items()
    ]


_DESCRIPTIONS = {"schema": "The stored table reads back as it was declared and made."}


def _docstring(name: str) -> str:
    """What a check says of itself: checks are functions of this module, by their names."""
    return inspect.cleandoc(globals()[name].__doc__)


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


def level_steady(drift: pd.DataFrame) -> dg.AssetCheckResult:
    """Whether arrivals of the last four weeks lie where the forecast made before them put them (`level_drift`)."""
    found = {
        row["stream_id"]: f"{row['actual']} came, {row['expected']:.0f} were expected ({row['low']} to {row['high']})"
        for _, row in drift.iterrows()
    }
    moved = drift["moved"].astype(bool)
    return dg.AssetCheckResult(
        asset_key="arrival_model",
        check_name="level_steady",
        passed=not moved.any(),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"streams moved": int(moved.sum()), **found},
    )


def skilful(scores: pd.DataFrame) -> dg.AssetCheckResult:
    """The model forecasts the days of no stream worse than a repetition of the last week does (forecast_scores)."""
    days = _overall(scores[scores["span"] == "day"])
    worse = days[days["skill"] < 0]
    found = {row["stream_id"]: f"CRPS {-row['skill']:.1%} above seasonal naive" for _, row in worse.iterrows()}
    return _warning("forecast_scores", "skilful", worse.empty, streams=len(days), **found)


def calibrated(scores: pd.DataFrame) -> dg.AssetCheckResult:
    """The 80 % intervals of days and of 7-day sums hold between the ends of the binomial 99 % band of each stream.

    The band is that of `n_effective` forecasts: days forecast from one origin share its error and are fewer trials than
    they are days. A calibrated stream leaves one of its two bands about once in 50 back-tests.
    """
    rows = _overall(scores)
    outside = rows[~rows["coverage80"].between(rows["coverage80_low"], rows["coverage80_high"])]
    found = {
        f"{row['stream_id']}, {row['span']}": f"{row['coverage80']:.0%} inside, to be expected is "
        f"{row['coverage80_low']:.0%} to {row['coverage80_high']:.0%} ({row['n_effective']:.0f} independent forecasts)"
        for _, row in outside.iterrows()
    }
    return _warning("forecast_scores", "calibrated", outside.empty, intervals=len(rows), **found)


def _overall(scores: pd.DataFrame) -> pd.DataFrame:
    """The model's rows over all days ahead."""
    return scores[(scores["method"] == MODEL) & (scores["horizon_week"] == 0)]


def as_configured(lengths: pd.DataFrame) -> dg.AssetCheckResult:
    """Whether observed lengths of stay are those configured, to within 20 % where there are stays enough to tell."""
    found = differences(lengths)
    return dg.AssetCheckResult(
        asset_key="length_of_stay",
        check_name="as_configured",
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"differences": dg.MetadataValue.md("\n".join(f"- {line}" for line in found) or "none")},
    )


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


def differences_add_up(comparison: pd.DataFrame) -> dg.AssetCheckResult:
    """Every difference is that of the two figures, and lies inside its interval."""
    rows = comparison[comparison["difference"].notna()]
    gap = (rows["value"] - rows["baseline"] - rows["difference"]).abs()
    inside = rows["low"].isna() | rows["difference"].between(rows["low"], rows["high"])
    wrong = int((~inside | (gap > 1e-9 * (1 + rows["value"].abs() + rows["baseline"].abs()))).sum())
    return _result("scenario_comparison", "differences_add_up", wrong == 0, differences=len(rows), wrong=wrong)


def beds_can_cope(comparison: pd.DataFrame) -> dg.AssetCheckResult:
    """Whether no scenario asks more of a ward than it has beds."""
    rows = comparison[comparison["overloaded"] & (comparison["ward_id"] != HOSPITAL_TOTAL)]
    found = rows.groupby("scenario")["ward_id"].unique()
    lines = [f"- {scenario}: {', '.join(wards)}" for scenario, wards in found.items()]
    return dg.AssetCheckResult(
        asset_key="scenario_comparison",
        check_name="beds_can_cope",
        passed=not lines,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"overloaded wards": dg.MetadataValue.md("\n".join(lines) or "none")},
    )


def census_covered(scores: pd.DataFrame) -> dg.AssetCheckResult:
    """The 80 % intervals of the back-test hold between the ends of the binomial 99 % band, by ward and week ahead."""
    return _covered("occupancy_scores", "census_covered", scores)


def mornings_covered(scores: pd.DataFrame) -> dg.AssetCheckResult:
    """The same of what was said on the last mornings."""
    return _covered("forecast_log_scores", "mornings_covered", scores)


def parts_add_up(changes: pd.DataFrame) -> dg.AssetCheckResult:
    """Every change that is split is the sum of its parts."""
    rows = changes[changes["note"].isna()]
    wrong = int(((rows[list(PARTS)].sum(axis=1) - rows["change"]).abs() > 1e-9).sum())
    return _result("headline_changes", "parts_add_up", wrong == 0, changes=len(rows), wrong=wrong)


def as_published(changes: pd.DataFrame, distributions: pd.DataFrame) -> dg.AssetCheckResult:
    """The headlines are those of occupancy_distributions; not so when those are of a run with other settings."""
    week = distributions[distributions["at"] < distributions["as_of"] + pd.Timedelta(days=DAYS)]
    means = week.rename(columns={"p95": "p95_census"}).groupby("ward_id")[list(HEADLINES)].mean()
    rows = changes.set_index(["ward_id", "headline"])["after"]
    gap = rows - means.rename_axis(columns="headline").stack().reindex(rows.index)
    found = {f"{headline} of {ward}": f"{by:+.3g}" for (ward, headline), by in gap[gap.abs() > 1e-9].items()}
    return _warning("headline_changes", "as_published", not found, headlines=len(gap), **found)


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


def _warning(table: str, name: str, passed: bool, **found: int | str) -> dg.AssetCheckResult:
    warn = dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(asset_key=table, check_name=name, passed=bool(passed), severity=warn, metadata=found)
