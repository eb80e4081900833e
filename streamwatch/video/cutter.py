"""Pictures as they arrive → clips with their times: the same steps for a live camera and for a file."""

import math
import time
from collections.abc import Callable, Sequence

from streamwatch.video.clock import PtsClock
from streamwatch.video.frame import Clip, Image
from streamwatch.video.mask import PrivacyMask
from streamwatch.video.picture import Picture
from streamwatch.video.window import ClipTiming, ClipWindow

__all__ = ["Cutter"]

REST = 0.5  # seconds at most: at 8 Mbit/s half a megabyte, which the socket's buffer grows to
BRIEF = 0.02  # seconds not worth it


class Cutter:
    """Stamps pictures, masks and cuts them, and ends the epoch where the stream breaks.

    ``on_gap(reason, samples)`` hears of each break and of how many samples were thrown away with it. Reasons:
    silence, backwards, jump, drift, resolution, and whatever ``restart`` is given.
    """

    def __init__(
        self,
        camera: str,
        timing: ClipTiming,
        masks: Sequence[Sequence[tuple[float, float]]] = (),
        on_gap: Callable[[str, int], None] = lambda reason, samples: None,
    ) -> None:
        self._mask = PrivacyMask(masks, timing.size)
        self._size = timing.size
        self._window = ClipWindow[Picture](camera, timing, self._scale, on_gap)
        self._still: tuple[Picture, Image] | None = None
        self._clock = PtsClock()
        self._shape: tuple[int, int] | None = None
        self.at = 0.0  # when the last picture was taken (UTC s)
        self._pts: float | None = None  # of the last picture of this connection, on the stream's line
        self.step = 0.0  # seconds of stream from the picture before it; 0.0 where its clock was set, or there was none
        self.scale_seconds = 0.0  # CPU time spent on it, until who counts it sets it back

    def observe(self, picture: Picture, arrival: float, wall: float) -> list[Clip]:
        """Take the next picture, which came at ``arrival`` (monotonic), ``wall`` in UTC; the clips it completes."""
        stamp = self._clock.stamp(picture.pts, arrival, wall)
        self.at, gap = stamp.at, stamp.gap
        self.step = 0.0 if gap is not None or self._pts is None else stamp.pts - self._pts
        self._pts = stamp.pts
        if self._shape is not None and self._shape != picture.shape:
            gap = "resolution"
        self._shape = picture.shape
        if gap is not None:
            self._window.gap(gap)
        return self._window.observe(picture, stamp.pts, stamp.at, picture.damaged, picture.still is not None)

    def restart(self, reason: str) -> None:
        """The connection is over: the next picture is of another one, with another clock."""
        self._window.gap(reason)
        self._clock = PtsClock()
        self._pts = self._shape = None
        self._still = None

    def gap(self, reason: str) -> None:
        """Pictures were left out here: what comes now must not be cut into one clip with what came before."""
        self._window.gap(reason)

    def rest(self) -> float:
        """Seconds that pictures may gather before they are taken, without the next clip being later for it."""
        left = self._window.left()
        return left / math.ceil(left / REST) if left > BRIEF else 0.0

    def left(self) -> float:
        """Seconds from the last picture to the end of the next clip; 0.0 where there is no picture yet."""
        return self._window.left()

    def finish(self) -> list[Clip]:
        """The clip that the last picture of a file completes."""
        return self._window.finish()

    def _scale(self, picture: Picture) -> Image:
        """What the model sees of ``picture``; one array for all that repeat the same one."""
        repeated = picture.still
        if repeated is None:
            return self._shrink(picture)
        if self._still is None or self._still[0] is not repeated:
            self._still = repeated, self._shrink(repeated)
        return self._still[1]

    def _shrink(self, picture: Picture) -> Image:
        began = time.thread_time()
        image = self._mask.apply(picture.scale(self._size))
        self.scale_seconds += time.thread_time() - began
        return image
