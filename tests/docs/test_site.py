"""The documentation holds together: links, anchors, navigation and pictures; and the site that is built of it loads
nothing from elsewhere."""

import importlib.util
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from docs_site import ROOT_PAGES, anchors, build_site, lead, links, pictures, snippets, without_code

from kaizar_pipeline.command.app import app
from kaizar_pipeline.command.project_files import generated_files

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
OF_SITE = sorted(DOCS.rglob("*.md"))
PAGES = [*(REPOSITORY / name for name in ROOT_PAGES), *OF_SITE]
PICTURES = sorted((DOCS / "pictures").iterdir())


def named(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_to_pages_and_anchors(page: Path):
    wrong = []
    for link in links(page):
        file, anchor = lead(page, link)
        if not file.exists() or (anchor and anchor not in anchors(file, REPOSITORY)):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_references_have_an_address(page: Path):
    text = without_code(snippets(page.read_text(encoding="utf-8"), REPOSITORY))
    used = set(re.findall(r"\]\[([\w-]+)\]", text))
    assert used == set(re.findall(r"^\[([\w-]+)\]: \S+$", text, re.MULTILINE))


@pytest.mark.parametrize("page", OF_SITE, ids=named)
def test_pages_of_the_site_link_to_pages_of_the_site(page: Path):
    assert [link for link in links(page) if DOCS not in lead(page, link)[0].parents] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_pictures_exist_and_are_described(page: Path):
    shown = pictures(page)
    assert [address for _, address in shown if not (page.parent / address).is_file()] == []
    assert [address for text, address in shown if len(text) < 20] == []


def test_every_picture_is_shown_and_they_are_small():
    shown = {(page.parent / address).resolve() for page in PAGES for _, address in pictures(page)}
    assert [named(path) for path in PICTURES if path not in shown] == []
    sizes = {named(path): path.stat().st_size for path in PICTURES}
    assert max(sizes.values()) < 250_000
    assert sum(sizes.values()) < 1_500_000


@pytest.mark.parametrize("picture", [path for path in PICTURES if path.suffix == ".svg"], ids=named)
def test_drawings_load_nothing_from_elsewhere(picture: Path):
    addresses = re.findall(r"https?://[^\s\"'<)]+", picture.read_text(encoding="utf-8"))
    assert {address.split("/")[2] for address in addresses} <= {"www.w3.org", "www.textualize.io"}
    assert not re.search(r"url\((?!#)|@import|<image|xlink:href", picture.read_text(encoding="utf-8"))


def test_the_graph_shows_the_steps_as_they_are():
    found = importlib.util.spec_from_file_location("graph_picture", DOCS / "graph_picture.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    assert (DOCS / "pictures" / "graph.svg").read_text(encoding="utf-8") == module.graph_svg(), "run: make pictures"


def nav_pages(part: Any) -> list[str]:
    if isinstance(part, str):
        return [part]
    return [page for one in (part.values() if isinstance(part, dict) else part) for page in nav_pages(one)]


def test_every_page_is_in_the_navigation_once():
    settings = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(nav_pages(settings["nav"])) == sorted(page.relative_to(DOCS).as_posix() for page in OF_SITE)
    assert [next(iter(shelf)) for shelf in settings["nav"]][2:6] == ["Tutorials", "How-to", "Reference", "Explanation"]


def test_every_page_is_two_clicks_from_the_index():
    reached, new = {DOCS / "index.md"}, {DOCS / "index.md"}
    for _ in range(2):
        new = {lead(page, link)[0] for page in new for link in links(page) if lead(page, link)[0].suffix == ".md"}
        reached |= new
    assert [named(page) for page in OF_SITE if page not in reached] == []


def test_every_sample_hospital_is_shown():
    page = (DOCS / "reference" / "sample_hospitals.md").read_text(encoding="utf-8")
    files = [named(path) for path in (REPOSITORY / "hospital_configs").rglob("*.yml")]
    assert [file for file in files if f'--8<-- "{file}"' not in page] == []


@pytest.mark.parametrize("name", list(generated_files([])))
def test_generated_files_are_current(name: str):
    made = generated_files(command.callback for command in app.registered_commands if command.callback)
    assert (REPOSITORY / name).read_text(encoding="utf-8") == made[name], "run: kaizar schema --write"


def test_every_environment_variable_has_its_row():
    page = (DOCS / "reference" / "environment.md").read_text(encoding="utf-8")
    sources = [path for folder in ("kaizar_pipeline", "tests") for path in (REPOSITORY / folder).rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    used = set(re.findall(r"[\"'](KAIZAR_[A-Z_]+)[\"']", text))
    assert used == set(re.findall(r"KAIZAR_[A-Z_]+", page))


def test_the_readme_is_read_in_a_minute():
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) < 120


@pytest.mark.skipif(importlib.util.find_spec("zensical") is None, reason="zensical is not installed")
def test_the_site_is_built_without_warnings_and_loads_nothing_from_elsewhere(tmp_path: Path):
    site = build_site(REPOSITORY, tmp_path)
    pages = list(site.rglob("*.html"))
    assert len(pages) == len(OF_SITE) + 1  # 404.html
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert re.findall(r"<(?!a )\w+[^>]*(?:src|href)=\"?(?:https?:)?//", text) == [], os.fspath(page)
