"""What simulations of the days ahead start from, and the plans made of it: of the hospital as it is, with other beds,
and under a scenario."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import configured_rates
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.learned_hours import with_learned_hours
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.config.variant import Variant, apply_scenario
from kaizar_pipeline.simulation.horizon import Horizon
from kaizar_pipeline.simulation.plan import MAX_REPLICATIONS, Learned, Plan, make_plan
from kaizar_pipeline.stats.philox import hospital_key

ENOUGH_FOR_DIFFERENCES = 1000
"""Replications that are enough for paired differences, where the hospital asks for more in search of a precision."""


class StartingTables(NamedTuple):
    """The tables that simulations start from, each by its name."""

    arrival_rates: pd.DataFrame
    """Its days are the days ahead."""
    length_of_stay: pd.DataFrame | None = None
    """Needed for wards whose los_model is from_data."""
    starting_census: pd.DataFrame | None = None
    """Used with `start: census`; None: nobody is in the hospital."""
    arrival_profile: pd.DataFrame | None = None
    """Needed for streams whose hourly_profile is from_data."""
    discharge_clocks: pd.DataFrame | None = None
    """None: only clocks that the config gives."""
    day_factors: pd.DataFrame | None = None
    """None: only factors that the config gives."""
    routes: pd.DataFrame | None = None
    """Needed where routing is from_data."""

    @classmethod
    def of(cls, tables: Mapping[str, pd.DataFrame]) -> "StartingTables":
        """Those of the tables by name."""
        return cls(**{name: tables[name] for name in cls._fields})


@dataclass(frozen=True, eq=False)
class StartingPoint:
    """A hospital at `as_of`: its config, with the overrides of the run, and the tables that its simulations need."""

    config: HospitalConfig
    tables: StartingTables

    @cached_property
    def as_of(self) -> pd.Timestamp:
        """The local full hour to look ahead from."""
        return pd.Timestamp(self.tables.arrival_rates["as_of"].iloc[0])

    @cached_property
    def days(self) -> int:
        """Dates ahead; the first has begun unless as_of is midnight."""
        return self.tables.arrival_rates["date"].nunique()

    @cached_property
    def plan(self) -> Plan:
        """The plan of the hospital as it is."""
        return self._plan(Variant(self.config, {}, {}))

    def under(self, scenario: Scenario) -> Plan:
        """The plan under `scenario`. Raises ConfigError when it cannot be applied."""
        return self._plan(apply_scenario(self.config, scenario, self.as_of, self.days))

    def with_beds(self, added: Mapping[str, int]) -> Plan:
        """The plan with so many more beds in some wards at all times (fewer below 0), for the same patients."""
        more = np.array([added.get(ward, 0) for ward in self.plan.ward_ids], dtype=np.int64)
        changes = tuple((hour, ward, beds + int(more[ward])) for hour, ward, beds in self.plan.capacity_changes)
        return replace(self.plan, beds=self.plan.beds + more, capacity_changes=changes)

    @property
    def independent_replications(self) -> int:
        """Replications, at most, whose results are kept one by one: as many as there are rate paths."""
        return min(self.plan.independent_replications, MAX_REPLICATIONS)

    @property
    def paired_replications(self) -> int:
        """As many of these as the hospital asks for."""
        return min(self.config.simulation.max_replications, self.independent_replications)

    @property
    def compared_replications(self) -> int:
        """The same for differences between scenarios, which need fewer where the hospital asks for a precision."""
        fixed = isinstance(self.config.simulation.replications, int)
        return self.paired_replications if fixed else min(self.paired_replications, ENOUGH_FOR_DIFFERENCES)

    @cached_property
    def _rates(self) -> dict[str, np.ndarray]:
        """f8[paths, days] by stream id."""
        return {
            str(stream): rows.pivot(index="path", columns="date", values="rate").sort_index(axis=1).to_numpy()
            for stream, rows in self.tables.arrival_rates.groupby("stream_id")
        }

    def _plan(self, variant: Variant) -> Plan:
        simulation = self.config.simulation
        return make_plan(
            with_learned_hours(variant.config, self.tables.arrival_profile),
            self._rates | self._rates_changed(variant.config),
            Horizon(self.as_of, self.days, simulation.warmup),
            key=hospital_key(self.config.id, simulation.seed),
            learned=Learned(*(getattr(self.tables, name) for name in Learned._fields)),
            census=self.tables.starting_census if simulation.start == "census" else None,
        ).scaled(variant.arrival_factors, variant.los_factors)

    def _rates_changed(self, config: HospitalConfig) -> dict[str, np.ndarray]:
        """Rates of the streams whose number of arrivals the scenario sets; on a day that has begun with the share of a
        fixed number that is left."""
        dates = pd.DatetimeIndex(np.sort(self.tables.arrival_rates["date"].unique()))
        changed = {}
        for stream, own in zip(config.arrival_streams, self.config.arrival_streams, strict=True):
            if stream != own and not stream.is_forecast:
                rates = configured_rates(stream, config.hospital, dates)
                if self.as_of.hour and stream.is_fixed and not own.is_forecast:
                    planned = configured_rates(own, config.hospital, dates[:1])[0]
                    rates[0] *= self._rates[stream.id][0, 0] / planned if planned else 1.0
                changed[stream.id] = rates[None]
        return changed
