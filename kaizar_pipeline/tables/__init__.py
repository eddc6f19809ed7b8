"""Every table of the project: `TABLES` by name, and the names that other rooms import.

A `Table` makes the DDL, checks and types a frame (`conform`), and is the data dictionary. Frames of the library carry
`hospital_id` and `as_of`; storage adds `run_id`. Dates and times are hospital-local without a time zone, as
`datetime64[us]` in pandas. A new table is defined in the file of its owner and added to `TABLES`.
"""

from kaizar_pipeline.tables.columns import ALL, ANY, HOME, HOSPITAL_TOTAL  # noqa: F401
from kaizar_pipeline.tables.dictionary import markdown
from kaizar_pipeline.tables.forecast_tables import (
    ARRIVAL_MODEL,
    ARRIVAL_RATES,
    FEATURE_TABLE,
    FORECAST_BACKTEST,
    FORECAST_PERCENTAGES,  # noqa: F401
    FORECAST_SCORES,
)
from kaizar_pipeline.tables.patient_tables import (
    DAILY_ARRIVALS,
    LENGTH_OF_STAY,
    PATIENT_REJECTS,
    PATIENTS,
    STARTING_CENSUS,
    WARD_STAYS,
)
from kaizar_pipeline.tables.planning_tables import (
    BED_ALLOCATIONS,
    BED_REQUIREMENTS,
    BEDS_EFFECTS,
    FORECAST_LOG,
    FORECAST_LOG_SCORES,
    HEADLINE_CHANGES,
    HEADLINE_INPUTS,
    OCCUPANCY_BACKTEST,
    OCCUPANCY_DRIVERS,
    OCCUPANCY_SCORES,
    SCENARIO_COMPARISON,
)
from kaizar_pipeline.tables.schema import Column, Table  # noqa: F401
from kaizar_pipeline.tables.simulation_tables import (
    BOARDING_CAUSES,
    CENSUS_PERCENTAGES,  # noqa: F401
    DAILY_PEAKS,
    MIDNIGHT_CENSUS,
    OCCUPANCY_DISTRIBUTIONS,
    SIMULATION_PRECISION,
    WARD_PERFORMANCE,
    WEEK_PROFILE,
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        PATIENTS, PATIENT_REJECTS, WARD_STAYS, STARTING_CENSUS, DAILY_ARRIVALS, LENGTH_OF_STAY, FEATURE_TABLE,
        ARRIVAL_MODEL, ARRIVAL_RATES, FORECAST_BACKTEST, FORECAST_SCORES, OCCUPANCY_DISTRIBUTIONS, MIDNIGHT_CENSUS,
        WEEK_PROFILE, DAILY_PEAKS, WARD_PERFORMANCE, SIMULATION_PRECISION, BOARDING_CAUSES, OCCUPANCY_BACKTEST,
        OCCUPANCY_SCORES, FORECAST_LOG, FORECAST_LOG_SCORES, BED_REQUIREMENTS, BEDS_EFFECTS, BED_ALLOCATIONS,
        OCCUPANCY_DRIVERS, SCENARIO_COMPARISON, HEADLINE_CHANGES, HEADLINE_INPUTS,
    )
}  # fmt: skip
"""Every stored table by name, in the order of the chain."""


def data_dictionary() -> str:
    """All tables and columns as Markdown: docs/tables.md."""
    return markdown(TABLES.values())
