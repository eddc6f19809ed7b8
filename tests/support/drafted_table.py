"""The table of docs/how_to/draft.md: the truth of each generated extract beside what is drafted from it.

python -m tests.support.drafted_table        write it
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from kaizar_pipeline.drafting.hospital_draft import Draft, Place, draft_hospital
from tests.support.drafted_cases import extracts
from tests.support.drafted_extracts import ELECTIVE, Extract

PAGE = Path(__file__).parents[2] / "docs" / "how_to" / "draft.md"
BEGIN, END = "<!-- extracts -->\n", "<!-- end of extracts -->\n"
NETHERLANDS = Place("Europe/Amsterdam", "NL")
_MOST = 8


def row(extract: Extract, draft: Draft) -> str:
    """The row of an extract."""
    streams = {one.named.id: (one.ward, one.patient_type) for one in draft.streams}
    wards = {one.named.id: one.type for one in draft.wards}
    beds = {one.named.id: one.beds.beds for one in draft.wards if one.named.id in extract.beds}
    conventions = set(draft.patients) & _CONVENTIONS
    truth = _words(extract.true_columns, extract.true_wards, extract.true_streams, set(extract.patients), extract.beds)
    found = _words(draft.patients["columns"], wards, streams, conventions, beds)
    return f"| {extract.what} | {draft.history.rows:,} | {truth} | {'the same' if found == truth else found} |"


_CONVENTIONS = {"missing", "running_until", "missing_departure", "max_open_days", "rows", "other"}


def _words(
    columns: Mapping[str, str],
    wards: Mapping[str, str],
    streams: Mapping[str, tuple[str, str]],
    conventions: Iterable[str],
    beds: Mapping[str, int | None],
) -> str:
    named = [id_ if type_ == "WARD" else f"{id_} ({type_})" for id_, type_ in sorted(wards.items())]
    shown = ", ".join(named) if len(named) <= _MOST else f"{len(named)} wards"
    parts = [" ".join(f"`{name}`" for name in columns.values()), shown]
    planned = sorted(id_ for id_, (_, type_) in streams.items() if type_ == ELECTIVE)
    parts += [f"planned: {', '.join(planned)}"] if planned else []
    parts += [f"beds: {', '.join(f'{ward} {number}' for ward, number in sorted(beds.items()))}"] if beds else []
    parts += [f"`{key}`" for key in sorted(conventions)]
    return "; ".join(parts)


def main() -> None:
    """Write the table into the page."""
    rows = []
    for extract in extracts():
        with TemporaryDirectory() as folder:
            path, stays = extract.write(Path(folder))
            draft = draft_hospital(path, stays, name="mine", place=NETHERLANDS, home=Path(folder).resolve())
        rows.append(row(extract, draft))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    head = "| Extract | Rows | Truth: columns; wards; what else | Drafted |\n|---|---|---|---|\n"
    PAGE.write_text(f"{before}{BEGIN}{head}{chr(10).join(rows)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
