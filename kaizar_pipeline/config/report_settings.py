"""What a hospital sets about its report: which counts of patients are too small to be shown."""

from typing import Annotated

from pydantic import Field

from kaizar_pipeline.config.fields import Model


class ReportSettings(Model):
    """How page, spreadsheet, terminal and pictures show the hospital."""

    suppress_below: Annotated[int, Field(ge=0, le=20)] = 0
    """Numbers of patients from 1 to below this are not shown, nor others that would reveal them. Default: 0 (all are
    shown)."""
