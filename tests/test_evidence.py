"""No figure of trust is typed twice: pages are made of stored figures, and links to docs/evidence.md contain theirs."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
import yaml

from benchmarks.evidence import SECTIONS, Row, all_figures, evidence_page, shown, theory
from benchmarks.figures import AIMS, Measured, keep, load, met
from benchmarks.occupancy import SECTIONS as OCCUPANCY
from benchmarks.occupancy import section_text

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "notebooks/*.py")
    for path in REPOSITORY.glob(pattern)
)
LINK = re.compile(r"\[([^\]]*)\]\([^)\s]*evidence\.md#([\w-]+)\)")


def inline(text: str) -> str:
    """Markdown with the addresses of references in their links."""
    references = dict(re.findall(r"^\[([\w-]+)\]: (\S+)$", text, re.MULTILINE))
    return re.sub(r"\]\[([\w-]+)\]", lambda found: f"]({references.get(found[1], found[1])})", text)


def wrong_links(text: str, figures: Mapping[str, str]) -> list[str]:
    """Links to a row of the evidence that do not contain its figure."""
    return [
        f"[{words}] links to #{key}, whose figure is {figures.get(key)}"
        for words, key in LINK.findall(inline(text))
        if key not in figures
        or not re.search(rf"(?<![\d.]){re.escape(figures[key])}(?![\d]|\.\d)", " ".join(words.split()))
    ]


@pytest.fixture(scope="module")
def figures() -> dict[str, Measured]:
    return all_figures()


def test_the_page_is_made_of_the_stored_figures(figures: dict[str, Measured]):
    page = (REPOSITORY / "docs" / "evidence.md").read_text(encoding="utf-8")
    assert page == evidence_page(figures), "run: python -m benchmarks.evidence --write"


@pytest.mark.parametrize("page", PAGES)
def test_a_link_to_the_evidence_contains_its_figure(figures: dict[str, Measured], page: str):
    assert wrong_links((REPOSITORY / page).read_text(encoding="utf-8"), shown(figures)) == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("CRPS is [0.975 of AutoETS's](docs/evidence.md#forecasts), census [0.77 to\n0.82](../evidence.md#census).", 0),
        ("CRPS is [0.976 of AutoETS's](docs/evidence.md#forecasts).", 1),
        ("CRPS is [0.976 of AutoETS's][crps].\n\n[crps]: docs/evidence.md#forecasts\n", 1),
        ("[10.975](docs/evidence.md#forecasts), [0.9751](docs/evidence.md#forecasts), [0.975](evidence.md#speed)", 3),
        ("The [evidence](docs/evidence.md), without a figure; [0.46](docs/other.md#forecasts).", 0),
    ],
)
def test_a_figure_that_is_not_the_measured_one_is_found(text: str, wrong: int):
    assert len(wrong_links(text, {"forecasts": "0.975", "census": "0.77 to 0.82"})) == wrong


def test_every_anchor_is_there_once():
    keys = [row.key for section in SECTIONS for row in section.rows]
    assert len(keys) == len(set(keys))
    assert [section.heading.lower() for section in SECTIONS] == [section.rows[0].key for section in SECTIONS]


@pytest.mark.parametrize("name", OCCUPANCY)
def test_the_page_of_the_census_is_made_of_the_stored_figures(name: str):
    page = (REPOSITORY / "docs" / "reference" / "occupancy_validation.md").read_text(encoding="utf-8")
    heading = OCCUPANCY[name].heading
    assert f"\n## {heading}\n\n{section_text(name, load())}\n" in page, f"python -m benchmarks.occupancy --only {name}"


def test_the_calibration_and_the_page_of_arrivals_show_the_stored_figures():
    stored = load()
    folder = REPOSITORY / "docs" / "reference"
    census = (folder / "occupancy_validation.md").read_text(encoding="utf-8")
    baselines = ("persistence", "yesterday", "six_weeks", "weekday")
    for week in range(5):
        coverage = [f"{stored[f'coverage{level}_week_{week}']:.3f}" for level in (50, 80, 95)]
        dates = f"{stored[f'effective_ward_dates_week_{week}']:.0f}"
        ratios = [f"{stored[f'crps_over_{name}_week_{week}']:.2f}" for name in baselines]
        assert f"\n| {' | '.join([str(week), *coverage, dates, *ratios])} |\n" in census
    arrivals = (folder / "forecast_validation.md").read_text(encoding="utf-8")
    methods = ("calendar_glm", "seasonal_naive", "weekday_mean", "autoarima", "autoets", "autotheta", "prophet")
    for row, key in (
        ("**all series**", "crps_over_{}"),
        ("**worst series**", "crps_over_{}_worst"),
        ("real emergency dept.", "ed_crps_over_{}"),
    ):
        cells = [f"{stored[key.format(name)]:.3f}" for name in methods]
        assert f"\n| {' | '.join([row, *cells])} |\n" in arrivals
    assert f"In {stored['forecast_lost']:.0f} of {stored['forecast_comparisons']:.0f} comparisons" in arrivals
    assert stored["forecast_lost"].values[0] == sum(stored[f"crps_over_{name}_lost"].values[0] for name in methods)
    for page in (census, arrivals):
        assert "Measured on 20" in page


def test_theory_is_read_from_the_rows_of_its_page(tmp_path: Path):
    page = tmp_path / "validation.md"
    page.write_text(
        "Measured on 2026-01-02.\n"
        "| model | quantity | theory | simulated | standard error | z |\n|---|---|---:|---:|---:|---:|\n"
        "| Erlang B | share lost | 0.1 | 0.2 | 0.01 | -3.50 |\n|  | mean census | 3.2 | 3.2 | 0.002 | +1.26 |\n"
        "| Published | cancelled | 347.53 ± 7.15 | 345.7 | 2.6 | -0.24 |\n| By hand | first | 1 | 1 | 0 | 0 |\n"
    )
    found = {name: figure.values for name, figure in theory(page).items()}
    assert found == {
        "theory_quantities": (2,),
        "theory_within_3": (1,),
        "theory_largest": (3.5,),
        "theory_certain": (1,),
        "theory_exact": (1,),
        "published_largest": (0.24,),
    }


@pytest.mark.parametrize(
    ("value", "aim", "is_met"),
    [
        (2.0, "at most 2", True),
        (2.1, "at most 2", False),
        (2.0, "at least 2", True),
        (1.9, "at least 2", False),
        (0.75, "0.75 to 0.87", True),
        (0.74, "0.75 to 0.87", False),
        (0.88, "0.75 to 0.87", False),
    ],
)
def test_an_aim_is_met_or_missed(value: float, aim: str, is_met: bool):
    assert met(value, aim) is is_met


def test_an_aim_of_another_form_is_refused():
    assert all(met(0, aim) in (True, False) for aim in AIMS.values())
    with pytest.raises(ValueError, match="found 'about 2', allowed: at most 2"):
        met(2, "about 2")


def test_a_row_is_missed_where_one_of_several_runs_is(figures: dict[str, Measured]):
    row = Row("fused", "draw, simulate and count", "{fused_over_simulate:.2f}")
    assert row.aim == "at most 2.2"
    for values, printed, missed in (((2.1, 2.2), "2.10 to 2.20", False), ((2.2, 2.35, 2.2), "2.20 to 2.35", True)):
        several = figures | {"fused_over_simulate": Measured(values, "2026-01-02", "")}
        assert (row.figure(several), row.is_missed(several)) == (printed, missed)


def test_a_measurement_takes_the_place_of_the_former_one(tmp_path: Path):
    store = tmp_path / "figures.json"
    keep({"b": 1.23456, "a": 2}, "first", store)
    keep({"b": 3.0, "c": None}, "second", store)
    today = date.today().isoformat()
    assert load(store) == {"a": Measured((2,), today, "first"), "b": Measured((3.0,), today, "second")}
    assert store.read_text().startswith('{\n"a": ')


def test_the_citation_names_the_package():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["authors"] == [{"name": "Kaizar Pipeline developers"}]
    assert f'version = "{citation["version"]}"' in project
    assert f'license = "{citation["license"]}"' in project
