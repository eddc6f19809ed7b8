"""The commands about the report of a hospital: show and report; and what a run says of it."""

import logging
import textwrap
import webbrowser
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from kaizar_pipeline.config.hospital import HospitalConfig
    from kaizar_pipeline.reporting.numbers import Cells, Hour, Sentence

GAP, SHORTEST = 2, 8
"""Spaces between columns, and the least width of the names of wards."""
PIPED = 500
"""Width of a table that goes to a file or another program: all columns fit."""

_Hospital = Annotated[str, typer.Argument(help="Hospital, by the name of its file.")]
_Verbose = Annotated[bool, typer.Option("--verbose", help="Show tracebacks.")]


def show(hospital: _Hospital, verbose: _Verbose = False) -> None:
    """Show the bed-meeting table of a hospital's last run, and what it means, in the terminal."""
    from kaizar_pipeline.config.files import find_home
    from kaizar_pipeline.orchestration.report_run import read_report
    from kaizar_pipeline.orchestration.storage import Warehouse
    from kaizar_pipeline.reporting.bed_meeting_text import sentences
    from kaizar_pipeline.reporting.numbers import Sentence
    from kaizar_pipeline.reporting.words import Name

    home = find_home()
    cells, config, _ = read_report(home, Warehouse(home / "data"), hospital)
    console = _console()
    title = Sentence("{name}, as of {at}", name=Name(config.hospital.name), at=_as_of(cells))
    _print(console, [title])
    console.print()
    console.print(_table(cells, config, console.width))
    console.print()
    _print(console, sentences(cells, config))


def report(
    hospital: _Hospital,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    verbose: _Verbose = False,
) -> None:
    """Write the page, the spreadsheet and the CSV of a hospital anew from its stored tables; nothing is run."""
    from kaizar_pipeline.command.signals import ended_by_signals
    from kaizar_pipeline.config.files import find_home, hospital_file, hospital_files
    from kaizar_pipeline.orchestration.report_run import make_overview, make_report, stored_lineages
    from kaizar_pipeline.orchestration.storage import Warehouse

    home = find_home()
    warehouse = Warehouse(home / "data", _log())
    hospital_file(home, hospital)
    stored_lineages(warehouse, hospital)
    with ended_by_signals(home / "data"), warehouse.lock(hospital):
        page = make_report(home, warehouse, hospital).path
        make_overview(home, warehouse, hospital_files(home))
    typer.echo(page)
    if open_page and not webbrowser.open(page.as_uri()):
        typer.echo(f"no browser could be started; open {page.as_uri()}", err=True)


def say_of_run(home: Path, hospital: str) -> None:
    """What a run ends with: the worst wards, beds against staffed, errors of checks, and where the report is."""
    from kaizar_pipeline.orchestration.report_run import REPORTS, read_report
    from kaizar_pipeline.orchestration.storage import Warehouse
    from kaizar_pipeline.reporting.bed_meeting_text import worst_wards
    from kaizar_pipeline.reporting.report_files import LATEST

    cells, config, facts = read_report(home, Warehouse(home / "data"), hospital)
    for sentence in worst_wards(cells, config):
        typer.echo(f"  {sentence}")
    for check in facts.failed.to_dict("records"):
        kind = "failed" if check["blocking"] else "warns"
        typer.echo(f"  check {check['name']} of {check['table']} {kind}: {check['message']}")
    if facts.warnings:
        typer.echo("  the hospital's file has warnings, which `kaizar check` shows")
    page = Path("data", REPORTS, hospital, LATEST)
    typer.echo(f"  report as of {_as_of(cells)}: {page}; all tables: data/kaizar.duckdb")


def _as_of(cells: "Cells") -> "Hour":
    from kaizar_pipeline.reporting.numbers import Hour

    return Hour(cells.rows("ward_outlook")["as_of"].iloc[0])


def _console() -> "Console":
    """Standard output, wide enough for all columns where it is not a terminal."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=PIPED)


def _print(console: "Console", said: "list[Sentence]") -> None:
    """Sentences, one a line; for a terminal they are broken between words, and a number stays with its unit."""
    for sentence in said:
        text = str(sentence)
        console.print(textwrap.fill(text, console.width) if console.is_terminal else text, soft_wrap=True)


def _table(cells: "Cells", config: "HospitalConfig", width: int) -> "Table":
    """The bed-meeting table with the columns that fit into the width, the most important ones first."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    from kaizar_pipeline.reporting.bed_meeting_text import columns

    found, rows = columns(cells, config)
    texts = {column: [str(column.of(row)) for row in rows] for column in found}
    left, shown = width, {}
    for _, together in groupby(sorted(found, key=lambda column: column.rank), key=lambda column: column.rank):
        needs = {}
        for column in together:
            parts = [*texts[column], *str(column.head).split(" ")]  # heads break between words
            widest = max(map(cell_len, parts))
            needs[column] = widest if column.rank else min(widest, max(width // 3, SHORTEST))
        left -= sum(needs.values()) + GAP * len(needs)
        if left < 0 and shown:
            break
        shown |= needs
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for column in found:
        if column in shown:
            justify = "left" if column.rank == 0 else "right"
            table.add_column(Text(str(column.head)), justify=justify, vertical="bottom", width=shown[column])
    for position in range(len(rows)):
        table.add_row(*(Text(texts[column][position]) for column in found if column in shown))
    return table


def _log() -> logging.Logger:
    """A log whose messages are lines on the screen, such as that another run is waited for."""

    class Screen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            typer.echo(record.getMessage(), err=True)

    log = logging.Logger("kaizar report", logging.INFO)
    log.addHandler(Screen())
    return log
