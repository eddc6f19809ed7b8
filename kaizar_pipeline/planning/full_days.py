"""How good the chances are that a ward is full, or at a level, at some hour of a day: back-test and archive.

What happened is worked out from the stays, hour by hour, against the beds of the config's calendar. A chance is
compared with how often it happened on the same weekday in the 52 weeks before. The Brier score, the mean squared
difference between chance and outcome, is that of reliability - resolution + uncertainty (Murphy 1973), with the spread
inside the bins as a fourth part (Stephenson et al. 2008), so that the four add up exactly.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.fields import HOURS_PER_DAY
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.levels import Level
from kaizar_pipeline.patients.care_stays import beds_by_hour
from kaizar_pipeline.patients.observed_census import census_by_hour
from kaizar_pipeline.planning.census_scores import independent_dates
from kaizar_pipeline.simulation.counting import Counts, with_totals
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan
from kaizar_pipeline.simulation.thresholds import thresholds
from kaizar_pipeline.stats.scores import clustered_error
from kaizar_pipeline.tables import FULL_LOG, FULL_SCORES

FULL = "_full"
"""`level` of rows about being full."""

WEEKS_BACK = 52
"""Weeks of which the reference takes the same weekday."""

LEADS: dict[str, tuple[int, int]] = {"1-3": (1, 3), "4-7": (4, 7), "all": (1, 10_000)}
"""Days ahead that are scored together, first and last; 1 is the first whole day ahead."""

BINS = 10
"""Bins of equal width of the chances."""

FEWEST_ORIGINS = 10
"""Independent origins from which on reliability is tested."""

ENOUGH = 5.0
"""Variance expected of the number of days on which it happens, from which on it is tested."""

UNRELIABLE = 0.01
"""Probability below which the outcomes do not go with the chances."""

_DAY = pd.Timedelta(days=1)


def simulated_days(plan: Plan, counts: Counts) -> pd.DataFrame:
    """The chances of a plan: ward_id, date, level, probability; FULL where beds are limited."""
    dates = pd.date_range(plan.statistics_start.normalize(), periods=counts.reached.shape[2], unit="us")
    limited = np.all(with_totals(plan.staffed, plan.is_member) < UNLIMITED, axis=1)
    return _rows(plan.ward_axis, plan.ladders, dates, limited, probability=counts.reached / counts.replications)


def issued_days(ward_days: pd.DataFrame, level_risk: pd.DataFrame) -> pd.DataFrame:
    """The chances of the tables of a run, likewise."""
    full = ward_days[ward_days["prob_full_day"].notna()].assign(level=FULL)
    parts = [
        rows.rename(columns={chance: "probability"})[["ward_id", "date", "level", "probability"]]
        for rows, chance in ((full, "prob_full_day"), (level_risk, "prob_reached"))
    ]
    return pd.concat(parts, ignore_index=True)


def observed_days(
    config: HospitalConfig, patients: pd.DataFrame, ward_stays: pd.DataFrame, first: pd.Timestamp, end: pd.Timestamp
) -> pd.DataFrame:
    """What happened on the dates from `first` to the midnight `end`: ward_id, date, level, happened."""
    hours = pd.date_range(first, end, freq="h", inclusive="left", unit="us")
    beds = np.nan_to_num([beds_by_hour(ward, hours) for ward in config.wards], nan=UNLIMITED).astype(np.int64)
    staffed = with_totals(beds, np.array([np.isin(config.ward_ids, of) for of in config.totals.values()]))
    census = census_by_hour(patients, ward_stays, config.ward_axis, hours)
    reached = census[:, None] >= thresholds(staffed, config.ladders)
    by_day = np.any(reached.reshape(*reached.shape[:2], -1, HOURS_PER_DAY), axis=3)
    limited = np.all(staffed < UNLIMITED, axis=1)
    return _rows(tuple(config.ward_axis), config.ladders, hours[::HOURS_PER_DAY], limited, happened=by_day)


def _rows(
    names: Sequence[str],
    ladders: Sequence[Sequence[Level]],
    dates: pd.DatetimeIndex,
    limited: np.ndarray,
    **values: np.ndarray,
) -> pd.DataFrame:
    """A row per name, level and date from values [A, K, D]; FULL where beds are limited."""
    [(column, of)] = values.items()
    parts = [
        pd.DataFrame({"ward_id": name, "date": dates, "level": level, column: of[w, k]})
        for w, name in enumerate(names)
        for k, level in enumerate([FULL, *(level.name for level in ladders[w])])
        if k > 0 or limited[w]
    ]
    nothing = pd.DataFrame({"ward_id": [], "date": dates[:0], "level": [], column: []})
    return pd.concat(parts, ignore_index=True) if parts else nothing


def with_reference(
    forecast: pd.DataFrame,
    origin: pd.Timestamp,
    config: HospitalConfig,
    patients: pd.DataFrame,
    ward_stays: pd.DataFrame,
) -> pd.DataFrame:
    """The chances from one origin on, of its whole days ahead, with `day_ahead` (1 for the first of them) and
    `reference`: the share of the same weekdays of the 52 weeks before on which it happened; without rows for which no
    such day is known."""
    first_whole = origin.ceil("D")
    ahead = forecast[forecast["date"] >= first_whole].assign(origin=origin)
    known_from = ward_stays["admit"].min()
    first = max(known_from.ceil("D"), origin.normalize() - 7 * WEEKS_BACK * _DAY)
    if ahead.empty or not first < origin.normalize():  # also where nobody was ever admitted
        return ahead.iloc[:0].assign(day_ahead=0, reference=0.0)
    before = observed_days(config, patients, ward_stays, first, origin.normalize())
    of_weekday = before.groupby(["ward_id", "level", before["date"].dt.day_of_week])["happened"].mean()
    keys = pd.MultiIndex.from_arrays([ahead["ward_id"], ahead["level"], ahead["date"].dt.day_of_week])
    ahead = ahead.assign(
        day_ahead=(ahead["date"] - first_whole).dt.days + 1, reference=of_weekday.reindex(keys).to_numpy()
    )
    return ahead[ahead["reference"].notna()]


def with_outcomes(
    rows: pd.DataFrame,
    config: HospitalConfig,
    patients: pd.DataFrame,
    ward_stays: pd.DataFrame,
    until: pd.Timestamp,
) -> pd.DataFrame:
    """The rows with `happened` where their date is over at `until`; rows whose outcome is known keep it."""
    over = rows["date"] + _DAY <= until
    open_rows = rows["happened"].isna() & over if "happened" in rows else over
    if not open_rows.any():
        return rows if "happened" in rows else rows.assign(happened=pd.array([pd.NA] * len(rows), "boolean"))
    dates = rows.loc[open_rows, "date"]
    seen = observed_days(config, patients, ward_stays, dates.min(), dates.max() + _DAY)
    keys = ["ward_id", "date", "level"]
    found = rows[keys].merge(seen.astype({"happened": "boolean"}), how="left", on=keys)["happened"].set_axis(rows.index)
    known = rows["happened"] if "happened" in rows else pd.Series(pd.NA, rows.index, dtype="boolean")
    return rows.assign(happened=known.where(~open_rows, found))


def extend_full_log(
    log: pd.DataFrame | None,
    issued: pd.DataFrame,
    as_of: pd.Timestamp,
    config: HospitalConfig,
    stays: tuple[pd.DataFrame, pd.DataFrame],
) -> pd.DataFrame:
    """The table full_log with the chances of `issued_days` added, and the outcomes that are known by now from `stays`:
    patients and ward_stays. Rows of the same origin are replaced."""
    new = with_reference(issued, as_of, config, *stays).assign(
        hospital_id=config.id, happened=pd.array([pd.NA], "boolean")[0]
    )
    kept = [] if log is None else [log[log["origin"] != as_of]]
    rows = pd.concat([*kept, FULL_LOG.frame(new.astype({"happened": "boolean"}), as_of=as_of)], ignore_index=True)
    return FULL_LOG.frame(with_outcomes(rows, config, *stays, as_of), as_of=as_of)


def score_days(sources: Mapping[str, pd.DataFrame], **constants: Any) -> pd.DataFrame:
    """The table full_scores of the rows of each source (backtest, archive) whose outcome is known."""
    found = []
    for source, rows in sources.items():
        known = rows[rows["happened"].notna()]
        for leads, (first, last) in LEADS.items():
            chosen = known[known["day_ahead"].between(first, last)]
            for (ward, level), group in chosen.groupby(["ward_id", "level"]):
                found.append({"source": source, "ward_id": ward, "level": level, "days_ahead": leads} | _scores(group))
    return FULL_SCORES.frame(pd.DataFrame(found), **constants) if found else FULL_SCORES.empty()


def _scores(rows: pd.DataFrame) -> dict[str, float | int]:
    chance, reference = (rows[name].to_numpy(dtype=np.float64) for name in ("probability", "reference"))
    happened, origins = rows["happened"].to_numpy(dtype=np.float64), rows["origin"].to_numpy()
    independent = independent_dates(rows["origin"], int(rows["day_ahead"].max()))
    brier, of_reference = (chance - happened) ** 2, (reference - happened) ** 2
    worst = of_reference.mean()
    ratio = brier.mean() / worst if worst > 0 else np.nan
    return {
        "n": len(rows),
        "origins": rows["origin"].nunique(),
        "independent_dates": independent,
        "happened": happened.mean(),
        "mean_probability": chance.mean(),
        "brier": brier.mean(),
        "brier_se": clustered_error(brier, origins, independent),
        "brier_reference": worst,
        "skill": 1 - ratio,
        "skill_se": clustered_error(brier - ratio * of_reference, origins, independent) / worst if worst else np.nan,
        **decomposition(chance, happened),
        "reliability_p": reliability_p(chance, happened, origins, independent),
    }


def miss_error(days: pd.DataFrame) -> float:
    """The standard error of the mean of happened - probability over days of a back-test (origin, date, probability,
    happened), of which those of one origin share their error; not a number where there are too few origins."""
    miss = days["happened"].to_numpy(dtype=np.float64) - days["probability"].to_numpy(dtype=np.float64)
    longest = (days["date"] - days["origin"]).max().days + 1
    return clustered_error(miss, days["origin"].to_numpy(), independent_dates(days["origin"], longest))


def decomposition(chance: np.ndarray, happened: np.ndarray) -> dict[str, float]:
    """The parts of the Brier score, by bins of the chances: reliability - resolution + uncertainty + within_bins."""
    place = np.minimum((chance * BINS).astype(int), BINS - 1)
    n = np.bincount(place, minlength=BINS)
    of_bin = np.maximum(n, 1)
    mean, seen = (np.bincount(place, values, BINS) / of_bin for values in (chance, happened))
    overall, share = happened.mean(), n / len(chance)
    off, wrong = chance - mean[place], happened - seen[place]
    return {
        "reliability": float((share * (mean - seen) ** 2).sum()),
        "resolution": float((share * (seen - overall) ** 2).sum()),
        "uncertainty": float(overall * (1 - overall)),
        "within_bins": float((off**2 - 2 * off * wrong).mean()),
    }


def reliability_p(chance: np.ndarray, happened: np.ndarray, origins: np.ndarray, independent: int) -> float:
    """The probability that outcomes of calibrated chances differ as much from them, in the mean and along the chances;
    NaN for fewer than FEWEST_ORIGINS independent origins or too few events.

    Hotelling's test (1931) of the sums by origin of outcome - chance, and of the same times the chance's deviation from
    its mean: chances from one origin share their errors. Of overlapping origins so many count as are `independent`.
    """
    from scipy.stats import f

    if independent < FEWEST_ORIGINS or (chance * (1 - chance)).sum() < ENOUGH:
        return np.nan
    error = happened - chance
    terms = np.stack([error, error * (chance - chance.mean())])
    _, place = np.unique(origins, return_inverse=True)
    sums = np.stack([np.bincount(place, term) for term in terms])
    covariance, mean, used = np.cov(sums), sums.mean(axis=1), 2
    if np.linalg.matrix_rank(covariance) < used:  # chances that are all the same, or all outcomes
        least = (chance * (1 - chance)).sum() / sums.shape[1]
        covariance, mean, used = np.maximum(covariance[:1, :1], least), mean[:1], 1
    distance = independent * float(mean @ np.linalg.inv(covariance) @ mean)
    return float(f.sf(distance * (independent - used) / (used * (independent - 1)), used, independent - used))


def unreliable(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of full_scores whose outcomes do not go with the chances: where these are calibrated, 1 % of wards and
    levels have one."""
    tested = scores[scores["reliability_p"].notna()]
    tests = tested.groupby(["source", "ward_id", "level"])["reliability_p"].transform("size")
    return tested[tested["reliability_p"] * tests < UNRELIABLE]
