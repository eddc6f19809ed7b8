"""Ward stays: from an extract of moves between wards; without one, a single stay per patient in the stream's ward.

After `read_moves` the stays of a patient agree with the stay in the hospital, whatever the extract says: they are in
order, do not overlap, end with the departure, and of a patient in the hospital exactly one is open.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.patient_sources import StaysExtract
from kaizar_pipeline.errors import DataError, quoted
from kaizar_pipeline.patients.extract_warnings import ExtractWarnings
from kaizar_pipeline.patients.extracts import ExtractReader, TextRows
from kaizar_pipeline.patients.pseudonyms import as_digits, hashed_person
from kaizar_pipeline.patients.rejects import check_share, shown_names, shown_stamps, told_by_line
from kaizar_pipeline.patients.services import literal
from kaizar_pipeline.patients.stamp_formats import StampFormat, settle_format
from kaizar_pipeline.patients.stamps import time_within_day
from kaizar_pipeline.tables import HOME

TOUCH = pd.Timedelta(minutes=1)
"""Rows of one ward that are no further apart are one stay: the patient changed beds."""
BETWEEN_WARDS = pd.Timedelta(days=1)
"""A patient in the hospital who left the last ward no longer ago is taken to be in it still, on the way to another."""

_NEVER = pd.Timestamp.max.as_unit("us")


@dataclass(frozen=True)
class Moves:
    """What an extract of ward stays says."""

    patients: pd.DataFrame
    """The patients, with those present who have no bed yet as waiting."""
    stays: pd.DataFrame
    """Columns of ward_stays."""
    rejects: pd.DataFrame
    """Columns of patient_rejects."""
    warnings: tuple[str, ...]


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


class MoveRows:
    """The rows of an extract of ward stays; `at` says what they mean at an as_of."""

    def __init__(self, reader: ExtractReader, extract: StaysExtract, format_: StampFormat):
        """Read the extract, stamps in `format_`. Raises DataError when that is not possible."""
        self._reader = reader
        self._extract = extract
        self._text = text = reader.load(extract, "stay_cells")
        reader.connection.execute("DELETE FROM stay_cells WHERE patient_id IN (SELECT patient_id FROM ignored)")
        self._of_reading = ExtractWarnings(text.place, text.lines)
        format_ = settle_format(reader.connection, "stay_cells", ("admit", "depart"), format_, self._of_reading)
        self._rows = _stamped(reader, extract, format_)

    def at(self, as_of: pd.Timestamp, patients: pd.DataFrame) -> Moves:
        """The stays of `patients`, which are those of `as_of`.

        Raises DataError for too many rejects, and where most admissions resolve days only: the order of moves within a
        day would be a guess.
        """
        reader, extract, warnings = self._reader, self._extract, self._of_reading.copy()
        rows = _of_visits(self._rows, patients)
        visible = rows[~(rows["admit"] >= as_of)]
        if visible["admit_day"].sum() > len(visible) / 2:
            raise DataError(
                f"{self._text.place}: stamps in {quoted(extract.columns.admit)} have no time of day; export ward stays "
                "with times"
            )
        rejects = _rejects(reader, extract, self._text, visible)
        stays = _agreeing(reader, visible[visible["reason"].isna()], as_of, warnings)
        patients = _lost(patients, stays, as_of, warnings)
        has_bed = patients["patient_id"].isin(stays["patient_id"])
        known = patients["departure"].isna() & patients["departure_known"]
        present = patients["outcome"].isin(["admitted", "waiting"]) & known
        outcome = patients["outcome"].mask(present & ~has_bed, "waiting").mask(present & has_bed, "admitted")
        patients = patients.assign(outcome=outcome)
        requests = whole_stays(reader.config, patients[present & ~has_bed]).assign(whole_stay=False)
        told = _as_table(stays, {ward.id for ward in reader.config.wards if ward.discharge_delay})
        table = pd.concat([told, requests], ignore_index=True)
        return Moves(patients, table, rejects, warnings.texts())


def _stamped(reader: ExtractReader, extract: StaysExtract, read: StampFormat) -> pd.DataFrame:
    """The meaning of every row: person, ward, and times that are not yet at the offset of the patient's arrival."""
    missing = ", ".join(map(literal, reader.source.missing)) or "''"
    found = reader.connection.sql(f"""
        WITH given AS (
            SELECT
                row, ward, CASE WHEN patient_id NOT IN ({missing}) THEN patient_id END AS id,
                CASE WHEN admit NOT IN ({missing}) THEN admit END AS admit_text,
                CASE WHEN depart NOT IN ({missing}) THEN depart END AS depart_text,
                CASE WHEN ready NOT IN ({missing}) THEN ready END AS ready_text
            FROM stay_cells
        ), told AS (
            SELECT
                *, {read.wall("admit_text")} AS admit_wall, {read.utc("admit_text")} AS admit_utc,
                {read.wall("depart_text")} AS depart_wall, {read.utc("depart_text")} AS depart_utc,
                {read.wall("ready_text")} AS ready_wall, {read.utc("ready_text")} AS ready_utc
            FROM given
        )
        SELECT
            row, {as_digits(hashed_person("id", reader.key))} AS person, ward,
            {read.local("admit_wall", "admit_utc")} AS admit, admit_utc,
            {read.local("depart_wall", "depart_utc")} AS depart, depart_utc,
            {read.local("ready_wall", "ready_utc")} AS ready, ready_utc,
            depart_text IS NOT NULL AS has_depart, ready_text IS NOT NULL AS has_ready,
            coalesce(contains(ready_text, ':'), false) AS ready_timed,
            coalesce(contains(admit_text, ':'), false) AS admit_timed,
            coalesce(contains(depart_text, ':'), false) AS depart_timed
        FROM told ORDER BY row
    """).to_arrow_table().to_pandas()  # fmt: skip
    wards = extract.wards or {ward: ward for ward in reader.config.ward_ids}
    found["ward"] = found["ward"].map(wards)
    found["unread"] = found.pop("has_depart") & found["depart"].isna()
    long_ago = found["depart"] < found["admit"].min() - pd.Timedelta(days=366)  # a sentinel: none yet
    found["depart"] = found["depart"].mask(long_ago)
    for name in ("admit", "depart"):
        midnight = found[name] == found[name].dt.normalize()
        known = found[name].notna()
        found[f"{name}_day"] = known & midnight & (~found.pop(f"{name}_timed") | bool(midnight[known].all()))
    return found


def _of_visits(rows: pd.DataFrame, patients: pd.DataFrame) -> pd.DataFrame:
    """The rows with their patient's visit, at the offset of its arrival, and why one is set aside (`reason`)."""
    visits = patients[["patient_id", "person", "arrival", "utc", "departure", "departure_known", "departs_later"]]
    # by the day where no time is known: its hour was drawn
    begins = patients["arrival"].where(patients["resolution"] == "second", patients["arrival"].dt.normalize())
    visits = visits.assign(begins=begins, resolution=patients["resolution"]).sort_values("begins", kind="stable")
    dated = rows[rows["admit"].notna() & rows["person"].notna()].sort_values("admit", kind="stable")
    joined = {
        direction: pd.merge_asof(dated, visits, left_on="admit", right_on="begins", by="person", direction=direction)
        for direction in ("backward", "forward")
    }
    found, next_ = (joined[direction].set_index(dated.index) for direction in ("backward", "forward"))
    early = found["patient_id"].isna() & next_["patient_id"].notna()
    found = found.where(~early, next_)
    rows = rows.join(found[[*visits.columns.drop("person")]])
    for name in ("admit", "depart", "ready"):
        exact = rows["arrival"] + (rows.pop(f"{name}_utc") - rows["utc"])
        rows[name] = exact.fillna(rows[name])
    reasons = {
        "missing id": rows["person"].isna(),
        "unparseable admission": rows["admit"].isna(),
        "admission without a time of day": rows["admit_day"],
        "unparseable departure": rows["unread"],
        "unknown patient": rows["patient_id"].isna(),
        "unknown ward": rows["ward"].isna(),
        "admission before arrival": rows["admit"] < rows["begins"],
        "admission after departure": rows["admit"] > rows["departure"],
        "departure before admission": rows["depart"]
        < rows["admit"].where(~rows["depart_day"], rows["admit"].dt.normalize()),
    }
    reason = pd.Series(None, index=rows.index, dtype="str")
    for words, wrong in reversed(reasons.items()):
        reason = reason.mask(wrong.fillna(False).astype(bool), words)
    return rows.assign(reason=reason)


_WRONG_COLUMNS = {"missing id": "patient_id", "unknown patient": "patient_id", "unknown ward": "ward",
           "unparseable departure": "depart", "departure before admission": "depart"}  # fmt: skip
"""The wrong column; of other reasons it is the admission."""


def _rejects(reader: ExtractReader, extract: StaysExtract, text: TextRows, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows set aside, as columns of patient_rejects. Raises DataError when they are too many."""
    wrong = rows.loc[rows["reason"].notna(), ["row", "person", "reason"]].sort_values("row")
    reader.connection.register("wrong", wrong[["row"]])
    cells = reader.connection.execute(
        "SELECT cells.* FROM stay_cells AS cells SEMI JOIN wrong USING (row) ORDER BY row"
    ).df()
    reader.connection.unregister("wrong")
    wrong = wrong.reset_index(drop=True)
    shown = {
        "patient_id": wrong["person"],
        "ward": shown_names(cells["ward"], extract.wards or reader.config.ward_ids),
        "admit": shown_stamps(cells["admit"]),
        "depart": shown_stamps(cells["depart"]),
    }
    names = {key: getattr(extract.columns, key) for key in ("admit", *shown)}
    rejects = told_by_line(text, wrong, _WRONG_COLUMNS, names, shown)
    check_share(text.place, rejects, reader.count("stay_cells") + len(text.ragged), reader.source.max_reject_share)
    return rejects.assign(extract="stays")


def _agreeing(
    reader: ExtractReader, rows: pd.DataFrame, as_of: pd.Timestamp, warnings: ExtractWarnings
) -> pd.DataFrame:
    """The rows as stays that agree with each other and with the patient's stay in the hospital."""
    stays = rows.assign(departs_at=rows["depart"], depart=rows["depart"].where(rows["depart"] < as_of))
    # not by line of the file: a move of no length comes before the stay that begins with it
    stays = stays.assign(sorted_depart=stays["depart"].fillna(_NEVER))
    stays = stays.sort_values(["patient_id", "admit", "sorted_depart", "ward"], kind="stable", ignore_index=True)
    stays = _with_hours(reader, stays.drop(columns="sorted_depart"))
    stays["depart"] = stays["depart"].where(stays["depart"] < as_of)  # an hour may have been drawn after it

    next_admit = stays.groupby("patient_id")["admit"].shift(-1)
    last = next_admit.isna()
    _told(warnings, "ward stays have no end; they end with the next one", stays, stays["depart"].isna() & ~last)
    over = (stays["depart"] > next_admit) & ~last
    _told(warnings, "ward stays overlap the next one; they end with the move to it", stays, over)
    depart = stays["depart"].mask(over | (stays["depart"].isna() & ~last), next_admit)

    departure = stays["departure"]
    _told(warnings, "ward stays outlive the stay in the hospital; they end with it", stays, depart > departure)
    open_end = last & depart.isna() & departure.notna()
    _told(
        warnings,
        "last ward stays of departed patients have no end; they end with the stay in the hospital",
        stays,
        open_end,
    )
    depart = depart.mask((depart > departure) | open_end, departure)

    here = last & departure.isna() & stays["departure_known"]
    moving = here & depart.notna() & ((as_of - depart <= BETWEEN_WARDS) | stays["departs_later"])
    _told(
        warnings,
        "patients in the hospital had left the last ward at as_of; they are taken to be in it still",
        stays,
        moving,
    )
    stays = _joined(stays.assign(depart=depart.mask(moving)))
    return stays.assign(ready=_ends_of_care(stays, warnings))


def _ends_of_care(stays: pd.DataFrame, warnings: ExtractWarnings) -> pd.Series:
    """When care ended: as written down, else with the stay. Of a stay that is open it is not known."""
    ready, depart = stays["ready"].where(stays["ready_timed"]), stays["depart"]
    wrong = stays["has_ready"] & depart.notna() & ~((stays["admit"] <= ready) & (ready <= depart))
    _told(warnings, "ends of care cannot be read, have no time of day or lie outside the stay; the stay's end is taken",
          stays, wrong)  # fmt: skip
    return ready.where(depart.notna() & ~wrong).fillna(depart)


def _with_hours(reader: ExtractReader, stays: pd.DataFrame) -> pd.DataFrame:
    """The stays with a time of day for departures of which only the day is known: that of the next admission or of the
    departure from the hospital on that day; where there is none, the middle of the hours of `discharge_profile`."""
    if not stays["depart_day"].any():
        return stays
    next_admit = stays.groupby("patient_id")["admit"].shift(-1)
    ends = next_admit.where(next_admit.notna(), stays["departure"])
    same_day = ends.dt.normalize() == stays["depart"]
    days = stays.loc[stays["depart_day"] & stays["depart"].notna() & ~same_day, "depart"]
    week = np.resize(np.array(reader.source.discharge_profile, dtype="float64"), (7, 24))
    drawn = time_within_day(days, week, np.full(len(days), 0.5), after=stays.loc[days.index, "admit"])
    depart = stays["depart"].mask(stays["depart_day"] & same_day, ends)
    depart[days.index] = drawn
    return stays.assign(depart=depart)


def _joined(stays: pd.DataFrame) -> pd.DataFrame:
    """Rows of one ward that touch as one stay: a change of beds, or two wards of the source that are one here."""
    of_patient = stays.groupby("patient_id")
    gap = stays["admit"] - of_patient["depart"].shift()
    begins = (stays["ward"] != of_patient["ward"].shift()) | ~(gap <= TOUCH)
    number = begins.cumsum()
    ends = stays.groupby(number)["depart"].last().where(~stays["depart"].isna().groupby(number).any())
    first = stays[begins].copy()
    first["depart"] = ends.to_numpy()
    for name in ("ready", "ready_timed", "has_ready"):
        first[name] = stays.groupby(number)[name].last(skipna=False).to_numpy()
    return first.reset_index(drop=True)


def _lost(patients: pd.DataFrame, stays: pd.DataFrame, as_of: pd.Timestamp, warnings: ExtractWarnings) -> pd.DataFrame:
    """The patients, where those without a departure who left the last ward long ago departed at an unknown time."""
    last = stays.drop_duplicates("patient_id", keep="last")
    gone = last[last["depart"].notna() & last["departure"].isna() & last["departure_known"]]
    _told(warnings, "patients without a departure left the last ward more than a day before as_of; they departed at an "
          "unknown time", gone, pd.Series(True, index=gone.index))  # fmt: skip
    known = patients["departure_known"] & ~patients["patient_id"].isin(gone["patient_id"])
    return patients.assign(departure_known=known)


def _told(warnings: ExtractWarnings, words: str, stays: pd.DataFrame, which: pd.Series) -> None:
    rows = stays.loc[which.fillna(False), "row"]
    warnings.add(words, len(rows), int(rows.min()) if len(rows) else None)


def _as_table(stays: pd.DataFrame, delayed: set[str]) -> pd.DataFrame:
    """Columns of ward_stays: the next bed is requested when care in the last ends.

    The time between the end of care and going home belongs to the stay, but in the `delayed` wards, whose delay is
    simulated by itself.
    """
    goes_on = stays["patient_id"] == stays["patient_id"].shift(-1)
    stays = stays.assign(ready=stays["ready"].where(goes_on | stays["ward"].isin(delayed), stays["depart"]))
    of_patient = stays.groupby("patient_id")
    home = pd.Series(HOME, index=stays.index).where(stays["depart"].notna() & stays["departure"].notna())
    return pd.DataFrame(
        {
            "patient_id": stays["patient_id"],
            "stay_no": of_patient.cumcount(),
            "ward_id": stays["ward"],
            "planned_ward_id": stays["ward"],
            "request": of_patient["ready"].shift().fillna(stays["arrival"]),
            "admit": stays["admit"],
            "ready": stays["ready"],
            "depart": stays["depart"],
            "next_ward_id": of_patient["ward"].shift(-1).fillna(home),
            "whole_stay": False,
        }
    )
