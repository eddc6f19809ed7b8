"""Kaizar Pipeline: how full each ward of a hospital will be, how sure that is, and how many beds are enough.

The public names of the library, in the order of the chain. They are functions on tables; `run_chain` does them all.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kaizar_pipeline.chain.in_memory import run_chain, simulate_hospital
    from kaizar_pipeline.config.files import load_hospital_config, load_scenario
    from kaizar_pipeline.config.hospital import HospitalConfig
    from kaizar_pipeline.config.scenario import Scenario
    from kaizar_pipeline.config.variant import apply_scenario
    from kaizar_pipeline.errors import ConfigError, DataError, KaizarError, SimulationError
    from kaizar_pipeline.forecasting.features import make_feature_table
    from kaizar_pipeline.forecasting.forecast_backtest import backtest_forecast, score_forecasts
    from kaizar_pipeline.forecasting.model import train_lgbm_poisson
    from kaizar_pipeline.forecasting.rates import forecast_rates
    from kaizar_pipeline.history.loading import History, load_history, load_patients
    from kaizar_pipeline.patients.daily_arrivals import arrivals_per_day
    from kaizar_pipeline.patients.length_of_stay import lengths_of_stay
    from kaizar_pipeline.patients.starting_census import starting_census
    from kaizar_pipeline.planning.beds import bed_allocations, bed_requirements, beds_effects
    from kaizar_pipeline.planning.comparison import compare_scenarios
    from kaizar_pipeline.planning.drivers import occupancy_drivers
    from kaizar_pipeline.planning.quickscan import quickscan
    from kaizar_pipeline.simulation.experiment import Experiment
    from kaizar_pipeline.simulation.occupancy import Occupancy, simulate_occupancy
    from kaizar_pipeline.simulation.starting_point import StartingPoint

__all__ = [
    "ConfigError",
    "DataError",
    "Experiment",
    "History",
    "HospitalConfig",
    "KaizarError",
    "Occupancy",
    "Scenario",
    "SimulationError",
    "StartingPoint",
    "apply_scenario",
    "arrivals_per_day",
    "backtest_forecast",
    "bed_allocations",
    "bed_requirements",
    "beds_effects",
    "compare_scenarios",
    "forecast_rates",
    "lengths_of_stay",
    "load_history",
    "load_hospital_config",
    "load_patients",
    "load_scenario",
    "make_feature_table",
    "occupancy_drivers",
    "quickscan",
    "run_chain",
    "score_forecasts",
    "simulate_hospital",
    "simulate_occupancy",
    "starting_census",
    "train_lgbm_poisson",
]

_MODULES = {
    "ConfigError": "errors",
    "DataError": "errors",
    "Experiment": "simulation.experiment",
    "History": "history.loading",
    "HospitalConfig": "config.hospital",
    "KaizarError": "errors",
    "Occupancy": "simulation.occupancy",
    "Scenario": "config.scenario",
    "SimulationError": "errors",
    "StartingPoint": "simulation.starting_point",
    "apply_scenario": "config.variant",
    "arrivals_per_day": "patients.daily_arrivals",
    "backtest_forecast": "forecasting.forecast_backtest",
    "bed_allocations": "planning.beds",
    "bed_requirements": "planning.beds",
    "beds_effects": "planning.beds",
    "compare_scenarios": "planning.comparison",
    "forecast_rates": "forecasting.rates",
    "lengths_of_stay": "patients.length_of_stay",
    "load_history": "history.loading",
    "load_hospital_config": "config.files",
    "load_patients": "history.loading",
    "load_scenario": "config.files",
    "make_feature_table": "forecasting.features",
    "occupancy_drivers": "planning.drivers",
    "quickscan": "planning.quickscan",
    "run_chain": "chain.in_memory",
    "score_forecasts": "forecasting.forecast_backtest",
    "simulate_hospital": "chain.in_memory",
    "simulate_occupancy": "simulation.occupancy",
    "starting_census": "patients.starting_census",
    "train_lgbm_poisson": "forecasting.model",
}
"""The module of each public name: importing the package alone imports none of them, which would take seconds."""


def __getattr__(name: str) -> object:
    """Import a public name at its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
