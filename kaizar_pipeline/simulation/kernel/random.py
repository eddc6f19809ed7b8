"""Random numbers by address (Philox4x32-10) and quantiles from tables, for one patient at a time.

The compiled equivalent of stats/philox.py, tested against the same published vectors and equal to it bit for bit. Only
additions, multiplications and divisions: no logarithm, whose last bit differs between machines.
"""

import numpy as np

from kaizar_pipeline.simulation.kernel.arrays import Floats, Word
from kaizar_pipeline.simulation.kernel.compiling import compiled, index, signed
from kaizar_pipeline.simulation.kernel.inputs import Tables
from kaizar_pipeline.stats.durations import GUIDE_CELLS

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_5, _6, _16, _32 = np.uint64(5), np.uint64(6), np.uint64(16), np.uint64(32)


@compiled
def uniforms(
    key: Word, replication: Word, stream: Word, number: Word, purpose: Word, stage: Word
) -> tuple[float, float]:
    """Two doubles in [0, 1) at an address."""
    k0, k1 = key & _LOW, key >> _32
    c0, c1, c2, c3 = replication & _LOW, stream & _LOW, number & _LOW, ((purpose << _16) | stage) & _LOW
    for _ in range(10):
        p0, p1 = c0 * _M0, c2 * _M1
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _LOW, (p0 >> _32) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return (
        (np.float64(c0 >> _5) * 67108864.0 + np.float64(c1 >> _6)) * 2.0**-53,
        (np.float64(c2 >> _5) * 67108864.0 + np.float64(c3 >> _6)) * 2.0**-53,
    )


@compiled
def last_not_above(values: Floats, low: int, high: int, x: float) -> int:
    """Index of the last of the ascending values[low .. high] that is <= x; low if none is."""
    further = high - low
    while further > 0:  # always as many rounds, so that the processor predicts them
        half = (further + 1) >> 1
        low += half * (values[low + half] <= x)
        further -= half
    return low


@compiled
def quantile(tables: Tables, table: int, probability: float) -> float:
    """Hours at `probability` in [0, 1) of a quantile table, linear between the knots of the grid."""
    cell = index(probability * GUIDE_CELLS)
    first, last = signed(tables.guide[cell, 0]), signed(tables.guide[cell, 1])
    knot = index(last_not_above(tables.grid, first, last, probability))
    return tables.lines[table, knot, 0] + (probability - tables.grid[knot]) * tables.lines[table, knot, 1]


@compiled
def share_until(tables: Tables, table: int, hours: float) -> float:
    """Share of the durations of a table up to and including `hours`: the inverse of `quantile`."""
    knots, grid = tables.lines[table, :, 0], tables.grid
    last = len(knots) - 1
    if hours < knots[0]:
        return 0.0
    if hours >= knots[last]:
        return 1.0
    knot = last_not_above(knots, 0, last, hours)
    low, high = knots[knot], knots[knot + 1]
    return grid[knot] + (hours - low) / (high - low) * (grid[knot + 1] - grid[knot])


@compiled
def rest(tables: Tables, table: int, probability: float, elapsed: float, scale: float) -> float:
    """The rest of a duration, `scale` times that of the table, of which `elapsed` hours are over:
    k Q(F(e/k) + u (1 - F(e/k))) - e; nothing where F(e/k) is 1."""
    spent = share_until(tables, table, elapsed / scale)
    if spent >= 1.0:
        return 0.0
    upto = min(spent + probability * (1 - spent), tables.grid[len(tables.grid) - 1])  # rounding may make it 1
    return max(scale * quantile(tables, table, upto) - elapsed, 0.0)
