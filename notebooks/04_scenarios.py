# %% [markdown]
# # Scenarios in figures
#
# What happens with more demand, with other beds, with shorter stays? Each *scenario* is compared with the hospital as
# it is, with the same patients on both sides, so that small differences show. The result is a file of
# capacity KPIs by scenario, each with the 95 % interval of its difference, and a few pictures of it.

# %% tags=["repository"]
from kaizar_pipeline import load_hospital_config

config = load_hospital_config(home / "hospital_configs" / "hospital_2.yml")
ward = "medicine"

# %% tags=["kaggle"]
ward = "general_medicine" if "general_medicine" in config.ward_ids else config.ward_ids[0]

if {one.id: one.capacity for one in config.wards}[ward] is None:
    raise SystemExit(
        "This notebook is about beds, and nobody knows how many there are: put a services_weekly.csv with this service "
        "into FOLDER, and run all cells again."
    )

# %% [markdown]
# ## The hospital as it is
#
# Four weeks ahead under the forecast. `overload="allow"` simulates also what cannot last: three times the demand asks
# for more beds than there are, and then the queue grows for as long as the simulation lasts. Such rows are marked
# `overloaded`: they say how far it gets in four weeks, not where it ends.

# %%
from kaizar_pipeline import Experiment, StartingPoint, StartingTables, run_chain, with_simulation

config = with_simulation(config, horizon_days=28, replications=200, overload="allow")
learned = ["arrival_rates", "arrival_profile", "length_of_stay", "starting_census", "routes"]
tables = run_chain(config, home=home, tables=learned, workers=2)

# %% [markdown] tags=["kaggle"]
# In the public set `patients.csv` holds only a part of the patients whom `services_weekly.csv` counts as admitted. The
# rates are scaled to all of them; where the file has all, nothing changes.

# %% tags=["kaggle"]
tables["arrival_rates"] = data.all_admitted(tables["arrival_rates"])

# %%
experiment = Experiment(StartingPoint(config, StartingTables.of(tables)), workers=2)

# %% [markdown]
# ## The scenarios
#
# **More demand**, from a tenth more to three times as much; **beds** of the ward, fewer and more; and **stays**
# there, shorter and longer. A scenario names only what differs. In a project it is a file in
# `hospital_configs/scenarios/`.

# %%
from kaizar_pipeline import Scenario


def scenario(name, **differs):
    return Scenario(id=name, description=name, hospitals=[config.id], **differs)


demand = [scenario(f"demand_{n}_percent", arrival_scale=[{"factor": n / 100}]) for n in (110, 120, 150, 200, 300)]
beds = [
    scenario(name, capacity_overrides=[{"ward": ward, "change": change}])
    for name, change in {
        "beds_4_fewer": -4,
        "beds_2_fewer": -2,
        "beds_2_more": 2,
        "beds_4_more": 4,
        "beds_6_more": 6,
    }.items()
]
stays = [scenario(f"stays_{n}_percent", los_scale=[{"wards": [ward], "factor": n / 100}]) for n in (80, 90, 110)]

# %% [markdown]
# ## Compare them
#
# One call simulates all of them. `value - baseline` is the difference, `low` and `high` its 95 % interval: where both
# have one sign, chance alone does not explain it.

# %%
from kaizar_pipeline import compare_scenarios

scenarios = [*demand, *beds, *stays]
order = [scenario.id for scenario in scenarios]
comparison = compare_scenarios(experiment, scenarios).sort_values("scenario", key=lambda ids: ids.map(order.index))
tables["scenario_comparison"] = comparison
columns = ["scenario", "baseline", "value", "difference", "low", "high", "overloaded"]
comparison[(comparison["ward_id"] == ward) & (comparison["kpi"] == "mean_occupancy")][columns].round(3)

# %% [markdown]
# ## The file of KPIs
#
# All wards, all KPIs, all scenarios, one row each. Spreadsheets open it; what each KPI means is in
# `docs/reference/tables.md`. It is written to a temporary folder here; choose a place of your own.

# %%
from pathlib import Path
from tempfile import mkdtemp

file = Path(mkdtemp()) / "scenario_kpis.csv"
comparison.drop(columns=["hospital_id", "as_of"]).to_csv(file, index=False)
print(f"{file.name}: {len(comparison):,} rows")

# %% [markdown]
# **The ward at a glance**: a row for each scenario, each KPI with the scenario's value.

# %%
import pandas as pd

kpis = ["requests", "turned_away", "wait_mean_hours", "mean_occupancy", "hours_full_share", "days_any_hour_full"]
of_ward = comparison[(comparison["ward_id"] == ward) & comparison["kpi"].isin(kpis)]
glance = of_ward.pivot(index="scenario", columns="kpi", values="value").reindex(of_ward["scenario"].unique())
as_it_is = of_ward.groupby("kpi")["baseline"].first().rename("as it is")
pd.concat([as_it_is.to_frame().T, glance])[[kpi for kpi in kpis if kpi in glance]].round(2)

# %% [markdown]
# ## The pictures
#
# A dot is the difference that a scenario makes, with its 95 % interval; hollow where chance alone may explain it.
#
# **How often is the ward full?** As a share of all hours.

# %%
from kaizar_pipeline import plot_scenarios

plot_scenarios(tables, "hours_full_share", ward)

# %% [markdown]
# **How full is it on average?** More demand fills the beds up to a point; from there on all of it waits or is refused.
# That is why a picture of the occupancy alone hides what happens at three times the demand.

# %%
plot_scenarios(tables, "mean_occupancy", ward)

# %% [markdown] tags=["repository"]
# **How long do patients wait for a bed?** Here the demand shows: the mean wait, in hours.

# %% tags=["repository"]
plot_scenarios(tables, "wait_mean_hours", ward)

# %% [markdown] tags=["kaggle"]
# **How many patients are refused?** Here the demand shows: patients who find no bed, in the four weeks.

# %% tags=["kaggle"]
plot_scenarios(tables, "turned_away", ward)

# %% [markdown]
# **Beds and stays alone**, without the large scenarios that hide the small ones: how many beds are worth as much as
# stays that are 10 % shorter? Look for the row of beds whose dot is as far left as that of `stays_90_percent`.

# %%
small = ~comparison["scenario"].str.startswith("demand")
plot_scenarios({"scenario_comparison": comparison[small]}, "hours_full_share", ward)

# %% [markdown]
# **The census of the whole hospital** that is not exceeded in 95 % of all hours. Fewer beds give a lower census, and
# that is no success: the patients who are not in it wait, or are refused.

# %%
plot_scenarios({"scenario_comparison": comparison[small]}, "p95_census")

# %% [markdown]
# ## What this does not say
#
# - A factor on all stays is not a plan: it says what shorter stays are worth, not how to reach them.
# - The interval covers the finite number of replications, not errors of the forecast or of the assumptions.
# - Each interval is a single 95 % interval. Among a hundred figures about five exclude zero by chance alone.
