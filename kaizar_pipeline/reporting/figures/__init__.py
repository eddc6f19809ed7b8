"""Figures of the page: small SVGs that stretch with their column, each with its finding in a sentence."""

from kaizar_pipeline.reporting.figures.accuracy import coverage, errors
from kaizar_pipeline.reporting.figures.calibration import arrivals, reliability
from kaizar_pipeline.reporting.figures.drawing import Figure, style
from kaizar_pipeline.reporting.figures.fan import fan
from kaizar_pipeline.reporting.figures.forest import forest
from kaizar_pipeline.reporting.figures.in_and_out import flows
from kaizar_pipeline.reporting.figures.risk import risk
from kaizar_pipeline.reporting.figures.week import week

__all__ = [
    "Figure",
    "arrivals",
    "coverage",
    "errors",
    "fan",
    "flows",
    "forest",
    "reliability",
    "risk",
    "style",
    "week",
]
