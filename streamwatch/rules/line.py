"""The detections of one zone of one camera, and which rules must look at each: those not at rest (``rest.py``)."""

from collections.abc import Mapping, Sequence
from math import inf

from streamwatch.models.detection import Detection
from streamwatch.rules.condition import SILENCE
from streamwatch.rules.lull import Calm, Lull
from streamwatch.rules.rest import CALM, Sleep, Study, joint
from streamwatch.rules.vigil import Vigil
from streamwatch.rules.watch import Watch

__all__ = ["Line", "calm_of", "pass_over"]


class Line:
    """``watches`` listen, and ``vigils`` to each detection. ``last`` is the time of the newest.

    For each detection: evaluate those in ``listening(detection)``, in that order, then call ``settle()``.
    """

    __slots__ = ("_all", "_asleep", "_awake", "_calm", "_studies", "last", "vigils", "watches")

    def __init__(self, watches: tuple[Watch, ...], vigils: tuple[Vigil, ...] = ()) -> None:
        self.watches = watches
        self.vigils = vigils
        self.last = -inf
        self._awake = watches
        self._calm = CALM
        self._asleep: dict[Watch, Sleep] = {}
        self._studies: tuple[Study, ...] = ()  # of those that sleep
        self._all = joint([])  # what lasts as long as the sleep of all that sleep

    def listening(self, detection: Detection) -> tuple[Watch, ...]:
        """The watches that ``detection`` may concern; ``last`` is still that of the one before."""
        if not self._asleep:
            return self._awake
        if detection.end - self.last > SILENCE:  # what was known is not known any more
            self.wake()
            return self._awake
        if self._all.lasts(detection):
            if self._studies:
                self.study((detection.end,), (detection.motion,))
            return self._awake
        for watch in [watch for watch, sleep in self._asleep.items() if not sleep.lasts(detection)]:
            del self._asleep[watch]
            watch.catch_up(self.last)
        self._calm = 0
        self._change()
        self.study((detection.end,), (detection.motion,))
        return self._awake

    def rests(self, at: float) -> bool:
        """Whether what was said last need not be said again at ``at``, since all sleep and stay so; then it was."""
        if self._awake or not at < self._all.until or not 0 <= at - self.last <= SILENCE:
            return False
        self.last = at
        return True

    def calm(self) -> Sleep | None:
        """The sleep of all; None if somebody is awake."""
        return None if self._awake else self._all

    def study(self, times: Sequence[float], motions: Sequence[float]) -> None:
        """Tell those that sleep what comes meanwhile."""
        for study in self._studies:
            study(times, motions)

    def settle(self) -> None:
        """A detection was evaluated: let those sleep that are at rest."""
        self._calm += 1
        if self._calm <= CALM:
            return
        found = {watch: until for watch in self._awake if (until := watch.rests()) > self.last}
        if found:
            new = {watch: watch.resting.sleep(until) for watch, until in found.items()}
            self._asleep |= new
            self._awake = tuple([watch for watch in self._awake if watch not in new])
            self._all = joint([self._all, *new.values()])
            self._studies = self._of_sleepers()

    def wake(self) -> None:
        """Let all be evaluated again, as if they had been all the time."""
        for watch in self._asleep:
            watch.catch_up(self.last)
        self._asleep.clear()
        self._change()

    def _change(self) -> None:
        self._awake = tuple([watch for watch in self.watches if watch not in self._asleep])
        self._all = joint(self._asleep.values())
        self._studies = self._of_sleepers()

    def _of_sleepers(self) -> tuple[Study, ...]:
        return tuple([study for watch in self._asleep for study in watch.resting.studies])


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
        line.study(passed.times, passed.motions)
        for vigil in line.vigils:
            vigil.catch_up(passed.last, lull.model)
