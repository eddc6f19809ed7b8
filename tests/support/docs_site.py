"""The documentation as Markdown (its links, anchors and pictures) and as the site that `make docs` builds."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

ROOT_PAGES = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md")
SOURCES = ("mkdocs.yml", *ROOT_PAGES)

_LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", re.MULTILINE)
_PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    """Markdown without blocks of code and without `code`."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


def links(page: Path) -> list[str]:
    """The addresses of a page's links, those of its references included; not those to other sites."""
    found = _LINK.findall(without_code(page.read_text(encoding="utf-8")))
    return [inside or below for inside, below in found if not urlsplit(inside or below).scheme]


def pictures(page: Path) -> list[tuple[str, str]]:
    """Alternative text and address of each picture of a page."""
    return _PICTURE.findall(without_code(page.read_text(encoding="utf-8")))


def snippets(text: str, repository: Path) -> str:
    """Markdown with the parts of other files that it takes in."""

    def part(found: re.Match[str]) -> str:
        name, _, section = found[1].partition(":")
        whole = (repository / name).read_text(encoding="utf-8")
        return whole.split(f"[start:{section}] -->")[1].split("<!-- --8<-- [end")[0] if section else whole

    return re.sub(r'^--8<-- "(.+)"$', part, text, flags=re.MULTILINE)


def anchors(page: Path, repository: Path) -> set[str]:
    """What `#` can follow the page's address: its headings, as they are named by the builder, and ids of its own."""
    text = snippets(page.read_text(encoding="utf-8"), repository)
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    found, seen = set(re.findall(r'id="([^"]+)"', text)), Counter[str]()
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        name = re.sub(r"[^\w\s-]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)).strip().lower()
        name = re.sub(r"[-\s]+", "-", name)
        found.add(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def lead(page: Path, link: str) -> tuple[Path, str]:
    """The file and the anchor that a link leads to."""
    parts = urlsplit(link)
    return ((page.parent / parts.path).resolve() if parts.path else page), parts.fragment


def build_site(repository: Path, folder: Path) -> Path:
    """Builds the site from a copy of its sources in `folder`; a warning is an error."""
    for name in SOURCES:
        shutil.copyfile(repository / name, folder / name)
    for name in ("docs", "hospital_configs"):
        shutil.copytree(repository / name, folder / name)
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"
