# %% [markdown]
# `FOLDER` holds the hospital's files: `patients.csv`, and if they are there `services_weekly.csv`, `staff.csv` and
# `staff_schedule.csv`, in the form of the public set "Hospital Beds Management". It is the only variable to change.
# Where there is no such folder, synthetic files of the same form are used. The simulation is compiled once, which takes
# about a minute.

# %%
FOLDER = "/kaggle/input/hospital-beds-management"

# %%
import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path

warnings.filterwarnings("ignore", message="To exit: use")  # which Jupyter says below a sentence that stops a notebook
if sys.version_info < (3, 11):
    raise SystemExit(
        "This notebook needs Python 3.11 or later, this kernel is Python {}.{}: choose a newer environment in the "
        "settings of the notebook, or start Jupyter with a newer Python.".format(*sys.version_info[:2])
    )
if importlib.util.find_spec("kaizar_pipeline") is None:
    wheels = [str(wheel) for place in (Path(), Path(FOLDER)) for wheel in sorted(place.glob("kaizar_pipeline-*.whl"))]
    package = wheels[0] if wheels else "kaizar-pipeline"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", package]
    if subprocess.run(pip, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        raise SystemExit(
            f"pip could not install {package}: switch on the internet in the settings of the notebook (or connect this "
            "computer), and put the wheel kaizar_pipeline-*.whl beside this notebook or into FOLDER. Then run all "
            "cells again."
        )
    importlib.invalidate_caches()

# %%
from kaizar_pipeline import HospitalBeds, make_hospital_beds, plain_errors, show_pictures

plain_errors()
show_pictures()
folder = Path(FOLDER)
if not folder.is_dir():
    folder = Path("hospital_beds")
    print(f"The folder {FOLDER} is not here: synthetic files of the same form, written to {folder}, are used instead.")
    make_hospital_beds(folder)
data = HospitalBeds.read(folder)
for note in data.notes:
    print(note)
home = Path("kaizar_project")
config = data.write_project(home)
