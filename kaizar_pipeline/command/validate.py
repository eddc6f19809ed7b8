"""The command `validate`."""

from datetime import date
from typing import Annotated

import typer


def validate(
    runs: Annotated[int, typer.Option(min=10, help="Independent runs of each model.")] = 40,
    write: Annotated[bool, typer.Option("--write", help="Update docs/reference/validation.md.")] = False,
) -> None:
    """Simulate models whose answer is known; fails where chance does not explain a difference."""
    from kaizar_pipeline.command.screen import print_validation, progress_bar
    from kaizar_pipeline.config.files import find_home
    from kaizar_pipeline.verification import models, verify

    page = find_home() / "docs" / "reference" / "validation.md" if write else None
    cases = models.cases()
    with progress_bar("Simulating models whose answer is known", len(cases)) as progress:
        results = verify.validate(cases, runs=runs, progress=progress)
    print_validation(results)
    typer.echo(verify.distribution_of_z(results))
    if page:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(verify.validation_page(results, date.today(), runs), encoding="utf-8")
    if not all(result.agrees for result in results):
        raise typer.Exit(1)
