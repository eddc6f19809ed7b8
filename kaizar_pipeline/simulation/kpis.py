"""What is measured of each ward and patient type, by name: the columns of ward_performance."""

KPIS = (
    "requests", "admitted", "turned_away", "left", "outliers", "wait_mean_hours", "wait_p50_hours", "wait_p95_hours",
    "wait_max_hours", "still_waiting_share", "boarding_hours", "boarding_caused_hours", "throughput", "alos_hours",
    "bed_days", "mean_occupancy", "hours_full_share", "days_any_hour_full", "days_above_95",
)  # fmt: skip
