"""Tables for planners: how good census forecasts are, beds, scenarios, drivers, and why headlines changed."""

from kaizar_pipeline.tables.columns import (
    HOSPITAL_TOTAL,
    hospital_table,
    inputs_hash,
    scenario,
    standard_error,
    ward,
    with_error,
)
from kaizar_pipeline.tables.forecast_tables import FORECAST_PERCENTAGES
from kaizar_pipeline.tables.schema import Column


def _predicted(nullable_scores: bool) -> tuple[Column, ...]:
    """The forecast of a midnight's census, and its scores."""
    return (
        Column("mean", "DOUBLE", "Mean of the forecast distribution.", "beds"),
        *(
            Column(f"p{q}", "INTEGER", f"Census not exceeded with probability 0.{q}.", "beds")
            for q in FORECAST_PERCENTAGES
        ),
        Column("actual", "INTEGER", "Observed census, from ward_stays.", "beds", nullable=nullable_scores),
        Column(
            "crps",
            "DOUBLE",
            "Continuous ranked probability score: the smaller the better.",
            "beds",
            nullable=nullable_scores,
        ),
        Column(
            "pit",
            "DOUBLE",
            "Randomised probability integral transform: uniform when calibrated.",
            nullable=nullable_scores,
        ),
    )


def _midnight_ahead() -> tuple[Column, ...]:
    return (
        Column(
            "origin", "DATE", "Day the forecast was made from: nothing at or after its midnight was visible.", key=True
        ),
        ward(),
        Column("date", "DATE", "The day that the midnight of the census begins.", key=True),
        Column("lead", "INTEGER", "Days ahead: date - origin.", "days"),
    )


def _week_scores() -> tuple[Column, ...]:
    return (
        ward(),
        Column("lead_week", "INTEGER", "Week ahead: 1 for the midnights 1 to 7 days ahead.", "weeks", key=True),
        Column("n", "INTEGER", "Midnights scored.", "midnights"),
        Column("origins", "INTEGER", "Origins they were forecast from.", "origins"),
        Column(
            "independent_dates",
            "INTEGER",
            "Origins among these whose forecasts share no day: independent trials.",
            "origins",
        ),
        *(
            Column(f"coverage{level}", "DOUBLE", f"Share inside the central {level} % interval, by randomised PIT.")
            for level in (50, 80, 95)
        ),
        Column("coverage80_low", "DOUBLE", "Lower end of the binomial 99 % band of so many independent dates."),
        Column("coverage80_high", "DOUBLE", "Upper end of that band."),
        Column("mean_pit", "DOUBLE", "Mean PIT: below 0.5 where forecasts are too high."),
        Column("crps", "DOUBLE", "Mean CRPS.", "beds"),
        Column("bias", "DOUBLE", "Mean of forecast - actual.", "beds"),
    )


OCCUPANCY_BACKTEST = hospital_table(
    "occupancy_backtest",
    "Forecasts of each midnight's census by the whole chain from past origins, beside two baselines.",
    Column(
        "method",
        "VARCHAR",
        "twin, persistence (the census of the origin stays) or weekday (the same weekday in the year before).",
        key=True,
    ),
    *_midnight_ahead(),
    *_predicted(nullable_scores=False),
    Column(
        "capacity_known",
        "BOOLEAN",
        "False: the data do not say how many beds there were; used are those of the config, or the most ever "
        "occupied by then.",
    ),
    inputs_hash(),
    version=5,
)

OCCUPANCY_SCORES = hospital_table(
    "occupancy_scores",
    "Scores of occupancy_backtest by ward and week ahead.",
    Column("method", "VARCHAR", "As in occupancy_backtest.", key=True),
    *_week_scores(),
)

FORECAST_LOG = hospital_table(
    "forecast_log",
    "Archive of issued forecasts of each midnight's census, scored once observed. A run replaces the rows of its own "
    "origin only.",
    *_midnight_ahead(),
    *_predicted(nullable_scores=True),
    Column("lowest", "INTEGER", "Smallest census with a probability above 0.", "beds"),
    Column("probability", "DOUBLE[]", "Probabilities of lowest, lowest + 1, ... patients."),
)

FORECAST_LOG_SCORES = hospital_table(
    "forecast_log_scores",
    "Scores of the forecasts of the last 30 origins, by ward and week ahead, for the midnights observed since.",
    *_week_scores(),
)

BED_REQUIREMENTS = hospital_table(
    "bed_requirements",
    "How many beds cover demand (unlimited beds, no overflow, no admission stop) with which probability, and the "
    "fewest that do so with the probability asked for.",
    ward(),
    Column("risk_event", "VARCHAR", "day: the peak of a day is covered; horizon_peak: that of all days is.", key=True),
    Column("beds", "INTEGER", "Beds.", "beds", key=True),
    Column("staffed_beds", "INTEGER", "Fewest beds staffed at any hour; null when unlimited.", "beds", nullable=True),
    Column("risk_target", "DOUBLE", "Accepted share of days (or horizons) that are not covered."),
    Column(
        "covered_share", "DOUBLE", "Share of days of all replications (or of replications) that this many beds cover."
    ),
    Column("covered_low", "DOUBLE", "Lower end of its 95 % confidence interval; replications are the units."),
    Column("covered_high", "DOUBLE", "Upper end."),
    Column("enough", "BOOLEAN", "Whether this many beds reach the target."),
    Column(
        "enough_beds",
        "INTEGER",
        "Fewest beds that do; null for a risk of 0, which no number of beds reaches.",
        "beds",
        nullable=True,
    ),
    Column("enough_low", "INTEGER", "Lower end of the 95 % confidence interval of that number.", "beds", nullable=True),
    Column(
        "enough_high", "INTEGER", "Upper end; null when there are too few replications to tell.", "beds", nullable=True
    ),
)

_EFFECT = (
    Column("baseline", "DOUBLE", "With the present beds.", "see unit", nullable=True),
    Column("value", "DOUBLE", "With the change.", "see unit", nullable=True),
    Column("difference", "DOUBLE", "value - baseline, for the same patients.", "see unit", nullable=True),
    Column("difference_se", "DOUBLE", "Paired standard error of the difference.", "see unit", nullable=True),
    Column("low", "DOUBLE", "Lower end of its 95 % confidence interval.", "see unit", nullable=True),
    Column("high", "DOUBLE", "Upper end.", "see unit", nullable=True),
)

BEDS_EFFECTS = hospital_table(
    "beds_effects",
    "What a few beds more or fewer in one ward, the others as they are, do to waits, boarding, diversion and outliers.",
    Column("ward_id", "VARCHAR", "Ward whose beds are changed.", key=True),
    Column("beds_added", "INTEGER", "Beds more, below 0 fewer, at all times.", "beds", key=True),
    Column("affected_ward_id", "VARCHAR", f"Where it is measured: the same ward, or {HOSPITAL_TOTAL}.", key=True),
    Column("kpi", "VARCHAR", "A column of ward_performance, over all patients.", key=True),
    Column("unit", "VARCHAR", "Its unit."),
    *_EFFECT,
    Column(
        "overloaded",
        "BOOLEAN",
        "Whether demand then exceeds the beds of some ward, so that figures grow with the horizon.",
    ),
)

BED_ALLOCATIONS = hospital_table(
    "bed_allocations",
    "Where extra beds help most: every allocation, the one that prevents most harm first. Harm is in hours: all "
    "waiting for beds, and 24 for each patient turned away or gone unseen, unless other weights are set.",
    Column("extra_beds", "INTEGER", "Beds to place.", "beds", key=True),
    Column("rank", "INTEGER", "1 is the best allocation.", key=True),
    Column("ward_id", "VARCHAR", "Ward.", key=True),
    Column("beds_added", "INTEGER", "Of the extra beds, those placed here.", "beds"),
    Column("baseline_harm", "DOUBLE", "With the present beds. Mean over replications.", "hours"),
    Column("harm", "DOUBLE", "With this allocation.", "hours"),
    Column("prevented", "DOUBLE", "Harm prevented.", "hours"),
    Column("prevented_se", "DOUBLE", "Its paired standard error.", "hours"),
    Column("behind_best", "DOUBLE", "Harm more than with the best allocation.", "hours"),
    Column(
        "behind_best_se",
        "DOUBLE",
        "Its paired standard error; within two of them the allocations do not differ.",
        "hours",
    ),
)

OCCUPANCY_DRIVERS = hospital_table(
    "occupancy_drivers",
    "Why the census is uncertain: the variance of each day's highest census, split by source of randomness. The parts "
    "of a ward and day add up to its variance, and their widths to that of its 90 % interval.",
    scenario(),
    ward(),
    Column("date", "DATE", "Day ahead.", key=True),
    Column(
        "driver",
        "VARCHAR",
        "arrivals_level (how many are expected), arrivals_noise (who comes when), routing, length_of_stay, "
        "starting_census (rest of the stays of those in the hospital), monte_carlo (finitely many replications).",
        key=True,
    ),
    Column("variance", "DOUBLE", "Variance that the driver adds once those before it in this list are known.", "beds²"),
    Column("variance_se", "DOUBLE", "Its Monte Carlo standard error.", "beds²"),
    Column("share", "DOUBLE", "Part of the variance; null where nothing is uncertain.", "share", nullable=True),
    Column("width", "DOUBLE", "Share of the distance between the 5th and the 95th percentile.", "beds", nullable=True),
)

SCENARIO_COMPARISON = hospital_table(
    "scenario_comparison",
    "What each scenario changes: paired differences to the hospital as it is, with the same patients.",
    Column("scenario", "VARCHAR", "Scenario, by the name of its file.", key=True),
    ward(),
    Column("kpi", "VARCHAR", "What is compared, as docs/scenarios.md explains.", key=True),
    Column("unit", "VARCHAR", "Unit of the figures."),
    Column("baseline", "DOUBLE", "With the hospital as it is; null for a ward that the scenario adds.", nullable=True),
    Column("value", "DOUBLE", "With the scenario.", nullable=True),
    Column("difference", "DOUBLE", "value - baseline, over the pairs in which both were measured.", nullable=True),
    Column("difference_se", "DOUBLE", "Monte Carlo standard error of the paired difference.", nullable=True),
    Column("low", "DOUBLE", "Lower end of the 95 % confidence interval of the difference.", nullable=True),
    Column("high", "DOUBLE", "Upper end.", nullable=True),
    Column("pairs", "INTEGER", "Pairs behind the row: replications, for p95_census groups of replications."),
    Column(
        "overloaded",
        "BOOLEAN",
        "True: demand in the scenario exceeds the ward's beds, so that queues grow with the horizon.",
    ),
)

HEADLINE_CHANGES = hospital_table(
    "headline_changes",
    "The headline of each ward over the next 7 days, and why it changed since the last run with other inputs: change = "
    "program + seed + config + data + model. Rows of earlier runs stay.",
    Column("run_number", "INTEGER", "Counts the runs; one with the same inputs again keeps the number.", key=True),
    ward(),
    Column("headline", "VARCHAR", "prob_full or p95_census: mean of prob_full or p95 over the hours.", key=True),
    Column("unit", "VARCHAR", "probability or beds."),
    Column("origin", "DATE", "Day of the run: its as_of."),
    Column("since", "DATE", "Day of the last run; null for the first.", nullable=True),
    Column("replications", "INTEGER", "Replications behind the row."),
    Column("before", "DOUBLE", "Figure of the last run; null where it had none.", "see unit", nullable=True),
    Column("after", "DOUBLE", "Figure of this run.", "see unit"),
    standard_error("after", "see unit"),
    Column("change", "DOUBLE", "after - before.", "see unit", nullable=True),
    Column("change_se", "DOUBLE", "Monte Carlo standard error of change - program.", "see unit", nullable=True),
    Column(
        "program",
        "DOUBLE",
        "Difference of a replay of the last run to its figure: 0 unless the version of the program or of its "
        "libraries changed.",
        "see unit",
        nullable=True,
    ),
    *with_error("seed", "With the seed of this run, all else as before.", "see unit"),
    *with_error(
        "config",
        "And with its config, as far as simulation and planned arrivals read it, and its replications.",
        "see unit",
    ),
    *with_error(
        "data",
        "And with its patients in the hospital, its days ahead and the latest arrivals behind the base rate.",
        "see unit",
    ),
    *with_error("model", "And with its arrival_model and length_of_stay: all as in this run.", "see unit"),
    Column("note", "VARCHAR", "Why the change is not split; null where it is.", nullable=True),
)

HEADLINE_INPUTS = hospital_table(
    "headline_inputs",
    "All that the headlines of this run and of the last one with other inputs depend on, so that the next run can "
    "replay it.",
    Column("run_number", "INTEGER", "As in headline_changes.", key=True),
    Column("input", "VARCHAR", "as_of, seed, config, known_until (last day observed by stream), or a table.", key=True),
    Column("content", "JSON", "The input; of a table the rows needed, by column."),
)
