"""How many clips were not cut because pictures were left out. Pure: seconds of the stream are arguments."""

import math

from streamwatch.video.window import EXACT, ClipTiming

__all__ = ["Missed"]


class Missed:
    """Counts the ends of clips that fall into what is left out of one camera's stream: while it lasts, as the stream
    goes by, and the rest once a picture comes again. What is over or under a stride is carried on, so that the clips
    cut and the clips missed add up to the stream's time, to within one.
    """

    def __init__(self, timing: ClipTiming) -> None:
        self._stride = timing.stride_seconds
        self._first = (timing.frames - 1) * timing.interval  # seconds from an epoch's first picture to its first clip
        self._left = 0.0  # seconds from the last picture to the end of the clip that it should have been in
        self._passed = 0.0  # seconds since that picture, as far as known
        self._told = 0  # clips of this stretch
        self._carried = 0.0  # of a clip, from the stretches before
        self.leaving = False

    def leave(self, left: float) -> None:
        """Pictures are left out from here. The next clip would have been whole ``left`` seconds after the last
        picture; 0.0: there was none yet.
        """
        self._left = left or self._first
        self._passed, self._told, self.leaving = 0.0, 0, True

    def passed(self, seconds: float) -> int:
        """So many more ``seconds`` of stream were left out; the clips missed by that."""
        self._passed += max(0.0, seconds)
        return self._tell(math.floor((self._passed - self._left) / self._stride + EXACT) + 1)

    def resume(self, seconds: float) -> int:
        """A picture came, ``seconds`` after the last one (0.0: the stream's clock does not say); the clips missed that
        were not told yet. Nothing but that if none was left out.
        """
        if not self.leaving:
            return 0
        self._passed = max(self._passed, seconds)
        clips = self._carried + (self._passed + self._first - self._left) / self._stride
        more = self._tell(math.floor(clips + EXACT))
        self._carried = clips - self._told
        self.leaving = False
        return more

    def restart(self) -> None:
        """The connection is over: what it would have sent is not known."""
        self.leaving = False

    def _tell(self, clips: int) -> int:
        more = max(0, clips - self._told)
        self._told += more
        return more
