"""The report of one hospital as one HTML file: no script, no network, every number traced to its cell.

`report_page` is the whole report, `ward_pages` those of wards for which it has one line, `overview_page` the list of
hospitals. They take tables, config and facts, and give text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.planning.bed_meeting import NEXT_DAY
from kaizar_pipeline.reporting import figures
from kaizar_pipeline.reporting.assumptions import STALE, as_of, assumptions, glossary, is_stale, last_record
from kaizar_pipeline.reporting.bed_table import BedTable
from kaizar_pipeline.reporting.changes import allocation, changes
from kaizar_pipeline.reporting.facts import Facts
from kaizar_pipeline.reporting.numbers import Cells, Day, Hour, Sentence, constant, count, percent
from kaizar_pipeline.reporting.record import losses, trust
from kaizar_pipeline.reporting.sentences import STATES, Outlook, headline, hospital_sentence, ranked
from kaizar_pipeline.reporting.words import Code, Name, Quote, labels, scenario_label, whole
from kaizar_pipeline.tables import HOSPITAL_TOTAL

SENTENCES, IN_FULL = 6, 8
"""Wards that the verdict has a paragraph for, and wards with figures, at most; others have a line."""

HOSPITAL_FIGURES = ("fan", "risk")
"""Figures of the whole hospital; the others say little of it."""

WARD_FIGURES = {
    "fan": ("Highest number in bed, day by day", "Nothing is simulated to show."),
    "flows": ("In and out, day by day", "No flows are known to show."),
    "week": ("The usual week", "There is no whole week to show."),
    "risk": ("Beds and risk", "Demand was not simulated."),
}
"""Figures of each ward: title, and why there may be nothing to show."""

KPIS = {
    "turned_away": "Patients turned away",
    "left": "Left without being seen",
    "wait_mean_hours": "Mean wait for a bed, hours",
    "days_any_hour_full": "Days on which all is full",
    "p95_census": "Beds in use at busy hours",
}
"""Figures by which scenarios are compared, of the whole hospital, in the order of preference."""
_FORESTS = 3


@dataclass(frozen=True)
class Picture:
    """A figure with its title; `missing` says why there is none."""

    kind: str
    title: str
    figure: Any
    missing: str = ""


@dataclass(frozen=True)
class WardBlock:
    """A ward with its figures."""

    outlook: Outlook
    pictures: list[Picture]


@dataclass(frozen=True)
class Entry:
    """A hospital's line on the overview of all."""

    hospital_id: str
    name: Name
    href: str
    headline: Sentence | None
    """None where there is no report; `problem` then says why."""
    worst: Sentence | None = None
    level: str | None = None
    at: Hour | None = None
    data_to: Hour | None = None
    is_stale: bool = False
    failed: tuple[str, ...] = ()
    warnings: int = 0
    problem: str = ""

    def is_behind(self, newest: pd.Timestamp) -> bool:
        """Whether its snapshot lies more than a day before the newest one."""
        return self.at is not None and newest.normalize() - pd.Timestamp(self.at.at).normalize() > STALE


@cache
def templates() -> Environment:
    """The templates of all pages."""
    loader = PackageLoader("kaizar_pipeline.reporting")
    made = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["css_text"] = css_text
    made.globals.update(constant=constant, count=count, percent=percent, Day=Day, Hour=Hour, Code=Code, Quote=Quote)
    made.globals.update(STATES=STATES, figure_style=Markup(figures.style()))
    return made


def css_text(text: str) -> Markup:
    """A text as a string of CSS, safe inside a style element."""
    plain = (one if (one.isalnum() and one.isascii()) or one in " ,.:" else f"\\{ord(one):x} " for one in text)
    return Markup('"{}"'.format("".join(plain)))


def report_page(
    cells: Cells, config: HospitalConfig, facts: Facts, *, spreadsheet: str | None = None, overview: str | None = None
) -> str:
    """The report of a hospital; `spreadsheet` and `overview` are links to what stands beside it."""
    wards = ranked(cells)
    shown = wards[:IN_FULL]
    blocks = [ward_block(cells, config, ward) for ward in (*(whole(config) if wards else []), *shown)]
    frame = _frame(cells, config, facts)
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            frame,
            frame=frame,
            spreadsheet=spreadsheet,
            overview=overview,
            verdict=verdict(cells, config, wards),
            hospital=hospital_sentence(cells, config),
            trust=trust(cells, config),
            table=BedTable(cells, config),
            blocks=blocks,
            others=[Outlook(cells, config, ward) for ward in wards[IN_FULL:]],
            allocation=allocation(cells, config),
            forests=_forests(cells),
            scenarios={scenario_label(name): Name(text) for name, text in facts.scenarios.items()},
            changes=changes(cells, config),
            record=_record(cells, config),
            losses=losses(cells, config),
            record_known="occupancy_scores" in cells,
            assumptions=assumptions(cells, config, facts),
            glossary=glossary(),
        )
    )


def ward_pages(
    cells: Cells, config: HospitalConfig, facts: Facts, wards: Sequence[str] | None = None
) -> dict[str, str]:
    """The pages of single wards by ward; default: those that `report_page` has one line for."""
    frame, table = _frame(cells, config, facts), BedTable(cells, config)
    template = templates().get_template("ward.html.j2")
    return {
        ward: template.render(frame, frame=frame, block=ward_block(cells, config, ward), table=table, ward=ward)
        for ward in (ranked(cells)[IN_FULL:] if wards is None else wards)
    }


def overview_page(entries: Sequence[Entry]) -> str:
    """All hospitals, one line each."""
    newest = max((pd.Timestamp(entry.at.at) for entry in entries if entry.at is not None), default=None)
    page = templates().get_template("overview.html.j2")
    return page.render(entries=entries, newest=newest, title="All hospitals", foot="All hospitals")


def overview_entry(cells: Cells, config: HospitalConfig, facts: Facts, href: str) -> Entry:
    """The line of a hospital; its report is at `href`."""
    at, last = as_of(cells), last_record(cells)
    return Entry(
        hospital_id=config.id,
        name=Name(config.hospital.name),
        href=href,
        headline=headline(cells, config),
        worst=worst_line(cells, config),
        level=cells.value("bed_meeting", "level_now", HOSPITAL_TOTAL, NEXT_DAY),
        at=None if at is None else Hour(at),
        data_to=None if last is None else Hour(last.floor("min")),
        is_stale=is_stale(cells),
        failed=tuple(facts.failed["name"]),
        warnings=len(facts.warnings),
    )


def worst_line(cells: Cells, config: HospitalConfig) -> Sentence | None:
    """The worst ward, its day and chance; None where no ward has limited beds."""
    worst = next((Outlook(cells, config, ward) for ward in ranked(cells)), None)
    if worst is None or worst.value("worst_prob") is None:
        return None
    day, chance = Day(worst.value("worst_date")), worst.number("worst_prob", percent)
    return Sentence("{ward}, {day}: {chance}", ward=worst.label, day=day, chance=chance)


def verdict(cells: Cells, config: HospitalConfig, wards: Sequence[str]) -> Mapping[str, Any]:
    """The wards that have a paragraph, and the others by state."""
    all_wards = [Outlook(cells, config, ward) for ward in wards]
    matter = [one for one in all_wards if one.state in ("full_now", "likely", "about_even")]
    first = matter[:SENTENCES] or all_wards[:1]
    named = {one.ward for one in first}
    rest = [one for one in all_wards if one.ward not in named]
    groups = {state: [one for one in rest if one.state == state] for state in STATES}
    return {
        "first": first,
        "rest": {state: those for state, those in groups.items() if those},
        "has_more": len(wards) > 1,
    }


def ward_block(cells: Cells, config: HospitalConfig, ward: str) -> WardBlock:
    """A ward with its figures."""
    label = labels(config)[ward]
    pictures = [
        Picture(kind, title, getattr(figures, kind)(cells, ward, label), missing)
        for kind, (title, missing) in WARD_FIGURES.items()
        if ward != HOSPITAL_TOTAL or kind in HOSPITAL_FIGURES
    ]
    return WardBlock(Outlook(cells, config, ward), pictures)


def _frame(cells: Cells, config: HospitalConfig, facts: Facts) -> dict[str, Any]:
    """What every page of a hospital has: head, banner, foot."""
    at, last = as_of(cells), last_record(cells)
    when = None if at is None else Sentence("{day} {hour}", day=Day(at, year=True), hour=Hour(at, day=False))
    return {
        "config": config,
        "facts": facts,
        "cells": cells,
        "name": Name(config.hospital.name),
        "title": f"{config.hospital.name}: beds, {when or ''}",
        "foot": f"{config.hospital.name}, {when or ''}",
        "headline": headline(cells, config),
        "at": when,
        "last": None if last is None else Hour(last.floor("min")),
        "stale": is_stale(cells),
        "level_now": cells.value("bed_meeting", "level_now", HOSPITAL_TOTAL, NEXT_DAY),
        "failed": list(facts.failed.itertuples(index=False)),
        "has_hidden": bool(cells.hidden),
    }


def _forests(cells: Cells) -> list[Picture]:
    """Scenarios compared with the hospital as it is, for the figures that any of them changes."""
    rows = cells.rows("scenario_comparison", ward_id=HOSPITAL_TOTAL)
    names = {name: scenario_label(name) for name in dict.fromkeys(rows["scenario"])}
    moved = set(rows.loc[rows["difference"].abs() > 2 * rows["difference_se"], "kpi"])
    chosen = [kpi for kpi in KPIS if kpi in moved][:_FORESTS]
    return [Picture("forest", KPIS[kpi], figures.forest(cells, kpi, names)) for kpi in chosen]


def _record(cells: Cells, config: HospitalConfig) -> list[Picture]:
    """How good forecasts were, in figures."""
    names = labels(config)
    wards = ranked(cells)
    names = {ward: names[ward] for ward in (*wards[:IN_FULL], *(whole(config) if wards else []))}
    streams = {stream.id: stream.id.replace("_", " ") for stream in config.arrival_streams}
    return [
        Picture(
            "reliability",
            "Chance of being full, and how often it was",
            figures.reliability(cells),
            "No chance has been compared with what happened.",
        ),
        Picture(
            "coverage",
            "How often intervals held",
            figures.coverage(cells, names),
            "No interval has been compared with what happened.",
        ),
        Picture(
            "errors",
            "Average miss",
            figures.errors(cells, names),
            "No census forecast has been compared with what happened.",
        ),
        Picture(
            "arrivals",
            "Arrivals, forecast and observed",
            figures.arrivals(cells, streams),
            "No arrivals forecast has been compared with what happened.",
        ),
    ]
