"""Sets rows of an extract aside that cannot be, with the reason, so that no row is dropped in silence."""

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


class Sieve:
    """The rows of an extract that have passed so far, and those that were set aside."""

    def __init__(self, extract: str, place: str, rows: pd.DataFrame):
        self.extract = extract
        self.place = place
        self.rows = rows
        self._aside: list[tuple[int, str, str, str]] = []

    def set_aside(self, wrong: pd.Series, reason: str, field: str, shown: pd.Series) -> None:
        """Set the rows aside that are `wrong`; `shown` holds what may be told of the cell at fault, row by row."""
        rows = self.rows.index[wrong]
        self._add(list(rows), reason, field, list(shown.loc[rows]))
        self.rows = self.rows[~wrong]

    def add_ragged(self, ragged: dict[int, int], field: str) -> None:
        """Set rows aside whose fields do not fit the header, as number of fields by row; they never were in `rows`."""
        shown = [f"{fields} fields" for fields in ragged.values()]
        self._add(list(ragged), "wrong number of fields", field, shown)

    def rejects(self, max_share: float) -> pd.DataFrame:
        """Everything set aside, as columns of patient_rejects.

        Raises DataError, listing reasons with counts and an example, when that is more than `max_share` of all rows.
        """
        aside = pd.DataFrame(self._aside, columns=["row", "reason", "field", "value"], dtype="object")
        share = len(aside) / max(1, len(aside) + len(self.rows))
        if share > max_share:
            raise DataError(self._complaint(aside, share, max_share))
        return aside.assign(extract=self.extract)

    def _add(self, rows: list[int], reason: str, field: str, values: list[str]) -> None:
        self._aside.extend((row, reason, field, value) for row, value in zip(rows, values, strict=True))

    def _complaint(self, aside: pd.DataFrame, share: float, max_share: float) -> str:
        lines = [
            f"{self.place}: {len(aside):,} of {len(aside) + len(self.rows):,} rows ({share:.1%}) cannot be used, "
            f"more than max_reject_share allows ({max_share:.1%}):"
        ]
        for reason, rows in aside.groupby("reason", sort=False):
            first = rows.iloc[0]
            example = f"row {first['row']}, {first['field']} = {_quoted(first['value'])}"
            values = rows["value"].value_counts()
            most = ", ".join(f"{value!r} {count:,}" for value, count in values.head(8).items())
            listed = f"; {most}" if reason in ("unknown service", "unknown ward", "unknown outcome") and most else ""
            lines.append(f"  {reason}: {len(rows):,}, for example {example}{listed}")
        remedies = [remedy for reason, remedy in _REMEDIES.items() if (aside["reason"] == reason).any()]
        lines.append("Remedy: " + "; ".join([*dict.fromkeys(remedies), "correct the rows, or raise max_reject_share"]))
        return "\n".join(lines)


def without_letters(texts: pd.Series) -> pd.Series:
    """Cells as they may be stored: letters become x, so that a name in the wrong column is not kept."""
    return texts.str.replace(r"[^\W\d_]", "x", regex=True)


def _quoted(value: object) -> str:
    return "empty" if pd.isna(value) else repr(value)  # type: ignore[arg-type]
