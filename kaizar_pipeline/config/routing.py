"""Where patients go after a ward: rows of a hospital's or scenario's file, or the word for those that are learned."""

from typing import Annotated, Literal

from pydantic import Discriminator, Tag

from kaizar_pipeline.config.fields import LIST_TAG, NAME_TAG, Id, Model, Share


class RouteOption(Model):
    """One possible next ward."""

    to_ward: Id
    """The next ward."""
    probability: Share
    """Share of patients who go there."""


class Route(Model):
    """Where patients of a type go from a ward; the rest go home."""

    from_ward: Id
    """Ward they leave."""
    patient_type: Id | None = None
    """Their type. Default: every type without a row of its own for this ward."""
    options: tuple[RouteOption, ...]
    """Next wards; what the probabilities leave of 1 goes home."""


def _form(value: object) -> str:
    return NAME_TAG if isinstance(value, str) else LIST_TAG


Routing = Annotated[
    Annotated[Literal["from_data"], Tag(NAME_TAG)] | Annotated[tuple[Route, ...], Tag(LIST_TAG)],
    Discriminator(_form),
]
"""The routes of a hospital: learned from its ward stays, or given."""
