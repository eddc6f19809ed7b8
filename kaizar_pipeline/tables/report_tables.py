"""Tables that a run writes beside those of the steps: what its checks found, and the sentences of the report."""

from kaizar_pipeline.tables.columns import hospital_table, key, nullable
from kaizar_pipeline.tables.schema import Column

CHECK_RESULTS = hospital_table(
    "check_results",
    "The latest result of each check of each table, also of tables that were not stored because one failed. A run "
    "replaces the rows of the tables that it makes; a check that had nothing to look at has no row.",
    key("table_name", "VARCHAR", "Table that was checked."),
    key("check_name", "VARCHAR", "Check; made: the step that makes the table ended with an error."),
    Column("blocking", "BOOLEAN", "True: a failure kept the table from being stored; false: it is a warning."),
    Column("passed", "BOOLEAN", "Whether it passed."),
    nullable("message", "VARCHAR", "What it found; null where that is nothing."),
    Column("checked_as_of", "TIMESTAMP", "As_of of the table that was checked."),
)

PLANNER_REPORT = hospital_table(
    "planner_report",
    "The sentences at the head of the report, the worst ward first; the report itself is data/reports/HOSPITAL/.",
    key("place", "INTEGER", "Place in the report, from 1."),
    nullable("ward_id", "VARCHAR", "Ward, group of wards or whole hospital that it is about; null: all of them."),
    Column("sentence", "VARCHAR", "The sentence."),
    nullable("newest_record", "TIMESTAMP", "Newest instant in the records, in all rows the same; null: none."),
)
