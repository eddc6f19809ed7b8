"""The bed-meeting table and the strip of chances, row by row, ready for the templates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.planning.bed_meeting import NEXT_DAY, NEXT_SNAPSHOT
from kaizar_pipeline.planning.chances import LIKELY, chance_in_words
from kaizar_pipeline.reporting.numbers import NOT_KNOWN, Cells, Number, count, percent_sign_aside, signed
from kaizar_pipeline.reporting.sentences import DAYS, MEETING, Outlook, ranked
from kaizar_pipeline.reporting.words import DRIVERS, letters
from kaizar_pipeline.tables import HOSPITAL_TOTAL

STRIP_DAYS = 14
TINTS = {"very unlikely": "t0", "unlikely": "t1", "about even": "t2", "likely": "t3", "very likely": "t4"}
"""Class of a cell of the strip by its chance in words."""


@dataclass(frozen=True)
class Window:
    """A window of the bed meeting: its name in the table, and where it ends."""

    name: str
    ends: pd.Timestamp


@dataclass(frozen=True)
class Flows:
    """What is expected of a ward in a window."""

    into: Number
    out: Number
    net: Number
    free: Number
    free_range: tuple[Number, Number]

    @property
    def is_known(self) -> bool:
        """Whether there is a range."""
        return self.free.text != NOT_KNOWN


@dataclass(frozen=True)
class BedRow:
    """A row of the bed-meeting table."""

    outlook: Outlook
    kind: str
    staffed: Number
    in_beds: Number
    flows: list[Flows]
    levels: list[tuple[str, Number, bool]]
    """Letter, chance, and whether that is likely, of each level that may be reached, but for the one that always is."""
    has_levels: bool
    beds: tuple[Number, Number]
    hinges_on: str


@dataclass(frozen=True)
class Chance:
    """A cell of the strip."""

    number: Number
    tint: str
    """Class of TINTS; empty where nothing is known."""
    letter: str
    """Sign of the highest level that is likely reached."""
    day: pd.Timestamp

    @property
    def css(self) -> str:
        """Classes as an attribute."""
        both = [*filter(None, [self.tint]), *(["mon"] if self.day.weekday() == 0 else [])]
        return both[0] if len(both) == 1 else f'"{" ".join(both)}"' if both else ""


@dataclass(frozen=True)
class StripRow:
    """A row of the strip."""

    outlook: Outlook
    kind: str
    chances: list[Chance]
    hours: list[Number]
    """Share of each day's hours that are full, of a ward that is full most days; else empty."""


def level_signs(config: HospitalConfig) -> Mapping[str, str]:
    """The sign of each level of the hospital, from the lowest on."""
    return letters(list(dict.fromkeys(level.name for level in config.levels)))


class BedTable:
    """The rows of both for one hospital."""

    def __init__(self, cells: Cells, config: HospitalConfig):
        self.cells, self.config = cells, config
        self.letters = level_signs(config)

    @cached_property
    def wards(self) -> list[str]:
        """Wards worst first."""
        return ranked(self.cells)

    @cached_property
    def order(self) -> list[tuple[str, str]]:
        """Row and kind of all rows: wards, groups, the hospital."""
        hospital = [HOSPITAL_TOTAL] if len(self.wards) > 1 else []  # that of a single ward is the ward
        if not self.wards:
            return []
        kinds = {"ward": self.wards, "group": list(self.config.groups), "hospital": hospital}
        return [(ward, kind) for kind, wards in kinds.items() for ward in wards]

    @cached_property
    def windows(self) -> list[Window]:
        """Until the next snapshot and for a day; one of them where both end at the same time."""
        found = [
            Window(name, ends)
            for name in (NEXT_SNAPSHOT, NEXT_DAY)
            if (ends := self.cells.value(MEETING, "ends", HOSPITAL_TOTAL, name)) is not None
        ]
        return found[1:] if len({window.ends for window in found}) < len(found) else found

    @cached_property
    def today(self) -> pd.Timestamp | None:
        """The first date."""
        return self.cells.value("ward_outlook", "first_date", HOSPITAL_TOTAL)

    @cached_property
    def days(self) -> list[pd.Timestamp]:
        """The dates of the strip."""
        dates = self.cells.rows(DAYS, ward_id=HOSPITAL_TOTAL, scenario="baseline")["date"]
        return sorted(dates)[:STRIP_DAYS]

    @cached_property
    def has_levels(self) -> bool:
        """Whether the hospital has levels of its own."""
        return "level_risk" in self.cells

    @cached_property
    def _levels(self) -> dict[tuple[str, pd.Timestamp], list[tuple[str, float, float]]]:
        """Levels of each row and date, from the lowest on, with the chance of being reached and its error."""
        rows = self.cells.rows("level_risk", scenario="baseline").sort_values("level_order", kind="stable")
        rows = rows[rows["date"].isin(self.days)]
        found: dict[tuple[str, pd.Timestamp], list[tuple[str, float, float]]] = {}
        columns = (rows[name] for name in ("ward_id", "date", "level", "prob_reached", "prob_reached_se"))
        for ward, date, level, chance, error in zip(*columns, strict=True):
            if ("level_risk", "prob_reached", ("baseline", ward, date, level)) not in self.cells.hidden:
                found.setdefault((ward, date), []).append((level, chance, error))
        return found

    @cached_property
    def columns(self) -> list[tuple[str, bool]]:
        """Names of the columns after the ward's where there are no heads, and whether they come first there."""
        flows = (["In until next", "out", "net", "free"], ["In by day", "out", "net", "Free in a day"])
        far = [(name, name.startswith("Free")) for name in flows[1]]
        near = [(name, False) for name in flows[0]] if len(self.windows) > 1 else []
        levels = [("Levels today, %", False)] if self.has_levels else []
        beds = [("needed, seven in ten", False), ("Beds needed", True)]
        return [("Staffed", True), ("In bed", True), *near, *far, *levels, *beds, ("Hinges on", False)]

    def bed_rows(self) -> list[BedRow]:
        """The rows of the bed-meeting table."""
        return [self._bed_row(ward, kind) for ward, kind in self.order]

    def _bed_row(self, ward: str, kind: str) -> BedRow:
        of = Outlook(self.cells, self.config, ward)
        return BedRow(
            outlook=of,
            kind=kind,
            staffed=of.number("staffed_beds", table=MEETING),
            in_beds=of.number("in_beds", table=MEETING),
            flows=[self._flows(ward, window.name) for window in self.windows],
            levels=self._levels_today(ward),
            has_levels=(ward, self.today) in self._levels,
            beds=(of.number("beds_70", table=MEETING), of.number("beds_90", table=MEETING)),
            hinges_on=DRIVERS.get(of.value("driver") or "", NOT_KNOWN),
        )

    def _flows(self, ward: str, window: str) -> Flows:
        def number(column: str, shown=count) -> Number:
            return self.cells.number(MEETING, column, ward, window, shown=shown)

        return Flows(
            into=number("expected_in"),
            out=number("expected_out"),
            net=number("expected_net", signed(count)),
            free=number("free_p50"),
            free_range=(number("free_p10"), number("free_p90")),
        )

    def _levels_today(self, ward: str) -> list[tuple[str, Number, bool]]:
        if self.today is None:
            return []
        found = []
        for level, chance, error in self._levels.get((ward, self.today), []):
            always = self.cells.value("level_risk", "patients", ward, self.today, level) == 0
            if always or not chance:
                continue
            number = self.cells.number("level_risk", "prob_reached", ward, self.today, level, shown=percent_sign_aside)
            found.append((self.letters[level], number, chance_in_words(chance, error) in LIKELY))
        return found

    def strip_rows(self, wards: Sequence[str] | None = None) -> list[StripRow]:
        """The rows of the strip, all or those of some wards."""
        return [self._strip_row(ward, kind) for ward, kind in self.order if wards is None or ward in wards]

    @cached_property
    def has_chances(self) -> bool:
        """Whether any row has a chance of being full."""
        return bool(self.wards) and bool(self.cells.rows(DAYS)["prob_full_day"].notna().any())

    @cached_property
    def first_hours(self) -> Number | None:
        """The hours ahead of the first date, None where it is whole."""
        if not self.days or self.cells.value(DAYS, "hours", HOSPITAL_TOTAL, self.days[0]) == HOURS_PER_DAY:
            return None
        return self.cells.number(DAYS, "hours", HOSPITAL_TOTAL, self.days[0])

    def _strip_row(self, ward: str, kind: str) -> StripRow:
        of = Outlook(self.cells, self.config, ward)
        hours = [
            self.cells.number(DAYS, "share_of_hours_full", ward, day, shown=percent_sign_aside) for day in self.days
        ]
        return StripRow(of, kind, [self._chance(of, day) for day in self.days], hours if of.is_full_most_days else [])

    def _chance(self, of: Outlook, day: pd.Timestamp) -> Chance:
        number = self.cells.number(DAYS, "prob_full_day", of.ward, day, shown=percent_sign_aside)
        likely = [
            level
            for level, chance, error in self._levels.get((of.ward, day), [])
            if chance_in_words(chance, error) in LIKELY
        ]
        return Chance(number, TINTS.get(of.chance(day) or "", ""), self.letters[likely[-1]] if likely else "", day)
