"""The times of a clip: those of its packets, laid on one line, and for each packet a time to decode it."""

from collections import deque
from fractions import Fraction

from streamwatch.video.packets import Packet, Run

__all__ = ["TIME_BASE", "Line", "Order"]

TIME_BASE = Fraction(1, 90_000)
LOOK = 16  # packets looked ahead to find the order of decoding: the most that H.264 lets a picture wait


class Line:
    """A clip's own time in TIME_BASE: each run's clock, laid where UTC says."""

    def __init__(self, first: Packet) -> None:
        self._start = first.at
        self._run: Run = first.run
        self._base: Fraction = -first.pts * first.run.codec.time_base

    def at(self, packet: Packet) -> int:
        """When ``packet`` is shown."""
        seconds = packet.pts * packet.run.codec.time_base
        if packet.run is not self._run:
            self._run = packet.run
            self._base = Fraction(packet.at - self._start).limit_denominator(90_000) - seconds
        return round((seconds + self._base) / TIME_BASE)


class Order:
    """Times of decoding for packets that bear those of showing: the same times, sorted, and early enough."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, Packet]] = deque(maxlen=LOOK + 1)
        self._times: list[int] = []  # of showing, sorted, not yet given as times of decoding
        self._begun = False
        self._last: int | None = None

    def put(self, pts: int, packet: Packet) -> list[tuple[int, int, Packet]]:
        """(pts, dts, packet) of those whose turn it is."""
        self._waiting.append((pts, packet))
        self._times = sorted([*self._times, pts])
        return [self._next()] if len(self._waiting) > LOOK else []

    def rest(self) -> list[tuple[int, int, Packet]]:
        """All that wait."""
        return [self._next() for _ in range(len(self._waiting))]

    def _next(self) -> tuple[int, int, Packet]:
        if not self._begun:
            self._begun = True
            self._delay()
        pts, packet = self._waiting.popleft()
        dts = min(self._times.pop(0), pts)
        if self._last is not None and dts <= self._last:
            dts = self._last + 1
        self._last = dts
        return max(pts, dts), dts, packet

    def _delay(self) -> None:
        """Times before the first, one for each picture that is decoded before it may be shown."""
        shown = [pts for pts, _ in self._waiting]
        ahead = max((i - rank for i, rank in ((i, sorted(shown).index(pts)) for i, pts in enumerate(shown))), default=0)
        step = (self._times[-1] - self._times[0]) // max(1, len(self._times) - 1)
        self._times = [self._times[0] - (ahead - i) * step for i in range(ahead)] + self._times
