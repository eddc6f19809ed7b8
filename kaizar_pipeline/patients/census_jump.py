"""Whether the census at as_of can be right: it is compared with that at the same hour of the eight weeks before.

A patient in the hospital is one without a departure, so an extract that lost departures, or holds visits that never
end, shows in the census first.
"""

from dataclasses import dataclass

import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.patients.observed_census import observed_census
from kaizar_pipeline.tables import HOSPITAL_TOTAL

WEEKS = 8
IMPOSSIBLE = 1e-6
"""Poisson probability below which a census that is halved or doubled is not believed."""
DOUBTFUL = 1e-4
"""Poisson probability below which a census is worth a look, when it is a third more or less than usual."""


@dataclass(frozen=True)
class CensusJump:
    """The census at as_of beside that at the same hour of the week of the eight weeks before."""

    census: int
    usual: float
    """Mean of those before, patients."""
    probability: float
    """Of a census that far from the mean or further on its side, if it were Poisson."""
    what: str
    """The instants that are compared."""
    causes: tuple[str, ...]
    """What may be wrong with the extract."""

    @property
    def impossible(self) -> bool:
        """Halved or doubled, and not by chance."""
        return self.probability < IMPOSSIBLE and not self.usual / 2 < self.census < self.usual * 2

    @property
    def doubtful(self) -> bool:
        """A third more or less than usual, and hardly by chance."""
        return self.probability < DOUBTFUL and not self.usual * 2 / 3 < self.census < self.usual * 4 / 3

    def __str__(self) -> str:
        """The comparison in one sentence."""
        likely = f"; likely: {'; '.join(self.causes)}" if self.causes else ""
        return (
            f"{self.census} patients are in the hospital at as_of, where the same weekday's {self.what} of the last "
            f"{WEEKS} weeks had {self.usual:.1f} on average{likely}"
        )


def census_jump(
    config: HospitalConfig, patients: pd.DataFrame, patient_rejects: pd.DataFrame, ward_stays: pd.DataFrame
) -> CensusJump | None:
    """The comparison, from the tables of the history; None where the census is not known, or the records of the
    hospital are shorter than eight weeks."""
    if not config.patients.knows_departures:
        return None
    as_of = pd.Timestamp(patients["as_of"].iloc[0])
    seen = observed_census(patients, ward_stays, config.totals, (as_of.hour,))
    total = seen[seen["ward_id"] == HOSPITAL_TOTAL].set_index("date")["actual"]
    today = as_of.normalize()
    before = [today - pd.Timedelta(weeks=week) for week in range(1, WEEKS + 1)]
    if total.empty or before[-1] < total.index[0]:
        return None
    census, usual = int(total[today]), float(total[before].mean())
    what = f"{as_of:%H:%M} hours" if as_of.hour else "midnights"
    return CensusJump(census, usual, _probability(census, usual), what, _causes(as_of, patients, patient_rejects))


def _probability(census: int, mean: float) -> float:
    from scipy.stats import poisson

    return float(poisson.cdf(census, mean) if census < mean else poisson.sf(census - 1, mean))


def _causes(as_of: pd.Timestamp, patients: pd.DataFrame, patient_rejects: pd.DataFrame) -> tuple[str, ...]:
    causes = []
    recent = patients[patients["arrival"] >= as_of - pd.Timedelta(weeks=WEEKS)]
    if unknown := int((~recent["departure_known"]).sum()):
        causes.append(
            f"{unknown} patients of these weeks departed at an unknown time (see the warnings of the extract)"
        )
    if doubles := int((patient_rejects["reason"] == "duplicate").sum()):
        causes.append(f"{doubles} rows repeat a visit")
    if rejected := len(patient_rejects) - doubles:
        causes.append(f"{rejected} rows are set aside (see patient_rejects)")
    present = patients[
        patients["departure"].isna() & patients["departure_known"] & patients["outcome"].isin(["admitted", "waiting"])
    ]
    longest = (patients["departure"] - patients["arrival"]).max()
    ghosts = int((as_of - present["arrival"] > longest).sum())
    if ghosts:
        days = int(-(-longest // pd.Timedelta(days=1)))
        causes.append(
            f"{ghosts} visits are open for longer than any completed stay; set patients.max_open_days: {days}"
        )
    for event in ("arrival", "departure"):
        last = patients[event].max()
        if as_of - last > pd.Timedelta(days=2):
            causes.append(f"the last {event} is of {last:%Y-%m-%d}: the extract may be cut off")
    return tuple(causes)
