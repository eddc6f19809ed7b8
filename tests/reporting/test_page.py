"""The page as it is read: complete, in order, escaped, without a number that is in no table."""

import re
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from tiny_report import AS_OF, tiny_report
from told_wards import Told, told_cells
from traced import problems, read_page

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.reporting.facts import Facts
from kaizar_pipeline.reporting.numbers import CONSTANTS, SUPPRESSED, Cells, Hour, Sentence
from kaizar_pipeline.reporting.page import (
    IN_FULL,
    Entry,
    css_text,
    overview_entry,
    overview_page,
    report_page,
    ward_pages,
)
from kaizar_pipeline.reporting.words import Name
from kaizar_pipeline.tables import HOSPITAL_TOTAL, PLANNER_REPORT, TABLES

pytestmark = pytest.mark.integration

FACTS = Facts("tiny", "0123abcd-0000", "2222cee6aa", 42, 10, {"kaizar-pipeline": "0.1.0"}, 12.3)
HEADINGS = [
    "Verdict by ward, worst first",
    "Bed meeting",
    "Chance of being full at some hour of the day, %",
    "Ward by ward",
    "What would help",
    "What changed since the last run",
    "How good it was",
    "Data and assumptions",
    "Words",
]


class Ids(HTMLParser):
    def __init__(self, html: str):
        super().__init__()
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.links += [given[name] or "" for name in ("href", "src") if name in given]


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html.partition("<main>")[2]).split())


def tiny(hidden: frozenset = frozenset()) -> tuple[Cells, HospitalConfig, Mapping[str, pd.DataFrame]]:
    config, tables = tiny_report()
    return Cells(tables, TABLES, hidden), config, tables


@pytest.fixture(scope="module")
def page() -> str:
    cells, config, _ = tiny()
    return report_page(cells, config, FACTS, spreadsheet="beds.xlsx", overview="../index.html")


def test_every_number_is_that_of_its_cell(page: str):
    cells, config, tables = tiny()
    names = [ward.label for ward in config.wards]
    assert problems(page, tables, TABLES, CONSTANTS, names) == []
    assert problems(ward_pages(cells, config, FACTS, ["ward"])["ward"], tables, TABLES, CONSTANTS, names) == []
    entry = overview_entry(cells, config, FACTS, "tiny/latest.html")
    assert problems(overview_page([entry]), tables, TABLES, CONSTANTS, names) == []
    assert len(read_page(page).numbers) > 150


def test_the_sections_are_in_the_order_of_a_bed_meeting(page: str):
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", page) == HEADINGS


def test_it_is_one_file_without_scripts_or_network(page: str):
    seen = Ids(page)
    assert len(seen.ids) == len(set(seen.ids))
    assert not {"script", "link", "img", "iframe"} & seen.tags
    assert set(seen.links) == {"beds.xlsx", "../index.html"}
    assert "@import" not in page
    assert "url(" not in page


def test_names_out_of_the_file_are_escaped_and_keep_their_direction(page: str):
    assert "<b>Zoë" not in page
    assert "<bdi>=HYPERLINK(&#34;x&#34;) &lt;b&gt;Zoë &amp; Söhne&lt;/b&gt; بيت</bdi>" in page
    assert "<bdi>@Müller &#34;Süd&#34; &lt;&amp;&gt;</bdi>" in page


def test_a_footer_in_the_style_sheet_cannot_end_it():
    assert str(css_text('a "b" \\ </style> é')) == '"a \\22 b\\22  \\5c  \\3c \\2f style\\3e  \\e9 "'


def test_what_is_hidden_is_a_star_everywhere():
    hidden = frozenset(
        ("bed_meeting", column, ("ed", w))
        for column in ("in_beds", "free_now")
        for w in ("next_24_hours", "until_next_snapshot")
    )
    cells, config, _ = tiny(hidden)
    shown = [
        text
        for source, text in read_page(report_page(cells, config, FACTS)).numbers
        if source.startswith("bed_meeting.in_beds/ed/")
    ]
    assert len(shown) > 1
    assert set(shown) == {SUPPRESSED}


def test_without_any_table_it_says_so_and_shows_no_number_but_those_of_the_method():
    _, config, _ = tiny()
    empty = report_page(Cells({}, TABLES), config, FACTS)
    assert {source.partition("/")[0] for source, _ in read_page(empty).numbers} == {"constant"}
    assert problems(empty, {}, TABLES, CONSTANTS) == []
    for words in (
        "Nothing has been simulated yet",
        "No forecast has been compared",
        "There is no earlier run",
        "Neither extra beds",
    ):
        assert words in empty


@pytest.mark.parametrize(
    "missing",
    ["occupancy_scores", "bed_meeting", "ward_days", "level_risk", "bed_requirements", "ward_flows", "patients"],
)
def test_without_one_table_the_rest_is_shown(missing: str):
    _, config, tables = tiny()
    rest = {name: frame for name, frame in tables.items() if name != missing}
    assert problems(report_page(Cells(rest, TABLES), config, FACTS), rest, TABLES, CONSTANTS) == []


def test_failed_checks_old_data_and_warnings_come_first():
    _, config, tables = tiny()
    days_ago = {"patients": ["arrival", "departure"], "ward_stays": ["request", "admit", "ready", "depart"]}
    old = {
        name: tables[name].assign(**{c: tables[name][c] - pd.Timedelta(days=3) for c in columns})
        for name, columns in days_ago.items()
    }
    checks = pd.DataFrame(
        [
            ("patients", "up_to_date", False, False, "3 days behind <now>"),
            ("ward_stays", "flow_conservation", True, False, "2 lost"),
            ("routes", "as_configured", False, True, ""),
        ],
        columns=["table", "name", "blocking", "passed", "message"],
    )
    facts = replace(FACTS, checks=checks, warnings=("tiny.yml, line 3: <odd>",))
    html = report_page(Cells({**tables, **old}, TABLES), config, facts)
    banner = text_of(html).partition("of 7 days")[0]
    assert "Old data. The newest record is of" in banner
    assert banner.index("Error, check flow conservation. 2 lost") < banner.index(
        "Warning, check up to date. 3 days behind &lt;now&gt;"
    )
    assert "Warning, settings. tiny.yml, line 3: &lt;odd&gt;" in banner
    assert "as configured" not in banner


def test_a_page_without_anything_wrong_has_no_banner(page: str):
    assert "class=banner" not in page


@pytest.mark.parametrize("wards", [1, IN_FULL, IN_FULL + 1, 40])
def test_more_wards_than_figures_have_a_line_and_a_page_each(wards: int):
    told = {f"w{number}": Told((0.4,)) for number in range(wards)}
    cells, config = told_cells(told, Told((0.1,), 10 * wards, 5 * wards))
    html = report_page(cells, config, FACTS)
    pages = ward_pages(cells, config, FACTS)
    assert len(pages) == max(wards - IN_FULL, 0)
    assert [link for link in Ids(html).links if link.startswith("wards/")] == [f"wards/{ward}.html" for ward in pages]
    assert html.count('<h3 id="ward-') == min(wards, IN_FULL) + (wards > 1)
    assert (f"ward-{HOSPITAL_TOTAL}" in html) == (wards > 1)
    assert ("aria-labelledby=t class=keep" in html) == (wards < 40)  # a long table begins on the first sheet
    assert problems(html, cells.frames, TABLES, CONSTANTS) == []


def test_the_overview_has_a_line_for_each_hospital_even_without_a_report():
    cells, config, _ = tiny()
    entries = [
        overview_entry(cells, config, FACTS, "tiny/latest.html"),
        Entry("x", Name("Broken <x>"), "", None, problem="no table ward_days"),
    ]
    html = overview_page(entries)
    assert Ids(html).links == ["tiny/latest.html"]
    said = text_of(html)
    assert "Broken &lt;x&gt; no table ward_days" in said
    assert f"{AS_OF:%a} {AS_OF.day}" in said
    assert "No hospital has a report yet." in overview_page([])


@pytest.mark.parametrize(("days", "is_old"), [(0, False), (3, True)])
def test_the_overview_tells_old_data_by_the_report_that_was_made(days: int, is_old: bool):
    cells, config, _ = tiny()
    newest = AS_OF - pd.Timedelta(days=days, hours=1)
    report = pd.DataFrame({"place": [1], "ward_id": [None], "sentence": ["All is well."], "newest_record": [newest]})
    frames = {name: cells.frames[name] for name in ("ward_outlook", "ward_days", "bed_meeting", "ward_now")}
    seen = Cells({**frames, "planner_report": PLANNER_REPORT.frame(report, hospital_id="tiny", as_of=AS_OF)}, TABLES)
    said = text_of(overview_page([overview_entry(seen, config, FACTS, "tiny/latest.html")]))
    assert ("old data: records to" in said) == is_old


@pytest.mark.parametrize(("days", "is_behind"), [(0, False), (1, False), (2, True), (28, True)])
def test_the_overview_tells_a_snapshot_that_is_older_than_others(days: int, is_behind: bool):
    nothing = Sentence("All is well")
    ats = {"new": AS_OF, "old": AS_OF - pd.Timedelta(days=days)}
    entries = [Entry(name, Name(name), f"{name}/latest.html", nothing, at=Hour(at)) for name, at in ats.items()]
    lines = overview_page(entries).split("<tr>")
    assert [("older than others" in line) for line in lines if "latest.html" in line] == [False, is_behind]
