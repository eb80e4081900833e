"""``no_data: alert``: an incident of its own while nothing is known of a camera that a rule must never lose sight of.

It begins to fire when no detection of the rule's zones came for SILENCE seconds (after the last one, or after the
camera's first state), and ends with the next. It has the rule's name, severity and labels, the cause ``no_data``, and
``start_time`` is when the last detection came. It is neither inhibited nor escalated. A camera that somebody disabled
is not missed.
"""

from math import inf

from streamwatch.errors import OrderError
from streamwatch.models.detection import Detection, ModelInfo
from streamwatch.rules.alert import Acknowledged, Alert, Cause, Incident
from streamwatch.rules.camera import NO_MODEL, STATUS
from streamwatch.rules.condition import SILENCE
from streamwatch.rules.herald import Herald
from streamwatch.rules.rule import Rule
from streamwatch.rules.stretch import Stretch, incident_id

__all__ = ["Vigil"]

_NOTHING: tuple[Alert, ...] = ()


class Vigil:
    """Watches over the detections that ``rule`` needs of ``camera``. Time is an argument; not thread-safe."""

    __slots__ = ("_herald", "_model", "_resting", "_salt", "_seen", "_stretch", "camera", "deadline", "rule", "zones")

    def __init__(self, rule: Rule, camera: str, salt: str) -> None:
        self.rule = rule
        self.camera = camera
        self.zones = rule.when.zones - {STATUS}
        self.deadline = inf  # event time at which something is told unless a detection prevents it
        self._salt = salt
        self._resting = False
        self._seen = -inf  # when there last was something to go by
        self._model: ModelInfo = NO_MODEL
        self._herald = Herald(rule, camera, Cause.NO_DATA)
        self._stretch: Stretch | None = None

    def expect(self, at: float) -> None:
        """From ``at`` on there should be detections, if there should not have been before."""
        self._resting = False
        if self.deadline == inf and self._stretch is None:
            self._seen, self.deadline = at, at + SILENCE

    def rest(self, at: float, reason: str) -> tuple[Alert, ...]:
        """From ``at`` on there need not be any, for ``reason``; what was under way may still come."""
        alerts = self.expire(at) + self._end(at, reason)
        self.deadline = inf
        self._resting = True
        return alerts

    def hear(self, detection: Detection) -> tuple[Alert, ...]:
        """One came."""
        at = detection.end
        alerts = self.expire(at) if at >= self.deadline else _NOTHING
        if at > self._seen or self._seen - at > SILENCE:  # else another zone is ahead
            if self._stretch is not None:
                alerts += self._end(at, "ended")
            self._seen, self.deadline = at, inf if self._resting else at + SILENCE
            self._model = detection.model
        return alerts

    def catch_up(self, at: float, model: ModelInfo) -> None:
        """Some came up to ``at``, no more than SILENCE apart, after one that was heard."""
        if at > self._seen:
            self._seen, self.deadline = at, inf if self._resting else at + SILENCE
            self._model = model

    def expire(self, at: float) -> tuple[Alert, ...]:
        """What is due by ``at``."""
        if at < self.deadline:
            return _NOTHING
        if self._stretch is not None:
            return self._resume(self.deadline, self._stretch)
        due, self.deadline = self.deadline, inf
        stretch = self._stretch = Stretch(self._seen, due, self._model, opened=due, severity=self.rule.severity)
        stretch.id = incident_id(self._salt, f"{self.rule.name} no_data", self.camera, stretch.since)
        alert = self._herald.new(due, stretch)
        self.deadline = self._herald.due(stretch)
        return (alert, *self.expire(at))

    def close(self, at: float, reason: str) -> tuple[Alert, ...]:
        """End what is open."""
        return self.expire(at) + self._end(at, reason)

    def snooze(self, until: float, at: float) -> tuple[Alert, ...]:
        """As :meth:`streamwatch.rules.watch.Watch.snooze`."""
        self._herald.until = until
        if self._stretch is None:
            return _NOTHING
        self.deadline = self._herald.due(self._stretch)
        return self._resume(at, self._stretch) if self.deadline <= at else _NOTHING

    def told(self) -> str | None:
        """The id of the open incident if it was told of."""
        return self._stretch.id if self._stretch is not None and self._stretch.told else None

    def acknowledge(self, by: Acknowledged) -> tuple[Alert, ...]:
        """Take note of the open incident. Raises OrderError if somebody has."""
        if self._stretch is None or self._stretch.acknowledged is not None:
            raise OrderError("is already acknowledged")
        return (self._herald.acknowledge(by, self._stretch),)

    def incident(self) -> Incident | None:
        """The open incident."""
        return None if self._stretch is None else self._stretch.incident(self.rule.name, self.camera)

    def _resume(self, at: float, stretch: Stretch) -> tuple[Alert, ...]:
        self.deadline = inf
        return (self._herald.resume(at, stretch),)

    def _end(self, at: float, reason: str) -> tuple[Alert, ...]:
        stretch, self._stretch = self._stretch, None
        if stretch is None:
            return _NOTHING
        stretch.last_matched = max(at, stretch.last_matched)
        return (self._herald.end(at, stretch, reason),)
