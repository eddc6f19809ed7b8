"""Columns that several tables share, and the ids that stand for all wards, all patients, any next ward and home."""

from collections.abc import Callable
from dataclasses import replace

from kaizar_pipeline.tables.schema import Column, Table, Type

HOSPITAL_TOTAL = "_hospital"
"""`ward_id` of rows about the whole hospital."""
ALL = "_all"
"""`patient_type` of rows about all patients together."""
ANY = "_any"
"""`next_ward_id` of rows that hold whatever the next ward is."""
HOME = "_home"
"""`next_ward_id` of a stay that ends in discharge."""

ALL_HOURS = -1
"""`weekday` and `hour` of rows about all hours together."""

FORECAST_PERCENTAGES = ("025", "10", "25", "50", "75", "90", "975")
"""Percentages of a back-test's quantiles (025: 2.5), inverted CDF: the bounds of the 50, 80 and 95 % intervals."""


def key(name: str, type: Type, description: str, unit: str = "") -> Column:
    """A column of the key."""
    return Column(name, type, description, unit, key=True)


def nullable(name: str, type: Type, description: str, unit: str = "") -> Column:
    """A column that may be null."""
    return Column(name, type, description, unit, nullable=True)


def hospital_table(name: str, description: str, *columns: Column, **version: int) -> Table:
    """A table that holds one hospital as of one instant."""
    common = (
        key("hospital_id", "VARCHAR", "The hospital: the stem of its config file."),
        Column("run_id", "VARCHAR", "The Dagster run that wrote the row."),
        Column("as_of", "TIMESTAMP", "Local full hour; nothing at or after it was visible."),
    )
    return Table(name, description, common + columns, **version)


STREAM = key("stream_id", "VARCHAR", "Arrival stream.")
WARD = key("ward_id", "VARCHAR", f"Ward, group of wards, or {HOSPITAL_TOTAL} for the whole hospital.")
SCENARIO = key("scenario", "VARCHAR", "Scenario; baseline is the config as it stands.")
HOURS_AHEAD = Column(
    "hours",
    "INTEGER",
    "Hours of the day that lie ahead: 24, or fewer on the first where as_of is not midnight.",
    "hours",
)
INPUTS_HASH = nullable(
    "inputs_hash",
    "VARCHAR",
    "Hash of all that an origin's rows were made from: rows with the same hash are kept.",
)
COVERAGE = (
    *(
        Column(f"coverage{level}", "DOUBLE", f"Share inside the central {level} % interval, by randomised PIT.")
        for level in (50, 80, 95)
    ),
    Column("coverage80_low", "DOUBLE", "Lower end of the binomial band that holds 99 % of calibrated forecasts."),
    Column("coverage80_high", "DOUBLE", "Upper end of that band."),
)
"""The share of outcomes inside each central interval, and what calibrated forecasts would have."""


def with_error(figure: Column) -> tuple[Column, Column]:
    """A figure and its Monte Carlo standard error."""
    what = f"Monte Carlo standard error of {figure.name}."
    return figure, replace(figure, name=f"{figure.name}_se", type="DOUBLE", description=what)


def predicted(type: Type, what: str, unit: str) -> tuple[Column, ...]:
    """Mean and quantiles of a forecast distribution."""
    return (
        Column("mean", "DOUBLE", "Mean of the forecast distribution.", unit),
        *(Column(f"p{q}", type, f"{what} not exceeded with probability 0.{q}.", unit) for q in FORECAST_PERCENTAGES),
    )


def scores(column: Callable[..., Column], unit: str) -> tuple[Column, Column]:
    """How well a forecast distribution did; `column` is Column, or nullable."""
    return (
        column("crps", "DOUBLE", "Continuous ranked probability score: the smaller the better.", unit),
        column("pit", "DOUBLE", "Randomised probability integral transform: uniform when calibrated."),
    )
