"""Dagster's user interface in a browser: the graph, and a table with its picture."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import DESKTOP, keep_screenshot
from dagster_interface import SECONDS, dagster_interface, own_environment
from playwright.sync_api import Browser, expect

from ..conftest import make_project

pytestmark = pytest.mark.e2e


@pytest.fixture
def interface(browser: Browser, tmp_path: Path) -> Iterator[str]:
    """The address of the interface, of a project in which the tables up to week_profile were made."""
    home = make_project(tmp_path / "project", "one")
    run = [sys.executable, "-m", "kaizar_pipeline", "run", "one", "--as-of", "2026-05-04", "--select", "+week_profile"]
    subprocess.run(run, cwd=home, env=own_environment(home), check=True, capture_output=True)
    with dagster_interface(home) as address:
        yield address


def test_the_graph_and_a_table_with_its_picture(browser: Browser, interface: str):
    page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    page.set_default_timeout(1000 * SECONDS)
    page.goto(f"{interface}/asset-groups", wait_until="domcontentloaded")
    for group in ("patients", "simulation", "report"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible(timeout=1000 * SECONDS)
    keep_screenshot(page, "dagster_graph")
    page.goto(f"{interface}/assets/week_profile?view=partitions&partition=one", wait_until="domcontentloaded")
    page.get_by_text("[Show Markdown]").first.click()
    picture = page.locator("img[src^='data:image/png']").first
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") >= 300
    keep_screenshot(page, "dagster_picture")
    page.close()
