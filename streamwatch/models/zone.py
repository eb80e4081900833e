"""Which cells of the encoder's grid a zone covers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["zone_cells"]

_SAMPLES = 8  # sample points per cell and axis: a share is exact to about 1/64


def zone_cells(polygon: Sequence[tuple[float, float]], grid: int) -> NDArray[np.float32]:
    """Share of each cell [g, g] (row, column) that lies inside ``polygon`` ((x, y) in 0–1, from the upper left).

    Even-odd rule, by sampling; a polygon too thin to hit a sample point still gets the cells of its corners.
    """
    centres = (np.arange(grid * _SAMPLES) + 0.5) / (grid * _SAMPLES)
    x, y = np.meshgrid(centres, centres)
    inside = np.zeros_like(x, dtype=bool)
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        crosses = (y0 > y) != (y1 > y)  # of the ray from each sample point to the right; never of a horizontal edge
        at = x0 + np.divide(y - y0, y1 - y0, out=np.zeros_like(y), where=crosses) * (x1 - x0)
        inside ^= crosses & (x < at)
    shares: NDArray[np.float32] = inside.reshape(grid, _SAMPLES, grid, _SAMPLES).mean(axis=(1, 3)).astype(np.float32)
    if not shares.any():
        for px, py in polygon:
            shares[min(int(py * grid), grid - 1), min(int(px * grid), grid - 1)] = 1.0
    return shares
