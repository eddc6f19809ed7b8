# %% [markdown]
# # From the forecast to the twin
#
# How full will one service be, if its patients come as the forecast says? The forecast learns from the past arrivals;
# it is tested on days that it had not seen; then it drives the simulation, the *twin*, and the answers are about beds:
# how many are enough, what a bed more or fewer does to those who wait, and how full the ward is with each number.

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
# ## How far ahead?
#
# 180 days ahead need 500 days of history: a whole year was seen, and part of it twice. Where there are fewer, the
# forecast is made for 28 days.

# %%
from kaizar_pipeline import run_chain, with_simulation

learned = ["daily_arrivals", "arrival_profile", "ward_history_days", "length_of_stay", "starting_census", "routes"]
tables = run_chain(config, home=home, tables=learned, workers=2)
arrivals = tables["daily_arrivals"]
stream = {stream.target_ward: stream.id for stream in config.arrival_streams}.get(ward, ward)
known = int(arrivals["observed"][arrivals["stream_id"] == stream].sum())
days = 180 if known >= 500 else 28
config = with_simulation(config, horizon_days=days, replications=200)
print(f"{known} days of history: the forecast is for {days} days.")

# %% [markdown]
# ## What does the forecast learn from?
#
# `make_feature_table` describes each day by its calendar and by the level of arrivals shortly before. A row is a day
# `target_date`, seen from `origin`, `h` days before; nothing in it is later than `origin`.

# %%
from kaizar_pipeline import make_feature_table

features = make_feature_table(arrivals, config, home)
columns = ["origin", "target_date", "h", "weekday", "holiday", "level_3_10", "level_30_10", "weekday_ratio", "arrivals"]
features[(features["stream_id"] == stream) & (features["use"] == "train")][columns].tail(4)

# %% [markdown]
# ## The model
#
# A regression on the calendar gives a base rate. LightGBM adds trees that learn what it misses, and they are kept only
# where they help on days that were held back: with 0 trees the forecast of that stream is the regression alone, since
# the trees found nothing more. `trees` is how many were kept, `overdispersion` how much more days vary
# than Poisson numbers of their mean.

# %%
from kaizar_pipeline import train_lgbm_poisson

model = train_lgbm_poisson(features)
model[["stream_id", "method", "trees", "train_from", "train_to", "n_days", "overdispersion"]]

# %% [markdown]
# ## How good is it?
#
# **A rolling back-test**: the forecast of 28 days is made again from several past days, each time with nothing but what
# was known then. Beside it are three simple ways: the same weekday of the last week (*seasonal naive*), the mean of the
# last four, and the calendar alone. A smaller miss is better.

# %%
from kaizar_pipeline import backtest_forecast, plot_skill, score_forecasts

past = backtest_forecast(arrivals, with_simulation(config, horizon_days=28), home, origins=4, workers=2)
tables["forecast_scores"] = score_forecasts(past)
plot_skill(tables)

# %% [markdown]
# **In figures.** `skill` is the part of the miss of seasonal naive that is saved: 0 is as good, 1 would be perfect.
# `coverage80` is the share of days inside the 80 % interval; it should be near 0.8. `loses_to` says which simple way is
# better, if one is: where days differ from each other by chance alone, the calendar alone is as good as any model.

# %%
board = tables["forecast_scores"].query("stream_id == @stream and span == 'day' and horizon_week == 0")
board[["method", "n", "crps", "skill", "coverage80", "loses_to"]].sort_values("crps").round(3)

# %% [markdown]
# ## The days ahead
#
# Dots are observed days. The line is what is expected, with the 80 % interval of that expectation: it is a *rate*, of
# which single days vary more. It follows the weekdays, public holidays and, from 500 days of history on, the season.

# %%
from kaizar_pipeline import forecast_rates, plot_arrivals

tables["arrival_rates"] = forecast_rates(model, features, arrivals, config)
plot_arrivals(tables, stream)

# %% [markdown] tags=["kaggle"]
# In the public set `patients.csv` holds only a part of the patients whom `services_weekly.csv` counts as admitted. For
# the twin the rates are scaled to all of them; where the file has all, nothing changes.

# %% tags=["kaggle"]
tables["arrival_rates"] = data.all_admitted(tables["arrival_rates"])

# %% [markdown]
# ## The twin under the forecast
#
# Each replication takes one plausible path of the arrival rates, draws the patients, their stays and their ways, and
# gives out the beds hour by hour, from the patients of the last night on.

# %%
from kaizar_pipeline import Experiment, StartingPoint, StartingTables, plot_fan, simulate_occupancy

config = with_simulation(config, overload="allow")
experiment = Experiment(StartingPoint(config, StartingTables.of(tables)), workers=2)
tables |= simulate_occupancy(experiment).tables
plot_fan(tables, ward)

# %% [markdown]
# **Beds against risk.** For each number of beds, the share of days on which more are needed, everybody counted who
# needs a bed. The risk is now that of the forecast, with its uncertainty. Where the line meets the dashed target,
# demand exceeds the beds on as many days as the target says; the ward may be *full* more often than that, since full
# means that the last bed is taken.

# %%
from kaizar_pipeline import bed_requirements, plot_risk

tables["bed_requirements"] = bed_requirements(experiment)
plot_risk(tables, ward)

# %% [markdown]
# ## What does a bed more or fewer do?
#
# The same patients are simulated again with two beds fewer, one fewer, and one, two and four more.

# %%
from kaizar_pipeline import beds_effects

tables["beds_effects"] = beds_effects(experiment, wards=[ward])

# %% [markdown] tags=["repository"]
# **Waits against beds**: the mean wait for a bed of this ward, and the wait that one patient in twenty exceeds, each
# with the 95 % interval of the difference to the beds as they are. The curve is steep where beds are scarce: there one
# bed more saves many hours, and the next one fewer.

# %% tags=["repository"]
from kaizar_pipeline import plot_waits

plot_waits(tables, ward)

# %% [markdown] tags=["kaggle"]
# **Patients turned away against beds**: in these files nobody waits, a patient who finds no bed is refused. The bars
# are the 95 % interval of the difference to the beds as they are. The curve is steep where beds are scarce: there one
# bed more helps most.

# %% tags=["kaggle"]
from kaizar_pipeline import plot_turned_away

plot_turned_away(tables, ward)

# %% [markdown]
# **How full is the ward with each number of beds?** A row is a number of beds. A cell is the occupancy that is not
# exceeded in so many of all hours and replications; red: all beds are in use. Where a row turns red at 75 %, the ward
# is full in a quarter of all hours or more. Find the row that turns red as late as you ask for.

# %%
from kaizar_pipeline import beds_percentiles, plot_beds_percentiles

tables["beds_percentiles"] = beds_percentiles(experiment, ward)
plot_beds_percentiles(tables, ward)

# %% [markdown]
# ## What this does not say
#
# - The back-test is of 28 days. Half a year ahead the level itself may drift; the interval is wider, but nobody knows a
#   new epidemic or a new neighbour hospital.
# - A few origins are a small test. `kaizar run` takes twelve, and `docs/reference/forecast_validation.md` has real
#   series.
# - Lengths of stay are those of the past, and demand is what was recorded: patients turned away are often not in it.
