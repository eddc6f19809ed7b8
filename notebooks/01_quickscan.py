# %% [markdown]
# # One service from its history
#
# How many beds does one service need, if its past goes on?

# %% tags=["repository"]
from kaizar_pipeline import load_hospital_config

config = load_hospital_config(home / "hospital_configs" / "hospital_2.yml")

# %%
config.ward_ids
