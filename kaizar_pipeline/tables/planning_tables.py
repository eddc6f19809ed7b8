"""Tables for planners: how good census forecasts are, beds, scenarios, drivers, and why headlines changed."""

from collections.abc import Callable

from kaizar_pipeline.tables.columns import (
    COVERAGE,
    HOSPITAL_TOTAL,
    HOURS_AHEAD,
    INPUTS_HASH,
    SCENARIO,
    WARD,
    hospital_table,
    key,
    nullable,
    predicted,
    scores,
    with_error,
)
from kaizar_pipeline.tables.schema import Column


def _census_ahead(score: Callable[..., Column], *instant: Column) -> tuple[Column, ...]:
    """The forecast of the census at an `instant`, and its scores; `score` is Column, or nullable."""
    return (
        key("origin", "TIMESTAMP", "Instant the forecast was made from: nothing at or after it was visible."),
        WARD,
        *instant,
        Column("lead", "INTEGER", "Days ahead: date - date of origin.", "days"),
        *predicted("INTEGER", "Census", "beds"),
        score("actual", "INTEGER", "Observed census, from ward_stays.", "beds"),
        *scores(score, "beds"),
    )


def _week_scores(*by: Column, overall: str = "") -> tuple[Column, ...]:
    return (
        WARD,
        *by,
        key(
            "lead_week", "INTEGER", f"Week ahead: 1 for the first 7 days, 0:00 at their end included.{overall}", "weeks"
        ),
        Column("n", "INTEGER", "Forecasts scored.", "forecasts"),
        Column("origins", "INTEGER", "Origins they were made from.", "origins"),
        Column("independent_dates", "INTEGER", "Of these, those whose forecasts share no day: the trials.", "origins"),
        *COVERAGE,
        Column("mean_pit", "DOUBLE", "Mean PIT: below 0.5 where forecasts are too high."),
        Column("crps", "DOUBLE", "Mean CRPS.", "beds"),
        Column("mae", "DOUBLE", "Mean absolute error of the forecast's mean.", "beds"),
        nullable("mape", "DOUBLE", "The same over the observed census, where that is above 0; null where it never is."),
        Column("mean_actual", "DOUBLE", "Mean of the observed census.", "beds"),
        Column("bias", "DOUBLE", "Mean of forecast - actual.", "beds"),
        nullable(
            "bias_se",
            "DOUBLE",
            "Its standard error; forecasts of one origin share their error. Null for fewer than 2 independent_dates.",
            "beds",
        ),
    )


OCCUPANCY_BACKTEST = hospital_table(
    "occupancy_backtest",
    "Forecasts of each day's census at 0:00, 6:00, 12:00, 18:00 and the hour of the origin (at 0:00 alone where stays "
    "are known by date) by the whole chain from past origins, beside four baselines. A run replaces the rows of "
    "origins at its own hour of the day.",
    key(
        "method",
        "VARCHAR",
        "twin, persistence (the origin's census stays), yesterday (the last census known at that hour), six_weeks "
        "(that weekday and hour of the six weeks before) or weekday (of the year before).",
    ),
    *_census_ahead(
        Column,
        key("date", "DATE", "Day of the census."),
        key(
            "hour",
            "INTEGER",
            "Hour of the census: 0 for the midnight that begins the day, 6, 12, 18, or the origin's.",
            "hours",
        ),
    ),
    Column(
        "capacity_known",
        "BOOLEAN",
        "False: past beds are not known; used are the config's, or the most occupied by then.",
    ),
    INPUTS_HASH,
    version=7,
)

OCCUPANCY_SCORES = hospital_table(
    "occupancy_scores",
    "Scores of occupancy_backtest by ward, hour and week ahead, from origins at the hour of as_of.",
    key("method", "VARCHAR", "As in occupancy_backtest."),
    *_week_scores(key("hour", "INTEGER", "As in occupancy_backtest.", "hours"), overall=" 0: all weeks together."),
    Column("hour_bias", "DOUBLE", "Bias at this hour less that over all hours.", "beds"),
    nullable(
        "hour_bias_se",
        "DOUBLE",
        "Its standard error, without the part of an origin's error that all hours share; null as bias_se is.",
        "beds",
    ),
    version=5,
)

FORECAST_LOG = hospital_table(
    "forecast_log",
    "Archive of issued forecasts of each midnight's census, scored once observed. A run replaces the rows of its own "
    "origin only.",
    *_census_ahead(nullable, key("date", "DATE", "The day that the midnight of the census begins.")),
    Column("lowest", "INTEGER", "Smallest census with a probability above 0.", "beds"),
    Column("probability", "DOUBLE[]", "Probabilities of lowest, lowest + 1, ... patients."),
    version=5,
)

FORECAST_LOG_SCORES = hospital_table(
    "forecast_log_scores",
    "Scores of the forecasts of the last 30 days at the hour of as_of, by ward and week ahead, for the midnights "
    "observed since.",
    *_week_scores(),
    version=5,
)


def _chance_of_day(*outcome: Column) -> tuple[Column, ...]:
    """The chance of a day, what it is compared with, and the `outcome`."""
    return (
        key("origin", "TIMESTAMP", "Instant the forecast was made from: nothing at or after it was visible."),
        WARD,
        key("date", "DATE", "Day ahead."),
        key("level", "VARCHAR", "Level of the hospital's file, or _full."),
        Column("day_ahead", "INTEGER", "1 for the first whole day ahead.", "days"),
        Column("probability", "DOUBLE", "Forecast probability of being full, or reaching the level, at some hour."),
        Column("reference", "DOUBLE", "How often it happened on the same weekday in the 52 weeks before.", "share"),
        *outcome,
    )


FULL_BACKTEST = hospital_table(
    "full_backtest",
    "Forecasts by the whole chain from past origins that a ward is full, or reaches a level, at some hour of each day, "
    "beside what happened. Empty where stays are known by date.",
    *_chance_of_day(Column("happened", "BOOLEAN", "Whether it happened, by ward_stays and the beds of the config.")),
    Column("capacity_known", "BOOLEAN", "As in occupancy_backtest."),
    INPUTS_HASH,
)

FULL_LOG = hospital_table(
    "full_log",
    "Archive of the issued chances that a ward is full, or reaches a level, at some hour of each day. A run replaces "
    "the rows of its own origin only.",
    *_chance_of_day(
        nullable("happened", "BOOLEAN", "Whether it happened, by ward_stays and the beds of the config; null: not yet.")
    ),
)

FULL_SCORES = hospital_table(
    "full_scores",
    "Scores of full_backtest and full_log: brier = reliability - resolution + uncertainty + within_bins.",
    key("source", "VARCHAR", "backtest or archive."),
    WARD,
    key("level", "VARCHAR", "Level of the hospital's file, or _full."),
    key("days_ahead", "VARCHAR", "1-3, 4-7 or all."),
    Column("n", "INTEGER", "Days scored.", "days"),
    Column("origins", "INTEGER", "Origins of their forecasts.", "origins"),
    Column("independent_dates", "INTEGER", "Of these, those whose forecasts share no day: the trials.", "origins"),
    Column("happened", "DOUBLE", "Share of the days on which it happened.", "share"),
    Column("mean_probability", "DOUBLE", "Mean forecast probability."),
    Column("brier", "DOUBLE", "Brier score: mean squared difference of probability and outcome; 0 is perfect."),
    nullable("brier_se", "DOUBLE", "Its standard error, with origins as units; null for fewer than 2."),
    Column("brier_reference", "DOUBLE", "The same of the reference."),
    nullable("skill", "DOUBLE", "1 - brier / brier_reference: above 0 better than it; null where that is perfect."),
    nullable("skill_se", "DOUBLE", "Its standard error, likewise."),
    Column("reliability", "DOUBLE", "Part of the Brier score: probabilities off the shares observed; 0 is perfect."),
    Column("resolution", "DOUBLE", "Part that is subtracted: how far the shares observed differ between bins."),
    Column("uncertainty", "DOUBLE", "Part that no forecast changes: that of the outcomes."),
    Column("within_bins", "DOUBLE", "Part of the spread inside the ten bins of probabilities."),
    nullable(
        "reliability_p", "DOUBLE", "How probable outcomes so far from calibrated probabilities are; null: too few."
    ),
)

BED_REQUIREMENTS = hospital_table(
    "bed_requirements",
    "How many beds cover demand (unlimited beds, no overflow, no admission stop) with which probability, and the "
    "fewest that do so with the probability asked for.",
    WARD,
    key("risk_event", "VARCHAR", "day: the peak of a day is covered; horizon_peak: that of all days is."),
    key("beds", "INTEGER", "Beds.", "beds"),
    nullable(
        "staffed_beds",
        "INTEGER",
        "Fewest beds staffed at any hour of the horizon (ward_days has those of each day); null when unlimited.",
        "beds",
    ),
    Column("risk_target", "DOUBLE", "Accepted share of days (or horizons) that are not covered."),
    Column("covered_share", "DOUBLE", "Share of all replications' days (or of replications) that these beds cover."),
    Column("covered_low", "DOUBLE", "Lower end of its 95 % confidence interval; replications are the units."),
    Column("covered_high", "DOUBLE", "Upper end."),
    Column("enough", "BOOLEAN", "Whether this many beds reach the target."),
    nullable("enough_beds", "INTEGER", "Fewest beds that do; null for a risk of 0, which none reaches.", "beds"),
    nullable("enough_low", "INTEGER", "Lower end of the 95 % confidence interval of that number.", "beds"),
    nullable("enough_high", "INTEGER", "Upper end; null when there are too few replications to tell.", "beds"),
)

_EFFECT = (
    Column("unit", "VARCHAR", "Unit of the figures."),
    nullable("baseline", "DOUBLE", "With the hospital as it is; null for a ward that a scenario adds.", "see unit"),
    nullable("value", "DOUBLE", "With the change.", "see unit"),
    nullable("difference", "DOUBLE", "value - baseline, over the pairs in which both were measured.", "see unit"),
    nullable("difference_se", "DOUBLE", "Monte Carlo standard error of that paired difference.", "see unit"),
    nullable("low", "DOUBLE", "Lower end of its 95 % confidence interval.", "see unit"),
    nullable("high", "DOUBLE", "Upper end.", "see unit"),
)
"""The paired difference that a change makes."""

BEDS_EFFECTS = hospital_table(
    "beds_effects",
    "What a few beds more or fewer in one ward, the others as they are, do to waits, boarding, diversion and outliers.",
    key("ward_id", "VARCHAR", "Ward whose beds are changed."),
    key("beds_added", "INTEGER", "Beds more, below 0 fewer, at all times.", "beds"),
    key("affected_ward_id", "VARCHAR", f"Where it is measured: the same ward, or {HOSPITAL_TOTAL}."),
    key("kpi", "VARCHAR", "A column of ward_performance, over all patients."),
    *_EFFECT,
    Column("overloaded", "BOOLEAN", "True: demand then exceeds some ward's beds; figures grow with the horizon."),
    version=5,
)

BED_ALLOCATIONS = hospital_table(
    "bed_allocations",
    "Where extra beds help most: every allocation, the one that prevents most harm first. Harm is in hours: all "
    "waiting for beds, and 24 for each patient turned away or gone unseen, unless other weights are set.",
    key("extra_beds", "INTEGER", "Beds to place.", "beds"),
    key("rank", "INTEGER", "1 is the best allocation."),
    key("ward_id", "VARCHAR", "Ward."),
    Column("beds_added", "INTEGER", "Of the extra beds, those placed here.", "beds"),
    Column("baseline_harm", "DOUBLE", "With the present beds. Mean over replications.", "hours"),
    Column("harm", "DOUBLE", "With this allocation.", "hours"),
    Column("prevented", "DOUBLE", "Harm prevented.", "hours"),
    Column("prevented_se", "DOUBLE", "Its paired standard error.", "hours"),
    Column("behind_best", "DOUBLE", "Harm more than with the best allocation.", "hours"),
    Column("behind_best_se", "DOUBLE", "Its paired standard error; within two of them both are as good.", "hours"),
)

OCCUPANCY_DRIVERS = hospital_table(
    "occupancy_drivers",
    "Why the census is uncertain: the variance of each day's highest census, split by source of randomness. The parts "
    "of a ward and day add up to its variance, their shares to 1, and their widths to that of its 90 % interval.",
    SCENARIO,
    WARD,
    key("date", "DATE", "Day ahead."),
    HOURS_AHEAD,
    key(
        "driver",
        "VARCHAR",
        "arrivals_level (how many are expected), arrivals_noise (who comes when), routing, length_of_stay, day_factor "
        "(good and bad days for leaving), starting_census (rest of the stays of those in the hospital), monte_carlo "
        "(finitely many replications).",
    ),
    *with_error(
        Column("variance", "DOUBLE", "What the driver adds once those before it in this list are known.", "beds²")
    ),
    Column("is_noise", "BOOLEAN", "Whether the variance is below 0, or within two of its standard errors of 0."),
    nullable(
        "share", "DOUBLE", "Part of the variances above 0, 0 for one below; null where nothing is uncertain.", "share"
    ),
    nullable("width", "DOUBLE", "Share of the distance between the 5th and the 95th percentile.", "beds"),
    version=7,
)

SCENARIO_COMPARISON = hospital_table(
    "scenario_comparison",
    "What each scenario changes: paired differences to the hospital as it is, with the same patients.",
    key("scenario", "VARCHAR", "Scenario, by the name of its file."),
    WARD,
    key("kpi", "VARCHAR", "What is compared, as docs/how_to/scenarios.md explains."),
    *_EFFECT,
    Column("pairs", "INTEGER", "Pairs behind the row: replications, for percentiles groups of replications."),
    Column("overloaded", "BOOLEAN", "True: demand then exceeds the ward's beds; queues grow with the horizon."),
    version=5,
)

HEADLINE_CHANGES = hospital_table(
    "headline_changes",
    "The headline of each ward over the next 7 days, and why it changed since the last run with other inputs: change = "
    "program + seed + config + data + model. Rows of earlier runs stay.",
    key("run_number", "INTEGER", "Counts the runs; one with the same inputs again keeps the number."),
    WARD,
    key("headline", "VARCHAR", "prob_full_day, mean over the dates, or p95_census: mean of p95 over the hours."),
    Column("unit", "VARCHAR", "probability or beds."),
    Column("origin", "TIMESTAMP", "The run's as_of."),
    nullable("since", "TIMESTAMP", "The last run's as_of; null for the first."),
    Column("replications", "INTEGER", "Replications behind the row."),
    nullable("before", "DOUBLE", "Figure of the last run; null where it had none.", "see unit"),
    *with_error(Column("after", "DOUBLE", "Figure of this run.", "see unit")),
    nullable("change", "DOUBLE", "after - before.", "see unit"),
    nullable("change_se", "DOUBLE", "Monte Carlo standard error of change - program.", "see unit"),
    nullable(
        "program", "DOUBLE", "A replay of the last run less its figure: 0 unless code or libraries changed.", "see unit"
    ),
    *(
        column
        for factor, what in {
            "seed": "With the seed of this run, all else as before.",
            "config": "And with its config, as far as simulation and planned arrivals read it, and its replications.",
            "data": "And with its patients in the hospital, its days ahead and latest arrivals behind the base rate.",
            "model": "And with its arrival_model, length_of_stay and arrival_profile: all as in this run.",
        }.items()
        for column in with_error(nullable(factor, "DOUBLE", what, "see unit"))
    ),
    nullable("note", "VARCHAR", "Why the change is not split; null where it is."),
    version=5,
)

HEADLINE_INPUTS = hospital_table(
    "headline_inputs",
    "All that the headlines of this run and of the last one with other inputs depend on, so that the next run can "
    "replay it.",
    key("run_number", "INTEGER", "As in headline_changes."),
    key("input", "VARCHAR", "as_of, seed, config, known_until (last day observed by stream), or a table."),
    Column("content", "JSON", "The input; of a table the rows needed, by column."),
)

BED_MEETING = hospital_table(
    "bed_meeting",
    "What a bed meeting asks, in one row per ward, group and hospital: beds and patients now, who is expected to come "
    "and to leave until the next snapshot and in 24 hours, and the beds free at the end.",
    WARD,
    key("window", "VARCHAR", "until_next_snapshot or next_24_hours, as in ward_flows."),
    Column("kind", "VARCHAR", "ward, group or hospital: what ward_id is."),
    Column("ends", "TIMESTAMP", "Where the window ends; it begins at as_of."),
    nullable("staffed_beds", "INTEGER", "Beds staffed at as_of; null when unlimited.", "beds"),
    nullable("staffed_at_end", "INTEGER", "Beds staffed as the window ends; null when unlimited, or beyond.", "beds"),
    Column("in_beds", "INTEGER", "Patients in beds at as_of.", "patients"),
    nullable("free_now", "INTEGER", "staffed_beds - in_beds; below 0 where more beds are used than staffed.", "beds"),
    Column("waiting", "INTEGER", "Patients who wait for a bed here at as_of.", "patients"),
    nullable("level_now", "VARCHAR", "Highest of the hospital's own levels that in_beds reaches; null: none."),
    Column("expected_in", "DOUBLE", "Expected arrivals and transfers in.", "patients"),
    Column("expected_out", "DOUBLE", "Expected discharges and transfers out.", "patients"),
    Column("expected_net", "DOUBLE", "expected_in - expected_out.", "patients"),
    Column("net_p10", "INTEGER", "Net flow not exceeded with probability 0.10.", "patients"),
    Column("net_p90", "INTEGER", "Net flow not exceeded with probability 0.90.", "patients"),
    nullable(
        "free_p10", "INTEGER", "Beds free as it ends with probability 0.90 or more: staffed - census p90.", "beds"
    ),
    nullable("free_p50", "INTEGER", "staffed_at_end - median census.", "beds"),
    nullable("free_p90", "INTEGER", "staffed_at_end - census p10.", "beds"),
    Column("beds_70", "INTEGER", "Beds that cover the highest demand of the date of as_of with 70 %.", "beds"),
    Column("beds_90", "INTEGER", "The same with 90 %.", "beds"),
)

WARD_OUTLOOK = hospital_table(
    "ward_outlook",
    "The next seven dates in one row per ward, group and hospital: how likely it is full, on which days, how many beds "
    "are enough, and what that depends on.",
    WARD,
    Column("kind", "VARCHAR", "ward, group or hospital: what ward_id is."),
    Column("rank", "INTEGER", "1 is the worst of its kind: most days likely full, then most expected full days."),
    Column(
        "state",
        "VARCHAR",
        "likely, about_even or unlikely: the likeliest of these dates in words; unknown: beds are unlimited.",
    ),
    nullable("full_now", "BOOLEAN", "Whether it is full at as_of; null when unlimited or not known."),
    Column("first_date", "DATE", "The first of the dates; it may have begun."),
    Column("days", "INTEGER", "Dates looked at: 7, or fewer with a shorter horizon.", "days"),
    Column("hours_first_date", "INTEGER", "Hours of the first date that lie ahead.", "hours"),
    nullable("likely_days", "INTEGER", "Dates that are likely or very likely full at some hour.", "days"),
    nullable("about_even_days", "INTEGER", "Dates on which it is about even.", "days"),
    nullable("full_days", "DOUBLE", "Expected dates full at some hour.", "days"),
    nullable("hours_full_per_day", "DOUBLE", "Expected full hours of a whole day.", "hours"),
    nullable("worst_date", "DATE", "Likeliest date to be full, without that of as_of where it is full now."),
    nullable("worst_prob", "DOUBLE", "Its chance of being full at some hour."),
    nullable("easiest_date", "DATE", "Least likely of these dates."),
    nullable("easiest_prob", "DOUBLE", "Its chance of being full at some hour."),
    nullable("staffed_fewest", "INTEGER", "Fewest beds staffed on these dates.", "beds"),
    nullable("staffed_most", "INTEGER", "Most beds staffed on them.", "beds"),
    Column("risk_target", "DOUBLE", "simulation.risk_target.", "share"),
    nullable("enough_beds", "INTEGER", "Fewest beds that reach it over the horizon, from bed_requirements.", "beds"),
    nullable("beds_short", "INTEGER", "enough_beds - the fewest staffed over the horizon, at least 0.", "beds"),
    nullable("driver", "VARCHAR", "What most of the uncertainty of these dates comes from, from occupancy_drivers."),
    nullable("driver_share", "DOUBLE", "Its part of the variance.", "share"),
    Column("members", "INTEGER", "Wards of the group or hospital with limited beds; 1 or 0 for a ward.", "wards"),
    Column("members_full_now", "INTEGER", "Of these, those full at as_of.", "wards"),
    Column(
        "members_likely", "INTEGER", "Of these, those likely full at some hour of a whole day: the next one.", "wards"
    ),
    Column("members_about_even", "INTEGER", "Of these, those for which that is about even.", "wards"),
)
