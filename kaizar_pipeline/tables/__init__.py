"""Every table of the project: its columns, their types, units and keys, in one place.

A `Table` makes the DDL, checks and types a frame (`conform`), and is the data dictionary. Frames of the library carry
`hospital_id` and `as_of`; storage adds `run_id`. Dates and times are naive hospital-local, as `datetime64[us]` in
pandas.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.tables.kpis import KPIS

SCHEMA_VERSION = 4
"""Raised whenever a column changes, so that a reader can tell files of different shape apart."""

HOSPITAL_TOTAL = "_hospital"
"""`ward_id` of rows about the whole house."""
ALL = "_all"
"""`patient_type` of rows about all patients together."""
ANY = "_any"
"""`next_ward_id` of rows that hold whatever comes next."""
HOME = "_home"
"""`next_ward_id` of a stay that ends in discharge."""

Type = Literal["VARCHAR", "DOUBLE", "INTEGER", "BOOLEAN", "TIMESTAMP", "DATE", "JSON", "DOUBLE[]"]


@dataclass(frozen=True)
class Column:
    """One column: what it means, its DuckDB type, its unit, and whether it is part of the key or may be null."""

    name: str
    type: Type
    description: str
    unit: str = ""
    key: bool = False
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """One table: what a row is, and its columns in order."""

    name: str
    description: str
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> list[str]:
        """All columns, in order."""
        return [column.name for column in self.columns]

    @property
    def key(self) -> list[str]:
        """The columns that tell rows apart."""
        return [column.name for column in self.columns if column.key]

    def ddl(self) -> str:
        """The CREATE TABLE statement."""
        lines = [f'"{c.name}" {c.type}{"" if c.nullable else " NOT NULL"}' for c in self.columns]
        return f'CREATE TABLE "{self.name}" (\n    ' + ",\n    ".join(lines) + "\n)"

    def frame(self, frame: pd.DataFrame, **constants: Any) -> pd.DataFrame:
        """A conforming library frame (without `run_id`) from `frame`, with `constants` filled in as whole columns."""
        return self.conform(frame.assign(**constants), ("run_id",))

    def empty(self) -> pd.DataFrame:
        """A conforming library frame without rows."""
        return self.frame(pd.DataFrame(columns=[name for name in self.column_names if name != "run_id"]))

    def conform(self, frame: pd.DataFrame, without: tuple[str, ...] = ()) -> pd.DataFrame:
        """`frame` with this table's columns, order and types, sorted by key; `without` names columns that are left out.

        Raises DataError, naming the column and an example, for missing or unknown columns, values that do not fit the
        type exactly, nulls where none may be, and rows that share a key.
        """
        columns = [column for column in self.columns if column.name not in without]
        names = [column.name for column in columns]
        missing = [name for name in names if name not in frame.columns]
        unknown = [str(name) for name in frame.columns if name not in names]
        if missing or unknown:
            raise DataError(
                f"table {self.name}: "
                + "; ".join(
                    part
                    for part in (
                        f"missing column(s) {', '.join(missing)}" if missing else "",
                        f"unknown column(s) {', '.join(unknown)}" if unknown else "",
                    )
                    if part
                )
                + f"; its columns are {', '.join(names)}"
            )
        typed = pd.DataFrame({c.name: _typed(self.name, c, frame[c.name]) for c in columns}, columns=names)
        key = [name for name in self.key if name in names]
        duplicated = typed.duplicated(key)
        if key and duplicated.any():
            example = typed.loc[duplicated, key].iloc[0].to_dict()
            raise DataError(f"table {self.name}: {int(duplicated.sum())} row(s) repeat a key, for example {example}")
        return typed.sort_values(key, kind="stable", ignore_index=True) if key else typed


def _typed(table: str, column: Column, values: pd.Series) -> pd.Series:
    values = values.reset_index(drop=True)

    def refuse(what: str, wrong: pd.Series) -> DataError:
        example = values[wrong].iloc[0] if wrong.any() else values.dtype
        return DataError(f"table {table}, column {column.name} ({column.type}): {what}, for example {example!r}")

    empty = values.isna()
    if not column.nullable and empty.any():
        raise DataError(f"table {table}, column {column.name}: {int(empty.sum())} empty value(s) where none may be")
    try:
        if column.type in ("VARCHAR", "JSON"):
            if isinstance(values.dtype, pd.StringDtype):
                return values.astype("str")
            texts = values.astype("object")
            wrong = ~empty & ~texts.map(lambda value: isinstance(value, str))
            if wrong.any():
                raise refuse("holds something that is no text", wrong)
            return texts.where(~empty, None).astype("str")
        if column.type == "BOOLEAN":
            wrong = ~empty & ~values.astype("object").isin([True, False])
            if wrong.any():
                raise refuse("holds something that is neither true nor false", wrong)
            return values.astype("boolean") if column.nullable else values.astype("bool")
        if column.type == "INTEGER":
            numbers = pd.to_numeric(values).astype("Float64")
            wrong = (~empty & ((numbers % 1 != 0) | (numbers.abs() > 2**31 - 1))).fillna(False).astype(bool)
            if wrong.any():
                raise refuse("holds a value that is no 32-bit whole number", wrong)
            return numbers.astype("Int64") if column.nullable else numbers.astype("int64")
        if column.type == "DOUBLE":
            numbers = pd.to_numeric(values).astype("float64")
            wrong = pd.Series(np.isinf(numbers.to_numpy()))
            if wrong.any():
                raise refuse("holds an infinite value", wrong)
            return numbers
        if column.type == "DOUBLE[]":
            cells = zip(values, empty, strict=True)
            return pd.Series(
                [None if null else np.asarray(cell, dtype="float64") for cell, null in cells], dtype="object"
            )
        times = pd.to_datetime(values)
        if times.dt.tz is not None:
            raise refuse("carries a time zone; times are naive hospital-local", ~empty)
        times = times.astype("datetime64[us]")
        wrong = ~empty & (times != times.dt.normalize())
        if column.type == "DATE" and wrong.any():
            raise refuse("holds a time of day; it is a date", wrong)
        return times
    except DataError:
        raise
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"table {table}, column {column.name} ({column.type}): {error}") from error


def _table(name: str, description: str, *columns: Column) -> Table:
    common = (
        Column("hospital_id", "VARCHAR", "The hospital: the stem of its config file.", key=True),
        Column("run_id", "VARCHAR", "The Dagster run that wrote the row."),
        Column("as_of", "TIMESTAMP", "Local midnight; nothing at or after it was visible."),
    )
    return Table(name, description, common + columns)


def _stream() -> Column:
    return Column("stream_id", "VARCHAR", "Arrival stream.", key=True)


def _ward(total: bool = True) -> Column:
    text = f"Ward, or {HOSPITAL_TOTAL} for the whole house." if total else "Ward."
    return Column("ward_id", "VARCHAR", text, key=True)


def _error(name: str, unit: str = "", nullable: bool = False) -> Column:
    return Column(f"{name}_se", "DOUBLE", f"Monte Carlo standard error of {name}.", unit, nullable=nullable)


def _with_error(name: str, description: str, unit: str) -> tuple[Column, Column]:
    mean = Column(name, "DOUBLE", description + " Mean over replications.", unit, nullable=True)
    return mean, _error(name, unit, nullable=True)


PATIENTS = _table(
    "patients",
    "One row per request for care, whatever became of it.",
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
        "When the patient left the hospital; null while in the house or not known.",
        nullable=True,
    ),
    Column("departure_known", "BOOLEAN", "False: the patient left at a time nobody wrote down."),
    Column("outcome", "VARCHAR", "admitted, waiting, diverted (sent elsewhere), left (without being seen)."),
    Column("resolution", "VARCHAR", "What the source's stamps resolve: day or second."),
)

PATIENT_REJECTS = _table(
    "patient_rejects",
    "One row per row of an extract that was set aside, with the reason.",
    Column("extract", "VARCHAR", "Which extract: patients or stays.", key=True),
    Column("row", "INTEGER", "Row of the extract, the first below the header is 1.", key=True),
    Column("reason", "VARCHAR", "Why the row cannot be."),
    Column("field", "VARCHAR", "Column of the extract at fault."),
    Column("value", "VARCHAR", "What stood there; an id only as its keyed hash.", nullable=True),
)

WARD_STAYS = _table(
    "ward_stays",
    "One row per stay in a ward, in the order of a patient's way through the hospital.",
    Column("patient_id", "VARCHAR", "As in patients.", key=True),
    Column("stay_no", "INTEGER", "Number of the stay, from 0.", key=True),
    Column("ward_id", "VARCHAR", "Ward of the bed; null while waiting, or when none was ever given.", nullable=True),
    Column("planned_ward_id", "VARCHAR", "Ward that was asked for; another than ward_id for an outlier."),
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
    Column("whole_stay", "BOOLEAN", "True: the source knows no ward moves, the row is the whole time in the hospital."),
)

STARTING_CENSUS = _table(
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

DAILY_ARRIVALS = _table(
    "daily_arrivals",
    "One row per stream and complete day, days without arrivals included.",
    _stream(),
    Column("date", "DATE", "Local day.", key=True),
    Column("arrivals", "INTEGER", "Requests for care: demand, not admissions.", "patients"),
    Column(
        "admitted", "INTEGER", "Requests that got a bed; null when the source does not know.", "patients", nullable=True
    ),
    Column(
        "turned_away",
        "INTEGER",
        "Requests diverted or left; null when the source does not know.",
        "patients",
        nullable=True,
    ),
    Column("observed", "BOOLEAN", "False: an outage of the records, not a day without arrivals."),
    Column("demand_observed", "BOOLEAN", "False: the source does not say who was turned away."),
)

LENGTH_OF_STAY = _table(
    "length_of_stay",
    "Lengths of stay per ward, patient type and next ward: as configured and as the history shows them.",
    _ward(total=False),
    Column("patient_type", "VARCHAR", f"Patient type, or {ALL}.", key=True),
    Column("next_ward_id", "VARCHAR", f"Next ward, {HOME} or {ANY}.", key=True),
    Column("origin", "VARCHAR", "configured or fitted.", key=True),
    Column("in_use", "BOOLEAN", "True: the simulation draws from this distribution (configured: as the file has it)."),
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
        "where it was turned down for empirical quantiles; null for configured rows, and where all stays are equal.",
        nullable=True,
    ),
    Column(
        "scale_sd",
        "DOUBLE",
        "Standard deviation of the log scale: fit error and drift between 28-day blocks; 0 for configured rows.",
    ),
)

FEATURE_TABLE = _table(
    "feature_table",
    "What the arrivals model is trained on and predicts from: one row per stream, origin and day ahead.",
    _stream(),
    Column("fit_until", "DATE", "Last day the calendar was fitted on; levels use the days up to origin.", key=True),
    Column("use", "VARCHAR", "train, path (inner out-of-sample forecast) or forecast.", key=True),
    Column("origin", "DATE", "Last day known when the forecast is made.", key=True),
    Column("h", "INTEGER", "Days ahead of origin.", "days", key=True),
    Column("target_date", "DATE", "Day that is forecast: origin + h."),
    Column(
        "arrivals",
        "INTEGER",
        "What came on that day; null when it lies ahead or was not observed.",
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

ARRIVAL_MODEL = _table(
    "arrival_model",
    "One row per forecast stream: the fitted model as text, and the covariance of its errors.",
    _stream(),
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
    Column("cov_b", "DOUBLE", "Part that grows with the horizon, as it stands after 28 days."),
    Column("cov_c", "DOUBLE", "Part that fades with the distance of two days."),
    Column("rho", "DOUBLE", "Fading per day of the last part."),
    Column("inv_k", "DOUBLE", "Independent overdispersion 1/k of one day's count."),
    Column("stream_correlation", "DOUBLE", "Correlation of rate errors between the hospital's streams."),
    Column("n_paths_fit", "INTEGER", "Inner out-of-sample paths behind the covariance."),
    Column("prior_used", "BOOLEAN", "True: too few paths, the covariance rests on the hospital's other streams."),
    Column("calendar", "JSON", "Calendar coefficients by name (log scale)."),
    Column("importance", "JSON", "Gain by feature."),
    Column("versions", "JSON", "Versions of the libraries that fitted the model."),
)

ARRIVAL_RATES = _table(
    "arrival_rates",
    "The rate of every stream for every day ahead, on as many plausible paths as there are.",
    _stream(),
    Column("date", "DATE", "Day ahead.", key=True),
    Column("path", "INTEGER", "Rate path; replication r uses path r modulo their number.", key=True),
    Column("rate", "DOUBLE", "Arrivals to expect on this path.", "patients per day"),
    Column("mean_rate", "DOUBLE", "Arrivals to expect over all paths.", "patients per day"),
    Column("model_type", "VARCHAR", "ml_poisson, schedule or constant."),
)

FORECAST_PERCENTAGES = ("025", "10", "25", "50", "75", "90", "975")
"""Percentages of the back-test's quantiles (025: 2.5), inverted CDF: the bounds of the 50, 80 and 95 % intervals."""


def _inputs_hash() -> Column:
    what = "Hash of everything the rows of an origin were made from: a later run keeps rows with the same hash."
    return Column("inputs_hash", "VARCHAR", what, nullable=True)


FORECAST_BACKTEST = _table(
    "forecast_backtest",
    "What would have been forecast from earlier days, and what came: one row per stream, method, origin and day ahead.",
    _stream(),
    Column("method", "VARCHAR", "model, seasonal_naive, weekday_mean (of four weeks) or calendar_glm.", key=True),
    Column("origin", "DATE", "Last day known when the forecast was made.", key=True),
    Column("h", "INTEGER", "Days ahead of origin.", "days", key=True),
    Column("target_date", "DATE", "Day that was forecast, and was observed: origin + h."),
    Column("actual", "INTEGER", "What came on that day.", "patients"),
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
    _inputs_hash(),
)  # fmt: skip

FORECAST_SCORES = _table(
    "forecast_scores",
    "The scoreboard of the back-test: who forecasts a stream best, and whether the intervals hold what they promise.",
    _stream(),
    Column("method", "VARCHAR", "As in forecast_backtest.", key=True),
    Column("span", "VARCHAR", "day, or week: sums of 7 days.", key=True),
    Column("horizon_week", "INTEGER", "Week ahead, from 1; 0 for all together.", "weeks", key=True),
    Column("n", "INTEGER", "Forecasts behind the row.", "forecasts"),
    Column("n_effective", "DOUBLE", "Independent forecasts that would tell as much about coverage80: those made on one "
           "day share their error.", "forecasts"),
    Column("crps", "DOUBLE", "Mean CRPS.", "patients"),
    Column("pinball", "DOUBLE", "Mean pinball loss over the quantiles of forecast_backtest; days only.", "patients",
           nullable=True),
    Column("mase", "DOUBLE", "Mean absolute error of the median over the mean change from week to week; days only.",
           nullable=True),
    Column("bias", "DOUBLE", "Mean of forecast less actual.", "patients"),
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


OCCUPANCY_DISTRIBUTIONS = _table(
    "occupancy_distributions",
    "How full each ward is at each hour ahead: the distribution of its census over replications.",
    Column("scenario", "VARCHAR", "Scenario; baseline is the config as it stands.", key=True),
    _ward(),
    Column("at", "TIMESTAMP", "The instant of the census: admit <= at < depart.", key=True),
    Column("staffed_beds", "INTEGER", "Beds staffed; null: unlimited.", "beds", nullable=True),
    Column("replications", "INTEGER", "Replications behind the row."),
    Column("mean", "DOUBLE", "Mean census.", "beds"),
    _error("mean", "beds"),
    Column("sd", "DOUBLE", "Standard deviation of the census.", "beds"),
    *_census_quantiles("Monte Carlo standard error"),
    Column("prob_full", "DOUBLE", "Probability of census >= staffed beds; null when unlimited.", nullable=True),
    _error("prob_full", nullable=True),
    Column(
        "prob_above",
        "DOUBLE",
        "Probability of census > high_occupancy x staffed beds; null when unlimited.",
        nullable=True,
    ),
    _error("prob_above", nullable=True),
    Column("prob_queue", "DOUBLE", "Probability that somebody waits for the ward."),
    _error("prob_queue"),
    Column("mean_waiting", "DOUBLE", "Patients who wait for this ward, wherever they are.", "patients"),
    _error("mean_waiting", "patients"),
    Column("mean_boarding", "DOUBLE", "Patients who hold a bed here and wait for the next ward.", "beds"),
    _error("mean_boarding", "beds"),
    Column("mean_outliers", "DOUBLE", "Patients in a bed here who were planned for another ward.", "beds"),
    _error("mean_outliers", "beds"),
)

MIDNIGHT_CENSUS = _table(
    "midnight_census",
    "The exact distribution of the census at the midnight that begins each day.",
    Column("scenario", "VARCHAR", "Scenario; baseline is the config as it stands.", key=True),
    _ward(),
    Column("date", "DATE", "Day ahead.", key=True),
    Column("beds", "INTEGER", "Patients in beds.", "beds", key=True),
    Column("probability", "DOUBLE", "Share of replications with just so many; numbers that never came up have no row."),
    _error("probability"),
)

WEEK_PROFILE = _table(
    "week_profile",
    "The census by weekday and hour, over the weeks of the horizon together.",
    Column("scenario", "VARCHAR", "Scenario; baseline is the config as it stands.", key=True),
    _ward(),
    Column("weekday", "INTEGER", "Monday 0 to Sunday 6.", key=True),
    Column("hour", "INTEGER", "Hour of the day, 0 to 23.", key=True),
    Column("weeks", "INTEGER", "How often the hour comes up in the horizon."),
    Column("mean", "DOUBLE", "Mean census.", "beds"),
    _error("mean", "beds"),
    *_census_quantiles("At most the Monte Carlo standard error"),
    Column("prob_full", "DOUBLE", "Probability of census >= staffed beds; null when unlimited.", nullable=True),
    _error("prob_full", nullable=True),
)

DAILY_PEAKS = _table(
    "daily_peaks",
    "The exact distribution of each day's highest hourly census.",
    Column("scenario", "VARCHAR", "Scenario; baseline is the config as it stands.", key=True),
    Column("run_kind", "VARCHAR", "actual, or demand: unlimited beds, no overflow, no admission stop.", key=True),
    _ward(),
    Column("date", "DATE", "Day ahead.", key=True),
    Column("peak_beds", "INTEGER", "Highest of the day's 24 hourly censuses.", "beds", key=True),
    Column("replications", "INTEGER", "Replications whose peak this was."),
)

WARD_PERFORMANCE = _table(
    "ward_performance",
    "What patients meet in each ward over the horizon: waits, boarding, diversion, throughput, occupancy.",
    Column("scenario", "VARCHAR", "Scenario; baseline is the config as it stands.", key=True),
    _ward(),
    Column("patient_type", "VARCHAR", f"Patient type, or {ALL}.", key=True),
    *(column for kpi in KPIS for column in _with_error(kpi.name, kpi.description, kpi.unit)),
)

SIMULATION_PRECISION = _table(
    "simulation_precision",
    "How precisely the simulation knows its results, where it knows them worst: the Monte Carlo error alone.",
    Column("scenario", "VARCHAR", "Scenario; baseline is the config as it stands.", key=True),
    Column(
        "quantity", "VARCHAR", "mean_census, prob_full (any ward and hour) or wait_mean_hours (any ward).", key=True
    ),
    Column(
        "ward_id", "VARCHAR", "Ward with the widest interval; null when there was nothing to measure.", nullable=True
    ),
    Column("target", "DOUBLE", "Half-width asked for, if any.", "as the quantity", nullable=True),
    Column(
        "half_width",
        "DOUBLE",
        "Half-width of the widest 95 % confidence interval; null when it could not be measured.",
        "as the quantity",
        nullable=True,
    ),
    Column("replications", "INTEGER", "Replications behind it."),
    Column("looks", "INTEGER", "Looks planned; the confidence is split over them, so that stopping early is sound."),
    Column("reached", "BOOLEAN", "Whether the target was reached; null without a target.", nullable=True),
)

SCENARIO_COMPARISON = _table(
    "scenario_comparison",
    "What each scenario changes: paired differences to the hospital as it is, met by the same patients.",
    Column("scenario", "VARCHAR", "Scenario, by the name of its file.", key=True),
    _ward(),
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
        "True: the scenario asks more of the ward than it has beds, so that queues grow with the horizon.",
    ),
)

BOARDING_CAUSES = _table(
    "boarding_causes",
    "Whose lack of beds kept patients in beds they no longer needed: boarding hours by the ward held and the ward "
    "waited for. They add up to the boarding_hours of ward_performance.",
    Column("scenario", "VARCHAR", "Scenario; baseline is the config as it stands.", key=True),
    Column("ward_id", "VARCHAR", "Ward whose beds were held.", key=True),
    Column("cause_ward_id", "VARCHAR", "Ward that those patients waited for.", key=True),
    Column("boarding_hours", "DOUBLE", "Hours that beds were held. Mean over replications.", "hours"),
    _error("boarding_hours", "hours"),
    Column("share", "DOUBLE", "Part of all boarding hours in the ward held.", "share"),
)

BED_REQUIREMENTS = _table(
    "bed_requirements",
    "How many beds cover demand (unlimited beds, no overflow, no admission stop) with which probability, and the "
    "fewest that do so with the probability asked for.",
    _ward(),
    Column("risk_event", "VARCHAR", "day: the peak of a day is covered; horizon_peak: that of all days is.", key=True),
    Column("beds", "INTEGER", "Beds.", "beds", key=True),
    Column("staffed_beds", "INTEGER", "Fewest beds staffed at any hour; null when unlimited.", "beds", nullable=True),
    Column("risk_target", "DOUBLE", "Accepted share of days (or horizons) that are not covered."),
    Column(
        "covered_share", "DOUBLE", "Share of days of all replications (or of replications) that so many beds cover."
    ),
    Column("covered_low", "DOUBLE", "Lower end of its 95 % confidence interval; replications are the units."),
    Column("covered_high", "DOUBLE", "Upper end."),
    Column("enough", "BOOLEAN", "Whether so many beds reach the target."),
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
    Column("baseline", "DOUBLE", "With the beds there are.", "see unit", nullable=True),
    Column("value", "DOUBLE", "With the change.", "see unit", nullable=True),
    Column("difference", "DOUBLE", "Value less baseline, for the same patients.", "see unit", nullable=True),
    Column("difference_se", "DOUBLE", "Paired standard error of the difference.", "see unit", nullable=True),
    Column("low", "DOUBLE", "Lower end of its 95 % confidence interval.", "see unit", nullable=True),
    Column("high", "DOUBLE", "Upper end.", "see unit", nullable=True),
)

BEDS_EFFECTS = _table(
    "beds_effects",
    "What a few beds more or fewer in one ward, the others as they are, do to waits, boarding, diversion and outliers.",
    Column("ward_id", "VARCHAR", "Ward whose beds are changed.", key=True),
    Column("beds_added", "INTEGER", "Beds more, below 0 fewer, at all times.", "beds", key=True),
    Column("affected_ward_id", "VARCHAR", f"Where it is measured: the same ward, or {HOSPITAL_TOTAL}.", key=True),
    Column("kpi", "VARCHAR", "A column of ward_performance, over all patients.", key=True),
    Column("unit", "VARCHAR", "Its unit."),
    *_EFFECT,
    Column(
        "overloaded", "BOOLEAN", "Whether more is then asked of some ward than it has beds: figures grow with the days."
    ),
)

BED_ALLOCATIONS = _table(
    "bed_allocations",
    "Where extra beds help most: every way to place them, the one that prevents most harm first. Harm is in hours: all "
    "waiting for beds, and 24 for a patient turned away or gone unseen, unless weighed otherwise.",
    Column("extra_beds", "INTEGER", "Beds to place.", "beds", key=True),
    Column("rank", "INTEGER", "1 is the best way.", key=True),
    Column("ward_id", "VARCHAR", "Ward.", key=True),
    Column("beds_added", "INTEGER", "Of the extra beds, those placed here.", "beds"),
    Column("baseline_harm", "DOUBLE", "With the beds there are. Mean over replications.", "hours"),
    Column("harm", "DOUBLE", "With the beds placed so.", "hours"),
    Column("prevented", "DOUBLE", "Harm prevented.", "hours"),
    Column("prevented_se", "DOUBLE", "Its paired standard error.", "hours"),
    Column("behind_best", "DOUBLE", "Harm more than with the best way.", "hours"),
    Column("behind_best_se", "DOUBLE", "Its paired standard error; within two of them the ways are alike.", "hours"),
)

OCCUPANCY_DRIVERS = _table(
    "occupancy_drivers",
    "Why the census is uncertain: the variance of each day's highest census, split over what chance decides. The parts "
    "of a ward and day add up to its variance, and their widths to that of its 90 % interval.",
    Column("scenario", "VARCHAR", "Scenario; baseline is the config as it stands.", key=True),
    _ward(),
    Column("date", "DATE", "Day ahead.", key=True),
    Column(
        "driver",
        "VARCHAR",
        "arrivals_level (how many are expected), arrivals_noise (who comes when), routing, length_of_stay, "
        "starting_census (rest of the stays of those in the house), monte_carlo (finitely many replications).",
        key=True,
    ),
    Column("variance", "DOUBLE", "What the driver adds once those before it in this list are known.", "beds²"),
    Column("variance_se", "DOUBLE", "Its Monte Carlo standard error.", "beds²"),
    Column("share", "DOUBLE", "Part of the variance; null where nothing is uncertain.", "share", nullable=True),
    Column("width", "DOUBLE", "Share of the distance between the 5th and the 95th percentile.", "beds", nullable=True),
)


def _predicted(nullable_scores: bool) -> tuple[Column, ...]:
    """What was said about a midnight's census, and how that scores."""
    return (
        Column("mean", "DOUBLE", "Mean of the forecast distribution.", "beds"),
        *(
            Column(f"p{q}", "INTEGER", f"Census not exceeded with probability 0.{q}.", "beds")
            for q in FORECAST_PERCENTAGES
        ),
        Column("actual", "INTEGER", "The census that came, from ward_stays.", "beds", nullable=nullable_scores),
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
            "origin", "DATE", "The morning of the forecast: nothing at or after its midnight was visible.", key=True
        ),
        _ward(),
        Column("date", "DATE", "The day that the midnight of the census begins.", key=True),
        Column("lead", "INTEGER", "Days ahead: date - origin.", "days"),
    )


def _week_scores() -> tuple[Column, ...]:
    return (
        _ward(),
        Column("lead_week", "INTEGER", "Week ahead: 1 for the midnights 1 to 7 days ahead.", "weeks", key=True),
        Column("n", "INTEGER", "Midnights scored.", "midnights"),
        Column("origins", "INTEGER", "Mornings they were forecast on.", "mornings"),
        Column(
            "independent_dates",
            "INTEGER",
            "Mornings among these whose forecasts share no day: honest trials.",
            "mornings",
        ),
        *(
            Column(f"coverage{level}", "DOUBLE", f"Share inside the central {level} % interval, by randomised PIT.")
            for level in (50, 80, 95)
        ),
        Column("coverage80_low", "DOUBLE", "Lower end of the binomial 99 % band of so many independent dates."),
        Column("coverage80_high", "DOUBLE", "Upper end of that band."),
        Column("mean_pit", "DOUBLE", "Mean PIT: below 0.5 where forecasts are too high."),
        Column("crps", "DOUBLE", "Mean CRPS.", "beds"),
        Column("bias", "DOUBLE", "Mean of forecast less actual.", "beds"),
    )


OCCUPANCY_BACKTEST = _table(
    "occupancy_backtest",
    "What the whole chain would have said of each midnight's census on past mornings, beside two baselines.",
    Column(
        "method",
        "VARCHAR",
        "twin, persistence (the census of the morning stays) or weekday (the same weekday in the year before).",
        key=True,
    ),
    *_midnight_ahead(),
    *_predicted(nullable_scores=False),
    Column(
        "capacity_known",
        "BOOLEAN",
        "False: the data do not say how many beds there were; taken are those of the config, or as many as were ever "
        "seen in use by then.",
    ),
    _inputs_hash(),
)

OCCUPANCY_SCORES = _table(
    "occupancy_scores",
    "The scoreboard of occupancy_backtest by ward and week ahead.",
    Column("method", "VARCHAR", "As in occupancy_backtest.", key=True),
    *_week_scores(),
)

FORECAST_LOG = _table(
    "forecast_log",
    "What the runs of past mornings said of each midnight's census, scored as the midnights come. A run replaces what "
    "was said on its own morning only.",
    *_midnight_ahead(),
    *_predicted(nullable_scores=True),
    Column("lowest", "INTEGER", "The smallest census that came up.", "beds"),
    Column("probability", "DOUBLE[]", "Probabilities of lowest, lowest + 1, ... patients."),
)

FORECAST_LOG_SCORES = _table(
    "forecast_log_scores",
    "How good the forecasts of the last 30 mornings were, by ward and week ahead, where their midnights have come.",
    *_week_scores(),
)


def _part(name: str, description: str) -> tuple[Column, Column]:
    column = Column(name, "DOUBLE", description, "see unit", nullable=True)
    return column, _error(name, "see unit", nullable=True)


HEADLINE_CHANGES = _table(
    "headline_changes",
    "The headline of each ward over the next 7 days, and why it changed since the last run with other inputs: change = "
    "program + seed + config + data + model. Rows of earlier runs stay.",
    Column("run_number", "INTEGER", "Counts the runs; one with the same inputs again keeps the number.", key=True),
    _ward(),
    Column("headline", "VARCHAR", "prob_full or p95_census: mean of prob_full or p95 over the hours.", key=True),
    Column("unit", "VARCHAR", "probability or beds."),
    Column("origin", "DATE", "The morning of the run: its as_of."),
    Column("since", "DATE", "The morning of the last run; null for the first.", nullable=True),
    Column("replications", "INTEGER", "Replications behind the row."),
    Column("before", "DOUBLE", "What the last run said; null where it said nothing.", "see unit", nullable=True),
    Column("after", "DOUBLE", "What this run says.", "see unit"),
    _error("after", "see unit"),
    Column("change", "DOUBLE", "after - before.", "see unit", nullable=True),
    Column("change_se", "DOUBLE", "Monte Carlo standard error of change - program.", "see unit", nullable=True),
    Column(
        "program",
        "DOUBLE",
        "What a replay of the last run gives otherwise than it said: 0 unless the version of the program or of its "
        "libraries changed.",
        "see unit",
        nullable=True,
    ),
    *_part("seed", "With the seed of this run, all else as before."),
    *_part("config", "And with its config, as far as simulation and planned arrivals read it, and its replications."),
    *_part("data", "And with its patients in the house, its days ahead and the latest arrivals behind the base rate."),
    *_part("model", "And with its arrival_model and length_of_stay: all as in this run."),
    Column("note", "VARCHAR", "Why the change is not split; null where it is.", nullable=True),
)

HEADLINE_INPUTS = _table(
    "headline_inputs",
    "All that the headlines of this run and of the last one with other inputs depend on, so that the next run can "
    "replay it.",
    Column("run_number", "INTEGER", "As in headline_changes.", key=True),
    Column("input", "VARCHAR", "as_of, seed, config, known_until (last day observed by stream), or a table.", key=True),
    Column("content", "JSON", "The input, of tables the rows needed, by column."),
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        PATIENTS, PATIENT_REJECTS, WARD_STAYS, STARTING_CENSUS, DAILY_ARRIVALS, LENGTH_OF_STAY, FEATURE_TABLE,
        ARRIVAL_MODEL, ARRIVAL_RATES, FORECAST_BACKTEST, FORECAST_SCORES, OCCUPANCY_DISTRIBUTIONS, MIDNIGHT_CENSUS,
        WEEK_PROFILE,
        DAILY_PEAKS, WARD_PERFORMANCE, SIMULATION_PRECISION, BOARDING_CAUSES, OCCUPANCY_BACKTEST, OCCUPANCY_SCORES,
        FORECAST_LOG, FORECAST_LOG_SCORES, BED_REQUIREMENTS, BEDS_EFFECTS, BED_ALLOCATIONS, OCCUPANCY_DRIVERS,
        SCENARIO_COMPARISON, HEADLINE_CHANGES, HEADLINE_INPUTS,
    )
}  # fmt: skip


def data_dictionary() -> str:
    """All tables and columns as Markdown."""
    parts = [
        "# Every table\n\nGenerated from `kaizar_pipeline/tables.py` by `kaizar schema --write`. Key columns are bold."
    ]
    for table in TABLES.values():
        lines = [f"## {table.name}\n", table.description, "", "| column | type | unit | meaning |", "|---|---|---|---|"]
        for column in table.columns:
            name = f"**{column.name}**" if column.key else column.name
            kind = f"{column.type}{'?' if column.nullable else ''}"
            lines.append(f"| {name} | {kind} | {column.unit} | {column.description} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n\nA type with a question mark may be null.\n"
