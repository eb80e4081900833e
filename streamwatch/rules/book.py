"""All rules over all cameras: detections and time go in, alerts come out. See the package's docstring."""

from collections.abc import Iterable
from enum import StrEnum

from streamwatch.models.detection import CameraState, Detection, Gap
from streamwatch.rules.alert import Alert, Incident
from streamwatch.rules.camera import GONE
from streamwatch.rules.lull import Calm, Lull
from streamwatch.rules.memory import Learnt
from streamwatch.rules.order import Acknowledge, Snooze, Snoozed
from streamwatch.rules.rule import Rule
from streamwatch.rules.site import Site
from streamwatch.rules.watches import Watches

__all__ = ["RuleBook", "Share"]


class Share(StrEnum):
    """Which rules a book evaluates: all, those about one camera at a time, or those across cameras and groups.

    The last two together, told the same, decide what the first does: nothing about one camera waits for several.
    """

    ALL = "all"
    ALONE = "alone"
    ACROSS = "across"


class RuleBook:
    """``rules`` at work. ``salt`` enters the ids of incidents: one per site, so that two sites never share an id.

    ``lateness`` is how many seconds detections may lag behind the time given to ``tick``. State grows with the number
    of cameras and zones seen, nothing else. Not thread-safe: one thread owns it.

    ``errors`` counts by rule the evaluations that raised, ``last_errors`` says what; ``late`` counts by camera the
    detections ignored: older than their zone's newest, timeless, or too late for rules across cameras.
    """

    def __init__(self, rules: Iterable[Rule], salt: str, lateness: float = 5.0, share: Share = Share.ALL) -> None:
        self._salt = salt
        self._share = share
        self._alone = Watches(rules, salt, lateness, idle=share is Share.ACROSS)
        self._lateness = lateness
        self.errors, self.last_errors, self.late = self._alone.errors, self._alone.last_errors, self._alone.late
        self._site: Site | None = None
        self._join()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Those in force."""
        return self._alone.rules

    @property
    def snoozes(self) -> tuple[Snoozed, ...]:
        """Those in force; a new tuple whenever one comes or goes."""
        return self._alone.snoozes

    def observe(self, detection: Detection) -> tuple[Alert, ...]:
        """The alerts that ``detection`` causes. Event time of its camera becomes ``detection.end``."""
        if self._site is None:
            return self._alone.observe(detection)
        late = self.late.get(detection.camera, 0)
        alerts = self._alone.observe(detection)
        return alerts + self._site.take(detection) if self.late.get(detection.camera, 0) == late else alerts

    def calm(self, camera: str) -> Calm | None:
        """What ``camera`` may say next without any rule having to hear it; None if each detection must be heard."""
        return self._alone.calm(camera) if self._site is None else None

    def pass_over(self, lull: Lull) -> None:
        """As if each of its detections had been observed; they are ``calm``, and no other of the camera came since."""
        self._alone.pass_over(lull)

    def tick(self, at: float) -> tuple[Alert, ...]:
        """Let time pass without detections: it is ``at`` (UTC s) now. Call it about once a second."""
        snoozes = self.snoozes
        alerts = self._alone.tick(at)
        if self._site is None:
            return alerts
        due = at - self._lateness
        alerts += self._site.tick(at, due)
        return alerts if self.snoozes is snoozes else alerts + self._site.rouse(due)

    def camera(self, camera: str, state: str, at: float) -> tuple[Alert, ...]:
        """``camera`` is in ``state`` (of ``camera.STATES``) from ``at`` on, until told otherwise.

        ``camera.GONE``: it is watched elsewhere from now on. What is open there alone ends as ``moved``, and all that
        was known of it is forgotten; rules across cameras hear a gap.
        """
        if state == GONE:
            alerts = self._alone.release(camera, at)
            return alerts if self._site is None else alerts + self._site.take(Gap(camera, at))
        alerts = self._alone.camera(camera, state, at)
        return alerts if self._site is None else alerts + self._site.take(CameraState(camera, state, at))

    def gap(self, camera: str, at: float) -> tuple[Alert, ...]:
        """The stream of ``camera`` broke at ``at``: nothing is carried across.

        Pending incidents lapse; firing ones are interrupted and end after keep_firing_for, unless the condition
        holds again. The detections that follow may bear any time. The camera's state stays known.
        """
        alerts = self._alone.gap(camera, at)
        return alerts if self._site is None else alerts + self._site.take(Gap(camera, at))

    def replace(self, rules: Iterable[Rule], at: float) -> tuple[Alert, ...]:
        """Put ``rules`` in force at ``at`` (UTC s). Raises RuleError, before anything changes, for circular inhibition.

        A rule whose name and hash are as before goes on as if nothing had happened. One that is changed or removed
        ends what it has open, with that word as ``end_reason``; one that is changed or new begins with nothing.
        """
        alerts = self._alone.replace(rules, at)
        if self._site is not None:
            alerts += self._site.replace(self.rules, at)
        self._join()
        return alerts

    def close(self, at: float, reason: str) -> tuple[Alert, ...]:
        """End all that is open: the rules are about to stop."""
        alerts = self._alone.close(at, reason)
        return alerts if self._site is None else alerts + self._site.close(at, reason)

    def remember(self, known: Iterable[Learnt]) -> None:
        """Go on from what was ``learnt`` in an earlier run, where rule and camera are the same. Before all else."""
        kept = tuple(known)
        self._alone.remember(kept)
        if self._site is not None:
            self._site.watches.remember(kept)

    def learnt(self) -> tuple[Learnt, ...]:
        """What rules have learnt of cameras (``anomaly``), one for each such rule and camera."""
        found = [*self._alone.learnt(), *(self._site.watches.learnt() if self._site is not None else ())]
        return tuple({(each.rule, each.camera): each for each in found}.values())

    def incidents(self) -> tuple[Incident, ...]:
        """Those open now, pending and firing, by camera and rule as first seen; those across cameras last."""
        alone = self._alone.incidents()
        return alone if self._site is None else alone + self._site.incidents()

    def acknowledge(self, order: Acknowledge, at: float) -> tuple[Alert, ...]:
        """Somebody took note of a firing incident at ``at`` (UTC s): no more is said of it but its end.

        Raises OrderError if there is no such incident, or somebody has already.
        """
        if self._site is not None and any(order.id == incident.id for incident in self._site.incidents()):
            return self._site.acknowledge(order, at)
        return self._alone.acknowledge(order, at)

    def snooze(self, order: Snooze, at: float) -> tuple[Alert, ...]:
        """Withhold alerts, or no longer, from ``at`` (UTC s) on. Raises OrderError; nothing changes then."""
        alerts = self._alone.snooze(order, at)
        return alerts if self._site is None else alerts + self._site.rouse(at)

    def _join(self) -> None:
        """Have a part for rules across cameras exactly if there are any."""
        if self._share is Share.ALONE or all(rule.scope == "camera" for rule in self.rules):
            self._site = None
        elif self._site is None:
            across = Watches(self.rules, self._salt, lateness=0.0, across=True)
            across.errors, across.last_errors, across.late = self.errors, self.last_errors, self.late
            across.follow(self._alone)
            self._site = Site(across)
