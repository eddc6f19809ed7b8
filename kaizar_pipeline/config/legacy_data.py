"""Where the predecessor's data are, and how many days they cover: all that a translation looks at in them."""

import csv
from contextlib import suppress
from datetime import date
from functools import lru_cache
from pathlib import Path

from kaizar_pipeline.config.translation import Translation, mapping, mappings

PATIENTS_FILE = "patients.csv"
"""The extract in `data_dir`, or in `raw` below it."""

COLUMNS = {"patient_id": "patient_id", "arrival": "arrival_date", "departure": "departure_date", "service": "service"}
"""The predecessor's columns, by what they are."""


def find_extract(translation: Translation, data_dir: str | None, home: Path) -> str | None:
    """Path below `home` of the one extract that is read: a `source` that a part names, else patients.csv in `data_dir`.

    Sources that are not there fall back to patients.csv, with a warning; where that is missing too, the path is what
    the file says, and the run fails. None where the file does not say where its patients are.
    """
    sources = _sources(translation)
    there = {source: path for source in sources if (path := _find(home, data_dir, source))}
    records = _find(home, data_dir, PATIENTS_FILE) if data_dir is not None else None
    for source, (loc, name) in sources.items():
        if source != PATIENTS_FILE and source not in there and records:
            translation.warn(loc, f"{name}.source {source} is not there: the records in {records} are read instead")
    chosen = list(there if records else sources)
    for source in chosen[1:]:
        loc, name = sources[source]
        translation.refuse(loc, f"{name}.source: one extract is read, and a part above names {chosen[0]!r}")
    if chosen and chosen[0] in there:
        return there[chosen[0]]
    if data_dir is None:
        return chosen[0] if chosen else None
    return records or f"{data_dir.rstrip('/')}/{chosen[0] if chosen else PATIENTS_FILE}"


def _sources(translation: Translation) -> dict[str, tuple[tuple[str | int, ...], str]]:
    """The files that parts name, each with the first place that does, as a place and in words."""
    found: dict[str, tuple[tuple[str | int, ...], str]] = {}
    for field, key in (("wards", "los_model"), ("arrival_streams", "model")):
        for index, part in enumerate(mappings(translation.values, field)):
            source = mapping(part.get(key)).get("source")
            if isinstance(source, str):
                found.setdefault(source, ((field, index, key), f"{field}[{index}].{key}"))
    return found


def _find(home: Path, data_dir: str | None, name: str) -> str | None:
    folders = [""] if data_dir is None else [f"{data_dir.rstrip('/')}/", f"{data_dir.rstrip('/')}/raw/"]
    try:
        return next((folder + name for folder in folders if (home / (folder + name)).is_file()), None)
    except OSError:  # a name longer than the system's
        return None


def days_covered(path: Path) -> int | None:
    """Days from the first arrival of an extract to the last; None where that cannot be known."""
    try:
        state = path.stat()
        return _days_covered(path, state.st_size, state.st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=16)
def _days_covered(path: Path, size: int, modified_ns: int) -> int | None:
    """The same, read again only when the file's size or time changes."""
    first, last = date.max, date.min
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                with suppress(ValueError):  # rows that cannot be read are set aside by the run
                    day = date.fromisoformat((row.get(COLUMNS["arrival"]) or "")[:10])
                    first, last = min(first, day), max(last, day)
    except (csv.Error, UnicodeDecodeError):  # the run says what is wrong with the extract
        return None
    return (last - first).days + 1 if first <= last else None
