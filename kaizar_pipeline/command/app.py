"""The commands of `kaizar`, and how their errors end."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import typer

from kaizar_pipeline.command import compare, draft, project_files, runs, show, validate
from kaizar_pipeline.errors import KaizarError

app = typer.Typer(
    help="How full will each ward be, how sure is that, and how many beds are enough?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich takes longer than everything else
)


def _with_readable_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Errors of ours end in their message and exit status 1; with --verbose they keep the traceback."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except KaizarError as error:
            if options.get("verbose"):
                raise
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None

    return run


for _command in (
    project_files.init,
    draft.draft,
    project_files.check,
    project_files.schema,
    runs.run,
    runs.dev,
    show.show,
    show.report,
    compare.compare,
    validate.validate,
):
    app.command()(_with_readable_errors(_command))
