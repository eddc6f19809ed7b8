"""Tables of patients: their stays, those in the hospital at as_of, daily arrivals and lengths of stay."""

from kaizar_pipeline.tables.columns import ALL, ANY, HOME, STREAM, hospital_table, key, nullable
from kaizar_pipeline.tables.schema import Column

PATIENTS = hospital_table(
    "patients",
    "One row per request for care, whatever its outcome.",
    key("patient_id", "VARCHAR", "Synthetic number, or the keyed hash of the extract's id; never the id itself."),
    Column("stream_id", "VARCHAR", "Arrival stream."),
    Column("patient_type", "VARCHAR", "Patient type, as the config lists it."),
    Column("arrival", "TIMESTAMP", "When care was asked for."),
    nullable("departure", "TIMESTAMP", "When the patient left the hospital; null while in the hospital or not known."),
    Column("departure_known", "BOOLEAN", "False: the patient left at a time that was not recorded."),
    Column("outcome", "VARCHAR", "admitted, waiting, diverted (sent elsewhere), left (without being seen)."),
    Column(
        "resolution",
        "VARCHAR",
        "What the source's time stamps resolve: day, departure_day (only that), second.",
    ),
)

PATIENT_REJECTS = hospital_table(
    "patient_rejects",
    "One row per row of an extract that was set aside, with the reason.",
    key("extract", "VARCHAR", "Which extract: patients or stays."),
    key(
        "row", "INTEGER", "Line of the file, the header is line 1; number of the row, from 1, where there are no lines."
    ),
    Column("reason", "VARCHAR", "Why the row was set aside."),
    Column("field", "VARCHAR", "Column of the extract with the error."),
    nullable("value", "VARCHAR", "Its value; an id only as its keyed hash."),
)

WARD_STAYS = hospital_table(
    "ward_stays",
    "One row per stay in a ward, in the order in which a patient had them.",
    key("patient_id", "VARCHAR", "As in patients."),
    key("stay_no", "INTEGER", "Number of the stay, from 0."),
    nullable("ward_id", "VARCHAR", "Ward of the bed; null while waiting, or when no bed was given."),
    Column("planned_ward_id", "VARCHAR", "Ward that was asked for; differs from ward_id for an outlier."),
    nullable("request", "TIMESTAMP", "When the bed was asked for."),
    nullable("admit", "TIMESTAMP", "When the bed was given."),
    nullable("ready", "TIMESTAMP", "When care in the ward ended; boarding or a discharge delay may follow."),
    nullable("depart", "TIMESTAMP", "When the bed was left."),
    nullable("next_ward_id", "VARCHAR", f"Where the patient went next, {HOME} for discharge; null while not known."),
    Column("whole_stay", "BOOLEAN", "True: the source has no ward moves; the row is the whole time in the hospital."),
)

STARTING_CENSUS = hospital_table(
    "starting_census",
    "One row per patient in the hospital at as_of: who holds which bed, and who waits for one.",
    key("patient_id", "VARCHAR", "As in patients."),
    Column("stream_id", "VARCHAR", "Arrival stream."),
    Column("patient_type", "VARCHAR", "Patient type, as the config lists it."),
    Column("request", "TIMESTAMP", "When care was asked for; the rows are in this order."),
    nullable("ward_id", "VARCHAR", "Ward of the bed held; null for none."),
    nullable("planned_ward_id", "VARCHAR", "Ward that was asked for when that bed was given."),
    nullable("admit", "TIMESTAMP", "When that bed was given."),
    nullable("ready", "TIMESTAMP", "When care in it ended; null while in care."),
    nullable("waits_for", "VARCHAR", "Ward of the request not met yet; null for none."),
    nullable("waits_since", "TIMESTAMP", "Time of that request."),
    Column("first_ward", "BOOLEAN", "True: the patient still waits for a first bed."),
)

ARRIVAL_PROFILE = hospital_table(
    "arrival_profile",
    "Hours of arrival per stream and weekday: as configured and as the history shows them.",
    STREAM,
    key("source", "VARCHAR", "configured, flat, or from_data (learned from the history)."),
    key("weekday", "INTEGER", "Monday 0 to Sunday 6."),
    key("hour", "INTEGER", "Hour of the day, 0 to 23."),
    Column("in_use", "BOOLEAN", "True: the simulation draws from this row."),
    Column("weight", "DOUBLE", "Arrivals in the hour over those in a mean hour of the weekday; 0 all day: none then."),
    nullable("arrivals", "DOUBLE", "Arrivals with a known time of day that the weight was learned from.", "patients"),
)

ROUTES = hospital_table(
    "routes",
    "Where patients of each type go after a ward: as configured and as the history shows them.",
    key("ward_id", "VARCHAR", "Ward that they leave."),
    key("patient_type", "VARCHAR", "Patient type."),
    key("next_ward_id", "VARCHAR", f"Next ward, or {HOME}."),
    key("origin", "VARCHAR", "configured, or from_data (learned from the ward stays of the history)."),
    Column("in_use", "BOOLEAN", "True: the simulation draws from this row."),
    Column("probability", "DOUBLE", "Share of the patients who go there; 1 over all rows of ward, type and origin."),
    Column("n", "INTEGER", "Completed stays after which patients went there; 0 for a configured row.", "stays"),
    nullable("per_day", "DOUBLE", "The same per day of the records looked at; null for a configured row.", "stays"),
    nullable(
        "weight",
        "DOUBLE",
        "Stays that the learned probabilities of the ward and type count as, for their error: its own, and others that "
        "stand in for more; null for a configured row.",
        "stays",
    ),
)

DAILY_ARRIVALS = hospital_table(
    "daily_arrivals",
    "One row per stream and complete day, days without arrivals included.",
    STREAM,
    key("date", "DATE", "Local day."),
    Column("arrivals", "INTEGER", "Requests for care: demand, not admissions.", "patients"),
    nullable("admitted", "INTEGER", "Requests that got a bed; null when the source does not record it.", "patients"),
    nullable("turned_away", "INTEGER", "Requests diverted or left; null when not recorded.", "patients"),
    Column("observed", "BOOLEAN", "False: an outage of the records, or a stream not open; not a day without arrivals."),
    Column("demand_observed", "BOOLEAN", "False: the source does not record who was turned away."),
)

DISCHARGE_CLOCKS = hospital_table(
    "discharge_clocks",
    "How the chance of leaving a ward varies over the hours of the week: one row per ward, way out, weekday and hour.",
    key("ward_id", "VARCHAR", "Ward."),
    key("way", "VARCHAR", "Way out: home (discharge) or onward (to another ward)."),
    key("weekday", "INTEGER", "Day of the week, Monday 0; public holidays count as Sundays (6)."),
    key("hour", "INTEGER", "Hour of the day, 0 to 23."),
    Column("weight", "DOUBLE", "Factor on the chance of leaving in that hour; mean 1 over the week."),
    Column("origin", "VARCHAR", "configured, from_data (the ward's own), pooled (of all wards) or flat (no clock)."),
    Column("n", "INTEGER", "Departures by that way that it was learned from; 0 for a configured clock.", "stays"),
    nullable(
        "gain",
        "DOUBLE",
        "Log-likelihood per stay, of stays that it was not learned from, above that of a flat clock; null where it was "
        "not measured.",
    ),
)

DAY_FACTORS = hospital_table(
    "day_factors",
    "How much the chance of leaving a ward varies from day to day, for all its patients at once: one row per ward.",
    key("ward_id", "VARCHAR", "Ward."),
    Column("sd", "DOUBLE", "Standard deviation of the logarithm of a day's factor; 0 for none."),
    Column("autocorrelation", "DOUBLE", "Correlation of one day's logarithm with the next day's."),
    Column("shared", "DOUBLE", "Share of the variance that is common to all wards."),
    Column("origin", "VARCHAR", "configured, from_data or none."),
    nullable("dispersion", "DOUBLE", "Variance of the departures per day over that without a factor; 1 for none."),
    Column("n_days", "INTEGER", "Days that it was learned from.", "days"),
    nullable("gain", "DOUBLE", "Log-likelihood per day, of days that it was not learned from, above that without."),
)

LENGTH_OF_STAY = hospital_table(
    "length_of_stay",
    "Lengths of stay per ward, patient type and next ward: as configured and as the history shows them.",
    key("ward_id", "VARCHAR", "Ward."),
    key("patient_type", "VARCHAR", f"Patient type, or {ALL}."),
    key("next_ward_id", "VARCHAR", f"Next ward, {HOME} or {ANY}."),
    key("origin", "VARCHAR", "configured or fitted."),
    Column("in_use", "BOOLEAN", "True: the simulation draws from this row."),
    Column("distribution", "VARCHAR", "lognormal, gamma, weibull, exponential, fixed or empirical."),
    nullable("shape", "DOUBLE", "Shape: sigma, alpha or k; null where the distribution has none."),
    nullable("scale_hours", "DOUBLE", "Scale (lognormal: the median; fixed: the value).", "hours"),
    nullable("quantile_hours", "DOUBLE[]", "Empirical quantiles at evenly spaced probabilities 0 to 1.", "hours"),
    Column("n", "INTEGER", "Completed stays behind a fitted row; 0 for a configured one.", "stays"),
    Column("n_censored", "INTEGER", "Stays still open at as_of (by next ward: expected number of them).", "stays"),
    Column("mean_hours", "DOUBLE", "Mean, in plain hours.", "hours"),
    Column("p90_hours", "DOUBLE", "90th percentile, in plain hours.", "hours"),
    nullable(
        "operational_mean_hours",
        "DOUBLE",
        "Mean in operational hours, in which shape, scale, quantiles and ks of the row are too: the ward has a clock; "
        "null where they are plain hours.",
        "hours",
    ),
    nullable(
        "ks",
        "DOUBLE",
        "Kolmogorov-Smirnov distance from the Kaplan-Meier estimate to the best of lognormal, gamma and "
        "weibull, also where empirical quantiles were used instead; null for configured rows, and where all stays are "
        "equal.",
    ),
    Column("scale_sd", "DOUBLE", "SD of the log scale: fit error and drift between 28-day blocks; 0 when configured."),
    nullable(
        "clock_factor_onward",
        "DOUBLE",
        "Factor on a configured length of stay before another ward: drawn in operational hours, it keeps its mean in "
        "plain ones; 1 without a clock, null for fitted rows.",
    ),
    nullable("clock_factor_home", "DOUBLE", "The same before the discharge home."),
    version=6,
)
