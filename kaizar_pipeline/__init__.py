"""Kaizar Pipeline: how full each ward of a hospital will be, how sure that is, and how many beds are enough.

The public names of the library, in the order of the chain. They are functions on tables; `run_chain` does them all.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kaizar_pipeline.chain.in_memory import run_chain, simulate_hospital
    from kaizar_pipeline.config.files import find_home, load_hospital_config, load_scenario
    from kaizar_pipeline.config.hospital import HospitalConfig
    from kaizar_pipeline.config.scenario import Scenario
    from kaizar_pipeline.config.variant import apply_scenario, with_simulation
    from kaizar_pipeline.drafting.drafted_file import drafted_file
    from kaizar_pipeline.drafting.hospital_draft import Place, draft_hospital
    from kaizar_pipeline.errors import ConfigError, DataError, KaizarError, SimulationError
    from kaizar_pipeline.forecasting.features import make_feature_table
    from kaizar_pipeline.forecasting.forecast_backtest import backtest_forecast, score_forecasts
    from kaizar_pipeline.forecasting.model import train_lgbm_poisson
    from kaizar_pipeline.forecasting.past_rates import weekday_rates
    from kaizar_pipeline.forecasting.rates import forecast_rates
    from kaizar_pipeline.history.loading import History, load_history, load_patients
    from kaizar_pipeline.hospital_beds.generated_beds import make_hospital_beds
    from kaizar_pipeline.hospital_beds.hospital_beds import HospitalBeds
    from kaizar_pipeline.orchestration.report_run import read_tables
    from kaizar_pipeline.patients.arrival_profile import hours_of_arrival
    from kaizar_pipeline.patients.daily_arrivals import arrivals_per_day
    from kaizar_pipeline.patients.discharge_clocks import discharges
    from kaizar_pipeline.patients.extracts import SqlQuery
    from kaizar_pipeline.patients.length_of_stay import lengths_of_stay
    from kaizar_pipeline.patients.routes import routes_taken
    from kaizar_pipeline.patients.starting_census import starting_census
    from kaizar_pipeline.planning.beds import (
        bed_allocations,
        bed_requirements,
        beds_effects,
        beds_percentiles,
        chances_above,
        requirement_in_words,
    )
    from kaizar_pipeline.planning.comparison import compare_scenarios
    from kaizar_pipeline.planning.drivers import occupancy_drivers
    from kaizar_pipeline.planning.quickscan import quickscan
    from kaizar_pipeline.reporting.bed_plots import plot_beds_percentiles, plot_stays, plot_turned_away, plot_waits
    from kaizar_pipeline.reporting.hospital_beds_plots import plot_nurses, plot_refused
    from kaizar_pipeline.reporting.hospital_plots import (
        plot_allocations,
        plot_coverage,
        plot_drivers,
        plot_history,
        plot_levels,
        plot_meeting,
        plot_reliability,
        plot_scenarios,
        plot_skill,
        plot_strip,
    )
    from kaizar_pipeline.reporting.in_notebook import plain_errors, show_pictures
    from kaizar_pipeline.reporting.inside_plots import plot_one_of_many, plot_patient_way, plot_theory, plot_ward_day
    from kaizar_pipeline.reporting.plots import (
        plot_arrivals,
        plot_clock,
        plot_daily,
        plot_fan,
        plot_flows,
        plot_highest,
        plot_hours,
        plot_past,
        plot_past_flows,
        plot_percentiles,
        plot_risk,
        plot_week,
    )
    from kaizar_pipeline.simulation.experiment import Experiment
    from kaizar_pipeline.simulation.occupancy import Occupancy, simulate_occupancy
    from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
    from kaizar_pipeline.simulation.stays_table import stays_table

__all__ = [
    "ConfigError",
    "DataError",
    "Experiment",
    "History",
    "HospitalBeds",
    "HospitalConfig",
    "KaizarError",
    "Occupancy",
    "Place",
    "Scenario",
    "SimulationError",
    "SqlQuery",
    "StartingPoint",
    "StartingTables",
    "apply_scenario",
    "arrivals_per_day",
    "backtest_forecast",
    "bed_allocations",
    "bed_requirements",
    "beds_effects",
    "beds_percentiles",
    "chances_above",
    "compare_scenarios",
    "discharges",
    "draft_hospital",
    "drafted_file",
    "find_home",
    "forecast_rates",
    "hours_of_arrival",
    "lengths_of_stay",
    "load_history",
    "load_hospital_config",
    "load_patients",
    "load_scenario",
    "make_feature_table",
    "make_hospital_beds",
    "occupancy_drivers",
    "plain_errors",
    "plot_allocations",
    "plot_arrivals",
    "plot_beds_percentiles",
    "plot_clock",
    "plot_coverage",
    "plot_daily",
    "plot_drivers",
    "plot_fan",
    "plot_flows",
    "plot_highest",
    "plot_history",
    "plot_hours",
    "plot_levels",
    "plot_meeting",
    "plot_nurses",
    "plot_one_of_many",
    "plot_past",
    "plot_past_flows",
    "plot_patient_way",
    "plot_percentiles",
    "plot_refused",
    "plot_reliability",
    "plot_risk",
    "plot_scenarios",
    "plot_skill",
    "plot_stays",
    "plot_strip",
    "plot_theory",
    "plot_turned_away",
    "plot_waits",
    "plot_ward_day",
    "plot_week",
    "quickscan",
    "read_tables",
    "requirement_in_words",
    "routes_taken",
    "run_chain",
    "score_forecasts",
    "show_pictures",
    "simulate_hospital",
    "simulate_occupancy",
    "starting_census",
    "stays_table",
    "train_lgbm_poisson",
    "weekday_rates",
    "with_simulation",
]

_NAMES = {
    "chain.in_memory": "run_chain simulate_hospital",
    "config.files": "find_home load_hospital_config load_scenario",
    "config.hospital": "HospitalConfig",
    "config.scenario": "Scenario",
    "config.variant": "apply_scenario with_simulation",
    "drafting.drafted_file": "drafted_file",
    "drafting.hospital_draft": "Place draft_hospital",
    "errors": "ConfigError DataError KaizarError SimulationError",
    "forecasting.features": "make_feature_table",
    "forecasting.forecast_backtest": "backtest_forecast score_forecasts",
    "forecasting.model": "train_lgbm_poisson",
    "forecasting.past_rates": "weekday_rates",
    "forecasting.rates": "forecast_rates",
    "history.loading": "History load_history load_patients",
    "hospital_beds.generated_beds": "make_hospital_beds",
    "hospital_beds.hospital_beds": "HospitalBeds",
    "orchestration.report_run": "read_tables",
    "patients.arrival_profile": "hours_of_arrival",
    "patients.daily_arrivals": "arrivals_per_day",
    "patients.discharge_clocks": "discharges",
    "patients.extracts": "SqlQuery",
    "patients.length_of_stay": "lengths_of_stay",
    "patients.routes": "routes_taken",
    "patients.starting_census": "starting_census",
    "planning.beds": "bed_allocations bed_requirements beds_effects beds_percentiles chances_above "
    "requirement_in_words",
    "planning.comparison": "compare_scenarios",
    "planning.drivers": "occupancy_drivers",
    "planning.quickscan": "quickscan",
    "reporting.bed_plots": "plot_beds_percentiles plot_stays plot_turned_away plot_waits",
    "reporting.hospital_beds_plots": "plot_nurses plot_refused",
    "reporting.hospital_plots": "plot_allocations plot_coverage plot_drivers plot_history plot_levels plot_meeting "
    "plot_reliability plot_scenarios plot_skill plot_strip",
    "reporting.in_notebook": "plain_errors show_pictures",
    "reporting.inside_plots": "plot_one_of_many plot_patient_way plot_theory plot_ward_day",
    "reporting.plots": "plot_arrivals plot_clock plot_daily plot_fan plot_flows plot_highest plot_hours plot_past "
    "plot_past_flows plot_percentiles plot_risk plot_week",
    "simulation.experiment": "Experiment",
    "simulation.occupancy": "Occupancy simulate_occupancy",
    "simulation.starting_point": "StartingPoint StartingTables",
    "simulation.stays_table": "stays_table",
}
"""The public names by module: importing the package alone imports none of them, which would take seconds."""

_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Import a public name at its first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
