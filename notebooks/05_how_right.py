# %% [markdown]
# # How right is it? Theory, past forecasts, real logs
#
# A forecast that sounds precise may still be wrong. This notebook checks three things apart from each other: does the
# simulation compute what its rules say (against queueing theory)? Would the forecasts of this hospital have been right
# (against its own past)? And do the methods hold on real logs? It ends with the command behind each published figure.

# %% tags=["repository"]
from kaizar_pipeline import load_hospital_config

config = load_hospital_config(home / "hospital_configs" / "hospital_1.yml")
as_of = "2026-11-01"

# %% tags=["kaggle"]
as_of = None  # from the end of the records

# %% [markdown]
# ## Does the simulation agree with theory?
#
# For small hospitals mathematics knows the answer: Erlang's formulas for beds with and without a queue, Cobham's for
# priorities, exact Markov chains for boarding, reserved beds and outliers, and cases without chance that are worked out
# by hand. `cases` has them all. Here some are simulated, as many times and with the same seeds as on the page
# `docs/reference/validation.md`; two at a time, since the machine has two cores.

# %%
from concurrent.futures import ThreadPoolExecutor

import pandas as pd

from kaizar_pipeline.verification.models import cases
from kaizar_pipeline.verification.verify import as_table, rows, validate

sources = ("Erlang", "Cobham", "exact Markov", "worked out")
slow = ("Waits", "Erlang B, 30", "Erlang B, 50", "Erlang B, 53", "Erlang C, 50")
chosen = [case for case in cases() if case.source.startswith(sources) and not case.model.startswith(slow)]
with ThreadPoolExecutor(2) as pool:
    results = [result for found in pool.map(lambda case: validate([case]), chosen) for result in found]
tables = {"validation": as_table(results)}
print(f"{len(chosen)} of {len(cases())} models, {len(results)} quantities")

# %% [markdown]
# Theory beside simulation. **z** is the distance in standard errors of the simulation: between -2 and 2 in 95 of 100
# cases if nothing but chance is at work, and a test of the project fails beyond 4. A model without chance has to be
# exact.

# %%
shown = tables["validation"].set_index(["model", "quantity"])[["theory", "simulated", "standard_error", "z"]]
shown[shown["standard_error"] > 0].round({"theory": 5, "simulated": 5, "standard_error": 5, "z": 2})

# %% [markdown]
# All of them in one picture, a dot for each quantity. The dots should fill the grey hill, no wider and no narrower: if
# they were all near 0, the standard errors would be too large.

# %%
from kaizar_pipeline import plot_theory

plot_theory(tables)

# %% [markdown]
# **A figure of the page, made again.** Draws are addressed by seed and not taken from a stream, so that another machine
# gets the same digits:

# %% tags=["repository"]
page = (home / "docs" / "reference" / "validation.md").read_text()
printed = [" | ".join(row[1:]) for row in rows(results)]
print(
    sum(f"| {row} |" in page for row in printed), "of", len(printed), "rows are on the page, digit for digit; such as"
)
print(results[0].model, "|", printed[0])

# %% tags=["kaggle"]
print(results[0].model, "|", " | ".join(next(rows(results))[1:]))

# %% [markdown]
# What it does not say: theory knows small hospitals with simple rules only. It shows that the rules are carried out
# right, not that they are those of your hospital.

# %% [markdown]
# ## Would the forecasts have been right?
#
# The **back-test** goes back to past origins, forgets everything after them, runs the whole chain, and compares with
# what happened. Here 6 origins, 28 days ahead each. It first asks for the arrivals alone.

# %%
from kaizar_pipeline import plot_skill, run_chain

names = ["ward_days", "forecast_scores", "occupancy_scores", "full_backtest"]
tables |= run_chain(
    config, home=home, as_of=as_of, tables=names, workers=2, backtest_origins=6, backtest_replications=100
)
plot_skill(tables)

# %% [markdown]
# The CRPS is the average miss of a day's arrivals, in patients, of a forecast that is a distribution. *Model* is what
# the twin uses. *Calendar alone* is a regression on weekday, season and holidays: where both are alike, the calendar is
# most of what can be known.
#
# **Is the census as uncertain as it is forecast?** An 80 % interval should hold in 80 of 100 cases; grey is the range
# in which calibrated intervals lie 99 times in 100. With 6 origins that range is wide.

# %%
from kaizar_pipeline import plot_coverage

plot_coverage(tables)

# %% [markdown]
# **Are the chances of a full ward right?** Of all days with a chance of about 30 %, the ward should be full on 3 in 10.
# Dots on the line are right; the number beside a dot is how many days it stands for.

# %% tags=["repository"]
from kaizar_pipeline import plot_reliability

plot_reliability(tables)

# %% tags=["kaggle"]
print(
    "The records have days and no times, so nobody knows at which hours of the past a ward was full: there is no such "
    "picture for them. The notebook of the repository has one, of a hospital with times."
)

# %% [markdown]
# ## Where does it lose?
#
# The CRPS of the twin's census over that of simple methods, by ward and week ahead: the census of now (`persistence`)
# or of yesterday at the same hour, and the past censuses of the same weekday in the last six weeks or in all. Below 1
# the twin is better. Marked is where it loses.

# %%
scores = tables["occupancy_scores"].query("lead_week > 0")
crps = scores.pivot_table(index=["ward_id", "lead_week"], columns="method", values="crps")
ratio = crps.drop(columns="twin").rdiv(crps["twin"], axis=0)
ratio.style.format("{:.2f}").highlight_between(left=1.0, color="#ebb8b1")

# %%
lost = ratio > 1
print(f"The twin loses {int(lost.to_numpy().sum())} of {lost.size} comparisons. The mean ratio by week:")
ratio.groupby("lead_week").mean().round(2)

# %% [markdown]
# The twin knows who is in bed now, how stays go on and which arrivals are expected; simple methods know past censuses
# only. Where the ratio is close to 1, the past of a ward says nearly as much. What only the twin can answer is a
# question about beds and rules that have never been tried. And 6 origins are few, their errors are related: 0.98 and
# 1.02 are both a draw. `kaizar run` uses 12 origins, and keeps them from run to run.
#
# **Arrivals.** Which method has the smallest CRPS, and how far is the twin's model from it? The model corrects the rate
# of the calendar by trees that learn from recent days: where there is nothing more to learn, the calendar alone wins.

# %%
arrivals = tables["forecast_scores"].query("span == 'day' and horizon_week == 0")
arrivals = arrivals.pivot_table(index="stream_id", columns="method", values="crps")
best = pd.DataFrame(
    {"best method": arrivals.idxmin(axis=1), "model over best": arrivals["model"] / arrivals.min(axis=1)}
)
best.round(3)

# %% [markdown] tags=["repository"]
# **Chances of a full ward.** The mean chance that was forecast, and the share of days on which the ward was full. Where
# the first is higher, the twin warned too often.

# %% tags=["repository"]
days = tables["full_backtest"].query("level == '_full'")
days.groupby("ward_id")[["probability", "happened"]].mean().round(3)

# %% [markdown] tags=["repository"]
# ## Does it hold on real logs?
#
# The hospital above is synthetic, so that the truth is known. Public records of real and of simulated hospitals are not
# part of this repository. `RECORDS` names a folder that has them: `sepsis_log.csv` with the columns `arrival` and
# `release`, the log of a real sepsis pathway. What they gave is on the page
# [occupancy_validation.md](../docs/reference/occupancy_validation.md).

# %% tags=["repository"]
import sys

RECORDS = home / "data" / "public"

if (RECORDS / "sepsis_log.csv").exists():
    sys.path.insert(0, str(home))
    from benchmarks.occupancy import Options, sepsis

    for name, figure in sepsis(Options(data=RECORDS)).items():
        print(f"{name}: {figure:.2f}")
else:
    print(
        f"There is no sepsis_log.csv in {RECORDS.relative_to(home)}: put the public records there, or name their "
        "folder in RECORDS, and run this cell again. What they gave is in docs/reference/occupancy_validation.md."
    )

# %% [markdown] tags=["kaggle"]
# ## Does it hold on real logs?
#
# The back-tests above are about the files in `FOLDER`: where these are of a real hospital, so is the answer. What the
# public logs gave that the project was tried on is in `docs/reference/occupancy_validation.md` of the repository.

# %% [markdown]
# ## How to make each figure again
#
# In the repository, one command makes a page anew:
#
# | page of `docs/reference` | what is on it | command |
# |---|---|---|
# | `validation.md` | theory | `kaizar validate --write` |
# | `forecast_validation.md` | arrivals | `python -m benchmarks.forecast --write` |
# | `occupancy_validation.md` | census, full days, flows, real logs | `python -m benchmarks.occupancy --write` |
# | `benchmarks.md` | speed | named on the page |

# %% [markdown] tags=["repository"]
# [docs/evidence.md](../docs/evidence.md) has all of them on one page, each with its date, its command, and where it
# loses.

# %% [markdown] tags=["kaggle"]
# `docs/evidence.md` of the repository has all of them on one page, each with its date, its command, and where it loses.
