"""How the twin simulates: the section `simulation` of a hospital's file."""

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from kaizar_pipeline.config.fields import MAPPING_TAG, NUMBER_TAG, Model, Positive, Share
from kaizar_pipeline.config.snapshot import MIDNIGHT, FullHour


class Precision(Model):
    """Half-widths of 95 % confidence intervals to reach; at least one. More replications make them narrower."""

    mean_census: Positive | None = None
    """Beds: of the mean census of any ward at any hour. Default: not asked for."""
    prob_full_hour: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Share: of the probability that a ward is full at an hour, any ward and hour. Default: not asked for."""
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
    """As many replications as a precision needs."""

    at_most: ReplicationCount
    """Replications at most, whatever precision they reach."""
    precision: Precision
    """Stop as soon as all of these are reached; checked after 100 replications, then each time their number doubles."""


def _form(value: object) -> str:
    return MAPPING_TAG if isinstance(value, dict | Replications) else NUMBER_TAG


Engine = Literal["compiled", "simpy"]
RiskEvent = Literal["day", "horizon_peak"]


class Simulation(Model):
    """How far ahead, how often and from where the twin runs."""

    horizon_days: Annotated[int, Field(ge=1, le=180)] = 28
    """Days ahead. Default: 28."""
    replications: Annotated[
        Annotated[ReplicationCount, Tag(NUMBER_TAG)] | Annotated[Replications, Tag(MAPPING_TAG)], Discriminator(_form)
    ] = 200
    """Replications: a number, or a precision to reach and the most that may be simulated for it. Default: 200."""
    engine: Engine = "compiled"
    """compiled (default): fast; simpy: the readable reference, some hundred times slower. Their results are equal."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    """Seed of every random number. Default: 42."""
    snapshot: FullHour = MIDNIGHT
    """Full hour of the day that a run looks ahead from, such as "08:00": as_of on a date that is given without one, and
    on the last day that the data reach. Default: "00:00"."""
    snapshots: tuple[FullHour, ...] = ()
    """All full hours of the day at which runs look ahead, where there are several, such as ["08:00", "12:00", "16:00"]:
    `until_next_snapshot` in ward_flows ends at the next of them. Default: `snapshot` alone."""
    start: Literal["census", "empty"] = "census"
    """census (default): begin with the patients in the hospital; empty: begin empty, with a warm-up."""
    warmup_days: Annotated[int, Field(ge=0, le=365)] | None = None
    """Warm-up before the horizon, with `start: empty` only; it repeats the first seven days ahead; 0: the run begins
    empty on purpose, as a new hospital does. Default: 7."""
    overload: Literal["refuse", "allow"] = "refuse"
    """A ward whose patients ask for more beds than are staffed, so that its queue only grows: an error that names it
    (refuse, default), or simulate anyway (allow)."""
    high_occupancy: Share = 0.92
    """prob_above is the probability of a census above this share of the staffed beds. Default: 0.92."""
    huddle: FullHour = "08:00"
    """Full hour of the daily bed meeting, at which level_risk shows the chance of each level too. Default: "08:00"."""
    risk_target: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Share of risk events for which the required beds may fall short. Default: 0.1; no number of beds reaches 0."""
    risk_event: RiskEvent = "day"
    """What required beds must cover: a day's highest census (day, default) or that of all days (horizon_peak)."""

    @property
    def snapshot_hours(self) -> tuple[int, ...]:
        """The hours of the day at which runs look ahead, in order."""
        return tuple(sorted({int(at[:2]) for at in (self.snapshot, *self.snapshots)}))

    @property
    def huddle_hour(self) -> int:
        """The hour of the day of the huddle."""
        return int(self.huddle[:2])

    @property
    def max_replications(self) -> int:
        """The number of replications, or the most when a precision decides."""
        return self.replications.at_most if isinstance(self.replications, Replications) else self.replications

    @property
    def warmup(self) -> int:
        """Days of warm-up that are simulated."""
        return 0 if self.start == "census" else 7 if self.warmup_days is None else self.warmup_days
