"""The command `compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaizar_pipeline.errors import ConfigError, DataError

if TYPE_CHECKING:
    from kaizar_pipeline.config.hospital import HospitalConfig
    from kaizar_pipeline.simulation.starting_point import StartingPoint


def compare(
    hospital: Annotated[str, typer.Argument(help="Hospital, by the name of its file.")],
    scenario: Annotated[
        list[str] | None, typer.Option(help="Scenario, once or more. Default: all that apply to the hospital.")
    ] = None,
    replications: Annotated[
        int | None, typer.Option(min=2, help="Replications. Default: as in the hospital's file.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every figure.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show tracebacks.")] = False,
) -> None:
    """Show what scenarios change, from the tables of the hospital's last run; nothing is stored."""
    from kaizar_pipeline.command.screen import print_comparison, progress_bar
    from kaizar_pipeline.config.files import (
        CONFIG_FOLDER,
        SCENARIO_FOLDER,
        find_home,
        hospital_file,
        load_hospital_config,
        load_scenarios,
    )
    from kaizar_pipeline.config.snapshot import shown
    from kaizar_pipeline.config.variant import idle_rules
    from kaizar_pipeline.planning.comparison import compare_scenarios
    from kaizar_pipeline.simulation.experiment import Experiment
    from kaizar_pipeline.tables import HOSPITAL_TOTAL

    home = find_home()
    config = load_hospital_config(hospital_file(home, hospital))
    scenarios = load_scenarios(home, config, scenario or ())
    if not scenarios:
        raise ConfigError(f"no scenario applies to {hospital}: add {CONFIG_FOLDER}/{SCENARIO_FOLDER}/NAME.yml")
    start = _last_run(home, config)
    with progress_bar("Simulating", len(scenarios) + 1) as progress:
        comparison = compare_scenarios(Experiment(start), scenarios, replications=replications, progress=progress)
    typer.echo(f"{hospital} as of {shown(start.as_of)}, {comparison['pairs'].max()} replications of each")
    for chosen in scenarios:
        rows = comparison[comparison["scenario"] == chosen.id]
        wards = [HOSPITAL_TOTAL, *config.groups, *config.ward_ids, *(ward.id for ward in chosen.add_wards)]
        print_comparison(rows, chosen, wards, everything)
        for idle in idle_rules(chosen, start.as_of, start.days):
            typer.echo(idle)
        overloaded = rows.loc[rows["overloaded"] & ~rows["ward_id"].isin(list(config.totals)), "ward_id"].unique()
        if len(overloaded):
            typer.echo(f"Demand exceeds the beds of {', '.join(overloaded)}: queues grow with the horizon.")


def _last_run(home: Path, config: "HospitalConfig") -> "StartingPoint":
    """What the simulation starts from, by the stored tables."""
    from kaizar_pipeline.config.files import config_hash
    from kaizar_pipeline.orchestration.storage import Warehouse
    from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables

    names = StartingTables._fields
    warehouse = Warehouse(home / "data")
    if not all(warehouse.path(name, config.id).exists() for name in names):
        raise DataError(f"{config.id} has no stored tables to start from; make them first: kaizar run {config.id}")
    lineages = warehouse.lineages(names, config.id).values()
    if {lineage.config_hash for lineage in lineages} != {config_hash(config)}:
        typer.echo(
            f"{config.id} has changed since its tables were made; to update them: kaizar run {config.id}", err=True
        )
    return StartingPoint(config, StartingTables(*(warehouse.read(name, config.id) for name in names)))
