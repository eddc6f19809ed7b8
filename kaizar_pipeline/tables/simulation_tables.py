"""Tables of simulation results: occupancy, peaks, waits, boarding, and how precisely they are known."""

from kaizar_pipeline.tables.columns import ALL, SCENARIO, WARD, hospital_table, key, nullable, with_error
from kaizar_pipeline.tables.kpis import KPIS
from kaizar_pipeline.tables.schema import Column

CENSUS_PERCENTAGES = (5, 10, 25, 50, 75, 90, 95, 99)
"""Percentages of the census quantiles, inverted CDF: they are bed counts."""


def _census_quantiles(error: str) -> list[Column]:
    return [
        column
        for q in CENSUS_PERCENTAGES
        for column in (
            Column(f"p{q:02d}", "INTEGER", f"Census not exceeded with probability {q} %.", "beds"),
            Column(f"p{q:02d}_se", "DOUBLE", f"{error} of p{q:02d}.", "beds"),
        )
    ]


OCCUPANCY_DISTRIBUTIONS = hospital_table(
    "occupancy_distributions",
    "How full each ward is at each hour ahead: the distribution of its census over replications.",
    SCENARIO,
    WARD,
    key("at", "TIMESTAMP", "Time of the census: admit <= at < depart."),
    nullable("staffed_beds", "INTEGER", "Beds staffed; null: unlimited.", "beds"),
    Column("replications", "INTEGER", "Replications behind the row."),
    *with_error(Column("mean", "DOUBLE", "Mean census.", "beds")),
    Column("sd", "DOUBLE", "Standard deviation of the census.", "beds"),
    *_census_quantiles("Monte Carlo standard error"),
    *with_error(nullable("prob_full", "DOUBLE", "Probability of census >= staffed beds; null when unlimited.")),
    *with_error(
        nullable("prob_above", "DOUBLE", "Probability of census > high_occupancy x staffed beds; null when unlimited.")
    ),
    *with_error(Column("prob_queue", "DOUBLE", "Probability that at least one patient waits for the ward.")),
    *with_error(Column("mean_waiting", "DOUBLE", "Patients who wait for this ward, wherever they are.", "patients")),
    *with_error(Column("mean_boarding", "DOUBLE", "Patients who hold a bed here and wait for the next ward.", "beds")),
    *with_error(Column("mean_outliers", "DOUBLE", "Patients in a bed here who were planned for another ward.", "beds")),
)

MIDNIGHT_CENSUS = hospital_table(
    "midnight_census",
    "The exact distribution of the census at the midnight that begins each day.",
    SCENARIO,
    WARD,
    key("date", "DATE", "Day ahead."),
    key("beds", "INTEGER", "Patients in beds.", "beds"),
    *with_error(
        Column(
            "probability", "DOUBLE", "Share of replications with this many; numbers that never occurred have no row."
        )
    ),
)

WEEK_PROFILE = hospital_table(
    "week_profile",
    "The census by weekday and hour, over the weeks of the horizon together.",
    SCENARIO,
    WARD,
    key("weekday", "INTEGER", "Monday 0 to Sunday 6."),
    key("hour", "INTEGER", "Hour of the day, 0 to 23."),
    Column("weeks", "INTEGER", "How often the hour occurs in the horizon."),
    *with_error(Column("mean", "DOUBLE", "Mean census.", "beds")),
    *_census_quantiles("At most the Monte Carlo standard error"),
    *with_error(nullable("prob_full", "DOUBLE", "Probability of census >= staffed beds; null when unlimited.")),
)

DAILY_PEAKS = hospital_table(
    "daily_peaks",
    "The exact distribution of each day's highest hourly census.",
    SCENARIO,
    key("run_kind", "VARCHAR", "actual, or demand: unlimited beds, no overflow, no admission stop."),
    WARD,
    key("date", "DATE", "Day ahead."),
    key("peak_beds", "INTEGER", "Highest of the day's 24 hourly censuses.", "beds"),
    Column("replications", "INTEGER", "Replications whose peak this was."),
)

WARD_PERFORMANCE = hospital_table(
    "ward_performance",
    "Performance of each ward over the horizon: waits, boarding, diversion, throughput, occupancy.",
    SCENARIO,
    WARD,
    key("patient_type", "VARCHAR", f"Patient type, or {ALL}."),
    *(
        column
        for kpi in KPIS
        for column in with_error(nullable(kpi.name, "DOUBLE", f"{kpi.description} Mean over replications.", kpi.unit))
    ),
)

SIMULATION_PRECISION = hospital_table(
    "simulation_precision",
    "How precise the results are, at the ward and hour where they are least precise: the Monte Carlo error alone.",
    SCENARIO,
    key("quantity", "VARCHAR", "mean_census, prob_full (any ward and hour) or wait_mean_hours (any ward)."),
    nullable("ward_id", "VARCHAR", "Ward with the widest interval; null when there was nothing to measure."),
    nullable("target", "DOUBLE", "Half-width asked for, if any.", "as the quantity"),
    nullable("half_width", "DOUBLE", "That of the widest 95 % confidence interval, if measured.", "as the quantity"),
    Column("replications", "INTEGER", "Replications behind it."),
    Column("looks", "INTEGER", "Looks planned; the confidence is split over them, so that stopping early is valid."),
    nullable("reached", "BOOLEAN", "Whether the target was reached; null without a target."),
)

BOARDING_CAUSES = hospital_table(
    "boarding_causes",
    "Whose lack of beds kept patients in beds they no longer needed: boarding hours by the ward held and the ward "
    "waited for. They add up to the boarding_hours of ward_performance.",
    SCENARIO,
    key("ward_id", "VARCHAR", "Ward whose beds were held."),
    key("cause_ward_id", "VARCHAR", "Ward that those patients waited for."),
    *with_error(Column("boarding_hours", "DOUBLE", "Hours that beds were held. Mean over replications.", "hours")),
    Column("share", "DOUBLE", "Part of all boarding hours in the ward held.", "share"),
)
