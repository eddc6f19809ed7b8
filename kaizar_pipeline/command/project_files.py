"""Commands on the files of a project: init, check, schema."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from shutil import copyfile
from typing import Annotated, Any

import typer

from kaizar_pipeline.errors import ConfigError, KaizarError

SAMPLE_SCENARIOS = ("bed_closure", "discharge_sooner", "escalation_beds", "winter_peak")

PROJECT_FILES = (
    "workspace.yaml",
    "dagster.yaml",
    ".gitignore",
    "hospital_configs/hospital_1.yml",
    "hospital_configs/hospital.schema.json",
    "hospital_configs/scenario.schema.json",
    *(f"hospital_configs/scenarios/{name}.yml" for name in SAMPLE_SCENARIOS),
)
"""The files of a new project; a wheel holds them below _project, in a checkout they are the repository's own."""


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new project; none of its files may exist there.")],
) -> None:
    """Start a project: settings, a sample hospital and scenarios for it."""
    from kaizar_pipeline.config.files import shipped

    existing = [name for name in PROJECT_FILES if (folder / name).exists()]
    if existing:
        raise ConfigError(f"{folder} already holds {', '.join(existing)}; choose another folder")
    for name in PROJECT_FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copyfile(shipped(name), folder / name)
    typer.echo(
        f"Created a project in {folder}. Next: cd {folder}, then with an extract of your own: kaizar draft EXTRACT; "
        "or, for the sample hospital: kaizar run --all"
    )


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files of hospitals or scenarios. Default: all in hospital_configs/.")
    ] = None,
) -> None:
    """Check the files of hospitals and scenarios, and what the extracts hold; errors are reported with their line."""
    errors = 0
    for file in files or _all_files():
        try:
            for line in _checked(file):
                typer.echo(line)
        except KaizarError as error:
            errors += 1
            warnings = error.warnings if isinstance(error, ConfigError) else []
            typer.echo("\n".join([str(error), *(f"  {warning}" for warning in warnings)]), err=True)
    if errors:
        raise typer.Exit(1)


def _all_files() -> list[Path]:
    from kaizar_pipeline.config.files import (
        CONFIG_FOLDER,
        SCENARIO_FOLDER,
        find_home,
        hospital_files,
        misnamed_files,
        scenario_files,
    )

    home = find_home()
    hospitals = [*hospital_files(home).values(), *misnamed_files(home)]
    if not hospitals:
        raise ConfigError(f"no hospital in {home / CONFIG_FOLDER}: add a file ID.yml there")
    return [*hospitals, *scenario_files(home).values(), *misnamed_files(home, SCENARIO_FOLDER)]


def _checked(file: Path) -> Iterator[str]:
    """The lines about a file: a summary, one for each value that was translated, and what its extract holds."""
    from kaizar_pipeline.config.files import (
        CONFIG_FOLDER,
        SCENARIO_FOLDER,
        check_scenario,
        find_home,
        load_with_warnings,
        scenario_warnings,
    )

    folder = file.resolve().parent
    if folder.name == SCENARIO_FOLDER:
        applies_to = ", ".join(check_scenario(file)) or "no hospital"
        yield f"{SCENARIO_FOLDER}/{file.name}: ok, applies to {applies_to}"
        yield from (f"  {warning}" for warning in scenario_warnings(file))
        return
    from kaizar_pipeline.history.extract_report import extract_report

    config, warnings = load_with_warnings(file)
    yield f"{file.name}: ok, {len(config.wards)} wards, {len(config.arrival_streams)} streams"
    yield from (f"  {warning}" for warning in warnings)
    home = folder.parent if folder.name == CONFIG_FOLDER else find_home()
    yield from (f"  {line}" for line in extract_report(config, home))


def schema(
    context: typer.Context,
    write: Annotated[
        bool,
        typer.Option("--write", help="Update the files of both schemas, and the generated pages in docs/reference."),
    ] = False,
) -> None:
    """Print the JSON Schema of hospital files."""
    from kaizar_pipeline.config.files import find_home, hospital_schema

    if not write:
        typer.echo(_as_text(hospital_schema()), nl=False)
        return
    home = find_home()
    commands: dict[str, Any] = context.find_root().command.commands  # type: ignore[attr-defined]  it is a group
    for name, text in generated_files(command.callback for command in commands.values()).items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")


def generated_files(commands: Iterable[Callable[..., Any]]) -> dict[str, str]:
    """The files that are made from the code, by their place in the project; `commands`: the functions of `kaizar`."""
    import kaizar_pipeline
    from kaizar_pipeline.chain.steps import stored_tables
    from kaizar_pipeline.command.generated_pages import commands_page, library_page
    from kaizar_pipeline.config.files import CONFIG_FOLDER, hospital_schema, scenario_schema
    from kaizar_pipeline.config.reference import keys_page
    from kaizar_pipeline.tables.dictionary import data_dictionary

    return {
        f"{CONFIG_FOLDER}/hospital.schema.json": _as_text(hospital_schema()),
        f"{CONFIG_FOLDER}/scenario.schema.json": _as_text(scenario_schema()),
        "docs/reference/tables.md": data_dictionary(stored_tables().values()),
        "docs/reference/keys.md": keys_page(hospital_schema()),
        "docs/reference/commands.md": commands_page(commands),
        "docs/reference/library.md": library_page({n: getattr(kaizar_pipeline, n) for n in kaizar_pipeline.__all__}),
    }


def _as_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
