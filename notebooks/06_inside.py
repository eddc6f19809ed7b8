# %% [markdown]
# # The twin from the inside: one patient, one day, many replications
#
# A chance is easy to print and hard to believe. This notebook opens the simulation behind such a number: the
# patients of one replication as they are drawn, the rules that give them beds, one patient's way through the wards, a
# day of a ward bed by bed, and the step from one replication to the distribution of many.

# %% tags=["repository"]
from kaizar_pipeline import load_hospital_config

config = load_hospital_config(home / "hospital_configs" / "hospital_1.yml")
as_of, ward = "2026-02-02", "ed"

# %% tags=["kaggle"]
as_of = None  # from the end of the records
ward = "general_medicine" if "general_medicine" in config.ward_ids else config.ward_ids[0]

if all(one.capacity is None for one in config.wards):
    raise SystemExit(
        "This notebook is about who gets which bed, and nobody knows how many there are: put services_weekly.csv into "
        "FOLDER, and run all cells again."
    )

# %% [markdown]
# ## What is known before anything is simulated?
#
# `run_chain` makes the tables of the hospital: what is learned from its records, the forecast of its arrivals, and the
# result of 200 replications, to which we come at the end. A **plan** is all of it that is not random, compiled to small
# arrays: beds and their changes, rules, rates of arrival, routes, distributions of stays.

# %%
from kaizar_pipeline import StartingPoint, StartingTables, run_chain, with_simulation

config = with_simulation(config, replications=200)
tables = run_chain(config, home=home, as_of=as_of, tables=["occupancy_distributions"], workers=2)
plan = StartingPoint(config, StartingTables.of(tables)).plan
print(f"{plan.hours / 24:.0f} days from {plan.start}, {len(plan.census.seat)} patients are there at the start")
print({name: int(beds) for name, beds in zip(plan.ward_ids, plan.beds, strict=True)}, "staffed beds then")

# %% [markdown]
# ## What is random?
#
# Everything random is drawn first: who comes when, where each patient is to go, and how long each stay takes. That is
# one **replication** of the patients, its *trajectories*. No bed has been given yet. Two versions of a hospital, say
# with more beds, therefore meet the same patients.

# %%
import pandas as pd

from kaizar_pipeline.simulation.sampling import draw

trajectories = draw(plan, 0)
first = trajectories.offset[:-1]
patients = pd.DataFrame(
    {
        "arrival": plan.start + pd.to_timedelta(trajectories.arrival, unit="h").round("s"),
        "patient type": [plan.patient_type_ids[kind] for kind in trajectories.patient_type],
        "first ward": [plan.ward_ids[place] for place in trajectories.planned_ward[first]],
        "hours of care there": trajectories.los[first].round(1),
        "stays in all": trajectories.offset[1:] - first,
    }
)
patients[trajectories.n_census :].head(8)

# %% [markdown]
# Nobody in this table has a name or an identifier: the patients ahead are drawn, not copied from the records.

# %% [markdown]
# ## Who gets a bed?
#
# From here on nothing is random. The reference engine is a SimPy program that is written to be read: a process for each
# patient, and a method for each rule. This is how free beds are given to those who wait, and how overflow is decided:

# %%
from inspect import getsource

from kaizar_pipeline.simulation import simpy_engine

print(getsource(simpy_engine.Hospital.serve))
print(getsource(simpy_engine.Hospital.overflow))

# %% [markdown]
# `simulate` runs it. The result says for each stay when the bed was asked for, given and left; `stays_table` puts names
# and times to it.

# %%
from kaizar_pipeline import stays_table

reference = simpy_engine.simulate(plan, trajectories)
stays = stays_table(plan, trajectories, reference)
tables["replication_stays"] = stays
stays.groupby("patient")["status"].first().value_counts().to_frame("patients")

# %% [markdown]
# ## One patient's way
#
# Of the patients with more than one stay, if there are any, we take the one who waited longest for beds. A thin bar is
# a wait, a grey one is care, and black is the time in the bed after care: a patient who **boards** holds that bed until
# the next ward has one free, so that a full ward shows in the ward before it.

# %%
from kaizar_pipeline import plot_patient_way

arrived = stays[stays["stream_id"].notna() & (stays["status"] == "discharged")]
by_patient = arrived.assign(wait=arrived["admit"] - arrived["request"]).groupby("patient")
kept = by_patient.agg(stays=("stay_no", "size"), wait=("wait", "sum"))
kept["stays"] = kept["stays"].clip(upper=2)
patient = int(kept.sort_values(["stays", "wait"]).index[-1])
plot_patient_way(tables, patient)

# %% [markdown]
# ## A day of a ward
#
# The day of this replication with most waiting or diverted patients. Each row is a bed. Above the red line, the staffed
# beds, are those who wait for one; a cross is a patient who was diverted on arrival. When the rows below the line are
# all taken, the ward is full: that is what `prob_full_hour` counts, hour by hour. The twin's beds have no numbers, so a
# patient who comes is shown in the lowest row that is free.

# %%
from kaizar_pipeline import plot_ward_day

asked = stays[(stays["planned_ward_id"] == ward) & (stays["request"] >= plan.statistics_start)]
without = asked[asked["admit"].isna() | (asked["admit"] > asked["request"])]
days = without["request"].dt.date if len(without) else asked["request"].dt.date
day = days.value_counts().index[0]
plot_ward_day(tables, ward, day)

# %% [markdown]
# What it does not say: the twin knows no single nurses, no beds that are being cleaned, and no patient who is moved for
# another one. The rules that it does know are in
# `docs/explanation/simulation.md` of the repository.

# %% [markdown]
# ## The same replication in the compiled engine
#
# SimPy is too slow for hundreds of replications of many scenarios. A second engine has the same rules, compiled. Given
# the same trajectories it has to return the same numbers, and not nearly: each array is compared bit by bit. The tests
# do the same with random hospitals.

# %%
from time import perf_counter

import numpy as np

from kaizar_pipeline.simulation import compiled_engine

compiled = compiled_engine.simulate(plan, trajectories)
times = [perf_counter()]
for engine in (simpy_engine, compiled_engine):
    engine.simulate(plan, trajectories)
    times.append(perf_counter())
slow, fast = np.diff(times)
print(f"one replication: SimPy {1000 * slow:.0f} ms, compiled {1000 * fast:.1f} ms")
pd.DataFrame(
    [
        {"array": name, "numbers": len(ours), "same bits": ours.tobytes() == theirs.tobytes()}
        for name, ours, theirs in zip(reference._fields, reference, compiled, strict=True)
    ]
)

# %% [markdown]
# ## From one replication to the distribution
#
# One replication is one possible course of the weeks ahead, and no forecast. The next one has other patients:

# %%
from kaizar_pipeline import plot_one_of_many

several = [(number, draw(plan, number)) for number in range(5)]
tables["replication_stays"] = pd.concat(
    [stays_table(plan, drawn, compiled_engine.simulate(plan, drawn), number) for number, drawn in several]
)
plot_one_of_many(tables, ward)

# %% [markdown]
# The thin lines are five replications, the grey bands hold 50, 80 and 95 % of all 200. No line is likely; the bands are
# what is known. They are narrow at first, since the patients in bed now are known, and widen as these leave: within
# hours where stays are short, within days or weeks elsewhere.
#
# The table `occupancy_distributions` is nothing but a count over replications. Counted here by hand, from the bare
# arrays of 200 replications:

# %%
hours = plan.warmup_hours + np.arange(plan.statistics_hours)
place = plan.ward_ids.index(ward)
census = np.empty((200, len(hours)), dtype=int)
for number in range(len(census)):
    one = compiled_engine.simulate(plan, draw(plan, number))
    own = one.used_ward == place
    came, left = np.sort(one.admit[own]), np.sort(one.depart[own])
    census[number] = np.searchsorted(came, hours, side="right") - np.searchsorted(left, hours, side="right")

table = tables["occupancy_distributions"].query("ward_id == @ward").sort_values("at")
full = census >= plan.staffed[place]
print("largest difference of the mean census:", np.abs(census.mean(axis=0) - table["mean"]).max())
print("largest difference of the chance of being full:", np.abs(full.mean(axis=0) - table["prob_full_hour"]).max())

# %% [markdown]
# **How many replications are enough?** The chance that the ward is full at the hour at which that is least certain,
# from more and more replications, with the standard error that is left by chance. Four times as many replications halve
# it. It is the error of the simulation only: whether the forecast itself is right is the question of notebook 05.

# %%
hour = int(np.abs(full.mean(axis=0) - 0.5).argmin())
print(f"{ward}, {plan.statistics_start + pd.Timedelta(hours=hour)}")
numbers = np.array([10, 50, 100, 200])
chance = np.array([full[:n, hour].mean() for n in numbers])
error = np.sqrt(chance * (1 - chance) / numbers)
pd.DataFrame({"replications": numbers, "chance of being full": chance, "standard error": error.round(3)})
