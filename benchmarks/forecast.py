"""The forecast of arrivals compared with other methods: accuracy, calibration and time.

    python -m benchmarks.forecast            a table on stdout
    python -m benchmarks.forecast --json     one flat object
    python -m benchmarks.forecast --write    docs/reference/forecast_validation.md as well

AutoETS, AutoARIMA, Theta and Prophet run in an environment of their own, made once by the command at the top of
benchmarks/rivals-requirements.txt; without it they are left out, with a note. Their forecasts are kept in
benchmarks/.rivals/ for as long as neither the series nor benchmarks/rivals.py change.
"""

import argparse
import json
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.families import HOSPITAL, REAL, real_series, synthetic_series
from benchmarks.figures import keep
from benchmarks.validation_page import Results, geometric_mean, validation_page
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.forecasting.features import make_feature_table
from kaizar_pipeline.forecasting.forecast_backtest import MODEL, ORIGINS, backtest_forecast, score_forecasts
from kaizar_pipeline.forecasting.model import train_lgbm_poisson
from kaizar_pipeline.forecasting.rates import forecast_rates
from kaizar_pipeline.stats.scores import crps_of_draws
from kaizar_pipeline.tables import DAILY_ARRIVALS

HERE = Path(__file__).parent
RIVALS = HERE / "rivals.py"
RIVALS_PYTHON = HERE / ".venv-rivals" / "bin" / "python"
CACHE = HERE / ".rivals"
PAGE = HERE.parent / "docs" / "reference" / "forecast_validation.md"
STREAM = "arrivals"


def main() -> None:
    """Run the benchmark and print what it found."""
    options = arguments()
    results = measure(options)
    if options.write:
        PAGE.write_text(validation_page(results, command(options)), encoding="utf-8")
        keep(results.figures(), command(options))
        progress(f"wrote {PAGE}\n")
    print(json.dumps(results.figures()) if options.json else table(results))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one flat object instead of a table")
    parser.add_argument("--write", action="store_true", help="also write docs/reference/forecast_validation.md")
    parser.add_argument("--series", type=int, default=2, metavar="N", help="series per synthetic family (default: 2)")
    parser.add_argument("--origins", type=int, default=ORIGINS, metavar="N", help="origins per series (default: 12)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the synthetic series (default: 1)")
    parser.add_argument("--workers", type=int, help="threads of the back-test (default: one per core)")
    parser.add_argument(
        "--rivals-python", type=Path, default=RIVALS_PYTHON, help="Python that has the rivals installed"
    )
    return parser.parse_args()


def command(options: argparse.Namespace) -> str:
    """The command that makes the page again."""
    changed = {"series": 2, "origins": ORIGINS, "seed": 1}
    wanted = [
        f" --{name} {getattr(options, name)}" for name, usual in changed.items() if getattr(options, name) != usual
    ]
    return "python -m benchmarks.forecast --write" + "".join(wanted)


def measure(options: argparse.Namespace) -> Results:
    """Back-test every series by every available method."""
    notes = []
    series = synthetic_series(options.series, options.seed)
    real = real_series()
    if real is None:
        notes.append(f"{REAL} is missing: set KAIZAR_TEST_DATA to the folder that contains it.")
    else:
        series[("real emergency dept.", 0)] = real
    arrivals = {key: daily_arrivals(counts) for key, counts in series.items()}
    fit_seconds = float(np.mean([fit_time(frame) for frame in arrivals.values()]))
    started = time.perf_counter()
    backtests = {}
    for key, frame in arrivals.items():
        progress(f"back-test {len(backtests) + 1} of {len(arrivals)}: {key[0]} {key[1]}")
        backtests[key] = backtest_forecast(frame, hospital(), origins=options.origins, workers=options.workers)
    backtest_seconds = (time.perf_counter() - started) / len(arrivals)
    progress("\n")
    names = ["family", "series"]
    backtest = pd.concat(backtests, names=names).reset_index(names)
    scores = pd.concat({key: score_forecasts(frame) for key, frame in backtests.items()}, names=names).reset_index(
        names
    )
    board = scores[(scores["span"] == "day") & (scores["horizon_week"] == 0)]
    losses = board.pivot(index=names, columns="method", values="crps")
    try:
        losses = losses.join(rival_losses(series, backtest, options.rivals_python))
    except FileNotFoundError as error:
        notes.append(str(error))
    for note in notes:
        progress(note + "\n")
    order = pd.MultiIndex.from_tuples(list(series), names=names)
    return Results(losses.reindex(order), scores, backtest, fit_seconds, backtest_seconds, notes)


def hospital() -> HospitalConfig:
    """A hospital of one stream."""
    stream = {"id": STREAM, "target_ward": "ed", "patient_type": "adult", "model": {"type": "ml_poisson"}}
    return HospitalConfig.model_validate(
        {
            "id": "benchmark",
            "hospital": HOSPITAL,
            "patients": {
                "source": "synthetic",
                "history_start": "2020-01-01",
                "truth": {"streams": {STREAM: {"mean_per_day": 1}}},
            },
            "wards": [{"id": "ed", "los_model": {"type": "exponential", "params": {"mean": 4}}, "capacity": 10}],
            "patient_types": [{"id": "adult"}],
            "arrival_streams": [stream],
            "simulation": {"horizon_days": 28, "replications": 1000},
        }
    )


def daily_arrivals(counts: pd.Series) -> pd.DataFrame:
    """The table daily_arrivals of one series."""
    rows = pd.DataFrame({"date": counts.index, "arrivals": counts.to_numpy(), "stream_id": STREAM})
    rows = rows.assign(admitted=None, turned_away=None, observed=True, demand_observed=True)
    return DAILY_ARRIVALS.frame(rows, hospital_id="benchmark", as_of=counts.index[-1] + pd.Timedelta(days=1))


def fit_time(arrivals: pd.DataFrame) -> float:
    """Seconds from arrivals to rate paths, the better of two runs."""
    config = hospital()
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        features = make_feature_table(arrivals, config)
        forecast_rates(train_lgbm_poisson(features), features, arrivals, config)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def rival_losses(series: dict[tuple[str, int], pd.Series], backtest: pd.DataFrame, python: Path) -> pd.DataFrame:
    """Mean CRPS of days, [(family, series), method], by the methods of benchmarks/rivals.py."""
    if not python.exists():
        raise FileNotFoundError(
            f"AutoETS, AutoARIMA, Theta and Prophet are left out: there is no {python}; "
            "benchmarks/rivals-requirements.txt says how to make it."
        )
    model = backtest[backtest["method"] == MODEL]
    known = {
        (family, number): pd.concat(
            pd.DataFrame({"series": f"{family}|{number}", "origin": origin, "arrivals": counts[:origin]})
            for origin in model.loc[(model["family"] == family) & (model["series"] == number), "origin"].unique()
        ).rename_axis("date")
        for (family, number), counts in series.items()
    }
    rows = pd.concat(rival_quantiles(known, python), names=["family", "series"]).reset_index(["family", "series"])
    rows = rows.merge(
        model[["family", "series", "origin", "h", "actual"]],
        on=["family", "series", "origin", "h"],
        validate="many_to_one",
    )
    draws = rows.filter(regex=r"^q0").to_numpy().T
    rows = rows.assign(crps=crps_of_draws(draws, rows["actual"].to_numpy()))
    return rows.pivot_table(index=["family", "series"], columns="method", values="crps")


def rival_quantiles(known: dict[tuple[str, int], pd.DataFrame], python: Path) -> dict[tuple[str, int], pd.DataFrame]:
    """QUANTILES.csv of benchmarks/rivals.py for each series, kept from run to run."""
    code = RIVALS.read_text(encoding="utf-8")
    kept = {
        key: CACHE / f"{sha256((days.to_csv() + code).encode()).hexdigest()[:16]}.csv" for key, days in known.items()
    }
    missing = [key for key, path in kept.items() if not path.exists()]
    for done, key in enumerate(missing):
        progress(f"rivals {done + 1} of {len(missing)}: {key[0]} {key[1]}")
        CACHE.mkdir(exist_ok=True)
        source, part = kept[key].with_suffix(".series"), kept[key].with_suffix(".part")
        known[key].to_csv(source)
        subprocess.run([python, RIVALS, source, part], check=True, stdout=sys.stderr)
        source.unlink()
        part.replace(kept[key])
    return {key: pd.read_csv(path, parse_dates=["origin"]).drop(columns="series") for key, path in kept.items()}


def table(results: Results) -> str:
    """CRPS ratios and coverage by family, and the headline numbers."""
    ratios = results.ratios.groupby("family", sort=False).agg(geometric_mean)
    rows = results.scores[(results.scores["method"] == MODEL) & (results.scores["horizon_week"] == 0)]
    coverage = rows.pivot_table(index="family", columns="span", values="coverage80").reindex(ratios.index)
    shown = ratios.join(coverage.add_prefix("coverage80 "))
    figures = "\n".join(f"{name:28} {value:.3f}" for name, value in results.figures().items())
    title = f"CRPS of days over that of other methods ({MODEL} better below 1), and 80 % coverage"
    return f"{title}\n\n{shown.round(3).to_string()}\n\n{figures}"


def progress(text: str) -> None:
    """Show progress on stderr."""
    sys.stderr.write(f"\r{text:70}" if not text.endswith("\n") else text)
    sys.stderr.flush()


if __name__ == "__main__":
    main()
