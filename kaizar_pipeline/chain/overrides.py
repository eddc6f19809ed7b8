"""What one run overrides of the settings in the hospital's file."""

from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.snapshot import FullHour, parsed_as_of
from kaizar_pipeline.errors import ConfigError


class Engine(Enum):
    """Which engine simulates; the result is the same."""

    compiled = "compiled"
    simpy = "simpy"


class Overrides(BaseModel):
    """Settings of one run; None: as the hospital's file says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: str | None = Field(
        default=None,
        description="Local date, or date and full hour, to forecast from, such as 2026-11-01 or 2026-11-01T08:00; a "
        "date is meant at the snapshot's hour. Default: KAIZAR_AS_OF, else the latest.",
    )
    snapshot: FullHour | None = Field(
        default=None, description="Full hour of the day to forecast from, such as 08:00, for an as_of without one."
    )
    seed: int | None = Field(default=None, ge=0, lt=2**63, description="Seed of rate paths and simulations.")
    replications: int | None = Field(default=None, ge=2, description="Replications to simulate, and rate paths.")
    engine: Engine | None = Field(
        default=None, description="compiled or simpy, the slow reference; the result is the same."
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        description="Threads, or processes of a back-test; the result is the same. Default: one per core.",
    )
    extra_beds: int = Field(default=2, ge=1, le=20, description="Extra beds to place where they help most.")
    backtest_origins: int = Field(default=12, ge=0, le=200, description="Past origins of the back-tests; 0: none.")
    backtest_replications: int = Field(
        default=200, ge=2, description="Replications of the census back-test, per origin."
    )

    @classmethod
    def of(cls, **settings: Any) -> "Overrides":
        """The overrides of these settings; an `as_of` may be a date, or a date and time. Raises ConfigError for what is
        not allowed."""
        if settings.get("as_of") is not None:
            settings["as_of"] = parsed_as_of("as_of", settings["as_of"]).isoformat()
        try:
            return cls(**settings)
        except ValidationError as error:
            raise ConfigError([_in_words(one) for one in error.errors()]) from None

    @property
    def simulation(self) -> dict[str, int | str]:
        """The overridden keys of the section `simulation`."""
        engine = self.engine and self.engine.value
        settings = {
            "seed": self.seed, "replications": self.replications, "engine": engine, "snapshot": self.snapshot,
        }  # fmt: skip
        return {name: value for name, value in settings.items() if value is not None}

    def applied_to(self, config: HospitalConfig) -> HospitalConfig:
        """The config with the overridden keys of its section `simulation`."""
        return config.model_copy(update={"simulation": config.simulation.model_copy(update=self.simulation)})


def _in_words(error: ErrorDetails) -> str:
    name = ".".join(map(str, error["loc"]))
    if error["type"] == "value_error":  # ours, which says what was found
        return f"{name}: {error['msg'].removeprefix('Value error, ')}"
    return f"{name}: {error['msg']}, found {error['input']!r}"
