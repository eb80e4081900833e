"""The detections of one zone of one camera, and which rules must look at each."""

from collections.abc import Mapping
from math import inf

from streamwatch.rules.idle import may_sleep
from streamwatch.rules.vigil import Vigil
from streamwatch.rules.watch import Watch

__all__ = ["Line"]


class Line:
    """``watches`` listen, and ``vigils`` to each detection. ``last`` is the time of the newest.

    For each detection: evaluate those in ``listening(scores)``, then call ``settle(scores)``.
    """

    __slots__ = ("_asleep", "_calm", "_lively", "_memory", "_off", "_on", "_sleepers", "last", "vigils", "watches")

    def __init__(self, watches: tuple[Watch, ...], vigils: tuple[Vigil, ...] = ()) -> None:
        self.watches = watches
        self.vigils = vigils
        self.last = -inf
        calm = {watch: found for watch in watches if (found := may_sleep(watch.rule.when))}
        self._sleepers = tuple(calm)
        self._lively = tuple(watch for watch in watches if watch not in calm)
        self._memory = max((found.memory for found in calm.values()), default=0)
        off = [item for found in calm.values() for item in found.off.items()]
        on = [item for found in calm.values() for item in found.on.items()]
        self._off = tuple(dict(sorted(off, reverse=True)).items())  # the least of each event
        self._on = tuple(dict(sorted(on, reverse=True)).items())
        self._calm = 0  # detections in a row with low scores only
        self._asleep = False

    def listening(self, scores: Mapping[str, float]) -> tuple[Watch, ...]:
        """The watches that a detection with ``scores`` may concern."""
        if self._asleep:
            for event, on in self._on:
                if not scores.get(event, inf) < on:  # also if it is not a number, or not there
                    self.wake()
                    return self.watches
            return self._lively
        return self.watches

    def settle(self, scores: Mapping[str, float]) -> None:
        """A detection with ``scores`` was evaluated."""
        if self._asleep or not self._sleepers:
            return
        for event, off in self._off:
            if not scores.get(event, inf) < off:
                self._calm = 0
                return
        self._calm += 1
        if self._calm >= self._memory and all(watch.deadline == inf for watch in self._sleepers):
            self._asleep = True

    def wake(self) -> None:
        """Let all be evaluated again, as if they had been all the time."""
        if self._asleep:
            for watch in self._sleepers:
                watch.catch_up(self.last)
        self._asleep = False
        self._calm = 0
