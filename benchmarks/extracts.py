"""How long extracts of millions of rows take, and how much memory: from the file to daily arrivals and lengths of stay.

    python -m benchmarks.extracts [--rows 1000000 10000000] [--json]

Each step runs in a process of its own, from the file on, and reports seconds of wall time and of CPU, and its peak
of memory. Beside it: what DuckDB alone takes to read, type and hash the same rows, look for doubles and count them per
day.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import pandas as pd

from benchmarks.figures import keep
from kaizar_pipeline import HospitalConfig
from kaizar_pipeline.history.loading import load_history
from kaizar_pipeline.patients.daily_arrivals import arrivals_per_day
from kaizar_pipeline.patients.discharge_clocks import discharges
from kaizar_pipeline.patients.length_of_stay import lengths_of_stay

STEPS = ("duckdb alone", "patients", "daily_arrivals", "length_of_stay")
AS_OF = pd.Timestamp("2026-11-01")
_DAYS = 1095


def make_extract(file: Path, rows: int) -> None:
    """An extract of `rows` visits over three years, with exponential stays of three days; the last are open."""
    kind = "FORMAT csv, HEADER" if file.suffix == ".csv" else "FORMAT parquet"
    duckdb.sql(f"""
        COPY (
            SELECT
                i AS id, strftime(came, '%Y-%m-%d %H:%M:%S') AS came,
                CASE WHEN gone < TIMESTAMP '{AS_OF}' THEN strftime(gone, '%Y-%m-%d %H:%M:%S') END AS went,
                CASE WHEN i % 3 = 0 THEN 'surgery' ELSE 'medicine' END AS unit
            FROM (
                SELECT *, came - to_seconds(259200 * ln(1 - (hash(i + 1) % 1000000) / 1000000.0)) AS gone
                FROM (
                    SELECT i, TIMESTAMP '{AS_OF}' - to_seconds({_DAYS * 86400} * (1 - i / {rows})) AS came
                    FROM range({rows}) AS numbers(i)
                )
            )
        ) TO '{file}' ({kind})
    """)


def hospital(file: Path) -> HospitalConfig:
    """A hospital around the extract."""
    ward = {"capacity": None, "los_model": {"type": "from_data"}}
    stream = {"patient_type": "adult", "model": {"type": "ml_poisson"}}
    return HospitalConfig.model_validate(
        {
            "id": "large",
            "hospital": {"name": "Large", "timezone": "Europe/Amsterdam", "country": "NL"},
            "patients": {
                "source": file.suffix[1:],
                "path": file.name,
                "columns": {"patient_id": "id", "arrival": "came", "departure": "went", "service": "unit"},
                "streams": {"medicine": "medicine", "surgery": "surgery"},
                "complete_through": "2026-10-31",
                "pseudonym_key": "benchmark",
            },
            "wards": [{"id": name, **ward} for name in ("medicine", "surgery")],
            "patient_types": [{"id": "adult"}],
            "arrival_streams": [{"id": name, "target_ward": name, **stream} for name in ("medicine", "surgery")],
        }
    )


def carry_out(step: str, file: Path) -> None:
    """The step, from the file on."""
    if step == STEPS[0]:
        _duckdb_alone(file)
        return
    config = hospital(file)
    history = load_history(config, file.parent, "2026-11-01")
    if step == "daily_arrivals":
        arrivals_per_day(history.patients, config)
    elif step == "length_of_stay":
        leaving = discharges(history.patients, history.ward_stays, config)
        lengths_of_stay(history.patients, history.ward_stays, config, leaving.discharge_clocks)


def _duckdb_alone(file: Path) -> None:
    read = f"read_csv('{file}', all_varchar = true)" if file.suffix == ".csv" else f"read_parquet('{file}')"
    duckdb.sql(f"""
        CREATE TABLE visits AS SELECT
            substr(sha256('key' || id), 1, 16) AS id, unit, try_cast(came AS TIMESTAMP) AS came,
            try_cast(went AS TIMESTAMP) AS went
        FROM {read}
    """)
    duckdb.execute("SELECT count(*) FROM (SELECT id FROM visits GROUP BY id HAVING count(*) > 1)").fetchall()
    duckdb.execute("SELECT unit, came::DATE, count(*) FROM visits GROUP BY ALL").fetchall()


def measured(step: str, file: Path) -> dict[str, float]:
    """Seconds of wall time and CPU, and gigabytes at the peak, of the step in a process of its own."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.extracts", "--step", step, "--file", str(file)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {"seconds": time.perf_counter() - begin, **json.loads(output.splitlines()[-1])}


def _report_own_use() -> None:
    use = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, bytes
    print(json.dumps({"cpu_seconds": use.ru_utime + use.ru_stime, "gb": use.ru_maxrss * unit / 1e9}))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--kinds", nargs="+", default=["csv", "parquet"], choices=["csv", "parquet"])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--write", action="store_true", help="store the figures for docs/evidence.md")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        carry_out(options.step, options.file)
        _report_own_use()
        return
    figures: dict[str, float] = {}
    for rows in options.rows:
        for kind in options.kinds:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / f"extract.{kind}"
                make_extract(file, rows)
                for step in STEPS:
                    found = measured(step, file)
                    words = "  ".join(f"{name} {value:8.2f}" for name, value in found.items())
                    print(f"{rows:>12,} rows  {kind:8} {step:15} {words}", file=sys.stderr)
                    size = f"{rows:.0e}".replace("+0", "")
                    figures |= {f"{kind} {size} {step} {name}": value for name, value in found.items()}
                    if kind == "csv" and step == "daily_arrivals":
                        figures |= {f"rows_{size}_seconds": found["seconds"], f"rows_{size}_gb": found["gb"]}
    if options.write:
        kept = {key: value for key, value in figures.items() if key.startswith("rows_")}
        keep(kept, f"python -m benchmarks.extracts --kinds csv --rows {' '.join(map(str, options.rows))} --write")
    if options.json:
        print(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=2))


if __name__ == "__main__":
    main()
