"""What a replay saw of a camera: for how long there were scores, and when there were none."""

from dataclasses import dataclass
from math import inf

from streamwatch.rules.condition import SILENCE
from streamwatch.rules.lull import Lull

__all__ = ["Coverage", "Sight"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was seen of a camera: ``seconds`` is the time with scores; ``blind`` the longest time without, and since
    when it was (None if there was none above 10 s).
    """

    camera: str
    first: float
    last: float
    detections: int
    gaps: int
    seconds: float
    blind: float
    blind_since: float | None


class Sight:
    """Coverage of one camera while it grows; detections are those of the whole picture."""

    __slots__ = ("_begun", "_blind", "_count", "_first", "_gaps", "_last", "_now", "_seconds", "_since")

    def __init__(self) -> None:
        self._first, self._last = inf, -inf
        self._begun = self._now = -inf  # of what is seen without a break
        self._count = self._gaps = 0
        self._seconds = self._blind = 0.0  # before ``_begun``
        self._since: float | None = None

    def see(self, at: float) -> None:
        """One came."""
        step = at - self._now
        self._count += 1
        if 0 < step <= SILENCE:
            self._now = at
        elif step > SILENCE or step < -SILENCE:  # silence, the first of all, or the clock was set back
            if self._blind < step < inf:
                self._blind, self._since = step, self._now
            self._seconds = self._seen()
            self._last = max(self._last, self._now)
            self._first = min(self._first, at)
            self._begun = self._now = at

    def pass_over(self, lull: Lull) -> None:
        """All those of ``lull`` came."""
        for passed in lull.zones:
            if passed.zone is None:
                self.see(passed.first)
                self._now = max(self._now, passed.last)
                self._count += passed.count - 1

    def gap(self) -> None:
        """The stream broke."""
        self._gaps += 1

    def coverage(self, camera: str) -> Coverage:
        """What was seen until now."""
        last = max(self._last, self._now)
        return Coverage(camera, self._first, last, self._count, self._gaps, self._seen(), self._blind, self._since)

    def _seen(self) -> float:
        return self._seconds + (self._now - self._begun if self._begun > -inf else 0.0)
