# %% [markdown]
# Run this notebook with the Python of the repository: `make setup`, then choose the kernel of `.venv`. The simulation
# is compiled once for each machine, which takes about a minute.

# %%
import importlib.util
import sys
import warnings

warnings.filterwarnings("ignore", message="To exit: use")  # which Jupyter says below a sentence that stops a notebook
if sys.version_info < (3, 11):
    raise SystemExit(
        "This notebook needs Python 3.11 or later, this kernel is Python {}.{}: run `make setup` in the repository, "
        "then choose the kernel of its environment .venv.".format(*sys.version_info[:2])
    )
if importlib.util.find_spec("kaizar_pipeline") is None:
    raise SystemExit(
        "The package kaizar_pipeline is not installed in this kernel: run `make setup` in the repository, then choose "
        "the kernel of its environment .venv."
    )

from kaizar_pipeline import find_home, plain_errors, show_pictures

plain_errors()
show_pictures()
home = find_home()
