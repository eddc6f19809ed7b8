"""The `kaizar` command: check hospitals, run them, and look at them in Dagster's user interface."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from kaizar_pipeline.config.files import (
    CONFIG_FOLDER,
    SCENARIO_FOLDER,
    check_scenario,
    config_hash,
    find_home,
    hospital_file,
    hospital_files,
    hospital_schema,
    load_hospital_config,
    load_scenarios,
    load_with_warnings,
    misnamed_files,
    scenario_files,
    scenario_schema,
    scenario_warnings,
    shipped,
)
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.reference import keys_page
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.config.variant import idle_rules
from kaizar_pipeline.errors import ConfigError, DataError, KaizarError
from kaizar_pipeline.orchestration.storage import Warehouse
from kaizar_pipeline.patients.starting_census import starting_census
from kaizar_pipeline.planning.beds import allocation_in_words, requirement_in_words
from kaizar_pipeline.planning.comparison import COMPARED, compare_scenarios
from kaizar_pipeline.planning.headline_changes import changes_in_words
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.starting_point import StartingPoint
from kaizar_pipeline.tables import HOSPITAL_TOTAL, data_dictionary
from kaizar_pipeline.verification import verify
from kaizar_pipeline.verification.models import cases

SCHEMA_FILE, SCENARIO_SCHEMA_FILE = "hospital.schema.json", "scenario.schema.json"
SAMPLE_SCENARIOS = ("bed_closure", "discharge_sooner", "escalation_beds", "winter_peak")

PROJECT_FILES = (
    "workspace.yaml",
    ".env",
    ".gitignore",
    ".dagster/dagster.yaml",
    f"{CONFIG_FOLDER}/hospital_1.yml",
    f"{CONFIG_FOLDER}/{SCHEMA_FILE}",
    f"{CONFIG_FOLDER}/{SCENARIO_SCHEMA_FILE}",
    *(f"{CONFIG_FOLDER}/{SCENARIO_FOLDER}/{name}.yml" for name in SAMPLE_SCENARIOS),
)
"""What a project consists of; in a wheel they lie below _project, in a checkout they are the repository's own."""

app = typer.Typer(
    help="How full will each ward be, how sure is that, and how many beds are enough?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Verbose = Annotated[bool, typer.Option("--verbose", help="Show the whole log and tracebacks.")]


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Folder of the new project; it may not hold any of its files.")]):
    """Start a project: settings, a sample hospital and scenarios for it."""
    with _readable():
        taken = [name for name in PROJECT_FILES if (folder / name).exists()]
        if taken:
            raise ConfigError(f"{folder} holds {', '.join(taken)} already; choose another folder")
        for name in PROJECT_FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copyfile(shipped(name), folder / name)
        typer.echo(f"Made a project in {folder}. Go there and say: kaizar run --all")


@app.command()
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of hospitals or scenarios. Default: all in hospital_configs/.")
    ] = None,
):
    """Check the files of hospitals and scenarios; every fault comes with file and line."""
    with _readable():
        home = find_home()
        hospitals = [*hospital_files(home).values(), *misnamed_files(home)]
        chosen = files or [*hospitals, *scenario_files(home).values(), *misnamed_files(home, SCENARIO_FOLDER)]
        if not files and not hospitals:
            raise ConfigError(f"no hospital in {home / CONFIG_FOLDER}: add a file ID.yml there")
        faulty = 0
        for file in chosen:
            try:
                said, warnings = _checked(file)
                typer.echo(said)
                for warning in warnings:
                    typer.echo(f"  {warning}")
            except ConfigError as error:
                faulty += 1
                typer.echo(str(error), err=True)
        if faulty:
            raise typer.Exit(1)


def _checked(file: Path) -> tuple[str, list[str]]:
    """What is to be said of a file without faults, and of what was translated in it."""
    if file.resolve().parent.name == SCENARIO_FOLDER:
        said = f"{SCENARIO_FOLDER}/{file.name}: ok, about {', '.join(check_scenario(file)) or 'no hospital'}"
        return said, scenario_warnings(file)
    config, warnings = load_with_warnings(file)
    return f"{file.name}: ok, {len(config.wards)} wards, {len(config.arrival_streams)} streams", warnings


@app.command()
def schema(
    write: Annotated[
        bool, typer.Option("--write", help="Update the files of both schemas, docs/tables.md and docs/keys.md.")
    ] = False,
):
    """Print the JSON Schema of hospital files."""
    if not write:
        typer.echo(_as_text(hospital_schema()), nl=False)
        return
    with _readable():
        home = find_home()
        (home / CONFIG_FOLDER / SCHEMA_FILE).write_text(_as_text(hospital_schema()), encoding="utf-8")
        (home / CONFIG_FOLDER / SCENARIO_SCHEMA_FILE).write_text(_as_text(scenario_schema()), encoding="utf-8")
        (home / "docs").mkdir(exist_ok=True)
        (home / "docs" / "tables.md").write_text(data_dictionary(), encoding="utf-8")
        (home / "docs" / "keys.md").write_text(keys_page(hospital_schema()), encoding="utf-8")


def _as_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


@app.command()
def run(
    hospitals: Annotated[list[str] | None, typer.Argument(help="Hospitals, by the names of their files.")] = None,
    all_hospitals: Annotated[bool, typer.Option("--all", help="All hospitals.")] = False,
    as_of: Annotated[str | None, typer.Option(help="Local midnight to forecast from, such as 2026-11-01.")] = None,
    verbose: Verbose = False,
):
    """Make every table of the hospitals, from their patients to the occupancy of their wards."""
    with _readable(verbose):
        home = find_home()
        if bool(hospitals) == all_hospitals:
            raise ConfigError("name one or more hospitals, or say --all")
        chosen = list(hospital_files(home)) if all_hospitals else list(hospitals or [])
        if not chosen:
            raise ConfigError(f"no hospital in {home / CONFIG_FOLDER}: add a file ID.yml there")
        for hospital in chosen:
            hospital_file(home, hospital)
        failed = [hospital for hospital in chosen if not _materialize(home, hospital, as_of, verbose)]
    if failed:
        raise typer.Exit(1)


@app.command()
def compare(
    hospital: Annotated[str, typer.Argument(help="Hospital, by the name of its file.")],
    scenario: Annotated[
        list[str] | None, typer.Option(help="Scenario, once or more. Default: all about the hospital.")
    ] = None,
    replications: Annotated[int | None, typer.Option(min=2, help="Futures. Default: as the hospital says.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every figure.")] = False,
    verbose: Verbose = False,
):
    """Show what scenarios change, from the tables of the hospital's last run; nothing is stored."""
    with _readable(verbose):
        home = find_home()
        config = load_hospital_config(hospital_file(home, hospital))
        scenarios = load_scenarios(home, config, scenario or ())
        if not scenarios:
            raise ConfigError(f"no scenario is about {hospital}: add {CONFIG_FOLDER}/{SCENARIO_FOLDER}/NAME.yml")
        patients, ward_stays, lengths, rates = _last_run(home, config)
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Simulating", total=len(scenarios) + 1)
            start = StartingPoint(config, rates, lengths, starting_census(patients, ward_stays))
            comparison = compare_scenarios(
                Experiment(start),
                scenarios,
                replications=replications,
                progress=lambda done, _: bar.update(task, completed=done),
            )
        typer.echo(f"{hospital} as of {rates['as_of'].iloc[0]:%Y-%m-%d}, {comparison['pairs'].max()} futures of each")
        for chosen in scenarios:
            rows = comparison[comparison["scenario"] == chosen.id]
            wards = [HOSPITAL_TOTAL, *config.ward_ids, *(ward.id for ward in chosen.add_wards)]
            Console().print((_figures if everything else _changes)(rows, chosen, wards))
            crowded = rows.loc[rows["overloaded"] & (rows["ward_id"] != HOSPITAL_TOTAL), "ward_id"].unique()
            for idle in idle_rules(chosen, rates["as_of"].iloc[0], rates["date"].nunique()):
                typer.echo(idle)
            if len(crowded):
                typer.echo(f"More is asked of {', '.join(crowded)} than there are beds: queues grow with the horizon.")


def _last_run(home: Path, config: HospitalConfig) -> list[pd.DataFrame]:
    """The stored tables that the twin starts from."""
    names = ("patients", "ward_stays", "length_of_stay", "arrival_rates")
    warehouse = Warehouse(home / "data")
    if not all(warehouse.path(name, config.id).exists() for name in names):
        raise DataError(f"{config.id} has no stored tables to start from; make them first: kaizar run {config.id}")
    lineages = warehouse.lineages(names, config.id).values()
    if {lineage.config_hash for lineage in lineages} != {config_hash(config)}:
        typer.echo(
            f"{config.id} has changed since its tables were made; to renew them: kaizar run {config.id}", err=True
        )
    return [warehouse.read(name, config.id) for name in names]


def _changes(rows: pd.DataFrame, scenario: Scenario, wards: list[str]) -> Table:
    """What chance does not explain, a column per ward; of a ward that the scenario adds the figure itself."""
    table = Table(
        "change of", *(Column("whole house" if ward == HOSPITAL_TOTAL else ward, justify="right") for ward in wards),
        title=f"{scenario.id}: {scenario.description}", title_justify="left",
        caption="± half of the 95 % confidence interval; (figure) of a ward that is new; --all: every figure",
    )  # fmt: skip
    for kpi, unit in COMPARED.items():
        found = {row["ward_id"]: row for row in rows[rows["kpi"] == kpi].to_dict("records")}
        table.add_row(
            f"{kpi.replace('_', ' ')}{'' if unit == 'share' or unit in kpi else f', {unit}'}",
            *(_change(found[ward], unit) if ward in found else "" for ward in wards),
        )
    return table


def _change(row: dict[Hashable, Any], unit: str) -> str:
    if pd.isna(row["difference"]):
        return f"({_figure(row['value'], unit)})" if row["value"] else ""
    if not row["low"] > 0 and not row["high"] < 0:
        return ""
    sign, half = "+" if row["difference"] > 0 else "", (row["high"] - row["low"]) / 2
    if unit == "share":  # a difference of shares is one of percentage points
        return f"{sign}{100 * row['difference']:.1f} pp ± {100 * half:.1f}"
    return f"{sign}{_figure(row['difference'], unit)} ± {_figure(half, unit)}"


def _figures(rows: pd.DataFrame, scenario: Scenario, wards: list[str]) -> Table:
    """Every figure of a scenario."""
    figures = ("baseline", "value", "difference", "low", "high")
    table = Table(
        "ward", "what", *(Column(name, justify="right") for name in figures),
        title=f"{scenario.id}: {scenario.description}", title_justify="left",
    )  # fmt: skip
    for ward in wards:
        found = {row["kpi"]: row for row in rows[rows["ward_id"] == ward].to_dict("records")}
        for kpi, unit in COMPARED.items():
            if kpi in found:
                table.add_row(ward, kpi, *(_figure(found[kpi][name], unit) for name in figures))
    return table


def _figure(value: float, unit: str) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.1%}" if unit == "share" else f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


@app.command()
def validate(
    runs: Annotated[int, typer.Option(min=10, help="Independent runs of each model.")] = verify.RUNS,
    write: Annotated[bool, typer.Option("--write", help="Update docs/validation.md.")] = False,
):
    """Simulate models whose answer is known; fails when the simulation is off by more than chance explains."""
    with _readable():
        page = find_home() / "docs" / "validation.md" if write else None
        known = cases()
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Simulating models whose answer is known", total=len(known))
            results = verify.validate(known, runs=runs, progress=lambda done, _: bar.update(task, completed=done))
        Console().print(_validation_table(results))
        typer.echo(verify.distribution_of_z(results))
        if page:
            page.parent.mkdir(exist_ok=True)
            page.write_text(verify.validation_page(results, runs), encoding="utf-8")
        if not all(result.agrees for result in results):
            raise typer.Exit(1)


def _validation_table(results: list[verify.Result]) -> Table:
    table = Table(
        "model", "quantity", *(Column(name, justify="right") for name in ("theory", "simulated", "± se", "z"))
    )
    for row in verify.rows(results):
        table.add_row(*row)
    return table


@app.command()
def dev(port: Annotated[int, typer.Option(help="Port on this machine.")] = 3000):
    """Open Dagster's user interface, on this machine only, with the nightly schedule."""
    with _readable():
        home = find_home()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                raise KaizarError(
                    f"port {port} cannot be used ({error.strerror}); choose another with --port"
                ) from None
        command = [sys.executable, "-m", "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)]
        os.chdir(home)
        # become Dagster rather than its parent: it ends its own processes when it is asked to stop
        os.execve(sys.executable, [*command, "--workspace", "workspace.yaml"], _environment(home))


def _materialize(home: Path, hospital: str, as_of: str | None, verbose: bool) -> bool:
    """Materialize all tables of one hospital in a process of its own; tell how it goes, and whether it went well."""
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "kaizar_pipeline.definitions"]
    command += ["--select", "*", "--partition", hospital]
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as folder:
        faults = Path(folder) / "faults"
        environment = _environment(home) | {"KAIZAR_FAULTS": str(faults)}
        if as_of is not None:
            environment["KAIZAR_AS_OF"] = as_of
        if verbose:
            environment["KAIZAR_VERBOSE"] = "1"
            return subprocess.call(command, cwd=home, env=environment) == 0
        lines: list[str] = []
        process = subprocess.Popen(
            command, cwd=home, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert process.stdout is not None
        with console.status(f"{hospital}: starting") as status:
            for line in process.stdout:
                lines.append(line)
                message = _message(line)
                if message and console.is_terminal and " - WARNING - " not in line:
                    status.update(f"{hospital}: {message}")
                elif message:
                    console.print(f"{hospital}: {message}", highlight=False, soft_wrap=True)
        if process.wait() == 0:
            console.print(f"{hospital}: done", highlight=False)
            for line in _in_short(home, hospital):
                typer.echo(f"  {line}")
            return True
        readable = faults.read_text(encoding="utf-8").strip() if faults.exists() else ""
        typer.echo(
            readable or f"{hospital}: the run failed unexpectedly; see it whole with --verbose\n{lines[-1]}", err=True
        )
        return False


def _in_short(home: Path, hospital: str) -> Iterator[str]:
    """What the hospital's last run says, in a few lines."""
    warehouse = Warehouse(home / "data")
    event = load_hospital_config(hospital_file(home, hospital)).simulation.risk_event
    requirements, allocations, changes = (
        warehouse.read(name, hospital) for name in ("bed_requirements", "bed_allocations", "headline_changes")
    )
    yield f"as of {requirements['as_of'].iloc[0]:%Y-%m-%d}; all tables: data/kaizar.duckdb"
    yield f"whole house: {requirement_in_words(requirements, HOSPITAL_TOTAL, event)}"
    if best := allocation_in_words(allocations):
        yield f"where they help most: {best}"
    yield changes_in_words(changes[changes["run_number"] == changes["run_number"].max()])


def _message(line: str) -> str:
    """What a line of Dagster's log tells a person; empty for most of them."""
    parts = line.rstrip().split(" - ")
    if len(parts) < 4:
        return ""
    if "STEP_START" in line:
        return parts[-1].removeprefix("Started execution of step ").strip('".')
    return parts[-1] if parts[2] in ("INFO", "WARNING") else ""


def _environment(home: Path) -> dict[str, str]:
    """The environment of Dagster's processes: this project, its history, nothing phoned home."""
    dagster_home = os.environ.get("DAGSTER_HOME", str(home / ".dagster"))
    Path(dagster_home).mkdir(parents=True, exist_ok=True)
    # Dagster reads the project's .env, which builds DAGSTER_HOME from PWD
    own = {"KAIZAR_HOME": str(home), "PWD": str(home), "DAGSTER_HOME": dagster_home}
    return os.environ | own | {"DAGSTER_DISABLE_TELEMETRY": "yes"}


@contextmanager
def _readable(verbose: bool = False) -> Iterator[None]:
    """Errors of ours become their message and exit status 1."""
    try:
        yield
    except KaizarError as error:
        if verbose:
            raise
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def main() -> None:
    """Entry point of the `kaizar` script."""
    app()


if __name__ == "__main__":
    main()
