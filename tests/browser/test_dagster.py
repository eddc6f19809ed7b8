"""Dagster's user interface in a browser: the graph, and a table with its picture."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from browsing import DESKTOP, keep_screenshot
from playwright.sync_api import Browser, expect

from ..conftest import make_project

pytestmark = pytest.mark.e2e

SECONDS = 90
"""Longest wait for a page; one takes some 5."""


@pytest.fixture
def interface(browser: Browser, tmp_path: Path) -> Iterator[str]:
    """The address of the interface, of a project in which the tables up to week_profile were made."""
    home = make_project(tmp_path / "project", "one")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KAIZAR_", "DAGSTER_"))}
    own = {"KAIZAR_HOME": str(home), "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    environment = kept | own | {"PYTHONWARNINGS": "ignore"}
    run = [sys.executable, "-m", "kaizar_pipeline", "run", "one", "--as-of", "2026-05-04", "--select", "+week_profile"]
    subprocess.run(run, cwd=home, env=environment, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-w", "workspace.yaml"]
    with (
        (home / "log").open("w") as log,
        subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log) as server,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/server_info", home / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def wait_for(address: str, log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            with urlopen(address, timeout=5):
                return
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)  # it is still coming up
    raise AssertionError(log.read_text()[-3000:])


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
