"""The detections of one zone of one camera, and which rules must look at each: those not at rest (``rest.py``)."""

from collections.abc import Collection, Mapping
from math import inf, nan
from typing import NamedTuple

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import SILENCE
from streamwatch.rules.lull import Calm, Lull
from streamwatch.rules.rest import Band, narrowest
from streamwatch.rules.vigil import Vigil
from streamwatch.rules.watch import Watch

__all__ = ["Line", "calm_of", "pass_over"]

CALM = 3  # detections in a row that wake nobody, before anybody sleeps again: levels that leap about let nobody sleep


class _Sleep(NamedTuple):
    """Until when a watch need not be evaluated, as long as all levels stay in ``bands``."""

    until: float
    bands: tuple[Band, ...]

    def lasts(self, at: float, scores: Mapping[str | None, float]) -> bool:
        """Whether a detection at ``at`` changes nothing; also not if a level is not there, or not a number."""
        return at < self.until and all(
            floor <= scores.get(event, nan) < ceiling for event, floor, ceiling in self.bands
        )


_NOBODY = _Sleep(inf, ())


class Line:
    """``watches`` listen, and ``vigils`` to each detection. ``last`` is the time of the newest.

    For each detection: evaluate those in ``listening(detection)``, in that order, then call ``settle()``.
    """

    __slots__ = ("_all", "_asleep", "_awake", "_calm", "last", "vigils", "watches")

    def __init__(self, watches: tuple[Watch, ...], vigils: tuple[Vigil, ...] = ()) -> None:
        self.watches = watches
        self.vigils = vigils
        self.last = -inf
        self._awake = watches
        self._calm = CALM
        self._asleep: dict[Watch, _Sleep] = {}
        self._all = _NOBODY  # what lasts as long as the sleep of all that sleep

    def listening(self, detection: Detection) -> tuple[Watch, ...]:
        """The watches that ``detection`` may concern; ``last`` is still that of the one before."""
        if not self._asleep or self._lasts(detection):
            return self._awake
        at = detection.end
        if at - self.last > SILENCE:  # what was known is not known any more
            self.wake()
            return self._awake
        levels: dict[str | None, float] = {None: detection.motion}
        levels.update(detection.scores)
        for watch in [watch for watch, sleep in self._asleep.items() if not sleep.lasts(at, levels)]:
            del self._asleep[watch]
            watch.catch_up(self.last)
        self._calm = 0
        self._change()
        return self._awake

    def rests(self, at: float) -> bool:
        """Whether what was said last need not be said again at ``at``, since all sleep and stay so; then it was."""
        if self._awake or not at < self._all.until or not 0 <= at - self.last <= SILENCE:
            return False
        self.last = at
        return True

    def calm(self) -> tuple[float, tuple[Band, ...]] | None:
        """Until when all sleep, as long as all levels stay in the bands; None if somebody is awake."""
        return None if self._awake else self._all

    def settle(self) -> None:
        """A detection was evaluated: let those sleep that are at rest."""
        self._calm += 1
        if self._calm <= CALM:
            return
        found = {watch: until for watch in self._awake if (until := watch.rests()) > self.last}
        if found:
            new = {watch: _Sleep(until, watch.resting.bands()) for watch, until in found.items()}
            self._asleep |= new
            self._awake = tuple([watch for watch in self._awake if watch not in new])
            self._all = _all_of([self._all, *new.values()])

    def wake(self) -> None:
        """Let all be evaluated again, as if they had been all the time."""
        for watch in self._asleep:
            watch.catch_up(self.last)
        self._asleep.clear()
        self._change()

    def _lasts(self, detection: Detection) -> bool:
        until, bands = self._all
        at = detection.end
        if not at < until or at - self.last > SILENCE:
            return False
        scores = detection.scores
        for event, floor, ceiling in bands:
            level = detection.motion if event is None else scores.get(event, nan)
            if not floor <= level < ceiling:
                return False
        return True

    def _change(self) -> None:
        self._awake = tuple([watch for watch in self.watches if watch not in self._asleep])
        self._all = _all_of(self._asleep.values())


def calm_of(lines: Mapping[str | None, Line]) -> Calm:
    """What detections of these zones wake nobody."""
    rests = {zone: rest for zone, line in lines.items() if (rest := line.calm()) is not None}
    until = min((until for until, _ in rests.values()), default=inf)
    after = max((line.last for line in lines.values()), default=-inf)
    return Calm(after, until, tuple((zone, bands) for zone, (_, bands) in rests.items()))


def pass_over(lines: Mapping[str | None, Line], lull: Lull) -> None:
    """As if each detection of ``lull`` had been heard by the line of its zone."""
    for passed in lull.zones:
        line = lines[passed.zone]
        line.last = passed.last
        for vigil in line.vigils:
            vigil.catch_up(passed.last, lull.model)


def _all_of(sleeps: Collection[_Sleep]) -> _Sleep:
    until = min((sleep.until for sleep in sleeps), default=inf)
    return _Sleep(until, narrowest([band for sleep in sleeps for band in sleep.bands]))
