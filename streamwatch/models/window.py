"""The last N tokens of one camera, without ever splicing across a gap. Pure."""

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamwatch.activity import level
from streamwatch.models.detection import Token, Vector

__all__ = ["TokenWindow", "Window", "pool"]


@dataclass(frozen=True, slots=True)
class Window:
    """What the joint transformer reads: ``visual`` float32 [N, D], oldest first; ``age`` float32 [N] counts strides
    back from now (0 = newest); ``mask`` float32 [N] is 1 where a slot holds a token; ``motion`` is the level of the
    newest token's activity. Times are UTC seconds.
    """

    camera: str
    start: float
    end: float
    zone: str | None
    visual: Vector
    age: Vector
    mask: Vector
    motion: float


class TokenWindow:
    """A ring of the newest ``size`` tokens of one camera.

    A token of another epoch resets the ring; a token whose index jumps leaves masked holes for the dropped ones.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._tokens: deque[Token] = deque(maxlen=size)

    def add(self, token: Token) -> None:
        """Take the next token; one that is older than the newest is ignored."""
        newest = self._tokens[-1] if self._tokens else None
        if newest is not None and token.epoch == newest.epoch and token.index <= newest.index:
            return
        if newest is not None and token.epoch != newest.epoch:
            self._tokens.clear()
        self._tokens.append(token)
        while token.index - self._tokens[0].index >= self._size:
            self._tokens.popleft()

    def window(self, zone: str | None, cells: NDArray[np.float32] | None) -> Window:
        """The window that ends now, of the whole picture, or of the zone that covers ``cells`` [g, g] (shares 0–1)."""
        newest = self._tokens[-1]
        visual = np.zeros((self._size, newest.embedding.shape[0]), np.float32)
        mask = np.zeros(self._size, np.float32)
        for token in self._tokens:
            slot = self._size - 1 - (newest.index - token.index)
            visual[slot] = token.embedding if cells is None else pool(token, cells)
            mask[slot] = 1.0
        age = np.arange(self._size - 1, -1, -1, dtype=np.float32)
        motion = level(newest.activity, cells)
        return Window(newest.camera, self._tokens[0].start, newest.end, zone, visual, age, mask, motion)


def pool(token: Token, cells: NDArray[np.float32]) -> Vector:
    """The token [D] of a part of the picture: the motion-weighted mean of its grid cells."""
    weight = token.motion * cells
    total = float(weight.sum())
    if total <= 0.0:  # nothing of the zone falls on a cell: no evidence rather than a division by zero
        return np.zeros_like(token.embedding)
    return np.asarray(np.tensordot(token.grid, weight, axes=([1, 2], [0, 1])) / total, dtype=np.float32)
