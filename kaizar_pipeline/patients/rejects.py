"""Rejects rows of an extract, each with the reason, so that no row is dropped silently."""

from collections.abc import Mapping

import pandas as pd

from kaizar_pipeline.errors import DataError

_REMEDIES = {
    "unknown service": "map the service to a stream in patients.streams",
    "unknown ward": "map the ward in patients.stays.wards",
    "unparseable arrival": "name the format in patients.date_format",
    "unparseable departure": "name the format in patients.date_format",
    "unparseable admission": "name the format in patients.date_format",
    "duplicate id": "map columns.patient_id to an id of the visit, not of the person",
    "wrong number of fields": "quote cells that hold the separator",
}


class RowFilter:
    """The rows of an extract that have passed so far, and the rejected ones.

    `shown` holds, for each column that can be wrong, what may be stored and shown of its cells, row by row.
    """

    def __init__(self, extract: str, place: str, rows: pd.DataFrame, shown: Mapping[str, pd.Series]):
        self.rows = rows
        self._extract = extract
        self._place = place
        self._shown = shown
        self._rejects: list[tuple[object, ...]] = []

    def reject(self, wrong: pd.Series, reason: str, field: str) -> None:
        """Reject the `wrong` ones of `rows` because of their cell in the column `field`."""
        rows = self.rows.index[wrong]
        self._rejects.extend((row, reason, field, value) for row, value in self._shown[field].loc[rows].items())
        self.rows = self.rows[~wrong]

    def reject_ragged(self, ragged: Mapping[int, int], field: str) -> None:
        """Reject rows whose fields do not fit the header, as number of fields by row; they never were in `rows`."""
        self._rejects.extend((row, "wrong number of fields", field, f"{count} fields") for row, count in ragged.items())

    def rejects(self, max_share: float) -> pd.DataFrame:
        """The rejected rows, as columns of patient_rejects.

        Raises DataError, listing reasons with counts and an example, when that is more than `max_share` of all rows.
        """
        rejects = pd.DataFrame(self._rejects, columns=["row", "reason", "field", "value"], dtype="object")
        share = len(rejects) / max(1, len(rejects) + len(self.rows))
        if share > max_share:
            raise DataError(
                f"{self._place}: {len(rejects):,} of {len(rejects) + len(self.rows):,} rows ({share:.1%}) cannot be "
                f"used, more than max_reject_share allows ({max_share:.1%}):\n{_by_reason(rejects)}"
            )
        return rejects.assign(extract=self._extract)


def _by_reason(rejects: pd.DataFrame) -> str:
    """A line for each reason with its count and an example, and one that says how to correct them."""
    lines = []
    for reason, rows in rejects.groupby("reason", sort=False):
        first = rows.iloc[0]
        example = f"row {first['row']}, {first['field']} = {_quoted(first['value'])}"
        values = rows["value"].value_counts()
        most = ", ".join(f"{value!r} {count:,}" for value, count in values.head(8).items())
        listed = f"; {most}" if reason in ("unknown service", "unknown ward", "unknown outcome") and most else ""
        lines.append(f"  {reason}: {len(rows):,}, for example {example}{listed}")
    reasons = set(rejects["reason"])
    remedies = dict.fromkeys(remedy for reason, remedy in _REMEDIES.items() if reason in reasons)
    lines.append("Remedy: " + "; ".join([*remedies, "correct the rows, or raise max_reject_share"]))
    return "\n".join(lines)


def masked(texts: pd.Series) -> pd.Series:
    """Cells as they may be stored: letters become x, so that a name in the wrong column is not kept."""
    return texts.astype("str").str.replace(r"[^\W\d_]", "x", regex=True)


def _quoted(value: object) -> str:
    return "empty" if pd.isna(value) else repr(value)  # type: ignore[arg-type]
