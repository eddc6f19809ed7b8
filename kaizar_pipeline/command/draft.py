"""The command draft: a hospital's file from its records."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kaizar_pipeline.errors import ConfigError

if TYPE_CHECKING:
    from kaizar_pipeline.drafting.hospital_draft import Draft
    from kaizar_pipeline.drafting.redraft import Change
    from kaizar_pipeline.patients.extracts import SqlQuery

_FOLDER = "drafts"
"""Below data/: what was drafted last, to tell later what a person has edited."""


def draft(  # noqa: PLR0913  options of the command
    extract: Annotated[
        Path | None, typer.Argument(help="Extract with a row for each visit: CSV (also .gz) or Parquet; or give --sql.")
    ] = None,
    stays: Annotated[
        Path | None, typer.Argument(help="Extract with a row for each ward stay, if there is one.")
    ] = None,
    sql: Annotated[str | None, typer.Option(help="SELECT of a row for each visit, in place of EXTRACT.")] = None,
    stays_sql: Annotated[
        str | None, typer.Option(help="SELECT of a row for each ward stay, in place of STAYS.")
    ] = None,
    url_env: Annotated[
        str | None, typer.Option(help="Environment variable with the SQLAlchemy address of the database.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the hospital's file, without .yml.")] = "mine",
    timezone: Annotated[str | None, typer.Option(help="Time zone of the records, such as Europe/Amsterdam.")] = None,
    country: Annotated[str | None, typer.Option(help="Two-letter country code, for public holidays.")] = None,
    subdivision: Annotated[str | None, typer.Option(help="State or province with holidays of its own.")] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="A column that was not found right: id, arrival, departure or service=NAME (service=none)."),
    ] = None,
    date_format: Annotated[str | None, typer.Option(help="Format of the dates, such as %d/%m/%Y %H:%M.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take what is proposed where the records leave it open.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file, edits too.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what newer records would change; write nothing.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Write what newer records change; edits are kept.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show tracebacks.")] = False,
) -> None:
    """Draft a hospital's file from an extract of its records, each choice with its evidence."""
    from kaizar_pipeline.config.files import CONFIG_FOLDER, SCENARIO_FOLDER, find_home
    from kaizar_pipeline.drafting.drafted_file import drafted_file, drafted_scenario
    from kaizar_pipeline.drafting.hospital_draft import Place, checked_config, draft_hospital
    from kaizar_pipeline.reporting.draft_page import draft_page, set_aside
    from kaizar_pipeline.reporting.report_files import replace_file

    sources = _queries(sql, stays_sql, url_env) if extract is None else (extract, stays)
    if extract is not None and (sql, stays_sql, url_env) != (None, None, None):
        raise ConfigError("EXTRACT and --sql: give one of them, a file or a query")
    home = find_home()
    path = home / CONFIG_FOLDER / f"{name}.yml"
    if path.exists() and not (force or diff or update):
        raise ConfigError(
            f"{CONFIG_FOLDER}/{name}.yml is there already; --diff shows what these records would change, --update "
            "writes that and keeps edits, --force overwrites it"
        )
    place = Place(
        _given(timezone, "--timezone", "Time zone of the records, such as Europe/Amsterdam"),
        _given(country, "--country", "Two-letter country code, such as NL").upper(),
        subdivision,
    )
    columns = dict(_role_and_name(text) for text in column or [])
    drafted = draft_hospital(*sources, name=name, place=place, home=home, columns=columns, date_format=date_format)
    if drafted.questions and not yes:
        raise ConfigError([f"{drafted.location}: {one}, or take the first with --yes" for one in drafted.questions])
    last = home / "data" / _FOLDER / f"{name}.yml"
    text = drafted_file(drafted)
    if path.exists() and not force:
        changes, text = _with_edits(drafted, last, path)
        typer.echo("\n".join(str(change) for change in changes) or "these records change nothing")
        if diff:
            return
    checked_config(text, name)
    page = draft_page(drafted, name)
    replace_file(last, drafted_file(drafted).encode("utf-8"))
    replace_file(last.with_suffix(".html"), page.encode("utf-8"))
    replace_file(path, text.encode("utf-8"))
    scenario = home / CONFIG_FOLDER / SCENARIO_FOLDER / f"{name[:40]}_fewer_beds.yml"
    example = drafted_scenario(drafted, name)
    if example is not None and not scenario.exists():
        replace_file(scenario, example.encode("utf-8"))
    typer.echo(f"Wrote {CONFIG_FOLDER}/{name}.yml; pictures: data/{_FOLDER}/{name}.html. Confirm first:")
    for line in drafted.confirm:
        typer.echo(f"  {line}")
    for one in set_aside(drafted.history.patient_rejects):
        typer.echo(f"  set aside: {one.reason}: {one.rows:,} rows, lines {one.lines}; {one.example}")
    typer.echo(f"Next: kaizar check {CONFIG_FOLDER}/{name}.yml, then kaizar run {name}")


def _queries(sql: str | None, stays_sql: str | None, url_env: str | None) -> "tuple[SqlQuery, SqlQuery | None]":
    """The queries to draft from, where no file is given."""
    from kaizar_pipeline.patients.extracts import SqlQuery

    if sql is None:
        raise ConfigError("EXTRACT or --sql is missing: give a file, or a query with --sql and --url-env")
    if url_env is None:
        raise ConfigError(
            "--url-env is missing: name the environment variable that holds the address of the database, such as "
            "KAIZAR_DB"
        )
    return SqlQuery(sql, url_env), None if stays_sql is None else SqlQuery(stays_sql, url_env)


def _role_and_name(text: str) -> tuple[str, str]:
    role, equals, name = text.partition("=")
    if not equals:
        raise ConfigError(f"--column {text}: give a role and a column, such as --column service=ward")
    return role, name


def _given(value: str | None, option: str, question: str) -> str:
    """The value of an option, asked for where a person is there; nothing is guessed from the machine."""
    if value:
        return value
    if not sys.stdin.isatty():
        raise ConfigError(f"{option} is missing: {question}; records do not tell it")
    return typer.prompt(question)


def _with_edits(drafted: "Draft", last: Path, path: Path) -> "tuple[list[Change], str]":
    """What the new draft changes of the file, and its text with the edits that the file has."""
    from kaizar_pipeline.config.document import read_document
    from kaizar_pipeline.drafting.drafted_file import drafted_file
    from kaizar_pipeline.drafting.redraft import Redraft

    if not last.exists():
        raise ConfigError(
            f"{path.name}: was not drafted here, so edits cannot be told from what was drafted; choose another "
            "--name, or overwrite it with --force"
        )
    before, file = (read_document(one, one.name).values for one in (last, path))
    redraft = Redraft.of(before, drafted.values(), file)
    return redraft.changes, drafted_file(drafted, redraft.values, redraft.kept)
