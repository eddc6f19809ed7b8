"""Ward stays: from an extract of moves between wards; without one, a single stay per patient in the stream's ward."""

from pathlib import Path

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import Extract, StayColumns, StaysExtract
from kaizar_pipeline.errors import DataError
from kaizar_pipeline.patients.extracts import read_text
from kaizar_pipeline.patients.pseudonyms import pseudonyms
from kaizar_pipeline.patients.rejects import Sieve, without_letters
from kaizar_pipeline.patients.stamps import Stamps, days_only, read_stamps
from kaizar_pipeline.tables import HOME


def whole_stays(config: HospitalConfig, patients: pd.DataFrame) -> pd.DataFrame:
    """One stay for everybody admitted or waiting, in the ward that the stream is meant for: columns of ward_stays."""
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
    config: HospitalConfig,
    source: Extract,
    extract: StaysExtract,
    patients: pd.DataFrame,
    home: Path,
    key: bytes,
    as_of: pd.Timestamp,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The patients, with those in the house who have no bed yet as waiting; their stays; the rejects of the extract.

    Raises DataError for an extract that cannot be read or has too many rejects, and for stamps that resolve days only:
    the order of moves within a day would be a guess.
    """
    columns = extract.columns
    text = read_text(source, extract.path or extract.query or "", [name for _, name in columns], home)
    rows = _parse(config, source, extract, text.cells, patients, key)
    began = rows[~(rows["_admit"] >= as_of)]
    began = began.assign(_depart=began["_depart"].where(began["_depart"] < as_of))
    if days_only(began[columns.admit], began["_admit"]).any():
        raise DataError(f"{text.place}: stamps in {columns.admit!r} have no time of day; export ward stays with times")
    sieve = Sieve("stays", text.place, began)
    sieve.add_ragged(text.ragged, columns.patient_id)
    _set_aside_impossible(columns, sieve)
    rejects = sieve.rejects(source.max_reject_share)
    stays = _in_order(sieve.rows)
    has_bed = patients["patient_id"].isin(stays["patient_id"])
    in_house = (
        patients["outcome"].isin(["admitted", "waiting"]) & patients["departure"].isna() & patients["departure_known"]
    )
    outcome = patients["outcome"].mask(in_house & ~has_bed, "waiting").mask(in_house & has_bed, "admitted")
    patients = patients.assign(outcome=outcome)
    requests = whole_stays(config, patients[in_house & ~has_bed]).assign(whole_stay=False)
    return patients, pd.concat([stays, requests], ignore_index=True), rejects


def _parse(
    config: HospitalConfig,
    source: Extract,
    extract: StaysExtract,
    cells: pd.DataFrame,
    patients: pd.DataFrame,
    key: bytes,
) -> pd.DataFrame:
    """What every row says, next to its cells, with arrival and departure of its patient."""
    columns = extract.columns
    wards = extract.wards or {ward: ward for ward in config.ward_ids}
    ids = pseudonyms(cells[columns.patient_id], key)
    patient = patients.set_index("patient_id").reindex(ids).set_index(cells.index)
    at_arrival = Stamps(patient["arrival"], patient["utc"])
    depart = read_stamps(cells[columns.depart], source.date_format, config.hospital.timezone).at_offset_of(at_arrival)
    admit = read_stamps(cells[columns.admit], source.date_format, config.hospital.timezone).at_offset_of(at_arrival)
    return cells.assign(
        _id=ids,
        _ward=cells[columns.ward].map(wards),
        _arrival=patient["arrival"],
        _leaves=patient["departure"],
        _admit=admit,
        _depart=depart,
        _unread=cells[columns.depart].notna() & depart.isna(),
    )


def _set_aside_impossible(columns: StayColumns, sieve: Sieve) -> None:
    cells = sieve.rows
    admit, depart = (without_letters(cells[name].astype("str")) for name in (columns.admit, columns.depart))
    sieve.set_aside(sieve.rows["_id"].isna(), "missing id", columns.patient_id, cells["_id"])
    sieve.set_aside(sieve.rows["_admit"].isna(), "unparseable admission", columns.admit, admit)
    sieve.set_aside(sieve.rows["_unread"], "unparseable departure", columns.depart, depart)
    sieve.set_aside(sieve.rows["_arrival"].isna(), "unknown patient", columns.patient_id, cells["_id"])
    sieve.set_aside(sieve.rows["_ward"].isna(), "unknown ward", columns.ward, cells[columns.ward])
    sieve.set_aside(sieve.rows["_admit"] < sieve.rows["_arrival"], "admission before arrival", columns.admit, admit)
    sieve.set_aside(sieve.rows["_depart"] < sieve.rows["_admit"], "departure before admission", columns.depart, depart)
    ordered = sieve.rows.sort_values(["_id", "_admit"], kind="stable")
    ends = ordered["_depart"].fillna(pd.Timestamp.max.as_unit("us")).groupby(ordered["_id"])
    earlier = ends.cummax().groupby(ordered["_id"]).shift()
    overlaps = (ordered["_admit"] < earlier).reindex(sieve.rows.index)
    sieve.set_aside(overlaps, "overlaps the stay before", columns.admit, admit)


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Stays of each patient in order: the next bed is asked for when care in the last ends."""
    rows = rows.sort_values(["_id", "_admit"], kind="stable")
    of_patient = rows.groupby("_id")
    home = pd.Series(HOME, index=rows.index).where(rows["_depart"].notna() & rows["_leaves"].notna())
    return pd.DataFrame(
        {
            "patient_id": rows["_id"],
            "stay_no": of_patient.cumcount(),
            "ward_id": rows["_ward"],
            "planned_ward_id": rows["_ward"],
            "request": of_patient["_depart"].shift().fillna(rows["_arrival"]),
            "admit": rows["_admit"],
            "ready": rows["_depart"],
            "depart": rows["_depart"],
            "next_ward_id": of_patient["_ward"].shift(-1).fillna(home),
            "whole_stay": False,
        }
    )
