"""Where patients go after a ward, as configured and as the history shows it: probabilities of the next ward.

Stays that are still open count by the cumulative incidence of each next ward, so that a ward after longer stays is not
taken for a rare one. A patient type is shrunk towards the other types of its ward; how much, the data decide
(docs/explanation/simulation.md).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.patients.care_stays import WardCare, ward_cares
from kaizar_pipeline.stats.absorption import VISITS_AT_MOST, visits_until_home
from kaizar_pipeline.tables import HOME, ROUTES

WEEKS = 104
"""Weeks before as_of whose admissions count, so that a change of routes is forgotten."""

HALF = 0.5
"""Patients that each way out seen in a ward counts as beforehand, and home in any: it is never ruled out."""

WEIGHTS = 2.0 ** np.arange(13)
"""Stays that those of other types may count as in the routes of a type."""

HOME_AT_LEAST = 0.1
"""Share that goes home from wards to which, by the records, patients would come back for ever."""

DIFFERENCE = 0.05
"""Difference of a configured from an observed probability without a warning."""
DIFFERENCE_STAYS = 20
"""Completed stays, or patients by a missing route, needed to warn."""
DIFFERENCE_SD = 3.0
"""Standard errors of an observed probability that are chance."""
MISSING_PER_DAY = 0.1
"""Patients a day by a route that the file does not have, without a warning."""

Row = dict[str, Any]


def routes_taken(
    patients: pd.DataFrame, ward_stays: pd.DataFrame, config: HospitalConfig, *, fit_all: bool = True
) -> pd.DataFrame:
    """The table routes of `config`: configured probabilities, and those learned from the stays of `patients`.

    `in_use` marks what the simulation draws from: learned rows with `routing: from_data`, else configured ones. Nothing
    is learned from a source without moves between wards. Without `fit_all` there are rows in use only.
    """
    as_of = patients["as_of"].iloc[0]
    rows: list[Row] = [] if config.learns_routes else list(_configured(config))
    if config.learns_routes or fit_all:
        rows += _learned(patients, ward_stays, config, as_of)
    return ROUTES.frame(pd.DataFrame(rows), hospital_id=config.id, as_of=as_of)


def _configured(config: HospitalConfig) -> Iterator[Row]:
    for ward in config.ward_ids:
        for kind in config.patient_type_ids:
            shares = {o.to_ward: o.probability for o in config.route_options(ward, kind) if o.probability > 0}
            rest = max(1 - sum(shares.values()), 0.0)
            for to, share in {**shares, HOME: rest if rest > 1e-9 else 0.0}.items():
                if share > 0:
                    row = {"ward_id": ward, "patient_type": kind, "next_ward_id": to, "origin": "configured"}
                    yield {**row, "in_use": True, "probability": share, "n": 0, "per_day": None, "weight": None}


@dataclass(frozen=True)
class _Seen:
    """What the stays of a ward say, by T patient types and the D places that some went on to; home is the last."""

    places: list[int]
    """Numbers in `WardCare.places`."""
    completed: np.ndarray
    """i8[T, D]: completed stays."""
    counts: np.ndarray
    """f8[T, D]: the same, in the proportions that open stays make likely."""


def _learned(
    patients: pd.DataFrame, ward_stays: pd.DataFrame, config: HospitalConfig, as_of: pd.Timestamp
) -> list[Row]:
    moves = ward_stays[~ward_stays["whole_stay"]]
    recent = moves[moves["admit"] >= as_of - pd.Timedelta(weeks=WEEKS)]
    if recent.empty:
        return []
    cares = ward_cares(patients, recent, config)
    seen = {name: _seen(_with_known_ends(care), config.patient_type_ids) for name, care in cares.items()}
    weight = chosen_weight([of.counts for of in seen.values()])
    wards, places = len(config.wards), [*config.ward_ids, HOME]
    prior = np.zeros((len(config.patient_types), wards, wards + 1))
    completed = np.zeros(prior.shape, dtype="int64")
    for w, of in enumerate(seen.values()):
        prior[:, w, of.places] = shrunk(of.counts, weight)
        completed[:, w, of.places] = of.completed
    stays = _that_lead_home(prior)
    days = (as_of - recent["admit"].min()) / pd.Timedelta(days=1)
    total = stays.sum(axis=2)
    return [
        {
            "ward_id": config.ward_ids[w],
            "patient_type": config.patient_type_ids[t],
            "next_ward_id": places[to],
            "origin": "from_data",
            "in_use": config.learns_routes,
            "probability": stays[t, w, to] / total[t, w],
            "n": completed[t, w, to],
            "per_day": completed[t, w, to] / max(days, 1.0),
            "weight": total[t, w],
        }
        for w, t, to in np.argwhere(stays.transpose(1, 0, 2) > 0).tolist()
    ]


def _with_known_ends(care: WardCare) -> WardCare:
    """The same, with those gone home who left the hospital at an unknown time and had no further ward."""
    stays = care.stays
    gone = stays["ready"].notna() & stays["next_ward_id"].isna() & ~stays["departure_known"]
    return replace(care, stays=stays.assign(next_ward_id=stays["next_ward_id"].mask(gone, HOME)))


def _seen(care: WardCare, patient_types: Sequence[str]) -> _Seen:
    home = len(care.places) - 1
    places = sorted({*care.place[care.place >= 0].tolist(), home})
    of_type = [(care.stays["patient_type"] == name).to_numpy() for name in patient_types]
    completed = np.array([np.bincount(care.place[of & (care.place >= 0)], minlength=home + 1) for of in of_type])
    likely = np.array([care.shares(of).sum(axis=0) for of in of_type])
    n, total = completed.sum(axis=1), np.maximum(likely.sum(axis=1), 1e-300)
    counts = np.where(n[:, None] > 0, likely * (n / total)[:, None], 0.0)
    return _Seen(places, completed[:, places], counts[:, places])


def _others(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each type the stays of all other types, f8[T], and their shares f8[T, D], with HALF a patient each way."""
    others = counts.sum(axis=0) - counts + HALF
    n = np.maximum(counts.sum() - counts.sum(axis=1), 0.0)
    return n, others / others.sum(axis=1, keepdims=True)


def chosen_weight(wards: Iterable[np.ndarray]) -> float:
    """The one of WEIGHTS under which the stays of each type, f8[T, D] by ward, are most probable given those of the
    other types: Dirichlet-multinomial, all wards together."""
    from scipy.special import gammaln

    compared = [(counts, *_others(counts)) for counts in wards if (counts.sum(axis=1) > 0).sum() > 1]

    def log_probability(weight: float) -> float:
        found = 0.0
        for counts, n, shares in compared:
            centre = np.minimum(weight, n)[:, None] * shares
            chosen = (counts.sum(axis=1) > 0) & (n > 0)
            counts, centre = counts[chosen], centre[chosen]
            found += (gammaln(centre + counts) - gammaln(centre)).sum()
            found -= (gammaln((centre + counts).sum(axis=1)) - gammaln(centre.sum(axis=1))).sum()
        return float(found)

    return max(WEIGHTS.tolist(), key=log_probability)


def shrunk(counts: np.ndarray, weight: float) -> np.ndarray:
    """f8[T, D]: the stays that the Dirichlet distribution of each type's routes counts, from those of a ward.

    Others count as `weight` stays, and never as more than they are. A type without any, in a ward that others do not
    come to either, goes home.
    """
    n, shares = _others(counts)
    alone = np.zeros_like(counts)
    alone[:, -1] = HALF
    return counts + np.where(n[:, None] > 0, np.minimum(weight, n)[:, None] * shares, alone)


def _that_lead_home(stays: np.ndarray) -> np.ndarray:
    """f8[T, W, W + 1]: the same, where HOME_AT_LEAST go home from wards with more than VISITS_AT_MOST by a patient."""
    total = stays.sum(axis=2, keepdims=True)
    endless = visits_until_home((stays / total)[:, :, :-1]) > VISITS_AT_MOST
    kept = np.where(endless[:, :, None], stays * (1 - HOME_AT_LEAST), stays)
    kept[:, :, -1] += np.where(endless, HOME_AT_LEAST * total[:, :, 0], 0.0)
    return kept


def route_differences(routes: pd.DataFrame) -> list[str]:
    """Where the routes that patients took clearly differ from the configured ones, from the table routes: routes that
    are missing, with their patients a day, the busiest first; then other probabilities."""
    rows = _side_by_side(routes)
    return [*_missing(rows), *_other_probabilities(rows)]


def _side_by_side(routes: pd.DataFrame) -> pd.DataFrame:
    """A row per ward, patient type and next ward, with what is configured and what was seen of it."""
    group, own = ["ward_id", "patient_type"], ["ward_id", "patient_type", "next_ward_id"]
    observed = routes.loc[routes["origin"] == "from_data", [*own, "n", "per_day"]]
    configured = routes.loc[routes["origin"] == "configured", [*own, "probability"]]
    rows = observed.merge(configured, on=own, how="outer")
    rows[["n", "per_day", "probability"]] = rows[["n", "per_day", "probability"]].astype("float64").fillna(0.0)
    rows["stays"] = rows.groupby(group)["n"].transform("sum")
    rows["to_home"] = rows["next_ward_id"] == HOME
    rows["missing"] = (rows["probability"] == 0) & (rows["n"] > 0) & ~rows["to_home"]
    rows["lacks_routes"] = rows.groupby(group)["missing"].transform("any")
    return rows


def _missing(rows: pd.DataFrame) -> Iterator[str]:
    found = rows[rows["missing"]].groupby(["ward_id", "next_ward_id"], as_index=False)[["n", "per_day"]].sum()
    found = found[(found["per_day"] > MISSING_PER_DAY) & (found["n"] >= DIFFERENCE_STAYS)]
    found = found.sort_values("per_day", ascending=False, kind="stable")
    for ward, to, per_day in zip(found["ward_id"], found["next_ward_id"], found["per_day"], strict=True):
        number = f"{per_day:.0f}" if per_day >= 9.5 else f"{per_day:.1f}"
        yield f"{number} patients a day go from {ward} to {to}, routing has no such route"


def _other_probabilities(rows: pd.DataFrame) -> Iterator[str]:
    compared = rows[(rows["stays"] >= DIFFERENCE_STAYS) & ~rows["missing"] & ~(rows["to_home"] & rows["lacks_routes"])]
    share, planned = compared["n"] / compared["stays"], compared["probability"]
    variance = np.maximum(planned * (1 - planned), 1 / compared["stays"]) / compared["stays"]
    off = (share - planned).abs() > np.maximum(DIFFERENCE_SD * np.sqrt(variance), DIFFERENCE)
    for _, row in compared.assign(share=share)[off].iterrows():
        yield (
            f"ward {row['ward_id']}, patient type {row['patient_type']}, next ward {row['next_ward_id']}: configured "
            f"{row['probability']:.1%}, observed {row['share']:.1%} of {row['stays']:,.0f} completed stays"
        )


def enough_moves(routes: pd.DataFrame) -> bool:
    """Whether there are enough completed stays of any ward and type to compare configured routes with."""
    observed = routes[(routes["origin"] == "from_data") & ~routes["in_use"]]
    return bool((observed.groupby(["ward_id", "patient_type"])["n"].sum() >= DIFFERENCE_STAYS).any())


def learned_in_words(routes: pd.DataFrame) -> Mapping[str, str]:
    """What the routes learned look like over all patient types, by route: 'icu to ward': '30 % of 312 stays'."""
    learned = routes[(routes["origin"] == "from_data") & routes["in_use"] & (routes["n"] > 0)]
    found = learned.groupby(["ward_id", "next_ward_id"], sort=False, as_index=False)["n"].sum()
    whole = found.groupby("ward_id")["n"].transform("sum")
    return {
        f"{ward} to {'home' if to == HOME else to}": f"{n / of:.0%} of {of:,} stays"
        for ward, to, n, of in zip(found["ward_id"], found["next_ward_id"], found["n"], whole, strict=True)
    }
