"""Rows of an extract that are set aside, each with the reason, so that no row is dropped silently."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import numpy as np
import pandas as pd

from kaizar_pipeline.errors import DataError, quoted
from kaizar_pipeline.patients.extracts import TextRows

_REMEDIES = {
    "unknown service": "map the service to a stream in patients.streams, or all others in patients.other",
    "unknown ward": "map the ward in patients.stays.wards",
    "unparseable arrival": "name the format in patients.date_format",
    "departure cannot be right": "name the format in patients.date_format, or what means none yet in patients.missing",
    "unparseable admission": "name the format in patients.date_format",
    "duplicate": "export each visit once",
    "wrong number of fields": "quote cells that hold the separator",
}

OFTEN = 5
"""Rows with the same cell from which on it is a name that the source uses, not one that strayed into the column."""
_ALIKE = 0.85
"""Similarity (difflib) from which on a cell is a misspelled name that is known."""


def check_share(place: str, rejects: pd.DataFrame, rows: int, max_share: float) -> None:
    """Raise DataError when `rejects` (row, reason, field, value) are more than `max_share` of `rows`; it lists reasons
    with counts and an example."""
    share = len(rejects) / max(1, rows)
    if share > max_share:
        raise DataError(
            f"{place}: {len(rejects):,} of {rows:,} rows ({share:.1%}) cannot be used, more than max_reject_share "
            f"allows ({max_share:.1%}):\n{by_reason(rejects)}"
        )


def told_by_line(
    text: TextRows,
    wrong: pd.DataFrame,
    keys: Mapping[str, str],
    names: Mapping[str, str],
    shown: Mapping[str, pd.Series],
) -> pd.DataFrame:
    """Rows with errors as line of the file (`row`), reason, field and value, the ragged ones of `text` first.

    `wrong` has their row numbers and reasons, `keys` the wrong column for each reason (default: the first of `names`),
    `names` the source's names of the columns, `shown` what may be stored of their cells.
    """
    default = next(iter(names))
    key = wrong["reason"].map(dict(keys)).fillna(default)
    values = pd.Series(None, index=wrong.index, dtype="object")
    for name, cells in shown.items():
        values = values.where(key != name, cells)
    ragged = sorted(text.ragged)
    rows = np.array([*ragged, *wrong["row"]], dtype="int64")
    return pd.DataFrame(
        {
            "row": text.lines(rows) if len(rows) else rows,
            "reason": ["wrong number of fields"] * len(ragged) + wrong["reason"].tolist(),
            "field": [names["patient_id"]] * len(ragged) + key.map(names).tolist(),
            "value": [f"{text.ragged[row]} fields" for row in ragged] + values.tolist(),
        }
    )


def by_reason(rejects: pd.DataFrame) -> str:
    """A line for each reason with its count and an example, and one that says how to correct them."""
    lines = []
    for reason, rows in rejects.groupby("reason", sort=False):
        first = rows.iloc[0]
        value = "empty" if pd.isna(first["value"]) else quoted(first["value"])
        example = f"line {first['row']}, {first['field']} = {value}"
        values = rows["value"].value_counts()
        most = ", ".join(f"{quoted(str(value))} {count:,}" for value, count in values.head(8).items())
        listed = f"; {most}" if str(reason).startswith("unknown") and most else ""
        lines.append(f"  {reason}: {len(rows):,}, for example {example}{listed}")
    reasons = set(rejects["reason"])
    remedies = dict.fromkeys(remedy for reason, remedy in _REMEDIES.items() if reason in reasons)
    lines.append("Remedy: " + "; ".join([*remedies, "correct the rows, or raise max_reject_share"]))
    return "\n".join(lines)


def shown_stamps(texts: pd.Series) -> pd.Series:
    """Cells of times as they may be stored: letters become x, and digits 9 unless they form a date."""
    masked = texts.astype("str").str.replace(r"[^\W\d_]", "x", regex=True)
    is_date = masked.str.fullmatch(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ Tx][\d:.,+x -]*)?", na=False)
    return masked.where(is_date, masked.str.replace(r"\d", "9", regex=True))


def shown_names(texts: pd.Series, known: Iterable[str]) -> pd.Series:
    """Cells of names (services, wards, outcomes) as they may be stored: those that many rows have, or that are spelled
    almost like a `known` one; of the others letters become x and digits 9, for a shifted column may hold a person."""
    names = [name.lower() for name in known]
    counts = texts.value_counts()
    alike = {text for text in counts.index if get_close_matches(str(text).lower(), names, 1, _ALIKE)}
    may = alike | set(counts.index[counts >= OFTEN])
    masked = texts.astype("str").str.replace(r"[^\W\d_]", "x", regex=True).str.replace(r"\d", "9", regex=True)
    return masked.where(~texts.isin(list(may)), texts.astype("str"))
