"""Whether a live stream is read too late, and what to leave out so that it catches up. Time is an argument."""

import math

from streamwatch.video.turns import Turn, Turns

__all__ = ["Backlog"]

LATE = 1.0  # seconds behind the stream's quickest arrival
PATIENCE = 0.5  # seconds to stay late before anything is left out, unless
GAIN = 0.5  # seconds are gained a second: a network that stalled is caught up
CHUNK = 3.0  # seconds of stream that are decoded at most for a first clip: less than one shows nothing
CAUGHT_UP = 0.5
LOST = 10.0  # seconds: what seems later than this, or is left out for so long, has another clock now
JUMP = 1.0  # seconds that pts may run back from packet to packet: B-frames do, by less
BEHIND = 0.15  # seconds late at which the next packet has come, too, even where B-frames are sent out of order, and
STEPS = 1.5  # steps from picture to picture where they are not
TURN = 3  # clips at most while others wait, if no keyframe comes before
DRIFT = 200e-6  # of a camera's crystal
SILENCE = 1.1  # seconds: in a longer step the camera sent nothing, or has set its clock


class Backlog:
    """Decides packet by packet. A machine that is too slow for its cameras leaves out packets, from here to the first
    keyframe at which the stream is on time again, instead of falling behind for ever: the newest matter most. Where
    others wait for their ``turn``, it leaves out some even if it is on time, and waits for its own.
    """

    def __init__(self, turn: Turn | None = None) -> None:
        self._turn = Turns().join() if turn is None else turn
        self._least = math.inf  # arrival − pts
        self._pts = self._newest = -math.inf
        self._step = math.inf  # seconds from picture to picture
        self._ordered = True  # whether packets come in the order of their pictures
        self._late_since: float | None = None
        self._late_by = 0.0  # then
        self._begun = -math.inf  # pts at which decoding began
        self._clips = 0  # then
        self._skip_since: float | None = None
        self.late = 0.0  # seconds, of the last packet
        self.step = 0.0  # seconds of stream by which it is newer than all before it

    @property
    def skips(self) -> bool:
        """Whether packets are left out just now."""
        return self._skip_since is not None

    @property
    def more(self) -> bool:
        """Whether the next packet should have come, too."""
        return self.late > (min(BEHIND, STEPS * self._step) if self._ordered else BEHIND)

    def admits(self, pts: float, keyframe: bool, arrival: float, clips: int, idle: bool = False) -> bool:
        """Whether to decode the packet with ``pts`` (seconds) that was read at ``arrival`` (monotonic), when so many
        ``clips`` had been cut. ``idle``: it need not be decoded yet anyway.
        """
        self.late = late = self._lateness(pts, arrival)
        if self._begun == -math.inf:
            self._begun = pts
        if self._skip_since is not None:
            if keyframe and late < CAUGHT_UP and self._turn.begin(arrival):
                self._skip_since, self._begun, self._clips = None, pts, clips
        elif not idle and self._clips + (1 if keyframe else TURN) <= clips and self._turn.swap(arrival):
            self._skip_since, self._late_since = arrival, None
        elif late < LATE:
            self._late_since = None
        elif self._late_since is None:
            self._late_since, self._late_by = arrival, late
        elif arrival - self._late_since >= PATIENCE:
            if self._late_by - late >= GAIN * (arrival - self._late_since):
                self._late_since, self._late_by = arrival, late
            elif clips > self._clips or not 0 <= pts - self._begun < CHUNK:
                self._skip_since, self._late_since = arrival, None
        self._turn.decodes(self._skip_since is None and not idle)
        return self._skip_since is None

    def leave(self, now: float) -> None:
        """There is no time for this stream: leave out packets from here, until it is its turn."""
        self._skip_since, self._late_since = now, None
        self._turn.decodes(False)

    def _lateness(self, pts: float, arrival: float) -> float:
        delay = arrival - pts
        stuck = self._skip_since is not None and arrival - self._skip_since > LOST
        self._step = pts - self._pts
        self._ordered = self._ordered and not -JUMP <= self._step <= 0
        jumped = pts < self._pts - JUMP or delay - self._least > LOST
        if delay < self._least or jumped or stuck:
            self._least = delay
        else:
            self._least += DRIFT * max(0.0, pts - self._pts)
        self._pts, newest = pts, self._newest
        self._newest = pts if jumped else max(pts, newest)
        self.step = self._newest - newest if 0.0 < self._newest - newest <= SILENCE else 0.0
        return max(0.0, delay - self._least)
