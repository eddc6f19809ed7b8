"""Pages in the system's Chromium without a screen, through Playwright, and what is measured there."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""Where the system's Chromium is; None: it has none."""

DESKTOP, PHONE = (1280, 900), (390, 844)
"""Sizes of the window in pixels."""

SCREENSHOTS = Path(os.environ.get("KAIZAR_SCREENSHOTS", Path(__file__).parents[2] / "screenshots"))
"""Where pictures are kept; CI keeps the folder."""

_BOXES = """() => {
  const hidden = element => element && (
    getComputedStyle(element).clipPath !== 'none' || getComputedStyle(element).visibility === 'hidden'
    || hidden(element.parentElement));
  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.data.trim()) continue;
    const parent = node.parentElement;
    if (parent.closest('style, title, desc, script') || hidden(parent)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const r of range.getClientRects())
      if (r.width > 0.5 && r.height > 0.5)
        boxes.push([r.left, r.top + scrollY, r.right, r.bottom + scrollY, node.data.trim()]);
  }
  return boxes;
}"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium."""
    assert CHROMIUM is not None
    with sync_playwright() as playwright:
        # in a container it runs as root, where its own sandbox does not work
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, address: str, size: tuple[int, int] = DESKTOP, offline: bool = False) -> Iterator[Page]:
    """A page; its errors, and any request that leaves this machine, are errors of the test."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, offline=offline)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(f"request failed: {request.url}"))
    page.goto(address)
    yield page
    page.close()
    assert wrong == [], wrong


def keep_screenshot(page: Page, name: str) -> None:
    """Keep the whole page as a picture."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def overlaps(page: Page, across: float = 4, down: float = 4) -> list[tuple[str, str]]:
    """The pairs of texts whose boxes lie over each other by more than so many pixels."""
    boxes = sorted(page.evaluate(_BOXES), key=lambda box: box[1])
    found, open_boxes = [], []
    for box in boxes:
        open_boxes = [other for other in open_boxes if other[3] - box[1] > down]
        found += [(other[4], box[4]) for other in open_boxes if _width_of_overlap(other, box) > across]
        open_boxes.append(box)
    return found


def _width_of_overlap(one: list[Any], other: list[Any]) -> float:
    return min(one[2], other[2]) - max(one[0], other[0])


def sideways(page: Page) -> int:
    """Pixels by which the page is wider than its window."""
    return page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")


def inaccessible(page: Page) -> list[str]:
    """What axe-core finds serious or critical: the rule and where."""
    violations = Axe().run(page, options={"preload": False}).response["violations"]  # it may fetch nothing from file://
    return [
        f"{one['id']}: {', '.join(str(node['target']) for node in one['nodes'][:5])}"
        for one in violations
        if one["impact"] in ("serious", "critical")
    ]
