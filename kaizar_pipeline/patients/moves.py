"""Ward stays: from an extract of moves between wards; without one, a single stay per patient in the stream's ward."""

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import StaysExtract
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.extracts import ExtractReader, TextRows
from kaizar_pipeline.patients.rejects import RowFilter, masked
from kaizar_pipeline.patients.stamps import Stamps, days_only
from kaizar_pipeline.tables import HOME


def whole_stays(config: HospitalConfig, patients: pd.DataFrame) -> pd.DataFrame:
    """One stay for everybody admitted or waiting, in the target ward of the stream: columns of ward_stays."""
    staying = patients[patients["outcome"].isin(["admitted", "waiting"])]
    admitted = staying["outcome"] == "admitted"
    ward = staying["stream_id"].map({stream.id: stream.target_ward for stream in config.arrival_streams})
    return pd.DataFrame(
        {
            "patient_id": staying["patient_id"],
            "stay_no": 0,
            "ward_id": ward.where(admitted),
            "planned_ward_id": ward,
            "request": staying["arrival"],
            "admit": staying["arrival"].where(admitted),
            "ready": staying["departure"],
            "depart": staying["departure"],
            "next_ward_id": pd.Series(HOME, index=staying.index).where(staying["departure"].notna()),
            "whole_stay": True,
        }
    )


def read_moves(
    reader: ExtractReader, extract: StaysExtract, patients: pd.DataFrame, as_of: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The patients, with those present who have no bed yet as waiting; their stays; the rejects of the extract.

    Raises DataError for an extract that cannot be read or has too many rejects, and for stamps that resolve days only:
    the order of moves within a day would be a guess.
    """
    text = reader.rows(extract)
    rows = _parse(reader, extract, text.cells, patients)
    visible = rows[~(rows["admit"] >= as_of)]
    visible = visible.assign(depart=visible["depart"].where(visible["depart"] < as_of))
    column = extract.columns.admit
    if days_only(text.cells.loc[visible.index, column], visible["admit"]).any():
        raise DataError(f"{text.place}: stamps in {column!r} have no time of day; export ward stays with times")
    passed = _filter(extract, text, visible)
    rejects = passed.rejects(reader.source.max_reject_share)
    stays = _in_order(passed.rows)
    has_bed = patients["patient_id"].isin(stays["patient_id"])
    present = (
        patients["outcome"].isin(["admitted", "waiting"]) & patients["departure"].isna() & patients["departure_known"]
    )
    outcome = patients["outcome"].mask(present & ~has_bed, "waiting").mask(present & has_bed, "admitted")
    patients = patients.assign(outcome=outcome)
    requests = whole_stays(reader.config, patients[present & ~has_bed]).assign(whole_stay=False)
    return patients, pd.concat([stays, requests], ignore_index=True), rejects


def _parse(reader: ExtractReader, extract: StaysExtract, cells: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """The meaning of every row, with arrival and departure of its patient."""
    columns = extract.columns
    ids = reader.pseudonyms(cells[columns.patient_id])
    patient = patients.set_index("patient_id").reindex(ids).set_index(cells.index)
    at_arrival = Stamps(patient["arrival"], patient["utc"])
    depart = reader.stamps(cells[columns.depart]).at_offset_of(at_arrival)
    return pd.DataFrame(
        {
            "id": ids,
            "ward": cells[columns.ward].map(extract.wards or {ward: ward for ward in reader.config.ward_ids}),
            "arrival": patient["arrival"],
            "departure": patient["departure"],
            "admit": reader.stamps(cells[columns.admit]).at_offset_of(at_arrival),
            "depart": depart,
            "unread": cells[columns.depart].notna() & depart.isna(),
        }
    )


def _filter(extract: StaysExtract, text: TextRows, rows: pd.DataFrame) -> RowFilter:
    """Reject impossible rows, the most basic error of a row first."""
    columns = extract.columns
    shown = {columns.ward: text.cells[columns.ward]}
    shown |= {name: masked(text.cells[name]) for name in (columns.admit, columns.depart)}
    passed = RowFilter("stays", text.place, rows, {**shown, columns.patient_id: rows["id"]})
    passed.reject_ragged(text.ragged, columns.patient_id)
    passed.reject(passed.rows["id"].isna(), "missing id", columns.patient_id)
    passed.reject(passed.rows["admit"].isna(), "unparseable admission", columns.admit)
    passed.reject(passed.rows["unread"], "unparseable departure", columns.depart)
    passed.reject(passed.rows["arrival"].isna(), "unknown patient", columns.patient_id)
    passed.reject(passed.rows["ward"].isna(), "unknown ward", columns.ward)
    passed.reject(passed.rows["admit"] < passed.rows["arrival"], "admission before arrival", columns.admit)
    passed.reject(passed.rows["depart"] < passed.rows["admit"], "departure before admission", columns.depart)
    passed.reject(_overlaps(passed.rows), "overlaps the stay before", columns.admit)
    return passed


def _overlaps(rows: pd.DataFrame) -> pd.Series:
    """Whether a stay begins before an earlier one of the patient ends."""
    ordered = rows.sort_values(["id", "admit"], kind="stable")
    ends = ordered["depart"].fillna(pd.Timestamp.max.as_unit("us")).groupby(ordered["id"])
    earlier = ends.cummax().groupby(ordered["id"]).shift()
    return (ordered["admit"] < earlier).reindex(rows.index)


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Stays of each patient in order: the next bed is requested when care in the last ends."""
    rows = rows.sort_values(["id", "admit"], kind="stable")
    of_patient = rows.groupby("id")
    home = pd.Series(HOME, index=rows.index).where(rows["depart"].notna() & rows["departure"].notna())
    return pd.DataFrame(
        {
            "patient_id": rows["id"],
            "stay_no": of_patient.cumcount(),
            "ward_id": rows["ward"],
            "planned_ward_id": rows["ward"],
            "request": of_patient["depart"].shift().fillna(rows["arrival"]),
            "admit": rows["admit"],
            "ready": rows["depart"],
            "depart": rows["depart"],
            "next_ward_id": of_patient["ward"].shift(-1).fillna(home),
            "whole_stay": False,
        }
    )
