"""One rule on one camera: the state machine inactive → pending → firing → inactive, in event time.

A condition is a step function: it holds from the detection that says so to the one that says otherwise. An
*interruption* begins with the first detection that does not match. Everything that happens without a detection
happens at a deadline, and its alert bears the deadline's time, not that of the tick that noticed: so the alerts do
not depend on how often ``expire`` is called.
"""

import hashlib
from collections import deque
from dataclasses import dataclass
from math import inf, nan

from ulid import ULID

from streamwatch.models.detection import Detection, ModelInfo
from streamwatch.rules.alert import Alert, AlertType, Incident, IncidentState
from streamwatch.rules.condition import EPSILON, SILENCE, Evidence
from streamwatch.rules.rule import Rule
from streamwatch.rules.severity import Escalation, gravest

__all__ = ["HEARTBEAT", "PEAK_STEP", "Watch", "incident_id"]

PEAK_STEP = 0.1  # an update is worth sending when the peak rose by this much …
PEAK_PAUSE = 1.0  # … but not sooner than this many seconds after the last message
HEARTBEAT = 30.0  # and after this many seconds of firing without a message
_NOTHING: tuple[Alert, ...] = ()


def incident_id(salt: str, rule: str, camera: str, start: float) -> str:
    """A ULID of ``start`` (UTC s) whose 80 bits of chance are a hash, so that a replay repeats it."""
    digest = hashlib.sha256(f"{salt}\0{rule}\0{camera}\0{start!r}".encode()).digest()
    return str(ULID.from_bytes(int(start * 1000).to_bytes(6, "big") + digest[:10]))


@dataclass(slots=True)
class _Stretch:
    """An open incident: since it began to hold until its end is certain."""

    since: float
    last_matched: float
    model: ModelInfo
    evidence: Evidence | None = None
    peak: float = 0.0
    interrupted: float | None = None
    reason: str = "ended"  # why it would end, if the interruption lasts
    id: str = ""
    opened: float | None = None  # when it began to fire
    seq: int = 0
    sent: float = 0.0  # time of the last message
    reported: float = 0.0  # peak in the last message
    severity: str = ""


class Watch:
    """State of ``rule`` on ``camera``. Not thread-safe; never reads a clock.

    ``inhibitors`` are evaluated before it and keep it from beginning to fire.
    """

    __slots__ = (
        "_condition", "_cooled", "_ended_since", "_inhibitors", "_now", "_opened", "_salt", "_seen", "_several",
        "_stretch", "camera", "deadline", "rule",
    )  # fmt: skip

    def __init__(self, rule: Rule, camera: str, salt: str, inhibitors: tuple["Watch", ...] = ()) -> None:
        self.rule = rule
        self.camera = camera
        self.deadline = inf  # event time at which something happens unless a detection prevents it
        self._salt = salt
        self._condition = rule.when.start()
        self._several = len(rule.when.zones) > 1
        self._stretch: _Stretch | None = None
        self.inhibited_by(inhibitors)
        self._opened: deque[float] = deque(maxlen=max((step.count or 0 for step in rule.escalate), default=0))
        self._forget_time()

    def inhibited_by(self, inhibitors: tuple["Watch", ...]) -> None:
        """From now on these keep it from beginning to fire."""
        self._inhibitors = tuple(watch for watch in inhibitors if self.rule.shadow or not watch.rule.shadow)

    def _forget_time(self) -> None:
        self._now = -inf  # newest detection of any zone
        self._seen = -inf
        self._cooled = -inf  # no incident before this
        self._opened.clear()  # when the last incidents began to fire
        self._ended_since = nan  # start of the last incident: an id is never used twice

    def follow(self, former: "Watch") -> None:
        """Time goes on where ``former`` stopped, a watch for another version of the rule: no id is used twice."""
        self._now, self._ended_since = former._now, former._ended_since

    def observe(self, detection: Detection) -> tuple[Alert, ...]:
        """Take a detection of one of the rule's zones. The caller has called ``expire`` for its time."""
        at = detection.end
        if at > self._now:
            self._now = at
        else:  # another zone is ahead
            at = self._now
        if at - self._seen > SILENCE:
            self._condition.reset()
        self._seen = at
        if self._condition.observe(detection):
            return self._match(at, detection.model)
        return self._interrupt(at, "ended") if self._stretch is not None else _NOTHING

    def catch_up(self, at: float) -> None:
        """Detections up to ``at`` were left out, since they could not have changed anything but the time."""
        self._now = self._seen = max(at, self._now)

    def expire(self, at: float) -> tuple[Alert, ...]:
        """What is due by ``at``."""
        stretch = self._stretch
        if stretch is None or at < self.deadline:
            return _NOTHING
        if stretch.interrupted is None:
            return self._end(self.deadline, "no_data")
        # Detections of several zones bear the same time; all must be in before an interruption of 0 s counts.
        if self._several and at <= stretch.interrupted:
            return _NOTHING
        return self._end(self.deadline, stretch.reason)

    def lose(self, at: float, reason: str) -> tuple[Alert, ...]:
        """What was known is void (a gap in the stream, a rule that raised): pending ends, firing is interrupted."""
        self._condition.reset()
        alerts = self.rewind(at) + self.expire(at)
        if self._stretch is None:
            return alerts
        if reason == "gap" and self._holds_on():
            return alerts
        at = max(at, self._now)
        return alerts + (self._end(at, reason) if self._stretch.opened is None else self._interrupt(at, reason))

    def rewind(self, at: float) -> tuple[Alert, ...]:
        """It is ``at`` now. If that is long before the last detection, the clock was set back: begin anew."""
        if not self._now - at > SILENCE:
            return _NOTHING
        alerts = self._end(self._now, "gap")
        self._forget_time()  # the next detection ends a silence: the condition will be reset
        return alerts

    def close(self, at: float, reason: str) -> tuple[Alert, ...]:
        """End whatever is open."""
        alerts = self.expire(at)
        self._condition.reset()
        stretch = self._stretch
        return alerts if stretch is None else alerts + self._end(max(at, stretch.last_matched, stretch.sent), reason)

    def fires(self, at: float) -> bool:
        """Whether an incident fires at ``at``, even if its end was not told yet."""
        return self._stretch is not None and self._stretch.opened is not None and at < self.deadline

    def incident(self) -> Incident | None:
        """The open incident, pending or firing."""
        stretch = self._stretch
        if stretch is None:
            return None
        return Incident(
            id=stretch.id or incident_id(self._salt, self.rule.name, self.camera, stretch.since),
            rule=self.rule.name,
            camera=self.camera,
            state=IncidentState.PENDING if stretch.opened is None else IncidentState.FIRING,
            since=stretch.since,
            opened=stretch.opened,
            last_matched=stretch.last_matched,
            peak_score=stretch.peak,
        )

    def _match(self, at: float, model: ModelInfo) -> tuple[Alert, ...]:
        stretch = self._stretch
        if stretch is None:
            if at < self._cooled or at == self._ended_since:
                return _NOTHING
            stretch = self._stretch = _Stretch(since=at, last_matched=at, model=model)
        stretch.last_matched = at
        stretch.interrupted = None
        stretch.model = model
        stretch.evidence = evidence = self._condition.evidence()
        if evidence is not None and evidence.score > stretch.peak:
            stretch.peak = evidence.score
        alerts = self._speak(at, stretch)
        self._arm(stretch)
        return alerts

    def _speak(self, at: float, stretch: _Stretch) -> tuple[Alert, ...]:
        rule = self.rule
        if stretch.opened is None:
            if at - stretch.since < rule.hold - EPSILON or any(watch.fires(at) for watch in self._inhibitors):
                return _NOTHING
            stretch.id = incident_id(self._salt, rule.name, self.camera, stretch.since)
            stretch.opened = at
            self._opened.append(at)
            stretch.severity = self._severity(at, stretch)
            return (self._alert(AlertType.NEW, at, stretch),)
        quiet = at - stretch.sent
        if rule.escalate and (severity := self._severity(at, stretch)) != stretch.severity:
            stretch.severity = severity
            return (self._alert(AlertType.UPDATE, at, stretch),)
        if quiet >= HEARTBEAT or (quiet >= PEAK_PAUSE and stretch.peak >= stretch.reported + PEAK_STEP):
            return (self._alert(AlertType.UPDATE, at, stretch),)
        return _NOTHING

    def _severity(self, at: float, stretch: _Stretch) -> str:
        severity = stretch.severity or self.rule.severity
        for step in self.rule.escalate:
            if step.after is not None:
                due = stretch.opened is not None and at - stretch.opened >= step.after - EPSILON
            else:
                due = _repeats(self._opened, step, stretch.opened)
            if due:
                severity = gravest(severity, step.severity)
        return severity

    def _holds_on(self) -> bool:
        """Whether missing data leave the open incident as it is."""
        return self.rule.no_data == "hold" and self._stretch is not None and self._stretch.opened is not None

    def _interrupt(self, at: float, reason: str) -> tuple[Alert, ...]:
        stretch = self._stretch
        if stretch is not None and stretch.interrupted is None:
            stretch.interrupted = at
            stretch.reason = reason
            self._arm(stretch)
        return self.expire(at)

    def _arm(self, stretch: _Stretch) -> None:
        rule = self.rule
        hold = rule.gap if stretch.opened is None else max(rule.gap, rule.keep_firing_for)
        if stretch.interrupted is None:
            self.deadline = inf if self._holds_on() else stretch.last_matched + max(hold, SILENCE)
        else:
            self.deadline = stretch.interrupted + hold

    def _end(self, at: float, reason: str) -> tuple[Alert, ...]:
        stretch = self._stretch
        self._stretch = None
        self.deadline = inf
        if stretch is None or stretch.opened is None:
            return _NOTHING
        self._ended_since = stretch.since
        self._cooled = at + self.rule.cooldown
        return (self._alert(AlertType.END, at, stretch, reason),)

    def _alert(self, kind: AlertType, at: float, stretch: _Stretch, reason: str = "") -> Alert:
        rule = self.rule
        evidence = stretch.evidence
        score = evidence.score if evidence else 0.0
        values = {
            "camera": self.camera,
            "rule": rule.name,
            "event": evidence.event if evidence else "",
            "score": f"{score:.2f}",
            "zone": (evidence.zone or "") if evidence else "",
            "severity": stretch.severity,
        }
        annotations = {name: template.render(values) for name, template in rule.annotations}
        if reason:
            annotations["end_reason"] = reason
        seq = stretch.seq
        stretch.seq += 1
        stretch.sent = at
        stretch.reported = stretch.peak
        return Alert(
            id=stretch.id,
            seq=seq,
            type=kind,
            camera=self.camera,
            rule=rule.name,
            event=evidence.event if evidence else None,
            zone=evidence.zone if evidence else None,
            severity=stretch.severity,
            score=score,
            peak_score=stretch.peak,
            threshold=evidence.threshold if evidence else None,
            start_time=stretch.since,
            time=at,
            end_time=stretch.last_matched if kind is AlertType.END else None,
            summary=rule.summary.render(values),
            labels={**dict(rule.labels), "severity": stretch.severity},
            annotations=annotations,
            model=stretch.model,
            rule_hash=rule.rule_hash,
            shadow=rule.shadow,
        )


def _repeats(opened: deque[float], step: Escalation, at: float | None) -> bool:
    """Whether the incident that opened at ``at`` is the ``count``-th of ``step`` within its span."""
    if step.count is None or step.span is None or at is None or len(opened) < step.count:
        return False
    return at - opened[-step.count] < step.span - EPSILON
