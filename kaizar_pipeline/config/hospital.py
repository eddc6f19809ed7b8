"""What a hospital's YAML file may say: frozen models, every field with unit and default, and every rule between them.

`HospitalConfig` is checked once, when it is made; nothing downstream checks again. The rules that span several parts
(references, routes, probabilities) are in `cross_faults`, which reports all faults at once, each with its place.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self
from zoneinfo import available_timezones

import holidays
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from kaizar_pipeline.tables import ALL, ANY, HOME, HOSPITAL_TOTAL

Weekday = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
WEEKDAYS: tuple[Weekday, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

FLAT_PROFILE = (1.0,) * 24
DAYTIME_DISCHARGES = (0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 6, 8, 9, 10, 10, 9, 8, 6, 4, 2, 1, 1, 0, 0)
"""Discharges by hour of the day for extracts with days only: an assumption, most patients leave around midday."""

Id = Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$", max_length=60)]
Share = Annotated[float, Field(ge=0, le=1)]
Beds = Annotated[int, Field(ge=0, le=10_000)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _parse_instant(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"found {value!r}, allowed: a date, or a date and time such as 2026-07-01T08:00") from None


Instant = Annotated[datetime, BeforeValidator(_parse_instant)]
"""A date and time; a date alone is its midnight."""


class Model(BaseModel):
    """Base of all config models: frozen, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, populate_by_name=True)


class HospitalInfo(Model):
    """Who the hospital is and where it stands."""

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


class MeanSd(Model):
    """A duration by its mean and standard deviation."""

    mean: Positive
    """Mean, in the model's `unit`."""
    sd: Positive
    """Standard deviation, in the model's `unit`."""


class ShapeScale(Model):
    """A Weibull distribution by shape and scale."""

    shape: Positive
    """Shape k, without unit."""
    scale: Positive
    """Scale, in the model's `unit`."""


class Mean(Model):
    """A duration by its mean."""

    mean: Positive
    """Mean, in the model's `unit`."""


class Value(Model):
    """A duration that is always the same."""

    value: NonNegative
    """The duration, in the model's `unit`."""


class Values(Model):
    """Durations that were seen; quantiles between them are interpolated."""

    values: Annotated[tuple[NonNegative, ...], Field(min_length=1)]
    """The durations, in the model's `unit`, in any order."""


class _Duration(Model):
    unit: Literal["hours", "days"] = "hours"
    """Unit of all parameters: hours (default) or days."""


class Lognormal(_Duration):
    """Lognormal with the given mean and standard deviation (of the duration, not of its logarithm)."""

    type: Literal["lognormal"]
    """Kind of distribution."""
    params: MeanSd
    """Mean and standard deviation."""


class Gamma(_Duration):
    """Gamma with the given mean and standard deviation."""

    type: Literal["gamma"]
    """Kind of distribution."""
    params: MeanSd
    """Mean and standard deviation."""


class Weibull(_Duration):
    """Weibull with shape and scale."""

    type: Literal["weibull"]
    """Kind of distribution."""
    params: ShapeScale
    """Shape and scale."""


class Exponential(_Duration):
    """Exponential with the given mean."""

    type: Literal["exponential"]
    """Kind of distribution."""
    params: Mean
    """Mean."""


class Fixed(_Duration):
    """Always the same duration."""

    type: Literal["fixed"]
    """Kind of distribution."""
    params: Value
    """The duration."""


class Empirical(_Duration):
    """The quantiles of a list of durations."""

    type: Literal["empirical"]
    """Kind of distribution."""
    params: Values
    """The durations."""


class FromData(Model):
    """The empirical distribution of the ward's completed stays, per patient type where there are enough."""

    type: Literal["from_data"]
    """Kind of distribution."""


Duration = Annotated[Lognormal | Gamma | Weibull | Exponential | Fixed | Empirical, Field(discriminator="type")]
LosModel = Annotated[
    Lognormal | Gamma | Weibull | Exponential | Fixed | Empirical | FromData, Field(discriminator="type")
]


class LosCase(Model):
    """A length of stay of its own for some patients of a ward."""

    patient_type: Id | None = None
    """Patient type it holds for. Default: all."""
    next_ward: str | None = None
    """Next ward it holds for, or _home for those discharged. Default: whatever comes next."""
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
    """First local instant at which it no longer holds. Default: for good."""
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
    capacity_changes: tuple[CapacityChange, ...] = ()
    """Dated changes of the beds staffed. Default: none."""
    weekday_capacity: dict[Weekday, Beds] = Field(default_factory=dict)
    """Beds staffed on some weekdays, midnight to midnight; dated changes come first. Default: capacity every day."""

    @property
    def label(self) -> str:
        """The name for people."""
        return self.name or self.id

    def beds_at(self, at: datetime) -> int | None:
        """Beds staffed at an instant, None for unlimited."""
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
    """Time after which a patient who waits for a first bed leaves without being seen. Default: waits for ever."""


class MlPoisson(Model):
    """Forecast from the stream's own history."""

    type: Literal["ml_poisson"]
    """Kind of model."""


class Schedule(Model):
    """So many on each listed weekday, such as planned surgery."""

    type: Literal["schedule"]
    """Kind of model."""
    pattern: str
    """Weekdays, such as "Mon,Tue,Thu"."""
    mean_per_day: NonNegative
    """Mean arrivals on each listed day."""
    variability: Literal["fixed", "poisson"] = "fixed"
    """fixed (default): the mean rounded up or down at random; poisson: a Poisson number."""
    on_holidays: bool = False
    """Whether patients come on public holidays too. Default: no."""

    @property
    def weekdays(self) -> frozenset[int]:
        """Listed weekdays, Monday 0."""
        return frozenset(WEEKDAYS.index(day.strip()) for day in self.pattern.split(","))

    @model_validator(mode="after")
    def _known_weekdays(self) -> Self:
        unknown = [day for day in self.pattern.split(",") if day.strip() not in WEEKDAYS]
        if unknown:
            raise ValueError(f"unknown weekday {unknown[0].strip()!r} in pattern, allowed: {', '.join(WEEKDAYS)}")
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
    hourly_profile: tuple[NonNegative, ...] = FLAT_PROFILE
    """Weights of a day's 24 hours, or a week's 168 from Monday 0:00; normalised within each day. Default: flat."""
    model: Annotated[MlPoisson | Schedule | Constant, Field(discriminator="type")]
    """How many come each day."""
    scale_factor_by_month: dict[Annotated[int, Field(ge=1, le=12)], NonNegative] = Field(default_factory=dict)
    """Factors by month (1 to 12) on a schedule or constant stream; a forecast stream learns its season. Default: 1."""

    @property
    def is_forecast(self) -> bool:
        """Whether the model, not the config, says how many come."""
        return self.model.type == "ml_poisson"


class RouteOption(Model):
    """One way on."""

    to_ward: Id
    """The next ward."""
    probability: Share
    """Share of patients who go there."""


class Route(Model):
    """Where patients of a type go from a ward; the rest goes home."""

    from_ward: Id
    """Ward they leave."""
    patient_type: Id | None = None
    """Their type. Default: every type without a row of its own for this ward."""
    options: tuple[RouteOption, ...]
    """Ways on; what the probabilities leave of 1 goes home."""


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
    threshold: Annotated[float, Field(gt=0, le=2)] = 1.0
    """Census from which on requests are redirected, as a fraction of the beds staffed at that moment. Default: 1.0."""
    redirect_to: Annotated[tuple[Id, ...], Field(min_length=1)]
    """Wards in order; the first with a free bed and nobody waiting takes the patient as an outlier."""


class AdmissionStop(Model):
    """Arrivals of some types are diverted while a ward is nearly full."""

    ward: Id
    """Ward that is watched."""
    threshold: Annotated[float, Field(gt=0, le=2)]
    """Census from which on arrivals are diverted, as a fraction of the beds staffed at that moment."""
    stop_types: Annotated[tuple[Id, ...], Field(min_length=1)]
    """Patient types that are diverted, wherever they were headed."""


class Policies(Model):
    """How beds are given out when they are scarce."""

    priorities: tuple[WardPriority, ...] = ()
    """Priorities of some types in some wards. Default: the patient type's everywhere."""
    overflow: tuple[Overflow, ...] = ()
    """Redirections to other wards. Default: none."""
    admission_stop: tuple[AdmissionStop, ...] = ()
    """Admission stops. Default: none."""


class Precision(Model):
    """Half-widths of 95 % confidence intervals to reach; at least one. More replications make them narrower."""

    mean_census: Positive | None = None
    """Beds: of the mean census of any ward at any hour. Default: not asked for."""
    prob_full: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share: of the probability that a ward is full, any ward at any hour. Default: not asked for."""
    wait_mean_hours: Positive | None = None
    """Hours: of the mean wait from request to bed, any ward. Default: not asked for."""

    @property
    def targets(self) -> dict[str, float]:
        """Half-width to reach by quantity, those asked for."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _at_least_one(self) -> Self:
        if not self.targets:
            raise ValueError(f"names no quantity, allowed: one or more of {', '.join(type(self).model_fields)}")
        return self


ReplicationCount = Annotated[int, Field(ge=2, le=100_000)]


class Replications(Model):
    """As many futures as a precision takes."""

    at_most: ReplicationCount
    """Futures to simulate at most, whatever the precision then is."""
    precision: Precision
    """Stop as soon as all of these are reached; looked at after 100 futures, then each time their number doubles."""


NUMBER_TAG, MAPPING_TAG = "[number]", "[mapping]"
"""What pydantic puts in the place of a fault to tell the two forms of `replications` apart."""


def _form(value: object) -> str:
    return MAPPING_TAG if isinstance(value, dict | Replications) else NUMBER_TAG


class Simulation(Model):
    """How far ahead, how often and from where the twin runs."""

    horizon_days: Annotated[int, Field(ge=1, le=180)] = 28
    """Days ahead. Default: 28."""
    replications: Annotated[
        Annotated[ReplicationCount, Tag(NUMBER_TAG)] | Annotated[Replications, Tag(MAPPING_TAG)], Discriminator(_form)
    ] = 200
    """Futures to simulate: a number, or a precision to reach with the number they may at most take. Default: 200."""
    engine: Literal["compiled", "simpy"] = "compiled"
    """compiled (default): fast; simpy: the readable reference, some hundred times slower. Their results are equal."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    """Seed of every random number. Default: 42."""
    start: Literal["census", "empty"] = "census"
    """census (default): begin with the patients in the house; empty: begin empty, with a warm-up."""
    warmup_days: Annotated[int, Field(ge=0, le=365)] | None = None
    """Warm-up before the horizon, with `start: empty` only; it repeats the first seven days ahead. Default: 7."""
    overload: Literal["refuse", "allow"] = "refuse"
    """A ward whose patients ask for more beds than are staffed, so that its queue only grows: an error that says which
    (refuse, default), or simulate all the same (allow)."""
    high_occupancy: Share = 0.92
    """prob_above is the probability of a census above this share of the staffed beds. Default: 0.92."""
    risk_target: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Share of risk events for which the required beds may fall short. Default: 0.1; 0 is reached by no number."""
    risk_event: Literal["day", "horizon_peak"] = "day"
    """What required beds must cover: a day's highest census (day, default) or that of all days (horizon_peak)."""

    @property
    def max_replications(self) -> int:
        """The number of futures, or the most there may be when a precision decides."""
        return self.replications.at_most if isinstance(self.replications, Replications) else self.replications

    @property
    def warmup(self) -> int:
        """Days of warm-up that really run."""
        return 0 if self.start == "census" else 7 if self.warmup_days is None else self.warmup_days


class StreamTruth(Model):
    """How a synthetic stream's arrivals really come about; the forecaster never reads it."""

    mean_per_day: Positive | None = None
    """Mean arrivals per day at the start. Required for forecast streams; others follow their model."""
    weekday: dict[Weekday, NonNegative] = Field(default_factory=dict)
    """Factors by weekday, scaled to a mean of 1 over the week. Default: 1."""
    yearly_amplitude: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Relative height of the yearly wave. Default: 0."""
    yearly_peak_day: Annotated[int, Field(ge=1, le=366)] = 15
    """Day of the year at which the wave peaks. Default: 15 (mid January)."""
    holiday_factor: NonNegative = 1.0
    """Factor on public holidays. Default: 1."""
    trend_per_year: Annotated[float, Field(gt=-1, lt=5)] = 0.0
    """Relative growth per year. Default: 0."""
    drift_sd: Annotated[float, Field(ge=0, le=1)] = 0.0
    """The level wanders: standard deviation of its logarithm after one year. Default: 0."""
    overdispersion: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Squared coefficient of variation of a day's own gamma factor. Default: 0 (pure Poisson)."""


class Truth(Model):
    """What the made-up history of a synthetic hospital is drawn from, where that differs from the config."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Seed of the history alone: simulation.seed leaves the past as it is. Default: 1."""
    streams: dict[Id, StreamTruth] = Field(default_factory=dict)
    """Arrivals by stream."""
    los: dict[Id, Duration] = Field(default_factory=dict)
    """Length of stay by ward, instead of the configured one. Needed for a ward whose los_model is from_data."""


class PatientSource(Model):
    """A source of patients, and what it knows: the chain asks this, and never which source it is."""

    knows_beds: ClassVar[bool] = False
    """Whether the beds of the config are those of the past too."""

    @property
    def knows_outcomes(self) -> bool:
        """Whether it says who was turned away."""
        return True

    @property
    def knows_departures(self) -> bool:
        """Whether a patient without a departure is still in the hospital."""
        return True


class SyntheticPatients(PatientSource):
    """A made-up history, simulated with the hospital's own wards and rules."""

    knows_beds: ClassVar[bool] = True
    max_age_days: ClassVar[int | None] = None

    source: Literal["synthetic"]
    """Where patients come from."""
    history_start: date
    """First day of the history, which begins with an empty house. Keep it: draws are indexed from it."""
    truth: Truth = Truth()
    """What the history is drawn from."""


class PatientColumns(Model):
    """Names that the extract uses; only these columns are ever read."""

    patient_id: str
    """Column with the id of the request; stored as a keyed hash only."""
    arrival: str
    """Column with the arrival."""
    departure: str
    """Column with the departure from the hospital, empty when there was none yet."""
    service: str | None = None
    """Column with the service, mapped by `streams`. Default: none; then the config has exactly one stream."""
    outcome: str | None = None
    """Column with the outcome: admitted, waiting, diverted or left. Default: none, all were admitted."""


class StayColumns(Model):
    """Names that the extract of ward stays uses; only these columns are ever read."""

    patient_id: str
    """Column with the id, as in the extract of patients."""
    ward: str
    """Column with the ward, mapped by `wards`."""
    admit: str
    """Column with the admission to the ward."""
    depart: str
    """Column with the departure from the ward, empty when there was none yet."""


class StaysExtract(Model):
    """A second extract with one row per stay in a ward."""

    path: str | None = None
    """File, for csv and parquet; relative to the folder that holds hospital_configs/. Default: none."""
    query: str | None = None
    """Query, for sql. Default: none."""
    columns: StayColumns
    """Names that the extract uses."""
    wards: dict[str, Id] = Field(default_factory=dict)
    """The source's ward names to ward ids. Default: they are the ids."""


class _Extract(PatientSource):
    location_key: ClassVar[Literal["path", "query"]] = "path"
    """The key that says where to read, in this part and in `stays`."""
    history_start: ClassVar[date | None] = None

    columns: PatientColumns
    """Names that the extract uses."""
    streams: dict[str, Id] = Field(default_factory=dict)
    """The source's services to arrival streams; a row with another service is set aside."""
    stays: StaysExtract | None = None
    """Extract of ward stays. Default: none, one stay per patient in the stream's target ward."""
    date_format: str | None = None
    """Format of the stamps, such as %d/%m/%Y %H:%M. Default: ISO 8601."""
    complete_through: date | None = None
    """Last complete day of the extract. Default: the day before the latest arrival date."""
    max_age_days: Annotated[int, Field(ge=0)] | None = 3
    """An extract further behind than this is run, marked stale and warned about; null: never. Default: 3."""
    missing_departure: Literal["open", "unknown"] = "open"
    """What no departure means: still in the house (open, default) or not written down (unknown)."""
    max_open_days: Positive | None = None
    """Patients open for longer count as departed at an unknown time. Default: no limit."""
    max_reject_share: Share = 0.02
    """The run fails when more than this share of rows has to be set aside. Default: 0.02."""
    discharge_profile: Annotated[tuple[NonNegative, ...], Field(min_length=24, max_length=24)] = DAYTIME_DISCHARGES
    """Weights of the 24 hours for departures of which only the day is known. Default: around midday."""
    pseudonym_key: str | None = None
    """Key of the hashed ids, for made-up data only. Default: that in KAIZAR_PSEUDONYM_KEY or data/pseudonym.key."""

    @property
    def knows_outcomes(self) -> bool:
        """Whether a column holds the outcome."""
        return self.columns.outcome is not None

    @property
    def knows_departures(self) -> bool:
        """Whether every departure is written down."""
        return self.missing_departure == "open"


class CsvPatients(_Extract):
    """A CSV file with a header."""

    source: Literal["csv"]
    """Where patients come from."""
    path: str
    """File, relative to the folder that holds hospital_configs/."""
    encoding: str = "utf-8"
    """Encoding of the file. Default: utf-8."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """Separator of the columns. Default: a comma."""


class ParquetPatients(_Extract):
    """A Parquet file."""

    source: Literal["parquet"]
    """Where patients come from."""
    path: str
    """File, relative to the folder that holds hospital_configs/."""


class SqlPatients(_Extract):
    """A query on a database."""

    location_key: ClassVar[Literal["path", "query"]] = "query"

    source: Literal["sql"]
    """Where patients come from."""
    url_env: str
    """Environment variable with the SQLAlchemy address of the database (it carries a password)."""
    query: str
    """SELECT that returns one row per request."""


Extract = CsvPatients | ParquetPatients | SqlPatients


class HospitalFile(Model):
    """A hospital: its patients, wards, streams, routes, policies, and how to simulate it."""

    hospital: HospitalInfo
    """Who and where."""
    patients: Annotated[SyntheticPatients | CsvPatients | ParquetPatients | SqlPatients, Field(discriminator="source")]
    """Where its history comes from."""
    wards: Annotated[tuple[Ward, ...], Field(min_length=1)]
    """Its wards."""
    patient_types: Annotated[tuple[PatientType, ...], Field(min_length=1)]
    """Its kinds of patient."""
    arrival_streams: Annotated[tuple[ArrivalStream, ...], Field(min_length=1)]
    """Its streams of arrivals."""
    routing: tuple[Route, ...] = ()
    """Where patients go after a ward. Default: home."""
    policies: Policies = Policies()
    """How scarce beds are given out. Default: by priority and order of request."""
    simulation: Simulation = Simulation()
    """How the twin runs."""


class HospitalConfig(HospitalFile):
    """A checked hospital, together with its id: the stem of its file."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
    """Partition key and file name."""

    @model_validator(mode="after")
    def _check_cross_faults(self) -> Self:
        raise_faults("hospital", list(cross_faults(self)))
        return self

    @property
    def ward_ids(self) -> list[str]:
        """In the order of the file."""
        return [ward.id for ward in self.wards]

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


Loc = tuple[str | int, ...]
Fault = tuple[Loc, str]


def raise_faults(title: str, faults: Sequence[Fault]) -> None:
    """Raise the faults, if any, as pydantic's own, each at its place."""
    if faults:
        raise ValidationError.from_exception_data(
            title,
            [
                # the message is handed over as a value: braces in it are not a template
                InitErrorDetails(type=PydanticCustomError("config", "{message}", {"message": m}), loc=loc, input=None)
                for loc, m in faults
            ],
        )


def cross_faults(config: HospitalConfig) -> Iterator[Fault]:
    """Every breach of a rule that spans several parts of the config, with its place."""
    yield from _unknown_place(config)
    yield from _repeated_ids(config)
    yield from _dangling_references(config)
    yield from _stream_faults(config)
    yield from _ward_faults(config)
    yield from _route_faults(config)
    yield from _policy_faults(config)
    yield from _patient_faults(config)
    simulation = config.simulation
    if simulation.start == "census" and simulation.warmup_days is not None:
        yield ("simulation", "warmup_days"), "goes with start: empty only; start: census needs no warm-up"


def _unknown_place(config: HospitalConfig) -> Iterator[Fault]:
    if config.hospital.timezone not in _timezones():
        yield ("hospital", "timezone"), _unknown(config.hospital.timezone, _timezones(), list_allowed=False)
    supported = holidays.list_supported_countries()
    if config.hospital.country not in supported:
        yield (
            ("hospital", "country"),
            f"no holidays known for {config.hospital.country!r}, give a two-letter code such as NL",
        )
    elif config.hospital.subdivision and config.hospital.subdivision not in supported[config.hospital.country]:
        yield (
            ("hospital", "subdivision"),
            _unknown(config.hospital.subdivision, supported[config.hospital.country]),
        )


@cache
def _timezones() -> set[str]:
    """Names of time zones; looked for once, since that scans the disk."""
    return available_timezones()


def _repeated_ids(config: HospitalConfig) -> Iterator[Fault]:
    for field in ("wards", "patient_types", "arrival_streams"):
        ids = [item.id for item in getattr(config, field)]
        for index, name in enumerate(ids):
            if name in ids[:index]:
                yield (field, index, "id"), f"{name!r} is already the id of {field}[{ids.index(name)}]"
            if name in (HOSPITAL_TOTAL, ALL, ANY, HOME):
                yield (field, index, "id"), f"{name!r} is reserved"


def _dangling_references(config: HospitalConfig) -> Iterator[Fault]:
    def references(found: Any, loc: Loc = ()) -> Iterator[tuple[Loc, str, str]]:
        """Every reference in the config as (place, kind, id)."""
        if isinstance(found, tuple):
            for index, item in enumerate(found):
                yield from references(item, (*loc, index))
        elif isinstance(found, Model):
            for name in type(found).model_fields:
                value = getattr(found, name)
                if name in _REFERENCES and value is not None:
                    values = (
                        [((*loc, name, i), v) for i, v in enumerate(value)]
                        if isinstance(value, tuple)
                        else [((*loc, name), value)]
                    )
                    yield from ((place, _REFERENCES[name], v) for place, v in values)
                else:
                    yield from references(value, (*loc, name))

    known = {"ward": set(config.ward_ids), "patient type": set(config.patient_type_ids)}
    for loc, kind, value in references(config):
        allowed = known[kind] | ({HOME} if loc[-1] == "next_ward" else set())
        if value not in allowed:
            yield loc, _unknown(value, allowed, kind)


_REFERENCES = {
    "target_ward": "ward",
    "from_ward": "ward",
    "to_ward": "ward",
    "next_ward": "ward",
    "redirect_to": "ward",
    "patient_type": "patient type",
    "stop_types": "patient type",
}


def _unknown(value: str, allowed: Any, kind: str = "", list_allowed: bool = True) -> str:
    from difflib import get_close_matches

    names = sorted(allowed)
    near = get_close_matches(value, names, 1, 0.6)
    hint = f", did you mean {near[0]!r}?" if near else f", allowed: {', '.join(names)}" if list_allowed else ""
    return f"unknown {kind + ' ' if kind else ''}{value!r}{hint}"


def _stream_faults(config: HospitalConfig) -> Iterator[Fault]:
    from zlib import crc32

    seen: dict[int, str] = {}
    for index, stream in enumerate(config.arrival_streams):
        loc: Loc = ("arrival_streams", index)
        profile = stream.hourly_profile
        if len(profile) not in (24, 168):
            yield (
                (*loc, "hourly_profile"),
                f"{len(profile)} numbers, allowed: 24 (hours of a day) or 168 (hours of a week)",
            )
        elif any(sum(profile[start : start + 24]) <= 0 for start in range(0, len(profile), 24)):
            yield (*loc, "hourly_profile"), "a day whose hours are all zero; every day needs a weight above zero"
        if stream.is_forecast and stream.scale_factor_by_month:
            yield (
                (*loc, "scale_factor_by_month"),
                "not for ml_poisson: the season is learned; use it on schedule or constant streams",
            )
        other = seen.setdefault(crc32(stream.id.encode()), stream.id)
        if other != stream.id:
            yield (
                (*loc, "id"),
                f"{stream.id!r} shares its random numbers with {other!r} (equal crc32); rename one of them",
            )


def _ward_faults(config: HospitalConfig) -> Iterator[Fault]:
    for index, ward in enumerate(config.wards):
        loc: Loc = ("wards", index)
        if ward.capacity is None and (ward.capacity_changes or ward.weekday_capacity):
            yield (*loc, "capacity"), "null means unlimited, and then beds cannot change; give the usual number of beds"
        cases = Counter((case.patient_type, case.next_ward) for case in ward.los_by)
        for case_index, case in enumerate(ward.los_by):
            if cases[case.patient_type, case.next_ward] > 1:
                yield (*loc, "los_by", case_index), "the same patient_type and next_ward stand twice"
        changes = sorted(enumerate(ward.capacity_changes), key=lambda item: item[1].start)
        for change_index, change in changes:
            for bound, value in (("from", change.start), ("to", change.end)):
                if value is not None and value.tzinfo is not None:
                    yield (
                        (*loc, "capacity_changes", change_index, bound),
                        "has a time zone; give local time without one",
                    )
        if any(change.start.tzinfo or (change.end and change.end.tzinfo) for _, change in changes):
            continue
        for change_index, change in changes:
            if change.end is not None and change.end <= change.start:
                yield (*loc, "capacity_changes", change_index, "to"), "is not after `from`"
        for (_, first), (second_index, second) in pairwise(changes):
            if first.end is None or first.end > second.start:
                yield (*loc, "capacity_changes", second_index, "from"), "overlaps another change of this ward"


def _route_faults(config: HospitalConfig) -> Iterator[Fault]:
    rows = Counter((route.from_ward, route.patient_type) for route in config.routing)
    for index, route in enumerate(config.routing):
        total = sum(option.probability for option in route.options)
        if total > 1 + 1e-9:
            yield ("routing", index, "options"), f"probabilities add up to {total:g}, at most 1 is allowed"
        if rows[route.from_ward, route.patient_type] > 1:
            yield ("routing", index), f"more than one row for ward {route.from_ward!r} and this patient type"
        targets = Counter(option.to_ward for option in route.options)
        for target, times in targets.items():
            if times > 1:
                yield ("routing", index, "options"), f"ward {target!r} stands {times} times"
    for patient_type in config.patient_type_ids:
        trapped = _wards_without_exit(config, patient_type)
        if trapped:
            yield (
                ("routing",),
                f"patients of type {patient_type!r} never get home from {', '.join(trapped)}: a loop without exit",
            )


def route_options(config: HospitalFile, ward: str, patient_type: str) -> tuple[RouteOption, ...]:
    """Ways on from `ward` for `patient_type`: its own row, else the row for every type, else none."""
    rows = {route.patient_type: route.options for route in config.routing if route.from_ward == ward}
    return rows.get(patient_type, rows.get(None, ()))


def _wards_without_exit(config: HospitalConfig, patient_type: str) -> list[str]:
    options = {ward: route_options(config, ward, patient_type) for ward in config.ward_ids}
    leaving = {ward for ward in options if sum(option.probability for option in options[ward]) < 1 - 1e-9}
    while True:
        more = {
            ward
            for ward in options
            if ward not in leaving and any(o.to_ward in leaving and o.probability > 0 for o in options[ward])
        }
        if not more:
            return [ward for ward in config.ward_ids if ward not in leaving]
        leaving |= more


def _policy_faults(config: HospitalConfig) -> Iterator[Fault]:
    unlimited = {ward.id for ward in config.wards if ward.capacity is None}
    wards = set(config.ward_ids)
    for field in ("priorities", "overflow", "admission_stop"):
        rules = getattr(config.policies, field)
        for index, rule in enumerate(rules):
            loc: Loc = ("policies", field, index)
            if rule.ward not in wards:
                yield (*loc, "ward"), _unknown(rule.ward, wards, "ward")
            if field != "priorities" and rule.ward in unlimited:
                yield (*loc, "ward"), f"ward {rule.ward!r} has unlimited beds and is never full"
    overflowing = [rule.ward for rule in config.policies.overflow]
    for index, rule in enumerate(config.policies.overflow):
        if overflowing.index(rule.ward) != index:
            yield ("policies", "overflow", index, "ward"), f"ward {rule.ward!r} has an overflow rule already"
        if rule.ward in rule.redirect_to:
            yield ("policies", "overflow", index, "redirect_to"), f"ward {rule.ward!r} cannot overflow into itself"
    pairs = [(rule.ward, rule.patient_type) for rule in config.policies.priorities]
    for index, pair in enumerate(pairs):
        if pairs.index(pair) != index:
            yield ("policies", "priorities", index), "the same ward and patient type stand twice"


def _patient_faults(config: HospitalConfig) -> Iterator[Fault]:
    patients = config.patients
    stream_ids = [stream.id for stream in config.arrival_streams]
    if isinstance(patients, SyntheticPatients):
        for stream in config.forecast_streams:
            truth = patients.truth.streams.get(stream.id)
            if truth is None or truth.mean_per_day is None:
                yield (
                    ("patients", "truth", "streams"),
                    f"stream {stream.id!r} is forecast: its synthetic history needs streams.{stream.id}.mean_per_day",
                )
        for name in patients.truth.streams:
            if name not in stream_ids:
                yield ("patients", "truth", "streams", name), _unknown(name, stream_ids, "stream")
            elif not config.stream(name).is_forecast:
                yield (
                    ("patients", "truth", "streams", name),
                    "only forecast streams have a truth; others follow their model",
                )
        for name in patients.truth.los:
            if name not in config.ward_ids:
                yield ("patients", "truth", "los", name), _unknown(name, config.ward_ids, "ward")
        for index, ward in enumerate(config.wards):
            if isinstance(ward.los_model, FromData) and ward.id not in patients.truth.los:
                yield (
                    ("wards", index, "los_model"),
                    f"from_data on a synthetic hospital needs patients.truth.los.{ward.id} to make the data from",
                )
        return
    for service, name in patients.streams.items():
        if name not in stream_ids:
            yield ("patients", "streams", service), _unknown(name, stream_ids, "stream")
    if patients.columns.service is None:
        if len(stream_ids) != 1:
            yield (
                ("patients", "columns"),
                f"without a service column there can be one stream only, found {len(stream_ids)}",
            )
        if patients.streams:
            yield ("patients", "streams"), "maps services, but columns.service names no column"
    elif not patients.streams:
        yield ("patients", "streams"), "is empty: map each service of the extract to a stream"
    if patients.missing_departure == "unknown" and config.simulation.start == "census":
        yield (
            ("simulation", "start"),
            "census cannot be known from an extract with missing_departure: unknown; use start: empty",
        )
    if sum(patients.discharge_profile) <= 0:
        yield ("patients", "discharge_profile"), "all zero; at least one hour needs a weight above zero"
    if patients.stays is not None:
        expected = patients.location_key
        if getattr(patients.stays, expected) is None:
            yield ("patients", "stays"), f"source: {patients.source} needs {expected}"
        if getattr(patients.stays, "path" if expected == "query" else "query") is not None:
            yield ("patients", "stays"), f"source: {patients.source} takes {expected} only"
        for name in patients.stays.wards.values():
            if name not in config.ward_ids:
                yield ("patients", "stays", "wards"), _unknown(name, config.ward_ids, "ward")
        return
    onward = {route.from_ward for route in config.routing if any(option.probability > 0 for option in route.options)}
    for index, ward in enumerate(config.wards):
        if isinstance(ward.los_model, FromData) and ward.id in onward:
            yield (
                ("wards", index, "los_model"),
                "from_data with routes onward needs an extract of ward stays (patients.stays): without one a stay is "
                "the whole time in hospital, and the time in the next ward would be counted twice",
            )
