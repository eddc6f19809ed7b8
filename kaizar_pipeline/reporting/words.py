"""Words that the page puts around numbers: names, lists of days, small numbers in words, levels as letters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd
from markupsafe import Markup

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.reporting.numbers import Sentence, count
from kaizar_pipeline.tables import HOSPITAL_TOTAL

SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

DRIVERS = {
    "arrivals_level": "how many come",
    "arrivals_noise": "who comes when",
    "routing": "where they go next",
    "length_of_stay": "how long they stay",
    "day_factor": "good or bad days",
    "starting_census": "who leaves",
}
"""What the census depends on most, by driver (occupancy_drivers)."""

METHODS = {
    "persistence": "no change",
    "yesterday": "the last census at that hour",
    "six_weeks": "the last six weeks",
    "weekday": "the weekday's mean of a year",
    "seasonal_naive": "the same weekday a week before",
    "weekday_mean": "the weekday's mean of four weeks",
    "calendar_glm": "the calendar alone",
}
"""Simple methods that forecasts are compared with, in words."""

_LONGEST = 3
"""Letters of the longest sign of a level: more do not fit into a cell."""

_OPEN_END = 3
"""Days in a row from which on they are named by the first and the last."""


@dataclass(frozen=True)
class Name:
    """A name out of the hospital's file; in HTML it keeps its own direction."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __html__(self) -> Markup:
        return Markup("<bdi>{}</bdi>").format(self.text)


@dataclass(frozen=True)
class Quote:
    """A message of the program or of a check, as it was written."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __html__(self) -> Markup:
        return Markup("<samp>{}</samp>").format(self.text)


@dataclass(frozen=True)
class Code:
    """An id, a hash or a version."""

    text: str

    def __str__(self) -> str:
        return self.text

    def __html__(self) -> Markup:
        return Markup("<code>{}</code>").format(self.text)


def labels(config: HospitalConfig) -> dict[str, str]:
    """The name for people of each ward, group, and the whole hospital."""
    groups = {group: group.replace("_", " ").capitalize() for group in config.groups}
    return {ward.id: ward.label for ward in config.wards} | groups | {HOSPITAL_TOTAL: "Whole hospital"}


def whole(config: HospitalConfig) -> list[str]:
    """The whole hospital as a place beside its wards; none where a single ward is the hospital."""
    return [HOSPITAL_TOTAL] if len(config.wards) > 1 else []


def in_words(value: float) -> str:
    """A whole number below 10 as a word, others as digits."""
    return SMALL[round(value)] if 0 <= round(value) < len(SMALL) else count(value)


def capitalised(value: float) -> str:
    """The same with a capital, at the beginning of a sentence."""
    return in_words(value).capitalize()


def scenario_label(name: str) -> str:
    """A scenario's file name as people read it."""
    return name.replace("_", " ").replace("-", " ").capitalize()


def listed(words: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def names(texts: Sequence[str]) -> Sentence:
    """Names out of the hospital's file, listed likewise."""
    fields = {f"name{position}": Name(text) for position, text in enumerate(texts)}
    return Sentence(listed([f"{{{field}}}" for field in fields]), **fields)


def day_name(day: pd.Timestamp, today: pd.Timestamp) -> str:
    """'today' or the weekday; unambiguous within seven days."""
    return "today" if day == today else f"{day:%A}"


def on_days(days: Iterable[pd.Timestamp], among: Sequence[pd.Timestamp]) -> str:
    """'today', 'on Monday and Tuesday', 'today to Thursday', 'every day but Sunday', 'every day', of consecutive dates
    `among`, the first of which is today."""
    wanted = set(days)
    chosen = [day for day in among if day in wanted]
    rest = [day for day in among if day not in wanted]
    if not rest and len(chosen) > 1:
        return "every day"
    if len(rest) == 1 and len(among) > _OPEN_END:
        return f"every day but {day_name(rest[0], among[0])}"
    runs = [[day for _, day in run] for _, run in groupby(enumerate(chosen), key=lambda at: at[1] - _days(at[0]))]
    names = []
    for run in runs:
        ends = [day_name(day, among[0]) for day in run]
        names += [f"{ends[0]} to {ends[-1]}"] if len(run) >= _OPEN_END else ends
    return _with_on(listed(names))


def _days(number: int) -> pd.Timedelta:
    return pd.Timedelta(days=number)


def _with_on(names: str) -> str:
    return names if names.startswith("today") else f"on {names}"


def letters(levels: Sequence[str]) -> Mapping[str, str]:
    """A short sign for each level that no other has: its initial, else the initials of its words, else its first two
    or three letters, else L1, L2 and so on."""
    for short in (_initial, _initials, _two, _three):
        found = {level: short(level) for level in levels}
        if len(set(found.values())) == len(levels) and all(len(sign) <= _LONGEST for sign in found.values()):
            return found
    return {level: f"L{number}" for number, level in enumerate(levels, start=1)}


def _initial(level: str) -> str:
    return level[0].upper()


def _initials(level: str) -> str:
    return "".join(word[0] for word in level.split()).upper()


def _two(level: str) -> str:
    return level[:2]


def _three(level: str) -> str:
    return level[:_LONGEST]
