"""Every table of the project: `TABLES` by name, and the names that other rooms import.

A `Table` makes the DDL, checks and types a frame (`conform`), and is the data dictionary. Frames of the library carry
`hospital_id` and `as_of`; storage adds `run_id`. Dates and times are hospital-local without a time zone, as
`datetime64[us]` in pandas. A new table is defined in the file of its owner and imported here.
"""

from kaizar_pipeline.tables.columns import ALL, ANY, HOME, HOSPITAL_TOTAL
from kaizar_pipeline.tables.forecast_tables import (
    ARRIVAL_MODEL,
    ARRIVAL_RATES,
    FEATURE_TABLE,
    FORECAST_BACKTEST,
    FORECAST_PERCENTAGES,
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
from kaizar_pipeline.tables.schema import Column, Table
from kaizar_pipeline.tables.simulation_tables import (
    BOARDING_CAUSES,
    CENSUS_PERCENTAGES,
    DAILY_PEAKS,
    MIDNIGHT_CENSUS,
    OCCUPANCY_DISTRIBUTIONS,
    SIMULATION_PRECISION,
    WARD_PERFORMANCE,
    WEEK_PROFILE,
)

TABLES: dict[str, Table] = {table.name: table for table in list(globals().values()) if isinstance(table, Table)}
"""Every table of this package by name."""
