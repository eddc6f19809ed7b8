"""The `kaizar` command: check hospitals, run them, and look at them in Dagster's user interface."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Column, Table

from kaizar_pipeline.config.files import (
    CONFIG_FOLDER,
    find_home,
    hospital_file,
    hospital_files,
    hospital_schema,
    load_with_notices,
    misnamed_files,
    shipped,
)
from kaizar_pipeline.errors import ConfigError, KaizarError
from kaizar_pipeline.simulation import validation
from kaizar_pipeline.simulation.truth import cases
from kaizar_pipeline.tables import data_dictionary

SCHEMA_FILE = "hospital.schema.json"

PROJECT_FILES = (
    "workspace.yaml",
    ".env",
    ".gitignore",
    ".dagster/dagster.yaml",
    f"{CONFIG_FOLDER}/hospital_1.yml",
    f"{CONFIG_FOLDER}/{SCHEMA_FILE}",
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
    """Start a project: settings and a sample hospital."""
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
        list[Path] | None, typer.Argument(help="Hospital files. Default: all in hospital_configs/.")
    ] = None,
):
    """Check hospital files; every fault comes with file and line."""
    with _readable():
        home = find_home()
        chosen = files or [*hospital_files(home).values(), *misnamed_files(home)]
        if not chosen:
            raise ConfigError(f"no hospital in {home / CONFIG_FOLDER}: add a file ID.yml there")
        faulty = 0
        for file in chosen:
            try:
                config, notices = load_with_notices(file)
                typer.echo(f"{file.name}: ok, {len(config.wards)} wards, {len(config.arrival_streams)} streams")
                for notice in notices:
                    typer.echo(f"  {notice}")
            except ConfigError as error:
                faulty += 1
                typer.echo(str(error), err=True)
        if faulty:
            raise typer.Exit(1)


@app.command()
def schema(write: Annotated[bool, typer.Option("--write", help="Update the schema file and docs/tables.md.")] = False):
    """Print the JSON Schema of hospital files."""
    text = json.dumps(hospital_schema(), indent=2, ensure_ascii=False) + "\n"
    if not write:
        typer.echo(text, nl=False)
        return
    with _readable():
        home = find_home()
        (home / CONFIG_FOLDER / SCHEMA_FILE).write_text(text, encoding="utf-8")
        (home / "docs").mkdir(exist_ok=True)
        (home / "docs" / "tables.md").write_text(data_dictionary(), encoding="utf-8")


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
        for hospital in chosen:
            hospital_file(home, hospital)
        failed = [hospital for hospital in chosen if not _materialize(home, hospital, as_of, verbose)]
    if failed:
        raise typer.Exit(1)


@app.command()
def validate(
    runs: Annotated[int, typer.Option(min=10, help="Independent runs of each model.")] = validation.RUNS,
    write: Annotated[bool, typer.Option("--write", help="Update docs/validation.md.")] = False,
):
    """Simulate models whose answer is known; fails when the simulation is off by more than chance explains."""
    with _readable():
        page = find_home() / "docs" / "validation.md" if write else None
        known = cases()
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Simulating models whose answer is known", total=len(known))
            results = validation.validate(known, runs=runs, progress=lambda done, _: bar.update(task, completed=done))
        Console().print(_validation_table(results))
        typer.echo(validation.distribution_of_z(results))
        if page:
            page.parent.mkdir(exist_ok=True)
            page.write_text(validation.validation_page(results, runs), encoding="utf-8")
        if not all(result.agrees for result in results):
            raise typer.Exit(1)


def _validation_table(results: list[validation.Result]) -> Table:
    table = Table(
        "model", "quantity", *(Column(name, justify="right") for name in ("theory", "simulated", "± se", "z"))
    )
    for row in validation.rows(results):
        table.add_row(*row)
    return table


@app.command()
def dev(port: Annotated[int, typer.Option(help="Port on this machine.")] = 3000):
    """Open Dagster's user interface, on this machine only, with the nightly schedule."""
    with _readable():
        home = find_home()
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
                if message and console.is_terminal:
                    status.update(f"{hospital}: {message}")
                elif message:
                    console.print(f"{hospital}: {message}", highlight=False, soft_wrap=True)
        if process.wait() == 0:
            console.print(f"{hospital}: done", highlight=False)
            return True
        readable = faults.read_text(encoding="utf-8").strip() if faults.exists() else ""
        typer.echo(
            readable or f"{hospital}: the run failed unexpectedly; see it whole with --verbose\n{lines[-1]}", err=True
        )
        return False


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
