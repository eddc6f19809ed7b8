"""Tables of patients: their stays, those in the hospital at as_of, daily arrivals and lengths of stay."""

from kaizar_pipeline.tables.columns import ALL, ANY, HOME, hospital_table, stream, ward
from kaizar_pipeline.tables.schema import Column

PATIENTS = hospital_table(
    "patients",
    "One row per request for care, whatever its outcome.",
    Column(
        "patient_id",
        "VARCHAR",
        "Synthetic number, or the keyed hash of the extract's id; never the id itself.",
        key=True,
    ),
    Column("stream_id", "VARCHAR", "Arrival stream."),
    Column("patient_type", "VARCHAR", "Patient type, as the config lists it."),
    Column("arrival", "TIMESTAMP", "When care was asked for."),
    Column(
        "departure",
        "TIMESTAMP",
        "When the patient left the hospital; null while in the hospital or not known.",
        nullable=True,
    ),
    Column("departure_known", "BOOLEAN", "False: the patient left at a time that was not recorded."),
    Column("outcome", "VARCHAR", "admitted, waiting, diverted (sent elsewhere), left (without being seen)."),
    Column("resolution", "VARCHAR", "Resolution of the source's time stamps: day or second."),
)

PATIENT_REJECTS = hospital_table(
    "patient_rejects",
    "One row per row of an extract that was set aside, with the reason.",
    Column("extract", "VARCHAR", "Which extract: patients or stays.", key=True),
    Column("row", "INTEGER", "Row of the extract, the first below the header is 1.", key=True),
    Column("reason", "VARCHAR", "Why the row was set aside."),
    Column("field", "VARCHAR", "Column of the extract with the error."),
    Column("value", "VARCHAR", "Its value; an id only as its keyed hash.", nullable=True),
)

WARD_STAYS = hospital_table(
    "ward_stays",
    "One row per stay in a ward, in the order in which a patient had them.",
    Column("patient_id", "VARCHAR", "As in patients.", key=True),
    Column("stay_no", "INTEGER", "Number of the stay, from 0.", key=True),
    Column("ward_id", "VARCHAR", "Ward of the bed; null while waiting, or when no bed was given.", nullable=True),
    Column("planned_ward_id", "VARCHAR", "Ward that was asked for; differs from ward_id for an outlier."),
    Column("request", "TIMESTAMP", "When the bed was asked for.", nullable=True),
    Column("admit", "TIMESTAMP", "When the bed was given.", nullable=True),
    Column(
        "ready", "TIMESTAMP", "When care in the ward ended; boarding or a discharge delay may follow.", nullable=True
    ),
    Column("depart", "TIMESTAMP", "When the bed was left.", nullable=True),
    Column(
        "next_ward_id",
        "VARCHAR",
        f"Where the patient went next, {HOME} for discharge; null while not known.",
        nullable=True,
    ),
    Column("whole_stay", "BOOLEAN", "True: the source has no ward moves; the row is the whole time in the hospital."),
)

STARTING_CENSUS = hospital_table(
    "starting_census",
    "One row per patient in the hospital at as_of: who holds which bed, and who waits for one.",
    Column("patient_id", "VARCHAR", "As in patients.", key=True),
    Column("stream_id", "VARCHAR", "Arrival stream."),
    Column("patient_type", "VARCHAR", "Patient type, as the config lists it."),
    Column("request", "TIMESTAMP", "When care was asked for; the rows are in this order."),
    Column("ward_id", "VARCHAR", "Ward of the bed held; null for none.", nullable=True),
    Column("planned_ward_id", "VARCHAR", "Ward that was asked for when that bed was given.", nullable=True),
    Column("admit", "TIMESTAMP", "When that bed was given.", nullable=True),
    Column("ready", "TIMESTAMP", "When care in it ended; null while in care.", nullable=True),
    Column("waits_for", "VARCHAR", "Ward of the request not met yet; null for none.", nullable=True),
    Column("waits_since", "TIMESTAMP", "Time of that request.", nullable=True),
    Column("first_ward", "BOOLEAN", "True: the patient still waits for a first bed."),
)

DAILY_ARRIVALS = hospital_table(
    "daily_arrivals",
    "One row per stream and complete day, days without arrivals included.",
    stream(),
    Column("date", "DATE", "Local day.", key=True),
    Column("arrivals", "INTEGER", "Requests for care: demand, not admissions.", "patients"),
    Column(
        "admitted",
        "INTEGER",
        "Requests that got a bed; null when the source does not record it.",
        "patients",
        nullable=True,
    ),
    Column(
        "turned_away",
        "INTEGER",
        "Requests diverted or left; null when the source does not record it.",
        "patients",
        nullable=True,
    ),
    Column("observed", "BOOLEAN", "False: an outage of the records, not a day without arrivals."),
    Column("demand_observed", "BOOLEAN", "False: the source does not record who was turned away."),
)

LENGTH_OF_STAY = hospital_table(
    "length_of_stay",
    "Lengths of stay per ward, patient type and next ward: as configured and as the history shows them.",
    ward(total=False),
    Column("patient_type", "VARCHAR", f"Patient type, or {ALL}.", key=True),
    Column("next_ward_id", "VARCHAR", f"Next ward, {HOME} or {ANY}.", key=True),
    Column("origin", "VARCHAR", "configured or fitted.", key=True),
    Column("in_use", "BOOLEAN", "True: the simulation draws from this row."),
    Column("distribution", "VARCHAR", "lognormal, gamma, weibull, exponential, fixed or empirical."),
    Column("shape", "DOUBLE", "Shape: sigma, alpha or k; null where the distribution has none.", nullable=True),
    Column("scale_hours", "DOUBLE", "Scale (lognormal: the median; fixed: the value).", "hours", nullable=True),
    Column(
        "quantile_hours",
        "DOUBLE[]",
        "Empirical quantiles at evenly spaced probabilities 0 to 1.",
        "hours",
        nullable=True,
    ),
    Column("n", "INTEGER", "Completed stays behind a fitted row; 0 for a configured one.", "stays"),
    Column("n_censored", "INTEGER", "Stays still open at as_of (by next ward: expected number of them).", "stays"),
    Column("mean_hours", "DOUBLE", "Mean.", "hours"),
    Column("p90_hours", "DOUBLE", "90th percentile.", "hours"),
    Column(
        "ks",
        "DOUBLE",
        "Kolmogorov-Smirnov distance from the Kaplan-Meier estimate to the best of lognormal, gamma and weibull, also "
        "where empirical quantiles were used instead; null for configured rows, and where all stays are equal.",
        nullable=True,
    ),
    Column(
        "scale_sd",
        "DOUBLE",
        "Standard deviation of the log scale: fit error and drift between 28-day blocks; 0 for configured rows.",
    ),
)
