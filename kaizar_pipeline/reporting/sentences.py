"""What the page says in sentences, in planners' words: of each ward, of the hospital, and which ward is the worst.

Whatever is likely is so by planning/chances.py; numbers are looked up, and never computed here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.planning.bed_meeting import NEXT_DAY
from kaizar_pipeline.planning.chances import EVEN, LIKELY, chance_in_words
from kaizar_pipeline.reporting.numbers import Cells, Number, Sentence, count, joined, percent, tenths
from kaizar_pipeline.reporting.words import Name, capitalised, day_name, in_words, labels, on_days
from kaizar_pipeline.tables import HOSPITAL_TOTAL

OUTLOOK, MEETING, DAYS = "ward_outlook", "bed_meeting", "ward_days"
_NO_BEDS = "No number of staffed beds is set"
STATES = {
    "full_now": "full now",
    "likely": "likely full",
    "about_even": "about even",
    "unlikely": "unlikely full",
    "unknown": "beds not limited",
}
"""A ward's next days in a word, the most urgent first."""


def days_in_ten(risk: float) -> str:
    """Of a risk of 0.1 '9 days in 10', of one that is no tenth '97 % of days'."""
    covered = 10 * (1 - risk)
    if abs(covered - round(covered)) < 1e-9:
        return f"{round(covered)} days in 10"
    return f"{percent(1 - risk)} of days"


def _hours(value: float) -> str:
    return tenths(value) if value < 9.95 else count(value)


@dataclass(frozen=True)
class Outlook:
    """The next days of one ward, group or hospital as sentences."""

    cells: Cells
    config: HospitalConfig
    ward: str

    def number(self, column: str, shown: Any = count, table: str = OUTLOOK) -> Number:
        """A number of this ward in ward_outlook, or in the bed meeting's next 24 hours."""
        key = (self.ward, NEXT_DAY) if table == MEETING else (self.ward,)
        return self.cells.number(table, column, *key, shown=shown)

    def value(self, column: str, table: str = OUTLOOK) -> Any:
        """Its value, None where it is not known or not shown."""
        key = (self.ward, NEXT_DAY) if table == MEETING else (self.ward,)
        return self.cells.value(table, column, *key)

    @cached_property
    def label(self) -> Name:
        """The name for people."""
        return Name(labels(self.config)[self.ward])

    @cached_property
    def is_full_now(self) -> bool:
        """Whether it is full at as_of, as far as is known."""
        return bool(self.value("full_now"))

    @cached_property
    def state(self) -> str:
        """A key of STATES."""
        if self.is_full_now:
            return "full_now"
        return self.value("state") or "unknown"

    @cached_property
    def week(self) -> list[pd.Timestamp]:
        """The dates that the outlook is about; none where there is none."""
        first, days = self.value("first_date"), self.value("days")
        return [] if first is None else list(pd.date_range(first, periods=int(days)))

    def days_that_are(self, *words: str) -> list[pd.Timestamp]:
        """The dates on which being full at some hour has this chance in words."""
        return [day for day in self.week if self.chance(day) in words]

    def chance(self, day: pd.Timestamp) -> str | None:
        """The chance of being full at some hour of a date in words."""
        chance = self.cells.value(DAYS, "prob_full_day", self.ward, day)
        error = self.cells.value(DAYS, "prob_full_day_se", self.ward, day)
        return None if chance is None else chance_in_words(chance, error or 0.0)

    @cached_property
    def is_full_most_days(self) -> bool:
        """Whether it is likely or about even on every date: then hours say more than days."""
        return bool(self.week) and len(self.days_that_are(*LIKELY, EVEN)) == len(self.week) > 1

    def day(self, column: str) -> str:
        """The weekday of a date of the outlook."""
        date = self.value(column)
        return "" if date is None else day_name(date, self.week[0])

    def sentence(self) -> Sentence:
        """The ward in a few sentences."""
        return joined([self.beds_now(), self.full(), self.hours(), self.fewer_beds(), self.enough()])

    def beds_now(self) -> Sentence:
        """How many beds are taken."""
        fields = {
            "patients": self.number("in_beds", table=MEETING),
            "beds": self.number("staffed_beds", table=MEETING),
            "free": self.number("free_now", table=MEETING),
            "waiting": self.number("waiting", table=MEETING),
        }
        if MEETING not in self.cells:
            return Sentence("How many are in bed now is not known.")
        staffed, taken = self.value("staffed_beds", MEETING), self.value("in_beds", MEETING)
        if staffed is None:
            known = "Some wards have no number of staffed beds" if self.value("members") else _NO_BEDS
            return Sentence(f"{{patients}} in bed. {known}, so nothing can be said of being full.", **fields)
        if staffed == 0:
            now = "No bed is staffed now, {patients} in bed"
        elif taken is not None and taken > staffed:
            now = "{patients} patients are in {beds} staffed beds"
        elif taken == staffed:
            now = "All {beds} staffed beds are taken" if staffed > 1 else "The {beds} staffed bed is taken"
        else:
            now = "{patients} of {beds} staffed beds are taken, {free} free"
        waits = self.value("waiting", MEETING)
        end = "; {waiting} waiting for a bed." if waits is None or waits > 0 else "."
        return Sentence(now + end, **fields)

    def full(self) -> Sentence:
        """On which days it is likely full, and which is the worst."""
        if self.value("worst_prob") is None:
            return Sentence("")
        if not any(map(self.chance, self.week)):
            return self.worst()  # without ward_days the worst and the easiest day are all that is known
        likely, even = self.days_that_are(*LIKELY), self.days_that_are(EVEN)
        if likely:
            said = f"Likely to be full at some hour {on_days(likely, self.week)}"
            others = (
                "on the other days"
                if len(likely) + len(even) == len(self.week) and len(even) > 1
                else on_days(even, self.week)
            )
            said += f"; about even {others}." if even else "."
        elif even:
            said = f"Full at some hour is about even {on_days(even, self.week)}, on no day likely."
        else:
            said = "Full at some hour is unlikely on every day."
        return joined([Sentence(said), self.worst() if len(likely) < len(self.week) else Sentence("")])

    def worst(self) -> Sentence:
        """The worst and the easiest day."""
        after = " after today" if self.is_full_now and len(self.week) > 1 else ""
        ends = (
            "." if self.value("worst_date") == self.value("easiest_date") else "; easiest: {easiest_day} ({easiest})."
        )
        return Sentence(
            f"Worst{after}: {{worst_day}} ({{worst}}){ends}",
            worst_day=self.day("worst_date"),
            worst=self.number("worst_prob", percent),
            easiest_day=self.day("easiest_date"),
            easiest=self.number("easiest_prob", percent),
        )

    def hours(self) -> Sentence:
        """Of a ward that is full most days, for how many hours."""
        if not self.is_full_most_days:
            return Sentence("")
        return Sentence("It is full for about {hours} hours a day.", hours=self.number("hours_full_per_day", _hours))

    def fewer_beds(self) -> Sentence:
        """On which days fewer beds are staffed than now."""
        fewest, now = self.value("staffed_fewest"), self.value("staffed_beds", MEETING)
        if fewest is None or now is None or fewest >= now:
            return Sentence("")
        days = [day for day in self.week if self.cells.value(DAYS, "staffed_fewest", self.ward, day) == fewest]
        beds = "Only {beds} beds are" if fewest > 1 else "Only {beds} bed is" if fewest else "No bed is"
        return Sentence(f"{beds} staffed {on_days(days, self.week)}.", beds=self.number("staffed_fewest"))

    def enough(self) -> Sentence:
        """How many beds are enough."""
        short = self.value("beds_short")
        if self.value("enough_beds") is None:
            return Sentence("")
        fields = {"beds": self.number("enough_beds"), "short": self.number("beds_short")}
        fields["days"] = self.number("risk_target", days_in_ten)
        cover = "cover demand on {days}"
        if short is None:
            return Sentence(f"{{beds}} beds {cover}.", **fields)
        if short == 0:
            return Sentence(f"The staffed beds {cover}.", **fields)
        varies = self.value("staffed_fewest") != self.value("staffed_most")
        return Sentence(
            f"{{beds}} beds {cover}, {{short}} more" + (" than the fewest staffed." if varies else "."), **fields
        )

    def short(self) -> Sentence:
        """The ward in a few words, among others."""
        if self.state == "unknown":
            return Sentence("{patients} in bed", patients=self.number("in_beds", table=MEETING))
        if self.value("likely_days"):
            return Sentence("{days} of {all} days", days=self.number("likely_days"), all=self.number("days"))
        if not self.value("worst_prob"):
            return Sentence("in no simulation")
        return Sentence(
            "at most {chance}, {day}", day=self.day("worst_date"), chance=self.number("worst_prob", percent)
        )


def ranked(cells: Cells, kind: str = "ward") -> list[str]:
    """The wards, or groups, worst first."""
    return list(cells.rows(OUTLOOK, kind=kind).sort_values("rank")["ward_id"])


def headline(cells: Cells, config: HospitalConfig) -> Sentence:
    """The one sentence about the hospital: how many wards are full and will likely be on the next whole day, or the
    first that will."""
    if OUTLOOK not in cells:
        return Sentence("Nothing has been simulated yet")
    hospital = Outlook(cells, config, HOSPITAL_TOTAL)
    members = hospital.value("members")
    if not members:
        return Sentence(f"{_NO_BEDS}, so nothing can be said of being full")
    if members == 1 or not hospital.value("members_full_now"):
        return _ahead(hospital, ranked(cells))
    is_ = "is" if hospital.value("members_full_now") == 1 else "are"
    fields = {
        "now": hospital.number("members_full_now", capitalised),
        "all": hospital.number("members", in_words),
        "likely": hospital.number("members_likely", in_words),
        "day": on_days([_whole_day(hospital)], hospital.week),
    }
    if _whole_day(hospital) == hospital.week[0] or not hospital.value("members_likely"):
        return Sentence(f"{{now}} of {{all}} wards {is_} full now", **fields)
    return Sentence(
        f"{{now}} of {{all}} wards {is_} full now, {{likely}} will likely be at some hour {{day}}", **fields
    )


def _whole_day(hospital: Outlook) -> pd.Timestamp:
    """The first day of which all hours lie ahead."""
    has_begun = hospital.value("hours_first_date") < HOURS_PER_DAY and len(hospital.week) > 1
    return hospital.week[int(has_begun)]


def _ahead(hospital: Outlook, wards: Sequence[str]) -> Sentence:
    cells, config = hospital.cells, hospital.config
    likely, members = hospital.value("members_likely"), hospital.value("members")
    if likely and members > 1:
        return Sentence(
            "{likely} of {all} wards will likely be full at some hour {day}",
            likely=hospital.number("members_likely", capitalised),
            all=hospital.number("members", in_words),
            day=on_days([_whole_day(hospital)], hospital.week),
        )
    worst = Outlook(cells, config, wards[0])
    if worst.value("likely_days"):
        days = worst.days_that_are(*LIKELY) or [worst.value("worst_date")]
        return Sentence(
            f"{{ward}} will likely be full at some hour {on_days(days, worst.week)}",
            ward=worst.label,
        )
    if worst.value("about_even_days"):
        return Sentence(
            "No ward is likely to be full on any one of the next {days} days; {ward} comes nearest, {day}",
            days=hospital.number("days"),
            ward=worst.label,
            day=on_days([worst.value("worst_date")], worst.week),
        )
    return Sentence("No ward is likely to be full on any one of the next {days} days", days=hospital.number("days"))


def hospital_sentence(cells: Cells, config: HospitalConfig) -> Sentence:
    """The whole hospital in a few sentences."""
    hospital = Outlook(cells, config, HOSPITAL_TOTAL)
    worst = hospital.value("worst_prob")
    if worst is None:
        return hospital.beds_now()
    word = chance_in_words(worst)
    parts = [hospital.beds_now(), _all_at_once(hospital, word)]
    if word not in LIKELY and any(Outlook(cells, config, ward).value("likely_days") for ward in ranked(cells)):
        parts.append(Sentence("Beds run short ward by ward, not in the hospital as a whole."))
    return joined([*parts, hospital.enough()])


def _all_at_once(hospital: Outlook, word: str) -> Sentence:
    """How likely it is that no bed of the hospital is free."""
    if not hospital.value("worst_prob"):
        return Sentence("All are taken at once in no simulation.")
    said = "All will likely be taken at once" if word in LIKELY else f"That all are taken at once is {word}"
    return Sentence(
        f"{said}: at most {{worst}}, {{day}}.",
        worst=hospital.number("worst_prob", percent),
        day=on_days([hospital.value("worst_date")], hospital.week),
    )
