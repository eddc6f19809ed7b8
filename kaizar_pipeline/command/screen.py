"""Tables and progress bars on the screen."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.planning.comparison import COMPARED
from kaizar_pipeline.tables import HOSPITAL_TOTAL
from kaizar_pipeline.verification import verify


@contextmanager
def progress_bar(description: str, total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar that is gone at the end; call what it yields with the number that is done."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=total)
        yield lambda done, _: bar.update(task, completed=done)


def print_validation(results: Sequence[verify.Result]) -> None:
    """A row for each quantity: theory, simulation and their difference in standard errors."""
    table = Table("model", "quantity", *_right("theory", "simulated", "± se", "z"))
    for row in verify.rows(list(results)):
        table.add_row(*row)
    Console().print(table)


def print_comparison(rows: pd.DataFrame, scenario: Scenario, wards: Sequence[str], everything: bool) -> None:
    """What a scenario changes: every figure, or the differences that chance does not explain."""
    Console().print((_every_figure if everything else _changes)(rows, scenario, wards))


def _changes(rows: pd.DataFrame, scenario: Scenario, wards: Sequence[str]) -> Table:
    """A column per ward; for a ward that the scenario adds, the figure itself."""
    table = Table(
        "change of", *_right(*("whole hospital" if ward == HOSPITAL_TOTAL else ward for ward in wards)),
        title=f"{scenario.id}: {scenario.description}", title_justify="left",
        caption="± half of the 95 % confidence interval; (figure) of a ward that is new; --all: every figure",
    )  # fmt: skip
    for kpi, unit in COMPARED.items():
        found = {row["ward_id"]: row for row in rows[rows["kpi"] == kpi].to_dict("records")}
        table.add_row(
            f"{kpi.replace('_', ' ')}{'' if unit == 'share' or unit in kpi else f', {unit}'}",
            *(_change(found[ward], unit) if ward in found else "" for ward in wards),
        )
    return table


def _change(row: dict[Hashable, Any], unit: str) -> str:
    if pd.isna(row["difference"]):
        return f"({_figure(row['value'], unit)})" if row["value"] else ""
    if not row["low"] > 0 and not row["high"] < 0:
        return ""
    sign, half = "+" if row["difference"] > 0 else "", (row["high"] - row["low"]) / 2
    if unit == "share":  # differences of shares are in percentage points
        return f"{sign}{100 * row['difference']:.1f} pp ± {100 * half:.1f}"
    return f"{sign}{_figure(row['difference'], unit)} ± {_figure(half, unit)}"


def _every_figure(rows: pd.DataFrame, scenario: Scenario, wards: Sequence[str]) -> Table:
    figures = ("baseline", "value", "difference", "low", "high")
    title = f"{scenario.id}: {scenario.description}"
    table = Table("ward", "what", *_right(*figures), title=title, title_justify="left")
    for ward in wards:
        found = {row["kpi"]: row for row in rows[rows["ward_id"] == ward].to_dict("records")}
        for kpi, unit in COMPARED.items():
            if kpi in found:
                table.add_row(ward, kpi, *(_figure(found[kpi][name], unit) for name in figures))
    return table


def _figure(value: float, unit: str) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.1%}" if unit == "share" else f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _right(*names: str) -> list[Column]:
    return [Column(name, justify="right") for name in names]
