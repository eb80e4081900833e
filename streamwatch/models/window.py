"""The last N tokens of one camera, without ever splicing across a gap. Pure."""

from collections import deque
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class _Slot:
    """What is kept of a token: of its grid, which is 80 times as large, only what each zone sees."""

    start: float
    epoch: int
    index: int
    seen: Mapping[str | None, Vector]  # by zone; None: the whole picture


class TokenWindow:
    """A ring of the newest ``size`` tokens of one camera. ``zones``: name and covered cells [g, g] (shares 0–1).

    A token of another epoch resets the ring; a token whose index jumps leaves masked holes for the dropped ones.
    """

    def __init__(self, size: int, zones: Sequence[tuple[str, NDArray[np.float32]]] = ()) -> None:
        self._size = size
        self._zones = dict(zones)
        self._slots: deque[_Slot] = deque(maxlen=size)
        self._newest: Token | None = None

    def add(self, token: Token) -> None:
        """Take the next token; one that is older than the newest is ignored."""
        newest = self._newest
        if newest is not None and token.epoch == newest.epoch and token.index <= newest.index:
            return
        if newest is not None and token.epoch != newest.epoch:
            self._slots.clear()
        self._newest = token
        seen: dict[str | None, Vector] = {zone: pool(token, cells) for zone, cells in self._zones.items()}
        self._slots.append(_Slot(token.start, token.epoch, token.index, seen | {None: token.embedding}))
        while token.index - self._slots[0].index >= self._size:
            self._slots.popleft()

    def windows(self) -> list[Window]:
        """Those that end now: of the whole picture, and of each zone. [] before the first token."""
        return [self._window(zone, self._newest) for zone in (None, *self._zones)] if self._newest else []

    def _window(self, zone: str | None, newest: Token) -> Window:
        visual = np.zeros((self._size, newest.embedding.shape[0]), np.float32)
        mask = np.zeros(self._size, np.float32)
        for slot in self._slots:
            place = self._size - 1 - (newest.index - slot.index)
            visual[place] = slot.seen[zone]
            mask[place] = 1.0
        age = np.arange(self._size - 1, -1, -1, dtype=np.float32)
        motion = level(newest.activity, None if zone is None else self._zones[zone])
        return Window(newest.camera, self._slots[0].start, newest.end, zone, visual, age, mask, motion)


def pool(token: Token, cells: NDArray[np.float32]) -> Vector:
    """The token [D] of a part of the picture: the motion-weighted mean of its grid cells."""
    weight = token.motion * cells
    total = float(weight.sum())
    if total <= 0.0:  # nothing of the zone falls on a cell: no evidence rather than a division by zero
        return np.zeros_like(token.embedding)
    return np.asarray(np.tensordot(token.grid, weight, axes=([1, 2], [0, 1])) / total, dtype=np.float32)
