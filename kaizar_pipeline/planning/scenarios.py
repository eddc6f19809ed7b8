"""What scenarios change: the hospital as it is and as each scenario has it, met by the same patients.

Every random number has an address that knows nothing of beds or rules (common random numbers), so replication r of a
scenario sees the patients of replication r of the baseline, less or plus those that the scenario itself takes away or
adds. Differences are taken pair by pair, and what both have in common cancels.

- KPIs: the mean over replications of the difference d_r of a pair, its standard error sd(d) / sqrt(R), and Student's t.
  A pair counts when the KPI was measured in both (no waits, no mean wait).
- p95_census: a percentile over hours and replications together is no mean over replications. So the replications are
  cut into GROUPS groups of consecutive numbers, the percentile is taken within each group, and the same formulas go over
  the groups (batch means). What is compared is therefore the mean over groups of the group's percentile.
"""

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count

import numpy as np
import pandas as pd

from kaizar_pipeline.config.calendar import configured_rates
from kaizar_pipeline.config.hospital import HospitalConfig
from kaizar_pipeline.config.scenario import Scenario
from kaizar_pipeline.config.variant import Variant, apply_scenario
from kaizar_pipeline.simulation.kpis import KPIS
from kaizar_pipeline.simulation.load import check_load
from kaizar_pipeline.simulation.monte_carlo import MonteCarlo, Progress, rate_paths
from kaizar_pipeline.simulation.philox import hospital_key
from kaizar_pipeline.simulation.plan import Plan, make_plan
from kaizar_pipeline.simulation.precision import mean_half_width
from kaizar_pipeline.tables import HOSPITAL_TOTAL, SCENARIO_COMPARISON

_LOG = logging.getLogger(__name__)

GROUPS = 20
"""Groups of replications for what is no mean over replications; fewer when there are fewer replications."""

COMPARED = {
    "requests": "patients",
    "admitted": "patients",
    "turned_away": "patients",
    "left": "patients",
    "outliers": "patients",
    "wait_mean_hours": "hours",
    "wait_p95_hours": "hours",
    "boarding_hours": "hours",
    "boarding_caused_hours": "hours",
    "bed_days": "bed-days",
    "mean_occupancy": "share",
    "hours_full_share": "share",
    "days_any_hour_full": "days",
}
"""KPIs that are compared, with their unit; meanings as in ward_performance, over all patient types."""

PROB_FULL, P95_CENSUS = "prob_full", "p95_census"
