"""The whole chain in memory, from patients to occupancy: what the asset graph does, without Dagster and without
files."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.forecasting.features import make_feature_table
from kaizar_pipeline.forecasting.model import train_lgbm_poisson
from kaizar_pipeline.forecasting.rates import forecast_rates
from kaizar_pipeline.history.loading import History, load_history
from kaizar_pipeline.patients.daily_arrivals import arrivals_per_day
from kaizar_pipeline.patients.length_of_stay import lengths_of_stay
from kaizar_pipeline.patients.starting_census import starting_census
from kaizar_pipeline.planning.beds import bed_allocations, bed_requirements, beds_effects
from kaizar_pipeline.planning.comparison import compare_scenarios
from kaizar_pipeline.planning.drivers import occupancy_drivers
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.monte_carlo import Progress
from kaizar_pipeline.simulation.occupancy import simulate_occupancy
from kaizar_pipeline.simulation.starting_point import StartingPoint


def run_chain(
    config: HospitalConfig,
    *,
    home: Path | None = None,
    as_of: date | str | None = None,
    scenarios: Sequence[Scenario] = (),
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, pd.DataFrame]:
    """Every table of the hospital by name, as `tables.py` describes them (without `run_id`), but for those that look
    back (back-tests and the log of forecasts).

    `home` is the folder that paths of extracts are relative to, `as_of` the local midnight to forecast from (default:
    as the config and the data say), `scenarios` those to compare with the hospital as it is, `workers` the number of
    threads, which does not change the result.
    """
    tables, start = _until_simulation(config, home, as_of)
    experiment = Experiment(start, workers)
    return {
        **tables,
        **simulate_occupancy(experiment, progress).tables,
        "bed_requirements": bed_requirements(experiment),
        "beds_effects": beds_effects(experiment),
        "bed_allocations": bed_allocations(experiment),
        "occupancy_drivers": occupancy_drivers(experiment),
        "scenario_comparison": compare_scenarios(experiment, scenarios),
    }


def _until_simulation(
    config: HospitalConfig, home: Path | None, as_of: date | str | None
) -> tuple[dict[str, pd.DataFrame], StartingPoint]:
    """The tables that need no simulation of the days ahead, and what that one starts from."""
    history = load_history(config, home, as_of)
    ahead = tables_before_simulation(history, config, home)
    census = starting_census(history.patients, history.ward_stays)
    tables = {
        "patients": history.patients,
        "patient_rejects": history.patient_rejects,
        "ward_stays": history.ward_stays,
        "starting_census": census,
        **ahead,
    }
    return tables, StartingPoint(config, ahead["arrival_rates"], ahead["length_of_stay"], census)


def tables_before_simulation(
    history: History, config: HospitalConfig, home: Path | None = None, *, fit_all: bool = True
) -> dict[str, pd.DataFrame]:
    """The tables between a history and the simulation, by name; `home` as of `run_chain`, `fit_all` as of
    `lengths_of_stay`."""
    arrivals = arrivals_per_day(history.patients, config)
    length_of_stay = lengths_of_stay(history.patients, history.ward_stays, config, fit_all=fit_all)
    features = make_feature_table(arrivals, config, home)
    model = train_lgbm_poisson(features)
    return {
        "daily_arrivals": arrivals,
        "length_of_stay": length_of_stay,
        "feature_table": features,
        "arrival_model": model,
        "arrival_rates": forecast_rates(model, features, arrivals, config),
    }


def prepare_backtest(history: History, config: HospitalConfig, home: Path | None = None) -> dict[str, pd.DataFrame]:
    """The tables between a history and the simulation, with those fits of lengths of stay only that it draws from."""
    return tables_before_simulation(history, config, home, fit_all=False)


def simulate_hospital(
    config: HospitalConfig,
    seed: int | None = None,
    *,
    home: Path | None = None,
    as_of: date | str | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The table `occupancy_distributions` of the whole chain; `seed` replaces that of the config."""
    if seed is not None:
        simulation = config.simulation.model_copy(update={"seed": seed})
        config = config.model_copy(update={"simulation": simulation})
    _, start = _until_simulation(config, home, as_of)
    return simulate_occupancy(Experiment(start, workers), progress).occupancy_distributions
