"""The files of reports, each replaced as a whole.

    index.html                 all hospitals, one line each
    HOSPITAL/latest.html       the report of the last run, which is written last
    HOSPITAL/AS_OF.html        the report of a run as of that hour, such as 2026-11-28T08.html; AS_OF.xlsx beside it
    HOSPITAL/wards/WARD.html   of the last run, each ward for which its report has one line only
    HOSPITAL/csv/SHEET.csv     of the last run, each sheet of its spreadsheet

A run that is killed leaves the last report as it was, or with some files that are newer.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.reporting.facts import Facts
from kaizar_pipeline.reporting.numbers import Cells
from kaizar_pipeline.reporting.page import Entry, overview_page, report_page, ward_pages
from kaizar_pipeline.reporting.sheets import sheets
from kaizar_pipeline.reporting.workbook import as_csv, workbook

LATEST, OVERVIEW = "latest.html", "index.html"


def write_report(folder: Path, cells: Cells, config: HospitalConfig, facts: Facts) -> Path:
    """Write the report of a hospital into its `folder`, and return the path of its page.

    Everything is made before the first file is written. Raises DataError when one cannot be.
    """
    as_of = next(frame["as_of"].iloc[0] for frame in cells.frames.values() if len(frame))
    stem = f"{as_of:%Y-%m-%dT%H}"
    page = report_page(cells, config, facts, spreadsheet=f"{stem}.xlsx", overview=f"../{OVERVIEW}").encode("utf-8")
    wards = {f"{ward}.html": text.encode("utf-8") for ward, text in ward_pages(cells, config, facts).items()}
    tables = sheets(cells, config)
    files = {
        **{f"wards/{name}": content for name, content in wards.items()},
        **{f"csv/{_file_name(name)}": as_csv(frame) for name, frame in tables.items()},
        f"{stem}.xlsx": workbook(tables, config, as_of),
        f"{stem}.html": page,
        LATEST: page,
    }
    for name, content in files.items():
        replace_file(folder / name, content)
    for path in (*folder.glob("wards/*.html"), *folder.glob("csv/*.csv")):
        if path.relative_to(folder).as_posix() not in files:
            path.unlink(missing_ok=True)
    return folder / LATEST


def write_overview(folder: Path, entries: Sequence[Entry]) -> Path:
    """Write the page of all hospitals into the `folder` of reports, and return its path. Raises DataError."""
    replace_file(folder / OVERVIEW, overview_page(entries).encode("utf-8"))
    return folder / OVERVIEW


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it, so that readers meet the old one or the new one."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f"{path.name}.[0-9]*.tmp"):  # of killed runs
            left.unlink(missing_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):  # what hinders writing may hinder this
            temporary.unlink(missing_ok=True)
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); it was not changed; check the free space of the disk and "
            f"the permissions of {path.parent}"
        ) from error


def _file_name(sheet: str) -> str:
    return f"{sheet.replace(' ', '_')}.csv"
