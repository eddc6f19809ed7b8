"""Levels of a census in the hospital's own words, such as green, amber, red and black, or OPEL 1 to 4."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from kaizar_pipeline.config.fields import MAX_NAME, Beds, Id, Model, RuleError, Share
from kaizar_pipeline.errors import quoted, unknown
from kaizar_pipeline.tables import HOSPITAL_TOTAL

if TYPE_CHECKING:
    from kaizar_pipeline.config.hospital import HospitalConfig, Ward

SCOPES = ("wards", "groups", "hospital")

_ROUNDING = 1e-9
_A_MONDAY = datetime(2026, 1, 5)
_Errors = Iterator[RuleError]


def _level_name(text: str) -> str:
    if not text or text != text.strip() or text.startswith("_"):
        raise ValueError(f"found {quoted(text)}, allowed: a name without _ in front, or blanks at its ends")
    return text


class Level(Model):
    """A level that begins at a number of patients in beds, or at a share of the staffed beds."""

    name: Annotated[str, Field(max_length=MAX_NAME), AfterValidator(_level_name)]
    """What the hospital calls it, such as amber or OPEL 3; no _ in front."""
    share: Share | None = None
    """Share of the staffed beds from which on it is reached, rounded up to whole patients; 0: always. Default: beds."""
    beds: Beds | None = None
    """Patients in beds from whom on it is reached. Default: share."""
    wards: Annotated[tuple[Id, ...], Field(min_length=1)] | None = None
    """Wards that it holds for, each by itself. Default, without groups and hospital: every ward, but for a share those
    with limited beds only."""
    groups: Annotated[tuple[Id, ...], Field(min_length=1)] | None = None
    """Groups that it holds for, each as a whole. Default: wards."""
    hospital: bool = False
    """true: it holds for the whole hospital. Default: false."""

    def rows(self, config: "HospitalConfig") -> tuple[str, ...]:
        """The rows of the ward axis that it holds for."""
        if self.hospital:
            return (HOSPITAL_TOTAL,)
        every = (ward.id for ward in config.wards if self.share is None or ward.capacity is not None)
        return self.wards or self.groups or tuple(every)

    def patients(self, staffed: int) -> int:
        """Patients from whom on it is reached with so many `staffed` beds; a share above 0 needs one at least."""
        if self.share is None:
            return self.beds or 0
        return max(ceil(self.share * staffed - _ROUNDING), 1) if self.share else 0


def level_errors(config: "HospitalConfig") -> _Errors:
    """Every broken rule of the levels, with its place: those of each, or else those between them."""
    alone = [error for index, level in enumerate(config.levels) for error in _wrong_alone(config, index, level)]
    yield from alone
    if not alone:
        together = [error for row in config.ward_axis for error in _wrong_together(config, row)]
        yield from dict(reversed(together)).items()  # of each place the first row where it is wrong


def _wrong_alone(config: "HospitalConfig", index: int, level: Level) -> _Errors:
    place = "levels", index
    if (level.share is None) == (level.beds is None):
        yield place, "needs share or beds, and one of them only: where the level begins"
    if sum(bool(getattr(level, scope)) for scope in SCOPES) > 1:
        yield place, "holds for wards, groups or the hospital, one of them only; repeat the level for others"
    for scope, known, kind in (("wards", config.ward_ids, "ward"), ("groups", list(config.groups), "group")):
        names = getattr(level, scope) or ()
        for position, name in enumerate(names):
            if name not in known:
                yield (*place, scope, position), unknown(name, sorted(known), kind)
            elif name in names[:position]:
                yield (*place, scope, position), f"{name!r} appears twice"
    unlimited = {ward.id for ward in config.wards if ward.capacity is None}
    for name in level.rows(config) if level.share is not None else ():
        if without := unlimited & set(config.ward_axis.get(name, ())):
            yield (*place, "share"), f"ward {min(without)!r} has unlimited beds, of which there is no share; give beds"
            break


def _wrong_together(config: "HospitalConfig", row: str) -> _Errors:
    """The levels of a row have names of their own, and each begins above the one before, whatever beds are staffed."""
    ladder = [(index, level) for index, level in enumerate(config.levels) if row in level.rows(config)]
    where = "the whole hospital" if row == HOSPITAL_TOTAL else row
    for position, (index, level) in enumerate(ladder):
        if first := [i for i, other in ladder[:position] if other.name == level.name]:
            yield ("levels", index, "name"), f"{level.name!r} is already a level of {where} (levels[{first[0]}])"
    for (_, lower), (index, level) in pairwise(ladder):
        if what := _not_above(config, row, lower, level):
            yield ("levels", index), f"does not begin above {lower.name!r} in {where}: {what}; list the lowest first"


def _not_above(config: "HospitalConfig", row: str, lower: Level, level: Level) -> str | None:
    """Where a level does not begin above the one before it. Two shares may be the same number of patients in a small
    ward, of a closed one all are."""
    if lower.share is not None and level.share is not None:
        return None if lower.share < level.share else f"a share of {level.share:g} after {lower.share:g}"
    if lower.beds is not None and level.beds is not None:
        return None if lower.beds < level.beds else f"{level.beds} beds after {lower.beds}"
    for staffed in sorted(_numbers_of_beds(config, row) - {0}):
        before, after = lower.patients(staffed), level.patients(staffed)
        if before >= after:
            return f"with {staffed} beds staffed at {after} patients after {before}"
    return None


def _numbers_of_beds(config: "HospitalConfig", row: str) -> set[int]:
    """All numbers of staffed beds in the calendar of a row."""
    wards = [ward for ward in config.wards if ward.id in config.ward_axis[row]]
    dated = sorted({_A_MONDAY, *(instant for ward in wards for instant in ward.dated_instants)})
    instants = {start + timedelta(days=day) for start in (dated[0] - timedelta(days=7), *dated) for day in range(8)}
    midnights = {instant.replace(hour=0, minute=0, second=0, microsecond=0) for instant in instants}
    return {_staffed(wards, at) for at in instants | midnights}


def _staffed(wards: list["Ward"], at: datetime) -> int:
    return sum(ward.beds_at(at) or 0 for ward in wards)
