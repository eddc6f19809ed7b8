"""Tables of simulation results: occupancy, peaks, waits, boarding, and how precisely they are known."""

from collections.abc import Callable

from kaizar_pipeline.tables.columns import (
    ALL,
    HOSPITAL_TOTAL,
    HOURS_AHEAD,
    SCENARIO,
    WARD,
    hospital_table,
    key,
    nullable,
    with_error,
)
from kaizar_pipeline.tables.kpis import KPIS
from kaizar_pipeline.tables.schema import Column

CENSUS_PERCENTAGES = ("025", "05", "10", "25", "50", "75", "90", "95", "975", "99")
"""Percentages of the census quantiles (025: 2.5), inverted CDF: they are bed counts."""

DAY_PERCENTAGES = ("10", "50", "90")
"""Those of the tables by day."""


def _census_quantiles(error: str) -> list[Column]:
    return [
        column
        for q in CENSUS_PERCENTAGES
        for column in (
            Column(f"p{q}", "INTEGER", f"Census not exceeded with probability 0.{q}.", "beds"),
            Column(f"p{q}_se", "DOUBLE", f"{error} of p{q}.", "beds"),
        )
    ]


_FULL = "staffed beds or more in use; a ward without staffed beds is full when somebody is in it"


def _census_of_day(name: str, what: str, column: Callable[..., Column]) -> list[Column]:
    """Mean and some quantiles of one census of each date; `column` is Column, or nullable."""
    quantiles = {
        f"{name}_p{q}": f"{what[0].upper()}{what[1:]} not exceeded with probability 0.{q}." for q in DAY_PERCENTAGES
    }
    return [
        *with_error(column(f"{name}_mean", "DOUBLE", f"Mean {what}.", "beds")),
        *(one for p, text in quantiles.items() for one in with_error(column(p, "INTEGER", text, "beds"))),
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
    *with_error(
        nullable("prob_full_hour", "DOUBLE", f"Probability of being full at this hour: {_FULL}; null when unlimited.")
    ),
    *with_error(
        nullable("prob_above", "DOUBLE", "Probability of census > high_occupancy x staffed beds; null when unlimited.")
    ),
    *with_error(Column("prob_queue", "DOUBLE", "Probability that at least one patient waits for the ward.")),
    *with_error(Column("mean_waiting", "DOUBLE", "Patients who wait for this ward, wherever they are.", "patients")),
    *with_error(Column("mean_boarding", "DOUBLE", "Patients who hold a bed here and wait for the next ward.", "beds")),
    *with_error(Column("mean_outliers", "DOUBLE", "Patients in a bed here who were planned for another ward.", "beds")),
    version=5,
)

WARD_DAYS = hospital_table(
    "ward_days",
    "Each day ahead in one row: beds, census, the chance of being full at some hour, and the beds that cover demand.",
    SCENARIO,
    WARD,
    key("date", "DATE", "Day ahead."),
    Column("kind", "VARCHAR", "ward, group or hospital: what ward_id is."),
    HOURS_AHEAD,
    nullable("staffed_fewest", "INTEGER", "Fewest beds staffed at any of these hours; null: unlimited.", "beds"),
    nullable("staffed_most", "INTEGER", "Most beds staffed at any of them; null: unlimited.", "beds"),
    nullable(
        "full_now", "BOOLEAN", "Whether it is full at as_of, on all dates the same; null when unlimited or not known."
    ),
    *_census_of_day("midnight", "census at the midnight that begins the date", nullable),
    *_census_of_day("peak", "highest of the day's hourly censuses", Column),
    *with_error(
        nullable("prob_full_day", "DOUBLE", f"Probability of being full at some hour: {_FULL}; null when unlimited.")
    ),
    *with_error(nullable("share_of_hours_full", "DOUBLE", "Mean share of hours full; null when unlimited.", "share")),
    Column("beds_70", "INTEGER", "Beds that cover the day's highest demand with a probability of 70 %.", "beds"),
    Column("beds_90", "INTEGER", "The same with 90 %.", "beds"),
    nullable("beds_target", "INTEGER", "The same with 1 - risk_target; null for a risk of 0.", "beds"),
    Column("risk_target", "DOUBLE", "simulation.risk_target.", "share"),
)

WARD_WEEKS = hospital_table(
    "ward_weeks",
    "Each week of seven dates from as_of on: the chance of being full at some hour of it, and for how long.",
    SCENARIO,
    WARD,
    key("week", "INTEGER", "1 for the first seven dates."),
    Column("first_date", "DATE", "Its first date."),
    Column("days", "INTEGER", "Its dates: 7, or fewer in the last week.", "days"),
    *with_error(nullable("prob_full_week", "DOUBLE", "Probability of being full at some hour; null when unlimited.")),
    *with_error(nullable("share_of_hours_full", "DOUBLE", "Mean share of hours full; null when unlimited.", "share")),
    *with_error(nullable("full_days", "DOUBLE", "Expected days full at some hour; null when unlimited.", "days")),
)

LEVEL_RISK = hospital_table(
    "level_risk",
    "The chance of each of the hospital's own levels (levels) on each day ahead; empty without levels.",
    SCENARIO,
    WARD,
    key("date", "DATE", "Day ahead."),
    key("level", "VARCHAR", "The level's name."),
    Column("level_order", "INTEGER", "1 for the lowest level of the ward, group or hospital."),
    nullable("patients", "INTEGER", "Fewest patients at which it is reached at any hour; null: by none.", "beds"),
    *with_error(Column("prob_reached", "DOUBLE", "Probability of reaching it at some hour.")),
    *with_error(Column("prob_highest", "DOUBLE", "Probability that it is the highest level of the day.")),
    *with_error(
        nullable(
            "prob_huddle", "DOUBLE", "Probability of being at it or above at simulation.huddle; null if that is over."
        )
    ),
    nullable("first_likely_date", "DATE", "First date of the horizon on which prob_reached is above 0.5; null: none."),
    *with_error(Column("expected_days", "DOUBLE", "Expected days of the horizon of which it is the highest.", "days")),
)

MIDNIGHT_CENSUS = hospital_table(
    "midnight_census",
    "The exact distribution of the census at the midnight that begins each day, from as_of on.",
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
    "The census by weekday and hour over like weeks: of the whole ones from as_of on, without the first, those with "
    "the most frequent calendar of staffed beds.",
    SCENARIO,
    WARD,
    key("weekday", "INTEGER", "Monday 0 to Sunday 6."),
    key("hour", "INTEGER", "Hour of the day, 0 to 23."),
    Column("weeks", "INTEGER", "Weeks taken together."),
    Column("is_typical", "BOOLEAN", "False: there is no such week, and all hours of the horizon are shown."),
    *with_error(Column("mean", "DOUBLE", "Mean census.", "beds")),
    *_census_quantiles("At most the Monte Carlo standard error"),
    *with_error(nullable("prob_full_hour", "DOUBLE", "Probability of being full at the hour; null when unlimited.")),
    version=5,
)

DAILY_PEAKS = hospital_table(
    "daily_peaks",
    "The exact distribution of each day's highest hourly census.",
    SCENARIO,
    key("run_kind", "VARCHAR", "actual, or demand: unlimited beds, no overflow, no admission stop."),
    WARD,
    key("date", "DATE", "Day ahead."),
    HOURS_AHEAD,
    key("peak_beds", "INTEGER", "Highest of the hourly censuses of these hours.", "beds"),
    Column("replications", "INTEGER", "Replications whose peak this was."),
    version=5,
)

FLOW_PERCENTAGES = ("10", "25", "50", "75", "90")
"""Percentages of the quantiles of flows, inverted CDF: they are numbers of patients."""

WARD_FLOWS = hospital_table(
    "ward_flows",
    "Who takes a bed and who gives one up on each day ahead and in the next hours, counted in beds: the census at the "
    "end of a window is that at its begin + net, in each replication. What happens at the instant at which a window "
    "ends is in it, as it is in that census; a window that begins at as_of holds that instant too. A move inside a "
    f"group, or {HOSPITAL_TOTAL}, is no flow of it.",
    SCENARIO,
    WARD,
    key("window", "VARCHAR", "day (to midnight), until_next_snapshot or next_24_hours (from as_of on)."),
    key("date", "DATE", "Day on which the window begins."),
    key(
        "flow",
        "VARCHAR",
        "arrivals (from outside, into a first bed), transfers_in (into another bed), transfers_out (out of a bed, for "
        "another one or to wait outside any), discharges (out of the last bed), turned_away (diverted, or left without "
        "being seen: patients who asked for this ward), waiting_admitted (of arrivals and transfers_in, those who "
        "waited for the bed at as_of), net (arrivals + transfers_in - transfers_out - discharges).",
    ),
    key(
        "urgency",
        "VARCHAR",
        f"Of arrivals emergency, planned (streams by a schedule) and {ALL}; else {ALL} alone.",
    ),
    Column("begins", "TIMESTAMP", "Where the window begins."),
    Column("ends", "TIMESTAMP", "Where it ends."),
    Column("replications", "INTEGER", "Replications behind the row."),
    *with_error(Column("mean", "DOUBLE", "Mean number of patients.", "patients")),
    *(
        column
        for q in FLOW_PERCENTAGES
        for column in with_error(
            Column(f"p{q}", "INTEGER", f"Patients not exceeded with probability 0.{q}.", "patients")
        )
    ),
    nullable(
        "closed_beds",
        "INTEGER",
        "In rows of net: usual capacity less the beds staffed as the window begins, where above 0, summed over wards; "
        "null when unlimited.",
        "beds",
    ),
    *with_error(
        nullable(
            "free_beds",
            "DOUBLE",
            "In rows of net: staffed beds less the census as the window begins, below 0 where more beds are used than "
            "are staffed. Mean over replications; null when unlimited.",
            "beds",
        )
    ),
    *with_error(
        nullable(
            "prob_net_above_free",
            "DOUBLE",
            "In rows of net: probability that the patients who ask for a bed in the window, or wait for one as it "
            "begins, are more than the beds free as it begins and those given up in it; null when unlimited.",
        )
    ),
    *with_error(
        nullable(
            "hours_to_bed",
            "DOUBLE",
            "In rows of waiting_admitted: mean hours from as_of to a bed here of the patients who wait for one at "
            "as_of and have none here; to the end of the horizon, or to leaving, where they get none. The same in all "
            "windows; null where nobody waits.",
            "hours",
        )
    ),
)

_OVER = {
    "replications": "Mean over replications.",
    "waits": "Over the waits of all replications together.",
    "waits in order": "Of the waits of all replications together, to 6 minutes or 1 %.",
}

WARD_PERFORMANCE = hospital_table(
    "ward_performance",
    "Performance of each ward over the horizon: waits, boarding, diversion, throughput, occupancy. Wards count "
    f"requests and stays; in rows of {HOSPITAL_TOTAL} a patient who arrived counts once, with all of the patient's "
    "waits, and throughput and alos_hours are those of patients who went home, from their first bed on.",
    SCENARIO,
    WARD,
    key("patient_type", "VARCHAR", f"Patient type, or {ALL}."),
    *(
        column
        for kpi in KPIS
        for column in with_error(nullable(kpi.name, "DOUBLE", f"{kpi.description} {_OVER[kpi.over]}", kpi.unit))
    ),
    version=5,
)

SIMULATION_PRECISION = hospital_table(
    "simulation_precision",
    "How precise the results are, at the ward and hour where they are least precise: the Monte Carlo error alone.",
    SCENARIO,
    key("quantity", "VARCHAR", "mean_census, prob_full_hour (any ward and hour) or wait_mean_hours (any ward)."),
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


def _time(name: str, what: str) -> list[Column]:
    """A time of a patient: mean, percentiles, and shares over 4 and 12 hours."""
    return [
        *with_error(nullable(f"{name}_mean_hours", "DOUBLE", f"Mean {what}.", "hours")),
        nullable(f"{name}_p50_hours", "DOUBLE", f"Median {what}, to 6 minutes or 1 %.", "hours"),
        nullable(f"{name}_p95_hours", "DOUBLE", "95th percentile, to 6 minutes or 1 %.", "hours"),
        *with_error(nullable(f"{name}_share_over_4h", "DOUBLE", "Share of patients over 4 hours.", "share")),
        *with_error(nullable(f"{name}_share_over_12h", "DOUBLE", "Share of patients over 12 hours.", "share")),
    ]


PATIENT_JOURNEYS = hospital_table(
    "patient_journeys",
    "How long patients wait for a first bed and are in the hospital, by the stream they arrive in: every patient who "
    "arrives inside the horizon and is not diverted counts once, over all replications together.",
    SCENARIO,
    key("patient_type", "VARCHAR", f"Patient type, or {ALL}."),
    key("stream_id", "VARCHAR", f"Arrival stream, or {ALL} for all of the patient type."),
    *with_error(Column("patients", "DOUBLE", "Patients counted. Mean over replications.", "patients")),
    *with_error(
        nullable(
            "still_present_share", "DOUBLE", "Share still in the hospital when the horizon ends: their times are those "
            "so far, so that times in the hospital are too short where this is not small.", "share",
        )
    ),
    *_time("first_bed", "time from arrival to a first bed, or to leaving without being seen"),
    *_time("hospital", "time from arrival to leaving the hospital"),
)  # fmt: skip
