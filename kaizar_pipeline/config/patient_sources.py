"""Where a hospital's patients come from: a synthetic history or an extract, as its file says."""

import re
from datetime import date, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from kaizar_pipeline.config.discharges import Clock, DayFactor
from kaizar_pipeline.config.distributions import Duration
from kaizar_pipeline.config.fields import Day, Id, Model, NonNegative, Positive, Share, Weekday
from kaizar_pipeline.config.routing import Route
from kaizar_pipeline.errors import quoted

DAYTIME_DISCHARGES = (0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 6, 8, 9, 10, 10, 9, 8, 6, 4, 2, 1, 1, 0, 0)
"""Discharges by hour of the day for extracts with days only: an assumption: most patients leave around midday."""


MISSING = (
    *("NA", "N/A", "None", "NaN", "nan", "NaT", r"\N", "-"),
    *("1900-01-01", "0001-01-01", "9999-12-31", "31/12/9999"),
)
"""What systems write where there is no departure yet, beside an empty cell and NULL."""


_DIRECTIVES = frozenset("aAbBdfHIjmMpSyYzZ%")


def _check_date_format(text: str) -> str:
    """Raise ValueError unless `text` tells a date: all of it can be written and read again."""
    unknown = sorted(set(re.findall("%(.|$)", text)) - _DIRECTIVES)
    day = datetime(2001, 2, 13, 4, 5, 6)
    try:
        whole = not unknown and datetime.strptime(day.strftime(text), text).date() == day.date()
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(f"found {quoted(text)}, allowed: a format with day, month and year, such as %d/%m/%Y %H:%M")
    return text


DateFormat = Annotated[str, AfterValidator(_check_date_format)]
"""A format of stamps, as of strptime."""


class StreamTruth(Model):
    """How a synthetic stream's arrivals are generated; the forecast never reads it."""

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
    """Random-walk drift of the log level: standard deviation after one year. Default: 0."""
    overdispersion: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Squared coefficient of variation of a day's own gamma factor. Default: 0 (pure Poisson)."""
    hourly_profile: tuple[NonNegative, ...] = ()
    """Hours of arrival, 24 or 168 weights as in the stream. Default: the stream's weights, else flat."""


class Truth(Model):
    """What the history of a synthetic hospital is drawn from, where that differs from the config."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """Seed of the history alone: simulation.seed leaves the past as it is. Default: 1."""
    streams: dict[Id, StreamTruth] = Field(default_factory=dict)
    """Arrivals by stream."""
    los: dict[Id, Duration] = Field(default_factory=dict)
    """Length of stay by ward, instead of the configured one. Needed for a ward whose los_model is from_data."""
    discharge_clocks: dict[Id, Clock] = Field(default_factory=dict)
    """Clock of discharges by ward. Default: the configured one, if its hours are given there."""
    transfer_clocks: dict[Id, Clock] = Field(default_factory=dict)
    """Clock of transfers by ward. Default: likewise."""
    day_factors: dict[Id, DayFactor] = Field(default_factory=dict)
    """Day factor by ward. Default: likewise."""
    routing: tuple[Route, ...] | None = None
    """Where patients go after a ward, as in `routing`. Needed where that is from_data. Default: as there."""


class PatientSource(Model):
    """A source of patients, and what it knows: the chain asks this, and never which source it is."""

    knows_beds: ClassVar[bool] = False
    """Whether the beds of the config are those of the past too."""
    knows_planned_wards: ClassVar[bool] = False
    """Whether it says which ward a patient was planned for, where that is another than the one with the bed."""
    hours_from_data: ClassVar[bool] = True
    """Whether streams without an hourly_profile learn their hours of arrival from it."""

    @property
    def knows_outcomes(self) -> bool:
        """Whether it says who was turned away."""
        return True

    @property
    def knows_departures(self) -> bool:
        """Whether a patient without a departure is still in the hospital."""
        return True

    @property
    def knows_care_ends(self) -> bool:
        """Whether the end of care is known apart from the end of the stay: what lies between them is waiting."""
        return True


class SyntheticPatients(PatientSource):
    """A synthetic history, simulated with the hospital's own wards and rules."""

    knows_beds: ClassVar[bool] = True
    knows_planned_wards: ClassVar[bool] = True
    hours_from_data: ClassVar[bool] = False
    max_age_days: ClassVar[int | None] = None
    census: ClassVar[str | None] = None

    source: Literal["synthetic"]
    """Source of the patients."""
    history_start: Day
    """First day of the history, which begins with an empty hospital. Keep it: draws are indexed from it."""
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


class StillPatient(Model):
    """A column that says who is still in the hospital when the extract is made."""

    column: str
    """Column of the extract."""
    values: Annotated[tuple[str, ...], Field(min_length=1)]
    """Its values for patients who are still in the hospital; their departure, if any, is only expected."""


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
    ready: str | None = None
    """Column with the end of care in the ward, after which the patient waited for the next one or for transport home.
    Default: none; the wait for a next ward is then recognised by its being full."""


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

    column_keys: ClassVar[tuple[str, ...]] = tuple(StayColumns.model_fields)

    def mapped_columns(self) -> list[tuple[str, str]]:
        """The keys of `columns` and the names that the extract uses."""
        return [(key, name) for key, name in self.columns if name is not None]


class _Extract(PatientSource):
    location_key: ClassVar[Literal["path", "query"]] = "path"
    """The key that says where to read, in this part and in `stays`."""
    history_start: ClassVar[date | None] = None

    columns: PatientColumns
    """Names that the extract uses."""
    rows: Literal["visits", "ward_stays"] = "visits"
    """What a row is. ward_stays: a stay in a ward; rows of one id at most 4 hours apart are one visit, with the arrival
    and service of the first and the departure of the last, and `stays` reads the same file. Default: visits."""
    streams: dict[str, Id] = Field(default_factory=dict)
    """The source's services to arrival streams; a row with another service is set aside, unless `other` is given."""
    other: Id | None = None
    """Arrival stream of every service that `streams` does not list. Default: none, such rows are set aside."""
    ignore: tuple[str, ...] = ()
    """Services whose rows are left out and counted, neither patients nor rejects; "*": all that `streams` does not
    name. Default: none."""
    stays: StaysExtract | None = None
    """Extract of ward stays. Default: none, one stay per patient in the stream's target ward."""
    date_format: DateFormat | None = None
    """Format of the stamps, such as %d/%m/%Y %H:%M. Default: ISO 8601, or numeric dates in the order that all rows
    allow."""
    missing: tuple[str, ...] = MISSING
    """Cells that mean that there is no such time or id yet; one that is a date stands for that day at any time."""
    still_patient: StillPatient | None = None
    """Who is still in the hospital when the extract is made. Default: none, whoever has no departure."""
    running_until: Literal["extract_date"] | None = None
    """extract_date: a departure on the last moment of the extract means that the patient is still in the hospital, as
    in OMOP. Default: it is a departure."""
    census: Literal["expected"] | None = None
    """expected: the census at as_of is right, although it differs from that of the weeks before by so much that the run
    would stop. Default: the run stops."""
    complete_through: Day | None = None
    """Last complete day of the extract. Default: the day before the latest arrival date."""
    max_age_days: Annotated[int, Field(ge=0)] | None = 3
    """An extract further behind than this is run, marked stale and warned about; null: never. Default: 3."""
    missing_departure: Literal["open", "unknown"] = "open"
    """What no departure means: still in the hospital (open, default) or not recorded (unknown)."""
    max_open_days: Annotated[float, Field(gt=0, le=36_500)] | None = None
    """Patients open for longer count as departed at an unknown time. Default: no limit."""
    max_reject_share: Share = 0.02
    """The run fails when more than this share of the extract's rows is set aside or has a departure that cannot be
    right. Default: 0.02."""
    discharge_profile: Annotated[tuple[NonNegative, ...], Field(min_length=24, max_length=24)] = DAYTIME_DISCHARGES
    """Weights of the 24 hours for departures of which only the day is known. Default: around midday."""
    pseudonym_key: str | None = None
    """Key of the hashed ids, for synthetic data only. Default: that in KAIZAR_PSEUDONYM_KEY or data/pseudonym.key."""

    column_keys: ClassVar[tuple[str, ...]] = (*PatientColumns.model_fields, "still_patient")

    def mapped_columns(self) -> list[tuple[str, str]]:
        """The keys of `columns`, and still_patient, with the names that the extract uses."""
        names = [(key, name) for key, name in self.columns if name is not None]
        return [*names, ("still_patient", self.still_patient.column)] if self.still_patient else names

    @property
    def knows_outcomes(self) -> bool:
        """Whether a column holds the outcome."""
        return self.columns.outcome is not None

    @property
    def knows_departures(self) -> bool:
        """Whether every departure is written down."""
        return self.missing_departure == "open"

    @property
    def knows_care_ends(self) -> bool:
        """Whether a column of the ward stays holds the end of care."""
        return self.stays is not None and self.stays.columns.ready is not None


def _known_encoding(name: str) -> str:
    try:
        "a".encode(name)
    except (LookupError, ValueError):
        raise ValueError(f"unknown encoding {quoted(name)}, allowed: such as utf-8, cp1252, latin-1") from None
    return name


class CsvPatients(_Extract):
    """A CSV file with a header."""

    source: Literal["csv"]
    """Source of the patients."""
    path: str
    """File, relative to the folder that holds hospital_configs/."""
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    """Encoding of the file. Default: utf-8."""
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    """Separator of the columns. Default: the comma, semicolon, tab or | under which the header has the columns."""


class ParquetPatients(_Extract):
    """A Parquet file."""

    source: Literal["parquet"]
    """Source of the patients."""
    path: str
    """File, relative to the folder that holds hospital_configs/."""


class SqlPatients(_Extract):
    """A query on a database."""

    location_key: ClassVar[Literal["path", "query"]] = "query"

    source: Literal["sql"]
    """Source of the patients."""
    url_env: str
    """Environment variable with the SQLAlchemy address of the database (it carries a password)."""
    query: str
    """SELECT that returns one row per request."""


Extract = CsvPatients | ParquetPatients | SqlPatients
