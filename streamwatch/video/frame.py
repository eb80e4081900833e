"""The values that flow from a camera to the model: frames and clips."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Clip", "Frame", "Image"]

Image = NDArray[np.uint8]
"""uint8 [H, W, 3], RGB."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture, already at the model's size.

    ``seq`` counts the sampled frames of one connection; ``pts`` is the stream's clock in seconds;
    ``at`` is UTC seconds (epoch); ``image`` is uint8 [S, S, 3] RGB; ``damaged`` as in Clip;
    ``still``: it repeats the last decoded picture.
    """

    camera: str
    seq: int
    pts: float
    at: float
    image: Image
    damaged: bool = False
    still: bool = False


@dataclass(frozen=True, slots=True)
class Clip:
    """Consecutive sampled frames that the encoder turns into one token.

    ``start`` and ``end`` are UTC seconds of the first and last frame; ``frames`` is uint8 [T, S, S, 3];
    ``epoch`` rises with each gap (reconnect, resolution change, pts jump), so that a window is never spliced;
    ``index`` counts the clips of one epoch from 0, so that a dropped clip shows as a hole;
    ``damaged``: the decoder found errors in a picture or in one that it builds on, so what is seen may not be there;
    ``still``: the share of frames that were not decoded, because nothing moved, and repeat the last one that was; at
    1.0 they are all the same; ``activity``: float32 [g, g], how much each cell changes, where that is known already.
    """

    camera: str
    start: float
    end: float
    frames: Image
    epoch: int
    index: int
    damaged: bool = False
    still: float = 0.0
    activity: NDArray[np.float32] | None = None
