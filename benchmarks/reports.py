"""How long a report takes to make and to read, and how large it is: hospital_1, and a hospital of 40 wards.

    python -m benchmarks.reports            a table on stdout
    python -m benchmarks.reports --json     one flat object

Seconds are CPU time of one process that has made a report before. A run of the chain without its back-tests and
planning comes first, several minutes on 2 cores, so that hospital_1's page lacks what these tables show; `seconds_read`
is what Chromium takes from the address to the event `load`, null where there is none.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks.figures import keep
from kaizar_pipeline import HospitalConfig, load_hospital_config, run_chain
from kaizar_pipeline.chain.steps import all_tables
from kaizar_pipeline.reporting.facts import Facts
from kaizar_pipeline.reporting.page import report_page, ward_pages
from kaizar_pipeline.reporting.sheets import sheets
from kaizar_pipeline.reporting.suppression import suppressed
from kaizar_pipeline.reporting.workbook import workbook

PROJECT = Path(__file__).parents[1]
AS_OF = "2026-11-28T08:00"
WARDS = 40
SLOW = {"beds_effects", "bed_allocations", "headline_changes", "headline_inputs", "full_scores", "full_log"}
"""Tables that take minutes with 40 wards, and change no size by much."""


def forty_wards() -> HospitalConfig:
    """A synthetic hospital of wards of 12 to 50 beds."""
    los = {"type": "lognormal", "unit": "days", "params": {"mean": 4, "sd": 4}}
    names = [f"w{number:02}" for number in range(WARDS)]
    per_day = {name: 2 + number % 7 for number, name in enumerate(names)}
    return HospitalConfig.model_validate(
        {
            "id": "forty",
            "hospital": {"name": "Forty wards", "timezone": "Europe/Berlin", "country": "DE"},
            "patients": {
                "source": "synthetic",
                "history_start": "2025-06-01",
                "truth": {"streams": {name: {"mean_per_day": rate} for name, rate in per_day.items()}},
            },
            "wards": [
                {"id": name, "name": f"Ward of {rate} a day", "capacity": round(5 * rate) + 2, "los_model": los}
                for name, rate in per_day.items()
            ],
            "patient_types": [{"id": "patient"}],
            "arrival_streams": [
                {"id": name, "target_ward": name, "patient_type": "patient", "model": {"type": "ml_poisson"}}
                for name in names
            ],
            "levels": [{"name": "amber", "share": 0.85}, {"name": "red", "share": 0.95}],
            "simulation": {"horizon_days": 28, "replications": 100},
        }
    )


def tables_of(config: HospitalConfig) -> dict[str, pd.DataFrame]:
    """The tables that a page shows, but for those of back-tests and of planning that take minutes."""
    wanted = [name for name in all_tables() if name not in SLOW and "backtest" not in name and "scores" not in name]
    return run_chain(config, home=PROJECT, as_of=AS_OF, tables=wanted)


def measured(config: HospitalConfig) -> dict[str, float | None]:
    """Seconds and KB of the report of a hospital."""
    tables = tables_of(config)
    facts = Facts(config.id, "run", "0123abcd", config.simulation.seed, int(config.simulation.max_replications))
    report_page(suppressed(tables, config), config, facts)  # templates are read and compiled once
    begun = time.process_time()
    page = report_page(suppressed(tables, config), config, facts)
    after_page = time.process_time()
    ward_pages(suppressed(tables, config), config, facts)
    after_wards = time.process_time()
    workbook(sheets(suppressed(tables, config), config), config, pd.Timestamp(AS_OF))
    return {
        "seconds_page": after_page - begun,
        "seconds_ward_pages": after_wards - after_page,
        "seconds_spreadsheet": time.process_time() - after_wards,
        "kilobytes_page": len(page.encode()) / 1000,
        "seconds_read": seconds_to_read(page),
    }


def seconds_to_read(page: str) -> float | None:
    """What the browser takes to load a page, the second time; None without a browser."""
    import shutil

    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        return None
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        path.write_text(page, encoding="utf-8")
        with playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser:
            tab = browser.new_page()
            tab.goto(path.as_uri())
            begun = time.monotonic()
            tab.goto(path.as_uri())
            return time.monotonic() - begun


def main() -> None:
    """Measure both hospitals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one flat object on stdout")
    parser.add_argument("--write", action="store_true", help="store the figures for docs/evidence.md")
    arguments = parser.parse_args()
    hospitals = (load_hospital_config(PROJECT / "hospital_configs" / "hospital_1.yml"), forty_wards())
    found = {config.id: measured(config) for config in hospitals}
    flat = {f"{hospital}_{name}": value for hospital, row in found.items() for name, value in row.items()}
    if arguments.write:
        keep(flat, "python -m benchmarks.reports --write")
    if arguments.json:
        print(json.dumps(flat))
        return
    table = Table("", *found)
    for name in next(iter(found.values())):
        figures = (row[name] for row in found.values())
        table.add_row(name, *("" if figure is None else f"{figure:.2f}" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
