"""Whether anything moves, by the sizes of a camera's packets alone. Pure: times are arguments.

An encoder spends bits on what changes. How many, is each camera's own: its noise, its rate control, its quality. So
sizes are read against what they were in seconds that were decoded and looked at, and where such seconds with and
without motion have the same sizes (constant bitrate, heavy noise), or none with motion has been seen yet, they are
only half of the proof: the next keyframe is the other half, and without it the camera is decoded all the time.

Of 36 encodings of six feeds, the packets of seconds with motion were at least 1.9 times those of calm seconds (lowest
5 % against the median) where the latter took at most 3 % of a keyframe, but 0.5 to 2 times where they took over 5 %.
"""

import math
from collections import deque
from collections.abc import Iterable
from itertools import islice

from streamwatch.activity import CALM

__all__ = ["STATES", "Stillness"]

STATES = ("learning", "active", "still", "uninformative")

MOVES = 1.0  # grey levels of motion
LEARN = 5.0  # seconds decoded at the beginning, whatever they show
SPAN = 0.5  # seconds that a packet's size is averaged over: a group of B-frames, the pulse of a rate control
QUIET = 1.0  # seconds without a sign of motion until a camera counts as still
AWAKE = 2.0  # the same after a keyframe that showed what the sizes had hidden
ENOUGH = 3  # calm seconds that must have been looked at before sizes are trusted
MARGIN = 1.1  # over the largest sizes of calm seconds; and
WIDE = 1.5  # where a keyframe must agree, too
SAFE = 0.9  # of the smallest sizes of seconds with motion
FEW = 5  # seconds with motion below which their sizes say nothing yet
SKIPPED = 0.03  # of a keyframe: packets that small hold hardly any picture; motion must show in them
FADED = 1.3  # over the largest sizes of the last half minute: where noise wanes (dawn), the threshold follows
MINUTE = 60
GOP = 2.5  # seconds from keyframe to keyframe at most where they must prove what sizes do not


class Stillness:
    """Decides packet by packet; the packets of one connection, in the order of decoding.

    ``spaced`` hears of each keyframe, ``observe`` says whether the picture is still, ``looked`` tells what decoded
    seconds showed, ``compared`` what two keyframes far apart did. All times are the stream's, in seconds.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._recent: deque[tuple[float, float]] = deque(maxlen=100_000)  # time, size; no keyframes
        self._sum = 0.0  # of those sizes
        self._means: deque[tuple[float, float]] = deque(maxlen=1024)  # their means over SPAN
        self._calm: deque[float] = deque(maxlen=MINUTE)  # largest mean of a second that was looked at and calm
        self._moving: deque[float] = deque(maxlen=MINUTE)  # and of one in which something moved
        self._still: deque[float] = deque(maxlen=MINUTE // 2)  # and of one that nobody looked at
        self._second = 0.0
        self._keyframe = 0.0  # bytes, smoothed
        self._key_at = -math.inf  # pts of the last one
        self._gop = math.inf  # seconds between the last two
        self._limit: float | None = None  # bytes a packet; None where sizes are not known yet
        self._stirred = 0.0  # until when the picture counts as active
        self._last = math.inf  # motion of the last second looked at
        self.state = "learning"
        self.sure = False  # whether sizes alone tell; if not, the next keyframe must prove what is still
        self.differed = 0  # keyframes looked at that were not, bit by bit, the one looked at before

    def observe(self, pts: float, size: float, keyframe: bool) -> bool:
        """Take a packet of ``size`` (bytes, or what they were at one quality); whether it need not be decoded yet."""
        if self._began is None:
            self._began = pts
        if keyframe:
            self._keyframe = size if not self._keyframe else 0.7 * self._keyframe + 0.3 * size
        else:
            self._weigh(pts, size)
        self.state = self._judge(pts)
        return self.state == "still"

    def spaced(self, pts: float) -> None:
        """Take note of a keyframe at ``pts`` that was read, decoded or left out."""
        self._gop, self._key_at = pts - self._key_at, pts

    def looked(self, pts: float, seconds: float, motion: float) -> None:
        """The ``seconds`` before ``pts`` were decoded and showed ``motion`` (grey levels)."""
        self._last = motion
        peak = max((mean for at, mean in self._means if pts - seconds < at <= pts), default=None)
        if peak is None:
            return
        if motion < CALM:
            self._calm.append(peak)
        elif motion >= MOVES:
            self._moving.append(peak)
        self._separate()

    def compared(self, pts: float, motion: float) -> bool:
        """The keyframe at ``pts`` differs from an earlier one by ``motion``; whether the picture is still all the same.

        What the sizes did not show is looked at for a while.
        """
        if motion >= MOVES:
            self.wake(pts)
        return self.state == "still"

    def wake(self, pts: float) -> None:
        """Count the picture as active for a while."""
        self._stirred = max(self._stirred, pts + AWAKE)
        if self.state == "still":
            self.state = "active"

    def _weigh(self, pts: float, size: float) -> None:
        recent = self._recent
        recent.append((pts, size))
        self._sum += size
        while len(recent) > 1 and not pts - SPAN < recent[0][0] <= pts + SPAN:
            self._sum -= recent.popleft()[1]
        mean = self._sum / len(recent)
        self._means.append((pts, mean))
        if self.state == "still":
            self._fade(pts, mean)
        limit = self._limit
        if limit is not None and mean > limit:
            self._stirred = max(self._stirred, pts + QUIET)

    def _fade(self, pts: float, mean: float) -> None:
        """Keep the largest mean of each still second, and lower the limit where all have become smaller."""
        if not self._still or pts - self._second >= 1.0:
            self._second = pts
            self._still.append(mean)
        else:
            self._still[-1] = max(self._still[-1], mean)
        if len(self._still) == self._still.maxlen and self._limit is not None and self.sure:
            self._limit = min(self._limit, FADED * max(islice(self._still, len(self._still) - 1)))

    def _judge(self, pts: float) -> str:
        assert self._began is not None
        if self._limit is None or pts - self._began < LEARN:
            return "learning"
        if not self.sure and not 0 < self._gop <= GOP:
            return "uninformative" if len(self._moving) >= FEW else "learning"
        if pts < self._stirred or (self.state != "still" and self._last >= MOVES):
            return "active"
        return "still"

    def _separate(self) -> None:
        """Find the size between calm and motion, and whether there is one."""
        if len(self._calm) < ENOUGH:
            return
        middle, limit = _quantile(self._calm, 0.5), MARGIN * _quantile(self._calm, 0.9)
        if len(self._moving) >= FEW:
            limit = min(limit, SAFE * _quantile(self._moving, 0.05))
            self.sure = limit > middle
        else:
            self.sure = middle <= SKIPPED * self._keyframe
        self._limit = limit if self.sure else WIDE * max(self._calm)


def _quantile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[int(share * (len(ordered) - 1))]
