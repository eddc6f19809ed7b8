"""How good the forecast of whole occupancy is: on synthetic hospitals with a known truth, and on public records.

    python -m benchmarks.occupancy                      every section, as a table
    python -m benchmarks.occupancy --only ward ssu      some of them
    python -m benchmarks.occupancy --json               the figures on one line
    python -m benchmarks.occupancy --write              docs/reference/occupancy_validation.md as well

Sections: `SECTIONS`. Those on public records are skipped where the data are not there (--data names their folder).
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from os import cpu_count, environ
from pathlib import Path
from string import Formatter
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.calibration import calibrate
from benchmarks.figures import AIMS, HOME, Measured, keep, load
from benchmarks.flows import flows
from benchmarks.full_days import full_days
from benchmarks.intraday import intraday
from benchmarks.made_up import (
    CLOCKED_AS_OF,
    by_hour_of_week,
    census_at,
    clocked_ward,
    clocked_week,
    one_ward,
    write_extract,
)
from benchmarks.round_trip import boarding, new_service, routes
from kaizar_pipeline import HospitalConfig, bed_requirements, load_history
from kaizar_pipeline.chain.steps import prepare_backtest
from kaizar_pipeline.patients.care_stays import ward_cares
from kaizar_pipeline.patients.clock_fit import held_out_gains
from kaizar_pipeline.patients.discharge_clocks import exposures_of
from kaizar_pipeline.planning.census_backtest import TWIN, WEEKDAY, BacktestOptions, backtest_occupancy
from kaizar_pipeline.simulation.experiment import Experiment
from kaizar_pipeline.simulation.starting_point import StartingPoint, StartingTables
from kaizar_pipeline.stats.operational_time import HOMEWARD
from kaizar_pipeline.stats.scores import covered, pit_of_probabilities

PAGE = HOME / "docs" / "reference" / "occupancy_validation.md"
DATA = Path(environ.get("KAIZAR_TEST_DATA", HOME.parent / "shared" / "data"))

Figures = dict[str, float]


@dataclass(frozen=True)
class Options:
    """How much is computed, and where public records are."""

    histories: int = 5
    origins: int = 12
    replications: int = 200
    workers: int = cpu_count() or 1
    data: Path = DATA


@dataclass(frozen=True)
class Ahead:
    """The twin's forecast of one ward, hour by hour from as_of on."""

    start: StartingPoint
    probability: np.ndarray
    """f8[hours, patients]"""

    @property
    def mean(self) -> np.ndarray:
        """f8[hours]"""
        return self.probability @ np.arange(self.probability.shape[1])

    @property
    def hours(self) -> pd.DatetimeIndex:
        """The instants of the rows."""
        return pd.date_range(self.start.as_of, periods=len(self.probability), freq="h")


def look_ahead(config: HospitalConfig, as_of: pd.Timestamp, ward: int = 0) -> Ahead:
    """The whole chain from what the extract says at `as_of`."""
    tables = prepare_backtest(load_history(config, HOME, as_of.date()), config, HOME)
    start = StartingPoint(config, StartingTables.of(tables))
    counts = Experiment(start, workers=1).count(start.plan, config.simulation.max_replications)
    histogram = np.asarray(counts.census.of(ward), dtype=np.float64)
    return Ahead(start, histogram / histogram.sum(axis=1, keepdims=True))


def ward(options: Options) -> Figures:
    """A synthetic ward whose discharges keep a clock, unlimited beds: the mean census of each hour of the week in the
    28 days from the eighth on, and the coverage of the hourly census by hour of the day."""
    truth = clocked_week()
    seeds = range(1, options.histories + 1)
    with ProcessPoolExecutor(options.workers) as pool:
        weeks = np.array(list(pool.map(partial(_mean_week, options), seeds)))
        jobs = [(seed, k) for seed in seeds for k in range(options.origins)]
        pits = np.array(list(pool.map(partial(_hourly_pits, options), jobs)))
    rmse = float(np.sqrt(((weeks.mean(axis=0) - truth) ** 2).mean()))
    each = np.sqrt(((weeks - truth) ** 2).mean(axis=1))
    by_hour = covered(pits.reshape(-1, 24), 0.8).mean(axis=0)
    return {
        "clock_rmse": rmse,
        "clock_rmse_of_each_history": float(each.mean()),
        "clock_rmse_of_shape": float((weeks.mean(axis=0) - truth).std()),
        "clock_cover80_min": float(by_hour.min()),
        "clock_cover80_max": float(by_hour.max()),
        "clock_cover80": float(by_hour.mean()),
    }


def _mean_week(options: Options, seed: int) -> np.ndarray:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "patients.csv"
        write_extract(clocked_ward(seed), CLOCKED_AS_OF, path)
        simulation = {"horizon_days": 35, "replications": options.replications}
        ahead = look_ahead(one_ward(path, simulation=simulation), CLOCKED_AS_OF)
    return by_hour_of_week(ahead.hours[7 * 24 :], ahead.mean[7 * 24 :])


def _hourly_pits(options: Options, job: tuple[int, int]) -> np.ndarray:
    """f8[28 x 24]: PIT of each hourly census, from the k-th origin back from the end of a history."""
    seed, k = job
    as_of, stays = CLOCKED_AS_OF - pd.Timedelta(days=28 * k), clocked_ward(seed)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "patients.csv"
        write_extract(stays, as_of, path)
        simulation = {"horizon_days": 28, "replications": options.replications}
        ahead = look_ahead(one_ward(path, simulation=simulation), as_of)
    uniform = np.random.default_rng([seed, k]).random(len(ahead.hours))
    return pit_of_probabilities(ahead.probability, census_at(stays, ahead.hours), uniform)


def ssu(options: Options) -> Figures:
    """A short-stay unit, 59,877 timed visits: nothing configured but the file."""
    stays = pd.read_csv(options.data / "ssu_2024.csv.gz", parse_dates=["InRoomTS", "OutRoomTS"])
    stays = stays.rename(columns={"InRoomTS": "arrival", "OutRoomTS": "departure"})[["arrival", "departure"]]
    first, last = stays["arrival"].min().normalize(), stays["arrival"].max().normalize()
    origins = pd.date_range(first + pd.Timedelta(days=120), last - pd.Timedelta(days=27), freq="28D")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "patients.csv"
        write_extract(stays, last + pd.Timedelta(days=1), path)
        simulation = {"horizon_days": 28, "replications": options.replications}
        config = one_ward(path, simulation=simulation, patients={"max_reject_share": 0.05, "max_age_days": None})
        history = load_history(config, HOME)
        wanted = BacktestOptions(origins=list(origins), replications=options.replications, workers=options.workers)
        rows = backtest_occupancy(config, history, prepare_backtest, HOME, wanted).occupancy_backtest
        with ProcessPoolExecutor(options.workers) as pool:
            enough = list(pool.map(partial(_enough_beds, config), origins))
    midnights = rows[(rows["ward_id"] == "ward") & (rows["hour"] == 0)]
    crps = midnights.groupby("method")["crps"].mean()
    return {"ssu_origins": len(origins), "ssu_crps_over_weekday": float(crps[TWIN] / crps[WEEKDAY])} | _above(
        stays, origins, enough
    )


def _enough_beds(config: HospitalConfig, as_of: pd.Timestamp) -> int:
    """The beds that are said to cover demand on 9 days in 10."""
    found = bed_requirements(Experiment(look_ahead(config, as_of).start, workers=1))
    rows = found[(found["ward_id"] == "ward") & (found["risk_event"] == "day")]
    return int(rows["enough_beds"].iloc[0])


def _above(stays: pd.DataFrame, origins: pd.DatetimeIndex, enough: list[int]) -> Figures:
    """How often a day's peak is above the beds that are said to be enough: at full hours, as the twin counts, and at
    any moment."""
    hourly, any_moment, working = [], [], []
    for origin, beds in zip(origins, enough, strict=True):
        days = pd.date_range(origin, periods=28)
        at_hours = census_at(stays, pd.date_range(origin, periods=28 * 24, freq="h")).reshape(28, 24).max(axis=1)
        arrivals = stays.loc[stays["arrival"].between(origin, origin + pd.Timedelta(days=28)), "arrival"]
        moments = pd.Series(census_at(stays, pd.DatetimeIndex(arrivals)), index=arrivals.dt.normalize())
        highest = moments.groupby(level=0).max().reindex(days).fillna(0).to_numpy()
        hourly.append(at_hours > beds)
        any_moment.append(np.maximum(highest, at_hours) > beds)
        working.append(days.day_of_week < 5)
    is_working = np.concatenate(working)
    return {
        "ssu_beds_enough": float(np.mean(enough)),
        "ssu_days_above_enough": float(np.mean(hourly)),
        "ssu_weekdays_above_enough": float(np.concatenate(hourly)[is_working].mean()),
        "ssu_days_above_enough_any_moment": float(np.mean(any_moment)),
        "ssu_weekdays_above_enough_any_moment": float(np.concatenate(any_moment)[is_working].mean()),
    }


def sepsis(options: Options) -> Figures:
    """The log of a real sepsis pathway: log-likelihood per stay of the last quarter, learned from what was known then,
    above that of a flat clock."""
    log = pd.read_csv(options.data / "sepsis_log.csv", parse_dates=["arrival", "release"])
    stays = log.rename(columns={"release": "departure"})[["arrival", "departure"]].dropna(subset="arrival")
    as_of = stays["arrival"].max().normalize() + pd.Timedelta(days=1)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "patients.csv"
        write_extract(stays.dropna(), as_of, path)
        config = one_ward(path, patients={"max_age_days": None})
        history = load_history(config, HOME)
        cares = ward_cares(history.patients, history.ward_stays, config)
        exposure = exposures_of(cares["ward"], cares["ward"].admit.min())[HOMEWARD]
        gains = held_out_gains([exposure], np.zeros(0, dtype="datetime64[D]"))
    return {"sepsis_loglik_gain": float(gains.mean()), "sepsis_stays_judged": len(gains)}


@dataclass(frozen=True)
class Section:
    """A part of the benchmark, with what docs/reference/occupancy_validation.md says of it: text, figures in braces."""

    heading: str
    measure: Callable[[Options], Figures]
    text: str
    data: str = ""
    """The file of public records that it needs."""


SECTIONS = {
    "ward": Section(
        "A ward whose discharges keep a clock",
        ward,
        """A synthetic ward of 20 admissions a day: nights are drawn, discharge is around 14:30, and 45 % of the
discharges that fall on a weekend wait until Monday. Beds are unlimited, nothing is configured, and the truth is
known from a simulation of 20 years. It is not of the twin's own kind: its lengths of stay are nights, not
operational hours.

| figure | measured | wanted |
|---|---|---|
| root mean square error of the mean census over the hours of the week, days 8 to 35, 5 histories together | \
{clock_rmse:.2f} beds | {aims[clock_rmse]} |
| the same, mean of each history's | {clock_rmse_of_each_history:.2f} beds | |
| the same, the mean over the week left aside: without errors of the level | {clock_rmse_of_shape:.2f} beds | |
| coverage of 80 % intervals of the hourly census by hour of the day, lowest and highest, 12 origins of 5 histories | \
{clock_cover80_min:.2f} to {clock_cover80_max:.2f} | {aims[clock_cover80_min]} |""",
    ),
    "intraday": Section(
        "The next hours, from 8:00, 12:00 and 18:00",
        lambda options: intraday(options.replications, options.workers),
        """The same ward, from 100 days in a row: the hourly census of the next 24 hours, from within the day and from
the midnight before it. The perfect forecast beside it knows the true rates, nights and hours of discharge.

| figure | measured | wanted | perfect |
|---|---|---|---|
| coverage of 80 % intervals until the next 8:00, lowest and highest of the three hours | \
{intraday_cover80_min:.2f} to {intraday_cover80_max:.2f} | {aims[intraday_cover80_min]} | |
| CRPS of the next 24 hours from 8:00, over that of the midnight run for the same hours | {intraday_crps_8:.2f} \
| {aims[intraday_crps_8]} | {intraday_oracle_8:.2f} |
| from 12:00 | {intraday_crps_12:.2f} | {aims[intraday_crps_12]} | {intraday_oracle_12:.2f} |
| from 18:00 | {intraday_crps_18:.2f} | {aims[intraday_crps_18]} | {intraday_oracle_18:.2f} |
| CRPS from 8:00, 12:00 and 18:00 over that of the perfect forecast | {intraday_over_oracle_8:.2f}, \
{intraday_over_oracle_12:.2f}, {intraday_over_oracle_18:.2f} | | 1 |""",
    ),
    "flows": Section(
        "Tomorrow's arrivals and discharges",
        lambda options: flows(options.replications, options.workers),
        """The same ward, from 100 days in a row: how many patients come and leave in the next 24 hours.

| figure | measured | wanted |
|---|---|---|
| coverage of 80 % intervals of tomorrow's discharges | {discharges_cover80:.2f} | {aims[discharges_cover80]} |
| of tomorrow's arrivals | {arrivals_cover80:.2f} | {aims[arrivals_cover80]} |""",
    ),
    "boarding": Section(
        "Waiting is no care",
        lambda options: boarding(2 * options.histories, options.replications),
        """An ICU without a clock before a ward that is often full and discharges by day; the records hold no end
of care. Time spent waiting for the ward must be told from care, or it is simulated twice. The whole loop: simulate,
write the extract, learn, simulate from the patients in beds; the mean ICU census of weeks 5 to 8 against that of
the true hospital from the same patients.

| figure | measured | wanted |
|---|---|---|
| ICU census over the truth | {icu_census_ratio:.3f} +- {icu_census_ratio_error:.3f} | {aims[icu_census_ratio]} |
| histories in which the ICU's clock is learned flat, and the ward's is learned | {icu_clocks_right:.2f} \
| {aims[icu_clocks_right]} |""",
    ),
    "routes": Section(
        "Routes that the file does not have",
        lambda options: routes(4 * options.histories, options.replications),
        """A ward from which 30 % of the patients go on to an ICU; `routing: from_data` learns it. Both have limited
beds, the ward discharges by day. The mean ICU census of day 27 against that of the true hospital, which starts from
the same patients.

| figure | measured | wanted |
|---|---|---|
| ICU census over the truth | {routes_icu_mean_ratio:.3f} +- {routes_icu_mean_ratio_error:.3f} \
| {aims[routes_icu_mean_ratio]} |
| share of the patients who go on, as learned | {routes_share:.3f} | .300 |
| root mean square of its error over the error that the twin draws | {routes_share_error_ratio:.2f} | 1 |""",
    ),
    "service": Section(
        "A service that has just opened",
        lambda options: new_service(4 * options.histories),
        """A stream that opened 20 days ago at 20 patients a day, beside one of 500 days: the mean rate that is
forecast for the next 28 days is {new_service_rate:.1f} +- {new_service_rate_error:.1f}
(wanted: {aims[new_service_rate]}).""",
    ),
    "full": Section(
        "The chance of a full day",
        lambda options: full_days(options.histories, options.origins, options.replications, options.workers),
        """Histories of a synthetic hospital: an emergency department before six wards, busy in winter, with a level
that drifts. Scored are the wards that are full at some hour of 10 to 60 % of the days ({brier_wards:.0f} wards of
all histories, full on {brier_full:.0%} of the days). The chance of each day ahead against what happened, by the
Brier score, and beside how often the ward was full on the same weekday of the 52 weeks before.

| figure | measured | wanted |
|---|---|---|
| Brier skill over the weekday's frequency, days 1 to 3 | {brier_skill_1_3:.2f} +- {brier_skill_1_3_error:.2f} \
| {aims[brier_skill_1_3]} |
| the same, days 4 to 7 | {brier_skill_4_7:.2f} +- {brier_skill_4_7_error:.2f} | {aims[brier_skill_4_7]} |
| probability of outcomes so far from calibrated chances, days 1 to 3, and 4 to 7 | {brier_reliability_p_1_3:.2f}, \
{brier_reliability_p_4_7:.2f} | {aims[brier_reliability_p_4_7]} |""",
    ),
    "ssu": Section(
        "A short-stay unit: 59,877 timed visits",
        ssu,
        """A public file of a short-stay unit, itself synthetic; nothing is configured but the file.
{ssu_origins:.0f} origins, 28 days apart from day 120 on.

| figure | measured | wanted |
|---|---|---|
| CRPS of the midnight census over that of the weekday's past censuses | {ssu_crps_over_weekday:.3f} \
| {aims[ssu_crps_over_weekday]} |
| share of days whose highest census at a full hour exceeds the beds "for 9 days in 10" (mean {ssu_beds_enough:.0f}) | \
{ssu_days_above_enough:.2f} | {aims[ssu_days_above_enough]} |
| of working days | {ssu_weekdays_above_enough:.2f} | {aims[ssu_weekdays_above_enough]} |
| share of days on which the census exceeds them at any moment | {ssu_days_above_enough_any_moment:.2f} | |
| of working days | {ssu_weekdays_above_enough_any_moment:.2f} | |

The twin counts at full hours, so that the highest census of a day between two of them is not in its peaks.""",
        "ssu_2024.csv.gz",
    ),
    "sepsis": Section(
        "The log of a sepsis pathway",
        sepsis,
        """The clock learned from the first three quarters of a real log gains {sepsis_loglik_gain:.2f} in
log-likelihood per stay of the last quarter ({sepsis_stays_judged:.0f} stays) over a flat one
(wanted: {aims[sepsis_loglik_gain]}).""",
        "sepsis_log.csv",
    ),
}

INTRODUCTION = """\
# How good the forecast of whole occupancy is

Generated by `python -m benchmarks.occupancy --write`; do not edit. Synthetic hospitals have a known truth, and are
evidence about the method; the accuracy for a hospital of yours is in its tables `occupancy_backtest` and
`occupancy_scores` (past origins run again) and `forecast_log_scores` (the forecasts issued in the last 30 days).
"""
CALIBRATION = "calibration"


def main() -> int:
    """Run the benchmark."""
    names = [*SECTIONS, CALIBRATION]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="sections (default: all)")
    parser.add_argument("--histories", type=int, default=5, help="histories of each synthetic hospital (default: 5)")
    parser.add_argument("--origins", type=int, default=12, help="origins of each history (default: 12)")
    parser.add_argument("--replications", type=int, default=200, help="replications of each forecast (default: 200)")
    parser.add_argument("--workers", type=int, default=cpu_count() or 1, help="processes (default: one per core)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of public records")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, on one line")
    parser.add_argument("--write", action="store_true", help=f"update these sections of {PAGE.relative_to(HOME)}")
    given = parser.parse_args()
    options = Options(given.histories, given.origins, given.replications, given.workers, given.data)
    figures: Figures = {}
    for name in given.only:
        section = SECTIONS.get(name)
        if section and section.data and not (options.data / section.data).exists():
            print(f"{name}: {options.data / section.data} is not there", file=sys.stderr)
            continue
        begun = time.monotonic()
        found, text = _measured(name, options)
        figures |= found
        print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
        if not given.json:
            print("\n".join(f"{key:40} {value:.3f}" for key, value in found.items()))
        if given.write:
            keep(found, command(name, given))
            page = with_section(PAGE.read_text(encoding="utf-8"), heading(name), text or section_text(name, load()))
            PAGE.write_text(page, encoding="utf-8")
    if given.json:
        print(json.dumps({key: round(value, 4) for key, value in figures.items()}))
    return 0


def _measured(name: str, options: Options) -> tuple[Figures, str]:
    """Figures of a section, and its text where that has more than these figures."""
    if name == CALIBRATION:
        found, text = calibrate(options.histories, 6, options.replications, options.workers)
        return found, f"{text}\n\nMeasured on {date.today().isoformat()}."
    return SECTIONS[name].measure(options), ""


def heading(name: str) -> str:
    """The heading of a section."""
    return "Calibration on hospital_1" if name == CALIBRATION else SECTIONS[name].heading


def section_text(name: str, figures: Mapping[str, Measured]) -> str:
    """The text of a section, but for the calibration, with the figures as they were stored."""
    text = SECTIONS[name].text
    first = next(key for _, key, _, _ in Formatter().parse(text) if key)
    return f"{text.format(**figures, aims=AIMS)}\n\nMeasured on {figures[first].date}."


def command(name: str, given: argparse.Namespace) -> str:
    """The command that measures a section again."""
    usual = Options()
    counts = ("histories", "origins", "replications")
    changed = [f" --{key} {getattr(given, key)}" for key in counts if getattr(given, key) != getattr(usual, key)]
    return f"python -m benchmarks.occupancy --only {name} --write{''.join(changed)}"


def with_section(page: str, heading: str, text: str) -> str:
    """The page with this section in the place of that of the same heading, or at its end."""
    parts = page.split("\n## ")
    kept = [part for part in parts[1:] if not part.startswith(f"{heading}\n")]
    at = next((k for k, part in enumerate(parts[1:]) if part.startswith(f"{heading}\n")), len(kept))
    kept.insert(at, f"{heading}\n\n{text}\n")
    return "\n## ".join([INTRODUCTION, *kept])


if __name__ == "__main__":
    sys.exit(main())
