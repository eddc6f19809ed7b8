"""docs/evidence.md: what speaks for the forecasts and what against, each with figure, date and command.

    python -m benchmarks.evidence            the page on stdout
    python -m benchmarks.evidence --write    docs/evidence.md

The figures are those that the benchmarks stored (`figures.py`) and those of docs/reference/validation.md; nothing is
measured here. A link to a row of the page, such as `[0.975](docs/evidence.md#forecasts)`, has to contain its figure:
tests/test_evidence.py.
"""

import argparse
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from string import Formatter
from textwrap import fill

from benchmarks.figures import AIMS, HOME, Measured, load, met

PAGE = HOME / "docs" / "evidence.md"
THEORY = HOME / "docs" / "reference" / "validation.md"

Figures = Mapping[str, Measured]


@dataclass(frozen=True)
class Row:
    """A line of the page: its anchor, what it is, and the figure, a text with names of figures in braces."""

    key: str
    what: str
    shows: str

    @property
    def names(self) -> list[str]:
        """The figures shown."""
        return [name for _, name, _, _ in Formatter().parse(self.shows) if name]

    def figure(self, figures: Figures) -> str:
        """The figure as it is printed, which links to this row have to contain."""
        return self.shows.format(**figures)

    @property
    def aim(self) -> str:
        """What was wanted; empty where nothing was."""
        return next((AIMS[name] for name in self.names if name in AIMS), "")

    def is_missed(self, figures: Figures) -> bool:
        """Whether any value of any figure is not as wanted."""
        return any(not met(value, AIMS[name]) for name in self.names if name in AIMS for value in figures[name].values)


@dataclass(frozen=True)
class Section:
    """A part of the page. Its first row is its headline: the anchor of that is the heading."""

    heading: str
    text: str
    rows: tuple[Row, ...]
    loses: str
    """Sentences as a list, beside the aims that are missed; may name figures in braces."""


SECTIONS = (
    Section(
        "Theory",
        """Small hospitals of which queueing theory, or the authors of a published model, know the answer, simulated
as any other hospital. All models and quantities: [validation.md](reference/validation.md).""",
        (
            Row(
                "theory",
                "simulated quantities within 3 standard errors of queueing theory",
                "{theory_within_3:.0f} of {theory_quantities:.0f}",
            ),
            Row("theory-farthest", "the farthest of them, in standard errors", "{theory_largest:.2f}"),
            Row(
                "theory-exact",
                "quantities with nothing random that are exact",
                "{theory_exact:.0f} of {theory_certain:.0f}",
            ),
            Row(
                "theory-published",
                "a critical care unit as others simulated it: the farthest, in standard errors of both",
                "{published_largest:.2f}",
            ),
        ),
        """- Each model has one or two rules. That all rules work together is known from the two engines only
  (below).
- Theory knows nothing of clocks, day factors and learned routes; these are tested by laws and by the synthetic
  truths of the census (below).""",
    ),
    Section(
        "Engines",
        """The beds are assigned by a compiled engine. A second one, in SimPy, is short enough to be read, and is
the specification. Both simulate random hospitals in which all rules meet, from the same random numbers; stays are
compared bit for bit, with limited and with unlimited beds. Then rules of the compiled engine are broken one at a
time, to see whether the comparison detects it.""",
        (
            Row(
                "engines",
                "random hospitals in which SimPy and the compiled engine give the same bits",
                "{hospitals_equal:,.0f} of {hospitals_compared:,.0f}",
            ),
            Row(
                "mutants",
                "broken rules that the random hospitals detect",
                "{mutants_detected:.0f} of {mutants:.0f}",
            ),
        ),
        """- Both engines use the same code to draw patients and to count: an error there is for theory and laws to
  find.
- Both were written in this project, from one specification. A rule that is not as in your hospital is equal in
  both.
- Only Linux on x86-64 with Python 3.11 was run. Later versions of Python and macOS are not tested.""",
    ),
    Section(
        "Forecasts",
        """{forecast_series:.0f} daily series of arrivals, 12 origins each, up to 28 days ahead, every method from
the same past. CRPS measures the whole distribution; below 1 the model is better than the other method. By family,
week and PIT: [forecast_validation.md](reference/forecast_validation.md).""",
        (
            Row("forecasts", "CRPS of days over that of AutoETS, all series", "{crps_over_autoets:.3f}"),
            Row("forecasts-worst", "the same, worst series", "{crps_over_autoets_worst:.3f}"),
            Row("forecasts-naive", "over seasonal naive", "{crps_over_seasonal_naive:.3f}"),
            Row("forecasts-mean", "over the mean of the weekday", "{crps_over_weekday_mean:.3f}"),
            Row("forecasts-glm", "over a calendar regression", "{crps_over_calendar_glm:.3f}"),
            Row("forecasts-arima", "over AutoARIMA", "{crps_over_autoarima:.3f}"),
            Row("forecasts-theta", "over AutoTheta", "{crps_over_autotheta:.3f}"),
            Row("forecasts-prophet", "over Prophet", "{crps_over_prophet:.3f}"),
            Row("forecasts-coverage", "coverage of 80 % intervals of days", "{coverage80_days:.2f}"),
            Row("forecasts-coverage-weeks", "coverage of 80 % intervals of 7-day sums", "{coverage80_weeks:.2f}"),
        ),
        """- In {forecast_lost:.0f} of {forecast_comparisons:.0f} comparisons of one series with one method the
  other is better: the calendar regression in {crps_over_calendar_glm_lost:.0f}, AutoETS in
  {crps_over_autoets_lost:.0f}, Prophet in {crps_over_prophet_lost:.0f}, AutoTheta in
  {crps_over_autotheta_lost:.0f}, AutoARIMA in {crps_over_autoarima_lost:.0f} of {forecast_series:.0f}. Where the
  weekday is all there is, the calendar regression is as good.
- All series but one are synthetic, and that one may be, too (below, Logs). The recipe was chosen
  on public series and synthetic ones, so none is an untouched test
  ([forecasting.md](explanation/forecasting.md#what-was-measured)).
- The intervals of 7-day sums were too wide. They have been made narrower since, on 2026-11-28; this benchmark was
  not run again.
- Forecasts reach 28 days, and 180 from 500 days of history on. Beyond 28 days no other method was compared.""",
    ),
    Section(
        "Census",
        """Back-tests of the whole chain on synthetic hospitals, whose truth is known: past origins, nothing known
later than each. By ward, hour and week, and what each hospital is:
[occupancy_validation.md](reference/occupancy_validation.md). Your own hospital has its own in `occupancy_scores`.""",
        (
            Row(
                "census",
                "coverage of 80 % intervals of the census of hospital_1's wards, weeks 1 to 4 ahead",
                "{census_coverage80:.2f}",
            ),
            Row("census-persistence", "CRPS over the census staying as it is", "{crps_over_persistence:.2f}"),
            Row("census-six-weeks", "CRPS over the weekday's last six censuses", "{crps_over_six_weeks:.2f}"),
            Row("census-weekday", "CRPS over the weekday's censuses of a year", "{crps_over_weekday:.2f}"),
            Row("clock", "error of the mean census by hour of the week, days 8 to 35, in beds", "{clock_rmse:.2f}"),
            Row("clock-shape", "the same without the error of the level, in beds", "{clock_rmse_of_shape:.2f}"),
            Row(
                "intraday",
                "coverage of 80 % intervals from 8:00, 12:00 and 18:00 until the next 8:00",
                "{intraday_cover80_min:.2f} to {intraday_cover80_max:.2f}",
            ),
            Row("intraday-8", "CRPS of the next 24 hours from 8:00 over the midnight run's", "{intraday_crps_8:.2f}"),
            Row("intraday-18", "the same from 18:00", "{intraday_crps_18:.2f}"),
            Row("discharges", "coverage of 80 % intervals of tomorrow's discharges", "{discharges_cover80:.2f}"),
            Row("arrivals", "coverage of 80 % intervals of tomorrow's arrivals", "{arrivals_cover80:.2f}"),
            Row(
                "waiting",
                "census of an ICU before a full ward, learned from its records, over the truth",
                "{icu_census_ratio:.3f} +- {icu_census_ratio_error:.3f}",
            ),
            Row(
                "routes",
                "census of an ICU whose routes are learned, over the truth",
                "{routes_icu_mean_ratio:.3f} +- {routes_icu_mean_ratio_error:.3f}",
            ),
            Row(
                "opening",
                "patients a day forecast for a service of 20 a day that opened 20 days ago",
                "{new_service_rate:.1f} +- {new_service_rate_error:.1f}",
            ),
        ),
        """- The level is the weak point: without its error the hours of the week are right within less than a bed.
- By ward and hour the coverage of 80 % intervals is lower for one ward of hospital_1, the surgical one
  ([Calibration on hospital_1](reference/occupancy_validation.md#calibration-on-hospital_1)).
- Learned routes err {routes_share_error_ratio:.2f} times as much as the twin supposes (right would be 1).
- The census is counted at full hours. What lies between two of them is not in the highest census of a day.""",
    ),
    Section(
        "Full",
        """The chance that a ward is full at some hour of a day, against what happened, on {brier_wards:.0f} wards
of synthetic histories that were full on {brier_full:.0%} of the days. Skill 0 is as good as the frequency of the
weekday in the year before, 1 is perfect. More:
[occupancy_validation.md](reference/occupancy_validation.md#the-chance-of-a-full-day).""",
        (
            Row("full", "Brier skill, days 1 to 3", "{brier_skill_1_3:.2f} +- {brier_skill_1_3_error:.2f}"),
            Row("full-later", "Brier skill, days 4 to 7", "{brier_skill_4_7:.2f} +- {brier_skill_4_7_error:.2f}"),
            Row(
                "full-reliable",
                "probability of such outcomes if the chances are right, days 1 to 3",
                "{brier_reliability_p_1_3:.2f}",
            ),
            Row("full-reliable-later", "the same, days 4 to 7", "{brier_reliability_p_4_7:.2f}"),
        ),
        """- For days 4 to 7 the skill is small, and the chances are barely consistent with what happened.
- On a single history of hospital_1 itself there was no skill for days 4 to 7 (table `full_scores` after `kaizar run
  hospital_1`). Look at that table for your own hospital before relying on chances beyond three days.
- Beyond 7 days chances of full days are not scored.""",
    ),
    Section(
        "Logs",
        """Public files that are not made by this project, read as any extract:

- the log of a sepsis pathway (`sepsis_log.csv`; Mannhardt 2016,
  doi:10.4121/uuid:915d2bfb-7e84-49ad-a286-dc35f063a460): 1,050 real cases of one Dutch hospital, with arrival and
  release; no wards;
- a short-stay unit (`ssu_2024.csv.gz`, the example of hillmaker): 59,877 timed visits of one unit, synthetic;
- daily arrivals of an emergency department (`monks_ed_ts.csv`; TomMonks/forecast-tools): 344 days of 2017. Our
  pages call it real; the code that publishes it calls it simulated.

They are not in this repository: benchmarks look for them in the folder that `--data` or `KAIZAR_TEST_DATA` names.""",
        (
            Row(
                "logs",
                "sepsis log: log-likelihood that the learned hours of release gain per unseen stay",
                "{sepsis_loglik_gain:.2f}",
            ),
            Row(
                "logs-short-stay",
                "short-stay unit: CRPS of the midnight census over the weekday's past censuses",
                "{ssu_crps_over_weekday:.3f}",
            ),
            Row(
                "logs-beds",
                'short-stay unit: share of days above the beds "for 9 days in 10", at full hours',
                "{ssu_days_above_enough:.2f}",
            ),
            Row(
                "logs-beds-working",
                "short-stay unit: share of working days above these beds, at full hours",
                "{ssu_weekdays_above_enough:.2f}",
            ),
            Row("logs-ed", "emergency department: CRPS of days over that of AutoETS", "{ed_crps_over_autoets:.3f}"),
        ),
        """- One real log, {sepsis_stays_judged:.0f} stays of it judged. No extract of a whole real hospital, with
  wards and transfers, has been run: nothing here tells how good the census of such a hospital would be forecast.
- Short-stay unit: at any moment, not at full hours, the beds are exceeded on {ssu_days_above_enough_any_moment:.0%}
  of the days, on working days {ssu_weekdays_above_enough_any_moment:.0%}.
- Emergency department: AutoETS, AutoTheta ({ed_crps_over_autotheta:.3f}) and Prophet ({ed_crps_over_prophet:.3f})
  are better.""",
    ),
    Section(
        "Draft",
        """A hospital's file as `kaizar draft` writes it ([draft.md](how_to/draft.md)), unedited, beside one written by
hand: CRPS of the midnight census over the same origins of the back-test, 12 at most; below 1 the draft is better.""",
        (
            Row(
                "draft", "shipped extract (hospital_2): CRPS over that of its own file", "{drafted_hospital_2_crps:.3f}"
            ),
            Row("draft-ward", "the same, worst ward", "{drafted_hospital_2_crps_worst:.3f}"),
            Row("draft-short-stay", "short-stay unit: CRPS over that of a file by hand", "{drafted_ssu_crps:.3f}"),
        ),
        """- Two extracts, and neither is that of a whole real hospital. The shipped one is synthetic, with one
  stay per patient.
- Only the census is compared. The proposed beds are a guess, and nothing here tells how good they are.""",
    ),
    Section(
        "Robustness",
        """Strange files are random files of the schema, damaged ones of the sample hospitals and scenarios, and
extracts with changed cells, rows and bytes: each is read, or refused in words, within seconds. Writing a table is
killed (SIGKILL) or interrupted before each call of the file system, and at random times: each table is then the old
one or the new one. The tests of bad input read hospital files, scenarios, extracts and stored tables, most of them
with one error each, and expect one message or one repair.""",
        (
            Row("robustness", "strange files that are read, or refused in words", "{files_survived:,.0f}"),
            Row("kills", "kills and interruptions that leave each table whole", "{ends_survived:.0f}"),
            Row("bad-input", "tests of bad input that pass", "{tests_of_bad_input:.0f}"),
        ),
        """- A full disk is imitated by a limit on file sizes. Loss of power was not tried.
- A file that is well formed and wrong is believed: patients missing from an extract look like days without
  patients. The checks of a run warn where the census or the arrivals jump, and no further.
- Hiding small numbers does not cover forecasts close to now, nor reports of different days
  ([report.md](how_to/report.md)).""",
    ),
    Section(
        "Speed",
        """Measured on a virtual machine with two cores (x86-64 with AVX-512, Python 3.11). Ratios are CPU times
taken in turn; seconds depend on the machine. What they consist of, and what was tried:
[benchmarks.md](reference/benchmarks.md).""",
        (
            Row("speed", "hospital_1, 1,000 replications of 28 days, s", "{hospital_1_seconds:.2f}"),
            Row("first-run", "first run of hospital_1, back-tests and report included, s", "{first_run_seconds:.0f}"),
            Row("simpy", "SimPy over compiled, same trajectories", "{simpy_over_compiled:.0f}"),
            Row("ciw", "Ciw on the nearest network over compiled", "{ciw_over_compiled:.0f}"),
            Row("ciw-draws", "Ciw over compiled with our draws", "{ciw_over_draw_and_simulate:.0f}"),
            Row("c", "compiled over the same algorithm in C", "{compiled_over_c:.2f}"),
            Row("fused", "draw, simulate and count over simulate alone", "{fused_over_simulate:.2f}"),
            Row("flows", "with flows over without", "{with_flows_over_without:.2f}"),
            Row("clocks", "with clocks and day factors over without", "{with_clocks_over_without:.2f}"),
            Row("threads", "one thread over two, wall", "{speedup_2_threads:.2f}"),
            Row("memory", "peak memory, 10,000 over 1,000 replications", "{memory_growth:.2f}"),
            Row("extract", "CSV of 10 million rows to daily arrivals, s", "{rows_1e7_seconds:.1f}"),
            Row("extract-memory", "CSV of 10 million rows to daily arrivals, GB at the peak", "{rows_1e7_gb:.1f}"),
            Row("report", "page of hospital_1, CPU seconds", "{hospital_1_seconds_page:.2f}"),
            Row("report-size", "page of hospital_1, KB", "{hospital_1_kilobytes_page:.0f}"),
        ),
        """- Compiling takes about a minute, once per installation.
- The ratios with flows and with clocks were measured on a busy machine. There the ratio of SimPy was higher than on the
  quiet one, that of C the same.
- Extracts of 10 million rows were measured on a machine some 1.6 times slower than the one that their aims are for.""",
    ),
)

_PAGE = """\
# Why to believe it, and where not

Made by `python -m benchmarks.evidence --write`; do not edit. Each figure was measured on the date beside it, and
the commands make it again. What was wanted was set by issues and tests of the project; **missed** is where it falls
short. Terms: [glossary.md](reference/glossary.md).

| | figure | | aims missed |
|---|---|---|---|
{summary}

Almost all of it is about synthetic hospitals: evidence about the method and the code, not about your hospital. For
that, see its own tables `occupancy_scores`, `full_scores`, `forecast_scores` and `forecast_log_scores`, and the
section on past forecasts of its [report](how_to/report.md). No hospital has used it yet as far as we know, and
nobody outside the project has reviewed it ([nhs_rap.md](reference/nhs_rap.md)). All figures as data:
[figures.json](reference/figures.json).

{sections}
"""

_SECTION = """\
## {heading}

{text}

| figure | measured | wanted | on |
|---|---|---|---|
{rows}

Make it again:

{commands}

Where it loses:

{loses}
"""


def all_figures() -> dict[str, Measured]:
    """What the benchmarks stored, what the page of theory shows, and spans over the weeks ahead."""
    figures = load() | theory(THEORY)
    weeks = ("coverage80", "crps_over_persistence", "crps_over_six_weeks", "crps_over_weekday")
    for name in weeks:
        of_weeks = [figures[f"{name}_week_{week}"] for week in range(1, 5)]
        values = tuple(value for week in of_weeks for value in week.values)
        figures["census_coverage80" if name == "coverage80" else name] = replace(of_weeks[0], values=values)
    return figures


def theory(path: Path) -> dict[str, Measured]:
    """The figures of docs/reference/validation.md, from the rows of its table."""
    page = path.read_text(encoding="utf-8")
    measured = re.search(r"Measured on ([\d-]+)\.", page)
    if measured is None:
        raise ValueError(f"{path}: no date, run: kaizar validate --write")
    cells = [line.split(" | ") for line in page.splitlines() if re.match(r"\|.*\| [-+]?[\d.]+ \|$", line)]
    rows = [(row[2], float(row[4]), abs(float(row[5].rstrip(" |")))) for row in cells]
    published = [z for known, error, z in rows if error and "±" in known]
    random = [z for known, error, z in rows if error and "±" not in known]
    certain = [z for _, error, z in rows if not error]
    found = {
        "theory_quantities": len(random),
        "theory_within_3": sum(z <= 3 for z in random),
        "theory_largest": max(random),
        "theory_certain": len(certain),
        "theory_exact": sum(z == 0 for z in certain),
        "published_largest": max(published),
    }
    return {name: Measured((value,), measured[1], "kaizar validate --write") for name, value in found.items()}


def shown(figures: Figures) -> dict[str, str]:
    """The figure of each anchor of the page."""
    return {row.key: row.figure(figures) for section in SECTIONS for row in section.rows}


def evidence_page(figures: Figures) -> str:
    """The page as Markdown."""
    return _PAGE.format(
        summary="\n".join(_summary(section, figures) for section in SECTIONS),
        sections="\n".join(_section(section, figures) for section in SECTIONS).rstrip("\n"),
    )


def _summary(section: Section, figures: Figures) -> str:
    first, missed = section.rows[0], sum(row.is_missed(figures) for row in section.rows)
    wanted = sum(bool(row.aim) for row in section.rows)
    cells = (f"[{section.heading}](#{first.key})", first.figure(figures), first.what)
    return f"| {' | '.join(cells)} | {f'{missed} of {wanted}' if wanted else ''} |"


def _section(section: Section, figures: Figures) -> str:
    names = [name for row in section.rows for name in row.names]
    commands = dict.fromkeys(figures[name].command for name in names)
    missed = [
        f"- {row.what}: {row.figure(figures)}, wanted {row.aim}." for row in section.rows if row.is_missed(figures)
    ]
    return _SECTION.format(
        heading=section.heading,
        text=_wrapped(section.text.format(**figures)),
        rows="\n".join(_rows(section, figures)),
        commands="\n".join(f"    {command}" for command in commands),
        loses=_wrapped("\n".join([*missed, section.loses.format(**figures)])),
    )


def _wrapped(text: str) -> str:
    """Paragraphs and items of lists in lines of 120 characters."""
    pieces = re.split(r"(\n\n|\n(?=- ))", text)
    return "".join(
        fill(" ".join(piece.split()), 120, subsequent_indent="  " * piece.startswith("- "), break_on_hyphens=False)
        if piece.strip()
        else piece
        for piece in pieces
    )


def _rows(section: Section, figures: Figures) -> Iterator[str]:
    for row in section.rows:
        anchor = "" if row is section.rows[0] else f'<a id="{row.key}"></a>'
        wanted = f"{row.aim}, **missed**" if row.is_missed(figures) else row.aim
        dates = " and ".join(sorted({figures[name].date for name in row.names}))
        yield f"| {anchor}{row.what} | {row.figure(figures)} | {wanted} | {dates} |"


def main() -> None:
    """Make the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(HOME)}")
    page = evidence_page(all_figures())
    if parser.parse_args().write:
        PAGE.write_text(page, encoding="utf-8")
    else:
        print(page)


if __name__ == "__main__":
    main()
