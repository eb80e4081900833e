"""How much usually moves on a camera at this time of day: counts of levels by hour (UTC), the past fading.

Levels fall into bins that are 12 % wide; a bin's count loses FADE of itself each day, so what was seen two weeks ago
weighs half. A level is held against the counts of this hour and of the one before and after it, so hours have no edges
and a clock put forward by one does no harm. 24 hours of BINS numbers are all that is remembered.
"""

from array import array
from math import isfinite, log2
from struct import Struct

__all__ = ["BINS", "FADE", "Baseline"]

BINS = 76
FADE = 0.05
_LAYOUT = Struct(f"<{24 * BINS + 24 + 24}d")  # counts by hour, totals, days
_HOUR = 3600.0
_FINE = 0.05  # grey levels below which all are much the same


class Baseline:
    """Levels of motion in grey levels, learnt one by one. Time is an argument, UTC s; not thread-safe."""

    __slots__ = ("_counts", "_days", "_totals")

    def __init__(self) -> None:
        self._counts = [array("d", bytes(8 * BINS)) for _ in range(24)]
        self._totals = array("d", bytes(8 * 24))
        self._days = array("d", bytes(8 * 24))  # on which each hour was last learnt

    def rank(self, level: float, at: float) -> float:
        """The share of what was seen around this hour that lies below ``level``, 0 to 1.

        What was seen n times has no rank above 1 - 1/(n + 1): to say 0.999 takes a thousand.
        """
        hours = _around(at)
        place = _bin(level)
        below = sum(sum(self._counts[hour][:place]) for hour in hours)
        return below / (1.0 + sum(self._totals[hour] for hour in hours))

    def learn(self, level: float, at: float) -> None:
        """``level`` was seen at ``at``."""
        hour, day = int(at // _HOUR) % 24, at // (24 * _HOUR)
        counts = self._counts[hour]
        if day > self._days[hour]:
            left = (1.0 - FADE) ** (day - self._days[hour])
            for place in range(BINS):
                counts[place] *= left
            self._totals[hour] *= left
        self._days[hour] = day
        counts[_bin(level)] += 1.0
        self._totals[hour] += 1.0

    def to_bytes(self) -> bytes:
        """All that was learnt: so many float64, little-endian, as ``from_bytes`` takes."""
        return _LAYOUT.pack(*(n for counts in self._counts for n in counts), *self._totals, *self._days)

    @classmethod
    def from_bytes(cls, packed: bytes) -> "Baseline":
        """What another had learnt. Raises ValueError for what no Baseline can know."""
        if len(packed) != _LAYOUT.size:
            raise ValueError(f"what was learnt cannot be read: {len(packed)} bytes instead of {_LAYOUT.size}")
        numbers = array("d", _LAYOUT.unpack(packed))
        if not all(map(isfinite, numbers)) or min(numbers[:-24]) < 0:
            raise ValueError("what was learnt cannot be read: counts that cannot be")
        base = cls()
        base._counts = [numbers[BINS * hour : BINS * (hour + 1)] for hour in range(24)]
        base._totals, base._days = numbers[24 * BINS : 24 * BINS + 24], numbers[-24:]
        return base


def _around(at: float) -> tuple[int, int, int]:
    hour = int(at // _HOUR)
    return (hour - 1) % 24, hour % 24, (hour + 1) % 24


def _bin(level: float) -> int:
    return min(int(6.0 * log2(1.0 + max(level, 0.0) / _FINE)), BINS - 1)
