"""The report in a browser: on a screen, on a phone and on paper."""

import os
import re
from pathlib import Path

import pandas as pd
import pytest
from browsing import DESKTOP, PHONE, inaccessible, keep_screenshot, opened, overlaps, sideways
from playwright.sync_api import Browser
from random_reports import random_report

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.reporting.facts import Facts
from kaizar_pipeline.reporting.numbers import Cells
from kaizar_pipeline.reporting.page import report_page
from kaizar_pipeline.tables import TABLES

pytestmark = pytest.mark.e2e

Report = tuple[HospitalConfig, dict[str, pd.DataFrame]]

PAPER = (703, 1032)
"""What the margins leave of a sheet of A4, in pixels."""

SEEDS = range(int(os.environ.get("KAIZAR_RANDOM_PAGES", "6")))
"""Random hospitals whose pages are looked at; `make fuzz` looks at 60."""


def address_of_page(folder: Path, config: HospitalConfig, tables: dict[str, pd.DataFrame]) -> str:
    """Writes the report into the folder."""
    facts = Facts(config.id, "a-run", "0123abcd", config.simulation.seed, 10, {"kaizar-pipeline": "0.1.0"})
    path = folder / "report.html"
    path.write_text(report_page(Cells(tables, TABLES), config, facts), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize(("name", "size"), [("screen", DESKTOP), ("phone", PHONE)])
def test_the_report_is_read_without_collisions_and_by_everyone(
    browser: Browser, tmp_path: Path, tiny: Report, name: str, size: tuple[int, int]
):
    config, tables = tiny
    with opened(browser, address_of_page(tmp_path, config, tables), size) as page:
        assert overlaps(page) == []
        assert sideways(page) == 0
        assert inaccessible(page) == []
        now = tables["ward_now"].set_index("ward_id")
        row = page.locator("[data-of='bed_meeting.in_beds/ward/next_24_hours']").first
        assert row.inner_text() == str(now.loc["ward", "in_beds"])
        assert page.locator("svg:visible").count() >= 8
        keep_screenshot(page, f"report_{name}")


def test_the_report_prints_on_a4_with_the_bed_meeting_on_the_first_sheet(
    browser: Browser, tmp_path: Path, tiny: Report
):
    with opened(browser, address_of_page(tmp_path, *tiny), PAPER) as page:
        page.emulate_media(media="print")
        for last in ("Bed meeting", "Chance of being full at some hour of the day, %"):
            box = page.get_by_role("region", name=last).bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= PAPER[1]
        pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 5
    width, height = map(float, re.findall(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)", pdf)[0])
    assert (round(width), round(height)) == (595, 842)  # points


@pytest.mark.parametrize("seed", SEEDS)
def test_no_two_texts_overlap_whatever_the_hospital(browser: Browser, tmp_path: Path, tiny: Report, seed: int):
    config, tables = tiny
    address = address_of_page(tmp_path, *random_report(tables, config, seed))
    for size in (DESKTOP, PHONE):
        with opened(browser, address, size) as page:
            assert overlaps(page) == []
            assert sideways(page) == 0
