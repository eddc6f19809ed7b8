"""What one run wants otherwise than the hospital's file says, in one place for everything that simulates."""

from enum import Enum

import dagster as dg
from pydantic import Field

from kaizar_pipeline.config.hospital import HospitalConfig


class Engine(Enum):
    """Which engine simulates; the result is the same."""

    compiled = "compiled"
    simpy = "simpy"


class Settings(dg.ConfigurableResource):
    """Run config `resources: {settings: {config: ...}}`, for all assets of the run alike."""

    seed: int | None = Field(
        None, ge=0, lt=2**63, description="Seed of rate paths and simulations. Default: the hospital's."
    )
    replications: int | None = Field(
        None, ge=2, description="Futures to simulate, and rate paths. Default: as the hospital says."
    )
    engine: Engine | None = Field(
        None, description="compiled or simpy, the slow reference; the result is the same. Default: the hospital's."
    )
    workers: int | None = Field(
        None,
        ge=1,
        description="Threads, or processes of a back-test; they do not change the result. Default: one per core.",
    )

    def applied_to(self, hospital: HospitalConfig) -> HospitalConfig:
        """The hospital with what this run wants otherwise."""
        return hospital.model_copy(update={"simulation": hospital.simulation.model_copy(update=self.wanted)})

    @property
    def wanted(self) -> dict[str, int | str]:
        """What this run wants otherwise of all that may change a result."""
        engine = self.engine and self.engine.value
        settings = {"seed": self.seed, "replications": self.replications, "engine": engine}
        return {name: value for name, value in settings.items() if value is not None}
