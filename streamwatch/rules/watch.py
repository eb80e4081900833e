"""One rule on one camera: the state machine inactive → pending → firing → inactive, in event time.

A condition is a step function: it holds from the detection that says so to the one that says otherwise. An
*interruption* begins with the first detection that does not match. Everything that happens without a detection
happens at a deadline, and its alert bears the deadline's time, not that of the tick that noticed: so the alerts do
not depend on how often ``expire`` is called.
"""

from collections import deque
from math import inf, nan

from streamwatch.errors import OrderError
from streamwatch.models.detection import Detection
from streamwatch.rules.alert import Acknowledged, Alert, Incident
from streamwatch.rules.camera import STATUS
from streamwatch.rules.condition import EPSILON, SILENCE
from streamwatch.rules.herald import Herald
from streamwatch.rules.part import Part
from streamwatch.rules.places import lost
from streamwatch.rules.rest import Resting
from streamwatch.rules.rule import Rule
from streamwatch.rules.severity import gravest
from streamwatch.rules.stretch import Stretch, incident_id
from streamwatch.rules.why import Reasons

__all__ = ["HEARTBEAT", "PEAK_PAUSE", "PEAK_STEP", "Watch"]

PEAK_STEP = 0.1  # an update is worth sending when the peak rose by this much …
PEAK_PAUSE = 1.0  # … but not sooner than this many seconds after the last message
HEARTBEAT = 30.0  # and after this many seconds of firing without a message
_NOTHING: tuple[Alert, ...] = ()


class Watch:
    """State of ``rule`` on ``camera`` (empty: on all that it joins). Not thread-safe; never reads a clock.

    ``inhibitors`` are evaluated before it and keep it from beginning to fire.
    """

    __slots__ = (
        "_condition", "_cooled", "_due", "_ended_since", "_herald", "_holds", "_hushed", "_inhibitors", "_now",
        "_opened", "_reasons", "_salt", "_seen", "_several", "_stretch", "camera", "deadline", "resting", "rule",
    )  # fmt: skip

    def __init__(self, rule: Rule, camera: str, salt: str, inhibitors: tuple["Watch", ...] = ()) -> None:
        self.rule = rule
        self.camera = camera
        self.deadline = inf  # event time at which something happens unless a detection prevents it
        self._due = inf  # event time at which what is open ends, likewise
        self._herald = Herald(rule, camera)
        self._salt = salt
        self._condition = rule.when.start()
        self._reasons = Reasons(rule.when, self._condition)
        self.resting = Resting(self._condition)
        self._holds: bool | None = None  # at the last detection
        self._several = len(rule.when.zones) > 1 or not camera
        self._stretch: Stretch | None = None
        self._inhibitors: tuple[Watch, ...] = ()
        self.inhibited_by(inhibitors)
        self._opened: deque[float] = deque(maxlen=max((step.count or 0 for step in rule.escalate), default=0))
        self._forget_time()

    def inhibited_by(self, inhibitors: tuple["Watch", ...], further: bool = False) -> None:
        """From now on these keep it from beginning to fire; ``further``: beside those that do."""
        known = self._inhibitors if further else ()
        heard = tuple(watch for watch in inhibitors if self.rule.shadow or not watch.rule.shadow)
        self._inhibitors = tuple(dict.fromkeys((*known, *heard)))

    def _forget_time(self) -> None:
        self._now = -inf  # newest detection of any zone
        self._seen = -inf
        self._cooled = -inf  # no incident before this
        self._hushed = -inf  # no early warning before this
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
        self._holds = self._condition.observe(detection)
        if self._holds:
            return self._match(at, detection)
        return self._interrupt(at, "ended") if self._stretch is not None else _NOTHING

    def rests(self) -> float:
        """Until when (UTC s) it need not be evaluated, as long as all levels stay in the bands of its ``resting``."""
        if self._stretch is not None or self._holds or self._several:
            return -inf
        return self.resting.until()

    def catch_up(self, at: float) -> None:
        """Detections up to ``at`` were left out, since they could not have changed anything but the time."""
        self._now = self._seen = max(at, self._now)
        self.resting.catch_up(at)

    def expire(self, at: float) -> tuple[Alert, ...]:
        """What is due by ``at``."""
        stretch = self._stretch
        if stretch is None or at < self.deadline:
            return _NOTHING
        alerts = self._resume(at, stretch)
        if at < self._due:
            return alerts
        if stretch.interrupted is None:
            return alerts + self._end(self._due, "no_data")
        # Detections of several zones bear the same time; all must be in before an interruption of 0 s counts.
        if self._several and at <= stretch.interrupted:
            return alerts
        return alerts + self._end(self._due, stretch.reason)

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

    def lose_camera(self, camera: str, at: float) -> tuple[Alert, ...]:
        """The stream of ``camera`` broke: of a rule that joins several only what was known of that one is void."""
        if self.camera:
            return self.lose(at, "gap")
        self._condition.observe(lost(camera, at))
        return _NOTHING

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

    def snooze(self, until: float, at: float) -> tuple[Alert, ...]:
        """It is ``at``: withhold alerts up to ``until``; if that is over, tell at once what was withheld."""
        self._herald.until = until
        stretch = self._stretch
        if stretch is None:
            return _NOTHING
        self._arm(stretch)
        if not self._herald.due(stretch) <= at < self._due:
            return _NOTHING
        self.deadline = self._due
        return (self._herald.resume(at, stretch),)

    def acknowledge(self, by: Acknowledged) -> tuple[Alert, ...]:
        """Take note of the open incident. Raises OrderError if it does not fire, or somebody has."""
        stretch = self._stretch
        if stretch is None or stretch.opened is None:
            raise OrderError("is pending: it can be acknowledged once it fires")
        if stretch.acknowledged is not None:
            raise OrderError("is already acknowledged")
        return (self._herald.acknowledge(by, stretch),)

    def fires(self, at: float) -> bool:
        """Whether an incident fires at ``at``, even if its end was not told yet. One that nobody heard of does not."""
        stretch = self._stretch
        return stretch is not None and stretch.opened is not None and stretch.told and at < self._due

    def incident(self) -> Incident | None:
        """The open incident, pending or firing."""
        return None if self._stretch is None else self._named(self._stretch).incident(self.rule.name, self.camera)

    def told(self) -> str | None:
        """The id of the open incident if it was told of."""
        return self._stretch.id if self._stretch is not None and self._stretch.told else None

    def _match(self, at: float, detection: Detection) -> tuple[Alert, ...]:
        stretch = self._stretch
        if stretch is None:
            if at < self._cooled or at == self._ended_since:
                return _NOTHING
            stretch = self._stretch = Stretch(at, at, detection.model, camera=detection.camera)
        stretch.last_matched = at
        stretch.interrupted = None
        stretch.model = detection.model
        if detection.zone != STATUS or not self._several:
            stretch.filled = detection.filled
        stretch.evidence = evidence = self._condition.evidence()
        if evidence is not None and evidence.score > stretch.peak:
            stretch.peak = evidence.score
        joined = evidence is not None and stretch.join(evidence.cameras)
        if evidence is not None and evidence.cameras and not stretch.announced:
            stretch.camera = evidence.cameras[-1]
        alerts = self._speak(at, stretch, joined)
        self._arm(stretch)
        return alerts

    def _speak(self, at: float, stretch: Stretch, joined: bool) -> tuple[Alert, ...]:
        if stretch.opened is None and not any(watch.fires(at) for watch in self._inhibitors):
            if self._is_certain(at, stretch):
                return (self._begin(at, stretch),)
            if not stretch.announced and self._warns(at, stretch):
                stretch.severity = self.rule.severity
                return (self._herald.new(at, self._named(stretch), self._why()),)
        if not stretch.announced or stretch.acknowledged is not None:
            return _NOTHING
        quiet = at - stretch.sent
        graver = self.rule.escalate and (severity := self._severity(at, stretch)) != stretch.severity
        if graver:
            stretch.severity = severity
        higher = quiet >= PEAK_PAUSE and stretch.peak >= stretch.reported + PEAK_STEP
        if graver or joined or higher or quiet >= HEARTBEAT:
            return (self._herald.update(at, stretch, self._why()),)
        return _NOTHING

    def _is_certain(self, at: float, stretch: Stretch) -> bool:
        rule = self.rule
        return at - stretch.since >= rule.hold - EPSILON and (not rule.early or stretch.filled >= rule.early.filled)

    def _warns(self, at: float, stretch: Stretch) -> bool:
        early = self.rule.early
        return early is not None and at - stretch.since >= early.after - EPSILON and at >= self._hushed

    def _begin(self, at: float, stretch: Stretch) -> Alert:
        """It fires from ``at`` on."""
        stretch.opened = at
        self._opened.append(at)
        stretch.severity = self._severity(at, stretch)
        if stretch.announced:
            return self._herald.update(at, stretch, self._why())
        return self._herald.new(at, self._named(stretch), self._why())

    def _named(self, stretch: Stretch) -> Stretch:
        stretch.id = incident_id(self._salt, self.rule.name, self.camera, stretch.since)
        return stretch

    def _why(self) -> Part:
        return self._reasons.now()

    def _severity(self, at: float, stretch: Stretch) -> str:
        reached = [stretch.severity or self.rule.severity]
        if stretch.opened is not None:
            reached += [step.severity for step in self.rule.escalate if step.due(at, stretch.opened, self._opened)]
        return gravest(*reached)

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

    def _arm(self, stretch: Stretch) -> None:
        rule = self.rule
        hold = rule.gap if stretch.opened is None else max(rule.gap, rule.keep_firing_for)
        if stretch.interrupted is None:
            self._due = inf if self._holds_on() else stretch.last_matched + max(hold, SILENCE)
        else:
            self._due = stretch.interrupted + hold
        self.deadline = min(self._due, self._herald.due(stretch))

    def _resume(self, at: float, stretch: Stretch) -> tuple[Alert, ...]:
        """What a snooze withheld, if it is over and the incident has outlived it."""
        over = self._herald.due(stretch)
        if not over <= at or not over < self._due:
            return _NOTHING
        alert = self._herald.resume(over, stretch)
        self.deadline = self._due
        return (alert,)

    def _end(self, at: float, reason: str) -> tuple[Alert, ...]:
        stretch = self._stretch
        self._stretch = None
        self.deadline = self._due = inf
        if stretch is None or not stretch.announced:
            return _NOTHING
        self._ended_since = stretch.since
        if stretch.told and stretch.opened is None:  # what nobody was told of holds nothing back
            self._hushed = at + self.rule.cooldown
        elif stretch.told:
            self._cooled = at + self.rule.cooldown
        return (self._herald.end(at, stretch, reason),)
