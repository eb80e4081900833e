"""What is told of an incident: which messages, under which number, in which state, and what a snooze withholds."""

import hashlib
from dataclasses import dataclass, replace
from math import inf

from ulid import ULID

from streamwatch.models.detection import ModelInfo
from streamwatch.rules.alert import Acknowledged, Alert, AlertType, Cause, Incident, IncidentState
from streamwatch.rules.condition import Evidence
from streamwatch.rules.part import Part
from streamwatch.rules.rule import Rule
from streamwatch.rules.template import Template

__all__ = ["Herald", "Stretch", "incident_id"]

_NO_DATA = Template("No data from {camera} for {rule}")


def incident_id(salt: str, rule: str, camera: str, start: float) -> str:
    """A ULID of ``start`` (UTC s) whose 80 bits of chance are a hash, so that a replay repeats it."""
    digest = hashlib.sha256(f"{salt}\0{rule}\0{camera}\0{start!r}".encode()).digest()
    return str(ULID.from_bytes(int(start * 1000).to_bytes(6, "big") + digest[:10]))


@dataclass(slots=True)
class Stretch:
    """An open incident: since it began to hold until its end is certain. Times are UTC s of event time."""

    since: float
    last_matched: float
    model: ModelInfo
    evidence: Evidence | None = None
    peak: float = 0.0
    filled: float = 0.0  # of the newest window
    interrupted: float | None = None
    reason: str = "ended"  # why it would end, if the interruption lasts
    id: str = ""
    opened: float | None = None  # when it began to fire
    seq: int = 0
    sent: float = -inf  # time of the last message
    reported: float = 0.0  # peak in the last message
    severity: str = ""
    announced: bool = False  # its ``new`` was decided …
    told: bool = False  # … and not withheld
    owed: bool = False  # something was withheld since the last message
    acknowledged: Acknowledged | None = None
    why: Part | None = None

    def state(self) -> IncidentState:
        """While it is open."""
        if self.opened is None:
            return IncidentState.PENDING
        return IncidentState.FIRING if self.acknowledged is None else IncidentState.ACKNOWLEDGED

    def incident(self, rule: str, camera: str) -> Incident:
        """It as others may see it."""
        return Incident(self.id, rule, camera, self.state(), self.since, self.opened, self.last_matched, self.peak)


class Herald:
    """Writes the alerts about incidents of ``rule`` on ``camera``.

    Before ``until`` (UTC s) they are snoozed: withheld, but for the end of what was told of and acknowledgements.
    Alerts withheld count no ``seq``: those told have no holes.
    """

    __slots__ = ("_camera", "_cause", "_rule", "until")

    def __init__(self, rule: Rule, camera: str, cause: Cause = Cause.CONDITION) -> None:
        self._rule = rule
        self._camera = camera
        self._cause = cause
        self.until = -inf

    def due(self, stretch: Stretch) -> float:
        """When what a snooze withheld of ``stretch`` is to be told; never, if it withheld nothing."""
        return self.until if stretch.owed else inf

    def new(self, at: float, stretch: Stretch, why: Part | None = None) -> Alert:
        """The first word about ``stretch``."""
        stretch.why = why
        stretch.announced = True
        stretch.told = stretch.told or not at < self.until
        return self._say(AlertType.NEW, at, stretch, snoozed=not stretch.told)

    def update(self, at: float, stretch: Stretch, why: Part | None = None) -> Alert:
        """There is something new about ``stretch``."""
        stretch.why = why
        return self._say(AlertType.UPDATE, at, stretch, snoozed=at < self.until)

    def resume(self, at: float, stretch: Stretch) -> Alert:
        """Tell what was withheld; the snooze is over."""
        kind = AlertType.UPDATE if stretch.told else AlertType.NEW
        stretch.told = True
        return self._say(kind, at, stretch)

    def acknowledge(self, by: Acknowledged, stretch: Stretch) -> Alert:
        """Somebody has taken note of ``stretch``."""
        stretch.acknowledged = by
        stretch.why = None
        return self._say(AlertType.UPDATE, by.time, stretch)

    def end(self, at: float, stretch: Stretch, reason: str) -> Alert:
        """The last word about ``stretch``, for ``reason``."""
        stretch.why = None
        alert = self._say(AlertType.END, at, stretch, snoozed=not stretch.told)
        state = IncidentState.WITHDRAWN if stretch.opened is None else IncidentState.CLOSED
        annotations = {**alert.annotations, "end_reason": reason}
        return replace(alert, state=state, end_time=stretch.last_matched, annotations=annotations)

    def _say(self, kind: AlertType, at: float, stretch: Stretch, snoozed: bool = False) -> Alert:
        rule, evidence = self._rule, stretch.evidence
        at = max(at, stretch.sent)  # an acknowledgement bears the time at which it was given
        seq = stretch.seq
        stretch.seq += not snoozed
        stretch.owed = snoozed
        stretch.sent = at
        stretch.reported = stretch.peak
        score = evidence.score if evidence else 0.0
        values = self._values(stretch)
        return Alert(
            id=stretch.id,
            seq=seq,
            type=kind,
            camera=self._camera,
            rule=rule.name,
            event=evidence.event if evidence else None,
            zone=evidence.zone if evidence else None,
            severity=stretch.severity,
            score=score,
            peak_score=stretch.peak,
            threshold=evidence.threshold if evidence else None,
            start_time=stretch.since,
            time=at,
            end_time=None,
            summary=(rule.summary if self._cause is Cause.CONDITION else _NO_DATA).render(values),
            labels={**dict(rule.labels), "severity": stretch.severity},
            annotations={name: template.render(values) for name, template in rule.annotations},
            model=stretch.model,
            rule_hash=rule.rule_hash,
            shadow=rule.shadow,
            snoozed=snoozed,
            state=stretch.state(),
            cause=self._cause,
            acknowledged=stretch.acknowledged,
            why=stretch.why,
        )

    def _values(self, stretch: Stretch) -> dict[str, str]:
        evidence = stretch.evidence
        return {
            "camera": self._camera,
            "rule": self._rule.name,
            "event": evidence.event if evidence else "",
            "score": f"{evidence.score if evidence else 0.0:.2f}",
            "zone": (evidence.zone or "") if evidence else "",
            "severity": stretch.severity,
        }
