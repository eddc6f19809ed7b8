"""Types of the values in config files, and the base of its models."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from kaizar_pipeline.errors import quoted

HOURS_PER_DAY = 24
HOURS_PER_WEEK = 168

Weekday = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
WEEKDAYS: tuple[Weekday, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

MAX_NAME = 60
"""Characters of an id, and of a file's name that is one: it becomes part of the names of folders and files."""

Id = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$", max_length=MAX_NAME)]
Share = Annotated[float, Field(ge=0, le=1)]
Beds = Annotated[int, Field(ge=0, le=10_000)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


NAME_TAG, NUMBER_TAG, LIST_TAG, MAPPING_TAG = "[name]", "[number]", "[list]", "[mapping]"
"""What pydantic puts into an error's place to distinguish the forms of a value that has several."""

_Day = TypeVar("_Day", bound=date)


def _parse_instant(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(
            f"found {quoted(value)}, allowed: a date, or a date and time such as 2026-07-01T08:00"
        ) from None


FIRST_YEAR, LAST_YEAR = 1900, 2200
"""Dates outside these years are slips, and some of them beyond what tables of times can hold."""


def _within_years(day: _Day) -> _Day:
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"found {day:%Y-%m-%d}, allowed: a date from {FIRST_YEAR} to {LAST_YEAR}")
    return day


Day = Annotated[date, AfterValidator(_within_years)]
"""A date."""

Instant = Annotated[datetime, BeforeValidator(_parse_instant), AfterValidator(_within_years)]
"""A date and time; a date alone is its midnight."""


def is_open(day: date, opened: date | None, closed: date | None) -> bool:
    """Whether `day` lies between the first day `opened` (None: always was) and the first day `closed` (None: never)."""
    return (opened is None or opened <= day) and (closed is None or day < closed)


class Model(BaseModel):
    """Base of all config models: frozen, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, populate_by_name=True)


Loc = tuple[str | int, ...]
"""Place of a part in a file: keys and positions from the outside in."""

RuleError = tuple[Loc, str]
"""Place and message of a broken rule."""


def raise_errors(title: str, errors: Sequence[RuleError]) -> None:
    """Raise the errors, if any, as pydantic's own, each at its place."""
    if errors:
        raise ValidationError.from_exception_data(
            title,
            [
                # the message is passed as a value: braces in it are not a template
                InitErrorDetails(type=PydanticCustomError("config", "{message}", {"message": m}), loc=loc, input=None)
                for loc, m in errors
            ],
        )


def window_errors(start: date | None, end: date | None) -> Iterator[RuleError]:
    """What is wrong with the time from `start` to `end`, None where it has no limit; places are within its part."""
    zoned = [name for name, bound in (("from", start), ("to", end)) if getattr(bound, "tzinfo", None) is not None]
    for name in zoned:
        yield (name,), "has a time zone; give local time without one"
    if not zoned and start is not None and end is not None and end <= start:
        yield ("to",), "is not after `from`"
