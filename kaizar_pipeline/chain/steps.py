"""The one list of the steps of the chain: what each needs and makes, from the records to the planning tables.

A step is a function whose parameters are its needs (`step.Step`), and one line in `STEPS`. `in_memory.run_chain`, the
asset graph, docs/reference/tables.md and `kaizar run` all come from that list.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from kaizar_pipeline import tables as t
from kaizar_pipeline.chain.learning_steps import (
    arrival_model,
    arrival_profile,
    arrival_rates,
    daily_arrivals,
    discharge_clocks,
    feature_table,
    history,
    length_of_stay,
    routes,
    starting_census,
    ward_history,
)
from kaizar_pipeline.chain.step import Figures, Frames, Made, Run, Step
from kaizar_pipeline.config.files import find_home
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.variant import idle_rules
from kaizar_pipeline.errors import KaizarError
from kaizar_pipeline.forecasting.forecast_backtest import MODEL, backtest_forecast, score_forecasts
from kaizar_pipeline.forecasting.model import train_lgbm_poisson
from kaizar_pipeline.history.loading import History
from kaizar_pipeline.patients.observed_census import hours_are_known, observed_midnights
from kaizar_pipeline.planning import bed_meeting as meeting
from kaizar_pipeline.planning import beds, drivers
from kaizar_pipeline.planning.census_backtest import TWIN, BacktestOptions, KeptBacktest, backtest_occupancy
from kaizar_pipeline.planning.census_causes import Given, likely_causes
from kaizar_pipeline.planning.census_scores import ALL_WEEKS
from kaizar_pipeline.planning.chances import fullest, fullest_in_words
from kaizar_pipeline.planning.comparison import compare_scenarios
from kaizar_pipeline.planning.forecast_log import extend_log, record_in_words, score_log
from kaizar_pipeline.planning.full_days import FULL, extend_full_log, issued_days, score_days
from kaizar_pipeline.planning.headline_changes import (
    changes_in_words,
    compare_headlines,
    inputs_of_headline,
    markdown_table,
)
from kaizar_pipeline.simulation.occupancy import simulate_occupancy
from kaizar_pipeline.simulation.starting_point import StartingTables
from kaizar_pipeline.tables import HOSPITAL_TOTAL, Table

_HEADLINE_KPIS = ("p95_census", "days_any_hour_full", "wait_mean_hours")


def occupancy(run: Run, start: StartingTables) -> Made:
    """The distributions of occupancy, daily peaks, and what patients meet in each ward."""
    found = simulate_occupancy(run.experiment(start), progress=run.report("replications"))
    precision = found.simulation_precision.dropna(subset="half_width")
    widths = zip(precision["quantity"], precision["half_width"], strict=True)
    figures: dict[str, Figures] = {
        "ward_days": _fullest(found.ward_days, run.config.ward_ids),
        "simulation_precision": {f"half-width of {quantity}, at most": float(width) for quantity, width in widths},
    }
    return Made(found.tables, figures, {"simulation_warnings": found.warnings})


def _fullest(ward_days: pd.DataFrame, ward_ids: Sequence[str]) -> Figures:
    """The ward that is most likely full on a day of the next week, and its most likely day."""
    days = fullest(ward_days, ward_ids)
    if days.empty:
        return {}
    return {
        "fullest ward, 7 days": str(days["ward_id"].iloc[0]),
        "chance of being full at some hour of a day": float(days["prob_full_day"].mean()),
        "highest chance": float(days["prob_full_day"].iloc[0]),
        "on": f"{days['date'].iloc[0]:%Y-%m-%d}",
    }


def bed_requirements(run: Run, start: StartingTables) -> Made:
    """The fewest beds for a risk."""
    found = beds.bed_requirements(run.experiment(start))
    event = run.config.simulation.risk_event
    words = {
        "whole hospital" if ward == HOSPITAL_TOTAL else ward: beds.requirement_in_words(found, ward, event)
        for ward in run.config.ward_axis
    }
    return Made({"bed_requirements": found}, {"bed_requirements": words})


def beds_effects(run: Run, start: StartingTables) -> Made:
    """What a few beds more or fewer do."""
    return Made({"beds_effects": beds.beds_effects(run.experiment(start))})


def bed_allocations(run: Run, start: StartingTables) -> Made:
    """Where extra beds help most."""
    experiment = run.experiment(start)
    found = beds.bed_allocations(experiment, extra_beds=run.overrides.extra_beds)
    best = beds.allocation_in_words(found)
    return Made({"bed_allocations": found}, {"bed_allocations": {"best": best} if best else {}})


def occupancy_drivers(run: Run, start: StartingTables) -> Made:
    """The variance of each day's highest census, split over what chance decides."""
    found = drivers.occupancy_drivers(run.experiment(start))
    of_hospital = found[found["ward_id"] == HOSPITAL_TOTAL].groupby("driver", sort=False)
    total = of_hospital["variance"].sum().clip(lower=0)
    shares = {f"share of {driver}": float(part) for driver, part in (total / total.sum()).items()}
    return Made({"occupancy_drivers": found}, {"occupancy_drivers": shares if total.sum() > 0 else {}})


def scenario_comparison(run: Run, start: StartingTables) -> Made:
    """What every scenario that is about the hospital changes."""
    scenarios = run.scenarios()
    if not scenarios:
        run.inform(f"no scenario is about {run.config.id}: the comparison is empty")
    experiment = run.experiment(start)
    as_of, days = experiment.start.as_of, experiment.start.days
    for scenario in scenarios:
        for idle in idle_rules(scenario, as_of, days):
            run.warn(idle)
    found = compare_scenarios(experiment, scenarios)
    shown = found[(found["ward_id"] == HOSPITAL_TOTAL) & found["kpi"].isin(_HEADLINE_KPIS)]
    changes = {
        f"{scenario}: change of {kpi}": float(difference)
        for scenario, kpi, difference in zip(shown["scenario"], shown["kpi"], shown["difference"], strict=True)
    }
    figures = {"scenarios": len(scenarios), **changes}
    return Made({"scenario_comparison": found}, {"scenario_comparison": figures})


def bed_meeting(  # noqa: PLR0913  the tables that it needs
    run: Run,
    ward_now: pd.DataFrame,
    ward_flows: pd.DataFrame,
    ward_days: pd.DataFrame,
    ward_weeks: pd.DataFrame,
    occupancy_distributions: pd.DataFrame,
    bed_requirements: pd.DataFrame,
    occupancy_drivers: pd.DataFrame,
) -> Made:
    """What a bed meeting asks, and the outlook of the next seven dates."""
    found = meeting.bed_meeting(run.config, ward_now, ward_flows, ward_days, occupancy_distributions)
    outlook = meeting.ward_outlook(run.config, ward_days, ward_weeks, bed_requirements, occupancy_drivers)
    return Made({"bed_meeting": found, "ward_outlook": outlook})


def forecast_backtest(run: Run, daily_arrivals: pd.DataFrame, kept_forecast_backtest: pd.DataFrame | None) -> Made:
    """The forecast of every stream, made again from past origins."""
    found = backtest_forecast(
        daily_arrivals,
        run.config,
        run.home,
        origins=run.overrides.backtest_origins,
        kept=kept_forecast_backtest,
        workers=run.overrides.workers,
        train=partial(run.trained, train_lgbm_poisson),
    )
    origins = int(found["origin"].nunique())
    if run.config.forecast_streams and not origins:
        run.inform(f"{run.config.id}: too few days of history to back-test the forecast")
    return Made({"forecast_backtest": found}, {"forecast_backtest": {"origins": origins}})


def forecast_scores(run: Run, forecast_backtest: pd.DataFrame) -> Made:
    """How good the forecast was, beside its baselines."""
    found = score_forecasts(forecast_backtest)
    board = found[(found["method"] == MODEL) & (found["horizon_week"] == 0)]
    days, weeks = (board[board["span"] == span].set_index("stream_id") for span in ("day", "week"))
    figures: dict[str, float | int | str] = {"streams": len(days)}
    if days["skill"].notna().any():
        figures["skill over seasonal naive, days"] = float(days["skill"].mean())
    for name, rows in (("days", days), ("7-day sums", weeks)):
        if len(rows):
            figures[f"coverage of 80 % interval, {name}"] = float(rows["coverage80"].mean())
    figures |= {f"{stream} loses to": str(methods) for stream, methods in days["loses_to"].dropna().items()}
    return Made({"forecast_scores": found}, {"forecast_scores": figures})


def occupancy_backtest(  # noqa: PLR0913  the tables that it needs
    run: Run,
    patients: pd.DataFrame,
    ward_stays: pd.DataFrame,
    arrival_profile: pd.DataFrame,
    discharge_clocks: pd.DataFrame,
    routes: pd.DataFrame,
    kept_occupancy_backtest: pd.DataFrame | None,
    kept_full_backtest: pd.DataFrame | None,
) -> Made:
    """The whole chain run again from past origins, against the census that was observed."""
    known = History(patients["as_of"].iloc[0], patients, pd.DataFrame(), ward_stays, days_behind=0)
    options = BacktestOptions(
        origins=run.overrides.backtest_origins,
        replications=run.overrides.backtest_replications,
        workers=run.overrides.workers,
        progress=run.report("past origins"),
    )
    prepare = partial(prepare_backtest, models=run.models)
    kept = KeptBacktest(kept_occupancy_backtest, kept_full_backtest)
    found = backtest_occupancy(run.config, known, prepare, run.home, options, kept)
    for note in found.notes:
        run.warn(note)
    figures: dict[str, float | int | str] = {"origins": int(found.scored["origin"].nunique())}
    if found.notes:
        figures["notes"] = "; ".join(found.notes)
    scores, rows = found.occupancy_scores, found.scored
    given = Given(run.config, patients, ward_stays, arrival_profile, discharge_clocks, routes)
    quality = {
        **_coverage(scores[scores["method"] == TWIN], run.config.ward_ids),
        **_mean_errors(scores, run.config.ward_ids),
    }
    return Made(
        {
            "occupancy_backtest": found.occupancy_backtest,
            "occupancy_scores": scores,
            "full_backtest": found.full_backtest,
        },
        {"occupancy_backtest": figures, "occupancy_scores": quality},
        {"census_causes": likely_causes(given, rows[rows["method"] == TWIN])},
    )


def _mean_errors(scores: pd.DataFrame, ward_ids: Sequence[str]) -> Figures:
    """Mean absolute error of the census by method, mean over the wards and hours."""
    wards = scores[scores["ward_id"].isin(ward_ids) & (scores["lead_week"] == ALL_WEEKS)]
    mae = wards.groupby("method")["mae"].mean()
    return {f"mean absolute error of {method}, beds": float(beds) for method, beds in mae.items()}


def prepare_backtest(
    history: History,
    config: HospitalConfig,
    home: Path | None = None,
    models: dict[str, pd.DataFrame] | None = None,
) -> Mapping[str, pd.DataFrame]:
    """The tables that the twin starts from, from a history; `models` as in `Run`."""
    given = {"patients": history.patients, "ward_stays": history.ward_stays}
    run = Run(config, home or find_home(), fit_all=False, models={} if models is None else models)
    return make_tables(run, StartingTables._fields, given)


def forecast_log(
    run: Run,
    patients: pd.DataFrame,
    ward_stays: pd.DataFrame,
    midnight_census: pd.DataFrame,
    previous_forecast_log: pd.DataFrame | None,
) -> Made:
    """The archive of issued forecasts, scored once observed."""
    observed = observed_midnights(patients, ward_stays, run.config.ward_axis)
    log = extend_log(previous_forecast_log, midnight_census, observed)
    scored = log[log["pit"].notna()]
    figures = {"origins": int(log["origin"].nunique()), "origins scored": int(scored["origin"].nunique())}
    return Made({"forecast_log": log}, {"forecast_log": figures})


def forecast_log_scores(run: Run, forecast_log: pd.DataFrame, midnight_census: pd.DataFrame) -> Made:
    """How good the forecasts issued on the last days were."""
    scores = score_log(forecast_log, midnight_census["as_of"].iloc[0])
    figures = {**_coverage(scores, run.config.ward_ids), **record_in_words(forecast_log)}
    return Made({"forecast_log_scores": scores}, {"forecast_log_scores": figures})


def _coverage(scores: pd.DataFrame, ward_ids: Sequence[str]) -> Figures:
    """Coverage of the 80 % intervals by week ahead, mean over the wards."""
    wards = scores[scores["ward_id"].isin(ward_ids) & (scores["lead_week"] != ALL_WEEKS)]
    return {
        f"coverage of 80 % intervals, week {week}": float(share)
        for week, share in wards.groupby("lead_week")["coverage80"].mean().items()
    }


def full_log(
    run: Run,
    patients: pd.DataFrame,
    ward_stays: pd.DataFrame,
    ward_days: pd.DataFrame,
    level_risk: pd.DataFrame,
    previous_full_log: pd.DataFrame | None,
) -> Made:
    """The archive of issued chances of full days, with what happened since."""
    issued = issued_days(ward_days, level_risk)
    if not (run.config.patients.knows_departures and hours_are_known(patients)):
        issued = issued.iloc[:0]
    as_of = ward_days["as_of"].iloc[0]
    log = extend_full_log(previous_full_log, issued, as_of, run.config, (patients, ward_stays))
    return Made({"full_log": log}, {"full_log": {"origins": int(log["origin"].nunique())}})


def full_scores(run: Run, full_backtest: pd.DataFrame, full_log: pd.DataFrame, ward_days: pd.DataFrame) -> Made:
    """How good the chances of full days and of levels were, in the back-test and as issued."""
    as_of = ward_days["as_of"].iloc[0]
    sources = {"backtest": full_backtest, "archive": full_log}
    at_this_hour = {source: rows[rows["origin"].dt.hour == as_of.hour] for source, rows in sources.items()}
    scores = score_days(at_this_hour, hospital_id=run.config.id, as_of=as_of)
    wards = scores[scores["ward_id"].isin(run.config.ward_ids) & (scores["level"] == FULL)]
    mean = wards.groupby(["source", "days_ahead"], as_index=False)["skill"].mean().dropna()
    shown = zip(mean["source"], mean["days_ahead"], mean["skill"], strict=True)
    figures = {f"Brier skill, {source}, days {days}": float(skill) for source, days, skill in shown}
    return Made({"full_scores": scores}, {"full_scores": figures})


def headline_changes(  # noqa: PLR0913  the tables that it needs
    run: Run,
    patients: pd.DataFrame,
    ward_stays: pd.DataFrame,
    start: StartingTables,
    feature_table: pd.DataFrame,
    arrival_model: pd.DataFrame,
    occupancy_distributions: pd.DataFrame,
    ward_days: pd.DataFrame,
    previous_headline_changes: pd.DataFrame | None,
    previous_headline_inputs: pd.DataFrame | None,
) -> Made:
    """The headline of each ward, and why it differs from the last run's."""
    tables = {"patients": patients, "ward_stays": ward_stays, "feature_table": feature_table}
    found = compare_headlines(
        previous_headline_changes,
        previous_headline_inputs,
        inputs_of_headline(run.config, {**tables, "arrival_model": arrival_model, **start._asdict()}),
        int(occupancy_distributions["replications"].iloc[0]),
        workers=run.overrides.workers,
    )
    wards = run.config.ward_ids
    figures = {
        "fullest ward": fullest_in_words(ward_days, wards),
        "in words": changes_in_words(found.latest, wards),
        "changes": markdown_table(found.latest),
    }
    return Made(
        {"headline_inputs": found.headline_inputs, "headline_changes": found.headline_changes},
        {"headline_changes": figures},
    )


_SIMULATED = (
    t.OCCUPANCY_DISTRIBUTIONS, t.MIDNIGHT_CENSUS, t.WARD_DAYS, t.WARD_WEEKS, t.LEVEL_RISK, t.WEEK_PROFILE,
    t.DAILY_PEAKS, t.WARD_FLOWS, t.WARD_PERFORMANCE, t.SIMULATION_PRECISION, t.BOARDING_CAUSES, t.PATIENT_JOURNEYS,
)  # fmt: skip

STEPS = [
    Step(history, (t.PATIENTS, t.PATIENT_REJECTS, t.WARD_STAYS), "patients", reads=("hospital_file", "extract")),
    Step(starting_census, (t.STARTING_CENSUS,), "patients"),
    Step(ward_history, (t.WARD_HISTORY, t.WARD_HISTORY_DAYS, t.OBSERVED_FLOWS, t.WARD_NOW), "patients", kind="sql"),
    Step(daily_arrivals, (t.DAILY_ARRIVALS,), "patients", kind="sql"),
    Step(discharge_clocks, (t.DISCHARGE_CLOCKS, t.DAY_FACTORS), "patients"),
    Step(arrival_profile, (t.ARRIVAL_PROFILE,), "patients"),
    Step(length_of_stay, (t.LENGTH_OF_STAY,), "patients"),
    Step(routes, (t.ROUTES,), "patients"),
    Step(feature_table, (t.FEATURE_TABLE,), "forecast"),
    Step(arrival_model, (t.ARRIVAL_MODEL,), "forecast", kind="lightgbm"),
    Step(arrival_rates, (t.ARRIVAL_RATES,), "forecast", overridable=True),
    Step(occupancy, _SIMULATED, "simulation", overridable=True),
    Step(bed_requirements, (t.BED_REQUIREMENTS,), "planning", overridable=True),
    Step(beds_effects, (t.BEDS_EFFECTS,), "planning", overridable=True),
    Step(bed_allocations, (t.BED_ALLOCATIONS,), "planning", overridable=True),
    Step(occupancy_drivers, (t.OCCUPANCY_DRIVERS,), "planning", overridable=True),
    Step(scenario_comparison, (t.SCENARIO_COMPARISON,), "planning", reads=("scenario_files",), overridable=True),
    Step(bed_meeting, (t.BED_MEETING, t.WARD_OUTLOOK), "planning"),
    Step(forecast_backtest, (t.FORECAST_BACKTEST,), "validation", kind="lightgbm", overridable=True),
    Step(forecast_scores, (t.FORECAST_SCORES,), "validation"),
    Step(
        occupancy_backtest,
        (t.OCCUPANCY_BACKTEST, t.OCCUPANCY_SCORES, t.FULL_BACKTEST),
        "validation",
        reruns=(
            starting_census,
            daily_arrivals,
            discharge_clocks,
            arrival_profile,
            length_of_stay,
            routes,
            feature_table,
            arrival_model,
            arrival_rates,
        ),
        overridable=True,
    ),
    Step(forecast_log, (t.FORECAST_LOG,), "validation"),
    Step(forecast_log_scores, (t.FORECAST_LOG_SCORES,), "validation"),
    Step(full_log, (t.FULL_LOG,), "validation"),
    Step(full_scores, (t.FULL_SCORES,), "validation"),
    # inputs first: a run that is killed between the two is found again by them
    Step(headline_changes, (t.HEADLINE_INPUTS, t.HEADLINE_CHANGES), "planning", overridable=True),
]
"""All steps; a step comes after those that make what it needs."""


def all_tables() -> dict[str, Table]:
    """Every table by name, in the order of the chain."""
    return {table.name: table for step in STEPS for table in step.makes}


RUN_TABLES = (t.CHECK_RESULTS, t.PLANNER_REPORT)
"""Tables that a run over stored tables writes beside those of its steps."""


def stored_tables() -> dict[str, Table]:
    """Every table that a warehouse holds, by name."""
    return all_tables() | {table.name: table for table in RUN_TABLES}


def make_tables(
    run: Run, tables: Collection[str] | None = None, given: Frames | None = None
) -> dict[str, pd.DataFrame]:
    """The `tables` (default: all) and those they are made from, but for what is `given`."""
    made = dict(given or {})
    for step in steps_to(tables, made):
        made |= step(run, made).tables
    return made


def steps_to(tables: Collection[str] | None, given: Collection[str] = ()) -> list[Step]:
    """The steps that make `tables` (None: all tables) from what is `given`, in order. Raises KaizarError for a table
    that no step makes."""
    makers = {table: step for step in STEPS for table in step.table_names}
    wanted = set(makers if tables is None else tables) - set(given)
    if unknown := wanted - set(makers):
        raise KaizarError(f"unknown table {min(unknown)!r}, allowed: {', '.join(makers)}")
    steps = []
    for step in reversed(STEPS):
        if wanted & set(step.table_names):
            steps.append(step)
            wanted |= set(step.needs) - set(given)
    return steps[::-1]
