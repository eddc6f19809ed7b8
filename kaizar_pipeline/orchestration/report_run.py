"""The report of a hospital from its stored tables, and the page of all hospitals. Knows no Dagster.

A report is about one as_of, that of ward_outlook, or of the newest table where there is none. Tables of another as_of,
and those that were never made, are left out, and the page says what is missing.
"""

import platform
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from kaizar_pipeline.chain.step import Frames
from kaizar_pipeline.chain.steps import STEPS, all_tables
from kaizar_pipeline.config.files import config_hash, hospital_file, load_scenarios, load_with_warnings
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import DataError, KaizarError
from kaizar_pipeline.orchestration.storage import Lineage, Warehouse
from kaizar_pipeline.reporting.assumptions import last_record
from kaizar_pipeline.reporting.facts import Facts
from kaizar_pipeline.reporting.numbers import Cells, Sentence
from kaizar_pipeline.reporting.page import Entry, overview_entry, verdict
from kaizar_pipeline.reporting.report_files import LATEST, write_overview, write_report
from kaizar_pipeline.reporting.sentences import headline, hospital_sentence, ranked
from kaizar_pipeline.reporting.suppression import DECIDING, suppressed
from kaizar_pipeline.reporting.words import Name
from kaizar_pipeline.tables import CHECK_RESULTS, HOSPITAL_TOTAL, PLANNER_REPORT

REPORTS = "reports"
"""The folder of reports in the data folder."""

_ABOUT = "ward_outlook"
"""The table whose as_of a report has."""
_NOT_SHOWN = ("feature_table", "arrival_model", "headline_inputs", "occupancy_backtest", "starting_census")
"""Large tables that no page or sheet shows."""
_OF_OVERVIEW = ("ward_outlook", "ward_days", "bed_meeting", "ward_now", PLANNER_REPORT.name)
"""Tables behind the line of a hospital among all."""
_IN_WORDS = (
    "ward_outlook", "ward_days", "bed_meeting", "ward_now", "level_risk", "bed_allocations", "occupancy_scores",
    "forecast_log_scores",
)  # fmt: skip
"""Tables behind what a terminal says."""
_LIBRARIES = ("dagster", "duckdb", "lightgbm", "numba", "numpy", "pandas", "scipy", "simpy")

SHOWN = tuple(name for name in all_tables() if name not in _NOT_SHOWN)
"""The tables that a report is made from."""


Stored = Callable[[str], tuple[Lineage, pd.DataFrame]]
"""Gives a stored table of a hospital by its name. Raises DataError where there is none."""


@dataclass(frozen=True)
class Report:
    """A report as it was written."""

    path: Path
    config: HospitalConfig
    facts: Facts
    cells: Cells
    """What it shows: the tables without small numbers of patients."""
    frame: pd.DataFrame
    """The table planner_report."""


@dataclass(frozen=True)
class MadeBy:
    """The run that makes a report."""

    run_id: str
    began: float
    """By the clock of `time.monotonic`."""
    stored: Stored
    """Gives a stored table, from memory where the run made it."""


def make_report(home: Path, warehouse: Warehouse, hospital_id: str, run: MadeBy | None = None) -> Report:
    """Write the report of a hospital from its stored tables, and store its sentences; the caller holds the hospital's
    lock.

    Raises ConfigError for a hospital's file with errors, and DataError where no table of it is stored, or the report
    cannot be written.
    """
    config, warnings = load_with_warnings(hospital_file(home, hospital_id))
    stored = run.stored if run else partial(_stored, warehouse, hospital_id)
    lineages, frames, as_of = _of_one_as_of(hospital_id, SHOWN, stored)
    facts = _facts(home, warehouse, config, lineages, run)
    facts = replace(facts, warnings=warnings)
    cells = suppressed(frames, config)
    path = write_report(warehouse.folder / REPORTS / hospital_id, cells, config, facts)
    frame = _sentences(cells, config, as_of)
    inputs = {name: lineage.run_id for name, lineage in lineages.items()}
    lineage = Lineage(run.run_id if run else facts.run_id, as_of, config_hash(config), inputs)
    warehouse.write(PLANNER_REPORT.name, hospital_id, frame, lineage)
    return Report(path, config, facts, cells, frame)


def read_report(home: Path, warehouse: Warehouse, hospital_id: str) -> tuple[Cells, HospitalConfig, Facts]:
    """What the report of a hospital says in words, without writing it; the same small numbers are hidden as in it.

    Raises ConfigError as `make_report` does, and DataError as `stored_lineages` does.
    """
    config, warnings = load_with_warnings(hospital_file(home, hospital_id))
    lineages = stored_lineages(warehouse, hospital_id, _with_deciding(_IN_WORDS, config))
    cells = suppressed({name: warehouse.read(name, hospital_id) for name in lineages}, config)
    return cells, config, replace(_facts(home, warehouse, config, lineages, None), warnings=warnings)


def read_tables(home: str | Path, hospital_id: str, names: Iterable[str] = SHOWN) -> dict[str, pd.DataFrame]:
    """Stored tables of a hospital by name, by default all that a report shows, as the last run left them, and as
    `run_chain` returns them; `home` is the project's folder.

    Raises ConfigError for a hospital without a file, and DataError as `stored_lineages` does.
    """
    hospital_file(Path(home), hospital_id)
    warehouse, names = Warehouse(Path(home) / "data"), tuple(names)
    stored_lineages(warehouse, hospital_id, names)
    return {name: warehouse.read(name, hospital_id) for name in names}


def stored_lineages(warehouse: Warehouse, hospital_id: str, names: Iterable[str] = SHOWN) -> dict[str, Lineage]:
    """The lineages of stored tables, all of one as_of. Raises DataError, which names the remedy, where one was not made
    yet, cannot be read, or is of another as_of."""
    remedy = f"kaizar run {hospital_id}"
    if not any(warehouse.path(name, hospital_id).exists() for name in names):
        raise _nothing_stored(hospital_id)
    try:
        return warehouse.lineages(names, hospital_id)
    except DataError as error:
        raise DataError(f"{error}; to make all tables anew: {remedy}") from error


def _nothing_stored(hospital_id: str) -> DataError:
    return DataError(f"{hospital_id} has no stored tables yet; make them first: kaizar run {hospital_id}")


def _with_deciding(names: Sequence[str], config: HospitalConfig) -> Sequence[str]:
    """These tables, and those that decide which small numbers are hidden, if any are."""
    return tuple(dict.fromkeys((*names, *(DECIDING if config.report.suppress_below else ()))))


def make_overview(home: Path, warehouse: Warehouse, hospital_ids: Iterable[str]) -> Path:
    """Write the page of all hospitals, one line each; one whose file or tables cannot be read says so."""
    with warehouse.lock("_overview"):
        entries = [_entry(home, warehouse, hospital_id) for hospital_id in hospital_ids]
        return write_overview(warehouse.folder / REPORTS, entries)


def _of_one_as_of(
    hospital_id: str, names: Iterable[str], stored: Stored
) -> tuple[dict[str, Lineage], Frames, pd.Timestamp]:
    """The stored tables of one as_of with their lineages, and that as_of; those that cannot be read are left out."""
    found = {}
    for name in names:
        with suppress(DataError):
            found[name] = stored(name)
    if not found:
        raise _nothing_stored(hospital_id)
    newest = max(lineage.as_of for lineage, _ in found.values())
    as_of = found[_ABOUT][0].as_of if _ABOUT in found else newest
    of_one = {name: both for name, both in found.items() if both[0].as_of == as_of}
    return (
        {name: lineage for name, (lineage, _) in of_one.items()},
        {n: frame for n, (_, frame) in of_one.items()},
        as_of,
    )


def _stored(warehouse: Warehouse, hospital_id: str, name: str) -> tuple[Lineage, pd.DataFrame]:
    return warehouse.lineage(name, hospital_id), warehouse.read(name, hospital_id)


def _facts(
    home: Path, warehouse: Warehouse, config: HospitalConfig, lineages: dict[str, Lineage], run: MadeBy | None
) -> Facts:
    main = lineages.get(_ABOUT) or next(iter(lineages.values()))
    settings = next((lineage.settings for lineage in lineages.values() if lineage.settings), {})
    scenarios = {}
    with suppress(KaizarError):
        scenarios = {scenario.id: scenario.description for scenario in load_scenarios(home, config)}
    return Facts(
        hospital_id=config.id,
        run_id=main.run_id,
        config_hash=main.config_hash,
        seed=int(settings.get("seed", config.simulation.seed)),
        replications=int(settings.get("replications", config.simulation.max_replications)),
        versions={
            "kaizar-pipeline": main.code_version,
            "Python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        seconds=time.monotonic() - run.began if run and run.run_id == main.run_id else None,
        checks=check_results(warehouse, config.id),
        scenarios=scenarios,
    )


def check_results(warehouse: Warehouse, hospital_id: str) -> pd.DataFrame:
    """The latest result of each check, in the order of the chain, by the names that `Facts` has for them."""
    names = {"table_name": "table", "check_name": "name"}
    found = CHECK_RESULTS.empty()
    with suppress(DataError):
        found = warehouse.read(CHECK_RESULTS.name, hospital_id)
    order = {name: place for place, name in enumerate(name for step in STEPS for name in step.table_names)}
    found = found.sort_values("table_name", key=lambda tables: tables.map(order), kind="stable", ignore_index=True)
    return found.rename(columns=names)[["table", "name", "blocking", "passed", "message"]]


def _sentences(cells: Cells, config: HospitalConfig, as_of: pd.Timestamp) -> pd.DataFrame:
    """The table planner_report."""
    rows: list[tuple[str | None, Sentence]] = []
    if _ABOUT in cells:
        first = verdict(cells, config, ranked(cells))["first"]
        wards = [(one.ward, Sentence("{ward}: {text}", ward=one.label, text=one.sentence())) for one in first]
        rows = [(None, headline(cells, config)), *wards, (HOSPITAL_TOTAL, hospital_sentence(cells, config))]
    said = [(ward, text) for ward, sentence in rows if (text := str(sentence))]
    found = pd.DataFrame(said, columns=["ward_id", "sentence"])
    found["place"] = range(1, len(found) + 1)
    newest = last_record(cells)
    return PLANNER_REPORT.frame(found, hospital_id=config.id, as_of=as_of, newest_record=newest or pd.NaT)


def _entry(home: Path, warehouse: Warehouse, hospital_id: str) -> Entry:
    try:
        config, warnings = load_with_warnings(hospital_file(home, hospital_id))
        names = _with_deciding(_OF_OVERVIEW, config)
        lineages, frames, _ = _of_one_as_of(hospital_id, names, partial(_stored, warehouse, hospital_id))
        cells = suppressed(frames, config)
        facts = replace(_facts(home, warehouse, config, lineages, None), warnings=warnings)
        return overview_entry(cells, config, facts, f"{hospital_id}/{LATEST}")
    except KaizarError as error:
        return Entry(hospital_id=hospital_id, name=Name(hospital_id), href="", headline=None, problem=str(error))
