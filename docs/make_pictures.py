"""Every picture of the documentation, from the shipped hospitals: `make pictures`. It takes some six minutes.

A project is made in a temporary folder, or in `--project FOLDER`, where tables of an earlier call are used again.
hospital_1 is run as of a fixed hour, and `mine` as tutorials/own_extract.md describes it: what a reader sees there is
what the text says. `--only NAME ...` makes some of the pictures.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from io import BytesIO, StringIO
from pathlib import Path

import pandas as pd
from browsing import DESKTOP, chromium
from dagster_interface import SECONDS, dagster_interface, own_environment
from graph_picture import graph_svg
from own_extract import own_extract
from PIL import Image
from playwright.sync_api import FloatRect, Page
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from kaizar_pipeline import load_hospital_config
from kaizar_pipeline.chain.steps import stored_tables
from kaizar_pipeline.orchestration.pictures import PICTURES
from kaizar_pipeline.orchestration.storage import Warehouse
from kaizar_pipeline.reporting import canvas, plots

DOCS = Path(__file__).parent
FOLDER = DOCS / "pictures"
SAMPLE, OWN, AS_OF = "hospital_1", "mine", "2026-11-23T08:00"
WARD = "medical"
COLUMNS = 104
"""Width of the terminal."""
PLACE = ("--timezone", "Europe/Amsterdam", "--country", "NL")
MISTAKE = ("target_ward: emergency", "target_ward: emergancy")
"""What is changed in the tutorial's file to show an error."""

PLOTS = {
    "arrivals": "arrival_rates",
    "coverage": "occupancy_scores",
    "drivers": "occupancy_drivers",
    "past": "ward_history_days",
    "reliability": "full_scores",
    "risk": "bed_requirements",
    "scenarios": "scenario_comparison",
}
"""Plots of hospital_1 by name, and the table whose picture each is."""


class Project:
    """A project with both hospitals, whose tables are made when they are first asked for."""

    def __init__(self, home: Path) -> None:
        self.home = home
        if not (home / "workspace.yaml").exists():
            self.kaizar("init", str(home), cwd=DOCS.parent)
        own_extract(home, DOCS.parent)

    @property
    def file(self) -> Path:
        """The tutorial's hospital."""
        return self.home / "hospital_configs" / f"{OWN}.yml"

    def kaizar(self, *arguments: str, cwd: Path | None = None) -> str:
        """What the command prints on a terminal. Where it fails, what it says is the answer."""
        command = [sys.executable, "-m", "kaizar_pipeline", *arguments]
        terminal = {"TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "0", "COLUMNS": str(COLUMNS), "NO_COLOR": "1"}
        key = {"KAIZAR_PSEUDONYM_KEY": "pictures"}  # draws of patients in bed are addressed by their hashed ids
        environment = own_environment(self.home) | terminal | key
        done = subprocess.run(command, cwd=cwd or self.home, env=environment, capture_output=True, text=True)
        return done.stdout or done.stderr

    def run(self, hospital: str, *options: str) -> Path:
        """The page of a hospital, which is run first where it has none; the end of the run is kept beside it."""
        folder = self.home / "data" / "reports" / hospital
        if not (folder / "latest.html").exists():
            said = self.kaizar("run", hospital, *options)
            (folder / "run.txt").write_text(said, encoding="utf-8")
        return folder / "latest.html"

    @cached_property
    def sample(self) -> Path:
        """The page of hospital_1."""
        return self.run(SAMPLE, "--as-of", AS_OF)

    @cached_property
    def own(self) -> Path:
        """The page of the tutorial's hospital."""
        return self.run(OWN)

    @cached_property
    def draft(self) -> str:
        """What `kaizar draft` prints of the tutorial's extract; its page is below data/drafts."""
        confirmed = self.file.read_text(encoding="utf-8")
        self.file.unlink()
        try:
            return self.kaizar("draft", "data/raw/patients.csv", *PLACE)
        finally:
            self.file.write_text(confirmed, encoding="utf-8")

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables of hospital_1."""
        assert self.sample.exists()
        warehouse = Warehouse(self.home / "data")
        return {name: warehouse.read(name, SAMPLE) for name in stored_tables()}


def terminal(command: str, said: str) -> bytes:
    """A terminal with a command and what it printed, as an SVG that loads no font."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), highlight=False)
    console.print(Text(f"$ {command}\n", style="bold"), Text.from_ansi(said.rstrip()), sep="")
    form = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    form = form.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono")
    text = console.export_svg(title="", theme=MONOKAI, code_format=form, unique_id="terminal")
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).encode()


def terminals(project: Project) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """The pictures of the terminal."""
    file = f"hospital_configs/{OWN}.yml"

    def check_error() -> bytes:
        right = project.file.read_text(encoding="utf-8")
        project.file.write_text(right.replace(*MISTAKE), encoding="utf-8")
        try:
            return terminal(f"kaizar check {file}", project.kaizar("check", file))
        finally:
            project.file.write_text(right, encoding="utf-8")

    def run() -> bytes:
        return terminal(f"kaizar run {OWN}", project.own.with_name("run.txt").read_text(encoding="utf-8"))

    drafting = f"kaizar draft data/raw/patients.csv {' '.join(PLACE)}"
    yield "draft.svg", lambda: terminal(drafting, project.draft)
    yield "check_error.svg", check_error
    yield "check.svg", lambda: terminal(f"kaizar check {file}", project.kaizar("check", file))
    yield "run.svg", run
    yield "show.svg", lambda: terminal(f"kaizar show {OWN}", project.own and project.kaizar("show", OWN))


def compact(screenshot: bytes) -> bytes:
    """A screenshot in a palette."""
    file = BytesIO()
    Image.open(BytesIO(screenshot)).convert("RGB").quantize(64).save(file, "PNG", optimize=True)
    return file.getvalue()


@contextmanager
def window(address: str) -> Iterator[Page]:
    """A page in a window of 1280 pixels."""
    with chromium() as browser, browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]}) as page:
        page.set_default_timeout(1000 * SECONDS)
        page.goto(address, wait_until="domcontentloaded")
        yield page


def part_of_report(report: Path, begin: str | None, end: str) -> bytes:
    """A report from one of its headings, or its top, down to another one, by their ids."""
    with window(report.as_uri()) as page:
        top, bottom = (0.0 if at is None else _height(page, at) - 14 for at in (begin, end))
        clip: FloatRect = {"x": 0, "y": top, "width": DESKTOP[0], "height": bottom - top}
        return compact(page.screenshot(full_page=True, clip=clip))


def census_of_draft(project: Project) -> bytes:
    """The census and the proposed beds on the page of a draft."""
    assert project.draft
    return part_of_report(project.home / "data" / "drafts" / f"{OWN}.html", "census", "rejects")


def _height(page: Page, name: str) -> float:
    box = page.locator(f"#{name}").bounding_box()
    assert box is not None, name
    return box["y"]


def dagster_graph(project: Project) -> bytes:
    """The graph in Dagster's user interface."""
    assert project.sample.exists()
    with dagster_interface(project.home) as address, window(f"{address}/asset-groups") as page:
        page.get_by_text("validation", exact=True).first.wait_for()
        page.wait_for_timeout(4000)  # the layout moves until then
        return compact(page.screenshot())


def dagster_table(project: Project) -> bytes:
    """A table with its picture in the user interface."""
    assert project.sample.exists()
    where = f"assets/week_profile?view=partitions&partition={SAMPLE}"
    with dagster_interface(project.home) as address, window(f"{address}/{where}") as page:
        page.get_by_text("[Show Markdown]").first.click()
        page.locator("img[src^='data:image/png']").first.wait_for()
        page.wait_for_timeout(1000)
        return compact(page.screenshot())


def plot(project: Project, table: str) -> bytes:
    """The picture that Dagster has of a table of hospital_1."""
    config = load_hospital_config(project.home / "hospital_configs" / f"{SAMPLE}.yml")
    return canvas.png(PICTURES[table](project.tables, config))


def pictures(project: Project) -> dict[str, Callable[[], bytes]]:
    """All pictures by the name of their file."""
    return {
        "graph.svg": lambda: graph_svg().encode(),
        "page.png": lambda: part_of_report(project.sample, None, "f"),
        "page_wards.png": lambda: part_of_report(project.sample, "f", "ward-icu"),
        "page_scenarios.png": lambda: part_of_report(project.sample, "h", "c"),
        "page_accuracy.png": lambda: part_of_report(project.sample, "g", "d"),
        "page_mine.png": lambda: part_of_report(project.own, None, "s"),
        "draft_page.png": lambda: census_of_draft(project),
        **dict(terminals(project)),
        "fan.png": lambda: canvas.png(plots.plot_fan(project.tables, WARD)),
        "clock.png": lambda: canvas.png(plots.plot_clock(project.tables, WARD)),
        **{f"{name}.png": lambda table=table: plot(project, table) for name, table in PLOTS.items()},
        "dagster_graph.png": lambda: dagster_graph(project),
        "dagster_table.png": lambda: dagster_table(project),
    }


def main() -> None:
    """Make the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, help="Folder of the project; default: a temporary one.")
    parser.add_argument("--only", nargs="+", help="Names of pictures, such as page.png.")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        made = pictures(Project(options.project or Path(temporary) / "beds"))
        for name in options.only or made:
            (FOLDER / name).write_bytes(made[name]())
            sys.stdout.write(f"docs/pictures/{name}: {(FOLDER / name).stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
