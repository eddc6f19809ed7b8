"""One partition per hospital: the files that stand in hospital_configs/ when the code location loads."""

from dagster import StaticPartitionsDefinition

from kaizar_pipeline.config.files import find_home, hospital_files

HOME = find_home()
"""The project's folder."""

HOSPITALS = StaticPartitionsDefinition(list(hospital_files(HOME)))
