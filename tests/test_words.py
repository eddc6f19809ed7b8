"""One word per concept (docs/reference/glossary.md): what prose avoids, and says instead."""

import re
import tokenize
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

REPOSITORY = Path(__file__).parents[1]
FILES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "hospital_configs/**/*.yml", "kaizar_pipeline/**/*.py", "notebooks/*.py")
    for path in REPOSITORY.glob(pattern)
)

NOUNS = "date|day|midnight|folder|file|key|hospital|number|percentage|column|identifier|timestamp"
INSTEAD = {
    r"mornings?": "origin, run, day",
    r"(wants?|wanted|said) otherwise": "override",
    r"(a|one|each|every|same|random|other|different) future|futures": "replication",
    r"what (came|is said|they said)|that came|have come|(would have|really|was|been) said": "forecast, observed",
    rf"is no ({NOUNS})": "is not a",
    r"(stands?|stood|said|says|comes|named) twice": "appears twice",
    r"made[- ]up": "synthetic",
    r"faults?|complaints?|notices?": "error, warning",
    r"room": "buffer, capacity",
    r"drawn towards?": "shrunk",
    r"drawn (afresh|anew|fresh|elsewhere)": "redrawn",
    r"(a|each|every|the|this|whole) house": "hospital",
    r"wanders?|wandering": "drift, random walk",
}
"""Regular expressions of discouraged words, in which a space is any white space, and what to say."""

RIGHT = r"there is no|(emergency|operating|waiting) rooms?"
"""Where such words are right."""


def pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b({words})\b".replace(" ", r"\s+"), re.IGNORECASE)


def blank(passage: re.Match[str]) -> str:
    return re.sub(r"\S", "_", passage[0])


def discouraged(text: str) -> Iterator[tuple[int, str, str]]:
    """Offset, passage and what to say of each discouraged passage; `code` is not prose."""
    text = re.sub(r"```.*?```|`[^`]*`", blank, text, flags=re.DOTALL)
    text = pattern(RIGHT).sub(blank, text)
    for words, instead in INSTEAD.items():
        for found in pattern(words).finditer(text):
            yield found.start(), " ".join(found[0].split()), instead


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """The prose of a file in pieces, with their first lines: strings and comments of Python, other files whole."""
    if path.suffix != ".py":
        yield 1, path.read_text(encoding="utf-8")
        return
    with tokenize.open(path) as source:
        for token in tokenize.generate_tokens(source.readline):
            kind = tokenize.tok_name[token.type]
            if kind in ("COMMENT", "FSTRING_MIDDLE"):
                yield token.start[0], token.string
            elif kind == "STRING":
                formatted = "f" in token.string[: token.string.index(token.string[-1])].lower()
                yield token.start[0], re.sub(r"\{[^{}]*\}", blank, token.string) if formatted else token.string


@pytest.mark.parametrize("file", FILES)
def test_prose_has_one_word_per_concept(file: str):
    assert [
        f"{file}:{first + text.count(chr(10), 0, offset)}: {passage!r}, say: {instead}"
        for first, text in prose(REPOSITORY / file)
        for offset, passage, instead in discouraged(text)
    ] == []


@pytest.mark.parametrize(
    ("text", "passages"),
    [
        ("The morning of the\nforecast, and other\nfuture days.", ["morning", "other future"]),
        ("'x' is no date; there is no date", ["is no date"]),
        ("A waiting room, the emergency room, and room for results.", ["room"]),
        ("`notices` is a name, a notice is prose", ["notice"]),
        ("The origin, in other replications, is not a date and appears twice in a hospital.", []),
    ],
)
def test_only_the_discouraged_sense_is_found(text: str, passages: list[str]):
    assert [passage for _, passage, _ in discouraged(text)] == passages


@pytest.fixture
def glossary() -> list[tuple[str, str]]:
    page = (REPOSITORY / "docs" / "reference" / "glossary.md").read_text(encoding="utf-8")
    return re.findall(r"^- \*\*(.+?)\*\*: (.+?)(?=^- |\Z)", page, re.MULTILINE | re.DOTALL)


def test_the_glossary_is_in_order_with_each_term_once(glossary: list[tuple[str, str]]):
    assert len(glossary) > 50
    for (term, _), (following, _) in pairwise(glossary):
        assert term.lower() < following.lower()


def test_every_term_of_the_glossary_is_explained_in_a_few_sentences(glossary: list[tuple[str, str]]):
    for term, text in glossary:
        assert 1 <= len(re.findall(r"[.?!](?=\s|$)", text)) <= 3, term


def test_readme_and_pages_link_to_the_glossary():
    pages = ("README.md", "docs/explanation/planning.md", "docs/how_to/scenarios.md", "docs/explanation/simulation.md")
    assert [page for page in pages if "glossary.md)" not in (REPOSITORY / page).read_text(encoding="utf-8")] == []
