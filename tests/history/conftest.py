"""Small hospitals around an extract in a temporary folder."""

from small_extracts import hospital, read

__all__ = ["hospital", "read"]
