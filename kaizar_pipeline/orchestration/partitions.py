"""One partition per hospital: the files in hospital_configs/ when the code location loads."""

from pathlib import Path

from dagster import StaticPartitionsDefinition

from kaizar_pipeline.config.files import find_home, hospital_files
from kaizar_pipeline.errors import ConfigError


def _home_or_exit() -> Path:
    """The project's folder; without one there is nothing to load, and the message says more than a traceback."""
    try:
        return find_home()
    except ConfigError as error:
        raise SystemExit(str(error)) from None


HOME = _home_or_exit()
"""The project's folder."""

HOSPITALS = StaticPartitionsDefinition(list(hospital_files(HOME)))
