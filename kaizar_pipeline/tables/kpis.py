"""The KPIs of a ward and patient type, each once: name, unit, meaning, and where it is compared.

The columns of ward_performance, the kernel's positions, the figures of scenario comparisons and the effects of beds all
come from this list.
"""

from typing import NamedTuple


class Kpi(NamedTuple):
    """One KPI of a replication, per ward and patient type."""

    name: str
    unit: str
    description: str
    in_scenarios: bool = False
    """Whether scenario_comparison compares it."""
    in_beds_effects: bool = False
    """Whether beds_effects has it: what beds are for."""


KPIS = (
    Kpi("requests", "patients", "Requests for the ward inside the horizon, diverted ones included.", True),
    Kpi("admitted", "patients", "Of these, given a bed, here or in another ward.", True),
    Kpi("turned_away", "patients", "Of these, diverted by an admission stop.", True, True),
    Kpi("left", "patients", "Of these, left without being seen.", True, True),
    Kpi("outliers", "patients", "Of these, placed in a bed of another ward.", True, True),
    Kpi("wait_mean_hours", "hours", "Mean wait from request to bed; the wait so far where none was given.", True, True),
    Kpi("wait_p50_hours", "hours", "Median wait."),
    Kpi("wait_p95_hours", "hours", "95th percentile of waits.", True, True),
    Kpi("wait_max_hours", "hours", "Longest wait."),
    Kpi("still_waiting_share", "share", "Share of requests still waiting when the horizon ends."),
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
        "hours_full_share", "share", "Share of hours with a census at or above the staffed beds; null when unlimited.",
        True,
    ),
    Kpi("days_any_hour_full", "days", "Days with a census at or above the staffed beds at any hour.", True),
    Kpi("days_above_95", "days", "Days with a census above 95 % of the staffed beds at any hour."),
)  # fmt: skip

KPI_INDEX = {kpi.name: index for index, kpi in enumerate(KPIS)}
"""Position of each KPI on the last axis of every array of KPIs."""
