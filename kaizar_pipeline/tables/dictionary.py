"""Writes docs/reference/tables.md: every table and column, as Markdown."""

from collections.abc import Iterable

from kaizar_pipeline.tables.schema import Column, Table


def data_dictionary(tables: Iterable[Table]) -> str:
    """The page about `tables`, in their order."""
    head = (
        "# Every table\n\nGenerated from `kaizar_pipeline/tables/` by `kaizar schema --write`. Key columns are bold. A "
        "type with a question mark may be null."
    )
    return "\n\n".join([head, *map(_section, tables)]) + "\n"


def _section(table: Table) -> str:
    head = ["| column | type | unit | meaning |", "|---|---|---|---|"]
    return "\n".join([f"## {table.name}\n", table.description, "", *head, *map(_row, table.columns)])


def _row(column: Column) -> str:
    name = f"**{column.name}**" if column.key else column.name
    kind = f"{column.type}{'?' if column.nullable else ''}"
    return f"| {name} | {kind} | {column.unit} | {column.description} |"
