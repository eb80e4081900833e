"""What a camera's scene looks like when all is well, and how much of that a picture still shows. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["SIZE", "Likeness", "Look", "Scenery"]

SIZE = 160  # pictures are looked at in grey of this size
EDGES = SIZE // 2  # edges are compared at this size, so that a shake of the mast is none
COARSE = SIZE // 4
BLOCKS = 10  # by as many blocks
FAINT = 4.0  # grey levels a pixel: an edge of this strength counts half
SLOW = 300  # looks over which the reference follows daylight and whatever is parked
STRUCTURE = 0.02  # mean squared edge of a block that has anything to compare
SAME = 0.5  # cosine of a block's edges against the reference from which it shows the same thing
GONE = 0.25  # part of a block's edges that is left where nothing of them is to be seen
FEW = 8  # blocks with structure, below which nothing is compared

Grey = NDArray[np.uint8]
Plane = NDArray[np.float32]


class Look(NamedTuple):
    """What is compared of a picture: direction of its edges (``x``, ``y``, at most 1 long) and their mean square by
    block, fine and coarse detail (second differences)."""

    x: Plane  # [EDGES, EDGES]
    y: Plane
    strength: Plane  # [BLOCKS, BLOCKS]
    fine: Plane  # [SIZE, SIZE]
    coarse: Plane  # [COARSE, COARSE]


@dataclass(frozen=True, slots=True)
class Likeness:
    """A picture against the reference: ``same`` bool [BLOCKS, BLOCKS], blocks whose edges are where they were;
    ``structured``, the blocks that can be compared; ``lost``, the share of those without edges; ``contrast``, what
    the edges have kept of their strength, median; ``detail``, what fine detail has kept beyond that, None: unknown.
    """

    same: NDArray[np.bool_]
    structured: NDArray[np.bool_]
    lost: float
    contrast: float
    detail: float | None

    @property
    def match(self) -> float:
        """Share of the comparable blocks that show what they showed."""
        return float(self.same[self.structured].mean())


class Scenery:
    """A slow mean of the directions of edges, in which whatever moves averages out, and of fine and coarse detail.

    Edges are compared by direction (Sobel gradients divided by their own length), so neither brighter light nor
    less contrast changes them. ``hidden`` (bool [SIZE, SIZE]) is never looked at.
    """

    def __init__(self, hidden: NDArray[np.bool_] | None = None) -> None:
        self._hidden = None if hidden is None else _shrink_hidden(hidden)
        self.looks = 0
        self._known: Look | None = None

    def look(self, grey: Grey) -> Look:
        """What is compared and learnt of ``grey``, uint8 [SIZE, SIZE]."""
        small = cv2.resize(grey, (EDGES, EDGES), interpolation=cv2.INTER_AREA)
        x = cv2.Sobel(small, cv2.CV_32F, 1, 0, scale=1 / 8)
        y = cv2.Sobel(small, cv2.CV_32F, 0, 1, scale=1 / 8)
        weight = 1 / (cv2.magnitude(x, y) + FAINT)
        if self._hidden is not None:
            weight[self._hidden] = 0
        x, y = x * weight, y * weight
        coarse = cv2.Laplacian(cv2.resize(small, (COARSE, COARSE), interpolation=cv2.INTER_AREA), cv2.CV_32F)
        return Look(x, y, _mean(x * x + y * y), cv2.Laplacian(grey, cv2.CV_32F), coarse)

    def compare(self, look: Look) -> Likeness | None:
        """How much of the reference is there; None where there is too little to compare."""
        known = self._known
        if known is None:
            return None
        reference = _mean(known.x * known.x + known.y * known.y)
        structured = reference > STRUCTURE
        if np.count_nonzero(structured) < FEW:
            return None
        cosine = _mean(look.x * known.x + look.y * known.y) / np.sqrt(reference * look.strength + 1e-9)
        same = cosine > SAME
        kept = (look.strength / np.maximum(known.strength, 1e-6))[structured]
        return Likeness(
            same=same,
            structured=structured,
            lost=float((kept < GONE).mean()),
            contrast=float(np.median(kept)),
            detail=_detail(look, known, structured & same),
        )

    def learn(self, look: Look) -> None:
        """Take it into the reference: the plain mean at first, a slowly forgetting one from SLOW looks on."""
        self.looks += 1
        part = 1 / min(self.looks, SLOW)
        known = self._known or look
        self._known = Look(
            *(cv2.addWeighted(old, 1 - part, new, part, 0) for old, new in zip(known, look, strict=True))
        )


def _detail(look: Look, known: Look, blocks: NDArray[np.bool_]) -> float | None:
    """What is left of the fine detail over what is left of the coarse, so that fading light is no blur. Both are
    projections on the reference: noise is in neither. Only ``blocks`` that show what they showed can tell."""
    left = _mean(look.coarse * known.coarse) / (_mean(known.coarse * known.coarse) + 1e-3)
    power = _mean(known.fine * known.fine)
    usable = blocks & (left > 0.2) & (power > 0.5)
    if np.count_nonzero(usable) < FEW:
        return None
    ratio = _mean(look.fine * known.fine)[usable] / power[usable] / left[usable]
    return float(np.median(ratio))


def _mean(plane: Plane) -> Plane:
    """Block means, [BLOCKS, BLOCKS]."""
    return np.asarray(cv2.resize(plane, (BLOCKS, BLOCKS), interpolation=cv2.INTER_AREA), np.float32)


def _shrink_hidden(hidden: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool [EDGES, EDGES]: hidden, or so near to it that the edge of the mask itself is seen."""
    wide = cv2.dilate(hidden.astype(np.uint8), np.ones((7, 7), np.uint8))
    return np.asarray(cv2.resize(wide, (EDGES, EDGES), interpolation=cv2.INTER_NEAREST) > 0)
