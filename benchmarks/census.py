"""The calibration of the census forecast: the whole chain back-tested on synthetic hospitals.

    python -m benchmarks.census                      a quick look: a few histories of each hospital
    python -m benchmarks.census --seeds 40 --json    the figures, a key for each week ahead
    python -m benchmarks.census --seeds 40 --write   the same, and docs/occupancy_validation.md

Each hospital is hospital_1 with another history (`truth.seed`). At each past origin the twin runs on what was then
known, and its distribution of every ward's midnight census is scored against the observed one. With 40 seeds each
figure rests on at least 400 independent ward-dates (the output has their number).
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from os import cpu_count
from pathlib import Path

import pandas as pd

from kaizar_pipeline import HospitalConfig, load_history, load_hospital_config
from kaizar_pipeline.chain.steps import prepare_backtest
from kaizar_pipeline.config.distributions import FromData
from kaizar_pipeline.config.patient_sources import SyntheticPatients
from kaizar_pipeline.planning.census_backtest import PERSISTENCE, TWIN, WEEKDAY, BacktestOptions, backtest_occupancy
from kaizar_pipeline.stats.scores import covered, effective_number
from kaizar_pipeline.tables import HOSPITAL_TOTAL

HOME = Path(__file__).parents[1]
PAGE = HOME / "docs" / "occupancy_validation.md"
AS_OF = "2026-11-01"
HISTORY_START = date(2025, 1, 1)
COVERAGES = (50, 80, 95)
WANTED = (0.75, 0.87)
EFFECTIVE = 400


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


def main() -> int:
    """Run the benchmark; exit status 1 when the coverage is outside its limits with enough evidence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4, help="histories of each hospital (default: 4)")
    parser.add_argument("--dates", type=int, default=6, help="past origins of each history (default: 6)")
    parser.add_argument("--replications", type=int, default=200, help="replications for each origin (default: 200)")
    parser.add_argument("--workers", type=int, default=cpu_count() or 1, help="processes (default: one per core)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--write", action="store_true", help=f"update {PAGE.relative_to(HOME)}")
    options = parser.parse_args()

    begun = time.monotonic()
    rows = run(options.seeds, options.dates, options.replications, options.workers)
    figures = summarise(rows)
    seconds = time.monotonic() - begun
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print(page(rows, figures, options))
        print(f"{seconds:.0f} s", file=sys.stderr)
    if options.write:
        PAGE.write_text(page(rows, figures, options), encoding="utf-8")
    low, high = WANTED
    weeks = range(1, 5)
    known = all(figures[f"effective_ward_dates_week_{week}"] >= EFFECTIVE for week in weeks)
    return int(known and not all(low <= figures[f"coverage80_week_{week}"] <= high for week in weeks))


def run(seeds: int, dates: int, replications: int, workers: int) -> pd.DataFrame:
    """The rows of occupancy_backtest of all hospitals, with the columns hospital, seed and lead_week."""
    jobs = [(name, seed, dates, replications) for seed in range(1, seeds + 1) for name in HOSPITALS]
    with ProcessPoolExecutor(workers) as pool:
        rows = pd.concat(list(pool.map(backtest, *zip(*jobs, strict=True))), ignore_index=True)
    return rows.assign(lead_week=(rows["lead"] - 1) // 7 + 1)


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
    rows = found.occupancy_backtest
    return rows[rows["hour"] == 0].assign(hospital=name, seed=seed)


def summarise(rows: pd.DataFrame) -> dict[str, float]:
    """The figures by name: the twin's coverage by week ahead over all wards, hospitals and origins."""
    twin = rows[(rows["method"] == TWIN) & (rows["ward_id"] != HOSPITAL_TOTAL)]
    figures: dict[str, float] = {}
    for week, group in twin.groupby("lead_week"):
        figures |= {f"coverage{level}_week_{week}": coverage(group, level) for level in COVERAGES}
        figures[f"effective_ward_dates_week_{week}"] = round(effective(group))
    crps = rows[rows["ward_id"] != HOSPITAL_TOTAL].groupby(["method", "lead_week"])["crps"].mean()
    for week in sorted(twin["lead_week"].unique()):
        for other in (PERSISTENCE, WEEKDAY):
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


_PAGE = """\
# How good the forecast of the census is

Generated by `python -m benchmarks.census --seeds {seeds} --dates {dates} --replications {replications} --write`; do not
edit.

{histories} histories of a synthetic hospital (`hospital_1` with other random numbers), {origins} past origins in all.
At each, the whole chain (arrivals, forecast, lengths of stay, census, simulation) is run from what was known then, and
the distribution of every ward's midnight census 1 to 28 days ahead is scored against the observed one, by randomised
PIT. *configured*: lengths of stay are given; *learned*: they are fitted to the stays of the history. Effective
ward-dates: independent ones with as much information, since the errors of wards and days of one origin are correlated.
The limits for the coverage of 80 % intervals are {low:.2f} and {high:.2f} in every week.

Synthetic hospitals are evidence about the code. The accuracy for a hospital of yours is in its tables
`occupancy_backtest` and `occupancy_scores` (past origins run again) and `forecast_log_scores` (the forecasts issued in
the last 30 days).

## All wards and hospitals

{overall}

CRPS is the twin's over that of two baselines, below 1 where the twin is better: the census of the origin stays, and
the censuses of the same weekday in the year before.

## Coverage of 80 % intervals by ward

{by_ward}

## PIT

Shares of PIT values in tenths over all wards and days; calibrated forecasts have 0.10 in each. A slope would be bias, a
hump intervals that are too wide, a bowl ones that are too narrow.

{pit}
"""


def page(rows: pd.DataFrame, figures: dict[str, float], options: argparse.Namespace) -> str:
    """docs/occupancy_validation.md."""
    twin = rows[rows["method"] == TWIN]
    weeks = sorted(twin["lead_week"].unique())
    overall = [
        [
            str(week),
            *(f"{figures[f'coverage{level}_week_{week}']:.3f}" for level in COVERAGES),
            f"{figures[f'effective_ward_dates_week_{week}']:.0f}",
            *(f"{figures[f'crps_over_{other}_week_{week}']:.2f}" for other in (PERSISTENCE, WEEKDAY)),
        ]
        for week in weeks
    ]
    by_ward = [
        [*key, *(f"{coverage(group[group['lead_week'] == week], 80):.3f}" for week in weeks)]
        for key, group in twin.groupby(["hospital", "ward_id"])
    ]
    wards = twin[twin["ward_id"] != HOSPITAL_TOTAL]
    tenths = [
        [name, *(f"{share:.3f}" for share in (group["pit"] * 10).astype(int).clip(upper=9).value_counts(normalize=True)
                 .reindex(range(10), fill_value=0.0))]
        for name, group in wards.groupby("hospital")
    ]  # fmt: skip
    low, high = WANTED
    return _PAGE.format(
        seeds=options.seeds,
        dates=options.dates,
        replications=options.replications,
        histories=rows[["hospital", "seed"]].drop_duplicates().shape[0],
        origins=rows[["hospital", "seed", "origin"]].drop_duplicates().shape[0],
        low=low,
        high=high,
        overall=table(["week", "50 %", "80 %", "95 %", "effective ward-dates", "CRPS over persistence",
                       "CRPS over weekday"], overall),
        by_ward=table(["hospital", "ward", *(f"week {week}" for week in weeks)], by_ward),
        pit=table(["hospital", *(f"{tenth / 10:.1f}" for tenth in range(10))], tenths),
    )  # fmt: skip


def table(header: list[str], rows: list[list[str]]) -> str:
    """Rows as a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
