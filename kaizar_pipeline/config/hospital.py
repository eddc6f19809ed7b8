"""What a hospital's YAML file may say: frozen models, every field with unit and default.

`HospitalConfig` is checked once, when it is made; nothing downstream checks again. The rules between its parts are in
`rules.py`, the patients' sources in `patient_sources.py`, lengths of stay in `distributions.py`.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from kaizar_pipeline.config.discharges import ClockSetting, DayFactorSetting
from kaizar_pipeline.config.distributions import Duration, LosModel
from kaizar_pipeline.config.fields import (
    LIST_TAG,
    MAX_NAME,
    NAME_TAG,
    WEEKDAYS,
    Beds,
    Day,
    Id,
    Instant,
    Model,
    NonNegative,
    Positive,
    Weekday,
    is_open,
    raise_errors,
)
from kaizar_pipeline.config.levels import Level
from kaizar_pipeline.config.patient_sources import Extract, SyntheticPatients
from kaizar_pipeline.config.report_settings import ReportSettings
from kaizar_pipeline.config.routing import Route, RouteOption, Routing
from kaizar_pipeline.config.rules import hospital_errors
from kaizar_pipeline.config.simulation_settings import Simulation
from kaizar_pipeline.errors import unknown
from kaizar_pipeline.tables import HOSPITAL_TOTAL

FLAT_PROFILE = (1.0,) * 24


def _profile_form(value: object) -> str:
    return NAME_TAG if isinstance(value, str) else LIST_TAG


HourlyProfile = Annotated[
    Annotated[Literal["from_data", "flat"], Tag(NAME_TAG)] | Annotated[tuple[NonNegative, ...], Tag(LIST_TAG)],
    Discriminator(_profile_form),
]
"""How a stream's arrivals are spread over the hours: learned, flat, or by weights."""

Threshold = Annotated[float, Field(gt=0, le=1)]
"""A fraction of the beds staffed; more than all of them are taken only while a ward is seated beyond its beds."""


class HospitalInfo(Model):
    """Name and place of the hospital."""

    name: str
    """Name as people know it; shown on pages."""
    timezone: str
    """IANA time zone, such as Europe/Amsterdam; all times of the hospital are local wall time there."""
    country: str
    """Two-letter country code, whose public holidays shape arrivals."""
    subdivision: str | None = None
    """State or province with holidays of its own. Default: none."""
    events: str | None = None
    """CSV file of school holidays or local events that may shape arrivals, path relative to the project: columns date
    (2026-07-18) and name, a row for each day of each event, known days ahead included. Default: none."""


class LosCase(Model):
    """A length of stay of its own for some patients of a ward."""

    patient_type: Id | None = None
    """Patient type it holds for. Default: all."""
    next_ward: str | None = None
    """Next ward it holds for, or _home for those discharged. Default: any."""
    los_model: Duration
    """The distribution of the length of stay."""

    @property
    def specificity(self) -> int:
        """How closely the case describes a patient; the closest one that fits wins."""
        return 2 * (self.patient_type is not None) + (self.next_ward is not None)


class CapacityChange(Model):
    """Another number of beds from one instant to another."""

    start: Instant = Field(alias="from")
    """First local instant, a date (its midnight) or a date and time."""
    end: Instant | None = Field(default=None, alias="to")
    """First local instant at which it no longer holds. Default: no end."""
    capacity: Beds
    """Beds staffed meanwhile."""


class Ward(Model):
    """A ward: its beds, how long patients stay, and what happens when they cannot move on."""

    id: Id
    """Short name, used everywhere else."""
    name: str = ""
    """Name as people know it. Default: the id."""
    type: Literal["ED", "ICU", "WARD", "SHORT_STAY"] = "WARD"
    """Kind of ward, used to group wards on pages. Default: WARD."""
    capacity: Beds | None
    """Beds staffed; null: unlimited."""
    los_model: LosModel
    """Length of stay, from admission to the end of care in the ward."""
    los_by: tuple[LosCase, ...] = ()
    """Exceptions to los_model for a patient type or next ward; the closest one wins. Default: none."""
    boarding: Literal["hold", "release"] = "hold"
    """Patients whose next ward is full keep their bed meanwhile (hold, default) or give it up at once (release)."""
    discharge_delay: Duration | None = None
    """Time a patient who goes home from here still holds the bed after care has ended. Default: none."""
    discharge_clock: ClockSetting | None = None
    """How the chance of going home varies over the week: from_data (learned), none, or hours and weekdays. Default:
    from_data where los_model is (of stamps of days the weekdays alone); else none."""
    transfer_clock: ClockSetting | None = None
    """The same of moving on to another ward. Default: likewise."""
    day_factor: DayFactorSetting | None = None
    """How much better or worse some days are for discharges and transfers: from_data (learned), none, or numbers.
    Default: from_data where los_model is; else none."""
    queue_limit: Beds | None = None
    """Patients who may wait for a bed here: while so many do, arrivals from outside that find no bed are turned away;
    transfers wait all the same, and count. Default (null): no limit."""
    capacity_changes: tuple[CapacityChange, ...] = ()
    """Dated changes of the beds staffed. Default: none."""
    weekday_capacity: dict[Weekday, Beds] = Field(default_factory=dict)
    """Beds staffed on some weekdays, midnight to midnight; dated changes come first. Default: capacity every day."""
    opened: Day | None = None
    """First day on which its beds are staffed; no bed is before. Default: always open."""
    closed: Day | None = None
    """First day on which none of its beds is staffed any more. Default: never."""

    @property
    def label(self) -> str:
        """The name for people."""
        return self.name or self.id

    @property
    def dated_instants(self) -> set[datetime]:
        """The instants of the calendar at which the number of beds may change; those of weekdays come on top."""
        days = (day for day in (self.opened, self.closed) if day is not None)
        bounds = (bound for change in self.capacity_changes for bound in (change.start, change.end))
        return {datetime(day.year, day.month, day.day) for day in days} | {bound for bound in bounds if bound}

    def beds_at(self, at: datetime) -> int | None:
        """Beds staffed at an instant, None for unlimited."""
        if not is_open(at.date(), self.opened, self.closed):
            return 0
        for change in self.capacity_changes:
            if change.start <= at and (change.end is None or at < change.end):
                return change.capacity
        return self.weekday_capacity.get(WEEKDAYS[at.weekday()], self.capacity)


class PatientType(Model):
    """A kind of patient, as far as priority, route and length of stay go."""

    id: Id
    """Short name, used everywhere else."""
    description: str = ""
    """For people. Default: empty."""
    priority: int = 0
    """A larger number is more urgent. Default: 0."""
    patience: Duration | None = None
    """Time after which a patient who waits for a first bed leaves without being seen. Default: waits without limit."""


class MlPoisson(Model):
    """Forecast from the stream's own history."""

    type: Literal["ml_poisson"]
    """Kind of model."""
    mean_per_day: Positive | None = None
    """Mean arrivals per day expected of a stream before it has a history; counts as much as one day of it. Default:
    none; a stream of which no day is known is then forecast at half an arrival per day."""


class Schedule(Model):
    """A number of arrivals on each listed weekday, such as planned surgery."""

    type: Literal["schedule"]
    """Kind of model."""
    pattern: str
    """Weekdays, such as "Mon,Tue,Thu"."""
    mean_per_day: NonNegative
    """Mean arrivals on each listed day."""
    variability: Literal["fixed", "poisson"] = "fixed"
    """fixed (default): the mean rounded up or down at random; poisson: a Poisson number."""
    on_holidays: bool = False
    """Whether patients also arrive on public holidays. Default: no."""

    @property
    def weekdays(self) -> frozenset[int]:
        """Listed weekdays, Monday 0."""
        return frozenset(WEEKDAYS.index(day.strip()) for day in self.pattern.split(","))

    @model_validator(mode="after")
    def _known_weekdays(self) -> Self:
        days = [day.strip() for day in self.pattern.split(",")]
        for index, day in enumerate(days):
            if day not in WEEKDAYS:
                raise ValueError(f"{unknown(day, WEEKDAYS, 'weekday')} in pattern")
            if day in days[:index]:
                raise ValueError(f"{day} appears twice in pattern; for more patients on a day raise mean_per_day")
        return self


class Constant(Model):
    """The same Poisson mean every day."""

    type: Literal["constant"]
    """Kind of model."""
    mean_per_day: NonNegative
    """Mean arrivals per day."""


class ArrivalStream(Model):
    """Patients of one type who ask for care at one ward."""

    id: Id
    """Short name, used everywhere else."""
    target_ward: Id
    """Ward where they ask for a first bed."""
    patient_type: Id
    """Their patient type."""
    hourly_profile: HourlyProfile | None = None
    """Hours of arrival: from_data (learned from the history), flat, or weights of a day's 24 hours, or of a week's 168
    from Monday 0:00; normalised within each day, and a weekday of zeros has no arrivals. Default: from_data with an
    extract, flat with a synthetic history."""
    model: Annotated[MlPoisson | Schedule | Constant, Field(discriminator="type")]
    """How many arrive each day."""
    scale_factor_by_month: dict[Annotated[int, Field(ge=1, le=12)], NonNegative] = Field(default_factory=dict)
    """Factors by month (1 to 12) on a schedule or constant stream; a forecast stream learns its season. Default: 1."""
    opened: Day | None = None
    """First day on which patients come; days before are no part of its history. Default: the first day of the records,
    or its own first arrival if that comes long after."""
    closed: Day | None = None
    """First day on which patients come no more. Default: never."""

    @property
    def is_forecast(self) -> bool:
        """Whether the model, not the config, gives the number of arrivals."""
        return self.model.type == "ml_poisson"

    @property
    def is_planned(self) -> bool:
        """Whether its patients are planned: they follow a schedule."""
        return isinstance(self.model, Schedule)

    @property
    def is_fixed(self) -> bool:
        """Whether each day has the configured number of arrivals, not a Poisson number of that mean."""
        return isinstance(self.model, Schedule) and self.model.variability == "fixed"

    @property
    def configured_profile(self) -> tuple[float, ...]:
        """The weights that the config gives: 24 or 168, flat where it gives none."""
        return self.hourly_profile if isinstance(self.hourly_profile, tuple) else FLAT_PROFILE


class WardPriority(Model):
    """A priority in one ward that differs from the patient type's."""

    ward: Id
    """Ward whose queue it holds for."""
    patient_type: Id
    """Patient type."""
    priority: int
    """A larger number is more urgent."""


class Overflow(Model):
    """What happens to requests for a ward that is nearly full."""

    ward: Id
    """Ward that overflows."""
    threshold: Threshold = 1.0
    """Census from which on requests are redirected, as a fraction of the beds staffed at that moment. Default: 1.0."""
    redirect_to: Annotated[tuple[Id, ...], Field(min_length=1)]
    """Wards in order; the first with a free bed and nobody waiting takes the patient as an outlier."""


class AdmissionStop(Model):
    """Arrivals of some types are diverted while a ward is nearly full."""

    ward: Id
    """Ward that is watched."""
    threshold: Threshold
    """Census from which on arrivals are diverted, as a fraction of the beds staffed at that moment."""
    stop_types: Annotated[tuple[Id, ...], Field(min_length=1)]
    """Patient types that are diverted, whichever ward they ask for."""


class Policies(Model):
    """How beds are given out when they are scarce."""

    priorities: tuple[WardPriority, ...] = ()
    """Priorities of some types in some wards. Default: the patient type's everywhere."""
    overflow: tuple[Overflow, ...] = ()
    """Redirections to other wards. Default: none."""
    admission_stop: tuple[AdmissionStop, ...] = ()
    """Admission stops. Default: none."""


class HospitalFile(Model):
    """A hospital: its patients, wards, streams, routes, policies, and how to simulate it."""

    hospital: HospitalInfo
    """Who and where."""
    patients: Annotated[SyntheticPatients | Extract, Field(discriminator="source")]
    """Where its history comes from."""
    wards: Annotated[tuple[Ward, ...], Field(min_length=1)]
    """Its wards."""
    patient_types: Annotated[tuple[PatientType, ...], Field(min_length=1)]
    """Its kinds of patient."""
    arrival_streams: Annotated[tuple[ArrivalStream, ...], Field(min_length=1)]
    """Its streams of arrivals."""
    routing: Routing = ()
    """Where patients go after a ward: rows, or from_data (learned from the history's ward stays). Default: home."""
    policies: Policies = Policies()
    """How scarce beds are given out. Default: by priority and order of request."""
    groups: dict[Id, Annotated[tuple[Id, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Groups of wards that tables show beside each ward, such as medicine: [a, b]; they may overlap. Default: none."""
    levels: tuple[Level, ...] = ()
    """Levels of the census whose chances are shown, in rising order, such as {name: amber, share: 0.92}. Default:
    none."""
    simulation: Simulation = Simulation()
    """How the twin runs."""
    report: ReportSettings = ReportSettings()
    """How the report shows the hospital."""


class HospitalConfig(HospitalFile):
    """A checked hospital, together with its id: the stem of its file."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$", max_length=MAX_NAME)]
    """Partition key and file name."""
    given_routes: tuple[Route, ...] = ()
    """With `routing: from_data` the rows that a scenario gives in place of learned routes; never in a file."""

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        raise_errors("hospital", list(hospital_errors(self)))
        return self

    @property
    def ward_ids(self) -> list[str]:
        """In the order of the file."""
        return [ward.id for ward in self.wards]

    @property
    def totals(self) -> dict[str, tuple[str, ...]]:
        """The wards of each group, and of the whole hospital: all."""
        return {**self.groups, HOSPITAL_TOTAL: tuple(self.ward_ids)}

    @property
    def ward_axis(self) -> dict[str, tuple[str, ...]]:
        """The wards of each row that tables have by ward: of each ward itself, then the `totals`."""
        return {**{ward: (ward,) for ward in self.ward_ids}, **self.totals}

    @property
    def ladders(self) -> tuple[tuple[Level, ...], ...]:
        """The levels of each row of `ward_axis`, from the lowest on."""
        return tuple(tuple(level for level in self.levels if row in level.rows(self)) for row in self.ward_axis)

    @property
    def patient_type_ids(self) -> list[str]:
        """In the order of the file."""
        return [patient_type.id for patient_type in self.patient_types]

    @property
    def forecast_streams(self) -> list[ArrivalStream]:
        """Streams whose rates the model forecasts."""
        return [stream for stream in self.arrival_streams if stream.is_forecast]

    def stream(self, stream_id: str) -> ArrivalStream:
        """The stream of that id."""
        return next(stream for stream in self.arrival_streams if stream.id == stream_id)

    def learns_hours(self, stream: ArrivalStream) -> bool:
        """Whether a stream's hours of arrival are learned from the history."""
        default = "from_data" if self.patients.hours_from_data else "flat"
        return (stream.hourly_profile or default) == "from_data"

    @property
    def learns_routes(self) -> bool:
        """Whether routes are learned from the history, but for those that `routes` has."""
        return self.routing == "from_data"

    @property
    def routes(self) -> tuple[Route, ...]:
        """The rows that are given."""
        return self.given_routes if isinstance(self.routing, str) else self.routing

    def given_options(self, ward: str, patient_type: str) -> tuple[RouteOption, ...] | None:
        """Given routes from `ward` for `patient_type`: its own row, else the row for every type, else None."""
        rows = {route.patient_type: route.options for route in self.routes if route.from_ward == ward}
        return rows.get(patient_type, rows.get(None))

    def route_options(self, ward: str, patient_type: str) -> tuple[RouteOption, ...]:
        """The same, none where no row gives any."""
        return self.given_options(ward, patient_type) or ()

    @property
    def wards_with_routes(self) -> set[str]:
        """Wards from which some patients go to another ward, as far as is known without the history; all may where
        routes are learned."""
        if self.learns_routes:
            return set(self.ward_ids)
        return {route.from_ward for route in self.routes if any(option.probability > 0 for option in route.options)}
