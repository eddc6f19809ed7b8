# %% [markdown]
# # Quickscan: one service from its history
#
# How many beds does one service need in the next 180 days if the past year goes on: as many patients on each weekday,
# as long stays? And what do 10 % more patients or 10 % shorter stays change? The arrivals and the stays of the past
# drive a few hundred simulations, *replications*, of the next half year. What they have in common is sure; where they
# differ, they show the risk.

# %% tags=["repository"]
from kaizar_pipeline import load_hospital_config

config = load_hospital_config(home / "hospital_configs" / "hospital_2.yml")
ward = "medicine"

# %% tags=["kaggle"]
ward = "general_medicine" if "general_medicine" in config.ward_ids else config.ward_ids[0]

# %% [markdown]
# `ward` is the service that is looked at. The other services of the hospital are simulated beside it, because patients
# may move between them; to look at another one, change `ward` to one of these:

# %%
", ".join(config.ward_ids)

# %% [markdown]
# ## What does the history say?
#
# Half a year ahead, 400 replications. `run_chain` makes the tables that are named here, and those that they are made
# from, out of the patients' records.

# %%
import pandas as pd

from kaizar_pipeline import run_chain, with_simulation

config = with_simulation(config, horizon_days=180, replications=400)
learned = ["daily_arrivals", "arrival_profile", "ward_history_days", "length_of_stay", "starting_census", "routes"]
tables = run_chain(config, home=home, tables=learned, workers=2)
stream = {stream.target_ward: stream.id for stream in config.arrival_streams}.get(ward, ward)

# %% [markdown]
# **Arrivals.** Each dot is a day. The line is the mean of the last seven days: where it climbs or falls for weeks, the
# past year is a poor guide, and notebook 02 has a forecast instead.

# %%
from kaizar_pipeline import plot_daily

plot_daily(tables, stream)

# %% [markdown]
# **Stays.** The bars are the stays that have ended. The line is the distribution that is fitted to them, patients who
# are still in bed included; the simulation draws from it. A long tail to the right means that a few patients use many
# of the beds.

# %%
from kaizar_pipeline import plot_stays

plot_stays(tables, ward)

# %% [markdown]
# **Beds in use.** The highest number of each of the last days (line), the number at midnight (dots), and the staffed
# beds (red). Records with dates alone, without times, show the midnights only.

# %%
from kaizar_pipeline import plot_past

plot_past(tables, ward)

# %% [markdown] tags=["kaggle"]
# **Admitted and refused**, week by week; weeks with an event are marked. Patients who were refused are demand too, but
# they are not in `patients.csv`: the scan below is of those who were admitted.

# %% tags=["kaggle"]
from kaizar_pipeline import plot_refused

plot_refused(data, ward) if data.weekly is not None else print("Not known: there is no services_weekly.csv.")

# %% [markdown] tags=["kaggle"]
# **Nurses present and beds**, week by week: beds are open only where there are nurses for them.

# %% tags=["kaggle"]
from kaizar_pipeline import plot_nurses

plot_nurses(data, ward) if data.nurses is not None else print("Not known: there is no staff_schedule.csv.")

# %% [markdown]
# ## What if the past year goes on?
#
# `weekday_rates` gives each day ahead the mean of its weekday over the past year, and lets days differ from it as much
# as they did. An `Experiment` then simulates the hospital with these arrivals, from the patients of the last night on.

# %%
from kaizar_pipeline import Experiment, StartingPoint, StartingTables, bed_requirements, weekday_rates

tables["arrival_rates"] = weekday_rates(tables["daily_arrivals"], config)

# %% [markdown] tags=["kaggle"]
# In the public set `patients.csv` holds only a part of the patients whom `services_weekly.csv` counts as admitted. The
# rates are scaled to all of them; where the file has all, nothing changes. The patients of the last night are not
# scaled, so that the first days show too few.

# %% tags=["kaggle"]
tables["arrival_rates"] = data.all_admitted(tables["arrival_rates"])

# %%
experiment = Experiment(StartingPoint(config, StartingTables.of(tables)), workers=2)
tables["bed_requirements"] = bed_requirements(experiment)

# %% [markdown]
# **The highest number of patients of the next 180 days, in each replication.** It counts everybody who needs a bed,
# also those for whom there is none. Red is what exceeds the staffed beds; *enough* is the fewest beds that hold in nine
# of ten replications.

# %%
from kaizar_pipeline import plot_highest

plot_highest(tables, ward)

# %% [markdown]
# **How likely is it that the highest number is above 90, 95 and 100 % of the staffed beds?** `low` and `high` are the
# 95 % interval of the chance, since there are only 400 replications. The worst hour of half a year is much worse than
# that of a usual day: a ward that copes on most days is above its beds at some hour of half a year almost surely.

# %%
from kaizar_pipeline import chances_above

requirements = tables["bed_requirements"]
peak = requirements[(requirements["ward_id"] == ward) & (requirements["risk_event"] == "horizon_peak")].iloc[0]
staffed, enough = peak["staffed_beds"], int(peak["enough_beds"])
chances_above(requirements, ward, enough if pd.isna(staffed) else int(staffed)).round(3)

# %% [markdown]
# ## What if there are 10 % more patients, or stays are 10 % shorter?
#
# A `Scenario` says what differs. The same 400 replications are simulated again with it, with the same patients as far
# as possible, so that the difference is that of the scenario and not chance.

# %%
from kaizar_pipeline import Scenario

about = {"hospitals": [config.id]}
more = Scenario(id="more", description="10 % more", arrival_scale=[{"factor": 1.1, "wards": [ward]}], **about)
shorter = Scenario(id="shorter", description="10 % shorter", los_scale=[{"factor": 0.9, "wards": [ward]}], **about)
cases = {
    "as it is": tables["bed_requirements"],
    "10 % more arrivals": bed_requirements(experiment, more),
    "10 % shorter stays": bed_requirements(experiment, shorter),
}

# %% [markdown]
# **The chances, with the beds that are enough as it is**, in all three cases: how far does that number carry?

# %%
chances = {case: chances_above(table, ward, enough).set_index("share")["chance"] for case, table in cases.items()}
pd.DataFrame(chances).T.rename(columns=lambda share: f"above {share:.0%} of {enough} beds").style.format("{:.1%}")

# %% [markdown]
# **As pictures**: with 10 % more arrivals the whole histogram moves to the right ...

# %%
plot_highest({"bed_requirements": cases["10 % more arrivals"]}, ward)

# %% [markdown]
# ... and with 10 % shorter stays to the left.

# %%
plot_highest({"bed_requirements": cases["10 % shorter stays"]}, ward)

# %% [markdown]
# ## Which way can it go?
#
# **History and replications in one picture.** Left of *now* the days that were observed, right of it the replications:
# the median of each day's highest number, and the intervals that hold 50, 80 and 95 % of them. The fan opens within
# days, as the patients of the last night leave, and then stays as wide as it is: that is the risk of any single day.
# Nothing is above the staffed beds here, since patients wait or are refused when all of them are taken.

# %%
from kaizar_pipeline import plot_fan, simulate_occupancy

tables |= simulate_occupancy(experiment).tables
plot_fan(tables, ward)

# %% [markdown]
# ## How many beds are enough?
#
# **Beds against risk.** For each number of beds, the share of days on which more are needed. The risk that is accepted
# (dashed) is the hospital's choice, `simulation.risk_target`; the curve crosses it at the number that is enough.

# %%
from kaizar_pipeline import plot_risk

plot_risk(tables, ward)

# %% [markdown]
# **The fewest beds for a risk**, for three risks: of a single day, and of the whole half year. Beds that are enough on
# most days are not enough on all 180 of them.

# %%
from kaizar_pipeline import requirement_in_words

for risk in (0.1, 0.05, 0.01):
    found = bed_requirements(experiment, risk=risk)
    for event in ("day", "horizon_peak"):
        print(f"risk {risk:.0%}: {requirement_in_words(found, ward, event)}")

# %% [markdown]
# **The same from the past alone**, without a simulation: the fewest beds that would have covered nine of ten days of
# the past year, with its 95 % interval. The past is one replication only, so that its interval is wide, and it holds
# the seasons that the scan leaves out.

# %%
from kaizar_pipeline import quickscan

past = quickscan(config, home=home)
past.loc[past["ward_id"] == ward, ["enough_beds", "enough_low", "enough_high"]].drop_duplicates()

# %% [markdown]
# ## What this does not say
#
# - The past year is taken to go on. There is no season, no trend and no holiday in it: that is notebook 02.
# - The level of arrivals is taken to be known. The chances are too narrow as far as the next half year differs from the
#   past one.
# - Patients who were turned away are not in most records. Where the hospital was full, demand was higher than the
#   history shows.
