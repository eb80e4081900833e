"""How long a condition needs to hear nothing: while every level it looks at stays where it is.

On a quiet camera nearly every detection says what the one before said: all scores are below their ``on``. A condition
that knows that it would answer the same is at *rest*; a rule at rest is not evaluated (``line.py``) until a level
leaves its *band* – reaches ``on`` where the event is off, falls below ``off`` where it is on – or its time is up:
``absent`` will have lasted, what was counted grows old, the minute of a ``schedule`` is over. Nothing is lost by it:
whatever a condition remembers (steps matched, beginnings, since when something is absent) changes only with what is
inside it, and what it answers is computed anew at the next detection it hears. What must know when that which still
holds was last seen to hold is told at the end of the rest (``catch_up``).

One that learns from each detection (``anomaly``) is told while it rests what to ``study``. A condition that cannot say
is never at rest.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from math import inf, nan
from typing import Any, NamedTuple

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import Condition

__all__ = [
    "ALWAYS",
    "CALM",
    "NEVER",
    "Band",
    "Rest",
    "Resting",
    "Sleep",
    "Study",
    "joint",
    "narrowest",
    "rest_of",
    "rest_of_all",
]


CALM = 3
"""Detections in a row that wake nobody, before anybody sleeps again: levels that leap about let nobody sleep."""


Study = Callable[[Sequence[float], Sequence[float]], None]
"""Hears of detections that come during a rest: their times (UTC s) and motions, in order."""


class Rest(NamedTuple):
    """Until when (UTC s, exclusive) a condition answers the ``same``, and until when it may be ``deaf``: needs to hear
    nothing to be right afterwards; both as long as all levels stay in their bands.
    """

    same: float
    deaf: float


ALWAYS = Rest(inf, inf)
NEVER = Rest(-inf, -inf)


class Band(NamedTuple):
    """Where the level of ``event`` (None: the motion) may be without a change: ``floor`` <= level < ``ceiling``."""

    event: str | None
    floor: float
    ceiling: float


class Sleep(NamedTuple):
    """Until when (UTC s, exclusive) nothing need be evaluated, as long as all levels stay in ``bands``."""

    until: float
    bands: tuple[Band, ...]

    def lasts(self, detection: Detection) -> bool:
        """Whether ``detection`` changes nothing; it may if a level is not there, or not a number."""
        if not detection.end < self.until:
            return False
        scores = detection.scores
        for event, floor, ceiling in self.bands:
            level = detection.motion if event is None else scores.get(event, nan)
            if not floor <= level < ceiling:
                return False
        return True


def joint(sleeps: Collection[Sleep]) -> Sleep:
    """What lasts as long as each of ``sleeps``."""
    until = min((sleep.until for sleep in sleeps), default=inf)
    return Sleep(until, narrowest([band for sleep in sleeps for band in sleep.bands]))


def rest_of(condition: Condition) -> Rest:
    """That of ``condition``; NEVER if it has no ``rest``."""
    rest = getattr(condition, "rest", None)
    found: Rest = NEVER if rest is None else rest()
    return found


def rest_of_all(parts: Sequence[Condition], values: Sequence[bool | None], decisive: bool) -> Rest:
    """That of ``parts`` joined, which answered ``values``; one that is ``decisive`` decides, whatever others say."""
    rests = [rest_of(part) for part in parts]
    deaf = min(rest.deaf for rest in rests)
    if decisive in values:
        return Rest(max(r.same for r, value in zip(rests, values, strict=True) if value is decisive), deaf)
    return Rest(min(rest.same for rest in rests), deaf)


class Resting:
    """``condition`` seen from the side of its rest; what is inside it must stay the same conditions."""

    __slots__ = ("_bands", "_catches", "_condition", "parts", "possible", "studies")

    def __init__(self, condition: Condition) -> None:
        self._condition = condition
        parts = tuple(_all_inside(condition))
        self.parts: tuple[Condition, ...] = parts
        self.possible = all(hasattr(part, "rest") for part in parts)  # that it ever rests
        self._bands: list[Callable[[], Band]] = [part.band for part in parts if hasattr(part, "band")]
        self.studies: tuple[Study, ...] = tuple([part.study for part in parts if hasattr(part, "study")])
        self._catches: list[Callable[[float], None]] = [part.catch_up for part in parts if hasattr(part, "catch_up")]

    def until(self) -> float:
        """Until when (UTC s) it may rest from now on; -inf: not at all."""
        return min(rest_of(self._condition)) if self.possible else -inf

    def sleep(self, until: float) -> Sleep:
        """It rests ``until`` then at most."""
        return Sleep(until, tuple([band() for band in self._bands]))

    def catch_up(self, at: float) -> None:
        """The rest is over; the last detection that was not heard was at ``at``."""
        for catch_up in self._catches:
            catch_up(at)


def narrowest(bands: Iterable[Band]) -> tuple[Band, ...]:
    """One band for each level, that which lies in all of ``bands``."""
    found: dict[str | None, Band] = {}
    for band in bands:
        other = found.get(band.event, band)
        found[band.event] = Band(band.event, max(band.floor, other.floor), min(band.ceiling, other.ceiling))
    return tuple(found.values())


def _all_inside(condition: Condition) -> Iterator[Any]:
    """``condition`` and those in it; what can rest can say what is inside."""
    yield condition
    for inner in getattr(condition, "inside", tuple)():
        yield from _all_inside(inner)
