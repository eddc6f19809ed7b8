"""The patients in the hospital at the start: who holds which bed, who waits for one, and since when.

Semantics: the seated are seated whatever the capacity; the rest of a stay in progress is drawn given the time already
spent; those who wait, with or without a bed, keep their place, in order of their original request.
"""

from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import pandas as pd

from kaizar_pipeline.errors import DataError
from kaizar_pipeline.simulation.clocks import DISCHARGE, Clocks
from kaizar_pipeline.stats.philox import stream_number

_COLUMNS = (
    "patient_id", "stream_id", "patient_type", "ward_id", "planned_ward_id", "admit", "ready", "waits_for",
    "waits_since", "first_ward",
)  # fmt: skip


class Census(NamedTuple):
    """The census as arrays, N patients in order of their original request. Hours are relative to the start, so <= 0."""

    stream: np.ndarray
    """u8[N]: crc32 of the stream id."""
    number: np.ndarray
    """u8[N]: a 32-bit hash of the patient id."""
    patient_type: np.ndarray
    """i8[N]"""
    ward: np.ndarray
    """i8[N]: planned ward of the first stay, in progress or waited for."""
    seat: np.ndarray
    """i4[N]: ward of the bed held, -1 for none."""
    admitted: np.ndarray
    """f8[N]: hour of admission to that bed, +inf for none."""
    requested: np.ndarray
    """f8[N]: hour of the request that still waits, 0 for those in care."""
    in_care: np.ndarray
    """bool[N]: a stay is in progress, whose rest is drawn."""
    elapsed: np.ndarray
    """f8[N, 2]: by way out, operational hours in care so far."""
    next_known: np.ndarray
    """i8[N]: next ward (W: home) of those whose care has ended, -1 where it is still to be drawn."""
    delay_elapsed: np.ndarray
    """f8[N]: operational hours of discharge delay so far, 0 for none."""
    patience_elapsed: np.ndarray
    """f8[N]: hours waited for a first bed so far; endless patience (inf) for everybody else."""
    first_ward: np.ndarray
    """bool[N]: the patient waits for a first bed."""


def plan_census(
    census: pd.DataFrame | None,
    start: pd.Timestamp,
    ward_ids: list[str],
    patient_type_ids: list[str],
    patience_table: np.ndarray,
    clocks: Clocks,
) -> Census:
    """The arrays of the table `census` (see `starting_census`; None: nobody). `patience_table` i4[T] is -1 for types
    of endless patience. Raises DataError for patients in unknown wards or of unknown types."""
    nobody = pd.DataFrame(columns=["request", *_COLUMNS])
    rows = (nobody if census is None else census).sort_values(["request", "patient_id"], ignore_index=True)
    home = len(ward_ids)

    def places(column: str, allowed: list[str]) -> np.ndarray:
        """-1 for none."""
        found = pd.Index(allowed).get_indexer(pd.Index(rows[column].astype("object"))).astype(np.int32)
        unknown = rows.loc[(found < 0) & rows[column].notna().to_numpy(), column]
        if len(unknown):
            raise DataError(
                f"census: {column} {unknown.iloc[0]!r} is not in the config, allowed: {', '.join(allowed)}; make the "
                "tables again with this config"
            )
        return found

    def hours_before(column: str) -> np.ndarray:
        """From each time to the start, NaN for none."""
        return (start - pd.to_datetime(rows[column])).dt.total_seconds().to_numpy(dtype=np.float64) / 3600

    def operational_since(column: str) -> np.ndarray:
        """f8[N, 2]: hours of the planned ward's clocks from each time to the start, 0 for none."""
        return clocks.elapsed(planned, pd.to_datetime(rows[column]), start)

    seat, waits_for = places("ward_id", ward_ids), places("waits_for", ward_ids)
    planned = places("planned_ward_id", ward_ids)
    seated, waits = seat >= 0, waits_for >= 0
    ready_since = hours_before("ready")
    in_care = seated & np.isnan(ready_since) & ~waits
    patient_type = places("patient_type", patient_type_ids)
    first_ward = np.array(rows["first_ward"], dtype=bool)  # a copy: pandas gives one that cannot be written
    impatient = first_ward & (patience_table[patient_type] >= 0)
    return Census(
        stream=np.array([stream_number(stream) for stream in rows["stream_id"]], dtype=np.uint64),
        number=np.array([_number(patient) for patient in rows["patient_id"]], dtype=np.uint64),
        patient_type=patient_type.astype(np.int64),
        ward=np.where(seated, planned, waits_for).astype(np.int64),
        seat=seat,
        admitted=np.where(seated, -hours_before("admit"), np.inf),
        requested=np.where(waits, -hours_before("waits_since"), 0.0),
        in_care=in_care,
        elapsed=np.where(in_care[:, None], operational_since("admit"), 0.0),
        next_known=np.where(seated & ~in_care, np.where(waits, waits_for, home), -1).astype(np.int64),
        delay_elapsed=np.where(seated & ~in_care & ~waits, operational_since("ready")[:, DISCHARGE], 0.0),
        patience_elapsed=np.where(impatient, np.nan_to_num(hours_before("waits_since")), np.inf),
        first_ward=first_ward,
    )


def _number(patient_id: str) -> int:
    return int.from_bytes(blake2b(patient_id.encode(), digest_size=4).digest(), "little")
