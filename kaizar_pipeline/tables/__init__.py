"""Every table of the project: `TABLES` by name, and the names that other rooms import.

A `Table` makes the DDL, checks and types a frame (`conform`), and is the data dictionary. Frames of the library carry
`hospital_id` and `as_of`; storage adds `run_id`. Dates and times are hospital-local without a time zone, as
`datetime64[us]` in pandas. A new table is defined in the file of its owner.
"""

from kaizar_pipeline.tables.columns import *
from kaizar_pipeline.tables.forecast_tables import *
from kaizar_pipeline.tables.history_tables import *
from kaizar_pipeline.tables.patient_tables import *
from kaizar_pipeline.tables.planning_tables import *
from kaizar_pipeline.tables.report_tables import *
from kaizar_pipeline.tables.schema import Column, Table
from kaizar_pipeline.tables.simulation_tables import *

TABLES: dict[str, Table] = {table.name: table for table in list(globals().values()) if isinstance(table, Table)}
"""Every table of this package by name."""
