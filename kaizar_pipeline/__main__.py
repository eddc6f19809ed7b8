"""python -m kaizar_pipeline"""

from kaizar_pipeline.command.app import app

app(prog_name="kaizar")
