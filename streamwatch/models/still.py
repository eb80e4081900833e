"""What a still camera costs: nothing is encoded anew, and a window that repeats another one is not scored again."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from streamwatch.activity import CALM, level
from streamwatch.models.detection import Token
from streamwatch.models.window import Window
from streamwatch.video.frame import Clip, Image

__all__ = ["Stills"]

FADED = 3.0  # grey levels of mean difference: light that changes slowly


@dataclass(frozen=True, slots=True)
class _Scored:
    window: Window
    probabilities: NDArray[np.float64]


class Stills:
    """Remembers, for each camera, the token of its last calm second and the scores of its last windows.

    A still second repeats the last one that was decoded, noise included: the model was never shown one without any,
    and takes what follows it for something else.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, tuple[Image, Token]] = {}
        self._scored: dict[tuple[str, str | None], _Scored] = {}

    def token(self, clip: Clip) -> Token | None:
        """The token of ``clip`` if it is still and shows what the one that was encoded did, but for noise."""
        known = self._tokens.get(clip.camera) if clip.still == 1.0 else None
        if known is None or cv2.norm(known[0], clip.frames[0], cv2.NORM_L1) > FADED * known[0].size:
            return None
        return replace(known[1], start=clip.start, end=clip.end, epoch=clip.epoch, index=clip.index)

    def keep(self, clip: Clip, token: Token) -> None:
        """``clip`` was encoded into ``token``."""
        if clip.still < 1.0 and level(token.activity) >= CALM:
            self._tokens.pop(clip.camera, None)  # who came may stand still now, too small for the pictures to differ
        elif clip.still == 1.0 or clip.activity is not None:  # decoded on demand, and all of it was
            # copies: these are parts of a whole batch, and may be kept for hours
            own = replace(token, embedding=token.embedding.copy(), grid=token.grid.copy(), motion=token.motion.copy())
            self._tokens[clip.camera] = clip.frames[-1].copy(), own

    def scores(self, window: Window) -> NDArray[np.float64] | None:
        """The probabilities [E] of the last window of this camera and zone, if it was the same to the model."""
        known = self._scored.get((window.camera, window.zone))
        if known is None or not _alike(known.window, window):
            return None
        return known.probabilities

    def keep_scores(self, window: Window, probabilities: NDArray[np.float64]) -> None:
        """``window`` was scored as ``probabilities`` [E]."""
        self._scored[window.camera, window.zone] = _Scored(window, probabilities)


def _alike(a: Window, b: Window) -> bool:
    return np.array_equal(a.mask, b.mask) and np.array_equal(a.visual, b.visual)
