"""The calibration of the census forecast on hospital_1 with other histories, as a part of `occupancy.py`.

At each past origin the whole chain runs on what was known then, and its distribution of every ward's census at four
hours of the day is scored against the observed one. *configured*: lengths of stay are given; *learned*: they are
fitted to the stays of the history. Clocks and day factors are learned in both.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path

import pandas as pd

from kaizar_pipeline import HospitalConfig, load_history, load_hospital_config
from kaizar_pipeline.chain.steps import prepare_backtest
from kaizar_pipeline.config.distributions import FromData
from kaizar_pipeline.config.patient_sources import SyntheticPatients
from kaizar_pipeline.planning.census_backtest import (
    BASELINES,
    HOURS,
    TWIN,
    BacktestOptions,
    backtest_occupancy,
)
from kaizar_pipeline.stats.scores import covered, effective_number
from kaizar_pipeline.tables import HOSPITAL_TOTAL

HOME = Path(__file__).parents[1]
AS_OF = "2026-11-01"
HISTORY_START = date(2025, 1, 1)
COVERAGES = (50, 80, 95)


def configured(config: HospitalConfig) -> HospitalConfig:
    """Lengths of stay as they are: errors are then those of the forecast of arrivals, or of the twin."""
    return config


def learned(config: HospitalConfig) -> HospitalConfig:
    """Lengths of stay learned from the stays of the history."""
    patients = config.patients
    assert isinstance(patients, SyntheticPatients)
    true_los = {ward.id: ward.los_model for ward in config.wards if not ward.los_by}
    wards = tuple(
        ward.model_copy(update={"los_model": FromData(type="from_data")}) if ward.id in true_los else ward
        for ward in config.wards
    )
    truth = patients.truth.model_copy(update={"los": true_los})
    return config.model_copy(update={"wards": wards, "patients": patients.model_copy(update={"truth": truth})})


HOSPITALS: dict[str, Callable[[HospitalConfig], HospitalConfig]] = {"configured": configured, "learned": learned}


def calibrate(seeds: int, dates: int, replications: int, workers: int) -> tuple[dict[str, float], str]:
    """The figures by name, and a section of docs/reference/occupancy_validation.md."""
    jobs = [(name, seed, dates, replications) for seed in range(1, seeds + 1) for name in HOSPITALS]
    with ProcessPoolExecutor(workers) as pool:
        rows = pd.concat(list(pool.map(backtest, *zip(*jobs, strict=True))), ignore_index=True)
    rows = rows.assign(lead_week=(rows["lead"] - 1) // 7 + 1)
    figures = summarise(rows)
    return figures, section(rows, figures)


def backtest(name: str, seed: int, dates: int, replications: int) -> pd.DataFrame:
    """The back-test of one history of one hospital."""
    hospital_1 = load_hospital_config(HOME / "hospital_configs" / "hospital_1.yml")
    patients = hospital_1.patients
    assert isinstance(patients, SyntheticPatients)
    truth = patients.truth.model_copy(update={"seed": seed})
    patients = patients.model_copy(update={"history_start": HISTORY_START, "truth": truth})
    config = HOSPITALS[name](hospital_1.model_copy(update={"patients": patients}))
    history = load_history(config, HOME, AS_OF)
    options = BacktestOptions(origins=dates, replications=replications, workers=1)
    found = backtest_occupancy(config, history, prepare_backtest, HOME, options)
    return found.occupancy_backtest.assign(hospital=name, seed=seed)


def summarise(rows: pd.DataFrame) -> dict[str, float]:
    """The figures by name: the twin's coverage by week ahead over all wards, hospitals and origins."""
    twin = rows[(rows["method"] == TWIN) & (rows["ward_id"] != HOSPITAL_TOTAL)]
    figures: dict[str, float] = {}
    for week, group in twin.groupby("lead_week"):
        figures |= {f"coverage{level}_week_{week}": coverage(group, level) for level in COVERAGES}
        figures[f"effective_ward_dates_week_{week}"] = round(effective(group))
    for hour, group in twin.groupby("hour"):
        figures[f"coverage80_hour_{hour}"] = coverage(group, 80)
    crps = rows[rows["ward_id"] != HOSPITAL_TOTAL].groupby(["method", "lead_week"])["crps"].mean()
    for week in sorted(twin["lead_week"].unique()):
        for other in BASELINES:
            figures[f"crps_over_{other}_week_{week}"] = round(float(crps[TWIN, week] / crps[other, week]), 4)
    return figures


def coverage(rows: pd.DataFrame, level: int) -> float:
    """Share of rows inside the central interval of `level` %, by randomised PIT."""
    return round(float(covered(rows["pit"].to_numpy(), level / 100).mean()), 4)


def effective(rows: pd.DataFrame) -> float:
    """Independent ward-dates with as much information about the 80 % coverage: errors of one origin are correlated.

    Histories of one seed have the same arrivals with both kinds of lengths of stay, so their origins are one cluster.
    """
    origins = rows.groupby(["seed", "origin"]).ngroup().to_numpy()
    return effective_number(covered(rows["pit"].to_numpy(), 0.8), origins)


def section(rows: pd.DataFrame, figures: dict[str, float]) -> str:
    """What the page says."""
    twin = rows[(rows["method"] == TWIN) & (rows["ward_id"] != HOSPITAL_TOTAL)]
    weeks = sorted(twin["lead_week"].unique())
    overall = [
        [
            str(week),
            *(f"{figures[f'coverage{level}_week_{week}']:.3f}" for level in COVERAGES),
            f"{figures[f'effective_ward_dates_week_{week}']:.0f}",
            *(f"{figures[f'crps_over_{other}_week_{week}']:.2f}" for other in BASELINES),
        ]
        for week in weeks
    ]
    by_ward = [
        [*key, *(f"{coverage(group[group['hour'] == hour], 80):.3f}" for hour in HOURS)]
        for key, group in twin.groupby(["hospital", "ward_id"])
    ]
    histories, origins = (rows[["hospital", "seed", *more]].drop_duplicates().shape[0] for more in ([], ["origin"]))
    return f"""{histories} histories of `hospital_1` with other random numbers, {origins} past origins in all; the
census of every ward at 0:00, 6:00, 12:00 and 18:00 up to 28 days ahead. *configured*: lengths of stay are given;
*learned*: they are fitted to the stays of the history; clocks and day factors are learned in both. Effective
ward-dates: independent ones with as much information, since the errors of wards and days of one origin are
correlated.

{table(["week", "50 %", "80 %", "95 %", "effective ward-dates", *(f"CRPS over {name}" for name in BASELINES)], overall)}

Coverage of 80 % intervals by ward and hour of the day:

{table(["hospital", "ward", *(f"{hour}:00" for hour in HOURS)], by_ward)}"""


def table(header: list[str], rows: list[list[str]]) -> str:
    """Rows as a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
