"""What must hold of each table: pure functions on tables, by one decorator that says table and severity.

A blocking check keeps what fails it from being stored; any other one warns.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd

from kaizar_pipeline.chain.step import NOTHING, Check, Figures, Found, Run
from kaizar_pipeline.forecasting.drift import level_drift
from kaizar_pipeline.forecasting.forecast_backtest import MODEL
from kaizar_pipeline.patients.arrival_profile import profile_differences
from kaizar_pipeline.patients.census_jump import census_jump
from kaizar_pipeline.patients.length_of_stay import differences, enough_stays
from kaizar_pipeline.patients.openings import unannounced
from kaizar_pipeline.patients.routes import enough_moves, route_differences
from kaizar_pipeline.planning.census_backtest import TWIN
from kaizar_pipeline.planning.census_bias import biases_in_words, clear_biases
from kaizar_pipeline.planning.census_causes import UNKNOWN, in_words
from kaizar_pipeline.planning.census_scores import ALL_WEEKS
from kaizar_pipeline.planning.full_days import unreliable
from kaizar_pipeline.planning.headline_changes import DAYS, HEADLINES, PARTS
from kaizar_pipeline.tables import CENSUS_PERCENTAGES

CHECKS: list[Check] = []
"""All of them, in the order of the chain."""

_QUANTILES = [f"p{percentage}" for percentage in CENSUS_PERCENTAGES]
_ROUNDING = 1e-9


def check(table: str, *, blocking: bool) -> Callable[[Callable[..., Found]], Callable[..., Found]]:
    """Makes a function the check of a table; its docstring is the description."""

    def register(function: Callable[..., Found]) -> Callable[..., Found]:
        CHECKS.append(Check(function, table, blocking))
        return function

    return register


def checks_of(table: str) -> list[Check]:
    """The checks of a table."""
    return [check for check in CHECKS if check.table == table]


@check("patients", blocking=True)
def flow_conservation(patients: pd.DataFrame, ward_stays: pd.DataFrame) -> Found:
    """Every request left, was turned away, or is in the hospital: each patient's open ward stays agree with it."""
    turned_away = patients["outcome"].isin(["diverted", "left"])
    departed = patients["departure"].notna() & ~turned_away
    not_known = ~patients["departure_known"] & ~turned_away & ~departed
    present = ~turned_away & ~departed & ~not_known
    in_a_ward = patients["patient_id"].isin(ward_stays.loc[ward_stays["depart"].isna(), "patient_id"])
    wrong = patients.loc[(in_a_ward != present) & ~not_known, "patient_id"]
    parts = {
        "departed": int(departed.sum()),
        "in the hospital": int(present.sum()),
        "turned away": int(turned_away.sum()),
        "departure not known": int(not_known.sum()),
    }
    example = {"wrong": len(wrong), "for example patient": wrong.iloc[0]} if len(wrong) else {}
    return Found(not example, {"requests": len(patients), **parts, **example})


@check("patients", blocking=True)
def census_possible(run: Run, patients: pd.DataFrame, patient_rejects: pd.DataFrame, ward_stays: pd.DataFrame) -> Found:
    """The census at as_of is not half or double that of the eight weeks before, unless `patients.census: expected`."""
    if run.config.patients.census == "expected":
        return NOTHING
    jump = census_jump(run.config, patients, patient_rejects, ward_stays)
    if jump is None:
        return NOTHING
    words = {"census": f"{jump}; if it is right, set patients.census: expected"} if jump.impossible else {}
    return Found(not jump.impossible, {"patients": jump.census, "usual": round(jump.usual, 1), **words})


@check("patients", blocking=False)
def census_as_usual(run: Run, patients: pd.DataFrame, patient_rejects: pd.DataFrame, ward_stays: pd.DataFrame) -> Found:
    """The census at as_of is within a third of that of the eight weeks before, or by chance further away."""
    jump = census_jump(run.config, patients, patient_rejects, ward_stays)
    return NOTHING if jump is None else Found(not jump.doubtful, {"census": str(jump)} if jump.doubtful else {})


@check("patients", blocking=False)
def up_to_date(run: Run, days_behind: int) -> Found:
    """The extract reaches to within `max_age_days` of today."""
    limit = run.config.patients.max_age_days
    return NOTHING if limit is None else Found(days_behind <= limit, {"days behind": days_behind})


@check("daily_arrivals", blocking=True)
def complete_days(daily_arrivals: pd.DataFrame) -> Found:
    """Every stream has a row for every day from the first to the last complete one."""
    first, last = daily_arrivals["date"].min(), _today(daily_arrivals) - pd.Timedelta(days=1)
    expected = len(pd.date_range(first, last)) * daily_arrivals["stream_id"].nunique()
    passed = len(daily_arrivals) == expected and daily_arrivals["date"].max() == last
    return Found(passed, {"rows": len(daily_arrivals), "expected": expected})


@check("daily_arrivals", blocking=True)
def every_request_counted(daily_arrivals: pd.DataFrame, patients: pd.DataFrame) -> Found:
    """Arrivals over all days are all requests, but for those on the day of as_of."""
    counted, requests = int(daily_arrivals["arrivals"].sum()), int((patients["arrival"] < _today(patients)).sum())
    return Found(counted == requests, {"counted": counted, "requests": requests})


def _today(rows: pd.DataFrame) -> pd.Timestamp:
    """The midnight that begins the day of as_of."""
    return rows["as_of"].iloc[0].normalize()


@check("daily_arrivals", blocking=False)
def streams_as_announced(run: Run, daily_arrivals: pd.DataFrame) -> Found:
    """No stream begins long after the records do, falls silent, or has arrivals while the config says it is closed."""
    found = unannounced(daily_arrivals, run.config)
    return Found(not found, {"streams": daily_arrivals["stream_id"].nunique(), **found})


@check("length_of_stay", blocking=False)
def as_configured(length_of_stay: pd.DataFrame) -> Found:
    """Observed lengths of stay are those configured, to within 20 %, where there are enough stays to tell."""
    return _listed("differences", differences(length_of_stay)) if enough_stays(length_of_stay).any() else NOTHING


@check("arrival_profile", blocking=False)
def hours_as_configured(arrival_profile: pd.DataFrame) -> Found:
    """Patients arrive at the configured hours: beyond chance, a tenth of a stream's arrivals at most do not."""
    compared = arrival_profile["arrivals"].notna() & ~arrival_profile["in_use"]
    return _listed("differences", profile_differences(arrival_profile)) if compared.any() else NOTHING


@check("routes", blocking=False)
def routes_as_configured(routes: pd.DataFrame) -> Found:
    """Patients go on as configured: beyond chance, one in twenty at most does not, and no busy route is missing."""
    return _listed("differences", route_differences(routes)) if enough_moves(routes) else NOTHING


@check("arrival_model", blocking=False)
def level_steady(run: Run, daily_arrivals: pd.DataFrame) -> Found:
    """Arrivals of the last four weeks lie in the interval that was forecast for them (`level_drift`), where one was."""
    drift = level_drift(daily_arrivals, run.config, run.home)
    forecast = [stream.id for stream in run.config.forecast_streams if stream.id not in set(drift["stream_id"])]
    return level_found(drift, daily_arrivals[daily_arrivals["stream_id"].isin(forecast) & daily_arrivals["observed"]])


def level_found(drift: pd.DataFrame, new: pd.DataFrame) -> Found:
    """The result of `level_steady` for a table of `level_drift`, and the days observed of the streams that it lacks."""
    moved = drift["moved"].astype(bool)
    streams = {
        row["stream_id"]: f"{row['actual']} observed, {row['expected']:.0f} expected ({row['low']} to {row['high']})"
        for _, row in drift.iterrows()
    }
    streams |= {
        str(stream_id): f"{days['arrivals'].sum()} observed since {days['date'].min():%Y-%m-%d}, nothing known before"
        for stream_id, days in new.groupby("stream_id")
    }
    return NOTHING if drift.empty else Found(not moved.any(), {"streams moved": int(moved.sum()), **streams})


@check("forecast_scores", blocking=False)
def skilful(forecast_scores: pd.DataFrame) -> Found:
    """No stream's days are forecast worse by the model than by a repetition of the last week."""
    days = _overall(forecast_scores[forecast_scores["span"] == "day"])
    worse = days[days["skill"] < 0]
    found = {row["stream_id"]: f"CRPS {-row['skill']:.1%} above seasonal naive" for _, row in worse.iterrows()}
    return NOTHING if days.empty else Found(worse.empty, {"streams": len(days), **found})


@check("forecast_scores", blocking=False)
def calibrated(forecast_scores: pd.DataFrame) -> Found:
    """The coverage of 80 % intervals of days and of 7-day sums lies in the binomial 99 % band of each stream.

    The band is that of `n_effective` forecasts: days forecast from one origin share its error and are fewer trials than
    they are days. A calibrated stream leaves one of its two bands about once in 50 back-tests.
    """
    rows = _overall(forecast_scores)
    return _covered(
        rows,
        lambda row: f"{row['stream_id']}, {row['span']}",
        lambda row: f"{row['n_effective']:.0f} independent forecasts",
    )


def _overall(scores: pd.DataFrame) -> pd.DataFrame:
    """The model's rows over all days ahead."""
    return scores[(scores["method"] == MODEL) & (scores["horizon_week"] == 0)]


@check("occupancy_distributions", blocking=True)
def possible_probabilities(occupancy_distributions: pd.DataFrame) -> Found:
    """Probabilities lie in 0 to 1, and quantiles do not fall."""
    rows = occupancy_distributions
    outside = sum(int((~rows[name].dropna().between(0, 1)).sum()) for name in ("prob_full_hour", "prob_queue"))
    falling = int((rows[_QUANTILES].diff(axis=1).iloc[:, 1:] < 0).to_numpy().sum())
    return Found(outside + falling == 0, {"outside": outside, "falling": falling})


@check("midnight_census", blocking=True)
def probabilities_sum_to_one(midnight_census: pd.DataFrame) -> Found:
    """The probabilities of the numbers of patients of each ward and midnight sum to 1."""
    sums = midnight_census.groupby(["ward_id", "date"])["probability"].sum()
    return _all_right("distributions", (sums - 1).abs() > _ROUNDING)


@check("daily_peaks", blocking=True)
def every_replication_has_a_peak(daily_peaks: pd.DataFrame, occupancy_distributions: pd.DataFrame) -> Found:
    """The peaks of each ward and day count every replication once."""
    counts = daily_peaks.groupby(["run_kind", "ward_id", "date"])["replications"].sum()
    return _all_right("distributions", counts != occupancy_distributions["replications"].iloc[0])


@check("ward_performance", blocking=False)
def trustworthy(simulation_warnings: Sequence[str]) -> Found:
    """The simulation has nothing to warn of: an overload that was allowed, a warm-up that is too short."""
    return _listed("warnings", simulation_warnings)


@check("scenario_comparison", blocking=True)
def differences_add_up(scenario_comparison: pd.DataFrame) -> Found:
    """Every difference is that of the two figures, and lies inside its interval."""
    rows = scenario_comparison[scenario_comparison["difference"].notna()]
    gap = (rows["value"] - rows["baseline"] - rows["difference"]).abs()
    inside = rows["low"].isna() | rows["difference"].between(rows["low"], rows["high"])
    return _all_right("differences", ~inside | (gap > _ROUNDING * (1 + rows["value"].abs() + rows["baseline"].abs())))


@check("scenario_comparison", blocking=False)
def beds_can_cope(run: Run, scenario_comparison: pd.DataFrame) -> Found:
    """No scenario asks more of a ward than it has beds."""
    rows = scenario_comparison[~scenario_comparison["ward_id"].isin(list(run.config.totals))]
    found = rows[rows["overloaded"]].groupby("scenario")["ward_id"].unique()
    lines = [f"{scenario}: {', '.join(wards)}" for scenario, wards in found.items()]
    return NOTHING if rows.empty else _listed("overloaded wards", lines)


@check("occupancy_scores", blocking=False)
def census_covered(run: Run, occupancy_scores: pd.DataFrame, census_causes: Mapping[str, Sequence[str]]) -> Found:
    """The coverage of 80 % intervals in the back-test lies in the binomial 99 % band, by ward, hour and week ahead.

    Of each ward and hour the worst week counts, and of each ward that leaves the band the likely cause is named.
    """
    twin = occupancy_scores[occupancy_scores["method"] == TWIN]
    weeks = twin[twin["lead_week"] != ALL_WEEKS]
    low, high = weeks["coverage80_low"], weeks["coverage80_high"]
    off = (weeks["coverage80"] - (low + high) / 2).abs() / (high - low)
    weeks = weeks.loc[off.groupby([weeks["ward_id"], weeks["hour"]]).idxmax()]
    found = _covered(weeks, lambda row: f"{row['ward_id']}, {row['hour']}:00, week {row['lead_week']}", _dates)
    biased, cause = set(clear_biases(twin)["ward_id"]), partial(in_words, census_causes, totals=run.config.totals)
    why = {
        f"likely cause, {ward}": cause(str(ward)) or _no_cause(rows, ward in biased)
        for ward, rows in _outside(weeks).groupby("ward_id", sort=False)
    }
    return found._replace(figures={**found.figures, **why})


@check("occupancy_scores", blocking=False)
def census_unbiased(run: Run, occupancy_scores: pd.DataFrame, census_causes: Mapping[str, Sequence[str]]) -> Found:
    """No bias in the back-test is beyond three standard errors and 5 % of the census (or half a bed), by ward and hour,
    also of an hour beside all hours, and no cause of one is found on some days.

    The standard error has the origins as units.
    """
    twin = occupancy_scores[occupancy_scores["method"] == TWIN]
    wards = biases_in_words(clear_biases(twin))
    cause = partial(in_words, census_causes, totals=run.config.totals)
    found = {ward: f"{what}; likely cause: {cause(ward) or UNKNOWN}" for ward, what in wards.items()}
    explained = {ward: f"likely cause: {cause(ward)}" for ward, why in census_causes.items() if why}
    return NOTHING if twin.empty else Found(not (found or explained), explained | found)


@check("forecast_log_scores", blocking=False)
def issued_forecasts_covered(forecast_log_scores: pd.DataFrame) -> Found:
    """The same for the forecasts that were issued on the last days."""
    return _weeks_covered(forecast_log_scores)


@check("full_scores", blocking=False)
def chances_reliable(full_scores: pd.DataFrame) -> Found:
    """Days full, or at a level, are as frequent as their chances said, by ward.

    Calibrated chances fail in 1 % of cases. Ten independent origins are needed, and days on which either could happen.
    """
    tested = full_scores[full_scores["reliability_p"].notna()]
    found = {
        f"{row['ward_id']}, {row['level']}, days {row['days_ahead']}, {row['source']}": f"{row['happened']:.0%} of "
        f"days, {row['mean_probability']:.0%} expected ({_dates(row)})"
        for _, row in unreliable(tested).iterrows()
    }
    return NOTHING if tested.empty else Found(not found, {"tested": len(tested), **found})


@check("headline_changes", blocking=True)
def parts_add_up(headline_changes: pd.DataFrame) -> Found:
    """Every change that is split is the sum of its parts."""
    rows = headline_changes[_latest(headline_changes) & headline_changes["note"].isna()]
    if rows.empty:
        return NOTHING
    return _all_right("changes", (rows[list(PARTS)].sum(axis=1) - rows["change"]).abs() > _ROUNDING)


@check("headline_changes", blocking=False)
def as_published(
    headline_changes: pd.DataFrame, occupancy_distributions: pd.DataFrame, ward_days: pd.DataFrame
) -> Found:
    """The headlines are those of ward_days and occupancy_distributions; not so when those are of a run with other
    settings."""
    as_of, whole = ward_days["as_of"].iloc[0], ward_days[ward_days["date"] >= ward_days["as_of"]]
    days = whole[whole["date"] < as_of.ceil("D") + pd.Timedelta(days=DAYS)]
    hours = occupancy_distributions[occupancy_distributions["at"] < as_of + pd.Timedelta(days=DAYS)]
    of_days, of_hours = days.groupby("ward_id")["prob_full_day"], hours.groupby("ward_id")["p95"]
    means = pd.DataFrame({"prob_full_day": of_days.mean(), "p95_census": of_hours.mean()})[list(HEADLINES)]
    rows = headline_changes[_latest(headline_changes)].set_index(["ward_id", "headline"])["after"]
    gap = rows - means.rename_axis(columns="headline").stack().reindex(rows.index)
    rows = pd.DataFrame({"by": gap}).reset_index()
    wrong = rows[rows["by"].abs() > _ROUNDING]
    found = {f"{row['headline']} of {row['ward_id']}": f"{row['by']:+.3g}" for _, row in wrong.iterrows()}
    return Found(not found, {"headlines": len(gap), **found})


def _latest(changes: pd.DataFrame) -> pd.Series:
    return changes["run_number"] == changes["run_number"].max()


def _weeks_covered(scores: pd.DataFrame) -> Found:
    return _covered(
        scores,
        lambda row: f"{row['ward_id']}, week {row['lead_week']}",
        _dates,
    )


def _dates(row: pd.Series) -> str:
    return f"{row['independent_dates']} independent dates"


def _no_cause(uncovered: pd.DataFrame, biased: bool) -> str:
    """Why the intervals of a ward do not cover as they should, where no cause is found."""
    narrow = (uncovered["coverage80"] < uncovered["coverage80_low"]).any()
    return UNKNOWN if biased else f"no bias is clear; the intervals are too {'narrow' if narrow else 'wide'}"


def _covered(scores: pd.DataFrame, name: Callable[[pd.Series], str], trials: Callable[[pd.Series], str]) -> Found:
    """Whether coverage80 of each row lies in its band, with the rows where it does not."""
    outside = _outside(scores)
    found = {
        name(row): f"{row['coverage80']:.0%} inside, expected {row['coverage80_low']:.0%} to "
        f"{row['coverage80_high']:.0%} ({trials(row)})"
        for _, row in outside.iterrows()
    }
    return NOTHING if scores.empty else Found(outside.empty, {"intervals": len(scores), **found})


def _outside(scores: pd.DataFrame) -> pd.DataFrame:
    return scores[~scores["coverage80"].between(scores["coverage80_low"], scores["coverage80_high"])]


def _all_right(what: str, wrong: pd.Series) -> Found:
    return Found(not wrong.any(), {what: len(wrong), "wrong": int(wrong.sum())}) if len(wrong) else NOTHING


def _listed(what: str, lines: Sequence[str]) -> Found:
    """A check that passes when there are no `lines`."""
    figures: Figures = {what: "\n".join(f"- {line}" for line in lines)} if lines else {}
    return Found(not lines, figures)
