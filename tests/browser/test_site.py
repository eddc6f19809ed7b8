"""The documentation in a browser, from a folder and without a network: search, and width on a phone."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import DESKTOP, PHONE, inaccessible, keep_screenshot, opened, sideways
from docs_site import build_site
from playwright.sync_api import Browser, Page, expect

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(importlib.util.find_spec("zensical") is None, reason="zensical is not installed"),
]


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(Path(__file__).parents[2], tmp_path_factory.mktemp("site"))


@pytest.fixture
def index(browser: Browser, site: Path) -> Iterator[Page]:
    with opened(browser, (site / "index.html").as_uri(), offline=True) as page:
        yield page


def test_search_finds_a_page_without_a_server_and_a_network(index: Page):
    index.keyboard.press("/")
    index.keyboard.type("boarding", delay=20)
    first = index.get_by_role("option", name="Boarding: hold or release")
    expect(first).to_be_visible()
    keep_screenshot(index, "site_search")
    first.click()
    expect(index.get_by_role("heading", name="Boarding: hold or release")).to_be_visible()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("name", ["index", "tutorials/own_extract", "reference/library"])
def test_pages_fit_their_window_and_are_accessible(browser: Browser, site: Path, name: str, size: tuple[int, int]):
    with opened(browser, (site / f"{name}.html").as_uri(), size, offline=True) as page:
        assert sideways(page) <= 0
        keep_screenshot(page, f"site_{name.replace('/', '_')}_{size[0]}")
        assert inaccessible(page) == []
