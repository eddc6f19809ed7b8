# %% [markdown]
# # Your own hospital: from an extract to the page of the bed meeting
#
# What does it take to see the next four weeks of your own wards? An extract of patients and three commands:
# `kaizar draft` writes the hospital's file from the records, `kaizar check` reads both and says what it understood, and
# `kaizar run` makes every table and the page. This notebook does it with a small hospital, shows a mistake and its
# message, and draws pictures from the stored tables.

# %% [markdown]
# `kaizar` is a command of the terminal. This function calls it in the folder of the project, and shows what it says.

# %%
import os
import subprocess
import sys


def kaizar(*words: str) -> None:
    """`kaizar WORDS` in the project."""
    command = [sys.executable, "-m", "kaizar_pipeline", *words]
    ran = subprocess.run(command, env={**os.environ, "KAIZAR_HOME": str(project)}, capture_output=True, text=True)
    print(ran.stdout, ran.stderr if ran.returncode else "", sep="")


# %% [markdown] tags=["repository"]
# ## What does an extract look like?
#
# One row for each patient who asked for a bed: an id, the arrival, the departure (empty: still in the hospital), and
# the service. The columns may have any names, and other columns are never read. Here the extract is a year of two
# services of a sample hospital, written to a new project in a temporary folder. `kaizar init` makes the project.

# %% tags=["repository"]
from pathlib import Path
from tempfile import mkdtemp

import pandas as pd

project = Path(mkdtemp()) / "my_project"
hospital, extract = "own", project / "patients.csv"
kaizar("init", str(project))
source = pd.read_csv(home / "data" / "raw" / "hospital_2" / "patients.csv", dtype=str)
source = source[source["service"].isin(["surgery", "general_medicine"]) & (source["arrival_date"] >= "2025-11-01")]
names = {"patient_id": "number", "arrival_date": "came", "departure_date": "went", "service": "specialty"}
source[[*names, "name"]].rename(columns=names).to_csv(extract, index=False)

# %% [markdown] tags=["kaggle"]
# ## What does an extract look like?
#
# One row for each patient who was given a bed: an id, the arrival, the departure (empty: still in the hospital), and
# the service. Other columns are never read. Here it is the `patients.csv` of `FOLDER`; the first cells made a project
# of it.

# %% tags=["kaggle"]
project = home.resolve()
hospital, extract = config.id, folder / "patients.csv"

# %%
import pandas as pd

found = pd.read_csv(extract, dtype=str)
print(f"{len(found):,} rows, {extract.stat().st_size / 1000:,.0f} kB")
found.drop(columns="name").head()

# %% [markdown] tags=["repository"]
# ## Draft the hospital's file
#
# `kaizar draft` finds out which column is what, how dates are written, and which services there are, and proposes the
# beds. It ends with what a person has to confirm. The time zone and the country are never guessed.

# %% tags=["repository"]
kaizar("draft", str(extract), "--name", hospital, "--timezone", "Europe/Amsterdam", "--country", "NL")

# %% [markdown]
# ## What does the hospital's file say?
#
# It answers six questions: where, where patients come from, which wards with how many beds, which kinds of patient, how
# they arrive, and where they go next. What is in the extract need not be configured: `from_data` learns the lengths of
# stay, `ml_poisson` forecasts the arrivals from their own past. All keys are in `docs/reference/keys.md`.

# %% [markdown] tags=["repository"]
# Each comment is the evidence for its line. The beds are a guess from the census: here a person puts in the true
# numbers, and the last complete day of the extract.

# %% tags=["repository"]
import re

file = project / "hospital_configs" / f"{hospital}.yml"
text = file.read_text(encoding="utf-8")
for ward, beds in {"surgery": 30, "general_medicine": 45}.items():
    text = re.sub(rf"(id: {ward}\n.*\n +capacity:) .*", rf"\1 {beds}", text)
text = text.replace("\npatients:\n", "\npatients:\n  complete_through: 2026-10-31\n  max_age_days: null\n")
text += "\nsimulation: {replications: 100}\n"
file.write_text(text, encoding="utf-8")
print(text)

# %% tags=["kaggle"]
file = project / "hospital_configs" / f"{hospital}.yml"
text = file.read_text(encoding="utf-8")
print(text)

# %% [markdown]
# ## Is it understood?
#
# `kaizar check` reads the file and the extract, and simulates nothing.

# %%
kaizar("check", str(file))

# %% [markdown]
# Read it line by line: are these all your patients, is the last day the one you expect, and is the number of patients
# in each ward at `as_of` what the ward saw? Departures that are missing by mistake show up here as a census that is too
# high. Rows that cannot be right are set aside and counted, with the line of an example.
#
# **A mistake** gives its place, what was found, and what is meant or allowed:

# %%
typo = file.with_name("typo.yml")
typo.write_text(text.replace("los_model", "los_modell", 1), encoding="utf-8")
kaizar("check", str(typo))
typo.unlink()

# %% [markdown]
# ## Run it
#
# Before the first run there is nothing to look at. `read_tables`, which reads what a project has stored, then says what
# to do; the commands `kaizar show` and `kaizar report` say the same.

# %%
from kaizar_pipeline import KaizarError, read_tables

try:
    read_tables(project, hospital)
except KaizarError as nothing:
    print(nothing)

# %% [markdown]
# `kaizar run` makes all tables: what is learned from the extract, the forecast, the simulation, beds for a risk, and a
# back-test, which takes most of the time: here from 4 past origins, instead of 12. It ends with the wards to look at
# first.

# %%
kaizar("run", hospital, "--backtest-origins", "4")

# %% [markdown]
# ## Where is the page?
#
# `latest.html` is one file without links to the internet: open it in a browser, or send it. Beside it are the same
# figures as a spreadsheet and as CSV. `kaizar report --open` opens the page in a browser.

# %%
for path in sorted((project / "data" / "reports" / hospital).rglob("*")):
    if path.is_file():
        print(f"{path.stat().st_size / 1000:6,.0f} kB  {path}")

# %% [markdown]
# ## The pictures of the page, in a notebook
#
# `read_tables` gives the tables of the last run by name. All `plot_` functions take such tables, and so does pandas.
#
# **Which ward, on which day?** The chance of being full at some hour of each day, in percent.

# %%
from kaizar_pipeline import plot_strip

tables = read_tables(project, hospital)
plot_strip(tables)

# %% [markdown]
# **What is to be expected by tomorrow?** Beds in use now (dot) and 24 hours later (line, with its 80 % interval).

# %%
from kaizar_pipeline import plot_meeting

if tables["bed_meeting"]["staffed_at_end"].notna().any():
    plot_meeting(tables)
else:
    print("No ward has a known number of beds, so there is nothing to compare with: see `capacity` in the file.")

# %% [markdown]
# **The ward that is full most often**, day by day: what was observed left of *now*, what is forecast right of it. An
# extract with days only knows the midnights of the past. They may lie above the staffed beds, since the extract counts
# the patients of a service wherever their bed was.

# %%
from kaizar_pipeline import plot_fan

days = tables["ward_days"].query("kind == 'ward' and scenario == 'baseline'")
ward = days.groupby("ward_id")["prob_full_day"].mean().idxmax()
plot_fan(tables, ward)

# %% [markdown]
# **How many beds are enough there?** The line falls with each bed; where it meets the dashed target, demand is covered
# on 9 days in 10.

# %%
from kaizar_pipeline import plot_risk

plot_risk(tables, ward)

# %% [markdown]
# **Would it have been right?** How often the 80 % intervals of the census held from past origins. Notebook 05 says how
# to read it. Trust the figures of a ward only after this picture.

# %%
from kaizar_pipeline import plot_coverage

plot_coverage(tables)

# %% [markdown]
# ## All tables, in SQL
#
# `data/kaizar.duckdb` has every table of every hospital of the project. Which days are likeliest to be full?

# %%
import duckdb

catalog = duckdb.connect(str(project / "data" / "kaizar.duckdb"), read_only=True)
catalog.sql("""
    SELECT ward_id, date, staffed_most, peak_p50, beds_90, round(prob_full_day, 2) AS prob_full_day
    FROM ward_days WHERE scenario = 'baseline' AND kind = 'ward' AND prob_full_day IS NOT NULL
    ORDER BY prob_full_day DESC, date LIMIT 5
""").df()

# %% [markdown]
# What these pictures do not say: whether a bed is in the right place for a certain patient, and what happens if the way
# of working changes. Figures for a decision between alternatives are in notebook 04. All this hospital's files are in
# one folder:

# %%
catalog.close()
print(project)
