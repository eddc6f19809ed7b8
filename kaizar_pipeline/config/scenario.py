"""What a scenario's YAML file may say: another version of a hospital, to be compared with the hospital as it is.

Parts have the form of the hospital's and are matched by id, so that a part gives its id and only what is different.
Here are the models, and the rules that can be checked without a hospital; `variant.py` applies a scenario to one.
"""

from collections.abc import Callable, Hashable, Iterator
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from kaizar_pipeline.config.discharges import GivenClock
from kaizar_pipeline.config.distributions import Duration
from kaizar_pipeline.config.fields import (
    MAX_NAME,
    Beds,
    Day,
    Id,
    Instant,
    Loc,
    Model,
    NonNegative,
    Positive,
    RuleError,
    Weekday,
    raise_errors,
    window_errors,
)
from kaizar_pipeline.config.hospital import (
    AdmissionStop,
    CapacityChange,
    Constant,
    HospitalConfig,
    LosCase,
    Overflow,
    Schedule,
    Threshold,
    Ward,
    WardPriority,
)
from kaizar_pipeline.config.routing import Route

BASELINE = "baseline"
"""The scenario that is the unchanged hospital; no file may have its name."""


class WardOverride(Model):
    """What is different in a ward; what is not named stays as the hospital has it."""

    id: Id
    """Ward of the hospital."""
    capacity: Beds | None = None
    """Beds staffed; null: unlimited. Dated and weekday numbers of the hospital still come first. Default: as it is."""
    capacity_changes: tuple[CapacityChange, ...] = ()
    """Dated changes of the beds staffed, instead of the hospital's. Default: as they are."""
    weekday_capacity: dict[Weekday, Beds] = Field(default_factory=dict)
    """Beds staffed on some weekdays, instead of the hospital's. Default: as they are."""
    los_model: Duration | None = None
    """Length of stay; the hospital's los_by still come first. Default: as it is."""
    los_by: tuple[LosCase, ...] = ()
    """Exceptions to los_model, instead of the hospital's. Default: as they are."""
    boarding: Literal["hold", "release"] | None = None
    """Whether patients whose next ward is full keep their bed meanwhile. Default: as it is."""
    discharge_delay: Duration | None = None
    """Time a patient who goes home still holds the bed; null: none. Default: as it is."""
    queue_limit: Beds | None = None
    """Patients who may wait for a bed here; null: no limit. Default: as it is."""
    discharge_clock: GivenClock | None = None
    """How the chance of going home varies over the week: none, or hours and weekdays. Default: as it is."""
    transfer_clock: GivenClock | None = None
    """The same of moving on to another ward. Default: as it is."""


class StreamOverride(Model):
    """What is different in a stream of arrivals; what is not named stays as the hospital has it."""

    id: Id
    """Stream of the hospital."""
    target_ward: Id | None = None
    """Ward where the patients ask for a first bed. Default: as it is."""
    patient_type: Id | None = None
    """Their patient type. Default: as it is."""
    hourly_profile: tuple[NonNegative, ...] = ()
    """Weights of a day's 24 hours, or a week's 168 from Monday 0:00. Default: as it is."""
    model: Annotated[Schedule | Constant, Field(discriminator="type")] | None = None
    """How many arrive each day; only the hospital itself can have a stream forecast. Default: as it is."""
    scale_factor_by_month: dict[Annotated[int, Field(ge=1, le=12)], NonNegative] = Field(default_factory=dict)
    """Factors by month on a schedule or constant stream, instead of the hospital's. Default: as they are."""


class OverflowOverride(Overflow):
    """A redirection of the scenario."""

    redirect_to: tuple[Id, ...]
    """Wards in order, as in the hospital; an empty list: the ward no longer overflows."""


class AdmissionStopOverride(AdmissionStop):
    """An admission stop of the scenario."""

    threshold: Threshold = 1.0
    """Census from which on arrivals are diverted, as a fraction of the beds staffed at that moment. Default: 1.0."""
    stop_types: tuple[Id, ...]
    """Patient types that are diverted, as in the hospital; an empty list: the ward's stops are lifted."""


class PolicyOverrides(Model):
    """Rules that replace the hospital's rules for the same ward, or join them."""

    priorities: tuple[WardPriority, ...] = ()
    """Priorities, by ward and patient type. Default: as they are."""
    overflow: tuple[OverflowOverride, ...] = ()
    """Redirections, by ward. Default: as they are."""
    admission_stop: tuple[AdmissionStopOverride, ...] = ()
    """Admission stops, by ward. Default: as they are."""


POLICY_SUBJECTS: dict[str, Callable[[Any], Hashable]] = {
    "priorities": lambda rule: (rule.ward, rule.patient_type),
    "overflow": lambda rule: rule.ward,
    "admission_stop": lambda rule: rule.ward,
}
"""What a rule of each kind is about: a scenario's rule replaces the hospital's rules about the same."""


class _Rule(Model):
    """Something that holds for parts of a hospital, always or for a while."""

    @property
    def names_parts(self) -> bool:
        """Whether it names parts of a hospital."""
        return any(getattr(self, key, ()) for key in ("streams", "wards", "patient_types"))

    @property
    def months_held(self) -> frozenset[int]:
        """Months of the year in which it holds."""
        return frozenset(getattr(self, "months", ()) or range(1, 13))

    @property
    def window(self) -> tuple[datetime, datetime]:
        """First instant at which it holds, and first at which it no longer does."""
        start, end = (_instant(getattr(self, bound, None)) for bound in ("start", "end"))
        return start or datetime.min, end or datetime.max


class ArrivalScale(_Rule):
    """A factor on arrivals. The baseline's patients stay the same ones: some are left out, or others join them."""

    factor: NonNegative
    """Factor on the rate."""
    streams: tuple[Id, ...] = ()
    """Streams it holds for. Default: those of `wards`, or all."""
    wards: tuple[Id, ...] = ()
    """Wards whose streams it holds for, instead of `streams`. Default: all."""
    months: tuple[Annotated[int, Field(ge=1, le=12)], ...] = ()
    """Months (1 to 12) of the time from `from` to `to` that it holds in. Default: all."""
    start: Day | None = Field(default=None, alias="from")
    """First day. Default: the first day ahead."""
    end: Day | None = Field(default=None, alias="to")
    """First day on which it no longer holds. Default: no end."""

    @model_validator(mode="after")
    def _streams_or_wards(self) -> Self:
        if self.streams and self.wards:
            raise ValueError("names streams and wards; name one of them, or neither for all streams")
        return self

    def applies_to(self, hospital: HospitalConfig) -> list[str]:
        """The streams that it holds for."""
        return [
            stream.id
            for stream in hospital.arrival_streams
            if (stream.id in self.streams or not self.streams) and (stream.target_ward in self.wards or not self.wards)
        ]


class LosScale(_Rule):
    """A factor on lengths of stay, also those of the patients already in the hospital."""

    factor: Positive
    """Factor on every length of stay."""
    wards: tuple[Id, ...] = ()
    """Wards it holds for. Default: all."""
    patient_types: tuple[Id, ...] = ()
    """Patient types it holds for. Default: all."""

    @model_validator(mode="before")
    @classmethod
    def _not_dated(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        if {"from", "to"} & values.keys():
            raise ValueError(
                "a length of stay is drawn on arrival and covers days before and after any date: los_scale takes no "
                "from or to; use capacity_overrides or arrival_scale for what is dated"
            )
        # after a before-validator pydantic no longer takes a list of JSON's for a tuple
        return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}

    def applies_to(self, hospital: HospitalConfig) -> list[tuple[str, str]]:
        """The wards and patient types that it holds for."""
        wards, types = self.wards or hospital.ward_ids, self.patient_types or hospital.patient_type_ids
        return [(ward, patient_type) for ward in wards for patient_type in types]


class CapacityOverride(_Rule):
    """Other beds in a ward, always or for a while; they come before all numbers of the hospital."""

    ward: Id
    """Ward of the hospital."""
    capacity: Beds | None = None
    """Beds staffed. Default: as `change` says; one of the two is required."""
    change: Annotated[int, Field(ge=-10_000, le=10_000)] | None = None
    """Beds more (or, below zero, fewer) than the hospital would staff at each moment. Default: as `capacity` says."""
    start: Instant | None = Field(default=None, alias="from")
    """First local instant, a date (its midnight) or a date and time. Default: as_of."""
    end: Instant | None = Field(default=None, alias="to")
    """First local instant at which it no longer holds. Default: no end."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.capacity is None) == (self.change is None):
            raise ValueError("give either capacity (beds) or change (beds more or fewer)")
        return self

    def applies_to(self, hospital: HospitalConfig) -> list[str]:
        """The ward that it holds for, in any `hospital`."""
        return [self.ward]


def _instant(at: date | None) -> datetime | None:
    """A date's midnight, an instant without its time zone (which is an error, reported as such)."""
    if at is None:
        return None
    return at.replace(tzinfo=None) if isinstance(at, datetime) else datetime(at.year, at.month, at.day)


class ScenarioFile(Model):
    """Another version of a hospital: what is different; everything else is as in the hospital."""

    description: str
    """What the scenario is, for people."""
    hospitals: tuple[str, ...] = ()
    """Hospitals it is about; required when it names wards, streams or patient types. Default: every hospital."""
    wards: tuple[WardOverride, ...] = ()
    """What is different in wards, matched by id. Default: nothing."""
    add_wards: tuple[Ward, ...] = ()
    """Wards that the hospital does not have; routing or overflow has to lead there. Default: none."""
    arrival_streams: tuple[StreamOverride, ...] = ()
    """What is different in streams, matched by id. Default: nothing."""
    routing: tuple[Route, ...] = ()
    """Rows that replace the hospital's for the same ward and patient type, or join them. Default: as it is."""
    policies: PolicyOverrides = PolicyOverrides()
    """Rules that replace the hospital's for the same ward, or join them. Default: as they are."""
    arrival_scale: tuple[ArrivalScale, ...] = ()
    """Factors on arrivals, at most one at a time for a stream. Default: none."""
    los_scale: tuple[LosScale, ...] = ()
    """Factors on lengths of stay, at most one for a ward and patient type. Default: none."""
    capacity_overrides: tuple[CapacityOverride, ...] = ()
    """Other beds, at most one number at a time for a ward. Default: none."""


PARTS = tuple(name for name in ScenarioFile.model_fields if name not in ("description", "hospitals"))
"""Keys of what can be different."""


class Scenario(ScenarioFile):
    """A checked scenario, together with its id: the stem of its file."""

    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$", max_length=MAX_NAME)]
    """Name and file name."""

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        raise_errors("scenario", [*_missing_hospitals(self), *_repeated(self), *_impossible_windows(self)])
        return self

    def is_about(self, hospital_id: str) -> bool:
        """Whether it can be compared with that hospital."""
        return not self.hospitals or hospital_id in self.hospitals

    @property
    def changes_something(self) -> bool:
        """Whether anything is different; without, it is compared with itself."""
        return any(getattr(self, name) != ScenarioFile.model_fields[name].default for name in PARTS)


_NAMED_PARTS = ("wards", "add_wards", "arrival_streams", "routing", "policies", "capacity_overrides")
"""Keys that name parts of a hospital as soon as they are given."""


def _missing_hospitals(scenario: Scenario) -> Iterator[RuleError]:
    named = [name for name in _NAMED_PARTS if getattr(scenario, name) != ScenarioFile.model_fields[name].default]
    scales = {"arrival_scale": scenario.arrival_scale, "los_scale": scenario.los_scale}
    named += [field for field, rules in scales.items() if any(rule.names_parts for rule in rules)]
    if named and not scenario.hospitals:
        yield (
            ("hospitals",),
            f"is required, since {', '.join(named)} name parts of a hospital: list the hospitals meant",
        )


def _repeated(scenario: Scenario) -> Iterator[RuleError]:
    subjects: dict[Loc, list[set[Hashable]]] = {
        ("wards",): [{ward.id} for ward in scenario.wards],
        ("add_wards",): [{ward.id} for ward in scenario.add_wards],
        ("arrival_streams",): [{stream.id} for stream in scenario.arrival_streams],
        ("routing",): [{(route.from_ward, route.patient_type)} for route in scenario.routing],
    }
    for name, subject in POLICY_SUBJECTS.items():
        # a ward may have several stops, each for other types
        subjects["policies", name] = [
            {(subject(rule), kind) for kind in getattr(rule, "stop_types", (None,))}
            for rule in getattr(scenario.policies, name)
        ]
    for place, found in subjects.items():
        for index, own in enumerate(found):
            first = next((i for i in range(index) if own & found[i]), None)
            if first is not None:
                yield (*place, index), f"repeats the subject of {place[-1]}[{first}]; give it once"


def _impossible_windows(scenario: Scenario) -> Iterator[RuleError]:
    for field in ("arrival_scale", "capacity_overrides"):
        for index, rule in enumerate(getattr(scenario, field)):
            yield from (((field, index, *loc), what) for loc, what in window_errors(rule.start, rule.end))
