"""What a packet ring learns from pictures: when they were taken and, of sources without packets, what they show."""

from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from streamwatch.video.mask import hidden
from streamwatch.video.packets import Codec, PacketRing
from streamwatch.video.picture import ArrayPicture, Picture

__all__ = ["Sketch"]

RATE = 5.0  # pictures a second of a device or a scene that are kept
WIDTH = 1280  # at most
QUALITY = 85
TIME_BASE = Fraction(1, 1000)


class Sketch:
    """Keeps ``ring`` in step with the pictures of its camera. Owned by the camera's thread.

    Devices and synthetic scenes have no packets: of these a few pictures a second are kept as JPEG, masked already.
    """

    def __init__(self, ring: PacketRing, masks: Sequence[Sequence[tuple[float, float]]] = ()) -> None:
        self._ring = ring
        self._masks = masks
        self._due = 0.0  # UTC s
        self._begun = False
        self._hidden: NDArray[np.bool_] | None = None

    def observe(self, picture: Picture, at: float) -> None:
        """``picture`` was taken at ``at`` (UTC s)."""
        if not isinstance(picture, ArrayPicture):
            if picture.pts is not None:
                self._ring.align(picture.pts, at)
            return
        if not self._begun:
            self._begun = True
            self._ring.begin(Codec("mjpeg", b"", TIME_BASE, RATE))
        if at < self._due < at + 1:  # or the clock was set back
            return
        self._due = at + 1 / RATE
        self._ring.add(self._draw(picture), round(at / TIME_BASE), keyframe=True)
        self._ring.align(at, at)  # its times are UTC already

    def _draw(self, picture: ArrayPicture) -> bytes:
        width, height = picture.shape
        image = np.ascontiguousarray(picture.image[:, :, ::-1])
        if width > WIDTH:
            width, height = WIDTH, round(height * WIDTH / width)
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        if self._masks:
            if self._hidden is None or self._hidden.shape != (height, width):
                self._hidden = hidden(self._masks, width, height)
            image[self._hidden] = 0
        return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()
