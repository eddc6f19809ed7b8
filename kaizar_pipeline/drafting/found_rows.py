"""From extracts of which nothing is known to rows of visits and of ward stays, with their columns and names."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from kaizar_pipeline.drafting import column_words as words
from kaizar_pipeline.drafting.column_roles import LOOKED_AT, ColumnRoles, find_roles
from kaizar_pipeline.drafting.opened_extract import OpenedExtract, open_extract
from kaizar_pipeline.drafting.reading import NamedRows
from kaizar_pipeline.drafting.spans import renames
from kaizar_pipeline.drafting.wards_and_streams import FEWEST, OTHER, Named, name_ids
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.extracts import SqlQuery
from kaizar_pipeline.patients.joined_rows import LONGEST_GAP_HOURS
from kaizar_pipeline.patients.rejects import OFTEN

ONE_SERVICE, ONE_WARD = "patients", "ward"
"""The ids of the stream, and of the ward, where no column tells services apart."""

_LINKED = 0.9
"""Share of the ids of ward stays that the visits must have."""
_LINKED_IN_SAMPLES = 0.7
"""The same of those that a sample of the visits can have."""


@dataclass(frozen=True)
class FoundRows:
    """The visits, the ward stays where there are any, and the wards."""

    visits: NamedRows
    stays: NamedRows | None
    """Those of the same extract where its rows are ward stays."""
    wards: list[Named]
    renamed: dict[str, str]
    """Old names of services and wards by the new ones."""

    @property
    def questions(self) -> list[str]:
        """What the columns leave open."""
        found = [one for rows in (self.visits, self.stays) if rows is not None for one in rows.roles.questions.values()]
        return list(dict.fromkeys(found))

    @property
    def remarks(self) -> list[str]:
        """What a person should look at in the choice of columns."""
        found = [one for rows in (self.visits, self.stays) if rows is not None for one in rows.roles.remarks]
        return list(dict.fromkeys(found))


def find_rows(
    extract: Path | SqlQuery,
    stays: Path | SqlQuery | None,
    home: Path,
    columns: Mapping[str, str],
    date_format: str | None,
) -> FoundRows:
    """What the extracts hold; `columns` by role and `date_format` are not looked for where they are given."""
    opened = open_extract(extract, home)
    if stays is not None:
        return _with_stays(opened, open_extract(stays, home), columns, date_format)
    roles = find_roles(opened, words.WARD, columns, date_format)
    opened = _sample_of_patients(opened, roles)
    roles = _without_rare_names(opened, roles)
    names, renamed = _names(opened, roles)
    if roles.moves and not roles.one_ward:
        first = NamedRows(opened, roles, _first_wards(opened, roles, names))
        return FoundRows(first, NamedRows(opened, roles, names), names, renamed)
    wards = [Named(ONE_WARD, (), opened.total_rows)] if roles.one_ward else names
    return FoundRows(NamedRows(opened, roles, names), None, wards, renamed)


def _without_rare_names(extract: OpenedExtract, roles: ColumnRoles) -> ColumnRoles:
    """The roles without the service where hardly a value is there twice: it may hold names of persons."""
    if roles.service is None or any(named.names for named in name_ids(extract.rows[roles.service])):
        return roles
    remark = f"columns.service: {roles.service!r} has no value in {OFTEN} rows or more; all rows are one service"
    unread = [*roles.unread, roles.service]
    return replace(roles, service=None, one_ward=True, moves=False, unread=unread, remarks=[*roles.remarks, remark])


def _with_stays(
    visits: OpenedExtract, stays: OpenedExtract, columns: Mapping[str, str], date_format: str | None
) -> FoundRows:
    ids = _linked_ids(visits, stays, columns.get("id"))
    roles = find_roles(visits, words.SERVICE, {**columns, "id": ids[0]}, date_format)
    roles = _without_rare_names(visits, roles)
    of_stays = find_roles(stays, words.WARD, {"id": ids[1]}, date_format)
    if of_stays.service is None or of_stays.one_ward:
        raise DataError(f"{stays.location}: no column is named like a ward; name the column of wards `ward`")
    every = max(visits.every, stays.every)
    visits, stays = _sample_of_patients(visits, roles, every), _sample_of_patients(stays, of_stays, every)
    names, renamed = _names(visits, roles)
    wards, also = _names(stays, of_stays)
    return FoundRows(NamedRows(visits, roles, names), NamedRows(stays, of_stays, wards), wards, renamed | also)


def _sample_of_patients(extract: OpenedExtract, roles: ColumnRoles, every: int | None = None) -> OpenedExtract:
    """A long extract with all rows of some patients, in place of some rows of all."""
    every = every or extract.every
    return extract if every == 1 else open_extract(extract.source, extract.home, (roles.id, every))


def _linked_ids(visits: OpenedExtract, stays: OpenedExtract, given: str | None) -> tuple[str, str]:
    """The columns of both extracts that hold the same ids, those of visits rather than of persons."""
    best: tuple[float, str, str] | None = None
    enough = _LINKED if visits.every == 1 else _LINKED_IN_SAMPLES / visits.every
    for name in stays.rows:
        ids = set(stays.rows[name].iloc[:LOOKED_AT]) - {""}
        if len(ids) < min(FEWEST, len(stays.rows) / 10):
            continue
        for other in [given] if given is not None else list(visits.rows):
            linked = len(ids & set(visits.rows[other])) / len(ids)
            different = visits.rows[other].nunique() / len(visits.rows)
            named = max(words.fits(str(name), words.VISIT), words.fits(str(name), words.PERSON)) / 10
            score = linked + different + named
            if linked >= enough and (best is None or score > best[0]):
                best = score, str(other), str(name)
    if best is None:
        raise DataError(
            f"{stays.location}: no column has the ids of {visits.location}; export both with the id of the visit or of "
            "the patient"
        )
    return best[1:]


def _names(extract: OpenedExtract, roles: ColumnRoles) -> tuple[list[Named], dict[str, str]]:
    """The services or wards of an extract with their ids, and old names by the new ones that follow them."""
    if roles.service is None:
        return [Named(ONE_SERVICE, (), extract.total_rows)], {}
    cells = extract.rows[roles.service]
    begins, ends = (extract.times(name, roles.dates) for name in (roles.arrival, roles.departure))
    renamed = renames(cells, begins, ends)
    return name_ids(cells, extract.every, renamed), renamed


def _first_wards(extract: OpenedExtract, roles: ColumnRoles, wards: list[Named]) -> list[Named]:
    """Of `wards` those in which many visits begin; the others together, for the few that begin there."""
    times = {
        key: extract.times(name, roles.dates) for key, name in (("begin", roles.arrival), ("end", roles.departure))
    }
    rows = pd.DataFrame({"id": extract.rows[roles.id], "ward": extract.rows[str(roles.service)], **times})
    rows = rows.sort_values(["id", "begin", "end"], kind="stable")
    reached = rows["end"].fillna(rows["begin"]).groupby(rows["id"]).cummax().groupby(rows["id"]).shift()
    begins = rows.loc[~(rows["begin"] <= reached + pd.Timedelta(hours=LONGEST_GAP_HOURS)), "ward"]
    first = name_ids(begins, extract.every)
    often = {name for named in first for name in named.names}
    found = [
        Named(ward.id, ward.names, extract.every * int(begins.isin(ward.names).sum()))
        for ward in wards
        if often & set(ward.names)
    ]
    return found + [Named(OTHER, (), named.rows) for named in first if not named.names]
