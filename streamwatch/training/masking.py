"""What is hidden from the transformer in pre-training: contiguous seconds, and words."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["hide_spans", "hide_words"]

HIDE, REPLACE = 0.8, 0.9  # BERT: 80 % [MASK], 10 % another word, 10 % as it was


def hide_spans(mask: NDArray[np.float32], share: tuple[float, float], rng: np.random.Generator) -> NDArray[np.bool_]:
    """[B, N] bool: in each window one run of neighbouring filled slots, a share of them between the two of ``share``,
    one at least and never all. Single seconds would be copied from their neighbours."""
    hidden = np.zeros(mask.shape, bool)
    for row, filled in enumerate(mask > 0):
        slots = np.flatnonzero(filled)
        if len(slots) < 2:
            continue
        length = int(np.clip(round(rng.uniform(*share) * len(slots)), 1, len(slots) - 1))
        begin = int(rng.integers(len(slots) - length + 1))
        hidden[row, slots[begin : begin + length]] = True
    return hidden


def hide_words(
    ids: Sequence[Sequence[int]], share: float, mask_id: int, vocabulary: int, rng: np.random.Generator
) -> tuple[list[list[int]], NDArray[np.int64]]:
    """Captions with ``share`` of their words hidden (one at least), and the hidden words [B, L], −1 elsewhere."""
    longest = max(len(one) for one in ids)
    given, wanted = [], np.full((len(ids), longest), -1, np.int64)
    for row, one in enumerate(ids):
        count = max(1, round(share * len(one)))
        shown = list(one)
        for place in rng.choice(len(one), size=min(count, len(one)), replace=False):
            wanted[row, place] = one[place]
            what = rng.random()
            if what < HIDE:
                shown[place] = mask_id
            elif what < REPLACE:
                shown[place] = int(rng.integers(vocabulary))
        given.append(shown)
    return given, wanted
