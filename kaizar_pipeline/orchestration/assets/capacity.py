"""How many beds are enough, where more help most, and why the census is uncertain."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from kaizar_pipeline.orchestration import checks
from kaizar_pipeline.orchestration.stage import SIMULATES, Stage, readable_faults, table_spec
from kaizar_pipeline.patients.starting_census import starting_census
from kaizar_pipeline.planning import beds as planning
from kaizar_pipeline.planning import drivers
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.starting_point import StartingPoint
from kaizar_pipeline.tables import HOSPITAL_TOTAL

_INPUTS = ("patients", "ward_stays", "length_of_stay", "arrival_rates")
_TABLES = ("bed_requirements", "beds_effects", "bed_allocations")


class CapacityConfig(dg.Config):
    """Run config of the planning of beds."""

    extra_beds: int = Field(planning.EXTRA_BEDS, ge=1, le=20, description="Extra beds to place where they help most.")


@dg.multi_asset(
    specs=[table_spec(name, "planning", *_INPUTS, kinds=["python"]) for name in _TABLES],
    check_specs=checks.specs(*_TABLES),
    required_resource_keys=SIMULATES,
)
def capacity(context: dg.AssetExecutionContext, config: CapacityConfig) -> Iterator[dg.MaterializeResult]:
    """Beds for a risk, what a few beds more or fewer do, and where extra beds help most."""
    with readable_faults():
        stage = Stage(context)
        patients, ward_stays, lengths, rates = stage.load(*_INPUTS)
        hospital, as_of = stage.as_wanted, rates["as_of"].iloc[0]
        start = StartingPoint(hospital, rates, lengths, starting_census(patients, ward_stays))
        experiment = Experiment(start, stage.workers)
        requirements = planning.bed_requirements(experiment)
        event = hospital.simulation.risk_event
        words = {
            "whole house" if ward == HOSPITAL_TOTAL else ward: planning.requirement_in_words(requirements, ward, event)
            for ward in (*hospital.ward_ids, HOSPITAL_TOTAL)
        }
        yield stage.save("bed_requirements", requirements, as_of, words)
        yield stage.save("beds_effects", planning.beds_effects(experiment), as_of, {})
        allocations = planning.bed_allocations(experiment, extra_beds=config.extra_beds)
        best = planning.allocation_in_words(allocations)
        yield stage.save("bed_allocations", allocations, as_of, {"best": best} if best else {})


@dg.multi_asset(
    specs=[table_spec("occupancy_drivers", "planning", *_INPUTS, kinds=["python"])],
    check_specs=checks.specs("occupancy_drivers"),
    required_resource_keys=SIMULATES,
)
def occupancy_drivers(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """The variance of each day's highest census, split over what chance decides."""
    with readable_faults():
        stage = Stage(context)
        patients, ward_stays, lengths, rates = stage.load(*_INPUTS)
        start = StartingPoint(stage.as_wanted, rates, lengths, starting_census(patients, ward_stays))
        table = drivers.occupancy_drivers(Experiment(start, stage.workers))
        house = table[table["ward_id"] == HOSPITAL_TOTAL].groupby("driver", sort=False)["variance"].sum()
        shares = {f"share of {driver}": float(part) for driver, part in (house / house.sum()).items()}
        return stage.save("occupancy_drivers", table, rates["as_of"].iloc[0], shares if house.sum() > 0 else {})
