"""Windows disturbed on their way into a batch: seconds left out, two windows mixed."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamwatch.training.windows import Batch

__all__ = ["kept_seconds", "mix", "thin"]

Array = NDArray[np.float32]


def kept_seconds(age: Array, largest: int, rng: np.random.Generator) -> Array:
    """1 for every 1st … ``largest``-th second of each window [B, N], counted from now; one step a window."""
    step = rng.integers(1, largest + 1, size=len(age))
    return np.asarray(age % step[:, None] == 0, np.float32)


def thin(batch: Batch, largest: int, rng: np.random.Generator) -> Batch:
    """Each window keeps every 1st … ``largest``-th second, counted from now (VideoBERT sub-samples 1–5).

    An event that is now, but no longer seen in any second that is left, becomes unknown.
    """
    if largest <= 1:
        return batch
    kept = kept_seconds(batch.age, largest, rng) * batch.mask
    lost = ((batch.each == 1.0) & (kept[:, :, None] == 0.0)).any(1)
    left = ((batch.each == 1.0) & (kept[:, :, None] == 1.0)).any(1)
    now = np.where((batch.now == 1.0) & lost & ~left, np.float32(np.nan), batch.now)
    each = np.where(kept[:, :, None] == 0.0, np.float32(np.nan), batch.each)
    return replace(batch, visual=batch.visual * kept[:, :, None], mask=kept, now=now, each=each)


def mix(batch: Batch, first: int, alpha: float, rng: np.random.Generator) -> Batch:
    """Mixup (Zhang et al., ICLR 2018, arXiv 1710.09412) of each window from the ``first``-th on with another one of
    them, second by second, λ ~ Beta(α, α), the nearer one's mask. What one of both does not know is not known."""
    count = len(batch.visual) - first
    if alpha <= 0.0 or count < 2:
        return batch
    partner = first + rng.permutation(count)
    weight = rng.beta(alpha, alpha, size=count).astype(np.float32)
    weight = np.maximum(weight, 1 - weight)
    visual, now, each = batch.visual.copy(), batch.now.copy(), batch.each.copy()
    both = (batch.mask[first:] * batch.mask[partner])[:, :, None]
    slots = weight[:, None, None]
    mixed = slots * batch.visual[first:] + (1 - slots) * batch.visual[partner]
    visual[first:] = np.where(both == 1.0, mixed, batch.visual[first:])
    now[first:] = weight[:, None] * batch.now[first:] + (1 - weight[:, None]) * batch.now[partner]
    seconds = slots * batch.each[first:] + (1 - slots) * batch.each[partner]
    each[first:] = np.where(both == 1.0, seconds, batch.each[first:])
    return replace(batch, visual=visual, now=now, each=each)
