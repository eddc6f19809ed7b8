"""The difference between two plans with the same patients, pair by pair."""

import numpy as np

from kaizar_pipeline.simulation.precision import mean_half_width


def paired(baseline: np.ndarray, value: np.ndarray) -> dict[str, float]:
    """Means of `baseline` and `value`, their mean difference, its standard error and 95 % interval (Student's t) over
    the pairs in which both were measured, and how many these are.

    A single pair has no error; without a pair there is only the number 0.
    """
    both = np.isfinite(baseline) & np.isfinite(value)
    pairs = int(both.sum())
    if not pairs:
        return {"pairs": 0}
    baseline, value = baseline[both], value[both]
    differences = value - baseline
    row = {"baseline": baseline.mean(), "value": value.mean(), "difference": differences.mean(), "pairs": pairs}
    if pairs == 1:
        return row
    error = differences.std(ddof=1) / np.sqrt(pairs)
    half = float(mean_half_width(error, pairs))
    return row | {"difference_se": error, "low": row["difference"] - half, "high": row["difference"] + half}
