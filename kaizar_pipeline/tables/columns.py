"""Columns that several tables share, and the ids that stand for all wards, all patients, any next ward and home."""

from kaizar_pipeline.tables.schema import Column, Table

HOSPITAL_TOTAL = "_hospital"
"""`ward_id` of rows about the whole hospital."""
ALL = "_all"
"""`patient_type` of rows about all patients together."""
ANY = "_any"
"""`next_ward_id` of rows that hold whatever the next ward is."""
HOME = "_home"
"""`next_ward_id` of a stay that ends in discharge."""


def hospital_table(name: str, description: str, *columns: Column, **version: int) -> Table:
    """A table that holds one hospital as of one midnight."""
    common = (
        Column("hospital_id", "VARCHAR", "The hospital: the stem of its config file.", key=True),
        Column("run_id", "VARCHAR", "The Dagster run that wrote the row."),
        Column("as_of", "TIMESTAMP", "Local midnight; nothing at or after it was visible."),
    )
    return Table(name, description, common + columns, **version)


def stream() -> Column:
    """The arrival stream, as part of the key."""
    return Column("stream_id", "VARCHAR", "Arrival stream.", key=True)


def scenario() -> Column:
    """The scenario, as part of the key."""
    return Column("scenario", "VARCHAR", "Scenario; baseline is the config as it stands.", key=True)


def inputs_hash() -> Column:
    """What the rows of a back-test's origin were made from."""
    what = "Hash of everything the rows of an origin were made from: a later run keeps rows with the same hash."
    return Column("inputs_hash", "VARCHAR", what, nullable=True)


def ward(total: bool = True) -> Column:
    """The ward, as part of the key; with `total` also the whole hospital."""
    text = f"Ward, or {HOSPITAL_TOTAL} for the whole hospital." if total else "Ward."
    return Column("ward_id", "VARCHAR", text, key=True)


def standard_error(name: str, unit: str = "", nullable: bool = False) -> Column:
    """The Monte Carlo standard error of the column `name`."""
    return Column(f"{name}_se", "DOUBLE", f"Monte Carlo standard error of {name}.", unit, nullable=nullable)


def with_error(name: str, description: str, unit: str) -> tuple[Column, Column]:
    """A nullable figure and its Monte Carlo standard error."""
    return Column(name, "DOUBLE", description, unit, nullable=True), standard_error(name, unit, nullable=True)
