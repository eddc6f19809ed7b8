"""What Dagster shows of a table at a glance: a picture, its first rows, and its headline as numbers.

A table with a picture is a step, a plot, and a line in PICTURES. Where the hospital's file says to hide small numbers,
pictures and rows are shown by planner_report alone, which hides them in all tables together: hidden one table at a time
they could be computed from another.
"""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from kaizar_pipeline.chain.step import Figures, Frames
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import KaizarError
from kaizar_pipeline.planning.chances import fullest
from kaizar_pipeline.reporting import hospital_plots, plots
from kaizar_pipeline.reporting.canvas import png
from kaizar_pipeline.reporting.numbers import SUPPRESSED, Cells
from kaizar_pipeline.reporting.suppression import SHOWS
from kaizar_pipeline.tables import HOSPITAL_TOTAL, PLANNER_REPORT, TABLES, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Picture = Callable[[Frames, HospitalConfig], "Axes"]
"""Draws the tables of a hospital."""
Metadata = dict[str, Any]

ROWS, COLUMNS, LETTERS = 12, 12, 60
"""Most rows and columns of a preview, and letters of a cell."""
NO_ROWS = ("patients", "ward_stays", "starting_census", "patient_rejects", "headline_inputs")
"""Tables of which no row is shown: they are about persons."""

OBSERVED = {*NO_ROWS, *(shows.table for shows in SHOWS if shows.value)}
"""Tables whose numbers are of real patients."""


def _hospital(plot: Callable[..., "Axes"], *given: object) -> Picture:
    """A plot of all wards."""
    return lambda tables, _: plot(tables, *given)


def _total(plot: Callable[..., "Axes"]) -> Picture:
    """A plot of the whole hospital."""
    return lambda tables, _: plot(tables, HOSPITAL_TOTAL)


def _fullest(plot: Callable[..., "Axes"]) -> Picture:
    """A plot of the ward that is full on most days, the first ward where none has limited beds."""

    def draw(tables: Frames, config: HospitalConfig) -> "Axes":
        days = fullest(tables["ward_days"], config.ward_ids) if "ward_days" in tables else pd.DataFrame()
        return plot(tables, config.ward_ids[0] if days.empty else days["ward_id"].iloc[0])

    return draw


def _busiest(plot: Callable[..., "Axes"]) -> Picture:
    """A plot of the stream that most patients come by."""

    def draw(tables: Frames, config: HospitalConfig) -> "Axes":
        if "daily_arrivals" not in tables or tables["daily_arrivals"].empty:
            return plot(tables, config.arrival_streams[0].id)
        return plot(tables, tables["daily_arrivals"].groupby("stream_id")["arrivals"].sum().idxmax())

    return draw


def _levels(tables: Frames, config: HospitalConfig) -> "Axes":
    """The levels of the whole hospital, or of the first ward that has any."""
    wards = list(tables["level_risk"]["ward_id"].unique()) if "level_risk" in tables else []
    return hospital_plots.plot_levels(tables, HOSPITAL_TOTAL if HOSPITAL_TOTAL in wards or not wards else wards[0])


PICTURES: dict[str, Picture] = {
    "ward_history_days": _total(plots.plot_past),
    "observed_flows": _total(plots.plot_past_flows),
    "daily_arrivals": _busiest(plots.plot_daily),
    "discharge_clocks": _fullest(plots.plot_clock),
    "arrival_profile": _busiest(plots.plot_hours),
    "arrival_rates": _busiest(plots.plot_arrivals),
    "occupancy_distributions": _fullest(plots.plot_percentiles),
    "ward_days": _hospital(hospital_plots.plot_strip),
    "level_risk": _levels,
    "week_profile": _fullest(plots.plot_week),
    "daily_peaks": _fullest(plots.plot_fan),
    "ward_flows": _fullest(plots.plot_flows),
    "bed_requirements": _fullest(plots.plot_risk),
    "bed_allocations": _hospital(hospital_plots.plot_allocations),
    "occupancy_drivers": _hospital(hospital_plots.plot_drivers),
    "scenario_comparison": _hospital(hospital_plots.plot_scenarios, "days_any_hour_full"),
    "bed_meeting": _hospital(hospital_plots.plot_meeting),
    "ward_outlook": _fullest(plots.plot_highest),
    "forecast_scores": _hospital(hospital_plots.plot_skill),
    "occupancy_scores": _hospital(hospital_plots.plot_coverage),
    "full_scores": _hospital(hospital_plots.plot_reliability),
    "headline_changes": _hospital(hospital_plots.plot_history),
    PLANNER_REPORT.name: _total(plots.plot_fan),
}
"""The picture of each table."""


def at_a_glance(
    name: str, tables: Frames, config: HospitalConfig, figures: Figures, warn: Callable[[str], None]
) -> Metadata:
    """The metadata of a table that was made: picture, link to the report, rows and headline."""
    report = {"report": dg.MetadataValue.asset(dg.AssetKey(PLANNER_REPORT.name))}
    numbers = headline(config.id, {"rows": len(tables[name]), **figures})
    if config.report.suppress_below:
        return report if name in OBSERVED else report | numbers
    return picture(name, tables, config, warn) | report | preview(TABLES.get(name), tables[name]) | numbers


def picture(name: str, tables: Frames, config: HospitalConfig, warn: Callable[[str], None]) -> Metadata:
    """The picture of a table, where it has one and there is something to show. One that fails stops no run."""
    if name not in PICTURES:
        return {}
    try:
        drawn = base64.b64encode(png(PICTURES[name](tables, config))).decode()
    except KaizarError:  # nothing to show
        return {}
    except Exception as error:
        warn(f"the picture of {name} could not be drawn: {type(error).__name__}: {error}; report a bug")
        return {}
    return {"picture": dg.MetadataValue.md(f"![{name} of {config.id}](data:image/png;base64,{drawn})")}


def preview(table: Table | None, frame: pd.DataFrame, cells: Cells | None = None) -> Metadata:
    """The first rows of a table, but of none about persons; with `cells`, a star for each hidden number."""
    if table is None or table.name in NO_ROWS or frame.empty:
        return {}
    left_out = ("hospital_id", "run_id", "as_of", "inputs_hash")
    columns = [
        column
        for column in table.columns
        if column.type not in ("JSON", "DOUBLE[]") and column.name not in left_out and not column.name.endswith("_se")
    ][:COLUMNS]
    rows = frame.head(ROWS)
    keys = list(zip(*(rows[name].tolist() for name in table.key[1:]), strict=True)) or [()] * len(rows)
    hidden = cells.hidden if cells else frozenset()
    records = [
        dg.TableRecord(
            {
                column.name: SUPPRESSED if (table.name, column.name, key) in hidden else _cell(row[column.name])
                for column in columns
            }
        )
        for key, (_, row) in zip(keys, rows.iterrows(), strict=True)
    ]
    shown = [dg.TableColumn(column.name, "string", column.description) for column in columns]
    return {"first rows": dg.MetadataValue.table(records, dg.TableSchema(shown))}


def _cell(value: Any) -> str | float | int | bool | None:
    """A value as a preview has it: dates without a time of day, rounded numbers, short texts."""
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 4)
    if hasattr(value, "item"):  # numpy's
        return _cell(value.item())
    text = " ".join(str(value).split())
    return text if len(text) <= LETTERS else f"{text[:LETTERS]}…"


def headline(hospital_id: str, figures: Figures) -> Metadata:
    """Figures as `as_metadata` has them, numbers by the hospital's name: Dagster draws one line through all values of a
    name, whatever their partition."""
    return as_metadata(
        {name if isinstance(value, str) else f"{hospital_id}: {name}": value for name, value in figures.items()}
    )


def as_metadata(figures: Figures) -> Metadata:
    """Figures as Dagster shows them: text of several lines as Markdown."""
    return {
        name: dg.MetadataValue.md(value) if isinstance(value, str) and "\n" in value else value
        for name, value in figures.items()
    }
