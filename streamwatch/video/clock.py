"""When a picture was taken: the stream's own clock mapped to UTC. Pure: every time is an argument."""

from dataclasses import dataclass

__all__ = ["PtsClock", "Stamp", "SteadyClock"]

BACKWARDS = 0.1  # seconds that a pts may run back before it is a fault: some cameras jitter their stamps
AHEAD = 3.0  # seconds that a stream may run ahead of its arrival: a server may send its cached GOP at once
BEHIND = 10.0  # seconds that it may fall behind: beyond it the camera's clock is wrong, not the network slow
SILENCE = 1.0  # a longer step is a gap to every window, so the mapping may move there
DRIFT = 200e-6  # largest rate at which a late stream is taken for a slow crystal


class SteadyClock:
    """UTC that never steps: the wall clock at one moment, and monotonic time since.

    Share one in a process, so that cameras agree and ages stay right when the wall clock is set (NTP, an operator).
    """

    def __init__(self, wall: float, monotonic: float) -> None:
        self._base = wall - monotonic

    def at(self, monotonic: float) -> float:
        """UTC seconds (epoch) at ``monotonic``."""
        return self._base + monotonic


@dataclass(frozen=True, slots=True)
class Stamp:
    """When one picture was taken.

    ``pts``: seconds on the stream's line; ``at``: UTC seconds. Neither runs back, except that ``pts`` restarts at a
    gap. ``late``: seconds behind the quickest arrival. ``gap``: why this picture cannot follow the one before.
    """

    pts: float
    at: float
    late: float
    gap: str | None = None


class PtsClock:
    """Maps the pts of one connection to UTC.

    The first picture's arrival is the anchor. Pictures that arrive early show that the anchor was late (the first one
    waited for the decoder) and move it at once, though never so fast that time stands still; pictures that arrive late
    move it by no more than a crystal's drift, for they may just be delayed. A pts that runs back or ahead of its
    arrival, or far behind it, is a gap and a new anchor. ``wall`` is read at anchors only: a wall clock that is set
    while the camera runs neither breaks the stream nor bends its time.
    """

    def __init__(self) -> None:
        self._last: Stamp | None = None
        self._arrival = 0.0  # of the last picture, monotonic
        self._shift: float | None = None  # raw pts → line
        self._offset = 0.0  # line → monotonic
        self._base = 0.0  # monotonic → UTC

    def stamp(self, pts: float | None, arrival: float, wall: float) -> Stamp:
        """Stamp a picture of the stream's time ``pts`` (None: unknown) that came at ``arrival`` (monotonic)."""
        last = self._last
        line = self._on_line(pts, arrival)
        if last is None:
            return self._anchor(line, arrival, wall, None)
        step = line - last.pts
        if step < -BACKWARDS:
            return self._restart(pts, arrival, wall, "backwards")
        line, step = max(line, last.pts), max(step, 0.0)
        lead = line + self._offset - arrival
        if lead > AHEAD:
            return self._restart(pts, arrival, wall, "jump")
        if lead < -BEHIND:
            return self._restart(pts, arrival, wall, "drift")
        if lead > 0 and step > SILENCE:
            self._offset -= lead
        elif lead > 0:
            self._offset -= min(lead, step / 2)
        else:
            self._offset += min(-lead, step * DRIFT)
        return self._keep(line, arrival, None)

    def _on_line(self, pts: float | None, arrival: float) -> float:
        """``pts`` on the stream's line; where the stream says none, the line goes on with the arrivals."""
        expected = 0.0 if self._last is None else self._last.pts + arrival - self._arrival
        if pts is None:
            return expected
        if self._shift is None:
            self._shift = 0.0 if self._last is None else expected - pts
        return pts + self._shift

    def _restart(self, pts: float | None, arrival: float, wall: float, gap: str) -> Stamp:
        self._shift = None if pts is None else 0.0
        return self._anchor(0.0 if pts is None else pts, arrival, wall, gap)

    def _anchor(self, line: float, arrival: float, wall: float, gap: str | None) -> Stamp:
        self._offset = arrival - line
        self._base = wall - arrival
        return self._keep(line, arrival, gap)

    def _keep(self, line: float, arrival: float, gap: str | None) -> Stamp:
        taken = line + self._offset
        at = taken + self._base
        if self._last is not None:
            at = max(at, self._last.at)
        self._last = Stamp(line, at, max(0.0, arrival - taken), gap)
        self._arrival = arrival
        return self._last
