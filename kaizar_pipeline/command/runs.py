"""Commands that run Dagster: run and dev."""

import fcntl
import os
import socket
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaizar_pipeline.command.show import say_of_run
from kaizar_pipeline.command.signals import ended_by_signals
from kaizar_pipeline.errors import ConfigError, KaizarError

if TYPE_CHECKING:
    from kaizar_pipeline.orchestration.run import Event

LONGEST_PATH = 440
"""Bytes of the path of Dagster's storage: SQLite opens none above 504, and that of a run's events is 62 longer."""


def run(  # noqa: PLR0913  the options of the command
    hospitals: Annotated[list[str] | None, typer.Argument(help="Hospitals, by the names of their files.")] = None,
    all_hospitals: Annotated[bool, typer.Option("--all", help="All hospitals.")] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Local date, or date and full hour, to forecast from, such as 2026-11-01 or 2026-11-01T08:00."
        ),
    ] = None,
    snapshot: Annotated[
        str | None,
        typer.Option(help="Full hour of the day to forecast from, such as 08:00. Default: as in the hospital's file."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="Seed. Default: as in the hospital's file.")
    ] = None,
    replications: Annotated[
        int | None, typer.Option(min=2, help="Replications. Default: as in the hospital's file.")
    ] = None,
    backtest_origins: Annotated[
        int | None, typer.Option(min=0, max=200, help="Past origins of the back-tests, 0 for none. Default: 12.")
    ] = None,
    select: Annotated[
        str | None, typer.Option(help="Only these tables, such as 'patients or arrival_rates+'. Default: all.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show Dagster's whole log and tracebacks.")] = False,
) -> None:
    """Make every table of the hospitals, from their patients to the occupancy of their wards."""
    from kaizar_pipeline.chain.overrides import Overrides
    from kaizar_pipeline.config.files import find_home
    from kaizar_pipeline.config.snapshot import parsed_as_of

    home = find_home()
    with ended_by_signals(home / "data"):
        chosen = _chosen(home, hospitals or [], all_hospitals)
        given = {"as_of": as_of, "snapshot": snapshot, "seed": seed, "replications": replications}
        given |= {"backtest_origins": backtest_origins}
        overrides = {name: value for name, value in given.items() if value is not None}
        if as_of is not None:
            parsed_as_of("--as-of", as_of)
        Overrides.of(**overrides)
        os.environ |= _environment(home)
        os.chdir(home)

        from kaizar_pipeline.definitions import defs
        from kaizar_pipeline.orchestration.run import open_instance, overrides_config
        from kaizar_pipeline.orchestration.run import run as events_of_run

        config = overrides_config(overrides, verbose)
        failed: list[str] = []
        with open_instance() as instance:
            for hospital in chosen:
                if not _show(hospital, events_of_run(defs, instance, hospital, select, config), verbose):
                    failed.append(hospital)
                elif not select:
                    say_of_run(home, hospital)
        if failed:
            raise typer.Exit(1)


def _chosen(home: Path, names: list[str], all_hospitals: bool) -> list[str]:
    """The hospitals that are named, each once and each with its file."""
    from kaizar_pipeline.config.files import CONFIG_FOLDER, hospital_file, hospital_files

    if bool(names) == all_hospitals:
        raise ConfigError("name one or more hospitals, or give --all")
    chosen = list(hospital_files(home)) if all_hospitals else list(dict.fromkeys(names))
    if not chosen:
        raise ConfigError(f"no hospital in {home / CONFIG_FOLDER}: add a file ID.yml there")
    for hospital in chosen:
        hospital_file(home, hospital)
    return chosen


def _show(hospital: str, events: "Generator[Event]", verbose: bool) -> bool:
    """Print the events of a run, and return whether it succeeded; a terminal shows steps on a line that changes."""
    from rich.console import Console

    from kaizar_pipeline.orchestration.run import Kind

    console = Console(stderr=True, quiet=verbose)  # Dagster's own log shows everything
    succeeded = False
    with closing(events), console.status(f"{hospital}: starting") as status:
        for event in events:
            line = f"{hospital}: {event.message}"
            if event.kind in (Kind.STEP, Kind.INFO) and console.is_terminal:
                status.update(line)
            elif event.kind is Kind.FAILURE:
                typer.echo(event.message, err=True)
            elif event.kind is Kind.BUG:
                typer.echo(f"{line}\n{hospital}: unexpected failure; --verbose shows all of it", err=True)
            else:
                console.print(line, highlight=False, soft_wrap=True, markup=False)
            succeeded |= event.kind is Kind.DONE
    return succeeded


def dev(port: Annotated[int, typer.Option(help="Port on this machine.")] = 3000) -> None:
    """Open Dagster's user interface, on this machine only, with the nightly schedule."""
    from kaizar_pipeline.config.files import find_home

    home = find_home()
    variables = _environment(home)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise KaizarError(
                f"--port: {port} cannot be used ({error.strerror}); choose another, such as {port + 1}"
            ) from None
    _keep_others_out(Path(variables["DAGSTER_HOME"]), port)
    os.environ |= variables

    from kaizar_pipeline.orchestration.run import open_instance

    with open_instance():  # so that a storage that is damaged or cannot be written is one message
        pass
    command = [sys.executable, "-m", "dagster", "dev", "--host", "127.0.0.1", "--port", str(port)]
    os.chdir(home)
    # become Dagster rather than its parent: it ends its own processes when it is asked to stop
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}  # Dagster's, about its own commands
    os.execve(sys.executable, [*command, "--workspace", "workspace.yaml"], environment)


def _keep_others_out(storage: Path, port: int) -> None:
    """Hold a lock until this process ends, also as Dagster: two daemons would start every nightly run twice."""
    path = storage / ".dagster" / "dev.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise KaizarError(f"{path}: cannot be written ({error.strerror}); make {storage} writable") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise KaizarError(
            f"`kaizar dev` is up already for the history of runs in {storage}: {path.read_text()}. Use that one or "
            "stop it first: two would both start the nightly runs. For another history set DAGSTER_HOME"
        ) from None
    os.ftruncate(lock, 0)
    os.write(lock, f"http://127.0.0.1:{port}, process {os.getpid()}".encode())
    os.set_inheritable(lock, True)


def _environment(home: Path) -> dict[str, str]:
    """Variables of Dagster's processes: this project, its storage unless another is given, no telemetry."""
    storage = Path(os.environ.get("DAGSTER_HOME") or home).absolute()
    if (length := len(os.fsencode(storage))) > LONGEST_PATH:
        raise ConfigError(
            f"{storage}: a path of {length} bytes, allowed for Dagster's storage: {LONGEST_PATH}; move the project to "
            "a folder with a shorter path, or set DAGSTER_HOME to one"
        )
    return {"KAIZAR_HOME": str(home), "DAGSTER_HOME": str(storage), "DAGSTER_DISABLE_TELEMETRY": "yes"}
