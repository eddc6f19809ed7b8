"""What a terminal shows of a report: the verdict in sentences, and the bed-meeting table as wide as fits.

As on the page, every number is looked up in a table, and no other one is shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.planning.bed_meeting import NEXT_DAY
from kaizar_pipeline.reporting.bed_table import BedRow, BedTable, Window, level_signs
from kaizar_pipeline.reporting.changes import allocation
from kaizar_pipeline.reporting.numbers import NO_BREAK, Cells, Hour, Number, Sentence, constant, count, joined, percent
from kaizar_pipeline.reporting.page import verdict
from kaizar_pipeline.reporting.record import trust
from kaizar_pipeline.reporting.sentences import MEETING, STATES, Outlook, headline, hospital_sentence, ranked
from kaizar_pipeline.reporting.words import Name, whole

HIDDEN = "* is a small number of patients, or one that would reveal it, which is not shown."

_WORST = 3
"""Wards that a run ends with."""


@dataclass(frozen=True)
class Column:
    """A column of the terminal's table: its head, its rank among those for which there is space, and what a row has."""

    head: Sentence
    rank: int
    of: Callable[[BedRow], Sentence]


def sentences(cells: Cells, config: HospitalConfig) -> list[Sentence]:
    """The verdict: of the hospital, of each ward that matters, of all others, and how far to trust it."""
    wards = ranked(cells)
    parts = verdict(cells, config, wards)
    said = [Sentence("{all}.", all=headline(cells, config))]
    said += [Sentence("{ward}: {said}", ward=one.label, said=one.sentence()) for one in parts["first"]]
    for state, others in parts["rest"].items():
        listed = [Sentence("{ward} ({short})", ward=one.label, short=one.short()) for one in others]
        said.append(Sentence(f"{STATES[state].capitalize()}: {{wards}}.", wards=joined(listed, ", ")))
    if parts["has_more"]:
        said.append(Sentence("Whole hospital: {said}", said=hospital_sentence(cells, config)))
    said.append(trust(cells, config))
    signs = [Sentence("{sign} {level}", sign=Name(s), level=Name(level)) for level, s in level_signs(config).items()]
    if signs and "level_risk" in cells:
        said.append(Sentence("Levels: {all}.", all=joined(signs, ", ")))
    return [*said, Sentence(HIDDEN)] if cells.hidden else said


def worst_wards(cells: Cells, config: HospitalConfig) -> list[Sentence]:
    """What a run ends with: the verdict on the hospital, the worst wards with the beds that are enough, and where extra
    beds help most."""
    said = [Sentence("{all}.", all=headline(cells, config))]
    for ward in (*ranked(cells)[:_WORST], *whole(config)):
        one = Outlook(cells, config, ward)
        said.append(
            joined(
                [
                    Sentence(f"{{ward}}: {STATES[one.state]} ({{short}}).", ward=one.label, short=one.short()),
                    one.enough(),
                ]
            )
        )
    return said + allocation(cells, config)[:1]


def columns(cells: Cells, config: HospitalConfig) -> tuple[list[Column], list[BedRow]]:
    """The columns and rows of the bed-meeting table."""
    table = BedTable(cells, config)
    few, most = (Sentence("Beds for {share}", share=constant(name)) for name in ("beds_few", "beds_most"))
    found = [
        Column(Sentence("Ward"), 0, lambda row: Sentence("{ward}", ward=row.outlook.label)),
        Column(Sentence("Staffed"), 1, lambda row: _one(row.staffed)),
        Column(Sentence("In bed"), 1, lambda row: _one(row.in_beds)),
        Column(Sentence("Free now"), 5, lambda row: _one(row.outlook.number("free_now", table=MEETING))),
        Column(Sentence("Waiting"), 8, lambda row: _one(row.outlook.number("waiting", table=MEETING))),
    ]
    for position, window in enumerate(table.windows):
        found += _of_window(position, window, 0 if position == len(table.windows) - 1 else 3)
    if table.has_levels:
        found.append(Column(Sentence("Levels today, %"), 12, _levels))
    found += [
        Column(Sentence("Full today"), 4, partial(_full_today, cells, table)),
        Column(few, 7, lambda row: _one(row.beds[0])),
        Column(most, 2, lambda row: _one(row.beds[1])),
        Column(Sentence("Hinges on"), 13, lambda row: Sentence(row.hinges_on)),
    ]
    return found, table.bed_rows()


def _of_window(position: int, window: Window, later: int) -> list[Column]:
    """In, out, net and free beds of a window; the columns of windows but the last are `later` in rank."""
    until = Sentence(f"{{hours}}{NO_BREAK}h", hours=constant("hours_ahead", count))
    if window.name != NEXT_DAY:
        until = Sentence(f"to{NO_BREAK}{{at}}", at=Hour(window.ends, day=False))
    return [
        Column(Sentence("In, {until}", until=until), 6 + later, lambda row: _one(row.flows[position].into)),
        Column(Sentence("Out, {until}", until=until), 6 + later, lambda row: _one(row.flows[position].out)),
        Column(Sentence("Net, {until}", until=until), 8 + later, lambda row: _one(row.flows[position].net)),
        Column(Sentence("Free, {until}", until=until), 3 + 2 * later, lambda row: _free(row, position)),
    ]


def _one(number: Number) -> Sentence:
    return Sentence("{number}", number=number)


def _free(row: BedRow, position: int) -> Sentence:
    """The median and the range that holds in 80 %."""
    flows = row.flows[position]
    if not flows.is_known:
        return _one(flows.free)
    low, high = flows.free_range
    return Sentence("{median} ({low} to {high})", median=flows.free, low=low, high=high)


def _levels(row: BedRow) -> Sentence:
    """The chance of each level by its sign."""
    return joined([Sentence("{sign} {chance}", sign=sign, chance=chance) for sign, chance, _ in row.levels])


def _full_today(cells: Cells, table: BedTable, row: BedRow) -> Sentence:
    if row.outlook.is_full_now:
        return Sentence("now")
    return _one(cells.number("ward_days", "prob_full_day", row.outlook.ward, table.today, shown=percent))
