"""Tables of what happened: the census of past hours and days, flows, and the patients in the wards now."""

from kaizar_pipeline.tables.columns import ALL, ALL_HOURS, WARD, hospital_table, key, nullable
from kaizar_pipeline.tables.schema import Column
from kaizar_pipeline.tables.simulation_tables import CENSUS_PERCENTAGES

LONG_STAY_NIGHTS = (7, 14, 21)
"""Nights in the hospital from which on a stay is long, as the daily situation report of the NHS has them."""

WARD_HISTORY = hospital_table(
    "ward_history",
    "What happened by hour of the week: census, occupancy, arrivals and departures of the last 28 and of the last 365 "
    "complete days.",
    WARD,
    key("window_days", "INTEGER", "Days looked at, before the midnight that begins the day of as_of.", "days"),
    key(
        "quantity",
        "VARCHAR",
        "census (patients in beds as the hour begins), beds_occupied (the mean census of the hour, weighted by time), "
        "occupancy (beds_occupied over staffed beds; no rows where they are unlimited or none), arrivals (patients who "
        "took a bed here, from outside or another ward) and departures (who left it) in the hour. Of stamps without a "
        "time of day the census at 0:00 alone.",
    ),
    key("weekday", "INTEGER", f"Monday 0 to Sunday 6; {ALL_HOURS} in the row over all hours."),
    key("hour", "INTEGER", f"Hour of the day, 0 to 23; {ALL_HOURS} in the row over all hours."),
    Column("n", "INTEGER", "Hours behind the row.", "hours"),
    Column("mean", "DOUBLE", "Mean.", "patients or share"),
    nullable("sd", "DOUBLE", "Standard deviation of the sample; null for a single hour.", "patients or share"),
    nullable("skewness", "DOUBLE", "Skewness of the sample; null for fewer than 3 hours, or where all are equal."),
    nullable("kurtosis", "DOUBLE", "Excess kurtosis of the sample; null for fewer than 4, or where all are equal."),
    Column("minimum", "DOUBLE", "Smallest.", "patients or share"),
    Column("maximum", "DOUBLE", "Largest.", "patients or share"),
    *(
        Column(f"p{q}", "DOUBLE", f"Quantile 0.{q}, interpolated between hours.", "patients or share")
        for q in CENSUS_PERCENTAGES
    ),
    version=5,
)

WARD_HISTORY_DAYS = hospital_table(
    "ward_history_days",
    "What happened day by day: the census of the last 365 complete days.",
    WARD,
    key("date", "DATE", "Day."),
    Column("midnight_census", "INTEGER", "Patients in beds at the midnight that begins the day.", "beds"),
    nullable("peak", "INTEGER", "Highest of the 24 hourly censuses; null where hours are not known.", "beds"),
    nullable("mean_census", "DOUBLE", "Mean over the day, weighted by time; null where hours are not known.", "beds"),
    nullable("staffed_beds", "DOUBLE", "Mean over the hours, by the config's calendar; null when unlimited.", "beds"),
    nullable(
        "occupancy", "DOUBLE", "Patient-hours over bed-hours; null when unlimited, closed, or not known.", "share"
    ),
    nullable(
        "hours_full",
        "INTEGER",
        "Full hours of the day at which census >= staffed beds, a ward that is closed and empty never being full; null "
        "when unlimited, or not known.",
        "hours",
    ),
)

OBSERVED_FLOWS = hospital_table(
    "observed_flows",
    "Who came and went on each of the last 365 complete days. Patients are counted, and add up: the midnight_census of "
    "a day and its net flow make that of the next day. A move inside a group, or the hospital, is no flow of it.",
    WARD,
    key("date", "DATE", "Day; at the instant of midnight the one that ends."),
    key(
        "flow",
        "VARCHAR",
        "arrivals (from outside, into a first bed), transfers_in, transfers_out, discharges (out of a bed, and to no "
        "other), turned_away (diverted, or left without being seen: patients who asked for this ward; on the day they "
        "left, or else arrived), net (arrivals + transfers_in - transfers_out - discharges).",
    ),
    key(
        "urgency",
        "VARCHAR",
        f"Of arrivals emergency, planned (streams by a schedule) and {ALL}; else {ALL} alone.",
    ),
    nullable("count", "INTEGER", "Patients; null of turned_away where the source does not record it.", "patients"),
    version=5,
)

WARD_NOW = hospital_table(
    "ward_now",
    "The patients in each ward at as_of: beds, who waits, outliers, and long stays.",
    WARD,
    nullable("staffed_beds", "INTEGER", "Beds staffed; null when unlimited.", "beds"),
    Column("in_beds", "INTEGER", "Patients in beds.", "patients"),
    Column("waiting", "INTEGER", "Patients who wait for a bed here, wherever they are.", "patients"),
    Column("boarding", "INTEGER", "Of those in beds, those who wait for another ward.", "patients"),
    nullable(
        "outliers",
        "INTEGER",
        "Of those in beds, those who were planned for another ward; null where the source does not say.",
        "patients",
    ),
    *(
        Column(
            f"los_{days}_plus",
            "INTEGER",
            f"Of those in beds, those in the hospital for {days} nights or more: date of as_of - date of arrival.",
            "patients",
        )
        for days in LONG_STAY_NIGHTS
    ),
)
