"""Batch sizes that a GPU knows: each has its kernels chosen, its memory laid out and its graph recorded once. Pure."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["BUCKETS", "bucket", "max_batch", "padded"]

BUCKETS = (1, 2, 4, 8, 16, 32)
_CPU_BATCH = 4  # clips: larger batches gain next to nothing on a CPU, and all of them wait for the last


def max_batch(provider: str, threads: int = 1) -> int:
    """Clips that inference takes at once on ``provider`` (cpu, cuda, tensorrt); on a CPU as many for each of
    ``threads``, so that none is without one."""
    return -(-_CPU_BATCH // threads) * threads if provider == "cpu" else BUCKETS[-1]


def bucket(count: int) -> int:
    """The smallest bucket that holds ``count`` rows. Raises ValueError for none, and for more than the largest."""
    if not 1 <= count <= BUCKETS[-1]:
        raise ValueError(f"a batch of {count}; 1 to {BUCKETS[-1]} fit")
    return next(size for size in BUCKETS if size >= count)


def padded(feeds: Mapping[str, NDArray[np.generic]], size: int) -> dict[str, NDArray[np.generic]]:
    """``feeds`` with ``size`` rows each. A full batch is handed on as it is, not copied.

    The last row is repeated: dynamic int8 takes its range from the whole batch, so that rows of zeros would change
    the scores of the others.
    """
    return {name: rows if len(rows) == size else _padded(rows, size) for name, rows in feeds.items()}


def _padded(rows: NDArray[np.generic], size: int) -> NDArray[np.generic]:
    whole = np.empty((size, *rows.shape[1:]), rows.dtype)
    whole[: len(rows)] = rows
    whole[len(rows) :] = rows[-1]
    return whole
