"""Tables of the forecast of arrivals: features, model, rates and back-test."""

from kaizar_pipeline.tables.columns import hospital_table, inputs_hash, stream
from kaizar_pipeline.tables.schema import Column

FEATURE_TABLE = hospital_table(
    "feature_table",
    "What the arrivals model is trained on and predicts from: one row per stream, origin and day ahead.",
    stream(),
    Column("fit_until", "DATE", "Last day the calendar was fitted on; levels use the days up to origin.", key=True),
    Column("use", "VARCHAR", "train, path (inner out-of-sample forecast) or forecast.", key=True),
    Column("origin", "DATE", "Last day known when the forecast is made.", key=True),
    Column("h", "INTEGER", "Days ahead of origin.", "days", key=True),
    Column("target_date", "DATE", "Day that is forecast: origin + h."),
    Column(
        "arrivals",
        "INTEGER",
        "Observed on that day; null when it lies ahead or was not observed.",
        "patients",
        nullable=True,
    ),
    Column(
        "log_base_rate",
        "DOUBLE",
        "Logarithm of calendar shape times level: the model's offset.",
        "log patients per day",
    ),
    Column("weekday", "INTEGER", "Monday 0 to Sunday 6."),
    Column("day_of_year", "INTEGER", "1 to 366."),
    Column("holiday", "BOOLEAN", "Public holiday."),
    Column("before_holiday", "BOOLEAN", "Day before a public holiday."),
    Column("after_holiday", "BOOLEAN", "Day after a public holiday."),
    Column("year_end", "BOOLEAN", "24 to 31 December."),
    Column(
        "events", "VARCHAR", "Events of the target day by name, separated by semicolons; null: none.", nullable=True
    ),
    Column("level_3_10", "DOUBLE", "Log ratio of the levels with half-lives of 3 and 10 days."),
    Column("level_30_10", "DOUBLE", "Log ratio of the levels with half-lives of 30 and 10 days."),
    Column("level_120_10", "DOUBLE", "Log ratio of the levels with half-lives of 120 and 10 days."),
    Column("weekday_ratio", "DOUBLE", "Recent arrivals over shape times level on the target's weekday."),
)

ARRIVAL_MODEL = hospital_table(
    "arrival_model",
    "One row per forecast stream: the fitted model as text, and the covariance of its errors.",
    stream(),
    Column(
        "method", "VARCHAR", "trees (on the base rate), base_rate (calendar x level) or level (too little history)."
    ),
    Column("trees", "INTEGER", "Trees kept; 0: none, or none that helped."),
    Column("model_text", "VARCHAR", "The model in LightGBM's text form; null when 0 trees.", nullable=True),
    Column("train_from", "DATE", "First target day trained on."),
    Column("train_to", "DATE", "Last target day trained on."),
    Column("n_days", "INTEGER", "Observed days of history.", "days"),
    Column("overdispersion", "DOUBLE", "Variance over mean around the calendar fit."),
    Column("deviance_model", "DOUBLE", "Validation Poisson deviance of the trees; null when not tried.", nullable=True),
    Column(
        "deviance_base", "DOUBLE", "Validation Poisson deviance of the base rate; null when not tried.", nullable=True
    ),
    Column("cov_a", "DOUBLE", "Constant part of the covariance of the relative rate error."),
    Column("cov_b", "DOUBLE", "Part that grows with the horizon: its value after 28 days."),
    Column("cov_c", "DOUBLE", "Part that decays with the distance of two days."),
    Column("rho", "DOUBLE", "Decay per day of the last part."),
    Column("inv_k", "DOUBLE", "Independent overdispersion 1/k of one day's count."),
    Column("stream_correlation", "DOUBLE", "Correlation of rate errors between the hospital's streams."),
    Column("n_paths_fit", "INTEGER", "Inner out-of-sample paths behind the covariance."),
    Column("prior_used", "BOOLEAN", "True: too few paths; the covariance is based on the hospital's other streams."),
    Column("calendar", "JSON", "Calendar coefficients by name (log scale)."),
    Column("importance", "JSON", "Gain by feature."),
    Column("versions", "JSON", "Versions of the libraries that fitted the model."),
)

ARRIVAL_RATES = hospital_table(
    "arrival_rates",
    "The rate of every stream for every day ahead, on each of the sampled rate paths.",
    stream(),
    Column("date", "DATE", "Day ahead.", key=True),
    Column("path", "INTEGER", "Rate path; replication r uses path r modulo their number.", key=True),
    Column("rate", "DOUBLE", "Expected arrivals on this path.", "patients per day"),
    Column("mean_rate", "DOUBLE", "Expected arrivals over all paths.", "patients per day"),
    Column("model_type", "VARCHAR", "ml_poisson, schedule or constant."),
)

FORECAST_PERCENTAGES = ("025", "10", "25", "50", "75", "90", "975")
"""Percentages of the back-test's quantiles (025: 2.5), inverted CDF: the bounds of the 50, 80 and 95 % intervals."""

FORECAST_BACKTEST = hospital_table(
    "forecast_backtest",
    "Forecasts made from earlier days only, with what was observed: one row per stream, method, origin and day ahead.",
    stream(),
    Column("method", "VARCHAR", "model, seasonal_naive, weekday_mean (of four weeks) or calendar_glm.", key=True),
    Column("origin", "DATE", "Last day known when the forecast was made.", key=True),
    Column("h", "INTEGER", "Days ahead of origin.", "days", key=True),
    Column("target_date", "DATE", "Day that was forecast, and was observed: origin + h."),
    Column("actual", "INTEGER", "Observed on that day.", "patients"),
    Column("mean", "DOUBLE", "Mean of the forecast distribution.", "patients"),
    *(
        Column(f"p{q}", "DOUBLE", f"Arrivals not exceeded with probability 0.{q}.", "patients")
        for q in FORECAST_PERCENTAGES
    ),
    Column("crps", "DOUBLE", "Continuous ranked probability score: the smaller the better.", "patients"),
    Column("pit", "DOUBLE", "Randomised probability integral transform: uniform when calibrated."),
    Column("scale", "DOUBLE", "What MASE divides by: mean change from week to week in the days known.", "patients",
           nullable=True),
    Column("sum7_actual", "INTEGER", "Sum of the 7 days to target_date, where h is a multiple of 7 and all were "
           "observed.", "patients", nullable=True),
    Column("sum7_mean", "DOUBLE", "Mean of the forecast distribution of that sum.", "patients", nullable=True),
    Column("sum7_crps", "DOUBLE", "CRPS of that sum.", "patients", nullable=True),
    Column("sum7_pit", "DOUBLE", "Randomised PIT of that sum.", nullable=True),
    inputs_hash(),
    version=5,
)  # fmt: skip

FORECAST_SCORES = hospital_table(
    "forecast_scores",
    "Scores of the back-test: which method forecasts a stream best, and whether its intervals are calibrated.",
    stream(),
    Column("method", "VARCHAR", "As in forecast_backtest.", key=True),
    Column("span", "VARCHAR", "day, or week: sums of 7 days.", key=True),
    Column("horizon_week", "INTEGER", "Week ahead, from 1; 0 for all together.", "weeks", key=True),
    Column("n", "INTEGER", "Forecasts behind the row.", "forecasts"),
    Column("n_effective", "DOUBLE", "Number of independent forecasts that carry as much information about coverage80: "
           "those of one origin share their error.", "forecasts"),
    Column("crps", "DOUBLE", "Mean CRPS.", "patients"),
    Column("pinball", "DOUBLE", "Mean pinball loss over the quantiles of forecast_backtest; days only.", "patients",
           nullable=True),
    Column("mase", "DOUBLE", "Mean absolute error of the median over the mean change from week to week; days only.",
           nullable=True),
    Column("bias", "DOUBLE", "Mean of forecast - actual.", "patients"),
    *(
        Column(f"coverage{level}", "DOUBLE", f"Share inside the central {level} % interval, by randomised PIT.")
        for level in (50, 80, 95)
    ),
    Column("coverage80_low", "DOUBLE", "Lower end of the binomial band that holds 99 % of calibrated forecasts."),
    Column("coverage80_high", "DOUBLE", "Upper end of that band."),
    Column("skill", "DOUBLE", "1 - CRPS over that of seasonal_naive; null where that is zero.", nullable=True),
    Column("rank", "INTEGER", "Place by CRPS among the methods, 1 the best."),
    Column("loses_to", "VARCHAR", "Methods with a smaller CRPS and by how much, separated by commas; null: none.",
           nullable=True),
)  # fmt: skip
