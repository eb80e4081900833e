"""Whether a stream has stopped showing anything new although pictures arrive. Pure: time is an argument."""

import zlib
from collections import OrderedDict

import cv2
import numpy as np
from numpy.typing import NDArray

from streamwatch.video.frame import Image

__all__ = ["FROZEN_AFTER", "Standstill"]

FROZEN_AFTER = 20.0  # seconds without a new picture: longer than all but the longest keyframe intervals
MEMORY = 24.0  # seconds for which a picture is known again: longer than FROZEN_AFTER, shorter than most loops of film
KEPT = 256  # pictures remembered at most
ALIKE = 16  # grey levels that requantising one and the same picture moves a pixel at most (x264: 12 at crf 40)


class Standstill:
    """Frozen: for FROZEN_AFTER seconds each picture was, bit by bit, one of those of the MEMORY seconds before it, and
    no pixel went further than ALIKE from where it was when that began.

    A camera whose sensor hangs is encoded on: its pictures differ where a keyframe quantises anew, but they come round
    again. A scene in which only noise moves never does: an encoder may leave the noise out (skipped blocks, identical
    pictures for seconds), the next keyframe shows it. The second condition keeps a short film that is played in a loop
    from being taken for a hanging sensor.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[int, float] = OrderedDict()  # checksum → when it was last seen
        self._anchor: NDArray[np.uint8] | None = None  # grey, of the beginning of the stretch
        self._still = 0.0

    def observe(self, frames: Image, grey: NDArray[np.uint8], now: float, step: float) -> bool:
        """Take the pictures of the last second (uint8 [T, S, S, 3]; ``grey`` is the last of them), ``step`` seconds
        after those before; whether the stream is frozen. ``now`` counts seconds that were seen."""
        fresh = not self._seen_before(grey, now)
        if not fresh:  # a lamp that blinks once a second looks alike once a second: remember and ask the others too
            others = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames[:-1]]
            fresh = not all([self._seen_before(other, now) for other in others])  # noqa: C419
        if fresh or self._anchor is None or int(cv2.absdiff(grey, self._anchor).max()) > ALIKE:
            self._anchor = grey
            self._still = 0.0
        else:
            self._still += step
        return self._still >= FROZEN_AFTER

    def restart(self) -> None:
        """Something changed that was not among the pictures."""
        self._anchor = None

    def _seen_before(self, grey: NDArray[np.uint8], now: float) -> bool:
        key = zlib.crc32(grey.tobytes())
        before = self._known.pop(key, None)
        self._known[key] = now
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return before is not None and now - before <= MEMORY
