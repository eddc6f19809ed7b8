"""Lengths of stay, delays and patience as quantile tables: one grid of probabilities, one row of hours per
distribution.

Tables are built once, with scipy; drawing from them takes additions and multiplications only, so every
engine and every machine gets the same bits (exp and log differ in their last bit between machines).
"""

import numpy as np

from kaizar_pipeline.config.distributions import FAMILIES, Distribution


def _grid() -> np.ndarray:
    """Probabilities from 0 to 1 - 2**-53, refined towards both ends so that the tails are as fine as the middle."""
    lower = np.concatenate(
        [2.0**-k + 2.0**-k * np.arange(32) / 32 for k in range(30, 1, -1)]  # [2**-30, 0.5)
    )
    upper = [0.5 + 0.5 * np.arange(128) / 128 * 0.5]  # [0.5, 0.75)
    for k in range(2, 52):
        pieces = 64 if k < 20 else 8
        upper.append(1 - 2.0**-k + 2.0 ** -(k + 1) * np.arange(pieces) / pieces)
    return np.unique(np.concatenate([[0.0], lower, *upper, [1 - 2.0**-52, 1 - 2.0**-53]]))


GRID = _grid()

GUIDE_CELLS = 1024
_CELL_ENDS = np.arange(GUIDE_CELLS + 1) / GUIDE_CELLS
GUIDE = np.stack(
    [
        np.searchsorted(GRID, _CELL_ENDS[:-1], side="right") - 1,
        np.searchsorted(GRID[:-1], _CELL_ENDS[1:], side="left") - 1,
    ],
    axis=1,
).astype(np.uint16)
"""u2[GUIDE_CELLS, 2]: where to look for a knot: the last one at or before the beginning of each of GUIDE_CELLS equal
cells of probability, and the last one inside it; in most cells they are the same."""


def quantile_table(duration: Distribution) -> np.ndarray:
    """Hours at every probability of GRID, f8[len(GRID)]."""
    return duration.quantiles(GRID)


def empirical_table(quantile_hours: np.ndarray) -> np.ndarray:
    """The same from quantiles at evenly spaced probabilities 0 to 1."""
    return np.interp(GRID, np.linspace(0, 1, len(quantile_hours)), quantile_hours)


def fitted_table(
    distribution: str, shape: float | None, scale_hours: float | None, quantile_hours: np.ndarray | None
) -> np.ndarray:
    """The same from a fitted row of length_of_stay: quantiles for empirical, else a family with its whole tail."""
    if distribution == "empirical":
        return empirical_table(np.asarray(quantile_hours))
    assert shape is not None
    assert scale_hours is not None
    return FAMILIES[distribution].scipy(shape, scale_hours).ppf(GRID)
