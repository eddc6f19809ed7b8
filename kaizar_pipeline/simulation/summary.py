"""From counts to tables: every figure beside its Monte Carlo standard error."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from kaizar_pipeline.config.fields import HOURS_PER_DAY, HOURS_PER_WEEK
from kaizar_pipeline.simulation.counting import (
    CensusCounts,
    Counts,
    Histograms,
    Sums,
    journey_groups,
    mean_and_sd,
    replications_above,
    replications_with,
    staffed_with_totals,
)
from kaizar_pipeline.simulation.flow_windows import FLOW, windows_of
from kaizar_pipeline.simulation.plan import UNLIMITED, Plan
from kaizar_pipeline.simulation.thresholds import (
    full_from,
    highest_of_dates,
    lowest_of_dates,
    plan_thresholds,
    profile_hours,
    profile_weeks,
)
from kaizar_pipeline.simulation.trajectories import DAYS_PER_SPAN, FULL_LEVEL
from kaizar_pipeline.simulation.waits import JOURNEY, percentile
from kaizar_pipeline.stats.quantiles import inverted_cdf
from kaizar_pipeline.tables import (
    ALL,
    BOARDING_CAUSES,
    CENSUS_PERCENTAGES,
    DAILY_PEAKS,
    DAY_PERCENTAGES,
    FLOW_PERCENTAGES,
    LEVEL_RISK,
    MIDNIGHT_CENSUS,
    OCCUPANCY_DISTRIBUTIONS,
    PATIENT_JOURNEYS,
    WARD_DAYS,
    WARD_FLOWS,
    WARD_PERFORMANCE,
    WARD_WEEKS,
    WEEK_PROFILE,
)
from kaizar_pipeline.tables.kpis import KPIS


def occupancy_distributions(plan: Plan, counts: Counts, high_occupancy: float, **constants: Any) -> pd.DataFrame:
    """The distribution of the census per ward and hour; prob_above is for a census above the share `high_occupancy` of
    the staffed beds. `constants` are whole columns (hospital_id, as_of, scenario)."""
    staffed, n = staffed_with_totals(plan), counts.replications
    at = plan.statistics_start + pd.to_timedelta(np.arange(plan.statistics_hours), unit="h")

    def columns(w: int) -> dict[str, Any]:
        histogram, limited = counts.census.of(w), staffed[w] < UNLIMITED
        full = replications_with(histogram, full_from(staffed[w]))
        above = replications_above(histogram, staffed[w], high_occupancy)
        return {
            "at": at,
            "staffed_beds": pd.Series(staffed[w]).where(limited).astype("Int64"),
            **_census_columns(histogram),
            **_share("prob_full_hour", np.where(limited, full, np.nan), n),
            **_share("prob_above", np.where(limited, above, np.nan), n),
            **_share("prob_queue", counts.queued[w], n),
            **_mean("mean_waiting", counts.waiting.of(w)),
            **_mean("mean_boarding", counts.boarding.of(w)),
            **_mean("mean_outliers", counts.outliers.of(w)),
        }

    return OCCUPANCY_DISTRIBUTIONS.frame(_by_ward(plan, columns), replications=n, **constants)


def _by_ward(plan: Plan, columns: Callable[[int], Mapping[str, Any]]) -> pd.DataFrame:
    """The columns of every ward and of the hospital below one another."""
    frames = [pd.DataFrame({"ward_id": ward_id, **columns(w)}) for w, ward_id in enumerate(plan.ward_axis)]
    return pd.concat(frames, ignore_index=True)


def _by_day(
    plan: Plan, histograms: Histograms, number: str, dates: pd.DatetimeIndex, places: slice = slice(None)
) -> pd.DataFrame:
    """The replications that had so many patients, the `number`, in each ward on each of the `dates`: those at these
    `places` of the histograms."""

    def columns(w: int) -> dict[str, Any]:
        histogram = histograms.of(w)[places]
        day, patients = np.nonzero(histogram)
        return {"date": dates[day], number: patients, "replications": histogram[day, patients]}

    return _by_ward(plan, columns)


def _census_columns(histogram: np.ndarray) -> dict[str, np.ndarray]:
    """Mean, standard deviation and quantiles of the census, from u4[times, patients], each with its standard error."""
    n = int(histogram[0].sum())
    mean, sd = mean_and_sd(histogram)
    return {"mean": mean, "mean_se": sd / np.sqrt(n), "sd": sd, **_quantile_columns(histogram, n)}


def _quantile_columns(
    histogram: np.ndarray, n: int, percentages: Collection[str] = CENSUS_PERCENTAGES
) -> dict[str, np.ndarray]:
    """Quantiles of the census, from u4[times, patients], with the standard errors of `n` independent values."""
    columns: dict[str, np.ndarray] = {}
    cumulative = np.cumsum(histogram, axis=1)
    for percentage in percentages:
        q = float(f"0.{percentage}")
        columns[f"p{percentage}"] = inverted_cdf(cumulative, q)
        # half the distance between the quantiles one standard error of a share away (Woodruff 1952)
        error = np.sqrt(q * (1 - q) / n)
        low, high = (inverted_cdf(cumulative, np.clip(q + side * error, 0, 1)) for side in (-1, 1))
        columns[f"p{percentage}_se"] = (high - low) / 2
    return columns


def _share(name: str, events: np.ndarray, n: int) -> dict[str, np.ndarray]:
    """The share of replications with an event, and its standard error."""
    share = events / n
    return {name: share, f"{name}_se": np.sqrt(share * (1 - share) / n)}


def _mean(name: str, sums: Sums, divisor: np.ndarray | int = 1) -> dict[str, np.ndarray]:
    """The mean over replications of `sums` / `divisor`, and its standard error."""
    return {name: sums.mean / divisor, f"{name}_se": sums.standard_error / divisor}


def midnight_census(plan: Plan, counts: CensusCounts, **constants: Any) -> pd.DataFrame:
    """The probability of each number of patients at the midnight that begins each date, from as_of on."""
    first = -plan.first_hour % HOURS_PER_DAY
    dates = plan.horizon.dates[first > 0 :]
    rows = _by_day(plan, counts.census, "beds", dates, slice(first, None, HOURS_PER_DAY))
    share = _share("probability", rows.pop("replications").to_numpy(), counts.replications)
    return MIDNIGHT_CENSUS.frame(rows.assign(**share), **constants)


def census_at_hours(plan: Plan, counts: CensusCounts, hours: Collection[int]) -> pd.DataFrame:
    """The probability of 0, 1, 2, ... patients (columns) at these `hours` of each day, by ward_id, date and hour
    (index)."""
    hour = plan.first_hour + np.arange(plan.statistics_hours)  # since the midnight of the first date
    chosen = np.isin(hour % HOURS_PER_DAY, list(hours))
    histograms = [counts.census.of(w)[chosen] for w in range(len(plan.ward_axis))]
    hour = hour[chosen]
    width = max(histogram.shape[1] for histogram in histograms)
    wide = [np.pad(histogram, ((0, 0), (0, width - histogram.shape[1]))) for histogram in histograms]
    date = plan.horizon.dates[hour // HOURS_PER_DAY]
    index = pd.DataFrame(
        {
            "ward_id": np.repeat(plan.ward_axis, len(hour)),
            "date": np.tile(date, len(wide)),
            "hour": np.tile(hour % HOURS_PER_DAY, len(wide)),
        }
    )
    return pd.DataFrame(np.concatenate(wide) / counts.replications, index=pd.MultiIndex.from_frame(index))


def week_profile(plan: Plan, counts: Counts, **constants: Any) -> pd.DataFrame:
    """The census by weekday and hour, over the weeks of the profile together (`profile_weeks`)."""
    staffed, n = staffed_with_totals(plan), counts.replications
    shown, typical = profile_hours(plan), np.any(profile_weeks(plan), axis=1)
    at = plan.statistics_start
    slot = (int(at.day_of_week) * HOURS_PER_DAY + at.hour + np.arange(plan.statistics_hours)) % HOURS_PER_WEEK

    def columns(w: int) -> dict[str, Any]:
        histogram = counts.census.of(w)
        slots, weeks = np.unique(slot[shown[w]], return_counts=True)
        together = np.stack([histogram[shown[w] & (slot == s)].sum(axis=0) for s in slots])
        census, full = (
            Sums(sums.total[w, slots], sums.squares[w, slots], n) for sums in (counts.week_census, counts.week_full)
        )
        limited = np.where((staffed[w] == UNLIMITED).any(), np.nan, weeks)
        return {
            "weekday": slots // HOURS_PER_DAY,
            "hour": slots % HOURS_PER_DAY,
            "weeks": weeks,
            "is_typical": bool(typical[w]),
            **_mean("mean", census, weeks),
            **_mean("prob_full_hour", full, limited),
            **_quantile_columns(together, n),  # as if the weeks of a replication were equal, which is the worst case
        }

    return WEEK_PROFILE.frame(_by_ward(plan, columns), **constants)


def ward_days(plan: Plan, counts: Counts, demand: CensusCounts, risk_target: float, **constants: Any) -> pd.DataFrame:
    """Each date: beds, the census at midnight and the day's peak, the chance of being full at some hour, and the beds
    that cover the peak of `demand`, the demand run, with 70 %, 90 % and 1 - `risk_target`."""
    staffed, n, begun = staffed_with_totals(plan), counts.replications, plan.statistics_start.hour
    hours = plan.horizon.hours_by_date
    fewest, most = lowest_of_dates(staffed, begun), highest_of_dates(staffed, begun)

    def columns(w: int) -> dict[str, Any]:
        limited, peaks = most[w] < UNLIMITED, counts.peaks.of(w)
        full_now = replications_with(counts.census.of(w)[:1], full_from(staffed[w, :1]))[0]
        needed = np.cumsum(demand.peaks.of(w), axis=1)
        return {
            "date": plan.horizon.dates,
            "kind": "ward" if w < len(plan.ward_ids) else "group" if w < len(plan.ward_axis) - 1 else "hospital",
            "hours": hours,
            "staffed_fewest": pd.Series(fewest[w]).where(fewest[w] < UNLIMITED).astype("Int64"),
            "staffed_most": pd.Series(most[w]).where(limited).astype("Int64"),
            "full_now": pd.array([{0: False, n: True}.get(full_now) if limited[0] else None] * len(hours), "boolean"),
            **_prefixed("peak", peaks),
            **_share("prob_full_day", np.where(limited, counts.reached[w, FULL_LEVEL], np.nan), n),
            **_mean("share_of_hours_full", counts.full_hours.of(w)[: len(hours)], np.where(limited, hours, np.nan)),
            **{name: inverted_cdf(needed, share) for name, share in (("beds_70", 0.7), ("beds_90", 0.9))},
            "beds_target": inverted_cdf(needed, 1 - risk_target) if risk_target > 0 else None,
        }

    frame = _by_ward(plan, columns).merge(_midnights(plan, counts), how="left", on=["ward_id", "date"])
    return WARD_DAYS.frame(frame, risk_target=risk_target, **constants)


def _midnights(plan: Plan, counts: CensusCounts) -> pd.DataFrame:
    """The census at the midnight that begins each date, but for one before as_of."""
    first = -plan.statistics_start.hour % HOURS_PER_DAY
    dates = plan.horizon.dates[first > 0 :]

    def columns(w: int) -> dict[str, Any]:
        return {"date": dates, **_prefixed("midnight", counts.census.of(w)[first::HOURS_PER_DAY])}

    return _by_ward(plan, columns)


def _prefixed(name: str, histogram: np.ndarray) -> dict[str, np.ndarray]:
    """Mean and some quantiles under names that begin with `name`."""
    n = int(histogram[0].sum())
    mean, sd = mean_and_sd(histogram)
    columns = {"mean": mean, "mean_se": sd / np.sqrt(n), **_quantile_columns(histogram, n, DAY_PERCENTAGES)}
    return {f"{name}_{column}": values for column, values in columns.items()}


def ward_weeks(plan: Plan, counts: Counts, **constants: Any) -> pd.DataFrame:
    """Each week of seven dates from as_of on: the chance of being full at some hour, the share of its hours, and the
    days on which it is."""
    dates, n = plan.horizon.dates, counts.replications
    first = np.arange(0, len(dates), DAYS_PER_SPAN)
    days = np.diff(first, append=len(dates))
    hours = np.add.reduceat(plan.horizon.hours_by_date, first)
    unlimited = (staffed_with_totals(plan) == UNLIMITED).any(axis=1)

    def columns(w: int) -> dict[str, Any]:
        weeks = len(first)
        of_weeks = np.where(unlimited[w], np.nan, 1.0)
        full_hours = counts.full_hours.of(w)[len(dates) :][:weeks]
        return {
            "week": 1 + np.arange(weeks),
            "first_date": dates[first],
            "days": days,
            **_share("prob_full_week", of_weeks * counts.reached_spans[w, FULL_LEVEL, :weeks], n),
            **_mean("share_of_hours_full", full_hours, hours / of_weeks),
            **_mean("full_days", counts.level_days.of(w).of(FULL_LEVEL)[:weeks], of_weeks),
        }

    return WARD_WEEKS.frame(_by_ward(plan, columns), **constants)


def level_risk(plan: Plan, counts: Counts, huddle: int, **constants: Any) -> pd.DataFrame:
    """Each level of each row and date: the chance of reaching it at some hour, of it being the highest of the day, and
    of being at it or above at the hour `huddle`. Empty where the config has no levels."""
    limits, n, begun = plan_thresholds(plan), counts.replications, plan.statistics_start.hour
    least, dates = lowest_of_dates(limits, begun), plan.horizon.dates
    at = np.arange(len(dates)) * HOURS_PER_DAY + huddle - begun
    ahead = at >= 0
    frames = []
    for w, ladder in enumerate(plan.ladders):
        histogram = counts.census.of(w)[at[ahead]]
        for k, level in enumerate(ladder, start=1):
            reached = counts.reached[w, k].astype(np.int64)
            higher = counts.reached[w, k + 1] if k < len(ladder) else 0
            in_huddle = np.full(len(dates), np.nan)
            in_huddle[ahead] = replications_with(histogram, limits[w, k, at[ahead]])
            likely = dates[reached > n / 2]
            days = counts.level_days.of(w).of(k)
            frame = pd.DataFrame(
                {
                    "date": dates,
                    "patients": pd.Series(least[w, k]).where(least[w, k] < UNLIMITED).astype("Int64"),
                    **_share("prob_reached", reached, n),
                    **_share("prob_highest", reached - higher, n),
                    **_share("prob_huddle", in_huddle, n),
                }
            )
            frames.append(
                frame.assign(
                    ward_id=plan.ward_axis[w],
                    level=level.name,
                    level_order=k,
                    first_likely_date=likely.min(),
                    expected_days=days.mean[-1],
                    expected_days_se=days.standard_error[-1],
                )
            )
    return LEVEL_RISK.frame(pd.concat(frames, ignore_index=True), **constants) if frames else LEVEL_RISK.empty()


def daily_peaks(plan: Plan, counts_by_kind: Mapping[str, CensusCounts], **constants: Any) -> pd.DataFrame:
    """How many replications had each day's highest census at so many beds, by kind of run."""
    dates = plan.horizon.dates
    frames = [_by_day(plan, of.peaks, "peak_beds", dates).assign(run_kind=kind) for kind, of in counts_by_kind.items()]
    rows = pd.concat(frames, ignore_index=True)
    hours = pd.Series(plan.horizon.hours_by_date, dates)
    return DAILY_PEAKS.frame(rows.assign(hours=rows["date"].map(hours)), **constants)


def ward_flows(plan: Plan, counts: Counts, usual_beds: Sequence[int | None], **constants: Any) -> pd.DataFrame:
    """Who takes a bed and who gives one up in each window; `usual_beds` by ward, None: unlimited."""
    windows, staffed, flows = windows_of(plan), staffed_with_totals(plan), counts.flows
    usual = np.array([UNLIMITED if beds is None else beds for beds in usual_beds])
    closed = np.maximum(usual[:, None] - plan.staffed, 0)
    closed = np.concatenate([closed, plan.is_member.astype(np.int64) @ closed])[:, windows.begins]
    begins, ends = (
        plan.statistics_start + pd.to_timedelta(hours, unit="h") for hours in (windows.begins, windows.ends)
    )

    def columns(w: int) -> dict[str, Any]:
        limited = staffed[w, windows.begins] < UNLIMITED
        free = {name: np.where(limited, values, np.nan) for name, values in _mean("free", flows.free.of(w)).items()}
        net = {
            "closed_beds": pd.Series(closed[w]).where(limited),
            "free_beds": free["free"],
            "free_beds_se": free["free_se"],
            **_share("prob_net_above_free", np.where(limited, flows.short[w], np.nan), counts.replications),
        }
        to_bed = {
            "hours_to_bed": flows.to_bed.measured_mean[w],
            "hours_to_bed_se": flows.to_bed.standard_error[w],
        }
        more = {FLOW.net: net, FLOW.waiting_admitted: to_bed}
        parts = [
            pd.DataFrame(
                {"flow": name, "urgency": urgency, "window": windows.names, "begins": begins, "ends": ends}
            ).assign(**_flow_columns(*flows.of(w, place)), **more.get(place, {}))
            for name, urgency, place in _FLOWS
        ]
        return dict(pd.concat(parts, ignore_index=True))

    frame = _by_ward(plan, columns).assign(date=lambda rows: rows["begins"].dt.normalize())
    return WARD_FLOWS.frame(frame, replications=counts.replications, **constants)


_FLOWS = (
    ("arrivals", ALL, FLOW.arrivals), ("arrivals", "emergency", FLOW.emergency), ("arrivals", "planned", FLOW.planned),
    *((name, ALL, getattr(FLOW, name)) for name in FLOW._fields if name not in ("arrivals", "emergency", "planned")),
)  # fmt: skip
"""Name, urgency and place of the flows in the order of the table."""


def _flow_columns(histogram: np.ndarray, lowest: int) -> dict[str, np.ndarray]:
    """Mean and quantiles of a flow, from u4[windows, values] whose first value is `lowest`, with standard errors."""
    n = int(histogram[0].sum())
    mean, sd = mean_and_sd(histogram, lowest)
    quantiles = _quantile_columns(histogram, n, FLOW_PERCENTAGES)
    values = {name: column if name.endswith("_se") else column + lowest for name, column in quantiles.items()}
    return {"mean": mean, "mean_se": sd / np.sqrt(n), **values}


def boarding_causes(plan: Plan, counts: Counts, **constants: Any) -> pd.DataFrame:
    """Boarding hours by the ward held and the ward waited for, without pairs that never occurred."""
    hours, error, wards = counts.boarded.mean, counts.boarded.standard_error, np.array(plan.ward_ids)
    held, cause = np.nonzero(hours)
    frame = pd.DataFrame(
        {
            "ward_id": wards[held],
            "cause_ward_id": wards[cause],
            "boarding_hours": hours[held, cause],
            "boarding_hours_se": error[held, cause],
            "share": hours[held, cause] / hours.sum(axis=1)[held],
        }
    )
    return BOARDING_CAUSES.frame(frame, **constants)


def ward_performance(plan: Plan, counts: Counts, **constants: Any) -> pd.DataFrame:
    """Every KPI with its standard error, per ward and patient type."""
    wards, types = plan.ward_axis, [*plan.patient_type_ids, ALL]
    frame = pd.DataFrame({"ward_id": np.repeat(wards, len(types)), "patient_type": np.tile(types, len(wards))})
    for kpi in KPIS:
        frame[kpi.name], frame[f"{kpi.name}_se"] = map(np.ravel, counts.figures(kpi.name))
    return WARD_PERFORMANCE.frame(frame, **constants)


def patient_journeys(plan: Plan, counts: Counts, **constants: Any) -> pd.DataFrame:
    """How long patients who arrived waited for a first bed and were in the hospital, per stream and patient type."""
    groups = journey_groups(plan)
    keys = [(group.patient_type, group.stream_id) for group in groups]
    frame = pd.DataFrame(keys, columns=["patient_type", "stream_id"])
    frame["patients"], frame["patients_se"] = counts.journeys.count
    mean, error = counts.journeys.ratio, counts.journeys.standard_error

    def add(name: str, place: int) -> None:
        frame[name], frame[f"{name}_se"] = mean[:, place], error[:, place]

    add("still_present_share", JOURNEY.present)
    add("first_bed_mean_hours", JOURNEY.bed_hours)
    add("first_bed_share_over_4h", JOURNEY.bed_over_4h)
    add("first_bed_share_over_12h", JOURNEY.bed_over_12h)
    add("hospital_mean_hours", JOURNEY.hospital_hours)
    add("hospital_share_over_4h", JOURNEY.hospital_over_4h)
    add("hospital_share_over_12h", JOURNEY.hospital_over_12h)
    for what, patients in zip(("first_bed", "hospital"), counts.journey_waits, strict=True):
        for percent in (50, 95):
            frame[f"{what}_p{percent}_hours"] = percentile(patients, percent / 100)
    return PATIENT_JOURNEYS.frame(frame, **constants)
