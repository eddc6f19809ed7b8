"""The KPIs of a ward and patient type, each once: name, unit, meaning, how it is averaged, and where it is compared.

The columns of ward_performance, the kernel's positions, the figures of scenario comparisons and the effects of beds all
come from this list.
"""

from typing import Literal, NamedTuple


class Kpi(NamedTuple):
    """One KPI, per ward and patient type."""

    name: str
    unit: str
    description: str
    in_scenarios: bool = False
    """Whether scenario_comparison compares it."""
    in_beds_effects: bool = False
    """Whether beds_effects has it: what beds are for."""
    over: Literal["replications", "waits", "waits in order"] = "replications"
    """Its mean over replications; or over all patients whose wait counts, of all replications together; or a percentile
    of these waits."""


KPIS = (
    Kpi("requests", "patients", "Requests for the ward inside the horizon, diverted ones included.", True),
    Kpi("admitted", "patients", "Of these, given a bed, here or in another ward.", True),
    Kpi("turned_away", "patients", "Of these, diverted by an admission stop or a queue limit.", True, True),
    Kpi("left", "patients", "Of these, left without being seen.", True, True),
    Kpi("outliers", "patients", "Of these, placed in a bed of another ward.", True, True),
    Kpi(
        "wait_mean_hours", "hours", "Mean wait from request to bed; the wait so far where none was given.", True, True,
        over="waits",
    ),
    Kpi("wait_p50_hours", "hours", "Median wait.", over="waits in order"),
    Kpi("wait_p95_hours", "hours", "95th percentile of waits.", True, True, over="waits in order"),
    Kpi("wait_share_over_4h", "share", "Share of waits longer than 4 hours.", True, over="waits"),
    Kpi("wait_max_hours", "hours", "Longest wait."),
    Kpi("still_waiting_share", "share", "Share of requests still waiting when the horizon ends.", over="waits"),
    Kpi(
        "boarding_hours", "hours", "Hours that beds of this ward were held by patients waiting for the next.",
        True, True,
    ),
    Kpi(
        "boarding_caused_hours", "hours", "Hours that beds of other wards were held by patients waiting for this one.",
        True,
    ),
    Kpi("throughput", "patients", "Patients who left a bed of this ward."),
    Kpi("alos_hours", "hours", "Mean length of those stays, bed to bed."),
    Kpi("bed_days", "bed-days", "Bed-days used in this ward.", True),
    Kpi(
        "mean_occupancy", "share", "Bed-days used over bed-days staffed; null when unlimited or by patient type.",
        True,
    ),
    Kpi(
        "hours_full_share", "share", "Share of hours full (census at or above the staffed beds); null when unlimited.",
        True,
    ),
    Kpi("days_any_hour_full", "days", "Days full at some hour; null when unlimited.", True),
    Kpi("days_above_95", "days", "Days with a census above 95 % of the staffed beds at any hour."),
)  # fmt: skip

WAIT_PERCENTILES = {"wait_p50_hours": 0.5, "wait_p95_hours": 0.95}
"""The share of patients who wait no longer, by KPI."""

KPI_INDEX = {name: index for index, name in enumerate(kpi.name for kpi in KPIS if kpi.name not in WAIT_PERCENTILES)}
"""Position of each KPI but the percentiles on the last axis of every array of KPIs of a replication. Of those over
waits, that array has the sum over the waits."""

OVER_WAITS = tuple(kpi.name for kpi in KPIS if kpi.over == "waits")
"""The KPIs that are means over waits."""
