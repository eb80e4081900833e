"""Privacy masks: parts of the picture that nobody sees, not even the model."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from streamwatch.video.frame import Image

__all__ = ["PrivacyMask", "hidden"]

Outline = Sequence[tuple[float, float]]
"""(x, y) in 0–1 of the picture, from the upper left."""


class PrivacyMask:
    """Blanks polygons in a scaled picture. A pixel that a polygon touches at all is blanked.

    ``hidden`` is bool [size, size], True where it does; None where there are no polygons.
    """

    def __init__(self, polygons: Sequence[Outline], size: int) -> None:
        self.hidden = hidden(polygons, size, size) if polygons else None

    def apply(self, image: Image) -> Image:
        """``image`` (uint8 [size, size, 3]) with the masked parts black; the same array where there is no mask."""
        if self.hidden is None:
            return image
        blanked = image.copy()
        blanked[self.hidden] = 0
        return blanked


def hidden(polygons: Sequence[Outline], width: int, height: int) -> NDArray[np.bool_]:
    """bool [height, width]: True where a polygon is, its border included."""
    fine = 8  # bits of sub-pixel precision for OpenCV
    canvas = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        # pixel centres are whole numbers to OpenCV
        corners = np.asarray(polygon, np.float64) * (width, height) - 0.5
        corners = np.rint(corners * (1 << fine)).astype(np.int32)
        cv2.fillPoly(canvas, [corners.reshape(-1, 1, 2)], 255, cv2.LINE_8, fine)
    return canvas > 0
